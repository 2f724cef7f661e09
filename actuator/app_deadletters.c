/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters, groups, and who knows what: from Redis into memory, and the wishes to send letters again. */
#include <stdio.h>
#include <string.h>

#include "actuator/aodh.h"
#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

static void io_write(void *arg, const char *script, unsigned n_keys,
                     const struct hale_str *keys, unsigned n_args,
                     const struct hale_str *args)
{
    struct app *app = arg;
    if (actuator_ledger_script(app->ledger, script, n_keys, keys, n_args, args) !=
        HALE_OK)
        app->failed = true;
}

static void io_told(void *arg, const char *field, struct hale_str value)
{
    struct app *app = arg;
    if (actuator_ledger_hset(app->ledger, HALE_KEYS_TOLD, field, value) != HALE_OK)
        app->failed = true;
}

void app_store_group(void *arg, const char *field, struct hale_str value)
{
    struct app *app = arg;
    if (actuator_ledger_hset(app->ledger, HALE_KEYS_GROUPS, field, value) != HALE_OK)
        app->failed = true;
}

struct actuator_notify *app_notify_new(struct app *app)
{
    const struct actuator_notify_parts parts = {.conf = app->conf,
                                                .http = app->http,
                                                .dead = app->dead,
                                                .raised = app->raised,
                                                .arg = app,
                                                .store_group = app_store_group};
    return actuator_notify_new(&parts, app->seen);
}

/* What nobody owns any more goes. */
bool app_load_groups(struct app *app)
{
    struct hale_reply *reply = NULL;
    char field[512];
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"),
                       HALE_STR(HALE_KEYS_GROUPS)) != HALE_OK)
        return false;
    for (size_t i = 0; i + 1 < hale_reply_n(reply); i += 2) {
        struct hale_str name = hale_reply_str(hale_reply_at(reply, i));
        (void)snprintf(field, sizeof(field), "%.*s", (int)name.len, name.p);
        struct hale_str value = hale_reply_str(hale_reply_at(reply, i + 1));
        if (!actuator_notify_load_group(app->notify, name, value) &&
            !actuator_courier_load_group(app->courier, name, value))
            app_store_group(app, field, (struct hale_str){NULL, 0});
    }
    hale_reply_free(reply);
    actuator_notify_groups_loaded(app->notify);
    actuator_courier_groups_loaded(app->courier);
    return !app->failed;
}

static enum hale_rc io_read(void *arg, const char *key, const char *field,
                            struct hale_buf *out)
{
    struct app *app = arg;
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"),
                                     hale_str_from(key), hale_str_from(field));
    if (rc != HALE_OK) {
        app->failed = true;
        return HALE_E_IO;
    }
    if (hale_reply_is_nil(reply))
        rc = HALE_E_NOTFOUND;
    else
        hale_buf_add_str(out, hale_reply_str(reply));
    hale_reply_free(reply);
    return rc == HALE_OK && out->failed ? HALE_E_LIMIT : rc;
}

static bool is_known(void *arg, const char *recipient)
{
    const struct app *app = arg;
    return strncmp(recipient, ACTUATOR_AODH_RECIPIENT,
                   sizeof(ACTUATOR_AODH_RECIPIENT) - 1) == 0 ||
           actuator_notify_has(app->notify, recipient) ||
           actuator_courier_has(app->courier, recipient);
}

/* The wishes there are; what nobody can fulfil is taken back. */
bool app_load_replays(struct app *app)
{
    struct hale_reply *reply = NULL;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"),
                       HALE_STR(HALE_KEYS_REPLAYS)) != HALE_OK) {
        app->failed = true;
        return false;
    }
    for (size_t i = 0; i + 1 < hale_reply_n(reply); i += 2)
        actuator_deadletters_load(app->dead, hale_reply_str(hale_reply_at(reply, i)),
                                  hale_reply_str(hale_reply_at(reply, i + 1)));
    hale_reply_free(reply);
    actuator_deadletters_sweep(app->dead, app, is_known);
    return !app->failed;
}

bool app_load_dead(struct app *app)
{
    const struct actuator_deadletters_io io = {app, io_write, io_read};
    struct hale_reply *reply = NULL;
    app->dead = actuator_deadletters_new(&io);
    app->raised = actuator_raised_new(app, io_told, hale_clock_wall_ms());
    if (app->dead == NULL || app->raised == NULL ||
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"), HALE_STR(HALE_KEYS_TOLD)) !=
            HALE_OK)
        return false;
    for (size_t i = 0; i + 1 < hale_reply_n(reply); i += 2)
        actuator_raised_load(app->raised, hale_reply_str(hale_reply_at(reply, i)),
                             hale_reply_str(hale_reply_at(reply, i + 1)));
    hale_reply_free(reply);
    return true;
}

void app_unload_dead(struct app *app)
{
    actuator_deadletters_free(app->dead);
    actuator_raised_free(app->raised);
    app->dead = NULL;
    app->raised = NULL;
}
