/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_OTLP_SERIES_H
#define HALE_COLLECTOR_OTLP_SERIES_H
/*
 * otlp_series - which series a data point of OTLP has, and what they are called
 * (docs/formats/ingest.md has the table): a number is one sample, the other kinds are several.
 * A series is spelled by the raw bytes of the resource, by its part (metric name, and for the other
 * kinds a suffix and a dimension of its own) and by the raw bytes of the point's attributes.
 * Threads:   stateless.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "collector/arena.h"
#include "collector/otlp.h"

/* Beyond this a resource cannot be a series' dimensions; it bounds the work per sample too. */
#define COLLECTOR_OTLP_RESOURCE_MAX 16384

struct collector_otlp_sample {
    struct hale_str part; /* of the spelling; in the body or the arena */
    double value;
};

enum collector_otlp_fault {
    COLLECTOR_OTLP_GOOD,
    COLLECTOR_OTLP_BAD_NAME,
    COLLECTOR_OTLP_BAD_RESOURCE,
    COLLECTOR_OTLP_BAD_TIME,
    COLLECTOR_OTLP_BAD_VALUE, /* none at all, or counts that do not go with the bounds */
    COLLECTOR_OTLP_FULL       /* the arena, or each gave false */
};

/* What is wrong with a point as a whole; its text for a person. */
enum collector_otlp_fault collector_otlp_check(const struct collector_otlp_point *p);
const char *collector_otlp_fault_text(enum collector_otlp_fault f);
/* Calls each for the samples of a point that _check found good. GOOD or FULL. */
enum collector_otlp_fault
collector_otlp_expand(const struct collector_otlp_point *p, struct collector_arena *arena,
                      bool (*each)(const struct collector_otlp_sample *s, void *arg),
                      void *arg);
/* Appends the canonical series of a spelling. HALE_E_INVAL: breaks a rule, err says which. */
HALE_MUST_CHECK enum hale_rc
collector_otlp_canon(const struct hale_str spelling[3], struct hale_str tenant,
                     struct hale_str region, struct hale_buf *out, struct hale_err *err);
#endif
