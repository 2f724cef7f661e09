/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove - asks whether something has come true: a run's or a step's verification, what a step waits
 * for (policy_proof.h; declared in engine_private.h). Questions change nothing: they are not
 * written down, and after a crash they are asked again.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/engine_private.h"

#define ASK_MAX_MS    5000 /* of one question */
#define ASK_MIN_MS    100
#define URL_MAX_BYTES 16384

static const json_t *proof(const struct actuator_run *r)
{
    if (r->state == ACTUATOR_VERIFYING)
        return r->verify;
    const json_t *step = actuator_run_step(r);
    const json_t *verify = json_object_get(step, "verify");
    return verify != NULL ? verify : json_object_get(step, "until");
}

static const char *text_of(const struct actuator_run *r, const char *key)
{
    return json_string_value(json_object_get(proof(r), key));
}

const char *prove_what(const struct actuator_run *r)
{
    return text_of(r, "query") != NULL ? "the query to have a result"
           : text_of(r, "url") != NULL ? "the address to answer 2xx"
                                       : "the alarm to clear";
}

static int64_t number_of(const struct actuator_run *r, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(proof(r), key));
}

static int64_t until_us(const struct actuator_run *r)
{
    return r->verify_us + number_of(r, "within_ms") * 1000;
}

static void proved(struct actuator_engine *e, struct actuator_run *r, const char *text)
{
    if (r->state == ACTUATOR_VERIFYING)
        life_verified(e, r, text);
    else
        flow_leave(e, r, ACTUATOR_ON_OK, text);
}

static void in_vain(struct actuator_engine *e, struct actuator_run *r)
{
    char text[ACTUATOR_TEXT_MAX];
    bool wait = strcmp(actuator_run_step_type(r), "wait") == 0;
    (void)snprintf(text, sizeof(text), "waited %lld ms for %s%s%.200s",
                   (long long)number_of(r, "within_ms"), prove_what(r),
                   r->asked[0] != '\0' ? "; last: " : "", r->asked);
    if (r->state == ACTUATOR_VERIFYING)
        life_end(e, r, "failed", NULL, text);
    else
        flow_leave(e, r, wait ? ACTUATOR_ON_TIMEOUT : ACTUATOR_ON_FAIL, text);
}

static enum hale_rc make(const struct actuator_engine *e, const struct actuator_run *r,
                         struct actuator_request *q)
{
    const char *query = text_of(r, "query"), *url = text_of(r, "url");
    enum hale_rc rc = HALE_E_INVAL;
    memset(q, 0, sizeof(*q));
    if (query != NULL && e->collector != NULL && e->collector->url != NULL) {
        rc = actuator_metric_request(e->collector, query, q);
    } else if (url != NULL) {
        hale_buf_init(&q->url, URL_MAX_BYTES);
        hale_buf_init(&q->body, 1);
        q->method = "GET";
        q->cloud = q->service = q->token_file = "";
        q->lane = ACTUATOR_NO_LANE;
        q->auth = "bearer";
        q->timeout_ms = ASK_MAX_MS;
        hale_buf_add_c(&q->url, url);
        q->headers = json_object();
        rc = q->headers != NULL && !q->url.failed ? HALE_OK : HALE_E_NOMEM;
    }
    int64_t left_ms = (until_us(r) - e->now_us) / 1000;
    q->timeout_ms = left_ms < q->timeout_ms ? left_ms : q->timeout_ms;
    q->timeout_ms = q->timeout_ms < ASK_MIN_MS ? ASK_MIN_MS : q->timeout_ms;
    return rc;
}

static void ask(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_request q;
    enum hale_rc rc = make(e, r, &q);
    if (rc == HALE_OK) {
        r->calling = true;
        e->stats.calls++;
        e->io.call(e->io.arg, r->id, &q);
    } else {
        (void)snprintf(r->asked, sizeof(r->asked), "%s",
                       rc == HALE_E_INVAL ? "the configuration has no 'collector' to ask"
                                          : "the question could not be made");
        r->wake_us = until_us(r);
        life_arm(e, r, r->wake_us);
    }
    actuator_request_fini(&q);
}

void prove_wake(struct actuator_engine *e, struct actuator_run *r)
{
    bool of_alarm = text_of(r, "query") == NULL && text_of(r, "url") == NULL;
    if (r->busy > 0 || r->calling)
        return;
    if (of_alarm && r->cleared_us > 0) {
        proved(e, r, "the alarm has cleared");
    } else if (e->now_us >= until_us(r) || (of_alarm && r->alarm_gone)) {
        in_vain(e, r);
    } else if (of_alarm || r->wake_us > e->now_us) {
        life_arm(e, r, of_alarm ? until_us(r) : r->wake_us);
    } else {
        ask(e, r);
    }
}

static bool is_true(struct actuator_run *r, const struct actuator_answer *a)
{
    struct actuator_metric m;
    if (text_of(r, "query") != NULL) {
        actuator_metric_answer(a, &m);
        (void)snprintf(r->asked, sizeof(r->asked), "%.190s",
                       !m.known                   ? m.error
                       : actuator_metric_true(&m) ? "the query has a result"
                                                  : "the query has no result");
        return m.known && actuator_metric_true(&m);
    }
    if (a->rc != HALE_OK)
        (void)snprintf(r->asked, sizeof(r->asked), "no answer: %.150s", a->error);
    else
        (void)snprintf(r->asked, sizeof(r->asked), "the address answers %u", a->status);
    return a->rc == HALE_OK && a->status >= 200 && a->status < 300;
}

void prove_answered(struct actuator_engine *e, struct actuator_run *r,
                    const struct actuator_answer *a)
{
    char text[sizeof(r->asked)];
    int64_t every_us = number_of(r, "every_ms") * 1000;
    if (!r->calling)
        return;
    r->calling = false;
    if (is_true(r, a)) {
        memcpy(text, r->asked, sizeof(text));
        proved(e, r, text);
        return;
    }
    r->wake_us = e->now_us + every_us < until_us(r) ? e->now_us + every_us : until_us(r);
    if (r->busy == 0)
        life_arm(e, r, r->wake_us);
}
