/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry - event alarms that clear by themselves: the sender promised to repeat what lasts and gave
 * the time until which it holds. Time is that of the event stream, so that a correlator that was away
 * judges by what came meanwhile and not by how late it reads.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "correlator/parts.h"

void cor_expiry_set(struct correlator_engine *e, struct cor_alarm *a, int64_t at_ms)
{
    struct cor_due *d = &a->fault->expiry;
    d->kind = COR_DUE_EXPIRY;
    d->id = a->id;
    d->owner = a;
    cor_due_set(e, d, at_ms);
}

int64_t cor_expiry_of(const struct cor_alarm *a)
{
    return cor_due_of(&a->fault->expiry);
}

/* --- clearing ------------------------------------------------------------------------ */

static char *reason_of(struct correlator_engine *e, const struct cor_alarm *a,
                       int64_t at_ms)
{
    char until[HALE_CLOCK_ISO_MAX];
    struct hale_buf out;
    hale_buf_init(&out, COR_RECORD_MAX);
    hale_buf_printf(&out, "Fault event %s expired: it was not repeated until %s",
                    a->fault->type, hale_clock_iso_ms(at_ms, until));
    char *text = out.failed ? NULL : hale_buf_take(&out);
    hale_buf_fini(&out);
    return cor_got(e, text);
}

/* The last event's, with its end. */
static char *evidence_of(struct correlator_engine *e, const struct cor_alarm *a,
                         const char *status, int64_t at_ms)
{
    json_t *o = json_loads(a->fault->evidence, 0, NULL);
    char *text = NULL;
    if (o != NULL && json_object_set_new(o, "time_ms", json_integer(at_ms)) == 0 &&
        json_object_set_new(o, "status", json_string(status)) == 0)
        text = cor_json_text(o);
    json_decref(o);
    return cor_got(e, text);
}

void cor_fault_end(struct correlator_engine *e, struct cor_alarm *a, char *reason,
                   const char *status, int64_t at_ms)
{
    char *evidence = evidence_of(e, a, status, at_ms);
    if (reason == NULL || evidence == NULL) {
        free(reason);
        free(evidence);
        return;
    }
    enum hale_state from = a->state;
    free(a->reason);
    free(a->fault->evidence);
    a->reason = reason;
    a->fault->evidence = evidence;
    a->manual = false;
    a->updated_ms = a->state_updated_ms = cor_now_ms(e);
    cor_expiry_set(e, a, 0);
    cor_fault_uncleared(e, a);
    cor_alarm_set_state(e, a, HALE_STATE_OK);
    cor_emit(e, a, HALE_ALARM_TRANSITION, from);
    cor_fault_cleared(e, a);
}

void cor_expiry_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    cor_alarm_dirty(e, a); /* its row still has the time */
    if (a->state == HALE_STATE_OK)
        return; /* set so through the API */
    cor_fault_end(e, a, reason_of(e, a, at_ms), "expired", at_ms);
    e->stats.events_expired++;
}
