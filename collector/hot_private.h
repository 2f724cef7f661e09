/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HOT_PRIVATE_H
#define HALE_COLLECTOR_HOT_PRIVATE_H
/* hot_private - what hot.c (taking, reading) and hot_flush.c share; nobody else includes it. */
#include <pthread.h>
#include <stdatomic.h>

#include "collector/hot.h"
#include "collector/tail.h"
#include "store/keys.h"

#define COLLECTOR_HOT_SLICE 1000 /* tails per pipeline */

struct collector_hot_part { /* one tail of a slice */
    struct collector_tail *tail;
    uint64_t id;
    uint32_t upto;        /* offset sent up to */
    uint32_t commands;    /* replies that belong to it */
    int32_t expire_chunk; /* whose expiry was sent; INT32_MIN: none */
};

struct collector_hot {
    struct collector *app;
    pthread_mutex_t
        sending; /* before lock; held while a slice is on its way, and to forget:
                              * or the slice would bring back what was just dropped */
    pthread_mutex_t lock;
    struct collector_tails *tails; /* guarded by lock */
    _Atomic size_t bytes;
    _Atomic size_t chunk_bytes; /* a guess */
    unsigned n_shards;
    int64_t retention_ms;
    int64_t started_ms; /* wall: late samples of before are not known */
    struct collector_lateness lateness[HALE_SHARDS_MAX];
    struct hale_stream_id done[HALE_SHARDS_MAX]; /* cp:hot; store thread */
    _Atomic int64_t flushed_ms[HALE_SHARDS_MAX];
    /* The round under way; store thread. */
    bool in_round;
    size_t cursor, n;             /* next tail, tails at the round's beginning */
    int64_t begun_ms, stepped_ms; /* monotonic */
    size_t added;                 /* bytes taken since */
    bool unsaved;                 /* series.seen must be written before cp:hot moves */
    size_t round_bytes;
    struct hale_stream_id position[HALE_SHARDS_MAX];
    int64_t drained_ms[HALE_SHARDS_MAX];
    struct collector_hot_part part[COLLECTOR_HOT_SLICE];
};
#endif
