/* SPDX-License-Identifier: Apache-2.0 */
#include "model/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/inventory_private.h"

static const char *const kinds[] = {"nova", "neutron", "heat", "sol003", NULL};

const char *hale_inventory_text(enum hale_inventory_kind kind)
{
    return kinds[kind];
}

enum hale_rc hale_inventory_parse(struct hale_str text, enum hale_inventory_kind *out)
{
    for (int i = 0; kinds[i] != NULL; i++) {
        if (hale_str_eq_c(text, kinds[i])) {
            *out = (enum hale_inventory_kind)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

struct hale_inventory *hale_inventory_new(enum hale_inventory_kind kind)
{
    struct hale_inventory *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return NULL;
    v->kind = kind;
    v->entities = json_object();
    if (v->entities == NULL) {
        free(v);
        return NULL;
    }
    return v;
}

void hale_inventory_free(struct hale_inventory *v)
{
    if (v == NULL)
        return;
    json_decref(v->entities);
    free(v);
}

size_t hale_inventory_cut(const struct hale_inventory *v)
{
    return v->cut;
}

/* ---- what the readers share ---- */

enum hale_rc inventory_bad(const struct inventory_place *at, const char *key,
                           const char *what)
{
    return hale_err_set(at->err, HALE_E_INVAL, "%s[%zu].%s: %s", at->list, at->i, key,
                        what);
}

const char *inventory_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static void keep(struct hale_inventory *v, int failed)
{
    v->nomem = v->nomem || failed != 0;
}

json_t *inventory_entity(struct hale_inventory *v, const char *type, const char *id,
                         const struct inventory_place *at)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    if (id == NULL || !hale_topology_id_ok(hale_str_from(id))) {
        (void)inventory_bad(at, "id",
                            "must be a text of 1 to 255 bytes without control "
                            "characters");
        return NULL;
    }
    (void)snprintf(ref, sizeof(ref), "%s/%s", type, id);
    json_t *e = json_object_get(v->entities, ref);
    if (e != NULL)
        return e;
    if (json_object_size(v->entities) >= HALE_TOPOLOGY_ENTITIES_MAX) {
        (void)inventory_bad(at, "id", "there are more entities than a topology may have");
        return NULL;
    }
    e = json_pack("{s:s,s:s}", "type", type, "id", id);
    keep(v, e == NULL || json_object_set_new(v->entities, ref, e) != 0);
    if (!v->nomem)
        return e;
    (void)hale_err_set(at->err, HALE_E_NOMEM, "out of memory");
    return NULL;
}

void inventory_set(struct hale_inventory *v, json_t *entity, const char *key,
                   const char *value)
{
    /* Longer ones are not what a name is for. */
    if (value != NULL && strlen(value) <= HALE_TOPOLOGY_TEXT_MAX)
        keep(v, json_object_set_new(entity, key, json_string(value)));
}

void inventory_attribute(struct hale_inventory *v, json_t *entity, const char *key,
                         const char *value)
{
    json_t *all = json_object_get(entity, "attributes");
    if (value == NULL || strlen(value) > HALE_TOPOLOGY_TEXT_MAX)
        return;
    if (all == NULL) {
        all = json_object();
        keep(v, json_object_set_new(entity, "attributes", all));
    }
    if (!v->nomem)
        keep(v, json_object_set_new(all, key, json_string(value)));
}

static int badness(enum hale_entity_state s)
{
    static const int order[] = {[HALE_ENTITY_UP] = 0,
                                [HALE_ENTITY_UNKNOWN] = 1,
                                [HALE_ENTITY_MAINTENANCE] = 2,
                                [HALE_ENTITY_DOWN] = 3};
    return order[s];
}

void inventory_state(struct hale_inventory *v, json_t *entity,
                     enum hale_entity_state state)
{
    enum hale_entity_state before = HALE_ENTITY_UP;
    const char *text = inventory_text(entity, "state");
    if (text != NULL &&
        hale_entity_state_parse(hale_str_from(text), &before) == HALE_OK &&
        badness(before) >= badness(state))
        return;
    inventory_set(v, entity, "state", hale_entity_state_text(state));
}

static json_t *ref_of(const char *type, const char *id)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    if (!hale_topology_id_ok(hale_str_from(id)))
        return NULL;
    (void)snprintf(ref, sizeof(ref), "%s/%s", type, id);
    return json_string(ref);
}

void inventory_host(struct hale_inventory *v, json_t *entity, const char *type,
                    const char *id)
{
    json_t *list = json_array();
    json_t *ref = id != NULL ? ref_of(type, id) : NULL;
    if (list != NULL && ref != NULL)
        keep(v, json_array_append_new(list, ref));
    keep(v, json_object_set_new(entity, "hosted_by", list));
}

static json_t *group_of(struct hale_inventory *v, json_t *entity, const char *group)
{
    size_t i;
    json_t *one, *all = json_object_get(entity, "depends_on");
    json_array_foreach (all, i, one) {
        if (strcmp(inventory_text(one, "group"), group) == 0)
            return json_object_get(one, "on");
    }
    json_t *on = json_array();
    one = json_pack("{s:s,s:s,s:o}", "group", group, "mode", "all", "on", on);
    keep(v, one == NULL || json_array_append_new(all, one) != 0);
    return v->nomem ? NULL : on;
}

void inventory_depend(struct hale_inventory *v, json_t *entity, const char *group,
                      const char *type, const char *id)
{
    size_t i;
    json_t *one;
    if (json_object_get(entity, "depends_on") == NULL)
        keep(v, json_object_set_new(entity, "depends_on", json_array()));
    json_t *ref = id != NULL ? ref_of(type, id) : NULL;
    json_t *on = ref != NULL && !v->nomem ? group_of(v, entity, group) : NULL;
    json_array_foreach (on, i, one) {
        if (json_equal(one, ref)) {
            json_decref(ref);
            return;
        }
    }
    if (on != NULL && json_array_size(on) < HALE_INVENTORY_REFS_MAX) {
        keep(v, json_array_append_new(on, ref));
        return;
    }
    v->cut += ref != NULL;
    json_decref(ref);
}

/* ---- all ---- */

enum hale_rc hale_inventory_add(struct hale_inventory *v, const json_t *answer,
                                struct hale_err *err)
{
    enum hale_rc rc = HALE_E_INVAL;
    switch (v->kind) {
    case HALE_INVENTORY_NOVA: rc = inventory_nova(v, answer, err); break;
    case HALE_INVENTORY_NEUTRON: rc = inventory_neutron(v, answer, err); break;
    case HALE_INVENTORY_HEAT: rc = inventory_heat(v, answer, err); break;
    case HALE_INVENTORY_SOL003: rc = inventory_sol003(v, answer, err); break;
    }
    return v->nomem ? hale_err_set(err, HALE_E_NOMEM, "out of memory") : rc;
}

json_t *hale_inventory_body(struct hale_inventory *v)
{
    json_t *list = json_array(), *one;
    const char *ref;
    if (list == NULL)
        return NULL;
    json_object_foreach (v->entities, ref, one)
        keep(v, json_array_append(list, one));
    json_t *body =
        json_pack("{s:s,s:o,s:b}", "source", kinds[v->kind], "patch", list, "sync", 1);
    if (!v->nomem)
        return body;
    json_decref(body);
    return NULL;
}
