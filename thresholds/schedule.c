/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule - timers of the sub-alarms. Windows end at whole minutes, so thousands of
 * sub-alarms share a handful of deadlines: the heap holds buckets, a bucket lists its
 * sub-alarms. Arming, moving and disarming are O(1), and a tick costs nothing for those
 * that are not due.
 *
 * Within one tick sub-alarms are evaluated by uid, the order of their creation, which
 * (unlike the order of arming) is the same after a restore.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "thresholds/inner.h"

static struct bucket *bucket_get(struct thresholds_engine *e, int64_t at)
{
    struct bucket *b = hale_u64map_get(e->buckets, (uint64_t)at);
    if (b != NULL)
        return b;
    b = e->spare != NULL ? e->spare : calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    e->spare = NULL;
    b->timer.owner = b;
    b->first = b->last = NO_PLACE;
    if (hale_u64map_put(e->buckets, (uint64_t)at, b) != HALE_OK) {
        e->spare = b;
        return NULL;
    }
    if (hale_timers_arm(e->timers, &b->timer, at) != HALE_OK) {
        (void)hale_u64map_take(e->buckets, (uint64_t)at);
        e->spare = b;
        return NULL;
    }
    return b;
}

/* b is empty and no longer armed. */
static void bucket_put(struct thresholds_engine *e, struct bucket *b)
{
    (void)hale_u64map_take(e->buckets, (uint64_t)b->timer.at);
    *b = (struct bucket){.first = NO_PLACE, .last = NO_PLACE};
    if (e->spare == NULL)
        e->spare = b;
    else
        free(b);
}

void thresholds_unschedule(struct thresholds_engine *e, struct sub *a)
{
    struct bucket *b = a->bucket;
    if (b == NULL)
        return;
    struct sub *prev = sub_at(e, a->bucket_prev), *next = sub_at(e, a->bucket_next);
    if (prev != NULL)
        prev->bucket_next = a->bucket_next;
    else
        b->first = a->bucket_next;
    if (next != NULL)
        next->bucket_prev = a->bucket_prev;
    else
        b->last = a->bucket_prev;
    a->bucket = NULL;
    if (b->first == NO_PLACE) {
        hale_timers_disarm(e->timers, &b->timer);
        bucket_put(e, b);
    }
}

void thresholds_schedule(struct thresholds_engine *e, struct sub *a)
{
    int64_t at = thresholds_window_deadline(e, a);
    if (a->bucket != NULL && a->bucket->timer.at == at)
        return;
    thresholds_unschedule(e, a);
    if (at == INT64_MAX)
        return;
    struct bucket *b = bucket_get(e, at);
    if (b == NULL) {
        e->unscheduled++;
        return;
    }
    struct sub *last = sub_at(e, b->last);
    a->bucket = b;
    a->bucket_prev = b->last;
    a->bucket_next = NO_PLACE;
    if (last != NULL)
        last->bucket_next = a->place;
    else
        b->first = a->place;
    b->last = a->place;
}

/* After a failure to arm: tries again for all that should have a timer and have none. */
static void schedule_rest(struct thresholds_engine *e)
{
    e->unscheduled = 0;
    for (size_t i = 0; i < e->n_places; i++) {
        if (e->subs[i] != NULL && e->subs[i]->bucket == NULL)
            thresholds_schedule(e, e->subs[i]);
    }
}

static int by_uid(const void *left, const void *right, void *arg)
{
    const struct thresholds_engine *e = arg;
    const struct sub *a = e->subs[*(const uint32_t *)left];
    const struct sub *b = e->subs[*(const uint32_t *)right];
    return (a->uid > b->uid) - (a->uid < b->uid);
}

static void run_bucket(struct thresholds_engine *e, struct bucket *b)
{
    int64_t at = b->timer.at;
    size_t n = 0;
    uint64_t newest = 0;
    bool sorted = true;
    uint32_t *due = e->free_places + e->n_free; /* places are free or have a sub-alarm */
    for (struct sub *a = sub_at(e, b->first); a != NULL; a = sub_at(e, a->bucket_next)) {
        HALE_ASSERT(e->n_free + n < e->cap_places);
        sorted = sorted && newest <= a->uid;
        newest = a->uid;
        due[n++] = a->place;
        a->bucket = NULL;
    }
    bucket_put(e, b);
    if (!sorted)
        qsort_r(due, n, sizeof(due[0]), by_uid, e);
    e->ticked_ms = at;
    for (size_t i = 0; i < n; i++) {
        struct sub *a = e->subs[due[i]];
        if (i + 8 < n)
            __builtin_prefetch(e->subs[due[i + 8]]);
        if (i + 4 < n)
            __builtin_prefetch(e->subs[due[i + 4]]->slots);
        thresholds_window_tick(e, a, at);
        thresholds_schedule(e, a);
    }
}

void thresholds_engine_tick(struct thresholds_engine *e, int64_t until_ms)
{
    thresholds_settle(e);
    if (e->unscheduled > 0)
        schedule_rest(e);
    struct hale_timer *timer;
    while ((timer = hale_timers_pop(e->timers, until_ms)) != NULL)
        run_bucket(e, timer->owner);
}

int64_t thresholds_engine_next_tick(const struct thresholds_engine *e)
{
    return hale_timers_next(e->timers);
}

void thresholds_schedule_fini(struct thresholds_engine *e)
{
    size_t it = 0;
    struct bucket *b;
    while (e->buckets != NULL && (b = hale_u64map_next(e->buckets, &it, NULL)) != NULL)
        free(b);
    free(e->spare);
    e->spare = NULL;
    hale_timers_free(e->timers);
    hale_u64map_free(e->buckets);
    e->timers = NULL;
    e->buckets = NULL;
}
