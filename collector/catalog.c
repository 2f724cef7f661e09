/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/catalog.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/u64map.h"
#include "collector/stats.h"

struct bucket { /* all series of one tenant and name */
    size_t n, cap;
    struct collector_series **v;
};

struct collector_catalog {
    pthread_rwlock_t lock;
    struct hale_u64map *by_id;
    struct hale_map *by_name; /* tenant \0 name -> struct bucket */
    size_t max_series;
    unsigned n_shards;
};

#define NAME_KEY_MAX (HALE_TENANT_MAX_BYTES + 1 + 4 * HALE_NAME_MAX_CHARS)

static void bucket_free(void *p)
{
    struct bucket *b = p;

    free(b->v);
    free(b);
}

struct collector_catalog *collector_catalog_new(size_t max_series, unsigned n_shards)
{
    struct collector_catalog *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->max_series = max_series;
    c->n_shards = n_shards;
    c->by_id = hale_u64map_new(max_series);
    c->by_name = hale_map_new(max_series, bucket_free);
    if (c->by_id == NULL || c->by_name == NULL ||
        pthread_rwlock_init(&c->lock, NULL) != 0) {
        hale_u64map_free(c->by_id);
        hale_map_free(c->by_name);
        free(c);
        return NULL;
    }
    return c;
}

void collector_catalog_free(struct collector_catalog *c)
{
    size_t it = 0;

    if (c == NULL)
        return;
    for (void *s; (s = hale_u64map_next(c->by_id, &it, NULL)) != NULL;)
        free(s);
    hale_u64map_free(c->by_id);
    hale_map_free(c->by_name);
    (void)pthread_rwlock_destroy(&c->lock);
    free(c);
}

size_t collector_catalog_count(struct collector_catalog *c)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    size_t n = hale_u64map_count(c->by_id);
    (void)pthread_rwlock_unlock(&c->lock);
    return n;
}

struct collector_series *collector_catalog_find(struct collector_catalog *c, uint64_t id)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    struct collector_series *s = hale_u64map_get(c->by_id, id);
    (void)pthread_rwlock_unlock(&c->lock);
    return s;
}

static struct hale_str name_key(char *dst, struct hale_str tenant, struct hale_str name)
{
    HALE_ASSERT(tenant.len + 1 + name.len <= NAME_KEY_MAX);
    memcpy(dst, tenant.p, tenant.len);
    dst[tenant.len] = '\0';
    memcpy(dst + tenant.len + 1, name.p, name.len);
    return (struct hale_str){dst, tenant.len + 1 + name.len};
}

static enum hale_rc bucket_add(struct bucket *b, struct collector_series *s)
{
    if (b->n == b->cap) {
        size_t cap = b->cap > 0 ? 2 * b->cap : 4;
        struct collector_series **v = realloc(b->v, cap * sizeof(b->v[0]));
        if (v == NULL)
            return HALE_E_NOMEM;
        b->v = v;
        b->cap = cap;
    }
    b->v[b->n++] = s;
    return HALE_OK;
}

/* Lock held for writing. On failure nothing has changed but perhaps an empty bucket. */
static enum hale_rc insert(struct collector_catalog *c, const struct hale_series *text,
                           struct collector_series *s)
{
    char key[NAME_KEY_MAX];
    struct hale_str k = name_key(key, text->tenant, text->name);
    struct bucket *b = hale_map_get(c->by_name, k);

    if (hale_u64map_count(c->by_id) >= c->max_series)
        return HALE_E_LIMIT;
    if (b == NULL) {
        b = calloc(1, sizeof(*b));
        if (b == NULL)
            return HALE_E_NOMEM;
        enum hale_rc rc = hale_map_put(c->by_name, k, b);
        if (rc != HALE_OK) {
            free(b);
            return rc;
        }
    }
    enum hale_rc rc = bucket_add(b, s);
    if (rc != HALE_OK)
        return rc;
    rc = hale_u64map_put(c->by_id, s->id, s);
    if (rc != HALE_OK)
        b->n--;
    return rc;
}

enum hale_rc collector_catalog_put(struct collector_catalog *c, struct hale_str canonical,
                                   int state, struct collector_series **out)
{
    struct hale_series text;
    uint64_t id = hale_series_id(canonical);

    *out = collector_catalog_find(c, id);
    if (*out != NULL)
        return hale_str_eq(collector_series_text(*out), canonical) ? HALE_OK
                                                                   : HALE_E_CONFLICT;
    if (hale_series_decode(canonical, &text) != HALE_OK ||
        text.tenant.len > HALE_TENANT_MAX_BYTES ||
        text.name.len > 4 * HALE_NAME_MAX_CHARS)
        return HALE_E_INVAL;
    struct collector_series *s = calloc(1, sizeof(*s) + canonical.len);
    if (s == NULL)
        return HALE_E_NOMEM;
    s->id = id;
    s->shard = hale_series_shard(text.tenant, text.name, c->n_shards);
    s->len = (uint32_t)canonical.len;
    atomic_init(&s->state, state);
    atomic_init(&s->first_ms, COLLECTOR_NEVER_MS);
    atomic_init(&s->last_ms, COLLECTOR_NEVER_MS);
    atomic_init(&s->late_ms, INT64_MAX);
    memcpy(s->canonical, canonical.p, canonical.len);

    (void)pthread_rwlock_wrlock(&c->lock);
    enum hale_rc rc = HALE_OK;
    struct collector_series *there = hale_u64map_get(c->by_id, id);
    if (there == NULL)
        rc = insert(c, &text, s);
    size_t n = hale_u64map_count(c->by_id);
    (void)pthread_rwlock_unlock(&c->lock);

    if (there != NULL || rc != HALE_OK) { /* another thread was first, or no room */
        free(s);
        *out = there;
        if (there != NULL && !hale_str_eq(collector_series_text(there), canonical))
            return HALE_E_CONFLICT;
        return rc;
    }
    collector_gauge(SERIES, n);
    *out = s;
    return HALE_OK;
}

/* --- selection ------------------------------------------------------------------------- */

void collector_series_list_add(struct collector_series_list *l,
                               struct collector_series *s)
{
    if (l->failed)
        return;
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 64;
        struct collector_series **v = realloc(l->v, cap * sizeof(l->v[0]));
        if (v == NULL) {
            l->failed = true;
            return;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = s;
}

void collector_series_list_fini(struct collector_series_list *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}

/* A series without known times (just loaded) counts as active: rather too many. */
static bool in_time(struct collector_series *s, int64_t start_ms, int64_t end_ms)
{
    int64_t first = atomic_load_explicit(&s->first_ms, memory_order_relaxed);
    int64_t last = atomic_load_explicit(&s->last_ms, memory_order_relaxed);

    if (last == COLLECTOR_NEVER_MS)
        return true;
    return last >= start_ms && first < end_ms;
}

typedef void (*each_fn)(struct collector_series *series, const struct hale_series *text,
                        void *arg);

static void each_of_bucket(const struct bucket *b, const struct collector_selector *sel,
                           each_fn each, void *arg)
{
    struct hale_series text;

    for (size_t i = 0; i < b->n; i++) {
        struct collector_series *s = b->v[i];
        if (atomic_load_explicit(&s->state, memory_order_acquire) !=
                COLLECTOR_SERIES_STORED ||
            !in_time(s, sel->start_ms, sel->end_ms))
            continue;
        if (hale_series_decode(collector_series_text(s), &text) == HALE_OK &&
            collector_dims_match(&sel->dims, &text))
            each(s, &text, arg);
    }
}

void collector_catalog_each(struct collector_catalog *c,
                            const struct collector_selector *sel, each_fn each, void *arg)
{
    char key[NAME_KEY_MAX];

    if (sel->tenant.len > HALE_TENANT_MAX_BYTES ||
        sel->name.len > 4 * HALE_NAME_MAX_CHARS)
        return;
    (void)pthread_rwlock_rdlock(&c->lock);
    if (sel->name.p != NULL) {
        const struct bucket *b =
            hale_map_get(c->by_name, name_key(key, sel->tenant, sel->name));
        if (b != NULL)
            each_of_bucket(b, sel, each, arg);
    } else {
        struct hale_str prefix = name_key(key, sel->tenant, HALE_STR(""));
        struct hale_str k;
        size_t it = 0;
        for (const struct bucket *b; (b = hale_map_next(c->by_name, &it, &k)) != NULL;) {
            if (k.len > prefix.len && memcmp(k.p, prefix.p, prefix.len) == 0)
                each_of_bucket(b, sel, each, arg);
        }
    }
    (void)pthread_rwlock_unlock(&c->lock);
}

void collector_catalog_all(struct collector_catalog *c, each_fn each, void *arg)
{
    size_t it = 0;

    (void)pthread_rwlock_rdlock(&c->lock);
    for (struct collector_series *s; (s = hale_u64map_next(c->by_id, &it, NULL)) != NULL;)
        each(s, NULL, arg);
    (void)pthread_rwlock_unlock(&c->lock);
}

static void add_to_list(struct collector_series *s, const struct hale_series *text,
                        void *arg)
{
    (void)text;
    collector_series_list_add(arg, s);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(struct collector_series *const *)a)->id;
    uint64_t y = (*(struct collector_series *const *)b)->id;

    return x < y ? -1 : x > y;
}

enum hale_rc collector_catalog_select(struct collector_catalog *c,
                                      const struct collector_selector *s,
                                      struct collector_series_list *out)
{
    collector_catalog_each(c, s, add_to_list, out);
    if (out->failed)
        return HALE_E_NOMEM;
    if (out->n > 1)
        qsort(out->v, out->n, sizeof(out->v[0]), by_id);
    return HALE_OK;
}

/* --- first and last times across restarts ------------------------------------------------ */

#define SEEN_MAGIC "hale-seen-1\n"
struct seen_row {
    uint64_t id;
    int64_t first_ms, last_ms;
};

enum hale_rc collector_catalog_save(struct collector_catalog *c, const char *path,
                                    struct hale_err *err)
{
    struct hale_buf b;
    size_t it = 0;

    hale_buf_init(&b, 64 + c->max_series * sizeof(struct seen_row));
    hale_buf_add_c(&b, SEEN_MAGIC);
    (void)pthread_rwlock_rdlock(&c->lock);
    for (struct collector_series *s;
         (s = hale_u64map_next(c->by_id, &it, NULL)) != NULL;) {
        struct seen_row row = {s->id, atomic_load(&s->first_ms),
                               atomic_load(&s->last_ms)};
        if (row.last_ms != COLLECTOR_NEVER_MS)
            hale_buf_add(&b, &row, sizeof(row));
    }
    (void)pthread_rwlock_unlock(&c->lock);
    enum hale_rc rc = b.failed ? hale_err_set(err, HALE_E_NOMEM, "out of memory")
                               : hale_fs_write(path, b.p, b.len, 0640, err);
    hale_buf_fini(&b);
    return rc;
}

enum hale_rc collector_catalog_load(struct collector_catalog *c, const char *path,
                                    struct hale_err *err)
{
    const size_t head = sizeof(SEEN_MAGIC) - 1;
    struct hale_buf b;

    hale_buf_init(&b, 64 + c->max_series * sizeof(struct seen_row));
    enum hale_rc rc = hale_fs_read(path, &b, err);
    if (rc == HALE_OK && (b.len < head || memcmp(b.p, SEEN_MAGIC, head) != 0))
        rc = hale_err_set(err, HALE_E_INVAL, "%s is not a file of series times", path);
    for (size_t at = head; rc == HALE_OK && at + sizeof(struct seen_row) <= b.len;
         at += sizeof(struct seen_row)) {
        struct seen_row row;
        memcpy(&row, b.p + at, sizeof(row));
        struct collector_series *s = collector_catalog_find(c, row.id);
        if (s != NULL && row.first_ms <= row.last_ms) {
            collector_series_seen(s, row.first_ms);
            collector_series_seen(s, row.last_ms);
        }
    }
    hale_buf_fini(&b);
    return rc;
}
