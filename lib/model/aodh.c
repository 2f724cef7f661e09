/* SPDX-License-Identifier: Apache-2.0 */
#include "model/aodh.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "model/json_util.h"

static const char *const STATES[] = {[HALE_STATE_OK] = "ok",
                                     [HALE_STATE_UNDETERMINED] = "insufficient data",
                                     [HALE_STATE_ALARM] = "alarm",
                                     NULL};
static const char *const SEVERITIES[] = {"low", "moderate", "critical", NULL};
static const char *const OPS[] = {"eq", "ne", "lt", "le", "gt", "ge", NULL};
static const char *const TYPES[] = {"",        "string",   "integer", "float",
                                    "boolean", "datetime", NULL};
static const char *const ACTIONS[] = {[HALE_STATE_OK] = "ok_actions",
                                      [HALE_STATE_UNDETERMINED] =
                                          "insufficient_data_actions",
                                      [HALE_STATE_ALARM] = "alarm_actions"};
/* Beside those that are read: what Aodh fills in, and sends back to it are full objects. */
static const char *const KNOWN[] = {"alarm_id",
                                    "project_id",
                                    "user_id",
                                    "timestamp",
                                    "state_timestamp",
                                    "state_reason",
                                    "evaluate_timestamp",
                                    "name",
                                    "description",
                                    "enabled",
                                    "severity",
                                    "type",
                                    "event_rule",
                                    "repeat_actions",
                                    "time_constraints",
                                    "state",
                                    "ok_actions",
                                    "alarm_actions",
                                    "insufficient_data_actions",
                                    NULL};

const char *hale_aodh_state_text(enum hale_state s)
{
    HALE_ASSERT((unsigned)s <= HALE_STATE_ALARM);
    return STATES[s];
}

static bool find(const char *const *words, struct hale_str text, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (hale_str_eq_c(text, words[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

enum hale_rc hale_aodh_state_parse(struct hale_str text, enum hale_state *out)
{
    int i;
    if (!find(STATES, text, &i))
        return HALE_E_INVAL;
    *out = (enum hale_state)i;
    return HALE_OK;
}

const char *hale_aodh_severity_text(enum hale_aodh_severity s)
{
    HALE_ASSERT((unsigned)s <= HALE_AODH_CRITICAL);
    return SEVERITIES[s];
}

void hale_aodh_free(struct hale_aodh *a)
{
    if (a == NULL)
        return;
    free(a->id);
    free(a->tenant);
    free(a->user);
    free(a->name);
    free(a->description);
    free(a->event_type);
    json_decref(a->query);
    for (size_t i = 0; i < 3; i++)
        json_decref(a->actions[i]);
    json_decref(a->faults);
    free(a);
}

/* --- stored -------------------------------------------------------------------------- */

enum hale_rc hale_aodh_encode(const struct hale_aodh *a, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "id", a->id);
    hale_json_out_id(&o, "tenant", a->tenant);
    hale_json_out_str(&o, "user", a->user);
    hale_json_out_str(&o, "name", a->name);
    hale_json_out_str(&o, "description", a->description);
    hale_json_out_bool(&o, "enabled", a->enabled);
    hale_json_out_str(&o, "severity", hale_aodh_severity_text(a->severity));
    hale_json_out_str(&o, "event_type", a->event_type);
    hale_json_out_json(&o, "query", a->query, "[]");
    for (size_t i = 0; i < 3; i++)
        hale_json_out_json(&o, ACTIONS[i], a->actions[i], "[]");
    hale_json_out_bool(&o, "repeat_actions", a->repeat);
    hale_json_out_i64(&o, "created_ms", a->created_ms);
    hale_json_out_i64(&o, "updated_ms", a->updated_ms);
    if (a->faults != NULL)
        hale_json_out_json(&o, "faults", a->faults, "[]");
    if (a->set_ms > 0) {
        hale_json_out_key(&o, "set");
        struct hale_json_out s = hale_json_out_open(out);
        hale_json_out_str(&s, "state", hale_aodh_state_text(a->set));
        hale_json_out_i64(&s, "at_ms", a->set_ms);
        if (hale_json_out_close(&s) != HALE_OK)
            o.bad = true;
    }
    return hale_json_out_close(&o);
}

static void read_set(struct hale_json_in *in, struct hale_aodh *a)
{
    json_t *set = json_object_get(in->object, "set");
    if (in->rc != HALE_OK || set == NULL)
        return;
    struct hale_json_in s = hale_json_in_init(set);
    a->set = (enum hale_state)hale_json_in_choice(&s, "state", STATES);
    hale_json_in_i64(&s, "at_ms", HALE_JSON_REQUIRED, 1, INT64_MAX, &a->set_ms);
    in->rc = s.rc;
}

enum hale_rc hale_aodh_decode(struct hale_str json, struct hale_aodh **out)
{
    json_t *root;
    *out = NULL;
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_aodh *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        json_decref(root);
        return HALE_E_NOMEM;
    }
    struct hale_json_in in = hale_json_in_init(root);
    hale_json_in_id(&in, "id", &a->id);
    hale_json_in_id(&in, "tenant", &a->tenant);
    hale_json_in_str(&in, "user", HALE_JSON_OPTIONAL, &a->user);
    hale_json_in_str(&in, "name", HALE_JSON_REQUIRED, &a->name);
    hale_json_in_str(&in, "description", HALE_JSON_OPTIONAL, &a->description);
    hale_json_in_bool(&in, "enabled", HALE_JSON_REQUIRED, &a->enabled);
    a->severity =
        (enum hale_aodh_severity)hale_json_in_choice(&in, "severity", SEVERITIES);
    hale_json_in_str(&in, "event_type", HALE_JSON_REQUIRED, &a->event_type);
    hale_json_in_array(&in, "query", HALE_JSON_REQUIRED, &a->query);
    for (size_t i = 0; i < 3; i++)
        hale_json_in_array(&in, ACTIONS[i], HALE_JSON_REQUIRED, &a->actions[i]);
    hale_json_in_bool(&in, "repeat_actions", HALE_JSON_REQUIRED, &a->repeat);
    hale_json_in_i64(&in, "created_ms", HALE_JSON_REQUIRED, 0, INT64_MAX, &a->created_ms);
    hale_json_in_i64(&in, "updated_ms", HALE_JSON_REQUIRED, 0, INT64_MAX, &a->updated_ms);
    if (json_object_get(root, "faults") != NULL)
        hale_json_in_array(&in, "faults", HALE_JSON_REQUIRED, &a->faults);
    read_set(&in, a);
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_aodh_free(a);
    else
        *out = a;
    return in.rc;
}

/* --- API ----------------------------------------------------------------------------- */

static enum hale_rc api_text(const json_t *body, const char *key, const char *fallback,
                             char **out, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    if (v != NULL && !json_is_null(v) && !json_is_string(v))
        return hale_err_set(err, HALE_E_INVAL, "%s must be a string", key);
    const char *text = json_is_string(v) ? json_string_value(v) : fallback;
    if (text == NULL)
        return hale_err_set(err, HALE_E_INVAL, "%s is required", key);
    if (strlen(text) > HALE_AODH_TEXT_MAX ||
        (json_is_string(v) && strlen(text) != json_string_length(v)))
        return hale_err_set(err, HALE_E_INVAL,
                            "%s must be at most %d bytes long, without NUL", key,
                            HALE_AODH_TEXT_MAX);
    *out = strdup(text);
    return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc api_bool(const json_t *body, const char *key, bool fallback,
                             bool *out, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    *out = fallback;
    if (v == NULL || json_is_null(v))
        return HALE_OK;
    if (!json_is_boolean(v))
        return hale_err_set(err, HALE_E_INVAL, "%s must be true or false", key);
    *out = json_is_true(v);
    return HALE_OK;
}

bool hale_aodh_is_address(const char *url)
{
    size_t len = strlen(url);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f || url[i] == '\\')
            return false;
    return len <= HALE_AODH_URL_MAX && strchr("/?#:", strchr(url, '/')[2]) == NULL;
}

static enum hale_rc api_actions(const json_t *body, const char *key, json_t **out,
                                struct hale_err *err)
{
    json_t *v = json_object_get(body, key);
    if (v == NULL || json_is_null(v)) {
        *out = json_array();
        return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    if (!json_is_array(v) || json_array_size(v) > HALE_AODH_ACTIONS_MAX)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s must be a list of at most %d addresses", key,
                            HALE_AODH_ACTIONS_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        const char *url = json_string_value(item);
        if (url == NULL || strlen(url) != json_string_length(item) ||
            !hale_aodh_is_address(url))
            return hale_err_set(err, HALE_E_INVAL,
                                "%s: Unsupported action %.200s: an address begins with "
                                "http:// or https://",
                                key, url != NULL ? url : "");
    }
    *out = json_incref(v);
    return HALE_OK;
}

static enum hale_rc api_condition(const json_t *given, json_t *query,
                                  struct hale_err *err)
{
    int i;
    const char *field = json_string_value(json_object_get(given, "field"));
    const json_t *op = json_object_get(given, "op");
    const json_t *type = json_object_get(given, "type");
    json_t *value = json_object_get(given, "value");
    if (field == NULL || *field == '\0')
        return hale_err_set(err, HALE_E_INVAL, "event_rule.query: field is required");
    const char *op_text = op != NULL ? json_string_value(op) : "eq";
    if (op_text == NULL || !find(OPS, hale_str_from(op_text), &i))
        return hale_err_set(err, HALE_E_INVAL,
                            "event_rule.query: op must be eq, ne, lt, le, gt or ge");
    const char *type_text =
        type != NULL && !json_is_null(type) ? json_string_value(type) : "";
    if (type_text == NULL || !find(TYPES, hale_str_from(type_text), &i))
        return hale_err_set(err, HALE_E_INVAL,
                            "event_rule.query: type must be string, integer, float, "
                            "boolean or datetime");
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                 : json_is_number(value) || json_is_boolean(value)
                     ? json_dumps(value, JSON_ENCODE_ANY)
                     : NULL;
    if (text == NULL)
        return hale_err_set(err, HALE_E_INVAL,
                            "event_rule.query: value is required and must be text");
    bool fits = strlen(text) <= HALE_AODH_TEXT_MAX && strlen(field) <= HALE_AODH_TEXT_MAX;
    int failed = json_array_append_new(query, json_pack("{s:s, s:s, s:s, s:s}", "field",
                                                        field, "op", op_text, "type",
                                                        type_text, "value", text));
    free(text);
    if (!fits)
        return hale_err_set(err, HALE_E_INVAL,
                            "event_rule.query: a text is longer than %d",
                            HALE_AODH_TEXT_MAX);
    return failed == 0 ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc api_rule(const json_t *body, struct hale_aodh *a,
                             struct hale_err *err)
{
    const json_t *rule = json_object_get(body, "event_rule");
    const json_t *query = json_object_get(rule, "query");
    enum hale_rc rc = HALE_OK;
    if (rule != NULL && !json_is_null(rule) && !json_is_object(rule))
        return hale_err_set(err, HALE_E_INVAL, "event_rule must be an object");
    rc = api_text(rule, "event_type", "*", &a->event_type, err);
    if (rc != HALE_OK)
        return rc;
    if (query != NULL && !json_is_null(query) &&
        (!json_is_array(query) || json_array_size(query) > HALE_AODH_QUERY_MAX))
        return hale_err_set(err, HALE_E_INVAL,
                            "event_rule.query must be a list of at most %d conditions",
                            HALE_AODH_QUERY_MAX);
    a->query = json_array();
    if (a->query == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < json_array_size(query); i++)
        rc = api_condition(json_array_get(query, i), a->query, err);
    return rc;
}

static enum hale_rc api_words(const json_t *body, struct hale_aodh *a,
                              struct hale_err *err)
{
    const json_t *severity = json_object_get(body, "severity");
    const json_t *state = json_object_get(body, "state");
    int i = HALE_AODH_LOW;
    if (severity != NULL && !json_is_null(severity) &&
        !find(SEVERITIES, hale_str_from(json_string_value(severity)), &i))
        return hale_err_set(err, HALE_E_INVAL,
                            "severity must be low, moderate or critical");
    a->severity = (enum hale_aodh_severity)i;
    if (state != NULL && !json_is_null(state)) {
        if (!find(STATES, hale_str_from(json_string_value(state)), &i))
            return hale_err_set(err, HALE_E_INVAL,
                                "state must be ok, alarm or insufficient data");
        a->set = (enum hale_state)i;
        a->set_ms = 1;
    }
    return HALE_OK;
}

static enum hale_rc api_type(json_t *body, struct hale_err *err)
{
    const char *key, *type = json_string_value(json_object_get(body, "type"));
    json_t *v;
    int i;
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    if (type == NULL || strcmp(type, "event") != 0)
        return hale_err_set(
            err, HALE_E_INVAL,
            "type must be event: for thresholds use /v2.0/alarm-definitions");
    if (json_array_size(json_object_get(body, "time_constraints")) > 0)
        return hale_err_set(
            err, HALE_E_INVAL,
            "time_constraints are not kept: use a silence (/v1/silences)");
    json_object_foreach (body, key, v)
        if (!find(KNOWN, hale_str_from(key), &i))
            return hale_err_set(err, HALE_E_INVAL, "Unknown attribute: %.100s", key);
    return HALE_OK;
}

enum hale_rc hale_aodh_from_api(json_t *body, struct hale_aodh **out,
                                struct hale_err *err)
{
    *out = NULL;
    enum hale_rc rc = api_type(body, err);
    if (rc != HALE_OK)
        return rc;
    struct hale_aodh *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    rc = api_text(body, "name", NULL, &a->name, err);
    if (rc == HALE_OK && (a->name == NULL || *a->name == '\0'))
        rc = hale_err_set(err, HALE_E_INVAL, "name is required");
    if (rc == HALE_OK)
        rc = api_text(body, "description", "", &a->description, err);
    if (rc == HALE_OK)
        rc = api_bool(body, "enabled", true, &a->enabled, err);
    if (rc == HALE_OK)
        rc = api_bool(body, "repeat_actions", false, &a->repeat, err);
    if (rc == HALE_OK)
        rc = api_words(body, a, err);
    if (rc == HALE_OK)
        rc = api_rule(body, a, err);
    for (size_t i = 0; rc == HALE_OK && i < 3; i++)
        rc = api_actions(body, ACTIONS[i], &a->actions[i], err);
    if (rc != HALE_OK)
        hale_aodh_free(a);
    else
        *out = a;
    return rc;
}

/* Aodh's times: UTC without a zone. */
static json_t *time_json(int64_t ms)
{
    char text[HALE_CLOCK_ISO_MAX];
    (void)hale_clock_iso_ms(ms, text);
    return json_stringn(text, strcspn(text, "Z"));
}

json_t *hale_aodh_to_api(const struct hale_aodh *a, enum hale_state state,
                         int64_t since_ms, const char *reason)
{
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:s, s:{s:s, s:O}, s:O, s:O, s:O, s:b, s:[], s:s, "
        "s:s, s:s, s:o, s:s, s:o, s:o}",
        "alarm_id", a->id, "name", a->name, "description", a->description, "enabled",
        a->enabled, "severity", hale_aodh_severity_text(a->severity), "type", "event",
        "event_rule", "event_type", a->event_type, "query", a->query, "alarm_actions",
        a->actions[HALE_STATE_ALARM], "ok_actions", a->actions[HALE_STATE_OK],
        "insufficient_data_actions", a->actions[HALE_STATE_UNDETERMINED],
        "repeat_actions", a->repeat, "time_constraints", "project_id", a->tenant,
        "user_id", a->user, "state", hale_aodh_state_text(state), "state_timestamp",
        time_json(since_ms), "state_reason", reason, "timestamp",
        time_json(a->updated_ms), "evaluate_timestamp", time_json(since_ms));
}
