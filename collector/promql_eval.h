/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_EVAL_H
#define HALE_COLLECTOR_PROMQL_EVAL_H
/*
 * promql_eval - evaluates a PromQL tree at the steps of a grid, with Prometheus 2.42's semantics
 * (docs/formats/promql.md has the deviations). Pure: series and points come from a source, time
 * runs out when the source says so. Each series of a selector is read once for all steps.
 * Limits:    max_samples values held at once; the arena's ceiling follows from it.
 * Errors:    fault and text of the result.
 * Threads:   an evaluation runs in one thread.
 */
#include "collector/promql_value.h"

struct collector_promql_point {
    int64_t time_ms;
    double value;
    double weight; /* samples it stands for: 1, or those of an archive row */
};
struct collector_promql_points { /* ascending times */
    size_t n, cap;
    struct collector_promql_point *v; /* malloc */
    int64_t coarse_ms; /* longest step of archive rows among them, 0: none */
};
/* False: no memory. */
bool collector_promql_points_add(struct collector_promql_points *p, int64_t time_ms,
                                 double value, double weight);

struct collector_promql_found {
    size_t n;
    const struct collector_promql_labels **labels;
    void **series; /* the source's */
};
enum collector_promql_what { /* of consolidated rows; a raw sample is all three */
                             COLLECTOR_PROMQL_AVERAGE,
                             COLLECTOR_PROMQL_MINIMUM,
                             COLLECTOR_PROMQL_MAXIMUM
};
struct collector_promql_span {
    int64_t from_ms, to_ms; /* both included */
    int64_t window_ms;      /* shortest time over which the points are looked at */
    enum collector_promql_what what;
};
struct collector_promql_source {
    void *arg;
    /* Series matching the selector that may have points in [from, to]; results in the arena.
     * HALE_E_LIMIT: a regular expression takes too much work, or the arena is full. */
    enum hale_rc (*select)(void *arg, const struct hale_promql_node *selector,
                           int64_t from_ms, int64_t to_ms, struct hale_arena *arena,
                           struct collector_promql_found *out);
    /* Points of series[0] in the span, n set to 0 before. The other n - 1 are likely to be read
     * next, one after the other with the same span: what is common may be done once. */
    enum hale_rc (*read)(void *arg, void *const *series, size_t n,
                         const struct collector_promql_span *span,
                         struct collector_promql_points *out);
    bool (*expired)(void *arg); /* the query's time is over */
};

struct collector_promql_options {
    const struct collector_promql_source *source;
    int64_t start_ms;
    int64_t step_ms; /* > 0 */
    size_t n_steps;  /* 1: an instant query */
    int64_t end_ms;  /* as asked, for @ end(): the last step may come before it */
    int64_t lookback_ms;
    size_t max_samples;
    bool instant; /* keep the order of sort and topk */
};

enum collector_promql_fault {
    COLLECTOR_PROMQL_FINE,
    COLLECTOR_PROMQL_EXECUTION,
    COLLECTOR_PROMQL_TIMEOUT,
    COLLECTOR_PROMQL_UNAVAILABLE, /* the source failed */
    COLLECTOR_PROMQL_INTERNAL
};

struct collector_promql_result {
    struct hale_arena arena; /* of value */
    struct collector_promql_value value;
    /* Root is a range selector (instant queries only): n rows with points. */
    struct collector_promql_points *points; /* n of value; malloc each */
    int64_t coarse_ms; /* longest archive step used, 0: raw samples only */
    enum collector_promql_fault fault;
    char error[320];
};

/* Fini in any case. */
void collector_promql_evaluate(const struct hale_promql_node *root,
                               const struct collector_promql_options *o,
                               struct collector_promql_result *out);
void collector_promql_result_fini(struct collector_promql_result *r);
#endif
