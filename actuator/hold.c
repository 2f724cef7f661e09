/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold - steps that only wait: for an acknowledgement, for a time, until something is true
 * (declared in engine_private.h).
 */
#include <string.h>

#include "actuator/engine_private.h"

bool hold_is_for(const struct actuator_run *r)
{
    return strcmp(actuator_run_step_type(r), "wait") == 0;
}

void hold_begin(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                int64_t position)
{
    long long ms = (long long)actuator_run_step_int(r, "timeout_ms");
    r->step_us = r->verify_us = e->now_us;
    if (json_object_get(actuator_run_step(r), "until") != NULL) {
        r->phase = ACTUATOR_PROVE;
        r->wake_us = 0;
        life_row(e, r, "waiting", true, NULL, "up to %lld ms for %s", ms, prove_what(r));
    } else {
        const char *ack = actuator_run_step_text(r, "acknowledgement");
        r->phase = ACTUATOR_HOLD;
        r->wake_us = e->now_us + ms * 1000;
        life_row(e, r, "waiting", true, json_pack("{s:s}", "acknowledgement", ack),
                 ack[0] != '\0' ? "up to %lld ms for an acknowledgement" : "%lld ms", ms);
    }
    life_commit(e, r, op, AFTER_ARM, position);
}

/* An acknowledgement that comes too late is not taken for one of the next step. */
static void leave(struct actuator_engine *e, struct actuator_run *r,
                  enum actuator_way way, const char *why)
{
    r->settled_verdicts |= 1u << ACTUATOR_VERDICT_ACK;
    json_decref(r->verdict[ACTUATOR_VERDICT_ACK]);
    r->verdict[ACTUATOR_VERDICT_ACK] = NULL;
    flow_leave(e, r, way, why);
}

void hold_wake(struct actuator_engine *e, struct actuator_run *r)
{
    const char *ack = actuator_run_step_text(r, "acknowledgement");
    if (r->busy > 0)
        return;
    if (r->wake_us > e->now_us)
        life_arm(e, r, r->wake_us);
    else if (ack[0] == '\0')
        leave(e, r, ACTUATOR_ON_OK, NULL);
    else
        leave(e, r, strcmp(ack, "required") == 0 ? ACTUATOR_ON_TIMEOUT : ACTUATOR_ON_OK,
              "nobody has acknowledged in time");
}

void hold_acknowledged(struct actuator_engine *e, struct actuator_run *r)
{
    json_t *ack = r->verdict[ACTUATOR_VERDICT_ACK];
    life_row(e, r, "acknowledged", true, verdict_detail(ack),
             "acknowledged by %s%s%.300s", verdict_by(ack),
             verdict_comment(ack)[0] != '\0' ? ": " : "", verdict_comment(ack));
    leave(e, r, ACTUATOR_ON_OK, NULL);
}
