/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_METRIC_JSON_SCAN_H
#define HALE_MODEL_METRIC_JSON_SCAN_H
/*
 * metric_json_scan - the strict JSON scanner under metric_json and batch (inside of lib/model).
 * Purpose:   metric_json_walk.inc recognises the common spelling of a metric quickly and falls
 *            back to the functions here for everything else. What these functions accept is what
 *            is accepted: RFC 8259, UTF-8 by RFC 3629, no lone surrogates.
 * Shape:     a function takes a position and returns the position behind what it has read, or
 *            NULL after setting s->fault and s->fault_at. Nothing is read at or beyond s->end.
 * Limits:    HALE_SCAN_MAX_DEPTH containers open at a time inside one value.
 * Threads:   stateless but for hale_scan_choose.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/metric_json.h"

#define HALE_SCAN_MAX_DEPTH 64

struct hale_scan {
    const char *end;      /* first byte behind the input */
    const char *fault;    /* static text of the JSON fault, NULL: none */
    const char *fault_at; /* where */
    const char *schema;   /* static text of the object's broken rule, NULL: none */
};

enum hale_scan_field {
    HALE_SCAN_NAME,
    HALE_SCAN_DIMS,
    HALE_SCAN_TIME,
    HALE_SCAN_VALUE,
    HALE_SCAN_META,
    HALE_SCAN_OTHER
};

/* Sets the fault, unless there is one, and returns NULL. */
const char *hale_scan_fault(struct hale_scan *s, const char *at, const char *text);
/* Skips the four blanks of RFC 8259. */
const char *hale_scan_ws(const char *p, const char *end);
/* p: behind the opening quote. Returns the closing quote if all before it is printable ASCII
 * without a backslash, NULL otherwise (which says nothing about validity; no fault is set). */
const char *hale_scan_plain(const char *p, const char *end);
/* p: behind the opening quote. Returns the closing quote of a valid string. */
const char *hale_scan_string(struct hale_scan *s, const char *p);
/* p: at the number. *out (may be NULL) is what strtod gives for the text, +-infinity included. */
const char *hale_scan_number(struct hale_scan *s, const char *p, double *out);
/* p: at the value; reads one value of any kind. */
const char *hale_scan_value(struct hale_scan *s, const char *p);
/* p: at the key's opening quote. Returns the first byte of the pair's value. */
const char *hale_scan_key(struct hale_scan *s, const char *p, struct hale_str *raw_out);
/* True if text is one JSON object and nothing else. */
bool hale_scan_is_object(struct hale_str text);
/* The field that a key with escapes means. */
enum hale_scan_field hale_scan_escaped_field(struct hale_str raw);
/* Decodes the inside of a valid string into dst, which has room for raw.len bytes (decoding
 * never makes it longer). Returns the number of bytes written. */
size_t hale_scan_unescape(struct hale_str raw, char *dst);
/* text for a message: cut to size - 1 bytes between code points, control bytes become '?'.
 * Returns dst. */
const char *hale_scan_show(struct hale_str text, char *dst, size_t size);

/* Reads the object at p ('{'). NULL: not JSON. Otherwise the position behind the object; the
 * object is fit for use if s->schema is NULL then. */
typedef const char *hale_scan_walk_fn(struct hale_scan *s, const char *p,
                                      struct hale_metric_view *out);
hale_scan_walk_fn hale_scan_walk_portable;
#if defined(__x86_64__)
#define HALE_SCAN_HAVE_AVX2 1
hale_scan_walk_fn hale_scan_walk_avx2;
#else
#define HALE_SCAN_HAVE_AVX2 0
#endif

/* Fixes the walker of the whole process, for tests and measurements: true takes AVX2. Returns
 * false, changing nothing, if the processor has none. */
bool hale_scan_choose(bool avx2);
#endif
