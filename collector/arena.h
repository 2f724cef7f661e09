/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ARENA_H
#define HALE_COLLECTOR_ARENA_H
/*
 * arena - memory of one request that does not move and is freed at once: for spans that must stay
 * valid until the request ends and are not in its body.
 * Limits:    max_bytes over all blocks; NULL beyond it, as on memory failure.
 * Threads:   one at a time.
 */
#include <stddef.h>

#include "base/str.h"

struct collector_arena_block;

struct collector_arena {
    struct collector_arena_block *blocks;
    size_t left; /* bytes that may still be allocated */
};

void collector_arena_init(struct collector_arena *a, size_t max_bytes);
void collector_arena_fini(struct collector_arena *a);
/* n bytes, unaligned; NULL: no more. */
char *collector_arena_get(struct collector_arena *a, size_t n);
#endif
