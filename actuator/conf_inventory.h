/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_INVENTORY_H
#define HALE_ACTUATOR_CONF_INVENTORY_H
/*
 * conf_inventory - the part of the configuration that is about the topology: whose it is, and which
 * clouds and VNFMs are asked what they have (`inventory:`), and which tenants' topologies speak for
 * the projects of their VMs (`infrastructure:`).
 * Ownership: part of struct actuator_conf. Threads: immutable.
 */
#include "actuator/cloud.h"
#include "actuator/credential.h"
#include "model/definition.h"
#include "model/yaml.h"

#define ACTUATOR_VNFMS_MAX 16

struct actuator_vnfm {
    char *name, *url;  /* without a slash at the end: .../vnflcm/v1 or v2 */
    char *credentials; /* name, or "" */
};
struct actuator_inventory_conf {
    char *tenant; /* NULL: nothing is fetched */
    int64_t every_ms;
    bool nova, neutron, heat;
    struct hale_strings clouds; /* names; all are there */
    unsigned n_vnfms;
    struct actuator_vnfm vnfm[ACTUATOR_VNFMS_MAX];
};

/* map: the value of `inventory` (a NULL-kind node: none). */
HALE_MUST_CHECK enum hale_rc
actuator_inventory_conf_read(const struct hale_yaml_node *map,
                             const struct actuator_clouds *clouds,
                             const struct actuator_credentials *credentials,
                             struct actuator_inventory_conf *out, struct hale_err *err);
void actuator_inventory_conf_fini(struct actuator_inventory_conf *c);
/* A list of tenants. */
HALE_MUST_CHECK enum hale_rc
actuator_infrastructure_read(const struct hale_yaml_node *list, struct hale_strings *out,
                             struct hale_err *err);
void actuator_strings_fini(struct hale_strings *s);
#endif
