/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/managers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "actuator/lookup.h"
#include "actuator/snmp.h"
#include "base/clock.h"

#define EVENTS 64

enum way { IDLE, LOOKS_UP, CONNECTS, TELLS, ENDED };

struct manager {
    const struct actuator_snmp_conf *conf;
    enum way way;
    uint64_t id; /* of the call */
    char *body;
    size_t len;
    int64_t deadline_ms; /* monotonic */
    int64_t started_us;
    int64_t timeout_ms;
    hale_http_done done;
    void *arg;
    uint64_t lookup;
    unsigned failures; /* in a row: which address is next */
    int fd;            /* while it connects, else -1 */
    struct actuator_snmp *snmp;
    enum hale_rc rc; /* ENDED without a session's word */
    char error[256];
    struct manager *next;
};
struct actuator_managers {
    int epoll, wake, timer;
    struct actuator_lookup *lookup;
    struct manager *all;
    uint64_t ids;
};

static int64_t
    first_ms; /* of this process: what sysUpTime counts from, also over a reload */

/* --- life ---------------------------------------------------------------------------- */

static void drop_session(struct manager *x)
{
    if (x->fd >= 0)
        (void)close(x->fd);
    x->fd = -1;
    actuator_snmp_close(x->snmp); /* closing a descriptor takes it out of epoll */
    x->snmp = NULL;
}

static bool watch(const struct actuator_managers *m, int fd, void *who, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = who};
    return epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

struct actuator_managers *actuator_managers_new(void)
{
    struct actuator_managers *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    if (first_ms == 0)
        first_ms = hale_clock_mono_ms();
    m->lookup = actuator_lookup_new();
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m->lookup != NULL && m->epoll >= 0 && m->wake >= 0 && m->timer >= 0 &&
        watch(m, m->wake, &m->wake, EPOLLIN) && watch(m, m->timer, &m->timer, EPOLLIN) &&
        watch(m, actuator_lookup_fd(m->lookup), m->lookup, EPOLLIN))
        return m;
    actuator_managers_free(m);
    return NULL;
}

void actuator_managers_free(struct actuator_managers *m)
{
    if (m == NULL)
        return;
    while (m->all != NULL) {
        struct manager *x = m->all;
        m->all = x->next;
        drop_session(x);
        free(x->body);
        free(x);
    }
    actuator_lookup_free(m->lookup);
    if (m->epoll >= 0)
        (void)close(m->epoll);
    if (m->wake >= 0)
        (void)close(m->wake);
    if (m->timer >= 0)
        (void)close(m->timer);
    free(m);
}

static struct manager *manager_of(struct actuator_managers *m,
                                  const struct actuator_snmp_conf *conf)
{
    struct manager *x = m->all;
    while (x != NULL && x->conf != conf)
        x = x->next;
    if (x != NULL || (x = calloc(1, sizeof(*x))) == NULL)
        return x;
    x->conf = conf;
    x->fd = -1;
    x->next = m->all;
    m->all = x;
    return x;
}

static void wake(const struct actuator_managers *m)
{
    const uint64_t one = 1;
    if (write(m->wake, &one, sizeof(one)) != sizeof(one))
        return; /* it is readable already */
}

/* --- a call on its way ------------------------------------------------------------------ */

static void fail(struct manager *x, enum hale_rc rc, const char *what, const char *why)
{
    x->way = ENDED;
    x->rc = rc;
    (void)snprintf(x->error, sizeof(x->error), "%s%s%s", what, why[0] != '\0' ? ": " : "",
                   why);
}

static void tell(struct manager *x)
{
    struct hale_http_result r;
    int64_t cs = (hale_clock_mono_ms() - first_ms) / 10;
    x->way = TELLS;
    actuator_snmp_send(x->snmp, (struct hale_str){x->body, x->len}, (uint32_t)cs);
    if (actuator_snmp_result(x->snmp, &r))
        fail(x, r.rc, r.error, "");
}

/* fd is connected. */
static void open_session(struct actuator_managers *m, struct manager *x, int fd)
{
    x->fd = -1;
    (void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
    x->snmp = actuator_snmp_open(x->conf, fd);
    if (x->snmp == NULL || !watch(m, fd, x, EPOLLIN))
        fail(x, HALE_E_NOMEM, "no session", "libsnmp or memory");
    else
        tell(x);
}

static void dial(struct actuator_managers *m, struct manager *x,
                 const struct actuator_address *to)
{
    int type = (x->conf->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(to->addr.ss_family, type, 0);
    if (fd < 0) {
        fail(x, HALE_E_IO, "no socket", strerrordesc_np(errno));
        return;
    }
    if (connect(fd, (const struct sockaddr *)&to->addr, to->len) == 0) {
        open_session(m, x, fd);
    } else if (errno == EINPROGRESS && watch(m, fd, x, EPOLLOUT)) {
        x->way = CONNECTS;
        x->fd = fd;
    } else {
        fail(x, HALE_E_IO, "no connection", strerrordesc_np(errno));
        (void)close(fd);
    }
}

static void connected(struct actuator_managers *m, struct manager *x)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0)
        open_session(m, x, x->fd);
    else
        fail(x, HALE_E_IO, "no connection", strerrordesc_np(error));
}

static void looked_up(struct actuator_managers *m, const struct actuator_addresses *found)
{
    struct manager *x = m->all;
    while (x != NULL && (x->way != LOOKS_UP || x->lookup != found->id))
        x = x->next;
    if (x == NULL)
        return; /* cancelled, or too late */
    if (found->n == 0)
        fail(x, HALE_E_IO, "the name is not known", found->error);
    else
        dial(m, x, &found->v[x->failures % found->n]);
}

static void set_out(struct actuator_managers *m, struct manager *x)
{
    struct actuator_address address;
    if (x->snmp != NULL && actuator_snmp_is_broken(x->snmp))
        drop_session(x);
    if (x->snmp != NULL) {
        tell(x);
    } else if (actuator_lookup_number(x->conf->host, x->conf->port, &address)) {
        dial(m, x, &address);
    } else if (actuator_lookup_start(m->lookup, x->conf->host, x->conf->port,
                                     &x->lookup) == HALE_OK) {
        x->way = LOOKS_UP;
    } else {
        fail(x, HALE_E_IO, "the name is not looked up", "too many are, and wait");
    }
}

enum hale_rc actuator_managers_start(struct actuator_managers *m,
                                     const struct actuator_manager_call *call,
                                     uint64_t *id_out)
{
    struct manager *x = manager_of(m, call->to);
    if (x == NULL)
        return HALE_E_NOMEM;
    if (x->way != IDLE)
        return HALE_E_LIMIT;
    free(x->body);
    x->body = malloc(call->body.len + 1);
    if (x->body == NULL)
        return HALE_E_NOMEM;
    memcpy(x->body, call->body.p, call->body.len);
    x->len = call->body.len;
    x->done = call->done;
    x->arg = call->arg;
    x->timeout_ms = call->timeout_ms;
    x->started_us = hale_clock_mono_us();
    x->deadline_ms = x->started_us / 1000 + call->timeout_ms;
    x->id = *id_out = ++m->ids;
    set_out(m, x);
    wake(m); /* the deadline, and what ended at once */
    return HALE_OK;
}

void actuator_managers_cancel(struct actuator_managers *m, uint64_t id)
{
    for (struct manager *x = m->all; x != NULL; x = x->next)
        if (x->way != IDLE && x->id == id) {
            x->way = IDLE;
            drop_session(x); /* its answer would come late */
        }
}

/* --- the loop ------------------------------------------------------------------------------ */

void actuator_managers_pollfd(const struct actuator_managers *m, struct pollfd *out)
{
    *out = (struct pollfd){.fd = m->epoll, .events = POLLIN};
}

static void drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof(count)) == sizeof(count))
        ;
}

static void ready(struct actuator_managers *m, struct manager *x)
{
    struct hale_http_result r;
    if (x->way == CONNECTS) {
        connected(m, x);
        return;
    }
    if (x->snmp == NULL)
        return;
    actuator_snmp_read(x->snmp);
    if (x->way == TELLS && actuator_snmp_result(x->snmp, &r))
        fail(x, r.rc, r.error, "");
    else if (x->way == IDLE && actuator_snmp_is_broken(x->snmp))
        drop_session(x);
}

static void input(struct actuator_managers *m)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(m->epoll, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        void *who = events[i].data.ptr;
        if (who == &m->wake || who == &m->timer)
            drain(*(int *)who);
        else if (who != m->lookup)
            ready(m, who);
    }
    struct actuator_addresses found;
    while (actuator_lookup_next(m->lookup, &found))
        looked_up(m, &found);
}

static void too_late(struct manager *x)
{
    char text[64];
    const char *why = x->way == LOOKS_UP   ? "the name server does not answer"
                      : x->way == CONNECTS ? "no connection"
                                           : actuator_snmp_silence(x->snmp);
    (void)snprintf(text, sizeof(text), "nothing within %lld ms",
                   (long long)x->timeout_ms);
    fail(x, HALE_E_AGAIN, text, why);
}

static void finish(struct manager *x)
{
    const struct hale_http_result r = {.rc = x->rc,
                                       .sent = true,
                                       .took_us = hale_clock_mono_us() - x->started_us,
                                       .error = x->error};
    if (x->rc != HALE_OK && x->rc != HALE_E_INVAL) {
        x->failures++;
        drop_session(x);
    } else {
        x->failures = 0;
    }
    x->way = IDLE;
    x->done(&r, x->arg);
}

static void set_timer(const struct actuator_managers *m)
{
    int64_t next_ms = INT64_MAX;
    for (const struct manager *x = m->all; x != NULL; x = x->next)
        if (x->way != IDLE && x->deadline_ms < next_ms)
            next_ms = x->deadline_ms;
    struct itimerspec at = {.it_value = {0, 0}}; /* off */
    if (next_ms != INT64_MAX) {
        at.it_value.tv_sec = next_ms / 1000;
        at.it_value.tv_nsec = next_ms % 1000 * 1000000 + 1;
    }
    (void)timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

void actuator_managers_tick(struct actuator_managers *m)
{
    input(m);
    int64_t now_ms = hale_clock_mono_ms();
    for (struct manager *x = m->all; x != NULL; x = x->next) {
        if (x->way != IDLE && x->way != ENDED && x->deadline_ms <= now_ms)
            too_late(x);
        if (x->way == ENDED)
            finish(x); /* may start others */
    }
    set_timer(m);
}
