/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SPELLING_H
#define HALE_COLLECTOR_SPELLING_H
/*
 * spelling - cache from the JSON source text of a metric's name and dimensions, as a
 * sender writes it, to its series. A hit costs two hashes and one exact comparison: no
 * decoding, sorting, allocation or lock. The hash is seeded with a random number per
 * process, so nobody can aim at one slot.
 * Limits:    max_entries; a full cache is emptied whole (counted) and fills again.
 * Threads:   the network thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "collector/catalog.h"
#include "model/metric_json.h"

struct collector_spellings;

struct collector_spelling {
    struct collector_series *series;
    uint64_t id;
    unsigned shard;
    bool stored; /* Redis has confirmed the series; once true it stays so */
};

struct collector_spellings *collector_spellings_new(size_t max_entries);
void collector_spellings_free(struct collector_spellings *c);
/* Hash of the text for tenant_seed (collector_spellings_seed). */
uint64_t collector_spellings_hash(const struct hale_metric_view *v, uint64_t tenant_seed);
uint64_t collector_spellings_seed(const struct collector_spellings *c,
                                  struct hale_str tenant);
/* A look-up in three steps, so that a caller with many can overlap their cache misses:
 * _prefetch asks for the slot, _peek reads it (NULL: not there) and asks for the entry,
 * _is compares the text. Pointers are valid until the next add. */
void collector_spellings_prefetch(const struct collector_spellings *c, uint64_t hash);
struct collector_spelling *collector_spellings_peek(const struct collector_spellings *c,
                                                    uint64_t hash);
bool collector_spellings_is(struct collector_spelling *s,
                            const struct hale_metric_view *v, struct hale_str tenant);
/* Remembers; failure to allocate only means a miss the next time. */
void collector_spellings_add(struct collector_spellings *c, uint64_t hash,
                             const struct hale_metric_view *v, struct hale_str tenant,
                             struct collector_series *series);
#endif
