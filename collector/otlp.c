/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/otlp.h"

#include <string.h>

#include "model/protobuf.h"

/* Field numbers, by message. */
enum { REQUEST_RESOURCE_METRICS = 1 };
enum { RESOURCE_METRICS_RESOURCE = 1, RESOURCE_METRICS_SCOPES = 2 };
enum { SCOPE_METRICS_METRICS = 2 };
enum {
    METRIC_NAME = 1,
    METRIC_GAUGE = 5,
    METRIC_SUM = 7,
    METRIC_HISTOGRAM = 9,
    METRIC_EXPONENTIAL = 10,
    METRIC_SUMMARY = 11
};
enum { DATA_POINTS = 1 };
enum { POINT_TIME = 3 }; /* of every kind */
enum {
    NUMBER_DOUBLE = 4,
    NUMBER_INT = 6,
    NUMBER_ATTRIBUTES = 7,
    NUMBER_FLAGS = 8,
};
enum { POINT_COUNT = 4, POINT_SUM = 5 }; /* of the other kinds */
enum {
    HISTOGRAM_COUNTS = 6,
    HISTOGRAM_BOUNDS = 7,
    HISTOGRAM_ATTRIBUTES = 9,
    HISTOGRAM_FLAGS = 10,
    HISTOGRAM_MIN = 11,
    HISTOGRAM_MAX = 12
};
enum {
    EXPONENTIAL_ATTRIBUTES = 1,
    EXPONENTIAL_POSITIVE = 8,
    EXPONENTIAL_NEGATIVE = 9,
    EXPONENTIAL_FLAGS = 10,
    EXPONENTIAL_MIN = 12,
    EXPONENTIAL_MAX = 13
};
enum { SUMMARY_QUANTILES = 6, SUMMARY_ATTRIBUTES = 7, SUMMARY_FLAGS = 8 };
enum { QUANTILE_QUANTILE = 1, QUANTILE_VALUE = 2 };

#define NO_RECORDED_VALUE 1u

struct walk {
    struct collector_arena *arena;
    bool (*each)(const struct collector_otlp_point *p, void *arg);
    void *arg;
    struct collector_otlp_point point; /* of it: resource, name, kind */
    enum collector_otlp_end end;
};

/* --- fields that belong together ----------------------------------------------------------------- */

enum part { WHOLE, CONTENT };

static struct hale_str part_of(const struct hale_pb_field *f, enum part part)
{
    static const size_t FIXED64_BYTES = 8;
    if (part == WHOLE)
        return f->whole;
    if (f->kind ==
        HALE_PB_FIXED64) /* an element of a repeated field that is not packed */
        return (struct hale_str){f->whole.p + f->whole.len - FIXED64_BYTES,
                                 FIXED64_BYTES};
    return f->bytes;
}

static bool wanted(const struct hale_pb_field *f, uint32_t number, enum part part)
{
    return f->number == number &&
           (f->kind == HALE_PB_BYTES || (part == CONTENT && f->kind == HALE_PB_FIXED64));
}

/* All fields of number in one span: a view when they lie side by side, else a copy. */
static struct hale_str gather(struct walk *w, struct hale_str message, uint32_t number,
                              enum part part)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    struct hale_str all = {NULL, 0};
    bool adjacent = true;
    while (hale_pb_next(&r, &f)) {
        if (!wanted(&f, number, part))
            continue;
        struct hale_str one = part_of(&f, part);
        if (all.p == NULL)
            all.p = one.p;
        else if (one.p != all.p + all.len)
            adjacent = false;
        all.len += one.len;
    }
    if (r.damaged)
        w->end = COLLECTOR_OTLP_DAMAGED;
    if (r.damaged || adjacent)
        return all;
    char *copy = collector_arena_get(w->arena, all.len);
    if (copy == NULL) {
        w->end = COLLECTOR_OTLP_NO_ROOM;
        return all;
    }
    all = (struct hale_str){copy, 0};
    r = hale_pb_open(message);
    while (hale_pb_next(&r, &f)) {
        if (!wanted(&f, number, part))
            continue;
        struct hale_str one = part_of(&f, part);
        memcpy(copy + all.len, one.p, one.len);
        all.len += one.len;
    }
    return all;
}

/* --- data points --------------------------------------------------------------------------------- */

static void number_field(const struct hale_pb_field *f, struct collector_otlp_point *p)
{
    if (hale_pb_is(f, NUMBER_DOUBLE, HALE_PB_FIXED64))
        p->value = (struct collector_otlp_number){true, hale_pb_double(f)};
    else if (hale_pb_is(f, NUMBER_INT, HALE_PB_FIXED64))
        p->value = (struct collector_otlp_number){true, (double)(int64_t)f->bits};
    else if (hale_pb_is(f, NUMBER_FLAGS, HALE_PB_VARINT))
        p->stale = (f->bits & NO_RECORDED_VALUE) != 0;
}

/* Count, sum, least and greatest, which the other kinds have under these numbers. */
static void totals_field(const struct hale_pb_field *f, uint32_t min, uint32_t max,
                         struct collector_otlp_point *p)
{
    if (f->kind != HALE_PB_FIXED64)
        return;
    const struct collector_otlp_number n = {true, hale_pb_double(f)};
    if (f->number == POINT_COUNT)
        p->count = f->bits;
    else if (f->number == POINT_SUM)
        p->sum = n;
    else if (f->number == min)
        p->min = n;
    else if (f->number == max)
        p->max = n;
}

static void point_field(const struct hale_pb_field *f, struct collector_otlp_point *p)
{
    uint32_t flags = HISTOGRAM_FLAGS;
    if (hale_pb_is(f, POINT_TIME, HALE_PB_FIXED64))
        p->time_ns = f->bits;
    switch (p->kind) {
    case COLLECTOR_OTLP_NUMBER: number_field(f, p); return;
    case COLLECTOR_OTLP_HISTOGRAM:
        totals_field(f, HISTOGRAM_MIN, HISTOGRAM_MAX, p);
        break;
    case COLLECTOR_OTLP_EXPONENTIAL:
        flags = EXPONENTIAL_FLAGS;
        totals_field(f, EXPONENTIAL_MIN, EXPONENTIAL_MAX, p);
        if (hale_pb_is(f, EXPONENTIAL_POSITIVE, HALE_PB_BYTES) ||
            hale_pb_is(f, EXPONENTIAL_NEGATIVE, HALE_PB_BYTES))
            p->has_buckets |= f->bytes.len > 0;
        break;
    case COLLECTOR_OTLP_SUMMARY:
        flags = SUMMARY_FLAGS;
        totals_field(f, 0, 0, p);
        break;
    }
    if (hale_pb_is(f, flags, HALE_PB_VARINT))
        p->stale = (f->bits & NO_RECORDED_VALUE) != 0;
}

static bool quantiles_are_whole(struct hale_str quantiles)
{
    struct hale_pb r = hale_pb_open(quantiles);
    struct hale_pb_field f, inner;
    while (hale_pb_next(&r, &f)) {
        struct hale_pb q = hale_pb_open(f.bytes);
        while (hale_pb_next(&q, &inner))
            continue;
        if (q.damaged)
            return false;
    }
    return true;
}

static void read_point(struct walk *w, struct hale_str message)
{
    static const uint32_t ATTRIBUTES[] = {NUMBER_ATTRIBUTES, HISTOGRAM_ATTRIBUTES,
                                          EXPONENTIAL_ATTRIBUTES, SUMMARY_ATTRIBUTES};
    struct collector_otlp_point p = w->point;
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    while (hale_pb_next(&r, &f))
        point_field(&f, &p);
    p.attributes = gather(w, message, ATTRIBUTES[p.kind], WHOLE);
    if (p.kind == COLLECTOR_OTLP_HISTOGRAM) {
        p.counts = gather(w, message, HISTOGRAM_COUNTS, CONTENT);
        p.bounds = gather(w, message, HISTOGRAM_BOUNDS, CONTENT);
        if (p.counts.len % 8 != 0 || p.bounds.len % 8 != 0)
            w->end = COLLECTOR_OTLP_DAMAGED;
    } else if (p.kind == COLLECTOR_OTLP_SUMMARY) {
        p.quantiles = gather(w, message, SUMMARY_QUANTILES, WHOLE);
        if (!quantiles_are_whole(p.quantiles))
            w->end = COLLECTOR_OTLP_DAMAGED;
    }
    if (w->end == COLLECTOR_OTLP_DONE && !w->each(&p, w->arg))
        w->end = COLLECTOR_OTLP_STOPPED;
}

bool collector_otlp_quantile(struct hale_str *rest, struct collector_otlp_quantile *out)
{
    struct hale_pb r = hale_pb_open(*rest);
    struct hale_pb_field f;
    *out = (struct collector_otlp_quantile){0, 0};
    if (!hale_pb_next(&r, &f))
        return false;
    *rest = (struct hale_str){(const char *)r.p, (size_t)(r.end - r.p)};
    struct hale_pb q = hale_pb_open(f.bytes);
    while (hale_pb_next(&q, &f)) {
        if (hale_pb_is(&f, QUANTILE_QUANTILE, HALE_PB_FIXED64))
            out->quantile = hale_pb_double(&f);
        else if (hale_pb_is(&f, QUANTILE_VALUE, HALE_PB_FIXED64))
            out->value = hale_pb_double(&f);
    }
    return !q.damaged;
}

/* --- what they stand in -------------------------------------------------------------------------- */

/* Calls inner for each message of number in message. */
static void each_message(struct walk *w, struct hale_str message, uint32_t number,
                         void (*inner)(struct walk *, struct hale_str))
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    while (w->end == COLLECTOR_OTLP_DONE && hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, number, HALE_PB_BYTES))
            inner(w, f.bytes);
    }
    if (r.damaged)
        w->end = COLLECTOR_OTLP_DAMAGED;
}

static bool kind_of(const struct hale_pb_field *f, enum collector_otlp_kind *kind)
{
    if (f->kind != HALE_PB_BYTES)
        return false;
    switch (f->number) {
    case METRIC_GAUGE:
    case METRIC_SUM: *kind = COLLECTOR_OTLP_NUMBER; return true;
    case METRIC_HISTOGRAM: *kind = COLLECTOR_OTLP_HISTOGRAM; return true;
    case METRIC_EXPONENTIAL: *kind = COLLECTOR_OTLP_EXPONENTIAL; return true;
    case METRIC_SUMMARY: *kind = COLLECTOR_OTLP_SUMMARY; return true;
    default: return false;
    }
}

static void read_metric(struct walk *w, struct hale_str message)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    w->point.name = (struct hale_str){NULL, 0};
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, METRIC_NAME, HALE_PB_BYTES))
            w->point.name = f.bytes;
    }
    if (r.damaged) {
        w->end = COLLECTOR_OTLP_DAMAGED;
        return;
    }
    r = hale_pb_open(message);
    while (w->end == COLLECTOR_OTLP_DONE && hale_pb_next(&r, &f)) {
        if (kind_of(&f, &w->point.kind))
            each_message(w, f.bytes, DATA_POINTS, read_point);
    }
}

static void read_scope(struct walk *w, struct hale_str message)
{
    each_message(w, message, SCOPE_METRICS_METRICS, read_metric);
}

static void read_resource_metrics(struct walk *w, struct hale_str message)
{
    w->point.resource = gather(w, message, RESOURCE_METRICS_RESOURCE, CONTENT);
    each_message(w, message, RESOURCE_METRICS_SCOPES, read_scope);
}

enum collector_otlp_end
collector_otlp_walk(struct hale_str body, struct collector_arena *arena,
                    bool (*each)(const struct collector_otlp_point *p, void *arg),
                    void *arg)
{
    struct walk w = {.arena = arena, .each = each, .arg = arg};
    each_message(&w, body, REQUEST_RESOURCE_METRICS, read_resource_metrics);
    return w.end;
}
