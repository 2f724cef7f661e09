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
#include "correlator/topology.h"
#include "correlator/tx.h"
#include "store/keys.h"
#include "store/redis.h"

#define FEED_STREAM_CONTROL  0
#define FEED_STREAM_EVENTS   1
#define FEED_STREAM_TOPOLOGY 2
#define FEED_STREAM_SUBS     3 /* + shard */
#define FEED_STREAMS_MAX     (FEED_STREAM_SUBS + HALE_SHARDS_MAX)
#define FEED_READ_COUNT      512 /* entries per stream and read */
#define FEED_SCAN_COUNT      "1000"
#define FEED_ASKED_MAX       32
#define FEED_STAMPS_MAX      1024
#define FEED_TOPOLOGY_BYTES  65536 /* of updates, per batch; the last one goes beyond */
#define FEED_ROWS_MAX        5000 /* changed entities that a transaction tells one by one */
#define FEED_ROWS_BYTES      (1u << 20)

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

    struct hale_reply
        *held; /* its entries of the topology are not all taken yet; NULL: none */
    struct hale_buf rows; /* fields of the entities' hash that this transaction changes */
    unsigned n_rows;
    struct cor_topology_stats topology_published;

    /* the batch */
    size_t topology_bytes;
    bool
        topology_left; /* more than FEED_TOPOLOGY_BYTES: the rest is for the next batch */
    bool all_read;     /* nothing that is due before the clock's time is left unread */
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
/* load_silence.c: the same for a silence or maintenance window. */
HALE_MUST_CHECK enum hale_rc correlator_feed_silence(struct correlator_feed *f,
                                                     bool maintenance, const char *id,
                                                     const struct correlator_input *in);
/* One row while loading. */
HALE_MUST_CHECK enum hale_rc
correlator_feed_silence_row(struct correlator_feed *f, bool maintenance,
                            struct hale_str id, struct hale_str json,
                            const struct correlator_input *in);
/* WATCHes the positions and the log and checks that nobody has moved them: HALE_E_CONFLICT.
 * unwatch: the old watch is not used up by an EXEC. */
HALE_MUST_CHECK enum hale_rc correlator_feed_watch(struct correlator_feed *f,
                                                   bool unwatch);
/* Field of the positions hash for a stream, into dst (HALE_KEY_MAX). */
const char *correlator_feed_position_name(unsigned stream, char *dst);

/* --- feed_topology.c --- */
/* This batch has enough of the topology; marks that something is left. */
bool correlator_feed_topology_full(struct correlator_feed *f);
HALE_MUST_CHECK enum hale_rc
correlator_feed_topology_take(struct correlator_feed *f, struct hale_str json,
                              const struct correlator_input *in);
/* Calls each for the entries of the held reply that were not taken, and drops it after the last. */
int correlator_feed_topology_rest(struct correlator_feed *f,
                                  int (*each)(unsigned stream, struct hale_stream_id id,
                                              struct hale_str field,
                                              struct hale_str value, void *arg));
void correlator_feed_topology_drop(struct correlator_feed *f);
/* After loading: what the syncs under way have named. */
HALE_MUST_CHECK enum hale_rc correlator_feed_topology_again(struct correlator_feed *f);
/* Lowers *to to what must not be trimmed. */
void correlator_feed_topology_keep(const struct correlator_feed *f,
                                   struct hale_stream_id *to);
void correlator_feed_rows_add(struct correlator_feed *f, struct hale_str field);
void correlator_feed_rows_write(struct correlator_feed *f); /* to tx */
void correlator_feed_rows_reset(struct correlator_feed *f);

/* --- feed.c --- */
struct correlator_engine *correlator_feed_engine_new(struct correlator_feed *f);
/* Writes what the engine and tx hold, with the positions. */
HALE_MUST_CHECK enum hale_rc correlator_feed_commit(struct correlator_feed *f);
#endif
