/* SPDX-License-Identifier: Apache-2.0 */
/* check_net - /proc/net/dev rates per second and the link state of each interface. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check.h"
#include "agent/procfs.h"
#include "base/clock.h"

#define DEVICES_MAX        1024
#define N_COUNTERS         8
#define EXCLUDE_BY_DEFAULT "^(lo|vnet|tun|ovs|br|tap|qbr|qvb|qvo)"

struct device {
    char name[32];
    uint64_t v[N_COUNTERS];
};
/* Names in the order of v, and the column of /proc/net/dev each comes from. */
static const struct {
    const char *name;
    unsigned column;
} counters[N_COUNTERS] = {
    {"net.in_bytes_sec", 0},    {"net.in_packets_sec", 1},
    {"net.in_errors_sec", 2},   {"net.in_packets_dropped_sec", 3},
    {"net.out_bytes_sec", 8},   {"net.out_packets_sec", 9},
    {"net.out_errors_sec", 10}, {"net.out_packets_dropped_sec", 11}};

struct state {
    const struct hale_yaml_node *ignored;
    char *exclude;
    bool has_exclude;
    regex_t exclude_re;
    struct hale_buf link;
    int64_t last_ms;
    unsigned n;
    struct device devices[DEVICES_MAX];
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "exclude",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, exclude),
     .fallback = EXCLUDE_BY_DEFAULT,
     .help = "extended regular expression of interfaces to leave out"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;
    hale_buf_init(&s->link, 4096);
    if (s->exclude[0] == '\0')
        return HALE_OK;
    if (regcomp(&s->exclude_re, s->exclude, REG_EXTENDED | REG_NOSUB) != 0)
        return hale_yaml_error(hale_yaml_get(map, "exclude"), err,
                               "'%s' is not a regular expression", s->exclude);
    s->has_exclude = true;
    return HALE_OK;
}

static void destroy(struct agent_check *c)
{
    struct state *s = c->state;
    if (s->has_exclude)
        regfree(&s->exclude_re);
    hale_buf_fini(&s->link);
}

/* 0 up, 1 down (Monasca's net.int_status); interfaces without a carrier notion count as up. */
static double link_down(struct state *s, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/operstate", name);
    if (!agent_procfs_read(&s->link, path))
        return 0;
    struct hale_str state = hale_str_trim(hale_buf_str(&s->link));
    return hale_str_eq_c(state, "up") || hale_str_eq_c(state, "unknown") ? 0 : 1;
}

static const struct device *find(const struct state *s, const char *name)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->devices[i].name, name) == 0)
            return &s->devices[i];
    return NULL;
}

static bool read_device(struct hale_str line, struct device *d)
{
    struct hale_str rest = line, name = hale_str_trim(hale_str_split(&rest, ':'));
    if (rest.p == NULL || name.len == 0 || name.len >= sizeof(d->name))
        return false;
    memcpy(d->name, name.p, name.len);
    d->name[name.len] = '\0';
    uint64_t columns[16];
    for (int i = 0; i < 16; i++)
        columns[i] = agent_procfs_number(&rest);
    for (int i = 0; i < N_COUNTERS; i++)
        d->v[i] = columns[counters[i].column];
    return true;
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;
    int64_t mono_ms = hale_clock_mono_ms();
    static struct device fresh[DEVICES_MAX]; /* one thread; too large for the stack */
    unsigned n = 0;

    if (!agent_procfs_read(&c->ctx->text, "/proc/net/dev"))
        return true;
    struct hale_str rest = hale_buf_str(&c->ctx->text);
    while (rest.p != NULL && n < DEVICES_MAX) {
        struct device *d = &fresh[n];
        if (!read_device(hale_str_split(&rest, '\n'), d))
            continue;
        if (s->has_exclude && regexec(&s->exclude_re, d->name, 0, NULL, 0) == 0)
            continue;
        const struct agent_dim dim = {"device", d->name};
        const struct device *before = find(s, d->name);
        for (int i = 0; before != NULL && i < N_COUNTERS; i++)
            agent_check_emit(
                c, &dim, 1, counters[i].name,
                agent_procfs_rate(before->v[i], d->v[i], mono_ms - s->last_ms), NULL);
        agent_check_emit(c, &dim, 1, "net.int_status", link_down(s, d->name), NULL);
        n++;
    }
    memcpy(s->devices, fresh, n * sizeof(fresh[0]));
    s->n = n;
    s->last_ms = mono_ms;
    return true;
}

const struct agent_check_type agent_check_net = {
    .name = "net",
    .help = "net.{in,out}_{bytes,packets,errors,packets_dropped}_sec{device}, "
            "net.int_status{device} (0 up, 1 down)",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy};
