/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to managers of life cycles and what their answers mean (actuator/lcm.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/lcm.h"

#define NOW_US  1795000000000000LL
#define STEP_US (NOW_US - 1000000)
#define NOW_ISO "2026-11-18T11:06:40Z"

static struct actuator_run *run_of(const char *step)
{
    struct actuator_run *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->plan = json_pack("[o]", json_loads(step, 0, NULL));
    assert_non_null(r->plan);
    (void)snprintf(r->id, sizeof(r->id), "11111111-2222-8333-8444-555555555555");
    r->step_us = r->call_us = STEP_US;
    r->phase = ACTUATOR_CALL;
    r->attempt = 1;
    return r;
}

static bool taken(const char *op_id, void *arg)
{
    return arg != NULL && strcmp(op_id, arg) == 0;
}

static struct actuator_decision hear(struct actuator_run *r, unsigned status,
                                     const char *body, const char *location, void *other)
{
    struct actuator_decision d;
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .sent = true,
                                      .status = status,
                                      .body = hale_str_from(body),
                                      .location = hale_str_from(location),
                                      .error = ""};
    actuator_step_answer(r, &a, NOW_US, taken, other, &d);
    if (d.end == ACTUATOR_GOES_ON) {
        r->phase = d.phase;
        r->failures += d.counts ? 1 : 0;
    }
    return d;
}

static struct actuator_decision nothing(struct actuator_run *r, bool sent)
{
    struct actuator_decision d;
    const struct actuator_answer a = {
        .rc = HALE_E_AGAIN, .sent = sent, .error = "timed out"};
    actuator_step_answer(r, &a, NOW_US, taken, NULL, &d);
    r->phase = d.phase;
    return d;
}

static const char HEAL[] =
    "{\"type\":\"vnflcm\",\"url\":\"http://h:1/root//\",\"operation\":"
    "\"heal\",\"vnf\":\"v/1\",\"body\":{\"cause\":\"c\"},\"timeout_ms\":"
    "60000,\"poll_ms\":1000,\"retries\":2}";

/* --- requests ---------------------------------------------------------------------- */

struct wanted {
    enum actuator_phase phase;
    const char *method, *url;
};

static void check_requests(const char *step, const struct wanted *wanted, size_t n,
                           const char *version)
{
    struct actuator_run *r = run_of(step);
    (void)snprintf(r->op_occ, sizeof(r->op_occ), "op-1");
    (void)snprintf(r->settle, sizeof(r->settle), "retry");
    for (size_t i = 0; i < n; i++) {
        struct actuator_request q;
        r->phase = wanted[i].phase;
        assert_int_equal(actuator_step_request(r, NOW_US, &q), HALE_OK);
        assert_string_equal(q.url.p, wanted[i].url);
        assert_string_equal(q.method, wanted[i].method);
        assert_string_equal(json_string_value(json_object_get(q.headers, "Version")),
                            version);
        actuator_request_fini(&q);
    }
    actuator_run_free(r);
}

static void test_requests(void **state)
{
    static const struct wanted vnf[] = {
        {ACTUATOR_CALL, "POST", "http://h:1/root/vnflcm/v2/vnf_instances/v%2F1/heal"},
        {ACTUATOR_ASK, "GET",
         "http://h:1/root/vnflcm/v2/"
         "vnf_lcm_op_occs?filter=(eq,vnfInstanceId,v%2F1)&all_fields"},
        {ACTUATOR_CONFLICT, "GET",
         "http://h:1/root/vnflcm/v2/vnf_lcm_op_occs?filter=(eq,vnfInstanceId,v%2F1);(in,"
         "operationState,STARTING,PROCESSING,ROLLING_BACK,FAILED_TEMP)"},
        {ACTUATOR_POLL, "GET", "http://h:1/root/vnflcm/v2/vnf_lcm_op_occs/op-1"},
        {ACTUATOR_SETTLE, "POST",
         "http://h:1/root/vnflcm/v2/vnf_lcm_op_occs/op-1/retry"}};
    static const struct wanted ns[] = {
        {ACTUATOR_CALL, "POST", "http://h/nslcm/v1/ns_instances/n/scale"},
        {ACTUATOR_ASK, "GET",
         "http://h/nslcm/v1/ns_lcm_op_occs?filter=(eq,nsInstanceId,n)&all_fields"},
        {ACTUATOR_POLL, "GET", "http://h/nslcm/v1/ns_lcm_op_occs/op-1"}};
    static const struct wanted way[] = {
        {ACTUATOR_CALL, "POST",
         "http://h/server_notification/vnf_instances/v/servers/..%2Fs/notify"},
        {ACTUATOR_POLL, "GET", "http://h/vnflcm/v2/vnf_lcm_op_occs/op-1"}};
    (void)state;
    check_requests(HEAL, vnf, 5, "2.0.0");
    check_requests(
        "{\"type\":\"nslcm\",\"url\":\"http://h\",\"api\":\"v1\",\"operation\":"
        "\"scale\",\"ns\":\"n\",\"body\":{},\"timeout_ms\":60000}",
        ns, 3, "1.4.0");
    check_requests(
        "{\"type\":\"vnflcm\",\"url\":\"http://h/\",\"version\":\"2.9.0\",\"operation\":"
        "\"heal\",\"vnf\":\"v\",\"body\":{},\"timeout_ms\":60000,\"call\":{\"way\":"
        "\"notification\",\"server\":\"../s\",\"body\":{}}}",
        way, 2, "2.9.0");
}

static void test_instances_are_told_apart(void **state)
{
    (void)state;
    struct actuator_run *a = run_of(HEAL);
    struct actuator_run *b = run_of("{\"type\":\"vnflcm\",\"url\":\"http://h:1/root\","
                                    "\"operation\":\"scale\",\"vnf\":\"v/1\"}");
    struct actuator_run *c = run_of("{\"type\":\"vnflcm\",\"url\":\"http://h:1/root\","
                                    "\"operation\":\"heal\",\"vnf\":\"v/2\"}");
    assert_true(actuator_lcm_instance(a) == actuator_lcm_instance(b));
    assert_true(actuator_lcm_instance(a) != actuator_lcm_instance(c));
    actuator_run_free(a);
    actuator_run_free(b);
    actuator_run_free(c);
}

/* --- FAILED_TEMP ------------------------------------------------------------------- */

/* Where the operation is after each word, and what it is told next. */
static void told(struct actuator_run *r, const char *entered, const char *expected)
{
    char body[200];
    r->phase = ACTUATOR_POLL;
    (void)snprintf(body, sizeof(body),
                   "{\"operationState\":\"FAILED_TEMP\",\"stateEnteredTime\":\"%s\"}",
                   entered);
    struct actuator_decision d = hear(r, 200, body, "", NULL);
    if (d.end != ACTUATOR_GOES_ON || d.phase != ACTUATOR_SETTLE ||
        strcmp(r->settle, expected) != 0)
        fail_msg("expected %s, got %s: %s", expected, r->settle, d.text);
    assert_true(d.note); /* it is written down before it is sent */
}

static struct actuator_run *failing(int64_t mask)
{
    struct actuator_run *r = run_of(HEAL);
    json_t *step = json_array_get(r->plan, 0);
    assert_int_equal(json_object_set_new(step, "failed_temp", json_integer(mask)), 0);
    (void)snprintf(r->op_occ, sizeof(r->op_occ), "op-1");
    return r;
}

static void test_words_for_failed_temp(void **state)
{
    (void)state;
    struct actuator_run *r = failing(ACTUATOR_LCM_RETRY | ACTUATOR_LCM_ROLLBACK);
    told(r, "t1", "retry");
    hear(r, 202, "", "", NULL);
    told(r, "t2", "retry");
    hear(r, 202, "", "", NULL);
    told(r, "t3", "rollback"); /* both retries are used up */
    hear(r, 202, "", "", NULL);
    told(r, "t4", "fail"); /* it could not be rolled back */
    hear(r, 200, "", "", NULL);
    r->phase = ACTUATOR_POLL;
    struct actuator_decision d =
        hear(r, 200, "{\"operationState\":\"FAILED\"}", "", NULL);
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    actuator_run_free(r);
}

static void test_refused_words_are_not_said_again(void **state)
{
    (void)state;
    struct actuator_run *r = failing(ACTUATOR_LCM_RETRY | ACTUATOR_LCM_ROLLBACK);
    told(r, "t1", "retry");
    hear(r, 404, "", "", NULL);
    assert_string_equal(r->settle, "rollback");
    assert_int_equal(r->phase, ACTUATOR_SETTLE);
    hear(r, 405, "", "", NULL);
    assert_string_equal(r->settle, "fail");
    struct actuator_decision d = hear(r, 400, "{\"detail\":\"no\"}", "", NULL);
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "refused to fail with 400: no"));
    actuator_run_free(r);
}

static void test_a_word_that_was_not_heard(void **state)
{
    (void)state;
    struct actuator_run *r = failing(ACTUATOR_LCM_RETRY);
    told(r, "t1", "retry");
    assert_int_equal(r->failures, 1);
    r->phase = ACTUATOR_SETTLE;
    assert_int_equal(actuator_lcm_resume(r), ACTUATOR_POLL);
    told(r, "t1", "retry"); /* the same failure: it has not arrived */
    assert_int_equal(r->failures, 1);
    told(r, "t2", "retry"); /* another: it has, and has failed again */
    assert_int_equal(r->failures, 2);
    hear(r, 202, "", "", NULL);
    struct actuator_decision d =
        hear(r, 200, "{\"operationState\":\"FAILED_TEMP\",\"stateEnteredTime\":\"t2\"}",
             "", NULL);
    assert_int_equal(d.phase, ACTUATOR_POLL); /* taken, but it takes its time */
    actuator_run_free(r);
}

static void test_times_that_are_not_told(void **state)
{
    (void)state;
    struct actuator_run *r = failing(ACTUATOR_LCM_RETRY);
    told(r, "", "retry");
    hear(r, 202, "", "", NULL);
    hear(r, 200, "{\"operationState\":\"PROCESSING\"}", "", NULL);
    told(r, "", "retry");
    assert_int_equal(r->failures, 2);
    actuator_run_free(r);
}

static void test_fail_alone_repeats_the_call(void **state)
{
    (void)state;
    struct actuator_run *r = failing(0);
    told(r, "t1", "fail");
    hear(r, 200, "", "", NULL);
    r->phase = ACTUATOR_POLL;
    struct actuator_decision d =
        hear(r, 200, "{\"operationState\":\"FAILED\"}", "", NULL);
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    assert_int_equal(d.phase, ACTUATOR_WAIT);
    assert_true(d.counts);
    actuator_run_free(r);
}

/* --- questions --------------------------------------------------------------------- */

#define OP(id, kind, vnf, state, params)                                                 \
    "{\"id\":\"" id "\",\"operation\":\"" kind "\",\"vnfInstanceId\":\"" vnf             \
    "\",\"operationState\":\"" state "\",\"startTime\":\"" NOW_ISO                       \
    "\",\"operationParams\":" params "}"

static void ask(const char *step, const char *list, void *other, const char *found)
{
    struct actuator_run *r = run_of(step);
    r->call_us = NOW_US;
    r->phase = ACTUATOR_ASK;
    struct actuator_decision d = hear(r, 200, list, "", other);
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    if (strcmp(r->op_occ, found) != 0)
        fail_msg("found '%s', not '%s': %s", r->op_occ, found, d.text);
    actuator_run_free(r);
}

static void test_which_operation_is_ours(void **state)
{
    static const char ours[] =
        "[" OP("o1", "HEAL", "v/1", "PROCESSING", "{\"cause\":\"c\"}") "]";
    static const char alert[] =
        "{\"type\":\"vnflcm\",\"url\":\"http://h\",\"operation\":\"heal\",\"vnf\":\"v/"
        "1\","
        "\"body\":{\"vnfcInstanceId\":[\"b\"]},\"timeout_ms\":60000,\"poll_ms\":1000,"
        "\"retries\":2,\"appear_ms\":1000,\"call\":{\"way\":\"auto_healing\",\"body\":{}}"
        "}";
    (void)state;
    ask(HEAL, ours, NULL, "o1");
    ask(HEAL, ours, (void *)(uintptr_t) "o1", ""); /* another run's */
    ask(HEAL, "[" OP("o1", "SCALE", "v/1", "PROCESSING", "{}") "]", NULL, "");
    ask(HEAL, "[" OP("o1", "HEAL", "v/2", "PROCESSING", "{}") "]", NULL, "");
    ask(HEAL, "[" OP("o1", "HEAL", "v/1", "PROCESSING", "{\"cause\":\"d\"}") "]", NULL,
        "");
    ask(HEAL, "[" OP("../x", "HEAL", "v/1", "PROCESSING", "null") "]", NULL, "");
    ask(alert,
        "[" OP("o1", "HEAL", "v/1", "PROCESSING",
               "{\"vnfcInstanceId\":[\"a\",\"b\"]}") "]",
        NULL, "o1"); /* gathered with another */
    ask(alert,
        "[" OP("o1", "HEAL", "v/1", "PROCESSING", "{\"vnfcInstanceId\":[\"a\"]}") "]",
        NULL, "");
}

/* The manager's clock is a minute behind: our operation seems to have begun before the call. */
static void test_a_clock_that_is_behind(void **state)
{
    struct actuator_answer a = {
        .rc = HALE_OK,
        .status = 200,
        .error = "",
        .body = hale_str_from(
            "[" OP("o1", "HEAL", "v/1", "PROCESSING", "{\"cause\":\"c\"}") "]")};
    struct actuator_decision d;
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct actuator_run *r = run_of(HEAL);
        r->call_us = NOW_US + 60000000;
        r->phase = ACTUATOR_ASK;
        a.behind_ms = known ? 60000 : 0;
        actuator_step_answer(r, &a, NOW_US, taken, NULL, &d);
        assert_string_equal(r->op_occ, known ? "o1" : "");
        actuator_run_free(r);
    }
}

static void test_who_holds_the_instance(void **state)
{
    (void)state;
    struct actuator_run *r = run_of(HEAL);
    r->phase = ACTUATOR_CONFLICT; /* the list is not filtered */
    struct actuator_decision d =
        hear(r, 200,
             "[" OP("o1", "HEAL", "v/1", "COMPLETED",
                    "{}") "," OP("o2", "HEAL", "v/2", "PROCESSING", "{}") "]",
             "", NULL);
    assert_int_equal(d.phase, ACTUATOR_WAIT);
    r->phase = ACTUATOR_CONFLICT;
    d = hear(r, 200, "[" OP("o3", "SCALE", "v/1", "FAILED_TEMP", "{}") "]", "", NULL);
    assert_int_equal(d.phase, ACTUATOR_CONFLICT);
    assert_non_null(strstr(d.text, "operation o3 (SCALE) is FAILED_TEMP"));
    actuator_run_free(r);
}

static void test_calls(void **state)
{
    static const struct {
        unsigned status;
        const char *location;
        enum actuator_end end;
        enum actuator_phase phase;
    } rows[] = {
        {202, "http://other/x/vnf_lcm_op_occs/o1", ACTUATOR_GOES_ON, ACTUATOR_POLL},
        {202, "http://other/x/vnf_lcm_op_occs/", ACTUATOR_STEP_FAILED, ACTUATOR_WAIT},
        {200, "", ACTUATOR_STEP_FAILED, ACTUATOR_WAIT},
        {204, "", ACTUATOR_STEP_FAILED, ACTUATOR_WAIT},
        {400, "", ACTUATOR_STEP_FAILED, ACTUATOR_WAIT},
        {409, "", ACTUATOR_GOES_ON, ACTUATOR_CONFLICT},
        {429, "", ACTUATOR_GOES_ON, ACTUATOR_WAIT},
        {500, "", ACTUATOR_GOES_ON, ACTUATOR_ASK},
        {503, "", ACTUATOR_GOES_ON, ACTUATOR_WAIT}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_run *r = run_of(HEAL);
        struct actuator_decision d = hear(r, rows[i].status, "", rows[i].location, NULL);
        assert_int_equal(d.end, rows[i].end);
        if (d.end == ACTUATOR_GOES_ON)
            assert_int_equal(d.phase, rows[i].phase);
        actuator_run_free(r);
    }
    struct actuator_run *r = run_of(HEAL);
    assert_int_equal(nothing(r, false).phase, ACTUATOR_WAIT);
    r->phase = ACTUATOR_CALL;
    assert_int_equal(nothing(r, true).phase, ACTUATOR_ASK);
    r->phase = ACTUATOR_CALL;
    assert_int_equal(actuator_lcm_resume(r), ACTUATOR_ASK);
    actuator_run_free(r);
}

/* --- an operation that takes too long ------------------------------------------------ */

static struct actuator_decision see(struct actuator_run *r, int64_t now_us,
                                    const char *op)
{
    struct actuator_decision d;
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .sent = true,
                                      .status = 200,
                                      .body = hale_str_from(op),
                                      .error = ""};
    r->phase = ACTUATOR_POLL;
    actuator_step_answer(r, &a, now_us, taken, NULL, &d);
    if (d.end == ACTUATOR_GOES_ON)
        r->phase = d.phase;
    return d;
}

#define AT_WORK "{\"operationState\":\"PROCESSING\"}"
#define LATE_US (STEP_US + 60000000)

static struct actuator_run *late(const char *mode, int64_t mask)
{
    struct actuator_run *r = failing(mask);
    assert_int_equal(
        json_object_set_new(json_array_get(r->plan, 0), "cancel", json_string(mode)), 0);
    struct actuator_decision d = see(r, LATE_US - 2000000, AT_WORK);
    assert_int_equal(d.phase, ACTUATOR_POLL);
    d = see(r, LATE_US, AT_WORK);
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    assert_int_equal(d.phase, ACTUATOR_SETTLE);
    assert_string_equal(r->settle, "cancel");
    assert_true(d.note && !d.counts && r->cancel_us == LATE_US);
    return r;
}

static void test_what_takes_too_long_is_cancelled(void **state)
{
    struct actuator_request q;
    (void)state;
    struct actuator_run *r = late("GRACEFUL", ACTUATOR_LCM_RETRY | ACTUATOR_LCM_ROLLBACK);
    assert_int_equal(actuator_step_request(r, LATE_US, &q), HALE_OK);
    assert_string_equal(q.method, "POST");
    assert_string_equal(q.url.p, "http://h:1/root/vnflcm/v2/vnf_lcm_op_occs/op-1/cancel");
    assert_string_equal(q.body.p, "{\"cancelMode\":\"GRACEFUL\"}");
    actuator_request_fini(&q);
    assert_int_equal(hear(r, 202, "", "", NULL).phase, ACTUATOR_POLL);
    struct actuator_decision d = see(r, LATE_US + 1000000, AT_WORK);
    assert_int_equal(d.phase, ACTUATOR_POLL);
    told(r, "t1", "rollback"); /* retry is no choice */
    hear(r, 202, "", "", NULL);
    d = see(r, LATE_US + 2000000, "{\"operationState\":\"ROLLED_BACK\"}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out);
    actuator_run_free(r);

    r = late("FORCEFUL", ACTUATOR_LCM_FAIL);
    hear(r, 202, "", "", NULL);
    told(r, "t1", "fail");
    hear(r, 200, "", "", NULL);
    d = see(r, LATE_US + 1000000, "{\"operationState\":\"FAILED\"}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED); /* the call is not repeated */
    assert_true(d.timed_out);
    actuator_run_free(r);
}

static void test_a_cancel_that_comes_too_late_or_not_at_all(void **state)
{
    (void)state;
    struct actuator_run *r = late("GRACEFUL", 0);
    hear(r, 409, "", "", NULL);
    struct actuator_decision d =
        see(r, LATE_US + 1000000, "{\"operationState\":\"COMPLETED\"}");
    assert_int_equal(d.end, ACTUATOR_STEP_DONE);
    actuator_run_free(r);

    r = late("GRACEFUL", 0); /* not answered: the state tells */
    assert_int_equal(actuator_lcm_resume(r), ACTUATOR_POLL);
    d = see(r, LATE_US + 1000000, AT_WORK);
    assert_int_equal(d.phase, ACTUATOR_SETTLE);
    assert_true(d.note);
    d = see(r, LATE_US + 1000000,
            "{\"operationState\":\"PROCESSING\",\"isCancelPending\":true}");
    assert_int_equal(d.phase, ACTUATOR_POLL);
    d = see(r, LATE_US + 60000000,
            "{\"operationState\":\"PROCESSING\",\"isCancelPending\":true}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED); /* it has had as much time again */
    assert_true(d.timed_out);
    actuator_run_free(r);

    r = late("GRACEFUL", 0);
    d = hear(r, 404, "{\"detail\":\"no task cancel\"}", "", NULL);
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out);
    assert_non_null(strstr(d.text, "refused to cancel with 404: no task cancel"));
    actuator_run_free(r);
}

static void test_what_is_left_alone(void **state)
{
    (void)state;
    struct actuator_run *r = failing(0); /* the plan does not say it */
    struct actuator_decision d = see(r, LATE_US, AT_WORK);
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out && r->cancel_us == 0);
    actuator_run_free(r);
    r = failing(ACTUATOR_LCM_ROLLBACK); /* it is on its way back already */
    assert_int_equal(json_object_set_new(json_array_get(r->plan, 0), "cancel",
                                         json_string("FORCEFUL")),
                     0);
    d = see(r, LATE_US, "{\"operationState\":\"ROLLING_BACK\"}");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out && r->cancel_us == 0);
    actuator_run_free(r);
}

static void test_records(void **state)
{
    (void)state;
    struct actuator_run *r = failing(ACTUATOR_LCM_RETRY), *back = NULL;
    struct hale_buf text;
    r->policy = strdup("p");
    r->tenant = strdup("t");
    r->alarm_id = strdup("a");
    r->alarm_name = strdup("n");
    r->target = strdup("x");
    r->vars = json_object();
    told(r, "t1", "retry");
    r->looked = true;
    r->cancel_us = 5;
    hale_buf_init(&text, 1u << 20);
    assert_int_equal(actuator_run_encode(r, &text), HALE_OK);
    assert_int_equal(actuator_run_decode(hale_buf_str(&text), &back), HALE_OK);
    assert_string_equal(back->settle, "retry");
    assert_string_equal(back->settle_seen, "t1");
    assert_true(back->looked && back->cancel_us == 5);
    assert_false(back->settled);
    hale_buf_fini(&text);
    actuator_run_free(back);
    actuator_run_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_instances_are_told_apart),
        cmocka_unit_test(test_words_for_failed_temp),
        cmocka_unit_test(test_refused_words_are_not_said_again),
        cmocka_unit_test(test_a_word_that_was_not_heard),
        cmocka_unit_test(test_times_that_are_not_told),
        cmocka_unit_test(test_fail_alone_repeats_the_call),
        cmocka_unit_test(test_which_operation_is_ours),
        cmocka_unit_test(test_a_clock_that_is_behind),
        cmocka_unit_test(test_who_holds_the_instance),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_what_takes_too_long_is_cancelled),
        cmocka_unit_test(test_a_cancel_that_comes_too_late_or_not_at_all),
        cmocka_unit_test(test_what_is_left_alone),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
