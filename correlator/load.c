/* SPDX-License-Identifier: Apache-2.0 */
/* load - the engine's state from Redis, under a WATCH on the positions and the log. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "correlator/feed_inner.h"
#include "correlator/meters.h"

#define SEQ_FIELD "seq"
#define DUE_FIELD "due"

const char *correlator_feed_position_name(unsigned stream, char *dst)
{
    if (stream == FEED_STREAM_CONTROL)
        (void)snprintf(dst, HALE_KEY_MAX, "pos:control");
    else if (stream == FEED_STREAM_EVENTS)
        (void)snprintf(dst, HALE_KEY_MAX, "pos:events");
    else if (stream == FEED_STREAM_TOPOLOGY)
        (void)snprintf(dst, HALE_KEY_MAX, "pos:topology");
    else
        (void)snprintf(dst, HALE_KEY_MAX, "pos:subalarms:%u", stream - FEED_STREAM_SUBS);
    return dst;
}

static enum hale_rc watch(struct correlator_feed *f)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(f->writer, &reply, HALE_STR("WATCH"), HALE_STR(HALE_KEYS_COR_META),
                       HALE_STR(HALE_KEYS_ALARMLOG));
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc number_in_redis(struct correlator_feed *f, const char *field,
                                    int64_t *out)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_COR_META), hale_str_from(field));
    if (rc == HALE_OK)
        *out = hale_reply_int(reply);
    hale_reply_free(reply);
    return rc;
}

enum hale_rc correlator_feed_watch(struct correlator_feed *f, bool unwatch)
{
    struct hale_reply *reply = NULL;
    int64_t seq = 0;
    enum hale_rc rc = HALE_OK;
    /* One round trip for all of them. */
    if (unwatch)
        rc = HALE_REDIS(f->writer, HALE_STR("UNWATCH"));
    if (rc == HALE_OK)
        rc = HALE_REDIS(f->writer, HALE_STR("WATCH"), HALE_STR(HALE_KEYS_COR_META),
                        HALE_STR(HALE_KEYS_ALARMLOG));
    if (rc == HALE_OK)
        rc = HALE_REDIS(f->writer, HALE_STR("HGET"), HALE_STR(HALE_KEYS_COR_META),
                        HALE_STR(SEQ_FIELD));
    for (unsigned left = unwatch ? 3 : 2; rc == HALE_OK && left > 0; left--) {
        hale_reply_free(reply);
        reply = NULL;
        rc = hale_redis_reply(f->writer, &reply);
        if (rc == HALE_OK && hale_reply_is_error(reply))
            rc = HALE_E_IO;
    }
    if (rc == HALE_OK)
        seq = hale_reply_int(reply);
    hale_reply_free(reply);
    if (rc == HALE_OK && seq != correlator_engine_seq(f->engine)) {
        hale_error(
            "event=second_writer detail=\"another correlator writes the alarm log\" "
            "seq=%" PRId64 " expected=%" PRId64,
            seq, correlator_engine_seq(f->engine));
        rc = HALE_E_CONFLICT;
    }
    return rc;
}

/* --- positions ----------------------------------------------------------------------- */

static int last_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    (void)stream;
    (void)field;
    (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

/* The larger of the stored seq and the log's last entry: they are written together, but a log that
 * is ahead for whatever reason must not make every write fail. */
static enum hale_rc load_seq(struct correlator_feed *f, int64_t *out)
{
    struct hale_reply *reply = NULL;
    struct hale_stream_id last = {0, 0};
    enum hale_rc rc = number_in_redis(f, SEQ_FIELD, out);
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("XREVRANGE"),
                            HALE_STR(HALE_KEYS_ALARMLOG), HALE_STR("+"), HALE_STR("-"),
                            HALE_STR("COUNT"), HALE_STR("1"));
    if (rc != HALE_OK)
        return rc;
    (void)hale_reply_range(reply, last_entry, &last);
    hale_reply_free(reply);
    if (last.ms <= INT64_MAX && (int64_t)last.ms > *out) {
        hale_error("event=seq_behind_log seq=%" PRId64 " log=%" PRIu64, *out, last.ms);
        *out = (int64_t)last.ms;
    }
    return HALE_OK;
}

static enum hale_rc load_positions(struct correlator_feed *f)
{
    char name[HALE_KEY_MAX];
    for (unsigned i = 0; i < f->n_streams; i++) {
        struct hale_reply *reply = NULL;
        struct hale_stream_id id = {0, 0};
        enum hale_rc rc = HALE_REDIS_CMD(
            f->writer, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_COR_META),
            hale_str_from(correlator_feed_position_name(i, name)));
        if (rc != HALE_OK)
            return rc;
        if (!hale_reply_is_nil(reply) &&
            hale_stream_id_parse(hale_reply_str(reply), &id) != HALE_OK)
            hale_error("event=bad_position field=%s", name);
        hale_reply_free(reply);
        f->done[i] = f->written[i] = id;
    }
    return HALE_OK;
}

/* --- hashes -------------------------------------------------------------------------- */

static enum hale_rc take_definition(struct correlator_feed *f, struct hale_str id,
                                    struct hale_str json,
                                    const struct correlator_input *in)
{
    struct hale_definition *d = NULL;
    struct hale_err err = {0};
    enum hale_rc rc = hale_definition_decode(json, &d, &err);
    if (rc == HALE_OK && !hale_str_eq_c(id, d->id)) {
        hale_definition_free(d);
        rc = hale_err_set(&err, HALE_E_INVAL, "its id is not the field's");
    }
    if (rc == HALE_E_NOMEM)
        return rc;
    if (rc != HALE_OK) {
        char quoted[400];
        hale_error("event=bad_definition id=%.*s reason=%s", (int)id.len, id.p,
                   hale_log_quote(err.text, quoted, sizeof(quoted)));
        correlator_meters_add(CORRELATOR_POISON, 1);
        return in == NULL ? correlator_engine_unreadable(f->engine, id) : HALE_OK;
    }
    /* A scan may give a row twice. */
    if (in == NULL && correlator_engine_version(f->engine, d->id) >= 0) {
        hale_definition_free(d);
        return HALE_OK;
    }
    rc = correlator_engine_define(f->engine, d, in);
    if (rc == HALE_E_LIMIT) {
        hale_error("event=definition_refused id=%.*s", (int)id.len, id.p);
        return in == NULL ? correlator_engine_unreadable(f->engine, id) : HALE_OK;
    }
    return rc;
}

static bool readable(struct hale_str json)
{
    struct hale_definition *d = NULL;
    enum hale_rc rc = hale_definition_decode(json, &d, NULL);
    hale_definition_free(d);
    return rc == HALE_OK;
}

enum hale_rc correlator_feed_definition(struct correlator_feed *f, const char *id,
                                        const struct correlator_input *in)
{
    struct hale_reply *reply = NULL;
    struct hale_str field = hale_str_from(id);
    enum hale_rc rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_DEFINITIONS), field);
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_E_IO : rc; /* INVAL would blame the record */
    if (correlator_engine_version(f->engine, id) == -2 &&
        (hale_reply_is_nil(reply) || readable(hale_reply_str(reply))))
        rc = HALE_E_IO; /* its alarms lie in Redis but are not loaded: load anew */
    else if (hale_reply_is_nil(reply))
        rc = correlator_engine_undefine(f->engine, id, in);
    else
        rc = take_definition(f, field, hale_reply_str(reply), in);
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc take_row(struct correlator_feed *f, const char *key,
                             struct hale_str field, struct hale_str value)
{
    if (strcmp(key, HALE_KEYS_DEFINITIONS) == 0)
        return take_definition(f, field, value, NULL);
    if (strcmp(key, HALE_KEYS_SILENCES) == 0 || strcmp(key, HALE_KEYS_MAINTENANCE) == 0)
        return correlator_feed_silence_row(f, strcmp(key, HALE_KEYS_MAINTENANCE) == 0,
                                           field, value, NULL);
    enum correlator_table table = CORRELATOR_SUBS;
    if (strcmp(key, HALE_KEYS_ALARMS) == 0)
        table = CORRELATOR_ALARMS;
    else if (strcmp(key, HALE_KEYS_ENTITIES) == 0)
        table = CORRELATOR_ENTITIES;
    enum hale_rc rc = correlator_engine_load(f->engine, table, field, value);
    if (rc != HALE_E_INVAL)
        return rc;
    correlator_meters_add(CORRELATOR_POISON, 1);
    char quoted[200];
    char text[128];
    (void)snprintf(text, sizeof(text), "%.*s", (int)(field.len < 127 ? field.len : 127),
                   field.p);
    hale_error("event=bad_row key=%s field=%s", key,
               hale_log_quote(text, quoted, sizeof(quoted)));
    return HALE_OK;
}

/* HALE_E_AGAIN: whoever waits for the end does not wait for all of this. */
static enum hale_rc load_hash(struct correlator_feed *f, const char *key)
{
    char cursor[32] = "0";
    do {
        struct hale_reply *reply = NULL;
        if (hale_daemon_stop_waits(f->daemon))
            return HALE_E_AGAIN;
        enum hale_rc rc = HALE_REDIS_CMD(f->writer, &reply, HALE_STR("HSCAN"),
                                         hale_str_from(key), hale_str_from(cursor),
                                         HALE_STR("COUNT"), HALE_STR(FEED_SCAN_COUNT));
        if (rc != HALE_OK)
            return rc;
        struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
        const struct hale_reply *rows = hale_reply_at(reply, 1);
        if (next.len == 0 || next.len >= sizeof(cursor))
            rc = HALE_E_IO;
        else
            (void)snprintf(cursor, sizeof(cursor), "%.*s", (int)next.len, next.p);
        for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(rows); i += 2)
            rc = take_row(f, key, hale_reply_str(hale_reply_at(rows, i)),
                          hale_reply_str(hale_reply_at(rows, i + 1)));
        hale_reply_free(reply);
        if (rc != HALE_OK)
            return rc;
    } while (strcmp(cursor, "0") != 0);
    return HALE_OK;
}

/* --- all ----------------------------------------------------------------------------- */

static enum hale_rc load_all(struct correlator_feed *f)
{
    int64_t seq = 0;
    struct correlator_input in = {.entry_id = "0-0", .now_us = hale_clock_wall_us()};
    enum hale_rc rc = watch(f);
    f->writer_generation = hale_redis_generation(f->writer);
    if (rc == HALE_OK)
        rc = load_seq(f, &seq);
    if (rc == HALE_OK)
        rc = load_positions(f);
    if (rc == HALE_OK)
        rc = number_in_redis(f, DUE_FIELD, &in.entry_ms);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_DEFINITIONS);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_ENTITIES);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_SILENCES);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_MAINTENANCE);
    if (rc == HALE_OK)
        rc = correlator_feed_topology_again(f);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_SUBS);
    if (rc == HALE_OK)
        rc = load_hash(f, HALE_KEYS_ALARMS);
    if (rc == HALE_OK)
        rc = correlator_engine_loaded(f->engine, seq, &in);
    if (rc == HALE_OK && f->failed)
        rc = HALE_E_IO;
    if (rc == HALE_OK && correlator_tx_count(f->tx) > 0)
        rc = correlator_feed_commit(f);
    return rc;
}

enum hale_rc correlator_feed_load(struct correlator_feed *f)
{
    correlator_tx_reset(f->tx);
    f->failed = false;
    f->n_stamps = f->n_logged = 0;
    f->published = (struct correlator_stats){0};
    f->topology_published = (struct cor_topology_stats){0};
    correlator_feed_rows_reset(f);
    f->engine = correlator_feed_engine_new(f);
    if (f->engine == NULL)
        return HALE_E_NOMEM;
    int64_t start_us = hale_clock_mono_us();
    enum hale_rc rc = load_all(f);
    if (rc != HALE_OK) {
        correlator_engine_free(f->engine);
        f->engine = NULL;
        return rc;
    }
    const struct correlator_stats *s = correlator_engine_stats(f->engine);
    correlator_meters_add(CORRELATOR_RELOADS, 1);
    correlator_meters_publish(s, &f->published);
    correlator_meters_topology(correlator_engine_topology_stats(f->engine),
                               &f->topology_published);
    hale_info("event=loaded alarms=%" PRIu64 " sub_alarms=%" PRIu64 " seq=%" PRId64
              " entities=%" PRIu64 " took_us=%" PRId64,
              s->by_state[0] + s->by_state[1] + s->by_state[2], s->subs,
              correlator_engine_seq(f->engine), f->topology_published.entities,
              hale_clock_mono_us() - start_us);
    return HALE_OK;
}
