/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/vim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define GARBAGE_MAX 3 /* unreadable answers in a row to a question */
#define CALL_MAX_MS 30000
#define CALL_MIN_MS 100
#define BUSY_US     5000000 /* 429 that does not say how long */

static const struct actuator_vim_driver *const DRIVERS[] = {
    &actuator_nova,    &actuator_heat,   &actuator_masakari,  &actuator_mistral,
    &actuator_neutron, &actuator_senlin, &actuator_kubernetes};

const struct actuator_vim_driver *actuator_vim_driver(const char *type)
{
    for (size_t i = 0; i < sizeof(DRIVERS) / sizeof(DRIVERS[0]); i++)
        if (strcmp(DRIVERS[i]->type, type) == 0)
            return DRIVERS[i];
    return NULL;
}

/* --- for drivers ------------------------------------------------------------------- */

const char *vim_arg(const struct actuator_run *r, const char *key)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(actuator_run_step(r), "args"), key));
    return text != NULL ? text : "";
}

bool vim_action_is(const struct actuator_run *r, const char *action)
{
    return strcmp(actuator_run_step_text(r, "action"), action) == 0;
}

json_t *vim_json(const struct actuator_answer *a)
{
    return a->rc == HALE_OK && a->status >= 200 && a->status < 300 && a->body.len > 0
               ? json_loadb(a->body.p, a->body.len, 0, NULL)
               : NULL;
}

const char *vim_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

void vim_header(struct actuator_request *q, const char *name, const char *value)
{
    if (json_object_set_new(q->headers, name, json_string(value)) != 0)
        q->body.failed = true;
}

void vim_set_body(struct actuator_request *q, json_t *body)
{
    char *dump = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (dump == NULL)
        q->body.failed = true;
    else
        hale_buf_add_c(&q->body, dump);
    free(dump);
    vim_header(q, "Content-Type", "application/json");
}

void vim_done(struct actuator_decision *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(d->text, sizeof(d->text), fmt, args);
    va_end(args);
    d->end = ACTUATOR_STEP_DONE;
    d->note = true;
}

void vim_again(struct actuator_run *r, struct actuator_lane *lane, const char *what,
               struct actuator_decision *d)
{
    int64_t *queries = lane != NULL ? &lane->queries : &r->queries;
    if (++*queries >= GARBAGE_MAX)
        actuator_decide_fail(d, "%s", what);
    else
        actuator_decide(d, lane != NULL ? (enum actuator_phase)lane->phase : ACTUATOR_ASK,
                        actuator_step_backoff_us(r, *queries), "%s", what);
}

void vim_follow(const struct actuator_run *r, struct actuator_lane *lane,
                const char *what, struct actuator_decision *d)
{
    lane->queries = 0;
    actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000, "%s",
                    what);
    d->note = true;
}

void vim_repeat(const struct actuator_run *r, struct actuator_lane *lane,
                const char *what, struct actuator_decision *d)
{
    actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, lane->failures + 1),
                    "%s", what);
    d->counts = true;
    d->note = true;
}

void vim_unknown(const struct actuator_run *r, struct actuator_lane *lane,
                 const char *what, struct actuator_decision *d)
{
    if (++lane->queries < VIM_ASK_MAX) {
        actuator_decide(d, ACTUATOR_ASK, VIM_ASK_US, "%s", what);
        return;
    }
    lane->queries = 0;
    vim_repeat(r, lane, what, d);
}

/* {"<name>":{"message"}}, {"error":{"message"}}, {"faultstring"}, {"explanation"}. */
const char *vim_problem(const struct actuator_answer *a, char *dst, size_t size)
{
    static const char *const keys[] = {"message", "faultstring", "explanation", "title"};
    json_t *o = a->body.len > 0 ? json_loadb(a->body.p, a->body.len, 0, NULL) : NULL;
    const json_t *in = o, *value;
    const char *text = NULL, *key;
    dst[0] = '\0';
    for (int depth = 0; depth < 2 && text == NULL; depth++) {
        for (size_t i = 0; i < 4 && text == NULL; i++)
            text = json_string_value(json_object_get(in, keys[i]));
        const json_t *first = json_object_get(in, "error");
        json_object_foreach ((json_t *)(uintptr_t)in, key, value)
            if (first == NULL && json_is_object(value))
                first = value;
        in = first;
    }
    if (text != NULL) {
        (void)snprintf(dst, size, ": %.*s", (int)(size - 8), text);
        size_t n = strlen(dst), i = 0;
        while (i < n) {
            size_t step = hale_utf8_step(dst + i, n - i);
            if (step == 0)
                break;
            i += step;
        }
        dst[i] = '\0';
    }
    json_decref(o);
    return dst;
}

/* --- requests ---------------------------------------------------------------------- */

enum hale_rc actuator_vim_request(const struct actuator_run *r,
                                  const struct actuator_lane *lane, int64_t now_us,
                                  struct actuator_request *out)
{
    const struct actuator_vim_driver *driver =
        actuator_vim_driver(actuator_run_step_type(r));
    int64_t left_ms = (actuator_step_deadline_us(r) - now_us) / 1000;
    enum hale_rc rc = HALE_OK;
    if (driver == NULL)
        return HALE_E_INVAL;
    out->cloud = actuator_run_step_text(r, "cloud");
    out->service = driver->service;
    out->of_cluster = driver->of_cluster;
    out->method = "GET";
    out->lane = lane != NULL ? (int)(lane - r->lanes.v) : ACTUATOR_NO_LANE;
    out->timeout_ms = left_ms < CALL_MIN_MS   ? CALL_MIN_MS
                      : left_ms > CALL_MAX_MS ? CALL_MAX_MS
                                              : left_ms;
    vim_header(out, "Accept", "application/json");
    if (lane == NULL)
        driver->find_request(r, out);
    else
        rc = driver->request(r, lane, out);
    return rc;
}

/* --- answers ----------------------------------------------------------------------- */

static bool is_call(const struct actuator_lane *lane)
{
    return lane != NULL && (lane->phase == ACTUATOR_CALL || lane->phase == ACTUATOR_WAIT);
}

/* A question without a usable answer. */
static void unlucky_question(struct actuator_run *r, struct actuator_lane *lane,
                             const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    int64_t *queries = lane != NULL ? &lane->queries : &r->queries;
    int64_t pause = actuator_step_backoff_us(r, ++*queries);
    enum actuator_phase phase =
        lane != NULL ? (enum actuator_phase)lane->phase : ACTUATOR_ASK;
    if (a->rc != HALE_OK)
        actuator_decide(d, phase, pause, "no answer: %.200s", a->error);
    else
        actuator_decide(d, phase, actuator_retry_after_us(a, pause), "answered %u%s",
                        a->status, vim_problem(a, detail, sizeof(detail)));
}

static void unlucky_call(const struct actuator_run *r, struct actuator_lane *lane,
                         const struct actuator_answer *a, bool twice,
                         struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    int64_t pause = actuator_step_backoff_us(r, lane->failures + 1);
    d->note = true;
    if (a->rc != HALE_OK && (!a->sent || twice)) {
        actuator_decide(d, ACTUATOR_WAIT, pause, "%s: %.200s",
                        a->sent ? "no answer" : "not reached", a->error);
        d->counts = true;
    } else if (a->rc != HALE_OK) {
        actuator_decide(d, ACTUATOR_ASK, VIM_ASK_US,
                        "no answer (%.200s): asking whether it has begun", a->error);
    } else if (twice || a->status < 500 || a->status == 503) {
        actuator_decide(d, ACTUATOR_WAIT, actuator_retry_after_us(a, pause),
                        "answered %u%s", a->status,
                        vim_problem(a, detail, sizeof(detail)));
        d->counts = true;
    } else { /* it may have begun before it failed */
        actuator_decide(d, ACTUATOR_ASK, VIM_ASK_US,
                        "answered %u%s: asking whether it has begun", a->status,
                        vim_problem(a, detail, sizeof(detail)));
    }
}

/* What means the same everywhere. True: decided. */
static bool usual(struct actuator_run *r, struct actuator_lane *lane,
                  const struct actuator_answer *a, bool twice, bool waits_429,
                  struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    if (a->rc == HALE_E_INVAL || a->rc == HALE_E_DENIED || a->rc == HALE_E_LIMIT) {
        actuator_decide_fail(d, "%s", a->error);
        return true;
    }
    bool later = a->rc != HALE_OK || a->status >= 500 || a->status == 408 ||
                 a->status == 413 || a->status == 425 || a->status == 429;
    if (a->rc == HALE_OK && a->status == 501)
        later = false;
    if (later && a->rc == HALE_OK && a->status == 429 && is_call(lane) && waits_429) {
        actuator_decide(d, ACTUATOR_WAIT, actuator_retry_after_us(a, BUSY_US),
                        "not now%s", vim_problem(a, detail, sizeof(detail)));
        d->note = true;
        return true;
    }
    if (later && is_call(lane)) {
        unlucky_call(r, lane, a, twice, d);
        return true;
    }
    if (later) {
        unlucky_question(r, lane, a, d);
        return true;
    }
    if (a->status == 401 || a->status == 403 || a->status == 406 || a->status == 405 ||
        a->status == 501) {
        actuator_decide_fail(d, "refused with %u%s%s", a->status,
                             vim_problem(a, detail, sizeof(detail)),
                             a->status == 403 ? " (has our user the role for it?)" : "");
        return true;
    }
    return false;
}

static void check_limits(const struct actuator_run *r, const struct actuator_lane *lane,
                         int64_t now_us, struct actuator_decision *d)
{
    char why[ACTUATOR_TEXT_MAX];
    int64_t failures = lane != NULL ? lane->failures : r->failures;
    if (d->end != ACTUATOR_GOES_ON)
        return;
    memcpy(why, d->text, sizeof(why));
    if (d->counts && failures + 1 > actuator_run_step_int(r, "retries"))
        actuator_decide_fail(d, "given up after %lld tries, the last one %.300s",
                             (long long)failures + 1, why);
    else if (now_us + d->delay_us > actuator_step_deadline_us(r)) {
        actuator_decide_fail(d, "not done within %lld ms; last: %.300s",
                             (long long)actuator_run_step_int(r, "timeout_ms"), why);
        d->timed_out = true;
    }
}

void actuator_vim_answer(struct actuator_run *r, struct actuator_lane *lane,
                         const struct actuator_answer *a, int64_t now_us,
                         struct actuator_decision *d)
{
    const struct actuator_vim_driver *driver =
        actuator_vim_driver(actuator_run_step_type(r));
    memset(d, 0, sizeof(*d));
    if (driver == NULL) {
        actuator_decide_fail(d, "a step of an unknown type");
        return;
    }
    bool twice = lane != NULL && driver->idempotent(r, lane);
    size_t at = lane != NULL ? (size_t)(lane - r->lanes.v) : 0;
    if (!usual(r, lane, a, twice, driver->waits_429, d)) {
        if (lane == NULL)
            driver->find_answer(r, a, d);
        else
            driver->answer(r, lane, a, d);
    }
    /* the driver may have added lanes: they may have moved */
    check_limits(r, lane != NULL ? &r->lanes.v[at] : NULL, now_us, d);
}

enum actuator_phase actuator_vim_resume(const struct actuator_run *r,
                                        const struct actuator_lane *lane)
{
    const struct actuator_vim_driver *driver =
        actuator_vim_driver(actuator_run_step_type(r));
    return driver != NULL && driver->idempotent(r, lane) ? ACTUATOR_WAIT : ACTUATOR_ASK;
}
