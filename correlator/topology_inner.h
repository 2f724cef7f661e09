/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_TOPOLOGY_INNER_H
#define CORRELATOR_TOPOLOGY_INNER_H
/*
 * topology_inner - what topology.c (entities) and topology_sync.c (sources and their syncs) share.
 */
#include "base/buf.h"
#include "base/map.h"
#include "correlator/topology.h"

#define COR_ENTRY_TEXT 48

struct cor_tenant {
    struct cor_topology *topology;
    char *name;
    struct hale_graph *graph;
};

struct cor_topology {
    struct cor_topology_limits limits;
    struct cor_topology_sink sink;
    struct cor_topology_watch watch;
    struct cor_topology_stats stats;
    struct hale_map *tenants; /* name -> struct cor_tenant */
    struct hale_map *sources; /* tenant \0 source -> struct cor_source */
    unsigned n_open;          /* sources with a sync under way */
    struct hale_buf field, value;
    char ref[HALE_TOPOLOGY_REF_MAX];
};

/* --- topology.c --- */
void cor_entity_ref(const struct hale_entity *e, char *dst); /* HALE_TOPOLOGY_REF_MAX */
/* Field of a row, in t->field: valid until the next one. */
struct hale_str cor_topology_field(struct cor_topology *t, const char *tenant,
                                   struct hale_str type, struct hale_str id);
/* Absent is fine. ref must not be the vertex' own text. */
HALE_MUST_CHECK enum hale_rc
cor_topology_delete(struct cor_topology *t, struct cor_tenant *n, struct hale_str ref);

/* --- topology_sync.c --- */
void cor_source_free(void *source);
/* Last finished sync of the source that waits longest; 0: none. */
int64_t cor_source_oldest(const struct cor_topology *t);
/* Abandons syncs that heard nothing for too long. */
void cor_source_expire(struct cor_topology *t, int64_t now_ms);
/* Begins or goes on with the update's sync; marks what it names. */
HALE_MUST_CHECK enum hale_rc cor_source_take(struct cor_topology *t,
                                             const struct hale_topology_update *u,
                                             const char *entry_id, int64_t entry_ms);
/* The end of a sync: deletes what the source has and did not name. */
HALE_MUST_CHECK enum hale_rc cor_source_reconcile(struct cor_topology *t,
                                                  struct cor_tenant *n,
                                                  const struct hale_topology_update *u,
                                                  int64_t entry_ms);
HALE_MUST_CHECK enum hale_rc cor_source_load(struct cor_topology *t, const char *tenant,
                                             struct hale_str source, const json_t *row);
const char *cor_source_from(const struct cor_topology *t);
#endif
