/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/run.h"
#include "base/utf8.h"

static const char *const PHASES[] = {"wait", "call", "ask", "conflict", "poll"};
static const char *const ENDS[] = {"", "good", "bad"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool actuator_item_id_ok(const char *id)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    size_t len = strlen(id);
    return len > 0 && len < ACTUATOR_ITEM_ID_MAX && id[0] != '.' &&
           strspn(id, fine) == len;
}

enum hale_rc actuator_lanes_add(struct actuator_lanes *l, const char *id,
                                struct actuator_lane **out)
{
    *out = NULL;
    if (!actuator_item_id_ok(id))
        return HALE_E_INVAL;
    if (l->n == ACTUATOR_LANES_MAX)
        return HALE_E_LIMIT;
    if ((l->n & (l->n - 1)) == 0) { /* room for a power of two */
        struct actuator_lane *grown =
            realloc(l->v, (l->n == 0 ? 1 : l->n * 2) * sizeof(*grown));
        if (grown == NULL)
            return HALE_E_NOMEM;
        l->v = grown;
    }
    struct actuator_lane *lane = &l->v[l->n];
    memset(lane, 0, sizeof(*lane));
    lane->facts = json_object();
    if (lane->facts == NULL)
        return HALE_E_NOMEM;
    (void)snprintf(lane->id, sizeof(lane->id), "%s", id);
    l->n++;
    *out = lane;
    return HALE_OK;
}

void actuator_lanes_fini(struct actuator_lanes *l)
{
    for (unsigned i = 0; i < l->n; i++)
        json_decref(l->v[i].facts);
    free(l->v);
    json_decref(l->facts);
    memset(l, 0, sizeof(*l));
}

static json_t *encode_lane(const struct actuator_lane *lane)
{
    char text[ACTUATOR_LANE_TEXT_MAX];
    memcpy(text, lane->text, sizeof(text));
    (void)hale_utf8_clean(text); /* the record is worth more than a character */
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:s}", "id", lane->id,
                     "op", lane->op, "phase", PHASES[lane->phase], "end", ENDS[lane->end],
                     "act", (json_int_t)lane->act, "attempt", (json_int_t)lane->attempt,
                     "failures", (json_int_t)lane->failures, "queries",
                     (json_int_t)lane->queries, "call_us", (json_int_t)lane->call_us,
                     "wake_us", (json_int_t)lane->wake_us, "facts", lane->facts, "text",
                     text);
}

json_t *actuator_lanes_encode(const struct actuator_lanes *l)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (unsigned i = 0; i < l->n && ok; i++)
        ok = json_array_append_new(list, encode_lane(&l->v[i])) == 0;
    json_t *o = ok ? json_pack("{s:b,s:I,s:O*,s:O}", "found", l->found, "stage",
                               (json_int_t)l->stage, "facts", l->facts, "items", list)
                   : NULL;
    json_decref(list);
    return o;
}

static int choice(const json_t *o, const char *key, const char *const *words, size_t n)
{
    const char *text = json_string_value(json_object_get(o, key));
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return (int)i;
    return -1;
}

static bool take_text(const json_t *o, const char *key, char *dst, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (text == NULL || strlen(text) >= size)
        return false;
    memcpy(dst, text, strlen(text) + 1);
    return true;
}

static enum hale_rc decode_lane(const json_t *o, struct actuator_lanes *l)
{
    struct actuator_lane *lane;
    const char *id = json_string_value(json_object_get(o, "id"));
    enum hale_rc rc = id != NULL ? actuator_lanes_add(l, id, &lane) : HALE_E_INVAL;
    if (rc != HALE_OK)
        return rc;
    int phase = choice(o, "phase", PHASES, COUNT(PHASES));
    int end = choice(o, "end", ENDS, COUNT(ENDS));
    const struct {
        const char *key;
        int64_t *to;
    } ints[] = {{"act", &lane->act},           {"attempt", &lane->attempt},
                {"failures", &lane->failures}, {"queries", &lane->queries},
                {"call_us", &lane->call_us},   {"wake_us", &lane->wake_us}};
    for (size_t i = 0; i < COUNT(ints); i++) {
        const json_t *value = json_object_get(o, ints[i].key);
        if (!json_is_integer(value))
            return HALE_E_INVAL;
        *ints[i].to = (int64_t)json_integer_value(value);
    }
    json_t *facts = json_object_get(o, "facts");
    if (phase < 0 || end < 0 || !json_is_object(facts) || lane->act < 0 ||
        !take_text(o, "op", lane->op, sizeof(lane->op)) ||
        !take_text(o, "text", lane->text, sizeof(lane->text)) ||
        (lane->op[0] != '\0' && !actuator_item_id_ok(lane->op)))
        return HALE_E_INVAL;
    lane->phase = phase;
    lane->end = (enum actuator_lane_end)end;
    json_decref(lane->facts);
    lane->facts = json_incref(facts);
    return HALE_OK;
}

enum hale_rc actuator_lanes_decode(const json_t *o, struct actuator_lanes *out)
{
    const json_t *item, *items = json_object_get(o, "items"),
                        *stage = json_object_get(o, "stage");
    json_t *facts = json_object_get(o, "facts");
    size_t i;
    enum hale_rc rc = HALE_OK;
    memset(out, 0, sizeof(*out));
    if (!json_is_array(items) || !json_is_integer(stage) ||
        json_integer_value(stage) < 0 || (facts != NULL && !json_is_object(facts)))
        return HALE_E_INVAL;
    out->found = json_is_true(json_object_get(o, "found"));
    out->stage = (int64_t)json_integer_value(stage);
    out->facts = json_incref(facts);
    json_array_foreach (items, i, item)
        if (rc == HALE_OK)
            rc = decode_lane(item, out);
    if (rc != HALE_OK)
        actuator_lanes_fini(out);
    return rc;
}

const char *actuator_lane_fact(const struct actuator_lane *lane, const char *key)
{
    const char *text = json_string_value(json_object_get(lane->facts, key));
    return text != NULL ? text : "";
}

enum hale_rc actuator_lane_set(struct actuator_lane *lane, const char *key,
                               const char *value)
{
    return json_object_set_new(lane->facts, key, json_string(value)) == 0 ? HALE_OK
                                                                          : HALE_E_NOMEM;
}
