/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_INVENTORY_H
#define HALE_ACTUATOR_INVENTORY_H
/*
 * inventory - asks the configured clouds and VNFMs what they have, at a start and every `every`, and
 * hands each answer on as a sync of the topology (docs/formats/topology.md).
 * Sources:   "<kind>:<cloud>" (nova, neutron, heat) and "sol003:<VNFM>", one after another. Pages
 *            of INVENTORY_PAGE; a request that fails, or a round beyond HALE_TOPOLOGY_ENTITIES_MAX
 *            or INVENTORY_REQUESTS, abandons the source's sync: nothing is written, so nothing is
 *            deleted. One log line per change.
 * Threads:   a thread of its own with its own HTTP client, tokens and Redis connection, so that an
 *            inventory of any size never waits in front of an alarm; it shares nothing but conf,
 *            which it only reads and which must outlive it.
 */
#include "actuator/conf.h"

struct actuator_inventory;

/* NULL: nothing is to be fetched, or there is no thread for it (logged). */
struct actuator_inventory *actuator_inventory_start(const struct actuator_conf *conf);
void actuator_inventory_stop(struct actuator_inventory *x); /* waits for its end */
#endif
