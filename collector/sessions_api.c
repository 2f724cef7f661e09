/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/sessions_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/request.h"
#include "collector/router.h"
#include "collector/session_view.h"
#include "collector/upkeep_store.h"
#include "model/json_util.h"
#include "model/upkeep.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define PARTS_MAX  3

static void reply_json(struct hale_http_req *req, json_t *answer)
{
    struct hale_buf b;
    hale_buf_init(&b, ANSWER_MAX);
    if (answer == NULL || !hale_json_write(answer, &b))
        b.failed = true;
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    json_decref(answer);
}

static void reply_no_store(struct hale_http_req *req)
{
    collector_reply_busy(req, 2, "the store does not answer; send again");
}

static void reply_rc(struct hale_http_req *req, enum hale_rc rc)
{
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else
        reply_no_store(req);
}

static void reply_bad(struct hale_http_req *req, const struct hale_err *err)
{
    if (err->rc == HALE_E_INVAL)
        collector_reply_error(req, 400, "Bad request", "%s", err->text);
    else
        reply_no_store(req);
}

/* --- the path --------------------------------------------------------------------------- */

struct parts { /* session, project, instance: "" where the path has none */
    char text[PARTS_MAX][HALE_TENANT_MAX_BYTES + 1];
};

/* Of .../maintenance/{session}/{project}/{instance}. */
static bool parts_of(struct hale_http_req *req, struct parts *out)
{
    static const char root[] = "/maintenance/";
    const char *at = strstr(hale_http_path(req), root);
    struct hale_str rest = hale_str_from(at != NULL ? at + sizeof(root) - 1 : "");
    memset(out, 0, sizeof(*out));
    for (int i = 0; i < PARTS_MAX && rest.p != NULL; i++) {
        struct hale_str part = hale_str_split(&rest, '/');
        if (part.len >= sizeof(out->text[i]))
            return false;
        if (part.len > 0)
            memcpy(out->text[i], part.p, part.len);
    }
    return true;
}

static bool owns(const struct hale_http_req *req, const json_t *session)
{
    const char *tenant = json_string_value(json_object_get(session, "tenant"));
    return tenant != NULL && strcmp(tenant, collector_request_of(req)->tenant) == 0;
}

/* The session of the path, of the caller's tenant. NULL: answered. */
static json_t *own_session(struct hale_redis *redis, struct hale_http_req *req,
                           struct parts *p)
{
    json_t *session = NULL;
    enum hale_rc rc = parts_of(req, p)
                          ? collector_upkeep_load(redis, p->text[0], &session)
                          : HALE_E_NOTFOUND;
    if (rc == HALE_OK && !owns(req, session)) {
        json_decref(session);
        rc = HALE_E_NOTFOUND;
    }
    if (rc == HALE_OK)
        return session;
    reply_rc(req, rc);
    return NULL;
}

/* --- sessions ---------------------------------------------------------------------------- */

/* Adds who says it, and when. */
static bool sign(json_t *word, const struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    return json_object_set_new(word, "by", json_string(r->who.name)) == 0 &&
           json_object_set_new(word, "said_ms", json_integer(hale_clock_wall_ms())) == 0;
}

void collector_session_begin(struct hale_redis *redis, struct hale_http_req *req,
                             json_t *body)
{
    const struct collector_request *r = collector_request_of(req);
    char id[HALE_UUID_TEXT];
    struct hale_err err = {0};
    json_t *start = NULL, *first = NULL;
    enum hale_rc rc = hale_upkeep_start(body, &start, &err);
    json_decref(body);
    if ((r->who.roles & COLLECTOR_DELEGATE) == 0) {
        collector_reply_error(req, 403, "Forbidden",
                              "a session moves everybody's instances: it needs the roles "
                              "operator and delegate");
        json_decref(start);
        return;
    }
    if (rc != HALE_OK) {
        reply_bad(req, &err);
        return;
    }
    hale_id_uuid_random(id);
    rc = sign(start, req) &&
                 json_object_set_new(start, "tenant", json_string(r->tenant)) == 0
             ? collector_upkeep_say(redis, id, "start", start, &first)
             : HALE_E_NOMEM;
    if (rc == HALE_OK)
        reply_json(req,
                   json_pack("{s:s, s:s}", "session_id", id, "state", "ACK_MAINTENANCE"));
    else if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 409, "TooMany",
                              "%d sessions are kept already: delete old ones",
                              COLLECTOR_UPKEEP_SESSIONS_MAX);
    else
        reply_no_store(req);
    json_decref(first);
    json_decref(start);
}

void collector_sessions_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    json_t *body = collector_request_json(req);
    (void)c;
    if (body != NULL)
        collector_session_begin(redis, req, body);
}

struct listing {
    const char *tenant;
    json_t *ids, *lines;
};

static void list_one(json_t *session, void *arg)
{
    struct listing *l = arg;
    const char *tenant = json_string_value(json_object_get(session, "tenant"));
    if (tenant == NULL || strcmp(tenant, l->tenant) != 0)
        return;
    (void)json_array_append(l->ids, json_object_get(session, "id"));
    (void)json_array_append_new(l->lines, collector_session_line(session));
}

void collector_sessions_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct listing l = {collector_request_of(req)->tenant, json_array(), json_array()};
    enum hale_rc rc = collector_upkeep_each(redis, list_one, &l);
    (void)c;
    if (rc == HALE_OK)
        reply_json(req,
                   json_pack("{s:O, s:O}", "session_id", l.ids, "sessions", l.lines));
    else
        reply_no_store(req);
    json_decref(l.ids);
    json_decref(l.lines);
}

void collector_session_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct parts p;
    json_t *session = own_session(redis, req, &p);
    (void)c;
    if (session != NULL)
        reply_json(req, collector_session_shown(session));
    json_decref(session);
}

static bool same_part(const json_t *a, const json_t *b, const char *key)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return x == y || json_equal(x, y) == 1;
}

/* Says it, and answers; the same word again is as good as the first. */
static void say(struct hale_redis *redis, struct hale_http_req *req, const char *id,
                const char *what, json_t *word)
{
    json_t *first = NULL;
    enum hale_rc rc = sign(word, req)
                          ? collector_upkeep_say(redis, id, what, word, &first)
                          : HALE_E_NOMEM;
    bool same = rc == HALE_E_EXISTS && same_part(first, word, "ack") &&
                same_part(first, word, "actions");
    if (rc == HALE_OK || same)
        reply_json(req, json_object());
    else if (rc == HALE_E_EXISTS)
        collector_reply_error(req, 409, "Conflict", "it has been answered otherwise");
    else
        reply_rc(req, rc);
    json_decref(first);
}

/* {"state":"MAINTENANCE_COMPLETE"|"MAINTENANCE_FAILED","host":name?}: the work on a host is over. */
static enum hale_rc read_work(const json_t *body, const char **host, bool *good,
                              struct hale_err *err)
{
    const char *state = json_string_value(json_object_get(body, "state"));
    const json_t *name = json_object_get(body, "host");
    const char *key;
    json_t *v;
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    json_object_foreach ((json_t *)(uintptr_t)body, key, v)
        if (strcmp(key, "state") != 0 && strcmp(key, "host") != 0)
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.64s'", key);
    *good = state != NULL && strcmp(state, "MAINTENANCE_COMPLETE") == 0;
    if (!*good && (state == NULL || strcmp(state, "MAINTENANCE_FAILED") != 0))
        return hale_err_set(err, HALE_E_INVAL,
                            "state must be MAINTENANCE_COMPLETE or MAINTENANCE_FAILED: "
                            "how the work on the host has ended");
    if (name != NULL && !json_is_string(name))
        return hale_err_set(err, HALE_E_INVAL, "host must be a name");
    *host = json_string_value(name);
    return HALE_OK;
}

void collector_session_put(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    const char *host = NULL;
    bool good = false;
    struct parts p;
    struct hale_err err = {0};
    json_t *session = own_session(redis, req, &p);
    (void)c;
    if (session == NULL)
        return;
    json_t *body = collector_request_json(req);
    if (body == NULL) {
        json_decref(session);
        return;
    }
    enum hale_rc rc = read_work(body, &host, &good, &err);
    const json_t *question = collector_session_work(session, host);
    if (rc != HALE_OK) {
        reply_bad(req, &err);
    } else if (question == NULL) {
        collector_reply_error(req, 409, "Conflict",
                              "the session does not wait for work on %s",
                              host != NULL ? host : "a host");
    } else {
        char what[24];
        json_t *word = json_pack("{s:i, s:b, s:s, s:{}}", "v", 1, "ack", good, "state",
                                 "IN_MAINTENANCE", "actions");
        (void)snprintf(what, sizeof(what), "%lld",
                       (long long)json_integer_value(json_object_get(question, "n")));
        say(redis, req, p.text[0], what, word);
        json_decref(word);
    }
    json_decref(body);
    json_decref(session);
}

void collector_session_delete(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    struct parts p;
    json_t *session = own_session(redis, req, &p);
    (void)c;
    if (session == NULL)
        return;
    json_t *word = json_pack("{s:i, s:b}", "v", 1, "ack", 1);
    say(redis, req, p.text[0], collector_session_ended(session) ? "forget" : "cancel",
        word);
    json_decref(word);
    json_decref(session);
}

/* --- a project's part --------------------------------------------------------------------- */

/* The session, if the caller is the project of the path (or, to read, the session's owner). NULL: answered. */
static json_t *part(struct hale_redis *redis, struct hale_http_req *req, struct parts *p,
                    bool reads)
{
    const struct collector_request *r = collector_request_of(req);
    json_t *session = NULL;
    enum hale_rc rc = parts_of(req, p)
                          ? collector_upkeep_load(redis, p->text[0], &session)
                          : HALE_E_NOTFOUND;
    bool may = rc == HALE_OK &&
               (strcmp(p->text[1], r->tenant) == 0 || (reads && owns(req, session))) &&
               collector_session_has_project(session, p->text[1]);
    if (may)
        return session;
    json_decref(session);
    reply_rc(req, rc == HALE_OK ? HALE_E_NOTFOUND : rc);
    return NULL;
}

void collector_session_part_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct parts p;
    json_t *session = part(redis, req, &p, true);
    (void)c;
    if (session == NULL)
        return;
    if (p.text[2][0] != '\0' &&
        collector_session_question(session, p.text[1], p.text[2]) == NULL)
        collector_reply_not_found(req);
    else
        reply_json(req, collector_session_instances(
                            session, p.text[1], p.text[2][0] != '\0' ? p.text[2] : NULL));
    json_decref(session);
}

static void answer_question(struct hale_redis *redis, struct hale_http_req *req,
                            const json_t *session, const struct parts *p, json_t *word)
{
    const char *instance = p->text[2][0] != '\0' ? p->text[2] : NULL;
    const json_t *q = collector_session_question(session, p->text[1], instance);
    const char *asked = json_string_value(json_object_get(q, "state"));
    const char *said = json_string_value(json_object_get(word, "state"));
    char what[24];
    if (q == NULL || asked == NULL || strcmp(asked, said) != 0) {
        collector_reply_error(req, 409, "Conflict", "%s",
                              q == NULL ? "nothing is asked of the project now"
                                        : "the session is in another state");
        return;
    }
    (void)snprintf(what, sizeof(what), "%lld",
                   (long long)json_integer_value(json_object_get(q, "n")));
    say(redis, req, p->text[0], what, word);
}

void collector_session_part_put(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct parts p;
    struct hale_err err = {0};
    json_t *word = NULL, *session = part(redis, req, &p, false);
    (void)c;
    if (session == NULL)
        return;
    json_t *body = collector_request_json(req);
    if (body != NULL) {
        if (hale_upkeep_reply(body, &word, &err) == HALE_OK)
            answer_question(redis, req, session, &p, word);
        else
            reply_bad(req, &err);
    }
    json_decref(word);
    json_decref(body);
    json_decref(session);
}

/* --- constraints ----------------------------------------------------------------------------- */

static const char *kind_of(const struct hale_http_req *req)
{
    const char *path = collector_request_of(req)->route->path;
    return strstr(path, "instance_group") != NULL ? "group" : "instance";
}

void collector_constraint_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    json_t *o = NULL;
    enum hale_rc rc =
        collector_upkeep_limit_get(redis, kind_of(req), r->tenant, r->param, &o);
    (void)c;
    if (rc != HALE_OK) {
        reply_rc(req, rc);
        return;
    }
    (void)json_object_del(o, "v");
    reply_json(req, o);
}

void collector_constraint_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_err err = {0};
    json_t *value = NULL, *body = collector_request_json(req);
    (void)c;
    if (body == NULL)
        return;
    const char *kind = kind_of(req);
    const char *project = json_string_value(json_object_get(body, "project_id"));
    enum hale_rc rc =
        hale_upkeep_constraint(body, strcmp(kind, "group") == 0, r->param, &value, &err);
    if (rc == HALE_OK && strcmp(project, r->tenant) != 0)
        rc = hale_err_set(&err, HALE_E_INVAL, "project_id must be your own project's");
    if (rc != HALE_OK) {
        reply_bad(req, &err);
    } else {
        rc = collector_upkeep_limit_put(redis, kind, r->tenant, r->param, value);
        if (rc == HALE_OK)
            reply_json(req, json_incref(body));
        else if (rc == HALE_E_LIMIT)
            collector_reply_error(req, 409, "TooMany", "at most %d constraints are kept",
                                  COLLECTOR_UPKEEP_LIMITS_MAX);
        else
            reply_rc(req, rc);
    }
    json_decref(value);
    json_decref(body);
}

void collector_constraint_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    enum hale_rc rc =
        collector_upkeep_limit_put(redis, kind_of(req), r->tenant, r->param, NULL);
    (void)c;
    if (rc == HALE_OK)
        collector_reply_none(req, 204);
    else
        reply_rc(req, rc);
}
