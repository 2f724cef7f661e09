/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_LOAD_H
#define HALE_ACTUATOR_POLICY_LOAD_H
/*
 * policy_load - the keys that every policy has, for what reads a list of its own (scaling.c).
 * Nobody else includes it. Threads: stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

#define ACTUATOR_POLICY_FIELDS_MAX 32

/* The fields of the keys that are not about alarms and steps; *size: of the struct that they fill. */
unsigned actuator_policy_fields(struct hale_conf_field out[ACTUATOR_POLICY_FIELDS_MAX],
                                size_t *size);
/* A policy of a struct that was read with these fields (its texts are taken). */
HALE_MUST_CHECK enum hale_rc
actuator_policy_fill(const struct hale_yaml_node *map, void *raw,
                     const struct hale_yaml_node *steps, struct actuator_policies *set,
                     struct actuator_policy *p, struct hale_err *err);
#endif
