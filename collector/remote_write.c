/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/remote_write.h"

#include <string.h>

#include "collector/labels.h"
#include "model/protobuf.h"

/* --- the wire format, by hand: this is the sample path ---------------------------------------- */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

#define TAG(number, wire) ((number) << 3 | (wire))

/* Fields of prometheus.WriteRequest, TimeSeries, Sample and MetricMetadata. */
#define REQUEST_SERIES   TAG(1, BYTES)
#define REQUEST_METADATA TAG(3, BYTES)
#define SERIES_LABEL     TAG(1, BYTES)
#define SERIES_SAMPLE    TAG(2, BYTES)
#define SERIES_HISTOGRAM TAG(4, BYTES)
#define SAMPLE_VALUE     TAG(1, FIXED64)
#define SAMPLE_TIME      TAG(2, VARINT)
#define METADATA_TYPE    1
#define METADATA_FAMILY  2
#define METADATA_HELP    4
#define METADATA_UNIT    5
#define LABEL_NAME       1
#define LABEL_VALUE      2
#define VARINT_BYTES     10

typedef const unsigned char *at; /* NULL: damaged */

static at varint_long(at p, at end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_BYTES && p < end; i++) {
        unsigned char b = *p++;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *out = v;
            return p;
        }
    }
    return NULL;
}

static inline at varint(at p, at end, uint64_t *out)
{
    if (p < end && *p < 0x80) {
        *out = *p;
        return p + 1;
    }
    return varint_long(p, end, out);
}

/* A field's tag and, for BYTES, its span; for others the position behind it. */
struct field {
    uint64_t tag;
    at p, behind; /* content and end; a varint's content is at p too */
};

/* False: damaged. */
static inline bool field(at p, at end, struct field *f)
{
    uint64_t n;
    p = varint(p, end, &f->tag);
    if (p == NULL)
        return false;
    switch (f->tag & 7) {
    case BYTES:
        p = varint(p, end, &n);
        if (p == NULL || n > (size_t)(end - p))
            return false;
        f->p = p;
        f->behind = p + n;
        break;
    case VARINT:
        f->p = p;
        f->behind = varint(p, end, &n);
        break;
    case FIXED64:
        f->p = p;
        f->behind = end - p >= 8 ? p + 8 : NULL;
        break;
    case FIXED32:
        f->p = p;
        f->behind = end - p >= 4 ? p + 4 : NULL;
        break;
    default: return false;
    }
    return f->behind != NULL && f->tag >> 3 != 0;
}

/* --- the walk ---------------------------------------------------------------------------------- */

void collector_rw_open(struct collector_rw *r, struct hale_str body)
{
    r->p = (at)body.p;
    r->end = body.len > 0 ? r->p + body.len : r->p;
}

static struct hale_str span(at from, at to)
{
    return (struct hale_str){(const char *)from, (size_t)(to - from)};
}

/* Adds a label field to its run, or opens another run. */
static void add_label(struct collector_rw_series *s, unsigned *run, at from, at behind)
{
    struct hale_str *l = &s->labels[*run];
    if (l->p != NULL && (const char *)from != l->p + l->len) {
        if (*run == COLLECTOR_RW_RUNS - 1) {
            s->scattered = true;
            return;
        }
        l = &s->labels[++*run];
    }
    if (l->p == NULL)
        l->p = (const char *)from;
    l->len += (size_t)(behind - from);
}

/* Skips short label fields, of which a series mostly consists. */
static inline at skip_labels(at p, at end)
{
    while (end - p >= 2 && p[0] == SERIES_LABEL && p[1] < 0x80 && p[1] <= end - p - 2)
        p += 2 + p[1];
    return p;
}

/* Finds the labels, and where the samples begin. */
static bool open_series(at p, at end, struct collector_rw_series *s)
{
    unsigned run = 0;
    at labels_end = skip_labels(p, end);
    *s = (struct collector_rw_series){.p = end, .end = end};
    if (labels_end != p)
        s->labels[0] = span(p, labels_end);
    p = labels_end;
    while (p < end) {
        struct field f;
        if (!field(p, end, &f))
            return false;
        if (f.tag == SERIES_LABEL)
            add_label(s, &run, p, f.behind);
        else if (f.tag == SERIES_SAMPLE && s->p == end)
            s->p = p;
        else if (f.tag == SERIES_HISTOGRAM)
            s->n_histograms++;
        p = f.behind;
    }
    return true;
}

static bool read_metadata(struct hale_str message, struct collector_rw_metadata *m)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    memset(m, 0, sizeof(*m));
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, METADATA_TYPE, HALE_PB_VARINT))
            m->type = (unsigned)f.bits;
        else if (hale_pb_is(&f, METADATA_FAMILY, HALE_PB_BYTES))
            m->family = f.bytes;
        else if (hale_pb_is(&f, METADATA_HELP, HALE_PB_BYTES))
            m->help = f.bytes;
        else if (hale_pb_is(&f, METADATA_UNIT, HALE_PB_BYTES))
            m->unit = f.bytes;
    }
    return !r.damaged;
}

enum collector_rw_item collector_rw_next(struct collector_rw *r,
                                         struct collector_rw_view *out)
{
    while (r->p < r->end) {
        struct field f;
        if (!field(r->p, r->end, &f))
            return COLLECTOR_RW_DAMAGED;
        r->p = f.behind;
        if (f.tag == REQUEST_SERIES)
            return open_series(f.p, f.behind, &out->series) ? COLLECTOR_RW_SERIES
                                                            : COLLECTOR_RW_DAMAGED;
        if (f.tag == REQUEST_METADATA)
            return read_metadata(span(f.p, f.behind), &out->metadata)
                       ? COLLECTOR_RW_METADATA
                       : COLLECTOR_RW_DAMAGED;
    }
    return COLLECTOR_RW_END;
}

static bool read_sample(at p, at end, struct collector_rw_sample *out)
{
    uint64_t n = 0;
    out->bits = 0;
    while (p < end) {
        struct field f;
        if (!field(p, end, &f))
            return false;
        if (f.tag == SAMPLE_VALUE) {
            out->bits = 0;
            for (unsigned i = 0; i < 8; i++)
                out->bits |= (uint64_t)f.p[i] << (8 * i);
        } else if (f.tag == SAMPLE_TIME) {
            (void)varint(f.p, end, &n); /* field() has read it once */
        }
        p = f.behind;
    }
    out->time_ms = (int64_t)n;
    return true;
}

int collector_rw_sample(struct collector_rw_series *s, struct collector_rw_sample *out)
{
    while (s->p < s->end) {
        struct field f;
        if (!field(s->p, s->end, &f))
            return -1;
        s->p = f.behind;
        if (f.tag == SERIES_SAMPLE)
            return read_sample(f.p, f.behind, out) ? 1 : -1;
    }
    return 0;
}

/* --- the slow path ----------------------------------------------------------------------------- */

static void put_label(struct collector_labels *l, struct hale_str message)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    struct hale_str name = {NULL, 0}, value = {NULL, 0};
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, LABEL_NAME, HALE_PB_BYTES))
            name = f.bytes;
        else if (hale_pb_is(&f, LABEL_VALUE, HALE_PB_BYTES))
            value = f.bytes;
    }
    if (r.damaged)
        collector_labels_refuse(l, "a damaged label");
    else if (hale_str_eq_c(name, "__name__"))
        collector_labels_name(l, value);
    else
        collector_labels_put(l, name, value);
}

enum hale_rc collector_rw_canon(const struct hale_str *runs, size_t n,
                                struct hale_str tenant, struct hale_str region,
                                struct hale_buf *out, struct hale_err *err)
{
    struct collector_labels l;
    collector_labels_begin(&l, tenant, region, err);
    for (size_t i = 0; i < n; i++) {
        struct hale_pb r = hale_pb_open(runs[i]);
        struct hale_pb_field f;
        while (hale_pb_next(&r, &f))
            put_label(&l, f.bytes);
    }
    return collector_labels_finish(&l, out);
}

const char *collector_rw_type(unsigned type)
{
    static const char *const names[] = {"unknown",        "counter", "gauge", "histogram",
                                        "gaugehistogram", "summary", "info",  "stateset"};
    return names[type < sizeof(names) / sizeof(names[0]) ? type : 0];
}
