/* SPDX-License-Identifier: Apache-2.0 */
/* topology_check - what a body would do: nothing is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "collector/request.h"
#include "collector/topology_api.h"
#include "collector/topology_view.h"
#include "model/topology_body.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define LISTED_MAX 1000  /* references of each kind that are listed; all are counted */
#define DEPTH_MAX  10000 /* of a way that is followed for cycles */

/* The tenant's entities as they would be: those of the body before those of the graph. */
struct plan {
    const struct hale_graph *graph; /* NULL: none yet */
    const struct hale_topology_body *body;
    struct hale_map *next;     /* reference -> struct hale_entity, owned; or &gone */
    struct hale_map *dangling; /* references to what is not there */
    struct hale_map *seen;     /* references that were followed to the end */
    struct hale_entity gone;
    struct hale_buf added, changed, deleted, loose, cycles;
    size_t n_added, n_changed, n_unchanged, n_deleted, n_loose, n_cycles;
};

static void list_ref(struct hale_buf *b, size_t *n, const char *ref)
{
    if ((*n)++ >= LISTED_MAX)
        return;
    if (b->len > 0)
        hale_buf_add_char(b, ',');
    hale_buf_add_json(b, hale_str_from(ref));
}

static const struct hale_entity *in_graph(const struct plan *p, const char *ref)
{
    const struct hale_vertex *v =
        p->graph != NULL ? hale_graph_find(p->graph, hale_str_from(ref)) : NULL;

    return v != NULL ? hale_vertex_entity(v) : NULL;
}

static const struct hale_entity *planned(const struct plan *p, const char *ref)
{
    const struct hale_entity *e = hale_map_get(p->next, hale_str_from(ref));

    if (e != NULL)
        return e != &p->gone ? e : NULL;
    return in_graph(p, ref);
}

static enum hale_rc remember(struct plan *p, const char *ref, struct hale_entity *e)
{
    struct hale_entity *old = hale_map_take(p->next, hale_str_from(ref));

    if (old != NULL && old != &p->gone) {
        hale_entity_fini(old);
        free(old);
    }
    return hale_map_put(p->next, hale_str_from(ref), e);
}

static enum hale_rc plan_entity(struct plan *p, const struct hale_entity *given,
                                bool patch)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    struct hale_entity source = {.source = (char *)(uintptr_t)p->body->source};

    (void)snprintf(ref, sizeof(ref), "%s/%s", given->type, given->id);
    const struct hale_entity *before = planned(p, ref);
    struct hale_entity *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = patch && before != NULL ? hale_entity_patch(before, given, e)
                                              : hale_entity_patch(given, &source, e);
    if (rc == HALE_OK && before == NULL)
        list_ref(&p->added, &p->n_added, ref);
    else if (rc == HALE_OK && hale_entity_equal(before, e))
        p->n_unchanged++;
    else if (rc == HALE_OK)
        list_ref(&p->changed, &p->n_changed, ref);
    if (rc == HALE_OK)
        rc = remember(p, ref, e);
    if (rc != HALE_OK) {
        hale_entity_fini(e);
        free(e);
    }
    return rc;
}

static enum hale_rc plan_delete(struct plan *p, const char *ref)
{
    if (planned(p, ref) == NULL)
        return HALE_OK;
    list_ref(&p->deleted, &p->n_deleted, ref);
    return remember(p, ref, &p->gone);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A whole sync: what the source has and the body does not name goes. */
static enum hale_rc plan_reconcile(struct plan *p)
{
    size_t it = 0, n = 0;
    const struct hale_vertex *v;
    enum hale_rc rc = HALE_OK;

    if (p->graph == NULL || !p->body->sync_begin || !p->body->sync_end)
        return HALE_OK;
    const char **list = calloc(hale_graph_count(p->graph) + 1, sizeof(*list));
    if (list == NULL)
        return HALE_E_NOMEM;
    while ((v = hale_graph_next(p->graph, &it)) != NULL) {
        const struct hale_entity *e = hale_vertex_entity(v);
        if (e->source != NULL && strcmp(e->source, p->body->source) == 0 &&
            hale_map_get(p->next, hale_str_from(hale_vertex_ref(v))) == NULL)
            list[n++] = hale_vertex_ref(v);
    }
    if (n > 1)
        qsort(list, n, sizeof(*list), by_text);
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = plan_delete(p, list[i]);
    free(list);
    return rc;
}

/* --- references ------------------------------------------------------------------------------ */

/* The i-th reference of what e stands on; NULL: there are no more. */
static const char *support(const struct hale_entity *e, size_t i)
{
    if (i < e->hosted_by.n)
        return e->hosted_by.v[i];
    i -= e->hosted_by.n;
    if (i < e->connects.n)
        return e->connects.v[i];
    i -= e->connects.n;
    for (unsigned g = 0; g < e->n_depends_on; g++) {
        if (i < e->depends_on[g].on.n)
            return e->depends_on[g].on.v[i];
        i -= e->depends_on[g].on.n;
    }
    return NULL;
}

static enum hale_rc find_dangling(struct plan *p, const struct hale_entity *e)
{
    const char *ref;
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && (ref = support(e, i)) != NULL; i++) {
        if (planned(p, ref) != NULL ||
            hale_map_get(p->dangling, hale_str_from(ref)) != NULL)
            continue;
        rc = hale_map_put(p->dangling, hale_str_from(ref), p);
        list_ref(&p->loose, &p->n_loose, ref);
    }
    return rc;
}

struct step {
    const char *ref;
    const struct hale_entity *e;
    size_t next; /* support to follow */
};

static char open_mark, closed_mark; /* values in seen */

static void add_cycle(struct plan *p, const struct step *way, size_t n, const char *ref)
{
    size_t from = n;

    while (from > 0 && strcmp(way[from - 1].ref, ref) != 0)
        from--;
    if (p->n_cycles++ >= LISTED_MAX || from == 0)
        return;
    hale_buf_add_c(&p->cycles, p->cycles.len > 0 ? ",[" : "[");
    for (size_t i = from - 1; i < n; i++) {
        if (i >= from)
            hale_buf_add_char(&p->cycles, ',');
        hale_buf_add_json(&p->cycles, hale_str_from(way[i].ref));
    }
    hale_buf_add_char(&p->cycles, ']');
}

/* Depth first from one entity. What was followed before is not followed again. */
static enum hale_rc follow(struct plan *p, struct step *way, const char *start)
{
    size_t n = 0;
    const struct hale_entity *e = planned(p, start);
    enum hale_rc rc = HALE_OK;

    if (e == NULL || hale_map_get(p->seen, hale_str_from(start)) != NULL)
        return HALE_OK;
    way[n++] = (struct step){start, e, 0};
    rc = hale_map_put(p->seen, hale_str_from(start), &open_mark);
    while (rc == HALE_OK && n > 0) {
        const char *ref = support(way[n - 1].e, way[n - 1].next++);
        if (ref == NULL) {
            rc = hale_map_put(p->seen, hale_str_from(way[--n].ref), &closed_mark);
            continue;
        }
        const char *mark = hale_map_get(p->seen, hale_str_from(ref));
        e = mark == NULL ? planned(p, ref) : NULL;
        if (mark == &open_mark)
            add_cycle(p, way, n, ref);
        if (e == NULL || n == DEPTH_MAX)
            continue;
        way[n++] = (struct step){ref, e, 0};
        rc = hale_map_put(p->seen, hale_str_from(ref), &open_mark);
    }
    return rc;
}

static enum hale_rc find_cycles(struct plan *p, const struct hale_entity *list, size_t n)
{
    enum hale_rc rc = HALE_OK;
    struct step *way = calloc(DEPTH_MAX, sizeof(*way));
    char ref[HALE_TOPOLOGY_REF_MAX];

    if (way == NULL)
        return HALE_E_NOMEM;
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        (void)snprintf(ref, sizeof(ref), "%s/%s", list[i].type, list[i].id);
        rc = follow(p, way, ref);
    }
    free(way);
    return rc;
}

/* --- all ------------------------------------------------------------------------------------- */

static enum hale_rc plan_all(struct plan *p)
{
    const struct hale_topology_body *b = p->body;
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && i < b->n_put; i++)
        rc = plan_entity(p, &b->put[i], false);
    for (size_t i = 0; rc == HALE_OK && i < b->n_patch; i++)
        rc = plan_entity(p, &b->patch[i], true);
    for (size_t i = 0; rc == HALE_OK && i < b->n_delete; i++)
        rc = plan_delete(p, b->deleted[i]);
    if (rc == HALE_OK)
        rc = plan_reconcile(p);
    for (size_t i = 0; rc == HALE_OK && i < b->n_put; i++)
        rc = find_dangling(p, &b->put[i]);
    for (size_t i = 0; rc == HALE_OK && i < b->n_patch; i++)
        rc = find_dangling(p, &b->patch[i]);
    if (rc == HALE_OK)
        rc = find_cycles(p, b->put, b->n_put);
    if (rc == HALE_OK)
        rc = find_cycles(p, b->patch, b->n_patch);
    return rc;
}

static void add_part(struct hale_buf *out, const char *key, const struct hale_buf *list,
                     size_t n)
{
    hale_buf_printf(out, ",\"%s\":{\"count\":%zu,\"elements\":[", key, n);
    hale_buf_add_str(out, hale_buf_str(list));
    hale_buf_add_c(out, "]}");
}

static void plan_init(struct plan *p, const struct hale_graph *g,
                      const struct hale_topology_body *body)
{
    struct hale_buf *const lists[] = {&p->added, &p->changed, &p->deleted, &p->loose,
                                      &p->cycles};

    *p = (struct plan){.graph = g, .body = body};
    p->next = hale_map_new(2 * HALE_TOPOLOGY_ENTITIES_MAX, NULL);
    p->dangling = hale_map_new(HALE_TOPOLOGY_ENTITIES_MAX, NULL);
    p->seen = hale_map_new(2 * HALE_TOPOLOGY_ENTITIES_MAX, NULL);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        hale_buf_init(lists[i], ANSWER_MAX);
}

static void plan_fini(struct plan *p)
{
    struct hale_buf *const lists[] = {&p->added, &p->changed, &p->deleted, &p->loose,
                                      &p->cycles};
    struct hale_entity *e;

    for (size_t it = 0;
         p->next != NULL && (e = hale_map_next(p->next, &it, NULL)) != NULL;) {
        if (e != &p->gone) {
            hale_entity_fini(e);
            free(e);
        }
    }
    hale_map_free(p->next);
    hale_map_free(p->dangling);
    hale_map_free(p->seen);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        hale_buf_fini(lists[i]);
}

static void check(const struct hale_graph *g, struct hale_http_req *req,
                  const struct hale_topology_body *body)
{
    struct plan p;
    struct hale_buf b;

    plan_init(&p, g, body);
    enum hale_rc rc = p.next == NULL || p.dangling == NULL || p.seen == NULL
                          ? HALE_E_NOMEM
                          : plan_all(&p);
    if (rc == HALE_OK) {
        hale_buf_init(&b, ANSWER_MAX);
        hale_buf_printf(&b, "{\"unchanged\":%zu", p.n_unchanged);
        add_part(&b, "added", &p.added, p.n_added);
        add_part(&b, "changed", &p.changed, p.n_changed);
        add_part(&b, "deleted", &p.deleted, p.n_deleted);
        add_part(&b, "dangling", &p.loose, p.n_loose);
        add_part(&b, "cycles", &p.cycles, p.n_cycles);
        hale_buf_add_char(&b, '}');
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    } else {
        collector_reply_busy(req, 5, "out of memory");
    }
    plan_fini(&p);
}

void collector_topology_check_post(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req)
{
    struct hale_topology_body body;
    struct hale_err err = {0};
    json_t *root = collector_request_json(req);

    if (root == NULL)
        return;
    if (hale_topology_body_read(root, &body, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    const struct hale_entities *x = collector_topology_enter(c, redis, req);
    if (x != NULL) {
        check(collector_topology_graph(x, req), req, &body);
        collector_topology_leave(c);
    }
    hale_topology_body_fini(&body);
}
