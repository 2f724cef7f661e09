/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ARCHIVE_H
#define HALE_COLLECTOR_ARCHIVE_H
/*
 * archive - the thread that writes RRD files, and reading them for queries. One file per
 * series: <state>/rrd/<shard>/<2 hex>/<id>.rrd, created at its first update, at most
 * archive_creates a second.
 * Ownership: submit takes the job when it returns HALE_OK; done gives it back with rc set.
 * Threads:   submit and done from the store thread; fetch from any. A file is used by one
 *            thread at a time (striped locks).
 * Limits:    bounded queue: HALE_E_LIMIT, the caller keeps the points.
 */
#include <stdbool.h>
#include <stdint.h>

#include "collector/app.h"
#include "collector/catalog.h"
#include "store/keys.h"
#include "store/rrd.h"

struct collector_archive_job {
    struct collector_series *series; /* NULL: a barrier */
    void *owner;                     /* the caller's */
    struct hale_rrd_point *points;   /* owned */
    size_t n;
    enum hale_rc rc; /* HALE_E_AGAIN: the rate of new files; others: the disk */
    struct hale_stream_id position[HALE_SHARDS_MAX]; /* barrier: the caller's */
};

struct collector_archive;

HALE_MUST_CHECK enum hale_rc collector_archive_start(struct collector *c,
                                                     struct collector_archive **out,
                                                     struct hale_err *err);
void collector_archive_stop(struct collector_archive *a); /* writes what waits */
void collector_archive_free(struct collector_archive *a); /* after the store has ended */
HALE_MUST_CHECK enum hale_rc collector_archive_submit(struct collector_archive *a,
                                                      struct collector_archive_job *j);
/* Next finished job, or NULL; never waits. The caller frees points and job. */
struct collector_archive_job *collector_archive_done(struct collector_archive *a);
struct collector_archive_span { /* as in hale_rrd_fetch */
    int64_t start_s, end_s, step_s;
};
/* Rows of a series' file. HALE_E_NOTFOUND: no file yet. */
HALE_MUST_CHECK enum hale_rc
collector_archive_fetch(struct collector_archive *a, const struct collector_series *s,
                        enum hale_rrd_cf cf, const struct collector_archive_span *span,
                        struct hale_rrd_series *out);
#endif
