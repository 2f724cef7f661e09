/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/dead_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/definition_store.h"
#include "model/alarm.h"
#include "store/keys.h"

#define CHUNK     256
#define FIELD_MAX 160

void collector_dead_list_fini(struct collector_dead_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        json_decref(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static const char *text_of(const json_t *letter, const char *key)
{
    const char *text = json_string_value(json_object_get(letter, key));
    return text != NULL ? text : "";
}

static int64_t died_ms(const json_t *letter)
{
    return json_integer_value(json_object_get(letter, "died_ms"));
}

static bool fits(const struct collector_dead_filter *f, const json_t *letter)
{
    int64_t ms = died_ms(letter);
    return strcmp(text_of(letter, "tenant"), f->tenant) == 0 &&
           (f->recipient == NULL ||
            strcmp(text_of(letter, "recipient"), f->recipient) == 0) &&
           ms >= f->from_ms && ms <= f->to_ms;
}

static int compare(const void *x, const void *y)
{
    const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
    int64_t am = died_ms(a), bm = died_ms(b);
    return am != bm ? (am > bm) - (am < bm) : strcmp(text_of(a, "id"), text_of(b, "id"));
}

/* Who wants it sent again. */
static enum hale_rc mark_replay(struct hale_redis *r, json_t *letter)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_REPLAYS),
                       hale_str_from(text_of(letter, "id")));
    struct hale_str s = hale_reply_str(reply);
    json_t *wish = rc == HALE_OK && !hale_reply_is_nil(reply)
                       ? json_loadb(s.p, s.len, 0, NULL)
                       : NULL;
    if (wish != NULL)
        (void)json_object_set_new(
            letter, "replay",
            json_pack("{s:s, s:I}", "by", text_of(wish, "by"), "at_ms",
                      json_integer_value(json_object_get(wish, "at_ms"))));
    json_decref(wish);
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc mark_replays(struct hale_redis *r, struct collector_dead_list *l)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HLEN"), HALE_STR(HALE_KEYS_REPLAYS));
    bool any = rc == HALE_OK && hale_reply_int(reply) > 0;
    hale_reply_free(reply);
    for (size_t i = 0; any && rc == HALE_OK && i < l->n; i++)
        rc = mark_replay(r, l->v[i]);
    return rc;
}

static enum hale_rc take_letters(struct hale_redis *r, unsigned n,
                                 const struct hale_str *args,
                                 const struct collector_dead_filter *f,
                                 struct collector_dead_list *out)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_cmd(r, n, args, &reply);
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        struct hale_str s = hale_reply_str(hale_reply_at(reply, i));
        json_t *letter = s.p != NULL ? json_loadb(s.p, s.len, 0, NULL) : NULL;
        if (letter != NULL && fits(f, letter))
            out->v[out->n++] = letter;
        else
            json_decref(letter);
    }
    hale_reply_free(reply);
    return rc;
}

/* ids: of letters, and of their records (left out here). */
static enum hale_rc load_ids(struct hale_redis *r, const struct hale_reply *ids,
                             const struct collector_dead_filter *f,
                             struct collector_dead_list *out)
{
    struct hale_str args[CHUNK + 2] = {HALE_STR("HMGET"),
                                       HALE_STR(HALE_KEYS_DEADLETTERS)};
    unsigned n = 2;
    enum hale_rc rc = HALE_OK;
    size_t all = hale_reply_n(ids);
    for (size_t i = 0; rc == HALE_OK && i < all; i++) {
        struct hale_str id = hale_reply_str(hale_reply_at(ids, i));
        if (memchr(id.p, ':', id.len) == NULL)
            args[n++] = id;
        if (n == CHUNK + 2) {
            rc = take_letters(r, n, args, f, out);
            n = 2;
        }
    }
    return rc == HALE_OK && n > 2 ? take_letters(r, n, args, f, out) : rc;
}

enum hale_rc collector_dead_load_all(struct hale_redis *r,
                                     const struct collector_dead_filter *f,
                                     struct collector_dead_list *out)
{
    struct hale_reply *ids = NULL;
    char key[HALE_KEY_MAX];
    enum hale_rc rc;
    memset(out, 0, sizeof(*out));
    if (f->recipient != NULL)
        rc = HALE_REDIS_CMD(r, &ids, HALE_STR("ZRANGE"),
                            hale_str_from(hale_keys_dead(f->recipient, key)),
                            HALE_STR("0"), HALE_STR("-1"));
    else
        rc = HALE_REDIS_CMD(r, &ids, HALE_STR("HKEYS"), HALE_STR(HALE_KEYS_DEADLETTERS));
    if (rc != HALE_OK)
        return rc;
    out->v = calloc(hale_reply_n(ids) + 1, sizeof(json_t *));
    rc = out->v != NULL ? load_ids(r, ids, f, out) : HALE_E_NOMEM;
    hale_reply_free(ids);
    if (rc == HALE_OK && out->n > 1)
        qsort(out->v, out->n, sizeof(json_t *), compare);
    return rc == HALE_OK ? mark_replays(r, out) : rc;
}

enum hale_rc collector_dead_load(struct hale_redis *r, const char *tenant, const char *id,
                                 json_t **out)
{
    struct hale_reply *reply = NULL;
    char field[FIELD_MAX];
    *out = NULL;
    if (strchr(id, ':') != NULL)
        return HALE_E_NOTFOUND;
    (void)snprintf(field, sizeof(field), "%.128s:r", id);
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HMGET"), HALE_STR(HALE_KEYS_DEADLETTERS),
                       hale_str_from(id), hale_str_from(field));
    if (rc != HALE_OK)
        return rc;
    struct hale_str head = hale_reply_str(hale_reply_at(reply, 0));
    struct hale_str record = hale_reply_str(hale_reply_at(reply, 1));
    json_t *letter = head.p != NULL ? json_loadb(head.p, head.len, 0, NULL) : NULL;
    json_t *what = record.p != NULL ? json_loadb(record.p, record.len, 0, NULL) : NULL;
    hale_reply_free(reply);
    if (letter == NULL || strcmp(text_of(letter, "tenant"), tenant) != 0) {
        json_decref(letter);
        json_decref(what);
        return HALE_E_NOTFOUND;
    }
    (void)json_object_set_new(letter, "record", what != NULL ? what : json_null());
    rc = mark_replay(r, letter);
    if (rc == HALE_OK)
        *out = letter;
    else
        json_decref(letter);
    return rc;
}

/* --- changes ------------------------------------------------------------------------- */

static enum hale_rc append_wish(struct hale_redis *r, const json_t *letter,
                                const char *by, int64_t now_ms)
{
    json_t *wish = json_pack("{s:i, s:s, s:I, s:s, s:I}", "v", 1, "recipient",
                             text_of(letter, "recipient"), "seq",
                             json_integer_value(json_object_get(letter, "seq")), "by", by,
                             "at_ms", (json_int_t)now_ms);
    char *text = wish != NULL ? json_dumps(wish, JSON_COMPACT) : NULL;
    enum hale_rc rc =
        text != NULL
            ? HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_REPLAYS),
                         hale_str_from(text_of(letter, "id")), hale_str_from(text))
            : HALE_E_NOMEM;
    free(text);
    json_decref(wish);
    return rc;
}

enum hale_rc collector_dead_replay(struct hale_redis *r,
                                   const struct collector_dead_list *l, const char *by,
                                   int64_t now_ms)
{
    if (l->n == 0)
        return HALE_OK;
    enum hale_rc rc = hale_redis_begin(r);
    for (size_t i = 0; rc == HALE_OK && i < l->n; i++)
        rc = append_wish(r, l->v[i], by, now_ms);
    if (rc == HALE_OK)
        rc = collector_control_append_id(r, HALE_CONTROL_DEAD_LETTER,
                                         text_of(l->v[0], "id"));
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}

static enum hale_rc append_drop(struct hale_redis *r, const json_t *letter)
{
    char field[FIELD_MAX], key[HALE_KEY_MAX];
    struct hale_str id = hale_str_from(text_of(letter, "id"));
    (void)snprintf(field, sizeof(field), "%.128s:r", id.p);
    enum hale_rc rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_DEADLETTERS), id,
                                 hale_str_from(field));
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_REPLAYS), id);
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("ZREM"),
                        hale_str_from(hale_keys_dead(text_of(letter, "recipient"), key)),
                        id);
    return rc;
}

enum hale_rc collector_dead_drop(struct hale_redis *r,
                                 const struct collector_dead_list *l)
{
    if (l->n == 0)
        return HALE_OK;
    enum hale_rc rc = hale_redis_begin(r);
    for (size_t i = 0; rc == HALE_OK && i < l->n; i++)
        rc = append_drop(r, l->v[i]);
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}
