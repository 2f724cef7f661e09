/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario files: what they refuse, and that a verdict says what differs, where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/scenario_run.h"

#define DEFINITION                                                                       \
    "alarm_definitions:\n"                                                               \
    "- {name: hot, expression: last(temp) > 50, match_by: [hostname]}\n"
#define SERIES(values)                                                                   \
    "series:\n"                                                                          \
    "- {metric: temp, dimensions: {hostname: h1}, interval: 10s, values: " values "}\n"

/* The text of the error, or the verdict's, into dst. */
static void judge(const char *text, char *dst, size_t size)
{
    struct cli_scenario *s = NULL;
    struct cli_verdict v;
    struct hale_err err = {0};
    if (cli_scenario_read(hale_str_from(text), "s.yaml", &s, &err) != HALE_OK) {
        (void)hale_err_str(&err, dst, size);
        return;
    }
    if (cli_scenario_run(s, false, &v, &err) != HALE_OK)
        (void)hale_err_str(&err, dst, size);
    else
        (void)snprintf(dst, size, "%u/%u %s", v.failed, v.expected,
                       v.text.p != NULL ? v.text.p : "");
    cli_verdict_fini(&v);
    cli_scenario_free(s);
}

struct example {
    const char *text;
    const char *says; /* must be in it */
};

static void run_examples(const struct example *examples, size_t n)
{
    char got[4096];
    for (size_t i = 0; i < n; i++) {
        judge(examples[i].text, got, sizeof(got));
        if (strstr(got, examples[i].says) == NULL)
            fail_msg("%s\nexpected: %s\ngot: %s", examples[i].text, examples[i].says,
                     got);
    }
}

#define POLICIES                                                                         \
    "policies:\n"                                                                        \
    "- {name: heal, mode: approve, alarm: {definition: hot}, target: 't/${hostname}', "  \
    "steps: [webhook: {url: 'http://h/'}]}\n"
#define SCALING                                                                          \
    "scaling:\n"                                                                         \
    "- {name: web, mode: auto, target: t, every: 10s, track: {query: a, value: 50}, "    \
    "size: {query: b}, min: 1, max: 9, warm_up: 0s, scale_out: [webhook: {url: "         \
    "'http://h/'}]}\n"

static void test_people_refused(void **state)
{
    static const struct example examples[] = {
        {"do:\n- {at: 1s, approve: heal}\n", "s.yaml:2: there is no policy 'heal'"},
        {POLICIES "do:\n- {at: 1s, approve: {polic: heal}}\n", "did you mean 'policy'?"},
        {POLICIES "do:\n- {at: 1s, approve: heal, reject: heal}\n", "one command"},
        {POLICIES "do:\n- {at: 1s, approve: heal}\n",
         "s.yaml:4: there is no run that this can be said about at this time"},
        {POLICIES "do:\n- {at: 1s, abort: {policy: heal, target: t/h2}}\n",
         "s.yaml:4: there is no run"},
        {POLICIES "do:\n- {at: 1s, switch_on: everything}\n",
         "no scope of a kill switch"},
        {POLICIES "do:\n- {at: 1s, switch_on: policy/hea}\n", "no policy 'hea'"},
        {POLICIES "do:\n- {at: 1s, switch_off: all}\n", "this kill switch is not on"},
        {POLICIES "do:\n- {at: 1s, unlatch: heal}\n", "the policy is not latched"},
        {DEFINITION POLICIES SERIES("60 60") /* said twice: the second one is too late */
         "do:\n- {at: 3s, approve: heal}\n- {at: 3s, reject: heal}\n",
         "s.yaml:9: there is no run"},
        {"expect:\n- journal: [{at: 1s, row: born}]\n", "no rows of kind 'born'"},
        {"expect:\n- journal: [{at: 1s, row: call, guards: {cooldown: maybe}}]\n",
         "cooldown: yes (allowed) or no"},
        {SCALING "looks:\n- {policy: wep, size: 1, metric: 1}\n",
         "s.yaml:4: there is no scaling policy 'wep'"},
        {SCALING "looks:\n- {policy: web, size: 1}\n", "either metric or load"},
        {SCALING "looks:\n- {policy: web, metric: 1}\n", "either size or sizes"},
        {SCALING "looks:\n- {policy: web, size: 1, metric: 1 x}\n",
         "s.yaml:4: metric, character 3"},
        {SCALING "policies_file: x\n", "either policies and scaling or policies_file"},
        {"rules: /nowhere/x.yml\n", "/nowhere/x.yml"},
        {"rules: {fil: x}\n", "did you mean 'file'?"},
        {"rules: [[x]]\n", "the name of a file is wanted here"},
    };
    (void)state;
    run_examples(examples, sizeof(examples) / sizeof(examples[0]));
}

/* What is expected of the journal and does not come is told, with what came. */
static void test_journal(void **state)
{
    static const struct example examples[] = {
        {DEFINITION POLICIES SERIES("60 60") "do:\n- {at: 3s, approve: heal}\n"
                                             "expect:\n- others: yes\n  journal:\n"
                                             "  - {at: 0s, row: proposed, policy: heal}\n"
                                             "  - {at: 3s, row: approved}\n",
         "0/1"},
        {DEFINITION POLICIES SERIES("60 60") "expect:\n- journal:\n"
                                             "  - {at: 0s, row: proposed, guards: "
                                             "{cooldown: no}}\n",
         "+ 0s heal hot{hostname=h1} proposed  t/h1"},
        {DEFINITION POLICIES SERIES("60 60") "expect:\n- journal:\n"
                                             "  - {at: 0s, row: proposed, guards: "
                                             "{cooldown: yes, lease: yes}}\n",
         "0/1"},
        {SCALING "length: 1m\nlooks:\n- {policy: web, size: 2, metric: 100}\n"
                 "expect:\n- actions: [{at: 0s, policy: web, outcome: verified}]\n",
         "0/1"}, /* what was seen before the change counts no longer */
        {SCALING "length: 1m\nlooks:\n- {policy: web, interval: 10s, size: 2, metric: "
                 "100x9}\nexpect:\n- actions:\n"
                 "  - {at: 0s, policy: web, steps: ['http://h/'], outcome: verified}\n"
                 "  - {at: 10s, policy: web, verdict: suppressed, guard: cooldown}\n"
                 "  - {at: 30s, policy: web, outcome: verified}\n"
                 "  - {at: 40s, policy: web, verdict: suppressed}\n"
                 "  - {at: 1m, policy: web, outcome: verified}\n",
         "0/1"}, /* the cooldown of 30 s */
        {SCALING "length: 1m\nlooks:\n- {policy: web, interval: 10s, sizes: '2 _x9', "
                 "load: 200x9}\nexpect:\n- actions:\n"
                 "  - {at: 0s, policy: web, outcome: verified}\n",
         "0/1"}, /* without a size nothing */
    };
    (void)state;
    run_examples(examples, sizeof(examples) / sizeof(examples[0]));
}

static void test_refused(void **state)
{
    static const struct example examples[] = {
        {"serie: []\n", "s.yaml:1: unknown key 'serie' - did you mean 'series'?"},
        {"series:\n- {metric: m, values: 1 x}\n",
         "s.yaml:2: values, character 3: 'x' is not a value"},
        {"series:\n- {metric: m}\n", "s.yaml:2: either values or samples"},
        {"series:\n- {metric: m, samples: [[1s, 2], [x, 3]]}\n",
         "s.yaml:2: a time and a value are wanted here, like [90s, 7.5]"},
        {"series: {metric: m}\n", "series: a list is wanted here"},
        {"events:\n- {at: 1s, typ: x}\n", "unknown key 'typ' - did you mean 'type'?"},
        {"events:\n- {at: 1, type: x}\n", "at"},
        {"do:\n- {at: 1s}\n", "s.yaml:2: one command is wanted here"},
        {"do:\n- {at: 1s, restart: corelator}\n", "did you mean 'correlator'?"},
        {"do:\n- {at: 1s, restart: all, undefine: x}\n", "one command is wanted here"},
        {"expect:\n- {alarms: []}\n", "alarms want a time"},
        {"expect:\n- {at: 1s, notifications: []}\n", "'at' belongs to each line"},
        {"expect:\n- {at: 1s}\n",
         "one of alarms, notifications, transitions, actions and journal"},
        {"expect:\n- at: 1s\n  alarms: [{alarm: x, state: BAD}]\n", "s.yaml:3:"},
        {"expect:\n- at: 1s\n  alarms: [{alarm: '{a=b}'}]\n",
         "an alarm's name is wanted"},
        {"expect:\n- at: 1s\n  alarms: [{alarm: 'x{a}'}]\n", "does not name an alarm"},
        {"length: 1s\nexpect:\n- at: 2s\n  alarms: []\n",
         "s.yaml:3: this lies behind the scenario's length"},
        {"topology: [{type: vm}]\n", "s.yaml:1: topology: put[0].id"},
        {"do:\n- {at: 1s, topology: {putt: []}}\n",
         "topology wants put, patch or delete"},
        {"correlator: {flap_windw: 1s}\n", "did you mean 'flap_window'?"},
        {"do:\n- {at: 1s, silence: {matchers: [a], for: 1h}}\n", "s.yaml:2: "},
        {"do:\n- {at: 1s, silence: {matchers: [a=b], fro: 1h}}\n", "s.yaml:2: "},
        {"do:\n- {at: 1s, maintenance: x}\n", "a map with matchers"},
        {"do:\n- {at: 1s, end: x}\n", "there is no silence or window of this id"},
        {"start: today\n", "s.yaml:1: start: a time like 2024-01-01T00:00:00Z"},
        {"definitions: no-such-file.yaml\n", "no-such-file.yaml"},
        {"policies: []\npolicies_file: x\n", "not both"},
        {"alarm_definitions:\n- {name: a, expression: avg(x) >}\n", "s.yaml:2:"},
        {"series:\n- {metric: 'a(b', values: 1}\n", "s.yaml:2: "},
        {"do:\n- {at: 1s, delete: {alarm: x}}\n",
         "s.yaml:2: there is no such alarm at this time"},
        {"do:\n- {at: 1s, undefine: x}\n", "s.yaml:2: there is no such definition"},
    };
    (void)state;
    run_examples(examples, sizeof(examples) / sizeof(examples[0]));
}

static void test_verdicts(void **state)
{
    static const struct example examples[] = {
        {"", "0/0"},
        {DEFINITION SERIES(
             "60 60 10") "expect:\n- at: 10s\n  alarms: [{alarm: hot, state: "
                         "ALARM, severity: LOW, reason: '60.0'}]\n",
         "0/1"},
        {DEFINITION SERIES("60 60 10") "expect:\n- at: 20s\n  alarms:\n"
                                       "  - {alarm: 'hot{hostname=h1}', state: ALARM}\n",
         "s.yaml:8: hot{hostname=h1}: state: expected 'ALARM', got 'OK'"},
        {DEFINITION SERIES("60") "expect:\n- at: 20s\n  alarms:\n"
                                 "  - {alarm: hot, group: {hostname: h2}}\n",
         "s.yaml:8: hot{hostname=h2}: expected an alarm, got 0"},
        {DEFINITION SERIES(
             "60") "expect:\n- at: 20s\n  alarms: [{alarm: hot, absent: yes}]\n",
         "expected no such alarm, got 1"},
        {DEFINITION SERIES(
             "60") "expect:\n- at: 20s\n  alarms: [{alarm: hot, count: 2}]\n",
         "expected 2 of them, got 1"},
        {DEFINITION SERIES("60") "expect:\n- at: 20s\n  others: no\n  alarms: []\n",
         "not expected: hot{hostname=h1} ALARM"},
        {DEFINITION SERIES("60 10") "expect:\n- notifications:\n"
                                    "  - {at: 0s, alarm: hot, state: ALARM}\n"
                                    "  - {at: 10s, alarm: hot, state: OK}\n",
         "0/1"},
        {DEFINITION SERIES("60 10") "expect:\n- notifications:\n"
                                    "  - {at: 0s, alarm: hot, state: ALARM}\n",
         "    + 10s hot{hostname=h1} ALARM -> OK LOW"},
        {DEFINITION SERIES("60 60") "expect:\n- notifications:\n"
                                    "  - {at: 0s, alarm: hot, state: ALARM}\n"
                                    "  - {at: 5s, within: 5s, alarm: hot, state: OK}\n",
         "    - 5s to 10s hot OK   (s.yaml:8)"},
        {DEFINITION SERIES("60 10 60") "expect:\n- notifications:\n"
                                       "  - {at: 10s, alarm: hot, state: OK}\n"
                                       "  others: yes\n",
         "0/1"},
        {DEFINITION SERIES("60 10 60") "expect:\n- from: 5s\n  to: 15s\n  transitions:\n"
                                       "  - {at: 10s, alarm: hot, old_state: ALARM}\n",
         "0/1"},
        /* In order: the same lines the other way round are not the same. */
        {DEFINITION SERIES("60 10") "expect:\n- notifications:\n"
                                    "  - {at: 10s, alarm: hot, state: OK}\n"
                                    "  - {at: 0s, alarm: hot, state: ALARM}\n",
         "1/1"},
        {"length: 1m\nevents:\n- {at: 1s, type: fan, dimensions: {f: a}, expires: 10s}\n"
         "expect:\n- notifications:\n"
         "  - {at: 1s, alarm: 'fan{f=a}', state: ALARM, severity: HIGH}\n"
         "  - {at: 11s, alarm: fan, state: OK}\n",
         "0/1"},
    };
    (void)state;
    run_examples(examples, sizeof(examples) / sizeof(examples[0]));
}

#define POLICY                                                                           \
    "policies:\n- name: heal\n  mode: %s\n  alarm: {definition: hot}\n"                  \
    "  target: host/${hostname}\n  cooldown: 1m\n  steps:\n"                             \
    "  - webhook: {url: 'http://vnfm.example/heal/${hostname}', timeout: 5s, retries: "  \
    "0}\n"                                                                               \
    "  verify: {alarm: cleared, within: 30s}\n"
#define EXPECT_ACTIONS "expect:\n- actions:\n"

static void judge_policy(const char *mode, const char *rest, const char *says)
{
    char text[4096], got[4096];
    int n = snprintf(text, sizeof(text), POLICY "%s", mode, rest);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    judge(text, got, sizeof(got));
    if (strstr(got, says) == NULL)
        fail_msg("%s\nexpected: %s\ngot: %s", text, says, got);
}

static void test_actions(void **state)
{
    (void)state;
    judge_policy(
        "observe",
        DEFINITION SERIES("60 60") EXPECT_ACTIONS
        "  - {at: 0s, policy: heal, alarm: hot, mode: observe, verdict: observed,"
        " target: host/h1, steps: ['POST http://vnfm.example/heal/h1'], calls: "
        "0}\n",
        "0/1");
    /* Clears in time; the next one meets the cooldown. */
    judge_policy("auto",
                 "length: 2m\n" DEFINITION SERIES("60 60 10 60") EXPECT_ACTIONS
                 "  - {at: 0s, policy: heal, verdict: triggered, calls: 1, outcome: "
                 "verified}\n"
                 "  - {at: 30s, policy: heal, verdict: suppressed, guard: cooldown}\n",
                 "0/1");
    /* Does not clear. */
    judge_policy("auto",
                 "length: 2m\n" DEFINITION SERIES("60x9") EXPECT_ACTIONS
                 "  - {at: 0s, policy: heal, calls: 1, outcome: failed}\n",
                 "0/1");
    /* The one who is called refuses. */
    judge_policy(
        "auto",
        "length: 2m\nanswers: [{url: /heal/, status: 404}]\n" DEFINITION SERIES("60x9")
            EXPECT_ACTIONS "  - {at: 0s, policy: heal, outcome: verified}\n",
        "    + 0s heal hot{hostname=h1} triggered  auto host/h1 failed");
}

/* All that is written between two restarts at any moment is what is written without one. */
static void test_restarts(void **state)
{
    static const char *const parts[] = {"thresholds", "correlator", "actuator", "all"};
    static const char base[] =
        "length: 5m\nalarm_definitions:\n"
        "- {name: a, expression: 'avg(temp, 30) > 50 for 20s', match_by: [hostname]}\n"
        "- {name: b, expression: 'max(temp, 30) > 50 times 2 and count(temp, 30) > 1', "
        "match_by: [hostname]}\n"
        "- {name: c, expression: 'absent(temp, 40)', match_by: [hostname]}\n"
        "series:\n- {metric: temp, dimensions: {hostname: h1}, interval: 10s, values: "
        "60x6 _x6 10x4 70x5}\n"
        "events:\n- {at: 15s, type: fan, dimensions: {f: a}, expires: 100s}\n";
    char text[2048];
    char *plain = NULL;
    (void)state;
    for (int at = -1; at < 240; at += 7) {
        struct cli_scenario *s = NULL;
        struct cli_verdict v;
        struct hale_err err = {0};
        (void)snprintf(text, sizeof(text), "%sdo:\n- {at: %ds, restart: %s}\n", base,
                       at < 0 ? 0 : at, parts[at < 0 ? 2 : at % 4]);
        assert_int_equal(cli_scenario_read(hale_str_from(text), "s.yaml", &s, &err),
                         HALE_OK);
        assert_int_equal(cli_scenario_run(s, true, &v, &err), HALE_OK);
        /* The course without the line of the restart itself. */
        char *line = strstr(v.timeline.p, "restart");
        while (line != NULL) {
            char *begin = line;
            while (begin > v.timeline.p && begin[-1] != '\n')
                begin--;
            char *end = strchr(line, '\n') + 1;
            memmove(begin, end, strlen(end) + 1);
            line = strstr(v.timeline.p, "restart");
        }
        if (plain == NULL)
            plain = strdup(v.timeline.p);
        assert_non_null(strstr(plain, "a{hostname=h1}  UNDETERMINED -> ALARM"));
        assert_non_null(strstr(plain, "fan{f=a}  ALARM -> OK"));
        assert_string_equal(v.timeline.p, plain);
        cli_verdict_fini(&v);
        cli_scenario_free(s);
    }
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_people_refused),
        cmocka_unit_test(test_journal), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_actions), cmocka_unit_test(test_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
