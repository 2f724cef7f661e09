/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_STATS_H
#define HALE_THRESHOLDS_STATS_H
/*
 * stats - the daemon's own numbers (names and help in stats.c). Threads: as
 * base/counters.h.
 */
#include "base/counters.h"
#include "thresholds/engine.h"

extern struct hale_counter thresholds_bad_entries;
extern struct hale_counter thresholds_bad_definitions;
extern struct hale_counter thresholds_unknown_series;
extern struct hale_counter thresholds_entries;
extern struct hale_counter thresholds_replayed_entries;
extern struct hale_counter thresholds_suppressed_records;
extern struct hale_counter thresholds_records;
extern struct hale_counter thresholds_snapshots;
extern struct hale_counter thresholds_state_unreadable;
extern struct hale_counter thresholds_reloads;
extern struct hale_counter thresholds_control_records;
extern struct hale_counter thresholds_lag_ms;
extern struct hale_counter thresholds_latency; /* accepted -> decided */

void thresholds_stats_register(void);
/* Adds what happened between *before and now to the counters, and sets *before to now.
 * Gauges (definitions, series, sub-alarms, slots) get the difference too, so that shards
 * add up. */
void thresholds_stats_publish(struct thresholds_stats *before,
                              const struct thresholds_stats *now);
#endif
