/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine.h"
#include "actuator/ledger.h"
#include "actuator/notify.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "net/http_client.h"
#include "store/keys.h"
#include "store/redis.h"

#define DAEMON         "hale-actuator"
#define CALLS_MAX      1024
#define READ_COUNT     256
#define READ_BLOCK_MS  1000
#define READ_WAIT_US   6000000 /* of a blocked read without reply: the connection is dead */
#define REFILL_COUNT   128
#define HEALTH_US      3000000
#define LATE_MS        2000 /* a record older than this is checked against the alarm's state */
#define FIRST_LOOKBACK 1000 /* records a first start goes back */
#define RECOVER_US     200000
#define TOKEN_MAX      8192
#define HEADERS_MAX    48

struct call { /* a request of the engine's, under way */
    struct app *app;
    char run_id[HALE_UUID_TEXT];
    uint64_t id;
};
struct app {
    struct hale_daemon *daemon;
    struct actuator_conf *conf;
    struct hale_http_client *http;
    struct hale_map *calls; /* run id -> struct call */
    struct hale_redis *read, *ask;
    struct actuator_ledger *ledger;
    struct actuator_engine *engine;
    struct actuator_notify *notify;
    struct actuator_engine_stats counted;
    bool loaded;     /* the state of Redis is in memory */
    bool reading;    /* an XREAD is out */
    bool failed;     /* load anew */
    int64_t read_us; /* since when */
    int64_t seen;    /* alarm log handled up to here */
    int64_t stored;  /* position in Redis, at least */
    int64_t health_us, recover_us;
};

/* --- requests of the engine --------------------------------------------------------------------- */

static void answer(struct app *app, const char *run_id, const struct actuator_answer *a)
{
    if (app->engine != NULL)
        actuator_engine_answered(app->engine, run_id, a, hale_clock_wall_us());
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct call *call = arg;
    struct app *app = call->app;
    char run_id[HALE_UUID_TEXT];
    const struct actuator_answer a = {.rc = r->rc,
                                      .sent = r->sent,
                                      .status = r->status,
                                      .body = r->body,
                                      .location = hale_http_result_header(r, "Location"),
                                      .retry_after =
                                          hale_http_result_header(r, "Retry-After"),
                                      .took_us = r->took_us,
                                      .error = r->error};
    memcpy(run_id, call->run_id, sizeof(run_id));
    hale_map_del(app->calls, hale_str_from(run_id)); /* frees call */
    answer(app, run_id, &a);
}

static void refuse_call(struct app *app, const char *run_id, enum hale_rc rc,
                        const char *why)
{
    const struct actuator_answer a = {.rc = rc, .error = why};
    answer(app, run_id, &a);
}

/* "Authorization: Bearer x" or "X-Auth-Token: x" from the file; the caller frees it. */
static enum hale_rc token_line(const struct actuator_request *q, char **out,
                               struct hale_err *err)
{
    struct hale_buf buf;
    hale_buf_init(&buf, TOKEN_MAX);
    enum hale_rc rc = hale_fs_read(q->token_file, &buf, err);
    *out = NULL;
    if (rc == HALE_OK) {
        struct hale_str token = hale_str_trim(hale_buf_str(&buf));
        bool bearer = strcmp(q->auth, "bearer") == 0;
        if (asprintf(out, "%s%.*s", bearer ? "Authorization: Bearer " : "X-Auth-Token: ",
                     (int)token.len, token.p != NULL ? token.p : "") < 0) {
            *out = NULL;
            rc = HALE_E_NOMEM;
        }
        if (buf.p != NULL)
            explicit_bzero(buf.p, buf.len);
    }
    hale_buf_fini(&buf);
    return rc;
}

static enum hale_rc start_call(struct app *app, struct call *call,
                               const struct actuator_request *q, struct hale_err *err)
{
    char *line[HEADERS_MAX + 1] = {NULL};
    unsigned n = 0;
    enum hale_rc rc = HALE_OK;
    const char *name;
    json_t *value;
    if (q->token_file[0] != '\0')
        rc = token_line(q, &line[n++], err);
    json_object_foreach (q->headers, name, value)
        if (rc == HALE_OK && n < HEADERS_MAX &&
            asprintf(&line[n++], "%s: %s", name, json_string_value(value)) < 0)
            rc = HALE_E_NOMEM;
    if (rc == HALE_OK) {
        const struct hale_http_call http = {.method = q->method,
                                            .url = q->url.p,
                                            .headers = (const char *const *)line,
                                            .body = hale_buf_str(&q->body),
                                            .timeout_ms = q->timeout_ms};
        rc = hale_http_client_start(app->http, &http, on_done, call, &call->id);
        if (rc != HALE_OK)
            (void)hale_err_set(err, rc, "the request could not be started: %s",
                               hale_rc_text(rc));
    }
    for (unsigned i = 0; i < n; i++) {
        if (line[i] != NULL)
            explicit_bzero(line[i], strlen(line[i]));
        free(line[i]);
    }
    return rc;
}

static void io_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct app *app = arg;
    struct hale_err err = {.text = "out of memory"};
    if (!actuator_allow_url(&app->conf->allow, q->url.p)) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_CALLS_DENIED), 1);
        refuse_call(app, run_id, HALE_E_DENIED,
                    "the host is not allowed: add it to 'allow' in the configuration");
        return;
    }
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        refuse_call(app, run_id, HALE_E_IO, err.text);
        return;
    }
    call->app = app;
    (void)snprintf(call->run_id, sizeof(call->run_id), "%s", run_id);
    if (hale_map_put(app->calls, hale_str_from(run_id), call) != HALE_OK) {
        free(call);
        refuse_call(app, run_id, HALE_E_IO, "too many requests are under way");
        return;
    }
    enum hale_rc rc = start_call(app, call, q, &err);
    if (rc == HALE_OK) {
        if (q->accepted_us > 0)
            hale_counter_observe_us(actuator_stat(ACTUATOR_STAT_CALL_SECONDS),
                                    hale_clock_wall_us() - q->accepted_us);
        return;
    }
    hale_map_del(app->calls, hale_str_from(run_id));
    refuse_call(app, run_id, rc == HALE_E_INVAL ? rc : HALE_E_IO, err.text);
}

static void io_cancel(void *arg, const char *run_id)
{
    struct app *app = arg;
    struct call *call = hale_map_get(app->calls, hale_str_from(run_id));
    if (call == NULL)
        return;
    hale_http_client_cancel(app->http, call->id);
    hale_map_del(app->calls, hale_str_from(run_id));
}

static void cancel_all(struct app *app)
{
    struct call *call;
    size_t it = 0;
    while ((call = hale_map_next(app->calls, &it, NULL)) != NULL)
        hale_http_client_cancel(app->http, call->id);
    hale_map_clear(app->calls);
}

static void io_commit(void *arg, const struct actuator_commit *c)
{
    struct app *app = arg;
    if (c->position > app->stored)
        app->stored = c->position;
    if (actuator_ledger_commit(app->ledger, c) != HALE_OK)
        app->failed = true;
}

static void on_committed(void *arg, const char *run_id,
                         enum actuator_commit_result result, int64_t token,
                         const char *holder)
{
    struct app *app = arg;
    actuator_engine_committed(app->engine, run_id, result, token, holder,
                              hale_clock_wall_us());
}

/* --- loading ------------------------------------------------------------------------------------ */

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

/* The alarm as it is now. false: not known (Redis failed). */
static bool alarm_now(struct app *app, const char *alarm_id, struct hale_alarm *out,
                      bool *gone)
{
    struct hale_reply *reply = NULL;
    bool ok =
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_ALARMS),
                       hale_str_from(alarm_id)) == HALE_OK;
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
    if (!alarm_now(app, alarm_id, &alarm, &gone))
        return;
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

/* Where to go on; a first start looks at the newest records only. */
static enum hale_rc load_position(struct app *app)
{
    struct hale_reply *reply = NULL;
    int64_t last = 0;
    enum hale_rc rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_ACT_META), HALE_STR("alarmlog"));
    bool first = rc == HALE_OK && hale_reply_is_nil(reply);
    if (rc == HALE_OK)
        app->seen = app->stored = hale_reply_int(reply);
    hale_reply_free(reply);
    reply = NULL;
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("XREVRANGE"),
                            HALE_STR(HALE_KEYS_ALARMLOG), HALE_STR("+"), HALE_STR("-"),
                            HALE_STR("COUNT"), HALE_STR("1"));
    if (rc == HALE_OK)
        (void)hale_reply_range(reply, last_id, &last);
    hale_reply_free(reply);
    if (first && last > FIRST_LOOKBACK)
        app->seen = last - FIRST_LOOKBACK;
    if (rc == HALE_OK &&
        app->seen > last) { /* the log was begun anew: its numbers, too */
        hale_warn("event=alarm_log_restarted position=%lld last=%lld",
                  (long long)app->seen, (long long)last);
        app->seen = app->stored = 0;
    }
    return rc;
}

/* Cursors from Redis; a subscriber without one begins at the current position. */
static enum hale_rc load_cursors(struct app *app)
{
    char key[HALE_KEY_MAX];
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; i < app->conf->n_subscribers && rc == HALE_OK; i++) {
        struct hale_reply *reply = NULL;
        (void)hale_keys_cursor(app->conf->subscriber[i].name, key);
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("GET"), hale_str_from(key));
        if (rc == HALE_OK && !hale_reply_is_nil(reply))
            actuator_notify_set_cursor(app->notify, i, hale_reply_int(reply));
        hale_reply_free(reply);
    }
    return rc;
}

static void unload(struct app *app)
{
    cancel_all(app);
    actuator_notify_free(app->notify);
    actuator_engine_free(app->engine);
    actuator_ledger_free(app->ledger);
    hale_redis_free(app->read);
    hale_redis_free(app->ask);
    app->notify = NULL;
    app->engine = NULL;
    app->ledger = NULL;
    app->read = app->ask = NULL;
    app->loaded = app->reading = app->failed = false;
}

static bool load(struct app *app)
{
    const struct actuator_engine_io io = {app, io_commit, io_call, io_cancel};
    memset(&app->counted, 0, sizeof(app->counted));
    app->seen = app->stored = 0;
    app->read = hale_redis_new(app->conf->redis, ACTUATOR_LEDGER_WAIT_MS);
    app->ask = hale_redis_new(app->conf->redis, ACTUATOR_LEDGER_WAIT_MS);
    app->ledger = actuator_ledger_new(app->conf->redis);
    app->engine = actuator_engine_new(&io, app->conf->policies);
    if (app->read == NULL || app->ask == NULL || app->ledger == NULL ||
        app->engine == NULL)
        return false;
    if (load_position(app) != HALE_OK ||
        load_hash(app, HALE_KEYS_RUNS, load_run) != HALE_OK ||
        load_hash(app, HALE_KEYS_GUARDS, load_guard) != HALE_OK)
        return false;
    app->notify = actuator_notify_new(app->conf, app->http, app->seen);
    if (app->notify == NULL || load_cursors(app) != HALE_OK)
        return false;
    actuator_engine_each_alarm(app->engine, load_alarm, app);
    actuator_engine_start(app->engine, hale_clock_wall_us());
    hale_counter_add(actuator_stat(ACTUATOR_STAT_RELOADS), 1);
    hale_info("event=loaded position=%lld runs=%lld", (long long)app->seen,
              (long long)actuator_engine_stats(app->engine).open);
    app->loaded = true;
    app->health_us = 0;
    return true;
}

/* --- the alarm log ------------------------------------------------------------------------------ */

static bool superseded(struct app *app, const struct hale_log_record *rec, int64_t now_us)
{
    struct hale_alarm alarm;
    bool gone = false, other;
    if (now_us / 1000 - rec->time_ms < LATE_MS)
        return false;
    memset(&alarm, 0, sizeof(alarm));
    if (!alarm_now(app, rec->alarm.id, &alarm, &gone))
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
    (void)stream, (void)field;
    if ((int64_t)id.ms <= app->seen)
        return 0;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_RECORDS), 1);
    memset(&rec, 0, sizeof(rec));
    if (hale_log_record_decode(value, &rec) != HALE_OK) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_RECORDS_BAD), 1);
        hale_error("event=log_record_unreadable seq=%llu", (unsigned long long)id.ms);
        app->seen = (int64_t)id.ms;
        return 0;
    }
    rec.seq = (int64_t)id.ms;
    actuator_notify_record(app->notify, &rec,
                           now_us); /* first: nobody waits for an action */
    actuator_engine_record(app->engine, &rec, superseded(app, &rec, now_us), now_us);
    app->seen = rec.seq;
    hale_log_record_fini(&rec);
    return app->failed;
}

static void read_log(struct app *app, int64_t now_us)
{
    static const char *const keys[] = {HALE_KEYS_ALARMLOG};
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
        (void)hale_reply_entries(reply, 1, keys, on_record, app);
    hale_reply_free(reply);
    if (rc == HALE_OK) {
        struct hale_stream_id after = {(uint64_t)app->seen, 0};
        rc = hale_redis_xread(app->read, 1, keys, &after, READ_COUNT, READ_BLOCK_MS);
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
    if (hale_log_record_decode(value, &rec) != HALE_OK)
        return 0;
    rec.seq = (int64_t)id.ms;
    actuator_notify_offer(fill->app->notify, fill->subscriber, &rec,
                          hale_clock_wall_us());
    hale_log_record_fini(&rec);
    return 0;
}

/* Subscribers that are behind get older records, a few at a time. */
static void refill(struct app *app)
{
    char from[32], to[32], count[16];
    for (unsigned i = 0; i < app->conf->n_subscribers; i++) {
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

/* --- housekeeping ------------------------------------------------------------------------------- */

static void store_cursors(struct app *app)
{
    char key[HALE_KEY_MAX], text[24];
    for (unsigned i = 0; i < app->conf->n_subscribers && !app->failed; i++) {
        if (!actuator_notify_moved(app->notify, i))
            continue;
        (void)snprintf(text, sizeof(text), "%lld",
                       (long long)actuator_notify_cursor(app->notify, i));
        if (actuator_ledger_set(app->ledger,
                                hale_keys_cursor(app->conf->subscriber[i].name, key),
                                hale_str_from(text), 0) != HALE_OK)
            app->failed = true;
    }
}

static void health(struct app *app, int64_t now_us)
{
    char key[HALE_KEY_MAX];
    struct hale_buf json;
    hale_daemon_health_set(app->daemon, "redis", app->loaded && !app->failed,
                           app->loaded ? "connected" : "no connection");
    if (!app->loaded || now_us < app->health_us)
        return;
    app->health_us = now_us + HEALTH_US;
    hale_buf_init(&json, 65536);
    hale_daemon_health_json(app->daemon, &json);
    if (actuator_ledger_set(app->ledger, hale_keys_health(DAEMON, key),
                            hale_buf_str(&json), 10) != HALE_OK)
        app->failed = true;
    hale_buf_fini(&json);
    if (app->seen > app->stored) { /* records that concerned no policy */
        app->stored = app->seen;
        if (actuator_ledger_position(app->ledger, app->seen) != HALE_OK)
            app->failed = true;
    }
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
        {ACTUATOR_STAT_SUPPRESSED_COOLDOWN, s.suppressed_cooldown,
         old->suppressed_cooldown},
        {ACTUATOR_STAT_SUPPRESSED_FREQUENCY, s.suppressed_frequency,
         old->suppressed_frequency},
        {ACTUATOR_STAT_SUPPRESSED_LEASE, s.suppressed_lease, old->suppressed_lease},
        {ACTUATOR_STAT_SUPPRESSED_OTHER, s.suppressed_other, old->suppressed_other},
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
    app->conf = conf;
    hale_log_set_level((enum hale_log_level)conf->log_level);
    if (app->loaded) {
        struct actuator_notify *fresh = actuator_notify_new(conf, app->http, app->seen);
        actuator_engine_set_policies(app->engine, conf->policies);
        for (unsigned i = 0; fresh != NULL && i < conf->n_subscribers; i++)
            for (unsigned k = 0; k < old->n_subscribers; k++)
                if (strcmp(conf->subscriber[i].name, old->subscriber[k].name) == 0)
                    actuator_notify_set_cursor(fresh, i,
                                               actuator_notify_cursor(app->notify, k));
        actuator_notify_free(app->notify);
        app->notify = fresh;
        app->failed = app->failed || fresh == NULL;
    }
    actuator_conf_free(old);
    hale_info("event=reloaded policies=%u subscribers=%u", conf->policies->n,
              conf->n_subscribers);
}

static int wait_ms(const struct app *app, int64_t now_us)
{
    int64_t next = now_us + RECOVER_US;
    if (app->loaded) {
        int64_t engine = actuator_engine_next_us(app->engine);
        int64_t notify = actuator_notify_next_us(app->notify);
        next = app->health_us;
        next = engine < next ? engine : next;
        next = notify < next ? notify : next;
    }
    int64_t ms = (next - now_us + 999) / 1000;
    return ms < 0 ? 0 : ms > 1000 ? 1000 : (int)ms;
}

static void wait_for_work(struct app *app)
{
    struct pollfd fds[3] = {{.fd = hale_daemon_fd(app->daemon), .events = POLLIN}};
    unsigned n = 1;
    if (app->loaded) {
        hale_redis_pollfd(app->read, &fds[n++]);
        actuator_ledger_pollfd(app->ledger, &fds[n++]);
    }
    int timeout = wait_ms(app, hale_clock_wall_us());
    if (hale_http_client_poll(app->http, fds, n, timeout) != HALE_OK)
        hale_error("event=poll_failed");
}

static void turn(struct app *app)
{
    int64_t now_us = hale_clock_wall_us();
    if (!app->loaded) {
        if (now_us < app->recover_us)
            return;
        app->recover_us = now_us + RECOVER_US;
        if (!load(app)) {
            unload(app);
            return;
        }
    }
    read_log(app, now_us);
    if (!app->failed)
        actuator_engine_tick(app->engine, hale_clock_wall_us());
    if (!app->failed)
        actuator_notify_tick(app->notify, hale_clock_wall_us());
    if (!app->failed)
        refill(app);
    if (!app->failed)
        store_cursors(app);
    if (!app->failed && actuator_ledger_drain(app->ledger, on_committed, app) != HALE_OK)
        app->failed = true;
    if (!app->failed)
        health(app, now_us);
    count(app);
    if (app->failed) { /* as after a crash: what is known is in Redis */
        unload(app);
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
    app.http = hale_http_client_new(CALLS_MAX);
    app.calls = hale_map_new(CALLS_MAX * 4, free);
    if (app.http == NULL || app.calls == NULL) {
        hale_error("event=out_of_memory");
    } else if (hale_daemon_serve(d, app.conf->listen, &err) != HALE_OK) {
        hale_error("event=listen_failed detail=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    } else {
        while (!hale_daemon_stopping(d)) {
            turn(&app);
            wait_for_work(&app);
            struct actuator_conf *fresh = hale_daemon_signals(d);
            if (fresh != NULL)
                take_conf(&app, fresh);
        }
        code = 0;
    }
    unload(&app);
    hale_map_free(app.calls);
    hale_http_client_free(app.http);
    actuator_conf_free(app.conf);
    return code;
}
