/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/upkeep_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

#define MICROVERSION "2.60" /* hypervisors still tell their vcpus */
#define PAGE         200
#define NODES_MAX    10000
#define SERVERS_MAX  (2 * ACTUATOR_UPKEEP_INSTANCES_MAX)
#define TIMEOUT_MS   30000

enum stage { SERVICES, HYPERVISORS, SERVERS, DONE };

static void blind(struct actuator_upkeep_look *l, const char *fmt, ...) HALE_PRINTF(2, 3);
static void blind(struct actuator_upkeep_look *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(l->world.why, sizeof(l->world.why), fmt, args);
    va_end(args);
    l->stage = DONE;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

bool actuator_upkeep_look_init(struct actuator_upkeep_look *l,
                               const struct actuator_upkeep_session *s, const char *only)
{
    memset(l, 0, sizeof(*l));
    size_t n = only != NULL ? 1 : actuator_upkeep_hosts(s);
    l->whole = only == NULL;
    l->sized = actuator_upkeep_rules(s)->cpu_ratio > 0;
    l->stage = l->whole ? SERVICES : SERVERS;
    l->host = calloc(n + 1, sizeof(*l->host));
    for (size_t i = 0; l->host != NULL && i < n; i++) {
        l->host[i] = strdup(only != NULL ? only : actuator_upkeep_host(s, i));
        if (l->host[i] == NULL)
            return false;
        l->n_hosts++;
    }
    return l->host != NULL;
}

void actuator_upkeep_look_fini(struct actuator_upkeep_look *l)
{
    for (unsigned i = 0; i < l->n_hosts; i++)
        free(l->host[i]);
    for (unsigned i = 0; i < l->world.n_nodes; i++)
        free(l->world.node[i].name);
    for (unsigned i = 0; i < l->world.n_servers; i++) {
        struct actuator_upkeep_server *v = &l->world.server[i];
        free(v->id);
        free(v->name);
        free(v->project);
        free(v->host);
        json_decref(v->constraint);
    }
    free(l->host);
    free(l->world.node);
    free(l->world.server);
    memset(l, 0, sizeof(*l));
}

/* --- questions -------------------------------------------------------------------------- */

bool actuator_upkeep_look_request(const struct actuator_upkeep_look *l, const char *cloud,
                                  struct actuator_request *out)
{
    if (l->stage == DONE || (l->stage == SERVERS && l->at == l->n_hosts))
        return false;
    memset(out, 0, sizeof(*out));
    hale_buf_init(&out->url, 4096);
    hale_buf_init(&out->body, 1);
    out->method = "GET";
    out->cloud = cloud;
    out->service = "compute";
    out->lane = ACTUATOR_NO_LANE;
    out->auth = "x-auth-token";
    out->token_file = out->credentials = "";
    out->timeout_ms = TIMEOUT_MS;
    out->headers =
        json_pack("{s:s, s:s}", "OpenStack-API-Version", "compute " MICROVERSION,
                  "X-OpenStack-Nova-API-Version", MICROVERSION);
    if (l->stage == SERVICES) {
        hale_buf_add_c(&out->url, "/os-services?binary=nova-compute");
    } else if (l->stage == HYPERVISORS) {
        hale_buf_add_c(&out->url, "/os-hypervisors/detail");
    } else {
        hale_buf_printf(&out->url, "/servers/detail?all_tenants=1&limit=%d&host=", PAGE);
        hale_http_quote(&out->url, hale_str_from(l->host[l->at]));
        if (l->marker[0] != '\0')
            hale_buf_printf(&out->url, "&marker=%s", l->marker);
    }
    return true;
}

/* --- answers ---------------------------------------------------------------------------- */

static void on_services(struct actuator_upkeep_look *l, const json_t *o)
{
    const json_t *list = json_object_get(o, "services"), *x;
    size_t i, n = json_array_size(list);
    if (!json_is_array(list) || n > NODES_MAX) {
        blind(l, "its list of services cannot be read");
        return;
    }
    l->world.node = calloc(n + 1, sizeof(*l->world.node));
    json_array_foreach (list, i, x) {
        struct actuator_upkeep_node *node = &l->world.node[l->world.n_nodes];
        if (l->world.node == NULL || strcmp(text_of(x, "binary"), "nova-compute") != 0)
            continue;
        node->name = strdup(text_of(x, "host"));
        node->up = strcmp(text_of(x, "state"), "up") == 0;
        node->enabled = strcmp(text_of(x, "status"), "enabled") == 0;
        l->world.n_nodes += node->name != NULL;
    }
    l->stage = l->sized ? HYPERVISORS : SERVERS;
}

static void on_hypervisor(struct actuator_upkeep_look *l, const json_t *x)
{
    const char *host = text_of(json_object_get(x, "service"), "host");
    const json_t *vcpus = json_object_get(x, "vcpus"),
                 *ram = json_object_get(x, "memory_mb");
    for (unsigned i = 0; i < l->world.n_nodes; i++) {
        struct actuator_upkeep_node *node = &l->world.node[i];
        if (strcmp(node->name, host) != 0 || !json_is_integer(vcpus) ||
            !json_is_integer(ram))
            continue;
        node->sized = true;
        node->vcpus += (int64_t)json_integer_value(vcpus);
        node->vcpus_used += (int64_t)json_integer_value(json_object_get(x, "vcpus_used"));
        node->ram += (int64_t)json_integer_value(ram);
        node->ram_used +=
            (int64_t)json_integer_value(json_object_get(x, "memory_mb_used"));
    }
}

static void on_hypervisors(struct actuator_upkeep_look *l, const json_t *o)
{
    const json_t *x;
    size_t i;
    json_array_foreach (json_object_get(o, "hypervisors"), i, x)
        on_hypervisor(l, x);
    l->stage = SERVERS;
}

static bool add_server(struct actuator_upkeep_look *l, const json_t *x)
{
    const char *state = text_of(x, "OS-EXT-STS:vm_state");
    const char *host = text_of(x, "OS-EXT-SRV-ATTR:host");
    if (json_object_get(x, "OS-EXT-SRV-ATTR:host") == NULL) {
        blind(l,
              "it does not say which host a server is on: our user needs the admin role");
        return false;
    }
    if (strcmp(host, l->host[l->at]) != 0 || strcmp(state, "deleted") == 0 ||
        strcmp(state, "soft-delete") == 0)
        return true;
    if (l->world.n_servers >= SERVERS_MAX) {
        blind(l, "it has more than %d servers there", SERVERS_MAX);
        return false;
    }
    struct actuator_upkeep_server *grown =
        realloc(l->world.server, (l->world.n_servers + 1) * sizeof(*grown));
    if (grown == NULL) {
        blind(l, "out of memory");
        return false;
    }
    l->world.server = grown;
    struct actuator_upkeep_server *v = &grown[l->world.n_servers++];
    memset(v, 0, sizeof(*v));
    v->id = strdup(text_of(x, "id"));
    v->name = strdup(text_of(x, "name"));
    v->project = strdup(text_of(x, "tenant_id"));
    v->host = strdup(host);
    v->moving = strcmp(state, "building") == 0;
    if (v->id != NULL && v->name != NULL && v->project != NULL && v->host != NULL)
        return true;
    blind(l, "out of memory");
    return false;
}

static void on_servers(struct actuator_upkeep_look *l, const json_t *o)
{
    const json_t *list = json_object_get(o, "servers"), *x;
    size_t i, n = json_array_size(list);
    if (!json_is_array(list)) {
        blind(l, "its list of servers cannot be read");
        return;
    }
    json_array_foreach (list, i, x)
        if (!add_server(l, x))
            return;
    const char *last = n > 0 ? text_of(json_array_get(list, n - 1), "id") : "";
    if (n >= PAGE && strlen(last) == HALE_UUID_TEXT - 1) {
        memcpy(l->marker, last, sizeof(l->marker));
        return;
    }
    l->marker[0] = '\0';
    l->at++;
}

void actuator_upkeep_look_answer(struct actuator_upkeep_look *l,
                                 const struct actuator_answer *a)
{
    json_t *o = a->rc == HALE_OK && a->status == 200
                    ? json_loadb(a->body.p != NULL ? a->body.p : "", a->body.len, 0, NULL)
                    : NULL;
    if (a->rc != HALE_OK)
        blind(l, "%.200s", a->error != NULL ? a->error : hale_rc_text(a->rc));
    else if (a->status != 200)
        blind(l, "it answered %u", a->status);
    else if (!json_is_object(o))
        blind(l, "its answer is not JSON");
    else if (l->stage == SERVICES)
        on_services(l, o);
    else if (l->stage == HYPERVISORS)
        on_hypervisors(l, o);
    else if (l->stage == SERVERS)
        on_servers(l, o);
    json_decref(o);
}
