/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_steps.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/policy_vim.h"
#include "actuator/read.h"
#include "actuator/template.h"

#define DAY_MS    86400000.0
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

static const char *const OPERATIONS[] = {"heal", "scale", NULL};
static const char *const SCALE_TYPES[] = {"SCALE_OUT", "SCALE_IN", NULL};
static const char *const AUTHS[] = {"bearer", "x-auth-token", NULL};
static const char *const METHODS[] = {"POST", "PUT", "PATCH", "DELETE", "GET", NULL};

struct step_raw {
    NODE vnflcm;
    NODE webhook;
    NODE vim[6]; /* as in VIM_TYPES */
};
static const char *const VIM_TYPES[] = {"nova",    "heat",    "masakari",
                                        "mistral", "neutron", "senlin"};
#define N_VIM N(VIM_TYPES)
static const struct hale_conf_field STEP_FIELDS[] = {
    {"vnflcm", HALE_CONF_NODE, offsetof(struct step_raw, vnflcm), false, NULL, 0, 0, NULL,
     "SOL003 VNF lifecycle management"},
    {"webhook", HALE_CONF_NODE, offsetof(struct step_raw, webhook), false, NULL, 0, 0,
     NULL, "any HTTP call"},
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
};

struct vnflcm_raw {
    char *url, *vnf, *cause, *aspect, *token_file;
    int operation, type, auth;
    NODE vnfcs;
    NODE params;
    int64_t steps, timeout, poll, retries;
};
#define V(member) offsetof(struct vnflcm_raw, member)
static const struct hale_conf_field VNFLCM_FIELDS[] = {
    {"url", HALE_CONF_STRING, V(url), true, NULL, 0, 0, NULL, "the VNFM's API root"},
    {"operation", HALE_CONF_ENUM, V(operation), true, NULL, 0, 0, OPERATIONS,
     "what to do"},
    {"vnf_instance_id", HALE_CONF_STRING, V(vnf), true, NULL, 0, 0, NULL, "the VNF"},
    {"vnfc_instance_id", HALE_CONF_NODE, V(vnfcs), false, NULL, 0, 0, NULL,
     "heal: VNFCs"},
    {"cause", HALE_CONF_STRING, V(cause), false, NULL, 0, 0, NULL, "heal: text"},
    {"type", HALE_CONF_ENUM, V(type), false, "SCALE_OUT", 0, 0, SCALE_TYPES,
     "scale: direction"},
    {"aspect_id", HALE_CONF_STRING, V(aspect), false, NULL, 0, 0, NULL, "scale: aspect"},
    {"number_of_steps", HALE_CONF_INT, V(steps), false, "1", 1, 100, NULL,
     "scale: how far"},
    {"additional_params", HALE_CONF_NODE, V(params), false, NULL, 0, 0, NULL,
     "map of scalars"},
    {"timeout", HALE_CONF_DURATION, V(timeout), false, "60s", 100, DAY_MS, NULL,
     "whole step"},
    {"poll", HALE_CONF_DURATION, V(poll), false, "1s", 10, 60000, NULL,
     "operation's state"},
    {"retries", HALE_CONF_INT, V(retries), false, "2", 0, 20, NULL,
     "repeats of the call"},
    {"token_file", HALE_CONF_STRING, V(token_file), false, NULL, 0, 0, NULL,
     "token in a file"},
    {"auth", HALE_CONF_ENUM, V(auth), false, "bearer", 0, 0, AUTHS,
     "header of the token"},
};

struct webhook_raw {
    char *url, *body, *token_file;
    int method, auth;
    NODE headers;
    int64_t timeout, retries;
};
#define W(member) offsetof(struct webhook_raw, member)
static const struct hale_conf_field WEBHOOK_FIELDS[] = {
    {"url", HALE_CONF_STRING, W(url), true, NULL, 0, 0, NULL, "where"},
    {"method", HALE_CONF_ENUM, W(method), false, "POST", 0, 0, METHODS, "HTTP method"},
    {"headers", HALE_CONF_NODE, W(headers), false, NULL, 0, 0, NULL, "name: value"},
    {"body", HALE_CONF_STRING, W(body), false, NULL, 0, 0, NULL, "JSON text"},
    {"timeout", HALE_CONF_DURATION, W(timeout), false, "5s", 100, 600000, NULL,
     "one call"},
    {"retries", HALE_CONF_INT, W(retries), false, "2", 0, 20, NULL, "repeats"},
    {"token_file", HALE_CONF_STRING, W(token_file), false, NULL, 0, 0, NULL,
     "token in a file"},
    {"auth", HALE_CONF_ENUM, W(auth), false, "bearer", 0, 0, AUTHS,
     "header of the token"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

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

static enum hale_rc add_template(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(item);
    struct hale_err wrong;
    if (actuator_template_check(text, &wrong) != HALE_OK)
        return hale_yaml_error(item, err, "%s", wrong.text);
    json_t *value = json_stringn(text.p != NULL ? text.p : "", text.len);
    return value != NULL && json_array_append_new(arg, value) == 0 ? HALE_OK : nomem(err);
}

static enum hale_rc heal_body(NODE map, const struct vnflcm_raw *raw, json_t *body,
                              struct hale_err *err)
{
    if (raw->aspect != NULL || hale_yaml_get(map, "type") != NULL ||
        hale_yaml_get(map, "number_of_steps") != NULL)
        return hale_yaml_error(
            map, err, "type, aspect_id and number_of_steps belong to operation scale");
    if (raw->cause != NULL &&
        json_object_set_new(body, "cause", json_string(raw->cause)) != 0)
        return nomem(err);
    if (hale_yaml_kind(raw->vnfcs) == HALE_YAML_NULL)
        return HALE_OK;
    json_t *list = json_array();
    if (list == NULL || json_object_set_new(body, "vnfcInstanceId", list) != 0)
        return nomem(err);
    return actuator_read_each(raw->vnfcs, "vnfc_instance_id", err, add_template, list);
}

static enum hale_rc scale_body(NODE map, const struct vnflcm_raw *raw, json_t *body,
                               struct hale_err *err)
{
    if (raw->cause != NULL || raw->vnfcs != NULL)
        return hale_yaml_error(map, err,
                               "cause and vnfc_instance_id belong to operation heal");
    if (raw->aspect == NULL)
        return hale_yaml_error(map, err,
                               "missing key 'aspect_id' (which aspect to scale)");
    json_t *text = json_string(raw->aspect);
    int rc = json_object_set_new(body, "type", json_string(SCALE_TYPES[raw->type]));
    rc |= json_object_set_new(body, "aspectId", text);
    rc |= json_object_set_new(body, "numberOfSteps", json_integer(raw->steps));
    return rc == 0 ? HALE_OK : nomem(err);
}

static char *move(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

static enum hale_rc read_vnflcm(NODE map, struct actuator_step *s, struct hale_err *err)
{
    struct vnflcm_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, VNFLCM_FIELDS, N(VNFLCM_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = actuator_policy_check_text(map, "url", raw.url, true, err);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, "vnf_instance_id", raw.vnf, false, err);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, "cause", raw.cause, false, err);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, "aspect_id", raw.aspect, false, err);
    if (rc == HALE_OK && (s->body = json_object()) == NULL)
        rc = nomem(err);
    if (rc == HALE_OK)
        rc = raw.operation == 0 ? heal_body(map, &raw, s->body, err)
                                : scale_body(map, &raw, s->body, err);
    if (rc == HALE_OK && hale_yaml_kind(raw.params) != HALE_YAML_NULL) {
        json_t *params = NULL;
        rc = actuator_read_map(raw.params, "additional_params", false, &params, err);
        if (rc == HALE_OK && json_object_set(s->body, "additionalParams", params) != 0)
            rc = nomem(err);
        json_decref(params);
    }
    s->type = ACTUATOR_VNFLCM;
    s->operation = raw.operation;
    s->auth = raw.auth;
    s->timeout_ms = raw.timeout;
    s->poll_ms = raw.poll;
    s->retries = raw.retries;
    s->url = move(&raw.url);
    s->vnf = move(&raw.vnf);
    s->token_file = move(&raw.token_file);
    hale_conf_fini(VNFLCM_FIELDS, N(VNFLCM_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_body(NODE map, const char *text, json_t **out,
                              struct hale_err *err)
{
    json_error_t where;
    struct hale_err wrong;
    NODE node = hale_yaml_get(map, "body");
    if (text == NULL)
        return HALE_OK;
    *out = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (*out == NULL)
        return hale_yaml_error(
            node, err,
            "body is not JSON (%s at character %d); variables go inside strings",
            where.text, where.position);
    if (actuator_template_check_json(*out, &wrong) != HALE_OK)
        return hale_yaml_error(node, err, "body: %s", wrong.text);
    return HALE_OK;
}

static enum hale_rc read_webhook(NODE map, struct actuator_step *s, struct hale_err *err)
{
    struct webhook_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, WEBHOOK_FIELDS, N(WEBHOOK_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = actuator_policy_check_text(map, "url", raw.url, true, err);
    if (rc == HALE_OK)
        rc = actuator_read_map(raw.headers, "headers", true, &s->headers, err);
    if (rc == HALE_OK)
        rc = actuator_read_check_headers(raw.headers, s->headers, err);
    if (rc == HALE_OK)
        rc = read_body(map, raw.body, &s->body, err);
    if (rc == HALE_OK && (s->method = strdup(METHODS[raw.method])) == NULL)
        rc = nomem(err);
    s->type = ACTUATOR_WEBHOOK;
    s->auth = raw.auth;
    s->timeout_ms = raw.timeout;
    s->retries = raw.retries;
    s->url = move(&raw.url);
    s->token_file = move(&raw.token_file);
    hale_conf_fini(WEBHOOK_FIELDS, N(WEBHOOK_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_step(NODE item, const struct step_raw *raw,
                              struct actuator_step *s, struct hale_err *err)
{
    unsigned given = (raw->vnflcm != NULL ? 1u : 0u) + (raw->webhook != NULL ? 1u : 0u);
    size_t vim = N_VIM;
    for (size_t i = 0; i < N_VIM; i++)
        if (raw->vim[i] != NULL) {
            vim = i;
            given++;
        }
    if (given != 1)
        return hale_yaml_error(item, err,
                               "a step is exactly one of: vnflcm, webhook, nova, heat, "
                               "masakari, mistral, neutron, senlin");
    if (raw->vnflcm != NULL)
        return read_vnflcm(raw->vnflcm, s, err);
    if (raw->webhook != NULL)
        return read_webhook(raw->webhook, s, err);
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
    return HALE_OK;
}
