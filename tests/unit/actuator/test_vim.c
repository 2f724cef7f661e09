/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers of clouds by themselves: which request in which phase, and what each answer means. The
 * real services are in tests/integration/test_vim_*.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/vim.h"

#define NOW_US 1795000000000000LL

static struct actuator_run *run_of(const char *type, const char *action, const char *args)
{
    struct actuator_run *r = calloc(1, sizeof(*r));
    json_t *a = json_loads(args, 0, NULL);
    assert_non_null(r);
    assert_non_null(a);
    (void)snprintf(r->id, sizeof(r->id), "0f0e0d0c-0000-4000-8000-000000000001");
    r->plan = json_pack("[{s:s,s:s,s:s,s:o,s:i,s:i,s:i,s:i}]", "type", type, "cloud", "c",
                        "action", action, "args", a, "timeout_ms", 60000, "poll_ms", 100,
                        "retries", 2, "parallel", 4);
    r->phase = ACTUATOR_LANES;
    r->step_us = NOW_US;
    return r;
}

static struct actuator_lane *lane_of(struct actuator_run *r, const char *id,
                                     const char *facts)
{
    struct actuator_lane *lane;
    assert_int_equal(actuator_lanes_add(&r->lanes, id, &lane), HALE_OK);
    json_decref(lane->facts);
    lane->facts = json_loads(facts, 0, NULL);
    lane->call_us = NOW_US;
    lane->attempt = 1;
    r->lanes.found = true;
    return lane;
}

static void check_request(const struct actuator_run *r, const struct actuator_lane *lane,
                          const char *method, const char *url, const char *body)
{
    struct actuator_request q;
    assert_int_equal(actuator_step_lane_request(r, lane, NOW_US, &q), HALE_OK);
    assert_string_equal(q.method, method);
    assert_string_equal(q.url.p, url);
    assert_string_equal(q.body.p != NULL ? q.body.p : "", body);
    assert_string_equal(q.cloud, "c");
    actuator_request_fini(&q);
}

static struct actuator_decision told(struct actuator_run *r, struct actuator_lane *lane,
                                     enum hale_rc rc, bool sent, unsigned status,
                                     const char *body)
{
    struct actuator_decision d;
    const struct actuator_answer a = {.rc = rc,
                                      .sent = sent,
                                      .status = status,
                                      .body = hale_str_from(body),
                                      .error = rc == HALE_OK ? "" : "broken off"};
    actuator_vim_answer(r, lane, &a, NOW_US, &d);
    return d;
}

/* --- what is sent ------------------------------------------------------------------ */

static const struct {
    const char *action, *args, *facts, *body;
    int act;
} BODIES[] = {
    {"reset-state", "{\"server\":\"s\",\"state\":\"error\"}", "{}",
     "{\"os-resetState\":{\"state\":\"error\"}}", 0},
    {"evacuate", "{\"host\":\"h\"}", "{}", "{\"evacuate\":{}}", 0},
    {"evacuate", "{\"host\":\"h\",\"to\":\"b\"}", "{}", "{\"evacuate\":{\"host\":\"b\"}}",
     0},
    {"migrate", "{\"host\":\"h\"}", "{}", "{\"migrate\":null}", 0},
    {"migrate", "{\"host\":\"h\",\"to\":\"b\"}", "{}", "{\"migrate\":{\"host\":\"b\"}}",
     0},
    {"migrate", "{\"host\":\"h\"}", "{}", "{\"confirmResize\":null}", 1},
    {"live-migrate", "{\"host\":\"h\"}", "{}",
     "{\"os-migrateLive\":{\"host\":null,\"block_migration\":\"auto\"}}", 0},
    {"reboot", "{\"server\":\"s\",\"type\":\"SOFT\"}", "{}",
     "{\"reboot\":{\"type\":\"SOFT\"}}", 0},
    {"rebuild", "{\"server\":\"s\"}", "{\"image\":\"i\"}",
     "{\"rebuild\":{\"imageRef\":\"i\"}}", 0},
    {"rebuild", "{\"server\":\"s\",\"image\":\"j\"}", "{\"image\":\"i\"}",
     "{\"rebuild\":{\"imageRef\":\"j\"}}", 0},
    {"start", "{\"server\":\"s\"}", "{}", "{\"os-start\":null}", 0},
    {"stop", "{\"server\":\"s\"}", "{}", "{\"os-stop\":null}", 0},
};

static void test_nova_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        struct actuator_run *r = run_of("nova", BODIES[i].action, BODIES[i].args);
        struct actuator_lane *lane = lane_of(r, "vm1", BODIES[i].facts);
        lane->act = BODIES[i].act;
        lane->phase = ACTUATOR_CALL;
        check_request(r, lane, "POST", "/servers/vm1/action", BODIES[i].body);
        lane->phase = ACTUATOR_POLL;
        check_request(r, lane, "GET", "/servers/vm1", "");
        lane->phase = ACTUATOR_ASK;
        check_request(r, lane, "GET", "/servers/vm1/os-instance-actions", "");
        actuator_run_free(r);
    }
}

static void test_nova_services(void **state)
{
    static const char *const bodies[][2] = {
        {"force-down", "{\"forced_down\":true}"},
        {"force-up", "{\"forced_down\":false}"},
        {"enable", "{\"status\":\"enabled\"}"},
        {"disable", "{\"status\":\"disabled\",\"disabled_reason\":\"r\"}"}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct actuator_run *r =
            run_of("nova", bodies[i][0], "{\"host\":\"a b\",\"reason\":\"r\"}");
        check_request(r, NULL, "GET", "/os-services?binary=nova-compute&host=a%20b", "");
        struct actuator_decision d = told(
            r, NULL, HALE_OK, true, 200,
            "{\"services\":[{\"id\":\"x\",\"binary\":\"nova-compute\",\"host\":\"a\"},"
            "{\"id\":\"u-1\",\"binary\":\"nova-compute\",\"host\":\"a b\"}]}");
        assert_int_equal(d.end, ACTUATOR_STEP_DONE);
        assert_int_equal(r->lanes.n, 1);
        r->lanes.v[0].phase = ACTUATOR_CALL;
        check_request(r, &r->lanes.v[0], "PUT", "/os-services/u-1", bodies[i][1]);
        d = told(r, &r->lanes.v[0], HALE_OK, true, 200,
                 "{\"service\":{\"host\":\"a b\"}}");
        assert_int_equal(d.end, ACTUATOR_STEP_DONE);
        actuator_run_free(r);
    }
}

/* --- what answers mean ------------------------------------------------------------- */

#define VM(state, task, host)                                                            \
    "{\"server\":{\"OS-EXT-STS:vm_state\":\"" state "\",\"OS-EXT-STS:task_state\":" task \
    ",\"OS-EXT-SRV-ATTR:host\":\"" host "\",\"status\":\"S\"}}"
#define ACTIONS(name, time)                                                              \
    "{\"instanceActions\":[{\"action\":\"" name "\",\"start_time\":\"" time "\"}]}"
/* NOW_US is 2026-11-18T11:06:40Z */
#define JUST_NOW "2026-11-18T11:06:40.000000"
#define BEFORE   "2026-11-18T11:06:30.000000"

enum { GO = ACTUATOR_GOES_ON, OK = ACTUATOR_STEP_DONE, NO = ACTUATOR_STEP_FAILED };
static const struct {
    const char *action;
    int act, phase;
    enum hale_rc rc;
    bool sent;
    unsigned status;
    const char *body;
    int end, next;
    bool counts;
} ANSWERS[] = {
    /* calls */
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 200, "{}", GO, ACTUATOR_POLL, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 404, "{}", OK, 0, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 409, "{}", GO, ACTUATOR_CONFLICT,
     false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 400,
     "{\"badRequest\":{\"message\":\"Compute service of h is still in use.\"}}", GO,
     ACTUATOR_WAIT, true},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 400, "{}", NO, 0, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 403, "{}", NO, 0, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 401, "{}", NO, 0, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 406, "{}", NO, 0, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 503, "{}", GO, ACTUATOR_WAIT, true},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 429, "{}", GO, ACTUATOR_WAIT, true},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 500, "{}", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_OK, true, 502, "<html>", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_E_IO, false, 0, "", GO, ACTUATOR_WAIT, true},
    {"evacuate", 0, ACTUATOR_CALL, HALE_E_IO, true, 0, "", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_E_AGAIN, true, 0, "", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_CALL, HALE_E_DENIED, false, 0, "", NO, 0, false},
    {"reset-state", 0, ACTUATOR_CALL, HALE_OK, true, 202, "", OK, 0, false},
    {"reset-state", 0, ACTUATOR_CALL, HALE_E_AGAIN, true, 0, "", GO, ACTUATOR_WAIT, true},
    {"reset-state", 0, ACTUATOR_CALL, HALE_OK, true, 500, "", GO, ACTUATOR_WAIT, true},
    {"force-up", 0, ACTUATOR_CALL, HALE_OK, true, 400, "{}", GO, ACTUATOR_WAIT, false},
    {"force-down", 0, ACTUATOR_CALL, HALE_OK, true, 400, "{}", NO, 0, false},
    {"force-down", 0, ACTUATOR_CALL, HALE_OK, true, 200, "what?", GO, ACTUATOR_WAIT,
     true},
    /* has it begun? */
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 200, ACTIONS("evacuate", JUST_NOW), GO,
     ACTUATOR_POLL, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 200, ACTIONS("evacuate", BEFORE), GO,
     ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 200, ACTIONS("reboot", JUST_NOW), GO,
     ACTUATOR_ASK, false},
    {"live-migrate", 0, ACTUATOR_ASK, HALE_OK, true, 200,
     ACTIONS("live-migration", JUST_NOW), GO, ACTUATOR_POLL, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 200, "{}", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 404, "{}", OK, 0, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_E_AGAIN, true, 0, "", GO, ACTUATOR_ASK, false},
    {"evacuate", 0, ACTUATOR_ASK, HALE_OK, true, 503, "", GO, ACTUATOR_ASK, false},
    /* how is it? */
    {"evacuate", 0, ACTUATOR_POLL, HALE_OK, true, 200,
     VM("active", "\"rebuilding\"", "h"), GO, ACTUATOR_POLL, false},
    {"evacuate", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "b"), OK, 0,
     false},
    {"evacuate", 3, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "b"), OK, 0,
     false},
    {"evacuate", 3, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "h"), NO, 0,
     false},
    {"evacuate", 3, ACTUATOR_POLL, HALE_OK, true, 200, VM("error", "null", "b"), NO, 0,
     false},
    {"evacuate", 2, ACTUATOR_POLL, HALE_OK, true, 200, "{", GO, ACTUATOR_POLL, false},
    {"evacuate", 0, ACTUATOR_POLL, HALE_OK, true, 404, "{}", OK, 0, false},
    {"evacuate", 0, ACTUATOR_POLL, HALE_OK, true, 200, "{", GO, ACTUATOR_POLL, false},
    {"migrate", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("resized", "null", "b"), GO,
     ACTUATOR_WAIT, false},
    {"migrate", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "h"), NO, 0,
     false},
    {"migrate", 1, ACTUATOR_POLL, HALE_OK, true, 200, VM("resized", "null", "b"), GO,
     ACTUATOR_POLL, false},
    {"migrate", 1, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "b"), OK, 0,
     false},
    {"reboot", 0, ACTUATOR_POLL, HALE_OK, true, 200,
     VM("active", "\"rebooting_hard\"", "h"), GO, ACTUATOR_POLL, false},
    {"reboot", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("active", "null", "h"), OK, 0,
     false},
    {"reboot", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("error", "null", "h"), NO, 0,
     false},
    {"stop", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("stopped", "null", "h"), OK, 0,
     false},
    {"rebuild", 0, ACTUATOR_POLL, HALE_OK, true, 200, VM("stopped", "null", "h"), OK, 0,
     false},
    /* refused with 409: look */
    {"start", 0, ACTUATOR_CONFLICT, HALE_OK, true, 200, VM("active", "null", "h"), OK, 0,
     false},
    {"start", 0, ACTUATOR_CONFLICT, HALE_OK, true, 200,
     VM("stopped", "\"powering-on\"", "h"), GO, ACTUATOR_CONFLICT, false},
    {"start", 0, ACTUATOR_CONFLICT, HALE_OK, true, 200, VM("stopped", "null", "h"), GO,
     ACTUATOR_WAIT, true},
    {"evacuate", 0, ACTUATOR_CONFLICT, HALE_OK, true, 200, VM("active", "null", "h"), GO,
     ACTUATOR_CONFLICT, false},
    {"evacuate", 3, ACTUATOR_CONFLICT, HALE_OK, true, 200, VM("active", "null", "h"), GO,
     ACTUATOR_WAIT, true},
};

static void test_nova_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++) {
        struct actuator_run *r =
            run_of("nova", ANSWERS[i].action, "{\"host\":\"h\",\"state\":\"error\"}");
        struct actuator_lane *lane = lane_of(r, "vm1", "{\"host\":\"h\"}");
        lane->act = ANSWERS[i].act;
        lane->phase = ANSWERS[i].phase;
        struct actuator_decision d = told(r, lane, ANSWERS[i].rc, ANSWERS[i].sent,
                                          ANSWERS[i].status, ANSWERS[i].body);
        if ((int)d.end != ANSWERS[i].end ||
            (d.end == ACTUATOR_GOES_ON &&
             ((int)d.phase != ANSWERS[i].next || d.counts != ANSWERS[i].counts)))
            fail_msg("case %zu: end %d phase %d counts %d: %s", i, d.end, d.phase,
                     d.counts, d.text);
        actuator_run_free(r);
    }
}

#define MIGRATION(status) "{\"migrations\":[{\"status\":\"" status "\"}]}"

/* Nova sets a server active before it names the new host: only its migration says that it failed. */
static void test_a_server_that_rests_is_asked_for_its_migration(void **state)
{
    static const struct {
        const char *body;
        bool ended;
    } cases[] = {{MIGRATION("accepted"), false}, {MIGRATION("pre-migrating"), false},
                 {MIGRATION("done"), true},      {MIGRATION("failed"), true},
                 {MIGRATION("error"), true},     {"{\"migrations\":[]}", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_run *r = run_of("nova", "evacuate", "{\"host\":\"h\"}");
        struct actuator_lane *lane = lane_of(r, "vm1", "{\"host\":\"h\"}");
        lane->phase = ACTUATOR_POLL;
        struct actuator_decision d =
            told(r, lane, HALE_OK, true, 200, VM("active", "null", "h"));
        assert_int_equal(d.end, ACTUATOR_GOES_ON);
        check_request(
            r, lane, "GET",
            "/os-migrations?migration_type=evacuation&limit=1&instance_uuid=vm1", "");
        d = told(r, lane, HALE_OK, true, 200, cases[i].body);
        assert_int_equal(d.end, ACTUATOR_GOES_ON);
        assert_int_equal(d.phase, ACTUATOR_POLL);
        assert_int_equal(d.delay_us, cases[i].ended ? 0 : 100000);
        check_request(r, lane, "GET", "/servers/vm1", "");
        d = told(r, lane, HALE_OK, true, 200, VM("active", "null", "h"));
        assert_int_equal(d.end, cases[i].ended ? ACTUATOR_STEP_FAILED : ACTUATOR_GOES_ON);
        actuator_run_free(r);
    }
}

static void test_nova_servers_of_a_host(void **state)
{
    (void)state;
    struct actuator_run *r = run_of("nova", "stop", "{\"host\":\"h\"}");
    check_request(r, NULL, "GET", "/servers/detail?all_tenants=1&limit=500&host=h", "");
    struct actuator_decision d = told(r, NULL, HALE_OK, true, 200,
                                      "{\"servers\":["
                                      "{\"id\":\"a\",\"OS-EXT-STS:vm_state\":\"active\","
                                      "\"OS-EXT-SRV-ATTR:host\":\"h\"},"
                                      "{\"id\":\"b\",\"OS-EXT-STS:vm_state\":\"stopped\","
                                      "\"OS-EXT-SRV-ATTR:host\":\"h\"},"
                                      "{\"id\":\"c\",\"OS-EXT-STS:vm_state\":"
                                      "\"building\",\"OS-EXT-SRV-ATTR:host\":\"h\"},"
                                      "{\"id\":\"d\",\"OS-EXT-STS:vm_state\":\"active\","
                                      "\"OS-EXT-SRV-ATTR:host\":\"h2\"}]}");
    assert_int_equal(d.end, ACTUATOR_STEP_DONE);
    assert_int_equal(r->lanes.n, 2);
    assert_string_equal(r->lanes.v[0].id, "a");
    assert_int_equal(r->lanes.v[0].end, ACTUATOR_LANE_OPEN);
    assert_int_equal(r->lanes.v[1].end, ACTUATOR_LANE_GOOD); /* stopped already */
    actuator_run_free(r);
    /* without the admin role Nova ignores the host and says nothing of it: nothing may be touched */
    r = run_of("nova", "stop", "{\"host\":\"h\"}");
    d = told(r, NULL, HALE_OK, true, 200,
             "{\"servers\":[{\"id\":\"a\",\"OS-EXT-STS:vm_state\":\"active\"}]}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "admin role"));
    actuator_run_free(r);
    /* an id that is no id must not get into a path */
    r = run_of("nova", "stop", "{\"host\":\"h\"}");
    d = told(r, NULL, HALE_OK, true, 200,
             "{\"servers\":[{\"id\":\"../x\",\"OS-EXT-STS:vm_state\":\"active\","
             "\"OS-EXT-SRV-ATTR:host\":\"h\"}]}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    actuator_run_free(r);
}

static void test_pages_of_servers(void **state)
{
    struct hale_buf page;
    (void)state;
    struct actuator_run *r =
        run_of("nova", "reboot", "{\"host\":\"h\",\"type\":\"HARD\"}");
    hale_buf_init(&page, 1u << 20);
    hale_buf_add_c(&page, "{\"servers\":[");
    for (int i = 0; i < 500; i++)
        hale_buf_printf(&page,
                        "%s{\"id\":\"s%d\",\"OS-EXT-STS:vm_state\":\"active\","
                        "\"OS-EXT-SRV-ATTR:host\":\"h\"}",
                        i > 0 ? "," : "", i);
    hale_buf_add_c(&page, "]}");
    struct actuator_decision d = told(r, NULL, HALE_OK, true, 200, page.p);
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    check_request(r, NULL, "GET",
                  "/servers/detail?all_tenants=1&limit=500&host=h&marker=s499", "");
    d = told(r, NULL, HALE_OK, true, 200, "{\"servers\":[]}");
    assert_int_equal(d.end, ACTUATOR_STEP_DONE);
    assert_int_equal(r->lanes.n, 500);
    hale_buf_fini(&page);
    actuator_run_free(r);
}

static void test_limits(void **state)
{
    (void)state;
    struct actuator_run *r = run_of("nova", "evacuate", "{\"host\":\"h\"}");
    struct actuator_lane *lane = lane_of(r, "vm1", "{}");
    lane->phase = ACTUATOR_CALL;
    lane->failures = 2;
    struct actuator_decision d = told(r, lane, HALE_OK, true, 503, "{}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "given up after 3 tries"));
    lane->failures = 0;
    r->step_us = NOW_US - 59999000;
    d = told(r, lane, HALE_OK, true, 503, "{}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "not done within 60000 ms"));
    r->step_us = NOW_US;
    lane->phase = ACTUATOR_POLL;
    lane->queries = 0;
    for (int i = 0; i < 3; i++)
        d = told(r, lane, HALE_OK, true, 200, "[garbage");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    actuator_run_free(r);
}

static void test_unknown_calls_are_asked_for_some_time(void **state)
{
    (void)state;
    struct actuator_run *r = run_of("nova", "evacuate", "{\"host\":\"h\"}");
    struct actuator_lane *lane = lane_of(r, "a", "{}");
    struct actuator_decision d;
    lane->phase = ACTUATOR_ASK;
    for (int i = 0; i < VIM_ASK_MAX; i++) {
        d = told(r, lane, HALE_OK, true, 200, "{\"instanceActions\":[]}");
        assert_int_equal(d.end, ACTUATOR_GOES_ON);
        assert_int_equal(d.phase, i + 1 < VIM_ASK_MAX ? ACTUATOR_ASK : ACTUATOR_WAIT);
        assert_int_equal(d.counts, i + 1 == VIM_ASK_MAX);
    }
    actuator_run_free(r);
}

static void test_resume(void **state)
{
    (void)state;
    struct actuator_run *r = run_of("nova", "evacuate", "{\"host\":\"h\"}");
    assert_int_equal(actuator_vim_resume(r, lane_of(r, "a", "{}")), ACTUATOR_ASK);
    actuator_run_free(r);
    r = run_of("nova", "reset-state", "{\"host\":\"h\"}");
    assert_int_equal(actuator_vim_resume(r, lane_of(r, "a", "{}")), ACTUATOR_WAIT);
    actuator_run_free(r);
}

static void test_record(void **state)
{
    struct actuator_lanes back;
    (void)state;
    struct actuator_run *r = run_of("nova", "evacuate", "{\"host\":\"h\"}");
    for (int i = 0; i < 5; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "vm%d", i);
        struct actuator_lane *lane = lane_of(r, id, "{\"host\":\"h\"}");
        lane->phase = i; /* WAIT .. POLL */
        lane->end = (enum actuator_lane_end)(i % 3);
    }
    json_t *o = actuator_lanes_encode(&r->lanes);
    assert_non_null(o);
    assert_int_equal(actuator_lanes_decode(o, &back), HALE_OK);
    assert_int_equal(back.n, 5);
    assert_true(back.found);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(back.v[i].id, r->lanes.v[i].id);
        assert_int_equal(back.v[i].phase, r->lanes.v[i].phase);
        assert_int_equal(back.v[i].end, r->lanes.v[i].end);
        assert_string_equal(actuator_lane_fact(&back.v[i], "host"), "h");
    }
    actuator_lanes_fini(&back);
    json_t *item = json_array_get(json_object_get(o, "items"), 2);
    assert_int_equal(json_object_set_new(item, "phase", json_string("settle")), 0);
    assert_int_equal(actuator_lanes_decode(o, &back), HALE_E_INVAL);
    json_decref(o);
    struct actuator_lane *lane;
    assert_int_equal(actuator_lanes_add(&r->lanes, "", &lane), HALE_E_INVAL);
    assert_int_equal(actuator_lanes_add(&r->lanes, "a/b", &lane), HALE_E_INVAL);
    actuator_run_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nova_bodies),
        cmocka_unit_test(test_nova_services),
        cmocka_unit_test(test_nova_answers),
        cmocka_unit_test(test_a_server_that_rests_is_asked_for_its_migration),
        cmocka_unit_test(test_nova_servers_of_a_host),
        cmocka_unit_test(test_pages_of_servers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_unknown_calls_are_asked_for_some_time),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
