/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"

/* In this order: the first three are decided by people, the others by what they leave. */
static void (*const sources[])(struct correlator_engine *e, struct cor_alarm *a,
                               enum hale_state from) = {
    cor_life_source, cor_window_source, cor_cause_source,
    cor_flap_source, cor_storm_source,
};

/* --- mutes --------------------------------------------------------------------------- */

/* Where (kind, id) is or would be. */
static unsigned place_of(const struct cor_life *l, enum cor_mute_kind kind,
                         const char *id, bool *found)
{
    unsigned i = 0;
    int order = -1;
    for (; i < l->n_mutes; i++) {
        order = l->mutes[i].kind != kind ? (l->mutes[i].kind < kind ? -1 : 1)
                                         : strcmp(l->mutes[i].id, id);
        if (order >= 0)
            break;
    }
    *found = i < l->n_mutes && order == 0;
    return i;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool mute_change(struct correlator_engine *e, struct cor_mute *m, int64_t until_ms,
                        const char *text)
{
    if (m->until_ms == until_ms && same_text(m->text, text))
        return false;
    char *copy = text != NULL ? cor_strdup(e, text) : NULL;
    free(m->text);
    m->text = copy;
    m->until_ms = until_ms;
    return true;
}

static bool mute_add(struct correlator_engine *e, struct cor_life *l, unsigned at,
                     struct cor_mute m)
{
    struct cor_mute *grown =
        m.id != NULL ? cor_got(e, realloc(l->mutes, (l->n_mutes + 1) * sizeof(*grown)))
                     : NULL;
    if (grown == NULL) {
        free(m.id);
        free(m.text);
        return false;
    }
    l->mutes = grown;
    memmove(&grown[at + 1], &grown[at], (l->n_mutes - at) * sizeof(*grown));
    grown[at] = m;
    l->n_mutes++;
    return true;
}

bool cor_mute_set(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_mute_kind kind, const char *id, int64_t until_ms,
                  const char *text)
{
    struct cor_life *l = &a->life;
    bool found, changed;
    unsigned at = place_of(l, kind, id, &found);
    if (found) {
        changed = mute_change(e, &l->mutes[at], until_ms, text);
    } else if (l->n_mutes >= COR_MUTES_MAX) {
        e->stats.mutes_refused++;
        changed = false;
    } else {
        const struct cor_mute m = {kind, cor_strdup(e, id), cor_stream_ms(e), until_ms,
                                   text != NULL ? cor_strdup(e, text) : NULL};
        changed = mute_add(e, l, at, m);
    }
    l->changed |= changed;
    return changed;
}

bool cor_mute_end(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_mute_kind kind, const char *id)
{
    struct cor_life *l = &a->life;
    unsigned kept = 0;
    bool any = false;
    for (unsigned i = 0; i < l->n_mutes; i++) {
        struct cor_mute *m = &l->mutes[i];
        if (m->kind != kind || (id != NULL && strcmp(m->id, id) != 0)) {
            l->mutes[kept++] = *m;
            continue;
        }
        free(l->ended_id);
        free(l->ended_text);
        l->ended_kind = kind;
        l->ended_id = m->id;
        l->ended_text = m->text;
        any = true;
    }
    l->n_mutes = kept;
    l->changed |= any;
    (void)e;
    return any;
}

const struct cor_mute *cor_mute_get(const struct cor_alarm *a, enum cor_mute_kind kind,
                                    const char *id)
{
    for (unsigned i = 0; i < a->life.n_mutes; i++) {
        const struct cor_mute *m = &a->life.mutes[i];
        if (m->kind == kind && (id == NULL || strcmp(m->id, id) == 0))
            return m;
    }
    return NULL;
}

/* --- the verdict --------------------------------------------------------------------- */

void cor_gate_ask(struct correlator_engine *e, struct cor_alarm *a, enum hale_state from)
{
    free(a->life.surfaced);
    a->life.surfaced = NULL;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !e->nomem; i++)
        sources[i](e, a, from);
}

/* It was born UNDETERMINED and has not changed: nobody waits to hear of that. */
static bool newborn(const struct cor_alarm *a)
{
    return a->state == HALE_STATE_UNDETERMINED && a->state_updated_ms == a->created_ms;
}

/* The reason of a record that announces late says why. */
static void surface(struct correlator_engine *e, struct cor_life *l)
{
    struct hale_buf text;
    if (l->ended_id == NULL)
        return;
    hale_buf_init(&text, COR_RECORD_MAX);
    hale_buf_printf(&text, "%s %s", cor_mute_text(l->ended_kind), l->ended_id);
    if (l->ended_kind == COR_MUTE_CAUSE && l->ended_text != NULL)
        hale_buf_printf(&text, ": still failing after %s", l->ended_text);
    free(l->surfaced);
    l->surfaced = cor_got(e, text.failed ? NULL : hale_buf_take(&text));
    hale_buf_fini(&text);
}

static bool verdict(const struct cor_alarm *a, enum hale_log_kind kind)
{
    const struct cor_life *l = &a->life;
    /* The change that begins the flapping is told, and the clear waits for its end. */
    unsigned mutes = l->n_mutes - (l->flap.begins ? 1 : 0);
    bool owed = a->state == HALE_STATE_OK && l->announced != HALE_STATE_OK &&
                (l->flap.since_ms == 0 || l->flap.begins);
    switch (kind) {
    case HALE_ALARM_CREATED: return false;
    case HALE_ALARM_TRANSITION:
        if (mutes == 0 && l->ended_id != NULL && a->state == l->announced)
            return false; /* they were not told that it had left that state */
        return mutes == 0 || owed;
    case HALE_ALARM_UPDATED:
        return owed || (mutes == 0 && a->state != l->announced && !newborn(a));
    case HALE_ALARM_DELETED: return l->announced == HALE_STATE_ALARM;
    }
    return false;
}

bool cor_gate_announce(struct correlator_engine *e, struct cor_alarm *a,
                       enum hale_log_kind kind)
{
    struct cor_life *l = &a->life;
    cor_storm_moved(e, a);
    bool told = verdict(a, kind);
    if (told && kind == HALE_ALARM_UPDATED)
        surface(e, l);
    if (told)
        l->announced = kind == HALE_ALARM_DELETED ? HALE_STATE_OK : a->state;
    l->changed = false;
    l->flap.begins = false;
    free(l->ended_id);
    free(l->ended_text);
    l->ended_id = l->ended_text = NULL;
    return told;
}

void cor_gate_settle(struct correlator_engine *e, struct cor_alarm *a, const char *op,
                     const char *by)
{
    if (!a->life.changed || e->nomem)
        return;
    if (a->state != HALE_STATE_OK && verdict(a, HALE_ALARM_UPDATED))
        cor_storm_ask(e, a);
    a->updated_ms = cor_now_ms(e);
    cor_emit_op(e, a, HALE_ALARM_UPDATED, a->state, op, by);
    if (a->fault != NULL && a->state == HALE_STATE_OK) {
        cor_fault_uncleared(e,
                            a); /* cleared ones are in the order of their last change */
        cor_fault_cleared(e, a);
    }
}
