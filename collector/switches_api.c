/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/switches_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/request.h"
#include "collector/router.h"
#include "collector/switch_store.h"
#include "model/json_util.h"

#define ANSWER_MAX   ((size_t)64 << 20)
#define REASON_MAX   1024 /* characters */
#define SWITCHES_MAX 1000
#define FOR_MAX_MS   (INT64_C(366) * 86400000)

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
    collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

/* --- scopes -------------------------------------------------------------------------- */

/* A name of a site or policy: no control characters, no slash. */
static bool name_ok(const char *name)
{
    size_t chars, n = strlen(name);
    if (n == 0 || n > COLLECTOR_SCOPE_NAME_MAX ||
        hale_str_utf8_count(hale_str_from(name), &chars) != HALE_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || name[i] == '/')
            return false;
    return true;
}

/* The field of the request's path: all, site/NAME, policy/NAME. False: answered. */
static bool scope_of(struct hale_http_req *req, char scope[COLLECTOR_SCOPE_MAX])
{
    const struct collector_request *r = collector_request_of(req);
    const char *kind = r->route->path + sizeof("/v1/switches/") - 1;
    if (strcmp(kind, "all") == 0) {
        (void)snprintf(scope, COLLECTOR_SCOPE_MAX, "all");
        return true;
    }
    if (!name_ok(r->param)) {
        collector_reply_not_found(req);
        return false;
    }
    (void)snprintf(scope, COLLECTOR_SCOPE_MAX, "%s/%s",
                   kind[0] == 's' ? "site" : "policy", r->param);
    return true;
}

/* What concerns everybody is the administrator's. False: answered. */
static bool may_change(struct hale_http_req *req, const char *scope)
{
    const struct collector_request *r = collector_request_of(req);
    if (strncmp(scope, "policy/", 7) == 0 || (r->who.roles & COLLECTOR_DELEGATE) != 0)
        return true;
    collector_reply_error(req, 403, "Forbidden",
                          "the switch %s is for everybody: it needs the roles operator "
                          "and delegate",
                          scope);
    return false;
}

/* --- reading ------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By scope; NULL: no memory. */
static json_t *sorted(const json_t *on)
{
    size_t n = 0;
    const char *key, **keys = calloc(json_object_size(on) + 1, sizeof(*keys));
    json_t *v, *list = json_array();
    json_object_foreach ((json_t *)(uintptr_t)on, key, v)
        if (keys != NULL)
            keys[n++] = key;
    if (n > 1)
        qsort(keys, n, sizeof(*keys), by_name);
    for (size_t i = 0; i < n; i++)
        (void)json_array_append(list, json_object_get(on, keys[i]));
    free(keys);
    return list;
}

void collector_switches_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    json_t *on = collector_switches_load(redis, hale_clock_wall_ms());
    (void)c;
    if (on == NULL)
        reply_no_store(req);
    else
        reply_json(req, json_pack("{s:o}", "elements", sorted(on)));
    json_decref(on);
}

void collector_switch_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    char scope[COLLECTOR_SCOPE_MAX];
    (void)c;
    if (!scope_of(req, scope))
        return;
    json_t *on = collector_switches_load(redis, hale_clock_wall_ms());
    json_t *one = json_object_get(on, scope);
    if (on == NULL)
        reply_no_store(req);
    else if (one == NULL)
        collector_reply_not_found(req);
    else
        reply_json(req, json_incref(one));
    json_decref(on);
}

/* --- changing ------------------------------------------------------------------------ */

static enum hale_rc flip(struct hale_redis *redis, struct hale_http_req *req,
                         const char *scope, json_t *value, const char *reason)
{
    char text[512];
    const char *by = collector_request_of(req)->who.name;
    const char *policy = strncmp(scope, "policy/", 7) == 0 ? scope + 7 : "*";
    json_t *detail = json_pack("{s:s,s:b,s:s,s:s}", "scope", scope, "on", value != NULL,
                               "by", by, "reason", reason);
    (void)snprintf(text, sizeof(text), "%s: kill switch %s by %s", scope,
                   value != NULL ? "on" : "off", by);
    enum hale_rc rc = collector_switch_store(
        redis, scope, value,
        &(struct collector_switch_row){
            .kind = "switched", .policy = policy, .text = text, .detail = detail});
    json_decref(detail);
    return rc;
}

struct order {
    const char *reason;
    int64_t expires_ms; /* 0: none */
};

static enum hale_rc read_end(const json_t *body, int64_t now_ms, struct order *o,
                             struct hale_err *err)
{
    const char *end = json_string_value(json_object_get(body, "expires"));
    const char *span = json_string_value(json_object_get(body, "for"));
    int64_t ms = 0;
    if (json_object_get(body, "expires") != NULL && json_object_get(body, "for") != NULL)
        return hale_err_set(err, HALE_E_INVAL, "give either expires or for");
    if (json_object_get(body, "expires") != NULL &&
        (end == NULL ||
         hale_clock_parse_iso(hale_str_from(end), &o->expires_ms) != HALE_OK ||
         o->expires_ms <= now_ms))
        return hale_err_set(err, HALE_E_INVAL,
                            "expires must be a time to come, in ISO 8601");
    if (json_object_get(body, "for") != NULL &&
        (span == NULL || hale_str_duration_ms(hale_str_from(span), &ms) != HALE_OK ||
         ms <= 0 || ms > FOR_MAX_MS))
        return hale_err_set(err, HALE_E_INVAL,
                            "for must be a duration like \"2h\", at most 366 days");
    if (ms > 0)
        o->expires_ms = now_ms + ms;
    return HALE_OK;
}

static enum hale_rc read_order(const json_t *body, bool wants_reason, int64_t now_ms,
                               struct order *o, struct hale_err *err)
{
    const char *key;
    json_t *v;
    size_t n = 0;
    *o = (struct order){.reason = ""};
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    json_object_foreach ((json_t *)(uintptr_t)body, key, v)
        if (strcmp(key, "reason") != 0 &&
            (!wants_reason || (strcmp(key, "expires") != 0 && strcmp(key, "for") != 0)))
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.64s'", key);
    const json_t *reason = json_object_get(body, "reason");
    struct hale_str s = {json_string_value(reason), json_string_length(reason)};
    if (reason != NULL && (!json_is_string(reason) || strlen(s.p) != s.len ||
                           hale_str_utf8_count(s, &n) != HALE_OK || n > REASON_MAX))
        return hale_err_set(err, HALE_E_INVAL,
                            "reason must be a string of at most %d characters",
                            REASON_MAX);
    if (wants_reason && (s.p == NULL || s.p[strspn(s.p, " \t\r\n")] == '\0'))
        return hale_err_set(err, HALE_E_INVAL,
                            "reason is required: say why automation is stopped");
    if (s.p != NULL)
        o->reason = s.p;
    return read_end(body, now_ms, o, err);
}

static json_t *body_of(struct hale_http_req *req)
{
    return hale_http_body(req).len > 0 ? collector_request_json(req) : json_object();
}

void collector_switch_put(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    int64_t now_ms = hale_clock_wall_ms();
    struct hale_err err = {0};
    char scope[COLLECTOR_SCOPE_MAX];
    struct order o;
    (void)c;
    if (!scope_of(req, scope) || !may_change(req, scope))
        return;
    json_t *body = body_of(req);
    if (body == NULL)
        return;
    json_t *on = NULL;
    if (read_order(body, true, now_ms, &o, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
    } else if ((on = collector_switches_load(redis, now_ms)) == NULL) {
        reply_no_store(req);
    } else if (json_object_size(on) >= SWITCHES_MAX &&
               json_object_get(on, scope) == NULL) {
        collector_reply_error(req, 409, "TooMany",
                              "%d switches are on already; use the one for all",
                              SWITCHES_MAX);
    } else {
        json_t *value = json_pack("{s:i,s:s,s:I,s:s,s:I}", "v", 1, "by", r->who.name,
                                  "at_ms", (json_int_t)now_ms, "reason", o.reason,
                                  "expires_ms", (json_int_t)o.expires_ms);
        if (value == NULL || flip(redis, req, scope, value, o.reason) != HALE_OK)
            reply_no_store(req);
        else
            reply_json(req, collector_switch_shown(scope, value));
        json_decref(value);
    }
    json_decref(on);
    json_decref(body);
}

void collector_switch_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    struct hale_err err = {0};
    char scope[COLLECTOR_SCOPE_MAX];
    struct order o;
    (void)c;
    if (!scope_of(req, scope) || !may_change(req, scope))
        return;
    json_t *body = body_of(req);
    if (body == NULL)
        return;
    json_t *on = collector_switches_load(redis, hale_clock_wall_ms());
    if (read_order(body, false, 0, &o, &err) != HALE_OK)
        collector_reply_invalid(req, &err);
    else if (on == NULL)
        reply_no_store(req);
    else if (json_object_get(on, scope) == NULL)
        collector_reply_not_found(req);
    else if (flip(redis, req, scope, NULL, o.reason) != HALE_OK)
        reply_no_store(req);
    else
        collector_reply_none(req, 204);
    json_decref(on);
    json_decref(body);
}
