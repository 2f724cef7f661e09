/* SPDX-License-Identifier: Apache-2.0 */
/* One round-robin file: rows around the ring's end, clearing, what a reopening finds. */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/rrd_group_private.h"

#define T0 INT64_C(1700006400) /* on whole days */

static const struct hale_rrd_layout layout = {2, 2, {{10, 30}, {60, 7}}};
static char dir[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-rrd-file-XXXXXX");
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

static void init(struct hale_rrd_file *f, const struct hale_rrd_layout *l,
                 enum hale_rrd_kind kind)
{
    struct hale_err err;
    assert_int_equal(hale_rrd_file_init(f, path, l, kind, &err), HALE_OK);
    assert_int_equal(f->fd, -1);
}

static void test_create_and_open(void **state)
{
    struct hale_rrd_file f;
    struct hale_err err;
    struct stat st;
    char name[128];
    (void)state;
    init(&f, &layout, HALE_RRD_KIND_MAX);
    assert_int_equal(hale_rrd_file_open(&f, true, &err), HALE_E_NOTFOUND);
    assert_int_equal(f.fd, -1);
    (void)snprintf(name, sizeof(name), "%s.max.rrd.new", path);
    FILE *left = fopen(name, "w"); /* of a killed creation */
    assert_non_null(left);
    assert_int_equal(fclose(left), 0);
    assert_int_equal(hale_rrd_file_create(&f, T0, &err), HALE_OK);
    assert_int_not_equal(stat(name, &st), 0);
    (void)snprintf(name, sizeof(name), "%s.max.rrd", path);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_size, f.bytes);
    assert_int_equal(st.st_mode & 0137, 0);
    assert_int_equal(hale_rrd_file_intend(&f, T0 + 50, &err), HALE_OK);
    assert_int_equal(hale_rrd_file_intend(&f, T0 + 20, &err), HALE_OK); /* never back */
    assert_int_equal(hale_rrd_file_note_gap(&f, T0, T0 + 10, &err), HALE_OK);
    assert_int_equal(hale_rrd_file_commit(&f, T0 + 30, &err), HALE_OK);
    hale_rrd_file_close(&f);
    hale_rrd_file_close(&f); /* twice is once */
    init(&f, &layout, HALE_RRD_KIND_MAX);
    assert_int_equal(hale_rrd_file_open(&f, false, &err), HALE_OK);
    assert_int_equal(f.state.first_s, T0);
    assert_int_equal(f.state.last_s, T0 + 30);
    assert_int_equal(f.state.intent_s, T0 + 50);
    assert_int_equal(f.state.gap_from_s, T0);
    assert_int_equal(f.state.gap_to_s, T0 + 10);
    assert_int_equal(hale_rrd_file_begin(&f, 0), T0 + 50 - 300);
    assert_int_equal(hale_rrd_file_begin(&f, 1), T0 - 420);
    /* Opened for reading only: writing is an error, not an accident. */
    assert_int_equal(hale_rrd_file_commit(&f, T0 + 40, &err), HALE_E_IO);
    assert_non_null(strstr(err.text, "cannot write"));
    assert_int_equal(hale_rrd_file_clear(&f, 0, T0, T0 + 10, &err), HALE_E_IO);
    hale_rrd_file_close(&f);
}

static void test_ring(void **state)
{
    struct hale_rrd_file f;
    struct hale_err err;
    double rows[30][4];
    double got[30][4];
    (void)state;
    init(&f, &layout, HALE_RRD_KIND_SUM);
    assert_int_equal(f.columns, 4);
    assert_int_equal(hale_rrd_file_create(&f, T0, &err), HALE_OK);
    for (size_t i = 0; i < 120; i++)
        rows[i / 4][i % 4] = (double)i + 1;
    for (int64_t t = T0; t < T0 + 310; t += 10) { /* every place of the ring's end */
        assert_int_equal(hale_rrd_file_write(&f, 0, t, 30, rows[0], &err), HALE_OK);
        memset(got, 0, sizeof(got));
        assert_int_equal(hale_rrd_file_read(&f, 0, t, 30, got[0], &err), HALE_OK);
        assert_memory_equal(got, rows, sizeof(rows));
        assert_int_equal(hale_rrd_file_read(&f, 0, t + 250, 5, got[0], &err), HALE_OK);
        assert_memory_equal(got, rows[25], 5 * sizeof(rows[0]));
        assert_int_equal(hale_rrd_file_clear(&f, 0, t + 30, t + 200, &err), HALE_OK);
        assert_int_equal(hale_rrd_file_read(&f, 0, t, 30, got[0], &err), HALE_OK);
        for (size_t i = 0; i < 30; i++)
            assert_true(got[i][3] == (i >= 3 && i < 20 ? 0 : rows[i][3]));
        /* More than a ring is a ring; backwards is nothing. */
        assert_int_equal(hale_rrd_file_clear(&f, 0, t, t - 50, &err), HALE_OK);
        assert_int_equal(hale_rrd_file_read(&f, 0, t, 1, got[0], &err), HALE_OK);
        assert_true(got[0][0] == 1);
        assert_int_equal(hale_rrd_file_clear(&f, 0, t, t + 100000000, &err), HALE_OK);
        assert_int_equal(hale_rrd_file_read(&f, 0, t, 30, got[0], &err), HALE_OK);
        for (size_t i = 0; i < 120; i++)
            assert_true(got[i / 4][i % 4] == 0);
    }
    /* The tiers do not overlap. */
    assert_int_equal(hale_rrd_file_write(&f, 1, T0, 7, rows[0], &err), HALE_OK);
    assert_int_equal(hale_rrd_file_read(&f, 0, T0, 30, got[0], &err), HALE_OK);
    for (size_t i = 0; i < 120; i++)
        assert_true(got[i / 4][i % 4] == 0);
    assert_int_equal(hale_rrd_file_clear(&f, 0, T0, T0 + 300, &err), HALE_OK);
    assert_int_equal(hale_rrd_file_read(&f, 1, T0, 7, got[0], &err), HALE_OK);
    assert_memory_equal(got, rows, 7 * sizeof(rows[0]));
    hale_rrd_file_close(&f);
}

/* Large pieces become holes and their neighbours stay. */
static void test_holes(void **state)
{
    static const struct hale_rrd_layout wide = {64, 1, {{1, 1000}}};
    static double rows[1000][128];
    static double got[1000][128];
    struct hale_rrd_file f;
    struct hale_err err;
    struct stat before, after;
    (void)state;
    for (size_t i = 0; i < (size_t)1000 * 128; i++)
        rows[i / 128][i % 128] = (double)i + 1;
    init(&f, &wide, HALE_RRD_KIND_SUM);
    assert_int_equal(hale_rrd_file_create(&f, T0, &err), HALE_OK);
    assert_int_equal(hale_rrd_file_write(&f, 0, T0, 1000, rows[0], &err), HALE_OK);
    assert_int_equal(fstat(f.fd, &before), 0);
    assert_int_equal(hale_rrd_file_clear(&f, 0, T0 + 101, T0 + 899, &err), HALE_OK);
    assert_int_equal(fstat(f.fd, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_true(after.st_blocks < before.st_blocks / 2);
    assert_int_equal(hale_rrd_file_read(&f, 0, T0, 1000, got[0], &err), HALE_OK);
    for (size_t i = 0; i < 1000; i++)
        for (size_t c = 0; c < 128; c++)
            assert_true(got[i][c] == (i >= 101 && i < 899 ? 0 : rows[i][c]));
    /* Cut off while it is open. */
    assert_int_equal(ftruncate(f.fd, 5000), 0);
    assert_int_equal(hale_rrd_file_read(&f, 0, T0, 1000, got[0], &err), HALE_E_IO);
    assert_non_null(strstr(err.text, "cut off"));
    hale_rrd_file_close(&f);
}

static void test_values(void **state)
{
    (void)state;
    assert_false(hale_rrd_extreme_known(0.0));
    assert_false(hale_rrd_extreme_known((double)NAN));
    assert_true(hale_rrd_extreme_known(-0.0));
    assert_true(hale_rrd_extreme_known(-1e-320));
    assert_true(hale_rrd_finite((double)INFINITY) == DBL_MAX);
    assert_true(hale_rrd_finite(-(double)INFINITY) == -DBL_MAX);
    assert_true(hale_rrd_finite((double)NAN) == 0);
    assert_true(hale_rrd_finite(2.5) == 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_and_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
