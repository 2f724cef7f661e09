/* SPDX-License-Identifier: Apache-2.0 */
/* app_doctor - who is affected by an alarm, and event alarms of Aodh's form: from Redis into memory,
 * and from the alarm log to those who wait for it. */
#include <stdlib.h>
#include <string.h>

#include "actuator/aodh.h"
#include "actuator/app.h"
#include "actuator/outage.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "store/keys.h"

struct app_doctor {
    struct actuator_outages *outages;
    struct actuator_aodh *aodh;
};

/* --- rows ---------------------------------------------------------------------------- */

static void io_row(struct app *app, const char *key, const char *id, struct hale_str json)
{
    if (actuator_ledger_hset(app->ledger, key, id, json) != HALE_OK)
        app->failed = true;
}

static void io_outage(void *arg, const char *id, struct hale_str json)
{
    io_row(arg, HALE_KEYS_ACT_OUTAGES, id, json);
}

static void io_aodh(void *arg, const char *id, struct hale_str json)
{
    io_row(arg, HALE_KEYS_ACT_AODH, id, json);
}

/* --- loading ------------------------------------------------------------------------- */

static void unreadable(const char *what, struct hale_str id)
{
    hale_error("event=%s_unreadable id=%.*s", what, (int)(id.len < 40 ? id.len : 40),
               id.p);
}

static void load_outage(struct app *app, struct hale_str id, struct hale_str json)
{
    if (actuator_outages_load(app->doctor->outages, id, json) != HALE_OK)
        unreadable("outage", id);
}

static void load_alarm(struct app *app, struct hale_str id, struct hale_str json)
{
    struct hale_aodh *a = NULL;
    if (hale_aodh_decode(json, &a) != HALE_OK ||
        actuator_aodh_alarm(app->doctor->aodh, a) != HALE_OK)
        unreadable("aodh_alarm", id);
}

static void load_state(struct app *app, struct hale_str id, struct hale_str json)
{
    if (actuator_aodh_load(app->doctor->aodh, id, json, hale_clock_wall_us()) != HALE_OK)
        unreadable("aodh_state", id);
}

static bool each_field(struct app *app, const char *key,
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
    return rc == HALE_OK;
}

bool app_doctor_load(struct app *app)
{
    const struct actuator_outages_io outages = {app, io_outage};
    const struct actuator_aodh_io aodh = {app, io_aodh};
    struct app_doctor *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return false;
    app->doctor = d;
    if (app_topology_load(app) != HALE_OK)
        return false;
    d->outages = actuator_outages_new(&outages, app->topology.copy);
    d->aodh = d->outages != NULL
                  ? actuator_aodh_new(&aodh, app->conf, app->http, d->outages, app->dead)
                  : NULL;
    if (d->aodh == NULL)
        return false;
    if (!each_field(app, HALE_KEYS_ACT_OUTAGES, load_outage) ||
        !each_field(app, HALE_KEYS_AODH, load_alarm) ||
        !each_field(app, HALE_KEYS_ACT_AODH, load_state))
        return false;
    actuator_aodh_catch_up(d->aodh, NULL, hale_clock_wall_us());
    return !app->failed;
}

void app_doctor_unload(struct app *app)
{
    if (app->doctor == NULL)
        return;
    actuator_aodh_free(app->doctor->aodh);
    actuator_outages_free(app->doctor->outages);
    free(app->doctor);
    app->doctor = NULL;
}

void app_doctor_set_conf(struct app *app)
{
    actuator_aodh_set_conf(app->doctor->aodh, app->conf);
}

/* --- following ----------------------------------------------------------------------- */

void app_doctor_control(struct app *app, struct hale_str id)
{
    struct hale_reply *reply = NULL;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_AODH),
                       id) != HALE_OK) {
        app->failed = true;
        return;
    }
    if (hale_reply_is_nil(reply)) {
        actuator_aodh_drop(app->doctor->aodh, id);
    } else {
        char text[64];
        load_alarm(app, id, hale_reply_str(reply));
        (void)snprintf(text, sizeof(text), "%.*s", (int)id.len, id.p);
        actuator_aodh_catch_up(app->doctor->aodh, text, hale_clock_wall_us());
    }
    hale_reply_free(reply);
}

static void add_affected(struct hale_log_record *rec, const struct actuator_outage *o)
{
    if (rec->alarm.life == NULL)
        rec->alarm.life = json_object();
    if (json_object_set_new(rec->alarm.life, "affected", actuator_outage_json(o)) != 0)
        hale_error("event=affected_not_told alarm=%s", rec->alarm.id);
}

void app_doctor_affected(const struct app *app, struct hale_log_record *rec)
{
    const struct actuator_outage *o =
        app->doctor != NULL ? actuator_outages_find(app->doctor->outages, rec->alarm.id)
                            : NULL;
    if (o != NULL && rec->seq >= o->seq)
        add_affected(rec, o);
}

void app_doctor_record(struct app *app, struct hale_log_record *rec, int64_t now_us)
{
    struct app_doctor *d = app->doctor;
    struct actuator_outage *o = NULL;
    enum hale_impact given =
        actuator_contacts_impact(app->contacts, rec->alarm.definition_id);
    if (actuator_outages_wants(d->outages, rec, given))
        (void)app_topology_current(app);
    if (app->failed)
        return;
    enum actuator_outage_change change =
        actuator_outages_record(d->outages, rec, given, &o);
    if (o != NULL)
        add_affected(rec, o);
    if (change == ACTUATOR_OUTAGE_NONE)
        return;
    actuator_aodh_outage(d->aodh, o, change == ACTUATOR_OUTAGE_BEGINS, rec->seq, now_us);
    if (change == ACTUATOR_OUTAGE_ENDS)
        actuator_outages_over(d->outages, o);
}

void app_doctor_event(struct app *app, const char *tenant, const char *type,
                      json_t *traits, struct hale_stream_id id)
{
    char key[64], message_id[HALE_UUID_TEXT];
    int64_t now_us = hale_clock_wall_us();
    int n = snprintf(key, sizeof(key), "upkeep\n%llu-%llu", (unsigned long long)id.ms,
                     (unsigned long long)id.seq);
    hale_id_uuid_from(key, (size_t)n, message_id);
    const struct hale_aodh_event e = {message_id, type, (int64_t)id.ms, traits};
    actuator_aodh_event(app->doctor->aodh, tenant, &e,
                        (struct actuator_aodh_place){(int64_t)id.ms, (int64_t)id.seq},
                        now_us);
}

void app_doctor_tick(struct app *app, int64_t now_us)
{
    actuator_aodh_tick(app->doctor->aodh, now_us);
    app_topology_tick(app, now_us);
}

int64_t app_doctor_next_us(const struct app *app)
{
    const struct app_doctor *d = app->doctor;
    int64_t aodh = actuator_aodh_next_us(d->aodh);
    int64_t refresh = app_topology_next_us(app);
    return aodh < refresh ? aodh : refresh;
}
