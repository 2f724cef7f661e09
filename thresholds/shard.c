/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard - life of a shard and its turns. A turn of reading is TIME and XREAD in one round
 * trip: an XREAD that comes back empty proves that every entry up to the TIME before it
 * was seen, so ticks up to that time (less a margin) may run. Busy or just woken: without
 * BLOCK; drained: with BLOCK until the next tick. Control records come with the same XREAD.
 */
#include "thresholds/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "thresholds/shard_inner.h"

#define MAGIC             0x73686172u
#define TIMEOUT_MS        10000
#define READ_COUNT        32
#define READ_BLOCK_MAX_MS 1000
#define ASK_COUNT         256
#define ASK_BLOCK_MS      5000
#define RETRY_MIN_MS      100
#define RETRY_MAX_MS      2000
#define OUT_MAX_BYTES     (64u << 20)

static void drop_connections(struct thresholds_shard *s)
{
    hale_redis_free(s->read);
    hale_redis_free(s->ask);
    hale_redis_free(s->write);
    s->read = s->ask = s->write = NULL;
    s->reading = s->ask_reading = s->control_left = false;
}

static bool make_connections(struct thresholds_shard *s)
{
    if (s->read == NULL)
        s->read = hale_redis_new(s->conf->redis, TIMEOUT_MS);
    if (s->ask == NULL)
        s->ask = hale_redis_new(s->conf->redis, TIMEOUT_MS);
    if (s->write == NULL)
        s->write = hale_redis_new(s->conf->redis, TIMEOUT_MS);
    return s->read != NULL && s->ask != NULL && s->write != NULL;
}

struct thresholds_shard *thresholds_shard_new(const struct thresholds_conf *conf,
                                              unsigned index)
{
    struct thresholds_shard *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->magic = MAGIC;
    s->conf = conf;
    s->checkpoint_interval_ms = conf->checkpoint_interval_ms;
    s->index = index;
    s->retry_pause_ms = RETRY_MIN_MS;
    (void)hale_keys_samples(index, s->samples_key);
    (void)hale_keys_series(index, s->series_key);
    (void)hale_keys_thr_state(index, s->state_key);
    (void)hale_keys_thr_meta(index, s->meta_key);
    (void)hale_keys_subalarms(index, s->subalarms_key);
    hale_buf_init(&s->out, OUT_MAX_BYTES);
    return s;
}

/* The gauges go, the counters stay. */
static void drop_engine(struct thresholds_shard *s)
{
    if (s->engine == NULL)
        return;
    struct thresholds_stats rest = *thresholds_engine_stats(s->engine);
    thresholds_stats_publish(&s->published, &rest);
    rest.definitions = rest.series = rest.subalarms = rest.slots = 0;
    thresholds_stats_publish(&s->published, &rest);
    s->published = (struct thresholds_stats){.samples = 0};
    thresholds_engine_free(s->engine);
    s->engine = NULL;
}

void thresholds_shard_free(struct thresholds_shard *s)
{
    if (s == NULL)
        return;
    HALE_CHECK(s, MAGIC);
    drop_engine(s);
    drop_connections(s);
    hale_buf_fini(&s->out);
    free(s->ends);
    s->magic = 0;
    free(s);
}

enum hale_rc thresholds_shard_fail(struct thresholds_shard *s, enum hale_rc rc,
                                   const char *what)
{
    if (!s->failed) {
        const char *why = s->write != NULL ? hale_redis_error(s->write) : "";
        (void)snprintf(s->error, sizeof(s->error), "%s: %s (%.300s)", what,
                       hale_rc_text(rc), why);
        s->failed = true;
    }
    return rc;
}

/* After a failure: everything anew, some time later. */
static void restart(struct thresholds_shard *s, int64_t now_mono_ms)
{
    hale_warn("event=shard_restarts shard=%u detail=\"%s\"", s->index, s->error);
    drop_engine(s);
    drop_connections(s);
    hale_buf_reset(&s->out);
    s->n_out = 0;
    s->failed = false;
    s->retry_at_ms = now_mono_ms + s->retry_pause_ms;
    s->retry_pause_ms *= 2;
    if (s->retry_pause_ms > RETRY_MAX_MS)
        s->retry_pause_ms = RETRY_MAX_MS;
}

/* --- reading control records and samples --------------------------------------------- */

/* One XREAD for both, so that whoever sees a sample has seen every control record before it. */
static enum hale_rc append_xread(struct thresholds_shard *s, int64_t block_ms)
{
    const char *keys[THRESHOLDS_STREAMS] = {HALE_KEYS_CONTROL, s->samples_key};
    const struct hale_stream_id after[THRESHOLDS_STREAMS] = {s->control, s->pos.entry};
    unsigned first = s->streams == THRESHOLDS_SAMPLES ? THRESHOLDS_STREAM_SAMPLES
                                                      : THRESHOLDS_STREAM_CONTROL;
    return hale_redis_xread(
        s->read, s->streams == THRESHOLDS_BOTH ? THRESHOLDS_STREAMS : 1, &keys[first],
        &after[first],
        s->streams == THRESHOLDS_CONTROL ? THRESHOLDS_CONTROL_MAX : READ_COUNT, block_ms);
}

static void request(struct thresholds_shard *s, int64_t now_mono_ms)
{
    int64_t block_ms = -1;
    if (s->drained) {
        int64_t next = thresholds_engine_next_tick(s->engine);
        int64_t ticked = s->redis_ms - THRESHOLDS_TICK_MARGIN_MS;
        block_ms =
            next > ticked + READ_BLOCK_MAX_MS ? READ_BLOCK_MAX_MS : next - ticked + 1;
        if (block_ms < 1)
            block_ms = 1;
    }
    s->streams = !s->reconciled    ? THRESHOLDS_SAMPLES
                 : s->control_left ? THRESHOLDS_CONTROL
                                   : THRESHOLDS_BOTH;
    enum hale_rc rc = HALE_REDIS(s->read, HALE_STR("TIME"));
    if (rc == HALE_OK)
        rc = append_xread(s, block_ms);
    if (rc == HALE_OK)
        rc = hale_redis_flush(s->read);
    if (rc != HALE_OK) {
        (void)thresholds_shard_fail(s, rc, "reading samples");
        return;
    }
    s->reading = true;
    s->got_time = false;
    s->blocking = s->drained;
    s->drained = false;
    s->read_deadline_ms = now_mono_ms + (block_ms > 0 ? block_ms : 0) + TIMEOUT_MS;
}

static void take_time(struct thresholds_shard *s, const struct hale_reply *p)
{
    int64_t ms = hale_reply_int(hale_reply_at(p, 0)) * 1000 +
                 hale_reply_int(hale_reply_at(p, 1)) / 1000;
    if (ms > s->redis_ms)
        s->redis_ms = ms;
    s->got_time = true;
}

/* Control records, then samples. Where there may be more control records than the reply had room
 * for, samples younger than its last one wait: they are read again. */
static void take_both(struct thresholds_shard *s, const struct hale_reply *p)
{
    struct hale_stream_id until = {UINT64_MAX, UINT64_MAX}, before = s->pos.entry;
    if (s->streams != THRESHOLDS_SAMPLES) {
        unsigned n = thresholds_shard_control(s, p);
        s->control_left = s->streams == THRESHOLDS_BOTH && n >= READ_COUNT;
        if (s->control_left)
            until = s->control;
    }
    if (s->failed || thresholds_shard_feed(s, p, until) != HALE_OK ||
        hale_stream_id_cmp(before, s->pos.entry) == 0)
        return;
    int64_t lag = s->redis_ms - (int64_t)s->pos.entry.ms;
    s->lag_ms = lag > 0 ? lag : 0;
}

static void take_entries(struct thresholds_shard *s, const struct hale_reply *p)
{
    if (!hale_reply_is_nil(p)) {
        take_both(s, p);
    } else if (s->streams == THRESHOLDS_CONTROL) {
        s->control_left = false; /* and of the samples it says nothing */
    } else {
        /* Nothing is in the stream that is older than redis_ms. */
        thresholds_shard_tick(s, s->redis_ms - THRESHOLDS_TICK_MARGIN_MS);
        (void)thresholds_shard_commit(s);
        s->replaying = false;
        s->drained =
            !s->blocking; /* the TIME of a request that waited is old: ask again */
        s->lag_ms = 0;
    }
    thresholds_stats_publish(&s->published, thresholds_engine_stats(s->engine));
}

/* Takes the replies that are there. Returns whether the turn is over. */
static bool take_replies(struct thresholds_shard *s, int64_t now_mono_ms)
{
    while (s->reading && !s->failed) {
        struct hale_reply *p = NULL;
        enum hale_rc rc = hale_redis_try_reply(s->read, &p);
        if (rc == HALE_E_NOTFOUND) {
            if (now_mono_ms > s->read_deadline_ms)
                (void)thresholds_shard_fail(s, HALE_E_IO, "no answer to XREAD");
            return false;
        }
        if (rc != HALE_OK || hale_reply_is_error(p)) {
            (void)thresholds_shard_fail(s, rc != HALE_OK ? rc : HALE_E_IO,
                                        "reading samples");
        } else if (!s->got_time) {
            take_time(s, p);
        } else {
            s->reading = false;
            take_entries(s, p);
        }
        hale_reply_free(p);
    }
    return !s->failed;
}

/* --- questions ---------------------------------------------------------------------- */

static void ask_turn(struct thresholds_shard *s, int64_t now_mono_ms)
{
    const char *keys[] = {HALE_KEYS_ASK};
    enum hale_rc rc = HALE_OK;
    if (!s->ask_reading) {
        rc = hale_redis_xread(s->ask, 1, keys, &s->asked, ASK_COUNT, ASK_BLOCK_MS);
        if (rc == HALE_OK)
            rc = hale_redis_flush(s->ask);
        s->ask_reading = rc == HALE_OK;
        s->ask_deadline_ms = now_mono_ms + ASK_BLOCK_MS + TIMEOUT_MS;
    }
    struct hale_reply *p = NULL;
    if (rc == HALE_OK)
        rc = hale_redis_try_reply(s->ask, &p);
    if (rc == HALE_E_NOTFOUND && now_mono_ms <= s->ask_deadline_ms)
        return;
    if (rc != HALE_OK || hale_reply_is_error(p)) {
        (void)thresholds_shard_fail(s, rc != HALE_OK ? rc : HALE_E_IO,
                                    "reading questions");
    } else {
        s->ask_reading = false;
        if (!hale_reply_is_nil(p))
            thresholds_shard_answer(s, p);
    }
    hale_reply_free(p);
}

/* --- turns -------------------------------------------------------------------------- */

static void turn(struct thresholds_shard *s, int64_t now_mono_ms)
{
    if (!s->replaying && !s->reconciled && thresholds_shard_reconcile(s) != HALE_OK)
        return;
    if (s->reconciled)
        ask_turn(s, now_mono_ms);
    if (s->failed)
        return;
    if (!s->reading)
        request(s, now_mono_ms);
    if (s->failed || !take_replies(s, now_mono_ms))
        return;
    if (s->reconciled && s->dirty && now_mono_ms >= s->checkpoint_at_ms) {
        (void)thresholds_shard_snapshot(s);
        s->checkpoint_at_ms = now_mono_ms + s->checkpoint_interval_ms;
    }
    /* On its way before the poll; not without control records once they may be applied. */
    if (!s->failed && !s->reading && (s->replaying || s->reconciled))
        request(s, now_mono_ms);
}

void thresholds_shard_step(struct thresholds_shard *s, int64_t now_mono_ms)
{
    HALE_CHECK(s, MAGIC);
    if (s->engine == NULL) {
        if (now_mono_ms < s->retry_at_ms)
            return;
        s->drained = false;
        s->redis_ms = 0;
        if (!make_connections(s))
            (void)thresholds_shard_fail(s, HALE_E_NOMEM, "connections");
        else if (thresholds_shard_load(s) == HALE_OK) {
            s->checkpoint_at_ms = now_mono_ms + s->checkpoint_interval_ms;
            s->error[0] = '\0';
        }
    }
    if (!s->failed)
        turn(s, now_mono_ms);
    if (s->failed)
        restart(s, hale_clock_mono_ms());
    else if (s->reconciled)
        s->retry_pause_ms = RETRY_MIN_MS;
}

void thresholds_shard_pollfds(const struct thresholds_shard *s,
                              struct pollfd out[THRESHOLDS_SHARD_FDS])
{
    out[0] = out[1] = (struct pollfd){.fd = -1};
    if (s->engine != NULL && s->reading)
        hale_redis_pollfd(s->read, &out[0]);
    if (s->engine != NULL && s->ask_reading)
        hale_redis_pollfd(s->ask, &out[1]);
}

int64_t thresholds_shard_wake_ms(const struct thresholds_shard *s)
{
    if (s->engine == NULL)
        return s->retry_at_ms;
    if (!s->reading || (s->reconciled && !s->ask_reading) ||
        (!s->replaying && !s->reconciled))
        return 0;
    return s->checkpoint_at_ms > s->read_deadline_ms || !s->dirty ? s->read_deadline_ms
                                                                  : s->checkpoint_at_ms;
}

void thresholds_shard_finish(struct thresholds_shard *s)
{
    if (s->engine != NULL && s->reconciled && !s->failed &&
        thresholds_shard_snapshot(s) != HALE_OK)
        hale_warn("event=snapshot_failed shard=%u detail=\"%s\"", s->index, s->error);
}

void thresholds_shard_set_checkpoint(struct thresholds_shard *s, int64_t interval_ms)
{
    s->checkpoint_interval_ms = interval_ms;
    s->checkpoint_at_ms = 0;
}

bool thresholds_shard_live(const struct thresholds_shard *s)
{
    return s->engine != NULL && s->reconciled;
}

const char *thresholds_shard_error(const struct thresholds_shard *s)
{
    return s->error;
}

int64_t thresholds_shard_lag_ms(const struct thresholds_shard *s)
{
    return s->lag_ms;
}
