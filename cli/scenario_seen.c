/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario_seen.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 2048

static void keep(struct cli_seen *seen, json_t *list, json_t *item)
{
    if (item == NULL || json_array_append(list, item) != 0)
        seen->nomem = true;
    json_decref(item);
}

/* The causes by name; an alarm that is gone by its id. */
static json_t *cause_names(const struct cli_seen *seen, const json_t *ids)
{
    char text[NAME_BYTES];
    json_t *names = json_array(), *id;
    size_t i;
    json_array_foreach ((json_t *)(uintptr_t)ids, i, id) {
        const char *row = json_string_value(
            json_object_get(cli_lab_alarms(seen->lab), json_string_value(id)));
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
json_t *cli_seen_alarm(const struct cli_seen *seen, const struct hale_alarm *a)
{
    const json_t *life = a->life;
    json_t *none = json_object();
    json_t *o = json_pack(
        "{s:I,s:s,s:O,s:i,s:i,s:s,s:o,s:o,s:O}", "at_ms",
        (json_int_t)(cli_lab_now_ms(seen->lab) - seen->s->start_ms), "name",
        a->definition_name, "group", a->group, "state", (int)a->state, "severity",
        (int)a->severity, "reason", a->reason != NULL ? a->reason : "", "causes",
        cause_names(seen, json_object_get(life, "causes")), "suppressed_by",
        mute_kinds(life), "life", life != NULL ? a->life : none);
    json_decref(none);
    return o;
}

void cli_seen_note(struct cli_seen *seen, const char *what, const char *alarm,
                   const char *text)
{
    char at[32];
    struct hale_buf *out = &seen->verdict->timeline;
    if (!seen->timeline)
        return;
    hale_buf_printf(out, "  %-12s %-12s %s  %s\n",
                    cli_time_text(cli_lab_now_ms(seen->lab) - seen->s->start_ms, at),
                    what, alarm, text);
}

static void note_log(struct cli_seen *seen, const struct hale_log_record *rec)
{
    static const char *const words[] = {"created", "transition", "updated", "deleted"};
    char name[NAME_BYTES], text[1200];
    if (!seen->timeline)
        return;
    cli_alarm_text(rec->alarm.definition_name, rec->alarm.group, name, sizeof(name));
    (void)snprintf(text, sizeof(text), "%s -> %s%s%s%s%s%.900s",
                   hale_state_text(rec->old_state), hale_state_text(rec->alarm.state),
                   rec->announce ? ", told" : "", rec->op != NULL ? ", " : "",
                   rec->op != NULL ? rec->op : "",
                   rec->alarm.reason != NULL && *rec->alarm.reason != '\0' ? ": " : "",
                   rec->alarm.reason != NULL ? rec->alarm.reason : "");
    cli_seen_note(seen, words[rec->kind], name, text);
}

static void on_log(void *arg, const struct hale_log_record *rec)
{
    struct cli_seen *seen = arg;
    seen->verdict->records++;
    note_log(seen, rec);
    if (!rec->announce && rec->kind != HALE_ALARM_TRANSITION)
        return;
    json_t *o = cli_seen_alarm(seen, &rec->alarm);
    if (o == NULL ||
        json_object_set_new(o, "old_state", json_integer((int)rec->old_state)) != 0 ||
        json_object_set_new(o, "op", json_string(rec->op != NULL ? rec->op : "")) != 0)
        seen->nomem = true;
    if (rec->announce)
        keep(seen, seen->told, json_incref(o));
    if (rec->kind == HALE_ALARM_TRANSITION)
        keep(seen, seen->moved, json_incref(o));
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
    struct cli_seen *seen = arg;
    if (json_object_set_new(seen->plans, run_id, step_texts(plan)) != 0)
        seen->nomem = true;
}

static json_t *action_of(const struct cli_seen *seen, const char *run_id)
{
    for (size_t i = json_array_size(seen->done); i > 0; i--) {
        json_t *o = json_array_get(seen->done, i - 1);
        if (strcmp(json_string_value(json_object_get(o, "run")), run_id) == 0)
            return o;
    }
    return NULL;
}

static json_t *group_of(const struct cli_seen *seen, const struct hale_journal_row *row)
{
    const char *text = json_string_value(json_object_get(
        cli_lab_alarms(seen->lab), row->alarm_id != NULL ? row->alarm_id : ""));
    struct hale_alarm a;
    if (text == NULL || hale_alarm_decode(hale_str_from(text), &a) != HALE_OK)
        return json_object();
    json_t *group = json_incref(a.group);
    hale_alarm_fini(&a);
    return group;
}

static void begin_action(struct cli_seen *seen, const struct hale_journal_row *row)
{
    const char *guard = json_string_value(json_object_get(row->detail, "guard"));
    const json_t *would = json_object_get(row->detail, "would_call");
    json_t *steps = would != NULL
                        ? step_texts(would)
                        : json_incref(json_object_get(seen->plans, row->run_id));
    keep(seen, seen->done,
         json_pack("{s:I,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:o,s:i,s:s,s:s}", "at_ms",
                   (json_int_t)(cli_lab_now_ms(seen->lab) - seen->s->start_ms), "name",
                   row->alarm_name, "group", group_of(seen, row), "run", row->run_id,
                   "policy", row->policy, "target", row->target, "mode", row->mode,
                   "verdict", row->kind, "steps", steps != NULL ? steps : json_array(),
                   "calls", 0, "guard", guard != NULL ? guard : "", "outcome", ""));
}

/* {"guard": "yes" or "no"} of a row's verdicts. */
static json_t *guards_of(const struct hale_journal_row *row)
{
    json_t *guards = json_object(), *one;
    size_t i;
    json_array_foreach (json_object_get(row->detail, "guards"), i, one) {
        const char *guard = json_string_value(json_object_get(one, "guard"));
        bool yes = json_is_true(json_object_get(one, "allowed"));
        if (guard != NULL)
            (void)json_object_set_new(guards, guard, json_string(yes ? "yes" : "no"));
    }
    return guards;
}

static void keep_row(struct cli_seen *seen, const struct hale_journal_row *row)
{
    const char *guard = json_string_value(json_object_get(row->detail, "guard"));
    keep(seen, seen->rows,
         json_pack("{s:I,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "at_ms",
                   (json_int_t)(cli_lab_now_ms(seen->lab) - seen->s->start_ms), "name",
                   row->alarm_name != NULL ? row->alarm_name : "", "group",
                   group_of(seen, row), "row", row->kind, "policy", row->policy, "target",
                   row->target != NULL ? row->target : "", "mode",
                   row->mode != NULL ? row->mode : "", "reason", row->text, "guard",
                   guard != NULL ? guard : "", "guards", guards_of(row)));
}

static void on_row(void *arg, const struct hale_journal_row *row)
{
    struct cli_seen *seen = arg;
    json_t *action = action_of(seen, row->run_id);
    static const char born[] = "triggered suppressed observed suggested proposed";
    static const char over[] = "verified failed suppressed rejected expired aborted";
    char text[400];
    (void)snprintf(text, sizeof(text), "%.380s", row->text);
    cli_seen_note(seen, row->kind, row->policy, text);
    keep_row(seen, row);
    if (action == NULL && strstr(born, row->kind) != NULL) {
        begin_action(seen, row);
    } else if (action != NULL && strstr(over, row->kind) != NULL) {
        (void)json_object_set_new(action, "outcome", json_string(row->kind));
    } else if (action != NULL && strcmp(row->kind, "call") == 0) {
        json_int_t n = json_integer_value(json_object_get(action, "calls"));
        (void)json_object_set_new(action, "calls", json_integer(n + 1));
    }
}

/* --- the whole --------------------------------------------------------------------- */

enum hale_rc cli_seen_init(struct cli_seen *seen)
{
    seen->told = json_array();
    seen->moved = json_array();
    seen->done = json_array();
    seen->rows = json_array();
    seen->plans = json_object();
    return seen->told != NULL && seen->moved != NULL && seen->done != NULL &&
                   seen->rows != NULL && seen->plans != NULL
               ? HALE_OK
               : HALE_E_NOMEM;
}

void cli_seen_fini(struct cli_seen *seen)
{
    json_decref(seen->told);
    json_decref(seen->moved);
    json_decref(seen->done);
    json_decref(seen->rows);
    json_decref(seen->plans);
}

struct cli_lab_sink cli_seen_sink(struct cli_seen *seen)
{
    return (struct cli_lab_sink){
        .arg = seen, .log = on_log, .plan = on_plan, .row = on_row};
}

const json_t *cli_seen_list(const struct cli_seen *seen, enum cli_expect_kind kind)
{
    return kind == CLI_EXPECT_NOTIFICATIONS ? seen->told
           : kind == CLI_EXPECT_TRANSITIONS ? seen->moved
           : kind == CLI_EXPECT_ACTIONS     ? seen->done
                                            : seen->rows;
}
