/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_GUARDS_H
#define HALE_ACTUATOR_POLICY_GUARDS_H
/*
 * policy_guards - reads what may keep a policy from acting; docs/formats/policies.md. Threads:
 * stateless.
 */
#include "actuator/guard.h"
#include "model/yaml.h"

struct actuator_guards_yaml { /* values of the policy's keys; NULL-kind nodes: absent */
    const struct hale_yaml_node *cooldown, *frequency, *guards;
};
/* Default cooldown 30 s. *out is zeroed by the caller and his to _fini, also on failure. */
HALE_MUST_CHECK enum hale_rc
actuator_policy_read_guards(const struct actuator_guards_yaml *y,
                            struct actuator_guard_rules *out, struct hale_err *err);
#endif
