/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest_remote.h"

#include <string.h>

#include "base/snappy.h"
#include "collector/intake.h"
#include "collector/metadata.h"
#include "collector/rejected.h"
#include "collector/remote_write.h"
#include "collector/request.h"

#define EXPONENT    UINT64_C(0x7ff0000000000000) /* all set: NaN or infinite */
#define TIME_MAX_MS INT64_C(8640000000000000)
#define ERROR_MAX   4096

/* a, b, c: runs of whole label fields. */
static enum hale_rc canon(const struct collector_offer *o, struct hale_str tenant,
                          struct hale_str region, struct hale_buf *out,
                          struct hale_err *err)
{
    const struct hale_str runs[COLLECTOR_RW_RUNS] = {o->a, o->b, o->c};

    return collector_rw_canon(runs, COLLECTOR_RW_RUNS, tenant, region, out, err);
}

static const struct collector_form FORM = {.name = "remote-write",
                                           .id = COLLECTOR_FORM_REMOTE_WRITE,
                                           .partial = true,
                                           .canon = canon};

static bool is_snappy(const struct hale_http_req *req)
{
    const char *coding = hale_http_header(req, "Content-Encoding");

    return coding == NULL ||
           hale_str_ieq_c(hale_str_trim(hale_str_from(coding)), "snappy");
}

/* Other versions than 1 are told apart by the message's name in Content-Type, or by the version header. */
static bool is_version_1(const struct hale_http_req *req)
{
    const char *type = hale_http_header(req, "Content-Type");
    const char *version = hale_http_header(req, "X-Prometheus-Remote-Write-Version");
    struct hale_str rest = hale_str_from(type);

    if (version != NULL && version[0] == '2')
        return false;
    if (type == NULL)
        return true;
    return hale_str_ieq_c(hale_str_trim(hale_str_split(&rest, ';')),
                          "application/x-protobuf") &&
           strstr(type, "write.v2") == NULL;
}

/* False: answered. */
static bool open_body(struct collector *c, struct hale_http_req *req,
                      struct hale_buf *plain)
{
    size_t max = (size_t)c->conf->max_body;

    if (!is_version_1(req) || !is_snappy(req)) {
        hale_http_add_header(req, "Accept", "application/x-protobuf");
        collector_reply_error(req, 415, "Unsupported Media Type",
                              "this is remote write 1: Content-Type application/"
                              "x-protobuf (prometheus.WriteRequest), Content-Encoding "
                              "snappy; in prometheus.yml leave out protobuf_message or "
                              "set it to prometheus.WriteRequest");
        return false;
    }
    enum hale_rc rc = hale_snappy_decode(hale_http_body(req), max, plain);
    if (rc == HALE_OK)
        return true;
    if (rc == HALE_E_LIMIT)
        collector_reply_error(
            req, 413, "Request Entity Too Large",
            "the body has more than %zu bytes when uncompressed (max_body); "
            "in prometheus.yml lower max_samples_per_send",
            max);
    else if (rc == HALE_E_NOMEM)
        collector_reply_busy(req, 5, "out of memory");
    else
        collector_reply_error(req, 400, "Bad Request", "the body is not Snappy");
    return false;
}

/* What the walk found besides samples. */
struct extra {
    size_t stale;
    bool metadata;
};

static void take_sample(struct collector_intake *in, struct collector_offer *o,
                        const struct collector_rw_sample *s, struct extra *extra)
{
    o->time_ms = s->time_ms;
    memcpy(&o->value, &s->bits, sizeof(o->value));
    if (s->bits == COLLECTOR_RW_STALE)
        extra->stale++;
    else if ((s->bits & EXPONENT) == EXPONENT)
        collector_intake_reject(in, "value", "a value is not finite (NaN or Inf)");
    else if (s->time_ms > TIME_MAX_MS || s->time_ms < -TIME_MAX_MS)
        collector_intake_reject(in, "time", "a time is out of range");
    else
        (void)collector_intake_offer(in, o); /* false: commit says why */
}

/* False: damaged. */
static bool take_series(struct collector_intake *in, struct collector_rw_series *s,
                        struct extra *extra)
{
    struct collector_offer o = {.a = s->labels[0], .b = s->labels[1], .c = s->labels[2]};
    struct collector_rw_sample sample;
    int rc;

    for (uint32_t i = 0; i < s->n_histograms; i++)
        collector_intake_reject(in, "type",
                                "native histograms are not kept; leave out "
                                "send_native_histograms");
    while ((rc = collector_rw_sample(s, &sample)) > 0) {
        if (s->scattered)
            collector_intake_reject(in, "dimension",
                                    "the labels of a series are not side by side");
        else
            take_sample(in, &o, &sample, extra);
    }
    return rc == 0;
}

/* False: damaged. */
static bool take_all(struct collector_intake *in, struct hale_str body,
                     struct extra *extra)
{
    struct collector_rw r;
    struct collector_rw_view v;
    enum collector_rw_item item;

    collector_rw_open(&r, body);
    while ((item = collector_rw_next(&r, &v)) < COLLECTOR_RW_END) {
        if (item == COLLECTOR_RW_METADATA)
            extra->metadata = true;
        else if (!take_series(in, &v.series, extra))
            return false;
    }
    return item == COLLECTOR_RW_END;
}

static void keep_metadata(struct collector *c, const char *tenant, struct hale_str body)
{
    struct collector_rw r;
    struct collector_rw_view v;
    enum collector_rw_item item;

    collector_rw_open(&r, body);
    while ((item = collector_rw_next(&r, &v)) < COLLECTOR_RW_END) {
        if (item != COLLECTOR_RW_METADATA)
            continue;
        const struct collector_rw_metadata *m = &v.metadata;
        collector_metadata_put(
            c->metadata, hale_str_from(tenant),
            &(struct collector_metadata_entry){
                m->family, hale_str_from(collector_rw_type(m->type)), m->help, m->unit});
    }
}

/* The answer for a request of which something was refused. */
static void say_rejected(const struct collector_verdict *v, struct collector_answer *a)
{
    struct hale_buf text;

    hale_buf_init(&text, ERROR_MAX);
    hale_buf_printf(&text, "%zu of %zu samples refused (the others are stored): %s",
                    v->rejected, v->rejected + v->taken, v->first->text);
    *a = (struct collector_answer){.status = 400, .type = COLLECTOR_JSON};
    hale_buf_init(&a->body, ERROR_MAX);
    hale_buf_add_c(&a->body, "{\"title\":\"Bad Request\",\"description\":");
    hale_buf_add_json(&a->body, hale_buf_str(&text));
    hale_buf_add_c(&a->body, ",\"code\":400,\"message\":");
    hale_buf_add_json(&a->body, hale_buf_str(&text));
    hale_buf_add_char(&a->body, '}');
    hale_buf_fini(&text);
}

static void take_body(struct collector *c, struct hale_http_req *req,
                      struct hale_str body)
{
    struct collector_intake *in = c->intake;
    struct collector_answer answer = {.status = 204};
    struct extra extra = {0};

    if (!collector_intake_begin(in, req, &FORM))
        return;
    if (!take_all(in, body, &extra)) {
        collector_intake_refuse(in);
        collector_reply_error(req, 400, "Bad Request",
                              "the body is not a prometheus.WriteRequest");
        return;
    }
    struct collector_verdict verdict = collector_intake_verdict(in);
    if (verdict.rejected > 0)
        say_rejected(&verdict, &answer);
    if (extra.stale > 0)
        collector_rejected_count(FORM.id, "stale", extra.stale);
    if (extra.metadata)
        keep_metadata(c, collector_request_of(req)->tenant, body);
    collector_intake_commit(in, &answer);
}

void collector_ingest_remote_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    struct hale_buf plain;

    (void)redis;
    hale_buf_init(&plain, (size_t)c->conf->max_body + 1);
    if (open_body(c, req, &plain))
        take_body(c, req, hale_buf_str(&plain));
    hale_buf_fini(&plain);
}
