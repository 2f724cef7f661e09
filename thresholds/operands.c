/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operands - arithmetic between metrics: the windows of the metrics of one comparison, and what
 * they give together. All lie on the grid of the sub-alarm. A slot of the comparison has a value
 * when every operand has one and the calculation is finite; it is computed when the window closes,
 * because every sample of any operand could still turn it round.
 * Operands that are all `last` are computed at each sample, as soon as all have one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thresholds/bytes.h"

static const struct hale_arith *arith_of(const struct sub *a)
{
    return a->def->d->expr->subs[a->index].arith;
}

enum hale_rc thresholds_operands_new(struct sub *a, const struct hale_subexpr *x)
{
    unsigned n = x->arith->n_terms;
    unsigned span = x->every_s > 0 ? x->period_s / x->every_s : 1;
    bool last = a->func == HALE_FUNC_LAST;
    size_t n_slots = last ? 0 : a->n_slots + span - 1;
    struct operands *o = calloc(1, sizeof(*o) + n * n_slots * sizeof(struct slot));
    if (o == NULL)
        return HALE_E_NOMEM;
    o->n = (uint8_t)n;
    o->span = (uint16_t)(last ? 1 : span);
    o->n_slots = (uint16_t)n_slots;
    for (unsigned i = 0; i < n; i++) {
        o->func[i] = (uint8_t)x->arith->terms[i].func;
        o->last_ms[i] = NO_TIME;
    }
    a->operands = o;
    return HALE_OK;
}

void thresholds_operands_free(struct operands *o)
{
    if (o == NULL)
        return;
    free(o->members);
    free(o);
}

size_t thresholds_operands_slots(const struct operands *o)
{
    return (size_t)o->n * o->n_slots;
}

void thresholds_operands_reset(struct operands *o)
{
    o->head = 0;
    memset(o->slots, 0, thresholds_operands_slots(o) * sizeof(o->slots[0]));
    for (unsigned i = 0; i < o->n; i++)
        o->last_ms[i] = NO_TIME;
}

bool thresholds_operands_empty(const struct operands *o)
{
    for (size_t i = 0; i < thresholds_operands_slots(o); i++) {
        if (o->slots[i].n > 0)
            return false;
    }
    return true;
}

/* --- slots ---------------------------------------------------------------------------- */

static struct slot *operand_slot(struct operands *o, unsigned term, unsigned i)
{
    unsigned k = o->head + i;
    return &o->slots[(size_t)term * o->n_slots + (k >= o->n_slots ? k - o->n_slots : k)];
}

void thresholds_operands_slide(struct operands *o, int64_t n)
{
    unsigned clear = n < o->n_slots ? (unsigned)n : o->n_slots;
    for (unsigned t = 0; t < o->n; t++) {
        for (unsigned i = 0; i < clear; i++)
            *operand_slot(o, t, i) = (struct slot){0, 0};
    }
    unsigned head = o->head + clear;
    o->head = (uint16_t)(head >= o->n_slots ? head - o->n_slots : head);
}

static void slot_join(enum hale_func func, struct slot *s, double acc, uint32_t n)
{
    if (s->n == 0)
        s->acc = acc;
    else if (func == HALE_FUNC_MAX)
        s->acc = acc > s->acc ? acc : s->acc;
    else if (func == HALE_FUNC_MIN)
        s->acc = acc < s->acc ? acc : s->acc;
    else
        s->acc += acc;
    s->n = n < UINT32_MAX - s->n ? s->n + n : UINT32_MAX;
}

/* Start of the oldest slot of the operands. */
static int64_t start_s(const struct sub *a)
{
    return window_start_s(a) - (int64_t)(a->operands->span - 1) * a->width_s;
}

/* False: outside of the window, and counted. */
static bool place_of(struct thresholds_engine *e, const struct sub *a, int64_t time_ms,
                     unsigned *out)
{
    int64_t offset = floor_s(time_ms) - start_s(a);
    if (offset < 0)
        e->stats.late++;
    else if (offset >= (int64_t)a->operands->n_slots * a->width_s)
        e->stats.future++;
    else
        *out = (uint32_t)offset / a->width_s;
    return offset >= 0 && offset < (int64_t)a->operands->n_slots * a->width_s;
}

/* The increase, spread evenly over (from_ms, to_ms]; slots beyond the window get none. */
static void spread(const struct sub *a, unsigned term, int64_t from_ms, int64_t to_ms,
                   double increase)
{
    int64_t width_ms = (int64_t)a->width_s * 1000, begin_ms = start_s(a) * 1000;
    int64_t i = from_ms > begin_ms ? (from_ms - begin_ms) / width_ms : 0;
    for (; i < a->operands->n_slots && begin_ms + i * width_ms < to_ms; i++) {
        int64_t lo = begin_ms + i * width_ms, hi = lo + width_ms;
        double part = (double)((hi < to_ms ? hi : to_ms) - (lo > from_ms ? lo : from_ms));
        slot_join(HALE_FUNC_RATE, operand_slot(a->operands, term, (unsigned)i),
                  increase * part / (double)(to_ms - from_ms), 1);
    }
}

/* Value of an operand over the span that begins with slot i. False: none. */
static bool operand_value(const struct sub *a, unsigned term, unsigned i, double *out)
{
    struct operands *o = a->operands;
    enum hale_func func = (enum hale_func)o->func[term];
    struct slot all = {0, 0};
    for (unsigned k = i; k < i + o->span; k++) {
        const struct slot *s = operand_slot(o, term, k);
        if (s->n > 0)
            slot_join(func, &all, s->acc, s->n);
    }
    *out = func == HALE_FUNC_AVG     ? all.acc / all.n
           : func == HALE_FUNC_RATE  ? all.acc / ((double)a->width_s * o->span)
           : func == HALE_FUNC_COUNT ? all.n
                                     : all.acc;
    return all.n > 0;
}

static bool operand_of(const struct sub *a, unsigned term, unsigned i, double *out)
{
    const struct operands *o = a->operands;
    if (a->func != HALE_FUNC_LAST)
        return operand_value(a, term, i, out);
    *out = o->last[term];
    return o->last_ms[term] != NO_TIME;
}

unsigned thresholds_operands_of(const struct sub *a, unsigned i,
                                double out[HALE_ARITH_MAX_TERMS])
{
    unsigned n = 0;
    while (n < a->operands->n && operand_of(a, n, i, &out[n]))
        n++;
    return n == a->operands->n ? n : 0;
}

double thresholds_operands_value(const struct sub *a, unsigned i)
{
    double values[HALE_ARITH_MAX_TERMS];
    return thresholds_operands_of(a, i, values) > 0
               ? hale_arith_value(arith_of(a), values)
               : (double)NAN;
}

void thresholds_operands_compute(struct sub *a)
{
    for (unsigned i = 0; i < a->times; i++) {
        double value = thresholds_operands_value(a, i);
        bool known = isfinite(value);
        *slot_at(a, i) = (struct slot){known ? value : 0, known};
        int64_t end_s = window_start_s(a) + (int64_t)(i + 1) * a->width_s;
        if (known && end_s > a->data_end_s)
            a->data_end_s = end_s;
    }
}

/* --- members -------------------------------------------------------------------------- */

/* Place of id, or where it would stand. */
static uint32_t member_at(const struct operands *o, uint64_t id)
{
    uint32_t lo = 0, hi = o->n_members;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (o->members[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

enum hale_rc thresholds_operands_join(struct sub *a, uint64_t id, uint8_t mask,
                                      bool *fresh)
{
    struct operands *o = a->operands;
    uint32_t at = member_at(o, id);
    *fresh = at == o->n_members || o->members[at].id != id;
    if (!*fresh) {
        o->members[at].mask |= mask;
        return HALE_OK;
    }
    if (o->n_members == MEMBERS_MAX)
        return HALE_E_LIMIT;
    if (o->n_members == o->cap_members) {
        uint32_t cap = o->cap_members == 0 ? 2 : o->cap_members * 2;
        struct member *v = realloc(o->members, cap * sizeof(*v));
        if (v == NULL)
            return HALE_E_NOMEM;
        o->members = v;
        o->cap_members = cap;
    }
    memmove(&o->members[at + 1], &o->members[at],
            (o->n_members - at) * sizeof(o->members[0]));
    o->members[at] = (struct member){.id = id, .ms = NO_TIME, .mask = mask};
    o->n_members++;
    return HALE_OK;
}

void thresholds_operands_inherit(struct sub *a, struct sub *old)
{
    if (!a->calculated || !old->calculated)
        return;
    struct operands *to = a->operands, *from = old->operands;
    to->members = from->members;
    to->n_members = from->n_members;
    to->cap_members = from->cap_members;
    from->members = NULL;
    from->n_members = from->cap_members = 0;
}

/* --- samples -------------------------------------------------------------------------- */

static void last_sample(struct thresholds_engine *e, struct sub *a, unsigned mask,
                        int64_t time_ms, double value, const struct moment *m)
{
    struct operands *o = a->operands;
    int64_t newest_ms = NO_TIME;
    bool all = true, taken = false;
    if (time_ms > m->at_ms)
        time_ms = m->at_ms; /* as for `last` alone */
    for (unsigned i = 0; i < o->n; i++) {
        if ((mask >> i & 1) != 0 && time_ms >= o->last_ms[i]) { /* NO_TIME is the least */
            o->last[i] = value;
            o->last_ms[i] = time_ms;
            taken = true;
        }
        all = all && o->last_ms[i] != NO_TIME;
        newest_ms = o->last_ms[i] > newest_ms ? o->last_ms[i] : newest_ms;
    }
    if (!taken) {
        e->stats.late++;
        return;
    }
    double result = all ? hale_arith_value(arith_of(a), o->last) : NAN;
    if (isfinite(result))
        thresholds_window_last(e, a, newest_ms, result, m);
    else
        a->pend = 0;
}

/* What the counter of the series has grown by since *from_ms. False: nothing to add. */
static bool counted(struct thresholds_engine *e, struct member *w, int64_t time_ms,
                    double value, int64_t *from_ms, double *increase)
{
    const struct member before = *w;
    if (before.ms != NO_TIME && time_ms <= before.ms) {
        e->stats.late++;
        return false;
    }
    w->ms = time_ms;
    w->value = value;
    double grown = value >= before.value ? value - before.value : value;
    *from_ms = before.ms;
    *increase = grown > 0 ? grown : 0;
    return before.ms != NO_TIME;
}

void thresholds_operands_sample(struct thresholds_engine *e, struct sub *a, uint64_t id,
                                int64_t time_ms, double value, const struct moment *m)
{
    struct operands *o = a->operands;
    uint32_t at = member_at(o, id);
    if (at == o->n_members || o->members[at].id != id)
        return; /* refused by join, and counted there */
    struct member *w = &o->members[at];
    *sub_dirty_flag(e, a) = 1;
    if (a->func == HALE_FUNC_LAST) {
        last_sample(e, a, w->mask, time_ms, value, m);
        return;
    }
    thresholds_window_wake(e, a, m->at_ms);
    unsigned rates = 0, i = 0;
    for (unsigned t = 0; t < o->n; t++)
        rates |= (o->func[t] == HALE_FUNC_RATE ? 1u << t : 0) & w->mask;
    bool inside = rates != w->mask && place_of(e, a, time_ms, &i);
    for (unsigned t = 0; inside && t < o->n; t++) {
        if ((w->mask & ~rates) >> t & 1)
            slot_join((enum hale_func)o->func[t], operand_slot(o, t, i), value, 1);
    }
    int64_t to_ms = time_ms < m->at_ms ? time_ms : m->at_ms, from_ms = 0;
    double increase = 0;
    if (rates == 0 || !counted(e, w, to_ms, value, &from_ms, &increase))
        return;
    if (to_ms <= start_s(a) * 1000)
        e->stats.late++;
    for (unsigned t = 0; t < o->n; t++) {
        if (rates >> t & 1)
            spread(a, t, from_ms, to_ms, increase);
    }
}

/* --- snapshot ------------------------------------------------------------------------- */

void thresholds_operands_put(const struct sub *a, struct hale_buf *out)
{
    struct operands *o = a->operands;
    put(out, o->n, 1);
    put(out, o->n_members, 2);
    for (uint32_t i = 0; i < o->n_members; i++) {
        put(out, o->members[i].id, 8);
        put(out, o->members[i].mask, 1);
        put(out, (uint64_t)o->members[i].ms, 8);
        put_double(out, o->members[i].value);
    }
    put(out, o->n_slots, 2);
    for (unsigned t = 0; t < o->n; t++) {
        put(out, (uint64_t)o->last_ms[t], 8);
        put_double(out, o->last[t]);
        for (unsigned i = 0; i < o->n_slots; i++) {
            const struct slot *s = operand_slot(o, t, i);
            put(out, s->n, 4);
            if (s->n > 0)
                put_double(out, s->acc);
        }
    }
}

static bool get_members(struct operands *o, struct cursor *c, struct sub *a)
{
    unsigned n = (unsigned)get(c, 2);
    uint64_t before = 0;
    for (unsigned i = 0; i < n && !c->bad; i++) {
        struct member w = {.id = get(c, 8)};
        bool fresh;
        w.mask = (uint8_t)get(c, 1);
        w.ms = get_time(c, THRESHOLDS_TIME_MAX_MS);
        w.value = get_double(c);
        if (c->bad || (i > 0 && w.id <= before) || isinf(w.value) ||
            thresholds_operands_join(a, w.id, w.mask, &fresh) != HALE_OK)
            return false;
        o->members[i] = w;
        before = w.id;
    }
    return !c->bad;
}

bool thresholds_operands_get(struct sub *a, struct cursor *c)
{
    struct operands *o = a->operands;
    if (get(c, 1) != o->n || c->bad || !get_members(o, c, a))
        return false;
    unsigned n_slots = (unsigned)get(c, 2);
    /* Another late_wait gives another number of future slots: keep what fits. */
    bool fits = o->n_slots == 0 ? n_slots == 0 : n_slots >= (unsigned)a->times + o->span;
    for (unsigned t = 0; fits && t < o->n && !c->bad; t++) {
        o->last_ms[t] = get_time(c, THRESHOLDS_TIME_MAX_MS);
        o->last[t] = get_double(c);
        if (isinf(o->last[t]))
            c->bad = true;
        for (unsigned i = 0; i < n_slots && !c->bad; i++) {
            struct slot s = {.n = (uint32_t)get(c, 4)};
            if (s.n > 0)
                s.acc = get_double(c);
            if (i < o->n_slots)
                *operand_slot(o, t, i) = s;
        }
    }
    return fits && !c->bad;
}
