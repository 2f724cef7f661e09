/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ARCHIVE_PRIVATE_H
#define HALE_COLLECTOR_ARCHIVE_PRIVATE_H
/* archive_private - what archive.c (files, state, thread) and archive_pass.c (one chunk of one
 * shard) share; nobody else includes it. */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "collector/archive.h"
#include "collector/lateness.h"
#include "collector/points.h"
#include "collector/slots.h"
#include "store/keys.h"

#define COLLECTOR_ARCHIVE_STRIPES 64
#define COLLECTOR_ARCHIVE_CELLS   (600 * HALE_RRD_SLOTS_MAX) /* steps of 1 s */
#define COLLECTOR_ARCHIVE_BATCH   8                          /* groups per pipeline */

struct collector_member { /* a series of a pass */
    uint64_t id;
    struct collector_place place;
};
struct collector_pass { /* one chunk of one shard under way */
    bool running;
    unsigned shard;
    int64_t chunk;
    int64_t begun_ms;
    struct collector_member *members; /* by group */
    size_t n, at;                     /* at: next one to do */
    size_t kept;                      /* members of failed groups, moved to the front */
    int64_t retry_ms;                 /* not before; 0: paced */
    uint64_t *expire;                 /* ids archived whose chunks may expire */
    size_t n_expire, cap_expire;
};
struct collector_archive {
    struct collector *app;
    struct collector_slots *slots;
    unsigned n_shards;
    struct collector_lateness lateness[HALE_SHARDS_MAX];
    _Atomic int64_t archived[HALE_SHARDS_MAX]; /* chunk */
    pthread_mutex_t stripes[COLLECTOR_ARCHIVE_STRIPES];
    struct collector_pass pass;
    struct collector_points points;
    struct hale_rrd_cell *cells;
    bool failing;
    pthread_t thread;
    bool started;
    pthread_mutex_t wait_lock;
    pthread_cond_t wait;
    bool stopping;
};

/* Directory (dir_only) or path of a group's files without suffix. */
void collector_archive_path(const struct collector_archive *a, unsigned shard,
                            const struct collector_place *p, bool dir_only,
                            char dst[PATH_MAX]);
pthread_mutex_t *collector_archive_stripe(struct collector_archive *a,
                                          const struct collector_place *p);
void collector_archive_health(struct collector_archive *a, bool ok);
/* Writes cp:archive. */
enum hale_rc collector_archive_save(struct collector_archive *a, struct hale_redis *redis,
                                    unsigned shard, int64_t chunk);
#endif
