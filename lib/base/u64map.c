/* SPDX-License-Identifier: Apache-2.0 */
/*
 * u64map - power-of-two table of 16-byte slots, four to a cache line, linear probing, at
 * most 3/4 full; removal shifts the rest of the run back, so there are no tombstones and
 * the table does not age. A slot is empty when its value is NULL.
 */
#include "base/u64map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

#define MAGIC       0x36346d70u
#define FIRST_SLOTS 64
#define LINE_BYTES  64
#define HUGE_BYTES  (2u << 20)

struct slot {
    uint64_t key;
    void *value; /* NULL: empty */
};

struct hale_u64map {
    unsigned magic;
    unsigned shift; /* 64 - log2(number of slots) */
    size_t mask;    /* number of slots - 1 */
    size_t count;
    size_t limit; /* grow when count reaches it */
    size_t max_items;
    struct slot *slots;
};

/* Fibonacci hashing: the high bits of the product depend on all bits of the key, so that
 * keys that are not hashes after all (tests, small integers) do no harm. */
static inline size_t home(const struct hale_u64map *m, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> m->shift);
}

static struct slot *alloc_slots(size_t n)
{
    size_t bytes = n * sizeof(struct slot);
    size_t align = bytes >= 2 * (size_t)HUGE_BYTES ? HUGE_BYTES : LINE_BYTES;
    struct slot *slots = aligned_alloc(align, bytes);
    if (slots == NULL)
        return NULL;
    if (align == HUGE_BYTES)
        (void)madvise(slots, bytes, MADV_HUGEPAGE); /* a wish: fewer TLB misses */
    memset(slots, 0, bytes);
    return slots;
}

static void set_slots(struct hale_u64map *m, struct slot *slots, size_t n)
{
    m->slots = slots;
    m->mask = n - 1;
    m->shift = 64 - (unsigned)__builtin_ctzll(n);
    m->limit = n / 4 * 3;
}

struct hale_u64map *hale_u64map_new(size_t max_items)
{
    HALE_ASSERT(max_items > 0 && max_items <= SIZE_MAX / 64);
    struct hale_u64map *m = calloc(1, sizeof(*m));
    struct slot *slots = alloc_slots(FIRST_SLOTS);
    if (m == NULL || slots == NULL) {
        free(m);
        free(slots);
        return NULL;
    }
    m->magic = MAGIC;
    m->max_items = max_items;
    set_slots(m, slots, FIRST_SLOTS);
    return m;
}

void hale_u64map_free(struct hale_u64map *m)
{
    if (m == NULL)
        return;
    HALE_CHECK(m, MAGIC);
    m->magic = 0;
    free(m->slots);
    free(m);
}

/* The slot of key, or the empty slot where it would go. */
static inline struct slot *find(const struct hale_u64map *m, uint64_t key)
{
    size_t i = home(m, key);
    while (m->slots[i].value != NULL && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

static enum hale_rc double_slots(struct hale_u64map *m)
{
    size_t old_n = m->mask + 1;
    struct slot *old = m->slots;
    struct slot *slots = alloc_slots(old_n * 2);
    if (slots == NULL)
        return HALE_E_NOMEM;
    set_slots(m, slots, old_n * 2);
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].value != NULL)
            *find(m, old[i].key) = old[i];
    }
    free(old);
    return HALE_OK;
}

enum hale_rc hale_u64map_put(struct hale_u64map *m, uint64_t key, void *value)
{
    HALE_ASSERT(value != NULL);
    struct slot *slot = find(m, key);
    if (slot->value != NULL) {
        slot->value = value;
        return HALE_OK;
    }
    if (m->count == m->max_items)
        return HALE_E_LIMIT;
    if (m->count == m->limit) {
        enum hale_rc rc = double_slots(m);
        if (rc != HALE_OK)
            return rc;
        slot = find(m, key);
    }
    slot->key = key;
    slot->value = value;
    m->count++;
    return HALE_OK;
}

void *hale_u64map_get(const struct hale_u64map *m, uint64_t key)
{
    return find(m, key)->value;
}

void *hale_u64map_take(struct hale_u64map *m, uint64_t key)
{
    struct slot *slot = find(m, key);
    void *value = slot->value;
    if (value == NULL)
        return NULL;

    /* Close the gap: an item further on in the run moves back unless the gap lies before
     * its home, counted around the end of the table. */
    size_t gap = (size_t)(slot - m->slots);
    size_t i = gap;
    for (;;) {
        i = (i + 1) & m->mask;
        if (m->slots[i].value == NULL)
            break;
        size_t distance_home = (i - home(m, m->slots[i].key)) & m->mask;
        size_t distance_gap = (i - gap) & m->mask;
        if (distance_home >= distance_gap) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct slot){0, NULL};
    m->count--;
    return value;
}

size_t hale_u64map_count(const struct hale_u64map *m)
{
    return m->count;
}

size_t hale_u64map_memory(const struct hale_u64map *m)
{
    return (m->mask + 1) * sizeof(struct slot) + sizeof(*m);
}

void *hale_u64map_next(const struct hale_u64map *m, size_t *it, uint64_t *key_out)
{
    while (*it <= m->mask) {
        const struct slot *slot = &m->slots[(*it)++];
        if (slot->value != NULL) {
            if (key_out != NULL)
                *key_out = slot->key;
            return slot->value;
        }
    }
    return NULL;
}

void hale_u64map_prefetch(const struct hale_u64map *m, uint64_t key)
{
    __builtin_prefetch(&m->slots[home(m, key)]);
}
