/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/queue.h"
#include "collector/request.h"
#include "collector/router.h"
#include "collector/stats.h"

struct collector_pool {
    struct collector *app;
    struct hale_queue *queue; /* of struct hale_http_req, which the server owns */
    unsigned n_threads;
    pthread_t *threads;
};

static void *run(void *arg)
{
    struct collector_pool *p = arg;
    struct hale_redis *redis =
        hale_redis_new(p->app->conf->redis, p->app->conf->redis_timeout_ms);

    HALE_ASSERT(redis != NULL);
    for (struct hale_http_req *req; (req = hale_queue_pop(p->queue, -1)) != NULL;) {
        int64_t start = hale_http_started_us(req);
        collector_gauge(QUERY_QUEUE, hale_queue_len(p->queue));
        collector_request_of(req)->route->handler(p->app, redis, req);
        collector_count(QUERIES, 1);
        hale_counter_observe_us(COLLECTOR_STAT(QUERY_LATENCY),
                                hale_clock_wall_us() - start);
    }
    hale_redis_free(redis);
    return NULL;
}

enum hale_rc collector_pool_start(struct collector *c, unsigned n_threads, size_t queue,
                                  struct collector_pool **out)
{
    struct collector_pool *p = hale_xcalloc(1, sizeof(*p));

    p->app = c;
    p->queue = hale_queue_new(queue, NULL);
    p->threads = hale_xcalloc(n_threads, sizeof(*p->threads));
    HALE_ASSERT(p->queue != NULL);
    *out = p;
    for (; p->n_threads < n_threads; p->n_threads++) {
        if (pthread_create(&p->threads[p->n_threads], NULL, run, p) != 0) {
            collector_pool_stop(p);
            *out = NULL;
            return HALE_E_LIMIT;
        }
    }
    return HALE_OK;
}

void collector_pool_stop(struct collector_pool *p)
{
    if (p == NULL)
        return;
    hale_queue_close(p->queue);
    for (unsigned i = 0; i < p->n_threads; i++)
        (void)pthread_join(p->threads[i], NULL);
    hale_queue_free(p->queue);
    free(p->threads);
    free(p);
}

void collector_pool_submit(struct collector_pool *p, struct hale_http_req *req)
{
    if (hale_queue_push(p->queue, req) != HALE_OK) {
        collector_count(OVERLOAD_QUERY, 1);
        collector_reply_busy(req, 1, "too many requests wait for a thread");
    }
}
