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

static struct collector_point *add(struct collector_points *p)
{
    if (p->failed)
        return NULL;
    if (p->n == p->cap) {
        size_t cap = p->cap > 0 ? 2 * p->cap : 256;
        struct collector_point *v =
            p->n < p->max ? realloc(p->v, cap * sizeof(*v)) : NULL;
        if (v == NULL) {
            p->failed = true;
            return NULL;
        }
        p->v = v;
        p->cap = cap;
    }
    struct collector_point *q = &p->v[p->n];
    memset(q, 0, sizeof(*q));
    q->seq = (uint32_t)p->n++;
    return q;
}

void collector_points_add(struct collector_points *p, const struct collector_sample *s)
{
    struct collector_point *q = add(p);

    if (q == NULL)
        return;
    q->time_ms = s->time_ms;
    q->value = q->min = q->max = q->sum = s->value;
    q->weight = 1;
    q->meta_at = p->metas.len;
    q->meta_len = (uint32_t)s->meta.len;
    hale_buf_add_str(&p->metas, s->meta);
    if (p->metas.failed)
        p->failed = true;
}

void collector_points_add_row(struct collector_points *p, int64_t time_ms,
                              const struct hale_rrd_cell *cell)
{
    struct collector_point *q = add(p);

    if (q == NULL)
        return;
    q->time_ms = time_ms;
    q->sum = cell->sum;
    q->weight = (double)cell->n;
    q->value = cell->sum / (double)cell->n;
    q->min = cell->min;
    q->max = cell->max;
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

void collector_points_sort(struct collector_points *p)
{
    for (size_t i = 1; i < p->n; i++) {
        if (by_time(&p->v[i - 1], &p->v[i]) > 0) {
            qsort(p->v, p->n, sizeof(p->v[0]), by_time);
            return;
        }
    }
}

void collector_points_settle(struct collector_points *p)
{
    size_t n = 0;

    collector_points_sort(p);
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
