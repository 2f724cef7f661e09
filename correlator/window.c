/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/window.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"

static const char *op_of(const struct cor_window *w)
{
    return cor_mute_text(w->kind);
}

static void key_of(struct hale_buf *b, bool maintenance, const char *id)
{
    hale_buf_reset(b);
    hale_buf_printf(b, "%c%s", maintenance ? 'm' : 's', id);
}

static struct cor_window *find(struct correlator_engine *e, bool maintenance,
                               const char *id)
{
    key_of(&e->scratch, maintenance, id);
    if (e->scratch.failed)
        return cor_got(e, NULL);
    return hale_map_get(e->windows.by_id, hale_buf_str(&e->scratch));
}

/* --- one alarm ----------------------------------------------------------------------- */

/* Why, for whoever looks at the alarm. */
static void mute(struct correlator_engine *e, struct cor_alarm *a,
                 const struct cor_window *w)
{
    cor_mute_set(e, a, w->kind, w->s->id, cor_due_of(&w->due),
                 w->s->reason[0] != '\0' ? w->s->reason : NULL);
}

static void mute_each(struct correlator_engine *e, struct cor_window *w, void *alarm)
{
    mute(e, alarm, w);
}

/* An entity's state mutes too: causes see to that. */
static bool is_ours(const struct cor_mute *m)
{
    return m->kind == COR_MUTE_SILENCE ||
           (m->kind == COR_MUTE_MAINTENANCE &&
            strncmp(m->id, COR_ENTITY_ID, strlen(COR_ENTITY_ID)) != 0);
}

/* Mutes of windows that are off, or fit no more, end. */
static void tidy(struct correlator_engine *e, struct cor_alarm *a, struct cor_labels *l)
{
    struct cor_life *life = &a->life;
    for (unsigned i = 0; i < life->n_mutes;) {
        const struct cor_mute *m = &life->mutes[i];
        bool ours = is_ours(m);
        struct cor_window *w =
            ours ? find(e, m->kind == COR_MUTE_MAINTENANCE, m->id) : NULL;
        if (!ours || (w != NULL && w->on && cor_window_fits(e, w, l))) {
            i++;
            continue;
        }
        char *id = cor_strdup(e, m->id);
        if (id == NULL)
            return;
        cor_mute_end(e, a, m->kind, id);
        free(id);
    }
}

/* An onset is judged anew; an end keeps its mutes, or it would be announced. */
void cor_window_source(struct correlator_engine *e, struct cor_alarm *a,
                       enum hale_state from)
{
    (void)from;
    if (a->state == HALE_STATE_OK ||
        (hale_map_count(e->windows.by_id) == 0 && a->life.n_mutes == 0))
        return;
    struct cor_labels *l = cor_labels_new(e, a);
    if (l == NULL)
        return;
    tidy(e, a, l);
    cor_windows_each(e, l, mute_each, a);
    cor_labels_free(l);
}

/* --- all alarms ---------------------------------------------------------------------- */

static int by_id(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return strcmp(a->id, b->id);
}

static void apply_to(struct correlator_engine *e, struct cor_window *w,
                     struct cor_alarm *a, const char *by)
{
    bool muted = cor_mute_get(a, w->kind, w->s->id) != NULL;
    struct cor_labels *l = w->on ? cor_labels_new(e, a) : NULL;
    bool fits = l != NULL && cor_window_fits(e, w, l);
    cor_labels_free(l);
    if (fits && (muted || a->state != HALE_STATE_OK))
        mute(e, a, w);
    else if (muted)
        cor_mute_end(e, a, w->kind, w->s->id);
    cor_gate_settle(e, a, op_of(w), by);
    cor_checkpoint(e);
}

/* Brings all alarms in line with w as it is now. Order and effect follow from the alarms alone. */
static void apply(struct correlator_engine *e, struct cor_window *w, const char *by)
{
    size_t n = 0, it = 0, max = hale_map_count(e->alarms);
    struct cor_alarm *a, **list = cor_got(e, calloc(max + 1, sizeof(*list)));
    if (list == NULL)
        return;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        if ((w->on && a->state != HALE_STATE_OK) ||
            cor_mute_get(a, w->kind, w->s->id) != NULL)
            list[n++] = a;
    }
    if (n > 1)
        qsort(list, n, sizeof(struct cor_alarm *), by_id);
    for (size_t i = 0; i < n && !e->nomem; i++)
        apply_to(e, w, list[i], by);
    free(list);
}

/* --- time ---------------------------------------------------------------------------- */

/* On or off as it is at that time; armed for the next change. */
static void turn(struct correlator_engine *e, struct cor_window *w, int64_t at_ms)
{
    int64_t change_ms;
    bool on = hale_silence_at(w->s, at_ms, &change_ms);
    cor_window_leave(e, w);
    w->on = on;
    if (on)
        (void)cor_window_enter(e, w);
    cor_due_set(e, &w->due, 0); /* its place depends on its kind */
    w->due.kind = on ? COR_DUE_END : COR_DUE_BEGIN;
    cor_due_set(e, &w->due, change_ms != INT64_MAX ? change_ms : 0);
}

void cor_window_due(struct correlator_engine *e, void *window, int64_t at_ms)
{
    struct cor_window *w = window;
    turn(e, w, at_ms);
    apply(e, w, NULL);
}

/* --- coming, changing, going ----------------------------------------------------------- */

static struct cor_window *window_new(struct correlator_engine *e, struct hale_silence *s)
{
    struct cor_window *w = calloc(1, sizeof(*w));
    key_of(&e->scratch, s->maintenance, s->id);
    enum hale_rc rc = w == NULL || e->scratch.failed
                          ? HALE_E_NOMEM
                          : hale_map_put(e->windows.by_id, hale_buf_str(&e->scratch), w);
    if (rc != HALE_OK) {
        free(w);
        hale_silence_free(s);
        e->nomem |= rc == HALE_E_NOMEM;
        e->stats.refused_windows += rc == HALE_E_LIMIT;
        return NULL;
    }
    w->s = s;
    w->kind = s->maintenance ? COR_MUTE_MAINTENANCE : COR_MUTE_SILENCE;
    w->due = (struct cor_due){.id = s->id, .owner = w};
    return w;
}

enum hale_rc correlator_engine_silence(struct correlator_engine *e,
                                       struct hale_silence *s,
                                       const struct correlator_input *in)
{
    struct cor_window *w = find(e, s->maintenance, s->id);
    if (in != NULL)
        cor_begin(e, in, 0, in->now_us);
    if (w != NULL) {
        cor_window_leave(e, w);
        hale_silence_free(w->s);
        w->s = s;
        w->due.id = s->id;
    } else if ((w = window_new(e, s)) == NULL) {
        return cor_result(e, HALE_OK);
    }
    if (in != NULL) {
        turn(e, w, in->entry_ms);
        apply(e, w, s->author);
    }
    return cor_result(e, HALE_OK);
}

enum hale_rc correlator_engine_unsilence(struct correlator_engine *e, bool maintenance,
                                         const char *id,
                                         const struct correlator_input *in)
{
    struct cor_window *w = find(e, maintenance, id);
    cor_begin(e, in, 0, in->now_us);
    if (w == NULL)
        return cor_result(e, HALE_OK);
    cor_window_leave(e, w);
    cor_due_set(e, &w->due, 0);
    w->on = false;
    apply(e, w, NULL);
    key_of(&e->scratch, maintenance, id);
    hale_map_del(e->windows.by_id, hale_buf_str(&e->scratch));
    hale_silence_free(w->s);
    free(w);
    return cor_result(e, HALE_OK);
}

/* A window that was deleted while nobody was there. */
static void end_orphans(struct correlator_engine *e)
{
    size_t n = 0, it = 0, max = hale_map_count(e->alarms);
    struct cor_alarm *a, **list = cor_got(e, calloc(max + 1, sizeof(*list)));
    if (list == NULL)
        return;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        for (unsigned i = 0; i < a->life.n_mutes; i++) {
            const struct cor_mute *m = &a->life.mutes[i];
            bool ours = is_ours(m);
            if (ours && find(e, m->kind == COR_MUTE_MAINTENANCE, m->id) == NULL) {
                list[n++] = a;
                break;
            }
        }
    }
    if (n > 1)
        qsort(list, n, sizeof(struct cor_alarm *), by_id);
    for (size_t i = 0; i < n && !e->nomem; i++) {
        struct cor_labels *l = cor_labels_new(e, list[i]);
        if (l != NULL)
            tidy(e, list[i], l);
        cor_labels_free(l);
        cor_gate_settle(e, list[i], cor_mute_text(COR_MUTE_SILENCE), NULL);
        cor_checkpoint(e);
    }
    free(list);
}

void cor_windows_loaded(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_window *w;
    while ((w = hale_map_next(e->windows.by_id, &it, NULL)) != NULL) {
        /* What was changed after the last due time is as its command has left it, or would. */
        bool changed = w->s->updated_ms > e->due_ms;
        turn(e, w, changed ? w->s->updated_ms : e->due_ms);
        if (changed)
            apply(e, w, w->s->author);
    }
    end_orphans(e);
}
