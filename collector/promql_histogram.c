/* SPDX-License-Identifier: Apache-2.0 */
/* promql_histogram - histogram_quantile over cumulative buckets (label le). */
#include <math.h>
#include <stdlib.h>

#include "collector/promql_private.h"

struct bucket {
    double bound, count;
};

struct histograms {
    const struct collector_promql_value *in;
    const double *q; /* by step */
    double *bound;   /* by row: its le; NaN: no bucket */
    size_t *next;    /* by row: the next one of its histogram, numbers + 1 */
    size_t *member;  /* by row: its histogram */
    struct collector_promql_groups groups; /* labels without le */
};

static int by_bound(const void *a, const void *b)
{
    double x = ((const struct bucket *)a)->bound;
    double y = ((const struct bucket *)b)->bound;

    return (x > y) - (x < y);
}

/* Buckets of one bound are added, and no bucket counts less than the one before. */
static size_t tidy(struct bucket *b, size_t n)
{
    size_t kept = 1;

    for (size_t i = 1; i < n; i++) {
        if (b[i].bound == b[kept - 1].bound)
            b[kept - 1].count += b[i].count;
        else
            b[kept++] = b[i];
    }
    double most = -INFINITY;
    for (size_t i = 0; i < kept; i++) {
        if (b[i].count > most)
            most = b[i].count;
        else if (b[i].count < most)
            b[i].count = most;
    }
    return kept;
}

static double bucket_quantile(double q, struct bucket *b, size_t n)
{
    if (isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    qsort(b, n, sizeof(*b), by_bound);
    if (!isinf(b[n - 1].bound) || b[n - 1].bound < 0)
        return NAN;
    n = tidy(b, n);
    if (n < 2 || b[n - 1].count == 0 || isnan(b[n - 1].count))
        return NAN;
    double rank = q * b[n - 1].count;
    size_t at = 0;
    while (at < n - 1 && !(b[at].count >= rank))
        at++;
    if (at == n - 1)
        return b[n - 2].bound;
    if (at == 0 && b[0].bound <= 0)
        return b[0].bound;
    double start = at > 0 ? b[at - 1].bound : 0;
    double below = at > 0 ? b[at - 1].count : 0;
    return start + (b[at].bound - start) * ((rank - below) / (b[at].count - below));
}

static double parse_bound(struct hale_str s)
{
    double d;

    if (s.len == 0)
        return NAN;
    if (hale_str_ieq_c(s, "+Inf") || hale_str_ieq_c(s, "Inf"))
        return INFINITY;
    if (hale_str_ieq_c(s, "-Inf"))
        return -INFINITY;
    if (s.p[0] == '+')
        s = (struct hale_str){s.p + 1, s.len - 1};
    return hale_str_double(s, &d) == HALE_OK ? d : NAN;
}

static bool find(struct promql_eval *e, struct histograms *h)
{
    struct hale_str le = HALE_STR("le");
    const struct hale_promql_names names = {1, &le};

    h->groups.arena = e->arena;
    h->bound = hale_arena_array(e->arena, h->in->n, sizeof(*h->bound));
    h->member = hale_arena_array(e->arena, h->in->n, sizeof(*h->member));
    if (h->bound == NULL || h->member == NULL)
        return promql_no_memory(e);
    for (size_t r = 0; r < h->in->n; r++) {
        const struct collector_promql_labels *l = h->in->rows[r].labels;
        h->bound[r] = parse_bound(collector_promql_label(l, le));
        if (isnan(h->bound[r]))
            continue;
        l = collector_promql_labels_pick(e->arena, l, &names, false, false);
        h->member[r] =
            l != NULL ? collector_promql_group(&h->groups, l) : COLLECTOR_PROMQL_NO_GROUP;
        if (h->member[r] == COLLECTOR_PROMQL_NO_GROUP)
            return promql_no_memory(e);
    }
    return promql_tick(e, h->in->n);
}

/* The histogram whose rows are the list that begins with number first, at each step. */
static bool fill(struct promql_eval *e, const struct promql_grid *g,
                 const struct histograms *h, size_t first, struct bucket *b, double *v)
{
    for (size_t i = 0; i < g->n; i++) {
        size_t n = 0;
        for (size_t r = first; r > 0; r = h->next[r - 1])
            if (!collector_promql_is_none(h->in->rows[r - 1].v[i]))
                b[n++] = (struct bucket){h->bound[r - 1], h->in->rows[r - 1].v[i]};
        if (n > 0)
            v[i] = bucket_quantile(h->q[i], b, n);
        if (!promql_tick(e, 4 * n))
            return false;
    }
    return true;
}

bool promql_histogram_quantile(struct promql_eval *e, const struct promql_grid *g,
                               const double *q, const struct collector_promql_value *in,
                               struct collector_promql_value *out)
{
    struct histograms h = {.in = in, .q = q};

    if (!find(e, &h) || !promql_vector(e, out, h.groups.n))
        return false;
    struct bucket *b = hale_arena_array(e->arena, in->n, sizeof(*b));
    if (b == NULL)
        return promql_no_memory(e);
    size_t *first = hale_arena_array(e->arena, h.groups.n + 1, sizeof(*first));
    h.next = hale_arena_array(e->arena, in->n, sizeof(*h.next));
    if (first == NULL || h.next == NULL)
        return promql_no_memory(e);
    for (size_t r = in->n; r-- > 0;) {
        if (isnan(h.bound[r]))
            continue;
        h.next[r] = first[h.member[r]];
        first[h.member[r]] = r + 1;
    }
    for (size_t k = 0; k < h.groups.n; k++) {
        double *v = promql_row(
            e, g, out, collector_promql_labels_nameless(e->arena, h.groups.labels[k]));
        if (v == NULL || !fill(e, g, &h, first[k], b, v))
            return false;
    }
    return promql_settle(e, g, out, false);
}
