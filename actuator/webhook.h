/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_WEBHOOK_H
#define HALE_ACTUATOR_WEBHOOK_H
/*
 * webhook - the step `webhook`: any HTTP call, what counts as done, and what is polled to its end
 * (docs/formats/policies.md). Pure functions of (run, answer, now).
 * Plan:      may have, besides what policy.h says,
 *              "success":[[from,to],...] statuses; absent: [[200,299]]
 *              "expect":{...} of the answer (expect.h)
 *              "until":{"url":s,"every_ms":n,"within_ms":n[,"success"][,"expect"][,"fail":{...}]}
 *            until.url absent: the answer's Location. In it "${answer:/pointer}" stands for what the
 *            answer has there.
 * Phases:    CALL, then, with until, POLL: r->follow is asked until r->follow_us + within_ms. That is in
 *            the record with the answer's row, so the call is not repeated after it.
 * Reach:     an address from a Location has scheme, host and port of the call's. Headers and credentials
 *            of the step go there only.
 * Threads:   stateless.
 */
#include "actuator/run.h"
#include "actuator/step.h"

#define ACTUATOR_WEBHOOK_ANSWER "answer:" /* variables of until.url */

HALE_MUST_CHECK enum hale_rc actuator_webhook_request(const struct actuator_run *r,
                                                      int64_t now_us,
                                                      struct actuator_request *q);
/* May write r->follow, r->follow_us, r->queries. */
void actuator_webhook_answer(struct actuator_run *r, const struct actuator_answer *a,
                             int64_t now_us, struct actuator_decision *d);
bool actuator_webhook_follows(const struct actuator_run *r);
/* The time for what is going on: of the polling, or of all tries. */
int64_t actuator_webhook_deadline_us(const struct actuator_run *r);
#endif
