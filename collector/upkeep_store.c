/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/upkeep_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "model/alarm.h"
#include "store/keys.h"

static json_t *decode(struct hale_str text)
{
    json_t *o = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

/* What the actuator will begin with. */
static json_t *not_begun(const char *id, const json_t *start)
{
    json_t *hosts = json_array(), *host;
    size_t i;
    json_array_foreach (json_object_get(start, "hosts"), i, host)
        (void)json_array_append_new(
            hosts, json_pack("{s:O, s:s}", "name", host, "state", "todo"));
    return json_pack(
        "{s:s, s:O*, s:O*, s:O*, s:s, s:O*, s:O*, s:O*, s:o}", "id", id, "tenant",
        json_object_get(start, "tenant"), "by", json_object_get(start, "by"),
        "created_ms", json_object_get(start, "said_ms"), "state", "MAINTENANCE", "at_ms",
        json_object_get(start, "at_ms"), "workflow", json_object_get(start, "workflow"),
        "metadata", json_object_get(start, "metadata"), "hosts", hosts);
}

enum hale_rc collector_upkeep_load(struct hale_redis *r, const char *id, json_t **out)
{
    char field[COLLECTOR_UPKEEP_FIELD_MAX];
    struct hale_reply *reply = NULL;
    *out = NULL;
    if (strlen(id) != HALE_UUID_TEXT - 1)
        return HALE_E_NOTFOUND;
    /* The start first: when the actuator takes it, it writes the record in the same transaction. */
    (void)snprintf(field, sizeof(field), "%s:start", id);
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_UPKEEP_SAID),
                       hale_str_from(field));
    json_t *start =
        rc == HALE_OK && !hale_reply_is_nil(reply) ? decode(hale_reply_str(reply)) : NULL;
    hale_reply_free(reply);
    reply = NULL;
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_UPKEEP),
                            hale_str_from(id));
    if (rc == HALE_OK && !hale_reply_is_nil(reply))
        *out = decode(hale_reply_str(reply));
    hale_reply_free(reply);
    if (rc == HALE_OK && *out == NULL && start != NULL)
        *out = not_begun(id, start);
    json_decref(start);
    return rc == HALE_OK && *out == NULL ? HALE_E_NOTFOUND : rc;
}

struct begun {
    json_t *ids;
    void (*each)(json_t *session, void *arg);
    void *arg;
};

static void each_begun(struct begun *b, struct hale_str id, struct hale_str text)
{
    json_t *s = decode(text);
    (void)json_object_setn_new(b->ids, id.p, id.len, json_true());
    if (s != NULL)
        b->each(s, b->arg);
    json_decref(s);
}

static void each_said(struct begun *b, struct hale_str field, struct hale_str text)
{
    char id[HALE_UUID_TEXT];
    struct hale_str rest = field, first = hale_str_split(&rest, ':');
    if (rest.p == NULL || !hale_str_eq_c(rest, "start") || first.len != sizeof(id) - 1)
        return;
    (void)snprintf(id, sizeof(id), "%.*s", (int)first.len, first.p);
    json_t *start = decode(text);
    if (start != NULL && json_object_get(b->ids, id) == NULL) {
        json_t *s = not_begun(id, start);
        if (s != NULL)
            b->each(s, b->arg);
        json_decref(s);
    }
    json_decref(start);
}

enum hale_rc collector_upkeep_each(struct hale_redis *r,
                                   void (*each)(json_t *session, void *arg), void *arg)
{
    static const char *const keys[] = {HALE_KEYS_UPKEEP, HALE_KEYS_UPKEEP_SAID};
    static void (*const take[])(struct begun * b, struct hale_str field,
                                struct hale_str text) = {each_begun, each_said};
    struct hale_reply *reply[2] = {NULL, NULL};
    struct begun b = {json_object(), each, arg};
    enum hale_rc rc = b.ids != NULL ? HALE_OK : HALE_E_NOMEM;
    for (int k = 1; rc == HALE_OK && k >= 0; k--) /* starts first: see _load */
        rc = HALE_REDIS_CMD(r, &reply[k], HALE_STR("HGETALL"), hale_str_from(keys[k]));
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(reply[k]); i += 2)
            take[k](&b, hale_reply_str(hale_reply_at(reply[k], i)),
                    hale_reply_str(hale_reply_at(reply[k], i + 1)));
        hale_reply_free(reply[k]);
    }
    json_decref(b.ids);
    return rc;
}

/* --- saying --------------------------------------------------------------------------- */

/* Returns {what became of it, what was said first}: 0 said, 1 no session, 2 said before, 3 too many.
 * KEYS: sessions said control. ARGV: session what word control-record most */
static const char SAY[] =
    "local field=ARGV[1]..':'..ARGV[2]\n"
    "local begun=redis.call('HEXISTS',KEYS[1],ARGV[1])\n"
    "if ARGV[2]=='start' then\n"
    " if redis.call('HLEN',KEYS[1])>=tonumber(ARGV[5]) then return {3,''} end\n"
    "elseif begun==0 and redis.call('HEXISTS',KEYS[2],ARGV[1]..':start')==0 then\n"
    " return {1,''}\n"
    "end\n"
    "local first=redis.call('HGET',KEYS[2],field)\n"
    "if first then return {2,first} end\n"
    "redis.call('HSET',KEYS[2],field,ARGV[3])\n"
    "redis.call('XADD',KEYS[3],'MAXLEN','~','1000000','*','j',ARGV[4])\n"
    "return {0,''}\n";

static enum hale_rc result_of(int64_t result)
{
    static const enum hale_rc rcs[] = {HALE_OK, HALE_E_NOTFOUND, HALE_E_EXISTS,
                                       HALE_E_LIMIT};
    return result >= 0 && result < 4 ? rcs[result] : HALE_E_IO;
}

enum hale_rc collector_upkeep_say(struct hale_redis *r, const char *id, const char *what,
                                  const json_t *word, json_t **first)
{
    struct hale_control record = {.op = HALE_CONTROL_UPKEEP, .id = (char *)(uintptr_t)id};
    char most[24], *text = json_dumps(word, JSON_COMPACT);
    struct hale_reply *reply = NULL;
    struct hale_buf control;
    *first = NULL;
    (void)snprintf(most, sizeof(most), "%d", COLLECTOR_UPKEEP_SESSIONS_MAX);
    hale_buf_init(&control, 4096);
    enum hale_rc rc = HALE_E_NOMEM;
    if (text != NULL && hale_control_encode(&record, &control) == HALE_OK)
        rc = HALE_REDIS_CMD(r, &reply, HALE_STR("EVAL"), HALE_STR(SAY), HALE_STR("3"),
                            HALE_STR(HALE_KEYS_UPKEEP), HALE_STR(HALE_KEYS_UPKEEP_SAID),
                            HALE_STR(HALE_KEYS_CONTROL), hale_str_from(id),
                            hale_str_from(what), hale_str_from(text),
                            hale_buf_str(&control), hale_str_from(most));
    if (rc == HALE_OK) {
        rc = result_of(hale_reply_int(hale_reply_at(reply, 0)));
        if (rc == HALE_E_EXISTS)
            *first = decode(hale_reply_str(hale_reply_at(reply, 1)));
    } else if (rc == HALE_E_INVAL) {
        hale_error("event=upkeep_not_said session=%.64s detail=\"%.200s\"", id,
                   hale_redis_error(r));
        rc = HALE_E_IO;
    }
    hale_reply_free(reply);
    hale_buf_fini(&control);
    free(text);
    return rc;
}

/* --- constraints ------------------------------------------------------------------------ */

static enum hale_rc field_of(char dst[COLLECTOR_UPKEEP_FIELD_MAX], const char *kind,
                             const char *project, const char *id)
{
    int n = snprintf(dst, COLLECTOR_UPKEEP_FIELD_MAX, "%s/%s/%s", kind, project, id);
    return n < COLLECTOR_UPKEEP_FIELD_MAX ? HALE_OK : HALE_E_NOTFOUND;
}

/* KEYS: limits. ARGV: field value most. Returns 0 done, 1 not there, 3 too many. */
static const char LIMIT[] =
    "local there=redis.call('HEXISTS',KEYS[1],ARGV[1])\n"
    "if ARGV[2]=='' then\n"
    " if there==0 then return {1,''} end\n"
    " redis.call('HDEL',KEYS[1],ARGV[1])\n"
    " return {0,''}\n"
    "end\n"
    "if there==0 and redis.call('HLEN',KEYS[1])>=tonumber(ARGV[3]) then\n"
    " return {3,''}\n"
    "end\n"
    "redis.call('HSET',KEYS[1],ARGV[1],ARGV[2])\n"
    "return {0,''}\n";

enum hale_rc collector_upkeep_limit_put(struct hale_redis *r, const char *kind,
                                        const char *project, const char *id,
                                        const json_t *value)
{
    char field[COLLECTOR_UPKEEP_FIELD_MAX], most[24];
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : strdup("");
    struct hale_reply *reply = NULL;
    enum hale_rc rc = field_of(field, kind, project, id);
    (void)snprintf(most, sizeof(most), "%d", COLLECTOR_UPKEEP_LIMITS_MAX);
    if (rc == HALE_OK)
        rc = text == NULL
                 ? HALE_E_NOMEM
                 : HALE_REDIS_CMD(r, &reply, HALE_STR("EVAL"), HALE_STR(LIMIT),
                                  HALE_STR("1"), HALE_STR(HALE_KEYS_UPKEEP_LIMITS),
                                  hale_str_from(field), hale_str_from(text),
                                  hale_str_from(most));
    if (rc == HALE_OK)
        rc = result_of(hale_reply_int(hale_reply_at(reply, 0)));
    hale_reply_free(reply);
    free(text);
    return rc;
}

enum hale_rc collector_upkeep_limit_get(struct hale_redis *r, const char *kind,
                                        const char *project, const char *id, json_t **out)
{
    char field[COLLECTOR_UPKEEP_FIELD_MAX];
    struct hale_reply *reply = NULL;
    *out = NULL;
    enum hale_rc rc = field_of(field, kind, project, id);
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                            HALE_STR(HALE_KEYS_UPKEEP_LIMITS), hale_str_from(field));
    if (rc == HALE_OK && !hale_reply_is_nil(reply))
        *out = decode(hale_reply_str(reply));
    hale_reply_free(reply);
    return rc == HALE_OK && *out == NULL ? HALE_E_NOTFOUND : rc;
}
