/* SPDX-License-Identifier: Apache-2.0 */
/*
 * senlin - the step `senlin` (declared in vim.h): scales or recovers a cluster. An accepted call
 * names an action, which is followed; a call that was cut off is looked for in the cluster's list of
 * actions.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "base/clock.h"
#include "net/http_client.h"

#define CLOCK_SLACK_MS 2000

static const char *const OPERATIONS[] = {"recreate", "rebuild", "reboot", NULL};
static const struct actuator_vim_key KEYS[] = {
    {"cluster", NULL}, {"count", NULL}, {"operation", OPERATIONS}, {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"scale-out", {"cluster"}, {"count"}},
    {"scale-in", {"cluster"}, {"count"}},
    {"resize", {"cluster", "count"}, {NULL}},
    {"recover", {"cluster"}, {"operation"}},
    {NULL, {NULL}, {NULL}}};

static void versioned(struct actuator_request *q)
{
    vim_header(q, "OpenStack-API-Version", "clustering 1.2");
}

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    versioned(q);
    hale_buf_add_c(&q->url, "/v1/clusters/");
    hale_http_quote(&q->url, hale_str_from(vim_arg(r, "cluster")));
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    struct actuator_lane *lane;
    int64_t count = 1;
    json_t *o = vim_json(a);
    const json_t *cluster = json_object_get(o, "cluster");
    if (a->status == 404)
        actuator_decide_fail(d, "Senlin has no cluster '%.100s'", vim_arg(r, "cluster"));
    else if (a->status >= 300)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (!json_is_object(cluster))
        vim_again(r, NULL, "Senlin's answer cannot be read", d);
    else if (*vim_arg(r, "count") != '\0' &&
             hale_str_i64(hale_str_from(vim_arg(r, "count")), &count) != HALE_OK)
        actuator_decide_fail(d, "count '%.40s' is not a number", vim_arg(r, "count"));
    else if (actuator_lanes_add(&r->lanes, vim_text(cluster, "id"), &lane) != HALE_OK ||
             json_object_set_new(lane->facts, "count", json_integer(count)) != 0)
        actuator_decide_fail(d, "the cluster has no usable id");
    else
        vim_done(d, "cluster %.100s is %.40s", vim_text(cluster, "name"),
                 vim_text(cluster, "status"));
    json_decref(o);
}

static json_t *body_of(const struct actuator_run *r, const struct actuator_lane *lane)
{
    json_t *count = json_object_get(lane->facts, "count");
    if (vim_action_is(r, "resize"))
        return json_pack("{s:{s:s,s:O}}", "resize", "adjustment_type", "EXACT_CAPACITY",
                         "number", count);
    if (vim_action_is(r, "recover"))
        return json_pack("{s:{s:s}}", "recover", "operation", vim_arg(r, "operation"));
    return json_pack("{s:{s:O}}",
                     vim_action_is(r, "scale-out") ? "scale_out" : "scale_in", "count",
                     count);
}

static const char *action_name(const struct actuator_run *r)
{
    return vim_action_is(r, "scale-out")  ? "CLUSTER_SCALE_OUT"
           : vim_action_is(r, "scale-in") ? "CLUSTER_SCALE_IN"
           : vim_action_is(r, "resize")   ? "CLUSTER_RESIZE"
                                          : "CLUSTER_RECOVER";
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    versioned(q);
    if (lane->phase == ACTUATOR_POLL) {
        hale_buf_printf(&q->url, "/v1/actions/%s", lane->op);
    } else if (lane->phase == ACTUATOR_ASK) {
        hale_buf_printf(&q->url,
                        "/v1/actions?target=%s&action=%s&sort=created_at:desc&limit=20",
                        lane->id, action_name(r));
    } else {
        hale_buf_printf(&q->url, "/v1/clusters/%s/actions", lane->id);
        q->method = "POST";
        vim_set_body(q, body_of(r, lane));
    }
    return HALE_OK;
}

static bool take_op(struct actuator_lane *lane, const char *id)
{
    if (!actuator_item_id_ok(id))
        return false;
    (void)snprintf(lane->op, sizeof(lane->op), "%s", id);
    return true;
}

static void on_call(const struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX], text[VIM_PROBLEM_MAX + 40];
    json_t *o = vim_json(a);
    (void)snprintf(text, sizeof(text), "answered %u%s", a->status,
                   vim_problem(a, detail, sizeof(detail)));
    if (a->status < 300 && take_op(lane, vim_text(o, "action"))) {
        vim_follow(r, lane, "accepted", d);
    } else if (a->status < 300) {
        actuator_decide(d, ACTUATOR_ASK, 0, "accepted, but not named: asking for it");
        d->note = true;
    } else if (a->status == 409) { /* another action has the cluster, or it rests */
        vim_repeat(r, lane, text, d);
    } else {
        actuator_decide_fail(d, "%s", text);
    }
    json_decref(o);
}

static void on_ask(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *action, *list = json_object_get(o, "actions");
    bool found = false;
    size_t i;
    json_array_foreach (list, i, action) {
        int64_t at_ms = 0;
        if (!found && strcmp(vim_text(action, "target"), lane->id) == 0 &&
            strcmp(vim_text(action, "action"), action_name(r)) == 0 &&
            hale_clock_parse_iso(hale_str_from(vim_text(action, "created_at")), &at_ms) ==
                HALE_OK &&
            actuator_answer_since(a, at_ms, lane->call_us, CLOCK_SLACK_MS))
            found = take_op(lane, vim_text(action, "id"));
    }
    if (!json_is_array(list))
        vim_again(r, lane, "could not find out whether the action has begun", d);
    else if (found)
        vim_follow(r, lane, "it has begun: following", d);
    else
        vim_unknown(r, lane, "Senlin does not know the call", d);
    json_decref(o);
}

static void on_poll(struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *action = json_object_get(o, "action");
    const char *status = vim_text(action, "status");
    if (*status == '\0')
        vim_again(r, lane, "could not read the action's state", d);
    else if (strcmp(status, "SUCCEEDED") == 0)
        vim_done(d, "action %s SUCCEEDED", lane->op);
    else if (strcmp(status, "FAILED") == 0 || strcmp(status, "CANCELLED") == 0)
        actuator_decide_fail(d, "action %s %.20s: %.120s", lane->op, status,
                             vim_text(action, "status_reason"));
    else {
        lane->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "action is %.20s", status);
    }
    json_decref(o);
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    if (lane->phase == ACTUATOR_POLL)
        on_poll(r, lane, a, d);
    else if (lane->phase == ACTUATOR_ASK)
        on_ask(r, lane, a, d);
    else
        on_call(r, lane, a, d);
}

/* Resizing to a number is the same when it is done twice. */
static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    (void)lane;
    return vim_action_is(r, "resize");
}

const struct actuator_vim_driver actuator_senlin = {.type = "senlin",
                                                    .service = "clustering",
                                                    .actions = ACTIONS,
                                                    .keys = KEYS,
                                                    .find_request = find_request,
                                                    .find_answer = find_answer,
                                                    .request = request,
                                                    .answer = answer,
                                                    .idempotent = idempotent};
