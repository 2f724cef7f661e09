/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab.h"
#include "cli/scenario_seen.h"

#define TEXT_BYTES     (16u << 20)
#define TIMELINE_BYTES (256u << 20)
#define KILLS          100 /* of a long scenario, about */

struct run {
    const struct cli_scenario *s;
    struct cli_lab *lab;
    struct cli_verdict *verdict;
    struct cli_seen seen;
    unsigned *series; /* the lab's numbers */
    uint64_t dice;    /* 0: no restarts but those of the file */
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
    cli_seen_note(&r->seen, maintenance ? "maintenance" : "silence", op->name, op->by);
    enum hale_rc rc =
        cli_lab_silence(r->lab, maintenance, op->name, op->by, op->bodies, &why);
    return rc == HALE_OK ? rc : at_line(r, line, rc, err, why.text);
}

/* What people say to the actuator. */
static enum hale_rc people(struct run *r, const struct cli_op *op, int line,
                           struct hale_err *err)
{
    static const char *const words[] = {"approve", "reject", "acknowledge", "abort"};
    static const char *const missing[] = {
        [CLI_OP_SAY] = "there is no run that this can be said about at this time",
        [CLI_OP_SWITCH_ON] = "the switch was not taken",
        [CLI_OP_SWITCH_OFF] = "this kill switch is not on",
        [CLI_OP_UNLATCH] = "the policy is not latched at this time"};
    const struct cli_lab_saying saying = {.word = (enum cli_lab_word)op->word,
                                          .policy = op->name,
                                          .target = op->target,
                                          .by = op->by,
                                          .comment = op->text};
    enum hale_rc rc;
    cli_seen_note(&r->seen,
                  op->kind == CLI_OP_SAY          ? words[op->word]
                  : op->kind == CLI_OP_SWITCH_ON  ? "switch_on"
                  : op->kind == CLI_OP_SWITCH_OFF ? "switch_off"
                                                  : "unlatch",
                  op->name, op->by != NULL ? op->by : "");
    if (op->kind == CLI_OP_SAY)
        rc = cli_lab_say(r->lab, &saying);
    else if (op->kind == CLI_OP_SWITCH_ON)
        rc = cli_lab_switch_on(r->lab, op->name, op->by, op->text, op->until_ms);
    else if (op->kind == CLI_OP_SWITCH_OFF)
        rc = cli_lab_switch_off(r->lab, op->name);
    else
        rc = cli_lab_unlatch(r->lab, op->name, op->by);
    return rc == HALE_OK ? rc : at_line(r, line, rc, err, missing[op->kind]);
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
                cli_seen_note(&r->seen, "restart", parts[i], "");
        rc = cli_lab_restart(r->lab, op->parts);
        return rc == HALE_OK ? rc : at_line(r, line, rc, err, "the restart failed");
    case CLI_OP_DEFINE: return define_all(r, op->bodies, line, err);
    case CLI_OP_TOPOLOGY:
        cli_seen_note(&r->seen, "topology", "", "");
        return topology(r, op->bodies, line, err);
    case CLI_OP_SILENCE:
    case CLI_OP_MAINTENANCE: return silence(r, op, line, err);
    case CLI_OP_END:
        cli_seen_note(&r->seen, "end", op->name, "");
        rc = cli_lab_unsilence(r->lab, op->name);
        return rc == HALE_OK ? rc
                             : at_line(r, line, rc, err,
                                       "there is no silence or window of this id");
    case CLI_OP_UNDEFINE:
        rc = cli_lab_undefine(r->lab, op->name);
        return rc == HALE_OK ? rc
                             : at_line(r, line, rc, err, "there is no such definition");
    case CLI_OP_SAY:
    case CLI_OP_SWITCH_ON:
    case CLI_OP_SWITCH_OFF:
    case CLI_OP_UNLATCH: return people(r, op, line, err);
    case CLI_OP_ALARM:
    case CLI_OP_DELETE:
        cli_seen_note(&r->seen,
                      op->kind == CLI_OP_DELETE ? "delete"
                                                : hale_alarm_op_text(op->action),
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
        cli_seen_note(&r->seen, "event", ev->type, ev->clear ? "clear" : "raise");
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
        (void)json_array_append_new(all, cli_seen_alarm(&r->seen, &a));
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
            cli_check_sequence(r->s, x, cli_seen_list(&r->seen, x->kind), r->verdict);
    }
}

/* The arg is the sink's. */
static bool on_look(void *arg, const char *policy, int64_t changed_ms, int64_t ordered,
                    struct actuator_look *out)
{
    const struct cli_seen *seen = arg;
    return cli_scenario_look(seen->s, policy,
                             cli_lab_now_ms(seen->lab) - seen->s->start_ms, changed_ms,
                             ordered, out);
}

static enum hale_rc run_it(const struct cli_scenario *s, bool timeline, uint64_t seed,
                           struct cli_verdict *out, struct hale_err *err)
{
    struct run r = {.s = s,
                    .verdict = out,
                    .dice = seed,
                    .seen = {.s = s, .verdict = out, .timeline = timeline},
                    .series = calloc(s->n_series + 1, sizeof(*r.series))};
    enum hale_rc rc = cli_seen_init(&r.seen);
    const struct cli_lab_conf conf = {.tenant = s->tenant,
                                      .start_ms = s->start_ms,
                                      .late_wait_ms = s->late_wait_ms,
                                      .correlator = correlator_conf_limits(s->correlator),
                                      .policies = s->policies,
                                      .answers = s->answers,
                                      .look = on_look,
                                      .sink = cli_seen_sink(&r.seen)};
    *out = (struct cli_verdict){.expected = s->n_expects, .inputs = s->n_inputs};
    hale_buf_init(&out->text, TEXT_BYTES);
    hale_buf_init(&out->timeline, TIMELINE_BYTES);
    r.lab = r.seen.lab = cli_lab_new(&conf);
    if (r.lab == NULL || r.series == NULL)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = prepare(&r, err);
    if (rc == HALE_OK)
        rc = play(&r, err);
    if (rc == HALE_OK && r.seen.nomem)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK)
        check_sequences(&r);
    else if (err != NULL && err->text[0] == '\0')
        (void)at_line(&r, 0, rc, err, "the scenario could not be run");
    cli_lab_free(r.lab);
    cli_seen_fini(&r.seen);
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
