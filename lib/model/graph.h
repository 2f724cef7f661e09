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
 * Down:      an entity is *failed* while somebody says so (hale_graph_fail, counted per claim: an
 *            alarm with impact "down", or its own state "down"); it is *unreachable* if one it is
 *            hosted_by, connects or needs ("all") is failed or unreachable, or all members of an
 *            "any" group are. Both are kept up to date; a change costs what it reaches.
 * Cycles:    allowed in the data (a warning count), never followed twice.
 * Limits:    given at creation; at the ceiling new entities are refused (HALE_E_LIMIT).
 * Ownership: the graph owns its entities; pointers are valid until the entity is deleted.
 * Threads:   one at a time. Pure: no clock, no I/O; the order of results depends on the content
 *            alone (sorted by type, id).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/topology.h"

struct hale_graph;
struct hale_vertex; /* an entity in a graph, or a reference to what is not there */

struct hale_graph *hale_graph_new(size_t max_entities); /* NULL on memory failure */
void hale_graph_free(struct hale_graph *g);             /* NULL allowed */

/* What changed by a call: vertices whose reachability is another now. */
typedef void (*hale_graph_changed_fn)(struct hale_vertex *v, void *arg);

/* e is copied. changed may be NULL. HALE_E_LIMIT, HALE_E_NOMEM (graph unchanged). */
HALE_MUST_CHECK enum hale_rc hale_graph_put(struct hale_graph *g,
                                            const struct hale_entity *e,
                                            hale_graph_changed_fn changed, void *arg);
HALE_MUST_CHECK enum hale_rc hale_graph_patch(struct hale_graph *g,
                                              const struct hale_entity *e,
                                              hale_graph_changed_fn changed, void *arg);
/* False: was not there. References to it stay and count as up. */
bool hale_graph_delete(struct hale_graph *g, struct hale_str ref,
                       hale_graph_changed_fn changed, void *arg);

struct hale_vertex *hale_graph_find(const struct hale_graph *g, struct hale_str ref);
size_t hale_graph_count(const struct hale_graph *g);
/* Iterates in no given order: *it starts at 0; NULL at the end. */
struct hale_vertex *hale_graph_next(const struct hale_graph *g, size_t *it);

const struct hale_entity *
hale_vertex_entity(const struct hale_vertex *v);              /* NULL: only named */
struct hale_str hale_vertex_ref(const struct hale_vertex *v); /* "type/id" */
void hale_vertex_set_owner(struct hale_vertex *v,
                           void *owner); /* for the caller's own use */
void *hale_vertex_owner(const struct hale_vertex *v);

/* The entity that an alarm with these dimensions (json string map) is about: of those that match,
 * the one that stands on all the others (a VM rather than its host); of equals the first by ref.
 * NULL: none. Indexed: costs the number of dimensions, not of entities. */
struct hale_vertex *hale_graph_match(const struct hale_graph *g,
                                     const json_t *dimensions);

/* One more, one less claim that v is down. */
HALE_MUST_CHECK enum hale_rc hale_graph_fail(struct hale_graph *g, struct hale_vertex *v,
                                             hale_graph_changed_fn changed, void *arg);
HALE_MUST_CHECK enum hale_rc hale_graph_unfail(struct hale_graph *g,
                                               struct hale_vertex *v,
                                               hale_graph_changed_fn changed, void *arg);
bool hale_vertex_failed(const struct hale_vertex *v);
bool hale_vertex_unreachable(const struct hale_vertex *v);

/* The failed vertices that make v unreachable, nearest to the root last; at most max. Not v itself.
 * Of an unsatisfied "any" group: the causes of every member. Returns their number. */
size_t hale_graph_causes(struct hale_graph *g, const struct hale_vertex *v,
                         struct hale_vertex **out, size_t max);
/* Everything that stands on v, directly or not, whatever its state (what would be affected); fn
 * returns false to stop. via: the vertex through which it was reached. Breadth first. */
typedef bool (*hale_graph_visit_fn)(struct hale_vertex *v, struct hale_vertex *via,
                                    unsigned depth, void *arg);
HALE_MUST_CHECK enum hale_rc hale_graph_dependents(struct hale_graph *g,
                                                   struct hale_vertex *v,
                                                   hale_graph_visit_fn fn, void *arg);
/* What v stands on, directly or not; the same way. */
HALE_MUST_CHECK enum hale_rc hale_graph_supports(struct hale_graph *g,
                                                 struct hale_vertex *v,
                                                 hale_graph_visit_fn fn, void *arg);
#endif
