/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/due.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* What happens. The one that is due is disarmed already. */
static void (*const happen[])(struct correlator_engine *e, void *owner, int64_t at_ms) = {
    [COR_DUE_BEGIN] = cor_window_due,  [COR_DUE_END] = cor_window_due,
    [COR_DUE_EXPIRY] = cor_expiry_due, [COR_DUE_DELAY] = cor_delay_due,
    [COR_DUE_ACK] = cor_life_ack_due,  [COR_DUE_SHELVE] = cor_life_shelve_due,
    [COR_DUE_FLAP] = cor_flap_due,     [COR_DUE_CAUSE] = cor_cause_due,
    [COR_DUE_STORM] = cor_storm_due,
};

/* --- the heap ------------------------------------------------------------------------ */

static bool before(const struct cor_due *a, const struct cor_due *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return strcmp(a->id, b->id) < 0;
}

static void place(struct cor_dues *q, struct cor_due *d, size_t pos)
{
    q->heap[pos] = d;
    d->pos = pos;
}

/* Finds d's place from pos on, upwards and downwards. */
static void sift(struct cor_dues *q, struct cor_due *d, size_t pos)
{
    for (; pos > 1 && before(d, q->heap[pos / 2]); pos /= 2)
        place(q, q->heap[pos / 2], pos);
    for (size_t child; (child = 2 * pos) <= q->n; pos = child) {
        if (child < q->n && before(q->heap[child + 1], q->heap[child]))
            child++;
        if (!before(q->heap[child], d))
            break;
        place(q, q->heap[child], pos);
    }
    place(q, d, pos);
}

static void take_out(struct cor_dues *q, struct cor_due *d)
{
    size_t pos = d->pos;
    struct cor_due *last = q->heap[q->n--];
    d->pos = 0;
    if (last != d)
        sift(q, last, pos);
}

static bool room(struct correlator_engine *e, struct cor_dues *q)
{
    if (q->n + 1 < q->cap)
        return true;
    size_t cap = q->cap == 0 ? 64 : 2 * q->cap;
    struct cor_due **grown = cor_got(e, realloc(q->heap, cap * sizeof(struct cor_due *)));
    if (grown == NULL)
        return false;
    q->heap = grown;
    q->cap = cap;
    return true;
}

void cor_dues_set(struct correlator_engine *e, struct cor_dues *q, struct cor_due *d,
                  int64_t at_ms)
{
    if (d->pos != 0)
        take_out(q, d);
    if (at_ms <= 0 || !room(e, q))
        return;
    HALE_ASSERT(d->id != NULL);
    d->at_ms = at_ms;
    sift(q, d, ++q->n);
}

void cor_due_set(struct correlator_engine *e, struct cor_due *d, int64_t at_ms)
{
    cor_dues_set(e, &e->due, d, at_ms);
}

int64_t cor_due_of(const struct cor_due *d)
{
    return d->pos != 0 ? d->at_ms : 0;
}

void cor_due_free(struct cor_dues *dues)
{
    free(dues->heap);
    *dues = (struct cor_dues){0};
}

/* --- the public side ----------------------------------------------------------------- */

int64_t correlator_engine_next_due(const struct correlator_engine *e)
{
    return e->due.n > 0 ? e->due.heap[1]->at_ms : INT64_MAX;
}

int64_t correlator_engine_stream_ms(const struct correlator_engine *e)
{
    return e->due_ms;
}

enum hale_rc correlator_engine_due(struct correlator_engine *e, int64_t stream_ms,
                                   const struct correlator_input *in)
{
    if (correlator_engine_next_due(e) > stream_ms) {
        e->due_ms = stream_ms > e->due_ms ? stream_ms : e->due_ms;
        return HALE_OK;
    }
    cor_begin(e, in, 0, in->now_us);
    /* One by one: at a checkpoint the rows of the others must still have their time. */
    while (!e->nomem && correlator_engine_next_due(e) <= stream_ms) {
        struct cor_due *d = e->due.heap[1];
        /* If only a part of it gets written, it is due once more. */
        e->due_ms = d->at_ms - 1 > e->due_ms ? d->at_ms - 1 : e->due_ms;
        take_out(&e->due, d);
        happen[d->kind](e, d->owner, d->at_ms);
        cor_cause_settle(e);
        cor_checkpoint(e);
    }
    e->due_ms = stream_ms > e->due_ms ? stream_ms : e->due_ms;
    return cor_result(e, HALE_OK);
}
