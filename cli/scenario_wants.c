/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_wants - what must come out: alarms at a time, and sequences of what is told and done. */
#include <stdlib.h>
#include <string.h>

#include "cli/scenario.h"
#include "cli/scenario_rows.h"
#include "model/journal.h"

static const char *const states[] = {"OK", "UNDETERMINED", "ALARM", "any", NULL};
static const char *const severities[] = {"LOW",      "MEDIUM", "HIGH",
                                         "CRITICAL", "any",    NULL};
static const char *const maybe[] = {"no", "yes", "any", NULL};

/* Every key that a line may have; each kind of expectation knows some of them. */
struct raw_want {
    char *alarm, *reason, *owner, *ack, *op, *phase;
    char *policy, *target, *mode, *verdict, *guard, *outcome, *row;
    int64_t at_ms, within_ms, calls, count;
    int state, old_state, severity, root_cause;
    bool absent;
    NODE group, causes, suppressed_by, steps, guards;
};
#define AT                                                                               \
    ROW(raw_want, "at", HALE_CONF_DURATION, at_ms, true, NULL, 0, TIME_MAX, NULL, "when")
#define WITHIN                                                                           \
    ROW(raw_want, "within", HALE_CONF_DURATION, within_ms, false, "0s", 0, TIME_MAX,     \
        NULL, "at most so long after `at`")
#define ALARM(required)                                                                  \
    ROW(raw_want, "alarm", HALE_CONF_STRING, alarm, required, NULL, 0, 0, NULL,          \
        "name or name{key=value,...}"),                                                  \
        ROW(raw_want, "group", HALE_CONF_NODE, group, false, NULL, 0, 0, NULL,           \
            "key: value")
#define STATE                                                                            \
    ROW(raw_want, "state", HALE_CONF_ENUM, state, false, "any", 0, 0, states, "state"),  \
        ROW(raw_want, "severity", HALE_CONF_ENUM, severity, false, "any", 0, 0,          \
            severities, "severity"),                                                     \
        ROW(raw_want, "reason", HALE_CONF_STRING, reason, false, NULL, 0, 0, NULL,       \
            "part of the reason"),                                                       \
        ROW(raw_want, "causes", HALE_CONF_NODE, causes, false, NULL, 0, 0, NULL,         \
            "alarms that are its causes"),                                               \
        ROW(raw_want, "suppressed_by", HALE_CONF_NODE, suppressed_by, false, NULL, 0, 0, \
            NULL, "kinds of what keeps it quiet")

static const struct hale_conf_field alarm_fields[] = {
    ALARM(true),
    STATE,
    ROW(raw_want, "absent", HALE_CONF_BOOL, absent, false, "no", 0, 0, NULL,
        "there is no such alarm"),
    ROW(raw_want, "count", HALE_CONF_INT, count, false, "-1", -1, 1000000, NULL,
        "so many alarms fit the name; -1: one or more"),
    ROW(raw_want, "root_cause", HALE_CONF_ENUM, root_cause, false, "any", 0, 0, maybe,
        "it explains others"),
    ROW(raw_want, "owner", HALE_CONF_STRING, owner, false, NULL, 0, 0, NULL,
        "to whom it is assigned; '': nobody"),
    ROW(raw_want, "ack", HALE_CONF_STRING, ack, false, NULL, 0, 0, NULL,
        "who acknowledged it; '': nobody"),
    ROW(raw_want, "phase", HALE_CONF_STRING, phase, false, NULL, 0, 0, NULL,
        "pending, clearing; '': none"),
};
static const struct hale_conf_field told_fields[] = {
    AT,
    WITHIN,
    ALARM(true),
    STATE,
    ROW(raw_want, "old_state", HALE_CONF_ENUM, old_state, false, "any", 0, 0, states,
        "state before"),
    ROW(raw_want, "op", HALE_CONF_STRING, op, false, NULL, 0, 0, NULL,
        "what was done; '': nothing"),
};
static const struct hale_conf_field action_fields[] = {
    AT,
    WITHIN,
    ALARM(false),
    ROW(raw_want, "policy", HALE_CONF_STRING, policy, true, NULL, 0, 0, NULL, "policy"),
    ROW(raw_want, "target", HALE_CONF_STRING, target, false, NULL, 0, 0, NULL, "target"),
    ROW(raw_want, "mode", HALE_CONF_STRING, mode, false, NULL, 0, 0, NULL, "mode"),
    ROW(raw_want, "verdict", HALE_CONF_STRING, verdict, false, NULL, 0, 0, NULL,
        "triggered, observed, suppressed, suggested or proposed"),
    ROW(raw_want, "guard", HALE_CONF_STRING, guard, false, NULL, 0, 0, NULL,
        "guard that refused; '': none"),
    ROW(raw_want, "steps", HALE_CONF_NODE, steps, false, NULL, 0, 0, NULL,
        "a part of each step's text"),
    ROW(raw_want, "calls", HALE_CONF_INT, calls, false, "-1", -1, 1000000, NULL,
        "calls made in all"),
    ROW(raw_want, "outcome", HALE_CONF_STRING, outcome, false, NULL, 0, 0, NULL,
        "verified, failed, rejected, expired or aborted; '': open"),
};
static const struct hale_conf_field journal_fields[] = {
    AT,
    WITHIN,
    ALARM(false),
    ROW(raw_want, "row", HALE_CONF_STRING, row, true, NULL, 0, 0, NULL,
        "kind: triggered, suppressed, proposed, approved, call, answer, ..."),
    ROW(raw_want, "policy", HALE_CONF_STRING, policy, false, NULL, 0, 0, NULL, "policy"),
    ROW(raw_want, "target", HALE_CONF_STRING, target, false, NULL, 0, 0, NULL, "target"),
    ROW(raw_want, "mode", HALE_CONF_STRING, mode, false, NULL, 0, 0, NULL, "mode"),
    ROW(raw_want, "text", HALE_CONF_STRING, reason, false, NULL, 0, 0, NULL,
        "part of the text"),
    ROW(raw_want, "guard", HALE_CONF_STRING, guard, false, NULL, 0, 0, NULL,
        "guard that refused; '': none"),
    ROW(raw_want, "guards", HALE_CONF_NODE, guards, false, NULL, 0, 0, NULL,
        "what each guard said: {cooldown: yes, frequency: no}"),
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *key;
    const struct hale_conf_field *fields;
    size_t n;
} kinds[] = {
    [CLI_EXPECT_ALARMS] = {"alarms", alarm_fields, COUNT(alarm_fields)},
    [CLI_EXPECT_NOTIFICATIONS] = {"notifications", told_fields, COUNT(told_fields)},
    [CLI_EXPECT_TRANSITIONS] = {"transitions", told_fields, COUNT(told_fields)},
    [CLI_EXPECT_ACTIONS] = {"actions", action_fields, COUNT(action_fields)},
    [CLI_EXPECT_JOURNAL] = {"journal", journal_fields, COUNT(journal_fields)},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* --- one line ---------------------------------------------------------------------- */

static char *take(char **text)
{
    char *t = *text;
    *text = NULL;
    return t;
}

static enum hale_rc read_list(NODE node, json_t **out, struct hale_err *err)
{
    return node != NULL ? cli_scenario_texts(node, out, err) : HALE_OK;
}

static enum hale_rc read_kind(NODE map, const char *row, struct hale_err *err)
{
    if (row == NULL || hale_journal_kind_ok(hale_str_from(row)))
        return HALE_OK;
    return hale_yaml_error(hale_yaml_get(map, "row"), err,
                           "the journal has no rows of kind '%.40s' "
                           "(docs/formats/journal.md)",
                           row);
}

static enum hale_rc read_guards(NODE map, json_t **out, struct hale_err *err)
{
    const char *guard;
    json_t *word;
    enum hale_rc rc = cli_scenario_map(map, out, err);
    json_object_foreach (*out, guard, word) {
        const char *text = json_string_value(word);
        if (rc == HALE_OK && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
            rc = hale_yaml_error(hale_yaml_get(map, guard), err,
                                 "%.40s: yes (allowed) or no is wanted here", guard);
    }
    return rc;
}

static enum hale_rc fill(NODE map, struct raw_want *raw, struct cli_want *w,
                         struct hale_err *err)
{
    w->line = hale_yaml_line(map);
    w->at_ms = raw->at_ms;
    w->within_ms = raw->within_ms;
    w->state = raw->state < 3 ? raw->state : -1;
    w->old_state = raw->old_state < 3 ? raw->old_state : -1;
    w->severity = raw->severity < 4 ? raw->severity : -1;
    w->root_cause = raw->root_cause < 2 ? raw->root_cause : -1;
    w->absent = raw->absent;
    w->calls = raw->calls;
    w->count = raw->count;
    w->reason = take(&raw->reason);
    w->owner = take(&raw->owner);
    w->ack = take(&raw->ack);
    w->op = take(&raw->op);
    w->phase = take(&raw->phase);
    w->policy = take(&raw->policy);
    w->target = take(&raw->target);
    w->mode = take(&raw->mode);
    w->verdict = take(&raw->verdict);
    w->guard = take(&raw->guard);
    w->outcome = take(&raw->outcome);
    w->row = take(&raw->row);
    enum hale_rc rc = read_kind(map, w->row, err);
    if (rc == HALE_OK && raw->guards != NULL)
        rc = read_guards(raw->guards, &w->guards, err);
    if (rc == HALE_OK && raw->alarm != NULL)
        rc = cli_scenario_ref(map, raw->alarm, raw->group, &w->ref, err);
    if (rc == HALE_OK)
        rc = read_list(raw->causes, &w->causes, err);
    if (rc == HALE_OK)
        rc = read_list(raw->suppressed_by, &w->suppressed_by, err);
    return rc == HALE_OK ? read_list(raw->steps, &w->steps, err) : rc;
}

static enum hale_rc read_want(NODE map, enum cli_expect_kind kind, struct cli_want *w,
                              struct hale_err *err)
{
    struct raw_want raw = {
        .state = 3, .old_state = 3, .severity = 4, .root_cause = 2, .calls = -1};
    enum hale_rc rc = hale_conf_read(map, kinds[kind].fields, kinds[kind].n, &raw, err);
    if (rc == HALE_OK)
        rc = fill(map, &raw, w, err);
    hale_conf_fini(kinds[kind].fields, kinds[kind].n, &raw);
    return rc;
}

/* --- one expectation --------------------------------------------------------------- */

struct raw_expect {
    int64_t at_ms, from_ms, to_ms;
    bool others;
    NODE list[N_KINDS];
};
static const struct hale_conf_field expect_fields[] = {
    ROW(raw_expect, "at", HALE_CONF_DURATION, at_ms, false, NULL, 0, TIME_MAX, NULL,
        "alarms: when"),
    ROW(raw_expect, "from", HALE_CONF_DURATION, from_ms, false, "0s", 0, TIME_MAX, NULL,
        "sequences: since when"),
    ROW(raw_expect, "to", HALE_CONF_DURATION, to_ms, false, NULL, 0, TIME_MAX, NULL,
        "sequences: until when; none: the end"),
    ROW(raw_expect, "others", HALE_CONF_BOOL, others, false, NULL, 0, 0, NULL,
        "whether there may be others than those listed"),
    ROW(raw_expect, "alarms", HALE_CONF_NODE, list[CLI_EXPECT_ALARMS], false, NULL, 0, 0,
        NULL, "alarms at a time"),
    ROW(raw_expect, "notifications", HALE_CONF_NODE, list[CLI_EXPECT_NOTIFICATIONS],
        false, NULL, 0, 0, NULL, "what those outside are told"),
    ROW(raw_expect, "transitions", HALE_CONF_NODE, list[CLI_EXPECT_TRANSITIONS], false,
        NULL, 0, 0, NULL, "changes of state, told or not"),
    ROW(raw_expect, "actions", HALE_CONF_NODE, list[CLI_EXPECT_ACTIONS], false, NULL, 0,
        0, NULL, "runs of policies"),
    ROW(raw_expect, "journal", HALE_CONF_NODE, list[CLI_EXPECT_JOURNAL], false, NULL, 0,
        0, NULL, "what the actuator writes down"),
};

static enum hale_rc read_expect(NODE map, struct cli_expect *x, struct hale_err *err)
{
    struct raw_expect raw = {.to_ms = INT64_MAX};
    NODE list = NULL;
    unsigned said = 0;
    enum hale_rc rc = hale_conf_read(map, expect_fields, COUNT(expect_fields), &raw, err);
    if (rc != HALE_OK)
        return rc;
    for (unsigned i = 0; i < N_KINDS; i++) {
        if (hale_yaml_get(map, kinds[i].key) == NULL)
            continue;
        said++;
        x->kind = (enum cli_expect_kind)i;
        list = raw.list[i];
    }
    if (said != 1)
        return hale_yaml_error(map, err,
                               "one of alarms, notifications, transitions, "
                               "actions and journal is wanted here");
    bool alarms = x->kind == CLI_EXPECT_ALARMS;
    if (alarms != (hale_yaml_get(map, "at") != NULL))
        return hale_yaml_error(map, err,
                               alarms ? "alarms want a time: 'at: 5m'"
                                      : "here 'at' belongs to each line");
    x->line = hale_yaml_line(map);
    x->at_ms = raw.at_ms;
    x->from_ms = raw.from_ms;
    x->to_ms = raw.to_ms;
    /* A list of alarms says something about those in it; a sequence is the whole. */
    x->others = hale_yaml_get(map, "others") != NULL ? raw.others : alarms;
    rc = cli_scenario_maps(list, kinds[x->kind].key, err);
    size_t n = list != NULL ? hale_yaml_count(list) : 0;
    x->v = calloc(n > 0 ? n : 1, sizeof(*x->v));
    if (x->v == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_want(hale_yaml_item(list, i), x->kind, &x->v[x->n++], err);
    return rc;
}

static int64_t end_of(const struct cli_scenario *s)
{
    int64_t end = s->n_inputs > 0 ? s->inputs[s->n_inputs - 1].at_ms : 0;
    for (unsigned i = 0; i < s->n_looks; i++) {
        const struct cli_scenario_look *l = &s->looks[i];
        size_t n = l->metric.n > l->load.n ? l->metric.n : l->load.n;
        int64_t last = l->start_ms + (int64_t)n * l->interval_ms;
        end = last > end ? last : end;
    }
    for (unsigned i = 0; i < s->n_expects; i++) {
        const struct cli_expect *x = &s->expects[i];
        int64_t last = x->to_ms != INT64_MAX && x->to_ms > x->at_ms ? x->to_ms : x->at_ms;
        for (unsigned k = 0; k < x->n; k++)
            if (x->v[k].at_ms + x->v[k].within_ms > last)
                last = x->v[k].at_ms + x->v[k].within_ms;
        end = last > end ? last : end;
    }
    return end;
}

enum hale_rc cli_scenario_wants(struct cli_scenario *s, NODE list, struct hale_err *err)
{
    enum hale_rc rc = cli_scenario_maps(list, "expect", err);
    size_t n = rc == HALE_OK && list != NULL ? hale_yaml_count(list) : 0;
    if (rc != HALE_OK)
        return rc;
    s->expects = calloc(n > 0 ? n : 1, sizeof(*s->expects));
    if (s->expects == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_expect(hale_yaml_item(list, i), &s->expects[s->n_expects++], err);
    if (rc == HALE_OK && s->length_ms == 0)
        s->length_ms = end_of(s);
    for (unsigned i = 0; rc == HALE_OK && i < s->n_expects; i++)
        if (s->expects[i].at_ms > s->length_ms)
            rc = hale_yaml_error(hale_yaml_item(list, i), err,
                                 "this lies behind the scenario's length");
    return rc;
}

static void want_fini(struct cli_want *w)
{
    char *texts[] = {w->reason, w->owner, w->ack,     w->op,    w->phase,   w->policy,
                     w->target, w->mode,  w->verdict, w->guard, w->outcome, w->row};
    for (size_t i = 0; i < COUNT(texts); i++)
        free(texts[i]);
    cli_alarm_ref_fini(&w->ref);
    json_decref(w->causes);
    json_decref(w->suppressed_by);
    json_decref(w->steps);
    json_decref(w->guards);
}

void cli_scenario_wants_fini(struct cli_scenario *s)
{
    for (unsigned i = 0; i < s->n_expects; i++) {
        for (unsigned k = 0; k < s->expects[i].n; k++)
            want_fini(&s->expects[i].v[k]);
        free(s->expects[i].v);
    }
    free(s->expects);
}
