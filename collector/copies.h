/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_COPIES_H
#define HALE_COLLECTOR_COPIES_H
/*
 * copies - which metrics are needed in other shards than their own: a definition that calculates
 * with metrics of several shards is evaluated in the shard of its first one, so the samples of
 * the others are appended there too (docs/formats/streams.md, docs/adr/0016-arithmetic.md).
 * Life:      load at the start; set or drop whenever this collector changed a definition, before
 *            it answers; follow once a second for what others changed.
 * Threads:   any; a mutex. follow: one at a time. The sample path only asks for the epoch.
 * Limits:    with one shard it is empty and stays so.
 */
#include <stdint.h>

#include "base/str.h"
#include "model/definition.h"
#include "store/redis.h"

struct collector_copies;

struct collector_copies *collector_copies_new(unsigned n_shards); /* exits on no memory */
void collector_copies_free(struct collector_copies *c);           /* NULL allowed */
/* HALE_E_NOMEM: nothing is copied for d. */
HALE_MUST_CHECK enum hale_rc collector_copies_set(struct collector_copies *c,
                                                  const struct hale_definition *d);
void collector_copies_drop(struct collector_copies *c, const char *id);
/* 0: nothing is copied. Else what mask_of says holds until it changes. */
uint32_t collector_copies_epoch(const struct collector_copies *c);
/* The shards that need the metric's samples besides its own, by bit. */
uint64_t collector_copies_mask(struct collector_copies *c, struct hale_str tenant,
                               struct hale_str name);
HALE_MUST_CHECK enum hale_rc collector_copies_load(struct collector_copies *c,
                                                   struct hale_redis *r);
/* What the control stream tells since load or the last follow. */
HALE_MUST_CHECK enum hale_rc collector_copies_follow(struct collector_copies *c,
                                                     struct hale_redis *r);
#endif
