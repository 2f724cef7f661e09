/* SPDX-License-Identifier: Apache-2.0 */
/* check_load - /proc/loadavg divided by the number of logical cores, as Monasca's agent does. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/procfs.h"

struct state {
    const struct hale_yaml_node *ignored;
    struct hale_buf text;
};
static const struct hale_conf_field fields[] = {AGENT_CHECK_COMMON_FIELDS(struct state)};

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_buf_init(&s->text, AGENT_PROCFS_MAX_BYTES);
    c->state = s;
    return hale_conf_read(map, fields, sizeof(fields) / sizeof(fields[0]), s, err);
}

static void destroy(struct agent_check *c)
{
    struct state *s = c->state;
    if (s != NULL)
        hale_buf_fini(&s->text);
    free(s);
}

static bool start(struct agent_check *c, int64_t now_ms)
{
    static const char *const names[] = {"load.avg_1_min", "load.avg_5_min",
                                        "load.avg_15_min"};
    struct state *s = c->state;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!agent_procfs_read(&s->text, "/proc/loadavg") || cores < 1)
        return true;
    struct hale_str rest = hale_buf_str(&s->text);
    for (int i = 0; i < 3; i++) {
        double load;
        if (hale_str_double(agent_procfs_word(&rest), &load) == HALE_OK)
            agent_check_emit(c, NULL, 0, names[i], now_ms,
                             round(load / (double)cores * 1000) / 1000, NULL);
    }
    return true;
}

const struct agent_check_type agent_check_load = {
    .name = "load",
    .help = "load.avg_{1,5,15}_min per logical core",
    .fields = fields,
    .n_fields = sizeof(fields) / sizeof(fields[0]),
    .create = create,
    .start = start,
    .destroy = destroy};
