/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/metric.h"
#include "actuator/template.h"
#include "model/promql.h"

static enum hale_rc read_collector(const char *text, struct actuator_collector *out,
                                   struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load(hale_str_from(text), "actuator.yaml", &yaml, err);
    assert_int_equal(rc, HALE_OK);
    rc = actuator_collector_read(hale_yaml_get(hale_yaml_root(yaml), "collector"), out,
                                 err);
    hale_yaml_free(yaml);
    return rc;
}

static void test_collector(void **state)
{
    struct actuator_collector c;
    struct hale_err err;
    (void)state;
    assert_int_equal(read_collector("a: b\n", &c, &err), HALE_OK);
    assert_null(c.url);
    actuator_collector_fini(&c);

    assert_int_equal(read_collector("collector: {url: \"http://h:8070/\", token_file: t,"
                                    " timeout: 2s}\n",
                                    &c, &err),
                     HALE_OK);
    assert_string_equal(c.url, "http://h:8070");
    assert_string_equal(c.token_file, "t");
    assert_int_equal(c.timeout_ms, 2000);
    actuator_collector_fini(&c);

    static const char *const wrong[][2] = {
        {"collector: {token_file: t}\n", "url"},
        {"collector: {url: \"ftp://h\"}\n", "http://"},
        {"collector: {url: \"http://u:p@h\"}\n", "user information"},
        {"collector: {url: \"http://h/?a=b\"}\n", "query"},
        {"collector: {url: \"http://h\", tokenfile: t}\n", "token_file"},
        {"collector: {url: \"http://h\", timeout: 1ms}\n", "timeout"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_not_equal(read_collector(wrong[i][0], &c, &err), HALE_OK);
        assert_non_null(strstr(err.text, wrong[i][1]));
        actuator_collector_fini(&c);
    }
}

static void test_check(void **state)
{
    static const struct {
        const char *query, *wrong; /* NULL: it is fine */
    } rows[] = {
        {"avg(cpu.busy_perc{vnf=\"${vnf_id}\"})", NULL},
        {"up{host=~'${host}|${host}.*'} == 1", NULL},
        {"1 + 2", NULL},
        {"up{a=`${x}`}", NULL},
        {"", "1 to 4096"},
        {"avg(", "line 1, column 5"},
        {"cpu.busy_perc > ${limit}", "inside quotes"},
        {"avg(${metric})", "inside quotes"},
        {"up{host=\"${host\"}", "variable"},
        {"up[5m]", "one value each"},
        {"\"text\"", "one value each"},
        {"up{host=\"${host}\"} and ${x}", "inside quotes"},
    };
    struct hale_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum hale_rc rc = actuator_metric_check(hale_str_from(rows[i].query), &err);
        assert_int_equal(rc, rows[i].wrong == NULL ? HALE_OK : HALE_E_INVAL);
        if (rows[i].wrong != NULL && strstr(err.text, rows[i].wrong) == NULL)
            fail_msg("%s: %s", rows[i].query, err.text);
    }
    char *big = calloc(1, ACTUATOR_QUERY_MAX + 2);
    assert_non_null(big);
    memset(big, 'a', ACTUATOR_QUERY_MAX + 1);
    assert_int_equal(actuator_metric_check(hale_str_from(big), &err), HALE_E_INVAL);
    free(big);
}

/* Whatever an alarm's dimension holds, it is the value of that one matcher. */
static void test_a_value_cannot_leave_its_string(void **state)
{
    static const char *const values[] = {
        "plain", "\"} or vector(1) or up{a=\"", "'} or vector(1) #", "\\",
        "\\\"",  "new\nline\r\x01\x7f",         "\xc3\xa4",          "`",
        "",
    };
    static const char *const queries[] = {"up{a=\"${v}\"}", "up{a='${v}'}",
                                          "up{a=`${v}`}"};
    (void)state;
    for (size_t q = 0; q < 3; q++)
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            char missing[ACTUATOR_NAME_MAX], *text = NULL;
            struct hale_promql tree;
            struct hale_err err;
            json_t *vars = json_pack("{s:s}", "v", values[i]);
            assert_non_null(vars);
            assert_int_equal(actuator_metric_expand(queries[q], vars, &text, missing),
                             HALE_OK);
            assert_int_equal(hale_promql_parse(hale_str_from(text), &tree, &err),
                             HALE_OK);
            assert_int_equal(tree.root->kind, HALE_PROMQL_SELECTOR);
            const struct hale_promql_matcher *m = NULL;
            for (unsigned k = 0; k < tree.root->n_matchers; k++)
                if (hale_str_eq_c(tree.root->matchers[k].name, "a"))
                    m = &tree.root->matchers[k];
            assert_non_null(m);
            if (q < 2 && m != NULL)
                assert_true(hale_str_eq_c(m->value, values[i]));
            hale_promql_fini(&tree);
            free(text);
            json_decref(vars);
        }
}

static void test_expand_errors(void **state)
{
    char missing[ACTUATOR_NAME_MAX], *text = NULL;
    json_t *vars = json_object();
    (void)state;
    assert_int_equal(actuator_metric_expand("up{a=\"${nope}\"}", vars, &text, missing),
                     HALE_E_NOTFOUND);
    assert_string_equal(missing, "nope");
    assert_null(text);
    char *big = calloc(1, 3000);
    assert_non_null(big);
    memset(big, '"', 2999);
    assert_int_equal(json_object_set_new(vars, "v", json_string(big)), 0);
    assert_int_equal(actuator_metric_expand("up{a=\"${v}\"}", vars, &text, missing),
                     HALE_E_LIMIT);
    assert_null(text);
    free(big);
    json_decref(vars);
}

static void test_request(void **state)
{
    struct actuator_collector c = {.url = (char *)(uintptr_t) "http://h:1/x",
                                   .token_file = (char *)(uintptr_t) "tok",
                                   .timeout_ms = 700};
    struct actuator_request q;
    (void)state;
    assert_int_equal(actuator_metric_request(&c, "a{b=\"c&d\"} > 1", &q), HALE_OK);
    assert_string_equal(
        q.url.p, "http://h:1/x/api/v1/query?query=a%7Bb%3D%22c%26d%22%7D%20%3E%201");
    assert_string_equal(q.method, "GET");
    assert_string_equal(q.token_file, "tok");
    assert_string_equal(q.auth, "bearer");
    assert_int_equal(q.timeout_ms, 700);
    actuator_request_fini(&q);
}

static void test_answer(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        bool known, truth;
        unsigned n;
        double value;
        const char *error;
    } rows[] = {
        {200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
         true, false, 0, NAN, ""},
        {200,
         "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1.5,"
         "\"2.5\"]},"
         "{\"metric\":{},\"value\":[1,\"3\"]}]}}",
         true, true, 2, 2.5, ""},
        {200,
         "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"NaN\"]}]}}",
         true, true, 1, NAN, ""},
        {200,
         "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"-Inf\"]}]}}",
         true, true, 1, -INFINITY, ""},
        {200, "{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"0\"]}}", true, false,
         1, 0, ""},
        {200, "{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"NaN\"]}}", true,
         false, 1, NAN, ""},
        {200, "{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"7\"]}}", true, true,
         1, 7, ""},
        {200, "{\"data\":{\"resultType\":\"matrix\",\"result\":[]}}", false, false, 0,
         NAN, "Prometheus"},
        {200, "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"x\"]}]}}",
         false, false, 0, NAN, "Prometheus"},
        {200, "not JSON", false, false, 0, NAN, "Prometheus"},
        {200, "", false, false, 0, NAN, "Prometheus"},
        {422, "{\"status\":\"error\",\"error\":\"too many\"}", false, false, 0, NAN,
         "too many"},
        {503, "", false, false, 0, NAN, "503"},
    };
    struct actuator_metric m;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct actuator_answer a = {.rc = HALE_OK,
                                          .status = rows[i].status,
                                          .body = hale_str_from(rows[i].body),
                                          .error = ""};
        actuator_metric_answer(&a, &m);
        assert_int_equal(m.known, rows[i].known);
        assert_int_equal(actuator_metric_true(&m), rows[i].truth);
        assert_int_equal(m.n, rows[i].n);
        assert_true(m.value == rows[i].value || (isnan(m.value) && isnan(rows[i].value)));
        assert_non_null(strstr(m.error, rows[i].error));
        assert_int_equal(m.passing, rows[i].status == 503);
    }
    const struct actuator_answer lost = {.rc = HALE_E_IO, .error = "refused"};
    actuator_metric_answer(&lost, &m);
    assert_false(m.known);
    assert_true(m.passing);
    assert_string_equal(m.error, "no answer: refused");
    const struct actuator_answer denied = {.rc = HALE_E_DENIED, .error = "not allowed"};
    actuator_metric_answer(&denied, &m);
    assert_false(m.known || m.passing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collector),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_a_value_cannot_leave_its_string),
        cmocka_unit_test(test_expand_errors),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
