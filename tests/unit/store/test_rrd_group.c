/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of series in round-robin files: real ones, in a temporary directory. */
#include "support/cmocka.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/rrd_group.h"
#include "support/fail_alloc.h"

#define T0 INT64_C(1700006400) /* on whole days */

static const struct hale_rrd_layout small = {2, 3, {{10, 60}, {60, 20}, {300, 10}}};
static const char *const suffixes[] = {".sum.rrd", ".min.rrd", ".max.rrd"};

static char dir[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-rrd-group-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/g", dir);
    return 0;
}

static int teardown(void **state)
{
    struct hale_err err;
    (void)state;
    return hale_rrd_group_remove(path, &err) == HALE_OK ? rmdir(dir) : -1;
}

static struct hale_rrd_cell cell(double v)
{
    return (struct hale_rrd_cell){.sum = v, .min = v, .max = v, .n = 1};
}

static enum hale_rc append(int64_t start_s, size_t n, const struct hale_rrd_cell *cells)
{
    struct hale_err err;
    return hale_rrd_group_append(path, &small, start_s, n, cells, NULL, &err);
}

static void append_ok(int64_t start_s, size_t n, double value)
{
    struct hale_err err;
    struct hale_rrd_cell *cells = calloc(n * 2, sizeof(*cells));
    assert_non_null(cells);
    for (size_t i = 0; i < n * 2; i += 2)
        cells[i] = cell(value); /* the other slot has nothing */
    if (hale_rrd_group_append(path, &small, start_s, n, cells, NULL, &err) != HALE_OK)
        fail_msg("%s", err.text);
    free(cells);
}

static struct hale_rrd_rows fetch(unsigned slot, int64_t start_s, int64_t end_s,
                                  int64_t step_s)
{
    struct hale_err err;
    struct hale_rrd_rows r;
    if (hale_rrd_group_fetch(path, &small, slot, start_s, end_s, step_s, &r, &err) !=
        HALE_OK)
        fail_msg("%s", err.text);
    return r;
}

static void test_layouts(void **state)
{
    static const struct {
        struct hale_rrd_layout l;
        const char *text; /* NULL: good */
    } rows[] = {
        {{1, 1, {{1, 1}}}, NULL},
        {{64, 6, {{1, 4}, {2, 4}, {4, 4}, {8, 4}, {16, 4}, {32, 1}}}, NULL},
        {{16, 4, {{10, 8640}, {60, 10080}, {300, 8928}, {3600, 9600}}}, NULL},
        {{0, 1, {{1, 1}}}, "0 slots"},
        {{65, 1, {{1, 1}}}, "65 slots"},
        {{1, 0, {{1, 1}}}, "0 tiers"},
        {{1, 7, {{1, 1}}}, "7 tiers"},
        {{1, 1, {{0, 1}}}, "tier 1"},
        {{1, 1, {{-10, 1}}}, "tier 1"},
        {{1, 1, {{1, 0}}}, "tier 1"},
        {{1, 1, {{1, INT64_MAX}}}, "out of range"},
        {{1, 1, {{INT64_MAX, 1}}}, "out of range"},
        {{1, 2, {{10, 100}, {10, 1}}}, "not a multiple"},
        {{1, 2, {{10, 100}, {5, 1}}}, "not a multiple"},
        {{1, 2, {{10, 100}, {25, 1}}}, "not a multiple"},
        {{1, 2, {{10, 11}, {60, 1}}}, "two steps of the next tier (120 s)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {.text = ""};
        enum hale_rc rc = hale_rrd_layout_check(&rows[i].l, &err);
        assert_int_equal(rc, rows[i].text == NULL ? HALE_OK : HALE_E_INVAL);
        if (rows[i].text != NULL && strstr(err.text, rows[i].text) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void test_append_refusals(void **state)
{
    static const struct {
        int64_t start_s;
        size_t n;
    } rows[] = {
        {0, 1}, {-10, 1}, {T0 + 1, 1}, {INT64_MAX / 10 * 10, 1}, {T0, SIZE_MAX / 100},
    };
    struct hale_rrd_cell cells[2] = {{.n = 0}};
    struct hale_err err;
    size_t skipped = 9;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.text[0] = '\0';
        assert_int_equal(hale_rrd_group_append(path, &small, rows[i].start_s, rows[i].n,
                                               cells, &skipped, &err),
                         HALE_E_INVAL);
        assert_non_null(strstr(err.text, "out of range"));
        assert_int_equal(skipped, 0);
    }
    for (int i = 0; i < 3; i++) {
        cells[1] = cell(1);
        *(i == 0 ? &cells[1].sum : i == 1 ? &cells[1].min : &cells[1].max) = NAN;
        assert_int_equal(hale_rrd_group_append(path, &small, T0, 1, cells, NULL, &err),
                         HALE_E_INVAL);
        assert_non_null(strstr(err.text, "step 0, slot 1"));
    }
    cells[1].n = 0; /* then it does not matter */
    assert_int_equal(append(T0, 1, cells), HALE_OK);
    assert_int_equal(append(T0 + 10, 0, cells), HALE_OK); /* nothing to do */
    struct hale_rrd_layout bad = small;
    bad.slots = 0;
    assert_int_equal(hale_rrd_group_append(path, &bad, T0, 1, cells, NULL, &err),
                     HALE_E_INVAL);
    assert_int_equal(
        hale_rrd_group_append("/nonexistent/g", &small, T0, 1, cells, NULL, &err),
        HALE_E_NOTFOUND);
    assert_non_null(strstr(err.source, "/nonexistent/g.sum.rrd"));
    char longer[1100];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(hale_rrd_group_append(longer, &small, T0, 1, cells, NULL, &err),
                     HALE_E_INVAL);
    assert_non_null(strstr(err.text, "longer than"));
}

static void test_missing(void **state)
{
    struct hale_err err;
    struct hale_rrd_rows r;
    int64_t last;
    char name[128];
    (void)state;
    assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_E_NOTFOUND);
    assert_int_equal(hale_rrd_group_fetch(path, &small, 0, T0, T0 + 10, 10, &r, &err),
                     HALE_E_NOTFOUND);
    assert_null(r.cells);
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    append_ok(T0, 3, 1);
    assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_OK);
    assert_int_equal(last, T0 + 30);
    assert_int_equal(hale_rrd_group_fetch(path, &small, 2, T0, T0 + 10, 10, &r, &err),
                     HALE_E_INVAL);
    assert_int_equal(hale_rrd_group_fetch(path, &small, 0, T0, T0, 10, &r, &err),
                     HALE_E_INVAL);
    assert_int_equal(hale_rrd_group_fetch(path, &small, 0, -1, T0, 10, &r, &err),
                     HALE_E_INVAL);
    for (size_t k = 0; k < 3; k++) { /* each of the three is needed */
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[k]);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_E_NOTFOUND);
        assert_int_equal(hale_rrd_group_fetch(path, &small, 0, T0, T0 + 10, 10, &r, &err),
                         HALE_E_NOTFOUND);
        append_ok(T0, 3, 1); /* comes back */
        r = fetch(0, T0, T0 + 100, 10);
        assert_int_equal(r.n, 3);
        assert_int_equal(r.cells[2].n, 1);
        free(r.cells);
    }
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_E_NOTFOUND);
    (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[0]);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_E_IO);
    assert_non_null(strstr(err.text, "cannot remove"));
    assert_int_equal(append(T0, 1, (struct hale_rrd_cell[2]){{.n = 0}}), HALE_E_IO);
    assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_E_IO);
    assert_int_equal(rmdir(name), 0);
}

/* What is wrong with a file is told, with its name; nothing crashes, nothing is changed. */
static void test_damaged(void **state)
{
    static const struct {
        const char *what;
        long at;        /* where bytes are changed; negative: from the end */
        size_t n;       /* how many */
        off_t truncate; /* -1: not */
        enum hale_rc rc;
        const char *text;
    } rows[] = {
        {"empty", 0, 0, 0, HALE_E_IO, "not a round-robin file"},
        {"cut in the first head", 0, 0, 100, HALE_E_IO, "not a round-robin file"},
        {"cut in the definitions", 0, 0, 300, HALE_E_CONFLICT, "another layout"},
        {"cut in the rows", 0, 0, 3000, HALE_E_IO, "bytes instead of"},
        {"longer", 0, 0, 100000, HALE_E_IO, "bytes instead of"},
        {"no cookie", 0, 3, -1, HALE_E_IO, "not a round-robin file"},
        {"names", 130, 10, -1, HALE_E_CONFLICT, "another layout"},
        {"number of data sources", 24, 8, -1, HALE_E_CONFLICT, "another layout"},
        {"notes", 48, 16, -1, HALE_E_IO, "do not fit"},
    };
    struct hale_err err;
    struct hale_rrd_rows r;
    struct hale_rrd_cell cells[2] = {{.n = 0}};
    char name[128];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t k = 0; k < 3; k++) {
            unsigned char junk[64];
            memset(junk, 0xee, sizeof(junk));
            append_ok(T0, 30, 3);
            (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[k]);
            int fd = open(name, O_WRONLY);
            assert_true(fd >= 0);
            assert_int_equal(pwrite(fd, junk, rows[i].n, rows[i].at), rows[i].n);
            if (rows[i].truncate >= 0)
                assert_int_equal(ftruncate(fd, rows[i].truncate), 0);
            assert_int_equal(close(fd), 0);
            for (int call = 0; call < 2; call++) {
                err.text[0] = '\0';
                enum hale_rc rc = call == 0
                                      ? hale_rrd_group_append(path, &small, T0 + 300, 1,
                                                              cells, NULL, &err)
                                      : hale_rrd_group_fetch(path, &small, 0, T0,
                                                             T0 + 300, 10, &r, &err);
                if (rc != rows[i].rc || strstr(err.text, rows[i].text) == NULL ||
                    strstr(err.source, suffixes[k]) == NULL)
                    fail_msg("%s, %s: %d %s: %s", rows[i].what, suffixes[k], rc,
                             err.source, err.text);
            }
            int64_t last = 0; /* must come back, with whatever it can still say */
            enum hale_rc rc = hale_rrd_group_last(path, &last, &err);
            assert_true(rc == HALE_OK ? last == T0 + 300 : rc == HALE_E_IO);
            assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
        }
}

/* Rows are whatever the disk gives back: any bytes are read without harm. */
static void test_damaged_rows(void **state)
{
    struct hale_err err;
    char name[128];
    (void)state;
    for (int fill = 0; fill < 256; fill += 5)
        for (size_t k = 0; k < 3; k++) {
            unsigned char junk[960];
            memset(junk, fill, sizeof(junk));
            append_ok(T0, 60, 3);
            (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[k]);
            int fd = open(name, O_WRONLY);
            assert_true(fd >= 0);
            off_t end = lseek(fd, 0, SEEK_END);
            for (off_t at = 3000; at < end; at += (off_t)sizeof(junk))
                assert_true(pwrite(fd, junk,
                                   end - at < (off_t)sizeof(junk) ? (size_t)(end - at)
                                                                  : sizeof(junk),
                                   at) > 0);
            assert_int_equal(close(fd), 0);
            for (int64_t step = 10; step <= 300; step *= 5) {
                struct hale_rrd_rows r = fetch(0, T0, T0 + 600, step);
                for (size_t i = 0; i < r.n; i++)
                    if (r.cells[i].n > 0)
                        assert_true(isfinite(r.cells[i].sum) &&
                                    isfinite(r.cells[i].min) && isfinite(r.cells[i].max));
                free(r.cells);
            }
            append_ok(T0 + 600, 60, 3); /* consolidates some of it */
            assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
        }
}

static void test_other_layout(void **state)
{
    struct hale_err err;
    struct hale_rrd_rows r;
    struct hale_rrd_cell cells[64] = {{.n = 0}};
    struct hale_rrd_layout others[4] = {small, small, small, small};
    (void)state;
    others[0].slots = 3;
    others[1].n_tiers = 2;
    others[2].tiers[0].rows++;
    others[3].tiers[2].step_s = 600;
    append_ok(T0, 3, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            hale_rrd_group_append(path, &others[i], T0 + 30, 1, cells, NULL, &err),
            HALE_E_CONFLICT);
        assert_int_equal(
            hale_rrd_group_fetch(path, &others[i], 0, T0, T0 + 30, 10, &r, &err),
            HALE_E_CONFLICT);
    }
    append_ok(T0 + 30, 3, 1);
}

static void test_values(void **state)
{
    static const double values[] = {
        0.0,     -0.0,     0.1,  -1e300,  1e-300, 123456789.123456789,
        DBL_MIN, -DBL_MAX, 3.25, DBL_MAX, -0.1,   DBL_TRUE_MIN};
    size_t n = sizeof(values) / sizeof(values[0]);
    struct hale_rrd_cell cells[64];
    (void)state;
    for (size_t i = 0; i < 2 * n; i++)
        cells[i] = cell(i % 2 == 0 ? values[i / 2] : (double)i);
    assert_int_equal(append(T0, n, cells), HALE_OK);
    struct hale_rrd_rows r = fetch(0, T0, T0 + 1000, 10);
    assert_int_equal(r.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(r.cells[i].n, 1);
        assert_true(r.cells[i].sum == values[i] && r.cells[i].min == values[i] &&
                    r.cells[i].max == values[i]);
    }
    free(r.cells);
    r = fetch(1, T0, T0 + 60, 60);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.cells[0].n, 6);
    assert_true(r.cells[0].min == 1 && r.cells[0].max == 11 &&
                fabs(r.cells[0].sum - 36) < 1e-12);
    free(r.cells);
    r = fetch(0, T0 + 60, T0 + 120, 60); /* overflow and back: finite */
    assert_true(isfinite(r.cells[0].sum));
    assert_true(r.cells[0].min == -DBL_MAX && r.cells[0].max == DBL_MAX);
    free(r.cells);
    cells[0] = cell(INFINITY);
    cells[0].min = -INFINITY;
    cells[1] = (struct hale_rrd_cell){.sum = 1, .min = 1, .max = 1, .n = UINT32_MAX};
    for (int64_t i = 0; i < 6; i++)
        assert_int_equal(append(T0 + 120 + i * 10, 1, cells), HALE_OK);
    r = fetch(0, T0 + 120, T0 + 130, 10);
    assert_true(r.cells[0].sum == DBL_MAX && r.cells[0].min == -DBL_MAX);
    free(r.cells);
    r = fetch(1, T0 + 120, T0 + 130, 10);
    assert_int_equal(r.cells[0].n, UINT32_MAX);
    free(r.cells);
    r = fetch(1, T0 + 120, T0 + 180, 60);
    assert_int_equal(r.cells[0].n, UINT32_MAX); /* saturated */
    assert_true(fabs(r.cells[0].sum - 6) < 1e-12);
    free(r.cells);
}

/* Which tier, and which rows of it. */
static void test_tiers(void **state)
{
    static const struct {
        int64_t start, end, step; /* from the end of what is held */
        int64_t found, first;
        size_t n;
    } rows[] = {
        {-600, 0, 10, 10, -600, 60},       {-600, 0, 1, 10, -600, 60},
        {-601, 0, 10, 60, -660, 11},       {-100, 100, 10, 10, -100, 10},
        {-95, -85, 10, 10, -100, 2},       {-600, 0, 11, 60, -600, 10},
        {-600, 0, 61, 300, -600, 2},       {-600, 0, 9999, 300, -600, 2},
        {-1200, 0, 10, 60, -1200, 20},     {-1201, 0, 10, 300, -1500, 5},
        {-3000, 0, 10, 300, -3000, 10},    {-9000, 0, 10, 300, -3000, 10},
        {-9000, -2999, 10, 300, -3000, 1}, {-9000, -3000, 10, 300, 0, 0},
        {10, 100, 10, 10, 0, 0},
    };
    (void)state;
    int64_t last = T0 + 6000;
    append_ok(T0, 600, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_rrd_rows r =
            fetch(0, last + rows[i].start, last + rows[i].end, rows[i].step);
        if (r.step_s != rows[i].found || r.n != rows[i].n ||
            (r.n > 0 && r.start_s != last + rows[i].first))
            fail_msg("row %zu: step %ld, %zu from %ld", i, (long)r.step_s, r.n,
                     (long)(r.start_s - last));
        for (size_t k = 0; k < r.n; k++)
            assert_int_equal(r.cells[k].n, r.step_s / 10);
        free(r.cells);
    }
    /* A young group answers finely, however far back one asks. */
    struct hale_err err;
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    append_ok(T0, 3, 2);
    struct hale_rrd_rows r = fetch(0, T0 - 100000, T0 + 100000, 10);
    assert_int_equal(r.step_s, 10);
    assert_int_equal(r.start_s, T0);
    assert_int_equal(r.n, 3);
    free(r.cells);
}

static void test_silence(void **state)
{
    struct hale_err err;
    struct stat st;
    char name[128];
    (void)state;
    append_ok(T0 + 10, 30, 5);
    append_ok(T0 + 10 + 300 + 60, 3, 7); /* a minute */
    struct hale_rrd_rows r = fetch(0, T0, T0 + 1000, 10);
    assert_int_equal(r.n, 39);
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.cells[i].n, i < 30 || i >= 36);
    free(r.cells);
    r = fetch(0, T0, T0 + 300, 60);
    assert_int_equal(r.cells[0].n, 5); /* begins with half of the first row */
    assert_int_equal(r.cells[1].n, 6);
    free(r.cells);
    /* Three thousand years of nothing are quick, and the old rows are gone. */
    append_ok(T0 + INT64_C(94608000000), 1, 9);
    r = fetch(0, T0, T0 + INT64_C(94608000000) + 10, 10);
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.cells[i].n, 0);
    free(r.cells);
    r = fetch(0, T0 + INT64_C(94608000000), T0 + INT64_C(94608000010), 10);
    assert_int_equal(r.n, 1);
    assert_true(r.cells[0].n == 1 && r.cells[0].sum == 9);
    free(r.cells);
    /* A long silence gives the disk back. */
    static const struct hale_rrd_layout wide = {64, 1, {{1, 10000}}};
    struct hale_rrd_cell *cells = calloc((size_t)64 * 10000, sizeof(*cells));
    assert_non_null(cells);
    for (size_t i = 0; i < (size_t)64 * 10000; i++)
        cells[i] = cell(1);
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    assert_int_equal(hale_rrd_group_append(path, &wide, T0, 10000, cells, NULL, &err),
                     HALE_OK);
    (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[0]);
    assert_int_equal(stat(name, &st), 0);
    assert_true(st.st_blocks * 512 > 10000000);
    assert_int_equal(hale_rrd_group_append(path, &wide, T0 + 50000, 1, cells, NULL, &err),
                     HALE_OK);
    assert_int_equal(stat(name, &st), 0);
    assert_true(st.st_blocks * 512 < 200000);
    free(cells);
}

static void test_sparse(void **state)
{
    struct hale_err err;
    struct stat st;
    char name[128];
    static const struct hale_rrd_layout usual = {
        16, 4, {{10, 8640}, {60, 10080}, {300, 8928}, {3600, 9600}}};
    struct hale_rrd_cell cells[16] = {{.n = 0}};
    (void)state;
    assert_int_equal(hale_rrd_group_append(path, &usual, T0, 1, cells, NULL, &err),
                     HALE_OK);
    for (size_t k = 0; k < 3; k++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[k]);
        assert_int_equal(stat(name, &st), 0);
        assert_true(st.st_size > 4000000);
        assert_true(st.st_blocks * 512 < 64 * 1024);
    }
}

/* A full disk, here a limit of the process: told, not crashed, and gone on with afterwards. */
static void test_no_room(void **state)
{
    struct rlimit was, tight;
    struct hale_err err = {.text = ""};
    struct hale_rrd_cell cells[2] = {{.n = 0}};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 512; bytes < 8192; bytes += 512) {
        tight = was;
        tight.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        enum hale_rc rc = hale_rrd_group_append(path, &small, T0, 1, cells, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
        if (rc == HALE_OK)
            break;
        assert_int_equal(rc, HALE_E_IO);
        assert_non_null(strstr(err.text, "cannot"));
        int64_t last;
        assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_E_NOTFOUND);
    }
    (void)signal(SIGXFSZ, old);
    append_ok(T0, 3, 1);
}

/* Each allocation fails once: told, and the next call completes it. */
static void test_no_memory(void **state)
{
    struct hale_err err;
    struct hale_rrd_rows r;
    struct hale_rrd_cell cells[2] = {{1, 1, 1, 1}, {2, 2, 2, 1}};
    (void)state;
    for (unsigned round = 0; round < 2; round++) { /* creating; reopening */
        enum hale_rc rc = HALE_E_NOMEM;
        unsigned long n = 0;
        while (rc == HALE_E_NOMEM) {
            err.text[0] = '\0';
            fail_alloc_in = ++n;
            rc = hale_rrd_group_append(path, &small, T0 + round * 10, 1, cells, NULL,
                                       &err);
            fail_alloc_in = 0;
            if (rc != HALE_OK)
                assert_non_null(strstr(err.text, "out of memory"));
        }
        assert_int_equal(rc, HALE_OK);
        assert_true(n > 3);
    }
    enum hale_rc rc = HALE_E_NOMEM;
    unsigned long n = 0;
    while (rc == HALE_E_NOMEM) {
        fail_alloc_in = ++n;
        rc = hale_rrd_group_fetch(path, &small, 1, T0, T0 + 100, 10, &r, &err);
        fail_alloc_in = 0;
        assert_true(rc == HALE_OK || r.cells == NULL);
    }
    assert_int_equal(rc, HALE_OK);
    assert_int_equal(n, 6);
    assert_int_equal(r.n, 2);
    assert_true(r.cells != NULL && r.cells[0].sum == 2 && r.cells[1].sum == 2);
    free(r.cells);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        T(test_append_refusals),
        T(test_missing),
        T(test_damaged),
        T(test_damaged_rows),
        T(test_other_layout),
        T(test_values),
        T(test_tiers),
        T(test_silence),
        T(test_sparse),
        T(test_no_room),
        T(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
