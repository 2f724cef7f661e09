/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_FEED_H
#define CORRELATOR_FEED_H
/*
 * feed - between Redis and the engine: reads the input streams, gives each entry to the engine,
 * writes what came of a batch in one transaction.
 * Exactly once: that transaction also holds the positions in the input streams and the log's seq,
 *            and fails if another process has written since (WATCH on the positions). After any
 *            failure, or a new connection, the engine is thrown away and loaded from Redis.
 * Order:     within a batch control records first, then fault events, then sub-alarms by shard;
 *            while control has more than one read can take, control alone.
 * Memory:    a batch is at most FEED_READ_COUNT entries per stream; its output is written in parts
 *            above a few MiB, in a way that a repeat completes (see engine.h).
 * Threads:   one.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "correlator/conf.h"
#include "net/daemon.h"

struct correlator_feed;

/* conf and daemon are borrowed and must outlive it. NULL on memory failure. Does not connect. */
struct correlator_feed *correlator_feed_new(const struct correlator_conf *conf,
                                            struct hale_daemon *daemon);
void correlator_feed_free(struct correlator_feed *f); /* NULL allowed */
/* Descriptor to poll for, fd -1 when there is none; returns the milliseconds until the feed
 * wants its turn all the same. */
int64_t correlator_feed_wait(struct correlator_feed *f, struct pollfd *out,
                             int64_t now_mono_ms);
/* One turn: never waits for input, only for Redis' answers to what it sends. Sets the health
 * component "redis". */
void correlator_feed_turn(struct correlator_feed *f, int64_t now_mono_ms);
#endif
