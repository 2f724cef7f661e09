/* SPDX-License-Identifier: Apache-2.0 */
/* promql_aggregate - sum, avg, topk and so on, over the rows of a group at each step. */
#include <math.h>
#include <stdlib.h>

#include "collector/promql_private.h"

struct grouping {
    struct promql_eval *e;
    const struct promql_grid *g;
    const struct hale_promql_node *n;
    const struct collector_promql_value *in;
    struct collector_promql_groups groups;
    size_t *group;           /* by row */
    const double *parameter; /* by step, or NULL */
    struct collector_promql_value *out;
};

static bool find_groups(struct grouping *a)
{
    a->groups.arena = a->e->arena;
    a->group = hale_arena_array(a->e->arena, a->in->n, sizeof(*a->group));
    if (a->group == NULL)
        return promql_no_memory(a->e);
    for (size_t r = 0; r < a->in->n; r++) {
        const struct collector_promql_labels *l = collector_promql_labels_pick(
            a->e->arena, a->in->rows[r].labels, &a->n->labels, !a->n->without, true);
        a->group[r] =
            l != NULL ? collector_promql_group(&a->groups, l) : COLLECTOR_PROMQL_NO_GROUP;
        if (a->group[r] == COLLECTOR_PROMQL_NO_GROUP)
            return promql_no_memory(a->e);
    }
    return promql_tick(a->e, a->in->n);
}

/* A row for each group, all none. */
static bool group_rows(struct grouping *a)
{
    if (!promql_vector(a->e, a->out, a->groups.n))
        return false;
    for (size_t i = 0; i < a->groups.n; i++)
        if (promql_row(a->e, a->g, a->out, a->groups.labels[i]) == NULL)
            return false;
    return true;
}

/* --- value by value ---------------------------------------------------------------------------- */

/* Mean with one more value, which is the n-th. */
static double mean_with(double mean, double v, double n)
{
    if (isinf(mean)) {
        if (isinf(v) && (mean > 0) == (v > 0))
            return mean;
        if (!isinf(v) && !isnan(v))
            return mean;
    }
    return mean + (v / n - mean / n);
}

struct cell { /* of a group at a step, besides its value */
    double n, mean;
};

static double first(enum hale_promql_aggregate which, double v)
{
    switch (which) {
    case HALE_PROMQL_AGG_COUNT:
    case HALE_PROMQL_AGG_GROUP: return 1;
    case HALE_PROMQL_AGG_STDDEV:
    case HALE_PROMQL_AGG_STDVAR: return 0;
    case HALE_PROMQL_AGG_SUM:
    case HALE_PROMQL_AGG_AVG:
    case HALE_PROMQL_AGG_MIN:
    case HALE_PROMQL_AGG_MAX:
    case HALE_PROMQL_AGG_TOPK:
    case HALE_PROMQL_AGG_BOTTOMK:
    case HALE_PROMQL_AGG_QUANTILE:
    case HALE_PROMQL_AGG_N: break;
    }
    return v;
}

static double further(enum hale_promql_aggregate which, double value, double v,
                      struct cell *c)
{
    double delta;

    switch (which) {
    case HALE_PROMQL_AGG_SUM: return value + v;
    case HALE_PROMQL_AGG_AVG: return mean_with(value, v, c->n);
    case HALE_PROMQL_AGG_MIN: return isnan(value) || v < value ? v : value;
    case HALE_PROMQL_AGG_MAX: return isnan(value) || v > value ? v : value;
    case HALE_PROMQL_AGG_COUNT: return c->n;
    case HALE_PROMQL_AGG_STDDEV:
    case HALE_PROMQL_AGG_STDVAR:
        delta = v - c->mean;
        c->mean += delta / c->n;
        return value + delta * (v - c->mean);
    case HALE_PROMQL_AGG_GROUP:
    case HALE_PROMQL_AGG_TOPK:
    case HALE_PROMQL_AGG_BOTTOMK:
    case HALE_PROMQL_AGG_QUANTILE:
    case HALE_PROMQL_AGG_N: break;
    }
    return value;
}

static bool running(struct grouping *a)
{
    enum hale_promql_aggregate which = a->n->aggregate;
    size_t n_steps = a->g->n;

    if (!group_rows(a) || !promql_budget(a->e, 2 * a->groups.n * n_steps))
        return false;
    struct cell *cells =
        hale_arena_array(a->e->arena, a->groups.n * n_steps, sizeof(*cells));
    if (cells == NULL)
        return promql_no_memory(a->e);
    for (size_t r = 0; r < a->in->n; r++) {
        const double *v = a->in->rows[r].v;
        double *to = a->out->rows[a->group[r]].v;
        struct cell *c = cells + a->group[r] * n_steps;
        for (size_t i = 0; i < n_steps; i++, c++) {
            if (collector_promql_is_none(v[i]))
                continue;
            if (c->n++ == 0) {
                to[i] = first(which, v[i]);
                c->mean = v[i];
            } else {
                to[i] = further(which, to[i], v[i], c);
            }
        }
        if (!promql_tick(a->e, n_steps))
            return false;
    }
    if (which != HALE_PROMQL_AGG_STDDEV && which != HALE_PROMQL_AGG_STDVAR)
        return true;
    for (size_t k = 0; k < a->groups.n * n_steps; k++) {
        double *to = &a->out->rows[k / n_steps].v[k % n_steps];
        if (cells[k].n > 0)
            *to = which == HALE_PROMQL_AGG_STDDEV ? sqrt(*to / cells[k].n)
                                                  : *to / cells[k].n;
    }
    return true;
}

/* --- all values of a group at once ------------------------------------------------------------- */

struct member {
    double v;
    size_t row;
};

static int larger_first(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;

    if (isnan(x->v) != isnan(y->v))
        return (isnan(x->v) != 0) - (isnan(y->v) != 0);
    if (x->v != y->v && !isnan(x->v))
        return x->v < y->v ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static int smaller_first(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;

    if (isnan(x->v) != isnan(y->v))
        return (isnan(x->v) != 0) - (isnan(y->v) != 0);
    if (x->v != y->v && !isnan(x->v))
        return x->v > y->v ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    if (isnan(x) || isnan(y)) /* NaN first */
        return (isnan(y) != 0) - (isnan(x) != 0);
    return (x > y) - (x < y);
}

double promql_quantile(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    qsort(v, n, sizeof(*v), ascending);
    double rank = q * (double)(n - 1);
    double low = fmax(0, floor(rank));
    double high = fmin((double)(n - 1), low + 1);
    double weight = rank - floor(rank);
    return v[(size_t)low] * (1 - weight) + v[(size_t)high] * weight;
}

/* Rows in the order of their groups; begin[k] is where group k starts. */
static bool order(struct grouping *a, size_t **rows, size_t **begin)
{
    *rows = hale_arena_array(a->e->arena, a->in->n, sizeof(**rows));
    *begin = hale_arena_array(a->e->arena, a->groups.n + 2, sizeof(**begin));
    if (*rows == NULL || *begin == NULL)
        return promql_no_memory(a->e);
    size_t *end = *begin + 1; /* counted one place later, then moved on while filling */
    for (size_t r = 0; r < a->in->n; r++)
        end[a->group[r] + 1]++;
    for (size_t k = 1; k < a->groups.n; k++)
        end[k + 1] += end[k];
    for (size_t r = 0; r < a->in->n; r++)
        (*rows)[end[a->group[r]]++] = r;
    return true;
}

static bool quantile(struct grouping *a)
{
    size_t *rows;
    size_t *begin;
    double *v = hale_arena_array(a->e->arena, a->in->n, sizeof(*v));

    if (v == NULL)
        return promql_no_memory(a->e);
    if (!group_rows(a) || !order(a, &rows, &begin))
        return false;
    for (size_t i = 0; i < a->g->n; i++) {
        for (size_t k = 0; k < a->groups.n; k++) {
            size_t n = 0;
            for (size_t r = begin[k]; r < begin[k + 1]; r++)
                if (!collector_promql_is_none(a->in->rows[rows[r]].v[i]))
                    v[n++] = a->in->rows[rows[r]].v[i];
            if (n > 0)
                a->out->rows[k].v[i] = promql_quantile(a->parameter[i], v, n);
        }
        if (!promql_tick(a->e, 4 * a->in->n))
            return false;
    }
    return true;
}

static bool count_of(struct grouping *a, double parameter, size_t *k)
{
    if (isnan(parameter) || parameter >= 9223372036854775808.0 ||
        parameter <= -9223372036854775808.0)
        return promql_fault(a->e, COLLECTOR_PROMQL_EXECUTION,
                            "Scalar value %g overflows int64", parameter);
    *k = parameter < 1 ? 0 : (size_t)parameter;
    return true;
}

/* The k best of a group's rows at step i keep their values. */
static void keep_best(struct grouping *a, const size_t *rows, size_t n_rows, size_t i,
                      size_t wanted, struct member *v)
{
    bool largest = a->n->aggregate == HALE_PROMQL_AGG_TOPK;
    size_t n = 0;

    for (size_t r = 0; r < n_rows; r++)
        if (!collector_promql_is_none(a->in->rows[rows[r]].v[i]))
            v[n++] = (struct member){a->in->rows[rows[r]].v[i], rows[r]};
    if (n > 1)
        qsort(v, n, sizeof(*v), largest ? larger_first : smaller_first);
    for (size_t r = 0; r < n && r < wanted; r++)
        a->out->rows[v[r].row].v[i] = v[r].v;
}

/* topk and bottomk: rows keep their labels, and their values where they are among the k. */
static bool best(struct grouping *a)
{
    struct member *v = hale_arena_array(a->e->arena, a->in->n, sizeof(*v));
    size_t *rows;
    size_t *begin;

    if (v == NULL)
        return promql_no_memory(a->e);
    if (!order(a, &rows, &begin) || !promql_vector(a->e, a->out, a->in->n))
        return false;
    for (size_t r = 0; r < a->in->n; r++)
        if (promql_row(a->e, a->g, a->out, a->in->rows[r].labels) == NULL)
            return false;
    for (size_t i = 0; i < a->g->n; i++) {
        size_t wanted = 0;
        if (!count_of(a, a->parameter[i], &wanted))
            return false;
        for (size_t k = 0; k < a->groups.n; k++)
            keep_best(a, rows + begin[k], begin[k + 1] - begin[k], i, wanted, v);
        if (!promql_tick(a->e, 4 * a->in->n))
            return false;
    }
    return true;
}

static int row_larger_first(const void *a, const void *b)
{
    const struct member x = {((const struct collector_promql_row *)a)->v[0], 0};
    const struct member y = {((const struct collector_promql_row *)b)->v[0], 0};

    return larger_first(&x, &y);
}

static int row_smaller_first(const void *a, const void *b)
{
    const struct member x = {((const struct collector_promql_row *)a)->v[0], 0};
    const struct member y = {((const struct collector_promql_row *)b)->v[0], 0};

    return smaller_first(&x, &y);
}

bool promql_aggregate(struct promql_eval *e, const struct promql_grid *g,
                      const struct hale_promql_node *n,
                      struct collector_promql_value *out)
{
    struct collector_promql_value in;
    struct collector_promql_value parameter = {0};
    struct grouping a = {.e = e, .g = g, .n = n, .in = &in, .out = out};
    bool selects =
        n->aggregate == HALE_PROMQL_AGG_TOPK || n->aggregate == HALE_PROMQL_AGG_BOTTOMK;

    if (!promql_evaluate(e, g, n->args[0], &in) ||
        (n->n_args == 2 && !promql_evaluate(e, g, n->args[1], &parameter)) ||
        !find_groups(&a))
        return false;
    a.parameter = parameter.scalar;
    bool fine = selects                                    ? best(&a)
                : n->aggregate == HALE_PROMQL_AGG_QUANTILE ? quantile(&a)
                                                           : running(&a);
    if (!fine || !promql_settle(e, g, out, false))
        return false;
    if (selects && g->n == 1 && out->n > 1)
        qsort(out->rows, out->n, sizeof(out->rows[0]),
              n->aggregate == HALE_PROMQL_AGG_TOPK ? row_larger_first
                                                   : row_smaller_first);
    return true;
}
