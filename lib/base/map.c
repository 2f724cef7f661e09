/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - items lie in one array in the order they came (holes where one was removed); a
 * power-of-two index of item numbers, linear probing, finds them. So iteration order does
 * not depend on the hash seed, which is random per map against chosen collisions, and
 * removing the item just returned does not disturb an iteration.
 */
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"

#define MAGIC       0x6d617021u
#define FIRST_ITEMS 8
#define MAX_ITEMS   (UINT32_C(1) << 30)

struct item {
    uint64_t hash;
    char *key; /* owned; NULL in a hole */
    size_t key_len;
    void *value; /* NULL in a hole */
};

struct hale_map {
    unsigned magic;
    size_t max_items;
    size_t count;     /* live items */
    size_t n_items;   /* used places of items[], holes included */
    size_t cap_items; /* allocated places; the index has twice as many slots */
    struct item *items;
    uint32_t *index; /* item number + 1; 0 is empty */
    size_t mask;     /* slots of the index - 1 */
    uint64_t seed;
    void (*free_value)(void *value);
};

struct hale_map *hale_map_new(size_t max_items, void (*free_value)(void *value))
{
    HALE_ASSERT(max_items > 0 && max_items <= MAX_ITEMS);
    struct hale_map *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->magic = MAGIC;
    m->max_items = max_items;
    m->free_value = free_value;
    hale_id_random(&m->seed, sizeof(m->seed));
    return m;
}

void hale_map_free(struct hale_map *m)
{
    if (m == NULL)
        return;
    hale_map_clear(m);
    m->magic = 0;
    free(m);
}

void hale_map_clear(struct hale_map *m)
{
    HALE_CHECK(m, MAGIC);
    for (size_t i = 0; i < m->n_items; i++) {
        free(m->items[i].key);
        if (m->items[i].value != NULL && m->free_value != NULL)
            m->free_value(m->items[i].value);
    }
    free(m->items);
    free(m->index);
    m->items = NULL;
    m->index = NULL;
    m->count = m->n_items = m->cap_items = m->mask = 0;
}

/* Index slot that holds key, or the empty slot that ends its run. The index must exist.
 */
static size_t find_slot(const struct hale_map *m, uint64_t hash, struct hale_str key)
{
    size_t slot = hash & m->mask;
    for (; m->index[slot] != 0; slot = (slot + 1) & m->mask) {
        const struct item *item = &m->items[m->index[slot] - 1];
        if (item->hash == hash && item->key_len == key.len &&
            (key.len == 0 || memcmp(item->key, key.p, key.len) == 0))
            break;
    }
    return slot;
}

/* Fresh arrays for cap items (a power of two); holes vanish, order stays. */
static enum hale_rc rebuild(struct hale_map *m, size_t cap)
{
    struct item *items = calloc(cap, sizeof(*items));
    uint32_t *index = calloc(cap * 2, sizeof(*index));
    if (items == NULL || index == NULL) {
        free(items);
        free(index);
        return HALE_E_NOMEM;
    }
    size_t mask = cap * 2 - 1;
    size_t n = 0;
    for (size_t i = 0; i < m->n_items; i++) {
        if (m->items[i].value == NULL)
            continue;
        items[n++] = m->items[i];
        size_t slot = m->items[i].hash & mask;
        while (index[slot] != 0)
            slot = (slot + 1) & mask;
        index[slot] = (uint32_t)n;
    }
    free(m->items);
    free(m->index);
    m->items = items;
    m->index = index;
    m->n_items = n;
    m->cap_items = cap;
    m->mask = mask;
    return HALE_OK;
}

static enum hale_rc make_room(struct hale_map *m)
{
    if (m->n_items < m->cap_items)
        return HALE_OK;
    /* With a quarter or more of holes the same size will do. */
    size_t cap = m->cap_items > 0 ? m->cap_items : FIRST_ITEMS;
    if (m->count > cap / 4 * 3)
        cap *= 2;
    return rebuild(m, cap);
}

static void replace_value(struct hale_map *m, struct item *item, void *value)
{
    void *old = item->value;
    item->value = value;
    if (old != value && m->free_value != NULL)
        m->free_value(old);
}

enum hale_rc hale_map_put(struct hale_map *m, struct hale_str key, void *value)
{
    HALE_CHECK(m, MAGIC);
    HALE_ASSERT(value != NULL);
    uint64_t hash = hale_id_hash64_seed(key.p, key.len, m->seed);
    if (m->index != NULL) {
        uint32_t number = m->index[find_slot(m, hash, key)];
        if (number != 0) {
            replace_value(m, &m->items[number - 1], value);
            return HALE_OK;
        }
    }
    if (m->count == m->max_items)
        return HALE_E_LIMIT;
    char *copy = malloc(key.len + 1);
    if (copy == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = make_room(m);
    if (rc != HALE_OK) {
        free(copy);
        return rc;
    }
    if (key.len > 0)
        memcpy(copy, key.p, key.len);
    copy[key.len] = '\0';
    size_t slot = find_slot(m, hash, key);
    m->items[m->n_items++] = (struct item){hash, copy, key.len, value};
    m->index[slot] = (uint32_t)m->n_items;
    m->count++;
    return HALE_OK;
}

void *hale_map_get(const struct hale_map *m, struct hale_str key)
{
    HALE_CHECK(m, MAGIC);
    if (m->count == 0)
        return NULL;
    uint64_t hash = hale_id_hash64_seed(key.p, key.len, m->seed);
    uint32_t number = m->index[find_slot(m, hash, key)];
    return number != 0 ? m->items[number - 1].value : NULL;
}

/* Empties an index slot and moves the rest of its run back over the gap. */
static void close_gap(struct hale_map *m, size_t gap)
{
    size_t i = gap;
    for (;;) {
        i = (i + 1) & m->mask;
        if (m->index[i] == 0)
            break;
        size_t home = m->items[m->index[i] - 1].hash & m->mask;
        if (((i - home) & m->mask) >= ((i - gap) & m->mask)) {
            m->index[gap] = m->index[i];
            gap = i;
        }
    }
    m->index[gap] = 0;
}

void *hale_map_take(struct hale_map *m, struct hale_str key)
{
    HALE_CHECK(m, MAGIC);
    if (m->count == 0)
        return NULL;
    size_t slot = find_slot(m, hale_id_hash64_seed(key.p, key.len, m->seed), key);
    if (m->index[slot] == 0)
        return NULL;
    struct item *item = &m->items[m->index[slot] - 1];
    void *value = item->value;
    close_gap(m, slot);
    free(item->key); /* key.p may have been this very memory: not used below */
    *item = (struct item){0};
    m->count--;
    if (m->count == 0)
        m->n_items = 0;
    return value;
}

void hale_map_del(struct hale_map *m, struct hale_str key)
{
    void *value = hale_map_take(m, key);
    if (value != NULL && m->free_value != NULL)
        m->free_value(value);
}

size_t hale_map_count(const struct hale_map *m)
{
    return m->count;
}

void *hale_map_next(const struct hale_map *m, size_t *it, struct hale_str *key_out)
{
    while (*it < m->n_items) {
        const struct item *item = &m->items[(*it)++];
        if (item->value == NULL)
            continue;
        if (key_out != NULL)
            *key_out = (struct hale_str){item->key, item->key_len};
        return item->value;
    }
    return NULL;
}
