/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab.h"
#include "cli/table.h"

#define TEXT_BYTES     (16u << 20)
#define TIMELINE_BYTES (256u << 20)
#define NAME_BYTES     2048
#define KILLS          100 /* of a long scenario, about */

struct run {
    const struct cli_scenario *s;
    struct cli_lab *lab;
    struct cli_verdict *verdict;
    bool timeline;
    json_t *told, *moved, *done; /* observations: notifications, transitions, actions */
    json_t *plans;               /* run id -> steps as texts */
    unsigned *series;            /* the lab's numbers */
    uint64_t dice;               /* 0: no restarts but those of the file */
    bool nomem;
};

/* --- texts ------------------------------------------------------------------------- */

const char *cli_time_text(int64_t ms, char *dst)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t len = 0;
    (void)snprintf(dst, 32, "0s");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms / units[i].ms == 0)
            continue;
        len += (size_t)snprintf(dst + len, 32 - len, "%" PRId64 "%s", ms / units[i].ms,
                                units[i].unit);
        ms %= units[i].ms;
    }
    return dst;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *cli_alarm_text(const char *name, const json_t *group, char *dst, size_t size)
{
    const char *keys[HALE_DIMS_MAX], *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach ((json_t *)(uintptr_t)group, key, value)
        if (n < HALE_DIMS_MAX)
            keys[n++] = key;
    qsort(keys, n, sizeof(keys[0]), by_key);
    int len = snprintf(dst, size, "%s", name);
    for (size_t i = 0; i < n && len > 0 && (size_t)len < size; i++)
        len += snprintf(dst + len, size - (size_t)len, "%s%s=%s", i == 0 ? "{" : ",",
                        keys[i], json_string_value(json_object_get(group, keys[i])));
    if (n > 0 && len > 0 && (size_t)len + 1 < size)
        (void)snprintf(dst + len, size - (size_t)len, "}");
    return dst;
}

bool cli_alarm_fits(const struct cli_alarm_ref *ref, const char *name,
                    const json_t *group)
{
    const char *key;
    json_t *value;
    if (ref->name == NULL)
        return true;
    if (strcmp(ref->name, name) != 0)
        return false;
    json_object_foreach (ref->group, key, value)
        if (!json_equal(json_object_get(group, key), value))
            return false;
    return true;
}

/* --- observing --------------------------------------------------------------------- */

static void keep(struct run *r, json_t *list, json_t *item)
{
    if (item == NULL || json_array_append(list, item) != 0)
        r->nomem = true;
    json_decref(item);
}

/* The causes by name; an alarm that is gone by its id. */
static json_t *cause_names(const struct run *r, const json_t *ids)
{
    char text[NAME_BYTES];
    json_t *names = json_array(), *id;
    size_t i;
    json_array_foreach ((json_t *)(uintptr_t)ids, i, id) {
        const char *row = json_string_value(
            json_object_get(cli_lab_alarms(r->lab), json_string_value(id)));
        struct hale_alarm a;
        if (row == NULL || hale_alarm_decode(hale_str_from(row), &a) != HALE_OK) {
            (void)json_array_append(names, id);
            continue;
        }
        (void)json_array_append_new(
            names,
            json_string(cli_alarm_text(a.definition_name, a.group, text, sizeof(text))));
        hale_alarm_fini(&a);
    }
    return names;
}

static json_t *mute_kinds(const json_t *life)
{
    json_t *kinds = json_array(), *mute;
    size_t i;
    json_array_foreach (json_object_get(life, "suppressed_by"), i, mute)
        (void)json_array_append(kinds, json_object_get(mute, "kind"));
    return kinds;
}

/* {"at_ms","name","group","state","severity","reason","causes","suppressed_by","life"} */
static json_t *observe(const struct run *r, const struct hale_alarm *a)
{
    const json_t *life = a->life;
    json_t *none = json_object();
    json_t *o = json_pack(
        "{s:I,s:s,s:O,s:i,s:i,s:s,s:o,s:o,s:O}", "at_ms",
        (json_int_t)(cli_lab_now_ms(r->lab) - r->s->start_ms), "name", a->definition_name,
        "group", a->group, "state", (int)a->state, "severity", (int)a->severity, "reason",
        a->reason != NULL ? a->reason : "", "causes",
        cause_names(r, json_object_get(life, "causes")), "suppressed_by",
        mute_kinds(life), "life", life != NULL ? a->life : none);
    json_decref(none);
    return o;
}

static void note(struct run *r, const char *what, const char *alarm, const char *text)
{
    char at[32];
    struct hale_buf *out = &r->verdict->timeline;
    if (!r->timeline)
        return;
    hale_buf_printf(out, "  %-12s %-12s %s  %s\n",
                    cli_time_text(cli_lab_now_ms(r->lab) - r->s->start_ms, at), what,
                    alarm, text);
}

static void note_log(struct run *r, const struct hale_log_record *rec)
{
    static const char *const words[] = {"created", "transition", "updated", "deleted"};
    char name[NAME_BYTES], text[1200];
    if (!r->timeline)
        return;
    cli_alarm_text(rec->alarm.definition_name, rec->alarm.group, name, sizeof(name));
    (void)snprintf(text, sizeof(text), "%s -> %s%s%s%s%s%.900s",
                   hale_state_text(rec->old_state), hale_state_text(rec->alarm.state),
                   rec->announce ? ", told" : "", rec->op != NULL ? ", " : "",
                   rec->op != NULL ? rec->op : "",
                   rec->alarm.reason != NULL && *rec->alarm.reason != '\0' ? ": " : "",
                   rec->alarm.reason != NULL ? rec->alarm.reason : "");
    note(r, words[rec->kind], name, text);
}

static void on_log(void *arg, const struct hale_log_record *rec)
{
    struct run *r = arg;
    r->verdict->records++;
    note_log(r, rec);
    if (!rec->announce && rec->kind != HALE_ALARM_TRANSITION)
        return;
    json_t *o = observe(r, &rec->alarm);
    if (o == NULL ||
        json_object_set_new(o, "old_state", json_integer((int)rec->old_state)) != 0 ||
        json_object_set_new(o, "op", json_string(rec->op != NULL ? rec->op : "")) != 0)
        r->nomem = true;
    if (rec->announce)
        keep(r, r->told, json_incref(o));
    if (rec->kind == HALE_ALARM_TRANSITION)
        keep(r, r->moved, json_incref(o));
    json_decref(o);
}

/* A step as a line: "heal vnf-1 at http://..." or "POST http://...". */
static json_t *step_text(const json_t *step)
{
    const char *op = json_string_value(json_object_get(step, "operation"));
    const char *vnf = json_string_value(json_object_get(step, "vnf"));
    const char *method = json_string_value(json_object_get(step, "method"));
    const char *type = json_string_value(json_object_get(step, "type"));
    const char *url = json_string_value(json_object_get(step, "url"));
    if (method == NULL) /* an executable's path */
        method = json_string_value(json_array_get(json_object_get(step, "argv"), 0));
    return json_sprintf("%s %s%s%s%s%s", type != NULL ? type : "",
                        op != NULL       ? op
                        : method != NULL ? method
                                         : "",
                        vnf != NULL ? " " : "", vnf != NULL ? vnf : "",
                        url != NULL ? " " : "", url != NULL ? url : "");
}

static json_t *step_texts(const json_t *plan)
{
    json_t *steps = json_array(), *step;
    size_t i;
    json_array_foreach ((json_t *)(uintptr_t)plan, i, step)
        (void)json_array_append_new(steps, step_text(step));
    return steps;
}

static void on_plan(void *arg, const char *run_id, const json_t *plan)
{
    struct run *r = arg;
    if (json_object_set_new(r->plans, run_id, step_texts(plan)) != 0)
        r->nomem = true;
}

static json_t *action_of(const struct run *r, const char *run_id)
{
    for (size_t i = json_array_size(r->done); i > 0; i--) {
        json_t *o = json_array_get(r->done, i - 1);
        if (strcmp(json_string_value(json_object_get(o, "run")), run_id) == 0)
            return o;
    }
    return NULL;
}

static void begin_action(struct run *r, const struct hale_journal_row *row)
{
    const char *guard = json_string_value(json_object_get(row->detail, "guard"));
    const json_t *would = json_object_get(row->detail, "would_call");
    const char *text =
        json_string_value(json_object_get(cli_lab_alarms(r->lab), row->alarm_id));
    struct hale_alarm a = {0};
    json_t *steps = would != NULL ? step_texts(would)
                                  : json_incref(json_object_get(r->plans, row->run_id));
    bool known = text != NULL && hale_alarm_decode(hale_str_from(text), &a) == HALE_OK;
    keep(r, r->done,
         json_pack("{s:I,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:o,s:i,s:s,s:s}", "at_ms",
                   (json_int_t)(cli_lab_now_ms(r->lab) - r->s->start_ms), "name",
                   row->alarm_name, "group", known ? json_incref(a.group) : json_object(),
                   "run", row->run_id, "policy", row->policy, "target", row->target,
                   "mode", row->mode, "verdict", row->kind, "steps",
                   steps != NULL ? steps : json_array(), "calls", 0, "guard",
                   guard != NULL ? guard : "", "outcome", ""));
    if (known)
        hale_alarm_fini(&a);
}

static void on_row(void *arg, const struct hale_journal_row *row)
{
    struct run *r = arg;
    json_t *action = action_of(r, row->run_id);
    static const char born[] = "triggered suppressed observed suggested proposed";
    static const char over[] = "verified failed suppressed rejected expired aborted";
    char text[400];
    (void)snprintf(text, sizeof(text), "%.380s", row->text);
    note(r, row->kind, row->policy, text);
    if (action == NULL && strstr(born, row->kind) != NULL) {
        begin_action(r, row);
    } else if (action != NULL && strstr(over, row->kind) != NULL) {
        (void)json_object_set_new(action, "outcome", json_string(row->kind));
    } else if (action != NULL && strcmp(row->kind, "call") == 0) {
        json_int_t n = json_integer_value(json_object_get(action, "calls"));
        (void)json_object_set_new(action, "calls", json_integer(n + 1));
    }
}

/* --- giving ------------------------------------------------------------------------ */

static enum hale_rc at_line(const struct run *r, int line, enum hale_rc rc,
                            struct hale_err *err, const char *text)
{
    return hale_err_at(err, rc, r->s->path, line, 0, "%s",
                       text[0] != '\0' ? text : hale_rc_text(rc));
}

static enum hale_rc define_all(struct run *r, const json_t *bodies, int line,
                               struct hale_err *err)
{
    struct hale_err why = {0};
    const json_t *body;
    size_t i;
    json_array_foreach ((json_t *)(uintptr_t)bodies, i, body) {
        enum hale_rc rc = cli_lab_define(r->lab, body, 0, &why);
        if (rc != HALE_OK)
            return at_line(r, line, rc, err, why.text);
    }
    return HALE_OK;
}

/* One command to every alarm that fits. */
static enum hale_rc command(struct run *r, const struct cli_op *op, struct hale_err *err,
                            int line)
{
    const char *id;
    json_t *row, *rows = json_copy((json_t *)(uintptr_t)cli_lab_alarms(r->lab));
    unsigned n = 0;
    enum hale_rc rc = HALE_OK;
    json_object_foreach (rows, id, row) {
        struct hale_alarm a;
        if (rc != HALE_OK ||
            hale_alarm_decode(hale_str_from(json_string_value(row)), &a) != HALE_OK)
            continue;
        if (cli_alarm_fits(&op->ref, a.definition_name, a.group)) {
            const struct hale_control c = {
                .op = op->kind == CLI_OP_DELETE ? HALE_CONTROL_ALARM_DELETE
                                                : HALE_CONTROL_ALARM_OP,
                .id = a.id,
                .definition_id = op->kind == CLI_OP_DELETE ? a.definition_id : NULL,
                .group = op->kind == CLI_OP_DELETE ? a.group : NULL,
                .action = op->action,
                .by = op->by,
                .text = op->text,
                .owner = op->owner,
                .at_ms = cli_lab_now_ms(r->lab),
                .until_ms = op->until_ms};
            rc = cli_lab_control(r->lab, &c);
            n++;
        }
        hale_alarm_fini(&a);
    }
    json_decref(rows);
    if (rc != HALE_OK)
        return at_line(r, line, rc, err, "the command was refused");
    return n > 0 ? HALE_OK
                 : at_line(r, line, HALE_E_NOTFOUND, err,
                           "there is no such alarm at this time");
}

static enum hale_rc topology(struct run *r, const json_t *update, int line,
                             struct hale_err *err)
{
    struct hale_err why = {0};
    char *text = json_dumps(update, JSON_COMPACT);
    enum hale_rc rc =
        text != NULL ? cli_lab_topology(r->lab, hale_str_from(text), &why) : HALE_E_NOMEM;
    free(text);
    return rc == HALE_OK ? rc : at_line(r, line, rc, err, why.text);
}

static enum hale_rc silence(struct run *r, const struct cli_op *op, int line,
                            struct hale_err *err)
{
    struct hale_err why = {0};
    bool maintenance = op->kind == CLI_OP_MAINTENANCE;
    note(r, maintenance ? "maintenance" : "silence", op->name, op->by);
    enum hale_rc rc =
        cli_lab_silence(r->lab, maintenance, op->name, op->by, op->bodies, &why);
    return rc == HALE_OK ? rc : at_line(r, line, rc, err, why.text);
}

static enum hale_rc do_op(struct run *r, const struct cli_op *op, int line,
                          struct hale_err *err)
{
    static const char *const parts[] = {"thresholds", "correlator", "actuator"};
    enum hale_rc rc;
    switch (op->kind) {
    case CLI_OP_RESTART:
        for (unsigned i = 0; i < 3; i++)
            if ((op->parts & 1u << i) != 0)
                note(r, "restart", parts[i], "");
        rc = cli_lab_restart(r->lab, op->parts);
        return rc == HALE_OK ? rc : at_line(r, line, rc, err, "the restart failed");
    case CLI_OP_DEFINE: return define_all(r, op->bodies, line, err);
    case CLI_OP_TOPOLOGY:
        note(r, "topology", "", "");
        return topology(r, op->bodies, line, err);
    case CLI_OP_SILENCE:
    case CLI_OP_MAINTENANCE: return silence(r, op, line, err);
    case CLI_OP_END:
        note(r, "end", op->name, "");
        rc = cli_lab_unsilence(r->lab, op->name);
        return rc == HALE_OK ? rc
                             : at_line(r, line, rc, err,
                                       "there is no silence or window of this id");
    case CLI_OP_UNDEFINE:
        rc = cli_lab_undefine(r->lab, op->name);
        return rc == HALE_OK ? rc
                             : at_line(r, line, rc, err, "there is no such definition");
    case CLI_OP_ALARM:
    case CLI_OP_DELETE:
        note(r, op->kind == CLI_OP_DELETE ? "delete" : hale_alarm_op_text(op->action),
             op->ref.name, op->by != NULL ? op->by : "");
        return command(r, op, err, line);
    }
    return HALE_E_INVAL;
}

static enum hale_rc give(struct run *r, const struct cli_input *in, struct hale_err *err)
{
    enum hale_rc rc;
    if (in->kind == CLI_INPUT_OP)
        return do_op(r, &r->s->ops[in->index], in->line, err);
    if (in->kind == CLI_INPUT_EVENT) {
        const struct hale_event *ev = &r->s->events[in->index];
        note(r, "event", ev->type, ev->clear ? "clear" : "raise");
        rc = cli_lab_event(r->lab, ev);
    } else {
        rc = cli_lab_sample(r->lab, r->series[in->index], r->s->start_ms + in->stamp_ms,
                            in->value);
    }
    return rc == HALE_OK ? rc : at_line(r, in->line, rc, err, "");
}

/* --- the course -------------------------------------------------------------------- */

static json_t *alarms_now(const struct run *r)
{
    json_t *all = json_array(), *row;
    const char *id;
    json_object_foreach ((json_t *)(uintptr_t)cli_lab_alarms(r->lab), id, row) {
        struct hale_alarm a;
        if (hale_alarm_decode(hale_str_from(json_string_value(row)), &a) != HALE_OK)
            continue;
        (void)json_array_append_new(all, observe(r, &a));
        hale_alarm_fini(&a);
    }
    return all;
}

static void check_now(struct run *r, int64_t at_ms)
{
    for (unsigned i = 0; i < r->s->n_expects; i++) {
        const struct cli_expect *x = &r->s->expects[i];
        if (x->kind != CLI_EXPECT_ALARMS || x->at_ms != at_ms)
            continue;
        json_t *alarms = alarms_now(r);
        cli_check_alarms(r->s, x, alarms, r->verdict);
        json_decref(alarms);
    }
}

/* The earliest expectation about alarms after from_ms, or INT64_MAX. */
static int64_t next_check(const struct run *r, int64_t from_ms)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < r->s->n_expects; i++) {
        const struct cli_expect *x = &r->s->expects[i];
        if (x->kind == CLI_EXPECT_ALARMS && x->at_ms > from_ms && x->at_ms < next)
            next = x->at_ms;
    }
    return next;
}

static uint64_t throw_dice(struct run *r)
{
    r->dice ^= r->dice << 13;
    r->dice ^= r->dice >> 7;
    r->dice ^= r->dice << 17;
    return r->dice * 0x2545f4914f6cdd1dull >> 32;
}

static enum hale_rc perhaps_restart(struct run *r)
{
    size_t one_in = r->s->n_inputs / KILLS;
    if (r->dice == 0 || throw_dice(r) % (one_in > 3 ? one_in : 3) != 0)
        return HALE_OK;
    return cli_lab_restart(r->lab, 1 + (unsigned)(throw_dice(r) % (CLI_LAB_THRESHOLDS |
                                                                   CLI_LAB_CORRELATOR)));
}

/* Then it is at_ms, and perhaps something has ended on the way there. */
static enum hale_rc advance(struct run *r, int64_t at_ms)
{
    int64_t left = at_ms - cli_lab_now_ms(r->lab);
    enum hale_rc rc = HALE_OK;
    if (r->dice != 0 && left > 1) {
        int64_t part = (int64_t)(throw_dice(r) % (uint64_t)left);
        rc = cli_lab_advance(r->lab, at_ms - left + part);
        if (rc == HALE_OK)
            rc = perhaps_restart(r);
    }
    return rc == HALE_OK ? cli_lab_advance(r->lab, at_ms) : rc;
}

static enum hale_rc play(struct run *r, struct hale_err *err)
{
    const struct cli_scenario *s = r->s;
    size_t i = 0;
    int64_t check = next_check(r, -1);
    enum hale_rc rc = HALE_OK;
    while (rc == HALE_OK && (i < s->n_inputs || check != INT64_MAX)) {
        int64_t at = i < s->n_inputs ? s->inputs[i].at_ms : INT64_MAX;
        at = check < at ? check : at;
        if (at > s->length_ms)
            break;
        rc = advance(r, s->start_ms + at);
        for (; rc == HALE_OK && i < s->n_inputs && s->inputs[i].at_ms == at; i++) {
            rc = perhaps_restart(r);
            if (rc == HALE_OK)
                rc = give(r, &s->inputs[i], err);
        }
        if (rc == HALE_OK && check == at) {
            rc = cli_lab_settle(r->lab);
            check_now(r, at);
            check = next_check(r, at);
        }
    }
    if (rc == HALE_OK)
        rc = advance(r, s->start_ms + s->length_ms);
    return rc == HALE_OK ? cli_lab_settle(r->lab) : rc;
}

static enum hale_rc prepare(struct run *r, struct hale_err *err)
{
    struct hale_err why = {0};
    enum hale_rc rc = define_all(r, r->s->definitions, 0, err);
    if (rc == HALE_OK && r->s->topology != NULL)
        rc = topology(r, r->s->topology, 0, err);
    for (unsigned i = 0; rc == HALE_OK && i < r->s->n_series; i++) {
        const struct cli_scenario_series *series = &r->s->series[i];
        rc = cli_lab_series(r->lab, series->metric, series->dimensions, &r->series[i],
                            &why);
        if (rc != HALE_OK)
            rc = at_line(r, series->line, rc, err, why.text);
    }
    return rc;
}

static void check_sequences(struct run *r)
{
    for (unsigned i = 0; i < r->s->n_expects; i++) {
        const struct cli_expect *x = &r->s->expects[i];
        if (x->kind != CLI_EXPECT_ALARMS)
            cli_check_sequence(r->s, x,
                               x->kind == CLI_EXPECT_NOTIFICATIONS ? r->told
                               : x->kind == CLI_EXPECT_TRANSITIONS ? r->moved
                                                                   : r->done,
                               r->verdict);
    }
}

static enum hale_rc run_it(const struct cli_scenario *s, bool timeline, uint64_t seed,
                           struct cli_verdict *out, struct hale_err *err)
{
    struct run r = {.s = s,
                    .verdict = out,
                    .timeline = timeline,
                    .dice = seed,
                    .told = json_array(),
                    .moved = json_array(),
                    .done = json_array(),
                    .plans = json_object(),
                    .series = calloc(s->n_series + 1, sizeof(*r.series))};
    const struct cli_lab_conf conf = {
        .tenant = s->tenant,
        .start_ms = s->start_ms,
        .late_wait_ms = s->late_wait_ms,
        .correlator = correlator_conf_limits(s->correlator),
        .policies = s->policies,
        .answers = s->answers,
        .sink = {.arg = &r, .log = on_log, .plan = on_plan, .row = on_row}};
    *out = (struct cli_verdict){.expected = s->n_expects, .inputs = s->n_inputs};
    hale_buf_init(&out->text, TEXT_BYTES);
    hale_buf_init(&out->timeline, TIMELINE_BYTES);
    r.lab = cli_lab_new(&conf);
    enum hale_rc rc = r.lab != NULL && r.series != NULL ? prepare(&r, err) : HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = play(&r, err);
    if (rc == HALE_OK && r.nomem)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK)
        check_sequences(&r);
    else if (err != NULL && err->text[0] == '\0')
        (void)at_line(&r, 0, rc, err, "the scenario could not be run");
    cli_lab_free(r.lab);
    json_decref(r.told);
    json_decref(r.moved);
    json_decref(r.done);
    json_decref(r.plans);
    free(r.series);
    return rc;
}

enum hale_rc cli_scenario_run(const struct cli_scenario *s, bool timeline,
                              struct cli_verdict *out, struct hale_err *err)
{
    return run_it(s, timeline, 0, out, err);
}

enum hale_rc cli_scenario_run_killed(const struct cli_scenario *s, uint64_t seed,
                                     struct cli_verdict *out, struct hale_err *err)
{
    return run_it(s, true, seed, out, err);
}

void cli_verdict_fini(struct cli_verdict *v)
{
    hale_buf_fini(&v->text);
    hale_buf_fini(&v->timeline);
}
