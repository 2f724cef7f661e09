/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server_tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/log.h"

#define FILE_MAX (1u << 20)
#define TLS_1_3  "NORMAL:-VERS-ALL:+VERS-TLS1.3:%SERVER_PRECEDENCE"
#define TLS_1_2  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct hale_http_tls {
    _Atomic unsigned refs; /* the owner's and one per connection */
    gnutls_certificate_credentials_t credentials;
    enum hale_http_client_certificates clients;
    bool only_1_3;
    int64_t expires_ms;
};

static enum hale_rc failed(struct hale_err *err, const char *path, int code,
                           const char *fix)
{
    return hale_err_at(err, HALE_E_INVAL, path, 0, 0, "%s: %s", gnutls_strerror(code),
                       fix);
}

/* gnutls wants int-sized data; the ceiling is far below. */
static gnutls_datum_t datum(const struct hale_buf *b)
{
    return (gnutls_datum_t){(unsigned char *)b->p, (unsigned)b->len};
}

static enum hale_rc read_expiry(struct hale_http_tls *t, const char *path,
                                struct hale_err *err)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int code = gnutls_certificate_get_x509_crt(t->credentials, 0, &chain, &n);

    if (code != GNUTLS_E_SUCCESS || n == 0)
        return failed(err, path, code, "the file must hold a certificate in PEM form");
    t->expires_ms = INT64_MAX; /* the chain ends with the first of it */
    for (unsigned i = 0; i < n; i++) {
        int64_t ms = (int64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000;
        if (ms < t->expires_ms)
            t->expires_ms = ms;
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    return HALE_OK;
}

static enum hale_rc load_key(struct hale_http_tls *t, const struct hale_http_tls_files *f,
                             struct hale_err *err)
{
    struct hale_buf cert, key;

    hale_buf_init(&cert, FILE_MAX);
    hale_buf_init(&key, FILE_MAX);
    enum hale_rc rc = hale_fs_read(f->cert_file, &cert, err);
    if (rc == HALE_OK)
        rc = hale_fs_read(f->key_file, &key, err);
    if (rc == HALE_OK) {
        gnutls_datum_t c = datum(&cert), k = datum(&key);
        int code = gnutls_certificate_set_x509_key_mem2(t->credentials, &c, &k,
                                                        GNUTLS_X509_FMT_PEM, NULL, 0);
        if (code < 0)
            rc = failed(err, f->cert_file, code,
                        "it must hold the certificate (and its chain), and key_file the "
                        "key without password that belongs to it, both in PEM form");
    }
    if (key.p != NULL)
        OPENSSL_cleanse(key.p, key.len);
    hale_buf_fini(&cert);
    hale_buf_fini(&key);
    return rc == HALE_OK ? read_expiry(t, f->cert_file, err) : rc;
}

static enum hale_rc load_ca(struct hale_http_tls *t, const struct hale_http_tls_files *f,
                            struct hale_err *err)
{
    struct hale_buf ca;

    hale_buf_init(&ca, FILE_MAX);
    enum hale_rc rc = hale_fs_read(f->client_ca_file, &ca, err);
    if (rc == HALE_OK) {
        gnutls_datum_t d = datum(&ca);
        int n = gnutls_certificate_set_x509_trust_mem(t->credentials, &d,
                                                      GNUTLS_X509_FMT_PEM);
        if (n <= 0)
            rc = failed(err, f->client_ca_file, n < 0 ? n : GNUTLS_E_NO_CERTIFICATE_FOUND,
                        "it must hold the certificates, in PEM form, that clients' are "
                        "checked against");
    }
    hale_buf_fini(&ca);
    return rc;
}

enum hale_rc hale_http_tls_load(const struct hale_http_tls_files *f,
                                struct hale_http_tls **out, struct hale_err *err)
{
    struct hale_http_tls *t = calloc(1, sizeof(*t));

    *out = NULL;
    if (t == NULL || gnutls_certificate_allocate_credentials(&t->credentials) != 0) {
        free(t);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    atomic_init(&t->refs, 1);
    t->clients = f->clients;
    t->only_1_3 = f->only_1_3;
    enum hale_rc rc = load_key(t, f, err);
    if (rc == HALE_OK && f->clients != HALE_HTTP_CLIENT_CERTIFICATES_NONE)
        rc = load_ca(t, f, err);
    if (rc != HALE_OK) {
        hale_http_tls_free(t);
        return rc;
    }
    *out = t;
    return HALE_OK;
}

void hale_http_tls_free(struct hale_http_tls *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
        return;
    gnutls_certificate_free_credentials(t->credentials);
    free(t);
}

int64_t hale_http_tls_expires_ms(const struct hale_http_tls *t)
{
    return t->expires_ms;
}

/* Called when the client's part of the handshake is in. With REQUIRED the library has refused whoever
 * shows nothing. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned n = 0, status = 0;

    if (gnutls_certificate_get_peers(session, &n) == NULL || n == 0)
        return 0;
    int code = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (code == 0 && status == 0)
        return 0;
    hale_info("event=client_certificate_refused status=%#x", status);
    return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

struct hale_http_tls *hale_http_tls_attach(struct hale_http_tls *t, void *session)
{
    static const gnutls_certificate_request_t REQUESTS[] = {
        [HALE_HTTP_CLIENT_CERTIFICATES_NONE] = GNUTLS_CERT_IGNORE,
        [HALE_HTTP_CLIENT_CERTIFICATES_OPTIONAL] = GNUTLS_CERT_REQUEST,
        [HALE_HTTP_CLIENT_CERTIFICATES_REQUIRED] = GNUTLS_CERT_REQUIRE};

    if (gnutls_priority_set_direct(session, t->only_1_3 ? TLS_1_3 : TLS_1_2, NULL) != 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials) != 0)
        return NULL; /* without credentials the handshake fails */
    gnutls_certificate_server_set_request(session, REQUESTS[t->clients]);
    if (t->clients != HALE_HTTP_CLIENT_CERTIFICATES_NONE)
        gnutls_session_set_verify_function(session, verify_client);
    atomic_fetch_add(&t->refs, 1);
    return t;
}

/* gnutls_certificate_retrieve_function2 */
/* NOLINTNEXTLINE(readability-function-size): the parameters are GnuTLS' */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *issuers,
                          int n_issuers, const gnutls_pk_algorithm_t *algorithms,
                          int n_algorithms, gnutls_pcert_st **certs, unsigned *n_certs,
                          gnutls_privkey_t *key)
{
    (void)session;
    (void)issuers;
    (void)n_issuers;
    (void)algorithms;
    (void)n_algorithms;
    (void)certs;
    (void)n_certs;
    (void)key;
    return -1;
}

void *hale_http_tls_nothing(void)
{
    gnutls_certificate_retrieve_function2 *f = no_certificate;

    return (void *)(uintptr_t)f;
}
