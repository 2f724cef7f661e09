/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_SUBSCRIBERS_H
#define HALE_ACTUATOR_CONF_SUBSCRIBERS_H
/*
 * conf_subscribers - the part of the configuration that says who is told about alarms
 * (docs/formats/notification.md). Ownership: part of struct actuator_conf. Threads: immutable.
 */
#include <jansson.h>
#include <stdint.h>

#include "actuator/conf_snmp.h"
#include "actuator/group.h"
#include "actuator/profile.h"
#include "model/yaml.h"

#define ACTUATOR_SUBSCRIBERS_MAX 256
#define ACTUATOR_TO_MAX          32 /* addresses of a letter */

struct actuator_subscriber {
    char *name;
    char *url;                   /* NULL: letters */
    unsigned states, severities; /* masks of enum hale_state, enum hale_severity */
    json_t *headers;             /* object of strings */
    enum actuator_profile profile;
    char *secret; /* key of the signature (pagerduty: the routing key), or NULL */
    size_t secret_len;
    int64_t timeout_ms;
    unsigned n_to;
    char *to[ACTUATOR_TO_MAX + 1]; /* NULL-terminated */
    const char *from;              /* of letters: that of smtp */
    struct actuator_grouping grouping;
    struct actuator_snmp_conf *snmp; /* profile snmp */
};
struct actuator_subscribers {
    unsigned n;
    struct actuator_subscriber v[ACTUATOR_SUBSCRIBERS_MAX];
};

/* list: the node, NULL kind for none. from: of smtp, borrowed; NULL: there is no mail server. */
HALE_MUST_CHECK enum hale_rc actuator_subscribers_read(const struct hale_yaml_node *list,
                                                       const char *from,
                                                       struct actuator_subscribers *out,
                                                       struct hale_err *err);
void actuator_subscribers_fini(struct actuator_subscribers *s);
#endif
