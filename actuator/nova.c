/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nova - the steps `nova` (declared in vim.h): compute services (force-down, force-up, disable,
 * enable) and servers (reset-state, evacuate, migrate, live-migrate, reboot, rebuild, start, stop), one
 * server or all of a host.
 * An accepted action says nothing: the server's task_state and host tell how it ended. Whether an
 * action has begun is in the server's list of actions.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "base/clock.h"
#include "net/http_client.h"

#define MICROVERSION                                                                     \
    "2.60" /* Queens and later; evacuated servers run again (2.95 leaves them stopped) */
#define PAGE           500
#define CLOCK_SLACK_MS 2000
#define BUSY_US        500000 /* an evacuation before Nova believes that the host is down */

/* act of a lane. migrate: MIGRATED, to be confirmed. evacuate: RESTS, the server has no task, how did its
 * migration end?; SETTLED, that has ended. */
enum { MIGRATED = 1, RESTS, SETTLED };

static const char *const STATES[] = {"error", "active", NULL};
static const char *const REBOOTS[] = {"HARD", "SOFT", NULL};
static const struct actuator_vim_key KEYS[] = {
    {"host", NULL},    {"server", NULL},  {"to", NULL},    {"reason", NULL},
    {"state", STATES}, {"type", REBOOTS}, {"image", NULL}, {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"force-down", {"host"}, {NULL}},
    {"force-up", {"host"}, {NULL}},
    {"disable", {"host"}, {"reason"}},
    {"enable", {"host"}, {NULL}},
    {"reset-state", {"server|host"}, {"state"}},
    {"evacuate", {"server|host"}, {"to"}},
    {"migrate", {"server|host"}, {"to"}},
    {"live-migrate", {"server|host"}, {"to"}},
    {"reboot", {"server|host"}, {"type"}},
    {"rebuild", {"server|host"}, {"image"}},
    {"start", {"server|host"}, {NULL}},
    {"stop", {"server|host"}, {NULL}},
    {NULL, {NULL}, {NULL}}};

static bool of_service(const struct actuator_run *r)
{
    return vim_action_is(r, "force-down") || vim_action_is(r, "force-up") ||
           vim_action_is(r, "disable") || vim_action_is(r, "enable");
}

static void versioned(struct actuator_request *q)
{
    vim_header(q, "OpenStack-API-Version", "compute " MICROVERSION);
    vim_header(q, "X-OpenStack-Nova-API-Version", MICROVERSION);
}

/* --- finding ----------------------------------------------------------------------- */

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    const char *server = vim_arg(r, "server"), *marker;
    versioned(q);
    if (of_service(r)) {
        hale_buf_add_c(&q->url, "/os-services?binary=nova-compute&host=");
        hale_http_quote(&q->url, hale_str_from(vim_arg(r, "host")));
    } else if (*server != '\0') {
        hale_buf_add_c(&q->url, "/servers/");
        hale_http_quote(&q->url, hale_str_from(server));
    } else {
        hale_buf_printf(&q->url, "/servers/detail?all_tenants=1&limit=%d&host=", PAGE);
        hale_http_quote(&q->url, hale_str_from(vim_arg(r, "host")));
        marker = vim_text(r->lanes.facts, "marker");
        if (*marker != '\0')
            hale_buf_printf(&q->url, "&marker=%s", marker);
    }
}

static void found_services(struct actuator_run *r, const json_t *o,
                           struct actuator_decision *d)
{
    const json_t *service;
    struct actuator_lane *lane;
    size_t i;
    json_array_foreach (json_object_get(o, "services"), i, service) {
        if (strcmp(vim_text(service, "host"), vim_arg(r, "host")) != 0 ||
            strcmp(vim_text(service, "binary"), "nova-compute") != 0)
            continue;
        if (actuator_lanes_add(&r->lanes, vim_text(service, "id"), &lane) != HALE_OK) {
            actuator_decide_fail(d, "Nova names no usable id for nova-compute on %.100s",
                                 vim_arg(r, "host"));
            return;
        }
    }
    if (r->lanes.n == 0)
        actuator_decide_fail(d, "Nova knows no nova-compute on host '%.100s'",
                             vim_arg(r, "host"));
    else
        vim_done(d, "nova-compute on %.100s is service %s", vim_arg(r, "host"),
                 r->lanes.v[0].id);
}

/* True when the server is as the action wants it before anything is said. */
static bool already(const struct actuator_run *r, const char *vm_state)
{
    return (vim_action_is(r, "start") && strcmp(vm_state, "active") == 0) ||
           (vim_action_is(r, "stop") && strcmp(vm_state, "stopped") == 0) ||
           (vim_action_is(r, "reset-state") &&
            strcmp(vm_state, vim_arg(r, "state")) == 0);
}

/* NULL or why it cannot be added. */
static const char *add_server(struct actuator_run *r, const json_t *server)
{
    struct actuator_lane *lane;
    const char *state = vim_text(server, "OS-EXT-STS:vm_state");
    const char *host = vim_text(server, "OS-EXT-SRV-ATTR:host");
    const char *image = vim_text(json_object_get(server, "image"), "id");
    if (*vim_arg(r, "host") != '\0') {
        if (json_object_get(server, "OS-EXT-SRV-ATTR:host") == NULL)
            return "Nova does not say which host a server is on: our user needs the "
                   "admin role";
        if (strcmp(host, vim_arg(r, "host")) != 0)
            return NULL;
    }
    if (strcmp(state, "deleted") == 0 || strcmp(state, "soft-delete") == 0 ||
        (*vim_arg(r, "host") != '\0' && strcmp(state, "building") == 0))
        return NULL; /* Nova has its own plans with it */
    enum hale_rc rc = actuator_lanes_add(&r->lanes, vim_text(server, "id"), &lane);
    if (rc == HALE_E_LIMIT)
        return "too many servers on the host";
    if (rc != HALE_OK || actuator_lane_set(lane, "host", host) != HALE_OK ||
        (*image != '\0' && actuator_lane_set(lane, "image", image) != HALE_OK))
        return "a server without a usable id";
    if (already(r, state)) {
        lane->end = ACTUATOR_LANE_GOOD;
        (void)snprintf(lane->text, sizeof(lane->text), "it is %s already", state);
    }
    return NULL;
}

static void found_servers(struct actuator_run *r, const json_t *list,
                          struct actuator_decision *d)
{
    const json_t *server;
    size_t i;
    const char *last = "", *why = NULL;
    json_array_foreach (list, i, server) {
        last = vim_text(server, "id");
        if (why == NULL)
            why = add_server(r, server);
    }
    if (why != NULL) {
        actuator_decide_fail(d, "%s", why);
        return;
    }
    if (json_array_size(list) == PAGE && actuator_item_id_ok(last)) {
        if (r->lanes.facts == NULL)
            r->lanes.facts = json_object();
        r->lanes.stage++;
        if (json_object_set_new(r->lanes.facts, "marker", json_string(last)) != 0)
            actuator_decide_fail(d, "out of memory");
        else
            actuator_decide(d, ACTUATOR_ASK, 0, "%u servers so far", r->lanes.n);
        return;
    }
    vim_done(d, "%u servers on %.100s", r->lanes.n, vim_arg(r, "host"));
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    json_t *o = vim_json(a);
    const json_t *server = json_object_get(o, "server");
    if (a->status == 404 && !of_service(r)) {
        vim_done(d, "Nova has no server '%.100s': nothing to do", vim_arg(r, "server"));
    } else if (a->status >= 400) {
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    } else if (of_service(r) && json_is_array(json_object_get(o, "services"))) {
        found_services(r, o, d);
    } else if (!of_service(r) && json_is_object(server)) {
        const char *why = add_server(r, server);
        if (why != NULL)
            actuator_decide_fail(d, "%s", why);
        else
            vim_done(d, "server %.100s is %.40s on %.100s", vim_text(server, "name"),
                     vim_text(server, "status"),
                     vim_text(server, "OS-EXT-SRV-ATTR:host"));
    } else if (!of_service(r) && json_is_array(json_object_get(o, "servers"))) {
        found_servers(r, json_object_get(o, "servers"), d);
    } else {
        vim_again(r, NULL, "Nova's answer cannot be read", d);
    }
    json_decref(o);
}

/* --- requests ---------------------------------------------------------------------- */

static json_t *service_body(const struct actuator_run *r)
{
    const char *reason = vim_arg(r, "reason");
    if (vim_action_is(r, "force-down"))
        return json_pack("{s:b}", "forced_down", 1);
    if (vim_action_is(r, "force-up"))
        return json_pack("{s:b}", "forced_down", 0);
    if (vim_action_is(r, "enable"))
        return json_pack("{s:s}", "status", "enabled");
    return json_pack("{s:s,s:s*}", "status", "disabled", "disabled_reason",
                     *reason != '\0' ? reason : NULL);
}

static json_t *action_body(const struct actuator_run *r, const struct actuator_lane *lane)
{
    const char *to = *vim_arg(r, "to") != '\0' ? vim_arg(r, "to") : NULL;
    const char *image = vim_arg(r, "image");
    if (vim_action_is(r, "reset-state"))
        return json_pack("{s:{s:s}}", "os-resetState", "state", vim_arg(r, "state"));
    if (vim_action_is(r, "evacuate"))
        return json_pack("{s:{s:s*}}", "evacuate", "host", to);
    if (vim_action_is(r, "migrate") && lane->act == MIGRATED)
        return json_pack("{s:n}", "confirmResize");
    if (vim_action_is(r, "migrate"))
        return to != NULL ? json_pack("{s:{s:s}}", "migrate", "host", to)
                          : json_pack("{s:n}", "migrate");
    if (vim_action_is(r, "live-migrate"))
        return json_pack("{s:{s:s?,s:s}}", "os-migrateLive", "host", to,
                         "block_migration", "auto");
    if (vim_action_is(r, "reboot"))
        return json_pack("{s:{s:s}}", "reboot", "type", vim_arg(r, "type"));
    if (vim_action_is(r, "rebuild"))
        return json_pack("{s:{s:s}}", "rebuild", "imageRef",
                         *image != '\0' ? image : actuator_lane_fact(lane, "image"));
    return json_pack("{s:n}", vim_action_is(r, "start") ? "os-start" : "os-stop");
}

static bool ends_unseen(const struct actuator_lane *lane)
{
    return lane->act == RESTS &&
           (lane->phase == ACTUATOR_POLL || lane->phase == ACTUATOR_CONFLICT);
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    versioned(q);
    if (of_service(r)) {
        hale_buf_printf(&q->url, "/os-services/%s", lane->id);
        q->method = "PUT";
        vim_set_body(q, service_body(r));
    } else if (lane->phase == ACTUATOR_ASK) {
        hale_buf_printf(&q->url, "/servers/%s/os-instance-actions", lane->id);
    } else if (ends_unseen(lane)) {
        hale_buf_printf(
            &q->url, "/os-migrations?migration_type=evacuation&limit=1&instance_uuid=%s",
            lane->id);
    } else if (lane->phase == ACTUATOR_POLL || lane->phase == ACTUATOR_CONFLICT) {
        hale_buf_printf(&q->url, "/servers/%s", lane->id);
    } else {
        hale_buf_printf(&q->url, "/servers/%s/action", lane->id);
        q->method = "POST";
        vim_set_body(q, action_body(r, lane));
    }
    return q->url.failed || q->body.failed ? HALE_E_NOMEM : HALE_OK;
}

/* A second start, stop or confirmation is refused with 409, the others change nothing. */
static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    return of_service(r) || vim_action_is(r, "reset-state") ||
           vim_action_is(r, "start") || vim_action_is(r, "stop") || lane->act == MIGRATED;
}

/* --- answers ----------------------------------------------------------------------- */

static void on_service(const struct actuator_run *r, struct actuator_lane *lane,
                       const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    json_t *o = vim_json(a);
    const json_t *service = json_object_get(o, "service");
    if (json_is_object(service))
        vim_done(d, "nova-compute on %.100s is %.20s, %.20s%s", vim_text(service, "host"),
                 vim_text(service, "status"), vim_text(service, "state"),
                 json_is_true(json_object_get(service, "forced_down")) ? ", forced down"
                                                                       : "");
    else if (a->status == 400 && vim_action_is(r, "force-up")) {
        /* refused while evacuations are on its books: until nova-compute there starts */
        actuator_decide(d, ACTUATOR_WAIT, actuator_run_step_int(r, "poll_ms") * 1000,
                        "answered 400%s", vim_problem(a, detail, sizeof(detail)));
        d->note = lane->attempt == 1;
    } else if (a->status >= 400)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else
        vim_repeat(r, lane, "Nova's answer cannot be read", d);
    json_decref(o);
}

static void on_action(const struct actuator_run *r, struct actuator_lane *lane,
                      const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX], text[VIM_PROBLEM_MAX + 40];
    (void)snprintf(text, sizeof(text), "answered %u%s", a->status,
                   vim_problem(a, detail, sizeof(detail)));
    if (a->status < 300 && vim_action_is(r, "reset-state"))
        vim_done(d, "state set to %s", vim_arg(r, "state"));
    else if (a->status < 300)
        vim_follow(r, lane, "accepted", d);
    else if (a->status == 404)
        vim_done(d, "the server is gone: nothing to do");
    else if (a->status == 409) {
        actuator_decide(d, ACTUATOR_CONFLICT, 0, "%s", text);
        d->note = true;
    } else if (a->status == 400 && vim_action_is(r, "evacuate") &&
               strstr(detail, "in use") != NULL) {
        vim_repeat(r, lane, text, d); /* not seen as down yet */
        d->delay_us = BUSY_US;
    } else
        actuator_decide_fail(d, "%s", text);
}

static void on_ask(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *action, *list = json_object_get(o, "instanceActions");
    const char *want = vim_action_is(r, "live-migrate")
                           ? "live-migration"
                           : actuator_run_step_text(r, "action");
    bool begun = false;
    size_t i;
    if (a->status == 404) {
        vim_done(d, "the server is gone: nothing to do");
    } else if (!json_is_array(list)) {
        vim_again(r, lane, "could not find out whether the action has begun", d);
    } else {
        json_array_foreach (list, i, action) {
            int64_t start_ms = 0;
            if (strcmp(vim_text(action, "action"), want) == 0 &&
                hale_clock_parse_iso(hale_str_from(vim_text(action, "start_time")),
                                     &start_ms) == HALE_OK &&
                actuator_answer_since(a, start_ms, lane->call_us, CLOCK_SLACK_MS))
                begun = true;
        }
        if (begun) {
            vim_follow(r, lane, "it has begun: following", d);
            d->delay_us = 0;
        } else {
            vim_unknown(r, lane, "Nova does not know the call", d);
        }
    }
    json_decref(o);
}

enum goal { REACHED, UNDER_WAY, MISSED };

static enum goal moved(const struct actuator_lane *lane, const json_t *server, bool alive)
{
    const char *host = vim_text(server, "OS-EXT-SRV-ATTR:host");
    bool away = *host != '\0' && strcmp(host, actuator_lane_fact(lane, "host")) != 0;
    return away && alive ? REACHED : MISSED;
}

/* Whether the server is where and how the action wants it. */
static enum goal look(const struct actuator_run *r, const struct actuator_lane *lane,
                      const json_t *server)
{
    const char *state = vim_text(server, "OS-EXT-STS:vm_state");
    bool active = strcmp(state, "active") == 0, stopped = strcmp(state, "stopped") == 0;
    if (json_is_string(json_object_get(server, "OS-EXT-STS:task_state")))
        return UNDER_WAY;
    if (vim_action_is(r, "migrate") && lane->act == 0 && strcmp(state, "resized") == 0)
        return REACHED;
    if (vim_action_is(r, "migrate") && lane->act == MIGRATED)
        return active || stopped                                               ? REACHED
               : strcmp(state, "resized") == 0 && lane->phase == ACTUATOR_POLL ? UNDER_WAY
                                                                               : MISSED;
    if (vim_action_is(r, "evacuate") || vim_action_is(r, "migrate") ||
        vim_action_is(r, "live-migrate"))
        return moved(lane, server, strcmp(state, "error") != 0);
    if (vim_action_is(r, "stop"))
        return stopped ? REACHED : MISSED;
    if (vim_action_is(r, "reset-state"))
        return strcmp(state, vim_arg(r, "state")) == 0 ? REACHED : MISSED;
    if (vim_action_is(r, "rebuild"))
        return active || stopped ? REACHED : MISSED;
    return active ? REACHED : MISSED;
}

static void reached(const struct actuator_run *r, struct actuator_lane *lane,
                    const json_t *server, struct actuator_decision *d)
{
    if (vim_action_is(r, "migrate") && lane->act == 0 &&
        strcmp(vim_text(server, "OS-EXT-STS:vm_state"), "resized") == 0) {
        lane->act = MIGRATED;
        lane->call_us = 0;
        actuator_decide(d, ACTUATOR_WAIT, 0, "moved to %.100s: to be confirmed",
                        vim_text(server, "OS-EXT-SRV-ATTR:host"));
        d->note = true;
        return;
    }
    vim_done(d, "server is %.40s on %.100s", vim_text(server, "status"),
             vim_text(server, "OS-EXT-SRV-ATTR:host"));
}

/* An evacuated server is active, with no task, for a moment before Nova says that it is elsewhere; one
 * whose evacuation has failed is so for good. Nova's migration tells them apart. */
static void on_migration(struct actuator_run *r, struct actuator_lane *lane,
                         const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *list = json_object_get(o, "migrations");
    const char *status = vim_text(json_array_get(list, 0), "status");
    bool goes_on =
        strcmp(status, "accepted") == 0 || strcmp(status, "pre-migrating") == 0;
    if (json_is_array(list)) {
        lane->queries = 0;
        lane->act = goes_on ? 0 : SETTLED;
        actuator_decide(d, (enum actuator_phase)lane->phase,
                        goes_on ? actuator_run_step_int(r, "poll_ms") * 1000 : 0,
                        "evacuation is %.20s", *status != '\0' ? status : "unknown");
    } else {
        vim_again(r, lane, "could not find out how the evacuation ended", d);
    }
    json_decref(o);
}

static void on_server(struct actuator_run *r, struct actuator_lane *lane,
                      const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const json_t *server = json_object_get(o, "server");
    const char *fault = vim_text(json_object_get(server, "fault"), "message");
    int64_t pause = actuator_run_step_int(r, "poll_ms") * 1000;
    if (a->status == 404) {
        vim_done(d, "the server is gone: nothing to do");
    } else if (!json_is_object(server)) {
        vim_again(r, lane, "could not read the server's state", d);
    } else {
        enum goal goal = look(r, lane, server);
        lane->queries = 0;
        if (goal == REACHED)
            reached(r, lane, server, d);
        else if (goal == UNDER_WAY)
            actuator_decide(d, (enum actuator_phase)lane->phase, pause, "server is %.40s",
                            vim_text(server, "OS-EXT-STS:task_state"));
        else if (vim_action_is(r, "evacuate") && lane->act != SETTLED) {
            lane->act = RESTS;
            actuator_decide(d, (enum actuator_phase)lane->phase, 0,
                            "server rests on %.100s",
                            vim_text(server, "OS-EXT-SRV-ATTR:host"));
        } else if (lane->phase == ACTUATOR_CONFLICT) {
            if (lane->act == SETTLED)
                lane->act = 0;
            vim_repeat(r, lane, "refused with 409 though nothing is under way", d);
        } else
            actuator_decide_fail(d, "server is %.40s on %.100s%s%.150s",
                                 vim_text(server, "status"),
                                 vim_text(server, "OS-EXT-SRV-ATTR:host"),
                                 *fault != '\0' ? ": " : "", fault);
    }
    json_decref(o);
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    if (of_service(r))
        on_service(r, lane, a, d);
    else if (lane->phase == ACTUATOR_ASK)
        on_ask(r, lane, a, d);
    else if (ends_unseen(lane))
        on_migration(r, lane, a, d);
    else if (lane->phase == ACTUATOR_POLL || lane->phase == ACTUATOR_CONFLICT)
        on_server(r, lane, a, d);
    else
        on_action(r, lane, a, d);
}

const struct actuator_vim_driver actuator_nova = {.type = "nova",
                                                  .service = "compute",
                                                  .actions = ACTIONS,
                                                  .keys = KEYS,
                                                  .find_request = find_request,
                                                  .find_answer = find_answer,
                                                  .request = request,
                                                  .answer = answer,
                                                  .idempotent = idempotent};
