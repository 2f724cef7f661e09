/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/promql_format.h"
#include "collector/promql_params.h"

static void forms(void **state)
{
    struct collector_promql_params *p = calloc(1, sizeof(*p));

    (void)state;
    assert_non_null(p);
    collector_promql_params_init(p);
    collector_promql_params_form(
        p, HALE_STR(
               "query=a%7Bb%3D%22c+d%22%7D&&time=1.5&match%5B%5D=x&match%5B%5D=y&e=&z"));
    collector_promql_params_add(p, HALE_STR("time"), HALE_STR("2"));
    assert_int_equal(p->n, 7);
    assert_true(hale_str_eq_c(collector_promql_param(p, "query"), "a{b=\"c d\"}"));
    assert_true(hale_str_eq_c(collector_promql_param(p, "time"), "1.5")); /* the first */
    assert_true(hale_str_eq_c(p->v[3].name, "match[]"));
    assert_true(hale_str_eq_c(p->v[3].value, "y"));
    assert_null(collector_promql_param(p, "nothing").p);
    collector_promql_params_fini(p);

    collector_promql_params_init(p);
    collector_promql_params_form(p, HALE_STR("a=%4&b=%zz&c=%41%00"));
    assert_true(hale_str_eq_c(p->v[0].value, "%4"));
    assert_true(hale_str_eq_c(p->v[1].value, "%zz"));
    assert_int_equal(p->v[2].value.len, 2);
    collector_promql_params_fini(p);

    collector_promql_params_init(p);
    for (unsigned i = 0; i < COLLECTOR_PROMQL_PARAMS_MAX; i++)
        collector_promql_params_add(p, HALE_STR("a"), HALE_STR("b"));
    assert_false(p->failed);
    collector_promql_params_add(p, HALE_STR("a"), HALE_STR("b"));
    assert_true(p->failed);
    collector_promql_params_fini(p);
    free(p);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"1435781430.781", 1435781430781},
        {"0", 0},
        {"-1.5", -1500},
        {"1.4357814e9", 1435781400000},
        {"2015-07-01T20:10:30.781Z", 1435781430781},
        {"2015-07-01T22:10:30+02:00", 1435781430000},
        {"", -1},
        {"yesterday", -1},
        {"1e300", -1},
        {"NaN", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        if (collector_promql_time(hale_str_from(cases[i].text), &ms) != HALE_OK)
            ms = -1;
        if (ms != cases[i].ms)
            fail_msg("%s gives %lld", cases[i].text, (long long)ms);
    }
    int64_t ms;
    assert_int_equal(collector_promql_duration(HALE_STR("15"), &ms), HALE_OK);
    assert_int_equal(ms, 15000);
    assert_int_equal(collector_promql_duration(HALE_STR("0.5"), &ms), HALE_OK);
    assert_int_equal(ms, 500);
    assert_int_equal(collector_promql_duration(HALE_STR("1m30s"), &ms), HALE_OK);
    assert_int_equal(ms, 90000);
    assert_int_equal(collector_promql_duration(HALE_STR("1x"), &ms), HALE_E_INVAL);
    assert_int_equal(collector_promql_duration(HALE_STR("1e30"), &ms), HALE_E_INVAL);
}

static void label_names(void **state)
{
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"host", "host"},     {"__name__", "__name__"},
        {"U__a_2e_b", "a.b"}, {"U__a__b", "a_b"},
        {"U__", "U__"},       {"U__a_b", "a_b"},
        {"U__a_2_", "a\x02"}, {"odd label", "odd label"},
        {"U__a_", "a_"},
    };
    struct hale_arena a;

    (void)state;
    hale_arena_init(&a, 65536);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_str s = collector_promql_label_name(&a, hale_str_from(cases[i].text));
        if (!hale_str_eq_c(s, cases[i].name))
            fail_msg("%s gives %.*s", cases[i].text, (int)s.len, s.p);
    }
    hale_arena_fini(&a);
}

static void numbers(void **state)
{
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {123456.789, "123456.789"},
        {1e15, "1000000000000000"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {1e-6, "0.000001"},
        {9.99e-7, "9.99e-07"},
        {5e-324, "5e-324"},
        {-0.0, "-0"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
        {9007199254740993.0, "9007199254740992"},
        {1e23, "1e+23"},
        {-2.5e-10, "-2.5e-10"},
        {12345678901234567890.0, "12345678901234567000"},
    };
    struct hale_buf b;

    (void)state;
    hale_buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hale_buf_reset(&b);
        collector_promql_add_number(&b, cases[i].d);
        if (strcmp(b.p, cases[i].text) != 0)
            fail_msg("%.17g gives %s, not %s", cases[i].d, b.p, cases[i].text);
    }
    hale_buf_fini(&b);
}

/* The quick way against printf: what is written reads back, and no shorter text does. */
static void numbers_read_back(void **state)
{
    uint64_t seed = 42;
    struct hale_buf b;
    char shorter[64];

    (void)state;
    hale_buf_init(&b, 1000);
    for (int i = 0; i < 300000; i++) {
        double d;
        double back;
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = (seed & UINT64_C(0x000fffffffffffff)) |
                        ((UINT64_C(1023) - 20 + (seed >> 58)) << 52); /* 1e-6 to 1e13 */
        memcpy(&d, &bits, sizeof(d));
        if (i % 3 == 1) /* few decimals */
            d = (double)llrint(d * 1000) / 1000;
        if (i % 3 == 2) /* near a power of ten */
            d = pow(10, i % 17 - 5) * (1 + (double)(i % 7 - 3) * 0x1p-52);
        hale_buf_reset(&b);
        collector_promql_add_number(&b, d);
        assert_int_equal(hale_str_double(hale_buf_str(&b), &back), HALE_OK);
        if (back != d)
            fail_msg("%.17g gives %s", d, b.p);
        size_t digits = 0;
        bool leading = true;
        for (size_t k = 0; k < b.len; k++) {
            leading = leading && (b.p[k] == '0' || b.p[k] == '.');
            digits += !leading && b.p[k] != '.' ? 1 : 0;
        }
        if (digits < 2 || digits > 17 || d == floor(d))
            continue;
        (void)snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, d);
        assert_int_equal(hale_str_double(hale_str_from(shorter), &back), HALE_OK);
        if (back == d)
            fail_msg("%s is shorter than %s", shorter, b.p);
    }
    hale_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(times),
        cmocka_unit_test(label_names),
        cmocka_unit_test(numbers),
        cmocka_unit_test(numbers_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
