/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_WHY_ASK_H
#define HALE_COLLECTOR_WHY_ASK_H
/*
 * why_ask - asks thresholds how it stands with sub-alarms: what waits, what is in the window, when it
 * closes. The question goes to a stream, each shard answers into a list of its own name that expires
 * (docs/formats/why.md). Threads: query threads, each with its connection.
 */
#include <jansson.h>

#include "base/rc.h"
#include "store/redis.h"

#define COLLECTOR_WHY_ASK_MAX 64 /* sub-alarms of one question */

/* subs: array of {"sub":n,"group":{}}. *out: array as long as subs, each what a shard knows, or null
 * where none does. HALE_E_AGAIN: not all shards answered within a second. HALE_E_NOMEM, HALE_E_IO. */
HALE_MUST_CHECK enum hale_rc collector_why_ask(struct hale_redis *redis, unsigned shards,
                                               const char *definition_id,
                                               const json_t *subs, json_t **out);
#endif
