/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict - what window.c decided becomes a state that is told: how far beyond the threshold
 * (levels), when an ALARM ends (clear threshold), and whether it has to last first (`for`).
 *
 * Hysteresis is a threshold that depends on the state: in ALARM the clear threshold is in
 * sub.threshold, so accepting and deciding know nothing of it. No slot needs a second look when it
 * is exchanged: what fails the looser of two thresholds fails the stricter one too, and the state
 * only changes to OK when the slots failed the looser one. A level that was reached is kept until
 * the value is as far below its threshold as the clear threshold is below the first one.
 */
#include <float.h>

#include "thresholds/inner.h"

static const struct hale_subexpr *expr_of(const struct sub *a)
{
    return &a->def->d->expr->subs[a->index];
}

/* The threshold of level l (1..) as long as the sub-alarm is as it is. */
static double threshold_of(const struct sub *a, const struct hale_subexpr *x, unsigned l)
{
    double own = l == 1 ? x->threshold : x->levels[l - 2].threshold;
    if (!x->has_clear || l > a->level)
        return own;
    return l == 1 ? x->clear : own - (x->threshold - x->clear);
}

static enum hale_missing policy_of(const struct sub *a)
{
    const struct hale_definition *d = a->def->d;
    bool keeps = a->func == HALE_FUNC_LAST;
    if (d->on_missing != HALE_MISSING_DEFAULT && !(keeps && a->deterministic))
        return d->on_missing;
    return keeps ? HALE_MISSING_KEEP : HALE_MISSING_UNDETERMINED;
}

void thresholds_verdict_refresh(struct sub *a)
{
    const struct hale_subexpr *x = expr_of(a);
    if (a->level > x->n_levels + 1)
        a->level = (uint8_t)(x->n_levels + 1);
    a->op = (uint8_t)x->op;
    int64_t after_s = a->def->d->missing_after_s;
    a->policy = (uint8_t)policy_of(a);
    int64_t period_s =
        a->func == HALE_FUNC_FORECAST ? x->period_s : (int64_t)a->width_s * a->times;
    a->missing_after_s = (uint32_t)(after_s > 0 ? after_s : period_s * 2);
    a->slow = a->func == HALE_FUNC_RATE || x->n_levels > 0 || x->for_s > 0 ||
              x->clear_for_s > 0 ||
              (a->func == HALE_FUNC_LAST && a->policy != HALE_MISSING_KEEP);
    a->clears = x->has_clear;
    a->threshold = threshold_of(a, x, 1);
}

/* --- levels --------------------------------------------------------------------------- */

static uint8_t level_of(const struct sub *a, const struct hale_subexpr *x, double value)
{
    unsigned l = 0;
    while (l <= x->n_levels &&
           hale_op_holds((enum hale_op)a->op, value, threshold_of(a, x, l + 1)))
        l++;
    return (uint8_t)l;
}

/* The level that all of slots lo..hi-1 reach; 0 if one of them is unknown. */
static uint8_t level_of_run(struct sub *a, const struct hale_subexpr *x, unsigned lo,
                            unsigned hi)
{
    uint8_t lowest = UINT8_MAX;
    for (unsigned i = lo; i < hi; i++) {
        double value;
        uint8_t l = slot_known(a, slot_at(a, i), &value) ? level_of(a, x, value) : 0;
        lowest = l < lowest ? l : lowest;
    }
    return lowest;
}

/* Of an ALARM: the level, and where rule 1 allows it the run of slots that reaches most. */
static void grade(struct sub *a, const struct hale_subexpr *x, struct verdict *v)
{
    v->level = level_of_run(a, x, v->lo, v->hi);
    if (!alarms_at_once(a))
        return;
    for (unsigned lo = 0; lo + a->times <= a->n_slots; lo++) {
        uint8_t l = level_of_run(a, x, lo, lo + a->times);
        if (l > v->level) {
            thresholds_verdict_slots(a, v, lo, lo + a->times);
            v->level = l;
        }
    }
}

static int severity_of(const struct sub *a)
{
    return a->level < 2 ? -1 : (int)expr_of(a)->levels[a->level - 2].severity;
}

/* --- reporting ---------------------------------------------------------------------- */

void thresholds_verdict_slots(const struct sub *a, struct verdict *v, unsigned lo,
                              unsigned hi)
{
    int64_t start = window_start_s(a);
    int64_t reach_s = a->calculated ? (a->operands->span - 1) * (int64_t)a->width_s : 0;
    v->lo = lo;
    v->hi = hi;
    v->start_ms = (start + (int64_t)lo * a->width_s - reach_s) * 1000;
    if (keeps_more(a))
        v->start_ms -= thresholds_kept_reach_s(a) * 1000;
    v->end_ms = (start + (int64_t)hi * a->width_s) * 1000;
}

static double clamped(double x)
{
    return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

static unsigned collect_values(struct thresholds_engine *e, struct sub *a,
                               const struct verdict *v)
{
    unsigned n = 0;
    for (unsigned i = v->lo; i < v->hi; i++) {
        double value;
        if (slot_known(a, slot_at(a, i), &value))
            e->values[n++] = clamped(value);
    }
    return n;
}

/* Of the newest value that was looked at. */
static unsigned collect_operands(struct sub *a, const struct verdict *v,
                                 double out[HALE_ARITH_MAX_TERMS])
{
    double value;
    unsigned n = 0;
    if (!a->calculated)
        return 0;
    for (unsigned i = v->hi; n == 0 && i-- > v->lo;)
        if (slot_known(a, slot_at(a, i), &value))
            n = thresholds_operands_of(a, i, out);
    for (unsigned i = 0; i < n; i++)
        out[i] = clamped(out[i]);
    return n;
}

static void report(struct thresholds_engine *e, struct sub *a, const struct verdict *v,
                   const struct moment *m)
{
    int64_t since_ms = a->pend != 0 ? a->pend_ms : 0;
    a->pend = 0;
    if (a->reported && a->state == v->state && a->level == v->level)
        return;
    a->state = (uint8_t)v->state;
    a->level = v->level;
    a->reported = true;
    if (a->clears)
        thresholds_verdict_refresh(a);
    *sub_dirty_flag(e, a) = 1;
    e->stats.transitions++;

    struct hale_dim dims[THRESHOLDS_GROUP_MAX];
    struct thresholds_event ev = {
        .kind = HALE_SUB_STATE,
        .definition = a->def->d,
        .sub = a->index,
        .n_group = thresholds_group_dims(a, dims),
        .group = dims,
        .state = v->state,
        .severity = severity_of(a),
        .since_ms = since_ms,
        .missing = v->missing,
        .learning = v->learning,
        .by_tick = m->by_tick,
        .at_ms = m->at_ms,
        .n_values = collect_values(e, a, v),
        .values = e->values,
        .window_start_ms = v->start_ms,
        .window_end_ms = v->end_ms,
        .accepted_us = m->accepted_us,
    };
    ev.n_operands = collect_operands(a, v, ev.operands);
    e->emit(&ev, e->emit_arg);
}

/* --- delays ------------------------------------------------------------------------- */

/* Has the state to last longer before it is told? Kinds that are decided at the close of a
 * window only are looked at again then, the others by a timer. */
static bool must_wait(struct thresholds_engine *e, struct sub *a,
                      const struct hale_subexpr *x, const struct verdict *v,
                      const struct moment *m)
{
    int64_t delay_s = 0;
    if (v->state == HALE_STATE_ALARM && a->state != HALE_STATE_ALARM)
        delay_s = x->for_s;
    else if (v->state == HALE_STATE_OK && a->state == HALE_STATE_ALARM)
        delay_s = x->clear_for_s;
    if (delay_s == 0) {
        a->pend = 0;
        return false;
    }
    if (a->pend != 1 + v->state) {
        a->pend = (uint8_t)(1 + v->state);
        a->pend_ms = m->at_ms;
    }
    int64_t due_ms = a->pend_ms + delay_s * 1000;
    if (m->at_ms >= due_ms)
        return false;
    *sub_dirty_flag(e, a) = 1;
    bool timer = a->func == HALE_FUNC_LAST || alarms_at_once(a) || clears_at_once(a);
    if (timer && (a->recheck_ms == NO_TIME || a->recheck_ms > due_ms)) {
        a->recheck_ms = due_ms;
        if (!m->by_tick) /* after a tick the caller does */
            thresholds_schedule(e, a);
    }
    return true;
}

void thresholds_verdict(struct thresholds_engine *e, struct sub *a, struct verdict *v,
                        const struct moment *m)
{
    v->level = v->state == HALE_STATE_ALARM ? 1 : 0;
    if (v->missing) {
        a->pend = 0;
        if (v->level > 0 && a->level > 0)
            v->level = a->level; /* what it was last seen at */
    }
    if (a->slow && !v->missing) {
        const struct hale_subexpr *x = expr_of(a);
        if (v->level > 0 && x->n_levels > 0)
            grade(a, x, v);
        if (must_wait(e, a, x, v, m))
            return;
    }
    report(e, a, v, m);
}
