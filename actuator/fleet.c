/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/fleet.h"

#include <string.h>

/* Each open alarm with impact down or of those severities says, or no longer says, that its entity has failed. */
static void claim(const struct actuator_fleet_rule *rule, const char *tenant,
                  struct hale_graph *g, const struct actuator_watch *watch, bool on)
{
    const struct actuator_watched *x;
    size_t it = 0;
    while ((x = actuator_watch_next(watch, &it)) != NULL) {
        if (x->state != HALE_STATE_ALARM || x->entity[0] == '\0' ||
            (!x->down && (rule->severities & 1u << x->severity) == 0) ||
            strcmp(x->tenant, tenant) != 0)
            continue;
        struct hale_vertex *v = hale_graph_find(g, hale_str_from(x->entity));
        if (v == NULL || hale_vertex_entity(v) == NULL)
            continue;
        if (on)
            hale_graph_claim(g, v, HALE_GRAPH_DOWN);
        else
            hale_graph_unclaim(g, v, HALE_GRAPH_DOWN);
    }
}

static bool is_member(const struct actuator_fleet_rule *rule, const json_t *labels,
                      const struct hale_entity *e)
{
    const char *key;
    json_t *want;
    if (strcmp(e->type, rule->type) != 0)
        return false;
    json_object_foreach ((json_t *)(uintptr_t)labels, key, want) {
        const json_t *have = json_object_get(e->attributes, key);
        if (have == NULL || !json_equal(have, want))
            return false;
    }
    return true;
}

struct actuator_fleet actuator_fleet_count(const struct actuator_fleet_rule *rule,
                                           const json_t *labels, const char *tenant,
                                           struct hale_graph *g,
                                           const struct actuator_watch *watch)
{
    struct actuator_fleet f = {0, 0};
    const struct hale_vertex *v;
    size_t it = 0;
    claim(rule, tenant, g, watch, true);
    while ((v = hale_graph_next(g, &it)) != NULL) {
        if (!is_member(rule, labels, hale_vertex_entity(v)))
            continue;
        f.members++;
        if (!hale_vertex_failed(v, HALE_GRAPH_DOWN) &&
            !hale_vertex_out(v, HALE_GRAPH_DOWN))
            f.healthy++;
    }
    claim(rule, tenant, g, watch, false);
    return f;
}

bool actuator_fleet_stands(const struct actuator_fleet_rule *rule,
                           const struct actuator_fleet *f)
{
    if (f->members == 0)
        return false;
    if (rule->percent)
        return f->healthy * 100 >= rule->min_healthy * f->members;
    return f->healthy >= rule->min_healthy;
}
