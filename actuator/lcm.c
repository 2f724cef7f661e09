/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/lcm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/id.h"
#include "net/http_client.h"

#define ASK_DELAY_US    50000
#define ASK_AGAIN_US    500000
#define ASKS            4 /* that find nothing: the call may be on its way in there still */
#define CONFLICT_MAX_US 2000000
#define CLOCK_SLACK_MS  1000 /* startTime may be cut to seconds, clocks differ */

static const struct actuator_lcm_api APIS[] = {
    {"vnflcm",
     "the VNFM",
     "VNF",
     "vnf",
     "vnf_instances",
     "vnf_lcm_op_occs",
     "vnfInstanceId",
     {"1.3.0", "2.0.0"}},
    {"nslcm",
     "the NFVO",
     "NS",
     "ns",
     "ns_instances",
     "ns_lcm_op_occs",
     "nsInstanceId",
     {"1.4.0", "2.1.0"}},
};
const char *const actuator_lcm_words[] = {"retry", "rollback", "fail", NULL};

const struct actuator_lcm_api *actuator_lcm_api(const char *type)
{
    for (size_t i = 0; i < sizeof(APIS) / sizeof(APIS[0]); i++)
        if (strcmp(APIS[i].type, type) == 0)
            return &APIS[i];
    return NULL;
}

static const struct actuator_lcm_api *api_of(const struct actuator_run *r)
{
    return actuator_lcm_api(actuator_run_step_type(r));
}

static const char *instance(const struct actuator_run *r)
{
    return actuator_run_step_text(r, api_of(r)->plan_key);
}

static size_t root_len(const char *root)
{
    size_t n = strlen(root);
    while (n > 0 && root[n - 1] == '/')
        n--;
    return n;
}

uint64_t actuator_lcm_instance(const struct actuator_run *r)
{
    const char *root = actuator_run_step_text(r, "url"), *id = instance(r);
    uint64_t seed = hale_id_hash64(root, root_len(root));
    const char *cloud = actuator_run_step_text(r, "cloud");
    seed = hale_id_hash64_seed(cloud, strlen(cloud), seed);
    uint64_t hash = hale_id_hash64_seed(id, strlen(id), seed);
    return hash != 0 ? hash : 1;
}

/* --- requests ---------------------------------------------------------------------- */

/* v1 or v2, as the plan says. */
static bool is_v1(const struct actuator_run *r)
{
    return strcmp(actuator_run_step_text(r, "api"), "v1") == 0;
}

static void base_url(const struct actuator_run *r, struct hale_buf *url)
{
    const char *root = actuator_run_step_text(r, "url");
    hale_buf_add(url, root, root_len(root));
    hale_buf_printf(url, "/%s/%s/", api_of(r)->type, is_v1(r) ? "v1" : "v2");
}

static void list_query(const struct actuator_run *r, bool open_only, struct hale_buf *url)
{
    hale_buf_printf(url, "%s?filter=(eq,%s,", api_of(r)->occurrences,
                    api_of(r)->instance_key);
    hale_http_quote(url, hale_str_from(instance(r)));
    hale_buf_add_c(url, ")");
    if (open_only)
        hale_buf_add_c(
            url, ";(in,operationState,STARTING,PROCESSING,ROLLING_BACK,FAILED_TEMP)");
    else
        hale_buf_add_c(url, "&all_fields");
}

/* The call itself: to the API, or one of the other ways into Tacker. */
static const json_t *call_url(const struct actuator_run *r, struct hale_buf *url)
{
    const json_t *call = json_object_get(actuator_run_step(r), "call");
    const char *way = json_string_value(json_object_get(call, "way"));
    const char *server = json_string_value(json_object_get(call, "server"));
    const char *root = actuator_run_step_text(r, "url");
    if (way == NULL) {
        hale_buf_printf(url, "%s/", api_of(r)->instances);
        hale_http_quote(url, hale_str_from(instance(r)));
        hale_buf_printf(url, "/%s", actuator_run_step_text(r, "operation"));
        return json_object_get(actuator_run_step(r), "body");
    }
    hale_buf_reset(url);
    hale_buf_add(url, root, root_len(root));
    if (server == NULL) {
        hale_buf_printf(url, "/alert/%s", way);
    } else {
        hale_buf_add_c(url, "/server_notification/vnf_instances/");
        hale_http_quote(url, hale_str_from(instance(r)));
        hale_buf_add_c(url, "/servers/");
        hale_http_quote(url, hale_str_from(server));
        hale_buf_add_c(url, "/notify");
    }
    return json_object_get(call, "body");
}

static bool headers(const struct actuator_run *r, bool body, json_t *out)
{
    const char *version = actuator_run_step_text(r, "version");
    if (*version == '\0')
        version = api_of(r)->version[is_v1(r) ? 0 : 1];
    int rc = json_object_set_new(out, "Version", json_string(version));
    rc |= json_object_set_new(out, "Accept", json_string("application/json"));
    if (body)
        rc |= json_object_set_new(out, "Content-Type", json_string("application/json"));
    return rc == 0;
}

enum hale_rc actuator_lcm_request(const struct actuator_run *r,
                                  struct actuator_request *out)
{
    const json_t *body = NULL;
    json_t *mode = NULL; /* owned */
    out->cloud = actuator_run_step_text(r, "cloud");
    out->service = "nfv-orchestration";
    out->method = "GET";
    base_url(r, &out->url);
    switch (r->phase) {
    case ACTUATOR_WAIT:
    case ACTUATOR_CALL:
    case ACTUATOR_QUEUE:
        out->method = "POST";
        body = call_url(r, &out->url);
        break;
    case ACTUATOR_HOLD:
    case ACTUATOR_PROVE:
    case ACTUATOR_LANES: return HALE_E_INVAL; /* not of this step */
    case ACTUATOR_ASK: list_query(r, false, &out->url); break;
    case ACTUATOR_CONFLICT: list_query(r, true, &out->url); break;
    case ACTUATOR_POLL:
        hale_buf_printf(&out->url, "%s/%s", api_of(r)->occurrences, r->op_occ);
        break;
    case ACTUATOR_SETTLE:
        out->method = "POST";
        hale_buf_printf(&out->url, "%s/%s/%s", api_of(r)->occurrences, r->op_occ,
                        r->settle[0] != '\0' ? r->settle : "fail");
        if (strcmp(r->settle, "cancel") == 0)
            body = mode =
                json_pack("{s:s}", "cancelMode", actuator_run_step_text(r, "cancel"));
        break;
    }
    char *dump = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    if (dump != NULL)
        hale_buf_add_c(&out->body, dump);
    bool ok = headers(r, body != NULL, out->headers) && (body == NULL || dump != NULL);
    free(dump);
    json_decref(mode);
    return ok ? HALE_OK : HALE_E_NOMEM;
}

/* --- the call ---------------------------------------------------------------------- */

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

/* Only the last segment of Location counts: the manager does not choose the host we call. */
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
    d->at_work = true;
    r->queries = 0;
    r->settled = false;
    r->settle[0] = r->settle_seen[0] = '\0';
}

static bool by_alert(const struct actuator_run *r)
{
    return json_object_get(actuator_run_step(r), "call") != NULL;
}

int64_t lcm_poll_us(const struct actuator_run *r)
{
    return actuator_run_step_int(r, "poll_ms") * 1000;
}

static void accepted(struct actuator_run *r, const struct actuator_answer *a,
                     struct actuator_decision *d)
{
    if (by_alert(r))
        actuator_decide(d, ACTUATOR_ASK, lcm_poll_us(r),
                        "answered %u, which says nothing: looking for the operation",
                        a->status);
    else if (a->status != 202)
        actuator_decide_fail(d, "answered %u, which %s does not know here (expected 202)",
                             a->status, api_of(r)->type);
    else if (id_of_location(a->location, r->op_occ))
        follow(r, d, lcm_poll_us(r), "accepted as");
    else
        actuator_decide_fail(d, "answered 202 without a usable Location header: the "
                                "operation cannot be followed");
}

static void refused(struct actuator_run *r, const struct actuator_answer *a,
                    struct actuator_decision *d)
{
    char detail[256];
    int64_t backoff = actuator_step_backoff_us(r, r->failures + 1);
    const char *problem = actuator_problem_text(a, detail, sizeof(detail));
    if (a->status == 409) {
        r->call_us = 0;
        actuator_decide(d, ACTUATOR_CONFLICT, actuator_step_backoff_us(r, 1) / 4,
                        "refused with 409%s: waiting for the other operation", problem);
    } else if (a->status == 503 || a->status == 429) {
        r->call_us = 0;
        actuator_decide(d, ACTUATOR_WAIT, actuator_retry_after_us(a, backoff),
                        "answered %u%s", a->status, problem);
        d->counts = true;
    } else if (a->status >= 500) { /* it may have begun before it failed */
        actuator_decide(d, ACTUATOR_ASK, backoff, "answered %u%s", a->status, problem);
    } else {
        actuator_decide_fail(d, "refused with %u%s%s", a->status, problem,
                             a->status == 406
                                 ? " (does it speak another version? see key 'version')"
                                 : "");
    }
}

static void on_call(struct actuator_run *r, const struct actuator_answer *a,
                    struct actuator_decision *d)
{
    d->note = true;
    r->queries = 0;
    if (a->rc == HALE_E_LIMIT || a->rc == HALE_E_INVAL || a->rc == HALE_E_DENIED) {
        actuator_decide_fail(d, "%s", a->error);
    } else if (a->rc != HALE_OK && !a->sent) {
        r->call_us = 0; /* it cannot have begun */
        actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->failures + 1),
                        "not reached: %s", a->error);
        d->counts = true;
    } else if (a->rc != HALE_OK) {
        actuator_decide(d, ACTUATOR_ASK, ASK_DELAY_US,
                        "no answer (%s): asking %s whether it has begun", a->error,
                        api_of(r)->who);
    } else if (a->status >= 400) {
        refused(r, a, d);
    } else if (a->status >= 200 && a->status < 300) {
        accepted(r, a, d);
    } else {
        actuator_decide_fail(d, "answered %u, which %s does not know here (expected 202)",
                             a->status, api_of(r)->type);
    }
}

/* --- questions --------------------------------------------------------------------- */

/* An unlucky question: asked again with growing pauses, unreadable answers only a few
 * times. */
void lcm_ask_again(struct actuator_run *r, const struct actuator_answer *a,
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
    else if (a->status == 200 && r->queries < LCM_GARBAGE_MAX)
        actuator_decide(d, r->phase, actuator_step_backoff_us(r, r->queries),
                        "%s: the answer is not the JSON of the API", what);
    else if (a->status == 200)
        actuator_decide_fail(d, "%s: the answer is not the JSON of the API", what);
    else
        actuator_decide_fail(d, "%s: answered %u", what, a->status);
}

json_t *lcm_json(const struct actuator_answer *a)
{
    return a->rc == HALE_OK && a->status == 200 && a->body.len > 0
               ? json_loadb(a->body.p, a->body.len, 0, NULL)
               : NULL;
}

const char *lcm_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

/* A word that SOL 003 and SOL 005 name differently. */
const char *lcm_either(const json_t *o, const char *key, const char *other)
{
    const char *text = lcm_text(o, key);
    return *text != '\0' ? text : lcm_text(o, other);
}

static const char *kind_of(const json_t *op)
{
    return lcm_either(op, "operation", "lcmOperationType");
}

/* have has all that want has. Tacker gathers several alerts into one operation. */
static bool covers(const json_t *have, const json_t *want, int depth)
{
    const char *key;
    const json_t *value;
    size_t i, k;
    if (depth > 8)
        return false;
    if (json_is_object(want)) {
        json_object_foreach ((json_t *)(uintptr_t)want, key, value)
            if (!covers(json_object_get(have, key), value, depth + 1))
                return false;
        return true;
    }
    if (!json_is_array(want))
        return json_equal((json_t *)(uintptr_t)want, (json_t *)(uintptr_t)have) != 0;
    json_array_foreach (want, i, value) {
        bool found = false;
        for (k = 0; k < json_array_size(have) && !found; k++)
            found = covers(json_array_get(have, k), value, depth + 1);
        if (!found)
            return false;
    }
    return json_is_array(have);
}

/* The operation's parameters are those of our body, as far as they are told. */
static bool params_fit(const struct actuator_run *r, const json_t *op)
{
    const json_t *body = json_object_get(actuator_run_step(r), "body");
    const json_t *params = json_object_get(op, "operationParams");
    const char *key;
    json_t *want;
    if (!json_is_object(params))
        return true;
    if (by_alert(r))
        return covers(params, body, 0);
    json_object_foreach ((json_t *)(uintptr_t)body, key, want)
        if (!json_equal(want, json_object_get(params, key)))
            return false;
    return true;
}

/* True when op can be what our call began: same kind, begun since, not somebody else's
 * by its parameters, and not followed by another run. */
static bool may_be_ours(const struct actuator_run *r, const struct actuator_answer *a,
                        const json_t *op, bool (*taken)(const char *op_id, void *arg),
                        void *arg)
{
    int64_t start_ms = 0;
    char id[ACTUATOR_OP_ID_MAX];
    return strcasecmp(kind_of(op), actuator_run_step_text(r, "operation")) == 0 &&
           strcmp(lcm_text(op, api_of(r)->instance_key), instance(r)) == 0 &&
           take_id(hale_str_from(lcm_text(op, "id")), id) && !taken(id, arg) &&
           strcmp(id, r->op_occ) != 0 &&
           hale_clock_parse_iso(hale_str_from(lcm_text(op, "startTime")), &start_ms) ==
               HALE_OK &&
           actuator_answer_since(a, start_ms, r->call_us, CLOCK_SLACK_MS) &&
           params_fit(r, op);
}

/* Whether the operation of the call may appear yet. */
static bool may_appear(struct actuator_run *r, int64_t now_us)
{
    if (by_alert(r))
        return now_us < r->call_us + actuator_run_step_int(r, "appear_ms") * 1000;
    return ++r->queries < ASKS;
}

static void not_known(struct actuator_run *r, int64_t now_us, struct actuator_decision *d)
{
    if (may_appear(r, now_us)) {
        actuator_decide(d, ACTUATOR_ASK, by_alert(r) ? lcm_poll_us(r) : ASK_AGAIN_US,
                        "no operation has begun yet");
        return;
    }
    r->queries = 0;
    actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->failures + 1) / 2,
                    "%s%s", api_of(r)->who,
                    by_alert(r) ? " has begun no operation: is it allowed to heal and "
                                  "scale by itself, and are the ids right?"
                                : " does not know the call");
    d->counts = true;
    d->note = true;
}

static void on_ask(struct actuator_run *r, const struct actuator_answer *a,
                   int64_t now_us, bool (*taken)(const char *op_id, void *arg), void *arg,
                   struct actuator_decision *d)
{
    json_t *list = lcm_json(a);
    const char *found = NULL, *found_start = "";
    if (!json_is_array(list)) {
        lcm_ask_again(r, a, "could not find out whether the operation has begun", d);
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *op = json_array_get(list, i);
        if (may_be_ours(r, a, op, taken, arg) &&
            strcmp(lcm_text(op, "startTime"), found_start) >= 0) {
            found = lcm_text(op, "id");
            found_start = lcm_text(op, "startTime");
        }
    }
    if (found != NULL && take_id(hale_str_from(found), r->op_occ))
        follow(r, d, 0, "it has begun: following");
    else
        not_known(r, now_us, d);
    json_decref(list);
}

bool lcm_is_open(const char *state)
{
    return strcmp(state, "STARTING") == 0 || strcmp(state, "PROCESSING") == 0 ||
           strcmp(state, "ROLLING_BACK") == 0;
}

static void on_conflict(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    json_t *list = lcm_json(a);
    const json_t *holder = NULL, *op;
    size_t i;
    json_array_foreach (list, i, op) /* whoever ignores the filter tells more */
        if (holder == NULL &&
            strcmp(lcm_text(op, api_of(r)->instance_key), instance(r)) == 0 &&
            (lcm_is_open(lcm_text(op, "operationState")) ||
             strcmp(lcm_text(op, "operationState"), "FAILED_TEMP") == 0))
            holder = op;
    if (!json_is_array(list)) {
        lcm_ask_again(r, a, "could not read the operations under way", d);
    } else if (holder == NULL) {
        actuator_decide(d, ACTUATOR_WAIT,
                        r->attempt > 0 ? actuator_step_backoff_us(r, r->attempt) / 4 : 0,
                        "no other operation holds the %s any more", api_of(r)->thing);
    } else {
        int64_t delay = actuator_step_backoff_us(r, ++r->queries) / 2;
        actuator_decide(d, ACTUATOR_CONFLICT,
                        delay < CONFLICT_MAX_US ? delay : CONFLICT_MAX_US,
                        "operation %.40s (%.20s) is %.20s", lcm_text(holder, "id"),
                        kind_of(holder), lcm_text(holder, "operationState"));
    }
    json_decref(list);
}

void actuator_lcm_answer(struct actuator_run *r, const struct actuator_answer *a,
                         int64_t now_us, bool (*taken)(const char *op_id, void *arg),
                         void *arg, struct actuator_decision *d)
{
    switch (r->phase) {
    case ACTUATOR_WAIT:
    case ACTUATOR_CALL: on_call(r, a, d); break;
    case ACTUATOR_ASK: on_ask(r, a, now_us, taken, arg, d); break;
    case ACTUATOR_CONFLICT: on_conflict(r, a, d); break;
    case ACTUATOR_POLL: lcm_on_poll(r, a, d); break;
    case ACTUATOR_SETTLE: lcm_on_settle(r, a, d); break;
    case ACTUATOR_QUEUE:
    case ACTUATOR_HOLD:
    case ACTUATOR_PROVE:
    case ACTUATOR_LANES: actuator_decide_fail(d, "an answer of another step"); break;
    }
    d->timed_out = d->end == ACTUATOR_STEP_FAILED && r->cancel_us > 0;
}

enum actuator_phase actuator_lcm_resume(const struct actuator_run *r)
{
    if (r->phase == ACTUATOR_CALL)
        return ACTUATOR_ASK; /* it may have arrived: nobody heard the answer */
    if (r->phase == ACTUATOR_SETTLE)
        return ACTUATOR_POLL; /* the state tells whether the word has arrived */
    return r->phase;
}
