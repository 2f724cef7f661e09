/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/silences_api.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/request.h"
#include "collector/silence_store.h"

#define ANSWER_MAX ((size_t)64 << 20)

enum form { HALES, ALERTMANAGERS };

static const char *noun(bool maintenance)
{
    return maintenance ? "maintenance windows" : "silences";
}

/* --- text ---------------------------------------------------------------------------- */

static const char *state_of(const struct hale_silence *s, int64_t now_ms,
                            int64_t *change_ms)
{
    bool on = hale_silence_at(s, now_ms, change_ms);
    return on ? "active" : *change_ms != INT64_MAX ? "pending" : "expired";
}

/* What is stored, with its state in front of the rest. */
static void add_hales(const struct hale_silence *s, int64_t now_ms, struct hale_buf *b)
{
    int64_t change_ms;
    const char *state = state_of(s, now_ms, &change_ms);
    struct hale_buf stored;

    hale_buf_init(&stored, 1u << 20);
    if (hale_silence_encode(s, &stored) != HALE_OK || stored.len < 2) {
        hale_buf_add_c(b, "null");
    } else {
        hale_buf_printf(b, "{\"state\":\"%s\",", state);
        if (change_ms != INT64_MAX)
            hale_buf_printf(b, "\"changes_ms\":%" PRId64 ",", change_ms);
        hale_buf_add(b, stored.p + 1, stored.len - 1);
    }
    hale_buf_fini(&stored);
}

static void add_am(const struct hale_silence *s, int64_t now_ms, struct hale_buf *b)
{
    char iso[HALE_CLOCK_ISO_MAX];
    int64_t change_ms;

    hale_buf_add_c(b, "{\"id\":");
    hale_buf_add_json(b, hale_str_from(s->id));
    hale_buf_printf(b, ",\"status\":{\"state\":\"%s\"}", state_of(s, now_ms, &change_ms));
    hale_buf_printf(b, ",\"updatedAt\":\"%s\"", hale_clock_iso_ms(s->updated_ms, iso));
    hale_buf_printf(b, ",\"startsAt\":\"%s\"", hale_clock_iso_ms(s->starts_ms, iso));
    hale_buf_printf(b, ",\"endsAt\":\"%s\"", hale_clock_iso_ms(s->ends_ms, iso));
    hale_buf_add_c(b, ",\"createdBy\":");
    hale_buf_add_json(b, hale_str_from(s->author));
    hale_buf_add_c(b, ",\"comment\":");
    hale_buf_add_json(b, hale_str_from(s->reason));
    hale_buf_add_c(b, ",\"matchers\":");
    hale_matchers_add_am_json(&s->matchers, b);
    hale_buf_add_char(b, '}');
}

static void add(const struct hale_silence *s, enum form form, int64_t now_ms,
                struct hale_buf *b)
{
    if (form == HALES)
        add_hales(s, now_ms, b);
    else
        add_am(s, now_ms, b);
}

static void reply_one(struct hale_http_req *req, unsigned status,
                      const struct hale_silence *s, enum form form)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    add(s, form, hale_clock_wall_ms(), &b);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static void reply_failure(struct hale_http_req *req, enum hale_rc rc, bool maintenance)
{
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 409, "TooMany",
                              "%d %s are kept already and none is over; end some",
                              HALE_SILENCES_MAX, noun(maintenance));
    else
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
}

/* --- reading ------------------------------------------------------------------------- */

static void list(struct hale_redis *redis, struct hale_http_req *req, bool maintenance,
                 enum form form)
{
    struct collector_silence_list l;
    struct hale_buf b;
    int64_t now_ms = hale_clock_wall_ms();

    enum hale_rc rc = collector_silence_load_all(redis, maintenance,
                                                 collector_request_of(req)->tenant, &l);
    if (rc != HALE_OK) {
        collector_silence_list_fini(&l);
        reply_failure(req, rc, maintenance);
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, form == HALES ? "{\"elements\":[" : "[");
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0)
            hale_buf_add_char(&b, ',');
        add(l.v[i], form, now_ms, &b);
    }
    hale_buf_add_c(&b, form == HALES ? "]}" : "]");
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    collector_silence_list_fini(&l);
}

static void get(struct hale_redis *redis, struct hale_http_req *req, bool maintenance,
                enum form form)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_silence *s = NULL;

    enum hale_rc rc = collector_silence_load(redis, maintenance, r->tenant, r->param, &s);
    if (rc == HALE_OK)
        reply_one(req, 200, s, form);
    else
        reply_failure(req, rc, maintenance);
    hale_silence_free(s);
}

/* --- changing ------------------------------------------------------------------------ */

static char *copy(const char *s)
{
    return s != NULL ? strdup(s) : NULL;
}

/* id NULL: a new one. before: what it replaces. */
static enum hale_rc sign(struct hale_silence *s, const struct collector_request *r,
                         const char *id, const struct hale_silence *before,
                         int64_t now_ms)
{
    char text[HALE_UUID_TEXT];

    if (id == NULL)
        hale_id_uuid_random(text);
    s->id = copy(id != NULL ? id : text);
    s->tenant = copy(r->tenant);
    s->author = copy(r->who.name);
    s->created_ms = before != NULL ? before->created_ms : now_ms;
    s->updated_ms = now_ms;
    return s->id != NULL && s->tenant != NULL && s->author != NULL ? HALE_OK
                                                                   : HALE_E_NOMEM;
}

/* id NULL: creates; else replaces what is there. *out: what is stored now. False: answered. */
static bool put(struct hale_redis *redis, struct hale_http_req *req, bool maintenance,
                const char *id, const json_t *body, struct hale_silence **out)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_silence *before = NULL;
    struct hale_err err = {0};
    int64_t now_ms = hale_clock_wall_ms();

    *out = NULL;
    enum hale_rc rc = HALE_OK;
    if (id != NULL)
        rc = collector_silence_load(redis, maintenance, r->tenant, id, &before);
    if (rc == HALE_OK) {
        rc = hale_silence_from_api(body, maintenance, now_ms, out, &err);
        if (rc == HALE_E_INVAL) {
            collector_reply_invalid(req, &err);
            hale_silence_free(before);
            return false;
        }
    }
    if (rc == HALE_OK)
        rc = sign(*out, r, id, before, now_ms);
    if (rc == HALE_OK)
        rc = collector_silence_put(redis, *out, id == NULL, now_ms);
    hale_silence_free(before);
    if (rc == HALE_OK)
        return true;
    hale_silence_free(*out);
    *out = NULL;
    reply_failure(req, rc, maintenance);
    return false;
}

static void change(struct hale_redis *redis, struct hale_http_req *req, bool maintenance,
                   const char *id)
{
    struct hale_silence *s;
    json_t *body = collector_request_json(req);

    if (body == NULL)
        return;
    if (put(redis, req, maintenance, id, body, &s))
        reply_one(req, id != NULL ? 200 : 201, s, HALES);
    hale_silence_free(s);
    json_decref(body);
}

/* Ends it; what is over already is forgotten. */
static enum hale_rc end(struct hale_redis *redis, const struct collector_request *r,
                        bool maintenance)
{
    struct hale_silence *s = NULL;
    int64_t now_ms = hale_clock_wall_ms();

    enum hale_rc rc = collector_silence_load(redis, maintenance, r->tenant, r->param, &s);
    if (rc == HALE_OK && hale_silence_end(s, now_ms)) {
        s->updated_ms = now_ms;
        rc = collector_silence_put(redis, s, false, now_ms);
    } else if (rc == HALE_OK) {
        rc = collector_silence_remove(redis, s);
    }
    hale_silence_free(s);
    return rc;
}

static void end_one(struct hale_redis *redis, struct hale_http_req *req, bool maintenance,
                    unsigned status)
{
    enum hale_rc rc = end(redis, collector_request_of(req), maintenance);
    if (rc == HALE_OK && status == 204)
        collector_reply_none(req, status);
    else if (rc == HALE_OK)
        collector_reply_bytes(req, status, COLLECTOR_JSON, HALE_STR("{}"));
    else
        reply_failure(req, rc, maintenance);
}

/* --- the calls ----------------------------------------------------------------------- */

void collector_silences_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    (void)c;
    list(redis, req, false, HALES);
}

void collector_silences_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    (void)c;
    change(redis, req, false, NULL);
}

void collector_silence_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    (void)c;
    get(redis, req, false, HALES);
}

void collector_silence_put_one(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    change(redis, req, false, collector_request_of(req)->param);
}

void collector_silence_delete(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    (void)c;
    end_one(redis, req, false, 204);
}

void collector_maintenances_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    (void)c;
    list(redis, req, true, HALES);
}

void collector_maintenances_post(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    (void)c;
    change(redis, req, true, NULL);
}

void collector_maintenance_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    get(redis, req, true, HALES);
}

void collector_maintenance_put(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    change(redis, req, true, collector_request_of(req)->param);
}

void collector_maintenance_delete(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    (void)c;
    end_one(redis, req, true, 204);
}

void collector_am_silences_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    list(redis, req, false, ALERTMANAGERS);
}

/* With an id it is a change, as Alertmanager has it. */
void collector_am_silences_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct hale_silence *s;
    struct hale_buf b;
    json_t *body = collector_request_json(req);

    (void)c;
    if (body == NULL)
        return;
    const char *id = json_string_value(json_object_get(body, "id"));
    if (put(redis, req, false, id != NULL && id[0] != '\0' ? id : NULL, body, &s)) {
        hale_buf_init(&b, 4096);
        hale_buf_add_c(&b, "{\"silenceID\":");
        hale_buf_add_json(&b, hale_str_from(s->id));
        hale_buf_add_char(&b, '}');
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    }
    hale_silence_free(s);
    json_decref(body);
}

void collector_am_silence_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req)
{
    (void)c;
    get(redis, req, false, ALERTMANAGERS);
}

void collector_am_silence_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    (void)c;
    end_one(redis, req, false, 200);
}
