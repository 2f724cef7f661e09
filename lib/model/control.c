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
    [HALE_CONTROL_ALARM_OP] = "alarm-op",
    [HALE_CONTROL_SILENCE] = "silence",
    [HALE_CONTROL_MAINTENANCE] = "maintenance",
    [HALE_CONTROL_VERDICT] = "verdict",
    [HALE_CONTROL_SWITCH] = "switch",
    [HALE_CONTROL_AODH] = "aodh",
    [HALE_CONTROL_DEAD_LETTER] = "dead-letter",
    [HALE_CONTROL_UPKEEP] = "upkeep",
    NULL,
};

static const char *const actions[] = {
    [HALE_OP_ACK] = "ack",
    [HALE_OP_UNACK] = "unack",
    [HALE_OP_ASSIGN] = "assign",
    [HALE_OP_COMMENT] = "comment",
    [HALE_OP_SHELVE] = "shelve",
    [HALE_OP_UNSHELVE] = "unshelve",
    NULL,
};

const char *hale_alarm_op_text(enum hale_alarm_op op)
{
    HALE_ASSERT((unsigned)op <= HALE_OP_UNSHELVE);
    return actions[op];
}

enum hale_rc hale_alarm_op_parse(struct hale_str text, enum hale_alarm_op *out)
{
    for (unsigned i = 0; actions[i] != NULL; i++) {
        if (hale_str_eq(text, hale_str_from(actions[i]))) {
            *out = (enum hale_alarm_op)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

static void out_given(struct hale_json_out *o, const char *key, const char *value)
{
    if (value != NULL)
        hale_json_out_str(o, key, value);
}

enum hale_rc hale_control_encode(const struct hale_control *c, struct hale_buf *out)
{
    HALE_ASSERT((unsigned)c->op <= HALE_CONTROL_UPKEEP);
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
    } else if (c->op == HALE_CONTROL_ALARM_OP) {
        hale_json_out_str(&o, "action", hale_alarm_op_text(c->action));
        hale_json_out_str(&o, "by", c->by != NULL ? c->by : "");
        hale_json_out_i64(&o, "at_ms", c->at_ms);
        out_given(&o, "text", c->text);
        out_given(&o, "owner", c->owner);
        if (c->until_ms != 0)
            hale_json_out_i64(&o, "until_ms", c->until_ms);
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
    } else if (out->op == HALE_CONTROL_ALARM_OP) {
        out->action = (enum hale_alarm_op)hale_json_in_choice(&in, "action", actions);
        hale_json_in_str(&in, "by", HALE_JSON_REQUIRED, &out->by);
        hale_json_in_i64(&in, "at_ms", HALE_JSON_REQUIRED, 0, INT64_MAX, &out->at_ms);
        hale_json_in_str_or_null(&in, "text", &out->text);
        hale_json_in_str_or_null(&in, "owner", &out->owner);
        hale_json_in_i64(&in, "until_ms", HALE_JSON_OPTIONAL, 0, INT64_MAX,
                         &out->until_ms);
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
    free(c->by);
    free(c->text);
    free(c->owner);
    memset(c, 0, sizeof(*c));
}
