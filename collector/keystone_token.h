/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_TOKEN_H
#define HALE_COLLECTOR_KEYSTONE_TOKEN_H
/*
 * keystone_token - what Keystone says of a token, as far as the collector needs it: project, user,
 * roles in our terms, expiry, and the access rules of an application credential.
 * Pure: body in, value out. Whoever sends "OpenStack-Identity-Access-Rules" to Keystone promises to
 * enforce the rules: every request goes through _allows.
 * Threads: a value is immutable after _read.
 */
#include "collector/keystone_config.h"
#include "collector/token.h"

#define COLLECTOR_ACCESS_RULES_MAX 256

struct collector_access_rule {
    char *service, *method, *path;
};

struct collector_keystone_token {
    struct collector_identity who;
    int64_t expires_ms; /* Unix time */
    bool restricted;    /* only what a rule names; without rules nothing */
    struct collector_access_rule *rules;
    size_t n_rules;
    char *service_type; /* copied of the configuration when restricted, else NULL */
};

/* Reads the answer to GET /v3/auth/tokens. HALE_E_DENIED: a good token that is of no use here (no
 * project, or one whose id cannot be a tenant). HALE_E_INVAL: not an answer of Keystone. */
HALE_MUST_CHECK enum hale_rc
collector_keystone_token_read(const struct collector_keystone_config *conf,
                              struct hale_str body, struct collector_keystone_token *out,
                              struct hale_err *err);
void collector_keystone_token_fini(
    struct collector_keystone_token *t); /* after any _read */
/* Not expired, and the access rules, if there are any, name this method and path. */
bool collector_keystone_token_allows(const struct collector_keystone_token *t,
                                     const char *method, const char *path,
                                     int64_t now_ms);
/* Keystone's wildcards: {tag} and * are one or more characters without '/', ** any. */
bool collector_access_path_matches(const char *pattern, const char *path);
#endif
