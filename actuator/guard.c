/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/guard.h"

#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t int_at(const json_t *array, size_t i)
{
    return (int64_t)json_integer_value(json_array_get(array, i));
}

void actuator_guard_rules_fini(struct actuator_guard_rules *g)
{
    actuator_when_fini(&g->when);
    free(g->fleet.type);
    json_decref(g->fleet.labels);
    memset(g, 0, sizeof(*g));
}

/* --- asking ------------------------------------------------------------------------ */

int64_t actuator_guard_fails(const json_t *memory, const char *policy, int64_t opened_ms,
                             int64_t now_ms)
{
    const json_t *fails = json_object_get(json_object_get(memory, "fails"), policy);
    int64_t last = int_at(fails, 1);
    if (last <= opened_ms || last <= now_ms - ACTUATOR_FAILS_KEPT_MS)
        return 0;
    return int_at(fails, 0);
}

/* What the target rests after n failures of the policy in a row. */
static int64_t after_fail(int64_t base_ms, int64_t n)
{
    int64_t rest = n > 0 ? base_ms : 0;
    for (int64_t i = 1; i < n && rest < ACTUATOR_AFTER_FAIL_MAX_MS; i++)
        rest *= 2;
    return most(least(rest, ACTUATOR_AFTER_FAIL_MAX_MS), n > 0 ? base_ms : 0);
}

struct actuator_verdict actuator_guard_cooldown(const struct actuator_guard_rules *rules,
                                                const char *policy, const json_t *memory,
                                                enum actuator_sizing sizing,
                                                int64_t opened_ms, int64_t now_ms)
{
    const json_t *ended = json_object_get(memory, "ended_ms");
    int64_t rest = sizing == ACTUATOR_WAY_UP     ? rules->up_ms
                   : sizing == ACTUATOR_WAY_DOWN ? rules->down_ms
                                                 : rules->cooldown_ms;
    if (rules->after_fail_ms > 0)
        rest = most(rest,
                    after_fail(rules->after_fail_ms,
                               actuator_guard_fails(memory, policy, opened_ms, now_ms)));
    if (rest <= 0 || !json_is_integer(ended))
        return (struct actuator_verdict){true, "", now_ms};
    int64_t until = least((int64_t)json_integer_value(ended), now_ms) + rest;
    return now_ms < until ? (struct actuator_verdict){false, "cooldown", until}
                          : (struct actuator_verdict){true, "", now_ms};
}

/* max of them within per? */
static struct actuator_verdict within(const json_t *times, size_t from, int64_t max,
                                      int64_t per_ms, const char *guard, int64_t now_ms)
{
    size_t n = json_array_size(times);
    if (max > 0 && n >= from + (size_t)max) {
        /* the one that has to leave the window before another fits */
        int64_t oldest = least(int_at(times, n - (size_t)max), now_ms);
        if (now_ms < oldest + per_ms)
            return (struct actuator_verdict){false, guard, oldest + per_ms};
    }
    return (struct actuator_verdict){true, "", now_ms};
}

struct actuator_verdict actuator_guard_frequency(const struct actuator_frequency *rule,
                                                 const char *key, const json_t *memory,
                                                 int64_t now_ms)
{
    return within(json_object_get(json_object_get(memory, "starts"), key), 0, rule->max,
                  rule->per_ms, "frequency", now_ms);
}

struct actuator_verdict actuator_guard_flap(const struct actuator_guard_rules *rules,
                                            const json_t *memory, int64_t opened_ms,
                                            int64_t now_ms)
{
    const json_t *runs = json_object_get(memory, "runs");
    size_t from = 0;
    while (from < json_array_size(runs) && int_at(runs, from) <= opened_ms)
        from++;
    return within(runs, from, rules->flap_max, rules->flap_per_ms, "flap_budget", now_ms);
}

/* --- noting ------------------------------------------------------------------------ */

/* The member, made with make if it is absent or something else; NULL without memory. */
static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
    json_t *have = json_object_get(object, key), *fresh = make();
    if (have != NULL && fresh != NULL && json_typeof(have) == json_typeof(fresh)) {
        json_decref(fresh);
        return have;
    }
    if (fresh == NULL || json_object_set_new_nocheck(object, key, fresh) != 0)
        return NULL;
    return fresh;
}

static enum hale_rc append(json_t *times, int64_t now_ms, int64_t keep)
{
    if (times == NULL || json_array_append_new(times, json_integer(now_ms)) != 0)
        return HALE_E_NOMEM;
    while (json_array_size(times) > (size_t)(keep > 0 ? keep : 1))
        json_array_remove(times, 0);
    return HALE_OK;
}

enum hale_rc actuator_guard_began(json_t *memory, const char *key, int64_t now_ms,
                                  int64_t keep)
{
    json_t *all = member(memory, "starts", json_object);
    return all != NULL ? append(member(all, key, json_array), now_ms, keep)
                       : HALE_E_NOMEM;
}

enum hale_rc actuator_guard_ran(json_t *memory, int64_t now_ms, int64_t keep)
{
    if (keep > 0)
        return append(member(memory, "runs", json_array), now_ms, keep);
    (void)json_object_del(memory, "runs"); /* often absent */
    return HALE_OK;
}

enum hale_rc actuator_guard_ended(json_t *memory, int64_t now_ms)
{
    int rc = json_object_set_new(memory, "ended_ms", json_integer(now_ms));
    return rc == 0 ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc actuator_guard_result(json_t *memory, const char *policy, bool good,
                                   int64_t opened_ms, int64_t now_ms)
{
    if (good) {
        json_t *all = json_object_get(memory, "fails");
        (void)json_object_del(all, policy); /* often absent */
        if (json_object_size(all) == 0)
            (void)json_object_del(memory, "fails");
        return HALE_OK;
    }
    int64_t n = actuator_guard_fails(memory, policy, opened_ms, now_ms) + 1;
    json_t *all = member(memory, "fails", json_object);
    json_t *pair = json_pack("[I,I]", (json_int_t)n, (json_int_t)now_ms);
    return all != NULL && json_object_set_new_nocheck(all, policy, pair) == 0
               ? HALE_OK
               : HALE_E_NOMEM;
}

json_t *actuator_guard_memory_new(void)
{
    return json_pack("{s:i,s:{}}", "v", 1, "starts");
}

static int64_t newest(const json_t *times)
{
    size_t n = json_array_size(times);
    return n > 0 ? int_at(times, n - 1) : 0;
}

int64_t actuator_guard_latest(const json_t *memory)
{
    int64_t latest = (int64_t)json_integer_value(json_object_get(memory, "ended_ms"));
    static const char *const lists[] = {"starts", "fails"};
    for (size_t i = 0; i < 2; i++) {
        json_t *all = json_object_get(memory, lists[i]);
        for (void *it = json_object_iter(all); it != NULL;
             it = json_object_iter_next(all, it))
            latest = most(latest, newest(json_object_iter_value(it)));
    }
    return most(latest, newest(json_object_get(memory, "runs")));
}
