/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/http_private.h"

#define STREAM_BLOCK_BYTES (32 * 1024)
#define HEADERS_MAX        64

/* --- reading a request ------------------------------------------------------------------------ */

const char *hale_http_method(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->method;
}

const char *hale_http_path(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->path;
}

const char *hale_http_header(const struct hale_http_req *req, const char *name)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

struct query_walk {
    const char *name;  /* wanted, NULL = all */
    const char *value; /* found */
    void (*each)(const char *name, const char *value, void *arg);
    void *arg;
};

static enum MHD_Result query_step(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct query_walk *w = cls;
    (void)kind;
    if (w->name == NULL) {
        w->each(name, value != NULL ? value : "", w->arg);
        return MHD_YES;
    }
    if (value == NULL || value[0] == '\0' || strcmp(name, w->name) != 0)
        return MHD_YES;
    w->value = value;
    return MHD_NO;
}

const char *hale_http_query(const struct hale_http_req *req, const char *name)
{
    struct query_walk w = {.name = name};
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    (void)MHD_get_connection_values(req->conn, MHD_GET_ARGUMENT_KIND, query_step, &w);
    return w.value;
}

void hale_http_query_each(const struct hale_http_req *req,
                          void (*each)(const char *name, const char *value, void *arg),
                          void *arg)
{
    struct query_walk w = {.each = each, .arg = arg};
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    (void)MHD_get_connection_values(req->conn, MHD_GET_ARGUMENT_KIND, query_step, &w);
}

const char *hale_http_raw_query(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->raw_query;
}

struct hale_str hale_http_body(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return hale_buf_str(&req->body);
}

void hale_http_replace_body(struct hale_http_req *req, struct hale_buf *b)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    hale_buf_fini(&req->body);
    req->body = *b;
    *b = (struct hale_buf){.max = b->max};
}

const char *hale_http_peer(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->peer != NULL ? req->peer->peer : "";
}

bool hale_http_secure(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->server->secure;
}

int64_t hale_http_started_us(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->started_us;
}

void hale_http_set_user(struct hale_http_req *req, void *user, void (*free_fn)(void *))
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    if (req->user != NULL && req->user_free != NULL && req->user != user)
        req->user_free(req->user);
    req->user = user;
    req->user_free = free_fn;
}

void *hale_http_user(const struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    return req->user;
}

void hale_http_set_max_body(struct hale_http_req *req, size_t bytes)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    HALE_ASSERT(req->body.len == 0 && bytes < SIZE_MAX);
    req->max_body = bytes;
    req->body.max = bytes > 0 ? bytes : 1;
}

/* --- answering -------------------------------------------------------------------------------- */

void hale_http_add_header(struct hale_http_req *req, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    struct hale_http_header *h = NULL;
    if (req->n_headers < HEADERS_MAX)
        h = malloc(sizeof(*h) + name_len + value_len + 2);
    if (h == NULL) {
        hale_warn("event=http_header_dropped name=%.40s", name);
        return;
    }
    h->name = (char *)(h + 1);
    h->value = h->name + name_len + 1;
    memcpy(h->name, name, name_len + 1);
    memcpy(h->value, value, value_len + 1);
    h->next = NULL;
    *req->headers_end = h;
    req->headers_end = &h->next;
    req->n_headers++;
}

static void set_headers(struct hale_http_req *req, struct MHD_Response *response,
                        const char *content_type)
{
    if (content_type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", content_type);
    for (struct hale_http_header *h = req->headers; h != NULL; h = h->next)
        if (MHD_add_response_header(response, h->name, h->value) != MHD_YES)
            hale_warn("event=http_header_refused name=%.40s", h->name);
    if (atomic_load_explicit(&req->server->stopping, memory_order_relaxed))
        (void)MHD_add_response_header(response, "Connection", "close");
}

static void keep_unlink(struct hale_http_server *s, struct hale_http_req *req)
{
    if (req->kept_prev != NULL)
        req->kept_prev->kept_next = req->kept_next;
    else
        s->kept = req->kept_next;
    if (req->kept_next != NULL)
        req->kept_next->kept_prev = req->kept_prev;
    s->n_kept--;
}

/* Caller holds s->lock and let go of the last request that a stopped server waited for. */
static bool last_orphan(const struct hale_http_server *s)
{
    return s->orphaned && s->kept == NULL;
}

void hale_http_head_later(struct hale_http_req *req)
{
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    pthread_mutex_lock(&req->server->lock);
    HALE_ASSERT(req->state == HALE_HTTP_HEAD && !req->later);
    req->later = true;
    if (!req->busy)
        req->server->busy++;
    req->busy = true;
    pthread_mutex_unlock(&req->server->lock);
}

void hale_http_head_again(struct hale_http_req *req)
{
    struct hale_http_server *s = req->server;
    bool last = false;
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    pthread_mutex_lock(&s->lock);
    HALE_ASSERT(req->later && !req->again);
    if (req->state == HALE_HTTP_KEPT) {
        keep_unlink(s, req);
        req->later = false;
        req->state = HALE_HTTP_HEAD;
        MHD_resume_connection(req->conn);
        last = last_orphan(s);
        pthread_cond_broadcast(&s->changed);
    } else {
        req->again = true; /* MHD's thread sees it when it sets the connection aside */
    }
    pthread_mutex_unlock(&s->lock);
    if (last)
        hale_http_server_destroy(s);
}

void hale_http_finish(struct hale_http_req *req, unsigned status,
                      struct MHD_Response *response)
{
    struct hale_http_server *s = req->server;
    bool last = false;
    pthread_mutex_lock(&s->lock);
    HALE_ASSERT(req->state != HALE_HTTP_ANSWERED); /* exactly one answer */
    bool kept = req->state == HALE_HTTP_KEPT;
    req->state = HALE_HTTP_ANSWERED;
    req->response = response;
    req->status = status;
    if (kept) {
        keep_unlink(s, req);
        /* From here MHD's thread may end the request: req is not touched any more. The server
         * cannot go away before the lock is released. */
        MHD_resume_connection(req->conn);
        last = last_orphan(s);
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (last)
        hale_http_server_destroy(s);
}

/* Takes body (malloc'd; may be NULL when n is 0). response NULL makes MHD's thread cut the
 * connection: out of memory. */
static void reply_owned(struct hale_http_req *req, unsigned status,
                        const char *content_type, char *body, size_t n)
{
    struct MHD_Response *response;
    if (content_type == NULL || n == 0) {
        static char empty[1];
        free(body);
        response = MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_buffer(n, body, MHD_RESPMEM_MUST_FREE);
        if (response == NULL)
            free(body);
    }
    if (response != NULL)
        set_headers(req, response, content_type);
    hale_http_finish(req, status, response);
}

void hale_http_reply(struct hale_http_req *req, unsigned status, const char *content_type,
                     struct hale_str body)
{
    char *copy = NULL;
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    if (content_type != NULL && body.len > 0) {
        copy = malloc(body.len);
        if (copy == NULL) {
            hale_http_finish(req, status, NULL);
            return;
        }
        memcpy(copy, body.p, body.len);
    }
    reply_owned(req, status, content_type, copy, copy != NULL ? body.len : 0);
}

void hale_http_reply_buf(struct hale_http_req *req, unsigned status,
                         const char *content_type, struct hale_buf *b)
{
    size_t n = b->len;
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    if (b->failed) { /* half an answer is worse than none */
        hale_error("event=http_answer_too_large bytes=%zu", n);
        hale_buf_fini(b);
        hale_http_refuse(req, 500, "Internal Server Error",
                         "the answer did not fit its buffer");
        return;
    }
    reply_owned(req, status, content_type, n > 0 ? hale_buf_take(b) : NULL, n);
}

void hale_http_refuse(struct hale_http_req *req, unsigned status, const char *title,
                      const char *description)
{
    struct hale_buf b;
    hale_buf_init(&b, 2048);
    hale_buf_add_c(&b, "{\"title\":");
    hale_buf_add_json(&b, hale_str_from(title));
    hale_buf_add_c(&b, ",\"description\":");
    hale_buf_add_json(&b, hale_str_from(description));
    hale_buf_printf(&b, ",\"code\":%u,\"message\":", status);
    hale_buf_add_json(&b, hale_str_from(description));
    hale_buf_add_char(&b, '}');
    size_t n = b.len;
    bool failed = b.failed;
    char *body = failed ? NULL : hale_buf_take(&b);
    hale_buf_fini(&b);
    reply_owned(req, status, failed ? NULL : "application/json", body, failed ? 0 : n);
}

/* --- streams: MHD's side ---------------------------------------------------------------------- */

static void stream_unref(struct hale_http_stream *st)
{
    pthread_mutex_lock(&st->lock);
    HALE_ASSERT(st->refs > 0);
    bool last = --st->refs == 0;
    pthread_mutex_unlock(&st->lock);
    if (!last)
        return;
    hale_buf_fini(&st->queue);
    pthread_mutex_destroy(&st->lock);
    st->magic = 0;
    free(st);
}

static void stream_release(void *cls)
{
    stream_unref(cls);
}

/* MHD wants up to max bytes. Suspends the connection when there are none. */
static ssize_t stream_read(void *cls, uint64_t pos, char *dst, size_t max)
{
    struct hale_http_stream *st = cls;
    ssize_t result = 0;
    (void)pos;
    HALE_CHECK(st, HALE_HTTP_STREAM_MAGIC);
    pthread_mutex_lock(&st->lock);
    size_t left = st->queue.len - st->taken;
    if (st->gone || st->conn == NULL) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (left > 0) {
        size_t n = left < max ? left : max;
        memcpy(dst, st->queue.p + st->taken, n);
        st->taken += n;
        if (st->taken == st->queue.len) {
            hale_buf_reset(&st->queue);
            st->taken = 0;
        }
        result = (ssize_t)n;
    } else if (st->closed) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(st->conn);
        st->suspended = true;
    }
    pthread_mutex_unlock(&st->lock);
    return result;
}

/* Caller holds st->lock. */
static void stream_wake(struct hale_http_stream *st)
{
    if (!st->suspended)
        return;
    st->suspended = false;
    MHD_resume_connection(st->conn);
}

/* Caller holds st->lock. A blocked connection is woken by its socket's end. */
static void stream_cut(struct hale_http_stream *st)
{
    st->gone = true;
    if (st->fd >= 0)
        (void)shutdown(st->fd, SHUT_RDWR);
    stream_wake(st);
}

void hale_http_stream_detach(struct hale_http_server *s, struct hale_http_stream *st)
{
    pthread_mutex_lock(&s->lock);
    if (st->prev != NULL)
        st->prev->next = st->next;
    else
        s->streams = st->next;
    if (st->next != NULL)
        st->next->prev = st->prev;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&st->lock);
    if (s->watch_epoll >= 0 && st->fd >= 0)
        (void)epoll_ctl(s->watch_epoll, EPOLL_CTL_DEL, st->fd, NULL);
    st->gone = true;
    st->suspended = false;
    st->conn = NULL;
    st->fd = -1;
    pthread_mutex_unlock(&st->lock);
    stream_unref(st);
}

/* --- streams: noticing that a client left ----------------------------------------------------- */

/* A suspended connection is not in MHD's epoll set, so a client that leaves an idle stream would
 * stay unnoticed until the next write. This thread watches only for the end of the peer. */
static void *watch_run(void *arg)
{
    struct hale_http_server *s = arg;
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(s->watch_epoll, events, 64, -1);
        if (n < 0 && errno != EINTR)
            return NULL;
        pthread_mutex_lock(&s->lock);
        for (int i = 0; i < n; i++) {
            struct hale_http_stream *st = s->streams;
            if (events[i].data.u64 == 0) {
                pthread_mutex_unlock(&s->lock);
                return NULL;
            }
            while (st != NULL && st->id != events[i].data.u64)
                st = st->next;
            if (st == NULL)
                continue;
            pthread_mutex_lock(&st->lock);
            stream_cut(st);
            pthread_mutex_unlock(&st->lock);
        }
        pthread_mutex_unlock(&s->lock);
    }
}

/* Caller holds s->lock. Without the watcher streams still work; leaving is noticed later. */
static void watch_start(struct hale_http_server *s)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};
    if (s->watch_epoll >= 0)
        return;
    s->watch_epoll = epoll_create1(EPOLL_CLOEXEC);
    s->watch_wake = eventfd(0, EFD_CLOEXEC);
    if (s->watch_epoll >= 0 && s->watch_wake >= 0 &&
        epoll_ctl(s->watch_epoll, EPOLL_CTL_ADD, s->watch_wake, &ev) == 0 &&
        pthread_create(&s->watcher, NULL, watch_run, s) == 0)
        return;
    hale_warn("event=http_watch_failed errno=%d", errno);
    if (s->watch_epoll >= 0)
        (void)close(s->watch_epoll);
    if (s->watch_wake >= 0)
        (void)close(s->watch_wake);
    s->watch_epoll = s->watch_wake = -1;
}

void hale_http_watch_stop(struct hale_http_server *s)
{
    uint64_t one = 1;
    if (s->watch_epoll < 0)
        return;
    HALE_ASSERT(write(s->watch_wake, &one, sizeof(one)) == (ssize_t)sizeof(one));
    pthread_join(s->watcher, NULL);
    (void)close(s->watch_wake);
}

void hale_http_streams_stop(struct hale_http_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct hale_http_stream *st = s->streams; st != NULL; st = st->next) {
        pthread_mutex_lock(&st->lock);
        st->closed = true;
        stream_wake(st);
        pthread_mutex_unlock(&st->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- streams: the handler's side -------------------------------------------------------------- */

static struct hale_http_stream *stream_new(size_t max_queued_bytes)
{
    struct hale_http_stream *st = hale_xcalloc(1, sizeof(*st));
    st->magic = HALE_HTTP_STREAM_MAGIC;
    st->fd = -1;
    st->refs = 1;
    st->max_queued = max_queued_bytes;
    hale_buf_init(&st->queue, max_queued_bytes);
    HALE_ASSERT(pthread_mutex_init(&st->lock, NULL) == 0);
    return st;
}

struct hale_http_stream *hale_http_stream_begin(struct hale_http_req *req,
                                                const char *content_type,
                                                size_t max_queued_bytes)
{
    struct hale_http_server *s = req->server;
    struct hale_http_stream *st = stream_new(max_queued_bytes);
    HALE_CHECK(req, HALE_HTTP_REQ_MAGIC);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, st, stream_release);
    if (response == NULL) { /* the handle is dead from the start; the connection is cut */
        st->gone = true;
        hale_http_finish(req, 200, NULL);
        return st;
    }
    set_headers(req, response, content_type);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    st->conn = req->conn;
    st->fd = info != NULL ? info->connect_fd : -1;
    st->refs = 3;
    req->stream = st;
    pthread_mutex_lock(&s->lock);
    watch_start(s);
    st->id = ++s->stream_ids;
    st->next = s->streams;
    if (st->next != NULL)
        st->next->prev = st;
    s->streams = st;
    if (atomic_load_explicit(&s->stopping, memory_order_relaxed))
        st->closed = true;
    if (s->watch_epoll >= 0 && st->fd >= 0) {
        struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = st->id};
        if (epoll_ctl(s->watch_epoll, EPOLL_CTL_ADD, st->fd, &ev) != 0)
            hale_warn("event=http_watch_failed errno=%d", errno);
    }
    pthread_mutex_unlock(&s->lock);
    hale_http_finish(req, 200, response);
    return st;
}

enum hale_rc hale_http_stream_write(struct hale_http_stream *st, struct hale_str bytes)
{
    enum hale_rc rc = HALE_OK;
    HALE_CHECK(st, HALE_HTTP_STREAM_MAGIC);
    pthread_mutex_lock(&st->lock);
    if (st->gone || st->closed) {
        rc = HALE_E_CLOSED;
    } else {
        if (st->taken > 0 && bytes.len > st->max_queued - st->queue.len) {
            hale_buf_consume(&st->queue, st->taken);
            st->taken = 0;
        }
        hale_buf_add_str(&st->queue, bytes);
        if (st->queue.failed) {
            stream_cut(st);
            rc = HALE_E_CLOSED;
        } else if (bytes.len > 0) {
            stream_wake(st);
        }
    }
    pthread_mutex_unlock(&st->lock);
    return rc;
}

void hale_http_stream_close(struct hale_http_stream *st)
{
    HALE_CHECK(st, HALE_HTTP_STREAM_MAGIC);
    pthread_mutex_lock(&st->lock);
    st->closed = true;
    stream_wake(st);
    pthread_mutex_unlock(&st->lock);
    stream_unref(st);
}
