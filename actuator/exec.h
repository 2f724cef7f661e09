/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_EXEC_H
#define HALE_ACTUATOR_EXEC_H
/*
 * exec - the step `exec`: which executable is run, what its end means, and what follows when nobody
 * knows how it ended (docs/formats/policies.md, docs/adr/0034). process.h runs it.
 * Request:   argv is the command's or, in phase ASK, the check's; url its path; headers are the
 *            environment; body is what it reads.
 * Threads:   stateless.
 */
#include "actuator/run.h"
#include "actuator/step.h"

#define ACTUATOR_EXEC_ARGS_MAX 64 /* with the command */

bool actuator_exec_is(const struct actuator_run *r);
HALE_MUST_CHECK enum hale_rc actuator_exec_request(const struct actuator_run *r,
                                                   struct actuator_request *q);
void actuator_exec_answer(struct actuator_run *r, const struct actuator_answer *a,
                          struct actuator_decision *d);
/* The run was found in phase CALL, its answer is lost: sets the phase to go on with, or returns why
 * the step has failed. */
const char *actuator_exec_resume(struct actuator_run *r);
/* For the journal, new: what is run, and how it ended. */
json_t *actuator_exec_call_detail(const struct actuator_request *q);
json_t *actuator_exec_answer_detail(const struct actuator_answer *a);
#endif
