/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/store.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/archive.h"
#include "collector/catalog.h"
#include "collector/copies.h"
#include "collector/hot.h"
#include "collector/progress.h"
#include "collector/reload.h"
#include "collector/stats.h"
#include "collector/store_load.h"
#include "model/batch.h"
#include "store/keys.h"

#define COUNT_MIN      16 /* stream entries per shard and XREAD */
#define COUNT_MAX      4096
#define READ_BYTES     (4u << 20) /* aimed at */
#define BLOCK_MS       100
#define GATHER_MS      20 /* entries gather this long: one XREAD for many */
#define RETRY_MS       50
#define TRIM_EVERY_MS  2000
#define SEEN_EVERY_MS  60000
#define CLOCK_SLACK_MS 1000 /* of Redis against ours */

struct collector_store {
    struct collector *app;
    struct hale_redis *redis;
    unsigned n_shards;
    unsigned count; /* of the next XREAD */
    char keys[HALE_SHARDS_MAX][HALE_KEY_MAX];
    const char *key_list[HALE_SHARDS_MAX];
    struct hale_stream_id read[HALE_SHARDS_MAX]; /* entries taken up to here */
    int64_t drained_ms[HALE_SHARDS_MAX];
    /* The XREAD under way. */
    unsigned entries[HALE_SHARDS_MAX];
    size_t bytes;
    bool stuck;                     /* an entry could not be taken */
    int64_t trim_at_ms, seen_at_ms; /* monotonic */
    _Atomic bool stopping;
    pthread_t thread;
};

static enum hale_rc load(struct collector_store *s)
{
    struct collector *c = s->app;
    enum hale_rc rc = collector_load_series(c, s->redis);

    if (rc == HALE_OK)
        rc = collector_copies_load(c->copies, s->redis);
    for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++) {
        rc = collector_load_position(s->redis, i, "hot", &s->read[i]);
        if (rc == HALE_OK)
            collector_hot_set_done(c->hot, i, s->read[i]);
    }
    if (rc == HALE_OK && c->archive != NULL)
        rc = collector_archive_load(c->archive, s->redis, hale_clock_wall_ms());
    if (rc == HALE_OK)
        collector_load_seen(c, hale_clock_wall_ms());
    return rc;
}

/* --- stream entries ----------------------------------------------------------------------- */

static struct collector_series *resolve(void *arg, unsigned shard, uint64_t id)
{
    struct collector_store *s = arg;
    struct collector_series *series = collector_catalog_find(s->app->catalog, id);

    return series != NULL ? series : collector_load_one(s->app, s->redis, shard, id);
}

static enum hale_rc flush(struct collector_store *s, bool whole)
{
    const struct collector_hot_input in = {s->read, s->drained_ms, hale_clock_mono_ms()};
    enum hale_rc rc = collector_hot_flush(s->app->hot, s->redis, &in, whole);

    if (rc != HALE_OK)
        hale_warn("event=hot_flush_failed detail=\"%s\"", hale_redis_error(s->redis));
    return rc;
}

static enum hale_rc take_batch(struct collector_store *s, unsigned shard,
                               struct hale_stream_id id,
                               const struct hale_batch_view *view)
{
    struct collector_hot_entry e = {
        .shard = shard,
        .arrival_ms = (int64_t)id.ms,
        .view = view,
        .resolve = resolve,
        .arg = s,
    };
    enum hale_rc rc = collector_hot_take(s->app->hot, &e);

    if (rc != HALE_OK)
        return rc;
    collector_count(STORE_SAMPLES, view->n);
    if (e.orphans > 0) {
        collector_count(STORE_ORPHANS, e.orphans);
        hale_error("event=samples_without_series shard=%u count=%zu", shard, e.orphans);
    }
    return e.pressing ? flush(s, true) : HALE_OK;
}

/* hale_reply_entries callback. Commands to Redis may run in here: the reply is complete. */
static int take_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct collector_store *s = arg;
    struct hale_batch_view view;

    if (!hale_str_eq_c(field, HALE_KEYS_BATCH)) {
        /* a copy for thresholds: the samples are in their own shard */
    } else if (hale_batch_open(value, &view) == HALE_OK) {
        if (take_batch(s, stream, id, &view) != HALE_OK) {
            hale_error("event=hot_store_full shard=%u", stream);
            s->stuck = true; /* it is read again: what was added twice counts once */
            return 1;
        }
    } else {
        collector_count(STORE_BAD, 1);
        hale_error("event=bad_batch shard=%u entry=%llu-%llu", stream,
                   (unsigned long long)id.ms, (unsigned long long)id.seq);
    }
    s->read[stream] = id;
    s->entries[stream]++;
    s->bytes += value.len;
    return 0;
}

static bool any_full(const struct collector_store *s)
{
    for (unsigned i = 0; i < s->n_shards; i++) {
        if (s->entries[i] == s->count)
            return true;
    }
    return false;
}

/* What was not the last of a stream may have more behind it. The next XREAD aims at
 * READ_BYTES, whatever the size of entries. */
static void end_read(struct collector_store *s, int64_t sent_ms)
{
    size_t entries = 0;

    for (unsigned i = 0; i < s->n_shards; i++) {
        if (s->entries[i] < s->count && !s->stuck)
            s->drained_ms[i] = sent_ms - CLOCK_SLACK_MS;
        entries += s->entries[i];
    }
    if (entries == 0)
        return;
    size_t wanted = READ_BYTES / (s->bytes / entries + 1);
    s->count = wanted < COUNT_MIN   ? COUNT_MIN
               : wanted > COUNT_MAX ? COUNT_MAX
                                    : (unsigned)wanted;
}

/* *more_out: there may be more to read at once. */
static enum hale_rc read_streams(struct collector_store *s, bool *more_out)
{
    struct hale_reply *reply = NULL;
    int64_t sent_ms = hale_clock_wall_ms();

    *more_out = false;
    enum hale_rc rc =
        hale_redis_xread(s->redis, s->n_shards, s->key_list, s->read, s->count, BLOCK_MS);
    if (rc == HALE_OK)
        rc = hale_redis_reply_wait(s->redis, BLOCK_MS + s->app->conf->redis_timeout_ms,
                                   &reply);
    if (rc != HALE_OK)
        return rc;
    memset(s->entries, 0, sizeof(s->entries));
    s->bytes = 0;
    s->stuck = false;
    if (hale_reply_is_error(reply)) {
        hale_warn("event=xread_refused detail=\"%.*s\"", (int)hale_reply_str(reply).len,
                  hale_reply_str(reply).p);
        rc = HALE_E_AGAIN;
    } else {
        (void)hale_reply_entries(reply, s->n_shards, s->key_list, take_entry, s);
        *more_out = s->bytes == 0 || any_full(s);
        end_read(s, sent_ms);
        if (s->stuck)
            rc = HALE_E_LIMIT;
    }
    hale_reply_free(reply);
    for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++)
        collector_progress_set(s->app->progress, i, s->read[i]);
    return rc;
}

/* --- trimming ------------------------------------------------------------------------------ */

/* Removes what hot store and thresholds have processed. Without thresholds (no snapshot yet)
 * its part is kept until Redis is three quarters full. */
static enum hale_rc trim(struct collector_store *s, unsigned shard)
{
    char key[HALE_KEY_MAX];
    char text[HALE_STREAM_ID_TEXT];
    struct hale_reply *reply = NULL;
    struct hale_stream_id min = collector_hot_done(s->app->hot, shard);
    struct hale_stream_id thr;

    enum hale_rc rc = HALE_REDIS_CMD(s->redis, &reply, HALE_STR("HGET"),
                                     hale_str_from(hale_keys_thr_meta(shard, key)),
                                     HALE_STR("snapshot"));
    if (rc != HALE_OK)
        return rc;
    bool known = !hale_reply_is_nil(reply) &&
                 hale_stream_id_parse(hale_reply_str(reply), &thr) == HALE_OK;
    hale_reply_free(reply);
    if (known && hale_stream_id_cmp(thr, min) < 0)
        min = thr;
    if (!known &&
        atomic_load(&s->app->redis_memory) < s->app->conf->redis_memory_max / 4 * 3)
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

/* --- the thread ------------------------------------------------------------------------------ */

static bool is_full(const struct collector_store *s)
{
    return collector_hot_bytes(s->app->hot) >= (size_t)s->app->conf->hot_memory;
}

static void maintain(struct collector_store *s)
{
    int64_t now_ms = hale_clock_mono_ms();

    collector_gauge(HOT_BYTES, collector_hot_bytes(s->app->hot));
    enum hale_rc rc = flush(s, is_full(s) || s->stuck);
    if (rc == HALE_OK && now_ms >= s->trim_at_ms) {
        s->trim_at_ms = now_ms + TRIM_EVERY_MS;
        for (unsigned i = 0; rc == HALE_OK && i < s->n_shards; i++)
            rc = trim(s, i);
    }
    if (now_ms >= s->seen_at_ms) {
        s->seen_at_ms = now_ms + SEEN_EVERY_MS;
        collector_save_seen(s->app);
    }
}

static void *run(void *arg)
{
    struct collector_store *s = arg;

    while (!atomic_load(&s->stopping)) {
        bool more;
        enum hale_rc rc = read_streams(s, &more);
        maintain(s);
        /* Back-off while Redis is away or the memory cannot be flushed, else entries gather;
         * stop is polled. */
        if (rc != HALE_OK || is_full(s))
            (void)poll(NULL, 0, RETRY_MS);
        else if (!more)
            (void)poll(NULL, 0, GATHER_MS);
    }
    (void)flush(s, true);
    collector_save_seen(s->app);
    return NULL;
}

enum hale_rc collector_store_start(struct collector *c, struct collector_store **out)
{
    struct collector_store *s = hale_xcalloc(1, sizeof(*s));

    s->app = c;
    s->n_shards = (unsigned)c->conf->shards;
    s->count = COUNT_MIN;
    s->seen_at_ms = hale_clock_mono_ms() + SEEN_EVERY_MS;
    s->redis = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    HALE_ASSERT(s->redis != NULL);
    for (unsigned i = 0; i < s->n_shards; i++)
        s->key_list[i] = hale_keys_samples(i, s->keys[i]);
    while (load(s) != HALE_OK) {
        struct pollfd p = {.fd = hale_daemon_fd(c->daemon), .events = POLLIN};
        hale_warn("event=redis_down detail=\"%s\"", hale_redis_error(s->redis));
        (void)poll(&p, 1, 200);
        collector_reload_poll(c);
        if (hale_daemon_stopping(c->daemon)) {
            hale_redis_free(s->redis);
            free(s);
            return HALE_E_CLOSED;
        }
    }
    hale_info("event=catalogue_loaded series=%zu", collector_catalog_count(c->catalog));
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
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
    hale_redis_free(s->redis);
    free(s);
}
