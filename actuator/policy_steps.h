/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_STEPS_H
#define HALE_ACTUATOR_POLICY_STEPS_H
/*
 * policy_steps - reads the steps of a policy; docs/formats/policies.md. Threads: stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

HALE_MUST_CHECK enum hale_rc actuator_policy_read_steps(const struct hale_yaml_node *list,
                                                        struct actuator_policy *p,
                                                        struct hale_err *err);
/* A template that is not empty; url: also a call the client can make. text NULL is fine. */
HALE_MUST_CHECK enum hale_rc actuator_policy_check_text(const struct hale_yaml_node *map,
                                                        const char *key, const char *text,
                                                        bool url, struct hale_err *err);
/* JSON with templates in its strings, written as text under key; text NULL is fine. */
HALE_MUST_CHECK enum hale_rc actuator_policy_read_json(const struct hale_yaml_node *map,
                                                       const char *key, const char *text,
                                                       json_t **out,
                                                       struct hale_err *err);
#endif
