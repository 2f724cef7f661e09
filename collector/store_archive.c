/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/store_archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/stats.h"

#define SLOTS_MAX 600
#define MARKS     12 /* read positions remembered: more than SEAL_MS of the shortest turns */
#define SEAL_MS                                                                          \
    (COLLECTOR_ROLL_AHEAD_MS + COLLECTOR_ROLL_STEP_S * 1000 + COLLECTOR_ROLL_GRACE_MS)

struct slot {
    struct collector_tail **v;
    size_t n, cap;
};

struct mark {      /* what had been read at a turn's start */
    int64_t at_ms; /* monotonic */
    struct hale_stream_id read[HALE_SHARDS_MAX];
};

struct collector_store_archive {
    struct collector *app;
    unsigned n_shards;
    unsigned n_slots;
    struct slot slots[SLOTS_MAX];
    struct slot owed;         /* due, but the archive's queue was full */
    int64_t second;           /* of the wheel; 0: not started */
    bool failed;              /* an update of this turn was refused or failed */
    int64_t moved_at_ms;      /* monotonic: the checkpoint's last move */
    struct mark marks[MARKS]; /* newest first: marks[0] is the start of this turn */
    struct hale_stream_id done[HALE_SHARDS_MAX];  /* cp:archive */
    struct hale_stream_id found[HALE_SHARDS_MAX]; /* cp:archive at start */
};

struct collector_store_archive *collector_store_archive_new(struct collector *c)
{
    struct collector_store_archive *a = hale_xcalloc(1, sizeof(*a));

    a->app = c;
    a->n_shards = (unsigned)c->conf->shards;
    a->n_slots = (unsigned)(c->conf->archive_interval_ms / 1000);
    HALE_ASSERT(a->n_slots >= 1 && a->n_slots <= SLOTS_MAX);
    a->moved_at_ms = hale_clock_mono_ms();
    for (unsigned i = 0; i < MARKS; i++)
        a->marks[i].at_ms = a->moved_at_ms;
    return a;
}

void collector_store_archive_free(struct collector_store_archive *a)
{
    if (a == NULL)
        return;
    for (unsigned i = 0; i < SLOTS_MAX; i++)
        free(a->slots[i].v);
    free(a->owed.v);
    free(a);
}

void collector_store_archive_set(struct collector_store_archive *a, unsigned shard,
                                 struct hale_stream_id id)
{
    a->done[shard] = a->found[shard] = id;
    for (unsigned i = 0; i < MARKS; i++)
        a->marks[i].read[shard] = id;
}

struct hale_stream_id
collector_store_archive_done(const struct collector_store_archive *a, unsigned shard)
{
    return a->done[shard];
}

bool collector_store_archive_wants(const struct collector_store_archive *a,
                                   unsigned shard, struct hale_stream_id id)
{
    return hale_stream_id_cmp(id, a->found[shard]) > 0;
}

static bool slot_add(struct slot *s, struct collector_tail *t)
{
    if (s->n == s->cap) {
        size_t cap = s->cap > 0 ? 2 * s->cap : 16;
        struct collector_tail **v = realloc(s->v, cap * sizeof(v[0]));
        if (v == NULL)
            return false;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = t;
    return true;
}

void collector_store_archive_join(struct collector_store_archive *a,
                                  struct collector_tail *t)
{
    unsigned slot = (unsigned)(t->series->id % a->n_slots);

    if (!slot_add(&a->slots[slot], t))
        hale_error("event=archive_slot_lost id=%016llx",
                   (unsigned long long)t->series->id);
}

void collector_store_archive_add(struct collector_store_archive *a,
                                 struct collector_tail *t,
                                 const struct collector_sample *s, int64_t now_ms)
{
    size_t lost = 0;

    (void)a;
    if (!collector_roll_add(&t->roll, s->time_ms, s->value, now_ms, &lost))
        collector_count(ARCHIVE_LATE, 1);
    if (lost > 0)
        collector_count(ARCHIVE_LOST, lost);
}

/* False: the queue is full, the points stay with the tail. */
static bool hand_over(struct collector_store_archive *a, struct collector_tail *t,
                      int64_t now_ms)
{
    size_t lost = 0;

    if (t->archiving) {
        a->failed = true; /* slower than a turn */
        return true;
    }
    collector_roll_seal(&t->roll, now_ms, &lost);
    if (lost > 0)
        collector_count(ARCHIVE_LOST, lost);
    if (t->roll.n_points == 0)
        return true;
    struct collector_archive_job *j = calloc(1, sizeof(*j));
    if (j == NULL)
        return false;
    j->series = t->series;
    j->owner = t;
    j->points = collector_roll_take(&t->roll, &j->n);
    if (collector_archive_submit(a->app->archive, j) == HALE_OK) {
        t->archiving = true;
        return true;
    }
    lost = 0;
    collector_roll_give_back(&t->roll, j->points, j->n, &lost);
    collector_count(ARCHIVE_LOST, lost);
    free(j);
    return false;
}

static void hand_over_slot(struct collector_store_archive *a, struct slot *s,
                           int64_t now_ms)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!hand_over(a, s->v[i], now_ms) && !slot_add(&a->owed, s->v[i]))
            a->failed = true;
    }
}

static void hand_over_owed(struct collector_store_archive *a, int64_t now_ms)
{
    while (a->owed.n > 0 && hand_over(a, a->owed.v[a->owed.n - 1], now_ms))
        a->owed.n--;
}

/* Newest position that was read SEAL_MS before this turn began. */
static const struct mark *sealed_mark(const struct collector_store_archive *a)
{
    unsigned i = 1;

    while (i < MARKS - 1 && a->marks[i].at_ms + SEAL_MS > a->marks[0].at_ms)
        i++;
    return &a->marks[i];
}

static void end_turn(struct collector_store_archive *a, const struct hale_stream_id *read)
{
    struct collector_archive_job *barrier = calloc(1, sizeof(*barrier));

    if (barrier != NULL) {
        memcpy(barrier->position, sealed_mark(a)->read, sizeof(barrier->position));
        barrier->rc = a->owed.n > 0 ? HALE_E_AGAIN : HALE_OK;
        if (collector_archive_submit(a->app->archive, barrier) != HALE_OK) {
            free(barrier); /* full: this turn does not count */
            a->failed = true;
        }
    }
    memmove(&a->marks[1], &a->marks[0], (MARKS - 1) * sizeof(a->marks[0]));
    a->marks[0].at_ms = hale_clock_mono_ms();
    memcpy(a->marks[0].read, read, a->n_shards * sizeof(read[0]));
}

static void commit(struct collector_store_archive *a, struct hale_redis *redis,
                   const struct hale_stream_id *position)
{
    char key[HALE_KEY_MAX];
    char id[HALE_STREAM_ID_TEXT];

    for (unsigned s = 0; s < a->n_shards; s++) {
        struct hale_reply *reply = NULL;
        if (hale_stream_id_cmp(position[s], a->done[s]) <= 0)
            continue;
        if (HALE_REDIS_CMD(redis, &reply, HALE_STR("SET"),
                           hale_str_from(hale_keys_checkpoint(s, "archive", key)),
                           hale_str_from(hale_stream_id_text(position[s], id))) !=
            HALE_OK)
            return;
        hale_reply_free(reply);
        a->done[s] = position[s];
    }
    a->moved_at_ms = hale_clock_mono_ms();
}

static void take_barrier(struct collector_store_archive *a, struct hale_redis *redis,
                         const struct collector_archive_job *j)
{
    bool good = !a->failed && j->rc == HALE_OK;

    a->failed = false;
    if (!good &&
        hale_clock_mono_ms() - a->moved_at_ms > a->app->conf->archive_backlog_ms) {
        hale_error(
            "event=archive_checkpoint_forced detail=\"the disk is behind for longer "
            "than archive_backlog; a crash now would lose archive points\"");
        good = true;
    }
    if (good)
        commit(a, redis, j->position);
}

static void take_results(struct collector_store_archive *a, struct hale_redis *redis)
{
    for (struct collector_archive_job *j;
         (j = collector_archive_done(a->app->archive)) != NULL;) {
        if (j->series == NULL) {
            take_barrier(a, redis, j);
        } else {
            struct collector_tail *t = j->owner;
            size_t lost = 0;
            t->archiving = false;
            if (j->rc != HALE_OK) {
                a->failed = true;
                collector_roll_give_back(&t->roll, j->points, j->n, &lost);
                j->points = NULL;
                collector_count(ARCHIVE_LOST, lost);
            }
        }
        free(j->points);
        free(j);
    }
}

void collector_store_archive_tick(struct collector_store_archive *a,
                                  struct hale_redis *redis,
                                  const struct hale_stream_id *read)
{
    int64_t now_s = hale_clock_mono_ms() / 1000;
    int64_t now_ms = hale_clock_wall_ms();

    take_results(a, redis);
    if (a->second == 0 || now_s - a->second > a->n_slots)
        a->second = now_s; /* first tick, or away for more than a turn */
    hand_over_owed(a, now_ms);
    while (a->second < now_s) {
        a->second++;
        unsigned slot = (unsigned)(a->second % a->n_slots);
        hand_over_slot(a, &a->slots[slot], now_ms);
        if (slot == a->n_slots - 1)
            end_turn(a, read);
    }
}
