/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_world - what the guards ask about and is not in the alarm log: kill switches, the alarms that
 * were open before the start.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

#define SCAN_COUNT "1000"

static void give_switch(struct app *app, struct hale_str field, struct hale_str json)
{
    actuator_engine_switch(app->engine, field, json, hale_clock_wall_us());
}

void app_switch(struct app *app, const char *field)
{
    struct hale_reply *reply = NULL;
    if (!app->acts)
        return;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_SWITCHES),
                       hale_str_from(field)) != HALE_OK) {
        app->failed = true;
        return;
    }
    give_switch(app, hale_str_from(field), hale_reply_str(reply));
    hale_reply_free(reply);
}

static enum hale_rc load_switches(struct app *app)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"),
                                     HALE_STR(HALE_KEYS_SWITCHES));
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(reply); i += 2)
        give_switch(app, hale_reply_str(hale_reply_at(reply, i)),
                    hale_reply_str(hale_reply_at(reply, i + 1)));
    hale_reply_free(reply);
    return rc;
}

static void watch_page(struct app *app, const struct hale_reply *page)
{
    for (size_t i = 1; i < hale_reply_n(page); i += 2) {
        struct hale_alarm a;
        if (hale_alarm_decode(hale_reply_str(hale_reply_at(page, i)), &a) != HALE_OK)
            continue;
        actuator_engine_load_watch(app->engine, &a);
        hale_alarm_fini(&a);
    }
}

static enum hale_rc watch_all(struct app *app)
{
    char cursor[32] = "0";
    do {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = HALE_REDIS_CMD(
            app->ask, &reply, HALE_STR("HSCAN"), HALE_STR(HALE_KEYS_ALARMS),
            hale_str_from(cursor), HALE_STR("COUNT"), HALE_STR(SCAN_COUNT));
        if (rc != HALE_OK)
            return rc;
        struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
        (void)snprintf(cursor, sizeof(cursor), "%.*s", (int)next.len,
                       next.p != NULL ? next.p : "0");
        watch_page(app, hale_reply_at(reply, 1));
        hale_reply_free(reply);
    } while (strcmp(cursor, "0") != 0);
    return HALE_OK;
}

enum hale_rc app_load_world(struct app *app)
{
    enum hale_rc rc = load_switches(app);
    if (rc != HALE_OK || !actuator_engine_wants_topology(app->conf->policies))
        return rc;
    rc = app_topology_load(app);
    app->watches = rc == HALE_OK;
    return rc == HALE_OK ? watch_all(app) : rc;
}

void app_unload_world(struct app *app)
{
    app->watches = false;
}
