/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubernetes - the steps `kubernetes` (declared in vim.h): workloads (scale, rollout-restart), pods
 * (evict, delete-pod) and nodes (cordon, uncordon, drain).
 * Exactly once: scaling names the resourceVersion it saw, and metadata.generation tells afterwards
 * whether the specification was changed; a restart writes the same annotations however often it is
 * sent; evicting and deleting name the pod's uid; cordoning is what it is.
 * A disruption budget's 429 is waited for as long as the step may take.
 */
#include <stdio.h>
#include <string.h>

#include "actuator/vim.h"
#include "base/clock.h"
#include "net/http_client.h"

#define PODS_MAX     1000 /* of a node */
#define REPLICAS_MAX 100000

static const char *const KINDS[] = {"deployment", "statefulset", "daemonset",
                                    "replicaset", NULL};
static const char *const UNMANAGED[] = {"refuse", "evict", NULL};
static const struct actuator_vim_key KEYS[] = {
    {"namespace", NULL}, {"kind", KINDS}, {"name", NULL},  {"replicas", NULL},
    {"by", NULL},        {"min", NULL},   {"max", NULL},   {"pod", NULL},
    {"uid", NULL},       {"node", NULL},  {"grace", NULL}, {"unmanaged", UNMANAGED},
    {NULL, NULL}};
static const struct actuator_vim_action ACTIONS[] = {
    {"scale", {"name", "replicas|by"}, {"namespace", "kind", "min", "max"}},
    {"rollout-restart", {"name"}, {"namespace", "kind"}},
    {"evict", {"pod"}, {"namespace", "uid", "grace"}},
    {"delete-pod", {"pod"}, {"namespace", "uid", "grace"}},
    {"cordon", {"node"}, {NULL}},
    {"uncordon", {"node"}, {NULL}},
    {"drain", {"node"}, {"grace", "unmanaged"}},
    {NULL, {NULL}, {NULL}}};

static const char *check(const char *action, const json_t *args)
{
    const char *kind = vim_text(args, "kind");
    if (strcmp(action, "scale") == 0 && strcmp(kind, "daemonset") == 0)
        return "a daemonset has as many pods as nodes: it cannot be scaled";
    if (strcmp(action, "rollout-restart") == 0 && strcmp(kind, "replicaset") == 0)
        return "a replicaset does not roll: restart its deployment";
    return NULL;
}

static bool of_workload(const struct actuator_run *r)
{
    return vim_action_is(r, "scale") || vim_action_is(r, "rollout-restart");
}

static bool of_pod(const struct actuator_run *r)
{
    return vim_action_is(r, "evict") || vim_action_is(r, "delete-pod");
}

static bool is_node(const struct actuator_lane *lane)
{
    return json_is_true(json_object_get(lane->facts, "node"));
}

static int64_t number(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

/* --- addresses --------------------------------------------------------------------- */

/* A name that would lead elsewhere becomes one that nothing has. */
static void add_segment(struct hale_buf *url, const char *before, const char *name)
{
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        name = "_";
    hale_buf_add_c(url, before);
    hale_http_quote(url, hale_str_from(name));
}

static void workload_url(const struct actuator_run *r, struct hale_buf *url)
{
    add_segment(url, "/apis/apps/v1/namespaces/", vim_arg(r, "namespace"));
    hale_buf_printf(url, "/%ss", vim_arg(r, "kind"));
    add_segment(url, "/", vim_arg(r, "name"));
}

static void pod_url(const char *space, const char *pod, struct hale_buf *url)
{
    add_segment(url, "/api/v1/namespaces/", space);
    add_segment(url, "/pods/", pod);
}

static void set_patch(struct actuator_request *q, json_t *body)
{
    q->method = "PATCH";
    vim_set_body(q, body);
    vim_header(q, "Content-Type", "application/merge-patch+json");
}

/* --- finding ----------------------------------------------------------------------- */

static void find_request(const struct actuator_run *r, struct actuator_request *q)
{
    if (of_workload(r))
        workload_url(r, &q->url);
    else if (of_pod(r))
        pod_url(vim_arg(r, "namespace"), vim_arg(r, "pod"), &q->url);
    else
        add_segment(&q->url, "/api/v1/nodes/", vim_arg(r, "node"));
}

/* A whole number written in an argument; false: the decision says what is wrong. */
static bool take_number(const struct actuator_run *r, const char *key, int64_t fallback,
                        int64_t *out, struct actuator_decision *d)
{
    const char *text = vim_arg(r, key);
    *out = fallback;
    if (*text == '\0')
        return true;
    if (hale_str_i64(hale_str_from(*text == '+' ? text + 1 : text), out) == HALE_OK &&
        *out >= -REPLICAS_MAX && *out <= REPLICAS_MAX)
        return true;
    actuator_decide_fail(d, "%s '%.40s' is not a number", key, text);
    return false;
}

/* How many there shall be, from how many there are. */
static bool wanted_of(const struct actuator_run *r, int64_t now, int64_t *out,
                      struct actuator_decision *d)
{
    int64_t by, most, least;
    if (!take_number(r, "min", 0, &least, d) ||
        !take_number(r, "max", REPLICAS_MAX, &most, d))
        return false;
    if (*vim_arg(r, "by") == '\0') {
        if (!take_number(r, "replicas", 0, out, d))
            return false;
    } else {
        if (!take_number(r, "by", 0, &by, d))
            return false;
        *out = now + by;
    }
    *out = *out > most ? most : *out;
    *out = *out < least ? least : *out;
    *out = *out < 0 ? 0 : *out;
    return true;
}

static int64_t replicas_of(const json_t *o)
{
    const json_t *n = json_object_get(json_object_get(o, "spec"), "replicas");
    return json_is_integer(n) ? (int64_t)json_integer_value(n)
                              : 1; /* the API's default */
}

static bool remember(struct actuator_lane *lane, const json_t *o, int64_t wanted)
{
    const json_t *meta = json_object_get(o, "metadata");
    return actuator_lane_set(lane, "rv", vim_text(meta, "resourceVersion")) == HALE_OK &&
           json_object_set_new(lane->facts, "generation",
                               json_integer(number(meta, "generation"))) == 0 &&
           json_object_set_new(lane->facts, "wanted", json_integer(wanted)) == 0;
}

static void found_workload(struct actuator_run *r, const json_t *o,
                           struct actuator_decision *d)
{
    struct actuator_lane *lane;
    int64_t now = replicas_of(o), wanted = now;
    if (vim_action_is(r, "scale") && !wanted_of(r, now, &wanted, d))
        return;
    if (*vim_text(json_object_get(o, "metadata"), "resourceVersion") == '\0' ||
        actuator_lanes_add(&r->lanes, vim_arg(r, "name"), &lane) != HALE_OK ||
        !remember(lane, o, wanted)) {
        actuator_decide_fail(d, "the %s has no usable name or version",
                             vim_arg(r, "kind"));
        return;
    }
    if (vim_action_is(r, "scale") && wanted == now)
        lane->phase = ACTUATOR_POLL; /* it is told so already */
    vim_done(d, "%s has %lld replicas", lane->id, (long long)now);
}

/* NULL, or why the pod cannot be handled. Ended: nothing is to be done. */
static const char *add_pod(struct actuator_run *r, const json_t *pod)
{
    struct actuator_lane *lane;
    const json_t *meta = json_object_get(pod, "metadata");
    enum hale_rc rc = actuator_lanes_add(&r->lanes, vim_text(meta, "name"), &lane);
    if (rc == HALE_E_LIMIT)
        return "too many pods on the node";
    if (rc != HALE_OK || !actuator_item_id_ok(vim_text(meta, "uid")) ||
        !actuator_item_id_ok(vim_text(meta, "namespace")) ||
        actuator_lane_set(lane, "ns", vim_text(meta, "namespace")) != HALE_OK ||
        actuator_lane_set(lane, "uid", vim_text(meta, "uid")) != HALE_OK)
        return "a pod without a usable name or uid";
    if (json_is_string(json_object_get(meta, "deletionTimestamp")))
        lane->phase = ACTUATOR_POLL; /* it goes already */
    return NULL;
}

static void found_pod(struct actuator_run *r, const json_t *o,
                      struct actuator_decision *d)
{
    const char *uid = vim_arg(r, "uid");
    if (*uid != '\0' &&
        strcmp(uid, vim_text(json_object_get(o, "metadata"), "uid")) != 0) {
        vim_done(d, "pod %.100s is another one already", vim_arg(r, "pod"));
        return;
    }
    const char *wrong = add_pod(r, o);
    if (wrong != NULL)
        actuator_decide_fail(d, "%s", wrong);
    else
        vim_done(d, "pod %.100s is there", vim_arg(r, "pod"));
}

static void found_node(struct actuator_run *r, const json_t *o,
                       struct actuator_decision *d)
{
    struct actuator_lane *lane;
    bool closed =
        json_is_true(json_object_get(json_object_get(o, "spec"), "unschedulable"));
    if (actuator_lanes_add(&r->lanes, vim_arg(r, "node"), &lane) != HALE_OK ||
        json_object_set_new(lane->facts, "node", json_true()) != 0) {
        actuator_decide_fail(d, "the node has no usable name");
        return;
    }
    if (!vim_action_is(r, "drain") && closed == vim_action_is(r, "cordon")) {
        lane->end = ACTUATOR_LANE_GOOD;
        (void)snprintf(lane->text, sizeof(lane->text), "it is %s already",
                       closed ? "cordoned" : "schedulable");
    }
    vim_done(d, "node %.100s is there", lane->id);
}

static void find_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    json_t *o = vim_json(a);
    if (a->status == 404 && of_pod(r))
        vim_done(d, "there is no pod %.100s: nothing to do", vim_arg(r, "pod"));
    else if (a->status >= 300)
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (!json_is_object(json_object_get(o, "metadata")))
        vim_again(r, NULL, "the API server's answer cannot be read", d);
    else if (of_workload(r))
        found_workload(r, o, d);
    else if (of_pod(r))
        found_pod(r, o, d);
    else
        found_node(r, o, d);
    json_decref(o);
}

/* --- requests ---------------------------------------------------------------------- */

static json_t *restart_body(const struct actuator_run *r)
{
    char mark[HALE_UUID_TEXT + 24], when[40];
    (void)snprintf(mark, sizeof(mark), "%s-%lld", r->id, (long long)r->step);
    (void)hale_clock_iso_s(r->step_us / 1000, when); /* the same each time */
    return json_pack("{s:{s:{s:{s:{s:s,s:s}}}}}", "spec", "template", "metadata",
                     "annotations", "kubectl.kubernetes.io/restartedAt", when, "hale-run",
                     mark);
}

/* grace is text; what is no number is left to the pod's own. */
static json_t *delete_options(const struct actuator_run *r,
                              const struct actuator_lane *lane, bool whole)
{
    int64_t grace;
    json_t *o =
        json_pack("{s:{s:s}}", "preconditions", "uid", actuator_lane_fact(lane, "uid"));
    bool ok = o != NULL;
    if (ok && whole)
        ok = json_object_set_new(o, "kind", json_string("DeleteOptions")) == 0 &&
             json_object_set_new(o, "apiVersion", json_string("v1")) == 0;
    if (ok && hale_str_i64(hale_str_from(vim_arg(r, "grace")), &grace) == HALE_OK &&
        grace >= 0)
        ok = json_object_set_new(o, "gracePeriodSeconds", json_integer(grace)) == 0;
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}

static void call_pod(const struct actuator_run *r, const struct actuator_lane *lane,
                     struct actuator_request *q)
{
    const char *space = actuator_lane_fact(lane, "ns");
    pod_url(space, lane->id, &q->url);
    if (vim_action_is(r, "delete-pod")) {
        q->method = "DELETE";
        vim_set_body(q, delete_options(r, lane, true));
        return;
    }
    q->method = "POST";
    hale_buf_add_c(&q->url, "/eviction");
    vim_set_body(q,
                 json_pack("{s:s,s:s,s:{s:s,s:s},s:o}", "apiVersion", "policy/v1", "kind",
                           "Eviction", "metadata", "name", lane->id, "namespace", space,
                           "deleteOptions", delete_options(r, lane, false)));
}

static void node_request(const struct actuator_run *r, const struct actuator_lane *lane,
                         struct actuator_request *q)
{
    if (lane->phase == ACTUATOR_POLL) { /* drain: what is on it, now that none is added */
        hale_buf_printf(&q->url, "/api/v1/pods?limit=%d&fieldSelector=spec.nodeName%%3D",
                        PODS_MAX);
        hale_http_quote(&q->url, hale_str_from(lane->id));
        return;
    }
    add_segment(&q->url, "/api/v1/nodes/", lane->id);
    set_patch(q, json_pack("{s:{s:o}}", "spec", "unschedulable",
                           vim_action_is(r, "uncordon") ? json_null() : json_true()));
}

static enum hale_rc request(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q)
{
    bool call = lane->phase == ACTUATOR_CALL || lane->phase == ACTUATOR_WAIT;
    if (is_node(lane)) {
        node_request(r, lane, q);
    } else if (!of_workload(r)) {
        if (call)
            call_pod(r, lane, q);
        else
            pod_url(actuator_lane_fact(lane, "ns"), lane->id, &q->url);
    } else {
        workload_url(r, &q->url);
        if (call && vim_action_is(r, "scale")) {
            hale_buf_add_c(&q->url, "/scale");
            set_patch(q, json_pack("{s:{s:s},s:{s:I}}", "metadata", "resourceVersion",
                                   actuator_lane_fact(lane, "rv"), "spec", "replicas",
                                   (json_int_t)number(lane->facts, "wanted")));
        } else if (call) {
            set_patch(q, restart_body(r));
        }
    }
    return HALE_OK;
}

/* --- answers ----------------------------------------------------------------------- */

static void on_call(const struct actuator_run *r, struct actuator_lane *lane,
                    const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    bool pod = !is_node(lane) && !of_workload(r);
    (void)vim_problem(a, detail, sizeof(detail));
    if (a->status < 300 && is_node(lane) && !vim_action_is(r, "drain")) {
        vim_done(d, "it is %s", vim_action_is(r, "cordon") ? "cordoned" : "schedulable");
    } else if (a->status < 300) {
        vim_follow(r, lane, is_node(lane) ? "cordoned" : "accepted", d);
    } else if (pod && (a->status == 404 || a->status == 409)) {
        vim_done(d, "that pod is gone already");
    } else if (a->status == 409 && vim_action_is(r, "scale")) {
        actuator_decide(d, ACTUATOR_CONFLICT, 0, "changed meanwhile%s", detail);
        d->note = true;
    } else if (a->status == 409) {
        vim_repeat(r, lane, "answered 409", d);
    } else {
        actuator_decide_fail(d, "refused with %u%s", a->status, detail);
    }
}

/* After a call without an answer, or one that was refused since the object had changed. */
static void on_look(const struct actuator_run *r, struct actuator_lane *lane,
                    const json_t *o, struct actuator_decision *d)
{
    int64_t wanted = number(lane->facts, "wanted"), now = replicas_of(o), fresh = wanted;
    bool same = number(json_object_get(o, "metadata"), "generation") ==
                number(lane->facts, "generation");
    bool relative = *vim_arg(r, "by") != '\0';
    bool unsure = lane->phase == ACTUATOR_ASK || lane->attempt > 1;
    if (!same && now == wanted) {
        vim_follow(r, lane, "the number is as wanted: following", d);
        return;
    }
    if (!same && relative && unsure) {
        actuator_decide_fail(d,
                             "it has been changed to %lld replicas since; whether by us "
                             "nobody knows: not scaled again",
                             (long long)now);
        return;
    }
    if (!same && relative && !wanted_of(r, now, &fresh, d))
        return;
    if (!remember(lane, o, fresh)) {
        actuator_decide_fail(d, "out of memory");
        return;
    }
    /* the version makes a repeat harmless, so it costs no retry */
    actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, lane->attempt),
                    "not scaled yet: again");
    d->note = true;
}

/* True once all its pods are what the specification wants. */
static bool rolled_out(const struct actuator_run *r, const json_t *o)
{
    const json_t *status = json_object_get(o, "status");
    int64_t want = replicas_of(o);
    if (number(status, "observedGeneration") <
        number(json_object_get(o, "metadata"), "generation"))
        return false;
    if (strcmp(vim_arg(r, "kind"), "daemonset") == 0) {
        want = number(status, "desiredNumberScheduled");
        return number(status, "numberReady") >= want &&
               number(status, "updatedNumberScheduled") >= want;
    }
    if (number(status, "replicas") != want || number(status, "readyReplicas") != want)
        return false;
    return vim_action_is(r, "scale") || number(status, "updatedReplicas") == want;
}

static void on_workload(struct actuator_run *r, struct actuator_lane *lane,
                        const json_t *o, struct actuator_decision *d)
{
    const json_t *status = json_object_get(o, "status");
    int64_t wanted = number(lane->facts, "wanted"), now = replicas_of(o);
    lane->queries = 0;
    if (vim_action_is(r, "scale") && now != wanted)
        actuator_decide_fail(d, "somebody has set %lld replicas instead of %lld",
                             (long long)now, (long long)wanted);
    else if (rolled_out(r, o))
        vim_done(d,
                 vim_action_is(r, "scale") ? "%lld replicas are ready"
                                           : "restarted, %lld replicas are ready",
                 (long long)now);
    else
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "%lld of %lld replicas are ready",
                        (long long)number(status, "readyReplicas"), (long long)now);
}

static void on_pod(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, const json_t *o,
                   struct actuator_decision *d)
{
    const char *uid = vim_text(json_object_get(o, "metadata"), "uid");
    if (a->status == 404) {
        vim_done(d, "the pod is gone");
    } else if (*uid == '\0') {
        vim_again(r, lane, "could not read the pod's state", d);
    } else if (strcmp(uid, actuator_lane_fact(lane, "uid")) != 0) {
        vim_done(d, "the pod is a new one");
    } else {
        lane->queries = 0;
        actuator_decide(d, ACTUATOR_POLL, actuator_run_step_int(r, "poll_ms") * 1000,
                        "the pod is ending");
    }
}

/* Pods that belong on this node stay: those of daemonsets, and those the kubelet reads itself. */
static bool stays(const json_t *pod)
{
    const json_t *meta = json_object_get(pod, "metadata"), *owner;
    const char *phase = vim_text(json_object_get(pod, "status"), "phase");
    size_t i;
    if (json_object_get(json_object_get(meta, "annotations"),
                        "kubernetes.io/config.mirror") != NULL ||
        strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return true;
    json_array_foreach (json_object_get(meta, "ownerReferences"), i, owner)
        if (strcmp(vim_text(owner, "kind"), "DaemonSet") == 0 &&
            json_is_true(json_object_get(owner, "controller")))
            return true;
    return false;
}

static bool is_managed(const json_t *pod)
{
    const json_t *owner;
    size_t i;
    json_array_foreach (
        json_object_get(json_object_get(pod, "metadata"), "ownerReferences"), i, owner)
        if (json_is_true(json_object_get(owner, "controller")))
            return true;
    return false;
}

/* The pods of a cordoned node become lanes (this moves the lanes in memory): all or none. */
static void on_pods(struct actuator_run *r, unsigned at, const json_t *o,
                    struct actuator_decision *d)
{
    const json_t *pod, *list = json_object_get(o, "items");
    const char *wrong = NULL;
    size_t i;
    if (!json_is_array(list)) {
        vim_again(r, &r->lanes.v[at], "the list of pods cannot be read", d);
        return;
    }
    if (*vim_text(json_object_get(o, "metadata"), "continue") != '\0')
        wrong = "too many pods on the node";
    json_array_foreach (list, i, pod)
        if (!stays(pod) && !is_managed(pod) &&
            strcmp(vim_arg(r, "unmanaged"), "refuse") == 0) {
            actuator_decide_fail(
                d, "nobody would start pod %.60s again ('unmanaged: evict' allows it)",
                vim_text(json_object_get(pod, "metadata"), "name"));
            return;
        }
    json_array_foreach (list, i, pod)
        if (wrong == NULL && !stays(pod))
            wrong = add_pod(r, pod);
    if (wrong == NULL) {
        vim_done(d, "cordoned, %u pods to evict", r->lanes.n - 1);
        return;
    }
    for (unsigned k = 0; k < r->lanes.n; k++)
        if (k != at) {
            r->lanes.v[k].end = ACTUATOR_LANE_BAD;
            (void)snprintf(r->lanes.v[k].text, sizeof(r->lanes.v[k].text), "not evicted");
        }
    actuator_decide_fail(d, "%s", wrong);
}

static void answer(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d)
{
    char detail[VIM_PROBLEM_MAX];
    if (lane->phase == ACTUATOR_CALL) {
        on_call(r, lane, a, d);
        return;
    }
    json_t *o = vim_json(a);
    if (a->status >= 300 && !(a->status == 404 && !is_node(lane) && !of_workload(r)))
        actuator_decide_fail(d, "refused with %u%s", a->status,
                             vim_problem(a, detail, sizeof(detail)));
    else if (is_node(lane))
        on_pods(r, (unsigned)(lane - r->lanes.v), o, d);
    else if (!of_workload(r))
        on_pod(r, lane, a, o, d);
    else if (!json_is_object(json_object_get(o, "metadata")))
        vim_again(r, lane, "could not read the state", d);
    else if (lane->phase == ACTUATOR_POLL)
        on_workload(r, lane, o, d);
    else
        on_look(r, lane, o, d);
    json_decref(o);
}

static bool idempotent(const struct actuator_run *r, const struct actuator_lane *lane)
{
    (void)lane;
    return !vim_action_is(r, "scale");
}

const struct actuator_vim_driver actuator_kubernetes = {.type = "kubernetes",
                                                        .service = "kubernetes",
                                                        .of_cluster = true,
                                                        .waits_429 = true,
                                                        .actions = ACTIONS,
                                                        .keys = KEYS,
                                                        .check = check,
                                                        .find_request = find_request,
                                                        .find_answer = find_answer,
                                                        .request = request,
                                                        .answer = answer,
                                                        .idempotent = idempotent};
