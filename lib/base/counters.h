/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_COUNTERS_H
#define HALE_BASE_COUNTERS_H
/*
 * counters - a daemon's own numbers, rendered as Prometheus text (version 0.0.4).
 * Purpose:   declared statically in one table per daemon (name, type, unit in the name, help),
 *            bumped with relaxed atomics from any thread, rendered on GET /metrics.
 * Names:     hale_<daemon>_<what>_<unit>[_total]; labels, where needed, are part of the
 *            declaration as text: name = "hale_collector_requests_total",
 *            labels = "code=\"2xx\"" (or NULL).
 * Threads:   any, for add/set/observe/render; register before threads start.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum hale_counter_type { HALE_COUNTER, HALE_GAUGE, HALE_HISTOGRAM };

/* Upper bounds in microseconds of the latency histograms, rendered in seconds; +Inf is implied. */
/* clang-format off */
#define HALE_HISTOGRAM_BOUNDS_US                                                         \
    {100,    200,    500,     1000,    2000,    5000,    10000,    20000,                \
     50000,  100000, 200000,  500000,  1000000, 2000000, 5000000,  10000000}
/* clang-format on */
#define HALE_HISTOGRAM_BUCKETS 16

struct hale_counter {
    const char *name;   /* literal */
    const char *labels; /* literal like "code=\"2xx\"", or NULL */
    const char *help;   /* literal, one line */
    enum hale_counter_type type;
    _Atomic int64_t value;                          /* counter, gauge; histogram: count */
    _Atomic int64_t sum_us;                         /* histogram */
    _Atomic int64_t bucket[HALE_HISTOGRAM_BUCKETS]; /* histogram, not cumulative */
    struct hale_counter *next;                      /* registry */
};

/* clang-format off */
#define HALE_COUNTER_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .type = HALE_COUNTER}
#define HALE_GAUGE_INIT(n, l, h)   {.name = (n), .labels = (l), .help = (h), .type = HALE_GAUGE}
#define HALE_HISTOGRAM_INIT(n, l, h)                                                     \
    {.name = (n), .labels = (l), .help = (h), .type = HALE_HISTOGRAM}
/* clang-format on */

/* Adds c to the process-wide registry (c must live for ever). Twice is harmless. */
void hale_counter_register(struct hale_counter *c);
/* Declares n counters of an array. */
void hale_counter_register_all(struct hale_counter *c, size_t n);
void hale_counter_add(struct hale_counter *c, int64_t n);
void hale_counter_set(struct hale_counter *c, int64_t v); /* gauge */
int64_t hale_counter_get(struct hale_counter *c);
/* Histogram; a negative time counts as 0. */
void hale_counter_observe_us(struct hale_counter *c, int64_t us);
/* Appends every registered counter, HELP and TYPE once per name, sorted by name, plus
 * process_resident_memory_bytes, process_cpu_seconds_total and
 * hale_build_info{version=...,daemon=...} 1. */
void hale_counter_render(struct hale_buf *out, const char *daemon_name);
#endif
