/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_LCM_H
#define HALE_ACTUATOR_POLICY_LCM_H
/*
 * policy_lcm - reads the steps `vnflcm` and `nslcm` of a policy and puts them into a plan (lcm.h);
 * docs/formats/policies.md. What both have is in policy_lcm.c, the bodies of SOL 005 are in
 * policy_nslcm.c. Threads: stateless.
 */
#include "actuator/policy.h"
#include "model/yaml.h"

/* type: "vnflcm" or "nslcm" */
HALE_MUST_CHECK enum hale_rc actuator_policy_read_lcm(const struct hale_yaml_node *map,
                                                      const char *type,
                                                      struct actuator_step *s,
                                                      struct hale_err *err);
/* The step in a plan, with what was filled in (borrowed; url, way may be NULL). NULL without
 * memory. */
json_t *actuator_policy_pack_lcm(const struct actuator_step *s, json_t *url,
                                 json_t *instance, json_t *body, json_t *way);

/* --- between policy_lcm.c and policy_nslcm.c --- */
#define POLICY_LCM_SOL005 0 /* dialects */
#define POLICY_LCM_OSM    1
struct policy_nslcm_raw {
    int dialect, operation; /* 0 heal, 1 scale */
    const struct hale_yaml_node *heal_vnf, *heal_ns, *scale_vnf, *scale_ns;
};
HALE_MUST_CHECK enum hale_rc policy_nslcm_body(const struct hale_yaml_node *map,
                                               const struct policy_nslcm_raw *raw,
                                               json_t *body, struct hale_err *err);
/* A list of templates under key into o[name]. */
HALE_MUST_CHECK enum hale_rc policy_lcm_texts(const struct hale_yaml_node *list,
                                              const char *key, json_t *o,
                                              const char *name, struct hale_err *err);
/* One template into o[name]; text NULL: nothing. */
HALE_MUST_CHECK enum hale_rc policy_lcm_text(const struct hale_yaml_node *map,
                                             const char *key, const char *text, json_t *o,
                                             const char *name, struct hale_err *err);
/* A whole number of at least min and at most max, or a template that becomes one, into o[name]; text NULL:
 * nothing. */
struct policy_lcm_number {
    const char *key, *name;
    int64_t min, max;
};
HALE_MUST_CHECK enum hale_rc policy_lcm_number(const struct hale_yaml_node *map,
                                               const struct policy_lcm_number *n,
                                               const char *text, json_t *o,
                                               struct hale_err *err);
/* A map of plain values into o[name]; none: nothing. */
HALE_MUST_CHECK enum hale_rc policy_lcm_params(const struct hale_yaml_node *map,
                                               const char *key, json_t *o,
                                               const char *name, struct hale_err *err);
/* {aspect: level}, levels as policy_lcm_number, as a list of {<aspect_key>: aspect, <level_key>: level} into o[name]. */
HALE_MUST_CHECK enum hale_rc
policy_lcm_levels(const struct hale_yaml_node *map, json_t *o, const char *name,
                  const char *aspect_key, const char *level_key, struct hale_err *err);
#endif
