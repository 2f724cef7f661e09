/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neutron - the step `neutron` (declared in vim.h): the data plane status of a port, of a server's
 * ports or of all ports of a host.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "net/http_client.h"

#define PAGE 500

static const char *const STATUS[] = {"DOWN", "ACTIVE", "none", NULL};
static const struct actuator_vim_key KEYS[] = {
    {"port", NULL}, {"server", NULL}, {"host", NULL}, {"status", STATUS}, {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"data-plane-status", {"port|server|host"}, {"status"}}, {NULL, {NULL}, {NULL}}};

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    const char *key = *vim_arg(r, "port") != '\0'     ? "port"
                      : *vim_arg(r, "server") != '\0' ? "server"
                                                      : "host";
    const char *field = key[0] == 'p'   ? "id"
                        : key[0] == 's' ? "device_id"
                                        : "binding:host_id";
    const char *marker = vim_text(r->lanes.facts, "marker");
    hale_buf_printf(
        &q->url,
        "/v2.0/ports?fields=id&fields=device_id&fields=binding:host_id&fields=data_"
        "plane_status&sort_key=id&sort_dir=asc&limit=%d&%s=",
        PAGE, field);
    hale_http_quote(&q->url, hale_str_from(vim_arg(r, key)));
    if (*marker != '\0')
        hale_buf_printf(&q->url, "&marker=%s", marker);
}

/* NULL or why not. */
static const char *add_port(struct actuator_run *r, const json_t *port)
{
    struct actuator_lane *lane;
    const char *host = vim_arg(r, "host"), *status = vim_arg(r, "status");
    const json_t *have = json_object_get(port, "data_plane_status");
    if (*host != '\0' && strcmp(vim_text(port, "binding:host_id"), host) != 0)
        return json_object_get(port, "binding:host_id") == NULL
                   ? "Neutron does not say which host a port is on: our user needs the "
                     "admin role"
                   : NULL;
    enum hale_rc rc = actuator_lanes_add(&r->lanes, vim_text(port, "id"), &lane);
    if (rc != HALE_OK)
        return rc == HALE_E_LIMIT ? "too many ports" : "a port without a usable id";
    if (json_is_string(have) && strcmp(json_string_value(have), status) == 0) {
        lane->end = ACTUATOR_LANE_GOOD;
        (void)snprintf(lane->text, sizeof(lane->text), "it is %s already", status);
    }
    return NULL;
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    const char *why = NULL, *last = "";
    json_t *o = vim_json(a);
    const json_t *port, *list = json_object_get(o, "ports");
    size_t i;
    json_array_foreach (list, i, port) {
        last = vim_text(port, "id");
        if (why == NULL)
            why = add_port(r, port);
    }
    if (a->status >= 300) {
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    } else if (why != NULL) {
        actuator_decide_fail(d, "%s", why);
    } else if (!json_is_array(list)) {
        vim_again(r, NULL, "Neutron's answer cannot be read", d);
    } else if (json_array_size(list) == PAGE && actuator_item_id_ok(last)) {
        if (r->lanes.facts == NULL)
            r->lanes.facts = json_object();
        r->lanes.stage++;
        if (json_object_set_new(r->lanes.facts, "marker", json_string(last)) != 0)
            actuator_decide_fail(d, "out of memory");
        else
            actuator_decide(d, ACTUATOR_ASK, 0, "%u ports so far", r->lanes.n);
    } else {
        vim_done(d, "%u ports", r->lanes.n);
    }
    json_decref(o);
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    const char *status = vim_arg(r, "status");
    hale_buf_printf(&q->url, "/v2.0/ports/%s", lane->id);
    q->method = "PUT";
    vim_set_body(q, json_pack("{s:{s:s?}}", "port", "data_plane_status",
                              strcmp(status, "none") == 0 ? NULL : status));
    return HALE_OK;
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    if (a->status < 300)
        vim_done(d, "data plane is %s", vim_arg(r, "status"));
    else if (a->status == 404)
        vim_done(d, "the port is gone: nothing to do");
    else if (a->status == 409 || a->status == 412)
        vim_repeat(r, lane, "somebody else is changing the port", d);
    else
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
}

static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    (void)r;
    (void)lane;
    return true;
}

const struct actuator_vim_driver actuator_neutron = {.type = "neutron",
                                                     .service = "network",
                                                     .actions = ACTIONS,
                                                     .keys = KEYS,
                                                     .find_request = find_request,
                                                     .find_answer = find_answer,
                                                     .request = request,
                                                     .answer = answer,
                                                     .idempotent = idempotent};
