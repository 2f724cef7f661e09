/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_SERVER_H
#define HALE_NET_HTTP_SERVER_H
/*
 * http_server - HTTP/1.1 server (wraps libmicrohttpd; nobody else includes it).
 * Shape:     one epoll thread owned by the server. For every request, first `head` is called in
 *            that thread when the headers are in (authorise, choose a body ceiling, refuse), then
 *            `handle` when the whole body is. handle answers at once or keeps the request and
 *            answers later from any thread (the connection is suspended meanwhile); it must answer
 *            every request exactly once.
 *            A head callback that must wait for something says hale_http_head_later and returns
 *            false: the connection is set aside, nothing of the body is read, and head is called
 *            again once hale_http_head_again was called.
 * Limits:    body ceiling per request (413 beyond it, before the body is buffered when
 *            Content-Length says so), connections (503 with Retry-After beyond), connection
 *            memory 256 KiB, idle timeout; header block limited by MHD's memory (431).
 * TLS:       with options.tls; certificates may be exchanged while it runs.
 * Ownership: a request belongs to the server; pointers into it are valid until it is answered.
 * Threads:   handlers run in the server's thread. hale_http_reply*, hale_http_stream_* and
 *            hale_http_head_again from any.
 * Errors:    server start: HALE_E_EXISTS when the address is in use (err names it and the fix).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "net/http_server_tls.h"

struct hale_http_server;
struct hale_http_req;
struct hale_http_stream;

struct hale_http_server_options {
    const char *listen;    /* "127.0.0.1:8070", "[::1]:0", "0.0.0.0:8070"; port 0 = any */
    size_t max_body_bytes; /* default ceiling of a request body */
    unsigned max_connections;  /* 1..10000 */
    unsigned idle_timeout_s;   /* 0 = 60 */
    struct hale_http_tls *tls; /* https; taken when start succeeds. NULL: http */
    /* Refuses early by answering (then returns false), returns true to receive the body, or puts
     * off its decision (hale_http_head_later). NULL = accept all. */
    bool (*head)(struct hale_http_req *req, void *arg);
    void (*handle)(struct hale_http_req *req, void *arg);
    void *arg;
};
HALE_MUST_CHECK enum hale_rc
hale_http_server_start(const struct hale_http_server_options *o,
                       struct hale_http_server **out, struct hale_err *err);
/* Stops accepting, waits for answered requests to drain (deadline 5 s), closes streams, joins. */
void hale_http_server_stop(struct hale_http_server *s);
/* Connections that begin from now on get these certificates; takes tls. Not for an http server. Any
 * thread. */
void hale_http_server_set_tls(struct hale_http_server *s, struct hale_http_tls *tls);
unsigned hale_http_server_port(const struct hale_http_server *s); /* the bound port */

/* --- request ---------------------------------------------------------------------------- */
const char *hale_http_method(const struct hale_http_req *req); /* "GET" ... */
const char *hale_http_path(const struct hale_http_req *req); /* decoded, without query */
const char *hale_http_header(const struct hale_http_req *req,
                             const char *name); /* or NULL */
/* First occurrence of a query parameter, percent- and plus-decoded; NULL when absent or without
 * value (Monasca: the first one counts, valueless ones are ignored). */
const char *hale_http_query(const struct hale_http_req *req, const char *name);
/* All query parameters in order; callback gets decoded name and value. */
void hale_http_query_each(const struct hale_http_req *req,
                          void (*each)(const char *name, const char *value, void *arg),
                          void *arg);
const char *
hale_http_raw_query(const struct hale_http_req *req); /* as sent, "" when none */
struct hale_str hale_http_body(const struct hale_http_req *req);
/* In handle, before the answer: the body is from now on the bytes of b, which is empty after. */
void hale_http_replace_body(struct hale_http_req *req, struct hale_buf *b);
bool hale_http_secure(const struct hale_http_req *req); /* came over TLS */
/* The peer's address as text ("127.0.0.1"). */
const char *hale_http_peer(const struct hale_http_req *req);
int64_t hale_http_started_us(
    const struct hale_http_req *req); /* wall time of the last body byte */
/* A pointer of the handler's, kept with the request (head may set what handle reads). free_fn is
 * called when the request ends; NULL allowed. */
void hale_http_set_user(struct hale_http_req *req, void *user, void (*free_fn)(void *));
void *hale_http_user(const struct hale_http_req *req);
/* In head only: another body ceiling for this request. */
void hale_http_set_max_body(struct hale_http_req *req, size_t bytes);
/* In head only, which then returns false without an answer. Say it before anybody can call
 * hale_http_head_again. */
void hale_http_head_later(struct hale_http_req *req);
/* Once per hale_http_head_later; the request must not be used after, by this thread. */
void hale_http_head_again(struct hale_http_req *req);

/* --- answer ------------------------------------------------------------------------------- */
/* Adds a header to the coming answer. Name and value are copied. */
void hale_http_add_header(struct hale_http_req *req, const char *name, const char *value);
/* Answers with body copied. content_type NULL = no body. The request must not be used after. */
void hale_http_reply(struct hale_http_req *req, unsigned status, const char *content_type,
                     struct hale_str body);
/* As above, taking the bytes of b (b is empty after). */
void hale_http_reply_buf(struct hale_http_req *req, unsigned status,
                         const char *content_type, struct hale_buf *b);

/* --- streaming answer (server-sent events) -------------------------------------------------- */
/* Answers 200 with a body that grows by hale_http_stream_write until hale_http_stream_close or the
 * client leaves. The stream handle is reference-counted by the caller: exactly one
 * hale_http_stream_close per begin. */
struct hale_http_stream *hale_http_stream_begin(struct hale_http_req *req,
                                                const char *content_type,
                                                size_t max_queued_bytes);
/* Queues bytes. HALE_E_CLOSED: the client has gone, or its queue was full (then the connection is
 * cut: it resumes by Last-Event-ID); the caller closes its handle. Any thread. */
HALE_MUST_CHECK enum hale_rc hale_http_stream_write(struct hale_http_stream *st,
                                                    struct hale_str bytes);
void hale_http_stream_close(struct hale_http_stream *st);
#endif
