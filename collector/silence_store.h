/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SILENCE_STORE_H
#define HALE_COLLECTOR_SILENCE_STORE_H
/*
 * silence_store - silences and maintenance windows in Redis: {m}:silences, {m}:maintenance, and the record on
 * {m}:control that follows each change, in one transaction. What is over stays until it is deleted once more or
 * room is needed. Threads: any, each with its own connection.
 */
#include "model/silence.h"
#include "store/redis.h"

/* HALE_E_NOTFOUND: unknown or another tenant's. */
HALE_MUST_CHECK enum hale_rc collector_silence_load(struct hale_redis *r,
                                                    bool maintenance, const char *tenant,
                                                    const char *id,
                                                    struct hale_silence **out);
struct collector_silence_list {
    size_t n;
    struct hale_silence **v;
};
void collector_silence_list_fini(struct collector_silence_list *l);
/* All of a tenant (NULL: of all), by id. */
HALE_MUST_CHECK enum hale_rc
collector_silence_load_all(struct hale_redis *r, bool maintenance, const char *tenant,
                           struct collector_silence_list *out);
/* New or changed. HALE_E_LIMIT: HALE_SILENCES_MAX are there and none is over. */
HALE_MUST_CHECK enum hale_rc collector_silence_put(struct hale_redis *r,
                                                   const struct hale_silence *s,
                                                   bool create, int64_t now_ms);
HALE_MUST_CHECK enum hale_rc collector_silence_remove(struct hale_redis *r,
                                                      const struct hale_silence *s);
#endif
