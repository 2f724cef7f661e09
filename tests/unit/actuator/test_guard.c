/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/guard.h"

struct row {
    const char *memory;
    struct actuator_guard_rules rules;
    int64_t now;
    const char *guard;
    int64_t until;
};
static const struct row ROWS[] = {
    {NULL, {1000, 2, 10000}, 5000, "", 5000},
    {"{}", {1000, 2, 10000}, 5000, "", 5000},
    {"{\"ended_ms\":4500}", {1000, 0, 0}, 5000, "cooldown", 5500},
    {"{\"ended_ms\":4500}", {1000, 0, 0}, 5499, "cooldown", 5500},
    {"{\"ended_ms\":4500}", {1000, 0, 0}, 5500, "", 5500},
    {"{\"ended_ms\":4500}", {0, 0, 0}, 4500, "", 4500},
    {"{\"ended_ms\":9999}",
     {1000, 0, 0},
     5000,
     "cooldown",
     6000}, /* the clock was set back */
    {"{\"starts\":{\"p\":[1000,2000]}}", {0, 2, 10000}, 5000, "frequency", 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", {0, 2, 10000}, 10999, "frequency", 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", {0, 2, 10000}, 11000, "", 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", {0, 3, 10000}, 5000, "", 5000},
    {"{\"starts\":{\"p\":[500,1000,2000]}}", {0, 2, 10000}, 5000, "frequency", 11000},
    {"{\"starts\":{\"other\":[1,2,3]}}", {0, 2, 10000}, 5000, "", 5000},
    {"{\"ended_ms\":2000,\"starts\":{\"p\":[1000]}}",
     {60000, 1, 10000},
     5000,
     "cooldown",
     62000},
    {"{\"ended_ms\":\"x\",\"starts\":7}", {1000, 1, 1000}, 5000, "", 5000},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct row *r = &ROWS[i];
        json_t *memory = r->memory != NULL ? json_loads(r->memory, 0, NULL) : NULL;
        struct actuator_verdict v = actuator_guard_ask(&r->rules, "p", memory, r->now);
        assert_string_equal(v.guard, r->guard);
        assert_int_equal(v.allowed, r->guard[0] == '\0');
        assert_int_equal(v.until_ms, r->until);
        json_decref(memory);
    }
}

/* Whatever is tried whenever: never more than max starts within any window, never a
 * start within the cooldown; and what was refused until T is allowed at T. */
static void test_property(void **state)
{
    (void)state;
    srandom(20261121);
    for (int round = 0; round < 200; round++) {
        struct actuator_guard_rules rules = {random() % 500, 1 + random() % 5,
                                             1000 + random() % 5000};
        json_t *memory = actuator_guard_memory_new();
        int64_t starts[400], ended = -1000000, now = 1000000;
        size_t n = 0;
        for (int i = 0; i < 400; i++) {
            now += random() % 700;
            struct actuator_verdict v = actuator_guard_ask(&rules, "p", memory, now);
            struct actuator_verdict later =
                actuator_guard_ask(&rules, "p", memory, v.until_ms);
            if (!v.allowed) {
                assert_true(v.until_ms > now);
                assert_true(later.allowed || strcmp(later.guard, v.guard) != 0);
                continue;
            }
            assert_true(now >= ended + rules.cooldown_ms);
            starts[n++] = now;
            if (n > (size_t)rules.frequency_max)
                assert_true(now - starts[n - 1 - (size_t)rules.frequency_max] >=
                            rules.frequency_per_ms);
            assert_int_equal(actuator_guard_began(memory, "p", now, rules.frequency_max),
                             HALE_OK);
            now += random() % 50;
            ended = now;
            assert_int_equal(actuator_guard_ended(memory, now), HALE_OK);
            assert_int_equal(actuator_guard_latest(memory), now);
            assert_true(json_array_size(
                            json_object_get(json_object_get(memory, "starts"), "p")) <=
                        (size_t)rules.frequency_max);
        }
        assert_true(n > 1);
        json_decref(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_property)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
