/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_OTLP_H
#define HALE_COLLECTOR_OTLP_H
/*
 * otlp - walks an OTLP metrics request (opentelemetry.proto.collector.metrics.v1.
 * ExportMetricsServiceRequest, protobuf) and gives its data points, attributes undecoded: their raw
 * bytes, the resource's and the metric's name are what the intake knows a series by. Scopes are
 * not looked at.
 * Damage:    a message that is not protobuf. Unknown fields are skipped; a data point of a known kind
 *            that lacks something is given as it is.
 * Ownership: spans point into the body, or into the arena where the sender split what belongs together
 *            (legal, but nobody does).
 * Threads:   values of the caller; stateless otherwise.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "collector/arena.h"

enum collector_otlp_kind {
    COLLECTOR_OTLP_NUMBER, /* of a gauge or a sum */
    COLLECTOR_OTLP_HISTOGRAM,
    COLLECTOR_OTLP_EXPONENTIAL,
    COLLECTOR_OTLP_SUMMARY
};

struct collector_otlp_number { /* an optional double */
    bool given;
    double v;
};

struct collector_otlp_point {
    enum collector_otlp_kind kind;
    struct hale_str resource;           /* content of the Resource */
    struct hale_str name;               /* of the metric; not checked */
    struct hale_str attributes;         /* whole KeyValue fields, tags included */
    uint64_t time_ns;                   /* 0: not given */
    bool stale;                         /* flag NO_RECORDED_VALUE */
    struct collector_otlp_number value; /* of a number */
    uint64_t count;                     /* of the other kinds */
    struct collector_otlp_number sum, min, max;
    struct hale_str counts, bounds; /* packed fixed64 and double, of a histogram */
    struct hale_str quantiles;      /* whole ValueAtQuantile fields, of a summary */
    bool has_buckets;               /* of an exponential histogram */
};

enum collector_otlp_end {
    COLLECTOR_OTLP_DONE,
    COLLECTOR_OTLP_DAMAGED,
    COLLECTOR_OTLP_NO_ROOM, /* in the arena */
    COLLECTOR_OTLP_STOPPED  /* by each */
};

/* Calls each for every data point, in order, until it gives false. */
enum collector_otlp_end
collector_otlp_walk(struct hale_str body, struct collector_arena *arena,
                    bool (*each)(const struct collector_otlp_point *p, void *arg),
                    void *arg);

struct collector_otlp_quantile {
    double quantile, value;
};
/* Takes the first of quantiles off *rest. False at the end (and on damage, which the walk has ruled
 * out). */
bool collector_otlp_quantile(struct hale_str *rest, struct collector_otlp_quantile *out);
#endif
