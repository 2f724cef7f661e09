/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_VIM_H
#define HALE_ACTUATOR_POLICY_VIM_H
/*
 * policy_vim - reads a policy's step that acts on a cloud, by what its driver says it takes
 * (vim.h); docs/formats/policies.md. Threads: stateless.
 */
#include "actuator/policy.h"
#include "actuator/vim.h"
#include "model/yaml.h"

HALE_MUST_CHECK enum hale_rc
actuator_policy_read_vim(const struct hale_yaml_node *map,
                         const struct actuator_vim_driver *driver,
                         struct actuator_step *s, struct hale_err *err);
#endif
