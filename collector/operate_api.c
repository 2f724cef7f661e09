/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/operate_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/alarm_view.h"
#include "collector/definition_store.h"
#include "collector/request.h"

#define ANSWER_MAX  ((size_t)256 << 20)
#define WAIT_MS     5000
#define IDS_MAX     1000
#define OWNER_MAX   255
#define COMMENT_MAX 4096
#define SHELVE_MS   7200000
#define ACK_MAX_MS  (INT64_C(366) * 86400000)
#define UNCONFIRMED                                                                      \
    "the change is recorded, but the correlator has not confirmed it within 5 s"

/* --- the body --------------------------------------------------------------------------------- */

static enum hale_rc take_text(const json_t *body, const char *key, size_t max_chars,
                              char **out, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    size_t n;

    if (v == NULL || json_is_null(v))
        return HALE_OK;
    struct hale_str s = {json_string_value(v), json_string_length(v)};
    if (!json_is_string(v) || hale_str_utf8_count(s, &n) != HALE_OK || n > max_chars ||
        strlen(s.p) != s.len)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s must be a string of at most %zu characters", key,
                            max_chars);
    *out = strdup(s.p);
    return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* "for": a duration; the end of it, or 0. */
static enum hale_rc take_end(const json_t *body, int64_t fallback_ms, int64_t max_ms,
                             struct hale_control *k, struct hale_err *err)
{
    const json_t *v = json_object_get(body, "for");
    int64_t ms = fallback_ms;

    if (v != NULL &&
        (!json_is_string(v) ||
         hale_str_duration_ms(hale_str_from(json_string_value(v)), &ms) != HALE_OK ||
         ms <= 0))
        return hale_err_set(err, HALE_E_INVAL, "for must be a duration like \"2h\"");
    if (ms > max_ms)
        return hale_err_set(err, HALE_E_INVAL, "for must be at most %llds",
                            (long long)(max_ms / 1000));
    k->until_ms = ms > 0 ? k->at_ms + ms : 0;
    return HALE_OK;
}

static enum hale_rc check_keys(const json_t *body, enum hale_alarm_op action, bool many,
                               struct hale_err *err)
{
    static const char *const keys[] = {
        [HALE_OP_ACK] = " comment owner for ", [HALE_OP_UNACK] = " ",
        [HALE_OP_ASSIGN] = " owner ",          [HALE_OP_COMMENT] = " comment ",
        [HALE_OP_SHELVE] = " comment for ",    [HALE_OP_UNSHELVE] = " ",
    };
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        const char *at = strstr(keys[action], key);
        size_t n = strlen(key);
        bool known =
            n > 0 && at != NULL && at[-(at > keys[action])] == ' ' && at[n] == ' ';
        if (!known && !(many && (strcmp(key, "ids") == 0 || strcmp(key, "action") == 0)))
            return hale_err_set(err, HALE_E_INVAL, "%s takes no key '%.64s'",
                                hale_alarm_op_text(action), key);
    }
    return HALE_OK;
}

static enum hale_rc read_body(const struct collector *c, const json_t *body, bool many,
                              struct hale_control *k, struct hale_err *err)
{
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    enum hale_rc rc = check_keys(body, k->action, many, err);
    if (rc == HALE_OK)
        rc = take_text(body, "comment", COMMENT_MAX, &k->text, err);
    if (rc == HALE_OK)
        rc = take_text(body, "owner", OWNER_MAX, &k->owner, err);
    if (rc == HALE_OK && k->action == HALE_OP_SHELVE)
        rc = take_end(body, SHELVE_MS, c->conf->shelve_max_ms, k, err);
    if (rc == HALE_OK && k->action == HALE_OP_ACK)
        rc = take_end(body, 0, ACK_MAX_MS, k, err);
    if (rc == HALE_OK && k->action == HALE_OP_COMMENT &&
        (k->text == NULL || k->text[0] == '\0'))
        rc = hale_err_set(err, HALE_E_INVAL, "comment is required");
    if (rc == HALE_OK && k->action == HALE_OP_ASSIGN && k->owner == NULL)
        rc = hale_err_set(err, HALE_E_INVAL, "owner is required; \"\" for nobody");
    return rc;
}

/* --- doing ------------------------------------------------------------------------------------ */

static bool same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* word: what the record shows of who said what and when. */
static bool is_word(const json_t *word, const struct hale_control *k)
{
    return json_integer_value(json_object_get(word, "at_ms")) == k->at_ms &&
           same(json_string_value(json_object_get(word, "by")), k->by);
}

static bool has_comment(const json_t *comments, const struct hale_control *k)
{
    for (size_t i = json_array_size(comments); i > 0; i--) {
        if (is_word(json_array_get(comments, i - 1), k))
            return true;
    }
    return false;
}

/* Gone counts as done, and so does what cannot be done any more. */
static bool is_done(const struct collector_alarm *a, void *arg)
{
    const struct hale_control *k = arg;

    if (a == NULL)
        return true;
    const json_t *life = a->a.life;
    switch (k->action) {
    case HALE_OP_ACK:
        return a->a.state == HALE_STATE_OK || is_word(json_object_get(life, "ack"), k);
    case HALE_OP_UNACK: return json_object_get(life, "ack") == NULL;
    case HALE_OP_ASSIGN:
        return same(json_string_value(json_object_get(life, "owner")), k->owner);
    case HALE_OP_COMMENT: return has_comment(json_object_get(life, "comments"), k);
    case HALE_OP_SHELVE: return is_word(json_object_get(life, "shelved"), k);
    case HALE_OP_UNSHELVE: return json_object_get(life, "shelved") == NULL;
    }
    return true;
}

/* The alarms of one call; status: 0, later 200, 404 or 409. */
struct targets {
    const char *tenant;
    size_t n;
    const char *const *ids;
    unsigned *status;
};

/* 0: to be sent; else the status that says why not. */
static unsigned refusal(struct collector *c, const char *tenant, const char *id,
                        enum hale_alarm_op action)
{
    struct collector_alarm *a =
        collector_table_get(collector_view_table(c->view), tenant, id);
    unsigned status = a == NULL ? 404 : 0;
    if (a != NULL && action == HALE_OP_ACK && a->a.state == HALE_STATE_OK)
        status = 409;
    collector_alarm_put(a);
    return status;
}

/* All of them at once; durable when this returns HALE_OK. */
static enum hale_rc send(struct hale_redis *redis, struct hale_control *k,
                         const struct targets *t)
{
    struct hale_buf b;
    enum hale_rc rc = hale_redis_begin(redis);

    hale_buf_init(&b, 1u << 20);
    for (size_t i = 0; rc == HALE_OK && i < t->n; i++) {
        if (t->status[i] != 0)
            continue;
        hale_buf_reset(&b);
        k->id = (char *)(uintptr_t)t->ids[i];
        rc = hale_control_encode(k, &b);
        if (rc == HALE_OK)
            rc = collector_control_append(redis, &b);
    }
    k->id = NULL;
    hale_buf_fini(&b);
    return rc == HALE_OK ? hale_redis_exec(redis, NULL) : rc;
}

/* Does k to all of them. HALE_E_AGAIN: not confirmed in time. */
static enum hale_rc operate(struct collector *c, struct hale_redis *redis,
                            struct hale_control *k, const struct targets *t)
{
    size_t sent = 0;

    for (size_t i = 0; i < t->n; i++) {
        t->status[i] = refusal(c, t->tenant, t->ids[i], k->action);
        sent += t->status[i] == 0;
    }
    if (sent == 0)
        return HALE_OK;
    if (send(redis, k, t) != HALE_OK)
        return HALE_E_IO;
    int64_t end_ms = hale_clock_mono_ms() + WAIT_MS;
    for (size_t i = 0; i < t->n; i++) {
        int64_t left_ms = end_ms - hale_clock_mono_ms();
        if (t->status[i] != 0)
            continue;
        if (!collector_table_wait(collector_view_table(c->view), t->ids[i], is_done, k,
                                  left_ms > 0 ? left_ms : 0))
            return HALE_E_AGAIN;
        t->status[i] = refusal(c, t->tenant, t->ids[i], k->action);
        t->status[i] = t->status[i] == 0 ? 200 : t->status[i];
    }
    return HALE_OK;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void add_alarm(struct collector *c, const char *tenant, const char *id,
                      struct hale_buf *b)
{
    struct collector_alarm *a =
        collector_table_get(collector_view_table(c->view), tenant, id);
    if (a == NULL || hale_alarm_encode(&a->a, b) != HALE_OK)
        hale_buf_add_c(b, "null");
    collector_alarm_put(a);
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc)
{
    if (rc == HALE_E_AGAIN)
        collector_reply_busy(req, 5, UNCONFIRMED);
    else
        collector_reply_busy(req, 2, "the store does not answer; try again");
}

static void reply_one(struct collector *c, struct hale_http_req *req, unsigned status)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_buf b;

    if (status == 404) {
        collector_reply_not_found(req);
        return;
    }
    if (status == 409) {
        collector_reply_error(req, 409, "Conflict",
                              "the alarm is OK: there is nothing to acknowledge");
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"alarm\":");
    add_alarm(c, r->tenant, r->param, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static void reply_many(struct collector *c, struct hale_http_req *req, size_t n,
                       const char *const *ids, const unsigned *status)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = 0; i < n; i++) {
        hale_buf_add_c(&b, i > 0 ? ",{\"id\":" : "{\"id\":");
        hale_buf_add_json(&b, hale_str_from(ids[i]));
        hale_buf_printf(&b, ",\"status\":%u", status[i]);
        if (status[i] == 200) {
            hale_buf_add_c(&b, ",\"alarm\":");
            add_alarm(c, collector_request_of(req)->tenant, ids[i], &b);
        }
        hale_buf_add_char(&b, '}');
    }
    hale_buf_add_c(&b, "]}");
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

/* --- the calls -------------------------------------------------------------------------------- */

static bool begin(struct collector *c, struct hale_http_req *req, struct hale_control *k)
{
    const struct collector_request *r = collector_request_of(req);

    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return false;
    }
    k->op = HALE_CONTROL_ALARM_OP;
    k->at_ms = hale_clock_wall_ms();
    k->by = strdup(r->who.name);
    if (k->by != NULL)
        return true;
    collector_reply_busy(req, 5, "out of memory");
    return false;
}

static void one(struct collector *c, struct hale_redis *redis, struct hale_http_req *req,
                enum hale_alarm_op action)
{
    const struct collector_request *r = collector_request_of(req);
    const char *id = r->param;
    struct hale_control k = {.action = action};
    struct hale_err err = {0};
    unsigned status;
    json_t *body =
        hale_http_body(req).len > 0 ? collector_request_json(req) : json_object();

    if (body == NULL)
        return;
    if (!begin(c, req, &k))
        goto out;
    if (read_body(c, body, false, &k, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        goto out;
    }
    const struct targets t = {r->tenant, 1, &id, &status};
    enum hale_rc rc = operate(c, redis, &k, &t);
    if (rc == HALE_OK)
        reply_one(c, req, status);
    else
        reply_failure(req, rc);
out:
    hale_control_fini(&k);
    json_decref(body);
}

static enum hale_rc read_ids(const json_t *body, size_t *n, const char **ids,
                             struct hale_err *err)
{
    const json_t *list = json_object_get(body, "ids");

    *n = json_array_size(list);
    if (*n == 0 || *n > IDS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "ids must be a list of 1 to %d alarms",
                            IDS_MAX);
    for (size_t i = 0; i < *n; i++) {
        ids[i] = json_string_value(json_array_get(list, i));
        if (ids[i] == NULL || ids[i][0] == '\0')
            return hale_err_set(err, HALE_E_INVAL, "ids[%zu] must be an alarm's id", i);
    }
    return HALE_OK;
}

static enum hale_rc read_many(const struct collector *c, const json_t *body,
                              struct hale_control *k, size_t *n, const char **ids,
                              struct hale_err *err)
{
    const json_t *action = json_object_get(body, "action");

    if (!json_is_string(action) ||
        hale_alarm_op_parse(hale_str_from(json_string_value(action)), &k->action) !=
            HALE_OK)
        return hale_err_set(err, HALE_E_INVAL,
                            "action must be one of ack, unack, assign, comment, shelve, "
                            "unshelve");
    enum hale_rc rc = read_ids(body, n, ids, err);
    return rc == HALE_OK ? read_body(c, body, true, k, err) : rc;
}

void collector_operate_many(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct hale_control k = {0};
    struct hale_err err = {0};
    size_t n = 0;
    json_t *body = collector_request_json(req);
    const char **ids = calloc(IDS_MAX, sizeof(*ids));
    unsigned *status = calloc(IDS_MAX, sizeof(*status));

    if (body == NULL)
        goto out;
    if (ids == NULL || status == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        goto out;
    }
    if (!begin(c, req, &k))
        goto out;
    if (read_many(c, body, &k, &n, ids, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        goto out;
    }
    const struct targets t = {collector_request_of(req)->tenant, n, ids, status};
    enum hale_rc rc = operate(c, redis, &k, &t);
    if (rc == HALE_OK)
        reply_many(c, req, n, ids, status);
    else
        reply_failure(req, rc);
out:
    hale_control_fini(&k);
    free(ids);
    free(status);
    json_decref(body);
}

void collector_operate_ack(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_ACK);
}

void collector_operate_unack(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_UNACK);
}

void collector_operate_assign(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_ASSIGN);
}

void collector_operate_comment(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_COMMENT);
}

void collector_operate_shelve(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_SHELVE);
}

void collector_operate_unshelve(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    one(c, redis, req, HALE_OP_UNSHELVE);
}
