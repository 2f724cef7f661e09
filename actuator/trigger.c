/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trigger - from a policy that was selected to a run, or to the reason why there is none (declared
 * in engine_private.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/template.h"
#include "base/log.h"

#define LEASE_RETRY_US 250000 /* a waiting run looks whether the target is free */

static struct actuator_run *new_run(const struct actuator_engine *e,
                                    const struct engine_trigger *t)
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
    r->site = strdup("");
    r->vars = json_copy(t->vars);
    r->mode = engine_mode(e, t->policy);
    r->alarm_seq = t->seq;
    r->alarm_state = t->state;
    r->n = t->n;
    r->accepted_us = t->accepted_us;
    r->logged_us = t->logged_us;
    r->verify_within_ms = t->policy->verify.within_ms;
    (void)snprintf(r->version, sizeof(r->version), "%s", t->policy->version);
    r->timer.owner = r;
    if (r->policy == NULL || r->tenant == NULL || r->alarm_id == NULL ||
        r->alarm_name == NULL || r->target == NULL || r->site == NULL ||
        r->vars == NULL ||
        json_object_set_new(r->vars, "policy", json_string(r->policy)) != 0 ||
        json_object_set_new(r->vars, "run.id", json_string(r->id)) != 0) {
        actuator_run_free(r);
        return NULL;
    }
    return r;
}

static enum hale_rc fill_site(struct actuator_run *r, const char *site, char *missing)
{
    struct hale_buf text;
    hale_buf_init(&text, ACTUATOR_TARGET_MAX - 1);
    enum hale_rc rc = actuator_template_expand(hale_str_from(site), r->vars,
                                               ACTUATOR_HEADER, &text, missing);
    char *copy = rc == HALE_OK ? hale_buf_take(&text) : NULL;
    hale_buf_fini(&text);
    if (copy != NULL) {
        free(r->site);
        r->site = copy;
    }
    return rc == HALE_OK && copy == NULL ? HALE_E_NOMEM : rc;
}

/* Target, site and plan of the run, or why they cannot be made. */
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
    if (rc == HALE_OK && memory_reserved(r->target)) {
        engine_refuse(f, "limit", "a target may not begin like a memory of the guards");
        return;
    }
    if (rc == HALE_OK && t->policy->site != NULL)
        rc = fill_site(r, t->policy->site, missing);
    if (rc == HALE_OK)
        rc = actuator_policy_plan(t->policy, r->vars, &r->plan, missing);
    if (rc == HALE_OK &&
        (t->policy->verify.query != NULL || t->policy->verify.url != NULL))
        rc = actuator_proof_plan(&t->policy->verify, r->vars, &r->verify, missing);
    if (rc == HALE_E_NOTFOUND)
        engine_refuse(f, "variable", "the alarm has no (single, usable) value for ${%s}",
                      missing);
    else if (rc == HALE_E_LIMIT)
        engine_refuse(f, "limit", "the target or a step becomes too long");
    else if (rc != HALE_OK)
        engine_refuse(f, "limit", "the plan could not be made (%s)", hale_rc_text(rc));
}

static void suppress(struct actuator_engine *e, struct actuator_run *r,
                     const struct engine_trigger *t, struct engine_refusal *f)
{
    bool wait = f->passes && t->policy->repeat == 1 && r->mode != ACTUATOR_OBSERVE;
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
    (void)snprintf(r->ended, sizeof(r->ended), "%.190s", f->text);
    life_row(e, r, "suppressed", false, guards_detail(f, detail), "%s", f->text);
    guards_refused(e, r, f);
    life_commit(e, r, ACTUATOR_OP_NOTE, wait ? AFTER_ARM : AFTER_FORGET, t->position);
}

/* An address without its query, which may carry secrets. */
static void cut_query(json_t *o)
{
    const char *url = json_string_value(json_object_get(o, "url"));
    size_t n = url != NULL ? strcspn(url, "?#") : 0;
    if (url != NULL && url[n] != '\0' &&
        json_object_set_new(o, "url", json_stringn(url, n)) != 0)
        (void)json_object_del(o, "url");
}

/* The plan, for the journal. */
static json_t *would_call(const struct actuator_run *r)
{
    json_t *calls = json_array();
    for (size_t i = 0; calls != NULL && i < json_array_size(r->plan); i++) {
        json_t *step = json_deep_copy(json_array_get(r->plan, i));
        cut_query(step);
        cut_query(json_object_get(step, "verify"));
        cut_query(json_object_get(step, "until"));
        (void)json_object_del(step, "headers"); /* they may carry secrets */
        (void)json_object_del(step, "token_file");
        if (json_array_append_new(calls, step) != 0)
            break;
    }
    return calls;
}

static void observe(struct actuator_engine *e, struct actuator_run *r,
                    const struct engine_trigger *t, struct engine_refusal *f)
{
    const json_t *first = json_array_get(r->plan, 0);
    const char *operation = json_string_value(json_object_get(first, "operation"));
    const char *url = json_string_value(json_object_get(first, "url"));
    if (url == NULL) /* an executable's path */
        url = json_string_value(json_array_get(json_object_get(first, "argv"), 0));
    int n = url != NULL ? (int)strcspn(url, "?#") : 0;
    json_t *detail = json_pack("{s:o,s:s}", "would_call", would_call(r), "guard",
                               f->guard != NULL ? f->guard : "");
    life_row(e, r, "observed", false, guards_detail(f, detail),
             "would call %s%s%.*s%s%.150s", operation != NULL ? operation : "",
             operation != NULL ? " at " : "", n < 300 ? n : 300, url != NULL ? url : "",
             f->guard != NULL ? ", but: " : "", f->guard != NULL ? f->text : "");
    json_decref(r->plan);
    r->plan = NULL;
    r->state = ACTUATOR_DONE;
    (void)snprintf(r->outcome, sizeof(r->outcome), "observed");
    e->stats.observed++;
    life_commit(e, r, ACTUATOR_OP_NOTE, AFTER_FORGET, t->position);
}

bool engine_birth(struct actuator_engine *e, struct actuator_run *r,
                  const struct actuator_policy *p, struct engine_refusal *f,
                  enum actuator_op op, int64_t position)
{
    if (!guards_began(e, r, p) ||
        hale_map_put(e->leases, hale_str_from(r->target), r) != HALE_OK)
        return false;
    e->stats.born++;
    r->born_us = e->now_us;
    if (r->alarm_state == HALE_STATE_OK)
        r->cleared_us = e->now_us;
    json_t *detail =
        r->version[0] != '\0' ? json_pack("{s:s}", "version", r->version) : NULL;
    scaling_began(e, r);
    life_row(e, r, "triggered", false, guards_detail(f, detail), "%s%s%s: %.300s",
             r->alarm_name, engine_no_alarm(r) ? "" : " is ",
             engine_no_alarm(r) ? "" : hale_state_text((enum hale_state)r->alarm_state),
             json_string_value(json_object_get(r->vars, "alarm.reason")));
    life_begin_call(e, r, op, position);
    return true;
}

/* Waits until the alarm has stood for long enough; false: it has. */
static bool stabilise(struct actuator_engine *e, struct actuator_run *r,
                      const struct engine_trigger *t)
{
    int64_t since_us = t->since_us > 0 ? t->since_us : t->logged_us;
    int64_t until_us = since_us + t->policy->stabilise_ms * 1000;
    if (t->n > 0 || until_us <= e->now_us)
        return false;
    json_decref(r->plan); /* it is made anew then */
    r->plan = NULL;
    r->state = ACTUATOR_WAITING;
    r->again_us = r->wake_us = until_us;
    life_commit(e, r, ACTUATOR_OP_NOTE, AFTER_ARM, t->position);
    return true;
}

void engine_fire(struct actuator_engine *e, const struct engine_trigger *t)
{
    struct engine_refusal f = {0};
    struct actuator_run *r = new_run(e, t);
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
    if (f.guard == NULL && t->refused == NULL && stabilise(e, r, t))
        return;
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
    if (r->mode == ACTUATOR_OBSERVE && r->plan != NULL)
        observe(e, r, t, &f);
    else if (f.guard != NULL)
        suppress(e, r, t, &f);
    else if (r->mode != ACTUATOR_AUTO)
        verdict_propose(
            e, r, t->policy,
            guards_detail(&f, json_pack("{s:o}", "would_call", would_call(r))),
            t->position);
    else if (!engine_birth(e, r, t->policy, &f, ACTUATOR_OP_BIRTH, t->position)) {
        engine_refuse(&f, "limit", "no memory left for guards");
        suppress(e, r, t, &f);
    }
    json_decref(f.verdicts);
}

void engine_try_again(struct actuator_engine *e, struct actuator_run *r)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    struct engine_refusal f = {.quiet = true};
    bool young = r->outcome[0] == '\0'; /* it waited for the alarm to stand long enough */
    if (p == NULL || (!young && (p->repeat != 1 || p->mode == ACTUATOR_OBSERVE))) {
        engine_forget_record(e, r->id);
        engine_forget_run(e, r);
        return;
    }
    if (!young)
        engine_ask(e, r, p, &f);
    if (f.guard != NULL && f.passes &&
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
