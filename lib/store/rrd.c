/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rrd.h"

#include <rrd.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

#define STEP_S        10
#define HEARTBEAT_MAX (30 * 86400)
#define CHUNK_POINTS  256 /* points handed to librrd in one call */
#define POINT_TEXT    56  /* "-9223372036854775808:" and 24 digits */

/* The archive tiers, finest first; docs/formats/archive.md. */
static const struct tier {
    int64_t step_s;
    int64_t rows;
} tiers[] = {
    {10, 8640},   /* 1 day */
    {60, 10080},  /* 1 week */
    {300, 8928},  /* 31 days */
    {3600, 9600}, /* 400 days */
};
#define N_TIERS (sizeof(tiers) / sizeof(tiers[0]))

static const char *const cf_names[] = {"AVERAGE", "MIN", "MAX"};
#define N_CFS (sizeof(cf_names) / sizeof(cf_names[0]))

static enum hale_rc fail(enum hale_rc rc, const char *path, struct hale_err *err)
{
    const char *text = rrd_get_error();
    if (rc == HALE_E_IO && access(path, F_OK) != 0 && errno == ENOENT)
        rc = HALE_E_NOTFOUND;
    (void)hale_err_at(err, rc, path, 0, 0, "%s",
                      text != NULL && text[0] != '\0' ? text : hale_rc_text(rc));
    rrd_clear_error();
    return rc;
}

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

enum hale_rc hale_rrd_create(const char *path, int64_t start_s, int64_t heartbeat_s,
                             struct hale_err *err)
{
    char ds[64];
    char rra[N_CFS * N_TIERS][48];
    const char *args[1 + N_CFS * N_TIERS];
    int n = 0;
    if (start_s <= STEP_S || heartbeat_s < 1 || heartbeat_s > HEARTBEAT_MAX)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "start %" PRId64 " s or heartbeat %" PRId64
                           " s is out of range",
                           start_s, heartbeat_s);
    if (access(path, F_OK) == 0)
        return HALE_OK;
    (void)snprintf(ds, sizeof(ds), "DS:value:GAUGE:%" PRId64 ":U:U", 2 * heartbeat_s);
    args[n++] = ds;
    for (size_t cf = 0; cf < N_CFS; cf++)
        for (size_t t = 0; t < N_TIERS; t++) {
            char *text = rra[cf * N_TIERS + t];
            (void)snprintf(text, sizeof(rra[0]), "RRA:%s:0.5:%" PRId64 ":%" PRId64,
                           cf_names[cf], tiers[t].step_s / STEP_S, tiers[t].rows);
            args[n++] = text;
        }
    /* librrd wants a last update before the first point; on a step boundary, so that the first
     * interval is not taken for unknown. */
    int64_t last = floor_to(start_s - 1, STEP_S);
    rrd_clear_error();
    if (rrd_create_r2(path, STEP_S, (time_t)last, 1, NULL, NULL, n, args) == 0)
        return HALE_OK;
    if (access(path, F_OK) == 0) { /* another process was faster */
        rrd_clear_error();
        return HALE_OK;
    }
    return fail(errno == ENOMEM ? HALE_E_NOMEM : HALE_E_IO, path, err);
}

/* One call of librrd for up to CHUNK_POINTS points, already newer than the last update. */
static enum hale_rc update_chunk(const char *path, const struct hale_rrd_point *points,
                                 size_t n, struct hale_err *err)
{
    char text[CHUNK_POINTS][POINT_TEXT];
    const char *args[CHUNK_POINTS];
    HALE_ASSERT(n <= CHUNK_POINTS);
    for (size_t i = 0; i < n; i++) {
        if (isfinite(points[i].value))
            (void)snprintf(text[i], POINT_TEXT, "%" PRId64 ":%.17g", points[i].time_s,
                           points[i].value);
        else
            (void)snprintf(text[i], POINT_TEXT, "%" PRId64 ":U", points[i].time_s);
        args[i] = text[i];
    }
    rrd_clear_error();
    if (rrd_updatex_r(path, NULL, RRD_SKIP_PAST_UPDATES, (int)n, args) == 0)
        return HALE_OK;
    return fail(HALE_E_IO, path, err);
}

enum hale_rc hale_rrd_update(const char *path, const struct hale_rrd_point *points,
                             size_t n, size_t *skipped_out, struct hale_err *err)
{
    int64_t last = 0;
    size_t skipped = 0;
    if (skipped_out != NULL)
        *skipped_out = 0;
    for (size_t i = 0; i < n; i++)
        if (points[i].time_s <= 0 || (i > 0 && points[i].time_s <= points[i - 1].time_s))
            return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                               "point %zu (time %" PRId64 ") does not ascend", i,
                               points[i].time_s);
    enum hale_rc rc = hale_rrd_last(path, &last, err);
    if (rc != HALE_OK)
        return rc;
    while (skipped < n && points[skipped].time_s <= last)
        skipped++;
    if (skipped_out != NULL)
        *skipped_out = skipped;
    for (size_t at = skipped; at < n && rc == HALE_OK; at += CHUNK_POINTS)
        rc = update_chunk(path, points + at,
                          n - at < CHUNK_POINTS ? n - at : CHUNK_POINTS, err);
    return rc;
}

enum hale_rc hale_rrd_last(const char *path, int64_t *out_s, struct hale_err *err)
{
    rrd_clear_error();
    time_t last = rrd_last_r(path);
    if (last == (time_t)-1)
        return fail(HALE_E_IO, path, err);
    *out_s = last;
    return HALE_OK;
}

/* The finest tier of at least step_s that still holds start_s; the coarsest when none does. */
static int64_t choose_step(int64_t last_s, int64_t start_s, int64_t step_s)
{
    for (size_t t = 0; t < N_TIERS; t++)
        if (tiers[t].step_s >= step_s &&
            floor_to(last_s, tiers[t].step_s) - tiers[t].rows * tiers[t].step_s <=
                start_s)
            return tiers[t].step_s;
    return tiers[N_TIERS - 1].step_s;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are rrd.h's contract */
enum hale_rc hale_rrd_fetch(const char *path, enum hale_rrd_cf cf, int64_t start_s,
                            int64_t end_s, int64_t step_s, struct hale_rrd_series *out,
                            struct hale_err *err)
{
    int64_t last = 0;
    unsigned long ds_count = 0;
    char **ds_names = NULL;
    rrd_value_t *data = NULL;
    HALE_ASSERT(cf <= HALE_RRD_MAX);
    *out = (struct hale_rrd_series){.start_s = 0};
    if (start_s <= 0 || end_s <= start_s)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0, "the span is empty");
    enum hale_rc rc = hale_rrd_last(path, &last, err);
    if (rc != HALE_OK)
        return rc;
    unsigned long step = (unsigned long)choose_step(last, start_s, step_s);
    time_t from = (time_t)start_s;
    time_t to = (time_t)end_s;
    rrd_clear_error();
    if (rrd_fetch_r(path, cf_names[cf], &from, &to, &step, &ds_count, &ds_names, &data) !=
        0)
        return fail(HALE_E_IO, path, err);
    /* from was floored; row i is the interval [from + i * step, + step). librrd gives one or two
     * rows more than asked for. */
    int64_t found = (int64_t)step;
    int64_t rows = found > 0 ? (to - from) / found + 1 : 0;
    int64_t want = found > 0 ? (end_s - from + found - 1) / found : 0;
    size_t n = (size_t)(want < rows ? want : rows);
    if (ds_count == 1 && n > 0)
        out->values = malloc(n * sizeof(*out->values));
    if (out->values != NULL) {
        memcpy(out->values, data, n * sizeof(*out->values));
        out->start_s = from;
        out->step_s = found;
        out->n = n;
    } else {
        rc = hale_err_at(err, ds_count == 1 ? HALE_E_NOMEM : HALE_E_INVAL, path, 0, 0,
                         ds_count == 1 ? "out of memory" : "not an archive of Hale");
    }
    for (unsigned long i = 0; i < ds_count; i++)
        rrd_freemem(ds_names[i]);
    rrd_freemem(ds_names);
    rrd_freemem(data);
    return rc;
}
