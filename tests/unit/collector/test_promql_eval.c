/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation over a small world whose answers can be worked out by hand; the bulk is compared with
 * a real Prometheus in tests/integration/test_promql.py. */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/promql_eval.h"
#include "collector/promql_format.h"

/* x{host=h1} rises by one, x{host=h2} falls by one, c counts seconds and restarts at 300 s, all
 * every 10 s from 0 to 600 s; late has one sample at 100 s; row is an archive row at 0 s. */
struct series {
    const char *name, *host, *le;
    double (*value)(int64_t t_s);
    int64_t from_s, to_s;
    int64_t coarse_ms;
};

static double rises(int64_t t_s)
{
    return (double)t_s / 10;
}
static double falls(int64_t t_s)
{
    return 100 - (double)t_s / 10;
}
static double counts(int64_t t_s)
{
    return (double)(t_s < 300 ? t_s : t_s - 300);
}
static double ten(int64_t t_s)
{
    return t_s >= 0 ? 10 : 0;
}
static double twenty(int64_t t_s)
{
    return t_s >= 0 ? 20 : 0;
}

static const struct series all[] = {
    {"x", "h1", "", rises, 0, 600, 0},     {"x", "h2", "", falls, 0, 600, 0},
    {"c", "h1", "", counts, 0, 600, 0},    {"late", "h1", "", ten, 100, 100, 0},
    {"row", "h1", "", ten, 0, 0, 3600000}, {"b", "h1", "1", ten, 0, 600, 0},
    {"b", "h1", "2", twenty, 0, 600, 0},   {"b", "h1", "+Inf", twenty, 0, 600, 0},
};
#define N_ALL (sizeof(all) / sizeof(all[0]))

struct world {
    enum hale_rc fails;
    int looks_left;  /* at the clock, until the time is over */
    unsigned minima; /* reads that wanted the minimum */
};

static enum hale_rc select_series(void *arg, const struct hale_promql_node *selector,
                                  int64_t from_ms, int64_t to_ms,
                                  struct hale_arena *arena,
                                  struct collector_promql_found *out)
{
    (void)from_ms;
    (void)to_ms;
    out->labels = hale_arena_array(arena, N_ALL, sizeof(*out->labels));
    out->series = hale_arena_array(arena, N_ALL, sizeof(*out->series));
    for (size_t i = 0; i < N_ALL; i++) {
        const struct collector_promql_label v[] = {
            {HALE_STR("__name__"), hale_str_from(all[i].name)},
            {HALE_STR("le"), hale_str_from(all[i].le)},
            {HALE_STR("host"), hale_str_from(all[i].host)}};
        const struct collector_promql_labels *l =
            collector_promql_labels_new(arena, v, 3);
        bool yes = true;
        for (unsigned m = 0; yes && m < selector->n_matchers; m++)
            assert_int_equal(
                hale_promql_matches(&selector->matchers[m],
                                    collector_promql_label(l, selector->matchers[m].name),
                                    &yes),
                HALE_OK);
        if (!yes)
            continue;
        out->labels[out->n] = l;
        out->series[out->n++] = (void *)(uintptr_t)(i + 1);
    }
    return ((struct world *)arg)->fails;
}

static enum hale_rc read_points(void *arg, void *const *some, size_t n,
                                const struct collector_promql_span *span,
                                struct collector_promql_points *out)
{
    const struct series *s = &all[(uintptr_t)some[0] - 1];
    struct world *w = arg;

    assert_true(n > 0);
    w->minima += span->what == COLLECTOR_PROMQL_MINIMUM ? 1 : 0;
    out->coarse_ms = s->coarse_ms;
    for (int64_t t = s->from_s; t <= s->to_s; t += 10)
        if (t * 1000 >= span->from_ms && t * 1000 <= span->to_ms)
            assert_true(collector_promql_points_add(out, t * 1000, s->value(t),
                                                    s->coarse_ms > 0 ? 360 : 1));
    return HALE_OK;
}

static bool expired(void *arg)
{
    struct world *w = arg;

    return w->looks_left == 0 || --w->looks_left == 0;
}

/* The answer's JSON, or "fault: text". */
static void ask(struct world *w, const char *text, struct collector_promql_options *o,
                struct hale_buf *b)
{
    const struct collector_promql_source source = {w, select_series, read_points,
                                                   expired};
    struct collector_promql_result r;
    struct hale_promql q;
    struct hale_err err;

    if (hale_promql_parse(hale_str_from(text), &q, &err) != HALE_OK)
        fail_msg("%s: %d:%d %s", text, err.line, err.col, err.text);
    o->source = &source;
    o->lookback_ms = o->lookback_ms > 0 ? o->lookback_ms : 300000;
    o->max_samples = o->max_samples > 0 ? o->max_samples : 100000;
    collector_promql_evaluate(q.root, o, &r);
    hale_buf_reset(b);
    if (r.fault == COLLECTOR_PROMQL_FINE)
        collector_promql_add_result(b, &r, o);
    else
        hale_buf_printf(b, "%d: %s", (int)r.fault, r.error);
    o->source = NULL;
    collector_promql_result_fini(&r);
    hale_promql_fini(&q);
}

static void check(const char *text, struct collector_promql_options o, const char *want)
{
    struct world w = {HALE_OK, 1000, 0};
    struct hale_buf b;

    hale_buf_init(&b, 1 << 20);
    ask(&w, text, &o, &b);
    if (b.p == NULL || strcmp(b.p, want) != 0)
        fail_msg("%s\n  gives  %s\n  wanted %s", text, b.p, want);
    hale_buf_fini(&b);
}

static struct collector_promql_options at(int64_t t_s)
{
    return (struct collector_promql_options){.start_ms = t_s * 1000,
                                             .end_ms = t_s * 1000,
                                             .step_ms = 1,
                                             .n_steps = 1,
                                             .instant = true};
}

#define VECTOR(x) "{\"resultType\":\"vector\",\"result\":[" x "]}"
#define ONE(v)    VECTOR("{\"metric\":{},\"value\":[600,\"" v "\"]}")
#define H1(v)     VECTOR("{\"metric\":{\"host\":\"h1\"},\"value\":[600,\"" v "\"]}")

static void instants(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"x{host=\"h1\"}", VECTOR("{\"metric\":{\"__name__\":\"x\",\"host\":\"h1\"},"
                                  "\"value\":[600,\"60\"]}")},
        {"-2 ^ 2", "{\"resultType\":\"scalar\",\"result\":[600,\"-4\"]}"},
        {"2 ^ 3 ^ 2", "{\"resultType\":\"scalar\",\"result\":[600,\"512\"]}"},
        {"1 + 2 * 3 % 4 - 10 / 4",
         "{\"resultType\":\"scalar\",\"result\":[600,\"0.5\"]}"},
        {"1 / 0", "{\"resultType\":\"scalar\",\"result\":[600,\"+Inf\"]}"},
        {"\"a\\\"b\"", "{\"resultType\":\"string\",\"result\":[600,\"a\\\"b\"]}"},
        {"time()", "{\"resultType\":\"scalar\",\"result\":[600,\"600\"]}"},
        {"sum(x)", ONE("100")},
        {"avg(x)", ONE("50")},
        {"stddev(x)", ONE("10")},
        {"quantile(0.25, x)", ONE("45")},
        {"count(x > 50)", ONE("1")},
        {"x > bool 50", VECTOR("{\"metric\":{\"host\":\"h1\"},\"value\":[600,\"1\"]},"
                               "{\"metric\":{\"host\":\"h2\"},\"value\":[600,\"0\"]}")},
        {"topk(1, x)", VECTOR("{\"metric\":{\"__name__\":\"x\",\"host\":\"h1\"},"
                              "\"value\":[600,\"60\"]}")},
        {"sort_desc(-x)",
         VECTOR("{\"metric\":{\"host\":\"h2\"},\"value\":[600,\"-40\"]},"
                "{\"metric\":{\"host\":\"h1\"},\"value\":[600,\"-60\"]}")},
        {"rate(c[5m])", H1("1")},
        {"increase(c[10m])", H1("590")},
        {"resets(c[10m])", H1("1")},
        {"delta(c[10m])", H1("300")},
        {"irate(c[1m])", H1("1")},
        {"deriv(x{host=\"h1\"}[5m])", H1("0.1")},
        {"predict_linear(x{host=\"h1\"}[5m], 100)", H1("70")},
        {"sum_over_time(x{host=\"h1\"}[20s])", H1("177")}, /* 58 + 59 + 60: both ends */
        {"min_over_time(x{host=\"h1\"}[20s])", H1("58")},
        {"max_over_time(x{host=\"h2\"}[20s]) + 0", VECTOR("{\"metric\":{\"host\":\"h2\"},"
                                                          "\"value\":[600,\"42\"]}")},
        {"count_over_time(x{host=\"h1\"}[5m:1m])", H1("6")},
        {"x{host=\"h1\"} offset 5m", VECTOR("{\"metric\":{\"__name__\":\"x\",\"host\":"
                                            "\"h1\"},\"value\":[600,\"30\"]}")},
        {"sum(x @ 100)", ONE("100")},
        {"late", VECTOR("")}, /* 500 s old */
        {"row", VECTOR("{\"metric\":{\"__name__\":\"row\",\"host\":\"h1\"},\"value\":"
                       "[600,\"10\"]}")},         /* as old, but a row of an hour */
        {"count_over_time(row[10m])", H1("360")}, /* the samples it was made of */
        {"sum_over_time(row[10m])", H1("3600")},
        {"avg_over_time(row[10m])", H1("10")},
        {"absent(late{host=\"h1\"})", H1("1")},
        {"absent(x)", VECTOR("")},
        {"scalar(x)", "{\"resultType\":\"scalar\",\"result\":[600,\"NaN\"]}"},
        {"x{host=\"h1\"} * on(host) c", H1("18000")},
        {"c + ignoring(le) group_right x{host=\"h1\"}", H1("360")},
        {"histogram_quantile(0.75, b)", H1("1.5")},
        {"clamp(x{host=\"h1\"}, 1, 50)", H1("50")},
        {"clamp(x, 2, 1)", VECTOR("")},
        {"round(x{host=\"h1\"} / 7, 0.5)", H1("8.5")},
        {"vector(1) unless on(host) nothing", ONE("1")},
        {"late offset 8m or vector(2)",
         VECTOR(
             "{\"metric\":{},\"value\":[600,\"2\"]},{\"metric\":{\"__name__\":\"late\","
             "\"host\":\"h1\"},\"value\":[600,\"10\"]}")},
        {"x{host=\"h1\"}[25s]",
         "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"x\","
         "\"host\":"
         "\"h1\"},\"values\":[[580,\"58\"],[590,\"59\"],[600,\"60\"]]}]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i].text, at(600), cases[i].want);
}

static void ranges(void **state)
{
    struct collector_promql_options o = {
        .start_ms = 280000, .end_ms = 325000, .step_ms = 20000, .n_steps = 3};

    (void)state;
    check(
        "c", o,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"c\",\"host\":"
        "\"h1\"},\"values\":[[280,\"280\"],[300,\"0\"],[320,\"20\"]]}]}");
    check("time() - 280", o,
          "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[280,\"0\"],"
          "[300,\"20\"],[320,\"40\"]]}]}");
    check(
        "c @ end() > 10 and c < 100", o,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"c\",\"host\":"
        "\"h1\"},\"values\":[[300,\"20\"],[320,\"20\"]]}]}");
    check(
        "max_over_time(rate(c[20s])[40s:20s])", o,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"host\":\"h1\"},\"values\":"
        "[[280,\"1\"],[300,\"1\"],[320,\"1\"]]}]}");
}

/* Sliding sums and extremes against walking each window. */
static void sliding_equals_walking(void **state)
{
    static const char *const pairs[][2] = {
        {"sum_over_time(x[95s])", "avg_over_time(x[95s]) * count_over_time(x[95s])"},
        {"max_over_time(c[95s])", "quantile_over_time(1, c[95s])"},
        {"min_over_time(c[95s])", "quantile_over_time(0, c[95s])"},
        {"sum_over_time(c[33s])",
         "sum_over_time(c[33s:10s])"}, /* the points come from a subquery */
    };
    struct collector_promql_options o = {
        .start_ms = 0, .end_ms = 600000, .step_ms = 10000, .n_steps = 61};
    struct world w = {HALE_OK, 1000, 0};
    struct hale_buf a;
    struct hale_buf b;

    (void)state;
    hale_buf_init(&a, 1 << 20);
    hale_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ask(&w, pairs[i][0], &o, &a);
        ask(&w, pairs[i][1], &o, &b);
        if (strcmp(a.p, b.p) != 0)
            fail_msg("%s\n%s\n%s", pairs[i][0], a.p, b.p);
    }
    assert_int_equal(w.minima, 1);
    hale_buf_fini(&a);
    hale_buf_fini(&b);
}

static void faults(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"abs({host=\"h1\"})", "1: vector cannot contain metrics with the same labelset"},
        {"x * on() x",
         "1: found duplicate series for the match group on the right hand-side "
         "of the operation, one is {__name__=x,host=h2}; many-to-many matching "
         "not allowed: matching labels must be unique on one side"},
        {"x * on(le) late offset 8m",
         "1: multiple matches for labels: many-to-one matching must be explicit "
         "(group_left/group_right)"},
        {"topk(scalar(x), x)", "1: Scalar value nan overflows int64"},
    };
    struct collector_promql_options o = at(600);
    struct world w = {HALE_OK, 1000, 0};
    struct hale_buf b;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(cases[i].text, at(600), cases[i].want);

    hale_buf_init(&b, 1 << 20);
    o.max_samples = 100;
    ask(&w, "x[5m:1s]", &o, &b);
    assert_string_equal(b.p,
                        "1: query processing would load too many samples into memory in "
                        "query execution (promql_max_samples is 100)");
    hale_buf_fini(&b);
}

static void sources_that_fail(void **state)
{
    static const struct {
        enum hale_rc rc;
        const char *want;
    } cases[] = {
        {HALE_E_IO, "3: the sample store does not answer"},
        {HALE_E_AGAIN, "3: the sample store does not answer"},
        {HALE_E_CLOSED, "2: query timed out in expression evaluation"},
        {HALE_E_NOMEM, "1: query processing would load too many series into memory"},
    };
    struct collector_promql_options o = at(600);
    struct hale_buf b;

    (void)state;
    hale_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w = {cases[i].rc, 1000, 0};
        ask(&w, "sum(x)", &o, &b);
        assert_string_equal(b.p, cases[i].want);
    }
    /* A long window of each step walked: the deadline ends it. */
    struct world w = {HALE_OK, 2, 0};
    o = (struct collector_promql_options){
        .end_ms = 600000, .step_ms = 100, .n_steps = 6001, .max_samples = 10000000};
    ask(&w, "quantile_over_time(0.5, x[10m:100ms])", &o, &b);
    assert_string_equal(b.p, "2: query timed out in expression evaluation");
    hale_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants),
        cmocka_unit_test(ranges),
        cmocka_unit_test(sliding_equals_walking),
        cmocka_unit_test(faults),
        cmocka_unit_test(sources_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
