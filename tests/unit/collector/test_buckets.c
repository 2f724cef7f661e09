/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics against a naive model: every bucket is computed by looking at all points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/buckets.h"

#define SERIES 5
#define POINTS 2000

static uint64_t seed = 42;

static uint64_t next_random(void) /* xorshift: the same run each time */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t floor_to(int64_t ms, int64_t period_s)
{
    return (int64_t)floor((double)ms / (double)(period_s * 1000)) * period_s;
}

static void check(const struct collector_bucket *b, const struct collector_points *all,
                  int64_t period_s)
{
    double n = 0;
    double sum = 0;
    double min = INFINITY;
    double max = -INFINITY;

    for (size_t s = 0; s < SERIES; s++) {
        for (size_t i = 0; i < all[s].n; i++) {
            const struct collector_point *p = &all[s].v[i];
            if (floor_to(p->time_ms, period_s) != b->start_s)
                continue;
            n += p->weight;
            sum += p->weight * p->value;
            min = fmin(min, p->min);
            max = fmax(max, p->max);
        }
    }
    assert_true(n > 0);
    assert_true(fabs(b->weight - n) < 1e-9 && fabs(b->sum - sum) < 1e-6);
    assert_true(b->min == min && b->max == max);
}

static void same_as_model(void **state)
{
    static const int64_t PERIODS[] = {1, 60, 300, 3600, 100000};
    struct collector_points all[SERIES];

    (void)state;
    for (size_t s = 0; s < SERIES; s++) {
        collector_points_init(&all[s], 100000);
        for (size_t i = 0; i < POINTS; i++) {
            int64_t t = (int64_t)(next_random() % 7200000) - 3600000; /* around 1970 */
            double v = (double)(int64_t)(next_random() % 2000) - 1000;
            if (i % 10 == 0) {
                const struct hale_rrd_cell row = {v * 6, v - 1, v + 2, 6};
                collector_points_add_row(&all[s], t, &row);
            } else {
                struct collector_sample one = {t, v, {NULL, 0}};
                collector_points_add(&all[s], &one);
            }
        }
        collector_points_settle(&all[s]);
        for (size_t i = 1; i < all[s].n; i++)
            assert_true(all[s].v[i - 1].time_ms < all[s].v[i].time_ms);
    }
    for (size_t p = 0; p < sizeof(PERIODS) / sizeof(PERIODS[0]); p++) {
        struct collector_buckets b;
        size_t points = 0;
        double weight = 0;
        collector_buckets_init(&b, PERIODS[p]);
        for (size_t s = 0; s < SERIES; s++) {
            collector_buckets_add(&b, &all[s]);
            for (size_t i = 0; i < all[s].n; i++)
                weight += all[s].v[i].weight;
        }
        collector_buckets_settle(&b);
        assert_false(b.failed);
        for (size_t i = 0; i < b.n; i++) {
            assert_true(i == 0 || b.v[i - 1].start_s < b.v[i].start_s);
            weight -= b.v[i].weight;
            if (i % 97 == 0 || b.n < 200)
                check(&b.v[i], all, PERIODS[p]);
            points++;
        }
        assert_true(points > 0 && fabs(weight) < 1e-6); /* no point is left out */
        collector_buckets_fini(&b);
    }
    for (size_t s = 0; s < SERIES; s++)
        collector_points_fini(&all[s]);
}

static void last_of_a_time_wins(void **state)
{
    struct collector_points p;
    static const struct {
        int64_t t;
        double v;
        const char *meta;
    } IN[] = {{5, 1, NULL}, {3, 2, "{\"a\":1}"}, {5, 3, "{\"b\":2}"}, {3, 4, NULL}};

    (void)state;
    collector_points_init(&p, 100);
    for (size_t i = 0; i < 4; i++) {
        struct collector_sample s = {IN[i].t, IN[i].v, hale_str_from(IN[i].meta)};
        collector_points_add(&p, &s);
    }
    collector_points_settle(&p);
    assert_int_equal(p.n, 2);
    assert_true(p.v[0].time_ms == 3 && p.v[0].value == 4);
    assert_null(collector_points_meta(&p, 0).p);
    assert_true(p.v[1].time_ms == 5 && p.v[1].value == 3);
    assert_true(hale_str_eq_c(collector_points_meta(&p, 1), "{\"b\":2}"));
    assert_int_equal(collector_points_from(&p, 3), 0);
    assert_int_equal(collector_points_from(&p, 4), 1);
    assert_int_equal(collector_points_from(&p, 6), 2);
    collector_points_fini(&p);
}

static void ceiling_is_noticed(void **state)
{
    struct collector_points p;
    struct collector_sample s = {0, 1, {NULL, 0}};

    (void)state;
    collector_points_init(&p, 300);
    for (int i = 0; i < 2000; i++)
        collector_points_add(&p, &s);
    assert_true(p.failed);
    collector_points_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_model),
        cmocka_unit_test(last_of_a_time_wins),
        cmocka_unit_test(ceiling_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
