/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"

#define MAGIC     0x74696d65u
#define FIRST_CAP 16

struct hale_timers {
    unsigned magic;
    struct hale_timer **heap;
    size_t count;
    size_t cap;
    size_t max_items;
    uint64_t next_seq;
};

struct hale_timers *hale_timers_new(size_t max_items)
{
    HALE_ASSERT(max_items > 0 && max_items <= SIZE_MAX / 64);
    struct hale_timers *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->magic = MAGIC;
    t->max_items = max_items;
    return t;
}

void hale_timers_free(struct hale_timers *t)
{
    if (t == NULL)
        return;
    HALE_CHECK(t, MAGIC);
    t->magic = 0;
    free(t->heap);
    free(t);
}

static bool before(const struct hale_timer *a, const struct hale_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(struct hale_timers *t, size_t i, struct hale_timer *timer)
{
    t->heap[i] = timer;
    timer->pos = i + 1;
}

/* Moves the timer at place i up, then down, to where it belongs. */
static void settle(struct hale_timers *t, size_t i)
{
    struct hale_timer *timer = t->heap[i];
    while (i > 0 && before(timer, t->heap[(i - 1) / 2])) {
        place(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < t->count && before(t->heap[child + 1], t->heap[child]))
            child++;
        if (child >= t->count || !before(t->heap[child], timer))
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, timer);
}

static enum hale_rc make_room(struct hale_timers *t)
{
    if (t->count == t->max_items)
        return HALE_E_LIMIT;
    if (t->count < t->cap)
        return HALE_OK;
    size_t cap = t->cap > 0 ? t->cap * 2 : FIRST_CAP;
    struct hale_timer **heap = realloc(t->heap, cap * sizeof(struct hale_timer *));
    if (heap == NULL)
        return HALE_E_NOMEM;
    t->heap = heap;
    t->cap = cap;
    return HALE_OK;
}

enum hale_rc hale_timers_arm(struct hale_timers *t, struct hale_timer *timer, int64_t at)
{
    HALE_CHECK(t, MAGIC);
    if (timer->pos == 0) {
        enum hale_rc rc = make_room(t);
        if (rc != HALE_OK)
            return rc;
        place(t, t->count++, timer);
    }
    HALE_ASSERT(timer->pos <= t->count && t->heap[timer->pos - 1] == timer);
    timer->at = at;
    timer->seq = t->next_seq++;
    settle(t, timer->pos - 1);
    return HALE_OK;
}

void hale_timers_disarm(struct hale_timers *t, struct hale_timer *timer)
{
    HALE_CHECK(t, MAGIC);
    if (timer->pos == 0)
        return;
    size_t i = timer->pos - 1;
    HALE_ASSERT(i < t->count && t->heap[i] == timer);
    timer->pos = 0;
    t->count--;
    if (i < t->count) {
        place(t, i, t->heap[t->count]);
        settle(t, i);
    }
}

struct hale_timer *hale_timers_pop(struct hale_timers *t, int64_t now)
{
    HALE_CHECK(t, MAGIC);
    if (t->count == 0 || t->heap[0]->at > now)
        return NULL;
    struct hale_timer *timer = t->heap[0];
    hale_timers_disarm(t, timer);
    return timer;
}

int64_t hale_timers_next(const struct hale_timers *t)
{
    return t->count > 0 ? t->heap[0]->at : INT64_MAX;
}

size_t hale_timers_count(const struct hale_timers *t)
{
    return t->count;
}
