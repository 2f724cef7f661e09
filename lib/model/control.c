/* SPDX-License-Identifier: Apache-2.0 */
/* control - codec of the control record (alarm.h). */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/alarm.h"
#include "model/alarm_json.h"
#include "model/json_util.h"

static const char *const ops[] = {
    [HALE_CONTROL_DEFINITION] = "definition",
    [HALE_CONTROL_ALARM_DELETE] = "alarm-delete",
    [HALE_CONTROL_ALARM_PATCH] = "alarm-patch",
    [HALE_CONTROL_METHOD] = "method",
    NULL,
};

static void out_given(struct hale_json_out *o, const char *key, const char *value)
{
    if (value != NULL)
        hale_json_out_str(o, key, value);
}

enum hale_rc hale_control_encode(const struct hale_control *c, struct hale_buf *out)
{
    HALE_ASSERT((unsigned)c->op <= HALE_CONTROL_METHOD);
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_str(&o, "op", ops[c->op]);
    hale_json_out_id(&o, "id", c->id);
    if (c->op == HALE_CONTROL_ALARM_DELETE) {
        hale_json_out_id(&o, "definition_id", c->definition_id);
        hale_json_out_json(&o, "group", c->group, "{}");
    } else if (c->op == HALE_CONTROL_ALARM_PATCH) {
        out_given(&o, "state", c->state);
        out_given(&o, "lifecycle_state", c->lifecycle_state);
        out_given(&o, "link", c->link);
    }
    return hale_json_out_close(&o);
}

enum hale_rc hale_control_decode(struct hale_str json, struct hale_control *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_json_in in = hale_json_in_init(root);
    out->op = (enum hale_control_op)hale_json_in_choice(&in, "op", ops);
    hale_json_in_id(&in, "id", &out->id);
    if (out->op == HALE_CONTROL_ALARM_DELETE) {
        hale_json_in_id(&in, "definition_id", &out->definition_id);
        hale_json_in_string_map(&in, "group", HALE_JSON_REQUIRED, &out->group);
    } else if (out->op == HALE_CONTROL_ALARM_PATCH) {
        if (json_object_get(root, "state") != NULL)
            (void)hale_json_in_choice(&in, "state", hale_state_choices);
        hale_json_in_str_or_null(&in, "state", &out->state);
        hale_json_in_str_or_null(&in, "lifecycle_state", &out->lifecycle_state);
        hale_json_in_str_or_null(&in, "link", &out->link);
    }
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_control_fini(out);
    return in.rc;
}

void hale_control_fini(struct hale_control *c)
{
    free(c->id);
    free(c->definition_id);
    json_decref(c->group);
    free(c->state);
    free(c->lifecycle_state);
    free(c->link);
    memset(c, 0, sizeof(*c));
}
