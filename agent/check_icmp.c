/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_icmp - one echo request (RFC 792, RFC 4443) without a fork. host_alive_status is 0 (answered)
 * or 1 (value_meta.error), always; icmp.response_time in s only when answered. Dimensions as in
 * Monasca: hostname is the host asked, observer_host this one.
 * Sockets: an unprivileged ICMP socket where net.ipv4.ping_group_range allows it, else a raw one
 * (CAP_NET_RAW).
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/resolver.h"
#include "base/clock.h"
#include "base/id.h"

#define PACKET_BYTES 64

struct state {
    const struct hale_yaml_node *ignored;
    char *host;
    int64_t timeout_ms;
    struct agent_name *name;
    struct agent_watch watch;
    struct agent_timer timeout;
    int64_t started_us;
    int family;
    bool raw, looked_up; /* looked_up: its address was asked for */
    uint16_t ident, seq;
    uint64_t cookie; /* in the payload: tells our echo from anybody's */
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "host",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, host),
     .required = true,
     .help = "name or address"},
    {.key = "timeout",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct state, timeout_ms),
     .fallback = "1s",
     .min = 10,
     .max = 60000,
     .help = "to wait for the echo"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Both ICMPs start alike: type, code, checksum, identifier, sequence number. */
struct echo {
    uint8_t type, code;
    uint16_t checksum, ident, seq;
    uint64_t cookie;
    uint8_t filler[PACKET_BYTES - 16];
};

static uint16_t checksum(const void *bytes, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        uint16_t word;
        memcpy(&word, (const char *)bytes + i, 2);
        sum += word;
    }
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void finish(struct agent_check *c, const char *error)
{
    struct state *s = c->state;
    agent_loop_unwatch(c->ctx->loop, &s->watch);
    agent_loop_disarm(c->ctx->loop, &s->timeout);
    if (s->watch.fd >= 0)
        (void)close(s->watch.fd);
    s->watch.fd = -1;
    agent_check_emit(c, NULL, 0, "host_alive_status", error != NULL, error);
    if (error == NULL)
        agent_check_emit(c, NULL, 0, "icmp.response_time",
                         (double)(hale_clock_mono_us() - s->started_us) / 1e6, NULL);
}

/* True when the datagram is the echo of our request. Raw IPv4 sockets deliver the IP header too. */
static bool is_ours(const struct state *s, const uint8_t *p, size_t n)
{
    struct echo e;
    if (s->raw && s->family == AF_INET) {
        size_t header = n > 0 ? (size_t)(p[0] & 15) * 4 : 0;
        if (header < 20 || header > n)
            return false;
        p += header;
        n -= header;
    }
    if (n < 16)
        return false;
    memcpy(&e, p, 16);
    uint8_t reply = s->family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
    return e.type == reply && e.seq == s->seq && e.cookie == s->cookie;
}

static void readable(void *arg, short revents)
{
    struct agent_check *c = arg;
    struct state *s = c->state;
    uint8_t packet[1024];
    ssize_t n;
    (void)revents;
    while ((n = recv(s->watch.fd, packet, sizeof(packet), 0)) >= 0) {
        if (is_ours(s, packet, (size_t)n)) {
            finish(c, NULL);
            agent_check_done(c);
            return;
        }
    }
    if (errno != EAGAIN &&
        errno != EINTR) { /* unreachable and the like, told by the kernel */
        finish(c, agent_check_errno(errno));
        agent_check_done(c);
    }
}

static void timed_out(void *arg, int64_t now_ms)
{
    struct agent_check *c = arg;
    (void)now_ms;
    finish(c, "no echo in time");
    agent_check_done(c);
}

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;
    s->watch =
        (struct agent_watch){.fd = -1, .events = POLLIN, .ready = readable, .arg = c};
    s->timeout = (struct agent_timer){.fire = timed_out, .arg = c};
    hale_id_random(&s->ident, sizeof(s->ident));
    if (agent_dims_set(&c->dims, "hostname", s->host) != HALE_OK ||
        agent_dims_set(&c->dims, "observer_host", c->ctx->hostname) != HALE_OK ||
        agent_dims_set(&c->dims, "test_type", "ping") != HALE_OK)
        return hale_yaml_error(map, err, "too many dimensions");
    if (c->ctx->resolver == NULL) /* only checking the configuration */
        return HALE_OK;
    s->name = agent_resolver_name(c->ctx->resolver, s->host, 0);
    return s->name != NULL ? HALE_OK : hale_yaml_error(map, err, "too many host names");
}

static void destroy(struct agent_check *c)
{
    struct state *s = c->state;
    agent_loop_unwatch(c->ctx->loop, &s->watch);
    agent_loop_disarm(c->ctx->loop, &s->timeout);
    if (s->watch.fd >= 0)
        (void)close(s->watch.fd);
}

static bool open_socket(struct state *s)
{
    int protocol = s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    s->raw = false;
    s->watch.fd = socket(s->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (s->watch.fd < 0) {
        s->raw = true;
        s->watch.fd =
            socket(s->family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    }
    return s->watch.fd >= 0;
}

/* Connected, so that only this host's answers arrive. NULL, or why not. */
static const char *send_echo(struct state *s, const struct sockaddr_storage *addr,
                             socklen_t len)
{
    struct echo e = {.type = s->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
                     .ident = s->ident,
                     .seq = ++s->seq};
    hale_id_random(&s->cookie, sizeof(s->cookie));
    e.cookie = s->cookie;
    if (s->family == AF_INET) /* the kernel does it for ICMPv6 */
        e.checksum = checksum(&e, sizeof(e));
    s->started_us = hale_clock_mono_us();
    if (connect(s->watch.fd, (const struct sockaddr *)addr, len) != 0 ||
        send(s->watch.fd, &e, sizeof(e), 0) < 0)
        return agent_check_errno(errno);
    return NULL;
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;
    struct sockaddr_storage addr;
    socklen_t len;
    const char *why;
    int64_t mono_ms = hale_clock_mono_ms();

    enum hale_rc rc = agent_resolver_get(s->name, mono_ms, &addr, &len, &why);
    if (rc == HALE_E_AGAIN && !s->looked_up) {
        s->looked_up = true;
        return true; /* the first look-up has just begun: the next run tells */
    }
    if (rc != HALE_OK) {
        finish(c, why);
        return true;
    }
    s->family = addr.ss_family;
    if (!open_socket(s))
        why = errno == EPERM || errno == EACCES
                  ? "no ICMP socket: give the agent CAP_NET_RAW or widen "
                    "net.ipv4.ping_group_range"
                  : agent_check_errno(errno);
    else if ((why = send_echo(s, &addr, len)) == NULL &&
             agent_loop_watch(c->ctx->loop, &s->watch) != HALE_OK)
        why = "too many descriptors under watch";
    if (why != NULL) {
        finish(c, why);
        return true;
    }
    agent_loop_arm(c->ctx->loop, &s->timeout, mono_ms + s->timeout_ms);
    return false;
}

const struct agent_check_type agent_check_icmp = {
    .name = "icmp",
    .help = "host_alive_status{hostname,observer_host,test_type=ping} (0 up, 1 down), "
            "icmp.response_time in s when up",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy};
