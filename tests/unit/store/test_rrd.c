/* SPDX-License-Identifier: Apache-2.0 */
/* Archive files: real ones, in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/rrd.h"

#define T0 1700000400 /* divisible by 3600 */

static char dir[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-rrd-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/a.rrd", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void fill(int64_t from, int64_t to, int64_t every, double (*f)(int64_t))
{
    struct hale_err err;
    size_t n = 0;
    size_t skipped = 9;
    struct hale_rrd_point *p = calloc((size_t)((to - from) / every) + 1, sizeof(*p));
    assert_non_null(p);
    for (int64_t t = from; t <= to; t += every)
        p[n++] = (struct hale_rrd_point){t, f(t)};
    if (hale_rrd_update(path, p, n, &skipped, &err) != HALE_OK)
        fail_msg("%s", err.text);
    assert_int_equal(skipped, 0);
    free(p);
}

static double ramp(int64_t t)
{
    return (double)(t - T0);
}

static double five(int64_t t)
{
    (void)t;
    return 5.25;
}

static void test_create(void **state)
{
    struct hale_err err;
    struct stat before, after;
    int64_t last = 0;
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(hale_rrd_last(path, &last, &err), HALE_OK);
    assert_int_equal(last, T0 - 10);
    fill(T0, T0 + 100, 10, five);
    assert_int_equal(hale_rrd_create(path, T0 + 5000, 60, &err),
                     HALE_OK); /* left alone */
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(hale_rrd_last(path, &last, &err), HALE_OK);
    assert_int_equal(last, T0 + 100);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *path;
        int64_t start_s, heartbeat_s;
        enum hale_rc rc;
    } rows[] = {
        {"/nonexistent/dir/a.rrd", T0, 60, HALE_E_NOTFOUND},
        {"unused.rrd", 0, 60, HALE_E_INVAL},
        {"unused.rrd", -5, 60, HALE_E_INVAL},
        {"unused.rrd", T0, 0, HALE_E_INVAL},
        {"unused.rrd", T0, INT64_MAX, HALE_E_INVAL},
    };
    struct hale_rrd_point one = {T0, 1};
    struct hale_rrd_point back[] = {{T0 + 20, 1}, {T0 + 20, 2}};
    struct hale_rrd_series s;
    struct hale_err err;
    int64_t last;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.text[0] = '\0';
        assert_int_equal(
            hale_rrd_create(rows[i].path, rows[i].start_s, rows[i].heartbeat_s, &err),
            rows[i].rc);
        assert_true(err.text[0] != '\0');
        assert_non_null(strstr(err.source, rows[i].path));
    }
    assert_int_equal(hale_rrd_update(path, &one, 1, NULL, &err), HALE_E_NOTFOUND);
    assert_int_equal(hale_rrd_last(path, &last, &err), HALE_E_NOTFOUND);
    assert_int_equal(hale_rrd_fetch(path, HALE_RRD_MIN, T0, T0 + 10, 10, &s, &err),
                     HALE_E_NOTFOUND);
    assert_null(s.values);
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    assert_int_equal(hale_rrd_update(path, back, 2, NULL, &err), HALE_E_INVAL);
    assert_int_equal(hale_rrd_fetch(path, HALE_RRD_MIN, T0, T0, 10, &s, &err),
                     HALE_E_INVAL);
    assert_int_equal(hale_rrd_update(path, NULL, 0, NULL, &err), HALE_OK);
}

static void test_not_an_archive(void **state)
{
    struct hale_err err;
    struct hale_rrd_point one = {T0, 1};
    (void)state;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        assert_true(fprintf(f, "nonsense ") > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(hale_rrd_update(path, &one, 1, NULL, &err), HALE_E_IO);
    assert_non_null(strstr(err.text, "RRD"));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(hale_rrd_update(path, &one, 1, NULL, &err), HALE_E_IO);
}

static void test_update_skips(void **state)
{
    struct hale_err err;
    size_t skipped = 0;
    struct hale_rrd_point p[] = {{T0, 1}, {T0 + 10, 2}, {T0 + 20, 3}, {T0 + 30, 4}};
    int64_t last = 0;
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    assert_int_equal(hale_rrd_update(path, p, 3, &skipped, &err), HALE_OK);
    assert_int_equal(skipped, 0);
    assert_int_equal(hale_rrd_update(path, p, 4, &skipped, &err), HALE_OK); /* a replay */
    assert_int_equal(skipped, 3);
    assert_int_equal(hale_rrd_update(path, p, 4, &skipped, &err), HALE_OK);
    assert_int_equal(skipped, 4);
    assert_int_equal(hale_rrd_update(path, p, 4, NULL, &err), HALE_OK);
    assert_int_equal(hale_rrd_last(path, &last, &err), HALE_OK);
    assert_int_equal(last, T0 + 30);
}

/* A point at t describes the interval that ends at t; the first point counts. */
static void test_fetch_boundaries(void **state)
{
    static const struct {
        int64_t start, end, first;
        size_t n;
    } rows[] = {
        {T0 - 10, T0, T0 - 10, 1},       {T0, T0 + 10, T0, 1},     {T0, T0 + 11, T0, 2},
        {T0 + 1, T0 + 10, T0, 1},        {T0 + 9, T0 + 11, T0, 2}, {T0, T0 + 100, T0, 10},
        {T0 + 90, T0 + 130, T0 + 90, 4},
    };
    struct hale_err err;
    struct hale_rrd_series s;
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    fill(T0, T0 + 100, 10, ramp);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(hale_rrd_fetch(path, HALE_RRD_AVERAGE, rows[i].start,
                                        rows[i].end, 10, &s, &err),
                         HALE_OK);
        assert_int_equal(s.step_s, 10);
        assert_int_equal(s.start_s, rows[i].first);
        assert_int_equal(s.n, rows[i].n);
        for (size_t k = 0; k < s.n; k++) {
            int64_t ends = s.start_s + (int64_t)(k + 1) * 10;
            if (ends > T0 + 100)
                assert_true(isnan(s.values[k]));
            else if (s.values[k] != ramp(ends))
                fail_msg("row %zu: interval ending %+ld is %g", i, (long)(ends - T0),
                         s.values[k]);
        }
        free(s.values);
    }
}

static void test_tiers(void **state)
{
    static const struct {
        int64_t back_s; /* start, before the last update */
        int64_t step_s; /* asked */
        int64_t found_s;
    } rows[] = {
        {3600, 10, 10},         {3600, 1, 10},           {3600, 11, 60},
        {3600, 60, 60},         {3600, 300, 300},        {3600, 301, 3600},
        {3600, 86400, 3600},    {86400, 10, 10},         {86410, 10, 60},
        {7 * 86400, 10, 60},    {8 * 86400, 10, 300},    {31 * 86400, 10, 300},
        {32 * 86400, 10, 3600}, {399 * 86400, 10, 3600}, {600 * 86400, 10, 3600},
    };
    struct hale_err err;
    struct hale_rrd_series s;
    (void)state;
    int64_t last = T0 + 3600;
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    fill(T0, last, 10, five);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(hale_rrd_fetch(path, HALE_RRD_MAX, last - rows[i].back_s, last,
                                        rows[i].step_s, &s, &err),
                         HALE_OK);
        if (s.step_s != rows[i].found_s)
            fail_msg("row %zu found step %ld", i, (long)s.step_s);
        assert_true(s.start_s <= last - rows[i].back_s);
        assert_true(s.start_s + (int64_t)s.n * s.step_s >= last);
        free(s.values);
    }
}

static double spike(int64_t t)
{
    return t == T0 + 300 ? 100.0 : t == T0 + 610 ? -7.0 : 1.0;
}

static void test_min_max(void **state)
{
    struct hale_err err;
    struct hale_rrd_series s;
    static const double want[][2] = {
        /* cf, values of the intervals [T0, +300) and [T0+600, +300) */
        [HALE_RRD_AVERAGE] = {1 + 99.0 / 30, 1 - 8.0 / 30},
        [HALE_RRD_MIN] = {1, -7},
        [HALE_RRD_MAX] = {100, 1},
    };
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0, 60, &err), HALE_OK);
    fill(T0, T0 + 3600, 10, spike);
    for (unsigned cf = HALE_RRD_AVERAGE; cf <= HALE_RRD_MAX; cf++) {
        assert_int_equal(
            hale_rrd_fetch(path, (enum hale_rrd_cf)cf, T0, T0 + 900, 300, &s, &err),
            HALE_OK);
        assert_int_equal(s.n, 3);
        assert_true(fabs(s.values[0] - want[cf][0]) < 1e-9);
        assert_true(fabs(s.values[2] - want[cf][1]) < 1e-9);
        free(s.values);
    }
}

/* Silence longer than twice the heartbeat is unknown; a shorter gap is not. */
static void test_gaps(void **state)
{
    struct hale_err err;
    struct hale_rrd_series s;
    struct hale_rrd_point p[] = {{T0, 1},       {T0 + 10, 1},    {T0 + 40, 3},
                                 {T0 + 200, 5}, {T0 + 210, NAN}, {T0 + 220, 2}};
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0, 30, &err), HALE_OK);
    assert_int_equal(hale_rrd_update(path, p, 6, NULL, &err), HALE_OK);
    assert_int_equal(hale_rrd_fetch(path, HALE_RRD_AVERAGE, T0, T0 + 220, 10, &s, &err),
                     HALE_OK);
    assert_int_equal(s.n, 22);
    assert_true(s.values[0] == 1.0);
    assert_true(s.values[1] == 3.0 && s.values[3] == 3.0);
    assert_true(isnan(s.values[4]) && isnan(s.values[19]));
    assert_true(isnan(s.values[20]));
    assert_true(s.values[21] == 2.0);
    free(s.values);
}

static void test_exact_values(void **state)
{
    static const double values[] = {0.1, -1e300, 1e-300, 123456789.123456789, 3.0, -0.0};
    struct hale_err err;
    struct hale_rrd_series s;
    size_t n = sizeof(values) / sizeof(values[0]);
    (void)state;
    assert_int_equal(hale_rrd_create(path, T0 + 10, 60, &err), HALE_OK);
    for (size_t i = 0; i < n; i++) {
        struct hale_rrd_point p = {T0 + 10 + (int64_t)i * 10, values[i]};
        assert_int_equal(hale_rrd_update(path, &p, 1, NULL, &err), HALE_OK);
    }
    assert_int_equal(
        hale_rrd_fetch(path, HALE_RRD_MAX, T0, T0 + (int64_t)n * 10, 10, &s, &err),
        HALE_OK);
    for (size_t i = 0; i < n; i++)
        if (fabs(s.values[i] - values[i]) > fabs(values[i]) * 1e-14)
            fail_msg("%.17g came back as %.17g", values[i], s.values[i]);
    free(s.values);
}

static void *own_file(void *arg)
{
    char mine[128];
    struct hale_err err;
    (void)snprintf(mine, sizeof(mine), "%s.%u", path, *(unsigned *)arg);
    bool ok = hale_rrd_create(mine, T0, 60, &err) == HALE_OK;
    for (int64_t i = 0; i < 200 && ok; i++) {
        struct hale_rrd_point p = {T0 + i * 10, 1.0};
        ok = hale_rrd_update(mine, &p, 1, NULL, &err) == HALE_OK &&
             hale_rrd_last("/nonexistent.rrd", &(int64_t){0}, &err) == HALE_E_NOTFOUND;
    }
    (void)unlink(mine);
    return ok ? arg : NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    unsigned ids[4] = {0, 1, 2, 3};
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, own_file, &ids[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *ok = NULL;
        assert_int_equal(pthread_join(threads[i], &ok), 0);
        assert_ptr_equal(ok, &ids[i]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_create),           T(test_refusals),
        T(test_not_an_archive),   T(test_update_skips),
        T(test_fetch_boundaries), T(test_tiers),
        T(test_min_max),          T(test_gaps),
        T(test_exact_values),     T(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
