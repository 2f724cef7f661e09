/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_JOURNAL_H
#define HALE_MODEL_JOURNAL_H
/*
 * journal - rows of the actuator's journal, stream hale_keys_journal (entry id given by Redis).
 *   {"v":1,"time_ms":n,"kind":s,"run_id":uuid,"policy":s,
 *    "mode":"observe"|"suggest"|"approve"|"auto","tenant":s,"alarm_id":uuid,"alarm_name":s,
 *    "alarm_seq":n,"target":s,"step":n,"step_type":s,"attempt":n,"text":s,"detail":{...}}
 * Kinds, about in the order of a run's life:
 *   triggered   a policy was selected by an alarm transition and a run was born
 *   suppressed  a guard refused (detail.guard = cooldown|frequency|lease|..., text says until when);
 *               the run ends here
 *   observed    mode observe: what would have been called (the run ends here)
 *   suggested, proposed  modes suggest, approve: what would be called if somebody approves it
 *   approved, rejected   somebody decided (detail.by, comment)
 *   expired     nobody did in time, or its reason is gone; the run ends here
 *   call        written before a request leaves (detail: method, url; secrets never)
 *   answer      written after the reply (detail: status, op_occ, error, took_ms)
 *   step        a step is over; text says where the run goes on
 *   waiting     a step waits for an acknowledgement or for a time
 *   acknowledged  the acknowledgement came (detail.by)
 *   verifying   all steps done, waiting for verification
 *   verified    the loop is closed: the alarm cleared (text has the time it took); run ends
 *   failed      steps or verification gave up (text has the reason); run ends
 *   aborted     somebody ended it (detail.by); run ends
 * and those that stand alone (run_id, tenant and alarm_id may be empty):
 *   switched    a kill switch went on or off (detail: scope, on, by, reason)
 *   latched, unlatched  a policy only suggests from now on; is as it was (detail: why, by)
 *   configured  policies were read (detail: hash of the text)
 *   maintenance a maintenance session goes on, or somebody answered it (run_id: the session; detail: state, project, by)
 * run_id is derived from (policy, alarm id, alarm seq): the same trigger is the same run.
 * step counts from 0; -1 when the row is about the run as a whole.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

struct hale_journal_row {
    int64_t time_ms;
    char *kind, *run_id, *policy, *mode, *tenant, *alarm_id, *alarm_name;
    int64_t alarm_seq;
    char *target;
    int step;
    char *step_type; /* "" when step is -1 */
    int attempt;     /* from 1; 0 when not about a call */
    char *text;
    json_t *detail; /* object */
};
HALE_MUST_CHECK enum hale_rc hale_journal_encode(const struct hale_journal_row *r,
                                                 struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_journal_decode(struct hale_str json,
                                                 struct hale_journal_row *out);
bool hale_journal_kind_ok(struct hale_str text); /* is there such a kind? */
void hale_journal_fini(struct hale_journal_row *r);
#endif
