/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modes, verdicts, waits, proofs and the ways of steps, against a model of Redis, of those who are
 * called and of somebody who decides. Each story is told without a crash, and with one at every
 * single point, with what is in flight lost or delivered: effects and journal are the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/engine.h"
#include "engine_model.h"

#define QUEUE   128
#define LOG_MAX 8

enum kind { COMMIT, COMMIT_REPLY, REQUEST, REPLY };
struct event {
    enum kind kind;
    json_t *commit; /* COMMIT: all there is of it */
    char run_id[HALE_UUID_TEXT], holder[80];
    enum actuator_commit_result result;
    int64_t token;
    char url[200], key[80];
    unsigned status;
    char *body;
};
struct story;
struct world {
    const struct story *story;
    struct actuator_engine *engine;
    struct actuator_policies *policies;
    int64_t now_us;
    struct event queue[QUEUE];
    unsigned head, n;
    json_t *runs, *guards, *verdicts, *switches, *rows; /* Redis */
    json_t *raised;                                     /* +1, -1 per event */
    char lease[80];
    int64_t fence, position;
    enum hale_state log[LOG_MAX]; /* of the one alarm, by seq - 1 */
    unsigned n_log;
    json_t *effects; /* Idempotency-Key -> how often it was seen */
    unsigned asked;  /* questions */
    bool told;       /* the user of the story has had his say */
    int64_t clear_us;
    unsigned steps, crash_at;
    bool deliver;
};
struct story {
    const char *name, *policy;
    void (*user)(struct world *w, const char *run_id, const json_t *run); /* or NULL */
    unsigned effects;
    const char *rows; /* the journal without call and answer, in order */
    int alarms;       /* events that raise hale.loop.approval, each one also cleared */
    bool heals;       /* the alarm clears when /heal has been called */
};

static struct event *push(struct world *w, enum kind kind, const char *run_id)
{
    assert_true(w->n < QUEUE);
    struct event *ev = &w->queue[(w->head + w->n++) % QUEUE];
    memset(ev, 0, sizeof(*ev));
    ev->kind = kind;
    (void)snprintf(ev->run_id, sizeof(ev->run_id), "%s", run_id);
    return ev;
}

static struct event pop(struct world *w)
{
    struct event ev = w->queue[w->head];
    w->head = (w->head + 1) % QUEUE;
    w->n--;
    return ev;
}

static void event_fini(struct event *ev)
{
    json_decref(ev->commit);
    free(ev->body);
}

/* --- what the engine asks for ------------------------------------------------------ */

static json_t *text(struct hale_str s)
{
    return json_stringn(s.p != NULL ? s.p : "", s.len);
}

static void io_commit(void *arg, const struct actuator_commit *c)
{
    struct event *ev = push(arg, COMMIT, c->run_id);
    json_t *rows = json_array(), *events = json_array(), *guards = json_object();
    for (unsigned i = 0; i < c->n_rows; i++)
        json_array_append_new(rows, text(c->row[i]));
    for (unsigned i = 0; i < c->n_events; i++)
        json_array_append_new(events, text(c->event[i]));
    for (unsigned i = 0; i < c->n_guards; i++)
        json_object_set_new(guards, c->guard[i].field, text(c->guard[i].json));
    ev->commit = json_pack("{s:i,s:o,s:o,s:o,s:o,s:I,s:I,s:i,s:s}", "op", (int)c->op,
                           "run", text(c->run_json), "rows", rows, "events", events,
                           "guards", guards, "token", (json_int_t)c->token, "position",
                           (json_int_t)c->position, "settled", (int)c->settled, "forget",
                           c->forget != NULL ? c->forget : "");
    assert_non_null(ev->commit);
}

static void io_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct event *ev = push(arg, REQUEST, run_id);
    const char *key = json_string_value(json_object_get(q->headers, "Idempotency-Key"));
    (void)snprintf(ev->url, sizeof(ev->url), "%s", q->url.p);
    (void)snprintf(ev->key, sizeof(ev->key), "%s", key != NULL ? key : "");
}

/* --- Redis ------------------------------------------------------------------------- */

static int64_t number(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static enum actuator_commit_result judge(struct world *w, const struct event *ev,
                                         int64_t *token)
{
    enum actuator_op op = (enum actuator_op)number(ev->commit, "op");
    char mine[80];
    if (model_was_done(w->runs, ev->run_id, op))
        return ACTUATOR_EXISTS;
    if (op == ACTUATOR_OP_NOTE || op == ACTUATOR_OP_IDLE || op == ACTUATOR_OP_ALONE)
        return ACTUATOR_COMMITTED;
    if (op == ACTUATOR_OP_KEEP || op == ACTUATOR_OP_END) {
        (void)snprintf(mine, sizeof(mine), "%lld:%s",
                       (long long)number(ev->commit, "token"), ev->run_id);
        if (w->lease[0] != '\0' && strcmp(w->lease, mine) != 0)
            return ACTUATOR_LOST;
        if (op == ACTUATOR_OP_END)
            w->lease[0] = '\0';
        return ACTUATOR_COMMITTED;
    }
    if (w->lease[0] != '\0' && strcmp(strchr(w->lease, ':') + 1, ev->run_id) != 0)
        return ACTUATOR_HELD;
    *token = ++w->fence;
    (void)snprintf(w->lease, sizeof(w->lease), "%lld:%s", (long long)*token, ev->run_id);
    return ACTUATOR_COMMITTED;
}

static void settle(struct world *w, const struct event *ev)
{
    static const char *const kinds[] = {"proposal", "ack", "abort"};
    char field[80];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(field, sizeof(field), "%s:%s", ev->run_id, kinds[i]);
        if ((number(ev->commit, "settled") & 1 << i) != 0)
            (void)json_object_del(w->verdicts, field);
    }
}

static void apply(struct world *w, const struct event *ev, bool reply)
{
    int64_t token = 0;
    const json_t *c = ev->commit;
    json_t *one;
    size_t i;
    enum actuator_commit_result result = judge(w, ev, &token);
    if (result == ACTUATOR_COMMITTED) {
        if (string(c, "run")[0] != '\0')
            json_object_set(w->runs, ev->run_id, json_object_get(c, "run"));
        json_object_update(w->guards, json_object_get(c, "guards"));
        (void)json_object_del(w->runs, string(c, "forget"));
        if (number(c, "position") > w->position)
            w->position = number(c, "position");
        json_array_foreach (json_object_get(c, "rows"), i, one)
            json_array_append_new(w->rows, json_loads(json_string_value(one), 0, NULL));
        json_array_foreach (json_object_get(c, "events"), i, one) {
            json_t *event = json_loads(json_string_value(one), 0, NULL);
            assert_string_equal(string(event, "type"), "hale.loop.approval");
            json_array_append_new(
                w->raised,
                json_integer(strcmp(string(event, "status"), "raise") == 0 ? 1 : -1));
            json_decref(event);
        }
        settle(w, ev);
    }
    if (!reply || ev->run_id[0] == '\0')
        return;
    struct event *back = push(w, COMMIT_REPLY, ev->run_id);
    back->result = result;
    back->token = token;
    (void)snprintf(back->holder, sizeof(back->holder), "%s",
                   result == ACTUATOR_HELD ? w->lease : "");
}

/* --- the alarm, and those who are called ------------------------------------------- */

static enum hale_state alarm_state(const struct world *w)
{
    return w->n_log > 0 ? w->log[w->n_log - 1] : HALE_STATE_OK;
}

static void read_log(struct world *w, unsigned seq)
{
    struct hale_log_record rec;
    struct hale_alarm *a = &rec.alarm;
    model_record(&rec, seq, w->log[seq - 1], json_pack("{s:s}", "vnf_id", "v1"),
                 w->now_us);
    actuator_engine_record(w->engine, &rec, a->state != alarm_state(w), w->now_us);
    hale_alarm_fini(a);
}

static void change(struct world *w, enum hale_state state)
{
    assert_true(w->n_log < LOG_MAX);
    w->log[w->n_log++] = state;
    if (w->engine != NULL)
        read_log(w, w->n_log);
}

static unsigned times(const struct world *w, const char *key)
{
    return (unsigned)json_integer_value(json_object_get(w->effects, key));
}

static void serve(struct world *w, const struct event *ev, bool reply)
{
    unsigned status = 200;
    char *body = NULL;
    if (ev->key[0] == '\0') {
        w->asked++;
        status = strstr(ev->url, "/never") != NULL || w->asked < 3 ? 503 : 200;
        if (strstr(ev->url, "/api/v1/query") != NULL) {
            status = 200;
            body = strdup(w->asked < 3
                              ? "{\"status\":\"success\",\"data\":{\"resultType\":"
                                "\"vector\",\"result\":[]}}"
                              : "{\"status\":\"success\",\"data\":{\"resultType\":"
                                "\"vector\",\"result\":[{\"metric\":{},\"value\":[1,"
                                "\"1\"]}]}}");
        }
    } else if (strstr(ev->url, "/bad") != NULL) {
        status = 400;
    } else if (strstr(ev->url, "/busy") != NULL) {
        status = 503;
    } else {
        json_object_set_new(w->effects, ev->key, json_integer(times(w, ev->key) + 1));
        if (w->story->heals && strstr(ev->url, "/heal") != NULL && w->clear_us == 0)
            w->clear_us = w->now_us + 300000; /* the process is back by then */
    }
    if (!reply) {
        free(body);
        return;
    }
    struct event *back = push(w, REPLY, ev->run_id);
    back->status = status;
    back->body = body;
}

/* --- running, killing, restarting -------------------------------------------------- */

static void verdict(struct world *w, const char *field, const char *json)
{
    static const char *const kinds[] = {"proposal", "ack", "abort"};
    char run_id[HALE_UUID_TEXT];
    (void)snprintf(run_id, sizeof(run_id), "%.36s", field);
    for (int i = 0; i < 3; i++)
        if (strcmp(field + 37, kinds[i]) == 0)
            actuator_engine_verdict(w->engine, run_id, (enum actuator_verdict_kind)i,
                                    hale_str_from(json), w->now_us);
}

/* What the collector does: it is in Redis, then the actuator hears of it, here three times. */
static void say(struct world *w, const char *run_id, const char *kind, const char *word)
{
    char field[80], json[160];
    (void)snprintf(field, sizeof(field), "%s:%s", run_id, kind);
    (void)snprintf(
        json, sizeof(json),
        "{\"v\":1,\"verdict\":\"%s\",\"by\":\"ann\",\"at_ms\":1,\"comment\":\"\"}", word);
    if (w->told || json_object_get(w->verdicts, field) != NULL)
        return;
    w->told = true;
    json_object_set_new(w->verdicts, field, json_string(json));
    for (int i = 0; i < 3; i++)
        verdict(w, field, json);
}

static void alarm_now(const char *alarm_id, void *arg)
{
    struct world *w = arg;
    actuator_engine_alarm_now(w->engine, alarm_id, false, alarm_state(w), w->n_log,
                              w->now_us);
}

static void io_verdicts(void *arg, const char *run_id)
{
    struct world *w = arg;
    const char *field;
    json_t *value;
    void *next;
    json_object_foreach_safe (w->verdicts, next, field, value)
        if (strncmp(field, run_id, HALE_UUID_TEXT - 1) == 0)
            verdict(w, field, json_string_value(value));
}

static void boot(struct world *w)
{
    static char url[] = "http://collector";
    static const struct actuator_collector collector = {.url = url, .timeout_ms = 1000};
    const struct actuator_engine_io io = {.arg = w,
                                          .commit = io_commit,
                                          .call = io_call,
                                          .cancel = model_cancel,
                                          .verdicts = io_verdicts};
    const char *key;
    json_t *value;
    w->engine = actuator_engine_new(&io, w->policies);
    assert_non_null(w->engine);
    actuator_engine_set_collector(w->engine, &collector);
    json_object_foreach (w->runs, key, value)
        assert_int_equal(
            actuator_engine_load_run(w->engine, hale_str_from(json_string_value(value))),
            HALE_OK);
    json_object_foreach (w->guards, key, value)
        assert_int_equal(
            actuator_engine_load_guard(w->engine, hale_str_from(key),
                                       hale_str_from(json_string_value(value))),
            HALE_OK);
    json_object_foreach (w->switches, key, value)
        actuator_engine_switch(w->engine, hale_str_from(key),
                               hale_str_from(json_string_value(value)), w->now_us);
    json_object_foreach (w->verdicts, key, value)
        verdict(w, key, json_string_value(value));
    actuator_engine_each_alarm(w->engine, alarm_now, w);
    actuator_engine_start(w->engine, w->now_us);
    for (unsigned seq = (unsigned)w->position + 1; seq <= w->n_log; seq++)
        read_log(w, seq);
}

static void kill9(struct world *w)
{
    actuator_engine_free(w->engine);
    w->engine = NULL;
    while (w->n > 0) {
        struct event ev = pop(w);
        if (w->deliver && ev.kind == COMMIT)
            apply(w, &ev, false);
        if (w->deliver && ev.kind == REQUEST)
            serve(w, &ev, false);
        event_fini(&ev);
    }
    w->now_us += 20000;
    boot(w);
}

static void deliver(struct world *w)
{
    struct event ev = pop(w);
    w->now_us += HOP_US;
    if (ev.kind == COMMIT) {
        apply(w, &ev, true);
    } else if (ev.kind == COMMIT_REPLY) {
        actuator_engine_committed(w->engine, ev.run_id, ev.result, ev.token, ev.holder,
                                  w->now_us);
    } else if (ev.kind == REQUEST) {
        serve(w, &ev, true);
    } else {
        const struct actuator_answer a = {.rc = HALE_OK,
                                          .sent = true,
                                          .lane = ACTUATOR_NO_LANE,
                                          .status = ev.status,
                                          .body = hale_str_from(ev.body),
                                          .error = ""};
        actuator_engine_answered(w->engine, ev.run_id, &a, w->now_us);
    }
    event_fini(&ev);
}

/* Somebody looks at the newest run. */
static void user(struct world *w)
{
    const char *id;
    json_t *value;
    if (w->clear_us != 0 && w->now_us >= w->clear_us &&
        alarm_state(w) == HALE_STATE_ALARM)
        change(w, HALE_STATE_OK);
    if (w->story->user == NULL)
        return;
    json_object_foreach (w->runs, id, value)
        if (w->n > 0)
            io_verdicts(w, id); /* what is said is read again and again: it counts once */
    json_object_foreach (w->runs, id, value) {
        json_t *run = json_loads(json_string_value(value), 0, NULL);
        w->story->user(w, id, run);
        json_decref(run);
    }
}

static unsigned live(struct world *w)
{
    for (w->steps = 0; w->steps < 2000; w->steps++) {
        if (w->steps == w->crash_at)
            kill9(w);
        user(w);
        if (w->n > 0) {
            deliver(w);
            continue;
        }
        int64_t next = actuator_engine_next_us(w->engine);
        bool clears = w->clear_us != 0 && alarm_state(w) == HALE_STATE_ALARM;
        if (clears && w->clear_us < next)
            next = w->clear_us;
        if (next == INT64_MAX)
            break;
        w->now_us = next > w->now_us ? next : w->now_us;
        actuator_engine_tick(w->engine, w->now_us);
    }
    return w->steps;
}

static void world_init(struct world *w, const struct story *story)
{
    struct hale_err err = {0};
    memset(w, 0, sizeof(*w));
    w->story = story;
    w->now_us = T0_US;
    w->crash_at = UINT32_MAX;
    w->runs = json_object();
    w->guards = json_object();
    w->verdicts = json_object();
    w->switches = json_object();
    w->effects = json_object();
    w->rows = json_array();
    w->raised = json_array();
    if (actuator_policies_load(hale_str_from(story->policy), "p", &w->policies, &err) !=
        HALE_OK)
        fail_msg("%s:%d: %s", story->name, err.line, err.text);
    boot(w);
    change(w, HALE_STATE_ALARM);
}

static void world_fini(struct world *w)
{
    actuator_engine_free(w->engine);
    while (w->n > 0) {
        struct event ev = pop(w);
        event_fini(&ev);
    }
    actuator_policies_free(w->policies);
    json_decref(w->runs);
    json_decref(w->guards);
    json_decref(w->verdicts);
    json_decref(w->switches);
    json_decref(w->effects);
    json_decref(w->rows);
    json_decref(w->raised);
}

static void journal(const struct world *w, char *dst, size_t size)
{
    size_t n = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < json_array_size(w->rows); i++) {
        const char *kind = string(json_array_get(w->rows, i), "kind");
        if (strcmp(kind, "call") != 0 && strcmp(kind, "answer") != 0 &&
            strcmp(kind, "switched") != 0)
            n += (size_t)snprintf(dst + n, size - n, "%s%s", n > 0 ? " " : "", kind);
    }
}

static void check(const struct world *w, const char *where)
{
    char rows[1024];
    long long sum = 0, raises = 0;
    journal(w, rows, sizeof(rows));
    for (size_t i = 0; i < json_array_size(w->raised); i++) {
        long long one = json_integer_value(json_array_get(w->raised, i));
        sum += one;
        raises += one > 0;
    }
    bool good = strcmp(rows, w->story->rows) == 0 &&
                json_object_size(w->effects) == w->story->effects && sum == 0 &&
                raises == w->story->alarms && json_object_size(w->verdicts) == 0 &&
                w->lease[0] == '\0';
    if (good)
        return;
    for (size_t i = 0; i < json_array_size(w->rows); i++)
        print_message("  %s: %s\n", string(json_array_get(w->rows, i), "kind"),
                      string(json_array_get(w->rows, i), "text"));
    fail_msg("%s, %s:\n  rows %s\n  want %s\n  %zu effects, want %u; %lld alarms, %lld "
             "open; %zu verdicts; lease '%s'",
             w->story->name, where, rows, w->story->rows, json_object_size(w->effects),
             w->story->effects, raises, sum, json_object_size(w->verdicts), w->lease);
}

static unsigned tell(const struct story *story)
{
    struct world w;
    char where[80];
    world_init(&w, story);
    unsigned whole = live(&w);
    check(&w, "without a crash");
    world_fini(&w);
    for (unsigned k = 0; k < whole * 2; k++) {
        world_init(&w, story);
        w.crash_at = k / 2;
        w.deliver = k % 2 == 1;
        (void)live(&w);
        (void)snprintf(where, sizeof(where), "crash at step %u, in flight %s", w.crash_at,
                       w.deliver ? "delivered" : "lost");
        check(&w, where);
        world_fini(&w);
    }
    return whole * 2;
}

/* --- stories ----------------------------------------------------------------------- */

#define POLICY(mode, rest)                                                               \
    "policies:\n- name: p\n  mode: " mode "\n  alarm: {definition: down}\n"              \
    "  target: ${vnf_id}\n  cooldown: 1s\n  approval: {expires: 10s}\n" rest
#define HEAL   "  steps:\n  - webhook: {url: \"http://h/heal\"}\n"
#define NOTIFY "  - webhook: {url: \"http://h/notify\"}\n"

static void approves(struct world *w, const char *run_id, const json_t *run)
{
    if (strcmp(string(run, "state"), "proposed") == 0)
        say(w, run_id, "proposal", "approve");
}

static void approves_too_late(struct world *w, const char *run_id, const json_t *run)
{
    if (strcmp(string(run, "state"), "proposed") == 0 && !w->told) {
        w->now_us = number(run, "expires_us");
        say(w, run_id, "proposal", "approve");
    }
}

static void rejects(struct world *w, const char *run_id, const json_t *run)
{
    if (strcmp(string(run, "state"), "proposed") == 0)
        say(w, run_id, "proposal", "reject");
}

static void aborts_proposal(struct world *w, const char *run_id, const json_t *run)
{
    if (strcmp(string(run, "state"), "proposed") == 0)
        say(w, run_id, "abort", "abort");
}

static void clears(struct world *w, const char *run_id, const json_t *run)
{
    (void)run_id;
    if (strcmp(string(run, "state"), "proposed") == 0 &&
        alarm_state(w) == HALE_STATE_ALARM)
        change(w, HALE_STATE_OK);
}

static void acknowledges(struct world *w, const char *run_id, const json_t *run)
{
    if (json_is_true(json_object_get(run, "held")))
        say(w, run_id, "ack", "acknowledge");
}

static void switches_off(struct world *w, const char *run_id, const json_t *run)
{
    static const char json[] = "{\"v\":1,\"by\":\"ann\",\"at_ms\":1,\"reason\":\"\"}";
    if (!json_is_true(json_object_get(run, "held")))
        return;
    if (json_object_get(w->switches, "policy/p") == NULL) {
        json_object_set_new(w->switches, "policy/p", json_string(json));
        actuator_engine_switch(w->engine, HALE_STR("policy/p"), HALE_STR(json),
                               w->now_us);
    }
    say(w, run_id, "ack", "acknowledge");
}

static void aborts_wait(struct world *w, const char *run_id, const json_t *run)
{
    if (json_is_true(json_object_get(run, "held")))
        say(w, run_id, "abort", "abort");
}

static void aborts_tries(struct world *w, const char *run_id, const json_t *run)
{
    if (number(run, "failures") > 0)
        say(w, run_id, "abort", "abort");
}

static void aborts_verification(struct world *w, const char *run_id, const json_t *run)
{
    if (strcmp(string(run, "state"), "verifying") == 0)
        say(w, run_id, "abort", "abort");
}

static const struct story STORIES[] = {
    {"approved", POLICY("approve", HEAL), approves, 1,
     "proposed approved triggered step verifying verified", 1, true},
    {"suggested and approved", POLICY("suggest", HEAL), approves, 1,
     "suggested approved triggered step verifying verified", 0, true},
    {"approved too late", POLICY("approve", HEAL), approves_too_late, 0, NULL, 1, true},
    {"rejected", POLICY("approve", HEAL), rejects, 0, "proposed rejected", 1, true},
    {"aborted before approval", POLICY("approve", HEAL), aborts_proposal, 0,
     "proposed aborted", 1, true},
    {"nobody decides", POLICY("approve", HEAL), NULL, 0, "proposed expired", 1, true},
    {"nobody takes the suggestion", POLICY("suggest", HEAL), NULL, 0, "suggested expired",
     0, true},
    {"the alarm clears first", POLICY("approve", HEAL), clears, 0, "proposed expired", 1,
     true},
    {"acknowledged",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: required, within: "
                    "30s}\n  - webhook: {url: \"http://h/heal\"}\n"),
     acknowledges, 2, "triggered step waiting acknowledged step step verifying verified",
     0, true},
    {"an acknowledgement is for one wait",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: required, within: "
                    "30s}\n  - wait: {acknowledgement: required, within: 2s}\n"
                    "  - webhook: {url: \"http://h/heal\"}\n"),
     acknowledges, 1, "triggered step waiting acknowledged step waiting step failed", 0,
     true},
    {"a timer instead of an acknowledgement",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: optional, within: "
                    "2s}\n  - webhook: {url: \"http://h/heal\"}\n"),
     NULL, 2, "triggered step waiting step step verifying verified", 0, true},
    {"no acknowledgement where one is required",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: required, within: "
                    "2s}\n  - webhook: {url: \"http://h/heal\"}\n"),
     NULL, 1, "triggered step waiting step failed", 0, true},
    {"first of all a pause",
     POLICY("auto", "  steps:\n  - wait: {for: 500ms}\n"
                    "  - webhook: {url: \"http://h/heal\"}\n"),
     NULL, 1, "triggered waiting step step verifying verified", 0, true},
    {"until an address answers",
     POLICY("auto", "  steps:\n  - wait: {until: {url: \"http://h/up\", within: 20s}}\n"
                    "  - webhook: {url: \"http://h/heal\"}\n"),
     NULL, 1, "triggered waiting step step verifying verified", 0, true},
    {"until something that never is",
     POLICY("auto",
            "  steps:\n  - name: a\n    wait: {until: {url: \"http://h/never\","
            " within: 3s}}\n    on_timeout: c\n    on_fail: b\n"
            "  - name: b\n    webhook: {url: \"http://h/notify\"}\n    on_ok: fail\n"
            "  - name: c\n    webhook: {url: \"http://h/heal\"}\n"),
     NULL, 1, "triggered waiting step step verifying verified", 0, true},
    {"escalation",
     POLICY("auto", "  steps:\n  - name: a\n    webhook: {url: \"http://h/bad\"}\n"
                    "    on_ok: done\n    on_fail: b\n"
                    "  - name: b\n    webhook: {url: \"http://h/heal\"}\n"),
     NULL, 1, "triggered step step verifying verified", 0, true},
    {"a step that goes unproved",
     POLICY("auto", "  steps:\n  - name: a\n    webhook: {url: \"http://h/notify\"}\n"
                    "    verify: {url: \"http://h/never\", within: 2s}\n"
                    "    on_ok: done\n    on_fail: b\n"
                    "  - name: b\n    webhook: {url: \"http://h/heal\"}\n"),
     NULL, 2, "triggered verifying step step verifying verified", 0, true},
    {"a step that waits for the alarm",
     POLICY("auto", "  steps:\n  - webhook: {url: \"http://h/heal\"}\n"
                    "    verify: {within: 5s}\n" NOTIFY),
     NULL, 2, "triggered verifying step step verified", 0, true},
    {"verified by a query",
     POLICY("auto", HEAL "  verify: {query: \"up == 1\", within: 30s, every: 100ms}\n"),
     NULL, 1, "triggered step verifying verified", 0, false},
    {"verified by an address, in vain",
     POLICY("auto",
            HEAL "  verify: {url: \"http://h/never\", within: 2s, every: 500ms}\n"),
     NULL, 1, "triggered step verifying failed", 0, true},
    {"the kill switch goes on while it waits",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: required, within: "
                    "30s}\n  - webhook: {url: \"http://h/heal\"}\n"),
     switches_off, 1, "triggered step waiting acknowledged step failed", 0, true},
    {"the hours are over while it waits", /* it begins at 11:06:40 */
     POLICY("auto",
            "  guards: {hours: {from: \"08:00\", to: \"11:07\"}}\n  steps:\n" NOTIFY
            "  - wait: {for: 30s}\n"
            "  - webhook: {url: \"http://h/heal\"}\n    on_guard: done\n"
            "  verify: {within: 1s}\n"),
     NULL, 1, "triggered step waiting step step verifying failed", 0, true},
    {"aborted while it waits",
     POLICY("auto", "  steps:\n" NOTIFY "  - wait: {acknowledgement: optional, within: "
                    "30s}\n  - webhook: {url: \"http://h/heal\"}\n"),
     aborts_wait, 1, "triggered step waiting aborted", 0, true},
    {"aborted between tries",
     POLICY("auto", "  steps:\n  - webhook: {url: \"http://h/busy\", retries: 20}\n"),
     aborts_tries, 0, "triggered aborted", 0, true},
    {"aborted while it is verified", POLICY("auto", HEAL), aborts_verification, 1,
     "triggered step verifying aborted", 0, false},
};

static void test_stories_with_a_crash_at_every_point(void **state)
{
    (void)state;
    unsigned crashes = 0;
    for (size_t i = 0; i < sizeof(STORIES) / sizeof(STORIES[0]); i++)
        if (STORIES[i].rows != NULL)
            crashes += tell(&STORIES[i]);
    print_message("%u crashes\n", crashes);
    assert_true(crashes > 400);
}

/* An approval that comes with, or after, the expiry: whichever is seen first, nothing runs. */
static void test_expired_approval_never_runs(void **state)
{
    (void)state;
    const struct story *story = &STORIES[2];
    for (unsigned k = 0; k < 40; k++) {
        struct world w;
        world_init(&w, story);
        w.crash_at = k / 2;
        w.deliver = k % 2 == 1;
        (void)live(&w);
        assert_int_equal(json_object_size(w.effects), 0);
        assert_int_equal(json_object_size(w.verdicts), 0);
        assert_true(
            model_state_is(w.runs, string(json_array_get(w.rows, 0), "run_id"), "done"));
        world_fini(&w);
    }
}

/* Guards are asked again when somebody approves. */
static void test_approval_asks_the_guards_again(void **state)
{
    struct world w;
    char rows[256];
    struct story story = STORIES[0];
    (void)state;
    story.user = NULL;
    world_init(&w, &story);
    while (json_array_size(w.rows) == 0)
        deliver(&w);
    const char *id = string(json_array_get(w.rows, 0), "run_id");
    actuator_engine_free(w.engine); /* meanwhile another policy has acted on the target */
    json_object_set_new(w.guards, "v1",
                        json_string("{\"v\":1,\"ended_ms\":1795000000000,"
                                    "\"starts\":{}}"));
    while (w.n > 0) {
        struct event ev = pop(&w);
        event_fini(&ev);
    }
    boot(&w);
    w.now_us = T0_US + 1000;
    say(&w, id, "proposal", "approve");
    (void)live(&w);
    journal(&w, rows, sizeof(rows));
    assert_string_equal(rows, "proposed approved suppressed");
    assert_int_equal(json_object_size(w.effects), 0);
    world_fini(&w);
}

/* One proposal for a policy and target at a time. */
static void test_one_proposal_per_target(void **state)
{
    struct world w;
    char rows[256];
    struct story story = STORIES[0];
    (void)state;
    story.user = NULL;
    world_init(&w, &story);
    while (json_array_size(w.rows) == 0)
        deliver(&w);
    change(&w, HALE_STATE_ALARM); /* the same again, as of another alarm */
    (void)live(&w);
    journal(&w, rows, sizeof(rows));
    assert_string_equal(rows, "proposed suppressed expired");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_with_a_crash_at_every_point),
        cmocka_unit_test(test_expired_approval_never_runs),
        cmocka_unit_test(test_approval_asks_the_guards_again),
        cmocka_unit_test(test_one_proposal_per_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
