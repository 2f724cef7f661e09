/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "base/arena.h"

static void allocates_zeroed_and_aligned(void **state)
{
    struct hale_arena a;

    (void)state;
    hale_arena_init(&a, 1 << 20);
    for (size_t n = 0; n < 9000; n += 37) {
        unsigned char *p = hale_arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % sizeof(long double), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        if (n > 0)
            memset(p, 0xff, n);
        if (a.used > (1 << 19))
            break;
    }
    assert_false(a.failed);
    hale_arena_fini(&a);
    hale_arena_fini(&a);
}

static void keeps_strings(void **state)
{
    struct hale_arena a;

    (void)state;
    hale_arena_init(&a, 1 << 16);
    struct hale_str first = hale_arena_str(&a, HALE_STR("hello"));
    struct hale_str empty = hale_arena_str(&a, (struct hale_str){NULL, 0});
    for (int i = 0; i < 100; i++)
        assert_non_null(hale_arena_alloc(&a, 300));
    assert_string_equal(first.p, "hello");
    assert_int_equal(empty.len, 0);
    assert_string_equal(empty.p, "");
    hale_arena_fini(&a);
}

static void ends_at_its_ceiling(void **state)
{
    struct hale_arena a;

    (void)state;
    hale_arena_init(&a, 1000);
    assert_non_null(hale_arena_alloc(&a, 900));
    assert_null(hale_arena_alloc(&a, 200));
    assert_true(a.failed);
    assert_null(hale_arena_alloc(&a, 1)); /* latched */
    hale_arena_fini(&a);
    hale_arena_init(&a, SIZE_MAX);
    assert_null(hale_arena_array(&a, SIZE_MAX / 2, 4));
    assert_true(a.failed);
    hale_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocates_zeroed_and_aligned),
        cmocka_unit_test(keeps_strings),
        cmocka_unit_test(ends_at_its_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
