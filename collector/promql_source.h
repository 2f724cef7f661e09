/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_SOURCE_H
#define HALE_COLLECTOR_PROMQL_SOURCE_H
/*
 * promql_source - Hale's series as PromQL sees them: the metric's name is the label __name__,
 * dimensions are labels. A series of another region than the configured one has __region__ too.
 * Only the tenant's series exist.
 * Threads: a query thread, a value per request.
 */
#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/points.h"
#include "collector/promql_eval.h"

struct collector_promql_store {
    struct collector *c;
    struct hale_redis *redis;
    struct hale_str tenant;
    int64_t deadline_ms; /* monotonic */
    struct collector_points points;
    struct collector_reading *reading; /* NULL: none */
    void *const *ahead;                /* what it gives next, n_ahead of them */
    size_t n_ahead;
    struct collector_promql_span span;     /* of the reading */
    struct collector_promql_source source; /* for the evaluation */
};

void collector_promql_store_init(struct collector_promql_store *s, struct collector *c,
                                 struct hale_redis *redis, struct hale_str tenant,
                                 int64_t deadline_ms);
void collector_promql_store_fini(struct collector_promql_store *s);
/* Series that satisfy the selector and may have samples in [from, to]. HALE_E_LIMIT: a regular
 * expression takes too much work; HALE_E_CLOSED: the time is over. Fini the list in any case. */
HALE_MUST_CHECK enum hale_rc
collector_promql_store_list(struct collector_promql_store *s,
                            const struct hale_promql_node *selector, int64_t from_ms,
                            int64_t to_ms, struct collector_series_list *out);
/* NULL: no memory. */
const struct collector_promql_labels *
collector_promql_store_labels(const struct collector_promql_store *s,
                              const struct collector_series *series,
                              struct hale_arena *arena);
#endif
