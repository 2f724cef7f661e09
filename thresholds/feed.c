/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed - stream entries and ticks into the engine, in the one total order: every tick
 * with a deadline before an entry's id runs before the entry. An entry may be a copy of one of
 * another shard; its series stand in that one's catalogue.
 */
#include <endian.h>
#include <string.h>

#include "base/log.h"
#include "model/batch.h"
#include "thresholds/shard_inner.h"

#define HMGET_FIELDS 1000

/* Called between entries: has the replay passed everything that was written? */
static void note_position(struct thresholds_shard *s)
{
    if (s->replaying && hale_stream_id_cmp(s->pos.entry, s->output.entry) >= 0 &&
        s->pos.tick_ms >= s->output.tick_ms &&
        thresholds_position_cmp(&s->pos, &s->output) >= 0)
        s->replaying = false;
}

void thresholds_shard_tick(struct thresholds_shard *s, int64_t until_ms)
{
    thresholds_engine_tick(s->engine, until_ms);
    if (until_ms > s->now_ms)
        s->now_ms = until_ms;
}

struct entry {
    struct hale_batch_view v;
    const char *series_key; /* catalogue of its series */
    int64_t now_ms;
};

/* Asks the catalogue for the unknown series unknown[from..to) of the batch. */
static enum hale_rc introduce_some(struct thresholds_shard *s, const struct entry *e,
                                   size_t from, size_t to)
{
    const struct hale_batch_view *v = &e->v;
    uint64_t keys[HMGET_FIELDS];
    struct hale_str args[HMGET_FIELDS + 2] = {HALE_STR("HMGET"),
                                              hale_str_from(e->series_key)};
    unsigned n = 2;
    for (size_t i = from; i < to; i++, n++) {
        keys[n - 2] = htobe64(hale_batch_id(v, s->unknown[i]));
        args[n] = (struct hale_str){(const char *)&keys[n - 2], sizeof(keys[0])};
    }
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_cmd(s->write, n, args, &reply);
    if (rc != HALE_OK)
        return thresholds_shard_fail(s, rc, "reading the catalogue");
    for (size_t i = from; i < to && i - from < hale_reply_n(reply); i++) {
        const struct hale_reply *canonical = hale_reply_at(reply, i - from);
        uint64_t id = hale_batch_id(v, s->unknown[i]);
        struct thresholds_series *series = thresholds_engine_find(s->engine, id);
        if (series == NULL && !hale_reply_is_nil(canonical) &&
            thresholds_engine_series(s->engine, id, hale_reply_str(canonical), e->now_ms,
                                     &series) != HALE_OK)
            series = NULL;
        s->handles[s->unknown[i]] = series;
        if (series == NULL)
            hale_counter_add(&thresholds_unknown_series, 1);
    }
    hale_reply_free(reply);
    return s->failed ? HALE_E_IO : HALE_OK;
}

static enum hale_rc find_series(struct thresholds_shard *s, const struct entry *e)
{
    enum { AHEAD = 16, SERIES_AHEAD = 8 };
    const struct hale_batch_view *v = &e->v;
    size_t n_unknown = 0;
    thresholds_engine_trim(s->engine);
    for (unsigned i = 0; i < v->n; i++) {
        if (i + AHEAD < v->n)
            thresholds_engine_prefetch(s->engine, hale_batch_id(v, i + AHEAD));
        if (i + SERIES_AHEAD < v->n)
            thresholds_engine_prefetch_series(s->engine,
                                              hale_batch_id(v, i + SERIES_AHEAD));
        s->handles[i] = thresholds_engine_find(s->engine, hale_batch_id(v, i));
        if (s->handles[i] == NULL)
            s->unknown[n_unknown++] = i;
    }
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; rc == HALE_OK && i < n_unknown; i += HMGET_FIELDS) {
        size_t to = i + HMGET_FIELDS < n_unknown ? i + HMGET_FIELDS : n_unknown;
        rc = introduce_some(s, e, i, to);
    }
    return rc;
}

struct feeding {
    struct thresholds_shard *s;
    struct hale_stream_id until;
};

static int on_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                    struct hale_str value, void *arg)
{
    const struct feeding *f = arg;
    struct thresholds_shard *s = f->s;
    char other[HALE_KEY_MAX];
    unsigned from;
    if (stream != THRESHOLDS_STREAM_SAMPLES)
        return 0;
    if (hale_stream_id_cmp(id, f->until) > 0)
        return 1;
    int64_t now_ms =
        id.ms < THRESHOLDS_TIME_MAX_MS ? (int64_t)id.ms : THRESHOLDS_TIME_MAX_MS;
    note_position(s);
    thresholds_shard_tick(s, now_ms - 1);
    s->pos.entry = id;
    s->pos.ordinal = 0;
    s->dirty = true;
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    hale_counter_add(&thresholds_entries, 1);
    if (s->replaying)
        hale_counter_add(&thresholds_replayed_entries, 1);

    struct entry e = {.series_key = s->series_key, .now_ms = now_ms};
    bool own = hale_str_eq_c(field, HALE_KEYS_BATCH), copy = false;
    if (!own && (copy = hale_keys_is_copy(field, &from)))
        e.series_key = hale_keys_series(from, other);
    if ((!own && !copy) || hale_batch_open(value, &e.v) != HALE_OK) {
        hale_counter_add(&thresholds_bad_entries, 1);
        return 0;
    }
    if (find_series(s, &e) != HALE_OK)
        return 1;
    thresholds_engine_samples(s->engine, &e.v, s->handles, now_ms);
    return s->failed ? 1 : 0;
}

enum hale_rc thresholds_shard_feed(struct thresholds_shard *s,
                                   const struct hale_reply *xread,
                                   struct hale_stream_id until)
{
    const char *keys[THRESHOLDS_STREAMS] = {HALE_KEYS_CONTROL, s->samples_key};
    struct feeding f = {s, until};
    (void)hale_reply_entries(xread, THRESHOLDS_STREAMS, keys, on_entry, &f);
    if (s->failed)
        return HALE_E_IO;
    note_position(s);
    return thresholds_shard_commit(s);
}
