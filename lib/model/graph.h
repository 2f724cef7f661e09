/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_GRAPH_H
#define HALE_MODEL_GRAPH_H
/*
 * graph - the topology of one tenant in memory, and what is down because of what.
 *
 * Purpose:   answers, in time proportional to what changes: which entity is an alarm about; which
 *            entities are down because this one is; which down entities explain that this one is.
 *            Used by the correlator (causes), the actuator (who is affected), the collector (map)
 *            and hale test.
 * Down:      an entity is *failed* while somebody says so (hale_graph_claim, counted per claim: an
 *            alarm with impact "down"; or its own state "down"); it is *out* (unreachable) if one
 *            it is hosted_by, connects or needs ("all") is failed or out, or all members of an
 *            "any" group are. Both are kept up to date; a change costs what it reaches. What is
 *            only named by others, and not there, counts as up.
 * Planes:    the same is kept a second time for state "maintenance".
 * Cycles:    allowed in the data, never followed twice, and nothing in one is out because of
 *            itself.
 * Limits:    max_entities, and as many that are only named; above, HALE_E_LIMIT.
 * Ownership: the graph owns its vertices. One lives while it is an entity, is named by one, is
 *            claimed or has an owner.
 * Threads:   one at a time. Pure: no clock, no I/O; the order of results depends on the content
 *            alone. Functions given to a walk must not call the graph.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/topology.h"

enum hale_graph_plane { HALE_GRAPH_DOWN, HALE_GRAPH_MAINTENANCE };
#define HALE_GRAPH_PLANES 2

struct hale_graph;
struct hale_vertex; /* an entity in a graph, or a reference to what is not there */

struct hale_graph *hale_graph_new(size_t max_entities); /* NULL on memory failure */
void hale_graph_free(struct hale_graph *g);             /* NULL allowed */

/* Told, by ref, which vertices are out now and were not, or the other way round, once the call has
 * done its work. It may look at the graph but not change it. NULL: nobody. */
typedef void (*hale_graph_changed_fn)(struct hale_vertex *v, enum hale_graph_plane plane,
                                      void *arg);
void hale_graph_on_change(struct hale_graph *g, hale_graph_changed_fn fn, void *arg);

/* e is copied. HALE_E_LIMIT, HALE_E_NOMEM (graph unchanged), HALE_E_INVAL: no type or id. */
HALE_MUST_CHECK enum hale_rc hale_graph_put(struct hale_graph *g,
                                            const struct hale_entity *e);
/* Only the keys that are given change; one that is not there is made. */
HALE_MUST_CHECK enum hale_rc hale_graph_patch(struct hale_graph *g,
                                              const struct hale_entity *e);
/* False: was not there. Claims on it stay, and count again when it comes back. */
bool hale_graph_delete(struct hale_graph *g, struct hale_str ref);

/* Also what is only named: see hale_vertex_entity. */
struct hale_vertex *hale_graph_find(const struct hale_graph *g, struct hale_str ref);
size_t hale_graph_count(const struct hale_graph *g); /* entities */
/* Entities, in no given order: *it starts at 0; NULL at the end. */
struct hale_vertex *hale_graph_next(const struct hale_graph *g, size_t *it);

const struct hale_entity *
hale_vertex_entity(const struct hale_vertex *v);          /* NULL: only named */
const char *hale_vertex_ref(const struct hale_vertex *v); /* "type/id" */
/* For the caller's own use. Taking the last hold off what is only named frees it. */
void hale_vertex_set_owner(struct hale_vertex *v, void *owner);
void *hale_vertex_owner(const struct hale_vertex *v);
struct hale_graph *hale_vertex_graph(const struct hale_vertex *v);

/* One more, one less claim that v is failed (in maintenance). */
void hale_graph_claim(struct hale_graph *g, struct hale_vertex *v,
                      enum hale_graph_plane plane);
void hale_graph_unclaim(struct hale_graph *g, struct hale_vertex *v,
                        enum hale_graph_plane plane);
bool hale_vertex_failed(const struct hale_vertex *v, enum hale_graph_plane plane);
bool hale_vertex_out(const struct hale_vertex *v, enum hale_graph_plane plane);

/* --- which entity is it about: graph_match.c ---------------------------------------------------- */
/* The entity that an alarm with these dimensions (json string map) is about: of those that match, the
 * one that stands on all the others (a VM rather than its host); of equals the first by ref. NULL:
 * none. An empty key or value never matches. Costs the number of dimensions and of those that have
 * one of them, not of entities. */
struct hale_vertex *hale_graph_match(struct hale_graph *g, json_t *dimensions);
struct hale_match_pair {
    const char *key, *value;
};
/* The i-th set of pairs that v is known by (its own, or those of its type); 0: there is none. */
unsigned hale_vertex_match(const struct hale_vertex *v, unsigned i,
                           const struct hale_match_pair **pairs);
#define HALE_GRAPH_CANDIDATES_MAX 64 /* looked at, the first by ref */

/* --- walks, breadth first: graph_walk.c ---------------------------------------------------------- */
/* The failed vertices that make v out, each once, nearest to v first; at most max. Not v itself. Of
 * an "any" group: of every member if all are down, else of none. Returns their number. */
size_t hale_graph_causes(struct hale_graph *g, const struct hale_vertex *v,
                         enum hale_graph_plane plane, struct hale_vertex **out,
                         size_t max);
/* The way by which to makes v out: what lies between v and to, nearest to v first, and to at the end;
 * one of the shortest. Returns how many, 0: it does not, or by more than max. */
size_t hale_graph_path(struct hale_graph *g, const struct hale_vertex *v,
                       const struct hale_vertex *to, enum hale_graph_plane plane,
                       struct hale_vertex **out, size_t max);
/* fn returns false to stop. via: the vertex through which it was reached. */
typedef bool (*hale_graph_visit_fn)(struct hale_vertex *v, struct hale_vertex *via,
                                    unsigned depth, void *arg);
/* Everything that stands on v, directly or not, whatever its state; neighbours by ref. */
void hale_graph_dependents(struct hale_graph *g, struct hale_vertex *v,
                           hale_graph_visit_fn fn, void *arg);
/* The n vertices themselves (depth 0, via NULL) and those that stand on them and are out, reached
 * through such; each once. */
void hale_graph_victims(struct hale_graph *g, struct hale_vertex *const *list, size_t n,
                        enum hale_graph_plane plane, hale_graph_visit_fn fn, void *arg);
/* What v stands on, directly or not; neighbours in the order of the entity's lists. Also what is
 * only named. */
void hale_graph_supports(struct hale_graph *g, struct hale_vertex *v,
                         hale_graph_visit_fn fn, void *arg);
#endif
