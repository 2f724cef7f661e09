/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/topology_state.h"

#include <stdlib.h>
#include <string.h>

#include "collector/alarm_view.h"
#include "model/definition.h"

#define CAUSES_MAX 8
#define WAY_MAX    18 /* as many as a record of the correlator has */
#define ALARMS_MAX 1000

struct claims {
    struct hale_vertex **v;
    size_t n;
};

/* The vertex of the entity that the alarm is about, or NULL. */
static struct hale_vertex *about(const struct hale_graph *g, const struct hale_alarm *a)
{
    const json_t *entity = json_object_get(a->life, "entity");
    const char *type = json_string_value(json_object_get(entity, "type"));
    const char *id = json_string_value(json_object_get(entity, "id"));
    struct hale_buf ref;
    if (type == NULL || id == NULL)
        return NULL;
    hale_buf_init(&ref, HALE_TOPOLOGY_REF_MAX);
    hale_buf_printf(&ref, "%s/%s", type, id);
    struct hale_vertex *v = ref.failed ? NULL : hale_graph_find(g, hale_buf_str(&ref));
    hale_buf_fini(&ref);
    return v;
}

static bool has_impact(const struct hale_alarm *a, enum hale_impact impact)
{
    const char *text = json_string_value(json_object_get(a->life, "impact"));
    return a->state == HALE_STATE_ALARM && text != NULL &&
           strcmp(text, hale_impact_text(impact)) == 0;
}

/* What the correlator's graph has: an alarm with impact down says that its entity failed. */
static void claim(struct hale_graph *g, const struct collector_alarm_list *alarms,
                  struct claims *claims)
{
    claims->v = calloc(alarms->n + 1, sizeof(struct hale_vertex *));
    for (size_t i = 0; claims->v != NULL && i < alarms->n; i++) {
        const struct hale_alarm *a = &alarms->v[i]->a;
        struct hale_vertex *v = has_impact(a, HALE_IMPACT_DOWN) ? about(g, a) : NULL;
        if (v == NULL)
            continue;
        hale_graph_claim(g, v, HALE_GRAPH_DOWN);
        claims->v[claims->n++] = v;
    }
}

static void unclaim(struct hale_graph *g, struct claims *claims)
{
    for (size_t i = 0; i < claims->n; i++)
        hale_graph_unclaim(g, claims->v[i], HALE_GRAPH_DOWN);
    free((void *)claims->v);
}

static void add_because(struct hale_graph *g, struct hale_vertex *v, struct hale_buf *b)
{
    struct hale_vertex *causes[CAUSES_MAX], *way[WAY_MAX];
    size_t n = hale_graph_causes(g, v, HALE_GRAPH_DOWN, causes, CAUSES_MAX);
    hale_buf_add_c(b, ",\"because\":[");
    for (size_t i = 0; i < n; i++) {
        size_t len = hale_graph_path(g, v, causes[i], HALE_GRAPH_DOWN, way, WAY_MAX);
        hale_buf_printf(b, "%s{\"ref\":", i > 0 ? "," : "");
        hale_buf_add_json(b, hale_str_from(hale_vertex_ref(causes[i])));
        hale_buf_add_c(b, ",\"path\":[");
        hale_buf_add_json(b, hale_str_from(hale_vertex_ref(v)));
        for (size_t k = 0; k < len; k++) {
            hale_buf_add_char(b, ',');
            hale_buf_add_json(b, hale_str_from(hale_vertex_ref(way[k])));
        }
        hale_buf_add_c(b, "]}");
    }
    hale_buf_add_char(b, ']');
}

static void add_alarm(const struct hale_alarm *a, struct hale_buf *b)
{
    const char *impact = json_string_value(json_object_get(a->life, "impact"));
    hale_buf_add_c(b, "{\"id\":");
    hale_buf_add_json(b, hale_str_from(a->id));
    hale_buf_add_c(b, ",\"name\":");
    hale_buf_add_json(b, hale_str_from(a->definition_name));
    hale_buf_printf(b, ",\"severity\":\"%s\",\"state\":\"%s\",\"impact\":\"%s\"",
                    hale_severity_text(a->severity), hale_state_text(a->state),
                    impact != NULL ? impact : "none");
    hale_buf_printf(b, ",\"suppressed\":%s}",
                    json_array_size(json_object_get(a->life, "suppressed_by")) > 0
                        ? "true"
                        : "false");
}

static bool count_one(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                      void *arg)
{
    (void)v, (void)via;
    *(size_t *)arg += depth > 0;
    return true;
}

/* Alarms about v that are not OK; true: one of them says degraded. */
static bool add_alarms(const struct hale_graph *g, const struct hale_vertex *v,
                       const struct collector_alarm_list *alarms, struct hale_buf *b)
{
    bool degraded = false;
    size_t n = 0;
    hale_buf_add_c(b, ",\"alarms\":[");
    for (size_t i = 0; i < alarms->n; i++) {
        const struct hale_alarm *a = &alarms->v[i]->a;
        if (a->state == HALE_STATE_OK || about(g, a) != v)
            continue;
        degraded = degraded || has_impact(a, HALE_IMPACT_DEGRADED);
        if (n++ >= ALARMS_MAX)
            continue;
        if (n > 1)
            hale_buf_add_char(b, ',');
        add_alarm(a, b);
    }
    hale_buf_add_char(b, ']');
    return degraded;
}

static const char *state_text(const struct hale_vertex *v, bool degraded)
{
    const struct hale_entity *e = hale_vertex_entity(v);
    if (hale_vertex_failed(v, HALE_GRAPH_DOWN))
        return "down";
    if (hale_vertex_out(v, HALE_GRAPH_DOWN))
        return "unreachable";
    if (hale_vertex_failed(v, HALE_GRAPH_MAINTENANCE) ||
        hale_vertex_out(v, HALE_GRAPH_MAINTENANCE))
        return "maintenance";
    if (degraded)
        return "degraded";
    return e->has_state && e->state == HALE_ENTITY_UNKNOWN ? "unknown" : "up";
}

void collector_topology_state_add(struct collector *c, const char *tenant,
                                  struct hale_graph *g, struct hale_vertex *v,
                                  struct hale_buf *b)
{
    struct collector_alarm_list alarms = {0};
    struct claims claims = {0};
    size_t affected = 0;

    collector_table_list(collector_view_table(c->view), tenant, &alarms);
    claim(g, &alarms, &claims);
    b->failed = b->failed || alarms.failed || claims.v == NULL;
    hale_buf_add_c(b, "\"deduced\":{\"complete\":");
    hale_buf_add_c(b, collector_view_ready(c->view) ? "true" : "false");
    bool degraded = add_alarms(g, v, &alarms, b);
    add_because(g, v, b);
    if (hale_vertex_failed(v, HALE_GRAPH_DOWN))
        hale_graph_victims(g, &v, 1, HALE_GRAPH_DOWN, count_one, &affected);
    hale_buf_printf(b, ",\"affected\":%zu,\"state\":\"%s\"}", affected,
                    state_text(v, degraded));
    unclaim(g, &claims);
    collector_alarm_list_fini(&alarms);
}
