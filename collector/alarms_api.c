/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/alarms_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/alarm_view.h"
#include "collector/definition_store.h"
#include "collector/request.h"

#define ANSWER_MAX    ((size_t)256 << 20)
#define WAIT_MS       5000
#define LIFECYCLE_MAX 50
#define LINK_MAX      512

/* --- filter ---------------------------------------------------------------------------------- */

static enum hale_rc read_filter(struct hale_http_req *req,
                                struct collector_alarm_filter *f, struct hale_err *err)
{
    const char *state = hale_http_query(req, "state");
    const char *name = hale_http_query(req, "metric_name");
    struct hale_str rest;
    enum hale_severity severity;

    memset(f, 0, sizeof(*f));
    f->definition_id = hale_http_query(req, "alarm_definition_id");
    f->lifecycle_state = hale_http_query(req, "lifecycle_state");
    f->link = hale_http_query(req, "link");
    f->metric_name = hale_str_from(name);
    f->severities = rest = hale_str_from(hale_http_query(req, "severity"));
    f->since_ms = INT64_MIN;
    if (state != NULL) {
        f->has_state = true;
        if (hale_state_parse(hale_str_from(state), &f->state) != HALE_OK)
            return hale_err_set(err, HALE_E_INVAL,
                                "state must be OK, ALARM or UNDETERMINED");
    }
    while (rest.p != NULL) {
        if (hale_severity_parse(hale_str_split(&rest, '|'), &severity) != HALE_OK)
            return hale_err_set(err, HALE_E_INVAL,
                                "severity must be of LOW, MEDIUM, HIGH, CRITICAL");
    }
    enum hale_rc rc = HALE_OK;
    if (name != NULL)
        rc = hale_series_check_name(f->metric_name, err);
    if (rc == HALE_OK)
        rc = collector_params_dims(hale_http_query(req, "metric_dimensions"), &f->dims,
                                   err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "state_updated_start_time"),
                                   "state_updated_start_time", &f->since_ms, err);
    return rc;
}

bool collector_alarm_filter_read(struct hale_http_req *req,
                                 struct collector_alarm_filter *f)
{
    struct hale_err err = {0};

    if (read_filter(req, f, &err) == HALE_OK)
        return true;
    collector_reply_invalid(req, &err);
    return false;
}

static bool metric_fits(const struct collector_alarm_filter *f, const json_t *metric)
{
    const char *name = json_string_value(json_object_get(metric, "name"));
    const json_t *dims = json_object_get(metric, "dimensions");

    if (f->metric_name.p != NULL &&
        (name == NULL || !hale_str_eq_c(f->metric_name, name)))
        return false;
    for (unsigned i = 0; i < f->dims.n; i++) {
        const json_t *v =
            json_object_getn(dims, f->dims.v[i].key.p, f->dims.v[i].key.len);
        if (!json_is_string(v) ||
            !collector_alternative(f->dims.v[i].value,
                                   hale_str_from(json_string_value(v))))
            return false;
    }
    return true;
}

static bool severity_fits(struct hale_str wanted, enum hale_severity s)
{
    enum hale_severity one;

    if (wanted.p == NULL)
        return true;
    while (wanted.p != NULL) {
        if (hale_severity_parse(hale_str_split(&wanted, '|'), &one) == HALE_OK &&
            one == s)
            return true;
    }
    return false;
}

static bool text_fits(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

bool collector_alarm_filter_fits(const struct collector_alarm_filter *f,
                                 const struct hale_alarm *a)
{
    if (!text_fits(f->definition_id, a->definition_id) ||
        !text_fits(f->lifecycle_state, a->lifecycle_state) ||
        !text_fits(f->link, a->link) || (f->has_state && f->state != a->state) ||
        !severity_fits(f->severities, a->severity) || a->state_updated_ms < f->since_ms)
        return false;
    if (f->metric_name.p == NULL && f->dims.n == 0)
        return true;
    for (size_t i = 0; i < json_array_size(a->metrics); i++) {
        if (metric_fits(f, json_array_get(a->metrics, i)))
            return true;
    }
    return false;
}

bool collector_alarms_select(struct collector *c, struct hale_http_req *req,
                             const struct collector_alarm_filter *f,
                             struct collector_alarm_list *out)
{
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return false;
    }
    collector_table_list(collector_view_table(c->view), collector_request_of(req)->tenant,
                         out);
    if (out->failed) {
        collector_alarm_list_fini(out);
        collector_reply_busy(req, 5, "out of memory");
        return false;
    }
    for (size_t i = 0; i < out->n; i++) {
        if (collector_alarm_filter_fits(f, &out->v[i]->a))
            out->v[n++] = out->v[i];
        else
            collector_alarm_put(out->v[i]);
    }
    out->n = n;
    return true;
}

/* --- text -------------------------------------------------------------------------------------- */

static void add_text(struct hale_buf *b, const char *key, const char *value)
{
    hale_buf_printf(b, ",\"%s\":", key);
    if (value != NULL)
        hale_buf_add_json(b, hale_str_from(value));
    else
        hale_buf_add_c(b, "null");
}

static void add_time(struct hale_buf *b, const char *key, int64_t ms)
{
    char when[HALE_CLOCK_ISO_MAX];

    hale_buf_printf(b, ",\"%s\":\"%s\"", key, hale_clock_iso_ms(ms, when));
}

static void add_alarm(const struct collector *c, const struct hale_http_req *req,
                      const struct collector_alarm *w, struct hale_buf *b)
{
    const struct hale_alarm *a = &w->a;
    bool trust = c->conf->trust_forwarded;

    hale_buf_add_char(b, '{');
    collector_links_to(req, trust, "/v2.0/alarms/", a->id, b);
    add_text(b, "id", a->id);
    hale_buf_add_c(b, ",\"alarm_definition\":{");
    collector_links_to(req, trust, "/v2.0/alarm-definitions/", a->definition_id, b);
    add_text(b, "id", a->definition_id);
    add_text(b, "name", a->definition_name);
    add_text(b, "severity", hale_severity_text(a->severity));
    hale_buf_add_c(b, "},\"metrics\":");
    hale_buf_add_c(b, w->metrics);
    add_text(b, "state", hale_state_text(a->state));
    add_text(b, "lifecycle_state", a->lifecycle_state);
    add_text(b, "link", a->link);
    add_time(b, "state_updated_timestamp", a->state_updated_ms);
    add_time(b, "updated_timestamp", a->updated_ms);
    add_time(b, "created_timestamp", a->created_ms);
    hale_buf_add_char(b, '}');
}

/* --- list -------------------------------------------------------------------------------------- */

enum field {
    BY_ID,
    BY_DEFINITION,
    BY_DEFINITION_NAME,
    BY_STATE,
    BY_SEVERITY,
    BY_LIFECYCLE,
    BY_LINK,
    BY_STATE_UPDATED,
    BY_UPDATED,
    BY_CREATED
};
static const char *const FIELDS[] = {"alarm_id",
                                     "alarm_definition_id",
                                     "alarm_definition_name",
                                     "state",
                                     "severity",
                                     "lifecycle_state",
                                     "link",
                                     "state_updated_timestamp",
                                     "updated_timestamp",
                                     "created_timestamp",
                                     NULL};

static int compare_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int compare_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_field(unsigned field, const struct hale_alarm *a,
                         const struct hale_alarm *b)
{
    switch ((enum field)field) {
    case BY_ID: return strcmp(a->id, b->id);
    case BY_DEFINITION: return compare_text(a->definition_id, b->definition_id);
    case BY_DEFINITION_NAME: return compare_text(a->definition_name, b->definition_name);
    case BY_STATE: return compare_number(a->state, b->state);
    case BY_SEVERITY: return compare_number(a->severity, b->severity);
    case BY_LIFECYCLE: return compare_text(a->lifecycle_state, b->lifecycle_state);
    case BY_LINK: return compare_text(a->link, b->link);
    case BY_STATE_UPDATED:
        return compare_number(a->state_updated_ms, b->state_updated_ms);
    case BY_UPDATED: return compare_number(a->updated_ms, b->updated_ms);
    case BY_CREATED: return compare_number(a->created_ms, b->created_ms);
    }
    return 0;
}

static int compare(const void *x, const void *y, void *arg)
{
    const struct hale_alarm *a = &(*(struct collector_alarm *const *)x)->a;
    const struct hale_alarm *b = &(*(struct collector_alarm *const *)y)->a;
    const struct collector_sort *sort = arg;

    for (unsigned i = 0; i < sort->n; i++) {
        int order = compare_field(sort->v[i].field, a, b);
        if (order != 0)
            return sort->v[i].desc ? -order : order;
    }
    return strcmp(a->id, b->id);
}

void collector_alarms_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    struct collector_alarm_filter filter;
    struct collector_alarm_list l;
    struct collector_sort sort;
    struct hale_err err = {0};
    struct hale_buf b;
    size_t limit;
    size_t from;
    char next[32];

    (void)redis;
    if (!collector_alarm_filter_read(req, &filter))
        return;
    if (collector_params_sort(hale_http_query(req, "sort_by"), FIELDS, &sort, &err) !=
            HALE_OK ||
        collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK ||
        collector_params_row(hale_http_query(req, "offset"), &from, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (!collector_alarms_select(c, req, &filter, &l))
        return;
    if (l.n > 1)
        qsort_r(l.v, l.n, sizeof(l.v[0]), compare, &sort);
    from = from < l.n ? from : l.n;
    size_t end = l.n - from > limit ? from + limit : l.n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = from; i < end; i++) {
        if (i > from)
            hale_buf_add_char(&b, ',');
        add_alarm(c, req, l.v[i], &b);
    }
    (void)snprintf(next, sizeof(next), "%zu", end);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < l.n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_alarm_list_fini(&l);
}

/* --- one --------------------------------------------------------------------------------------- */

/* NULL: answered. */
static struct collector_alarm *find(struct collector *c, struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);

    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return NULL;
    }
    struct collector_alarm *a =
        collector_table_get(collector_view_table(c->view), r->tenant, r->param);
    if (a == NULL)
        collector_reply_not_found(req);
    return a;
}

static void reply_alarm(struct collector *c, struct hale_http_req *req,
                        const struct collector_alarm *a)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    add_alarm(c, req, a, &b);
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_alarm_get_one(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    (void)redis;
    struct collector_alarm *a = find(c, req);
    if (a == NULL)
        return;
    reply_alarm(c, req, a);
    collector_alarm_put(a);
}

/* The record is durable when this returns HALE_OK. */
static enum hale_rc send_control(struct hale_redis *redis, const struct hale_control *k)
{
    struct hale_buf b;
    struct hale_reply *reply = NULL;

    hale_buf_init(&b, 1u << 20);
    enum hale_rc rc = hale_control_encode(k, &b);
    if (rc == HALE_OK)
        rc = collector_control_append(redis, &b);
    if (rc == HALE_OK)
        rc = hale_redis_reply(redis, &reply);
    if (rc == HALE_OK && hale_reply_is_error(reply))
        rc = HALE_E_AGAIN;
    hale_reply_free(reply);
    hale_buf_fini(&b);
    return rc;
}

static void reply_unconfirmed(struct hale_http_req *req)
{
    collector_reply_busy(
        req, 5,
        "the change is recorded, but the correlator has not confirmed it "
        "within 5 s");
}

static bool is_gone(const struct collector_alarm *a, void *arg)
{
    (void)arg;
    return a == NULL;
}

void collector_alarm_delete(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct collector_alarm *a = find(c, req);

    if (a == NULL)
        return;
    struct hale_control k = {.op = HALE_CONTROL_ALARM_DELETE,
                             .id = a->a.id,
                             .definition_id = a->a.definition_id,
                             .group = a->a.group};
    if (send_control(redis, &k) != HALE_OK)
        collector_reply_busy(req, 2, "the store does not answer; try again");
    else if (!collector_table_wait(collector_view_table(c->view), a->a.id, is_gone, NULL,
                                   WAIT_MS))
        reply_unconfirmed(req);
    else
        collector_reply_none(req, 204);
    collector_alarm_put(a);
}

struct patch {
    char *state, *lifecycle_state, *link; /* NULL: keep */
};

static enum hale_rc take_text(const json_t *body, const char *key, size_t max_chars,
                              bool required, const char **out, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    size_t n;

    *out = NULL;
    if (v == NULL || json_is_null(v))
        return required ? hale_err_set(err, HALE_E_INVAL, "%s is required", key)
                        : HALE_OK;
    if (!json_is_string(v))
        return hale_err_set(err, HALE_E_INVAL, "%s must be a string", key);
    struct hale_str s = {json_string_value(v), json_string_length(v)};
    if (hale_str_utf8_count(s, &n) != HALE_OK || n > max_chars || strlen(s.p) != s.len)
        return hale_err_set(err, HALE_E_INVAL, "%s must have at most %zu characters", key,
                            max_chars);
    if (required && n == 0)
        return hale_err_set(err, HALE_E_INVAL, "%s must not be empty", key);
    *out = s.p;
    return HALE_OK;
}

static enum hale_rc read_patch(const json_t *body, bool all, struct hale_control *k,
                               struct hale_err *err)
{
    const char *state;
    const char *lifecycle;
    const char *link;
    enum hale_state parsed;

    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    enum hale_rc rc = take_text(body, "state", 20, all, &state, err);
    if (rc == HALE_OK)
        rc = take_text(body, "lifecycle_state", LIFECYCLE_MAX, all, &lifecycle, err);
    if (rc == HALE_OK)
        rc = take_text(body, "link", LINK_MAX, all, &link, err);
    if (rc != HALE_OK)
        return rc;
    if (state != NULL && hale_state_parse(hale_str_from(state), &parsed) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "state must be OK, ALARM or UNDETERMINED");
    k->state = state != NULL ? strdup(hale_state_text(parsed)) : NULL;
    k->lifecycle_state = lifecycle != NULL ? strdup(lifecycle) : NULL;
    k->link = link != NULL ? strdup(link) : NULL;
    if ((state != NULL && k->state == NULL) ||
        (lifecycle != NULL && k->lifecycle_state == NULL) ||
        (link != NULL && k->link == NULL))
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return HALE_OK;
}

/* Gone counts as done: the answer is then 404. */
static bool is_patched(const struct collector_alarm *a, void *arg)
{
    const struct hale_control *k = arg;

    return a == NULL ||
           ((k->state == NULL || strcmp(k->state, hale_state_text(a->a.state)) == 0) &&
            (k->lifecycle_state == NULL ||
             text_fits(k->lifecycle_state, a->a.lifecycle_state)) &&
            (k->link == NULL || text_fits(k->link, a->a.link)));
}

static void change(struct collector *c, struct hale_redis *redis,
                   struct hale_http_req *req, bool all)
{
    struct hale_control k = {.op = HALE_CONTROL_ALARM_PATCH};
    struct hale_err err = {0};
    json_t *body = collector_request_json(req);

    if (body == NULL)
        return;
    if (read_patch(body, all, &k, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        goto out;
    }
    struct collector_alarm *a = find(c, req);
    if (a == NULL)
        goto out;
    k.id = strdup(a->a.id);
    collector_alarm_put(a);
    if (k.id == NULL || send_control(redis, &k) != HALE_OK) {
        collector_reply_busy(req, 2, "the store does not answer; try again");
    } else if (!collector_table_wait(collector_view_table(c->view), k.id, is_patched, &k,
                                     WAIT_MS)) {
        reply_unconfirmed(req);
    } else if ((a = find(c, req)) != NULL) {
        reply_alarm(c, req, a);
        collector_alarm_put(a);
    }
out:
    hale_control_fini(&k);
    json_decref(body);
}

void collector_alarm_put_one(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    change(c, redis, req, true);
}

void collector_alarm_patch(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    change(c, redis, req, false);
}
