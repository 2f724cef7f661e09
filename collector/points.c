/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/points.h"

#include <stdlib.h>
#include <string.h>

#define METAS_MAX ((size_t)256 << 20)

void collector_points_init(struct collector_points *p, size_t max_points)
{
    memset(p, 0, sizeof(*p));
    p->max = max_points;
    p->coarse_until_ms = INT64_MIN;
    hale_buf_init(&p->metas, METAS_MAX);
}

void collector_points_fini(struct collector_points *p)
{
    free(p->v);
    hale_buf_fini(&p->metas);
    p->v = NULL;
    p->n = p->cap = 0;
}

void collector_points_clear(struct collector_points *p)
{
    p->n = 0;
    p->step_s = 0;
    p->coarse_until_ms = INT64_MIN;
    hale_buf_reset(&p->metas);
}

/* Room for n more; false: there is none, and failed is set. */
static bool reserve(struct collector_points *p, size_t n)
{
    size_t cap = p->cap > 0 ? p->cap : 256;

    if (p->failed)
        return false;
    if (n <= p->cap - p->n)
        return true;
    while (cap < p->n + n)
        cap *= 2;
    struct collector_point *v = p->n < p->max ? realloc(p->v, cap * sizeof(*v)) : NULL;
    if (v == NULL) {
        p->failed = true;
        return false;
    }
    p->v = v;
    p->cap = cap;
    return true;
}

static void add_meta(struct collector_points *p, struct collector_point *q,
                     struct hale_str meta)
{
    q->meta_at = p->metas.len;
    q->meta_len = (uint32_t)meta.len;
    hale_buf_add_str(&p->metas, meta);
    if (p->metas.failed)
        p->failed = true;
}

void collector_points_add_some(struct collector_points *p,
                               const struct collector_sample *s, size_t n,
                               int64_t from_ms, int64_t to_ms)
{
    size_t at = p->n;

    if (!reserve(p, n))
        return;
    for (size_t i = 0; i < n; i++) {
        if (s[i].time_ms < from_ms || s[i].time_ms >= to_ms)
            continue;
        struct collector_point *q = &p->v[at];
        double v = s[i].value;
        *q = (struct collector_point){s[i].time_ms, v, v, v, v, 1, (uint32_t)at, 0, 0};
        at++;
        if (s[i].meta.len > 0)
            add_meta(p, q, s[i].meta);
    }
    p->n = at;
}

void collector_points_add(struct collector_points *p, const struct collector_sample *s)
{
    if (!reserve(p, 1))
        return;
    struct collector_point *q = &p->v[p->n];
    double v = s->value;
    *q = (struct collector_point){s->time_ms, v, v, v, v, 1, (uint32_t)p->n++, 0, 0};
    if (s->meta.len > 0)
        add_meta(p, q, s->meta);
}

void collector_points_add_row(struct collector_points *p, int64_t time_ms,
                              const struct hale_rrd_cell *cell)
{
    if (!reserve(p, 1))
        return;
    p->v[p->n] = (struct collector_point){.time_ms = time_ms,
                                          .value = cell->sum / (double)cell->n,
                                          .min = cell->min,
                                          .max = cell->max,
                                          .sum = cell->sum,
                                          .weight = (double)cell->n,
                                          .seq = (uint32_t)p->n};
    p->n++;
}

struct hale_str collector_points_meta(const struct collector_points *p, size_t i)
{
    if (p->v[i].meta_len == 0)
        return (struct hale_str){NULL, 0};
    return (struct hale_str){p->metas.p + p->v[i].meta_at, p->v[i].meta_len};
}

static int by_time(const void *a, const void *b)
{
    const struct collector_point *x = a;
    const struct collector_point *y = b;

    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Where ascending order ends from the point after `from` on. */
static size_t run_end(const struct collector_points *p, size_t from)
{
    size_t i = from + 1;

    while (i < p->n &&
           (p->v[i - 1].time_ms < p->v[i].time_ms ||
            (p->v[i - 1].time_ms == p->v[i].time_ms && p->v[i - 1].seq < p->v[i].seq)))
        i++;
    return i;
}

/* Two ascending runs, which is what raw samples and the archive's rows are. False: no memory. */
static bool merge(struct collector_points *p, size_t second)
{
    struct collector_point *v = malloc(p->cap * sizeof(*v));
    size_t a = 0;
    size_t b = second;

    if (v == NULL)
        return false;
    for (size_t i = 0; i < p->n; i++) {
        bool left = b == p->n || (a < second && by_time(&p->v[a], &p->v[b]) < 0);
        v[i] = left ? p->v[a++] : p->v[b++];
    }
    free(p->v);
    p->v = v;
    return true;
}

void collector_points_sort(struct collector_points *p)
{
    size_t second = run_end(p, 0);

    if (second >= p->n)
        return;
    if (run_end(p, second) < p->n || !merge(p, second))
        qsort(p->v, p->n, sizeof(p->v[0]), by_time);
}

void collector_points_settle(struct collector_points *p)
{
    size_t n = 1;

    while (n < p->n && p->v[n - 1].time_ms < p->v[n].time_ms)
        n++;
    if (n >= p->n)
        return; /* as it should be: each later than the one before */
    collector_points_sort(p);
    n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (n > 0 && p->v[n - 1].time_ms == p->v[i].time_ms)
            n--;
        p->v[n++] = p->v[i];
    }
    p->n = n;
}

size_t collector_points_from(const struct collector_points *p, int64_t t)
{
    size_t lo = 0;
    size_t hi = p->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->v[mid].time_ms < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
