/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory - what the guards remember: fields of the hash HALE_KEYS_GUARDS in memory, which of them
 * the next commit writes, and when they are forgotten (declared in engine_private.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/scaling.h"
#include "base/log.h"

#define PRUNE_US      60000000
#define PRUNE_FULL_US 1000000 /* no room: not more often than that */
#define SLACK_MS      60000
#define SWEEP_FIELDS  (16 * ACTUATOR_GUARDS_MAX)

static const char *const PREFIXES[ACTUATOR_SCOPES] = {"", "policy:", "site:", "global:"};

const char *memory_field(enum actuator_scope scope, const char *name, char *dst)
{
    (void)snprintf(dst, ENGINE_FIELD_MAX, "%s%s", PREFIXES[scope],
                   scope == ACTUATOR_SCOPE_GLOBAL ? "" : name);
    return dst;
}

static bool starts_with(struct hale_str text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.len >= n && memcmp(text.p, prefix, n) == 0;
}

bool memory_reserved(const char *target)
{
    bool is = starts_with(hale_str_from(target), ACTUATOR_SCALING_PREFIX);
    for (int i = ACTUATOR_SCOPE_POLICY; i < ACTUATOR_SCOPES; i++)
        is = is || starts_with(hale_str_from(target), PREFIXES[i]);
    return is;
}

json_t *memory_find(const struct actuator_engine *e, const char *field)
{
    return hale_map_get(e->guards, hale_str_from(field));
}

json_t *memory_make(struct actuator_engine *e, const char *field)
{
    json_t *memory = memory_find(e, field);
    if (memory != NULL)
        return memory;
    memory = actuator_guard_memory_new();
    if (memory == NULL)
        return NULL;
    enum hale_rc rc = hale_map_put(e->guards, hale_str_from(field), memory);
    if (rc == HALE_E_LIMIT && e->now_us >= e->prune_us - PRUNE_US + PRUNE_FULL_US) {
        memory_prune(e);
        rc = hale_map_put(e->guards, hale_str_from(field), memory);
    }
    if (rc == HALE_OK)
        return memory;
    json_decref(memory);
    return NULL;
}

void memory_touch(struct actuator_engine *e, const char *field)
{
    for (unsigned i = 0; i < e->n_touched; i++)
        if (strcmp(e->touched[i], field) == 0)
            return;
    if (e->n_touched == ENGINE_TOUCHED_MAX) {
        hale_error("event=guard_memory_lost field=%.100s", field);
        return;
    }
    (void)snprintf(e->touched[e->n_touched++], ENGINE_FIELD_MAX, "%s", field);
}

unsigned memory_take(struct actuator_engine *e,
                     struct actuator_memory out[ENGINE_TOUCHED_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_touched; i++) {
        const json_t *memory = memory_find(e, e->touched[i]);
        char *json = memory != NULL ? json_dumps(memory, JSON_COMPACT) : NULL;
        if (json != NULL)
            out[n++] = (struct actuator_memory){.field = e->touched[i],
                                                .json = hale_str_from(json)};
    }
    e->n_touched = 0;
    return n;
}

void memory_taken(struct actuator_memory *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free((char *)(uintptr_t)list[i].json.p);
}

/* --- forgetting -------------------------------------------------------------------- */

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void memory_set_policies(struct actuator_engine *e)
{
    memset(e->keep, 0, sizeof(e->keep));
    e->keep[ACTUATOR_SCOPE_TARGET] = 1;
    e->keep_runs = e->horizon_ms = 0;
    for (unsigned i = 0; i < actuator_policies_count(e->policies); i++) {
        const struct actuator_guard_rules *g =
            &actuator_policies_at(e->policies, i)->guards;
        int64_t h = most(most(g->cooldown_ms, g->up_ms), g->down_ms);
        if (g->after_fail_ms > 0 || g->exhausted > 0)
            h = most(h, ACTUATOR_FAILS_KEPT_MS + ACTUATOR_AFTER_FAIL_MAX_MS);
        for (unsigned k = 0; k < g->n_frequencies; k++) {
            const struct actuator_frequency *f = &g->frequency[k];
            e->keep[f->scope] = most(e->keep[f->scope], f->max);
            h = most(h, f->per_ms);
        }
        e->keep_runs = most(e->keep_runs, g->flap_max);
        e->horizon_ms = most(e->horizon_ms, most(h, g->flap_per_ms));
    }
}

static bool matters(const struct actuator_engine *e, struct hale_str field,
                    const json_t *memory)
{
    int64_t opened = json_integer_value(json_object_get(memory, "opened_ms"));
    int64_t latest = most(actuator_guard_latest(memory), opened);
    return starts_with(field, ACTUATOR_SCALING_PREFIX) || /* not a guard's */
           hale_map_get(e->leases, field) != NULL ||
           json_object_get(memory, "latched_ms") != NULL ||
           json_object_size(json_object_get(memory, "storms")) > 0 ||
           latest + e->horizon_ms + SLACK_MS > e->now_us / 1000;
}

struct forgotten {
    unsigned n;
    struct actuator_memory list[ACTUATOR_GUARDS_MAX];
};

static void commit_forgotten(struct actuator_engine *e, struct forgotten *f)
{
    const struct actuator_commit c = {.op = ACTUATOR_OP_ALONE,
                                      .run_id = "",
                                      .target = "",
                                      .n_guards = f->n,
                                      .guard = f->list};
    if (f->n > 0)
        e->io.commit(e->io.arg, &c);
    for (unsigned i = 0; i < f->n; i++) {
        free((char *)(uintptr_t)f->list[i].field);
        free((char *)(uintptr_t)f->list[i].was.p);
    }
    f->n = 0;
}

void memory_prune(struct actuator_engine *e)
{
    struct forgotten f = {.n = 0};
    unsigned total = 0;
    struct hale_str key;
    const json_t *memory;
    size_t it = 0;
    e->prune_us = e->now_us + PRUNE_US;
    while (total < SWEEP_FIELDS &&
           (memory = hale_map_next(e->guards, &it, &key)) != NULL) {
        if (matters(e, key, memory))
            continue;
        char *field = strndup(key.p, key.len), *was = json_dumps(memory, JSON_COMPACT);
        if (field == NULL || was == NULL) {
            free(field);
            free(was);
            break;
        }
        f.list[f.n++] =
            (struct actuator_memory){.field = field, .was = hale_str_from(was)};
        hale_map_del(e->guards, hale_str_from(field));
        total++;
        if (f.n == ACTUATOR_GUARDS_MAX)
            commit_forgotten(e, &f);
    }
    commit_forgotten(e, &f);
    if (total == SWEEP_FIELDS) /* there may be more */
        e->prune_us = e->now_us;
}
