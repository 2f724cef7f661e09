/* SPDX-License-Identifier: Apache-2.0 */
/* hale-agent - wiring: configuration, checks, spool, sender, loop. */
#include <stdlib.h>

#include "agent/check.h"
#include "agent/conf.h"
#include "agent/counters.h"
#include "agent/resolver.h"
#include "agent/sender.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/daemon.h"

#define TURN_MAX_MS    1000
#define HTTP_CALLS_MAX 512

/* Everything that one configuration generation made. */
struct agent {
    struct hale_daemon *daemon;
    struct agent_conf *conf;
    struct agent_sink sink;
    struct agent_context ctx;
    struct agent_spool *spool;
    struct agent_sender *sender;
    struct agent_check **checks;
    size_t n_checks;
    struct agent_watch signals;
};

static void drop_checks(struct agent *a)
{
    for (size_t i = 0; i < a->n_checks; i++)
        agent_check_free(a->checks[i]);
    free(a->checks);
    a->checks = NULL;
    a->n_checks = 0;
}

static enum hale_rc make_checks(struct agent *a, struct hale_err *err)
{
    struct agent_dims dims = {0};
    size_t n = hale_yaml_count(a->conf->checks);
    enum hale_rc rc = agent_conf_dims(a->conf, &dims, err);

    a->checks = calloc(n + 1, sizeof(*a->checks));
    if (rc == HALE_OK && a->checks == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        rc = agent_check_new(&a->ctx, &dims, hale_yaml_item(a->conf->checks, i),
                             &a->checks[i], err);
        if (rc == HALE_OK)
            a->n_checks++;
    }
    agent_dims_fini(&dims);
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        agent_check_schedule(a->checks[i], hale_clock_mono_ms());
    hale_counter_set(&agent_counter_checks, (int64_t)a->n_checks);
    return rc;
}

static enum hale_rc make_sender(struct agent *a, struct hale_err *err)
{
    const struct agent_sender_options o = {.collector = a->conf->collector,
                                           .token = a->conf->token,
                                           .ca_file = a->conf->ca_file,
                                           .timeout_ms = a->conf->timeout_ms,
                                           .max_batch = (size_t)a->conf->max_batch};
    enum hale_rc rc = agent_spool_open(a->conf->spool_dir,
                                       (size_t)a->conf->spool_max_bytes, &a->spool, err);
    if (rc != HALE_OK)
        return rc;
    a->sender = agent_sender_new(a->ctx.loop, a->spool, &o);
    return a->sender != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* Brings all parts of a->conf to life. What is half made is dropped by fini. */
static enum hale_rc init(struct agent *a, struct hale_err *err)
{
    hale_log_set_level((enum hale_log_level)a->conf->log_level);
    a->ctx.sink = &a->sink;
    a->ctx.hostname = a->conf->hostname;
    enum hale_rc rc = make_sender(a, err);
    return rc == HALE_OK ? make_checks(a, err) : rc;
}

static void fini(struct agent *a)
{
    drop_checks(a);
    agent_sender_free(a->sender);
    agent_spool_close(a->spool);
    a->sender = NULL;
    a->spool = NULL;
}

/* A valid new generation replaces the old one; samples on their way go through the spool. */
static void on_signal(void *arg, short revents)
{
    struct agent *a = arg;
    struct hale_err err = {0};
    struct agent_conf *fresh = hale_daemon_signals(a->daemon);
    (void)revents;
    if (fresh == NULL)
        return;
    fini(a);
    agent_conf_free(a->conf);
    a->conf = fresh;
    if (init(a, &err) != HALE_OK) {
        hale_error("event=reload_failed error=\"%s\"", err.text);
        hale_daemon_stop(a->daemon);
    }
}

static int run(struct hale_daemon *daemon, void *conf)
{
    struct agent a = {.daemon = daemon, .conf = conf};
    struct hale_err err = {0};
    char text[512];
    int code = 1;

    agent_counters_register();
    agent_sink_init(&a.sink);
    a.ctx.loop = agent_loop_new(HTTP_CALLS_MAX);
    a.ctx.resolver = a.ctx.loop != NULL ? agent_resolver_new(a.ctx.loop) : NULL;
    a.signals = (struct agent_watch){
        .fd = hale_daemon_fd(daemon), .events = POLLIN, .ready = on_signal, .arg = &a};
    enum hale_rc rc = a.ctx.resolver == NULL
                          ? hale_err_set(&err, HALE_E_NOMEM, "out of memory")
                          : agent_loop_watch(a.ctx.loop, &a.signals);
    if (rc == HALE_OK && a.conf->listen != NULL)
        rc = hale_daemon_serve(daemon, a.conf->listen, &err);
    if (rc == HALE_OK)
        rc = init(&a, &err);
    if (rc != HALE_OK) {
        hale_error("event=start_failed error=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    } else {
        hale_info("event=started checks=%zu collector=%s", a.n_checks, a.conf->collector);
        while (!hale_daemon_stopping(daemon)) {
            agent_loop_turn(a.ctx.loop, TURN_MAX_MS);
            if (a.sender == NULL)
                break;
            agent_sender_flush(a.sender, &a.sink);
            hale_daemon_health_set(daemon, "collector", agent_sender_ok(a.sender),
                                   agent_sender_trouble(a.sender));
        }
        code = 0;
    }
    fini(&a);
    agent_resolver_free(a.ctx.resolver);
    if (a.ctx.loop != NULL)
        agent_loop_unwatch(a.ctx.loop, &a.signals);
    agent_loop_free(a.ctx.loop);
    agent_sink_fini(&a.sink);
    agent_conf_free(a.conf);
    return code;
}

int main(int argc, char **argv)
{
    static const struct hale_daemon_spec spec = {
        .name = "hale-agent",
        .summary =
            "measures this host and what can be reached from it, for a Hale collector",
        .default_config = "/etc/hale/agent.yaml",
        .conf_load = agent_conf_load,
        .conf_free = agent_conf_free,
        .conf_describe = agent_conf_describe,
        .run = run,
    };
    return hale_daemon_main(&spec, argc, argv);
}
