/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_upkeep_say - what maintenance sessions say, from the stream HALE_KEYS_UPKEEP_SAYS to event alarms (declared in app.h).
 * The alarms' rows are written before the position: read again, an event changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/app.h"
#include "base/log.h"
#include "store/keys.h"

#define FIELD "says" /* of HALE_KEYS_ACT_META: the position */
#define COUNT "100"

static int on_event(unsigned stream, struct hale_stream_id id, struct hale_str field,
                    struct hale_str value, void *arg)
{
    struct app *app = arg;
    json_t *o = json_loadb(value.p != NULL ? value.p : "", value.len, 0, NULL);
    const char *tenant = NULL, *type = NULL;
    json_t *traits = NULL;
    (void)stream, (void)field;
    app->says = id;
    if (json_unpack(o, "{s:s, s:s, s:o}", "tenant", &tenant, "type", &type, "traits",
                    &traits) == 0 &&
        json_is_object(traits))
        app_doctor_event(app, tenant, type, traits, id);
    else
        hale_error("event=upkeep_event_unreadable id=%llu", (unsigned long long)id.ms);
    json_decref(o);
    return 0;
}

void app_upkeep_say(struct app *app)
{
    size_t n = 1;
    char from[64];
    while (app->tells && n > 0 && !app->failed) {
        struct hale_reply *reply = NULL;
        (void)snprintf(from, sizeof(from), "(%llu-%llu", (unsigned long long)app->says.ms,
                       (unsigned long long)app->says.seq);
        if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XRANGE"),
                           HALE_STR(HALE_KEYS_UPKEEP_SAYS), hale_str_from(from),
                           HALE_STR("+"), HALE_STR("COUNT"),
                           HALE_STR(COUNT)) != HALE_OK) {
            app->failed = true;
            return;
        }
        n = hale_reply_n(reply);
        (void)hale_reply_range(reply, on_event, app);
        hale_reply_free(reply);
        (void)snprintf(from, sizeof(from), "%llu-%llu", (unsigned long long)app->says.ms,
                       (unsigned long long)app->says.seq);
        if (n > 0 && actuator_ledger_hset(app->ledger, HALE_KEYS_ACT_META, FIELD,
                                          hale_str_from(from)) != HALE_OK)
            app->failed = true;
    }
}

bool app_upkeep_say_load(struct app *app)
{
    struct hale_reply *reply = NULL;
    char text[64];
    app->says = (struct hale_stream_id){0, 0};
    if (!app->tells)
        return true;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_ACT_META),
                       HALE_STR(FIELD)) != HALE_OK)
        return false;
    struct hale_str s = hale_reply_str(reply);
    (void)snprintf(text, sizeof(text), "%.*s", (int)(s.len < 60 ? s.len : 60),
                   s.p != NULL ? s.p : "");
    hale_reply_free(reply);
    char *end = NULL;
    unsigned long long ms = strtoull(text, &end, 10);
    if (end != text && *end == '-')
        app->says = (struct hale_stream_id){ms, strtoull(end + 1, NULL, 10)};
    app_upkeep_say(app);
    return !app->failed;
}
