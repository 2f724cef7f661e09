/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/u64map.h"
#include "collector/request.h"
#include "collector/spelling.h"
#include "collector/stats.h"
#include "collector/writer.h"
#include "model/batch.h"
#include "model/metric_json.h"
#include "store/keys.h"

#define MISSES_MAX (1u << 20) /* new spellings in one request */

/* A sample whose spelling is new. Series are put into the catalogue only when the whole
 * request is good, so a refused request leaves nothing behind. */
struct miss {
    uint64_t hash;
    struct hale_metric_view view;
    size_t at, len; /* canonical bytes in canon */
};

struct collector_ingest {
    struct collector *app;
    struct collector_spellings *spellings;
    struct hale_batch *batches[HALE_SHARDS_MAX]; /* being filled, one per shard */
    unsigned n_shards;
    struct miss *misses; /* of the current request */
    size_t n_misses, cap_misses;
    struct hale_buf canon; /* their canonical bytes */
    struct hale_str tenant;
    uint64_t tenant_seed;
    int64_t accepted_us;
    struct collector_job *job;
};

enum verdict { GOOD, BAD_JSON, BAD_SCHEMA, TOO_MANY_SERIES, COLLISION, NO_MEMORY };

struct collector_ingest *collector_ingest_new(struct collector *c)
{
    struct collector_ingest *i = hale_xcalloc(1, sizeof(*i));

    i->app = c;
    i->n_shards = (unsigned)c->conf->shards;
    i->spellings = collector_spellings_new((size_t)c->conf->max_spellings);
    HALE_ASSERT(i->spellings != NULL);
    for (unsigned s = 0; s < i->n_shards; s++) {
        i->batches[s] = hale_batch_new();
        HALE_ASSERT(i->batches[s] != NULL);
    }
    hale_buf_init(&i->canon, 256u << 20);
    return i;
}

void collector_ingest_free(struct collector_ingest *i)
{
    if (i == NULL)
        return;
    collector_spellings_free(i->spellings);
    for (unsigned s = 0; s < i->n_shards; s++)
        hale_batch_free(i->batches[s]);
    hale_buf_fini(&i->canon);
    free(i->misses);
    free(i);
}

/* Moves the shard's samples into a stream entry of the job. */
static enum verdict seal(struct collector_ingest *in, unsigned shard)
{
    struct collector_job *j = in->job;
    struct collector_batch *v = realloc(j->batches, (j->n_batches + 1) * sizeof(*v));

    if (v == NULL)
        return NO_MEMORY;
    j->batches = v;
    struct collector_batch *b = &v[j->n_batches++];
    b->shard = shard;
    hale_buf_init(&b->bytes, (size_t)512 << 20);
    if (hale_batch_encode(in->batches[shard], in->accepted_us, &b->bytes) != HALE_OK ||
        b->bytes.failed)
        return NO_MEMORY;
    j->bytes += b->bytes.len;
    hale_batch_reset(in->batches[shard]);
    return GOOD;
}

static enum verdict add_sample(struct collector_ingest *in, uint64_t id, unsigned shard,
                               const struct hale_metric_view *v)
{
    struct hale_batch *b = in->batches[shard];

    if (hale_batch_n(b) >= HALE_BATCH_MAX_SAMPLES) {
        enum verdict verdict = seal(in, shard);
        if (verdict != GOOD)
            return verdict;
    }
    if (hale_batch_add(b, id, v->time_ms, v->value, v->meta_raw) != HALE_OK)
        return NO_MEMORY;
    in->job->n_samples++;
    return GOOD;
}

static enum verdict add_miss(struct collector_ingest *in, uint64_t hash,
                             const struct hale_metric_view *v, struct hale_err *err)
{
    if (in->n_misses == in->cap_misses) {
        size_t cap = in->cap_misses > 0 ? 2 * in->cap_misses : 256;
        struct miss *m = cap <= MISSES_MAX ? realloc(in->misses, cap * sizeof(*m)) : NULL;
        if (m == NULL)
            return NO_MEMORY;
        in->misses = m;
        in->cap_misses = cap;
    }
    struct miss *m = &in->misses[in->n_misses];
    m->hash = hash;
    m->view = *v;
    m->at = in->canon.len;
    enum hale_rc rc = hale_metric_series(
        v, in->tenant, hale_str_from(in->app->conf->region), &in->canon, err);
    if (rc != HALE_OK)
        return BAD_SCHEMA;
    if (in->canon.failed)
        return NO_MEMORY;
    m->len = in->canon.len - m->at;
    in->n_misses++;
    struct hale_str canonical = {in->canon.p + m->at, m->len};
    struct hale_series text;
    if (hale_series_decode(canonical, &text) != HALE_OK)
        return BAD_SCHEMA;
    return add_sample(in, hale_series_id(canonical),
                      hale_series_shard(in->tenant, text.name, in->n_shards), v);
}

#define WINDOW 32 /* samples whose look-ups overlap */

struct window {
    unsigned n;
    struct hale_metric_view views[WINDOW];
    uint64_t hashes[WINDOW];
    struct collector_spelling *found[WINDOW];
};

static enum verdict take_sample(struct collector_ingest *in, const struct window *w,
                                unsigned i, struct hale_err *err)
{
    const struct hale_metric_view *v = &w->views[i];
    struct collector_spelling *s = w->found[i];

    if (v->meta_raw.p != NULL && hale_metric_check_meta(v->meta_raw, err) != HALE_OK)
        return BAD_SCHEMA;
    if (s == NULL || !collector_spellings_is(s, v, in->tenant))
        return add_miss(in, w->hashes[i], v, err);
    if (!s->stored)
        collector_series_list_add(&in->job->series, s->series);
    return add_sample(in, s->id, s->shard, v);
}

static enum verdict take_window(struct collector_ingest *in, struct window *w,
                                struct hale_err *err)
{
    enum verdict verdict = GOOD;

    for (unsigned i = 0; i < w->n; i++)
        w->found[i] = collector_spellings_peek(in->spellings, w->hashes[i]);
    for (unsigned i = 0; verdict == GOOD && i < w->n; i++)
        verdict = take_sample(in, w, i, err);
    w->n = 0;
    return verdict;
}

static enum verdict parse(struct collector_ingest *in, struct hale_str body,
                          struct hale_err *err)
{
    struct hale_metric_parser p;
    struct window w;
    enum hale_metric_fault fault;
    enum verdict verdict = GOOD;

    w.n = 0;
    hale_metric_parser_init(&p, body);
    while ((fault = hale_metric_parser_next(&p, &w.views[w.n])) == HALE_METRIC_OK) {
        if (verdict != GOOD)
            continue; /* a body that is not JSON further on is 400, not 422 */
        w.hashes[w.n] = collector_spellings_hash(&w.views[w.n], in->tenant_seed);
        collector_spellings_prefetch(in->spellings, w.hashes[w.n]);
        if (++w.n == WINDOW)
            verdict = take_window(in, &w, err);
    }
    if (verdict == GOOD && w.n > 0)
        verdict = take_window(in, &w, err);
    collector_count(CACHE_HITS, in->job->n_samples - in->n_misses);
    collector_count(CACHE_MISSES, in->n_misses);
    if (fault == HALE_METRIC_BAD_JSON ||
        (fault == HALE_METRIC_BAD_SCHEMA && verdict == GOOD)) {
        *err = p.err;
        return fault == HALE_METRIC_BAD_JSON ? BAD_JSON : BAD_SCHEMA;
    }
    return verdict;
}

/* The request is good: its new series enter the catalogue. */
static enum verdict commit_misses(struct collector_ingest *in)
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
        collector_spellings_add(in->spellings, m->hash, &m->view, in->tenant, s);
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
static enum verdict unique_series(struct collector_series_list *l)
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

static enum verdict build(struct collector_ingest *in, struct hale_str body,
                          struct hale_err *err)
{
    enum verdict verdict = parse(in, body, err);

    if (verdict == GOOD)
        verdict = commit_misses(in);
    if (verdict == GOOD)
        verdict = unique_series(&in->job->series);
    for (unsigned s = 0; s < in->n_shards; s++) {
        if (verdict == GOOD && hale_batch_n(in->batches[s]) > 0)
            verdict = seal(in, s);
        hale_batch_reset(in->batches[s]);
    }
    for (size_t i = 0; i < in->job->series.n; i++)
        in->job->bytes += in->job->series.v[i]->len;
    in->n_misses = 0;
    hale_buf_reset(&in->canon);
    return verdict;
}

static void refuse(struct collector_ingest *in, struct hale_http_req *req,
                   enum verdict verdict, const struct hale_err *err)
{
    collector_count(SAMPLES_REFUSED, in->job->n_samples);
    switch (verdict) {
    case BAD_JSON:
        collector_reply_error(req, 400, "Bad request",
                              "Request body is not valid JSON: %s", err->text);
        break;
    case BAD_SCHEMA: collector_reply_invalid(req, err); break;
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
    case GOOD: collector_reply_busy(req, 5, "out of memory"); break;
    }
}

void collector_ingest_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct collector_ingest *in = c->ingest;
    struct hale_err err = {0};

    (void)redis;
    if (!collector_request_is_json(req)) {
        collector_reply_error(req, 400, "Bad request",
                              "Bad content type. Must be application/json");
        return;
    }
    if (atomic_load_explicit(&c->overloaded, memory_order_relaxed)) {
        collector_count(OVERLOAD_MEMORY, 1);
        collector_reply_busy(req, 5, "the store is full (redis_memory_max)");
        return;
    }
    in->job = calloc(1, sizeof(*in->job));
    if (in->job == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    in->job->req = req;
    in->tenant = hale_str_from(collector_request_of(req)->tenant);
    in->tenant_seed = collector_spellings_seed(in->spellings, in->tenant);
    in->accepted_us = hale_clock_wall_us();
    enum verdict verdict = build(in, hale_http_body(req), &err);
    if (verdict != GOOD) {
        refuse(in, req, verdict, &err);
        collector_job_free(in->job);
    } else if (in->job->n_batches == 0) { /* [] */
        collector_reply_none(req, 204);
        collector_job_free(in->job);
    } else if (collector_writer_push(c->writer, in->job) != HALE_OK) {
        collector_count(OVERLOAD, 1);
        collector_reply_busy(req, 1, "too many requests wait for the store");
        collector_job_free(in->job);
    }
    in->job = NULL;
}
