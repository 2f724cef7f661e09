/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_tcp - does a TCP port accept? network.tcp.status is 0 (up) or 1 (down, value_meta.error),
 * always; network.tcp.response_time in s only when up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/resolver.h"
#include "base/clock.h"

struct state {
    const struct hale_yaml_node *ignored;
    char *host;
    int64_t port, timeout_ms;
    struct agent_name *name;
    struct agent_watch watch;
    struct agent_timer timeout;
    int64_t started_us;
    bool looked_up; /* its address was asked for */
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "host",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, host),
     .required = true,
     .help = "name or address"},
    {.key = "port",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct state, port),
     .required = true,
     .min = 1,
     .max = 65535,
     .help = "TCP port"},
    {.key = "timeout",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct state, timeout_ms),
     .fallback = "2s",
     .min = 10,
     .max = 60000,
     .help = "to wait for the connection"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void finish(struct agent_check *c, const char *error)
{
    struct state *s = c->state;
    agent_loop_unwatch(c->ctx->loop, &s->watch);
    agent_loop_disarm(c->ctx->loop, &s->timeout);
    if (s->watch.fd >= 0)
        (void)close(s->watch.fd);
    s->watch.fd = -1;
    agent_check_emit(c, NULL, 0, "network.tcp.status", error != NULL, error);
    if (error == NULL)
        agent_check_emit(c, NULL, 0, "network.tcp.response_time",
                         (double)(hale_clock_mono_us() - s->started_us) / 1e6, NULL);
}

static void connected(void *arg, short revents)
{
    struct agent_check *c = arg;
    struct state *s = c->state;
    int error = 0;
    socklen_t len = sizeof(error);
    (void)revents;
    if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    finish(c, error == 0 ? NULL : agent_check_errno(error));
    agent_check_done(c);
}

static void timed_out(void *arg, int64_t now_ms)
{
    struct agent_check *c = arg;
    (void)now_ms;
    finish(c, "timed out");
    agent_check_done(c);
}

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    char url[300];
    struct state *s = c->state;
    s->watch = (struct agent_watch){.fd = -1, .ready = connected, .arg = c};
    s->timeout = (struct agent_timer){.fire = timed_out, .arg = c};
    (void)snprintf(url, sizeof(url),
                   strchr(s->host, ':') != NULL ? "[%.250s]:%lld" : "%.250s:%lld",
                   s->host, (long long)s->port);
    if (agent_dims_set(&c->dims, "url", url) != HALE_OK)
        return hale_yaml_error(map, err, "too many dimensions");
    if (c->ctx->resolver == NULL) /* only checking the configuration */
        return HALE_OK;
    s->name = agent_resolver_name(c->ctx->resolver, s->host, (unsigned)s->port);
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
    s->started_us = hale_clock_mono_us();
    s->watch.fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->watch.fd < 0 || (connect(s->watch.fd, (struct sockaddr *)&addr, len) != 0 &&
                            errno != EINPROGRESS)) {
        finish(c, agent_check_errno(errno));
        return true;
    }
    s->watch.events = POLLOUT;
    if (agent_loop_watch(c->ctx->loop, &s->watch) != HALE_OK) {
        finish(c, "too many descriptors under watch");
        return true;
    }
    agent_loop_arm(c->ctx->loop, &s->timeout, mono_ms + s->timeout_ms);
    return false;
}

const struct agent_check_type agent_check_tcp = {
    .name = "tcp",
    .help = "network.tcp.status{url} (0 up, 1 down), network.tcp.response_time{url} in s "
            "when up",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy};
