/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_KEYSTONE_H
#define HALE_ACTUATOR_KEYSTONE_H
/*
 * keystone - what is said to Keystone v3 and how its answer is understood: pure.
 * Secrets:   the token's text and the bodies made here are wiped when freed.
 * Threads:   stateless.
 */
#include <jansson.h>
#include <stdint.h>

#include "actuator/cloud.h"
#include "base/buf.h"
#include "base/str.h"

#define ACTUATOR_TOKEN_MAX   8192      /* bytes of a token */
#define ACTUATOR_RENEW_US    120000000 /* a token with less life left is renewed first */
#define ACTUATOR_SERVICE_MAX 32        /* services of the catalogue that are kept */

struct actuator_endpoint {
    char *type, *url; /* owned; url without a slash at the end */
};
struct actuator_token {
    char *id; /* owned */
    int64_t expires_us;
    unsigned n;
    struct actuator_endpoint
        endpoint[ACTUATOR_SERVICE_MAX]; /* of cloud's region and interface */
};

/* The body of POST auth/tokens; out: wiped by actuator_keystone_wipe. HALE_E_LIMIT,
 * HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_keystone_body(const struct actuator_cloud *c,
                                                    struct hale_str secret,
                                                    struct hale_buf *out);
/* body and header X-Subject-Token of a 201. HALE_E_INVAL with a reason in err. */
HALE_MUST_CHECK enum hale_rc actuator_keystone_token(const struct actuator_cloud *c,
                                                     struct hale_str body,
                                                     struct hale_str subject,
                                                     struct actuator_token *out,
                                                     struct hale_err *err);
/* The endpoint's URL of a service type, or NULL. */
const char *actuator_keystone_endpoint(const struct actuator_token *t, const char *type);
void actuator_token_fini(struct actuator_token *t);
void actuator_keystone_wipe(struct hale_buf *b); /* overwrites and frees */
#endif
