/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine against a model of Redis and of a VNFM, in simulated time. The process is
 * killed at every single point of a run, with what is in flight lost or delivered: the
 * effect on the VNFM must be exactly one operation, and the journal must tell one story.
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
#include "base/clock.h"
#include "engine_model.h"
#include "model/journal.h"

#define EVENTS 256

enum behaviour {
    NORMAL,
    CONFLICT_ONCE,
    BUSY_ONCE,
    DEAF_ONCE,
    FAIL_TEMP_ONCE,
    REFUSED_ONCE,
    LATE_ONCE, /* the connection breaks, and the operation begins a moment later */
    N_BEHAVIOURS
};
static const char *const BEHAVIOURS[] = {"normal",    "409 once",         "503 once",
                                         "no answer", "FAILED_TEMP once", "refused once",
                                         "late once"};

enum kind { COMMIT, COMMIT_REPLY, REQUEST, REPLY };
struct event {
    enum kind kind;
    char run_id[HALE_UUID_TEXT];
    /* COMMIT */
    enum actuator_op op;
    char *target, *run_json, *forget;
    int64_t token, position;
    unsigned n_rows, n_guards, n_events;
    char *row[16], *field[8], *memory[8], *fault[ACTUATOR_EVENTS_MAX];
    /* COMMIT_REPLY */
    enum actuator_commit_result result;
    char holder[80];
    /* REQUEST, REPLY */
    char method[8], url[256];
    unsigned status;
    char *body, *location;
    enum hale_rc rc;
    bool sent;
};
struct op {
    char id[32], kind[8];
    const char *state;
    int64_t start_us, end_us;
    bool fails;
    bool completed; /* it was COMPLETED, hence the alarm cleared */
};
struct world {
    struct actuator_engine *engine;
    struct actuator_policies *policies;
    int64_t now_us;
    struct event queue[EVENTS];
    unsigned head, n;
    /* Redis */
    json_t *runs, *guards, *rows; /* rows: array of objects */
    char lease_target[300], lease[80];
    int64_t fence, position;
    /* the VNFM and the alarm */
    enum behaviour behaviour;
    bool behaved;
    struct op ops[16];
    unsigned n_ops;
    /* what a webhook begins */
    int64_t job_end_us;  /* 0: not begun */
    unsigned late_posts; /* after their answer was committed */
    bool job_done;
    enum hale_state alarm;
    int64_t seq; /* of the alarm log */
    /* the crash */
    unsigned steps, crash_at;
    bool deliver; /* what is in flight arrives although the sender is dead */
};

static char *copy(const char *text)
{
    char *c = text != NULL ? strdup(text) : NULL;
    return c;
}

static char *copy_str(struct hale_str s)
{
    return s.len > 0 ? strndup(s.p, s.len) : NULL;
}

static struct event *push(struct world *w, enum kind kind, const char *run_id)
{
    assert_true(w->n < EVENTS);
    struct event *ev = &w->queue[(w->head + w->n++) % EVENTS];
    memset(ev, 0, sizeof(*ev));
    ev->kind = kind;
    (void)snprintf(ev->run_id, sizeof(ev->run_id), "%s", run_id);
    return ev;
}

static void event_fini(struct event *ev)
{
    free(ev->target);
    free(ev->run_json);
    free(ev->forget);
    free(ev->body);
    free(ev->location);
    for (unsigned i = 0; i < ev->n_rows; i++)
        free(ev->row[i]);
    for (unsigned i = 0; i < ev->n_guards; i++) {
        free(ev->field[i]);
        free(ev->memory[i]);
    }
    for (unsigned i = 0; i < ev->n_events; i++)
        free(ev->fault[i]);
}

/* --- what the engine asks for ------------------------------------------------------ */

static void io_commit(void *arg, const struct actuator_commit *c)
{
    struct event *ev = push(arg, COMMIT, c->run_id);
    ev->op = c->op;
    ev->target = copy(c->target);
    ev->run_json = copy_str(c->run_json);
    ev->forget = copy(c->forget);
    ev->token = c->token;
    ev->position = c->position;
    ev->n_rows = c->n_rows;
    for (unsigned i = 0; i < c->n_rows; i++)
        ev->row[i] = copy_str(c->row[i]);
    ev->n_guards = c->n_guards;
    for (unsigned i = 0; i < c->n_guards; i++) {
        ev->field[i] = copy(c->guard[i].field);
        ev->memory[i] = copy_str(c->guard[i].json);
    }
    ev->n_events = c->n_events;
    for (unsigned i = 0; i < c->n_events; i++)
        ev->fault[i] = copy_str(c->event[i]);
}

static void io_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct event *ev = push(arg, REQUEST, run_id);
    (void)snprintf(ev->method, sizeof(ev->method), "%s", q->method);
    (void)snprintf(ev->url, sizeof(ev->url), "%s", q->url.p);
    ev->body = copy_str(hale_buf_str(&q->body));
}

/* --- Redis: the ledger's script ---------------------------------------------------- */

static enum actuator_commit_result apply_lease(struct world *w, const struct event *ev,
                                               int64_t *token)
{
    char mine[80];
    bool held = w->lease[0] != '\0' && strcmp(w->lease_target, ev->target) == 0;
    (void)snprintf(mine, sizeof(mine), "%lld:%s", (long long)ev->token, ev->run_id);
    if (ev->op == ACTUATOR_OP_BIRTH || ev->op == ACTUATOR_OP_OPEN ||
        ev->op == ACTUATOR_OP_TAKE) {
        if (held && strcmp(w->lease + strlen(w->lease) - 36, ev->run_id) != 0)
            return ACTUATOR_HELD;
        *token = ++w->fence;
        (void)snprintf(w->lease, sizeof(w->lease), "%lld:%s", (long long)*token,
                       ev->run_id);
        (void)snprintf(w->lease_target, sizeof(w->lease_target), "%s", ev->target);
    } else if (held && strcmp(w->lease, mine) != 0) {
        return ACTUATOR_LOST;
    } else if (ev->op == ACTUATOR_OP_END) {
        w->lease[0] = '\0';
    }
    return ACTUATOR_COMMITTED;
}

static void apply(struct world *w, const struct event *ev, bool reply)
{
    int64_t token = 0;
    enum actuator_commit_result result = ACTUATOR_COMMITTED;
    if (model_was_done(w->runs, ev->run_id, ev->op))
        result = ACTUATOR_EXISTS;
    else if (ev->op != ACTUATOR_OP_NOTE && ev->op != ACTUATOR_OP_IDLE)
        result = apply_lease(w, ev, &token);
    if (result == ACTUATOR_COMMITTED) {
        if (ev->run_json != NULL)
            json_object_set_new(w->runs, ev->run_id, json_string(ev->run_json));
        for (unsigned i = 0; i < ev->n_guards; i++)
            json_object_set_new(w->guards, ev->field[i], json_string(ev->memory[i]));
        if (ev->forget != NULL)
            json_object_del(w->runs, ev->forget);
        if (ev->position > w->position)
            w->position = ev->position;
        for (unsigned i = 0; i < ev->n_rows; i++)
            json_array_append_new(w->rows, json_loads(ev->row[i], 0, NULL));
    }
    if (!reply)
        return;
    struct event *back = push(w, COMMIT_REPLY, ev->run_id);
    back->result = result;
    back->token = token;
    (void)snprintf(back->holder, sizeof(back->holder), "%s",
                   result == ACTUATOR_HELD ? w->lease : "");
}

/* --- the VNFM ---------------------------------------------------------------------- */

static void feed(struct world *w, enum hale_state state)
{
    struct hale_log_record rec;
    model_record(&rec, ++w->seq, state,
                 json_pack("{s:s,s:s}", "vnf_id", "v1", "vnfc_id", "c1"), w->now_us);
    rec.old_state = w->alarm;
    w->alarm = state;
    if (w->engine != NULL)
        actuator_engine_record(w->engine, &rec, false, w->now_us);
    hale_alarm_fini(&rec.alarm);
}

static void advance_ops(struct world *w)
{
    for (unsigned i = 0; i < w->n_ops; i++) {
        struct op *op = &w->ops[i];
        if (strcmp(op->state, "PROCESSING") != 0 || op->end_us > w->now_us)
            continue;
        op->state = op->fails ? "FAILED_TEMP" : "COMPLETED";
        if (!op->fails) {
            op->completed = true;
            if (w->alarm == HALE_STATE_ALARM)
                feed(w, HALE_STATE_OK);
        }
    }
}

static bool begun(const struct world *w, const struct op *op)
{
    return op->start_us <= w->now_us;
}

static bool operation_open(const struct world *w)
{
    for (unsigned i = 0; i < w->n_ops; i++)
        if (begun(w, &w->ops[i]) && (strcmp(w->ops[i].state, "PROCESSING") == 0 ||
                                     strcmp(w->ops[i].state, "FAILED_TEMP") == 0))
            return true;
    return false;
}

static json_t *op_json(const struct op *op)
{
    char iso[HALE_CLOCK_ISO_MAX];
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:{s:[s]}}", "id", op->id, "operation",
                     op->kind, "operationState", op->state, "vnfInstanceId", "v1",
                     "startTime", hale_clock_iso_s(op->start_us / 1000, iso),
                     "operationParams", "vnfcInstanceId", "c1");
}

static unsigned heal(struct world *w, char **location)
{
    bool odd = !w->behaved;
    w->behaved = true;
    if (odd && w->behaviour == CONFLICT_ONCE)
        return 409;
    if (odd && w->behaviour == BUSY_ONCE)
        return 503;
    if (operation_open(w))
        return 409;
    struct op *op = &w->ops[w->n_ops++];
    assert_true(w->n_ops < 16);
    (void)snprintf(op->id, sizeof(op->id), "op-%u", w->n_ops);
    (void)snprintf(op->kind, sizeof(op->kind), "HEAL");
    op->state = "PROCESSING";
    op->start_us = w->now_us + (odd && w->behaviour == LATE_ONCE ? 700000 : 0);
    op->end_us = op->start_us + 50000;
    op->fails = odd && w->behaviour == FAIL_TEMP_ONCE;
    if (asprintf(location, "http://elsewhere/vnflcm/v2/vnf_lcm_op_occs/%s", op->id) < 0)
        *location = NULL;
    return 202;
}

static unsigned get(struct world *w, const char *url, char **body)
{
    const char *last = strrchr(url, '/') + 1;
    if (strncmp(last, "vnf_lcm_op_occs?", 16) == 0) {
        bool open_only = strstr(last, "operationState") != NULL;
        json_t *list = json_array();
        for (unsigned i = 0; i < w->n_ops; i++) {
            bool open = strcmp(w->ops[i].state, "PROCESSING") == 0 ||
                        strcmp(w->ops[i].state, "FAILED_TEMP") == 0;
            if (begun(w, &w->ops[i]) && (!open_only || open))
                json_array_append_new(list, op_json(&w->ops[i]));
        }
        *body = json_dumps(list, 0);
        json_decref(list);
        return 200;
    }
    for (unsigned i = 0; i < w->n_ops; i++)
        if (strcmp(w->ops[i].id, last) == 0) {
            json_t *one = op_json(&w->ops[i]);
            *body = json_dumps(one, 0);
            json_decref(one);
            return 200;
        }
    return 404;
}

/* A server that begins one job for a key, and is asked how it goes. */
static unsigned hook(struct world *w, const struct event *ev, char **body,
                     char **location)
{
    bool post = strcmp(ev->method, "POST") == 0;
    bool odd = !w->behaved && post == (w->behaviour == BUSY_ONCE);
    if (odd && (w->behaviour == BUSY_ONCE || w->behaviour == CONFLICT_ONCE)) {
        w->behaved = true;
        return 503; /* of the call, or of a question */
    }
    if (!post) {
        assert_non_null(strstr(ev->url, "/jobs/7"));
        bool over = w->job_end_us <= w->now_us;
        if (over && !w->job_done) {
            w->job_done = true;
            feed(w, HALE_STATE_OK);
        }
        *body = strdup(over ? "{\"job\":{\"status\":\"DONE\"}}"
                            : "{\"job\":{\"status\":\"RUNNING\"}}");
        return 200;
    }
    for (size_t i = 0; i < json_array_size(w->rows); i++)
        w->late_posts +=
            strstr(json_string_value(json_object_get(json_array_get(w->rows, i), "text")),
                   "following") != NULL;
    if (w->job_end_us == 0)
        w->job_end_us = w->now_us + 50000;
    *body = strdup("{\"id\":7}");
    *location = strdup("/jobs/7");
    return 202;
}

static void serve(struct world *w, const struct event *ev, bool reply)
{
    unsigned status = 404;
    char *body = NULL, *location = NULL;
    bool of_hook = strstr(ev->url, ":2/") != NULL;
    bool deaf = w->behaviour == DEAF_ONCE && !w->behaved &&
                (of_hook || strstr(ev->url, "/heal") != NULL);
    bool late =
        w->behaviour == LATE_ONCE && !w->behaved && strstr(ev->url, "/heal") != NULL;
    bool refuse = w->behaviour == REFUSED_ONCE && !w->behaved;
    if (refuse) {
        w->behaved = true;
    } else if (of_hook) {
        w->behaved = w->behaved || deaf;
        status = hook(w, ev, &body, &location);
    } else if (strcmp(ev->method, "POST") == 0 && strstr(ev->url, "/heal") != NULL) {
        status = heal(w, &location);
    } else if (strcmp(ev->method, "POST") == 0) {
        for (unsigned i = 0; i < w->n_ops; i++)
            if (strstr(ev->url, w->ops[i].id) != NULL) {
                status = strcmp(w->ops[i].state, "FAILED_TEMP") == 0 ? 200 : 409;
                if (status == 200)
                    w->ops[i].state = "FAILED";
            }
    } else {
        status = get(w, ev->url, &body);
    }
    if (!reply) {
        free(body);
        free(location);
        return;
    }
    struct event *back = push(w, REPLY, ev->run_id);
    back->status = deaf || refuse || late ? 0 : status;
    back->rc = deaf ? HALE_E_AGAIN : refuse || late ? HALE_E_IO : HALE_OK;
    back->sent = !refuse;
    back->body = body;
    back->location = location;
}

/* --- running, killing, restarting -------------------------------------------------- */

static const char POLICY[] =
    "policies:\n"
    "- name: heal\n"
    "  mode: auto\n"
    "  alarm: {definition: down}\n"
    "  target: ${vnf_id}/${vnfc_id}\n"
    "  cooldown: 1s\n"
    "  steps:\n"
    "  - vnflcm: {url: \"http://127.0.0.1:1\", operation: heal,\n"
    "             vnf_instance_id: \"${vnf_id}\",\n"
    "             vnfc_instance_id: [\"${vnfc_id}\"], poll: 10ms, timeout: 60s}\n"
    "  verify: {within: 60s}\n";

static void load_alarm(const char *alarm_id, void *arg)
{
    struct world *w = arg;
    actuator_engine_alarm_now(w->engine, alarm_id, false, w->alarm, w->seq, w->now_us);
}

static void boot(struct world *w)
{
    const struct actuator_engine_io io = {
        .arg = w, .commit = io_commit, .call = io_call, .cancel = model_cancel};
    const char *key;
    json_t *value;
    w->engine = actuator_engine_new(&io, w->policies);
    assert_non_null(w->engine);
    json_object_foreach (w->runs, key, value)
        assert_int_equal(
            actuator_engine_load_run(w->engine, hale_str_from(json_string_value(value))),
            HALE_OK);
    json_object_foreach (w->guards, key, value)
        assert_int_equal(
            actuator_engine_load_guard(w->engine, hale_str_from(key),
                                       hale_str_from(json_string_value(value))),
            HALE_OK);
    actuator_engine_each_alarm(w->engine, load_alarm, w);
    actuator_engine_start(w->engine, w->now_us);
}

static void crash(struct world *w)
{
    actuator_engine_free(w->engine);
    w->engine = NULL;
    while (w->n > 0) {
        struct event ev = w->queue[w->head];
        w->head = (w->head + 1) % EVENTS;
        w->n--;
        if (w->deliver && ev.kind == COMMIT)
            apply(w, &ev, false);
        if (w->deliver && ev.kind == REQUEST)
            serve(w, &ev, false);
        event_fini(&ev);
    }
    w->now_us += 300000; /* to notice and start again */
    advance_ops(w);
    boot(w);
    if (w->position < 1 && w->alarm == HALE_STATE_ALARM) { /* the log is read again */
        w->seq = 0;
        w->alarm = HALE_STATE_OK;
        feed(w, HALE_STATE_ALARM);
    }
}

static void deliver(struct world *w)
{
    struct event ev = w->queue[w->head];
    w->head = (w->head + 1) % EVENTS;
    w->n--;
    w->now_us += HOP_US;
    advance_ops(w);
    if (ev.kind == COMMIT) {
        apply(w, &ev, true);
    } else if (ev.kind == COMMIT_REPLY) {
        actuator_engine_committed(w->engine, ev.run_id, ev.result, ev.token, ev.holder,
                                  w->now_us);
    } else if (ev.kind == REQUEST) {
        serve(w, &ev, true);
    } else {
        struct actuator_answer a = {.rc = ev.rc,
                                    .sent = ev.sent,
                                    .status = ev.status,
                                    .body = hale_str_from(ev.body),
                                    .location = hale_str_from(ev.location),
                                    .took_us = HOP_US,
                                    .error = ev.rc != HALE_OK ? "timed out" : ""};
        actuator_engine_answered(w->engine, ev.run_id, &a, w->now_us);
    }
    event_fini(&ev);
}

/* Runs until nothing is left to do; returns the number of steps. */
static unsigned run_world(struct world *w)
{
    for (w->steps = 0; w->steps < 3000; w->steps++) {
        if (w->steps == w->crash_at)
            crash(w);
        if (w->n > 0) {
            deliver(w);
            continue;
        }
        int64_t next = actuator_engine_next_us(w->engine);
        if (next == INT64_MAX)
            break;
        if (next > w->now_us)
            w->now_us = next;
        advance_ops(w);
        actuator_engine_tick(w->engine, w->now_us);
    }
    return w->steps;
}

static void world_init(struct world *w, enum behaviour behaviour, const char *policy)
{
    struct hale_err err = {0};
    memset(w, 0, sizeof(*w));
    w->now_us = T0_US;
    w->behaviour = behaviour;
    w->crash_at = UINT32_MAX;
    w->runs = json_object();
    w->guards = json_object();
    w->rows = json_array();
    if (actuator_policies_load(hale_str_from(policy), "p", &w->policies, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    boot(w);
}

static void world_fini(struct world *w)
{
    actuator_engine_free(w->engine);
    while (w->n > 0) {
        event_fini(&w->queue[w->head]);
        w->head = (w->head + 1) % EVENTS;
        w->n--;
    }
    actuator_policies_free(w->policies);
    json_decref(w->runs);
    json_decref(w->guards);
    json_decref(w->rows);
}

static unsigned rows_of(const struct world *w, const char *kind)
{
    unsigned n = 0;
    for (size_t i = 0; i < json_array_size(w->rows); i++)
        n +=
            strcmp(json_string_value(json_object_get(json_array_get(w->rows, i), "kind")),
                   kind) == 0;
    return n;
}

static void dump_rows(const struct world *w)
{
    for (size_t i = 0; i < json_array_size(w->rows); i++) {
        const json_t *row = json_array_get(w->rows, i);
        print_message("  %s %s\n", json_string_value(json_object_get(row, "kind")),
                      json_string_value(json_object_get(row, "text")));
    }
}

static bool one_effect(const struct world *w)
{
    unsigned done = 0;
    for (unsigned i = 0; i < w->n_ops; i++)
        done += w->ops[i].completed;
    unsigned allowed =
        w->behaviour == FAIL_TEMP_ONCE ? 2 : 1; /* the failed one did nothing */
    return done == 1 && w->n_ops <= allowed && rows_of(w, "triggered") == 1 &&
           rows_of(w, "verified") == 1 && rows_of(w, "failed") == 0 &&
           w->lease[0] == '\0' && w->position == 1;
}

static void test_crash_at_every_point(void **state)
{
    (void)state;
    unsigned crashes = 0;
    for (int b = 0; b < N_BEHAVIOURS; b++) {
        struct world w;
        world_init(&w, (enum behaviour)b, POLICY);
        feed(&w, HALE_STATE_ALARM);
        unsigned whole = run_world(&w);
        if (!one_effect(&w)) {
            dump_rows(&w);
            fail_msg("%s without a crash: %u operations", BEHAVIOURS[b], w.n_ops);
        }
        world_fini(&w);
        for (unsigned k = 0; k < whole * 2; k++, crashes++) {
            world_init(&w, (enum behaviour)b, POLICY);
            w.crash_at = k / 2;
            w.deliver = k % 2 == 1;
            feed(&w, HALE_STATE_ALARM);
            (void)run_world(&w);
            if (!one_effect(&w)) {
                dump_rows(&w);
                fail_msg("%s, crash at step %u, in flight %s: %u operations",
                         BEHAVIOURS[b], w.crash_at, w.deliver ? "delivered" : "lost",
                         w.n_ops);
            }
            world_fini(&w);
        }
    }
    print_message("%u crashes\n", crashes);
    assert_true(crashes > 100);
}

#define HOOK(until)                                                                      \
    "policies:\n"                                                                        \
    "- name: hook\n"                                                                     \
    "  mode: auto\n"                                                                     \
    "  alarm: {definition: down}\n"                                                      \
    "  target: ${vnf_id}/${vnfc_id}\n"                                                   \
    "  steps:\n"                                                                         \
    "  - webhook: {url: \"http://127.0.0.1:2/jobs\", success: [202], expect: {/id: "     \
    "7},\n"                                                                              \
    "              until: {" until "every: 10ms, within: 60s,\n"                         \
    "                      expect: {/job/status: DONE}, fail: {/job/status: BROKEN}}}\n" \
    "  verify: {within: 60s}\n"
static const char *const HOOKS[] = {
    HOOK(""), HOOK("url: \"http://127.0.0.1:2/jobs/${answer:/id}\", ")};

static bool one_job(const struct world *w)
{
    return w->job_done && w->late_posts == 0 && rows_of(w, "triggered") == 1 &&
           rows_of(w, "verified") == 1 && rows_of(w, "failed") == 0 &&
           w->lease[0] == '\0' && w->position == 1;
}

/* k: where it is killed, and whether what is in flight arrives; UINT32_MAX: it is not. Returns the
 * number of its steps. */
static unsigned hook_world(enum behaviour b, const char *policy, unsigned k)
{
    struct world w;
    world_init(&w, b, policy);
    w.crash_at = k == UINT32_MAX ? k : k / 2;
    w.deliver = k != UINT32_MAX && k % 2 == 1;
    feed(&w, HALE_STATE_ALARM);
    unsigned steps = run_world(&w);
    if (!one_job(&w)) {
        dump_rows(&w);
        fail_msg("%s, killed at %u: %u calls after the answer", BEHAVIOURS[b], k,
                 w.late_posts);
    }
    world_fini(&w);
    return steps;
}

static void test_what_is_polled_survives_every_crash(void **state)
{
    unsigned crashes = 0;
    (void)state;
    for (int b = 0; b < N_BEHAVIOURS; b++)
        for (size_t i = 0; i < 2; i++) {
            unsigned whole = hook_world((enum behaviour)b, HOOKS[i], UINT32_MAX);
            for (unsigned k = 0; k < whole * 2; k++, crashes++)
                (void)hook_world((enum behaviour)b, HOOKS[i], k);
        }
    print_message("%u crashes\n", crashes);
    assert_true(crashes > 100);
}

static void test_one_round_trip_before_the_call(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    feed(&w, HALE_STATE_ALARM);
    assert_int_equal(w.n, 1); /* one commit: lease, run, journal, guards, position */
    assert_int_equal(w.queue[w.head].kind, COMMIT);
    assert_int_equal(w.queue[w.head].n_rows, 2);
    deliver(&w);
    deliver(&w);
    assert_int_equal(w.queue[w.head].kind, REQUEST);
    assert_string_equal(w.queue[w.head].method, "POST");
    assert_string_equal(w.queue[w.head].url,
                        "http://127.0.0.1:1/vnflcm/v2/vnf_instances/v1/heal");
    assert_string_equal(w.queue[w.head].body, "{\"vnfcInstanceId\":[\"c1\"]}");
    (void)run_world(&w);
    world_fini(&w);
}

static void test_same_trigger_twice(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    feed(&w, HALE_STATE_ALARM);
    w.seq = 0;
    feed(&w, HALE_STATE_ALARM); /* read again while under way */
    (void)run_world(&w);
    w.seq = 0;
    feed(&w, HALE_STATE_ALARM); /* and after it */
    (void)run_world(&w);
    assert_true(one_effect(&w));
    world_fini(&w);
}

static void test_second_fault_is_suppressed_by_cooldown(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    assert_int_equal(rows_of(&w, "suppressed"), 1);
    assert_int_equal(w.n_ops, 1);
    w.now_us += 2000000;
    feed(&w, HALE_STATE_OK);
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    assert_int_equal(w.n_ops, 2);
    world_fini(&w);
}

static void test_another_process_holds_the_lease(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    (void)snprintf(w.lease_target, sizeof(w.lease_target), "v1/c1");
    (void)snprintf(w.lease, sizeof(w.lease), "7:11111111-1111-4111-8111-111111111111");
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    assert_int_equal(w.n_ops, 0);
    assert_int_equal(rows_of(&w, "suppressed"), 1);
    assert_int_equal(rows_of(&w, "triggered"), 0);
    world_fini(&w);
}

static void test_lost_lease_writes_nothing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    feed(&w, HALE_STATE_ALARM);
    deliver(&w);
    deliver(&w);
    (void)snprintf(w.lease, sizeof(w.lease), "99:11111111-1111-4111-8111-111111111111");
    size_t before = json_array_size(w.rows);
    (void)run_world(&w);
    assert_int_equal(json_array_size(w.rows), before);
    assert_string_equal(w.lease, "99:11111111-1111-4111-8111-111111111111");
    world_fini(&w);
}

static void test_repeat_while_alarm(void **state)
{
    struct world w;
    char text[sizeof(POLICY) + 64];
    (void)state;
    (void)snprintf(text, sizeof(text), "%s  repeat: while_alarm\n", POLICY);
    world_init(&w, NORMAL, text);
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    feed(&w, HALE_STATE_ALARM); /* within the cooldown */
    (void)run_world(&w);
    assert_int_equal(rows_of(&w, "suppressed"), 1);
    assert_int_equal(rows_of(&w, "verified"), 2);
    assert_int_equal(w.n_ops, 2);
    world_fini(&w);

    world_init(&w, NORMAL, text); /* killed while it waits */
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    feed(&w, HALE_STATE_ALARM);
    deliver(&w);
    deliver(&w);
    crash(&w);
    (void)run_world(&w);
    assert_int_equal(w.n_ops, 2);
    assert_int_equal(rows_of(&w, "verified"), 2);
    world_fini(&w);

    world_init(&w, NORMAL, text); /* the alarm clears by itself meanwhile */
    feed(&w, HALE_STATE_ALARM);
    (void)run_world(&w);
    feed(&w, HALE_STATE_ALARM);
    deliver(&w);
    deliver(&w);
    feed(&w, HALE_STATE_OK);
    (void)run_world(&w);
    assert_int_equal(w.n_ops, 1);
    world_fini(&w);
}

static void test_verify_times_out(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, NORMAL, POLICY);
    feed(&w, HALE_STATE_ALARM);
    while (w.n_ops == 0)
        deliver(&w);
    w.ops[0].end_us = w.now_us;
    w.ops[0].state = "COMPLETED"; /* but the alarm stays */
    (void)run_world(&w);
    assert_int_equal(rows_of(&w, "failed"), 1);
    assert_int_equal(rows_of(&w, "verifying"), 1);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_what_is_polled_survives_every_crash),
        cmocka_unit_test(test_one_round_trip_before_the_call),
        cmocka_unit_test(test_same_trigger_twice),
        cmocka_unit_test(test_second_fault_is_suppressed_by_cooldown),
        cmocka_unit_test(test_another_process_holds_the_lease),
        cmocka_unit_test(test_lost_lease_writes_nothing),
        cmocka_unit_test(test_repeat_while_alarm),
        cmocka_unit_test(test_verify_times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
