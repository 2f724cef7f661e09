/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latch - what stops a loop: latches, which the loop itself trips, and kill switches, which people
 * throw (declared in engine_private.h). What people do is in the journal already: the collector
 * writes it there with the change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "base/log.h"

#define UNLATCH "unlatch/"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

/* --- latches ----------------------------------------------------------------------- */

static const json_t *policy_memory(const struct actuator_engine *e, const char *policy)
{
    char field[ENGINE_FIELD_MAX];
    return memory_find(e, memory_field(ACTUATOR_SCOPE_POLICY, policy, field));
}

bool latch_is_on(const struct actuator_engine *e, const char *policy)
{
    return int_of(policy_memory(e, policy), "latched_ms") > 0;
}

int64_t latch_opened_ms(const struct actuator_engine *e, const char *policy)
{
    return int_of(policy_memory(e, policy), "opened_ms");
}

int engine_mode(const struct actuator_engine *e, const struct actuator_policy *p)
{
    return p->mode > ACTUATOR_SUGGEST && latch_is_on(e, p->name) ? ACTUATOR_SUGGEST
                                                                 : p->mode;
}

static void tell(struct actuator_engine *e, const char *policy, const json_t *memory,
                 bool clear, const char *text)
{
    char type[32];
    (void)snprintf(type, sizeof(type), "hale.loop.%.20s", text_of(memory, "word"));
    const struct loop_alarm alarm = {.type = type,
                                     .tenant = text_of(memory, "latch_tenant"),
                                     .policy = policy,
                                     .target = text_of(memory, "latch_target"),
                                     .text = text,
                                     .clear = clear};
    loop_alarm(e, &alarm);
}

void latch_close(struct actuator_engine *e, const struct actuator_run *r,
                 const char *word, const char *why)
{
    char field[ENGINE_FIELD_MAX], text[300];
    json_t *memory =
        memory_make(e, memory_field(ACTUATOR_SCOPE_POLICY, r->policy, field));
    if (memory == NULL || int_of(memory, "latched_ms") > 0)
        return;
    int rc = json_object_set_new(memory, "latched_ms", json_integer(e->now_us / 1000));
    rc |= json_object_set_new(memory, "word", json_string(word));
    rc |= json_object_set_new(memory, "why", json_string(why));
    rc |= json_object_set_new(memory, "latch_tenant", json_string(r->tenant));
    rc |= json_object_set_new(memory, "latch_target", json_string(r->target));
    if (rc != 0)
        hale_error("event=out_of_memory policy=%s", r->policy);
    (void)snprintf(text, sizeof(text), "%s: it only suggests until somebody opens it",
                   why);
    e->stats.latched++;
    memory_touch(e, field);
    tell(e, r->policy, memory, false, text);
    const struct loop_alarm about = {
        .policy = r->policy, .tenant = r->tenant, .target = r->target, .text = text};
    life_row_alone(e, "latched", &about,
                   json_pack("{s:s,s:s,s:s}", "why", why, "word", word, "run", r->id));
}

static void latch_open(struct actuator_engine *e, const char *policy, const char *by,
                       int64_t at_ms, bool row)
{
    static const char *const keys[] = {"latched_ms", "word",         "why",
                                       "fails",      "latch_tenant", "latch_target"};
    char field[ENGINE_FIELD_MAX], text[160];
    json_t *memory = memory_make(e, memory_field(ACTUATOR_SCOPE_POLICY, policy, field));
    if (memory == NULL)
        return;
    (void)snprintf(text, sizeof(text), "opened by %.100s: it acts again", by);
    tell(e, policy, memory, true, text);
    const struct loop_alarm about = {.policy = policy,
                                     .tenant = text_of(memory, "latch_tenant"),
                                     .target = text_of(memory, "latch_target"),
                                     .text = text};
    if (row) /* else whoever opened it has written it */
        life_row_alone(e, "unlatched", &about,
                       json_pack("{s:s,s:s}", "by", by, "why", text_of(memory, "why")));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        (void)json_object_del(memory, keys[i]); /* some are often absent */
    if (json_object_set_new(memory, "opened_ms", json_integer(at_ms)) != 0)
        hale_error("event=out_of_memory policy=%s", policy);
    memory_touch(e, field);
    life_commit_alone(e);
}

/* --- switches ---------------------------------------------------------------------- */

static bool is_on(const struct actuator_engine *e, const json_t *sw)
{
    int64_t expires_ms = int_of(sw, "expires_ms");
    return sw != NULL && (expires_ms == 0 || e->now_us / 1000 < expires_ms);
}

bool guards_stopped(const struct actuator_engine *e, const char *site, const char *policy,
                    char *text, size_t size)
{
    char scopes[3][ENGINE_FIELD_MAX + 8];
    (void)snprintf(scopes[0], sizeof(scopes[0]), "all");
    (void)snprintf(scopes[1], sizeof(scopes[1]), "policy/%s", policy);
    (void)snprintf(scopes[2], sizeof(scopes[2]), "site/%s", site);
    for (unsigned i = 0; i < (site[0] != '\0' ? 3u : 2u); i++) {
        const json_t *sw = hale_map_get(e->switches, hale_str_from(scopes[i]));
        if (!is_on(e, sw))
            continue;
        (void)snprintf(text, size, "stopped by the kill switch %.60s (%.40s: %.50s)",
                       scopes[i], text_of(sw, "by"), text_of(sw, "reason"));
        return true;
    }
    return false;
}

void actuator_engine_switch(struct actuator_engine *e, struct hale_str field,
                            struct hale_str json, int64_t now_us)
{
    json_t *sw = json.len > 0 ? json_loadb(json.p, json.len, 0, NULL) : NULL;
    e->now_us = now_us;
    if (!json_is_object(sw)) {
        json_decref(sw);
        hale_map_del(e->switches, field);
    } else if (hale_map_put(e->switches, field, sw) != HALE_OK) {
        hale_error("event=switch_lost field=%.*s", (int)(field.len < 80 ? field.len : 80),
                   field.p);
        json_decref(sw);
    }
    if (e->started)
        latch_check(e);
}

/* --- after a start, and after each change ------------------------------------------ */

static void check_policy(struct actuator_engine *e, const char *policy)
{
    char field[ENGINE_FIELD_MAX];
    (void)snprintf(field, sizeof(field), UNLATCH "%s", policy);
    const json_t *order = hale_map_get(e->switches, hale_str_from(field));
    int64_t latched = int_of(policy_memory(e, policy), "latched_ms");
    if (actuator_policies_find(e->policies, policy) == NULL)
        latch_open(e, policy, "the removal of the policy", e->now_us / 1000, true);
    else if (order != NULL && int_of(order, "at_ms") >= latched)
        latch_open(e, policy, text_of(order, "by"), int_of(order, "at_ms"), false);
}

void latch_check(struct actuator_engine *e)
{
    struct hale_str key;
    const json_t *one;
    char *field;
    size_t it = 0;
    while ((one = hale_map_next(e->guards, &it, &key)) != NULL) {
        if (json_object_get(one, "latched_ms") == NULL || key.len <= strlen("policy:"))
            continue;
        field = strndup(key.p + strlen("policy:"), key.len - strlen("policy:"));
        if (field != NULL)
            check_policy(e, field); /* changes values of the table, not the table */
        free(field);
    }
}
