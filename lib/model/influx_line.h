/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_INFLUX_LINE_H
#define HALE_MODEL_INFLUX_LINE_H
/*
 * influx_line - Influx's line protocol, parsed on the hot path without allocation.
 * Input:     lines "measurement[,tag=value...] field=value[,field=value...] [timestamp]", ended by
 *            LF or CRLF; empty lines and lines that start with '#' are skipped.
 * Output:    views into the body. key is "measurement,tags" as written: with a field's name the
 *            key under which the collector caches a series, so that escapes, tags, UTF-8 and names
 *            are looked at only when a new spelling is first seen (hale_influx_series).
 * Escapes:   a backslash before ',', '=' or ' ' (in names, tags) takes their meaning away;
 *            before anything else it is itself. In strings \" and \\. A line feed ends a
 *            line everywhere but in a string.
 * Values:    decimal numbers, integers with i (64 bits) or u (64 bits, unsigned), t, T, true, True,
 *            TRUE, f, F, false, False, FALSE (1 and 0); strings are marked and their text is not
 *            kept. Numbers become doubles: integers beyond 2^53 are rounded.
 * Times:     64-bit integers in the unit of the request, rounded down to milliseconds; the
 *            years 1678 to 2262 as in Influx.
 * Faults:    of a line; the next call goes on with the next line.
 * Limits:    HALE_INFLUX_FIELDS_MAX fields in a line.
 * Speed:     16 bytes at a step where the processor has SSE2 (every x86-64); a byte loop otherwise.
 * Threads:   the parser is a value of the caller; stateless otherwise.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

#define HALE_INFLUX_FIELDS_MAX 1024

enum hale_influx_unit {
    HALE_INFLUX_NS,
    HALE_INFLUX_US,
    HALE_INFLUX_MS,
    HALE_INFLUX_S,
    HALE_INFLUX_MIN,
    HALE_INFLUX_H
};
/* Of the parameter precision: "ns" and "n", "us", "u" and "µ", "ms", "s", "m", "h"; NULL is ns. */
HALE_MUST_CHECK enum hale_rc hale_influx_unit_parse(const char *text,
                                                    enum hale_influx_unit *out);

enum hale_influx_result { HALE_INFLUX_LINE, HALE_INFLUX_FAULT, HALE_INFLUX_END };

struct hale_influx_field {
    struct hale_str name; /* as written */
    double value;         /* finite; 0 for a string */
    bool is_string;
};

struct hale_influx_parser {
    const char *pos, *end;
    enum hale_influx_unit unit;
    /* The line: */
    struct hale_str key; /* "measurement,tags" as written */
    bool has_time;
    int64_t time_ms;
    unsigned n_fields; /* >= 1 */
    struct hale_influx_field fields[HALE_INFLUX_FIELDS_MAX];
    /* The fault: */
    const char *reason;  /* "syntax", "value" or "time" */
    struct hale_err err; /* "unable to parse '<line>': ..." */
};

/* body need not be NUL-terminated; nothing is read past its end. */
void hale_influx_init(struct hale_influx_parser *p, struct hale_str body,
                      enum hale_influx_unit unit);
enum hale_influx_result hale_influx_next(struct hale_influx_parser *p);

/* The slow path: decodes key and field name and appends the canonical bytes of the series: name =
 * measurement "." field, or the measurement alone when the field is "value"; tags = dimensions.
 * HALE_E_INVAL (err says why, ends with ": for metric <name>"), HALE_E_LIMIT when out takes no more,
 * HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc
hale_influx_series(struct hale_str key, struct hale_str field, struct hale_str tenant,
                   struct hale_str region, struct hale_buf *out, struct hale_err *err);
#endif
