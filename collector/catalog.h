/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CATALOG_H
#define HALE_COLLECTOR_CATALOG_H
/*
 * catalog - every series known: id, canonical bytes, first and last sample time. The text
 * is durable in Redis (hale:{sN}:series); this is the copy that ingest checks against and
 * queries select from.
 * Ownership: series belong to the catalogue and live until it is freed, so pointers to
 *            them may be kept by anybody.
 * Threads:   any; one reader-writer lock, taken for look-ups and insertions. Samples that
 *            hit the spelling cache never come here.
 * Limits:    max_series: then HALE_E_LIMIT.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "collector/params.h"
#include "model/series.h"

enum collector_series_state {
    COLLECTOR_SERIES_NEW,    /* not confirmed by Redis yet: in no listing */
    COLLECTOR_SERIES_STORED, /* Redis has it */
    COLLECTOR_SERIES_CLASH   /* Redis has other bytes under this id: refused */
};

#define COLLECTOR_NEVER_MS INT64_MIN

struct collector_series {
    uint64_t id;
    unsigned shard;
    uint32_t len;             /* of canonical */
    _Atomic int state;        /* enum collector_series_state */
    _Atomic int64_t first_ms; /* oldest sample time known, COLLECTOR_NEVER_MS: none yet */
    _Atomic int64_t last_ms;
    _Atomic int64_t
        late_ms; /* oldest sample seen below the hot window, INT64_MAX: none */
    char canonical[];
};
static inline struct hale_str collector_series_text(const struct collector_series *s)
{
    return (struct hale_str){s->canonical, s->len};
}

struct collector_catalog;

struct collector_catalog *collector_catalog_new(size_t max_series, unsigned n_shards);
void collector_catalog_free(struct collector_catalog *c);
size_t collector_catalog_count(struct collector_catalog *c);
/* NULL when unknown. */
struct collector_series *collector_catalog_find(struct collector_catalog *c, uint64_t id);
/* Finds or adds. HALE_E_CONFLICT: the id is taken by other bytes. HALE_E_INVAL: not a
 * canonical form. state is that of a new series. */
HALE_MUST_CHECK enum hale_rc collector_catalog_put(struct collector_catalog *c,
                                                   struct hale_str canonical, int state,
                                                   struct collector_series **out);

/* A growable list of series; free with collector_series_list_fini. */
struct collector_series_list {
    struct collector_series **v;
    size_t n, cap;
    bool failed;
};
void collector_series_list_add(struct collector_series_list *l,
                               struct collector_series *s);
void collector_series_list_fini(struct collector_series_list *l);

struct collector_selector {
    struct hale_str tenant;
    struct hale_str name; /* {NULL,0}: any */
    struct collector_dims dims;
    int64_t start_ms, end_ms; /* series with a sample in [start, end); INT64_MIN/MAX */
};
/* Series stored and matching, by ascending id. */
HALE_MUST_CHECK enum hale_rc collector_catalog_select(struct collector_catalog *c,
                                                      const struct collector_selector *s,
                                                      struct collector_series_list *out);
/* Calls each for every matching stored series, in no order, with the lock held for
 * reading. */
void collector_catalog_each(struct collector_catalog *c,
                            const struct collector_selector *s,
                            void (*each)(struct collector_series *series,
                                         const struct hale_series *text, void *arg),
                            void *arg);
/* The same for every series of every tenant; text is NULL. */
void collector_catalog_all(struct collector_catalog *c,
                           void (*each)(struct collector_series *series,
                                        const struct hale_series *text, void *arg),
                           void *arg);
/* Widens first/last by one sample time. */
static inline void collector_series_seen(struct collector_series *s, int64_t ms)
{
    int64_t last = atomic_load_explicit(&s->last_ms, memory_order_relaxed);
    if (ms > last)
        atomic_store_explicit(&s->last_ms, ms, memory_order_relaxed);
    int64_t first = atomic_load_explicit(&s->first_ms, memory_order_relaxed);
    if (ms < first || first == COLLECTOR_NEVER_MS)
        atomic_store_explicit(&s->first_ms, ms, memory_order_relaxed);
}
/* first/last of every series to and from a file; both are hints that replay completes. */
HALE_MUST_CHECK enum hale_rc collector_catalog_save(struct collector_catalog *c,
                                                    const char *path,
                                                    struct hale_err *err);
HALE_MUST_CHECK enum hale_rc collector_catalog_load(struct collector_catalog *c,
                                                    const char *path,
                                                    struct hale_err *err);
#endif
