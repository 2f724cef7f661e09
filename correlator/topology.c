/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/topology.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "correlator/topology_inner.h"

#define TENANTS_MAX 100000

/* --- creation ------------------------------------------------------------------------ */

static void free_tenant(void *value)
{
    struct cor_tenant *n = value;
    hale_graph_free(n->graph);
    free(n->name);
    free(n);
}

struct cor_topology *cor_topology_new(const struct cor_topology_limits *limits,
                                      const struct cor_topology_sink *sink)
{
    struct cor_topology *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->limits = *limits;
    t->sink = *sink;
    hale_buf_init(&t->field, 4096);
    hale_buf_init(&t->value, HALE_TOPOLOGY_ENTITY_MAX);
    t->tenants = hale_map_new(TENANTS_MAX, free_tenant);
    t->sources = hale_map_new(CORRELATOR_SOURCES_MAX, cor_source_free);
    if (t->tenants == NULL || t->sources == NULL) {
        cor_topology_free(t);
        return NULL;
    }
    return t;
}

void cor_topology_free(struct cor_topology *t)
{
    if (t == NULL)
        return;
    hale_map_free(t->tenants);
    hale_map_free(t->sources);
    hale_buf_fini(&t->field);
    hale_buf_fini(&t->value);
    free(t);
}

void cor_topology_watch(struct cor_topology *t, const struct cor_topology_watch *watch)
{
    t->watch = *watch;
}

const struct cor_topology_stats *cor_topology_stats(struct cor_topology *t)
{
    t->stats.tenants = hale_map_count(t->tenants);
    t->stats.sources = hale_map_count(t->sources);
    t->stats.oldest_sync_ms = cor_source_oldest(t);
    return &t->stats;
}

static struct cor_tenant *tenant_of(const struct cor_topology *t, const char *name)
{
    return hale_map_get(t->tenants, hale_str_from(name));
}

struct hale_graph *cor_topology_graph(const struct cor_topology *t, const char *tenant)
{
    const struct cor_tenant *n = tenant_of(t, tenant);
    return n != NULL ? n->graph : NULL;
}

static void on_reached(struct hale_vertex *v, enum hale_graph_plane plane, void *arg)
{
    const struct cor_tenant *n = arg;
    const struct cor_topology_watch *w = &n->topology->watch;
    if (w->reached != NULL)
        w->reached(w->arg, n->name, v, plane);
}

/* NULL: no memory, or one tenant too many (the caller refuses what it wanted it for). */
static struct cor_tenant *tenant_make(struct cor_topology *t, const char *name,
                                      enum hale_rc *rc)
{
    struct cor_tenant *n = tenant_of(t, name);
    if (n != NULL)
        return n;
    n = calloc(1, sizeof(*n));
    if (n != NULL) {
        n->topology = t;
        n->name = strdup(name);
        n->graph = hale_graph_new(t->limits.max_entities_per_tenant);
    }
    *rc = n == NULL || n->name == NULL || n->graph == NULL
              ? HALE_E_NOMEM
              : hale_map_put(t->tenants, hale_str_from(name), n);
    if (*rc != HALE_OK) {
        if (n != NULL)
            free_tenant(n);
        return NULL;
    }
    hale_graph_on_change(n->graph, on_reached, n);
    return n;
}

/* --- rows ---------------------------------------------------------------------------- */

struct hale_str cor_topology_field(struct cor_topology *t, const char *tenant,
                                   struct hale_str type, struct hale_str id)
{
    hale_buf_reset(&t->field);
    hale_buf_add_c(&t->field, tenant);
    hale_buf_add_char(&t->field, '\0');
    hale_buf_add_str(&t->field, type);
    hale_buf_add_char(&t->field, '\0');
    hale_buf_add_str(&t->field, id);
    return hale_buf_str(&t->field);
}

static void del_row(struct cor_topology *t, const char *tenant, struct hale_str ref)
{
    struct hale_str type, id;
    bool ok = hale_topology_ref(ref, &type, &id);
    HALE_ASSERT(ok);
    t->sink.del(t->sink.arg, cor_topology_field(t, tenant, type, id));
}

/* --- changing one entity ------------------------------------------------------------- */

static void settle(struct cor_topology *t, const struct cor_tenant *n)
{
    if (t->watch.settle != NULL)
        t->watch.settle(t->watch.arg, n->name);
    if (t->sink.checkpoint != NULL)
        t->sink.checkpoint(t->sink.arg);
}

/* Refused at a ceiling: counted, and everything else goes on. */
static enum hale_rc refuse(struct cor_topology *t)
{
    t->stats.refused++;
    return HALE_OK;
}

/* e is what the entity is to be; before: what it was, or NULL. */
static enum hale_rc store(struct cor_topology *t, struct cor_tenant *n,
                          const struct hale_entity *e, bool before)
{
    if (!before && t->stats.entities >= t->limits.max_entities)
        return refuse(t);
    hale_buf_reset(&t->value);
    enum hale_rc rc = hale_entity_encode(e, &t->value);
    if (rc == HALE_E_LIMIT) /* as JSON it is larger than an entity may be */
        return refuse(t);
    if (rc == HALE_OK)
        rc = hale_graph_put(n->graph, e);
    if (rc == HALE_E_LIMIT)
        return refuse(t);
    if (rc != HALE_OK)
        return rc;
    t->stats.entities += !before;
    t->stats.added += !before;
    t->stats.changed += before;
    t->sink.put(
        t->sink.arg,
        cor_topology_field(t, n->name, hale_str_from(e->type), hale_str_from(e->id)),
        hale_buf_str(&t->value));
    cor_entity_ref(e, t->ref);
    struct hale_vertex *v = hale_graph_find(n->graph, hale_str_from(t->ref));
    if (t->watch.put != NULL)
        t->watch.put(t->watch.arg, n->name, v);
    settle(t, n);
    return HALE_OK;
}

void cor_entity_ref(const struct hale_entity *e, char *dst)
{
    size_t type = strlen(e->type), id = strlen(e->id);
    HALE_ASSERT(type + 1 + id < HALE_TOPOLOGY_REF_MAX);
    memcpy(dst, e->type, type);
    dst[type] = '/';
    memcpy(dst + type + 1, e->id, id + 1);
}

static const struct hale_entity *entity_of(const struct cor_tenant *n, const char *ref)
{
    const struct hale_vertex *v = hale_graph_find(n->graph, hale_str_from(ref));
    return v != NULL ? hale_vertex_entity(v) : NULL;
}

/* patch: only the keys given change; else the entity is replaced. */
static enum hale_rc take_entity(struct cor_topology *t, struct cor_tenant *n,
                                const struct hale_topology_update *u,
                                const struct hale_entity *given, bool patch)
{
    struct hale_entity e, source = {.source = u->source};
    cor_entity_ref(given, t->ref);
    const struct hale_entity *before = entity_of(n, t->ref);
    enum hale_rc rc = patch && before != NULL ? hale_entity_patch(before, given, &e)
                                              : hale_entity_patch(given, &source, &e);
    if (rc != HALE_OK)
        return rc;
    if (before != NULL && hale_entity_equal(before, &e))
        t->stats.unchanged++;
    else
        rc = store(t, n, &e, before != NULL);
    hale_entity_fini(&e);
    return rc;
}

enum hale_rc cor_topology_delete(struct cor_topology *t, struct cor_tenant *n,
                                 struct hale_str ref)
{
    struct hale_vertex *v = hale_graph_find(n->graph, ref);
    if (v == NULL || hale_vertex_entity(v) == NULL)
        return HALE_OK;
    if (t->watch.deleting != NULL)
        t->watch.deleting(t->watch.arg, n->name, v);
    bool was = hale_graph_delete(n->graph, ref);
    HALE_ASSERT(was);
    t->stats.entities--;
    t->stats.deleted++;
    del_row(t, n->name, ref);
    settle(t, n);
    return HALE_OK;
}

/* --- updates ------------------------------------------------------------------------- */

static enum hale_rc take_items(struct cor_topology *t, struct cor_tenant *n,
                               const struct hale_topology_update *u)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; rc == HALE_OK && i < u->n_put; i++)
        rc = take_entity(t, n, u, &u->put[i], false);
    for (unsigned i = 0; rc == HALE_OK && i < u->n_patch; i++)
        rc = take_entity(t, n, u, &u->patch[i], true);
    for (unsigned i = 0; rc == HALE_OK && i < u->deleted.n; i++)
        rc = cor_topology_delete(t, n, hale_str_from(u->deleted.v[i]));
    return rc;
}

enum hale_rc cor_topology_apply(struct cor_topology *t,
                                const struct hale_topology_update *u,
                                const char *entry_id, int64_t entry_ms)
{
    enum hale_rc rc = HALE_OK;
    struct cor_tenant *n = tenant_make(t, u->tenant, &rc);
    if (n == NULL)
        return rc == HALE_E_LIMIT ? refuse(t) : rc;
    cor_source_expire(t, entry_ms);
    rc = cor_source_take(t, u, entry_id, entry_ms);
    if (rc == HALE_OK)
        rc = take_items(t, n, u);
    if (rc == HALE_OK && u->sync_id != NULL && u->sync_end)
        rc = cor_source_reconcile(t, n, u, entry_ms);
    t->stats.updates++;
    return rc;
}

/* --- loading ------------------------------------------------------------------------- */

static enum hale_rc load_entity(struct cor_topology *t, const char *tenant,
                                struct hale_str type, struct hale_str id,
                                const json_t *row)
{
    struct hale_entity e;
    enum hale_rc rc = hale_entity_from_json(row, &e, NULL);
    if (rc == HALE_OK && (!hale_str_eq_c(type, e.type) || !hale_str_eq_c(id, e.id)))
        rc = HALE_E_INVAL;
    struct cor_tenant *n = rc == HALE_OK ? tenant_make(t, tenant, &rc) : NULL;
    if (n != NULL) {
        cor_entity_ref(&e, t->ref);
        bool again = entity_of(n, t->ref) != NULL;
        rc = hale_graph_put(n->graph, &e);
        t->stats.entities += rc == HALE_OK && !again;
    }
    hale_entity_fini(&e);
    return rc == HALE_E_LIMIT ? refuse(t) : rc;
}

enum hale_rc cor_topology_load(struct cor_topology *t, struct hale_str field,
                               struct hale_str value)
{
    struct hale_str rest = field;
    struct hale_str tenant = hale_str_split(&rest, '\0');
    struct hale_str type = rest.p != NULL ? hale_str_split(&rest, '\0') : rest;
    if (rest.p == NULL || rest.len == 0)
        return HALE_E_INVAL;
    json_t *row = json_loadb(value.p, value.len, 0, NULL);
    if (row == NULL)
        return HALE_E_INVAL;
    /* The field goes on with a NUL, so the tenant is a C string as it stands. */
    enum hale_rc rc = type.len == 0 ? cor_source_load(t, tenant.p, rest, row)
                                    : load_entity(t, tenant.p, type, rest, row);
    json_decref(row);
    return rc;
}

const char *cor_topology_from(const struct cor_topology *t)
{
    return cor_source_from(t);
}
