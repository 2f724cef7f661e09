/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HOT_H
#define HALE_COLLECTOR_HOT_H
/*
 * hot - raw samples: the newest in memory per series (the tail), the rest in Redis chunks
 * (hot_record.h), all of which the stream can rebuild.
 * Purpose:   one APPEND per series and flush instead of one command per sample. The
 *            checkpoint cp:hot is written in the last transaction of a flush; a flush that
 *            was cut off is repeated, and the doubled records are harmless, since readers
 *            keep the last of each time.
 * Threads:   the store thread adds and flushes; any thread copies. One mutex, held per
 *            stream entry and per copied series.
 * Limits:    hot_memory is watched by the store thread, which flushes when it is reached
 *            and reads no further while Redis is away.
 */
#include <stdint.h>

#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/points.h"
#include "collector/roll.h"
#include "store/redis.h"

struct collector_tail {
    struct collector_series *series;
    struct hale_buf pending;     /* records not in a chunk yet */
    struct hale_buf flushing;    /* records of the flush under way */
    struct collector_tail *next; /* in the list of dirty or flushing tails */
    bool dirty;
    int64_t expire_chunk; /* chunk whose expiry was set last, and when */
    int64_t expire_set_ms;
    struct collector_roll roll; /* the archive's part: store thread only */
    bool archiving;             /* an update of its file is under way */
};

struct collector_hot;

struct collector_hot *collector_hot_new(struct collector *c); /* exits on no memory */
void collector_hot_free(struct collector_hot *h);
size_t collector_hot_bytes(const struct collector_hot *h); /* pending, not flushing */

void collector_hot_lock(struct collector_hot *h);
void collector_hot_unlock(struct collector_hot *h);
/* Locked. Finds or makes the tail; NULL on memory failure. *new_out (NULL allowed). */
struct collector_tail *collector_hot_tail(struct collector_hot *h,
                                          struct collector_series *s, bool *new_out);
struct collector_tail *collector_hot_find(struct collector_hot *h, uint64_t id);
/* Locked. HALE_E_NOMEM: nothing was added. */
HALE_MUST_CHECK enum hale_rc collector_hot_add(struct collector_hot *h,
                                               struct collector_tail *t,
                                               const struct collector_sample *s);

/* Writes everything added up to position (one per shard) and then the checkpoints.
 * HALE_E_IO and others: repeat later; position is then ignored until the repeated flush
 * is through. *done_out gets the positions flushed. */
HALE_MUST_CHECK enum hale_rc collector_hot_flush(struct collector_hot *h,
                                                 struct hale_redis *redis,
                                                 const struct hale_stream_id *position,
                                                 struct hale_stream_id *done_out);

/* Samples of the series in [start, end) in memory, in order of arrival. */
void collector_hot_copy(struct collector_hot *h, uint64_t id, int64_t start_ms,
                        int64_t end_ms, struct collector_points *out);
/* The same from the chunks. HALE_E_IO, HALE_E_AGAIN. */
HALE_MUST_CHECK enum hale_rc collector_hot_read(struct hale_redis *redis,
                                                const struct collector_series *s,
                                                int64_t start_ms, int64_t end_ms,
                                                struct collector_points *out);
#endif
