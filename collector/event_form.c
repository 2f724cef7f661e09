/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/event_form.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/series.h"

/* Words of X.733 and of OPNFV Doctor beside Monasca's. */
static const struct collector_severity_word SEVERITIES[] = {
    {"low", HALE_SEV_LOW},
    {"warning", HALE_SEV_LOW},
    {"indeterminate", HALE_SEV_LOW},
    {"info", HALE_SEV_LOW},
    {"medium", HALE_SEV_MEDIUM},
    {"minor", HALE_SEV_MEDIUM},
    {"high", HALE_SEV_HIGH},
    {"major", HALE_SEV_HIGH},
    {"critical", HALE_SEV_CRITICAL},
    {"cleared", HALE_SEV_LOW},
    {NULL, HALE_SEV_LOW},
};

static const struct {
    const char *word;
    bool clear;
} STATUSES[] = {
    {"raise", false}, {"down", false}, {"firing", false},
    {"clear", true},  {"up", true},    {"resolved", true},
};

/* The top-level key, or the same one in details (Doctor's form). */
static const json_t *either(const json_t *event, const json_t *details, const char *key)
{
    const json_t *v = json_object_get(event, key);

    if (v == NULL || json_is_null(v))
        v = json_object_get(details, key);
    return v != NULL && json_is_null(v) ? NULL : v;
}

/* X.733 has the clear among the severities; a status that is given counts more. */
static enum hale_rc read_severity(const json_t *v, struct hale_event *e,
                                  struct hale_err *err)
{
    e->severity = HALE_SEV_CRITICAL;
    if (v == NULL)
        return HALE_OK;
    const struct collector_severity_word *found =
        collector_severity_find(SEVERITIES, collector_json_text(v));
    if (found == NULL)
        return hale_err_set(err, HALE_E_INVAL,
                            "severity must be LOW, MEDIUM, HIGH or CRITICAL");
    e->severity = found->severity;
    e->clear = strcmp(found->word, "cleared") == 0;
    return HALE_OK;
}

static enum hale_rc read_status(const json_t *v, struct hale_event *e,
                                struct hale_err *err)
{
    if (v == NULL)
        return HALE_OK;
    for (size_t i = 0; json_is_string(v) && i < sizeof(STATUSES) / sizeof(STATUSES[0]);
         i++) {
        if (hale_str_ieq_c(collector_json_text(v), STATUSES[i].word)) {
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
    if (json_is_string(v) &&
        hale_clock_parse_iso(collector_json_text(v), &e->time_ms) == HALE_OK)
        return HALE_OK;
    return hale_err_set(err, HALE_E_INVAL,
                        "time must be ISO 8601 text or Unix milliseconds");
}

static enum hale_rc read_dimensions(const json_t *event, struct hale_event *e,
                                    struct hale_err *err)
{
    json_t *given = json_object_get(event, "dimensions");

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
    return collector_event_check_dimensions(e->dimensions, "dimension", err);
}

static enum hale_rc read_event(const json_t *j, const char *tenant, int64_t now_us,
                               struct hale_event *e, struct hale_err *err)
{
    if (!json_is_object(j))
        return hale_err_set(err, HALE_E_INVAL, "an event must be an object");
    const json_t *type = json_object_get(j, "type");
    if (!json_is_string(type))
        return hale_err_set(err, HALE_E_INVAL, "type is required and must be a string");
    enum hale_rc rc = hale_series_check_name(collector_json_text(type), err);
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
    enum hale_rc rc = read_event(j, tenant, now_us, &e, err);

    if (rc == HALE_OK)
        rc = collector_event_list_add(out, &e, err);
    hale_event_fini(&e);
    return rc;
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
    bool list = json_is_array(events);
    size_t n = list ? json_array_size(events) : 1;
    if (n == 0)
        rc = hale_err_set(err, HALE_E_INVAL, "there is no event in the list");
    if (rc == HALE_OK)
        rc = collector_event_list_init(out, n, err);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        struct hale_err reason = {0};
        rc = add_event(list ? json_array_get(events, i) : events, tenant, now_us, out,
                       &reason);
        if (rc != HALE_OK && list)
            rc = hale_err_set(err, rc, "event %zu: %.400s", i + 1, reason.text);
        else if (rc != HALE_OK)
            *err = reason;
    }
    if (rc != HALE_OK)
        collector_event_list_fini(out);
    json_decref(root);
    return rc;
}
