/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/metrics_api.h"

#include <stdlib.h>
#include <string.h>

#include "collector/catalog.h"
#include "collector/query.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)256 << 20)

/* name_param: which parameter holds the metric's name ("name", "metric_name", NULL). */
static bool read_selector(struct hale_http_req *req, const char *name_param,
                          struct collector_selector *sel, size_t *limit)
{
    struct hale_err err = {0};
    const char *name = name_param != NULL ? hale_http_query(req, name_param) : NULL;
    enum hale_rc rc = HALE_OK;

    memset(sel, 0, sizeof(*sel));
    sel->tenant = hale_str_from(collector_request_of(req)->tenant);
    sel->start_ms = INT64_MIN;
    sel->end_ms = INT64_MAX;
    if (name != NULL) {
        sel->name = hale_str_from(name);
        rc = hale_series_check_name(sel->name, &err);
    }
    if (rc == HALE_OK)
        rc = collector_params_dims(hale_http_query(req, "dimensions"), &sel->dims, &err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "start_time"), "start_time",
                                   &sel->start_ms, &err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "end_time"), "end_time",
                                   &sel->end_ms, &err);
    if (rc == HALE_OK)
        rc = collector_params_limit(hale_http_query(req, "limit"), limit, &err);
    if (rc != HALE_OK) {
        collector_reply_invalid(req, &err);
        return false;
    }
    if (sel->end_ms <= sel->start_ms) {
        collector_reply_error(req, 400, "Bad request",
                              "start_time must be before end_time");
        return false;
    }
    return true;
}

static void write_metric(const struct collector_series *s, struct hale_buf *out)
{
    struct hale_series text;
    char id[HALE_SERIES_ID_TEXT];

    if (hale_series_decode(collector_series_text(s), &text) != HALE_OK)
        return;
    hale_series_id_text(s->id, id);
    hale_buf_printf(out, "{\"id\":\"%s\",\"name\":", id);
    hale_buf_add_json(out, text.name);
    hale_buf_add_c(out, ",\"dimensions\":");
    collector_dims_json(&text, out);
    hale_buf_add_char(out, '}');
}

void collector_metrics_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct collector_selector sel;
    struct collector_series_list list = {0};
    const char *offset = hale_http_query(req, "offset");
    char next[HALE_SERIES_ID_TEXT];
    uint64_t after = 0;
    size_t limit;
    size_t i = 0;
    struct hale_buf b;

    (void)redis;
    if (!read_selector(req, "name", &sel, &limit))
        return;
    if (offset != NULL &&
        hale_series_id_parse(hale_str_from(offset), &after) != HALE_OK) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "offset must be the id of a metric");
        return;
    }
    if (collector_catalog_select(c->catalog, &sel, &list) != HALE_OK) {
        collector_series_list_fini(&list);
        collector_query_failed(req, HALE_E_NOMEM);
        return;
    }
    while (offset != NULL && i < list.n && list.v[i]->id <= after)
        i++;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    size_t end = list.n - i > limit ? i + limit : list.n;
    for (size_t k = i; k < end; k++) {
        if (k > i)
            hale_buf_add_char(&b, ',');
        write_metric(list.v[k], &b);
    }
    if (end < list.n)
        hale_series_id_text(list.v[end - 1]->id, next);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < list.n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_series_list_fini(&list);
}

/* --- distinct words ----------------------------------------------------------------------- */

struct words { /* views into the catalogue, which never frees a series */
    struct hale_str *v;
    size_t n, cap, compact_at;
    bool failed;
    struct hale_str key; /* dimension whose values are wanted */
};

static int by_bytes(const void *a, const void *b)
{
    return hale_str_cmp(*(const struct hale_str *)a, *(const struct hale_str *)b);
}

static void settle(struct words *w)
{
    size_t n = 0;

    if (w->n > 1)
        qsort(w->v, w->n, sizeof(w->v[0]), by_bytes);
    for (size_t i = 0; i < w->n; i++) {
        if (n == 0 || !hale_str_eq(w->v[n - 1], w->v[i]))
            w->v[n++] = w->v[i];
    }
    w->n = n;
}

/* hale_str views of a decoded series point into its canonical bytes. */
static void add_word(struct words *w, struct hale_str s)
{
    if (w->n == w->cap && w->n > 0 && w->n >= w->compact_at) {
        settle(w); /* many series share few words */
        w->compact_at = 2 * w->n > 1024 ? 2 * w->n : 1024;
    }
    if (w->n == w->cap) {
        size_t cap = w->cap > 0 ? 2 * w->cap : 1024;
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

static void add_name(struct collector_series *s, const struct hale_series *text,
                     void *arg)
{
    (void)s;
    add_word(arg, text->name);
}

static void add_keys(struct collector_series *s, const struct hale_series *text,
                     void *arg)
{
    (void)s;
    for (unsigned i = 0; i < text->n_dims; i++)
        add_word(arg, text->dims[i].key);
}

static void add_value(struct collector_series *s, const struct hale_series *text,
                      void *arg)
{
    struct words *w = arg;
    struct hale_str v = hale_series_dim(text, w->key);

    (void)s;
    if (v.p != NULL)
        add_word(w, v);
}

static void reply_words(struct collector *c, struct hale_http_req *req, struct words *w,
                        const char *field, size_t limit)
{
    const char *offset = hale_http_query(req, "offset");
    struct hale_buf b;
    struct hale_buf next;
    size_t i = 0;

    settle(w);
    while (offset != NULL && i < w->n &&
           hale_str_cmp(w->v[i], hale_str_from(offset)) <= 0)
        i++;
    size_t end = w->n - i > limit ? i + limit : w->n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_init(&next, 4096);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t k = i; k < end; k++) {
        hale_buf_printf(&b, "%s{\"%s\":", k > i ? "," : "", field);
        hale_buf_add_json(&b, w->v[k]);
        hale_buf_add_char(&b, '}');
    }
    if (end < w->n)
        hale_buf_add_str(&next, w->v[end - 1]);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < w->n ? next.p : NULL, &b);
    hale_buf_add_char(&b, '}');
    if (w->failed)
        collector_query_failed(req, HALE_E_NOMEM);
    else
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    hale_buf_fini(&next);
    free(w->v);
}

void collector_metric_names_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_selector sel;
    struct words w = {0};
    size_t limit;

    (void)redis;
    if (!read_selector(req, NULL, &sel, &limit))
        return;
    collector_catalog_each(c->catalog, &sel, add_name, &w);
    reply_words(c, req, &w, "name", limit);
}

void collector_dimension_names_get(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    struct collector_selector sel;
    struct words w = {0};
    size_t limit;

    (void)redis;
    if (!read_selector(req, "metric_name", &sel, &limit))
        return;
    collector_catalog_each(c->catalog, &sel, add_keys, &w);
    reply_words(c, req, &w, "dimension_name", limit);
}

void collector_dimension_values_get(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req)
{
    const char *key = hale_http_query(req, "dimension_name");
    struct collector_selector sel;
    struct words w = {0};
    size_t limit;

    (void)redis;
    if (key == NULL) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "dimension_name is required");
        return;
    }
    if (!read_selector(req, "metric_name", &sel, &limit))
        return;
    w.key = hale_str_from(key);
    collector_catalog_each(c->catalog, &sel, add_value, &w);
    reply_words(c, req, &w, "dimension_value", limit);
}
