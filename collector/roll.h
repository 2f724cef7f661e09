/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ROLL_H
#define HALE_COLLECTOR_ROLL_H
/*
 * roll - averages a series' samples into the archive's 10 s steps. Pure; time is an
 * argument. The point of the step [t, t+10) has the time t+10: what RRD calls the end of
 * the interval.
 * Limits: at most COLLECTOR_ROLL_MAX points wait; beyond it the oldest is given up.
 * Threads: the store thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/rrd.h"

#define COLLECTOR_ROLL_STEP_S   10
#define COLLECTOR_ROLL_GRACE_MS 10000 /* a step stays open this long after its end */
#define COLLECTOR_ROLL_AHEAD_MS 30000 /* samples further in the future are not archived */
#define COLLECTOR_ROLL_MAX      4096

struct collector_roll { /* zero-initialise */
    bool open;
    int64_t step; /* number of the open step: time / 10 s */
    double sum;
    uint32_t n;
    uint32_t n_points, cap;
    struct hale_rrd_point *points; /* sealed, ascending */
};

/* False: too late, too early or out of memory; not taken. *lost_out grows by points given
 * up. */
bool collector_roll_add(struct collector_roll *r, int64_t time_ms, double value,
                        int64_t now_ms, size_t *lost_out);
/* Closes the open step if its grace has passed. */
void collector_roll_seal(struct collector_roll *r, int64_t now_ms, size_t *lost_out);
/* Gives the sealed points to the caller (free); NULL when none. */
struct hale_rrd_point *collector_roll_take(struct collector_roll *r, size_t *n_out);
/* Puts points back in front (takes them) after a failed update. */
void collector_roll_give_back(struct collector_roll *r, struct hale_rrd_point *points,
                              size_t n, size_t *lost_out);
void collector_roll_fini(struct collector_roll *r);
#endif
