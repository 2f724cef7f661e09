/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_UPKEEP_POLICY_H
#define HALE_ACTUATOR_UPKEEP_POLICY_H
/*
 * upkeep_policy - the key `maintenance` of the policies' file (docs/formats/maintenance.md): in which cloud sessions work, how
 * long everybody has, and what is called. Each action is an ordinary policy of one name, so that kill switches, leases and the
 * journal are those of all runs.
 * Ownership: part of a set of policies. Threads: immutable after loading.
 */
#include "actuator/policy.h"
#include "actuator/upkeep.h"

struct actuator_upkeep_conf {
    struct actuator_upkeep_rules rules;
    struct actuator_policy
        by[ACTUATOR_UPKEEP_KINDS]; /* the hook's has no steps if there is none */
};

/* map: the value of `maintenance` (a NULL-kind node: none), into set->upkeep. */
HALE_MUST_CHECK enum hale_rc actuator_upkeep_read(const struct hale_yaml_node *map,
                                                  struct actuator_policies *set,
                                                  struct hale_err *err);
void actuator_upkeep_conf_free(struct actuator_upkeep_conf *c); /* NULL allowed */
#endif
