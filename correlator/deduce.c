/* SPDX-License-Identifier: Apache-2.0 */
/* deduce - the holdings: found, kept by their entities, ended. */
#include "correlator/deduce.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/deduce_private.h"

#define SEEDS_MAX   (HALE_RULES_MAX * HALE_RULE_BRANCHES_MAX * HALE_RULE_ENTITIES_MAX)
#define TENANTS_MAX 100000
#define KEY_MAX     (1u << 16)

/* --- making -------------------------------------------------------------------------- */

static void seeds_free(void *p)
{
    struct deduce_seeds *s = p;
    free(s->v);
    free(s);
}

static bool add_seed(struct cor_deduce *d, const struct deduce_seed *seed)
{
    const char *type = seed->rule->entity[seed->var].type;
    struct hale_str key = hale_str_from(type != NULL ? type : "");
    struct deduce_seeds *s = hale_map_get(d->seeds, key);
    if (s == NULL) {
        s = calloc(1, sizeof(*s));
        if (s == NULL || hale_map_put(d->seeds, key, s) != HALE_OK) {
            free(s);
            return false;
        }
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 4 : 2 * s->cap;
        struct deduce_seed *grown = realloc(s->v, cap * sizeof(*grown));
        if (grown == NULL)
            return false;
        s->v = grown;
        s->cap = cap;
    }
    s->v[s->n++] = *seed;
    return true;
}

static bool add_seeds(struct cor_deduce *d)
{
    for (unsigned i = 0; i < d->rules->n; i++) {
        const struct hale_rule *r = &d->rules->v[i];
        for (unsigned k = 0; k < r->n_actions; k++)
            d->causes |= r->action[k].kind == HALE_RULE_CAUSE;
        for (unsigned b = 0; b < r->when.n; b++) {
            for (unsigned e = 0; e < r->n_entities; e++) {
                struct deduce_seed seed = {r, b, e};
                if ((r->when.branch[b].entities >> e & 1) != 0 && !add_seed(d, &seed))
                    return false;
            }
        }
    }
    return true;
}

static void held_free(void *p)
{
    struct held *h = p;
    for (unsigned i = 0; i < h->n_pairs; i++)
        free(h->pairs[i].cause);
    free(h->pairs);
    free(h);
}

struct cor_deduce *cor_deduce_new(const struct hale_rules *rules,
                                  const struct cor_deduce_io *io)
{
    struct cor_deduce *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->rules = rules;
    d->io = *io;
    hale_buf_init(&d->key, KEY_MAX);
    d->seeds = hale_map_new(SEEDS_MAX, seeds_free);
    d->held = hale_map_new(COR_DEDUCE_HOLDINGS_MAX, held_free);
    d->places = hale_u64map_new((size_t)COR_DEDUCE_HOLDINGS_MAX * HALE_RULE_ENTITIES_MAX);
    d->deduced =
        hale_map_new((size_t)COR_DEDUCE_HOLDINGS_MAX * HALE_RULE_ACTIONS_MAX, free);
    d->pairs =
        hale_map_new((size_t)COR_DEDUCE_HOLDINGS_MAX * COR_DEDUCE_ALARMS_MAX, free);
    d->tenants = hale_map_new(TENANTS_MAX, free);
    if (d->seeds == NULL || d->held == NULL || d->places == NULL || d->deduced == NULL ||
        d->pairs == NULL || d->tenants == NULL || !add_seeds(d)) {
        cor_deduce_free(d);
        return NULL;
    }
    return d;
}

void cor_deduce_free(struct cor_deduce *d)
{
    if (d == NULL)
        return;
    if (d->places != NULL) {
        size_t it = 0;
        void *list;
        while ((list = hale_u64map_next(d->places, &it, NULL)) != NULL)
            free(list);
    }
    hale_u64map_free(d->places);
    hale_map_free(d->held);
    hale_map_free(d->seeds);
    hale_map_free(d->deduced);
    hale_map_free(d->pairs);
    hale_map_free(d->tenants);
    hale_buf_fini(&d->key);
    free(d);
}

const struct cor_deduce_stats *cor_deduce_stats(const struct cor_deduce *d)
{
    return &d->stats;
}

/* --- by entity ----------------------------------------------------------------------- */

static uint64_t place_key(const struct hale_vertex *v)
{
    uint64_t x =
        (uintptr_t)v; /* MurmurHash3's finalizer: a bijection, so nothing collides */
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static struct held_list *list_of(const struct cor_deduce *d, const struct hale_vertex *v)
{
    return hale_u64map_get(d->places, place_key(v));
}

static bool link_to(struct cor_deduce *d, struct held *h, unsigned i)
{
    struct held_list *list = list_of(d, h->v[i]);
    if (list == NULL) {
        list = calloc(1, sizeof(*list));
        if (list == NULL ||
            hale_u64map_put(d->places, place_key(h->v[i]), list) != HALE_OK) {
            free(list);
            return false;
        }
    }
    struct held_link *l = &h->link[i];
    l->held = h;
    l->next = list->first;
    if (l->next != NULL)
        l->next->prev = l;
    list->first = l;
    return true;
}

static void unlink_from(struct cor_deduce *d, struct held *h, unsigned i)
{
    struct held_link *l = &h->link[i];
    if (l->held == NULL)
        return;
    struct held_list *list = list_of(d, h->v[i]);
    if (l->next != NULL)
        l->next->prev = l->prev;
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        list->first = l->next;
    if (list->first == NULL)
        free(hale_u64map_take(d->places, place_key(h->v[i])));
}

/* --- holdings ------------------------------------------------------------------------ */

static struct hale_str held_key(struct cor_deduce *d, const struct hale_rule *rule,
                                unsigned branch, struct hale_vertex *const *v)
{
    hale_buf_reset(&d->key);
    hale_buf_add(&d->key, (const char *)&rule, sizeof(rule));
    hale_buf_add(&d->key, (const char *)&branch, sizeof(branch));
    hale_buf_add(&d->key, (const char *)v, HALE_RULE_ENTITIES_MAX * sizeof(*v));
    d->nomem |= d->key.failed;
    return hale_buf_str(&d->key);
}

static void drop(struct cor_deduce *d, struct held *h)
{
    for (unsigned i = 0; i < HALE_RULE_ENTITIES_MAX; i++)
        unlink_from(d, h, i);
    hale_map_del(d->held, held_key(d, h->rule, h->branch, h->v));
    d->stats.holdings = hale_map_count(d->held);
}

static void end(struct cor_deduce *d, struct held *h)
{
    d->stats.ended++;
    deduce_end(d, h);
    drop(d, h);
}

static const char *tenant_of(struct cor_deduce *d, const char *tenant)
{
    char *same = hale_map_get(d->tenants, hale_str_from(tenant));
    if (same != NULL)
        return same;
    same = strdup(tenant);
    if (same == NULL ||
        hale_map_put(d->tenants, hale_str_from(tenant), same) != HALE_OK) {
        free(same);
        d->nomem = true;
        return NULL;
    }
    return same;
}

static void found(struct choice *c, void *arg)
{
    struct cor_deduce *d = arg;
    struct held *h = hale_map_get(d->held, held_key(d, c->rule, c->branch, c->v));
    if (h != NULL || d->nomem)
        return; /* it was looked at before */
    if (hale_map_count(d->held) >= COR_DEDUCE_HOLDINGS_MAX) {
        d->stats.refused++;
        return;
    }
    const char *tenant = tenant_of(d, c->tenant);
    h = tenant != NULL ? calloc(1, sizeof(*h)) : NULL;
    if (h == NULL ||
        hale_map_put(d->held, held_key(d, c->rule, c->branch, c->v), h) != HALE_OK) {
        free(h);
        d->nomem = true;
        return;
    }
    h->rule = c->rule;
    h->branch = c->branch;
    h->tenant = tenant;
    h->seen = d->round;
    memcpy(h->v, c->v, sizeof(h->v));
    for (unsigned i = 0; i < HALE_RULE_ENTITIES_MAX; i++) {
        if (h->v[i] != NULL && !link_to(d, h, i)) {
            d->nomem = true;
            return;
        }
    }
    d->stats.begun++;
    d->stats.holdings = hale_map_count(d->held);
    deduce_begin(d, h, c);
}

/* --- inputs -------------------------------------------------------------------------- */

static void look_again(struct cor_deduce *d, const char *tenant, struct hale_graph *g,
                       struct held *h)
{
    struct choice c = {d, tenant, g, h->rule, h->branch, {NULL}};
    memcpy(c.v, h->v, sizeof(c.v));
    h->seen = d->round;
    if (deduce_holds(&c))
        deduce_refresh(d, h, &c);
    else
        end(d, h);
}

static struct held *unseen(const struct cor_deduce *d, const struct hale_vertex *v)
{
    const struct held_list *list = list_of(d, v);
    for (const struct held_link *l = list != NULL ? list->first : NULL; l != NULL;
         l = l->next) {
        if (l->held->seen != d->round)
            return l->held;
    }
    return NULL;
}

/* Calls fn for each choice with v that holds. */
static void look_from(struct cor_deduce *d, const struct cor_deduce_at *at,
                      const char *type, void (*fn)(struct choice *c, void *arg),
                      void *arg)
{
    const struct deduce_seeds *s = hale_map_get(d->seeds, hale_str_from(type));
    for (size_t i = 0; s != NULL && i < s->n && !d->nomem; i++) {
        const struct deduce_seed *seed = &s->v[i];
        struct choice c = {d, at->tenant, at->g, seed->rule, seed->branch, {NULL}};
        if (seed->rule->tenant == NULL || strcmp(seed->rule->tenant, at->tenant) == 0)
            deduce_each(&c, seed->var, at->v, fn, arg);
    }
}

enum hale_rc cor_deduce_touched(struct cor_deduce *d, const struct cor_deduce_at *at)
{
    const struct hale_entity *entity = hale_vertex_entity(at->v);
    struct held *h;
    d->round++;
    while (!d->nomem && (h = unseen(d, at->v)) != NULL)
        look_again(d, at->tenant, at->g, h);
    if (entity != NULL && d->rules->n > 0) {
        look_from(d, at, entity->type, found, d);
        look_from(d, at, "", found, d);
    }
    return d->nomem ? HALE_E_NOMEM : HALE_OK;
}

struct asked {
    const char *symptom;
    cor_deduce_cause_fn fn;
    void *arg;
};

static void ask_choice(struct choice *c, void *arg)
{
    const struct asked *a = arg;
    deduce_causes(c, a->symptom, a->fn, a->arg);
}

enum hale_rc cor_deduce_ask(struct cor_deduce *d, const struct cor_deduce_at *at,
                            const char *symptom, cor_deduce_cause_fn fn, void *arg)
{
    struct asked a = {symptom, fn, arg};
    const struct hale_entity *entity = hale_vertex_entity(at->v);
    if (entity != NULL && d->causes) {
        look_from(d, at, entity->type, ask_choice, &a);
        look_from(d, at, "", ask_choice, &a);
    }
    return d->nomem ? HALE_E_NOMEM : HALE_OK;
}

enum hale_rc cor_deduce_gone(struct cor_deduce *d, struct hale_vertex *v)
{
    const struct held_list *list;
    while (!d->nomem && (list = list_of(d, v)) != NULL)
        end(d, list->first->held);
    return d->nomem ? HALE_E_NOMEM : HALE_OK;
}
