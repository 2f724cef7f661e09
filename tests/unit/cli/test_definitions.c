/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "cli/definitions.h"

static enum hale_rc read_text(const char *text, json_t **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load(hale_str_from(text), "d.yaml", &yaml, err);
    *out = NULL;
    if (rc == HALE_OK)
        rc = cli_definitions_read(hale_yaml_root(yaml), out, err);
    hale_yaml_free(yaml);
    return rc;
}

static void test_good(void **state)
{
    json_t *all = NULL;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(read_text("alarm_definitions:\n"
                               "- name: a\n"
                               "  expression: avg(cpu.idle_perc) < 5 times 3\n"
                               "- name: b\n"
                               "  description: text\n"
                               "  expression: 'last(x{k=v}) > 1 or max(y) < 2'\n"
                               "  severity: HIGH\n"
                               "  match_by: [hostname, k]\n"
                               "  actions_enabled: no\n"
                               "  alarm_actions: []\n",
                               &all, &err),
                     HALE_OK);
    json_t *expected = json_pack(
        "[{s:s, s:s}, {s:s, s:s, s:s, s:s, s:[s, s], s:b, s:[]}]", "name", "a",
        "expression", "avg(cpu.idle_perc) < 5 times 3", "name", "b", "description",
        "text", "expression", "last(x{k=v}) > 1 or max(y) < 2", "severity", "HIGH",
        "match_by", "hostname", "k", "actions_enabled", 0, "alarm_actions");
    assert_non_null(expected);
    assert_true(json_equal(all, expected));
    json_decref(expected);
    json_decref(all);
    assert_int_equal(read_text("alarm_definitions: []\n", &all, &err), HALE_OK);
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);
}

static void test_missing_data(void **state)
{
    json_t *all = NULL;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(read_text("alarm_definitions:\n"
                               "- name: a\n"
                               "  expression: avg(x) > 1\n"
                               "  on_missing: alarm\n"
                               "  missing_after: 3m\n"
                               "- name: b\n"
                               "  expression: avg(x) > 1\n"
                               "  missing_after: 90\n",
                               &all, &err),
                     HALE_OK);
    const json_t *a = json_array_get(all, 0), *b = json_array_get(all, 1);
    assert_string_equal(json_string_value(json_object_get(a, "on_missing")), "alarm");
    assert_int_equal(json_integer_value(json_object_get(a, "missing_after")), 180);
    assert_int_equal(json_integer_value(json_object_get(b, "missing_after")), 90);
    json_decref(all);
}

static void test_bad(void **state)
{
#define TOP "alarm_definitions:\n"
#define OK  TOP "- name: a\n  expression: avg(x) > 1\n"
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"definitions: []\n",
         "d.yaml:1: a list 'alarm_definitions:' is wanted at the top"},
        {"alarm_definitions: {}\n",
         "d.yaml:1: a list 'alarm_definitions:' is wanted at the top"},
        {OK "policies: []\n", "d.yaml:4: only 'alarm_definitions:' may stand at the top"},
        {TOP "- just text\n",
         "d.yaml:2: an alarm definition (a map with name and expression) is wanted here"},
        {TOP "- expression: avg(x) > 1\n", "d.yaml:2: name is required"},
        {TOP "- name: a\n", "d.yaml:2: expression is required"},
        {TOP "- name: ''\n  expression: avg(x) > 1\n",
         "d.yaml:2: name must be a string that is not empty"},
        {OK "  severty: LOW\n",
         "d.yaml:4: unknown key 'severty' - did you mean 'severity'?"},
        {OK "  on_missing: maybe\n",
         "d.yaml:4: on_missing must be keep, undetermined, ok or alarm"},
        {OK "  missing_after: soon\n",
         "d.yaml:4: whole seconds are wanted here, as 90 or 3m"},
        {OK "  missing_after: 0\n",
         "d.yaml:4: missing_after must be whole seconds from 1 to 2592000"},
        {OK "  zebra: 1\n", "d.yaml:4: unknown key 'zebra'"},
        {OK "  severity: SEVERE\n",
         "d.yaml:4: severity must be one of LOW, MEDIUM, HIGH, CRITICAL"},
        {OK "  match_by: hostname\n", "d.yaml:4: a list is wanted here, like [hostname]"},
        {OK "  match_by: [[a]]\n", "d.yaml:4: a text is wanted here"},
        {OK "  actions_enabled: perhaps\n",
         "d.yaml:4: 'perhaps' is neither true nor false"},
        {OK "  description: [a]\n", "d.yaml:4: a text is wanted here"},
        {OK "  name: b\n",
         "d.yaml:4: key 'name' is given twice (first in line 2); remove one"},
        {OK "- name: b\n  expression: avg(x > 1\n",
         "d.yaml:5: parser failed on expression 'avg(x > 1' at column 7: the ')' is "
         "missing before the operator, which stands outside"},
        {OK "- name: b\n  expression: avrg(x) > 1\n",
         "d.yaml:5: parser failed on expression 'avrg(x) > 1' at column 1: unknown "
         "function 'avrg'; known: max, min, avg, sum, count, last, rate, absent, "
         "percentile, stddev, baseline, forecast"},
        {OK "- name: a\n  expression: avg(y) > 1\n",
         "d.yaml:4: the name 'a' stands twice in this file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *all = NULL;
        struct hale_err err = {0};
        char text[512];
        assert_int_equal(read_text(cases[i].yaml, &all, &err), HALE_E_INVAL);
        assert_null(all);
        assert_string_equal(hale_err_str(&err, text, sizeof(text)), cases[i].error);
    }
}

static void test_missing_file(void **state)
{
    json_t *all = NULL;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(cli_definitions_load("/nonexistent/d.yaml", &all, &err),
                     HALE_E_NOTFOUND);
    assert_null(all);
    assert_non_null(strstr(err.source, "/nonexistent/d.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_missing_data),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests_name("cli.definitions", tests, NULL, NULL);
}
