/* SPDX-License-Identifier: Apache-2.0 */
/* graph_walk - breadth-first walks up and down the graph; each vertex once. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/graph_private.h"

static void start(struct hale_graph *g, struct hale_vertex *v)
{
    v->mark = ++g->mark;
    g->steps[0] = (struct graph_step){v, NULL, 0};
}

static bool meet(struct hale_graph *g, size_t *n, struct hale_vertex *v,
                 const struct graph_step *from)
{
    if (v->mark == g->mark)
        return false;
    v->mark = g->mark;
    HALE_ASSERT(*n < g->room);
    g->steps[(*n)++] = (struct graph_step){v, from->v, from->depth + 1};
    return true;
}

/* --- down ---------------------------------------------------------------------------- */

static int by_ref(const void *x, const void *y)
{
    const struct graph_back *a = x, *b = y;
    if (a->from == b->from)
        return a->edge < b->edge ? -1 : a->edge > b->edge;
    return strcmp(a->from->ref, b->from->ref);
}

static void sort_backs(struct hale_vertex *v)
{
    if (!v->unsorted)
        return;
    qsort(v->backs, v->n_backs, sizeof(*v->backs), by_ref);
    for (size_t i = 0; i < v->n_backs; i++)
        v->backs[i].from->edges[v->backs[i].edge].back = i;
    v->unsorted = false;
}

/* From steps[0, n) on. plane < 0: whatever their state, and the first one is not told. */
static void walk_down(struct hale_graph *g, size_t n, int plane, hale_graph_visit_fn fn,
                      void *arg)
{
    for (size_t i = 0; i < n; i++) {
        const struct graph_step step = g->steps[i];
        if ((plane >= 0 || i > 0) && !fn(step.v, step.via, step.depth, arg))
            return;
        sort_backs(step.v);
        for (size_t k = 0; k < step.v->n_backs; k++) {
            struct hale_vertex *from = step.v->backs[k].from;
            if (plane < 0 || from->out[plane])
                (void)meet(g, &n, from, &step);
        }
    }
}

void hale_graph_dependents(struct hale_graph *g, struct hale_vertex *v,
                           hale_graph_visit_fn fn, void *arg)
{
    HALE_ASSERT(v->g == g);
    start(g, v);
    walk_down(g, 1, -1, fn, arg);
}

void hale_graph_victims(struct hale_graph *g, struct hale_vertex *const *list, size_t n,
                        enum hale_graph_plane plane, hale_graph_visit_fn fn, void *arg)
{
    size_t met = 0;
    g->mark++;
    for (size_t i = 0; i < n; i++) {
        HALE_ASSERT(list[i]->g == g);
        if (list[i]->mark == g->mark)
            continue;
        list[i]->mark = g->mark;
        g->steps[met++] = (struct graph_step){list[i], NULL, 0};
    }
    walk_down(g, met, (int)plane, fn, arg);
}

/* --- up ------------------------------------------------------------------------------ */

void hale_graph_supports(struct hale_graph *g, struct hale_vertex *v,
                         hale_graph_visit_fn fn, void *arg)
{
    size_t n = 1;
    start(g, v);
    for (size_t i = 0; i < n; i++) {
        const struct graph_step step = g->steps[i];
        if (i > 0 && !fn(step.v, step.via, step.depth, arg))
            return;
        for (unsigned k = 0; k < step.v->n_edges; k++)
            (void)meet(g, &n, step.v->edges[k].to, &step);
    }
}

bool graph_stands_on(struct hale_graph *g, struct hale_vertex *v,
                     const struct hale_vertex *other)
{
    size_t n = 1;
    start(g, v);
    for (size_t i = 0; i < n; i++) {
        const struct graph_step step = g->steps[i];
        for (unsigned k = 0; k < step.v->n_edges; k++) {
            if (meet(g, &n, step.v->edges[k].to, &step) && step.v->edges[k].to == other)
                return true;
        }
    }
    return false;
}

/* Puts those by which at is out behind the n steps. */
static void reach_up(struct hale_graph *g, const struct hale_vertex *at,
                     enum hale_graph_plane plane, const struct graph_step *from,
                     size_t *n)
{
    for (unsigned k = 0; k < at->n_edges; k++) {
        const struct graph_edge *edge = &at->edges[k];
        if (edge->to->down[plane] && graph_group_bad(&at->groups[edge->group], plane))
            (void)meet(g, n, edge->to, from);
    }
}

size_t hale_graph_causes(struct hale_graph *g, const struct hale_vertex *v,
                         enum hale_graph_plane plane, struct hale_vertex **out,
                         size_t max)
{
    size_t n = 1, found = 0;
    g->mark++;
    g->steps[0] = (struct graph_step){.v = NULL};
    const struct hale_vertex *at = v;
    for (size_t i = 0; i < n && found < max; i++) {
        const struct graph_step step = g->steps[i];
        if (i > 0)
            at = step.v;
        if (i > 0 && at == v)
            continue; /* in a cycle */
        if (i > 0 && at->claims[plane] > 0)
            out[found++] = step.v;
        reach_up(g, at, plane, &step, &n);
    }
    return found;
}

size_t hale_graph_path(struct hale_graph *g, const struct hale_vertex *v,
                       const struct hale_vertex *to, enum hale_graph_plane plane,
                       struct hale_vertex **out, size_t max)
{
    size_t n = 1, at = 0;
    g->mark++;
    g->steps[0] = (struct graph_step){.v = NULL};
    for (size_t i = 0; i < n; i++) {
        const struct graph_step step = g->steps[i];
        if (i > 0 && step.v == to) {
            at = i;
            break;
        }
        if (i == 0 || step.v != v)
            reach_up(g, i == 0 ? v : step.v, plane, &step, &n);
    }
    size_t len = g->steps[at].depth;
    if (at == 0 || len > max)
        return 0;
    /* Back from there: the one before has a smaller depth and stands earlier. */
    const struct hale_vertex *wanted = to;
    for (size_t i = at + 1; i-- > 1 && wanted != NULL;) {
        if (g->steps[i].v != wanted)
            continue;
        out[g->steps[i].depth - 1] = g->steps[i].v;
        wanted = g->steps[i].via;
    }
    return len;
}
