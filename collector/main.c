/* SPDX-License-Identifier: Apache-2.0 */
/* hale-collector: arguments, wiring, loop. */
#include <poll.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "collector/alarm_view.h"
#include "collector/app.h"
#include "collector/archive.h"
#include "collector/catalog.h"
#include "collector/copies.h"
#include "collector/events_api.h"
#include "collector/forget.h"
#include "collector/hot.h"
#include "collector/intake.h"
#include "collector/keystone.h"
#include "collector/metadata.h"
#include "collector/pool.h"
#include "collector/progress.h"
#include "collector/pulse.h"
#include "collector/reload.h"
#include "collector/server.h"
#include "collector/static_files.h"
#include "collector/stats.h"
#include "collector/store.h"
#include "collector/tenant_limit.h"
#include "collector/token.h"
#include "collector/topology_view.h"
#include "collector/writer.h"

#define BEAT_MS        1000
#define CHANGE_THREADS 2

static int fail(const struct hale_err *err)
{
    char text[512];

    hale_error("event=start_failed detail=\"%s\"", hale_err_str(err, text, sizeof(text)));
    return err->rc == HALE_E_INVAL ? 2 : 1;
}

/* Everything before the first thread. */
static enum hale_rc prepare(struct collector *c, struct hale_err *err)
{
    collector_stats_init();
    enum hale_rc rc = hale_fs_mkdirs(c->conf->state_dir, err);
    if (rc != HALE_OK)
        return rc;
    c->tokens = collector_tokens_new();
    c->files = collector_files_new();
    c->limits = collector_tenant_limits_new();
    c->catalog =
        collector_catalog_new((size_t)c->conf->max_series, (unsigned)c->conf->shards);
    HALE_ASSERT(c->limits != NULL && c->tokens != NULL && c->catalog != NULL);
    c->copies = collector_copies_new((unsigned)c->conf->shards);
    c->topology = collector_topology_new();
    HALE_ASSERT(c->topology != NULL);
    c->metadata = collector_metadata_new();
    c->progress = collector_progress_new();
    c->hot = collector_hot_new(c, hale_clock_wall_ms());
    c->intake = collector_intake_new(c);
    return collector_reload_apply(c, c->conf, err);
}

static enum hale_rc start_threads(struct collector *c, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;

    if (c->conf->archive)
        c->archive = collector_archive_new(c);
    rc = collector_store_start(c, &c->store);
    if (rc == HALE_OK && c->archive != NULL)
        rc = collector_archive_start(c->archive);
    if (rc == HALE_OK && c->conf->keystone.enabled)
        rc = collector_keystone_start(c, &c->keystone);
    if (rc == HALE_OK)
        rc = collector_view_start(c, &c->view);
    if (rc == HALE_OK)
        rc = collector_writer_start(c, &c->writer);
    if (rc == HALE_OK)
        rc = collector_events_start(c, &c->events);
    if (rc == HALE_OK)
        rc = collector_pool_start(c, (unsigned)c->conf->query_threads,
                                  (size_t)c->conf->query_queue, &c->queries);
    if (rc == HALE_OK)
        rc = collector_pool_start(c, CHANGE_THREADS, (size_t)c->conf->query_queue,
                                  &c->changes);
    if (rc == HALE_OK)
        rc = collector_sweep_start(c, &c->sweep);
    return rc == HALE_OK ? rc : hale_err_set(err, rc, "a thread did not start");
}

static void loop(struct collector *c)
{
    struct collector_pulse pulse;
    int64_t next_ms = 0;

    collector_pulse_init(&pulse, c);
    while (!hale_daemon_stopping(c->daemon)) {
        struct pollfd p = {.fd = hale_daemon_fd(c->daemon), .events = POLLIN};
        int64_t now_ms = hale_clock_mono_ms();
        if (now_ms >= next_ms) {
            collector_pulse_beat(&pulse, c);
            next_ms = now_ms + BEAT_MS;
        }
        (void)poll(&p, 1, BEAT_MS);
        collector_reload_poll(c);
    }
    collector_pulse_fini(&pulse);
}

/* Streams first, then the network, then those who answer requests, then those who store. */
static void finish(struct collector *c)
{
    collector_view_stop(c->view);
    collector_keystone_stop(c->keystone);
    hale_http_server_stop(c->server);
    hale_http_tls_free(c->tls);
    collector_pool_stop(c->queries);
    collector_pool_stop(c->changes);
    collector_sweep_stop(c->sweep);
    collector_writer_stop(c->writer);
    collector_events_stop(c->events);
    collector_archive_stop(c->archive);
    collector_store_stop(c->store);
    collector_archive_free(c->archive);
    collector_view_free(c->view);
    collector_metadata_free(c->metadata);
    collector_intake_free(c->intake);
    collector_hot_free(c->hot);
    collector_progress_free(c->progress);
    collector_catalog_free(c->catalog);
    collector_copies_free(c->copies);
    collector_files_free(c->files);
    collector_topology_free(c->topology);
    collector_keystone_free(c->keystone);
    collector_tokens_free(c->tokens);
    collector_tenant_limits_free(c->limits);
}

static int run(struct hale_daemon *d, void *conf)
{
    struct collector c = {.conf = conf, .daemon = d, .started_ms = hale_clock_wall_ms()};
    struct hale_err err = {0};
    int code = 0;

    hale_log_set_level((enum hale_log_level)c.conf->log_level);
    enum hale_rc rc = prepare(&c, &err);
    if (rc == HALE_OK)
        rc = start_threads(&c, &err);
    atomic_store(&c.redis_ok, rc == HALE_OK); /* the catalogue has just come from it */
    if (rc == HALE_OK)
        rc = collector_server_start(&c, &c.server, &err);
    if (rc == HALE_OK) {
        c.tls = NULL; /* the server's now */
        hale_info("event=listening listen=%s port=%u", c.conf->listen,
                  hale_http_server_port(c.server));
        loop(&c);
    } else if (!hale_daemon_stopping(d)) {
        code = fail(&err);
    }
    finish(&c);
    collector_config_free(conf);
    return code;
}

int main(int argc, char **argv)
{
    static const struct hale_daemon_spec SPEC = {
        .name = "hale-collector",
        .summary = "HTTP front door of Hale: ingest, queries, alarms, live updates",
        .default_config = "/etc/hale/collector.yaml",
        .conf_load = collector_config_load,
        .conf_free = collector_config_free,
        .conf_describe = collector_config_describe,
        .run = run,
    };
    return hale_daemon_main(&SPEC, argc, argv);
}
