/* SPDX-License-Identifier: Apache-2.0 */
/* kept: what percentile, baseline and forecast remember beyond a change, and what it may cost. */
#include "world.h"

#define DAY_S 86400

struct world {
    struct thresholds_limits limits;
    struct thresholds_engine *e;
    struct lines out;
};

static void build(struct world *w, size_t max_slots)
{
    w->limits = thresholds_limits_default();
    w->limits.late_wait_ms = 0;
    w->limits.max_slots = max_slots;
    lines_init(&w->out);
    hale_buf_add_c(&w->out.text, "");
    w->e = thresholds_engine_new(&w->limits, lines_emit, &w->out);
    assert_non_null(w->e);
}

static void clear(struct world *w)
{
    thresholds_engine_free(w->e);
    hale_buf_fini(&w->out.text);
}

static void define(struct world *w, const char *expression, int version, int64_t at_s)
{
    int64_t now = BASE_MS + at_s * 1000;
    thresholds_engine_tick(w->e, now - 1);
    assert_int_equal(
        thresholds_engine_set_definition(
            w->e, make_definition("d", expression, "[]", false, version), now),
        HALE_OK);
}

static void sample(struct world *w, double value, int64_t at_s)
{
    int64_t now = BASE_MS + at_s * 1000;
    thresholds_engine_tick(w->e, now - 1);
    thresholds_engine_sample(w->e, introduce(w->e, "x", "", now), now, value, now, 1);
}

static void run_to(struct world *w, int64_t at_s)
{
    thresholds_engine_tick(w->e, BASE_MS + at_s * 1000);
}

static void expect(struct world *w, const char *text)
{
    assert_string_equal(w->out.text.p, text);
    hale_buf_reset(&w->out.text);
    hale_buf_add_c(&w->out.text, "");
}

static void forget(struct world *w)
{
    hale_buf_reset(&w->out.text);
    hale_buf_add_c(&w->out.text, "");
}

/* Another period keeps the hours; another number of days does not. */
static void test_history_lasts(void **state)
{
    (void)state;
    struct world w;
    build(&w, 16000000);
    define(&w, "baseline(x, 600) > 5", 1, 0);
    for (int64_t t = 0; t < 4 * DAY_S; t += 600)
        sample(&w, 100, t);
    forget(&w);
    define(&w, "baseline(x, 300) > 5", 2, 4 * DAY_S);
    sample(&w, 110, 4 * DAY_S + 10);
    run_to(&w, 4 * DAY_S + 300);
    expect(&w, "state d/0 ALARM at 345900000t [10.0] 345600000..345900000\n");
    define(&w, "baseline(x, absolute, 300) > 5 high at 8", 3, 4 * DAY_S + 400);
    sample(&w, 91, 4 * DAY_S + 410);
    run_to(&w, 4 * DAY_S + 600);
    expect(&w, "state d/0 ALARM at 346200000t [9.0] 345900000..346200000\n");
    define(&w, "baseline(x, 300, 8d) > 5", 4, 4 * DAY_S + 700);
    sample(&w, 100, 4 * DAY_S + 710);
    run_to(&w, 4 * DAY_S + 1200);
    expect(&w, ""); /* ALARM was decided before; nothing is known now, so it stays */
    clear(&w);
}

/* Other percentages of the samples that are there already. */
static void test_percent_is_a_threshold(void **state)
{
    (void)state;
    struct world w;
    build(&w, 16000000);
    define(&w, "percentile(x, 50) > 7.5", 1, 0);
    for (int i = 0; i < 10; i++)
        sample(&w, i, 5 + i);
    define(&w, "percentile(x, 90) > 7.5", 2, 40);
    forget(&w);
    run_to(&w, 60);
    expect(&w, "state d/0 ALARM at 60000t [8.0] 0..60000\n");
    clear(&w);
}

/* A counted part of the slots: what cannot be kept is refused, and freed when it goes. */
static void test_ceiling(void **state)
{
    (void)state;
    struct world w;
    build(&w, 3 + 1032); /* 4,096 + 32 bytes a slot of percentile, 12 one of a window */
    const struct thresholds_stats *st = thresholds_engine_stats(w.e);
    define(&w, "percentile(x, 50) > 5 and percentile(x, 60) > 5", 1, 0);
    sample(&w, 1, 1);
    assert_int_equal(st->subalarms, 1);
    assert_int_equal(st->refused_subalarms, 1);
    assert_int_equal(st->slots, 3 + 1032);
    define(&w, "stddev(x) > 5 and forecast(x, 600, 1h) > 5", 2, 70);
    sample(&w, 1, 71);
    assert_int_equal(st->subalarms, 2);
    assert_int_equal(st->slots, 3 + 2 + 3 + 41);
    define(&w, "baseline(x) > 5 and absent(x)", 3, 90);
    sample(&w, 1, 91);
    assert_int_equal(st->slots, 3 + 116 + 2);
    thresholds_engine_drop_definition(w.e, HALE_STR("d"));
    assert_int_equal(st->slots, 0);
    clear(&w);
}

/* The line goes on after the samples have ended, for as long as it is one. */
static void test_forecast_without_samples(void **state)
{
    (void)state;
    struct world w;
    build(&w, 16000000);
    define(&w, "forecast(x, 300, 100s) >= 60", 1, 0);
    for (int64_t t = 5; t < 305; t += 10)
        sample(&w, (double)t / 10, t);
    forget(&w);
    run_to(&w, 440);
    expect(&w, "");
    run_to(
        &w,
        3600); /* 40.0 at 300, 10 more for each 100 s; the newest point is 150 s old at 450 */
    expect(&w, "state d/0 UNDETERMINED at 900000t [] 600000..900000\n");
    clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_lasts),
        cmocka_unit_test(test_percent_is_a_threshold),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_forecast_without_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
