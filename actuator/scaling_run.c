/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scaling_run - from a look at a scaling policy to a run of the engine, and what such a run writes
 * into the policy's memory (declared in engine.h and engine_private.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/scaling.h"
#include "base/log.h"

#define QUIET_FIRST_MS    60000  /* after a guard's refusal without a time */
#define QUIET_MAX_MS      600000 /* doubling up to that */
#define QUIET_PROPOSAL_MS 600000 /* the same is not proposed sooner */
#define PREFIX            ACTUATOR_SCALING_PREFIX

bool scaling_is(const struct actuator_run *r)
{
    return strncmp(r->alarm_id, PREFIX, sizeof(PREFIX) - 1) == 0;
}

static const char *field_of(const char *name, char dst[ENGINE_FIELD_MAX])
{
    (void)snprintf(dst, ENGINE_FIELD_MAX, PREFIX "%s", name);
    return dst;
}

/* --- memory ------------------------------------------------------------------------ */

static void load(const struct actuator_engine *e, const char *name, int64_t now_ms,
                 struct actuator_scaler_memory *out)
{
    char field[ENGINE_FIELD_MAX];
    if (actuator_scaler_decode(memory_find(e, field_of(name, field)), out) == HALE_OK)
        return;
    hale_error("event=scaling_memory_unreadable policy=%s", name);
    memset(out, 0, sizeof(*out));
    out->decision = now_ms; /* a number that was never used */
}

/* Goes with the next commit. */
static void store(struct actuator_engine *e, const char *name,
                  const struct actuator_scaler_memory *m)
{
    char field[ENGINE_FIELD_MAX];
    json_t *memory = memory_make(e, field_of(name, field));
    if (memory == NULL || actuator_scaler_encode(m, memory) != HALE_OK)
        hale_error("event=out_of_memory policy=%s", name);
    memory_touch(e, field);
}

static int64_t number_of(const struct actuator_run *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->vars, key));
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

void scaling_began(struct actuator_engine *e, const struct actuator_run *r)
{
    static const struct actuator_scaler_rules none;
    struct actuator_scaler_memory m;
    if (!scaling_is(r))
        return;
    const struct actuator_scaling *s = actuator_scaling_find(e->policies, r->policy);
    load(e, r->policy, e->now_us / 1000, &m);
    m.decision = r->alarm_seq > m.decision ? r->alarm_seq : m.decision;
    actuator_scaler_began(&m, s != NULL ? &s->rules : &none, e->now_us / 1000,
                          number_of(r, "scale.from"), number_of(r, "scale.to"));
    store(e, r->policy, &m);
}

void scaling_commit(struct actuator_engine *e, const struct actuator_run *r,
                    enum actuator_op op)
{
    struct actuator_scaler_memory m;
    if (!scaling_is(r) || (op != ACTUATOR_OP_NOTE && op != ACTUATOR_OP_END))
        return;
    load(e, r->policy, e->now_us / 1000, &m);
    m.decision = r->alarm_seq > m.decision ? r->alarm_seq : m.decision;
    if (op == ACTUATOR_OP_END)
        actuator_scaler_ended(&m, e->now_us / 1000, strcmp(r->outcome, "verified") == 0);
    store(e, r->policy, &m);
}

/* --- decisions --------------------------------------------------------------------- */

void actuator_scaling_watch_init(struct actuator_scaling_watch *w, int64_t now_ms)
{
    memset(w, 0, sizeof(*w));
    actuator_scaler_window_init(&w->window, now_ms);
    w->told_from = w->told_to = -1;
}

static bool has_open_run(const struct actuator_engine *e, const char *name)
{
    const struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (r->state != ACTUATOR_DONE && strcmp(r->policy, name) == 0)
            return true;
    return false;
}

static bool put(json_t *vars, const char *key, const char *text)
{
    return json_object_set_new(vars, key, json_string(text)) == 0;
}

static json_t *run_vars(const struct actuator_scaling *s,
                        const struct actuator_look *look,
                        const struct actuator_scaling_decision *d)
{
    char from[24], to[24], by[24], metric[40] = "", reason[160];
    bool up = d->direction == ACTUATOR_UP;
    json_t *vars = actuator_scaling_vars(s);
    (void)snprintf(from, sizeof(from), "%lld", (long long)d->from);
    (void)snprintf(to, sizeof(to), "%lld", (long long)d->to);
    (void)snprintf(by, sizeof(by), "%lld", llabs((long long)(d->to - d->from)));
    if (look->metric_known)
        (void)snprintf(metric, sizeof(metric), "%.6g", look->metric);
    (void)snprintf(reason, sizeof(reason), "scale %s from %s to %s: metric %s, size %lld",
                   up ? "out" : "in", from, to, metric[0] != '\0' ? metric : "not known",
                   (long long)look->size);
    if (vars != NULL && put(vars, "scale.from", from) && put(vars, "scale.to", to) &&
        put(vars, "scale.by", by) && put(vars, "scale.metric", metric) &&
        put(vars, "scale.direction", up ? "up" : "down") &&
        put(vars, "alarm.name", s->by[0].name) && put(vars, "alarm.reason", reason))
        return vars;
    json_decref(vars);
    return NULL;
}

/* What became of the run, for the next look. */
static void remember(const struct actuator_engine *e, const char *run_id,
                     struct actuator_scaling_watch *w, int64_t now_ms,
                     const struct actuator_scaling_decision *d)
{
    const struct actuator_run *r = engine_find(e, run_id);
    int64_t *quiet = &w->quiet_ms[d->direction], *pause = &w->pause_ms[d->direction];
    if (r == NULL || strcmp(r->outcome, "suppressed") == 0) {
        *pause = *pause == 0                 ? QUIET_FIRST_MS
                 : *pause * 2 > QUIET_MAX_MS ? QUIET_MAX_MS
                                             : *pause * 2;
        *quiet = now_ms + *pause;
        if (r != NULL && r->again_us / 1000 > now_ms && r->again_us / 1000 < *quiet)
            *quiet = r->again_us / 1000; /* the guard said when */
        return;
    }
    *pause = *quiet = 0;
    w->told_from = w->told_to = -1;
    if (r->mode == ACTUATOR_AUTO)
        return;
    if (r->state == ACTUATOR_DONE) { /* it is written down, once */
        w->told_from = d->from;
        w->told_to = d->to;
    } else {
        *quiet = now_ms + QUIET_PROPOSAL_MS;
        w->proposed_ms = now_ms;
    }
}

static void fire(struct actuator_engine *e, const struct actuator_scaling *s,
                 struct actuator_scaling_watch *w, int64_t decision,
                 const struct actuator_look *look,
                 const struct actuator_scaling_decision *d)
{
    const struct actuator_policy *p = &s->by[d->direction];
    char run_id[HALE_UUID_TEXT], id[ENGINE_FIELD_MAX];
    json_t *vars = run_vars(s, look, d);
    (void)field_of(p->name, id);
    do /* ids of a memory that was lost are known still */
        actuator_run_id(p->name, id, ++decision, 0, run_id);
    while (engine_known(e, run_id));
    const struct engine_trigger t = {.policy = p,
                                     .tenant = s->tenant,
                                     .alarm_id = id,
                                     .alarm_name = p->name,
                                     .vars = vars,
                                     .seq = decision,
                                     .logged_us = e->now_us,
                                     .state = HALE_STATE_OK};
    if (vars == NULL) {
        hale_error("event=out_of_memory policy=%s", p->name);
        return;
    }
    engine_fire(e, &t);
    json_decref(vars);
    remember(e, run_id, w, look->now_ms, d);
}

static void hold(struct actuator_scaling_decision *d, enum actuator_hold why)
{
    d->hold = why;
    d->to = d->from;
}

int64_t actuator_engine_scaled_ms(const struct actuator_engine *e,
                                  const struct actuator_scaling *s, int64_t now_ms)
{
    struct actuator_scaler_memory m;
    load(e, s->by[0].name, now_ms, &m);
    return m.n > 0 ? m.change[m.n - 1].end_ms : 0;
}

void actuator_engine_scale(struct actuator_engine *e, const struct actuator_scaling *s,
                           struct actuator_scaling_watch *w,
                           const struct actuator_look *look,
                           struct actuator_scaling_decision *out)
{
    struct actuator_scaler_memory m;
    const char *name = s->by[0].name;
    e->now_us = look->now_ms * 1000;
    memset(out, 0, sizeof(*out));
    if (has_open_run(e, name)) { /* what is seen meanwhile is neither before nor after */
        w->window.hole_ms = look->now_ms;
        hold(out, ACTUATOR_HOLD_BUSY);
        return;
    }
    load(e, name, look->now_ms, &m);
    if (m.n > 0 && m.change[m.n - 1].end_ms == 0) { /* its run was lost to another */
        actuator_scaler_ended(&m, look->now_ms, false);
        store(e, name, &m);
    }
    if (m.n > 0 && m.change[m.n - 1].end_ms >= look->asked_ms) { /* of the time before */
        w->window.hole_ms = look->now_ms;
        hold(out, ACTUATOR_HOLD_BUSY);
        return;
    }
    if (w->proposed_ms > 0 && m.n > 0 && m.change[m.n - 1].at_ms >= w->proposed_ms) {
        w->quiet_ms[0] = w->quiet_ms[1] = 0; /* it was approved */
        w->proposed_ms = 0;
    }
    actuator_scaler_decide(&s->rules, &m, &w->window, look, out);
    if (out->hold != ACTUATOR_HOLD_NONE)
        return;
    if (s->by[out->direction].n_steps == 0)
        hold(out, ACTUATOR_HOLD_FINE);
    else if (look->now_ms < w->quiet_ms[out->direction])
        hold(out, ACTUATOR_HOLD_GUARD);
    else if (out->from == w->told_from && out->to == w->told_to)
        hold(out, ACTUATOR_HOLD_TOLD);
    else
        fire(e, s, w, m.decision, look, out);
}
