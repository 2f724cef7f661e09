/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_flow.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS    86400000.0
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *
#define NAME_MAX_ 32

const char *const actuator_way_keys[ACTUATOR_WAYS] = {
    [ACTUATOR_ON_OK] = "on_ok",
    [ACTUATOR_ON_FAIL] = "on_fail",
    [ACTUATOR_ON_TIMEOUT] = "on_timeout",
    [ACTUATOR_ON_GUARD] = "on_guard",
};

/* --- steps that wait --------------------------------------------------------------- */

struct wait_raw {
    int acknowledgement;
    int64_t within, time;
    NODE until;
};
#define W(member) offsetof(struct wait_raw, member)
static const char *const ACKNOWLEDGEMENTS[] = {"optional", "required", NULL};
static const struct hale_conf_field WAIT_FIELDS[] = {
    {"acknowledgement", HALE_CONF_ENUM, W(acknowledgement), false, "optional", 0, 0,
     ACKNOWLEDGEMENTS, "of the consumer; required: without it the step fails"},
    {"within", HALE_CONF_DURATION, W(within), false, "60s", 10, DAY_MS, NULL,
     "how long the acknowledgement is waited for"},
    {"for", HALE_CONF_DURATION, W(time), false, "0s", 0, DAY_MS, NULL, "a time"},
    {"until", HALE_CONF_NODE, W(until), false, NULL, 0, 0, NULL, "as verify"},
};

enum hale_rc actuator_flow_read_wait(NODE map, struct actuator_step *s,
                                     struct hale_err *err)
{
    struct wait_raw raw = {0};
    bool ack = hale_yaml_get(map, "acknowledgement") != NULL;
    s->type = ACTUATOR_STEP_WAIT;
    enum hale_rc rc = hale_conf_read(map, WAIT_FIELDS, N(WAIT_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    unsigned given = (ack ? 1u : 0u) + (raw.until != NULL ? 1u : 0u) +
                     (hale_yaml_get(map, "for") != NULL ? 1u : 0u);
    if (given != 1)
        return hale_yaml_error(map, err,
                               "wait takes exactly one of: acknowledgement, for, until");
    if (!ack && hale_yaml_get(map, "within") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "within"), err,
                               "within belongs to acknowledgement; until has its own");
    s->acknowledgement = ack ? ACKNOWLEDGEMENTS[raw.acknowledgement] : NULL;
    s->timeout_ms = ack ? raw.within : raw.time;
    if (raw.until == NULL)
        return HALE_OK;
    rc = actuator_proof_read(raw.until, &s->until, err);
    if (rc == HALE_OK && !s->until.given)
        rc = hale_yaml_error(map, err, "until must be a map: alarm, query or url");
    s->timeout_ms = s->until.within_ms;
    return rc;
}

enum hale_rc actuator_flow_plan_wait(const struct actuator_step *s, const json_t *vars,
                                     json_t **out, char *missing)
{
    json_t *until = NULL;
    enum hale_rc rc = HALE_OK;
    if (s->until.given)
        rc = actuator_proof_plan(&s->until, vars, &until, missing);
    if (rc != HALE_OK)
        return rc;
    *out = json_pack("{s:s,s:I,s:s*,s:o*}", "type", "wait", "timeout_ms",
                     (json_int_t)s->timeout_ms, "acknowledgement", s->acknowledgement,
                     "until", until);
    return *out != NULL ? HALE_OK : HALE_E_NOMEM;
}

/* --- names ------------------------------------------------------------------------- */

static enum hale_rc read_name(NODE item, struct actuator_policy *p, unsigned i,
                              struct hale_err *err)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    NODE node = hale_yaml_get(item, "name");
    struct hale_str text = hale_yaml_text(node);
    char name[NAME_MAX_ + 1];
    if (node == NULL)
        return HALE_OK;
    (void)snprintf(name, sizeof(name), "%.*s", (int)text.len,
                   text.p != NULL ? text.p : "");
    if (text.len == 0 || text.len > NAME_MAX_ || name[strspn(name, fine)] != '\0' ||
        strspn(name, "0123456789_.-") > 0)
        return hale_yaml_error(node, err,
                               "a step's name is a letter and up to %d more of A-Z a-z "
                               "0-9 _ . -",
                               NAME_MAX_ - 1);
    if (strcmp(name, "next") == 0 || strcmp(name, "done") == 0 ||
        strcmp(name, "fail") == 0)
        return hale_yaml_error(node, err,
                               "'%s' cannot be a step's name: on_ok, on_fail, "
                               "on_timeout and on_guard use the word",
                               name);
    for (unsigned k = 0; k < i; k++)
        if (p->step[k].name != NULL && strcmp(p->step[k].name, name) == 0)
            return hale_yaml_error(node, err, "two steps are called '%s'", name);
    p->step[i].name = strdup(name);
    return p->step[i].name != NULL ? HALE_OK
                                   : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static const char *call_it(const struct actuator_policy *p, unsigned i, char dst[16])
{
    if (p->step[i].name != NULL)
        return p->step[i].name;
    (void)snprintf(dst, 16, "%u", i);
    return dst;
}

/* --- ways -------------------------------------------------------------------------- */

static int next_of(const struct actuator_policy *p, unsigned i)
{
    return i + 1 < p->n_steps ? (int)i + 1 : ACTUATOR_TO_DONE;
}

static enum hale_rc read_way(NODE node, const char *key, const struct actuator_policy *p,
                             unsigned i, int *to, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(node);
    char number[16], own[16];
    if (hale_str_eq(text, HALE_STR("next"))) {
        *to = next_of(p, i);
        return HALE_OK;
    }
    if (hale_str_eq(text, HALE_STR("done")) || hale_str_eq(text, HALE_STR("fail"))) {
        *to = hale_str_eq(text, HALE_STR("done")) ? ACTUATOR_TO_DONE : ACTUATOR_TO_FAIL;
        return HALE_OK;
    }
    for (unsigned k = 0; k < p->n_steps; k++) {
        if (!hale_str_eq(text, hale_str_from(call_it(p, k, number))))
            continue;
        if (k <= i)
            return hale_yaml_error(node, err,
                                   "%s: a step may only go forward, and step '%s' %s "
                                   "'%s'; name a later one, next, done or fail",
                                   key, call_it(p, k, number),
                                   k == i ? "is" : "stands before", call_it(p, i, own));
        *to = (int)k;
        return HALE_OK;
    }
    return hale_yaml_error(node, err,
                           "%s: no step is called '%.*s'; it is a later step's name, "
                           "next, done or fail",
                           key, (int)(text.len < 60 ? text.len : 60),
                           text.p != NULL ? text.p : "");
}

static enum hale_rc read_ways(NODE item, struct actuator_policy *p, unsigned i,
                              struct hale_err *err)
{
    int *to = p->step[i].to;
    to[ACTUATOR_ON_OK] = next_of(p, i);
    to[ACTUATOR_ON_FAIL] = ACTUATOR_TO_FAIL;
    for (int way = 0; way < ACTUATOR_WAYS; way++) {
        const char *key = actuator_way_keys[way];
        NODE node = hale_yaml_get(item, key);
        if (way > ACTUATOR_ON_FAIL)
            to[way] = to[ACTUATOR_ON_FAIL];
        if (node == NULL)
            continue;
        if (way == ACTUATOR_ON_GUARD && i == 0)
            return hale_yaml_error(node, err,
                                   "on_guard belongs to later steps: what the guards "
                                   "refuse before the first one is suppressed");
        enum hale_rc rc = read_way(node, key, p, i, &to[way], err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

static enum hale_rc check_reached(NODE list, const struct actuator_policy *p,
                                  struct hale_err *err)
{
    bool reached[ACTUATOR_STEPS_MAX] = {true};
    char number[16];
    for (unsigned i = 0; i < p->n_steps; i++) {
        if (!reached[i])
            return hale_yaml_error(hale_yaml_item(list, i), err,
                                   "step '%s' is never reached: no earlier step goes on "
                                   "there (add on_fail: %s to one, or take it out)",
                                   call_it(p, i, number), call_it(p, i, number));
        for (int way = 0; way < ACTUATOR_WAYS; way++)
            if (p->step[i].to[way] >= 0 && (i > 0 || way != ACTUATOR_ON_GUARD))
                reached[p->step[i].to[way]] = true;
    }
    return HALE_OK;
}

enum hale_rc actuator_flow_read(NODE list, struct actuator_policy *p,
                                struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; i < p->n_steps && rc == HALE_OK; i++)
        rc = read_name(hale_yaml_item(list, i), p, i, err);
    for (unsigned i = 0; i < p->n_steps && rc == HALE_OK; i++)
        rc = read_ways(hale_yaml_item(list, i), p, i, err);
    return rc == HALE_OK ? check_reached(list, p, err) : rc;
}

enum hale_rc actuator_flow_plan(const struct actuator_policy *p, unsigned i,
                                const json_t *vars, json_t *plan, char *missing)
{
    const struct actuator_step *s = &p->step[i];
    int usual[ACTUATOR_WAYS] = {next_of(p, i), ACTUATOR_TO_FAIL, s->to[ACTUATOR_ON_FAIL],
                                s->to[ACTUATOR_ON_FAIL]};
    int bad = 0;
    if (s->name != NULL)
        bad |= json_object_set_new(plan, "name", json_string(s->name));
    for (int way = 0; way < ACTUATOR_WAYS; way++)
        if (s->to[way] != usual[way])
            bad |= json_object_set_new(plan, actuator_way_keys[way],
                                       json_integer(s->to[way]));
    if (!s->verify.given || bad != 0)
        return bad == 0 ? HALE_OK : HALE_E_NOMEM;
    json_t *proof = NULL;
    enum hale_rc rc = actuator_proof_plan(&s->verify, vars, &proof, missing);
    if (rc == HALE_OK && json_object_set_new(plan, "verify", proof) != 0)
        rc = HALE_E_NOMEM;
    return rc;
}
