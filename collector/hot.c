/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/hot.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/hot_private.h"
#include "collector/stats.h"

#define AHEAD           32          /* look-ups whose cache misses overlap */
#define PRESSING_BYTES  (16u << 20) /* of one tail */
#define READ_GROUP      256         /* chunks per MGET */
#define CHUNKS_MAX      20000       /* asked for per series and query: 138 days */
#define ROUND_BYTES_MAX ((size_t)64 << 20)

struct collector_hot *collector_hot_new(struct collector *c, int64_t now_ms)
{
    struct collector_hot *h = hale_xcalloc(1, sizeof(*h));

    h->app = c;
    h->n_shards = (unsigned)c->conf->shards;
    h->retention_ms = c->conf->hot_retention_ms;
    h->started_ms = now_ms;
    h->round_bytes = (size_t)c->conf->hot_memory / 4;
    if (h->round_bytes > ROUND_BYTES_MAX)
        h->round_bytes = ROUND_BYTES_MAX;
    h->tails = collector_tails_new((size_t)c->conf->max_series);
    for (unsigned s = 0; s < h->n_shards; s++)
        h->lateness[s].delay_ms = c->conf->archive_delay_ms;
    HALE_ASSERT(pthread_mutex_init(&h->lock, NULL) == 0 &&
                pthread_mutex_init(&h->sending, NULL) == 0);
    return h;
}

void collector_hot_free(struct collector_hot *h)
{
    if (h == NULL)
        return;
    collector_tails_free(h->tails);
    (void)pthread_mutex_destroy(&h->lock);
    (void)pthread_mutex_destroy(&h->sending);
    free(h);
}

size_t collector_hot_bytes(const struct collector_hot *h)
{
    return atomic_load(&h->bytes);
}

void collector_hot_set_lateness(struct collector_hot *h, unsigned shard,
                                const struct collector_lateness *l)
{
    h->lateness[shard] = *l;
}

/* --- taking ----------------------------------------------------------------------------- */

struct group { /* samples i .. i + n - 1 of an entry */
    unsigned i, n;
    struct collector_tail *tail[AHEAD];
};

/* Locked, and unlocked while the resolver works. Tails that were found before are looked up
 * again after that: they may have been forgotten. */
static void find_tails(struct collector_hot *h, struct collector_hot_entry *e,
                       struct group *g)
{
    for (unsigned k = 0; k < g->n; k++)
        collector_tails_prefetch(h->tails, hale_batch_id(e->view, g->i + k));
    for (unsigned k = 0; k < g->n; k++) {
        g->tail[k] = collector_tails_find(h->tails, hale_batch_id(e->view, g->i + k));
        __builtin_prefetch(g->tail[k], 1);
    }
}

static void make_tails(struct collector_hot *h, struct collector_hot_entry *e,
                       struct group *g)
{
    for (unsigned k = 0; k < g->n; k++) {
        uint64_t id = hale_batch_id(e->view, g->i + k);
        if (collector_tails_find(h->tails, id) != NULL)
            continue;
        (void)pthread_mutex_unlock(&h->lock);
        struct collector_series *s = e->resolve(e->arg, e->shard, id);
        (void)pthread_mutex_lock(&h->lock);
        if (s != NULL)
            (void)collector_tails_get(h->tails, s);
    }
    find_tails(h, e, g);
}

static enum hale_rc add(struct collector_hot *h, const struct collector_hot_entry *e,
                        struct collector_tail *t, const struct collector_sample *s,
                        int64_t first_chunk)
{
    int64_t chunk = collector_chunk_of(s->time_ms);
    int64_t arrival = collector_chunk_of(e->arrival_ms);
    bool late = chunk < first_chunk;
    size_t added;

    if (chunk > COLLECTOR_TAIL_CHUNK_MAX ||
        (late && arrival > COLLECTOR_TAIL_CHUNK_MAX)) {
        collector_count(STORE_BEYOND, 1);
        return HALE_OK;
    }
    enum hale_rc rc = collector_tail_add(t, late ? arrival : chunk, late, s, &added);
    if (rc != HALE_OK)
        return rc;
    h->added += added;
    /* What a query could not guess after a crash: times ahead, and before the first. */
    if (chunk > arrival ||
        s->time_ms < atomic_load_explicit(&t->series->first_ms, memory_order_relaxed))
        h->unsaved = true;
    collector_series_seen(t->series, s->time_ms);
    if (late) {
        t->late_chunk = (int32_t)arrival;
        collector_count(STORE_LATE, 1);
    }
    return HALE_OK;
}

enum hale_rc collector_hot_take(struct collector_hot *h, struct collector_hot_entry *e)
{
    const struct hale_batch_view *v = e->view;
    const char *cursor = NULL;
    unsigned meta_index = UINT32_MAX;
    struct hale_str meta = {NULL, 0};
    bool more = hale_batch_next_meta(v, &cursor, &meta_index, &meta);
    int64_t first = collector_lateness_first(&h->lateness[e->shard], e->arrival_ms);
    size_t before = h->added;
    enum hale_rc rc = HALE_OK;

    e->orphans = 0;
    e->pressing = false;
    (void)pthread_mutex_lock(&h->lock);
    for (struct group g = {0}; rc == HALE_OK && g.i < v->n; g.i += g.n) {
        g.n = v->n - g.i < AHEAD ? v->n - g.i : AHEAD;
        find_tails(h, e, &g);
        for (unsigned k = 0; k < g.n; k++) {
            if (g.tail[k] == NULL) {
                make_tails(h, e, &g);
                break;
            }
            __builtin_prefetch(g.tail[k]->buf + g.tail[k]->len, 1);
            __builtin_prefetch(g.tail[k]->series, 1);
        }
        for (unsigned k = 0; rc == HALE_OK && k < g.n; k++) {
            unsigned i = g.i + k;
            struct collector_sample s = {
                hale_batch_time(v, i), hale_batch_value(v, i), {NULL, 0}};
            if (more && meta_index == i) {
                s.meta = meta;
                more = hale_batch_next_meta(v, &cursor, &meta_index, &meta);
            }
            if (g.tail[k] == NULL) {
                e->orphans++;
                continue;
            }
            rc = add(h, e, g.tail[k], &s, first);
            e->pressing = e->pressing || g.tail[k]->len > PRESSING_BYTES;
        }
    }
    atomic_fetch_add(&h->bytes, h->added - before);
    (void)pthread_mutex_unlock(&h->lock);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------- */

static bool wanted(const struct collector_hot_range *r, bool late, int64_t time_ms)
{
    return time_ms >= r->start_ms && time_ms < r->end_ms &&
           (late || time_ms >= r->chunks_ms);
}

/* False: damaged. */
static bool copy_all(struct collector_hot_reader *reader,
                     const struct collector_hot_range *r, bool late,
                     struct collector_points *out)
{
    struct collector_sample s;

    while (collector_hot_reader_next(reader, &s)) {
        if (wanted(r, late, s.time_ms))
            collector_points_add(out, &s);
    }
    return !reader->bad;
}

void collector_hot_copy(struct collector_hot *h, uint64_t id,
                        const struct collector_hot_range *r, struct collector_points *out)
{
    struct collector_tail_block b;
    struct collector_hot_reader reader;
    uint32_t at = 0;

    (void)pthread_mutex_lock(&h->lock);
    const struct collector_tail *t = collector_tails_find(h->tails, id);
    while (t != NULL && collector_tail_peek(t, &at, &b)) {
        collector_hot_reader_init_block(&reader, b.body, b.base_ms, b.span_ms);
        HALE_ASSERT(copy_all(&reader, r, b.late, out));
    }
    (void)pthread_mutex_unlock(&h->lock);
}

struct keys { /* of chunks, gathered for MGET */
    struct collector_hot *h;
    struct hale_redis *redis;
    const struct collector_series *series;
    const struct collector_hot_range *range;
    struct collector_points *out;
    char (*text)[HALE_KEY_MAX];
    struct hale_str args[READ_GROUP + 1];
    int64_t chunk[READ_GROUP];
    bool late[READ_GROUP];
    unsigned n;
};

static enum hale_rc ask(struct keys *k)
{
    struct hale_reply *reply = NULL;
    struct collector_hot_reader reader;

    if (k->n == 0)
        return HALE_OK;
    k->args[0] = HALE_STR("MGET");
    enum hale_rc rc = hale_redis_cmd(k->redis, k->n + 1, k->args, &reply);
    for (unsigned i = 0; rc == HALE_OK && i < k->n; i++) {
        const struct hale_reply *one = hale_reply_at(reply, i);
        if (one == NULL || hale_reply_is_nil(one))
            continue;
        collector_hot_reader_init(&reader, hale_reply_str(one),
                                  k->late[i] ? 0 : k->chunk[i] * COLLECTOR_CHUNK_MS,
                                  k->late[i] ? 0 : COLLECTOR_CHUNK_MS);
        if (!copy_all(&reader, k->range, k->late[i], k->out))
            hale_warn("event=hot_chunk_damaged id=%016llx chunk=%lld",
                      (unsigned long long)k->series->id, (long long)k->chunk[i]);
    }
    hale_reply_free(reply);
    k->n = 0;
    return rc;
}

static enum hale_rc drop(struct keys *k)
{
    struct hale_reply *reply = NULL;

    if (k->n == 0)
        return HALE_OK;
    k->args[0] = HALE_STR("UNLINK");
    enum hale_rc rc = hale_redis_cmd(k->redis, k->n + 1, k->args, &reply);
    hale_reply_free(reply);
    k->n = 0;
    return rc;
}

static enum hale_rc add_key(struct keys *k, int64_t chunk, bool late,
                            enum hale_rc (*full)(struct keys *))
{
    const struct collector_series *s = k->series;

    k->chunk[k->n] = chunk;
    k->late[k->n] = late;
    k->args[k->n + 1] =
        hale_str_from(late ? hale_keys_late(s->shard, s->id, chunk, k->text[k->n])
                           : hale_keys_hot(s->shard, s->id, chunk, k->text[k->n]));
    k->n++;
    return k->n == READ_GROUP ? full(k) : HALE_OK;
}

static enum hale_rc each_key(struct keys *k, int64_t first, int64_t last, bool late,
                             enum hale_rc (*full)(struct keys *))
{
    enum hale_rc rc = HALE_OK;

    if (last - first >= CHUNKS_MAX)
        first = last - CHUNKS_MAX + 1;
    for (int64_t c = first; rc == HALE_OK && c <= last; c++)
        rc = add_key(k, c, late, full);
    return rc;
}

/* Arrivals whose late samples have not expired. */
static int64_t late_from(const struct collector_hot *h, int64_t now_ms)
{
    return collector_chunk_of(now_ms - h->retention_ms) - 1;
}

static bool may_be_late(struct collector_hot *h, uint64_t id, int64_t now_ms)
{
    (void)pthread_mutex_lock(&h->lock);
    const struct collector_tail *t = collector_tails_find(h->tails, id);
    bool late = t != NULL && t->late_chunk >= late_from(h, now_ms);
    (void)pthread_mutex_unlock(&h->lock);
    return late || late_from(h, now_ms) <= collector_chunk_of(h->started_ms);
}

enum hale_rc collector_hot_read(struct collector_hot *h, struct hale_redis *redis,
                                const struct collector_series *s,
                                const struct collector_hot_range *r,
                                struct collector_points *out)
{
    int64_t from_ms = r->start_ms > r->chunks_ms ? r->start_ms : r->chunks_ms;
    struct keys *k = calloc(1, sizeof(*k));
    enum hale_rc rc = HALE_OK;

    if (k != NULL)
        k->text = malloc(READ_GROUP * sizeof(k->text[0]));
    if (k == NULL || k->text == NULL) {
        free(k);
        return HALE_E_NOMEM;
    }
    k->h = h;
    k->redis = redis;
    k->series = s;
    k->range = r;
    k->out = out;
    if (from_ms < r->end_ms)
        rc = each_key(k, collector_chunk_of(from_ms), collector_chunk_of(r->end_ms - 1),
                      false, ask);
    if (rc == HALE_OK && may_be_late(h, s->id, r->now_ms))
        rc = each_key(k, late_from(h, r->now_ms), collector_chunk_of(r->now_ms), true,
                      ask);
    if (rc == HALE_OK)
        rc = ask(k);
    free(k->text);
    free(k);
    return rc;
}

static enum hale_rc forget(struct collector_hot *h, struct hale_redis *redis,
                           const struct collector_series *s)
{
    int64_t now_ms = hale_clock_wall_ms();
    int64_t last_ms = atomic_load(&s->last_ms);
    int64_t kept_ms = h->retention_ms + h->app->conf->archive_backlog_ms;
    struct keys *k = calloc(1, sizeof(*k));

    (void)pthread_mutex_lock(&h->lock);
    const struct collector_tail *t = collector_tails_find(h->tails, s->id);
    size_t bytes = t != NULL ? t->len : 0;
    (void)collector_tails_forget(h->tails, s->id);
    atomic_fetch_sub(&h->bytes, bytes);
    (void)pthread_mutex_unlock(&h->lock);

    if (k != NULL)
        k->text = malloc(READ_GROUP * sizeof(k->text[0]));
    if (k == NULL || k->text == NULL) {
        free(k);
        return HALE_E_NOMEM;
    }
    k->h = h;
    k->redis = redis;
    k->series = s;
    if (last_ms < now_ms)
        last_ms = now_ms;
    enum hale_rc rc = each_key(k, collector_chunk_of(now_ms - kept_ms) - 1,
                               collector_chunk_of(last_ms), false, drop);
    if (rc == HALE_OK)
        rc = each_key(k, late_from(h, now_ms), collector_chunk_of(now_ms), true, drop);
    if (rc == HALE_OK)
        rc = drop(k);
    free(k->text);
    free(k);
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
