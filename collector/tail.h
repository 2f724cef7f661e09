/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TAIL_H
#define HALE_COLLECTOR_TAIL_H
/*
 * tail - the newest samples of each series in memory, encoded as they will lie in Redis
 * (hot_record.h), and the table of all tails.
 * Purpose:   a tail is one cache line; its buffer is a row of blocks, the last of which is
 *            open. A block belongs to a key: the chunk of its samples' time, or, for samples
 *            that came too late for the archive, the chunk of their arrival (late).
 * Memory:    64 bytes a series and its share of the table; the buffer goes when it stays empty.
 * Limits:    HALE_E_LIMIT beyond COLLECTOR_TAIL_MAX bytes of one series, and beyond max_series.
 * Threads:   the caller's lock.
 */
#include "collector/catalog.h"
#include "collector/hot_record.h"

#define COLLECTOR_TAIL_MAX (64u << 20)

struct collector_tail {
    struct collector_series *series; /* NULL: not in use */
    char *buf;
    uint32_t len, cap;
    uint32_t open_at; /* where the open block begins; = len: none */
    int32_t open_key; /* chunk * 2 + late */
    struct collector_hot_coder at;
    int32_t expire_chunk; /* chunk whose expiry was set last */
    int32_t late_chunk;   /* arrival of the newest late sample; INT32_MIN: none */
};

/* Chunks beyond have no key: about the year 22000 in either direction. */
#define COLLECTOR_TAIL_CHUNK_MAX (INT32_MAX / 2 - 1)

struct collector_tails;
struct collector_tails *collector_tails_new(size_t max_series); /* exits on no memory */
void collector_tails_free(struct collector_tails *t);
void collector_tails_prefetch(const struct collector_tails *t, uint64_t id);
struct collector_tail *collector_tails_find(const struct collector_tails *t, uint64_t id);
/* Finds or makes; NULL: no memory, or max_series. */
struct collector_tail *collector_tails_get(struct collector_tails *t,
                                           struct collector_series *s);
/* Frees the buffer; the tail may be another series' after the next _get. False: none. */
bool collector_tails_forget(struct collector_tails *t, uint64_t id);
/* Tails by index, 0 .. count - 1; some are not in use. */
size_t collector_tails_count(const struct collector_tails *t);
struct collector_tail *collector_tails_at(const struct collector_tails *t, size_t i);
size_t collector_tails_memory(const struct collector_tails *t); /* without buffers */

/* chunk: of the sample, or with late of its arrival; within +-COLLECTOR_TAIL_CHUNK_MAX.
 * *added_out: bytes. HALE_E_NOMEM, HALE_E_LIMIT: nothing was added. */
HALE_MUST_CHECK enum hale_rc collector_tail_add(struct collector_tail *t, int64_t chunk,
                                                bool late,
                                                const struct collector_sample *s,
                                                size_t *added_out);
struct collector_tail_block {
    int64_t chunk;
    bool late;
    struct hale_str body; /* samples, without frame */
    int64_t base_ms, span_ms;
    struct hale_str framed; /* as it goes into the chunk; only from _next */
};
/* Iterates; *at starts 0 and is the offset behind the block after. Writes the frames into the
 * space kept for them. */
bool collector_tail_next(struct collector_tail *t, uint32_t *at,
                         struct collector_tail_block *out);
/* The same for readers: does not write. */
bool collector_tail_peek(const struct collector_tail *t, uint32_t *at,
                         struct collector_tail_block *out);
/* Drops what lies before the offset; keeps the memory. */
void collector_tail_consume(struct collector_tail *t, uint32_t upto);
/* Gives an empty buffer's memory back; returns its bytes. */
void collector_tail_trim(struct collector_tail *t);
#endif
