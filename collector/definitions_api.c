/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/definitions_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/alarm_view.h"
#include "collector/copies.h"
#include "collector/definition_store.h"
#include "collector/params.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define WAIT_MS    5000 /* for the correlator, which deletes the alarms of a definition */

/* --- text --------------------------------------------------------------------------------- */

static void add_strings(struct hale_buf *b, const char *key, const struct hale_strings *s)
{
    hale_buf_printf(b, ",\"%s\":[", key);
    for (unsigned i = 0; i < s->n; i++) {
        if (i > 0)
            hale_buf_add_char(b, ',');
        hale_buf_add_json(b, hale_str_from(s->v[i]));
    }
    hale_buf_add_char(b, ']');
}

static void add_text(struct hale_buf *b, const char *key, const char *value)
{
    hale_buf_printf(b, ",\"%s\":", key);
    hale_buf_add_json(b, hale_str_from(value));
}

static void add_definition(const struct collector *c, const struct hale_http_req *req,
                           const struct hale_definition *d, struct hale_buf *b)
{
    hale_buf_add_char(b, '{');
    collector_links_to(req, c->conf->trust_forwarded, "/v2.0/alarm-definitions/", d->id,
                       b);
    add_text(b, "id", d->id);
    add_text(b, "name", d->name);
    add_text(b, "description", d->description);
    add_text(b, "expression", d->expression);
    hale_buf_printf(b, ",\"deterministic\":%s",
                    d->expr->deterministic ? "true" : "false");
    add_strings(b, "match_by", &d->match_by);
    add_text(b, "severity", hale_severity_text(d->severity));
    hale_buf_printf(b, ",\"actions_enabled\":%s", d->actions_enabled ? "true" : "false");
    add_strings(b, "ok_actions", &d->ok_actions);
    add_strings(b, "alarm_actions", &d->alarm_actions);
    add_strings(b, "undetermined_actions", &d->undetermined_actions);
    /* Ours, only where they are in use: clients compare the set of keys. */
    if (d->semantics == HALE_SEMANTICS_MONASCA)
        add_text(b, "semantics", "monasca");
    if (d->flap_off)
        hale_buf_add_c(b, ",\"flap_detection\":false");
    if (d->on_missing != HALE_MISSING_DEFAULT)
        add_text(b, "on_missing", hale_missing_text(d->on_missing));
    if (d->missing_after_s != 0)
        hale_buf_printf(b, ",\"missing_after\":%lld", (long long)d->missing_after_s);
    if (d->for_s != 0)
        hale_buf_printf(b, ",\"for\":%lld", (long long)d->for_s);
    if (d->clear_for_s != 0)
        hale_buf_printf(b, ",\"clear_for\":%lld", (long long)d->clear_for_s);
    if (d->impact != HALE_IMPACT_DEFAULT)
        add_text(b, "impact", hale_impact_text(d->impact));
    hale_buf_add_char(b, '}');
}

static void reply_definition(struct collector *c, struct hale_http_req *req,
                             unsigned status, struct hale_definition *d)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    add_definition(c, req, d, &b);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    hale_definition_free(d);
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc,
                          const struct hale_err *err)
{
    bool expression = strncmp(err->text, "parser failed", 13) == 0;

    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else if (rc == HALE_E_EXISTS)
        collector_reply_error(req, 409, "AlreadyExistsException",
                              "An alarm definition with this name exists already");
    else if (rc == HALE_E_CONFLICT)
        collector_reply_error(req, 422, "InvalidUpdateException", "%s", err->text);
    else if (rc == HALE_E_INVAL && err->text[0] != '\0')
        collector_reply_error(
            req, 422, expression ? "Invalid alarm expression" : "Unprocessable Entity",
            "%s", err->text);
    else
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

/* --- list ----------------------------------------------------------------------------------- */

enum field { BY_ID, BY_NAME, BY_SEVERITY, BY_UPDATED, BY_CREATED };
static const char *const FIELDS[] = {"id",         "name",       "severity",
                                     "updated_at", "created_at", NULL};

struct filter {
    const char *name;
    struct hale_str severities; /* {NULL,0}: any */
    struct collector_dims dims;
    struct collector_sort sort;
    size_t limit, offset;
};

/* "LOW|HIGH", any case; each must be a severity. */
static enum hale_rc check_severities(struct hale_str s, struct hale_err *err)
{
    enum hale_severity unused;

    while (s.p != NULL) {
        if (hale_severity_parse(hale_str_split(&s, '|'), &unused) != HALE_OK)
            return hale_err_set(err, HALE_E_INVAL,
                                "severity must be of LOW, MEDIUM, HIGH, CRITICAL");
    }
    return HALE_OK;
}

static bool severity_in(struct hale_str s, enum hale_severity want)
{
    enum hale_severity one;

    if (s.p == NULL)
        return true;
    while (s.p != NULL) {
        if (hale_severity_parse(hale_str_split(&s, '|'), &one) == HALE_OK && one == want)
            return true;
    }
    return false;
}

static enum hale_rc read_filter(struct hale_http_req *req, struct filter *f,
                                struct hale_err *err)
{
    memset(f, 0, sizeof(*f));
    f->name = hale_http_query(req, "name");
    f->severities = hale_str_from(hale_http_query(req, "severity"));
    enum hale_rc rc = check_severities(f->severities, err);
    if (rc == HALE_OK)
        rc = collector_params_dims(hale_http_query(req, "dimensions"), &f->dims, err);
    if (rc == HALE_OK)
        rc =
            collector_params_sort(hale_http_query(req, "sort_by"), FIELDS, &f->sort, err);
    if (rc == HALE_OK)
        rc = collector_params_limit(hale_http_query(req, "limit"), &f->limit, err);
    if (rc == HALE_OK)
        rc = collector_params_row(hale_http_query(req, "offset"), &f->offset, err);
    return rc;
}

static bool term_has(const struct hale_term *t, const struct collector_dim_filter *f)
{
    for (unsigned m = 0; m < t->n_dims; m++) {
        if (hale_str_eq(t->dims[m].key, f->key))
            return collector_alternative(f->value, t->dims[m].value);
    }
    return false;
}

/* All of the filter's dimensions are literally at one metric. */
static bool dims_in(const struct collector_dims *f, const struct hale_definition *d)
{
    for (unsigned i = 0; i < d->expr->n_subs; i++) {
        for (unsigned m = 0; m < hale_subexpr_terms(&d->expr->subs[i]); m++) {
            const struct hale_term t = hale_subexpr_term(&d->expr->subs[i], m);
            unsigned k = 0;
            while (k < f->n && term_has(&t, &f->v[k]))
                k++;
            if (k == f->n)
                return true;
        }
    }
    return f->n == 0;
}

static int compare_field(unsigned field, const struct hale_definition *a,
                         const struct hale_definition *b)
{
    switch ((enum field)field) {
    case BY_ID: return strcmp(a->id, b->id);
    case BY_NAME: return strcmp(a->name, b->name);
    case BY_SEVERITY: /* by text, unlike alarms: Monasca's */
        return strcmp(hale_severity_text(a->severity), hale_severity_text(b->severity));
    case BY_UPDATED:
        return (a->updated_ms > b->updated_ms) - (a->updated_ms < b->updated_ms);
    case BY_CREATED:
        return (a->created_ms > b->created_ms) - (a->created_ms < b->created_ms);
    }
    return 0;
}

static int compare(const void *x, const void *y, void *arg)
{
    const struct hale_definition *a = *(struct hale_definition *const *)x;
    const struct hale_definition *b = *(struct hale_definition *const *)y;
    const struct collector_sort *sort = arg;

    for (unsigned i = 0; i < sort->n; i++) {
        int order = compare_field(sort->v[i].field, a, b);
        if (order != 0)
            return sort->v[i].desc ? -order : order;
    }
    return strcmp(a->id, b->id);
}

static void reply_list(struct collector *c, struct hale_http_req *req,
                       const struct filter *f, struct collector_definition_list *l)
{
    struct collector_sort sort = f->sort;
    struct hale_buf b;
    char next[32];
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct hale_definition *d = l->v[i];
        bool fits = (f->name == NULL || strcmp(f->name, d->name) == 0) &&
                    severity_in(f->severities, d->severity) && dims_in(&f->dims, d);
        l->v[i] = l->v[n];
        l->v[n] = d;
        n += fits ? 1 : 0;
    }
    qsort_r(l->v, n, sizeof(l->v[0]), compare, &sort);
    size_t from = f->offset < n ? f->offset : n;
    size_t end = n - from > f->limit ? from + f->limit : n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = from; i < end; i++) {
        if (i > from)
            hale_buf_add_char(&b, ',');
        add_definition(c, req, l->v[i], &b);
    }
    (void)snprintf(next, sizeof(next), "%zu", end);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_definitions_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    struct collector_definition_list l;
    struct hale_err err = {0};
    struct filter f;

    if (read_filter(req, &f, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    enum hale_rc rc =
        collector_definition_load_all(redis, collector_request_of(req)->tenant, &l);
    if (rc != HALE_OK) {
        reply_failure(req, rc, &err);
        return;
    }
    if (l.n == 0) /* qsort_r wants an array */
        l.v = calloc(1, sizeof(l.v[0]));
    if (l.v != NULL)
        reply_list(c, req, &f, &l);
    else
        reply_failure(req, HALE_E_NOMEM, &err);
    collector_definition_list_fini(&l);
}

/* --- one ------------------------------------------------------------------------------------ */

void collector_definition_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_definition *d = NULL;
    struct hale_err err = {0};

    enum hale_rc rc = collector_definition_load(redis, r->tenant, r->param, &d);
    if (rc == HALE_OK)
        reply_definition(c, req, 200, d);
    else
        reply_failure(req, rc, &err);
}

struct change {
    const struct collector_request *request;
    const json_t *body;
    const char *id;
};

static enum hale_rc make_new(const struct hale_definition *before,
                             struct hale_definition **after, void *arg,
                             struct hale_err *err)
{
    const struct change *ch = arg;

    (void)before;
    enum hale_rc rc = hale_definition_from_api(ch->body, NULL, false, after, err);
    if (rc != HALE_OK)
        return rc;
    (*after)->id = strdup(ch->id);
    (*after)->tenant = strdup(ch->request->tenant);
    (*after)->version = 1;
    (*after)->created_ms = (*after)->updated_ms = hale_clock_wall_ms();
    if ((*after)->id == NULL || (*after)->tenant == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return HALE_OK;
}

static enum hale_rc make_update(const struct hale_definition *before,
                                struct hale_definition **after, void *arg,
                                struct hale_err *err)
{
    const struct change *ch = arg;

    enum hale_rc rc = hale_definition_from_api(ch->body, before, true, after, err);
    if (rc == HALE_OK)
        rc = hale_definition_check_update(before, *after, err);
    if (rc != HALE_OK)
        return rc;
    (*after)->version = before->version + 1;
    (*after)->updated_ms = hale_clock_wall_ms();
    return HALE_OK;
}

static enum hale_rc make_nothing(const struct hale_definition *before,
                                 struct hale_definition **after, void *arg,
                                 struct hale_err *err)
{
    (void)before;
    (void)arg;
    (void)err;
    *after = NULL;
    return HALE_OK;
}

void collector_definitions_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    char id[HALE_UUID_TEXT];
    struct hale_err err = {0};
    struct hale_definition *d = NULL;
    json_t *body = collector_request_json(req);

    if (body == NULL)
        return;
    hale_id_uuid_random(id);
    struct change change = {collector_request_of(req), body, id};
    struct collector_definition_change ch = {make_new, &change, change.request->tenant,
                                             id, true};
    enum hale_rc rc = collector_definition_change(redis, &ch, &d, &err);
    if (rc ==
        HALE_OK) /* whoever has the answer may send: it is copied where it is needed */
        rc = collector_copies_set(c->copies, d);
    if (rc == HALE_OK)
        reply_definition(c, req, 201, d);
    else
        reply_failure(req, rc, &err);
    json_decref(body);
}

static void update(struct collector *c, struct hale_redis *redis,
                   struct hale_http_req *req, const json_t *body)
{
    struct change change = {collector_request_of(req), body, NULL};
    struct collector_definition_change ch = {make_update, &change, change.request->tenant,
                                             change.request->param, false};
    struct hale_err err = {0};
    struct hale_definition *d = NULL;

    enum hale_rc rc = collector_definition_change(redis, &ch, &d, &err);
    if (rc == HALE_OK)
        reply_definition(c, req, 200, d);
    else
        reply_failure(req, rc, &err);
}

/* A PUT replaces the whole: every field must be there. */
static const char *missing_field(const json_t *body)
{
    static const char *const ALL[] = {
        "name",           "description", "expression",    "match_by",
        "severity",       "ok_actions",  "alarm_actions", "undetermined_actions",
        "actions_enabled"};

    for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        const json_t *v = json_object_get(body, ALL[i]);
        if (v == NULL || json_is_null(v))
            return ALL[i];
    }
    return NULL;
}

void collector_definition_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    json_t *body = collector_request_json(req);

    if (body == NULL)
        return;
    const char *missing = missing_field(body);
    if (missing != NULL)
        collector_reply_error(req, 422, "Unprocessable Entity", "%s is required",
                              missing);
    else if (!json_is_boolean(json_object_get(body, "actions_enabled")))
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "actions_enabled must be true or false");
    else
        update(c, redis, req, body);
    json_decref(body);
}

static void drop_nulls(json_t *body)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (body, next, key, value) {
        if (json_is_null(value))
            (void)json_object_del(body, key);
    }
}

void collector_definition_patch(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    json_t *body = collector_request_json(req);

    if (body == NULL)
        return;
    if (json_is_object(body)) {
        drop_nulls(body); /* null means: keep */
        update(c, redis, req, body);
    } else {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "the body must be an object");
    }
    json_decref(body);
}

static bool is_gone(const struct collector_alarm *a, void *arg)
{
    (void)arg;
    return a == NULL;
}

/* Whoever deletes a definition and lists the alarms then does not find its alarms any more, as long
 * as the correlator runs; the definition is gone in any case. */
static void await_alarms_gone(struct collector *c, const struct collector_request *r)
{
    struct collector_table *table = collector_view_table(c->view);
    struct collector_alarm_list l;
    int64_t until = hale_clock_mono_ms() + WAIT_MS;
    bool gone = true;

    collector_table_list(table, r->tenant, &l);
    for (size_t i = 0; gone && i < l.n; i++) {
        const struct hale_alarm *a = &l.v[i]->a;
        int64_t left = until - hale_clock_mono_ms();
        if (strcmp(a->definition_id, r->param) == 0)
            gone = collector_table_wait(table, a->id, is_gone, NULL, left > 0 ? left : 0);
    }
    collector_alarm_list_fini(&l);
}

void collector_definition_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_definition_change ch = {make_nothing, NULL, r->tenant, r->param,
                                             false};
    struct hale_err err = {0};

    enum hale_rc rc = collector_definition_change(redis, &ch, NULL, &err);
    if (rc == HALE_OK) {
        collector_copies_drop(c->copies, r->param);
        await_alarms_gone(c, r);
        collector_reply_none(req, 204);
    } else {
        reply_failure(req, rc, &err);
    }
}
