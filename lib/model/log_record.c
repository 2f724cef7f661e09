/* SPDX-License-Identifier: Apache-2.0 */
/* log_record - codec of the alarm log record (alarm.h). */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/alarm.h"
#include "model/alarm_json.h"
#include "model/json_util.h"

static const char *const kinds[] = {
    [HALE_ALARM_CREATED] = "created",
    [HALE_ALARM_TRANSITION] = "transition",
    [HALE_ALARM_UPDATED] = "updated",
    [HALE_ALARM_DELETED] = "deleted",
    NULL,
};

enum hale_rc hale_log_record_encode(const struct hale_log_record *r, struct hale_buf *out)
{
    HALE_ASSERT((unsigned)r->kind <= HALE_ALARM_DELETED);
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_i64(&o, "seq", r->seq);
    hale_json_out_str(&o, "kind", kinds[r->kind]);
    hale_json_out_i64(&o, "time_ms", r->time_ms);
    hale_json_out_str(&o, "old_state", hale_state_text(r->old_state));
    if (r->announce != (r->kind == HALE_ALARM_TRANSITION))
        hale_json_out_bool(&o, "announce", r->announce);
    if (r->op != NULL)
        hale_json_out_str(&o, "op", r->op);
    if (r->by != NULL)
        hale_json_out_str(&o, "by", r->by);
    hale_json_out_key(&o, "alarm");
    enum hale_rc rc = hale_alarm_encode(&r->alarm, out);
    hale_json_out_json(&o, "evidence", r->evidence, "{}");
    hale_json_out_i64(&o, "accepted_us", r->accepted_us);
    hale_json_out_i64(&o, "decided_us", r->decided_us);
    hale_json_out_i64(&o, "logged_us", r->logged_us);
    enum hale_rc rc_outer = hale_json_out_close(&o);
    return rc != HALE_OK ? rc : rc_outer;
}

enum hale_rc hale_log_record_decode(struct hale_str json, struct hale_log_record *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_json_in in = hale_json_in_init(root);
    const enum hale_json_need must = HALE_JSON_REQUIRED, may = HALE_JSON_OPTIONAL;
    hale_json_in_i64(&in, "seq", must, 0, INT64_MAX, &out->seq);
    out->kind = (enum hale_log_kind)hale_json_in_choice(&in, "kind", kinds);
    hale_json_in_i64(&in, "time_ms", must, INT64_MIN, INT64_MAX, &out->time_ms);
    out->old_state =
        (enum hale_state)hale_json_in_choice(&in, "old_state", hale_state_choices);
    out->announce = out->kind == HALE_ALARM_TRANSITION;
    hale_json_in_bool(&in, "announce", may, &out->announce);
    hale_json_in_str_or_null(&in, "op", &out->op);
    hale_json_in_str_or_null(&in, "by", &out->by);
    hale_json_in_object(&in, "evidence", may, &out->evidence);
    hale_json_in_i64(&in, "accepted_us", may, INT64_MIN, INT64_MAX, &out->accepted_us);
    hale_json_in_i64(&in, "decided_us", may, INT64_MIN, INT64_MAX, &out->decided_us);
    hale_json_in_i64(&in, "logged_us", may, INT64_MIN, INT64_MAX, &out->logged_us);
    if (in.rc == HALE_OK)
        in.rc = hale_alarm_from_json(json_object_get(root, "alarm"), &out->alarm);
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_log_record_fini(out);
    return in.rc;
}

void hale_log_record_fini(struct hale_log_record *r)
{
    hale_alarm_fini(&r->alarm);
    json_decref(r->evidence);
    free(r->op);
    free(r->by);
    memset(r, 0, sizeof(*r));
}
