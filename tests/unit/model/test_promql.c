/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/promql.h"

/* --- accepted and refused ------------------------------------------------------------------ */

static void accepts(void **state)
{
    static const struct {
        const char *text;
        enum hale_promql_type type;
    } cases[] = {
        {"1", HALE_PROMQL_SCALAR},
        {"  1 # one\n", HALE_PROMQL_SCALAR},
        {"-.5e-3", HALE_PROMQL_SCALAR},
        {"0xfF", HALE_PROMQL_SCALAR},
        {"+Inf", HALE_PROMQL_SCALAR},
        {"nan", HALE_PROMQL_SCALAR},
        {"'a\\'b'", HALE_PROMQL_STRING},
        {"`a\\b`", HALE_PROMQL_STRING},
        {"x", HALE_PROMQL_VECTOR},
        {"x:y:z{}", HALE_PROMQL_VECTOR},
        {"cpu.idle_perc", HALE_PROMQL_VECTOR},
        {"{\"cpu.idle-perc\"}", HALE_PROMQL_VECTOR},
        {"{\"cpu.idle-perc\", \"odd label\"=\"x\",}", HALE_PROMQL_VECTOR},
        {"x{by=\"1\", on!=\"2\", sum=~\"3\", and!~\"4\"}", HALE_PROMQL_VECTOR},
        {"x[5m]", HALE_PROMQL_MATRIX},
        {"x[1h30m15s10ms] offset -1w", HALE_PROMQL_MATRIX},
        {"x[5m:]", HALE_PROMQL_MATRIX},
        {"(x + y)[1y:1d] @ end() offset 1m", HALE_PROMQL_MATRIX},
        {"x @ -1.5 offset 1m", HALE_PROMQL_VECTOR},
        {"x offset 1m @ start()", HALE_PROMQL_VECTOR},
        {"sum(x)", HALE_PROMQL_VECTOR},
        {"SUM BY (a, b,) (x)", HALE_PROMQL_VECTOR},
        {"sum(x) without ()", HALE_PROMQL_VECTOR},
        {"topk by (\"odd label\") (3, x)", HALE_PROMQL_VECTOR},
        {"sum{a=\"b\"}", HALE_PROMQL_VECTOR}, /* a metric of this name */
        {"x + on(a, b) group_left y", HALE_PROMQL_VECTOR},
        {"x > bool ignoring() y", HALE_PROMQL_VECTOR},
        {"1 > bool 2", HALE_PROMQL_SCALAR},
        {"x and y or z unless w", HALE_PROMQL_VECTOR},
        {"time() - pi()", HALE_PROMQL_SCALAR},
        {"round(x)", HALE_PROMQL_VECTOR},
        {"round(x, 0.1)", HALE_PROMQL_VECTOR},
        {"scalar(x)", HALE_PROMQL_SCALAR},
        {"predict_linear(x[5m], 60)", HALE_PROMQL_VECTOR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_promql q;
        struct hale_err err;
        if (hale_promql_parse(hale_str_from(cases[i].text), &q, &err) != HALE_OK)
            fail_msg("%s: %d:%d %s", cases[i].text, err.line, err.col, err.text);
        if (q.root->type != cases[i].type)
            fail_msg("%s is %s", cases[i].text, hale_promql_type_text(q.root->type));
        hale_promql_fini(&q);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *error; /* with its place */
    } cases[] = {
        {"", "1:1 no expression found in input"},
        {"1 +", "1:4 unexpected end of input in expression"},
        {"x y", "1:3 unexpected 'y' in expression"},
        {"sum(x", "1:6 unexpected end of input in arguments of a call, expected ','"},
        {"(x", "1:3 unexpected end of input in paren expression, expected ')'"},
        {"x{a}",
         "1:4 unexpected '}' in label matching, expected label matching operator"},
        {"x{a=b}", "1:5 unexpected 'b' in label matching, expected string"},
        {"x{a=\"b\" c=\"d\"}", "1:9 unexpected 'c' in label matching, expected ','"},
        {"{}", "1:1 vector selector must contain at least one non-empty matcher"},
        {"{a=~\".*\",b=\"\"}",
         "1:1 vector selector must contain at least one non-empty matcher"},
        {"x{a=~\"(\"}",
         "1:6 regular expression: missing closing parenthesis at offset 1"},
        {"x{__name__=\"y\"}", "1:3 metric name must not be set twice: \"x\" or \"y\""},
        {"{\"x\",\"y\"}", "1:6 metric name must not be set twice: \"x\" or \"y\""},
        {"x[5]", "1:3 unexpected '5' in range or subquery selector, expected duration"},
        {"x[0s]", "1:3 duration must be greater than 0"},
        {"x[5m",
         "1:5 unexpected end of input in range or subquery selector, expected ']'"},
        {"x[5m5m]", "1:3 bad number or duration syntax: '5m5m'"},
        {"1m2", "1:1 bad number or duration syntax: '1m2'"},
        {"1.2.3", "1:1 bad number or duration syntax: '1.2.3'"},
        {"x offset 5m [5m]", "1:13 no offset modifiers allowed before range"},
        {"sum(x)[5m]", "1:7 ranges only allowed for vector selectors"},
        {"1 offset 5m", "1:3 offset modifier must be preceded by an instant vector "
                        "selector or range vector "
                        "selector or a subquery"},
        {"x offset 1m offset 2m", "1:13 offset may not be set multiple times"},
        {"x @ y", "1:5 unexpected 'y' in @, expected timestamp"},
        {"rate(x)", "1:6 expected type range vector in call to function \"rate\", got "
                    "instant vector"},
        {"abs(1)",
         "1:5 expected type instant vector in call to function \"abs\", got scalar"},
        {"rate(x[5m], 1)", "1:1 expected 1 argument(s) in call to \"rate\", got 2"},
        {"round()", "1:1 expected at least 1 argument(s) in call to \"round\", got 0"},
        {"time(1, 2, 3, 4)", "1:15 too many arguments in call to \"time\""},
        {"foo(x)", "1:1 unknown function with name \"foo\""},
        {"1 + label_replace(x)", "1:5 'label_replace' is not supported"},
        {"x\n +\n holt_winters(y[5m],1,1)", "3:2 'holt_winters' is not supported"},
        {"count_values(\"a\", x)", "1:1 'count_values' is not supported"},
        {"sum()", "1:1 no arguments for aggregate expression provided"},
        {"topk(x)", "1:1 wrong number of arguments for aggregate expression provided, "
                    "expected 2, got 1"},
        {"topk(x, x)",
         "1:6 expected type scalar in aggregation parameter, got instant vector"},
        {"sum(1)",
         "1:5 expected type instant vector in aggregation expression, got scalar"},
        {"1 > 2", "1:1 comparisons between scalars must use BOOL modifier"},
        {"x + bool y", "1:5 bool modifier can only be used on comparison operators"},
        {"x and 1", "1:1 set operator \"and\" not allowed in binary scalar expression"},
        {"1 + on(a) x", "1:1 vector matching only allowed between instant vectors"},
        {"x or on(a) group_left y", "1:1 no grouping allowed for \"or\" operation"},
        {"x + on(a) group_left(a) y",
         "1:1 label \"a\" must not occur in ON and GROUP clause at once"},
        {"x[5m] + 1",
         "1:1 binary expression must contain only scalar and instant vector types"},
        {"-\"a\"",
         "1:1 unary expression only allowed on expressions of type scalar or instant "
         "vector, got \"string\""},
        {"x & y", "1:3 unexpected character: '&'"},
        {"\"abc", "1:1 unterminated quoted string"},
        {"\"a\nb\"", "1:1 unterminated quoted string"},
        {"\"\\q\"", "1:3 unknown escape sequence in a string"},
        {"\"\xc3\xa4\" \xc3\xa4", "1:5 unexpected character: '\xc3\xa4'"},
        {"x \xff", "1:3 the query is not valid UTF-8"},
        {"sum by (a x",
         "1:12 unexpected end of input in grouping opts, expected \",\" or "
         "\")\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_promql q;
        struct hale_err err;
        char text[400];
        if (hale_promql_parse(hale_str_from(cases[i].text), &q, &err) != HALE_E_INVAL)
            fail_msg("%s is accepted", cases[i].text);
        assert_null(q.root);
        (void)snprintf(text, sizeof(text), "%d:%d %s", err.line, err.col, err.text);
        if (strcmp(text, cases[i].error) != 0)
            fail_msg("%s\n  gives  %s\n  wanted %s", cases[i].text, text, cases[i].error);
        hale_promql_fini(&q);
    }
}

/* --- structure ------------------------------------------------------------------------------- */

static void precedence(void **state)
{
    struct hale_promql q;

    (void)state;
    assert_int_equal(hale_promql_parse(HALE_STR("a or b + c * -d ^ e ^ f"), &q, NULL),
                     HALE_OK);
    const struct hale_promql_node *n = q.root;
    assert_int_equal(n->op, HALE_PROMQL_OP_OR);
    n = n->args[1];
    assert_int_equal(n->op, HALE_PROMQL_OP_ADD);
    n = n->args[1];
    assert_int_equal(n->op, HALE_PROMQL_OP_MUL);
    n = n->args[1];
    assert_int_equal(n->kind, HALE_PROMQL_NEGATE);
    n = n->args[0];
    assert_int_equal(n->op, HALE_PROMQL_OP_POW);
    assert_int_equal(n->args[0]->kind, HALE_PROMQL_SELECTOR);
    assert_int_equal(n->args[1]->op, HALE_PROMQL_OP_POW);
    hale_promql_fini(&q);

    assert_int_equal(hale_promql_parse(HALE_STR("a - b - c"), &q, NULL), HALE_OK);
    assert_int_equal(q.root->args[0]->kind, HALE_PROMQL_BINARY);
    assert_int_equal(q.root->args[1]->kind, HALE_PROMQL_SELECTOR);
    hale_promql_fini(&q);
}

static void strings_and_numbers(void **state)
{
    struct hale_promql q;

    (void)state;
    assert_int_equal(hale_promql_parse(
                         HALE_STR("\"a\\n\\x41\\101\\u00e9\\U0001F600\\\"'\""), &q, NULL),
                     HALE_OK);
    assert_true(hale_str_eq_c(q.root->text, "a\nAA\xc3\xa9\xf0\x9f\x98\x80\"'"));
    hale_promql_fini(&q);
    assert_int_equal(hale_promql_parse(HALE_STR("0x1F"), &q, NULL), HALE_OK);
    assert_true(q.root->number == 31);
    hale_promql_fini(&q);
    assert_int_equal(hale_promql_parse(HALE_STR("-5."), &q, NULL), HALE_OK);
    assert_true(q.root->number == -5);
    hale_promql_fini(&q);
    assert_int_equal(hale_promql_parse(HALE_STR("x[1h30m] offset -90s @ 1.5"), &q, NULL),
                     HALE_OK);
    assert_int_equal(q.root->range_ms, 5400000);
    assert_int_equal(q.root->offset_ms, -90000);
    assert_int_equal(q.root->at_ms, 1500);
    hale_promql_fini(&q);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"1ms", 1},
        {"15s", 15000},
        {"1m", 60000},
        {"1h30m", 5400000},
        {"1d", 86400000},
        {"1w", 604800000},
        {"1y", 31536000000},
        {"0s", 0},
        {"1m1h", -1},
        {"1m1m", -1},
        {"5", -1},
        {"m", -1},
        {"", -1},
        {"1.5h", -1},
        {"99999999999999999y", -1},
        {"1S", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms;
        enum hale_rc rc = hale_promql_duration(hale_str_from(cases[i].text), &ms);
        if ((rc == HALE_OK ? ms : -1) != cases[i].ms)
            fail_msg("%s", cases[i].text);
    }
}

/* --- limits ------------------------------------------------------------------------------------ */

static enum hale_rc parse_repeated(const char *head, const char *part, size_t n,
                                   const char *tail, struct hale_err *err)
{
    struct hale_promql q;
    struct hale_buf b;

    hale_buf_init(&b, 1 << 20);
    hale_buf_add_c(&b, head);
    for (size_t i = 0; i < n; i++)
        hale_buf_add_c(&b, part);
    hale_buf_add_c(&b, tail);
    enum hale_rc rc = hale_promql_parse(hale_buf_str(&b), &q, err);
    hale_promql_fini(&q);
    hale_buf_fini(&b);
    return rc;
}

static void nesting_has_a_ceiling(void **state)
{
    struct hale_err err;

    (void)state;
    assert_int_equal(parse_repeated("", "(", 90, "x", &err), HALE_E_INVAL);
    assert_non_null(strstr(err.text, "expected ')'"));
    assert_int_equal(parse_repeated("", "(", 50000, "x", &err), HALE_E_INVAL);
    assert_string_equal(err.text, "nested deeper than 100");
    assert_int_equal(parse_repeated("", "-", 50000, "x", &err), HALE_E_INVAL);
    assert_string_equal(err.text, "nested deeper than 100");
    assert_int_equal(parse_repeated("1", "+1", 50, "", &err), HALE_OK);
    assert_int_equal(parse_repeated("1", "+1", 50000, "", &err), HALE_E_INVAL);
    assert_string_equal(err.text, "nested deeper than 100");
    assert_int_equal(parse_repeated("1", " ", HALE_PROMQL_MAX_BYTES, "", &err),
                     HALE_E_INVAL);
    assert_string_equal(err.text, "the query is longer than 131072 bytes");
    assert_int_equal(parse_repeated("x{", "a=\"1\",", 128, "}", &err), HALE_E_INVAL);
    assert_string_equal(err.text, "more than 128 label matchers");
    assert_int_equal(parse_repeated("sum by (", "a,", 65, ") (x)", &err), HALE_E_INVAL);
    assert_string_equal(err.text, "more than 64 labels in grouping opts");
}

static void match_wants_a_selector(void **state)
{
    struct hale_promql q;

    (void)state;
    assert_int_equal(hale_promql_parse_selector(HALE_STR("x{a=\"b\"}"), &q, NULL),
                     HALE_OK);
    hale_promql_fini(&q);
    static const char *const bad[] = {"x[5m]",  "x offset 1m", "x @ 1",
                                      "sum(x)", "1",           "x +"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (hale_promql_parse_selector(hale_str_from(bad[i]), &q, NULL) != HALE_E_INVAL)
            fail_msg("%s", bad[i]);
        hale_promql_fini(&q);
    }
}

static void matchers(void **state)
{
    static const struct {
        const char *selector, *value;
        bool yes;
    } cases[] = {
        {"{a=\"x\"}", "x", true},         {"{a=\"x\"}", "", false},
        {"{b=\"1\",a!=\"x\"}", "", true}, {"{a=~\"x|y\"}", "y", true},
        {"{a=~\"x|y\"}", "xy", false},    {"{b=\"1\",a!~\"x.*\"}", "xy", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_promql q;
        bool yes;
        assert_int_equal(
            hale_promql_parse_selector(hale_str_from(cases[i].selector), &q, NULL),
            HALE_OK);
        const struct hale_promql_matcher *m = &q.root->matchers[q.root->n_matchers - 1];
        assert_int_equal(hale_promql_matches(m, hale_str_from(cases[i].value), &yes),
                         HALE_OK);
        if (yes != cases[i].yes)
            fail_msg("%s on %s", cases[i].selector, cases[i].value);
        hale_promql_fini(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(precedence),
        cmocka_unit_test(strings_and_numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(nesting_has_a_ceiling),
        cmocka_unit_test(match_wants_a_selector),
        cmocka_unit_test(matchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
