/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alarm - codec of the alarm record. The other records of alarm.h: sub_record.c, event.c,
 * log_record.c, control.c.
 */
#include "model/alarm.h"

#include <stdlib.h>
#include <string.h>

#include "model/alarm_json.h"
#include "model/json_util.h"

const char *const hale_state_choices[] = {
    [HALE_STATE_OK] = "OK",
    [HALE_STATE_UNDETERMINED] = "UNDETERMINED",
    [HALE_STATE_ALARM] = "ALARM",
    NULL,
};
const char *const hale_severity_choices[] = {
    [HALE_SEV_LOW] = "LOW",
    [HALE_SEV_MEDIUM] = "MEDIUM",
    [HALE_SEV_HIGH] = "HIGH",
    [HALE_SEV_CRITICAL] = "CRITICAL",
    NULL,
};
static const char *const source_choices[] = {"metric", "event", NULL};

enum hale_rc hale_alarm_encode(const struct hale_alarm *a, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "id", a->id);
    hale_json_out_id(&o, "tenant", a->tenant);
    hale_json_out_str(&o, "source", source_choices[a->from_event]);
    hale_json_out_id(&o, "definition_id", a->definition_id);
    hale_json_out_str(&o, "definition_name", a->definition_name);
    hale_json_out_str(&o, "description", a->description != NULL ? a->description : "");
    hale_json_out_str(&o, "severity", hale_severity_text(a->severity));
    hale_json_out_bool(&o, "actions_enabled", a->actions_enabled);
    hale_json_out_json(&o, "group", a->group, "{}");
    hale_json_out_json(&o, "metrics", a->metrics, "[]");
    hale_json_out_str(&o, "state", hale_state_text(a->state));
    hale_json_out_str(&o, "reason", a->reason != NULL ? a->reason : "");
    hale_json_out_json(&o, "sub_alarms", a->sub_alarms, "[]");
    hale_json_out_str_or_null(&o, "lifecycle_state", a->lifecycle_state);
    hale_json_out_str_or_null(&o, "link", a->link);
    if (json_object_size(a->life) > 0)
        hale_json_out_json(&o, "life", a->life, "{}");
    hale_json_out_i64(&o, "created_ms", a->created_ms);
    hale_json_out_i64(&o, "updated_ms", a->updated_ms);
    hale_json_out_i64(&o, "state_updated_ms", a->state_updated_ms);
    hale_json_out_i64(&o, "seq", a->seq);
    return hale_json_out_close(&o);
}

/* Are all items objects? Their keys are the API's business. */
static bool all_objects(json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item) {
        if (!json_is_object(item))
            return false;
    }
    return true;
}

enum hale_rc hale_alarm_from_json(json_t *object, struct hale_alarm *out)
{
    struct hale_json_in in = hale_json_in_init(object);
    const enum hale_json_need must = HALE_JSON_REQUIRED, may = HALE_JSON_OPTIONAL;
    struct hale_alarm a = {0};
    hale_json_in_id(&in, "id", &a.id);
    hale_json_in_id(&in, "tenant", &a.tenant);
    a.from_event = hale_json_in_choice(&in, "source", source_choices) == 1;
    hale_json_in_id(&in, "definition_id", &a.definition_id);
    hale_json_in_str(&in, "definition_name", must, &a.definition_name);
    hale_json_in_str(&in, "description", may, &a.description);
    a.severity =
        (enum hale_severity)hale_json_in_choice(&in, "severity", hale_severity_choices);
    hale_json_in_bool(&in, "actions_enabled", must, &a.actions_enabled);
    hale_json_in_string_map(&in, "group", must, &a.group);
    hale_json_in_metrics(&in, "metrics", must, &a.metrics);
    a.state = (enum hale_state)hale_json_in_choice(&in, "state", hale_state_choices);
    hale_json_in_str(&in, "reason", may, &a.reason);
    hale_json_in_array(&in, "sub_alarms", may, &a.sub_alarms);
    hale_json_in_str_or_null(&in, "lifecycle_state", &a.lifecycle_state);
    hale_json_in_str_or_null(&in, "link", &a.link);
    hale_json_in_object(&in, "life", may, &a.life);
    hale_json_in_i64(&in, "created_ms", must, INT64_MIN, INT64_MAX, &a.created_ms);
    hale_json_in_i64(&in, "updated_ms", must, INT64_MIN, INT64_MAX, &a.updated_ms);
    hale_json_in_i64(&in, "state_updated_ms", must, INT64_MIN, INT64_MAX,
                     &a.state_updated_ms);
    hale_json_in_i64(&in, "seq", must, 0, INT64_MAX, &a.seq);
    if (in.rc == HALE_OK && !all_objects(a.sub_alarms))
        in.rc = HALE_E_INVAL;
    if (in.rc != HALE_OK)
        hale_alarm_fini(&a);
    *out = a;
    return in.rc;
}

enum hale_rc hale_alarm_decode(struct hale_str json, struct hale_alarm *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc == HALE_OK)
        rc = hale_alarm_from_json(root, out);
    json_decref(root);
    return rc;
}

void hale_alarm_fini(struct hale_alarm *a)
{
    free(a->id);
    free(a->tenant);
    free(a->definition_id);
    free(a->definition_name);
    free(a->description);
    free(a->reason);
    free(a->lifecycle_state);
    free(a->link);
    json_decref(a->group);
    json_decref(a->metrics);
    json_decref(a->sub_alarms);
    json_decref(a->life);
    memset(a, 0, sizeof(*a));
}
