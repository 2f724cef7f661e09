/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/identity.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "collector/stats.h"

#define BUSY_RETRY_S 1
#define DOWN_RETRY_S 5

static void waits(struct collector_ask *ask)
{
    struct collector_request *r =
        (struct collector_request *)(void *)((char *)ask -
                                             offsetof(struct collector_request, ask));
    hale_http_head_later(r->req);
}

static void done(struct collector_ask *ask)
{
    struct collector_request *r =
        (struct collector_request *)(void *)((char *)ask -
                                             offsetof(struct collector_request, ask));
    hale_http_head_again(r->req);
}

enum hale_rc collector_identity_check(struct collector *c, struct hale_http_req *req,
                                      struct collector_request *r, const char *token)
{
    enum hale_rc rc = HALE_E_DENIED;
    struct hale_str text = hale_str_trim(hale_str_from(token));

    if (r->ask.answered) { /* head's second call */
        r->who = r->ask.who;
        return r->ask.verdict;
    }
    if (text.len == 0)
        return HALE_E_DENIED;
    rc = collector_tokens_check(c->tokens, text, hale_clock_wall_ms(), &r->who);
    if (rc != HALE_E_DENIED || c->keystone == NULL)
        return rc;
    r->req = req;
    r->ask = (struct collector_ask){.method = hale_http_method(req),
                                    .path = hale_http_path(req),
                                    .waits = waits,
                                    .done = done};
    rc = collector_keystone_check(c->keystone, text, &r->ask);
    if (rc == HALE_OK)
        r->who = r->ask.who;
    return rc;
}

static void unauthenticated(struct collector *c, struct hale_http_req *req)
{
    static const char TEXT[] = "The request you have made requires authentication.";
    const struct collector_keystone_config *k = &c->conf->keystone;
    char header[2200];

    collector_count(UNAUTHORIZED, 1);
    if (!k->enabled) {
        hale_http_add_header(req, "WWW-Authenticate", "Token");
        collector_reply_error(req, 401, "Unauthorized", "%s", TEXT);
        return;
    }
    /* To the letter what Keystone's middleware says: clients know it. */
    (void)snprintf(header, sizeof(header), "Keystone uri=\"%s\"", k->auth_uri);
    hale_http_add_header(req, "WWW-Authenticate", header);
    collector_reply_bytes(req, 401, COLLECTOR_JSON,
                          HALE_STR("{\"error\":{\"code\":401,\"title\":\"Unauthorized\","
                                   "\"message\":\"The request you have made requires "
                                   "authentication.\"}}"));
}

void collector_identity_refuse(struct collector *c, struct hale_http_req *req,
                               enum hale_rc why)
{
    if (why == HALE_E_DENIED) {
        unauthenticated(c, req);
        return;
    }
    collector_count(OVERLOAD_KEYSTONE, 1);
    if (why == HALE_E_LIMIT)
        collector_reply_busy(req, BUSY_RETRY_S, "Too many requests wait for Keystone.");
    else
        collector_reply_busy(req, DOWN_RETRY_S,
                             "The Keystone service is temporarily unavailable.");
}
