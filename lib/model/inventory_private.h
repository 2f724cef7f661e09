/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_INVENTORY_PRIVATE_H
#define HALE_MODEL_INVENTORY_PRIVATE_H
/*
 * inventory_private - the entities made so far, and one reader for each kind of answer.
 */
#include <stdbool.h>

#include "model/inventory.h"
#include "model/topology.h"

struct hale_inventory {
    enum hale_inventory_kind kind;
    json_t *entities; /* reference -> entity as a patch */
    size_t cut;
    bool nomem;
};

/* "servers[3]" and what is wrong with it. */
struct inventory_place {
    const char *list;
    size_t i;
    struct hale_err *err;
};
enum hale_rc inventory_bad(const struct inventory_place *at, const char *key,
                           const char *what);

/* Non-empty text of a key, or NULL. Borrowed. */
const char *inventory_text(const json_t *object, const char *key);
/* The entity (borrowed), made if it is new; NULL: the id cannot be one (err), or no memory. */
json_t *inventory_entity(struct hale_inventory *v, const char *type, const char *id,
                         const struct inventory_place *at);
void inventory_set(struct hale_inventory *v, json_t *entity, const char *key,
                   const char *value);
void inventory_attribute(struct hale_inventory *v, json_t *entity, const char *key,
                         const char *value); /* NULL: none */
/* The worse one stays: down, maintenance, unknown, up. */
void inventory_state(struct hale_inventory *v, json_t *entity,
                     enum hale_entity_state state);
/* hosted_by: one reference; id NULL: nothing hosts it. */
void inventory_host(struct hale_inventory *v, json_t *entity, const char *type,
                    const char *id);
/* depends_on, mode all; id NULL: only makes the list, so that it is empty if nothing comes. */
void inventory_depend(struct hale_inventory *v, json_t *entity, const char *group,
                      const char *type, const char *id);

enum hale_rc inventory_nova(struct hale_inventory *v, const json_t *answer,
                            struct hale_err *err);
enum hale_rc inventory_neutron(struct hale_inventory *v, const json_t *answer,
                               struct hale_err *err);
enum hale_rc inventory_heat(struct hale_inventory *v, const json_t *answer,
                            struct hale_err *err);
enum hale_rc inventory_sol003(struct hale_inventory *v, const json_t *answer,
                              struct hale_err *err);
#endif
