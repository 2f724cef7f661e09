/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold between a commit and what follows it, whatever others answer: the position in the
 * log, the record before the call, the journal's texts, a kill switch in the middle.
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

#define T0_US    1795000000000000LL
#define COMMITS  64
#define ALARM_ID "0f0e0d0c-0000-4000-8000-000000000001"

struct commit {
    enum actuator_op op;
    char run_id[HALE_UUID_TEXT];
    int64_t position;
    json_t *run; /* NULL: none, or not JSON */
    bool answered;
};
struct world {
    struct actuator_engine *engine;
    struct actuator_policies *policies;
    int64_t now_us, token;
    struct commit commit[COMMITS];
    unsigned n;
    json_t *rows;                /* of the journal */
    json_t *faults;              /* events of the loops */
    json_t *calls;               /* "METHOD url body" */
    char run_id[HALE_UUID_TEXT]; /* of the last call */
    int lane;
    unsigned cancelled;
};

static void io_commit(void *arg, const struct actuator_commit *c)
{
    struct world *w = arg;
    assert_true(w->n < COMMITS);
    struct commit *to = &w->commit[w->n++];
    to->op = c->op;
    (void)snprintf(to->run_id, sizeof(to->run_id), "%s", c->run_id);
    to->position = c->position;
    to->run =
        c->run_json.len > 0 ? json_loadb(c->run_json.p, c->run_json.len, 0, NULL) : NULL;
    for (unsigned i = 0; i < c->n_events; i++)
        json_array_append_new(w->faults,
                              json_loadb(c->event[i].p, c->event[i].len, 0, NULL));
    for (unsigned i = 0; i < c->n_rows; i++)
        json_array_append_new(w->rows, json_loadb(c->row[i].p, c->row[i].len, 0, NULL));
}

static void io_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct world *w = arg;
    json_array_append_new(w->calls, json_sprintf("%s %s %s", q->method, q->url.p,
                                                 q->body.p != NULL ? q->body.p : ""));
    (void)snprintf(w->run_id, sizeof(w->run_id), "%s", run_id);
    w->lane = q->lane;
}

static void io_cancel(void *arg, const char *run_id)
{
    struct world *w = arg;
    (void)run_id;
    w->cancelled++;
}

static void world_init(struct world *w, const char *policies)
{
    struct hale_err err = {0};
    const struct actuator_engine_io io = {
        .arg = w, .commit = io_commit, .call = io_call, .cancel = io_cancel};
    memset(w, 0, sizeof(*w));
    w->now_us = T0_US;
    w->rows = json_array();
    w->faults = json_array();
    w->calls = json_array();
    if (actuator_policies_load(hale_str_from(policies), "p", &w->policies, &err) !=
        HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    w->engine = actuator_engine_new(&io, w->policies);
    assert_non_null(w->engine);
    actuator_engine_start(w->engine, w->now_us);
}

static void world_fini(struct world *w)
{
    actuator_engine_free(w->engine);
    actuator_policies_free(w->policies);
    for (unsigned i = 0; i < w->n; i++)
        json_decref(w->commit[i].run);
    json_decref(w->rows);
    json_decref(w->faults);
    json_decref(w->calls);
}

static void feed(struct world *w, int64_t seq)
{
    struct hale_log_record rec = {.seq = seq,
                                  .kind = HALE_ALARM_TRANSITION,
                                  .announce = true,
                                  .time_ms = w->now_us / 1000,
                                  .old_state = HALE_STATE_OK,
                                  .accepted_us = w->now_us,
                                  .logged_us = w->now_us};
    struct hale_alarm *a = &rec.alarm;
    a->id = strdup(ALARM_ID);
    a->tenant = strdup("t");
    a->definition_id = strdup("d");
    a->definition_name = strdup("down");
    a->description = strdup("");
    a->reason = strdup("because");
    a->severity = HALE_SEV_CRITICAL;
    a->actions_enabled = true;
    a->group = json_pack("{s:s}", "vnf_id", "v1");
    a->metrics = json_array();
    a->sub_alarms = json_array();
    a->state = HALE_STATE_ALARM;
    a->seq = seq;
    actuator_engine_record(w->engine, &rec, false, w->now_us);
    hale_alarm_fini(a);
}

/* All commits there are succeed. */
static void commit_all(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct commit *c = &w->commit[i];
        if (c->answered || c->run_id[0] == '\0')
            continue;
        c->answered = true;
        w->now_us += 100;
        actuator_engine_committed(w->engine, c->run_id, ACTUATOR_COMMITTED, ++w->token,
                                  "", w->now_us);
    }
}

static void answer(struct world *w, unsigned status, const char *body,
                   const char *location)
{
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .lane = w->lane,
                                      .sent = true,
                                      .status = status,
                                      .body = hale_str_from(body),
                                      .location = hale_str_from(location),
                                      .error = ""};
    w->now_us += 100;
    actuator_engine_answered(w->engine, w->run_id, &a, w->now_us);
    commit_all(w);
}

/* On to the next thing that is due. */
static void later(struct world *w)
{
    int64_t next = actuator_engine_next_us(w->engine);
    if (next == INT64_MAX)
        return;
    w->now_us = next > w->now_us ? next : w->now_us;
    actuator_engine_tick(w->engine, w->now_us);
    commit_all(w);
}

static const char *call_at(const struct world *w, size_t i)
{
    const char *text = json_string_value(json_array_get(w->calls, i));
    return text != NULL ? text : "";
}

static const json_t *row_of(const struct world *w, const char *kind)
{
    for (size_t i = json_array_size(w->rows); i > 0; i--) {
        const json_t *row = json_array_get(w->rows, i - 1);
        if (strcmp(json_string_value(json_object_get(row, "kind")), kind) == 0)
            return row;
    }
    return NULL;
}

/* --- the position ------------------------------------------------------------------ */

#define WEBHOOK(name, target)                                                            \
    "- name: " name "\n"                                                                 \
    "  mode: auto\n"                                                                     \
    "  alarm: {definition: down}\n"                                                      \
    "  target: " target "/${vnf_id}\n"                                                   \
    "  steps: [{webhook: {url: \"http://127.0.0.1:1/" name "\"}}]\n"

/* A process that ends between two policies' commits reads the record again. */
static void test_the_position_waits_for_the_last_policy(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, "policies:\n" WEBHOOK("a", "x") WEBHOOK("b", "y") WEBHOOK("c", "z"));
    feed(&w, 7);
    assert_int_equal(w.n, 3);
    assert_int_equal(w.commit[0].position, 0);
    assert_int_equal(w.commit[1].position, 0);
    assert_int_equal(w.commit[2].position, 7);
    world_fini(&w);

    /* the last one may be refused: its row has the position */
    world_init(&w, "policies:\n" WEBHOOK("a", "x") WEBHOOK("b", "x"));
    feed(&w, 7);
    assert_int_equal(w.n, 2);
    assert_int_equal(w.commit[0].position, 0);
    assert_int_equal(w.commit[1].op, ACTUATOR_OP_NOTE);
    assert_int_equal(w.commit[1].position, 7);
    world_fini(&w);
}

/* --- the record before the call ---------------------------------------------------- */

static const char NOVA[] =
    "policies:\n"
    "- name: heal\n"
    "  mode: auto\n"
    "  alarm: {definition: down}\n"
    "  target: vnf/${vnf_id}\n"
    "  steps: [{nova: {cloud: c, action: reboot, host: h, parallel: 1, retries: 9}}]\n";

#define SERVER(id)                                                                       \
    "{\"id\":\"" id "\",\"OS-EXT-STS:vm_state\":\"active\","                             \
    "\"OS-EXT-SRV-ATTR:host\":\"h\"}"

/* "GRÖSSE" and so on: a text of others that is cut in the middle of a character. */
static void two_bytes_each(char *dst, size_t characters)
{
    for (size_t i = 0; i < characters; i++)
        memcpy(dst + 2 * i, "\xc3\xb6", 2);
    dst[2 * characters] = '\0';
}

static void test_foreign_texts_do_not_cost_the_record(void **state)
{
    char words[401], body[600];
    struct world w;
    (void)state;
    two_bytes_each(words, 200);
    for (int shift = 0; shift < 2; shift++) { /* one of them is cut in a character */
        world_init(&w, NOVA);
        feed(&w, 1);
        commit_all(&w);
        answer(&w, 200, "{\"servers\":[" SERVER("s1") "," SERVER("s2") "]}", "");
        assert_non_null(strstr(call_at(&w, 1), "/servers/s1/action"));
        (void)snprintf(body, sizeof(body), "{\"e\":{\"message\":\"%s%s\"}}",
                       shift == 0 ? "" : "x", words);
        answer(&w, 503, body, ""); /* counted, and to be repeated */
        assert_non_null(w.commit[w.n - 1].run);
        later(&w);
        assert_non_null(strstr(call_at(&w, 2), "/servers/s1/action"));
        for (unsigned i = 0; i < w.n; i++)
            if (w.commit[i].run == NULL)
                fail_msg("commit %u has no record", i);
        /* it can be read again */
        struct actuator_run *r = NULL;
        char *text = json_dumps(w.commit[w.n - 1].run, 0);
        assert_int_equal(actuator_run_decode(hale_str_from(text), &r), HALE_OK);
        assert_int_equal(r->lanes.v[0].attempt, 2);
        actuator_run_free(r);
        free(text);
        world_fini(&w);
    }
}

/* Hosts' names come from the cloud and are kept: so much that the record cannot be written. */
static void test_nothing_leaves_without_a_record(void **state)
{
    struct world w;
    struct hale_buf body;
    (void)state;
    world_init(&w, NOVA);
    feed(&w, 1);
    commit_all(&w);
    hale_buf_init(&body, 8u << 20);
    hale_buf_add_c(&body, "{\"servers\":[");
    for (int i = 0; i < 400; i++) {
        hale_buf_printf(&body,
                        "%s{\"id\":\"s%d\",\"OS-EXT-STS:vm_state\":\"active\","
                        "\"OS-EXT-SRV-ATTR:host\":\"h\",\"image\":{\"id\":\"",
                        i > 0 ? "," : "", i);
        for (int k = 0; k < 300; k++)
            hale_buf_add_c(&body, "0123456789abcdef0123456789abcdef0123456789");
        hale_buf_add_c(&body, "\"}}");
    }
    hale_buf_add_c(&body, "]}");
    assert_false(body.failed);
    answer(&w, 200, body.p, "");
    hale_buf_fini(&body);
    for (int i = 0; i < 8; i++)
        later(&w);
    assert_int_equal(json_array_size(w.calls), 1); /* the question, no reboot */
    const json_t *failed = row_of(&w, "failed");
    assert_non_null(failed);
    assert_non_null(strstr(json_string_value(json_object_get(failed, "text")), "record"));
    bool ended = false;
    for (unsigned i = 0; i < w.n; i++) {
        const char *how = json_string_value(json_object_get(w.commit[i].run, "outcome"));
        ended = ended || (w.commit[i].op == ACTUATOR_OP_END && how != NULL &&
                          strcmp(how, "failed") == 0);
    }
    assert_true(ended);
    world_fini(&w);
}

/* --- the journal ------------------------------------------------------------------- */

static void test_no_query_of_an_address_in_the_journal(void **state)
{
    static const char *const modes[] = {"observe", "suggest", "approve", "auto"};
    char policy[800];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct world w;
        (void)snprintf(policy, sizeof(policy),
                       "policies:\n"
                       "- name: heal\n"
                       "  mode: %s\n"
                       "  alarm: {definition: down}\n"
                       "  target: vnf/${vnf_id}\n"
                       "  steps:\n"
                       "  - webhook: {url: \"http://127.0.0.1:1/a?key=hush#x\"}\n"
                       "    verify: {url: \"http://127.0.0.1:1/b?key=hush\"}\n"
                       "  - wait: {until: {url: \"http://127.0.0.1:1/c?key=hush\"}}\n",
                       modes[i]);
        world_init(&w, policy);
        feed(&w, 1);
        commit_all(&w);
        char *rows = json_dumps(w.rows, 0);
        assert_non_null(strstr(rows, "127.0.0.1:1/a"));
        if (strstr(rows, "hush") != NULL)
            fail_msg("%s: %s", modes[i], rows);
        free(rows);
        world_fini(&w);
    }
}

/* --- a kill switch in the middle --------------------------------------------------- */

static const char RETRY[] =
    "policies:\n"
    "- name: heal\n"
    "  mode: auto\n"
    "  alarm: {definition: down}\n"
    "  target: vnf/${vnf_id}\n"
    "  steps:\n"
    "  - vnflcm: {url: \"http://127.0.0.1:1\", operation: heal, poll: 10ms,\n"
    "             vnf_instance_id: \"${vnf_id}\", on_failed_temp: [retry, rollback]}\n";

#define OCC(state, at)                                                                   \
    "{\"id\":\"op1\",\"operationState\":\"" state "\",\"stateEnteredTime\":\"" at "\"}"

/* An operation in FAILED_TEMP is ended, but nothing is begun again. */
static void test_a_kill_switch_ends_what_has_failed(void **state)
{
    (void)state;
    for (int thrown = 0; thrown < 2; thrown++) {
        struct world w;
        world_init(&w, RETRY);
        feed(&w, 1);
        commit_all(&w);
        answer(&w, 202, "", "http://127.0.0.1:1/vnflcm/v2/vnf_lcm_op_occs/op1");
        later(&w);
        assert_non_null(strstr(call_at(&w, 1), "GET"));
        if (thrown)
            actuator_engine_switch(w.engine, HALE_STR("all"),
                                   HALE_STR("{\"by\":\"me\",\"reason\":\"r\"}"),
                                   w.now_us);
        answer(&w, 200, OCC("FAILED_TEMP", "2026-01-01T00:00:00Z"), "");
        if (json_array_size(w.calls) == 2)
            later(&w);
        assert_string_equal(strrchr(call_at(&w, 2), '/'), thrown ? "/fail " : "/retry ");
        if (thrown) {
            answer(&w, 202, "", "");
            later(&w);
            answer(&w, 200, OCC("FAILED", "2026-01-01T00:00:01Z"), "");
            assert_non_null(row_of(&w, "failed"));
            assert_int_equal(json_array_size(w.calls), 4);
        }
        world_fini(&w);
    }
}

/* --- the loops' own alarms --------------------------------------------------------- */

/* Whoever opens a latch may have a long name in whatever script: the alarm clears all the same. */
static void test_an_alarm_of_a_loop_clears(void **state)
{
    char name[300], order[400];
    struct world w;
    (void)state;
    for (int shift = 0; shift < 2; shift++) {
        world_init(&w, NOVA);
        assert_int_equal(
            actuator_engine_load_guard(
                w.engine, HALE_STR("policy:heal"),
                HALE_STR("{\"v\":1,\"starts\":{},\"latched_ms\":1000,\"word\":"
                         "\"exhausted\",\"why\":\"w\",\"latch_tenant\":\"t\","
                         "\"latch_target\":\"vnf/v1\"}")),
            HALE_OK);
        two_bytes_each(name, 120);
        (void)snprintf(order, sizeof(order), "{\"by\":\"%s%s\",\"at_ms\":2000}",
                       shift == 0 ? "" : "x", name);
        actuator_engine_switch(w.engine, HALE_STR("unlatch/heal"), hale_str_from(order),
                               w.now_us);
        assert_int_equal(json_array_size(w.faults), 1);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_position_waits_for_the_last_policy),
        cmocka_unit_test(test_foreign_texts_do_not_cost_the_record),
        cmocka_unit_test(test_nothing_leaves_without_a_record),
        cmocka_unit_test(test_no_query_of_an_address_in_the_journal),
        cmocka_unit_test(test_a_kill_switch_ends_what_has_failed),
        cmocka_unit_test(test_an_alarm_of_a_loop_clears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
