/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TOPOLOGY_VIEW_H
#define HALE_COLLECTOR_TOPOLOGY_VIEW_H
/*
 * topology_view - the collector's copy of the topology (store/entities.h), shared by the threads
 * that answer. It is brought up to date by whoever asks, with that thread's connection: a request
 * costs what changed since the last one, the first one after the start costs everything: all rows
 * are read, and a graph of 100,000 entities takes 0.35 s of CPU (bench_correlator_causes). Nothing is
 * read before anybody asks.
 * Threads:   any that may wait; one mutex, held from enter to leave: a graph is asked by one.
 */
#include "collector/app.h"
#include "model/graph.h"
#include "store/entities.h"

struct collector_topology;

struct collector_topology *collector_topology_new(void); /* NULL on memory failure */
void collector_topology_free(struct collector_topology *t);
/* The copy, as fresh as Redis is now; NULL: answered (503). */
const struct hale_entities *collector_topology_enter(struct collector *c,
                                                     struct hale_redis *redis,
                                                     struct hale_http_req *req);
void collector_topology_leave(struct collector *c);
/* The request's entity: ?ref=type/id, else /v1/topology/{type}/{id} of its path. dst has
 * HALE_TOPOLOGY_REF_MAX bytes. False: answered (422). */
bool collector_topology_ref(struct hale_http_req *req, char *dst);
/* Graph of the request's tenant, or an empty one's NULL. */
struct hale_graph *collector_topology_graph(const struct hale_entities *x,
                                            const struct hale_http_req *req);
#endif
