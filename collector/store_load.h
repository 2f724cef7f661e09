/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STORE_LOAD_H
#define HALE_COLLECTOR_STORE_LOAD_H
/*
 * store_load - what the collector knows again at start: series, positions, times of series.
 * Threads: the one that owns the connection, before others work on the same.
 */
#include "collector/app.h"
#include "collector/catalog.h"

/* Every series of every shard into the catalogue. HALE_E_IO, HALE_E_AGAIN. */
HALE_MUST_CHECK enum hale_rc collector_load_series(struct collector *c,
                                                   struct hale_redis *redis);
/* One that another collector wrote. NULL: unknown, or no answer. */
struct collector_series *collector_load_one(struct collector *c, struct hale_redis *redis,
                                            unsigned shard, uint64_t id);
/* A consumer's checkpoint; {0,0} when there is none. */
HALE_MUST_CHECK enum hale_rc collector_load_position(struct hale_redis *redis,
                                                     unsigned shard, const char *consumer,
                                                     struct hale_stream_id *out);
/* First and last times, from and to <state_dir>/series.seen. */
void collector_load_seen(struct collector *c, int64_t now_ms);
void collector_save_seen(struct collector *c);
#endif
