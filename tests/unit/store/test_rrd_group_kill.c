/* SPDX-License-Identifier: Apache-2.0 */
/* Groups under kill -9, and under several threads. */
#include "support/cmocka.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/rrd_group.h"

#define T0 INT64_C(1700006400) /* on whole days */

static const struct hale_rrd_layout small = {2, 3, {{10, 60}, {60, 20}, {300, 10}}};

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

static enum hale_rc append(int64_t start_s, size_t n, const struct hale_rrd_cell *cells)
{
    struct hale_err err;
    return hale_rrd_group_append(path, &small, start_s, n, cells, NULL, &err);
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

#define KILL_STEPS 30 /* a call */

static void kill_cells(int64_t start_s, struct hale_rrd_cell *cells)
{
    for (int64_t i = 0; i < KILL_STEPS; i++)
        for (int64_t s = 0; s < 2; s++) {
            int64_t v = (start_s / 10 + i) * (s + 1) % 1009;
            cells[i * 2 + s] = (struct hale_rrd_cell){
                .sum = (double)v * 3, .min = (double)v, .max = (double)(v + s), .n = 3};
        }
}

static void write_for_ever(int told)
{
    struct hale_rrd_cell cells[KILL_STEPS * 2];
    for (int64_t t = T0;; t += KILL_STEPS * 10) {
        kill_cells(t, cells);
        if (append(t, KILL_STEPS, cells) != HALE_OK ||
            write(told, &t, sizeof(t)) != (ssize_t)sizeof(t))
            _exit(1);
    }
}

static void check_rows(int64_t last_s)
{
    struct hale_rrd_cell cells[KILL_STEPS * 2];
    for (unsigned slot = 0; slot < 2; slot++)
        for (unsigned t = 0; t < 3; t++) {
            int64_t step = small.tiers[t].step_s;
            struct hale_rrd_rows r = fetch(slot, last_s - 600, last_s, step);
            step =
                r.step_s; /* coarser when the killed call had already begun to overwrite */
            for (size_t i = 0; i < r.n; i++) {
                struct hale_rrd_cell want = {.n = 0};
                for (int64_t at = r.start_s + (int64_t)i * step, k = 0; k < step / 10;
                     k++) {
                    kill_cells(at + k * 10, cells);
                    want.n += cells[slot].n;
                    want.sum += cells[slot].sum;
                    want.min =
                        k == 0 || cells[slot].min < want.min ? cells[slot].min : want.min;
                    want.max =
                        k == 0 || cells[slot].max > want.max ? cells[slot].max : want.max;
                }
                assert_int_equal(r.cells[i].n, want.n);
                assert_true(fabs(r.cells[i].sum - want.sum) < 1e-6);
                assert_true(r.cells[i].min == want.min && r.cells[i].max == want.max);
            }
            free(r.cells);
        }
}

static void test_kill(void **state)
{
    struct hale_err err;
    struct hale_rrd_cell cells[KILL_STEPS * 2];
    (void)state;
    for (int round = 0; round < 150; round++) {
        int told[2];
        int64_t t = 0, last = 0;
        assert_int_equal(pipe(told), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(told[0]);
            write_for_ever(told[1]);
        }
        (void)close(told[1]);
        for (int i = 0; i <= round % 40; i++)
            assert_int_equal(read(told[0], &t, sizeof(t)), sizeof(t));
        for (volatile int spin = 0; spin < round * 397 % 20000; spin++)
            ;
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(told[0], &t, sizeof(t)) == (ssize_t)sizeof(t))
            ;
        (void)close(told[0]);
        assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_OK);
        assert_true(last >= t + KILL_STEPS * 10); /* nothing that was told is lost */
        check_rows(last);
        for (int i = 0; i < 2; i++) { /* the call that was under way, and one more */
            t += KILL_STEPS * 10;
            kill_cells(t, cells);
            assert_int_equal(append(t, KILL_STEPS, cells), HALE_OK);
        }
        assert_int_equal(hale_rrd_group_last(path, &last, &err), HALE_OK);
        assert_int_equal(last, t + KILL_STEPS * 10);
        check_rows(last);
        assert_int_equal(hale_rrd_group_remove(path, &err), HALE_OK);
    }
}

static void *own_group(void *arg)
{
    char mine[128];
    struct hale_err err;
    struct hale_rrd_cell cells[2] = {{.n = 0}, {1, 1, 1, 1}};
    (void)snprintf(mine, sizeof(mine), "%s.%u", path, *(unsigned *)arg);
    bool ok = true;
    for (int64_t i = 0; i < 200 && ok; i++) {
        struct hale_rrd_rows r = {.n = 0};
        ok = hale_rrd_group_append(mine, &small, T0 + i * 10, 1, cells, NULL, &err) ==
                 HALE_OK &&
             hale_rrd_group_fetch(mine, &small, 1, T0 + i * 10, T0 + 10000, 10, &r,
                                  &err) == HALE_OK &&
             r.n == 1 && r.cells[0].n == 1;
        free(r.cells);
    }
    ok = hale_rrd_group_remove(mine, &err) == HALE_OK && ok;
    return ok ? arg : NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    unsigned ids[4] = {0, 1, 2, 3};
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, own_group, &ids[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *ok = NULL;
        assert_int_equal(pthread_join(threads[i], &ok), 0);
        assert_ptr_equal(ok, &ids[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
