/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_remote_write - the walk over remote write against a plain one on top of model/protobuf: the same
 * items, labels and samples, or damage in both. Input whose first byte is odd goes through Snappy first.
 * Intended difference: nanopb takes 32-bit varints with superfluous sign bits, the hand-written reader
 * takes lengths and tags of up to 64 bits; so bodies with a varint of five bytes or more are only walked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/snappy.h"
#include "collector/remote_write.h"
#include "model/protobuf.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN_MAX ((size_t)1 << 20)

struct sum { /* what a walk saw */
    size_t series, samples, metadata, histograms, label_bytes;
    uint64_t bits;
    bool damaged;
};

static void add_sample(struct sum *s, uint64_t bits, int64_t time_ms)
{
    s->samples++;
    s->bits = s->bits * 31 + bits;
    s->bits = s->bits * 31 + (uint64_t)time_ms;
}

static void inside(struct hale_str part, struct hale_str body)
{
    HALE_ASSERT(part.len == 0 ||
                (part.p >= body.p && part.p + part.len <= body.p + body.len));
}

static void try_canon(const struct collector_rw_series *s)
{
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_series text;
    hale_buf_init(&out, HALE_SERIES_MAX_BYTES);
    enum hale_rc rc = collector_rw_canon(s->labels, COLLECTOR_RW_RUNS, HALE_STR("t"),
                                         HALE_STR("r"), &out, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(hale_series_decode(hale_buf_str(&out), &text) == HALE_OK);
    else
        HALE_ASSERT(err.text[0] != '\0' && out.len == 0);
    hale_buf_fini(&out);
}

static struct sum ours(struct hale_str body)
{
    struct collector_rw r;
    struct collector_rw_view v;
    struct collector_rw_sample sample;
    enum collector_rw_item item;
    struct sum s = {0};
    int rc;
    collector_rw_open(&r, body);
    while ((item = collector_rw_next(&r, &v)) < COLLECTOR_RW_END) {
        if (item == COLLECTOR_RW_METADATA) {
            s.metadata++;
            inside(v.metadata.family, body);
            inside(v.metadata.help, body);
            continue;
        }
        s.series++;
        s.histograms += v.series.n_histograms;
        for (unsigned i = 0; i < COLLECTOR_RW_RUNS; i++) {
            inside(v.series.labels[i], body);
            s.label_bytes += v.series.labels[i].len;
        }
        if (v.series.scattered)
            s.label_bytes = 0; /* not all are there */
        try_canon(&v.series);
        while ((rc = collector_rw_sample(&v.series, &sample)) > 0)
            add_sample(&s, sample.bits, sample.time_ms);
        if (rc < 0) {
            s.damaged = true;
            return s;
        }
        if (v.series.scattered)
            s.bits = 0;
    }
    s.damaged = item == COLLECTOR_RW_DAMAGED;
    return s;
}

static bool oracle_sample(struct hale_str message, struct sum *s)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    uint64_t bits = 0, time = 0;
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, 1, HALE_PB_FIXED64))
            bits = f.bits;
        else if (hale_pb_is(&f, 2, HALE_PB_VARINT))
            time = f.bits;
    }
    if (!r.damaged)
        add_sample(s, bits, (int64_t)time);
    return !r.damaged;
}

static bool oracle_series(struct hale_str message, struct sum *s)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    s->series++;
    while (
        hale_pb_next(&r, &f)) { /* a damaged series is told before any of its samples */
        if (hale_pb_is(&f, 1, HALE_PB_BYTES))
            s->label_bytes += f.whole.len;
        s->histograms += hale_pb_is(&f, 4, HALE_PB_BYTES);
    }
    if (r.damaged)
        return false;
    r = hale_pb_open(message);
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, 2, HALE_PB_BYTES) && !oracle_sample(f.bytes, s))
            return false;
    }
    return true;
}

static struct sum oracle(struct hale_str body)
{
    struct hale_pb r = hale_pb_open(body);
    struct hale_pb_field f, inner;
    struct sum s = {0};
    while (!s.damaged && hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, 1, HALE_PB_BYTES)) {
            s.damaged = !oracle_series(f.bytes, &s);
        } else if (hale_pb_is(&f, 3, HALE_PB_BYTES)) {
            struct hale_pb m = hale_pb_open(f.bytes);
            while (hale_pb_next(&m, &inner))
                continue;
            s.damaged = m.damaged;
            s.metadata += !m.damaged;
        }
    }
    s.damaged |= r.damaged;
    return s;
}

static bool has_long_varint(struct hale_str body)
{
    unsigned run = 0;
    for (size_t i = 0; i < body.len; i++) {
        run = (unsigned char)body.p[i] >= 0x80 ? run + 1 : 0;
        if (run >= 4)
            return true;
    }
    return false;
}

static bool has_scattered(struct hale_str body)
{
    struct collector_rw r;
    struct collector_rw_view v;
    enum collector_rw_item item;
    collector_rw_open(&r, body);
    while ((item = collector_rw_next(&r, &v)) < COLLECTOR_RW_END) {
        if (item == COLLECTOR_RW_SERIES && v.series.scattered)
            return true;
    }
    return false;
}

static void compare(struct hale_str body)
{
    struct sum a = ours(body), b = oracle(body);
    if (has_long_varint(body))
        return;
    HALE_ASSERT(a.damaged == b.damaged);
    if (a.damaged || has_scattered(body))
        return;
    HALE_ASSERT(a.series == b.series && a.samples == b.samples && a.bits == b.bits);
    HALE_ASSERT(a.metadata == b.metadata && a.histograms == b.histograms);
    HALE_ASSERT(a.label_bytes == b.label_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_buf plain;
    if (size == 0)
        return 0;
    struct hale_str body = {(const char *)data + 1, size - 1};
    if ((data[0] & 1) == 0) {
        compare(body);
        return 0;
    }
    hale_buf_init(&plain, PLAIN_MAX + 1);
    enum hale_rc rc = hale_snappy_decode(body, PLAIN_MAX, &plain);
    HALE_ASSERT(plain.len <= PLAIN_MAX && plain.cap <= 2 * PLAIN_MAX);
    if (rc == HALE_OK)
        compare(hale_buf_str(&plain));
    else
        HALE_ASSERT(plain.len == 0);
    hale_buf_fini(&plain);
    return 0;
}
