/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/store.h"

#include <endian.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/catalog.h"
#include "collector/hot.h"
#include "collector/progress.h"
#include "collector/reload.h"
#include "collector/stats.h"
#include "collector/store_archive.h"
#include "model/batch.h"
#include "store/keys.h"

#define READ_COUNT 64 /* stream entries per shard and XREAD */
#define BLOCK_MS   100
#define RETRY_MS   50

struct collector_store {
    struct collector *app;
    struct hale_redis *redis;
    unsigned n_shards;
    char keys[HALE_SHARDS_MAX][HALE_KEY_MAX];
    const char *key_list[HALE_SHARDS_MAX];
    struct hale_stream_id read[HALE_SHARDS_MAX];     /* entries taken up to here */
    struct hale_stream_id hot_done[HALE_SHARDS_MAX]; /* cp:hot */
    struct collector_store_archive *archive;         /* NULL: switched off */
    int64_t flush_at_ms;                             /* monotonic */
    int64_t seen_at_ms;
    bool hot_owed; /* entries were added to the hot store since its last flush */
    _Atomic bool stopping;
    pthread_t thread;
};

/* --- start ------------------------------------------------------------------------------ */

static enum hale_rc load_series_page(struct collector_store *s, unsigned shard,
                                     char cursor[32])
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;

    enum hale_rc rc = HALE_REDIS_CMD(
        s->redis, &reply, HALE_STR("HSCAN"), hale_str_from(hale_keys_series(shard, key)),
        hale_str_from(cursor), HALE_STR("COUNT"), HALE_STR("2000"));
    if (rc != HALE_OK)
        return rc;
    const struct hale_reply *rows = hale_reply_at(reply, 1);
    for (size_t i = 1; rows != NULL && i < hale_reply_n(rows); i += 2) {
        struct collector_series *series = NULL;
        rc =
            collector_catalog_put(s->app->catalog, hale_reply_str(hale_reply_at(rows, i)),
                                  COLLECTOR_SERIES_STORED, &series);
        if (rc != HALE_OK)
            hale_warn("event=series_unusable shard=%u detail=\"%s\"", shard,
                      hale_rc_text(rc));
    }
    (void)snprintf(cursor, 32, "%lld",
                   (long long)hale_reply_int(hale_reply_at(reply, 0)));
    hale_reply_free(reply);
    return HALE_OK;
}

static enum hale_rc load_catalog(struct collector_store *s)
{
    enum hale_rc rc = HALE_OK;

    for (unsigned shard = 0; rc == HALE_OK && shard < s->n_shards; shard++) {
        char cursor[32] = "0";
        do {
            rc = load_series_page(s, shard, cursor);
        } while (rc == HALE_OK && strcmp(cursor, "0") != 0);
    }
    return rc;
}

static enum hale_rc load_position(struct collector_store *s, unsigned shard,
                                  const char *consumer, struct hale_stream_id *out)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc =
        HALE_REDIS_CMD(s->redis, &reply, HALE_STR("GET"),
                       hale_str_from(hale_keys_checkpoint(shard, consumer, key)));
    if (rc != HALE_OK)
        return rc;
    if (!hale_reply_is_nil(reply) &&
        hale_stream_id_parse(hale_reply_str(reply), out) != HALE_OK)
        hale_error("event=checkpoint_unreadable shard=%u consumer=%s", shard, consumer);
    hale_reply_free(reply);
    return HALE_OK;
}

static void seen_path(const struct collector_store *s, char dst[PATH_MAX])
{
    (void)snprintf(dst, PATH_MAX, "%s/series.seen", s->app->conf->state_dir);
}

/* A loaded series whose times are unknown has no lower bound: queries look everywhere. */
static void open_lower_bound(struct collector_series *s, const struct hale_series *text,
                             void *arg)
{
    (void)text;
    if (atomic_load(&s->last_ms) == COLLECTOR_NEVER_MS) {
        atomic_store(&s->first_ms, INT64_MIN + 1);
        atomic_store(&s->last_ms, *(const int64_t *)arg);
    }
}

static void load_seen(struct collector_store *s)
{
    char path[PATH_MAX];
    struct hale_err err = {0};

    seen_path(s, path);
    enum hale_rc rc = collector_catalog_load(s->app->catalog, path, &err);
    if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
        hale_warn("event=series_times_unusable detail=\"%s\"", err.text);
    int64_t now_ms = hale_clock_wall_ms();
    collector_catalog_all(s->app->catalog, open_lower_bound, &now_ms);
}

static enum hale_rc load(struct collector_store *s)
{
    struct hale_stream_id archived;
    enum hale_rc rc = load_catalog(s);

    for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++) {
        rc = load_position(s, i, "hot", &s->hot_done[i]);
        s->read[i] = s->hot_done[i];
        if (rc == HALE_OK && s->archive != NULL) {
            rc = load_position(s, i, "archive", &archived);
            collector_store_archive_set(s->archive, i, archived);
            if (hale_stream_id_cmp(archived, s->read[i]) < 0)
                s->read[i] = archived;
        }
    }
    if (rc == HALE_OK)
        load_seen(s);
    return rc;
}

/* --- one stream entry ---------------------------------------------------------------------- */

/* A series that another collector wrote: its text is in Redis before its samples. */
static struct collector_series *fetch_series(struct collector_store *s, unsigned shard,
                                             uint64_t id)
{
    char key[HALE_KEY_MAX];
    uint64_t field = htobe64(id);
    struct hale_reply *reply = NULL;
    struct collector_series *series = NULL;

    enum hale_rc rc = HALE_REDIS_CMD(
        s->redis, &reply, HALE_STR("HGET"), hale_str_from(hale_keys_series(shard, key)),
        ((struct hale_str){(const char *)&field, sizeof(field)}));
    if (rc != HALE_OK)
        return NULL;
    if (!hale_reply_is_nil(reply) &&
        collector_catalog_put(s->app->catalog, hale_reply_str(reply),
                              COLLECTOR_SERIES_STORED, &series) != HALE_OK)
        series = NULL;
    hale_reply_free(reply);
    return series;
}

struct entry { /* what is to be done with the samples of one stream entry */
    unsigned shard;
    bool to_hot, to_archive;
    int64_t now_ms, late_ms;
};

static void take_sample(struct collector_store *s, const struct entry *e,
                        struct collector_tail *t, const struct collector_sample *sample)
{
    collector_series_seen(t->series, sample->time_ms);
    if (sample->time_ms < e->late_ms &&
        sample->time_ms < atomic_load(&t->series->late_ms))
        atomic_store(&t->series->late_ms, sample->time_ms);
    if (e->to_hot && collector_hot_add(s->app->hot, t, sample) != HALE_OK)
        hale_error("event=hot_store_full id=%016llx", (unsigned long long)t->series->id);
    if (e->to_archive)
        collector_store_archive_add(s->archive, t, sample, e->now_ms);
}

/* Tails of ids not seen before are made outside the lock of the hot store, since that may
 * wait for Redis. */
static void make_tails(struct collector_store *s, unsigned shard,
                       const struct hale_batch_view *v)
{
    for (unsigned i = 0; i < v->n; i++) {
        uint64_t id = hale_batch_id(v, i);
        if (collector_hot_find(s->app->hot, id) != NULL)
            continue;
        struct collector_series *series = collector_catalog_find(s->app->catalog, id);
        if (series == NULL)
            series = fetch_series(s, shard, id);
        if (series == NULL)
            continue; /* counted when its samples are passed over */
        bool fresh = false;
        collector_hot_lock(s->app->hot);
        struct collector_tail *t = collector_hot_tail(s->app->hot, series, &fresh);
        collector_hot_unlock(s->app->hot);
        if (t != NULL && fresh && s->archive != NULL)
            collector_store_archive_join(s->archive, t);
    }
}

static void take_batch(struct collector_store *s, const struct entry *e,
                       const struct hale_batch_view *v)
{
    const char *cursor = NULL;
    unsigned meta_index = UINT_MAX;
    struct hale_str meta = {NULL, 0};
    bool more = hale_batch_next_meta(v, &cursor, &meta_index, &meta);
    int64_t orphans = 0;

    collector_hot_lock(s->app->hot);
    for (unsigned i = 0; i < v->n; i++) {
        struct collector_sample sample = {
            hale_batch_time(v, i), hale_batch_value(v, i), {NULL, 0}};
        if (more && meta_index == i) {
            sample.meta = meta;
            more = hale_batch_next_meta(v, &cursor, &meta_index, &meta);
        }
        struct collector_tail *t = collector_hot_find(s->app->hot, hale_batch_id(v, i));
        if (t == NULL)
            orphans++;
        else
            take_sample(s, e, t, &sample);
    }
    collector_hot_unlock(s->app->hot);
    collector_count(STORE_SAMPLES, v->n);
    if (orphans > 0) {
        collector_count(STORE_ORPHANS, orphans);
        hale_error("event=samples_without_series shard=%u count=%lld", e->shard,
                   (long long)orphans);
    }
}

/* hale_reply_entries callback. */
static int take_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct collector_store *s = arg;
    struct hale_batch_view view;
    struct entry e = {.shard = stream, .now_ms = hale_clock_wall_ms()};

    (void)field;
    e.to_hot = hale_stream_id_cmp(id, s->hot_done[stream]) > 0;
    e.to_archive =
        s->archive != NULL && collector_store_archive_wants(s->archive, stream, id);
    e.late_ms = e.now_ms - s->app->conf->hot_retention_ms;
    if (hale_batch_open(value, &view) == HALE_OK) {
        make_tails(s, stream, &view);
        take_batch(s, &e, &view);
        s->hot_owed = s->hot_owed || e.to_hot;
    } else {
        collector_count(STORE_BAD, 1);
        hale_error("event=bad_batch shard=%u entry=%llu-%llu", stream,
                   (unsigned long long)id.ms, (unsigned long long)id.seq);
    }
    s->read[stream] = id;
    return 0;
}

/* Redis commands of fetch_series must not run between a command and its reply: the reply
 * is complete here, so they do not. */
static enum hale_rc read_streams(struct collector_store *s)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_xread(s->redis, s->n_shards, s->key_list, s->read,
                                       READ_COUNT, BLOCK_MS);

    if (rc == HALE_OK)
        rc = hale_redis_reply_wait(s->redis, BLOCK_MS + s->app->conf->redis_timeout_ms,
                                   &reply);
    if (rc != HALE_OK)
        return rc;
    if (hale_reply_is_error(reply)) {
        hale_warn("event=xread_refused detail=\"%.*s\"", (int)hale_reply_str(reply).len,
                  hale_reply_str(reply).p);
        rc = HALE_E_AGAIN;
    } else {
        (void)hale_reply_entries(reply, s->n_shards, s->key_list, take_entry, s);
    }
    hale_reply_free(reply);
    for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++)
        collector_progress_set(s->app->progress, i, s->read[i]);
    return rc;
}

/* --- checkpoints and trimming ----------------------------------------------------------- */

static void lower(struct hale_stream_id *min, struct hale_stream_id id)
{
    if (hale_stream_id_cmp(id, *min) < 0)
        *min = id;
}

/* Removes what hot store, archive and thresholds have processed. Without thresholds (no
 * snapshot yet) its part is kept until Redis is three quarters full. */
static enum hale_rc trim(struct collector_store *s, unsigned shard)
{
    char key[HALE_KEY_MAX];
    char text[HALE_STREAM_ID_TEXT];
    struct hale_reply *reply = NULL;
    struct hale_stream_id min = s->hot_done[shard];
    struct hale_stream_id thr;

    if (s->archive != NULL)
        lower(&min, collector_store_archive_done(s->archive, shard));
    enum hale_rc rc = HALE_REDIS_CMD(s->redis, &reply, HALE_STR("HGET"),
                                     hale_str_from(hale_keys_thr_meta(shard, key)),
                                     HALE_STR("snapshot"));
    if (rc != HALE_OK)
        return rc;
    bool known = !hale_reply_is_nil(reply) &&
                 hale_stream_id_parse(hale_reply_str(reply), &thr) == HALE_OK;
    hale_reply_free(reply);
    if (known)
        lower(&min, thr);
    else if (atomic_load(&s->app->redis_memory) < s->app->conf->redis_memory_max / 4 * 3)
        return HALE_OK;
    if (min.ms == 0)
        return HALE_OK;
    rc = HALE_REDIS_CMD(s->redis, &reply, HALE_STR("XTRIM"),
                        hale_str_from(s->keys[shard]), HALE_STR("MINID"), HALE_STR("~"),
                        hale_str_from(hale_stream_id_text(min, text)));
    if (rc == HALE_OK)
        hale_reply_free(reply);
    return rc;
}

static void save_seen(struct collector_store *s)
{
    char path[PATH_MAX];
    struct hale_err err = {0};

    seen_path(s, path);
    if (collector_catalog_save(s->app->catalog, path, &err) != HALE_OK)
        hale_warn("event=series_times_not_saved detail=\"%s\"", err.text);
}

static enum hale_rc flush(struct collector_store *s)
{
    enum hale_rc rc = HALE_OK;

    if (s->hot_owed) {
        struct hale_stream_id at[HALE_SHARDS_MAX];
        memcpy(at, s->read, sizeof(at));
        for (unsigned i = 0; i < s->n_shards; i++) /* replay may be behind cp:hot */
            if (hale_stream_id_cmp(at[i], s->hot_done[i]) < 0)
                at[i] = s->hot_done[i];
        rc = collector_hot_flush(s->app->hot, s->redis, at, s->hot_done);
        if (rc == HALE_OK)
            s->hot_owed = collector_hot_bytes(s->app->hot) > 0;
    }
    for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++)
        rc = trim(s, i);
    return rc;
}

static void maintain(struct collector_store *s)
{
    int64_t now_ms = hale_clock_mono_ms();

    size_t bytes = collector_hot_bytes(s->app->hot);
    collector_gauge(HOT_BYTES, bytes);
    if (now_ms >= s->flush_at_ms || bytes >= (size_t)s->app->conf->hot_memory) {
        s->flush_at_ms = now_ms + s->app->conf->hot_flush_ms;
        enum hale_rc rc = flush(s);
        if (rc != HALE_OK)
            hale_warn("event=hot_flush_failed detail=\"%s\"", hale_redis_error(s->redis));
    }
    if (now_ms >= s->seen_at_ms) { /* before the archive's checkpoint moves */
        s->seen_at_ms = now_ms + s->app->conf->archive_interval_ms;
        save_seen(s);
    }
    if (s->archive != NULL)
        collector_store_archive_tick(s->archive, s->redis, s->read);
}

static void *run(void *arg)
{
    struct collector_store *s = arg;

    while (!atomic_load(&s->stopping)) {
        enum hale_rc rc = read_streams(s);
        bool full = collector_hot_bytes(s->app->hot) >= (size_t)s->app->conf->hot_memory;
        maintain(s);
        /* Back-off while Redis is away or the memory cannot be flushed; stop is polled. */
        if (rc != HALE_OK || (full && collector_hot_bytes(s->app->hot) >=
                                          (size_t)s->app->conf->hot_memory))
            (void)poll(NULL, 0, RETRY_MS);
    }
    if (flush(s) != HALE_OK)
        hale_warn("event=hot_flush_failed detail=\"%s\"", hale_redis_error(s->redis));
    save_seen(s);
    return NULL;
}

enum hale_rc collector_store_start(struct collector *c, struct collector_store **out)
{
    struct collector_store *s = hale_xcalloc(1, sizeof(*s));

    s->app = c;
    s->n_shards = (unsigned)c->conf->shards;
    s->redis = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    HALE_ASSERT(s->redis != NULL);
    for (unsigned i = 0; i < s->n_shards; i++)
        s->key_list[i] = hale_keys_samples(i, s->keys[i]);
    if (c->archive != NULL)
        s->archive = collector_store_archive_new(c);
    while (load(s) != HALE_OK) {
        struct pollfd p = {.fd = hale_daemon_fd(c->daemon), .events = POLLIN};
        hale_warn("event=redis_down detail=\"%s\"", hale_redis_error(s->redis));
        (void)poll(&p, 1, 200);
        collector_reload_poll(c);
        if (hale_daemon_stopping(c->daemon)) {
            collector_store_archive_free(s->archive);
            hale_redis_free(s->redis);
            free(s);
            return HALE_E_CLOSED;
        }
    }
    hale_info("event=catalogue_loaded series=%zu", collector_catalog_count(c->catalog));
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        collector_store_archive_free(s->archive);
        hale_redis_free(s->redis);
        free(s);
        return HALE_E_LIMIT;
    }
    *out = s;
    return HALE_OK;
}

void collector_store_stop(struct collector_store *s)
{
    if (s == NULL)
        return;
    atomic_store(&s->stopping, true);
    (void)pthread_join(s->thread, NULL);
    collector_store_archive_free(s->archive);
    hale_redis_free(s->redis);
    free(s);
}
