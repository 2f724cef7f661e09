/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_CLIENT_H
#define HALE_NET_HTTP_CLIENT_H
/*
 * http_client - many HTTP calls at once on one thread (wraps libcurl multi; nobody else includes
 * it). hale_http_client_poll is an event loop: it waits for the calls, for foreign descriptors
 * and for a timeout, and runs callbacks of finished calls inside itself.
 * Manners:   connections are kept alive and reused; redirects are NOT followed; only http and
 *            https; TLS verified unless told otherwise; NOSIGNAL; no proxy from the environment;
 *            response body and headers have a ceiling (HALE_E_LIMIT).
 * Threads:   a client belongs to one thread.
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

struct hale_http_client;

struct hale_http_call { /* all text is copied by start */
    const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" */
    const char *url;
    const char *const *headers; /* NULL-terminated "Name: value" lines, or NULL */
    struct hale_str body;       /* {NULL,0} = none */
    const char *unix_socket;    /* connect here instead, or NULL */
    const char *ca_file;        /* NULL = the system's */
    const char *cert_file;      /* our certificate and its chain (PEM), or NULL */
    const char *key_file;       /* its key; NULL: in cert_file */
    struct hale_str ca_pem, cert_pem, key_pem; /* the same as text; empty = the files */
    const char *userpwd;                       /* "user:password" for Basic, or NULL */
    int64_t connect_timeout_ms;                /* 0 = 2000 */
    int64_t timeout_ms;                        /* whole call; 0 = 10000 */
    size_t max_response_bytes;                 /* 0 = 1 MiB */
    bool insecure;                             /* no TLS verification */
    bool
        repeatable; /* a repeat does no harm: it is made at once when a kept connection breaks before
                        any answer, and the request leaves in one piece */
    bool
        often; /* many calls follow that differ in body and headers only: a handle stays prepared
                        for them. Without effect with userpwd, unix_socket or a certificate */
    bool only_remote; /* no connection to a loopback, link-local, multicast or unspecified
                         address, whatever the name resolves to: HALE_E_DENIED */
};
struct hale_http_result { /* valid during the callback */
    enum hale_rc rc; /* HALE_OK: a status arrived; HALE_E_AGAIN: timed out; HALE_E_IO: no
                                connection or broken off; HALE_E_LIMIT; HALE_E_INVAL: bad URL;
                                HALE_E_DENIED: only_remote */
    bool sent;       /* the request may have reached the server (connection was made and
                                something was written): a repeat needs care */
    unsigned status; /* 0 when none */
    struct hale_str body;
    struct hale_str headers; /* raw lines of the final response */
    int64_t took_us;
    const char *error; /* text for a person when rc != HALE_OK, else "" */
};
typedef void (*hale_http_done)(const struct hale_http_result *r, void *arg);

struct hale_http_client *
hale_http_client_new(unsigned max_calls); /* NULL on memory failure */
/* Cancels what is under way without calling back. */
void hale_http_client_free(struct hale_http_client *c);
/* HALE_E_LIMIT when max_calls are under way. *id_out (may be NULL) is > 0 and unique. */
HALE_MUST_CHECK enum hale_rc hale_http_client_start(struct hale_http_client *c,
                                                    const struct hale_http_call *call,
                                                    hale_http_done done, void *arg,
                                                    uint64_t *id_out);
enum hale_mail_tls { HALE_MAIL_PLAIN, HALE_MAIL_TRY_TLS, HALE_MAIL_TLS };
struct hale_mail {         /* all text is copied by start */
    const char *url;       /* smtp://host[:port], smtps://host[:port] */
    const char *from;      /* an address, without angle brackets */
    const char *const *to; /* the same, NULL-terminated: all get the letter or none */
    const char *user, *password; /* NULL = no login */
    const char *ca_file;         /* NULL = the system's */
    struct hale_str text;        /* the whole letter, CRLF lines */
    int64_t timeout_ms;          /* whole delivery; 0 = 10000 */
    enum hale_mail_tls starttls;
};
/* A letter by SMTP, in the same loop: rc HALE_OK = the server has taken it; status is the last
 * answer of the server (250 ...). HALE_E_INVAL: an address or URL cannot be sent. */
HALE_MUST_CHECK enum hale_rc hale_http_client_mail(struct hale_http_client *c,
                                                   const struct hale_mail *mail,
                                                   hale_http_done done, void *arg,
                                                   uint64_t *id_out);
/* Drops the call without calling back; unknown ids are ignored. */
void hale_http_client_cancel(struct hale_http_client *c, uint64_t id);
unsigned hale_http_client_active(const struct hale_http_client *c);
/* Waits until a call makes progress, an extra descriptor is ready (its revents is set) or
 * timeout_ms has passed (0: does not wait), then runs the callbacks of finished calls. */
HALE_MUST_CHECK enum hale_rc hale_http_client_poll(struct hale_http_client *c,
                                                   struct pollfd *extra, unsigned n_extra,
                                                   int timeout_ms);
/* Header value of name (any case) in r->headers, trimmed, or {NULL,0}. */
struct hale_str hale_http_result_header(const struct hale_http_result *r,
                                        const char *name);

/* Header Date as Unix milliseconds; 0: none that can be read (RFC 9110, 6.6.1). */
int64_t hale_http_result_date_ms(const struct hale_http_result *r);

/* One call, waiting. body_out (initialised by the caller, NULL allowed) gets the body,
 * location_out (NULL allowed, 512 bytes) the Location header. r->body/headers are not valid after.
 * Returns r->rc. */
HALE_MUST_CHECK enum hale_rc hale_http_call_sync(const struct hale_http_call *call,
                                                 struct hale_http_result *r,
                                                 struct hale_buf *body_out,
                                                 char *location_out);
/* True for an address (text) that only_remote refuses, and for what is no address. */
bool hale_http_is_local(const char *address);
/* True for an absolute http/https URL with a host. */
bool hale_http_url_ok(const char *url);
/* Percent-encodes s for a query value or path segment. */
void hale_http_quote(struct hale_buf *out, struct hale_str s);
#endif
