/* SPDX-License-Identifier: Apache-2.0 */
/* check_load - /proc/loadavg divided by the number of logical cores, as Monasca's agent does. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/procfs.h"

struct state {
    const struct hale_yaml_node *ignored;
};
static const struct hale_conf_field fields[] = {AGENT_CHECK_COMMON_FIELDS(struct state)};

static bool start(struct agent_check *c)
{
    static const char *const names[] = {"load.avg_1_min", "load.avg_5_min",
                                        "load.avg_15_min"};
    struct hale_buf *text = &c->ctx->text;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!agent_procfs_read(text, "/proc/loadavg") || cores < 1)
        return true;
    struct hale_str rest = hale_buf_str(text);
    for (int i = 0; i < 3; i++) {
        double load;
        if (hale_str_double(agent_procfs_word(&rest), &load) == HALE_OK)
            agent_check_emit(c, NULL, 0, names[i],
                             round(load / (double)cores * 1000) / 1000, NULL);
    }
    return true;
}

const struct agent_check_type agent_check_load = {
    .name = "load",
    .help = "load.avg_{1,5,15}_min per logical core",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = sizeof(fields) / sizeof(fields[0]),
    .start = start};
