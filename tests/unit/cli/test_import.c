/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of PromQL, and of the files around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "cli/definitions.h"
#include "cli/import.h"

/* Expression, then " | " and the labels or "series"; or "no: " and the reason. */
static void map(const char *expr, int64_t for_s, int64_t keep_s, char *dst, size_t size)
{
    struct hale_promql q;
    struct hale_err err = {0};
    struct cli_promql_rule r = {.for_s = for_s, .keep_s = keep_s, .every_s = 60};
    if (hale_promql_parse(hale_str_from(expr), &q, &err) != HALE_OK)
        fail_msg("%s: %s", expr, err.text);
    if (cli_import_promql(q.root, &r) == HALE_OK) {
        char *labels =
            r.per_series ? strdup("series") : json_dumps(r.labels, JSON_COMPACT);
        (void)snprintf(dst, size, "%s | %s", r.text.p, labels);
        free(labels);
    } else {
        (void)snprintf(dst, size, "no: %s", r.why);
    }
    hale_buf_fini(&r.text);
    json_decref(r.labels);
    hale_promql_fini(&q);
}

static void test_expressions(void **state)
{
    static const struct {
        const char *promql;
        int64_t for_s, keep_s;
        const char *hale; /* what it begins with */
    } cases[] = {
        {"up < 1", 0, 0, "last(up) < 1 | series"},
        {"1 > up", 0, 0, "last(up) < 1 | series"},
        {"-1.5 <= t", 0, 0, "last(t) >= -1.5 | series"},
        {"m{a=\"x y\",b=\"2\"} >= 1024 * 1024", 0, 0,
         "last(m{a=x y, b=2}) >= 1048576 | series"},
        {"up == 0", 60, 0, "(last(up) >= 0 for 60s and last(up) <= 0 for 60s) | series"},
        {"up != 1", 0, 0, "(last(up) > 1 or last(up) < 1) | series"},
        {"avg_over_time(m[5m]) > 1", 0, 120,
         "avg(m, 300 every 60) > 1 clear for 120s | series"},
        {"avg_over_time(m[90s]) > 1", 0, 0, "avg(m, 90 every 45) > 1 | series"},
        {"avg_over_time(m[30s]) > 1", 0, 0, "avg(m, 30) > 1 | series"},
        {"last_over_time(m[10m]) > 1", 0, 0, "last(m) > 1 | series"},
        {"sum by (a, b) (rate(m[1m])) > 0.001", 0, 0,
         "rate(m, 60) > 0.001 | [\"a\",\"b\"]"},
        {"sum(rate(m[1m])) > 1", 0, 0, "rate(m, 60) > 1 | []"},
        {"increase(m[10m]) > 3", 0, 0, "(rate(m, 600 every 60) * 600) > 3 | series"},
        {"quantile_over_time(0.95, m[5m]) > 1", 0, 0,
         "percentile(m, 95, 300) > 1 | series"},
        {"predict_linear(m[1h], 4 * 3600) < 0", 60, 0,
         "forecast(m, 3600, 14400) < 0 for 60s | series"},
        {"predict_linear(m[1h], 0.5) < 0", 0, 0, "no: predict_linear: whole seconds"},
        {"max by (x) (quantile_over_time(0.5, m[5m])) > 1", 0, 0,
         "no: this function has no counterpart"},
        {"a / b * 100 > 90", 0, 0, "((last(a) / last(b)) * 100) > 90 | series"},
        {"a - on (x) b > 1", 0, 0, "(last(a) - last(b)) > 1 | [\"x\"]"},
        {"a > b", 0, 0, "(last(a) - last(b)) > 0 | series"},
        {"-a > 1", 0, 0, "(-1 * last(a)) > 1 | series"},
        {"a > 1 and b > 1", 30, 0,
         "(last(a) > 1 for 30s and last(b) > 1 for 30s) | series"},
        {"a > 1 or b > 1", 0, 0, "(last(a) > 1 or last(b) > 1) | series"},
        {"a > 1 unless b > 1", 0, 0, "(last(a) > 1 and not (last(b) > 1)) | series"},
        {"absent(up{job=\"x\"})", 0, 0, "absent(up{job=x}, 300) | []"},
        {"absent(up)", 60, 0, "absent(up, 360) | []"},
        {"absent_over_time(up[1h])", 0, 0, "absent(up, 3600) | []"},
        {"max by (x) (max_over_time(m[1m])) > 1", 0, 0, "max(m, 60) > 1 | [\"x\"]"},
        {"m > 1e-7", 0, 0, "last(m) > 0.0000001 | series"},
        /* what has no counterpart */
        {"a > 1 or b > 1", 30, 0, "no: for: with or"},
        {"up != 1", 30, 0, "no: for: with or"},
        {"a > 1 and b > 1", 0, 30, "no: keep_firing_for of several"},
        {"absent(up)", 0, 30, "no: absent() with keep_firing_for"},
        {"absent(up) or a > 1", 0, 0, "no: its parts are grouped by different labels"},
        {"sum by (x) (rate(a[1m])) > 1 and sum by (y) (rate(b[1m])) > 1", 0, 0,
         "no: its parts are grouped by different labels"},
        {"a > 1 and on (x) b > 1", 0, 0, "no: on (...) names other labels"},
        {"a > 1 and ignoring (x) b > 1", 0, 0, "no: ignoring"},
        {"a * on (x) group_left b > 1", 0, 0, "no: group_left"},
        {"m{a!=\"x\"} > 1", 0, 0, "no: a!=...: only '='"},
        {"m{a=~\"x|y\"} > 1", 0, 0, "no: a=~...: only '='"},
        {"m{a=\"\"} > 1", 0, 0, "no: a=\"\": a label's absence"},
        {"{a=\"x\"} > 1", 0, 0, "no: a metric needs a name"},
        {"m offset 5m > 1", 0, 0, "no: offset and @"},
        {"m > bool 1", 0, 0, "no: bool"},
        {"m", 0, 0, "no: it compares nothing"},
        {"vector(1)", 0, 0, "no: it compares nothing"},
        {"max by (x) (m) > 1", 0, 0, "no: it looks at the present values"},
        {"avg by (x) (rate(m[1m])) > 1", 0, 0, "no: over several series"},
        {"sum without (x) (rate(m[1m])) > 1", 0, 0, "no: without"},
        {"avg_over_time(m[5m:1m]) > 1", 0, 0, "no: subqueries"},
        {"avg_over_time(m[1500ms]) > 1", 0, 0, "no: a range of whole seconds"},
        {"m % 2 > 1", 0, 0, "no: '%' has no counterpart"},
        {"abs(m) > 1", 0, 0, "no: this function has no counterpart"},
        {"m > 1e-40", 0, 0, "no: the number 1e-40 is too small"},
    };
    char got[1000];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        map(cases[i].promql, cases[i].for_s, cases[i].keep_s, got, sizeof(got));
        bool whole = strncmp(cases[i].hale, "no: ", 4) != 0;
        if (whole ? strcmp(got, cases[i].hale) != 0
                  : strncmp(got, cases[i].hale, strlen(cases[i].hale)) != 0)
            fail_msg("%s\nexpected: %s\ngot:      %s", cases[i].promql, cases[i].hale,
                     got);
    }
}

/* The file that is written is one that `hale apply` reads. */
static size_t written(const struct cli_import *i)
{
    struct hale_buf out;
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {0};
    json_t *bodies = NULL;
    hale_buf_init(&out, 1u << 20);
    cli_import_write(i, &out);
    assert_int_equal(hale_yaml_load(hale_buf_str(&out), "out", &yaml, &err), HALE_OK);
    if (cli_definitions_read(hale_yaml_root(yaml), &bodies, &err) != HALE_OK)
        fail_msg("%s\n%s", err.text, out.p);
    assert_true(json_equal(bodies, i->definitions));
    size_t n = json_array_size(bodies);
    json_decref(bodies);
    hale_yaml_free(yaml);
    hale_buf_fini(&out);
    return n;
}

static const char *field(const struct cli_import *i, size_t k, const char *key)
{
    const char *t =
        json_string_value(json_object_get(json_array_get(i->definitions, k), key));
    return t != NULL ? t : "";
}

static void test_rule_file(void **state)
{
    struct hale_buf text;
    struct cli_import i;
    struct hale_err err = {0};
    (void)state;
    hale_buf_init(&text, 1u << 20);
    assert_int_equal(
        hale_fs_read(HALE_TEST_DIR "/vectors/import/node.rules.yaml", &text, &err),
        HALE_OK);
    cli_import_init(&i);
    assert_int_equal(
        cli_import_prometheus(hale_buf_str(&text), "node.yaml", NULL, &i, &err), HALE_OK);
    assert_int_equal(written(&i), 9);
    assert_int_equal(i.left_out, 10);
    assert_string_equal(field(&i, 0, "name"), "InstanceDown (critical)");
    assert_string_equal(field(&i, 0, "severity"), "CRITICAL");
    assert_string_equal(field(&i, 0, "on_missing"), "ok");
    assert_string_equal(field(&i, 2, "expression"),
                        "(rate(http_errors_total, 300 every 30) / "
                        "rate(http_requests_total, 300 every 30)) > 0.05 for 600s");
    /* Each rule is either there or named with its line and reason. */
    assert_non_null(strstr(i.notes.p,
                           "node.yaml:26: rule NodeFilesystemAlmostOutOfSpace: "
                           "left out: fstype!=...: only '='"));
    assert_non_null(
        strstr(i.notes.p, "node.yaml:8: rule InstanceDown: label team: infra"));
    assert_non_null(strstr(i.notes.p, "left out: expr, line 1, character 11"));
    cli_import_fini(&i);

    /* With labels given nothing is guessed. */
    cli_import_init(&i);
    assert_int_equal(cli_import_prometheus(hale_buf_str(&text), "node.yaml",
                                           "instance, job", &i, &err),
                     HALE_OK);
    const json_t *match_by =
        json_object_get(json_array_get(i.definitions, 0), "match_by");
    assert_int_equal(json_array_size(match_by), 2);
    assert_null(strstr(i.notes.p, "that its annotations name"));
    cli_import_fini(&i);
    hale_buf_fini(&text);
}

static void test_rule_files_refused(void **state)
{
    static const char *const texts[][2] = {
        {"groups: 1\n", "s:1: a list 'groups:' is wanted"},
        {"- a\n", "a list 'groups:' is wanted"},
        {"groups:\n- rules: 1\n", "s:2: a group with a list 'rules:'"},
        {"groups:\n- rules: [x]\n", "s:2: a rule (a map) is wanted here"},
        {"groups:\n- {interval: x, rules: []}\n", "interval: a duration"},
        {"groups: [", "s:"},
    };
    char got[600];
    (void)state;
    for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        struct cli_import i;
        struct hale_err err = {0};
        cli_import_init(&i);
        assert_int_not_equal(
            cli_import_prometheus(hale_str_from(texts[k][0]), "s", NULL, &i, &err),
            HALE_OK);
        (void)hale_err_str(&err, got, sizeof(got));
        if (strstr(got, texts[k][1]) == NULL)
            fail_msg("%s: expected %s, got %s", texts[k][0], texts[k][1], got);
        cli_import_fini(&i);
    }
}

static void test_monasca(void **state)
{
    static const char json[] =
        "{\"links\":[],\"elements\":["
        "{\"id\":\"1\",\"name\":\"cpu\",\"description\":null,\"expression\":"
        "\"avg(cpu.user_perc{hostname=a}) > 90 times 3\",\"match_by\":[\"hostname\"],"
        "\"severity\":\"HIGH\",\"actions_enabled\":true,\"alarm_actions\":[\"abc\"],"
        "\"ok_actions\":[],\"undetermined_actions\":[],\"deterministic\":false,"
        "\"links\":[]},"
        "{\"name\":\"cpu\",\"expression\":\"max(x) > 1\",\"match_by\":\"\"},"
        "{\"name\":\"bad\",\"expression\":\"max(x) >\"},"
        "{\"name\":\"n\\u0085\\u2028\\ufeff\\u007f\\u00e9\\ud83d\\ude00\",\"expression\":"
        "\"max(x) > 1\"},"
        "{\"name\":\"strange\",\"expression\":\"max(x) > 1\",\"colour\":\"red\"},"
        "7]}";
    struct cli_import i;
    struct hale_err err = {0};
    (void)state;
    cli_import_init(&i);
    assert_int_equal(cli_import_monasca(hale_str_from(json), "m.json", &i, &err),
                     HALE_OK);
    assert_int_equal(written(&i), 4);
    assert_int_equal(i.left_out, 2);
    assert_string_equal(field(&i, 1, "name"), "cpu 2");
    assert_non_null(strstr(i.notes.p, "m.json: definition 1 'cpu': alarm_actions: 1 "
                                      "notification method of the other system"));
    assert_non_null(strstr(i.notes.p, "m.json: definition 3 'bad': left out: "));
    assert_non_null(strstr(i.notes.p, "'colour' has no counterpart"));
    assert_non_null(strstr(i.notes.p, "definition 6 '': left out: it is not an object"));
    cli_import_fini(&i);
    cli_import_init(&i);
    assert_int_equal(cli_import_monasca(HALE_STR("{\"a\":1}"), "m.json", &i, &err),
                     HALE_E_INVAL);
    assert_int_equal(cli_import_monasca(HALE_STR("[1,"), "m.json", &i, &err),
                     HALE_E_INVAL);
    assert_int_equal(err.line, 1);
    cli_import_fini(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_rule_file),
        cmocka_unit_test(test_rule_files_refused),
        cmocka_unit_test(test_monasca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
