/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storms - the fleets that policies guard: whether enough of each stand, how many runs are at work
 * on one, and the latch while one is below its floor (declared in engine_private.h). Such a storm
 * ends when the fleet has been well for the rule's storm_cooldown without a break; it stands in
 * the policy's memory, so it survives a restart (the time that it has been well does not).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/fleet.h"
#include "actuator/template.h"
#include "base/log.h"

#define COUNT_US 200000  /* a count is good for so long, unless an alarm has changed */
#define CHECK_US 1000000 /* storms are looked at so often */
#define TYPE     "hale.loop.storm"

struct fleet {
    char *key;
    char *policy, *tenant, *target;
    json_t *labels; /* variables filled in; NULL: any */
    struct actuator_fleet count;
    bool known; /* the count is */
    int64_t counted_us;
    uint64_t version;
    int64_t storm_ms;   /* since when; 0: none */
    int64_t healthy_us; /* in a storm: well since then; 0: is not */
};

void storms_free(void *fleet)
{
    struct fleet *f = fleet;
    if (f == NULL)
        return;
    free(f->key);
    free(f->policy);
    free(f->tenant);
    free(f->target);
    json_decref(f->labels);
    free(f);
}

static json_t *labels_of(const struct actuator_policy *p, const json_t *vars)
{
    char missing[ACTUATOR_NAME_MAX];
    json_t *labels = NULL;
    if (p->guards.fleet.labels == NULL)
        return json_object();
    if (actuator_template_json(p->guards.fleet.labels, vars, &labels, missing) != HALE_OK)
        return NULL;
    return labels;
}

static char *key_of(const char *policy, const char *tenant, const json_t *labels)
{
    char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS), *key = NULL;
    if (text != NULL && asprintf(&key, "%s\n%s\n%s", policy, tenant, text) < 0)
        key = NULL;
    free(text);
    return key;
}

/* labels are taken. NULL: no memory, or too many. */
static struct fleet *fleet_get(struct actuator_engine *e, const char *policy,
                               const char *tenant, const char *target, json_t *labels)
{
    char *key = labels != NULL ? key_of(policy, tenant, labels) : NULL;
    struct fleet *f = key != NULL ? hale_map_get(e->fleets, hale_str_from(key)) : NULL;
    if (f != NULL || key == NULL) {
        free(key);
        json_decref(labels);
        return f;
    }
    f = calloc(1, sizeof(*f));
    if (f == NULL) {
        free(key);
        json_decref(labels);
        return NULL;
    }
    f->key = key;
    f->labels = labels;
    f->policy = strdup(policy);
    f->tenant = strdup(tenant);
    f->target = strdup(target);
    if (hale_map_count(e->fleets) >= ENGINE_FLEETS_MAX && e->n_storms == 0)
        hale_map_clear(e->fleets); /* only counts are lost */
    if (f->policy == NULL || f->tenant == NULL || f->target == NULL ||
        hale_map_put(e->fleets, hale_str_from(f->key), f) != HALE_OK) {
        storms_free(f);
        return NULL;
    }
    return f;
}

static void count(struct actuator_engine *e, struct fleet *f,
                  const struct actuator_policy *p)
{
    uint64_t version = actuator_watch_version(e->watch);
    if (f->counted_us > 0 && f->version == version &&
        e->now_us - f->counted_us < COUNT_US)
        return;
    struct hale_graph *g =
        e->io.topology != NULL ? e->io.topology(e->io.arg, f->tenant) : NULL;
    f->known = g != NULL && !actuator_watch_full(e->watch);
    f->counted_us = e->now_us;
    f->version = version;
    if (f->known)
        f->count =
            actuator_fleet_count(&p->guards.fleet, f->labels, f->tenant, g, e->watch);
}

/* The other runs at work on the same fleet. */
static int64_t at_work(const struct actuator_engine *e, const struct actuator_run *r,
                       const struct actuator_policy *p, const json_t *labels)
{
    const struct actuator_run *other;
    int64_t n = 0;
    size_t it = 0;
    while ((other = hale_map_next(e->leases, &it, NULL)) != NULL) {
        const struct actuator_policy *q =
            actuator_policies_find(e->policies, other->policy);
        if (other == r || q == NULL || q->guards.fleet.type == NULL ||
            strcmp(q->guards.fleet.type, p->guards.fleet.type) != 0 ||
            strcmp(other->tenant, r->tenant) != 0)
            continue;
        json_t *theirs = labels_of(q, other->vars);
        n += json_equal(theirs, labels) ? 1 : 0;
        json_decref(theirs);
    }
    return n;
}

static struct fleet_verdict denied(int64_t until_us, bool storm, const char *text)
{
    struct fleet_verdict v = {.storm = storm, .until_us = until_us};
    (void)snprintf(v.text, sizeof(v.text), "%s", text);
    return v;
}

struct fleet_verdict storms_ask(struct actuator_engine *e, const struct actuator_run *r,
                                const struct actuator_policy *p)
{
    const struct actuator_fleet_rule *rule = &p->guards.fleet;
    struct fleet_verdict v = {.allowed = true};
    json_t *labels = labels_of(p, r->vars);
    if (labels == NULL)
        return denied(0, false, "the alarm has no value for the labels of the fleet");
    struct fleet *f = fleet_get(e, p->name, r->tenant, p->guards.fleet.type, labels);
    int64_t again_us = e->now_us + CHECK_US;
    if (f == NULL)
        return denied(again_us, false, "too many fleets");
    if (rule->min_healthy > 0 || f->storm_ms > 0) {
        count(e, f, p);
        if (!f->known)
            return denied(again_us, false, "the state of the fleet is not known");
        (void)snprintf(v.text, sizeof(v.text), "%lld of %lld %.32s healthy",
                       (long long)f->count.healthy, (long long)f->count.members,
                       rule->type);
        if (rule->min_healthy > 0 && !actuator_fleet_stands(rule, &f->count)) {
            char text[sizeof(v.text)];
            (void)snprintf(text, sizeof(text), "%.80s, and %lld%s must be", v.text,
                           (long long)rule->min_healthy, rule->percent ? "%" : "");
            return denied(again_us, f->count.members > 0, text);
        }
        if (f->storm_ms > 0) /* whoever ends it is storms_check */
            return denied(again_us, true,
                          "the fleet has not been well for long enough after a storm");
    }
    int64_t busy = rule->max_concurrent > 0 ? at_work(e, r, p, f->labels) : 0;
    if (rule->max_concurrent > 0 && busy >= rule->max_concurrent) {
        (void)snprintf(v.text, sizeof(v.text), "%lld runs are at work on the fleet",
                       (long long)busy);
        v.allowed = false;
        v.until_us = again_us;
    }
    return v;
}

/* --- storms ------------------------------------------------------------------------ */

/* The policy's memory of its storms, made if absent; or NULL. */
static json_t *storms_of(struct actuator_engine *e, const char *policy, char *field)
{
    json_t *memory = memory_make(e, memory_field(ACTUATOR_SCOPE_POLICY, policy, field));
    json_t *storms = json_object_get(memory, "storms");
    if (memory == NULL || storms != NULL)
        return storms;
    storms = json_object();
    return storms != NULL && json_object_set_new(memory, "storms", storms) == 0 ? storms
                                                                                : NULL;
}

static void tell(struct actuator_engine *e, const struct fleet *f, bool clear,
                 const char *text)
{
    const struct loop_alarm alarm = {.type = TYPE,
                                     .tenant = f->tenant,
                                     .policy = f->policy,
                                     .target = f->target,
                                     .text = text,
                                     .clear = clear};
    loop_alarm(e, &alarm);
    life_row_alone(e, clear ? "unlatched" : "latched", &alarm,
                   json_pack("{s:s,s:I,s:I}", "word", "storm", "healthy",
                             (json_int_t)f->count.healthy, "members",
                             (json_int_t)f->count.members));
}

void storms_begin(struct actuator_engine *e, const struct actuator_run *r,
                  const struct actuator_policy *p)
{
    char field[ENGINE_FIELD_MAX], text[200];
    struct fleet *f =
        fleet_get(e, p->name, r->tenant, p->guards.fleet.type, labels_of(p, r->vars));
    if (f == NULL || f->storm_ms > 0)
        return;
    json_t *storms = storms_of(e, p->name, field);
    json_t *row =
        json_pack("{s:I,s:s,s:s,s:O}", "since_ms", (json_int_t)(e->now_us / 1000),
                  "tenant", f->tenant, "target", f->target, "labels", f->labels);
    if (storms == NULL || json_object_set_new_nocheck(storms, f->key, row) != 0) {
        hale_error("event=out_of_memory policy=%s", p->name);
        return;
    }
    f->storm_ms = e->now_us / 1000;
    f->healthy_us = 0;
    e->n_storms++;
    e->stats.storms++;
    e->storms_us = e->now_us + CHECK_US;
    (void)snprintf(text, sizeof(text),
                   "%lld of %lld %.32s are healthy: nothing is done about them until "
                   "enough have been for %lld s",
                   (long long)f->count.healthy, (long long)f->count.members,
                   p->guards.fleet.type,
                   (long long)p->guards.fleet.storm_cooldown_ms / 1000);
    memory_touch(e, field);
    tell(e, f, false, text);
}

void storms_load(struct actuator_engine *e)
{
    struct hale_str key;
    const json_t *memory;
    size_t it = 0;
    while ((memory = hale_map_next(e->guards, &it, &key)) != NULL) {
        json_t *storms = json_object_get(memory, "storms"), *one;
        const char *name;
        char policy[ACTUATOR_POLICY_NAME_MAX + 1];
        if (storms == NULL || key.len <= strlen("policy:"))
            continue;
        (void)snprintf(policy, sizeof(policy), "%.*s", (int)(key.len - strlen("policy:")),
                       key.p + strlen("policy:"));
        json_object_foreach (storms, name, one) {
            const char *tenant = json_string_value(json_object_get(one, "tenant"));
            const char *target = json_string_value(json_object_get(one, "target"));
            struct fleet *f = tenant != NULL && target != NULL
                                  ? fleet_get(e, policy, tenant, target,
                                              json_incref(json_object_get(one, "labels")))
                                  : NULL;
            if (f == NULL || f->storm_ms > 0)
                continue;
            f->storm_ms = json_integer_value(json_object_get(one, "since_ms"));
            e->n_storms++;
        }
    }
    e->storms_us = e->now_us;
}

static void end_storm(struct actuator_engine *e, struct fleet *f, const char *text)
{
    char field[ENGINE_FIELD_MAX];
    json_t *storms = storms_of(e, f->policy, field);
    (void)json_object_del(storms, f->key); /* it is there, or nothing is */
    if (storms != NULL)
        memory_touch(e, field);
    f->storm_ms = f->healthy_us = 0;
    e->n_storms--;
    tell(e, f, true, text);
    life_commit_alone(e);
}

void storms_check(struct actuator_engine *e)
{
    struct fleet *f;
    size_t it = 0;
    if (e->n_storms == 0)
        return;
    e->storms_us = e->now_us + CHECK_US;
    while ((f = hale_map_next(e->fleets, &it, NULL)) != NULL) {
        if (f->storm_ms == 0)
            continue;
        const struct actuator_policy *p = actuator_policies_find(e->policies, f->policy);
        if (p == NULL || p->guards.fleet.type == NULL) {
            end_storm(e, f, "the policy no longer guards the fleet");
            continue;
        }
        count(e, f, p);
        if (!f->known || !actuator_fleet_stands(&p->guards.fleet, &f->count))
            f->healthy_us = 0;
        else if (f->healthy_us == 0)
            f->healthy_us = e->now_us;
        if (f->healthy_us > 0 &&
            e->now_us - f->healthy_us >= p->guards.fleet.storm_cooldown_ms * 1000)
            end_storm(e, f, "the fleet has been well for long enough: it acts again");
    }
}
