/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

#define FIRST_LOOKBACK 1000 /* records a first start goes back */

static void io_commit(void *arg, const struct actuator_commit *c)
{
    struct app *app = arg;
    if (c->position > app->acted)
        app->acted = c->position;
    if (actuator_ledger_commit(app->ledger, c) != HALE_OK)
        app->failed = true;
}

static enum hale_rc load_hash(struct app *app, const char *key,
                              void (*each)(struct app *app, struct hale_str field,
                                           struct hale_str value))
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"), hale_str_from(key));
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(reply); i += 2)
        each(app, hale_reply_str(hale_reply_at(reply, i)),
             hale_reply_str(hale_reply_at(reply, i + 1)));
    hale_reply_free(reply);
    return rc;
}

static void load_run(struct app *app, struct hale_str field, struct hale_str value)
{
    if (actuator_engine_load_run(app->engine, value) != HALE_OK)
        hale_error("event=run_unreadable run=%.*s",
                   (int)(field.len < 40 ? field.len : 40), field.p);
}

static void load_guard(struct app *app, struct hale_str field, struct hale_str value)
{
    if (actuator_engine_load_guard(app->engine, field, value) != HALE_OK)
        hale_error("event=guard_unreadable target=%.*s",
                   (int)(field.len < 100 ? field.len : 100), field.p);
}

bool app_alarm_now(struct app *app, const char *alarm_id, struct hale_alarm *out,
                   bool *gone)
{
    struct hale_reply *reply = NULL;
    bool ok =
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_ALARMS),
                       hale_str_from(alarm_id)) == HALE_OK;
    if (!ok) {
        hale_warn("event=redis_failed what=alarm detail=\"%s\"",
                  hale_redis_error(app->ask));
        app->failed = true; /* nobody may act as if nothing had changed */
    }
    *gone = ok && hale_reply_is_nil(reply);
    if (ok && !*gone)
        ok = hale_alarm_decode(hale_reply_str(reply), out) == HALE_OK;
    hale_reply_free(reply);
    return ok;
}

static void load_alarm(const char *alarm_id, void *arg)
{
    struct app *app = arg;
    struct hale_alarm alarm;
    bool gone = false;
    memset(&alarm, 0, sizeof(alarm));
    if (!app_alarm_now(app, alarm_id, &alarm, &gone))
        return;
    if (!gone)
        actuator_engine_load_watch(app->engine, &alarm);
    actuator_engine_alarm_now(app->engine, alarm_id, gone, alarm.state, alarm.seq,
                              alarm.state_updated_ms * 1000);
    if (!gone)
        hale_alarm_fini(&alarm);
}

static int last_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                   struct hale_str value, void *arg)
{
    (void)stream, (void)field, (void)value;
    *(int64_t *)arg = (int64_t)id.ms;
    return 0;
}

/* A position of act:meta; -1 when there is none. */
static enum hale_rc load_meta(struct app *app, const char *field, int64_t *out)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_ACT_META), hale_str_from(field));
    *out = rc != HALE_OK || hale_reply_is_nil(reply) ? -1 : hale_reply_int(reply);
    hale_reply_free(reply);
    return rc;
}

/* Where to go on; a first start looks at the newest records only. */
static enum hale_rc load_position(struct app *app, int64_t *last_out)
{
    struct hale_reply *reply = NULL;
    int64_t last = 0;
    enum hale_rc rc = load_meta(app, "alarmlog", &app->acted);
    if (rc == HALE_OK)
        rc = load_meta(app, "told", &app->told);
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XREVRANGE"),
                            HALE_STR(HALE_KEYS_ALARMLOG), HALE_STR("+"), HALE_STR("-"),
                            HALE_STR("COUNT"), HALE_STR("1"));
    if (rc == HALE_OK)
        (void)hale_reply_range(reply, last_id, &last);
    hale_reply_free(reply);
    if (app->acted < 0)
        app->acted = last > FIRST_LOOKBACK ? last - FIRST_LOOKBACK : 0;
    if (app->told < 0)
        app->told = app->acted;
    if (rc == HALE_OK && (app->acted > last || app->told > last)) {
        hale_warn("event=alarm_log_restarted position=%lld last=%lld",
                  (long long)(app->acted > app->told ? app->acted : app->told),
                  (long long)last);
        app->acted = app->told = 0; /* the log was begun anew: its numbers, too */
    }
    app->seen = !app->tells                            ? app->acted
                : !app->acts || app->told < app->acted ? app->told
                                                       : app->acted;
    *last_out = last;
    return rc;
}

/* Cursors from Redis; a subscriber without one begins at the current position. */
static enum hale_rc load_cursors(struct app *app, int64_t log_end)
{
    char key[HALE_KEY_MAX];
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; i < app->conf->subscribers.n && rc == HALE_OK; i++) {
        struct hale_reply *reply = NULL;
        (void)hale_keys_cursor(app->conf->subscribers.v[i].name, key);
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("GET"), hale_str_from(key));
        if (rc == HALE_OK && !hale_reply_is_nil(reply))
            actuator_notify_set_cursor(app->notify, i, hale_reply_int(reply), log_end);
        hale_reply_free(reply);
    }
    return rc;
}

void app_unload(struct app *app)
{
    app_call_cancel_all(app);
    actuator_inventory_stop(app->inventory);
    app->inventory = NULL;
    app_doctor_unload(app);
    app_scale_unload(app);
    app_upkeep_unload(app);
    app_unload_world(app);
    app_topology_unload(app);
    actuator_courier_free(app->courier);
    actuator_contacts_free(app->contacts);
    actuator_notify_free(app->notify);
    app_unload_dead(app);
    actuator_engine_free(app->engine);
    actuator_ledger_free(app->ledger);
    hale_redis_free(app->read);
    hale_redis_free(app->ask);
    app->courier = NULL;
    app->contacts = NULL;
    app->notify = NULL;
    app->engine = NULL;
    app->ledger = NULL;
    app->read = app->ask = NULL;
    app->loaded = app->reading = app->failed = false;
}

const struct actuator_policies *app_policies(const struct app *app)
{
    static const struct actuator_policies none;
    return app->acts ? app->conf->policies : &none;
}

static void io_verdicts(void *arg, const char *run_id)
{
    app_read_verdicts(arg, run_id);
}

bool app_load(struct app *app)
{
    const struct actuator_engine_io io = {
        app, io_commit, app_call, app_call_cancel, app_topology, io_verdicts};
    int64_t log_end = 0;
    memset(&app->counted, 0, sizeof(app->counted));
    app->acts = actuator_roles_has(app->roles, ACTUATOR_ROLE_ACT);
    app->tells = actuator_roles_has(app->roles, ACTUATOR_ROLE_TELL);
    app->seen = app->acted = app->told = 0;
    app->read = hale_redis_new(app->conf->redis, ACTUATOR_LEDGER_WAIT_MS);
    app->ask = hale_redis_new(app->conf->redis, ACTUATOR_LEDGER_WAIT_MS);
    app->ledger = actuator_ledger_new(app->conf->redis, app->roles);
    app->engine = actuator_engine_new(&io, app_policies(app));
    if (app->read == NULL || app->ask == NULL || app->ledger == NULL ||
        app->engine == NULL)
        return false;
    /* The control position comes first: what changes meanwhile is read again. */
    if (load_position(app, &log_end) != HALE_OK || app_load_control(app) != HALE_OK)
        return false;
    actuator_engine_set_collector(app->engine, &app->conf->collector);
    if (app->acts && (load_hash(app, HALE_KEYS_RUNS, load_run) != HALE_OK ||
                      load_hash(app, HALE_KEYS_GUARDS, load_guard) != HALE_OK ||
                      load_hash(app, HALE_KEYS_VERDICTS, app_load_verdict) != HALE_OK ||
                      app_load_world(app) != HALE_OK))
        return false;
    if (app->tells) {
        if (!app_load_dead(app))
            return false;
        app->notify = app_notify_new(app);
        if (app->notify == NULL || load_cursors(app, log_end) != HALE_OK ||
            !app_load_methods(app, log_end) || !app_load_groups(app) ||
            !app_load_replays(app) || !app_doctor_load(app))
            return false;
    }
    if (!app_declare(app))
        return false;
    actuator_engine_each_alarm(app->engine, load_alarm, app);
    if (app->failed)
        return false;
    if (app->back_us > 0)
        actuator_engine_set_back(app->engine, app->back_us, hale_clock_wall_us());
    actuator_engine_start(app->engine, hale_clock_wall_us());
    if (!app_scale_load(app) || !app_upkeep_load(app) || !app_upkeep_say_load(app))
        return false;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_RELOADS), 1);
    hale_info("event=loaded acts=%d tells=%d position=%lld runs=%lld", app->acts,
              app->tells, (long long)app->seen,
              (long long)actuator_engine_stats(app->engine).open);
    if (app->tells)
        app->inventory = actuator_inventory_start(app->conf);
    app->loaded = true;
    app->back_us = 0;
    app->health_us = 0;
    return true;
}
