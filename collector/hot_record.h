/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HOT_RECORD_H
#define HALE_COLLECTOR_HOT_RECORD_H
/*
 * hot_record - raw samples packed into blocks, format 2 (docs/formats/hot.md). A chunk is a
 * sequence of blocks of one series in order of arrival; a block stands for itself.
 *   block   u8 version (2), varint bytes of samples, samples
 *   sample  u8 control: bits 0-5 form of the value, bit 6 a time follows, bit 7 a meta follows
 *           varint zigzag(delta - delta before), 1-8 bytes value XOR value before without the
 *           zero bytes at either end, varint length and bytes of value_meta
 * A sample on the same step with the same value takes one byte.
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

/* What a sample is relative to: the one before it in the block. */
struct collector_hot_coder {
    uint64_t bits;
    int64_t time_ms;
    int32_t delta_ms; /* beyond 32 bits: 0 */
    bool first;
};
void collector_hot_coder_init(struct collector_hot_coder *c, int64_t base_ms);

#define COLLECTOR_SAMPLE_MAX 32 /* room that a sample without meta needs while written */
/* Encodes without meta into dst (COLLECTOR_SAMPLE_MAX bytes); returns the bytes used. */
size_t collector_hot_sample_put(char *dst, struct collector_hot_coder *c, int64_t time_ms,
                                double value);
/* The same with meta (1 .. 2^21 - 1 bytes) into dst (COLLECTOR_SAMPLE_MAX + meta.len). */
size_t collector_hot_sample_put_meta(char *dst, struct collector_hot_coder *c,
                                     const struct collector_sample *s);

#define COLLECTOR_FRAME_MAX 6
/* Writes the frame of a block of n bytes so that it ends at end; returns its beginning. */
char *collector_hot_frame(char *end, uint32_t n);

struct collector_hot_reader {
    struct hale_str rest;  /* blocks not begun */
    struct hale_str block; /* of the block under way */
    int64_t base_ms, span_ms;
    struct collector_hot_coder at;
    bool bad; /* bytes were passed over that are no samples */
};
/* Blocks of times [base, base + span), span 0: any time, relative to base. */
void collector_hot_reader_init(struct collector_hot_reader *r, struct hale_str blocks,
                               int64_t base_ms, int64_t span_ms);
/* The samples of one block without its frame. */
void collector_hot_reader_init_block(struct collector_hot_reader *r,
                                     struct hale_str block, int64_t base_ms,
                                     int64_t span_ms);
/* Up to max samples; 0 at the end. What follows a damaged sample in its block, or a damaged frame,
 * is lost. */
size_t collector_hot_reader_take(struct collector_hot_reader *r,
                                 struct collector_sample *out, size_t max);
/* One of them; false at the end. */
bool collector_hot_reader_next(struct collector_hot_reader *r,
                               struct collector_sample *out);
#endif
