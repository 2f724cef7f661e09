/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/guard.h"

#define HOUR 3600000LL

struct row {
    const char *memory;
    struct actuator_guard_rules rules;
    enum actuator_sizing sizing;
    int64_t opened, now;
    bool allowed;
    int64_t until;
};
#define REST(ms) .cooldown_ms = (ms), .up_ms = (ms), .down_ms = (ms)
static const struct row RESTS[] = {
    {NULL, {REST(1000)}, 0, 0, 5000, true, 5000},
    {"{}", {REST(1000)}, 0, 0, 5000, true, 5000},
    {"{\"ended_ms\":4500}", {REST(1000)}, 0, 0, 5000, false, 5500},
    {"{\"ended_ms\":4500}", {REST(1000)}, 0, 0, 5499, false, 5500},
    {"{\"ended_ms\":4500}", {REST(1000)}, 0, 0, 5500, true, 5500},
    {"{\"ended_ms\":4500}", {REST(0)}, 0, 0, 4500, true, 4500},
    /* the clock was set back */
    {"{\"ended_ms\":9999}", {REST(1000)}, 0, 0, 5000, false, 6000},
    {"{\"ended_ms\":\"x\",\"starts\":7}", {REST(1000)}, 0, 0, 5000, true, 5000},
    /* each direction its own */
    {"{\"ended_ms\":1000}", {.up_ms = 100, .down_ms = 900}, 1, 0, 1099, false, 1100},
    {"{\"ended_ms\":1000}", {.up_ms = 100, .down_ms = 900}, 2, 0, 1100, false, 1900},
    {"{\"ended_ms\":1000}", {.up_ms = 100, .down_ms = 900}, 0, 0, 1001, true, 1001},
    /* after failures: doubled, at most an hour, forgiven, forgotten after a day */
    {"{\"ended_ms\":1000,\"fails\":{\"p\":[1,1000]}}",
     {.after_fail_ms = 500},
     0,
     0,
     1400,
     false,
     1500},
    {"{\"ended_ms\":1000,\"fails\":{\"p\":[3,1000]}}",
     {.after_fail_ms = 500},
     0,
     0,
     1400,
     false,
     3000},
    {"{\"ended_ms\":1000,\"fails\":{\"p\":[60,1000]}}",
     {.after_fail_ms = 500},
     0,
     0,
     1400,
     false,
     1000 + HOUR},
    {"{\"ended_ms\":1000,\"fails\":{\"p\":[3,1000]}}",
     {.after_fail_ms = 500},
     0,
     1000,
     1400,
     true,
     1400},
    {"{\"ended_ms\":1000,\"fails\":{\"q\":[3,1000]}}",
     {.after_fail_ms = 500},
     0,
     0,
     1400,
     true,
     1400},
    {"{\"ended_ms\":1000,\"fails\":{\"p\":[3,1000]}}",
     {REST(1700), .after_fail_ms = 500},
     0,
     0,
     2500,
     false,
     3000},
};

static void test_cooldown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(RESTS) / sizeof(RESTS[0]); i++) {
        const struct row *r = &RESTS[i];
        json_t *memory = r->memory != NULL ? json_loads(r->memory, 0, NULL) : NULL;
        struct actuator_verdict v =
            actuator_guard_cooldown(&r->rules, "p", memory, r->sizing, r->opened, r->now);
        assert_int_equal(v.allowed, r->allowed);
        assert_string_equal(v.guard, r->allowed ? "" : "cooldown");
        assert_int_equal(v.until_ms, r->until);
        json_decref(memory);
    }
}

static const struct {
    const char *memory;
    int64_t max, per, now;
    bool allowed;
    int64_t until;
} STARTS[] = {
    {"{\"starts\":{\"p\":[1000,2000]}}", 2, 10000, 5000, false, 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", 2, 10000, 10999, false, 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", 2, 10000, 11000, true, 11000},
    {"{\"starts\":{\"p\":[1000,2000]}}", 3, 10000, 5000, true, 5000},
    {"{\"starts\":{\"p\":[500,1000,2000]}}", 2, 10000, 5000, false, 11000},
    {"{\"starts\":{\"other\":[1,2,3]}}", 2, 10000, 5000, true, 5000},
    {"{\"starts\":7}", 1, 1000, 5000, true, 5000},
};

static void test_frequency(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        const struct actuator_frequency rule = {ACTUATOR_SCOPE_TARGET, STARTS[i].max,
                                                STARTS[i].per};
        json_t *memory = json_loads(STARTS[i].memory, 0, NULL);
        struct actuator_verdict v =
            actuator_guard_frequency(&rule, "p", memory, STARTS[i].now);
        assert_int_equal(v.allowed, STARTS[i].allowed);
        assert_int_equal(v.until_ms, STARTS[i].until);
        json_decref(memory);
    }
}

static void test_flap_budget(void **state)
{
    const struct actuator_guard_rules rules = {.flap_max = 3, .flap_per_ms = 1000};
    json_t *memory = actuator_guard_memory_new();
    (void)state;
    for (int64_t now = 100; now <= 300; now += 100) {
        assert_true(actuator_guard_flap(&rules, memory, 0, now).allowed);
        assert_int_equal(actuator_guard_ran(memory, now, 3), HALE_OK);
    }
    struct actuator_verdict v = actuator_guard_flap(&rules, memory, 0, 400);
    assert_string_equal(v.guard, "flap_budget");
    assert_int_equal(v.until_ms, 1100);
    /* what was before somebody opened the latch does not count */
    assert_true(actuator_guard_flap(&rules, memory, 100, 400).allowed);
    assert_true(actuator_guard_flap(&rules, memory, 300, 400).allowed);
    assert_int_equal(actuator_guard_latest(memory), 300);
    assert_int_equal(actuator_guard_ran(memory, 500, 0), HALE_OK);
    assert_null(json_object_get(memory, "runs"));
    json_decref(memory);
}

static void test_failures_in_a_row(void **state)
{
    json_t *memory = actuator_guard_memory_new();
    (void)state;
    assert_int_equal(actuator_guard_fails(memory, "p", 0, 10), 0);
    for (int64_t i = 1; i <= 4; i++) {
        assert_int_equal(actuator_guard_result(memory, "p", false, 0, i * 10), HALE_OK);
        assert_int_equal(actuator_guard_fails(memory, "p", 0, i * 10), i);
    }
    assert_int_equal(actuator_guard_fails(memory, "q", 0, 40), 0);
    assert_int_equal(actuator_guard_fails(memory, "p", 40, 50), 0);
    assert_int_equal(actuator_guard_fails(memory, "p", 0, 39 + ACTUATOR_FAILS_KEPT_MS),
                     4);
    assert_int_equal(actuator_guard_fails(memory, "p", 0, 40 + ACTUATOR_FAILS_KEPT_MS),
                     0);
    /* after the latch was opened the row begins anew */
    assert_int_equal(actuator_guard_result(memory, "p", false, 40, 60), HALE_OK);
    assert_int_equal(actuator_guard_fails(memory, "p", 40, 60), 1);
    assert_int_equal(actuator_guard_latest(memory), 60);
    assert_int_equal(actuator_guard_result(memory, "p", true, 0, 70), HALE_OK);
    assert_int_equal(actuator_guard_fails(memory, "p", 0, 70), 0);
    assert_null(json_object_get(memory, "fails"));
    json_decref(memory);
}

/* Whatever is tried whenever: never more than max starts within any window, never a start within
 * the rest that the history asks for; and what was refused until T is allowed at T. */
static void test_property(void **state)
{
    (void)state;
    srandom(20261121);
    for (int round = 0; round < 200; round++) {
        const struct actuator_guard_rules rules = {REST(random() % 500),
                                                   .after_fail_ms = random() % 300};
        const struct actuator_frequency rule = {0, 1 + random() % 5,
                                                1000 + random() % 5000};
        json_t *memory = actuator_guard_memory_new();
        int64_t starts[400], ended = -1000000, now = 1000000;
        int64_t fails = 0;
        size_t n = 0;
        for (int i = 0; i < 400; i++) {
            now += random() % 700;
            struct actuator_verdict rest =
                actuator_guard_cooldown(&rules, "p", memory, 0, 0, now);
            struct actuator_verdict often =
                actuator_guard_frequency(&rule, "p", memory, now);
            int64_t doubled = fails > 0 ? rules.after_fail_ms : 0;
            for (int64_t k = 1; k < fails; k++)
                doubled = doubled * 2 < HOUR || doubled == 0 ? doubled * 2 : HOUR;
            int64_t wants = doubled > rules.cooldown_ms ? doubled : rules.cooldown_ms;
            assert_int_equal(rest.allowed, now >= ended + wants);
            if (!rest.allowed || !often.allowed) {
                int64_t later = rest.allowed ? often.until_ms : rest.until_ms;
                assert_true(later > now);
                assert_true(
                    rest.allowed
                        ? actuator_guard_frequency(&rule, "p", memory, later).allowed
                        : actuator_guard_cooldown(&rules, "p", memory, 0, 0, later)
                              .allowed);
                now = random() % 3 == 0 ? later : now;
                continue;
            }
            starts[n++] = now;
            if (n > (size_t)rule.max)
                assert_true(now - starts[n - 1 - (size_t)rule.max] >= rule.per_ms);
            assert_int_equal(actuator_guard_began(memory, "p", now, rule.max), HALE_OK);
            now += random() % 50;
            ended = now;
            bool good = random() % 3 == 0;
            fails = good ? 0 : fails + 1;
            assert_int_equal(actuator_guard_ended(memory, now), HALE_OK);
            assert_int_equal(actuator_guard_result(memory, "p", good, 0, now), HALE_OK);
            assert_int_equal(actuator_guard_latest(memory), now);
            assert_true(json_array_size(json_object_get(json_object_get(memory, "starts"),
                                                        "p")) <= (size_t)rule.max);
        }
        assert_true(n > 1);
        json_decref(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cooldown),    cmocka_unit_test(test_frequency),
        cmocka_unit_test(test_flap_budget), cmocka_unit_test(test_failures_in_a_row),
        cmocka_unit_test(test_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
