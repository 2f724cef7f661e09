/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_TIMERS_H
#define HALE_BASE_TIMERS_H
/*
 * timers - binary heap of deadlines. Intrusive: the caller embeds struct hale_timer.
 * Time is an argument (any unit and clock, the caller keeps to one); nothing is read here.
 * Order:     by deadline, then by the order of arming: deterministic for replay.
 * Threads:   one at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

struct hale_timer {
    int64_t at;   /* deadline */
    uint64_t seq; /* set by timers */
    size_t pos;   /* index+1 in the heap, 0 = not armed; zero-initialise */
    void *owner;  /* the caller's */
};
struct hale_timers;

struct hale_timers *hale_timers_new(size_t max_items);
void hale_timers_free(struct hale_timers *t); /* does not touch the timers themselves */
/* Arms or moves. HALE_E_LIMIT when full. */
HALE_MUST_CHECK enum hale_rc hale_timers_arm(struct hale_timers *t,
                                             struct hale_timer *timer, int64_t at);
/* An unarmed timer is fine. */
void hale_timers_disarm(struct hale_timers *t, struct hale_timer *timer);
/* Removes and returns the earliest timer with at <= now, or NULL. */
struct hale_timer *hale_timers_pop(struct hale_timers *t, int64_t now);
/* Earliest deadline, or INT64_MAX. */
int64_t hale_timers_next(const struct hale_timers *t);
size_t hale_timers_count(const struct hale_timers *t);
#endif
