/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"

static struct hale_counter table[] = {
    HALE_COUNTER_INIT("hale_test_requests_total", "code=\"2xx\"", "Requests answered."),
    HALE_COUNTER_INIT("hale_test_requests_total", "code=\"5xx\"", "Requests answered."),
    HALE_GAUGE_INIT("hale_test_depth_count", NULL, "Items waiting."),
    HALE_HISTOGRAM_INIT("hale_test_latency_seconds", "op=\"put\"", "Time of a put."),
};

static char *render(void)
{
    struct hale_buf b;
    hale_buf_init(&b, 1 << 20);
    hale_counter_render(&b, "hale-test");
    assert_false(b.failed);
    return hale_buf_take(&b);
}

static unsigned occurrences(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

static int declare(void **state)
{
    (void)state;
    hale_counter_register_all(table, 4);
    hale_counter_register_all(table, 4);
    return 0;
}

static void test_render(void **state)
{
    (void)state;
    hale_counter_add(&table[0], 3);
    hale_counter_add(&table[1], 1);
    hale_counter_set(&table[2], -7);
    assert_int_equal(hale_counter_get(&table[2]), -7);
    char *text = render();
    assert_non_null(strstr(text, "# HELP hale_test_depth_count Items waiting.\n"
                                 "# TYPE hale_test_depth_count gauge\n"
                                 "hale_test_depth_count -7\n"
                                 "# HELP hale_test_latency_seconds Time of a put.\n"
                                 "# TYPE hale_test_latency_seconds histogram\n"));
    assert_non_null(strstr(text, "# HELP hale_test_requests_total Requests answered.\n"
                                 "# TYPE hale_test_requests_total counter\n"
                                 "hale_test_requests_total{code=\"2xx\"} 3\n"
                                 "hale_test_requests_total{code=\"5xx\"} 1\n"));
    assert_int_equal(occurrences(text, "# HELP hale_test_requests_total"), 1);
    assert_int_equal(occurrences(text, "hale_test_depth_count -7"), 1);
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
    assert_null(strstr(text, "\nprocess_resident_memory_bytes 0\n"));
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(text, "\nhale_build_info{version=\""));
    assert_non_null(strstr(text, "\",daemon=\"hale-test\"} 1\n"));
    free(text);
}

static void test_histogram(void **state)
{
    static const int64_t us[] = {-5, 100, 101, 10000000, 10000001};
    (void)state;
    for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++)
        hale_counter_observe_us(&table[3], us[i]);
    char *text = render();
    static const char *const want[] = {
        "hale_test_latency_seconds_bucket{op=\"put\",le=\"0.0001\"} 2\n",
        "hale_test_latency_seconds_bucket{op=\"put\",le=\"0.0002\"} 3\n",
        "hale_test_latency_seconds_bucket{op=\"put\",le=\"5\"} 3\n",
        "hale_test_latency_seconds_bucket{op=\"put\",le=\"10\"} 4\n",
        "hale_test_latency_seconds_bucket{op=\"put\",le=\"+Inf\"} 5\n",
        "hale_test_latency_seconds_sum{op=\"put\"} 20.000202\n",
        "hale_test_latency_seconds_count{op=\"put\"} 5\n",
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_non_null(strstr(text, want[i]));
    free(text);
}

static void test_ceiling_latches(void **state)
{
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 50);
    hale_counter_render(&b, "hale-test");
    assert_true(b.failed);
    hale_buf_fini(&b);
}

static struct hale_counter late =
    HALE_COUNTER_INIT("hale_test_late_total", NULL, "Late.");

static void *bump(void *arg)
{
    hale_counter_register(&late);
    for (int i = 0; i < 20000; i++) {
        hale_counter_add(&late, 1);
        hale_counter_observe_us(&table[3], i);
    }
    return arg;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bump, NULL), 0);
    for (int i = 0; i < 20; i++)
        free(render());
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    char *text = render();
    assert_int_equal(occurrences(text, "hale_test_late_total 80000\n"), 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_ceiling_latches),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, declare, NULL);
}
