/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collector/promql_format.h"
#include "collector/promql_source.h"
#include "collector/request.h"
#include "collector/stats.h"

#define ANSWER_MAX     ((size_t)256 << 20)
#define STEPS_MAX      11000
#define FINEST_ROWS_MS 10000 /* archive rows of this length are no loss worth a warning */

/* --- errors ------------------------------------------------------------------------------------- */

static void reply_error(struct hale_http_req *req, unsigned status, const char *type,
                        const char *text)
{
    struct hale_buf b;

    hale_buf_init(&b, 65536);
    hale_buf_printf(&b, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", type);
    hale_buf_add_json(&b, hale_str_from(text));
    hale_buf_add_char(&b, '}');
    if (status == 503)
        hale_http_add_header(req, "Retry-After", "1");
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_promql_reply_error(struct hale_http_req *req, unsigned status,
                                  const char *type, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    reply_error(req, status, type, text);
}

void collector_promql_reply_parameter(struct hale_http_req *req, const char *name,
                                      const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    int n = snprintf(text, sizeof(text), "invalid parameter \"%s\": ", name);
    va_start(ap, fmt);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    reply_error(req, 400, "bad_data", text);
}

/* --- parameters --------------------------------------------------------------------------------- */

static void add_param(const char *name, const char *value, void *arg)
{
    collector_promql_params_add(arg, hale_str_from(name), hale_str_from(value));
}

static bool is_form(const struct hale_http_req *req)
{
    static const char FORM[] = "application/x-www-form-urlencoded";
    const char *type = hale_http_header(req, "Content-Type");
    struct hale_str s = hale_str_from(type);

    return hale_str_ieq_c(hale_str_trim(hale_str_split(&s, ';')), FORM);
}

bool collector_promql_read_params(struct hale_http_req *req,
                                  struct collector_promql_params *p)
{
    struct hale_str body = hale_http_body(req);

    collector_promql_params_init(p);
    if (body.len > 0 && !is_form(req)) {
        collector_promql_reply_error(
            req, 400, "bad_data",
            "the body must be a form (Content-Type: application/x-www-form-urlencoded)");
        return false;
    }
    collector_promql_params_form(p, body);
    hale_http_query_each(req, add_param, p);
    if (!p->failed)
        return true;
    collector_promql_reply_error(req, 400, "bad_data", "more than %d parameters or 4 MiB",
                                 COLLECTOR_PROMQL_PARAMS_MAX);
    return false;
}

bool collector_promql_time_param(struct hale_http_req *req,
                                 const struct collector_promql_params *p,
                                 const char *name, int64_t *out_ms)
{
    struct hale_str s = collector_promql_param(p, name);

    if (s.len == 0 || collector_promql_time(s, out_ms) == HALE_OK)
        return true;
    collector_promql_reply_parameter(req, name,
                                     "cannot parse \"%.*s\" to a valid timestamp",
                                     (int)(s.len < 100 ? s.len : 100), s.p);
    return false;
}

/* *out unchanged when absent. */
static bool duration_param(struct hale_http_req *req,
                           const struct collector_promql_params *p, const char *name,
                           int64_t *out_ms)
{
    struct hale_str s = collector_promql_param(p, name);

    if (s.len == 0 || collector_promql_duration(s, out_ms) == HALE_OK)
        return true;
    collector_promql_reply_parameter(req, name,
                                     "cannot parse \"%.*s\" to a valid duration",
                                     (int)(s.len < 100 ? s.len : 100), s.p);
    return false;
}

bool collector_promql_deadline(struct collector *c, struct hale_http_req *req,
                               const struct collector_promql_params *p, int64_t *out_ms)
{
    int64_t timeout_ms = c->conf->promql_timeout_ms;

    if (!duration_param(req, p, "timeout", &timeout_ms))
        return false;
    if (timeout_ms > c->conf->promql_timeout_ms)
        timeout_ms = c->conf->promql_timeout_ms;
    *out_ms = hale_clock_mono_ms() + timeout_ms;
    return true;
}

/* --- evaluation --------------------------------------------------------------------------------- */

static void reply_fault(struct hale_http_req *req,
                        const struct collector_promql_result *r)
{
    switch (r->fault) {
    case COLLECTOR_PROMQL_FINE: break;
    case COLLECTOR_PROMQL_EXECUTION:
        collector_count(PROMQL_FAILED, 1);
        reply_error(req, 422, "execution", r->error);
        break;
    case COLLECTOR_PROMQL_TIMEOUT:
        collector_count(PROMQL_TIMEOUTS, 1);
        reply_error(req, 503, "timeout", r->error);
        break;
    case COLLECTOR_PROMQL_UNAVAILABLE:
        reply_error(req, 503, "unavailable", r->error);
        break;
    case COLLECTOR_PROMQL_INTERNAL: reply_error(req, 500, "internal", r->error); break;
    }
}

static void reply_result(struct hale_http_req *req,
                         const struct collector_promql_result *r,
                         const struct collector_promql_options *o)
{
    int64_t asked_ms =
        o->n_steps > 1 && o->step_ms > FINEST_ROWS_MS ? o->step_ms : FINEST_ROWS_MS;
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"status\":\"success\",\"data\":");
    collector_promql_add_result(&b, r, o);
    if (r->coarse_ms > asked_ms)
        hale_buf_printf(&b,
                        ",\"warnings\":[\"resolution reduced: the archive answered with "
                        "averages over up to %lld s\"]",
                        (long long)(r->coarse_ms / 1000));
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

/* o has its times; the rest is filled in here. */
static void evaluate(struct collector *c, struct hale_redis *redis,
                     struct hale_http_req *req, const struct collector_promql_params *p,
                     struct collector_promql_options *o)
{
    struct hale_str text = collector_promql_param(p, "query");
    struct collector_promql_store store;
    struct collector_promql_result result;
    struct hale_promql query;
    struct hale_err err = {0};
    int64_t deadline_ms;

    o->lookback_ms = c->conf->promql_lookback_ms;
    o->max_samples = (size_t)c->conf->promql_max_samples;
    if (!duration_param(req, p, "lookback_delta", &o->lookback_ms) ||
        !collector_promql_deadline(c, req, p, &deadline_ms))
        return;
    if (o->lookback_ms <= 0) {
        collector_promql_reply_parameter(req, "lookback_delta", "must be positive");
        return;
    }
    if (hale_promql_parse(text, &query, &err) != HALE_OK) {
        collector_promql_reply_parameter(req, "query", "%d:%d: parse error: %s", err.line,
                                         err.col, err.text);
    } else if (!o->instant && query.root->type != HALE_PROMQL_SCALAR &&
               query.root->type != HALE_PROMQL_VECTOR) {
        collector_promql_reply_parameter(
            req, "query",
            "invalid expression type \"%s\" for range query, must be Scalar or instant "
            "Vector",
            hale_promql_type_text(query.root->type));
    } else {
        collector_promql_store_init(&store, c, redis,
                                    hale_str_from(collector_request_of(req)->tenant),
                                    deadline_ms);
        o->source = &store.source;
        collector_count(PROMQL_QUERIES, 1);
        collector_promql_evaluate(query.root, o, &result);
        if (result.fault == COLLECTOR_PROMQL_FINE)
            reply_result(req, &result, o);
        else
            reply_fault(req, &result);
        o->source = NULL;
        collector_promql_result_fini(&result);
        collector_promql_store_fini(&store);
    }
    hale_promql_fini(&query);
}

void collector_promql_query(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct collector_promql_params *p = calloc(1, sizeof(*p));
    struct collector_promql_options o = {.n_steps = 1, .step_ms = 1, .instant = true};

    if (p == NULL) {
        collector_promql_reply_error(req, 503, "unavailable", "out of memory");
        return;
    }
    o.start_ms = hale_clock_wall_ms();
    if (collector_promql_read_params(req, p) &&
        collector_promql_time_param(req, p, "time", &o.start_ms)) {
        o.end_ms = o.start_ms;
        evaluate(c, redis, req, p, &o);
    }
    collector_promql_params_fini(p);
    free(p);
}

/* start, end and step; false: answered. */
static bool range_params(struct hale_http_req *req,
                         const struct collector_promql_params *p,
                         struct collector_promql_options *o)
{
    static const char *const names[] = {"start", "end", "step"};
    for (unsigned i = 0; i < 3; i++) {
        if (collector_promql_param(p, names[i]).len > 0)
            continue;
        collector_promql_reply_parameter(req, names[i], "cannot parse \"\" to a valid %s",
                                         i < 2 ? "timestamp" : "duration");
        return false;
    }
    if (!collector_promql_time_param(req, p, "start", &o->start_ms) ||
        !collector_promql_time_param(req, p, "end", &o->end_ms) ||
        !duration_param(req, p, "step", &o->step_ms))
        return false;
    if (o->end_ms < o->start_ms) {
        collector_promql_reply_parameter(req, "end",
                                         "end timestamp must not be before start time");
        return false;
    }
    if (o->step_ms <= 0) {
        collector_promql_reply_parameter(req, "step",
                                         "zero or negative query resolution step widths "
                                         "are not accepted. Try a positive "
                                         "integer");
        return false;
    }
    if ((o->end_ms - o->start_ms) / o->step_ms > STEPS_MAX) {
        collector_promql_reply_error(req, 400, "bad_data",
                                     "exceeded maximum resolution of 11,000 points per "
                                     "timeseries. Try decreasing the "
                                     "query resolution (?step=XX)");
        return false;
    }
    o->n_steps = (size_t)((o->end_ms - o->start_ms) / o->step_ms) + 1;
    return true;
}

void collector_promql_query_range(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    struct collector_promql_params *p = calloc(1, sizeof(*p));
    struct collector_promql_options o = {0};

    if (p == NULL) {
        collector_promql_reply_error(req, 503, "unavailable", "out of memory");
        return;
    }
    if (collector_promql_read_params(req, p) && range_params(req, p, &o))
        evaluate(c, redis, req, p, &o);
    collector_promql_params_fini(p);
    free(p);
}
