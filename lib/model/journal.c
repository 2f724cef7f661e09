/* SPDX-License-Identifier: Apache-2.0 */
#include "model/journal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_util.h"

static const char *const kinds[] = {"triggered", "suppressed", "observed",
                                    "call",      "answer",     "verifying",
                                    "verified",  "failed",     NULL};
static const char *const modes[] = {"observe", "auto", NULL};

/* The text when it is one of the choices, else NULL, which the writer refuses. */
static const char *one_of(const char *text, const char *const *choices)
{
    for (size_t i = 0; text != NULL && choices[i] != NULL; i++)
        if (strcmp(text, choices[i]) == 0)
            return text;
    return NULL;
}

enum hale_rc hale_journal_encode(const struct hale_journal_row *r, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_i64(&o, "time_ms", r->time_ms);
    hale_json_out_str(&o, "kind", one_of(r->kind, kinds));
    hale_json_out_id(&o, "run_id", r->run_id);
    hale_json_out_id(&o, "policy", r->policy);
    hale_json_out_str(&o, "mode", one_of(r->mode, modes));
    hale_json_out_id(&o, "tenant", r->tenant);
    hale_json_out_id(&o, "alarm_id", r->alarm_id);
    hale_json_out_str(&o, "alarm_name", r->alarm_name);
    hale_json_out_i64(&o, "alarm_seq", r->alarm_seq);
    hale_json_out_str(&o, "target", r->target != NULL ? r->target : "");
    hale_json_out_i64(&o, "step", r->step);
    hale_json_out_str(&o, "step_type", r->step_type != NULL ? r->step_type : "");
    hale_json_out_i64(&o, "attempt", r->attempt);
    hale_json_out_str(&o, "text", r->text != NULL ? r->text : "");
    hale_json_out_json(&o, "detail", r->detail, "{}");
    return hale_json_out_close(&o);
}

enum hale_rc hale_journal_decode(struct hale_str json, struct hale_journal_row *out)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, NULL);
    if (rc != HALE_OK)
        return rc;
    struct hale_json_in in = hale_json_in_init(root);
    const enum hale_json_need must = HALE_JSON_REQUIRED, may = HALE_JSON_OPTIONAL;
    int64_t step = 0, attempt = 0;
    hale_json_in_i64(&in, "time_ms", must, INT64_MIN, INT64_MAX, &out->time_ms);
    (void)hale_json_in_choice(&in, "kind", kinds);
    hale_json_in_str(&in, "kind", must, &out->kind);
    hale_json_in_id(&in, "run_id", &out->run_id);
    hale_json_in_id(&in, "policy", &out->policy);
    (void)hale_json_in_choice(&in, "mode", modes);
    hale_json_in_str(&in, "mode", must, &out->mode);
    hale_json_in_id(&in, "tenant", &out->tenant);
    hale_json_in_id(&in, "alarm_id", &out->alarm_id);
    hale_json_in_str(&in, "alarm_name", must, &out->alarm_name);
    hale_json_in_i64(&in, "alarm_seq", must, 0, INT64_MAX, &out->alarm_seq);
    hale_json_in_str(&in, "target", may, &out->target);
    hale_json_in_i64(&in, "step", must, -1, INT_MAX, &step);
    hale_json_in_str(&in, "step_type", may, &out->step_type);
    hale_json_in_i64(&in, "attempt", may, 0, INT_MAX, &attempt);
    hale_json_in_str(&in, "text", may, &out->text);
    hale_json_in_object(&in, "detail", may, &out->detail);
    out->step = (int)step;
    out->attempt = (int)attempt;
    json_decref(root);
    if (in.rc != HALE_OK)
        hale_journal_fini(out);
    return in.rc;
}

void hale_journal_fini(struct hale_journal_row *r)
{
    free(r->kind);
    free(r->run_id);
    free(r->policy);
    free(r->mode);
    free(r->tenant);
    free(r->alarm_id);
    free(r->alarm_name);
    free(r->target);
    free(r->step_type);
    free(r->text);
    json_decref(r->detail);
    memset(r, 0, sizeof(*r));
}
