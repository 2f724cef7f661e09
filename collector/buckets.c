/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/buckets.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define COMPACT_MIN 4096
#define BUCKETS_MAX 4000000

void collector_buckets_init(struct collector_buckets *b, int64_t period_s)
{
    memset(b, 0, sizeof(*b));
    b->period_s = period_s;
    b->compact_at = COMPACT_MIN;
}

void collector_buckets_fini(struct collector_buckets *b)
{
    free(b->v);
    b->v = NULL;
    b->n = b->cap = 0;
}

void collector_buckets_clear(struct collector_buckets *b)
{
    b->n = b->settled = 0;
    b->compact_at = COMPACT_MIN;
}

static int64_t start_of(int64_t time_ms, int64_t period_s)
{
    int64_t period_ms = period_s * 1000;
    int64_t q = time_ms / period_ms;

    if (time_ms % period_ms < 0)
        q--;
    return q * period_s;
}

static struct collector_bucket *append(struct collector_buckets *b)
{
    if (b->n == b->cap) {
        size_t cap = b->cap > 0 ? 2 * b->cap : 256;
        struct collector_bucket *v =
            b->n < BUCKETS_MAX ? realloc(b->v, cap * sizeof(*v)) : NULL;
        if (v == NULL) {
            b->failed = true;
            return NULL;
        }
        b->v = v;
        b->cap = cap;
    }
    return &b->v[b->n++];
}

static void fold(struct collector_bucket *into, const struct collector_bucket *from)
{
    into->weight += from->weight;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
}

static int by_start(const void *a, const void *b)
{
    const struct collector_bucket *x = a;
    const struct collector_bucket *y = b;

    return x->start_s < y->start_s ? -1 : x->start_s > y->start_s;
}

void collector_buckets_settle(struct collector_buckets *b)
{
    size_t n = 0;

    if (b->n == b->settled)
        return;
    HALE_ASSERT(b->v != NULL);
    qsort(b->v, b->n, sizeof(b->v[0]), by_start);
    for (size_t i = 0; i < b->n; i++) {
        if (n > 0 && b->v[n - 1].start_s == b->v[i].start_s)
            fold(&b->v[n - 1], &b->v[i]);
        else
            b->v[n++] = b->v[i];
    }
    b->n = b->settled = n;
}

/* The settled bucket of a start, not before *at, which moves to where it is or would be. */
static struct collector_bucket *find(const struct collector_buckets *b, size_t *at,
                                     int64_t start_s)
{
    if (*at < b->settled && b->v[*at].start_s < start_s)
        ++*at; /* usually the next one */
    if (*at < b->settled && b->v[*at].start_s < start_s) {
        size_t hi = b->settled;
        while (*at < hi) {
            size_t mid = *at + (hi - *at) / 2;
            if (b->v[mid].start_s < start_s)
                *at = mid + 1;
            else
                hi = mid;
        }
    }
    return *at < b->settled && b->v[*at].start_s == start_s ? &b->v[*at] : NULL;
}

void collector_buckets_add(struct collector_buckets *b, const struct collector_points *p)
{
    struct collector_bucket *last = NULL; /* of this series */
    int64_t period_ms = b->period_s * 1000;
    bool first = b->n == 0;
    size_t at = 0;

    for (size_t i = 0; i < p->n && !b->failed; i++) {
        const struct collector_point *q = &p->v[i];
        struct collector_bucket one = {0, q->weight, q->sum, q->min, q->max};
        if (last != NULL && q->time_ms - last->start_s * 1000 < period_ms) {
            fold(last, &one);
            continue;
        }
        one.start_s = start_of(q->time_ms, b->period_s);
        last = find(b, &at, one.start_s);
        if (last != NULL)
            fold(last, &one);
        else if ((last = append(b)) != NULL)
            *last = one;
    }
    if (first)
        b->settled = b->n;
    if (b->n - b->settled > b->compact_at) {
        collector_buckets_settle(b);
        b->compact_at = b->n > COMPACT_MIN ? b->n : COMPACT_MIN;
    }
}
