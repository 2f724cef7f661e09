/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TEST_ACTUATOR_ENGINE_MODEL_H
#define HALE_TEST_ACTUATOR_ENGINE_MODEL_H
/*
 * engine_model - what the tests that drive the engine against a model of Redis share: the runs as they are
 * stored (run id -> JSON text), what the ledger's script says of a commit before it looks at the lease, and
 * a record of the alarm log.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "actuator/engine.h"

#define T0_US    1795000000000000LL
#define HOP_US   200
#define ALARM_ID "0f0e0d0c-0000-4000-8000-000000000001"

/* New, or NULL. */
static inline json_t *model_run(const json_t *runs, const char *run_id)
{
    const char *json = json_string_value(json_object_get(runs, run_id));
    return json != NULL ? json_loads(json, 0, NULL) : NULL;
}

static inline bool model_state_is(const json_t *runs, const char *run_id,
                                  const char *state)
{
    json_t *run = model_run(runs, run_id);
    const char *is = json_string_value(json_object_get(run, "state"));
    bool same = is != NULL && strcmp(is, state) == 0;
    json_decref(run);
    return same;
}

/* Has what the commit is about happened already? */
static inline bool model_was_done(const json_t *runs, const char *run_id,
                                  enum actuator_op op)
{
    bool proposed = model_state_is(runs, run_id, "proposed");
    if (op == ACTUATOR_OP_BIRTH || op == ACTUATOR_OP_NOTE)
        return json_object_get(runs, run_id) != NULL;
    if (op == ACTUATOR_OP_OPEN)
        return !proposed;
    return op == ACTUATOR_OP_IDLE && !proposed &&
           !model_state_is(runs, run_id, "waiting");
}

static inline void model_cancel(void *arg, const char *run_id)
{
    (void)arg, (void)run_id;
}

/* Takes group; the caller ends it with hale_alarm_fini(&rec->alarm). */
static inline void model_record(struct hale_log_record *rec, int64_t seq,
                                enum hale_state state, json_t *group, int64_t now_us)
{
    *rec = (struct hale_log_record){.seq = seq,
                                    .kind = HALE_ALARM_TRANSITION,
                                    .announce = true,
                                    .time_ms = now_us / 1000,
                                    .accepted_us = now_us,
                                    .logged_us = now_us};
    struct hale_alarm *a = &rec->alarm;
    a->id = strdup(ALARM_ID);
    a->tenant = strdup("t");
    a->definition_id = strdup("d");
    a->definition_name = strdup("down");
    a->description = strdup("");
    a->reason = strdup("because");
    a->severity = HALE_SEV_CRITICAL;
    a->actions_enabled = true;
    a->group = group;
    a->metrics = json_array();
    a->sub_alarms = json_array();
    a->state = state;
    a->seq = seq;
}
#endif
