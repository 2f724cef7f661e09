/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - life of the engine, definitions, and the way of one sample. See README.md here
 * for the algorithm, inner.h for the structures.
 */
#include "thresholds/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "thresholds/inner.h"

#define MAGIC         0x74687265u
#define KEY_MAX_BYTES (HALE_SERIES_MAX_BYTES + 1024u)

struct thresholds_limits thresholds_limits_default(void)
{
    return (struct thresholds_limits){
        .max_definitions = 100000,
        .max_series = 1000000,
        .max_subalarms = 1000000,
        .max_slots = 16000000,
        .late_wait_ms = 30000,
        .delay_s = 30,
        .tick_s = 60,
        .tick_phase_s = 0,
    };
}

static void refs_free(void *value)
{
    struct refs *r = value;
    free(r->v);
    free(r);
}

static void name_free(void *value)
{
    struct name *n = value;
    free(n->plain.v);
    free(n);
}

static bool limits_fine(const struct thresholds_limits *l)
{
    return l->max_definitions > 0 && l->max_series > 0 && l->max_series <= UINT32_MAX &&
           l->max_subalarms > 0 && l->max_subalarms < UINT32_MAX && l->max_slots > 0 &&
           l->late_wait_ms >= 0 && l->late_wait_ms <= THRESHOLDS_LATE_WAIT_MAX_MS &&
           l->delay_s >= 0 && l->delay_s < 60 && l->tick_s > 0;
}

struct thresholds_engine *thresholds_engine_new(const struct thresholds_limits *limits,
                                                thresholds_emit_fn emit, void *arg)
{
    HALE_ASSERT(limits_fine(limits) && emit != NULL);
    struct thresholds_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->magic = MAGIC;
    e->limits = *limits;
    e->emit = emit;
    e->emit_arg = arg;
    e->gen = 1;
    e->next_uid = 1;
    e->header_dirty = true;
    e->ticked_ms = INT64_MIN;
    hale_buf_init(&e->key, KEY_MAX_BYTES);
    hale_buf_init(&e->group, UINT16_MAX);
    size_t places = limits->max_definitions * HALE_EXPR_MAX_SUBS;
    e->defs = hale_map_new(limits->max_definitions, NULL);
    e->defs_by_uid = hale_u64map_new(limits->max_definitions);
    e->names = hale_map_new(places + limits->max_series, name_free);
    e->by_dim = hale_map_new(places, refs_free);
    e->series = hale_u64map_new(limits->max_series * 2 + 4096);
    e->timers = hale_timers_new(limits->max_subalarms);
    e->buckets = hale_u64map_new(limits->max_subalarms);
    e->values = malloc(HALE_EXPR_MAX_TIMES * sizeof(*e->values));
    if (e->defs == NULL || e->defs_by_uid == NULL || e->names == NULL ||
        e->by_dim == NULL || e->series == NULL || e->timers == NULL ||
        e->buckets == NULL || e->values == NULL) {
        thresholds_engine_free(e);
        return NULL;
    }
    return e;
}

void thresholds_def_free(struct def *def)
{
    if (def == NULL)
        return;
    hale_definition_free(def->d);
    free(def);
}

static void free_series(struct thresholds_engine *e)
{
    size_t it = 0;
    struct thresholds_series *s;
    while (e->series != NULL && (s = hale_u64map_next(e->series, &it, NULL)) != NULL) {
        if (s->n == 1)
            thresholds_sub_release(e, s->one);
        for (uint32_t i = 0; s->n > 1 && i < s->n; i++)
            thresholds_sub_release(e, s->many[i]);
        if (s->n > 1)
            thresholds_pool_give(&e->pool, s->many, s->n * sizeof(s->many[0]));
        thresholds_pool_give(&e->pool, s, sizeof(*s));
    }
    hale_u64map_free(e->series);
}

void thresholds_engine_free(struct thresholds_engine *e)
{
    if (e == NULL)
        return;
    HALE_CHECK(e, MAGIC);
    for (size_t i = 0; i < e->n_places; i++) {
        if (e->subs[i] != NULL)
            thresholds_sub_kill(e, e->subs[i]);
    }
    free_series(e);
    thresholds_schedule_fini(e);
    size_t it = 0;
    struct def *def;
    while (e->defs != NULL && (def = hale_map_next(e->defs, &it, NULL)) != NULL)
        thresholds_def_free(def);
    while ((def = e->dropped) != NULL) {
        e->dropped = def->next_dropped;
        thresholds_def_free(def);
    }
    hale_map_free(e->defs);
    hale_u64map_free(e->defs_by_uid);
    hale_map_free(e->names);
    hale_map_free(e->by_dim);
    free(e->sub_heads);
    free(e->subs);
    free(e->free_places);
    free(e->sub_dirty);
    free(e->kept);
    free(e->series_dirty);
    free(e->found);
    free(e->values);
    hale_buf_fini(&e->key);
    hale_buf_fini(&e->group);
    thresholds_pool_fini(&e->pool);
    e->magic = 0;
    free(e);
}

const struct thresholds_stats *thresholds_engine_stats(const struct thresholds_engine *e)
{
    return &e->stats;
}

/* --- definitions -------------------------------------------------------------------- */

/* A change of definitions: what was matched before it may have to be matched again. */
static void next_generation(struct thresholds_engine *e)
{
    thresholds_settle(e);
    e->gen++;
    e->header_dirty = true;
}

static bool same_terms(const struct hale_subexpr *x, const struct hale_subexpr *y)
{
    if (hale_subexpr_terms(x) != hale_subexpr_terms(y))
        return false;
    for (unsigned i = 0; i < hale_subexpr_terms(x); i++) {
        const struct hale_term a = hale_subexpr_term(x, i), b = hale_subexpr_term(y, i);
        if (!hale_term_equal(&a, &b))
            return false;
    }
    return true;
}

/* The same series feed the same sub-alarms under both. */
static bool same_structure(const struct hale_definition *a,
                           const struct hale_definition *b)
{
    if (strcmp(a->tenant, b->tenant) != 0 || a->match_by.n != b->match_by.n ||
        a->expr->n_subs != b->expr->n_subs)
        return false;
    for (unsigned i = 0; i < a->match_by.n; i++) {
        if (strcmp(a->match_by.v[i], b->match_by.v[i]) != 0)
            return false;
    }
    for (unsigned i = 0; i < a->expr->n_subs; i++) {
        const struct hale_subexpr *x = &a->expr->subs[i];
        const struct hale_subexpr *y = &b->expr->subs[i];
        if (!same_terms(x, y))
            return false;
    }
    return true;
}

static bool same_window(const struct hale_definition *a, const struct hale_definition *b,
                        unsigned i)
{
    const struct hale_subexpr *x = &a->expr->subs[i];
    const struct hale_subexpr *y = &b->expr->subs[i];
    return x->func == y->func && x->period_s == y->period_s && x->times == y->times &&
           x->deterministic == y->deterministic && x->every_s == y->every_s &&
           x->days == y->days && hale_arith_equal(x->arith, y->arith) &&
           a->semantics == b->semantics;
}

/* The same value leads to the same state under both. */
static bool same_thresholds(const struct hale_subexpr *x, const struct hale_subexpr *y)
{
    if (x->op != y->op || x->threshold > y->threshold || x->threshold < y->threshold ||
        x->for_s != y->for_s || x->clear_for_s != y->clear_for_s ||
        x->has_clear != y->has_clear || x->clear > y->clear || x->clear < y->clear ||
        x->n_levels != y->n_levels || x->percent > y->percent ||
        x->percent < y->percent || x->absolute != y->absolute ||
        x->horizon_s != y->horizon_s)
        return false;
    for (unsigned i = 0; i < x->n_levels; i++) {
        if (x->levels[i].severity != y->levels[i].severity ||
            x->levels[i].threshold > y->levels[i].threshold ||
            x->levels[i].threshold < y->levels[i].threshold)
            return false;
    }
    return true;
}

static void def_drop(struct thresholds_engine *e, struct def *def)
{
    next_generation(e);
    for (unsigned i = 0; i < def->d->expr->n_subs; i++)
        thresholds_rematch(e, def, i);
    while (def->first_sub != NO_PLACE)
        thresholds_sub_kill(e, sub_at(e, def->first_sub));
    thresholds_refs_remove(e, def);
    (void)hale_map_take(e->defs, hale_str_from(def->d->id));
    (void)hale_u64map_take(e->defs_by_uid, def->uid);
    e->stats.definitions--;
    def->next_dropped = e->dropped;
    e->dropped = def;
}

enum hale_rc thresholds_def_add(struct thresholds_engine *e, struct hale_definition *d,
                                uint64_t uid)
{
    struct def *def = calloc(1, sizeof(*def));
    if (def == NULL) {
        hale_definition_free(d);
        return HALE_E_NOMEM;
    }
    def->d = d;
    def->first_sub = NO_PLACE;
    def->uid = uid;
    def->dirty = true;
    enum hale_rc rc = hale_map_put(e->defs, hale_str_from(d->id), def);
    if (rc != HALE_OK) {
        thresholds_def_free(def);
        return rc;
    }
    e->stats.definitions++;
    rc = hale_u64map_put(e->defs_by_uid, uid, def);
    if (rc == HALE_OK)
        rc = thresholds_refs_add(e, def);
    if (rc != HALE_OK)
        def_drop(e, def);
    return rc;
}

/* Structure is the same: put d in old's place and tell the sub-alarms. */
static void def_change(struct thresholds_engine *e, struct def *def,
                       struct hale_definition *d, int64_t now_ms)
{
    struct hale_definition *old = def->d;
    def->d = d;
    def->dirty = true;
    next_generation(e);
    /* renew puts the new one at the head of the list: walk a list that was cut off. */
    for (struct sub *a = sub_at(e, def->first_sub), *next; a != NULL; a = next) {
        next = sub_at(e, a->def_next);
        const struct hale_subexpr *x = &old->expr->subs[a->index];
        const struct hale_subexpr *y = &d->expr->subs[a->index];
        if (!same_window(old, d, a->index)) {
            thresholds_rematch(e, def, a->index);
            thresholds_sub_renew(e, a, now_ms);
        } else if (!same_thresholds(x, y) || old->on_missing != d->on_missing ||
                   old->missing_after_s != d->missing_after_s) {
            thresholds_verdict_refresh(a);
            thresholds_window_changed(e, a, now_ms);
            thresholds_schedule(e, a);
            *sub_dirty_flag(e, a) = 1;
        }
    }
    hale_definition_free(old);
}

static bool same_definition(const struct hale_definition *a,
                            const struct hale_definition *b)
{
    struct hale_buf x, y;
    hale_buf_init(&x, 1u << 20);
    hale_buf_init(&y, 1u << 20);
    bool same = hale_definition_encode(a, &x) == HALE_OK &&
                hale_definition_encode(b, &y) == HALE_OK &&
                hale_str_eq(hale_buf_str(&x), hale_buf_str(&y));
    hale_buf_fini(&x);
    hale_buf_fini(&y);
    return same;
}

enum hale_rc thresholds_engine_set_definition(struct thresholds_engine *e,
                                              struct hale_definition *d, int64_t now_ms)
{
    struct def *def = hale_map_get(e->defs, hale_str_from(d->id));
    if (def != NULL && same_definition(def->d, d)) {
        hale_definition_free(d);
        return HALE_OK;
    }
    if (def != NULL && same_structure(def->d, d)) {
        def_change(e, def, d, now_ms);
        return HALE_OK;
    }
    if (def != NULL)
        def_drop(e, def);
    next_generation(e);
    return thresholds_def_add(e, d, e->next_uid++);
}

void thresholds_engine_drop_definition(struct thresholds_engine *e, struct hale_str id)
{
    struct def *def = hale_map_get(e->defs, id);
    if (def != NULL)
        def_drop(e, def);
}

const struct hale_definition *
thresholds_engine_definition(const struct thresholds_engine *e, struct hale_str id)
{
    const struct def *def = hale_map_get(e->defs, id);
    return def != NULL ? def->d : NULL;
}

const struct hale_definition *
thresholds_engine_next_definition(const struct thresholds_engine *e, size_t *it)
{
    const struct def *def = hale_map_next(e->defs, it, NULL);
    return def != NULL ? def->d : NULL;
}

/* --- forgetting --------------------------------------------------------------------- */

static bool group_within(const struct sub *a, const struct hale_dim *group,
                         unsigned n_group)
{
    struct hale_dim dims[THRESHOLDS_GROUP_MAX];
    unsigned n = thresholds_group_dims(a, dims);
    for (unsigned i = 0; i < n; i++) {
        unsigned k = 0;
        while (k < n_group && !(hale_str_eq(dims[i].key, group[k].key) &&
                                hale_str_eq(dims[i].value, group[k].value)))
            k++;
        if (k == n_group)
            return false;
    }
    return true;
}

static unsigned forget_matching(struct thresholds_engine *e, struct def *def,
                                const struct hale_dim *group, unsigned n_group,
                                bool whole)
{
    unsigned n = 0;
    for (struct sub *a = sub_at(e, def->first_sub), *next; a != NULL; a = next) {
        next = sub_at(e, a->def_next);
        if ((whole && a->n_group != n_group) || !group_within(a, group, n_group))
            continue;
        thresholds_rematch(e, def, a->index);
        thresholds_sub_kill(e, a);
        n++;
    }
    return n;
}

unsigned thresholds_engine_forget(struct thresholds_engine *e,
                                  struct hale_str definition_id,
                                  const struct hale_dim *group, unsigned n_group)
{
    struct def *def = hale_map_get(e->defs, definition_id);
    if (def == NULL)
        return 0;
    next_generation(e);
    unsigned n = forget_matching(e, def, group, n_group, true);
    return n > 0 ? n : forget_matching(e, def, group, n_group, false);
}

/* --- one sample --------------------------------------------------------------------- */

static inline void give(struct thresholds_engine *e, struct sub *a, uint64_t id,
                        int64_t time_ms, double value, const struct moment *m)
{
    if (a->dead)
        return;
    if (a->calculated)
        thresholds_operands_sample(e, a, id, time_ms, value, m);
    else if (a->func == HALE_FUNC_RATE)
        thresholds_rate_sample(e, a, id, time_ms, value, m);
    else
        thresholds_window_sample(e, a, time_ms, value, m->at_ms, m->accepted_us);
}

void thresholds_engine_sample(struct thresholds_engine *e, struct thresholds_series *s,
                              int64_t time_ms, double value, int64_t now_ms,
                              int64_t accepted_us)
{
    e->stats.samples++;
    if (!isfinite(value)) {
        e->stats.rejected++;
        return;
    }
    if (time_ms > THRESHOLDS_TIME_MAX_MS || time_ms < -THRESHOLDS_TIME_MAX_MS) {
        *(time_ms > 0 ? &e->stats.future : &e->stats.late) += 1;
        return;
    }
    const struct moment m = {.at_ms = now_ms, .accepted_us = accepted_us};
    if (s->n == 1) {
        give(e, s->one, s->id, time_ms, value, &m);
        return;
    }
    for (uint32_t i = 0; s->n > 1 && i < s->n; i++)
        give(e, s->many[i], s->id, time_ms, value, &m);
}

static inline void prefetch_sub(const struct sub *a)
{
    const char *hot = (const char *)a + offsetof(struct sub, dead);
    __builtin_prefetch(hot, 1);
    __builtin_prefetch(hot + 64, 1);
    __builtin_prefetch(hot + 100, 1); /* slots of now */
}

static void prefetch_subs(const struct thresholds_series *s)
{
    enum { MOST = 8 };
    if (s->n == 1)
        prefetch_sub(s->one);
    for (uint32_t i = 0; s->n > 1 && i < s->n && i < MOST; i++)
        prefetch_sub(s->many[i]);
}

/* Look-aheads hide the memory latency of series and sub-alarms that are spread over hundreds of
 * megabytes: first the series, then, when that has arrived, its list, and its sub-alarms. */
void thresholds_engine_samples(struct thresholds_engine *e,
                               const struct hale_batch_view *v,
                               struct thresholds_series *const *series, int64_t now_ms)
{
    enum { FAR = 12, MIDDLE = 9, NEAR = 6 };
    for (unsigned i = 0; i < v->n; i++) {
        if (i + FAR < v->n && series[i + FAR] != NULL)
            __builtin_prefetch(series[i + FAR]);
        if (i + MIDDLE < v->n && series[i + MIDDLE] != NULL && series[i + MIDDLE]->n > 1)
            __builtin_prefetch(series[i + MIDDLE]->many);
        if (i + NEAR < v->n && series[i + NEAR] != NULL)
            prefetch_subs(series[i + NEAR]);
        if (series[i] != NULL)
            thresholds_engine_sample(e, series[i], hale_batch_time(v, i),
                                     hale_batch_value(v, i), now_ms, v->accepted_us);
    }
}
