/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/series_api.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/catalog.h"
#include "collector/forget.h"
#include "collector/query.h"
#include "collector/request.h"
#include "collector/stats.h"

#define ANSWER_MAX ((size_t)256 << 20)

/* name, dimensions, idle. False: answered. */
static bool read_selector(struct hale_http_req *req, int64_t now_ms,
                          struct collector_selector *sel)
{
    const char *name = hale_http_query(req, "name");
    const char *idle = hale_http_query(req, "idle");
    struct hale_err err = {0};
    enum hale_rc rc = HALE_OK;
    int64_t idle_ms = 0;

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
    if (rc == HALE_OK && idle != NULL) {
        if (hale_str_duration_ms(hale_str_from(idle), &idle_ms) != HALE_OK ||
            idle_ms <= 0)
            rc = hale_err_set(&err, HALE_E_INVAL,
                              "idle must be a duration such as 1h or 30d");
        sel->idle_before_ms = now_ms - idle_ms;
    }
    if (rc != HALE_OK)
        collector_reply_invalid(req, &err);
    return rc == HALE_OK;
}

/* id= of one series. False: answered. *given: there is one. */
static bool read_id(struct hale_http_req *req, const char *param, uint64_t *id,
                    bool *given)
{
    const char *text = hale_http_query(req, param);

    *given = text != NULL;
    if (text == NULL || hale_series_id_parse(hale_str_from(text), id) == HALE_OK)
        return true;
    collector_reply_error(req, 422, "Unprocessable Entity",
                          "%s must be the id of a series", param);
    return false;
}

static void add_time(struct hale_buf *b, const char *key, int64_t ms)
{
    if (ms <= INT64_MIN + 1) /* not known */
        hale_buf_printf(b, ",\"%s\":null", key);
    else
        hale_buf_printf(b, ",\"%s\":%" PRId64, key, ms);
}

static void write_series(const struct collector_series *s, int64_t now_ms,
                         struct hale_buf *b)
{
    struct hale_series text;
    char id[HALE_SERIES_ID_TEXT];
    int64_t last = atomic_load(&s->last_ms);

    if (hale_series_decode(collector_series_text(s), &text) != HALE_OK)
        return;
    hale_series_id_text(s->id, id);
    hale_buf_printf(b, "{\"id\":\"%s\",\"name\":", id);
    hale_buf_add_json(b, text.name);
    hale_buf_add_c(b, ",\"dimensions\":");
    collector_dims_json(&text, b);
    add_time(b, "first_ms", atomic_load(&s->first_ms));
    add_time(b, "last_ms", last);
    if (last == COLLECTOR_NEVER_MS)
        hale_buf_add_c(b, ",\"idle_s\":null}");
    else
        hale_buf_printf(b, ",\"idle_s\":%" PRId64 "}",
                        last < now_ms ? (now_ms - last) / 1000 : 0);
}

void collector_series_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    int64_t now_ms = hale_clock_wall_ms();
    struct collector_series_list list = {0};
    struct collector_selector sel;
    struct hale_err err = {0};
    char next[HALE_SERIES_ID_TEXT];
    struct hale_buf b;
    uint64_t after = 0;
    bool given;
    size_t limit;

    (void)redis;
    if (!read_selector(req, now_ms, &sel) || !read_id(req, "offset", &after, &given))
        return;
    if (collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (collector_catalog_page(c->catalog, &sel, given ? &after : NULL, limit + 1,
                               &list) != HALE_OK) {
        collector_series_list_fini(&list);
        collector_query_failed(req, HALE_E_NOMEM);
        return;
    }
    size_t n = list.n < limit ? list.n : limit;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            hale_buf_add_char(&b, ',');
        write_series(list.v[i], now_ms, &b);
    }
    if (n < list.n)
        hale_series_id_text(list.v[n - 1]->id, next);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, n < list.n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_series_list_fini(&list);
}

/* --- delete ------------------------------------------------------------------------------ */

/* The one of the selected that has the id. */
static void keep_id(struct collector_series_list *l, uint64_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        if (l->v[i]->id == id)
            l->v[n++] = l->v[i];
    l->n = n;
}

/* The series that the request names. False: answered. */
static bool choose(struct collector *c, struct hale_http_req *req,
                   const struct collector_selector *sel,
                   struct collector_series_list *list)
{
    uint64_t id = 0;
    bool given;

    if (!read_id(req, "id", &id, &given))
        return false;
    if (!given && sel->name.p == NULL && sel->dims.n == 0) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "name, dimensions or id is required");
        return false;
    }
    if (collector_catalog_select(c->catalog, sel, list) != HALE_OK) {
        collector_query_failed(req, HALE_E_NOMEM);
        return false;
    }
    if (given)
        keep_id(list, id);
    return true;
}

void collector_series_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    bool dry_run = collector_params_bool(hale_http_query(req, "dry_run"));
    struct collector_series_list list = {0};
    struct collector_selector sel;
    enum hale_rc rc = HALE_OK;
    size_t n = 0;

    (void)redis;
    if (!read_selector(req, hale_clock_wall_ms(), &sel))
        return;
    if (!choose(c, req, &sel, &list)) {
        collector_series_list_fini(&list);
        return;
    }
    if (!dry_run)
        rc = collector_forget(c, &list, sel.idle_before_ms, &n);
    collector_count(SERIES_DELETED, n);
    if (n > 0)
        hale_info("event=series_deleted count=%zu of=%zu", n, list.n);
    if (rc == HALE_OK) {
        struct hale_buf b;
        hale_buf_init(&b, 256);
        hale_buf_printf(&b, "{\"matching\":%zu,\"deleted\":%zu}", list.n, n);
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    } else {
        collector_reply_busy(req, 2,
                             "the store does not answer; some series may be deleted, "
                             "try again");
    }
    collector_series_list_fini(&list);
}
