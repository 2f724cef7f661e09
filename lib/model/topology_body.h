/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_TOPOLOGY_BODY_H
#define HALE_MODEL_TOPOLOGY_BODY_H
/*
 * topology_body - the body of POST /v1/topology: any number of entities to put and to patch and of
 * references to delete, checked whole before anything is written; and its cutting into updates.
 * Used by the collector (API) and by whoever fetches inventories (model/inventory.h).
 *   {"source":s?,"put":[...]?,"patch":[...]?,"delete":[...]?,"sync":true|{"id","begin"?,"end"?}?}
 * source: default "api". sync true: the body is the whole of the source.
 * Cut:       hale_topology_body_next until it says false; each update gets tenant, by and at_ms from the
 *            caller and becomes one entry of HALE_KEYS_TOPOLOGY, all in one transaction.
 * Ownership: the body keeps a reference to the JSON. Threads: values.
 */
#include <jansson.h>

#include "base/id.h"
#include "model/topology.h"

struct hale_topology_body {
    json_t *root;
    char source[HALE_TOPOLOGY_SOURCE_MAX + 1];
    size_t n_put, n_patch, n_delete;
    struct hale_entity *put, *patch;
    const char **deleted; /* into root */
    size_t *bytes;        /* of each of put, then of patch, as JSON */
    bool sync, sync_begin, sync_end;
    char sync_id[HALE_TOPOLOGY_SOURCE_MAX + 1];
};
/* Takes root. HALE_E_INVAL: err has the place ("put[3].id: ..."). */
HALE_MUST_CHECK enum hale_rc hale_topology_body_read(json_t *root,
                                                     struct hale_topology_body *out,
                                                     struct hale_err *err);
void hale_topology_body_fini(struct hale_topology_body *b);

/* The next update of the body; *at starts at 0. It borrows from the body (do not fini it), except
 * u->deleted.v, which the caller frees. False at the end, or out of memory (*at is SIZE_MAX). */
bool hale_topology_body_next(const struct hale_topology_body *b, size_t *at,
                             struct hale_topology_update *u);
#endif
