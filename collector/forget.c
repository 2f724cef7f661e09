/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/forget.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/archive.h"
#include "collector/hot.h"
#include "collector/progress.h"
#include "collector/stats.h"
#include "collector/writer.h"
#include "store/keys.h"

#define SLICE           128  /* series per stop of the writer */
#define STORE_WAIT_MS   500  /* for the store to take what was written */
#define SWEEP_MAX       4096 /* series per sweep */
#define SWEEP_MIN_MS    1000
#define SWEEP_MAX_MS    600000
#define SWEEPS_PER_LIFE 50

struct field { /* an id as the hash of series has it */
    uint64_t be;
};

static struct hale_str field_of(struct field *f, uint64_t id)
{
    f->be = htobe64(id);
    return (struct hale_str){(const char *)&f->be, sizeof(f->be)};
}

/* Everything of a series but its text. */
static enum hale_rc purge(struct collector *c, struct hale_redis *redis,
                          const struct collector_series *s)
{
    enum hale_rc rc = collector_hot_forget(c->hot, redis, s);

    return rc == HALE_OK ? collector_archive_forget(c, redis, s) : rc;
}

static enum hale_rc drop_note(struct hale_redis *redis, unsigned shard, uint64_t id)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    struct field f;

    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("HDEL"),
                       hale_str_from(hale_keys_forgotten(shard, key)), field_of(&f, id));
    if (rc == HALE_OK)
        hale_reply_free(reply);
    return rc;
}

/* --- one slice, in the writer's thread --------------------------------------------------- */

struct slice {
    struct collector *c;
    struct collector_series *v[SLICE];
    size_t n;
    int64_t idle_before_ms;
    size_t removed;
    enum hale_rc rc;
};

/* Nothing is written meanwhile, so what the store has taken then is all. */
static enum hale_rc wait_for_store(struct collector *c, struct hale_redis *redis,
                                   unsigned shard)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    struct hale_stream_id last;

    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("XREVRANGE"),
                       hale_str_from(hale_keys_samples(shard, key)), HALE_STR("+"),
                       HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc != HALE_OK)
        return rc;
    const struct hale_reply *entry = hale_reply_at(reply, 0);
    if (entry != NULL &&
        hale_stream_id_parse(hale_reply_str(hale_reply_at(entry, 0)), &last) == HALE_OK)
        rc = collector_progress_wait(c->progress, shard, last, STORE_WAIT_MS);
    hale_reply_free(reply);
    return rc;
}

static bool wanted(const struct slice *s, const struct collector_series *series)
{
    const struct collector_selector sel = {
        .start_ms = INT64_MIN, .end_ms = INT64_MAX, .idle_before_ms = s->idle_before_ms};

    return collector_series_visible(series, &sel);
}

/* Removes the texts of one shard's series and notes them. */
static enum hale_rc remove_texts(const struct slice *s, struct hale_redis *redis,
                                 unsigned shard)
{
    char series_key[HALE_KEY_MAX];
    char note_key[HALE_KEY_MAX];
    struct hale_str texts = hale_str_from(hale_keys_series(shard, series_key));
    struct hale_str notes = hale_str_from(hale_keys_forgotten(shard, note_key));

    enum hale_rc rc = hale_redis_begin(redis);
    for (size_t i = 0; rc == HALE_OK && i < s->n; i++) {
        struct field f;
        if (s->v[i]->shard != shard)
            continue;
        rc = HALE_REDIS(redis, HALE_STR("HDEL"), texts, field_of(&f, s->v[i]->id));
        if (rc == HALE_OK)
            rc = HALE_REDIS(redis, HALE_STR("HSET"), notes, field_of(&f, s->v[i]->id),
                            collector_series_text(s->v[i]));
    }
    return rc == HALE_OK ? hale_redis_exec(redis, NULL) : rc;
}

static void forget_shard(struct slice *s, struct hale_redis *redis, unsigned shard)
{
    size_t n = 0;

    s->rc = wait_for_store(s->c, redis, shard);
    if (s->rc != HALE_OK)
        return;
    for (size_t i = 0; i < s->n; i++) /* the store may just have learned of new samples */
        if (s->v[i]->shard != shard || wanted(s, s->v[i]))
            s->v[n++] = s->v[i];
    s->n = n;
    s->rc = remove_texts(s, redis, shard);
    for (size_t i = 0; i < s->n; i++) {
        struct collector_series *series = s->v[i];
        if (series->shard != shard)
            continue;
        if (s->rc != HALE_OK) { /* perhaps it was done */
            collector_catalog_doubt(s->c->catalog, series);
            continue;
        }
        enum hale_rc rc = purge(s->c, redis, series);
        collector_catalog_kill(s->c->catalog, series);
        s->removed++;
        if (rc == HALE_OK)
            rc = drop_note(redis, shard, series->id);
        if (rc != HALE_OK)
            hale_warn("event=series_half_forgotten id=%016llx detail=\"%s\"",
                      (unsigned long long)series->id, hale_redis_error(redis));
    }
}

/* collector_writer_run */
static void forget_slice(struct hale_redis *redis, void *arg)
{
    struct slice *s = arg;

    for (unsigned shard = 0; s->rc == HALE_OK && shard < (unsigned)s->c->conf->shards;
         shard++) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->v[i]->shard == shard) {
                forget_shard(s, redis, shard);
                break;
            }
        }
    }
}

enum hale_rc collector_forget(struct collector *c,
                              const struct collector_series_list *list,
                              int64_t idle_before_ms, size_t *n_out)
{
    enum hale_rc rc = HALE_OK;

    *n_out = 0;
    for (size_t i = 0; rc == HALE_OK && i < list->n; i += SLICE) {
        struct slice s = {.c = c, .idle_before_ms = idle_before_ms};
        s.n = list->n - i < SLICE ? list->n - i : SLICE;
        memcpy(s.v, list->v + i, s.n * sizeof(s.v[0]));
        rc = collector_writer_run(c->writer, forget_slice, &s);
        if (rc == HALE_OK)
            rc = s.rc;
        *n_out += s.removed;
    }
    return rc;
}

/* --- after a crash ------------------------------------------------------------------------ */

/* The rest of a series whose text is gone. One that has come back meanwhile keeps what it has. */
static enum hale_rc complete(struct collector *c, struct hale_redis *redis,
                             unsigned shard, struct hale_str canonical)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    struct field f;
    uint64_t id = hale_series_id(canonical);

    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("HEXISTS"),
                       hale_str_from(hale_keys_series(shard, key)), field_of(&f, id));
    if (rc != HALE_OK)
        return rc;
    bool back = hale_reply_int(reply) != 0;
    hale_reply_free(reply);
    struct collector_series *gone = calloc(1, sizeof(*gone) + canonical.len);
    if (gone == NULL)
        return HALE_E_NOMEM;
    gone->id = id;
    gone->shard = (uint8_t)shard;
    gone->len = (uint16_t)canonical.len;
    atomic_init(&gone->last_ms, COLLECTOR_NEVER_MS);
    memcpy(gone->canonical, canonical.p, canonical.len);
    if (!back)
        rc = purge(c, redis, gone);
    free(gone);
    return rc == HALE_OK ? drop_note(redis, shard, id) : rc;
}

/* collector_writer_run */
static void complete_all(struct hale_redis *redis, void *arg)
{
    struct slice *s = arg;
    char key[HALE_KEY_MAX];

    for (unsigned shard = 0; s->rc == HALE_OK && shard < (unsigned)s->c->conf->shards;
         shard++) {
        struct hale_reply *reply = NULL;
        s->rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("HGETALL"),
                               hale_str_from(hale_keys_forgotten(shard, key)));
        if (s->rc != HALE_OK)
            return;
        for (size_t i = 1; s->rc == HALE_OK && i < hale_reply_n(reply); i += 2) {
            s->rc = complete(s->c, redis, shard, hale_reply_str(hale_reply_at(reply, i)));
            s->removed++;
        }
        hale_reply_free(reply);
    }
}

/* --- the sweep ---------------------------------------------------------------------------- */

struct collector_sweep {
    struct collector *app;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* guarded by lock */
    bool complete; /* nothing of an earlier process is left */
    pthread_t thread;
};

struct expired {
    struct collector_series_list list;
    int64_t before_ms;
};

static void add_expired(struct collector_series *s, const struct hale_series *text,
                        void *arg)
{
    struct expired *e = arg;
    const struct collector_selector sel = {
        .start_ms = INT64_MIN, .end_ms = INT64_MAX, .idle_before_ms = e->before_ms};

    (void)text;
    if (e->list.n < SWEEP_MAX && collector_series_visible(s, &sel))
        collector_series_list_add(&e->list, s);
}

static void sweep_once(struct collector *c)
{
    struct expired e = {.before_ms = hale_clock_wall_ms() - c->conf->series_expire_ms};
    size_t n = 0;

    collector_catalog_all(c->catalog, add_expired, &e);
    enum hale_rc rc = collector_forget(c, &e.list, e.before_ms, &n);
    collector_count(SERIES_EXPIRED, n);
    if (n > 0 || rc != HALE_OK)
        hale_info("event=series_expired count=%zu of=%zu result=\"%s\"", n, e.list.n,
                  hale_rc_text(rc));
    collector_series_list_fini(&e.list);
}

static void complete_once(struct collector_sweep *w)
{
    struct slice s = {.c = w->app};

    w->complete = collector_writer_run(w->app->writer, complete_all, &s) == HALE_OK &&
                  s.rc == HALE_OK;
    if (s.removed > 0 || !w->complete)
        hale_info("event=series_forgotten_rest count=%zu result=\"%s\"", s.removed,
                  hale_rc_text(s.rc));
}

static int64_t interval_ms(const struct collector *c)
{
    int64_t ms = c->conf->series_expire_ms / SWEEPS_PER_LIFE;

    if (c->conf->series_expire_ms == 0 || ms > SWEEP_MAX_MS)
        return SWEEP_MAX_MS;
    return ms < SWEEP_MIN_MS ? SWEEP_MIN_MS : ms;
}

/* Waits; false: stop. */
static bool pause_sweep(struct collector_sweep *w, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stopping && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
        ;
    bool go_on = !w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct collector_sweep *w = arg;

    do {
        if (!w->complete)
            complete_once(w);
        else if (w->app->conf->series_expire_ms > 0)
            sweep_once(w->app);
    } while (pause_sweep(w, w->complete ? interval_ms(w->app) : SWEEP_MIN_MS));
    return NULL;
}

enum hale_rc collector_sweep_start(struct collector *c, struct collector_sweep **out)
{
    struct collector_sweep *w = hale_xcalloc(1, sizeof(*w));
    pthread_condattr_t attr;

    w->app = c;
    HALE_ASSERT(pthread_mutex_init(&w->lock, NULL) == 0 &&
                pthread_condattr_init(&attr) == 0 &&
                pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&w->wake, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        free(w);
        return HALE_E_LIMIT;
    }
    *out = w;
    return HALE_OK;
}

void collector_sweep_stop(struct collector_sweep *s)
{
    if (s == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
