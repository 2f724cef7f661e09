/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_STATSD_TABLE_H
#define HALE_AGENT_STATSD_TABLE_H
/*
 * statsd_table - what statsd lines add up to between two flushes, per metric, type and tags.
 * Values:    counter: sum of value / rate, rounded to an integer; gauge: the last; rate: (last -
 *            first) / seconds between them, two values at least; timer: the last. A metric without
 *            values since the last flush emits nothing. All as the Monasca agent does.
 * Tags:      become dimensions by Monasca's rules; a line that breaks them is refused.
 * Limits:    max_metrics; beyond it lines of new metrics are refused. A metric that was silent for
 *            AGENT_STATSD_IDLE_FLUSHES flushes is forgotten.
 * Threads:   one. Time is an argument (monotonic ms).
 */
#include "agent/sink.h"
#include "base/str.h"

#define AGENT_STATSD_IDLE_FLUSHES 60

struct agent_statsd_table;

/* NULL on memory failure. */
struct agent_statsd_table *agent_statsd_table_new(size_t max_metrics);
void agent_statsd_table_free(struct agent_statsd_table *t);
/* Takes one line. HALE_E_INVAL, HALE_E_LIMIT (too many metrics), HALE_E_NOMEM: err says why. */
HALE_MUST_CHECK enum hale_rc agent_statsd_table_add(struct agent_statsd_table *t,
                                                    struct hale_str line, int64_t now_ms,
                                                    struct hale_err *err);
/* Calls emit for each sample due, then begins anew. */
void agent_statsd_table_flush(struct agent_statsd_table *t,
                              void (*emit)(const char *name, const struct agent_dim *dims,
                                           unsigned n_dims, double value, void *arg),
                              void *arg);
size_t agent_statsd_table_count(const struct agent_statsd_table *t);
#endif
