/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_METRIC_JSON_H
#define HALE_MODEL_METRIC_JSON_H
/*
 * metric_json - Monasca's POST /v2.0/metrics body, parsed on the hot path without allocation.
 * Input:     one object or an array of objects (RFC 8259, UTF-8 checked). Keys in any order,
 *            unknown keys skipped, last duplicate of a key wins (as Python's json does).
 * Output:    views into the body. name_raw and dims_raw are the JSON source text; the pair is the
 *            key under which the collector caches the series (cache by raw bytes), so that
 *            decoding, validating and sorting happen only when a new spelling is first seen.
 * Faults:    JSON: the body is not JSON (HTTP 400). SCHEMA: it is, but breaks a rule of Monasca
 *            (HTTP 422, whole batch refused). A body with both is JSON: on a schema fault the
 *            parser still reads to the end.
 * Limits:    values nested deeper than 64 count as not JSON. NaN and Infinity as value or timestamp
 *            are SCHEMA, as in Monasca, though they are not JSON.
 * Speed:     AVX2 scan chosen at run time, portable byte loop otherwise; both give the same
 *            answers (differential fuzz against jansson: tests/fuzz/fuzz_metric_json.c).
 * Threads:   the parser is a value of the caller; stateless otherwise.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/series.h"

enum hale_metric_fault {
    HALE_METRIC_OK,
    HALE_METRIC_END,
    HALE_METRIC_BAD_JSON,
    HALE_METRIC_BAD_SCHEMA
};

struct hale_metric_view {
    struct hale_str
        name_raw; /* source text of the string, without quotes, escapes undecoded */
    struct hale_str
        dims_raw; /* source text of the object with braces, or {NULL,0} when absent */
    struct hale_str
        meta_raw;    /* source text of value_meta object, {NULL,0} when absent/null/{} */
    int64_t time_ms; /* floats truncated */
    double value;    /* finite; true/false give 1/0 */
};

struct hale_metric_parser {
    const char *pos, *end, *start;
    bool in_array, started, done, failed;
    struct hale_err err; /* what and where (col = byte offset + 1) */
    enum hale_metric_fault fault;
};

/* body need not be NUL-terminated; nothing is read past its end. */
void hale_metric_parser_init(struct hale_metric_parser *p, struct hale_str body);
/* HALE_METRIC_OK with *out filled; END after the last; else the fault (then p->err says why). */
enum hale_metric_fault hale_metric_parser_next(struct hale_metric_parser *p,
                                               struct hale_metric_view *out);

/* The slow path: decodes and validates name and dimensions into canonical bytes of a series.
 * Appends to out. HALE_E_INVAL (message in err, ends with ": for metric <name>"); HALE_E_LIMIT
 * when out takes no more, HALE_E_NOMEM (not the client's fault, 503). */
HALE_MUST_CHECK enum hale_rc
hale_metric_series(const struct hale_metric_view *v, struct hale_str tenant,
                   struct hale_str region, struct hale_buf *out, struct hale_err *err);
/* Validates value_meta by Monasca's rules (<= 16 keys, key 1..255, <= 2048 characters as
 * Python's json.dumps would write it). */
HALE_MUST_CHECK enum hale_rc hale_metric_check_meta(struct hale_str meta_raw,
                                                    struct hale_err *err);
#endif
