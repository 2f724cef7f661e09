/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cause_hold - the child that fails first: it waits until those that it stands on were looked at. thresholds
 * tells only of changes, so "looked at and fine" is known by time: when the check's windows that can show
 * the failure are closed and their wait for late samples is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"

#define LATE_WAIT_MS 30000 /* thresholds' default */
#define MARGIN_MS    1000  /* its report is under way */

static int64_t late_wait_ms(int64_t period_ms)
{
    return period_ms >= 60000 ? LATE_WAIT_MS : period_ms / 2;
}

/* The longest of all its comparisons. */
static int64_t period_ms(const struct cor_alarm *a)
{
    const struct hale_expr *x = a->node->def->d->expr;
    int64_t most = 0;
    for (unsigned i = 0; i < x->n_subs; i++) {
        int64_t p = (int64_t)x->subs[i].period_s * 1000;
        most = p > most ? p : most;
    }
    return most;
}

int64_t cor_clear_hold_ms(const struct correlator_engine *e, const struct cor_alarm *a)
{
    if (a->node == NULL)
        return e->limits.clear_hold_ms;
    int64_t period = period_ms(a);
    int64_t hold = 2 * period + late_wait_ms(period) + MARGIN_MS;
    return hold < e->limits.clear_hold_max_ms ? hold : e->limits.clear_hold_max_ms;
}

/* When the check p will have been looked at with what has happened until now. */
static int64_t looked_at_ms(const struct cor_alarm *p, int64_t now)
{
    const struct hale_expr *x = p->node->def->d->expr;
    int64_t last = now;
    for (unsigned i = 0; i < x->n_subs; i++) {
        const struct cor_sub *s = p->node->bind[i];
        int64_t period = (int64_t)x->subs[i].period_s * 1000;
        int64_t close = now + period;
        /* Windows follow one another, so the next close is known from any former one. */
        if (s != NULL && s->reported && s->window_end_ms > s->window_start_ms &&
            s->window_end_ms <= now)
            close = s->window_end_ms + ((now - s->window_end_ms) / period + 1) * period;
        close += late_wait_ms(period) + MARGIN_MS;
        last = close > last ? close : last;
    }
    return last;
}

/* --- beginning ----------------------------------------------------------------------- */

struct wait {
    struct cor_alarm *check;
    int64_t until_ms;
};
struct above {
    struct cor_place *places[COR_SUPPORTS_MAX];
    unsigned n, seen;
};

static bool note(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                 void *arg)
{
    struct above *b = arg;
    (void)via;
    (void)depth;
    if (cor_place_of(v) != NULL && hale_vertex_entity(v) != NULL)
        b->places[b->n++] = cor_place_of(v);
    return ++b->seen < COR_SUPPORTS_MAX;
}

static bool longer(const struct wait *a, const struct wait *b)
{
    return a->until_ms != b->until_ms ? a->until_ms > b->until_ms
                                      : strcmp(a->check->id, b->check->id) < 0;
}

/* Keeps the COR_HOLDS_MAX that take longest, in order. */
static void keep(struct wait *list, unsigned *n, struct wait w)
{
    unsigned at = *n;
    while (at > 0 && longer(&w, &list[at - 1]))
        at--;
    if (at == COR_HOLDS_MAX)
        return;
    if (*n < COR_HOLDS_MAX)
        (*n)++;
    memmove(&list[at + 1], &list[at], (*n - 1 - at) * sizeof(*list));
    list[at] = w;
}

static unsigned waits_of(struct correlator_engine *e, const struct cor_alarm *a,
                         struct wait *list)
{
    struct above *above = cor_got(e, malloc(sizeof(*above)));
    int64_t now = cor_stream_ms(e), cap = now + e->limits.hold_max_ms;
    unsigned n = 0;
    if (above == NULL)
        return 0;
    above->n = above->seen = 0;
    struct hale_vertex *v = a->about.place->vertex;
    hale_graph_supports(hale_vertex_graph(v), v, note, above);
    for (unsigned i = 0; i < above->n; i++) {
        for (size_t k = 0; k < above->places[i]->n; k++) {
            struct cor_alarm *p = above->places[i]->alarms[k];
            if (p == a || p->about.claims || p->state == HALE_STATE_ALARM ||
                !cor_is_check(p))
                continue;
            int64_t until = looked_at_ms(p, now);
            keep(list, &n, (struct wait){p, until < cap ? until : cap});
        }
    }
    free(above);
    return n;
}

void cor_hold_begin(struct correlator_engine *e, struct cor_alarm *a)
{
    struct wait list[COR_HOLDS_MAX + 1];
    char text[512];
    if (a->about.place == NULL || e->limits.hold_max_ms <= 0)
        return;
    unsigned n = waits_of(e, a, list);
    for (unsigned i = 0; i < n && !e->nomem; i++) {
        (void)snprintf(text, sizeof(text), "%.200s on %.250s was not looked at since",
                       cor_alarm_name(list[i].check), list[i].check->about.entity);
        cor_mute_set(e, a, COR_MUTE_HOLD, list[i].check->id, list[i].until_ms, text);
        cor_link_add(e, a, COR_LINK_HOLD, list[i].check->id, list[i].check);
    }
}

void cor_hold_end(struct correlator_engine *e, struct cor_alarm *a)
{
    (void)cor_mute_end(e, a, COR_MUTE_HOLD, NULL);
    cor_link_clear(e, a, COR_LINK_HOLD);
}
