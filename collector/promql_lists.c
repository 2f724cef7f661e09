/* SPDX-License-Identifier: Apache-2.0 */
/* promql_lists - series, labels, values, metadata and buildinfo of Prometheus' API. */
#include <limits.h>
#include <stdlib.h>

#include "base/map.h"
#include "collector/metadata.h"
#include "collector/promql_api.h"
#include "collector/promql_format.h"
#include "collector/promql_source.h"
#include "collector/request.h"
#include "collector/stats.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define ARENA_MAX  ((size_t)256 << 20)

struct lists { /* one request */
    struct collector *c;
    struct hale_http_req *req;
    struct collector_promql_params *p;
    struct collector_promql_store store;
    int64_t start_ms, end_ms;
    size_t limit;                        /* 0: none */
    struct collector_series_list series; /* of all match[], each once */
    struct hale_buf out;
};

/* --- parameters --------------------------------------------------------------------------------- */

static bool read_limit(struct lists *l)
{
    struct hale_str s = collector_promql_param(l->p, "limit");
    uint64_t n = 0;

    if (s.len > 0 && hale_str_u64(s, &n) != HALE_OK) {
        collector_promql_reply_parameter(l->req, "limit", "must be a whole number");
        return false;
    }
    l->limit = (size_t)n;
    return true;
}

/* False: answered. Close in any case. */
static bool open_lists(struct lists *l, struct collector *c, struct hale_redis *redis,
                       struct hale_http_req *req)
{
    int64_t deadline_ms = 0;

    *l = (struct lists){.c = c, .req = req, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    hale_buf_init(&l->out, ANSWER_MAX);
    l->p = calloc(1, sizeof(*l->p));
    if (l->p == NULL) {
        collector_promql_reply_error(req, 503, "unavailable", "out of memory");
        return false;
    }
    if (!collector_promql_read_params(req, l->p) ||
        !collector_promql_time_param(req, l->p, "start", &l->start_ms) ||
        !collector_promql_time_param(req, l->p, "end", &l->end_ms) || !read_limit(l) ||
        !collector_promql_deadline(c, req, l->p, &deadline_ms))
        return false;
    collector_promql_store_init(&l->store, c, redis,
                                hale_str_from(collector_request_of(req)->tenant),
                                deadline_ms);
    if (l->end_ms >= l->start_ms)
        return true;
    collector_promql_reply_parameter(req, "end",
                                     "end timestamp must not be before start time");
    return false;
}

static void close_lists(struct lists *l)
{
    if (l->p != NULL)
        collector_promql_params_fini(l->p);
    free(l->p);
    collector_promql_store_fini(&l->store);
    collector_series_list_fini(&l->series);
    hale_buf_fini(&l->out);
}

static void reply_failed(struct lists *l, enum hale_rc rc)
{
    if (rc == HALE_E_CLOSED) {
        collector_count(PROMQL_TIMEOUTS, 1);
        collector_promql_reply_error(l->req, 503, "timeout", "query timed out");
    } else if (rc == HALE_E_LIMIT) {
        collector_count(PROMQL_FAILED, 1);
        collector_promql_reply_error(
            l->req, 422, "execution",
            "the regular expression of a matcher takes too much work");
    } else {
        collector_promql_reply_error(l->req, 503, "unavailable", "out of memory");
    }
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct collector_series *const *)a;
    uintptr_t y = (uintptr_t) * (struct collector_series *const *)b;

    return (x > y) - (x < y);
}

static void unique(struct collector_series_list *list)
{
    size_t n = 0;

    if (list->n > 1)
        qsort(list->v, list->n, sizeof(struct collector_series *), by_address);
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || list->v[n - 1] != list->v[i])
            list->v[n++] = list->v[i];
    list->n = n;
}

/* Series of one match[] into l->series; false: answered. */
static bool add_match(struct lists *l, struct hale_str text)
{
    struct collector_series_list found = {0};
    struct hale_promql selector;
    struct hale_err err = {0};
    enum hale_rc rc = hale_promql_parse_selector(text, &selector, &err);

    if (rc != HALE_OK) {
        collector_promql_reply_parameter(l->req, "match[]", "%d:%d: parse error: %s",
                                         err.line, err.col, err.text);
        hale_promql_fini(&selector);
        return false;
    }
    rc = collector_promql_store_list(&l->store, selector.root, l->start_ms, l->end_ms,
                                     &found);
    for (size_t i = 0; rc == HALE_OK && i < found.n; i++)
        collector_series_list_add(&l->series, found.v[i]);
    if (rc == HALE_OK && l->series.failed)
        rc = HALE_E_NOMEM;
    if (rc != HALE_OK)
        reply_failed(l, rc);
    collector_series_list_fini(&found);
    hale_promql_fini(&selector);
    return rc == HALE_OK;
}

/* *n: number of match[]; false: answered. */
static bool read_matches(struct lists *l, unsigned *n)
{
    *n = 0;
    for (unsigned i = 0; i < l->p->n; i++) {
        if (!hale_str_eq_c(l->p->v[i].name, "match[]"))
            continue;
        ++*n;
        if (!add_match(l, l->p->v[i].value))
            return false;
        if (*n > 1)
            unique(&l->series);
    }
    return true;
}

static void reply_list(struct lists *l)
{
    hale_buf_add_c(&l->out, "]}");
    collector_reply_buf(l->req, 200, COLLECTOR_JSON, &l->out);
}

/* --- series -------------------------------------------------------------------------------------- */

static int by_labels(const void *a, const void *b)
{
    return collector_promql_labels_cmp(*(const struct collector_promql_labels *const *)a,
                                       *(const struct collector_promql_labels *const *)b);
}

static void write_series(struct lists *l)
{
    struct hale_arena arena;
    const struct collector_promql_labels **v;

    hale_arena_init(&arena, ARENA_MAX);
    v = hale_arena_array(&arena, l->series.n, sizeof(*v));
    for (size_t i = 0; v != NULL && i < l->series.n; i++) {
        v[i] = collector_promql_store_labels(&l->store, l->series.v[i], &arena);
        if (v[i] == NULL)
            v = NULL;
    }
    if (v == NULL) {
        collector_promql_reply_error(l->req, 422, "execution", "too many series");
    } else {
        if (l->series.n > 1)
            qsort(v, l->series.n, sizeof(*v), by_labels);
        hale_buf_add_c(&l->out, "{\"status\":\"success\",\"data\":[");
        for (size_t i = 0; i < l->series.n && (l->limit == 0 || i < l->limit); i++) {
            if (i > 0)
                hale_buf_add_char(&l->out, ',');
            collector_promql_add_labels(&l->out, v[i]);
        }
        reply_list(l);
    }
    hale_arena_fini(&arena);
}

void collector_promql_series(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    struct lists l;
    unsigned n;

    if (open_lists(&l, c, redis, req) && read_matches(&l, &n)) {
        if (n == 0)
            collector_promql_reply_error(req, 400, "bad_data",
                                         "no match[] parameter provided");
        else
            write_series(&l);
    }
    close_lists(&l);
}

/* --- labels -------------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return hale_str_cmp(*(const struct hale_str *)a, *(const struct hale_str *)b);
}

/* Texts with __name__ and the like put where they belong. */
static void write_words(struct lists *l, struct collector_words *w)
{
    size_t n = 0;

    if (w->failed) {
        reply_failed(l, HALE_E_NOMEM);
        return;
    }
    if (w->n > 1)
        qsort(w->v, w->n, sizeof(w->v[0]), by_bytes);
    hale_buf_add_c(&l->out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; i < w->n && (l->limit == 0 || n < l->limit); i++) {
        if (i > 0 && hale_str_eq(w->v[i - 1], w->v[i]))
            continue;
        if (n++ > 0)
            hale_buf_add_char(&l->out, ',');
        hale_buf_add_json(&l->out, w->v[i]);
    }
    reply_list(l);
}

static void add_word(struct collector_words *w, struct hale_str s)
{
    if (w->n == w->cap) {
        size_t cap = w->cap > 0 ? 2 * w->cap : 256;
        struct hale_str *v = realloc(w->v, cap * sizeof(*v));
        if (v == NULL) {
            w->failed = true;
            return;
        }
        w->v = v;
        w->cap = cap;
    }
    w->v[w->n++] = s;
}

/* Of l->series: the values of one label, or (name NULL) the labels' names. */
static void collect(struct lists *l, const struct hale_str *name,
                    struct collector_words *w)
{
    struct hale_map *seen = hale_map_new(l->series.n * (HALE_DIMS_MAX + 2) + 1, NULL);

    w->failed = seen == NULL;
    for (size_t i = 0; !w->failed && i < l->series.n; i++) {
        struct hale_arena arena;
        hale_arena_init(&arena, 1 << 20);
        const struct collector_promql_labels *labels =
            collector_promql_store_labels(&l->store, l->series.v[i], &arena);
        w->failed = labels == NULL;
        for (unsigned k = 0; !w->failed && k < labels->n; k++) {
            struct hale_str word = name == NULL ? labels->v[k].name : labels->v[k].value;
            if ((name != NULL && !hale_str_eq(labels->v[k].name, *name)) ||
                hale_map_get(seen, word) != NULL)
                continue;
            if (hale_map_put(seen, word, l) != HALE_OK)
                w->failed = true;
            add_word(w, word); /* a view into the catalogue, or a literal */
        }
        hale_arena_fini(&arena);
    }
    hale_map_free(seen);
}

static struct collector_selector whole_tenant(const struct lists *l)
{
    return (struct collector_selector){.tenant = l->store.tenant,
                                       .start_ms = l->start_ms,
                                       .end_ms = l->end_ms == INT64_MAX ? INT64_MAX
                                                                        : l->end_ms + 1};
}

void collector_promql_label_names(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    struct collector_words w = {0};
    struct lists l;
    unsigned n;

    if (open_lists(&l, c, redis, req) && read_matches(&l, &n)) {
        struct collector_selector all = whole_tenant(&l);
        if (n > 0) {
            collect(&l, NULL, &w);
        } else if (collector_catalog_keys(c->catalog, &all, NULL, &w) != HALE_OK) {
            w.failed = true;
        } else if (w.n > 0) {
            add_word(&w, HALE_STR("__name__"));
        }
        write_words(&l, &w);
    }
    collector_words_fini(&w);
    close_lists(&l);
}

void collector_promql_label_values(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    struct collector_words w = {0};
    struct lists l;
    unsigned n;

    if (open_lists(&l, c, redis, req) && read_matches(&l, &n)) {
        struct hale_str label = collector_promql_label_name(
            &l.p->arena, hale_str_from(collector_request_of(req)->param));
        struct collector_selector all = whole_tenant(&l);
        enum hale_rc rc = HALE_OK;
        if (n > 0)
            collect(&l, &label, &w);
        else if (hale_str_eq_c(label, "__name__"))
            rc = collector_catalog_names(c->catalog, &all, NULL, &w);
        else
            rc = collector_catalog_values(c->catalog, &all, label, NULL, &w);
        w.failed = w.failed || rc != HALE_OK;
        write_words(&l, &w);
    }
    collector_words_fini(&w);
    close_lists(&l);
}

/* --- metadata ------------------------------------------------------------------------------------ */

struct metadata {
    struct lists *l;
    struct hale_str name; /* "": all */
    struct hale_map *known;
    size_t n;
    bool failed;
};

static void begin_metric(struct metadata *m, struct hale_str name)
{
    if (m->n++ > 0)
        hale_buf_add_char(&m->l->out, ',');
    hale_buf_add_json(&m->l->out, name);
}

static bool add_known(const struct collector_metadata_entry *e, void *arg)
{
    struct metadata *m = arg;
    struct hale_buf *b = &m->l->out;

    if (m->l->limit > 0 && m->n >= m->l->limit)
        return false;
    m->failed = hale_map_put(m->known, e->name, m) != HALE_OK;
    begin_metric(m, e->name);
    hale_buf_add_c(b, ":[{\"type\":");
    hale_buf_add_json(b, e->type);
    hale_buf_add_c(b, ",\"help\":");
    hale_buf_add_json(b, e->help);
    hale_buf_add_c(b, ",\"unit\":");
    hale_buf_add_json(b, e->unit);
    hale_buf_add_c(b, "}]");
    return !m->failed;
}

/* Metrics of which no sender has said anything. */
static void add_unknown(struct metadata *m)
{
    struct collector_selector all = whole_tenant(m->l);
    struct collector_words w = {0};

    all.name = m->name;
    if (m->name.len == 0)
        all.name = (struct hale_str){NULL, 0};
    if (collector_catalog_names(m->l->c->catalog, &all, NULL, &w) != HALE_OK)
        m->failed = true;
    for (size_t i = 0; !m->failed && i < w.n; i++) {
        if (m->l->limit > 0 && m->n >= m->l->limit)
            break;
        if (hale_map_get(m->known, w.v[i]) != NULL)
            continue;
        begin_metric(m, w.v[i]);
        hale_buf_add_c(&m->l->out,
                       ":[{\"type\":\"unknown\",\"help\":\"\",\"unit\":\"\"}]");
    }
    collector_words_fini(&w);
}

void collector_promql_metadata(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    struct lists l;

    if (open_lists(&l, c, redis, req)) {
        struct metadata m = {.l = &l, .name = collector_promql_param(l.p, "metric")};
        m.known = hale_map_new(COLLECTOR_METADATA_NAMES, NULL);
        m.failed = m.known == NULL;
        hale_buf_add_c(&l.out, "{\"status\":\"success\",\"data\":{");
        if (!m.failed)
            collector_metadata_each(c->metadata, l.store.tenant, m.name, add_known, &m);
        if (!m.failed)
            add_unknown(&m);
        hale_buf_add_c(&l.out, "}}");
        if (m.failed)
            reply_failed(&l, HALE_E_NOMEM);
        else
            collector_reply_buf(req, 200, COLLECTOR_JSON, &l.out);
        hale_map_free(m.known);
    }
    close_lists(&l);
}

/* --- buildinfo ----------------------------------------------------------------------------------- */

/* version is that of the Prometheus whose interface this is: Grafana chooses its calls by it. */
void collector_promql_buildinfo(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    (void)c;
    (void)redis;
    collector_reply_bytes(
        req, 200, COLLECTOR_JSON,
        HALE_STR("{\"status\":\"success\",\"data\":{\"version\":\"2.42.0\",\"revision\":"
                 "\"hale-" HALE_VERSION "\",\"branch\":\"hale\",\"buildUser\":\"\","
                 "\"buildDate\":\"\",\"goVersion\":\"\"}}"));
}
