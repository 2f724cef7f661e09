/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/values.h"

#include <math.h>

static const char *spell(const char *text, char *dst, size_t size)
{
    struct cli_values v;
    struct hale_err err = {0};
    if (cli_values_read(hale_str_from(text), &v, &err) != HALE_OK) {
        (void)snprintf(dst, size, "%d: %s", err.col, err.text);
        return dst;
    }
    size_t len = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < v.n && len < size; i++)
        len += (size_t)(isnan(v.v[i])
                            ? snprintf(dst + len, size - len, "%s_", i > 0 ? " " : "")
                            : snprintf(dst + len, size - len, "%s%g", i > 0 ? " " : "",
                                       v.v[i]));
    cli_values_fini(&v);
    return dst;
}

static void test_values(void **state)
{
    static const struct {
        const char *text, *spelt;
    } cases[] = {
        {"", ""},
        {"  \n ", ""},
        {"7", "7"},
        {"-1.5 1e3 2E-1", "-1.5 1000 0.2"},
        {"0+10x5", "0 10 20 30 40 50"},
        {"9-1x2", "9 8 7"},
        {"-2-3x1", "-2 -5"},
        {"1+-2x2", "1 -1 -3"},
        {"1e2+1e1x1", "100 110"},
        {"5x2", "5 5 5"},
        {"5x0", "5"},
        {"_", "_"},
        {"1 _x3 NaN 7", "1 _ _ _ _ 7"},
        {"_x0 1", "1"},
        {"1\n2\t3", "1 2 3"},
    };
    char got[400];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(spell(cases[i].text, got, sizeof(got)), cases[i].spelt);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"1 two 3", "3: 'two' is not a value"},
        {"1+2", "1: '1+2' is not a value"},
        {"x5", "1: 'x5' is not a value"},
        {"1x", "1: '1x' is not a value"},
        {"1x-1", "1: '1x-1' is not a value"},
        {"1 _y", "3: '_y' is not a value"},
        {"inf", "1: 'inf' is not a value"},
        {"1e400", "1: '1e400' is not a value"},
        {"1 stale", "3: 'stale': a series has no end here"},
        {"1x99999999999999999999", "1: '1x99999999999999999999' is not a value"},
        {"1x1000000", "0: more than 1000000 samples"},
        {"_x600000 _x600000", "0: more than 1000000 samples"},
    };
    char got[400];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spell(cases[i].text, got, sizeof(got));
        if (strncmp(got, cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("'%s': expected '%s...', got '%s'", cases[i].text, cases[i].place,
                     got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
