/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - what a shard writes. Records go out in one MULTI with the position reached, so
 * after a crash they are known to be written; a snapshot goes out in one MULTI with its
 * positions.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "thresholds/record.h"
#include "thresholds/shard_inner.h"

#define OUT_RECORDS      8192        /* written at once at the latest */
#define OUT_BYTES        (16u << 20) /* and at this size */
#define DRAIN_EACH_BYTES (4u << 20)
#define DRAIN_WAIT_MS    10000

/* --- positions ---------------------------------------------------------------------- */

int thresholds_position_cmp(const struct thresholds_position *a,
                            const struct thresholds_position *b)
{
    int by_entry = hale_stream_id_cmp(a->entry, b->entry);
    if (by_entry != 0)
        return by_entry;
    if (a->tick_ms != b->tick_ms)
        return a->tick_ms < b->tick_ms ? -1 : 1;
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

const char *thresholds_position_text(const struct thresholds_position *p,
                                     char dst[THRESHOLDS_POSITION_TEXT])
{
    char id[HALE_STREAM_ID_TEXT];
    (void)snprintf(dst, THRESHOLDS_POSITION_TEXT, "%s %" PRId64 " %" PRIu64,
                   hale_stream_id_text(p->entry, id), p->tick_ms, p->ordinal);
    return dst;
}

enum hale_rc thresholds_position_parse(struct hale_str text,
                                       struct thresholds_position *out)
{
    enum hale_rc rc = hale_stream_id_parse(hale_str_split(&text, ' '), &out->entry);
    if (rc == HALE_OK)
        rc = hale_str_i64(hale_str_split(&text, ' '), &out->tick_ms);
    return rc == HALE_OK ? hale_str_u64(text, &out->ordinal) : rc;
}

/* --- records ------------------------------------------------------------------------ */

static bool keep_end(struct thresholds_shard *s)
{
    if (s->n_out == s->cap_out) {
        size_t cap = s->cap_out == 0 ? 256 : s->cap_out * 2;
        size_t *ends = realloc(s->ends, cap * sizeof(*ends));
        if (ends == NULL)
            return false;
        s->ends = ends;
        s->cap_out = cap;
    }
    s->ends[s->n_out++] = s->out.len;
    return true;
}

void thresholds_shard_emit(const struct thresholds_event *ev, void *shard)
{
    struct thresholds_shard *s = shard;
    if (s->failed)
        return;
    if (ev->by_tick && ev->at_ms != s->pos.tick_ms) {
        s->pos.tick_ms = ev->at_ms;
        s->pos.ordinal = 0;
    }
    s->pos.ordinal++;
    s->dirty = true;
    if (s->replaying && thresholds_position_cmp(&s->pos, &s->output) <= 0) {
        hale_counter_add(&thresholds_suppressed_records, 1);
        return;
    }
    int64_t decided_us = hale_clock_wall_us();
    if (ev->kind == HALE_SUB_STATE && ev->accepted_us > 0)
        hale_counter_observe_us(&thresholds_latency, decided_us - ev->accepted_us);
    enum hale_rc rc = thresholds_record_encode(ev, decided_us, &s->out);
    if (rc != HALE_OK || s->out.failed || !keep_end(s)) {
        (void)thresholds_shard_fail(s, HALE_E_NOMEM, "record");
        return;
    }
    if (s->n_out >= OUT_RECORDS || s->out.len >= OUT_BYTES)
        (void)thresholds_shard_commit(s);
}

/* Inside a transaction: the XADDs and the position. */
static enum hale_rc append_records(struct thresholds_shard *s)
{
    enum hale_rc rc = HALE_OK;
    size_t from = 0;
    for (size_t i = 0; rc == HALE_OK && i < s->n_out; i++) {
        struct hale_str json = {s->out.p + from, s->ends[i] - from};
        from = s->ends[i];
        rc = HALE_REDIS(s->write, HALE_STR("XADD"), hale_str_from(s->subalarms_key),
                        HALE_STR("*"), HALE_STR("j"), json);
    }
    if (rc == HALE_OK && s->n_out > 0) {
        char text[THRESHOLDS_POSITION_TEXT];
        rc = HALE_REDIS(s->write, HALE_STR("HSET"), hale_str_from(s->meta_key),
                        HALE_STR("output"),
                        hale_str_from(thresholds_position_text(&s->pos, text)));
    }
    return rc;
}

/* EXEC, and no element of the answer may be an error. */
static enum hale_rc finish(struct thresholds_shard *s, const char *what)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_exec(s->write, &reply);
    if (rc != HALE_OK)
        return thresholds_shard_fail(s, rc, what);
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        if (hale_reply_is_error(hale_reply_at(reply, i)))
            rc = thresholds_shard_fail(s, HALE_E_CONFLICT, what);
    }
    hale_reply_free(reply);
    if (rc == HALE_OK && s->n_out > 0) {
        hale_counter_add(&thresholds_records, (int64_t)s->n_out);
        s->output = s->pos;
        s->n_out = 0;
        hale_buf_reset(&s->out);
    }
    return rc;
}

enum hale_rc thresholds_shard_commit(struct thresholds_shard *s)
{
    if (s->failed)
        return HALE_E_IO;
    if (s->n_out == 0)
        return HALE_OK;
    enum hale_rc rc = hale_redis_begin(s->write);
    if (rc == HALE_OK)
        rc = append_records(s);
    /* A failure closes the connection: what was queued without EXEC is not done. */
    return rc == HALE_OK ? finish(s, "writing records")
                         : thresholds_shard_fail(s, rc, "writing records");
}

/* --- snapshot ----------------------------------------------------------------------- */

struct writer {
    struct thresholds_shard *s;
    size_t queued; /* bytes since the write buffer was last empty */
    enum hale_rc rc;
};

/* Waits until the socket has taken what is queued, so that a snapshot of any size fits
 * through the connection's write buffer. */
static enum hale_rc drain(struct hale_redis *r)
{
    int64_t deadline = hale_clock_mono_ms() + DRAIN_WAIT_MS;
    for (;;) {
        struct pollfd fd;
        enum hale_rc rc = hale_redis_flush(r);
        hale_redis_pollfd(r, &fd);
        if (rc != HALE_OK || (fd.events & POLLOUT) == 0)
            return rc;
        if (hale_clock_mono_ms() > deadline)
            return HALE_E_IO;
        fd.events = POLLOUT;
        (void)poll(&fd, 1, 100);
    }
}

static int save_field(struct hale_str field, struct hale_str value, void *arg)
{
    struct writer *w = arg;
    struct hale_str key = hale_str_from(w->s->state_key);
    if (value.p != NULL)
        w->rc = HALE_REDIS(w->s->write, HALE_STR("HSET"), key, field, value);
    else
        w->rc = HALE_REDIS(w->s->write, HALE_STR("HDEL"), key, field);
    w->queued += value.len;
    if (w->rc == HALE_OK && w->queued > DRAIN_EACH_BYTES) {
        w->rc = drain(w->s->write);
        w->queued = 0;
    }
    return w->rc == HALE_OK ? 0 : 1;
}

static enum hale_rc append_positions(struct thresholds_shard *s)
{
    char snapshot[THRESHOLDS_POSITION_TEXT], control[HALE_STREAM_ID_TEXT], tick[24];
    struct thresholds_position at = s->pos;
    (void)snprintf(tick, sizeof(tick), "%" PRId64, at.tick_ms);
    (void)hale_stream_id_text(at.entry, snapshot);
    char ordinal[24];
    (void)snprintf(ordinal, sizeof(ordinal), "%" PRIu64, at.ordinal);
    return HALE_REDIS(s->write, HALE_STR("HSET"), hale_str_from(s->meta_key),
                      HALE_STR("snapshot"), hale_str_from(snapshot), HALE_STR("tick"),
                      hale_str_from(tick), HALE_STR("ordinal"), hale_str_from(ordinal),
                      HALE_STR("control"),
                      hale_str_from(hale_stream_id_text(s->control, control)));
}

enum hale_rc thresholds_shard_snapshot(struct thresholds_shard *s)
{
    if (s->failed)
        return HALE_E_IO;
    struct writer w = {.s = s, .rc = HALE_OK};
    enum hale_rc rc = hale_redis_begin(s->write);
    if (rc == HALE_OK && s->rewrite)
        rc = HALE_REDIS(s->write, HALE_STR("DEL"), hale_str_from(s->state_key));
    if (rc == HALE_OK)
        rc = append_records(s);
    if (rc == HALE_OK)
        rc = thresholds_engine_save(s->engine, s->rewrite, save_field, &w);
    if (rc == HALE_OK)
        rc = append_positions(s);
    if (rc == HALE_OK)
        rc = drain(s->write);
    rc = rc == HALE_OK ? finish(s, "writing a snapshot")
                       : thresholds_shard_fail(s, rc, "writing a snapshot");
    if (rc != HALE_OK)
        return rc;
    thresholds_engine_saved(s->engine);
    s->rewrite = false;
    s->dirty = false;
    hale_counter_add(&thresholds_snapshots, 1);
    return HALE_OK;
}
