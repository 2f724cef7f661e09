/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INTAKE_H
#define HALE_COLLECTOR_INTAKE_H
/*
 * intake - the one way of samples from any request format to the writer: find the series by
 * the raw bytes that spell it, batch per shard, make new series known, hand over, answer once
 * durable. The formats (ingest_*.c) only walk their bytes and say how a new spelling becomes a
 * canonical series.
 * Use:       begin; offer per sample; then commit or refuse. begin..commit of one request is
 *            not interrupted by another: the intake has a lock of its own, taken by begin and
 *            released by commit and refuse, so any thread may bring a request.
 * All or nothing: nothing is remembered of a request before commit. Forms with partial = false
 *            (Monasca JSON) are refused whole by the first bad sample; the others count bad
 *            samples per reason and take the rest.
 * Ownership: spans of an offer point into the request's body (or a buffer of the format's) and
 *            must stay valid until commit/refuse.
 * Limits:    sample rate per tenant (429), series ceiling (503), queues (503): commit answers.
 */
#include "collector/app.h"
#include "collector/rejected.h"
#include "collector/writer.h"

struct collector_offer;

/* Appends the canonical bytes (model/series.h) of the series an offer spells. Slow path, once
 * per spelling. HALE_E_INVAL: breaks a rule, err says which and names the metric. */
typedef enum hale_rc (*collector_canon)(const struct collector_offer *o,
                                        struct hale_str tenant, struct hale_str region,
                                        struct hale_buf *out, struct hale_err *err);

struct collector_form { /* a request format; static const */
    const char *name;   /* "monasca", "influx", "remote-write", "collectd", "otlp" */
    enum collector_form_id id; /* spellings of different forms never meet */
    bool partial; /* bad samples are left out instead of refusing the request */
    collector_canon canon;
};

struct collector_offer {
    struct hale_str a, b,
        c;                /* raw bytes that together spell the series; unused: {NULL,0} */
    int64_t time_ms;      /* Unix time; the receiver's now when the format has none */
    double value;         /* must be finite: formats call _reject for others */
    struct hale_str meta; /* JSON object text already checked, or {NULL,0} */
};

struct collector_intake;

struct collector_intake *
collector_intake_new(struct collector *c); /* exits on no memory */
void collector_intake_free(struct collector_intake *i);

/* Locks; the tenant and ceilings are those of req. False: req is answered (503), nothing is locked
 * and nothing may follow. */
HALE_MUST_CHECK bool collector_intake_begin(struct collector_intake *i,
                                            struct hale_http_req *req,
                                            const struct collector_form *form);
/* False: the request is lost (a bad sample of a form without partial, no memory); the format may
 * go on reading to find worse faults. */
bool collector_intake_offer(struct collector_intake *i, const struct collector_offer *o);
/* A sample that the format itself cannot take; reason is a literal that collector/rejected.h has.
 * The intake's own are "series" (canon refused it). */
void collector_intake_reject(struct collector_intake *i, const char *reason,
                             const char *fmt, ...) HALE_PRINTF(3, 4);

struct collector_verdict { /* of what was offered since begin */
    size_t taken, rejected;
    const struct hale_err *first; /* the first fault, text "" when none; valid until
                                     commit or refuse */
};
/* Flushes look-ups under way, so that the counts are final. */
struct collector_verdict collector_intake_verdict(struct collector_intake *i);

/* answer is given once the samples are durable; its body is taken. A request without any good sample
 * is answered at once, without a trip to Redis. 503, 429, 422 (series ids clash) and internal
 * refusals are answered by commit in the common error shape. */
void collector_intake_commit(struct collector_intake *i, struct collector_answer *answer);
/* Forgets the request; the caller answers it after that. */
void collector_intake_refuse(struct collector_intake *i);
#endif
