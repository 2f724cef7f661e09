/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "collector/archive.h"
#include "collector/hot.h"
#include "collector/tiers.h"

#define AHEAD_MS     (32LL * 86400000) /* samples further in the future have expired */
#define ROUND_SERIES 1024              /* under way at most */
#define FIRST_ROUND  (COLLECTOR_READ_ROUND_BYTES / 4)
#define KEYS_MAX     4096 /* without an answer */
#define KEY_BYTES    64   /* what a reply costs besides */

/* --- archive ---------------------------------------------------------------------------- */

struct fill {
    struct collector *c;
    const struct collector_series *s;
    struct hale_rrd_layout layout;
    int64_t cut_s; /* raw samples begin here: no row may reach over it */
    bool sums;
    struct collector_points *out;
};

static int64_t round_up(int64_t t, int64_t step)
{
    return (t + step - 1) / step * step;
}

static void add_row(struct fill *f, const struct hale_rrd_rows *rows, size_t i)
{
    const struct hale_rrd_cell *cell = &rows->cells[i];
    int64_t t_s = rows->start_s + (int64_t)i * rows->step_s;
    int64_t end_ms = (t_s + rows->step_s) * 1000;

    if (cell->n == 0)
        return;
    collector_points_add_row(f->out, t_s * 1000, cell);
    if (rows->step_s > f->out->step_s)
        f->out->step_s = rows->step_s;
    if (end_ms > f->out->coarse_until_ms)
        f->out->coarse_until_ms = end_ms;
}

static enum hale_rc fill_tier(struct fill *f, int64_t from_s, int64_t to_s,
                              unsigned tier);

/* What a tier cannot give exactly, since its rows reach over from or to, a finer one gives; if
 * none does, a row that begins inside counts whole, unless raw samples follow. */
static enum hale_rc fill_edges(struct fill *f, const struct hale_rrd_rows *rows,
                               int64_t from_s, int64_t to_s, unsigned tier)
{
    int64_t step_s = rows->step_s;
    int64_t end_s = rows->start_s + (int64_t)rows->n * step_s;
    int64_t first_s = round_up(from_s, step_s);
    int64_t last_s = to_s / step_s * step_s; /* of whole rows */
    enum hale_rc rc = HALE_OK;

    if (last_s > end_s)
        last_s = end_s;
    if (last_s < first_s)
        last_s = first_s;
    if (tier > 0 && first_s > from_s)
        rc = fill_tier(f, from_s, first_s < to_s ? first_s : to_s, tier - 1);
    for (size_t i = 0; rc == HALE_OK && i < rows->n; i++) {
        int64_t t_s = rows->start_s + (int64_t)i * step_s;
        if (t_s >= first_s && t_s < last_s)
            add_row(f, rows, i);
    }
    if (rc != HALE_OK || last_s >= to_s)
        return rc;
    size_t before = f->out->n;
    if (tier > 0)
        rc = fill_tier(f, last_s, to_s, tier - 1);
    if (rc == HALE_OK && f->out->n == before && to_s < f->cut_s && last_s < end_s &&
        last_s >= rows->start_s)
        add_row(f, rows, (size_t)((last_s - rows->start_s) / step_s));
    return rc;
}

static enum hale_rc fill_tier(struct fill *f, int64_t from_s, int64_t to_s, unsigned tier)
{
    struct hale_rrd_rows rows;
    enum hale_rc rc = HALE_E_NOTFOUND;

    if (from_s >= to_s)
        return HALE_OK;
    const struct collector_archive_range r = {from_s, to_s, f->layout.tiers[tier].step_s,
                                              f->sums};
    rc = collector_archive_fetch(f->c->archive, f->s, &r, &rows);
    if (rc == HALE_E_NOTFOUND)
        return HALE_OK;
    if (rc != HALE_OK)
        return rc;
    if (rows.n > 0)
        rc = fill_edges(f, &rows, from_s, to_s, tier);
    else if (tier > 0)
        rc = fill_tier(f, from_s, to_s, tier - 1);
    free(rows.cells);
    return rc;
}

/* The coarsest tier that the wanted step is a multiple of. */
static unsigned choose(const struct hale_rrd_layout *l, int64_t step_s)
{
    unsigned tier = 0;

    for (unsigned i = 1; i < l->n_tiers; i++) {
        if (step_s >= l->tiers[i].step_s && step_s % l->tiers[i].step_s == 0)
            tier = i;
    }
    return tier;
}

static enum hale_rc add_archive(struct collector *c, const struct collector_series *s,
                                const struct collector_range *r, int64_t cut_ms,
                                struct collector_points *out)
{
    struct fill f = {.c = c, .s = s, .cut_s = cut_ms / 1000, .sums = r->sums, .out = out};
    int64_t end_ms = r->end_ms < cut_ms ? r->end_ms : cut_ms;
    int64_t from_ms = r->start_ms > 0 ? r->start_ms : 0;

    if (!collector_archive_layout(c->archive, s, &f.layout))
        return HALE_OK;
    return fill_tier(&f, (from_ms + 999) / 1000, (end_ms + 999) / 1000,
                     choose(&f.layout, r->step_s));
}

/* --- raw -------------------------------------------------------------------------------- */

/* Raw samples are there from the hot window on, or from what is not archived yet. */
static int64_t cut_of(struct collector *c, const struct collector_series *s,
                      int64_t now_ms)
{
    int64_t window_ms =
        (collector_chunk_of(now_ms - c->conf->hot_retention_ms) + 1) * COLLECTOR_CHUNK_MS;
    struct hale_rrd_layout layout;
    struct hale_series text;

    if (c->archive == NULL)
        return window_ms;
    int64_t archived_ms = collector_archive_end_ms(c->archive, s->shard);
    if (archived_ms >= window_ms)
        return window_ms;
    bool kept = collector_archive_layout(c->archive, s, &layout) ||
                (hale_series_decode(collector_series_text(s), &text) == HALE_OK &&
                 collector_tiers_of(c->conf->tiers, text.name) != NULL);
    return kept ? archived_ms : window_ms;
}

struct under_way { /* a series whose raw samples were asked for */
    struct collector_hot_fetch fetch;
    int64_t cut_ms;
};
struct collector_reading {
    struct collector *c;
    struct hale_redis *redis;
    struct collector_series *const *series;
    size_t n, next; /* next: whose points are given next */
    struct collector_range range;
    int64_t now_ms;
    size_t begun;       /* series [next, begun) are under way */
    size_t round_bytes; /* of a round, growing: not all series may be wanted */
    size_t guess;       /* bytes of a chunk */
    size_t keys, bytes; /* answered in all */
    struct under_way way[];
};

struct collector_reading *
collector_reading_new(struct collector *c, struct hale_redis *redis,
                      struct collector_series *const *series, size_t n,
                      const struct collector_range *range, int64_t now_ms)
{
    size_t most = n < ROUND_SERIES ? n : ROUND_SERIES;
    struct collector_reading *r = calloc(1, sizeof(*r) + most * sizeof(r->way[0]));

    if (r == NULL)
        return NULL;
    r->c = c;
    r->redis = redis;
    r->series = series;
    r->n = n;
    r->range = *range;
    r->now_ms = now_ms;
    r->round_bytes = FIRST_ROUND;
    r->guess = collector_hot_chunk_bytes(c->hot);
    return r;
}

static struct under_way *way_of(struct collector_reading *r, size_t i)
{
    return &r->way[i % ROUND_SERIES];
}

void collector_reading_free(struct collector_reading *r)
{
    if (r == NULL)
        return;
    if (r->keys > 0)
        collector_hot_chunk_bytes_seen(r->c->hot, r->bytes / r->keys);
    for (size_t i = r->next; i < r->begun; i++)
        collector_hot_fetch_fini(&way_of(r, i)->fetch);
    free(r);
}

/* Copies what is in memory, and says which chunks are wanted. */
static enum hale_rc begin(struct collector_reading *r)
{
    const struct collector_series *s = r->series[r->begun];
    struct under_way *w = way_of(r, r->begun);
    int64_t last_ms = atomic_load(&s->last_ms);

    w->cut_ms = cut_of(r->c, s, r->now_ms);
    if (last_ms < r->now_ms)
        last_ms = r->now_ms; /* unknown, or older than what is on its way */
    else if (last_ms > r->now_ms + AHEAD_MS)
        last_ms = r->now_ms + AHEAD_MS;
    struct collector_hot_range hot = {r->range.start_ms, r->range.end_ms, w->cut_ms,
                                      r->now_ms};
    if (hot.end_ms > last_ms + COLLECTOR_CHUNK_MS)
        hot.end_ms = last_ms + COLLECTOR_CHUNK_MS;
    r->begun++;
    return collector_hot_fetch_init(&w->fetch, r->c->hot, s, &hot);
}

struct round_trip {
    size_t taking; /* the series whose answer comes next */
    size_t keys;   /* asked for and not answered */
    size_t bytes;  /* held, of answers and copies of memory */
};

static bool has_room(const struct collector_reading *r, const struct round_trip *t)
{
    return t->bytes + t->keys * (r->guess + KEY_BYTES) < r->round_bytes &&
           t->keys < KEYS_MAX;
}

/* Queues questions as far as their answers are expected to fit; the next series whole in any case,
 * one question after the other if need be. */
static enum hale_rc ask_ahead(struct collector_reading *r, struct round_trip *t)
{
    enum hale_rc rc = HALE_OK;

    while (rc == HALE_OK) {
        struct collector_hot_fetch *f =
            r->begun > r->next ? &way_of(r, r->begun - 1)->fetch : NULL;
        size_t left = f != NULL ? collector_hot_fetch_left(f) : 0;
        if (left > 0 && (t->keys == 0 || has_room(r, t))) {
            t->keys += left;
            rc = collector_hot_fetch_ask(f, r->redis);
        } else if (left == 0 && r->begun < r->n && r->begun - r->next < ROUND_SERIES &&
                   (f == NULL || has_room(r, t))) {
            rc = begin(r);
            t->bytes += way_of(r, r->begun - 1)->fetch.memory.len;
        } else {
            break;
        }
    }
    return rc;
}

static enum hale_rc take_answer(struct collector_reading *r, struct round_trip *t)
{
    size_t bytes;

    while (collector_hot_fetch_unanswered(&way_of(r, t->taking)->fetch) == 0)
        t->taking++;
    struct collector_hot_fetch *f = &way_of(r, t->taking)->fetch;
    size_t keys = collector_hot_fetch_unanswered(f);
    enum hale_rc rc = collector_hot_fetch_take(f, r->redis, &bytes);
    keys -= collector_hot_fetch_unanswered(f);
    t->keys -= keys;
    t->bytes += bytes;
    r->keys += keys;
    r->bytes += bytes;
    r->guess = r->bytes / r->keys;
    return rc;
}

static enum hale_rc fill(struct collector_reading *r)
{
    struct round_trip t = {.taking = r->next};
    enum hale_rc rc = ask_ahead(r, &t);

    while (rc == HALE_OK && t.keys > 0) {
        rc = take_answer(r, &t);
        if (rc == HALE_OK)
            rc = ask_ahead(r, &t);
    }
    if (rc != HALE_OK)
        hale_redis_drain(r->redis);
    if (r->round_bytes < COLLECTOR_READ_ROUND_BYTES)
        r->round_bytes *= 4;
    return rc;
}

enum hale_rc collector_reading_next(struct collector_reading *r,
                                    struct collector_points *out)
{
    enum hale_rc rc = HALE_OK;

    HALE_ASSERT(r->next < r->n);
    collector_points_clear(out);
    if (r->next == r->begun)
        rc = fill(r);
    if (rc != HALE_OK)
        return rc;
    struct under_way *w = way_of(r, r->next);
    collector_hot_fetch_decode(&w->fetch, out);
    collector_hot_fetch_fini(&w->fetch);
    collector_points_settle(out);
    const struct collector_series *s = r->series[r->next++];
    if (r->c->archive != NULL && r->range.start_ms < w->cut_ms) {
        rc = add_archive(r->c, s, &r->range, w->cut_ms, out);
        collector_points_sort(out);
    }
    return rc == HALE_OK && out->failed ? HALE_E_LIMIT : rc;
}

enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                            struct collector_series *s,
                            const struct collector_range *range,
                            struct collector_points *out)
{
    struct collector_reading *r =
        collector_reading_new(c, redis, &s, 1, range, hale_clock_wall_ms());

    if (r == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = collector_reading_next(r, out);
    collector_reading_free(r);
    return rc;
}
