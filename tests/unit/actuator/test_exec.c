/* SPDX-License-Identifier: Apache-2.0 */
/* The step `exec`: what is refused, what is run, and what its end means (actuator/exec.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/exec.h"
#include "actuator/policy_exec.h"
#include "actuator/template.h"
#include "model/yaml.h"

#define NOW_US 1795000000000000LL
#define HEAD   "policies:\n- name: p\n  alarm: {}\n  target: t\n  steps:\n  - exec:\n      "

static const struct {
    const char *text;
    int line;
    const char *words;
} BAD[] = {
    {HEAD "args: [a]\n", 7, "missing key 'command'"},
    {HEAD "command: fence\n", 7, "whole path"},
    {HEAD "command: /usr/bin/${x}\n", 7, "without variables"},
    {HEAD "command: /usr/bin/../sh\n", 7, "whole path"},
    {HEAD "command: /usr/bin/\n", 7, "whole path"},
    {HEAD "command: /f\n      args: --host x\n", 8, "nothing is split"},
    {HEAD "command: /f\n      args: [[a]]\n", 8, "an argument is a text"},
    {HEAD "command: /f\n      args: [\"${x\"]\n", 8, "bad variable"},
    {HEAD "command: /f\n      check: []\n", 8, "first of check"},
    {HEAD "command: /f\n      check: [\"${x}\"]\n", 8, "first of check"},
    {HEAD "command: /f\n      check: fence --status\n", 8, "nothing is split"},
    {HEAD "command: /f\n      input: '{a'\n", 8, "input is not JSON"},
    {HEAD "command: /f\n      input: '{\"a\": \"${b\"}'\n", 8, "bad variable"},
    {HEAD "command: /f\n      timeout: 5\n", 8, "needs a unit"},
    {HEAD "command: /f\n      retries: 21\n", 8, "between"},
    {HEAD "command: /f\n      idempotnt: true\n", 8, "did you mean 'idempotent'"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct actuator_policies *set = NULL;
        struct hale_err err;
        char text[512];
        if (actuator_policies_load(hale_str_from(BAD[i].text), "f", &set, &err) ==
            HALE_OK)
            fail_msg("taken: %s", BAD[i].text);
        (void)hale_err_str(&err, text, sizeof(text));
        if (strstr(text, BAD[i].words) == NULL || err.line != BAD[i].line)
            fail_msg("%s\nsays: %s", BAD[i].text, text);
    }
}

static struct actuator_policies *load(const char *text)
{
    struct actuator_policies *set = NULL;
    struct hale_err err = {.text = ""};
    if (actuator_policies_load(hale_str_from(text), "f", &set, &err) != HALE_OK)
        fail_msg("%s", err.text);
    return set;
}

static void test_plan(void **state)
{
    (void)state;
    char missing[ACTUATOR_NAME_MAX], *text;
    json_t *vars = json_pack("{s:s}", "h", "a b; $(id) ${h}"), *plan = NULL;
    struct actuator_policies *set =
        load(HEAD "command: /f\n      args: [\"--host=${h}\", \"\", 5]\n"
                  "      check: [/s, \"${h}\"]\n      input: '{\"h\": \"${h}\"}'\n");
    assert_int_equal(actuator_policy_plan(&set->v[0], vars, &plan, missing), HALE_OK);
    text = json_dumps(json_array_get(plan, 0), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text, "{\"argv\":[\"/f\",\"--host=a b; $(id) ${h}\",\"\",\"5\"],"
              "\"body\":{\"h\":\"a b; $(id) ${h}\"},\"check\":[\"/s\",\"a b; $(id) "
              "${h}\"],\"idempotent\":false,\"retries\":0,\"timeout_ms\":30000,\"type\":"
              "\"exec\"}");
    free(text);
    json_decref(plan);
    json_decref(vars);
    vars = json_object();
    assert_int_equal(actuator_policy_plan(&set->v[0], vars, &plan, missing),
                     HALE_E_NOTFOUND);
    assert_string_equal(missing, "h");
    json_decref(vars);
    actuator_policies_free(set);
}

static void test_which_are_allowed(void **state)
{
    (void)state;
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {.text = ""};
    struct hale_strings allowed = {0};
    struct actuator_policies *set = load(HEAD "command: /f\n      check: [/s]\n");
    const struct actuator_step *s = &set->v[0].step[0];
    assert_string_equal(actuator_policy_exec_missing(s, &allowed), "/f");
    assert_int_equal(hale_yaml_load(HALE_STR("[/f]"), "", &yaml, &err), HALE_OK);
    assert_int_equal(
        actuator_policy_read_allow_exec(hale_yaml_root(yaml), &allowed, &err), HALE_OK);
    hale_yaml_free(yaml);
    assert_string_equal(actuator_policy_exec_missing(s, &allowed), "/s");
    assert_int_equal(hale_yaml_load(HALE_STR("/s"), "", &yaml, &err), HALE_OK);
    assert_int_equal(
        actuator_policy_read_allow_exec(hale_yaml_root(yaml), &allowed, &err), HALE_OK);
    hale_yaml_free(yaml);
    assert_null(actuator_policy_exec_missing(s, &allowed));
    assert_int_equal(hale_yaml_load(HALE_STR("[bin/f]"), "", &yaml, &err), HALE_OK);
    assert_int_equal(
        actuator_policy_read_allow_exec(hale_yaml_root(yaml), &allowed, &err),
        HALE_E_INVAL);
    hale_yaml_free(yaml);
    for (unsigned i = 0; i < allowed.n; i++)
        free(allowed.v[i]);
    free(allowed.v);
    actuator_policies_free(set);
}

static const char STEP[] =
    "{\"type\":\"exec\",\"argv\":[\"/f\",\"a\"],\"check\":[\"/s\"],"
    "\"body\":{\"x\":1},\"timeout_ms\":500,\"retries\":2}";

static struct actuator_run *run_of(const char *step)
{
    struct actuator_run *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->plan = json_pack("[o]", json_loads(step, 0, NULL));
    (void)snprintf(r->id, sizeof(r->id), "11111111-2222-8333-8444-555555555555");
    r->phase = ACTUATOR_CALL;
    r->token = 42;
    r->attempt = 1;
    return r;
}

static const char *env_of(const struct actuator_request *q, const char *key)
{
    return json_string_value(json_object_get(q->headers, key));
}

static void test_request(void **state)
{
    (void)state;
    struct actuator_run *r = run_of(STEP);
    struct actuator_request q;
    assert_int_equal(actuator_step_request(r, NOW_US, &q), HALE_OK);
    assert_string_equal(q.method, "EXEC");
    assert_string_equal(q.url.p, "/f");
    assert_int_equal(json_array_size(q.argv), 2);
    assert_int_equal(q.timeout_ms, 500);
    assert_string_equal(q.body.p, "{\"x\":1}");
    assert_string_equal(env_of(&q, "HALE_RUN_ID"), r->id);
    assert_string_equal(env_of(&q, "HALE_STEP"), "0");
    assert_string_equal(env_of(&q, "HALE_FENCING_TOKEN"), "42");
    assert_string_equal(env_of(&q, "HALE_IDEMPOTENCY_KEY"),
                        "11111111-2222-8333-8444-555555555555-0");
    assert_int_equal(json_object_size(q.headers), 4);
    actuator_request_fini(&q);
    r->phase = ACTUATOR_ASK;
    assert_int_equal(actuator_step_request(r, NOW_US, &q), HALE_OK);
    assert_string_equal(q.method, "CHECK");
    assert_string_equal(q.url.p, "/s");
    actuator_request_fini(&q);
    actuator_run_free(r);
}

static struct actuator_decision hear(struct actuator_run *r, enum hale_rc rc, int code,
                                     int signal, const char *output)
{
    struct actuator_decision d;
    const struct actuator_answer a = {.rc = rc,
                                      .sent = true,
                                      .status = (unsigned)code,
                                      .signal = signal,
                                      .body = hale_str_from(output),
                                      .error = rc != HALE_OK ? "not over" : ""};
    actuator_step_answer(r, &a, NOW_US, NULL, NULL, &d);
    if (d.end == ACTUATOR_GOES_ON) {
        r->phase = d.phase;
        r->failures += d.counts ? 1 : 0;
    }
    assert_true(d.note);
    return d;
}

static void test_ends(void **state)
{
    (void)state;
    struct actuator_run *r = run_of(STEP);
    struct actuator_decision d =
        hear(r, HALE_OK, 0, 0, "one\nfenced \x1b\xff \xc3\xa9\n\n");
    assert_int_equal(d.end, ACTUATOR_STEP_DONE);
    assert_string_equal(d.text, "exit code 0: \"fenced ?? \xc3\xa9\"");
    d = hear(r, HALE_OK, 3, 0, "");
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    assert_int_equal(d.phase, ACTUATOR_WAIT);
    assert_true(d.counts && d.delay_us > 0);
    assert_string_equal(d.text, "exit code 3");
    d = hear(r, HALE_OK, 0, 9, "");
    assert_string_equal(d.text, "killed by signal 9");
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    d = hear(r, HALE_E_AGAIN, 0, 15, "slow\n");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_true(d.timed_out);
    assert_string_equal(d.text,
                        "given up after 3 tries, the last one: not over: \"slow\"");
    actuator_run_free(r);

    r = run_of("{\"type\":\"exec\",\"argv\":[\"/f\"],\"timeout_ms\":500,\"retries\":0}");
    d = hear(r, HALE_OK, 1, 0, "");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_false(d.timed_out);
    assert_string_equal(d.text, "exit code 1");
    r->phase = ACTUATOR_CALL;
    assert_int_equal(hear(r, HALE_E_DENIED, 0, 0, "").end, ACTUATOR_STEP_FAILED);
    actuator_run_free(r);
}

static void test_lost_answers(void **state)
{
    (void)state;
    struct actuator_run *r =
        run_of("{\"type\":\"exec\",\"argv\":[\"/f\"],\"idempotent\":false}");
    assert_non_null(strstr(actuator_exec_resume(r), "outcome unknown"));
    actuator_run_free(r);
    r = run_of("{\"type\":\"exec\",\"argv\":[\"/f\"],\"idempotent\":true}");
    assert_null(actuator_exec_resume(r));
    assert_int_equal(r->phase, ACTUATOR_WAIT);
    actuator_run_free(r);
    r = run_of(STEP);
    assert_null(actuator_exec_resume(r));
    assert_int_equal(r->phase, ACTUATOR_ASK);
    assert_int_equal(hear(r, HALE_OK, 0, 0, "").end, ACTUATOR_STEP_DONE);
    struct actuator_decision d = hear(r, HALE_OK, 2, 0, "");
    assert_int_equal(d.phase, ACTUATOR_ASK);
    assert_true(!d.counts && d.delay_us > 0);
    d = hear(r, HALE_E_AGAIN, 0, 0, "");
    assert_int_equal(d.phase, ACTUATOR_ASK);
    d = hear(r, HALE_OK, 2, 0, "?");
    assert_int_equal(d.end, ACTUATOR_STEP_FAILED);
    assert_non_null(strstr(d.text, "outcome unknown"));
    r->phase = ACTUATOR_ASK;
    d = hear(r, HALE_OK, 1, 0, "");
    assert_int_equal(d.end, ACTUATOR_GOES_ON);
    assert_int_equal(d.phase, ACTUATOR_WAIT);
    assert_int_equal(r->queries, 0);
    actuator_run_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_which_are_allowed),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_lost_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
