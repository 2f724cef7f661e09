/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_topology - an update of the topology. What is accepted can be written and comes back as the
 * same text; what is refused has a reason; an entity is equal to its copy, and a patch by itself
 * changes nothing.
 */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "model/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void values(const struct hale_entity *e)
{
    struct hale_entity copy, patched;
    HALE_ASSERT(hale_entity_copy(e, &copy) == HALE_OK);
    HALE_ASSERT(hale_entity_equal(e, &copy));
    HALE_ASSERT(hale_entity_patch(e, &copy, &patched) == HALE_OK);
    HALE_ASSERT(hale_entity_equal(e, &patched));
    hale_entity_fini(&copy);
    hale_entity_fini(&patched);
}

static enum hale_rc trip(struct hale_str json, struct hale_buf *out)
{
    struct hale_topology_update u;
    struct hale_err err = {0};
    enum hale_rc rc = hale_topology_update_decode(json, &u, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(hale_topology_update_encode(&u, out) == HALE_OK);
    else
        HALE_ASSERT(err.text[0] != '\0' && u.tenant == NULL);
    for (unsigned i = 0; i < u.n_put; i++)
        values(&u.put[i]);
    hale_topology_update_fini(&u);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_str in = {(const char *)data, size};
    struct hale_buf first, second;
    hale_buf_init(&first, 64u << 20);
    hale_buf_init(&second, 64u << 20);
    if (trip(in, &first) == HALE_OK) {
        HALE_ASSERT(trip(hale_buf_str(&first), &second) == HALE_OK);
        HALE_ASSERT(hale_str_eq(hale_buf_str(&first), hale_buf_str(&second)));
    }
    hale_buf_fini(&first);
    hale_buf_fini(&second);
    return 0;
}
