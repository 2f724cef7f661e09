/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry - event alarms that clear by themselves: the sender promised to repeat what lasts and gave
 * the time until which it holds. Time is that of the event stream, so that a correlator that was away
 * judges by what came meanwhile and not by how late it reads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "correlator/parts.h"

#define EXPIRIES_MAX (1u << 24) /* as many as there are alarms */

void cor_expiry_set(struct correlator_engine *e, struct cor_alarm *a, int64_t at_ms)
{
    if (at_ms <= 0) {
        if (e->expiries != NULL)
            hale_timers_disarm(e->expiries, &a->fault->expiry);
        return;
    }
    if (e->expiries == NULL &&
        cor_got(e, e->expiries = hale_timers_new(EXPIRIES_MAX)) == NULL)
        return;
    a->fault->expiry.owner = a;
    if (hale_timers_arm(e->expiries, &a->fault->expiry, at_ms) != HALE_OK)
        e->nomem = true;
}

int64_t cor_expiry_of(const struct cor_alarm *a)
{
    return a->fault->expiry.pos != 0 ? a->fault->expiry.at : 0;
}

int64_t correlator_engine_next_expiry(const struct correlator_engine *e)
{
    return e->expiries != NULL ? hale_timers_next(e->expiries) : INT64_MAX;
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

/* The last event's, with the end of its time. */
static char *evidence_of(struct correlator_engine *e, const struct cor_alarm *a,
                         int64_t at_ms)
{
    json_t *o = json_loads(a->fault->evidence, 0, NULL);
    char *text = NULL;
    if (o != NULL && json_object_set_new(o, "time_ms", json_integer(at_ms)) == 0 &&
        json_object_set_new(o, "status", json_string("expired")) == 0)
        text = cor_json_text(o);
    json_decref(o);
    return cor_got(e, text);
}

static void expire(struct correlator_engine *e, struct cor_alarm *a, int64_t at_ms)
{
    cor_alarm_dirty(e, a); /* its row still has the time */
    if (a->state == HALE_STATE_OK)
        return; /* set so through the API */
    char *reason = reason_of(e, a, at_ms), *evidence = evidence_of(e, a, at_ms);
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
    cor_fault_uncleared(e, a);
    cor_alarm_set_state(e, a, HALE_STATE_OK);
    cor_emit(e, a, HALE_ALARM_TRANSITION, from);
    cor_fault_cleared(e, a);
    e->stats.events_expired++;
}

/* --- what is due --------------------------------------------------------------------- */

struct due {
    int64_t at_ms;
    struct cor_alarm *a;
};

/* Not by the order of arming, which is another after loading. */
static int by_time_and_id(const void *x, const void *y)
{
    const struct due *a = x, *b = y;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return strcmp(a->a->id, b->a->id);
}

/* Arms what is due anew, so that it is popped in that order. */
static void order_due(struct correlator_engine *e, int64_t stream_ms)
{
    size_t n = 0, max = hale_timers_count(e->expiries);
    struct due *list = cor_got(e, calloc(max, sizeof(*list)));
    const struct hale_timer *t;
    while (list != NULL && (t = hale_timers_pop(e->expiries, stream_ms)) != NULL)
        list[n++] = (struct due){t->at, t->owner};
    if (n > 1)
        qsort(list, n, sizeof(*list), by_time_and_id);
    for (size_t i = 0; i < n; i++)
        cor_expiry_set(e, list[i].a, list[i].at_ms);
    free(list);
}

enum hale_rc correlator_engine_expire(struct correlator_engine *e, int64_t stream_ms,
                                      const struct correlator_input *in)
{
    HALE_ASSERT(in != NULL);
    if (correlator_engine_next_expiry(e) > stream_ms)
        return HALE_OK;
    e->in = in;
    e->accepted_us = 0;
    e->decided_us = in->now_us;
    order_due(e, stream_ms);
    /* One by one: at a checkpoint the rows of the others must still have their time. */
    const struct hale_timer *t;
    while (!e->nomem && (t = hale_timers_pop(e->expiries, stream_ms)) != NULL) {
        expire(e, t->owner, t->at);
        cor_checkpoint(e);
    }
    return e->nomem ? HALE_E_NOMEM : HALE_OK;
}
