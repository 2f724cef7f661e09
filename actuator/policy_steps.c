/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_steps.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/policy_exec.h"
#include "actuator/policy_flow.h"
#include "actuator/policy_lcm.h"
#include "actuator/policy_vim.h"
#include "actuator/policy_webhook.h"
#include "actuator/template.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

struct step_raw {
    NODE wait;
    NODE verify;
    NODE common; /* read by policy_flow.c */
    NODE lcm[2]; /* vnflcm, nslcm */
    NODE webhook;
    NODE exec;
    NODE vim[7]; /* as in VIM_TYPES */
};
static const char *const VIM_TYPES[] = {"nova",    "heat",   "masakari",  "mistral",
                                        "neutron", "senlin", "kubernetes"};
#define N_VIM N(VIM_TYPES)
static const struct hale_conf_field STEP_FIELDS[] = {
    {"wait", HALE_CONF_NODE, offsetof(struct step_raw, wait), false, NULL, 0, 0, NULL,
     "for an acknowledgement, a time, or until something is true"},
    {"verify", HALE_CONF_NODE, offsetof(struct step_raw, verify), false, NULL, 0, 0, NULL,
     "what must come true after the step"},
    {"name", HALE_CONF_NODE, offsetof(struct step_raw, common), false, NULL, 0, 0, NULL,
     "for the others to go on to"},
    {"on_ok", HALE_CONF_NODE, offsetof(struct step_raw, common), false, NULL, 0, 0, NULL,
     "next, done, fail or a later step"},
    {"on_fail", HALE_CONF_NODE, offsetof(struct step_raw, common), false, NULL, 0, 0,
     NULL, "the same"},
    {"on_timeout", HALE_CONF_NODE, offsetof(struct step_raw, common), false, NULL, 0, 0,
     NULL, "the same"},
    {"on_guard", HALE_CONF_NODE, offsetof(struct step_raw, common), false, NULL, 0, 0,
     NULL, "the same"},
    {"vnflcm", HALE_CONF_NODE, offsetof(struct step_raw, lcm[0]), false, NULL, 0, 0, NULL,
     "SOL003 VNF lifecycle management"},
    {"nslcm", HALE_CONF_NODE, offsetof(struct step_raw, lcm[1]), false, NULL, 0, 0, NULL,
     "SOL005 NS lifecycle management"},
    {"webhook", HALE_CONF_NODE, offsetof(struct step_raw, webhook), false, NULL, 0, 0,
     NULL, "any HTTP call"},
    {"exec", HALE_CONF_NODE, offsetof(struct step_raw, exec), false, NULL, 0, 0, NULL,
     "an executable with arguments"},
    {"nova", HALE_CONF_NODE, offsetof(struct step_raw, vim[0]), false, NULL, 0, 0, NULL,
     "OpenStack compute"},
    {"heat", HALE_CONF_NODE, offsetof(struct step_raw, vim[1]), false, NULL, 0, 0, NULL,
     "OpenStack orchestration"},
    {"masakari", HALE_CONF_NODE, offsetof(struct step_raw, vim[2]), false, NULL, 0, 0,
     NULL, "OpenStack instance high availability"},
    {"mistral", HALE_CONF_NODE, offsetof(struct step_raw, vim[3]), false, NULL, 0, 0,
     NULL, "OpenStack workflows"},
    {"neutron", HALE_CONF_NODE, offsetof(struct step_raw, vim[4]), false, NULL, 0, 0,
     NULL, "OpenStack networks"},
    {"senlin", HALE_CONF_NODE, offsetof(struct step_raw, vim[5]), false, NULL, 0, 0, NULL,
     "OpenStack clusters"},
    {"kubernetes", HALE_CONF_NODE, offsetof(struct step_raw, vim[6]), false, NULL, 0, 0,
     NULL, "Kubernetes workloads, pods and nodes"},
};

/* Checks a template; url: also that it is a call the client can make. */
enum hale_rc actuator_policy_check_text(NODE map, const char *key, const char *text,
                                        bool url, struct hale_err *err)
{
    struct hale_err wrong;
    NODE node = hale_yaml_get(map, key);
    if (text == NULL)
        return HALE_OK;
    if (*text == '\0')
        return hale_yaml_error(node, err, "%s must not be empty", key);
    if (actuator_template_check(hale_str_from(text), &wrong) != HALE_OK)
        return hale_yaml_error(node, err, "%s: %s", key, wrong.text);
    if (!url)
        return HALE_OK;
    struct actuator_allow probe = {0};
    enum hale_rc rc = actuator_allow_add_url(&probe, text);
    actuator_allow_fini(&probe);
    return rc == HALE_OK
               ? HALE_OK
               : hale_yaml_error(node, err,
                                 "%s must be an http:// or https:// address with a host "
                                 "and without user information",
                                 key);
}

enum hale_rc actuator_policy_read_json(NODE map, const char *key, const char *text,
                                       json_t **out, struct hale_err *err)
{
    json_error_t where;
    struct hale_err wrong;
    NODE node = hale_yaml_get(map, key);
    if (text == NULL)
        return HALE_OK;
    *out = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (*out == NULL)
        return hale_yaml_error(
            node, err, "%s is not JSON (%s at character %d); variables go inside strings",
            key, where.text, where.position);
    if (actuator_template_check_json(*out, &wrong) != HALE_OK)
        return hale_yaml_error(node, err, "%s: %s", key, wrong.text);
    return HALE_OK;
}

static enum hale_rc read_step(NODE item, const struct step_raw *raw,
                              struct actuator_step *s, struct hale_err *err)
{
    unsigned given = (raw->lcm[0] != NULL ? 1u : 0u) + (raw->lcm[1] != NULL ? 1u : 0u) +
                     (raw->webhook != NULL ? 1u : 0u) + (raw->exec != NULL ? 1u : 0u) +
                     (raw->wait != NULL ? 1u : 0u);
    size_t vim = N_VIM;
    for (size_t i = 0; i < N_VIM; i++)
        if (raw->vim[i] != NULL) {
            vim = i;
            given++;
        }
    if (given != 1)
        return hale_yaml_error(
            item, err,
            "a step is exactly one of: vnflcm, nslcm, webhook, exec, nova, heat, "
            "masakari, mistral, neutron, senlin, kubernetes, wait");
    enum hale_rc rc = actuator_proof_read(raw->verify, &s->verify, err);
    if (rc != HALE_OK)
        return rc;
    s->line = hale_yaml_line(item);
    if (raw->wait != NULL && s->verify.given)
        return hale_yaml_error(
            raw->verify, err,
            "a wait has nothing to verify; it may wait until something "
            "is true: wait: {until: {...}}");
    if (raw->wait != NULL)
        return actuator_flow_read_wait(raw->wait, s, err);
    if (raw->lcm[0] != NULL)
        return actuator_policy_read_lcm(raw->lcm[0], "vnflcm", s, err);
    if (raw->lcm[1] != NULL)
        return actuator_policy_read_lcm(raw->lcm[1], "nslcm", s, err);
    if (raw->webhook != NULL)
        return actuator_policy_read_webhook(raw->webhook, s, err);
    if (raw->exec != NULL)
        return actuator_policy_read_exec(raw->exec, s, err);
    return actuator_policy_read_vim(raw->vim[vim], actuator_vim_driver(VIM_TYPES[vim]), s,
                                    err);
}

enum hale_rc actuator_policy_read_steps(NODE list, struct actuator_policy *p,
                                        struct hale_err *err)
{
    if (hale_yaml_kind(list) != HALE_YAML_LIST || hale_yaml_count(list) == 0)
        return hale_yaml_error(list, err, "steps must be a list with at least one step");
    if (hale_yaml_count(list) > ACTUATOR_STEPS_MAX)
        return hale_yaml_error(list, err, "at most %d steps", ACTUATOR_STEPS_MAX);
    for (size_t i = 0; i < hale_yaml_count(list); i++) {
        struct step_raw raw = {0};
        NODE item = hale_yaml_item(list, i);
        enum hale_rc rc = hale_conf_read(item, STEP_FIELDS, N(STEP_FIELDS), &raw, err);
        if (rc != HALE_OK)
            return rc;
        rc = read_step(item, &raw, &p->step[p->n_steps++], err);
        if (rc != HALE_OK)
            return rc;
    }
    return actuator_flow_read(list, p, err);
}
