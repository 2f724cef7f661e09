/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/dead_letters_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/dead_store.h"
#include "collector/params.h"
#include "collector/request.h"

#define ANSWER_MAX ((size_t)64 << 20)

static void reply_failure(struct hale_http_req *req, enum hale_rc rc)
{
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

static void reply_json(struct hale_http_req *req, unsigned status, const json_t *json)
{
    struct hale_buf b;
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, text != NULL ? text : "{}");
    free(text);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static bool read_filter(struct hale_http_req *req, struct collector_dead_filter *f,
                        struct hale_err *err)
{
    f->tenant = collector_request_of(req)->tenant;
    f->recipient = hale_http_query(req, "recipient");
    f->from_ms = 0;
    f->to_ms = INT64_MAX;
    return collector_params_time(hale_http_query(req, "from"), "from", &f->from_ms,
                                 err) == HALE_OK &&
           collector_params_time(hale_http_query(req, "to"), "to", &f->to_ms, err) ==
               HALE_OK;
}

void collector_dead_letters_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_dead_filter f;
    struct collector_dead_list l;
    struct hale_err err = {0};
    size_t limit, from;
    char next[32];

    if (!read_filter(req, &f, &err) ||
        collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK ||
        collector_params_row(hale_http_query(req, "offset"), &from, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    enum hale_rc rc = collector_dead_load_all(redis, &f, &l);
    if (rc != HALE_OK) {
        collector_dead_list_fini(&l);
        reply_failure(req, rc);
        return;
    }
    struct hale_buf b;
    from = from < l.n ? from : l.n;
    size_t end = l.n - from > limit ? from + limit : l.n;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = from; i < end; i++) {
        char *text = json_dumps(l.v[i], JSON_COMPACT);
        hale_buf_printf(&b, "%s", i > from ? "," : "");
        hale_buf_add_c(&b, text != NULL ? text : "null");
        free(text);
    }
    (void)snprintf(next, sizeof(next), "%zu", end);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, end < l.n ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_dead_list_fini(&l);
}

/* All of one recipient. */
static void change_all(struct hale_redis *redis, struct hale_http_req *req, bool replay)
{
    struct collector_dead_filter f;
    struct collector_dead_list l = {0};
    struct hale_err err = {0};
    enum hale_rc rc = HALE_OK;

    if (read_filter(req, &f, &err) && (f.recipient == NULL || f.recipient[0] == '\0'))
        rc = hale_err_set(&err, HALE_E_INVAL,
                          "recipient is required: ?recipient=subscriber/<name>, "
                          "method/<id> or aodh/<tenant>");
    if (err.rc != HALE_OK || rc != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    rc = collector_dead_load_all(redis, &f, &l);
    if (rc == HALE_OK)
        rc = replay
                 ? collector_dead_replay(redis, &l, collector_request_of(req)->who.name,
                                         hale_clock_wall_ms())
                 : collector_dead_drop(redis, &l);
    if (rc == HALE_OK) {
        json_t *count = json_pack("{s:I}", "letters", (json_int_t)l.n);
        reply_json(req, replay ? 202 : 200, count);
        json_decref(count);
    } else {
        reply_failure(req, rc);
    }
    collector_dead_list_fini(&l);
}

void collector_dead_letters_replay(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    (void)c;
    change_all(redis, req, true);
}

void collector_dead_letters_delete(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    (void)c;
    change_all(redis, req, false);
}

/* --- one ------------------------------------------------------------------------------------ */

/* The caller's own letter; NULL after an answer was sent. */
static json_t *take_letter(struct hale_redis *redis, struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    json_t *letter = NULL;
    enum hale_rc rc = collector_dead_load(redis, r->tenant, r->param, &letter);
    if (rc != HALE_OK)
        reply_failure(req, rc);
    return letter;
}

void collector_dead_letter_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    json_t *letter = take_letter(redis, req);
    (void)c;
    if (letter != NULL)
        reply_json(req, 200, letter);
    json_decref(letter);
}

void collector_dead_letter_replay(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    json_t *letter = take_letter(redis, req);
    const struct collector_dead_list one = {1, &letter};
    (void)c;
    if (letter == NULL)
        return;
    if (json_is_null(json_object_get(letter, "record")) &&
        json_object_get(letter, "group") == NULL &&
        json_object_get(letter, "notice") == NULL) {
        collector_reply_error(req, 409, "NoRecord",
                              "The record of this letter was gone from the alarm log "
                              "already; it can only be dropped");
    } else {
        enum hale_rc rc = collector_dead_replay(
            redis, &one, collector_request_of(req)->who.name, hale_clock_wall_ms());
        if (rc == HALE_OK)
            collector_reply_bytes(req, 202, COLLECTOR_JSON, HALE_STR("{\"letters\":1}"));
        else
            reply_failure(req, rc);
    }
    json_decref(letter);
}

void collector_dead_letter_delete(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    json_t *letter = take_letter(redis, req);
    const struct collector_dead_list one = {1, &letter};
    (void)c;
    if (letter == NULL)
        return;
    enum hale_rc rc = collector_dead_drop(redis, &one);
    if (rc == HALE_OK)
        collector_reply_none(req, 204);
    else
        reply_failure(req, rc);
    json_decref(letter);
}
