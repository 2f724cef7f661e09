/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/silence_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "collector/definition_store.h"
#include "store/keys.h"

#define RECORD_MAX 1048576

static struct hale_str key_of(bool maintenance)
{
    return maintenance ? HALE_STR(HALE_KEYS_MAINTENANCE) : HALE_STR(HALE_KEYS_SILENCES);
}

static enum hale_rc decode(struct hale_str json, bool maintenance,
                           struct hale_silence **out)
{
    struct hale_err err = {0};
    char quoted[400];

    enum hale_rc rc = hale_silence_decode(json, maintenance, out, &err);
    if (rc == HALE_E_INVAL)
        hale_error("event=silence_unreadable detail=%s",
                   hale_log_quote(err.text, quoted, sizeof(quoted)));
    return rc;
}

enum hale_rc collector_silence_load(struct hale_redis *r, bool maintenance,
                                    const char *tenant, const char *id,
                                    struct hale_silence **out)
{
    struct hale_reply *reply = NULL;

    *out = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), key_of(maintenance),
                                     hale_str_from(id));
    if (rc != HALE_OK)
        return rc;
    rc = hale_reply_is_nil(reply) ? HALE_E_NOTFOUND
                                  : decode(hale_reply_str(reply), maintenance, out);
    hale_reply_free(reply);
    if (rc == HALE_OK && strcmp((*out)->tenant, tenant) != 0) {
        hale_silence_free(*out);
        *out = NULL;
        rc = HALE_E_NOTFOUND;
    }
    return rc;
}

void collector_silence_list_fini(struct collector_silence_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        hale_silence_free(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static int by_id(const void *x, const void *y)
{
    const struct hale_silence *a = *(struct hale_silence *const *)x;
    const struct hale_silence *b = *(struct hale_silence *const *)y;
    return strcmp(a->id, b->id);
}

enum hale_rc collector_silence_load_all(struct hale_redis *r, bool maintenance,
                                        const char *tenant,
                                        struct collector_silence_list *out)
{
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HVALS"), key_of(maintenance));
    if (rc != HALE_OK)
        return rc;
    out->v = calloc(hale_reply_n(reply) + 1, sizeof(struct hale_silence *));
    if (out->v == NULL)
        rc = HALE_E_NOMEM;
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        struct hale_silence *s = NULL;
        if (decode(hale_reply_str(hale_reply_at(reply, i)), maintenance, &s) != HALE_OK)
            continue;
        if (tenant == NULL || strcmp(s->tenant, tenant) == 0)
            out->v[out->n++] = s;
        else
            hale_silence_free(s);
    }
    hale_reply_free(reply);
    if (rc == HALE_OK && out->n > 1)
        qsort(out->v, out->n, sizeof(struct hale_silence *), by_id);
    return rc;
}

/* --- changes ------------------------------------------------------------------------- */

static enum hale_rc append_control(struct hale_redis *r, const struct hale_silence *s)
{
    return collector_control_append_id(
        r, s->maintenance ? HALE_CONTROL_MAINTENANCE : HALE_CONTROL_SILENCE, s->id);
}

enum hale_rc collector_silence_remove(struct hale_redis *r, const struct hale_silence *s)
{
    enum hale_rc rc = hale_redis_begin(r);
    if (rc == HALE_OK)
        rc =
            HALE_REDIS(r, HALE_STR("HDEL"), key_of(s->maintenance), hale_str_from(s->id));
    if (rc == HALE_OK)
        rc = append_control(r, s);
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}

/* Two at a time may go one beyond: the ceiling is there for the memory's sake. */
static enum hale_rc make_room(struct hale_redis *r, bool maintenance, int64_t now_ms)
{
    struct hale_reply *reply = NULL;
    struct collector_silence_list l;
    int64_t change_ms;
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HLEN"), key_of(maintenance));
    bool full = rc == HALE_OK && hale_reply_int(reply) >= HALE_SILENCES_MAX;

    hale_reply_free(reply);
    if (!full)
        return rc;
    rc = collector_silence_load_all(r, maintenance, NULL, &l);
    size_t left = l.n;
    for (size_t i = 0; rc == HALE_OK && i < l.n; i++) {
        if (hale_silence_at(l.v[i], now_ms, &change_ms) || change_ms != INT64_MAX)
            continue;
        rc = collector_silence_remove(r, l.v[i]);
        left--;
    }
    collector_silence_list_fini(&l);
    return rc == HALE_OK && left >= HALE_SILENCES_MAX ? HALE_E_LIMIT : rc;
}

enum hale_rc collector_silence_put(struct hale_redis *r, const struct hale_silence *s,
                                   bool create, int64_t now_ms)
{
    struct hale_buf json;
    enum hale_rc rc = create ? make_room(r, s->maintenance, now_ms) : HALE_OK;

    hale_buf_init(&json, RECORD_MAX);
    if (rc == HALE_OK)
        rc = hale_silence_encode(s, &json);
    if (rc == HALE_OK)
        rc = hale_redis_begin(r);
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HSET"), key_of(s->maintenance), hale_str_from(s->id),
                        hale_buf_str(&json));
    if (rc == HALE_OK)
        rc = append_control(r, s);
    if (rc == HALE_OK)
        rc = hale_redis_exec(r, NULL);
    hale_buf_fini(&json);
    return rc;
}
