/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_people - what people say to the actuator: verdicts about runs, kill switches, latches. */
#include <stdlib.h>
#include <string.h>

#include "cli/lab.h"
#include "cli/scenario.h"
#include "cli/scenario_rows.h"

struct raw_people {
    char *policy, *target, *scope, *by, *text;
    int64_t lasts_ms;
};
#define POLICY                                                                           \
    ROW(raw_people, "policy", HALE_CONF_STRING, policy, true, NULL, 0, 0, NULL, "policy")
#define SCOPE                                                                            \
    ROW(raw_people, "scope", HALE_CONF_STRING, scope, true, NULL, 0, 0, NULL,            \
        "all, site/NAME or policy/NAME")
#define BY                                                                               \
    ROW(raw_people, "by", HALE_CONF_STRING, by, false, "operator", 0, 0, NULL, "who")
static const struct hale_conf_field say_fields[] = {
    POLICY,
    ROW(raw_people, "target", HALE_CONF_STRING, target, false, NULL, 0, 0, NULL,
        "of the run; none: any"),
    BY,
    ROW(raw_people, "comment", HALE_CONF_STRING, text, false, NULL, 0, 0, NULL, "why"),
};
static const struct hale_conf_field on_fields[] = {
    SCOPE,
    BY,
    ROW(raw_people, "reason", HALE_CONF_STRING, text, false, "test", 0, 0, NULL, "why"),
    ROW(raw_people, "lasts", HALE_CONF_DURATION, lasts_ms, false, "0s", 0, TIME_MAX, NULL,
        "0s: without end"),
};
static const struct hale_conf_field off_fields[] = {SCOPE};
static const struct hale_conf_field unlatch_fields[] = {POLICY, BY};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const struct hale_conf_field *fields;
    size_t n;
} kinds[] = {
    [CLI_OP_SAY] = {say_fields, COUNT(say_fields)},
    [CLI_OP_SWITCH_ON] = {on_fields, COUNT(on_fields)},
    [CLI_OP_SWITCH_OFF] = {off_fields, COUNT(off_fields)},
    [CLI_OP_UNLATCH] = {unlatch_fields, COUNT(unlatch_fields)},
};

static char *take(char **text)
{
    char *t = *text;
    *text = NULL;
    return t;
}

static enum hale_rc check_policy(const struct cli_scenario *s, NODE where,
                                 const char *name, struct hale_err *err)
{
    if (s->policies != NULL && actuator_policies_find(s->policies, name) != NULL)
        return HALE_OK;
    return hale_yaml_error(where, err, "there is no policy '%.60s' in the scenario",
                           name);
}

static enum hale_rc check_scope(const struct cli_scenario *s, NODE where,
                                const char *scope, struct hale_err *err)
{
    if (strcmp(scope, "all") == 0 ||
        (strncmp(scope, "site/", 5) == 0 && scope[5] != '\0'))
        return HALE_OK;
    if (strncmp(scope, "policy/", 7) == 0)
        return check_policy(s, where, scope + 7, err);
    return hale_yaml_error(where, err,
                           "'%.60s' is no scope of a kill switch: all, site/NAME or "
                           "policy/NAME",
                           scope);
}

/* Instead of a map the one text that is needed will do. */
static enum hale_rc read_text(NODE node, struct raw_people *raw, bool scope,
                              struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(node);
    char **dst = scope ? &raw->scope : &raw->policy;
    *dst = strndup(text.p != NULL ? text.p : "", text.len);
    raw->by = strdup("operator");
    raw->text = scope ? strdup("test") : NULL;
    return *dst != NULL && raw->by != NULL && (!scope || raw->text != NULL)
               ? HALE_OK
               : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

enum hale_rc cli_scenario_people(const struct cli_scenario *s, NODE node, int64_t at_ms,
                                 struct cli_op *op, struct hale_err *err)
{
    struct raw_people raw = {0};
    bool scope = op->kind == CLI_OP_SWITCH_ON || op->kind == CLI_OP_SWITCH_OFF;
    bool text = hale_yaml_kind(node) == HALE_YAML_SCALAR;
    enum hale_rc rc =
        text ? read_text(node, &raw, scope, err)
             : hale_conf_read(node, kinds[op->kind].fields, kinds[op->kind].n, &raw, err);
    if (rc == HALE_OK)
        rc = scope ? check_scope(s, node, raw.scope, err)
                   : check_policy(s, node, raw.policy, err);
    op->name = scope ? take(&raw.scope) : take(&raw.policy);
    op->target = take(&raw.target);
    op->by = take(&raw.by);
    op->text = take(&raw.text);
    op->until_ms = raw.lasts_ms > 0 ? s->start_ms + at_ms + raw.lasts_ms : 0;
    free(raw.policy);
    free(raw.scope);
    return rc;
}
