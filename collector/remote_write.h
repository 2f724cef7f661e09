/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_REMOTE_WRITE_H
#define HALE_COLLECTOR_REMOTE_WRITE_H
/*
 * remote_write - walks the body of Prometheus' remote write v1 (message prometheus.WriteRequest,
 * after Snappy) without allocation and without decoding labels: the raw bytes of a series' labels are
 * the key by which the intake knows it. Varints are read by hand here (docs/adr/0010-intake.md has the
 * figures); all other protobuf goes through model/protobuf.
 * Damage:    a length or a varint that leads past the end, a group, field number 0. Unknown fields are
 *            skipped.
 * Threads:   values of the caller; stateless otherwise.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

/* Prometheus' mark that a series has ended: a NaN with these bits. */
#define COLLECTOR_RW_STALE UINT64_C(0x7ff0000000000002)
/* Labels may be split by other fields into this many runs; no known sender splits them. */
#define COLLECTOR_RW_RUNS 3

struct collector_rw {
    const unsigned char *p, *end;
};

enum collector_rw_item {
    COLLECTOR_RW_SERIES,
    COLLECTOR_RW_METADATA,
    COLLECTOR_RW_END,
    COLLECTOR_RW_DAMAGED
};

struct collector_rw_series {
    struct hale_str labels[COLLECTOR_RW_RUNS]; /* whole label fields; unused: {NULL,0} */
    bool scattered;                            /* more runs than that: not to be taken */
    uint32_t n_histograms;                     /* native ones */
    const unsigned char *p, *end;              /* of _sample */
};

struct collector_rw_sample {
    int64_t time_ms;
    uint64_t bits; /* of the value */
};

struct collector_rw_metadata {
    unsigned type; /* prometheus.MetricMetadata.MetricType, 0 = unknown */
    struct hale_str family, help, unit;
};

struct collector_rw_view { /* of the item that _next gave */
    struct collector_rw_series series;
    struct collector_rw_metadata metadata;
};

void collector_rw_open(struct collector_rw *r, struct hale_str body);
enum collector_rw_item collector_rw_next(struct collector_rw *r,
                                         struct collector_rw_view *out);
/* The series' next sample: 1, none left: 0, damaged: -1. */
int collector_rw_sample(struct collector_rw_series *s, struct collector_rw_sample *out);

/* Appends the canonical series that runs of labels spell: __name__ becomes the name, the other
 * labels dimensions; a label without value is none. HALE_E_INVAL: breaks a rule (model/series.h). */
HALE_MUST_CHECK enum hale_rc
collector_rw_canon(const struct hale_str *runs, size_t n, struct hale_str tenant,
                   struct hale_str region, struct hale_buf *out, struct hale_err *err);
/* "counter", "gauge", ... as Prometheus' API names them; "unknown" for others. */
const char *collector_rw_type(unsigned type);
#endif
