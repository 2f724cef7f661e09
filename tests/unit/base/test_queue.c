/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/queue.h"
#include "support/fail_alloc.h"

static bool readable(const struct hale_queue *q)
{
    struct pollfd p = {.fd = hale_queue_fd(q), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_order_and_fd(void **state)
{
    int v[3];
    void *got[3] = {0};
    struct hale_queue *q = hale_queue_new(2, NULL);
    (void)state;
    assert_false(readable(q));
    assert_null(hale_queue_pop(q, 0));
    assert_int_equal(hale_queue_drain(q, got, 3), 0);
    for (int round = 0; round < 5; round++) { /* the ring wraps */
        assert_int_equal(hale_queue_push(q, &v[0]), HALE_OK);
        assert_int_equal(hale_queue_push(q, &v[1]), HALE_OK);
        assert_int_equal(hale_queue_push(q, &v[2]), HALE_E_LIMIT);
        assert_int_equal(hale_queue_len(q), 2);
        assert_true(readable(q));
        assert_ptr_equal(hale_queue_pop(q, -1), &v[0]);
        assert_true(readable(q));
        assert_int_equal(hale_queue_push(q, &v[2]), HALE_OK);
        assert_int_equal(hale_queue_drain(q, got, 1), 1);
        assert_ptr_equal(got[0], &v[1]);
        assert_int_equal(hale_queue_drain(q, got, 3), 1);
        assert_ptr_equal(got[0], &v[2]);
        assert_false(readable(q));
    }
    hale_queue_free(q);
}

static void test_timeout_and_close(void **state)
{
    int v;
    struct hale_queue *q = hale_queue_new(4, NULL);
    (void)state;
    int64_t start = hale_clock_mono_us();
    assert_null(hale_queue_pop(q, 20));
    assert_true(hale_clock_mono_us() - start >= 20000);
    assert_int_equal(hale_queue_push(q, &v), HALE_OK);
    hale_queue_close(q);
    hale_queue_close(q);
    assert_int_equal(hale_queue_push(q, &v), HALE_E_CLOSED);
    assert_ptr_equal(hale_queue_pop(q, -1), &v);
    assert_null(hale_queue_pop(q, -1));
    assert_null(hale_queue_pop(q, INT64_MAX));
    assert_true(readable(q));
    hale_queue_free(q);
    hale_queue_free(NULL);
}

static void test_free_drops(void **state)
{
    struct hale_queue *q = hale_queue_new(4, free);
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(hale_queue_push(q, malloc(1)),
                         HALE_OK); /* the leak check counts */
    hale_queue_free(q);
}

static void test_no_memory(void **state)
{
    (void)state;
    fail_alloc_in = 1;
    assert_null(hale_queue_new(4, NULL));
}

enum { ITEMS = 20000, PRODUCERS = 3, CONSUMERS = 3 };

static struct hale_queue *shared;
static char tokens[PRODUCERS]
                  [ITEMS]; /* pushed by its producer, marked by whoever popped it */

static void *produce(void *arg)
{
    char *mine = arg;
    for (int i = 0; i < ITEMS; i++) {
        while (hale_queue_push(shared, &mine[i]) != HALE_OK)
            (void)sched_yield();
    }
    return NULL;
}

static void *consume(void *arg)
{
    uintptr_t n = 0;
    (void)arg;
    for (char *token; (token = hale_queue_pop(shared, -1)) != NULL; n++)
        (*token)++;
    return (void *)n;
}

static void test_threads(void **state)
{
    pthread_t producers[PRODUCERS];
    pthread_t consumers[CONSUMERS];
    uintptr_t total = 0;
    (void)state;
    shared = hale_queue_new(64, NULL);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, produce, tokens[i]), 0);
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(producers[i], NULL);
    hale_queue_close(shared);
    for (int i = 0; i < CONSUMERS; i++) {
        void *n;
        (void)pthread_join(consumers[i], &n);
        total += (uintptr_t)n;
    }
    assert_int_equal(total, ITEMS * PRODUCERS);
    for (int p = 0; p < PRODUCERS; p++) {
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(tokens[p][i], 1);
    }
    hale_queue_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_fd), cmocka_unit_test(test_timeout_and_close),
        cmocka_unit_test(test_free_drops),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
