/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_DEAD_STORE_H
#define HALE_COLLECTOR_DEAD_STORE_H
/*
 * dead_store - the actuator's dead letters in Redis (docs/formats/deadletter.md), read, dropped, and
 * wished for again: {m}:replays with the record on {m}:control that follows, in one transaction.
 * Threads: any, each with its own connection.
 */
#include <jansson.h>

#include "base/buf.h"
#include "store/redis.h"

struct collector_dead_filter {
    const char *tenant;
    const char *recipient;  /* NULL: all */
    int64_t from_ms, to_ms; /* of when it was given up; inclusive */
};
struct collector_dead_list {
    size_t n;
    json_t **v; /* letters by died_ms, then id; never NULL after a successful load */
};
void collector_dead_list_fini(struct collector_dead_list *l);
/* Letters that are waiting to be sent again have "replay":{"by","at_ms"}. */
HALE_MUST_CHECK enum hale_rc
collector_dead_load_all(struct hale_redis *r, const struct collector_dead_filter *f,
                        struct collector_dead_list *out);
/* One with its "record" (null: there is none). HALE_E_NOTFOUND: none, or another tenant's. */
HALE_MUST_CHECK enum hale_rc collector_dead_load(struct hale_redis *r, const char *tenant,
                                                 const char *id, json_t **out);
/* Wishes for all letters of the list, and tells the actuator. */
HALE_MUST_CHECK enum hale_rc collector_dead_replay(struct hale_redis *r,
                                                   const struct collector_dead_list *l,
                                                   const char *by, int64_t now_ms);
HALE_MUST_CHECK enum hale_rc collector_dead_drop(struct hale_redis *r,
                                                 const struct collector_dead_list *l);
#endif
