/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_PROOF_H
#define HALE_ACTUATOR_POLICY_PROOF_H
/*
 * policy_proof - what shows that something has come true: the alarm has cleared, a query has a
 * result, an address answers 2xx. Keys `verify` of a policy and of a step, `until` of a wait.
 * Plan:      {"alarm":"cleared"|"query":s|"url":s, "within_ms":n, "every_ms":n}
 * Threads:   stateless.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/yaml.h"

struct actuator_proof {
    bool given;        /* the key is there */
    char *query, *url; /* at most one; none: the alarm has cleared */
    int64_t within_ms, every_ms;
};
/* map NULL or of kind NULL: the alarm, within 60 s, and not given. */
HALE_MUST_CHECK enum hale_rc actuator_proof_read(const struct hale_yaml_node *map,
                                                 struct actuator_proof *out,
                                                 struct hale_err *err);
/* With every variable filled in. HALE_E_NOTFOUND: missing (ACTUATOR_NAME_MAX) says which is absent.
 */
HALE_MUST_CHECK enum hale_rc actuator_proof_plan(const struct actuator_proof *p,
                                                 const json_t *vars, json_t **out,
                                                 char *missing);
void actuator_proof_fini(struct actuator_proof *p);
#endif
