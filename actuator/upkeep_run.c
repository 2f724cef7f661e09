/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep_run - from an action of a maintenance session to a run of the engine, and how it ended (declared in engine.h).
 */
#include <stdio.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/upkeep.h"
#include "base/log.h"

#define PREFIX ACTUATOR_UPKEEP_PREFIX

bool engine_no_alarm(const struct actuator_run *r)
{
    return scaling_is(r) || strncmp(r->alarm_id, PREFIX, sizeof(PREFIX) - 1) == 0;
}

static const char *words(enum actuator_upkeep_kind kind)
{
    static const char *const text[] = {"disable", "enable", "migrate", "live-migrate",
                                       "the work on"};
    return text[kind];
}

void actuator_engine_upkeep(struct actuator_engine *e, const struct actuator_policy *p,
                            const struct actuator_upkeep_session *s,
                            const struct actuator_upkeep_act *act, int64_t now_us)
{
    char alarm_id[HALE_UUID_TEXT + 16], reason[400];
    bool of_host = act->instance == NULL || act->instance[0] == '\0';
    (void)snprintf(alarm_id, sizeof(alarm_id), PREFIX "%s", actuator_upkeep_id(s));
    (void)snprintf(reason, sizeof(reason), "%s %s", words(act->kind),
                   of_host ? act->host : act->instance);
    json_t *vars =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "host", act->host, "hostname",
                  act->host, "instance", of_host ? "" : act->instance, "session",
                  actuator_upkeep_id(s), "tenant", actuator_upkeep_tenant(s),
                  "alarm.name", ACTUATOR_UPKEEP_POLICY, "alarm.reason", reason);
    const struct engine_trigger t = {.policy = p,
                                     .tenant = actuator_upkeep_tenant(s),
                                     .alarm_id = alarm_id,
                                     .alarm_name = ACTUATOR_UPKEEP_POLICY,
                                     .vars = vars,
                                     .seq = act->n,
                                     .logged_us = now_us,
                                     .state = HALE_STATE_OK};
    e->now_us = now_us;
    if (vars != NULL)
        engine_fire(e, &t);
    else
        hale_error("event=out_of_memory session=%s", actuator_upkeep_id(s));
    json_decref(vars);
}

const char *actuator_engine_outcome(const struct actuator_engine *e, const char *run_id,
                                    const char **why)
{
    const struct done_run *done;
    *why = "";
    if (engine_find(e, run_id) != NULL)
        return "open";
    done = hale_map_get(e->done, hale_str_from(run_id));
    if (done == NULL)
        return NULL;
    *why = done->why;
    return done->outcome[0] != '\0' ? done->outcome : "failed";
}
