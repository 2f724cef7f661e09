/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/size.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/vim.h"
#include "net/http_client.h"

#define URL_MAX_BYTES 4096
#define PAGE          500 /* servers */
#define NODES_MAX                                                                        \
    1000 /* of a Senlin cluster: more, and nobody says how many are active */
#define LOOK struct actuator_size_look

void actuator_size_fini(struct actuator_size *s)
{
    free(s->query);
    free(s->cloud);
    free(s->url);
    free(s->credentials);
    free(s->space);
    free(s->thing);
    free(s->part);
    json_decref(s->metadata);
    memset(s, 0, sizeof(*s));
}

void actuator_size_begin(LOOK *k)
{
    memset(k, 0, sizeof(*k));
}

/* --- requests ---------------------------------------------------------------------- */

static void add_name(struct hale_buf *url, const char *before, const char *name)
{
    hale_buf_add_c(url, before);
    hale_http_quote(url, hale_str_from(name));
}

/* A stack's name leads to where its id says the stack is. */
static void heat_request(const struct actuator_size *s, const LOOK *k,
                         struct actuator_request *q)
{
    q->service = "orchestration";
    if (k->requests == 0) {
        add_name(&q->url, "/stacks/", s->thing);
        return;
    }
    hale_buf_printf(&q->url, "/stacks/%s/%s", k->name, k->id);
    if (s->kind == ACTUATOR_SIZE_GROUP)
        hale_buf_add_c(&q->url, "/resources?nested_depth=1");
}

static void workload_request(const struct actuator_size *s, struct actuator_request *q)
{
    q->of_cluster = true;
    add_name(&q->url, "/apis/apps/v1/namespaces/",
             s->space != NULL ? s->space : "default");
    hale_buf_printf(&q->url, "/%s", s->plural);
    add_name(&q->url, "/", s->thing);
}

static void cluster_request(const struct actuator_size *s, const LOOK *k,
                            struct actuator_request *q)
{
    q->service = "clustering";
    vim_header(q, "OpenStack-API-Version", "clustering 1.2");
    if (k->requests == 0)
        add_name(&q->url, "/v1/clusters/", s->thing);
    else
        hale_buf_printf(&q->url, "/v1/nodes?cluster_id=%s&status=ACTIVE&limit=%d", k->id,
                        NODES_MAX);
}

static void vnf_request(const struct actuator_size *s, struct actuator_request *q)
{
    q->service = "nfv-orchestration";
    if (s->url != NULL)
        hale_buf_add_c(&q->url, s->url);
    hale_buf_printf(&q->url, "/vnflcm/%s", s->v1 ? "v1" : "v2");
    add_name(&q->url, "/vnf_instances/", s->thing);
    vim_header(q, "Version", s->v1 ? "1.3.0" : "2.0.0");
}

/* Nova's own filter is a regular expression, and that of metadata for administrators only: all
 * servers of the project are read. */
static void servers_request(const LOOK *k, struct actuator_request *q)
{
    q->service = "compute";
    hale_buf_printf(&q->url, "/servers/detail?limit=%d", PAGE);
    if (k->id[0] != '\0')
        hale_buf_printf(&q->url, "&marker=%s", k->id);
}

enum hale_rc actuator_size_request(const struct actuator_size *s, const LOOK *k,
                                   struct actuator_request *q)
{
    memset(q, 0, sizeof(*q));
    hale_buf_init(&q->url, URL_MAX_BYTES);
    hale_buf_init(&q->body, 64);
    q->method = "GET";
    q->cloud = s->cloud != NULL ? s->cloud : "";
    q->service = q->token_file = "";
    q->credentials = s->credentials != NULL ? s->credentials : "";
    q->auth = "bearer";
    q->lane = ACTUATOR_NO_LANE;
    q->timeout_ms = ACTUATOR_SIZE_TIMEOUT_MS;
    q->headers = json_object();
    vim_header(q, "Accept", "application/json");
    switch (s->kind) {
    case ACTUATOR_SIZE_QUERY: return HALE_E_INVAL; /* metric.h */
    case ACTUATOR_SIZE_PARAMETER:
    case ACTUATOR_SIZE_GROUP: heat_request(s, k, q); break;
    case ACTUATOR_SIZE_WORKLOAD: workload_request(s, q); break;
    case ACTUATOR_SIZE_CLUSTER: cluster_request(s, k, q); break;
    case ACTUATOR_SIZE_ASPECT:
    case ACTUATOR_SIZE_VDU: vnf_request(s, q); break;
    case ACTUATOR_SIZE_SERVERS: servers_request(k, q); break;
    }
    if (q->headers == NULL || q->body.failed)
        return HALE_E_NOMEM;
    return q->url.failed ? HALE_E_LIMIT : HALE_OK;
}

/* --- answers ----------------------------------------------------------------------- */

static void unknown(LOOK *k, const char *fmt, ...) HALE_PRINTF(2, 3);
static void unknown(LOOK *k, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(k->error, sizeof(k->error), fmt, args);
    va_end(args);
    k->over = true;
    k->known = k->ready_known = false;
    k->size = k->ready = -1;
}

static void known(LOOK *k, int64_t size)
{
    if (size < 0 || size > ACTUATOR_SIZE_MAX) {
        unknown(k, "it is said to be %" PRId64 ": 0 to %d can be", size,
                ACTUATOR_SIZE_MAX);
        return;
    }
    k->over = k->known = true;
    k->size = size;
}

static void known_ready(LOOK *k, int64_t size, int64_t ready)
{
    known(k, size);
    k->ready_known = k->known;
    k->ready = ready;
}

/* A whole number, also as text. */
static bool number_of(const json_t *value, int64_t *out)
{
    if (json_is_string(value))
        return hale_str_i64(hale_str_from(json_string_value(value)), out) == HALE_OK;
    *out = (int64_t)json_integer_value(value);
    return json_is_integer(value);
}

static bool copy_id(char dst[ACTUATOR_ITEM_ID_MAX], const char *id)
{
    if (!actuator_item_id_ok(id))
        return false;
    (void)snprintf(dst, ACTUATOR_ITEM_ID_MAX, "%s", id);
    return true;
}

/* ".../stacks/NAME/ID": only the two names are taken, never the host. */
static void on_location(LOOK *k, struct hale_str location)
{
    char text[600];
    (void)snprintf(text, sizeof(text), "%.*s",
                   (int)(location.len < sizeof(text) ? location.len : 0),
                   location.p != NULL ? location.p : "");
    char *id = strrchr(text, '/'), *name = NULL;
    if (id != NULL) {
        *id++ = '\0';
        name = strrchr(text, '/');
    }
    if (name == NULL || !copy_id(k->name, name + 1) || !copy_id(k->id, id))
        unknown(k, "Heat does not say where the stack is");
}

static void on_parameter(const struct actuator_size *s, LOOK *k, const json_t *o)
{
    const json_t *stack = json_object_get(o, "stack");
    const json_t *value = json_object_get(json_object_get(stack, "parameters"), s->part);
    int64_t n = 0;
    if (strncmp(vim_text(stack, "stack_status"), "DELETE", 6) == 0)
        unknown(k, "the stack is being deleted");
    else if (value == NULL)
        unknown(k, "the stack has no parameter '%.100s'", s->part);
    else if (!number_of(value, &n))
        unknown(k, "the stack's parameter '%.100s' is not a number", s->part);
    else
        known(k, n);
}

static bool has_members(const json_t *resource)
{
    const json_t *link;
    size_t i;
    json_array_foreach (json_object_get(resource, "links"), i, link)
        if (strcmp(vim_text(link, "rel"), "nested") == 0)
            return true;
    return false;
}

static void on_group(const struct actuator_size *s, LOOK *k, const json_t *o)
{
    const json_t *list = json_object_get(o, "resources"), *resource;
    int64_t members = 0, ready = 0;
    bool group = false;
    size_t i;
    json_array_foreach (list, i, resource) {
        const char *status = vim_text(resource, "resource_status");
        bool going = strncmp(status, "DELETE", 6) == 0;
        if (strcmp(vim_text(resource, "parent_resource"), s->part) == 0) {
            members += going ? 0 : 1;
            ready += !going && strstr(status, "_COMPLETE") != NULL ? 1 : 0;
        } else if (*vim_text(resource, "parent_resource") == '\0' && !going &&
                   strcmp(vim_text(resource, "resource_name"), s->part) == 0) {
            group = has_members(resource);
        }
    }
    if (!json_is_array(list))
        unknown(k, "Heat's answer cannot be read");
    else if (!group)
        unknown(k, "the stack has no resource '%.100s' with members", s->part);
    else
        known_ready(k, members, ready);
}

static void on_workload(LOOK *k, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec"),
                 *status = json_object_get(o, "status");
    const json_t *replicas = json_object_get(spec, "replicas"),
                 *ready = json_object_get(status, "readyReplicas");
    if (!json_is_object(spec) || !json_is_object(status) ||
        (replicas != NULL && !json_is_integer(replicas)) ||
        (ready != NULL && !json_is_integer(ready)))
        unknown(k, "Kubernetes' answer cannot be read");
    else if (json_object_get(json_object_get(o, "metadata"), "deletionTimestamp") != NULL)
        unknown(k, "the workload is being deleted");
    else /* what is left out has its default: 1; ready are none */
        known_ready(k, replicas != NULL ? (int64_t)json_integer_value(replicas) : 1,
                    (int64_t)json_integer_value(ready));
}

static void on_cluster(LOOK *k, const json_t *o)
{
    const json_t *cluster = json_object_get(o, "cluster");
    const json_t *wanted = json_object_get(cluster, "desired_capacity");
    if (!json_is_integer(wanted) || !copy_id(k->id, vim_text(cluster, "id")))
        unknown(k, "Senlin's answer cannot be read");
    else if (strncmp(vim_text(cluster, "status"), "DELET", 5) == 0)
        unknown(k, "the cluster is being deleted");
    else
        k->size = (int64_t)json_integer_value(wanted);
}

static void on_nodes(LOOK *k, const json_t *o)
{
    const json_t *list = json_object_get(o, "nodes"), *node;
    int64_t active = 0;
    size_t i;
    json_array_foreach (list, i, node)
        active += strcmp(vim_text(node, "status"), "ACTIVE") == 0 ? 1 : 0;
    if (!json_is_array(list))
        unknown(k, "Senlin's answer cannot be read");
    else if (json_array_size(list) >= NODES_MAX)
        known(k, k->size);
    else
        known_ready(k, k->size, active);
}

static void on_vnf(const struct actuator_size *s, LOOK *k, const json_t *o)
{
    const json_t *info = json_object_get(o, "instantiatedVnfInfo"), *item;
    bool aspect = s->kind == ACTUATOR_SIZE_ASPECT;
    const json_t *list =
        json_object_get(info, aspect ? "scaleStatus" : "vnfcResourceInfo");
    const json_t *level = NULL;
    int64_t n = 0;
    size_t i;
    if (strcmp(vim_text(o, "instantiationState"), "INSTANTIATED") != 0) {
        unknown(k, "the VNF is not instantiated");
        return;
    }
    json_array_foreach (list, i, item) {
        if (aspect && strcmp(vim_text(item, "aspectId"), s->part) == 0)
            level = json_object_get(item, "scaleLevel");
        n += !aspect && strcmp(vim_text(item, "vduId"), s->part) == 0 ? 1 : 0;
    }
    if (!json_is_array(list))
        unknown(k, "the VNF's %s is not told",
                aspect ? "scaleStatus" : "vnfcResourceInfo");
    else if (!aspect)
        known(k, n);
    else if (!json_is_integer(level) || json_integer_value(level) < 0 ||
             json_integer_value(level) > ACTUATOR_SIZE_MAX)
        unknown(k, "the VNF has no scale level of aspect '%.100s'", s->part);
    else
        known(k, s->base + (int64_t)json_integer_value(level));
}

static bool is_ours(const struct actuator_size *s, const json_t *server)
{
    const char *key;
    json_t *value;
    if (s->part != NULL &&
        strncmp(vim_text(server, "name"), s->part, strlen(s->part)) != 0)
        return false;
    json_object_foreach (s->metadata, key, value)
        if (strcmp(vim_text(json_object_get(server, "metadata"), key),
                   json_string_value(value)) != 0)
            return false;
    return true;
}

static void count_server(const struct actuator_size *s, LOOK *k, const json_t *server)
{
    /* what runs will run again, or is about to */
    static const char *const counted[] = {
        "ACTIVE",    "BUILD",  "REBUILD",       "REBOOT",        "HARD_REBOOT",
        "MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "PASSWORD"};
    const char *status = vim_text(server, "status");
    if (!is_ours(s, server))
        return;
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        k->size += strcmp(status, counted[i]) == 0 ? 1 : 0;
    k->ready += strcmp(status, "ACTIVE") == 0 ? 1 : 0;
}

static void on_servers(const struct actuator_size *s, LOOK *k, const json_t *o)
{
    const json_t *list = json_object_get(o, "servers"), *server, *link;
    bool more = json_array_size(list) >= PAGE;
    const char *last = "";
    size_t i;
    if (!json_is_array(list)) {
        unknown(k, "Nova's answer cannot be read");
        return;
    }
    json_array_foreach (list, i, server) {
        count_server(s, k, server);
        last = vim_text(server, "id");
    }
    json_array_foreach (json_object_get(o, "servers_links"), i, link)
        more = more || strcmp(vim_text(link, "rel"), "next") == 0;
    if (!more)
        known_ready(k, k->size, k->ready);
    else if (strcmp(last, k->id) == 0 || !copy_id(k->id, last))
        unknown(k, "Nova's list has no end");
}

/* The status as a person would say it. True: there is something to read. */
static bool readable(const struct actuator_size *s, LOOK *k,
                     const struct actuator_answer *a)
{
    char detail[VIM_PROBLEM_MAX];
    if (a->rc != HALE_OK)
        unknown(k, "no answer: %.300s", a->error);
    else if (a->status == 404)
        unknown(k, "there is no '%.100s' there", s->thing != NULL ? s->thing : "");
    else if (a->status != 200)
        unknown(k, "answered %u%s%s", a->status, vim_problem(a, detail, sizeof(detail)),
                a->status == 403 ? " (has our user the role for it?)" : "");
    else
        return true;
    return false;
}

void actuator_size_answer(const struct actuator_size *s, LOOK *k,
                          const struct actuator_answer *a)
{
    bool first = k->requests++ == 0;
    if (first && (s->kind == ACTUATOR_SIZE_PARAMETER || s->kind == ACTUATOR_SIZE_GROUP) &&
        a->rc == HALE_OK && a->status == 302) {
        on_location(k, a->location);
        return;
    }
    if (!readable(s, k, a))
        return;
    json_t *o = vim_json(a);
    switch (s->kind) {
    case ACTUATOR_SIZE_QUERY: break; /* metric.h */
    case ACTUATOR_SIZE_PARAMETER: on_parameter(s, k, o); break;
    case ACTUATOR_SIZE_GROUP: on_group(s, k, o); break;
    case ACTUATOR_SIZE_WORKLOAD: on_workload(k, o); break;
    case ACTUATOR_SIZE_CLUSTER:
        if (first)
            on_cluster(k, o);
        else
            on_nodes(k, o);
        break;
    case ACTUATOR_SIZE_ASPECT:
    case ACTUATOR_SIZE_VDU: on_vnf(s, k, o); break;
    case ACTUATOR_SIZE_SERVERS: on_servers(s, k, o); break;
    }
    json_decref(o);
    if (!k->over && k->requests >= ACTUATOR_SIZE_PAGES_MAX)
        unknown(k, "more pages than %d", ACTUATOR_SIZE_PAGES_MAX);
}
