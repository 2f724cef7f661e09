/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ARCHIVE_H
#define HALE_COLLECTOR_ARCHIVE_H
/*
 * archive - what is older than the hot store keeps: completed chunks of raw samples rolled into
 * round-robin files (store/rrd_group.h, docs/formats/archive.md, ADR 9).
 * Purpose:   once a chunk's deadline (lateness.h) has passed and the hot store has flushed all that
 *            arrived before, its series are read, rolled and appended, group by group, paced over
 *            the chunk's length. The only state is "chunk archived up to" per shard, cp:archive;
 *            a repeat after a crash skips what the files have.
 * Files:     <state_dir>/archive/<shard>/<layout>/<group / 256>/<group>.{sum,min,max}.rrd
 * Loss:      none before archive_backlog: until then chunks do not expire unarchived. Files that
 *            are damaged are set aside (*.damaged) and begun anew, loudly.
 * Threads:   its own; load before it starts; read and forget from any.
 */
#include <stdbool.h>
#include <stdint.h>

#include "collector/app.h"
#include "collector/catalog.h"
#include "store/rrd_group.h"

struct collector_archive;

struct collector_archive *
collector_archive_new(struct collector *c); /* exits on no memory */
void collector_archive_free(struct collector_archive *a);
/* Reads positions and places; sets lateness of the hot store. May be repeated. */
HALE_MUST_CHECK enum hale_rc collector_archive_load(struct collector_archive *a,
                                                    struct hale_redis *redis,
                                                    int64_t now_ms);
HALE_MUST_CHECK enum hale_rc collector_archive_start(struct collector_archive *a);
void collector_archive_stop(struct collector_archive *a);

/* What the thread does: one bounded piece of what is due at now_ms (wall). Returns how long to
 * wait before the next call, ms. For tests with a clock of their own. */
int64_t collector_archive_step(struct collector_archive *a, struct hale_redis *redis,
                               int64_t now_ms);

/* All samples before it that were in time are in files. */
int64_t collector_archive_end_ms(const struct collector_archive *a, unsigned shard);
struct collector_archive_range {
    int64_t start_s, end_s; /* [start, end) */
    int64_t step_s;         /* of a tier */
    bool sums;              /* without extremes, which is faster */
};
/* Rows as hale_rrd_group_fetch gives them. HALE_E_NOTFOUND: nothing is archived. */
HALE_MUST_CHECK enum hale_rc
collector_archive_fetch(struct collector_archive *a, const struct collector_series *s,
                        const struct collector_archive_range *r,
                        struct hale_rrd_rows *out);
/* The tiers the series' files have. False: it has none. */
bool collector_archive_layout(struct collector_archive *a,
                              const struct collector_series *s,
                              struct hale_rrd_layout *out);
/* Forgets the place of a deleted series; a group without series loses its files. */
HALE_MUST_CHECK enum hale_rc collector_archive_forget(struct collector *c,
                                                      struct hale_redis *redis,
                                                      const struct collector_series *s);
#endif
