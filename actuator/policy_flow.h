/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_FLOW_H
#define HALE_ACTUATOR_POLICY_FLOW_H
/*
 * policy_flow - the names of a policy's steps, where each goes on, and steps that only wait. A step
 * may only go forward, so that every run ends; what is never reached is refused.
 * Plan:      keys of a step, left out where they say the default: "name":s, "on_ok", "on_fail",
 *            "on_timeout", "on_guard": number of a step, ACTUATOR_TO_DONE or ACTUATOR_TO_FAIL;
 *            "verify": policy_proof.h. A wait: {"type":"wait","timeout_ms":n,
 *            "acknowledgement":"optional"|"required" or "until":{policy_proof.h}}
 * Threads:   stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

/* After all steps have been read: names and ways of every one. */
HALE_MUST_CHECK enum hale_rc actuator_flow_read(const struct hale_yaml_node *list,
                                                struct actuator_policy *p,
                                                struct hale_err *err);
HALE_MUST_CHECK enum hale_rc actuator_flow_read_wait(const struct hale_yaml_node *map,
                                                     struct actuator_step *s,
                                                     struct hale_err *err);
/* Adds name, ways and verify of step i to its plan. HALE_E_NOTFOUND as actuator_policy_plan. */
HALE_MUST_CHECK enum hale_rc actuator_flow_plan(const struct actuator_policy *p,
                                                unsigned i, const json_t *vars,
                                                json_t *plan, char *missing);
/* The plan of a step that waits. */
HALE_MUST_CHECK enum hale_rc actuator_flow_plan_wait(const struct actuator_step *s,
                                                     const json_t *vars, json_t **out,
                                                     char *missing);
#endif
