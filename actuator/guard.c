/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/guard.h"

static int64_t clamp(int64_t at_ms, int64_t now_ms)
{
    return at_ms < now_ms ? at_ms : now_ms;
}

static int64_t int_at(const json_t *array, size_t i)
{
    return (int64_t)json_integer_value(json_array_get(array, i));
}

struct actuator_verdict actuator_guard_ask(const struct actuator_guard_rules *rules,
                                           const char *policy, const json_t *memory,
                                           int64_t now_ms)
{
    const struct actuator_verdict fine = {true, "", now_ms};
    const json_t *ended = json_object_get(memory, "ended_ms");

    if (rules->cooldown_ms > 0 && json_is_integer(ended)) {
        int64_t until =
            clamp((int64_t)json_integer_value(ended), now_ms) + rules->cooldown_ms;
        if (now_ms < until)
            return (struct actuator_verdict){false, "cooldown", until};
    }
    if (rules->frequency_max <= 0)
        return fine;
    const json_t *starts = json_object_get(json_object_get(memory, "starts"), policy);
    size_t n = json_array_size(starts);
    if (n < (size_t)rules->frequency_max)
        return fine;
    /* the start that has to leave the window before another run fits */
    int64_t oldest = clamp(int_at(starts, n - (size_t)rules->frequency_max), now_ms);
    if (now_ms < oldest + rules->frequency_per_ms)
        return (struct actuator_verdict){false, "frequency",
                                         oldest + rules->frequency_per_ms};
    return fine;
}

enum hale_rc actuator_guard_began(json_t *memory, const char *policy, int64_t now_ms,
                                  int64_t keep)
{
    json_t *all = json_object_get(memory, "starts");
    if (!json_is_object(all)) {
        all = json_object();
        if (all == NULL || json_object_set_new(memory, "starts", all) != 0)
            return HALE_E_NOMEM;
    }
    json_t *starts = json_object_get(all, policy);
    if (!json_is_array(starts)) {
        starts = json_array();
        if (starts == NULL || json_object_set_new_nocheck(all, policy, starts) != 0)
            return HALE_E_NOMEM;
    }
    if (json_array_append_new(starts, json_integer(now_ms)) != 0)
        return HALE_E_NOMEM;
    while (json_array_size(starts) > (size_t)(keep > 0 ? keep : 1))
        json_array_remove(starts, 0);
    return HALE_OK;
}

enum hale_rc actuator_guard_ended(json_t *memory, int64_t now_ms)
{
    int rc = json_object_set_new(memory, "ended_ms", json_integer(now_ms));
    return rc == 0 ? HALE_OK : HALE_E_NOMEM;
}

json_t *actuator_guard_memory_new(void)
{
    return json_pack("{s:i,s:{}}", "v", 1, "starts");
}

int64_t actuator_guard_latest(const json_t *memory)
{
    int64_t latest = (int64_t)json_integer_value(json_object_get(memory, "ended_ms"));
    json_t *all = json_object_get(memory, "starts");
    for (void *it = json_object_iter(all); it != NULL;
         it = json_object_iter_next(all, it)) {
        const json_t *starts = json_object_iter_value(it);
        size_t n = json_array_size(starts);
        if (n > 0 && int_at(starts, n - 1) > latest)
            latest = int_at(starts, n - 1);
    }
    return latest;
}
