/* SPDX-License-Identifier: Apache-2.0 */
/* Notification methods: from Redis into the courier, and the control records that change them. */
#include <stdio.h>
#include <string.h>

#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

#define REFILL_COUNT  128
#define REFILL_ROUNDS 16 /* XRANGEs in one turn of the loop */
#define SCAN_COUNT    "512"

/* --- what the courier asks ----------------------------------------------------------- */

static void io_mark(void *arg, const char *method_id, const char *text)
{
    struct app *app = arg;
    if (actuator_ledger_hset(app->ledger, HALE_KEYS_ACT_METHODS, method_id,
                             hale_str_from(text)) != HALE_OK)
        app->failed = true;
}

struct found {
    struct hale_log_record *out;
    enum hale_rc rc;
};

static int on_found(unsigned stream, struct hale_stream_id id, struct hale_str field,
                    struct hale_str value, void *arg)
{
    struct found *found = arg;
    (void)stream, (void)field;
    memset(found->out, 0, sizeof(*found->out));
    /* One that cannot be read is as good as gone: it will not get better. */
    found->rc =
        app_record_decode(value, found->out) == HALE_OK ? HALE_OK : HALE_E_NOTFOUND;
    found->out->seq = (int64_t)id.ms;
    return 1;
}

static enum hale_rc io_record(void *arg, int64_t seq, struct hale_log_record *out)
{
    struct app *app = arg;
    struct found found = {out, HALE_E_NOTFOUND};
    struct hale_reply *reply = NULL;
    char id[32];
    (void)snprintf(id, sizeof(id), "%lld-0", (long long)seq);
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XRANGE"), HALE_STR(HALE_KEYS_ALARMLOG),
                       hale_str_from(id), hale_str_from(id)) != HALE_OK) {
        app->failed = true;
        return HALE_E_IO;
    }
    (void)hale_reply_range(reply, on_found, &found);
    hale_reply_free(reply);
    return found.rc;
}

static enum hale_rc io_alarm(void *arg, const char *id, struct hale_alarm *out)
{
    bool gone = false;
    memset(out, 0, sizeof(*out));
    if (!app_alarm_now(arg, id, out, &gone))
        return HALE_E_IO;
    return gone ? HALE_E_NOTFOUND : HALE_OK;
}

/* --- loading ------------------------------------------------------------------------- */

static enum hale_rc each_field(struct app *app, const char *key,
                               void (*each)(struct app *app, struct hale_str field,
                                            struct hale_str value, void *arg),
                               void *arg)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"), hale_str_from(key));
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(reply); i += 2)
        each(app, hale_reply_str(hale_reply_at(reply, i)),
             hale_reply_str(hale_reply_at(reply, i + 1)), arg);
    hale_reply_free(reply);
    return rc;
}

static void set_definition(struct app *app, struct hale_str id, struct hale_str json,
                           void *arg)
{
    (void)arg;
    if (actuator_contacts_set(app->contacts, id, json) != HALE_OK)
        hale_error("event=definition_unreadable id=%.*s",
                   (int)(id.len < 40 ? id.len : 40), id.p);
}

static void set_method(struct app *app, struct hale_str id, struct hale_str json,
                       struct hale_str mark)
{
    struct hale_method *m = NULL;
    struct hale_err err = {0};
    if (hale_method_decode(json, &m, &err) != HALE_OK ||
        actuator_courier_method(app->courier, m, mark) != HALE_OK)
        hale_error("event=method_unusable id=%.*s detail=\"%s\"",
                   (int)(id.len < 40 ? id.len : 40), id.p, err.text);
}

static void load_method(struct app *app, struct hale_str id, struct hale_str json,
                        void *arg)
{
    struct hale_reply *reply = NULL;
    (void)arg;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"),
                       HALE_STR(HALE_KEYS_ACT_METHODS), id) == HALE_OK)
        set_method(app, id, json, hale_reply_str(reply));
    else
        app->failed = true;
    hale_reply_free(reply);
}

static int last_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                   struct hale_str value, void *arg)
{
    (void)stream, (void)field, (void)value;
    *(struct hale_stream_id *)arg = id;
    return 0;
}

enum hale_rc app_load_control(struct app *app)
{
    struct hale_reply *reply = NULL;
    app->control = (struct hale_stream_id){0, 0};
    enum hale_rc rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XREVRANGE"),
                                     HALE_STR(HALE_KEYS_CONTROL), HALE_STR("+"),
                                     HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc == HALE_OK)
        (void)hale_reply_range(reply, last_id, &app->control);
    hale_reply_free(reply);
    return rc;
}

static void resume(struct app *app, const struct hale_reply *page, int64_t now_us)
{
    for (size_t i = 1; i < hale_reply_n(page); i += 2) {
        struct hale_alarm a;
        memset(&a, 0, sizeof(a));
        if (hale_alarm_decode(hale_reply_str(hale_reply_at(page, i)), &a) != HALE_OK)
            continue;
        actuator_courier_resume(app->courier, &a, now_us);
        hale_alarm_fini(&a);
    }
}

/* Who has a period goes on being told about the alarms there are. */
static enum hale_rc load_repeats(struct app *app)
{
    char cursor[32] = "0";
    enum hale_rc rc = HALE_OK;
    if (!actuator_courier_repeats(app->courier))
        return HALE_OK;
    do {
        struct hale_reply *reply = NULL;
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HSCAN"),
                            HALE_STR(HALE_KEYS_ALARMS), hale_str_from(cursor),
                            HALE_STR("COUNT"), HALE_STR(SCAN_COUNT));
        if (rc != HALE_OK)
            return rc;
        struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
        (void)snprintf(cursor, sizeof(cursor), "%.*s", (int)next.len,
                       next.p != NULL ? next.p : "0");
        resume(app, hale_reply_at(reply, 1), hale_clock_wall_us());
        hale_reply_free(reply);
    } while (strcmp(cursor, "0") != 0);
    return rc;
}

bool app_load_methods(struct app *app, int64_t log_end)
{
    app->contacts = actuator_contacts_new();
    if (app->contacts == NULL)
        return false;
    const struct actuator_courier_parts parts = {
        .io = {app, io_mark, io_record, io_alarm, app_store_group},
        .conf = app->conf,
        .contacts = app->contacts,
        .http = app->http,
        .dead = app->dead,
        .raised = app->raised};
    app->courier = actuator_courier_new(&parts, app->seen, log_end);
    return app->courier != NULL &&
           each_field(app, HALE_KEYS_DEFINITIONS, set_definition, NULL) == HALE_OK &&
           each_field(app, HALE_KEYS_METHODS, load_method, NULL) == HALE_OK &&
           !app->failed && load_repeats(app) == HALE_OK;
}

/* --- following ----------------------------------------------------------------------- */

static void read_again(struct app *app, const struct hale_control *k)
{
    bool method = k->op == HALE_CONTROL_METHOD;
    struct hale_str id = hale_str_from(k->id);
    struct hale_reply *reply = NULL;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"),
                       method ? HALE_STR(HALE_KEYS_METHODS)
                              : HALE_STR(HALE_KEYS_DEFINITIONS),
                       id) != HALE_OK) {
        app->failed = true;
        return;
    }
    struct hale_str json = {NULL, 0};
    if (!hale_reply_is_nil(reply))
        json = hale_reply_str(reply);
    if (!method) {
        set_definition(app, id, json, NULL);
        actuator_courier_contacts_changed(app->courier, k->id);
    } else if (json.p != NULL) {
        set_method(app, id, json, (struct hale_str){NULL, 0});
    } else {
        actuator_courier_drop(app->courier, id);
    }
    hale_reply_free(reply);
}

void app_control(struct app *app, struct hale_str json)
{
    struct hale_control k;
    if (hale_control_decode(json, &k) != HALE_OK) {
        hale_warn("event=control_unreadable");
        return;
    }
    if (app->tells && (k.op == HALE_CONTROL_METHOD || k.op == HALE_CONTROL_DEFINITION))
        read_again(app, &k);
    if (app->tells && k.op == HALE_CONTROL_AODH)
        app_doctor_control(app, hale_str_from(k.id));
    if (app->acts && k.op == HALE_CONTROL_VERDICT)
        app_read_verdicts(app, k.id);
    else if (app->tells && k.op == HALE_CONTROL_DEAD_LETTER)
        (void)app_load_replays(app); /* app->failed says the same */
    if (k.op == HALE_CONTROL_UPKEEP)
        app_upkeep_control(app, k.id);
    if (k.op == HALE_CONTROL_SWITCH)
        app_switch(app, k.id);
    hale_control_fini(&k);
}

struct refill {
    struct app *app;
    const char *method_id;
    int64_t last;
    unsigned n;
};

static int on_old(unsigned stream, struct hale_stream_id id, struct hale_str field,
                  struct hale_str value, void *arg)
{
    struct refill *fill = arg;
    struct hale_log_record rec;
    (void)stream, (void)field;
    fill->n++;
    fill->last = (int64_t)id.ms;
    memset(&rec, 0, sizeof(rec));
    if (app_record_decode(value, &rec) != HALE_OK)
        return 0;
    rec.seq = (int64_t)id.ms;
    actuator_courier_offer(fill->app->courier, fill->method_id, &rec,
                           hale_clock_wall_us());
    hale_log_record_fini(&rec);
    return 0;
}

void app_refill_methods(struct app *app)
{
    char from[32], to[32], count[16];
    (void)snprintf(count, sizeof(count), "%d", REFILL_COUNT);
    for (int round = 0; round < REFILL_ROUNDS && !app->failed; round++) {
        int64_t after = 0;
        struct refill fill = {.app = app};
        struct hale_reply *reply = NULL;
        fill.method_id = actuator_courier_wanting(app->courier, &after);
        if (fill.method_id == NULL)
            return;
        (void)snprintf(from, sizeof(from), "%lld-0", (long long)after + 1);
        (void)snprintf(to, sizeof(to), "%lld-0", (long long)app->seen);
        if (after < app->seen) {
            if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XRANGE"),
                               HALE_STR(HALE_KEYS_ALARMLOG), hale_str_from(from),
                               hale_str_from(to), HALE_STR("COUNT"),
                               hale_str_from(count)) != HALE_OK) {
                app->failed = true;
                return;
            }
            (void)hale_reply_range(reply, on_old, &fill);
            hale_reply_free(reply);
        }
        actuator_courier_offered(app->courier, fill.method_id, fill.last,
                                 fill.n < REFILL_COUNT);
    }
}
