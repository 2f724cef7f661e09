/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_lcm.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/lcm.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"
#include "actuator/template.h"

#define DAY_MS     86400000.0
#define N(fields)  (sizeof(fields) / sizeof((fields)[0]))
#define NODE       const struct hale_yaml_node *
#define FIELDS_MAX 40

static const char *const VNF_OPERATIONS[] = {"heal", "scale", "scale_to_level", "operate",
                                             NULL};
static const char *const NS_OPERATIONS[] = {"heal", "scale", NULL};
static const char *const SCALE_TYPES[] = {"SCALE_OUT", "SCALE_IN", NULL};
static const char *const VNF_STATES[] = {"STARTED", "STOPPED", NULL};
static const char *const STOP_TYPES[] = {"GRACEFUL", "FORCEFUL", NULL};
static const char *const AUTHS[] = {"bearer", "x-auth-token", NULL};
static const char *const VERSIONS[] = {"v2", "v1", NULL};
static const char *const DIALECTS[] = {"sol005", "osm", NULL};
static const char *const WAYS[] = {"api", "alert", "notification", NULL};
static const char *const CANCELS[] = {"no", "graceful", "forceful", NULL};
enum { HEAL, SCALE, SCALE_TO_LEVEL, OPERATE };
enum { WAY_API, WAY_ALERT, WAY_NOTIFICATION };

struct lcm_raw {
    char *url, *cloud, *instance, *version, *token_file, *credentials;
    int operation, auth, api;
    bool look_first;
    int64_t timeout, poll, retries;
    NODE failed_temp;
    int cancel;
    /* vnflcm */
    char *cause, *aspect, *steps, *level, *server, *fault, *fault_type, *host, *alarm;
    int type, state, stop, way;
    int64_t grace, appear;
    NODE vnfcs;
    NODE params;
    NODE levels;
    /* nslcm */
    struct policy_nslcm_raw ns;
};
#define L(member) offsetof(struct lcm_raw, member)
static const struct hale_conf_field COMMON[] = {
    {"operation", HALE_CONF_ENUM, L(operation), true, NULL, 0, 0, NULL, "what to do"},
    {"url", HALE_CONF_STRING, L(url), false, NULL, 0, 0, NULL, "root of the API"},
    {"cloud", HALE_CONF_STRING, L(cloud), false, NULL, 0, 0, NULL,
     "instead of url: Tacker of that cloud"},
    {"api", HALE_CONF_ENUM, L(api), false, "v2", 0, 0, VERSIONS, "major version"},
    {"version", HALE_CONF_STRING, L(version), false, NULL, 0, 0, NULL, "header Version"},
    {"timeout", HALE_CONF_DURATION, L(timeout), false, "60s", 100, DAY_MS, NULL,
     "whole step"},
    {"poll", HALE_CONF_DURATION, L(poll), false, "1s", 10, 60000, NULL,
     "operation's state"},
    {"retries", HALE_CONF_INT, L(retries), false, "2", 0, 20, NULL,
     "repeats of the call"},
    {"on_failed_temp", HALE_CONF_NODE, L(failed_temp), false, NULL, 0, 0, NULL,
     "retry, rollback, fail: one or a list"},
    {"on_timeout_cancel", HALE_CONF_ENUM, L(cancel), false, "no", 0, 0, CANCELS,
     "whether an operation that takes too long is cancelled"},
    {"look_first", HALE_CONF_BOOL, L(look_first), false, "false", 0, 0, NULL,
     "ask for other operations before the call"},
    {"token_file", HALE_CONF_STRING, L(token_file), false, NULL, 0, 0, NULL,
     "token in a file"},
    {"auth", HALE_CONF_ENUM, L(auth), false, "bearer", 0, 0, AUTHS,
     "header of the token"},
    {"credentials", HALE_CONF_STRING, L(credentials), false, NULL, 0, 0, NULL,
     "name in 'credentials'"},
};
static const struct hale_conf_field VNF_FIELDS[] = {
    {"vnf_instance_id", HALE_CONF_STRING, L(instance), true, NULL, 0, 0, NULL, "the VNF"},
    {"vnfc_instance_id", HALE_CONF_NODE, L(vnfcs), false, NULL, 0, 0, NULL, "VNFCs"},
    {"cause", HALE_CONF_STRING, L(cause), false, NULL, 0, 0, NULL, "heal: text"},
    {"type", HALE_CONF_ENUM, L(type), false, "SCALE_OUT", 0, 0, SCALE_TYPES,
     "scale: direction"},
    {"aspect_id", HALE_CONF_STRING, L(aspect), false, NULL, 0, 0, NULL, "scale: aspect"},
    {"number_of_steps", HALE_CONF_STRING, L(steps), false, "1", 0, 0, NULL,
     "scale: how far"},
    {"instantiation_level_id", HALE_CONF_STRING, L(level), false, NULL, 0, 0, NULL,
     "scale_to_level: level"},
    {"scale_info", HALE_CONF_NODE, L(levels), false, NULL, 0, 0, NULL,
     "scale_to_level: {aspect: level}"},
    {"change_state_to", HALE_CONF_ENUM, L(state), false, "STARTED", 0, 0, VNF_STATES,
     "operate: state"},
    {"stop_type", HALE_CONF_ENUM, L(stop), false, "GRACEFUL", 0, 0, STOP_TYPES,
     "operate: how to stop"},
    {"graceful_stop_timeout", HALE_CONF_DURATION, L(grace), false, "0s", 0, DAY_MS, NULL,
     "operate: patience"},
    {"additional_params", HALE_CONF_NODE, L(params), false, NULL, 0, 0, NULL,
     "map of scalars"},
    {"via", HALE_CONF_ENUM, L(way), false, "api", 0, 0, WAYS, "way into Tacker"},
    {"appear", HALE_CONF_DURATION, L(appear), false, "45s", 100, 3600000, NULL,
     "via: time for the operation to begin"},
    {"server_id", HALE_CONF_STRING, L(server), false, NULL, 0, 0, NULL,
     "notification: server"},
    {"alarm_id", HALE_CONF_STRING, L(alarm), false, NULL, 0, 0, NULL,
     "notification: id of the registration"},
    {"fault_id", HALE_CONF_STRING, L(fault), false, NULL, 0, 0, NULL,
     "notification: 4 characters"},
    {"fault_type", HALE_CONF_STRING, L(fault_type), false, NULL, 0, 0, NULL,
     "notification: 2 characters"},
    {"host_id", HALE_CONF_STRING, L(host), false, NULL, 0, 0, NULL, "notification: host"},
};
static const struct hale_conf_field NS_FIELDS[] = {
    {"ns_instance_id", HALE_CONF_STRING, L(instance), true, NULL, 0, 0, NULL, "the NS"},
    {"dialect", HALE_CONF_ENUM, L(ns.dialect), false, "sol005", 0, 0, DIALECTS,
     "form of the bodies"},
    {"heal_vnf", HALE_CONF_NODE, L(ns.heal_vnf), false, NULL, 0, 0, NULL,
     "heal: VNFs of the NS"},
    {"heal_ns", HALE_CONF_NODE, L(ns.heal_ns), false, NULL, 0, 0, NULL,
     "heal: the NS as a whole"},
    {"scale_vnf", HALE_CONF_NODE, L(ns.scale_vnf), false, NULL, 0, 0, NULL,
     "scale: VNFs of the NS"},
    {"scale_ns", HALE_CONF_NODE, L(ns.scale_ns), false, NULL, 0, 0, NULL,
     "scale: the NS as a whole"},
};
/* Which operations of vnflcm a key belongs to; keys that are not here belong to all. */
static const struct {
    const char *key;
    unsigned operations;
} BELONGS[] = {
    {"vnfc_instance_id", 1u << HEAL | 1u << OPERATE},
    {"cause", 1u << HEAL},
    {"type", 1u << SCALE},
    {"aspect_id", 1u << SCALE},
    {"number_of_steps", 1u << SCALE},
    {"instantiation_level_id", 1u << SCALE_TO_LEVEL},
    {"scale_info", 1u << SCALE_TO_LEVEL},
    {"change_state_to", 1u << OPERATE},
    {"stop_type", 1u << OPERATE},
    {"graceful_stop_timeout", 1u << OPERATE},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- pieces ------------------------------------------------------------------------ */

static enum hale_rc add_template(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(item);
    struct hale_err wrong;
    if (actuator_template_check(text, &wrong) != HALE_OK)
        return hale_yaml_error(item, err, "%s", wrong.text);
    json_t *value = json_stringn(text.p != NULL ? text.p : "", text.len);
    return value != NULL && json_array_append_new(arg, value) == 0 ? HALE_OK : nomem(err);
}

enum hale_rc policy_lcm_texts(NODE list, const char *key, json_t *o, const char *name,
                              struct hale_err *err)
{
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    json_t *out = json_array();
    if (out == NULL || json_object_set_new(o, name, out) != 0)
        return nomem(err);
    return actuator_read_each(list, key, err, add_template, out);
}

enum hale_rc policy_lcm_text(NODE map, const char *key, const char *text, json_t *o,
                             const char *name, struct hale_err *err)
{
    if (text == NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_policy_check_text(map, key, text, false, err);
    if (rc == HALE_OK && json_object_set_new(o, name, json_string(text)) != 0)
        rc = nomem(err);
    return rc;
}

enum hale_rc policy_lcm_number(NODE map, const struct policy_lcm_number *n,
                               const char *text, json_t *o, struct hale_err *err)
{
    int64_t value = 0;
    if (text == NULL)
        return HALE_OK;
    if (strstr(text, "${") != NULL)
        return policy_lcm_text(map, n->key, text, o, n->name, err);
    if (hale_str_i64(hale_str_from(text), &value) != HALE_OK || value < n->min ||
        value > n->max)
        return hale_yaml_error(hale_yaml_get(map, n->key), err,
                               "%s must be %lld to %lld, or a variable like ${scale.by}",
                               n->key, (long long)n->min, (long long)n->max);
    return json_object_set_new(o, n->name, json_integer(value)) == 0 ? HALE_OK
                                                                     : nomem(err);
}

enum hale_rc policy_lcm_params(NODE map, const char *key, json_t *o, const char *name,
                               struct hale_err *err)
{
    struct hale_err wrong;
    json_t *params = NULL;
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_read_map(map, key, false, &params, err);
    if (rc == HALE_OK && actuator_template_check_json(params, &wrong) != HALE_OK)
        rc = hale_yaml_error(map, err, "%s: %s", key, wrong.text);
    if (rc == HALE_OK && json_object_set(o, name, params) != 0)
        rc = nomem(err);
    json_decref(params);
    return rc;
}

static bool is_level(const json_t *level)
{
    const char *text = json_string_value(level);
    struct hale_err wrong;
    if (text != NULL)
        return strstr(text, "${") != NULL &&
               actuator_template_check(hale_str_from(text), &wrong) == HALE_OK;
    return json_is_integer(level) && json_integer_value(level) >= 0;
}

enum hale_rc policy_lcm_levels(NODE map, json_t *o, const char *name,
                               const char *aspect_key, const char *level_key,
                               struct hale_err *err)
{
    json_t *levels = NULL, *list = json_array(), *level;
    const char *aspect;
    enum hale_rc rc = list != NULL && json_object_set_new(o, name, list) == 0
                          ? actuator_read_map(map, "scale_info", false, &levels, err)
                          : nomem(err);
    if (rc == HALE_OK && json_object_size(levels) == 0)
        rc = hale_yaml_error(map, err, "scale_info names no aspect");
    json_object_foreach (levels, aspect, level) {
        if (rc != HALE_OK)
            break;
        if (!is_level(level))
            rc = hale_yaml_error(hale_yaml_get(map, aspect), err,
                                 "scale_info: a level is an integer from 0, or a "
                                 "variable");
        else if (json_array_append_new(list, json_pack("{s:s,s:O}", aspect_key, aspect,
                                                       level_key, level)) != 0)
            rc = nomem(err);
    }
    json_decref(levels);
    return rc;
}

/* --- bodies of vnflcm -------------------------------------------------------------- */

static enum hale_rc check_keys(NODE map, int operation, struct hale_err *err)
{
    for (size_t i = 0; i < N(BELONGS); i++) {
        NODE node = hale_yaml_get(map, BELONGS[i].key);
        if (node != NULL && (BELONGS[i].operations & 1u << operation) == 0)
            return hale_yaml_error(node, err, "key '%s' does not belong to operation %s",
                                   BELONGS[i].key, VNF_OPERATIONS[operation]);
    }
    return HALE_OK;
}

static const struct policy_lcm_number STEPS = {"number_of_steps", "numberOfSteps", 1,
                                               100};

static enum hale_rc scale_body(NODE map, const struct lcm_raw *raw, json_t *body,
                               struct hale_err *err)
{
    if (raw->aspect == NULL)
        return hale_yaml_error(map, err,
                               "missing key 'aspect_id' (which aspect to scale)");
    if (json_object_set_new(body, "type", json_string(SCALE_TYPES[raw->type])) != 0)
        return nomem(err);
    enum hale_rc rc = policy_lcm_number(map, &STEPS, raw->steps, body, err);
    if (rc != HALE_OK)
        return rc;
    return policy_lcm_text(map, "aspect_id", raw->aspect, body, "aspectId", err);
}

static enum hale_rc level_body(NODE map, const struct lcm_raw *raw, json_t *body,
                               struct hale_err *err)
{
    bool info = hale_yaml_kind(raw->levels) != HALE_YAML_NULL;
    if ((raw->level != NULL) == info)
        return hale_yaml_error(map, err,
                               "operation scale_to_level needs instantiation_level_id or "
                               "scale_info, not both");
    return info ? policy_lcm_levels(raw->levels, body, "scaleInfo", "aspectId",
                                    "scaleLevel", err)
                : policy_lcm_text(map, "instantiation_level_id", raw->level, body,
                                  "instantiationLevelId", err);
}

static enum hale_rc operate_body(NODE map, const struct lcm_raw *raw, json_t *body,
                                 struct hale_err *err)
{
    bool stop = raw->state == 1;
    bool forceful = raw->stop == 1;
    int rc =
        json_object_set_new(body, "changeStateTo", json_string(VNF_STATES[raw->state]));
    if (hale_yaml_get(map, "change_state_to") == NULL)
        return hale_yaml_error(map, err,
                               "missing key 'change_state_to' (STARTED or STOPPED)");
    if (!stop && (hale_yaml_get(map, "stop_type") != NULL || raw->grace > 0))
        return hale_yaml_error(map, err,
                               "stop_type and graceful_stop_timeout belong to STOPPED");
    if (forceful && raw->grace > 0)
        return hale_yaml_error(map, err, "graceful_stop_timeout belongs to GRACEFUL");
    if (stop)
        rc |= json_object_set_new(body, "stopType", json_string(STOP_TYPES[raw->stop]));
    if (raw->grace > 0)
        rc |= json_object_set_new(body, "gracefulStopTimeout",
                                  json_integer((raw->grace + 999) / 1000));
    return rc == 0 ? HALE_OK : nomem(err);
}

static enum hale_rc vnf_body(NODE map, const struct lcm_raw *raw, json_t *body,
                             struct hale_err *err)
{
    enum hale_rc rc = check_keys(map, raw->operation, err);
    if (rc == HALE_OK)
        rc = policy_lcm_text(map, "cause", raw->cause, body, "cause", err);
    if (rc == HALE_OK)
        rc =
            policy_lcm_texts(raw->vnfcs, "vnfc_instance_id", body, "vnfcInstanceId", err);
    if (rc == HALE_OK && raw->operation == SCALE)
        rc = scale_body(map, raw, body, err);
    if (rc == HALE_OK && raw->operation == SCALE_TO_LEVEL)
        rc = level_body(map, raw, body, err);
    if (rc == HALE_OK && raw->operation == OPERATE)
        rc = operate_body(map, raw, body, err);
    if (rc == HALE_OK)
        rc = policy_lcm_params(raw->params, "additional_params", body, "additionalParams",
                               err);
    return rc;
}

/* --- Tacker's other ways ----------------------------------------------------------- */

/* As Alertmanager posts it; one alert for each VNFC. */
static json_t *alert(const struct lcm_raw *raw, const json_t *vnfc)
{
    json_t *labels = json_pack("{s:s,s:s}", "receiver_type", "tacker", "vnf_instance_id",
                               raw->instance);
    int rc = 0;
    if (raw->operation == HEAL) {
        rc |= json_object_set_new(labels, "function_type", json_string("auto_heal"));
        rc |= json_object_set(labels, "vnfc_info_id", (json_t *)(uintptr_t)vnfc);
    } else {
        rc |= json_object_set_new(labels, "function_type", json_string("auto_scale"));
        rc |= json_object_set_new(labels, "auto_scale_type",
                                  json_string(SCALE_TYPES[raw->type]));
        rc |= json_object_set_new(labels, "aspect_id", json_string(raw->aspect));
    }
    if (rc != 0) {
        json_decref(labels);
        return NULL;
    }
    return json_pack("{s:s,s:o,s:{},s:s,s:s,s:s}", "status", "firing", "labels", labels,
                     "annotations", "startsAt", "${alarm.time}", "endsAt",
                     "0001-01-01T00:00:00Z", "fingerprint", "${run.id}");
}

static enum hale_rc alert_way(NODE map, const struct lcm_raw *raw, const json_t *body,
                              json_t *way, struct hale_err *err)
{
    const json_t *vnfcs = json_object_get(body, "vnfcInstanceId"), *vnfc;
    json_t *list = json_array();
    size_t i;
    int rc = list != NULL ? 0 : -1;
    if (raw->operation > SCALE || strcmp(raw->steps, "1") != 0 ||
        (raw->operation == HEAL && json_array_size(vnfcs) == 0)) {
        json_decref(list);
        return hale_yaml_error(map, err,
                               "via alert: heal with vnfc_instance_id, or scale by one "
                               "step");
    }
    if (raw->operation == SCALE)
        rc |= json_array_append_new(list, alert(raw, NULL));
    json_array_foreach (vnfcs, i, vnfc)
        rc |= json_array_append_new(list, alert(raw, vnfc));
    rc |= json_object_set_new(
        way, "way",
        json_string(raw->operation == HEAL ? "auto_healing" : "auto_scaling"));
    rc |= json_object_set_new(way, "body", json_pack("{s:o}", "alerts", list));
    return rc == 0 ? HALE_OK : nomem(err);
}

static enum hale_rc notification_way(NODE map, const struct lcm_raw *raw, json_t *way,
                                     struct hale_err *err)
{
    static const struct {
        const char *key, *name;
        size_t offset;
    } keys[] = {{"alarm_id", "alarm_id", L(alarm)},
                {"fault_id", "fault_id", L(fault)},
                {"fault_type", "fault_type", L(fault_type)},
                {"host_id", "host_id", L(host)}};
    json_t *notification = json_object();
    if (notification == NULL ||
        json_object_set_new(way, "body",
                            json_pack("{s:o}", "notification", notification)) != 0 ||
        json_object_set_new(way, "way", json_string("notification")) != 0)
        return nomem(err);
    if (raw->operation != HEAL || raw->server == NULL || raw->alarm == NULL ||
        raw->fault == NULL || raw->fault_type == NULL)
        return hale_yaml_error(map, err,
                               "via notification: operation heal with server_id, "
                               "alarm_id, fault_id and fault_type");
    enum hale_rc rc = policy_lcm_text(map, "server_id", raw->server, way, "server", err);
    for (size_t i = 0; i < N(keys) && rc == HALE_OK; i++) {
        const char *text =
            *(char *const *)(const void *)((const char *)raw + keys[i].offset);
        rc = policy_lcm_text(map, keys[i].key, text, notification, keys[i].name, err);
    }
    return rc;
}

static enum hale_rc read_way(NODE map, const struct lcm_raw *raw, struct actuator_step *s,
                             struct hale_err *err)
{
    static const char *const keys[] = {"server_id",  "alarm_id", "fault_id",
                                       "fault_type", "host_id",  NULL};
    for (unsigned i = 0; keys[i] != NULL && raw->way != WAY_NOTIFICATION; i++)
        if (hale_yaml_get(map, keys[i]) != NULL)
            return hale_yaml_error(hale_yaml_get(map, keys[i]), err,
                                   "key '%s' belongs to via: notification", keys[i]);
    if (raw->way == WAY_API)
        return HALE_OK;
    if (raw->cloud != NULL)
        return hale_yaml_error(map, err, "via %s needs url, Tacker's address",
                               WAYS[raw->way]);
    s->way = json_object();
    if (s->way == NULL)
        return nomem(err);
    s->appear_ms = raw->appear;
    return raw->way == WAY_ALERT ? alert_way(map, raw, s->body, s->way, err)
                                 : notification_way(map, raw, s->way, err);
}

/* --- the step ---------------------------------------------------------------------- */

struct table {
    struct hale_conf_field field[FIELDS_MAX];
    size_t n;
};

static void make_table(bool vnf, struct table *t)
{
    const struct hale_conf_field *own = vnf ? VNF_FIELDS : NS_FIELDS;
    size_t n = vnf ? N(VNF_FIELDS) : N(NS_FIELDS);
    memset(t, 0, sizeof(*t));
    memcpy(t->field, COMMON, sizeof(COMMON));
    t->field[0].choices = vnf ? VNF_OPERATIONS : NS_OPERATIONS;
    memcpy(t->field + N(COMMON), own, n * sizeof(*own));
    t->n = N(COMMON) + n;
}

static enum hale_rc check_where(NODE map, const struct lcm_raw *raw, struct hale_err *err)
{
    if ((raw->url != NULL) == (raw->cloud != NULL))
        return hale_yaml_error(map, err,
                               "needs url (the root of the API) or cloud, not both");
    unsigned ways = (raw->cloud != NULL ? 1u : 0u) + (raw->token_file != NULL ? 1u : 0u) +
                    (raw->credentials != NULL ? 1u : 0u);
    if (ways > 1)
        return hale_yaml_error(
            map, err,
            "cloud, token_file and credentials are three ways to say who we "
            "are: one of them");
    return actuator_policy_check_text(map, "url", raw->url, true, err);
}

static void fill_step(struct lcm_raw *raw, struct actuator_step *s)
{
    s->auth = raw->auth;
    s->timeout_ms = raw->timeout;
    s->poll_ms = raw->poll;
    s->retries = raw->retries;
    s->api = raw->api == 1 || raw->ns.dialect == POLICY_LCM_OSM ? "v1" : NULL;
    s->look_first = raw->look_first;
    s->cancel = raw->cancel == 0 ? NULL : STOP_TYPES[raw->cancel - 1];
    s->url = actuator_read_move(&raw->url);
    s->cloud = actuator_read_move(&raw->cloud);
    s->instance = actuator_read_move(&raw->instance);
    s->version = actuator_read_move(&raw->version);
    s->token_file = actuator_read_move(&raw->token_file);
    s->credentials = actuator_read_move(&raw->credentials);
}

enum hale_rc actuator_policy_read_lcm(NODE map, const char *type, struct actuator_step *s,
                                      struct hale_err *err)
{
    struct lcm_raw raw = {0};
    struct table t;
    const struct actuator_lcm_api *api = actuator_lcm_api(type);
    bool vnf = strcmp(type, "vnflcm") == 0;
    s->type = ACTUATOR_LCM;
    s->kind = api->type;
    s->line = hale_yaml_line(map);
    make_table(vnf, &t);
    enum hale_rc rc = hale_conf_read(map, t.field, t.n, &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = check_where(map, &raw, err);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, vnf ? "vnf_instance_id" : "ns_instance_id",
                                        raw.instance, false, err);
    if (rc == HALE_OK && (s->body = json_object()) == NULL)
        rc = nomem(err);
    raw.ns.operation = raw.operation;
    s->action = vnf ? VNF_OPERATIONS[raw.operation] : NS_OPERATIONS[raw.operation];
    if (rc == HALE_OK)
        rc = vnf ? vnf_body(map, &raw, s->body, err)
                 : policy_nslcm_body(map, &raw.ns, s->body, err);
    if (rc == HALE_OK && vnf)
        rc = read_way(map, &raw, s, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.failed_temp, "on_failed_temp", actuator_lcm_words,
                                ACTUATOR_LCM_FAIL, &s->failed_temp, err);
    fill_step(&raw, s);
    hale_conf_fini(t.field, t.n, &raw);
    return rc;
}

static bool is_number_of(const char *key)
{
    static const char *const keys[] = {"numberOfSteps", "scaleLevel", "nsScaleLevelId",
                                       "count-index"};
    for (size_t i = 0; i < N(keys); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* What a variable gave is a number in the request; else it says what is wrong itself. Bodies are at most
 * five deep (policy_nslcm.c); parameters are the policy's own. False: no memory. */
static bool number_fields(json_t *body)
{
    const char *key;
    void *next;
    json_t *value, *item;
    size_t i;
    bool ok = true;
    json_object_foreach_safe (body, next, key, value) {
        int64_t n;
        const char *text = json_string_value(value);
        if (text != NULL && is_number_of(key) &&
            hale_str_i64(hale_str_from(text), &n) == HALE_OK)
            ok = ok && json_object_set_new(body, key, json_integer(n)) == 0;
        else if (json_is_object(value) && (strcmp(key, "additionalParams") != 0 ||
                                           json_object_get(value, "vdu") != NULL))
            ok = ok && number_fields(value);
        else if (json_is_array(value))
            json_array_foreach (value, i, item)
                ok = ok && number_fields(item);
    }
    return ok;
}

json_t *actuator_policy_pack_lcm(const struct actuator_step *s, json_t *url,
                                 json_t *instance, json_t *body, json_t *way)
{
    const struct actuator_lcm_api *api = actuator_lcm_api(s->kind);
    json_t *o = json_pack(
        "{s:s,s:O*,s:s*,s:s,s:I,s:I,s:s*,s:s*,s:s*,s:s*,s:O,s:O,s:s,s:I}", "type",
        s->kind, "url", url, "cloud", s->cloud, "auth",
        s->auth == 0 ? "bearer" : "x-auth-token", "timeout_ms", (json_int_t)s->timeout_ms,
        "retries", (json_int_t)s->retries, "token_file", s->token_file, "credentials",
        s->credentials, "api", s->api, "version", s->version, "body", body, api->plan_key,
        instance, "operation", s->action, "poll_ms", (json_int_t)s->poll_ms);
    int rc = o != NULL ? 0 : -1;
    rc |= number_fields(body) ? 0 : -1;
    if (s->failed_temp != ACTUATOR_LCM_FAIL)
        rc |= json_object_set_new(o, "failed_temp", json_integer(s->failed_temp));
    if (s->cancel != NULL)
        rc |= json_object_set_new(o, "cancel", json_string(s->cancel));
    if (s->look_first)
        rc |= json_object_set_new(o, "look_first", json_integer(1));
    if (way != NULL) {
        rc |= json_object_set(o, "call", way);
        rc |= json_object_set_new(o, "appear_ms", json_integer(s->appear_ms));
    }
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}
