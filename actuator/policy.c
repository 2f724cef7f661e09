/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/policy_exec.h"
#include "actuator/policy_flow.h"
#include "actuator/policy_lcm.h"
#include "actuator/policy_webhook.h"
#include "actuator/scaling.h"
#include "actuator/template.h"
#include "actuator/upkeep_policy.h"
#include "base/clock.h"

#define URL_MAX_BYTES 8192

void actuator_policy_step_fini(struct actuator_step *s)
{
    free(s->url);
    free(s->token_file);
    free(s->credentials);
    free(s->instance);
    free(s->version);
    json_decref(s->way);
    free(s->cloud);
    free(s->method);
    free(s->name);
    actuator_proof_fini(&s->verify);
    actuator_proof_fini(&s->until);
    json_decref(s->headers);
    json_decref(s->body);
    json_decref(s->answer);
    json_decref(s->argv);
    json_decref(s->check);
    memset(s, 0, sizeof(*s));
}

const char *actuator_mode_text(int mode)
{
    static const char *const words[] = {"observe", "suggest", "approve", "auto"};
    return mode >= 0 && mode <= ACTUATOR_AUTO ? words[mode] : "observe";
}

void actuator_policy_fini(struct actuator_policy *p)
{
    free(p->name);
    free(p->target);
    free(p->version);
    actuator_proof_fini(&p->verify);
    free(p->site);
    actuator_guard_rules_fini(&p->guards);
    json_decref(p->dimensions);
    for (unsigned i = 0; i < p->definition.n; i++)
        free(p->definition.v[i]);
    free(p->definition.v);
    for (unsigned i = 0; i < p->n_steps; i++)
        actuator_policy_step_fini(&p->step[i]);
}

void actuator_policies_free(struct actuator_policies *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n; i++)
        actuator_policy_fini(&p->v[i]);
    for (unsigned i = 0; i < p->n_scaling; i++)
        actuator_scaling_fini(&p->scaling[i]);
    actuator_upkeep_conf_free(p->upkeep);
    free(p->scaling);
    free(p->v);
    free(p);
}

const struct actuator_policy *actuator_policies_find(const struct actuator_policies *p,
                                                     const char *name)
{
    for (unsigned i = 0; i < actuator_policies_count(p); i++)
        if (strcmp(actuator_policies_at(p, i)->name, name) == 0)
            return actuator_policies_at(p, i);
    return NULL;
}

unsigned actuator_policies_count(const struct actuator_policies *p)
{
    return p->n + 2 * p->n_scaling + (p->upkeep != NULL ? ACTUATOR_UPKEEP_KINDS : 0);
}

const struct actuator_policy *actuator_policies_at(const struct actuator_policies *p,
                                                   unsigned i)
{
    if (i >= p->n + 2 * p->n_scaling)
        return &p->upkeep->by[i - p->n - 2 * p->n_scaling];
    return i < p->n ? &p->v[i] : &p->scaling[(i - p->n) / 2].by[(i - p->n) % 2];
}

/* Adds the dimensions of one object; a key seen with another value becomes JSON null. */
static bool add_dimensions(json_t *vars, json_t *dimensions)
{
    const char *key;
    json_t *value;
    json_object_foreach (dimensions, key, value) {
        json_t *have = json_object_get(vars, key);
        int rc = 0;
        if (have == NULL)
            rc = json_object_set_nocheck(vars, key, value);
        else if (!json_equal(have, value))
            rc = json_object_set_new_nocheck(vars, key, json_null());
        if (rc != 0)
            return false;
    }
    return true;
}

static bool set(json_t *vars, const char *key, const char *value)
{
    json_t *text = json_string(value != NULL ? value : "");
    if (text == NULL)
        text = json_string(""); /* not UTF-8 */
    return json_object_set_new_nocheck(vars, key, text) == 0;
}

json_t *actuator_policy_vars(const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    char iso[HALE_CLOCK_ISO_MAX], seq[24];
    json_t *metrics_dims = json_object(), *vars = json_object();
    json_t *metric;
    size_t i;
    bool ok = metrics_dims != NULL && vars != NULL;

    json_array_foreach (a->metrics, i, metric)
        ok = ok && add_dimensions(metrics_dims, json_object_get(metric, "dimensions"));
    /* the group decides over the metrics: it is the alarm's identity */
    ok = ok && json_object_update(metrics_dims, a->group) == 0;
    if (ok) {
        const char *key;
        json_t *value;
        json_object_foreach (metrics_dims, key, value)
            if (json_is_string(value))
                ok = ok && json_object_set_nocheck(vars, key, value) == 0;
    }
    (void)snprintf(seq, sizeof(seq), "%lld", (long long)rec->seq);
    ok = ok && set(vars, "alarm.id", a->id) &&
         set(vars, "alarm.name", a->definition_name) &&
         set(vars, "alarm.state", hale_state_text(a->state)) &&
         set(vars, "alarm.old_state", hale_state_text(rec->old_state)) &&
         set(vars, "alarm.severity", hale_severity_text(a->severity)) &&
         set(vars, "alarm.reason", a->reason) && set(vars, "alarm.seq", seq) &&
         set(vars, "alarm.time", hale_clock_iso_ms(rec->time_ms, iso)) &&
         set(vars, "tenant", a->tenant);
    json_decref(metrics_dims);
    if (ok)
        return vars;
    json_decref(vars);
    return NULL;
}

bool actuator_policy_symptom(const struct hale_log_record *rec)
{
    const json_t *mutes = json_object_get(rec->alarm.life, "suppressed_by");
    const json_t *mute;
    size_t i;
    if (rec->announce || (rec->kind != HALE_ALARM_TRANSITION &&
                          (rec->kind != HALE_ALARM_UPDATED || rec->op == NULL ||
                           strcmp(rec->op, "cause") != 0)))
        return false;
    json_array_foreach (mutes, i, mute) {
        const char *kind = json_string_value(json_object_get(mute, "kind"));
        if (kind == NULL || strcmp(kind, "cause") != 0)
            return false;
    }
    return json_array_size(mutes) > 0;
}

bool actuator_policy_selects(const struct actuator_policy *p,
                             const struct hale_log_record *rec, const json_t *vars)
{
    const struct hale_alarm *a = &rec->alarm;
    /* the loops' own alarms only for those that ask for them: none may feed itself */
    bool named = p->definition.n == 0 &&
                 strncmp(a->definition_name, "hale.loop.", strlen("hale.loop.")) != 0;
    for (unsigned i = 0; i < p->definition.n; i++)
        named = named || strcmp(p->definition.v[i], a->definition_name) == 0;
    if (!named || (p->severities & 1u << a->severity) == 0 ||
        (p->states & 1u << a->state) == 0)
        return false;
    if (p->source != 0 && (p->source == 2) != a->from_event)
        return false;

    const char *key;
    json_t *want;
    json_object_foreach (p->dimensions, key, want) {
        const char *have = json_string_value(json_object_get(vars, key));
        if (have == NULL || (strcmp(json_string_value(want), "*") != 0 &&
                             strcmp(json_string_value(want), have) != 0))
            return false;
    }
    return true;
}

static enum hale_rc expand(const char *text, const json_t *vars,
                           enum actuator_escape escape, json_t **out, char *missing)
{
    struct hale_buf buf;
    hale_buf_init(&buf, URL_MAX_BYTES);
    enum hale_rc rc =
        actuator_template_expand(hale_str_from(text), vars, escape, &buf, missing);
    if (rc == HALE_OK) {
        *out = json_stringn(buf.len > 0 ? buf.p : "", buf.len);
        rc = *out != NULL ? HALE_OK : HALE_E_INVAL;
    }
    hale_buf_fini(&buf);
    return rc;
}

/* Header values go through their own escaping; names are fixed. */
static enum hale_rc plan_headers(const json_t *headers, const json_t *vars, json_t **out,
                                 char *missing)
{
    enum hale_rc rc = HALE_OK;
    const char *name;
    json_t *value, *text = NULL;
    *out = json_object();
    if (*out == NULL)
        return HALE_E_NOMEM;
    json_object_foreach ((json_t *)(uintptr_t)headers, name, value) {
        rc = expand(json_string_value(value), vars, ACTUATOR_HEADER, &text, missing);
        if (rc == HALE_OK && json_object_set_new(*out, name, text) != 0)
            rc = HALE_E_NOMEM;
        if (rc != HALE_OK)
            return rc;
    }
    return rc;
}

/* A step's texts with the alarm's values in them; NULL where the step has none. */
struct texts {
    json_t *url, *instance, *headers, *body, *way;
};

static enum hale_rc fill_texts(const struct actuator_step *s, const json_t *vars,
                               struct texts *out, char *missing)
{
    enum hale_rc rc =
        s->url != NULL ? expand(s->url, vars, ACTUATOR_URL, &out->url, missing) : HALE_OK;
    if (rc == HALE_OK && s->instance != NULL)
        rc = expand(s->instance, vars, ACTUATOR_PLAIN, &out->instance, missing);
    if (rc == HALE_OK && s->way != NULL)
        rc = actuator_template_json(s->way, vars, &out->way, missing);
    if (rc == HALE_OK)
        rc = plan_headers(s->headers, vars, &out->headers, missing);
    if (rc == HALE_OK && s->body != NULL)
        rc = actuator_template_json(s->body, vars, &out->body, missing);
    return rc;
}

/* NULL without memory. "*": left out when NULL. */
static json_t *pack_step(const struct actuator_step *s, const struct texts *t)
{
    const char *auth = s->auth == 0 ? "bearer" : "x-auth-token";
    if (s->type == ACTUATOR_VIM)
        return json_pack("{s:s,s:s,s:s,s:O,s:I,s:I,s:I,s:I}", "type", s->kind, "cloud",
                         s->cloud, "action", s->action, "args", t->body, "timeout_ms",
                         (json_int_t)s->timeout_ms, "poll_ms", (json_int_t)s->poll_ms,
                         "retries", (json_int_t)s->retries, "parallel",
                         (json_int_t)s->parallel);
    if (s->type == ACTUATOR_LCM)
        return actuator_policy_pack_lcm(s, t->url, t->instance, t->body, t->way);
    return json_pack("{s:s,s:O,s:s,s:I,s:I,s:s*,s:s*,s:O*,s:O,s:s}", "type", "webhook",
                     "url", t->url, "auth", auth, "timeout_ms", (json_int_t)s->timeout_ms,
                     "retries", (json_int_t)s->retries, "token_file", s->token_file,
                     "credentials", s->credentials, "body", t->body, "headers",
                     t->headers, "method", s->method);
}

static enum hale_rc plan_step(const struct actuator_step *s, const json_t *vars,
                              json_t **out, char *missing)
{
    struct texts t = {NULL, NULL, NULL, NULL, NULL};
    if (s->type == ACTUATOR_STEP_WAIT)
        return actuator_flow_plan_wait(s, vars, out, missing);
    if (s->type == ACTUATOR_EXEC)
        return actuator_policy_plan_exec(s, vars, out, missing);
    enum hale_rc rc = fill_texts(s, vars, &t, missing);
    if (rc == HALE_OK) {
        *out = pack_step(s, &t);
        rc = *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    if (rc == HALE_OK && s->type == ACTUATOR_WEBHOOK)
        rc = actuator_policy_plan_answer(s, vars, *out, missing);
    json_decref(t.url);
    json_decref(t.instance);
    json_decref(t.way);
    json_decref(t.headers);
    json_decref(t.body);
    return rc;
}

enum hale_rc actuator_policy_plan(const struct actuator_policy *p, const json_t *vars,
                                  json_t **out, char *missing)
{
    json_t *plan = json_array();
    enum hale_rc rc = plan != NULL ? HALE_OK : HALE_E_NOMEM;
    missing[0] = '\0';
    for (unsigned i = 0; i < p->n_steps && rc == HALE_OK; i++) {
        json_t *step = NULL;
        rc = plan_step(&p->step[i], vars, &step, missing);
        if (rc == HALE_OK)
            rc = actuator_flow_plan(p, i, vars, step, missing);
        if (rc == HALE_OK && json_array_append(plan, step) != 0)
            rc = HALE_E_NOMEM;
        json_decref(step);
    }
    *out = rc == HALE_OK ? plan : NULL;
    if (rc != HALE_OK)
        json_decref(plan);
    return rc;
}
