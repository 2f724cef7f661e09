/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/archive.h"
#include "collector/hot.h"

#define CHUNKS_MAX 20000             /* probed per series: 138 days */
#define AHEAD_MS   (15LL * 86400000) /* samples further in the future are not looked for */

/* Part of the range in which chunks may exist. The window of the last hot_retention always
 * has them; older ones exist only for samples that came late, which is known exactly once
 * the process has run for hot_retention. */
static void chunk_range(struct collector *c, const struct collector_series *s,
                        const struct collector_range *r, int64_t window_ms, int64_t *lo,
                        int64_t *hi)
{
    static _Atomic int64_t started_ms;
    int64_t now_ms = hale_clock_wall_ms();
    int64_t zero = 0;
    int64_t first = atomic_load(&s->first_ms);
    int64_t last = atomic_load(&s->last_ms);
    int64_t late = atomic_load(&s->late_ms);

    (void)atomic_compare_exchange_strong(&started_ms, &zero, now_ms);
    int64_t from = window_ms;
    if (late < from)
        from = late;
    if (now_ms - atomic_load(&started_ms) <
        c->conf->hot_retention_ms + 2 * COLLECTOR_CHUNK_MS)
        from = first;
    *lo = r->start_ms > from ? r->start_ms : from;
    int64_t to = now_ms + COLLECTOR_CHUNK_MS;
    if (last >= to)
        to = last < now_ms + AHEAD_MS ? last + 1 : now_ms + AHEAD_MS;
    *hi = r->end_ms < to ? r->end_ms : to;
    if (*hi > *lo && *hi - CHUNKS_MAX * (int64_t)COLLECTOR_CHUNK_MS > *lo)
        *lo = *hi - CHUNKS_MAX * (int64_t)COLLECTOR_CHUNK_MS;
}

/* Whether any of the first n (settled) points lies in t's chunk. */
static bool chunk_has_raw(const struct collector_points *p, size_t n, int64_t t)
{
    struct collector_points head = {.v = p->v, .n = n};
    int64_t start = collector_chunk_of(t) * COLLECTOR_CHUNK_MS;
    size_t i = collector_points_from(&head, start);

    return i < n && p->v[i].time_ms < start + COLLECTOR_CHUNK_MS;
}

static double row_or(const struct hale_rrd_series *rows, int64_t t_s, double otherwise)
{
    if (rows->n == 0 || rows->step_s <= 0 || t_s < rows->start_s)
        return otherwise;
    size_t i = (size_t)((t_s - rows->start_s) / rows->step_s);
    return i < rows->n && !isnan(rows->values[i]) ? rows->values[i] : otherwise;
}

static enum hale_rc add_archive(struct collector *c, const struct collector_series *s,
                                const struct collector_range *r, int64_t end_ms,
                                struct collector_points *out)
{
    struct hale_rrd_series avg = {0};
    struct hale_rrd_series min = {0};
    struct hale_rrd_series max = {0};
    int64_t first = atomic_load(&s->first_ms);
    int64_t from_ms = r->start_ms > first ? r->start_ms : first;
    size_t n_raw = out->n;

    if (from_ms < 0)
        from_ms = 0;
    if (from_ms >= end_ms)
        return HALE_OK;
    const struct collector_archive_span span = {from_ms / 1000, (end_ms + 999) / 1000,
                                                r->step_s};
    enum hale_rc rc =
        collector_archive_fetch(c->archive, s, HALE_RRD_AVERAGE, &span, &avg);
    if (rc == HALE_OK && r->extremes) {
        if (collector_archive_fetch(c->archive, s, HALE_RRD_MIN, &span, &min) != HALE_OK)
            min.n = 0;
        if (collector_archive_fetch(c->archive, s, HALE_RRD_MAX, &span, &max) != HALE_OK)
            max.n = 0;
    }
    for (size_t i = 0; rc == HALE_OK && i < avg.n; i++) {
        int64_t t_s = avg.start_s + (int64_t)i * avg.step_s;
        int64_t t_ms = t_s * 1000;
        if (isnan(avg.values[i]) || t_ms < r->start_ms || t_ms >= end_ms ||
            chunk_has_raw(out, n_raw, t_ms))
            continue;
        collector_points_add_row(
            out, t_ms, avg.values[i], row_or(&min, t_s, avg.values[i]),
            row_or(&max, t_s, avg.values[i]), (double)avg.step_s / 10.0);
    }
    free(avg.values);
    free(min.values);
    free(max.values);
    return rc == HALE_E_NOTFOUND || rc == HALE_OK ? HALE_OK : rc;
}

static enum hale_rc read_raw(struct collector *c, struct hale_redis *redis,
                             const struct collector_series *s, int64_t lo, int64_t hi,
                             struct collector_points *out)
{
    struct collector_points tail;

    if (lo >= hi)
        return HALE_OK;
    /* Memory first: what a flush moves meanwhile is then found twice, never missed. */
    collector_points_init(&tail, COLLECTOR_READ_MAX_POINTS);
    collector_hot_copy(c->hot, s->id, lo, hi, &tail);
    enum hale_rc rc = collector_hot_read(redis, s, lo, hi, out);
    for (size_t i = 0; rc == HALE_OK && i < tail.n; i++) {
        struct collector_sample sample = {tail.v[i].time_ms, tail.v[i].value,
                                          collector_points_meta(&tail, i)};
        collector_points_add(out, &sample);
    }
    if (tail.failed)
        rc = HALE_E_LIMIT;
    collector_points_fini(&tail);
    return rc;
}

enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                            const struct collector_series *s,
                            const struct collector_range *range,
                            struct collector_points *out)
{
    int64_t now_ms = hale_clock_wall_ms();
    int64_t window_ms =
        (collector_chunk_of(now_ms - c->conf->hot_retention_ms) + 1) * COLLECTOR_CHUNK_MS;
    int64_t lo;
    int64_t hi;

    collector_points_clear(out);
    chunk_range(c, s, range, window_ms, &lo, &hi);
    enum hale_rc rc = read_raw(c, redis, s, lo, hi, out);
    collector_points_settle(out);
    if (rc == HALE_OK && c->archive != NULL && range->start_ms < window_ms) {
        int64_t end_ms = range->end_ms < window_ms ? range->end_ms : window_ms;
        rc = add_archive(c, s, range, end_ms, out);
        collector_points_settle(out);
    }
    if (rc == HALE_OK && out->failed)
        rc = HALE_E_LIMIT;
    return rc;
}
