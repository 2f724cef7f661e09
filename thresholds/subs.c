/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subs - groups and the table of sub-alarms: found by (definition, index, group), placed
 * in pages for the snapshot, listed by definition.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"
#include "thresholds/inner.h"

/* --- groups ------------------------------------------------------------------------- */

void thresholds_group_add(struct hale_buf *out, const struct hale_dim *d)
{
    const unsigned char len[4] = {
        (unsigned char)d->key.len, (unsigned char)(d->key.len >> 8),
        (unsigned char)d->value.len, (unsigned char)(d->value.len >> 8)};
    hale_buf_add(out, len, sizeof(len));
    hale_buf_add_str(out, d->key);
    hale_buf_add_str(out, d->value);
}

unsigned thresholds_group_dims(const struct sub *a, struct hale_dim *dims)
{
    const char *p = sub_group(a).p;
    for (unsigned i = 0; i < a->n_group; i++) {
        unsigned char len[4];
        memcpy(len, p, sizeof(len));
        size_t key_len = len[0] + 256u * len[1];
        size_t value_len = len[2] + 256u * len[3];
        dims[i].key = (struct hale_str){p + sizeof(len), key_len};
        dims[i].value = (struct hale_str){p + sizeof(len) + key_len, value_len};
        p += sizeof(len) + key_len + value_len;
    }
    return a->n_group;
}

/* --- table -------------------------------------------------------------------------- */

/* Hash of what a sub-alarm is. */
static uint64_t key_of(const struct def *def, unsigned index, struct hale_str group)
{
    return hale_id_hash64_seed(group.p, group.len, def->uid * HALE_EXPR_MAX_SUBS + index);
}

/* The head of the chain that it is in. There must be heads. */
static uint32_t *head_of(const struct thresholds_engine *e, const struct sub *a)
{
    return &e->sub_heads[key_of(a->def, a->index, sub_group(a)) & (e->n_heads - 1)];
}

/* As many chains as sub-alarms; without memory the chains there are become longer. */
static enum hale_rc grow_heads(struct thresholds_engine *e)
{
    if (e->stats.subalarms < e->n_heads)
        return HALE_OK;
    size_t n = e->n_heads == 0 ? SUBS_PER_PAGE : e->n_heads * 2;
    uint32_t *heads = malloc(n * sizeof(*heads));
    if (heads == NULL)
        return e->n_heads == 0 ? HALE_E_NOMEM : HALE_OK;
    for (size_t i = 0; i < n; i++)
        heads[i] = NO_PLACE;
    free(e->sub_heads);
    e->sub_heads = heads;
    e->n_heads = n;
    for (size_t i = 0; i < e->n_places; i++) {
        struct sub *a = e->subs[i];
        if (a == NULL)
            continue;
        uint32_t *head = head_of(e, a);
        a->key_next = *head;
        *head = a->place;
    }
    return HALE_OK;
}

struct sub *thresholds_sub_find(const struct thresholds_engine *e, const struct def *def,
                                unsigned index, struct hale_str group)
{
    if (e->n_heads == 0)
        return NULL;
    uint64_t key = key_of(def, index, group);
    struct sub *a = sub_at(e, e->sub_heads[key & (e->n_heads - 1)]);
    for (; a != NULL; a = sub_at(e, a->key_next)) {
        if (a->def == def && a->index == index && hale_str_eq(sub_group(a), group))
            return a;
    }
    return NULL;
}

/* Slots beyond the view. While a window waits late_wait for its end, samples of now go
 * there. */
static unsigned future_slots(const struct thresholds_engine *e, unsigned width_s,
                             bool monasca)
{
    int64_t wait_s = (late_wait_ms(e, width_s) + 999) / 1000;
    unsigned need = (unsigned)((wait_s + width_s - 1) / width_s) + 1;
    return monasca || need < FUTURE_SLOTS ? FUTURE_SLOTS : need;
}

static uint32_t width_of(const struct hale_subexpr *x)
{
    if (x->func == HALE_FUNC_FORECAST)
        return thresholds_forecast_step_s(x);
    return x->every_s > 0 ? x->every_s : x->period_s;
}

static unsigned slots_of(const struct thresholds_engine *e, const struct hale_subexpr *x,
                         bool monasca)
{
    if (hale_subexpr_is_last(x))
        return monasca ? 1 : x->times;
    if (x->func == HALE_FUNC_ABSENT)
        return 2;
    return x->times + future_slots(e, width_of(x), monasca);
}

static size_t bytes_of(unsigned n_slots, size_t group_len)
{
    return sizeof(struct sub) + n_slots * sizeof(struct slot) + group_len;
}

struct sub *thresholds_sub_alloc(struct thresholds_engine *e, struct def *def,
                                 unsigned index, struct hale_str group, unsigned n_group)
{
    const struct hale_subexpr *x = &def->d->expr->subs[index];
    bool monasca = def->d->semantics == HALE_SEMANTICS_MONASCA;
    unsigned n_slots = slots_of(e, x, monasca);
    HALE_ASSERT(n_slots <= UINT16_MAX && group.len <= UINT16_MAX);
    struct sub *a = thresholds_pool_take(&e->pool, bytes_of(n_slots, group.len));
    if (a == NULL)
        return NULL;
    if (group.len > 0)
        memcpy(a->slots + n_slots, group.p, group.len);
    a->def = def;
    a->index = (uint8_t)index;
    a->group_len = (uint16_t)group.len;
    a->n_group = (uint16_t)n_group;
    a->calculated = x->arith != NULL;
    a->func = (uint8_t)(hale_subexpr_is_last(x) ? HALE_FUNC_LAST : x->func);
    a->deterministic = x->deterministic;
    a->monasca = monasca;
    a->times = (uint16_t)x->times;
    a->width_s = width_of(x);
    a->n_slots = (uint16_t)n_slots;
    a->state = x->deterministic ? HALE_STATE_OK : HALE_STATE_UNDETERMINED;
    a->recheck_ms = NO_TIME;
    a->last_ms = NO_TIME;
    if (a->calculated && thresholds_operands_new(a, x) != HALE_OK) {
        thresholds_sub_free(e, a);
        return NULL;
    }
    thresholds_verdict_refresh(a);
    if (keeps_more(a) && thresholds_kept_new(a) != HALE_OK) {
        thresholds_sub_free(e, a);
        return NULL;
    }
    return a;
}

void thresholds_sub_free(struct thresholds_engine *e, struct sub *a)
{
    if (a == NULL)
        return;
    if (a->calculated)
        thresholds_operands_free(a->operands);
    else
        thresholds_kept_free(a);
    thresholds_pool_give(&e->pool, a, bytes_of(a->n_slots, a->group_len));
}

/* Memory of the window, in slots. */
static size_t weight_of(const struct sub *a)
{
    if (a->calculated)
        return a->n_slots + thresholds_operands_slots(a->operands);
    return a->n_slots + (keeps_more(a) ? thresholds_kept_slots(a) : 0);
}

/* Room for one place more, at least up to index `place`. */
static enum hale_rc grow_places(struct thresholds_engine *e, size_t place)
{
    if (place < e->cap_places)
        return HALE_OK;
    size_t cap = e->cap_places;
    while (cap <= place) /* a quarter more, in whole pages */
        cap += (cap / 4 / SUBS_PER_PAGE + 1) * SUBS_PER_PAGE;
    struct sub **subs = realloc(e->subs, cap * sizeof(*subs));
    if (subs != NULL)
        e->subs = subs;
    uint32_t *places = realloc(e->free_places, cap * sizeof(*places));
    if (places != NULL)
        e->free_places = places;
    unsigned char *dirty = realloc(e->sub_dirty, cap / SUBS_PER_PAGE);
    if (dirty != NULL)
        e->sub_dirty = dirty;
    if (subs == NULL || places == NULL || dirty == NULL)
        return HALE_E_NOMEM;
    memset(e->subs + e->cap_places, 0, (cap - e->cap_places) * sizeof(*subs));
    memset(e->sub_dirty + e->cap_places / SUBS_PER_PAGE, 0,
           (cap - e->cap_places) / SUBS_PER_PAGE);
    e->cap_places = cap;
    return HALE_OK;
}

static enum hale_rc find_place(struct thresholds_engine *e, size_t *place)
{
    if (*place == SIZE_MAX && e->n_free > 0) {
        *place = e->free_places[--e->n_free];
        return HALE_OK;
    }
    if (*place == SIZE_MAX)
        *place = e->n_places;
    enum hale_rc rc = grow_places(e, *place);
    if (rc != HALE_OK)
        return rc;
    return e->subs[*place] == NULL ? HALE_OK : HALE_E_EXISTS;
}

enum hale_rc thresholds_sub_adopt(struct thresholds_engine *e, struct sub *a,
                                  size_t place)
{
    if (e->stats.subalarms >= e->limits.max_subalarms ||
        e->stats.slots + weight_of(a) > e->limits.max_slots)
        return HALE_E_LIMIT;
    bool any = place == SIZE_MAX;
    enum hale_rc rc = find_place(e, &place);
    if (rc != HALE_OK)
        return rc;
    rc = grow_heads(e);
    if (rc != HALE_OK) {
        if (any && place < e->n_places)
            e->free_places[e->n_free++] = (uint32_t)place;
        return rc;
    }
    e->subs[place] = a;
    if (place >= e->n_places)
        e->n_places = place + 1;
    a->place = (uint32_t)place;
    uint32_t *head = head_of(e, a);
    a->key_next = *head;
    *head = a->place;
    a->def_prev = NO_PLACE;
    a->def_next = a->def->first_sub;
    if (a->def_next != NO_PLACE)
        e->subs[a->def_next]->def_prev = a->place;
    a->def->first_sub = a->place;
    e->stats.subalarms++;
    e->stats.slots += weight_of(a);
    *sub_dirty_flag(e, a) = 1;
    return HALE_OK;
}

struct sub *thresholds_sub_new(struct thresholds_engine *e, struct def *def,
                               unsigned index, struct hale_str group, unsigned n_group,
                               int64_t now_ms)
{
    struct sub *a = thresholds_sub_alloc(e, def, index, group, n_group);
    if (a == NULL || thresholds_sub_adopt(e, a, SIZE_MAX) != HALE_OK) {
        thresholds_sub_free(e, a);
        e->stats.refused_subalarms++;
        return NULL;
    }
    a->uid = e->next_uid++;
    a->born = e->gen;
    if (a->calculated && a->operands->n > 1) {
        a->born = e->gen + 1;
        e->joining = true;
    }
    e->header_dirty = true;
    thresholds_window_reset(a, now_ms);
    thresholds_schedule(e, a);
    return a;
}

void thresholds_sub_kill(struct thresholds_engine *e, struct sub *a)
{
    HALE_ASSERT(!a->dead && e->subs[a->place] == a);
    *sub_dirty_flag(e, a) = 1;
    thresholds_unschedule(e, a);
    uint32_t *link = head_of(e, a);
    while (*link != a->place)
        link = &e->subs[*link]->key_next;
    *link = a->key_next;
    if (a->def_prev != NO_PLACE)
        e->subs[a->def_prev]->def_next = a->def_next;
    else
        a->def->first_sub = a->def_next;
    if (a->def_next != NO_PLACE)
        e->subs[a->def_next]->def_prev = a->def_prev;
    e->subs[a->place] = NULL;
    e->free_places[e->n_free++] = a->place;
    e->stats.subalarms--;
    e->stats.slots -= weight_of(a);
    a->dead = true;
    a->def = NULL;
    if (a->refs == 0)
        thresholds_sub_free(e, a);
    else
        e->dead++;
}

void thresholds_sub_release(struct thresholds_engine *e, struct sub *a)
{
    HALE_ASSERT(a->refs > 0);
    if (--a->refs == 0 && a->dead) {
        e->dead--;
        thresholds_sub_free(e, a);
    }
}

void thresholds_sub_renew(struct thresholds_engine *e, struct sub *old, int64_t now_ms)
{
    struct hale_str group = sub_group(old);
    struct sub *a = thresholds_sub_alloc(e, old->def, old->index, group, old->n_group);
    if (a == NULL) {
        thresholds_sub_kill(e, old);
        e->stats.refused_subalarms++;
        return;
    }
    a->uid = old->uid;
    a->born = old->born;
    a->state = old->state;
    a->level = old->level;
    thresholds_verdict_refresh(a);
    thresholds_operands_inherit(a, old);
    thresholds_kept_swap(a, old);
    const struct sub silent = {.func = old->func, .last_ms = old->last_ms};
    thresholds_sub_kill(e, old);
    if (thresholds_sub_adopt(e, a, SIZE_MAX) != HALE_OK) {
        thresholds_sub_free(e, a);
        e->stats.refused_subalarms++;
        return;
    }
    thresholds_window_reset(a, now_ms);
    if (a->func == HALE_FUNC_ABSENT)
        thresholds_absent_renew(a, &silent, now_ms);
    thresholds_schedule(e, a);
}
