/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - a ring under one mutex. The eventfd holds a non-zero count exactly while items
 * wait or the queue is closed; it is changed only under the mutex, at the edges empty <->
 * not empty.
 */
#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

#define MAGIC        0x71756575u
#define MAX_CAPACITY (1u << 20)

struct hale_queue {
    unsigned magic;
    int fd; /* eventfd */
    size_t capacity;
    void (*item_free)(void *item);
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t filled; /* an item came, or closed */
    size_t head;           /* next to pop */
    size_t len;
    bool closed;
    void *items[]; /* ring of capacity places */
};

static bool init_sync(struct hale_queue *q)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&q->filled, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    if (!ok)
        return false;
    if (pthread_mutex_init(&q->mutex, NULL) != 0) {
        (void)pthread_cond_destroy(&q->filled);
        return false;
    }
    return true;
}

struct hale_queue *hale_queue_new(size_t capacity, void (*item_free)(void *item))
{
    HALE_ASSERT(capacity > 0 && capacity <= MAX_CAPACITY);
    struct hale_queue *q = calloc(1, sizeof(*q) + capacity * sizeof(void *));
    if (q == NULL)
        return NULL;
    q->magic = MAGIC;
    q->capacity = capacity;
    q->item_free = item_free;
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->fd < 0) {
        free(q);
        return NULL;
    }
    if (!init_sync(q)) {
        (void)close(q->fd);
        free(q);
        return NULL;
    }
    return q;
}

static void lock(struct hale_queue *q)
{
    HALE_CHECK(q, MAGIC);
    HALE_ASSERT(pthread_mutex_lock(&q->mutex) == 0);
}

static void unlock(struct hale_queue *q)
{
    HALE_ASSERT(pthread_mutex_unlock(&q->mutex) == 0);
}

/* With the mutex held: makes the descriptor readable. */
static void raise_fd(struct hale_queue *q)
{
    HALE_ASSERT(eventfd_write(q->fd, 1) == 0);
}

/* With the mutex held, after items went: the descriptor is readable only while there is
 * news. */
static void lower_fd_if_empty(struct hale_queue *q)
{
    if (q->len > 0 || q->closed)
        return;
    eventfd_t ignored;
    HALE_ASSERT(eventfd_read(q->fd, &ignored) == 0);
}

/* With the mutex held and len > 0. */
static void *take_first(struct hale_queue *q)
{
    void *item = q->items[q->head];
    q->head = q->head + 1 < q->capacity ? q->head + 1 : 0;
    q->len--;
    return item;
}

void hale_queue_free(struct hale_queue *q)
{
    if (q == NULL)
        return;
    HALE_CHECK(q, MAGIC);
    while (q->len > 0) {
        void *item = take_first(q);
        if (q->item_free != NULL)
            q->item_free(item);
    }
    q->magic = 0;
    (void)close(q->fd);
    (void)pthread_cond_destroy(&q->filled);
    (void)pthread_mutex_destroy(&q->mutex);
    free(q);
}

enum hale_rc hale_queue_push(struct hale_queue *q, void *item)
{
    enum hale_rc rc = HALE_OK;

    HALE_ASSERT(item != NULL);
    lock(q);
    if (q->closed) {
        rc = HALE_E_CLOSED;
    } else if (q->len == q->capacity) {
        rc = HALE_E_LIMIT;
    } else {
        size_t tail = q->head + q->len;
        q->items[tail < q->capacity ? tail : tail - q->capacity] = item;
        if (q->len++ == 0)
            raise_fd(q);
        (void)pthread_cond_signal(&q->filled);
    }
    unlock(q);
    return rc;
}

static struct timespec deadline_after(int64_t timeout_ms)
{
    const int64_t year_ms = INT64_C(366) * 86400 * 1000; /* keeps the sum in range */
    int64_t at_us =
        hale_clock_mono_us() + (timeout_ms < year_ms ? timeout_ms : year_ms) * 1000;
    return (struct timespec){.tv_sec = at_us / 1000000,
                             .tv_nsec = at_us % 1000000 * 1000};
}

void *hale_queue_pop(struct hale_queue *q, int64_t timeout_ms)
{
    struct timespec deadline = {0};
    void *item = NULL;
    int rc = 0;

    if (timeout_ms > 0)
        deadline = deadline_after(timeout_ms);
    lock(q);
    while (q->len == 0 && !q->closed && timeout_ms != 0 && rc == 0) {
        if (timeout_ms < 0)
            rc = pthread_cond_wait(&q->filled, &q->mutex);
        else
            rc = pthread_cond_timedwait(&q->filled, &q->mutex, &deadline);
    }
    HALE_ASSERT(rc == 0 || rc == ETIMEDOUT);
    if (q->len > 0) {
        item = take_first(q);
        lower_fd_if_empty(q);
    }
    unlock(q);
    return item;
}

size_t hale_queue_drain(struct hale_queue *q, void **items_out, size_t max)
{
    size_t n = 0;

    lock(q);
    while (n < max && q->len > 0)
        items_out[n++] = take_first(q);
    if (n > 0)
        lower_fd_if_empty(q);
    unlock(q);
    return n;
}

void hale_queue_close(struct hale_queue *q)
{
    lock(q);
    if (!q->closed) {
        q->closed = true;
        raise_fd(q);
        (void)pthread_cond_broadcast(&q->filled);
    }
    unlock(q);
}

int hale_queue_fd(const struct hale_queue *q)
{
    HALE_CHECK(q, MAGIC);
    return q->fd;
}

size_t hale_queue_len(struct hale_queue *q)
{
    lock(q);
    size_t len = q->len;
    unlock(q);
    return len;
}
