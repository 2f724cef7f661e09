/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_SCENARIO_RUN_H
#define HALE_CLI_SCENARIO_RUN_H
/*
 * scenario_run - a scenario in the lab, and what came out beside what was expected.
 * Purpose:   a verdict is a function of the file alone: no clock, no network, no order of threads.
 * Ownership: the caller frees the verdict with cli_verdict_fini.
 * Threads:   one.
 */
#include "base/buf.h"
#include "cli/scenario.h"

struct cli_verdict {
    unsigned expected, failed; /* expectations; those not met */
    size_t inputs, records;    /* given; written to the alarm log */
    struct hale_buf
        text; /* what differs, with places in the file; "" when nothing does */
    struct hale_buf timeline; /* all that happened; only if asked for */
};

/* HALE_OK also when expectations are not met. Else the scenario could not be run: err says why,
 * with the place in the file. */
HALE_MUST_CHECK enum hale_rc cli_scenario_run(const struct cli_scenario *s, bool timeline,
                                              struct cli_verdict *out,
                                              struct hale_err *err);
/* The same with timeline; thresholds and correlator end and come back at random moments, which nothing tells
 * of. seed is not 0. Whatever the moments are, verdict and timeline are to be those of the plain run. */
HALE_MUST_CHECK enum hale_rc cli_scenario_run_killed(const struct cli_scenario *s,
                                                     uint64_t seed,
                                                     struct cli_verdict *out,
                                                     struct hale_err *err);
void cli_verdict_fini(struct cli_verdict *v);

/* "1h2m3s", "500ms", "0s" into dst (32 bytes); returns dst. */
const char *cli_time_text(int64_t ms, char *dst);
/* "name{key=value,...}", keys in order, into dst; returns dst. */
const char *cli_alarm_text(const char *name, const json_t *group, char *dst, size_t size);
bool cli_alarm_fits(const struct cli_alarm_ref *ref, const char *name,
                    const json_t *group);

/* --- scenario_check.c: observations are JSON objects, see there --- */
/* Compares the alarms as they are now (array of observations). */
void cli_check_alarms(const struct cli_scenario *s, const struct cli_expect *x,
                      const json_t *alarms, struct cli_verdict *v);
/* Compares a whole sequence (array of observations, by time). */
void cli_check_sequence(const struct cli_scenario *s, const struct cli_expect *x,
                        const json_t *seen, struct cli_verdict *v);
#endif
