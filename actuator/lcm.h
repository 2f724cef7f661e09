/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LCM_H
#define HALE_ACTUATOR_LCM_H
/*
 * lcm - the steps that ask a manager for an operation on a life cycle and follow its operation
 * occurrence to the end: `vnflcm` (a VNFM, ETSI GS NFV-SOL 003 clause 5) and `nslcm` (an NFVO,
 * SOL 005 clause 6). One code, one row of a table for each API. Pure functions of (run, answer,
 * now).
 * Rules:     - a call is repeated only when the manager cannot have it, or was asked and denies
 *              it;
 *            - 409 means another operation holds the instance: wait until it ends, call again;
 *            - the operation occurrence alone says how it ended; 202 says nothing;
 *            - FAILED_TEMP blocks the instance for everybody: it is told to retry, to roll back
 *              or to fail, in that order, as far as the policy allows; the last word is `fail`.
 *              The word is in the record before it is sent (run.h: settle), with the time at which
 *              the state was entered, so that a word is not sent twice for one failure;
 *            - with "cancel" in the plan, an operation that is still STARTING or PROCESSING at the end of
 *              the step's time is told to cancel in that mode and has as much time again (at least 30 s) to end. The word
 *              is in the record before it is sent; whether it was heard isCancelPending tells. Then
 *              `retry` is no choice any more, and the step has timed out however the operation ends, but
 *              for COMPLETED.
 * Ways:      Tacker can also be told by an alert as Alertmanager posts it, or by a fault as a
 *            Server Notifier posts it (plan: "via"). Both are answered 204 whatever becomes of them,
 *            so the operation is looked for in the list, within "appear_ms" of the call.
 * Threads:   stateless.
 */
#include "actuator/run.h"
#include "actuator/step.h"

#define ACTUATOR_LCM_RETRY    1u /* bits of `on_failed_temp` */
#define ACTUATOR_LCM_ROLLBACK 2u
#define ACTUATOR_LCM_FAIL     4u

struct actuator_lcm_api {
    const char *type;      /* of the step */
    const char *who;       /* "the VNFM" */
    const char *thing;     /* "VNF" */
    const char *plan_key;  /* of the instance's id in the plan */
    const char *instances; /* collections below the API's root */
    const char *occurrences;
    const char *instance_key; /* of the instance's id in an occurrence */
    const char *version[2];   /* header Version of v1 and v2 */
};
/* The API of a step type, or NULL: not such a step. */
const struct actuator_lcm_api *actuator_lcm_api(const char *type);
/* "retry", "rollback", "fail": names of the bits, NULL-terminated. */
extern const char *const actuator_lcm_words[];
/* Tells instances apart: of the manager and the instance of r's step. Not 0. */
uint64_t actuator_lcm_instance(const struct actuator_run *r);

enum hale_rc actuator_lcm_request(const struct actuator_run *r,
                                  struct actuator_request *out);
/* taken: see actuator_step_answer. */
void actuator_lcm_answer(struct actuator_run *r, const struct actuator_answer *a,
                         int64_t now_us, bool (*taken)(const char *op_id, void *arg),
                         void *arg, struct actuator_decision *d);
/* The step's time is over: its operation is told to cancel, if the plan says so and it can be. False: it
 * cannot, d is as it was. */
bool actuator_lcm_cancel(struct actuator_run *r, int64_t now_us,
                         struct actuator_decision *d);
/* The phase to go on in after a crash in r->phase. */
enum actuator_phase actuator_lcm_resume(const struct actuator_run *r);

/* --- between lcm.c and lcm_occ.c --- */
#define LCM_GARBAGE_MAX 3 /* unreadable answers in a row to a question */
void lcm_on_poll(struct actuator_run *r, const struct actuator_answer *a,
                 struct actuator_decision *d);
void lcm_on_settle(struct actuator_run *r, const struct actuator_answer *a,
                   struct actuator_decision *d);
/* An unlucky question: asked again with growing pauses, unreadable answers only a few times. */
void lcm_ask_again(struct actuator_run *r, const struct actuator_answer *a,
                   const char *what, struct actuator_decision *d);
json_t *lcm_json(const struct actuator_answer *a);      /* of a 200, new; or NULL */
const char *lcm_text(const json_t *o, const char *key); /* "" when absent */
/* A word that SOL 003 and SOL 005 name differently. */
const char *lcm_either(const json_t *o, const char *key, const char *other);
bool lcm_is_open(const char *state); /* at work */
int64_t lcm_poll_us(const struct actuator_run *r);
#endif
