/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/policies_api.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "collector/request.h"
#include "collector/run_store.h"
#include "collector/switch_store.h"
#include "model/json_util.h"
#include "store/keys.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define POLICY_MAX 64 /* bytes of a name */

static void reply_no_store(struct hale_http_req *req)
{
    collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

static void reply_json(struct hale_http_req *req, json_t *answer)
{
    struct hale_buf b;
    hale_buf_init(&b, ANSWER_MAX);
    if (answer == NULL || !hale_json_write(answer, &b))
        b.failed = true;
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    json_decref(answer);
}

/* What the actuator has; an empty list when it has never said. NULL: the store does not answer. */
static json_t *published(struct hale_redis *redis)
{
    struct hale_reply *reply = NULL;
    if (HALE_REDIS_CMD(redis, &reply, HALE_STR("GET"), HALE_STR(HALE_KEYS_POLICIES)) !=
        HALE_OK)
        return NULL;
    struct hale_str text = hale_reply_str(reply);
    json_t *list = text.p != NULL ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    hale_reply_free(reply);
    if (json_is_array(list))
        return list;
    json_decref(list);
    return json_array();
}

static const json_t *find(const json_t *policies, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach (policies, i, p) {
        const char *own = json_string_value(json_object_get(p, "name"));
        if (own != NULL && strcmp(own, name) == 0)
            return p;
    }
    return NULL;
}

/* {"latched_ms","why"} while the policy is latched, else NULL. opened: json integer or NULL. */
static json_t *latch_of(struct hale_redis *redis, const char *name, const json_t *opened)
{
    char field[POLICY_MAX + 16];
    struct hale_reply *reply = NULL;
    (void)snprintf(field, sizeof(field), "policy:%.64s", name);
    if (HALE_REDIS_CMD(redis, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_GUARDS),
                       hale_str_from(field)) != HALE_OK)
        return NULL;
    struct hale_str text = hale_reply_str(reply);
    json_t *memory = text.p != NULL ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    hale_reply_free(reply);
    const json_t *since = json_object_get(memory, "latched_ms");
    json_t *latch = NULL;
    if (json_integer_value(since) > 0 &&
        (opened == NULL || json_integer_value(opened) < json_integer_value(since)))
        latch = json_pack("{s:I,s:O?}", "latched_ms", json_integer_value(since), "why",
                          json_object_get(memory, "why"));
    json_decref(memory);
    return latch;
}

/* policy -> {"proposed":n,"open":n,...}: runs that are kept, by state, or by outcome when done. */
static void count_run(json_t *run, void *arg)
{
    const char *policy = json_string_value(json_object_get(run, "policy"));
    const char *state = json_string_value(json_object_get(run, "state"));
    const char *outcome = json_string_value(json_object_get(run, "outcome"));
    if (policy == NULL || state == NULL)
        return;
    if (strcmp(state, "done") == 0 && outcome != NULL && outcome[0] != '\0')
        state = outcome;
    json_t *row = json_object_get(arg, policy);
    if (row == NULL) {
        row = json_object();
        (void)json_object_set_new(arg, policy, row);
    }
    (void)json_object_set_new(
        row, state, json_integer(json_integer_value(json_object_get(row, state)) + 1));
}

static void add_state(struct hale_redis *redis, json_t *policy, const json_t *on,
                      const json_t *opened, const json_t *runs)
{
    char scope[POLICY_MAX + 16];
    const char *name = json_string_value(json_object_get(policy, "name"));
    if (name == NULL)
        return;
    (void)snprintf(scope, sizeof(scope), "policy/%.64s", name);
    json_t *latch = latch_of(redis, name, json_object_get(opened, name));
    json_t *own = json_object_get(on, scope), *counts = json_object_get(runs, name);
    (void)json_object_set(policy, "switch", own != NULL ? own : json_null());
    (void)json_object_set_new(policy, "latch", latch != NULL ? latch : json_null());
    if (counts != NULL)
        (void)json_object_set(policy, "runs", counts);
    else
        (void)json_object_set_new(policy, "runs", json_object());
}

void collector_policies_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    size_t i;
    json_t *p, *list = published(redis), *runs = json_object();
    json_t *on = collector_switches_load(redis, hale_clock_wall_ms());
    json_t *opened = collector_unlatched_load(redis);
    (void)c;
    if (list == NULL || on == NULL || opened == NULL || runs == NULL ||
        collector_run_each(redis, collector_request_of(req)->tenant, count_run, runs) !=
            HALE_OK) {
        reply_no_store(req);
    } else {
        json_array_foreach (list, i, p)
            add_state(redis, p, on, opened, runs);
        reply_json(req, json_pack("{s:O}", "elements", list));
    }
    json_decref(list);
    json_decref(on);
    json_decref(opened);
    json_decref(runs);
}

/* The actuator writes the journal's row when it opens the latch. */
static void unlatch(struct hale_redis *redis, struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    char field[POLICY_MAX + 16];
    int64_t now_ms = hale_clock_wall_ms();
    (void)snprintf(field, sizeof(field), COLLECTOR_UNLATCH "%.64s", r->param);
    json_t *value = json_pack("{s:i,s:s,s:I}", "v", 1, "by", r->who.name, "at_ms",
                              (json_int_t)now_ms);
    if (value == NULL || collector_switch_store(redis, field, value, NULL) != HALE_OK)
        reply_no_store(req);
    else
        reply_json(req, json_pack("{s:s,s:s,s:I}", "policy", r->param, "by", r->who.name,
                                  "at_ms", (json_int_t)now_ms));
    json_decref(value);
}

void collector_policy_unlatch(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const char *name = collector_request_of(req)->param;
    json_t *list = published(redis), *opened = collector_unlatched_load(redis);
    json_t *latch = NULL;
    (void)c;
    if (list == NULL || opened == NULL)
        reply_no_store(req);
    else if (find(list, name) == NULL)
        collector_reply_not_found(req);
    else if ((latch = latch_of(redis, name, json_object_get(opened, name))) == NULL)
        collector_reply_error(req, 409, "Conflict", "the policy is not latched");
    else
        unlatch(redis, req);
    json_decref(latch);
    json_decref(opened);
    json_decref(list);
}
