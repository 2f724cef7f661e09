/* SPDX-License-Identifier: Apache-2.0 */
/* backtest - `hale backtest`: stored samples through the lab, and what would have come of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/definitions.h"
#include "cli/history.h"
#include "cli/lab.h"
#include "cli/scenario_run.h"
#include "cli/table.h"
#include "correlator/conf.h"
#include "model/definition.h"

#define DAY_MS         INT64_C(86400000)
#define DEFINITIONS    10000
#define LATE_WAIT_MS   30000
#define NAME_BYTES     2048
#define SPAN_MAX_MS    (400 * DAY_MS)
#define WARM_UP_MAX_MS (60 * DAY_MS)

struct backtest {
    const struct cli_options *o;
    int64_t from_ms, to_ms, begin_ms; /* begin: with the warm-up */
    json_t *bodies;
    struct actuator_policies *policies;
    struct correlator_conf *correlator;
    struct cli_history history;
    struct cli_lab *lab;
    json_t *transitions; /* from `from` on */
    json_t *actions;
    json_t *open; /* alarm id -> spell that goes on */
    json_t *
        spells; /* ALARMs of the time: {"name","group","from_ms","until_ms","severity"} */
    int64_t notifications;
    bool nomem;
};

/* --- what is asked ----------------------------------------------------------------- */

static enum hale_rc read_span(struct backtest *b, struct hale_err *err)
{
    int64_t now_ms = hale_clock_wall_ms();
    b->to_ms = now_ms;
    if (b->o->from == NULL)
        return hale_err_set(
            err, HALE_E_INVAL,
            "backtest wants --from, a time or a duration before now (30d)");
    enum hale_rc rc = cli_time(b->o->from, "from", now_ms, &b->from_ms, err);
    if (rc == HALE_OK && b->o->to != NULL)
        rc = cli_time(b->o->to, "to", now_ms, &b->to_ms, err);
    if (rc == HALE_OK &&
        (b->from_ms < 0 || b->to_ms <= b->from_ms || b->to_ms - b->from_ms > SPAN_MAX_MS))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "--from must lie before --to, at most 400 days");
    return rc;
}

/* From the API; by name or id. */
static enum hale_rc fetch_definition(struct backtest *b, const char *name,
                                     struct hale_err *err)
{
    static const char *const keys[] = {"name",          "expression",      "match_by",
                                       "severity",      "semantics",       "on_missing",
                                       "missing_after", "actions_enabled", NULL};
    json_t *found = NULL, *d;
    size_t i;
    enum hale_rc rc =
        cli_api_list(&b->o->api, "/v2.0/alarm-definitions", DEFINITIONS, &found, err);
    json_array_foreach (found, i, d) {
        if (strcmp(cli_text(d, "name"), name) != 0 &&
            strcmp(cli_text(d, "id"), name) != 0)
            continue;
        json_t *body = json_object();
        for (size_t k = 0; keys[k] != NULL; k++) {
            json_t *value = json_object_get(d, keys[k]);
            if (value != NULL && !json_is_null(value))
                (void)json_object_set(body, keys[k], value);
        }
        b->bodies = json_pack("[o]", body);
        break;
    }
    json_decref(found);
    if (rc == HALE_OK && b->bodies == NULL)
        rc = hale_err_set(err, HALE_E_NOTFOUND, "there is no alarm definition '%.100s'",
                          name);
    return rc;
}

/* How long before `from` an expression must have been fed to be as it would be live. */
static int64_t warm_up_ms(const struct hale_definition *d)
{
    int64_t longest_s = 300;
    for (unsigned i = 0; i < d->expr->n_subs; i++) {
        const struct hale_subexpr *s = &d->expr->subs[i];
        int64_t each_s = (int64_t)s->period_s * (s->times + 2) + s->for_s +
                         s->clear_for_s + (int64_t)s->days * 86400;
        longest_s = each_s > longest_s ? each_s : longest_s;
    }
    longest_s += 2 * d->missing_after_s;
    return longest_s * 1000 < WARM_UP_MAX_MS ? longest_s * 1000 : WARM_UP_MAX_MS;
}

static enum hale_rc each_definition(struct backtest *b,
                                    enum hale_rc (*fn)(struct backtest *b,
                                                       const struct hale_definition *d,
                                                       struct hale_err *err),
                                    struct hale_err *err)
{
    const json_t *body;
    size_t i;
    enum hale_rc rc = HALE_OK;
    json_array_foreach (b->bodies, i, body) {
        struct hale_definition *d = NULL;
        if (rc == HALE_OK)
            rc = hale_definition_from_api(body, NULL, false, &d, err);
        if (rc == HALE_OK)
            rc = fn(b, d, err);
        hale_definition_free(d);
    }
    return rc;
}

static enum hale_rc widen(struct backtest *b, const struct hale_definition *d,
                          struct hale_err *err)
{
    (void)err;
    int64_t begin_ms = b->from_ms - warm_up_ms(d);
    b->begin_ms = begin_ms < b->begin_ms ? begin_ms : b->begin_ms;
    return HALE_OK;
}

static enum hale_rc read_history(struct backtest *b, const struct hale_definition *d,
                                 struct hale_err *err)
{
    return cli_history_read(&b->history, &b->o->api, d->expr, b->begin_ms, b->to_ms, err);
}

static enum hale_rc read_policies(struct backtest *b, struct hale_err *err)
{
    if (b->o->policies == NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_policies_load_file(b->o->policies, &b->policies, err);
    for (unsigned i = 0; rc == HALE_OK && i < b->policies->n; i++)
        b->policies->v[i].mode = ACTUATOR_OBSERVE; /* nobody is called */
    return rc;
}

/* --- what comes out ---------------------------------------------------------------- */

static void keep(struct backtest *b, json_t *list, json_t *item)
{
    if (item == NULL || json_array_append_new(list, item) != 0)
        b->nomem = true;
}

static bool in_time(const struct backtest *b)
{
    return cli_lab_now_ms(b->lab) >= b->from_ms && cli_lab_now_ms(b->lab) <= b->to_ms;
}

static json_t *values_of(const json_t *evidence)
{
    json_t *values = json_array(), *sub;
    size_t i;
    json_array_foreach (json_object_get(evidence, "subs"), i, sub) {
        json_t *v = json_object_get(sub, "values");
        (void)json_array_append_new(values, v != NULL ? json_incref(v) : json_array());
    }
    return values;
}

static void end_spell(struct backtest *b, const char *alarm_id, int64_t at_ms)
{
    json_t *spell = json_object_get(b->open, alarm_id);
    if (spell == NULL)
        return;
    if (at_ms >= b->from_ms) {
        (void)json_object_set_new(spell, "until_ms", json_integer(at_ms));
        keep(b, b->spells, json_incref(spell));
    }
    (void)json_object_del(b->open, alarm_id);
}

static void note_spell(struct backtest *b, const struct hale_log_record *r)
{
    const struct hale_alarm *a = &r->alarm;
    json_t *spell = json_object_get(b->open, a->id);
    if (a->state != HALE_STATE_ALARM || r->kind == HALE_ALARM_DELETED) {
        end_spell(b, a->id, r->time_ms);
        return;
    }
    if (spell != NULL) { /* it has become more, or less severe */
        (void)json_object_set_new(spell, "severity",
                                  json_string(hale_severity_text(a->severity)));
        return;
    }
    spell = json_pack("{s:s,s:O,s:I,s:n,s:s,s:s}", "name", a->definition_name, "group",
                      a->group, "from_ms", (json_int_t)r->time_ms, "until_ms", "severity",
                      hale_severity_text(a->severity), "reason",
                      a->reason != NULL ? a->reason : "");
    if (spell == NULL || json_object_set_new(b->open, a->id, spell) != 0)
        b->nomem = true;
}

static void on_log(void *arg, const struct hale_log_record *r)
{
    struct backtest *b = arg;
    note_spell(b, r);
    if (!in_time(b))
        return;
    b->notifications += r->announce;
    if (r->kind != HALE_ALARM_TRANSITION)
        return;
    keep(b, b->transitions,
         json_pack("{s:I,s:s,s:O,s:s,s:s,s:s,s:b,s:s,s:o}", "time_ms",
                   (json_int_t)r->time_ms, "name", r->alarm.definition_name, "group",
                   r->alarm.group, "old_state", hale_state_text(r->old_state), "state",
                   hale_state_text(r->alarm.state), "severity",
                   hale_severity_text(r->alarm.severity), "announce", (int)r->announce,
                   "reason", r->alarm.reason != NULL ? r->alarm.reason : "", "values",
                   values_of(r->evidence)));
}

static void on_row(void *arg, const struct hale_journal_row *row)
{
    struct backtest *b = arg;
    if (!in_time(b) || strcmp(row->kind, "observed") != 0)
        return;
    keep(b, b->actions,
         json_pack("{s:I,s:s,s:s,s:s,s:s,s:O}", "time_ms", (json_int_t)row->time_ms,
                   "policy", row->policy, "alarm", row->alarm_name, "target", row->target,
                   "text", row->text, "detail", row->detail));
}

/* --- the course -------------------------------------------------------------------- */

static enum hale_rc give_definitions(struct backtest *b, struct hale_err *err)
{
    const json_t *body;
    size_t i;
    enum hale_rc rc = HALE_OK;
    json_array_foreach (b->bodies, i, body)
        if (rc == HALE_OK)
            rc = cli_lab_define(b->lab, body, 0, err);
    return rc;
}

static enum hale_rc play(struct backtest *b, struct hale_err *err)
{
    const struct cli_history *h = &b->history;
    unsigned *numbers = calloc(json_array_size(h->series) + 1, sizeof(*numbers));
    const json_t *series;
    size_t i;
    enum hale_rc rc = numbers != NULL ? give_definitions(b, err) : HALE_E_NOMEM;
    json_array_foreach (h->series, i, series)
        if (rc == HALE_OK)
            rc = cli_lab_series(b->lab, cli_text(series, "name"),
                                json_object_get(series, "dimensions"), &numbers[i], err);
    for (i = 0; i < h->n && rc == HALE_OK; i++) {
        const struct cli_history_sample *s = &h->samples[i];
        rc = cli_lab_advance(b->lab, s->time_ms);
        if (rc == HALE_OK)
            rc = cli_lab_sample(b->lab, numbers[s->series], s->time_ms, s->value);
    }
    if (rc == HALE_OK)
        rc = cli_lab_advance(b->lab, b->to_ms);
    if (rc == HALE_OK)
        rc = cli_lab_settle(b->lab);
    free(numbers);
    return rc;
}

static enum hale_rc run(struct backtest *b, struct hale_err *err)
{
    const struct cli_lab_conf conf = {.tenant = "backtest",
                                      .start_ms = b->begin_ms,
                                      .late_wait_ms = LATE_WAIT_MS,
                                      .correlator = correlator_conf_limits(b->correlator),
                                      .policies = b->policies,
                                      .sink = {.arg = b, .log = on_log, .row = on_row}};
    b->lab = cli_lab_new(&conf);
    enum hale_rc rc = b->lab != NULL ? play(b, err) : HALE_E_NOMEM;
    const char *id;
    json_t *spell;
    json_object_foreach (b->open, id, spell)
        keep(b, b->spells, json_incref(spell)); /* to the end and beyond */
    cli_lab_free(b->lab);
    if (rc == HALE_OK && b->nomem)
        rc = HALE_E_NOMEM;
    if (rc != HALE_OK && err->text[0] == '\0')
        (void)hale_err_set(err, rc, "the backtest failed: %s", hale_rc_text(rc));
    return rc;
}

/* --- telling ----------------------------------------------------------------------- */

/* Within the time asked for. */
static int64_t seconds_in_alarm(const struct backtest *b)
{
    const json_t *spell;
    size_t i;
    int64_t ms = 0;
    json_array_foreach (b->spells, i, spell) {
        const json_t *until = json_object_get(spell, "until_ms");
        int64_t from = json_integer_value(json_object_get(spell, "from_ms"));
        int64_t to = json_is_null(until) ? b->to_ms : json_integer_value(until);
        ms += (to < b->to_ms ? to : b->to_ms) - (from > b->from_ms ? from : b->from_ms);
    }
    return ms / 1000;
}

static void print_resolution(const struct backtest *b)
{
    const struct cli_resolution *r = &b->history.resolution;
    if (r->step_s == 0)
        printf("%zu raw samples of %zu series\n", b->history.n,
               json_array_size(b->history.series));
    else
        printf("%zu samples of %zu series; until %s they are averages of %" PRId64
               " s from the archive: what happened within those is not seen\n",
               b->history.n, json_array_size(b->history.series), r->until, r->step_s);
}

static void print_spells(const struct backtest *b)
{
    static const char *const titles[] = {"FROM", "LASTED", "SEVERITY", "ALARM", "REASON"};
    struct cli_table *table = cli_table_new(5, titles);
    const json_t *spell;
    size_t i;
    json_array_foreach (b->spells, i, spell) {
        char from[HALE_CLOCK_ISO_MAX], lasted[32], text[64], name[NAME_BYTES];
        const json_t *until = json_object_get(spell, "until_ms");
        int64_t at = json_integer_value(json_object_get(spell, "from_ms"));
        int64_t end = json_is_null(until) ? b->to_ms : json_integer_value(until);
        (void)snprintf(text, sizeof(text), "%s%s",
                       cli_time_text((end - at) / 1000 * 1000, lasted),
                       json_is_null(until) ? "..." : "");
        cli_table_row(
            table, (const char *const[]){hale_clock_iso_s(at, from), text,
                                         cli_text(spell, "severity"),
                                         cli_alarm_text(cli_text(spell, "name"),
                                                        json_object_get(spell, "group"),
                                                        name, sizeof(name)),
                                         cli_text(spell, "reason")});
    }
    if (cli_table_count(table) > 0)
        cli_table_print(table);
    else
        cli_table_free(table);
}

static void print_text(const struct backtest *b)
{
    char lasted[32];
    const json_t *action;
    size_t i;
    print_spells(b);
    json_array_foreach (b->actions, i, action) {
        char at[HALE_CLOCK_ISO_MAX];
        printf(
            "%s  %s ",
            hale_clock_iso_s(json_integer_value(json_object_get(action, "time_ms")), at),
            cli_text(action, "policy"));
        cli_table_text(cli_text(action, "text"));
        putchar('\n');
    }
    printf("%zu alarms, %s in ALARM, %zu transitions, %" PRId64
           " notifications, %zu actions\n",
           json_array_size(b->spells), cli_time_text(seconds_in_alarm(b) * 1000, lasted),
           json_array_size(b->transitions), b->notifications,
           json_array_size(b->actions));
    print_resolution(b);
}

static int print_json(const struct backtest *b)
{
    json_t *out = json_pack(
        "{s:I,s:I,s:{s:I,s:I,s:I,s:s},s:O,s:O,s:O,s:{s:I,s:I,s:I,s:I,s:I}}", "from_ms",
        (json_int_t)b->from_ms, "to_ms", (json_int_t)b->to_ms, "history", "samples",
        (json_int_t)b->history.n, "series",
        (json_int_t)json_array_size(b->history.series), "resolution_s",
        (json_int_t)b->history.resolution.step_s, "resolution_until",
        b->history.resolution.until, "alarms", b->spells, "transitions", b->transitions,
        "actions", b->actions, "counts", "alarms", (json_int_t)json_array_size(b->spells),
        "transitions", (json_int_t)json_array_size(b->transitions), "notifications",
        (json_int_t)b->notifications, "actions", (json_int_t)json_array_size(b->actions),
        "seconds_in_alarm", (json_int_t)seconds_in_alarm(b));
    int code = out != NULL ? cli_print_json(out) : CLI_FAILED;
    json_decref(out);
    return code;
}

static int refuse(const struct hale_err *err, enum hale_rc rc)
{
    (void)cli_fail(err);
    return rc == HALE_E_INVAL ? CLI_USAGE : CLI_FAILED;
}

int cli_backtest(const struct cli_options *o, const char *path)
{
    struct backtest b = {.o = o,
                         .transitions = json_array(),
                         .actions = json_array(),
                         .open = json_object(),
                         .spells = json_array()};
    struct hale_err err = {0};
    int code = CLI_OK;
    cli_history_init(&b.history);
    enum hale_rc rc = read_span(&b, &err);
    if (rc == HALE_OK && (path == NULL) == (o->definition == NULL))
        rc = hale_err_set(&err, HALE_E_INVAL,
                          "backtest wants a file of definitions or --definition NAME");
    if (rc == HALE_OK)
        rc = path != NULL ? cli_definitions_load(path, &b.bodies, &err)
                          : fetch_definition(&b, o->definition, &err);
    if (rc == HALE_OK)
        rc = read_policies(&b, &err);
    if (rc == HALE_OK)
        rc = correlator_conf_read(NULL, &b.correlator, &err);
    b.begin_ms = b.from_ms;
    if (rc == HALE_OK)
        rc = each_definition(&b, widen, &err);
    b.begin_ms = b.begin_ms > 0 ? b.begin_ms : 0;
    if (rc == HALE_OK)
        rc = each_definition(&b, read_history, &err);
    if (rc == HALE_OK) {
        cli_history_sort(&b.history);
        rc = run(&b, &err);
    }
    if (rc != HALE_OK)
        code = refuse(&err, rc);
    else if (o->json)
        code = print_json(&b);
    else
        print_text(&b);
    cli_history_fini(&b.history);
    actuator_policies_free(b.policies);
    correlator_conf_free(b.correlator);
    json_decref(b.bodies);
    json_decref(b.transitions);
    json_decref(b.actions);
    json_decref(b.open);
    json_decref(b.spells);
    return code;
}
