/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_FLEET_H
#define HALE_ACTUATOR_FLEET_H
/*
 * fleet - how many of a kind there are and how many of them are well: entities of a type (and with
 * the labels among their attributes) of a tenant's topology. Not well is one that is failed or out
 * (model/graph.h), taking the open alarms with impact "down", or of the rule's severities, for claims
 * that what they are about has failed. Pure: the graph is as it was after the call.
 * Costs:     the entities of the tenant, and what the alarms' entities reach.
 * Threads:   one at a time.
 */
#include "actuator/guard.h"
#include "actuator/watch.h"
#include "model/graph.h"

struct actuator_fleet {
    int64_t members, healthy;
};
/* labels: the rule's, with their variables filled in; NULL: any. */
struct actuator_fleet actuator_fleet_count(const struct actuator_fleet_rule *rule,
                                           const json_t *labels, const char *tenant,
                                           struct hale_graph *g,
                                           const struct actuator_watch *watch);
/* Is that enough? No members are never enough. */
bool actuator_fleet_stands(const struct actuator_fleet_rule *rule,
                           const struct actuator_fleet *f);
#endif
