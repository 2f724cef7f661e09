/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue's lists of distinct names, keys and values. */
#include <stdlib.h>
#include <string.h>

#include "collector/catalog_index.h"

void collector_words_fini(struct collector_words *w)
{
    free(w->v);
    memset(w, 0, sizeof(*w));
}

static void add_word(struct collector_words *w, struct hale_str s)
{
    if (w->n == w->cap && !w->failed) {
        size_t cap = w->cap > 0 ? 2 * w->cap : 64;
        struct hale_str *v = realloc(w->v, cap * sizeof(*v));
        if (v == NULL)
            w->failed = true;
        else {
            w->v = v;
            w->cap = cap;
        }
    }
    if (!w->failed)
        w->v[w->n++] = s;
}

static bool page_full(const struct collector_words_page *page,
                      const struct collector_words *out)
{
    return out->failed || (page != NULL && page->max > 0 && out->n >= page->max);
}

static bool plain(const struct collector_selector *sel) /* any dims and times */
{
    return sel->dims.n == 0 && sel->start_ms == INT64_MIN && sel->end_ms == INT64_MAX &&
           sel->idle_before_ms == 0;
}

/* --- numbers met on a walk --------------------------------------------------------------- */

struct marks {
    uint8_t *bits;
    struct catalog_list met;
    size_t enough; /* stop when so many are met */
    bool failed;
};

static bool marks_init(struct marks *m, uint32_t n_numbers, size_t enough)
{
    memset(m, 0, sizeof(*m));
    m->enough = enough;
    m->bits = calloc(n_numbers / 8 + 1, 1);
    return m->bits != NULL;
}

static void marks_fini(struct marks *m)
{
    free(m->bits);
    catalog_list_fini(&m->met);
}

static bool marked(const struct marks *m, uint32_t number)
{
    return (m->bits[number / 8] >> (number % 8) & 1) != 0;
}

/* False: enough. */
static bool mark(struct marks *m, uint32_t number)
{
    if (marked(m, number))
        return true;
    if (catalog_list_reserve(&m->met) != HALE_OK) {
        m->failed = true;
        return false;
    }
    m->bits[number / 8] |= (uint8_t)(1u << (number % 8));
    catalog_list_push(&m->met, number);
    return m->met.n < m->enough;
}

/* Puts what was met in the order of its texts: through the order of all if many were met, by
 * sorting otherwise. all is settled. */
static void marks_sort(struct marks *m, const struct catalog_order *all,
                       catalog_text text, const void *owner)
{
    if (m->met.n > all->sorted / 16) {
        m->met.n = 0;
        for (uint32_t i = 0; i < all->sorted; i++)
            if (marked(m, all->list.v[i]))
                m->met.v[m->met.n++] = all->list.v[i];
        return;
    }
    struct catalog_order few = {m->met, 0};
    catalog_order_settle(&few, text, owner);
}

/* Words of a list in order, from the page's beginning to its end. */
static void emit(const struct catalog_list *sorted, catalog_text text, const void *owner,
                 const struct collector_words_page *page, struct collector_words *out)
{
    const struct catalog_order o = {*sorted, sorted->n};
    const struct hale_str none = {NULL, 0};
    uint32_t i = catalog_order_after(&o, page != NULL ? page->after : none, text, owner);

    for (; i < sorted->n && !page_full(page, out); i++)
        add_word(out, text(owner, sorted->v[i]));
}

/* --- names ------------------------------------------------------------------------------- */

static struct hale_str metric_text(const void *owner, uint32_t number)
{
    const struct catalog_metric *m =
        &((const struct catalog_index *)owner)->metrics[number];

    return (struct hale_str){m->text, m->len};
}

static bool mark_metric(struct collector_series *s, const struct hale_series *text,
                        void *arg)
{
    (void)text;
    return mark(arg, s->metric);
}

static bool found_one(struct collector_series *s, const struct hale_series *text,
                      void *arg)
{
    (void)s;
    (void)text;
    (void)arg;
    return false;
}

/* Few candidates: walk them. Many: look into each metric until its first match. */
static enum hale_rc names_by_walk(const struct catalog_index *ix,
                                  const struct catalog_walk *w,
                                  const struct collector_words_page *page,
                                  struct collector_words *out)
{
    const struct catalog_order *order = &ix->tenants[w->tenant]->metric_order;
    const struct hale_str none = {NULL, 0};
    struct marks m;

    if (w->terms.n == 0) {
        uint32_t i = catalog_order_after(order, page != NULL ? page->after : none,
                                         metric_text, ix);
        for (; i < order->sorted && !page_full(page, out); i++) {
            uint32_t number = order->list.v[i];
            if ((w->metric == CATALOG_NONE || w->metric == number) &&
                ix->metrics[number].live > 0 &&
                !catalog_walk_metric(w, ix, number, found_one, NULL))
                add_word(out, metric_text(ix, number));
        }
        return HALE_OK;
    }
    if (!marks_init(&m, ix->n_metrics, SIZE_MAX))
        return HALE_E_NOMEM;
    (void)catalog_walk_run(w, ix, mark_metric, &m);
    marks_sort(&m, order, metric_text, ix);
    emit(&m.met, metric_text, ix, page, out);
    enum hale_rc rc = m.failed ? HALE_E_NOMEM : HALE_OK;
    marks_fini(&m);
    return rc;
}

static enum hale_rc names(struct catalog_index *ix, const struct catalog_walk *w,
                          struct hale_str key, const struct collector_words_page *page,
                          struct collector_words *out)
{
    struct catalog_order *order = &ix->tenants[w->tenant]->metric_order;
    const struct hale_str none = {NULL, 0};

    (void)key;
    catalog_order_settle(order, metric_text, ix);
    if (!plain(w->sel) || w->metric != CATALOG_NONE)
        return names_by_walk(ix, w, page, out);
    uint32_t i =
        catalog_order_after(order, page != NULL ? page->after : none, metric_text, ix);
    for (; i < order->sorted && !page_full(page, out); i++)
        if (ix->metrics[order->list.v[i]].live > 0)
            add_word(out, metric_text(ix, order->list.v[i]));
    return HALE_OK;
}

/* --- keys -------------------------------------------------------------------------------- */

static struct hale_str key_text(const void *owner, uint32_t number)
{
    const struct catalog_key *k = &((const struct catalog_tenant *)owner)->keys[number];

    return (struct hale_str){k->text, k->len};
}

struct words_visit {
    struct marks marks;
    const struct catalog_tenant *tenant;
    uint32_t key; /* of values */
};

static bool mark_keys(struct collector_series *s, const struct hale_series *text,
                      void *arg)
{
    struct words_visit *v = arg;

    (void)s;
    for (unsigned i = 0; i < text->n_dims; i++)
        if (!mark(&v->marks, catalog_tenant_key(v->tenant, text->dims[i].key)))
            return false;
    return true;
}

static bool mark_value(struct collector_series *s, const struct hale_series *text,
                       void *arg)
{
    struct words_visit *v = arg;
    struct hale_str value = hale_series_dim(text, key_text(v->tenant, v->key));

    (void)s;
    return value.p == NULL ||
           mark(&v->marks, catalog_tenant_term(v->tenant, v->key, value));
}

/* Walks; *list gets what was met, in order (the caller's to fini). */
static enum hale_rc gather(const struct catalog_index *ix, struct catalog_walk *w,
                           struct words_visit *v, catalog_visit visit,
                           const struct catalog_order *all, catalog_text text)
{
    w->need_text = true;
    (void)catalog_walk_run(w, ix, visit, v);
    marks_sort(&v->marks, all, text, v->tenant);
    return v->marks.failed ? HALE_E_NOMEM : HALE_OK;
}

/* The keys of a metric's visible series, whatever their time. */
static enum hale_rc cached_keys(const struct catalog_index *ix, uint32_t metric,
                                const struct collector_selector *sel)
{
    struct catalog_metric *m = &ix->metrics[metric];
    struct catalog_tenant *t = ix->tenants[m->tenant];
    const struct collector_selector any = {
        .tenant = sel->tenant, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct catalog_walk w = {.sel = &any, .tenant = m->tenant, .metric = metric};
    struct words_visit v = {.tenant = t};

    if (m->keys.version == m->version)
        return HALE_OK;
    if (!marks_init(&v.marks, t->n_keys, SIZE_MAX))
        return HALE_E_NOMEM;
    enum hale_rc rc = gather(ix, &w, &v, mark_keys, &t->key_order, key_text);
    if (rc == HALE_OK) {
        catalog_list_fini(&m->keys.list);
        m->keys.list = v.marks.met;
        m->keys.version = m->version;
        v.marks.met = (struct catalog_list){0};
    }
    marks_fini(&v.marks);
    return rc;
}

static size_t live_keys(const struct catalog_tenant *t)
{
    size_t n = 0;

    for (uint32_t i = 0; i < t->n_keys; i++)
        n += t->keys[i].live > 0;
    return n;
}

static enum hale_rc keys(struct catalog_index *ix, const struct catalog_walk *w,
                         struct hale_str key, const struct collector_words_page *page,
                         struct collector_words *out)
{
    struct catalog_tenant *t = ix->tenants[w->tenant];
    struct words_visit v = {.tenant = t};
    struct catalog_walk walk = *w;
    size_t enough = live_keys(t);

    (void)key;
    catalog_order_settle(&t->key_order, key_text, t);
    if (w->metric != CATALOG_NONE) {
        enum hale_rc rc = cached_keys(ix, w->metric, w->sel);
        if (rc != HALE_OK)
            return rc;
        enough = ix->metrics[w->metric].keys.list.n;
        if (plain(w->sel)) {
            emit(&ix->metrics[w->metric].keys.list, key_text, t, page, out);
            return HALE_OK;
        }
    }
    if (!marks_init(&v.marks, t->n_keys, enough))
        return HALE_E_NOMEM;
    enum hale_rc rc = HALE_OK;
    if (plain(w->sel)) { /* all that are alive */
        for (uint32_t i = 0; i < t->n_keys; i++)
            if (t->keys[i].live > 0)
                (void)mark(&v.marks, i);
        marks_sort(&v.marks, &t->key_order, key_text, t);
        rc = v.marks.failed ? HALE_E_NOMEM : HALE_OK;
    } else if (enough > 0) {
        rc = gather(ix, &walk, &v, mark_keys, &t->key_order, key_text);
    }
    if (rc == HALE_OK)
        emit(&v.marks.met, key_text, t, page, out);
    marks_fini(&v.marks);
    return rc;
}

/* --- values ------------------------------------------------------------------------------ */

static struct hale_str term_text(const void *owner, uint32_t number)
{
    const struct catalog_term *m = &((const struct catalog_tenant *)owner)->terms[number];

    return (struct hale_str){m->text, m->len};
}

static bool term_in_time(const struct catalog_index *ix, const struct catalog_term *m,
                         const struct collector_selector *sel)
{
    const uint32_t *v = m->v != NULL ? m->v : &m->one;

    for (uint32_t i = 0; i < m->n; i++)
        if (collector_series_visible(catalog_series(ix, v[i]), sel))
            return true;
    return false;
}

/* All values of a key, or those with a series in the selector's time: no walk over all
 * series, since each term has its list. */
static void values_by_order(const struct catalog_index *ix,
                            const struct catalog_tenant *t, uint32_t key,
                            const struct collector_selector *sel,
                            const struct collector_words_page *page,
                            struct collector_words *out)
{
    const struct catalog_order *o = &t->keys[key].terms;
    const struct hale_str none = {NULL, 0};
    bool any_time = plain(sel);
    uint32_t i = catalog_order_after(o, page != NULL ? page->after : none, term_text, t);

    for (; i < o->sorted && !page_full(page, out); i++) {
        const struct catalog_term *m = &t->terms[o->list.v[i]];
        if (m->live > 0 && (any_time || term_in_time(ix, m, sel)))
            add_word(out, term_text(t, o->list.v[i]));
    }
}

static enum hale_rc values(struct catalog_index *ix, const struct catalog_walk *w,
                           struct hale_str key_name,
                           const struct collector_words_page *page,
                           struct collector_words *out)
{
    struct catalog_tenant *t = ix->tenants[w->tenant];
    struct catalog_walk walk = *w;
    struct words_visit v = {.tenant = t, .key = catalog_tenant_key(t, key_name)};
    struct catalog_cache *cache =
        w->metric != CATALOG_NONE ? &ix->metrics[w->metric].values : NULL;

    if (v.key == CATALOG_NONE || t->keys[v.key].live_terms == 0)
        return HALE_OK;
    struct catalog_key *k = &t->keys[v.key];
    catalog_order_settle(&k->terms, term_text, t);
    if (cache == NULL && w->sel->dims.n == 0 && (plain(w->sel) || k->common_terms == 0)) {
        values_by_order(ix, t, v.key, w->sel, page, out);
        return HALE_OK;
    }
    bool keep = cache != NULL && plain(w->sel);
    if (keep && cache->version == ix->metrics[w->metric].version && cache->key == v.key) {
        emit(&cache->list, term_text, t, page, out);
        return HALE_OK;
    }
    if (!marks_init(&v.marks, t->n_terms, k->live_terms))
        return HALE_E_NOMEM;
    enum hale_rc rc = gather(ix, &walk, &v, mark_value, &k->terms, term_text);
    if (rc == HALE_OK)
        emit(&v.marks.met, term_text, t, page, out);
    if (rc == HALE_OK && keep) {
        catalog_list_fini(&cache->list);
        cache->list = v.marks.met;
        cache->key = v.key;
        cache->version = ix->metrics[w->metric].version;
        v.marks.met = (struct catalog_list){0};
    }
    marks_fini(&v.marks);
    return rc;
}

/* --- the calls --------------------------------------------------------------------------- */

typedef enum hale_rc (*words_fn)(struct catalog_index *ix, const struct catalog_walk *w,
                                 struct hale_str key,
                                 const struct collector_words_page *page,
                                 struct collector_words *out);

static enum hale_rc list_words(struct collector_catalog *c,
                               const struct collector_selector *sel, struct hale_str key,
                               const struct collector_words_page *page,
                               struct collector_words *out, words_fn fn)
{
    struct catalog_walk w;

    memset(out, 0, sizeof(*out));
    (void)pthread_rwlock_rdlock(&c->lock);
    (void)pthread_mutex_lock(&c->words);
    enum hale_rc rc = catalog_walk_init(&w, &c->index, sel);
    if (rc == HALE_OK && !w.nothing)
        rc = fn(&c->index, &w, key, page, out);
    catalog_walk_fini(&w);
    (void)pthread_mutex_unlock(&c->words);
    (void)pthread_rwlock_unlock(&c->lock);
    return rc == HALE_OK && out->failed ? HALE_E_NOMEM : rc;
}

enum hale_rc collector_catalog_names(struct collector_catalog *c,
                                     const struct collector_selector *sel,
                                     const struct collector_words_page *page,
                                     struct collector_words *out)
{
    return list_words(c, sel, (struct hale_str){NULL, 0}, page, out, names);
}

enum hale_rc collector_catalog_keys(struct collector_catalog *c,
                                    const struct collector_selector *sel,
                                    const struct collector_words_page *page,
                                    struct collector_words *out)
{
    return list_words(c, sel, (struct hale_str){NULL, 0}, page, out, keys);
}

enum hale_rc collector_catalog_values(struct collector_catalog *c,
                                      const struct collector_selector *sel,
                                      struct hale_str key,
                                      const struct collector_words_page *page,
                                      struct collector_words *out)
{
    return list_words(c, sel, key, page, out, values);
}
