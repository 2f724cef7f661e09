/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_UPKEEP_STORE_H
#define HALE_COLLECTOR_UPKEEP_STORE_H
/*
 * upkeep_store - maintenance sessions in Redis: what the actuator has written of them, what people and projects say
 * (model/upkeep.h), and the constraints of instances. Who speaks first is heard: word and control record are written in
 * one script. Threads: any, each with its own connection.
 */
#include <jansson.h>

#include "base/id.h"
#include "store/redis.h"

#define COLLECTOR_UPKEEP_SESSIONS_MAX 1000
#define COLLECTOR_UPKEEP_LIMITS_MAX   100000
#define COLLECTOR_UPKEEP_FIELD_MAX    320

/* HALE_E_NOTFOUND. One that the actuator has not taken up yet has state MAINTENANCE and no phase. */
HALE_MUST_CHECK enum hale_rc collector_upkeep_load(struct hale_redis *r, const char *id,
                                                   json_t **out);
/* Every session; the records are borrowed. */
HALE_MUST_CHECK enum hale_rc
collector_upkeep_each(struct hale_redis *r, void (*each)(json_t *session, void *arg),
                      void *arg);
/* Says `word` about a session (what: "start", "cancel", "forget" or a question's number). HALE_E_EXISTS: that was
 * answered already, *first is what was said (new); HALE_E_NOTFOUND: there is no such session; HALE_E_LIMIT: start, and there are too
 * many. */
HALE_MUST_CHECK enum hale_rc collector_upkeep_say(struct hale_redis *r, const char *id,
                                                  const char *what, const json_t *word,
                                                  json_t **first);
/* Constraints; kind: "instance" or "group". value NULL: removes. HALE_E_LIMIT, HALE_E_NOTFOUND. */
HALE_MUST_CHECK enum hale_rc
collector_upkeep_limit_put(struct hale_redis *r, const char *kind, const char *project,
                           const char *id, const json_t *value);
HALE_MUST_CHECK enum hale_rc collector_upkeep_limit_get(struct hale_redis *r,
                                                        const char *kind,
                                                        const char *project,
                                                        const char *id, json_t **out);
#endif
