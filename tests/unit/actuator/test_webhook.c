/* SPDX-License-Identifier: Apache-2.0 */
/* What a webhook's answer means, and what is polled then (actuator/webhook.h). Crashes: test_engine.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/policy.h"
#include "actuator/webhook.h"

#define NOW_US 1795000000000000LL

/* A run whose only step is what the policy's webhook becomes. */
static struct actuator_run *run_of(const char *step)
{
    char text[2048], missing[256];
    struct actuator_policies *p = NULL;
    struct hale_err err;
    struct actuator_run *r = calloc(1, sizeof(*r));
    json_t *vars = json_pack("{s:s,s:s}", "vnf", "v/1", "evil", "${answer:/id}");
    assert_non_null(r);
    (void)snprintf(
        text, sizeof(text),
        "policies:\n- name: p\n  alarm: {definition: d}\n  target: t\n  steps:\n"
        "  - webhook: {url: \"https://h:8443/a/jobs?x=1\", %s}\n",
        step);
    if (actuator_policies_load(hale_str_from(text), "f", &p, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    assert_int_equal(actuator_policy_plan(&p->v[0], vars, &r->plan, missing), HALE_OK);
    json_decref(vars);
    actuator_policies_free(p);
    (void)snprintf(r->id, sizeof(r->id), "11111111-2222-8333-8444-555555555555");
    r->step_us = r->call_us = NOW_US;
    r->phase = ACTUATOR_CALL;
    r->attempt = 1;
    return r;
}

static struct actuator_decision hear_at(struct actuator_run *r, int64_t now_us,
                                        unsigned status, const char *body,
                                        const char *location)
{
    struct actuator_decision d;
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .sent = true,
                                      .status = status,
                                      .body = hale_str_from(body),
                                      .location = hale_str_from(location),
                                      .error = ""};
    actuator_step_answer(r, &a, now_us, NULL, NULL, &d);
    if (d.end == ACTUATOR_GOES_ON) {
        r->phase = d.phase;
        r->failures += d.counts ? 1 : 0;
    }
    return d;
}

static struct actuator_decision hear(struct actuator_run *r, unsigned status,
                                     const char *body)
{
    return hear_at(r, NOW_US, status, body, "");
}

static void test_statuses(void **state)
{
    static const struct {
        const char *step;
        unsigned status;
        enum actuator_end end;
    } cases[] = {{"method: PUT", 200, ACTUATOR_STEP_DONE},
                 {"method: PUT", 299, ACTUATOR_STEP_DONE},
                 {"method: PUT", 302, ACTUATOR_STEP_FAILED},
                 {"method: PUT", 404, ACTUATOR_STEP_FAILED},
                 {"method: PUT", 503, ACTUATOR_GOES_ON},
                 {"success: [200-299, 404]", 404, ACTUATOR_STEP_DONE},
                 {"success: [200-299, 404]", 204, ACTUATOR_STEP_DONE},
                 {"success: [200-299, 404]", 403, ACTUATOR_STEP_FAILED},
                 {"success: 201", 201, ACTUATOR_STEP_DONE},
                 {"success: 201", 200, ACTUATOR_STEP_FAILED},
                 {"success: 201", 500, ACTUATOR_GOES_ON},
                 {"success: \"500 - 503\"", 503, ACTUATOR_STEP_DONE}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_run *r = run_of(cases[i].step);
        if (hear(r, cases[i].status, "").end != cases[i].end)
            fail_msg("%s: %u", cases[i].step, cases[i].status);
        actuator_run_free(r);
    }
}

static void test_an_answer_that_does_not_hold_it(void **state)
{
    (void)state;
    struct actuator_run *r =
        run_of("expect: {/result: [ok, \"done ${vnf}\"]}, retries: 1");
    struct actuator_decision d = hear(r, 200, "{\"result\":\"no\"}");
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    assert_int_equal(d.phase, ACTUATOR_WAIT);
    assert_string_equal(d.text,
                        "answered 200, but /result is \"no\", not \"ok\" or the like");
    r->phase = ACTUATOR_CALL;
    d = hear(r, 200, "<html>");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "given up after 2 tries"));
    assert_non_null(strstr(d.text, "the answer is not JSON"));
    r->failures = 0;
    r->phase = ACTUATOR_CALL;
    assert_int_equal(hear(r, 200, "{\"result\":\"done v/1\"}").end, ACTUATOR_STEP_DONE);
    actuator_run_free(r);
}

static void followed(struct actuator_run *r, const char *url)
{
    struct actuator_request q;
    assert_int_equal(r->phase, ACTUATOR_POLL);
    assert_string_equal(r->follow, url);
    assert_int_equal(actuator_step_request(r, NOW_US, &q), HALE_OK);
    assert_string_equal(q.method, "GET");
    assert_string_equal(q.url.p, url);
    assert_int_equal(q.body.len, 0);
    assert_null(json_object_get(q.headers, "Idempotency-Key"));
    actuator_request_fini(&q);
}

static void test_where_locations_lead(void **state)
{
    static const struct {
        const char *location, *url; /* NULL: nowhere */
    } cases[] = {{"/j/1", "https://h:8443/j/1"},
                 {"j/1?y=2#z", "https://h:8443/a/j/1?y=2"},
                 {"https://h:8443/j/1", "https://h:8443/j/1"},
                 {"HTTPS://H:8443/j/1", "HTTPS://H:8443/j/1"},
                 {"https://h/j/1", NULL},
                 {"http://h:8443/j/1", NULL},
                 {"https://other:8443/j", NULL},
                 {"https://u@h:8443/j", NULL},
                 {"//h:8443/j/1", NULL},
                 {"/j 1", NULL},
                 {"/j\\1", NULL},
                 {"file:///etc/passwd", NULL},
                 {"", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_run *r = run_of("until: {success: 200}");
        struct actuator_decision d = hear_at(r, NOW_US, 202, "", cases[i].location);
        if ((d.end == ACTUATOR_GOES_ON) != (cases[i].url != NULL))
            fail_msg("%s: %s", cases[i].location, d.text);
        if (cases[i].url != NULL)
            followed(r, cases[i].url);
        actuator_run_free(r);
    }
}

static void test_where_answers_lead(void **state)
{
    static const struct {
        const char *body, *url;
    } cases[] = {
        {"{\"id\":7}", "http://o/v%2F1/7/$%7B"},
        {"{\"id\":\"a/../b?\"}", "http://o/v%2F1/a%2F..%2Fb%3F/$%7B"},
        {"{\"id\":\"..\"}", NULL},
        {"{\"id\":\"\"}", NULL},
        {"{\"id\":null}", NULL},
        {"{\"id\":{}}", NULL},
        {"[]", NULL},
        {"", NULL},
        {"{\"id\":\"${answer:/id}\"}", "http://o/v%2F1/%24%7Banswer%3A%2Fid%7D/$%7B"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_run *r = run_of(
            "until: {url: \"http://o/${vnf}/${answer:/id}/$%7B\", expect: {/s: x}}");
        struct actuator_decision d = hear(r, 200, cases[i].body);
        if ((d.end == ACTUATOR_GOES_ON) != (cases[i].url != NULL))
            fail_msg("%s: %s", cases[i].body, d.text);
        if (cases[i].url != NULL)
            followed(r, cases[i].url);
        actuator_run_free(r);
    }
    struct actuator_run *r = /* what an alarm says is no variable */
        run_of("until: {url: \"http://o/${evil}/$${x}\", expect: {/s: x}}");
    (void)hear(r, 200, "{\"id\":7}");
    followed(r, "http://o/%24%7Banswer%3A%2Fid%7D/${x}");
    actuator_run_free(r);
}

/* Headers and tokens of the step stay at its host. */
static void test_secrets_stay_where_they_belong(void **state)
{
    struct actuator_request q;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct actuator_run *r =
            run_of(i == 0 ? "headers: {X-Key: k}, token_file: /t, until: {success: 200}"
                          : "headers: {X-Key: k}, token_file: /t, "
                            "until: {url: \"https://other/x\", success: 200}");
        (void)hear_at(r, NOW_US, 202, "", "/j");
        assert_int_equal(actuator_step_request(r, NOW_US, &q), HALE_OK);
        assert_string_equal(q.token_file, i == 0 ? "/t" : "");
        assert_true((json_object_get(q.headers, "X-Key") != NULL) == (i == 0));
        actuator_request_fini(&q);
        actuator_run_free(r);
    }
}

static struct actuator_run *polling(void)
{
    struct actuator_run *r =
        run_of("until: {every: 2s, within: 60s, expect: {/s: [UP, DONE]}, "
               "fail: {/s: [ERROR, \"FAIL*\"], /error/code: \"*\"}}");
    (void)hear_at(r, NOW_US, 202, "", "/j/1");
    assert_int_equal(r->phase, ACTUATOR_POLL);
    assert_int_equal(r->follow_us, NOW_US);
    return r;
}

static void test_polling(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        enum actuator_end end;
    } cases[] = {{200, "{\"s\":\"DONE\"}", ACTUATOR_STEP_DONE},
                 {200, "{\"s\":\"BUILD\"}", ACTUATOR_GOES_ON},
                 {202, "", ACTUATOR_GOES_ON},
                 {200, "not yet", ACTUATOR_GOES_ON},
                 {503, "", ACTUATOR_GOES_ON},
                 {429, "", ACTUATOR_GOES_ON},
                 {404, "", ACTUATOR_STEP_FAILED},
                 {302, "", ACTUATOR_STEP_FAILED},
                 {200, "{\"s\":\"ERROR\"}", ACTUATOR_STEP_FAILED},
                 {500, "{\"s\":\"FAILED\"}", ACTUATOR_STEP_FAILED},
                 {200, "{\"s\":\"DONE\",\"error\":{\"code\":1}}", ACTUATOR_STEP_FAILED}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_run *r = polling();
        struct actuator_decision d = hear(r, cases[i].status, cases[i].body);
        if (d.end != cases[i].end)
            fail_msg("%u %s: %s", cases[i].status, cases[i].body, d.text);
        if (d.end == ACTUATOR_GOES_ON) {
            assert_int_equal(d.phase, ACTUATOR_POLL);
            assert_true(d.delay_us >= 2000000);
            assert_false(d.counts);
        }
        actuator_run_free(r);
    }
}

static void test_polling_has_its_own_time(void **state)
{
    (void)state;
    struct actuator_run *r = polling();
    struct actuator_decision d =
        hear_at(r, NOW_US + 57000000, 200, "{\"s\":\"BUILD\"}", "");
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    d = hear_at(r, NOW_US + 59000000, 200, "{\"s\":\"BUILD\"}", "");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out);
    assert_string_equal(d.text, "not done within 60000 ms; last: /s is \"BUILD\", not "
                                "\"UP\" or the like");
    actuator_run_free(r);
}

static void test_the_record_carries_it(void **state)
{
    struct actuator_run *r = polling(), *again = NULL;
    struct hale_buf text;
    (void)state;
    r->policy = strdup("p");
    r->vars = json_object();
    hale_buf_init(&text, 65536);
    assert_int_equal(actuator_run_encode(r, &text), HALE_OK);
    assert_int_equal(actuator_run_decode(hale_buf_str(&text), &again), HALE_OK);
    assert_string_equal(again->follow, "https://h:8443/j/1");
    assert_int_equal(again->follow_us, NOW_US);
    assert_int_equal(again->phase, ACTUATOR_POLL);
    assert_true(actuator_step_deadline_us(again) == NOW_US + 60000000);
    hale_buf_fini(&text);
    actuator_run_free(r);
    actuator_run_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_an_answer_that_does_not_hold_it),
        cmocka_unit_test(test_where_locations_lead),
        cmocka_unit_test(test_where_answers_lead),
        cmocka_unit_test(test_secrets_stay_where_they_belong),
        cmocka_unit_test(test_polling),
        cmocka_unit_test(test_polling_has_its_own_time),
        cmocka_unit_test(test_the_record_carries_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
