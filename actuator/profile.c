/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/profile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/message.h"
#include "actuator/varbinds.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"

#define TRAIT_MAX 255 /* Aodh's: characters of a trait's text */

const char *const actuator_profile_words[] = {
    "hale",      "monasca", "alertmanager", "cloudevents", "aodh", "ves",
    "pagerduty", "slack",   "email",        "tacker",      "snmp", NULL,
};

bool actuator_profile_tells(enum actuator_profile p, enum hale_state state)
{
    return state != HALE_STATE_UNDETERMINED ||
           (p != ACTUATOR_PROFILE_ALERTMANAGER && p != ACTUATOR_PROFILE_VES &&
            p != ACTUATOR_PROFILE_PAGERDUTY && p != ACTUATOR_PROFILE_TACKER);
}

bool actuator_profile_for_people(enum actuator_profile p)
{
    return p == ACTUATOR_PROFILE_EMAIL || p == ACTUATOR_PROFILE_SLACK ||
           p == ACTUATOR_PROFILE_PAGERDUTY;
}

bool actuator_profile_shared(enum actuator_profile p)
{
    return p == ACTUATOR_PROFILE_HALE || p == ACTUATOR_PROFILE_MONASCA ||
           p == ACTUATOR_PROFILE_AODH || p == ACTUATOR_PROFILE_SLACK ||
           p == ACTUATOR_PROFILE_TACKER;
}

const char *actuator_profile_content_type(enum actuator_profile p)
{
    return p == ACTUATOR_PROFILE_CLOUDEVENTS ? "application/cloudevents+json"
                                             : "application/json";
}

/* --- our own: written as it goes, this is the fast path ------------------------------ */

static void add_key(struct hale_buf *out, const char *key, const char *text)
{
    hale_buf_printf(out, ",\"%s\":", key);
    hale_buf_add_json(out, hale_str_from(text));
}

static void add_tree(struct hale_buf *out, const char *key, const json_t *tree)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    hale_buf_printf(out, ",\"%s\":", key);
    hale_buf_add_c(out, text != NULL ? text : "null");
    free(text);
}

static void add_metrics(struct hale_buf *out, const json_t *metrics)
{
    hale_buf_add_c(out, ",\"metrics\":[");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *metric = json_array_get(metrics, i);
        hale_buf_add_c(out, i > 0 ? ",{\"id\":null" : "{\"id\":null");
        add_key(out, "name", json_string_value(json_object_get(metric, "name")));
        add_tree(out, "dimensions", json_object_get(metric, "dimensions"));
        hale_buf_add_char(out, '}');
    }
    hale_buf_add_char(out, ']');
}

static const char *kind_text(enum hale_log_kind kind)
{
    switch (kind) {
    case HALE_ALARM_CREATED: return "created";
    case HALE_ALARM_TRANSITION: return "transition";
    case HALE_ALARM_UPDATED: return "updated";
    case HALE_ALARM_DELETED: return "deleted";
    }
    return "";
}

static void own_body(const struct hale_log_record *rec, struct hale_buf *out)
{
    const struct hale_alarm *a = &rec->alarm;
    hale_buf_printf(out, "{\"v\":1,\"seq\":%lld,\"kind\":\"%s\",\"time_ms\":%lld",
                    (long long)rec->seq, kind_text(rec->kind), (long long)rec->time_ms);
    add_key(out, "alarm_id", a->id);
    add_key(out, "alarm_definition_id", a->definition_id);
    add_key(out, "alarm_name", a->definition_name);
    add_key(out, "alarm_description", a->description);
    hale_buf_printf(out, ",\"alarm_timestamp\":%lld", (long long)(rec->time_ms / 1000));
    add_key(out, "state", hale_state_text(a->state));
    add_key(out, "old_state", hale_state_text(rec->old_state));
    add_key(out, "message", a->reason);
    add_key(out, "tenant_id", a->tenant);
    add_metrics(out, a->metrics);
    add_key(out, "severity", hale_severity_text(a->severity));
    add_key(out, "source", a->from_event ? "event" : "metric");
    add_tree(out, "group", a->group);
    if (a->lifecycle_state != NULL)
        add_key(out, "lifecycle_state", a->lifecycle_state);
    if (a->link != NULL)
        add_key(out, "link", a->link);
    if (json_object_size(a->life) > 0)
        add_tree(out, "life", a->life);
    add_tree(out, "sub_alarms", a->sub_alarms);
    add_tree(out, "evidence", rec->evidence);
    hale_buf_printf(out, ",\"accepted_us\":%lld,\"decided_us\":%lld,\"logged_us\":%lld}",
                    (long long)rec->accepted_us, (long long)rec->decided_us,
                    (long long)rec->logged_us);
}

static enum hale_rc monasca_body(const struct actuator_profile_note *n,
                                 struct hale_buf *out)
{
    const struct actuator_message m = {.alarm = &n->rec->alarm,
                                       .old_state = n->rec->old_state,
                                       .time_ms = n->rec->time_ms,
                                       .id = n->id};
    return actuator_message_webhook(&m, out);
}

/* --- what the others share ----------------------------------------------------------- */

static bool is_raised(const struct hale_log_record *rec)
{
    return rec->alarm.state == HALE_STATE_ALARM && rec->kind != HALE_ALARM_DELETED;
}

/* The thing that the alarm is about, for a person. */
const char *actuator_profile_source(const struct hale_alarm *a)
{
    static const char *const keys[] = {"hostname", "host",   "resource_id",
                                       "vnfc_id",  "vnf_id", "service"};
    const json_t *entity = json_object_get(a->life, "entity");
    const char *id = json_string_value(json_object_get(entity, "id"));
    for (size_t i = 0; id == NULL && i < sizeof(keys) / sizeof(keys[0]); i++)
        id = json_string_value(json_object_get(a->group, keys[i]));
    return id != NULL ? id : a->definition_name;
}

static json_t *time_json(int64_t ms)
{
    char text[HALE_CLOCK_ISO_MAX];
    return json_string(hale_clock_iso_ms(ms, text));
}

/* --- Alertmanager -------------------------------------------------------------------- */

/* alertname, severity, tenant, definition and the group; a dimension of such a name yields. */
json_t *actuator_profile_labels(const struct hale_alarm *a)
{
    json_t *labels = json_deep_copy(a->group);
    if (labels != NULL &&
        (json_object_set_new(labels, "alertname", json_string(a->definition_name)) != 0 ||
         json_object_set_new(labels, "severity",
                             json_string(hale_severity_text(a->severity))) != 0 ||
         json_object_set_new(labels, "tenant", json_string(a->tenant)) != 0)) {
        json_decref(labels);
        labels = NULL;
    }
    return labels;
}

static json_t *alertmanager_body(const struct actuator_profile_note *n)
{
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    const char *status = is_raised(rec) ? "firing" : "resolved";
    json_t *labels = actuator_profile_labels(a);
    char *text =
        labels != NULL ? json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char fingerprint[17], group[512];
    if (text == NULL) {
        json_decref(labels);
        return NULL;
    }
    (void)snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64,
                   hale_id_hash64(a->id, strlen(a->id)));
    (void)snprintf(group, sizeof(group), "{}:{alertname=\"%.200s\"}", a->definition_name);
    free(text);
    json_t *annotations = json_pack("{s:s, s:s, s:s}", "summary", a->reason,
                                    "description", a->description, "alarm_id", a->id);
    return json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:{s:s}, s:O, s:O, s:s, s:[{s:s, s:o, s:o, s:o, s:o, "
        "s:s, s:s}]}",
        "version", "4", "groupKey", group, "truncatedAlerts", 0, "status", status,
        "receiver", n->subscriber, "groupLabels", "alertname", a->definition_name,
        "commonLabels", labels, "commonAnnotations", annotations, "externalURL", "",
        "alerts", "status", status, "labels", labels, "annotations", annotations,
        "startsAt", time_json(is_raised(rec) ? a->state_updated_ms : a->created_ms),
        "endsAt",
        is_raised(rec) ? json_string("0001-01-01T00:00:00Z") : time_json(rec->time_ms),
        "generatorURL", a->link != NULL ? a->link : "", "fingerprint", fingerprint);
}

/* --- CloudEvents --------------------------------------------------------------------- */

static const char *event_type(const struct hale_log_record *rec)
{
    if (rec->kind == HALE_ALARM_DELETED)
        return "org.hale.alarm.deleted";
    switch (rec->alarm.state) {
    case HALE_STATE_ALARM: return "org.hale.alarm.raised";
    case HALE_STATE_OK: return "org.hale.alarm.cleared";
    case HALE_STATE_UNDETERMINED: return "org.hale.alarm.undetermined";
    }
    return "";
}

static void cloudevents_body(const struct actuator_profile_note *n, struct hale_buf *out)
{
    const struct hale_log_record *rec = n->rec;
    char time[HALE_CLOCK_ISO_MAX];
    hale_buf_printf(out,
                    "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/hale/alarms\","
                    "\"type\":\"%s\",\"time\":\"%s\","
                    "\"datacontenttype\":\"application/json\"",
                    n->id, event_type(rec), hale_clock_iso_ms(rec->time_ms, time));
    add_key(out, "subject", rec->alarm.id);
    hale_buf_add_c(out, ",\"data\":");
    own_body(rec, out);
    hale_buf_add_char(out, '}');
}

/* --- Aodh ---------------------------------------------------------------------------- */

static const char *aodh_state(enum hale_state s)
{
    static const char *const words[] = {[HALE_STATE_OK] = "ok",
                                        [HALE_STATE_UNDETERMINED] = "insufficient data",
                                        [HALE_STATE_ALARM] = "alarm"};
    HALE_ASSERT((unsigned)s <= HALE_STATE_ALARM);
    return words[s];
}

static const char *aodh_severity(enum hale_severity s)
{
    static const char *const words[] = {[HALE_SEV_LOW] = "low",
                                        [HALE_SEV_MEDIUM] = "moderate",
                                        [HALE_SEV_HIGH] = "critical",
                                        [HALE_SEV_CRITICAL] = "critical"};
    HALE_ASSERT((unsigned)s <= HALE_SEV_CRITICAL);
    return words[s];
}

static json_t *aodh_event(const struct actuator_profile_note *n)
{
    const struct hale_alarm *a = &n->rec->alarm;
    json_t *traits = json_array(), *value;
    const char *key;
    json_object_foreach (a->group, key, value) {
        const char *text = json_string_value(value);
        size_t len = text != NULL ? strlen(text) : 0;
        while (len > TRAIT_MAX || (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80))
            len--; /* not inside a character */
        if (json_array_append_new(
                traits, json_pack("[s, i, s%]", key, 1, text != NULL ? text : "", len)) !=
            0) {
            json_decref(traits);
            return NULL;
        }
    }
    return json_pack("{s:s, s:{s:s, s:s, s:o, s:o, s:{}}}", "type", "event", "event",
                     "message_id", n->id, "event_type", a->definition_name, "generated",
                     time_json(n->rec->time_ms), "traits", traits, "raw");
}

static json_t *aodh_threshold(const struct hale_alarm *a)
{
    json_t *values = json_object_get(json_array_get(a->sub_alarms, 0), "current_values");
    size_t n = json_array_size(values);
    json_t *last = n > 0 ? json_array_get(values, n - 1) : NULL;
    const char *disposition = a->state == HALE_STATE_ALARM ? "outside"
                              : a->state == HALE_STATE_OK  ? "inside"
                                                           : "unknown";
    return json_pack("{s:s, s:s, s:i, s:O?}", "type", "threshold", "disposition",
                     disposition, "count", (int)n, "most_recent", last);
}

static json_t *aodh_body(const struct actuator_profile_note *n)
{
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    json_t *data = a->from_event ? aodh_event(n) : aodh_threshold(a);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "alarm_name",
                     a->definition_name, "alarm_id", a->id, "severity",
                     aodh_severity(a->severity), "previous", aodh_state(rec->old_state),
                     "current", aodh_state(a->state), "reason", a->reason, "reason_data",
                     data);
}

/* --- VES ----------------------------------------------------------------------------- */

static const char *ves_severity(const struct hale_log_record *rec)
{
    static const char *const words[] = {[HALE_SEV_LOW] = "WARNING",
                                        [HALE_SEV_MEDIUM] = "MINOR",
                                        [HALE_SEV_HIGH] = "MAJOR",
                                        [HALE_SEV_CRITICAL] = "CRITICAL"};
    HALE_ASSERT((unsigned)rec->alarm.severity <= HALE_SEV_CRITICAL);
    return is_raised(rec) ? words[rec->alarm.severity] : "NORMAL";
}

static json_t *ves_body(const struct actuator_profile_note *n)
{
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    const char *source = actuator_profile_source(a);
    char name[256];
    json_t *more = json_deep_copy(a->group);
    (void)snprintf(name, sizeof(name), "Fault_Hale_%.200s", a->definition_name);
    if (more == NULL || json_object_set_new(more, "alarmId", json_string(a->id)) != 0) {
        json_decref(more);
        return NULL;
    }
    return json_pack(
        "{s:{s:{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:i, s:s, s:s, s:s, s:s}, s:{s:s, "
        "s:s, "
        "s:s, s:s, s:s, s:s, s:o}}}",
        "event", "commonEventHeader", "domain", "fault", "eventId", n->id, "eventName",
        name, "lastEpochMicrosec", (json_int_t)rec->time_ms * 1000, "startEpochMicrosec",
        (json_int_t)a->state_updated_ms * 1000, "priority",
        a->severity >= HALE_SEV_HIGH ? "High" : "Normal", "reportingEntityName", "hale",
        "sequence", 0, "sourceName", source, "version", "4.1", "vesEventListenerVersion",
        "7.2.1", "eventType", a->from_event ? "event" : "metric", "faultFields",
        "alarmCondition", a->definition_name, "eventSeverity", ves_severity(rec),
        "eventSourceType", "other", "faultFieldsVersion", "4.0", "specificProblem",
        a->reason, "vfStatus", "Active", "alarmAdditionalInformation", more);
}

/* --- people -------------------------------------------------------------------------- */

static json_t *pagerduty_body(const struct actuator_profile_note *n)
{
    static const char *const words[] = {[HALE_SEV_LOW] = "info",
                                        [HALE_SEV_MEDIUM] = "warning",
                                        [HALE_SEV_HIGH] = "error",
                                        [HALE_SEV_CRITICAL] = "critical"};
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    char summary[1024]; /* PagerDuty's ceiling */
    HALE_ASSERT((unsigned)a->severity <= HALE_SEV_CRITICAL);
    (void)snprintf(summary, sizeof(summary), "%.200s on %.200s", a->definition_name,
                   actuator_profile_source(a));
    return json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:o, s:s, s:{s:s, s:s, s:s, s:O}}}",
        "routing_key", n->key != NULL ? n->key : "", "event_action",
        is_raised(rec) ? "trigger" : "resolve", "dedup_key", a->id, "payload", "summary",
        summary, "source", actuator_profile_source(a), "severity", words[a->severity],
        "timestamp", time_json(rec->time_ms), "class", a->definition_name,
        "custom_details", "reason", a->reason, "alarm_id", a->id, "tenant", a->tenant,
        "group", a->group);
}

/* Slack's own signs: & < > are written as entities. */
void actuator_profile_slack_text(struct hale_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            hale_buf_add_c(out, "&amp;");
        else if (*text == '<')
            hale_buf_add_c(out, "&lt;");
        else if (*text == '>')
            hale_buf_add_c(out, "&gt;");
        else
            hale_buf_add_char(out, *text);
    }
}

static json_t *slack_body(const struct actuator_profile_note *n)
{
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    const char *color = rec->alarm.state == HALE_STATE_OK      ? "good"
                        : rec->alarm.severity >= HALE_SEV_HIGH ? "danger"
                                                               : "warning";
    struct hale_buf title, text;
    hale_buf_init(&title, 4096);
    hale_buf_init(&text, 65536);
    hale_buf_printf(&title, "%s %s ", hale_state_text(a->state),
                    hale_severity_text(a->severity));
    actuator_profile_slack_text(&title, a->definition_name);
    hale_buf_add_c(&title, " on ");
    actuator_profile_slack_text(&title, actuator_profile_source(a));
    actuator_profile_slack_text(&text, a->reason);
    json_t *body = NULL;
    if (!title.failed && !text.failed)
        body = json_pack("{s:s, s:[{s:s, s:s, s:I}]}", "text", title.p, "attachments",
                         "color", color, "text", text.p != NULL ? text.p : "", "ts",
                         (json_int_t)(rec->time_ms / 1000));
    hale_buf_fini(&title);
    hale_buf_fini(&text);
    return body;
}

static enum hale_rc email_body(const struct actuator_profile_note *n,
                               struct hale_buf *out)
{
    const struct hale_log_record *rec = n->rec;
    const struct actuator_message m = {.alarm = &rec->alarm,
                                       .old_state = rec->old_state,
                                       .time_ms = rec->time_ms,
                                       .id = n->id,
                                       .from = n->from,
                                       .now_ms = rec->time_ms,
                                       .thread = rec->alarm.id};
    return actuator_message_email(&m, n->to, out);
}

/* --- all ----------------------------------------------------------------------------- */

static enum hale_rc dump(json_t *body, struct hale_buf *out)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return HALE_E_NOMEM;
    hale_buf_add_c(out, text);
    free(text);
    return HALE_OK;
}

enum hale_rc actuator_profile_body(enum actuator_profile p,
                                   const struct actuator_profile_note *n,
                                   struct hale_buf *out)
{
    enum hale_rc rc = HALE_OK;
    switch (p) {
    case ACTUATOR_PROFILE_HALE: own_body(n->rec, out); break;
    case ACTUATOR_PROFILE_MONASCA: rc = monasca_body(n, out); break;
    case ACTUATOR_PROFILE_ALERTMANAGER: rc = dump(alertmanager_body(n), out); break;
    case ACTUATOR_PROFILE_CLOUDEVENTS: cloudevents_body(n, out); break;
    case ACTUATOR_PROFILE_AODH: rc = dump(aodh_body(n), out); break;
    case ACTUATOR_PROFILE_VES: rc = dump(ves_body(n), out); break;
    case ACTUATOR_PROFILE_PAGERDUTY: rc = dump(pagerduty_body(n), out); break;
    case ACTUATOR_PROFILE_SLACK: rc = dump(slack_body(n), out); break;
    case ACTUATOR_PROFILE_EMAIL: rc = email_body(n, out); break;
    case ACTUATOR_PROFILE_TACKER: rc = dump(actuator_profile_tacker(n), out); break;
    case ACTUATOR_PROFILE_SNMP: rc = actuator_varbinds_write(n, out); break;
    case ACTUATOR_PROFILES: HALE_ASSERT(p < ACTUATOR_PROFILES);
    }
    return rc == HALE_OK && out->failed ? HALE_E_LIMIT : rc;
}
