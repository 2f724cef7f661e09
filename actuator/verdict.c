/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict - proposals, and what people say about runs: approve, reject, acknowledge, abort
 * (declared in engine.h and engine_private.h). What was said stays in hash hale:{m}:verdicts
 * until the commit that carries it out has taken it from there, so a crash neither loses nor
 * repeats it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "base/log.h"

static const char *text_of(const json_t *verdict, const char *key)
{
    const char *text = json_string_value(json_object_get(verdict, key));
    return text != NULL ? text : "";
}

const char *verdict_by(const json_t *verdict)
{
    const char *by = text_of(verdict, "by");
    return by[0] != '\0' ? by : "somebody";
}

const char *verdict_comment(const json_t *verdict)
{
    return text_of(verdict, "comment");
}

json_t *verdict_detail(const json_t *verdict)
{
    return json_pack("{s:s,s:s,s:O*}", "by", verdict_by(verdict), "comment",
                     verdict_comment(verdict), "at_ms",
                     json_object_get(verdict, "at_ms"));
}

static void row(struct actuator_engine *e, const struct actuator_run *r, const char *kind,
                const json_t *verdict)
{
    const char *comment = verdict_comment(verdict);
    life_row(e, r, kind, false, verdict_detail(verdict), "%s by %.100s%s%.300s", kind,
             verdict_by(verdict), comment[0] != '\0' ? ": " : "", comment);
}

/* --- proposals --------------------------------------------------------------------- */

/* Somebody's approval is wanted, or no longer. */
static void call_for(struct actuator_engine *e, const struct actuator_run *r, bool clear)
{
    if (r->mode != ACTUATOR_APPROVE)
        return; /* a suggestion wakes nobody */
    const struct loop_alarm alarm = {.type = "hale.loop.approval",
                                     .tenant = r->tenant,
                                     .policy = r->policy,
                                     .target = r->target,
                                     .text = r->alarm_name,
                                     .clear = clear};
    loop_alarm(e, &alarm);
}

void verdict_propose(struct actuator_engine *e, struct actuator_run *r,
                     const struct actuator_policy *p, json_t *detail, int64_t position)
{
    bool asks = r->mode == ACTUATOR_APPROVE;
    r->state = ACTUATOR_PROPOSED;
    r->expires_us = r->wake_us = e->now_us + p->approval_ms * 1000;
    if (detail != NULL && json_object_set_new(detail, "expires_ms",
                                              json_integer(r->expires_us / 1000)) != 0)
        hale_error("event=out_of_memory run=%s", r->id);
    life_row(e, r, asks ? "proposed" : "suggested", false, detail,
             "%s is %s: %.300s; %s within %lld s", r->alarm_name,
             hale_state_text((enum hale_state)r->alarm_state),
             text_of(r->vars, "alarm.reason"),
             asks ? "somebody must approve" : "may be approved",
             (long long)(p->approval_ms / 1000));
    call_for(e, r, false);
    e->stats.proposed++;
    life_commit(e, r, ACTUATOR_OP_NOTE, AFTER_ARM, position);
}

bool verdict_stands(const struct actuator_engine *e, const char *policy,
                    const char *target)
{
    const struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (r->state == ACTUATOR_PROPOSED && strcmp(r->policy, policy) == 0 &&
            strcmp(r->target, target) == 0)
            return true;
    return false;
}

void verdict_over(struct actuator_engine *e, struct actuator_run *r)
{
    call_for(e, r, true);
    r->settled_verdicts = ACTUATOR_VERDICTS_ALL;
}

/* The end of a run that holds no lease; its rows are written. */
static void close_run(struct actuator_engine *e, struct actuator_run *r,
                      const char *outcome, int64_t *counter)
{
    if (r->state == ACTUATOR_PROPOSED)
        call_for(e, r, true);
    (void)snprintf(r->outcome, sizeof(r->outcome), "%s", outcome);
    (*counter)++;
    json_decref(r->plan);
    r->plan = NULL;
    r->state = ACTUATOR_DONE;
    r->wake_us = r->again_us = 0;
    r->settled_verdicts = ACTUATOR_VERDICTS_ALL;
    hale_timers_disarm(e->timers, &r->timer);
    life_commit(e, r, ACTUATOR_OP_IDLE, AFTER_FORGET, 0);
}

static void expire(struct actuator_engine *e, struct actuator_run *r, const char *why)
{
    bool asked = r->mode == ACTUATOR_APPROVE;
    life_row(e, r, "expired", false, NULL, "%s", why);
    close_run(e, r, asked ? "expired" : "suggested",
              asked ? &e->stats.expired : &e->stats.suggested);
}

static bool ripe(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->alarm_gone)
        expire(e, r, "the alarm was deleted: nothing is left to approve");
    else if (r->withdrawn)
        expire(e, r, "the alarm has changed: nothing is left to approve");
    else if (e->now_us >= r->expires_us)
        expire(e, r, "nobody approved it in time");
    else
        return false;
    return true;
}

static void refuse(struct actuator_engine *e, struct actuator_run *r,
                   struct engine_refusal *f)
{
    (void)snprintf(r->refused, sizeof(r->refused), "%s", f->guard);
    life_row(e, r, "suppressed", false,
             guards_detail(f, json_pack("{s:s}", "guard", f->guard)), "%s", f->text);
    guards_refused(e, r, f);
    close_run(e, r, "suppressed", &e->stats.suppressed_other);
}

static void approve(struct actuator_engine *e, struct actuator_run *r,
                    const json_t *verdict)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    struct engine_refusal f = {0};
    row(e, r, "approved", verdict);
    if (ripe(e, r)) /* an expired approval never runs */
        return;
    if (p == NULL)
        engine_refuse(&f, "policy", "the policy is no longer in the configuration");
    else
        engine_ask(e, r, p, &f);
    if (f.guard != NULL) {
        refuse(e, r, &f);
        return;
    }
    call_for(e, r, true);
    r->state = ACTUATOR_OPEN;
    e->stats.approved++;
    if (engine_birth(e, r, p, &f, ACTUATOR_OP_OPEN, 0))
        return;
    r->state = ACTUATOR_PROPOSED;
    engine_refuse(&f, "limit", "no memory left for guards");
    refuse(e, r, &f);
}

static void decide(struct actuator_engine *e, struct actuator_run *r)
{
    const json_t *verdict = r->verdict[ACTUATOR_VERDICT_PROPOSAL];
    if (strcmp(text_of(verdict, "verdict"), "approve") == 0) {
        approve(e, r, verdict);
    } else if (strcmp(text_of(verdict, "verdict"), "reject") == 0) {
        row(e, r, "rejected", verdict);
        close_run(e, r, "rejected", &e->stats.rejected);
    } else {
        hale_warn("event=verdict_unreadable run=%s", r->id);
        json_decref(r->verdict[ACTUATOR_VERDICT_PROPOSAL]);
        r->verdict[ACTUATOR_VERDICT_PROPOSAL] = NULL;
        life_arm(e, r, r->expires_us);
    }
}

void verdict_wake(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->busy == 0 && !ripe(e, r))
        life_arm(e, r, r->expires_us);
}

/* --- all verdicts ------------------------------------------------------------------ */

void verdict_aborted(struct actuator_engine *e, struct actuator_run *r)
{
    const json_t *verdict = r->verdict[ACTUATOR_VERDICT_ABORT];
    const char *comment = verdict_comment(verdict);
    char text[ACTUATOR_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "aborted by %.100s%s%.200s", verdict_by(verdict),
                   comment[0] != '\0' ? ": " : "", comment);
    life_end(e, r, "aborted", verdict_detail(verdict), text);
}

/* Nothing that changes anything is under way. */
static bool quiet(const struct actuator_run *r)
{
    return r->state == ACTUATOR_VERIFYING ||
           (r->state == ACTUATOR_OPEN &&
            (r->phase == ACTUATOR_WAIT || r->phase == ACTUATOR_QUEUE ||
             r->phase == ACTUATOR_CONFLICT || r->phase == ACTUATOR_HOLD ||
             r->phase == ACTUATOR_PROVE));
}

bool verdict_work(struct actuator_engine *e, struct actuator_run *r)
{
    const json_t *abort = r->verdict[ACTUATOR_VERDICT_ABORT];
    if (r->busy > 0)
        return false;
    if (abort != NULL &&
        (r->state == ACTUATOR_PROPOSED || r->state == ACTUATOR_WAITING)) {
        row(e, r, "aborted", abort);
        close_run(e, r, "aborted", &e->stats.aborted);
        return true;
    }
    if (r->state == ACTUATOR_PROPOSED) {
        if (r->verdict[ACTUATOR_VERDICT_PROPOSAL] == NULL)
            return false;
        decide(e, r);
        return true;
    }
    if (r->token == 0)
        return false; /* not ours yet */
    if (abort != NULL && quiet(r)) {
        if (r->calling)
            e->io.cancel(e->io.arg, r->id);
        r->calling = false;
        verdict_aborted(e, r);
        return true;
    }
    if (r->verdict[ACTUATOR_VERDICT_ACK] != NULL && actuator_run_held(r)) {
        hold_acknowledged(e, r);
        return true;
    }
    return false;
}

void actuator_engine_verdict(struct actuator_engine *e, const char *run_id,
                             enum actuator_verdict_kind kind, struct hale_str json,
                             int64_t now_us)
{
    struct actuator_run *r = engine_find(e, run_id);
    json_t *verdict =
        r != NULL && json.p != NULL ? json_loadb(json.p, json.len, 0, NULL) : NULL;
    if (r != NULL && kind == ACTUATOR_VERDICT_ACK && r->busy > 0) {
        r->ask_again = true; /* said before this wait, or in it: Redis knows then */
        json_decref(verdict);
        return;
    }
    if (!json_is_object(verdict) ||
        (kind == ACTUATOR_VERDICT_PROPOSAL && r->state != ACTUATOR_PROPOSED) ||
        (kind == ACTUATOR_VERDICT_ACK && !actuator_run_held(r))) {
        json_decref(verdict); /* of a run, a proposal or a wait that is over */
        return;
    }
    json_decref(r->verdict[kind]);
    r->verdict[kind] = verdict;
    if (e->renew_us == 0)
        return; /* carried out after the start */
    e->now_us = now_us;
    if (verdict_work(e, r) || r->busy > 0)
        return;
    if (r->phase == ACTUATOR_LANES)
        r->wake_us = 0;
    life_arm(e, r, now_us);
}
