/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_EXEC_H
#define HALE_ACTUATOR_POLICY_EXEC_H
/*
 * policy_exec - reads the step `exec` of a policy and puts it into a plan (exec.h);
 * docs/formats/policies.md. Which executables there may be says the configuration. Threads: stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

#define ACTUATOR_EXEC_PATH_MAX 256 /* with NUL */

HALE_MUST_CHECK enum hale_rc actuator_policy_read_exec(const struct hale_yaml_node *map,
                                                       struct actuator_step *s,
                                                       struct hale_err *err);
/* Args are the step's with what was filled in. */
HALE_MUST_CHECK enum hale_rc actuator_policy_plan_exec(const struct actuator_step *s,
                                                       const json_t *vars, json_t **out,
                                                       char *missing);
/* Absolute, without "." and ".." and variables, and not too long. */
bool actuator_policy_exec_path(const char *path);
/* The executable that is in the step, but not in the list (borrowed); NULL: all are. */
const char *actuator_policy_exec_missing(const struct actuator_step *s,
                                         const struct hale_strings *allowed);
bool actuator_policy_exec_allowed(const char *path, const struct hale_strings *allowed);
/* Reads `allow_exec`; node NULL is fine. */
HALE_MUST_CHECK enum hale_rc
actuator_policy_read_allow_exec(const struct hale_yaml_node *node,
                                struct hale_strings *out, struct hale_err *err);
#endif
