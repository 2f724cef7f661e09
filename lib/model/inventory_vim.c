/* SPDX-License-Identifier: Apache-2.0 */
/* inventory_vim - Nova, Neutron and Heat. */
#include <stdio.h>
#include <string.h>

#include "model/inventory_private.h"

typedef enum hale_rc take_fn(struct hale_inventory *v, const json_t *item,
                             const struct inventory_place *at);

static enum hale_rc each(struct hale_inventory *v, const json_t *answer, const char *list,
                         take_fn *take, struct hale_err *err)
{
    struct inventory_place at = {.list = list, .err = err};
    const json_t *items = json_object_get(answer, list);
    enum hale_rc rc = HALE_OK;
    if (!json_is_array(items))
        return hale_err_set(err, HALE_E_INVAL, "%s: must be a list", list);
    for (; rc == HALE_OK && at.i < json_array_size(items); at.i++)
        rc = take(v, json_array_get(items, at.i), &at);
    return rc;
}

/* The first list that the answer has decides what it is. */
struct answer_form {
    const char *list;
    take_fn *take;
};

static enum hale_rc by_form(struct hale_inventory *v, const json_t *answer,
                            const struct answer_form *forms, const char *wanted,
                            struct hale_err *err)
{
    for (size_t i = 0; forms[i].list != NULL; i++) {
        if (json_object_get(answer, forms[i].list) != NULL)
            return each(v, answer, forms[i].list, forms[i].take, err);
    }
    return hale_err_set(err, HALE_E_INVAL,
                        "not an answer that is known here: %s is wanted", wanted);
}

/* ---- Nova ---- */

static bool one_of(const char *text, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static enum hale_entity_state server_state(const char *status)
{
    static const char *const down[] = {"ERROR", "SHUTOFF", "DELETED", "SOFT_DELETED",
                                       NULL};
    static const char *const maintenance[] = {"SUSPENDED", "PAUSED", "SHELVED",
                                              "SHELVED_OFFLOADED", NULL};
    static const char *const up[] = {
        "ACTIVE",        "REBOOT",        "HARD_REBOOT", "BUILD",    "REBUILD", "RESIZE",
        "VERIFY_RESIZE", "REVERT_RESIZE", "MIGRATING",   "PASSWORD", "RESCUE",  NULL};
    if (status == NULL)
        return HALE_ENTITY_UNKNOWN;
    if (one_of(status, down))
        return HALE_ENTITY_DOWN;
    if (one_of(status, maintenance))
        return HALE_ENTITY_MAINTENANCE;
    return one_of(status, up) ? HALE_ENTITY_UP : HALE_ENTITY_UNKNOWN;
}

static enum hale_rc take_server(struct hale_inventory *v, const json_t *s,
                                const struct inventory_place *at)
{
    const char *status = inventory_text(s, "status");
    const char *host = inventory_text(s, "OS-EXT-SRV-ATTR:host");
    if (host == NULL)
        host = inventory_text(s, "OS-EXT-SRV-ATTR:hypervisor_hostname");
    json_t *e = inventory_entity(v, "vm", inventory_text(s, "id"), at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_set(v, e, "name", inventory_text(s, "name"));
    inventory_state(v, e, server_state(status));
    inventory_host(v, e, "host", host);
    inventory_attribute(v, e, "project_id", inventory_text(s, "tenant_id"));
    inventory_attribute(v, e, "status", status);
    inventory_attribute(v, e, "az", inventory_text(s, "OS-EXT-AZ:availability_zone"));
    return HALE_OK;
}

static bool is(const json_t *o, const char *key, const char *value)
{
    const char *text = inventory_text(o, key);
    return text != NULL && strcmp(text, value) == 0;
}

static enum hale_entity_state host_state(const json_t *o)
{
    if (is(o, "state", "down") || json_is_true(json_object_get(o, "forced_down")))
        return HALE_ENTITY_DOWN;
    return is(o, "status", "disabled") ? HALE_ENTITY_MAINTENANCE : HALE_ENTITY_UP;
}

static enum hale_rc take_hypervisor(struct hale_inventory *v, const json_t *h,
                                    const struct inventory_place *at)
{
    const char *name = inventory_text(h, "hypervisor_hostname");
    const char *host = inventory_text(json_object_get(h, "service"), "host");
    json_t *e = inventory_entity(v, "host", host != NULL ? host : name, at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_set(v, e, "name", name);
    inventory_state(v, e, host_state(h));
    inventory_attribute(v, e, "hypervisor_type", inventory_text(h, "hypervisor_type"));
    inventory_attribute(v, e, "host_ip", inventory_text(h, "host_ip"));
    return HALE_OK;
}

static enum hale_rc take_service(struct hale_inventory *v, const json_t *s,
                                 const struct inventory_place *at)
{
    if (!is(s, "binary", "nova-compute"))
        return HALE_OK;
    json_t *e = inventory_entity(v, "host", inventory_text(s, "host"), at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_state(v, e, host_state(s));
    inventory_attribute(v, e, "az", inventory_text(s, "zone"));
    return HALE_OK;
}

enum hale_rc inventory_nova(struct hale_inventory *v, const json_t *answer,
                            struct hale_err *err)
{
    static const struct answer_form forms[] = {{"servers", take_server},
                                               {"hypervisors", take_hypervisor},
                                               {"services", take_service},
                                               {NULL, NULL}};
    return by_form(v, answer, forms,
                   "GET /servers/detail, /os-hypervisors/detail or /os-services", err);
}

/* ---- Neutron ---- */

static enum hale_rc take_port(struct hale_inventory *v, const json_t *p,
                              const struct inventory_place *at)
{
    const char *device = inventory_text(p, "device_id");
    const char *owner = inventory_text(p, "device_owner");
    const char *host = inventory_text(p, "binding:host_id");
    json_t *e = inventory_entity(v, "port", inventory_text(p, "id"), at);
    if (e == NULL)
        return HALE_E_INVAL;
    bool down = is(p, "data_plane_status", "DOWN") || is(p, "status", "DOWN") ||
                is(p, "status", "ERROR");
    bool of_vm = device != NULL && owner != NULL && strncmp(owner, "compute:", 8) == 0;
    inventory_set(v, e, "name", inventory_text(p, "name"));
    inventory_state(v, e, down ? HALE_ENTITY_DOWN : HALE_ENTITY_UP);
    inventory_host(v, e, of_vm ? "vm" : "host", of_vm ? device : host);
    inventory_attribute(v, e, "network_id", inventory_text(p, "network_id"));
    inventory_attribute(v, e, "mac_address", inventory_text(p, "mac_address"));
    inventory_attribute(v, e, "project_id", inventory_text(p, "project_id"));
    return HALE_OK;
}

enum hale_rc inventory_neutron(struct hale_inventory *v, const json_t *answer,
                               struct hale_err *err)
{
    static const struct answer_form forms[] = {{"ports", take_port}, {NULL, NULL}};
    return by_form(v, answer, forms, "GET /v2.0/ports", err);
}

/* ---- Heat ---- */

/* What ends .../stacks/NAME/ID of the link with this relation. False: there is none. */
static bool stack_of(const json_t *item, const char *rel, char *dst, size_t size)
{
    size_t i;
    json_t *link;
    json_array_foreach (json_object_get(item, "links"), i, link) {
        const char *href = inventory_text(link, "href");
        const char *id = is(link, "rel", rel) && href != NULL ? strrchr(href, '/') : NULL;
        if (id != NULL && strlen(id + 1) < size) {
            (void)snprintf(dst, size, "%s", id + 1);
            return true;
        }
    }
    return false;
}

static enum hale_rc take_stack(struct hale_inventory *v, const json_t *s,
                               const struct inventory_place *at)
{
    json_t *e = inventory_entity(v, "stack", inventory_text(s, "id"), at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_set(v, e, "name", inventory_text(s, "stack_name"));
    inventory_attribute(v, e, "status", inventory_text(s, "stack_status"));
    inventory_depend(v, e, "servers", "vm", NULL);
    return HALE_OK;
}

static enum hale_rc take_resource(struct hale_inventory *v, const json_t *r,
                                  const struct inventory_place *at)
{
    char stack[HALE_TOPOLOGY_ID_MAX + 1], nested[HALE_TOPOLOGY_ID_MAX + 1];
    if (!stack_of(r, "stack", stack, sizeof(stack)))
        return inventory_bad(at, "links", "has none with \"rel\": \"stack\"");
    json_t *e = inventory_entity(v, "stack", stack, at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_depend(v, e, "servers", "vm",
                     is(r, "resource_type", "OS::Nova::Server")
                         ? inventory_text(r, "physical_resource_id")
                         : NULL);
    if (stack_of(r, "nested", nested, sizeof(nested)))
        inventory_depend(v, e, "stacks", "stack", nested);
    return HALE_OK;
}

enum hale_rc inventory_heat(struct hale_inventory *v, const json_t *answer,
                            struct hale_err *err)
{
    static const struct answer_form forms[] = {
        {"stacks", take_stack}, {"resources", take_resource}, {NULL, NULL}};
    return by_form(v, answer, forms, "GET /stacks or /stacks/.../resources", err);
}
