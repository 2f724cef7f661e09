/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v2.0/metrics/measurements. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collector/query.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)256 << 20)

struct page {
    struct collector_query *q;
    struct hale_buf out;
    size_t left; /* measurements that may still be written */
    bool any;    /* an element was written */
    bool more;   /* there is something behind the page's end */
    struct collector_resolution resolution;
    char cursor[COLLECTOR_ELEMENT_ID + HALE_CLOCK_ISO_MAX + 1];
};

/* Keeps the earliest `keep` points: all that a page can show of merged series. */
static void cut(struct collector_points *p, size_t keep)
{
    collector_points_sort(p);
    if (p->n > keep)
        p->n = keep;
}

/* The element's points, one after the other series merged in. */
static enum hale_rc read_element(struct collector *c, struct hale_redis *redis,
                                 struct page *p, size_t i, struct collector_points *out)
{
    struct collector_query *q = p->q;
    const struct collector_element *e = &q->elements[i];
    size_t left = p->left;
    struct collector_range range = {0, q->sel.end_ms, 1, true};
    struct collector_points one;

    if (!collector_query_start(q, i, &range.start_ms))
        return HALE_OK;
    enum hale_rc rc = collector_query_read(c, redis, q, i, &range);
    if (rc == HALE_OK && e->n == 1) {
        rc = collector_reading_next(q->reading, out);
        collector_resolution_add(&p->resolution, out);
        return rc;
    }
    collector_points_init(&one, COLLECTOR_READ_MAX_POINTS);
    for (size_t k = 0; rc == HALE_OK && k < e->n; k++) {
        rc = collector_reading_next(q->reading, &one);
        collector_resolution_add(&p->resolution, &one);
        for (size_t n = 0; rc == HALE_OK && n < one.n && n <= left; n++) {
            struct collector_sample s = {one.v[n].time_ms, one.v[n].value,
                                         collector_points_meta(&one, n)};
            collector_points_add(out, &s);
        }
        if (out->n > 4 * (left + 1) + 1024)
            cut(out, left + 1);
    }
    collector_points_fini(&one);
    cut(out, left + 1);
    return rc == HALE_OK && out->failed ? HALE_E_LIMIT : rc;
}

static void write_element(struct page *p, size_t i, const struct collector_points *points)
{
    char when[HALE_CLOCK_ISO_MAX];

    p->more = points->n > p->left;
    if (points->n == 0 || p->left == 0)
        return;
    hale_buf_add_c(&p->out, p->any ? ",{" : "{");
    p->any = true;
    collector_query_head(p->q, i, &p->out);
    hale_buf_add_c(&p->out, ",\"columns\":[\"timestamp\",\"value\",\"value_meta\"],"
                            "\"measurements\":[");
    for (size_t k = 0; k < points->n && p->left > 0; k++, p->left--) {
        struct hale_str meta = collector_points_meta(points, k);
        hale_buf_add_c(&p->out, k > 0 ? ",[\"" : "[\"");
        hale_buf_add_c(&p->out, hale_clock_iso_ms(points->v[k].time_ms, when));
        hale_buf_add_c(&p->out, "\",");
        hale_buf_add_double(&p->out, points->v[k].value);
        hale_buf_add_char(&p->out, ',');
        if (meta.p != NULL)
            hale_buf_add_str(&p->out, meta);
        else
            hale_buf_add_c(&p->out, "{}");
        hale_buf_add_char(&p->out, ']');
        if (p->left == 1)
            (void)snprintf(p->cursor, sizeof(p->cursor), "%s_%s", p->q->elements[i].id,
                           when);
    }
    hale_buf_add_c(&p->out, "]}");
}

void collector_measurements_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_query q;
    struct collector_points points;
    struct page p = {.q = &q};
    enum hale_rc rc = HALE_OK;

    if (!collector_query_open(c, req, &q)) {
        collector_query_fini(&q);
        return;
    }
    p.left = q.limit;
    collector_points_init(&points, COLLECTOR_READ_MAX_POINTS);
    hale_buf_init(&p.out, ANSWER_MAX);
    hale_buf_add_c(&p.out, "{\"elements\":[");
    for (size_t i = 0; rc == HALE_OK && i < q.n_elements && !p.more; i++) {
        collector_points_clear(&points);
        rc = read_element(c, redis, &p, i, &points);
        if (rc == HALE_OK)
            write_element(&p, i, &points);
    }
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
    collector_points_fini(&points);
    collector_query_fini(&q);
}
