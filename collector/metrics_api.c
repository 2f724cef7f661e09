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
    struct hale_buf b;

    (void)redis;
    if (!read_selector(req, "name", &sel, &limit))
        return;
    if (offset != NULL && strcmp(offset, "0") == 0)
        offset = NULL; /* the first page for clients that number series */
    if (offset != NULL &&
        hale_series_id_parse(hale_str_from(offset), &after) != HALE_OK) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "offset must be the id of a metric");
        return;
    }
    if (collector_catalog_page(c->catalog, &sel, offset != NULL ? &after : NULL,
                               limit + 1, &list) != HALE_OK) {
        collector_series_list_fini(&list);
        collector_query_failed(req, HALE_E_NOMEM);
        return;
    }
    size_t end = list.n < limit ? list.n : limit;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t k = 0; k < end; k++) {
        if (k > 0)
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

static struct collector_words_page words_page(const struct hale_http_req *req,
                                              size_t limit)
{
    const char *offset = hale_http_query(req, "offset");

    return (struct collector_words_page){hale_str_from(offset), limit + 1};
}

/* w holds one word more than the page when there are more. Takes w. */
static void reply_words(struct collector *c, struct hale_http_req *req, enum hale_rc rc,
                        struct collector_words *w, const char *field, size_t limit)
{
    size_t n = w->n < limit ? w->n : limit;
    struct hale_buf b;
    struct hale_buf next;

    if (rc != HALE_OK) {
        collector_query_failed(req, rc);
        collector_words_fini(w);
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_init(&next, 4096);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t k = 0; k < n; k++) {
        hale_buf_printf(&b, "%s{\"%s\":", k > 0 ? "," : "", field);
        hale_buf_add_json(&b, w->v[k]);
        hale_buf_add_char(&b, '}');
    }
    if (n < w->n)
        hale_buf_add_str(&next, w->v[n - 1]);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, n < w->n ? next.p : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    hale_buf_fini(&next);
    collector_words_fini(w);
}

void collector_metric_names_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_selector sel;
    struct collector_words w;
    size_t limit;

    (void)redis;
    if (!read_selector(req, NULL, &sel, &limit))
        return;
    struct collector_words_page page = words_page(req, limit);
    enum hale_rc rc = collector_catalog_names(c->catalog, &sel, &page, &w);
    reply_words(c, req, rc, &w, "name", limit);
}

void collector_dimension_names_get(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    struct collector_selector sel;
    struct collector_words w;
    size_t limit;

    (void)redis;
    if (!read_selector(req, "metric_name", &sel, &limit))
        return;
    struct collector_words_page page = words_page(req, limit);
    enum hale_rc rc = collector_catalog_keys(c->catalog, &sel, &page, &w);
    reply_words(c, req, rc, &w, "dimension_name", limit);
}

void collector_dimension_values_get(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req)
{
    const char *key = hale_http_query(req, "dimension_name");
    struct collector_selector sel;
    struct collector_words w;
    size_t limit;

    (void)redis;
    if (key == NULL) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "dimension_name is required");
        return;
    }
    if (!read_selector(req, "metric_name", &sel, &limit))
        return;
    struct collector_words_page page = words_page(req, limit);
    enum hale_rc rc =
        collector_catalog_values(c->catalog, &sel, hale_str_from(key), &page, &w);
    reply_words(c, req, rc, &w, "dimension_value", limit);
}
