/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_PRIVATE_H
#define HALE_COLLECTOR_PROMQL_PRIVATE_H
/*
 * promql_private - what the files of the PromQL evaluation share: promql_eval (tree, budget),
 * promql_series (selectors, subqueries), promql_window (functions over time), promql_call (of
 * one instant), promql_binary, promql_aggregate, promql_histogram. Functions returning bool have
 * set the result's fault when false.
 */
#include "collector/promql_eval.h"

struct promql_grid {
    int64_t start_ms, step_ms;
    size_t n;
};
static inline int64_t promql_time(const struct promql_grid *g, size_t i)
{
    return g->start_ms + (int64_t)i * g->step_ms;
}
struct promql_eval {
    const struct collector_promql_options *o;
    struct promql_grid top; /* of the whole query, for @ start() and end() */
    struct hale_arena *arena;
    struct collector_promql_result *result;
    size_t samples;                        /* values held */
    size_t work;                           /* since the deadline was looked at */
    struct collector_promql_points points; /* of the series under way */
};

bool promql_fault(struct promql_eval *e, enum collector_promql_fault fault,
                  const char *fmt, ...) HALE_PRINTF(3, 4);
bool promql_no_memory(struct promql_eval *e);
/* Counts values that are about to be held. */
bool promql_budget(struct promql_eval *e, size_t samples);
/* Work of about n numbers was done; false when the time is over. */
bool promql_tick(struct promql_eval *e, size_t n);

bool promql_evaluate(struct promql_eval *e, const struct promql_grid *g,
                     const struct hale_promql_node *n,
                     struct collector_promql_value *out);
/* Room for rows; each row's values come from promql_row. */
bool promql_vector(struct promql_eval *e, struct collector_promql_value *out,
                   size_t rows);
/* A new last row, all none; NULL: fault. The room was made by promql_vector. */
double *promql_row(struct promql_eval *e, const struct promql_grid *g,
                   struct collector_promql_value *v,
                   const struct collector_promql_labels *labels);
double *promql_doubles(struct promql_eval *e, size_t n); /* counted, zero */
/* Removes rows without values and joins rows of equal labels; two values at one step are an
 * error, as two rows are where whole is set. */
bool promql_settle(struct promql_eval *e, const struct promql_grid *g,
                   struct collector_promql_value *v, bool whole);
/* Replaces the labels of all rows by those without __name__. */
bool promql_drop_names(struct promql_eval *e, struct collector_promql_value *v);

/* --- series ------------------------------------------------------------------------------- */
bool promql_instant(struct promql_eval *e, const struct promql_grid *g,
                    const struct hale_promql_node *n, bool timestamps,
                    struct collector_promql_value *out);
struct promql_matrix {
    const struct hale_promql_node *node;
    struct collector_promql_found found; /* of a selector */
    enum collector_promql_what what;
    struct collector_promql_value sub; /* of a subquery */
    struct promql_grid sub_grid;
    size_t n;
};
bool promql_matrix(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, enum collector_promql_what what,
                   struct promql_matrix *out);
/* Points of series i for all steps into e->points. */
bool promql_matrix_read(struct promql_eval *e, const struct promql_grid *g,
                        const struct promql_matrix *m, size_t i);
const struct collector_promql_labels *promql_matrix_labels(const struct promql_matrix *m,
                                                           size_t i);
/* Time that step i of the grid looks at, by the modifiers of n. */
int64_t promql_reference(const struct promql_eval *e, const struct promql_grid *g,
                         const struct hale_promql_node *n, size_t i);

/* --- operations ---------------------------------------------------------------------------- */
bool promql_window(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out);
bool promql_call(struct promql_eval *e, const struct promql_grid *g,
                 const struct hale_promql_node *n, struct collector_promql_value *out);
/* Labels that absent() gives: those of the selector's equalities. */
const struct collector_promql_labels *
promql_absent_labels(struct promql_eval *e, const struct hale_promql_node *n);
bool promql_histogram_quantile(struct promql_eval *e, const struct promql_grid *g,
                               const double *q, const struct collector_promql_value *in,
                               struct collector_promql_value *out);
bool promql_binary(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out);
/* a op b; for comparisons a, and *keep says whether it holds. */
double promql_operate(enum hale_promql_op op, double a, double b, bool *keep);
/* Between two vectors (promql_match). */
bool promql_match(struct promql_eval *e, const struct promql_grid *g,
                  const struct hale_promql_node *n,
                  const struct collector_promql_value *left,
                  const struct collector_promql_value *right,
                  struct collector_promql_value *out);
bool promql_aggregate(struct promql_eval *e, const struct promql_grid *g,
                      const struct hale_promql_node *n,
                      struct collector_promql_value *out);
/* Prometheus' quantile of n > 0 values, which are sorted in place. */
double promql_quantile(double q, double *v, size_t n);
#endif
