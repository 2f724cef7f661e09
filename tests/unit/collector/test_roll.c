/* SPDX-License-Identifier: Apache-2.0 */
/* Samples into steps: each boundary belongs to the step that begins there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/roll.h"

static void add(struct collector_points *p, int64_t time_ms, double value)
{
    const struct collector_sample s = {time_ms, value, {NULL, 0}};
    collector_points_add(p, &s);
}

static void boundaries(void **state)
{
    struct hale_rrd_cell cells[3 * 2] = {0};
    const struct collector_roll_grid grid = {600, 10, 3, 2, 1};
    struct collector_points p;

    (void)state;
    collector_points_init(&p, 100);
    add(&p, 599999, 1); /* before */
    add(&p, 600000, 2);
    add(&p, 609999, 4);
    add(&p, 610000, 8);
    add(&p, 629999, -16);
    add(&p, 630000, 32); /* behind */
    assert_int_equal(collector_roll(&p, &grid, cells), 4);
    assert_true(cells[1].n == 2 && cells[1].sum == 6 && cells[1].min == 2 &&
                cells[1].max == 4);
    assert_true(cells[3].n == 1 && cells[3].sum == 8 && cells[3].min == 8 &&
                cells[3].max == 8);
    assert_true(cells[5].n == 1 && cells[5].max == -16);
    assert_true(cells[0].n == 0 && cells[2].n == 0 && cells[4].n == 0); /* another's */
    collector_points_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(boundaries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
