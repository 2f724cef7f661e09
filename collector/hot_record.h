/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HOT_RECORD_H
#define HALE_COLLECTOR_HOT_RECORD_H
/*
 * hot_record - raw samples packed into a chunk (docs/formats/hot.md): a chunk is ten
 * minutes of one series, records in order of arrival.
 *   u32 LE  milliseconds since the start of the chunk (0..599999)
 *   f64 LE  value
 *   varint  length of value_meta (LEB128, at most 3 bytes), 0: none
 *   bytes   value_meta, a JSON object as it was sent
 * Threads: stateless.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define COLLECTOR_CHUNK_MS 600000

/* Chunk of a time; floor, so that times before 1970 work as well. */
static inline int64_t collector_chunk_of(int64_t time_ms)
{
    int64_t q = time_ms / COLLECTOR_CHUNK_MS;
    return time_ms % COLLECTOR_CHUNK_MS < 0 ? q - 1 : q;
}

struct collector_sample {
    int64_t time_ms;
    double value;
    struct hale_str meta; /* JSON object text or {NULL,0} */
};

/* Appends one record of the chunk that the sample's time is in. meta.len < 2^21. */
void collector_hot_record_add(struct hale_buf *out, const struct collector_sample *s);
/* Takes the next record off *rest (views into it). False at the end, and with *bad set at
 * bytes that are not a record: what follows them is lost. */
bool collector_hot_record_next(struct hale_str *rest, int64_t chunk,
                               struct collector_sample *out, bool *bad);
#endif
