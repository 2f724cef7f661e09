/* SPDX-License-Identifier: Apache-2.0 */
/* event - codec of the fault event (alarm.h). */
#include <stdlib.h>
#include <string.h>

#include "model/alarm.h"
#include "model/alarm_json.h"
#include "model/json_util.h"

static const char *const statuses[] = {"raise", "clear", NULL};

enum hale_rc hale_event_encode(const struct hale_event *e, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "tenant", e->tenant);
    hale_json_out_id(&o, "type", e->type);
    hale_json_out_i64(&o, "time_ms", e->time_ms);
    hale_json_out_str(&o, "severity", hale_severity_text(e->severity));
    hale_json_out_str(&o, "status", statuses[e->clear]);
    hale_json_out_json(&o, "dimensions", e->dimensions, "{}");
    hale_json_out_json(&o, "details", e->details, "{}");
    if (e->expires_ms != 0)
        hale_json_out_i64(&o, "expires_ms", e->expires_ms);
    hale_json_out_i64(&o, "accepted_us", e->accepted_us);
    return hale_json_out_close(&o);
}

enum hale_rc hale_event_decode(struct hale_str json, struct hale_event *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_json_in in = hale_json_in_init(root);
    const enum hale_json_need must = HALE_JSON_REQUIRED, may = HALE_JSON_OPTIONAL;
    hale_json_in_id(&in, "tenant", &out->tenant);
    hale_json_in_id(&in, "type", &out->type);
    hale_json_in_i64(&in, "time_ms", must, INT64_MIN, INT64_MAX, &out->time_ms);
    out->severity =
        (enum hale_severity)hale_json_in_choice(&in, "severity", hale_severity_choices);
    out->clear = hale_json_in_choice(&in, "status", statuses) == 1;
    hale_json_in_string_map(&in, "dimensions", must, &out->dimensions);
    hale_json_in_object(&in, "details", may, &out->details);
    hale_json_in_i64(&in, "expires_ms", may, 0, INT64_MAX, &out->expires_ms);
    hale_json_in_i64(&in, "accepted_us", may, INT64_MIN, INT64_MAX, &out->accepted_us);
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_event_fini(out);
    return in.rc;
}

void hale_event_fini(struct hale_event *e)
{
    free(e->tenant);
    free(e->type);
    json_decref(e->dimensions);
    json_decref(e->details);
    memset(e, 0, sizeof(*e));
}
