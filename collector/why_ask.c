/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/why_ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "store/keys.h"

#define WAIT_MS INT64_C(1000)

static enum hale_rc send_question(struct hale_redis *redis, const char *id,
                                  const char *definition_id, const json_t *subs)
{
    struct hale_reply *reply = NULL;
    json_t *o = json_pack("{s:i, s:s, s:s, s:O}", "v", 1, "id", id, "definition_id",
                          definition_id, "subs", subs);
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (text == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("XADD"), HALE_STR(HALE_KEYS_ASK),
                       HALE_STR("MAXLEN"), HALE_STR("~"), HALE_STR(HALE_KEYS_ASK_MAX),
                       HALE_STR("*"), HALE_STR("j"), hale_str_from(text));
    hale_reply_free(reply);
    free(text);
    return rc;
}

/* What one shard said, into the places that it knows. */
static void merge(json_t *out, struct hale_str text)
{
    json_t *said = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL), *v;
    size_t i;
    json_array_foreach (json_object_get(said, "subs"), i, v) {
        if (json_is_object(v))
            (void)json_array_set(out, i, v);
    }
    json_decref(said);
}

/* One element, waiting for it; nil after the time. */
static enum hale_rc pop(struct hale_redis *redis, const char *key, int64_t wait_ms,
                        json_t *out, bool *got)
{
    struct hale_reply *reply = NULL;
    char seconds[32];
    (void)snprintf(seconds, sizeof(seconds), "%.3f", (double)wait_ms / 1000.0);
    enum hale_rc rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("BLPOP"), hale_str_from(key),
                                     hale_str_from(seconds));
    *got = rc == HALE_OK && !hale_reply_is_nil(reply);
    if (*got)
        merge(out, hale_reply_str(hale_reply_at(reply, 1)));
    hale_reply_free(reply);
    return rc;
}

enum hale_rc collector_why_ask(struct hale_redis *redis, unsigned shards,
                               const char *definition_id, const json_t *subs,
                               json_t **out)
{
    char id[HALE_UUID_TEXT], key[HALE_KEY_MAX];
    *out = json_array();
    for (size_t i = 0; *out != NULL && i < json_array_size(subs); i++) {
        if (json_array_append_new(*out, json_null()) != 0)
            return HALE_E_NOMEM;
    }
    hale_id_uuid_random(id);
    if (*out == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = send_question(redis, id, definition_id, subs);
    int64_t until_ms = hale_clock_mono_ms() + WAIT_MS;
    bool got = true;
    (void)hale_keys_answer(id, key);
    for (unsigned n = 0; rc == HALE_OK && got && n < shards; n++) {
        int64_t left_ms = until_ms - hale_clock_mono_ms();
        rc = pop(redis, key, left_ms > 1 ? left_ms : 1, *out, &got);
    }
    return rc == HALE_OK && !got ? HALE_E_AGAIN : rc;
}
