/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/archive.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/queue.h"
#include "collector/roll.h"
#include "collector/stats.h"

#define QUEUE_MAX 4096
#define STRIPES   64

struct collector_archive {
    struct collector *app;
    struct hale_queue *todo;
    struct hale_queue *done;
    pthread_t thread;
    bool running;
    pthread_mutex_t stripes[STRIPES];
    int64_t create_second; /* archive thread: rate of new files */
    int64_t created;
    int64_t max_creates;
    bool failing;
};

static void job_free(void *p)
{
    struct collector_archive_job *j = p;

    free(j->points);
    free(j);
}

static pthread_mutex_t *stripe(struct collector_archive *a,
                               const struct collector_series *s)
{
    return &a->stripes[s->id % STRIPES];
}

/* The directory's text if dir_only. */
static void path_of(const struct collector_archive *a, const struct collector_series *s,
                    bool dir_only, char dst[PATH_MAX])
{
    int n = snprintf(dst, PATH_MAX, "%s/rrd/%u/%02x", a->app->conf->state_dir, s->shard,
                     (unsigned)(s->id >> 56));

    HALE_ASSERT(n > 0 && n < PATH_MAX - 32);
    if (!dir_only)
        (void)snprintf(dst + n, (size_t)(PATH_MAX - n), "/%016llx.rrd",
                       (unsigned long long)s->id);
}

/* The pace of the first points tells how long a gap may be before it counts as unknown. */
static int64_t heartbeat_of(const struct collector_archive_job *j)
{
    if (j->n < 2)
        return 300;
    int64_t pace =
        (j->points[j->n - 1].time_s - j->points[0].time_s) / (int64_t)(j->n - 1);
    int64_t hb = 3 * pace;
    return hb < 60 ? 60 : hb > 7200 ? 7200 : hb;
}

static enum hale_rc create(struct collector_archive *a,
                           const struct collector_archive_job *j, const char *path,
                           struct hale_err *err)
{
    char dir[PATH_MAX];
    int64_t second = hale_clock_mono_ms() / 1000;

    if (second != a->create_second) {
        a->create_second = second;
        a->created = 0;
    }
    if (a->created >= a->max_creates)
        return HALE_E_AGAIN;
    a->created++;
    path_of(a, j->series, true, dir);
    enum hale_rc rc = hale_fs_mkdirs(dir, err);
    if (rc == HALE_OK)
        rc = hale_rrd_create(path, j->points[0].time_s - COLLECTOR_ROLL_STEP_S,
                             heartbeat_of(j), err);
    if (rc == HALE_OK)
        collector_count(ARCHIVE_CREATES, 1);
    return rc;
}

static void update(struct collector_archive *a, struct collector_archive_job *j)
{
    char path[PATH_MAX];
    char text[512];
    struct hale_err err = {0};
    struct stat st;

    path_of(a, j->series, false, path);
    (void)pthread_mutex_lock(stripe(a, j->series));
    j->rc = stat(path, &st) == 0 ? HALE_OK : create(a, j, path, &err);
    if (j->rc == HALE_OK)
        j->rc = hale_rrd_update(path, j->points, j->n, NULL, &err);
    (void)pthread_mutex_unlock(stripe(a, j->series));
    if (j->rc == HALE_OK) {
        collector_count(ARCHIVE_UPDATES, 1);
        collector_count(ARCHIVE_POINTS, j->n);
    } else if (j->rc != HALE_E_AGAIN) {
        collector_count(ARCHIVE_FAILURES, 1);
        hale_error("event=archive_failed path=%s detail=\"%s\"", path,
                   hale_err_str(&err, text, sizeof(text)));
    }
    bool failing = j->rc != HALE_OK && j->rc != HALE_E_AGAIN;
    if (j->rc != HALE_E_AGAIN && failing != a->failing) {
        a->failing = failing;
        hale_daemon_health_set(a->app->daemon, "archive", !failing,
                               failing ? "RRD files cannot be written; see the log"
                                       : "writing");
    }
}

static void *run(void *arg)
{
    struct collector_archive *a = arg;

    for (struct collector_archive_job *j; (j = hale_queue_pop(a->todo, -1)) != NULL;) {
        collector_gauge(ARCHIVE_QUEUE, hale_queue_len(a->todo));
        if (j->series != NULL)
            update(a, j);
        if (hale_queue_push(a->done, j) != HALE_OK)
            job_free(j); /* the store has ended; the checkpoint stays where it is */
    }
    return NULL;
}

enum hale_rc collector_archive_start(struct collector *c, struct collector_archive **out,
                                     struct hale_err *err)
{
    struct collector_archive *a = hale_xcalloc(1, sizeof(*a));
    char dir[PATH_MAX];

    a->app = c;
    a->max_creates = c->conf->archive_creates;
    a->todo = hale_queue_new(QUEUE_MAX, job_free);
    a->done = hale_queue_new(2 * QUEUE_MAX, job_free);
    HALE_ASSERT(a->todo != NULL && a->done != NULL);
    for (unsigned i = 0; i < STRIPES; i++)
        HALE_ASSERT(pthread_mutex_init(&a->stripes[i], NULL) == 0);
    int n = snprintf(dir, sizeof(dir), "%s/rrd", c->conf->state_dir);
    enum hale_rc rc = n > 0 && n < PATH_MAX - 64
                          ? hale_fs_mkdirs(dir, err)
                          : hale_err_set(err, HALE_E_INVAL, "state_dir is too long");
    if (rc == HALE_OK && pthread_create(&a->thread, NULL, run, a) != 0)
        rc = hale_err_set(err, HALE_E_LIMIT, "cannot start the archive thread");
    if (rc != HALE_OK) {
        collector_archive_free(a);
        return rc;
    }
    a->running = true;
    hale_daemon_health_set(c->daemon, "archive", true, "writing");
    *out = a;
    return HALE_OK;
}

void collector_archive_stop(struct collector_archive *a)
{
    if (a == NULL || !a->running)
        return;
    hale_queue_close(a->todo);
    (void)pthread_join(a->thread, NULL);
    a->running = false;
}

void collector_archive_free(struct collector_archive *a)
{
    if (a == NULL)
        return;
    collector_archive_stop(a);
    hale_queue_free(a->todo);
    hale_queue_free(a->done);
    for (unsigned i = 0; i < STRIPES; i++)
        (void)pthread_mutex_destroy(&a->stripes[i]);
    free(a);
}

enum hale_rc collector_archive_submit(struct collector_archive *a,
                                      struct collector_archive_job *j)
{
    return hale_queue_push(a->todo, j);
}

struct collector_archive_job *collector_archive_done(struct collector_archive *a)
{
    return hale_queue_pop(a->done, 0);
}

enum hale_rc collector_archive_fetch(struct collector_archive *a,
                                     const struct collector_series *s,
                                     enum hale_rrd_cf cf,
                                     const struct collector_archive_span *span,
                                     struct hale_rrd_series *out)
{
    char path[PATH_MAX];
    struct hale_err err = {0};
    struct stat st;

    path_of(a, s, false, path);
    if (stat(path, &st) != 0)
        return HALE_E_NOTFOUND;
    (void)pthread_mutex_lock(stripe(a, s));
    enum hale_rc rc =
        hale_rrd_fetch(path, cf, span->start_s, span->end_s, span->step_s, out, &err);
    (void)pthread_mutex_unlock(stripe(a, s));
    if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
        hale_warn("event=archive_unreadable path=%s detail=\"%s\"", path, err.text);
    return rc;
}
