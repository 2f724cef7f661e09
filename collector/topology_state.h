/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TOPOLOGY_STATE_H
#define HALE_COLLECTOR_TOPOLOGY_STATE_H
/*
 * topology_state - what follows for one entity from the tenant's alarms: its state, because of
 * what, and the alarms about it (docs/formats/topology.md). Asked of the copy of the graph, on
 * which the claims stand only for the time of the answer.
 * Threads:   the caller has entered the topology (topology_view.h).
 */
#include "base/buf.h"
#include "collector/app.h"
#include "model/graph.h"

/* "deduced":{...}; v is an entity of g, the graph of tenant. */
void collector_topology_state_add(struct collector *c, const char *tenant,
                                  struct hale_graph *g, struct hale_vertex *v,
                                  struct hale_buf *b);
#endif
