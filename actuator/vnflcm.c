/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vnflcm - the SOL003 VNF lifecycle management step (declared in step.h).
 * ETSI GS NFV-SOL 003 clause 5, SOL 002 for vnfcInstanceId. Rules:
 *  - a call is repeated only when the VNFM cannot have it, or was asked and denies it;
 *  - 409 means another operation holds the VNF: wait until it ends, then call again;
 *  - the operation occurrence alone says how it ended; 202 says nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/step.h"
#include "base/clock.h"
#include "net/http_client.h"

#define VERSION         "2.0.0"
#define ASK_DELAY_US    50000
#define GARBAGE_MAX     3 /* unreadable answers in a row to a question */
#define CONFLICT_MAX_US 2000000
#define CLOCK_SLACK_MS  1000 /* startTime may be cut to seconds, clocks differ */

static const char *op_name(const struct actuator_run *r)
{
    return strcmp(actuator_run_step_text(r, "operation"), "heal") == 0 ? "HEAL" : "SCALE";
}

static void base_url(const struct actuator_run *r, struct hale_buf *url)
{
    const char *root = actuator_run_step_text(r, "url");
    size_t n = strlen(root);
    while (n > 0 && root[n - 1] == '/')
        n--;
    hale_buf_add(url, root, n);
    hale_buf_add_c(url, "/vnflcm/v2/");
}

static void list_query(const struct actuator_run *r, bool open_only, struct hale_buf *url)
{
    hale_buf_add_c(url, "vnf_lcm_op_occs?filter=(eq,vnfInstanceId,");
    hale_http_quote(url, hale_str_from(actuator_run_step_text(r, "vnf")));
    hale_buf_add_c(url, ")");
    if (open_only)
        hale_buf_add_c(
            url, ";(in,operationState,STARTING,PROCESSING,ROLLING_BACK,FAILED_TEMP)");
    else
        hale_buf_add_c(url, "&all_fields");
}

enum hale_rc actuator_vnflcm_request(const struct actuator_run *r,
                                     struct actuator_request *out)
{
    base_url(r, &out->url);
    out->method = "GET";
    bool body = false;
    switch (r->phase) {
    case ACTUATOR_WAIT:
    case ACTUATOR_CALL:
        out->method = "POST";
        body = true;
        hale_buf_add_c(&out->url, "vnf_instances/");
        hale_http_quote(&out->url, hale_str_from(actuator_run_step_text(r, "vnf")));
        hale_buf_printf(&out->url, "/%s", actuator_run_step_text(r, "operation"));
        break;
    case ACTUATOR_LANES: return HALE_E_INVAL; /* not of this step */
    case ACTUATOR_ASK: list_query(r, false, &out->url); break;
    case ACTUATOR_CONFLICT: list_query(r, true, &out->url); break;
    case ACTUATOR_POLL:
        hale_buf_printf(&out->url, "vnf_lcm_op_occs/%s", r->op_occ);
        break;
    case ACTUATOR_SETTLE:
        out->method = "POST";
        hale_buf_printf(&out->url, "vnf_lcm_op_occs/%s/fail", r->op_occ);
        break;
    }
    bool ok =
        json_object_set_new(out->headers, "Version", json_string(VERSION)) == 0 &&
        json_object_set_new(out->headers, "Accept", json_string("application/json")) == 0;
    if (body) {
        char *dump =
            json_dumps(json_object_get(actuator_run_step(r), "body"), JSON_COMPACT);
        ok = ok && dump != NULL &&
             json_object_set_new(out->headers, "Content-Type",
                                 json_string("application/json")) == 0;
        if (dump != NULL)
            hale_buf_add_c(&out->body, dump);
        free(dump);
    }
    return ok ? HALE_OK : HALE_E_NOMEM;
}

/* Copies an operation id if it is one: it goes into a URL path and into the journal. */
static bool take_id(struct hale_str id, char *dst)
{
    if (id.len == 0 || id.len >= ACTUATOR_OP_ID_MAX || id.p[0] == '.')
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.p[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' ||
                    c == '~';
        if (!fine)
            return false;
    }
    memcpy(dst, id.p, id.len);
    dst[id.len] = '\0';
    return true;
}

/* Only the last segment of Location counts: the VNFM does not choose the host we call. */
static bool id_of_location(struct hale_str location, char *dst)
{
    struct hale_str s = hale_str_trim(location);
    for (size_t i = s.len; i > 0; i--)
        if (s.p[i - 1] == '/')
            return take_id((struct hale_str){s.p + i, s.len - i}, dst);
    return false;
}

static void follow(struct actuator_run *r, struct actuator_decision *d, int64_t delay_us,
                   const char *how)
{
    actuator_decide(d, ACTUATOR_POLL, delay_us, "%s operation %s", how, r->op_occ);
    d->note = true;
    r->queries = 0;
    r->settled = false;
}

static void on_call(struct actuator_run *r, const struct actuator_answer *a,
                    struct actuator_decision *d)
{
    char detail[256];
    int64_t backoff = actuator_step_backoff_us(r, r->failures + 1);
    d->note = true;
    r->queries = 0;
    if (a->rc == HALE_E_LIMIT || a->rc == HALE_E_INVAL || a->rc == HALE_E_DENIED) {
        actuator_decide_fail(d, "%s", a->error);
    } else if (a->rc != HALE_OK && !a->sent) {
        r->call_us = 0; /* it cannot have begun */
        actuator_decide(d, ACTUATOR_WAIT, backoff, "not reached: %s", a->error);
        d->counts = true;
    } else if (a->rc != HALE_OK) {
        actuator_decide(d, ACTUATOR_ASK, ASK_DELAY_US,
                        "no answer (%s): asking the VNFM whether it has begun", a->error);
    } else if (a->status == 202) {
        if (id_of_location(a->location, r->op_occ))
            follow(r, d, actuator_run_step_int(r, "poll_ms") * 1000, "accepted as");
        else
            actuator_decide_fail(d, "answered 202 without a usable Location header: the "
                                    "operation cannot be followed");
    } else if (a->status == 409) {
        r->call_us = 0;
        actuator_decide(d, ACTUATOR_CONFLICT, actuator_step_backoff_us(r, 1) / 4,
                        "refused with 409%s: waiting for the other operation",
                        actuator_problem_text(a, detail, sizeof(detail)));
    } else if (a->status == 503 || a->status == 429) {
        r->call_us = 0;
        actuator_decide(d, ACTUATOR_WAIT, actuator_retry_after_us(a, backoff),
                        "answered %u%s", a->status,
                        actuator_problem_text(a, detail, sizeof(detail)));
        d->counts = true;
    } else if (a->status >= 500) { /* it may have begun before it failed */
        actuator_decide(d, ACTUATOR_ASK, backoff, "answered %u%s", a->status,
                        actuator_problem_text(a, detail, sizeof(detail)));
    } else if (a->status >= 400) {
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             actuator_problem_text(a, detail, sizeof(detail)));
    } else {
        actuator_decide_fail(
            d, "answered %u, which vnflcm does not know here (expected 202)", a->status);
    }
}

/* An unlucky question: asked again with growing pauses, unreadable answers only a few
 * times. */
static void ask_again(struct actuator_run *r, const struct actuator_answer *a,
                      const char *what, struct actuator_decision *d)
{
    r->queries++;
    if (a->rc == HALE_E_DENIED || a->rc == HALE_E_INVAL || a->rc == HALE_E_LIMIT)
        actuator_decide_fail(d, "%s: %s", what, a->error);
    else if (a->rc != HALE_OK)
        actuator_decide(d, r->phase, actuator_step_backoff_us(r, r->queries), "%s: %s",
                        what, a->error);
    else if (a->status >= 500 || a->status == 429)
        actuator_decide(
            d, r->phase,
            actuator_retry_after_us(a, actuator_step_backoff_us(r, r->queries)),
            "%s: answered %u", what, a->status);
    else if (a->status == 200 && r->queries < GARBAGE_MAX)
        actuator_decide(d, r->phase, actuator_step_backoff_us(r, r->queries),
                        "%s: the answer is not the JSON of SOL003", what);
    else if (a->status == 200)
        actuator_decide_fail(d, "%s: the answer is not the JSON of SOL003", what);
    else
        actuator_decide_fail(d, "%s: answered %u", what, a->status);
}

static json_t *json_of(const struct actuator_answer *a)
{
    return a->rc == HALE_OK && a->status == 200 && a->body.len > 0
               ? json_loadb(a->body.p, a->body.len, 0, NULL)
               : NULL;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

/* True when op can be what our call began: same kind, begun since, not somebody else's
 * by its parameters, and not followed by another run. */
static bool may_be_ours(const struct actuator_run *r, const json_t *op,
                        bool (*taken)(const char *op_id, void *arg), void *arg)
{
    int64_t start_ms = 0;
    char id[ACTUATOR_OP_ID_MAX];
    const json_t *body = json_object_get(actuator_run_step(r), "body");
    const json_t *params = json_object_get(op, "operationParams");
    const char *key;
    json_t *want;

    if (strcmp(text_of(op, "operation"), op_name(r)) != 0 ||
        strcmp(text_of(op, "vnfInstanceId"), actuator_run_step_text(r, "vnf")) != 0 ||
        !take_id(hale_str_from(text_of(op, "id")), id) || taken(id, arg) ||
        strcmp(id, r->op_occ) == 0 ||
        hale_clock_parse_iso(hale_str_from(text_of(op, "startTime")), &start_ms) !=
            HALE_OK ||
        start_ms + CLOCK_SLACK_MS < r->call_us / 1000)
        return false;
    if (!json_is_object(params))
        return true;
    json_object_foreach ((json_t *)(uintptr_t)body, key, want)
        if (!json_equal(want, json_object_get(params, key)))
            return false;
    return true;
}

static void on_ask(struct actuator_run *r, const struct actuator_answer *a,
                   bool (*taken)(const char *op_id, void *arg), void *arg,
                   struct actuator_decision *d)
{
    json_t *list = json_of(a);
    const char *found = NULL, *found_start = "";
    if (!json_is_array(list)) {
        ask_again(r, a, "could not find out whether the operation has begun", d);
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *op = json_array_get(list, i);
        if (may_be_ours(r, op, taken, arg) &&
            strcmp(text_of(op, "startTime"), found_start) >= 0) {
            found = text_of(op, "id");
            found_start = text_of(op, "startTime");
        }
    }
    if (found != NULL && take_id(hale_str_from(found), r->op_occ)) {
        follow(r, d, 0, "it has begun: following");
    } else {
        actuator_decide(d, ACTUATOR_WAIT,
                        actuator_step_backoff_us(r, r->failures + 1) / 2,
                        "the VNFM does not know the call");
        d->counts = true;
        d->note = true;
    }
    json_decref(list);
}

static void on_conflict(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    json_t *list = json_of(a);
    if (!json_is_array(list)) {
        ask_again(r, a, "could not read the operations under way", d);
    } else if (json_array_size(list) == 0) {
        actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->attempt) / 4,
                        "no other operation holds the VNF any more");
    } else {
        const json_t *op = json_array_get(list, 0);
        int64_t delay = actuator_step_backoff_us(r, ++r->queries) / 2;
        actuator_decide(d, ACTUATOR_CONFLICT,
                        delay < CONFLICT_MAX_US ? delay : CONFLICT_MAX_US,
                        "operation %.40s (%.20s) is %.20s", text_of(op, "id"),
                        text_of(op, "operation"), text_of(op, "operationState"));
    }
    json_decref(list);
}

static void on_poll(struct actuator_run *r, const struct actuator_answer *a,
                    struct actuator_decision *d)
{
    json_t *op = json_of(a);
    const char *state = text_of(op, "operationState");
    const char *why = text_of(json_object_get(op, "error"), "detail");

    if (strcmp(state, "COMPLETED") == 0) {
        (void)snprintf(d->text, sizeof(d->text), "operation %s COMPLETED", r->op_occ);
        d->end = ACTUATOR_STEP_DONE;
        d->note = true;
    } else if (strcmp(state, "FAILED_TEMP") == 0) {
        int64_t delay = r->settled ? actuator_step_backoff_us(r, ++r->queries) : 0;
        actuator_decide(d, ACTUATOR_SETTLE, delay, "operation %s is FAILED_TEMP%s%.200s",
                        r->op_occ, *why != '\0' ? ": " : "", why);
        d->note = true;
    } else if (strcmp(state, "FAILED") == 0 && r->settled) {
        r->call_us = 0; /* this one is over: a later operation is another one */
        actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->failures + 1),
                        "operation %s FAILED%s%.200s", r->op_occ,
                        *why != '\0' ? ": " : "", why);
        d->counts = true;
        d->note = true;
    } else if (strcmp(state, "FAILED") == 0 || strcmp(state, "ROLLED_BACK") == 0) {
        actuator_decide_fail(d, "operation %s %s%s%.200s", r->op_occ, state,
                             *why != '\0' ? ": " : "", why);
    } else if (strcmp(state, "STARTING") == 0 || strcmp(state, "PROCESSING") == 0 ||
               strcmp(state, "ROLLING_BACK") == 0) {
        r->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "operation %s is still %s", r->op_occ, state);
    } else {
        ask_again(r, a, "could not read the operation's state", d);
    }
    json_decref(op);
}

static void on_settle(struct actuator_run *r, const struct actuator_answer *a,
                      struct actuator_decision *d)
{
    r->settled = true;
    d->note = true;
    if (a->rc == HALE_OK && ((a->status >= 200 && a->status < 300) || a->status == 409)) {
        /* the state tells: FAILED after our fail is one failure of the step */
        actuator_decide(d, ACTUATOR_POLL, 0, "operation %s was told to fail (%u)",
                        r->op_occ, a->status);
    } else if (a->rc == HALE_OK && a->status < 500) {
        actuator_decide_fail(d, "operation %s is FAILED_TEMP and refused to fail with %u",
                             r->op_occ, a->status);
    } else {
        r->phase = ACTUATOR_POLL;
        ask_again(r, a, "could not end the operation in FAILED_TEMP", d);
    }
}

void actuator_vnflcm_answer(struct actuator_run *r, const struct actuator_answer *a,
                            bool (*taken)(const char *op_id, void *arg), void *arg,
                            struct actuator_decision *d)
{
    switch (r->phase) {
    case ACTUATOR_WAIT:
    case ACTUATOR_CALL: on_call(r, a, d); break;
    case ACTUATOR_ASK: on_ask(r, a, taken, arg, d); break;
    case ACTUATOR_CONFLICT: on_conflict(r, a, d); break;
    case ACTUATOR_POLL: on_poll(r, a, d); break;
    case ACTUATOR_SETTLE: on_settle(r, a, d); break;
    case ACTUATOR_LANES: actuator_decide_fail(d, "an answer of another step"); break;
    }
}
