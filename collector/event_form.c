/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/event_form.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/alarm.h"
#include "model/limits.h"
#include "model/series.h"

/* Words of X.733 and of OPNFV Doctor beside Monasca's. */
static const struct {
    const char *word;
    enum hale_severity severity;
} SEVERITIES[] = {
    {"low", HALE_SEV_LOW},           {"warning", HALE_SEV_LOW},
    {"indeterminate", HALE_SEV_LOW}, {"medium", HALE_SEV_MEDIUM},
    {"minor", HALE_SEV_MEDIUM},      {"high", HALE_SEV_HIGH},
    {"major", HALE_SEV_HIGH},        {"critical", HALE_SEV_CRITICAL},
};

static const struct {
    const char *word;
    bool clear;
} STATUSES[] = {
    {"raise", false}, {"down", false}, {"firing", false},
    {"clear", true},  {"up", true},    {"resolved", true},
};

static struct hale_str text_of(const json_t *j)
{
    return (struct hale_str){json_string_value(j), json_string_length(j)};
}

/* The top-level key, or the same one in details (Doctor's form). */
static const json_t *either(const json_t *event, const json_t *details, const char *key)
{
    const json_t *v = json_object_get(event, key);

    if (v == NULL || json_is_null(v))
        v = json_object_get(details, key);
    return v != NULL && json_is_null(v) ? NULL : v;
}

static enum hale_rc read_severity(const json_t *v, struct hale_event *e,
                                  struct hale_err *err)
{
    e->severity = HALE_SEV_CRITICAL;
    if (v == NULL)
        return HALE_OK;
    for (size_t i = 0;
         json_is_string(v) && i < sizeof(SEVERITIES) / sizeof(SEVERITIES[0]); i++) {
        if (hale_str_ieq_c(text_of(v), SEVERITIES[i].word)) {
            e->severity = SEVERITIES[i].severity;
            return HALE_OK;
        }
    }
    return hale_err_set(err, HALE_E_INVAL,
                        "severity must be LOW, MEDIUM, HIGH or CRITICAL");
}

static enum hale_rc read_status(const json_t *v, struct hale_event *e,
                                struct hale_err *err)
{
    e->clear = false;
    if (v == NULL)
        return HALE_OK;
    for (size_t i = 0; json_is_string(v) && i < sizeof(STATUSES) / sizeof(STATUSES[0]);
         i++) {
        if (hale_str_ieq_c(text_of(v), STATUSES[i].word)) {
            e->clear = STATUSES[i].clear;
            return HALE_OK;
        }
    }
    return hale_err_set(err, HALE_E_INVAL,
                        "status must be raise, down, firing, clear, up or resolved");
}

static enum hale_rc read_time(const json_t *v, int64_t now_us, struct hale_event *e,
                              struct hale_err *err)
{
    e->time_ms = now_us / 1000;
    if (v == NULL || json_is_null(v))
        return HALE_OK;
    if (json_is_integer(v)) {
        e->time_ms = json_integer_value(v);
        return HALE_OK;
    }
    if (json_is_real(v) && fabs(json_real_value(v)) < 9e15) {
        e->time_ms = (int64_t)json_real_value(v);
        return HALE_OK;
    }
    if (json_is_string(v) && hale_clock_parse_iso(text_of(v), &e->time_ms) == HALE_OK)
        return HALE_OK;
    return hale_err_set(err, HALE_E_INVAL,
                        "time must be ISO 8601 text or Unix milliseconds");
}

static enum hale_rc read_dimensions(const json_t *event, struct hale_event *e,
                                    struct hale_err *err)
{
    json_t *given = json_object_get(event, "dimensions");
    const char *key;
    json_t *value;

    if (given == NULL || json_is_null(given)) { /* Doctor's form */
        json_t *host = json_object_get(e->details, "hostname");
        e->dimensions = json_object();
        if (host != NULL && json_object_set(e->dimensions, "hostname", host) != 0)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    } else if (json_is_object(given)) {
        e->dimensions = json_incref(given);
    } else {
        return hale_err_set(err, HALE_E_INVAL, "dimensions must be an object");
    }
    if (json_object_size(e->dimensions) == 0)
        return hale_err_set(
            err, HALE_E_INVAL,
            "an event needs dimensions or details.hostname: they say which "
            "object is faulty");
    if (json_object_size(e->dimensions) > HALE_DIMS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "more than %d dimensions", HALE_DIMS_MAX);
    json_object_foreach (e->dimensions, key, value) {
        if (!json_is_string(value))
            return hale_err_set(err, HALE_E_INVAL, "dimension %.100s must be a string",
                                key);
        enum hale_rc rc = hale_series_check_dim(hale_str_from(key), text_of(value), err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

static enum hale_rc read_event(const json_t *j, const char *tenant, int64_t now_us,
                               struct hale_event *e, struct hale_err *err)
{
    if (!json_is_object(j))
        return hale_err_set(err, HALE_E_INVAL, "an event must be an object");
    const json_t *type = json_object_get(j, "type");
    if (!json_is_string(type))
        return hale_err_set(err, HALE_E_INVAL, "type is required and must be a string");
    enum hale_rc rc = hale_series_check_name(text_of(type), err);
    if (rc != HALE_OK)
        return rc;
    json_t *details = json_object_get(j, "details");
    if (details != NULL && !json_is_null(details) && !json_is_object(details))
        return hale_err_set(err, HALE_E_INVAL, "details must be an object");
    e->details = json_is_object(details) ? json_incref(details) : json_object();
    e->tenant = strdup(tenant);
    e->type = strndup(json_string_value(type), json_string_length(type));
    e->accepted_us = now_us;
    if (e->details == NULL || e->tenant == NULL || e->type == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    rc = read_severity(either(j, e->details, "severity"), e, err);
    if (rc == HALE_OK)
        rc = read_status(either(j, e->details, "status"), e, err);
    if (rc == HALE_OK)
        rc = read_time(json_object_get(j, "time"), now_us, e, err);
    if (rc == HALE_OK)
        rc = read_dimensions(j, e, err);
    return rc;
}

static enum hale_rc add_event(const json_t *j, const char *tenant, int64_t now_us,
                              struct collector_event_list *out, struct hale_err *err)
{
    struct hale_event e = {0};
    struct hale_buf *b = &out->v[out->n++];

    hale_buf_init(b, HALE_EVENT_MAX_BYTES);
    enum hale_rc rc = read_event(j, tenant, now_us, &e, err);
    if (rc == HALE_OK) {
        rc = hale_event_encode(&e, b);
        if (rc != HALE_OK || b->failed)
            rc = hale_err_set(err, HALE_E_INVAL, "an event may have at most %d bytes",
                              HALE_EVENT_MAX_BYTES);
    }
    hale_event_fini(&e);
    return rc;
}

void collector_event_list_fini(struct collector_event_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        hale_buf_fini(&l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static const json_t *find_events(const json_t *root)
{
    if (json_is_object(root)) {
        const json_t *many = json_object_get(root, "events");
        const json_t *one = json_object_get(root, "event");
        if (many != NULL && json_object_get(root, "type") == NULL)
            return many;
        if (one != NULL && json_object_get(root, "type") == NULL)
            return one;
    }
    return root;
}

enum hale_rc collector_event_form_read(struct hale_str body, const char *tenant,
                                       int64_t now_us, struct collector_event_list *out,
                                       struct hale_err *err)
{
    json_error_t why;
    enum hale_rc rc = HALE_OK;

    memset(out, 0, sizeof(*out));
    memset(err, 0, sizeof(*err));
    json_t *root =
        body.len > 0 ? json_loadb(body.p, body.len, JSON_DECODE_ANY, &why) : NULL;
    if (root == NULL)
        return hale_err_at(err, HALE_E_INVAL, NULL, 0, 1,
                           "Request body is not valid JSON");
    const json_t *events = find_events(root);
    size_t n = json_is_array(events) ? json_array_size(events) : 1;
    if (n == 0)
        rc = hale_err_set(err, HALE_E_INVAL, "there is no event in the list");
    else if (n > COLLECTOR_EVENTS_MAX)
        rc = hale_err_set(err, HALE_E_INVAL, "more than %d events", COLLECTOR_EVENTS_MAX);
    if (rc == HALE_OK) {
        out->v = calloc(n > 0 ? n : 1, sizeof(out->v[0]));
        if (out->v == NULL)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == HALE_OK && out->v != NULL && i < n; i++)
        rc = add_event(json_is_array(events) ? json_array_get(events, i) : events, tenant,
                       now_us, out, err);
    if (rc != HALE_OK)
        collector_event_list_fini(out);
    json_decref(root);
    return rc;
}
