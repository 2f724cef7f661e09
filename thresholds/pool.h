/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_POOL_H
#define HALE_THRESHOLDS_POOL_H
/*
 * pool - memory of an engine's many small pieces (sub-alarms, series): without a header each, in
 * chunks that are large enough for huge pages, since samples come in no order and every page that the
 * processor has to look up costs as much as the work on a window. What is freed is kept for pieces of
 * the same size; chunks go with the pool.
 * Threads: one at a time. Under AddressSanitizer each piece is a malloc of its own, so that it sees what
 *          is used after it was freed.
 */
#include <stddef.h>

#define POOL_STEP  8   /* sizes are rounded up to this */
#define POOL_SIZES 128 /* larger pieces are malloc'ed */

struct pool {
    void *free[POOL_SIZES + 1]; /* by size / POOL_STEP: each points to the next */
    void *chunks;               /* each points to the next */
    char *at;                   /* not yet used of the newest chunk */
    size_t left, chunk_bytes;
};

/* Zeroed; NULL without memory. A pool of zeros is empty. */
void *thresholds_pool_take(struct pool *p, size_t bytes);
/* piece: NULL or from take with the same bytes. */
void thresholds_pool_give(struct pool *p, void *piece, size_t bytes);
/* Every piece beyond POOL_SIZES steps must have been given back. */
void thresholds_pool_fini(struct pool *p);
#endif
