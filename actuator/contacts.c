/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/contacts.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define DEFINITIONS_MAX 1000000

struct actions {
    struct hale_strings of[3]; /* by enum hale_state */
    enum hale_impact impact;
};
struct actuator_contacts {
    struct hale_map *definitions; /* id -> struct actions */
};

static void actions_free(void *arg)
{
    struct actions *a = arg;
    for (unsigned s = 0; s < 3; s++) {
        for (unsigned i = 0; i < a->of[s].n; i++)
            free(a->of[s].v[i]);
        free(a->of[s].v);
    }
    free(a);
}

struct actuator_contacts *actuator_contacts_new(void)
{
    struct actuator_contacts *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->definitions = hale_map_new(DEFINITIONS_MAX, actions_free);
    if (c->definitions == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

void actuator_contacts_free(struct actuator_contacts *c)
{
    if (c == NULL)
        return;
    hale_map_free(c->definitions);
    free(c);
}

static struct hale_strings take(struct hale_strings *from)
{
    struct hale_strings s = *from;
    memset(from, 0, sizeof(*from));
    return s;
}

enum hale_rc actuator_contacts_set(struct actuator_contacts *c, struct hale_str id,
                                   struct hale_str json)
{
    struct hale_definition *d = NULL;
    struct hale_err err;
    hale_map_del(c->definitions, id);
    if (json.p == NULL)
        return HALE_OK;
    enum hale_rc rc = hale_definition_decode(json, &d, &err);
    if (rc != HALE_OK)
        return rc;
    if (d->ok_actions.n + d->alarm_actions.n + d->undetermined_actions.n > 0 ||
        d->impact != HALE_IMPACT_DEFAULT) {
        struct actions *a = calloc(1, sizeof(*a));
        if (a != NULL) {
            a->impact = d->impact;
            a->of[HALE_STATE_OK] = take(&d->ok_actions);
            a->of[HALE_STATE_ALARM] = take(&d->alarm_actions);
            a->of[HALE_STATE_UNDETERMINED] = take(&d->undetermined_actions);
            rc = hale_map_put(c->definitions, id, a);
            if (rc != HALE_OK)
                actions_free(a);
        } else {
            rc = HALE_E_NOMEM;
        }
    }
    hale_definition_free(d);
    return rc;
}

const struct hale_strings *actuator_contacts_get(const struct actuator_contacts *c,
                                                 const char *definition_id,
                                                 enum hale_state state)
{
    const struct actions *a = hale_map_get(c->definitions, hale_str_from(definition_id));
    return a != NULL && a->of[state].n > 0 ? &a->of[state] : NULL;
}

enum hale_impact actuator_contacts_impact(const struct actuator_contacts *c,
                                          const char *definition_id)
{
    const struct actions *a = hale_map_get(c->definitions, hale_str_from(definition_id));
    return a != NULL ? a->impact : HALE_IMPACT_DEFAULT;
}

bool actuator_contacts_names(const struct actuator_contacts *c, const char *definition_id,
                             enum hale_state state, const char *method_id)
{
    const struct hale_strings *ids = actuator_contacts_get(c, definition_id, state);
    for (unsigned i = 0; ids != NULL && i < ids->n; i++)
        if (strcmp(ids->v[i], method_id) == 0)
            return true;
    return false;
}
