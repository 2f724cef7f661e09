/* SPDX-License-Identifier: Apache-2.0 */
/* check_cpu - /proc/stat: shares of time since the last run, in percent, and totals in seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/procfs.h"

#define CORES_MAX 1024

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, N_TICKS };
struct ticks {
    uint64_t v[N_TICKS];
};
struct state {
    const struct hale_yaml_node *ignored;
    bool per_core;
    bool known; /* there is a former reading */
    struct ticks total;
    struct ticks core[CORES_MAX];
};

static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "per_core",
     .type = HALE_CONF_BOOL,
     .offset = offsetof(struct state, per_core),
     .fallback = "false",
     .help = "also cpu.core.* with dimension core"},
};

static struct ticks read_ticks(struct hale_str *rest)
{
    struct ticks t;
    for (int i = 0; i < N_TICKS; i++)
        t.v[i] = agent_procfs_number(rest);
    return t;
}

struct shares {
    double idle, wait, stolen, system, user; /* percent */
    bool ok;
};

static struct shares share(const struct ticks *a, const struct ticks *b)
{
    double d[N_TICKS], all = 0;
    for (int i = 0; i < N_TICKS; i++) {
        d[i] = b->v[i] >= a->v[i] ? (double)(b->v[i] - a->v[i]) : 0;
        all += d[i];
    }
    if (all <= 0)
        return (struct shares){.ok = false};
    return (struct shares){.idle = 100 * d[IDLE] / all,
                           .wait = 100 * d[IOWAIT] / all,
                           .stolen = 100 * d[STEAL] / all,
                           .system = 100 * (d[SYSTEM] + d[IRQ] + d[SOFTIRQ]) / all,
                           .user = 100 * (d[USER] + d[NICE]) / all,
                           .ok = true};
}

static void emit_shares(struct agent_check *c, const struct agent_dim *core,
                        const struct shares *p)
{
    const struct {
        const char *total, *per_core;
        double value;
    } rows[] = {{"cpu.idle_perc", "cpu.core.idle_perc", p->idle},
                {"cpu.wait_perc", "cpu.core.wait_perc", p->wait},
                {"cpu.stolen_perc", "cpu.core.stolen_perc", p->stolen},
                {"cpu.system_perc", "cpu.core.system_perc", p->system},
                {"cpu.user_perc", "cpu.core.user_perc", p->user},
                {"cpu.percent", "cpu.core.percent", 100 - p->idle - p->wait}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        agent_check_emit(c, core, core != NULL,
                         core != NULL ? rows[i].per_core : rows[i].total, rows[i].value,
                         NULL);
}

static void emit_totals(struct agent_check *c, const struct ticks *t, unsigned cores)
{
    double hz = (double)sysconf(_SC_CLK_TCK);
    agent_check_emit(c, NULL, 0, "cpu.total_logical_cores", cores, NULL);
    agent_check_emit(c, NULL, 0, "cpu.idle_time", (double)t->v[IDLE] / hz, NULL);
    agent_check_emit(c, NULL, 0, "cpu.wait_time", (double)t->v[IOWAIT] / hz, NULL);
    agent_check_emit(c, NULL, 0, "cpu.user_time", (double)(t->v[USER] + t->v[NICE]) / hz,
                     NULL);
    agent_check_emit(c, NULL, 0, "cpu.system_time",
                     (double)(t->v[SYSTEM] + t->v[IRQ] + t->v[SOFTIRQ]) / hz, NULL);
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;
    unsigned cores = 0;
    if (!agent_procfs_read(&c->ctx->text, "/proc/stat"))
        return true;
    struct hale_str rest = hale_buf_str(&c->ctx->text);
    while (rest.p != NULL) {
        struct hale_str line = hale_str_split(&rest, '\n');
        struct hale_str word = agent_procfs_word(&line);
        if (word.len < 3 || memcmp(word.p, "cpu", 3) != 0)
            continue;
        struct ticks now = read_ticks(&line), *before = &s->total;
        struct agent_dim core = {"core", NULL};
        char number[24];
        uint64_t index = 0;
        if (word.len > 3) {
            if (hale_str_u64((struct hale_str){word.p + 3, word.len - 3}, &index) !=
                    HALE_OK ||
                index >= CORES_MAX)
                continue;
            (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)index);
            core.value = number;
            before = &s->core[index];
            cores++;
        }
        struct shares p = share(before, &now);
        if (s->known && p.ok && (core.value == NULL || s->per_core))
            emit_shares(c, core.value != NULL ? &core : NULL, &p);
        *before = now;
    }
    emit_totals(c, &s->total, cores);
    s->known = true;
    return true;
}

const struct agent_check_type agent_check_cpu = {
    .name = "cpu",
    .help = "cpu.{idle,wait,stolen,system,user}_perc, cpu.percent, cpu.*_time, "
            "cpu.total_logical_cores; with per_core cpu.core.*_perc{core}",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = sizeof(fields) / sizeof(fields[0]),
    .start = start};
