/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_thresholds - cost of evaluating on arrival: CPU seconds per million samples with
 * 10,000 definitions over 100,000 series in random order, batches of 1,000, parsing
 * excluded; and of one tick that closes the windows of all sub-alarms (10,000 and
 *   100,000). bench_thresholds [definitions [series [million samples]]]
 *
 * bench_thresholds engine: the figures of the engine alone. Definitions of three comparisons, 60 s times 3, so
 * each series feeds three windows; samples per CPU second and bytes per window of a series with all
 * tables, with 1,000 to 100,000 definitions and up to a million windows.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/id.h"
#include "model/batch.h"
#include "thresholds/engine.h"

#define BASE_MS INT64_C(1704067200000)
#define BATCH   1000

static uint64_t events;

static void count_event(const struct thresholds_event *ev, void *arg)
{
    (void)ev;
    (void)arg;
    events++;
}

static double cpu_s(void)
{
    struct timespec t;
    HALE_ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Without pages that were freed before, which would be used again. */
static double resident_bytes(void)
{
    char line[128];
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/statm", "r");
    HALE_ASSERT(f != NULL && fgets(line, sizeof(line), f) != NULL);
    (void)fclose(f);
    const char *second = strchr(line, ' ');
    HALE_ASSERT(second != NULL);
    long resident = strtol(second, NULL, 10);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* "three": three comparisons of 60 s times 3 over the same series. */
static void expression_of(char *dst, size_t size, unsigned host, const char *function)
{
    if (strcmp(function, "three") != 0) {
        snprintf(dst, size, "%s(cpu.user_perc{hostname=host-%u}) > 90", function, host);
        return;
    }
    size_t n = 0;
    for (unsigned i = 0; i < 3; i++) {
        static const char *const parts[] = {"avg", "max", "sum"};
        static const char *const ends[] = {"> 90 times 3 and ", "> 95 times 3 or ",
                                           "< 0 times 3"};
        n += (size_t)snprintf(dst + n, size - n, "%s(cpu.user_perc{hostname=host-%u}) %s",
                              parts[i], host, ends[i]);
    }
}

static void define(struct thresholds_engine *e, unsigned i, const char *function)
{
    char json[1024], expression[512];
    expression_of(expression, sizeof(expression), i, function);
    struct hale_definition *d = NULL;
    struct hale_err err = {.rc = HALE_OK};
    snprintf(
        json, sizeof(json),
        "{\"v\":1,\"id\":\"d%u\",\"tenant\":\"t\",\"name\":\"n%u\",\"description\":\"\","
        "\"expression\":\"%s\","
        "\"match_by\":[\"hostname\",\"core\"],\"severity\":\"LOW\",\"actions_enabled\":"
        "true,"
        "\"ok_actions\":[],\"alarm_actions\":[],\"undetermined_actions\":[],"
        "\"semantics\":\"hale\",\"version\":1,\"created_ms\":1,\"updated_ms\":1}",
        i, i, expression);
    HALE_ASSERT(hale_definition_decode(hale_str_from(json), &d, &err) == HALE_OK);
    HALE_ASSERT(thresholds_engine_set_definition(e, d, BASE_MS) == HALE_OK);
}

static uint64_t series_bytes(unsigned host, unsigned core, struct hale_buf *out)
{
    char host_text[32], core_text[32];
    snprintf(host_text, sizeof(host_text), "host-%u", host);
    snprintf(core_text, sizeof(core_text), "%u", core);
    struct hale_series s = {.tenant = HALE_STR("t"),
                            .region = HALE_STR("r"),
                            .name = HALE_STR("cpu.user_perc"),
                            .n_dims = 2,
                            .dims = {{HALE_STR("core"), hale_str_from(core_text)},
                                     {HALE_STR("hostname"), hale_str_from(host_text)}}};
    hale_buf_reset(out);
    HALE_ASSERT(hale_series_encode(&s, out) == HALE_OK);
    return hale_series_id(hale_buf_str(out));
}

static void introduce_all(struct thresholds_engine *e, unsigned n_definitions,
                          unsigned n_series, uint64_t *ids)
{
    struct hale_buf b;
    HALE_ASSERT(n_definitions > 0);
    hale_buf_init(&b, 65536);
    double before = cpu_s();
    for (unsigned i = 0; i < n_series; i++) {
        struct thresholds_series *s;
        ids[i] = series_bytes(i % n_definitions, i / n_definitions, &b);
        HALE_ASSERT(thresholds_engine_series(e, ids[i], hale_buf_str(&b), BASE_MS, &s) ==
                    HALE_OK);
    }
    printf("first sight        %8.3f CPU-s/M series\n",
           (cpu_s() - before) / n_series * 1e6);
    hale_buf_fini(&b);
}

static double feed(struct thresholds_engine *e, const uint64_t *ids, unsigned n_series,
                   double millions)
{
    static struct thresholds_series *handles[BATCH];
    struct hale_batch *writer = hale_batch_new();
    struct hale_buf bytes;
    uint64_t state = 88172645463325252u;
    double spent = 0;
    unsigned batches = (unsigned)(millions * 1e6 / BATCH);
    HALE_ASSERT(writer != NULL);
    hale_buf_init(&bytes, 1u << 20);
    for (unsigned b = 0; b < batches; b++) {
        int64_t now = BASE_MS + 1000 + (int64_t)((double)b * 50000.0 / batches);
        hale_batch_reset(writer);
        hale_buf_reset(&bytes);
        for (unsigned i = 0; i < BATCH; i++) {
            uint64_t r = random_next(&state);
            HALE_ASSERT(hale_batch_add(writer, ids[(r >> 16) % n_series], now - 5,
                                       (double)(r % 89),
                                       (struct hale_str){NULL, 0}) == HALE_OK);
        }
        HALE_ASSERT(hale_batch_encode(writer, 1, &bytes) == HALE_OK);
        struct hale_batch_view v;
        double before = cpu_s();
        HALE_ASSERT(hale_batch_open(hale_buf_str(&bytes), &v) == HALE_OK);
        thresholds_engine_tick(e, now - 1);
        for (unsigned i = 0; i < v.n; i++) {
            if (i + 16 < v.n)
                thresholds_engine_prefetch(e, hale_batch_id(&v, i + 16));
            if (i + 8 < v.n)
                thresholds_engine_prefetch_series(e, hale_batch_id(&v, i + 8));
            handles[i] = thresholds_engine_find(e, hale_batch_id(&v, i));
        }
        thresholds_engine_samples(e, &v, handles, now);
        spent += cpu_s() - before;
    }
    hale_buf_fini(&bytes);
    hale_batch_free(writer);
    return spent / ((double)batches * BATCH / 1e6);
}

static int measure(const char *function, unsigned n_definitions, unsigned n_series,
                   double millions)
{
    struct thresholds_limits limits = thresholds_limits_default();
    struct thresholds_engine *e = thresholds_engine_new(&limits, count_event, NULL);
    uint64_t *ids = hale_xcalloc(n_series, sizeof(*ids));
    HALE_ASSERT(e != NULL);
    printf("--- %s, %u definitions, %u series\n", function, n_definitions, n_series);
    for (unsigned i = 0; i < n_definitions; i++)
        define(e, i, function);
    double before_bytes = resident_bytes();
    introduce_all(e, n_definitions, n_series, ids);
    printf(
        "memory             %8.0f bytes per series with one sub-alarm, tables included\n",
        (resident_bytes() - before_bytes) / n_series);
    for (int round = 0; round < 3; round++) {
        double cost = feed(e, ids, n_series, millions);
        printf("on arrival         %8.4f CPU-s/M samples\n", cost);
    }
    uint64_t closed = thresholds_engine_stats(e)->evaluations;
    double before = cpu_s();
    thresholds_engine_tick(e, BASE_MS + 90000);
    double sweep = cpu_s() - before;
    closed = thresholds_engine_stats(e)->evaluations - closed;
    printf("tick               %8.3f ms, %" PRIu64 " windows closed and reported\n",
           sweep * 1e3, closed);
    for (int i = 0; i < 2; i++) {
        feed(e, ids, n_series, 0.5);
        closed = thresholds_engine_stats(e)->evaluations;
        before = cpu_s();
        thresholds_engine_tick(e, BASE_MS + 150000 + i * 60000);
        sweep = cpu_s() - before;
        closed = thresholds_engine_stats(e)->evaluations - closed;
        printf("tick               %8.3f ms, %" PRIu64 " windows closed\n", sweep * 1e3,
               closed);
    }
    printf("events             %8" PRIu64 "\n", events);
    thresholds_engine_free(e);
    free(ids);
    return 0;
}

/* Samples of all series in random order over a minute, and the closing of all windows. */
static void measure_engine(unsigned n_definitions, unsigned n_series, double millions)
{
    struct thresholds_limits limits = thresholds_limits_default();
    limits.max_subalarms = 4 * (size_t)n_series;
    struct thresholds_engine *e = thresholds_engine_new(&limits, count_event, NULL);
    uint64_t *ids = hale_xcalloc(n_series, sizeof(*ids));
    struct hale_buf b;
    HALE_ASSERT(e != NULL && n_definitions > 0);
    for (unsigned i = 0; i < n_definitions; i++)
        define(e, i, "three");
    double before_bytes = resident_bytes();
    hale_buf_init(&b, 65536);
    for (unsigned i = 0; i < n_series; i++) {
        struct thresholds_series *s;
        ids[i] = series_bytes(i % n_definitions, i / n_definitions, &b);
        HALE_ASSERT(thresholds_engine_series(e, ids[i], hale_buf_str(&b), BASE_MS, &s) ==
                    HALE_OK);
    }
    hale_buf_fini(&b);
    size_t windows = thresholds_engine_stats(e)->subalarms;
    HALE_ASSERT(windows == 3 * (size_t)n_series);
    double bytes = resident_bytes() - before_bytes;
    double best = feed(e, ids, n_series, millions);
    for (int round = 0; round < 2; round++) {
        double cost = feed(e, ids, n_series, millions);
        best = cost < best ? cost : best;
    }
    double before = cpu_s();
    thresholds_engine_tick(e, BASE_MS + 90000);
    printf("%7u definitions x 3, %7u series, %8zu windows: %6.2f M samples/s, %5.0f ns a "
           "sample, %4.0f "
           "bytes a window, closing all %6.1f ms\n",
           n_definitions, n_series, windows, 1 / best, best * 1e3,
           bytes / (double)windows, (cpu_s() - before) * 1e3);
    thresholds_engine_free(e);
    free(ids);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "engine") == 0) {
        double millions = argc > 2 ? strtod(argv[2], NULL) : 2;
        measure_engine(1000, 100000, millions);
        measure_engine(10000, 100000, millions);
        measure_engine(100000, 100000, millions);
        measure_engine(10000, 333334, millions);
        return 0;
    }
    unsigned definitions = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
    unsigned series = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000;
    double millions = argc > 3 ? strtod(argv[3], NULL) : 4;
    int code = measure("avg", definitions, series, millions);
    if (code == 0)
        code = measure("max", definitions, series, millions);
    if (code == 0)
        code = measure("last", definitions, definitions, millions);
    return code;
}
