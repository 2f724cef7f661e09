/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "store/keys.h"

struct collector_progress {
    pthread_mutex_t
        lock; /* covers the rest; taken once per entry written and read of the streams */
    pthread_cond_t moved;
    struct hale_stream_id at[HALE_SHARDS_MAX];
    struct hale_stream_id acked[HALE_SHARDS_MAX];
};

struct collector_progress *collector_progress_new(void)
{
    struct collector_progress *p = hale_xcalloc(1, sizeof(*p));
    pthread_condattr_t attr;

    HALE_ASSERT(pthread_mutex_init(&p->lock, NULL) == 0 &&
                pthread_condattr_init(&attr) == 0 &&
                pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&p->moved, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    return p;
}

void collector_progress_free(struct collector_progress *p)
{
    if (p == NULL)
        return;
    (void)pthread_cond_destroy(&p->moved);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

void collector_progress_set(struct collector_progress *p, unsigned shard,
                            struct hale_stream_id id)
{
    (void)pthread_mutex_lock(&p->lock);
    if (hale_stream_id_cmp(id, p->at[shard]) != 0) {
        p->at[shard] = id;
        (void)pthread_cond_broadcast(&p->moved);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

enum hale_rc collector_progress_wait(struct collector_progress *p, unsigned shard,
                                     struct hale_stream_id id, int64_t timeout_ms)
{
    struct timespec until;
    int late = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&p->lock);
    while (late == 0 && hale_stream_id_cmp(p->at[shard], id) < 0)
        late = pthread_cond_timedwait(&p->moved, &p->lock, &until);
    bool there = hale_stream_id_cmp(p->at[shard], id) >= 0;
    (void)pthread_mutex_unlock(&p->lock);
    return there ? HALE_OK : HALE_E_AGAIN;
}

void collector_progress_acked(struct collector_progress *p, unsigned shard,
                              struct hale_stream_id id)
{
    (void)pthread_mutex_lock(&p->lock);
    if (hale_stream_id_cmp(id, p->acked[shard]) > 0)
        p->acked[shard] = id;
    (void)pthread_mutex_unlock(&p->lock);
}

void collector_progress_catch_up(struct collector_progress *p, int64_t timeout_ms)
{
    for (unsigned i = 0; i < HALE_SHARDS_MAX; i++) {
        (void)pthread_mutex_lock(&p->lock);
        struct hale_stream_id id = p->acked[i];
        bool behind = hale_stream_id_cmp(p->at[i], id) < 0;
        (void)pthread_mutex_unlock(&p->lock);
        if (behind && collector_progress_wait(p, i, id, timeout_ms) != HALE_OK)
            return;
    }
}
