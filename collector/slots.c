/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/slots.h"

#include <endian.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/u64map.h"
#include "collector/tiers.h"
#include "store/keys.h"

#define PIPELINE     1000
#define PLACE_BYTES  8
#define LAYOUT_FIELD "archive-layout:" /* longer than an id */
#define NEXT_FIELD   "archive-next:"

struct layout {
    struct hale_rrd_layout shape;
    uint32_t group; /* being filled */
    unsigned used;  /* slots of it that were given */
};
struct shard {
    struct layout layouts[COLLECTOR_LAYOUTS_MAX];
    unsigned n;
};
struct collector_slots {
    pthread_mutex_t lock;
    struct hale_u64map *places; /* id -> packed place */
    struct hale_u64map *groups; /* shard, layout, group -> number of series */
    struct shard **shards;
    unsigned n_shards;
};

/* Places and numbers are values of a map of pointers; they are never NULL and never followed. */
static void *pack(const struct collector_place *p)
{
    uint64_t v =
        UINT64_C(1) << 62 | (uint64_t)p->layout << 40 | (uint64_t)p->group << 8 | p->slot;
    return (void *)(uintptr_t)v; /* NOLINT(performance-no-int-to-ptr) */
}

static struct collector_place unpack(const void *v)
{
    uint64_t x = (uint64_t)(uintptr_t)v;
    return (struct collector_place){(uint32_t)(x >> 8), (uint16_t)(x >> 40), (uint8_t)x};
}

static uint64_t group_key(unsigned shard, const struct collector_place *p)
{
    return (uint64_t)shard << 48 | (uint64_t)p->layout << 32 | p->group;
}

struct collector_slots *collector_slots_new(size_t max_series, unsigned n_shards)
{
    struct collector_slots *s = hale_xcalloc(1, sizeof(*s));

    s->n_shards = n_shards;
    s->places = hale_u64map_new(max_series);
    s->groups = hale_u64map_new(max_series);
    s->shards = hale_xcalloc(n_shards, sizeof(s->shards[0]));
    for (unsigned i = 0; i < n_shards; i++)
        s->shards[i] = hale_xcalloc(1, sizeof(*s->shards[0]));
    HALE_ASSERT(s->places != NULL && s->groups != NULL &&
                pthread_mutex_init(&s->lock, NULL) == 0);
    return s;
}

void collector_slots_free(struct collector_slots *s)
{
    if (s == NULL)
        return;
    hale_u64map_free(s->places);
    hale_u64map_free(s->groups);
    for (unsigned i = 0; i < s->n_shards; i++)
        free(s->shards[i]);
    free(s->shards);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t collector_slots_count(struct collector_slots *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t n = hale_u64map_count(s->places);
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

bool collector_slots_find(struct collector_slots *s, uint64_t id,
                          struct collector_place *out)
{
    (void)pthread_mutex_lock(&s->lock);
    const void *v = hale_u64map_get(s->places, id);
    (void)pthread_mutex_unlock(&s->lock);
    if (v != NULL)
        *out = unpack(v);
    return v != NULL;
}

struct hale_rrd_layout collector_slots_layout(struct collector_slots *s, unsigned shard,
                                              uint16_t layout)
{
    HALE_ASSERT(shard < s->n_shards && layout < COLLECTOR_LAYOUTS_MAX);
    (void)pthread_mutex_lock(&s->lock);
    struct hale_rrd_layout l = s->shards[shard]->layouts[layout].shape;
    (void)pthread_mutex_unlock(&s->lock);
    return l;
}

size_t collector_slots_used(struct collector_slots *s, unsigned shard,
                            const struct collector_place *p)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t n = (size_t)(uintptr_t)hale_u64map_get(s->groups, group_key(shard, p));
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

/* Locked. Changes the number of series of a group by one. */
static enum hale_rc count(struct collector_slots *s, unsigned shard,
                          const struct collector_place *p, int by)
{
    uint64_t key = group_key(shard, p);
    uintptr_t n = (uintptr_t)hale_u64map_get(s->groups, key) + (uintptr_t)by;

    if (n > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        return hale_u64map_put(s->groups, key, (void *)n);
    (void)hale_u64map_take(s->groups, key);
    return HALE_OK;
}

/* Locked. */
static enum hale_rc remember(struct collector_slots *s, unsigned shard, uint64_t id,
                             const struct collector_place *p)
{
    const void *there = hale_u64map_get(s->places, id);

    if (there != NULL)
        return HALE_OK;
    enum hale_rc rc = count(s, shard, p, 1);
    if (rc == HALE_OK)
        rc = hale_u64map_put(s->places, id, pack(p));
    return rc;
}

/* --- loading ---------------------------------------------------------------------------- */

static void take_layout(struct shard *sh, struct hale_str field, struct hale_str value)
{
    struct hale_str number = {field.p + strlen(LAYOUT_FIELD),
                              field.len - strlen(LAYOUT_FIELD)};
    uint64_t n;

    if (hale_str_u64(number, &n) != HALE_OK || n >= COLLECTOR_LAYOUTS_MAX ||
        collector_layout_parse(value, &sh->layouts[n].shape) != HALE_OK) {
        hale_error("event=archive_layout_unreadable value=%.*s",
                   value.len < 160 ? (int)value.len : 160, value.p);
        return;
    }
    if (n >= sh->n)
        sh->n = (unsigned)n + 1;
}

/* "group used": where the next series of a layout goes. */
static void take_next(struct shard *sh, struct hale_str field, struct hale_str value)
{
    struct hale_str number = {field.p + strlen(NEXT_FIELD),
                              field.len - strlen(NEXT_FIELD)};
    struct hale_str group = hale_str_split(&value, ' ');
    uint64_t n;
    uint64_t g;
    uint64_t used;

    if (hale_str_u64(number, &n) != HALE_OK || n >= COLLECTOR_LAYOUTS_MAX ||
        hale_str_u64(group, &g) != HALE_OK || hale_str_u64(value, &used) != HALE_OK ||
        g > UINT32_MAX || used > HALE_RRD_SLOTS_MAX) {
        hale_error("event=archive_position_unreadable");
        return;
    }
    struct layout *l = &sh->layouts[n];
    if (g < l->group)
        return;
    if (g > l->group || used > l->used)
        l->used = (unsigned)used;
    l->group = (uint32_t)g;
}

static bool starts(struct hale_str s, const char *prefix)
{
    return s.len > strlen(prefix) && memcmp(s.p, prefix, strlen(prefix)) == 0;
}

/* Locked. */
static enum hale_rc take_place(struct collector_slots *s, unsigned shard,
                               struct hale_str field, struct hale_str value)
{
    struct collector_place p;
    uint64_t id;
    uint32_t group;
    uint16_t layout;

    memcpy(&id, field.p, sizeof(id));
    memcpy(&group, value.p, sizeof(group));
    memcpy(&layout, value.p + 4, sizeof(layout));
    p = (struct collector_place){le32toh(group), le16toh(layout), (uint8_t)value.p[6]};
    if (p.layout >= COLLECTOR_LAYOUTS_MAX || p.slot >= HALE_RRD_SLOTS_MAX)
        return HALE_OK;
    struct layout *l = &s->shards[shard]->layouts[p.layout];
    if (p.group > l->group) {
        l->group = p.group;
        l->used = 0;
    }
    if (p.group == l->group && p.slot >= l->used)
        l->used = p.slot + 1U;
    return remember(s, shard, be64toh(id), &p);
}

static enum hale_rc take_page(struct collector_slots *s, unsigned shard,
                              const struct hale_reply *rows)
{
    enum hale_rc rc = HALE_OK;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; rc == HALE_OK && rows != NULL && i + 1 < hale_reply_n(rows);
         i += 2) {
        struct hale_str field = hale_reply_str(hale_reply_at(rows, i));
        struct hale_str value = hale_reply_str(hale_reply_at(rows, i + 1));
        if (field.len == sizeof(uint64_t) && value.len == PLACE_BYTES)
            rc = take_place(s, shard, field, value);
        else if (starts(field, LAYOUT_FIELD))
            take_layout(s->shards[shard], field, value);
        else if (starts(field, NEXT_FIELD))
            take_next(s->shards[shard], field, value);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

enum hale_rc collector_slots_load(struct collector_slots *s, struct hale_redis *redis)
{
    char key[HALE_KEY_MAX];

    for (unsigned shard = 0; shard < s->n_shards; shard++) {
        char cursor[24] = "0";
        do {
            struct hale_reply *reply = NULL;
            enum hale_rc rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("HSCAN"),
                                             hale_str_from(hale_keys_slots(shard, key)),
                                             hale_str_from(cursor), HALE_STR("COUNT"),
                                             HALE_STR("20000"));
            if (rc == HALE_OK)
                rc = take_page(s, shard, hale_reply_at(reply, 1));
            (void)snprintf(cursor, sizeof(cursor), "%.*s",
                           (int)hale_reply_str(hale_reply_at(reply, 0)).len,
                           hale_reply_str(hale_reply_at(reply, 0)).p);
            hale_reply_free(reply);
            if (rc != HALE_OK)
                return rc;
        } while (strcmp(cursor, "0") != 0 && cursor[0] != '\0');
    }
    return HALE_OK;
}

/* --- assigning -------------------------------------------------------------------------- */

static int by_object(const void *a, const void *b)
{
    const struct collector_candidate *x = a;
    const struct collector_candidate *y = b;

    if (x->layout != y->layout)
        return x->layout < y->layout ? -1 : 1;
    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool same(const struct hale_rrd_layout *a, const struct hale_rrd_layout *b)
{
    char x[COLLECTOR_LAYOUT_TEXT];
    char y[COLLECTOR_LAYOUT_TEXT];

    return strcmp(collector_layout_text(a, x), collector_layout_text(b, y)) == 0;
}

/* The number of a layout, new if need be: durable before it is used. */
static enum hale_rc number_of(struct collector_slots *s, struct hale_redis *redis,
                              unsigned shard, const struct hale_rrd_layout *l,
                              uint16_t *out)
{
    struct shard *sh = s->shards[shard];
    struct hale_reply *reply = NULL;
    char key[HALE_KEY_MAX];
    char field[32];
    char text[COLLECTOR_LAYOUT_TEXT];

    for (unsigned i = 0; i < sh->n; i++) {
        if (same(&sh->layouts[i].shape, l)) {
            *out = (uint16_t)i;
            return HALE_OK;
        }
    }
    if (sh->n == COLLECTOR_LAYOUTS_MAX)
        return HALE_E_LIMIT;
    (void)snprintf(field, sizeof(field), LAYOUT_FIELD "%u", sh->n);
    enum hale_rc rc = HALE_REDIS_CMD(
        redis, &reply, HALE_STR("HSET"), hale_str_from(hale_keys_slots(shard, key)),
        hale_str_from(field), hale_str_from(collector_layout_text(l, text)));
    hale_reply_free(reply);
    if (rc != HALE_OK)
        return rc;
    (void)pthread_mutex_lock(&s->lock);
    sh->layouts[sh->n].shape = *l;
    *out = (uint16_t)sh->n++;
    (void)pthread_mutex_unlock(&s->lock);
    return HALE_OK;
}

/* A place that was handed out is never handed out again, whatever becomes of the write. */
static struct collector_place next_place(struct shard *sh, uint16_t layout)
{
    struct layout *l = &sh->layouts[layout];

    if (l->used == l->shape.slots) {
        l->group++;
        l->used = 0;
    }
    return (struct collector_place){l->group, layout, (uint8_t)l->used++};
}

static enum hale_rc write_place(struct hale_redis *redis, unsigned shard, uint64_t id,
                                const struct collector_place *p)
{
    char key[HALE_KEY_MAX];
    char value[PLACE_BYTES] = {0};
    uint64_t field = htobe64(id);
    uint32_t group = htole32(p->group);
    uint16_t layout = htole16(p->layout);

    memcpy(value, &group, sizeof(group));
    memcpy(value + 4, &layout, sizeof(layout));
    value[6] = (char)p->slot;
    return HALE_REDIS(redis, HALE_STR("HSET"), hale_str_from(hale_keys_slots(shard, key)),
                      ((struct hale_str){(const char *)&field, sizeof(field)}),
                      ((struct hale_str){value, sizeof(value)}));
}

static enum hale_rc write_next(struct hale_redis *redis, unsigned shard, unsigned layout,
                               const struct layout *l)
{
    char key[HALE_KEY_MAX];
    char field[32];
    char value[32];

    (void)snprintf(field, sizeof(field), NEXT_FIELD "%u", layout);
    (void)snprintf(value, sizeof(value), "%u %u", l->group, l->used);
    return HALE_REDIS(redis, HALE_STR("HSET"), hale_str_from(hale_keys_slots(shard, key)),
                      hale_str_from(field), hale_str_from(value));
}

static enum hale_rc take_replies(struct hale_redis *redis, size_t n)
{
    enum hale_rc refused = HALE_OK;

    for (size_t i = 0; i < n; i++) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = hale_redis_reply(redis, &reply);
        if (rc != HALE_OK)
            return rc;
        if (hale_reply_is_error(reply))
            refused = HALE_E_AGAIN;
        hale_reply_free(reply);
    }
    return refused;
}

static enum hale_rc assign_some(struct collector_slots *s, struct hale_redis *redis,
                                unsigned shard, const struct collector_candidate *v,
                                size_t n)
{
    struct collector_place p[PIPELINE];
    const struct hale_rrd_layout *last = NULL;
    uint16_t layout = 0;
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        if (v[i].layout != last)
            rc = number_of(s, redis, shard, v[i].layout, &layout);
        last = v[i].layout;
        if (rc == HALE_OK)
            p[i] = next_place(s->shards[shard], layout);
    }
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = write_place(redis, shard, v[i].id, &p[i]);
    const struct shard *sh = s->shards[shard];
    for (unsigned i = 0; rc == HALE_OK && i < sh->n; i++)
        rc = write_next(redis, shard, i, &sh->layouts[i]);
    if (rc == HALE_OK)
        rc = take_replies(redis, n + sh->n);
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = remember(s, shard, v[i].id, &p[i]);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

enum hale_rc collector_slots_assign(struct collector_slots *s, struct hale_redis *redis,
                                    unsigned shard, struct collector_candidate *v,
                                    size_t n)
{
    enum hale_rc rc = HALE_OK;

    if (n > 1)
        qsort(v, n, sizeof(*v), by_object);
    for (size_t i = 0; rc == HALE_OK && i < n; i += PIPELINE)
        rc = assign_some(s, redis, shard, v + i, n - i < PIPELINE ? n - i : PIPELINE);
    return rc;
}

enum hale_rc collector_slots_forget(struct collector_slots *s, struct hale_redis *redis,
                                    unsigned shard, uint64_t id,
                                    struct collector_place *out, bool *last_out)
{
    char key[HALE_KEY_MAX];
    uint64_t field = htobe64(id);
    struct hale_reply *reply = NULL;

    *last_out = false;
    if (!collector_slots_find(s, id, out))
        return HALE_E_NOTFOUND;
    enum hale_rc rc = HALE_REDIS_CMD(
        redis, &reply, HALE_STR("HDEL"), hale_str_from(hale_keys_slots(shard, key)),
        ((struct hale_str){(const char *)&field, sizeof(field)}));
    hale_reply_free(reply);
    if (rc != HALE_OK)
        return rc;
    (void)pthread_mutex_lock(&s->lock);
    (void)hale_u64map_take(s->places, id);
    rc = count(s, shard, out, -1);
    *last_out = hale_u64map_get(s->groups, group_key(shard, out)) == NULL;
    struct layout *l = &s->shards[shard]->layouts[out->layout];
    if (*last_out && l->group == out->group)
        l->used = l->shape.slots; /* its files go: the next series begins a new group */
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}
