/* SPDX-License-Identifier: Apache-2.0 */
/* topology_change - changes: checked whole, written in one transaction, waited for if asked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/params.h"
#include "collector/request.h"
#include "collector/topology_api.h"
#include "collector/topology_view.h"
#include "model/topology_body.h"
#include "store/keys.h"

#define WAIT_MS  5000
#define BLOCK_MS 200

/* --- writing --------------------------------------------------------------------------------- */

struct written {
    size_t entries;
    struct hale_stream_id last;
};

static enum hale_rc append(struct hale_redis *redis, struct hale_topology_update *u,
                           struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_buf b;

    u->tenant = (char *)(uintptr_t)r->tenant; /* only read */
    u->by = (char *)(uintptr_t)r->who.name;
    u->at_ms = hale_clock_wall_ms();
    hale_buf_init(&b, 8u << 20);
    enum hale_rc rc = hale_topology_update_encode(u, &b);
    if (rc == HALE_OK)
        rc = HALE_REDIS(redis, HALE_STR("XADD"), HALE_STR(HALE_KEYS_TOPOLOGY),
                        HALE_STR("*"), HALE_STR("j"), hale_buf_str(&b));
    hale_buf_fini(&b);
    free(u->deleted.v);
    return rc;
}

/* All entries of the body or none. */
static enum hale_rc write_body(struct hale_redis *redis, struct hale_http_req *req,
                               const struct hale_topology_body *body, struct written *out)
{
    struct hale_topology_update u;
    struct hale_reply *reply = NULL;
    size_t at = 0;

    *out = (struct written){0};
    enum hale_rc rc = hale_redis_begin(redis);
    while (rc == HALE_OK && hale_topology_body_next(body, &at, &u)) {
        rc = append(redis, &u, req);
        out->entries++;
    }
    if (rc == HALE_OK && at == SIZE_MAX)
        rc = HALE_E_NOMEM;
    if (rc != HALE_OK) {
        hale_redis_discard(redis);
        return rc;
    }
    rc = hale_redis_exec(redis, &reply);
    if (rc == HALE_OK)
        rc = hale_stream_id_parse(
            hale_reply_str(hale_reply_at(reply, hale_reply_n(reply) - 1)), &out->last);
    hale_reply_free(reply);
    return rc;
}

/* --- waiting --------------------------------------------------------------------------------- */

static enum hale_rc applied(struct hale_redis *redis, struct hale_stream_id id, bool *yes)
{
    struct hale_reply *reply = NULL;
    struct hale_stream_id position = {0, 0};
    enum hale_rc rc =
        HALE_REDIS_CMD(redis, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_COR_META),
                       HALE_STR("pos:topology"));

    if (rc == HALE_OK && !hale_reply_is_nil(reply) &&
        hale_stream_id_parse(hale_reply_str(reply), &position) != HALE_OK)
        position = (struct hale_stream_id){0, 0};
    hale_reply_free(reply);
    *yes = hale_stream_id_cmp(position, id) >= 0;
    return rc;
}

/* Until a row changes, or a while: then the position is looked at again. */
static enum hale_rc await_rows(struct hale_redis *redis, int64_t block_ms)
{
    char text[24];
    struct hale_reply *reply = NULL;

    (void)snprintf(text, sizeof(text), "%" PRId64, block_ms);
    enum hale_rc rc =
        HALE_REDIS(redis, HALE_STR("XREAD"), HALE_STR("COUNT"), HALE_STR("1"),
                   HALE_STR("BLOCK"), hale_str_from(text), HALE_STR("STREAMS"),
                   HALE_STR(HALE_KEYS_ENTITYLOG), HALE_STR("$"));
    if (rc == HALE_OK)
        rc = hale_redis_reply_wait(redis, block_ms + WAIT_MS, &reply);
    hale_reply_free(reply);
    return rc;
}

static bool wait_applied(struct hale_redis *redis, struct hale_stream_id id)
{
    int64_t end_ms = hale_clock_mono_ms() + WAIT_MS, left;
    bool yes = false;
    enum hale_rc rc = applied(redis, id, &yes);

    while (rc == HALE_OK && !yes && (left = end_ms - hale_clock_mono_ms()) > 0) {
        rc = await_rows(redis, left < BLOCK_MS ? left : BLOCK_MS);
        if (rc == HALE_OK)
            rc = applied(redis, id, &yes);
    }
    return rc == HALE_OK && yes;
}

/* --- a body ---------------------------------------------------------------------------------- */

/* False: answered. */
static bool may_write(struct collector *c, struct hale_http_req *req)
{
    if (!atomic_load(&c->overloaded))
        return true;
    collector_reply_busy(req, 10, "Redis holds more than redis_memory_max");
    return false;
}

static size_t count_missing(const struct hale_graph *g, const struct hale_entity *list,
                            size_t n)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    size_t missing = 0;

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(ref, sizeof(ref), "%s/%s", list[i].type, list[i].id);
        const struct hale_vertex *v =
            g != NULL ? hale_graph_find(g, hale_str_from(ref)) : NULL;
        missing += v == NULL || hale_vertex_entity(v) == NULL;
    }
    return missing;
}

static void add_counts(struct hale_buf *b, const struct hale_topology_body *body,
                       const struct written *w)
{
    char id[HALE_STREAM_ID_TEXT];

    hale_buf_printf(
        b,
        "{\"put\":%zu,\"patch\":%zu,\"delete\":%zu,\"entries\":%zu,\"position\":"
        "\"%s\"",
        body->n_put, body->n_patch, body->n_delete, w->entries,
        hale_stream_id_text(w->last, id));
}

static void reply_written(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req,
                          const struct hale_topology_body *body, const struct written *w)
{
    bool wait = collector_params_bool(hale_http_query(req, "wait"));
    bool done = wait && wait_applied(redis, w->last);
    struct hale_buf b;

    hale_buf_init(&b, 4096);
    add_counts(&b, body, w);
    if (done) {
        const struct hale_entities *x = collector_topology_enter(c, redis, req);
        if (x == NULL) {
            hale_buf_fini(&b);
            return;
        }
        const struct hale_graph *g = collector_topology_graph(x, req);
        size_t refused = count_missing(g, body->put, body->n_put) +
                         count_missing(g, body->patch, body->n_patch);
        collector_topology_leave(c);
        hale_buf_printf(&b, ",\"refused\":%zu", refused);
    }
    hale_buf_printf(&b, ",\"applied\":%s}", done ? "true" : "false");
    collector_reply_buf(req, done ? 200 : 202, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_topology_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    struct hale_topology_body body;
    struct hale_err err = {0};
    struct written w;

    if (!may_write(c, req))
        return;
    json_t *root = collector_request_json(req);
    if (root == NULL)
        return;
    if (hale_topology_body_read(root, &body, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (write_body(redis, req, &body, &w) != HALE_OK)
        collector_reply_busy(req, 2, "the store does not answer; try again");
    else
        reply_written(c, redis, req, &body, &w);
    hale_topology_body_fini(&body);
}

/* --- one entity ------------------------------------------------------------------------------ */

/* Is it there? Answers 503 and returns false if that cannot be said. */
static bool look_up(struct collector *c, struct hale_redis *redis,
                    struct hale_http_req *req, const char *ref, bool *there)
{
    const struct hale_entities *x = collector_topology_enter(c, redis, req);

    if (x == NULL)
        return false;
    const struct hale_graph *g = collector_topology_graph(x, req);
    const struct hale_vertex *v =
        g != NULL ? hale_graph_find(g, hale_str_from(ref)) : NULL;
    *there = v != NULL && hale_vertex_entity(v) != NULL;
    collector_topology_leave(c);
    return true;
}

/* The entity's body: type and id are those of the path. {"source", list: [entity]} */
static enum hale_rc body_of_one(json_t *entity, const char *list, const char *ref,
                                json_t **out, struct hale_err *err)
{
    struct hale_str type, id;

    if (!json_is_object(entity) || !hale_topology_ref(hale_str_from(ref), &type, &id)) {
        json_decref(entity);
        return hale_err_set(err, HALE_E_INVAL,
                            "the body must be an object with the entity's keys");
    }
    const char *given_type = json_string_value(json_object_get(entity, "type"));
    const char *given_id = json_string_value(json_object_get(entity, "id"));
    if ((given_type != NULL && !hale_str_eq_c(type, given_type)) ||
        (given_id != NULL && !hale_str_eq_c(id, given_id))) {
        json_decref(entity);
        return hale_err_set(err, HALE_E_INVAL,
                            "type and id are those of the path; leave them out");
    }
    json_t *source = json_incref(json_object_get(entity, "source"));
    (void)json_object_del(entity, "source"); /* it may not be there */
    bool ok = json_object_set_new(entity, "type", json_stringn(type.p, type.len)) == 0 &&
              json_object_set_new(entity, "id", json_stringn(id.p, id.len)) == 0;
    *out = json_pack("{s:o?,s:[o]}", "source", source, list, entity);
    if (*out != NULL && source == NULL)
        (void)json_object_del(*out, "source");
    return ok && *out != NULL ? HALE_OK
                              : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* Writes the body (taken) and waits. False: answered. */
static bool change_one(struct collector *c, struct hale_redis *redis,
                       struct hale_http_req *req, json_t *root)
{
    struct hale_topology_body body;
    struct hale_err err = {0};
    struct written w;

    (void)c;
    if (hale_topology_body_read(root, &body, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return false;
    }
    enum hale_rc rc = write_body(redis, req, &body, &w);
    hale_topology_body_fini(&body);
    if (rc != HALE_OK)
        collector_reply_busy(req, 2, "the store does not answer; try again");
    else if (!wait_applied(redis, w.last))
        collector_reply_busy(
            req, 5,
            "the change is recorded, but the correlator has not confirmed it "
            "within 5 s");
    else
        return true;
    return false;
}

static void set_one(struct collector *c, struct hale_redis *redis,
                    struct hale_http_req *req, const char *list, bool must_exist)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    struct hale_err err = {0};
    json_t *root = NULL;
    bool there = false;

    if (!may_write(c, req) || !collector_topology_ref(req, ref))
        return;
    json_t *entity = collector_request_json(req);
    if (entity == NULL)
        return;
    if (body_of_one(entity, list, ref, &root, &err) != HALE_OK) {
        json_decref(root);
        collector_reply_invalid(req, &err);
        return;
    }
    if (must_exist && !look_up(c, redis, req, ref, &there)) {
        json_decref(root);
    } else if (must_exist && !there) {
        json_decref(root);
        collector_reply_not_found(req);
    } else if (change_one(c, redis, req, root) && look_up(c, redis, req, ref, &there)) {
        if (there)
            collector_topology_get_one(c, redis, req);
        else
            collector_reply_error(req, 422, "Unprocessable Entity",
                                  "refused: there are as many entities as may be "
                                  "(max_entities of the correlator)");
    }
}

void collector_topology_put_one(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    set_one(c, redis, req, "put", false);
}

void collector_topology_patch_one(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    set_one(c, redis, req, "patch", true);
}

void collector_topology_delete_one(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    bool there = false;

    if (!may_write(c, req) || !collector_topology_ref(req, ref) ||
        !look_up(c, redis, req, ref, &there))
        return;
    json_t *root = there ? json_pack("{s:[s]}", "delete", ref) : NULL;
    if (!there)
        collector_reply_not_found(req);
    else if (root == NULL)
        collector_reply_busy(req, 5, "out of memory");
    else if (change_one(c, redis, req, root))
        collector_reply_none(req, 204);
}
