/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_WHY_FACTS_H
#define HALE_COLLECTOR_WHY_FACTS_H
/*
 * why_facts - what is known about the sub-expressions of a definition for one group: series of the
 * catalogue, sub-alarms as the correlator stored them, and what thresholds says about them now.
 * Limits:    COLLECTOR_WHY_GROUPS groups of a sub-expression are shown.
 * Threads:   query threads, each with its connection.
 */
#include <jansson.h>

#include "collector/app.h"
#include "model/definition.h"

#define COLLECTOR_WHY_GROUPS 8

/* Adds "subs" and "evaluation" to facts (collector/why.h). group: a string map of keys of match_by.
 * HALE_E_NOMEM; HALE_E_IO, HALE_E_AGAIN: Redis. */
HALE_MUST_CHECK enum hale_rc collector_why_subs(struct collector *c,
                                                struct hale_redis *redis,
                                                const struct hale_definition *d,
                                                json_t *group, json_t *facts);
/* Groups that the series of the definition have now, each once: an array of string maps, at most
 * max. NULL on memory failure. */
json_t *collector_why_groups(struct collector *c, const struct hale_definition *d,
                             size_t max);
#endif
