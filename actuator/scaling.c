/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/scaling.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/metric.h"
#include "actuator/policy_load.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"

#define HOUR_MS   3600000.0
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

struct scaling_raw {
    char *tenant;
    int64_t every, fresh, min, max, warm_up;
    NODE track;
    NODE steps;
    NODE size;
    NODE stabilise;
    NODE rate;
    NODE calls[2];
};
#define S(member) offsetof(struct scaling_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"tenant", HALE_CONF_STRING, S(tenant), false, "default", 0, 0, NULL,
     "whose runs they are"},
    {"every", HALE_CONF_DURATION, S(every), false, "15s", 100, HOUR_MS, NULL,
     "how often it is looked at"},
    {"fresh", HALE_CONF_DURATION, S(fresh), false, "60s", 1000, HOUR_MS, NULL,
     "older samples are no data"},
    {"track", HALE_CONF_NODE, S(track), false, NULL, 0, 0, NULL,
     "{query, value, of, tolerance}: keep a metric near a value"},
    {"steps", HALE_CONF_NODE, S(steps), false, NULL, 0, 0, NULL,
     "{query, rules}: add or remove when a metric is above or below"},
    {"size", HALE_CONF_NODE, S(size), true, NULL, 0, 0, NULL,
     "{query}, or whom to ask how many there are"},
    {"min", HALE_CONF_INT, S(min), true, NULL, 0, ACTUATOR_SIZE_MAX, NULL,
     "never fewer than that"},
    {"max", HALE_CONF_INT, S(max), true, NULL, 1, ACTUATOR_SIZE_MAX, NULL,
     "never more than that"},
    {"warm_up", HALE_CONF_DURATION, S(warm_up), false, "2m", 0, HOUR_MS, NULL,
     "until a new instance carries load"},
    {"stabilise", HALE_CONF_NODE, S(stabilise), false, NULL, 0, 0, NULL,
     "{up, down}: windows whose most cautious recommendation counts"},
    {"rate", HALE_CONF_NODE, S(rate), false, NULL, 0, 0, NULL,
     "{up, down}: each {max, per} or a list of them"},
    {"scale_out", HALE_CONF_NODE, S(calls[ACTUATOR_UP]), false, NULL, 0, 0, NULL,
     "steps that make it more"},
    {"scale_in", HALE_CONF_NODE, S(calls[ACTUATOR_DOWN]), false, NULL, 0, 0, NULL,
     "steps that make it fewer"},
};

struct track_raw {
    char *query, *tolerance;
    double value;
    int of;
};
static const char *const OF[] = {"average", "total", NULL};
#define T(member) offsetof(struct track_raw, member)
static const struct hale_conf_field TRACK_FIELDS[] = {
    {"query", HALE_CONF_STRING, T(query), true, NULL, 0, 0, NULL, "PromQL"},
    {"value", HALE_CONF_DOUBLE, T(value), true, NULL, 1e-9, 1e15, NULL,
     "what one instance should have"},
    {"of", HALE_CONF_ENUM, T(of), false, "average", 0, 0, OF,
     "the query is an average per instance, or the total"},
    {"tolerance", HALE_CONF_STRING, T(tolerance), false, "10%", 0, 0, NULL,
     "how far from the value nothing is done"},
};

struct steps_raw {
    char *query;
    NODE rules;
};
static const struct hale_conf_field STEPS_FIELDS[] = {
    {"query", HALE_CONF_STRING, offsetof(struct steps_raw, query), true, NULL, 0, 0, NULL,
     "PromQL"},
    {"rules", HALE_CONF_NODE, offsetof(struct steps_raw, rules), true, NULL, 0, 0, NULL,
     "list of {above or below, add, remove or set}"},
};

struct rule_raw {
    NODE above;
    NODE below;
    NODE act[3]; /* by enum actuator_scaler_act */
};
#define R(member) offsetof(struct rule_raw, member)
static const struct hale_conf_field RULE_FIELDS[] = {
    {"above", HALE_CONF_NODE, R(above), false, NULL, 0, 0, NULL, "bound"},
    {"below", HALE_CONF_NODE, R(below), false, NULL, 0, 0, NULL, "bound"},
    {"add", HALE_CONF_NODE, R(act[ACTUATOR_ADD]), false, NULL, 0, 0, NULL, "2 or 50%"},
    {"remove", HALE_CONF_NODE, R(act[ACTUATOR_REMOVE]), false, NULL, 0, 0, NULL,
     "2 or 50%"},
    {"set", HALE_CONF_NODE, R(act[ACTUATOR_SET]), false, NULL, 0, 0, NULL, "size"},
};

struct windows_raw {
    int64_t ms[2];
};
static const struct hale_conf_field WINDOWS_FIELDS[] = {
    {"up", HALE_CONF_DURATION, offsetof(struct windows_raw, ms[0]), false, "0s", 0,
     HOUR_MS, NULL, "before more"},
    {"down", HALE_CONF_DURATION, offsetof(struct windows_raw, ms[1]), false, "5m", 0,
     HOUR_MS, NULL, "before fewer"},
};

struct rates_raw {
    NODE of[2];
};
static const struct hale_conf_field RATES_FIELDS[] = {
    {"up", HALE_CONF_NODE, offsetof(struct rates_raw, of[0]), false, NULL, 0, 0, NULL,
     "more"},
    {"down", HALE_CONF_NODE, offsetof(struct rates_raw, of[1]), false, NULL, 0, 0, NULL,
     "fewer"},
};

struct rate_raw {
    NODE max;
    int64_t per;
};
static const struct hale_conf_field RATE_FIELDS[] = {
    {"max", HALE_CONF_NODE, offsetof(struct rate_raw, max), true, NULL, 0, 0, NULL,
     "2 or 50%"},
    {"per", HALE_CONF_DURATION, offsetof(struct rate_raw, per), true, NULL, 1000, HOUR_MS,
     NULL, "period"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- pieces ------------------------------------------------------------------------ */

static enum hale_rc check_query(NODE map, const char *query, struct hale_err *err)
{
    struct hale_err wrong;
    if (actuator_metric_check(hale_str_from(query), &wrong) == HALE_OK)
        return HALE_OK;
    return hale_yaml_error(hale_yaml_get(map, "query"), err, "query: %s", wrong.text);
}

/* "12" or "50%" */
static enum hale_rc read_amount(NODE node, const char *key, int64_t least,
                                struct actuator_amount *out, struct hale_err *err)
{
    struct hale_str text = hale_yaml_kind(node) == HALE_YAML_SCALAR
                               ? hale_yaml_text(node)
                               : (struct hale_str){0};
    out->percent = text.len > 1 && text.p[text.len - 1] == '%';
    if (out->percent)
        text.len--;
    if (text.len == 0 || hale_str_i64(text, &out->n) != HALE_OK || out->n < least ||
        out->n > ACTUATOR_SIZE_MAX)
        return hale_yaml_error(node, err,
                               "%s must be a whole number from %lld, or '50%%'", key,
                               (long long)least);
    return HALE_OK;
}

static enum hale_rc read_tolerance(NODE map, const char *text, double *out,
                                   struct hale_err *err)
{
    struct hale_str s = hale_str_from(text);
    bool percent = s.len > 1 && s.p[s.len - 1] == '%';
    if (percent)
        s.len--;
    enum hale_rc rc = hale_str_double(s, out);
    if (percent)
        *out /= 100;
    if (rc != HALE_OK || !(*out >= 0 && *out < 1))
        return hale_yaml_error(hale_yaml_get(map, "tolerance"), err,
                               "tolerance must be 0 to 99%%, like 10%% or 0.1");
    return HALE_OK;
}

static enum hale_rc read_track(NODE map, struct actuator_scaling *s, struct hale_err *err)
{
    struct track_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, TRACK_FIELDS, N(TRACK_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    s->rules.tracking = true;
    s->rules.total = raw.of == 1;
    s->rules.value = raw.value;
    rc = read_tolerance(map, raw.tolerance, &s->rules.tolerance, err);
    if (rc == HALE_OK)
        rc = check_query(map, raw.query, err);
    s->query = actuator_read_move(&raw.query);
    hale_conf_fini(TRACK_FIELDS, N(TRACK_FIELDS), &raw);
    return rc;
}

/* --- step rules -------------------------------------------------------------------- */

static enum hale_rc read_act(NODE item, const struct rule_raw *raw,
                             struct actuator_scaler_step *step, struct hale_err *err)
{
    static const char *const words[] = {"add", "remove", "set"};
    unsigned given = 0;
    for (unsigned i = 0; i < 3; i++)
        if (raw->act[i] != NULL) {
            step->act = (enum actuator_scaler_act)i;
            given++;
        }
    if (given != 1)
        return hale_yaml_error(item, err, "a rule has exactly one of: add, remove, set");
    NODE node = raw->act[step->act];
    enum hale_rc rc = read_amount(node, words[step->act],
                                  step->act == ACTUATOR_SET ? 0 : 1, &step->by, err);
    if (rc != HALE_OK)
        return rc;
    if (step->act == ACTUATOR_SET && step->by.percent)
        return hale_yaml_error(node, err, "set must be a size, not a percentage");
    return HALE_OK;
}

static enum hale_rc read_rule(NODE item, struct actuator_scaler_rules *rules,
                              struct hale_err *err)
{
    struct rule_raw raw = {0};
    enum hale_rc rc = hale_conf_read(item, RULE_FIELDS, N(RULE_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_scaler_step *step = &rules->step[rules->n_steps++];
    NODE bound = raw.above != NULL ? raw.above : raw.below;
    if ((raw.above == NULL) == (raw.below == NULL))
        return hale_yaml_error(item, err, "a rule has exactly one of: above, below");
    step->below = raw.below != NULL;
    if (hale_yaml_kind(bound) != HALE_YAML_SCALAR ||
        hale_str_double(hale_yaml_text(bound), &step->bound) != HALE_OK)
        return hale_yaml_error(bound, err, "%s must be a number",
                               step->below ? "below" : "above");
    return read_act(item, &raw, step, err);
}

/* What is above one bound is not below another: the two would fight. */
static enum hale_rc check_rules(NODE list, const struct actuator_scaler_rules *rules,
                                struct hale_err *err)
{
    for (unsigned i = 0; i < rules->n_steps; i++)
        for (unsigned k = 0; k < rules->n_steps; k++) {
            const struct actuator_scaler_step *a = &rules->step[i], *b = &rules->step[k];
            if (i != k && a->below == b->below && a->bound == b->bound)
                return hale_yaml_error(hale_yaml_item(list, k > i ? k : i), err,
                                       "two rules have the same bound");
            if (!a->below && b->below && b->bound > a->bound)
                return hale_yaml_error(hale_yaml_item(list, k), err,
                                       "'below' is over the 'above' of another rule: "
                                       "between them they would fight");
        }
    return HALE_OK;
}

static enum hale_rc read_steps(NODE map, struct actuator_scaling *s, struct hale_err *err)
{
    struct steps_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, STEPS_FIELDS, N(STEPS_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    s->query = raw.query;
    rc = check_query(map, raw.query, err);
    if (rc != HALE_OK)
        return rc;
    size_t n =
        hale_yaml_kind(raw.rules) == HALE_YAML_LIST ? hale_yaml_count(raw.rules) : 0;
    if (n == 0 || n > ACTUATOR_SCALER_STEPS_MAX)
        return hale_yaml_error(raw.rules, err, "rules must be a list of 1 to %d",
                               ACTUATOR_SCALER_STEPS_MAX);
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_rule(hale_yaml_item(raw.rules, i), &s->rules, err);
    return rc == HALE_OK ? check_rules(raw.rules, &s->rules, err) : rc;
}

/* --- bounds ------------------------------------------------------------------------ */

static enum hale_rc read_rate(NODE node, struct actuator_scaler_rules *rules, unsigned d,
                              struct hale_err *err)
{
    struct rate_raw raw = {0};
    enum hale_rc rc = hale_conf_read(node, RATE_FIELDS, N(RATE_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_rate *rate = &rules->rate[d][rules->n_rates[d]++];
    rate->per_ms = raw.per;
    return read_amount(raw.max, "max", 1, &rate->max, err);
}

static enum hale_rc read_rates(NODE map, struct actuator_scaler_rules *rules,
                               struct hale_err *err)
{
    struct rates_raw raw = {{NULL, NULL}};
    enum hale_rc rc = hale_conf_read(map, RATES_FIELDS, N(RATES_FIELDS), &raw, err);
    for (unsigned d = 0; d < 2 && rc == HALE_OK; d++) {
        if (hale_yaml_kind(raw.of[d]) == HALE_YAML_NULL)
            continue;
        if (hale_yaml_kind(raw.of[d]) != HALE_YAML_LIST) {
            rc = read_rate(raw.of[d], rules, d, err);
            continue;
        }
        if (hale_yaml_count(raw.of[d]) > ACTUATOR_SCALER_RATES_MAX)
            return hale_yaml_error(raw.of[d], err, "at most %d rates",
                                   ACTUATOR_SCALER_RATES_MAX);
        for (size_t i = 0; i < hale_yaml_count(raw.of[d]) && rc == HALE_OK; i++)
            rc = read_rate(hale_yaml_item(raw.of[d], i), rules, d, err);
    }
    return rc;
}

static enum hale_rc read_bounds(NODE map, const struct scaling_raw *raw,
                                struct actuator_scaler_rules *rules, struct hale_err *err)
{
    struct windows_raw windows = {{0, 0}};
    enum hale_rc rc =
        hale_conf_read(raw->stabilise, WINDOWS_FIELDS, N(WINDOWS_FIELDS), &windows, err);
    if (rc == HALE_OK)
        rc = read_rates(raw->rate, rules, err);
    rules->min = raw->min;
    rules->max = raw->max;
    rules->warm_up_ms = raw->warm_up;
    memcpy(rules->window_ms, windows.ms, sizeof(windows.ms));
    if (rc == HALE_OK && raw->min > raw->max)
        rc = hale_yaml_error(hale_yaml_get(map, "min"), err, "min is greater than max");
    return rc;
}

/* --- a policy ---------------------------------------------------------------------- */

struct fields {
    struct hale_conf_field v[ACTUATOR_POLICY_FIELDS_MAX + N(FIELDS)];
    size_t n, common; /* size of the struct of the common ones: ours follows it */
};

static void make_fields(struct fields *f)
{
    f->n = actuator_policy_fields(f->v, &f->common);
    for (size_t i = 0; i < N(FIELDS); i++) {
        f->v[f->n] = FIELDS[i];
        f->v[f->n++].offset += f->common;
    }
}

static enum hale_rc read_size(NODE map, struct actuator_scaling *s, struct hale_err *err)
{
    json_t *vars = actuator_scaling_vars(s);
    enum hale_rc rc =
        vars != NULL ? actuator_size_read(map, vars, &s->size, err) : nomem(err);
    json_decref(vars);
    return rc;
}

static enum hale_rc read_own(NODE map, struct scaling_raw *raw,
                             struct actuator_scaling *s, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    s->tenant = actuator_read_move(&raw->tenant);
    s->every_ms = raw->every;
    s->fresh_ms = raw->fresh;
    if (s->tenant[0] == '\0' || strlen(s->tenant) > 64)
        rc = hale_yaml_error(hale_yaml_get(map, "tenant"), err,
                             "tenant has 1 to 64 characters");
    if (rc == HALE_OK && (raw->track == NULL) == (raw->steps == NULL))
        rc = hale_yaml_error(map, err,
                             "a scaling policy has exactly one of: track, steps");
    if (rc == HALE_OK && raw->calls[0] == NULL && raw->calls[1] == NULL)
        rc = hale_yaml_error(map, err, "scale_out or scale_in says what to call");
    if (rc == HALE_OK)
        rc = raw->track != NULL ? read_track(raw->track, s, err)
                                : read_steps(raw->steps, s, err);
    if (rc == HALE_OK)
        rc = read_size(raw->size, s, err);
    return rc == HALE_OK ? read_bounds(map, raw, &s->rules, err) : rc;
}

/* Read for each direction, so that each policy has texts of its own. */
static enum hale_rc read_direction(NODE map, const struct fields *f, unsigned d,
                                   struct actuator_policies *set,
                                   struct actuator_scaling *s, struct hale_err *err)
{
    void *block = calloc(1, f->common + sizeof(struct scaling_raw));
    if (block == NULL)
        return nomem(err);
    struct scaling_raw *own = (void *)((char *)block + f->common);
    enum hale_rc rc = hale_conf_read(map, f->v, f->n, block, err);
    if (rc == HALE_OK) {
        rc = actuator_policy_fill(map, block, own->calls[d], set, &s->by[d], err);
        if (rc == HALE_OK && d == ACTUATOR_UP)
            rc = read_own(map, own, s, err);
        hale_conf_fini(f->v, f->n, block);
    }
    free(block);
    return rc;
}

enum hale_rc actuator_scaling_read(NODE list, struct actuator_policies *set,
                                   struct hale_err *err)
{
    struct fields f;
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return rc;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "scaling must be a list ('- name: ...')");
    size_t n = hale_yaml_count(list);
    if (n > ACTUATOR_SCALINGS_MAX)
        return hale_yaml_error(list, err, "at most %d scaling policies",
                               ACTUATOR_SCALINGS_MAX);
    set->scaling = calloc(n > 0 ? n : 1, sizeof(*set->scaling));
    if (set->scaling == NULL)
        return nomem(err);
    make_fields(&f);
    for (size_t i = 0; i < n && rc == HALE_OK; i++) {
        NODE map = hale_yaml_item(list, i);
        if (hale_yaml_kind(map) == HALE_YAML_NULL)
            return hale_yaml_error(map, err, "this scaling policy is empty");
        struct actuator_scaling *s = &set->scaling[set->n_scaling++];
        rc = read_direction(map, &f, ACTUATOR_UP, set, s, err);
        if (rc == HALE_OK)
            rc = read_direction(map, &f, ACTUATOR_DOWN, set, s, err);
    }
    return rc;
}

/* --- the rest ---------------------------------------------------------------------- */

void actuator_scaling_fini(struct actuator_scaling *s)
{
    free(s->tenant);
    free(s->query);
    actuator_size_fini(&s->size);
    actuator_policy_fini(&s->by[0]);
    actuator_policy_fini(&s->by[1]);
}

const struct actuator_scaling *actuator_scaling_find(const struct actuator_policies *p,
                                                     const char *name)
{
    for (unsigned i = 0; i < p->n_scaling; i++)
        if (strcmp(p->scaling[i].by[0].name, name) == 0)
            return &p->scaling[i];
    return NULL;
}

json_t *actuator_scaling_vars(const struct actuator_scaling *s)
{
    return json_pack("{s:s,s:s,s:s}", "policy", s->by[0].name, "target", s->by[0].target,
                     "tenant", s->tenant);
}
