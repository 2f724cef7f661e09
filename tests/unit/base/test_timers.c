/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdlib.h>

#include "base/timers.h"
#include "support/fail_alloc.h"

static void test_order(void **state)
{
    static const int64_t at[] = {50, 10, 30, 10, -5, 30, INT64_MAX - 1, 10};
    static const size_t want[] = {4, 1, 3, 7, 2, 5, 0};
    struct hale_timer timer[8] = {0};
    struct hale_timers *t = hale_timers_new(8);
    (void)state;
    assert_int_equal(hale_timers_next(t), INT64_MAX);
    assert_null(hale_timers_pop(t, INT64_MAX));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(hale_timers_arm(t, &timer[i], at[i]), HALE_OK);
    assert_int_equal(hale_timers_next(t), -5);
    assert_null(hale_timers_pop(t, -6));
    for (size_t i = 0; i < 7; i++)
        assert_ptr_equal(hale_timers_pop(t, 50), &timer[want[i]]);
    assert_null(hale_timers_pop(t, 50));
    assert_int_equal(hale_timers_count(t), 1);
    assert_int_equal(timer[0].pos, 0);
    hale_timers_free(t);
}

static void test_move_and_limit(void **state)
{
    struct hale_timer timer[3] = {0};
    struct hale_timers *t = hale_timers_new(2);
    (void)state;
    hale_timers_disarm(t, &timer[0]);
    assert_int_equal(hale_timers_arm(t, &timer[0], 1), HALE_OK);
    assert_int_equal(hale_timers_arm(t, &timer[1], 2), HALE_OK);
    assert_int_equal(hale_timers_arm(t, &timer[2], 0), HALE_E_LIMIT);
    assert_int_equal(timer[2].pos, 0);
    assert_int_equal(hale_timers_arm(t, &timer[0], 2),
                     HALE_OK); /* armed later than 1 now */
    assert_int_equal(hale_timers_count(t), 2);
    assert_ptr_equal(hale_timers_pop(t, 2), &timer[1]);
    hale_timers_disarm(t, &timer[0]);
    assert_int_equal(hale_timers_count(t), 0);
    hale_timers_free(t);
    hale_timers_free(NULL);
}

/* Random arming, moving and disarming; what comes out is in order and complete. */
static void test_model(void **state)
{
    enum { N = 400 };
    static struct hale_timer timer[N];
    struct hale_timers *t = hale_timers_new(N);
    uint64_t x = 42;
    (void)state;
    for (int i = 0; i < 50000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct hale_timer *one = &timer[(x >> 33) % N];
        if ((x >> 60) % 4 == 0)
            hale_timers_disarm(t, one);
        else
            assert_int_equal(hale_timers_arm(t, one, (int64_t)((x >> 20) % 100)),
                             HALE_OK);
    }
    size_t armed = 0;
    for (size_t i = 0; i < N; i++)
        armed += timer[i].pos != 0;
    assert_int_equal(hale_timers_count(t), armed);
    struct hale_timer *last = NULL;
    for (struct hale_timer *one; (one = hale_timers_pop(t, INT64_MAX)) != NULL;
         last = one) {
        assert_true(last == NULL || last->at < one->at ||
                    (last->at == one->at && last->seq < one->seq));
        armed--;
    }
    assert_int_equal(armed, 0);
    hale_timers_free(t);
}

static void test_no_memory(void **state)
{
    struct hale_timer timer = {0};
    (void)state;
    fail_alloc_in = 1;
    assert_null(hale_timers_new(5));
    struct hale_timers *t = hale_timers_new(5);
    fail_alloc_in = 1;
    assert_int_equal(hale_timers_arm(t, &timer, 1), HALE_E_NOMEM);
    assert_int_equal(hale_timers_arm(t, &timer, 1), HALE_OK);
    hale_timers_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_move_and_limit),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
