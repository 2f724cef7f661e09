/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_INVENTORY_H
#define HALE_MODEL_INVENTORY_H
/*
 * inventory - what Nova, Neutron, Heat and a VNFM answer, as a topology (docs/formats/topology.md has the
 * mapping). Answers of one inventory are added one by one, in any order; together they are the
 * whole of it. The result is a body for model/topology_body.h: a sync of the inventory's name as
 * source, entities patched, so that what people added to them stays.
 * Errors:    HALE_E_INVAL names the place ("servers[3].id: ..."); what was added before stays.
 * Limits:    HALE_TOPOLOGY_ENTITIES_MAX entities; references of one beyond HALE_INVENTORY_REFS_MAX are left out
 *            and counted.
 * Ownership: answers are borrowed. Threads: values; pure.
 */
#include <jansson.h>
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

#define HALE_INVENTORY_REFS_MAX 1000 /* of one group */

enum hale_inventory_kind {
    HALE_INVENTORY_NOVA,
    HALE_INVENTORY_NEUTRON,
    HALE_INVENTORY_HEAT,
    HALE_INVENTORY_SOL003
};
/* "nova" ...; also the source. */
const char *hale_inventory_text(enum hale_inventory_kind kind);
HALE_MUST_CHECK enum hale_rc hale_inventory_parse(struct hale_str text,
                                                  enum hale_inventory_kind *out);

struct hale_inventory;

struct hale_inventory *
hale_inventory_new(enum hale_inventory_kind kind);  /* NULL: no memory */
void hale_inventory_free(struct hale_inventory *v); /* NULL allowed */
/* One answer, recognised by its keys (`servers`, `hypervisors`, ...). */
HALE_MUST_CHECK enum hale_rc
hale_inventory_add(struct hale_inventory *v, const json_t *answer, struct hale_err *err);
size_t hale_inventory_cut(const struct hale_inventory *v); /* references left out */
/* {"source","patch":[...],"sync":true}; a new reference, NULL: no memory. */
json_t *hale_inventory_body(struct hale_inventory *v);
#endif
