/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/switch_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/definition_store.h"
#include "model/journal.h"
#include "store/keys.h"

#define RECORD_MAX ((size_t)1 << 20)

static json_t *decode(struct hale_str text)
{
    json_t *o = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static bool is_over(const json_t *value, int64_t now_ms)
{
    int64_t end = (int64_t)json_integer_value(json_object_get(value, "expires_ms"));
    return end > 0 && end <= now_ms;
}

json_t *collector_switch_shown(const char *scope, const json_t *value)
{
    static const char *const keys[] = {"by", "at_ms", "reason", "expires_ms"};
    json_t *out = json_pack("{s:s}", "scope", scope);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *v = json_object_get(value, keys[i]);
        if (v != NULL)
            (void)json_object_set(out, keys[i], v);
    }
    return out;
}

json_t *collector_switches_load(struct hale_redis *redis, int64_t now_ms)
{
    struct hale_reply *reply = NULL;
    json_t *out = json_object();
    if (HALE_REDIS_CMD(redis, &reply, HALE_STR("HGETALL"),
                       HALE_STR(HALE_KEYS_SWITCHES)) != HALE_OK) {
        json_decref(out);
        return NULL;
    }
    for (size_t i = 0; i + 1 < hale_reply_n(reply); i += 2) {
        char scope[COLLECTOR_SCOPE_MAX];
        struct hale_str field = hale_reply_str(hale_reply_at(reply, i));
        json_t *value = decode(hale_reply_str(hale_reply_at(reply, i + 1)));
        (void)snprintf(
            scope, sizeof(scope), "%.*s",
            (int)(field.len < COLLECTOR_SCOPE_MAX ? field.len : COLLECTOR_SCOPE_MAX - 1),
            field.p);
        if (value != NULL &&
            strncmp(scope, COLLECTOR_UNLATCH, sizeof(COLLECTOR_UNLATCH) - 1) != 0 &&
            !is_over(value, now_ms))
            (void)json_object_set_new(out, scope, collector_switch_shown(scope, value));
        json_decref(value);
    }
    hale_reply_free(reply);
    return out;
}

json_t *collector_unlatched_load(struct hale_redis *redis)
{
    const size_t n = sizeof(COLLECTOR_UNLATCH) - 1;
    struct hale_reply *reply = NULL;
    json_t *out = json_object();
    if (HALE_REDIS_CMD(redis, &reply, HALE_STR("HGETALL"),
                       HALE_STR(HALE_KEYS_SWITCHES)) != HALE_OK) {
        json_decref(out);
        return NULL;
    }
    for (size_t i = 0; i + 1 < hale_reply_n(reply); i += 2) {
        struct hale_str field = hale_reply_str(hale_reply_at(reply, i));
        json_t *value = decode(hale_reply_str(hale_reply_at(reply, i + 1)));
        if (value != NULL && field.len > n && memcmp(field.p, COLLECTOR_UNLATCH, n) == 0)
            (void)json_object_setn(out, field.p + n, field.len - n,
                                   json_object_get(value, "at_ms"));
        json_decref(value);
    }
    hale_reply_free(reply);
    return out;
}

/* --- the journal's row ---------------------------------------------------------------- */

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* rows only read their strings */
}

static enum hale_rc append_row(struct hale_redis *redis, const char *kind,
                               const char *policy, json_t *detail, const char *text)
{
    struct hale_journal_row row = {
        .time_ms = hale_clock_wall_ms(),
        .kind = word(kind),
        .run_id = word(""),
        .policy = word(policy),
        .mode = word("auto"),
        .tenant = word(""),
        .alarm_id = word(""),
        .alarm_name = word(""),
        .step = -1,
        .text = word(text),
        .detail = detail,
    };
    char max[24];
    struct hale_buf b;
    hale_buf_init(&b, RECORD_MAX);
    (void)snprintf(max, sizeof(max), "%d", HALE_KEYS_LOG_MAX);
    enum hale_rc rc = hale_journal_encode(&row, &b);
    if (rc == HALE_OK)
        rc = HALE_REDIS(redis, HALE_STR("XADD"), HALE_STR(HALE_KEYS_JOURNAL),
                        HALE_STR("MAXLEN"), HALE_STR("~"), hale_str_from(max),
                        HALE_STR("*"), HALE_STR("j"), hale_buf_str(&b));
    hale_buf_fini(&b);
    return rc;
}

enum hale_rc collector_switch_store(struct hale_redis *redis, const char *field,
                                    const json_t *value,
                                    const struct collector_switch_row *row)
{
    char *json = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    enum hale_rc rc =
        value == NULL || json != NULL ? hale_redis_begin(redis) : HALE_E_NOMEM;
    if (rc == HALE_OK && json != NULL)
        rc = HALE_REDIS(redis, HALE_STR("HSET"), HALE_STR(HALE_KEYS_SWITCHES),
                        hale_str_from(field), hale_str_from(json));
    else if (rc == HALE_OK)
        rc = HALE_REDIS(redis, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_SWITCHES),
                        hale_str_from(field));
    if (rc == HALE_OK)
        rc = collector_control_append_id(redis, HALE_CONTROL_SWITCH, field);
    if (rc == HALE_OK && row != NULL)
        rc = append_row(redis, row->kind, row->policy, row->detail, row->text);
    if (rc == HALE_OK)
        rc = hale_redis_exec(redis, NULL);
    free(json);
    return rc;
}
