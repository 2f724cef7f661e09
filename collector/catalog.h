/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CATALOG_H
#define HALE_COLLECTOR_CATALOG_H
/*
 * catalog - every series known: id, canonical bytes, first and last sample time, and an index
 * per tenant of names, dimension keys and values (docs/adr/0013-catalogue-index.md). The text
 * is durable in Redis (hale:{sN}:series); this is the copy that ingest checks against and
 * queries select from.
 * Life:      put (NEW) - confirm once Redis has the text (STORED, visible) - kill (DEAD,
 *            invisible at once) - confirm again when it reports again. Only the thread that
 *            writes samples to Redis calls kill and doubt, so that no sample can be under way
 *            for a series whose text is being removed.
 * Ownership: series belong to the catalogue and live until it is freed, dead ones too, so
 *            pointers to them (and views into their text) may be kept by anybody.
 * Threads:   any; one reader-writer lock, taken for look-ups and insertions, and a mutex for
 *            the lists of distinct words. Samples that hit the spelling cache never come here.
 * Limits:    max_series alive, and as many dead ones until the next start: then HALE_E_LIMIT.
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
    COLLECTOR_SERIES_CLASH,  /* Redis has other bytes under this id: refused */
    COLLECTOR_SERIES_DOUBT,  /* a deletion was not confirmed: listed, but its text must be
                              * written again before its next sample */
    COLLECTOR_SERIES_DEAD    /* deleted: in no listing; confirm revives it */
};

#define COLLECTOR_NEVER_MS INT64_MIN

struct collector_series {
    uint64_t id;
    _Atomic int64_t first_ms; /* oldest sample time known, COLLECTOR_NEVER_MS: none yet */
    _Atomic int64_t last_ms;
    _Atomic int64_t
        late_ms;     /* oldest sample seen below the hot window, INT64_MAX: none */
    uint32_t metric; /* the index's */
    uint16_t len;    /* of canonical */
    uint8_t shard;
    _Atomic uint8_t state; /* enum collector_series_state */
    char canonical[];
};
static inline struct hale_str collector_series_text(const struct collector_series *s)
{
    return (struct hale_str){s->canonical, s->len};
}

struct collector_catalog;

struct collector_catalog *collector_catalog_new(size_t max_series, unsigned n_shards);
void collector_catalog_free(struct collector_catalog *c);
/* Series that are not dead. */
size_t collector_catalog_count(struct collector_catalog *c);
/* Those of a tenant that are in its listings. */
size_t collector_catalog_tenant_count(struct collector_catalog *c,
                                      struct hale_str tenant);
/* Bytes of all of it. */
size_t collector_catalog_memory(struct collector_catalog *c);
/* NULL when unknown. Dead ones too. */
struct collector_series *collector_catalog_find(struct collector_catalog *c, uint64_t id);
/* Finds or adds. HALE_E_CONFLICT: the id is taken by other bytes. HALE_E_INVAL: not a
 * canonical form. state is that of a new series: NEW, or STORED to confirm it at once. */
HALE_MUST_CHECK enum hale_rc collector_catalog_put(struct collector_catalog *c,
                                                   struct hale_str canonical, int state,
                                                   struct collector_series **out);
/* Redis has the series: it becomes visible. HALE_E_NOMEM: it stays as it was. */
HALE_MUST_CHECK enum hale_rc collector_catalog_confirm(struct collector_catalog *c,
                                                       struct collector_series *s);
/* A dead one is about to be written to Redis again: as if it were new. */
void collector_catalog_revive(struct collector_catalog *c, struct collector_series *s);
/* Redis has it no more: it becomes invisible, its times are forgotten. */
void collector_catalog_kill(struct collector_catalog *c, struct collector_series *s);
/* Nobody knows whether Redis has it. */
void collector_catalog_doubt(struct collector_catalog *c, struct collector_series *s);
/* Grows with each kill and doubt: who remembers that a series is stored must look at its
 * state again when this has changed. */
uint64_t collector_catalog_deaths(struct collector_catalog *c);

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
    int64_t idle_before_ms;   /* 0: any; series whose last sample is older */
};
/* Stored, and of the selector's times; nothing else of it is looked at. */
bool collector_series_visible(const struct collector_series *s,
                              const struct collector_selector *sel);
/* Series stored and matching, by ascending id. */
HALE_MUST_CHECK enum hale_rc collector_catalog_select(struct collector_catalog *c,
                                                      const struct collector_selector *s,
                                                      struct collector_series_list *out);
/* The same, but only the first max with an id greater than after (any: the first max). For
 * pages: costs no more than a look at each candidate. */
HALE_MUST_CHECK enum hale_rc collector_catalog_page(struct collector_catalog *c,
                                                    const struct collector_selector *s,
                                                    const uint64_t *after, size_t max,
                                                    struct collector_series_list *out);
/* Calls each for every matching stored series, in no order, with the lock held for
 * reading: each must not call the catalogue. */
void collector_catalog_each(struct collector_catalog *c,
                            const struct collector_selector *sel,
                            void (*each)(struct collector_series *series,
                                         const struct hale_series *text, void *arg),
                            void *arg);
/* The same for every series of every tenant, dead ones too, in the order of appearance; text is
 * NULL. The lock is given up now and then, so that nobody waits long for it. */
void collector_catalog_all(struct collector_catalog *c,
                           void (*each)(struct collector_series *series,
                                        const struct hale_series *text, void *arg),
                           void *arg);

/* --- distinct words (catalog_words.c) ---------------------------------------------------- */

/* Texts in ascending order of their bytes, each once: views into the catalogue that stay valid
 * as long as it. Free with collector_words_fini. */
struct collector_words {
    struct hale_str *v;
    size_t n, cap;
    bool failed;
};
void collector_words_fini(struct collector_words *w);

struct collector_words_page { /* zero: all */
    struct hale_str after;    /* only greater ones; {NULL,0}: from the first */
    size_t max;               /* 0: all */
};
/* Distinct metric names, dimension keys, and values of one key, among the series that sel
 * selects (sel->name, dims and times as in _select). Without dims and times they come from lists
 * kept sorted, whatever the number of series. page may be NULL. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc
collector_catalog_names(struct collector_catalog *c, const struct collector_selector *sel,
                        const struct collector_words_page *page,
                        struct collector_words *out);
HALE_MUST_CHECK enum hale_rc
collector_catalog_keys(struct collector_catalog *c, const struct collector_selector *sel,
                       const struct collector_words_page *page,
                       struct collector_words *out);
HALE_MUST_CHECK enum hale_rc
collector_catalog_values(struct collector_catalog *c,
                         const struct collector_selector *sel, struct hale_str key,
                         const struct collector_words_page *page,
                         struct collector_words *out);

/* --- times ------------------------------------------------------------------------------- */

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
