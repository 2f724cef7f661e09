/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_FEED_INNER_H
#define CORRELATOR_FEED_INNER_H
/*
 * feed_inner - what feed.c (reading, batches, trimming) and load.c (state from Redis) share.
 */
#include "base/buf.h"
#include "base/id.h"
#include "correlator/engine.h"
#include "correlator/feed.h"
#include "correlator/tx.h"
#include "store/keys.h"
#include "store/redis.h"

#define FEED_STREAM_CONTROL 0
#define FEED_STREAM_EVENTS  1
#define FEED_STREAM_SUBS    2 /* + shard */
#define FEED_STREAMS_MAX    (FEED_STREAM_SUBS + HALE_SHARDS_MAX)
#define FEED_READ_COUNT     512 /* entries per stream and read */
#define FEED_SCAN_COUNT     "1000"
#define FEED_ASKED_MAX      32
#define FEED_STAMPS_MAX     1024

struct correlator_feed {
    const struct correlator_conf *conf;
    struct hale_daemon *daemon;
    struct hale_redis *reader;        /* XREAD only */
    struct hale_redis *writer;        /* everything else */
    struct correlator_engine *engine; /* NULL: to be loaded */
    struct correlator_stats published;
    struct correlator_tx *tx;
    struct hale_buf scratch;
    uint64_t writer_generation; /* of the connection that watches the positions */

    unsigned n_streams;
    char key_text[FEED_STREAMS_MAX][HALE_KEY_MAX];
    const char *keys[FEED_STREAMS_MAX];
    struct hale_stream_id done[FEED_STREAMS_MAX];    /* processed up to */
    struct hale_stream_id written[FEED_STREAMS_MAX]; /* in the positions hash */
    struct hale_stream_id trimmed[FEED_STREAMS_MAX];

    bool reading; /* an XREAD is under way */
    int64_t read_sent_mono_ms;
    /* Redis' clock, which makes the ids of the streams: asked before a read while alarms expire. */
    bool clock_asked;       /* its answer comes before that to the XREAD */
    int64_t clock_ms;       /* as of before this read; 0: was not asked */
    int64_t clock_ahead_ms; /* of our monotonic clock, at the last answer; 0: not known */
    int64_t next_try_mono_ms, next_beat_mono_ms, next_trim_mono_ms;
    bool failed; /* this batch: stop, load anew */

    /* the batch */
    unsigned n_control, n_events;
    char asked[FEED_ASKED_MAX][HALE_UUID_TEXT]; /* definitions looked up in this batch */
    unsigned n_asked;
    struct {
        int64_t accepted_us;
        bool event;
    } stamps[FEED_STAMPS_MAX]; /* of this transaction's transitions */
    unsigned n_stamps;
    unsigned n_logged;
};

/* --- load.c --- */
/* Makes f->engine from Redis and watches the positions. On failure f->engine is NULL. */
HALE_MUST_CHECK enum hale_rc correlator_feed_load(struct correlator_feed *f);
/* Reads one definition again into the engine; HALE_OK also when it is gone or unreadable. */
HALE_MUST_CHECK enum hale_rc
correlator_feed_definition(struct correlator_feed *f, const char *id,
                           const struct correlator_input *in);
/* WATCHes the positions and the log and checks that nobody has moved them: HALE_E_CONFLICT.
 * unwatch: the old watch is not used up by an EXEC. */
HALE_MUST_CHECK enum hale_rc correlator_feed_watch(struct correlator_feed *f,
                                                   bool unwatch);
/* Field of the positions hash for a stream, into dst (HALE_KEY_MAX). */
const char *correlator_feed_position_name(unsigned stream, char *dst);

/* --- feed.c --- */
struct correlator_engine *correlator_feed_engine_new(struct correlator_feed *f);
/* Writes what the engine and tx hold, with the positions. */
HALE_MUST_CHECK enum hale_rc correlator_feed_commit(struct correlator_feed *f);
#endif
