/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_SHARD_INNER_H
#define HALE_THRESHOLDS_SHARD_INNER_H
/*
 * shard_inner - shared by shard.c, load.c, feed.c, commit.c, control.c and answer.c; nobody else
 * includes it.
 *
 * Position: (last entry begun, last tick that emitted, number of records since either
 * changed). It only grows, and the engine makes it grow the same way in every replay.
 */
#include "base/buf.h"
#include "model/limits.h"
#include "store/keys.h"
#include "store/redis.h"
#include "thresholds/shard.h"
#include "thresholds/stats.h"

#define THRESHOLDS_TICK_MARGIN_MS 50
#define THRESHOLDS_POSITION_TEXT  96
#define THRESHOLDS_CONTROL_MAX    256 /* control records of one XREAD */

struct thresholds_position {
    struct hale_stream_id entry;
    int64_t tick_ms;
    uint64_t ordinal;
};

/* The streams that matter for the engine, in the order in which an XREAD names them. */
enum { THRESHOLDS_STREAM_CONTROL, THRESHOLDS_STREAM_SAMPLES, THRESHOLDS_STREAMS };

enum thresholds_asked {
    THRESHOLDS_SAMPLES, /* during a replay, which no change may cross */
    THRESHOLDS_BOTH,
    THRESHOLDS_CONTROL, /* many control records came: first of all the rest of them */
};

struct thresholds_shard {
    unsigned magic;
    const struct thresholds_conf *conf;
    int64_t checkpoint_interval_ms;
    unsigned index;
    char samples_key[HALE_KEY_MAX], series_key[HALE_KEY_MAX], state_key[HALE_KEY_MAX];
    char meta_key[HALE_KEY_MAX], subalarms_key[HALE_KEY_MAX];
    struct hale_redis *read;  /* TIME and XREAD of control records and samples */
    struct hale_redis *ask;   /* XREAD of questions */
    struct hale_redis *write; /* everything else */

    struct thresholds_engine *engine; /* NULL: not loaded */
    struct thresholds_stats published;
    struct thresholds_position pos;    /* now */
    struct thresholds_position output; /* records up to here are written */
    struct hale_stream_id control;     /* control records up to here are applied */
    struct hale_stream_id asked;       /* questions up to here are answered */
    int64_t now_ms;                    /* stream time: nothing later was processed */
    bool replaying;  /* not yet beyond output: no control record may be applied */
    bool reconciled; /* definitions were compared with the stored ones after the load */
    bool rewrite;    /* the next snapshot replaces the stored one wholly */
    bool dirty;      /* something happened since the last snapshot */
    bool failed;     /* drop the engine and load again */

    enum thresholds_asked streams; /* of the request on read */
    bool control_left;        /* the last reply may not have held all control records */
    bool reading, got_time;   /* request on read; its TIME came */
    bool blocking;            /* this request waits for entries */
    bool drained;             /* XREAD without BLOCK was empty: the next one waits */
    int64_t redis_ms;         /* the TIME of this request */
    int64_t read_deadline_ms; /* monotonic */
    bool ask_reading;
    int64_t ask_deadline_ms;
    int64_t checkpoint_at_ms, retry_at_ms, retry_pause_ms; /* monotonic */
    int64_t lag_ms;

    struct hale_buf out; /* records not yet written, one after the other */
    size_t *ends;        /* their ends in out */
    size_t n_out, cap_out;

    struct thresholds_series *handles[HALE_BATCH_MAX_SAMPLES]; /* of one batch */
    unsigned unknown[HALE_BATCH_MAX_SAMPLES];                  /* its indexes not known */
    char error[400];
};

/* Marks the shard as failed; rc and what say why. Returns rc. */
enum hale_rc thresholds_shard_fail(struct thresholds_shard *s, enum hale_rc rc,
                                   const char *what);
int thresholds_position_cmp(const struct thresholds_position *a,
                            const struct thresholds_position *b);
const char *thresholds_position_text(const struct thresholds_position *p,
                                     char dst[THRESHOLDS_POSITION_TEXT]);
HALE_MUST_CHECK enum hale_rc thresholds_position_parse(struct hale_str text,
                                                       struct thresholds_position *out);

/* A failure of any of these is also latched in s->failed, so results may be ignored. */

/* load.c: engine from the snapshot, position, definitions. */
enum hale_rc thresholds_shard_load(struct thresholds_shard *s);
/* After the replay: makes the engine's definitions those that are stored, and a snapshot.
 * */
enum hale_rc thresholds_shard_reconcile(struct thresholds_shard *s);

/* feed.c: entries and ticks into the engine; of the samples those with ids up to until. */
enum hale_rc thresholds_shard_feed(struct thresholds_shard *s,
                                   const struct hale_reply *xread,
                                   struct hale_stream_id until);
void thresholds_shard_tick(struct thresholds_shard *s, int64_t until_ms);

/* commit.c */
void thresholds_shard_emit(const struct thresholds_event *ev, void *shard);
enum hale_rc thresholds_shard_commit(struct thresholds_shard *s);
enum hale_rc thresholds_shard_snapshot(struct thresholds_shard *s);

/* control.c: the control records of an XREAD, THRESHOLDS_CONTROL_MAX at most; their number. */
unsigned thresholds_shard_control(struct thresholds_shard *s,
                                  const struct hale_reply *xread);
/* answer.c: the questions of an XREAD; one that cannot be read or is old is passed over. */
void thresholds_shard_answer(struct thresholds_shard *s, const struct hale_reply *xread);
/* Decodes stored JSON and gives it to the engine; an unusable one is counted and dropped.
 * */
void thresholds_shard_set_definition(struct thresholds_shard *s, struct hale_str id,
                                     struct hale_str json);
#endif
