/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/archive.h"
#include "collector/hot.h"
#include "collector/tiers.h"

#define AHEAD_MS (32LL * 86400000) /* samples further in the future have expired */

/* --- archive ---------------------------------------------------------------------------- */

struct fill {
    struct collector *c;
    const struct collector_series *s;
    struct hale_rrd_layout layout;
    int64_t cut_s; /* raw samples begin here: no row may reach over it */
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
    rc = collector_archive_fetch(f->c->archive, f->s, from_s, to_s,
                                 f->layout.tiers[tier].step_s, &rows);
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
    struct fill f = {.c = c, .s = s, .cut_s = cut_ms / 1000, .out = out};
    int64_t end_ms = r->end_ms < cut_ms ? r->end_ms : cut_ms;
    int64_t from_ms = r->start_ms > 0 ? r->start_ms : 0;

    if (!collector_archive_layout(c->archive, s, &f.layout))
        return HALE_OK;
    return fill_tier(&f, (from_ms + 999) / 1000, (end_ms + 999) / 1000,
                     choose(&f.layout, r->step_s));
}

/* --- raw -------------------------------------------------------------------------------- */

static enum hale_rc add_raw(struct collector *c, struct hale_redis *redis,
                            const struct collector_series *s,
                            const struct collector_hot_range *range,
                            struct collector_points *out)
{
    struct collector_points tail;

    /* Memory first: what a flush moves meanwhile is then found twice, never missed. */
    collector_points_init(&tail, COLLECTOR_READ_MAX_POINTS);
    collector_hot_copy(c->hot, s->id, range, &tail);
    enum hale_rc rc = collector_hot_read(c->hot, redis, s, range, out);
    for (size_t i = 0; rc == HALE_OK && i < tail.n; i++) {
        struct collector_sample sample = {tail.v[i].time_ms, tail.v[i].value,
                                          collector_points_meta(&tail, i)};
        collector_points_add(out, &sample);
    }
    if (tail.failed)
        rc = HALE_E_LIMIT;
    collector_points_fini(&tail);
    collector_points_settle(out);
    return rc;
}

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

enum hale_rc collector_read_at(struct collector *c, struct hale_redis *redis,
                               const struct collector_series *s,
                               const struct collector_range *range, int64_t now_ms,
                               struct collector_points *out)
{
    int64_t cut_ms = cut_of(c, s, now_ms);
    int64_t last_ms = atomic_load(&s->last_ms);
    struct collector_hot_range hot = {range->start_ms, range->end_ms, cut_ms, now_ms};

    collector_points_clear(out);
    if (last_ms < now_ms)
        last_ms = now_ms; /* unknown, or older than what is on its way */
    else if (last_ms > now_ms + AHEAD_MS)
        last_ms = now_ms + AHEAD_MS;
    if (hot.end_ms > last_ms + COLLECTOR_CHUNK_MS)
        hot.end_ms = last_ms + COLLECTOR_CHUNK_MS;
    enum hale_rc rc =
        hot.start_ms < hot.end_ms ? add_raw(c, redis, s, &hot, out) : HALE_OK;
    if (rc == HALE_OK && c->archive != NULL && range->start_ms < cut_ms) {
        rc = add_archive(c, s, range, cut_ms, out);
        collector_points_sort(out);
    }
    if (rc == HALE_OK && out->failed)
        rc = HALE_E_LIMIT;
    return rc;
}

enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                            const struct collector_series *s,
                            const struct collector_range *range,
                            struct collector_points *out)
{
    return collector_read_at(c, redis, s, range, hale_clock_wall_ms(), out);
}
