/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_ENTITIES_H
#define HALE_STORE_ENTITIES_H
/*
 * entities - a copy of the topology's rows (HALE_KEYS_ENTITIES) as graphs, for those who only ask.
 * Fresh:     hale_entities_refresh reads which rows changed since the last call (the stream
 *            HALE_KEYS_ENTITYLOG) and these rows; everything only at first, when the stream says so
 *            ("*") or has lost what follows the copy's place in it. What was written before the
 *            call is in the copy after it.
 * In pieces: a loop that must not wait long calls hale_entities_refresh_piece: one page of the log, or
 *            of the rows when everything is read anew; until that is done the graphs are the old ones.
 * Limits:    HALE_TOPOLOGY_ENTITIES_MAX in all; rows beyond, and rows that cannot be read, are left out.
 * Threads:   one at a time. Waits for Redis.
 */
#include "base/rc.h"
#include "base/str.h"
#include "model/graph.h"
#include "store/redis.h"

struct hale_entities;

struct hale_entities *hale_entities_new(void);    /* empty; NULL on memory failure */
void hale_entities_free(struct hale_entities *x); /* NULL allowed */
/* On failure the copy is as it was or empty; the next call goes on. */
HALE_MUST_CHECK enum hale_rc hale_entities_refresh(struct hale_entities *x,
                                                   struct hale_redis *r);
/* The same, a piece of it. *more_out: there is more to do; false: as after hale_entities_refresh. */
HALE_MUST_CHECK enum hale_rc hale_entities_refresh_piece(struct hale_entities *x,
                                                         struct hale_redis *r,
                                                         bool *more_out);
/* True while everything is read anew in pieces: the graphs are older than the log. */
bool hale_entities_loading(const struct hale_entities *x);
/* NULL: the tenant has none. Valid until the next refresh; not to be changed, but for claims, which
 * are taken back before the next refresh. */
struct hale_graph *hale_entities_graph(const struct hale_entities *x,
                                       struct hale_str tenant);
/* The tenant's sources with a sync, in no given order; row: the source row's JSON. *it starts at
 * 0. False at the end. */
bool hale_entities_source(const struct hale_entities *x, struct hale_str tenant,
                          size_t *it, struct hale_str *source, const char **row);
#endif
