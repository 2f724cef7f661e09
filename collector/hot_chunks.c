/* SPDX-License-Identifier: Apache-2.0 */
/* hot_chunks - one series' raw samples, asked for by a query or dropped with the series. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/hot_private.h"

#define CHUNKS_MAX 20000 /* asked for per series and query: 138 days */
#define DECODED    256   /* samples at a time */

/* Arrivals whose late samples have not expired. */
static int64_t late_from(const struct collector_hot *h, int64_t now_ms)
{
    return collector_chunk_of(now_ms - h->retention_ms) - 1;
}

/* --- memory ----------------------------------------------------------------------------- */

/* What is in memory, and whether late samples may lie in Redis. */
static enum hale_rc copy_tail(struct collector_hot *h, struct collector_hot_fetch *f,
                              bool *late_out)
{
    int64_t from = late_from(h, f->range.now_ms);
    enum hale_rc rc = HALE_OK;

    *late_out = from <= collector_chunk_of(h->started_ms);
    (void)pthread_mutex_lock(&h->lock);
    const struct collector_tail *t = collector_tails_find(h->tails, f->series->id);
    if (t != NULL && t->late_chunk >= from)
        *late_out = true;
    if (t != NULL && t->len > 0) {
        f->memory = *t;
        f->memory.buf = malloc(t->len);
        if (f->memory.buf != NULL)
            memcpy(f->memory.buf, t->buf, t->len);
        else
            rc = HALE_E_NOMEM;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return rc;
}

/* --- keys ------------------------------------------------------------------------------- */

static void plan(struct collector_hot_keys *k, int64_t first, int64_t last, bool late)
{
    if (last - first >= CHUNKS_MAX)
        first = last - CHUNKS_MAX + 1;
    if (last < first)
        return;
    k->first[late] = first;
    k->n[late] = (size_t)(last - first + 1);
}

static int64_t chunk_at(const struct collector_hot_keys *k, size_t i, bool *late_out)
{
    *late_out = i >= k->n[0];
    return *late_out ? k->first[1] + (int64_t)(i - k->n[0]) : k->first[0] + (int64_t)i;
}

/* Appends a command with the next keys; *asked moves. */
static enum hale_rc ask(const struct collector_series *s,
                        const struct collector_hot_keys *k, const char *command,
                        struct hale_redis *redis, size_t *asked)
{
    char text[COLLECTOR_HOT_KEYS][HALE_KEY_MAX];
    struct hale_str args[COLLECTOR_HOT_KEYS + 1] = {hale_str_from(command)};
    size_t left = k->n[0] + k->n[1] - *asked;
    unsigned n = left < COLLECTOR_HOT_KEYS ? (unsigned)left : COLLECTOR_HOT_KEYS;
    bool late;

    for (unsigned i = 0; i < n; i++) {
        int64_t chunk = chunk_at(k, *asked + i, &late);
        args[i + 1] =
            hale_str_from(late ? hale_keys_late(s->shard, s->id, chunk, text[i])
                               : hale_keys_hot(s->shard, s->id, chunk, text[i]));
    }
    *asked += n;
    return hale_redis_append(redis, n + 1, args);
}

/* --- fetching --------------------------------------------------------------------------- */

enum hale_rc collector_hot_fetch_init(struct collector_hot_fetch *f,
                                      struct collector_hot *h,
                                      const struct collector_series *s,
                                      const struct collector_hot_range *r)
{
    int64_t from_ms = r->start_ms > r->chunks_ms ? r->start_ms : r->chunks_ms;
    bool late;

    memset(f, 0, sizeof(*f));
    f->series = s;
    f->range = *r;
    if (r->start_ms >= r->end_ms)
        return HALE_OK;
    enum hale_rc rc = copy_tail(h, f, &late);
    if (rc != HALE_OK)
        return rc;
    if (from_ms < r->end_ms)
        plan(&f->keys, collector_chunk_of(from_ms), collector_chunk_of(r->end_ms - 1),
             false);
    if (late)
        plan(&f->keys, late_from(h, r->now_ms), collector_chunk_of(r->now_ms), true);
    size_t n = f->keys.n[0] + f->keys.n[1];
    f->replies = calloc((n + COLLECTOR_HOT_KEYS - 1) / COLLECTOR_HOT_KEYS + 1,
                        sizeof(f->replies[0]));
    return f->replies != NULL ? HALE_OK : HALE_E_NOMEM;
}

void collector_hot_fetch_fini(struct collector_hot_fetch *f)
{
    for (size_t i = 0; f->replies != NULL && i < f->n_replies; i++)
        hale_reply_free(f->replies[i]);
    free(f->replies);
    free(f->memory.buf);
    memset(f, 0, sizeof(*f));
}

size_t collector_hot_fetch_left(const struct collector_hot_fetch *f)
{
    size_t left = f->keys.n[0] + f->keys.n[1] - f->asked;

    return left < COLLECTOR_HOT_KEYS ? left : COLLECTOR_HOT_KEYS;
}

size_t collector_hot_fetch_unanswered(const struct collector_hot_fetch *f)
{
    size_t answered = f->n_replies * COLLECTOR_HOT_KEYS;

    return f->asked > answered ? f->asked - answered : 0;
}

size_t collector_hot_chunk_bytes(const struct collector_hot *h)
{
    return atomic_load_explicit(&h->chunk_bytes, memory_order_relaxed);
}

void collector_hot_chunk_bytes_seen(struct collector_hot *h, size_t bytes)
{
    size_t guess = collector_hot_chunk_bytes(h);

    guess = bytes > guess ? bytes : guess - (guess - bytes) / 8;
    atomic_store_explicit(&h->chunk_bytes, guess, memory_order_relaxed);
}

enum hale_rc collector_hot_fetch_ask(struct collector_hot_fetch *f,
                                     struct hale_redis *redis)
{
    return ask(f->series, &f->keys, "MGET", redis, &f->asked);
}

enum hale_rc collector_hot_fetch_take(struct collector_hot_fetch *f,
                                      struct hale_redis *redis, size_t *bytes_out)
{
    struct hale_reply *reply = NULL;

    *bytes_out = 0;
    enum hale_rc rc = hale_redis_reply(redis, &reply);
    if (rc != HALE_OK)
        return rc;
    if (hale_reply_is_error(reply)) {
        hale_warn("event=hot_chunks_unreadable id=%016llx detail=\"%.*s\"",
                  (unsigned long long)f->series->id, (int)hale_reply_str(reply).len,
                  hale_reply_str(reply).p);
        hale_reply_free(reply);
        return HALE_E_INVAL;
    }
    for (size_t i = 0; i < hale_reply_n(reply); i++)
        *bytes_out += hale_reply_str(hale_reply_at(reply, i)).len;
    f->replies[f->n_replies++] = reply;
    return HALE_OK;
}

/* --- decoding --------------------------------------------------------------------------- */

/* False: damaged. */
static bool decode(struct collector_hot_reader *reader,
                   const struct collector_hot_range *r, bool late,
                   struct collector_points *out)
{
    struct collector_sample some[DECODED];
    int64_t from_ms = late || r->start_ms > r->chunks_ms ? r->start_ms : r->chunks_ms;
    size_t n;

    while ((n = collector_hot_reader_take(reader, some, DECODED)) > 0)
        collector_points_add_some(out, some, n, from_ms, r->end_ms);
    return !reader->bad;
}

static void decode_reply(const struct collector_hot_fetch *f, size_t which,
                         struct collector_points *out)
{
    const struct hale_reply *reply = f->replies[which];
    struct collector_hot_reader reader;
    bool late;

    for (size_t i = 0; i < hale_reply_n(reply); i++) {
        const struct hale_reply *one = hale_reply_at(reply, i);
        if (hale_reply_is_nil(one))
            continue;
        int64_t chunk = chunk_at(&f->keys, which * COLLECTOR_HOT_KEYS + i, &late);
        collector_hot_reader_init(&reader, hale_reply_str(one),
                                  late ? 0 : chunk * COLLECTOR_CHUNK_MS,
                                  late ? 0 : COLLECTOR_CHUNK_MS);
        if (!decode(&reader, &f->range, late, out))
            hale_warn("event=hot_chunk_damaged id=%016llx chunk=%lld",
                      (unsigned long long)f->series->id, (long long)chunk);
    }
}

void collector_hot_fetch_decode(const struct collector_hot_fetch *f,
                                struct collector_points *out)
{
    struct collector_hot_reader reader;
    struct collector_tail_block b;
    uint32_t at = 0;

    for (size_t i = 0; i < f->n_replies; i++)
        decode_reply(f, i, out);
    while (collector_tail_peek(&f->memory, &at, &b)) {
        collector_hot_reader_init_block(&reader, b.body, b.base_ms, b.span_ms);
        HALE_ASSERT(decode(&reader, &f->range, b.late, out));
    }
}

/* --- forgetting ------------------------------------------------------------------------- */

static enum hale_rc forget(struct collector_hot *h, struct hale_redis *redis,
                           const struct collector_series *s)
{
    int64_t now_ms = hale_clock_wall_ms();
    int64_t last_ms = atomic_load(&s->last_ms);
    int64_t kept_ms = h->retention_ms + h->app->conf->archive_backlog_ms;
    struct collector_hot_keys keys = {0};
    enum hale_rc rc = HALE_OK;
    size_t asked = 0;

    (void)pthread_mutex_lock(&h->lock);
    const struct collector_tail *t = collector_tails_find(h->tails, s->id);
    size_t bytes = t != NULL ? t->len : 0;
    (void)collector_tails_forget(h->tails, s->id);
    atomic_fetch_sub(&h->bytes, bytes);
    (void)pthread_mutex_unlock(&h->lock);

    if (last_ms < now_ms)
        last_ms = now_ms;
    plan(&keys, collector_chunk_of(now_ms - kept_ms) - 1, collector_chunk_of(last_ms),
         false);
    plan(&keys, late_from(h, now_ms), collector_chunk_of(now_ms), true);
    while (rc == HALE_OK && asked < keys.n[0] + keys.n[1]) {
        struct hale_reply *reply = NULL;
        rc = ask(s, &keys, "UNLINK", redis, &asked);
        if (rc == HALE_OK)
            rc = hale_redis_reply(redis, &reply);
        if (rc == HALE_OK && hale_reply_is_error(reply))
            rc = HALE_E_INVAL;
        hale_reply_free(reply);
    }
    return rc;
}

enum hale_rc collector_hot_forget(struct collector_hot *h, struct hale_redis *redis,
                                  const struct collector_series *s)
{
    (void)pthread_mutex_lock(&h->sending);
    enum hale_rc rc = forget(h, redis, s);
    (void)pthread_mutex_unlock(&h->sending);
    return rc;
}
