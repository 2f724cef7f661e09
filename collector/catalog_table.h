/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CATALOG_TABLE_H
#define HALE_COLLECTOR_CATALOG_TABLE_H
/*
 * catalog_table - the small containers of the catalogue, all of 32-bit numbers, because at a
 * million series every pointer costs 8 MB:
 *   arena   series side by side, never moved or freed alone; a number names one
 *   table   hash to number; the texts lie with the owner, who compares
 *   list    numbers in order of addition
 *   order   numbers of texts in the order of their bytes; additions are sorted in when
 *           somebody looks (settle), so that adding costs nothing
 * Ownership: zero-initialise; _fini frees. Threads: as their owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

#define CATALOG_NONE UINT32_MAX

/* --- arena ----------------------------------------------------------------------------- */

struct catalog_arena {
    char **chunks;
    uint32_t n_chunks, cap;
    uint32_t used; /* units of the last chunk */
};
/* 8-byte aligned, zeroed; at most 128 KiB. NULL: no memory. */
void *catalog_arena_add(struct catalog_arena *a, size_t bytes, uint32_t *ref_out);
void *catalog_arena_at(const struct catalog_arena *a, uint32_t ref);
/* Takes the last addition, which was not used, back. */
void catalog_arena_undo(struct catalog_arena *a, size_t bytes);
/* Passing over all: from ref 0, _get (NULL: nothing there), _next by the size it had; zero bytes
 * are the unused rest of a chunk: _next_chunk, CATALOG_NONE behind the last. */
void *catalog_arena_get(const struct catalog_arena *a, uint32_t ref);
uint32_t catalog_arena_next(uint32_t ref, size_t bytes);
uint32_t catalog_arena_next_chunk(const struct catalog_arena *a, uint32_t ref);
size_t catalog_arena_bytes(const struct catalog_arena *a);
void catalog_arena_fini(struct catalog_arena *a);

/* --- table ----------------------------------------------------------------------------- */

struct catalog_table {
    struct catalog_slot *slots;
    uint32_t mask, n;
};
typedef bool (*catalog_same)(const void *owner, uint32_t number, const void *what);
/* The number under hash for which same() holds, or CATALOG_NONE. */
uint32_t catalog_table_find(const struct catalog_table *t, uint32_t hash,
                            catalog_same same, const void *owner, const void *what);
/* The caller knows that it is not there. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc catalog_table_add(struct catalog_table *t, uint32_t hash,
                                               uint32_t number);
size_t catalog_table_bytes(const struct catalog_table *t);
void catalog_table_fini(struct catalog_table *t);

/* --- list ------------------------------------------------------------------------------ */

struct catalog_list {
    uint32_t *v;
    uint32_t n, cap;
};
/* Room for one more. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc catalog_list_reserve(struct catalog_list *l);
static inline void catalog_list_push(struct catalog_list *l, uint32_t number)
{
    l->v[l->n++] = number; /* after a reserve */
}
void catalog_list_fini(struct catalog_list *l);

/* --- order ----------------------------------------------------------------------------- */

struct catalog_order {
    struct catalog_list list; /* the first `sorted` are in order */
    uint32_t sorted;
};
typedef struct hale_str (*catalog_text)(const void *owner, uint32_t number);
void catalog_order_settle(struct catalog_order *o, catalog_text text, const void *owner);
/* Index of the first text greater than after ({NULL,0}: 0), once settled. */
uint32_t catalog_order_after(const struct catalog_order *o, struct hale_str after,
                             catalog_text text, const void *owner);
#endif
