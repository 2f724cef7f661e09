/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SWITCH_STORE_H
#define HALE_COLLECTOR_SWITCH_STORE_H
/*
 * switch_store - hash HALE_KEYS_SWITCHES: kill switches by scope (all, site/NAME, policy/NAME; there = on)
 * and under unlatch/POLICY who last opened a policy's latch. A change goes with its row of the
 * journal and its control record in one transaction.
 * Threads: any, each with its own connection.
 */
#include <jansson.h>
#include <stdint.h>

#include "store/redis.h"

#define COLLECTOR_SCOPE_NAME_MAX 120 /* bytes of a site's or policy's name */
#define COLLECTOR_SCOPE_MAX      (COLLECTOR_SCOPE_NAME_MAX + 16)
#define COLLECTOR_UNLATCH        "unlatch/"

/* Those that are on, by scope, each as _shown; NULL: the store does not answer. */
json_t *collector_switches_load(struct hale_redis *redis, int64_t now_ms);
/* {"scope","by","at_ms","reason","expires_ms"}: what people see of a value. */
json_t *collector_switch_shown(const char *scope, const json_t *value);
/* policy name -> when its latch was last opened by a person, ms; NULL: the store does not answer. */
json_t *collector_unlatched_load(struct hale_redis *redis);
struct collector_switch_row { /* of the journal */
    const char *kind, *policy, *text;
    json_t *detail;
};
/* value NULL: taken out. row NULL: without one. All of it or nothing; everything is borrowed. */
HALE_MUST_CHECK enum hale_rc
collector_switch_store(struct hale_redis *redis, const char *field, const json_t *value,
                       const struct collector_switch_row *row);
#endif
