/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operate - what people do to single alarms: acknowledge, assign, comment, shelve. Each that changes
 * anything is one `updated` record with op and by; what has an end ends by due. A repeated input (its
 * effects were written, its position was not) finds its words there already and changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"

static bool same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_word(const struct cor_word *w, const struct hale_control *c)
{
    return same(w->by, c->by) && same(w->text, c->text) && w->at_ms == c->at_ms;
}

static struct cor_word word_of(struct correlator_engine *e, const struct hale_control *c)
{
    return (struct cor_word){cor_strdup(e, c->by),
                             c->text != NULL ? cor_strdup(e, c->text) : NULL, c->at_ms};
}

static bool ended(const struct correlator_engine *e, const struct hale_control *c)
{
    return c->until_ms != 0 && c->until_ms <= cor_stream_ms(e);
}

/* "" means nobody. */
static bool assign(struct correlator_engine *e, struct cor_life *l, const char *owner)
{
    if (same(l->owner, owner))
        return false;
    free(l->owner);
    l->owner = owner != NULL && owner[0] != '\0' ? cor_strdup(e, owner) : NULL;
    return true;
}

/* Only a problem can be acknowledged. */
static bool ack(struct correlator_engine *e, struct cor_alarm *a,
                const struct hale_control *c)
{
    struct cor_life *l = &a->life;
    if (a->state == HALE_STATE_OK || ended(e, c))
        return false;
    bool changed = c->owner != NULL && assign(e, l, c->owner);
    if (same_word(&l->ack, c) && cor_due_of(&l->ack_due) == c->until_ms)
        return changed;
    cor_life_unack(e, l);
    l->ack = word_of(e, c);
    l->ack_severity = cor_severity_of(a);
    cor_due_set(e, &l->ack_due, c->until_ms);
    return true;
}

static bool comment(struct correlator_engine *e, struct cor_life *l,
                    const struct hale_control *c)
{
    for (unsigned i = 0; i < l->n_comments; i++) {
        if (same_word(&l->comments[i], c))
            return false;
    }
    if (l->comments == NULL)
        l->comments = cor_got(e, calloc(COR_COMMENTS_MAX, sizeof(*l->comments)));
    if (l->comments == NULL)
        return false;
    if (l->n_comments == COR_COMMENTS_MAX) {
        cor_word_fini(&l->comments[0]);
        memmove(&l->comments[0], &l->comments[1],
                (COR_COMMENTS_MAX - 1) * sizeof(*l->comments));
        l->n_comments--;
    }
    l->comments[l->n_comments++] = word_of(e, c);
    return true;
}

static bool shelve(struct correlator_engine *e, struct cor_alarm *a,
                   const struct hale_control *c)
{
    struct cor_life *l = &a->life;
    if (c->until_ms == 0 || ended(e, c) ||
        (same_word(&l->shelved, c) && cor_due_of(&l->shelve_due) == c->until_ms))
        return false;
    cor_word_fini(&l->shelved);
    l->shelved = word_of(e, c);
    cor_due_set(e, &l->shelve_due, c->until_ms);
    cor_mute_set(e, a, COR_MUTE_SHELVE, a->id, c->until_ms, c->text);
    return true;
}

void cor_operate(struct correlator_engine *e, struct cor_alarm *a,
                 const struct hale_control *c)
{
    bool changed = false;
    switch (c->action) {
    case HALE_OP_ACK: changed = ack(e, a, c); break;
    case HALE_OP_UNACK: changed = cor_life_unack(e, &a->life); break;
    case HALE_OP_ASSIGN: changed = assign(e, &a->life, c->owner); break;
    case HALE_OP_COMMENT: changed = comment(e, &a->life, c); break;
    case HALE_OP_SHELVE: changed = shelve(e, a, c); break;
    case HALE_OP_UNSHELVE: changed = cor_life_unshelve(e, a); break;
    }
    a->life.changed |= changed;
    cor_gate_settle(e, a, hale_alarm_op_text(c->action), c->by);
}
