/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_POINTS_H
#define HALE_COLLECTOR_POINTS_H
/*
 * points - measurements read for a query: raw samples and rows of the archive alike.
 * Limits: max_points at init; more sets failed. Threads: one at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "collector/hot_record.h"
#include "store/rrd_group.h"

struct collector_point {
    int64_t time_ms;
    double value;    /* sample, or average of an archive row */
    double min, max; /* = value for a sample */
    double sum;      /* = value for a sample */
    double weight;   /* samples it stands for: 1 for a sample */
    uint32_t seq;    /* order of addition */
    uint32_t meta_len;
    size_t meta_at; /* in metas */
};
struct collector_points {
    struct collector_point *v;
    size_t n, cap, max;
    struct hale_buf metas;
    bool failed;
    int64_t step_s;          /* coarsest archive rows among them, 0: raw samples alone */
    int64_t coarse_until_ms; /* where the last row ends; INT64_MIN: none */
};

void collector_points_init(struct collector_points *p, size_t max_points);
void collector_points_fini(struct collector_points *p);
void collector_points_clear(struct collector_points *p);
void collector_points_add(struct collector_points *p, const struct collector_sample *s);
/* Those of n samples that lie in [from, to). */
void collector_points_add_some(struct collector_points *p,
                               const struct collector_sample *s, size_t n,
                               int64_t from_ms, int64_t to_ms);
/* A row of the archive; cell->n > 0. */
void collector_points_add_row(struct collector_points *p, int64_t time_ms,
                              const struct hale_rrd_cell *cell);
struct hale_str collector_points_meta(const struct collector_points *p, size_t i);
/* By time; of points with one time the last added stays. */
void collector_points_settle(struct collector_points *p);
/* By time, keeping all (merged series). */
void collector_points_sort(struct collector_points *p);
/* Index of the first point with time >= t in settled points. */
size_t collector_points_from(const struct collector_points *p, int64_t t);
#endif
