/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/intake.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/u64map.h"
#include "collector/catalog.h"
#include "collector/copies.h"
#include "collector/request.h"
#include "collector/spelling.h"
#include "collector/stats.h"
#include "collector/tenant_limit.h"
#include "model/batch.h"
#include "store/keys.h"

#define MISSES_MAX (1u << 20) /* new spellings in one request */
#define WINDOW     32         /* samples whose look-ups overlap */

/* A sample whose spelling is new. Series are put into the catalogue only when the whole
 * request is good, so a refused request leaves nothing behind. */
struct miss {
    uint64_t hash;
    struct collector_offer offer;
    size_t at, len; /* canonical bytes in canon */
};

struct window { /* offered, not looked up yet */
    unsigned n;
    struct collector_offer offers[WINDOW];
    uint64_t hashes[WINDOW];
    struct collector_spelling *found[WINDOW];
};

enum state { GOOD, BAD, TOO_FAST, TOO_MANY, TOO_MANY_SERIES, COLLISION, NO_MEMORY };

struct collector_intake {
    struct collector *app;
    pthread_mutex_t lock; /* held from begin to commit or refuse; covers all below */
    struct collector_spellings *spellings;
    struct hale_batch *batches[HALE_SHARDS_MAX]; /* being filled, one per shard */
    unsigned n_shards;
    /* Of shard `from` for `to` at from * HALE_SHARDS_MAX + to; NULL: none was needed yet. */
    struct hale_batch *copies[HALE_SHARDS_MAX * HALE_SHARDS_MAX];
    unsigned used[HALE_SHARDS_MAX * HALE_SHARDS_MAX]; /* those that hold samples */
    unsigned n_used;
    uint32_t copying; /* epoch of the masks (collector/copies.h), 0: nothing is copied */
    /* Of the current request: */
    const struct collector_form *form;
    struct collector_job *job;
    struct hale_str tenant;
    uint64_t seed;                  /* of its hashes */
    struct hale_str last_a, last_b; /* of the last offer with a c, and their hash */
    uint64_t last_hash;
    uint64_t deaths;           /* collector_catalog_deaths */
    size_t max_series;         /* the tenant's; 0: any */
    struct hale_u64map *fresh; /* ids of series that are new to it; NULL: none yet */
    int64_t accepted_us;
    enum state state;
    int64_t wait_ns; /* of TOO_FAST */
    size_t n_rejected;
    const char *reason; /* of the first rejected one */
    struct hale_err first;
    struct miss *misses;
    size_t n_misses, cap_misses;
    struct hale_buf canon; /* their canonical bytes */
    struct window w;
};

struct collector_intake *collector_intake_new(struct collector *c)
{
    struct collector_intake *in = hale_xcalloc(1, sizeof(*in));

    in->app = c;
    in->n_shards = (unsigned)c->conf->shards;
    in->spellings = collector_spellings_new((size_t)c->conf->max_spellings);
    HALE_ASSERT(in->spellings != NULL);
    HALE_ASSERT(pthread_mutex_init(&in->lock, NULL) == 0);
    for (unsigned s = 0; s < in->n_shards; s++) {
        in->batches[s] = hale_batch_new();
        HALE_ASSERT(in->batches[s] != NULL);
    }
    hale_buf_init(&in->canon, 256u << 20);
    collector_rejected_init();
    return in;
}

void collector_intake_free(struct collector_intake *in)
{
    if (in == NULL)
        return;
    collector_spellings_free(in->spellings);
    for (unsigned s = 0; s < in->n_shards; s++)
        hale_batch_free(in->batches[s]);
    for (size_t i = 0; i < HALE_SHARDS_MAX * HALE_SHARDS_MAX; i++)
        hale_batch_free(in->copies[i]);
    hale_buf_fini(&in->canon);
    free(in->misses);
    (void)pthread_mutex_destroy(&in->lock);
    free(in);
}

bool collector_intake_begin(struct collector_intake *in, struct hale_http_req *req,
                            const struct collector_form *form)
{
    if (atomic_load_explicit(&in->app->overloaded, memory_order_relaxed)) {
        collector_count(OVERLOAD_MEMORY, 1);
        collector_reply_busy(req, 5, "the store is full (redis_memory_max)");
        return false;
    }
    struct collector_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return false;
    }
    job->req = req;
    (void)pthread_mutex_lock(&in->lock);
    in->form = form;
    in->job = job;
    job->deaths = collector_catalog_deaths(in->app->catalog);
    in->tenant = hale_str_from(collector_request_of(req)->tenant);
    in->max_series =
        (size_t)collector_tenant_limits_of(in->app->limits, in->tenant).max_series;
    in->seed = collector_spellings_seed(in->spellings, form->id, in->tenant);
    in->last_a = in->last_b = (struct hale_str){NULL, 0};
    in->last_hash = collector_spellings_hash(in->last_a, in->last_b, in->seed);
    in->accepted_us = hale_clock_wall_us();
    in->copying = collector_copies_epoch(in->app->copies);
    in->state = GOOD;
    in->n_rejected = 0;
    in->reason = NULL;
    in->first.text[0] = '\0';
    return true;
}

/* Ends what begin began. The job is the caller's. */
static struct collector_job *end(struct collector_intake *in)
{
    struct collector_job *job = in->job;

    for (unsigned s = 0; s < in->n_shards; s++)
        hale_batch_reset(in->batches[s]);
    while (in->n_used > 0)
        hale_batch_reset(in->copies[in->used[--in->n_used]]);
    in->n_misses = 0;
    hale_buf_reset(&in->canon);
    hale_u64map_free(in->fresh);
    in->fresh = NULL;
    in->w.n = 0;
    in->job = NULL;
    (void)pthread_mutex_unlock(&in->lock);
    return job;
}

/* --- samples --------------------------------------------------------------------------- */

/* Moves the batch's samples into a stream entry of the job. */
static enum state seal(struct collector_intake *in, struct hale_batch *batch,
                       const struct collector_batch *entry)
{
    struct collector_job *j = in->job;
    struct collector_batch *v = realloc(j->batches, (j->n_batches + 1) * sizeof(*v));

    if (v == NULL)
        return NO_MEMORY;
    j->batches = v;
    struct collector_batch *b = &v[j->n_batches++];
    *b = *entry;
    hale_buf_init(&b->bytes, (size_t)512 << 20);
    if (hale_batch_encode(batch, in->accepted_us, &b->bytes) != HALE_OK ||
        b->bytes.failed)
        return NO_MEMORY;
    j->bytes += b->bytes.len;
    hale_batch_reset(batch);
    return GOOD;
}

static enum state seal_shard(struct collector_intake *in, unsigned shard)
{
    const struct collector_batch entry = {.shard = shard};

    return seal(in, in->batches[shard], &entry);
}

static enum state seal_copy(struct collector_intake *in, unsigned pair)
{
    const struct collector_batch entry = {
        .shard = pair % HALE_SHARDS_MAX, .copy = true, .from = pair / HALE_SHARDS_MAX};

    collector_count(SAMPLES_COPIED, hale_batch_n(in->copies[pair]));
    return seal(in, in->copies[pair], &entry);
}

/* The sample of a series of shard `from`, for the shards of the mask too; without its value_meta,
 * which nobody there reads. */
static enum state add_copies(struct collector_intake *in, uint64_t id, unsigned from,
                             const struct collector_offer *o, uint64_t mask)
{
    const struct hale_str no_meta = {NULL, 0};
    enum state state = GOOD;

    for (; mask != 0 && state == GOOD; mask &= mask - 1) {
        unsigned pair = from * HALE_SHARDS_MAX + (unsigned)__builtin_ctzll(mask);
        struct hale_batch **b = &in->copies[pair];
        if (*b == NULL && (*b = hale_batch_new()) == NULL)
            return NO_MEMORY;
        if (hale_batch_n(*b) == 0)
            in->used[in->n_used++] = pair;
        else if (hale_batch_n(*b) >= HALE_BATCH_MAX_SAMPLES)
            state = seal_copy(in, pair);
        if (state == GOOD &&
            hale_batch_add(*b, id, o->time_ms, o->value, no_meta) != HALE_OK)
            state = NO_MEMORY;
    }
    return state;
}

static enum state add_sample(struct collector_intake *in, uint64_t id, unsigned shard,
                             const struct collector_offer *o)
{
    struct hale_batch *b = in->batches[shard];

    if (hale_batch_n(b) >= HALE_BATCH_MAX_SAMPLES) {
        enum state state = seal_shard(in, shard);
        if (state != GOOD)
            return state;
    }
    if (hale_batch_add(b, id, o->time_ms, o->value, o->meta) != HALE_OK)
        return NO_MEMORY;
    in->job->n_samples++;
    return GOOD;
}

/* Of a known series. Only while something is copied. */
static uint64_t copies_of(struct collector_intake *in, struct collector_spelling *s)
{
    struct hale_series text;

    if (s->copied_at != in->copying) {
        s->copied_at = in->copying;
        s->copies = hale_series_decode(collector_series_text(s->series), &text) == HALE_OK
                        ? collector_copies_mask(in->app->copies, text.tenant, text.name)
                        : 0;
    }
    return s->copies;
}

static enum state reject(struct collector_intake *in, const char *reason,
                         const char *text)
{
    if (in->n_rejected++ == 0) {
        in->reason = reason;
        (void)hale_err_set(&in->first, HALE_E_INVAL, "%s", text);
    }
    collector_rejected_count(in->form->id, reason, 1);
    return in->form->partial ? GOOD : BAD;
}

/* May the tenant have the series id? HALE_E_LIMIT: no. Series on their way to Redis in other requests
 * are not counted yet. */
static enum hale_rc check_room(struct collector_intake *in, uint64_t id)
{
    const struct collector_series *s = collector_catalog_find(in->app->catalog, id);
    static char present;

    if (s != NULL && atomic_load(&s->state) != COLLECTOR_SERIES_DEAD)
        return HALE_OK;
    if (in->fresh == NULL)
        in->fresh = hale_u64map_new(MISSES_MAX);
    if (in->fresh == NULL)
        return HALE_E_NOMEM;
    if (hale_u64map_get(in->fresh, id) != NULL)
        return HALE_OK;
    if (collector_catalog_tenant_count(in->app->catalog, in->tenant) +
            hale_u64map_count(in->fresh) >=
        in->max_series)
        return HALE_E_LIMIT;
    return hale_u64map_put(in->fresh, id, &present) == HALE_OK ? HALE_OK : HALE_E_NOMEM;
}

static enum state add_miss(struct collector_intake *in, uint64_t hash,
                           const struct collector_offer *o)
{
    struct hale_err err;

    if (in->n_misses == in->cap_misses) {
        size_t cap = in->cap_misses > 0 ? 2 * in->cap_misses : 256;
        struct miss *m = cap <= MISSES_MAX ? realloc(in->misses, cap * sizeof(*m)) : NULL;
        if (m == NULL)
            return NO_MEMORY;
        in->misses = m;
        in->cap_misses = cap;
    }
    size_t at = in->canon.len;
    err.text[0] = '\0';
    enum hale_rc rc = in->form->canon(o, in->tenant, hale_str_from(in->app->conf->region),
                                      &in->canon, &err);
    if (in->canon.failed || rc == HALE_E_NOMEM)
        return NO_MEMORY;
    struct hale_str canonical = {in->canon.p + at, in->canon.len - at};
    struct hale_series text;
    if (rc == HALE_OK)
        rc = hale_series_decode(canonical, &text);
    if (rc != HALE_OK) {
        in->canon.len = at;
        return reject(in, "series", err.text);
    }
    uint64_t id = hale_series_id(canonical);
    rc = in->max_series > 0 ? check_room(in, id) : HALE_OK;
    if (rc == HALE_E_NOMEM)
        return NO_MEMORY;
    if (rc != HALE_OK) {
        in->canon.len = at;
        (void)snprintf(err.text, sizeof(err.text),
                       "the tenant has its %zu series (max_series of its limits)",
                       in->max_series);
        return reject(in, "series-limit", err.text);
    }
    in->misses[in->n_misses++] = (struct miss){hash, *o, at, canonical.len};
    unsigned shard = hale_series_shard(in->tenant, text.name, in->n_shards);
    enum state state = add_sample(in, id, shard, o);
    if (state == GOOD && in->copying != 0)
        state = add_copies(in, id, shard, o,
                           collector_copies_mask(in->app->copies, in->tenant, text.name));
    return state;
}

static enum state take_sample(struct collector_intake *in, unsigned i)
{
    const struct collector_offer *o = &in->w.offers[i];
    struct collector_spelling *s = in->w.found[i];

    if (s == NULL || !collector_spellings_is(s, o, in->form->id, in->tenant))
        return add_miss(in, in->w.hashes[i], o);
    if (!collector_spelling_stored(s, in->deaths)) {
        if (atomic_load(&s->series->state) == COLLECTOR_SERIES_DEAD)
            return add_miss(in, in->w.hashes[i], o); /* its ceilings count again */
        collector_series_list_add(&in->job->series, s->series);
    }
    enum state state = add_sample(in, s->id, s->shard, o);
    if (in->copying != 0 && state == GOOD)
        state = add_copies(in, s->id, s->shard, o, copies_of(in, s));
    return state;
}

static void flush(struct collector_intake *in)
{
    struct window *w = &in->w;

    in->deaths = collector_catalog_deaths(in->app->catalog);
    for (unsigned i = 0; i < w->n; i++)
        w->found[i] = collector_spellings_peek(in->spellings, w->hashes[i]);
    for (unsigned i = 0; in->state == GOOD && i < w->n; i++)
        in->state = take_sample(in, i);
    w->n = 0;
}

static inline bool same_span(struct hale_str a, struct hale_str b)
{
    return a.p == b.p && a.len == b.len;
}

/* Samples that differ in c only share the hash of a and b. */
static inline uint64_t hash_of(struct collector_intake *in,
                               const struct collector_offer *o)
{
    if (o->c.len == 0)
        return collector_spellings_hash(o->a, o->b, in->seed);
    if (!same_span(o->a, in->last_a) || !same_span(o->b, in->last_b)) {
        in->last_a = o->a;
        in->last_b = o->b;
        in->last_hash = collector_spellings_hash(o->a, o->b, in->seed);
    }
    return collector_spellings_hash_more(o->c, in->last_hash);
}

bool collector_intake_offer(struct collector_intake *in, const struct collector_offer *o)
{
    struct window *w = &in->w;

    if (in->state != GOOD)
        return false;
    uint64_t hash = hash_of(in, o);
    collector_spellings_prefetch(in->spellings, hash);
    w->offers[w->n] = *o;
    w->hashes[w->n] = hash;
    if (++w->n == WINDOW)
        flush(in);
    return in->state == GOOD;
}

void collector_intake_reject(struct collector_intake *in, const char *reason,
                             const char *fmt, ...)
{
    char text[sizeof(in->first.text)] = "";
    va_list ap;

    if (in->n_rejected == 0) { /* the others are only counted */
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
    }
    enum state state = reject(in, reason, text);
    if (in->state == GOOD)
        in->state = state;
}

struct collector_verdict collector_intake_verdict(struct collector_intake *in)
{
    flush(in);
    return (struct collector_verdict){in->job->n_samples, in->n_rejected, &in->first};
}

/* --- end of a request ------------------------------------------------------------------ */

/* The request is good: its new series enter the catalogue. */
static enum state commit_misses(struct collector_intake *in)
{
    for (size_t i = 0; i < in->n_misses; i++) {
        const struct miss *m = &in->misses[i];
        struct hale_str canonical = {in->canon.p + m->at, m->len};
        struct collector_series *s = NULL;
        enum hale_rc rc =
            collector_catalog_put(in->app->catalog, canonical, COLLECTOR_SERIES_NEW, &s);
        if (rc == HALE_E_LIMIT)
            return TOO_MANY_SERIES;
        if (rc != HALE_OK)
            return rc == HALE_E_CONFLICT ? COLLISION : NO_MEMORY;
        collector_spellings_add(in->spellings, m->hash, &m->offer, in->form->id,
                                in->tenant, s);
        if (atomic_load(&s->state) != COLLECTOR_SERIES_STORED)
            collector_series_list_add(&in->job->series, s);
    }
    return GOOD;
}

static int by_address(const void *a, const void *b)
{
    const struct collector_series *x = *(struct collector_series *const *)a;
    const struct collector_series *y = *(struct collector_series *const *)b;

    return (uintptr_t)x < (uintptr_t)y ? -1 : (uintptr_t)x > (uintptr_t)y;
}

/* Each new series once, however many samples of it the request has. */
static enum state unique_series(struct collector_series_list *l)
{
    size_t n = 0;

    if (l->failed)
        return NO_MEMORY;
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(l->v[0]), by_address);
    for (size_t i = 0; i < l->n; i++) {
        if (atomic_load(&l->v[i]->state) == COLLECTOR_SERIES_CLASH)
            return COLLISION;
        if (i == 0 || l->v[i] != l->v[i - 1])
            l->v[n++] = l->v[i];
    }
    l->n = n;
    return GOOD;
}

/* Takes the samples off the tenant's rate. */
static enum state check_rate(struct collector_intake *in)
{
    enum hale_rc rc =
        collector_tenant_limits_take(in->app->limits, in->tenant, in->job->n_samples,
                                     hale_clock_mono_us() * 1000, &in->wait_ns);

    return rc == HALE_OK ? GOOD : rc == HALE_E_AGAIN ? TOO_FAST : TOO_MANY;
}

/* Makes the job whole. */
static enum state build(struct collector_intake *in)
{
    enum state state = in->state;

    if (state == GOOD)
        state = check_rate(in);
    if (state == GOOD)
        state = commit_misses(in);
    if (state == GOOD)
        state = unique_series(&in->job->series);
    for (unsigned s = 0; s < in->n_shards; s++) {
        if (state == GOOD && hale_batch_n(in->batches[s]) > 0)
            state = seal_shard(in, s);
    }
    for (unsigned i = 0; i < in->n_used && state == GOOD; i++) {
        if (hale_batch_n(in->copies[in->used[i]]) > 0)
            state = seal_copy(in, in->used[i]);
    }
    for (size_t i = 0; i < in->job->series.n; i++)
        in->job->bytes += in->job->series.v[i]->len;
    return state;
}

/* Counts, and tells the operator, what a request was about, before it is forgotten. */
static void account(const struct collector_intake *in)
{
    char text[2 * sizeof(in->first.text)];

    collector_count(CACHE_HITS, in->job->n_samples - in->n_misses);
    collector_count(CACHE_MISSES, in->n_misses);
    if (in->n_rejected > 0)
        hale_warn("event=samples_rejected form=%s tenant=%.*s rejected=%zu taken=%u "
                  "reason=%s detail=%s",
                  in->form->name, (int)in->tenant.len, in->tenant.p, in->n_rejected,
                  in->form->partial ? in->job->n_samples : 0, in->reason,
                  hale_log_quote(in->first.text, text, sizeof(text)));
}

static void reply_too_fast(struct hale_http_req *req, int64_t wait_ns)
{
    char text[24];

    collector_count(LIMITED_RATE, 1);
    (void)snprintf(text, sizeof(text), "%" PRId64, wait_ns / 1000000000 + 1);
    hale_http_add_header(req, "Retry-After", text);
    collector_reply_error(req, 429, "Too Many Requests",
                          "the tenant sends more samples per second than its limit "
                          "(samples_per_second); nothing of this request was taken");
}

static void reply_refusal(struct hale_http_req *req, enum state state, int64_t wait_ns)
{
    switch (state) {
    case TOO_FAST: reply_too_fast(req, wait_ns); break;
    case TOO_MANY:
        collector_count(LIMITED_BURST, 1);
        collector_reply_error(
            req, 413, "Request Entity Too Large",
            "the request has more samples than the tenant may ever send "
            "at once (samples_burst); send them in several requests");
        break;
    case TOO_MANY_SERIES:
        collector_count(OVERLOAD_SERIES, 1);
        collector_reply_busy(req, 60, "the ceiling of series (max_series) is reached");
        break;
    case COLLISION:
        collector_count(COLLISIONS, 1);
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "a metric of this request has the id of another one; "
                              "change one of its dimensions");
        break;
    case NO_MEMORY:
    case BAD:
    case GOOD: collector_reply_busy(req, 5, "out of memory"); break;
    }
}

void collector_intake_commit(struct collector_intake *in, struct collector_answer *answer)
{
    flush(in);
    HALE_ASSERT(in->state != BAD); /* the form refuses such a request itself */
    enum state state = build(in);
    account(in);
    int64_t wait_ns = in->wait_ns;
    struct collector_job *job = end(in);
    job->answer = *answer;
    *answer = (struct collector_answer){0};
    if (state != GOOD) {
        collector_count(SAMPLES_REFUSED, job->n_samples);
        reply_refusal(job->req, state, wait_ns);
        collector_job_free(job);
    } else if (job->n_batches == 0) {
        collector_job_answer(job);
        collector_job_free(job);
    } else if (collector_writer_push(in->app->writer, job) != HALE_OK) {
        collector_count(OVERLOAD, 1);
        collector_reply_busy(job->req, 1, "too many requests wait for the store");
        collector_job_free(job);
    }
}

void collector_intake_refuse(struct collector_intake *in)
{
    collector_count(SAMPLES_REFUSED, in->job->n_samples);
    account(in);
    collector_job_free(end(in));
}
