/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/policy.h"
#include "actuator/template.h"

#define HEAD "policies:\n- name: p\n  alarm: {definition: d}\n  target: t\n"
#define STEP "  steps:\n  - webhook: {url: \"http://h/\"}\n"

static const struct {
    const char *text;
    int line;
    const char *words; /* part of the message */
} BAD[] = {
    {"policie: []\n", 1, "did you mean 'policies'"},
    {"policies: 5\n", 1, "must be a list"},
    {"policies:\n- name: p\n", 2, "missing"},
    {HEAD, 2, "steps"},
    {HEAD "  stepz: []\n" STEP, 5, "did you mean 'steps'"},
    {HEAD "  mode: autoo\n" STEP, 5, "did you mean 'auto'"},
    {HEAD "  mode: sugest\n" STEP, 5, "did you mean 'suggest'"},
    {HEAD "  cooldown: 30\n" STEP, 5, "needs a unit"},
    {HEAD "  frequency: {max: 0, per: 1h}\n" STEP, 5, "between"},
    {HEAD "  frequency: {max: 3}\n" STEP, 5, "per"},
    {HEAD "  verify: {alarm: gone}\n" STEP, 5, "cleared"},
    {HEAD "  steps: []\n", 5, "at least one step"},
    {HEAD "  steps:\n  - {}\n", 6, "exactly one of"},
    {HEAD "  steps:\n  - webhok: {url: x}\n", 6, "did you mean 'webhook'"},
    {HEAD "  steps:\n  - heat: {cloud: c, action: scale, stack: s, parameter: p}\n", 6,
     "exactly one of 'value|by'"},
    {HEAD "  steps:\n  - mistral: {cloud: c, action: execute, workflow: w, input: [a]}\n",
     6, "input"},
    {HEAD "  steps:\n  - senlin: {cloud: c, action: recover, cluster: x, count: 2}\n", 6,
     "'count' does not belong to action recover"},
    {HEAD "  steps:\n  - nova: {action: start, server: x}\n", 6, "missing key 'cloud'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: force-dwn, host: x}\n", 6,
     "did you mean 'force-down'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: start, sever: x}\n", 6,
     "did you mean 'server'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: force-down}\n", 6, "needs key 'host'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: evacuate}\n", 6,
     "exactly one of 'server|host'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: evacuate, host: a, server: b}\n", 6,
     "exactly one of 'server|host'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: force-down, host: a, to: b}\n", 6,
     "'to' does not belong to action force-down"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: reboot, host: a, type: HART}\n", 6,
     "did you mean 'HARD'"},
    {HEAD "  steps:\n  - nova: {cloud: c, action: stop, host: \"${x\"}\n", 6,
     "bad variable"},
    {HEAD "  steps:\n  - webhook:\n      url: ftp://x/\n", 7, "http:// or https://"},
    {HEAD "  steps:\n  - webhook:\n      url: http://u:p@x/\n", 7, "user information"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      body: '{\"a\": ${b}}'\n",
     8, "not JSON"},
    {HEAD
     "  steps:\n  - webhook:\n      url: http://x/\n      body: '{\"a\": \"${b\"}'\n",
     8, "bad variable"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      headers: {\"a b\": c}\n",
     8, "not a header name"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      success: [99]\n", 8,
     "write 404"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      success: [299-200]\n", 8,
     "neither a status nor a range"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      success: ok\n", 8,
     "write 404 or 200-299"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: [a]\n", 8,
     "map of JSON pointers"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: {status: ok}\n", 8,
     "write '/status'"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: {/a: {b: c}}\n", 8,
     "point at what is inside"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: {/a: []}\n", 8,
     "names no value"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: {/a: \"${b\"}\n",
     8, "bad variable"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      expect: {/a~b: c}\n", 8,
     "'~' is written '~0'"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {every: 1s}\n", 8,
     "until needs expect"},
    {HEAD
     "  steps:\n  - webhook:\n      url: http://x/\n      until: {expects: {/a: b}}\n",
     8, "did you mean 'expect'"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {success: 200, "
          "every: 2m, within: 1m}\n",
     8, "every must not be longer"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {success: 200, "
          "url: \"http://${answer:/h}/\"}\n",
     8, "may not choose the host"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {success: 200, "
          "url: \"http://h/${answer:id}\"}\n",
     8, "write '/id'"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {success: 200, "
          "url: \"ftp://h/\"}\n",
     8, "http:// or https://"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: {success: 200, "
          "method: POST}\n",
     8, "method"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      until: 5s\n", 8, "map"},
    {HEAD "  steps:\n  - nslcm:\n      url: http://x/\n      operation: scale\n      "
          "ns_instance_id: n\n      scale_ns: {aspect_id: a, number_of_steps: 0}\n",
     10, "number_of_steps must be 1 to 100, or a variable"},
    {HEAD "  steps:\n  - nslcm:\n      url: http://x/\n      operation: scale\n      "
          "ns_instance_id: n\n      scale_ns: {scale_info: {a: b}}\n",
     10, "from 0, or a variable"},
    {HEAD "  steps:\n  - vnflcm:\n      url: http://x/\n      operation: heal\n      "
          "vnf_instance_id: n\n      on_timeout_cancel: gracefull\n",
     10, "did you mean 'graceful'"},
    {HEAD "  steps:\n  - webhook:\n      url: http://x/\n      method: POTS\n", 8,
     "POST"},
    {HEAD "  steps:\n  - vnflcm:\n      url: http://x\n      operation: heel\n", 8,
     "heal"},
    {HEAD "  steps:\n  - vnflcm:\n      url: http://x\n      operation: heal\n", 7,
     "vnf_instance_id"},
    {HEAD "  steps:\n  - vnflcm:\n      url: http://x\n      operation: scale\n"
          "      vnf_instance_id: v\n",
     7, "aspect_id"},
    {HEAD "  steps:\n  - vnflcm:\n      url: http://x\n      operation: heal\n"
          "      vnf_instance_id: v\n      aspect_id: a\n",
     10, "does not belong to operation heal"},
    {"policies:\n- name: p\n  alarm:\n    severity: [HIGH, CRITICL]\n  target: t\n" STEP,
     4, "did you mean 'CRITICAL'"},
    {"policies:\n- name: p\n  alarm:\n    state: RED\n  target: t\n" STEP, 4,
     "state cannot be"},
    {"policies:\n- name: p\n  alarm:\n    dimensions: [a]\n  target: t\n" STEP, 4, "map"},
    {"policies:\n- name: p\n  alarm: {}\n  target: ${a\n" STEP, 4, "bad variable"},
    {HEAD "  steps:\n  - {webhook: {url: \"http://h/\"}, on_fail: nxt}\n", 6,
     "no step is called 'nxt'"},
    {HEAD "  steps:\n  - {name: a, webhook: {url: \"http://h/\"}}\n"
          "  - {name: b, webhook: {url: \"http://h/\"}, on_fail: a}\n",
     7, "may only go forward, and step 'a' stands before 'b'"},
    {HEAD "  steps:\n  - {name: a, webhook: {url: \"http://h/\"}, on_ok: a}\n", 6,
     "step 'a' is 'a'"},
    {HEAD "  steps:\n  - {webhook: {url: \"http://h/\"}}\n"
          "  - {webhook: {url: \"http://h/\"}, on_fail: \"0\"}\n",
     7, "step '0' stands before '1'"},
    {HEAD "  steps:\n  - {webhook: {url: \"http://h/\"}, on_ok: done}\n"
          "  - {name: b, webhook: {url: \"http://h/\"}}\n",
     7, "step 'b' is never reached"},
    {HEAD "  steps:\n  - {webhook: {url: \"http://h/\"}, on_ok: c, on_timeout: c}\n"
          "  - {name: b, webhook: {url: \"http://h/\"}}\n"
          "  - {name: c, webhook: {url: \"http://h/\"}}\n",
     7, "add on_fail: b to one"},
    {HEAD "  steps:\n  - {webhook: {url: \"http://h/\"}, on_guard: done}\n", 6,
     "on_guard belongs to later steps"},
    {HEAD "  steps:\n  - {name: done, webhook: {url: \"http://h/\"}}\n", 6,
     "cannot be a step's name"},
    {HEAD "  steps:\n  - {name: 7up, webhook: {url: \"http://h/\"}}\n", 6, "a letter"},
    {HEAD "  steps:\n  - {name: a, webhook: {url: \"http://h/\"}}\n"
          "  - {name: a, webhook: {url: \"http://h/\"}}\n",
     7, "two steps are called 'a'"},
    {HEAD "  steps:\n  - wait: {}\n", 6, "exactly one of: acknowledgement, for, until"},
    {HEAD "  steps:\n  - wait: {for: 1s, acknowledgement: optional}\n", 6, "exactly one"},
    {HEAD "  steps:\n  - wait: {for: 1s, within: 1s}\n", 6, "belongs to acknowledgement"},
    {HEAD "  steps:\n  - wait: {acknowledgement: optionl}\n", 6,
     "did you mean 'optional'"},
    {HEAD "  steps:\n  - wait:\n      until:\n", 7, "until must be a map"},
    {HEAD "  steps:\n  - {wait: {for: 1s}, verify: {url: \"http://h/\"}}\n", 6,
     "nothing to verify"},
    {HEAD "  verify: {query: \"up ==\"}\n" STEP, 5, "query: line 1"},
    {HEAD "  verify: {query: up, url: \"http://h/\"}\n" STEP, 5, "at most one of"},
    {HEAD "  verify: {url: \"ftp://h/\"}\n" STEP, 5, "http:// or https://"},
    {HEAD "  verify: {every: 2s}\n" STEP, 5, "every belongs to query and url"},
    {HEAD "  approval: {expires: 100ms}\n" STEP, 5, "between"},
    {HEAD "  approval: {expire: 1m}\n" STEP, 5, "did you mean 'expires'"},
    {"policies:\n- name: p q\n  alarm: {}\n  target: t\n" STEP, 2, "name must be"},
    {"policies:\n- name: p\n  alarm: {}\n  target: t\n" STEP "- name: p\n  alarm: {}\n"
     "  target: t\n" STEP,
     7, "used twice"},
};

static void test_mistakes_have_a_line_and_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct actuator_policies *p = NULL;
        struct hale_err err = {0};
        if (actuator_policies_load(hale_str_from(BAD[i].text), "f.yaml", &p, &err) ==
            HALE_OK)
            fail_msg("accepted: %s", BAD[i].text);
        if (strstr(err.text, BAD[i].words) == NULL || err.line != BAD[i].line)
            fail_msg("%s\ngave line %d (expected %d): %s (expected: %s)", BAD[i].text,
                     err.line, BAD[i].line, err.text, BAD[i].words);
        assert_string_equal(err.source, "f.yaml");
        assert_null(p);
    }
}

static const char GOOD[] =
    "policies:\n"
    "- name: heal\n"
    "  mode: auto\n"
    "  alarm:\n"
    "    definition: [a, b]\n"
    "    severity: HIGH\n"
    "    dimensions: {vnf_id: \"*\", zone: z1}\n"
    "    source: metric\n"
    "  target: vnf/${vnf_id}\n"
    "  cooldown: 5s\n"
    "  frequency: {max: 5, per: 10m}\n"
    "  repeat: while_alarm\n"
    "  steps:\n"
    "  - vnflcm: {url: http://vnfm:1/, operation: scale, vnf_instance_id: "
    "\"${vnf_id}\",\n"
    "             type: SCALE_IN, aspect_id: dns, number_of_steps: 2,\n"
    "             additional_params: {all: true, n: 3, s: \"4\"}}\n"
    "  - webhook: {url: \"http://h/${vnf_id}\", method: PUT, headers: {X-A: "
    "\"${tenant}\"},\n"
    "              body: '[\"${alarm.name} ${host}\"]'}\n"
    "  verify: {alarm: cleared, within: 2s}\n";

static void fill(struct hale_log_record *rec, const char *group, const char *metrics)
{
    memset(rec, 0, sizeof(*rec));
    rec->seq = 7;
    rec->kind = HALE_ALARM_TRANSITION;
    rec->announce = true;
    rec->alarm = (struct hale_alarm){.id = strdup("i"),
                                     .tenant = strdup("t"),
                                     .definition_id = strdup("x"),
                                     .definition_name = strdup("b"),
                                     .description = strdup(""),
                                     .reason = strdup("r"),
                                     .severity = HALE_SEV_HIGH,
                                     .state = HALE_STATE_ALARM,
                                     .group = json_loads(group, 0, NULL),
                                     .metrics = json_loads(metrics, 0, NULL),
                                     .sub_alarms = json_array()};
}

static void test_good(void **state)
{
    struct actuator_policies *p = NULL;
    struct hale_err err = {0};
    struct hale_log_record rec;
    char missing[ACTUATOR_NAME_MAX];
    json_t *plan = NULL;
    (void)state;
    if (actuator_policies_load(HALE_STR(GOOD), "f", &p, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    const struct actuator_policy *heal = actuator_policies_find(p, "heal");
    assert_non_null(heal);
    assert_int_equal(heal->guards.cooldown_ms, 5000);
    assert_int_equal(heal->guards.frequency[0].per_ms, 600000);
    assert_int_equal(heal->verify.within_ms, 2000);
    assert_int_equal(heal->repeat, 1);
    assert_int_equal(heal->states, 1u << HALE_STATE_ALARM);
    assert_int_equal(heal->n_steps, 2);

    fill(&rec, "{\"vnf_id\":\"v/1\"}",
         "[{\"name\":\"m\",\"dimensions\":{\"zone\":\"z1\",\"host\":\"h1\",\"cpu\":\"0\"}"
         "},"
         "{\"name\":\"m\",\"dimensions\":{\"zone\":\"z1\",\"host\":\"h1\",\"cpu\":\"1\"}}"
         "]");
    json_t *vars = actuator_policy_vars(&rec);
    assert_null(json_object_get(vars, "cpu")); /* two values: ambiguous */
    assert_string_equal(json_string_value(json_object_get(vars, "host")), "h1");
    assert_true(actuator_policy_selects(heal, &rec, vars));
    rec.alarm.severity = HALE_SEV_LOW;
    assert_false(actuator_policy_selects(heal, &rec, vars));
    rec.alarm.severity = HALE_SEV_HIGH;
    rec.alarm.from_event = true;
    assert_false(actuator_policy_selects(heal, &rec, vars));
    rec.alarm.from_event = false;
    rec.alarm.state = HALE_STATE_OK;
    assert_false(actuator_policy_selects(heal, &rec, vars));
    json_object_set_new(vars, "zone", json_string("z2"));
    rec.alarm.state = HALE_STATE_ALARM;
    assert_false(actuator_policy_selects(heal, &rec, vars));
    json_object_set_new(vars, "zone", json_string("z1"));

    assert_int_equal(actuator_policy_plan(heal, vars, &plan, missing), HALE_OK);
    char *text = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text, "[{\"auth\":\"bearer\",\"body\":{\"additionalParams\":{\"all\":true,\"n\":"
              "3,\"s\":\"4\"},"
              "\"aspectId\":\"dns\",\"numberOfSteps\":2,\"type\":\"SCALE_IN\"},"
              "\"operation\":\"scale\","
              "\"poll_ms\":1000,\"retries\":2,\"timeout_ms\":60000,\"type\":\"vnflcm\","
              "\"url\":\"http://vnfm:1/\",\"vnf\":\"v/1\"},"
              "{\"auth\":\"bearer\",\"body\":[\"b "
              "h1\"],\"headers\":{\"X-A\":\"t\"},\"method\":\"PUT\","
              "\"retries\":2,\"timeout_ms\":5000,\"type\":\"webhook\",\"url\":\"http://h/"
              "v%2F1\"}]");
    free(text);
    json_decref(plan);
    json_object_del(vars, "host");
    assert_int_equal(actuator_policy_plan(heal, vars, &plan, missing), HALE_E_NOTFOUND);
    assert_string_equal(missing, "host");
    json_decref(vars);
    hale_alarm_fini(&rec.alarm);
    actuator_policies_free(p);
}

static const char FLOW[] =
    "policies:\n"
    "- name: heal\n"
    "  version: \"3\"\n"
    "  mode: approve\n"
    "  approval: {expires: 5m}\n"
    "  alarm: {root_cause: false}\n"
    "  target: t\n"
    "  steps:\n"
    "  - name: restart\n"
    "    webhook: {url: \"http://h/\"}\n"
    "    verify: {query: \"up{vnf=\\\"${vnf}\\\"} == 1\", within: 30s, every: 2s}\n"
    "    on_ok: done\n"
    "    on_fail: notice\n"
    "    on_timeout: fail\n"
    "  - name: notice\n"
    "    wait: {acknowledgement: required, within: 10s}\n"
    "    on_fail: next\n"
    "  - wait: {until: {url: \"http://h/${vnf}\", within: 3s}}\n"
    "    on_guard: done\n"
    "  verify: {url: \"http://h/up/${vnf}\", within: 2s}\n";

static void test_flow(void **state)
{
    struct actuator_policies *p = NULL;
    struct hale_err err = {0};
    char missing[ACTUATOR_NAME_MAX];
    json_t *plan = NULL, *vars = json_pack("{s:s}", "vnf", "a\"b");
    (void)state;
    if (actuator_policies_load(HALE_STR(FLOW), "f", &p, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    const struct actuator_policy *heal = &p->v[0];
    assert_int_equal(heal->mode, ACTUATOR_APPROVE);
    assert_int_equal(heal->approval_ms, 300000);
    assert_false(heal->root_cause);
    assert_string_equal(heal->version, "3");
    assert_string_equal(heal->verify.url, "http://h/up/${vnf}");
    assert_int_equal(heal->step[0].to[ACTUATOR_ON_OK], ACTUATOR_TO_DONE);
    assert_int_equal(heal->step[0].to[ACTUATOR_ON_FAIL], 1);
    assert_int_equal(heal->step[0].to[ACTUATOR_ON_TIMEOUT], ACTUATOR_TO_FAIL);
    assert_int_equal(heal->step[0].to[ACTUATOR_ON_GUARD], 1);
    assert_int_equal(heal->step[1].to[ACTUATOR_ON_TIMEOUT], 2);
    assert_int_equal(actuator_policy_plan(heal, vars, &plan, missing), HALE_OK);
    json_t *step = json_array_get(plan, 0);
    (void)json_object_del(step, "url");
    char *text = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text, "[{\"auth\":\"bearer\",\"headers\":{},\"method\":\"POST\",\"name\":"
              "\"restart\",\"on_fail\":1,\"on_ok\":-1,\"on_timeout\":-2,\"retries\":2,"
              "\"timeout_ms\":5000,\"type\":\"webhook\",\"verify\":{\"every_ms\":2000,"
              "\"query\":\"up{vnf=\\\"a\\\\x22b\\\"} == 1\",\"within_ms\":30000}},"
              "{\"acknowledgement\":\"required\",\"name\":\"notice\",\"on_fail\":2,"
              "\"timeout_ms\":10000,\"type\":\"wait\"},{\"on_guard\":-1,"
              "\"timeout_ms\":3000,\"type\":\"wait\",\"until\":{\"every_ms\":1000,"
              "\"url\":\"http://h/a%22b\",\"within_ms\":3000}}]");
    free(text);
    json_decref(plan);
    json_object_del(vars, "vnf");
    assert_int_equal(actuator_policy_plan(heal, vars, &plan, missing), HALE_E_NOTFOUND);
    assert_string_equal(missing, "vnf");
    json_decref(vars);
    actuator_policies_free(p);
}

/* Counts may be variables; in the request they are numbers, and what is none says so itself. */
static void test_numbers_of_variables(void **state)
{
    static const struct {
        const char *step, *part; /* of the plan */
    } cases[] = {
        {"vnflcm: {url: \"http://v/\", operation: scale, vnf_instance_id: x, aspect_id: "
         "a, "
         "number_of_steps: \"${n}\"}",
         "\"numberOfSteps\":3"},
        {"vnflcm: {url: \"http://v/\", operation: scale, vnf_instance_id: x, aspect_id: "
         "a, "
         "number_of_steps: \"${word}\"}",
         "\"numberOfSteps\":\"many\""},
        {"vnflcm: {url: \"http://v/\", operation: scale_to_level, vnf_instance_id: x, "
         "scale_info: {a: \"${n}\", b: 2}}",
         "[{\"aspectId\":\"a\",\"scaleLevel\":3},{\"aspectId\":\"b\",\"scaleLevel\":2}]"},
        {"nslcm: {url: \"http://v/\", operation: scale, ns_instance_id: x, scale_ns: "
         "{aspect_id: a, number_of_steps: \"${n}\"}}",
         "\"numberOfSteps\":3"},
        {"nslcm: {url: \"http://v/\", operation: scale, ns_instance_id: x, scale_vnf: "
         "[{vnf_instance_id: v, type: SCALE_OUT, aspect_id: a, number_of_steps: "
         "\"${n}\"}]}",
         "\"numberOfSteps\":3"},
        {"nslcm: {url: \"http://v/\", operation: scale, ns_instance_id: x, scale_ns: "
         "{scale_info: {a: \"${n}\"}}}",
         "\"nsScaleLevelId\":3"},
        {"nslcm: {url: \"http://v/\", operation: heal, ns_instance_id: x, dialect: osm, "
         "heal_vnf: {vnf_instance_id: v, vdu_id: d, count_index: \"${n}\"}}",
         "\"count-index\":3"},
        {"nslcm: {url: \"http://v/\", operation: heal, ns_instance_id: x, heal_vnf: "
         "{vnf_instance_id: v, additional_params: {numberOfSteps: \"${n}\"}}}",
         "{\"numberOfSteps\":\"3\"}"}}; /* a parameter is the policy's own */
    json_t *vars = json_pack("{s:s,s:s}", "n", "3", "word", "many");
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024], missing[ACTUATOR_NAME_MAX];
        struct actuator_policies *p = NULL;
        struct hale_err err = {0};
        json_t *plan = NULL;
        (void)snprintf(text, sizeof(text), HEAD "  steps:\n  - %s\n", cases[i].step);
        if (actuator_policies_load(hale_str_from(text), "f", &p, &err) != HALE_OK)
            fail_msg("%s: %s", cases[i].step, err.text);
        assert_int_equal(actuator_policy_plan(&p->v[0], vars, &plan, missing), HALE_OK);
        char *dump = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
        if (strstr(dump, cases[i].part) == NULL)
            fail_msg("%s is not in %s", cases[i].part, dump);
        free(dump);
        json_decref(plan);
        actuator_policies_free(p);
    }
    json_decref(vars);
}

static void test_loops_do_not_feed_themselves(void **state)
{
    struct actuator_policies *any = NULL, *named = NULL;
    struct hale_err err = {0};
    struct hale_log_record rec;
    (void)state;
    assert_int_equal(
        actuator_policies_load(
            HALE_STR("policies:\n- name: p\n  alarm: {}\n  target: t\n" STEP), "f", &any,
            &err),
        HALE_OK);
    assert_int_equal(
        actuator_policies_load(HALE_STR("policies:\n- name: p\n  alarm: {definition: "
                                        "hale.loop.approval}\n  target: t\n" STEP),
                               "f", &named, &err),
        HALE_OK);
    fill(&rec, "{}", "[]");
    json_t *vars = actuator_policy_vars(&rec);
    assert_true(actuator_policy_selects(&any->v[0], &rec, vars));
    free(rec.alarm.definition_name);
    rec.alarm.definition_name = strdup("hale.loop.approval");
    assert_false(actuator_policy_selects(&any->v[0], &rec, vars));
    assert_true(actuator_policy_selects(&named->v[0], &rec, vars));
    json_decref(vars);
    hale_alarm_fini(&rec.alarm);
    actuator_policies_free(any);
    actuator_policies_free(named);
}

static void symptom(const char *life, bool announced, bool expected)
{
    struct hale_log_record rec;
    fill(&rec, "{}", "[]");
    rec.announce = announced;
    rec.alarm.life = json_loads(life, 0, NULL);
    if (actuator_policy_symptom(&rec) != expected)
        fail_msg("%s", life);
    hale_alarm_fini(&rec.alarm);
}

static void test_symptoms(void **state)
{
    (void)state;
    symptom("{\"suppressed_by\":[{\"kind\":\"cause\"}]}", false, true);
    symptom("{\"suppressed_by\":[{\"kind\":\"cause\"}]}", true, false);
    symptom("{\"suppressed_by\":[{\"kind\":\"cause\"},{\"kind\":\"silence\"}]}", false,
            false);
    symptom("{\"suppressed_by\":[]}", false, false);
    symptom("{}", false, false);
}

static void test_shipped_files(void **state)
{
    static const char *const files[] = {HALE_TEST_DIR
                                        "/../packaging/examples/policies.yaml"};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct actuator_policies *p = NULL;
        struct hale_err err = {0};
        if (actuator_policies_load_file(files[i], &p, &err) != HALE_OK)
            fail_msg("%s:%d: %s", files[i], err.line, err.text);
        assert_true(p->n > 0);
        actuator_policies_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_have_a_line_and_words),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_flow),
        cmocka_unit_test(test_numbers_of_variables),
        cmocka_unit_test(test_loops_do_not_feed_themselves),
        cmocka_unit_test(test_symptoms),
        cmocka_unit_test(test_shipped_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
