/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - definitions and alarm deletions. A snapshot is written right when records
 * were applied: so no replay ever crosses a change, and the place of the change in the
 * order of samples and ticks need not be known again. All that an XREAD brought is applied before
 * its samples, not each record at its place between them: a change may come before samples that
 * are older, never after samples that are younger, and one snapshot is enough.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/alarm.h"
#include "thresholds/shard_inner.h"

struct batch {
    struct thresholds_shard *s;
    unsigned n_read, n; /* entries; those that can be read */
    struct hale_control record[THRESHOLDS_CONTROL_MAX];
    struct hale_stream_id last;
};

void thresholds_shard_set_definition(struct thresholds_shard *s, struct hale_str id,
                                     struct hale_str json)
{
    struct hale_err err = {.rc = HALE_OK};
    struct hale_definition *d = NULL;
    enum hale_rc rc = hale_definition_decode(json, &d, &err);
    if (rc == HALE_OK)
        rc = thresholds_engine_set_definition(s->engine, d, s->now_ms);
    if (rc == HALE_OK)
        return;
    char quoted[80];
    hale_counter_add(&thresholds_bad_definitions, 1);
    hale_warn("event=definition_refused id=%.*s reason=%s detail=\"%s\"",
              id.len < 40 ? (int)id.len : 40, id.p, hale_rc_text(rc),
              hale_log_quote(err.text, quoted, sizeof(quoted)));
    thresholds_engine_drop_definition(s->engine, id);
}

static int on_record(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    struct batch *b = arg;
    (void)field;
    if (stream != THRESHOLDS_STREAM_CONTROL || b->n_read == THRESHOLDS_CONTROL_MAX)
        return 1;
    b->n_read++;
    b->last = id;
    struct hale_control *c = &b->record[b->n];
    if (hale_control_decode(value, c) != HALE_OK) {
        hale_warn("event=control_unreadable");
        return 0;
    }
    b->n++;
    if (c->op == HALE_CONTROL_DEFINITION &&
        HALE_REDIS(b->s->write, HALE_STR("HGET"), HALE_STR(HALE_KEYS_DEFINITIONS),
                   hale_str_from(c->id)) != HALE_OK) {
        (void)thresholds_shard_fail(b->s, HALE_E_IO, "reading definitions");
        return 1;
    }
    return 0;
}

static enum hale_rc apply_definition(struct thresholds_shard *s, const char *id)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_reply(s->write, &reply);
    if (rc != HALE_OK || hale_reply_is_error(reply)) {
        hale_reply_free(reply);
        return thresholds_shard_fail(s, rc != HALE_OK ? rc : HALE_E_IO,
                                     "reading definitions");
    }
    if (hale_reply_is_nil(reply))
        thresholds_engine_drop_definition(s->engine, hale_str_from(id));
    else
        thresholds_shard_set_definition(s, hale_str_from(id), hale_reply_str(reply));
    hale_reply_free(reply);
    return HALE_OK;
}

static void apply_delete(struct thresholds_shard *s, const struct hale_control *c)
{
    struct hale_dim dims[HALE_DIMS_MAX];
    unsigned n = 0;
    const char *key;
    json_t *value;
    if (c->definition_id == NULL || c->group == NULL)
        return;
    json_object_foreach (c->group, key, value) {
        if (n < HALE_DIMS_MAX && json_is_string(value))
            dims[n++] =
                (struct hale_dim){hale_str_from(key),
                                  {json_string_value(value), json_string_length(value)}};
    }
    (void)thresholds_engine_forget(s->engine, hale_str_from(c->definition_id), dims, n);
}

/* Applies the records in their order. Returns whether the engine may be another one. */
static bool apply(struct thresholds_shard *s, struct batch *b)
{
    bool changed = false;
    for (unsigned i = 0; i < b->n; i++) {
        const struct hale_control *c = &b->record[i];
        if (!s->failed && c->op == HALE_CONTROL_DEFINITION)
            (void)apply_definition(s, c->id);
        else if (!s->failed && c->op == HALE_CONTROL_ALARM_DELETE)
            apply_delete(s, c);
        changed = changed || c->op == HALE_CONTROL_DEFINITION ||
                  c->op == HALE_CONTROL_ALARM_DELETE;
        hale_control_fini(&b->record[i]);
    }
    return changed;
}

static int on_any(unsigned stream, struct hale_stream_id id, struct hale_str field,
                  struct hale_str value, void *any)
{
    (void)id;
    (void)field;
    (void)value;
    *(bool *)any = stream == THRESHOLDS_STREAM_CONTROL;
    return 1;
}

unsigned thresholds_shard_control(struct thresholds_shard *s,
                                  const struct hale_reply *xread)
{
    const char *keys[THRESHOLDS_STREAMS] = {HALE_KEYS_CONTROL, s->samples_key};
    bool any = false;
    (void)hale_reply_entries(xread, THRESHOLDS_STREAMS, keys, on_any, &any);
    if (!any)
        return 0;
    struct batch *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        (void)thresholds_shard_fail(s, HALE_E_NOMEM, "control records");
        return 0;
    }
    b->s = s;
    b->last = s->control;
    (void)hale_reply_entries(xread, THRESHOLDS_STREAMS, keys, on_record, b);
    bool changed = apply(s, b);
    hale_counter_add(&thresholds_control_records, b->n);
    s->control = b->last;
    unsigned n_read = b->n_read;
    free(b);
    if (changed)
        (void)thresholds_shard_snapshot(s);
    return n_read;
}
