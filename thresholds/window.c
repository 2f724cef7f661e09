/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window - what a sample and a tick do to one sub-alarm: accept, decide, slide. The rules
 * and their numbers are those of docs/formats/thresholds.md.
 *
 * Rules 1 and 2 (immediate) need not look at the whole window for each sample: for the
 * pairs of function and operator that they are allowed for, a slot can only change from
 * "does not decide" to "decides", so what the slots other than the touched one say was
 * found out when they were touched. The exception, a changed threshold, sets `changed`.
 */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "thresholds/inner.h"

/* Windows end at multiples of this: a minute for Monasca's periods, for others the largest
 * part of a minute that divides the period (10 s for 10 s, 30 s for 90 s, 1 s for 7 s). */
static int64_t grid_s(uint32_t width_s)
{
    int64_t a = 60, b = width_s;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t floor_grid_s(int64_t s, uint32_t width_s)
{
    int64_t grid = grid_s(width_s);
    int64_t m = s / grid;
    if (s % grid < 0)
        m--;
    return m * grid;
}

void thresholds_window_reset(struct sub *a, int64_t now_ms)
{
    a->view_end_s = floor_grid_s(floor_s(now_ms) + a->width_s, a->width_s);
    a->data_end_s = a->view_end_s - a->width_s;
    a->last_ms = NO_TIME;
    a->n_last = 0;
    a->head = 0;
    a->empty = 0;
    a->asleep = false;
    a->changed = false;
    a->pend = 0;
    memset(a->slots, 0, a->n_slots * sizeof(a->slots[0]));
    if (a->calculated)
        thresholds_operands_reset(a->operands);
}

static void slide(struct sub *a, int64_t n)
{
    unsigned clear = n < a->n_slots ? (unsigned)n : a->n_slots;
    bool learns = a->func == HALE_FUNC_BASELINE || a->func == HALE_FUNC_FORECAST;
    for (unsigned i = 0; i < clear; i++) {
        if (learns)
            thresholds_kept_leave(a, i);
        *slot_at(a, i) = (struct slot){0, 0};
    }
    unsigned head = a->head + clear;
    a->head = (uint16_t)(head >= a->n_slots ? head - a->n_slots : head);
    a->view_end_s += n * a->width_s;
    if (a->calculated)
        thresholds_operands_slide(a->operands, n);
}

/* Monasca's slide to now_s (fact: n = d div width, one more if the rest exceeds the
 * delay). */
static void slide_monasca(const struct thresholds_engine *e, struct sub *a, int64_t now_s)
{
    int64_t d = now_s - a->view_end_s;
    if (d > e->limits.delay_s)
        slide(a, d / a->width_s + (d % a->width_s > e->limits.delay_s ? 1 : 0));
}

static int64_t next_tick_s(const struct thresholds_engine *e, int64_t after_s)
{
    int64_t d = after_s - e->limits.tick_phase_s;
    int64_t k = d / e->limits.tick_s;
    if (d % e->limits.tick_s < 0)
        k--;
    return e->limits.tick_phase_s + (k + 1) * e->limits.tick_s;
}

int64_t thresholds_window_deadline(const struct thresholds_engine *e, const struct sub *a)
{
    int64_t at = INT64_MAX;
    if (!a->asleep && !no_window(a)) {
        at = a->monasca ? next_tick_s(e, a->view_end_s + e->limits.delay_s) * 1000
                        : a->view_end_s * 1000 + late_wait_ms(e, a->width_s);
    }
    return a->recheck_ms != NO_TIME && a->recheck_ms < at ? a->recheck_ms : at;
}

/* Does what the ticks that were left out while asleep would have done: every one before
 * now. */
static void wake(struct thresholds_engine *e, struct sub *a, int64_t now_ms)
{
    a->asleep = false;
    if (a->monasca) {
        int64_t last_tick_s = next_tick_s(e, floor_s(now_ms - 1)) - e->limits.tick_s;
        slide_monasca(e, a, last_tick_s);
    } else {
        int64_t behind = now_ms - (a->view_end_s * 1000 + late_wait_ms(e, a->width_s));
        int64_t width_ms = (int64_t)a->width_s * 1000;
        if (behind > 0)
            slide(a, (behind + width_ms - 1) / width_ms);
    }
}

void thresholds_window_wake(struct thresholds_engine *e, struct sub *a, int64_t now_ms)
{
    if (!a->asleep)
        return;
    wake(e, a, now_ms);
    thresholds_schedule(e, a);
}

void thresholds_window_changed(struct thresholds_engine *e, struct sub *a, int64_t now_ms)
{
    if (a->asleep)
        wake(e, a, now_ms);
    a->changed = true;
    a->reported = false;
    a->pend = 0;
    a->recheck_ms = a->monasca ? next_tick_s(e, floor_s(now_ms)) * 1000 : now_ms;
}

/* --- last --------------------------------------------------------------------------- */

static bool last_decide(struct sub *a, struct verdict *v)
{
    if (a->n_last == 0)
        return false;
    unsigned newest = a->n_last - 1u;
    v->start_ms = v->end_ms = a->last_ms;
    v->lo = newest;
    v->hi = a->n_last;
    if (!slot_holds(a, slot_at(a, newest))) {
        v->state = HALE_STATE_OK;
        return true;
    }
    if (a->n_last < a->times) /* monasca keeps one value: times > 1 never alarms there */
        return false;
    for (unsigned i = 0; i < newest; i++) {
        if (!slot_holds(a, slot_at(a, i)))
            return false;
    }
    v->lo = 0;
    v->state = HALE_STATE_ALARM;
    return true;
}

static void last_sample(struct thresholds_engine *e, struct sub *a, int64_t time_ms,
                        double value, const struct moment *m)
{
    if (a->monasca)
        time_ms = floor_s(time_ms) * 1000;
    else if (time_ms > m->at_ms)
        time_ms =
            m->at_ms; /* a stamp in the future must not make later samples "older" */
    if (a->last_ms != NO_TIME && time_ms < a->last_ms) {
        e->stats.late++;
        return;
    }
    a->last_ms = time_ms;
    if (a->n_last < a->n_slots) {
        *slot_at(a, a->n_last++) = (struct slot){value, 1};
    } else {
        a->slots[a->head] = (struct slot){value, 1};
        a->head = (uint16_t)(a->head + 1u < a->n_slots ? a->head + 1u : 0);
    }
    if (a->slow)
        thresholds_last_watch(e, a, m);
    /* Alarmed and the newest holds as well: nothing new, without looking at the others.
     * */
    bool same = a->reported && !a->changed && !a->slow && a->state == HALE_STATE_ALARM &&
                slot_holds(a, slot_at(a, a->n_last - 1u));
    struct verdict v = {.missing = false};
    if (!same && last_decide(a, &v))
        thresholds_verdict(e, a, &v, m);
    else if (!same)
        a->pend = 0;
    a->changed = false;
}

void thresholds_window_last(struct thresholds_engine *e, struct sub *a, int64_t time_ms,
                            double value, const struct moment *m)
{
    last_sample(e, a, time_ms, value, m);
}

/* --- the other functions ------------------------------------------------------------ */

/* Rule 1: the first run of `times` slots that all hold. */
static bool find_run(struct sub *a, struct verdict *v)
{
    unsigned run = 0;
    for (unsigned i = 0; i < a->n_slots; i++) {
        const struct slot *s = slot_at(a, i);
        run = s->n > 0 && slot_holds(a, s) ? run + 1 : 0;
        if (run == a->times) {
            v->state = HALE_STATE_ALARM;
            thresholds_verdict_slots(a, v, i + 1 - run, i + 1);
            return true;
        }
    }
    return false;
}

/* Rule 2: the first slot that does not hold. */
static bool find_clear(struct sub *a, struct verdict *v)
{
    for (unsigned i = 0; i < a->n_slots; i++) {
        const struct slot *s = slot_at(a, i);
        if (s->n > 0 && !slot_holds(a, s)) {
            v->state = HALE_STATE_OK;
            thresholds_verdict_slots(a, v, i, i + 1);
            return true;
        }
    }
    return false;
}

/* Rule 3, at the close of a window. */
static bool close_view(struct sub *a, struct verdict *v)
{
    unsigned empty = 0, unknown = 0;
    double value;
    thresholds_verdict_slots(a, v, 0, a->times);
    for (unsigned i = 0; i < a->times; i++) {
        struct slot *s = slot_at(a, i);
        if (!slot_known(a, s, &value)) {
            empty++;
            unknown += s->n > 0;
            continue;
        }
        a->empty = 0;
        if (!hale_op_holds((enum hale_op)a->op, value, a->threshold)) {
            v->hi = i + 1;
            v->state = HALE_STATE_OK;
            return true;
        }
    }
    if (empty == 0) {
        v->state = HALE_STATE_ALARM;
        return true;
    }
    if (a->empty < UINT32_MAX)
        a->empty++;
    if (a->deterministic) {
        v->state = HALE_STATE_OK;
        return true;
    }
    int64_t after_s = a->missing_after_s;
    enum hale_missing policy = (enum hale_missing)a->policy;
    v->state = policy == HALE_MISSING_OK      ? HALE_STATE_OK
               : policy == HALE_MISSING_ALARM ? HALE_STATE_ALARM
                                              : HALE_STATE_UNDETERMINED;
    v->missing = policy == HALE_MISSING_OK || policy == HALE_MISSING_ALARM;
    bool no_data = a->monasca ? (int64_t)a->empty * 60 >= after_s
                              : a->view_end_s - a->data_end_s >= after_s;
    if (no_data && policy != HALE_MISSING_KEEP)
        return true;
    *v = (struct verdict){.state = HALE_STATE_UNDETERMINED, .learning = true};
    thresholds_verdict_slots(a, v, 0, a->times);
    return unknown > 0 && !a->reported && a->state == HALE_STATE_UNDETERMINED;
}

static bool decide(struct sub *a, bool closing, struct verdict *v)
{
    if (alarms_at_once(a) && find_run(a, v))
        return true;
    if (clears_at_once(a) && find_clear(a, v))
        return true;
    return closing && close_view(a, v);
}

/* Rules 1 and 2 when only slot i has changed since the last decision. */
static bool decide_touched(struct sub *a, unsigned i, struct verdict *v)
{
    if (alarms_at_once(a)) {
        if ((a->state == HALE_STATE_ALARM && a->reported) ||
            !slot_holds(a, slot_at(a, i)))
            return false;
        unsigned lo = i, hi = i + 1;
        while (lo > 0 && slot_at(a, lo - 1)->n > 0 && slot_holds(a, slot_at(a, lo - 1)))
            lo--;
        while (hi < a->n_slots && hi - lo < a->times && slot_at(a, hi)->n > 0 &&
               slot_holds(a, slot_at(a, hi)))
            hi++;
        if (hi - lo < a->times)
            return false;
        v->state = HALE_STATE_ALARM;
        thresholds_verdict_slots(a, v, lo, lo + a->times);
        return true;
    }
    if (!clears_at_once(a) || (a->state == HALE_STATE_OK && a->reported) ||
        slot_holds(a, slot_at(a, i)))
        return false;
    v->state = HALE_STATE_OK;
    thresholds_verdict_slots(a, v, i, i + 1);
    return true;
}

static inline void slot_add(struct sub *a, struct slot *s, double value)
{
    if (a->func == HALE_FUNC_PERCENTILE || a->func == HALE_FUNC_STDDEV) {
        thresholds_kept_add(a, s, value);
        return;
    }
    if (s->n == 0)
        s->acc = value;
    else if (a->func == HALE_FUNC_MAX)
        s->acc = value > s->acc ? value : s->acc;
    else if (a->func == HALE_FUNC_MIN)
        s->acc = value < s->acc ? value : s->acc;
    else if (a->func != HALE_FUNC_COUNT)
        s->acc += value;
    if (s->n < UINT32_MAX)
        s->n++;
}

void thresholds_window_sample(struct thresholds_engine *e, struct sub *a, int64_t time_ms,
                              double value, int64_t now_ms, int64_t accepted_us)
{
    struct moment m = {.at_ms = now_ms, .accepted_us = accepted_us, .by_tick = false};
    *sub_dirty_flag(e, a) = 1;
    if (a->func == HALE_FUNC_LAST) {
        last_sample(e, a, time_ms, value, &m);
        return;
    }
    if (a->func == HALE_FUNC_ABSENT) {
        thresholds_absent_sample(e, a, &m);
        return;
    }
    if (a->asleep) {
        wake(e, a, now_ms);
        thresholds_schedule(e, a);
    }
    int64_t time_s = floor_s(time_ms);
    int64_t offset = time_s - window_start_s(a);
    if (offset < 0) {
        e->stats.late++;
        return;
    }
    if (offset >= (int64_t)a->n_slots * a->width_s) {
        e->stats.future++;
        return;
    }
    unsigned i = (uint32_t)offset / a->width_s;
    slot_add(a, slot_at(a, i), value);
    int64_t slot_end_s = window_start_s(a) + (int64_t)(i + 1) * a->width_s;
    if (slot_end_s > a->data_end_s)
        a->data_end_s = slot_end_s;

    /* monasca: a sample evaluates with now := its own stamp, even one in the future. */
    bool closing = a->monasca && time_s > a->view_end_s + e->limits.delay_s;
    struct verdict v = {.missing = false};
    bool whole = closing || a->changed || a->slow;
    if (whole ? decide(a, closing, &v) : decide_touched(a, i, &v))
        thresholds_verdict(e, a, &v, &m);
    a->changed = false;
    if (closing) {
        e->stats.evaluations++;
        slide_monasca(e, a, time_s);
        thresholds_schedule(e, a);
    }
}

void thresholds_window_increase(struct thresholds_engine *e, struct sub *a,
                                int64_t from_ms, int64_t to_ms, double increase,
                                const struct moment *m)
{
    if (a->asleep) {
        wake(e, a, m->at_ms);
        thresholds_schedule(e, a);
    }
    int64_t width_ms = (int64_t)a->width_s * 1000;
    int64_t start_ms = window_start_s(a) * 1000;
    if (to_ms <= start_ms) {
        e->stats.late++;
        return;
    }
    int64_t i = from_ms > start_ms ? (from_ms - start_ms) / width_ms : 0;
    for (; i < a->n_slots && start_ms + i * width_ms < to_ms; i++) {
        int64_t lo = start_ms + i * width_ms, hi = lo + width_ms;
        double part = (double)((hi < to_ms ? hi : to_ms) - (lo > from_ms ? lo : from_ms));
        struct slot *s = slot_at(a, (unsigned)i);
        s->acc += increase * part / (double)(to_ms - from_ms);
        s->n += s->n < UINT32_MAX;
        if (hi / 1000 > a->data_end_s)
            a->data_end_s = hi / 1000;
    }
    struct verdict v = {.missing = false};
    if (decide(a, false, &v))
        thresholds_verdict(e, a, &v, m);
    a->changed = false;
}

/* No tick can change or report anything before the next sample. */
static bool settled(struct sub *a)
{
    static const enum hale_state ends[] = {
        [HALE_MISSING_UNDETERMINED] = HALE_STATE_UNDETERMINED,
        [HALE_MISSING_OK] = HALE_STATE_OK,
        [HALE_MISSING_ALARM] = HALE_STATE_ALARM,
    };
    if (a->changed || a->pend != 0 || (keeps_more(a) && thresholds_kept_ahead(a)))
        return false;
    if (a->calculated && !thresholds_operands_empty(a->operands))
        return false;
    for (unsigned i = 0; !a->calculated && i < a->n_slots;
         i++) { /* first: mostly there is data */
        if (a->slots[i].n > 0)
            return false;
    }
    enum hale_missing policy =
        a->deterministic ? HALE_MISSING_OK : (enum hale_missing)a->policy;
    if (policy != HALE_MISSING_KEEP && (!a->reported || a->state != ends[policy]))
        return false;
    return !a->monasca || a->deterministic ||
           (int64_t)a->empty * 60 >= (int64_t)a->width_s * a->times * 2;
}

void thresholds_window_tick(struct thresholds_engine *e, struct sub *a, int64_t at_ms)
{
    struct moment m = {.at_ms = at_ms, .accepted_us = 0, .by_tick = true};
    struct verdict v = {.missing = false};
    if (a->recheck_ms != NO_TIME && a->recheck_ms <= at_ms)
        a->recheck_ms = NO_TIME;
    *sub_dirty_flag(e, a) = 1;
    if (a->func == HALE_FUNC_ABSENT) {
        thresholds_absent_tick(e, a, &m);
        return;
    }
    if (a->func == HALE_FUNC_LAST) {
        if (a->slow && thresholds_last_silent(e, a, &m))
            return;
        if (!a->changed && a->pend == 0)
            return; /* the timer of a wait that is over */
        if (last_decide(a, &v))
            thresholds_verdict(e, a, &v, &m);
        else
            a->pend = 0;
        a->changed = false;
        return;
    }
    bool closing = a->monasca
                       ? floor_s(at_ms) > a->view_end_s + e->limits.delay_s
                       : at_ms >= a->view_end_s * 1000 + late_wait_ms(e, a->width_s);
    if (!closing && !a->changed && a->pend == 0)
        return;
    if (closing && a->calculated)
        thresholds_operands_compute(a);
    if (decide(a, closing, &v))
        thresholds_verdict(e, a, &v, &m);
    else if (closing)
        a->pend = 0; /* a window without data ends the wait */
    a->changed = false;
    if (!closing)
        return;
    e->stats.evaluations++;
    if (a->monasca)
        slide_monasca(e, a, floor_s(at_ms));
    else
        slide(a, 1);
    a->asleep = settled(a);
}
