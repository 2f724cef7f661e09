/* SPDX-License-Identifier: Apache-2.0 */
/* promql_series - selectors and subqueries: where values come from. */
#include <stdlib.h>

#include "collector/promql_private.h"

#define DEFAULT_SUBQUERY_MS 60000

bool collector_promql_points_add(struct collector_promql_points *p, int64_t time_ms,
                                 double value, double weight)
{
    if (p->n == p->cap) {
        size_t cap = p->cap > 0 ? 2 * p->cap : 1024;
        struct collector_promql_point *v = realloc(p->v, cap * sizeof(*v));
        if (v == NULL)
            return false;
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = (struct collector_promql_point){time_ms, value, weight};
    return true;
}

int64_t promql_reference(const struct promql_eval *e, const struct promql_grid *g,
                         const struct hale_promql_node *n, size_t i)
{
    int64_t t = 0;

    switch (n->at_kind) {
    case HALE_PROMQL_AT_EVALUATION: t = promql_time(g, i); break;
    case HALE_PROMQL_AT_TIME: t = n->at_ms; break;
    case HALE_PROMQL_AT_START: t = e->top.start_ms; break;
    case HALE_PROMQL_AT_END: t = e->o->end_ms; break;
    }
    return t - n->offset_ms;
}

static bool source_failed(struct promql_eval *e, enum hale_rc rc)
{
    if (rc == HALE_E_LIMIT && !e->arena->failed)
        return promql_fault(
            e, COLLECTOR_PROMQL_EXECUTION,
            "the regular expression of a matcher takes too much work, or a "
            "series has too many samples in the time asked");
    if (rc == HALE_E_LIMIT || rc == HALE_E_NOMEM)
        return promql_no_memory(e);
    if (rc == HALE_E_CLOSED)
        return promql_fault(e, COLLECTOR_PROMQL_TIMEOUT,
                            "query timed out in expression evaluation");
    return promql_fault(e, COLLECTOR_PROMQL_UNAVAILABLE,
                        "the sample store does not answer");
}

static bool select_series(struct promql_eval *e, const struct hale_promql_node *n,
                          int64_t from_ms, int64_t to_ms,
                          struct collector_promql_found *out)
{
    const struct collector_promql_source *s = e->o->source;

    *out = (struct collector_promql_found){0};
    enum hale_rc rc = s->select(s->arg, n, from_ms, to_ms, e->arena, out);
    return rc == HALE_OK || source_failed(e, rc);
}

/* Points of found's series i; of more of them later if ahead. */
static bool read_series(struct promql_eval *e, const struct collector_promql_found *found,
                        size_t i, bool ahead, const struct collector_promql_span *span)
{
    const struct collector_promql_source *s = e->o->source;

    e->points.n = 0;
    e->points.coarse_ms = 0;
    enum hale_rc rc =
        s->read(s->arg, &found->series[i], ahead ? found->n - i : 1, span, &e->points);
    if (rc != HALE_OK)
        return source_failed(e, rc);
    if (e->points.coarse_ms > e->result->coarse_ms)
        e->result->coarse_ms = e->points.coarse_ms;
    if (e->points.n > e->o->max_samples)
        return promql_budget(e, e->points.n);
    /* Reading waits for Redis and disks: the deadline is looked at every few series. */
    return promql_tick(e, e->points.n + 65536);
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- instant selectors ------------------------------------------------------------------------ */

/* The latest point at or before each step's time, if it is not older than the lookback. */
static void pick(const struct promql_eval *e, const struct promql_grid *g,
                 const struct hale_promql_node *n, bool timestamps, double *v)
{
    const struct collector_promql_points *p = &e->points;
    int64_t lookback_ms = e->o->lookback_ms;
    size_t k = 0;

    if (2 * p->coarse_ms > lookback_ms)
        lookback_ms = 2 * p->coarse_ms;
    for (size_t i = 0; i < g->n; i++) {
        int64_t t = promql_reference(e, g, n, i);
        while (k < p->n && p->v[k].time_ms <= t)
            k++;
        if (k > 0 && p->v[k - 1].time_ms >= t - lookback_ms)
            v[i] = timestamps ? (double)p->v[k - 1].time_ms / 1000 : p->v[k - 1].value;
    }
}

bool promql_instant(struct promql_eval *e, const struct promql_grid *g,
                    const struct hale_promql_node *n, bool timestamps,
                    struct collector_promql_value *out)
{
    struct collector_promql_span span = {
        .from_ms = promql_reference(e, g, n, 0) - e->o->lookback_ms,
        .to_ms = promql_reference(e, g, n, g->n - 1),
        .window_ms =
            g->n > 1 ? shorter(g->step_ms, e->o->lookback_ms) : e->o->lookback_ms,
    };
    int64_t from_ms = span.from_ms;
    struct collector_promql_found found;

    if (!select_series(e, n, span.from_ms, span.to_ms, &found) ||
        !promql_vector(e, out, found.n))
        return false;
    for (size_t s = 0; s < found.n; s++) {
        span.from_ms = from_ms;
        if (!read_series(e, &found, s, true, &span))
            return false;
        if (2 * e->points.coarse_ms > e->o->lookback_ms) { /* rows may lie further back */
            span.from_ms = from_ms + e->o->lookback_ms - 2 * e->points.coarse_ms;
            if (!read_series(e, &found, s, false, &span))
                return false;
        }
        if (e->points.n == 0)
            continue;
        double *v = promql_row(e, g, out, found.labels[s]);
        if (v == NULL)
            return false;
        pick(e, g, n, timestamps, v);
    }
    return promql_settle(e, g, out, false);
}

/* --- range selectors and subqueries ----------------------------------------------------------- */

static bool subquery(struct promql_eval *e, const struct promql_grid *g,
                     const struct hale_promql_node *n, struct promql_matrix *m)
{
    int64_t step_ms = n->step_ms > 0 ? n->step_ms : DEFAULT_SUBQUERY_MS;
    int64_t from_ms = promql_reference(e, g, n, 0) - n->range_ms;
    int64_t to_ms = promql_reference(e, g, n, g->n - 1);
    int64_t start_ms = step_ms * (from_ms / step_ms);

    if (start_ms < from_ms)
        start_ms += step_ms;
    m->sub_grid = (struct promql_grid){start_ms, step_ms, 0};
    if (start_ms <= to_ms)
        m->sub_grid.n = (size_t)((to_ms - start_ms) / step_ms) + 1;
    if (m->sub_grid.n == 0)
        return true;
    if (m->sub_grid.n > e->o->max_samples)
        return promql_budget(e, m->sub_grid.n);
    if (!promql_evaluate(e, &m->sub_grid, n->args[0], &m->sub))
        return false;
    m->n = m->sub.n;
    return true;
}

bool promql_matrix(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, enum collector_promql_what what,
                   struct promql_matrix *out)
{
    *out = (struct promql_matrix){.node = n, .what = what};
    if (n->kind == HALE_PROMQL_SUBQUERY)
        return subquery(e, g, n, out);
    if (!select_series(e, n, promql_reference(e, g, n, 0) - n->range_ms,
                       promql_reference(e, g, n, g->n - 1), &out->found))
        return false;
    out->n = out->found.n;
    return true;
}

const struct collector_promql_labels *promql_matrix_labels(const struct promql_matrix *m,
                                                           size_t i)
{
    return m->node->kind == HALE_PROMQL_SUBQUERY ? m->sub.rows[i].labels
                                                 : m->found.labels[i];
}

bool promql_matrix_read(struct promql_eval *e, const struct promql_grid *g,
                        const struct promql_matrix *m, size_t i)
{
    const struct hale_promql_node *n = m->node;
    const struct collector_promql_span span = {
        .from_ms = promql_reference(e, g, n, 0) - n->range_ms,
        .to_ms = promql_reference(e, g, n, g->n - 1),
        .window_ms = g->n > 1 ? shorter(g->step_ms, n->range_ms) : n->range_ms,
        .what = m->what,
    };

    if (n->kind == HALE_PROMQL_SELECTOR)
        return read_series(e, &m->found, i, true, &span);
    e->points.n = 0;
    for (size_t k = 0; k < m->sub_grid.n; k++) {
        double v = m->sub.rows[i].v[k];
        if (!collector_promql_is_none(v) &&
            !collector_promql_points_add(&e->points, promql_time(&m->sub_grid, k), v, 1))
            return promql_no_memory(e);
    }
    return promql_tick(e, m->sub_grid.n);
}
