/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_inputs - what goes in: series, events, and what people and restarts do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/definitions.h"
#include "cli/lab.h"
#include "cli/scenario.h"
#include "cli/scenario_rows.h"
#include "cli/values.h"

static enum hale_rc no_memory(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc add_input(struct cli_scenario *s, NODE where, struct cli_input in,
                              struct hale_err *err)
{
    if (s->n_inputs == CLI_SCENARIO_INPUTS_MAX)
        return hale_yaml_error(where, err, "more than %d samples, events and commands",
                               CLI_SCENARIO_INPUTS_MAX);
    if (in.at_ms > CLI_SCENARIO_LENGTH_MAX_MS)
        return hale_yaml_error(where, err, "a scenario lasts at most 366 days");
    if (s->n_inputs == s->cap_inputs) {
        size_t cap = s->cap_inputs == 0 ? 256 : s->cap_inputs * 2;
        struct cli_input *grown = realloc(s->inputs, cap * sizeof(*grown));
        if (grown == NULL)
            return no_memory(err);
        s->inputs = grown;
        s->cap_inputs = cap;
    }
    in.order = (unsigned)s->n_inputs;
    in.line = hale_yaml_line(where);
    s->inputs[s->n_inputs++] = in;
    return HALE_OK;
}

/* --- series ------------------------------------------------------------------------ */

struct raw_series {
    char *metric, *values;
    int64_t start_ms, interval_ms, delay_ms, repeat;
    NODE dimensions, samples;
};
static const struct hale_conf_field series_fields[] = {
    ROW(raw_series, "metric", HALE_CONF_STRING, metric, true, NULL, 0, 0, NULL,
        "metric name"),
    ROW(raw_series, "dimensions", HALE_CONF_NODE, dimensions, false, NULL, 0, 0, NULL,
        "key: value"),
    ROW(raw_series, "repeat", HALE_CONF_INT, repeat, false, "1", 1,
        CLI_SCENARIO_REPEAT_MAX, NULL, "so many, with ${n} in dimensions from 1 on"),
    ROW(raw_series, "start", HALE_CONF_DURATION, start_ms, false, "0s", 0, TIME_MAX, NULL,
        "time of the first value"),
    ROW(raw_series, "interval", HALE_CONF_DURATION, interval_ms, false, NULL, 1, TIME_MAX,
        NULL, "between two values"),
    ROW(raw_series, "delay", HALE_CONF_DURATION, delay_ms, false, "0s", 0, TIME_MAX, NULL,
        "from a sample's time to its arrival"),
    ROW(raw_series, "values", HALE_CONF_STRING, values, false, NULL, 0, 0, NULL,
        "0+10x5 _x3 7"),
    ROW(raw_series, "samples", HALE_CONF_NODE, samples, false, NULL, 0, 0, NULL,
        "[[time, value], ...]"),
};
#define N_SERIES (sizeof(series_fields) / sizeof(series_fields[0]))

static enum hale_rc add_values(struct cli_scenario *s, const struct raw_series *raw,
                               unsigned index, NODE map, struct hale_err *err)
{
    struct cli_values values;
    struct hale_err why = {0};
    NODE node = hale_yaml_get(map, "values");
    enum hale_rc rc = cli_values_read(hale_str_from(raw->values), &values, &why);
    if (rc != HALE_OK)
        return hale_yaml_error(node, err, "values, character %d: %s", why.col, why.text);
    for (size_t i = 0; i < values.n && rc == HALE_OK; i++) {
        if (isnan(values.v[i]))
            continue;
        int64_t stamp = raw->start_ms + (int64_t)i * raw->interval_ms;
        rc = add_input(s, node,
                       (struct cli_input){.at_ms = stamp + raw->delay_ms,
                                          .kind = CLI_INPUT_SAMPLE,
                                          .index = index,
                                          .stamp_ms = stamp,
                                          .value = values.v[i]},
                       err);
    }
    cli_values_fini(&values);
    return rc;
}

static enum hale_rc add_samples(struct cli_scenario *s, const struct raw_series *raw,
                                unsigned index, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < hale_yaml_count(raw->samples) && rc == HALE_OK; i++) {
        NODE pair = hale_yaml_item(raw->samples, i);
        struct cli_input in = {.kind = CLI_INPUT_SAMPLE, .index = index};
        bool list = hale_yaml_kind(pair) == HALE_YAML_LIST && hale_yaml_count(pair) == 2;
        if (!list ||
            hale_str_duration_ms(hale_yaml_text(hale_yaml_item(pair, 0)), &in.stamp_ms) !=
                HALE_OK ||
            in.stamp_ms < 0 ||
            hale_str_double(hale_yaml_text(hale_yaml_item(pair, 1)), &in.value) !=
                HALE_OK)
            return hale_yaml_error(pair, err,
                                   "a time and a value are wanted here, like [90s, 7.5]");
        in.at_ms = in.stamp_ms + raw->delay_ms;
        rc = add_input(s, pair, in, err);
    }
    return rc;
}

static enum hale_rc read_one_series(struct cli_scenario *s, NODE map,
                                    const struct raw_series *raw, int64_t n,
                                    struct hale_err *err)
{
    struct cli_scenario_series *to = &s->series[s->n_series++];
    to->line = hale_yaml_line(map);
    to->metric = strdup(raw->metric);
    enum hale_rc rc = to->metric != NULL
                          ? cli_scenario_map(raw->dimensions, &to->dimensions, err)
                          : no_memory(err);
    if (rc == HALE_OK)
        rc = cli_scenario_number(to->dimensions, n, err);
    if (rc == HALE_OK && (raw->values != NULL) == (raw->samples != NULL))
        return hale_yaml_error(map, err, "either values or samples are wanted");
    if (rc == HALE_OK && raw->values != NULL)
        return add_values(s, raw, s->n_series - 1, map, err);
    return rc == HALE_OK ? add_samples(s, raw, s->n_series - 1, err) : rc;
}

static enum hale_rc read_series(struct cli_scenario *s, NODE map, int64_t interval_ms,
                                struct hale_err *err)
{
    struct raw_series raw = {0};
    enum hale_rc rc = hale_conf_read(map, series_fields, N_SERIES, &raw, err);
    if (raw.interval_ms == 0)
        raw.interval_ms = interval_ms;
    for (int64_t n = 1; rc == HALE_OK && n <= raw.repeat; n++)
        rc = read_one_series(s, map, &raw, n, err);
    hale_conf_fini(series_fields, N_SERIES, &raw);
    return rc;
}

/* --- events ------------------------------------------------------------------------ */

struct raw_event {
    char *type;
    int64_t at_ms, expires_ms, repeat;
    int severity, status;
    NODE dimensions, details;
};
static const char *const severities[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const statuses[] = {"raise", "clear", NULL};
static const struct hale_conf_field event_fields[] = {
    ROW(raw_event, "at", HALE_CONF_DURATION, at_ms, true, NULL, 0, TIME_MAX, NULL,
        "when"),
    ROW(raw_event, "repeat", HALE_CONF_INT, repeat, false, "1", 1,
        CLI_SCENARIO_REPEAT_MAX, NULL, "so many, with ${n} in dimensions from 1 on"),
    ROW(raw_event, "type", HALE_CONF_STRING, type, true, NULL, 0, 0, NULL, "event type"),
    ROW(raw_event, "severity", HALE_CONF_ENUM, severity, false, "HIGH", 0, 0, severities,
        "how severe"),
    ROW(raw_event, "status", HALE_CONF_ENUM, status, false, "raise", 0, 0, statuses,
        "raise or clear"),
    ROW(raw_event, "dimensions", HALE_CONF_NODE, dimensions, false, NULL, 0, 0, NULL,
        "key: value"),
    ROW(raw_event, "details", HALE_CONF_NODE, details, false, NULL, 0, 0, NULL,
        "key: value"),
    ROW(raw_event, "expires", HALE_CONF_DURATION, expires_ms, false, "0s", 0, TIME_MAX,
        NULL, "so long after it; 0s: never"),
};
#define N_EVENT (sizeof(event_fields) / sizeof(event_fields[0]))

static enum hale_rc read_one_event(struct cli_scenario *s, NODE map,
                                   const struct raw_event *raw, int64_t n,
                                   struct hale_err *err)
{
    struct hale_event *ev = &s->events[s->n_events++];
    ev->tenant = strdup(s->tenant);
    ev->type = strdup(raw->type);
    ev->severity = (enum hale_severity)raw->severity;
    ev->clear = raw->status == 1;
    ev->time_ms = s->start_ms + raw->at_ms;
    ev->accepted_us = ev->time_ms * 1000;
    ev->expires_ms = raw->expires_ms > 0 ? ev->time_ms + raw->expires_ms : 0;
    if (ev->tenant == NULL || ev->type == NULL)
        return no_memory(err);
    enum hale_rc rc = cli_scenario_map(raw->dimensions, &ev->dimensions, err);
    if (rc == HALE_OK)
        rc = cli_scenario_number(ev->dimensions, n, err);
    if (rc == HALE_OK)
        rc = cli_scenario_map(raw->details, &ev->details, err);
    if (rc != HALE_OK)
        return rc;
    return add_input(s, map,
                     (struct cli_input){.at_ms = raw->at_ms,
                                        .kind = CLI_INPUT_EVENT,
                                        .index = s->n_events - 1},
                     err);
}

static enum hale_rc read_event(struct cli_scenario *s, NODE map, struct hale_err *err)
{
    struct raw_event raw = {0};
    enum hale_rc rc = hale_conf_read(map, event_fields, N_EVENT, &raw, err);
    for (int64_t n = 1; rc == HALE_OK && n <= raw.repeat; n++)
        rc = read_one_event(s, map, &raw, n, err);
    hale_conf_fini(event_fields, N_EVENT, &raw);
    return rc;
}

/* --- commands ---------------------------------------------------------------------- */

struct raw_op {
    int64_t at_ms;
    char *undefine, *end;
    NODE silence, maintenance;
    NODE restart, define, topology, command[6], delete;
    NODE word[4], switch_on, switch_off, unlatch;
};
static const struct hale_conf_field op_fields[] = {
    ROW(raw_op, "at", HALE_CONF_DURATION, at_ms, true, NULL, 0, TIME_MAX, NULL, "when"),
    ROW(raw_op, "restart", HALE_CONF_NODE, restart, false, NULL, 0, 0, NULL,
        "thresholds, correlator, actuator or all"),
    ROW(raw_op, "define", HALE_CONF_NODE, define, false, NULL, 0, 0, NULL,
        "new or changed definitions"),
    ROW(raw_op, "topology", HALE_CONF_NODE, topology, false, NULL, 0, 0, NULL,
        "put, patch and delete of entities"),
    ROW(raw_op, "silence", HALE_CONF_NODE, silence, false, NULL, 0, 0, NULL,
        "a silence: as POST /v1/silences, with id and by"),
    ROW(raw_op, "maintenance", HALE_CONF_NODE, maintenance, false, NULL, 0, 0, NULL,
        "a window: as POST /v1/maintenance, with id and by"),
    ROW(raw_op, "end", HALE_CONF_STRING, end, false, NULL, 0, 0, NULL,
        "id of a silence or window that ends now"),
    ROW(raw_op, "undefine", HALE_CONF_STRING, undefine, false, NULL, 0, 0, NULL,
        "name of a definition"),
    ROW(raw_op, "ack", HALE_CONF_NODE, command[HALE_OP_ACK], false, NULL, 0, 0, NULL,
        "acknowledge"),
    ROW(raw_op, "unack", HALE_CONF_NODE, command[HALE_OP_UNACK], false, NULL, 0, 0, NULL,
        "take it back"),
    ROW(raw_op, "assign", HALE_CONF_NODE, command[HALE_OP_ASSIGN], false, NULL, 0, 0,
        NULL, "give it to somebody"),
    ROW(raw_op, "comment", HALE_CONF_NODE, command[HALE_OP_COMMENT], false, NULL, 0, 0,
        NULL, "say something"),
    ROW(raw_op, "shelve", HALE_CONF_NODE, command[HALE_OP_SHELVE], false, NULL, 0, 0,
        NULL, "put it aside"),
    ROW(raw_op, "unshelve", HALE_CONF_NODE, command[HALE_OP_UNSHELVE], false, NULL, 0, 0,
        NULL, "take it back"),
    ROW(raw_op, "approve", HALE_CONF_NODE, word[CLI_LAB_APPROVE], false, NULL, 0, 0, NULL,
        "a proposal of a policy"),
    ROW(raw_op, "reject", HALE_CONF_NODE, word[CLI_LAB_REJECT], false, NULL, 0, 0, NULL,
        "a proposal"),
    ROW(raw_op, "acknowledge", HALE_CONF_NODE, word[CLI_LAB_ACKNOWLEDGE], false, NULL, 0,
        0, NULL, "a run that waits for it"),
    ROW(raw_op, "abort", HALE_CONF_NODE, word[CLI_LAB_ABORT], false, NULL, 0, 0, NULL,
        "a run"),
    ROW(raw_op, "switch_on", HALE_CONF_NODE, switch_on, false, NULL, 0, 0, NULL,
        "a kill switch: all, site/NAME or policy/NAME"),
    ROW(raw_op, "switch_off", HALE_CONF_NODE, switch_off, false, NULL, 0, 0, NULL,
        "a kill switch"),
    ROW(raw_op, "unlatch", HALE_CONF_NODE, unlatch, false, NULL, 0, 0, NULL,
        "a policy that is latched"),
    ROW(raw_op, "delete", HALE_CONF_NODE, delete, false, NULL, 0, 0, NULL,
        "delete an alarm"),
};
#define N_OP (sizeof(op_fields) / sizeof(op_fields[0]))

struct raw_command {
    char *alarm, *by, *text, *owner;
    int64_t lasts_ms;
    NODE group;
};
static const struct hale_conf_field command_fields[] = {
    ROW(raw_command, "alarm", HALE_CONF_STRING, alarm, true, NULL, 0, 0, NULL,
        "name or name{key=value,...}"),
    ROW(raw_command, "group", HALE_CONF_NODE, group, false, NULL, 0, 0, NULL,
        "key: value"),
    ROW(raw_command, "by", HALE_CONF_STRING, by, false, "operator", 0, 0, NULL, "who"),
    ROW(raw_command, "text", HALE_CONF_STRING, text, false, NULL, 0, 0, NULL, "why"),
    ROW(raw_command, "owner", HALE_CONF_STRING, owner, false, NULL, 0, 0, NULL,
        "assign: to whom"),
    ROW(raw_command, "lasts", HALE_CONF_DURATION, lasts_ms, false, "0s", 0, TIME_MAX,
        NULL, "0s: without end"),
};
#define N_COMMAND (sizeof(command_fields) / sizeof(command_fields[0]))

static enum hale_rc read_command(struct cli_scenario *s, NODE map, int64_t at_ms,
                                 struct cli_op *op, struct hale_err *err)
{
    struct raw_command raw = {0};
    enum hale_rc rc = hale_conf_read(map, command_fields, N_COMMAND, &raw, err);
    if (rc == HALE_OK)
        rc = cli_scenario_ref(map, raw.alarm, raw.group, &op->ref, err);
    if (rc == HALE_OK) {
        op->by = raw.by;
        op->text = raw.text;
        op->owner = raw.owner;
        raw.by = raw.text = raw.owner = NULL;
        op->until_ms = raw.lasts_ms > 0 ? s->start_ms + at_ms + raw.lasts_ms : 0;
    }
    hale_conf_fini(command_fields, N_COMMAND, &raw);
    return rc;
}

static enum hale_rc read_restart(NODE node, struct cli_op *op, struct hale_err *err)
{
    static const char *const words[] = {"thresholds", "correlator", "actuator", "all",
                                        NULL};
    json_t *texts = NULL, *text;
    size_t i;
    enum hale_rc rc = cli_scenario_texts(node, &texts, err);
    json_array_foreach (texts, i, text) {
        unsigned w = 0;
        while (words[w] != NULL && strcmp(words[w], json_string_value(text)) != 0)
            w++;
        if (words[w] == NULL && rc == HALE_OK) {
            const char *near =
                hale_str_suggest(hale_str_from(json_string_value(text)), words);
            rc = hale_yaml_error(node, err,
                                 "restart wants thresholds, correlator, actuator or all, "
                                 "got '%.60s'%s%s%s",
                                 json_string_value(text),
                                 near != NULL ? " - did you mean '" : "",
                                 near != NULL ? near : "", near != NULL ? "'?" : "");
        }
        op->parts |= w == 3 ? 7u : 1u << w;
    }
    json_decref(texts);
    return rc;
}

static char *take_text(json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *copy = strdup(text != NULL ? text : fallback);
    (void)json_object_del(object, key);
    return copy;
}

/* Its body is checked when it is made: times in it may count from then. */
static enum hale_rc read_silence(NODE map, bool maintenance, struct cli_op *op,
                                 struct hale_err *err)
{
    int64_t day;
    op->kind = maintenance ? CLI_OP_MAINTENANCE : CLI_OP_SILENCE;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "a map with matchers, for and reason is wanted");
    enum hale_rc rc = cli_scenario_json(map, &op->bodies, err);
    if (rc != HALE_OK)
        return rc;
    json_t *repeat = json_object_get(op->bodies, "repeat");
    const char *text = json_string_value(json_object_get(repeat, "day"));
    if (text != NULL && hale_str_i64(hale_str_from(text), &day) == HALE_OK)
        (void)json_object_set_new(repeat, "day", json_integer(day));
    op->name = take_text(op->bodies, "id", maintenance ? "maintenance" : "silence");
    op->by = take_text(op->bodies, "by", "operator");
    return op->name != NULL && op->by != NULL ? HALE_OK : no_memory(err);
}

/* What people say to the actuator: counts it, and says which it is. */
static int choose_people(const struct raw_op *raw, struct cli_op *op, NODE *out)
{
    const struct {
        NODE node;
        enum cli_op_kind kind;
    } of[] = {{raw->switch_on, CLI_OP_SWITCH_ON},
              {raw->switch_off, CLI_OP_SWITCH_OFF},
              {raw->unlatch, CLI_OP_UNLATCH}};
    int said = 0;
    for (unsigned i = 0; i < 4; i++)
        if (raw->word[i] != NULL) {
            said++;
            *out = raw->word[i];
            op->kind = CLI_OP_SAY;
            op->word = i;
        }
    for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        if (of[i].node != NULL) {
            said++;
            *out = of[i].node;
            op->kind = of[i].kind;
        }
    return said;
}

/* Which of the things an item may say it says; exactly one. */
static enum hale_rc choose(struct cli_scenario *s, NODE map, struct raw_op *raw,
                           struct cli_op *op, struct hale_err *err)
{
    int said = (raw->restart != NULL) + (raw->define != NULL) + (raw->undefine != NULL) +
               (raw->delete != NULL) + (raw->topology != NULL) + (raw->silence != NULL) +
               (raw->maintenance != NULL) + (raw->end != NULL);
    NODE command = NULL, people = NULL;
    said += choose_people(raw, op, &people);
    for (unsigned i = 0; i < 6; i++) {
        if (raw->command[i] == NULL)
            continue;
        said++;
        command = raw->command[i];
        op->action = (enum hale_alarm_op)i;
    }
    if (said != 1)
        return hale_yaml_error(map, err,
                               "one command is wanted here: restart, define, "
                               "undefine, topology, silence, maintenance, end, ack, "
                               "unack, assign, comment, shelve, unshelve, delete, "
                               "approve, reject, acknowledge, abort, switch_on, "
                               "switch_off or unlatch");
    if (people != NULL)
        return cli_scenario_people(s, people, raw->at_ms, op, err);
    if (raw->restart != NULL)
        return read_restart(raw->restart, op, err);
    if (raw->define != NULL) {
        op->kind = CLI_OP_DEFINE;
        enum hale_rc rc = cli_scenario_maps(raw->define, "define", err);
        return rc == HALE_OK ? cli_definitions_list(raw->define, &op->bodies, err) : rc;
    }
    if (raw->topology != NULL) {
        op->kind = CLI_OP_TOPOLOGY;
        return cli_scenario_update(s, raw->topology, raw->at_ms, &op->bodies, err);
    }
    if (raw->silence != NULL || raw->maintenance != NULL)
        return read_silence(raw->silence != NULL ? raw->silence : raw->maintenance,
                            raw->maintenance != NULL, op, err);
    if (raw->end != NULL) {
        op->kind = CLI_OP_END;
        op->name = raw->end;
        raw->end = NULL;
        return HALE_OK;
    }
    if (raw->undefine != NULL) {
        op->kind = CLI_OP_UNDEFINE;
        op->name = raw->undefine;
        raw->undefine = NULL;
        return HALE_OK;
    }
    op->kind = command != NULL ? CLI_OP_ALARM : CLI_OP_DELETE;
    return read_command(s, command != NULL ? command : raw->delete, raw->at_ms, op, err);
}

static enum hale_rc read_op(struct cli_scenario *s, NODE map, struct hale_err *err)
{
    struct raw_op raw = {0};
    enum hale_rc rc = hale_conf_read(map, op_fields, N_OP, &raw, err);
    if (rc == HALE_OK)
        rc = choose(s, map, &raw, &s->ops[s->n_ops++], err);
    if (rc == HALE_OK)
        rc = add_input(s, map,
                       (struct cli_input){.at_ms = raw.at_ms,
                                          .kind = CLI_INPUT_OP,
                                          .index = s->n_ops - 1},
                       err);
    hale_conf_fini(op_fields, N_OP, &raw);
    return rc;
}

/* --- the whole --------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct cli_input *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Room for each item of the list, as often as it is repeated. */
static void *room(NODE list, size_t each)
{
    size_t n = 1;
    for (size_t i = 0; list != NULL && i < hale_yaml_count(list); i++) {
        NODE repeat = hale_yaml_get(hale_yaml_item(list, i), "repeat");
        int64_t times = 1;
        if (repeat != NULL && (hale_str_i64(hale_yaml_text(repeat), &times) != HALE_OK ||
                               times < 1 || times > CLI_SCENARIO_REPEAT_MAX))
            times = 1; /* will be refused */
        n += (size_t)times;
    }
    return calloc(n, each);
}

enum hale_rc cli_scenario_inputs(struct cli_scenario *s, NODE series, NODE events,
                                 NODE ops, int64_t interval_ms, struct hale_err *err)
{
    enum hale_rc rc = cli_scenario_maps(series, "series", err);
    if (rc == HALE_OK)
        rc = cli_scenario_maps(events, "events", err);
    if (rc == HALE_OK)
        rc = cli_scenario_maps(ops, "do", err);
    if (rc != HALE_OK)
        return rc;
    s->series = room(series, sizeof(*s->series));
    s->events = room(events, sizeof(*s->events));
    s->ops = room(ops, sizeof(*s->ops));
    if (s->series == NULL || s->events == NULL || s->ops == NULL)
        return no_memory(err);
    for (size_t i = 0; rc == HALE_OK && series != NULL && i < hale_yaml_count(series);
         i++)
        rc = read_series(s, hale_yaml_item(series, i), interval_ms, err);
    for (size_t i = 0; rc == HALE_OK && events != NULL && i < hale_yaml_count(events);
         i++)
        rc = read_event(s, hale_yaml_item(events, i), err);
    for (size_t i = 0; rc == HALE_OK && ops != NULL && i < hale_yaml_count(ops); i++)
        rc = read_op(s, hale_yaml_item(ops, i), err);
    if (rc == HALE_OK && s->n_inputs > 0)
        qsort(s->inputs, s->n_inputs, sizeof(*s->inputs), by_time);
    return rc;
}

void cli_scenario_inputs_fini(struct cli_scenario *s)
{
    for (unsigned i = 0; i < s->n_series; i++) {
        free(s->series[i].metric);
        json_decref(s->series[i].dimensions);
    }
    for (unsigned i = 0; i < s->n_events; i++)
        hale_event_fini(&s->events[i]);
    for (unsigned i = 0; i < s->n_ops; i++) {
        struct cli_op *op = &s->ops[i];
        json_decref(op->bodies);
        cli_alarm_ref_fini(&op->ref);
        free(op->name);
        free(op->by);
        free(op->text);
        free(op->owner);
        free(op->target);
    }
    free(s->series);
    free(s->events);
    free(s->ops);
    free(s->inputs);
}
