/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

static struct hale_str s(const char *c)
{
    return hale_str_from(c);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(hale_str_eq(s(NULL), s("")));
    assert_true(hale_str_eq_c(HALE_STR("abc"), "abc"));
    assert_false(hale_str_eq_c(HALE_STR("abc"), "abd"));
    assert_false(hale_str_eq_c(HALE_STR("abc"), "ab"));
    assert_true(hale_str_ieq_c(HALE_STR("AbC[1"), "aBc[1"));
    assert_false(hale_str_ieq_c(HALE_STR("a["), "a{"));
    assert_true(hale_str_cmp(s("a"), s("b")) < 0);
    assert_true(hale_str_cmp(s("ab"), s("a")) > 0);
    assert_true(hale_str_cmp(s("\xff"), s("a")) > 0);
    assert_int_equal(hale_str_cmp(s(NULL), s("")), 0);
}

static void test_trim_split(void **state)
{
    static const char *const want[] = {"a", "", "b c", ""};
    struct hale_str rest = s("a,,b c,");
    (void)state;

    assert_true(hale_str_eq_c(hale_str_trim(s(" \t\r\n x y \v\f ")), "x y"));
    assert_int_equal(hale_str_trim(s("  ")).len, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(rest.p);
        assert_true(hale_str_eq_c(hale_str_split(&rest, ','), want[i]));
    }
    assert_null(rest.p);
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        enum hale_rc u_rc;
        uint64_t u;
        enum hale_rc i_rc;
        int64_t i;
    } rows[] = {
        {"0", HALE_OK, 0, HALE_OK, 0},
        {"007", HALE_OK, 7, HALE_OK, 7},
        {"-1", HALE_E_INVAL, 0, HALE_OK, -1},
        {"-0", HALE_E_INVAL, 0, HALE_OK, 0},
        {"9223372036854775807", HALE_OK, INT64_MAX, HALE_OK, INT64_MAX},
        {"9223372036854775808", HALE_OK, UINT64_C(1) << 63, HALE_E_LIMIT, 0},
        {"-9223372036854775808", HALE_E_INVAL, 0, HALE_OK, INT64_MIN},
        {"-9223372036854775809", HALE_E_INVAL, 0, HALE_E_LIMIT, 0},
        {"18446744073709551615", HALE_OK, UINT64_MAX, HALE_E_LIMIT, 0},
        {"18446744073709551616", HALE_E_LIMIT, 0, HALE_E_LIMIT, 0},
        {"99999999999999999999999", HALE_E_LIMIT, 0, HALE_E_LIMIT, 0},
        {"99999999999999999999999x", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"-", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"+1", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"--1", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {" 1", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"1 ", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"0x10", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
        {"1.0", HALE_E_INVAL, 0, HALE_E_INVAL, 0},
    };
    (void)state;
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        uint64_t u = 0;
        int64_t i = 0;
        assert_int_equal(hale_str_u64(s(rows[k].text), &u), rows[k].u_rc);
        assert_int_equal(u, rows[k].u);
        assert_int_equal(hale_str_i64(s(rows[k].text), &i), rows[k].i_rc);
        assert_int_equal(i, rows[k].i);
    }
}

static void test_doubles(void **state)
{
    static const struct {
        const char *text;
        double want;
    } good[] = {
        {"0", 0},
        {"-0", -0.0},
        {"1", 1},
        {"-1.5", -1.5},
        {"+3", 3},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"25e-1", 2.5},
        {".5", .5},
        {"5.", 5},
        {"0.1", 0.1},
        {"000000000000000000000001.5", 1.5},
        {"0.000000000000000000000001", 1e-24},
        {"123456789012345678", 123456789012345678.0},
        {"9007199254740993", 9007199254740993.0},
        {"3.141592653589793238462643383279", 3.141592653589793},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"5e-324", 5e-324},
        {"1e-400", 0},
        {"0e999999999999", 0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
    };
    static const char *const bad[] = {"",    "-",    "+",       ".",     "e5",   "1e",
                                      "1e+", "1.2.", "nan",     "inf",   "-inf", "0x1",
                                      "1,5", " 1",   "1 ",      "1e5.0", "--1",  "1e5x",
                                      "1_0", "1f",   "Infinity"};
    static const char *const beyond[] = {"1e309", "-1e309", "1e999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double d = 77;
        assert_int_equal(hale_str_double(s(good[i].text), &d), HALE_OK);
        assert_true(d == good[i].want && signbit(d) == signbit(good[i].want));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double d = 77;
        assert_int_equal(hale_str_double(s(bad[i]), &d), HALE_E_INVAL);
        assert_true(d == 77);
    }
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        double d;
        assert_int_equal(hale_str_double(s(beyond[i]), &d), HALE_E_LIMIT);
    }
    char longer[600];
    double d;
    memset(longer, '1', sizeof(longer));
    assert_int_equal(hale_str_double((struct hale_str){longer, sizeof(longer)}, &d),
                     HALE_E_LIMIT);
    /* A view: what lies behind it must not be read as part of it. */
    assert_int_equal(hale_str_double((struct hale_str){"1e5", 1}, &d), HALE_OK);
    assert_true(d == 1);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        enum hale_rc rc;
        int64_t ms;
    } rows[] = {
        {"500ms", HALE_OK, 500},
        {"10s", HALE_OK, 10000},
        {"5m", HALE_OK, 300000},
        {"1h30m", HALE_OK, 5400000},
        {"7d", HALE_OK, 604800000},
        {"1d2h3m4s5ms", HALE_OK, 93784005},
        {"0s", HALE_OK, 0},
        {"90m", HALE_OK, 5400000},
        {"", HALE_E_INVAL, 0},
        {"10", HALE_E_INVAL, 0},
        {"s", HALE_E_INVAL, 0},
        {"-1s", HALE_E_INVAL, 0},
        {"1.5h", HALE_E_INVAL, 0},
        {"1h 30m", HALE_E_INVAL, 0},
        {"30m1h", HALE_E_INVAL, 0},
        {"1s1s", HALE_E_INVAL, 0},
        {"1S", HALE_E_INVAL, 0},
        {"1w", HALE_E_INVAL, 0},
        {"1h30", HALE_E_INVAL, 0},
        {"99999999999999999999d", HALE_E_LIMIT, 0},
        {"99999999999999999999d1x", HALE_E_INVAL, 0},
        {"106751991168d", HALE_E_LIMIT, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = 0;
        assert_int_equal(hale_str_duration_ms(s(rows[i].text), &ms), rows[i].rc);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        enum hale_rc rc;
        uint64_t bytes;
    } rows[] = {
        {"512", HALE_OK, 512},
        {"512b", HALE_OK, 512},
        {"64k", HALE_OK, 65536},
        {"64KB", HALE_OK, 65536},
        {"10m", HALE_OK, 10u << 20},
        {"2g", HALE_OK, UINT64_C(2) << 30},
        {"2Gb", HALE_OK, UINT64_C(2) << 30},
        {"17179869183g", HALE_OK, UINT64_C(17179869183) << 30},
        {"17179869184g", HALE_E_LIMIT, 0},
        {"99999999999999999999", HALE_E_LIMIT, 0},
        {"", HALE_E_INVAL, 0},
        {"k", HALE_E_INVAL, 0},
        {"b", HALE_E_INVAL, 0},
        {"1t", HALE_E_INVAL, 0},
        {"1 k", HALE_E_INVAL, 0},
        {"1kk", HALE_E_INVAL, 0},
        {"1kib", HALE_E_INVAL, 0},
        {"-1", HALE_E_INVAL, 0},
        {"1.5m", HALE_E_INVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t bytes = 0;
        assert_int_equal(hale_str_bytes(s(rows[i].text), &bytes), rows[i].rc);
        assert_int_equal(bytes, rows[i].bytes);
    }
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        int count; /* -1: refused */
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xa9", 1},
        {"\xe2\x82\xac!", 2},
        {"\xf0\x9f\x98\x80", 1},
        {"\xed\x9f\xbf", 1},
        {"\xee\x80\x80", 1},
        {"\xf4\x8f\xbf\xbf", 1},
        {"\x80", -1},
        {"\xc3", -1},
        {"\xc3(", -1},
        {"\xc0\xaf", -1},
        {"\xc1\xbf", -1},
        {"\xe0\x9f\xbf", -1},
        {"\xed\xa0\x80", -1},
        {"\xf0\x8f\xbf\xbf", -1},
        {"\xf4\x90\x80\x80", -1},
        {"\xf5\x80\x80\x80", -1},
        {"\xe2\x82", -1},
        {"\xff", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t count = 999;
        enum hale_rc rc = hale_str_utf8_count(s(rows[i].text), &count);
        assert_int_equal(rc, rows[i].count < 0 ? HALE_E_INVAL : HALE_OK);
        assert_int_equal(count, rows[i].count < 0 ? 999 : rows[i].count);
    }
}

static void test_suggest(void **state)
{
    static const char *const names[] = {"listen", "interval", "redis", "id", NULL};
    static const struct {
        const char *word;
        const char *want;
    } rows[] = {
        {"lisen", "listen"},    {"intervall", "interval"},
        {"reids", "redis"},     {"LISTEN", "listen"},
        {"port", NULL},         {"x", NULL},
        {"ix", "id"},           {"", NULL},
        {"interv", "interval"}, {"inter", NULL},
    };
    char longer[200];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = hale_str_suggest(s(rows[i].word), names);
        if (rows[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got, rows[i].want);
    }
    memset(longer, 'a', sizeof(longer));
    assert_null(hale_str_suggest((struct hale_str){longer, sizeof(longer)}, names));
}

static void test_hex(void **state)
{
    unsigned char bytes[4] = {0};
    char text[9];
    (void)state;
    hale_str_hex("\x00\x7f\xab\xff", 4, text);
    assert_string_equal(text, "007fabff");
    assert_int_equal(hale_str_unhex(s("007fABff"), bytes, 4), HALE_OK);
    assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
    assert_int_equal(hale_str_unhex(s("007fABf"), bytes, 4), HALE_E_INVAL);
    assert_int_equal(hale_str_unhex(s("007fABfg"), bytes, 4), HALE_E_INVAL);
    assert_int_equal(hale_str_unhex(s("007fAB/f"), bytes, 4), HALE_E_INVAL);
    assert_int_equal(hale_str_unhex(s(""), bytes, 0), HALE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),   cmocka_unit_test(test_trim_split),
        cmocka_unit_test(test_integers),  cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_utf8),      cmocka_unit_test(test_suggest),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
