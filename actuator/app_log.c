/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/record.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"

#define READ_COUNT    256
#define READ_BLOCK_MS 1000
#define READ_WAIT_US  6000000 /* a blocked read without reply: a dead connection */
#define REFILL_COUNT  128
/* Streams of one read; control records come first, so that a transition finds the actions and
 * methods as they were when it was logged, or newer. */
enum { CONTROL, LOG };
#define LATE_MS 2000 /* older records are checked against the alarm as it is now */

enum hale_rc app_record_decode(struct hale_str json, struct hale_log_record *out)
{
    return actuator_record_decode(json, out);
}

static bool superseded(struct app *app, const struct hale_log_record *rec, int64_t now_us)
{
    struct hale_alarm alarm;
    bool gone = false, other;
    if (now_us / 1000 - rec->time_ms < LATE_MS)
        return false;
    memset(&alarm, 0, sizeof(alarm));
    if (!app_alarm_now(app, rec->alarm.id, &alarm, &gone))
        return false;
    if (gone)
        return true;
    other = alarm.seq > rec->seq && alarm.state != rec->alarm.state;
    hale_alarm_fini(&alarm);
    return other;
}

static int on_record(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    struct app *app = arg;
    struct hale_log_record rec;
    int64_t now_us = hale_clock_wall_us();
    (void)field;
    if (stream == CONTROL) {
        app->control = id;
        app->n_control++;
        app_control(app, value);
        return app->failed;
    }
    if (app->n_control == READ_COUNT) /* there may be more: it goes first */
        return 1;
    if ((int64_t)id.ms <= app->seen)
        return 0;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_RECORDS), 1);
    memset(&rec, 0, sizeof(rec));
    if (app_record_decode(value, &rec) != HALE_OK) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_RECORDS_BAD), 1);
        hale_error("event=log_record_unreadable seq=%llu", (unsigned long long)id.ms);
        app->seen = (int64_t)id.ms;
        return 0;
    }
    rec.seq = (int64_t)id.ms;
    if (app->tells && rec.seq > app->told) { /* first: nobody waits for an action */
        app_doctor_record(app, &rec, now_us);
        actuator_notify_record(app->notify, &rec, now_us);
        actuator_courier_record(app->courier, &rec, now_us);
    }
    if (app->acts && rec.seq > app->acted) {
        bool old = superseded(app, &rec, now_us);
        if (!app->failed) /* else it is read again */
            actuator_engine_record(app->engine, &rec, old, now_us);
    }
    app->seen = rec.seq;
    hale_log_record_fini(&rec);
    return app->failed;
}

void app_read_log(struct app *app, int64_t now_us)
{
    static const char *const keys[] = {
        [CONTROL] = HALE_KEYS_CONTROL, [LOG] = HALE_KEYS_ALARMLOG};
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_OK;
    if (app->reading) {
        rc = hale_redis_try_reply(app->read, &reply);
        if (rc == HALE_E_NOTFOUND && now_us - app->read_us < READ_WAIT_US)
            return;
        if (rc == HALE_OK && hale_reply_is_error(reply))
            rc = HALE_E_IO;
        app->reading = false;
    }
    if (rc == HALE_OK && reply != NULL)
        (void)hale_reply_entries(reply, 2, keys, on_record, app);
    hale_reply_free(reply);
    if (rc == HALE_OK) {
        const struct hale_stream_id after[] = {
            [CONTROL] = app->control, [LOG] = {(uint64_t)app->seen, 0}};
        app->n_control = 0;
        rc = hale_redis_xread(app->read, 2, keys, after, READ_COUNT, READ_BLOCK_MS);
        if (rc == HALE_OK)
            rc = hale_redis_flush(app->read);
        app->reading = rc == HALE_OK;
        app->read_us = now_us;
    }
    if (rc != HALE_OK) {
        hale_warn("event=redis_failed what=alarm_log detail=\"%s\"",
                  hale_redis_error(app->read));
        app->failed = true;
    }
}

struct refill {
    struct app *app;
    unsigned subscriber;
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
    app_doctor_affected(fill->app, &rec);
    actuator_notify_offer(fill->app->notify, fill->subscriber, &rec,
                          hale_clock_wall_us());
    hale_log_record_fini(&rec);
    return 0;
}

/* Subscribers that are behind get older records, a few at a time. */
void app_refill(struct app *app)
{
    char from[32], to[32], count[16];
    for (unsigned i = 0; app->tells && i < app->conf->subscribers.n; i++) {
        struct refill fill = {.app = app, .subscriber = i};
        struct hale_reply *reply = NULL;
        int64_t after;
        if (!actuator_notify_wants(app->notify, i, &after))
            continue;
        (void)snprintf(from, sizeof(from), "%lld-0", (long long)after + 1);
        (void)snprintf(to, sizeof(to), "%lld-0", (long long)app->seen);
        (void)snprintf(count, sizeof(count), "%d", REFILL_COUNT);
        if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XRANGE"),
                           HALE_STR(HALE_KEYS_ALARMLOG), hale_str_from(from),
                           hale_str_from(to), HALE_STR("COUNT"),
                           hale_str_from(count)) != HALE_OK) {
            app->failed = true;
            return;
        }
        (void)hale_reply_range(reply, on_old, &fill);
        hale_reply_free(reply);
        actuator_notify_offered(app->notify, i, fill.last, fill.n < REFILL_COUNT);
    }
}
