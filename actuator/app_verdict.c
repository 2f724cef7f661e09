/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

static const char *const KINDS[ACTUATOR_VERDICTS] = {
    [ACTUATOR_VERDICT_PROPOSAL] = "proposal",
    [ACTUATOR_VERDICT_ACK] = "ack",
    [ACTUATOR_VERDICT_ABORT] = "abort",
};

void app_load_verdict(struct app *app, struct hale_str field, struct hale_str value)
{
    char run_id[HALE_UUID_TEXT];
    const char *colon = field.len > 0 ? memchr(field.p, ':', field.len) : NULL;
    if (colon == NULL || colon - field.p != HALE_UUID_TEXT - 1)
        return;
    (void)snprintf(run_id, sizeof(run_id), "%.*s", HALE_UUID_TEXT - 1, field.p);
    struct hale_str kind = {colon + 1, field.len - HALE_UUID_TEXT};
    for (int i = 0; i < ACTUATOR_VERDICTS; i++)
        if (hale_str_eq(kind, hale_str_from(KINDS[i])))
            actuator_engine_verdict(app->engine, run_id, (enum actuator_verdict_kind)i,
                                    value, hale_clock_wall_us());
}

void app_read_verdicts(struct app *app, const char *run_id)
{
    char field[ACTUATOR_VERDICTS][HALE_UUID_TEXT + 16];
    struct hale_str args[2 + ACTUATOR_VERDICTS] = {HALE_STR("HMGET"),
                                                   HALE_STR(HALE_KEYS_VERDICTS)};
    struct hale_reply *reply = NULL;
    for (int i = 0; i < ACTUATOR_VERDICTS; i++) {
        (void)snprintf(field[i], sizeof(field[i]), "%.*s:%s", HALE_UUID_TEXT - 1, run_id,
                       KINDS[i]);
        args[2 + i] = hale_str_from(field[i]);
    }
    if (hale_redis_cmd(app->ask, 2 + ACTUATOR_VERDICTS, args, &reply) != HALE_OK) {
        app->failed = true;
        return;
    }
    for (size_t i = 0; i < ACTUATOR_VERDICTS; i++)
        if (!hale_reply_is_nil(hale_reply_at(reply, i)))
            app_load_verdict(app, hale_str_from(field[i]),
                             hale_reply_str(hale_reply_at(reply, i)));
    hale_reply_free(reply);
}
