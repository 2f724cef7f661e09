/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_ARENA_H
#define HALE_BASE_ARENA_H
/*
 * arena - memory that is freed all at once: the nodes of a parsed text, the intermediate
 * results of a query.
 * Ownership: the struct is the caller's; what is allocated lives until _fini.
 * Limits:    max_bytes at init; beyond it, or without memory, NULL is returned and failed is set.
 * Threads:   one at a time.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct hale_arena_block;
struct hale_arena {
    struct hale_arena_block *last;
    size_t used; /* bytes handed out */
    size_t max;
    bool failed;
};

void hale_arena_init(struct hale_arena *a, size_t max_bytes);
void hale_arena_fini(struct hale_arena *a); /* may be called twice */
/* Zeroed, aligned for any object; n 0 gives a valid pointer. */
void *hale_arena_alloc(struct hale_arena *a, size_t n);
/* count * size, overflow included in the ceiling. */
void *hale_arena_array(struct hale_arena *a, size_t count, size_t size);
/* A copy of s, NUL-terminated; {NULL,0} on failure. */
struct hale_str hale_arena_str(struct hale_arena *a, struct hale_str s);
#endif
