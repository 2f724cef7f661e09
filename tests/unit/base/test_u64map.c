/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdlib.h>

#include "base/u64map.h"
#include "support/fail_alloc.h"

#define KEYS 512

static uint64_t rnd(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void check_all(const struct hale_u64map *m, void *const *model, uint64_t spread,
                      size_t want)
{
    size_t it = 0;
    size_t n = 0;
    uint64_t key;
    for (void *value; (value = hale_u64map_next(m, &it, &key)) != NULL; n++) {
        assert_true(key % spread == 0 && key / spread < KEYS);
        assert_ptr_equal(value, model[key / spread]);
    }
    assert_int_equal(n, want);
    assert_int_equal(hale_u64map_count(m), want);
}

/* Against an array: small dense keys make long runs that wrap, wide ones do not. */
static void check_model(uint64_t spread)
{
    static char place[1000];
    void *model[KEYS] = {0};
    size_t count = 0;
    uint64_t x = 0x9e3779b97f4a7c15u;
    struct hale_u64map *m = hale_u64map_new(KEYS);

    for (int i = 0; i < 100000; i++) {
        uint64_t k = rnd(&x) % KEYS;
        switch (rnd(&x) % (i / 10000 % 2 == 0 ? 3 : 5)) {
        case 0: assert_ptr_equal(hale_u64map_get(m, k * spread), model[k]); break;
        case 1: {
            void *value = &place[rnd(&x) % sizeof(place)];
            count += model[k] == NULL;
            assert_int_equal(hale_u64map_put(m, k * spread, value), HALE_OK);
            model[k] = value;
            break;
        }
        default:
            count -= model[k] != NULL;
            assert_ptr_equal(hale_u64map_take(m, k * spread), model[k]);
            model[k] = NULL;
        }
        if (i % 1000 == 0)
            check_all(m, model, spread, count);
    }
    for (uint64_t k = 0; k < KEYS; k++)
        assert_ptr_equal(hale_u64map_get(m, k * spread), model[k]);
    check_all(m, model, spread, count);
    hale_u64map_free(m);
}

static void test_model(void **state)
{
    (void)state;
    check_model(1);
    check_model(UINT64_C(0x1000000000001));
    check_model(UINT64_C(1) << 54);
}

static void test_limits(void **state)
{
    char v;
    struct hale_u64map *m = hale_u64map_new(3);
    (void)state;
    for (uint64_t k = 0; k < 3; k++)
        assert_int_equal(hale_u64map_put(m, k, &v), HALE_OK);
    assert_int_equal(hale_u64map_put(m, 3, &v), HALE_E_LIMIT);
    assert_int_equal(hale_u64map_put(m, 0, &v), HALE_OK);
    assert_ptr_equal(hale_u64map_take(m, 0), &v);
    assert_null(hale_u64map_take(m, 0));
    assert_int_equal(hale_u64map_put(m, UINT64_MAX, &v), HALE_OK);
    hale_u64map_prefetch(m, 42);
    assert_true(hale_u64map_memory(m) >= 3 * 16);
    hale_u64map_free(m);
    hale_u64map_free(NULL);
}

static void test_no_memory(void **state)
{
    char v;
    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        fail_alloc_in = n;
        assert_null(hale_u64map_new(1000));
    }
    fail_alloc_in = 0;
    struct hale_u64map *m = hale_u64map_new(1000);
    uint64_t k = 0;
    enum hale_rc rc = HALE_OK;
    fail_alloc_in = 1;
    while (rc == HALE_OK && k < 1000)
        rc = hale_u64map_put(m, k++, &v);
    fail_alloc_in = 0;
    assert_int_equal(rc, HALE_E_NOMEM);
    assert_int_equal(hale_u64map_count(m), k - 1);
    assert_int_equal(hale_u64map_put(m, k - 1, &v), HALE_OK);
    for (uint64_t i = 0; i < k; i++)
        assert_ptr_equal(hale_u64map_get(m, i), &v);
    hale_u64map_free(m);
}

static void test_growth_to_huge_pages(void **state)
{
    char v;
    const uint64_t n = 400000;
    struct hale_u64map *m = hale_u64map_new(n);
    (void)state;
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(hale_u64map_put(m, i * UINT64_C(0x9e3779b97f4a7c15), &v),
                         HALE_OK);
    assert_int_equal(hale_u64map_count(m), n);
    assert_true(hale_u64map_memory(m) < n * 48);
    for (uint64_t i = 0; i < n; i++)
        assert_ptr_equal(hale_u64map_get(m, i * UINT64_C(0x9e3779b97f4a7c15)), &v);
    hale_u64map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_growth_to_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
