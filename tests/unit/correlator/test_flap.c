/* SPDX-License-Identifier: Apache-2.0 */
/* Flapping: single cases, and random changes and restarts against a slow reference. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

#define MINUTE 60000

static void boot(struct world *w)
{
    world_init(w);
    w->limits.flap_window_ms = 10 * MINUTE;
    w->limits.flap_start = 30;
    w->limits.flap_stop = 25;
    world_restart(w);
}

static struct cor_alarm *the_alarm(struct world *w)
{
    size_t it = 0;
    return hale_map_next(w->e->alarms, &it, NULL);
}

/* The stream is read up to the time, step by step as the daemon does. */
static void pass(struct world *w, int64_t to_ms)
{
    while (correlator_engine_next_due(w->e) < to_ms) {
        w->ms = correlator_engine_next_due(w->e) - 1;
        assert_int_equal(world_idle(w), HALE_OK);
    }
    w->ms = to_ms - 1;
    world_flush(w);
}

static void change(struct world *w, int64_t at_ms, bool clear)
{
    pass(w, at_ms);
    json_t *o = json_pack("{s:s,s:I}", "status", clear ? "clear" : "raise", "time_ms",
                          (json_int_t)at_ms);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static bool announced(const json_t *r)
{
    const json_t *v = json_object_get(r, "announce");
    const char *kind = json_string_value(json_object_get(r, "kind"));
    return v != NULL ? json_is_true(v) : strcmp(kind, "transition") == 0;
}

static unsigned told(const struct world *w, size_t from)
{
    unsigned n = 0;
    for (size_t i = from; i < json_array_size(w->log); i++)
        n += announced(json_array_get(w->log, i));
    return n;
}

static const json_t *last(const struct world *w)
{
    return json_array_get(w->log, json_array_size(w->log) - 1);
}

static const char *text(const json_t *r, const char *key)
{
    return json_string_value(json_object_get(r, key));
}

static const json_t *flap_of(const json_t *r)
{
    return json_object_get(json_object_get(json_object_get(r, "alarm"), "life"), "flap");
}

static void test_score(void **state)
{
    (void)state;
    assert_true(cor_flap_score(0) == 0);
    assert_true(cor_flap_score(4) < 25);
    assert_true(cor_flap_score(5) > 25 && cor_flap_score(5) < 30);
    assert_true(cor_flap_score(6) > 30);
    assert_true(cor_flap_score(20) > 97 && cor_flap_score(20) < 98);
    assert_true(cor_flap_score(21) == cor_flap_score(20));
}

/* A8, T14: it toggles every 20 s for half an hour. */
static void test_toggles(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t start = w.ms + 1000;
    unsigned n = 30 * 3;
    for (unsigned i = 0; i < n; i++) {
        change(&w, start + (int64_t)i * 20000, i % 2 == 1);
        if (i % 7 == 3)
            world_restart(&w);
    }
    /* The first six are told; the sixth says that it flaps. */
    assert_int_equal(told(&w, 0), 6);
    assert_true(json_is_integer(json_object_get(flap_of(last(&w)), "since_ms")));
    assert_int_equal(json_integer_value(json_object_get(flap_of(last(&w)), "changes")),
                     n);
    assert_int_equal(the_alarm(&w)->state, HALE_STATE_OK);
    size_t before = json_array_size(w.log);
    int64_t end = start + (int64_t)(n - 1) * 20000;
    pass(&w, end + 11 * MINUTE);
    /* One record at its end, with counts; it is OK and the sixth said so. */
    assert_int_equal(json_array_size(w.log), before + 1);
    assert_string_equal(text(last(&w), "op"), "flap");
    assert_false(announced(last(&w)));
    assert_null(json_object_get(flap_of(last(&w)), "since_ms"));
    assert_int_equal(w.e->stats.flapping, 0);
    world_fini(&w);
}

/* The problem is there when it is calm: told once, with the reason. */
static void test_ends_in_alarm(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t start = w.ms + 1000;
    for (unsigned i = 0; i < 9; i++)
        change(&w, start + (int64_t)i * 20000, i % 2 == 1);
    size_t before = json_array_size(w.log);
    assert_int_equal(told(&w, 0), 6);
    world_restart(&w);
    pass(&w, start + 20 * MINUTE);
    assert_int_equal(json_array_size(w.log), before + 1);
    assert_true(announced(last(&w)));
    assert_non_null(
        strstr(text(json_object_get(last(&w), "alarm"), "reason"),
               "surfaced by end of flap dampening after 9 changes of state since"));
    /* And the clear of what was told. */
    change(&w, start + 21 * MINUTE, true);
    assert_true(announced(last(&w)));
    world_fini(&w);
}

/* It was told of as ALARM; the clear comes when it is calm. */
static void test_clear_waits(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t at = w.ms + 1000;
    change(&w, at, false);
    change(&w, at += 650000, true);
    for (unsigned i = 0; i < 6; i++)
        change(&w, at += 40000, i % 2 == 1);
    /* The seventh change began it, a raise, and the eighth clears it. */
    assert_true(the_alarm(&w)->life.flap.since_ms != 0);
    if (the_alarm(&w)->life.announced != HALE_STATE_ALARM)
        fail_msg("the change that began it was a clear: choose other times");
    assert_int_equal(the_alarm(&w)->state, HALE_STATE_OK);
    assert_false(announced(last(&w)));
    pass(&w, at + 11 * MINUTE);
    assert_string_equal(text(last(&w), "op"), "flap");
    assert_true(announced(last(&w)));
    assert_int_equal(the_alarm(&w)->life.announced, HALE_STATE_OK);
    world_fini(&w);
}

static void test_slow_alarms_never_count(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t at = w.ms + 1000;
    for (unsigned i = 0; i < 100; i++)
        change(&w, at += 2 * MINUTE + 1000, i % 2 == 1);
    assert_int_equal(told(&w, 0), 100);
    assert_int_equal(w.e->stats.flaps_begun, 0);
    world_fini(&w);
}

static void test_off(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t at = w.ms + 1000;
    for (unsigned i = 0; i < 8; i++)
        change(&w, at += 1000, i % 2 == 1);
    assert_int_equal(told(&w, 0), 6);
    /* Switched off in the configuration: what flapped is told of at once. */
    change(&w, at += 1000, false);
    w.limits.flap_window_ms = 0;
    world_restart(&w);
    pass(&w, at + 1000);
    assert_string_equal(text(last(&w), "op"), "flap");
    assert_true(announced(last(&w)));
    size_t before = json_array_size(w.log);
    for (unsigned i = 0; i < 20; i++)
        change(&w, at += 2000, i % 2 == 0);
    assert_int_equal(told(&w, before), 20);
    world_fini(&w);
}

static void sub_state(struct world *w, const char *kind, const char *value)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:[{s:s,s:{}}]}", "kind", kind, "definition_id",
                          "d", "state", value, "metrics", "name", "cpu", "dimensions");
    assert_int_equal(world_sub(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void test_off_for_a_definition(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    json_t *d = json_pack("{s:s,s:s,s:b}", "id", "d", "expression", "last(cpu) > 1",
                          "flap_detection", 0);
    assert_int_equal(world_define(&w, d), HALE_OK);
    sub_state(&w, "create", "UNDETERMINED");
    for (unsigned i = 0; i < 20; i++)
        sub_state(&w, "state", i % 2 == 1 ? "OK" : "ALARM");
    assert_int_equal(told(&w, 0), 20);
    /* On again by a change of the definition: counted from then on. */
    json_object_set_new(d, "flap_detection", json_true());
    json_object_set_new(d, "version", json_integer(2));
    assert_int_equal(world_define(&w, d), HALE_OK);
    size_t before = json_array_size(w.log);
    for (unsigned i = 0; i < 20; i++)
        sub_state(&w, "state", i % 2 == 1 ? "OK" : "ALARM");
    assert_int_equal(told(&w, before), 6);
    /* And off: what is muted ends with the next change. */
    json_object_set_new(d, "flap_detection", json_false());
    json_object_set_new(d, "version", json_integer(3));
    assert_int_equal(world_define(&w, d), HALE_OK);
    before = json_array_size(w.log);
    sub_state(&w, "state", "ALARM");
    assert_int_equal(told(&w, before), 1);
    assert_int_equal(w.e->stats.flapping, 0);
    json_decref(d);
    world_fini(&w);
}

static void test_deleted(void **state)
{
    (void)state;
    struct world w;
    boot(&w);
    int64_t at = w.ms + 1000;
    for (unsigned i = 0; i < 8; i++)
        change(&w, at += 1000, i % 2 == 1);
    json_t *o = json_pack("{s:s,s:i}", "op", "alarm-delete", "alarm", 1);
    assert_int_equal(world_control(&w, o), HALE_OK);
    world_flush(&w);
    json_decref(o);
    assert_int_equal(w.e->stats.flapping, 0);
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    world_fini(&w);
}

/* --- against a reference -------------------------------------------------------------- */

struct reference {
    int64_t times[400];
    unsigned n;
    bool flapping;
    enum hale_state told;
    unsigned messages;
};

static unsigned in_window(const struct reference *r, int64_t now_ms)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->n; i++)
        n += r->times[i] > now_ms - 10 * MINUTE;
    return n;
}

/* Every millisecond from the last change to the next would do; it is enough to look at the times at
 * which a change leaves the window. */
static void reference_pass(struct reference *r, enum hale_state now, int64_t to_ms)
{
    for (unsigned i = 0; i < r->n && r->flapping; i++) {
        int64_t at = r->times[i] + 10 * MINUTE;
        if (at >= to_ms || cor_flap_score(in_window(r, at)) >= 25)
            continue;
        r->flapping = false;
        if (now != r->told) {
            r->told = now;
            r->messages++;
        }
    }
}

static void reference_change(struct reference *r, enum hale_state to, int64_t at_ms)
{
    r->times[r->n++] = at_ms;
    bool was = r->flapping;
    r->flapping = was || cor_flap_score(in_window(r, at_ms)) > 30;
    if (was)
        return;
    r->told = to;
    r->messages++;
}

static void test_reference(void **state)
{
    (void)state;
    unsigned begun = 0;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct world w;
        struct reference r = {.told = HALE_STATE_OK};
        uint64_t rnd = seed * 0x9E3779B97F4A7C15u;
        boot(&w);
        int64_t at = w.ms + 1000;
        enum hale_state now = HALE_STATE_OK;
        for (unsigned i = 0; i < 120; i++) {
            rnd = rnd * 6364136223846793005u + 1442695040888963407u;
            unsigned roll = (unsigned)(rnd >> 33);
            at += roll % 10 == 0 ? 1 + roll % (15 * MINUTE) : 1 + roll % (3 * MINUTE);
            reference_pass(&r, now, at);
            if ((roll >> 8) % 5 == 0)
                world_restart(&w);
            now = now == HALE_STATE_OK ? HALE_STATE_ALARM : HALE_STATE_OK;
            change(&w, at, now == HALE_STATE_OK);
            reference_change(&r, now, at);
            if (told(&w, 0) != r.messages ||
                (the_alarm(&w)->life.flap.since_ms != 0) != r.flapping ||
                the_alarm(&w)->life.announced != r.told)
                fail_msg("seed %u change %u: told %u, wanted %u; flapping %d, wanted %d",
                         seed, i, told(&w, 0), r.messages,
                         the_alarm(&w)->life.flap.since_ms != 0, r.flapping);
            begun += r.flapping;
        }
        reference_pass(&r, now, at + 60 * MINUTE);
        pass(&w, at + 60 * MINUTE);
        assert_int_equal(told(&w, 0), r.messages);
        assert_int_equal(the_alarm(&w)->life.announced, now);
        world_fini(&w);
    }
    assert_true(begun > 500); /* else nothing was tested */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_toggles),
        cmocka_unit_test(test_ends_in_alarm),
        cmocka_unit_test(test_clear_waits),
        cmocka_unit_test(test_slow_alarms_never_count),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_off_for_a_definition),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
