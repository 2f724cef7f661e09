/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_CONFIG_H
#define HALE_COLLECTOR_KEYSTONE_CONFIG_H
/*
 * keystone_config - the section `keystone` of the collector's configuration as a value: where
 * Keystone is, who we are to it, which of its roles are which of ours, ceilings.
 * Ownership: a part of struct collector_config. Threads: immutable after load.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/yaml.h"

#define COLLECTOR_ROLE_NAMES_MAX 32

struct collector_role_names { /* of Keystone's roles, any case */
    char *v[COLLECTOR_ROLE_NAMES_MAX];
    size_t n;
};

enum collector_keystone_auth {
    COLLECTOR_KEYSTONE_SELF,     /* a caller's token validates itself */
    COLLECTOR_KEYSTONE_PASSWORD, /* user, password_file, project */
    COLLECTOR_KEYSTONE_APP_CREDENTIAL
};

struct collector_keystone_config {
    bool enabled; /* the section is there */
    enum collector_keystone_auth auth;
    char *url;      /* "http://host:5000/v3", no slash at the end */
    char *auth_uri; /* shown to clients in WWW-Authenticate */
    char *ca_file;  /* NULL: the system's */
    bool insecure;
    char *user, *password_file, *user_domain, *project, *project_domain;
    char *application_credential_id, *secret_file;
    char *service_type; /* what access rules of application credentials call us */
    int64_t cache_time_ms, negative_cache_time_ms;
    int64_t cache_max; /* tokens */
    int64_t timeout_ms;
    int64_t max_calls;   /* to Keystone at once */
    int64_t max_waiting; /* requests that wait for an answer */
    struct collector_role_names operators, agents, readers, delegates;
};

/* node NULL: not enabled. The caller frees with _fini, also after an error. */
HALE_MUST_CHECK enum hale_rc
collector_keystone_config_read(const struct hale_yaml_node *node,
                               struct collector_keystone_config *out,
                               struct hale_err *err);
void collector_keystone_config_fini(struct collector_keystone_config *c);
void collector_keystone_config_describe(struct hale_buf *out);
#endif
