/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ves_form.h"

#include <math.h>
#include <string.h>

#include "model/series.h"

/* X.733's, as in the other forms; NORMAL clears. */
static const struct collector_severity_word SEVERITIES[] = {
    {"CRITICAL", HALE_SEV_CRITICAL}, {"MAJOR", HALE_SEV_HIGH}, {"MINOR", HALE_SEV_MEDIUM},
    {"WARNING", HALE_SEV_LOW},       {"NORMAL", HALE_SEV_LOW}, {NULL, HALE_SEV_LOW},
};

/* Kept in details, as far as the event has them. What counts on with every repeat (sequence,
 * lastEpochMicrosec) is not: a repeat would look like a change. */
static const char *const HEADER_KEPT[] = {
    "eventId",           "eventName",    "eventType",          "nfNamingCode",
    "nfcNamingCode",     "nfVendorName", "priority",           "reportingEntityName",
    "reportingEntityId", "sourceId",     "startEpochMicrosec",
};
static const char *const FAULT_KEPT[] = {
    "alarmAdditionalInformation",
    "eventCategory",
    "specificProblem",
    "vfStatus",
};
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

void collector_ves_fini(struct collector_ves *v)
{
    collector_event_list_fini(&v->events);
    memset(v, 0, sizeof(*v));
}

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* The string of that name, which must not be empty. */
static enum hale_rc need_text(const json_t *o, const char *where, const char *key,
                              struct hale_str *out, struct hale_err *err)
{
    *out = collector_json_text(json_object_get(o, key));
    if (out->len > 0)
        return HALE_OK;
    return hale_err_set(err, HALE_E_INVAL, "%s.%s is required and must be a string",
                        where, key);
}

static enum hale_rc read_time(const json_t *header, struct hale_event *e,
                              struct hale_err *err)
{
    const json_t *v = json_object_get(header, "lastEpochMicrosec");
    double us = json_number_value(v);

    if (!json_is_number(v) || !isfinite(us) || us < 0 || us > 9e18)
        return hale_err_set(err, HALE_E_INVAL,
                            "commonEventHeader.lastEpochMicrosec is required: "
                            "microseconds since 1970");
    e->time_ms =
        (json_is_integer(v) ? (int64_t)json_integer_value(v) : (int64_t)us) / 1000;
    return HALE_OK;
}

static enum hale_rc read_severity(const json_t *fault, struct hale_event *e,
                                  struct hale_err *err)
{
    const struct collector_severity_word *found = collector_severity_find(
        SEVERITIES, collector_json_text(json_object_get(fault, "eventSeverity")));

    if (found == NULL)
        return hale_err_set(err, HALE_E_INVAL,
                            "faultFields.eventSeverity must be CRITICAL, MAJOR, MINOR, "
                            "WARNING or NORMAL");
    e->severity = found->severity;
    e->clear = strcmp(found->word, "NORMAL") == 0;
    return HALE_OK;
}

static enum hale_rc set_text(json_t *o, const char *key, struct hale_str value,
                             struct hale_err *err)
{
    return json_object_set_new(o, key, json_stringn(value.p, value.len)) == 0
               ? HALE_OK
               : nomem(err);
}

/* Which object is faulty: what does not differ between the raise and the clear of one fault. */
static enum hale_rc read_identity(const json_t *header, const json_t *fault,
                                  struct hale_event *e, struct hale_err *err)
{
    struct hale_str condition, source, kind;
    struct hale_str interface =
        collector_json_text(json_object_get(fault, "alarmInterfaceA"));
    enum hale_rc rc = need_text(fault, "faultFields", "alarmCondition", &condition, err);

    if (rc == HALE_OK)
        rc = hale_series_check_name(condition, err);
    if (rc == HALE_OK)
        rc = need_text(header, "commonEventHeader", "sourceName", &source, err);
    if (rc == HALE_OK)
        rc = need_text(fault, "faultFields", "eventSourceType", &kind, err);
    if (rc != HALE_OK)
        return rc;
    e->type = strndup(condition.p, condition.len);
    e->dimensions = json_object();
    if (e->type == NULL || e->dimensions == NULL)
        return nomem(err);
    rc = set_text(e->dimensions, "sourceName", source, err);
    if (rc == HALE_OK)
        rc = set_text(e->dimensions, "eventSourceType", kind, err);
    if (rc == HALE_OK && interface.len > 0)
        rc = set_text(e->dimensions, "alarmInterfaceA", interface, err);
    return rc == HALE_OK
               ? collector_event_check_dimensions(e->dimensions, "dimension", err)
               : rc;
}

static bool keep(json_t *to, const json_t *from, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *v = json_object_get(from, keys[i]);
        if (v != NULL && !json_is_null(v) && json_object_set(to, keys[i], v) != 0)
            return false;
    }
    return true;
}

static enum hale_rc add_fault(const json_t *event, const json_t *header,
                              const char *tenant, int64_t now_us,
                              struct collector_event_list *out, struct hale_err *err)
{
    const json_t *fault = json_object_get(event, "faultFields");
    struct hale_event e = {.accepted_us = now_us};

    if (!json_is_object(fault))
        return hale_err_set(err, HALE_E_INVAL,
                            "an event of the domain fault needs faultFields");
    e.tenant = strdup(tenant);
    e.details = json_object();
    enum hale_rc rc = HALE_OK;
    if (e.tenant == NULL || e.details == NULL ||
        !keep(e.details, header, HEADER_KEPT, LENGTH(HEADER_KEPT)) ||
        !keep(e.details, fault, FAULT_KEPT, LENGTH(FAULT_KEPT)))
        rc = nomem(err);
    if (rc == HALE_OK)
        rc = read_identity(header, fault, &e, err);
    if (rc == HALE_OK)
        rc = read_severity(fault, &e, err);
    if (rc == HALE_OK)
        rc = read_time(header, &e, err);
    if (rc == HALE_OK)
        rc = collector_event_list_add(out, &e, err);
    hale_event_fini(&e);
    return rc;
}

static enum hale_rc add_event(const json_t *event, const char *tenant, int64_t now_us,
                              struct collector_ves *out, struct hale_err *err)
{
    const json_t *header = json_object_get(event, "commonEventHeader");
    struct hale_str domain;

    if (!json_is_object(header))
        return hale_err_set(err, HALE_E_INVAL,
                            "an event must be an object that has commonEventHeader");
    enum hale_rc rc = need_text(header, "commonEventHeader", "domain", &domain, err);
    if (rc != HALE_OK)
        return rc;
    if (hale_str_eq_c(domain, "heartbeat")) {
        out->heartbeats++;
        return HALE_OK;
    }
    if (!hale_str_eq_c(domain, "fault"))
        return hale_err_set(err, HALE_E_INVAL,
                            "domain %.60s is not taken here: only fault and heartbeat",
                            json_string_value(json_object_get(header, "domain")));
    return add_fault(event, header, tenant, now_us, &out->events, err);
}

static enum hale_rc read_all(const json_t *root, bool batch, const char *tenant,
                             int64_t now_us, struct collector_ves *out,
                             struct hale_err *err)
{
    const json_t *list = json_object_get(root, batch ? "eventList" : "event");
    size_t n = batch ? json_array_size(list) : 1;

    if (batch ? !json_is_array(list) || n == 0 : !json_is_object(list))
        return hale_err_set(err, HALE_E_INVAL, "the body must be %s",
                            batch ? "{\"eventList\":[...]} with at least one event"
                                  : "{\"event\":{...}}");
    enum hale_rc rc = collector_event_list_init(&out->events, n, err);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        struct hale_err why = {0};
        rc = add_event(batch ? json_array_get(list, i) : list, tenant, now_us, out, &why);
        if (rc != HALE_OK)
            rc = hale_err_set(err, rc, "event %zu: %.300s", i + 1, why.text);
    }
    return rc;
}

enum hale_rc collector_ves_form_read(struct hale_str body, bool batch, const char *tenant,
                                     int64_t now_us, struct collector_ves *out,
                                     struct hale_err *err)
{
    memset(out, 0, sizeof(*out));
    memset(err, 0, sizeof(*err));
    json_t *root = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;
    if (root == NULL)
        return hale_err_set(err, HALE_E_INVAL, "the body is not valid JSON");
    enum hale_rc rc = read_all(root, batch, tenant, now_us, out, err);
    if (rc != HALE_OK)
        collector_ves_fini(out);
    json_decref(root);
    return rc;
}

void collector_ves_error_body(struct hale_buf *body, bool busy, const char *why)
{
    hale_buf_add_c(body, "{\"requestError\":{\"serviceException\":{\"messageId\":");
    hale_buf_add_c(body, busy ? "\"SVC1000\",\"text\":\"No server resources available to "
                                "process the request: %1\""
                              : "\"SVC0002\",\"text\":\"Invalid input value for message "
                                "part: %1\"");
    hale_buf_add_c(body, ",\"variables\":[");
    hale_buf_add_json(body, hale_str_from(why));
    hale_buf_add_c(body, "]}}}");
}
