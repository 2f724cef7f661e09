/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/alert_form.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/series.h"

/* Go's zero time: a field that its client left out. */
#define GO_ZERO_MS (-62135596800000)

static const struct collector_severity_word SEVERITIES[] = {
    {"critical", HALE_SEV_CRITICAL},  {"fatal", HALE_SEV_CRITICAL},
    {"emergency", HALE_SEV_CRITICAL}, {"page", HALE_SEV_CRITICAL},
    {"major", HALE_SEV_HIGH},         {"error", HALE_SEV_HIGH},
    {"high", HALE_SEV_HIGH},          {"warning", HALE_SEV_MEDIUM},
    {"minor", HALE_SEV_MEDIUM},       {"medium", HALE_SEV_MEDIUM},
    {"info", HALE_SEV_LOW},           {"information", HALE_SEV_LOW},
    {"informational", HALE_SEV_LOW},  {"low", HALE_SEV_LOW},
    {"none", HALE_SEV_LOW},           {NULL, HALE_SEV_LOW},
};

void collector_alerts_fini(struct collector_alerts *a)
{
    collector_event_list_fini(&a->events);
    memset(a, 0, sizeof(*a));
}

/* A missing or zero time leaves *out_ms. */
static enum hale_rc read_time(const json_t *alert, const char *key, int64_t *out_ms,
                              struct hale_err *err)
{
    const json_t *v = json_object_get(alert, key);
    int64_t ms = GO_ZERO_MS;

    if (v == NULL || json_is_null(v))
        return HALE_OK;
    if (!json_is_string(v) ||
        hale_clock_parse_iso(collector_json_text(v), &ms) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "%s must be RFC 3339 text", key);
    if (ms != GO_ZERO_MS)
        *out_ms = ms;
    return HALE_OK;
}

static enum hale_rc read_times(const json_t *alert, struct hale_event *e,
                               struct hale_err *err)
{
    int64_t starts = INT64_MIN, ends = e->time_ms + COLLECTOR_ALERT_RESOLVE_MS;
    enum hale_rc rc = read_time(alert, "startsAt", &starts, err);

    if (rc == HALE_OK)
        rc = read_time(alert, "endsAt", &ends, err);
    if (rc != HALE_OK)
        return rc;
    if (starts > ends)
        return hale_err_set(err, HALE_E_INVAL, "startsAt is after endsAt");
    e->clear = ends <= e->time_ms;
    e->expires_ms = e->clear ? 0 : ends;
    return HALE_OK;
}

/* Every label but alertname is a dimension, severity too: two alerts that differ in it only are
 * two alarms, as with an Alertmanager. A label without a value is none. */
static enum hale_rc read_labels(json_t *labels, struct hale_event *e,
                                struct hale_err *err)
{
    const json_t *name = json_object_get(labels, "alertname");
    const json_t *severity = json_object_get(labels, "severity");
    const struct collector_severity_word *found;
    const char *key;
    json_t *value;

    if (!json_is_object(labels) || !json_is_string(name) || json_string_length(name) == 0)
        return hale_err_set(err, HALE_E_INVAL,
                            "labels must be an object that has alertname");
    enum hale_rc rc = hale_series_check_name(collector_json_text(name), err);
    if (rc != HALE_OK)
        return rc;
    e->type = strndup(json_string_value(name), json_string_length(name));
    e->dimensions = json_object();
    json_object_foreach (labels, key, value) {
        if (value == name || (json_is_string(value) && json_string_length(value) == 0))
            continue;
        if (e->dimensions == NULL || json_object_set(e->dimensions, key, value) != 0)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    if (e->type == NULL || e->dimensions == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    found = collector_severity_find(SEVERITIES, collector_json_text(severity));
    e->severity = found != NULL ? found->severity : HALE_SEV_CRITICAL;
    return collector_event_check_dimensions(e->dimensions, "label", err);
}

/* What does not change while the alert lasts: endsAt does, with every repeat. */
static enum hale_rc read_details(const json_t *alert, struct hale_event *e,
                                 struct hale_err *err)
{
    static const char *const KEPT[] = {"annotations", "generatorURL", "startsAt"};
    json_t *annotations = json_object_get(alert, "annotations");
    const char *key;
    json_t *value;

    if (annotations != NULL && !json_is_null(annotations) && !json_is_object(annotations))
        return hale_err_set(err, HALE_E_INVAL, "annotations must be an object");
    json_object_foreach (annotations, key, value) {
        if (!json_is_string(value))
            return hale_err_set(err, HALE_E_INVAL, "annotation %.100s must be a string",
                                key);
    }
    e->details = json_object();
    for (size_t i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++) {
        json_t *v = json_object_get(alert, KEPT[i]);
        if (v == NULL || json_is_null(v))
            continue;
        if (e->details == NULL || json_object_set(e->details, KEPT[i], v) != 0)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    return e->details != NULL ? HALE_OK
                              : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc add_alert(const json_t *alert, const char *tenant, int64_t now_us,
                              struct collector_event_list *out, struct hale_err *err)
{
    /* The order of alerts is that in which they come, as with an Alertmanager. */
    struct hale_event e = {.time_ms = now_us / 1000, .accepted_us = now_us};
    enum hale_rc rc = HALE_OK;

    if (!json_is_object(alert))
        return hale_err_set(err, HALE_E_INVAL, "an alert must be an object");
    e.tenant = strdup(tenant);
    if (e.tenant == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK)
        rc = read_labels(json_object_get(alert, "labels"), &e, err);
    if (rc == HALE_OK)
        rc = read_times(alert, &e, err);
    if (rc == HALE_OK)
        rc = read_details(alert, &e, err);
    if (rc == HALE_OK)
        rc = collector_event_list_add(out, &e, err);
    hale_event_fini(&e);
    return rc;
}

static enum hale_rc read_all(const json_t *root, const char *tenant, int64_t now_us,
                             struct collector_alerts *out, struct hale_err *err)
{
    size_t i;
    json_t *alert;

    if (!json_is_array(root))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an array of alerts");
    enum hale_rc rc = collector_event_list_init(&out->events, json_array_size(root), err);
    if (rc != HALE_OK)
        return rc;
    json_array_foreach (root, i, alert) {
        struct hale_err why = {0};
        rc = add_alert(alert, tenant, now_us, &out->events, &why);
        if (rc == HALE_E_NOMEM)
            return hale_err_set(err, rc, "out of memory");
        if (rc != HALE_OK && out->refused++ == 0)
            (void)snprintf(out->why, sizeof(out->why), "alert %zu: %.250s", i + 1,
                           why.text);
    }
    return HALE_OK;
}

enum hale_rc collector_alert_form_read(struct hale_str body, const char *tenant,
                                       int64_t now_us, struct collector_alerts *out,
                                       struct hale_err *err)
{
    memset(out, 0, sizeof(*out));
    memset(err, 0, sizeof(*err));
    json_t *root = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;
    if (root == NULL)
        return hale_err_at(err, HALE_E_INVAL, NULL, 0, 1,
                           "Request body is not valid JSON");
    enum hale_rc rc = read_all(root, tenant, now_us, out, err);
    if (rc != HALE_OK)
        collector_alerts_fini(out);
    json_decref(root);
    return rc;
}
