/* SPDX-License-Identifier: Apache-2.0 */
/* RRDtool's library reads our files as we do, and would have written the same values. */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rrd.h>

#include "store/rrd_group.h"

#define T0    INT64_C(1700006400) /* on whole days */
#define STEPS 1000

static const struct hale_rrd_layout layout = {3, 3, {{10, 300}, {60, 100}, {600, 30}}};
static const char *const cf[] = {"AVERAGE", "MIN", "MAX"};
static const char *const suffixes[] = {".sum.rrd", ".min.rrd", ".max.rrd"};

static char dir[64];
static char path[96];
static struct hale_rrd_cell cells[STEPS][3];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-rrd-fetch-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/g", dir);
    for (size_t i = 0; i < STEPS; i++)
        for (size_t s = 0; s < 3; s++) {
            double v = (double)((i * 7919 + s * 104729) % 2003) / 8 - 100;
            cells[i][s] = (struct hale_rrd_cell){.n = (uint32_t)((i / 3 + s) % 4)};
            if (cells[i][s].n > 0)
                cells[i][s] = (struct hale_rrd_cell){.sum = v * cells[i][s].n,
                                                     .min = v - 1,
                                                     .max = v + 1,
                                                     .n = cells[i][s].n};
        }
    return 0;
}

static int teardown(void **state)
{
    struct hale_err err;
    (void)state;
    return hale_rrd_group_remove(path, &err) == HALE_OK ? rmdir(dir) : -1;
}

/* The same samples by librrd alone, into a file of its own. */
static void by_librrd(const char *name, int kind)
{
    static char text[STEPS][400];
    const char *args[STEPS];
    char def[9][64];
    int n = 0;
    for (int c = 0; c < (kind == 0 ? 6 : 3); c++)
        (void)snprintf(def[n++], 64, "DS:v%d:GAUGE:20:U:U", c);
    for (unsigned t = 0; t < layout.n_tiers; t++)
        (void)snprintf(def[n++], 64, "RRA:%s:0.999:%ld:%ld", cf[kind],
                       (long)(layout.tiers[t].step_s / 10), (long)layout.tiers[t].rows);
    for (int i = 0; i < n; i++)
        args[i] = def[i];
    assert_int_equal(rrd_create_r2(name, 10, T0, 0, NULL, NULL, n, args), 0);
    for (size_t i = 0; i < STEPS; i++) {
        int at =
            snprintf(text[i], sizeof(text[i]), "%ld", (long)(T0 + ((long)i + 1) * 10));
        for (size_t s = 0; s < 3; s++) {
            const struct hale_rrd_cell *c = &cells[i][s];
            size_t left = sizeof(text[i]) - (size_t)at;
            if (kind == 0)
                at += snprintf(text[i] + at, left, ":%.17g:%u", c->sum, c->n);
            else if (c->n == 0)
                at += snprintf(text[i] + at, left, ":U");
            else
                at += snprintf(text[i] + at, left, ":%.17g", kind == 1 ? c->min : c->max);
        }
        args[i] = text[i];
    }
    if (rrd_updatex_r(name, NULL, 0, STEPS, args) != 0)
        fail_msg("%s", rrd_get_error());
}

struct table {
    time_t from, to;
    unsigned long step, columns;
    char **names;
    rrd_value_t *values;
};

static struct table read_by_librrd(const char *name, int kind, int64_t step)
{
    struct table t = {T0, T0 + STEPS * 10, (unsigned long)step, 0, NULL, NULL};
    /* The oldest row that each tier still has. */
    for (unsigned i = 0; i < layout.n_tiers; i++)
        if (layout.tiers[i].step_s == step) {
            int64_t end = (T0 + STEPS * 10) / step * step;
            t.from = (time_t)(end - step * layout.tiers[i].rows);
            if (t.from < T0)
                t.from = T0;
        }
    if (rrd_fetch_r(name, cf[kind], &t.from, &t.to, &t.step, &t.columns, &t.names,
                    &t.values) != 0)
        fail_msg("%s: %s", name, rrd_get_error());
    assert_int_equal(t.step, step);
    return t;
}

static void free_table(struct table *t)
{
    for (unsigned long c = 0; c < t->columns; c++)
        rrd_freemem(t->names[c]);
    rrd_freemem(t->names);
    rrd_freemem(t->values);
}

static double picked(const struct hale_rrd_cell *c, int kind, unsigned long column,
                     double steps)
{
    if (kind == 0)
        return (column % 2 == 0 ? c->sum : c->n) / steps;
    return c->n == 0 ? (double)NAN : kind == 1 ? c->min : c->max;
}

static void test_as_librrd(void **state)
{
    char name[128], other[128];
    struct hale_err err;
    (void)state;
    assert_int_equal(
        hale_rrd_group_append(path, &layout, T0, STEPS, cells[0], NULL, &err), HALE_OK);
    for (int kind = 0; kind < 3; kind++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[kind]);
        (void)snprintf(other, sizeof(other), "%s/other.rrd", dir);
        by_librrd(other, kind);
        assert_int_equal(rrd_last_r(name), T0 + STEPS * 10);
        for (unsigned tier = 0; tier < layout.n_tiers; tier++) {
            int64_t step = layout.tiers[tier].step_s;
            struct table ours = read_by_librrd(name, kind, step);
            struct table theirs = read_by_librrd(other, kind, step);
            assert_int_equal(ours.columns, kind == 0 ? 6 : 3);
            assert_int_equal(ours.from, theirs.from);
            assert_int_equal(ours.to, theirs.to);
            for (unsigned long c = 0; c < ours.columns; c++) {
                struct hale_rrd_rows r;
                assert_int_equal(
                    hale_rrd_group_fetch(path, &layout, (unsigned)(kind == 0 ? c / 2 : c),
                                         ours.from, T0 + STEPS * 10, step, &r, &err),
                    HALE_OK);
                assert_int_equal(r.start_s, ours.from);
                assert_int_equal(r.step_s, step);
                assert_true(r.n >= 16);
                for (size_t i = 0; i < r.n; i++) {
                    double a = ours.values[i * ours.columns + c];
                    double b = theirs.values[i * ours.columns + c];
                    double d = picked(&r.cells[i], kind, c, (double)step / 10);
                    if (isnan(a) ? !isnan(b) || !isnan(d)
                                 : !(fabs(a - b) < 1e-9) || !(fabs(a - d) < 1e-9))
                        fail_msg(
                            "%s step %ld row %zu column %lu: %g, librrd %g, fetch %g",
                            cf[kind], (long)step, i, c, a, b, d);
                }
                free(r.cells);
            }
            free_table(&ours);
            free_table(&theirs);
        }
        assert_int_equal(unlink(other), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_librrd, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
