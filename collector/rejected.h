/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_REJECTED_H
#define HALE_COLLECTOR_REJECTED_H
/*
 * rejected - hale_collector_rejected_samples_total{form,reason}: samples that were not taken,
 * by request format and by what was wrong. Threads: any, after _init.
 */
#include <stddef.h>

/* X(id, label): the request formats. */
#define COLLECTOR_FORMS(X)                                                               \
    X(MONASCA, "monasca")                                                                \
    X(INFLUX, "influx")                                                                  \
    X(REMOTE_WRITE, "remote-write")                                                      \
    X(COLLECTD, "collectd")                                                              \
    X(OTLP, "otlp")

enum collector_form_id {
#define COLLECTOR_FORM_ENUM(id, label) COLLECTOR_FORM_##id,
    COLLECTOR_FORMS(COLLECTOR_FORM_ENUM)
#undef COLLECTOR_FORM_ENUM
        COLLECTOR_FORM_N
};

/* Registers the counters; once, before threads start. */
void collector_rejected_init(void);
/* reason: "value" not finite or not a number, "name", "dimension", "series" (name and dimensions
 * together), "time", "stale" (a marker without value), "type" (not a number at all), "meta",
 * "series-limit" (of the tenant), "syntax"; any other counts as "other". */
void collector_rejected_count(enum collector_form_id form, const char *reason, size_t n);
#endif
