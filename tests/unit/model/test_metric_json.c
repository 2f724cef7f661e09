/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/limits.h"
#include "model/metric_json.h"
#include "model/metric_json_scan.h"

#define M "{\"name\":\"a\",\"timestamp\":1,\"value\":2}"

/* Parses an exact heap copy, so that the address sanitizer sees any read beyond its end.
 * Returns the fault; *n counts the good metrics, *last (may be NULL) is the copy of the last. */
static enum hale_metric_fault parse(const char *text, size_t len, unsigned *n,
                                    struct hale_metric_view *last, struct hale_err *err)
{
    struct hale_metric_parser p;
    struct hale_metric_view v;
    enum hale_metric_fault f;
    char *body = malloc(len > 0 ? len : 1);
    assert_non_null(body);
    memcpy(body, text, len);
    *n = 0;
    hale_metric_parser_init(&p, (struct hale_str){body, len});
    while ((f = hale_metric_parser_next(&p, &v)) == HALE_METRIC_OK) {
        *n += 1;
        if (last != NULL)
            *last = v;
    }
    assert_int_equal(hale_metric_parser_next(&p, &v), f);
    *err = p.err;
    free(body); /* of *last only the numbers are of use */
    return f;
}

/* With each walker, at several lengths of blanks behind (the vector path needs 32 bytes). */
static void expect(const char *text, size_t len, enum hale_metric_fault fault, unsigned n,
                   const char *message)
{
    for (int avx2 = 0; avx2 < 2; avx2++) {
        if (!hale_scan_choose(avx2 != 0))
            continue;
        char *padded = malloc(len + 64);
        assert_non_null(padded);
        memcpy(padded, text, len);
        memset(padded + len, ' ', 64);
        for (size_t pad = 0; pad <= 64; pad += 32) {
            unsigned got_n;
            struct hale_err err;
            enum hale_metric_fault got = parse(padded, len + pad, &got_n, NULL, &err);
            if (got != fault || (fault == HALE_METRIC_END && got_n != n))
                fail_msg("%.*s: fault %d instead of %d after %u", (int)len, text,
                         (int)got, (int)fault, got_n);
            if (message != NULL && strstr(err.text, message) == NULL)
                fail_msg("%.*s: \"%s\" lacks \"%s\"", (int)len, text, err.text, message);
        }
        free(padded);
    }
}

static void accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned n;
    } cases[] = {
        {"[]", 0},
        {" \t\r\n[ \n] ", 0},
        {M, 1},
        {"[" M "]", 1},
        {" [ " M " , " M " ] ", 2},
        {"{\"value\":2,\"timestamp\":1,\"name\":\"a\"}", 1},
        {"{ \"name\" : \"a\" , \"timestamp\" : 1 , \"value\" : 2 }", 1},
        {"{\"name\":\"a\",\"dimensions\":{},\"timestamp\":1,\"value\":2}", 1},
        {"{\"name\":\"a\",\"dimensions\":{\"k\":\"v\",\"l\" : \"w\"},\"timestamp\":1,"
         "\"value\":2,\"value_meta\":{\"rc\":\"1\"}}",
         1},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"value_meta\":null}", 1},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":true}", 1},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"x\":[{\"y\":[]},null,true,false,"
         "-1.5E+3,\"\\u20ac\"]}",
         1},
        /* the last of equal keys counts, whatever the first was */
        {"{\"name\":1,\"name\":\"a\",\"timestamp\":\"\",\"timestamp\":1,\"value\":null,"
         "\"value\":2,\"dimensions\":null,\"dimensions\":{},\"value_meta\":1,"
         "\"value_meta\":null}",
         1},
        {"{\"n\\u0061me\":\"a\",\"\\u0074imestamp\":1,\"val\\u0075e\":2}", 1},
        {"{\"name\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\ud83d\\ude00\\\"\\\\\\/\\b\\f"
         "\\n\\r\\t\",\"timestamp\":1,\"value\":2}",
         1},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"x\":1e999}", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i].text, strlen(cases[i].text), HALE_METRIC_END, cases[i].n, NULL);
}

static void not_json(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "x",
        "nul",
        "nullx",
        "tru",
        "'a'",
        "{]",
        "[}",
        "[,]",
        "\xef\xbb\xbf[]",
        "[] x",
        "[]]",
        "[][]",
        (M M),
        (M ","),
        ("[" M),
        ("[" M ","),
        ("[" M ",]"),
        ("[" M " " M "]"),
        "{\"name\"}",
        "{\"name\":}",
        "{\"name\" \"a\"}",
        "{name:1}",
        "{\"name\":\"a\",}",
        "{\"name\":\"a\" \"value\":1}",
        "{\"name\":\"a}",
        "{\"name",
        "{,\"name\":\"a\"}",
        "{\"name\":\"a\"",
        "{\"name\":\"a\\",
        "{1:2}",
        "{null:1}",
        "{\"name\":\"\\x\"}",
        "{\"name\":\"\\u12\"}",
        "{\"name\":\"\\u12g4\"}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":\"\\udc00\"}",
        "{\"name\":\"\\ud800\\u0041\"}",
        "{\"name\":\"\\ud800\\",
        "{\"name\":\"\\ud800\\udbff\"}",
        "{\"name\":\"a\tb\"}",
        "{\"name\":\"a\nb\"}",
        "{\"\x1f\":1}",
        "{\"name\":\"\x80\"}",
        "{\"name\":\"\xc3\"}",
        "{\"name\":\"\xc0\xaf\"}",
        "{\"name\":\"\xc1\xbf\"}",
        "{\"name\":\"\xe0\x9f\xbf\"}",
        "{\"name\":\"\xed\xa0\x80\"}",
        "{\"name\":\"\xf0\x8f\xbf\xbf\"}",
        "{\"name\":\"\xf4\x90\x80\x80\"}",
        "{\"name\":\"\xf5\x80\x80\x80\"}",
        "{\"name\":\"\xe2\x82\"}",
        "{\"name\":\"\xff\"}",
        "{\"value\":01}",
        "{\"value\":-}",
        "{\"value\":+1}",
        "{\"value\":.5}",
        "{\"value\":1.}",
        "{\"value\":1.e2}",
        "{\"value\":1e}",
        "{\"value\":1e+}",
        "{\"value\":0x10}",
        "{\"value\":1.2.3}",
        "{\"value\":--1}",
        "{\"value\":-01}",
        "{\"value\":1_000}",
        "{\"value\":nan}",
        "{\"value\":Inf}",
        "{\"x\":NaN}",
        "{\"x\":[1,]}",
        "{\"x\":[1 2]}",
        "{\"x\":{\"a\"}}",
        "{\"x\":{\"a\":1,}}",
        "{\"dimensions\":{\"a\":\"b\",}}",
        "{\"dimensions\":{\"a\"}}",
        "{\"dimensions\":{\"a\":\"b\"",
        "{\"dimensions\":{,}}",
        "{\"x\":TRUE}",
        "{\"value_meta\":{\"a\":}}",
        "{\"timestamp\":1x}",
        "{\"timestamp\":12345678901x}",
        "{/**/}",
        "{\"x\":\"a\"\"b\":1}",
        /* first a broken rule, then no JSON: the graver fault counts */
        "[{\"name\":1},{]",
        ("[1," M ",}"),
        "[null",
        ("[{\"name\":1}," M "] x"),
        "1 2",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i], strlen(cases[i]), HALE_METRIC_BAD_JSON, 0, "not valid JSON");
    expect("{\"name\":\"a\0b\"}", 14, HALE_METRIC_BAD_JSON, 0, "control byte");
    expect("[]\0", 3, HALE_METRIC_BAD_JSON, 0, "at byte 3");
}

static void broken_rules(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"null", "a metric must be an object: for metric (no name)"},
        {"1", "must be an object"},
        {"\"x\"", "must be an object"},
        {"[null]", "must be an object"},
        {"[[]]", "must be an object"},
        {"[" M ",1]", "must be an object"},
        {"{}", "name is required: for metric (no name)"},
        {"[{}]", "name is required"},
        {"{\"timestamp\":1,\"value\":2}", "name is required: for metric (no name)"},
        {"{\"name\":1,\"timestamp\":1,\"value\":2}", "name must be a string"},
        {"{\"name\":null,\"timestamp\":1,\"value\":2}", "name must be a string"},
        {"{\"name\":\"a\",\"name\":{},\"timestamp\":1,\"value\":2}",
         "name must be a string: for metric (no name)"},
        {"{\"name\":\"a\",\"value\":2}", "timestamp is required: for metric a"},
        {"{\"name\":\"a\\u00e9\\n\",\"value\":2}", "for metric a\xc3\xa9?"},
        {"{\"name\":\"a\",\"timestamp\":\"1\",\"value\":2}",
         "timestamp must be a number"},
        {"{\"name\":\"a\",\"timestamp\":null,\"value\":2}", "timestamp must be a number"},
        {"{\"name\":\"a\",\"timestamp\":true,\"value\":2}", "timestamp must be a number"},
        {"{\"name\":\"a\",\"timestamp\":{},\"value\":2}", "timestamp must be a number"},
        {"{\"name\":\"a\",\"timestamp\":8640000000000001,\"value\":2}", "8.64e15"},
        {"{\"name\":\"a\",\"timestamp\":-8640000000000001,\"value\":2}", "8.64e15"},
        {"{\"name\":\"a\",\"timestamp\":1e16,\"value\":2}", "8.64e15"},
        {"{\"name\":\"a\",\"timestamp\":1e999,\"value\":2}", "8.64e15"},
        {"{\"name\":\"a\",\"timestamp\":99999999999999999999,\"value\":2}", "8.64e15"},
        {"{\"name\":\"a\",\"timestamp\":NaN,\"value\":2}", "NaN and Infinity"},
        {"{\"name\":\"a\",\"timestamp\":1}", "value is required: for metric a"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":\"2\"}",
         "value must be a finite number"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":null}",
         "value must be a finite number"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":[]}",
         "value must be a finite number"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":1e309}",
         "value must be a finite number"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":-1e400}", "value must be a finite"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":NaN}", "NaN and Infinity"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":Infinity}", "NaN and Infinity"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":-Infinity}", "NaN and Infinity"},
        {"[" M ",{\"name\":1},{\"name\":\"a\",\"timestamp\":1,\"value\":NaN}]",
         "name must"},
        {"{\"name\":\"a\",\"dimensions\":null,\"timestamp\":1,\"value\":2}",
         "dimensions must be an object: for metric a"},
        {"{\"name\":\"a\",\"dimensions\":[],\"timestamp\":1,\"value\":2}",
         "dimensions must"},
        {"{\"name\":\"a\",\"dimensions\":\"\",\"timestamp\":1,\"value\":2}",
         "dimensions must"},
        {"{\"name\":\"a\",\"dimensions\":{},\"dimensions\":1,\"timestamp\":1,\"value\":"
         "2}",
         "dimensions must"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"value_meta\":\"x\"}",
         "value_meta must be an object or null: for metric a"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"value_meta\":[]}",
         "value_meta must"},
        {"{\"name\":\"a\",\"timestamp\":1,\"value\":2,\"value_meta\":false}",
         "value_meta must"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(cases[i].text, strlen(cases[i].text), HALE_METRIC_BAD_SCHEMA, 0,
               cases[i].message);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = 64; depth <= 65; depth++) {
        char text[400];
        int n = snprintf(text, sizeof(text),
                         "{\"name\":\"a\",\"timestamp\":1,\"value\":2,"
                         "\"x\":");
        for (int i = 0; i < depth; i++)
            text[n++] = '[';
        for (int i = 0; i < depth; i++)
            text[n++] = ']';
        text[n++] = '}';
        if (depth == 64)
            expect(text, (size_t)n, HALE_METRIC_END, 1, NULL);
        else
            expect(text, (size_t)n, HALE_METRIC_BAD_JSON, 0, "too deep");
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    static const char text[] = "[{\"name\":\"cpu.idle\",\"dimensions\":{\"hostname\":"
                               "\"h\xc3\xa9\",\"a\":\"\\u20ac\"},"
                               "\"timestamp\":1526568125000,\"value\":-97.25e-1,\"value_"
                               "meta\":{\"rc\":[1,null]}}]";
    for (int avx2 = 0; avx2 < 2; avx2++) {
        if (!hale_scan_choose(avx2 != 0))
            continue;
        for (size_t len = 0; len < sizeof(text) - 1; len++) {
            unsigned n;
            struct hale_err err;
            assert_int_equal(parse(text, len, &n, NULL, &err), HALE_METRIC_BAD_JSON);
            assert_true(err.col >= 1 && (size_t)err.col <= len + 1);
        }
    }
}

static void views_point_at_the_source(void **state)
{
    (void)state;
    struct hale_metric_parser p;
    struct hale_metric_view v;
    hale_metric_parser_init(
        &p,
        HALE_STR(
            "[{\"value_meta\": {\"a\": 1}, \"dimensions\": {\"k\" :\"v\"}, "
            "\"timestamp\":1795254982691.9146, \"value\":false,\"name\":\"x\\u0041\"},"
            "{\"name\":\"\",\"timestamp\":-5.9,\"value\":true,\"value_meta\":{ }}]"));
    assert_int_equal(hale_metric_parser_next(&p, &v), HALE_METRIC_OK);
    assert_true(hale_str_eq_c(v.name_raw, "x\\u0041"));
    assert_true(hale_str_eq_c(v.dims_raw, "{\"k\" :\"v\"}"));
    assert_true(hale_str_eq_c(v.meta_raw, "{\"a\": 1}"));
    assert_int_equal(v.time_ms, 1795254982691);
    assert_true(v.value == 0.0);
    assert_int_equal(hale_metric_parser_next(&p, &v), HALE_METRIC_OK);
    assert_non_null(v.name_raw.p);
    assert_int_equal(v.name_raw.len, 0);
    assert_null(v.dims_raw.p);
    assert_null(v.meta_raw.p);
    assert_int_equal(v.time_ms, -5);
    assert_true(v.value == 1.0);
    assert_int_equal(hale_metric_parser_next(&p, &v), HALE_METRIC_END);
    hale_metric_parser_init(&p, (struct hale_str){NULL, 0});
    assert_int_equal(hale_metric_parser_next(&p, &v), HALE_METRIC_BAD_JSON);
    assert_int_equal(p.err.col, 1);
}

static void value_is(const char *number)
{
    char text[4096];
    int len = snprintf(text, sizeof(text),
                       "{\"value\":%s,\"name\":\"a\",\"timestamp\":1}", number);
    double expected = strtod(number, NULL);
    for (int avx2 = 0; avx2 < 2; avx2++) {
        struct hale_metric_view v;
        struct hale_err err;
        unsigned n;
        if (!hale_scan_choose(avx2 != 0))
            continue;
        assert_int_equal(parse(text, (size_t)len, &n, &v, &err), HALE_METRIC_END);
        if (memcmp(&v.value, &expected, sizeof(expected)) != 0)
            fail_msg("%s: %a instead of %a", number, v.value, expected);
    }
}

static void numbers_are_those_of_strtod(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0",
        "-0",
        "0.0",
        "-0.0",
        "0e5",
        "-0e-5",
        "1",
        "-1",
        "97.2",
        "0.1",
        "0.3",
        "1e22",
        "1e23",
        "1E+2",
        "1e-2",
        "9007199254740992",
        "9007199254740993",
        "9007199254740995",
        "9007199254740993.00000000000000000000000000000000001",
        "12345678",
        "123456789012",
        "1234567890123456789",
        "12345678901234567890",
        "999999999999999999999999",
        "0.1234567890123456789",
        "123.45678901234567",
        "1234567890.12345678",
        "5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1e-400",
        "-1e-99999999999999999999",
        "0e99999999999999999999",
        "1e-22",
        "1e308",
        "0.000000000000000000000000000000000000000000000000000000000001",
        "6.02214076e23",
        "18446744073709551615",
        "18446744073709551616",
        "4.35",
        "2.675",
        "7.038531e-26",
        "1090544144181609348671888949248",
        "0.30000000000000004",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        value_is(cases[i]);
    char text[2100];
    /* half-way between 1 and its successor, decided by the digit number 1500 */
    (void)snprintf(text, sizeof(text),
                   "1.00000000000000011102230246251565404236316680908203125"
                   "%01500d1",
                   0);
    value_is(text);
    (void)snprintf(text, sizeof(text), "0.%01000d1e1001", 0);
    value_is(text);
    (void)snprintf(text, sizeof(text), "1%01000de-1000", 0);
    value_is(text);
    for (uint64_t i = 0; i < 2000;
         i++) { /* half-way between two doubles, to even; and beside */
        static const struct {
            unsigned power;
            const char *tail;
        } ties[] = {{53, ""},      {53, ".0"},     {52, ".5"},    {51, ".25"},
                    {51, ".75"},   {51, ".250"},   {51, ".251"},  {51, ".249"},
                    {50, ".125"},  {50, ".375"},   {50, ".625"},  {50, ".124"},
                    {50, ".1251"}, {49, ".06250"}, {49, ".1875"}, {49, ".1874"}};
        for (size_t k = 0; k < sizeof(ties) / sizeof(ties[0]); k++) {
            (void)snprintf(text, sizeof(text), "%" PRIu64 "%s",
                           (UINT64_C(1) << ties[k].power) + i, ties[k].tail);
            value_is(text);
        }
    }
    uint64_t x = 88172645463325252u; /* xorshift: the same numbers each time */
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double d;
        memcpy(&d, &x, sizeof(d));
        if (!isfinite(d))
            continue;
        if (i % 4 == 0)
            (void)snprintf(text, sizeof(text), "%.17g", d);
        else if (i % 4 == 1)
            (void)snprintf(text, sizeof(text), "%.*f", (int)(x % 20), (double)(x >> 40));
        else if (i % 4 == 2) /* 15 to 19 digits, mostly more than a double has */
            (void)snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64, x >> 44,
                           8 + i / 4 % 5, x % 100000000 * 97);
        else
            (void)snprintf(text, sizeof(text), "%.*f", (int)(x % 18), (double)x / 1e17);
        value_is(text);
    }
}

static void timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"1526568125000", 1526568125000},
        {"-86400000", -86400000},
        {"1795254982691.0146", 1795254982691},
        {"1.7952549826919e12", 1795254982691},
        {"0.9999", 0},
        {"-0.9999", 0},
        {"-1.5", -1},
        {"8640000000000000", INT64_C(8640000000000000)},
        {"-8.64e15", -INT64_C(8640000000000000)},
        {"86400000000000000e-1", INT64_C(8640000000000000)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct hale_metric_view v;
        struct hale_err err;
        unsigned n;
        int len =
            snprintf(text, sizeof(text), "{\"timestamp\":%s,\"name\":\"a\",\"value\":1}",
                     cases[i].text);
        assert_int_equal(parse(text, (size_t)len, &n, &v, &err), HALE_METRIC_END);
        assert_int_equal(v.time_ms, cases[i].ms);
    }
}

static void series_are_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *name, *dims; /* raw; dims NULL: absent */
        const char *want;        /* "name|key=value|..." decoded and sorted */
    } cases[] = {
        {"cpu", NULL, "cpu"},
        {"cpu", "{}", "cpu"},
        {"cpu", "{ }", "cpu"},
        {"c\\u0070u", "{\"b\":\"2\", \"a\" : \"1\"}", "cpu|a=1|b=2"},
        {"\\u00e9\\ud83d\\ude00\\/", "{\"\\u20ac\":\"\\t\"}",
         "\xc3\xa9\xf0\x9f\x98\x80/|\xe2\x82\xac=\t"},
        {"x", "{\"a\":\"1\",\"b\":\"y\",\"\\u0061\":\"2\"}", "x|a=2|b=y"},
        {"x", "{\"a\":1,\"a\":\"2\"}", "x|a=2"},
        {"x", "{\"a\":\"_ ()|:'\"}", "x|a=_ ()|:'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_metric_view v = {.name_raw = hale_str_from(cases[i].name),
                                     .dims_raw = hale_str_from(cases[i].dims)};
        struct hale_buf out, text;
        struct hale_series s;
        struct hale_err err = {0};
        hale_buf_init(&out, 100000);
        hale_buf_init(&text, 1000);
        assert_int_equal(hale_metric_series(&v, HALE_STR("t"), HALE_STR("r"), &out, &err),
                         HALE_OK);
        assert_int_equal(hale_series_decode(hale_buf_str(&out), &s), HALE_OK);
        assert_true(hale_str_eq_c(s.tenant, "t") && hale_str_eq_c(s.region, "r"));
        hale_buf_add_str(&text, s.name);
        for (unsigned k = 0; k < s.n_dims; k++) {
            hale_buf_add_char(&text, '|');
            hale_buf_add_str(&text, s.dims[k].key);
            hale_buf_add_char(&text, '=');
            hale_buf_add_str(&text, s.dims[k].value);
        }
        assert_string_equal(text.p, cases[i].want);
        hale_buf_fini(&out);
        hale_buf_fini(&text);
    }
}

static void refuse_series(const char *name, const char *dims, const char *message)
{
    struct hale_metric_view v = {.name_raw = hale_str_from(name),
                                 .dims_raw = hale_str_from(dims)};
    struct hale_buf out;
    struct hale_err err = {0};
    hale_buf_init(&out, 100000);
    assert_int_equal(hale_metric_series(&v, HALE_STR("t"), HALE_STR("r"), &out, &err),
                     HALE_E_INVAL);
    assert_int_equal(out.len, 0);
    if (strstr(err.text, message) == NULL || strstr(err.text, ": for metric ") == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
    assert_true(strlen(err.text) < sizeof(err.text) - 1); /* nothing cut off */
    hale_buf_fini(&out);
}

static void series_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name, *dims, *message;
    } cases[] = {
        {NULL, NULL, "name is required: for metric (no name)"},
        {"", NULL, "invalid length for metric name"},
        {"a b", NULL, "invalid characters in metric name a b: for metric a b"},
        {"a(", NULL, "invalid characters in metric name a(: for metric a("},
        {"a\\u0028", NULL, ": for metric a("},
        {"a\\u0000", NULL, "invalid characters in metric name"},
        {"a\\\\", NULL, "invalid characters in metric name a\\: for metric a\\"},
        {"a\\\"", NULL, "invalid characters in metric name a\": for metric a\""},
        {"a\\", NULL, "not a JSON string"},
        {"a\"b", NULL, "not a JSON string"},
        {"a\xff", NULL, "not a JSON string"},
        {"m", "{\"\":\"v\"}", "invalid length for dimension key"},
        {"m", "{\"k\":\"\"}", "invalid length for dimension value"},
        {"m", "{\"_k\":\"v\"}", "must not start with '_': for metric m"},
        {"m", "{\"\\u005fk\":\"v\"}", "must not start with '_': for metric m"},
        {"m", "{\"k=\":\"v\"}", "invalid characters in dimension key k=: for metric m"},
        {"m", "{\"k\":\"v;\"}", "invalid characters in dimension value v;: for metric m"},
        {"m", "{\"k\":1}", "dimension values must be strings: for metric m"},
        {"m", "{\"k\":null}", "dimension values must be strings: for metric m"},
        {"m", "{\"k\":{}}", "dimension values must be strings: for metric m"},
        {"m", "{\"k\":\"a\",\"k\":true}", "dimension values must be strings"},
        {"m", "[]", "dimensions must be an object: for metric m"},
        {"m", "{\"k\":\"v\"", "dimensions must be an object: for metric m"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse_series(cases[i].name, cases[i].dims, cases[i].message);
}

static void series_limits(void **state)
{
    (void)state;
    static char name[256 * 6 + 1], dims[200000];
    for (int i = 0; i < 256; i++)
        memcpy(name + 6 * i, "\\u20ac", 6);
    refuse_series(name, NULL, "invalid length for metric name");
    name[255 * 6] = '\0';
    refuse_series(name, "{\"k\":1}",
                  "must be strings: for metric \xe2\x82\xac\xe2\x82\xac");
    for (unsigned n = 64; n <= 65; n++) {
        struct hale_metric_view v = {.name_raw = HALE_STR("m")};
        struct hale_buf out;
        struct hale_err err;
        int len = snprintf(dims, sizeof(dims), "{");
        for (unsigned i = 0; i < n; i++)
            len += snprintf(dims + len, sizeof(dims) - (size_t)len, "%s\"k%u\":\"v\"",
                            i == 0 ? "" : ",", i);
        (void)snprintf(dims + len, sizeof(dims) - (size_t)len, ",\"k0\":\"w\"}");
        v.dims_raw = hale_str_from(dims);
        hale_buf_init(&out, 100000);
        assert_int_equal(hale_metric_series(&v, HALE_STR("t"), HALE_STR("r"), &out, &err),
                         n == 64 ? HALE_OK : HALE_E_INVAL);
        hale_buf_fini(&out);
    }
    refuse_series("m", dims, "more than 64 dimensions: for metric m");
    static const char smile[] = {'\xf0', '\x9f', '\x98', '\x80'};
    size_t len = 1; /* 64 times 255 characters of four bytes are over 65000 bytes */
    dims[0] = '{';
    for (unsigned i = 0; i < 64; i++) {
        len += (size_t)snprintf(dims + len, 16, "%s\"k%u\":\"", i == 0 ? "" : ",", i);
        for (unsigned k = 0; k < 255; k++, len += 4)
            memcpy(dims + len, smile, sizeof(smile));
        dims[len++] = '"';
    }
    (void)snprintf(dims + len, 2, "}");
    refuse_series("m", dims, "longer than 65000 bytes: for metric m");
    struct hale_metric_view v = {.name_raw = HALE_STR("m")};
    struct hale_buf tiny;
    struct hale_err err;
    hale_buf_init(&tiny, 5);
    assert_int_equal(hale_metric_series(&v, HALE_STR("t"), HALE_STR("r"), &tiny, &err),
                     HALE_E_LIMIT);
    hale_buf_fini(&tiny);
}

static enum hale_rc check_meta(const char *text)
{
    struct hale_err err = {0};
    enum hale_rc rc = hale_metric_check_meta(hale_str_from(text), &err);
    assert_true((rc == HALE_OK) == (err.text[0] == '\0'));
    return rc;
}

static void meta_rules(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(check_meta(NULL), HALE_OK);
    assert_int_equal(check_meta("{}"), HALE_OK);
    assert_int_equal(check_meta("{\"rc\":\"1\",\"x\":[{\"y\":null}]}"), HALE_OK);
    assert_int_equal(check_meta("{\"\":\"1\"}"), HALE_E_INVAL);
    assert_int_equal(check_meta("[]"), HALE_E_INVAL);
    assert_int_equal(check_meta("{"), HALE_E_INVAL);
    assert_int_equal(check_meta("{\"a\":1}x"), HALE_E_INVAL);
    for (unsigned n = 16; n <= 17; n++) {
        int len = snprintf(text, sizeof(text), "{\"0\":[],\"\\u0030\":{}");
        for (unsigned i = 1; i < n; i++)
            len += snprintf(text + len, sizeof(text) - (size_t)len, ",\"%u\":1", i);
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "}");
        assert_int_equal(check_meta(text), n == 16 ? HALE_OK : HALE_E_INVAL);
    }
    static const char *const units[] = {"a", "\xc3\xa9", "\\u20ac", "\xe2\x82\xac",
                                        "\\n"};
    for (size_t u = 0; u < 5; u++) {
        for (int n = 255; n <= 256; n++) { /* 255 times six stays within 2048 */
            int len = snprintf(text, sizeof(text), "{\"");
            for (int i = 0; i < n; i++)
                len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", units[u]);
            (void)snprintf(text + len, sizeof(text) - (size_t)len, "\":1}");
            assert_int_equal(check_meta(text), n == 255 ? HALE_OK : HALE_E_INVAL);
        }
    }
}

/* The lengths are those of json.dumps(json.loads(text)) in Python 3.11. */
static void meta_length_is_that_of_json_dumps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned len;
    } cases[] = {
        {"{\"a\":1.50}", 10},
        {"{\"a\":1e300}", 13},
        {"{\"a\":0.00001}", 12},
        {"{\"a\":0.0001}", 13},
        {"{\"a\":1e16}", 12},
        {"{\"a\":1e15}", 25},
        {"{\"a\":123456.789e-3}", 17},
        {"{\"a\":-0}", 8},
        {"{\"a\":-0.0}", 11},
        {"{\"a\":1E2}", 12},
        {"{\"a\":1e999}", 15},
        {"{\"a\":-1e999}", 16},
        {"{\"a\":5e-324}", 13},
        {"{\"a\":1.7976931348623157e308}", 30},
        {"{\"a\":\"\\u00e9\\n\\/\\u0041\\u001f\\u0022\"}", 27},
        {"{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}", 39},
        {"{\"a\":\"\\ud83d\\ude00\"}", 21},
        {"{ \"a\" : [ 1 , {\"b\":null , \"c\" : true},[],{ } ] , \"d\":false}", 54},
        {"{\"a\":1,\"a\":\"xyz\"}", 12},
        {"{\"\\u0061\":1,\"a\":\"xyz\"}", 12},
        {"{\"a\":123456789012345678901234567890}", 37},
        {"{\"a\":100.0}", 12},
        {"{\"a\":12345678901234567.0}", 29},
        {"{\"a\":9999999999999998.0}", 25},
        {"{\"a\":0.1}", 10},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].text) - 1; /* without the closing brace */
        /* a further ', "p": "..."' makes 9 characters and the padding */
        unsigned pad = HALE_META_MAX_CHARS - 9 - cases[i].len;
        for (unsigned more = 0; more < 2; more++) {
            char text[4096];
            int len =
                snprintf(text, sizeof(text), "%.*s,\"p\":\"", (int)n, cases[i].text);
            memset(text + len, 'x', pad + more);
            (void)snprintf(text + len + pad + more, 3, "\"}");
            if (check_meta(text) != (more == 0 ? HALE_OK : HALE_E_INVAL))
                fail_msg("%s is not %u long (%u)", cases[i].text, cases[i].len, more);
        }
    }
}

static void long_plain_strings(void **state)
{
    (void)state;
    /* every length around the 8- and 32-byte steps, with an oddity at every place */
    static const char *const odd[] = {"x", "\\n", "\xc3\xa9", "\x01", "\xc3", "\\x"};
    for (size_t len = 0; len < 100; len++) {
        for (size_t at = 0; at <= len; at++) {
            for (size_t o = 0; o < 6; o++) {
                char text[256];
                int n = snprintf(text, sizeof(text),
                                 "{\"timestamp\":1,\"value\":2,\"name\":\"");
                memset(text + n, 'a', len);
                int tail = snprintf(text + n + at, 100, "%s", odd[o]);
                memset(text + n + at + (size_t)tail, 'b', len - at);
                n += (int)len + tail;
                n += snprintf(text + n, sizeof(text) - (size_t)n, "\"}");
                for (int avx2 = 0; avx2 < 2; avx2++) {
                    unsigned count;
                    struct hale_err err;
                    if (!hale_scan_choose(avx2 != 0))
                        continue;
                    assert_int_equal(parse(text, (size_t)n, &count, NULL, &err),
                                     o < 3 ? HALE_METRIC_END : HALE_METRIC_BAD_JSON);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),
        cmocka_unit_test(not_json),
        cmocka_unit_test(broken_rules),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(views_point_at_the_source),
        cmocka_unit_test(numbers_are_those_of_strtod),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(series_are_canonical),
        cmocka_unit_test(series_rules),
        cmocka_unit_test(series_limits),
        cmocka_unit_test(meta_rules),
        cmocka_unit_test(meta_length_is_that_of_json_dumps),
        cmocka_unit_test(long_plain_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
