/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ROLL_H
#define HALE_COLLECTOR_ROLL_H
/*
 * roll - the samples of one chunk as base steps of the archive: sum, number, extremes. Pure.
 * The step [t, t+w) takes the samples of these times.
 */
#include "collector/points.h"
#include "store/rrd_group.h"

/* points: settled. Adds those inside of [start, start + n_steps * step) to their cells, which are
 * cells[step * slots + slot] and zero before; returns how many they were. */
size_t collector_roll(const struct collector_points *points, int64_t start_s,
                      int64_t step_s, size_t n_steps, unsigned slots, unsigned slot,
                      struct hale_rrd_cell *cells);
#endif
