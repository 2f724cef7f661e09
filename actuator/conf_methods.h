/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_METHODS_H
#define HALE_ACTUATOR_CONF_METHODS_H
/*
 * conf_methods - the part of the configuration that is about notification methods: how far tenants'
 * addresses may reach, PagerDuty's address, the mail server, which come in groups,
 * and what webhooks are signed with.
 * Reach: the addresses are written by tenants, so by default ("remote") nothing is sent to loopback,
 *        link-local (cloud metadata), multicast and unspecified addresses, whatever a name resolves
 *        to; "listed": only to hosts in allow. What allow lists may always be called.
 * Ownership: part of struct actuator_conf. Threads: immutable.
 */
#include "actuator/allow.h"
#include "actuator/group.h"
#include "base/buf.h"
#include "model/method_key.h"
#include "model/yaml.h"
#include "net/http_client.h"

struct actuator_methods_conf {
    int listed_only;
    struct actuator_allow allow;
    char *pagerduty_url;
    int64_t timeout_ms;
    struct actuator_grouping email, pagerduty; /* off: each alarm at once */
    struct hale_method_secret secret; /* of the keys that webhooks are signed with */
    char *smtp_url;                   /* NULL: letters are not sent */
    char *smtp_from, *smtp_user, *smtp_password, *smtp_ca_file;
    enum hale_mail_tls smtp_starttls;
    int64_t smtp_timeout_ms;
};

/* methods and smtp: the nodes of these keys, NULL kind for defaults. */
HALE_MUST_CHECK enum hale_rc
actuator_methods_conf_read(const struct hale_yaml_node *methods,
                           const struct hale_yaml_node *smtp,
                           struct actuator_methods_conf *out, struct hale_err *err);
void actuator_methods_conf_fini(struct actuator_methods_conf *c);
#endif
