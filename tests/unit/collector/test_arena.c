/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/arena.h"

#include <string.h>

#include "support/cmocka.h"

static void memory_stays_where_it_is(void **state)
{
    enum { N = 3000 };
    static char *parts[N];
    struct collector_arena a;
    (void)state;
    collector_arena_init(&a, 4u << 20);
    for (size_t i = 0; i < N; i++) {
        parts[i] = collector_arena_get(&a, 100 + i % 50);
        assert_non_null(parts[i]);
        memset(parts[i], (int)(i & 0x7f), 100 + i % 50);
    }
    char *large = collector_arena_get(&a, 1u << 20);
    assert_non_null(large);
    memset(large, 0xff, 1u << 20);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < 100 + i % 50; k++)
            assert_int_equal(parts[i][k], i & 0x7f);
    }
    collector_arena_fini(&a);
    collector_arena_fini(&a);
}

static void has_a_ceiling(void **state)
{
    struct collector_arena a;
    (void)state;
    collector_arena_init(&a, 200000); /* three blocks of 64 KiB */
    size_t n = 0;
    while (collector_arena_get(&a, 1000) != NULL)
        n++;
    assert_int_equal(n, 3 * (65536 / 1000));
    assert_null(collector_arena_get(&a, 70000));
    assert_non_null(collector_arena_get(&a, 10)); /* there is room in the last block */
    collector_arena_fini(&a);
    collector_arena_init(&a, 100);
    assert_null(collector_arena_get(&a, 1));
    collector_arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_where_it_is),
        cmocka_unit_test(has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
