/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mistral - the step `mistral` (declared in vim.h): executes a workflow and follows it to its end.
 * The execution's id is ours, made from run and step: Mistral answers a second POST with the
 * execution there is.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "net/http_client.h"

static const struct actuator_vim_key KEYS[] = {{"workflow", NULL}, {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {{"execute", {"workflow"}, {NULL}},
                                                     {NULL, {NULL}, {NULL}}};

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    hale_buf_add_c(&q->url, "/workflows/");
    hale_http_quote(&q->url, hale_str_from(vim_arg(r, "workflow")));
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX], id[HALE_UUID_TEXT], key[HALE_UUID_TEXT + 32];
    struct actuator_lane *lane;
    json_t *o = vim_json(a);
    (void)snprintf(key, sizeof(key), "%s-%lld", r->id, (long long)r->step);
    hale_id_uuid_from(key, strlen(key), id);
    if (a->status == 404)
        actuator_decide_fail(d, "Mistral has no workflow '%.100s'",
                             vim_arg(r, "workflow"));
    else if (a->status >= 300)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (!actuator_item_id_ok(vim_text(o, "id")))
        vim_again(r, NULL, "Mistral's answer cannot be read", d);
    else if (actuator_lanes_add(&r->lanes, id, &lane) != HALE_OK ||
             actuator_lane_set(lane, "workflow", vim_text(o, "id")) != HALE_OK)
        actuator_decide_fail(d, "out of memory");
    else
        vim_done(d, "workflow %.100s is %s", vim_arg(r, "workflow"), vim_text(o, "id"));
    json_decref(o);
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    json_t *input =
        json_object_get(json_object_get(actuator_run_step(r), "args"), "input");
    if (lane->phase != ACTUATOR_CALL && lane->phase != ACTUATOR_WAIT) {
        hale_buf_printf(&q->url, "/executions/%s", lane->id);
        return HALE_OK;
    }
    hale_buf_add_c(&q->url, "/executions");
    q->method = "POST";
    vim_set_body(q, json_pack("{s:s,s:s,s:s,s:O*}", "id", lane->id, "workflow_id",
                              actuator_lane_fact(lane, "workflow"), "description",
                              r->policy, "input", input));
    return HALE_OK;
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    bool call = lane->phase == ACTUATOR_CALL || lane->phase == ACTUATOR_WAIT;
    json_t *o = vim_json(a);
    const char *state = vim_text(o, "state");
    if (a->status == 409 && call) {
        vim_follow(r, lane, "it is there already: following", d);
    } else if (a->status >= 400) {
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    } else if (call && strcmp(vim_text(o, "id"), lane->id) == 0) {
        vim_follow(r, lane, "accepted", d);
    } else if (call) {
        vim_repeat(r, lane, "Mistral's answer cannot be read", d);
    } else if (strcmp(state, "SUCCESS") == 0) {
        vim_done(d, "execution is SUCCESS");
    } else if (strcmp(state, "ERROR") == 0 || strcmp(state, "CANCELLED") == 0) {
        actuator_decide_fail(d, "execution is %s: %.150s", state,
                             vim_text(o, "state_info"));
    } else if (*state != '\0') {
        lane->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "execution is %.20s", state);
    } else {
        vim_again(r, lane, "could not read the execution's state", d);
    }
    json_decref(o);
}

static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    (void)r;
    (void)lane;
    return true;
}

const struct actuator_vim_driver actuator_mistral = {.type = "mistral",
                                                     .service = "workflowv2",
                                                     .actions = ACTIONS,
                                                     .keys = KEYS,
                                                     .has_input = true,
                                                     .find_request = find_request,
                                                     .find_answer = find_answer,
                                                     .request = request,
                                                     .answer = answer,
                                                     .idempotent = idempotent};
