/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2015-03-03T05:24:55.202Z", 1425360295202},
        {"2015-03-03 05:24:55", 1425360295000},
        {"2015-03-03t05:24:55z", 1425360295000},
        {"2015-03-03T07:24:55+02:00", 1425360295000},
        {"2015-03-03T07:24:55+0200", 1425360295000},
        {"2015-03-03T07:24:55+02", 1425360295000},
        {"2015-03-02T19:54:55-09:30", 1425360295000},
        {"2015-03-03", 1425340800000},
        {"2015-03-03T05:24", 1425360240000},
        {"2015-03-03T05:24:55.2", 1425360295200},
        {"2015-03-03T05:24:55.2029999999", 1425360295202},
        {"2015-03-03T05:24:55,202Z", 1425360295202},
        {"2016-02-29", 1456704000000},
        {"2000-02-29T23:59:59.999Z", 951868799999},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0000-01-01", -62167219200000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    static const char *const bad[] = {
        "",
        "2015",
        "2015-03",
        "2015-3-03",
        "2015-02-29",
        "1900-02-29",
        "2015-13-01",
        "2015-00-01",
        "2015-01-00",
        "2015-04-31",
        "2015-03-03T",
        "2015-03-03T05",
        "2015-03-03T24:00",
        "2015-03-03T05:60",
        "2015-03-03T05:24:61",
        "2015-03-03T05:24:55.",
        "2015-03-03T05:24:55.x",
        "2015-03-03T05:24:55.1x",
        "2015-03-03T05:24:55ZZ",
        "2015-03-03T05:24:55+",
        "2015-03-03T05:24:55+2",
        "2015-03-03T05:24:55+02:",
        "2015-03-03T05:24:55+02:6",
        "2015-03-03T05:24:55+02:60",
        "2015-03-03T05:24:55+24:00",
        "2015-03-03  05:24:55",
        "2015-03-03Z",
        "-015-03-03",
        " 2015-03-03",
        "2015-03-03 ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ms = 1;
        assert_int_equal(hale_clock_parse_iso(hale_str_from(good[i].text), &ms), HALE_OK);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 77;
        assert_int_equal(hale_clock_parse_iso(hale_str_from(bad[i]), &ms), HALE_E_INVAL);
        assert_int_equal(ms, 77);
    }
}

static void test_format(void **state)
{
    char text[HALE_CLOCK_ISO_MAX];
    (void)state;
    assert_string_equal(hale_clock_iso_ms(1425360295202, text),
                        "2015-03-03T05:24:55.202Z");
    assert_string_equal(hale_clock_iso_s(1425360295999, text), "2015-03-03T05:24:55Z");
    assert_string_equal(hale_clock_iso_ms(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(hale_clock_iso_ms(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
    assert_string_equal(hale_clock_iso_ms(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
}

/* Our calendar against the C library's, and there and back, over the whole range. */
static void test_calendar(void **state)
{
    (void)state;
    for (int64_t ms = -62167219200000; ms < 253402300800000;
         ms += 86400000 * 97ll + 123456789) {
        char text[HALE_CLOCK_ISO_MAX];
        char want[HALE_CLOCK_ISO_MAX * 2];
        int64_t back = 0;
        struct tm tm;
        time_t s = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
        assert_non_null(gmtime_r(&s, &tm));
        (void)snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                       tm.tm_min, tm.tm_sec, (int)((ms % 1000 + 1000) % 1000));
        assert_string_equal(hale_clock_iso_ms(ms, text), want);
        assert_int_equal(hale_clock_parse_iso(hale_str_from(text), &back), HALE_OK);
        assert_int_equal(back, ms);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t ms = hale_clock_mono_ms();
    int64_t us = hale_clock_mono_us();
    assert_true(us / 1000 >= ms);
    assert_true(hale_clock_mono_us() >= us);
    assert_true(hale_clock_wall_us() / 1000 - hale_clock_wall_ms() < 60000);
    assert_true(hale_clock_wall_ms() > 1400000000000);
}

static void test_set_back(void **state)
{
    const int64_t wall = 1700000000000000, hour = 3600000000;
    int64_t last = 0;
    (void)state;
    assert_int_equal(hale_clock_set_back_us(&last, wall, 5000), 0);
    assert_int_equal(hale_clock_set_back_us(&last, wall + 100, 5200), 0); /* slewed */
    assert_int_equal(hale_clock_set_back_us(&last, wall + hour, 5300), 0);
    assert_int_equal(hale_clock_set_back_us(&last, wall + 100, 5400), hour);
    assert_int_equal(hale_clock_set_back_us(&last, wall + 200, 5500), 0); /* told once */
    assert_int_equal(hale_clock_set_back_us(&last, wall + hour, hour), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_format),
        cmocka_unit_test(test_calendar), cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
