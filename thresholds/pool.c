/* SPDX-License-Identifier: Apache-2.0 */
#include "thresholds/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BYTES (16u << 10)
#define HUGE_BYTES  (2u << 20)
#define LAST_BYTES  (8u << 20)
#define HEAD_BYTES  64 /* of a chunk, for the link to the next */

#ifdef __SANITIZE_ADDRESS__
#define EACH_BY_ITSELF 1
#else
#define EACH_BY_ITSELF 0
#endif

static size_t step_of(size_t bytes)
{
    return (bytes + POOL_STEP - 1) / POOL_STEP;
}

/* Doubles up to some huge pages, so that a small engine stays small. What is left of the
 * chunk before is given up: less than one piece. */
static char *new_chunk(struct pool *p)
{
    size_t bytes = p->chunk_bytes == 0 ? FIRST_BYTES : p->chunk_bytes;
    char *chunk = aligned_alloc(bytes < HUGE_BYTES ? HEAD_BYTES : HUGE_BYTES, bytes);
    if (chunk == NULL)
        return NULL;
    if (bytes >= HUGE_BYTES)
        (void)madvise(chunk, bytes, MADV_HUGEPAGE); /* a wish */
    memcpy(chunk, &p->chunks, sizeof(p->chunks));
    p->chunks = chunk;
    p->at = chunk + HEAD_BYTES;
    p->left = bytes - HEAD_BYTES;
    p->chunk_bytes = bytes < LAST_BYTES ? bytes * 2 : bytes;
    return chunk;
}

void *thresholds_pool_take(struct pool *p, size_t bytes)
{
    size_t step = step_of(bytes);
    if (step > POOL_SIZES || EACH_BY_ITSELF)
        return calloc(1, bytes);
    char *piece = p->free[step];
    if (piece != NULL) {
        memcpy(&p->free[step], piece, sizeof(p->free[step]));
    } else {
        if (p->left < step * POOL_STEP && new_chunk(p) == NULL)
            return NULL;
        piece = p->at;
        p->at += step * POOL_STEP;
        p->left -= step * POOL_STEP;
    }
    memset(piece, 0, step * POOL_STEP);
    return piece;
}

void thresholds_pool_give(struct pool *p, void *piece, size_t bytes)
{
    size_t step = step_of(bytes);
    if (piece == NULL)
        return;
    if (step > POOL_SIZES || EACH_BY_ITSELF) {
        free(piece);
        return;
    }
    memcpy(piece, &p->free[step], sizeof(p->free[step]));
    p->free[step] = piece;
}

void thresholds_pool_fini(struct pool *p)
{
    for (void *chunk = p->chunks, *next; chunk != NULL; chunk = next) {
        memcpy(&next, chunk, sizeof(next));
        free(chunk);
    }
    memset(p, 0, sizeof(*p));
}
