/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat - the steps `heat` (declared in vim.h): signal a resource (a scaling policy), mark resources
 * unhealthy and update the stack (which replaces them), scale by a parameter.
 * Whether an update has begun shows in the stack's updated_time, which it had another of when the
 * step looked first. A signal leaves an event, but only when it has been handled, and none when a
 * cooldown swallows it: one that was cut off and left none is not sent again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/vim.h"
#include "base/clock.h"
#include "net/http_client.h"

#define CLOCK_SLACK_MS 2000
#define SIGNAL_ASKS                                                                      \
    20 /* a second apart: the event comes when the signal has been handled */
enum { STAGE_NAME, STAGE_STACK, STAGE_RESOURCES };
enum { ACT_MARK, ACT_UPDATE }; /* signal has one act */

static const struct actuator_vim_key KEYS[] = {
    {"stack", NULL},     {"resource", NULL}, {"server", NULL}, {"reason", NULL},
    {"parameter", NULL}, {"value", NULL},    {"by", NULL},     {"min", NULL},
    {"max", NULL},       {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"signal", {"stack", "resource"}, {NULL}},
    {"mark-unhealthy", {"stack", "resource|server"}, {"reason"}},
    {"update", {"stack"}, {NULL}},
    {"scale", {"stack", "parameter", "value|by"}, {"min", "max"}},
    {NULL, {NULL}, {NULL}}};

static const char *fact(const struct actuator_run *r, const char *key)
{
    return vim_text(r->lanes.facts, key);
}

static bool remember(struct actuator_run *r, const char *key, const char *value)
{
    if (r->lanes.facts == NULL)
        r->lanes.facts = json_object();
    return json_object_set_new(r->lanes.facts, key, json_string(value)) == 0;
}

/* --- finding ----------------------------------------------------------------------- */

static void stack_path(const struct actuator_run *r, struct hale_buf *url)
{
    hale_buf_printf(url, "/stacks/%s/%s", fact(r, "name"), fact(r, "id"));
}

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    if (r->lanes.stage == STAGE_NAME) {
        hale_buf_add_c(&q->url, "/stacks/");
        hale_http_quote(&q->url, hale_str_from(vim_arg(r, "stack")));
        return;
    }
    stack_path(r, &q->url);
    if (r->lanes.stage == STAGE_RESOURCES)
        hale_buf_add_c(&q->url, "/resources?nested_depth=5");
}

/* ".../stacks/NAME/ID": only the two names are taken, never the host. */
static bool take_names(struct actuator_run *r, struct hale_str location)
{
    char text[512], *last, *before;
    (void)snprintf(text, sizeof(text), "%.*s",
                   (int)(location.len < 500 ? location.len : 500),
                   location.p != NULL ? location.p : "");
    last = strrchr(text, '/');
    if (last == NULL)
        return false;
    *last++ = '\0';
    before = strrchr(text, '/');
    return before != NULL && actuator_item_id_ok(before + 1) &&
           actuator_item_id_ok(last) && remember(r, "name", before + 1) &&
           remember(r, "id", last);
}

static void ask_next(struct actuator_run *r, int64_t stage, struct actuator_decision *d)
{
    r->lanes.stage = stage;
    r->queries = 0;
    actuator_decide(d, ACTUATOR_ASK, 0, "asked");
}

/* The number to scale to, as text; NULL when the stack has no such number. */
static const char *target_of(const struct actuator_run *r, const json_t *stack, char *dst,
                             size_t size)
{
    const char *have =
        vim_text(json_object_get(stack, "parameters"), vim_arg(r, "parameter"));
    const char *by = vim_arg(r, "by"), *least = vim_arg(r, "min"),
               *most = vim_arg(r, "max");
    int64_t n, step, limit;
    if (*by == '\0')
        n = 0;
    if (*by == '\0' && hale_str_i64(hale_str_from(vim_arg(r, "value")), &n) != HALE_OK)
        return vim_arg(r, "value"); /* not a number: as it is */
    if (*by != '\0' &&
        (hale_str_i64(hale_str_from(have), &n) != HALE_OK ||
         hale_str_i64(hale_str_from(by[0] == '+' ? by + 1 : by), &step) != HALE_OK))
        return NULL;
    if (*by != '\0')
        n += step;
    if (hale_str_i64(hale_str_from(least), &limit) == HALE_OK && n < limit)
        n = limit;
    if (hale_str_i64(hale_str_from(most), &limit) == HALE_OK && n > limit)
        n = limit;
    (void)snprintf(dst, size, "%" PRId64, n);
    return dst;
}

static void found_stack(struct actuator_run *r, const json_t *stack,
                        struct actuator_decision *d)
{
    char number[32];
    struct actuator_lane *lane;
    const char *have =
        vim_text(json_object_get(stack, "parameters"), vim_arg(r, "parameter"));
    if (!remember(r, "updated", vim_text(stack, "updated_time"))) {
        actuator_decide_fail(d, "out of memory");
        return;
    }
    if (vim_action_is(r, "mark-unhealthy")) {
        ask_next(r, STAGE_RESOURCES, d);
        return;
    }
    if (actuator_lanes_add(&r->lanes, fact(r, "id"), &lane) != HALE_OK) {
        actuator_decide_fail(d, "out of memory");
        return;
    }
    lane->act = vim_action_is(r, "signal") ? ACT_MARK : ACT_UPDATE;
    vim_done(d, "stack %s is %.60s", fact(r, "name"), vim_text(stack, "stack_status"));
    if (!vim_action_is(r, "scale"))
        return;
    const char *target = target_of(r, stack, number, sizeof(number));
    if (target == NULL)
        actuator_decide_fail(d, "the stack's parameter '%.60s' is not a number ('%.40s')",
                             vim_arg(r, "parameter"), have);
    else if (actuator_lane_set(lane, "value", target) != HALE_OK)
        actuator_decide_fail(d, "out of memory");
    else if (strcmp(have, target) == 0) {
        lane->end = ACTUATOR_LANE_GOOD;
        (void)snprintf(lane->text, sizeof(lane->text), "%.60s is %.40s already",
                       vim_arg(r, "parameter"), target);
    }
}

/* "/stacks/NAME/ID/resources/R" of a resource's own link. */
static bool own_path(const json_t *resource, char *dst, size_t size)
{
    const json_t *link;
    size_t i;
    json_array_foreach (json_object_get(resource, "links"), i, link) {
        const char *at = strstr(vim_text(link, "href"), "/stacks/");
        if (strcmp(vim_text(link, "rel"), "self") != 0 || at == NULL ||
            strlen(at) >= size || strstr(at, "..") != NULL ||
            at[strcspn(at, "?#%\\ ")] != '\0')
            continue;
        (void)snprintf(dst, size, "%s", at);
        return true;
    }
    return false;
}

static void found_resources(struct actuator_run *r, const json_t *list,
                            struct actuator_decision *d)
{
    const json_t *resource;
    struct actuator_lane *lane;
    char path[512];
    size_t i;
    const char *server = vim_arg(r, "server"), *name = vim_arg(r, "resource");
    json_array_foreach (list, i, resource) {
        bool ours = *server != '\0'
                        ? strcmp(vim_text(resource, "physical_resource_id"), server) == 0
                        : strcmp(vim_text(resource, "resource_name"), name) == 0;
        if (!ours || r->lanes.n > 0)
            continue;
        if (!own_path(resource, path, sizeof(path)) ||
            actuator_lanes_add(&r->lanes, fact(r, "id"), &lane) != HALE_OK ||
            actuator_lane_set(lane, "path", path) != HALE_OK)
            actuator_decide_fail(d, "the resource has no usable link");
    }
    if (d->end == ACTUATOR_STEP_FAILED)
        return;
    if (r->lanes.n == 0)
        actuator_decide_fail(d, "stack %s has no resource '%.100s'", fact(r, "name"),
                             *server != '\0' ? server : name);
    else
        vim_done(d, "found it in stack %s", fact(r, "name"));
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    json_t *o = vim_json(a);
    const json_t *stack = json_object_get(o, "stack");
    if (a->status == 302 && r->lanes.stage == STAGE_NAME && take_names(r, a->location))
        ask_next(r, STAGE_STACK, d);
    else if (a->status == 404)
        actuator_decide_fail(d, "Heat has no stack '%.100s'", vim_arg(r, "stack"));
    else if (a->status >= 400)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (r->lanes.stage == STAGE_STACK && json_is_object(stack))
        found_stack(r, stack, d);
    else if (r->lanes.stage == STAGE_RESOURCES &&
             json_is_array(json_object_get(o, "resources")))
        found_resources(r, json_object_get(o, "resources"), d);
    else
        vim_again(r, NULL, "Heat's answer cannot be read", d);
    json_decref(o);
}

/* --- requests ---------------------------------------------------------------------- */

static bool is_signal(const struct actuator_run *r)
{
    return vim_action_is(r, "signal");
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    bool call = lane->phase == ACTUATOR_CALL || lane->phase == ACTUATOR_WAIT;
    const char *reason = vim_arg(r, "reason");
    if (call && lane->act == ACT_MARK && !is_signal(r)) {
        hale_buf_add_c(&q->url, actuator_lane_fact(lane, "path"));
        q->method = "PATCH";
        vim_set_body(q,
                     json_pack("{s:b,s:s}", "mark_unhealthy", 1, "resource_status_reason",
                               *reason != '\0' ? reason : "marked by hale"));
        return HALE_OK;
    }
    stack_path(r, &q->url);
    if (is_signal(r) && lane->phase != ACTUATOR_CONFLICT) {
        hale_buf_add_c(&q->url, "/resources/");
        hale_http_quote(&q->url, hale_str_from(vim_arg(r, "resource")));
        hale_buf_add_c(&q->url, call ? "/signal" : "/events?sort_dir=desc&limit=20");
    }
    if (call && is_signal(r)) {
        q->method = "POST";
        vim_set_body(q, json_object());
    } else if (call) {
        q->method = "PATCH";
        vim_set_body(q,
                     vim_action_is(r, "scale")
                         ? json_pack("{s:{s:s}}", "parameters", vim_arg(r, "parameter"),
                                     actuator_lane_fact(lane, "value"))
                         : json_object());
    }
    return HALE_OK;
}

static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    return lane->act == ACT_MARK && !is_signal(r);
}

/* --- answers ----------------------------------------------------------------------- */

static void on_call(const struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    (void)vim_problem(a, detail, sizeof(detail));
    if (a->status < 300 && is_signal(r)) {
        vim_done(d, "signalled");
    } else if (a->status < 300 && lane->act == ACT_MARK) {
        lane->act = ACT_UPDATE;
        actuator_decide(d, ACTUATOR_WAIT, 0, "marked: the stack is to be updated");
        d->note = true;
    } else if (a->status < 300) {
        vim_follow(r, lane, "accepted", d);
    } else if (a->status == 404 && lane->act == ACT_MARK && !is_signal(r)) {
        vim_done(d, "the resource is gone: nothing to do");
    } else if (a->status == 409) { /* an update is under way */
        actuator_decide(d, ACTUATOR_CONFLICT, actuator_run_step_int(r, "poll_ms") * 1000,
                        "refused with 409%s", detail);
        d->note = true;
    } else {
        actuator_decide_fail(d, "refused with %u%s", a->status, detail);
    }
}

static void on_events(struct actuator_run *r, struct actuator_lane *lane,
                      const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *event, *list = json_object_get(o, "events");
    size_t i;
    bool begun = false;
    json_array_foreach (list, i, event) {
        int64_t at_ms = 0;
        if (strncmp(vim_text(event, "resource_status"), "SIGNAL", 6) == 0 &&
            hale_clock_parse_iso(hale_str_from(vim_text(event, "event_time")), &at_ms) ==
                HALE_OK &&
            actuator_answer_since(a, at_ms, lane->call_us, CLOCK_SLACK_MS))
            begun = true;
    }
    if (!json_is_array(list))
        vim_again(r, lane, "could not find out whether the signal has arrived", d);
    else if (begun)
        vim_done(d, "the signal has arrived");
    else if (++lane->queries < SIGNAL_ASKS)
        actuator_decide(d, ACTUATOR_ASK, VIM_ASK_US, "no event of the signal yet");
    else
        actuator_decide_fail(
            d, "Heat does not say whether the signal has arrived: not sent again");
    json_decref(o);
}

static void on_stack(struct actuator_run *r, struct actuator_lane *lane,
                     const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *stack = json_object_get(o, "stack");
    const char *status = vim_text(stack, "stack_status");
    bool changed = strcmp(vim_text(stack, "updated_time"), fact(r, "updated")) != 0;
    bool busy = strstr(status, "IN_PROGRESS") != NULL;
    int64_t pause = actuator_run_step_int(r, "poll_ms") * 1000;
    if (a->status == 404) {
        vim_done(d, "the stack is gone: nothing to do");
    } else if (*status == '\0') {
        vim_again(r, lane, "could not read the stack's state", d);
    } else if (lane->phase == ACTUATOR_CONFLICT) {
        lane->queries = 0;
        if (!busy && !remember(r, "updated", vim_text(stack, "updated_time")))
            actuator_decide_fail(d, "out of memory");
        else if (busy)
            actuator_decide(d, ACTUATOR_CONFLICT, pause, "stack is %.60s", status);
        else
            actuator_decide(d, ACTUATOR_WAIT, pause, "nothing is under way any more");
    } else if (lane->phase == ACTUATOR_ASK && !changed) {
        vim_unknown(r, lane, "Heat does not know the update", d);
    } else if (busy || !changed) {
        lane->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, pause, "stack is %.60s", status);
    } else if (strstr(status, "COMPLETE") != NULL &&
               strncmp(status, "ROLLBACK", 8) != 0) {
        vim_done(d, "stack is %.60s", status);
    } else {
        actuator_decide_fail(d, "stack is %.60s: %.150s", status,
                             vim_text(stack, "stack_status_reason"));
    }
    json_decref(o);
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    if (lane->phase == ACTUATOR_CALL || lane->phase == ACTUATOR_WAIT)
        on_call(r, lane, a, d);
    else if (is_signal(r) && lane->phase == ACTUATOR_ASK)
        on_events(r, lane, a, d);
    else
        on_stack(r, lane, a, d);
}

const struct actuator_vim_driver actuator_heat = {.type = "heat",
                                                  .service = "orchestration",
                                                  .actions = ACTIONS,
                                                  .keys = KEYS,
                                                  .find_request = find_request,
                                                  .find_answer = find_answer,
                                                  .request = request,
                                                  .answer = answer,
                                                  .idempotent = idempotent};
