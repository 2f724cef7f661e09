/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HOT_H
#define HALE_COLLECTOR_HOT_H
/*
 * hot - raw samples: the newest in memory per series (tail.h), the rest in Redis chunks, all of
 * which the stream can rebuild (docs/formats/hot.md).
 * Flush:     in rounds. A round begins at a stream position, passes every tail once within
 *            hot_flush (sooner when many bytes come in), a slice of tails per pipeline, and ends
 *            with cp:hot at that position. A slice that Redis did not confirm is sent again;
 *            doubled samples are harmless, since readers keep the last of each time.
 * Late:      samples too late for the archive (lateness.h) go to keys by arrival.
 * Threads:   the store thread takes and flushes; any thread copies, reads and forgets. One mutex,
 *            held per stream entry, per slice while it is put together, per copied series.
 *            A second one keeps forgetting and sending apart.
 * Limits:    hot_memory is watched by the store thread, which flushes when it is reached and
 *            reads no further while Redis is away.
 */
#include <stdint.h>

#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/lateness.h"
#include "collector/points.h"
#include "collector/tail.h"
#include "model/batch.h"
#include "store/redis.h"

struct collector_hot;

/* now_ms: wall clock at start. Exits on no memory. */
struct collector_hot *collector_hot_new(struct collector *c, int64_t now_ms);
void collector_hot_free(struct collector_hot *h);
size_t collector_hot_bytes(const struct collector_hot *h); /* in memory, not in chunks */

/* --- before the store thread runs ------------------------------------------------------- */
void collector_hot_set_done(struct collector_hot *h, unsigned shard,
                            struct hale_stream_id done); /* cp:hot as found */
void collector_hot_set_lateness(struct collector_hot *h, unsigned shard,
                                const struct collector_lateness *l);

/* --- the store thread ------------------------------------------------------------------- */
struct collector_hot_entry { /* one stream entry */
    unsigned shard;
    int64_t arrival_ms; /* of its id */
    const struct hale_batch_view *view;
    /* The series of an id not seen before; may wait. NULL: unknown. */
    struct collector_series *(*resolve)(void *arg, unsigned shard, uint64_t id);
    void *arg;
    bool pressing;  /* out: flush before the next entry */
    size_t orphans; /* out: samples without a series */
};
/* HALE_E_NOMEM, HALE_E_LIMIT: offer the entry again after a flush. */
HALE_MUST_CHECK enum hale_rc collector_hot_take(struct collector_hot *h,
                                                struct collector_hot_entry *e);

struct collector_hot_input { /* what the store thread has taken, per shard */
    const struct hale_stream_id *read;
    const int64_t
        *drained_ms; /* all entries that came before then are taken; 0: unknown */
    int64_t now_ms;  /* monotonic */
};
/* Writes the tails that are due, or all with whole. HALE_E_IO, HALE_E_AGAIN and others: call
 * again later. */
HALE_MUST_CHECK enum hale_rc collector_hot_flush(struct collector_hot *h,
                                                 struct hale_redis *redis,
                                                 const struct collector_hot_input *in,
                                                 bool whole);
/* Everything up to it is in chunks: cp:hot. */
struct hale_stream_id collector_hot_done(const struct collector_hot *h, unsigned shard);

/* --- any thread ------------------------------------------------------------------------- */
/* Everything that arrived before this wall time is in chunks. */
int64_t collector_hot_flushed_ms(const struct collector_hot *h, unsigned shard);
struct collector_hot_range {
    int64_t start_ms, end_ms; /* [start, end) */
    int64_t chunks_ms; /* in-time samples only from here on; late ones from start */
    int64_t now_ms;    /* wall clock: late samples expire */
};
/* The raw samples of one series on their way: memory is copied first, then the chunks are asked
 * for, so what a flush moves meanwhile is found twice, never missed. Many fetches may be asked for
 * before the first answer is taken, which come in the order of the questions. */
#define COLLECTOR_HOT_KEYS 64 /* chunks per question */
struct collector_hot_keys {   /* [0] chunks by time, [1] by arrival */
    int64_t first[2];
    size_t n[2];
};
struct collector_hot_fetch {
    const struct collector_series *series;
    struct collector_hot_range range;
    struct collector_tail memory; /* a copy */
    struct collector_hot_keys keys;
    size_t asked; /* of the keys */
    size_t n_replies;
    struct hale_reply **replies;
};
/* Copies memory; a range without any time asks for nothing. HALE_E_NOMEM. Fini in any case. */
HALE_MUST_CHECK enum hale_rc
collector_hot_fetch_init(struct collector_hot_fetch *f, struct collector_hot *h,
                         const struct collector_series *s,
                         const struct collector_hot_range *r);
void collector_hot_fetch_fini(struct collector_hot_fetch *f);
/* Keys that the next question will have; 0: all were asked for. */
size_t collector_hot_fetch_left(const struct collector_hot_fetch *f);
/* Keys asked for without an answer yet. */
size_t collector_hot_fetch_unanswered(const struct collector_hot_fetch *f);
/* Queues the next question. HALE_E_IO, HALE_E_AGAIN. */
HALE_MUST_CHECK enum hale_rc collector_hot_fetch_ask(struct collector_hot_fetch *f,
                                                     struct hale_redis *redis);
/* Waits for the next answer; *bytes_out: of its chunks. HALE_E_IO, HALE_E_AGAIN, HALE_E_INVAL:
 * an error of Redis', which is logged. */
HALE_MUST_CHECK enum hale_rc collector_hot_fetch_take(struct collector_hot_fetch *f,
                                                      struct hale_redis *redis,
                                                      size_t *bytes_out);
/* What a chunk takes, by what queries have seen: quick to grow, slow to shrink. */
size_t collector_hot_chunk_bytes(const struct collector_hot *h);
void collector_hot_chunk_bytes_seen(struct collector_hot *h, size_t bytes);
/* Adds the samples to out in order of arrival. */
void collector_hot_fetch_decode(const struct collector_hot_fetch *f,
                                struct collector_points *out);
/* Drops memory and chunks of a series that was deleted. HALE_E_IO: repeat (memory is dropped). */
HALE_MUST_CHECK enum hale_rc collector_hot_forget(struct collector_hot *h,
                                                  struct hale_redis *redis,
                                                  const struct collector_series *s);
#endif
