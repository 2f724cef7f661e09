/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_SCENARIO_SEEN_H
#define HALE_CLI_SCENARIO_SEEN_H
/*
 * scenario_seen - what came out of the lab, as JSON objects that scenario_check.c compares: what was
 * told, changes of state, runs, rows of the journal.
 * Ownership: what it points to but its lists is borrowed. Threads: one.
 */
#include "cli/lab.h"
#include "cli/scenario_run.h"

struct cli_seen {
    const struct cli_scenario *s;
    struct cli_lab *lab;
    struct cli_verdict *verdict;
    bool timeline;
    json_t *told, *moved, *done, *rows; /* observations, by time */
    json_t *plans;                      /* run id -> steps as texts */
    bool nomem;                         /* something is missing in the lists */
};
/* HALE_E_NOMEM; _fini it in any case. */
HALE_MUST_CHECK enum hale_rc cli_seen_init(struct cli_seen *seen);
void cli_seen_fini(struct cli_seen *seen);
/* What goes to it; arg is the seen. */
struct cli_lab_sink cli_seen_sink(struct cli_seen *seen);
/* An alarm as it is now. */
json_t *cli_seen_alarm(const struct cli_seen *seen, const struct hale_alarm *a);
/* The list of a kind of sequences. */
const json_t *cli_seen_list(const struct cli_seen *seen, enum cli_expect_kind kind);
/* A line of the timeline, if there is one. */
void cli_seen_note(struct cli_seen *seen, const char *what, const char *alarm,
                   const char *text);
#endif
