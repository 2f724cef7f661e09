/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delay - `for` and `clear_for` of a definition: the whole expression must hold, or not hold, for so long
 * before the alarm is ALARM, or OK again. Meanwhile its phase says what it waits for. A change to or from
 * UNDETERMINED does not wait. Time is the stream's and lies in the alarm's row, so a restart neither forgets nor
 * prolongs it.
 */
#include "correlator/parts.h"

static const char phase_op[] = "phase";

static enum cor_phase wanted(const struct cor_alarm *a, enum hale_state to,
                             int64_t *wait_s)
{
    const struct hale_definition *d = a->node->def->d;
    if (to == HALE_STATE_ALARM && a->state != HALE_STATE_ALARM && d->for_s > 0) {
        *wait_s = d->for_s;
        return COR_PHASE_PENDING;
    }
    if (to == HALE_STATE_OK && a->state == HALE_STATE_ALARM && d->clear_for_s > 0) {
        *wait_s = d->clear_for_s;
        return COR_PHASE_CLEARING;
    }
    return COR_PHASE_NONE;
}

bool cor_delay_waits(struct correlator_engine *e, struct cor_alarm *a, enum hale_state to)
{
    struct cor_life *l = &a->life;
    int64_t wait_s = 0;
    enum cor_phase phase = wanted(a, to, &wait_s);
    if (phase != COR_PHASE_NONE && l->phase_over)
        return false;
    if (phase == l->phase)
        return phase != COR_PHASE_NONE;
    l->phase = phase;
    l->changed = true;
    cor_due_set(e, &l->phase_due,
                phase != COR_PHASE_NONE ? cor_stream_ms(e) + wait_s * 1000 : 0);
    if (phase == COR_PHASE_NONE && to != a->state)
        return false; /* the transition's record tells */
    cor_gate_settle(e, a, phase_op, NULL);
    return phase != COR_PHASE_NONE;
}

void cor_delay_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    (void)at_ms;
    a->life.phase = COR_PHASE_NONE;
    a->life.changed = true;
    a->life.phase_over = true;
    cor_evaluate(e, a->node);
    a->life.phase_over = false;
    cor_gate_settle(e, a, phase_op, NULL); /* if it was not a transition after all */
}
