/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v2.0/metrics/statistics. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collector/buckets.h"
#include "collector/query.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)256 << 20)

enum func { FUNC_AVG, FUNC_MIN, FUNC_MAX, FUNC_COUNT, FUNC_SUM, FUNC_N };
static const char *const FUNCS[FUNC_N] = {"avg", "min", "max", "count", "sum"};

struct page {
    struct collector_query *q;
    int64_t period_s;
    unsigned n_funcs;
    enum func funcs[COLLECTOR_LIST_MAX];
    struct hale_buf out;
    size_t left; /* rows that may still be written */
    bool any;    /* an element was written */
    bool more;   /* there is something behind the page's end */
    struct collector_resolution resolution;
    char cursor[COLLECTOR_ELEMENT_ID + HALE_CLOCK_ISO_MAX + 1];
};

static enum hale_rc read_params(struct hale_http_req *req, struct page *p,
                                struct hale_err *err)
{
    const char *text = hale_http_query(req, "statistics");
    struct collector_list list;

    if (text == NULL)
        return hale_err_set(err, HALE_E_INVAL, "statistics is required");
    enum hale_rc rc = collector_params_list(text, "statistics", &list, err);
    for (unsigned i = 0; rc == HALE_OK && i < list.n; i++) {
        unsigned f = 0;
        while (f < FUNC_N && !hale_str_ieq_c(list.v[i], FUNCS[f]))
            f++;
        if (f == FUNC_N)
            return hale_err_set(err, HALE_E_INVAL,
                                "statistics must be of avg, min, max, count, sum");
        p->funcs[p->n_funcs++] = (enum func)f;
    }
    if (rc == HALE_OK)
        rc = collector_params_period(hale_http_query(req, "period"), &p->period_s, err);
    return rc;
}

static bool extremes(const struct page *p)
{
    for (unsigned f = 0; f < p->n_funcs; f++)
        if (p->funcs[f] == FUNC_MIN || p->funcs[f] == FUNC_MAX)
            return true;
    return false;
}

static enum hale_rc read_element(struct collector *c, struct hale_redis *redis,
                                 struct page *p, size_t i, struct collector_buckets *out)
{
    const struct collector_element *e = &p->q->elements[i];
    struct collector_range range = {0, p->q->sel.end_ms, p->period_s, !extremes(p)};
    struct collector_points points;

    if (!collector_query_start(p->q, i, &range.start_ms))
        return HALE_OK;
    if (range.start_ms != p->q->sel.start_ms) { /* cursor: from the bucket after it */
        int64_t ms = p->period_s * 1000;
        range.start_ms = ((range.start_ms - 1) / ms + 1) * ms;
    }
    enum hale_rc rc = collector_query_read(c, redis, p->q, i, &range);
    collector_points_init(&points, COLLECTOR_READ_MAX_POINTS);
    for (size_t k = 0; rc == HALE_OK && k < e->n; k++) {
        rc = collector_reading_next(p->q->reading, &points);
        collector_resolution_add(&p->resolution, &points);
        if (rc == HALE_OK)
            collector_buckets_add(out, &points);
    }
    collector_points_fini(&points);
    collector_buckets_settle(out);
    return rc == HALE_OK && out->failed ? HALE_E_LIMIT : rc;
}

static void write_value(struct hale_buf *out, enum func f,
                        const struct collector_bucket *b)
{
    switch (f) {
    case FUNC_AVG: hale_buf_add_double(out, b->sum / b->weight); break;
    case FUNC_MIN: hale_buf_add_double(out, b->min); break;
    case FUNC_MAX: hale_buf_add_double(out, b->max); break;
    case FUNC_SUM: hale_buf_add_double(out, b->sum); break;
    case FUNC_COUNT: hale_buf_printf(out, "%lld", llround(b->weight)); break;
    case FUNC_N: break;
    }
}

static void write_element(struct page *p, size_t i, const struct collector_buckets *b)
{
    char when[HALE_CLOCK_ISO_MAX];

    p->more = b->n > p->left;
    if (b->n == 0 || p->left == 0)
        return;
    hale_buf_add_c(&p->out, p->any ? ",{" : "{");
    p->any = true;
    collector_query_head(p->q, i, &p->out);
    hale_buf_add_c(&p->out, ",\"columns\":[\"timestamp\"");
    for (unsigned f = 0; f < p->n_funcs; f++)
        hale_buf_printf(&p->out, ",\"%s\"", FUNCS[p->funcs[f]]);
    hale_buf_add_c(&p->out, "],\"statistics\":[");
    for (size_t k = 0; k < b->n && p->left > 0; k++, p->left--) {
        hale_buf_add_c(&p->out, k > 0 ? ",[\"" : "[\"");
        hale_buf_add_c(&p->out, hale_clock_iso_s(b->v[k].start_s * 1000, when));
        hale_buf_add_char(&p->out, '"');
        for (unsigned f = 0; f < p->n_funcs; f++) {
            hale_buf_add_char(&p->out, ',');
            write_value(&p->out, p->funcs[f], &b->v[k]);
        }
        hale_buf_add_char(&p->out, ']');
        if (p->left == 1)
            (void)snprintf(p->cursor, sizeof(p->cursor), "%s_%s", p->q->elements[i].id,
                           when);
    }
    hale_buf_add_c(&p->out, "]}");
}

static enum hale_rc write_page(struct collector *c, struct hale_redis *redis,
                               struct page *p)
{
    struct collector_buckets buckets;
    enum hale_rc rc = HALE_OK;

    collector_buckets_init(&buckets, p->period_s);
    for (size_t i = 0; rc == HALE_OK && i < p->q->n_elements && !p->more; i++) {
        collector_buckets_clear(&buckets);
        rc = read_element(c, redis, p, i, &buckets);
        if (rc == HALE_OK)
            write_element(p, i, &buckets);
    }
    collector_buckets_fini(&buckets);
    return rc;
}

void collector_statistics_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    struct collector_query q;
    struct page p = {.q = &q};
    struct hale_err err = {0};

    if (read_params(req, &p, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (!collector_query_open(c, req, &q)) {
        collector_query_fini(&q);
        return;
    }
    p.left = q.limit;
    hale_buf_init(&p.out, ANSWER_MAX);
    hale_buf_add_c(&p.out, "{\"elements\":[");
    enum hale_rc rc = write_page(c, redis, &p);
    if (rc != HALE_OK) {
        collector_query_failed(req, rc);
    } else {
        hale_buf_add_c(&p.out, "],");
        collector_links_self(req, c->conf->trust_forwarded, p.more ? p.cursor : NULL,
                             &p.out);
        hale_buf_add_char(&p.out, '}');
        collector_resolution_say(&p.resolution, req);
        collector_reply_buf(req, 200, COLLECTOR_JSON, &p.out);
    }
    hale_buf_fini(&p.out);
    collector_query_fini(&q);
}
