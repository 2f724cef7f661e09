/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow - where a run goes on when a step has ended, and what may keep it from that: an abort, a
 * guard (declared in engine_private.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"

static int64_t goes_to(const struct actuator_run *r, enum actuator_way way)
{
    const json_t *to = json_object_get(actuator_run_step(r), actuator_way_keys[way]);
    if (json_is_integer(to))
        return (int64_t)json_integer_value(to);
    if (way == ACTUATOR_ON_OK)
        return (size_t)r->step + 1 < json_array_size(r->plan) ? r->step + 1
                                                              : ACTUATOR_TO_DONE;
    return way == ACTUATOR_ON_FAIL ? ACTUATOR_TO_FAIL : goes_to(r, ACTUATOR_ON_FAIL);
}

static const char *name_of(const struct actuator_run *r, int64_t step, char dst[24])
{
    const json_t *plan = step >= 0 ? json_array_get(r->plan, (size_t)step) : NULL;
    const char *name = json_string_value(json_object_get(plan, "name"));
    (void)snprintf(dst, 24, "%lld", (long long)step);
    return name != NULL ? name : dst;
}

static void tell(struct actuator_engine *e, const struct actuator_run *r,
                 enum actuator_way way, int64_t to, const char *why)
{
    static const char *const ends[] = {"ok", "fail", "timeout", "guard"};
    static const char *const words[] = {"is done", "failed", "took too long",
                                        "was refused"};
    char name[24], next[24];
    const char *goes = to == ACTUATOR_TO_DONE   ? "done"
                       : to == ACTUATOR_TO_FAIL ? "fail"
                                                : name_of(r, to, next);
    const char *own = name_of(r, r->step, name);
    life_row(e, r, "step", true,
             json_pack("{s:s,s:s,s:s}", "step", own, "end", ends[way], "next", goes),
             "step %s %s%s%.300s; %s%s", own, words[way], why != NULL ? ": " : "",
             why != NULL ? why : "", to < 0 ? "" : "on to ",
             to == ACTUATOR_TO_DONE   ? "no step follows"
             : to == ACTUATOR_TO_FAIL ? "the run has failed"
                                      : goes);
}

void flow_verify(struct actuator_engine *e, struct actuator_run *r)
{
    r->step = (int64_t)json_array_size(r->plan);
    r->state = ACTUATOR_VERIFYING;
    r->verify_us = e->now_us;
    r->wake_us = 0;
    if (r->verify == NULL && r->cleared_us > 0) { /* faster than the VNFM's answer */
        life_verified(e, r, NULL);
        return;
    }
    r->phase = r->verify != NULL ? ACTUATOR_PROVE : r->phase;
    life_row(e, r, "verifying", false, NULL, "waiting up to %lld ms for %s",
             (long long)r->verify_within_ms,
             r->verify != NULL ? prove_what(r) : "the alarm to clear");
    life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_ARM, 0);
}

const char *flow_stopped(const struct actuator_engine *e, const struct actuator_run *r)
{
    char text[16];
    if (r->verdict[ACTUATOR_VERDICT_ABORT] != NULL)
        return "somebody has aborted the run";
    return guards_stopped(e, r->site, r->policy, text, sizeof(text))
               ? "stopped by the kill switch"
               : NULL;
}

/* Whether a further step may act; if not, the run goes on otherwise, or ends. */
static bool allowed(struct actuator_engine *e, struct actuator_run *r)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    const char *stop = flow_stopped(e, r);
    struct engine_refusal f = {.quiet = true};
    if (stop != NULL) {
        life_end(e, r, "failed", NULL, stop);
        return false;
    }
    if (p != NULL)
        engine_ask_step(e, r, p, &f);
    if (f.guard != NULL)
        flow_leave(e, r, ACTUATOR_ON_GUARD, f.text);
    return f.guard == NULL;
}

static void enter(struct actuator_engine *e, struct actuator_run *r, int64_t to)
{
    r->step = to;
    r->attempt = r->failures = r->queries = 0;
    r->step_us = r->call_us = 0;
    r->op_occ[0] = r->settle[0] = r->settle_seen[0] = '\0';
    r->settled = r->looked = false;
    free(r->follow);
    r->follow = NULL;
    r->follow_us = r->cancel_us = 0;
    actuator_lanes_fini(&r->lanes);
    if (hold_is_for(r) || allowed(e, r))
        life_begin_call(e, r, ACTUATOR_OP_KEEP, 0);
}

void flow_leave(struct actuator_engine *e, struct actuator_run *r, enum actuator_way way,
                const char *why)
{
    char text[ACTUATOR_TEXT_MAX + 64], name[24];
    int64_t to = goes_to(r, way);
    turn_over(e, r);
    tell(e, r, way, to, why);
    if (r->verdict[ACTUATOR_VERDICT_ABORT] != NULL) {
        verdict_aborted(e, r);
    } else if (to >= 0) {
        enter(e, r, to);
    } else if (to == ACTUATOR_TO_DONE) {
        flow_verify(e, r);
    } else {
        (void)snprintf(text, sizeof(text), "step %s: %s", name_of(r, r->step, name),
                       why != NULL ? why : "it ends here");
        life_end(e, r, "failed", NULL, text);
    }
}

void life_step_done(struct actuator_engine *e, struct actuator_run *r)
{
    if (json_object_get(actuator_run_step(r), "verify") == NULL) {
        flow_leave(e, r, ACTUATOR_ON_OK, NULL);
        return;
    }
    turn_over(e, r);
    r->phase = ACTUATOR_PROVE;
    r->verify_us = e->now_us;
    r->wake_us = 0;
    life_row(e, r, "verifying", true, NULL, "waiting for %s", prove_what(r));
    life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_ARM, 0);
}

void life_step_failed(struct actuator_engine *e, struct actuator_run *r, const char *why)
{
    flow_leave(e, r, ACTUATOR_ON_FAIL, why);
}
