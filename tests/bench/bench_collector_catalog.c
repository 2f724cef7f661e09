/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_collector_catalog - the catalogue of series alone: memory per series, rate of insertion, and the
 * CPU time of selections and lists, for each number of series given (default 100000 1000000).
 *   bench_collector_catalog [SERIES...]
 * Series as bench_load's, with a fifth dimension: 20 metric names, 5 devices a host, hostname, service,
 * device, zone, region. Times are of one call, the median of 21, in microseconds of this thread's CPU.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "collector/catalog.h"

#define ROUNDS 21
#define MIDDLE 10

static struct collector_catalog *catalog;

static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct collector_series *insert(long i, int64_t now_ms)
{
    static struct hale_buf text;
    struct collector_series *s = NULL;
    char host[64], device[32], name[32];
    struct hale_series series = {
        .tenant = HALE_STR("default"), .region = HALE_STR("RegionOne"), .n_dims = 5};

    (void)snprintf(host, sizeof(host), "compute-%06ld.example.net", i / 100);
    (void)snprintf(device, sizeof(device), "dev%ld", i / 20 % 5);
    (void)snprintf(name, sizeof(name), "bench.metric_%02ld", i % 20);
    series.name = hale_str_from(name);
    series.dims[0] = (struct hale_dim){HALE_STR("device"), hale_str_from(device)};
    series.dims[1] = (struct hale_dim){HALE_STR("hostname"), hale_str_from(host)};
    series.dims[2] = (struct hale_dim){HALE_STR("region"), HALE_STR("west")};
    series.dims[3] = (struct hale_dim){HALE_STR("service"), HALE_STR("compute")};
    series.dims[4] = (struct hale_dim){HALE_STR("zone"), HALE_STR("nova")};
    hale_buf_init(&text, 4096);
    HALE_ASSERT(hale_series_encode(&series, &text) == HALE_OK);
    HALE_ASSERT(collector_catalog_put(catalog, hale_buf_str(&text), COLLECTOR_SERIES_NEW,
                                      &s) == HALE_OK);
    HALE_ASSERT(collector_catalog_confirm(catalog, s) == HALE_OK);
    collector_series_seen(s, now_ms - i % 7200000);
    hale_buf_fini(&text);
    return s;
}

struct question {
    const char *title, *name, *dims, *key;
    enum { SELECT, PAGE, NAMES, KEYS, VALUES } kind;
    bool timed;
};

static size_t ask(const struct question *q, int64_t now_ms)
{
    struct collector_selector sel = {.tenant = HALE_STR("default"),
                                     .name = hale_str_from(q->name),
                                     .start_ms = INT64_MIN,
                                     .end_ms = INT64_MAX};
    struct collector_series_list list = {0};
    struct collector_words words = {0};
    struct hale_err err;
    enum hale_rc rc = HALE_OK;

    HALE_ASSERT(collector_params_dims(q->dims, &sel.dims, &err) == HALE_OK);
    if (q->timed) {
        sel.start_ms = now_ms - 3600000;
        sel.end_ms = now_ms + 1;
    }
    switch (q->kind) {
    case SELECT: rc = collector_catalog_select(catalog, &sel, &list); break;
    case PAGE: rc = collector_catalog_page(catalog, &sel, NULL, 10001, &list); break;
    case NAMES: rc = collector_catalog_names(catalog, &sel, NULL, &words); break;
    case KEYS: rc = collector_catalog_keys(catalog, &sel, NULL, &words); break;
    case VALUES:
        rc = collector_catalog_values(catalog, &sel, hale_str_from(q->key), NULL, &words);
        break;
    }
    HALE_ASSERT(rc == HALE_OK);
    size_t n = list.n + words.n;
    collector_series_list_fini(&list);
    collector_words_fini(&words);
    return n;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static const struct question QUESTIONS[] = {
    {"select name + hostname", "bench.metric_07", "hostname:compute-000011.example.net",
     NULL, SELECT, false},
    {"select name + hostname + device", "bench.metric_07",
     "hostname:compute-000011.example.net,device:dev3", NULL, SELECT, false},
    {"select hostname, any name", NULL, "hostname:compute-000011.example.net", NULL,
     SELECT, false},
    {"select name", "bench.metric_07", NULL, NULL, SELECT, false},
    {"select name + device", "bench.metric_07", "device:dev3", NULL, SELECT, false},
    {"first page of all metrics (10000)", NULL, NULL, NULL, PAGE, false},
    {"first page of a name (10000)", "bench.metric_07", NULL, NULL, PAGE, false},
    {"names", NULL, NULL, NULL, NAMES, false},
    {"names of a hostname", NULL, "hostname:compute-000011.example.net", NULL, NAMES,
     false},
    {"names of a zone, last hour", NULL, "zone:nova", NULL, NAMES, true},
    {"dimension names", NULL, NULL, NULL, KEYS, false},
    {"dimension names of a metric", "bench.metric_07", NULL, NULL, KEYS, false},
    {"dimension names, last hour", NULL, NULL, NULL, KEYS, true},
    {"values of hostname", NULL, NULL, "hostname", VALUES, false},
    {"values of hostname of a metric", "bench.metric_07", NULL, "hostname", VALUES,
     false},
    {"values of hostname, last hour", NULL, NULL, "hostname", VALUES, true},
    {"values of hostname of a metric, last hour", "bench.metric_07", NULL, "hostname",
     VALUES, true},
    {"values of zone, last hour", NULL, NULL, "zone", VALUES, true},
    {"values of hostname with a device", NULL, "device:dev3", "hostname", VALUES, false},
};

static void measure(long n)
{
    const int64_t now_ms = 1763700000000;

    catalog = collector_catalog_new((size_t)n + 1000, 4);
    HALE_ASSERT(catalog != NULL);
    int64_t start = cpu_ns();
    for (long i = 0; i < n; i++)
        (void)insert(i, now_ms);
    double s = (double)(cpu_ns() - start) / 1e9;
    printf("%ld series: %.0f bytes a series, %.0f insertions/s (%.2f us each)\n", n,
           (double)collector_catalog_memory(catalog) / (double)n, (double)n / s,
           s * 1e6 / (double)n);
    printf("  %-44s %8s %10s %10s\n", "call", "answers", "median us", "first us");
    for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
        int64_t ns[ROUNDS];
        size_t answers = 0;
        int64_t first = 0;
        for (unsigned r = 0; r < ROUNDS; r++) {
            int64_t at = cpu_ns();
            answers = ask(&QUESTIONS[i], now_ms);
            ns[r] = cpu_ns() - at;
            if (r == 0)
                first = ns[r];
        }
        qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
        printf("  %-44s %8zu %10.1f %10.1f\n", QUESTIONS[i].title, answers,
               (double)ns[MIDDLE] / 1e3, (double)first / 1e3);
    }
    start = cpu_ns();
    struct collector_series_list all = {0};
    const struct collector_selector sel = {
        .tenant = HALE_STR("default"), .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    HALE_ASSERT(collector_catalog_select(catalog, &sel, &all) == HALE_OK);
    for (size_t i = 0; i < all.n; i++)
        collector_catalog_kill(catalog, all.v[i]);
    printf("  kill all: %.2f us each\n",
           (double)(cpu_ns() - start) / 1e3 / (double)all.n);
    collector_series_list_fini(&all);
    collector_catalog_free(catalog);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        measure(100000);
        measure(1000000);
    }
    for (int i = 1; i < argc; i++)
        measure(strtol(argv[i], NULL, 10));
    return 0;
}
