/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "correlator/feed_inner.h"
#include "correlator/meters.h"

#define REPLY_TIMEOUT_MS 5000
#define BLOCK_MS         2000
#define RETRY_MS         100
#define BEAT_MS          3000
#define TRIM_MS          2000
#define TRIM_MARGIN_MS   5000
#define TX_PART_BYTES    (4u << 20) /* output of one input above this is written in parts */
#define HEALTH_NAME      "hale-correlator"

/* --- creation ------------------------------------------------------------------------ */

static void name_streams(struct correlator_feed *f)
{
    (void)snprintf(f->key_text[FEED_STREAM_CONTROL], HALE_KEY_MAX, "%s",
                   HALE_KEYS_CONTROL);
    (void)snprintf(f->key_text[FEED_STREAM_EVENTS], HALE_KEY_MAX, "%s", HALE_KEYS_EVENTS);
    (void)snprintf(f->key_text[FEED_STREAM_TOPOLOGY], HALE_KEY_MAX, "%s",
                   HALE_KEYS_TOPOLOGY);
    for (unsigned i = 0; i < (unsigned)f->conf->shards; i++)
        hale_keys_subalarms(i, f->key_text[FEED_STREAM_SUBS + i]);
    f->n_streams = FEED_STREAM_SUBS + (unsigned)f->conf->shards;
    for (unsigned i = 0; i < f->n_streams; i++)
        f->keys[i] = f->key_text[i];
}

struct correlator_feed *correlator_feed_new(const struct correlator_conf *conf,
                                            struct hale_daemon *daemon)
{
    struct correlator_feed *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->conf = conf;
    f->daemon = daemon;
    hale_buf_init(&f->scratch, 8u << 20);
    hale_buf_init(&f->rows, FEED_ROWS_BYTES);
    name_streams(f);
    f->reader = hale_redis_new(conf->redis, REPLY_TIMEOUT_MS);
    f->writer = hale_redis_new(conf->redis, REPLY_TIMEOUT_MS);
    f->tx = correlator_tx_new();
    if (f->reader == NULL || f->writer == NULL || f->tx == NULL) {
        correlator_feed_free(f);
        return NULL;
    }
    hale_daemon_health_set(daemon, "redis", false, "not connected yet");
    return f;
}

void correlator_feed_free(struct correlator_feed *f)
{
    if (f == NULL)
        return;
    correlator_engine_free(f->engine);
    hale_redis_free(f->reader);
    hale_redis_free(f->writer);
    correlator_tx_free(f->tx);
    correlator_feed_topology_drop(f);
    hale_buf_fini(&f->scratch);
    hale_buf_fini(&f->rows);
    free(f);
}

/* --- the engine's sink --------------------------------------------------------------- */

static void on_log(void *arg, const struct hale_log_record *r)
{
    struct correlator_feed *f = arg;
    char id[HALE_STREAM_ID_TEXT];
    if (f->failed)
        return;
    hale_buf_reset(&f->scratch);
    if (hale_log_record_encode(r, &f->scratch) != HALE_OK) {
        hale_error("event=log_encode_failed alarm=%s seq=%" PRId64, r->alarm.id, r->seq);
        f->failed = true;
        return;
    }
    hale_stream_id_text((struct hale_stream_id){(uint64_t)r->seq, 0}, id);
    correlator_tx_add(f->tx, CORRELATOR_XADD, HALE_KEYS_ALARMLOG, hale_str_from(id),
                      hale_buf_str(&f->scratch));
    f->n_logged++;
    if (r->kind == HALE_ALARM_TRANSITION && r->accepted_us > 0 &&
        f->n_stamps < FEED_STAMPS_MAX) {
        f->stamps[f->n_stamps].accepted_us = r->accepted_us;
        f->stamps[f->n_stamps++].event = r->alarm.from_event;
    }
}

static const char *table_key(enum correlator_table table)
{
    if (table == CORRELATOR_ENTITIES)
        return HALE_KEYS_ENTITIES;
    return table == CORRELATOR_ALARMS ? HALE_KEYS_ALARMS : HALE_KEYS_SUBS;
}

static void on_put(void *arg, enum correlator_table table, struct hale_str field,
                   struct hale_str value)
{
    struct correlator_feed *f = arg;
    if (f->failed)
        return;
    correlator_tx_add(f->tx, CORRELATOR_HSET, table_key(table), field, value);
    if (table == CORRELATOR_ENTITIES)
        correlator_feed_rows_add(f, field);
}

static void on_del(void *arg, enum correlator_table table, struct hale_str field)
{
    struct correlator_feed *f = arg;
    if (f->failed)
        return;
    correlator_tx_add(f->tx, CORRELATOR_HDEL, table_key(table), field,
                      (struct hale_str){NULL, 0});
    if (table == CORRELATOR_ENTITIES)
        correlator_feed_rows_add(f, field);
}

static void on_checkpoint(void *arg)
{
    struct correlator_feed *f = arg;
    if (f->failed ||
        correlator_tx_bytes(f->tx) + correlator_engine_dirty_bytes(f->engine) <
            TX_PART_BYTES)
        return;
    if (correlator_feed_commit(f) != HALE_OK)
        f->failed = true;
}

struct correlator_engine *correlator_feed_engine_new(struct correlator_feed *f)
{
    const struct correlator_limits limits = correlator_conf_limits(f->conf);
    const struct correlator_sink sink = {.arg = f,
                                         .log = on_log,
                                         .put = on_put,
                                         .del = on_del,
                                         .checkpoint = on_checkpoint};
    return correlator_engine_new(&limits, &sink);
}

/* --- writing ------------------------------------------------------------------------- */

static void add_positions(struct correlator_feed *f)
{
    char name[HALE_KEY_MAX], text[HALE_STREAM_ID_TEXT];
    for (unsigned i = 0; i < f->n_streams; i++) {
        if (hale_stream_id_cmp(f->done[i], f->written[i]) == 0)
            continue;
        correlator_tx_add(f->tx, CORRELATOR_HSET, HALE_KEYS_COR_META,
                          hale_str_from(correlator_feed_position_name(i, name)),
                          hale_str_from(hale_stream_id_text(f->done[i], text)));
    }
    (void)snprintf(text, sizeof(text), "%" PRId64,
                   correlator_engine_stream_ms(f->engine));
    correlator_tx_add(f->tx, CORRELATOR_HSET, HALE_KEYS_COR_META, HALE_STR("due"),
                      hale_str_from(text));
    (void)snprintf(text, sizeof(text), "%" PRId64, correlator_engine_seq(f->engine));
    correlator_tx_add(f->tx, CORRELATOR_HSET, HALE_KEYS_COR_META, HALE_STR("seq"),
                      hale_str_from(text));
}

static void committed(struct correlator_feed *f)
{
    int64_t now_us = hale_clock_wall_us();
    for (unsigned i = 0; i < f->n_stamps; i++) {
        if (f->stamps[i].event)
            correlator_meters_event_us(now_us - f->stamps[i].accepted_us);
        else
            correlator_meters_sample_us(now_us - f->stamps[i].accepted_us);
    }
    memcpy(f->written, f->done, sizeof(f->written));
    correlator_meters_add(CORRELATOR_BATCHES, 1);
    correlator_meters_add(CORRELATOR_LOGGED, f->n_logged);
    correlator_meters_publish(correlator_engine_stats(f->engine), &f->published);
    correlator_meters_topology(correlator_engine_topology_stats(f->engine),
                               &f->topology_published);
    f->n_stamps = f->n_logged = 0;
}

enum hale_rc correlator_feed_commit(struct correlator_feed *f)
{
    enum hale_rc rc = correlator_engine_flush(f->engine);
    if (rc != HALE_OK)
        return rc;
    if (f->failed || hale_redis_generation(f->writer) != f->writer_generation)
        return HALE_E_IO;
    add_positions(f);
    correlator_feed_rows_write(f);
    rc = correlator_tx_commit(f->tx, f->writer);
    if (rc != HALE_OK) {
        correlator_meters_add(CORRELATOR_COMMIT_FAILURES, 1);
        return rc;
    }
    committed(f);
    return correlator_feed_watch(f, false);
}

/* --- one entry ----------------------------------------------------------------------- */

static enum hale_rc poison(struct correlator_feed *f, unsigned stream,
                           struct hale_stream_id id)
{
    char text[HALE_STREAM_ID_TEXT];
    correlator_meters_add(CORRELATOR_POISON, 1);
    hale_warn("event=poison_record stream=%s id=%s", f->keys[stream],
              hale_stream_id_text(id, text));
    return HALE_OK;
}

/* thresholds may know a definition before its control record was read here. */
static enum hale_rc know_definition(struct correlator_feed *f,
                                    const struct hale_sub_record *r,
                                    const struct correlator_input *in)
{
    if (correlator_engine_version(f->engine, r->definition_id) >= r->definition_version)
        return HALE_OK;
    for (unsigned i = 0; i < f->n_asked; i++) {
        if (strcmp(f->asked[i], r->definition_id) == 0)
            return HALE_OK;
    }
    if (f->n_asked == FEED_ASKED_MAX || strlen(r->definition_id) >= HALE_UUID_TEXT)
        return HALE_OK;
    (void)snprintf(f->asked[f->n_asked++], HALE_UUID_TEXT, "%s", r->definition_id);
    return correlator_feed_definition(f, r->definition_id, in);
}

static enum hale_rc take_sub(struct correlator_feed *f, struct hale_str json,
                             const struct correlator_input *in)
{
    struct hale_sub_record r;
    enum hale_rc rc = hale_sub_record_decode(json, &r);
    if (rc != HALE_OK)
        return rc;
    correlator_meters_add(CORRELATOR_RECORDS_SUB, 1);
    rc = know_definition(f, &r, in);
    if (rc == HALE_OK)
        rc = correlator_engine_sub(f->engine, &r, in);
    hale_sub_record_fini(&r);
    return rc;
}

static enum hale_rc take_event(struct correlator_feed *f, struct hale_str json,
                               const struct correlator_input *in)
{
    struct hale_event ev;
    enum hale_rc rc = hale_event_decode(json, &ev);
    if (rc != HALE_OK)
        return rc;
    correlator_meters_add(CORRELATOR_RECORDS_EVENT, 1);
    rc = correlator_engine_event(f->engine, &ev, in);
    hale_event_fini(&ev);
    return rc;
}

static enum hale_rc take_control(struct correlator_feed *f, struct hale_str json,
                                 const struct correlator_input *in)
{
    struct hale_control c;
    enum hale_rc rc = hale_control_decode(json, &c);
    if (rc != HALE_OK)
        return rc;
    correlator_meters_add(CORRELATOR_RECORDS_CONTROL, 1);
    if (c.op == HALE_CONTROL_DEFINITION)
        rc = correlator_feed_definition(f, c.id, in);
    else if (c.op == HALE_CONTROL_ALARM_DELETE || c.op == HALE_CONTROL_ALARM_PATCH ||
             c.op == HALE_CONTROL_ALARM_OP)
        rc = correlator_engine_control(f->engine, &c, in);
    else if (c.op == HALE_CONTROL_SILENCE || c.op == HALE_CONTROL_MAINTENANCE)
        rc = correlator_feed_silence(f, c.op == HALE_CONTROL_MAINTENANCE, c.id, in);
    hale_control_fini(&c);
    return rc;
}

static int take_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct correlator_feed *f = arg;
    char text[HALE_STREAM_ID_TEXT];
    if (stream == FEED_STREAM_TOPOLOGY && correlator_feed_topology_full(f))
        return 0;
    const struct correlator_input in = {.entry_id = hale_stream_id_text(id, text),
                                        .entry_ms = (int64_t)id.ms,
                                        .now_us = hale_clock_wall_us()};
    /* Entries come in the order of their ids, over all streams, so what is due before this one
     * happens before it: also when there is much to read after a time away. */
    enum hale_rc rc = correlator_engine_due(f->engine, in.entry_ms, &in);
    if (rc != HALE_OK)
        return 1;
    if (!hale_str_eq_c(field, "j"))
        rc = HALE_E_INVAL;
    else if (stream == FEED_STREAM_CONTROL)
        rc = take_control(f, value, &in);
    else if (stream == FEED_STREAM_EVENTS)
        rc = take_event(f, value, &in);
    else if (stream == FEED_STREAM_TOPOLOGY)
        rc = correlator_feed_topology_take(f, value, &in);
    else
        rc = take_sub(f, value, &in);
    if (rc == HALE_E_INVAL)
        rc = poison(f, stream, id);
    if (rc != HALE_OK || f->failed)
        return 1;
    f->done[stream] = id;
    on_checkpoint(f);
    return f->failed ? 1 : 0;
}

/* --- failing and loading ------------------------------------------------------------- */

static void lose(struct correlator_feed *f, int64_t now, const char *what,
                 const char *why)
{
    char quoted[300];
    hale_warn("event=reload after=%s reason=%s", what,
              hale_log_quote(why[0] != '\0' ? why : "unknown", quoted, sizeof(quoted)));
    hale_daemon_health_set(f->daemon, "redis", false, why);
    correlator_engine_free(f->engine);
    f->engine = NULL;
    f->next_try_mono_ms = now + RETRY_MS;
    correlator_feed_topology_drop(f);
    if (f->reading) {
        /* The answer to the XREAD under way belongs to positions that are void now. */
        hale_redis_free(f->reader);
        f->reader = hale_redis_new(f->conf->redis, REPLY_TIMEOUT_MS);
        f->reading = f->clock_asked = false;
        if (f->reader == NULL) {
            hale_error("event=out_of_memory");
            hale_daemon_stop(f->daemon);
        }
    }
}

static void try_load(struct correlator_feed *f, int64_t now)
{
    f->next_try_mono_ms = now + RETRY_MS;
    enum hale_rc rc = correlator_feed_load(f);
    if (rc != HALE_OK) {
        hale_daemon_health_set(f->daemon, "redis", false, hale_redis_error(f->writer));
        if (rc != HALE_E_AGAIN)
            hale_warn("event=load_failed rc=%d reason=\"%s\"", (int)rc,
                      hale_redis_error(f->writer));
        return;
    }
    hale_daemon_health_set(f->daemon, "redis", true, "");
    f->next_beat_mono_ms = now;
}

/* --- reading ------------------------------------------------------------------------- */

/* After a read that left nothing behind: every entry up to the clock's time was
 * handled, so what has not been repeated by then was not repeated in time. */
static enum hale_rc expire(struct correlator_feed *f)
{
    const struct correlator_input in = {
        .entry_id = "0-0", .entry_ms = f->clock_ms, .now_us = hale_clock_wall_us()};
    if (!f->all_read)
        return HALE_OK;
    return correlator_engine_due(f->engine, f->clock_ms, &in);
}

static void take_batch(struct correlator_feed *f, const struct hale_reply *reply,
                       int64_t now)
{
    f->n_asked = 0;
    f->topology_bytes = 0;
    f->topology_left = f->failed = false;
    if (hale_reply_is_nil(reply) && f->held == NULL &&
        correlator_engine_next_due(f->engine) > f->clock_ms)
        return;
    if (hale_reply_is_error(reply)) {
        lose(f, now, "read", hale_reply_str(reply).p);
        return;
    }
    struct hale_merge merge = {.n = f->n_streams,
                               .keys = f->keys,
                               .count = FEED_READ_COUNT,
                               .loose = FEED_STREAM_TOPOLOGY,
                               .all = true};
    int stopped = 0;
    if (!hale_reply_is_nil(reply))
        stopped = hale_reply_merge(reply, &merge, take_entry, f);
    f->all_read = merge.all;
    if (stopped == 0 && !f->failed && f->held != NULL)
        stopped = correlator_feed_topology_rest(f, take_entry);
    enum hale_rc rc = stopped != 0 || f->failed ? HALE_E_IO : expire(f);
    if (rc == HALE_OK)
        rc = f->failed ? HALE_E_IO : correlator_feed_commit(f);
    if (rc != HALE_OK)
        lose(f, now, "write", hale_redis_error(f->writer));
}

/* A read ends when the next alarm may expire; the one after that does not wait, so that the time
 * asked before it is the time of its end. -1: do not wait. */
static int64_t block_ms(const struct correlator_feed *f, int64_t next_due_ms, int64_t now)
{
    if (next_due_ms == INT64_MAX)
        return BLOCK_MS;
    if (f->clock_ahead_ms == 0 || next_due_ms - f->clock_ahead_ms <= now)
        return -1;
    int64_t left = next_due_ms - f->clock_ahead_ms - now;
    return left < BLOCK_MS ? left : BLOCK_MS;
}

/* While entries of the topology are held, nothing more of it is read, and nothing waited for. */
static enum hale_rc ask(struct correlator_feed *f, int64_t wait_ms)
{
    struct hale_stream_id after[FEED_STREAMS_MAX];
    memcpy(after, f->done, sizeof(after));
    if (f->held != NULL)
        after[FEED_STREAM_TOPOLOGY] = (struct hale_stream_id){UINT64_MAX, UINT64_MAX};
    return hale_redis_xread(f->reader, f->n_streams, f->keys, after, FEED_READ_COUNT,
                            f->held != NULL ? -1 : wait_ms);
}

static void start_read(struct correlator_feed *f, int64_t now)
{
    int64_t next_due_ms = correlator_engine_next_due(f->engine);
    enum hale_rc rc = HALE_OK;
    f->reading = true;
    f->clock_ms = 0;
    f->clock_asked = next_due_ms != INT64_MAX;
    if (f->clock_asked)
        rc = HALE_REDIS(f->reader, HALE_STR("TIME"));
    if (rc == HALE_OK)
        rc = ask(f, block_ms(f, next_due_ms, now));
    if (rc == HALE_OK)
        rc = hale_redis_flush(f->reader);
    if (rc != HALE_OK) {
        lose(f, now, "read", hale_redis_error(f->reader));
        return;
    }
    f->read_sent_mono_ms = now;
}

static void take_clock(struct correlator_feed *f, const struct hale_reply *reply,
                       int64_t now)
{
    f->clock_asked = false;
    f->clock_ms = hale_reply_int(hale_reply_at(reply, 0)) * 1000 +
                  hale_reply_int(hale_reply_at(reply, 1)) / 1000;
    f->clock_ahead_ms = f->clock_ms - now;
}

static void finish_read(struct correlator_feed *f, int64_t now)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_try_reply(f->reader, &reply);
    if (rc == HALE_OK && f->clock_asked) {
        take_clock(f, reply, now);
        hale_reply_free(reply);
        reply = NULL;
        rc = hale_redis_try_reply(f->reader, &reply);
    }
    if (rc == HALE_E_NOTFOUND &&
        now - f->read_sent_mono_ms <= BLOCK_MS + REPLY_TIMEOUT_MS)
        return;
    if (rc == HALE_OK) {
        f->reading = false;
        take_batch(f, reply, now);
        if (f->engine != NULL && f->held == NULL && f->topology_left)
            f->held = reply;
        else
            hale_reply_free(reply);
        return;
    }
    lose(f, now, "read",
         rc == HALE_E_NOTFOUND ? "no answer to XREAD" : hale_redis_error(f->reader));
}

/* --- upkeep -------------------------------------------------------------------------- */

static enum hale_rc beat(struct correlator_feed *f)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    hale_buf_reset(&f->scratch);
    hale_daemon_health_json(f->daemon, &f->scratch);
    enum hale_rc rc =
        HALE_REDIS_CMD(f->writer, &reply, HALE_STR("SET"),
                       hale_str_from(hale_keys_health(HEALTH_NAME, key)),
                       hale_buf_str(&f->scratch), HALE_STR("EX"), HALE_STR("10"));
    hale_reply_free(reply);
    return rc;
}

/* Entries well before the position go; the entry at the position stays, so that a stream is
 * never empty once it had an entry. control has another reader and is not ours to trim. */
static enum hale_rc trim(struct correlator_feed *f)
{
    enum hale_rc rc = HALE_OK;
    char text[HALE_STREAM_ID_TEXT];
    struct hale_reply *reply = NULL;
    for (unsigned i = FEED_STREAM_EVENTS; rc == HALE_OK && i < f->n_streams; i++) {
        struct hale_stream_id to = f->written[i];
        if (i == FEED_STREAM_TOPOLOGY)
            correlator_feed_topology_keep(f, &to);
        if (to.ms > (uint64_t)hale_clock_wall_ms() - TRIM_MARGIN_MS) {
            to.ms = (uint64_t)hale_clock_wall_ms() - TRIM_MARGIN_MS;
            to.seq = 0;
        }
        if (hale_stream_id_cmp(to, f->trimmed[i]) <= 0)
            continue;
        rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("XTRIM"),
                            hale_str_from(f->keys[i]), HALE_STR("MINID"), HALE_STR("~"),
                            hale_str_from(hale_stream_id_text(to, text)));
        hale_reply_free(reply);
        reply = NULL;
        f->trimmed[i] = to;
    }
    if (rc == HALE_OK) {
        (void)snprintf(text, sizeof(text), "%d", HALE_KEYS_LOG_MAX);
        rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("XTRIM"),
                            HALE_STR(HALE_KEYS_ALARMLOG), HALE_STR("MAXLEN"),
                            HALE_STR("~"), hale_str_from(text));
        hale_reply_free(reply);
        reply = NULL;
    }
    if (rc == HALE_OK) {
        (void)snprintf(text, sizeof(text), "%d", HALE_KEYS_ENTITYLOG_MAX);
        rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("XTRIM"),
                            HALE_STR(HALE_KEYS_ENTITYLOG), HALE_STR("MAXLEN"),
                            HALE_STR("~"), hale_str_from(text));
        hale_reply_free(reply);
    }
    return rc;
}

static void upkeep(struct correlator_feed *f, int64_t now)
{
    enum hale_rc rc = HALE_OK;
    if (now >= f->next_beat_mono_ms) {
        f->next_beat_mono_ms = now + BEAT_MS;
        rc = beat(f);
    }
    if (rc == HALE_OK && now >= f->next_trim_mono_ms) {
        f->next_trim_mono_ms = now + TRIM_MS;
        rc = trim(f);
    }
    /* A refusal (say, out of memory) is not a reason to load anew; a lost connection is. */
    if (rc == HALE_E_INVAL)
        hale_warn("event=upkeep_refused reason=\"%s\"", hale_redis_error(f->writer));
    else if (rc != HALE_OK)
        lose(f, now, "upkeep", hale_redis_error(f->writer));
}

/* --- the loop's side ----------------------------------------------------------------- */

int64_t correlator_feed_wait(struct correlator_feed *f, struct pollfd *out,
                             int64_t now_mono_ms)
{
    *out = (struct pollfd){.fd = -1};
    if (f->engine == NULL)
        return f->next_try_mono_ms > now_mono_ms ? f->next_try_mono_ms - now_mono_ms : 0;
    if (f->reading)
        hale_redis_pollfd(f->reader, out);
    if (out->fd < 0)
        return 0;
    int64_t next = f->next_beat_mono_ms < f->next_trim_mono_ms ? f->next_beat_mono_ms
                                                               : f->next_trim_mono_ms;
    int64_t deadline = f->read_sent_mono_ms + BLOCK_MS + REPLY_TIMEOUT_MS + 1;
    next = deadline < next ? deadline : next;
    return next > now_mono_ms ? next - now_mono_ms : 0;
}

void correlator_feed_turn(struct correlator_feed *f, int64_t now_mono_ms)
{
    if (f->engine == NULL) {
        if (now_mono_ms >= f->next_try_mono_ms)
            try_load(f, now_mono_ms);
        if (f->engine == NULL)
            return;
    }
    if (f->reading)
        finish_read(f, now_mono_ms);
    if (f->engine != NULL)
        upkeep(f, now_mono_ms);
    if (f->engine != NULL && !f->reading)
        start_read(f, now_mono_ms);
}
