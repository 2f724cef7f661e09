/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collector/points.h"

static uint64_t seed = 88172645463325252u;

static uint64_t roll(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Ascending runs, few or many, with equal times within and between them. */
static void fill(struct collector_points *p, size_t n, size_t runs)
{
    struct collector_sample s[64];
    int64_t t = 0;

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        t = runs > 0 && i % (n / runs + 1) == 0 ? (int64_t)roll(50)
                                                : t + (int64_t)roll(3);
        s[i] = (struct collector_sample){t, (double)i, {NULL, 0}};
    }
    collector_points_clear(p);
    collector_points_add_some(p, s, n, INT64_MIN, INT64_MAX);
    assert_int_equal(p->n, n);
}

static void sorting(void **state)
{
    struct collector_points p;

    (void)state;
    collector_points_init(&p, 1000);
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = (size_t)roll(65);
        fill(&p, n, (size_t)roll(5));
        collector_points_sort(&p);
        assert_int_equal(p.n, n);
        uint64_t seen = 0;
        for (size_t i = 0; i < n; i++) {
            seen |= UINT64_C(1) << (unsigned)p.v[i].value;
            if (i > 0) /* equal times stay in order of addition */
                assert_true(p.v[i - 1].time_ms < p.v[i].time_ms ||
                            (p.v[i - 1].time_ms == p.v[i].time_ms &&
                             p.v[i - 1].value < p.v[i].value));
        }
        assert_true(seen == (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1));
    }
    collector_points_fini(&p);
}

static void settling(void **state)
{
    struct collector_points p;

    (void)state;
    collector_points_init(&p, 1000);
    for (unsigned round = 0; round < 20000; round++) {
        double last[256] = {0};
        bool there[256] = {false};
        size_t times = 0;
        fill(&p, (size_t)roll(65), (size_t)roll(5));
        for (size_t i = 0; i < p.n; i++) {
            size_t t = (size_t)p.v[i].time_ms;
            times += there[t] ? 0 : 1;
            there[t] = true;
            last[t] = p.v[i].value;
        }
        collector_points_settle(&p);
        assert_int_equal(p.n, times);
        for (size_t i = 0; i < p.n; i++) {
            assert_true(i == 0 || p.v[i - 1].time_ms < p.v[i].time_ms);
            assert_true(p.v[i].value == last[p.v[i].time_ms]);
        }
    }
    collector_points_fini(&p);
}

static void range(void **state)
{
    const struct collector_sample s[] = {{10, 1, {NULL, 0}},
                                         {20, 2, HALE_STR("{\"a\":1}")},
                                         {30, 3, {NULL, 0}},
                                         {15, 4, HALE_STR("{\"b\":2}")}};
    struct collector_points p;

    (void)state;
    collector_points_init(&p, 1000);
    collector_points_add_some(&p, s, 4, 15, 30);
    assert_int_equal(p.n, 2);
    assert_true(p.v[0].time_ms == 20 && p.v[1].time_ms == 15);
    collector_points_settle(&p);
    assert_true(p.v[0].time_ms == 15 && p.v[0].value == 4 && p.v[0].weight == 1);
    assert_true(hale_str_eq_c(collector_points_meta(&p, 0), "{\"b\":2}"));
    assert_true(hale_str_eq_c(collector_points_meta(&p, 1), "{\"a\":1}"));
    collector_points_fini(&p);
}

static void ceiling(void **state)
{
    struct collector_sample s[256] = {{0}};
    struct collector_points p;

    (void)state;
    collector_points_init(&p, 256);
    collector_points_add_some(&p, s, 256, INT64_MIN, INT64_MAX);
    assert_false(p.failed);
    collector_points_add_some(&p, s, 1, INT64_MIN, INT64_MAX);
    assert_true(p.failed);
    assert_int_equal(p.n, 256);
    collector_points_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorting),
        cmocka_unit_test(settling),
        cmocka_unit_test(range),
        cmocka_unit_test(ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
