/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest_otlp.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "collector/intake.h"
#include "collector/otlp.h"
#include "collector/otlp_json.h"
#include "collector/otlp_series.h"
#include "collector/rejected.h"
#include "collector/request.h"
#include "model/protobuf.h"

#define PROTOBUF     "application/x-protobuf"
#define ARENA_MAX    ((size_t)64 << 20)
#define JSON_GROWTH  4 /* a number in JSON may be shorter than in protobuf */
#define RESPONSE_MAX 4096
#define NS_PER_MS    1000000

enum { STATUS_CODE = 1, STATUS_MESSAGE = 2 };
enum { RESPONSE_PARTIAL = 1, PARTIAL_REJECTED = 1, PARTIAL_MESSAGE = 2 };
enum { CODE_INVALID = 3, CODE_EXHAUSTED = 8 }; /* google.rpc.Code */

/* a: content of the resource, b: a part (otlp_series.h), c: attribute fields of the point. */
static enum hale_rc canon(const struct collector_offer *o, struct hale_str tenant,
                          struct hale_str region, struct hale_buf *out,
                          struct hale_err *err)
{
    const struct hale_str spelling[3] = {o->a, o->b, o->c};

    return collector_otlp_canon(spelling, tenant, region, out, err);
}

static const struct collector_form FORM = {
    .name = "otlp", .id = COLLECTOR_FORM_OTLP, .partial = true, .canon = canon};

/* --- answers --------------------------------------------------------------------------------------- */

static const char *type_of(bool json)
{
    return json ? COLLECTOR_JSON : PROTOBUF;
}

static void reply_status(struct hale_http_req *req, bool json, unsigned http, int code,
                         const char *fmt, ...) HALE_PRINTF(5, 6);

/* A google.rpc.Status. */
static void reply_status(struct hale_http_req *req, bool json, unsigned http, int code,
                         const char *fmt, ...)
{
    struct hale_buf b;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hale_buf_init(&b, RESPONSE_MAX);
    if (json) {
        hale_buf_printf(&b, "{\"code\":%d,\"message\":", code);
        hale_buf_add_json(&b, hale_str_from(text));
        hale_buf_add_char(&b, '}');
    } else {
        hale_pb_put_varint(&b, STATUS_CODE, (uint64_t)code);
        hale_pb_put_bytes(&b, STATUS_MESSAGE, hale_str_from(text));
    }
    collector_reply_buf(req, http, type_of(json), &b);
    hale_buf_fini(&b);
}

/* An ExportMetricsServiceResponse; message empty: all is well. */
static void render_response(struct hale_buf *b, bool json, size_t rejected,
                            struct hale_str message)
{
    hale_buf_init(b, RESPONSE_MAX);
    if (message.len == 0) {
        hale_buf_add_c(b, json ? "{}" : "");
    } else if (json) {
        hale_buf_printf(b, "{\"partialSuccess\":{\"rejectedDataPoints\":\"%zu\"",
                        rejected);
        hale_buf_add_c(b, ",\"errorMessage\":");
        hale_buf_add_json(b, message);
        hale_buf_add_c(b, "}}");
    } else {
        size_t begun = hale_pb_begin(b, RESPONSE_PARTIAL);
        if (rejected > 0)
            hale_pb_put_varint(b, PARTIAL_REJECTED, rejected);
        hale_pb_put_bytes(b, PARTIAL_MESSAGE, message);
        hale_pb_end(b, begun);
    }
}

/* --- data points ------------------------------------------------------------------------------------ */

struct taking {
    struct collector_intake *in;
    struct collector_arena *arena;
    struct collector_offer offer; /* of the current point */
    size_t rejected_before;       /* when the points that are not numbers began */
    size_t rejected_points;
    size_t stale;
    size_t bucketless; /* exponential histograms whose buckets were left out */
};

static bool offer(const struct collector_otlp_sample *s, void *arg)
{
    struct taking *t = arg;

    t->offer.b = s->part;
    t->offer.value = s->value;
    if (isfinite(s->value))
        (void)collector_intake_offer(t->in, &t->offer); /* false: commit says why */
    else
        collector_intake_reject(t->in, "value", "a value is not finite (NaN or Inf)");
    return true;
}

static const char *reason_of(enum collector_otlp_fault f)
{
    switch (f) {
    case COLLECTOR_OTLP_BAD_NAME: return "name";
    case COLLECTOR_OTLP_BAD_RESOURCE: return "dimension";
    case COLLECTOR_OTLP_BAD_TIME: return "time";
    case COLLECTOR_OTLP_BAD_VALUE: return "value";
    case COLLECTOR_OTLP_GOOD:
    case COLLECTOR_OTLP_FULL: break;
    }
    return "other";
}

static size_t rejected(const struct taking *t)
{
    return collector_intake_verdict(t->in).rejected;
}

/* The samples of a histogram or a summary count as one data point: the looking up is brought to its end
 * before and after them, so that what was rejected in between is known. */
static bool take_compound(struct taking *t, const struct collector_otlp_point *p)
{
    size_t before = rejected(t);

    t->rejected_points += before - t->rejected_before;
    enum collector_otlp_fault f = collector_otlp_expand(p, t->arena, offer, t);
    t->rejected_before = rejected(t);
    if (t->rejected_before > before)
        t->rejected_points++;
    return f == COLLECTOR_OTLP_GOOD;
}

static bool take(const struct collector_otlp_point *p, void *arg)
{
    struct taking *t = arg;

    if (p->stale) {
        t->stale++;
        return true;
    }
    enum collector_otlp_fault f = collector_otlp_check(p);
    if (f != COLLECTOR_OTLP_GOOD) {
        collector_intake_reject(t->in, reason_of(f), "%s", collector_otlp_fault_text(f));
        return true;
    }
    t->offer.a = p->resource;
    t->offer.c = p->attributes;
    t->offer.time_ms = (int64_t)(p->time_ns / NS_PER_MS);
    if (p->kind == COLLECTOR_OTLP_EXPONENTIAL && p->has_buckets)
        t->bucketless++;
    if (p->kind == COLLECTOR_OTLP_NUMBER)
        return collector_otlp_expand(p, t->arena, offer, t) == COLLECTOR_OTLP_GOOD;
    return take_compound(t, p);
}

/* Answers, once what was good is durable. */
static void finish(struct taking *t, bool json)
{
    struct collector_verdict verdict = collector_intake_verdict(t->in);
    struct collector_answer answer = {.status = 200, .type = type_of(json)};
    char message[512] = "";

    t->rejected_points += verdict.rejected - t->rejected_before;
    if (t->rejected_points > 0)
        (void)snprintf(message, sizeof(message), "%zu data points refused: %s",
                       t->rejected_points, verdict.first->text);
    else if (t->bucketless > 0)
        (void)snprintf(message, sizeof(message),
                       "of %zu exponential histograms the buckets are not kept",
                       t->bucketless);
    if (t->bucketless > 0)
        collector_rejected_count(FORM.id, "type", t->bucketless);
    if (t->stale > 0)
        collector_rejected_count(FORM.id, "stale", t->stale);
    render_response(&answer.body, json, t->rejected_points, hale_str_from(message));
    collector_intake_commit(t->in, &answer);
}

static void take_body(struct collector *c, struct hale_http_req *req, bool json,
                      struct hale_str body)
{
    struct collector_arena arena;
    struct taking t = {.in = c->intake, .arena = &arena};

    if (!collector_intake_begin(c->intake, req, &FORM))
        return;
    collector_arena_init(&arena, ARENA_MAX);
    enum collector_otlp_end end = collector_otlp_walk(body, &arena, take, &t);
    if (end == COLLECTOR_OTLP_DONE) {
        finish(&t, json);
    } else {
        collector_intake_refuse(c->intake);
        if (end == COLLECTOR_OTLP_DAMAGED)
            reply_status(req, json, 400, CODE_INVALID,
                         "the body is not an ExportMetricsServiceRequest");
        else
            reply_status(req, json, 413, CODE_EXHAUSTED,
                         "the histograms and summaries of this request need more than "
                         "%zu bytes; send fewer data points at once",
                         ARENA_MAX);
    }
    collector_arena_fini(&arena);
}

static void take_json(struct collector *c, struct hale_http_req *req)
{
    struct hale_buf message;
    struct hale_err err;

    hale_buf_init(&message, JSON_GROWTH * (size_t)c->conf->max_body);
    enum hale_rc rc = collector_otlp_json_read(hale_http_body(req), &message, &err);
    if (rc == HALE_OK)
        take_body(c, req, true, hale_buf_str(&message));
    else if (rc == HALE_E_LIMIT)
        reply_status(req, true, 413, CODE_EXHAUSTED, "%s", err.text);
    else
        reply_status(req, true, 400, CODE_INVALID, "%s", err.text);
    hale_buf_fini(&message);
}

void collector_ingest_otlp_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    const char *type = hale_http_header(req, "Content-Type");
    struct hale_str rest = hale_str_from(type);

    (void)redis;
    if (collector_request_is_json(req)) {
        take_json(c, req);
    } else if (type != NULL &&
               hale_str_ieq_c(hale_str_trim(hale_str_split(&rest, ';')), PROTOBUF)) {
        take_body(c, req, false, hale_http_body(req));
    } else {
        hale_http_add_header(req, "Accept", PROTOBUF ", " COLLECTOR_JSON);
        collector_reply_error(req, 415, "Unsupported Media Type",
                              "Content-Type must be " PROTOBUF " or " COLLECTOR_JSON);
    }
}
