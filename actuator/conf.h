/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_H
#define HALE_ACTUATOR_CONF_H
/*
 * conf - one generation of the actuator's configuration, policies included: loaded whole
 * or not at all. docs/man/hale-actuator.8 lists the keys.
 * Ownership: the caller's; actuator_conf_free. Threads: immutable.
 */
#include <jansson.h>
#include <stdint.h>

#include "actuator/allow.h"
#include "actuator/cloud.h"
#include "actuator/cluster.h"
#include "actuator/conf_inventory.h"
#include "actuator/conf_methods.h"
#include "actuator/conf_subscribers.h"
#include "actuator/credential.h"
#include "actuator/metric.h"
#include "actuator/policy.h"
#include "base/buf.h"
#include "model/definition.h"

struct actuator_conf {
    char *redis, *listen;
    int log_level;
    int64_t notify_max_age_ms;
    struct actuator_policies *policies;
    struct actuator_subscribers subscribers;
    char policies_sha256[65]; /* of their text, in hex */
    char *audit_file;         /* where the journal's heads are noted, or NULL */
    int64_t audit_every_ms;
    struct actuator_allow allow;
    struct hale_strings allow_exec; /* paths of executables that may be run */
    struct actuator_methods_conf methods;
    struct actuator_clouds clouds;
    struct actuator_clusters clusters;
    struct actuator_credentials credentials;
    struct actuator_inventory_conf inventory;
    struct hale_strings infrastructure;  /* tenants whose topology has the VMs of all */
    struct actuator_collector collector; /* whom policies ask about metrics */
};

HALE_MUST_CHECK enum hale_rc actuator_conf_load(const char *path, void **conf_out,
                                                struct hale_err *err);
void actuator_conf_free(void *conf);
void actuator_conf_describe(struct hale_buf *out);
#endif
