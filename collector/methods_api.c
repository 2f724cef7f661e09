/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/methods_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "collector/method_store.h"
#include "collector/params.h"
#include "collector/request.h"
#include "model/limits.h"
#include "model/method_key.h"

#define ANSWER_MAX ((size_t)16 << 20)

/* --- text --------------------------------------------------------------------------------- */

static void add_text(struct hale_buf *b, const char *key, const char *value)
{
    hale_buf_printf(b, ",\"%s\":", key);
    hale_buf_add_json(b, hale_str_from(value));
}

static void add_method(const struct collector *c, const struct hale_http_req *req,
                       const struct hale_method *m, struct hale_buf *b)
{
    hale_buf_add_char(b, '{');
    collector_links_to(req, c->conf->trust_forwarded, "/v2.0/notification-methods/",
                       m->id, b);
    add_text(b, "id", m->id);
    add_text(b, "name", m->name);
    add_text(b, "type", hale_method_type_text(m->type));
    add_text(b, "address", m->address);
    hale_buf_printf(b, ",\"period\":%lld}", (long long)m->period_s);
}

static void reply_method(struct collector *c, struct hale_http_req *req, unsigned status,
                         struct hale_method *m)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    add_method(c, req, m, &b);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    hale_method_free(m);
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc,
                          const struct hale_err *err)
{
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else if (rc == HALE_E_EXISTS)
        collector_reply_error(req, 409, "AlreadyExistsException",
                              "A notification method with this name exists already");
    else if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 409, "TooManyMethods",
                              "At most %d notification methods can be kept; delete some",
                              HALE_METHODS_MAX);
    else if (rc == HALE_E_INVAL && err->text[0] != '\0')
        collector_reply_error(req, 400, "Bad request", "%s", err->text);
    else
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

/* --- list ----------------------------------------------------------------------------------- */

enum field { BY_ID, BY_NAME, BY_TYPE, BY_ADDRESS, BY_UPDATED, BY_CREATED };
static const char *const FIELDS[] = {"id",         "name",       "type", "address",
                                     "updated_at", "created_at", NULL};

static int compare_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_field(unsigned field, const struct hale_method *a,
                         const struct hale_method *b)
{
    switch ((enum field)field) {
    case BY_ID: return strcmp(a->id, b->id);
    case BY_NAME: return strcmp(a->name, b->name);
    case BY_TYPE:
        return strcmp(hale_method_type_text(a->type), hale_method_type_text(b->type));
    case BY_ADDRESS: return strcmp(a->address, b->address);
    case BY_UPDATED: return compare_number(a->updated_ms, b->updated_ms);
    case BY_CREATED: return compare_number(a->created_ms, b->created_ms);
    }
    return 0;
}

static int compare(const void *x, const void *y, void *arg)
{
    const struct hale_method *a = *(struct hale_method *const *)x;
    const struct hale_method *b = *(struct hale_method *const *)y;
    const struct collector_sort *sort = arg;

    for (unsigned i = 0; i < sort->n; i++) {
        int order = compare_field(sort->v[i].field, a, b);
        if (order != 0)
            return sort->v[i].desc ? -order : order;
    }
    return strcmp(a->id, b->id);
}

void collector_methods_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct collector_method_list l;
    struct collector_sort sort;
    struct hale_err err = {0};
    struct hale_buf b;
    size_t limit;
    size_t from;
    char next[32];

    if (collector_params_sort(hale_http_query(req, "sort_by"), FIELDS, &sort, &err) !=
            HALE_OK ||
        collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK ||
        collector_params_row(hale_http_query(req, "offset"), &from, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    enum hale_rc rc =
        collector_method_load_all(redis, collector_request_of(req)->tenant, &l);
    if (rc != HALE_OK) {
        collector_method_list_fini(&l);
        reply_failure(req, rc, &err);
        return;
    }
    qsort_r(l.v, l.n, sizeof(l.v[0]), compare, &sort);
    from = from < l.n ? from : l.n;
    size_t end = l.n - from > limit ? from + limit : l.n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = from; i < end; i++) {
        if (i > from)
            hale_buf_add_char(&b, ',');
        add_method(c, req, l.v[i], &b);
    }
    (void)snprintf(next, sizeof(next), "%zu", end);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < l.n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_method_list_fini(&l);
}

void collector_method_types_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct hale_buf b;

    (void)redis;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_char(&b, '{');
    collector_links_self(req, c->conf->trust_forwarded, NULL, &b);
    hale_buf_add_c(&b, ",\"elements\":[");
    for (int i = 0; i < HALE_METHOD_TYPES; i++)
        hale_buf_printf(&b, "%s{\"type\":\"%s\"}", i > 0 ? "," : "",
                        hale_method_type_text((enum hale_method_type)i));
    hale_buf_add_c(&b, "]}");
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

/* --- one ------------------------------------------------------------------------------------ */

void collector_method_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_method *m = NULL;
    struct hale_err err = {0};

    enum hale_rc rc = collector_method_load(redis, r->tenant, r->param, &m);
    if (rc == HALE_OK)
        reply_method(c, req, 200, m);
    else
        reply_failure(req, rc, &err);
}

struct change {
    const struct collector_request *request;
    const json_t *body;
    const char *id;
    bool whole;
};

static enum hale_rc make_new(const struct hale_method *before, struct hale_method **after,
                             void *arg, struct hale_err *err)
{
    const struct change *ch = arg;

    (void)before;
    enum hale_rc rc = hale_method_from_api(ch->body, NULL, false, after, err);
    if (rc != HALE_OK)
        return rc;
    (*after)->id = strdup(ch->id);
    (*after)->tenant = strdup(ch->request->tenant);
    (*after)->created_ms = (*after)->updated_ms = hale_clock_wall_ms();
    if ((*after)->id == NULL || (*after)->tenant == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return HALE_OK;
}

static enum hale_rc make_update(const struct hale_method *before,
                                struct hale_method **after, void *arg,
                                struct hale_err *err)
{
    const struct change *ch = arg;

    enum hale_rc rc = hale_method_from_api(ch->body, before, ch->whole, after, err);
    if (rc == HALE_OK)
        (*after)->updated_ms = hale_clock_wall_ms();
    return rc;
}

/* The body as JSON, or NULL after a 400 was sent: only this resource and POST /metrics insist on
 * the content type. */
static json_t *take_body(struct hale_http_req *req)
{
    if (!collector_request_is_json(req)) {
        collector_reply_error(req, 400, "Bad request",
                              "Bad content type. Must be application/json");
        return NULL;
    }
    return collector_request_json(req);
}

void collector_methods_post(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    char id[HALE_UUID_TEXT];
    struct hale_err err = {0};
    struct hale_method *m = NULL;
    json_t *body = take_body(req);

    if (body == NULL)
        return;
    hale_id_uuid_random(id);
    struct change change = {collector_request_of(req), body, id, true};
    struct collector_method_change ch = {make_new, &change, change.request->tenant, id,
                                         true};
    enum hale_rc rc = collector_method_change(redis, &ch, &m, &err);
    if (rc == HALE_OK)
        reply_method(c, req, 201, m);
    else
        reply_failure(req, rc, &err);
    json_decref(body);
}

static void update(struct collector *c, struct hale_redis *redis,
                   struct hale_http_req *req, bool whole)
{
    struct hale_err err = {0};
    struct hale_method *m = NULL;
    json_t *body = take_body(req);

    if (body == NULL)
        return;
    struct change change = {collector_request_of(req), body, NULL, whole};
    struct collector_method_change ch = {make_update, &change, change.request->tenant,
                                         change.request->param, false};
    enum hale_rc rc = collector_method_change(redis, &ch, &m, &err);
    if (rc == HALE_OK)
        reply_method(c, req, 200, m);
    else
        reply_failure(req, rc, &err);
    json_decref(body);
}

void collector_method_put(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    update(c, redis, req, true);
}

void collector_method_patch(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    update(c, redis, req, false);
}

void collector_method_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_method_change ch = {NULL, NULL, r->tenant, r->param, false};
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc = collector_method_change(redis, &ch, NULL, &err);
    if (rc == HALE_OK)
        collector_reply_none(req, 204);
    else
        reply_failure(req, rc, &err);
}

/* The file is read each time: whoever changes it need not tell us. */
static enum hale_rc key_of(const char *path, const char *id,
                           char key[HALE_METHOD_KEY_TEXT])
{
    struct hale_method_secret secret = {0};
    struct hale_err err = {0};
    enum hale_rc rc = hale_method_secret_load(path, &secret, &err);
    if (rc == HALE_OK)
        rc = hale_method_key(&secret, id, key);
    else
        hale_error("event=notification_secret_unreadable detail=\"%s\"", err.text);
    hale_method_secret_fini(&secret);
    return rc;
}

void collector_method_secret_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    const char *path = c->conf->notification_secret_file;
    struct hale_method *m = NULL;
    struct hale_err err = {0};
    char key[HALE_METHOD_KEY_TEXT] = "";
    enum hale_rc rc = collector_method_load(redis, r->tenant, r->param, &m);

    if (rc != HALE_OK) {
        reply_failure(req, rc, &err);
    } else if (m->type != HALE_METHOD_WEBHOOK || path == NULL) {
        collector_reply_error(req, 409, "NotSigned", "%s",
                              path == NULL
                                  ? "Webhooks are not signed here: whoever runs Hale can "
                                    "set notification_secret_file"
                                  : "Only a WEBHOOK is signed");
    } else if (key_of(path, m->id, key) != HALE_OK) {
        collector_reply_busy(req, 30, "the secret cannot be read");
    } else {
        struct hale_buf b;
        hale_buf_init(&b, 1024);
        hale_buf_printf(&b,
                        "{\"id\":\"%s\",\"algorithm\":\"HMAC-SHA256\",\"header\":"
                        "\"X-Hale-Signature\",\"key\":\"%s\"}",
                        m->id, key);
        hale_http_add_header(req, "Cache-Control", "no-store");
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
        explicit_bzero(key, sizeof(key));
    }
    hale_method_free(m);
}
