/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_value.h"

#include <stdlib.h>

#include "base/id.h"

#define LABELS_MAX 256

static const struct hale_str NAME = {"__name__", 8};

static int by_name(const void *a, const void *b)
{
    return hale_str_cmp(((const struct collector_promql_label *)a)->name,
                        ((const struct collector_promql_label *)b)->name);
}

static uint64_t mix(uint64_t h, struct hale_str s)
{
    return (h ^ hale_id_hash64(s.p, s.len)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Sorted already. */
static const struct collector_promql_labels *
make(struct hale_arena *a, const struct collector_promql_label *v, unsigned n)
{
    struct collector_promql_labels *l =
        hale_arena_alloc(a, sizeof(*l) + n * sizeof(l->v[0]));

    if (l == NULL)
        return NULL;
    for (unsigned i = 0; i < n; i++) {
        if (v[i].value.len == 0)
            continue;
        l->hash = mix(mix(l->hash, v[i].name), v[i].value);
        l->v[l->n++] = v[i];
    }
    return l;
}

const struct collector_promql_labels *
collector_promql_labels_new(struct hale_arena *a, const struct collector_promql_label *v,
                            unsigned n)
{
    struct collector_promql_label sorted[LABELS_MAX];

    if (n > LABELS_MAX)
        return NULL;
    if (n > 0)
        memcpy(sorted, v, n * sizeof(*v));
    if (n > 1)
        qsort(sorted, n, sizeof(*v), by_name);
    return make(a, sorted, n);
}

struct hale_str collector_promql_label(const struct collector_promql_labels *l,
                                       struct hale_str name)
{
    for (unsigned i = 0; i < l->n; i++)
        if (hale_str_eq(l->v[i].name, name))
            return l->v[i].value;
    return (struct hale_str){NULL, 0};
}

int collector_promql_labels_cmp(const struct collector_promql_labels *a,
                                const struct collector_promql_labels *b)
{
    for (unsigned i = 0; i < a->n && i < b->n; i++) {
        int c = hale_str_cmp(a->v[i].name, b->v[i].name);
        if (c == 0)
            c = hale_str_cmp(a->v[i].value, b->v[i].value);
        if (c != 0)
            return c;
    }
    return (a->n > b->n) - (a->n < b->n);
}

bool collector_promql_labels_eq(const struct collector_promql_labels *a,
                                const struct collector_promql_labels *b)
{
    return a == b || (a->hash == b->hash && collector_promql_labels_cmp(a, b) == 0);
}

bool collector_promql_has_name(const struct hale_promql_names *names,
                               struct hale_str name)
{
    for (unsigned i = 0; i < names->n; i++)
        if (hale_str_eq(names->v[i], name))
            return true;
    return false;
}

const struct collector_promql_labels *collector_promql_labels_pick(
    struct hale_arena *a, const struct collector_promql_labels *l,
    const struct hale_promql_names *names, bool keep, bool drop_name)
{
    struct collector_promql_label v[LABELS_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < l->n; i++) {
        if (!keep && drop_name && hale_str_eq(l->v[i].name, NAME))
            continue;
        if (collector_promql_has_name(names, l->v[i].name) == keep)
            v[n++] = l->v[i];
    }
    return n == l->n ? l : make(a, v, n);
}

const struct collector_promql_labels *
collector_promql_labels_nameless(struct hale_arena *a,
                                 const struct collector_promql_labels *l)
{
    static const struct hale_promql_names none = {0, NULL};

    return collector_promql_labels_pick(a, l, &none, false, true);
}

/* --- groups ---------------------------------------------------------------------------------- */

static bool grow(struct collector_promql_groups *g)
{
    size_t cap = g->cap > 0 ? 2 * g->cap : 64;
    const struct collector_promql_labels **labels =
        hale_arena_array(g->arena, cap, sizeof(*labels));
    uint32_t *slots = hale_arena_array(g->arena, 2 * cap, sizeof(*slots));

    if (labels == NULL || slots == NULL || cap >= UINT32_MAX)
        return false;
    g->mask = 2 * cap - 1;
    for (size_t i = 0; i < g->n; i++) {
        size_t at = g->labels[i]->hash & g->mask;
        labels[i] = g->labels[i];
        while (slots[at] != 0)
            at = (at + 1) & g->mask;
        slots[at] = (uint32_t)(i + 1);
    }
    g->labels = labels;
    g->slots = slots;
    g->cap = cap;
    return true;
}

size_t collector_promql_group(struct collector_promql_groups *g,
                              const struct collector_promql_labels *l)
{
    if (g->n == g->cap && !grow(g))
        return COLLECTOR_PROMQL_NO_GROUP;
    size_t at = l->hash & g->mask;
    for (; g->slots[at] != 0; at = (at + 1) & g->mask)
        if (collector_promql_labels_eq(g->labels[g->slots[at] - 1], l))
            return g->slots[at] - 1;
    g->labels[g->n] = l;
    g->slots[at] = (uint32_t)(++g->n);
    return g->n - 1;
}
