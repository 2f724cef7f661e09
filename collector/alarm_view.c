/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/alarm_view.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "collector/live.h"
#include "collector/stats.h"
#include "model/journal.h"
#include "store/keys.h"

#define BLOCK_MS     1000
#define READ_COUNT   500
#define PAGE         "1000"
#define CATCH_UP_MS  5 /* pause between pages of clients that are behind */
#define IDLE_WAIT_MS 250

struct collector_view {
    struct collector *app;
    struct collector_table *table;
    struct collector_live *live;
    struct hale_queue *joining;   /* new clients */
    struct hale_redis *tail;      /* XREAD BLOCK */
    struct hale_redis *back;      /* loading and catching up */
    struct collector_position at; /* what has been applied */
    bool reading;                 /* an XREAD is out */
    int64_t read_since_ms;
    _Atomic bool ready, stopping;
    bool running;
    pthread_t thread;
};

struct collector_table *collector_view_table(struct collector_view *v)
{
    return v->table;
}

bool collector_view_ready(const struct collector_view *v)
{
    return atomic_load(&v->ready);
}

void collector_view_counts(struct collector_view *v, const char *tenant,
                           struct collector_alarm_counts *out)
{
    collector_table_counts(v->table, tenant, out);
}

enum hale_rc collector_view_join(struct collector_view *v,
                                 struct collector_live_client *client)
{
    return hale_queue_push(v->joining, client);
}

/* --- loading ------------------------------------------------------------------------------ */

static int take_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                   struct hale_str value, void *arg)
{
    (void)stream;
    (void)field;
    (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

/* Id of the stream's last entry; zero for an empty one. */
static enum hale_rc last_id(struct collector_view *v, struct hale_str key,
                            struct hale_stream_id *out)
{
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc =
        HALE_REDIS_CMD(v->back, &reply, HALE_STR("XREVRANGE"), key, HALE_STR("+"),
                       HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc != HALE_OK)
        return rc;
    (void)hale_reply_range(reply, take_id, out);
    hale_reply_free(reply);
    return HALE_OK;
}

static void load_row(struct collector_view *v, struct hale_str json)
{
    struct hale_alarm a = {0};

    if (hale_alarm_decode(json, &a) != HALE_OK ||
        collector_table_load(v->table, &a) != HALE_OK) {
        collector_count(LOG_BAD, 1);
        hale_warn("event=alarm_unreadable");
    }
    hale_alarm_fini(&a);
}

static enum hale_rc load_alarms(struct collector_view *v)
{
    char cursor[32] = "0";

    do {
        struct hale_reply *reply = NULL;
        enum hale_rc rc =
            HALE_REDIS_CMD(v->back, &reply, HALE_STR("HSCAN"), HALE_STR(HALE_KEYS_ALARMS),
                           hale_str_from(cursor), HALE_STR("COUNT"), HALE_STR(PAGE));
        if (rc != HALE_OK)
            return rc;
        const struct hale_reply *rows = hale_reply_at(reply, 1);
        for (size_t i = 1; rows != NULL && i < hale_reply_n(rows); i += 2)
            load_row(v, hale_reply_str(hale_reply_at(rows, i)));
        struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
        memset(cursor, 0, sizeof(cursor));
        if (next.len < sizeof(cursor))
            memcpy(cursor, next.p, next.len);
        hale_reply_free(reply);
    } while (strcmp(cursor, "0") != 0 && cursor[0] != '\0');
    return HALE_OK;
}

struct history {
    struct collector_view *view;
    struct hale_stream_id oldest;
    size_t n;
    bool full;
};

static int take_history(unsigned stream, struct hale_stream_id id, struct hale_str field,
                        struct hale_str value, void *arg)
{
    struct history *h = arg;
    struct hale_log_record r = {0};

    (void)stream;
    (void)field;
    h->oldest = id;
    h->n++;
    if (hale_log_record_decode(value, &r) == HALE_OK && r.kind == HALE_ALARM_TRANSITION)
        h->full = !collector_table_load_transition(h->view->table, &r);
    hale_log_record_fini(&r);
    return h->full ? 1 : 0;
}

/* Index of the newest transitions, read backwards from the log's end. */
static enum hale_rc load_history(struct collector_view *v)
{
    struct history h = {v, {(uint64_t)v->at.seq, UINT64_MAX}, 1, false};
    char end[HALE_STREAM_ID_TEXT + 1] = "+";

    while (h.n > 0 && !h.full && !atomic_load(&v->stopping)) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = HALE_REDIS_CMD(
            v->back, &reply, HALE_STR("XREVRANGE"), HALE_STR(HALE_KEYS_ALARMLOG),
            hale_str_from(end), HALE_STR("-"), HALE_STR("COUNT"), HALE_STR(PAGE));
        if (rc != HALE_OK)
            return rc;
        h.n = 0;
        (void)hale_reply_range(reply, take_history, &h);
        hale_reply_free(reply);
        end[0] = '(';
        (void)hale_stream_id_text(h.oldest, end + 1);
    }
    return HALE_OK;
}

static enum hale_rc load(struct collector_view *v)
{
    struct hale_stream_id log;
    struct hale_stream_id journal;

    collector_table_clear(v->table);
    enum hale_rc rc = last_id(v, HALE_STR(HALE_KEYS_ALARMLOG), &log);
    if (rc == HALE_OK)
        rc = last_id(v, HALE_STR(HALE_KEYS_JOURNAL), &journal);
    if (rc == HALE_OK) {
        v->at.seq = (int64_t)log.ms;
        v->at.journal = journal;
        rc = load_alarms(v);
    }
    if (rc == HALE_OK)
        rc = load_history(v);
    if (rc != HALE_OK)
        return rc;
    atomic_store(&v->ready, true);
    hale_daemon_health_set(v->app->daemon, "alarms", true, "following the alarm log");
    hale_info("event=alarms_loaded alarms=%zu seq=%lld", collector_table_count(v->table),
              (long long)v->at.seq);
    return HALE_OK;
}

/* --- following ----------------------------------------------------------------------------- */

static void take_log(struct collector_view *v, struct hale_stream_id id,
                     struct hale_str json)
{
    struct hale_log_record r = {0};
    char tenant[HALE_TENANT_MAX_BYTES + 1] = "";

    v->at.seq = (int64_t)id.ms;
    collector_count(LOG_RECORDS, 1);
    if (hale_log_record_decode(json, &r) == HALE_OK) {
        if (strlen(r.alarm.tenant) < sizeof(tenant))
            memcpy(tenant, r.alarm.tenant, strlen(r.alarm.tenant) + 1);
        collector_table_apply(v->table, &r);
    } else {
        collector_count(LOG_BAD, 1);
        hale_error("event=log_record_unreadable seq=%lld", (long long)v->at.seq);
    }
    hale_log_record_fini(&r);
    collector_live_alarm(v->live, &v->at, tenant[0] != '\0' ? tenant : NULL, json);
}

static void take_row(struct collector_view *v, struct hale_stream_id id,
                     struct hale_str json)
{
    struct hale_journal_row row = {0};

    v->at.journal = id;
    if (hale_journal_decode(json, &row) == HALE_OK) {
        collector_live_action(v->live, &v->at, row.tenant, json);
    } else {
        collector_count(LOG_BAD, 1);
        collector_live_action(v->live, &v->at, NULL, json);
    }
    hale_journal_fini(&row);
}

static int take_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    (void)field;
    if (stream == 0)
        take_log(arg, id, value);
    else
        take_row(arg, id, value);
    return 0;
}

static const char *const KEYS[] = {HALE_KEYS_ALARMLOG, HALE_KEYS_JOURNAL};

static void start_read(struct collector_view *v)
{
    struct hale_stream_id after[2] = {{(uint64_t)v->at.seq, UINT64_MAX}, v->at.journal};

    if (hale_redis_xread(v->tail, 2, KEYS, after, READ_COUNT, BLOCK_MS) != HALE_OK ||
        hale_redis_flush(v->tail) != HALE_OK)
        return;
    v->reading = true;
    v->read_since_ms = hale_clock_mono_ms();
}

/* The connection was lost or hangs. A Redis that came back empty starts the log anew. */
static void renew(struct collector_view *v)
{
    struct hale_stream_id log;

    v->reading = false;
    hale_redis_free(v->tail);
    v->tail = hale_redis_new(v->app->conf->redis, v->app->conf->redis_timeout_ms);
    HALE_ASSERT(v->tail != NULL);
    if (last_id(v, HALE_STR(HALE_KEYS_ALARMLOG), &log) == HALE_OK &&
        (int64_t)log.ms < v->at.seq) {
        hale_warn("event=alarm_log_restarted seq=%llu", (unsigned long long)log.ms);
        atomic_store(&v->ready, false);
    }
}

static void finish_read(struct collector_view *v)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_try_reply(v->tail, &reply);

    if (rc == HALE_E_NOTFOUND) {
        if (hale_clock_mono_ms() - v->read_since_ms >
            BLOCK_MS + v->app->conf->redis_timeout_ms)
            renew(v);
        return;
    }
    if (rc != HALE_OK) {
        renew(v);
        return;
    }
    v->reading = false;
    if (!hale_reply_is_error(reply))
        (void)hale_reply_entries(reply, 2, KEYS, take_entry, v);
    hale_reply_free(reply);
}

static void wait_for_work(struct collector_view *v, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = -1},
                            {.fd = hale_queue_fd(v->joining), .events = POLLIN}};

    if (v->reading)
        hale_redis_pollfd(v->tail, &fds[0]);
    (void)poll(fds, 2, timeout_ms);
}

static void *run(void *arg)
{
    struct collector_view *v = arg;
    bool behind = false;

    while (!atomic_load(&v->stopping)) {
        if (!atomic_load(&v->ready) && load(v) != HALE_OK) {
            hale_daemon_health_set(v->app->daemon, "alarms", false,
                                   "Redis does not answer");
            wait_for_work(v, IDLE_WAIT_MS);
            continue;
        }
        if (!v->reading)
            start_read(v);
        wait_for_work(v, behind ? CATCH_UP_MS : IDLE_WAIT_MS);
        if (v->reading)
            finish_read(v);
        for (struct collector_live_client *c;
             (c = hale_queue_pop(v->joining, 0)) != NULL;)
            collector_live_add(v->live, c, &v->at);
        behind = collector_live_catch_up(v->live, v->back, &v->at);
        collector_live_beat(v->live, hale_clock_mono_ms());
    }
    return NULL;
}

static void client_drop(void *p)
{
    collector_live_client_free(p);
}

enum hale_rc collector_view_start(struct collector *c, struct collector_view **out)
{
    struct collector_view *v = hale_xcalloc(1, sizeof(*v));

    v->app = c;
    v->table = collector_table_new((size_t)c->conf->history_max);
    v->live = collector_live_new();
    v->joining = hale_queue_new(COLLECTOR_LIVE_MAX, client_drop);
    v->tail = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    v->back = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    HALE_ASSERT(v->joining != NULL && v->tail != NULL && v->back != NULL);
    hale_daemon_health_set(c->daemon, "alarms", false, "loading");
    *out = v;
    if (pthread_create(&v->thread, NULL, run, v) != 0) {
        collector_view_free(v);
        *out = NULL;
        return HALE_E_LIMIT;
    }
    v->running = true;
    return HALE_OK;
}

void collector_view_stop(struct collector_view *v)
{
    if (v == NULL)
        return;
    collector_table_close(v->table);
    atomic_store(&v->stopping, true);
    hale_queue_close(v->joining); /* wakes the thread */
    if (v->running)
        (void)pthread_join(v->thread, NULL);
    v->running = false;
    for (struct collector_live_client *c; (c = hale_queue_pop(v->joining, 0)) != NULL;)
        collector_live_client_free(c);
    collector_live_free(v->live);
    v->live = NULL;
}

void collector_view_free(struct collector_view *v)
{
    if (v == NULL)
        return;
    collector_view_stop(v);
    hale_queue_free(v->joining);
    hale_redis_free(v->tail);
    hale_redis_free(v->back);
    collector_table_free(v->table);
    free(v);
}
