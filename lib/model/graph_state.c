/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_state - who is out. Each group counts its members that are down, each vertex its groups that are
 * bad. What became down is followed upwards at once. For what may have come up again that would be wrong:
 * in a cycle everybody is held down by the next one. So all that could be out only because of it is taken
 * for reachable first, and then what still has a bad group is put out again; in between nobody is told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/graph_private.h"

bool graph_group_bad(const struct graph_group *group, enum hale_graph_plane plane)
{
    return group->any ? group->n > 0 && group->bad[plane] == group->n
                      : group->bad[plane] > 0;
}

static void touch(struct hale_vertex *v, enum hale_graph_plane plane)
{
    struct hale_graph *g = v->g;
    if (v->touched[plane])
        return;
    v->touched[plane] = true;
    v->was[plane] = v->out[plane];
    HALE_ASSERT(g->n_touched < g->room * HALE_GRAPH_PLANES);
    g->touched[g->n_touched++] = (struct graph_touch){v, plane};
}

/* Counts v with those that stand on it as what it is now. True when that is another. */
static bool count(struct hale_vertex *v, enum hale_graph_plane plane)
{
    bool down = v->present && (v->claims[plane] > 0 || v->out[plane]);
    if (down == v->down[plane])
        return false;
    v->down[plane] = down;
    for (size_t i = 0; i < v->n_backs; i++) {
        struct hale_vertex *from = v->backs[i].from;
        struct graph_group *group = &from->groups[from->edges[v->backs[i].edge].group];
        bool was = graph_group_bad(group, plane);
        if (down)
            group->bad[plane]++;
        else
            group->bad[plane]--;
        bool is = graph_group_bad(group, plane);
        if (is && !was)
            from->bad_groups[plane]++;
        else if (was && !is)
            from->bad_groups[plane]--;
    }
    return true;
}

static void set_out(struct hale_vertex *v, enum hale_graph_plane plane, bool out,
                    struct hale_vertex **list, size_t *n)
{
    touch(v, plane);
    v->out[plane] = out;
    list[(*n)++] = v;
}

/* v, and what stands on it, is out if it has a bad group. */
static void raise_from(struct hale_vertex *v, enum hale_graph_plane plane)
{
    struct hale_vertex **list = v->g->raised;
    size_t n = 0;
    if (!v->out[plane] && v->bad_groups[plane] > 0)
        set_out(v, plane, true, list, &n);
    else
        list[n++] = v;
    for (size_t i = 0; i < n; i++) {
        struct hale_vertex *w = list[i];
        (void)count(w, plane);
        if (!w->down[plane])
            continue;
        for (size_t k = 0; k < w->n_backs; k++) {
            struct hale_vertex *from = w->backs[k].from;
            if (!from->out[plane] && from->bad_groups[plane] > 0)
                set_out(from, plane, true, list, &n);
        }
    }
}

/* Takes for reachable v and all that may be out only because of it. */
static size_t lower_from(struct hale_vertex *v, enum hale_graph_plane plane)
{
    struct hale_vertex **list = v->g->lowered;
    size_t n = 0;
    if (v->out[plane])
        set_out(v, plane, false, list, &n);
    else
        list[n++] = v;
    for (size_t i = 0; i < n; i++) {
        struct hale_vertex *w = list[i];
        if (!count(w, plane) || w->down[plane])
            continue;
        for (size_t k = 0; k < w->n_backs; k++) {
            if (w->backs[k].from->out[plane])
                set_out(w->backs[k].from, plane, false, list, &n);
        }
    }
    return n;
}

void graph_settle(struct hale_vertex *v, enum hale_graph_plane plane)
{
    size_t n = lower_from(v, plane);
    for (size_t i = 0; i < n; i++) {
        if (v->g->lowered[i]->bad_groups[plane] > 0)
            raise_from(v->g->lowered[i], plane);
    }
    raise_from(v, plane);
}

/* Few change at a time, or many at once and then seldom: by ref, so that the order says nothing about the
 * past. */
static int by_ref(const void *x, const void *y)
{
    const struct graph_touch *a = x, *b = y;
    int rc = strcmp(a->v->ref, b->v->ref);
    return rc != 0 ? rc : (int)a->plane - (int)b->plane;
}

void graph_tell(struct hale_graph *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_touched; i++) {
        struct graph_touch t = g->touched[i];
        t.v->touched[t.plane] = false;
        if (t.v->was[t.plane] != t.v->out[t.plane])
            g->touched[n++] = t;
    }
    g->n_touched = 0;
    if (g->changed == NULL || n == 0)
        return;
    qsort(g->touched, n, sizeof(*g->touched), by_ref);
    for (size_t i = 0; i < n; i++)
        g->changed(g->touched[i].v, g->touched[i].plane, g->arg);
}

void hale_graph_claim(struct hale_graph *g, struct hale_vertex *v,
                      enum hale_graph_plane plane)
{
    if (v->claims[plane]++ > 0)
        return;
    raise_from(v, plane); /* nothing can come up by it */
    graph_tell(g);
}

void hale_graph_unclaim(struct hale_graph *g, struct hale_vertex *v,
                        enum hale_graph_plane plane)
{
    HALE_ASSERT(v->claims[plane] > 0);
    if (--v->claims[plane] > 0)
        return;
    graph_settle(v, plane);
    graph_tell(g);
    hale_vertex_set_owner(v, v->owner); /* the claim may have been what it lived of */
}

bool hale_vertex_failed(const struct hale_vertex *v, enum hale_graph_plane plane)
{
    return v->present && v->claims[plane] > 0;
}

bool hale_vertex_out(const struct hale_vertex *v, enum hale_graph_plane plane)
{
    return v->out[plane];
}
