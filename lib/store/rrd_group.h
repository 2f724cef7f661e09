/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_RRD_GROUP_H
#define HALE_STORE_RRD_GROUP_H
/*
 * rrd_group - round-robin files that hold several series (slots) together.
 * Shape:     a group has `slots` series and up to HALE_RRD_TIERS_MAX tiers. Of each slot and base
 *            step it keeps the sum, the number, the minimum and the maximum of the samples; coarser
 *            tiers consolidate them exactly (sums and counts add up, extremes of extremes). Files:
 *            <path>.sum.rrd (data sources sum and count of every slot, RRAs AVERAGE), <path>.min.rrd
 *            and <path>.max.rrd (docs/formats/archive.md). RRDtool reads them; they are written by
 *            our own code (docs/adr/0009-archive.md says why).
 * Disk:      files are made sparse: a row that was never written takes no disk and reads as
 *            nothing. No fsync: kill -9 loses nothing, a power failure may lose the last rows.
 * Time:      whole seconds. Step n of width w covers [n*w, (n+1)*w). A row of a coarser tier is
 *            there once its whole step has been appended.
 * Errors:    HALE_E_CONFLICT: a file has another layout than asked for. HALE_E_IO: damaged, foreign,
 *            unreadable, disk full; err names the file. Nothing crashes on damage.
 * Threads:   any thread, but one group by one thread at a time. All calls block on disk.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

#define HALE_RRD_TIERS_MAX 6
#define HALE_RRD_SLOTS_MAX 64

struct hale_rrd_tier {
    int64_t step_s; /* a multiple of the tier before it */
    int64_t rows;   /* at least two steps of the tier after it */
};
struct hale_rrd_layout {
    unsigned slots;   /* 1..HALE_RRD_SLOTS_MAX */
    unsigned n_tiers; /* 1.., finest first */
    struct hale_rrd_tier tiers[HALE_RRD_TIERS_MAX];
};
/* HALE_E_INVAL: err says what is wrong with it. */
HALE_MUST_CHECK enum hale_rc hale_rrd_layout_check(const struct hale_rrd_layout *l,
                                                   struct hale_err *err);

struct hale_rrd_cell { /* one slot in one step */
    double sum, min, max;
    uint32_t n; /* samples, saturates; 0: nothing, the others are then ignored */
};
/* Appends n_steps base steps from start_s (a multiple of the base step, > 0) on;
 * cells[step * slots + slot]. Makes the files when they are missing; the directory must exist
 * (HALE_E_NOTFOUND). Steps not newer than what all three files hold are skipped and counted
 * (*skipped_out, NULL allowed): a repeat changes nothing, and a call that was killed anywhere is
 * completed by its repeat. Steps between the last one held and start_s become empty. A cell with
 * n > 0 must have numbers, not NaN (HALE_E_INVAL); infinite ones become +-DBL_MAX. */
HALE_MUST_CHECK enum hale_rc
hale_rrd_group_append(const char *path, const struct hale_rrd_layout *l, int64_t start_s,
                      size_t n_steps, const struct hale_rrd_cell *cells,
                      size_t *skipped_out, struct hale_err *err);

struct hale_rrd_rows { /* owned by the caller after fetch; free(cells) */
    int64_t start_s;
    int64_t step_s; /* of the tier it came from */
    size_t n;
    struct hale_rrd_cell *cells;
};
/* Rows of one slot covering [start_s, end_s) from the finest tier that is at least step_s wide and
 * reaches back to start_s or to the group's first step; if none reaches, from the one that reaches
 * farthest (out->step_s < step_s when no tier is that wide). Clipped to what the tier holds: out may
 * begin after start_s and end before end_s; n 0 and no cells when nothing of it is held.
 * HALE_E_NOTFOUND: no such files (or not yet all three). */
HALE_MUST_CHECK enum hale_rc
hale_rrd_group_fetch(const char *path, const struct hale_rrd_layout *l, unsigned slot,
                     int64_t start_s, int64_t end_s, int64_t step_s,
                     struct hale_rrd_rows *out, struct hale_err *err);
/* The same without extremes: half of the reading. min and max are 0. */
HALE_MUST_CHECK enum hale_rc
hale_rrd_group_fetch_sums(const char *path, const struct hale_rrd_layout *l,
                          unsigned slot, int64_t start_s, int64_t end_s, int64_t step_s,
                          struct hale_rrd_rows *out, struct hale_err *err);
/* End of the last step held, seconds. HALE_E_NOTFOUND. */
HALE_MUST_CHECK enum hale_rc hale_rrd_group_last(const char *path, int64_t *out_s,
                                                 struct hale_err *err);
/* Removes the files; missing ones are fine. */
HALE_MUST_CHECK enum hale_rc hale_rrd_group_remove(const char *path,
                                                   struct hale_err *err);
#endif
