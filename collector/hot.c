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
#define CHUNK_BYTES     1024        /* a guess before any was read */
#define ROUND_BYTES_MAX ((size_t)64 << 20)

struct collector_hot *collector_hot_new(struct collector *c, int64_t now_ms)
{
    struct collector_hot *h = hale_xcalloc(1, sizeof(*h));

    h->app = c;
    h->n_shards = (unsigned)c->conf->shards;
    h->retention_ms = c->conf->hot_retention_ms;
    h->started_ms = now_ms;
    h->chunk_bytes = CHUNK_BYTES;
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
