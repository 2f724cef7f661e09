/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_LAB_H
#define HALE_CLI_LAB_H
/*
 * lab - thresholds, correlator and actuator in one process, without Redis, sockets or a clock: what
 * `hale test` and `hale backtest` run (docs/adr/0020-hale-test.md).
 *
 * Purpose:   the daemons' own engines, joined by the records that the daemons exchange, encoded and
 *            decoded as there; so what is tried here is what happens in the house.
 * Order:     as in the daemons. At one millisecond: first what the caller gives, in that order;
 *            then the ticks of thresholds; then what is due in the correlator; then the actuator.
 *            Every record goes all the way to the journal before the next input is looked at. What
 *            is due by an entry's time is done before the entry.
 * Time:      wall milliseconds, moved by cli_lab_advance alone; never back.
 * Answers:   calls of the actuator are answered by a stand-in: the first entry of `answers` whose
 *            url is a part of the call's URL (and method equal), else a VNFM that completes every
 *            operation at once, and 200 {} for the rest.
 *            [{"url":s,"method":s?,"status":n,"body":s?,"location":s?,"takes_ms":n?,"lost":b?}]
 * Scaling:   no query is evaluated: whoever gives the inputs says what a look at a scaling policy finds.
 * Ownership: conf is borrowed until cli_lab_free. What the sink gets is valid during the call.
 * Errors:    HALE_E_NOMEM leaves the lab unusable: free it.
 * Threads:   one.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/policy.h"
#include "actuator/scaler.h"
#include "base/rc.h"
#include "base/str.h"
#include "correlator/engine.h"
#include "model/alarm.h"
#include "model/journal.h"
#include "thresholds/engine.h"

struct cli_lab;

struct cli_lab_sink {
    void *arg;
    /* Each record of the alarm log. */
    void (*log)(void *arg, const struct hale_log_record *r);
    /* The steps of a run, before its first row; then each row of the journal. */
    void (*plan)(void *arg, const char *run_id, const json_t *plan);
    void (*row)(void *arg, const struct hale_journal_row *row);
};
/* What a look at a scaling policy finds now; false: it is not looked at. changed_ms: when its last change
 * was over (0: never); ordered: how many there are since (-1: nobody changed it). now_ms and asked_ms are the lab's. */
typedef bool (*cli_lab_look)(void *arg, const char *policy, int64_t changed_ms,
                             int64_t ordered, struct actuator_look *out);
struct cli_lab_conf {
    const char *tenant;
    int64_t start_ms;
    int64_t late_wait_ms; /* as of thresholds */
    struct correlator_limits correlator;
    const struct actuator_policies *policies; /* NULL: none */
    const json_t *answers;                    /* NULL: none */
    struct cli_lab_sink sink;                 /* functions may be NULL */
    cli_lab_look look;                        /* with the sink's arg; may be NULL */
};

/* NULL on memory failure. */
struct cli_lab *cli_lab_new(const struct cli_lab_conf *conf);
void cli_lab_free(struct cli_lab *lab); /* NULL allowed */

/* A definition as the body of a POST; a known name: the change of it. version 0: the next one. */
HALE_MUST_CHECK enum hale_rc cli_lab_define(struct cli_lab *lab, const json_t *body,
                                            int64_t version, struct hale_err *err);
/* HALE_E_NOTFOUND. */
HALE_MUST_CHECK enum hale_rc cli_lab_undefine(struct cli_lab *lab, const char *name);
/* Makes a series known; dims: object of strings. HALE_E_INVAL with the reason. */
HALE_MUST_CHECK enum hale_rc cli_lab_series(struct cli_lab *lab, const char *name,
                                            const json_t *dims, unsigned *out,
                                            struct hale_err *err);
/* One sample that arrives now; value must be finite. */
HALE_MUST_CHECK enum hale_rc cli_lab_sample(struct cli_lab *lab, unsigned series,
                                            int64_t time_ms, double value);
HALE_MUST_CHECK enum hale_rc cli_lab_event(struct cli_lab *lab,
                                           const struct hale_event *ev);
/* An operator's command about an alarm, or its deletion or change. */
HALE_MUST_CHECK enum hale_rc cli_lab_control(struct cli_lab *lab,
                                             const struct hale_control *c);
/* update: as on the stream (model/topology.h). HALE_E_INVAL with the reason and the place in it. */
HALE_MUST_CHECK enum hale_rc cli_lab_topology(struct cli_lab *lab, struct hale_str update,
                                              struct hale_err *err);
/* A silence or maintenance window as the body of a POST; the id and who made it are the caller's. */
HALE_MUST_CHECK enum hale_rc cli_lab_silence(struct cli_lab *lab, bool maintenance,
                                             const char *id, const char *by,
                                             const json_t *body, struct hale_err *err);
/* Ends it now. HALE_E_NOTFOUND. */
HALE_MUST_CHECK enum hale_rc cli_lab_unsilence(struct cli_lab *lab, const char *id);

/* --- people and the actuator --- */
enum cli_lab_word { CLI_LAB_APPROVE, CLI_LAB_REJECT, CLI_LAB_ACKNOWLEDGE, CLI_LAB_ABORT };
struct cli_lab_saying {
    enum cli_lab_word word;
    const char *policy, *target; /* target NULL: any */
    const char *by, *comment;
};
/* About every run that it can be said about now, as the collector takes it. HALE_E_NOTFOUND: none. */
HALE_MUST_CHECK enum hale_rc cli_lab_say(struct cli_lab *lab,
                                         const struct cli_lab_saying *s);
/* A kill switch, "all", "site/NAME" or "policy/NAME". until_ms 0: without end. */
HALE_MUST_CHECK enum hale_rc cli_lab_switch_on(struct cli_lab *lab, const char *scope,
                                               const char *by, const char *reason,
                                               int64_t until_ms);
/* HALE_E_NOTFOUND: it is not on. */
HALE_MUST_CHECK enum hale_rc cli_lab_switch_off(struct cli_lab *lab, const char *scope);
/* HALE_E_NOTFOUND: the policy is not latched. */
HALE_MUST_CHECK enum hale_rc cli_lab_unlatch(struct cli_lab *lab, const char *policy,
                                             const char *by);

/* Does what is due before until_ms; then it is until_ms. */
HALE_MUST_CHECK enum hale_rc cli_lab_advance(struct cli_lab *lab, int64_t until_ms);
/* Does what is due now as well. */
HALE_MUST_CHECK enum hale_rc cli_lab_settle(struct cli_lab *lab);
int64_t cli_lab_now_ms(const struct cli_lab *lab);

enum cli_lab_part {
    CLI_LAB_THRESHOLDS = 1,
    CLI_LAB_CORRELATOR = 2,
    CLI_LAB_ACTUATOR = 4
};
/* The daemons of the mask end and come back with what they had stored. */
HALE_MUST_CHECK enum hale_rc cli_lab_restart(struct cli_lab *lab, unsigned parts);

/* The alarms as they are stored: id -> text of the record (model/alarm.h). Borrowed. */
const json_t *cli_lab_alarms(const struct cli_lab *lab);
const struct thresholds_stats *cli_lab_thresholds(const struct cli_lab *lab);
#endif
