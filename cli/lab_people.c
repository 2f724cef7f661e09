/* SPDX-License-Identifier: Apache-2.0 */
/* lab_people - verdicts about runs, kill switches and opened latches: what the collector stores and
 * actuator/app_verdict.c and app_world.c read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab_inner.h"

#define FIELD_MAX 256
#define UNLATCH   "unlatch/"

static const char *const KINDS[ACTUATOR_VERDICTS] = {
    [ACTUATOR_VERDICT_PROPOSAL] = "proposal",
    [ACTUATOR_VERDICT_ACK] = "ack",
    [ACTUATOR_VERDICT_ABORT] = "abort",
};
static const struct {
    const char *word;
    enum actuator_verdict_kind kind;
} WORDS[] = {
    [CLI_LAB_APPROVE] = {"approve", ACTUATOR_VERDICT_PROPOSAL},
    [CLI_LAB_REJECT] = {"reject", ACTUATOR_VERDICT_PROPOSAL},
    [CLI_LAB_ACKNOWLEDGE] = {"acknowledge", ACTUATOR_VERDICT_ACK},
    [CLI_LAB_ABORT] = {"abort", ACTUATOR_VERDICT_ABORT},
};

static const char *field_of(const char *run_id, enum actuator_verdict_kind kind,
                            char dst[FIELD_MAX])
{
    (void)snprintf(dst, FIELD_MAX, "%s:%s", run_id, KINDS[kind]);
    return dst;
}

/* Stores o (taken) as text. */
static enum hale_rc store(struct lab_acts *a, json_t *table, const char *field, json_t *o)
{
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    enum hale_rc rc =
        text != NULL && json_object_set_new(table, field, json_string(text)) == 0
            ? HALE_OK
            : HALE_E_NOMEM;
    free(text);
    return lab_note(a->lab, rc);
}

/* --- verdicts ---------------------------------------------------------------------- */

static void tell_verdict(struct lab_acts *a, const char *run_id,
                         enum actuator_verdict_kind kind)
{
    char field[FIELD_MAX];
    const char *text =
        json_string_value(json_object_get(a->verdicts, field_of(run_id, kind, field)));
    if (text != NULL)
        actuator_engine_verdict(a->engine, run_id, kind, hale_str_from(text),
                                a->lab->now_ms * 1000);
}

void lab_people_verdicts(void *acts, const char *run_id)
{
    for (int kind = 0; kind < ACTUATOR_VERDICTS; kind++)
        tell_verdict(acts, run_id, (enum actuator_verdict_kind)kind);
}

void lab_people_settle(struct lab_acts *a, const char *run_id, unsigned settled)
{
    char field[FIELD_MAX];
    for (unsigned kind = 0; kind < ACTUATOR_VERDICTS; kind++)
        if ((settled & 1u << kind) != 0) /* it is often not there */
            (void)json_object_del(a->verdicts, field_of(run_id, kind, field));
}

/* As the collector asks the stored run. */
static bool may_say(const struct lab_acts *a, const char *run_id, const json_t *run,
                    const struct cli_lab_saying *s)
{
    char field[FIELD_MAX];
    const char *state = json_string_value(json_object_get(run, "state"));
    const char *policy = json_string_value(json_object_get(run, "policy"));
    const char *target = json_string_value(json_object_get(run, "target"));
    if (state == NULL || policy == NULL || target == NULL ||
        strcmp(policy, s->policy) != 0 ||
        (s->target != NULL && strcmp(target, s->target) != 0) ||
        json_object_get(a->verdicts, field_of(run_id, WORDS[s->word].kind, field)) !=
            NULL)
        return false;
    if (WORDS[s->word].kind == ACTUATOR_VERDICT_PROPOSAL)
        return strcmp(state, "proposed") == 0;
    if (WORDS[s->word].kind == ACTUATOR_VERDICT_ACK)
        return json_is_true(json_object_get(run, "held"));
    return strcmp(state, "done") != 0;
}

enum hale_rc cli_lab_say(struct cli_lab *lab, const struct cli_lab_saying *s)
{
    struct lab_acts *a = &lab->acts;
    enum actuator_verdict_kind kind = WORDS[s->word].kind;
    json_t *text, *runs = json_copy(a->runs);
    char field[FIELD_MAX];
    const char *id;
    unsigned said = 0;
    enum hale_rc rc = runs != NULL ? HALE_OK : lab_note(lab, HALE_E_NOMEM);
    json_object_foreach (runs, id, text) {
        json_t *run = json_loads(json_string_value(text), 0, NULL);
        bool may = rc == HALE_OK && may_say(a, id, run, s);
        json_decref(run);
        if (!may)
            continue;
        said++;
        rc = store(a, a->verdicts, field_of(id, kind, field),
                   json_pack("{s:i,s:s,s:s,s:I,s:s}", "v", 1, "verdict",
                             WORDS[s->word].word, "by", s->by, "at_ms",
                             (json_int_t)lab->now_ms, "comment",
                             s->comment != NULL ? s->comment : ""));
        if (rc == HALE_OK)
            tell_verdict(a, id, kind);
        lab_acts_jobs(a);
    }
    json_decref(runs);
    return rc == HALE_OK && said == 0 ? HALE_E_NOTFOUND : rc;
}

/* --- switches ---------------------------------------------------------------------- */

static void tell_switch(struct lab_acts *a, const char *field)
{
    const char *text = json_string_value(json_object_get(a->switches, field));
    actuator_engine_switch(a->engine, hale_str_from(field),
                           text != NULL ? hale_str_from(text)
                                        : (struct hale_str){NULL, 0},
                           a->lab->now_ms * 1000);
    lab_acts_jobs(a);
}

enum hale_rc cli_lab_switch_on(struct cli_lab *lab, const char *scope, const char *by,
                               const char *reason, int64_t until_ms)
{
    struct lab_acts *a = &lab->acts;
    enum hale_rc rc = store(a, a->switches, scope,
                            json_pack("{s:i,s:s,s:s,s:I,s:I}", "v", 1, "by", by, "reason",
                                      reason, "at_ms", (json_int_t)lab->now_ms,
                                      "expires_ms", (json_int_t)until_ms));
    if (rc == HALE_OK)
        tell_switch(a, scope);
    return rc;
}

enum hale_rc cli_lab_switch_off(struct cli_lab *lab, const char *scope)
{
    struct lab_acts *a = &lab->acts;
    if (json_object_del(a->switches, scope) != 0)
        return HALE_E_NOTFOUND;
    tell_switch(a, scope);
    return HALE_OK;
}

enum hale_rc cli_lab_unlatch(struct cli_lab *lab, const char *policy, const char *by)
{
    struct lab_acts *a = &lab->acts;
    char field[FIELD_MAX];
    (void)snprintf(field, sizeof(field), "policy:%s", policy);
    const char *text = json_string_value(json_object_get(a->guards, field));
    json_t *memory = text != NULL ? json_loads(text, 0, NULL) : NULL;
    bool latched = json_integer_value(json_object_get(memory, "latched_ms")) > 0;
    json_decref(memory);
    if (!latched)
        return HALE_E_NOTFOUND;
    (void)snprintf(field, sizeof(field), UNLATCH "%s", policy);
    enum hale_rc rc = store(
        a, a->switches, field,
        json_pack("{s:i,s:s,s:I}", "v", 1, "by", by, "at_ms", (json_int_t)lab->now_ms));
    if (rc == HALE_OK)
        tell_switch(a, field);
    return rc;
}

void lab_people_load(struct lab_acts *a)
{
    const char *field;
    json_t *text;
    json_object_foreach (a->runs, field, text)
        lab_people_verdicts(a, field);
    json_object_foreach (a->switches, field, text)
        actuator_engine_switch(a->engine, hale_str_from(field),
                               hale_str_from(json_string_value(text)),
                               a->lab->now_ms * 1000);
}
