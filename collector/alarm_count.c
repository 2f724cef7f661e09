/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v2.0/alarms/count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "collector/alarm_view.h"
#include "collector/alarms_api.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define ROWS_MAX   1000000
#define GROUPS_MAX 9
#define KEY_MAX    ((size_t)1 << 20)

enum group {
    G_DEFINITION,
    G_NAME,
    G_STATE,
    G_SEVERITY,
    G_LINK,
    G_LIFECYCLE,
    G_METRIC_NAME,
    G_DIM_NAME,
    G_DIM_VALUE,
    G_N
};
static const char *const GROUPS[G_N] = {
    "alarm_definition_id", "name",        "state",          "severity",       "link",
    "lifecycle_state",     "metric_name", "dimension_name", "dimension_value"};

struct row {
    size_t count;
    const void *last; /* alarm counted last: one alarm counts once per row */
    char *json;       /* values as JSON, comma-separated */
    char *key;        /* for sorting: values separated by \x01 */
};

struct tally {
    unsigned n;
    enum group groups[GROUPS_MAX];
    bool per_metric, per_dim;
    struct hale_map *rows;
    struct hale_buf key, json;
    bool failed;
};

static void row_free(void *p)
{
    struct row *r = p;

    free(r->json);
    free(r->key);
    free(r);
}

static const char *value_of(enum group g, const struct hale_alarm *a, const char *metric,
                            const char *dim, const char *value)
{
    switch (g) {
    case G_DEFINITION: return a->definition_id;
    case G_NAME: return a->definition_name;
    case G_STATE: return hale_state_text(a->state);
    case G_SEVERITY: return hale_severity_text(a->severity);
    case G_LINK: return a->link;
    case G_LIFECYCLE: return a->lifecycle_state;
    case G_METRIC_NAME: return metric;
    case G_DIM_NAME: return dim;
    case G_DIM_VALUE: return value;
    case G_N: break;
    }
    return NULL;
}

static struct row *find_row(struct tally *t)
{
    struct hale_str key = hale_buf_str(&t->key);
    struct row *r = hale_map_get(t->rows, key);

    if (r != NULL)
        return r;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->json = strdup(t->json.p != NULL ? t->json.p : "");
    r->key = strdup(t->key.p != NULL ? t->key.p : "");
    if (r->json == NULL || r->key == NULL || hale_map_put(t->rows, key, r) != HALE_OK) {
        row_free(r);
        return NULL;
    }
    return r;
}

static void count(struct tally *t, const struct hale_alarm *a, const char *metric,
                  const char *dim, const char *value)
{
    hale_buf_reset(&t->key);
    hale_buf_reset(&t->json);
    for (unsigned i = 0; i < t->n; i++) {
        const char *v = value_of(t->groups[i], a, metric, dim, value);
        hale_buf_add_c(&t->key, v != NULL ? v : "");
        hale_buf_add_char(&t->key, '\x01');
        hale_buf_add_char(&t->json, ',');
        if (v != NULL)
            hale_buf_add_json(&t->json, hale_str_from(v));
        else
            hale_buf_add_c(&t->json, "null");
    }
    struct row *r = t->key.failed || t->json.failed ? NULL : find_row(t);
    if (r == NULL) {
        t->failed = true;
    } else if (r->last != a) {
        r->last = a;
        r->count++;
    }
}

static void count_metric(struct tally *t, const struct hale_alarm *a, const json_t *m)
{
    const char *name = json_string_value(json_object_get(m, "name"));
    const json_t *dims = json_object_get(m, "dimensions");

    if (!t->per_dim) {
        count(t, a, name, NULL, NULL);
        return;
    }
    for (void *it = json_object_iter((json_t *)(uintptr_t)dims); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)dims, it))
        count(t, a, name, json_object_iter_key(it),
              json_string_value(json_object_iter_value(it)));
}

static void count_alarm(struct tally *t, const struct hale_alarm *a)
{
    if (!t->per_metric && !t->per_dim) {
        count(t, a, NULL, NULL, NULL);
        return;
    }
    for (size_t i = 0; i < json_array_size(a->metrics); i++)
        count_metric(t, a, json_array_get(a->metrics, i));
}

static enum hale_rc read_groups(const char *text, struct tally *t, struct hale_err *err)
{
    struct collector_list list;
    enum hale_rc rc = collector_params_list(text, "group_by", &list, err);

    for (unsigned i = 0; rc == HALE_OK && i < list.n; i++) {
        unsigned g = 0;
        while (g < G_N && !hale_str_eq_c(list.v[i], GROUPS[g]))
            g++;
        if (g == G_N || t->n == GROUPS_MAX)
            return hale_err_set(err, HALE_E_INVAL, "group_by: unknown field %.*s",
                                (int)(list.v[i].len < 80 ? list.v[i].len : 80),
                                list.v[i].p);
        t->groups[t->n++] = (enum group)g;
        t->per_metric = t->per_metric || g == G_METRIC_NAME;
        t->per_dim = t->per_dim || g == G_DIM_NAME || g == G_DIM_VALUE;
    }
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(struct row *const *)a)->key, (*(struct row *const *)b)->key);
}

static void reply_rows(struct collector *c, struct hale_http_req *req, struct tally *t,
                       size_t limit, size_t from)
{
    size_t n = hale_map_count(t->rows);
    struct row **rows = calloc(n + 1, sizeof(*rows));
    size_t it = 0;
    size_t k = 0;
    struct hale_buf b;
    char next[32];

    if (rows == NULL || t->failed) {
        free(rows);
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    for (struct row *r; (r = hale_map_next(t->rows, &it, NULL)) != NULL;)
        rows[k++] = r;
    qsort(rows, n, sizeof(*rows), by_key);
    from = from < n ? from : n;
    size_t end = n - from > limit ? from + limit : n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"columns\":[\"count\"");
    for (unsigned i = 0; i < t->n; i++)
        hale_buf_printf(&b, ",\"%s\"", GROUPS[t->groups[i]]);
    hale_buf_add_c(&b, "],\"counts\":[");
    for (size_t i = from; i < end; i++)
        hale_buf_printf(&b, "%s[%zu%s]", i > from ? "," : "", rows[i]->count,
                        rows[i]->json);
    if (n == 0) { /* Monasca's: one row of zero */
        hale_buf_add_c(&b, "[0");
        for (unsigned i = 0; i < t->n; i++)
            hale_buf_add_c(&b, ",null");
        hale_buf_add_char(&b, ']');
    }
    hale_buf_add_c(&b, "],");
    (void)snprintf(next, sizeof(next), "%zu", end);
    collector_links_self(req, c->conf->trust_forwarded, end < n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    free(rows);
}

void collector_alarms_count_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_alarm_filter filter;
    struct collector_alarm_list l;
    struct tally t = {0};
    struct hale_err err = {0};
    size_t limit;
    size_t from;

    (void)redis;
    if (!collector_alarm_filter_read(req, &filter))
        return;
    if (read_groups(hale_http_query(req, "group_by"), &t, &err) != HALE_OK ||
        collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK ||
        collector_params_row(hale_http_query(req, "offset"), &from, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (!collector_alarms_select(c, req, &filter, &l))
        return;
    t.rows = hale_map_new(ROWS_MAX, row_free);
    t.failed = t.rows == NULL;
    hale_buf_init(&t.key, KEY_MAX);
    hale_buf_init(&t.json, KEY_MAX);
    for (size_t i = 0; !t.failed && i < l.n; i++)
        count_alarm(&t, &l.v[i]->a);
    if (t.rows != NULL)
        reply_rows(c, req, &t, limit, from);
    else
        collector_reply_busy(req, 5, "out of memory");
    hale_map_free(t.rows);
    hale_buf_fini(&t.key);
    hale_buf_fini(&t.json);
    collector_alarm_list_fini(&l);
}
