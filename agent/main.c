/* SPDX-License-Identifier: Apache-2.0 */
/* hale-agent - wiring: configuration, checks, spool, sender, loop. */
#include <stdlib.h>
#include <string.h>

#include "agent/check.h"
#include "agent/conf.h"
#include "agent/counters.h"
#include "agent/procfs.h"
#include "agent/resolver.h"
#include "agent/sender.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/daemon.h"

#define TURN_MAX_MS    1000
#define HTTP_CALLS_MAX 512

/* Everything that one generation of the configuration made. */
struct generation {
    struct agent_conf *conf;
    struct agent_spool *spool;
    struct agent_sender *sender;
    struct agent_check **checks;
    size_t n_checks;
};

struct agent {
    struct hale_daemon *daemon;
    struct agent_sink sink;
    struct agent_context ctx;
    struct generation now;
    struct agent_watch signals;
};

static enum hale_rc make_checks(struct agent *a, struct generation *g,
                                struct hale_err *err)
{
    struct agent_dims dims = {0};
    size_t n = hale_yaml_count(g->conf->checks);
    enum hale_rc rc = agent_conf_dims(g->conf, &dims, err);

    g->checks = calloc(n + 1, sizeof(*g->checks));
    if (rc == HALE_OK && g->checks == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    a->ctx.hostname = g->conf->hostname;
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        rc = agent_check_new(&a->ctx, &dims, hale_yaml_item(g->conf->checks, i),
                             &g->checks[i], err);
        if (rc == HALE_OK)
            g->n_checks++;
    }
    a->ctx.hostname = NULL;
    agent_dims_fini(&dims);
    return rc;
}

/* Makes all parts of g->conf without starting one; the spool of old, which may be NULL, is shared when it
 * is in the same place. What is half made is dropped by drop. */
static enum hale_rc make(struct agent *a, struct generation *g,
                         const struct generation *old, struct hale_err *err)
{
    const struct agent_conf *conf = g->conf;
    const struct agent_sender_options o = {.collector = conf->collector,
                                           .token = conf->token,
                                           .ca_file = conf->ca_file,
                                           .cert_file = conf->cert_file,
                                           .key_file = conf->key_file,
                                           .timeout_ms = conf->timeout_ms,
                                           .max_batch = (size_t)conf->max_batch};
    enum hale_rc rc = HALE_OK;
    if (old != NULL && strcmp(old->conf->spool_dir, conf->spool_dir) == 0)
        g->spool = old->spool;
    else
        rc = agent_spool_open(conf->spool_dir, (size_t)conf->spool_max_bytes, &g->spool,
                              err);
    if (rc != HALE_OK)
        return rc;
    g->sender = agent_sender_new(a->ctx.loop, g->spool, &o);
    if (g->sender == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return make_checks(a, g, err);
}

static void start(struct agent *a)
{
    const struct generation *g = &a->now;
    hale_log_set_level((enum hale_log_level)g->conf->log_level);
    for (size_t i = 0; i < g->n_checks; i++)
        agent_check_schedule(g->checks[i], hale_clock_mono_ms());
    hale_counter_set(&agent_counter_checks, (int64_t)g->n_checks);
}

/* Samples under way and those of the sink, if given, go to the spool, which stays open when keep has it
 * too. */
static void drop(struct generation *g, struct agent_sink *sink,
                 const struct generation *keep)
{
    for (size_t i = 0; i < g->n_checks; i++)
        agent_check_free(g->checks[i]);
    free(g->checks);
    if (g->sender != NULL)
        agent_sender_stop(g->sender, sink);
    agent_sender_free(g->sender);
    if (keep == NULL || keep->spool != g->spool)
        agent_spool_close(g->spool);
    agent_conf_free(g->conf);
    *g = (struct generation){0};
}

/* A valid new generation replaces the old one whole; one that cannot be made changes nothing. */
static void on_signal(void *arg, short revents)
{
    struct agent *a = arg;
    struct hale_err err = {0};
    struct generation fresh = {.conf = hale_daemon_signals(a->daemon)};
    char text[512], quoted[1024];
    (void)revents;
    if (fresh.conf == NULL)
        return;
    if (make(a, &fresh, &a->now, &err) != HALE_OK) {
        hale_err_str(&err, text, sizeof(text));
        hale_error("event=reload_refused error=%s",
                   hale_log_quote(text, quoted, sizeof(quoted)));
        drop(&fresh, NULL, &a->now);
        return;
    }
    if (a->now.conf->listen != NULL && fresh.conf->listen != NULL &&
        strcmp(a->now.conf->listen, fresh.conf->listen) != 0)
        hale_warn("event=reload_partial key=listen text=\"takes a restart\"");
    drop(&a->now, &a->sink, &fresh);
    a->now = fresh;
    agent_spool_set_cap(a->now.spool, (size_t)a->now.conf->spool_max_bytes);
    start(a);
    hale_info("event=reloaded checks=%zu collector=%s", a->now.n_checks,
              a->now.conf->collector);
}

static enum hale_rc init(struct agent *a, struct hale_err *err)
{
    agent_counters_register();
    agent_sink_init(&a->sink);
    hale_buf_init(&a->ctx.text, AGENT_PROCFS_MAX_BYTES);
    a->ctx.sink = &a->sink;
    a->ctx.loop = agent_loop_new(HTTP_CALLS_MAX);
    a->ctx.resolver = a->ctx.loop != NULL ? agent_resolver_new(a->ctx.loop) : NULL;
    a->signals = (struct agent_watch){
        .fd = hale_daemon_fd(a->daemon), .events = POLLIN, .ready = on_signal, .arg = a};
    enum hale_rc rc = a->ctx.resolver == NULL
                          ? hale_err_set(err, HALE_E_NOMEM, "out of memory")
                          : agent_loop_watch(a->ctx.loop, &a->signals);
    if (rc == HALE_OK && a->now.conf->listen != NULL)
        rc = hale_daemon_serve(a->daemon, a->now.conf->listen, err);
    return rc == HALE_OK ? make(a, &a->now, NULL, err) : rc;
}

static void fini(struct agent *a)
{
    drop(&a->now, &a->sink, NULL);
    agent_resolver_free(a->ctx.resolver);
    if (a->ctx.loop != NULL)
        agent_loop_unwatch(a->ctx.loop, &a->signals);
    agent_loop_free(a->ctx.loop);
    agent_sink_fini(&a->sink);
    hale_buf_fini(&a->ctx.text);
}

static int run(struct hale_daemon *daemon, void *conf)
{
    struct agent a = {.daemon = daemon, .now.conf = conf};
    struct hale_err err = {0};
    char text[512], quoted[1024];
    int code = 1;

    if (init(&a, &err) != HALE_OK) {
        hale_err_str(&err, text, sizeof(text));
        hale_error("event=start_failed error=%s",
                   hale_log_quote(text, quoted, sizeof(quoted)));
    } else {
        start(&a);
        hale_info("event=started checks=%zu collector=%s", a.now.n_checks,
                  a.now.conf->collector);
        while (!hale_daemon_stopping(daemon)) {
            agent_loop_turn(a.ctx.loop, TURN_MAX_MS);
            agent_sender_flush(a.now.sender, &a.sink);
            hale_daemon_health_set(daemon, "collector", agent_sender_ok(a.now.sender),
                                   agent_sender_trouble(a.now.sender));
        }
        code = 0;
    }
    fini(&a);
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
