/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/archive_private.h"
#include "collector/hot.h"
#include "collector/reader.h"
#include "collector/stats.h"

#define VERSION "v2"

struct collector_archive *collector_archive_new(struct collector *c)
{
    struct collector_archive *a = hale_xcalloc(1, sizeof(*a));

    a->app = c;
    a->n_shards = (unsigned)c->conf->shards;
    a->slots = collector_slots_new((size_t)c->conf->max_series, a->n_shards);
    a->cells = hale_xcalloc(COLLECTOR_ARCHIVE_CELLS, sizeof(a->cells[0]));
    collector_points_init(&a->points, COLLECTOR_READ_MAX_POINTS);
    for (unsigned i = 0; i < COLLECTOR_ARCHIVE_STRIPES; i++)
        HALE_ASSERT(pthread_mutex_init(&a->stripes[i], NULL) == 0);
    HALE_ASSERT(pthread_mutex_init(&a->wait_lock, NULL) == 0);
    pthread_condattr_t attr;
    HALE_ASSERT(pthread_condattr_init(&attr) == 0 &&
                pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&a->wait, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    return a;
}

void collector_archive_free(struct collector_archive *a)
{
    if (a == NULL)
        return;
    collector_archive_stop(a);
    free(a->pass.members);
    free(a->pass.expire);
    free(a->cells);
    collector_points_fini(&a->points);
    collector_slots_free(a->slots);
    for (unsigned i = 0; i < COLLECTOR_ARCHIVE_STRIPES; i++)
        (void)pthread_mutex_destroy(&a->stripes[i]);
    (void)pthread_mutex_destroy(&a->wait_lock);
    (void)pthread_cond_destroy(&a->wait);
    free(a);
}

/* --- state ------------------------------------------------------------------------------ */

enum hale_rc collector_archive_save(struct collector_archive *a, struct hale_redis *redis,
                                    unsigned shard, int64_t chunk)
{
    char key[HALE_KEY_MAX];
    char text[96];
    struct hale_reply *reply = NULL;

    (void)snprintf(text, sizeof(text), VERSION " %" PRId64 " %" PRId64 " %" PRId64, chunk,
                   a->lateness[shard].grace_ms, a->lateness[shard].grace_chunk);
    enum hale_rc rc = HALE_REDIS_CMD(
        redis, &reply, HALE_STR("SET"),
        hale_str_from(hale_keys_checkpoint(shard, "archive", key)), hale_str_from(text));
    hale_reply_free(reply);
    if (rc == HALE_OK)
        atomic_store(&a->archived[shard], chunk);
    return rc;
}

/* False: nothing of this version is there. */
static bool parse(struct hale_str s, struct collector_lateness *l, int64_t *chunk)
{
    if (!hale_str_eq_c(hale_str_split(&s, ' '), VERSION))
        return false;
    return hale_str_i64(hale_str_split(&s, ' '), chunk) == HALE_OK &&
           hale_str_i64(hale_str_split(&s, ' '), &l->grace_ms) == HALE_OK &&
           hale_str_i64(s, &l->grace_chunk) == HALE_OK;
}

/* Grace begins now when the archive should have been further: we were away, and senders bring
 * what they kept meanwhile. Not again before the last grace is long over. */
static bool was_away(const struct collector_lateness *l, int64_t chunk, int64_t now_ms)
{
    return collector_lateness_deadline(l, chunk + 1) + 2 * (int64_t)COLLECTOR_CHUNK_MS <
               now_ms &&
           now_ms - l->grace_ms > 2 * l->delay_ms;
}

static enum hale_rc load_shard(struct collector_archive *a, struct hale_redis *redis,
                               unsigned shard, int64_t now_ms)
{
    struct collector_lateness *l = &a->lateness[shard];
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    int64_t chunk = 0;

    *l = (struct collector_lateness){.delay_ms = a->app->conf->archive_delay_ms};
    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("GET"),
                       hale_str_from(hale_keys_checkpoint(shard, "archive", key)));
    if (rc != HALE_OK)
        return rc;
    bool known = parse(hale_reply_str(reply), l, &chunk);
    hale_reply_free(reply);
    if (!known) /* nothing was archived: begin where raw samples may be */
        chunk = collector_chunk_of(now_ms - a->app->conf->hot_retention_ms);
    if (!known || was_away(l, chunk, now_ms)) {
        l->grace_ms = now_ms;
        l->grace_chunk = chunk;
        rc = collector_archive_save(a, redis, shard, chunk);
    }
    atomic_store(&a->archived[shard], chunk);
    collector_hot_set_lateness(a->app->hot, shard, l);
    return rc;
}

enum hale_rc collector_archive_load(struct collector_archive *a, struct hale_redis *redis,
                                    int64_t now_ms)
{
    enum hale_rc rc = collector_slots_load(a->slots, redis);

    for (unsigned s = 0; rc == HALE_OK && s < a->n_shards; s++)
        rc = load_shard(a, redis, s, now_ms);
    collector_gauge(ARCHIVE_SLOTS, collector_slots_count(a->slots));
    return rc;
}

int64_t collector_archive_end_ms(const struct collector_archive *a, unsigned shard)
{
    return (atomic_load(&a->archived[shard]) + 1) * COLLECTOR_CHUNK_MS;
}

void collector_archive_health(struct collector_archive *a, bool ok)
{
    if (ok == !a->failing)
        return;
    a->failing = !ok;
    if (a->app->daemon == NULL)
        return; /* a test's */
    hale_daemon_health_set(a->app->daemon, "archive", ok,
                           ok ? "writing"
                              : "files cannot be written, raw samples wait for "
                                "archive_backlog; see the log");
}

/* --- files ------------------------------------------------------------------------------ */

void collector_archive_path(const struct collector_archive *a, unsigned shard,
                            const struct collector_place *p, bool dir_only,
                            char dst[PATH_MAX])
{
    int n = snprintf(dst, PATH_MAX, "%s/archive/%u/%u/%u", a->app->conf->state_dir, shard,
                     (unsigned)p->layout, p->group / 256);

    HALE_ASSERT(n > 0 && n < PATH_MAX - 64);
    if (!dir_only)
        (void)snprintf(dst + n, (size_t)(PATH_MAX - n), "/%u", p->group);
}

pthread_mutex_t *collector_archive_stripe(struct collector_archive *a,
                                          const struct collector_place *p)
{
    return &a->stripes[p->group % COLLECTOR_ARCHIVE_STRIPES];
}

bool collector_archive_layout(struct collector_archive *a,
                              const struct collector_series *s,
                              struct hale_rrd_layout *out)
{
    struct collector_place p;

    if (!collector_slots_find(a->slots, s->id, &p))
        return false;
    *out = collector_slots_layout(a->slots, s->shard, p.layout);
    return true;
}

enum hale_rc collector_archive_fetch(struct collector_archive *a,
                                     const struct collector_series *s,
                                     const struct collector_archive_range *r,
                                     struct hale_rrd_rows *out)
{
    char path[PATH_MAX];
    struct hale_err err = {0};
    struct collector_place p;

    memset(out, 0, sizeof(*out));
    if (!collector_slots_find(a->slots, s->id, &p))
        return HALE_E_NOTFOUND;
    const struct hale_rrd_layout l = collector_slots_layout(a->slots, s->shard, p.layout);
    collector_archive_path(a, s->shard, &p, false, path);
    (void)pthread_mutex_lock(collector_archive_stripe(a, &p));
    enum hale_rc rc = (r->sums ? hale_rrd_group_fetch_sums : hale_rrd_group_fetch)(
        path, &l, p.slot, r->start_s, r->end_s, r->step_s, out, &err);
    (void)pthread_mutex_unlock(collector_archive_stripe(a, &p));
    if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
        hale_warn("event=archive_unreadable path=%s detail=\"%s\"", path, err.text);
    return rc;
}

enum hale_rc collector_archive_forget(struct collector *c, struct hale_redis *redis,
                                      const struct collector_series *s)
{
    struct collector_archive *a = c->archive;
    struct collector_place p;
    struct hale_err err = {0};
    char path[PATH_MAX];
    bool last;

    if (a == NULL)
        return HALE_OK;
    enum hale_rc rc = collector_slots_forget(a->slots, redis, s->shard, s->id, &p, &last);
    if (rc != HALE_OK || !last)
        return rc == HALE_E_NOTFOUND ? HALE_OK : rc;
    collector_archive_path(a, s->shard, &p, false, path);
    (void)pthread_mutex_lock(collector_archive_stripe(a, &p));
    rc = hale_rrd_group_remove(path, &err);
    (void)pthread_mutex_unlock(collector_archive_stripe(a, &p));
    if (rc != HALE_OK)
        hale_warn("event=archive_not_removed path=%s detail=\"%s\"", path, err.text);
    collector_gauge(ARCHIVE_SLOTS, collector_slots_count(a->slots));
    return HALE_OK;
}

/* --- the thread ------------------------------------------------------------------------- */

static bool pause_for(struct collector_archive *a, int64_t wait_ms)
{
    int64_t until_ms = hale_clock_mono_ms() + wait_ms;
    const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    int rc = 0;

    (void)pthread_mutex_lock(&a->wait_lock);
    while (!a->stopping && rc != ETIMEDOUT && wait_ms > 0)
        rc = pthread_cond_timedwait(&a->wait, &a->wait_lock, &until);
    bool go = !a->stopping;
    (void)pthread_mutex_unlock(&a->wait_lock);
    return go;
}

static void *run(void *arg)
{
    struct collector_archive *a = arg;
    struct hale_redis *redis =
        hale_redis_new(a->app->conf->redis, a->app->conf->redis_timeout_ms);
    int64_t wait_ms = 0;

    HALE_ASSERT(redis != NULL);
    while (pause_for(a, wait_ms))
        wait_ms = collector_archive_step(a, redis, hale_clock_wall_ms());
    hale_redis_free(redis);
    return NULL;
}

enum hale_rc collector_archive_start(struct collector_archive *a)
{
    hale_daemon_health_set(a->app->daemon, "archive", true, "writing");
    if (pthread_create(&a->thread, NULL, run, a) != 0)
        return HALE_E_LIMIT;
    a->started = true;
    return HALE_OK;
}

void collector_archive_stop(struct collector_archive *a)
{
    if (a == NULL || !a->started)
        return;
    (void)pthread_mutex_lock(&a->wait_lock);
    a->stopping = true;
    (void)pthread_cond_signal(&a->wait);
    (void)pthread_mutex_unlock(&a->wait_lock);
    (void)pthread_join(a->thread, NULL);
    a->started = false;
}
