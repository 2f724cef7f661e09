/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/hot.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/u64map.h"
#include "collector/stats.h"
#include "store/keys.h"

#define TAIL_MAX_BYTES ((size_t)1 << 30)
#define SLICE          1000 /* tails per transaction */
#define SLICE_BYTES    ((size_t)8 << 20)
#define READ_GROUP     256               /* chunks per MGET */
#define EXPIRE_MAX_MS  (30LL * 86400000) /* also for samples far in the future */

/* A record of a tail: i64 time_ms, f64 value, u32 meta length, meta bytes. */
#define HEAD_BYTES 20

struct collector_hot {
    pthread_mutex_t lock;
    struct hale_u64map
        *tails; /* guarded by lock for writing; store thread reads freely */
    struct collector_tail *dirty[HALE_SHARDS_MAX];    /* guarded by lock */
    struct collector_tail *flushing[HALE_SHARDS_MAX]; /* store thread */
    struct hale_stream_id position[HALE_SHARDS_MAX];  /* of the flush under way */
    bool in_flush;
    _Atomic size_t bytes;
    unsigned n_shards;
    int64_t retention_ms;
    struct hale_buf record; /* space of the flush */
};

struct collector_hot *collector_hot_new(struct collector *c)
{
    struct collector_hot *h = hale_xcalloc(1, sizeof(*h));

    h->n_shards = (unsigned)c->conf->shards;
    h->retention_ms = c->conf->hot_retention_ms;
    h->tails = hale_u64map_new((size_t)c->conf->max_series);
    HALE_ASSERT(h->tails != NULL && pthread_mutex_init(&h->lock, NULL) == 0);
    hale_buf_init(&h->record, TAIL_MAX_BYTES);
    return h;
}

void collector_hot_free(struct collector_hot *h)
{
    size_t it = 0;

    if (h == NULL)
        return;
    for (struct collector_tail *t; (t = hale_u64map_next(h->tails, &it, NULL)) != NULL;) {
        hale_buf_fini(&t->pending);
        hale_buf_fini(&t->flushing);
        collector_roll_fini(&t->roll);
        free(t);
    }
    hale_u64map_free(h->tails);
    hale_buf_fini(&h->record);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

size_t collector_hot_bytes(const struct collector_hot *h)
{
    return atomic_load(&h->bytes);
}

void collector_hot_lock(struct collector_hot *h)
{
    (void)pthread_mutex_lock(&h->lock);
}

void collector_hot_unlock(struct collector_hot *h)
{
    (void)pthread_mutex_unlock(&h->lock);
}

struct collector_tail *collector_hot_find(struct collector_hot *h, uint64_t id)
{
    return hale_u64map_get(h->tails, id);
}

struct collector_tail *collector_hot_tail(struct collector_hot *h,
                                          struct collector_series *s, bool *new_out)
{
    struct collector_tail *t = hale_u64map_get(h->tails, s->id);

    if (new_out != NULL)
        *new_out = t == NULL;
    if (t != NULL)
        return t;
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->series = s;
    t->expire_chunk = INT64_MIN;
    hale_buf_init(&t->pending, TAIL_MAX_BYTES);
    hale_buf_init(&t->flushing, TAIL_MAX_BYTES);
    if (hale_u64map_put(h->tails, s->id, t) != HALE_OK) {
        free(t);
        return NULL;
    }
    return t;
}

enum hale_rc collector_hot_add(struct collector_hot *h, struct collector_tail *t,
                               const struct collector_sample *s)
{
    uint32_t meta_len = (uint32_t)s->meta.len;
    char *p = hale_buf_reserve(&t->pending, HEAD_BYTES + s->meta.len);

    if (p == NULL) {
        t->pending.failed = false;
        return HALE_E_NOMEM;
    }
    memcpy(p, &s->time_ms, 8);
    memcpy(p + 8, &s->value, 8);
    memcpy(p + 16, &meta_len, 4);
    if (meta_len > 0)
        memcpy(p + HEAD_BYTES, s->meta.p, meta_len);
    t->pending.len += HEAD_BYTES + s->meta.len;
    t->pending.p[t->pending.len] = '\0';
    atomic_fetch_add_explicit(&h->bytes, HEAD_BYTES + s->meta.len, memory_order_relaxed);
    if (!t->dirty) {
        t->dirty = true;
        t->next = h->dirty[t->series->shard];
        h->dirty[t->series->shard] = t;
    }
    return HALE_OK;
}

static bool next_head(struct hale_str *rest, struct collector_sample *out)
{
    uint32_t meta_len;

    if (rest->len < HEAD_BYTES)
        return false;
    memcpy(&out->time_ms, rest->p, 8);
    memcpy(&out->value, rest->p + 8, 8);
    memcpy(&meta_len, rest->p + 16, 4);
    out->meta = (struct hale_str){meta_len > 0 ? rest->p + HEAD_BYTES : NULL, meta_len};
    rest->p += HEAD_BYTES + meta_len;
    rest->len -= HEAD_BYTES + meta_len;
    return true;
}

/* --- flush ------------------------------------------------------------------------------ */

static enum hale_rc append_chunk(struct collector_hot *h, struct hale_redis *r,
                                 struct collector_tail *t, int64_t chunk, int64_t now_ms)
{
    char key[HALE_KEY_MAX];
    char when[32];
    struct hale_str k =
        hale_str_from(hale_keys_hot(t->series->shard, t->series->id, chunk, key));

    enum hale_rc rc = HALE_REDIS(r, HALE_STR("APPEND"), k, hale_buf_str(&h->record));
    hale_buf_reset(&h->record);
    if (rc != HALE_OK)
        return rc;
    if (t->expire_chunk == chunk && now_ms - t->expire_set_ms < COLLECTOR_CHUNK_MS)
        return HALE_OK;
    t->expire_chunk = chunk;
    t->expire_set_ms = now_ms;
    int64_t end_ms = (chunk + 1) * COLLECTOR_CHUNK_MS;
    int64_t at_ms =
        (end_ms > now_ms + COLLECTOR_CHUNK_MS ? end_ms : now_ms + COLLECTOR_CHUNK_MS) +
        h->retention_ms;
    if (at_ms > now_ms + EXPIRE_MAX_MS + h->retention_ms)
        at_ms = now_ms + EXPIRE_MAX_MS + h->retention_ms;
    (void)snprintf(when, sizeof(when), "%lld", (long long)(at_ms / 1000));
    return HALE_REDIS(r, HALE_STR("EXPIREAT"), k, hale_str_from(when));
}

static enum hale_rc append_tail(struct collector_hot *h, struct hale_redis *r,
                                struct collector_tail *t, int64_t now_ms)
{
    struct hale_str rest = hale_buf_str(&t->flushing);
    struct collector_sample s;
    enum hale_rc rc = HALE_OK;
    int64_t chunk = 0;

    while (rc == HALE_OK && next_head(&rest, &s)) {
        int64_t c = collector_chunk_of(s.time_ms);
        if (h->record.len > 0 && c != chunk)
            rc = append_chunk(h, r, t, chunk, now_ms);
        chunk = c;
        collector_hot_record_add(&h->record, &s);
    }
    if (rc == HALE_OK && h->record.len > 0)
        rc = append_chunk(h, r, t, chunk, now_ms);
    hale_buf_reset(&h->record);
    return rc;
}

static enum hale_rc flush_shard(struct collector_hot *h, struct hale_redis *r,
                                unsigned shard)
{
    char key[HALE_KEY_MAX];
    char id[HALE_STREAM_ID_TEXT];
    int64_t now_ms = hale_clock_wall_ms();
    struct collector_tail *t = h->flushing[shard];
    enum hale_rc rc;

    do {
        size_t bytes = 0;
        rc = hale_redis_begin(r);
        for (unsigned n = 0;
             rc == HALE_OK && t != NULL && n < SLICE && bytes < SLICE_BYTES;
             n++, t = t->next) {
            bytes += t->flushing.len;
            rc = append_tail(h, r, t, now_ms);
        }
        if (rc == HALE_OK && t == NULL)
            rc = HALE_REDIS(r, HALE_STR("SET"),
                            hale_str_from(hale_keys_checkpoint(shard, "hot", key)),
                            hale_str_from(hale_stream_id_text(h->position[shard], id)));
        if (rc == HALE_OK)
            rc = hale_redis_exec(r, NULL);
    } while (rc == HALE_OK && t != NULL);
    return rc;
}

static void take_dirty(struct collector_hot *h, const struct hale_stream_id *position)
{
    collector_hot_lock(h);
    for (unsigned s = 0; s < h->n_shards; s++) {
        h->position[s] = position[s];
        h->flushing[s] = h->dirty[s];
        h->dirty[s] = NULL;
        for (struct collector_tail *t = h->flushing[s]; t != NULL; t = t->next) {
            struct hale_buf empty = t->flushing;
            t->flushing = t->pending;
            t->pending = empty;
        }
    }
    atomic_store(&h->bytes, 0);
    h->in_flush = true;
    collector_hot_unlock(h);
}

/* The lists share `next`: a tail of the flush stays out of the dirty list until here. */
static void end_flush(struct collector_hot *h)
{
    collector_hot_lock(h);
    for (unsigned s = 0; s < h->n_shards; s++) {
        for (struct collector_tail *next, *t = h->flushing[s]; t != NULL; t = next) {
            next = t->next;
            hale_buf_fini(&t->flushing); /* idle series keep no memory */
            hale_buf_init(&t->flushing, TAIL_MAX_BYTES);
            t->dirty = false;
            if (t->pending.len > 0) {
                t->dirty = true;
                t->next = h->dirty[s];
                h->dirty[s] = t;
            }
        }
        h->flushing[s] = NULL;
    }
    h->in_flush = false;
    collector_hot_unlock(h);
}

enum hale_rc collector_hot_flush(struct collector_hot *h, struct hale_redis *redis,
                                 const struct hale_stream_id *position,
                                 struct hale_stream_id *done_out)
{
    enum hale_rc rc = HALE_OK;

    if (!h->in_flush)
        take_dirty(h, position);
    else /* what was sent is unknown: set every expiry again */
        for (unsigned s = 0; s < h->n_shards; s++)
            for (struct collector_tail *t = h->flushing[s]; t != NULL; t = t->next)
                t->expire_chunk = INT64_MIN;
    for (unsigned s = 0; rc == HALE_OK && s < h->n_shards; s++)
        rc = flush_shard(h, redis, s);
    if (rc != HALE_OK) {
        collector_count(HOT_FAILURES, 1);
        return rc;
    }
    memcpy(done_out, h->position, h->n_shards * sizeof(h->position[0]));
    end_flush(h);
    collector_count(HOT_FLUSHES, 1);
    return HALE_OK;
}

/* --- reading ---------------------------------------------------------------------------- */

static void copy_range(struct hale_str rest, int64_t start_ms, int64_t end_ms,
                       struct collector_points *out)
{
    struct collector_sample s;

    while (next_head(&rest, &s)) {
        if (s.time_ms >= start_ms && s.time_ms < end_ms)
            collector_points_add(out, &s);
    }
}

void collector_hot_copy(struct collector_hot *h, uint64_t id, int64_t start_ms,
                        int64_t end_ms, struct collector_points *out)
{
    collector_hot_lock(h);
    const struct collector_tail *t = hale_u64map_get(h->tails, id);
    if (t != NULL) {
        copy_range(hale_buf_str(&t->flushing), start_ms, end_ms, out);
        copy_range(hale_buf_str(&t->pending), start_ms, end_ms, out);
    }
    collector_hot_unlock(h);
}

static void read_chunk(struct hale_str bytes, int64_t chunk, int64_t start_ms,
                       int64_t end_ms, struct collector_points *out)
{
    struct collector_sample s;
    bool bad = false;

    while (collector_hot_record_next(&bytes, chunk, &s, &bad)) {
        if (s.time_ms >= start_ms && s.time_ms < end_ms)
            collector_points_add(out, &s);
    }
    if (bad)
        hale_warn("event=hot_chunk_damaged chunk=%lld", (long long)chunk);
}

enum hale_rc collector_hot_read(struct hale_redis *redis,
                                const struct collector_series *s, int64_t start_ms,
                                int64_t end_ms, struct collector_points *out)
{
    char(*keys)[HALE_KEY_MAX];
    struct hale_str args[READ_GROUP + 1];
    enum hale_rc rc = HALE_OK;

    if (start_ms >= end_ms)
        return HALE_OK;
    int64_t last = collector_chunk_of(end_ms - 1);
    int64_t chunk = collector_chunk_of(start_ms);
    keys = malloc(READ_GROUP * sizeof(*keys));
    if (keys == NULL)
        return HALE_E_NOMEM;
    args[0] = HALE_STR("MGET");
    while (rc == HALE_OK && chunk <= last) {
        struct hale_reply *reply = NULL;
        unsigned n = 0;
        for (; n < READ_GROUP && chunk + n <= last; n++)
            args[n + 1] =
                hale_str_from(hale_keys_hot(s->shard, s->id, chunk + n, keys[n]));
        rc = hale_redis_cmd(redis, n + 1, args, &reply);
        for (unsigned i = 0; rc == HALE_OK && i < n; i++) {
            const struct hale_reply *one = hale_reply_at(reply, i);
            if (one != NULL && !hale_reply_is_nil(one))
                read_chunk(hale_reply_str(one), chunk + i, start_ms, end_ms, out);
        }
        if (rc == HALE_OK)
            hale_reply_free(reply);
        chunk += n;
    }
    free(keys);
    return rc;
}
