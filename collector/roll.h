/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ROLL_H
#define HALE_COLLECTOR_ROLL_H
/*
 * roll - the samples of one chunk as base steps of the archive: sum, number, extremes. Pure.
 * The step [t, t+w) takes the samples of these times.
 */
#include "collector/points.h"
#include "store/rrd_group.h"

struct collector_roll_grid { /* steps, and one slot of the group's cells */
    int64_t start_s, step_s;
    size_t n_steps;
    unsigned slots, slot;
};
/* points: settled. Adds those inside of the grid to their cells, which are cells[step * slots +
 * slot] and zero before; returns how many they were. */
size_t collector_roll(const struct collector_points *points,
                      const struct collector_roll_grid *g, struct hale_rrd_cell *cells);
#endif
