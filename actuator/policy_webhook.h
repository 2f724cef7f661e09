/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_WEBHOOK_H
#define HALE_ACTUATOR_POLICY_WEBHOOK_H
/*
 * policy_webhook - reads the step `webhook` of a policy and puts what its answer must be into a plan
 * (webhook.h); docs/formats/policies.md. Threads: stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

HALE_MUST_CHECK enum hale_rc
actuator_policy_read_webhook(const struct hale_yaml_node *map, struct actuator_step *s,
                             struct hale_err *err);
/* Adds success, expect and until to the plan. HALE_E_NOTFOUND as actuator_policy_plan. */
HALE_MUST_CHECK enum hale_rc actuator_policy_plan_answer(const struct actuator_step *s,
                                                         const json_t *vars, json_t *plan,
                                                         char *missing);
#endif
