/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "support/fail_alloc.h"

#define KEYS 300

static unsigned long freed;

static void count_free(void *value)
{
    freed++;
    free(value);
}

static void *number(unsigned n)
{
    unsigned *p = malloc(sizeof(*p));
    *p = n;
    return p;
}

static struct hale_str key_text(unsigned k, char *text, size_t size)
{
    int n = snprintf(text, size, "host-%u/cpu", k);
    return (struct hale_str){text, (size_t)n};
}

/* Against an array of what should be there (0: nothing). */
static void test_model(void **state)
{
    unsigned model[KEYS] = {0};
    size_t count = 0;
    uint64_t x = 1234567;
    char text[32];
    struct hale_map *m = hale_map_new(KEYS, count_free);
    (void)state;

    for (unsigned i = 1; i < 60000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned k = (unsigned)(x >> 33) % KEYS;
        struct hale_str key = key_text(k, text, sizeof(text));
        unsigned *value = hale_map_get(m, key);
        assert_int_equal(value != NULL ? *value : 0, model[k]);
        if ((x >> 60) % 3 == 0) {
            count -= model[k] != 0;
            hale_map_del(m, key);
            model[k] = 0;
        } else {
            count += model[k] == 0;
            assert_int_equal(hale_map_put(m, key, number(i)), HALE_OK);
            model[k] = i;
        }
        assert_int_equal(hale_map_count(m), count);
    }
    size_t it = 0;
    size_t seen = 0;
    struct hale_str key;
    for (unsigned *value; (value = hale_map_next(m, &it, &key)) != NULL; seen++) {
        unsigned k = (unsigned)strtoul(key.p + 5, NULL, 10);
        assert_int_equal(*value, model[k]);
    }
    assert_int_equal(seen, count);
    hale_map_free(m);
}

static void test_delete_while_iterating(void **state)
{
    char text[32];
    struct hale_map *m = hale_map_new(100, count_free);
    (void)state;
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(hale_map_put(m, key_text(k, text, sizeof(text)), number(k)),
                         HALE_OK);
    size_t it = 0;
    unsigned want = 0;
    struct hale_str key;
    freed = 0;
    for (unsigned *value; (value = hale_map_next(m, &it, &key)) != NULL; want++) {
        assert_int_equal(*value, want); /* in the order of insertion */
        if (want % 3 != 0)
            hale_map_del(m, key); /* with the map's own memory as the key */
    }
    assert_int_equal(want, 100);
    assert_int_equal(freed, 66);
    assert_int_equal(hale_map_count(m), 34);
    hale_map_clear(m);
    assert_int_equal(freed, 100);
    assert_int_equal(hale_map_count(m), 0);
    assert_null(hale_map_get(m, key_text(0, text, sizeof(text))));
    hale_map_free(m);
}

static void test_contract(void **state)
{
    int a;
    int b;
    struct hale_map *m = hale_map_new(2, NULL);
    (void)state;
    assert_null(hale_map_get(m, HALE_STR("x")));
    assert_null(hale_map_take(m, HALE_STR("x")));
    assert_int_equal(hale_map_put(m, HALE_STR(""), &a), HALE_OK);
    assert_int_equal(hale_map_put(m, HALE_STR("\0z"), &b), HALE_OK);
    assert_int_equal(hale_map_put(m, HALE_STR("third"), &a), HALE_E_LIMIT);
    assert_int_equal(hale_map_put(m, HALE_STR("\0z"), &a), HALE_OK);
    assert_ptr_equal(hale_map_get(m, HALE_STR("\0z")), &a);
    assert_null(hale_map_get(m, HALE_STR("\0")));
    assert_ptr_equal(hale_map_take(m, (struct hale_str){NULL, 0}), &a);
    assert_int_equal(hale_map_put(m, HALE_STR("third"), &a), HALE_OK);
    hale_map_free(m);
    hale_map_free(NULL);
}

static void test_replace_frees_once(void **state)
{
    struct hale_map *m = hale_map_new(2, count_free);
    void *one = number(1);
    (void)state;
    freed = 0;
    assert_int_equal(hale_map_put(m, HALE_STR("k"), one), HALE_OK);
    assert_int_equal(hale_map_put(m, HALE_STR("k"), one), HALE_OK);
    assert_int_equal(freed, 0);
    assert_int_equal(hale_map_put(m, HALE_STR("k"), number(2)), HALE_OK);
    assert_int_equal(freed, 1);
    hale_map_free(m);
    assert_int_equal(freed, 2);
}

/* A failed put leaves the map as it was, whichever allocation failed. */
static void test_no_memory(void **state)
{
    char text[32];
    int v;
    (void)state;
    fail_alloc_in = 1;
    assert_null(hale_map_new(10, NULL));
    struct hale_map *m = hale_map_new(10000, NULL);
    unsigned failures = 0;
    for (unsigned k = 0; k < 2000; k++) {
        struct hale_str key = key_text(k, text, sizeof(text));
        for (unsigned long n = 1; n <= 3; n++) {
            fail_alloc_in = n;
            enum hale_rc rc = hale_map_put(m, key, &v);
            fail_alloc_in = 0;
            if (rc == HALE_OK)
                break;
            failures++;
            assert_int_equal(rc, HALE_E_NOMEM);
            assert_int_equal(hale_map_count(m), k);
            assert_null(hale_map_get(m, key));
        }
        assert_int_equal(hale_map_put(m, key, &v), HALE_OK);
    }
    assert_true(failures > 2000);
    assert_int_equal(hale_map_count(m), 2000);
    hale_map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),     cmocka_unit_test(test_delete_while_iterating),
        cmocka_unit_test(test_contract),  cmocka_unit_test(test_replace_frees_once),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
