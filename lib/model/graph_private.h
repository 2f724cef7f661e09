/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_GRAPH_PRIVATE_H
#define HALE_MODEL_GRAPH_PRIVATE_H
/*
 * graph_private - what graph.c (entities), graph_state.c (who is out), graph_match.c and graph_walk.c
 * share. Everything that a change of state or a walk needs is there before: the work lists have room
 * for every vertex, so that only hale_graph_put and _patch can fail.
 */
#include "base/buf.h"
#include "base/map.h"
#include "model/graph.h"

struct graph_edge { /* from -> to: from stands on to */
    struct hale_vertex *to;
    unsigned group; /* of from */
    size_t back;    /* its place in to->backs */
};
struct graph_back {
    struct hale_vertex *from;
    unsigned edge; /* its place in from->edges */
};
struct graph_group {
    bool any;
    unsigned n;
    unsigned bad[HALE_GRAPH_PLANES]; /* members that are down */
};
struct graph_bucket { /* the sets that are looked up by one pair */
    char *key;
    size_t key_len, n;
    struct graph_set *first;
};
struct graph_set {
    struct hale_vertex *v;
    unsigned n;
    struct hale_match_pair *pairs; /* one block with the texts */
    struct graph_bucket *bucket;
    struct graph_set *prev, *next;
};
struct hale_vertex {
    struct hale_graph *g;
    char *ref;
    bool present; /* entity is one */
    struct hale_entity entity;
    unsigned n_edges, n_groups, n_sets;
    struct graph_edge *edges;
    struct graph_group *groups; /* hosted_by, connects, depends_on... */
    struct graph_set *sets;
    size_t n_backs, cap_backs, reserved;
    struct graph_back *backs;
    bool unsorted; /* backs */
    unsigned claims[HALE_GRAPH_PLANES];
    unsigned bad_groups[HALE_GRAPH_PLANES];
    bool out[HALE_GRAPH_PLANES];
    bool down[HALE_GRAPH_PLANES];    /* as it is counted in the groups of others */
    bool touched[HALE_GRAPH_PLANES]; /* by the change under way; was: before it */
    bool was[HALE_GRAPH_PLANES];
    uint64_t mark; /* of the last walk that saw it */
    void *owner;
};
struct graph_step {
    struct hale_vertex *v, *via;
    unsigned depth;
};
struct graph_touch {
    struct hale_vertex *v;
    enum hale_graph_plane plane;
};
struct hale_graph {
    size_t max, n; /* entities */
    struct hale_map *vertices;
    struct hale_map *buckets;
    hale_graph_changed_fn changed;
    void *arg;
    struct hale_buf scratch;
    uint64_t mark;
    size_t room; /* vertices that the lists below have room for */
    struct hale_vertex **lowered, **raised;
    struct graph_touch *touched; /* room for both planes */
    size_t n_touched;
    struct graph_step *steps;
};

/* --- graph_state.c --- */
/* Edges, claims or presence of v changed: settles who is out. */
void graph_settle(struct hale_vertex *v, enum hale_graph_plane plane);
/* Tells of what changed since the last time. */
void graph_tell(struct hale_graph *g);
bool graph_group_bad(const struct graph_group *group, enum hale_graph_plane plane);

/* --- graph_match.c --- */
/* The sets by which e is found; indexed, but not yet seen by matches before graph_sets_link. */
enum hale_rc graph_sets_make(struct hale_graph *g, const struct hale_entity *e,
                             struct graph_set **out, unsigned *n_out);
void graph_sets_link(struct hale_vertex *v, struct graph_set *sets, unsigned n);
/* Frees them, linked or not. */
void graph_sets_free(struct hale_graph *g, struct graph_set *sets, unsigned n);

/* --- graph_walk.c --- */
bool graph_stands_on(struct hale_graph *g, struct hale_vertex *v,
                     const struct hale_vertex *other);
#endif
