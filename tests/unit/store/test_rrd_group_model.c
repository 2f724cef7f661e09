/* SPDX-License-Identifier: Apache-2.0 */
/* Groups against a plain model in memory: random layouts, appends with gaps, repeats, files set
 * back as a kill between them leaves them, and a writer that is really killed. */
#include "support/cmocka.h"

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/rrd_group.h"

#define T0       INT64_C(1700006400) /* on whole days */
#define N_STEPS  6000                /* the model's memory, base steps */
#define SLOTS    5
#define N_KINDS  3
#define FILE_MAX (4 << 20)

static const char *const suffixes[N_KINDS] = {".sum.rrd", ".min.rrd", ".max.rrd"};

static char dir[64];
static char path[96];
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed * UINT64_C(0x2545F4914F6CDD1D) >> 11) % below;
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-rrd-model-XXXXXX");
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

/* --- the model: every base step, nothing consolidated, nothing forgotten --- */

struct model {
    struct hale_rrd_layout l;
    int64_t first[N_KINDS], last[N_KINDS],
        top[N_KINDS]; /* of each file; first 0: no file */
    struct hale_rrd_cell cells[N_STEPS][SLOTS];
    unsigned char
        *files[N_KINDS]; /* as they were before the last append; NULL: not there */
    size_t lengths[N_KINDS];
    int64_t old_first[N_KINDS], old_last[N_KINDS], old_top[N_KINDS];
};

static int64_t base_of(const struct model *m)
{
    return m->l.tiers[0].step_s;
}

static size_t index_of(const struct model *m, int64_t t)
{
    int64_t i = (t - T0) / base_of(m);
    assert_true(i >= 0 && i < N_STEPS);
    return (size_t)i;
}

static int64_t held(const struct model *m)
{
    int64_t least = INT64_MAX;
    for (int k = 0; k < N_KINDS; k++)
        if (m->first[k] > 0 && m->last[k] < least)
            least = m->last[k];
    return least;
}

static bool whole(const struct model *m)
{
    return m->first[0] > 0 && m->first[1] > 0 && m->first[2] > 0;
}

static void model_append(struct model *m, int64_t start_s, size_t n,
                         const struct hale_rrd_cell *cells)
{
    int64_t end_s = start_s + (int64_t)n * base_of(m);
    int64_t from_s = held(m) < start_s ? held(m) : start_s;
    bool gap = from_s < start_s;
    if (held(m) == INT64_MAX) /* no file at all, perhaps not any more */
        memset(m->cells, 0, sizeof(m->cells));
    for (int64_t t = from_s; t < start_s; t += base_of(m))
        memset(m->cells[index_of(m, t)], 0, sizeof(m->cells[0]));
    for (int k = 0; k < N_KINDS; k++) {
        if (m->first[k] == 0)
            m->first[k] = m->last[k] = m->top[k] = from_s;
        if (gap || m->last[k] < end_s)
            m->last[k] = end_s;
        if (m->last[k] > m->top[k])
            m->top[k] = m->last[k];
    }
    for (size_t i = 0; i < n; i++)
        memcpy(m->cells[index_of(m, start_s) + i], cells + i * m->l.slots,
               m->l.slots * sizeof(*cells));
}

static struct hale_rrd_cell model_row(const struct model *m, unsigned slot,
                                      int64_t start_s, int64_t step_s)
{
    struct hale_rrd_cell r = {.n = 0};
    for (int64_t t = start_s < T0 ? T0 : start_s; t < start_s + step_s; t += base_of(m)) {
        const struct hale_rrd_cell *c = &m->cells[index_of(m, t)][slot];
        if (c->n == 0)
            continue;
        r.min = r.n == 0 || c->min < r.min ? c->min : r.min;
        r.max = r.n == 0 || c->max > r.max ? c->max : r.max;
        r.sum += c->sum;
        r.n += c->n;
    }
    return r;
}

static int64_t down(int64_t t, int64_t step_s)
{
    return t / step_s * step_s;
}

static int64_t most(const int64_t of[N_KINDS])
{
    int64_t m = of[0] > of[1] ? of[0] : of[1];
    return m > of[2] ? m : of[2];
}

/* First row of the tier that is of all three files. */
static int64_t first_row(const struct model *m, int64_t step_s)
{
    bool together = m->first[0] == m->first[1] && m->first[1] == m->first[2];
    return down(most(m->first) + (together ? 0 : step_s - 1), step_s);
}

static int64_t ring_begin(const struct model *m, unsigned t)
{
    const struct hale_rrd_tier *tier = &m->l.tiers[t];
    return down(most(m->top), tier->step_s) - tier->rows * tier->step_s;
}

static unsigned model_choose(const struct model *m, int64_t start_s, int64_t step_s)
{
    unsigned first = 0;
    while (first + 1 < m->l.n_tiers && m->l.tiers[first].step_s < step_s)
        first++;
    for (unsigned t = first; t < m->l.n_tiers; t++)
        if (ring_begin(m, t) <= start_s ||
            ring_begin(m, t) <= first_row(m, m->l.tiers[t].step_s))
            return t;
    unsigned best = first;
    for (unsigned t = first; t < m->l.n_tiers; t++)
        if (ring_begin(m, t) < ring_begin(m, best))
            best = t;
    return best;
}

static void compare(const struct model *m, unsigned slot, int64_t start_s, int64_t end_s,
                    int64_t step_s)
{
    struct hale_err err;
    struct hale_rrd_rows got, sums;
    unsigned t = model_choose(m, start_s, step_s);
    int64_t step = m->l.tiers[t].step_s;
    int64_t from = ring_begin(m, t);
    int64_t to = down(held(m), step);
    if (from < first_row(m, step))
        from = first_row(m, step);
    if (from < start_s)
        from = down(start_s, step);
    if (to > end_s)
        to = down(end_s + step - 1, step);
    if (hale_rrd_group_fetch(path, &m->l, slot, start_s, end_s, step_s, &got, &err) !=
        HALE_OK)
        fail_msg("%s: %s", err.source, err.text);
    if (hale_rrd_group_fetch_sums(path, &m->l, slot, start_s, end_s, step_s, &sums,
                                  &err) != HALE_OK)
        fail_msg("%s: %s", err.source, err.text);
    assert_true(sums.step_s == got.step_s && sums.n == got.n &&
                sums.start_s == got.start_s);
    for (size_t i = 0; i < got.n; i++)
        assert_true(sums.cells[i].n == got.cells[i].n &&
                    sums.cells[i].sum == got.cells[i].sum && sums.cells[i].min == 0 &&
                    sums.cells[i].max == 0);
    free(sums.cells);
    assert_int_equal(got.step_s, step);
    assert_int_equal(got.n, to > from ? (to - from) / step : 0);
    if (got.n > 0)
        assert_int_equal(got.start_s, from);
    for (size_t i = 0; i < got.n; i++) {
        struct hale_rrd_cell want = model_row(m, slot, from + (int64_t)i * step, step);
        struct hale_rrd_cell *c = &got.cells[i];
        if (c->n != want.n || (c->n > 0 && (c->min != want.min || c->max != want.max)) ||
            fabs(c->sum - want.sum) > 1e-8)
            fail_msg(
                "slot %u step %ld row %zu of %zu: %u %.17g %.17g %.17g, want %u %.17g "
                "%.17g %.17g",
                slot, (long)step, i, got.n, c->n, c->sum, c->min, c->max, want.n,
                want.sum, want.min, want.max);
    }
    free(got.cells);
}

static void compare_all(const struct model *m)
{
    struct hale_err err;
    int64_t last = 0;
    assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_OK);
    assert_int_equal(last, held(m));
    for (unsigned s = 0; s < m->l.slots; s++) {
        for (unsigned t = 0; t < m->l.n_tiers; t++) { /* each tier, all of it */
            int64_t begin = ring_begin(m, t);
            if (begin <= last)
                compare(m, s, begin, last + 1, m->l.tiers[t].step_s);
        }
        for (int i = 0; i < 3; i++) { /* anything */
            int64_t a = T0 - 1000 + (int64_t)draw((uint64_t)(last - T0) + 2000);
            compare(m, s, a, a + 1 + (int64_t)draw(5000), 1 + (int64_t)draw(2000));
        }
    }
}

/* --- files as they were --- */

static void file_name(char *dst, size_t size, int kind)
{
    (void)snprintf(dst, size, "%s%s", path, suffixes[kind]);
}

static void keep(struct model *m)
{
    char name[128];
    for (int k = 0; k < N_KINDS; k++) {
        file_name(name, sizeof(name), k);
        free(m->files[k]);
        m->files[k] = NULL;
        FILE *f = fopen(name, "rb");
        if (f != NULL) {
            m->files[k] = malloc(FILE_MAX);
            assert_non_null(m->files[k]);
            m->lengths[k] = fread(m->files[k], 1, FILE_MAX, f);
            assert_true(m->lengths[k] < FILE_MAX);
            assert_int_equal(fclose(f), 0);
        }
    }
    memcpy(m->old_first, m->first, sizeof(m->first));
    memcpy(m->old_last, m->last, sizeof(m->last));
    memcpy(m->old_top, m->top, sizeof(m->top));
}

static void set_back(struct model *m, int k)
{
    char name[128];
    file_name(name, sizeof(name), k);
    assert_int_equal(unlink(name), 0);
    m->first[k] = m->old_first[k];
    m->last[k] = m->old_last[k];
    m->top[k] = m->old_top[k];
    if (m->files[k] == NULL)
        return;
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(m->files[k], 1, m->lengths[k], f), m->lengths[k]);
    assert_int_equal(fclose(f), 0);
}

/* As a kill leaves them: the files that were behind are written last. */
static void set_back_end(struct model *m)
{
    bool back[N_KINDS] = {false};
    for (uint64_t n = 1 + draw(N_KINDS); n > 0; n--) {
        int least = -1;
        for (int k = N_KINDS - 1; k >= 0; k--)
            if (!back[k] && (least < 0 || m->old_last[k] < m->old_last[least]))
                least = k;
        back[least] = true;
        set_back(m, least);
    }
}

/* --- the walk --- */

static void random_layout(struct hale_rrd_layout *l)
{
    static const int64_t bases[] = {1, 2, 10, 15};
    struct hale_err err;
    *l = (struct hale_rrd_layout){.slots = 1 + (unsigned)draw(SLOTS),
                                  .n_tiers = 1 + (unsigned)draw(4)};
    int64_t step = bases[draw(4)];
    for (unsigned t = 0; t < l->n_tiers; t++) {
        int64_t ratio = 2 + (int64_t)draw(7);
        l->tiers[t].step_s = step;
        l->tiers[t].rows = 2 * ratio + (int64_t)draw(draw(2) == 0 ? 5 : 300);
        step *= ratio;
    }
    assert_int_equal(hale_rrd_layout_check(l, &err), HALE_OK);
}

static void random_cells(const struct hale_rrd_layout *l, size_t n,
                         struct hale_rrd_cell *c)
{
    for (size_t i = 0; i < n * l->slots; i++) {
        c[i] = (struct hale_rrd_cell){.sum = NAN, .min = 7, .max = -7};
        unsigned n_samples =
            draw(3) == 0 ? 0 : 1 + (unsigned)draw(draw(2) == 0 ? 3 : 100000);
        for (unsigned s = 0; s < n_samples && s < 4; s++) {
            double v = draw(4) == 0 ? 0.0 : ((double)draw(2000000) - 1e6) / 1000.0;
            c[i].sum = s == 0 ? v : c[i].sum + v;
            c[i].min = s == 0 || v < c[i].min ? v : c[i].min;
            c[i].max = s == 0 || v > c[i].max ? v : c[i].max;
        }
        c[i].n = n_samples;
    }
}

static void append(struct model *m, int64_t start_s, size_t n,
                   const struct hale_rrd_cell *cells)
{
    struct hale_err err;
    size_t skipped = 99;
    int64_t before = held(m);
    bool all = whole(m);
    if (hale_rrd_group_append(path, &m->l, start_s, n, cells, &skipped, &err) != HALE_OK)
        fail_msg("%s: %s", err.source, err.text);
    size_t want = all && before > start_s ? (size_t)((before - start_s) / base_of(m)) : 0;
    assert_int_equal(skipped, want < n ? want : n);
    model_append(m, start_s, n, cells);
}

/* A file is so far ahead of another that it has overwritten what the row of a coarser tier under way
 * at the end of what all hold is made of: without the repeat that row is lost. */
static bool overtaken(const struct model *m)
{
    for (unsigned t = 1; t < m->l.n_tiers; t++)
        if (ring_begin(m, t - 1) > down(held(m), m->l.tiers[t].step_s))
            return true;
    return false;
}

static void walk(uint64_t number)
{
    static struct hale_rrd_cell cells[2000 * SLOTS];
    struct model *m = calloc(1, sizeof(*m));
    struct hale_err err;
    assert_non_null(m);
    seed = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
    random_layout(&m->l);
    int64_t next = T0 + (int64_t)draw(200) * base_of(m);
    int64_t end = T0 + (N_STEPS - 100) * base_of(m);
    for (int round = 0; round < 60; round++) {
        uint64_t gap = draw(3) != 0 ? 0 : draw(draw(4) == 0 ? 1500 : 50);
        size_t n = 1 + (size_t)draw(draw(5) == 0 ? 900 : 60);
        next += (int64_t)gap * base_of(m);
        if (next + (int64_t)n * base_of(m) > end)
            break;
        random_cells(&m->l, n, cells);
        keep(m);
        /* Steps that not all files have and that are not repeated are given up; while that is under
         * way the files do not fit each other. */
        bool lossy = held(m) < next && held(m) < most(m->last);
        append(m, next, n, cells);
        /* Killed: some files are as they were before; then the same again, or not. */
        if (draw(3) == 0) {
            if (lossy)
                set_back_end(m);
            for (int k = 0; k < N_KINDS && !lossy; k++)
                if (draw(2) == 0)
                    set_back(m, k);
            if (whole(m) && !lossy)
                compare_all(m);
            if (draw(3) != 0 || overtaken(m))
                append(m, next, n, cells);
        } else if (draw(4) == 0) {
            append(m, next, n, cells); /* a plain repeat */
        }
        next += (int64_t)n * base_of(m);
        if (whole(m) &&
            !(lossy && m->last[0] + m->last[1] + m->last[2] < 3 * most(m->last)))
            compare_all(m);
    }
    assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    for (int k = 0; k < N_KINDS; k++)
        free(m->files[k]);
    free(m);
}

static void test_walks(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 60; i++)
        walk(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_walks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
