/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_RRD_H
#define HALE_STORE_RRD_H
/*
 * rrd - round-robin archive files (wraps librrd; nobody else includes it).
 * Layout:    one file per series, DS "value" GAUGE heartbeat 2 * heartbeat of the caller, step 10 s,
 *            RRAs AVERAGE, MIN and MAX at 10 s x 1 day, 1 min x 1 week, 5 min x 1 month,
 *            1 h x 400 days (docs/formats/archive.md).
 * Threads:   librrd keeps per-thread state; every function may be called from any thread, but one
 *            file from one thread at a time. All calls block on disk: never on a network thread.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

/* Creates path (parents must exist) with first point at start_s; an existing file is left alone. */
HALE_MUST_CHECK enum hale_rc hale_rrd_create(const char *path, int64_t start_s,
                                             int64_t heartbeat_s, struct hale_err *err);
struct hale_rrd_point {
    int64_t time_s;
    double value;
};
/* Adds points in one call; they must ascend. Points not newer than the file's last update are
 * skipped and counted in *skipped_out (NULL allowed). HALE_E_NOTFOUND: no such file. */
HALE_MUST_CHECK enum hale_rc hale_rrd_update(const char *path,
                                             const struct hale_rrd_point *points,
                                             size_t n, size_t *skipped_out,
                                             struct hale_err *err);
enum hale_rrd_cf { HALE_RRD_AVERAGE, HALE_RRD_MIN, HALE_RRD_MAX };
struct hale_rrd_series { /* owned by the caller after fetch; free(values) */
    int64_t start_s;     /* start of the first row's interval */
    int64_t step_s;      /* resolution found: >= the one asked for */
    size_t n;
    double *values; /* NaN = unknown */
};
/* Rows covering [start_s, end_s) at the finest step that covers the span and is >= step_s. */
HALE_MUST_CHECK enum hale_rc hale_rrd_fetch(const char *path, enum hale_rrd_cf cf,
                                            int64_t start_s, int64_t end_s,
                                            int64_t step_s, struct hale_rrd_series *out,
                                            struct hale_err *err);
/* Time of the last update, seconds. */
HALE_MUST_CHECK enum hale_rc hale_rrd_last(const char *path, int64_t *out_s,
                                           struct hale_err *err);
#endif
