/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/server.h"

#include <string.h>

#include "collector/body.h"
#include "collector/credential.h"
#include "collector/event_form.h"
#include "collector/identity.h"
#include "collector/pool.h"
#include "collector/request.h"
#include "collector/router.h"
#include "collector/static_files.h"
#include "collector/stats.h"
#include "collector/tenant_limit.h"

#define SMALL_BODY ((size_t)1 << 20) /* everything but metrics */

static void forbidden(struct hale_http_req *req)
{
    collector_count(UNAUTHORIZED, 1);
    hale_http_add_header(req, "WWW-Authenticate", "Token");
    collector_reply_error(req, 401, "Forbidden",
                          "The request does not have access to this service");
}

/* ?tenant_id= on metrics calls counts only with the role for it; else it is ignored. False: it counts
 * and cannot be a tenant (answered). */
static bool choose_tenant(struct hale_http_req *req, struct collector_request *r,
                          const struct collector_route *route)
{
    static const char METRICS[] = "/v2.0/metrics";
    bool samples = route != NULL && route->place == COLLECTOR_ON_INTAKE;
    const char *other = hale_http_query(req, "tenant_id");

    memcpy(r->tenant, r->who.tenant, sizeof(r->tenant));
    if (other == NULL || (r->who.roles & COLLECTOR_DELEGATE) == 0 ||
        (!samples && strncmp(hale_http_path(req), METRICS, sizeof(METRICS) - 1) != 0))
        return true;
    if (!collector_tenant_ok(other)) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "tenant_id must have 1 to %d of the characters "
                              "A-Za-z0-9_.-",
                              HALE_TENANT_MAX_BYTES);
        return false;
    }
    memcpy(r->tenant, other, strlen(other) + 1);
    return true;
}

/* Monasca looks at the type of these bodies before the role, and at the body after it. A type that is not
 * given at all is left to the handler: whoever lacks the role hears of that first. */
static bool is_wrong_type(const struct hale_http_req *req,
                          const struct collector_route *route)
{
    static const char METHODS[] = "/v2.0/notification-methods";

    if (route == NULL || strcmp(route->method, "GET") == 0 ||
        strcmp(route->method, "DELETE") == 0)
        return false;
    if (strcmp(route->path, "/v2.0/metrics") != 0 &&
        strncmp(route->path, METHODS, sizeof(METHODS) - 1) != 0)
        return false;
    return hale_http_header(req, "Content-Type") != NULL &&
           !collector_request_is_json(req);
}

/* False: answered, or not known yet. */
static bool authorise(struct collector *c, struct hale_http_req *req,
                      struct collector_request *r, const struct collector_route *route,
                      unsigned roles)
{
    char space[COLLECTOR_CREDENTIAL_MAX];

    enum hale_rc rc =
        collector_identity_check(c, req, r, collector_credential(req, space));
    if (rc == HALE_E_AGAIN)
        return false; /* Keystone is asked: head is called again */
    if (rc != HALE_OK) {
        collector_identity_refuse(c, req, rc);
        return false;
    }
    if (is_wrong_type(req, route)) {
        collector_reply_error(req, 400, "Bad request",
                              "Bad content type. Must be application/json");
        return false;
    }
    if ((r->who.roles & roles) == 0) {
        forbidden(req);
        return false;
    }
    return choose_tenant(req, r, route);
}

static bool wants_page(const struct hale_http_req *req)
{
    const char *accept = hale_http_header(req, "Accept");

    return accept != NULL && strstr(accept, "text/html") != NULL;
}

/* Bytes that the request's body may have, uncompressed too. */
static size_t max_body(struct collector *c, const struct collector_request *r)
{
    if (r->route->place != COLLECTOR_ON_INTAKE)
        return SMALL_BODY;
    int64_t own =
        collector_tenant_limits_of(c->limits, hale_str_from(r->tenant)).max_body;
    return (size_t)(own > 0 && own < c->conf->max_body ? own : c->conf->max_body);
}

/* hale_http_server_options.head */
static bool head(struct hale_http_req *req, void *arg)
{
    struct collector *c = arg;
    const char *method = hale_http_method(req);
    const char *path = hale_http_path(req);
    struct collector_request *r = hale_http_user(req); /* of an earlier call */
    struct collector_match match;

    if (r == NULL)
        r = collector_request_new(req);
    if (r == NULL) {
        collector_reply_busy(req, 1, "out of memory");
        return false;
    }
    hale_http_set_max_body(req, SMALL_BODY);
    collector_router_match(collector_routes, collector_routes_n, method, path, &match);
    unsigned roles =
        match.route != NULL ? match.route->roles : collector_router_default_roles(method);
    bool open = match.route != NULL && match.route->roles == 0;
    if (!open && (match.route != NULL || collector_router_is_api(path)) &&
        !authorise(c, req, r, match.route, roles))
        return false;
    if (!match.path_known && collector_router_is_version(path)) {
        collector_reply_error(req, 422, "Invalid version",
                              "No versions found matching %.*s",
                              (int)strcspn(path + 1, "/"), path + 1);
        return false;
    }
    bool page = match.route != NULL && strcmp(path, "/") == 0 && wants_page(req);
    if (page || (!match.path_known && !collector_router_is_api(path)))
        return true; /* a file; a browser gets the dashboard */
    if (!match.path_known) {
        collector_reply_not_found(req);
        return false;
    }
    if (match.route == NULL) {
        hale_http_add_header(req, "Allow", match.allow);
        collector_reply_error(req, 405, "405 Method Not Allowed", NULL);
        return false;
    }
    r->route = match.route;
    memcpy(r->param, match.param, sizeof(r->param));
    hale_http_set_max_body(req, max_body(c, r));
    return true;
}

/* hale_http_server_options.handle */
static void handle(struct hale_http_req *req, void *arg)
{
    struct collector *c = arg;
    const struct collector_request *r = collector_request_of(req);
    const struct collector_route *route = r->route;

    if (route == NULL) {
        collector_files_get(c, req);
        return;
    }
    if (!collector_body_open(req, max_body(c, r)))
        return;
    switch (route->place) {
    case COLLECTOR_ON_INTAKE:
    case COLLECTOR_ON_NETWORK: route->handler(c, NULL, req); break;
    case COLLECTOR_ON_QUERY: collector_pool_submit(c->queries, req); break;
    case COLLECTOR_ON_CHANGE: collector_pool_submit(c->changes, req); break;
    }
}

enum hale_rc collector_server_start(struct collector *c, struct hale_http_server **out,
                                    struct hale_err *err)
{
    struct hale_http_server_options o = {
        .listen = c->conf->listen,
        .max_body_bytes = SMALL_BODY,
        .max_connections = (unsigned)c->conf->max_connections,
        .idle_timeout_s = 60,
        .tls = c->tls,
        .head = head,
        .handle = handle,
        .arg = c,
    };
    return hale_http_server_start(&o, out, err);
}
