/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/catalog_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"

#define COMMON_MIN 4096u /* a list shorter than this is always kept */
#define COMMON_PART                                                                      \
    16u /* a term of more than this part of the tenant's series has none */

static uint32_t hash_of(struct hale_str s, uint64_t seed)
{
    return (uint32_t)hale_id_hash64_seed(s.p, s.len, seed);
}

/* Room for one more element of *v. */
static enum hale_rc reserve(void **v, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return HALE_OK;
    if (*cap > CATALOG_NONE / 2)
        return HALE_E_NOMEM;
    uint32_t more = *cap > 0 ? *cap + *cap / 2 + 1 : 4;
    void *p = realloc(*v, more * size);
    if (p == NULL)
        return HALE_E_NOMEM;
    *v = p;
    *cap = more;
    return HALE_OK;
}

/* --- look-ups ---------------------------------------------------------------------------- */

static bool same_tenant(const void *owner, uint32_t number, const void *what)
{
    const struct catalog_tenant *t =
        ((const struct catalog_index *)owner)->tenants[number];

    return hale_str_eq((struct hale_str){t->text, t->len},
                       *(const struct hale_str *)what);
}

uint32_t catalog_index_tenant(const struct catalog_index *ix, struct hale_str tenant)
{
    return catalog_table_find(&ix->tenant_table, hash_of(tenant, 0), same_tenant, ix,
                              &tenant);
}

struct inside { /* a text inside a tenant or under a key */
    uint32_t of;
    struct hale_str text;
};

static bool same_metric(const void *owner, uint32_t number, const void *what)
{
    const struct catalog_metric *m =
        &((const struct catalog_index *)owner)->metrics[number];
    const struct inside *in = what;

    return m->tenant == in->of &&
           hale_str_eq((struct hale_str){m->text, m->len}, in->text);
}

uint32_t catalog_index_metric(const struct catalog_index *ix, uint32_t tenant,
                              struct hale_str name)
{
    const struct inside in = {tenant, name};

    return catalog_table_find(&ix->metric_table, hash_of(name, tenant), same_metric, ix,
                              &in);
}

static bool same_key(const void *owner, uint32_t number, const void *what)
{
    const struct catalog_key *k = &((const struct catalog_tenant *)owner)->keys[number];

    return hale_str_eq((struct hale_str){k->text, k->len},
                       *(const struct hale_str *)what);
}

uint32_t catalog_tenant_key(const struct catalog_tenant *t, struct hale_str key)
{
    return catalog_table_find(&t->key_table, hash_of(key, 0), same_key, t, &key);
}

static bool same_term(const void *owner, uint32_t number, const void *what)
{
    const struct catalog_term *m = &((const struct catalog_tenant *)owner)->terms[number];
    const struct inside *in = what;

    return m->key == in->of && hale_str_eq((struct hale_str){m->text, m->len}, in->text);
}

uint32_t catalog_tenant_term(const struct catalog_tenant *t, uint32_t key,
                             struct hale_str value)
{
    const struct inside in = {key, value};

    return catalog_table_find(&t->term_table, hash_of(value, key), same_term, t, &in);
}

/* --- entering ---------------------------------------------------------------------------- */

static uint32_t need_tenant(struct catalog_index *ix, struct hale_str text)
{
    uint32_t i = catalog_index_tenant(ix, text);

    if (i != CATALOG_NONE)
        return i;
    if (reserve((void **)&ix->tenants, ix->n_tenants, &ix->cap_tenants,
                sizeof(ix->tenants[0])) != HALE_OK)
        return CATALOG_NONE;
    struct catalog_tenant *t = calloc(1, sizeof(*t));
    if (t == NULL || catalog_table_add(&ix->tenant_table, hash_of(text, 0),
                                       ix->n_tenants) != HALE_OK) {
        free(t);
        return CATALOG_NONE;
    }
    memcpy(t->text, text.p, text.len);
    t->len = (uint8_t)text.len;
    ix->tenants[ix->n_tenants] = t;
    return ix->n_tenants++;
}

static uint32_t need_metric(struct catalog_index *ix, uint32_t tenant,
                            struct hale_str name)
{
    struct catalog_tenant *t = ix->tenants[tenant];
    uint32_t i = catalog_index_metric(ix, tenant, name);

    if (i != CATALOG_NONE)
        return i;
    if (reserve((void **)&ix->metrics, ix->n_metrics, &ix->cap_metrics,
                sizeof(ix->metrics[0])) != HALE_OK ||
        catalog_list_reserve(&t->metrics) != HALE_OK ||
        catalog_list_reserve(&t->metric_order.list) != HALE_OK ||
        catalog_table_add(&ix->metric_table, hash_of(name, tenant), ix->n_metrics) !=
            HALE_OK)
        return CATALOG_NONE;
    struct catalog_metric *m = &ix->metrics[ix->n_metrics];
    memset(m, 0, sizeof(*m));
    m->text = name.p;
    m->len = (uint16_t)name.len;
    m->tenant = tenant;
    m->version = 1;
    catalog_list_push(&t->metrics, ix->n_metrics);
    catalog_list_push(&t->metric_order.list, ix->n_metrics);
    return ix->n_metrics++;
}

static uint32_t need_key(struct catalog_tenant *t, struct hale_str text)
{
    uint32_t i = catalog_tenant_key(t, text);

    if (i != CATALOG_NONE)
        return i;
    if (reserve((void **)&t->keys, t->n_keys, &t->cap_keys, sizeof(t->keys[0])) !=
            HALE_OK ||
        catalog_list_reserve(&t->key_order.list) != HALE_OK ||
        catalog_table_add(&t->key_table, hash_of(text, 0), t->n_keys) != HALE_OK)
        return CATALOG_NONE;
    struct catalog_key *k = &t->keys[t->n_keys];
    memset(k, 0, sizeof(*k));
    k->text = text.p;
    k->len = (uint16_t)text.len;
    catalog_list_push(&t->key_order.list, t->n_keys);
    return t->n_keys++;
}

static uint32_t need_term(struct catalog_tenant *t, const struct hale_dim *dim)
{
    uint32_t key = need_key(t, dim->key);

    if (key == CATALOG_NONE)
        return CATALOG_NONE;
    uint32_t i = catalog_tenant_term(t, key, dim->value);
    if (i != CATALOG_NONE)
        return i;
    if (reserve((void **)&t->terms, t->n_terms, &t->cap_terms, sizeof(t->terms[0])) !=
            HALE_OK ||
        catalog_list_reserve(&t->keys[key].terms.list) != HALE_OK ||
        catalog_table_add(&t->term_table, hash_of(dim->value, key), t->n_terms) !=
            HALE_OK)
        return CATALOG_NONE;
    struct catalog_term *m = &t->terms[t->n_terms];
    memset(m, 0, sizeof(*m));
    m->text = dim->value.p;
    m->len = (uint16_t)dim->value.len;
    m->key = key;
    catalog_list_push(&t->keys[key].terms.list, t->n_terms);
    return t->n_terms++;
}

/* Room for one more series in the term's list, which has one from the second series on. */
static enum hale_rc reserve_series(struct catalog_tenant *t, struct catalog_term *m)
{
    if (m->common || m->n == 0 || (m->n & (m->n - 1)) != 0)
        return HALE_OK;
    if (m->n >= COMMON_MIN && m->n > t->n_series / COMMON_PART) {
        free(m->v);
        m->v = NULL;
        m->common = true;
        t->keys[m->key].common_terms++;
        return HALE_OK;
    }
    uint32_t *v = realloc(m->v, 2 * (size_t)m->n * sizeof(v[0]));
    if (v == NULL)
        return HALE_E_NOMEM;
    m->v = v;
    if (m->n == 1)
        v[0] = m->one;
    return HALE_OK;
}

enum hale_rc catalog_index_add(struct catalog_index *ix, uint32_t ref,
                               struct collector_series *s, const struct hale_series *text)
{
    uint32_t terms[HALE_DIMS_MAX];
    uint32_t tenant = need_tenant(ix, text->tenant);
    uint32_t metric =
        tenant != CATALOG_NONE ? need_metric(ix, tenant, text->name) : CATALOG_NONE;

    if (metric == CATALOG_NONE ||
        catalog_list_reserve(&ix->metrics[metric].series) != HALE_OK)
        return HALE_E_NOMEM;
    struct catalog_tenant *t = ix->tenants[tenant];
    for (unsigned i = 0; i < text->n_dims; i++) {
        terms[i] = need_term(t, &text->dims[i]);
        if (terms[i] == CATALOG_NONE || reserve_series(t, &t->terms[terms[i]]) != HALE_OK)
            return HALE_E_NOMEM;
    }
    for (unsigned i = 0; i < text->n_dims; i++) { /* nothing fails from here */
        struct catalog_term *m = &t->terms[terms[i]];
        if (m->v != NULL)
            m->v[m->n] = ref;
        else
            m->one = ref;
        m->n++;
    }
    catalog_list_push(&ix->metrics[metric].series, ref);
    t->n_series++;
    s->metric = metric;
    return HALE_OK;
}

void catalog_index_count(struct catalog_index *ix, const struct collector_series *s,
                         const struct hale_series *text, int by)
{
    struct catalog_metric *metric = &ix->metrics[s->metric];
    struct catalog_tenant *t = ix->tenants[metric->tenant];
    const uint32_t one = (uint32_t)by; /* modulo 2^32, so that -1 takes away */

    metric->version++;
    metric->live += one;
    t->live += (size_t)(ptrdiff_t)by;
    for (unsigned i = 0; i < text->n_dims; i++) {
        uint32_t key = catalog_tenant_key(t, text->dims[i].key);
        uint32_t term = catalog_tenant_term(t, key, text->dims[i].value);
        HALE_ASSERT(term != CATALOG_NONE);
        bool was = t->terms[term].live > 0;
        t->terms[term].live += one;
        t->keys[key].live += one;
        if (was != (t->terms[term].live > 0))
            t->keys[key].live_terms += one;
    }
}

/* --- walking ----------------------------------------------------------------------------- */

/* A series without known times (just loaded) counts as active: rather too many. */
bool collector_series_visible(const struct collector_series *s,
                              const struct collector_selector *sel)
{
    uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);

    if (state != COLLECTOR_SERIES_STORED && state != COLLECTOR_SERIES_DOUBT)
        return false;
    int64_t last = atomic_load_explicit(&s->last_ms, memory_order_relaxed);
    if (sel->idle_before_ms != 0 &&
        (last == COLLECTOR_NEVER_MS || last >= sel->idle_before_ms))
        return false;
    return last == COLLECTOR_NEVER_MS ||
           (last >= sel->start_ms &&
            atomic_load_explicit(&s->first_ms, memory_order_relaxed) < sel->end_ms);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The terms a filter allows, each once, and how many series they have; a common one counts as
 * all. */
static enum hale_rc resolve(const struct catalog_tenant *t,
                            const struct collector_dim_filter *f,
                            struct catalog_list *terms, size_t *cost)
{
    uint32_t key = catalog_tenant_key(t, f->key);
    struct hale_str rest = f->value;
    uint32_t n = 0;

    *cost = 0;
    if (key == CATALOG_NONE)
        return HALE_OK;
    if (f->value.p == NULL) {
        *cost = SIZE_MAX;
        return HALE_OK;
    }
    while (rest.p != NULL) {
        uint32_t i = catalog_tenant_term(t, key, hale_str_split(&rest, '|'));
        if (i == CATALOG_NONE)
            continue;
        if (catalog_list_reserve(terms) != HALE_OK)
            return HALE_E_NOMEM;
        catalog_list_push(terms, i);
    }
    if (terms->n > 1)
        qsort(terms->v, terms->n, sizeof(terms->v[0]), by_number);
    for (uint32_t i = 0; i < terms->n; i++) {
        const struct catalog_term *m = &t->terms[terms->v[i]];
        if (i > 0 && terms->v[i] == terms->v[i - 1])
            continue;
        terms->v[n++] = terms->v[i];
        *cost = m->common || *cost == SIZE_MAX ? SIZE_MAX : *cost + m->n;
    }
    terms->n = n;
    return HALE_OK;
}

enum hale_rc catalog_walk_init(struct catalog_walk *w, const struct catalog_index *ix,
                               const struct collector_selector *sel)
{
    memset(w, 0, sizeof(*w));
    w->sel = sel;
    w->metric = CATALOG_NONE;
    w->tenant = catalog_index_tenant(ix, sel->tenant);
    w->nothing = w->tenant == CATALOG_NONE;
    if (!w->nothing && sel->name.p != NULL) {
        w->metric = catalog_index_metric(ix, w->tenant, sel->name);
        w->nothing = w->metric == CATALOG_NONE;
    }
    if (w->nothing)
        return HALE_OK;
    const struct catalog_tenant *t = ix->tenants[w->tenant];
    size_t best =
        w->metric != CATALOG_NONE ? ix->metrics[w->metric].series.n : t->n_series;
    for (unsigned i = 0; i < sel->dims.n && !w->nothing; i++) {
        struct catalog_list terms = {0};
        size_t cost;
        if (resolve(t, &sel->dims.v[i], &terms, &cost) != HALE_OK) {
            catalog_list_fini(&terms);
            return HALE_E_NOMEM;
        }
        w->nothing = cost == 0;
        if (cost > 0 && cost < best) {
            struct catalog_list old = w->terms;
            w->terms = terms;
            terms = old;
            best = cost;
        }
        catalog_list_fini(&terms);
    }
    return HALE_OK;
}

void catalog_walk_fini(struct catalog_walk *w)
{
    catalog_list_fini(&w->terms);
}

/* The series of a list; of a term's list only those of the walk's metric. */
static bool visit_all(const struct catalog_walk *w, const struct catalog_index *ix,
                      const struct catalog_list *l, catalog_visit visit, void *arg)
{
    uint32_t metric = w->terms.n > 0 ? w->metric : CATALOG_NONE;
    const struct collector_dims *dims = &w->sel->dims;
    bool decode = w->need_text || dims->n > 0;
    struct hale_series text;

    for (uint32_t i = 0; i < l->n; i++) {
        struct collector_series *s = catalog_series(ix, l->v[i]);
        if ((metric != CATALOG_NONE && s->metric != metric) ||
            !collector_series_visible(s, w->sel))
            continue;
        if (decode && (hale_series_decode(collector_series_text(s), &text) != HALE_OK ||
                       !collector_dims_match(dims, &text)))
            continue;
        if (!visit(s, decode ? &text : NULL, arg))
            return false;
    }
    return true;
}

bool catalog_walk_metric(const struct catalog_walk *w, const struct catalog_index *ix,
                         uint32_t metric, catalog_visit visit, void *arg)
{
    return visit_all(w, ix, &ix->metrics[metric].series, visit, arg);
}

bool catalog_walk_run(const struct catalog_walk *w, const struct catalog_index *ix,
                      catalog_visit visit, void *arg)
{
    bool more = true;

    if (w->nothing)
        return true;
    const struct catalog_tenant *t = ix->tenants[w->tenant];
    if (w->terms.n > 0) {
        for (uint32_t i = 0; more && i < w->terms.n; i++) {
            struct catalog_term *m = &t->terms[w->terms.v[i]];
            struct catalog_list l = {m->v != NULL ? m->v : &m->one, m->n, m->n};
            more = visit_all(w, ix, &l, visit, arg);
        }
        return more;
    }
    if (w->metric != CATALOG_NONE)
        return catalog_walk_metric(w, ix, w->metric, visit, arg);
    for (uint32_t i = 0; more && i < t->metrics.n; i++)
        more = catalog_walk_metric(w, ix, t->metrics.v[i], visit, arg);
    return more;
}

/* --- the whole --------------------------------------------------------------------------- */

static void tenant_free(struct catalog_tenant *t)
{
    for (uint32_t i = 0; i < t->n_terms; i++)
        free(t->terms[i].v);
    for (uint32_t i = 0; i < t->n_keys; i++)
        catalog_list_fini(&t->keys[i].terms.list);
    free(t->terms);
    free(t->keys);
    catalog_table_fini(&t->key_table);
    catalog_table_fini(&t->term_table);
    catalog_list_fini(&t->metrics);
    catalog_list_fini(&t->metric_order.list);
    catalog_list_fini(&t->key_order.list);
    free(t);
}

void catalog_index_fini(struct catalog_index *ix)
{
    for (uint32_t i = 0; i < ix->n_tenants; i++)
        tenant_free(ix->tenants[i]);
    for (uint32_t i = 0; i < ix->n_metrics; i++) {
        catalog_list_fini(&ix->metrics[i].series);
        catalog_list_fini(&ix->metrics[i].keys.list);
        catalog_list_fini(&ix->metrics[i].values.list);
    }
    free(ix->tenants);
    free(ix->metrics);
    catalog_table_fini(&ix->tenant_table);
    catalog_table_fini(&ix->metric_table);
    catalog_arena_fini(&ix->arena);
    memset(ix, 0, sizeof(*ix));
}

static size_t list_bytes(const struct catalog_list *l)
{
    return l->cap * sizeof(l->v[0]);
}

static size_t tenant_bytes(const struct catalog_tenant *t)
{
    size_t n = sizeof(*t) + catalog_table_bytes(&t->key_table) +
               catalog_table_bytes(&t->term_table) + list_bytes(&t->metrics) +
               list_bytes(&t->metric_order.list) + list_bytes(&t->key_order.list) +
               t->cap_keys * sizeof(t->keys[0]) + t->cap_terms * sizeof(t->terms[0]);

    for (uint32_t i = 0; i < t->n_keys; i++)
        n += list_bytes(&t->keys[i].terms.list);
    for (uint32_t i = 0; i < t->n_terms; i++) {
        size_t cap = 1;
        while (cap < t->terms[i].n)
            cap *= 2;
        n += t->terms[i].v != NULL ? cap * sizeof(uint32_t) : 0;
    }
    return n;
}

size_t catalog_index_bytes(const struct catalog_index *ix)
{
    size_t n = catalog_arena_bytes(&ix->arena) + catalog_table_bytes(&ix->tenant_table) +
               catalog_table_bytes(&ix->metric_table) +
               ix->cap_tenants * sizeof(ix->tenants[0]) +
               ix->cap_metrics * sizeof(ix->metrics[0]);

    for (uint32_t i = 0; i < ix->n_tenants; i++)
        n += tenant_bytes(ix->tenants[i]);
    for (uint32_t i = 0; i < ix->n_metrics; i++)
        n += list_bytes(&ix->metrics[i].series) + list_bytes(&ix->metrics[i].keys.list) +
             list_bytes(&ix->metrics[i].values.list);
    return n;
}
