/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_SERVER_TLS_H
#define HALE_NET_HTTP_SERVER_TLS_H
/*
 * http_server_tls - certificates of the HTTP server (wraps GnuTLS, which libmicrohttpd speaks TLS with;
 * nobody else includes it). TLS 1.2 and 1.3. A set of certificates is immutable; each connection
 * keeps the set it began with, so another set can take over at any time.
 * Ownership: counted: the loader's reference and one per connection.
 * Threads:   any.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

struct hale_http_tls;

enum hale_http_client_certificates {
    HALE_HTTP_CLIENT_CERTIFICATES_NONE,     /* not asked for */
    HALE_HTTP_CLIENT_CERTIFICATES_OPTIONAL, /* checked when the client shows one */
    HALE_HTTP_CLIENT_CERTIFICATES_REQUIRED
};

struct hale_http_tls_files {    /* PEM */
    const char *cert_file;      /* the server's and its chain */
    const char *key_file;       /* without password */
    const char *client_ca_file; /* unless clients is NONE */
    enum hale_http_client_certificates clients;
    bool only_1_3; /* no TLS 1.2 */
};

/* err names the file and the fix. */
HALE_MUST_CHECK enum hale_rc hale_http_tls_load(const struct hale_http_tls_files *f,
                                                struct hale_http_tls **out,
                                                struct hale_err *err);
void hale_http_tls_free(struct hale_http_tls *t); /* drops a reference; NULL allowed */
/* When the first certificate of the chain ends, Unix time. */
int64_t hale_http_tls_expires_ms(const struct hale_http_tls *t);

/* http_server's: gives a new connection's session (gnutls_session_t) this set. Returns another
 * reference to t, or NULL: then the handshake fails. */
struct hale_http_tls *hale_http_tls_attach(struct hale_http_tls *t, void *session);
/* http_server's: the certificate callback of a session that got no set: the handshake fails. */
void *hale_http_tls_nothing(void);
#endif
