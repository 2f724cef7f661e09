/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CREDENTIAL_H
#define HALE_ACTUATOR_CREDENTIAL_H
/*
 * credential - who we are to managers and webhooks (`credentials:` of the configuration): OAuth2
 * client credentials as ETSI GS NFV-SOL 013 wants them (with a secret, or bound to our
 * certificate), a user and a password, or a certificate alone. Secrets stay in their files;
 * they are read when they are needed, so that a new one needs no restart.
 * Ownership: a table owns its texts. Threads: immutable after reading.
 */
#include "base/rc.h"
#include "base/str.h"
#include "model/yaml.h"

#define ACTUATOR_CREDENTIALS_MAX 32

enum actuator_credential_type { ACTUATOR_OAUTH2, ACTUATOR_BASIC, ACTUATOR_TLS };
struct actuator_credential {
    char *name;
    enum actuator_credential_type type;
    char *token_url, *scope;    /* oauth2; scope may be NULL */
    char *user;                 /* oauth2: the client's id; basic: the user */
    char *secret_file;          /* NULL: none (oauth2 bound to the certificate, tls) */
    bool in_body;               /* oauth2: id and secret in the form, not in a header */
    char *ca_file;              /* NULL: the system's */
    char *cert_file, *key_file; /* NULL: no certificate; key NULL: in cert_file */
};
struct actuator_credentials {
    unsigned n;
    struct actuator_credential v[ACTUATOR_CREDENTIALS_MAX];
};

/* map: the value of `credentials` (a NULL-kind node: none). */
HALE_MUST_CHECK enum hale_rc actuator_credentials_read(const struct hale_yaml_node *map,
                                                       struct actuator_credentials *out,
                                                       struct hale_err *err);
void actuator_credentials_fini(struct actuator_credentials *c);
/* NULL: there is none of that name. */
const struct actuator_credential *
actuator_credentials_find(const struct actuator_credentials *c, const char *name);
/* ", did you mean 'x'?" or ""; points into dst. */
const char *actuator_credentials_suggest(const struct actuator_credentials *c,
                                         const char *name, char *dst, size_t size);
#endif
