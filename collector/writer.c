/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/writer.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "collector/progress.h"
#include "collector/request.h"
#include "collector/stats.h"
#include "model/batch.h"
#include "store/keys.h"

#define GROUP_MAX       512
#define GROUP_MAX_BYTES (16u << 20)

struct collector_writer {
    struct collector *app;
    struct hale_queue *queue;
    struct hale_redis *redis;
    size_t max_bytes;
    _Atomic size_t bytes; /* waiting in the queue */
    pthread_t thread;
};

enum outcome { STORED, CLASH, UNKNOWN };

struct collector_writer_call {
    void (*fn)(struct hale_redis *redis, void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    bool done;
};

void collector_job_free(struct collector_job *j)
{
    if (j == NULL)
        return;
    for (unsigned i = 0; i < j->n_batches; i++)
        hale_buf_fini(&j->batches[i].bytes);
    free(j->batches);
    hale_buf_fini(&j->answer.body);
    collector_series_list_fini(&j->series);
    free(j);
}

void collector_job_answer(struct collector_job *j)
{
    if (j->answer.type == NULL)
        collector_reply_none(j->req, j->answer.status);
    else
        collector_reply_buf(j->req, j->answer.status, j->answer.type, &j->answer.body);
}

static void call_done(struct collector_writer_call *call)
{
    (void)pthread_mutex_lock(&call->lock);
    call->done = true;
    (void)pthread_cond_signal(&call->done_cond);
    (void)pthread_mutex_unlock(&call->lock);
}

static void job_drop(void *p)
{
    struct collector_job *j = p;

    if (j->call != NULL)
        call_done(j->call);
    collector_job_free(j);
}

static enum hale_rc append_series(struct hale_redis *r, const struct collector_series *s)
{
    char key[HALE_KEY_MAX];
    uint64_t id = htobe64(s->id);

    return HALE_REDIS(
        r, HALE_STR("HSETNX"), hale_str_from(hale_keys_series(s->shard, key)),
        ((struct hale_str){(const char *)&id, sizeof(id)}), collector_series_text(s));
}

/* The job is older than a deletion: series that are not stored any more go in front of its
 * samples again. */
static enum hale_rc look_through(struct collector_writer *w, struct collector_job *j)
{
    struct hale_batch_view v;

    for (unsigned b = 0; b < j->n_batches; b++) {
        if (j->batches[b].copy)
            continue; /* its series are in another one too */
        if (hale_batch_open(hale_buf_str(&j->batches[b].bytes), &v) != HALE_OK)
            return HALE_E_INVAL;
        for (unsigned i = 0; i < v.n; i++) {
            struct collector_series *s =
                collector_catalog_find(w->app->catalog, hale_batch_id(&v, i));
            int state = s != NULL ? atomic_load(&s->state) : COLLECTOR_SERIES_NEW;
            if (state == COLLECTOR_SERIES_DEAD || state == COLLECTOR_SERIES_DOUBT) {
                collector_catalog_revive(w->app->catalog, s);
                collector_series_list_add(&j->series, s);
            }
        }
    }
    return j->series.failed ? HALE_E_NOMEM : HALE_OK;
}

static enum hale_rc append_job(struct collector_writer *w, struct collector_job *j)
{
    struct hale_redis *r = w->redis;
    char key[HALE_KEY_MAX];
    char field[HALE_KEY_MAX];
    enum hale_rc rc = HALE_OK;

    if (j->deaths != collector_catalog_deaths(w->app->catalog))
        rc = look_through(w, j);
    for (size_t i = 0; rc == HALE_OK && i < j->series.n; i++) {
        collector_catalog_revive(w->app->catalog, j->series.v[i]);
        rc = append_series(r, j->series.v[i]);
    }
    for (unsigned i = 0; rc == HALE_OK && i < j->n_batches; i++) {
        const struct collector_batch *b = &j->batches[i];
        struct hale_str name = b->copy
                                   ? hale_str_from(hale_keys_copy_field(b->from, field))
                                   : HALE_STR(HALE_KEYS_BATCH);
        rc = HALE_REDIS(r, HALE_STR("XADD"),
                        hale_str_from(hale_keys_samples(b->shard, key)), HALE_STR("*"),
                        name, hale_buf_str(&b->bytes));
    }
    return rc;
}

/* Redis had the id already: another collector was first, or another series has it. */
static enum outcome verify(struct collector_writer *w, struct collector_series *s)
{
    struct hale_redis *r = w->redis;
    char key[HALE_KEY_MAX];
    uint64_t id = htobe64(s->id);
    struct hale_reply *reply = NULL;

    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     hale_str_from(hale_keys_series(s->shard, key)),
                                     ((struct hale_str){(const char *)&id, sizeof(id)}));
    if (rc != HALE_OK)
        return UNKNOWN;
    bool same = hale_str_eq(hale_reply_str(reply), collector_series_text(s));
    hale_reply_free(reply);
    if (same)
        return collector_catalog_confirm(w->app->catalog, s) == HALE_OK ? STORED
                                                                        : UNKNOWN;
    atomic_store(&s->state, COLLECTOR_SERIES_CLASH);
    hale_error("event=series_collision id=%016llx", (unsigned long long)s->id);
    return CLASH;
}

/* Takes the replies of one job. HALE_E_IO: the connection is gone. */
static enum hale_rc take_replies(struct collector_writer *w,
                                 const struct collector_job *j,
                                 struct collector_series_list *doubtful,
                                 enum outcome *outcome)
{
    struct hale_redis *r = w->redis;

    *outcome = STORED;
    for (size_t i = 0; i < j->series.n + j->n_batches; i++) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = hale_redis_reply(r, &reply);
        if (rc != HALE_OK)
            return rc;
        if (hale_reply_is_error(reply)) {
            hale_warn(
                "event=redis_refused detail=\"%.*s\"",
                (int)(hale_reply_str(reply).len < 160 ? hale_reply_str(reply).len : 160),
                hale_reply_str(reply).p);
            *outcome = UNKNOWN;
        } else if (i < j->series.n) {
            if (hale_reply_int(reply) == 1) {
                if (collector_catalog_confirm(w->app->catalog, j->series.v[i]) != HALE_OK)
                    *outcome = UNKNOWN;
                collector_count(SERIES_NEW, 1);
            } else {
                collector_series_list_add(doubtful, j->series.v[i]);
            }
        } else {
            struct hale_stream_id id;
            if (hale_stream_id_parse(hale_reply_str(reply), &id) == HALE_OK)
                collector_progress_acked(w->app->progress,
                                         j->batches[i - j->series.n].shard, id);
        }
        hale_reply_free(reply);
    }
    return HALE_OK;
}

static void answer(struct collector_job *j, enum outcome outcome)
{
    if (outcome == STORED) {
        collector_count(SAMPLES, j->n_samples);
        collector_count(BATCHES, j->n_batches);
        collector_count(POSTS, 1);
        hale_counter_observe_us(COLLECTOR_STAT(POST_LATENCY),
                                hale_clock_wall_us() - hale_http_started_us(j->req));
        collector_job_answer(j);
    } else if (outcome == CLASH) {
        collector_count(COLLISIONS, 1);
        collector_reply_error(j->req, 422, "Unprocessable Entity",
                              "a metric of this request has the id of another one; "
                              "change one of its dimensions");
    } else {
        collector_count(SAMPLES_UNKNOWN, j->n_samples);
        collector_reply_busy(j->req, 1, "the store did not confirm; send again");
    }
    collector_job_free(j);
}

static void write_group(struct collector_writer *w, struct collector_job **jobs, size_t n)
{
    enum outcome outcomes[GROUP_MAX];
    struct collector_series_list doubtful = {0};
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; i < n; i++)
        outcomes[i] = UNKNOWN;
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = append_job(w, jobs[i]);
    if (rc == HALE_OK)
        rc = hale_redis_flush(w->redis);
    collector_count(ROUND_TRIPS, 1);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        enum outcome outcome = UNKNOWN;
        size_t before = doubtful.n;
        rc = take_replies(w, jobs[i], &doubtful, &outcome);
        if (rc != HALE_OK)
            break;
        outcomes[i] = outcome;
        /* Answering now would be right for most; but a doubtful series may be a clash. */
        if (doubtful.n == before && !doubtful.failed) {
            answer(jobs[i], outcome);
            jobs[i] = NULL;
        }
    }
    for (size_t i = 0; rc == HALE_OK && i < doubtful.n; i++)
        (void)verify(w, doubtful.v[i]);
    if (rc != HALE_OK)
        collector_count(REDIS_FAILURES, 1);
    for (size_t i = 0; i < n; i++) {
        if (jobs[i] == NULL)
            continue;
        for (size_t k = 0; outcomes[i] == STORED && k < jobs[i]->series.n; k++) {
            int state = atomic_load(&jobs[i]->series.v[k]->state);
            if (state == COLLECTOR_SERIES_CLASH)
                outcomes[i] = CLASH;
            else if (state != COLLECTOR_SERIES_STORED)
                outcomes[i] = UNKNOWN;
        }
        answer(jobs[i], outcomes[i]);
    }
    collector_series_list_fini(&doubtful);
}

/* Jobs for one pipeline, which a call ends: *call_out. Both nothing: closed and empty. */
static size_t gather(struct collector_writer *w, struct collector_job **jobs,
                     struct collector_job **call_out)
{
    struct collector_job *next = hale_queue_pop(w->queue, -1);
    size_t n = 0;
    size_t bytes = 0;

    *call_out = NULL;
    while (next != NULL) {
        void *more = NULL;
        bytes += next->bytes;
        if (next->call != NULL) {
            *call_out = next;
            break;
        }
        jobs[n++] = next;
        if (n == GROUP_MAX || bytes >= GROUP_MAX_BYTES)
            break;
        next = hale_queue_drain(w->queue, &more, 1) > 0 ? more : NULL;
    }
    atomic_fetch_sub(&w->bytes, bytes);
    return n;
}

static void *run(void *arg)
{
    struct collector_writer *w = arg;
    struct collector_job *jobs[GROUP_MAX];
    struct collector_job *call;

    for (size_t n; (n = gather(w, jobs, &call)) > 0 || call != NULL;) {
        collector_gauge(QUEUE_LEN, hale_queue_len(w->queue));
        collector_gauge(QUEUE_BYTES, atomic_load(&w->bytes));
        if (n > 0)
            write_group(w, jobs, n);
        if (call != NULL) {
            call->call->fn(w->redis, call->call->arg);
            job_drop(call);
        }
    }
    return NULL;
}

enum hale_rc collector_writer_start(struct collector *c, struct collector_writer **out)
{
    struct collector_writer *w = hale_xcalloc(1, sizeof(*w));

    w->app = c;
    w->max_bytes = (size_t)c->conf->ingest_queue_bytes;
    w->queue = hale_queue_new((size_t)c->conf->ingest_queue, job_drop);
    w->redis = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    HALE_ASSERT(w->queue != NULL && w->redis != NULL);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        hale_queue_free(w->queue);
        hale_redis_free(w->redis);
        free(w);
        return HALE_E_LIMIT;
    }
    *out = w;
    return HALE_OK;
}

void collector_writer_stop(struct collector_writer *w)
{
    if (w == NULL)
        return;
    hale_queue_close(w->queue);
    (void)pthread_join(w->thread, NULL);
    hale_queue_free(w->queue);
    hale_redis_free(w->redis);
    free(w);
}

enum hale_rc collector_writer_push(struct collector_writer *w, struct collector_job *j)
{
    size_t bytes = j->bytes;

    if (atomic_fetch_add(&w->bytes, bytes) + bytes > w->max_bytes) {
        atomic_fetch_sub(&w->bytes, bytes);
        return HALE_E_LIMIT;
    }
    enum hale_rc rc = hale_queue_push(w->queue, j);
    if (rc != HALE_OK)
        atomic_fetch_sub(&w->bytes, bytes);
    return rc;
}

enum hale_rc collector_writer_run(struct collector_writer *w,
                                  void (*fn)(struct hale_redis *redis, void *arg),
                                  void *arg)
{
    struct collector_writer_call call = {.fn = fn, .arg = arg};
    struct collector_job *j = calloc(1, sizeof(*j));

    if (j == NULL)
        return HALE_E_NOMEM;
    (void)pthread_mutex_init(&call.lock, NULL);
    (void)pthread_cond_init(&call.done_cond, NULL);
    j->call = &call;
    enum hale_rc rc = collector_writer_push(w, j);
    if (rc == HALE_OK) {
        (void)pthread_mutex_lock(&call.lock);
        while (!call.done)
            (void)pthread_cond_wait(&call.done_cond, &call.lock);
        (void)pthread_mutex_unlock(&call.lock);
    } else {
        collector_job_free(j);
    }
    (void)pthread_cond_destroy(&call.done_cond);
    (void)pthread_mutex_destroy(&call.lock);
    return rc;
}
