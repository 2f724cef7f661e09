/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_REQUEST_H
#define HALE_COLLECTOR_REQUEST_H
/*
 * request - what the collector keeps with an HTTP request, and the answers all endpoints
 * share: error bodies that Monasca's clients and Grafana read, request ids, counting.
 * Threads: a request is answered by one thread; the functions work in any.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "collector/keystone.h"
#include "collector/token.h"
#include "net/http_server.h"

struct collector_route;

struct collector_request {
    unsigned magic;
    const struct collector_route *route;
    struct collector_identity who;
    char tenant[HALE_TENANT_MAX_BYTES + 1]; /* the tenant acted for */
    char param[128];                        /* {id} of the path, or "" */
    char request_id[48];                    /* X-Openstack-Request-Id */
    struct hale_http_req *req;              /* whose this is, while ask is open */
    struct collector_ask ask;               /* who it is, asked of Keystone */
};

#define COLLECTOR_REQUEST_MAGIC 0x52455155u
#define COLLECTOR_JSON          "application/json"

/* Attaches a new object to req (freed with it); NULL on memory failure. */
struct collector_request *collector_request_new(struct hale_http_req *req);
struct collector_request *collector_request_of(const struct hale_http_req *req);

/* Every answer goes through one of these. */
void collector_reply_none(struct hale_http_req *req, unsigned status);
void collector_reply_buf(
    struct hale_http_req *req, unsigned status, const char *type,
    struct hale_buf *b); /* takes b's bytes; a failed buffer gives 500 */
void collector_reply_bytes(struct hale_http_req *req, unsigned status, const char *type,
                           struct hale_str body);
/* {"title","description","code","message"}; description NULL: title only. */
void collector_reply_error(struct hale_http_req *req, unsigned status, const char *title,
                           const char *fmt, ...) HALE_PRINTF(4, 5);
/* That body alone, for an answer given later; body is initialised here. */
void collector_error_body(struct hale_buf *body, unsigned status, const char *title,
                          const char *fmt, ...) HALE_PRINTF(4, 5);
/* 503 with Retry-After. */
void collector_reply_busy(struct hale_http_req *req, unsigned retry_after_s,
                          const char *description);
/* 422 "Unprocessable Entity". */
void collector_reply_invalid(struct hale_http_req *req, const struct hale_err *err);
void collector_reply_not_found(struct hale_http_req *req);
/* The body as JSON, or NULL after a 400 was sent. The caller owns the reference. */
json_t *collector_request_json(struct hale_http_req *req);
/* Media type without parameters is application/json. */
bool collector_request_is_json(const struct hale_http_req *req);
/* Counts an answer that is sent by other means (streams). */
void collector_request_count(unsigned status);

/* --- links --------------------------------------------------------------------------- */
/* "http://host" of the caller's view. */
void collector_link_base(const struct hale_http_req *req, bool trust_forwarded,
                         struct hale_buf *out);
/* "links":[{"rel":"self","href":...}] with the request's own path and query. */
void collector_links_self(const struct hale_http_req *req, bool trust_forwarded,
                          const char *next_offset, struct hale_buf *out);
/* "links":[{"rel":"self","href":base + path}] */
void collector_links_to(const struct hale_http_req *req, bool trust_forwarded,
                        const char *path, const char *id, struct hale_buf *out);
#endif
