/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_inventory - what a VIM or a VNFM answers, by every reader. Whatever is accepted is a body that the
 * API takes, but for an id that two of its entities may come to share.
 */
#include <stdint.h>

#include "base/assert.h"
#include "model/inventory.h"
#include "model/topology_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(enum hale_inventory_kind kind, const json_t *answer)
{
    struct hale_err err = {0};
    struct hale_inventory *v = hale_inventory_new(kind);
    struct hale_topology_body body;
    HALE_ASSERT(v != NULL);
    if (hale_inventory_add(v, answer, &err) == HALE_OK) {
        enum hale_rc rc = hale_topology_body_read(hale_inventory_body(v), &body, &err);
        HALE_ASSERT(rc == HALE_OK || err.text[0] != '\0');
        hale_topology_body_fini(&body);
    } else {
        HALE_ASSERT(err.text[0] != '\0');
    }
    hale_inventory_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *answer = json_loadb((const char *)data, size, 0, NULL);
    if (answer == NULL)
        return 0;
    for (int kind = HALE_INVENTORY_NOVA; kind <= HALE_INVENTORY_SOL003; kind++)
        one((enum hale_inventory_kind)kind, answer);
    json_decref(answer);
    return 0;
}
