/* SPDX-License-Identifier: Apache-2.0 */
/* inventory_vnfm - VNF instances of a VNFM (ETSI SOL003). */
#include <string.h>

#include "model/inventory_private.h"

/* Id of the VNFC that runs on the resource: that of vnfcInfo, which outlives the resource. */
static const char *vnfc_id(const json_t *info, const char *resource)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(info, "vnfcInfo"), i, c) {
        const char *on = inventory_text(c, "vnfcResourceInfoId");
        if (on != NULL && strcmp(on, resource) == 0)
            return inventory_text(c, "id");
    }
    return resource;
}

static enum hale_rc take_vnfc(struct hale_inventory *v, json_t *vnf, const json_t *info,
                              const json_t *r, const struct inventory_place *at)
{
    const char *resource = inventory_text(r, "id");
    const char *vnf_id = inventory_text(vnf, "id");
    const char *id = resource != NULL ? vnfc_id(info, resource) : NULL;
    json_t *e = inventory_entity(v, "vnfc", id, at);
    if (e == NULL)
        return HALE_E_INVAL;
    const char *other = inventory_text(json_object_get(e, "attributes"), "vnf_id");
    if (other != NULL && strcmp(other, vnf_id) != 0)
        return inventory_bad(at, "id", "a VNFC of another VNF has the same id");
    inventory_host(v, e, "vm",
                   inventory_text(json_object_get(r, "computeResource"), "resourceId"));
    inventory_attribute(v, e, "vnf_id", vnf_id);
    inventory_attribute(v, e, "vdu_id", inventory_text(r, "vduId"));
    inventory_depend(v, vnf, "vnfcs", "vnfc", id);
    return HALE_OK;
}

static enum hale_rc take_vnf(struct hale_inventory *v, const json_t *n,
                             const struct inventory_place *at)
{
    const json_t *info = json_object_get(n, "instantiatedVnfInfo");
    struct inventory_place place = {.list = "vnfcResourceInfo", .err = at->err};
    const json_t *list = json_object_get(info, "vnfcResourceInfo");
    json_t *e = inventory_entity(v, "vnf", inventory_text(n, "id"), at);
    if (e == NULL)
        return HALE_E_INVAL;
    inventory_set(v, e, "name", inventory_text(n, "vnfInstanceName"));
    inventory_attribute(v, e, "product", inventory_text(n, "vnfProductName"));
    inventory_attribute(v, e, "vnfd_id", inventory_text(n, "vnfdId"));
    inventory_attribute(v, e, "state", inventory_text(n, "instantiationState"));
    inventory_depend(v, e, "vnfcs", "vnfc", NULL);
    enum hale_rc rc = HALE_OK;
    for (; rc == HALE_OK && place.i < json_array_size(list); place.i++)
        rc = take_vnfc(v, e, info, json_array_get(list, place.i), &place);
    return rc;
}

enum hale_rc inventory_sol003(struct hale_inventory *v, const json_t *answer,
                              struct hale_err *err)
{
    struct inventory_place at = {.list = "vnf_instances", .err = err};
    enum hale_rc rc = HALE_OK;
    if (json_is_object(answer) && json_object_get(answer, "vnfdId") != NULL)
        return take_vnf(v, answer, &at);
    if (!json_is_array(answer))
        return hale_err_set(
            err, HALE_E_INVAL,
            "not an answer that is known here: GET /vnf_instances/{id}, or a list "
            "of them, is wanted");
    for (; rc == HALE_OK && at.i < json_array_size(answer); at.i++)
        rc = take_vnf(v, json_array_get(answer, at.i), &at);
    return rc;
}
