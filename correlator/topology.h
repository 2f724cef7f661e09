/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_TOPOLOGY_H
#define CORRELATOR_TOPOLOGY_H
/*
 * topology - what stands on what, of all tenants: applies updates (model/topology.h) to a graph per
 * tenant and keeps the rows of HALE_KEYS_ENTITIES. Pure: no socket, no clock; what it decides
 * follows from the rows and the updates.
 *
 * Rows:      tenant \0 type \0 id -> the entity's JSON; tenant \0 \0 source -> how the source is
 *            kept fresh (source row, docs/formats/topology.md). They are given to the sink at once.
 * Order:     an update is applied put, patch, delete, reconciliation; each entity before the next.
 *            Reconciliation deletes by reference.
 * Repeat:    an update whose effects were written only in part (checkpoint) may be given again; what
 *            is done already makes no difference.
 * Sync:      what a sync has named so far is not stored. After a restart the caller gives the
 *            updates from correlator_topology_from on again to correlator_topology_again; so the
 *            stream is not trimmed beyond that. A sync is abandoned, and deletes nothing, when
 *            its source begins another or HALE_TOPOLOGY_SYNC_MS (stream time) pass without an update.
 * Limits:    entities in all and per tenant; CORRELATOR_SOURCES_MAX sources with a sync. At a ceiling
 *            the entity (the reconciliation) is refused and counted.
 * Ownership: it owns graphs and entities. Updates are borrowed.
 * Errors:    HALE_E_NOMEM leaves it half-changed: free it and load a new one.
 * Threads:   one at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/graph.h"
#include "model/topology.h"

#define CORRELATOR_SOURCES_MAX 10000

struct cor_topology;

struct cor_topology_limits {
    size_t max_entities;            /* of all tenants */
    size_t max_entities_per_tenant; /* of one */
};

/* Where rows go. checkpoint: everything so far is consistent and may be written; NULL allowed. */
struct cor_topology_sink {
    void *arg;
    void (*put)(void *arg, struct hale_str field, struct hale_str value);
    void (*del)(void *arg, struct hale_str field);
    void (*checkpoint)(void *arg);
};

/* Who wants to know what changes; every function may be NULL. To be set when the rows are loaded. */
struct cor_topology_watch {
    void *arg;
    /* v is there anew, or says something else than before. */
    void (*put)(void *arg, const char *tenant, struct hale_vertex *v);
    /* v will be deleted when this returns. */
    void (*deleting)(void *arg, const char *tenant, struct hale_vertex *v);
    /* v is out now and was not, or the other way, by an update or a claim (see
     * hale_graph_on_change): it may look at the graph but not change it. */
    void (*reached)(void *arg, const char *tenant, struct hale_vertex *v,
                    enum hale_graph_plane plane);
    /* One entity's change is complete: act on what was told since the last. A checkpoint may follow,
     * so what comes of the change must have been given to the log by the end of this. */
    void (*settle)(void *arg, const char *tenant);
};

struct cor_topology_stats {
    uint64_t updates;                 /* applied */
    uint64_t added, changed, deleted; /* entities */
    uint64_t unchanged;               /* put or patched to what they were */
    uint64_t reconciled;              /* deleted at the end of a sync; part of deleted */
    uint64_t refused;                 /* entities at a ceiling */
    uint64_t syncs_finished, syncs_abandoned;
    uint64_t syncs_unknown; /* updates of a sync that was not begun or was abandoned */
    uint64_t entities, tenants, sources; /* gauges */
    int64_t
        oldest_sync_ms; /* gauge: last finished sync of the source that waits longest; 0: none */
};

/* NULL on memory failure. sink is copied. */
struct cor_topology *cor_topology_new(const struct cor_topology_limits *limits,
                                      const struct cor_topology_sink *sink);
void cor_topology_free(struct cor_topology *t); /* NULL allowed */
void cor_topology_watch(struct cor_topology *t, const struct cor_topology_watch *watch);
const struct cor_topology_stats *cor_topology_stats(struct cor_topology *t);

/* --- loading ------------------------------------------------------------------------------- */
/* One row; HALE_E_INVAL: it cannot be read and is skipped. A scan may give a row twice. */
HALE_MUST_CHECK enum hale_rc
cor_topology_load(struct cor_topology *t, struct hale_str field, struct hale_str value);
/* Id of the stream entry from which on updates are needed again; "" when none is. */
const char *cor_topology_from(const struct cor_topology *t);
/* An update that was applied before the rows were written: only marks what its sync names. */
HALE_MUST_CHECK enum hale_rc cor_topology_again(struct cor_topology *t,
                                                const struct hale_topology_update *u,
                                                const char *entry_id);

/* --- inputs -------------------------------------------------------------------------------- */
/* entry_id: of the stream entry, "ms-seq"; entry_ms: its ms. */
HALE_MUST_CHECK enum hale_rc cor_topology_apply(struct cor_topology *t,
                                                const struct hale_topology_update *u,
                                                const char *entry_id, int64_t entry_ms);

/* --- what others ask ----------------------------------------------------------------------- */
/* The tenant's graph, to ask and to fail vertices of; NULL: nothing was told of it yet. Once there
 * it stays. Entities change through updates only. */
struct hale_graph *cor_topology_graph(const struct cor_topology *t, const char *tenant);
#endif
