/* SPDX-License-Identifier: Apache-2.0 */
/* 10 s averages for the archive. Time is an argument: a day runs in an instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/roll.h"

#define NOW 1795270000000 /* a multiple of 10 s */

static void averages(void **state)
{
    struct collector_roll r = {0};
    size_t lost = 0;
    size_t n;

    (void)state;
    assert_true(collector_roll_add(&r, NOW, 1, NOW, &lost));
    assert_true(collector_roll_add(&r, NOW + 9999, 3, NOW, &lost));
    assert_int_equal(r.n_points, 0);
    assert_true(collector_roll_add(&r, NOW + 10000, 8, NOW, &lost));
    assert_int_equal(r.n_points, 1);
    assert_false(collector_roll_add(&r, NOW + 9999, 3, NOW, &lost)); /* step is closed */
    collector_roll_seal(&r, NOW + 29999, &lost);
    assert_int_equal(r.n_points, 1);
    collector_roll_seal(&r, NOW + 30000, &lost);
    struct hale_rrd_point *p = collector_roll_take(&r, &n);
    assert_int_equal(n, 2);
    assert_true(p[0].time_s == NOW / 1000 + 10 && p[0].value == 2);
    assert_true(p[1].time_s == NOW / 1000 + 20 && p[1].value == 8);
    free(p);
    assert_null(collector_roll_take(&r, &n));
    assert_int_equal(lost, 0);
    collector_roll_fini(&r);
}

static void refuses_times_outside(void **state)
{
    static const int64_t TIMES[] = {-1, NOW + 30001, NOW - 400LL * 86400000, INT64_MIN,
                                    INT64_MAX};
    struct collector_roll r = {0};
    size_t lost = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++)
        assert_false(collector_roll_add(&r, TIMES[i], 1, NOW, &lost));
    assert_false(r.open);
    collector_roll_fini(&r);
}

static void failed_points_come_back_in_order(void **state)
{
    struct collector_roll r = {0};
    size_t lost = 0;
    size_t n;

    (void)state;
    for (int64_t i = 0; i < 5; i++)
        assert_true(
            collector_roll_add(&r, NOW + 10000 * i, (double)i, NOW + 10000 * i, &lost));
    struct hale_rrd_point *p = collector_roll_take(&r, &n);
    assert_int_equal(n, 4);
    for (int64_t i = 5; i < 8; i++)
        assert_true(
            collector_roll_add(&r, NOW + 10000 * i, (double)i, NOW + 10000 * i, &lost));
    collector_roll_give_back(&r, p, n, &lost);
    assert_int_equal(r.n_points, 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_true(r.points[i].value == (double)i);
    assert_int_equal(lost, 0);
    collector_roll_fini(&r);
}

static void ceiling_gives_up_the_oldest(void **state)
{
    struct collector_roll r = {0};
    size_t lost = 0;

    (void)state;
    for (int64_t i = 0; i < COLLECTOR_ROLL_MAX + 11; i++)
        assert_true(
            collector_roll_add(&r, NOW + 10000 * i, (double)i, NOW + 10000 * i, &lost));
    assert_int_equal(r.n_points, COLLECTOR_ROLL_MAX);
    assert_int_equal(lost, 10);
    assert_true(r.points[0].value == 10);
    collector_roll_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averages),
        cmocka_unit_test(refuses_times_outside),
        cmocka_unit_test(failed_points_come_back_in_order),
        cmocka_unit_test(ceiling_gives_up_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
