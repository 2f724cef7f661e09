/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - the engine of a shard from its snapshot, and the comparison of the definitions
 * that it applied with those that are stored now.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "thresholds/shard_inner.h"

struct pairs { /* a hash: views into the reply */
    struct hale_reply *reply;
    struct hale_str *fields, *values;
    size_t n;
};

static void pairs_fini(struct pairs *p)
{
    hale_reply_free(p->reply);
    free(p->fields);
    free(p->values);
    *p = (struct pairs){.reply = NULL};
}

static enum hale_rc read_hash(struct thresholds_shard *s, const char *key,
                              struct pairs *out)
{
    *out = (struct pairs){.reply = NULL};
    enum hale_rc rc =
        HALE_REDIS_CMD(s->write, &out->reply, HALE_STR("HGETALL"), hale_str_from(key));
    if (rc != HALE_OK)
        return rc;
    out->n = hale_reply_n(out->reply) / 2;
    out->fields = calloc(out->n + 1, sizeof(*out->fields));
    out->values = calloc(out->n + 1, sizeof(*out->values));
    if (out->fields == NULL || out->values == NULL) {
        pairs_fini(out);
        return HALE_E_NOMEM;
    }
    for (size_t i = 0; i < out->n; i++) {
        out->fields[i] = hale_reply_str(hale_reply_at(out->reply, 2 * i));
        out->values[i] = hale_reply_str(hale_reply_at(out->reply, 2 * i + 1));
    }
    return HALE_OK;
}

/* Reads the positions. *has_snapshot: there is one to start from. */
static enum hale_rc read_positions(struct thresholds_shard *s, bool *has_snapshot)
{
    struct pairs meta;
    enum hale_rc rc = read_hash(s, s->meta_key, &meta);
    bool has_output = false;
    *has_snapshot = false;
    for (size_t i = 0; rc == HALE_OK && i < meta.n; i++) {
        if (hale_str_eq_c(meta.fields[i], "snapshot")) {
            rc = hale_stream_id_parse(meta.values[i], &s->pos.entry);
            *has_snapshot = true;
        } else if (hale_str_eq_c(meta.fields[i], "tick")) {
            rc = hale_str_i64(meta.values[i], &s->pos.tick_ms);
        } else if (hale_str_eq_c(meta.fields[i], "ordinal")) {
            rc = hale_str_u64(meta.values[i], &s->pos.ordinal);
        } else if (hale_str_eq_c(meta.fields[i], "control")) {
            rc = hale_stream_id_parse(meta.values[i], &s->control);
        } else if (hale_str_eq_c(meta.fields[i], "output")) {
            rc = thresholds_position_parse(meta.values[i], &s->output);
            has_output = true;
        }
    }
    pairs_fini(&meta);
    if (!has_output || thresholds_position_cmp(&s->output, &s->pos) < 0)
        s->output = s->pos;
    return rc;
}

static int last_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                   struct hale_str value, void *arg)
{
    (void)stream;
    (void)field;
    (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

/* Without a snapshot: control records up to now are in the stored definitions. */
static enum hale_rc skip_control(struct thresholds_shard *s)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(s->write, &reply, HALE_STR("XREVRANGE"),
                                     HALE_STR(HALE_KEYS_CONTROL), HALE_STR("+"),
                                     HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc == HALE_OK)
        (void)hale_reply_range(reply, last_id, &s->control);
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc new_engine(struct thresholds_shard *s)
{
    struct thresholds_limits limits = thresholds_conf_limits(s->conf);
    limits.shard = s->index;
    limits.shards = (unsigned)s->conf->shards;
    thresholds_engine_free(s->engine);
    s->engine = thresholds_engine_new(&limits, thresholds_shard_emit, s);
    return s->engine != NULL ? HALE_OK : HALE_E_NOMEM;
}

/* A snapshot that cannot be read costs the windows, not the monitoring: start empty after
 * everything that was written. */
static enum hale_rc start_empty(struct thresholds_shard *s, const struct hale_err *err)
{
    hale_error("event=state_unreadable key=%s detail=\"%s\" action=start_empty",
               s->state_key, err->text);
    hale_counter_add(&thresholds_state_unreadable, 1);
    s->pos = s->output;
    s->rewrite = true;
    return new_engine(s);
}

enum hale_rc thresholds_shard_load(struct thresholds_shard *s)
{
    struct hale_err err = {.rc = HALE_OK};
    struct pairs state = {.reply = NULL};
    bool has_snapshot;
    s->pos = s->output = (struct thresholds_position){.tick_ms = 0};
    s->control = (struct hale_stream_id){0, 0};
    s->rewrite = false;
    enum hale_rc rc = read_positions(s, &has_snapshot);
    if (rc == HALE_OK)
        rc = new_engine(s);
    if (rc == HALE_OK && has_snapshot)
        rc = read_hash(s, s->state_key, &state);
    else if (rc == HALE_OK)
        rc = skip_control(s);
    if (rc != HALE_OK) {
        pairs_fini(&state);
        return thresholds_shard_fail(s, rc, "loading");
    }
    if (has_snapshot && thresholds_engine_load(s->engine, state.n, state.fields,
                                               state.values, &err) != HALE_OK)
        rc = start_empty(s, &err);
    s->rewrite = s->rewrite || !has_snapshot;
    pairs_fini(&state);
    if (rc != HALE_OK)
        return thresholds_shard_fail(s, rc, "loading");
    s->now_ms = (int64_t)(s->pos.entry.ms & INT64_MAX);
    if (s->pos.tick_ms > s->now_ms)
        s->now_ms = s->pos.tick_ms;
    s->replaying = thresholds_position_cmp(&s->pos, &s->output) < 0;
    s->reconciled = false;
    s->dirty = false;
    hale_counter_add(&thresholds_reloads, 1);
    hale_info("event=loaded shard=%u definitions=%zu subalarms=%zu replay=%s", s->index,
              thresholds_engine_stats(s->engine)->definitions,
              thresholds_engine_stats(s->engine)->subalarms, s->replaying ? "yes" : "no");
    return HALE_OK;
}

/* Drops the definitions that are not among the stored ones. */
static void drop_missing(struct thresholds_shard *s, const struct pairs *stored)
{
    struct hale_map *ids = hale_map_new(stored->n + 1, NULL);
    bool fine = ids != NULL;
    for (size_t i = 0; fine && i < stored->n; i++)
        fine = hale_map_put(ids, stored->fields[i], s) == HALE_OK;
    if (!fine) {
        hale_map_free(ids);
        (void)thresholds_shard_fail(s, HALE_E_NOMEM, "definitions");
        return;
    }
    for (bool again = true; again;) {
        const struct hale_definition *d;
        size_t it = 0;
        again = false;
        while ((d = thresholds_engine_next_definition(s->engine, &it)) != NULL) {
            if (hale_map_get(ids, hale_str_from(d->id)) == NULL) {
                thresholds_engine_drop_definition(s->engine, hale_str_from(d->id));
                again = true; /* the table changed: start over */
                break;
            }
        }
    }
    hale_map_free(ids);
}

enum hale_rc thresholds_shard_reconcile(struct thresholds_shard *s)
{
    struct pairs stored;
    enum hale_rc rc = read_hash(s, HALE_KEYS_DEFINITIONS, &stored);
    if (rc != HALE_OK)
        return thresholds_shard_fail(s, rc, "reading definitions");
    drop_missing(s, &stored);
    for (size_t i = 0; !s->failed && i < stored.n; i++)
        thresholds_shard_set_definition(s, stored.fields[i], stored.values[i]);
    pairs_fini(&stored);
    s->reconciled = true;
    return s->failed ? HALE_E_NOMEM : thresholds_shard_snapshot(s);
}
