/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_BENCH_LOAD_BODY_H
#define HALE_TESTS_BENCH_LOAD_BODY_H
/*
 * load_body - requests of samples for bench_load, rendered once; afterwards only times and values are
 * patched in place, so that the generator is cheap in every format.
 * Series:    100 per host: 20 metric names (bench.metric_00 ...) x 5 devices, dimensions hostname,
 *            service, tenant, region, device; the same in every format.
 * Formats:   "json" (Monasca, about 200 bytes a sample), "influx" (one field a line, 140) and
 *            "remote-write" (165). The Snappy block of the latter is one literal, so that it can be
 *            patched: the receiver decodes it faster than a compressed one (bench_collector_remote_write
 *            has that part alone), and there is more to receive.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum load_format { LOAD_JSON, LOAD_INFLUX, LOAD_REMOTE_WRITE, LOAD_FORMATS };

struct load_body {
    enum load_format format;
    struct hale_buf text; /* head and body */
    size_t *spots; /* where each sample's value or time is; its format knows which */
    long n;
};

/* LOAD_FORMATS: no such format. */
enum load_format load_format_of(const char *name);
/* n series from the first on. Exits on no memory. */
void load_body_render(struct load_body *b, const char *token, long first, long n);
/* All samples get time_ms and values 100.00 to 999.99 of *noise. */
void load_body_patch(struct load_body *b, int64_t time_ms, uint32_t *noise);
#endif
