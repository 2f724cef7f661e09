/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the store: there already, in time, too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "collector/progress.h"

static void *advance(void *arg)
{
    for (uint64_t seq = 0; seq <= 1000; seq++)
        collector_progress_set(arg, 1, (struct hale_stream_id){10, seq});
    return NULL;
}

static void waits(void **state)
{
    struct collector_progress *p = collector_progress_new();
    pthread_t thread;

    (void)state;
    collector_progress_set(p, 0, (struct hale_stream_id){5, 7});
    assert_int_equal(collector_progress_wait(p, 0, (struct hale_stream_id){5, 7}, 0),
                     HALE_OK);
    assert_int_equal(collector_progress_wait(p, 0, (struct hale_stream_id){5, 8}, 1),
                     HALE_E_AGAIN);
    assert_int_equal(collector_progress_wait(p, 1, (struct hale_stream_id){1, 0}, 1),
                     HALE_E_AGAIN);
    assert_int_equal(pthread_create(&thread, NULL, advance, p), 0);
    assert_int_equal(
        collector_progress_wait(p, 1, (struct hale_stream_id){10, 1000}, 60000), HALE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    collector_progress_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
