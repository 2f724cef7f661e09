/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_SHARD_H
#define HALE_THRESHOLDS_SHARD_H
/*
 * shard - one engine and its way to Redis: reads samples and control records, writes
 * sub-alarm records exactly once, keeps a snapshot (docs/formats/thresholds.md has keys
 * and positions).
 * Use:       poll the descriptors, call step; it never waits for input, and for Redis'
 *            answers to its own writes at most the connection's timeout.
 * Errors:    whatever goes wrong between the engine and Redis has one answer: drop the
 *            engine, load the snapshot again and replay. So a lost connection, an unknown
 *            outcome of EXEC and a Redis that came back with an older state need no code
 *            of their own.
 * Threads:   one.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "thresholds/conf.h"

struct thresholds_shard;

/* conf must outlive the shard. NULL on memory failure. */
struct thresholds_shard *thresholds_shard_new(const struct thresholds_conf *conf,
                                              unsigned index);
void thresholds_shard_free(struct thresholds_shard *s);
/* Does all that can be done now. */
void thresholds_shard_step(struct thresholds_shard *s, int64_t now_mono_ms);
#define THRESHOLDS_SHARD_FDS 2
void thresholds_shard_pollfds(const struct thresholds_shard *s,
                              struct pollfd out[THRESHOLDS_SHARD_FDS]);
/* Monotonic time by which step is to be called again even without input. */
int64_t thresholds_shard_wake_ms(const struct thresholds_shard *s);
/* Writes a snapshot (before a stop). */
void thresholds_shard_finish(struct thresholds_shard *s);
void thresholds_shard_set_checkpoint(struct thresholds_shard *s, int64_t interval_ms);
bool thresholds_shard_live(const struct thresholds_shard *s);
const char *thresholds_shard_error(const struct thresholds_shard *s); /* "" when none */
/* Age of the newest entry read, 0 when drained. */
int64_t thresholds_shard_lag_ms(const struct thresholds_shard *s);
#endif
