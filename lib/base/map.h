/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_MAP_H
#define HALE_BASE_MAP_H
/*
 * map - byte-string key to pointer, open addressing, keys copied. For tables that are looked
 * up per request or per event. The per-sample path uses u64map.
 * Ownership: the map owns its keys; values are the caller's (freed through free_value if given).
 * Limits:    at most max_items items, fixed at creation.
 * Threads:   one at a time.
 */
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

struct hale_map;

/* free_value may be NULL. NULL on memory failure. */
struct hale_map *hale_map_new(size_t max_items, void (*free_value)(void *value));
void hale_map_free(struct hale_map *m); /* NULL allowed */
/* Sets key. An old value is freed. HALE_E_LIMIT when full, HALE_E_NOMEM. value != NULL. */
HALE_MUST_CHECK enum hale_rc hale_map_put(struct hale_map *m, struct hale_str key,
                                          void *value);
void *hale_map_get(const struct hale_map *m, struct hale_str key); /* NULL when absent */
/* Removes and returns the value without freeing it; NULL when absent. */
void *hale_map_take(struct hale_map *m, struct hale_str key);
/* Frees the value; an absent key is fine. */
void hale_map_del(struct hale_map *m, struct hale_str key);
void hale_map_clear(struct hale_map *m);
size_t hale_map_count(const struct hale_map *m);
/* Iteration: *it starts at 0; returns the value and (if key_out) the key, NULL at the end.
 * The map must not change meanwhile, except hale_map_del of the item just returned. */
void *hale_map_next(const struct hale_map *m, size_t *it, struct hale_str *key_out);
#endif
