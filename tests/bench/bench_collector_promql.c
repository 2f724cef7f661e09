/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_collector_promql - CPU time of PromQL range queries alone, without reading: 100 series with a
 * point every 10 s over a day come from memory, and the answer is written as JSON. One day at steps of a
 * minute (1440 steps). Median of 7 in milliseconds of this thread's CPU.
 *   bench_collector_promql [SERIES]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "collector/promql_format.h"

#define ROUNDS 7
#define MIDDLE 3
#define POINTS 8640
#define DAY_MS 86400000

static long n_series = 100;
static struct collector_promql_point *points;

static int64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static enum hale_rc select_series(void *arg, const struct hale_promql_node *selector,
                                  int64_t from_ms, int64_t to_ms,
                                  struct hale_arena *arena,
                                  struct collector_promql_found *out)
{
    size_t n = (size_t)n_series;

    (void)arg;
    (void)selector;
    (void)from_ms;
    (void)to_ms;
    out->labels = hale_arena_array(arena, n, sizeof(*out->labels));
    out->series = hale_arena_array(arena, n, sizeof(*out->series));
    for (; out->n < n; out->n++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "host-%05zu", out->n);
        const struct collector_promql_label v[] = {
            {HALE_STR("__name__"), HALE_STR("net.in_bytes")},
            {HALE_STR("hostname"), hale_arena_str(arena, hale_str_from(host))},
            {HALE_STR("zone"), out->n % 2 == 0 ? HALE_STR("a") : HALE_STR("b")}};
        out->labels[out->n] = collector_promql_labels_new(arena, v, 3);
        out->series[out->n] = points;
    }
    return HALE_OK;
}

static enum hale_rc read_points(void *arg, void *const *some, size_t n,
                                const struct collector_promql_span *span,
                                struct collector_promql_points *out)
{
    (void)arg;
    (void)some;
    (void)n;
    for (size_t i = 0; i < POINTS; i++)
        if (points[i].time_ms >= span->from_ms && points[i].time_ms <= span->to_ms &&
            !collector_promql_points_add(out, points[i].time_ms, points[i].value, 1))
            return HALE_E_NOMEM;
    return HALE_OK;
}

static bool expired(void *arg)
{
    (void)arg;
    return false;
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void run(const char *text)
{
    const struct collector_promql_source source = {NULL, select_series, read_points,
                                                   expired};
    const struct collector_promql_options o = {.source = &source,
                                               .start_ms = 0,
                                               .end_ms = DAY_MS,
                                               .step_ms = 60000,
                                               .n_steps = 1441,
                                               .lookback_ms = 300000,
                                               .max_samples = 100000000};
    int64_t evaluating[ROUNDS], writing[ROUNDS];
    size_t bytes = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct collector_promql_result r;
        struct hale_promql q;
        struct hale_buf b;
        int64_t start = cpu_us();
        HALE_ASSERT(hale_promql_parse(hale_str_from(text), &q, NULL) == HALE_OK);
        collector_promql_evaluate(q.root, &o, &r);
        HALE_ASSERT(r.fault == COLLECTOR_PROMQL_FINE);
        int64_t middle = cpu_us();
        hale_buf_init(&b, (size_t)1 << 30);
        collector_promql_add_result(&b, &r, &o);
        evaluating[i] = middle - start;
        writing[i] = cpu_us() - middle;
        bytes = b.len;
        hale_buf_fini(&b);
        collector_promql_result_fini(&r);
        hale_promql_fini(&q);
    }
    qsort(evaluating, ROUNDS, sizeof(int64_t), ascending);
    qsort(writing, ROUNDS, sizeof(int64_t), ascending);
    printf("%-58s %8.1f %8.1f %10zu\n", text, (double)evaluating[MIDDLE] / 1000,
           (double)writing[MIDDLE] / 1000, bytes);
}

int main(int argc, char **argv)
{
    static const char *const queries[] = {
        "net.in_bytes",
        "rate(net.in_bytes[5m])",
        "sum by (zone) (rate(net.in_bytes[5m]))",
        "avg_over_time(net.in_bytes[1h])",
        "max_over_time(net.in_bytes[1d])",
        "quantile_over_time(0.9, net.in_bytes[5m])",
        "topk(5, rate(net.in_bytes[5m]))",
        "net.in_bytes / on(hostname) net.in_bytes",
        "quantile by (zone) (0.95, net.in_bytes)",
    };

    if (argc > 1)
        n_series = strtol(argv[1], NULL, 10);
    HALE_ASSERT(n_series > 0 && n_series <= 100000);
    points = calloc(POINTS, sizeof(*points));
    HALE_ASSERT(points != NULL);
    double total = 0;
    for (size_t i = 0; i < POINTS; i++) {
        total = i % 2000 == 1999 ? 0 : total + (double)(i * 7919 % 1000) / 8;
        points[i] = (struct collector_promql_point){(int64_t)i * 10000, total, 1};
    }
    printf("%ld series, %d points each, 1441 steps\n%-58s %8s %8s %10s\n", n_series,
           POINTS, "query", "eval ms", "JSON ms", "bytes");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        run(queries[i]);
    free(points);
    return 0;
}
