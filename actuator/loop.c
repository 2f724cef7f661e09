/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/app.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

#define DAEMON     "hale-actuator"
#define SECOND     "hale-actuator-2" /* one of two that has not the role act */
#define HEALTH_US  3000000
#define WAIT_MS    500 /* the sealer looks for rows that others wrote */
#define RECOVER_US 200000

static void on_committed(void *arg, const char *run_id,
                         enum actuator_commit_result result, int64_t token,
                         const char *holder)
{
    struct app *app = arg;
    actuator_engine_committed(app->engine, run_id, result, token, holder,
                              hale_clock_wall_us());
}

static void store_cursors(struct app *app)
{
    char key[HALE_KEY_MAX];
    for (unsigned i = 0; i < app->conf->subscribers.n && !app->failed; i++) {
        if (!actuator_notify_moved(app->notify, i))
            continue;
        if (actuator_ledger_cursor(
                app->ledger, hale_keys_cursor(app->conf->subscribers.v[i].name, key),
                actuator_notify_cursor(app->notify, i)) != HALE_OK)
            app->failed = true;
    }
}

/* Records that concerned no policy, no subscriber. */
static void store_position(struct app *app, enum actuator_role role, bool ours,
                           int64_t *stored)
{
    if (!ours || app->seen <= *stored)
        return;
    *stored = app->seen;
    if (actuator_ledger_position(app->ledger, role, app->seen) != HALE_OK)
        app->failed = true;
}

static void health(struct app *app, int64_t now_us)
{
    char key[HALE_KEY_MAX];
    struct hale_buf json;
    static const char *const roles[] = {"stands by", "acts", "tells", "acts and tells"};
    bool standby = !app->loaded && app->standby;
    hale_daemon_health_set(app->daemon, "redis", (app->loaded && !app->failed) || standby,
                           app->loaded || standby ? "connected" : "no connection");
    hale_daemon_health_set(app->daemon, "role", true,
                           roles[app->loaded ? app->acts + 2 * app->tells : 0]);
    if (!app->loaded || now_us < app->health_us)
        return;
    app->health_us = now_us + HEALTH_US;
    hale_buf_init(&json, 65536);
    hale_daemon_health_json(app->daemon, &json);
    if (actuator_ledger_health(app->ledger,
                               hale_keys_health(app->acts ? DAEMON : SECOND, key),
                               hale_buf_str(&json), 10) != HALE_OK)
        app->failed = true;
    hale_buf_fini(&json);
    store_position(app, ACTUATOR_ROLE_ACT, app->acts, &app->acted);
    store_position(app, ACTUATOR_ROLE_TELL, app->tells, &app->told);
}

static void count(struct app *app)
{
    struct actuator_engine_stats s = actuator_engine_stats(app->engine),
                                 *old = &app->counted;
    const struct {
        enum actuator_stat which;
        int64_t now, before;
    } rows[] = {
        {ACTUATOR_STAT_VERIFIED, s.verified, old->verified},
        {ACTUATOR_STAT_FAILED, s.failed, old->failed},
        {ACTUATOR_STAT_OBSERVED, s.observed, old->observed},
        {ACTUATOR_STAT_REJECTED, s.rejected, old->rejected},
        {ACTUATOR_STAT_EXPIRED, s.expired, old->expired},
        {ACTUATOR_STAT_SUGGESTED, s.suggested, old->suggested},
        {ACTUATOR_STAT_ABORTED, s.aborted, old->aborted},
        {ACTUATOR_STAT_PROPOSED, s.proposed, old->proposed},
        {ACTUATOR_STAT_APPROVED, s.approved, old->approved},
        {ACTUATOR_STAT_SUPPRESSED_COOLDOWN, s.suppressed_cooldown,
         old->suppressed_cooldown},
        {ACTUATOR_STAT_SUPPRESSED_FREQUENCY, s.suppressed_frequency,
         old->suppressed_frequency},
        {ACTUATOR_STAT_SUPPRESSED_LEASE, s.suppressed_lease, old->suppressed_lease},
        {ACTUATOR_STAT_SUPPRESSED_OTHER, s.suppressed_other, old->suppressed_other},
        {ACTUATOR_STAT_LATCHED, s.latched, old->latched},
        {ACTUATOR_STAT_STORMS, s.storms, old->storms},
        {ACTUATOR_STAT_BORN, s.born, old->born},
        {ACTUATOR_STAT_CALLS, s.calls, old->calls},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].now != rows[i].before)
            hale_counter_add(actuator_stat(rows[i].which), rows[i].now - rows[i].before);
    hale_counter_set(actuator_stat(ACTUATOR_STAT_OPEN), s.open);
    *old = s;
}

/* A new generation: runs keep their plans, subscribers their cursors. */
static void take_conf(struct app *app, struct actuator_conf *conf)
{
    struct actuator_conf *old = app->conf;
    if (strcmp(old->redis, conf->redis) != 0 || strcmp(old->listen, conf->listen) != 0)
        hale_warn("event=reload_partial detail=\"redis and listen change at the next "
                  "start only\"");
    free(conf->redis);
    conf->redis = strdup(old->redis);
    if (conf->redis == NULL) {
        actuator_conf_free(conf);
        return;
    }
    actuator_inventory_stop(app->inventory); /* it reads the old one */
    app->inventory = app->loaded && app->tells ? actuator_inventory_start(conf) : NULL;
    app->conf = conf;
    actuator_sessions_set_conf(app->sessions, conf);
    actuator_access_set_conf(app->access, conf);
    actuator_seal_set_export(app->seal, conf->audit_file, conf->audit_every_ms);
    hale_log_set_level((enum hale_log_level)conf->log_level);
    if (app->loaded && !app_declare(app))
        app->failed = true;
    if (app->loaded) {
        actuator_engine_set_policies(app->engine, app_policies(app));
        actuator_engine_set_collector(app->engine, &conf->collector);
        app->failed = app->failed || !app_scale_load(app);
    }
    if (app->loaded && app->acts && !app->watches &&
        actuator_engine_wants_topology(conf->policies))
        app->failed = true; /* loads them */
    if (app->loaded && app->tells) {
        struct actuator_notify *fresh = app_notify_new(app);
        actuator_courier_set_conf(app->courier, conf);
        app_doctor_set_conf(app);
        if (fresh != NULL)
            actuator_notify_adopt(fresh, app->notify, hale_clock_wall_us());
        actuator_notify_free(app->notify);
        app->notify = fresh;
        app->failed = app->failed || fresh == NULL;
    }
    actuator_conf_free(old);
    hale_info("event=reloaded policies=%u subscribers=%u", conf->policies->n,
              conf->subscribers.n);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_ms(const struct app *app, int64_t now_us)
{
    int64_t next =
        now_us + (actuator_roles_next_ms(app->roles) - hale_clock_mono_ms()) * 1000;
    if (app->loaded) {
        next = earlier(next, app->health_us);
        next = earlier(next, actuator_engine_next_us(app->engine));
        next = earlier(next, app_scale_next_us(app));
        next = earlier(next, app_upkeep_next_us(app));
    } else if (app->acts || app->tells) {
        next = earlier(next, now_us + RECOVER_US);
    }
    if (app->loaded && app->tells) {
        next = earlier(next, actuator_notify_next_us(app->notify));
        next = earlier(next, actuator_courier_next_us(app->courier));
        next = earlier(next, app_doctor_next_us(app));
    }
    int64_t ms =
        earlier((next - now_us + 999) / 1000,
                actuator_processes_next_ms(app->processes) - hale_clock_mono_ms());
    return ms < 0 ? 0 : ms > WAIT_MS ? WAIT_MS : (int)ms;
}

static void wait_for_work(struct app *app)
{
    struct pollfd fds[6] = {{.fd = hale_daemon_fd(app->daemon), .events = POLLIN}};
    unsigned n = 1;
    if (app->loaded) {
        hale_redis_pollfd(app->read, &fds[n++]);
        actuator_ledger_pollfd(app->ledger, &fds[n++]);
        if (app->tells && actuator_notify_pollfd(app->notify, &fds[n]))
            n++;
    }
    if (app->acts)
        actuator_seal_pollfd(app->seal, &fds[n++]);
    actuator_processes_pollfd(app->processes, &fds[n++]);
    int timeout = wait_ms(app, hale_clock_wall_us());
    if (hale_http_client_poll(app->http, fds, n, timeout) != HALE_OK)
        hale_error("event=poll_failed");
    actuator_processes_tick(app->processes, hale_clock_mono_ms());
}

static void tell(struct app *app)
{
    if (!app->failed)
        actuator_notify_tick(app->notify, hale_clock_wall_us());
    if (!app->failed)
        actuator_courier_tick(app->courier, hale_clock_wall_us());
    if (!app->failed && app->tells)
        app_doctor_tick(app, hale_clock_wall_us());
    if (!app->failed)
        app_refill(app);
    if (!app->failed)
        app_refill_methods(app);
    if (!app->failed)
        store_cursors(app);
}

/* Which roles are ours; what was loaded for others ends here, as after a crash. */
static void take_roles(struct app *app)
{
    actuator_roles_tick(app->roles, hale_clock_mono_ms());
    bool acts = actuator_roles_has(app->roles, ACTUATOR_ROLE_ACT);
    bool tells = actuator_roles_has(app->roles, ACTUATOR_ROLE_TELL);
    if (app->loaded && (app->acts != acts || app->tells != tells)) {
        app_unload(app);
        app->recover_us = 0;
    }
    app->acts = acts;
    app->tells = tells;
}

/* Everything that waits does so by the wall clock: after a step back it would wait for as long again. What
 * was loaded ends here, as after a crash, and times in runs' records are moved by the next load. */
static void watch_clock(struct app *app, int64_t now_us)
{
    int64_t back_us =
        hale_clock_set_back_us(&app->clock_us, now_us, hale_clock_mono_us());
    if (back_us == 0)
        return;
    hale_warn("event=clock_set_back seconds=%.1f", (double)back_us / 1e6);
    app->back_us += back_us;
    app->recover_us = app->health_us = 0;
    if (app->loaded)
        app_unload(app);
}

static void turn(struct app *app)
{
    take_roles(app);
    int64_t now_us = hale_clock_wall_us();
    watch_clock(app, now_us);
    app->standby = !app->acts && !app->tells && actuator_roles_sure(app->roles);
    if (!app->loaded) {
        if (now_us < app->recover_us || (!app->acts && !app->tells)) {
            health(app, now_us);
            return;
        }
        app->recover_us = now_us + RECOVER_US;
        if (!app_load(app)) {
            app_unload(app);
            return;
        }
        take_roles(app); /* it may have taken longer than the lease */
        if (!app->loaded)
            return;
    }
    app_read_log(app, now_us);
    if (!app->failed)
        actuator_engine_tick(app->engine, hale_clock_wall_us());
    if (!app->failed)
        app_scale_tick(app, hale_clock_wall_us());
    if (!app->failed)
        app_upkeep_tick(app, hale_clock_wall_us());
    if (app->tells)
        tell(app);
    if (!app->failed && actuator_ledger_drain(app->ledger, on_committed, app) != HALE_OK)
        app->failed = true;
    if (!app->failed)
        health(app, now_us);
    count(app);
    if (app->failed) { /* as after a crash: what is known is in Redis */
        app_unload(app);
        hale_daemon_health_set(app->daemon, "redis", false,
                               "connection lost, loading anew");
    }
}

int actuator_loop_run(struct hale_daemon *d, void *conf)
{
    struct app app = {.daemon = d, .conf = conf};
    struct hale_err err;
    char text[512];
    int code = 1;

    hale_log_set_level((enum hale_log_level)app.conf->log_level);
    actuator_stats_register();
    hale_daemon_health_set(d, "redis", false, "not connected yet");
    app.http = hale_http_client_new(APP_CALLS_MAX);
    app.calls = hale_map_new(APP_CALLS_MAX * 4, free);
    app.processes = actuator_processes_new();
    app.roles = actuator_roles_new(app.conf->redis, app.conf->listen);
    app.seal = actuator_seal_new(app.conf->redis);
    app.sessions = app.http != NULL ? actuator_sessions_new(app.http, app.conf) : NULL;
    app.access = app.http != NULL ? actuator_access_new(app.http, app.conf) : NULL;
    if (app.sessions == NULL || app.access == NULL || app.calls == NULL ||
        app.roles == NULL || app.seal == NULL || app.processes == NULL) {
        hale_error("event=out_of_memory");
    } else if (hale_daemon_serve(d, app.conf->listen, &err) != HALE_OK) {
        hale_error("event=listen_failed detail=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    } else {
        actuator_seal_set_export(app.seal, app.conf->audit_file,
                                 app.conf->audit_every_ms);
        while (!hale_daemon_stopping(d)) {
            turn(&app);
            if (app.acts)
                actuator_seal_tick(app.seal, hale_clock_mono_ms());
            wait_for_work(&app);
            struct actuator_conf *fresh = hale_daemon_signals(d);
            if (fresh != NULL)
                take_conf(&app, fresh);
        }
        code = 0;
    }
    app_unload(&app);
    actuator_seal_free(app.seal);
    actuator_roles_free(app.roles);
    actuator_sessions_free(app.sessions);
    actuator_access_free(app.access);
    actuator_processes_free(app.processes);
    hale_map_free(app.calls);
    hale_http_client_free(app.http);
    actuator_conf_free(app.conf);
    return code;
}
