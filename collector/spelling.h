/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SPELLING_H
#define HALE_COLLECTOR_SPELLING_H
/*
 * spelling - cache from the raw bytes that spell a series in a request (the spans a, b and c
 * of an offer, collector/intake.h) to the series. A hit costs a hash per span and one exact
 * comparison: no decoding, sorting, allocation or lock. The hash is seeded with a random
 * number per process, so nobody can aim at one slot. Spellings of different request formats
 * or tenants never meet.
 * Limits:    max_entries; a full cache is emptied whole (counted) and fills again.
 * Threads:   one at a time (the intake's lock).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "collector/catalog.h"
#include "collector/intake.h"

struct collector_spellings;

struct collector_spelling {
    struct collector_series *series;
    uint64_t id;
    uint16_t shard;
    uint32_t copied_at; /* epoch of `copies` */
    uint64_t copies;    /* other shards that need its samples (collector/copies.h) */
    uint64_t stored_at; /* collector_catalog_deaths + 1 when it was last seen stored */
};
/* Redis has the series; deaths is a fresh collector_catalog_deaths. */
static inline bool collector_spelling_stored(struct collector_spelling *s,
                                             uint64_t deaths)
{
    if (s->stored_at != deaths + 1 &&
        atomic_load_explicit(&s->series->state, memory_order_acquire) ==
            COLLECTOR_SERIES_STORED)
        s->stored_at = deaths + 1;
    return s->stored_at == deaths + 1;
}

struct collector_spellings *collector_spellings_new(size_t max_entries);
void collector_spellings_free(struct collector_spellings *c);
/* The seed of a request's hashes: spellings of form (its id) from tenant. */
uint64_t collector_spellings_seed(const struct collector_spellings *c, unsigned form,
                                  struct hale_str tenant);
/* Of a and b. */
uint64_t collector_spellings_hash(struct hale_str a, struct hale_str b, uint64_t seed);
/* Of a, b and a c that is not empty, given that of a and b. */
uint64_t collector_spellings_hash_more(struct hale_str c, uint64_t hash);
/* A look-up in three steps, so that a caller with many can overlap their cache misses:
 * _prefetch asks for the slot, _peek reads it (NULL: not there) and asks for the entry,
 * _is compares the text. Pointers are valid until the next add. */
void collector_spellings_prefetch(const struct collector_spellings *c, uint64_t hash);
struct collector_spelling *collector_spellings_peek(const struct collector_spellings *c,
                                                    uint64_t hash);
bool collector_spellings_is(struct collector_spelling *s, const struct collector_offer *o,
                            unsigned form, struct hale_str tenant);
/* Remembers; failure to allocate only means a miss the next time. */
void collector_spellings_add(struct collector_spellings *c, uint64_t hash,
                             const struct collector_offer *o, unsigned form,
                             struct hale_str tenant, struct collector_series *series);
#endif
