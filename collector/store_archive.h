/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STORE_ARCHIVE_H
#define HALE_COLLECTOR_STORE_ARCHIVE_H
/*
 * store_archive - when each series goes to its RRD file, and how far the archive is.
 * Purpose:   a wheel with one slot per second: every series has its slot and is handed to
 *            the archive thread once per turn (archive_interval) in one update. A sample's
 *            step is sealed at most AHEAD + one step + GRACE = 50 s after the sample was
 *            taken. So after a turn in which every update succeeded, all samples taken
 *            50 s before its start are in files: that position becomes the checkpoint.
 *            Replay from it is harmless: RRD skips old points.
 * Threads:   the store thread.
 */
#include "collector/app.h"
#include "collector/archive.h"
#include "collector/hot.h"

struct collector_store_archive;

struct collector_store_archive *collector_store_archive_new(struct collector *c);
void collector_store_archive_free(struct collector_store_archive *a);
/* Checkpoint found at start. */
void collector_store_archive_set(struct collector_store_archive *a, unsigned shard,
                                 struct hale_stream_id id);
struct hale_stream_id
collector_store_archive_done(const struct collector_store_archive *a, unsigned shard);
/* The entry is behind the checkpoint found at start. */
bool collector_store_archive_wants(const struct collector_store_archive *a,
                                   unsigned shard, struct hale_stream_id id);
/* A new tail gets its slot. */
void collector_store_archive_join(struct collector_store_archive *a,
                                  struct collector_tail *t);
void collector_store_archive_add(struct collector_store_archive *a,
                                 struct collector_tail *t,
                                 const struct collector_sample *s, int64_t now_ms);
/* Hands over what is due, takes results, moves the checkpoint. read: positions taken. */
void collector_store_archive_tick(struct collector_store_archive *a,
                                  struct hale_redis *redis,
                                  const struct hale_stream_id *read);
#endif
