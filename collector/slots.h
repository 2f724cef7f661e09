/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SLOTS_H
#define HALE_COLLECTOR_SLOTS_H
/*
 * slots - which place in the archive's files each series has: layout, group, slot. Durable in
 * Redis (hale:{sN}:slots) before anything is written there, and never given to another series,
 * for the rows of the former would be its own.
 * Hash:      field id (8 bytes, big-endian) -> u32 group, u16 layout, u8 slot, u8 0 (little-endian);
 *            field "archive-layout:<n>" -> text (tiers.h); field "archive-next:<n>" -> group and
 *            slot that the layout's next series gets.
 * Limits:    max_series; COLLECTOR_LAYOUTS_MAX layouts a shard over all time.
 * Threads:   any; one mutex. Assign, forget and load from one thread at a time.
 */
#include "base/rc.h"
#include "store/redis.h"
#include "store/rrd_group.h"

#define COLLECTOR_LAYOUTS_MAX 256

struct collector_place {
    uint32_t group;
    uint16_t layout;
    uint8_t slot;
};
struct collector_candidate { /* a series that has no place yet */
    uint64_t id;
    uint64_t object; /* equal for series that should meet in a group */
    const struct hale_rrd_layout *layout;
};
struct collector_slots;

struct collector_slots *collector_slots_new(size_t max_series, unsigned n_shards);
void collector_slots_free(struct collector_slots *s);
HALE_MUST_CHECK enum hale_rc collector_slots_load(struct collector_slots *s,
                                                  struct hale_redis *redis);
size_t collector_slots_count(struct collector_slots *s);
bool collector_slots_find(struct collector_slots *s, uint64_t id,
                          struct collector_place *out);
/* Gives places to all, sorted by object (reorders v). HALE_E_LIMIT: too many layouts or series;
 * others: Redis. Those that got none may be offered again. */
HALE_MUST_CHECK enum hale_rc
collector_slots_assign(struct collector_slots *s, struct hale_redis *redis,
                       unsigned shard, struct collector_candidate *v, size_t n);
/* The layout of a place. The copy is the caller's. */
struct hale_rrd_layout collector_slots_layout(struct collector_slots *s, unsigned shard,
                                              uint16_t layout);
/* Series that a group has. */
size_t collector_slots_used(struct collector_slots *s, unsigned shard,
                            const struct collector_place *p);
/* HALE_E_NOTFOUND: it has no place. The group gets no further series when it was its last. */
HALE_MUST_CHECK enum hale_rc collector_slots_forget(struct collector_slots *s,
                                                    struct hale_redis *redis,
                                                    unsigned shard, uint64_t id,
                                                    struct collector_place *out,
                                                    bool *last_out);
#endif
