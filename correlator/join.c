/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - which sub-alarms make up which alarm. Every group that a sub-alarm has is a node; a node
 * uses, per sub-expression, the sub-alarm whose group says most without saying anything else than
 * the node's (own group first, then subsets; equal size: the smaller text). Two groups of which
 * neither contains the other, but which agree on a shared key, make a joined node. All of this
 * depends on the set of sub-alarms only, not on the order in which they came. (The order can matter
 * in one case, since an alarm stays once it was born: series of one sub-expression whose sets of
 * keys are not contained in each other.)
 *
 * Nodes are kept by key set (cor_sig): a definition sees one or two of them in practice, so
 * looking up the best sub-alarm is one hash lookup per key set, and only a sub-alarm with a partial
 * group has to look at all nodes with more keys.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* --- definitions --------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool take_keys(struct cor_def *def)
{
    const struct hale_strings *m = &def->d->match_by;
    def->n_keys = 0;
    for (unsigned i = 0; i < m->n; i++) {
        bool known = false;
        for (unsigned j = 0; j < i && !known; j++)
            known = strcmp(m->v[i], m->v[j]) == 0;
        if (known)
            continue;
        if (def->n_keys == COR_KEYS_MAX)
            return false;
        def->keys[def->n_keys++] = m->v[i];
    }
    qsort(def->keys, def->n_keys, sizeof(def->keys[0]), by_text);
    return true;
}

struct cor_def *cor_def_new(struct correlator_engine *e, struct hale_definition *d)
{
    struct cor_def *def = cor_got(e, calloc(1, sizeof(*def)));
    if (def == NULL) {
        hale_definition_free(d);
        return NULL;
    }
    def->d = d;
    /* Nodes are bounded by max_subs and COR_JOINS_MAX; one more keeps put from failing. */
    def->nodes = cor_got(e, hale_map_new(e->limits.max_subs + COR_JOINS_MAX + 1, NULL));
    if (def->nodes == NULL || !take_keys(def)) {
        cor_def_free(def);
        return NULL;
    }
    return def;
}

static void metrics_free(struct cor_sub *s)
{
    for (unsigned i = 0; i < s->n_metrics; i++)
        free(s->metrics[i].json);
    free(s->metrics);
}

static void sub_free(struct cor_sub *s)
{
    metrics_free(s);
    free(s->values);
    free(s);
}

static void node_free(struct cor_node *n)
{
    for (unsigned i = 0; n->values != NULL && i < n->def->n_keys; i++)
        free(n->values[i]);
    free(n->values);
    free(n->own);
    free(n->bind);
    free(n->json);
    free(n);
}

void cor_def_free(struct cor_def *def)
{
    if (def == NULL)
        return;
    struct cor_node *n;
    size_t it = 0;
    while (def->nodes != NULL && (n = hale_map_next(def->nodes, &it, NULL)) != NULL) {
        for (unsigned i = 0; i < def->d->expr->n_subs; i++) {
            if (n->own[i] != NULL)
                sub_free(n->own[i]);
        }
        node_free(n);
    }
    hale_map_free(def->nodes);
    for (unsigned i = 0; i < def->n_sigs; i++)
        free(def->sigs[i].nodes);
    free(def->sigs);
    hale_definition_free(def->d);
    free(def);
}

static bool has_key(const struct hale_strings *m, const char *key)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (strcmp(m->v[i], key) == 0)
            return true;
    }
    return false;
}

bool cor_def_same_keys(const struct hale_definition *a, const struct hale_definition *b)
{
    bool same = true;
    for (unsigned i = 0; i < a->match_by.n; i++)
        same = same && has_key(&b->match_by, a->match_by.v[i]);
    for (unsigned i = 0; i < b->match_by.n; i++)
        same = same && has_key(&a->match_by, b->match_by.v[i]);
    return same;
}

void cor_def_replace(struct cor_def *def, struct hale_definition *d)
{
    HALE_ASSERT(d->expr->n_subs == def->d->expr->n_subs);
    hale_definition_free(def->d);
    def->d = d;
    bool same = take_keys(def);
    HALE_ASSERT(same);
}

/* --- groups -------------------------------------------------------------------------- */

enum hale_rc cor_group_read(const struct cor_def *def, json_t *group, const char **values)
{
    const char *key;
    json_t *value;
    memset(values, 0, sizeof(*values) * COR_KEYS_MAX);
    json_object_foreach (group, key, value) {
        const char *const *at = def->n_keys == 0 ? NULL
                                                 : bsearch(&key, def->keys, def->n_keys,
                                                           sizeof(def->keys[0]), by_text);
        if (at == NULL || !json_is_string(value))
            return HALE_E_INVAL;
        values[at - def->keys] = json_string_value(value);
    }
    return HALE_OK;
}

static uint64_t mask_of(const struct cor_def *def, const char *const *values)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < def->n_keys; i++) {
        if (values[i] != NULL)
            mask |= UINT64_C(1) << i;
    }
    return mask;
}

/* Canonical text of the keys in mask. */
static struct hale_str group_text(struct correlator_engine *e, const struct cor_def *def,
                                  const char *const *values, uint64_t mask)
{
    struct hale_buf *out = &e->scratch;
    bool first = true;
    hale_buf_reset(out);
    hale_buf_add_char(out, '{');
    for (unsigned i = 0; i < def->n_keys; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        if (!first)
            hale_buf_add_char(out, ',');
        first = false;
        hale_buf_add_json(out, hale_str_from(def->keys[i]));
        hale_buf_add_char(out, ':');
        hale_buf_add_json(out, hale_str_from(values[i]));
    }
    hale_buf_add_char(out, '}');
    return hale_buf_str(out);
}

struct cor_node *cor_node_find(struct correlator_engine *e, const struct cor_def *def,
                               const char *const *values)
{
    struct hale_str text = group_text(e, def, values, mask_of(def, values));
    return e->scratch.failed ? NULL : hale_map_get(def->nodes, text);
}

/* Is b's part of the keys in mask equal to a's? */
static bool agree(const struct cor_node *a, const struct cor_node *b, uint64_t mask)
{
    for (; mask != 0; mask &= mask - 1) {
        int i = __builtin_ctzll(mask);
        if (strcmp(a->values[i], b->values[i]) != 0)
            return false;
    }
    return true;
}

static bool within(uint64_t inner, uint64_t outer)
{
    return (inner & ~outer) == 0;
}

/* --- which sub-alarm a node uses ----------------------------------------------------- */

/* Says a more than b? Both groups are within the same node's. */
static bool better(const struct cor_sub *a, const struct cor_sub *b)
{
    if (b == NULL)
        return true;
    int na = __builtin_popcountll(a->node->mask),
        nb = __builtin_popcountll(b->node->mask);
    return na != nb ? na > nb : strcmp(a->node->json, b->node->json) < 0;
}

static struct cor_sub *best_sub(struct correlator_engine *e, const struct cor_node *n,
                                unsigned index)
{
    struct cor_sub *best = n->own[index];
    if (best != NULL)
        return best;
    for (unsigned i = 0; i < n->def->n_sigs; i++) {
        const struct cor_sig *sig = &n->def->sigs[i];
        if (sig->mask == n->mask || sig->n == 0 || !within(sig->mask, n->mask))
            continue;
        struct hale_str text =
            group_text(e, n->def, (const char *const *)n->values, sig->mask);
        const struct cor_node *inner =
            e->scratch.failed ? NULL : hale_map_get(n->def->nodes, text);
        if (inner != NULL && inner->own[index] != NULL && better(inner->own[index], best))
            best = inner->own[index];
    }
    return best;
}

/* Grows mask by the groups of n's sub-alarms that share a key with it, until none is left to. */
static uint64_t reach(const struct cor_node *n, uint64_t mask)
{
    uint64_t before;
    do {
        before = mask;
        for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
            uint64_t one = n->bind[i]->node->mask;
            mask |= (one & mask) != 0 ? one : 0;
        }
    } while (mask != before);
    return mask;
}

/* The sub-alarms used must hang together by shared keys and say all that the node says. That is a
 * property of the sub-alarms alone: it does not matter when a joined node was made. */
bool cor_node_complete(const struct cor_node *n)
{
    uint64_t first = 0;
    for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
        if (n->bind[i] == NULL)
            return false;
        if (first == 0)
            first = n->bind[i]->node->mask;
    }
    return reach(n, first) == n->mask;
}

/* --- nodes --------------------------------------------------------------------------- */

static struct cor_sig *sig_of(struct correlator_engine *e, struct cor_def *def,
                              uint64_t mask)
{
    for (unsigned i = 0; i < def->n_sigs; i++) {
        if (def->sigs[i].mask == mask)
            return &def->sigs[i];
    }
    if (def->n_sigs == COR_SIGS_MAX)
        return NULL;
    if (def->n_sigs == def->cap_sigs) {
        unsigned cap = def->cap_sigs == 0 ? 2 : def->cap_sigs * 2;
        struct cor_sig *grown = cor_got(e, realloc(def->sigs, cap * sizeof(*grown)));
        if (grown == NULL)
            return NULL;
        def->sigs = grown;
        def->cap_sigs = cap;
    }
    def->sigs[def->n_sigs] = (struct cor_sig){.mask = mask};
    return &def->sigs[def->n_sigs++];
}

static bool sig_add(struct correlator_engine *e, struct cor_node *n)
{
    struct cor_sig *sig = sig_of(e, n->def, n->mask);
    if (sig == NULL)
        return false;
    if (sig->n == sig->cap) {
        size_t cap = sig->cap == 0 ? 4 : sig->cap * 2;
        struct cor_node **grown =
            cor_got(e, realloc(sig->nodes, cap * sizeof(struct cor_node *)));
        if (grown == NULL)
            return false;
        sig->nodes = grown;
        sig->cap = cap;
    }
    n->sig_pos = sig->n;
    sig->nodes[sig->n++] = n;
    return true;
}

static void sig_remove(struct correlator_engine *e, struct cor_node *n)
{
    struct cor_sig *sig = sig_of(e, n->def, n->mask);
    HALE_ASSERT(sig != NULL && sig->nodes != NULL && sig->nodes[n->sig_pos] == n);
    sig->nodes[n->sig_pos] = sig->nodes[--sig->n];
    sig->nodes[n->sig_pos]->sig_pos = n->sig_pos;
}

static struct cor_node *node_alloc(struct correlator_engine *e, struct cor_def *def,
                                   const char *const *values)
{
    unsigned n_subs = def->d->expr->n_subs;
    struct cor_node *n = cor_got(e, calloc(1, sizeof(*n)));
    if (n == NULL)
        return NULL;
    n->def = def;
    n->mask = mask_of(def, values);
    n->values = cor_got(e, calloc(def->n_keys + 1u, sizeof(char *)));
    n->own = cor_got(e, calloc(n_subs, sizeof(struct cor_sub *)));
    n->bind = cor_got(e, calloc(n_subs, sizeof(struct cor_sub *)));
    for (unsigned i = 0; n->values != NULL && i < def->n_keys; i++)
        n->values[i] = values[i] != NULL ? cor_strdup(e, values[i]) : NULL;
    if (e->nomem) {
        node_free(n);
        return NULL;
    }
    struct hale_str text = group_text(e, def, values, n->mask);
    n->json = e->scratch.failed ? cor_got(e, NULL) : cor_strdup(e, text.p);
    if (n->json == NULL) {
        node_free(n);
        return NULL;
    }
    return n;
}

/* Makes the union of two nodes that agree. False: enough, a ceiling or no memory. */
static bool join_two(struct correlator_engine *e, const struct cor_node *n,
                     const struct cor_node *other)
{
    const char *values[COR_KEYS_MAX] = {NULL};
    for (unsigned k = 0; k < n->def->n_keys; k++)
        values[k] = n->values[k] != NULL ? n->values[k] : other->values[k];
    if (cor_node_find(e, n->def, values) != NULL)
        return true;
    if (e->n_joined >= COR_JOINS_MAX) {
        e->stats.refused_subs++;
        return false;
    }
    struct cor_node *u = cor_node_make(e, n->def, values);
    if (u == NULL)
        return false;
    u->joined = true;
    e->n_joined++;
    return true;
}

/* Makes the joined nodes of n with every other group that overlaps it. Recursion through
 * cor_node_make ends because each union has more keys than its parts. */
static void join_others(struct correlator_engine *e, struct cor_node *n)
{
    struct cor_def *def = n->def;
    if (def->d->expr->n_subs < 2)
        return;
    for (unsigned i = 0; i < def->n_sigs; i++) {
        uint64_t mask = def->sigs[i].mask;
        if ((mask & n->mask) == 0 || within(mask, n->mask) || within(n->mask, mask))
            continue;
        for (size_t j = 0; j < def->sigs[i].n; j++) {
            const struct cor_node *other = def->sigs[i].nodes[j];
            if (agree(n, other, mask & n->mask) && !join_two(e, n, other))
                return;
        }
    }
}

struct cor_node *cor_node_make(struct correlator_engine *e, struct cor_def *def,
                               const char *const *values)
{
    struct cor_node *n = cor_node_find(e, def, values);
    if (n != NULL)
        return n;
    n = node_alloc(e, def, values);
    if (n == NULL)
        return NULL;
    if (!sig_add(e, n)) {
        e->stats.refused_subs++;
        node_free(n);
        return NULL;
    }
    if (hale_map_put(def->nodes, hale_str_from(n->json), n) != HALE_OK) {
        sig_remove(e, n);
        node_free(n);
        return cor_got(e, NULL);
    }
    for (unsigned i = 0; i < def->d->expr->n_subs; i++)
        n->bind[i] = best_sub(e, n, i);
    join_others(e, n);
    return n;
}

/* Would joining make n if it were not there? Its parts are projections of it, so they agree. */
static bool derivable(struct correlator_engine *e, const struct cor_node *n)
{
    uint64_t parts[COR_SIGS_MAX];
    unsigned n_parts = 0;
    for (unsigned i = 0; i < n->def->n_sigs; i++) {
        uint64_t mask = n->def->sigs[i].mask;
        if (mask == n->mask || mask == 0 || n->def->sigs[i].n == 0 ||
            !within(mask, n->mask))
            continue;
        struct hale_str text =
            group_text(e, n->def, (const char *const *)n->values, mask);
        if (hale_map_get(n->def->nodes, text) == NULL)
            continue;
        for (unsigned k = 0; k < n_parts; k++) {
            if ((parts[k] | mask) == n->mask && (parts[k] & mask) != 0)
                return true;
        }
        parts[n_parts++] = mask;
    }
    return false;
}

void cor_node_release(struct correlator_engine *e, struct cor_node *n)
{
    if (n->alarm != NULL || n->joined)
        return;
    for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
        if (n->own[i] != NULL)
            return;
    }
    if (n->def->d->expr->n_subs > 1 && derivable(e, n)) {
        n->joined = true;
        e->n_joined++;
        return;
    }
    hale_map_del(n->def->nodes, hale_str_from(n->json));
    sig_remove(e, n);
    node_free(n);
}

/* --- sub-alarms ---------------------------------------------------------------------- */

/* Calls each for every node that contains the group of s. */
static void each_container(struct correlator_engine *e, struct cor_sub *s,
                           void (*each)(struct correlator_engine *e, struct cor_node *n,
                                        struct cor_sub *s))
{
    struct cor_def *def = s->node->def;
    struct cor_node *own = s->node;
    uint64_t mask = own->mask;
    each(e, own, s);
    for (unsigned i = 0; i < def->n_sigs; i++) {
        if (def->sigs[i].mask == mask || !within(mask, def->sigs[i].mask))
            continue;
        for (size_t j = 0; j < def->sigs[i].n; j++) {
            struct cor_node *n = def->sigs[i].nodes[j];
            if (agree(own, n, mask))
                each(e, n, s);
        }
    }
}

static void bind_if_better(struct correlator_engine *e, struct cor_node *n,
                           struct cor_sub *s)
{
    (void)e;
    if (better(s, n->bind[s->index]))
        n->bind[s->index] = s;
}

struct cor_sub *cor_sub_new(struct correlator_engine *e, struct cor_node *node,
                            unsigned index)
{
    struct cor_sub *s = cor_got(e, calloc(1, sizeof(*s)));
    if (s == NULL)
        return NULL;
    HALE_ASSERT(node->own[index] == NULL);
    s->node = node;
    s->index = index;
    s->severity = -1;
    node->own[index] = s;
    e->stats.subs++;
    each_container(e, s, bind_if_better);
    return s;
}

static void rebind(struct correlator_engine *e, struct cor_node *n, struct cor_sub *s)
{
    if (n->bind[s->index] == s)
        n->bind[s->index] = best_sub(e, n, s->index);
}

static void delete_rows(struct correlator_engine *e, const struct cor_sub *s)
{
    struct hale_buf row;
    hale_buf_init(&row, COR_RECORD_MAX);
    for (unsigned i = 0; i <= s->n_written; i++) {
        hale_buf_reset(&row);
        if (i < s->n_written)
            cor_metric_row(s, i, &row);
        else
            cor_sub_row(s, &row);
        if (row.failed)
            cor_got(e, NULL);
        else
            e->sink.del(e->sink.arg, CORRELATOR_SUBS, hale_buf_str(&row));
    }
    hale_buf_fini(&row);
}

void cor_sub_remove(struct correlator_engine *e, struct cor_sub *s)
{
    delete_rows(e, s);
    HALE_ASSERT(s->node->own[s->index] == s);
    s->node->own[s->index] = NULL;
    each_container(e, s, rebind);
    e->stats.subs--;
    s->node = NULL;
    s->gone = true;
    if (!s->dirty)
        sub_free(s);
}

void cor_sub_free_gone(struct cor_sub *s)
{
    HALE_ASSERT(s->gone);
    sub_free(s);
}

static int by_group(const void *a, const void *b)
{
    const struct cor_node *x = *(struct cor_node *const *)a;
    const struct cor_node *y = *(struct cor_node *const *)b;
    return strcmp(x->json, y->json);
}

void cor_nodes_sort(struct cor_node **nodes, size_t n)
{
    qsort(nodes, n, sizeof(struct cor_node *), by_group);
}

size_t cor_node_containers(const struct cor_node *node)
{
    const struct cor_def *def = node->def;
    size_t n = 1;
    for (unsigned i = 0; i < def->n_sigs; i++) {
        if (def->sigs[i].mask != node->mask && within(node->mask, def->sigs[i].mask))
            n += def->sigs[i].n;
    }
    return n;
}

void cor_sub_each_node(struct correlator_engine *e, struct cor_sub *s,
                       void (*each)(struct correlator_engine *e, struct cor_node *n,
                                    struct cor_sub *s))
{
    const struct cor_def *def = s->node->def;
    uint64_t mask = s->node->mask;
    size_t max = cor_node_containers(s->node), n = 0;
    HALE_ASSERT(s->node->bind[s->index] == s);
    if (max == 1) {
        each(e, s->node, s);
        return;
    }
    struct cor_node **found = cor_got(e, malloc(max * sizeof(struct cor_node *)));
    if (found == NULL)
        return;
    found[n++] = s->node;
    for (unsigned i = 0; i < def->n_sigs; i++) {
        if (def->sigs[i].mask == mask || !within(mask, def->sigs[i].mask))
            continue;
        for (size_t j = 0; j < def->sigs[i].n; j++) {
            struct cor_node *node = def->sigs[i].nodes[j];
            if (node->bind[s->index] == s)
                found[n++] = node;
        }
    }
    cor_nodes_sort(found, n);
    for (size_t i = 0; i < n; i++)
        each(e, found[i], s);
    free(found);
}
