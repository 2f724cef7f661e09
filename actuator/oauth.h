/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_OAUTH_H
#define HALE_ACTUATOR_OAUTH_H
/*
 * oauth - what is said to an OAuth2 token endpoint for client credentials (RFC 6749 4.4, RFC
 * 8705) and how its answer is understood: pure.
 * Secrets:   the texts made here are wiped by their owner.
 * Threads:   stateless.
 */
#include <stdint.h>

#include "actuator/credential.h"
#include "base/buf.h"
#include "base/str.h"

#define ACTUATOR_OAUTH_TOKEN_MAX 16384 /* bytes of a token */

struct actuator_bearer {
    char *text;       /* owned; NULL: none */
    int64_t renew_us; /* from then on a call gets a new one first */
};
/* The form's body. in: secret, empty = none. HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_oauth_form(const struct actuator_credential *c,
                                                 struct hale_str secret,
                                                 struct hale_buf *out);
/* "id:secret" for Basic, each as RFC 6749 2.3.1 has it; nothing when they go elsewhere. */
HALE_MUST_CHECK enum hale_rc actuator_oauth_user(const struct actuator_credential *c,
                                                 struct hale_str secret,
                                                 struct hale_buf *out);
/* The body of a 200. A token is renewed when a tenth of its life is left, or a minute.
 * HALE_E_INVAL with a reason in err. */
HALE_MUST_CHECK enum hale_rc actuator_oauth_token(struct hale_str body, int64_t now_us,
                                                  struct actuator_bearer *out,
                                                  struct hale_err *err);
void actuator_bearer_fini(struct actuator_bearer *b); /* wiped */
#endif
