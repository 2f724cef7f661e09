/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_UPKEEP_H
#define HALE_MODEL_UPKEEP_H
/*
 * upkeep - what clients of OPNFV Doctor's maintenance tool and of Fenix send (docs/formats/maintenance.md),
 * as it is stored for the actuator. Each reader takes a request's body and gives a new JSON object, or
 * HALE_E_INVAL with the text of the 400.
 *   start       {"v":1,"hosts":[s],"at_ms":n,"workflow":"default"|"vnf","metadata":{}}; hosts empty: all
 *   reply       {"v":1,"ack":b,"state":s,"actions":{id:action}}; action for all: "*"
 *   constraint  {"v":1, and what was given}: of an instance or of a group
 * Stored:     hash HALE_KEYS_UPKEEP: session id -> record (the actuator writes, actuator/upkeep.h);
 *             hash HALE_KEYS_UPKEEP_SAID, what people and projects said and is not carried out yet (the collector
 *             writes; the first word counts): "<session>:start", "<session>:cancel", "<session>:forget",
 *             "<session>:<n>" = answer to question n;
 *             hash HALE_KEYS_UPKEEP_LIMITS: "instance/<project>/<id>", "group/<project>/<id>" -> constraint;
 *             stream HALE_KEYS_UPKEEP_SAYS, field j: {"tenant","type","traits":{}}, an event for a tenant's
 *             event alarms.
 * Threads:    stateless.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define HALE_UPKEEP_HOSTS_MAX 256
#define HALE_UPKEEP_HOST_MAX  150 /* bytes */
#define HALE_UPKEEP_TRAIT_MAX                                                            \
    255 /* characters of a trait: metadata as JSON fit into one */
#define HALE_UPKEEP_ACTION_MAX 4096 /* instances named in a reply */

HALE_MUST_CHECK enum hale_rc hale_upkeep_start(const json_t *body, json_t **out,
                                               struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_upkeep_reply(const json_t *body, json_t **out,
                                               struct hale_err *err);
/* id: of the path; what is in the body must be the same. */
HALE_MUST_CHECK enum hale_rc hale_upkeep_constraint(const json_t *body, bool group,
                                                    const char *id, json_t **out,
                                                    struct hale_err *err);
/* MIGRATE, LIVE_MIGRATE or OWN_ACTION (static) for a word that says so in any client's way; NULL: none. */
const char *hale_upkeep_action(const char *word);
#endif
