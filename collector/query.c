/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/points.h"
#include "collector/progress.h"
#include "collector/request.h"

#define FIRST_SAMPLES_MS 1000 /* wait for the store thread, when a series is new */
#define END_MS           (INT64_C(1) << 52) /* no end_time: far beyond any sample */

static const char MULTIPLE[] =
    "Found multiple metrics matching metric name and dimensions. Please refine your "
    "search criteria using a unique metric name or additional dimensions. Alternatively, "
    "you may specify 'merge_metrics=True' as a query parameter to combine all metrics "
    "matching search criteria into a single series.";

static enum hale_rc read_params(struct hale_http_req *req, struct collector_query *q,
                                struct hale_err *err)
{
    const char *name = hale_http_query(req, "name");
    const char *start = hale_http_query(req, "start_time");

    if (name == NULL)
        return hale_err_set(err, HALE_E_INVAL, "name is required");
    if (start == NULL)
        return hale_err_set(err, HALE_E_INVAL, "start_time is required");
    q->sel.name = hale_str_from(name);
    q->sel.tenant = hale_str_from(collector_request_of(req)->tenant);
    q->sel.end_ms = END_MS;
    enum hale_rc rc = hale_series_check_name(q->sel.name, err);
    if (rc == HALE_OK)
        rc = collector_params_time(start, "start_time", &q->sel.start_ms, err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "end_time"), "end_time",
                                   &q->sel.end_ms, err);
    if (rc == HALE_OK)
        rc = collector_params_dims(hale_http_query(req, "dimensions"), &q->sel.dims, err);
    if (rc == HALE_OK)
        rc = collector_params_limit(hale_http_query(req, "limit"), &q->limit, err);
    if (rc == HALE_OK)
        rc = collector_params_cursor(hale_http_query(req, "offset"), &q->cursor, err);
    if (rc == HALE_OK)
        rc = collector_params_list(hale_http_query(req, "group_by"), "group_by",
                                   &q->group_by, err);
    q->merge = collector_params_bool(hale_http_query(req, "merge_metrics"));
    return rc;
}

/* --- elements --------------------------------------------------------------------------- */

struct keyed {
    uint64_t hash;
    struct collector_series *series;
};

static int by_hash(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->series->id < y->series->id ? -1 : x->series->id > y->series->id;
}

static uint64_t group_hash(const struct collector_query *q, struct collector_series *s)
{
    struct hale_series text;
    uint64_t h = 0;

    if (hale_series_decode(collector_series_text(s), &text) != HALE_OK)
        return 0;
    for (unsigned i = 0; i < q->group_by.n; i++) {
        struct hale_str v = hale_series_dim(&text, q->group_by.v[i]);
        h = hale_id_hash64_seed(v.p, v.len, h + 1);
    }
    return h;
}

static void set_id(struct collector_element *e, char letter, uint64_t h)
{
    (void)snprintf(e->id, sizeof(e->id), "%c%016llx", letter, (unsigned long long)h);
}

static enum hale_rc group(struct collector_query *q)
{
    struct keyed *keys = calloc(q->series.n, sizeof(*keys));

    if (keys == NULL)
        return HALE_E_NOMEM;
    for (size_t i = 0; i < q->series.n; i++) {
        keys[i].series = q->series.v[i];
        keys[i].hash = group_hash(q, q->series.v[i]);
    }
    qsort(keys, q->series.n, sizeof(*keys), by_hash);
    for (size_t i = 0; i < q->series.n; i++) {
        q->series.v[i] = keys[i].series;
        if (i == 0 || keys[i].hash != keys[i - 1].hash) {
            set_id(&q->elements[q->n_elements], 'g', keys[i].hash);
            q->elements[q->n_elements++].first = i;
        }
        q->elements[q->n_elements - 1].n++;
    }
    free(keys);
    return HALE_OK;
}

static bool by_series(const struct collector_query *q)
{
    return q->group_by.n == 1 && hale_str_eq_c(q->group_by.v[0], "*");
}

static enum hale_rc make_elements(struct collector_query *q)
{
    if (q->series.n == 0)
        return HALE_OK;
    q->elements = calloc(q->series.n, sizeof(q->elements[0]));
    if (q->elements == NULL)
        return HALE_E_NOMEM;
    if (q->group_by.n > 0 && !by_series(q))
        return group(q);
    if (q->group_by.n == 0 && q->merge) {
        uint64_t h = hale_id_hash64(q->sel.name.p, q->sel.name.len);
        for (unsigned i = 0; i < q->sel.dims.n; i++) {
            const struct collector_dim_filter *f = &q->sel.dims.v[i];
            h = hale_id_hash64_seed(f->key.p, f->key.len, h);
            h = hale_id_hash64_seed(f->value.p, f->value.len, h);
        }
        set_id(&q->elements[0], 'm', h);
        q->elements[0].n = q->series.n;
        q->n_elements = 1;
        return HALE_OK;
    }
    for (size_t i = 0; i < q->series.n; i++) {
        hale_series_id_text(q->series.v[i]->id, q->elements[i].id);
        q->elements[i].first = i;
        q->elements[i].n = 1;
    }
    q->n_elements = q->series.n;
    return HALE_OK;
}

/* Who has just made a series and sees it in the list finds its samples, too. Others never wait. */
static void await_first_samples(struct collector *c, const struct collector_query *q)
{
    for (size_t i = 0; i < q->series.n; i++) {
        if (atomic_load_explicit(&q->series.v[i]->first_ms, memory_order_relaxed) !=
            COLLECTOR_NEVER_MS)
            continue;
        collector_progress_catch_up(c->progress, FIRST_SAMPLES_MS);
        return;
    }
}

bool collector_query_open(struct collector *c, struct hale_http_req *req,
                          struct collector_query *q)
{
    struct hale_err err = {0};
    struct collector_selector any_time;

    memset(q, 0, sizeof(*q));
    if (read_params(req, q, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return false;
    }
    if (q->sel.end_ms <= q->sel.start_ms) {
        collector_reply_error(req, 400, "Bad request",
                              "start_time must be before end_time");
        return false;
    }
    /* Monasca judges "several series" on those that exist, not on those with data. */
    any_time = q->sel;
    any_time.start_ms = INT64_MIN;
    any_time.end_ms = INT64_MAX;
    enum hale_rc rc = collector_catalog_select(c->catalog, &any_time, &q->series);
    if (rc == HALE_OK && q->series.n > 1 && !q->merge && q->group_by.n == 0) {
        collector_reply_error(req, 409, "MultipleMetrics", "%s", MULTIPLE);
        return false;
    }
    if (rc == HALE_OK) {
        await_first_samples(c, q);
        rc = make_elements(q);
    }
    if (rc != HALE_OK) {
        collector_query_failed(req, rc);
        return false;
    }
    return true;
}

void collector_query_fini(struct collector_query *q)
{
    collector_reading_free(q->reading);
    q->reading = NULL;
    collector_series_list_fini(&q->series);
    free(q->elements);
    q->elements = NULL;
}

bool collector_query_start(const struct collector_query *q, size_t i, int64_t *start_ms)
{
    const struct collector_cursor *cur = &q->cursor;

    *start_ms = q->sel.start_ms;
    if (!cur->set)
        return true;
    int order =
        cur->id.p != NULL ? hale_str_cmp(hale_str_from(q->elements[i].id), cur->id) : 0;
    if (order < 0 || (order == 0 && !cur->has_time))
        return false;
    if (order == 0 && cur->time_ms >= *start_ms && cur->time_ms < END_MS)
        *start_ms = cur->time_ms + 1;
    return true;
}

enum hale_rc collector_query_read(struct collector *c, struct hale_redis *redis,
                                  struct collector_query *q, size_t i,
                                  const struct collector_range *range)
{
    size_t first = q->elements[i].first;

    if (q->reading != NULL && q->range.start_ms == range->start_ms)
        return HALE_OK; /* which goes on with this element */
    collector_reading_free(q->reading);
    q->range = *range;
    q->reading = collector_reading_new(c, redis, q->series.v + first, q->series.n - first,
                                       range, hale_clock_wall_ms());
    return q->reading != NULL ? HALE_OK : HALE_E_NOMEM;
}

/* --- text ------------------------------------------------------------------------------- */

static void add_dim(struct hale_buf *out, bool first, struct hale_str key,
                    struct hale_str value)
{
    if (!first)
        hale_buf_add_char(out, ',');
    hale_buf_add_json(out, key);
    hale_buf_add_char(out, ':');
    hale_buf_add_json(out, value);
}

void collector_dims_json(const struct hale_series *s, struct hale_buf *out)
{
    hale_buf_add_char(out, '{');
    for (unsigned i = 0; i < s->n_dims; i++)
        add_dim(out, i == 0, s->dims[i].key, s->dims[i].value);
    hale_buf_add_char(out, '}');
}

void collector_query_head(const struct collector_query *q, size_t i, struct hale_buf *out)
{
    const struct collector_element *e = &q->elements[i];
    struct hale_series text;

    hale_buf_printf(out, "\"id\":\"%s\",\"name\":", e->id);
    hale_buf_add_json(out, q->sel.name);
    hale_buf_add_c(out, ",\"dimensions\":");
    if (e->id[0] == 'm') {
        hale_buf_add_char(out, '{');
        for (unsigned k = 0; k < q->sel.dims.n; k++)
            add_dim(out, k == 0, q->sel.dims.v[k].key, q->sel.dims.v[k].value);
        hale_buf_add_char(out, '}');
        return;
    }
    if (hale_series_decode(collector_series_text(q->series.v[e->first]), &text) !=
        HALE_OK)
        text.n_dims = 0;
    if (e->id[0] == 's') {
        collector_dims_json(&text, out);
        return;
    }
    hale_buf_add_char(out, '{');
    for (unsigned k = 0; k < q->group_by.n; k++)
        add_dim(out, k == 0, q->group_by.v[k], hale_series_dim(&text, q->group_by.v[k]));
    hale_buf_add_char(out, '}');
}

void collector_query_failed(struct hale_http_req *req, enum hale_rc rc)
{
    if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "the range has too many measurements; ask for less time");
    else
        collector_reply_busy(req, 2, "the store does not answer; try again");
}

void collector_resolution_add(struct collector_resolution *r,
                              const struct collector_points *points)
{
    if (points->step_s > r->step_s)
        r->step_s = points->step_s;
    if (points->coarse_until_ms > r->until_ms)
        r->until_ms = points->coarse_until_ms;
}

void collector_resolution_say(const struct collector_resolution *r,
                              struct hale_http_req *req)
{
    char text[HALE_CLOCK_ISO_MAX];

    if (r->step_s == 0)
        return;
    (void)snprintf(text, sizeof(text), "%lld", (long long)r->step_s);
    hale_http_add_header(req, "X-Hale-Resolution", text);
    hale_http_add_header(req, "X-Hale-Resolution-Until",
                         hale_clock_iso_ms(r->until_ms, text));
}
