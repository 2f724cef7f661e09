/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/http_listen.h"
#include "net/http_private.h"

#define CONNECTION_MEMORY_BYTES (256u * 1024)
#define CONNECTION_GROW_BYTES   (16u * 1024)
#define IDLE_DEFAULT_S          60
#define CONNECTIONS_MAX         10000
/* Connections beyond max_connections that are accepted only to be told 503; more wait in the
 * kernel's backlog. */
#define CONNECTIONS_TO_REFUSE 64
/* An early refusal is sent after the body has been read and thrown away, so that the client sees
 * the answer and the connection lives on - up to this size; beyond it the answer goes out at once
 * and the connection is closed. Chunked bodies have no announced size: they are cut there. */
#define DISCARD_MAX_BYTES (8u * 1024 * 1024)
#define STOP_DEADLINE_MS  5000
#define STOP_KEPT_MS      1000 /* of it: for handlers to answer what they keep */

/* --- the way of a request --------------------------------------------------------------------- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct hale_http_server *s = cls;
    struct hale_http_req *req = calloc(1, sizeof(*req));
    (void)conn;
    if (req == NULL)
        return NULL;
    req->magic = HALE_HTTP_REQ_MAGIC;
    req->server = s;
    req->max_body = s->o.max_body_bytes;
    req->headers_end = &req->headers;
    hale_buf_init(&req->body, req->max_body > 0 ? req->max_body : 1);
    req->uri = strdup(uri);
    if (req->uri == NULL) {
        free(req);
        return NULL;
    }
    const char *mark = strchr(req->uri, '?');
    req->raw_query = mark != NULL ? mark + 1 : "";
    return req;
}

/* A stopping server waits for answers, not for the body of a client that takes its time. */
static void set_idle(struct hale_http_req *req)
{
    struct hale_http_server *s = req->server;
    if (!req->busy)
        return;
    pthread_mutex_lock(&s->lock);
    req->busy = false;
    s->busy--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **req_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct hale_http_server *s = cls;
    struct hale_http_req *req = *req_cls;
    (void)conn;
    (void)why;
    *req_cls = NULL;
    if (req == NULL)
        return;
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    HALE_ASSERT(req->state != HALE_HTTP_KEPT);
    if (req->stream != NULL)
        hale_http_stream_detach(s, req->stream);
    if (req->response != NULL)
        MHD_destroy_response(req->response);
    if (req->user != NULL && req->user_free != NULL)
        req->user_free(req->user);
    while (req->headers != NULL) {
        struct hale_http_header *h = req->headers;
        req->headers = h->next;
        free(h);
    }
    set_idle(req);
    hale_buf_fini(&req->body);
    free(req->uri);
    req->magic = 0;
    free(req);
}

/* Gives the answer to MHD. MHD_NO cuts the connection. */
static enum MHD_Result send_answer(struct hale_http_req *req)
{
    struct MHD_Response *response = req->response;
    if (response == NULL)
        return MHD_NO;
    req->response = NULL;
    enum MHD_Result result = MHD_queue_response(req->conn, req->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Asked under one lock: an answer may come from another thread while head waits. */
enum standing { OPEN, WAITING, ANSWERED };

static enum standing standing(struct hale_http_req *req)
{
    struct hale_http_server *s = req->server;
    pthread_mutex_lock(&s->lock);
    enum standing now = req->state == HALE_HTTP_ANSWERED             ? ANSWERED
                        : req->later && req->state == HALE_HTTP_HEAD ? WAITING
                                                                     : OPEN;
    pthread_mutex_unlock(&s->lock);
    return now;
}

static bool answered(struct hale_http_req *req)
{
    return standing(req) == ANSWERED;
}

struct body_facts {
    bool present;
    bool chunked;
    bool known;      /* length is valid */
    uint64_t length; /* bytes announced */
};

/* False: the framing is ambiguous (two lengths), which is how requests are smuggled. */
static bool read_body_facts(const struct hale_http_req *req, struct body_facts *out)
{
    const char *length = hale_http_header(req, "Content-Length");
    const char *coding = hale_http_header(req, "Transfer-Encoding");
    *out = (struct body_facts){.present = false};
    if (coding != NULL) {
        out->present = true;
        out->chunked = length == NULL && strcasecmp(coding, "chunked") == 0;
        return out->chunked;
    }
    if (length == NULL)
        return true;
    out->present = true;
    if (hale_str_u64(hale_str_from(length), &out->length) != HALE_OK)
        return false;
    out->known = true;
    out->present = out->length > 0;
    return true;
}

static void refuse_body(struct hale_http_req *req)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "The request body may have at most %zu bytes.",
                   req->max_body);
    hale_http_refuse(req, 413, "Request Entity Too Large", text);
}

/* The checks before a body is read. True: go on. */
static bool accept_head(struct hale_http_req *req, struct body_facts *body)
{
    struct hale_http_server *s = req->server;
    if (atomic_load_explicit(&s->stopping, memory_order_relaxed)) {
        hale_http_add_header(req, "Retry-After", "1");
        hale_http_refuse(req, 503, "Service Unavailable", "The server is stopping.");
    } else if (req->peer == NULL || req->peer->over_limit) {
        hale_http_add_header(req, "Retry-After", "1");
        hale_http_add_header(req, "Connection", "close");
        hale_http_refuse(req, 503, "Service Unavailable", "Too many connections.");
    } else if (!read_body_facts(req, body)) {
        hale_http_add_header(req, "Connection", "close");
        hale_http_refuse(req, 400, "Bad Request", "The length of the body is ambiguous.");
    } else if (strstr(req->uri, "%00") != NULL) {
        hale_http_refuse(req, 400, "Bad Request", "The address contains a NUL.");
    } else if (s->o.head != NULL && !s->o.head(req, s->o.arg)) {
        if (standing(req) == OPEN) {
            hale_error("event=http_head_unanswered path=%.80s", req->path);
            hale_http_refuse(req, 500, "Internal Server Error", "No answer.");
        }
    } else if (body->known && body->length > req->max_body && !answered(req)) {
        refuse_body(req);
    }
    return standing(req) == OPEN;
}

/* The connection is set aside until an answer or hale_http_head_again comes.
 * Suspend first, then say so: see http_private.h. */
static void set_aside(struct hale_http_req *req)
{
    struct hale_http_server *s = req->server;
    struct MHD_Connection *conn = req->conn;
    MHD_suspend_connection(conn);
    pthread_mutex_lock(&s->lock);
    if (req->state == HALE_HTTP_ANSWERED || req->again) {
        req->later = req->again = false;
        MHD_resume_connection(conn);
    } else {
        req->state = HALE_HTTP_KEPT;
        req->kept_prev = NULL;
        req->kept_next = s->kept;
        if (s->kept != NULL)
            s->kept->kept_prev = req;
        s->kept = req;
        s->n_kept++;
    }
    pthread_mutex_unlock(&s->lock);
}

/* The headers are in: the first call, and again after hale_http_head_again. */
static enum MHD_Result on_head(struct hale_http_req *req)
{
    struct body_facts body = {.present = false};
    req->headed = true;
    if (accept_head(req, &body)) {
        set_idle(req);
        if (body.known && body.length > 0)
            (void)hale_buf_reserve(&req->body, (size_t)body.length);
        return MHD_YES;
    }
    if (standing(req) == WAITING) {
        req->headed = false;
        set_aside(req);
        return MHD_YES;
    }
    if (!body.present)
        return MHD_YES; /* the next call sends the answer */
    bool small = body.known ? body.length <= DISCARD_MAX_BYTES : body.chunked;
    if (small && hale_http_header(req, "Expect") == NULL)
        return MHD_YES;
    if (req->response != NULL)
        (void)MHD_add_response_header(req->response, "Connection", "close");
    return send_answer(req);
}

static enum MHD_Result on_body(struct hale_http_req *req, const char *bytes, size_t *n)
{
    size_t len = *n;
    *n = 0;
    if (!answered(req)) {
        if (len <= req->max_body - req->body.len) {
            hale_buf_add(&req->body, bytes, len);
            if (!req->body.failed)
                return MHD_YES;
            hale_http_add_header(req, "Retry-After", "1");
            hale_http_refuse(req, 503, "Service Unavailable", "Out of memory.");
        } else {
            refuse_body(req);
        }
        req->discarded = req->body.len;
        hale_buf_fini(&req->body);
    }
    req->discarded += len;
    return req->discarded <= DISCARD_MAX_BYTES + req->max_body ? MHD_YES : MHD_NO;
}

/* The request is whole: let it be handled; keep the connection aside until the answer comes. */
static enum MHD_Result on_whole(struct hale_http_req *req)
{
    struct hale_http_server *s = req->server;
    req->started_us = hale_clock_wall_us();
    pthread_mutex_lock(&s->lock);
    req->state = HALE_HTTP_HANDLING;
    req->busy = true;
    s->busy++;
    pthread_mutex_unlock(&s->lock);
    s->o.handle(req, s->o.arg);

    if (answered(req))
        return send_answer(req);
    set_aside(req);
    return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version,
                                  const char *upload, size_t *upload_n, void **req_cls)
{
    struct hale_http_req *req = *req_cls;
    (void)cls;
    (void)version;
    if (req == NULL)
        return MHD_NO; /* out of memory */
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    if (req->conn == NULL) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        req->conn = conn;
        req->method = method;
        req->path = url;
        req->peer = info != NULL ? info->socket_context : NULL;
    }
    if (!req->headed && !answered(req))
        return on_head(req);
    if (*upload_n > 0)
        return on_body(req, upload, upload_n);
    return answered(req) ? send_answer(req) : on_whole(req);
}

/* --- connections ------------------------------------------------------------------------------ */

static void attach_tls(struct hale_http_server *s, struct hale_http_conn *c,
                       struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    c->tls = hale_http_tls_attach(s->tls, info->tls_session);
    pthread_mutex_unlock(&s->lock);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    struct hale_http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct hale_http_conn *gone = *ctx;
        atomic_fetch_sub(&s->connections, 1);
        if (gone != NULL)
            hale_http_tls_free(gone->tls);
        free(gone);
        *ctx = NULL;
        return;
    }
    unsigned n = atomic_fetch_add(&s->connections, 1) + 1;
    struct hale_http_conn *c = calloc(1, sizeof(*c));
    *ctx = c;
    if (c == NULL)
        return; /* its requests get 503; a handshake without certificates fails */
    if (s->secure)
        attach_tls(s, c, conn);
    c->over_limit = n > s->o.max_connections;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info != NULL ? info->client_addr : NULL;
    if (sa != NULL && sa->sa_family == AF_INET)
        (void)inet_ntop(AF_INET,
                        &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
                        c->peer, sizeof(c->peer));
    else if (sa != NULL && sa->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6,
                        &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
                        c->peer, sizeof(c->peer));
}

/* While the server stops, clients are turned away. Not by MHD_quiesce_daemon: it takes the listener
 * out of the epoll set in the caller's thread while libmicrohttpd's own does the same, and the one
 * that comes second ends the process. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *addr, socklen_t len)
{
    struct hale_http_server *s = cls;
    (void)addr;
    (void)len;
    return atomic_load(&s->stopping) ? MHD_NO : MHD_YES;
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
    char text[256];
    char quoted[320];
    (void)cls;
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\r\n")] = '\0';
    hale_info("event=http_library detail=%s",
              hale_log_quote(text, quoted, sizeof(quoted)));
}

/* --- life ------------------------------------------------------------------------------------- */

static struct MHD_Daemon *start_mhd(struct hale_http_server *s, bool v6)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG | (v6 ? MHD_USE_IPv6 : 0u) |
                     (s->secure ? MHD_USE_TLS : 0u);
    /* libmicrohttpd wants a source of certificates; ours come with each connection (attach_tls). */
    struct MHD_OptionItem tls[] = {
        {s->secure ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
         hale_http_tls_nothing()},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        flags, 0, on_accept, s, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
        s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
        (size_t)CONNECTION_GROW_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        s->o.max_connections + CONNECTIONS_TO_REFUSE, MHD_OPTION_CONNECTION_TIMEOUT,
        s->o.idle_timeout_s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static struct hale_http_server *server_new(const struct hale_http_server_options *o)
{
    struct hale_http_server *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;
    if (s == NULL)
        return NULL;
    s->magic = HALE_HTTP_SERVER_MAGIC;
    s->o = *o;
    s->o.listen = NULL; /* the caller's; not needed later */
    s->o.tls = NULL;
    s->secure = o->tls != NULL;
    s->tls = o->tls;
    if (s->o.idle_timeout_s == 0)
        s->o.idle_timeout_s = IDLE_DEFAULT_S;
    s->listen_fd = s->watch_epoll = s->watch_wake = -1;
    HALE_ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
    HALE_ASSERT(pthread_condattr_init(&attr) == 0);
    HALE_ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    HALE_ASSERT(pthread_cond_init(&s->changed, &attr) == 0);
    HALE_ASSERT(pthread_condattr_destroy(&attr) == 0);
    return s;
}

void hale_http_server_destroy(struct hale_http_server *s)
{
    hale_http_watch_stop(s);
    if (s->mhd != NULL)
        MHD_stop_daemon(s->mhd);
    if (s->watch_epoll >= 0)
        (void)close(s->watch_epoll);
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    hale_http_tls_free(s->tls);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    s->magic = 0;
    free(s);
}

enum hale_rc hale_http_server_start(const struct hale_http_server_options *o,
                                    struct hale_http_server **out, struct hale_err *err)
{
    bool v6 = false;
    HALE_ASSERT(o->handle != NULL);
    *out = NULL;
    if (o->max_connections < 1 || o->max_connections > CONNECTIONS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "max_connections must be 1..%d",
                            CONNECTIONS_MAX);
    struct hale_http_server *s = server_new(o);
    if (s == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = hale_http_listen(o->listen, &s->listen_fd, &v6, err);
    if (rc == HALE_OK) {
        s->port = hale_http_listen_port(s->listen_fd);
        s->mhd = start_mhd(s, v6);
        if (s->mhd == NULL)
            rc = hale_err_set(err, HALE_E_IO, "cannot start the HTTP server on %s",
                              o->listen);
        else
            s->listen_fd = -1; /* MHD_stop_daemon closes it */
    }
    if (rc != HALE_OK) {
        s->tls = NULL; /* stays the caller's */
        hale_http_server_destroy(s);
        return rc;
    }
    *out = s;
    return HALE_OK;
}

void hale_http_server_set_tls(struct hale_http_server *s, struct hale_http_tls *tls)
{
    HALE_CHECK(s, HALE_HTTP_SERVER_MAGIC);
    HALE_ASSERT(s->secure && tls != NULL);
    pthread_mutex_lock(&s->lock);
    struct hale_http_tls *old = s->tls;
    s->tls = tls;
    pthread_mutex_unlock(&s->lock);
    hale_http_tls_free(old);
}

unsigned hale_http_server_port(const struct hale_http_server *s)
{
    HALE_CHECK(s, HALE_HTTP_SERVER_MAGIC);
    return s->port;
}

/* Caller holds s->lock. Waits until at most `busy` requests and `kept` kept ones are left. */
static void wait_down_to(struct hale_http_server *s, unsigned busy, unsigned kept,
                         int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000,
                             .tv_nsec = (deadline_ms % 1000) * 1000000};
    while (s->busy > busy || s->n_kept > kept)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            break;
}

/* Caller holds s->lock. The handler still owns these requests, so MHD may not end them; the
 * clients are told on the bare socket, which nobody else uses while the connection is suspended. */
static void tell_kept(struct hale_http_server *s)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    for (struct hale_http_req *req = s->kept; req != NULL; req = req->kept_next) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info == NULL)
            continue;
        if (!s->secure)
            (void)send(info->connect_fd, text, sizeof(text) - 1,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(info->connect_fd, SHUT_RDWR);
    }
}

void hale_http_server_stop(struct hale_http_server *s)
{
    if (s == NULL)
        return;
    HALE_CHECK(s, HALE_HTTP_SERVER_MAGIC);
    int64_t now = hale_clock_mono_ms();
    atomic_store(&s->stopping, true);
    hale_http_streams_stop(s);
    pthread_mutex_lock(&s->lock);
    wait_down_to(s, UINT32_MAX, 0, now + STOP_KEPT_MS);
    tell_kept(s);
    wait_down_to(s, s->n_kept, s->n_kept, now + STOP_DEADLINE_MS);
    /* Pointers into a kept request stay valid until it is answered: the last late answer frees
     * the server. */
    s->orphaned = s->kept != NULL;
    bool orphaned = s->orphaned;
    pthread_mutex_unlock(&s->lock);
    if (orphaned)
        hale_warn("event=http_stop_unanswered detail=\"handlers still hold requests\"");
    else
        hale_http_server_destroy(s);
}
