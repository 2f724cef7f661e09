/* SPDX-License-Identifier: Apache-2.0 */
/* pool: pieces are zeroed, do not overlap, and what is given back is used again. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "support/cmocka.h"
#include "thresholds/pool.h"

#define PIECES 20000

static size_t bytes_of(unsigned i)
{
    return 1 + (i * 2654435761u >> 8) % (i % 50 == 0 ? 5000 : 400);
}

static bool all_are(const unsigned char *p, size_t n, unsigned char c)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != c)
            return false;
    }
    return true;
}

static void test_pieces(void **state)
{
    static unsigned char *pieces[PIECES];
    struct pool pool = {.left = 0};
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PIECES; i++) {
            if (pieces[i] != NULL)
                continue;
            pieces[i] = thresholds_pool_take(&pool, bytes_of(i));
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % POOL_STEP, 0);
            assert_true(all_are(pieces[i], bytes_of(i), 0));
            memset(pieces[i], (int)(i % 255 + 1), bytes_of(i));
        }
        for (unsigned i = 0; i < PIECES; i++) {
            assert_true(all_are(pieces[i], bytes_of(i), (unsigned char)(i % 255 + 1)));
            if (i % 3 == round || round == 2) {
                thresholds_pool_give(&pool, pieces[i], bytes_of(i));
                pieces[i] = NULL;
            }
        }
    }
    thresholds_pool_give(&pool, NULL, 8);
    thresholds_pool_fini(&pool);
}

/* The same pieces over and over need no more memory. */
static void test_used_again(void **state)
{
    struct pool pool = {.left = 0};
    (void)state;
    thresholds_pool_give(&pool, thresholds_pool_take(&pool, 100), 100);
    const char *at = pool.at;
    for (unsigned i = 0; i < 1000; i++)
        thresholds_pool_give(&pool, thresholds_pool_take(&pool, 97 + i % 8), 97 + i % 8);
    assert_ptr_equal(pool.at, at);
    thresholds_pool_fini(&pool);
    assert_null(pool.chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
