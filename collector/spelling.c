/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/spelling.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/u64map.h"
#include "collector/stats.h"

#define CHUNK_BYTES (1u << 20)

struct entry {
    struct collector_spelling s;
    uint32_t a_len, b_len, c_len;
    uint16_t tenant_len;
    uint8_t form;
    char text[]; /* a, b, c, tenant */
};

struct chunk { /* entries are bump-allocated and freed all at once */
    struct chunk *next;
    size_t used;
    _Alignas(16) char bytes[CHUNK_BYTES];
};

struct collector_spellings {
    struct hale_u64map *map; /* hash -> struct entry */
    struct chunk *chunks;
    size_t max_entries;
    uint64_t seed;
};

struct collector_spellings *collector_spellings_new(size_t max_entries)
{
    struct collector_spellings *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->max_entries = max_entries;
    c->map = hale_u64map_new(max_entries);
    if (c->map == NULL) {
        free(c);
        return NULL;
    }
    hale_id_random(&c->seed, sizeof(c->seed));
    return c;
}

static void free_chunks(struct collector_spellings *c)
{
    while (c->chunks != NULL) {
        struct chunk *next = c->chunks->next;
        free(c->chunks);
        c->chunks = next;
    }
}

void collector_spellings_free(struct collector_spellings *c)
{
    if (c == NULL)
        return;
    free_chunks(c);
    hale_u64map_free(c->map);
    free(c);
}

uint64_t collector_spellings_seed(const struct collector_spellings *c, unsigned form,
                                  struct hale_str tenant)
{
    return hale_id_hash64_seed(tenant.p, tenant.len, c->seed + form);
}

uint64_t collector_spellings_hash(struct hale_str a, struct hale_str b, uint64_t seed)
{
    uint64_t h = hale_id_hash64_seed(a.p, a.len, seed);

    return hale_id_hash64_seed(b.p, b.len, h);
}

uint64_t collector_spellings_hash_more(struct hale_str c, uint64_t hash)
{
    return hale_id_hash64_seed(c.p, c.len, hash);
}

void collector_spellings_prefetch(const struct collector_spellings *c, uint64_t hash)
{
    hale_u64map_prefetch(c->map, hash);
}

struct collector_spelling *collector_spellings_peek(const struct collector_spellings *c,
                                                    uint64_t hash)
{
    struct entry *e = hale_u64map_get(c->map, hash);

    if (e == NULL)
        return NULL;
    __builtin_prefetch(e);
    __builtin_prefetch((const char *)e + 64);
    __builtin_prefetch((const char *)e + 128);
    return &e->s;
}

/* The text before *at is known to be equal; moves on behind s. */
static inline bool same(const char **at, struct hale_str s)
{
    const char *p = *at;

    *at += s.len;
    return s.len == 0 || memcmp(p, s.p, s.len) == 0;
}

bool collector_spellings_is(struct collector_spelling *s, const struct collector_offer *o,
                            unsigned form, struct hale_str tenant)
{
    const struct entry *e = (const struct entry *)s;
    const char *at = e->text;

    if (e->a_len != o->a.len || e->b_len != o->b.len || e->c_len != o->c.len ||
        e->tenant_len != tenant.len || e->form != form)
        return false;
    if (!same(&at, o->a) || !same(&at, o->b) || !same(&at, o->c) || !same(&at, tenant))
        return false;
    return true;
}

static struct entry *allocate(struct collector_spellings *c, size_t text_len)
{
    size_t need = (sizeof(struct entry) + text_len + 15) & ~(size_t)15;

    if (need > CHUNK_BYTES)
        return NULL; /* a monster: decoded each time */
    if (c->chunks == NULL || c->chunks->used + need > CHUNK_BYTES) {
        struct chunk *k = malloc(sizeof(*k));
        if (k == NULL)
            return NULL;
        k->used = 0;
        k->next = c->chunks;
        c->chunks = k;
    }
    void *p = c->chunks->bytes + c->chunks->used;
    c->chunks->used += need;
    return p;
}

static bool clear(struct collector_spellings *c)
{
    struct hale_u64map *fresh = hale_u64map_new(c->max_entries);

    if (fresh == NULL)
        return false;
    hale_u64map_free(c->map);
    c->map = fresh;
    free_chunks(c);
    collector_count(CACHE_CLEARS, 1);
    return true;
}

static char *append(char *at, struct hale_str s)
{
    if (s.len > 0)
        memcpy(at, s.p, s.len);
    return at + s.len;
}

void collector_spellings_add(struct collector_spellings *c, uint64_t hash,
                             const struct collector_offer *o, unsigned form,
                             struct hale_str tenant, struct collector_series *series)
{
    if (hale_u64map_get(c->map, hash) !=
        NULL) /* other text, same hash: first one stays */
        return;
    if (hale_u64map_count(c->map) >= c->max_entries && !clear(c))
        return;
    struct entry *e = allocate(c, o->a.len + o->b.len + o->c.len + tenant.len);
    if (e == NULL)
        return;
    e->s.series = series;
    e->s.id = series->id;
    e->s.shard = series->shard;
    e->s.stored_at = 0;
    e->s.copied_at = 0;
    e->s.copies = 0;
    e->a_len = (uint32_t)o->a.len;
    e->b_len = (uint32_t)o->b.len;
    e->c_len = (uint32_t)o->c.len;
    e->tenant_len = (uint16_t)tenant.len;
    e->form = (uint8_t)form;
    (void)append(append(append(append(e->text, o->a), o->b), o->c), tenant);
    if (hale_u64map_put(c->map, hash, e) == HALE_OK)
        collector_gauge(CACHE_ENTRIES, hale_u64map_count(c->map));
}
