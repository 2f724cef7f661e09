/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/request.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"
#include "collector/params.h"
#include "collector/stats.h"
#include "net/http_client.h"

#define LINK_MAX 65536

static void request_free(void *p)
{
    free(p);
}

/* Unique without asking the kernel each time: one random start per process, counted on. */
static void new_request_id(char *dst, size_t size)
{
    static _Atomic uint64_t counter;
    static uint64_t start[2];
    static _Atomic int ready;
    char uuid[HALE_UUID_TEXT];

    if (atomic_load(&ready) == 0) { /* first request: on the network thread, alone */
        hale_id_random(start, sizeof(start));
        atomic_store(&ready, 1);
    }
    uint64_t seed[2] = {start[0], start[1] ^ atomic_fetch_add(&counter, 1)};
    hale_id_uuid_from(seed, sizeof(seed), uuid);
    (void)snprintf(dst, size, "req-%s", uuid);
}

struct collector_request *collector_request_new(struct hale_http_req *req)
{
    struct collector_request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->magic = COLLECTOR_REQUEST_MAGIC;
    new_request_id(r->request_id, sizeof(r->request_id));
    hale_http_set_user(req, r, request_free);
    return r;
}

struct collector_request *collector_request_of(const struct hale_http_req *req)
{
    struct collector_request *r = hale_http_user(req);
    HALE_CHECK(r, COLLECTOR_REQUEST_MAGIC);
    return r;
}

void collector_request_count(unsigned status)
{
    if (status < 400)
        collector_count(REQ_2XX, 1);
    else if (status < 500)
        collector_count(REQ_4XX, 1);
    else
        collector_count(REQ_5XX, 1);
}

static void before_reply(struct hale_http_req *req, unsigned status)
{
    const struct collector_request *r = hale_http_user(req);

    collector_request_count(status);
    if (r != NULL)
        hale_http_add_header(req, "X-Openstack-Request-Id", r->request_id);
}

void collector_reply_none(struct hale_http_req *req, unsigned status)
{
    before_reply(req, status);
    hale_http_reply(req, status, NULL, (struct hale_str){NULL, 0});
}

void collector_reply_bytes(struct hale_http_req *req, unsigned status, const char *type,
                           struct hale_str body)
{
    before_reply(req, status);
    hale_http_reply(req, status, type, body);
}

void collector_reply_buf(struct hale_http_req *req, unsigned status, const char *type,
                         struct hale_buf *b)
{
    if (b->failed) {
        hale_buf_fini(b);
        collector_reply_error(req, 500, "Internal Server Error",
                              "the answer does not fit into memory");
        return;
    }
    before_reply(req, status);
    hale_http_reply_buf(req, status, type, b);
}

static void error_body(struct hale_buf *b, unsigned status, const char *title,
                       const char *description)
{
    hale_buf_init(b, 16384);
    hale_buf_add_c(b, "{\"title\":");
    hale_buf_add_json(b, hale_str_from(title));
    if (description != NULL) {
        hale_buf_add_c(b, ",\"description\":");
        hale_buf_add_json(b, hale_str_from(description));
    }
    hale_buf_printf(b, ",\"code\":%u,\"message\":", status);
    hale_buf_add_json(b, hale_str_from(description != NULL ? description : title));
    hale_buf_add_c(b, "}");
}

void collector_error_body(struct hale_buf *body, unsigned status, const char *title,
                          const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    error_body(body, status, title, text);
}

void collector_reply_error(struct hale_http_req *req, unsigned status, const char *title,
                           const char *fmt, ...)
{
    struct hale_buf b;
    char text[1024];
    va_list ap;

    if (fmt != NULL) {
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
    }
    error_body(&b, status, title, fmt != NULL ? text : NULL);
    before_reply(req, status);
    hale_http_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_reply_busy(struct hale_http_req *req, unsigned retry_after_s,
                          const char *description)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", retry_after_s);
    hale_http_add_header(req, "Retry-After", text);
    collector_reply_error(req, 503, "Service unavailable", "%s", description);
}

void collector_reply_invalid(struct hale_http_req *req, const struct hale_err *err)
{
    bool limit =
        strcmp(err->text, COLLECTOR_PARAMS_LIMIT_TEXT) == 0; /* Monasca's title */

    collector_reply_error(req, 422, limit ? "Invalid limit" : "Unprocessable Entity",
                          "%s", err->text);
}

void collector_reply_not_found(struct hale_http_req *req)
{
    collector_reply_error(req, 404, "404 Not Found", NULL);
}

bool collector_request_is_json(const struct hale_http_req *req)
{
    const char *type = hale_http_header(req, "Content-Type");
    struct hale_str rest = hale_str_from(type);

    if (type == NULL)
        return false;
    return hale_str_ieq_c(hale_str_trim(hale_str_split(&rest, ';')), COLLECTOR_JSON);
}

json_t *collector_request_json(struct hale_http_req *req)
{
    struct hale_str body = hale_http_body(req);
    json_error_t why;
    json_t *j = NULL;

    if (body.len > 0)
        j = json_loadb(body.p, body.len, JSON_DECODE_ANY, &why);
    if (j == NULL)
        collector_reply_error(req, 400, "Bad request", "Request body is not valid JSON");
    return j;
}

/* --- links --------------------------------------------------------------------------- */

/* Host and proxy headers are the client's: only what can stand in a URL's authority. */
static bool host_ok(const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;

    return n > 0 && n <= 255 &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789.-_:[]") == n;
}

void collector_link_base(const struct hale_http_req *req, bool trust_forwarded,
                         struct hale_buf *out)
{
    const char *scheme = hale_http_secure(req) ? "https" : "http";
    const char *host = hale_http_header(req, "Host");

    if (trust_forwarded) {
        const char *proto = hale_http_header(req, "X-Forwarded-Proto");
        const char *fwd = hale_http_header(req, "X-Forwarded-Host");
        if (proto != NULL && strcmp(proto, "https") == 0)
            scheme = "https";
        if (host_ok(fwd))
            host = fwd;
    }
    hale_buf_printf(out, "%s://%s", scheme, host_ok(host) ? host : "localhost");
}

static void open_link(const struct hale_http_req *req, bool trust, const char *rel,
                      struct hale_buf *href, struct hale_buf *out)
{
    hale_buf_reset(href);
    collector_link_base(req, trust, href);
    hale_buf_printf(out, "{\"rel\":\"%s\",\"href\":", rel);
}

static void close_link(struct hale_buf *href, struct hale_buf *out)
{
    hale_buf_add_json(out, hale_buf_str(href));
    hale_buf_add_char(out, '}');
    if (href->failed)
        out->failed = true;
}

static void add_param(const char *name, const char *value, void *arg)
{
    struct hale_buf *href = arg;

    if (strcmp(name, "offset") == 0 || value == NULL || value[0] == '\0')
        return;
    hale_buf_add_char(href, '&');
    hale_http_quote(href, hale_str_from(name));
    hale_buf_add_char(href, '=');
    hale_http_quote(href, hale_str_from(value));
}

void collector_links_self(const struct hale_http_req *req, bool trust_forwarded,
                          const char *next_offset, struct hale_buf *out)
{
    const char *query = hale_http_raw_query(req);
    struct hale_buf href;

    hale_buf_init(&href, LINK_MAX);
    hale_buf_add_c(out, "\"links\":[");
    open_link(req, trust_forwarded, "self", &href, out);
    hale_buf_add_c(&href, hale_http_path(req));
    if (query[0] != '\0') {
        hale_buf_add_char(&href, '?');
        hale_buf_add_c(&href, query);
    }
    close_link(&href, out);
    if (next_offset != NULL) {
        hale_buf_add_char(out, ',');
        open_link(req, trust_forwarded, "next", &href, out);
        hale_buf_add_c(&href, hale_http_path(req));
        hale_buf_add_c(&href, "?offset=");
        hale_http_quote(&href, hale_str_from(next_offset));
        hale_http_query_each(req, add_param, &href);
        close_link(&href, out);
    }
    hale_buf_add_char(out, ']');
    hale_buf_fini(&href);
}

void collector_links_to(const struct hale_http_req *req, bool trust_forwarded,
                        const char *path, const char *id, struct hale_buf *out)
{
    struct hale_buf href;

    hale_buf_init(&href, LINK_MAX);
    hale_buf_add_c(out, "\"links\":[");
    open_link(req, trust_forwarded, "self", &href, out);
    hale_buf_add_c(&href, path);
    hale_buf_add_c(&href, id);
    close_link(&href, out);
    hale_buf_add_char(out, ']');
    hale_buf_fini(&href);
}
