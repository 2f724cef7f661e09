/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CATALOG_INDEX_H
#define HALE_COLLECTOR_CATALOG_INDEX_H
/*
 * catalog_index - the inside of the catalogue: per tenant its metrics, keys and terms (a term is
 * one value of one key), each with the number of series alive, and the lists of series that a
 * selection walks: those of a metric, and those of a term unless it is so common that the list
 * would save nothing.
 * Nothing is ever taken out: a dead series stays in its lists and is passed over by its state, so
 * that killing and reviving only change counts. Texts are views into the first series that had
 * them.
 * Threads:   the catalogue's lock; the orders and caches besides under its mutex of words.
 */
#include <pthread.h>

#include "collector/catalog.h"
#include "collector/catalog_table.h"

struct catalog_term {
    const char *text;
    uint32_t *
        v; /* series of it, capacity the power of two from n; NULL when n <= 1 or common */
    uint32_t n;   /* ever, dead ones too */
    uint32_t one; /* when n == 1 */
    uint32_t live;
    uint32_t key;
    uint16_t len;
    bool common; /* no list: walking it would cost as much as walking all */
};

struct catalog_key {
    const char *text;
    uint16_t len;
    uint32_t live; /* series */
    uint32_t live_terms;
    uint32_t common_terms; /* alive or not */
    struct catalog_order terms;
};

struct catalog_tenant {
    char text[HALE_TENANT_MAX_BYTES];
    uint8_t len;
    size_t live, n_series; /* alive; ever */
    struct catalog_table key_table, term_table;
    struct catalog_key *keys;
    struct catalog_term *terms;
    uint32_t n_keys, cap_keys, n_terms, cap_terms;
    struct catalog_list metrics; /* in order of appearance */
    struct catalog_order metric_order, key_order;
};

struct
    catalog_cache { /* a distinct list of one metric; valid while version is the metric's */
    uint64_t version;
    uint32_t key; /* of values */
    struct catalog_list list;
};

struct catalog_metric {
    const char *text;
    uint32_t tenant;
    uint16_t len;
    uint32_t live;
    uint64_t version; /* changes with its visible series; never 0 */
    struct catalog_list series;
    struct catalog_cache keys, values;
};

struct catalog_index {
    struct catalog_arena arena; /* of struct collector_series */
    struct catalog_table tenant_table, metric_table;
    struct catalog_tenant **tenants;
    struct catalog_metric *metrics;
    uint32_t n_tenants, cap_tenants, n_metrics, cap_metrics;
};

struct collector_catalog {
    pthread_rwlock_t lock;
    pthread_mutex_t words; /* taken with lock held for reading */
    struct catalog_table by_id;
    struct catalog_index index;
    size_t max_series, n_series, n_dead;
    unsigned n_shards;
    _Atomic uint64_t deaths;
};

void catalog_index_fini(struct catalog_index *ix);
size_t catalog_index_bytes(const struct catalog_index *ix);
static inline struct collector_series *catalog_series(const struct catalog_index *ix,
                                                      uint32_t ref)
{
    return catalog_arena_at(&ix->arena, ref);
}
/* Enters a series once; counts do not change. HALE_E_NOMEM: not entered. */
HALE_MUST_CHECK enum hale_rc catalog_index_add(struct catalog_index *ix, uint32_t ref,
                                               struct collector_series *s,
                                               const struct hale_series *text);
/* An entered series became visible (+1) or invisible (-1). */
void catalog_index_count(struct catalog_index *ix, const struct collector_series *s,
                         const struct hale_series *text, int by);

/* Numbers, or CATALOG_NONE. */
uint32_t catalog_index_tenant(const struct catalog_index *ix, struct hale_str tenant);
uint32_t catalog_index_metric(const struct catalog_index *ix, uint32_t tenant,
                              struct hale_str name);
uint32_t catalog_tenant_key(const struct catalog_tenant *t, struct hale_str key);
uint32_t catalog_tenant_term(const struct catalog_tenant *t, uint32_t key,
                             struct hale_str value);

/* A selection, resolved. */
struct catalog_walk {
    const struct collector_selector *sel;
    uint32_t tenant, metric;   /* CATALOG_NONE: any metric */
    bool nothing;              /* nothing can match */
    bool need_text;            /* visit gets the decoded text even without filters */
    struct catalog_list terms; /* walk these terms' series; n == 0: the metrics' */
};
typedef bool (*catalog_visit)(struct collector_series *s, const struct hale_series *text,
                              void *arg); /* false: enough; text NULL unless decoded */
HALE_MUST_CHECK enum hale_rc catalog_walk_init(struct catalog_walk *w,
                                               const struct catalog_index *ix,
                                               const struct collector_selector *sel);
void catalog_walk_fini(struct catalog_walk *w);
/* False when visit had enough. */
bool catalog_walk_run(const struct catalog_walk *w, const struct catalog_index *ix,
                      catalog_visit visit, void *arg);
/* Only the series of one metric; for a walk without terms. */
bool catalog_walk_metric(const struct catalog_walk *w, const struct catalog_index *ix,
                         uint32_t metric, catalog_visit visit, void *arg);
#endif
