/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest_json.h"

#include "collector/intake.h"
#include "collector/rejected.h"
#include "collector/request.h"
#include "model/metric_json.h"

/* a: the name, b: the dimensions, both as JSON source text. */
static enum hale_rc canon(const struct collector_offer *o, struct hale_str tenant,
                          struct hale_str region, struct hale_buf *out,
                          struct hale_err *err)
{
    const struct hale_metric_view v = {.name_raw = o->a, .dims_raw = o->b};

    return hale_metric_series(&v, tenant, region, out, err);
}

static const struct collector_form FORM = {
    .name = "monasca", .id = COLLECTOR_FORM_MONASCA, .partial = false, .canon = canon};

/* Only the first fault of a request is told, so that of an earlier sample counts. */
static void reject(struct collector_intake *in, const char *reason,
                   const struct hale_err *err)
{
    if (collector_intake_verdict(in).rejected == 0)
        collector_intake_reject(in, reason, "%s", err->text);
}

static bool take(struct collector_intake *in, const struct hale_metric_view *v)
{
    const struct collector_offer o = {.a = v->name_raw,
                                      .b = v->dims_raw,
                                      .time_ms = v->time_ms,
                                      .value = v->value,
                                      .meta = v->meta_raw};
    struct hale_err err;

    if (v->meta_raw.p != NULL && hale_metric_check_meta(v->meta_raw, &err) != HALE_OK) {
        reject(in, "meta", &err);
        return false;
    }
    return collector_intake_offer(in, &o);
}

/* Reads the whole body; *err is that of a body that is not JSON. */
static enum hale_metric_fault parse(struct collector_intake *in, struct hale_str body,
                                    struct hale_err *err)
{
    struct hale_metric_parser p;
    struct hale_metric_view v;
    enum hale_metric_fault fault;
    bool good = true;

    hale_metric_parser_init(&p, body);
    while ((fault = hale_metric_parser_next(&p, &v)) == HALE_METRIC_OK) {
        /* After a fault only: a body that is not JSON further on is 400, not 422. */
        good = good && take(in, &v);
    }
    if (fault == HALE_METRIC_BAD_SCHEMA && good)
        reject(in, "syntax", &p.err);
    *err = p.err;
    return fault;
}

void collector_ingest_json_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    struct collector_intake *in = c->intake;
    struct hale_err err;

    (void)redis;
    if (!collector_request_is_json(req)) {
        collector_reply_error(req, 400, "Bad request",
                              "Bad content type. Must be application/json");
        return;
    }
    if (!collector_intake_begin(in, req, &FORM))
        return;
    if (parse(in, hale_http_body(req), &err) == HALE_METRIC_BAD_JSON) {
        collector_intake_refuse(in);
        collector_reply_error(req, 400, "Bad request",
                              "Request body is not valid JSON: %s", err.text);
        return;
    }
    struct collector_verdict verdict = collector_intake_verdict(in);
    if (verdict.rejected > 0) {
        err = *verdict.first;
        collector_intake_refuse(in);
        collector_reply_invalid(req, &err);
        return;
    }
    collector_intake_commit(in, &(struct collector_answer){.status = 204});
}
