/* SPDX-License-Identifier: Apache-2.0 */
/* hale-thresholds - wiring: configuration, shards, loop, heartbeat. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/daemon.h"
#include "store/keys.h"
#include "store/redis.h"
#include "thresholds/conf.h"
#include "thresholds/shard.h"
#include "thresholds/stats.h"

#define NAME            "hale-thresholds"
#define HEARTBEAT_MS    3000
#define HEARTBEAT_TTL_S "10"
#define HEALTH_BYTES    65536

struct app {
    struct hale_daemon *daemon;
    struct thresholds_conf *conf;
    unsigned n_shards;
    struct thresholds_shard **shards;
    struct hale_redis *pulse; /* heartbeats */
    int64_t pulse_at_ms;
};

static void heartbeat(struct app *a, int64_t now_mono_ms)
{
    char key[HALE_KEY_MAX];
    struct hale_buf json;
    struct hale_reply *p = NULL;
    if (now_mono_ms < a->pulse_at_ms)
        return;
    a->pulse_at_ms = now_mono_ms + HEARTBEAT_MS;
    hale_buf_init(&json, HEALTH_BYTES);
    hale_daemon_health_json(a->daemon, &json);
    if (!json.failed &&
        HALE_REDIS_CMD(a->pulse, &p, HALE_STR("SET"),
                       hale_str_from(hale_keys_health(NAME, key)), hale_buf_str(&json),
                       HALE_STR("EX"), HALE_STR(HEARTBEAT_TTL_S)) != HALE_OK)
        hale_debug("event=heartbeat_failed detail=\"%s\"", hale_redis_error(a->pulse));
    hale_reply_free(p);
    hale_buf_fini(&json);
}

static void show_health(struct app *a)
{
    bool live = true;
    const char *detail = "connected";
    int64_t lag = 0;
    for (unsigned i = 0; i < a->n_shards; i++) {
        if (!thresholds_shard_live(a->shards[i])) {
            live = false;
            detail = thresholds_shard_error(a->shards[i]);
            if (detail[0] == '\0')
                detail = "loading the state";
        }
        if (thresholds_shard_lag_ms(a->shards[i]) > lag)
            lag = thresholds_shard_lag_ms(a->shards[i]);
    }
    hale_counter_set(&thresholds_lag_ms, lag);
    hale_daemon_health_set(a->daemon, "redis", live, detail);
}

static void wait_for_work(struct app *a, struct pollfd *fds, int64_t now_mono_ms)
{
    nfds_t n = 0;
    int64_t until = a->pulse_at_ms;
    fds[n++] = (struct pollfd){.fd = hale_daemon_fd(a->daemon), .events = POLLIN};
    for (unsigned i = 0; i < a->n_shards; i++, n += THRESHOLDS_SHARD_FDS) {
        thresholds_shard_pollfds(a->shards[i], &fds[n]);
        int64_t wake = thresholds_shard_wake_ms(a->shards[i]);
        until = wake < until ? wake : until;
    }
    int64_t wait = until - now_mono_ms;
    (void)poll(fds, n, wait < 0 ? 0 : wait > HEARTBEAT_MS ? HEARTBEAT_MS : (int)wait);
}

static void reload(struct app *a, struct thresholds_conf *fresh)
{
    hale_log_set_level((enum hale_log_level)fresh->log_level);
    for (unsigned i = 0; i < a->n_shards; i++)
        thresholds_shard_set_checkpoint(a->shards[i], fresh->checkpoint_interval_ms);
    if (strcmp(fresh->redis, a->conf->redis) != 0 ||
        strcmp(fresh->listen, a->conf->listen) != 0 || fresh->shards != a->conf->shards ||
        fresh->late_wait_ms != a->conf->late_wait_ms ||
        fresh->max_series != a->conf->max_series ||
        fresh->max_subalarms != a->conf->max_subalarms)
        hale_warn("event=reload_partial detail=\"only log_level and checkpoint_interval "
                  "change without a restart\"");
    thresholds_conf_free(fresh);
}

static void loop(struct app *a, struct pollfd *fds)
{
    while (!hale_daemon_stopping(a->daemon)) {
        int64_t now = hale_clock_mono_ms();
        for (unsigned i = 0; i < a->n_shards; i++)
            thresholds_shard_step(a->shards[i], now);
        show_health(a);
        heartbeat(a, now);
        wait_for_work(a, fds, hale_clock_mono_ms());
        struct thresholds_conf *fresh = hale_daemon_signals(a->daemon);
        if (fresh != NULL)
            reload(a, fresh);
    }
    for (unsigned i = 0; i < a->n_shards; i++)
        thresholds_shard_finish(a->shards[i]);
}

static int run(struct hale_daemon *d, void *conf)
{
    struct app a = {.daemon = d, .conf = conf};
    struct hale_err err = {.rc = HALE_OK};
    char text[512];
    a.n_shards = (unsigned)a.conf->shards;
    hale_log_set_level((enum hale_log_level)a.conf->log_level);
    thresholds_stats_register();
    a.shards = hale_xcalloc(a.n_shards, sizeof(struct thresholds_shard *));
    struct pollfd *fds =
        hale_xcalloc(1 + THRESHOLDS_SHARD_FDS * (unsigned long)a.n_shards, sizeof(*fds));
    a.pulse = hale_redis_new(a.conf->redis, 1000);
    bool made = a.pulse != NULL;
    for (unsigned i = 0; i < a.n_shards; i++) {
        a.shards[i] = thresholds_shard_new(a.conf, i);
        made = made && a.shards[i] != NULL;
    }
    int code = 1;
    if (!made)
        hale_error("event=start_failed detail=\"out of memory\"");
    else if (hale_daemon_serve(d, a.conf->listen, &err) != HALE_OK)
        hale_error("event=start_failed detail=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    else {
        loop(&a, fds);
        code = 0;
    }
    for (unsigned i = 0; i < a.n_shards; i++)
        thresholds_shard_free(a.shards[i]);
    hale_redis_free(a.pulse);
    free(a.shards);
    free(fds);
    thresholds_conf_free(a.conf);
    return code;
}

int main(int argc, char **argv)
{
    static const struct hale_daemon_spec spec = {
        .name = NAME,
        .summary = "evaluates the sub-expressions of alarm definitions over samples",
        .default_config = "/etc/hale/thresholds.yaml",
        .conf_load = thresholds_conf_load,
        .conf_free = thresholds_conf_free,
        .conf_describe = thresholds_conf_describe,
        .run = run,
    };
    return hale_daemon_main(&spec, argc, argv);
}
