/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence - what is decided because no sample came: the function absent, and on_missing for last.
 * (Windows find silence when they close: window.c.) The timer is armed by the first sample and
 * moved only when it fires, so a sample costs a store. Silence counts from arrival, whatever the
 * stamps say.
 */
#include "thresholds/inner.h"

/* Fires at at_ms or before. */
static void wake_at(struct thresholds_engine *e, struct sub *a, int64_t at_ms,
                    bool by_tick)
{
    if (a->recheck_ms != NO_TIME && a->recheck_ms <= at_ms)
        return;
    a->recheck_ms = at_ms;
    if (!by_tick) /* after a tick the caller does */
        thresholds_schedule(e, a);
}

/* --- absent --------------------------------------------------------------------------- */

static int64_t absent_due_ms(const struct sub *a)
{
    return a->last_ms + (int64_t)a->width_s * 1000;
}

void thresholds_absent_sample(struct thresholds_engine *e, struct sub *a,
                              const struct moment *m)
{
    a->last_ms = m->at_ms;
    wake_at(e, a, absent_due_ms(a), m->by_tick);
    if (a->reported && a->state == HALE_STATE_OK)
        return;
    struct verdict v = {.state = HALE_STATE_OK, .start_ms = m->at_ms, .end_ms = m->at_ms};
    thresholds_verdict(e, a, &v, m);
}

void thresholds_absent_tick(struct thresholds_engine *e, struct sub *a,
                            const struct moment *m)
{
    if (a->last_ms == NO_TIME)
        return;
    if (m->at_ms < absent_due_ms(a)) {
        wake_at(e, a, absent_due_ms(a), m->by_tick);
        return;
    }
    struct verdict v = {.state = HALE_STATE_ALARM,
                        .hi = 1,
                        .start_ms = a->last_ms,
                        .end_ms = absent_due_ms(a)};
    a->slots[0] = (struct slot){(double)(m->at_ms - a->last_ms) / 1000.0, 1};
    thresholds_verdict(e, a, &v, m);
}

void thresholds_absent_renew(struct sub *a, const struct sub *old, int64_t now_ms)
{
    bool known = old->func == HALE_FUNC_ABSENT && old->last_ms != NO_TIME;
    a->last_ms = known ? old->last_ms : now_ms;
    int64_t due = absent_due_ms(a);
    a->recheck_ms = due > now_ms ? due : now_ms;
}

/* --- last with on_missing --------------------------------------------------------------- */

void thresholds_last_watch(struct thresholds_engine *e, struct sub *a,
                           const struct moment *m)
{
    if (a->policy == HALE_MISSING_KEEP)
        return;
    a->data_end_s = floor_s(m->at_ms + 999); /* rounded up: never too early */
    wake_at(e, a, (a->data_end_s + a->missing_after_s) * 1000, m->by_tick);
}

bool thresholds_last_silent(struct thresholds_engine *e, struct sub *a,
                            const struct moment *m)
{
    enum hale_missing policy = (enum hale_missing)a->policy;
    if (policy == HALE_MISSING_KEEP)
        return false;
    int64_t due_ms = (a->data_end_s + a->missing_after_s) * 1000;
    if (m->at_ms < due_ms) {
        wake_at(e, a, due_ms, m->by_tick);
        return false;
    }
    struct verdict v = {.state = policy == HALE_MISSING_OK      ? HALE_STATE_OK
                                 : policy == HALE_MISSING_ALARM ? HALE_STATE_ALARM
                                                                : HALE_STATE_UNDETERMINED,
                        .start_ms = a->data_end_s * 1000,
                        .end_ms = due_ms,
                        .missing = policy != HALE_MISSING_UNDETERMINED};
    a->changed = false;
    thresholds_verdict(e, a, &v, m);
    return true;
}
