/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROGRESS_H
#define HALE_COLLECTOR_PROGRESS_H
/*
 * progress - how far the store thread has taken each sample stream, for those who must know that
 * nothing is on its way any more. Threads: the store thread sets, the writer thread says what was
 * acknowledged; any waits.
 */
#include "base/rc.h"
#include "store/redis.h"

struct collector_progress;

struct collector_progress *collector_progress_new(void); /* exits on no memory */
void collector_progress_free(struct collector_progress *p);
/* All entries up to id are in the hot store and the catalogue knows their times. */
void collector_progress_set(struct collector_progress *p, unsigned shard,
                            struct hale_stream_id id);
/* The entry id was acknowledged to its sender. */
void collector_progress_acked(struct collector_progress *p, unsigned shard,
                              struct hale_stream_id id);
/* Until all that was acknowledged before the call is in the hot store, at most timeout_ms. */
void collector_progress_catch_up(struct collector_progress *p, int64_t timeout_ms);
/* Until that is true of id. HALE_E_AGAIN: not within timeout_ms. */
HALE_MUST_CHECK enum hale_rc collector_progress_wait(struct collector_progress *p,
                                                     unsigned shard,
                                                     struct hale_stream_id id,
                                                     int64_t timeout_ms);
#endif
