/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones against the C library's own, and what no file may do. */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/zone.h"

static uint64_t rng = 99;

static uint64_t dice(uint64_t n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (rng >> 20) % n;
}

static struct hale_zone *load(const char *name)
{
    struct hale_zone *z = NULL;
    struct hale_err err = {0};
    if (hale_zone_load(name, &z, &err) != HALE_OK)
        fail_msg("%s: %s", name, err.text);
    return z;
}

static void test_offsets(void **state)
{
    static const char *const names[] = {"UTC",
                                        "Europe/Berlin",
                                        "America/New_York",
                                        "Asia/Kolkata",
                                        "Europe/Dublin",
                                        "Australia/Sydney",
                                        "America/Sao_Paulo",
                                        "Asia/Tokyo",
                                        "America/St_Johns"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct hale_zone *z = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (unsigned k = 0; k < 20000; k++) {
            time_t t = (time_t)dice(UINT64_C(4102444800)); /* to 2100 */
            struct tm tm;
            localtime_r(&t, &tm);
            if (hale_zone_offset_s(z, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %lld, not %ld", names[i], (long long)t,
                         (long long)hale_zone_offset_s(z, t), tm.tm_gmtoff);
            /* There and back again, but for the hour that comes twice. */
            int64_t back = hale_zone_utc_s(z, t + tm.tm_gmtoff);
            if (back != t)
                assert_int_equal(back + hale_zone_offset_s(z, back), t + tm.tm_gmtoff);
            assert_true(back <= t);
        }
        hale_zone_free(z);
    }
    unsetenv("TZ");
    tzset();
}

static int64_t at(int64_t y, unsigned m, unsigned d, unsigned hour, unsigned minute)
{
    return hale_zone_days(y, m, d) * 86400 + hour * 3600 + minute * 60;
}

static void test_days_of_change(void **state)
{
    struct hale_zone *z = load("Europe/Berlin");
    (void)state;
    /* 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00. And far beyond the file. */
    assert_int_equal(hale_zone_utc_s(z, at(2026, 3, 29, 1, 59)), at(2026, 3, 29, 0, 59));
    assert_int_equal(hale_zone_utc_s(z, at(2026, 3, 29, 2, 30)), at(2026, 3, 29, 1, 30));
    assert_int_equal(hale_zone_utc_s(z, at(2026, 3, 29, 3, 0)), at(2026, 3, 29, 1, 0));
    assert_int_equal(hale_zone_utc_s(z, at(2026, 10, 25, 2, 30)),
                     at(2026, 10, 25, 0, 30));
    assert_int_equal(hale_zone_utc_s(z, at(2026, 10, 25, 3, 0)), at(2026, 10, 25, 2, 0));
    assert_int_equal(hale_zone_offset_s(z, at(2099, 7, 1, 0, 0)), 7200);
    assert_int_equal(hale_zone_offset_s(z, at(2099, 1, 1, 0, 0)), 3600);
    hale_zone_free(z);
}

static void test_dates(void **state)
{
    (void)state;
    for (int64_t day = -800000; day < 800000; day += 97) {
        int64_t y;
        unsigned m, d;
        hale_zone_date(day, &y, &m, &d);
        assert_int_equal(hale_zone_days(y, m, d), day);
    }
    assert_int_equal(hale_zone_days(1970, 1, 1), 0);
    assert_int_equal(hale_zone_weekday(hale_zone_days(2026, 11, 21)), 5); /* a Saturday */
    assert_int_equal(hale_zone_weekday(-1), 2);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",        "nowhere",      "../../etc/passwd", "/etc/passwd",
        "Europe/", "posixrules\n", "tzdata.zi",        "Europe"};
    struct hale_zone *z = NULL;
    struct hale_err err = {0};
    unsigned char bytes[4096];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hale_zone_load(bad[i], &z, &err), HALE_E_INVAL);
        assert_null(z);
    }
    /* Every cut and damaged file is refused or read, never worse (the sanitizers look on). */
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    assert_int_equal(fclose(f), 0);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(hale_zone_read(bytes, cut, &z, &err), HALE_E_INVAL);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned char copy[4096];
        memcpy(copy, bytes, n);
        copy[dice(n)] = (unsigned char)dice(256);
        copy[dice(100)] = (unsigned char)dice(256);
        if (hale_zone_read(copy, n, &z, &err) == HALE_OK)
            (void)hale_zone_offset_s(z, (int64_t)dice(UINT64_C(9000000000)));
        hale_zone_free(z);
        z = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_days_of_change),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
