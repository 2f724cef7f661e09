/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_tacker - an alarm as Alertmanager tells it to OpenStack Tacker's fault management (POST /alert,
 * function_type vnffm; declared in profile.h). Tacker makes a SOL 003 alarm of it when the VNF's containers
 * match `pod`.
 */
#include <string.h>

#include "actuator/profile.h"
#include "base/clock.h"

/* Values of the group first, then of a metric that has one. */
static const char *dimension(const struct hale_alarm *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->group, key));
    for (size_t i = 0; text == NULL && i < json_array_size(a->metrics); i++)
        text = json_string_value(json_object_get(
            json_object_get(json_array_get(a->metrics, i), "dimensions"), key));
    return text;
}

static const char *first_of(const struct hale_alarm *a, const char *const *keys,
                            const char *fallback)
{
    const char *text = NULL;
    for (size_t i = 0; text == NULL && keys[i] != NULL; i++)
        text = dimension(a, keys[i]);
    return text != NULL ? text : fallback;
}

/* X.733's class, by what our fault types and metrics begin with. */
static const char *event_type(const char *name)
{
    static const char *const classes[][2] = {
        {"compute.host", "EQUIPMENT_ALARM"},   {"compute.", "PROCESSING_ERROR_ALARM"},
        {"nic.", "COMMUNICATIONS_ALARM"},      {"net.", "QOS_ALARM"},
        {"disk.", "EQUIPMENT_ALARM"},          {"power", "ENVIRONMENTAL_ALARM"},
        {"fan", "ENVIRONMENTAL_ALARM"},        {"temperature", "ENVIRONMENTAL_ALARM"},
        {"service.", "PROCESSING_ERROR_ALARM"}};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(name, classes[i][0], strlen(classes[i][0])) == 0)
            return classes[i][1];
    return "QOS_ALARM";
}

static const char *severity(enum hale_severity s)
{
    switch (s) {
    case HALE_SEV_LOW: return "WARNING";
    case HALE_SEV_MEDIUM: return "MINOR";
    case HALE_SEV_HIGH: return "MAJOR";
    case HALE_SEV_CRITICAL: return "CRITICAL";
    }
    return "INDETERMINATE";
}

json_t *actuator_profile_tacker(const struct actuator_profile_note *n)
{
    static const char *const vnf[] = {"vnf_instance_id", "vnf_id", NULL};
    static const char *const pod[] = {"pod", "vnfc_id", "resource_id", NULL};
    const struct hale_log_record *rec = n->rec;
    const struct hale_alarm *a = &rec->alarm;
    bool raised = a->state == HALE_STATE_ALARM && rec->kind != HALE_ALARM_DELETED;
    char starts[HALE_CLOCK_ISO_MAX], ends[HALE_CLOCK_ISO_MAX] = "0001-01-01T00:00:00Z";
    const char *name = a->definition_name;
    (void)hale_clock_iso_ms(raised ? a->state_updated_ms : a->created_ms, starts);
    if (!raised)
        (void)hale_clock_iso_ms(rec->time_ms, ends);
    return json_pack(
        "{s:[{s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:s, s:s, s:s}]}",
        "alerts", "status", raised ? "firing" : "resolved", "labels", "receiver_type",
        "tacker", "function_type", "vnffm", "vnf_instance_id", first_of(a, vnf, ""),
        "perceived_severity", severity(a->severity), "event_type", event_type(name),
        "pod", first_of(a, pod, ".*"), "annotations", "fault_type", name,
        "probable_cause", a->reason, "fault_details", a->description, "startsAt", starts,
        "endsAt", ends, "fingerprint", a->id);
}
