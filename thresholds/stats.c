/* SPDX-License-Identifier: Apache-2.0 */
#include "thresholds/stats.h"

#define COUNTER(var, what, help)                                                         \
    struct hale_counter var =                                                            \
        HALE_COUNTER_INIT("hale_thresholds_" what "_total", NULL, help)
#define OWN_COUNTER(var, what, labels, help)                                             \
    static struct hale_counter var =                                                     \
        HALE_COUNTER_INIT("hale_thresholds_" what "_total", labels, help)
#define OWN_GAUGE(var, what, help)                                                       \
    static struct hale_counter var = HALE_GAUGE_INIT("hale_thresholds_" what, NULL, help)

COUNTER(thresholds_entries, "entries", "Stream entries processed.");
COUNTER(thresholds_replayed_entries, "replayed_entries",
        "Stream entries processed again after a start or a lost connection.");
COUNTER(thresholds_bad_entries, "bad_entries", "Stream entries that are not a batch.");
COUNTER(thresholds_bad_definitions, "bad_definitions",
        "Stored definitions that could not be used.");
COUNTER(thresholds_unknown_series, "unknown_series",
        "Samples skipped: the series is not in the catalogue, or a ceiling was reached.");
COUNTER(thresholds_suppressed_records, "suppressed_records",
        "Records made again by a replay and not written twice.");
COUNTER(thresholds_records, "records", "Sub-alarm records written.");
COUNTER(thresholds_snapshots, "snapshots", "Snapshots written.");
COUNTER(thresholds_state_unreadable, "state_unreadable",
        "Snapshots that could not be read: windows started empty.");
COUNTER(thresholds_reloads, "reloads", "State loaded from Redis.");
COUNTER(thresholds_control_records, "control_records", "Control records applied.");
struct hale_counter thresholds_lag_ms =
    HALE_GAUGE_INIT("hale_thresholds_lag_milliseconds", NULL,
                    "Age of the newest entry read; 0 when drained.");
struct hale_counter thresholds_latency =
    HALE_HISTOGRAM_INIT("hale_thresholds_accepted_to_decided_seconds", NULL,
                        "From the acceptance of the deciding sample to the decision.");

OWN_COUNTER(samples, "samples", NULL, "Samples evaluated.");
OWN_COUNTER(late, "samples_refused", "reason=\"late\"", "Samples outside of a window.");
OWN_COUNTER(future, "samples_refused", "reason=\"future\"",
            "Samples outside of a window.");
OWN_COUNTER(rejected, "samples_refused", "reason=\"not_finite\"",
            "Samples outside of a window.");
OWN_COUNTER(transitions, "transitions", NULL, "States reported.");
OWN_COUNTER(evaluations, "evaluations", NULL, "Windows closed.");
OWN_COUNTER(refused_series, "refused_series", NULL,
            "Series refused: max_series reached.");
OWN_COUNTER(refused_subs, "refused_subalarms", NULL,
            "Sub-alarms refused: max_subalarms reached.");
OWN_GAUGE(definitions, "definitions", "Definitions loaded.");
OWN_GAUGE(series, "series", "Series known.");
OWN_GAUGE(subalarms, "subalarms", "Sub-alarms.");
OWN_GAUGE(slots, "slots", "Window slots of all sub-alarms.");

void thresholds_stats_register(void)
{
    static struct hale_counter *const all[] = {
        &thresholds_entries,
        &thresholds_replayed_entries,
        &thresholds_bad_entries,
        &thresholds_bad_definitions,
        &thresholds_unknown_series,
        &thresholds_suppressed_records,
        &thresholds_records,
        &thresholds_snapshots,
        &thresholds_state_unreadable,
        &thresholds_reloads,
        &thresholds_control_records,
        &thresholds_lag_ms,
        &thresholds_latency,
        &samples,
        &late,
        &future,
        &rejected,
        &transitions,
        &evaluations,
        &refused_series,
        &refused_subs,
        &definitions,
        &series,
        &subalarms,
        &slots,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        hale_counter_register(all[i]);
}

void thresholds_stats_publish(struct thresholds_stats *before,
                              const struct thresholds_stats *now)
{
#define ADD(counter, field)                                                              \
    hale_counter_add(&(counter), (int64_t)(now->field - before->field))
    ADD(samples, samples);
    ADD(late, late);
    ADD(future, future);
    ADD(rejected, rejected);
    ADD(transitions, transitions);
    ADD(evaluations, evaluations);
    ADD(refused_series, refused_series);
    ADD(refused_subs, refused_subalarms);
    ADD(definitions, definitions);
    ADD(series, series);
    ADD(subalarms, subalarms);
    ADD(slots, slots);
#undef ADD
    *before = *now;
}
