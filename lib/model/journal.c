/* SPDX-License-Identifier: Apache-2.0 */
#include "model/journal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_util.h"

static const char *const kinds[] = {
    "triggered",    "suppressed", "observed",   "suggested",   "proposed", "approved",
    "rejected",     "expired",    "call",       "answer",      "step",     "waiting",
    "acknowledged", "verifying",  "verified",   "failed",      "aborted",  "switched",
    "latched",      "unlatched",  "configured", "maintenance", NULL};
/* Kinds that are not about a run, nor about one alarm. */
static const char *const apart[] = {"switched",   "latched",     "unlatched",
                                    "configured", "maintenance", NULL};
static const char *const modes[] = {"observe", "suggest", "approve", "auto", NULL};

/* The text when it is one of the choices, else NULL, which the writer refuses. */
static const char *one_of(const char *text, const char *const *choices)
{
    for (size_t i = 0; text != NULL && choices[i] != NULL; i++)
        if (strcmp(text, choices[i]) == 0)
            return text;
    return NULL;
}

/* May be empty when the row stands alone; NULL, which the writer refuses, when it may not. */
static const char *given(const char *id, bool alone)
{
    if (id != NULL && *id != '\0')
        return id;
    return alone ? "" : NULL;
}

enum hale_rc hale_journal_encode(const struct hale_journal_row *r, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_i64(&o, "time_ms", r->time_ms);
    hale_json_out_str(&o, "kind", one_of(r->kind, kinds));
    const bool alone = one_of(r->kind, apart) != NULL;
    hale_json_out_str(&o, "run_id", given(r->run_id, alone));
    hale_json_out_id(&o, "policy", r->policy);
    hale_json_out_str(&o, "mode", one_of(r->mode, modes));
    hale_json_out_str(&o, "tenant", given(r->tenant, alone));
    hale_json_out_str(&o, "alarm_id", given(r->alarm_id, alone));
    hale_json_out_str(&o, "alarm_name", r->alarm_name != NULL ? r->alarm_name : "");
    hale_json_out_i64(&o, "alarm_seq", r->alarm_seq);
    hale_json_out_str(&o, "target", r->target != NULL ? r->target : "");
    hale_json_out_i64(&o, "step", r->step);
    hale_json_out_str(&o, "step_type", r->step_type != NULL ? r->step_type : "");
    hale_json_out_i64(&o, "attempt", r->attempt);
    hale_json_out_str(&o, "text", r->text != NULL ? r->text : "");
    hale_json_out_json(&o, "detail", r->detail, "{}");
    return hale_json_out_close(&o);
}

static void in_str(struct hale_json_in *in, const char *key, char **out)
{
    hale_json_in_str(in, key, HALE_JSON_REQUIRED, out);
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
    const char *kind = kinds[hale_json_in_choice(&in, "kind", kinds)];
    const bool alone = one_of(kind, apart) != NULL;
    void (*id)(struct hale_json_in * in, const char *key, char **out) =
        alone ? in_str : hale_json_in_id;
    hale_json_in_str(&in, "kind", must, &out->kind);
    id(&in, "run_id", &out->run_id);
    hale_json_in_id(&in, "policy", &out->policy);
    (void)hale_json_in_choice(&in, "mode", modes);
    hale_json_in_str(&in, "mode", must, &out->mode);
    id(&in, "tenant", &out->tenant);
    id(&in, "alarm_id", &out->alarm_id);
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

bool hale_journal_kind_ok(struct hale_str text)
{
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (hale_str_eq_c(text, kinds[i]))
            return true;
    return false;
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
