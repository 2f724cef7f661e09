/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_COUNTERS_H
#define HALE_AGENT_COUNTERS_H
/* counters - the agent's own numbers (one table: name, type, help). */
#include "base/counters.h"

#define AGENT_COUNTERS(X)                                                                \
    X(samples, COUNTER, "samples_total", "Samples taken by checks.")                     \
    X(sent, COUNTER, "samples_sent_total", "Samples the collector acknowledged.")        \
    X(dropped_invalid, COUNTER, "samples_invalid_total",                                 \
      "Samples that were not finite.")                                                   \
    X(dropped_sink, COUNTER, "samples_overflow_total", "Samples lost to a full sink.")   \
    X(dropped_spool, COUNTER, "spool_dropped_batches_total",                             \
      "Batches lost to the spool's cap or to damage.")                                   \
    X(refused, COUNTER, "samples_refused_total", "Samples the collector refused (4xx).") \
    X(posts, COUNTER, "posts_total", "POST requests sent.")                              \
    X(post_failures, COUNTER, "post_failures_total",                                     \
      "POST requests without a 2xx answer.")                                             \
    X(statsd_lines, COUNTER, "statsd_lines_total", "Statsd lines taken.")                \
    X(statsd_refused, COUNTER, "statsd_refused_lines_total",                             \
      "Statsd lines refused; the log says why.")                                         \
    X(statsd_metrics, GAUGE, "statsd_metrics", "Statsd metrics held.")                   \
    X(spool_bytes, GAUGE, "spool_bytes", "Bytes waiting on disk.")                       \
    X(checks, GAUGE, "checks", "Checks configured.")                                     \
    X(overruns, COUNTER, "check_overruns_total", "Checks still running when due again.") \
    X(post_seconds, HISTOGRAM, "post_seconds", "Time from POST to its 2xx.")             \
    X(late_seconds, HISTOGRAM, "check_lateness_seconds",                                 \
      "Start of a check after its due time.")

#define AGENT_COUNTER_DECLARE(id, type, name, help)                                      \
    extern struct hale_counter agent_counter_##id;
AGENT_COUNTERS(AGENT_COUNTER_DECLARE)
#undef AGENT_COUNTER_DECLARE

void agent_counters_register(void);
#endif
