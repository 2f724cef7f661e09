/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_statsd - what applications on this host send in the statsd protocol (statsd.h), added up
 * (statsd_table.h) and sent once per interval with the check's dimensions and the line's.
 * Loss: UDP. The socket asks for 4 MiB of buffer; a turn reads at most DATAGRAMS_MAX so that other
 *   checks keep their time. One bad line is refused and counted, the rest of its datagram counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/counters.h"
#include "agent/statsd_table.h"
#include "base/clock.h"
#include "base/log.h"

#define DATAGRAM_BYTES 65536
#define DATAGRAMS_MAX  1000
#define BUFFER_BYTES   (4 << 20)

struct state {
    const struct hale_yaml_node *ignored;
    char *host;
    int64_t port, max_metrics;
    struct agent_check *check;
    struct state *next; /* in `live` */
    struct agent_watch watch;
    struct agent_statsd_table *table;
    char *datagram;
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "host",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, host),
     .fallback = "127.0.0.1",
     .help = "address to listen on; 0.0.0.0 or :: for senders elsewhere"},
    {.key = "port",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct state, port),
     .fallback = "8125",
     .min = 1,
     .max = 65535,
     .help = "UDP port"},
    {.key = "max_metrics",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct state, max_metrics),
     .fallback = "10000",
     .min = 1,
     .max = 15000,
     .help = "metrics held at once; lines of others are refused and counted"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Those that listen. At a reload the new checks are made while the old ones still run: a new one
 * takes over the socket of a running one (due_ms is set) on its address, so no datagram is lost. */
static struct state *live;

static int inherited_socket(const struct state *s)
{
    for (const struct state *o = live; o != NULL; o = o->next) {
        if (o->check->due_ms != 0 && o->port == s->port && strcmp(o->host, s->host) == 0)
            return fcntl(o->watch.fd, F_DUPFD_CLOEXEC, 0);
    }
    return -1;
}

static void take_datagram(struct state *s, size_t len, int64_t now_ms)
{
    struct hale_str rest = {s->datagram, len};

    while (rest.p != NULL) {
        struct hale_err err = {0};
        struct hale_str line = hale_str_trim(hale_str_split(&rest, '\n'));
        if (line.len == 0)
            continue;
        if (agent_statsd_table_add(s->table, line, now_ms, &err) == HALE_OK) {
            hale_counter_add(&agent_counter_statsd_lines, 1);
            continue;
        }
        char head[121];
        char quoted[256];
        char why[1024];
        (void)snprintf(head, sizeof(head), "%.*s", (int)line.len, line.p);
        hale_counter_add(&agent_counter_statsd_refused, 1);
        hale_warn("event=statsd_line_refused line=%s detail=%s",
                  hale_log_quote(head, quoted, sizeof(quoted)),
                  hale_log_quote(err.text, why, sizeof(why)));
    }
}

static void ready(void *arg, short revents)
{
    struct agent_check *c = arg;
    struct state *s = c->state;

    (void)revents;
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        ssize_t n = recv(s->watch.fd, s->datagram, DATAGRAM_BYTES, MSG_DONTWAIT);
        if (n < 0)
            break; /* empty, or an error of an earlier answer that concerns nobody */
        take_datagram(s, (size_t)n, hale_clock_mono_ms());
    }
    hale_counter_set(&agent_counter_statsd_metrics,
                     (int64_t)agent_statsd_table_count(s->table));
}

static enum hale_rc open_socket(struct state *s, const struct hale_yaml_node *map,
                                struct hale_err *err)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;

    s->watch.fd = inherited_socket(s);
    if (s->watch.fd >= 0)
        return HALE_OK;
    (void)snprintf(port, sizeof(port), "%d", (int)s->port);
    if (getaddrinfo(s->host, port, &hints, &ai) != 0)
        return hale_yaml_error(
            map, err, "host '%s' is not an address, like 127.0.0.1 or ::", s->host);
    s->watch.fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int bound = s->watch.fd >= 0 ? bind(s->watch.fd, ai->ai_addr, ai->ai_addrlen) : -1;
    int error = errno;
    freeaddrinfo(ai);
    if (bound != 0)
        return hale_yaml_error(
            map, err, "cannot listen on UDP %s port %d: %s%s", s->host, (int)s->port,
            agent_check_errno(error),
            error == EADDRINUSE ? "; stop the other statsd server or set port" : "");
    int bytes = BUFFER_BYTES; /* the kernel cuts it to net.core.rmem_max for most users */
    (void)setsockopt(s->watch.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    return HALE_OK;
}

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;

    s->watch = (struct agent_watch){.fd = -1, .events = POLLIN, .ready = ready, .arg = c};
    if (c->ctx->resolver == NULL) /* only checking the configuration */
        return HALE_OK;
    s->table = agent_statsd_table_new((size_t)s->max_metrics);
    s->datagram = malloc(DATAGRAM_BYTES);
    if (s->table == NULL || s->datagram == NULL)
        return hale_yaml_error(map, err, "out of memory");
    enum hale_rc rc = open_socket(s, map, err);
    if (rc == HALE_OK && agent_loop_watch(c->ctx->loop, &s->watch) != HALE_OK)
        rc = hale_yaml_error(map, err, "too many descriptors under watch");
    if (rc == HALE_OK) {
        s->check = c;
        s->next = live;
        live = s;
    }
    return rc;
}

static void emit(const char *name, const struct agent_dim *dims, unsigned n_dims,
                 double value, void *arg)
{
    agent_check_emit(arg, dims, n_dims, name, value, NULL);
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;

    ready(c, POLLIN); /* what has come by now belongs to this interval */
    agent_statsd_table_flush(s->table, emit, c);
    return true;
}

/* What has come since the last flush still goes to the sink. */
static void destroy(struct agent_check *c)
{
    struct state *s = c->state;

    for (struct state **at = &live; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            c->time_ms = hale_clock_wall_ms();
            agent_statsd_table_flush(s->table, emit, c);
            break;
        }
    }
    agent_loop_unwatch(c->ctx->loop, &s->watch);
    if (s->watch.fd >= 0)
        (void)close(s->watch.fd);
    agent_statsd_table_free(s->table);
    free(s->datagram);
}

const struct agent_check_type agent_check_statsd = {
    .name = "statsd",
    .help = "what applications send by UDP in the statsd protocol, under their names",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy,
};
