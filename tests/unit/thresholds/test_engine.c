/* SPDX-License-Identifier: Apache-2.0 */
/* engine: groups, joining, forgetting, changes of definitions, ceilings, rubbish. */
#include <math.h>

#include "world.h"

struct world {
    struct thresholds_limits limits;
    struct thresholds_engine *e;
    struct lines out;
};

static void build(struct world *w)
{
    lines_init(&w->out);
    hale_buf_add_c(&w->out.text, "");
    w->e = thresholds_engine_new(&w->limits, lines_emit, &w->out);
    assert_non_null(w->e);
}

static struct world fresh(void)
{
    struct world w = {.limits = thresholds_limits_default()};
    return w;
}

static void clear(struct world *w)
{
    thresholds_engine_free(w->e);
    hale_buf_fini(&w->out.text);
}

static void define(struct world *w, const char *id, const char *expression,
                   const char *by, int version)
{
    assert_int_equal(
        thresholds_engine_set_definition(
            w->e, make_definition(id, expression, by, false, version), BASE_MS),
        HALE_OK);
}

static void sample(struct world *w, const char *name, const char *dims, double value,
                   int64_t at_s)
{
    int64_t now = BASE_MS + at_s * 1000;
    thresholds_engine_tick(w->e, now - 1);
    thresholds_engine_sample(w->e, introduce(w->e, name, dims, now), now, value, now, 1);
}

/* What was emitted since the last call, compared and dropped. */
static void expect(struct world *w, const char *text)
{
    assert_string_equal(w->out.text.p, text);
    hale_buf_reset(&w->out.text);
    hale_buf_add_c(&w->out.text, "");
}

static void test_groups(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "last(cpu) > 10 and last(disk) > 10", "[\"host\",\"device\"]", 1);
    /* The group has the keys that the series has; others are no part of it. */
    sample(&w, "cpu", "host=a,zone=z", 20, 0);
    expect(&w, "create d/0 host=a UNDETERMINED at 0 [] -1704067200000..-1704067200000 "
               "series cpu\n"
               "state d/0 host=a ALARM at 0 [20.0] 0..0\n");
    sample(&w, "cpu", "host=a,zone=y", 5, 1);
    expect(
        &w,
        "metric d/0 host=a ALARM at 1000 [] -1704067200000..-1704067200000 series cpu\n"
        "state d/0 host=a OK at 1000 [5.0] 1000..1000\n");
    sample(&w, "disk", "device=sda,host=a", 20, 2);
    expect(&w, "create d/1 device=sda host=a UNDETERMINED at 2000 [] "
               "-1704067200000..-1704067200000 series disk\n"
               "state d/1 device=sda host=a ALARM at 2000 [20.0] 2000..2000\n");
    sample(&w, "disk", "zone=z", 20, 3);
    expect(
        &w,
        "create d/1 UNDETERMINED at 3000 [] -1704067200000..-1704067200000 series disk\n"
        "state d/1 ALARM at 3000 [20.0] 3000..3000\n");
    sample(&w, "cpu", "host=a,zone=z", 6, 4); /* known by now */
    sample(&w, "other", "host=a", 20, 5);     /* nobody's */
    expect(&w, "");
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 3);
    clear(&w);
}

static void test_dimensions_choose(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "a", "last(x{host=a}) > 1", "[]", 1);
    define(&w, "b", "last(x{host=a,zone=z}) > 1", "[]", 1);
    define(&w, "c", "last(x) > 1 or last(x{zone=y}) > 1", "[]", 1);
    sample(&w, "x", "host=a,zone=z", 0, 0);
    sample(&w, "x", "host=b,zone=y", 0, 1);
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 4);
    assert_non_null(strstr(w.out.text.p, "create a/0"));
    assert_non_null(strstr(w.out.text.p, "create b/0"));
    assert_non_null(strstr(w.out.text.p, "metric c/0"));
    assert_non_null(strstr(w.out.text.p, "create c/1"));
    assert_null(strstr(w.out.text.p, "metric a/0"));
    clear(&w);
}

static void test_other_tenant(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "last(x) > 1", "[]", 1);
    struct hale_buf b;
    hale_buf_init(&b, 65536);
    struct hale_series view = {
        .tenant = HALE_STR("u"), .region = HALE_STR("r"), .name = HALE_STR("x")};
    assert_int_equal(hale_series_encode(&view, &b), HALE_OK);
    uint64_t id = hale_series_id(hale_buf_str(&b));
    struct thresholds_series *s;
    assert_int_equal(thresholds_engine_series(w.e, id, hale_buf_str(&b), BASE_MS, &s),
                     HALE_OK);
    thresholds_engine_sample(w.e, s, BASE_MS, 5, BASE_MS, 1);
    expect(&w, "");
    /* Not that id, not a canonical form. */
    assert_int_equal(thresholds_engine_series(w.e, id + 1, hale_buf_str(&b), BASE_MS, &s),
                     HALE_E_INVAL);
    assert_int_equal(thresholds_engine_series(w.e, id, HALE_STR("x"), BASE_MS, &s),
                     HALE_E_INVAL);
    hale_buf_fini(&b);
    clear(&w);
}

static void test_forget(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "last(x) > 1", "[\"host\"]", 1);
    sample(&w, "x", "host=a", 5, 0);
    sample(&w, "x", "host=a,zone=y", 5, 0);
    sample(&w, "x", "host=b", 5, 0);
    w.out.text.len = 0;
    struct hale_dim a = {HALE_STR("host"), HALE_STR("a")};
    struct hale_dim c = {HALE_STR("host"), HALE_STR("c")};
    assert_int_equal(thresholds_engine_forget(w.e, HALE_STR("d"), &c, 1), 0);
    assert_int_equal(thresholds_engine_forget(w.e, HALE_STR("none"), &a, 1), 0);
    assert_int_equal(thresholds_engine_forget(w.e, HALE_STR("d"), &a, 1), 1);
    hale_buf_reset(&w.out.text);
    sample(&w, "x", "host=b", 6, 1); /* not concerned */
    assert_int_equal(w.out.text.len, 0);
    sample(&w, "x", "host=a,zone=y", 6, 2);
    expect(&w, "create d/0 host=a UNDETERMINED at 2000 [] -1704067200000..-1704067200000 "
               "series x\nstate d/0 host=a ALARM at 2000 [6.0] 2000..2000\n");
    sample(&w, "x", "host=a", 7, 3);
    expect(
        &w,
        "metric d/0 host=a ALARM at 3000 [] -1704067200000..-1704067200000 series x\n");
    clear(&w);
}

static void test_forget_partial_groups(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "last(x) > 1 and last(y) > 1", "[\"a\",\"b\"]", 1);
    sample(&w, "x", "a=1", 5, 0);
    sample(&w, "y", "b=2", 5, 0);
    sample(&w, "y", "b=3", 5, 0);
    struct hale_dim group[] = {{HALE_STR("b"), HALE_STR("2")},
                               {HALE_STR("a"), HALE_STR("1")}};
    assert_int_equal(thresholds_engine_forget(w.e, HALE_STR("d"), group, 2), 2);
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 1);
    clear(&w);
}

static void test_threshold_change_keeps_data(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "max(x) > 10", "[]", 1);
    sample(&w, "x", "", 5, 0);
    hale_buf_reset(&w.out.text);
    define(&w, "d", "max(x) > 10", "[]", 1); /* the same again: nothing */
    thresholds_engine_tick(w.e, BASE_MS + 1000);
    assert_int_equal(w.out.text.len, 0);
    hale_buf_add_c(&w.out.text, "");
    define(&w, "d", "max(x) > 1", "[]", 2);
    thresholds_engine_tick(w.e, BASE_MS + 2000);
    expect(&w, "state d/0 ALARM at 0t [5.0] 0..60000\n");
    define(&w, "d", "max(x) > 10", "[]",
           3); /* an alarm at rest: OK at the window's end */
    thresholds_engine_tick(w.e, BASE_MS + 90000);
    expect(&w, "state d/0 OK at 90000t [5.0] 0..60000\n");
    clear(&w);
}

static void test_window_change_empties(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "max(x) > 10", "[]", 1);
    sample(&w, "x", "", 50, 0);
    hale_buf_reset(&w.out.text);
    hale_buf_add_c(&w.out.text, "");
    define(&w, "d", "avg(x) > 10", "[]",
           2); /* no new create, no old data, state sent anew */
    sample(&w, "x", "", 5, 10);
    thresholds_engine_tick(w.e, BASE_MS + 90000);
    expect(&w, "state d/0 OK at 90000t [5.0] 0..60000\n");
    define(&w, "d", "avg(y) > 10", "[]", 3); /* another metric: another sub-alarm */
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 0);
    clear(&w);
}

static void test_drop(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "avg(x) > 10", "[]", 1);
    sample(&w, "x", "", 50, 0);
    thresholds_engine_drop_definition(w.e, HALE_STR("d"));
    thresholds_engine_drop_definition(w.e, HALE_STR("d"));
    hale_buf_reset(&w.out.text);
    hale_buf_add_c(&w.out.text, "");
    sample(&w, "x", "", 50, 1);
    thresholds_engine_tick(w.e, BASE_MS + 3600000);
    expect(&w, "");
    assert_int_equal(thresholds_engine_next_tick(w.e), INT64_MAX);
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 0);
    assert_int_equal(thresholds_engine_stats(w.e)->slots, 0);
    clear(&w);
}

static void test_ceilings(void **state)
{
    (void)state;
    struct world w = fresh();
    w.limits.max_subalarms = 2;
    w.limits.max_series = 3;
    w.limits.max_definitions = 1;
    build(&w);
    define(&w, "d", "last(x) > 1", "[\"host\"]", 1);
    assert_int_equal(
        thresholds_engine_set_definition(
            w.e, make_definition("e", "last(x) > 1", "[]", false, 1), BASE_MS),
        HALE_E_LIMIT);
    for (unsigned i = 0; i < 5; i++) {
        char dims[16];
        snprintf(dims, sizeof(dims), "host=%u", i);
        sample(&w, "x", dims, 5, i);
    }
    const struct thresholds_stats *st = thresholds_engine_stats(w.e);
    assert_int_equal(st->subalarms, 2);
    assert_int_equal(st->refused_subalarms, 1);
    assert_int_equal(st->refused_series, 2);
    assert_int_equal(st->transitions, 2);
    /* Series that nobody asked for do not use up the ceiling, and go when they are many.
     * */
    for (unsigned i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", i);
        struct hale_buf b;
        struct thresholds_series *s;
        hale_buf_init(&b, 65536);
        uint64_t id = make_series(name, "", &b);
        thresholds_engine_trim(w.e);
        assert_int_equal(thresholds_engine_series(w.e, id, hale_buf_str(&b), BASE_MS, &s),
                         HALE_OK);
        hale_buf_fini(&b);
    }
    assert_true(st->series < 1100);
    clear(&w);
}

static void test_refused_samples_are_counted(void **state)
{
    (void)state;
    struct world w = fresh();
    build(&w);
    define(&w, "d", "avg(x) > 10", "[]", 1);
    struct thresholds_series *s = introduce(w.e, "x", "", BASE_MS);
    thresholds_engine_sample(w.e, s, BASE_MS - 1, 1, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, BASE_MS + 180000, 1, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, BASE_MS, NAN, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, BASE_MS, INFINITY, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, INT64_MAX, 1, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, INT64_MIN, 1, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, BASE_MS, 1e308, BASE_MS, 1);
    thresholds_engine_sample(w.e, s, BASE_MS, 1e308, BASE_MS,
                             1); /* the sum is infinite */
    thresholds_engine_tick(w.e, BASE_MS + 90000);
    const struct thresholds_stats *st = thresholds_engine_stats(w.e);
    assert_int_equal(st->samples, 8);
    assert_int_equal(st->late, 2);
    assert_int_equal(st->future, 2);
    assert_int_equal(st->rejected, 2);
    assert_non_null(strstr(w.out.text.p, "ALARM at 90000t [1.7976931348623157e"));
    clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_dimensions_choose),
        cmocka_unit_test(test_other_tenant),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_forget_partial_groups),
        cmocka_unit_test(test_threshold_change_keeps_data),
        cmocka_unit_test(test_window_change_empties),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_refused_samples_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
