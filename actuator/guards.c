/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guards - asks everything that may keep a policy from acting, and notes what it did (declared in
 * engine_private.h). Every guard that is asked leaves a verdict.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "base/log.h"

#define LEASE_RETRY_US 250000  /* a waiting run looks whether the target is free */
#define LOOK_US        1000000 /* or whether something else has changed */

void engine_refuse(struct engine_refusal *f, const char *guard, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->guard = guard;
}

struct asking {
    struct actuator_engine *e;
    const struct actuator_run *r;
    const struct actuator_policy *p;
    struct engine_refusal *f;
    const struct actuator_watched *alarm; /* NULL: OK, or not known */
    const json_t *memory;                 /* of the target, or NULL */
    int64_t now_ms, opened_ms;
};

static void add_verdict(struct asking *a, const char *guard, bool allowed,
                        const char *text)
{
    if (a->f->quiet)
        return;
    if (a->f->verdicts == NULL)
        a->f->verdicts = json_array();
    json_t *one = json_pack("{s:s,s:b}", "guard", guard, "allowed", allowed);
    if (one != NULL && text[0] != '\0')
        (void)json_object_set_new(one, "text", json_string(text)); /* less is no loss */
    if (json_array_append_new(a->f->verdicts, one) != 0)
        hale_error("event=out_of_memory run=%s", a->r->id);
}

static void allow(struct asking *a, const char *guard, const char *text)
{
    add_verdict(a, guard, true, text);
}

/* until_us 0: for good. */
static void deny(struct asking *a, const char *guard, int64_t until_us, const char *fmt,
                 ...) HALE_PRINTF(4, 5);
static void deny(struct asking *a, const char *guard, int64_t until_us, const char *fmt,
                 ...)
{
    char text[sizeof(a->f->text)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add_verdict(a, guard, false, text);
    if (a->f->guard != NULL && (until_us > 0 || !a->f->passes))
        return;
    a->f->passes = until_us > 0;
    a->f->until_us = until_us;
    engine_refuse(a->f, guard, "%s", text);
}

/* --- one by one -------------------------------------------------------------------- */

static void ask_switch(struct asking *a)
{
    char text[160];
    if (guards_stopped(a->e, a->r->site, a->r->policy, text, sizeof(text)))
        deny(a, "switch", a->e->now_us + LOOK_US, "%s", text);
    else
        allow(a, "switch", "");
}

static void ask_when(struct asking *a)
{
    const struct actuator_when *w = &a->p->guards.when;
    int64_t until_ms = 0;
    if (w->n_hours > 0) {
        if (actuator_when_hours(w, a->now_ms, &until_ms))
            allow(a, "hours", "");
        else
            deny(a, "hours", until_ms * 1000, "not within its hours");
    }
    if (w->n_blackouts > 0) {
        if (actuator_when_blackout(w, a->r->target, a->r->vars, a->now_ms, &until_ms))
            allow(a, "blackout", "");
        else
            deny(a, "blackout", until_ms == INT64_MAX ? 0 : until_ms * 1000,
                 "the target is to be left alone");
    }
}

/* What the alarm is about, and what others say of it. */
static void ask_alarm(struct asking *a)
{
    const struct actuator_guard_rules *g = &a->p->guards;
    const char *entity = json_string_value(json_object_get(a->r->vars, "alarm.entity"));
    unsigned mutes = a->alarm != NULL ? a->alarm->mutes : 0;
    if (!g->ignore_maintenance) {
        if ((mutes & ACTUATOR_MUTE_MAINTENANCE) != 0)
            deny(a, "maintenance", a->e->now_us + LOOK_US,
                 "the alarm is silenced or its object in maintenance");
        else
            allow(a, "maintenance", "");
    }
    if (!g->ignore_parent && a->p->root_cause) { /* who asks for symptoms has them */
        if ((mutes & ACTUATOR_MUTE_CAUSE) != 0)
            deny(a, "parent_alarmed", a->e->now_us + LOOK_US,
                 "another alarm explains it, or may");
        else
            allow(a, "parent_alarmed", "");
    }
    if (entity != NULL && a->alarm != NULL) {
        if (strcmp(a->alarm->entity, entity) != 0)
            deny(a, "gone", 0, "%.100s is no longer what the alarm is about", entity);
        else
            allow(a, "gone", "");
    }
    if (g->in_topology) {
        if (entity == NULL)
            deny(a, "in_topology", 0, "the alarm is about nothing in the topology");
        else
            allow(a, "in_topology", entity);
    }
}

static void ask_data(struct asking *a)
{
    int64_t fresh_us = a->p->guards.data_fresh_ms * 1000;
    int64_t at_us = a->r->accepted_us > 0 ? a->r->accepted_us : a->r->logged_us;
    char text[64];
    if (fresh_us == 0)
        return;
    if (a->alarm != NULL && a->alarm->data_us > at_us)
        at_us = a->alarm->data_us;
    (void)snprintf(text, sizeof(text), "decided on data that are %lld ms old",
                   (long long)((a->e->now_us - at_us) / 1000));
    if (a->e->now_us - at_us > fresh_us)
        deny(a, "data_fresh", a->e->now_us + LOOK_US, "%s", text);
    else
        allow(a, "data_fresh", text);
}

/* The run that is at work on the target, on what contains it, or on what it contains. */
static const struct actuator_run *holder_of(const struct actuator_engine *e,
                                            const char *target)
{
    size_t len = strlen(target), it = 0;
    struct hale_str key;
    const struct actuator_run *holder;
    for (size_t n = 1; n <= len; n++) {
        if (n < len && target[n] != '/')
            continue;
        holder = hale_map_get(e->leases, (struct hale_str){target, n});
        if (holder != NULL)
            return holder;
    }
    while ((holder = hale_map_next(e->leases, &it, &key)) != NULL)
        if (key.len > len && key.p[len] == '/' && memcmp(key.p, target, len) == 0)
            return holder;
    return NULL;
}

static void ask_lease(struct asking *a)
{
    const struct actuator_run *holder = holder_of(a->e, a->r->target);
    if (holder == NULL)
        allow(a, "lease", "");
    else if (strcmp(holder->target, a->r->target) == 0)
        deny(a, "lease", a->e->now_us + LEASE_RETRY_US,
             "run %s of policy %s is at work on the target", holder->id, holder->policy);
    else
        deny(a, "lease", a->e->now_us + LEASE_RETRY_US,
             "run %s of policy %s is at work on %.80s", holder->id, holder->policy,
             holder->target);
}

static enum actuator_sizing sizing_of(const struct actuator_run *r)
{
    const json_t *plan = r->plan;
    const char *way = json_string_value(json_object_get(r->vars, "scale.direction"));
    if (scaling_is(r) && way != NULL)
        return strcmp(way, "up") == 0 ? ACTUATOR_WAY_UP : ACTUATOR_WAY_DOWN;
    const json_t *step;
    size_t i;
    json_array_foreach ((json_t *)(uintptr_t)plan, i, step) {
        const json_t *body = json_object_get(step, "body");
        const json_t *args = json_object_get(step, "args");
        const char *type = json_string_value(json_object_get(body, "type"));
        const char *action = json_string_value(json_object_get(step, "action"));
        const char *by = json_string_value(json_object_get(args, "by"));
        if (type != NULL && strcmp(type, "SCALE_OUT") == 0)
            return ACTUATOR_WAY_UP;
        if (type != NULL && strcmp(type, "SCALE_IN") == 0)
            return ACTUATOR_WAY_DOWN;
        if (action != NULL && strcmp(action, "scale-out") == 0)
            return ACTUATOR_WAY_UP;
        if (action != NULL && strcmp(action, "scale-in") == 0)
            return ACTUATOR_WAY_DOWN;
        if (by != NULL)
            return by[0] == '-' ? ACTUATOR_WAY_DOWN : ACTUATOR_WAY_UP;
    }
    return ACTUATOR_SAME_SIZE;
}

int64_t guards_rested_us(const struct actuator_engine *e, const struct actuator_run *r,
                         const struct actuator_policy *p)
{
    return actuator_guard_cooldown(&p->guards, r->policy, memory_find(e, r->target),
                                   sizing_of(r), latch_opened_ms(e, r->policy),
                                   e->now_us / 1000)
               .until_ms *
           1000;
}

static void ask_cooldown(struct asking *a)
{
    struct actuator_verdict v = actuator_guard_cooldown(
        &a->p->guards, a->r->policy, a->memory, sizing_of(a->r), a->opened_ms, a->now_ms);
    if (v.allowed)
        allow(a, "cooldown", "");
    else
        deny(a, "cooldown", v.until_ms * 1000,
             "the target rests after a run: not before %lld ms from now",
             (long long)(v.until_ms - a->now_ms));
}

static void ask_frequency(struct asking *a, const struct actuator_frequency *rule)
{
    static const char *const whose[] = {"the policy on the target", "the policy",
                                        "the site", "all policies"};
    char field[ENGINE_FIELD_MAX], text[100];
    bool of_target = rule->scope == ACTUATOR_SCOPE_TARGET;
    const char *name = rule->scope == ACTUATOR_SCOPE_SITE ? a->r->site : a->r->policy;
    if (rule->scope == ACTUATOR_SCOPE_SITE && a->r->site[0] == '\0')
        return; /* it has none */
    const json_t *memory =
        of_target ? a->memory
                  : memory_find(a->e, memory_field((enum actuator_scope)rule->scope, name,
                                                   field));
    struct actuator_verdict v =
        actuator_guard_frequency(rule, of_target ? a->r->policy : "", memory, a->now_ms);
    (void)snprintf(text, sizeof(text), "%lld runs of %s within %lld s",
                   (long long)rule->max, whose[rule->scope],
                   (long long)rule->per_ms / 1000);
    if (v.allowed)
        allow(a, "frequency", text);
    else
        deny(a, "frequency", v.until_ms * 1000, "%s: not before %lld ms from now", text,
             (long long)(v.until_ms - a->now_ms));
}

static void ask_fleet(struct asking *a)
{
    if (a->p->guards.fleet.type == NULL)
        return;
    struct fleet_verdict v = storms_ask(a->e, a->r, a->p);
    if (v.allowed)
        allow(a, "fleet", v.text);
    else
        deny(a, v.storm ? "fleet" : "fleet_busy", v.until_us, "%s", v.text);
}

static void ask_budget(struct asking *a)
{
    const struct actuator_guard_rules *g = &a->p->guards;
    if (g->flap_max == 0 || a->p->mode == ACTUATOR_OBSERVE ||
        latch_is_on(a->e, a->p->name))
        return; /* whoever approves it then knows */
    struct actuator_verdict v =
        actuator_guard_flap(g, a->memory, a->opened_ms, a->now_ms);
    if (v.allowed)
        allow(a, "flap_budget", "");
    else
        deny(a, "flap_budget", 0, "%lld runs on the target within %lld s: it oscillates",
             (long long)g->flap_max, (long long)g->flap_per_ms / 1000);
}

void engine_ask(struct actuator_engine *e, const struct actuator_run *r,
                const struct actuator_policy *p, struct engine_refusal *f)
{
    struct asking a = {.e = e,
                       .r = r,
                       .p = p,
                       .f = f,
                       .alarm = actuator_watch_find(e->watch, r->alarm_id),
                       .memory = memory_find(e, r->target),
                       .now_ms = e->now_us / 1000,
                       .opened_ms = latch_opened_ms(e, p->name)};
    ask_switch(&a);
    ask_when(&a);
    ask_alarm(&a);
    ask_data(&a);
    ask_lease(&a);
    ask_cooldown(&a);
    for (unsigned i = 0; i < p->guards.n_frequencies; i++)
        ask_frequency(&a, &p->guards.frequency[i]);
    ask_fleet(&a);
    if (f->guard == NULL) /* it has consequences: only if nothing else refuses */
        ask_budget(&a);
}

void engine_ask_step(struct actuator_engine *e, const struct actuator_run *r,
                     const struct actuator_policy *p, struct engine_refusal *f)
{
    struct asking a = {.e = e,
                       .r = r,
                       .p = p,
                       .f = f,
                       .alarm = actuator_watch_find(e->watch, r->alarm_id),
                       .now_ms = e->now_us / 1000};
    ask_switch(&a);
    ask_when(&a);
    ask_alarm(&a);
}

json_t *guards_detail(struct engine_refusal *f, json_t *detail)
{
    json_t *verdicts = f->verdicts;
    f->verdicts = NULL;
    if (detail == NULL)
        detail = json_object();
    if (verdicts != NULL && json_object_set_new(detail, "guards", verdicts) != 0)
        hale_error("event=out_of_memory what=verdicts");
    return detail;
}

/* --- noting ------------------------------------------------------------------------ */

void guards_refused(struct actuator_engine *e, const struct actuator_run *r,
                    const struct engine_refusal *f)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    if (p == NULL)
        return;
    if (strcmp(f->guard, "flap_budget") == 0)
        latch_close(e, r, "oscillating", f->text);
    else if (strcmp(f->guard, "fleet") == 0)
        storms_begin(e, r, p);
}

/* One more start in the memory of the scope. */
static bool began(struct actuator_engine *e, enum actuator_scope scope, const char *name,
                  const char *key)
{
    char field[ENGINE_FIELD_MAX];
    if (e->keep[scope] == 0)
        return true;
    json_t *memory = memory_make(e, memory_field(scope, name, field));
    if (memory == NULL ||
        actuator_guard_began(memory, key, e->now_us / 1000, e->keep[scope]) != HALE_OK)
        return false;
    memory_touch(e, field);
    return true;
}

bool guards_began(struct actuator_engine *e, const struct actuator_run *r,
                  const struct actuator_policy *p)
{
    json_t *memory = memory_make(e, r->target);
    return memory != NULL &&
           actuator_guard_ran(memory, e->now_us / 1000, e->keep_runs) == HALE_OK &&
           began(e, ACTUATOR_SCOPE_TARGET, r->target, p->name) &&
           began(e, ACTUATOR_SCOPE_POLICY, p->name, "") &&
           (r->site[0] == '\0' || began(e, ACTUATOR_SCOPE_SITE, r->site, "")) &&
           began(e, ACTUATOR_SCOPE_GLOBAL, "", "");
}

/* How many failures in a row there are now, on the target or of the policy as a whole. */
static int64_t result(struct actuator_engine *e, const struct actuator_run *r, bool good)
{
    char field[ENGINE_FIELD_MAX];
    int64_t now_ms = e->now_us / 1000, opened_ms = latch_opened_ms(e, r->policy);
    json_t *target = memory_make(e, r->target);
    json_t *policy =
        memory_make(e, memory_field(ACTUATOR_SCOPE_POLICY, r->policy, field));
    if (target == NULL || policy == NULL ||
        actuator_guard_result(target, r->policy, good, opened_ms, now_ms) != HALE_OK ||
        actuator_guard_result(policy, "", good, opened_ms, now_ms) != HALE_OK) {
        hale_error("event=out_of_memory run=%s", r->id);
        return 0;
    }
    memory_touch(e, field);
    int64_t here = actuator_guard_fails(target, r->policy, opened_ms, now_ms);
    int64_t all = actuator_guard_fails(policy, "", opened_ms, now_ms);
    return here > all ? here : all;
}

void guards_ended(struct actuator_engine *e, const struct actuator_run *r, bool good,
                  bool vain)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    json_t *memory = memory_make(e, r->target);
    char why[120];
    if (memory == NULL || actuator_guard_ended(memory, e->now_us / 1000) != HALE_OK)
        hale_error("event=out_of_memory run=%s", r->id);
    memory_touch(e, r->target);
    if (p == NULL || (p->guards.after_fail_ms == 0 && p->guards.exhausted == 0) ||
        (!good && !vain))
        return;
    int64_t n = result(e, r, good);
    if (p->guards.exhausted == 0 || n < p->guards.exhausted)
        return;
    (void)snprintf(why, sizeof(why), "%lld runs in vain in a row", (long long)n);
    latch_close(e, r, "exhausted", why);
}
