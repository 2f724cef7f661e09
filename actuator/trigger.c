/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trigger - from a policy that was selected to a run, or to the reason why there is none (declared
 * in engine_private.h).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/template.h"
#include "base/log.h"

#define LEASE_RETRY_US 250000 /* a waiting run looks whether the target is free */

static struct actuator_run *new_run(const struct engine_trigger *t)
{
    struct actuator_run *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    actuator_run_id(t->policy->name, t->alarm_id, t->seq, t->n, r->id);
    r->policy = strdup(t->policy->name);
    r->tenant = strdup(t->tenant);
    r->alarm_id = strdup(t->alarm_id);
    r->alarm_name = strdup(t->alarm_name);
    r->target = strdup("");
    r->vars = json_copy(t->vars);
    r->mode = t->policy->mode;
    r->alarm_seq = t->seq;
    r->alarm_state = t->state;
    r->n = t->n;
    r->accepted_us = t->accepted_us;
    r->logged_us = t->logged_us;
    r->verify_within_ms = t->policy->verify.within_ms;
    (void)snprintf(r->version, sizeof(r->version), "%s", t->policy->version);
    r->timer.owner = r;
    if (r->policy == NULL || r->tenant == NULL || r->alarm_id == NULL ||
        r->alarm_name == NULL || r->target == NULL || r->vars == NULL ||
        json_object_set_new(r->vars, "policy", json_string(r->policy)) != 0 ||
        json_object_set_new(r->vars, "run.id", json_string(r->id)) != 0) {
        actuator_run_free(r);
        return NULL;
    }
    return r;
}

void engine_refuse(struct engine_refusal *f, const char *guard, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->guard = guard;
}

/* Target and plan of the run, or why they cannot be made. */
static void prepare(struct actuator_run *r, const struct engine_trigger *t,
                    struct engine_refusal *f)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf target;
    hale_buf_init(&target, ACTUATOR_TARGET_MAX - 1);
    enum hale_rc rc = actuator_template_expand(hale_str_from(t->policy->target), r->vars,
                                               ACTUATOR_HEADER, &target, missing);
    if (rc == HALE_OK) {
        free(r->target);
        r->target = hale_buf_take(&target);
        rc = r->target != NULL &&
                     json_object_set_new(r->vars, "target", json_string(r->target)) == 0
                 ? HALE_OK
                 : HALE_E_NOMEM;
    }
    hale_buf_fini(&target);
    if (r->target == NULL)
        r->target = strdup("");
    if (rc == HALE_OK)
        rc = actuator_policy_plan(t->policy, r->vars, &r->plan, missing);
    if (rc == HALE_OK &&
        (t->policy->verify.query != NULL || t->policy->verify.url != NULL))
        rc = actuator_proof_plan(&t->policy->verify, r->vars, &r->verify, missing);
    if (rc == HALE_E_NOTFOUND)
        engine_refuse(f, "variable", "the alarm has no (single) value for ${%s}",
                      missing);
    else if (rc == HALE_E_LIMIT)
        engine_refuse(f, "limit", "the target or a step becomes too long");
    else if (rc != HALE_OK)
        engine_refuse(f, "limit", "the plan could not be made (%s)", hale_rc_text(rc));
}

void engine_ask(struct actuator_engine *e, const struct actuator_run *r,
                const struct actuator_policy *p, struct engine_refusal *f)
{
    const struct actuator_run *holder = hale_map_get(e->leases, hale_str_from(r->target));
    if (holder != NULL) {
        f->passes = true;
        f->until_us = e->now_us + LEASE_RETRY_US;
        engine_refuse(f, "lease", "run %s of policy %s is at work on the target",
                      holder->id, holder->policy);
        return;
    }
    const json_t *memory = hale_map_get(e->guards, hale_str_from(r->target));
    struct actuator_verdict v =
        actuator_guard_ask(&p->guards, p->name, memory, e->now_us / 1000);
    if (v.allowed)
        return;
    f->passes = true;
    f->until_us = v.until_ms * 1000;
    engine_refuse(f, v.guard, "%s: not before %lld ms from now",
                  strcmp(v.guard, "cooldown") == 0
                      ? "the target rests after a run"
                      : "the policy has run often enough on the target",
                  (long long)(v.until_ms - e->now_us / 1000));
}

static void suppress(struct actuator_engine *e, struct actuator_run *r,
                     const struct engine_trigger *t, const struct engine_refusal *f)
{
    bool wait =
        f->passes && t->policy->repeat == 1 && t->policy->mode != ACTUATOR_OBSERVE;
    json_t *detail = json_pack("{s:s}", "guard", f->guard);
    if (f->until_us > 0 && strcmp(f->guard, "lease") != 0 && detail != NULL &&
        json_object_set_new(detail, "until_ms", json_integer(f->until_us / 1000)) != 0)
        hale_error("event=out_of_memory run=%s", r->id);
    int64_t *counter = strcmp(f->guard, "cooldown") == 0 ? &e->stats.suppressed_cooldown
                       : strcmp(f->guard, "frequency") == 0
                           ? &e->stats.suppressed_frequency
                       : strcmp(f->guard, "lease") == 0 ? &e->stats.suppressed_lease
                                                        : &e->stats.suppressed_other;
    (*counter)++;
    (void)snprintf(r->outcome, sizeof(r->outcome), "suppressed");
    (void)snprintf(r->refused, sizeof(r->refused), "%s", f->guard);
    json_decref(r->plan);
    r->plan = NULL;
    r->state = wait ? ACTUATOR_WAITING : ACTUATOR_DONE;
    r->again_us = f->until_us;
    r->wake_us = wait ? f->until_us : 0;
    life_row(e, r, "suppressed", false, detail, "%s", f->text);
    life_commit(e, r, ACTUATOR_OP_NOTE, wait ? AFTER_ARM : AFTER_FORGET, t->position);
}

/* The plan, for the journal. */
static json_t *would_call(const struct actuator_run *r)
{
    json_t *calls = json_array();
    for (size_t i = 0; calls != NULL && i < json_array_size(r->plan); i++) {
        json_t *step = json_copy(json_array_get(r->plan, i));
        (void)json_object_del(step, "headers"); /* they may carry secrets */
        (void)json_object_del(step, "token_file");
        if (json_array_append_new(calls, step) != 0)
            break;
    }
    return calls;
}

static void observe(struct actuator_engine *e, struct actuator_run *r,
                    const struct engine_trigger *t, const struct engine_refusal *f)
{
    const json_t *first = json_array_get(r->plan, 0);
    const char *operation = json_string_value(json_object_get(first, "operation"));
    const char *url = json_string_value(json_object_get(first, "url"));
    json_t *detail = json_pack("{s:o,s:s}", "would_call", would_call(r), "guard",
                               f->guard != NULL ? f->guard : "");
    life_row(e, r, "observed", false, detail, "would call %s%s%.300s%s%.150s",
             operation != NULL ? operation : "", operation != NULL ? " at " : "",
             url != NULL ? url : "", f->guard != NULL ? ", but: " : "",
             f->guard != NULL ? f->text : "");
    json_decref(r->plan);
    r->plan = NULL;
    r->state = ACTUATOR_DONE;
    (void)snprintf(r->outcome, sizeof(r->outcome), "observed");
    e->stats.observed++;
    life_commit(e, r, ACTUATOR_OP_NOTE, AFTER_FORGET, t->position);
}

bool engine_birth(struct actuator_engine *e, struct actuator_run *r,
                  const struct actuator_policy *p, enum actuator_op op, int64_t position)
{
    int64_t keep = p->guards.frequency_max > 0 ? p->guards.frequency_max : 1;
    json_t *memory = memory_make(e, r->target);
    if (memory == NULL ||
        actuator_guard_began(memory, p->name, e->now_us / 1000, keep) != HALE_OK ||
        hale_map_put(e->leases, hale_str_from(r->target), r) != HALE_OK)
        return false;
    e->stats.born++;
    r->born_us = e->now_us;
    if (r->alarm_state == HALE_STATE_OK)
        r->cleared_us = e->now_us;
    scaling_began(e, r);
    life_row(e, r, "triggered", false,
             r->version[0] != '\0' ? json_pack("{s:s}", "version", r->version) : NULL,
             "%s%s%s: %.300s", r->alarm_name, scaling_is(r) ? "" : " is ",
             scaling_is(r) ? "" : hale_state_text((enum hale_state)r->alarm_state),
             json_string_value(json_object_get(r->vars, "alarm.reason")));
    life_begin_call(e, r, op, position);
    return true;
}

void engine_fire(struct actuator_engine *e, const struct engine_trigger *t)
{
    struct engine_refusal f = {0};
    struct actuator_run *r = new_run(t);
    if (r == NULL) {
        hale_error("event=out_of_memory policy=%s alarm=%s", t->policy->name,
                   t->alarm_id);
        return;
    }
    if (engine_known(e, r->id)) { /* the log is read again after a restart */
        actuator_run_free(r);
        return;
    }
    if (hale_map_count(e->runs) >= ACTUATOR_RUNS_MAX ||
        hale_map_put(e->runs, hale_str_from(r->id), r) != HALE_OK) {
        hale_error("event=too_many_runs policy=%s alarm=%s", t->policy->name,
                   t->alarm_id);
        e->stats.suppressed_other++;
        actuator_run_free(r);
        return;
    }
    prepare(r, t, &f);
    if (t->refused != NULL)
        engine_refuse(&f, t->refused, "%s", t->why);
    if (f.guard == NULL)
        engine_ask(e, r, t->policy, &f);
    if (f.guard == NULL && r->mode != ACTUATOR_AUTO &&
        verdict_stands(e, r->policy, r->target)) {
        f.passes = true;
        f.until_us = e->now_us + LEASE_RETRY_US;
        engine_refuse(&f, "proposal", "a proposal for the target waits for approval");
    }
    if (t->policy->mode == ACTUATOR_OBSERVE && r->plan != NULL)
        observe(e, r, t, &f);
    else if (f.guard != NULL)
        suppress(e, r, t, &f);
    else if (r->mode != ACTUATOR_AUTO)
        verdict_propose(e, r, t->policy, json_pack("{s:o}", "would_call", would_call(r)),
                        t->position);
    else if (!engine_birth(e, r, t->policy, ACTUATOR_OP_BIRTH, t->position)) {
        engine_refuse(&f, "limit", "no memory left for guards");
        suppress(e, r, t, &f);
    }
}

void engine_try_again(struct actuator_engine *e, struct actuator_run *r)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    struct engine_refusal f = {0};
    if (p == NULL || p->repeat != 1 || p->mode == ACTUATOR_OBSERVE) {
        engine_forget_record(e, r->id);
        engine_forget_run(e, r);
        return;
    }
    engine_ask(e, r, p, &f);
    if (f.guard != NULL &&
        (strcmp(f.guard, "lease") == 0 || strcmp(f.guard, r->refused) == 0)) {
        life_arm(e, r, f.until_us); /* it is in the journal, or soon over */
        return;
    }
    json_t *vars = json_incref(r->vars);
    char *tenant = strdup(r->tenant), *alarm_id = strdup(r->alarm_id),
         *alarm_name = strdup(r->alarm_name);
    struct engine_trigger t = {.policy = p,
                               .tenant = tenant,
                               .alarm_id = alarm_id,
                               .alarm_name = alarm_name,
                               .vars = vars,
                               .seq = r->alarm_seq,
                               .n = r->n + 1,
                               .accepted_us = r->accepted_us,
                               .logged_us = r->logged_us,
                               .state = r->alarm_state};
    engine_forget_record(e, r->id); /* goes with the new run's first commit */
    engine_forget_run(e, r);
    if (tenant != NULL && alarm_id != NULL && alarm_name != NULL)
        engine_fire(e, &t);
    json_decref(vars);
    free(tenant);
    free(alarm_id);
    free(alarm_name);
}
