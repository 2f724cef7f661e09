/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fs.h"
#include "collector/catalog_index.h"
#include "collector/stats.h"

struct collector_catalog *collector_catalog_new(size_t max_series, unsigned n_shards)
{
    struct collector_catalog *c = calloc(1, sizeof(*c));
    pthread_rwlockattr_t attr;

    if (c == NULL)
        return NULL;
    c->max_series = max_series;
    c->n_shards = n_shards;
    /* Lists must not hold up the network thread, which enters new series. */
    if (pthread_rwlockattr_init(&attr) != 0 ||
        pthread_rwlockattr_setkind_np(
            &attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) != 0 ||
        pthread_rwlock_init(&c->lock, &attr) != 0) {
        free(c);
        return NULL;
    }
    (void)pthread_rwlockattr_destroy(&attr);
    if (pthread_mutex_init(&c->words, NULL) != 0) {
        (void)pthread_rwlock_destroy(&c->lock);
        free(c);
        return NULL;
    }
    return c;
}

void collector_catalog_free(struct collector_catalog *c)
{
    if (c == NULL)
        return;
    catalog_table_fini(&c->by_id);
    catalog_index_fini(&c->index);
    (void)pthread_mutex_destroy(&c->words);
    (void)pthread_rwlock_destroy(&c->lock);
    free(c);
}

size_t collector_catalog_count(struct collector_catalog *c)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    size_t n = c->n_series - c->n_dead;
    (void)pthread_rwlock_unlock(&c->lock);
    return n;
}

size_t collector_catalog_memory(struct collector_catalog *c)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    size_t n = catalog_table_bytes(&c->by_id) + catalog_index_bytes(&c->index);
    (void)pthread_rwlock_unlock(&c->lock);
    return n;
}

uint64_t collector_catalog_deaths(struct collector_catalog *c)
{
    return atomic_load(&c->deaths);
}

/* --- one series -------------------------------------------------------------------------- */

static bool same_id(const void *owner, uint32_t number, const void *what)
{
    return catalog_series(owner, number)->id == *(const uint64_t *)what;
}

/* Lock held. */
static struct collector_series *find(const struct collector_catalog *c, uint64_t id)
{
    uint32_t ref = catalog_table_find(&c->by_id, (uint32_t)id, same_id, &c->index, &id);

    return ref != CATALOG_NONE ? catalog_series(&c->index, ref) : NULL;
}

size_t collector_catalog_tenant_count(struct collector_catalog *c, struct hale_str tenant)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    uint32_t number = catalog_index_tenant(&c->index, tenant);
    size_t n = number != CATALOG_NONE ? c->index.tenants[number]->live : 0;
    (void)pthread_rwlock_unlock(&c->lock);
    return n;
}

struct collector_series *collector_catalog_find(struct collector_catalog *c, uint64_t id)
{
    (void)pthread_rwlock_rdlock(&c->lock);
    struct collector_series *s = find(c, id);
    (void)pthread_rwlock_unlock(&c->lock);
    return s;
}

/* Lock held for writing. Makes the series known, not visible. */
static enum hale_rc insert(struct collector_catalog *c, uint64_t id,
                           struct hale_str canonical, unsigned shard,
                           struct collector_series **out)
{
    uint32_t ref;

    if (c->n_series - c->n_dead >= c->max_series || c->n_series >= 2 * c->max_series)
        return HALE_E_LIMIT;
    struct collector_series *s =
        catalog_arena_add(&c->index.arena, sizeof(*s) + canonical.len, &ref);
    if (s == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = catalog_table_add(&c->by_id, (uint32_t)id, ref);
    if (rc != HALE_OK) {
        catalog_arena_undo(&c->index.arena, sizeof(*s) + canonical.len);
        return rc;
    }
    s->id = id;
    s->metric = CATALOG_NONE;
    s->shard = (uint8_t)shard;
    s->len = (uint16_t)canonical.len;
    atomic_init(&s->state, COLLECTOR_SERIES_NEW);
    atomic_init(&s->first_ms, COLLECTOR_NEVER_MS);
    atomic_init(&s->last_ms, COLLECTOR_NEVER_MS);
    atomic_init(&s->late_ms, INT64_MAX);
    memcpy(s->canonical, canonical.p, canonical.len);
    c->n_series++;
    *out = s;
    return HALE_OK;
}

static uint32_t ref_of(const struct collector_catalog *c, uint64_t id)
{
    return catalog_table_find(&c->by_id, (uint32_t)id, same_id, &c->index, &id);
}

/* Lock held for writing. */
static enum hale_rc confirm(struct collector_catalog *c, struct collector_series *s)
{
    struct hale_series text;
    int state = atomic_load(&s->state);

    if (state == COLLECTOR_SERIES_STORED)
        return HALE_OK;
    if (state != COLLECTOR_SERIES_DOUBT) {
        if (hale_series_decode(collector_series_text(s), &text) != HALE_OK)
            return HALE_E_INVAL; /* put has checked it: cannot be */
        if (s->metric == CATALOG_NONE) {
            enum hale_rc rc = catalog_index_add(&c->index, ref_of(c, s->id), s, &text);
            if (rc != HALE_OK)
                return rc;
        }
        catalog_index_count(&c->index, s, &text, 1);
        if (state == COLLECTOR_SERIES_DEAD)
            c->n_dead--;
    }
    atomic_store_explicit(&s->state, COLLECTOR_SERIES_STORED, memory_order_release);
    return HALE_OK;
}

enum hale_rc collector_catalog_put(struct collector_catalog *c, struct hale_str canonical,
                                   int state, struct collector_series **out)
{
    struct hale_series text;
    uint64_t id = hale_series_id(canonical);
    unsigned shard = 0;

    *out = collector_catalog_find(c, id);
    if (*out == NULL) {
        if (hale_series_decode(canonical, &text) != HALE_OK ||
            text.tenant.len > HALE_TENANT_MAX_BYTES ||
            text.name.len > 4 * HALE_NAME_MAX_CHARS)
            return HALE_E_INVAL;
        shard = hale_series_shard(text.tenant, text.name, c->n_shards);
    }
    if (*out != NULL && atomic_load(&(*out)->state) == COLLECTOR_SERIES_STORED)
        return hale_str_eq(collector_series_text(*out), canonical) ? HALE_OK
                                                                   : HALE_E_CONFLICT;
    (void)pthread_rwlock_wrlock(&c->lock);
    enum hale_rc rc = HALE_OK;
    struct collector_series *s = find(c, id); /* another thread may have been first */
    if (s == NULL)
        rc = insert(c, id, canonical, shard, &s);
    else if (!hale_str_eq(collector_series_text(s), canonical))
        rc = HALE_E_CONFLICT;
    else if (atomic_load(&s->state) == COLLECTOR_SERIES_DEAD &&
             c->n_series - c->n_dead >= c->max_series)
        rc = HALE_E_LIMIT;
    if (rc == HALE_OK && state == COLLECTOR_SERIES_STORED)
        rc = confirm(c, s);
    size_t n = c->n_series - c->n_dead;
    (void)pthread_rwlock_unlock(&c->lock);
    collector_gauge(SERIES, n);
    *out = s;
    return rc;
}

enum hale_rc collector_catalog_confirm(struct collector_catalog *c,
                                       struct collector_series *s)
{
    if (atomic_load_explicit(&s->state, memory_order_acquire) == COLLECTOR_SERIES_STORED)
        return HALE_OK;
    (void)pthread_rwlock_wrlock(&c->lock);
    enum hale_rc rc = confirm(c, s);
    (void)pthread_rwlock_unlock(&c->lock);
    return rc;
}

void collector_catalog_revive(struct collector_catalog *c, struct collector_series *s)
{
    if (atomic_load_explicit(&s->state, memory_order_acquire) != COLLECTOR_SERIES_DEAD)
        return;
    (void)pthread_rwlock_wrlock(&c->lock);
    if (atomic_load(&s->state) == COLLECTOR_SERIES_DEAD) {
        c->n_dead--;
        atomic_store_explicit(&s->state, COLLECTOR_SERIES_NEW, memory_order_release);
    }
    (void)pthread_rwlock_unlock(&c->lock);
}

void collector_catalog_kill(struct collector_catalog *c, struct collector_series *s)
{
    struct hale_series text;

    (void)pthread_rwlock_wrlock(&c->lock);
    int state = atomic_load(&s->state);
    if ((state == COLLECTOR_SERIES_STORED || state == COLLECTOR_SERIES_DOUBT) &&
        hale_series_decode(collector_series_text(s), &text) == HALE_OK) {
        catalog_index_count(&c->index, s, &text, -1);
        c->n_dead++;
        atomic_store(&s->first_ms, COLLECTOR_NEVER_MS);
        atomic_store(&s->last_ms, COLLECTOR_NEVER_MS);
        atomic_store(&s->late_ms, INT64_MAX);
        atomic_store_explicit(&s->state, COLLECTOR_SERIES_DEAD, memory_order_release);
        atomic_fetch_add(&c->deaths, 1);
    }
    size_t n = c->n_series - c->n_dead;
    (void)pthread_rwlock_unlock(&c->lock);
    collector_gauge(SERIES, n);
}

void collector_catalog_doubt(struct collector_catalog *c, struct collector_series *s)
{
    (void)pthread_rwlock_wrlock(&c->lock);
    if (atomic_load(&s->state) == COLLECTOR_SERIES_STORED) {
        atomic_store(&s->state, COLLECTOR_SERIES_DOUBT);
        atomic_fetch_add(&c->deaths, 1);
    }
    (void)pthread_rwlock_unlock(&c->lock);
}

/* --- selection --------------------------------------------------------------------------- */

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

typedef void (*each_fn)(struct collector_series *series, const struct hale_series *text,
                        void *arg);

static enum hale_rc walk(struct collector_catalog *c,
                         const struct collector_selector *sel, bool need_text,
                         catalog_visit visit, void *arg)
{
    struct catalog_walk w;

    (void)pthread_rwlock_rdlock(&c->lock);
    enum hale_rc rc = catalog_walk_init(&w, &c->index, sel);
    w.need_text = need_text;
    if (rc == HALE_OK)
        (void)catalog_walk_run(&w, &c->index, visit, arg);
    (void)pthread_rwlock_unlock(&c->lock);
    catalog_walk_fini(&w);
    return rc;
}

struct caller {
    each_fn each;
    void *arg;
};

static bool visit_each(struct collector_series *s, const struct hale_series *text,
                       void *arg)
{
    const struct caller *to = arg;

    to->each(s, text, to->arg);
    return true;
}

void collector_catalog_each(struct collector_catalog *c,
                            const struct collector_selector *sel, each_fn each, void *arg)
{
    struct caller to = {each, arg};

    (void)walk(c, sel, true, visit_each, &to);
}

#define ALL_AT_ONCE 4096 /* series per lock */

void collector_catalog_all(struct collector_catalog *c, each_fn each, void *arg)
{
    uint32_t ref = 0;

    while (ref != CATALOG_NONE) {
        (void)pthread_rwlock_rdlock(&c->lock);
        for (unsigned n = 0; n < ALL_AT_ONCE && ref != CATALOG_NONE; n++) {
            const struct catalog_arena *a = &c->index.arena;
            struct collector_series *s = catalog_arena_get(a, ref);
            if (s == NULL || s->len == 0) { /* the rest of a chunk was too small */
                ref = catalog_arena_next_chunk(a, ref);
                continue;
            }
            each(s, NULL, arg);
            ref = catalog_arena_next(ref, sizeof(*s) + s->len);
        }
        (void)pthread_rwlock_unlock(&c->lock);
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(struct collector_series *const *)a)->id;
    uint64_t y = (*(struct collector_series *const *)b)->id;

    return x < y ? -1 : x > y;
}

static bool add_to_list(struct collector_series *s, const struct hale_series *text,
                        void *arg)
{
    struct collector_series_list *l = arg;

    (void)text;
    collector_series_list_add(l, s);
    return !l->failed;
}

static enum hale_rc finish_list(enum hale_rc rc, struct collector_series_list *out)
{
    if (rc == HALE_OK && out->failed)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK && out->n > 1)
        qsort(out->v, out->n, sizeof(out->v[0]), by_id);
    return rc;
}

enum hale_rc collector_catalog_select(struct collector_catalog *c,
                                      const struct collector_selector *s,
                                      struct collector_series_list *out)
{
    return finish_list(walk(c, s, false, add_to_list, out), out);
}

/* The smallest ids so far, the greatest of them on top. */
struct heap {
    struct collector_series_list *list;
    const uint64_t *after;
    size_t max;
};

static void sift_down(struct collector_series **v, size_t n)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && v[child + 1]->id > v[child]->id)
            child++;
        if (v[i]->id >= v[child]->id)
            return;
        struct collector_series *s = v[i];
        v[i] = v[child];
        v[child] = s;
        i = child;
    }
}

static void sift_up(struct collector_series **v, size_t i)
{
    while (i > 0 && v[(i - 1) / 2]->id < v[i]->id) {
        struct collector_series *s = v[i];
        v[i] = v[(i - 1) / 2];
        v[(i - 1) / 2] = s;
        i = (i - 1) / 2;
    }
}

static bool add_to_heap(struct collector_series *s, const struct hale_series *text,
                        void *arg)
{
    struct heap *h = arg;
    struct collector_series_list *l = h->list;

    (void)text;
    if (h->after != NULL && s->id <= *h->after)
        return true;
    if (l->n < h->max) {
        collector_series_list_add(l, s);
        if (!l->failed)
            sift_up(l->v, l->n - 1);
    } else if (s->id < l->v[0]->id) {
        l->v[0] = s;
        sift_down(l->v, l->n);
    }
    return !l->failed;
}

enum hale_rc collector_catalog_page(struct collector_catalog *c,
                                    const struct collector_selector *s,
                                    const uint64_t *after, size_t max,
                                    struct collector_series_list *out)
{
    struct heap h = {out, after, max};

    HALE_ASSERT(max > 0);
    return finish_list(walk(c, s, false, add_to_heap, &h), out);
}

/* --- first and last times across restarts ------------------------------------------------ */

#define SEEN_MAGIC "hale-seen-1\n"
struct seen_row {
    uint64_t id;
    int64_t first_ms, last_ms;
};

static void add_seen(struct collector_series *s, const struct hale_series *text,
                     void *arg)
{
    const struct seen_row row = {s->id, atomic_load(&s->first_ms),
                                 atomic_load(&s->last_ms)};

    (void)text;
    if (row.last_ms != COLLECTOR_NEVER_MS &&
        atomic_load(&s->state) != COLLECTOR_SERIES_DEAD)
        hale_buf_add(arg, &row, sizeof(row));
}

enum hale_rc collector_catalog_save(struct collector_catalog *c, const char *path,
                                    struct hale_err *err)
{
    struct hale_buf b;

    hale_buf_init(&b, 64 + 2 * c->max_series * sizeof(struct seen_row));
    hale_buf_add_c(&b, SEEN_MAGIC);
    collector_catalog_all(c, add_seen, &b);
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

    hale_buf_init(&b, 64 + 2 * c->max_series * sizeof(struct seen_row));
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
