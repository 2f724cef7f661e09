/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/notifier_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/aodh_store.h"
#include "collector/request.h"
#include "model/notifier.h"

#define ANSWER_MAX ((size_t)64 << 20)

/* S of /v2/{project}/servers/{S}/alarms... */
static struct hale_str server_of(const struct hale_http_req *req)
{
    struct hale_str rest = hale_str_from(hale_http_path(req)), part = {NULL, 0};

    for (int i = 0; i < 5; i++)
        part = hale_str_split(&rest, '/');
    return part;
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc,
                          const struct hale_err *err)
{
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 403, "Forbidden",
                              "At most %d registrations and event alarms can be kept; "
                              "delete some",
                              HALE_AODH_MAX);
    else if (rc == HALE_E_INVAL && err->text[0] != '\0')
        collector_reply_error(req, 400, "Bad request", "%s", err->text);
    else
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

static void add(const struct hale_aodh *a, struct hale_buf *b)
{
    json_t *j = hale_notifier_to_api(a);
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

    json_decref(j);
    if (text == NULL)
        b->failed = true;
    else
        hale_buf_add_c(b, text);
    free(text);
}

/* --- list ---------------------------------------------------------------------------- */

void collector_notifier_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct collector_aodh_list l = {0};
    const struct hale_err none = {0};
    struct hale_str server = server_of(req);
    struct hale_buf b;
    bool first = true;

    (void)c;
    enum hale_rc rc = collector_aodh_load_all(redis, collector_request_of(req)->tenant,
                                              COLLECTOR_AODH_NOTIFIER, &l);
    if (rc != HALE_OK) {
        reply_failure(req, rc, &none);
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_char(&b, '[');
    for (size_t i = 0; i < l.n; i++) {
        const char *vm = hale_aodh_instance(l.v[i].a);
        if (vm == NULL || !hale_str_eq_c(server, vm))
            continue;
        if (!first)
            hale_buf_add_char(&b, ',');
        first = false;
        add(l.v[i].a, &b);
    }
    hale_buf_add_char(&b, ']');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_aodh_list_fini(&l);
}

/* --- register ------------------------------------------------------------------------ */

static enum hale_rc identify(struct hale_aodh *a, const struct collector_request *r,
                             struct hale_err *err)
{
    char id[HALE_UUID_TEXT];

    hale_id_uuid_random(id);
    a->id = strdup(id);
    a->tenant = strdup(r->tenant);
    a->user = strdup(r->who.name);
    a->created_ms = a->updated_ms = hale_clock_wall_ms();
    return a->id != NULL && a->tenant != NULL && a->user != NULL
               ? HALE_OK
               : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static void reply_made(const struct collector *c, struct hale_http_req *req,
                       const struct hale_aodh *a)
{
    struct hale_buf b, location;

    hale_buf_init(&location, 4096);
    collector_link_base(req, c->conf->trust_forwarded, &location);
    hale_buf_add_c(&location, hale_http_path(req));
    hale_buf_printf(&location, "/%s", a->id);
    if (!location.failed && strpbrk(location.p, " \r\n") == NULL)
        hale_http_add_header(req, "Location", location.p);
    hale_buf_fini(&location);
    hale_buf_init(&b, ANSWER_MAX);
    add(a, &b);
    collector_reply_buf(req, 201, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_notifier_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    struct hale_aodh *a = NULL;
    struct hale_err err = {0};
    struct hale_str text = hale_http_body(req);
    json_t *body = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;

    enum hale_rc rc = body != NULL
                          ? hale_notifier_from_api(body, server_of(req), &a, &err)
                          : hale_err_set(&err, HALE_E_INVAL, "the body is not JSON");
    json_decref(body);
    if (rc == HALE_OK)
        rc = identify(a, collector_request_of(req), &err);
    if (rc == HALE_OK)
        rc = collector_aodh_create(redis, a);
    if (rc == HALE_OK)
        reply_made(c, req, a);
    else
        reply_failure(req, rc, &err);
    hale_aodh_free(a);
}

/* --- unregister ---------------------------------------------------------------------- */

/* The alarm is one of this server. */
static enum hale_rc check_server(const struct collector_aodh *x, void *arg)
{
    const struct hale_str *server = arg;
    const char *vm = hale_aodh_instance(x->a);

    return vm != NULL && hale_str_eq_c(*server, vm) ? HALE_OK : HALE_E_NOTFOUND;
}

void collector_notifier_delete(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_str server = server_of(req);
    const struct collector_aodh_change ch = {.tenant = r->tenant,
                                             .id = r->param,
                                             .kind = COLLECTOR_AODH_NOTIFIER,
                                             .may_drop = check_server,
                                             .arg = &server};
    struct hale_err err = {0};

    (void)c;
    enum hale_rc rc = collector_aodh_change(redis, &ch, NULL, &err);
    if (rc == HALE_OK)
        collector_reply_none(req, 204);
    else
        reply_failure(req, rc, &err);
}
