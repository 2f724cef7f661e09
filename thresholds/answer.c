/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer - questions about sub-alarms (docs/formats/why.md): what waits, what is in the window, when
 * it closes. A question is one stream entry; the answer goes to a list that expires. Nothing else
 * depends on either, so a question that is lost is only asked again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "thresholds/shard_inner.h"

#define ASKED_MAX 64 /* sub-alarms of one question */
#define STALE_MS  10000
#define EXPIRE_S  "10"

static unsigned group_dims(json_t *group, struct hale_dim *dims)
{
    const char *key;
    const json_t *value;
    unsigned n = 0;
    json_object_foreach (group, key, value) {
        if (n == HALE_DIMS_MAX || !json_is_string(value))
            return 0;
        unsigned at = n++;
        struct hale_dim d = {hale_str_from(key),
                             {json_string_value(value), json_string_length(value)}};
        while (at > 0 && hale_str_cmp(dims[at - 1].key, d.key) > 0) {
            dims[at] = dims[at - 1];
            at--;
        }
        dims[at] = d;
    }
    return n;
}

/* New; NULL on memory failure. */
static json_t *look_json(const struct thresholds_look *l)
{
    json_t *o = json_pack("{s:s, s:b, s:I}", "state", hale_state_text(l->state),
                          "reported", l->reported, "series", (json_int_t)l->series);
    json_t *values = json_array();
    int bad = o == NULL || values == NULL;
    for (unsigned i = 0; i < l->n_values && !bad; i++)
        bad = json_array_append_new(
            values, isfinite(l->values[i]) ? json_real(l->values[i]) : json_null());
    if (l->due_ms != INT64_MAX && !bad)
        bad = json_object_set_new(o, "due_ms", json_integer(l->due_ms));
    if (l->window_end_ms != 0 && !bad)
        bad = json_object_set_new(o, "window",
                                  json_pack("{s:I, s:I}", "start_ms",
                                            (json_int_t)l->window_start_ms, "end_ms",
                                            (json_int_t)l->window_end_ms)) ||
              json_object_set(o, "values", values);
    if (l->waits && !bad)
        bad =
            json_object_set_new(o, "waits", json_string(hale_state_text(l->waits_for))) ||
            json_object_set_new(o, "waits_since_ms", json_integer(l->waits_since_ms)) ||
            json_object_set_new(o, "waits_until_ms", json_integer(l->waits_until_ms));
    json_decref(values);
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *look(struct thresholds_shard *s, const char *definition,
                    const json_t *asked)
{
    struct hale_dim dims[HALE_DIMS_MAX];
    struct thresholds_look l;
    json_t *group = json_object_get(asked, "group");
    json_int_t sub = json_integer_value(json_object_get(asked, "sub"));
    unsigned n = group_dims(group, dims);
    if (n != json_object_size(group) || sub < 0 || sub >= HALE_EXPR_MAX_SUBS ||
        thresholds_engine_look(s->engine, hale_str_from(definition), (unsigned)sub, dims,
                               n, &l) != HALE_OK)
        return json_null();
    return look_json(&l);
}

/* The answer as text, to be freed; NULL without memory. */
static char *answer_text(struct thresholds_shard *s, const char *definition,
                         const json_t *asked)
{
    json_t *subs = json_array();
    int bad = subs == NULL;
    for (size_t i = 0; i < json_array_size(asked) && i < ASKED_MAX && !bad; i++)
        bad = json_array_append_new(subs, look(s, definition, json_array_get(asked, i)));
    json_t *o =
        bad ? NULL
            : json_pack("{s:i, s:i, s:O}", "v", 1, "shard", (int)s->index, "subs", subs);
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    json_decref(subs);
    return text;
}

static enum hale_rc send_answer(struct thresholds_shard *s, const char *id, char *text)
{
    struct hale_reply *reply = NULL;
    char key[HALE_KEY_MAX];
    struct hale_str k = hale_str_from(hale_keys_answer(id, key));
    enum hale_rc rc =
        HALE_REDIS_CMD(s->write, &reply, HALE_STR("RPUSH"), k, hale_str_from(text));
    hale_reply_free(reply);
    reply = NULL;
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(s->write, &reply, HALE_STR("EXPIRE"), k, HALE_STR(EXPIRE_S));
    hale_reply_free(reply);
    if (rc == HALE_E_IO)
        return thresholds_shard_fail(s, rc, "answering a question");
    return HALE_OK;
}

static int on_question(unsigned stream, struct hale_stream_id at, struct hale_str field,
                       struct hale_str question, void *arg)
{
    struct thresholds_shard *s = arg;
    (void)stream;
    (void)field;
    s->asked = at;
    json_t *q = json_loadb(question.p != NULL ? question.p : "", question.len, 0, NULL);
    const char *id = json_string_value(json_object_get(q, "id"));
    const char *definition = json_string_value(json_object_get(q, "definition_id"));
    const json_t *asked = json_object_get(q, "subs");
    bool stale = s->redis_ms - (int64_t)at.ms > STALE_MS;
    if (!stale && id != NULL && definition != NULL && strlen(id) < HALE_UUID_TEXT) {
        char *text = answer_text(s, definition, asked);
        if (text != NULL)
            (void)send_answer(s, id, text);
        free(text);
    }
    json_decref(q);
    return s->failed ? 1 : 0;
}

void thresholds_shard_answer(struct thresholds_shard *s, const struct hale_reply *xread)
{
    const char *keys[] = {HALE_KEYS_ASK};
    (void)hale_reply_entries(xread, 1, keys, on_question, s);
}
