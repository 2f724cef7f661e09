/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES 160
#define CHECKS_MAX     3 /* that say neither yes nor no */

bool actuator_exec_is(const struct actuator_run *r)
{
    return strcmp(actuator_run_step_type(r), "exec") == 0;
}

static bool set(json_t *o, const char *key, const char *text)
{
    return json_object_set_new(o, key, json_string(text)) == 0;
}

static bool fill_env(const struct actuator_run *r, json_t *env)
{
    char key[HALE_UUID_TEXT + 24], number[24];
    const char *name = actuator_run_step_text(r, "name");
    (void)snprintf(number, sizeof(number), "%" PRId64, r->step);
    (void)snprintf(key, sizeof(key), "%s-%s", r->id, number);
    bool ok = set(env, "HALE_RUN_ID", r->id) &&
              set(env, "HALE_STEP", name[0] != '\0' ? name : number) &&
              set(env, "HALE_IDEMPOTENCY_KEY", key);
    if (ok && r->token > 0) {
        (void)snprintf(number, sizeof(number), "%" PRId64, r->token);
        ok = set(env, "HALE_FENCING_TOKEN", number);
    }
    return ok;
}

enum hale_rc actuator_exec_request(const struct actuator_run *r,
                                   struct actuator_request *q)
{
    const json_t *step = actuator_run_step(r);
    const json_t *input = json_object_get(step, "body");
    bool asks = r->phase == ACTUATOR_ASK;
    q->method = asks ? "CHECK" : "EXEC";
    q->argv = json_object_get(step, asks ? "check" : "argv");
    const char *path = json_string_value(json_array_get(q->argv, 0));
    if (path == NULL)
        return HALE_E_INVAL;
    hale_buf_add_c(&q->url, path);
    q->timeout_ms = actuator_run_step_int(r, "timeout_ms");
    if (input != NULL) {
        char *dump = json_dumps(input, JSON_COMPACT | JSON_ENCODE_ANY);
        if (dump == NULL)
            return HALE_E_NOMEM;
        hale_buf_add_c(&q->body, dump);
        free(dump);
    }
    return fill_env(r, q->headers) ? HALE_OK : HALE_E_NOMEM;
}

/* The last line that is not empty, without what would hurt a journal or a terminal. */
static const char *last_line(struct hale_str output, char dst[LINE_MAX_BYTES])
{
    size_t end = output.len, n = 0;
    while (end > 0 && (unsigned char)output.p[end - 1] <= ' ')
        end--;
    size_t at = end;
    while (at > 0 && output.p[at - 1] != '\n' && output.p[at - 1] != '\r')
        at--;
    while (at < end) {
        size_t step = hale_utf8_step(output.p + at, end - at);
        if (n + (step > 0 ? step : 1) >= LINE_MAX_BYTES)
            break;
        if (step == 0 || (step == 1 && ((unsigned char)output.p[at] < ' ' ||
                                        (unsigned char)output.p[at] == 0x7f)))
            dst[n++] = '?';
        else
            memcpy(dst + n, output.p + at, step), n += step;
        at += step > 0 ? step : 1;
    }
    dst[n] = '\0';
    return dst;
}

/* "exit code 3: "no such host"" */
static void how_it_ended(const struct actuator_answer *a, char *dst, size_t size)
{
    char line[LINE_MAX_BYTES], ended[200];
    (void)last_line(a->body, line);
    if (a->rc != HALE_OK)
        (void)snprintf(ended, sizeof(ended), "%.180s", a->error);
    else if (a->signal != 0)
        (void)snprintf(ended, sizeof(ended), "killed by signal %d", a->signal);
    else
        (void)snprintf(ended, sizeof(ended), "exit code %u", a->status);
    (void)snprintf(dst, size, "%s%s%s%s", ended, line[0] != '\0' ? ": \"" : "", line,
                   line[0] != '\0' ? "\"" : "");
}

static bool ended_with(const struct actuator_answer *a, unsigned code)
{
    return a->rc == HALE_OK && a->signal == 0 && a->status == code;
}

static void check_answer(struct actuator_run *r, const struct actuator_answer *a,
                         const char *ended, struct actuator_decision *d)
{
    if (ended_with(a, 0)) {
        (void)snprintf(d->text, sizeof(d->text), "the check finds it done: %.340s",
                       ended);
        d->end = ACTUATOR_STEP_DONE;
    } else if (ended_with(a, 1)) {
        r->queries = 0;
        actuator_decide(d, ACTUATOR_WAIT, 0, "the check finds it not done: %s", ended);
    } else if (++r->queries < CHECKS_MAX && a->rc != HALE_E_DENIED) {
        actuator_decide(d, ACTUATOR_ASK, actuator_step_backoff_us(r, r->queries),
                        "the check does not know: %s", ended);
    } else {
        actuator_decide_fail(
            d, "outcome unknown: the answer was lost, and the check says: %s", ended);
    }
}

void actuator_exec_answer(struct actuator_run *r, const struct actuator_answer *a,
                          struct actuator_decision *d)
{
    char ended[ACTUATOR_TEXT_MAX];
    how_it_ended(a, ended, sizeof(ended));
    d->note = true;
    if (r->phase == ACTUATOR_ASK) {
        check_answer(r, a, ended, d);
    } else if (ended_with(a, 0)) {
        (void)snprintf(d->text, sizeof(d->text), "%s", ended);
        d->end = ACTUATOR_STEP_DONE;
    } else if (a->rc == HALE_E_DENIED || a->rc == HALE_E_INVAL) {
        actuator_decide_fail(d, "%s", ended);
    } else {
        actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->failures + 1),
                        "%s", ended);
        d->counts = true;
        d->timed_out = a->rc == HALE_E_AGAIN;
        if (r->failures + 1 > actuator_run_step_int(r, "retries") && r->failures == 0)
            actuator_decide_fail(d, "%s", ended);
        else if (r->failures + 1 > actuator_run_step_int(r, "retries"))
            actuator_decide_fail(d,
                                 "given up after %" PRId64 " tries, the last one: %.300s",
                                 r->failures + 1, ended);
    }
}

const char *actuator_exec_resume(struct actuator_run *r)
{
    if (json_object_get(actuator_run_step(r), "check") != NULL)
        r->phase = ACTUATOR_ASK;
    else if (json_is_true(json_object_get(actuator_run_step(r), "idempotent")))
        r->phase = ACTUATOR_WAIT;
    else
        return "outcome unknown: the process ended between call and answer";
    return NULL;
}

json_t *actuator_exec_call_detail(const struct actuator_request *q)
{
    json_t *args = json_array();
    for (size_t i = 1; args != NULL && i < json_array_size(q->argv); i++)
        if (json_array_append(args, json_array_get(q->argv, i)) != 0)
            break;
    return json_pack("{s:s,s:s,s:o}", "method", q->method, "command", q->url.p, "args",
                     args);
}

json_t *actuator_exec_answer_detail(const struct actuator_answer *a)
{
    char line[LINE_MAX_BYTES];
    json_t *detail = json_pack("{s:f,s:s}", "took_ms", (double)a->took_us / 1000.0,
                               "last_line", last_line(a->body, line));
    int rc = 0;
    if (a->rc != HALE_OK)
        rc = json_object_set_new(detail, "error", json_string(a->error));
    else if (a->signal != 0)
        rc = json_object_set_new(detail, "signal", json_integer(a->signal));
    else
        rc = json_object_set_new(detail, "exit", json_integer((json_int_t)a->status));
    (void)rc; /* a detail less is no reason to lose the row */
    return detail;
}
