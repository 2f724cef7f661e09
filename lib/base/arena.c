/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16384)
#define ALIGNMENT   (alignof(max_align_t))

struct hale_arena_block {
    struct hale_arena_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

void hale_arena_init(struct hale_arena *a, size_t max_bytes)
{
    *a = (struct hale_arena){.max = max_bytes};
}

void hale_arena_fini(struct hale_arena *a)
{
    struct hale_arena_block *next;

    for (struct hale_arena_block *b = a->last; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct hale_arena){.max = a->max};
}

static struct hale_arena_block *add_block(struct hale_arena *a, size_t n)
{
    bool large = n > BLOCK_BYTES / 4;
    size_t size = large ? n : BLOCK_BYTES;
    struct hale_arena_block *b = calloc(1, sizeof(*b) + size);

    if (b == NULL)
        return NULL;
    b->size = size;
    if (large && a->last != NULL) { /* full at once: the last one keeps its room */
        b->next = a->last->next;
        a->last->next = b;
    } else {
        b->next = a->last;
        a->last = b;
    }
    return b;
}

void *hale_arena_alloc(struct hale_arena *a, size_t n)
{
    struct hale_arena_block *b = a->last;

    if (a->failed || n > a->max || a->max - n < a->used) {
        a->failed = true;
        return NULL;
    }
    n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (b == NULL || b->size - b->used < n)
        b = add_block(a, n);
    if (b == NULL) {
        a->failed = true;
        return NULL;
    }
    void *p = b->bytes + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *hale_arena_array(struct hale_arena *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n)) {
        a->failed = true;
        return NULL;
    }
    return hale_arena_alloc(a, n);
}

struct hale_str hale_arena_str(struct hale_arena *a, struct hale_str s)
{
    char *p = hale_arena_alloc(a, s.len + 1);

    if (p == NULL)
        return (struct hale_str){NULL, 0};
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    return (struct hale_str){p, s.len};
}
