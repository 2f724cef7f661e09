/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters: tables of accepted and refused texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/params.h"

static void limits(void **state)
{
    static const struct {
        const char *text;
        enum hale_rc rc;
        size_t n;
    } CASES[] = {
        {NULL, HALE_OK, 10000},
        {"1", HALE_OK, 1},
        {"9999", HALE_OK, 9999},
        {"10001", HALE_OK, 10000},
        {"99999999999999999999999", HALE_OK, 10000},
        {"0", HALE_E_INVAL, 0},
        {"-1", HALE_E_INVAL, 0},
        {"x", HALE_E_INVAL, 0},
        {"1.0", HALE_E_INVAL, 0},
        {" 1", HALE_E_INVAL, 0},
        {"", HALE_E_INVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_err err = {0};
        size_t n = 0;
        if (collector_params_limit(CASES[i].text, &n, &err) != CASES[i].rc)
            fail_msg("limit %s", CASES[i].text);
        if (CASES[i].rc == HALE_OK)
            assert_int_equal(n, CASES[i].n);
        else
            assert_true(err.text[0] != '\0');
    }
}

static void dims(void **state)
{
    static const struct {
        const char *text;
        enum hale_rc rc;
        unsigned n;
    } CASES[] = {
        {NULL, HALE_OK, 0},        {"", HALE_OK, 0},           {"a", HALE_OK, 1},
        {"a:b", HALE_OK, 1},       {"a:b,c", HALE_OK, 2},      {"a:b:c", HALE_OK, 1},
        {"a:x|y,b:z", HALE_OK, 2}, {"a:", HALE_OK, 1},         {",", HALE_E_INVAL, 0},
        {"a,,b", HALE_E_INVAL, 0}, {":b", HALE_E_INVAL, 0},    {"a:b,", HALE_E_INVAL, 0},
        {"a:x|", HALE_E_INVAL, 0}, {"a:x<y", HALE_E_INVAL, 0}, {"a=b", HALE_E_INVAL, 0},
    };
    struct collector_dims d;
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        if (collector_params_dims(CASES[i].text, &d, &err) != CASES[i].rc ||
            (CASES[i].rc == HALE_OK && d.n != CASES[i].n))
            fail_msg("dimensions \"%s\"", CASES[i].text);
    }
    char many[2 * HALE_DIMS_MAX + 2]; /* "k,k,...,k": one more than allowed */
    for (unsigned i = 0; i <= HALE_DIMS_MAX; i++) {
        many[2 * i] = 'k';
        many[2 * i + 1] = i < HALE_DIMS_MAX ? ',' : '\0';
    }
    assert_int_equal(collector_params_dims(many, &d, &err), HALE_E_INVAL);
}

static void dims_match(void **state)
{
    struct hale_series s = {.n_dims = 2,
                            .dims = {{HALE_STR("device"), HALE_STR("sda")},
                                     {HALE_STR("host"), HALE_STR("h:1")}}};
    static const struct {
        const char *text;
        bool fits;
    } CASES[] = {{"", true},
                 {"host", true},
                 {"host:h:1", true},
                 {"host:h", false},
                 {"host:x|h:1", true},
                 {"host:x|y", false},
                 {"nokey", false},
                 {"device:sda,host", true},
                 {"device:sdb,host", false}};
    struct collector_dims d;
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(collector_params_dims(CASES[i].text, &d, &err), HALE_OK);
        if (collector_dims_match(&d, &s) != CASES[i].fits)
            fail_msg("match \"%s\"", CASES[i].text);
    }
}

static void cursors(void **state)
{
    static const struct {
        const char *text;
        bool ok, has_id, has_time;
        int64_t time_ms;
    } CASES[] = {
        {NULL, true, false, false, 0},
        {"s0123456789abcdef_2015-03-03T05:24:55.202Z", true, true, true, 1425360295202},
        {"m0123456789abcdef_2015-03-03T05:24:55Z", true, true, true, 1425360295000},
        {"g0123456789abcdef", true, true, false, 0},
        {"2015-03-03T05:24:55Z", true, false, true, 1425360295000},
        {"1425360295202", true, false, true, 1425360295202},
        {"0_1425360295202", true, false, true, 1425360295202},
        {"s0123456789abcdef_", false, false, false, 0},
        {"nonsense", false, false, false, 0},
        {"", false, false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_cursor c;
        struct hale_err err;
        bool ok = collector_params_cursor(CASES[i].text, &c, &err) == HALE_OK;
        if (ok != CASES[i].ok || (ok && ((c.id.p != NULL) != CASES[i].has_id ||
                                         c.has_time != CASES[i].has_time ||
                                         (c.has_time && c.time_ms != CASES[i].time_ms))))
            fail_msg("cursor \"%s\"", CASES[i].text);
    }
}

static void sorts(void **state)
{
    static const char *const FIELDS[] = {"id", "name", NULL};
    static const struct {
        const char *text;
        int n; /* -1: refused */
    } CASES[] = {{NULL, 0},        {"id", 1},
                 {"name desc", 1}, {"NAME  asc,id", 2},
                 {"x", -1},        {"id up", -1},
                 {"id asc x", -1}, {"", -1},
                 {"id,,name", -1}, {"id,id,id,id,id,id,id,id,id", -1}};
    struct collector_sort s;
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enum hale_rc rc = collector_params_sort(CASES[i].text, FIELDS, &s, &err);
        if ((rc == HALE_OK) != (CASES[i].n >= 0) ||
            (rc == HALE_OK && (int)s.n != CASES[i].n))
            fail_msg("sort_by \"%s\"", CASES[i].text);
    }
    assert_int_equal(collector_params_sort("name desc,id", FIELDS, &s, &err), HALE_OK);
    assert_true(s.v[0].field == 1 && s.v[0].desc && s.v[1].field == 0 && !s.v[1].desc);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } CASES[] = {
        {"2015-03-03T05:24:55.202Z", 1425360295202},
        {"2015-03-03T05:24:55", 1425360295000},
        {"2015-03-03 05:24:55", 1425360295000},
        {"2015-03-03T05:24:55+00:00", 1425360295000},
        {"2015-03-03T07:24:55+02:00", 1425360295000},
        {"2015-03-03T07:24:55 02:00", 1425360295000},
        {"2015-03-03 07:24:55 02:00", 1425360295000},
        {"2015-03-03T03:24:55-0200", 1425360295000},
        {"2015-03-03T05:24:55 ", -1},
        {"2015-03-03T05:24:55Z 02:00", -1},
        {"yesterday", -1},
        {"", -1},
        {"2015-03-03T05:24:55.000000000000000000000000000000000000000000000000000000Z",
         1425360295000},
    };
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int64_t ms = -1;
        bool ok = collector_params_time(CASES[i].text, "t", &ms, &err) == HALE_OK;
        if (ok != (CASES[i].ms != -1) || ms != CASES[i].ms)
            fail_msg("time %s: %lld", CASES[i].text, (long long)ms);
    }
}

static void small_ones(void **state)
{
    struct hale_err err;
    size_t row;
    int64_t period;

    (void)state;
    assert_true(collector_params_bool("True") && collector_params_bool("1"));
    assert_false(collector_params_bool(NULL) || collector_params_bool("false"));
    assert_int_equal(collector_params_row("7", &row, &err), HALE_OK);
    assert_int_equal(row, 7);
    assert_int_equal(collector_params_row("-7", &row, &err), HALE_E_INVAL);
    assert_int_equal(collector_params_period("0", &period, &err), HALE_OK);
    assert_int_equal(period, 300);
    assert_int_equal(collector_params_period("1.5", &period, &err), HALE_E_INVAL);
    assert_int_equal(collector_params_period("-1", &period, &err), HALE_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),  cmocka_unit_test(dims),  cmocka_unit_test(dims_match),
        cmocka_unit_test(cursors), cmocka_unit_test(sorts), cmocka_unit_test(small_ones),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
