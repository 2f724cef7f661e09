/* SPDX-License-Identifier: Apache-2.0 */
/* sub_record - codec of the sub-alarm record (alarm.h). */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/alarm.h"
#include "model/alarm_json.h"
#include "model/json_util.h"
#include "model/limits.h"

static const char *const kinds[] = {
    [HALE_SUB_CREATE] = "create",
    [HALE_SUB_METRIC] = "metric",
    [HALE_SUB_STATE] = "state",
    NULL,
};

enum hale_rc hale_sub_record_encode(const struct hale_sub_record *r, struct hale_buf *out)
{
    HALE_ASSERT((unsigned)r->kind <= HALE_SUB_STATE && r->sub < HALE_EXPR_MAX_SUBS);
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_str(&o, "kind", kinds[r->kind]);
    hale_json_out_id(&o, "definition_id", r->definition_id);
    hale_json_out_i64(&o, "definition_version", r->definition_version);
    hale_json_out_i64(&o, "sub", r->sub);
    hale_json_out_json(&o, "group", r->group, "{}");
    hale_json_out_str(&o, "state", hale_state_text(r->state));
    hale_json_out_i64(&o, "at_ms", r->at_ms);
    hale_json_out_json(&o, "values", r->values, "[]");
    hale_json_out_key(&o, "window");
    struct hale_json_out window = hale_json_out_open(out);
    hale_json_out_i64(&window, "start_ms", r->window_start_ms);
    hale_json_out_i64(&window, "end_ms", r->window_end_ms);
    enum hale_rc rc = hale_json_out_close(&window);
    hale_json_out_json(&o, "metrics", r->metrics, "[]");
    hale_json_out_i64(&o, "accepted_us", r->accepted_us);
    hale_json_out_i64(&o, "decided_us", r->decided_us);
    if (json_array_size(r->operands) > 0)
        hale_json_out_json(&o, "operands", r->operands, "[]");
    if (r->severity >= 0)
        hale_json_out_str(&o, "severity",
                          hale_severity_text((enum hale_severity)r->severity));
    if (r->since_ms != 0)
        hale_json_out_i64(&o, "since_ms", r->since_ms);
    if (r->missing)
        hale_json_out_bool(&o, "missing", true);
    if (r->learning)
        hale_json_out_bool(&o, "learning", true);
    enum hale_rc rc_outer = hale_json_out_close(&o);
    return rc != HALE_OK ? rc : rc_outer;
}

enum hale_rc hale_sub_record_decode(struct hale_str json, struct hale_sub_record *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_json_in in = hale_json_in_init(root);
    const enum hale_json_need must = HALE_JSON_REQUIRED, may = HALE_JSON_OPTIONAL;
    int64_t sub = 0;
    out->kind = (enum hale_sub_kind)hale_json_in_choice(&in, "kind", kinds);
    hale_json_in_id(&in, "definition_id", &out->definition_id);
    hale_json_in_i64(&in, "definition_version", must, 1, INT64_MAX,
                     &out->definition_version);
    hale_json_in_i64(&in, "sub", must, 0, HALE_EXPR_MAX_SUBS - 1, &sub);
    out->sub = (unsigned)sub;
    hale_json_in_string_map(&in, "group", must, &out->group);
    out->state = (enum hale_state)hale_json_in_choice(&in, "state", hale_state_choices);
    hale_json_in_i64(&in, "at_ms", must, INT64_MIN, INT64_MAX, &out->at_ms);
    hale_json_in_numbers(&in, "values", may, &out->values);
    if (json_object_get(root, "operands") != NULL)
        hale_json_in_numbers(&in, "operands", may, &out->operands);
    hale_json_in_metrics(&in, "metrics", may, &out->metrics);
    hale_json_in_i64(&in, "accepted_us", may, INT64_MIN, INT64_MAX, &out->accepted_us);
    hale_json_in_i64(&in, "decided_us", may, INT64_MIN, INT64_MAX, &out->decided_us);
    hale_json_in_i64(&in, "since_ms", may, INT64_MIN, INT64_MAX, &out->since_ms);
    hale_json_in_bool(&in, "missing", may, &out->missing);
    hale_json_in_bool(&in, "learning", may, &out->learning);
    out->severity = -1;
    if (json_object_get(root, "severity") != NULL)
        out->severity = hale_json_in_choice(&in, "severity", hale_severity_choices);

    json_t *window = json_object_get(root, "window");
    if (window != NULL && in.rc == HALE_OK) {
        struct hale_json_in w = hale_json_in_init(window);
        hale_json_in_i64(&w, "start_ms", must, INT64_MIN, INT64_MAX,
                         &out->window_start_ms);
        hale_json_in_i64(&w, "end_ms", must, INT64_MIN, INT64_MAX, &out->window_end_ms);
        in.rc = w.rc;
    }
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_sub_record_fini(out);
    return in.rc;
}

void hale_sub_record_fini(struct hale_sub_record *r)
{
    free(r->definition_id);
    json_decref(r->group);
    json_decref(r->values);
    json_decref(r->operands);
    json_decref(r->metrics);
    memset(r, 0, sizeof(*r));
}
