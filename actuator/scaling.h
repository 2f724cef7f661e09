/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SCALING_H
#define HALE_ACTUATOR_SCALING_H
/*
 * scaling - a scaling policy: what is asked how often, the rules of the decision (scaler.h), and
 * what is called when there must be more or less of it. Read from the list `scaling` of the
 * policies' file (docs/formats/scaling.md), with the keys that every policy has.
 * Runs:      a decision is a run of the engine with the policy `by[direction]`; both have the
 *            scaling policy's name.
 * Ownership: part of a set of policies. Threads: immutable after loading.
 */
#include "actuator/policy.h"
#include "actuator/scaler.h"
#include "actuator/size.h"

#define ACTUATOR_SCALINGS_MAX 256
#define ACTUATOR_SCALING_PREFIX                                                          \
    "scaling:" /* of its runs' alarm_id, and of its memory's field */

struct actuator_scaling {
    char *tenant;               /* whose runs they are */
    int64_t every_ms, fresh_ms; /* samples older than fresh_ms are no data */
    char *query;                /* with ${...} */
    struct actuator_size size;
    struct actuator_scaler_rules rules;
    struct actuator_policy
        by[2]; /* by enum actuator_direction; n_steps 0: never that way */
};

/* list: the value of `scaling` (a NULL-kind node: none), into set->scaling. */
HALE_MUST_CHECK enum hale_rc actuator_scaling_read(const struct hale_yaml_node *list,
                                                   struct actuator_policies *set,
                                                   struct hale_err *err);
void actuator_scaling_fini(struct actuator_scaling *s);
/* NULL: there is none of that name. */
const struct actuator_scaling *actuator_scaling_find(const struct actuator_policies *p,
                                                     const char *name);
/* Variables of its queries: policy, target (as written), tenant. NULL on memory failure. */
json_t *actuator_scaling_vars(const struct actuator_scaling *s);
#endif
