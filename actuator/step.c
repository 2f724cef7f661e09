/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/step.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/exec.h"
#include "actuator/lcm.h"
#include "actuator/vim.h"
#include "actuator/webhook.h"
#include "base/utf8.h"

#define URL_MAX_BYTES    16384
#define BODY_MAX_BYTES   (1u << 20)
#define BACKOFF_FIRST_US 200000
#define BACKOFF_MAX_US   10000000
#define CALL_MAX_MS      10000 /* of one request to a VNFM */
#define CALL_MIN_MS      100
#define CANCEL_MIN_MS    30000 /* for an operation that was told to cancel to end */

void actuator_decide(struct actuator_decision *d, enum actuator_phase phase,
                     int64_t delay_us, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(d->text, sizeof(d->text), fmt, args);
    va_end(args);
    d->end = ACTUATOR_GOES_ON;
    d->phase = phase;
    d->delay_us = delay_us;
}

void actuator_decide_fail(struct actuator_decision *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(d->text, sizeof(d->text), fmt, args);
    va_end(args);
    d->end = ACTUATOR_STEP_FAILED;
    d->note = true;
}

int64_t actuator_step_backoff_us(const struct actuator_run *r, int64_t k)
{
    int64_t us = BACKOFF_FIRST_US;
    for (int64_t i = 1; i < k && us < BACKOFF_MAX_US; i++)
        us *= 2;
    if (us > BACKOFF_MAX_US)
        us = BACKOFF_MAX_US;
    uint64_t dice = hale_id_hash64_seed(r->id, strlen(r->id),
                                        (uint64_t)(r->step * 1000 + r->attempt * 50 + k));
    return us / 2 + (int64_t)(dice % (uint64_t)(us / 2 + 1));
}

int64_t actuator_step_deadline_us(const struct actuator_run *r)
{
    if (strcmp(actuator_run_step_type(r), "webhook") == 0)
        return actuator_webhook_deadline_us(r);
    int64_t ms = actuator_run_step_int(r, "timeout_ms");
    if (r->cancel_us > 0)
        return r->cancel_us + (ms > CANCEL_MIN_MS ? ms : CANCEL_MIN_MS) * 1000;
    return r->step_us + ms * 1000;
}

bool actuator_answer_since(const struct actuator_answer *a, int64_t at_ms,
                           int64_t call_us, int64_t slack_ms)
{
    return at_ms + a->behind_ms + slack_ms >= call_us / 1000;
}

int64_t actuator_retry_after_us(const struct actuator_answer *a, int64_t fallback_us)
{
    uint64_t s;
    if (hale_str_u64(hale_str_trim(a->retry_after), &s) != HALE_OK)
        return fallback_us;
    return (int64_t)(s > 3600 ? 3600 : s) * 1000000;
}

const char *actuator_problem_text(const struct actuator_answer *a, char *dst, size_t size)
{
    static const char *const keys[] = {"detail", "message", "title", "error"};
    json_t *o = a->body.len > 0 ? json_loadb(a->body.p, a->body.len, 0, NULL) : NULL;
    dst[0] = '\0';
    for (size_t i = 0; i < 4 && dst[0] == '\0'; i++) {
        const char *text = json_string_value(json_object_get(o, keys[i]));
        if (text != NULL)
            (void)snprintf(dst, size, ": %.200s", text);
    }
    json_decref(o);
    /* a cut in the middle of a character would make the journal row unreadable */
    size_t n = strlen(dst), i = 0;
    while (i < n) {
        size_t step = hale_utf8_step(dst + i, n - i);
        if (step == 0)
            break;
        i += step;
    }
    dst[i] = '\0';
    return dst;
}

void actuator_request_fini(struct actuator_request *q)
{
    hale_buf_fini(&q->url);
    hale_buf_fini(&q->body);
    json_decref(q->headers);
    q->headers = NULL;
}

static enum hale_rc request_init(const struct actuator_run *r,
                                 struct actuator_request *out)
{
    memset(out, 0, sizeof(*out));
    hale_buf_init(&out->url, URL_MAX_BYTES);
    hale_buf_init(&out->body, BODY_MAX_BYTES);
    out->headers = json_object();
    out->cloud = "";
    out->service = "";
    out->lane = ACTUATOR_NO_LANE;
    out->auth = actuator_run_step_text(r, "auth");
    out->token_file = actuator_run_step_text(r, "token_file");
    out->credentials = actuator_run_step_text(r, "credentials");
    return out->headers != NULL ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc actuator_step_lane_request(const struct actuator_run *r,
                                        const struct actuator_lane *lane, int64_t now_us,
                                        struct actuator_request *out)
{
    enum hale_rc rc = request_init(r, out);
    if (rc == HALE_OK)
        rc = actuator_vim_request(r, lane, now_us, out);
    if (rc == HALE_OK && (out->url.failed || out->body.failed))
        rc = HALE_E_LIMIT;
    return rc;
}

enum hale_rc actuator_step_request(const struct actuator_run *r, int64_t now_us,
                                   struct actuator_request *out)
{
    enum hale_rc rc = request_init(r, out);
    if (rc != HALE_OK)
        return rc;
    if (actuator_lcm_api(actuator_run_step_type(r)) != NULL) {
        int64_t left_ms = (actuator_step_deadline_us(r) - now_us) / 1000;
        rc = actuator_lcm_request(r, out);
        out->timeout_ms = left_ms < CALL_MIN_MS   ? CALL_MIN_MS
                          : left_ms > CALL_MAX_MS ? CALL_MAX_MS
                                                  : left_ms;
    } else if (actuator_exec_is(r)) {
        rc = actuator_exec_request(r, out);
    } else {
        rc = actuator_webhook_request(r, now_us, out);
    }
    if (rc == HALE_OK && (out->url.failed || out->body.failed))
        rc = HALE_E_LIMIT;
    return rc;
}

void actuator_step_answer(struct actuator_run *r, const struct actuator_answer *a,
                          int64_t now_us, bool (*taken)(const char *op_id, void *arg),
                          void *arg, struct actuator_decision *out)
{
    memset(out, 0, sizeof(*out));
    if (actuator_exec_is(r)) { /* each try has its time, and nobody else is waited for */
        actuator_exec_answer(r, a, out);
        return;
    }
    if (actuator_lcm_api(actuator_run_step_type(r)) != NULL)
        actuator_lcm_answer(r, a, now_us, taken, arg, out);
    else
        actuator_webhook_answer(r, a, now_us, out);

    if (out->end != ACTUATOR_GOES_ON)
        return;
    char why[ACTUATOR_TEXT_MAX];
    memcpy(why, out->text, sizeof(why));
    if (out->counts && r->failures + 1 > actuator_run_step_int(r, "retries"))
        actuator_decide_fail(out, "given up after %" PRId64 " tries, the last one %.300s",
                             r->failures + 1, why);
    else if (now_us + out->delay_us > actuator_step_deadline_us(r)) {
        if (actuator_lcm_cancel(r, now_us, out))
            return;
        int64_t since_us = r->cancel_us > 0              ? r->cancel_us
                           : actuator_webhook_follows(r) ? r->follow_us
                                                         : r->step_us;
        actuator_decide_fail(out, "not done within %" PRId64 " ms; last: %.300s",
                             (actuator_step_deadline_us(r) - since_us) / 1000, why);
        out->timed_out = true;
    }
}
