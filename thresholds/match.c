/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match - which series feeds which sub-alarms: done once per series, and again when a
 * definition of its metric name changes. A sub-expression is listed under its metric
 * name, or, when it has dimensions, under that one of its dimensions whose list is
 * shortest; so a series looks at one list per own dimension and not at every definition.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "thresholds/inner.h"

/* --- index of sub-expressions ------------------------------------------------------- */

/* tenant \0 name [\0 key \0 value]: two different places may share a list in theory
 * (names with NUL); candidates are verified. */
static struct hale_str list_key(struct thresholds_engine *e, struct hale_str tenant,
                                struct hale_str name, const struct hale_dim *dim)
{
    hale_buf_reset(&e->key);
    hale_buf_add_str(&e->key, tenant);
    hale_buf_add_char(&e->key, '\0');
    hale_buf_add_str(&e->key, name);
    if (dim != NULL) {
        hale_buf_add_char(&e->key, '\0');
        hale_buf_add_str(&e->key, dim->key);
        hale_buf_add_char(&e->key, '\0');
        hale_buf_add_str(&e->key, dim->value);
    }
    return hale_buf_str(&e->key);
}

struct name *thresholds_name(struct thresholds_engine *e, struct hale_str tenant,
                             struct hale_str name)
{
    struct hale_str key = list_key(e, tenant, name, NULL);
    if (e->key.failed)
        return NULL;
    struct name *n = hale_map_get(e->names, key);
    if (n != NULL)
        return n;
    n = calloc(1, sizeof(*n));
    if (n != NULL && hale_map_put(e->names, key, n) != HALE_OK) {
        free(n);
        n = NULL;
    }
    return n;
}

/* The list of a sub-expression with this dimension; made if there is none. NULL: no
 * memory. */
static struct refs *dim_refs(struct thresholds_engine *e, struct hale_str tenant,
                             struct hale_str name, const struct hale_dim *dim)
{
    struct hale_str key = list_key(e, tenant, name, dim);
    if (e->key.failed)
        return NULL;
    struct refs *r = hale_map_get(e->by_dim, key);
    if (r != NULL)
        return r;
    r = calloc(1, sizeof(*r));
    if (r != NULL && hale_map_put(e->by_dim, key, r) != HALE_OK) {
        free(r);
        r = NULL;
    }
    return r;
}

static enum hale_rc refs_push(struct refs *r, const struct ref *ref)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 2 : r->cap * 2;
        struct ref *v = realloc(r->v, cap * sizeof(*v));
        if (v == NULL)
            return HALE_E_NOMEM;
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = *ref;
    return HALE_OK;
}

static void refs_drop(struct refs *r, const struct def *def)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].def != def)
            r->v[kept++] = r->v[i];
    }
    r->n = kept;
}

static size_t list_len(struct thresholds_engine *e, struct hale_str tenant,
                       struct hale_str name, const struct hale_dim *dim)
{
    struct refs *r = hale_map_get(e->by_dim, list_key(e, tenant, name, dim));
    return r != NULL ? r->n : 0;
}

static struct hale_term term_of(const struct ref *r)
{
    return hale_subexpr_term(&r->def->d->expr->subs[r->index], r->term);
}

static enum hale_rc ref_add(struct thresholds_engine *e, const struct ref *ref)
{
    const struct hale_term x = term_of(ref);
    struct hale_str tenant = hale_str_from(ref->def->d->tenant);
    struct name *n = thresholds_name(e, tenant, x.name);
    if (n == NULL)
        return HALE_E_NOMEM;
    if (x.n_dims == 0)
        return refs_push(&n->plain, ref);

    unsigned best = 0;
    size_t best_len = SIZE_MAX;
    for (unsigned i = 0; i < x.n_dims; i++) {
        size_t len = list_len(e, tenant, x.name, &x.dims[i]);
        if (len < best_len) {
            best = i;
            best_len = len;
        }
    }
    struct refs *r = dim_refs(e, tenant, x.name, &x.dims[best]);
    return r != NULL ? refs_push(r, ref) : HALE_E_NOMEM;
}

/* Does the sub-expression belong to this shard? Its first metric decides. */
static bool at_home(const struct thresholds_engine *e, const struct hale_definition *d,
                    const struct hale_subexpr *x)
{
    return e->limits.shards <= 1 ||
           hale_series_shard(hale_str_from(d->tenant), x->name, e->limits.shards) ==
               e->limits.shard;
}

enum hale_rc thresholds_refs_add(struct thresholds_engine *e, struct def *def)
{
    for (unsigned i = 0; i < def->d->expr->n_subs; i++) {
        const struct hale_subexpr *x = &def->d->expr->subs[i];
        enum hale_rc rc = HALE_OK;
        unsigned n = at_home(e, def->d, x) ? hale_subexpr_terms(x) : 0;
        for (unsigned t = 0; rc == HALE_OK && t < n; t++) {
            const struct ref ref = {def, i, t};
            rc = ref_add(e, &ref);
        }
        if (rc != HALE_OK)
            return rc;
        thresholds_rematch(e, def, i);
    }
    return HALE_OK;
}

static void term_remove(struct thresholds_engine *e, const struct def *def,
                        struct hale_str tenant, const struct hale_term *x)
{
    struct name *n = hale_map_get(e->names, list_key(e, tenant, x->name, NULL));
    if (n != NULL)
        refs_drop(&n->plain, def);
    for (unsigned k = 0; k < x->n_dims; k++) {
        struct hale_str key = list_key(e, tenant, x->name, &x->dims[k]);
        struct refs *r = hale_map_get(e->by_dim, key);
        if (r == NULL)
            continue;
        refs_drop(r, def);
        if (r->n == 0)
            hale_map_del(e->by_dim, key);
    }
}

void thresholds_refs_remove(struct thresholds_engine *e, struct def *def)
{
    struct hale_str tenant = hale_str_from(def->d->tenant);
    for (unsigned i = 0; i < def->d->expr->n_subs; i++) {
        const struct hale_subexpr *x = &def->d->expr->subs[i];
        for (unsigned t = 0; t < hale_subexpr_terms(x); t++) {
            const struct hale_term term = hale_subexpr_term(x, t);
            term_remove(e, def, tenant, &term);
        }
    }
}

/* Series of all its metrics are matched again at generation gen. */
static void rematch_at(struct thresholds_engine *e, const struct def *def, unsigned index,
                       uint64_t gen)
{
    const struct hale_subexpr *x = &def->d->expr->subs[index];
    for (unsigned t = 0; t < hale_subexpr_terms(x); t++) {
        struct name *n =
            hale_map_get(e->names, list_key(e, hale_str_from(def->d->tenant),
                                            hale_subexpr_term(x, t).name, NULL));
        if (n != NULL)
            n->gen = gen;
    }
}

void thresholds_rematch(struct thresholds_engine *e, const struct def *def,
                        unsigned index)
{
    rematch_at(e, def, index, e->gen);
}

void thresholds_settle(struct thresholds_engine *e)
{
    if (!e->joining)
        return;
    e->joining = false;
    e->gen++;
    e->header_dirty = true;
}

/* --- candidates of one series ------------------------------------------------------- */

static enum hale_rc collect_from(struct thresholds_engine *e, const struct refs *r,
                                 const struct hale_series *view)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct hale_definition *d = r->v[i].def->d;
        const struct hale_term term = term_of(&r->v[i]);
        if (!hale_str_eq_c(view->tenant, d->tenant) || !hale_term_matches(&term, view))
            continue;
        if (e->n_found == e->cap_found) {
            size_t cap = e->cap_found == 0 ? 64 : e->cap_found * 2;
            struct ref *v = realloc(e->found, cap * sizeof(*v));
            if (v == NULL)
                return HALE_E_NOMEM;
            e->found = v;
            e->cap_found = cap;
        }
        e->found[e->n_found++] = r->v[i];
    }
    return HALE_OK;
}

static int by_definition(const void *left, const void *right)
{
    const struct ref *a = left;
    const struct ref *b = right;
    if (a->def->uid != b->def->uid)
        return a->def->uid < b->def->uid ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->term > b->term) - (a->term < b->term);
}

/* Fills e->found, in the order of definitions. */
static enum hale_rc collect(struct thresholds_engine *e, const struct name *name,
                            const struct hale_series *view)
{
    e->n_found = 0;
    enum hale_rc rc = name != NULL ? collect_from(e, &name->plain, view) : HALE_OK;
    for (unsigned i = 0; rc == HALE_OK && i < view->n_dims; i++) {
        struct hale_str key = list_key(e, view->tenant, view->name, &view->dims[i]);
        const struct refs *r = e->key.failed ? NULL : hale_map_get(e->by_dim, key);
        if (r != NULL)
            rc = collect_from(e, r, view);
    }
    if (rc == HALE_OK && e->n_found > 1)
        qsort(e->found, e->n_found, sizeof(*e->found), by_definition);
    return rc;
}

/* --- binding ------------------------------------------------------------------------ */

/* The match_by keys that the series has, with their values, into e->group. */
static unsigned group_of(struct thresholds_engine *e, const struct hale_definition *d,
                         const struct hale_series *view)
{
    unsigned n = 0;
    hale_buf_reset(&e->group);
    for (unsigned i = 0; i < view->n_dims; i++) {
        for (unsigned k = 0; k < d->match_by.n; k++) {
            if (hale_str_eq_c(view->dims[i].key, d->match_by.v[k])) {
                thresholds_group_add(&e->group, &view->dims[i]);
                n++;
                break;
            }
        }
    }
    return n;
}

static void emit_member(struct thresholds_engine *e, const struct sub *a,
                        enum hale_sub_kind kind, const struct hale_series *view,
                        int64_t now_ms)
{
    struct hale_dim dims[THRESHOLDS_GROUP_MAX];
    struct thresholds_event ev = {
        .kind = kind,
        .definition = a->def->d,
        .sub = a->index,
        .n_group = thresholds_group_dims(a, dims),
        .group = dims,
        .state = (enum hale_state)a->state,
        .severity = -1,
        .at_ms = now_ms,
        .values = e->values,
        .series = view,
    };
    e->emit(&ev, e->emit_arg);
}

static struct sub *join(struct thresholds_engine *e, const struct ref *ref,
                        uint64_t series_gen, const struct hale_series *view,
                        int64_t now_ms)
{
    unsigned n_group = group_of(e, ref->def->d, view);
    struct hale_str group = hale_buf_str(&e->group);
    if (e->group.failed)
        return NULL;
    struct sub *a = thresholds_sub_find(e, ref->def, ref->index, group);
    if (a == NULL) {
        a = thresholds_sub_new(e, ref->def, ref->index, group, n_group, now_ms);
        if (a != NULL)
            emit_member(e, a, HALE_SUB_CREATE, view, now_ms);
    } else if (series_gen < a->born) {
        emit_member(e, a, HALE_SUB_METRIC, view, now_ms);
    }
    return a;
}

/*
 * Arithmetic: the first metric makes the sub-alarm. The others join from the next entry on (`born`
 * lies in the next generation), because within this one it depends on what was looked up before
 * whether their series are matched again; a replay must not come out otherwise. Only series with
 * all keys of match_by take part, so that no two meet because both lack the same key.
 */
static struct sub *join_operands(struct thresholds_engine *e, const struct ref *ref,
                                 uint8_t mask, uint64_t id,
                                 const struct hale_series *view, int64_t now_ms)
{
    unsigned n_group = group_of(e, ref->def->d, view);
    struct hale_str group = hale_buf_str(&e->group);
    if (e->group.failed || n_group != ref->def->d->match_by.n)
        return NULL;
    struct sub *a = thresholds_sub_find(e, ref->def, ref->index, group);
    bool made = a == NULL && (mask & 1) != 0, fresh;
    if (a != NULL && (mask & 1) == 0 && a->born > e->gen)
        return NULL;
    if (made) {
        a = thresholds_sub_new(e, ref->def, ref->index, group, n_group, now_ms);
        if (a != NULL && e->joining)
            rematch_at(e, ref->def, ref->index, e->gen + 1);
    }
    if (a == NULL)
        return NULL;
    if (made)
        emit_member(e, a, HALE_SUB_CREATE, view, now_ms);
    if (thresholds_operands_join(a, id, mask, &fresh) != HALE_OK) {
        e->stats.refused_series++;
        return NULL;
    }
    *sub_dirty_flag(e, a) = 1;
    if (fresh && !made)
        emit_member(e, a, HALE_SUB_METRIC, view, now_ms);
    return a;
}

/* The operands that e->found says from *i on for one sub-expression; *i: its last. */
static uint8_t mask_of(const struct thresholds_engine *e, size_t *i)
{
    const struct ref *first = &e->found[*i];
    uint8_t mask = (uint8_t)(1u << first->term);
    while (*i + 1 < e->n_found && e->found[*i + 1].def == first->def &&
           e->found[*i + 1].index == first->index) {
        *i += 1;
        mask = (uint8_t)(mask | 1u << e->found[*i].term);
    }
    return mask;
}

static void let_go(struct thresholds_engine *e, struct thresholds_series *s)
{
    if (s->n == 1)
        thresholds_sub_release(e, s->one);
    for (uint32_t i = 0; s->n > 1 && i < s->n; i++)
        thresholds_sub_release(e, s->many[i]);
    if (s->n > 1)
        thresholds_pool_give(&e->pool, s->many, s->n * sizeof(s->many[0]));
    s->n = 0;
    s->one = NULL;
}

/* Connects s with the sub-alarms of e->found. */
static enum hale_rc bind(struct thresholds_engine *e, struct thresholds_series *s,
                         const struct hale_series *view, int64_t now_ms)
{
    struct sub **subs = malloc((e->n_found > 0 ? e->n_found : 1) * sizeof(*subs));
    if (subs == NULL)
        return HALE_E_NOMEM;
    uint32_t n = 0;
    for (size_t i = 0; i < e->n_found; i++) {
        const struct ref *ref = &e->found[i];
        bool arith = ref->def->d->expr->subs[ref->index].arith != NULL;
        struct sub *a = arith ? join_operands(e, ref, mask_of(e, &i), s->id, view, now_ms)
                              : join(e, ref, s->gen, view, now_ms);
        if (a == NULL)
            continue;
        a->refs++;
        subs[n++] = a;
        if (a->func == HALE_FUNC_RATE && !a->calculated &&
            thresholds_rate_join(a, s->id) != HALE_OK)
            e->stats.refused_series++; /* not counted in this group */
    }
    struct sub **many = NULL;
    if (n > 1) {
        many = thresholds_pool_take(&e->pool, n * sizeof(*many));
        if (many == NULL) {
            while (n > 0)
                thresholds_sub_release(e, subs[--n]);
            free(subs);
            return HALE_E_NOMEM;
        }
        memcpy(many, subs, n * sizeof(*many));
    }
    let_go(e, s);
    s->n = n;
    s->gen = e->gen;
    if (n > 1)
        s->many = many;
    else
        s->one = n == 1 ? subs[0] : NULL;
    free(subs);
    return HALE_OK;
}

enum hale_rc thresholds_keep(struct thresholds_engine *e, struct thresholds_series *s)
{
    if (e->n_kept >= e->limits.max_series)
        return HALE_E_LIMIT;
    if (e->n_kept == e->cap_kept) {
        size_t cap = e->cap_kept == 0 ? SERIES_PER_PAGE : e->cap_kept * 2;
        struct thresholds_series **kept =
            realloc(e->kept, cap * sizeof(struct thresholds_series *));
        if (kept != NULL)
            e->kept = kept;
        unsigned char *dirty = realloc(e->series_dirty, cap / SERIES_PER_PAGE);
        if (dirty != NULL)
            e->series_dirty = dirty;
        if (kept == NULL || dirty == NULL)
            return HALE_E_NOMEM;
        memset(dirty + e->cap_kept / SERIES_PER_PAGE, 0,
               (cap - e->cap_kept) / SERIES_PER_PAGE);
        e->cap_kept = cap;
    }
    e->kept[e->n_kept++] = s;
    s->place = (uint32_t)e->n_kept;
    e->series_dirty[(s->place - 1) / SERIES_PER_PAGE] = 1;
    return HALE_OK;
}

static struct thresholds_series *series_new(struct thresholds_engine *e, uint64_t id)
{
    struct thresholds_series *s = thresholds_pool_take(&e->pool, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->id = id;
    if (hale_u64map_put(e->series, id, s) != HALE_OK) {
        thresholds_pool_give(&e->pool, s, sizeof(*s));
        return NULL;
    }
    e->unmatched++;
    e->stats.series++;
    return s;
}

enum hale_rc thresholds_series_restore(struct thresholds_engine *e, uint64_t id,
                                       uint64_t gen)
{
    if (hale_u64map_get(e->series, id) != NULL)
        return HALE_E_EXISTS;
    struct thresholds_series *s = series_new(e, id);
    if (s == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = thresholds_keep(e, s);
    if (rc == HALE_OK) {
        e->unmatched--;
        s->gen = gen;
    }
    return rc;
}

static enum hale_rc refuse(struct thresholds_engine *e, enum hale_rc rc)
{
    e->stats.refused_series++;
    return rc;
}

enum hale_rc thresholds_engine_series(struct thresholds_engine *e, uint64_t id,
                                      struct hale_str canonical, int64_t now_ms,
                                      struct thresholds_series **out)
{
    struct hale_series view;
    if (hale_series_decode(canonical, &view) != HALE_OK ||
        hale_series_id(canonical) != id)
        return HALE_E_INVAL;
    struct thresholds_series *s = hale_u64map_get(e->series, id);
    if (s == NULL && (s = series_new(e, id)) == NULL)
        return refuse(e, HALE_E_LIMIT);
    s->name = thresholds_name(e, view.tenant, view.name);
    if (collect(e, s->name, &view) != HALE_OK)
        return refuse(e, HALE_E_NOMEM);
    if (e->n_found > 0 && s->place == 0) {
        enum hale_rc rc = thresholds_keep(e, s);
        if (rc == HALE_OK)
            e->unmatched--;
        else
            e->n_found = 0; /* known, and feeds nothing */
        if (rc != HALE_OK)
            (void)refuse(e, rc);
    }
    enum hale_rc rc = bind(e, s, &view, now_ms);
    if (rc != HALE_OK)
        return refuse(e, rc);
    s->checked = e->gen;
    if (s->place > 0)
        e->series_dirty[(s->place - 1) / SERIES_PER_PAGE] = 1;
    *out = s;
    return HALE_OK;
}

void thresholds_engine_prefetch(const struct thresholds_engine *e, uint64_t id)
{
    hale_u64map_prefetch(e->series, id);
}

struct thresholds_series *thresholds_engine_find(struct thresholds_engine *e, uint64_t id)
{
    struct thresholds_series *s = hale_u64map_get(e->series, id);
    if (s == NULL || s->checked == e->gen)
        return s;
    if (s->name == NULL || s->name->gen > s->checked)
        return NULL;
    s->checked = e->gen;
    return s;
}

void thresholds_engine_prefetch_series(const struct thresholds_engine *e, uint64_t id)
{
    __builtin_prefetch(hale_u64map_get(e->series, id), 1);
}

void thresholds_engine_trim(struct thresholds_engine *e)
{
    if (e->dead > 1024 && e->dead > e->stats.subalarms) {
        /* Series that do not report any more hold dead sub-alarms: take them away. */
        size_t it = 0;
        struct thresholds_series *s;
        while ((s = hale_u64map_next(e->series, &it, NULL)) != NULL) {
            if (s->name == NULL || s->name->gen > s->checked)
                let_go(e, s);
        }
    }
    if (e->unmatched <= e->limits.max_series / 2 + 1024)
        return;
    struct hale_u64map *rest = hale_u64map_new(e->limits.max_series * 2 + 4096);
    size_t it = 0;
    struct thresholds_series *s;
    for (size_t i = 0; rest != NULL && i < e->n_kept; i++) {
        if (hale_u64map_put(rest, e->kept[i]->id, e->kept[i]) != HALE_OK) {
            hale_u64map_free(rest);
            rest = NULL;
        }
    }
    if (rest == NULL)
        return;
    while ((s = hale_u64map_next(e->series, &it, NULL)) != NULL) {
        if (s->place == 0)
            thresholds_pool_give(&e->pool, s, sizeof(*s));
    }
    hale_u64map_free(e->series);
    e->series = rest;
    e->stats.series -= e->unmatched;
    e->unmatched = 0;
}
