/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/template.h"
#include "base/assert.h"
#include "base/log.h"

#define ROW_MAX_BYTES  (256u << 10)
#define GUARDS_MAX     100000
#define LEASE_RETRY_US 250000 /* a waiting run looks whether the target is free */

struct trigger {
    const struct actuator_policy *policy;
    const char *tenant, *alarm_id, *alarm_name;
    json_t *vars; /* borrowed */
    int64_t seq, n, accepted_us, logged_us, position;
    int state;
    const char *refused; /* guard that refuses beforehand, or NULL */
    const char *why;     /* its words */
};

static void free_run(void *run)
{
    actuator_run_free(run);
}

static void free_json(void *json)
{
    json_decref(json);
}

struct actuator_engine *actuator_engine_new(const struct actuator_engine_io *io,
                                            const struct actuator_policies *policies)
{
    struct actuator_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->magic = ENGINE_MAGIC;
    e->io = *io;
    e->policies = policies;
    e->runs = hale_map_new(ACTUATOR_RUNS_MAX + 16, free_run);
    e->leases = hale_map_new(ACTUATOR_RUNS_MAX + 16, NULL);
    e->guards = hale_map_new(GUARDS_MAX, free_json);
    e->done = hale_map_new(ACTUATOR_DONE_KEPT + 16, NULL);
    e->done_ring = calloc(ACTUATOR_DONE_KEPT, sizeof(*e->done_ring));
    e->forget = calloc(ENGINE_FORGET_MAX, sizeof(*e->forget));
    e->timers = hale_timers_new(ACTUATOR_RUNS_MAX + 16);
    for (unsigned i = 0; i < ENGINE_ROWS_MAX; i++)
        hale_buf_init(&e->row_buf[i], ROW_MAX_BYTES);
    if (e->runs == NULL || e->leases == NULL || e->guards == NULL || e->done == NULL ||
        e->done_ring == NULL || e->forget == NULL || e->timers == NULL) {
        actuator_engine_free(e);
        return NULL;
    }
    return e;
}

void actuator_engine_free(struct actuator_engine *e)
{
    if (e == NULL)
        return;
    hale_map_free(e->leases);
    hale_map_free(e->runs);
    hale_map_free(e->guards);
    hale_map_free(e->done);
    hale_timers_free(e->timers);
    for (unsigned i = 0; i < ENGINE_ROWS_MAX; i++)
        hale_buf_fini(&e->row_buf[i]);
    free(e->done_ring);
    free(e->forget);
    free(e);
}

void actuator_engine_set_policies(struct actuator_engine *e,
                                  const struct actuator_policies *policies)
{
    HALE_CHECK(e, ENGINE_MAGIC);
    e->policies = policies;
}

/* --- tables ------------------------------------------------------------------------ */

struct actuator_run *engine_find(const struct actuator_engine *e, const char *run_id)
{
    return hale_map_get(e->runs, hale_str_from(run_id));
}

json_t *engine_guard(struct actuator_engine *e, const char *target)
{
    json_t *memory = hale_map_get(e->guards, hale_str_from(target));
    if (memory != NULL)
        return memory;
    memory = actuator_guard_memory_new();
    if (memory != NULL &&
        hale_map_put(e->guards, hale_str_from(target), memory) != HALE_OK) {
        json_decref(memory);
        memory = NULL;
    }
    return memory;
}

void engine_forget_record(struct actuator_engine *e, const char *run_id)
{
    if (e->forget_n < ENGINE_FORGET_MAX)
        memcpy(e->forget[e->forget_n++], run_id, HALE_UUID_TEXT);
}

static void remember_done(struct actuator_engine *e, const char *id, const char *op_occ)
{
    struct done_run *slot = &e->done_ring[e->done_at];
    if (e->done_n == ACTUATOR_DONE_KEPT) {
        hale_map_del(e->done, hale_str_from(slot->id));
        engine_forget_record(e, slot->id);
    } else {
        e->done_n++;
    }
    (void)snprintf(slot->id, sizeof(slot->id), "%s", id);
    (void)snprintf(slot->op_occ, sizeof(slot->op_occ), "%s", op_occ);
    if (hale_map_put(e->done, hale_str_from(slot->id), slot) != HALE_OK)
        hale_error("event=out_of_memory what=done_runs");
    e->done_at = (e->done_at + 1) % ACTUATOR_DONE_KEPT;
}

void engine_release_lease(struct actuator_engine *e, struct actuator_run *r)
{
    if (hale_map_get(e->leases, hale_str_from(r->target)) == r)
        hale_map_del(e->leases, hale_str_from(r->target));
}

void engine_forget_run(struct actuator_engine *e, struct actuator_run *r)
{
    engine_release_lease(e, r);
    hale_timers_disarm(e->timers, &r->timer);
    remember_done(e, r->id, r->op_occ);
    hale_map_del(e->runs, hale_str_from(r->id));
}

bool engine_op_taken(const char *op_id, void *engine)
{
    const struct actuator_engine *e = engine;
    const struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (strcmp(r->op_occ, op_id) == 0)
            return true;
    for (unsigned i = 0; i < e->done_n; i++)
        if (strcmp(e->done_ring[i].op_occ, op_id) == 0)
            return true;
    return false;
}

static bool known(const struct actuator_engine *e, const char *run_id)
{
    return engine_find(e, run_id) != NULL ||
           hale_map_get(e->done, hale_str_from(run_id)) != NULL;
}

/* --- triggers ---------------------------------------------------------------------- */

static struct actuator_run *new_run(const struct trigger *t)
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
    r->verify_within_ms = t->policy->verify_within_ms;
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

struct refusal {
    const char *guard; /* NULL: none */
    int64_t until_us;  /* 0: unknown */
    bool passes;       /* may be another matter later */
    char text[ACTUATOR_NAME_MAX + 200];
};

static void refuse(struct refusal *f, const char *guard, const char *fmt, ...)
    HALE_PRINTF(3, 4);
static void refuse(struct refusal *f, const char *guard, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->guard = guard;
}

/* Target and plan of the run, or why they cannot be made. */
static void prepare(struct actuator_run *r, const struct trigger *t, struct refusal *f)
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
    if (rc == HALE_E_NOTFOUND)
        refuse(f, "variable", "the alarm has no (single) value for ${%s}", missing);
    else if (rc == HALE_E_LIMIT)
        refuse(f, "limit", "the target or a step becomes too long");
    else if (rc != HALE_OK)
        refuse(f, "limit", "the plan could not be made (%s)", hale_rc_text(rc));
}

static void ask_guards(struct actuator_engine *e, const struct actuator_run *r,
                       const struct actuator_policy *p, struct refusal *f)
{
    const struct actuator_run *holder = hale_map_get(e->leases, hale_str_from(r->target));
    if (holder != NULL) {
        f->passes = true;
        f->until_us = e->now_us + LEASE_RETRY_US;
        refuse(f, "lease", "run %s of policy %s is at work on the target", holder->id,
               holder->policy);
        return;
    }
    const json_t *memory = hale_map_get(e->guards, hale_str_from(r->target));
    struct actuator_verdict v =
        actuator_guard_ask(&p->guards, p->name, memory, e->now_us / 1000);
    if (v.allowed)
        return;
    f->passes = true;
    f->until_us = v.until_ms * 1000;
    refuse(f, v.guard, "%s: not before %lld ms from now",
           strcmp(v.guard, "cooldown") == 0
               ? "the target rests after a run"
               : "the policy has run often enough on the target",
           (long long)(v.until_ms - e->now_us / 1000));
}

static void suppress(struct actuator_engine *e, struct actuator_run *r,
                     const struct trigger *t, const struct refusal *f)
{
    bool wait = f->passes && t->policy->repeat == 1 && t->policy->mode == ACTUATOR_AUTO;
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
    json_decref(r->plan);
    r->plan = NULL;
    r->state = wait ? ACTUATOR_WAITING : ACTUATOR_DONE;
    r->again_us = r->wake_us = wait ? f->until_us : 0;
    life_row(e, r, "suppressed", false, detail, "%s", f->text);
    life_commit(e, r, ACTUATOR_OP_NOTE, wait ? AFTER_ARM : AFTER_FORGET, t->position);
}

static void observe(struct actuator_engine *e, struct actuator_run *r,
                    const struct trigger *t, const struct refusal *f)
{
    const json_t *first = json_array_get(r->plan, 0);
    const char *operation = json_string_value(json_object_get(first, "operation"));
    const char *url = json_string_value(json_object_get(first, "url"));
    json_t *calls = json_array();
    for (size_t i = 0; calls != NULL && i < json_array_size(r->plan); i++) {
        json_t *step = json_copy(json_array_get(r->plan, i));
        (void)json_object_del(step, "headers"); /* they may carry secrets */
        (void)json_object_del(step, "token_file");
        if (json_array_append_new(calls, step) != 0)
            break;
    }
    json_t *detail = json_pack("{s:o,s:s}", "would_call", calls, "guard",
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

static void birth(struct actuator_engine *e, struct actuator_run *r,
                  const struct trigger *t)
{
    const struct actuator_policy *p = t->policy;
    int64_t keep = p->guards.frequency_max > 0 ? p->guards.frequency_max : 1;
    json_t *memory = engine_guard(e, r->target);
    if (memory == NULL ||
        actuator_guard_began(memory, p->name, e->now_us / 1000, keep) != HALE_OK ||
        hale_map_put(e->leases, hale_str_from(r->target), r) != HALE_OK) {
        struct refusal f = {0};
        refuse(&f, "limit", "no memory left for guards");
        suppress(e, r, t, &f);
        return;
    }
    e->stats.born++;
    r->born_us = e->now_us;
    if (r->alarm_state == HALE_STATE_OK)
        r->cleared_us = e->now_us;
    life_row(e, r, "triggered", false, NULL, "%s is %s: %.300s", r->alarm_name,
             hale_state_text((enum hale_state)r->alarm_state),
             json_string_value(json_object_get(r->vars, "alarm.reason")));
    life_begin_call(e, r, ACTUATOR_OP_BIRTH, t->position);
}

static void fire(struct actuator_engine *e, const struct trigger *t)
{
    struct refusal f = {0};
    struct actuator_run *r = new_run(t);
    if (r == NULL) {
        hale_error("event=out_of_memory policy=%s alarm=%s", t->policy->name,
                   t->alarm_id);
        return;
    }
    if (known(e, r->id)) { /* the log is read again after a restart */
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
        refuse(&f, t->refused, "%s", t->why);
    if (f.guard == NULL)
        ask_guards(e, r, t->policy, &f);
    if (t->policy->mode == ACTUATOR_OBSERVE && r->plan != NULL)
        observe(e, r, t, &f);
    else if (f.guard != NULL)
        suppress(e, r, t, &f);
    else
        birth(e, r, t);
}

void engine_try_again(struct actuator_engine *e, struct actuator_run *r)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    struct refusal f = {0};
    if (p == NULL || p->repeat != 1 || p->mode != ACTUATOR_AUTO) {
        engine_forget_record(e, r->id);
        engine_forget_run(e, r);
        return;
    }
    ask_guards(e, r, p, &f);
    if (f.guard != NULL) {
        life_arm(e, r, f.until_us);
        return;
    }
    json_t *vars = json_incref(r->vars);
    char *tenant = strdup(r->tenant), *alarm_id = strdup(r->alarm_id),
         *alarm_name = strdup(r->alarm_name);
    struct trigger t = {.policy = p,
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
        fire(e, &t);
    json_decref(vars);
    free(tenant);
    free(alarm_id);
    free(alarm_name);
}

/* --- records ----------------------------------------------------------------------- */

static void alarm_changed(struct actuator_engine *e, struct actuator_run *r, bool gone,
                          enum hale_state state, int64_t at_us)
{
    if (r->state == ACTUATOR_DONE)
        return;
    if (gone)
        r->alarm_gone = true;
    else if (state == HALE_STATE_OK && r->cleared_us == 0)
        r->cleared_us = at_us;
    else if (state == HALE_STATE_ALARM && r->alarm_state != HALE_STATE_OK)
        r->cleared_us = 0;
    if (r->state == ACTUATOR_WAITING && (gone || (int)state != r->alarm_state) &&
        r->busy == 0) {
        engine_forget_record(e, r->id);
        engine_forget_run(e, r);
    } else if (r->state == ACTUATOR_WAITING && (gone || (int)state != r->alarm_state)) {
        r->after = AFTER_FORGET;
    }
}

void actuator_engine_alarm_now(struct actuator_engine *e, const char *alarm_id, bool gone,
                               enum hale_state state, int64_t seq, int64_t changed_us)
{
    struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (strcmp(r->alarm_id, alarm_id) == 0 && (gone || seq > r->alarm_seq))
            alarm_changed(e, r, gone, state, changed_us);
}

void actuator_engine_record(struct actuator_engine *e, const struct hale_log_record *rec,
                            bool superseded, int64_t now_us)
{
    struct actuator_run *r;
    size_t it = 0;
    HALE_CHECK(e, ENGINE_MAGIC);
    e->now_us = now_us;
    actuator_engine_alarm_now(e, rec->alarm.id, rec->kind == HALE_ALARM_DELETED,
                              rec->alarm.state, rec->seq,
                              rec->logged_us > 0 ? rec->logged_us : now_us);
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (r->state == ACTUATOR_VERIFYING && strcmp(r->alarm_id, rec->alarm.id) == 0 &&
            (r->cleared_us > 0 || r->alarm_gone))
            life_check_verify(e, r);

    if (!rec->announce || rec->kind == HALE_ALARM_DELETED)
        return; /* suppressed, or nothing that there is a plan for */
    json_t *vars = actuator_policy_vars(rec);
    struct trigger t = {.tenant = rec->alarm.tenant,
                        .alarm_id = rec->alarm.id,
                        .alarm_name = rec->alarm.definition_name,
                        .vars = vars,
                        .seq = rec->seq,
                        .accepted_us = rec->accepted_us,
                        .logged_us = rec->logged_us,
                        .position = rec->seq,
                        .state = (int)rec->alarm.state};
    if (superseded) {
        t.refused = "superseded";
        t.why = "the alarm has changed again since: this is old news";
    } else if (!rec->alarm.actions_enabled) {
        t.refused = "actions_disabled";
        t.why = "the alarm definition has actions_enabled: false";
    }
    for (unsigned i = 0; vars != NULL && i < e->policies->n; i++) {
        t.policy = &e->policies->v[i];
        if (actuator_policy_selects(t.policy, rec, vars))
            fire(e, &t);
    }
    json_decref(vars);
}

/* --- the rest of the interface ----------------------------------------------------- */

enum hale_rc actuator_engine_load_run(struct actuator_engine *e, struct hale_str json)
{
    struct actuator_run *r = NULL;
    enum hale_rc rc = actuator_run_decode(json, &r);
    if (rc != HALE_OK)
        return rc;
    if (r->state == ACTUATOR_DONE || known(e, r->id)) {
        if (!known(e, r->id))
            remember_done(e, r->id, r->op_occ);
        actuator_run_free(r);
        return HALE_OK;
    }
    r->timer.owner = r;
    rc = hale_map_put(e->runs, hale_str_from(r->id), r);
    if (rc != HALE_OK) {
        actuator_run_free(r);
        return rc;
    }
    if (r->state == ACTUATOR_WAITING)
        return HALE_OK;
    return hale_map_put(e->leases, hale_str_from(r->target), r);
}

enum hale_rc actuator_engine_load_guard(struct actuator_engine *e, struct hale_str target,
                                        struct hale_str json)
{
    json_t *memory = json_loadb(json.p != NULL ? json.p : "", json.len, 0, NULL);
    if (!json_is_object(memory)) {
        json_decref(memory);
        return HALE_E_INVAL;
    }
    enum hale_rc rc = hale_map_put(e->guards, target, memory);
    if (rc != HALE_OK)
        json_decref(memory);
    return rc;
}

void actuator_engine_each_alarm(struct actuator_engine *e,
                                void (*each)(const char *alarm_id, void *arg), void *arg)
{
    const struct actuator_run *r;
    char **ids = calloc(hale_map_count(e->runs) + 1, sizeof(*ids));
    size_t it = 0, n = 0;
    while (ids != NULL && (r = hale_map_next(e->runs, &it, NULL)) != NULL)
        ids[n++] = strdup(r->alarm_id); /* each may change the table */
    for (size_t i = 0; i < n; i++) {
        if (ids[i] != NULL)
            each(ids[i], arg);
        free(ids[i]);
    }
    free(ids);
}

void actuator_engine_start(struct actuator_engine *e, int64_t now_us)
{
    struct actuator_run *r;
    size_t it = 0;
    e->now_us = now_us;
    e->renew_us = now_us + RENEW_US;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL) {
        if (r->state == ACTUATOR_WAITING)
            life_arm(e, r, r->again_us);
        else
            life_arm(e, r, now_us); /* token 0: takes its lease first */
    }
}

void actuator_engine_committed(struct actuator_engine *e, const char *run_id,
                               enum actuator_commit_result result, int64_t token,
                               const char *holder, int64_t now_us)
{
    struct actuator_run *r = engine_find(e, run_id);
    e->now_us = now_us;
    if (r != NULL)
        life_committed(e, r, result, token, holder);
}

void actuator_engine_answered(struct actuator_engine *e, const char *run_id,
                              const struct actuator_answer *a, int64_t now_us)
{
    struct actuator_run *r = engine_find(e, run_id);
    e->now_us = now_us;
    if (r != NULL)
        life_answered(e, r, a);
}

void actuator_engine_tick(struct actuator_engine *e, int64_t now_us)
{
    struct hale_timer *timer;
    struct actuator_run *r;
    size_t it = 0;
    e->now_us = now_us;
    while ((timer = hale_timers_pop(e->timers, now_us)) != NULL)
        life_wake(e, timer->owner);
    if (now_us < e->renew_us)
        return;
    e->renew_us = now_us + RENEW_US;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if ((r->state == ACTUATOR_OPEN || r->state == ACTUATOR_VERIFYING) &&
            r->busy == 0 && r->token > 0)
            life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_NOTHING, 0);
}

int64_t actuator_engine_next_us(const struct actuator_engine *e)
{
    int64_t timer = hale_timers_next(e->timers);
    return hale_map_count(e->runs) > 0 && e->renew_us < timer ? e->renew_us : timer;
}

struct actuator_engine_stats actuator_engine_stats(const struct actuator_engine *e)
{
    struct actuator_engine_stats s = e->stats;
    s.open = (int64_t)hale_map_count(e->runs);
    return s;
}
