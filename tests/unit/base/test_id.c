/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "base/id.h"

static void check_layout(const char *uuid, char version)
{
    assert_int_equal(strlen(uuid), 36);
    for (size_t i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(uuid[i], '-');
        else
            assert_non_null(strchr("0123456789abcdef", uuid[i]));
    }
    assert_int_equal(uuid[14], version);
    assert_non_null(strchr("89ab", uuid[19]));
}

static void test_uuids(void **state)
{
    char a[HALE_UUID_TEXT];
    char b[HALE_UUID_TEXT];
    (void)state;
    hale_id_uuid_random(a);
    hale_id_uuid_random(b);
    check_layout(a, '4');
    assert_string_not_equal(a, b);
    hale_id_uuid_from("alarm/1", 7, a);
    hale_id_uuid_from("alarm/1", 7, b);
    check_layout(a, '8');
    assert_string_equal(a, b);
    hale_id_uuid_from("alarm/2", 7, b);
    assert_string_not_equal(a, b);
    hale_id_uuid_from(NULL, 0, b);
    check_layout(b, '8');
}

static void test_hashes(void **state)
{
    (void)state;
    /* Published XXH3 value of the empty input: stored ids stay valid only if it never moves. */
    assert_true(hale_id_hash64(NULL, 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(hale_id_hash64("a", 1) == hale_id_hash64_seed("a", 1, 0));
    assert_true(hale_id_hash64("a", 1) != hale_id_hash64_seed("a", 1, 1));
    assert_true(hale_id_hash64("a", 1) != hale_id_hash64("b", 1));
}

static void test_random(void **state)
{
    unsigned char a[600] = {0};
    unsigned char b[600] = {0};
    (void)state;
    hale_id_random(a, sizeof(a));
    hale_id_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    hale_id_random(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
