/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/tail.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/u64map.h"

#define SLAB       1024 /* tails per allocation */
#define LINE_BYTES 64
#define BLOCK_MAX  (4u << 20)
#define FIRST_CAP  56 /* with malloc's word a whole cache line */

_Static_assert(sizeof(struct collector_tail) == LINE_BYTES, "a tail is one cache line");

/* In front of each block's samples: key, length, room for the frame. */
struct head {
    int32_t key;
    uint32_t len; /* of a closed block */
};
#define HEAD_BYTES (sizeof(struct head) + COLLECTOR_FRAME_MAX)

struct collector_tails {
    struct hale_u64map *map;
    struct collector_tail **slabs;
    size_t n, n_slabs, max;
    struct collector_tail **unused;
    size_t n_unused, cap_unused;
};

struct collector_tails *collector_tails_new(size_t max_series)
{
    struct collector_tails *t = hale_xcalloc(1, sizeof(*t));

    t->max = max_series;
    t->map = hale_u64map_new(max_series);
    t->slabs = hale_xcalloc((max_series + SLAB - 1) / SLAB, sizeof(t->slabs[0]));
    HALE_ASSERT(t->map != NULL);
    return t;
}

void collector_tails_free(struct collector_tails *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(collector_tails_at(t, i)->buf);
    for (size_t i = 0; i < t->n_slabs; i++)
        free(t->slabs[i]);
    free(t->slabs);
    free(t->unused);
    hale_u64map_free(t->map);
    free(t);
}

void collector_tails_prefetch(const struct collector_tails *t, uint64_t id)
{
    hale_u64map_prefetch(t->map, id);
}

struct collector_tail *collector_tails_find(const struct collector_tails *t, uint64_t id)
{
    return hale_u64map_get(t->map, id);
}

size_t collector_tails_count(const struct collector_tails *t)
{
    return t->n;
}

struct collector_tail *collector_tails_at(const struct collector_tails *t, size_t i)
{
    return &t->slabs[i / SLAB][i % SLAB];
}

size_t collector_tails_memory(const struct collector_tails *t)
{
    return hale_u64map_memory(t->map) + t->n_slabs * SLAB * sizeof(struct collector_tail);
}

static struct collector_tail *fresh(struct collector_tails *t)
{
    if (t->n_unused > 0)
        return t->unused[t->n_unused - 1];
    if (t->n == t->max)
        return NULL;
    if (t->n == t->n_slabs * SLAB) {
        struct collector_tail *slab =
            aligned_alloc(LINE_BYTES, SLAB * sizeof(struct collector_tail));
        if (slab == NULL)
            return NULL;
        memset(slab, 0, SLAB * sizeof(struct collector_tail));
        t->slabs[t->n_slabs++] = slab;
    }
    return collector_tails_at(t, t->n);
}

struct collector_tail *collector_tails_get(struct collector_tails *t,
                                           struct collector_series *s)
{
    struct collector_tail *tail = hale_u64map_get(t->map, s->id);

    if (tail != NULL)
        return tail;
    tail = fresh(t);
    if (tail == NULL || hale_u64map_put(t->map, s->id, tail) != HALE_OK)
        return NULL;
    if (t->n_unused > 0)
        t->n_unused--;
    else
        t->n++;
    *tail = (struct collector_tail){
        .series = s, .expire_chunk = INT32_MIN, .late_chunk = INT32_MIN};
    return tail;
}

bool collector_tails_forget(struct collector_tails *t, uint64_t id)
{
    struct collector_tail *tail = hale_u64map_take(t->map, id);

    if (tail == NULL)
        return false;
    free(tail->buf);
    memset(tail, 0, sizeof(*tail));
    if (t->n_unused == t->cap_unused) {
        size_t cap = t->cap_unused > 0 ? 2 * t->cap_unused : 64;
        struct collector_tail **v = realloc(t->unused, cap * sizeof(v[0]));
        if (v == NULL)
            return true; /* its place is used again after a restart */
        t->unused = v;
        t->cap_unused = cap;
    }
    t->unused[t->n_unused++] = tail;
    return true;
}

/* --- one tail --------------------------------------------------------------------------- */

static enum hale_rc reserve(struct collector_tail *t, size_t n)
{
    size_t need = t->len + n;
    size_t cap = t->cap > 0 ? t->cap : FIRST_CAP;

    if (need <= t->cap)
        return HALE_OK;
    if (need > COLLECTOR_TAIL_MAX)
        return HALE_E_LIMIT;
    while (cap < need)
        cap = 2 * cap + sizeof(void *);
    char *p = realloc(t->buf, cap);
    if (p == NULL)
        return HALE_E_NOMEM;
    t->buf = p;
    t->cap = (uint32_t)cap;
    return HALE_OK;
}

static void close_block(struct collector_tail *t)
{
    struct head h = {t->open_key, (uint32_t)(t->len - t->open_at - HEAD_BYTES)};

    memcpy(t->buf + t->open_at, &h, sizeof(h));
    t->open_at = t->len;
}

static void open_block(struct collector_tail *t, int32_t key, int64_t base_ms)
{
    struct head h = {key, 0};

    t->open_at = t->len;
    t->open_key = key;
    memcpy(t->buf + t->len, &h, sizeof(h));
    memset(t->buf + t->len + sizeof(h), 0, COLLECTOR_FRAME_MAX);
    t->len += (uint32_t)HEAD_BYTES;
    collector_hot_coder_init(&t->at, base_ms);
}

enum hale_rc collector_tail_add(struct collector_tail *t, int64_t chunk, bool late,
                                const struct collector_sample *s, size_t *added_out)
{
    int32_t key = (int32_t)(chunk * 2 + (late ? 1 : 0));
    uint32_t before = t->len;

    *added_out = 0;
    enum hale_rc rc = reserve(t, HEAD_BYTES + COLLECTOR_SAMPLE_MAX + s->meta.len);
    if (rc != HALE_OK)
        return rc;
    if (t->open_at < t->len && (t->open_key != key || t->len - t->open_at > BLOCK_MAX))
        close_block(t);
    if (t->open_at == t->len)
        open_block(t, key, late ? 0 : chunk * COLLECTOR_CHUNK_MS);
    char *p = t->buf + t->len;
    size_t n = s->meta.len == 0
                   ? collector_hot_sample_put(p, &t->at, s->time_ms, s->value)
                   : collector_hot_sample_put_meta(p, &t->at, s);
    t->len += (uint32_t)n;
    *added_out = t->len - before;
    return HALE_OK;
}

bool collector_tail_peek(const struct collector_tail *t, uint32_t *at,
                         struct collector_tail_block *out)
{
    struct head h;

    if (*at >= t->len)
        return false;
    memcpy(&h, t->buf + *at, sizeof(h));
    if (*at == t->open_at)
        h.len = (uint32_t)(t->len - t->open_at - HEAD_BYTES);
    out->late = (h.key & 1) != 0;
    out->chunk = (h.key - (h.key & 1)) / 2;
    out->base_ms = out->late ? 0 : out->chunk * COLLECTOR_CHUNK_MS;
    out->span_ms = out->late ? 0 : COLLECTOR_CHUNK_MS;
    out->body = (struct hale_str){t->buf + *at + HEAD_BYTES, h.len};
    out->framed = (struct hale_str){NULL, 0};
    *at += (uint32_t)HEAD_BYTES + h.len;
    return true;
}

bool collector_tail_next(struct collector_tail *t, uint32_t *at,
                         struct collector_tail_block *out)
{
    uint32_t begin = *at;

    if (!collector_tail_peek(t, at, out))
        return false;
    char *body = t->buf + begin + HEAD_BYTES;
    char *p = collector_hot_frame(body, (uint32_t)out->body.len);
    out->framed = (struct hale_str){p, (size_t)(body - p) + out->body.len};
    return true;
}

void collector_tail_consume(struct collector_tail *t, uint32_t upto)
{
    HALE_ASSERT(upto <= t->len);
    if (upto == 0)
        return;
    memmove(t->buf, t->buf + upto, t->len - upto);
    t->len -= upto;
    t->open_at = t->open_at >= upto ? t->open_at - upto : t->len;
}

void collector_tail_trim(struct collector_tail *t)
{
    if (t->len > 0)
        return;
    free(t->buf);
    t->buf = NULL;
    t->cap = t->open_at = 0;
}
