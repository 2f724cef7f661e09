/* SPDX-License-Identifier: Apache-2.0 */
/* hot_flush - rounds of the hot store: tails from memory into chunks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/hot.h"
#include "collector/hot_private.h"
#include "collector/stats.h"
#include "collector/store_load.h"
#include "collector/tiers.h"

#define SLICE_BYTES   ((size_t)4 << 20)
#define KEPT_MIN      4096              /* smaller buffers are given back at each flush */
#define AHEAD_MAX_MS  (30LL * 86400000) /* expiry of samples far in the future */
#define FLUSH_STEP_MS 100               /* a round advances this often */

void collector_hot_set_done(struct collector_hot *h, unsigned shard,
                            struct hale_stream_id done)
{
    h->done[shard] = done;
    atomic_store(&h->flushed_ms[shard], (int64_t)done.ms);
}

struct hale_stream_id collector_hot_done(const struct collector_hot *h, unsigned shard)
{
    return h->done[shard];
}

int64_t collector_hot_flushed_ms(const struct collector_hot *h, unsigned shard)
{
    return atomic_load(&h->flushed_ms[shard]);
}

/* --- one slice -------------------------------------------------------------------------- */

static bool is_archived(const struct collector *c, const struct collector_series *s)
{
    struct hale_series text;

    return c->conf->archive &&
           hale_series_decode(collector_series_text(s), &text) == HALE_OK &&
           collector_tiers_of(c->conf->tiers, text.name) != NULL;
}

static enum hale_rc expire(struct collector_hot *h, struct hale_redis *r,
                           struct hale_str key, const struct collector_series *s,
                           const struct collector_tail_block *b)
{
    char when[32];
    int64_t now_ms = hale_clock_wall_ms();
    int64_t at_ms = (b->chunk + 1) * COLLECTOR_CHUNK_MS + h->retention_ms;

    if (!b->late && is_archived(h->app, s))
        at_ms += h->app->conf->archive_backlog_ms;
    if (at_ms < now_ms + COLLECTOR_CHUNK_MS) /* a replay after a long pause */
        at_ms = now_ms + COLLECTOR_CHUNK_MS;
    if (at_ms > now_ms + AHEAD_MAX_MS + h->retention_ms)
        at_ms = now_ms + AHEAD_MAX_MS + h->retention_ms;
    (void)snprintf(when, sizeof(when), "%lld", (long long)(at_ms / 1000));
    return HALE_REDIS(r, HALE_STR("EXPIREAT"), key, hale_str_from(when));
}

/* Queues the tail's blocks as far as the slice has room for. */
static enum hale_rc send_tail(struct collector_hot *h, struct hale_redis *r,
                              struct collector_hot_part *p, size_t *bytes)
{
    struct collector_tail *t = p->tail;
    const struct collector_series *s = t->series;
    struct collector_tail_block b;
    char text[HALE_KEY_MAX];
    enum hale_rc rc = HALE_OK;
    uint32_t at = 0;

    p->expire_chunk = t->expire_chunk;
    while (rc == HALE_OK && *bytes < SLICE_BYTES && collector_tail_next(t, &at, &b)) {
        struct hale_str key =
            hale_str_from(b.late ? hale_keys_late(s->shard, s->id, b.chunk, text)
                                 : hale_keys_hot(s->shard, s->id, b.chunk, text));
        rc = HALE_REDIS(r, HALE_STR("APPEND"), key, b.framed);
        p->commands++;
        *bytes += b.framed.len;
        p->upto = at;
        if (rc == HALE_OK && (b.late || b.chunk != p->expire_chunk)) {
            rc = expire(h, r, key, s, &b);
            p->commands++;
            if (!b.late)
                p->expire_chunk = (int32_t)b.chunk;
        }
    }
    return rc;
}

/* Puts a slice together from the cursor on; *next_out is the cursor behind it. */
static enum hale_rc gather(struct collector_hot *h, struct hale_redis *r, size_t target,
                           size_t *n_out, size_t *next_out)
{
    enum hale_rc rc = HALE_OK;
    size_t bytes = 0;
    size_t i = h->cursor;

    *n_out = 0;
    (void)pthread_mutex_lock(&h->lock);
    for (; rc == HALE_OK && i < target && *n_out < COLLECTOR_HOT_SLICE &&
           bytes < SLICE_BYTES;
         i++) {
        struct collector_tail *t = collector_tails_at(h->tails, i);
        if (t->series == NULL || t->len == 0) {
            collector_tail_trim(t);
            continue;
        }
        struct collector_hot_part *p = &h->part[(*n_out)++];
        *p = (struct collector_hot_part){.tail = t, .id = t->series->id};
        rc = send_tail(h, r, p, &bytes);
        if (rc == HALE_OK && p->upto < t->len)
            break; /* the rest of this tail is the next slice's */
    }
    (void)pthread_mutex_unlock(&h->lock);
    *next_out = i;
    return rc;
}

/* Locked. The tail's part is in Redis. */
static void settle(struct collector_hot *h, const struct collector_hot_part *p)
{
    struct collector_tail *t = p->tail;

    if (t->series == NULL || t->series->id != p->id)
        return; /* forgotten meanwhile */
    collector_tail_consume(t, p->upto);
    t->expire_chunk = p->expire_chunk;
    if (t->cap < KEPT_MIN || t->cap / 4 > p->upto)
        collector_tail_trim(t);
    atomic_fetch_sub(&h->bytes, p->upto);
}

/* The replies to one tail's part. *ok_out: Redis took all of it. */
static enum hale_rc take_part(struct hale_redis *r, const struct collector_hot_part *p,
                              bool *ok_out)
{
    enum hale_rc rc = HALE_OK;

    *ok_out = true;
    for (uint32_t k = 0; rc == HALE_OK && k < p->commands; k++) {
        struct hale_reply *reply = NULL;
        rc = hale_redis_reply(r, &reply);
        if (rc == HALE_OK && hale_reply_is_error(reply)) {
            struct hale_str why = hale_reply_str(reply);
            hale_warn("event=hot_flush_refused detail=\"%.*s\"",
                      (int)(why.len < 160 ? why.len : 160), why.p);
            *ok_out = false;
        }
        hale_reply_free(reply);
    }
    return rc;
}

static enum hale_rc send_slice(struct collector_hot *h, struct hale_redis *r,
                               size_t target)
{
    size_t n;
    size_t next;
    bool refused = false;

    enum hale_rc rc = gather(h, r, target, &n, &next);
    if (rc == HALE_OK && n > 0)
        rc = hale_redis_flush(r);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        bool ok;
        rc = take_part(r, &h->part[i], &ok);
        if (rc == HALE_OK && ok) {
            (void)pthread_mutex_lock(&h->lock);
            settle(h, &h->part[i]);
            (void)pthread_mutex_unlock(&h->lock);
        }
        refused = refused || !ok;
    }
    if (rc != HALE_OK) {
        hale_redis_drain(r);
        return rc;
    }
    if (refused)
        return HALE_E_AGAIN;
    h->cursor = next;
    return HALE_OK;
}

static enum hale_rc slice(struct collector_hot *h, struct hale_redis *r, size_t target)
{
    (void)pthread_mutex_lock(&h->sending);
    enum hale_rc rc = send_slice(h, r, target);
    (void)pthread_mutex_unlock(&h->sending);
    return rc;
}

/* --- rounds ----------------------------------------------------------------------------- */

static bool moved(const struct collector_hot *h, const struct collector_hot_input *in)
{
    for (unsigned s = 0; s < h->n_shards; s++) {
        if (hale_stream_id_cmp(in->read[s], h->done[s]) > 0)
            return true;
    }
    return false;
}

static void reach(struct collector_hot *h, unsigned shard, int64_t drained_ms)
{
    int64_t ms = (int64_t)h->done[shard].ms;

    if (drained_ms > ms)
        ms = drained_ms;
    if (ms > atomic_load(&h->flushed_ms[shard]))
        atomic_store(&h->flushed_ms[shard], ms);
}

/* False: there is nothing to write. */
static bool begin(struct collector_hot *h, const struct collector_hot_input *in)
{
    if (!moved(h, in)) {
        for (unsigned s = 0; s < h->n_shards; s++)
            reach(h, s, in->drained_ms[s]);
        return false;
    }
    (void)pthread_mutex_lock(&h->lock);
    h->n = collector_tails_count(h->tails);
    h->added = 0;
    (void)pthread_mutex_unlock(&h->lock);
    h->cursor = 0;
    h->begun_ms = in->now_ms;
    for (unsigned s = 0; s < h->n_shards; s++) {
        h->position[s] = in->read[s];
        h->drained_ms[s] = in->drained_ms[s];
    }
    h->in_round = true;
    return true;
}

static enum hale_rc end(struct collector_hot *h, struct hale_redis *r)
{
    char key[HALE_KEY_MAX];
    char id[HALE_STREAM_ID_TEXT];

    if (h->unsaved)
        collector_save_seen(h->app);
    h->unsaved = false;
    for (unsigned s = 0; s < h->n_shards; s++) {
        struct hale_reply *reply = NULL;
        if (hale_stream_id_cmp(h->position[s], h->done[s]) > 0) {
            enum hale_rc rc =
                HALE_REDIS_CMD(r, &reply, HALE_STR("SET"),
                               hale_str_from(hale_keys_checkpoint(s, "hot", key)),
                               hale_str_from(hale_stream_id_text(h->position[s], id)));
            if (rc != HALE_OK)
                return rc;
            hale_reply_free(reply);
            h->done[s] = h->position[s];
        }
        reach(h, s, h->drained_ms[s]);
    }
    h->in_round = false;
    collector_count(HOT_FLUSHES, 1);
    return HALE_OK;
}

/* Tails that should have been passed by now: by time, and by the bytes that came in. */
static size_t due(const struct collector_hot *h, int64_t now_ms)
{
    double passed = (double)(now_ms - h->begun_ms) / (double)h->app->conf->hot_flush_ms;
    double filled = (double)h->added / (double)h->round_bytes;
    double part = passed > filled ? passed : filled;

    return part >= 1 ? h->n : (size_t)(part * (double)h->n);
}

enum hale_rc collector_hot_flush(struct collector_hot *h, struct hale_redis *redis,
                                 const struct collector_hot_input *in, bool whole)
{
    enum hale_rc rc = HALE_OK;

    if (!whole && in->now_ms - h->stepped_ms < FLUSH_STEP_MS)
        return HALE_OK;
    h->stepped_ms = in->now_ms;
    for (;;) {
        if (!h->in_round && !begin(h, in))
            return HALE_OK;
        size_t target = whole ? h->n : due(h, in->now_ms);
        while (rc == HALE_OK && h->cursor < target)
            rc = slice(h, redis, target);
        if (rc == HALE_OK && h->cursor >= h->n && (whole || target >= h->n))
            rc = end(h, redis);
        if (rc != HALE_OK) {
            collector_count(HOT_FAILURES, 1);
            return rc;
        }
        if (!whole)
            return HALE_OK;
    }
}
