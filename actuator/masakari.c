/* SPDX-License-Identifier: Apache-2.0 */
/*
 * masakari - the step `masakari` (declared in vim.h): tells Masakari of a host, process or server
 * that has failed, and follows what it makes of it.
 * A notification that was cut off is found again by its type, payload and generated_time, which is
 * that of the step's begin. 409 means that somebody has told the same: that one is followed.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "base/clock.h"

static const struct actuator_vim_key KEYS[] = {
    {"host", NULL}, {"server", NULL}, {"process", NULL}, {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"host-failed", {"host"}, {NULL}},
    {"server-failed", {"host", "server"}, {NULL}},
    {"process-failed", {"host", "process"}, {NULL}},
    {NULL, {NULL}, {NULL}}};

static void versioned(struct actuator_request *q)
{
    vim_header(q, "OpenStack-API-Version", "instance-ha 1.0");
}

/* Nothing has to be found, but for where we are: the question is as good as any other. */
static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    (void)r;
    versioned(q);
    hale_buf_add_c(&q->url, "/notifications?limit=1");
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    struct actuator_lane *lane;
    if (a->status >= 300)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (actuator_lanes_add(&r->lanes, "notification", &lane) != HALE_OK)
        actuator_decide_fail(d, "out of memory");
    else
        vim_done(d, "Masakari answers");
}

static const char *type_of(const struct actuator_run *r)
{
    return vim_action_is(r, "host-failed")     ? "COMPUTE_HOST"
           : vim_action_is(r, "server-failed") ? "VM"
                                               : "PROCESS";
}

/* Other words than these are ignored by its engine. */
static json_t *payload_of(const struct actuator_run *r)
{
    if (vim_action_is(r, "host-failed"))
        return json_pack("{s:s,s:s,s:s}", "event", "STOPPED", "cluster_status", "OFFLINE",
                         "host_status", "NORMAL");
    if (vim_action_is(r, "server-failed"))
        return json_pack("{s:s,s:s,s:s}", "event", "LIFECYCLE", "instance_uuid",
                         vim_arg(r, "server"), "vir_domain_event", "STOPPED_FAILED");
    return json_pack("{s:s,s:s}", "event", "STOPPED", "process_name",
                     vim_arg(r, "process"));
}

/* "2026-11-18T11:06:40": when the step began, the same for each try. */
static void generated(const struct actuator_run *r, char dst[20])
{
    char iso[HALE_CLOCK_ISO_MAX];
    (void)snprintf(dst, 20, "%.19s", hale_clock_iso_s(r->step_us / 1000, iso));
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    char at[20];
    versioned(q);
    generated(r, at);
    if (lane->phase == ACTUATOR_POLL) {
        hale_buf_printf(&q->url, "/notifications/%s", lane->op);
    } else if (lane->phase == ACTUATOR_ASK || lane->phase == ACTUATOR_CONFLICT) {
        hale_buf_printf(&q->url,
                        "/notifications?type=%s&sort_key=generated_time&sort_dir=desc",
                        type_of(r));
    } else {
        hale_buf_add_c(&q->url, "/notifications");
        q->method = "POST";
        vim_set_body(q, json_pack("{s:{s:s,s:s,s:s,s:o}}", "notification", "type",
                                  type_of(r), "hostname", vim_arg(r, "host"),
                                  "generated_time", at, "payload", payload_of(r)));
    }
    return HALE_OK;
}

static bool take_op(struct actuator_lane *lane, const json_t *notification)
{
    const char *id = vim_text(notification, "notification_uuid");
    if (!actuator_item_id_ok(id))
        return false;
    (void)snprintf(lane->op, sizeof(lane->op), "%s", id);
    return true;
}

static void on_call(const struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    json_t *o = vim_json(a);
    if (a->status < 300 && take_op(lane, json_object_get(o, "notification"))) {
        vim_follow(r, lane, "taken", d);
    } else if (a->status < 300) {
        actuator_decide(d, ACTUATOR_ASK, 0, "taken, but not named: asking for it");
        d->note = true;
    } else if (a->status == 409) {
        actuator_decide(d, ACTUATOR_CONFLICT, 0, "refused with 409%s",
                        vim_problem(a, detail, sizeof(detail)));
        d->note = true;
    } else {
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    }
    json_decref(o);
}

static bool is_open(const json_t *n)
{
    const char *status = vim_text(n, "status");
    return strcmp(status, "new") == 0 || strcmp(status, "running") == 0 ||
           strcmp(status, "error") == 0;
}

/* ASK: ours, by its time. CONFLICT: one of the same words that is under way. */
static void on_list(struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    char at[20];
    size_t i;
    json_t *o = vim_json(a), *payload = payload_of(r);
    const json_t *n, *list = json_object_get(o, "notifications"), *found = NULL;
    generated(r, at);
    json_array_foreach (list, i, n) {
        bool same = json_equal(json_object_get(n, "payload"), payload) &&
                    strcmp(vim_text(n, "type"), type_of(r)) == 0;
        bool ours = strncmp(vim_text(n, "generated_time"), at, 19) == 0;
        if (same && found == NULL &&
            (ours || (lane->phase == ACTUATOR_CONFLICT && is_open(n))))
            found = n;
    }
    if (!json_is_array(list))
        vim_again(r, lane, "could not read Masakari's notifications", d);
    else if (found != NULL && take_op(lane, found))
        vim_follow(r, lane, "it is known: following", d);
    else if (lane->phase == ACTUATOR_CONFLICT)
        actuator_decide_fail(
            d, "refused with 409: the host is on maintenance, or was told of a "
               "moment ago");
    else
        vim_unknown(r, lane, "Masakari does not know the notification", d);
    json_decref(payload);
    json_decref(o);
}

static void on_poll(struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    json_t *o = vim_json(a);
    const char *status = vim_text(json_object_get(o, "notification"), "status");
    if (*status == '\0')
        vim_again(r, lane, "could not read the notification's state", d);
    else if (strcmp(status, "finished") == 0)
        vim_done(d, "notification %s is finished", lane->op);
    else if (strcmp(status, "failed") == 0 || strcmp(status, "ignored") == 0)
        actuator_decide_fail(d, "notification %s is %.20s", lane->op, status);
    else {
        lane->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "notification is %.20s", status);
    }
    json_decref(o);
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    if (lane->phase == ACTUATOR_POLL)
        on_poll(r, lane, a, d);
    else if (lane->phase == ACTUATOR_ASK || lane->phase == ACTUATOR_CONFLICT)
        on_list(r, lane, a, d);
    else
        on_call(r, lane, a, d);
}

static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    (void)r;
    (void)lane;
    return false;
}

const struct actuator_vim_driver actuator_masakari = {.type = "masakari",
                                                      .service = "instance-ha",
                                                      .actions = ACTIONS,
                                                      .keys = KEYS,
                                                      .find_request = find_request,
                                                      .find_answer = find_answer,
                                                      .request = request,
                                                      .answer = answer,
                                                      .idempotent = idempotent};
