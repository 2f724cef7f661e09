/* SPDX-License-Identifier: Apache-2.0 */
/* Key names: exact text, hash tags, and long names that must not collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/keys.h"

static void test_names(void **state)
{
    char k[HALE_KEY_MAX];
    (void)state;
    assert_string_equal(hale_keys_samples(0, k), "hale:{s0}:samples");
    assert_string_equal(hale_keys_samples(63, k), "hale:{s63}:samples");
    assert_string_equal(hale_keys_series(3, k), "hale:{s3}:series");
    assert_string_equal(hale_keys_hot(3, 0xabcu, 17, k),
                        "hale:{s3}:hot:0000000000000abc:17");
    assert_string_equal(hale_keys_hot(63, UINT64_MAX, INT64_MIN, k),
                        "hale:{s63}:hot:ffffffffffffffff:-9223372036854775808");
    assert_string_equal(hale_keys_late(10, 0xabcu, 0, k),
                        "hale:{s10}:late:0000000000000abc:0");
    assert_string_equal(hale_keys_slots(2, k), "hale:{s2}:slots");
    assert_string_equal(hale_keys_checkpoint(1, "hot", k), "hale:{s1}:cp:hot");
    assert_string_equal(hale_keys_thr_state(1, k), "hale:{s1}:thr:state");
    assert_string_equal(hale_keys_answer("q1", k), "hale:{m}:answer:q1");
    assert_string_equal(hale_keys_thr_meta(1, k), "hale:{s1}:thr:meta");
    assert_string_equal(hale_keys_subalarms(1, k), "hale:{s1}:subalarms");
    assert_string_equal(hale_keys_lease("vm:42", k), "hale:{m}:lease:vm:42");
    assert_string_equal(hale_keys_cursor("nfvo", k), "hale:{m}:cursor:nfvo");
    assert_string_equal(hale_keys_health("hale-agent", k), "hale:{m}:health:hale-agent");
    assert_ptr_equal(hale_keys_samples(0, k), k);
}

static void test_long_names(void **state)
{
    char a[HALE_KEY_MAX], b[HALE_KEY_MAX];
    char name[1001];
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[1000] = '\0';
    (void)hale_keys_lease(name, a);
    assert_true(strlen(a) < HALE_KEY_MAX);
    name[999] = 'm'; /* differs far behind the cut */
    (void)hale_keys_lease(name, b);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "hale:{m}:lease:nnn", 18);
    name[180] = '\0'; /* still whole */
    (void)hale_keys_lease(name, a);
    assert_int_equal(strlen(a), strlen("hale:{m}:lease:") + 180);
    assert_null(strchr(a, '~'));
}

/* Every fixed key of the domain side lies in the slot of {m}. */
static void test_hash_tags(void **state)
{
    static const char *const keys[] = {
        HALE_KEYS_DEFINITIONS, HALE_KEYS_DEFNAMES, HALE_KEYS_CONTROL,  HALE_KEYS_EVENTS,
        HALE_KEYS_ALARMS,      HALE_KEYS_SUBS,     HALE_KEYS_COR_META, HALE_KEYS_ALARMLOG,
        HALE_KEYS_RUNS,        HALE_KEYS_GUARDS,   HALE_KEYS_FENCE,    HALE_KEYS_ACT_META,
        HALE_KEYS_JOURNAL,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_memory_equal(keys[i], "hale:{m}:", 9);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

static void test_copy_fields(void **state)
{
    static const char *const others[] = {"b", "c", "c64", "cx", "c1 ", "d1", "", "c-1"};
    char text[HALE_KEY_MAX];
    unsigned from;
    (void)state;
    for (unsigned i = 0; i < HALE_SHARDS_MAX; i++) {
        assert_true(
            hale_keys_is_copy(hale_str_from(hale_keys_copy_field(i, text)), &from));
        assert_int_equal(from, i);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(hale_keys_is_copy(hale_str_from(others[i]), &from));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_hash_tags),
        cmocka_unit_test(test_copy_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
