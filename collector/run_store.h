/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_RUN_STORE_H
#define HALE_COLLECTOR_RUN_STORE_H
/*
 * run_store - the actuator's run records in Redis, and what people decide about them: hash
 * HALE_KEYS_VERDICTS, one field per run and question, and the control record that tells the
 * actuator. Who is first decides: record and field are looked at and written in one script.
 * Threads: any, each with its own connection.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "store/redis.h"

enum collector_verdict {
    COLLECTOR_APPROVE,
    COLLECTOR_REJECT,
    COLLECTOR_ACKNOWLEDGE,
    COLLECTOR_ABORT
};
const char *collector_verdict_text(enum collector_verdict v); /* "approve" ... */

/* Calls each with every readable record of the tenant; borrowed. */
HALE_MUST_CHECK enum hale_rc collector_run_each(struct hale_redis *r, const char *tenant,
                                                void (*each)(json_t *run, void *arg),
                                                void *arg);
/* HALE_E_NOTFOUND also for one of another tenant. */
HALE_MUST_CHECK enum hale_rc collector_run_load(struct hale_redis *r, const char *tenant,
                                                const char *id, json_t **out);
/* What was decided and is not over yet: {"proposal":{..},"ack":{..},"abort":{..}}, each if any. */
HALE_MUST_CHECK enum hale_rc collector_run_verdicts(struct hale_redis *r, const char *id,
                                                    json_t **out);

enum collector_decision {
    COLLECTOR_DECIDED,
    COLLECTOR_NO_RUN,
    COLLECTOR_NOT_NOW,  /* the run is not in a state for it; *first: its record */
    COLLECTOR_TOO_LATE, /* the proposal has expired */
    COLLECTOR_BEATEN    /* somebody was first; *first: what he said */
};
struct collector_said {
    const char *tenant, *id; /* of the run */
    enum collector_verdict verdict;
    const char *by, *comment;
    int64_t now_us;
};
/* HALE_OK: durable, or refused for the reason in *out. *first: an object to decref, or NULL. */
HALE_MUST_CHECK enum hale_rc collector_run_decide(struct hale_redis *r,
                                                  const struct collector_said *said,
                                                  enum collector_decision *out,
                                                  json_t **first);
#endif
