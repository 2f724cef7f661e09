/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/arena.h"

#include <stdlib.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct collector_arena_block {
    struct collector_arena_block *next;
    size_t used, size;
    char bytes[];
};

void collector_arena_init(struct collector_arena *a, size_t max_bytes)
{
    a->blocks = NULL;
    a->left = max_bytes;
}

void collector_arena_fini(struct collector_arena *a)
{
    while (a->blocks != NULL) {
        struct collector_arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}

char *collector_arena_get(struct collector_arena *a, size_t n)
{
    struct collector_arena_block *b = a->blocks;
    if (b == NULL || b->size - b->used < n) {
        size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        b = size <= a->left ? malloc(sizeof(*b) + size) : NULL;
        if (b == NULL)
            return NULL;
        *b = (struct collector_arena_block){.next = a->blocks, .size = size};
        a->blocks = b;
        a->left -= size;
    }
    b->used += n;
    return b->bytes + b->used - n;
}
