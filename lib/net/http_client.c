/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "net/http_client_private.h"

#define LOCATION_MAX 512
#define START_ROUNDS 4 /* connect, TLS or head, body, reserve */
#define START_FDS    4 /* sockets of one call: happy eyeballs, resolver */

/* --- curl asks us to watch sockets and time --------------------------------------------------- */

static unsigned find_fd(const struct hale_http_client *c, curl_socket_t fd)
{
    unsigned i = 0;
    while (i < c->n_fds && c->fds[i].fd != fd)
        i++;
    return i;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct hale_http_client *c = arg;
    unsigned i = find_fd(c, fd);
    (void)easy;
    (void)socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (i < c->n_fds)
            c->fds[i] = c->fds[--c->n_fds];
        return 0;
    }
    if (i == c->n_fds) {
        if (c->n_fds == c->fds_cap) {
            HALE_ASSERT(c->fds_cap > 0);
            unsigned cap = c->fds_cap * 2;
            struct pollfd *grown = realloc(c->fds, cap * sizeof(*grown));
            if (grown == NULL) {
                c->no_memory = true;
                return -1;
            }
            c->fds = grown;
            c->fds_cap = cap;
        }
        c->n_fds++;
    }
    short events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= POLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= POLLOUT;
    c->fds[i] = (struct pollfd){.fd = fd, .events = events};
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct hale_http_client *c = arg;
    (void)multi;
    c->timer_at_ms = timeout_ms < 0 ? -1 : hale_clock_mono_ms() + timeout_ms;
    return 0;
}

static void unlink_call(struct hale_http_client *c, struct hale_http_job *call)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        c->calls = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    c->active--;
}

/* --- life ------------------------------------------------------------------------------------- */

static void init_curl(void)
{
    HALE_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct hale_http_client *hale_http_client_new(unsigned max_calls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    HALE_ASSERT(max_calls > 0);
    struct hale_http_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->magic = HALE_HTTP_CLIENT_MAGIC;
    c->max_calls = max_calls;
    c->timer_at_ms = -1;
    hale_buf_init(&c->shape, HALE_HTTP_SHAPE_MAX);
    c->fds_cap = 16;
    c->fds = calloc(c->fds_cap, sizeof(*c->fds));
    c->multi = curl_multi_init();
    bool ok =
        c->fds != NULL && c->multi != NULL &&
        curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
        curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, (void *)c) == CURLM_OK &&
        curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
        curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, (void *)c) == CURLM_OK &&
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS,
                          (long)(max_calls > 16 ? max_calls : 16)) == CURLM_OK;
    if (!ok) {
        hale_http_client_free(c);
        return NULL;
    }
    return c;
}

void hale_http_client_free(struct hale_http_client *c)
{
    if (c == NULL)
        return;
    HALE_CHECK(c, HALE_HTTP_CLIENT_MAGIC);
    HALE_ASSERT(!c->in_poll);
    while (c->calls != NULL)
        hale_http_client_cancel(c, c->calls->id);
    hale_http_job_drop_idle(c);
    hale_buf_fini(&c->shape);
    if (c->multi != NULL)
        (void)curl_multi_cleanup(c->multi);
    free(c->fds);
    free(c->wait);
    c->magic = 0;
    free(c);
}

unsigned hale_http_client_active(const struct hale_http_client *c)
{
    HALE_CHECK(c, HALE_HTTP_CLIENT_MAGIC);
    return c->active;
}

static void kick(struct hale_http_client *c)
{
    int running;
    c->timer_at_ms = -1;
    (void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void dispatch(struct hale_http_client *c, const struct pollfd *ready, unsigned n)
{
    int running;
    for (unsigned i = 0; i < n; i++) {
        int mask = 0;
        if (ready[i].revents == 0)
            continue;
        if (ready[i].revents & POLLIN)
            mask |= CURL_CSELECT_IN;
        if (ready[i].revents & POLLOUT)
            mask |= CURL_CSELECT_OUT;
        if (ready[i].revents & (POLLERR | POLLHUP | POLLNVAL))
            mask |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
        (void)curl_multi_socket_action(c->multi, ready[i].fd, mask, &running);
    }
    if (c->timer_at_ms >= 0 && c->timer_at_ms <= hale_clock_mono_ms())
        kick(c);
}

/* Nothing is left to write: what comes next is the answer. */
static bool is_out(const struct hale_http_client *c, CURL *easy, unsigned first_fd)
{
    long request_size = 0;
    for (unsigned i = first_fd; i < c->n_fds; i++)
        if ((c->fds[i].events & POLLOUT) != 0)
            return false;
    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_size);
    return request_size > 0;
}

/* Drives the sockets that came with a new call as far as they go without waiting: a connection to
 * a near server is made and the request written before start returns. */
static void push(struct hale_http_client *c, CURL *easy, unsigned first_fd)
{
    for (int round = 0; round < START_ROUNDS; round++) {
        struct pollfd ready[START_FDS];
        unsigned n = c->n_fds > first_fd ? c->n_fds - first_fd : 0;
        if (n == 0 || n > START_FDS || is_out(c, easy, first_fd))
            return;
        memcpy(ready, c->fds + first_fd, n * sizeof(*ready));
        if (poll(ready, n, 0) <= 0)
            return;
        dispatch(c, ready, n);
    }
}

enum hale_rc hale_http_client_start(struct hale_http_client *c,
                                    const struct hale_http_call *from,
                                    hale_http_done done, void *arg, uint64_t *id_out)
{
    struct hale_http_job *call = NULL;
    HALE_CHECK(c, HALE_HTTP_CLIENT_MAGIC);
    if (c->active >= c->max_calls)
        return HALE_E_LIMIT;
    enum hale_rc rc = hale_http_job_new(c, from, &call);
    return rc == HALE_OK ? hale_http_job_start(c, call, done, arg, id_out) : rc;
}

enum hale_rc hale_http_job_start(struct hale_http_client *c, struct hale_http_job *call,
                                 hale_http_done done, void *arg, uint64_t *id_out)
{
    call->done = done;
    call->arg = arg;
    call->id = ++c->ids;
    call->start_us = hale_clock_mono_us();
    if (curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) {
        hale_http_job_free(call);
        return HALE_E_NOMEM;
    }
    call->next = c->calls;
    if (call->next != NULL)
        call->next->prev = call;
    c->calls = call;
    c->active++;
    if (id_out != NULL)
        *id_out = call->id;
    unsigned known = c->n_fds;
    kick(c); /* the request leaves now, not at the next poll */
    push(c, call->easy, known);
    return HALE_OK;
}

void hale_http_client_cancel(struct hale_http_client *c, uint64_t id)
{
    HALE_CHECK(c, HALE_HTTP_CLIENT_MAGIC);
    for (struct hale_http_job *call = c->calls; call != NULL; call = call->next) {
        if (call->id != id)
            continue;
        (void)curl_multi_remove_handle(c->multi, call->easy);
        unlink_call(c, call);
        hale_http_job_free(call);
        return;
    }
}

/* --- finishing -------------------------------------------------------------------------------- */

static enum hale_rc result_rc(const struct hale_http_job *call, CURLcode code)
{
    if (call->too_large)
        return HALE_E_LIMIT;
    if (call->bad_url)
        return HALE_E_INVAL;
    if (call->denied && code != CURLE_OK)
        return HALE_E_DENIED;
    if (code == CURLE_OK)
        return HALE_OK;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return HALE_E_AGAIN;
    if (code == CURLE_OUT_OF_MEMORY)
        return HALE_E_NOMEM;
    if (code == CURLE_URL_MALFORMAT)
        return HALE_E_INVAL;
    return HALE_E_IO;
}

static void finish(struct hale_http_client *c, struct hale_http_job *call, CURLcode code)
{
    long status = 0;
    long request_size = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_size);
    struct hale_http_result r = {
        .rc = result_rc(call, code),
        .sent = request_size > 0,
        .status = (unsigned)status,
        .body = hale_buf_str(&call->body),
        .headers = hale_buf_str(&call->head),
        .took_us = hale_clock_mono_us() - call->start_us,
        .error = "",
    };
    if (r.rc == HALE_E_LIMIT)
        r.error = "the response is larger than allowed";
    else if (r.rc == HALE_E_DENIED)
        r.error = "the address is loopback, link-local or multicast";
    else if (r.rc != HALE_OK)
        r.error = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
    (void)curl_multi_remove_handle(c->multi, call->easy);
    unlink_call(c, call);
    if (call->done != NULL)
        call->done(&r, call->arg);
    hale_http_job_free(call);
}

static unsigned finish_ready(struct hale_http_client *c)
{
    unsigned n = 0;
    int left;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        char *owner = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &owner);
        struct hale_http_job *call = (struct hale_http_job *)(void *)owner;
        HALE_CHECK(call, HALE_HTTP_JOB_MAGIC);
        finish(c, call, code);
        n++;
    }
    return n;
}

/* --- the loop --------------------------------------------------------------------------------- */

static bool gather(struct hale_http_client *c, const struct pollfd *extra,
                   unsigned n_extra)
{
    unsigned need = n_extra + c->n_fds;
    if (need > c->wait_cap) {
        struct pollfd *grown = realloc(c->wait, (size_t)need * 2 * sizeof(*grown));
        if (grown == NULL)
            return false;
        c->wait = grown;
        c->wait_cap = need * 2;
    }
    if (n_extra > 0)
        memcpy(c->wait, extra, n_extra * sizeof(*extra));
    if (c->n_fds > 0)
        memcpy(c->wait + n_extra, c->fds, c->n_fds * sizeof(*c->fds));
    return true;
}

static int wait_ms(const struct hale_http_client *c, int timeout_ms)
{
    if (c->timer_at_ms < 0)
        return timeout_ms;
    int64_t left = c->timer_at_ms - hale_clock_mono_ms();
    if (left < 0)
        left = 0;
    if (left > INT32_MAX)
        left = INT32_MAX;
    return timeout_ms < 0 || left < timeout_ms ? (int)left : timeout_ms;
}

enum hale_rc hale_http_client_poll(struct hale_http_client *c, struct pollfd *extra,
                                   unsigned n_extra, int timeout_ms)
{
    HALE_CHECK(c, HALE_HTTP_CLIENT_MAGIC);
    HALE_ASSERT(!c->in_poll); /* callbacks may start and cancel calls, not poll */
    c->in_poll = true;
    if (finish_ready(c) > 0) /* some ended while they were started */
        timeout_ms = 0;
    bool ok = gather(c, extra, n_extra);
    unsigned n_fds = c->n_fds;
    int n = 0;
    if (ok)
        n = poll(c->wait, n_extra + n_fds, wait_ms(c, timeout_ms));
    bool failed = !ok || (n < 0 && errno != EINTR);
    for (unsigned i = 0; i < n_extra; i++)
        extra[i].revents = n > 0 ? c->wait[i].revents : 0;
    if (!failed) {
        dispatch(c, n > 0 ? c->wait + n_extra : NULL, n > 0 ? n_fds : 0);
        (void)finish_ready(c);
    }
    failed = failed || c->no_memory;
    c->no_memory = false;
    c->in_poll = false;
    return failed ? HALE_E_NOMEM : HALE_OK;
}

/* --- one call, waiting ------------------------------------------------------------------------- */

struct sync_call {
    struct hale_http_result *r;
    struct hale_buf *body;
    char *location;
    bool done;
};

static void sync_done(const struct hale_http_result *r, void *arg)
{
    static _Thread_local char error[CURL_ERROR_SIZE]; /* outlives the client */
    struct sync_call *s = arg;
    struct hale_str location = hale_http_result_header(r, "Location");
    *s->r = *r;
    (void)snprintf(error, sizeof(error), "%s", r->error);
    s->r->error = error;
    if (s->body != NULL) {
        hale_buf_add_str(s->body, r->body);
        if (s->body->failed && s->r->rc == HALE_OK) {
            s->r->rc = HALE_E_LIMIT;
            s->r->error = "the response is larger than allowed";
        }
    }
    if (s->location != NULL && location.len < LOCATION_MAX && location.len > 0) {
        memcpy(s->location, location.p, location.len);
        s->location[location.len] = '\0';
    }
    s->r->body = s->r->headers = (struct hale_str){NULL, 0};
    s->done = true;
}

enum hale_rc hale_http_call_sync(const struct hale_http_call *call,
                                 struct hale_http_result *r, struct hale_buf *body_out,
                                 char *location_out)
{
    struct sync_call s = {.r = r, .body = body_out, .location = location_out};
    *r = (struct hale_http_result){.rc = HALE_E_NOMEM, .error = "out of memory"};
    if (location_out != NULL)
        location_out[0] = '\0';
    struct hale_http_client *c = hale_http_client_new(1);
    if (c == NULL)
        return r->rc;
    enum hale_rc rc = hale_http_client_start(c, call, sync_done, &s, NULL);
    while (rc == HALE_OK && !s.done)
        rc = hale_http_client_poll(c, NULL, 0, -1);
    hale_http_client_free(c);
    if (rc != HALE_OK) {
        r->rc = rc;
        r->error = hale_rc_text(rc);
    }
    return r->rc;
}
