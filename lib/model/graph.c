/* SPDX-License-Identifier: Apache-2.0 */
/* graph - entities come, change and go. */
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/graph_private.h"

#define KEY_MAX (4u << 10) /* two texts of HALE_TOPOLOGY_TEXT_MAX */

struct hale_graph *hale_graph_new(size_t max_entities)
{
    struct hale_graph *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->max = max_entities;
    hale_buf_init(&g->scratch, KEY_MAX);
    g->vertices = hale_map_new(2 * max_entities + 1, NULL);
    g->buckets = hale_map_new((size_t)HALE_TOPOLOGY_MATCH_MAX * max_entities + 64, NULL);
    if (g->vertices == NULL || g->buckets == NULL) {
        hale_graph_free(g);
        return NULL;
    }
    return g;
}

static void free_vertex(struct hale_vertex *v)
{
    if (v->present)
        hale_entity_fini(&v->entity);
    free(v->edges);
    free(v->groups);
    free(v->backs);
    free(v->ref);
    free(v);
}

void hale_graph_free(struct hale_graph *g)
{
    if (g == NULL)
        return;
    struct hale_vertex *v;
    size_t it = 0;
    while (g->vertices != NULL && (v = hale_map_next(g->vertices, &it, NULL)) != NULL) {
        graph_sets_free(g, v->sets, v->n_sets);
        free_vertex(v);
    }
    hale_map_free(g->vertices);
    hale_map_free(g->buckets);
    hale_buf_fini(&g->scratch);
    free(g->lowered);
    free(g->raised);
    free(g->touched);
    free(g->steps);
    free(g);
}

void hale_graph_on_change(struct hale_graph *g, hale_graph_changed_fn fn, void *arg)
{
    g->changed = fn;
    g->arg = arg;
}

/* --- vertices ------------------------------------------------------------------------ */

/* Room in every work list for one vertex more. */
static enum hale_rc make_room(struct hale_graph *g)
{
    size_t need = hale_map_count(g->vertices) + 2; /* a walk may meet its start twice */
    if (need <= g->room)
        return HALE_OK;
    size_t room = need < 64 ? 64 : need * 2;
    void *p = realloc(g->lowered, room * sizeof(struct hale_vertex *));
    if (p == NULL)
        return HALE_E_NOMEM;
    g->lowered = p;
    if ((p = realloc(g->raised, room * sizeof(struct hale_vertex *))) == NULL)
        return HALE_E_NOMEM;
    g->raised = p;
    p = realloc(g->touched, room * HALE_GRAPH_PLANES * sizeof(*g->touched));
    if (p == NULL)
        return HALE_E_NOMEM;
    g->touched = p;
    if ((p = realloc(g->steps, room * sizeof(*g->steps))) == NULL)
        return HALE_E_NOMEM;
    g->steps = p;
    g->room = room;
    return HALE_OK;
}

/* Finds or makes the vertex of ref. */
static enum hale_rc want(struct hale_graph *g, const char *ref, struct hale_vertex **out)
{
    *out = hale_map_get(g->vertices, hale_str_from(ref));
    if (*out != NULL)
        return HALE_OK;
    if (make_room(g) != HALE_OK)
        return HALE_E_NOMEM;
    struct hale_vertex *v = calloc(1, sizeof(*v));
    if (v == NULL || (v->ref = strdup(ref)) == NULL) {
        free(v);
        return HALE_E_NOMEM;
    }
    v->g = g;
    enum hale_rc rc = hale_map_put(g->vertices, hale_str_from(ref), v);
    if (rc != HALE_OK)
        free_vertex(v);
    else
        *out = v;
    return rc;
}

static void release(struct hale_vertex *v)
{
    if (v->present || v->n_backs > 0 || v->reserved > 0 || v->owner != NULL ||
        v->claims[HALE_GRAPH_DOWN] > 0 || v->claims[HALE_GRAPH_MAINTENANCE] > 0)
        return;
    (void)hale_map_take(v->g->vertices, hale_str_from(v->ref));
    free_vertex(v);
}

struct hale_vertex *hale_graph_find(const struct hale_graph *g, struct hale_str ref)
{
    return hale_map_get(g->vertices, ref);
}

size_t hale_graph_count(const struct hale_graph *g)
{
    return g->n;
}

struct hale_vertex *hale_graph_next(const struct hale_graph *g, size_t *it)
{
    struct hale_vertex *v;
    do
        v = hale_map_next(g->vertices, it, NULL);
    while (v != NULL && !v->present);
    return v;
}

const struct hale_entity *hale_vertex_entity(const struct hale_vertex *v)
{
    return v->present ? &v->entity : NULL;
}

const char *hale_vertex_ref(const struct hale_vertex *v)
{
    return v->ref;
}

void hale_vertex_set_owner(struct hale_vertex *v, void *owner)
{
    v->owner = owner;
    release(v);
}

void *hale_vertex_owner(const struct hale_vertex *v)
{
    return v->owner;
}

struct hale_graph *hale_vertex_graph(const struct hale_vertex *v)
{
    return v->g;
}

/* --- edges --------------------------------------------------------------------------- */

/* What a put will bring: made first, so that nothing can fail once anything is changed. */
struct plan {
    struct hale_entity entity;
    unsigned n_edges, n_groups, n_sets;
    struct graph_edge *edges;
    struct graph_group *groups;
    struct graph_set *sets;
};

static enum hale_rc reserve_back(struct hale_vertex *to)
{
    if (to->n_backs + to->reserved >= to->cap_backs) {
        size_t cap = to->cap_backs < 4 ? 4 : to->cap_backs * 2;
        struct graph_back *grown = realloc(to->backs, cap * sizeof(*grown));
        if (grown == NULL)
            return HALE_E_NOMEM;
        to->backs = grown;
        to->cap_backs = cap;
    }
    to->reserved++;
    return HALE_OK;
}

static enum hale_rc plan_group(struct hale_graph *g, struct plan *p,
                               const struct hale_strings *refs, bool any)
{
    if (refs->n == 0)
        return HALE_OK;
    p->groups[p->n_groups] = (struct graph_group){.any = any, .n = refs->n};
    for (unsigned i = 0; i < refs->n; i++) {
        struct hale_vertex *to = NULL;
        enum hale_rc rc = want(g, refs->v[i], &to);
        if (rc == HALE_OK && (rc = reserve_back(to)) != HALE_OK)
            release(to);
        if (rc != HALE_OK || to == NULL)
            return rc;
        p->edges[p->n_edges++] = (struct graph_edge){.to = to, .group = p->n_groups};
    }
    p->n_groups++;
    return HALE_OK;
}

static enum hale_rc plan_edges(struct hale_graph *g, struct plan *p)
{
    const struct hale_entity *e = &p->entity;
    size_t n = (size_t)e->hosted_by.n + e->connects.n;
    for (unsigned i = 0; i < e->n_depends_on; i++)
        n += e->depends_on[i].on.n;
    if (n == 0)
        return HALE_OK;
    p->edges = calloc(n, sizeof(*p->edges));
    p->groups = calloc((size_t)e->n_depends_on + 2, sizeof(*p->groups));
    if (p->edges == NULL || p->groups == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = plan_group(g, p, &e->hosted_by, false);
    if (rc == HALE_OK)
        rc = plan_group(g, p, &e->connects, false);
    for (unsigned i = 0; rc == HALE_OK && i < e->n_depends_on; i++)
        rc = plan_group(g, p, &e->depends_on[i].on, e->depends_on[i].any);
    return rc;
}

static void plan_drop(struct hale_graph *g, struct plan *p)
{
    for (unsigned i = 0; i < p->n_edges; i++) {
        struct hale_vertex *to = p->edges[i].to;
        HALE_ASSERT(to != NULL);
        to->reserved--;
        release(to);
    }
    graph_sets_free(g, p->sets, p->n_sets);
    free(p->edges);
    free(p->groups);
    hale_entity_fini(&p->entity);
}

static void link_edges(struct hale_vertex *v)
{
    memset(v->bad_groups, 0, sizeof(v->bad_groups));
    for (unsigned i = 0; i < v->n_edges; i++) {
        struct hale_vertex *to = v->edges[i].to;
        struct graph_group *group = &v->groups[v->edges[i].group];
        to->reserved--;
        v->edges[i].back = to->n_backs;
        to->backs[to->n_backs++] = (struct graph_back){v, i};
        to->unsorted = true;
        for (unsigned p = 0; p < HALE_GRAPH_PLANES; p++)
            group->bad[p] += to->down[p];
    }
    for (unsigned i = 0; i < v->n_groups; i++) {
        for (unsigned p = 0; p < HALE_GRAPH_PLANES; p++)
            v->bad_groups[p] += graph_group_bad(&v->groups[i], (enum hale_graph_plane)p);
    }
}

/* keep: a vertex that must not be freed although nothing names it for the moment. */
static void unlink_edges(struct hale_vertex *v, const struct hale_vertex *keep)
{
    for (unsigned i = 0; i < v->n_edges; i++) {
        struct hale_vertex *to = v->edges[i].to;
        struct graph_back *last = &to->backs[--to->n_backs];
        if (v->edges[i].back != to->n_backs) {
            to->backs[v->edges[i].back] = *last;
            last->from->edges[last->edge].back = v->edges[i].back;
            to->unsorted = true;
        }
        if (to != keep)
            release(to);
    }
    free(v->edges);
    free(v->groups);
    v->edges = NULL;
    v->groups = NULL;
    v->n_edges = v->n_groups = 0;
    memset(v->bad_groups, 0, sizeof(v->bad_groups));
}

/* --- put, patch, delete -------------------------------------------------------------- */

static void claim_state(struct hale_vertex *v, int change)
{
    if (!v->present || !v->entity.has_state)
        return;
    if (v->entity.state == HALE_ENTITY_DOWN)
        v->claims[HALE_GRAPH_DOWN] += (unsigned)change;
    else if (v->entity.state == HALE_ENTITY_MAINTENANCE)
        v->claims[HALE_GRAPH_MAINTENANCE] += (unsigned)change;
}

static void settle_both(struct hale_vertex *v)
{
    for (unsigned p = 0; p < HALE_GRAPH_PLANES; p++)
        graph_settle(v, (enum hale_graph_plane)p);
}

static void commit(struct hale_graph *g, struct hale_vertex *v, struct plan *p)
{
    claim_state(v, -1);
    graph_sets_free(g, v->sets, v->n_sets);
    unlink_edges(v, v);
    if (v->present)
        hale_entity_fini(&v->entity);
    else
        g->n++;
    v->present = true;
    v->entity = p->entity;
    v->edges = p->edges;
    v->groups = p->groups;
    v->sets = p->sets;
    v->n_edges = p->n_edges;
    v->n_groups = p->n_groups;
    v->n_sets = p->n_sets;
    claim_state(v, 1);
    graph_sets_link(v, v->sets, v->n_sets);
    link_edges(v);
    settle_both(v);
    graph_tell(g);
}

/* Owns the entity of the plan. */
static enum hale_rc put(struct hale_graph *g, struct plan *p)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    const struct hale_entity *e = &p->entity;
    size_t type = strlen(e->type), id = strlen(e->id);
    struct hale_vertex *v = NULL;
    enum hale_rc rc = type + 1 + id < sizeof(ref) ? HALE_OK : HALE_E_INVAL;
    if (rc == HALE_OK) {
        memcpy(ref, e->type, type);
        ref[type] = '/';
        memcpy(ref + type + 1, e->id, id + 1);
        v = hale_map_get(g->vertices, hale_str_from(ref));
        if ((v == NULL || !v->present) && g->n >= g->max)
            rc = HALE_E_LIMIT;
    }
    if (rc == HALE_OK)
        rc = want(g, ref, &v);
    if (rc == HALE_OK)
        rc = plan_edges(g, p);
    if (rc == HALE_OK)
        rc = graph_sets_make(g, e, &p->sets, &p->n_sets);
    if (rc == HALE_OK) {
        commit(g, v, p);
        return HALE_OK;
    }
    plan_drop(g, p);
    if (v != NULL && hale_map_get(g->vertices, hale_str_from(ref)) == v)
        release(v);
    return rc;
}

enum hale_rc hale_graph_put(struct hale_graph *g, const struct hale_entity *e)
{
    struct plan p = {.n_edges = 0};
    if (e->type == NULL || e->id == NULL)
        return HALE_E_INVAL;
    enum hale_rc rc = hale_entity_copy(e, &p.entity);
    return rc == HALE_OK ? put(g, &p) : rc;
}

enum hale_rc hale_graph_patch(struct hale_graph *g, const struct hale_entity *e)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    if (e->type == NULL || e->id == NULL ||
        strlen(e->type) + 1 + strlen(e->id) >= sizeof(ref))
        return HALE_E_INVAL;
    (void)snprintf(ref, sizeof(ref), "%s/%s", e->type, e->id);
    const struct hale_vertex *v = hale_map_get(g->vertices, hale_str_from(ref));
    if (v == NULL || !v->present)
        return hale_graph_put(g, e);
    struct plan p = {.n_edges = 0};
    enum hale_rc rc = hale_entity_patch(&v->entity, e, &p.entity);
    return rc == HALE_OK ? put(g, &p) : rc;
}

bool hale_graph_delete(struct hale_graph *g, struct hale_str ref)
{
    struct hale_vertex *v = hale_map_get(g->vertices, ref);
    if (v == NULL || !v->present)
        return false;
    claim_state(v, -1);
    graph_sets_free(g, v->sets, v->n_sets);
    v->sets = NULL;
    v->n_sets = 0;
    unlink_edges(v, v);
    v->present = false;
    g->n--;
    settle_both(v);
    hale_entity_fini(&v->entity);
    graph_tell(g);
    release(v);
    return true;
}
