/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/aodh_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/aodh_store.h"
#include "collector/params.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define CHOICES    16

/* --- answers ------------------------------------------------------------------------- */

static void reply_error(struct hale_http_req *req, unsigned status, const char *text)
{
    struct hale_buf b;

    hale_buf_init(&b, 65536);
    hale_buf_add_c(&b, "{\"error_message\":{\"faultcode\":\"Client\",\"faultstring\":");
    hale_buf_add_json(&b, hale_str_from(text));
    hale_buf_add_c(&b, ",\"debuginfo\":null}}");
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc,
                          const struct hale_err *err)
{
    char text[200];

    if (rc == HALE_E_NOTFOUND) {
        (void)snprintf(text, sizeof(text), "Alarm %.100s not found",
                       collector_request_of(req)->param);
        reply_error(req, 404, text);
    } else if (rc == HALE_E_LIMIT) {
        (void)snprintf(text, sizeof(text), "At most %d alarms can be kept; delete some",
                       HALE_AODH_MAX);
        reply_error(req, 403, text);
    } else if (rc == HALE_E_INVAL && err->text[0] != '\0') {
        reply_error(req, 400, err->text);
    } else {
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
    }
}

static void add_alarm(const struct collector_aodh *x, struct hale_buf *b)
{
    json_t *j = hale_aodh_to_api(x->a, x->state, x->since_ms, x->reason);
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

    json_decref(j);
    if (text == NULL)
        b->failed = true;
    else
        hale_buf_add_c(b, text);
    free(text);
}

static void reply_alarm(struct hale_http_req *req, unsigned status,
                        const struct collector_aodh *x)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    add_alarm(x, &b);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static void reply_state(struct hale_http_req *req, enum hale_state s)
{
    struct hale_buf b;

    hale_buf_init(&b, 64);
    hale_buf_add_json(&b, hale_str_from(hale_aodh_state_text(s)));
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

/* --- list ---------------------------------------------------------------------------- */

/* q.field=state&q.op=eq&q.value=alarm, any number of times. */
struct choice {
    const char *field, *op, *value;
};
struct choices {
    unsigned fields, ops, values;
    struct choice v[CHOICES];
};

static void take_choice(const char *name, const char *value, void *arg)
{
    struct choices *c = arg;

    if (strcmp(name, "q.field") == 0 && c->fields < CHOICES)
        c->v[c->fields++].field = value;
    else if (strcmp(name, "q.op") == 0 && c->ops < CHOICES)
        c->v[c->ops++].op = value;
    else if (strcmp(name, "q.value") == 0 && c->values < CHOICES)
        c->v[c->values++].value = value;
}

static const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

static const char *const FIELDS[] = {
    "name",    "type",     "state",          "severity",   "enabled",
    "user_id", "alarm_id", "repeat_actions", "project_id", NULL};

static bool is_field(const char *field)
{
    for (size_t i = 0; FIELDS[i] != NULL; i++)
        if (strcmp(FIELDS[i], field) == 0)
            return true;
    return false;
}

static const char *field_of(const struct collector_aodh *x, const char *field)
{
    if (strcmp(field, "name") == 0)
        return x->a->name;
    if (strcmp(field, "type") == 0)
        return "event";
    if (strcmp(field, "state") == 0)
        return hale_aodh_state_text(x->state);
    if (strcmp(field, "severity") == 0)
        return hale_aodh_severity_text(x->a->severity);
    if (strcmp(field, "enabled") == 0)
        return bool_text(x->a->enabled);
    if (strcmp(field, "repeat_actions") == 0)
        return bool_text(x->a->repeat);
    if (strcmp(field, "project_id") == 0)
        return x->a->tenant;
    if (strcmp(field, "user_id") == 0)
        return x->a->user;
    return x->a->id;
}

static bool chosen(const struct choices *c, const struct collector_aodh *x)
{
    for (unsigned i = 0; i < c->fields; i++)
        if (!hale_str_ieq_c(hale_str_from(field_of(x, c->v[i].field)), c->v[i].value))
            return false;
    return true;
}

static enum hale_rc check_choices(const struct choices *c, struct hale_err *err)
{
    if (c->fields != c->values)
        return hale_err_set(err, HALE_E_INVAL, "every q.field needs its q.value");
    for (unsigned i = 0; i < c->fields; i++) {
        if (!is_field(c->v[i].field))
            return hale_err_set(err, HALE_E_INVAL, "unrecognized field in query: %.100s",
                                c->v[i].field);
        if (c->v[i].op != NULL && strcmp(c->v[i].op, "eq") != 0)
            return hale_err_set(err, HALE_E_INVAL,
                                "unimplemented operator for %.100s: only eq",
                                c->v[i].field);
    }
    return HALE_OK;
}

/* The first row after the marker; HALE_E_NOTFOUND: there is no such alarm. */
static enum hale_rc find_marker(const struct collector_aodh_list *l, const char *marker,
                                size_t *at)
{
    *at = 0;
    if (marker == NULL)
        return HALE_OK;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->v[i].a->id, marker) == 0) {
            *at = i + 1;
            return HALE_OK;
        }
    }
    return HALE_E_NOTFOUND;
}

static void reply_list(struct hale_http_req *req, const struct collector_aodh_list *l,
                       const struct choices *c, size_t from, size_t limit)
{
    struct hale_buf b;
    size_t n = 0;

    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_char(&b, '[');
    for (size_t i = from; i < l->n && n < limit; i++) {
        if (!chosen(c, &l->v[i]))
            continue;
        if (n++ > 0)
            hale_buf_add_char(&b, ',');
        add_alarm(&l->v[i], &b);
    }
    hale_buf_add_char(&b, ']');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_aodh_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req)
{
    struct collector_aodh_list l = {0};
    struct choices choices = {0};
    struct hale_err err = {0};
    size_t limit, from;

    (void)c;
    hale_http_query_each(req, take_choice, &choices);
    if (collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK ||
        check_choices(&choices, &err) != HALE_OK) {
        reply_error(req, 400, err.text);
        return;
    }
    enum hale_rc rc = collector_aodh_load_all(redis, collector_request_of(req)->tenant,
                                              COLLECTOR_AODH_ALARM, &l);
    if (rc == HALE_OK &&
        find_marker(&l, hale_http_query(req, "marker"), &from) != HALE_OK)
        reply_error(req, 400, "marker: there is no such alarm");
    else if (rc == HALE_OK)
        reply_list(req, &l, &choices, from, limit);
    else
        reply_failure(req, rc, &err);
    collector_aodh_list_fini(&l);
}

/* --- one ----------------------------------------------------------------------------- */

void collector_aodh_get_one(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_aodh x;
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc =
        collector_aodh_load(redis, r->tenant, r->param, COLLECTOR_AODH_ALARM, &x);
    if (rc != HALE_OK) {
        reply_failure(req, rc, &err);
        return;
    }
    reply_alarm(req, 200, &x);
    collector_aodh_fini(&x);
}

/* Fills in who and when. Takes a on failure. */
static enum hale_rc identify(struct hale_aodh *a, const struct collector_request *r,
                             const char *id, struct hale_err *err)
{
    a->id = strdup(id);
    a->tenant = strdup(r->tenant);
    a->user = strdup(r->who.name);
    a->updated_ms = hale_clock_wall_ms();
    if (a->id != NULL && a->tenant != NULL && a->user != NULL)
        return HALE_OK;
    hale_aodh_free(a);
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static struct hale_aodh *from_body(struct hale_http_req *req, const char *id)
{
    struct hale_aodh *a = NULL;
    struct hale_err err = {0};
    json_error_t why;
    struct hale_str body = hale_http_body(req);
    json_t *j = body.len > 0 ? json_loadb(body.p, body.len, 0, &why) : NULL;

    if (j == NULL) {
        reply_error(req, 400, "the body is not JSON");
        return NULL;
    }
    enum hale_rc rc = hale_aodh_from_api(j, &a, &err);
    if (rc == HALE_OK)
        rc = identify(a, collector_request_of(req), id, &err);
    json_decref(j);
    if (rc == HALE_OK)
        return a;
    reply_failure(req, rc, &err);
    return NULL;
}

void collector_aodh_post(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req)
{
    char id[HALE_UUID_TEXT];
    char reason[] = "Not evaluated yet";
    struct hale_err err = {0};
    struct hale_buf location;

    hale_id_uuid_random(id);
    struct hale_aodh *a = from_body(req, id);
    if (a == NULL)
        return;
    a->created_ms = a->updated_ms;
    a->set_ms = a->set_ms > 0 ? a->updated_ms : 0;
    enum hale_rc rc = collector_aodh_create(redis, a);
    if (rc == HALE_OK) {
        const struct collector_aodh x = {
            a, a->set_ms > 0 ? a->set : HALE_STATE_UNDETERMINED, a->created_ms, reason};
        hale_buf_init(&location, 4096);
        collector_link_base(req, c->conf->trust_forwarded, &location);
        hale_buf_printf(&location, "/v2/alarms/%s", id);
        if (!location.failed)
            hale_http_add_header(req, "Location", location.p);
        hale_buf_fini(&location);
        reply_alarm(req, 201, &x);
    } else {
        reply_failure(req, rc, &err);
    }
    hale_aodh_free(a);
}

/* By hand, now: x is in that state, whatever the actuator said. */
static void set_state(struct collector_aodh *x, enum hale_state state)
{
    int64_t now_ms = hale_clock_wall_ms();

    x->a->set = state;
    x->a->set_ms = now_ms > x->since_ms ? now_ms : x->since_ms + 1;
    x->state = state;
    x->since_ms = x->a->set_ms;
}

/* What a PUT says takes the alarm's place; a state that is another than now is given by hand. */
static enum hale_rc make_whole(struct collector_aodh *x, void *arg, struct hale_err *err)
{
    const struct hale_http_req *req = arg;
    struct hale_aodh *a = NULL, *before = x->a;
    struct hale_str body = hale_http_body(req);
    json_t *j = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;

    if (j == NULL)
        return hale_err_set(err, HALE_E_INVAL, "the body is not JSON");
    enum hale_rc rc = hale_aodh_from_api(j, &a, err);
    json_decref(j);
    if (rc == HALE_OK)
        rc = identify(a, collector_request_of(req), before->id, err);
    if (rc != HALE_OK)
        return rc;
    bool given = a->set_ms > 0 && a->set != x->state;
    enum hale_state state = a->set;
    a->created_ms = before->created_ms;
    a->set = before->set;
    a->set_ms = before->set_ms;
    hale_aodh_free(before);
    x->a = a;
    if (given)
        set_state(x, state);
    return HALE_OK;
}

void collector_aodh_put_one(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    const struct collector_aodh_change ch = {
        .tenant = r->tenant, .id = r->param, .make = make_whole, .arg = req};
    struct collector_aodh x;
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc = collector_aodh_change(redis, &ch, &x, &err);
    if (rc != HALE_OK) {
        reply_failure(req, rc, &err);
        return;
    }
    reply_alarm(req, 200, &x);
    collector_aodh_fini(&x);
}

void collector_aodh_delete(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    const struct collector_aodh_change ch = {.tenant = r->tenant, .id = r->param};
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc = collector_aodh_change(redis, &ch, NULL, &err);
    if (rc == HALE_OK)
        collector_reply_none(req, 204);
    else
        reply_failure(req, rc, &err);
}

/* --- state --------------------------------------------------------------------------- */

void collector_aodh_state_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_aodh x;
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc =
        collector_aodh_load(redis, r->tenant, r->param, COLLECTOR_AODH_ALARM, &x);
    if (rc != HALE_OK) {
        reply_failure(req, rc, &err);
        return;
    }
    reply_state(req, x.state);
    collector_aodh_fini(&x);
}

static enum hale_rc make_state(struct collector_aodh *x, void *arg, struct hale_err *err)
{
    (void)err;
    set_state(x, *(const enum hale_state *)arg);
    return HALE_OK;
}

void collector_aodh_state_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_err err = {0};
    enum hale_state state;
    struct hale_str body = hale_http_body(req);
    json_t *j = body.len > 0 ? json_loadb(body.p, body.len, JSON_DECODE_ANY, NULL) : NULL;
    bool good =
        json_is_string(j) &&
        hale_aodh_state_parse(hale_str_from(json_string_value(j)), &state) == HALE_OK;

    (void)c;
    json_decref(j);
    if (!good) {
        reply_error(req, 400,
                    "state invalid: the body must be \"ok\", \"alarm\" or "
                    "\"insufficient data\"");
        return;
    }
    const struct collector_aodh_change ch = {
        .tenant = r->tenant, .id = r->param, .make = make_state, .arg = &state};
    enum hale_rc rc = collector_aodh_change(redis, &ch, NULL, &err);
    if (rc == HALE_OK)
        reply_state(req, state);
    else
        reply_failure(req, rc, &err);
}
