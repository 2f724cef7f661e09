/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/store_load.h"

#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/keys.h"

#define SCAN_COUNT "10000" /* series per round trip: about 2 MB */

static void take_page(struct collector *c, unsigned shard, const struct hale_reply *rows)
{
    for (size_t i = 1; rows != NULL && i < hale_reply_n(rows); i += 2) {
        struct collector_series *series = NULL;
        enum hale_rc rc =
            collector_catalog_put(c->catalog, hale_reply_str(hale_reply_at(rows, i)),
                                  COLLECTOR_SERIES_STORED, &series);
        if (rc != HALE_OK)
            hale_warn("event=series_unusable shard=%u detail=\"%s\"", shard,
                      hale_rc_text(rc));
    }
}

static enum hale_rc ask_page(struct hale_redis *r, unsigned shard, struct hale_str cursor)
{
    char key[HALE_KEY_MAX];

    enum hale_rc rc =
        HALE_REDIS(r, HALE_STR("HSCAN"), hale_str_from(hale_keys_series(shard, key)),
                   cursor, HALE_STR("COUNT"), HALE_STR(SCAN_COUNT));
    return rc == HALE_OK ? hale_redis_flush(r) : rc;
}

/* The next page is asked for before this one is taken in: Redis and we work side by side. */
static enum hale_rc load_shard(struct collector *c, struct hale_redis *r, unsigned shard)
{
    enum hale_rc rc = ask_page(r, shard, HALE_STR("0"));
    bool more = true;

    while (rc == HALE_OK && more) {
        struct hale_reply *reply = NULL;
        rc = hale_redis_reply(r, &reply);
        if (rc != HALE_OK)
            return rc;
        struct hale_str cursor = hale_reply_str(hale_reply_at(reply, 0));
        more = cursor.len > 0 && !hale_str_eq_c(cursor, "0");
        if (more)
            rc = ask_page(r, shard, cursor);
        take_page(c, shard, hale_reply_at(reply, 1));
        hale_reply_free(reply);
    }
    return rc;
}

enum hale_rc collector_load_series(struct collector *c, struct hale_redis *redis)
{
    enum hale_rc rc = HALE_OK;

    for (unsigned s = 0; rc == HALE_OK && s < (unsigned)c->conf->shards; s++)
        rc = load_shard(c, redis, s);
    return rc;
}

struct collector_series *collector_load_one(struct collector *c, struct hale_redis *redis,
                                            unsigned shard, uint64_t id)
{
    char key[HALE_KEY_MAX];
    uint64_t field = htobe64(id);
    struct hale_reply *reply = NULL;
    struct collector_series *series = NULL;

    enum hale_rc rc = HALE_REDIS_CMD(
        redis, &reply, HALE_STR("HGET"), hale_str_from(hale_keys_series(shard, key)),
        ((struct hale_str){(const char *)&field, sizeof(field)}));
    if (rc != HALE_OK)
        return NULL;
    if (!hale_reply_is_nil(reply) &&
        collector_catalog_put(c->catalog, hale_reply_str(reply), COLLECTOR_SERIES_STORED,
                              &series) != HALE_OK)
        series = NULL;
    hale_reply_free(reply);
    return series;
}

enum hale_rc collector_load_position(struct hale_redis *redis, unsigned shard,
                                     const char *consumer, struct hale_stream_id *out)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("GET"),
                       hale_str_from(hale_keys_checkpoint(shard, consumer, key)));
    if (rc != HALE_OK)
        return rc;
    if (!hale_reply_is_nil(reply) &&
        hale_stream_id_parse(hale_reply_str(reply), out) != HALE_OK)
        hale_error("event=checkpoint_unreadable shard=%u consumer=%s", shard, consumer);
    hale_reply_free(reply);
    return HALE_OK;
}

/* --- times of series -------------------------------------------------------------------- */

static void seen_path(const struct collector *c, char dst[PATH_MAX])
{
    (void)snprintf(dst, PATH_MAX, "%s/series.seen", c->conf->state_dir);
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

void collector_load_seen(struct collector *c, int64_t now_ms)
{
    char path[PATH_MAX];
    struct hale_err err = {0};

    seen_path(c, path);
    enum hale_rc rc = collector_catalog_load(c->catalog, path, &err);
    if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
        hale_warn("event=series_times_unusable detail=\"%s\"", err.text);
    collector_catalog_all(c->catalog, open_lower_bound, &now_ms);
}

void collector_save_seen(struct collector *c)
{
    char path[PATH_MAX];
    struct hale_err err = {0};

    seen_path(c, path);
    if (collector_catalog_save(c->catalog, path, &err) != HALE_OK)
        hale_warn("event=series_times_not_saved detail=\"%s\"", err.text);
}
