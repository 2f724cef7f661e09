/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk is in time for an arrival exactly before its deadline, with and without grace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/lateness.h"

#define CHUNK COLLECTOR_CHUNK_MS

static void deadline_and_first_agree(void **state)
{
    static const struct collector_lateness RULES[] = {
        {1800000, 0, 0},
        {1, 0, 0},
        {1800000, 100 * (int64_t)CHUNK + 17, 80},
        {600000, 100 * (int64_t)CHUNK, 99},
        {7 * (int64_t)CHUNK + 1, 100 * (int64_t)CHUNK + 599999, 50},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(RULES) / sizeof(RULES[0]); r++) {
        const struct collector_lateness *l = &RULES[r];
        for (int64_t chunk = -3; chunk < 130; chunk++) {
            int64_t deadline = collector_lateness_deadline(l, chunk);
            for (int64_t arrival = 60 * (int64_t)CHUNK; arrival < 130 * (int64_t)CHUNK;
                 arrival += 59999) {
                /* Before grace began its rule did not hold yet. */
                if (l->grace_ms != 0 && arrival < l->grace_ms && chunk > l->grace_chunk)
                    continue;
                bool in_time = chunk >= collector_lateness_first(l, arrival);
                assert_true(in_time == (arrival < deadline));
            }
            assert_true(chunk >= collector_lateness_first(l, deadline - 1));
            assert_true(chunk < collector_lateness_first(l, deadline));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(deadline_and_first_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
