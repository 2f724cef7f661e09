/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory - what the guards remember: fields of the hash HALE_KEYS_GUARDS in memory, and which of
 * them the next commit writes (declared in engine_private.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "base/log.h"

json_t *memory_find(const struct actuator_engine *e, const char *field)
{
    return hale_map_get(e->guards, hale_str_from(field));
}

json_t *memory_make(struct actuator_engine *e, const char *field)
{
    json_t *memory = memory_find(e, field);
    if (memory != NULL)
        return memory;
    memory = actuator_guard_memory_new();
    if (memory != NULL &&
        hale_map_put(e->guards, hale_str_from(field), memory) != HALE_OK) {
        json_decref(memory);
        memory = NULL;
    }
    return memory;
}

void memory_touch(struct actuator_engine *e, const char *field)
{
    for (unsigned i = 0; i < e->n_touched; i++)
        if (strcmp(e->touched[i], field) == 0)
            return;
    if (e->n_touched == ENGINE_TOUCHED_MAX) {
        hale_error("event=guard_memory_lost field=%.100s", field);
        return;
    }
    (void)snprintf(e->touched[e->n_touched++], ENGINE_FIELD_MAX, "%s", field);
}

unsigned memory_take(struct actuator_engine *e,
                     struct actuator_memory out[ENGINE_TOUCHED_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_touched; i++) {
        const json_t *memory = memory_find(e, e->touched[i]);
        char *json = memory != NULL ? json_dumps(memory, JSON_COMPACT) : NULL;
        if (json != NULL)
            out[n++] = (struct actuator_memory){.field = e->touched[i],
                                                .json = hale_str_from(json)};
    }
    e->n_touched = 0;
    return n;
}

void memory_taken(struct actuator_memory *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free((char *)(uintptr_t)list[i].json.p);
}
