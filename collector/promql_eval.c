/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/promql_private.h"

#define ARENA_BASE ((size_t)64 << 20) /* labels; values come on top */
#define TICK_WORK  ((size_t)1 << 20)

/* --- budget --------------------------------------------------------------------------------- */

bool promql_fault(struct promql_eval *e, enum collector_promql_fault fault,
                  const char *fmt, ...)
{
    struct collector_promql_result *r = e->result;
    va_list ap;

    if (r->fault != COLLECTOR_PROMQL_FINE)
        return false;
    r->fault = fault;
    va_start(ap, fmt);
    (void)vsnprintf(r->error, sizeof(r->error), fmt, ap);
    va_end(ap);
    return false;
}

bool promql_no_memory(struct promql_eval *e)
{
    return promql_fault(e, COLLECTOR_PROMQL_EXECUTION,
                        "query processing would load too many series into memory");
}

bool promql_budget(struct promql_eval *e, size_t samples)
{
    if (samples > e->o->max_samples || e->samples > e->o->max_samples - samples)
        return promql_fault(e, COLLECTOR_PROMQL_EXECUTION,
                            "query processing would load too many samples into memory in "
                            "query execution (promql_max_samples is %zu)",
                            e->o->max_samples);
    e->samples += samples;
    return promql_tick(e, samples);
}

bool promql_tick(struct promql_eval *e, size_t n)
{
    e->work += n + 1;
    if (e->work < TICK_WORK)
        return true;
    e->work = 0;
    return !e->o->source->expired(e->o->source->arg) ||
           promql_fault(e, COLLECTOR_PROMQL_TIMEOUT,
                        "query timed out in expression evaluation");
}

/* --- values ---------------------------------------------------------------------------------- */

double *promql_doubles(struct promql_eval *e, size_t n)
{
    if (!promql_budget(e, n))
        return NULL;
    double *v = hale_arena_array(e->arena, n, sizeof(*v));
    if (v == NULL)
        (void)promql_no_memory(e);
    return v;
}

bool promql_vector(struct promql_eval *e, struct collector_promql_value *out, size_t rows)
{
    *out = (struct collector_promql_value){.type = HALE_PROMQL_VECTOR};
    out->rows = hale_arena_array(e->arena, rows, sizeof(*out->rows));
    return out->rows != NULL || promql_no_memory(e);
}

double *promql_row(struct promql_eval *e, const struct promql_grid *g,
                   struct collector_promql_value *v,
                   const struct collector_promql_labels *labels)
{
    if (labels == NULL) {
        (void)promql_no_memory(e);
        return NULL;
    }
    double *values = promql_doubles(e, g->n);
    if (values == NULL)
        return NULL;
    double none = collector_promql_none();
    for (size_t i = 0; i < g->n; i++)
        values[i] = none;
    v->rows[v->n++] = (struct collector_promql_row){labels, values};
    return values;
}

static bool is_empty(const struct promql_grid *g, const double *v)
{
    for (size_t i = 0; i < g->n; i++)
        if (!collector_promql_is_none(v[i]))
            return false;
    return true;
}

static bool join(struct promql_eval *e, const struct promql_grid *g, double *into,
                 const double *v, bool whole)
{
    for (size_t i = 0; i < g->n; i++) {
        if (collector_promql_is_none(v[i]) && !whole)
            continue;
        if (!collector_promql_is_none(into[i]) || whole)
            return promql_fault(e, COLLECTOR_PROMQL_EXECUTION,
                                "vector cannot contain metrics with the same labelset");
        into[i] = v[i];
    }
    return true;
}

bool promql_settle(struct promql_eval *e, const struct promql_grid *g,
                   struct collector_promql_value *v, bool whole)
{
    struct collector_promql_groups groups = {.arena = e->arena};
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++) {
        if (is_empty(g, v->rows[i].v))
            continue;
        size_t at = collector_promql_group(&groups, v->rows[i].labels);
        if (at == COLLECTOR_PROMQL_NO_GROUP)
            return promql_no_memory(e);
        if (at == n) /* groups are numbered as rows are kept */
            v->rows[n++] = v->rows[i];
        else if (!join(e, g, v->rows[at].v, v->rows[i].v, whole))
            return false;
    }
    v->n = n;
    return promql_tick(e, n * g->n);
}

bool promql_drop_names(struct promql_eval *e, struct collector_promql_value *v)
{
    for (size_t i = 0; i < v->n; i++) {
        v->rows[i].labels = collector_promql_labels_nameless(e->arena, v->rows[i].labels);
        if (v->rows[i].labels == NULL)
            return promql_no_memory(e);
    }
    return true;
}

/* --- tree ------------------------------------------------------------------------------------ */

static bool number(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out)
{
    *out = (struct collector_promql_value){.type = HALE_PROMQL_SCALAR};
    out->scalar = promql_doubles(e, g->n);
    for (size_t i = 0; out->scalar != NULL && i < g->n; i++)
        out->scalar[i] = n->number;
    return out->scalar != NULL;
}

static bool negate(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out)
{
    if (!promql_evaluate(e, g, n->args[0], out))
        return false;
    for (size_t i = 0; out->type == HALE_PROMQL_SCALAR && i < g->n; i++)
        out->scalar[i] = -out->scalar[i];
    if (out->type == HALE_PROMQL_SCALAR)
        return true;
    for (size_t r = 0; r < out->n; r++)
        for (size_t i = 0; i < g->n; i++)
            if (!collector_promql_is_none(out->rows[r].v[i]))
                out->rows[r].v[i] = -out->rows[r].v[i];
    return promql_drop_names(e, out) && promql_settle(e, g, out, true);
}

bool promql_evaluate(struct promql_eval *e, const struct promql_grid *g,
                     const struct hale_promql_node *n, struct collector_promql_value *out)
{
    switch (n->kind) {
    case HALE_PROMQL_NUMBER: return number(e, g, n, out);
    case HALE_PROMQL_TEXT:
        *out =
            (struct collector_promql_value){.type = HALE_PROMQL_STRING, .text = n->text};
        return true;
    case HALE_PROMQL_SELECTOR: return promql_instant(e, g, n, false, out);
    case HALE_PROMQL_NEGATE: return negate(e, g, n, out);
    case HALE_PROMQL_BINARY: return promql_binary(e, g, n, out);
    case HALE_PROMQL_AGGREGATE: return promql_aggregate(e, g, n, out);
    case HALE_PROMQL_CALL: return promql_call(e, g, n, out);
    case HALE_PROMQL_SUBQUERY: break; /* only as an argument, or the root */
    }
    return promql_fault(e, COLLECTOR_PROMQL_INTERNAL, "range vector out of place");
}

/* --- root ------------------------------------------------------------------------------------ */

/* A range selector or subquery by itself: its points. */
static bool root_matrix(struct promql_eval *e, const struct hale_promql_node *root)
{
    struct collector_promql_result *r = e->result;
    struct promql_matrix m;

    if (!promql_matrix(e, &e->top, root, COLLECTOR_PROMQL_AVERAGE, &m) ||
        !promql_vector(e, &r->value, m.n))
        return false;
    r->value.type = HALE_PROMQL_MATRIX;
    r->points = calloc(m.n + 1, sizeof(*r->points));
    if (r->points == NULL)
        return promql_no_memory(e);
    for (size_t i = 0; i < m.n; i++) {
        if (!promql_matrix_read(e, &e->top, &m, i) || !promql_budget(e, e->points.n))
            return false;
        if (e->points.n == 0)
            continue;
        r->points[r->value.n] = e->points;
        e->points = (struct collector_promql_points){0};
        r->value.rows[r->value.n++].labels = promql_matrix_labels(&m, i);
    }
    return true;
}

static int by_labels(const void *a, const void *b)
{
    return collector_promql_labels_cmp(((const struct collector_promql_row *)a)->labels,
                                       ((const struct collector_promql_row *)b)->labels);
}

/* Whether an instant query's order means something. */
static bool is_ordered(const struct hale_promql_node *root)
{
    if (root->kind == HALE_PROMQL_CALL)
        return root->function == HALE_PROMQL_FN_SORT ||
               root->function == HALE_PROMQL_FN_SORT_DESC;
    return root->kind == HALE_PROMQL_AGGREGATE &&
           (root->aggregate == HALE_PROMQL_AGG_TOPK ||
            root->aggregate == HALE_PROMQL_AGG_BOTTOMK);
}

void collector_promql_evaluate(const struct hale_promql_node *root,
                               const struct collector_promql_options *o,
                               struct collector_promql_result *out)
{
    struct promql_eval e = {
        .o = o, .top = {o->start_ms, o->step_ms, o->n_steps}, .result = out};
    struct collector_promql_value *v = &out->value;

    memset(out, 0, sizeof(*out));
    hale_arena_init(&out->arena, ARENA_BASE + 16 * o->max_samples);
    e.arena = &out->arena;
    if (root->type == HALE_PROMQL_MATRIX)
        (void)root_matrix(&e, root);
    else if (promql_evaluate(&e, &e.top, root, v) && v->type == HALE_PROMQL_VECTOR &&
             v->n > 1 && !(o->instant && is_ordered(root)))
        qsort(v->rows, v->n, sizeof(v->rows[0]), by_labels);
    free(e.points.v);
}

void collector_promql_result_fini(struct collector_promql_result *r)
{
    for (size_t i = 0; r->points != NULL && i < r->value.n; i++)
        free(r->points[i].v);
    free(r->points);
    r->points = NULL;
    hale_arena_fini(&r->arena);
}
