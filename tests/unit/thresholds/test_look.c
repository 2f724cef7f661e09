/* SPDX-License-Identifier: Apache-2.0 */
/* look: how it stands with a sub-alarm, beside what the engine then does. */
#include <math.h>

#include "world.h"

struct world {
    struct thresholds_engine *e;
    struct lines out;
};

static void build(struct world *w, const char *expression)
{
    struct thresholds_limits limits = thresholds_limits_default();
    lines_init(&w->out);
    w->e = thresholds_engine_new(&limits, lines_emit, &w->out);
    assert_non_null(w->e);
    assert_int_equal(
        thresholds_engine_set_definition(
            w->e, make_definition("d", expression, "[\"host\"]", false, 1), BASE_MS),
        HALE_OK);
}

static void clear(struct world *w)
{
    thresholds_engine_free(w->e);
    hale_buf_fini(&w->out.text);
}

static void sample(struct world *w, double value, int64_t at_s)
{
    int64_t now = BASE_MS + at_s * 1000;
    thresholds_engine_tick(w->e, now - 1);
    thresholds_engine_sample(w->e, introduce(w->e, "cpu", "host=a", now), now, value, now,
                             1);
}

static enum hale_rc look(struct world *w, const char *id, unsigned sub, const char *host,
                         struct thresholds_look *out)
{
    const struct hale_dim group = {HALE_STR("host"), hale_str_from(host)};
    return thresholds_engine_look(w->e, hale_str_from(id), sub, &group, 1, out);
}

static void test_unknown(void **state)
{
    (void)state;
    struct world w;
    struct thresholds_look l;
    build(&w, "max(cpu) > 10");
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_E_NOTFOUND);
    sample(&w, 1, 5);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_int_equal(look(&w, "d", 1, "a", &l), HALE_E_NOTFOUND);
    assert_int_equal(look(&w, "d", 0, "b", &l), HALE_E_NOTFOUND);
    assert_int_equal(look(&w, "other", 0, "a", &l), HALE_E_NOTFOUND);
    clear(&w);
}

static void test_window(void **state)
{
    (void)state;
    struct world w;
    struct thresholds_look l;
    build(&w, "avg(cpu) > 10 times 2");
    sample(&w, 4, 5);
    sample(&w, 8, 25);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_int_equal(l.state, HALE_STATE_UNDETERMINED);
    assert_false(l.reported);
    assert_false(l.waits);
    assert_int_equal(l.series, 1);
    assert_int_equal(l.window_end_ms - l.window_start_ms, 120000);
    assert_int_equal(l.n_values, 2);
    assert_true(isnan(l.values[0]));
    assert_true(l.values[1] == 6);
    /* What it says is due is when the engine decides, and not before. */
    assert_true(l.due_ms > BASE_MS + 60000);
    assert_int_equal(thresholds_engine_next_tick(w.e), l.due_ms);
    int64_t due_ms = l.due_ms;
    thresholds_engine_tick(w.e, due_ms - 1);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_int_equal(l.due_ms, due_ms);
    thresholds_engine_tick(w.e, due_ms);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_true(l.due_ms > due_ms);
    clear(&w);
}

static void test_wait(void **state)
{
    (void)state;
    struct world w;
    struct thresholds_look l;
    build(&w, "last(cpu) > 10 for 5m");
    sample(&w, 1, 0);
    sample(&w, 20, 10);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_int_equal(l.state, HALE_STATE_OK);
    assert_true(l.reported && l.waits);
    assert_int_equal(l.waits_for, HALE_STATE_ALARM);
    assert_int_equal(l.waits_since_ms, BASE_MS + 10000);
    assert_int_equal(l.waits_until_ms, BASE_MS + 310000);
    assert_int_equal(l.window_end_ms, 0);
    assert_int_equal(l.n_values, 0);
    thresholds_engine_tick(w.e, l.waits_until_ms);
    assert_int_equal(look(&w, "d", 0, "a", &l), HALE_OK);
    assert_int_equal(l.state, HALE_STATE_ALARM);
    assert_false(l.waits);
    clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
