/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_U64MAP_H
#define HALE_BASE_U64MAP_H
/*
 * u64map - 64-bit key (already a good hash, e.g. a series id) to pointer, for the sample path:
 * one cache line per lookup in the common case, no allocation except on growth.
 * Key 0 is a valid key. Values must not be NULL.
 * Limits:    at most max_items, fixed at creation. Threads: one at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

struct hale_u64map;

struct hale_u64map *hale_u64map_new(size_t max_items);
void hale_u64map_free(struct hale_u64map *m); /* values are the caller's */
HALE_MUST_CHECK enum hale_rc hale_u64map_put(struct hale_u64map *m, uint64_t key,
                                             void *value);
void *hale_u64map_get(const struct hale_u64map *m, uint64_t key);
void *hale_u64map_take(struct hale_u64map *m, uint64_t key);
size_t hale_u64map_count(const struct hale_u64map *m);
size_t hale_u64map_memory(const struct hale_u64map *m); /* bytes of the table */
void *hale_u64map_next(const struct hale_u64map *m, size_t *it, uint64_t *key_out);
/* Asks the processor to load the slot of key; call a few keys ahead of hale_u64map_get. */
void hale_u64map_prefetch(const struct hale_u64map *m, uint64_t key);
#endif
