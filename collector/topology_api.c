/* SPDX-License-Identifier: Apache-2.0 */
/* topology_api - reading: list, one with its neighbours, who stands on it, what it stands on. */
#include "collector/topology_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/params.h"
#include "collector/request.h"
#include "collector/topology_state.h"
#include "collector/topology_view.h"

#define ANSWER_MAX ((size_t)256 << 20)

/* --- one entity as JSON ---------------------------------------------------------------------- */

/* Its row, and what follows from the others: out (what it stands on is down), maintenance. */
static void add_entity(const struct hale_vertex *v, struct hale_buf *b)
{
    const struct hale_entity *e = hale_vertex_entity(v);

    hale_buf_add_c(b, "{\"ref\":");
    hale_buf_add_json(b, hale_str_from(hale_vertex_ref(v)));
    hale_buf_add_c(b, ",\"entity\":");
    if (e == NULL)
        hale_buf_add_c(b, "null");
    else if (hale_entity_encode(e, b) != HALE_OK)
        b->failed = true;
    hale_buf_add_char(b, '}');
}

static void reply(struct hale_http_req *req, struct hale_buf *b)
{
    collector_reply_buf(req, 200, COLLECTOR_JSON, b);
    hale_buf_fini(b);
}

/* --- list ------------------------------------------------------------------------------------ */

struct filter {
    const char *type, *source, *name; /* NULL: any */
    bool has_state;
    enum hale_entity_state state;
    size_t limit;
    const char *after; /* reference; NULL: from the beginning */
};

static bool read_filter(struct hale_http_req *req, struct filter *f)
{
    const char *state = hale_http_query(req, "state");
    struct hale_err err = {0};

    *f = (struct filter){.type = hale_http_query(req, "type"),
                         .source = hale_http_query(req, "source"),
                         .name = hale_http_query(req, "name"),
                         .has_state = state != NULL,
                         .after = hale_http_query(req, "offset")};
    enum hale_rc rc =
        collector_params_limit(hale_http_query(req, "limit"), &f->limit, &err);
    if (rc == HALE_OK && state != NULL &&
        hale_entity_state_parse(hale_str_from(state), &f->state) != HALE_OK)
        rc = hale_err_set(&err, HALE_E_INVAL,
                          "state must be up, down, maintenance or unknown");
    if (rc == HALE_OK && f->type != NULL &&
        !hale_topology_type_ok(hale_str_from(f->type)))
        rc = hale_err_set(&err, HALE_E_INVAL,
                          "type must be a word of a-z, 0-9 and _, like host");
    if (rc != HALE_OK)
        collector_reply_invalid(req, &err);
    return rc == HALE_OK;
}

static bool fits(const struct filter *f, const struct hale_vertex *v)
{
    const struct hale_entity *e = hale_vertex_entity(v);
    /* What says nothing of its state is up. */
    enum hale_entity_state state = e->has_state ? e->state : HALE_ENTITY_UP;

    return (f->type == NULL || strcmp(f->type, e->type) == 0) &&
           (f->source == NULL ||
            (e->source != NULL && strcmp(f->source, e->source) == 0)) &&
           (f->name == NULL || (e->name != NULL && strcmp(f->name, e->name) == 0)) &&
           (!f->has_state || f->state == state) &&
           (f->after == NULL || strcmp(hale_vertex_ref(v), f->after) > 0);
}

static int by_ref(const void *a, const void *b)
{
    return strcmp(hale_vertex_ref(*(struct hale_vertex *const *)a),
                  hale_vertex_ref(*(struct hale_vertex *const *)b));
}

/* Those that fit, by reference. NULL: no memory. */
static struct hale_vertex **select_entities(const struct hale_graph *g,
                                            const struct filter *f, size_t *n_out)
{
    size_t it = 0, n = 0;
    struct hale_vertex *v, **list = calloc(hale_graph_count(g) + 1, sizeof(*list));

    while (list != NULL && (v = hale_graph_next(g, &it)) != NULL) {
        if (fits(f, v))
            list[n++] = v;
    }
    if (list != NULL && n > 1)
        qsort(list, n, sizeof(*list), by_ref);
    *n_out = n;
    return list;
}

static void reply_list(struct collector *c, struct hale_http_req *req,
                       const struct hale_graph *g, const struct filter *f)
{
    size_t n = 0;
    struct hale_buf b;
    struct hale_vertex **list = g != NULL ? select_entities(g, f, &n) : NULL;

    if (g != NULL && list == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    size_t end = n < f->limit ? n : f->limit;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    for (size_t i = 0; i < end; i++) {
        if (i > 0)
            hale_buf_add_char(&b, ',');
        if (hale_entity_encode(hale_vertex_entity(list[i]), &b) != HALE_OK)
            b.failed = true;
    }
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded,
                         end < n ? hale_vertex_ref(list[end - 1]) : NULL, &b);
    hale_buf_add_char(&b, '}');
    reply(req, &b);
    free(list);
}

void collector_topology_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct filter f;

    if (hale_http_query(req, "ref") != NULL) {
        collector_topology_get_one(c, redis, req);
        return;
    }
    if (!read_filter(req, &f))
        return;
    const struct hale_entities *x = collector_topology_enter(c, redis, req);
    if (x == NULL)
        return;
    reply_list(c, req, collector_topology_graph(x, req), &f);
    collector_topology_leave(c);
}

/* --- one, with those beside it --------------------------------------------------------------- */

struct neighbours {
    struct hale_buf *b;
    bool any;
};

static bool add_neighbour(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                          void *arg)
{
    struct neighbours *n = arg;

    (void)via;
    if (depth > 1)
        return false; /* breadth first: all direct ones came before */
    if (n->any)
        hale_buf_add_char(n->b, ',');
    n->any = true;
    add_entity(v, n->b);
    return true;
}

/* The vertex of an entity, NULL: answered (404). */
static struct hale_vertex *find(const struct hale_graph *g, const char *ref,
                                struct hale_http_req *req)
{
    struct hale_vertex *v = g != NULL ? hale_graph_find(g, hale_str_from(ref)) : NULL;

    if (v != NULL && hale_vertex_entity(v) != NULL)
        return v;
    collector_reply_not_found(req);
    return NULL;
}

static void reply_one(struct collector *c, struct hale_http_req *req,
                      struct hale_graph *g, struct hale_vertex *v)
{
    struct hale_buf b;

    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"entity\":");
    if (hale_entity_encode(hale_vertex_entity(v), &b) != HALE_OK)
        b.failed = true;
    hale_buf_add_c(&b, ",\"supports\":[");
    hale_graph_supports(g, v, add_neighbour, &(struct neighbours){&b, false});
    hale_buf_add_c(&b, "],\"dependents\":[");
    hale_graph_dependents(g, v, add_neighbour, &(struct neighbours){&b, false});
    hale_buf_add_c(&b, "],");
    collector_topology_state_add(c, collector_request_of(req)->tenant, g, v, &b);
    hale_buf_add_char(&b, '}');
    reply(req, &b);
}

void collector_topology_get_one(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req)
{
    char ref[HALE_TOPOLOGY_REF_MAX];

    if (!collector_topology_ref(req, ref))
        return;
    const struct hale_entities *x = collector_topology_enter(c, redis, req);
    if (x == NULL)
        return;
    struct hale_graph *g = collector_topology_graph(x, req);
    struct hale_vertex *v = find(g, ref, req);
    if (v != NULL)
        reply_one(c, req, g, v);
    collector_topology_leave(c);
}

/* --- who stands on it, what it stands on ----------------------------------------------------- */

struct walk {
    struct hale_buf *b;
    size_t n, limit;
};

static bool add_step(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                     void *arg)
{
    struct walk *w = arg;

    if (w->n == w->limit) {
        w->n++; /* there is more */
        return false;
    }
    if (w->n++ > 0)
        hale_buf_add_char(w->b, ',');
    hale_buf_printf(w->b, "{\"depth\":%u,\"via\":", depth);
    hale_buf_add_json(w->b, hale_str_from(hale_vertex_ref(via)));
    hale_buf_add_c(w->b, ",\"element\":");
    add_entity(v, w->b);
    hale_buf_add_char(w->b, '}');
    return true;
}

static void reply_walk(struct collector *c, struct hale_redis *redis,
                       struct hale_http_req *req, bool dependents)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    struct hale_err err = {0};
    struct hale_buf b;
    size_t limit;

    if (!collector_topology_ref(req, ref))
        return;
    if (collector_params_limit(hale_http_query(req, "limit"), &limit, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    const struct hale_entities *x = collector_topology_enter(c, redis, req);
    if (x == NULL)
        return;
    struct hale_graph *g = collector_topology_graph(x, req);
    struct hale_vertex *v = find(g, ref, req);
    if (v != NULL) {
        struct walk w = {.b = &b, .limit = limit};
        hale_buf_init(&b, ANSWER_MAX);
        hale_buf_add_c(&b, "{\"ref\":");
        hale_buf_add_json(&b, hale_str_from(ref));
        hale_buf_add_c(&b, ",\"elements\":[");
        if (dependents)
            hale_graph_dependents(g, v, add_step, &w);
        else
            hale_graph_supports(g, v, add_step, &w);
        hale_buf_printf(&b, "],\"complete\":%s}", w.n > limit ? "false" : "true");
        reply(req, &b);
    }
    collector_topology_leave(c);
}

void collector_topology_dependents_get(struct collector *c, struct hale_redis *redis,
                                       struct hale_http_req *req)
{
    reply_walk(c, redis, req, true);
}

void collector_topology_supports_get(struct collector *c, struct hale_redis *redis,
                                     struct hale_http_req *req)
{
    reply_walk(c, redis, req, false);
}

/* --- sources --------------------------------------------------------------------------------- */

void collector_topology_sources_get(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req)
{
    struct hale_str source, tenant = hale_str_from(collector_request_of(req)->tenant);
    const char *row;
    size_t it = 0, n = 0;
    struct hale_buf b;

    const struct hale_entities *x = collector_topology_enter(c, redis, req);
    if (x == NULL)
        return;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    while (hale_entities_source(x, tenant, &it, &source, &row)) {
        if (n++ > 0)
            hale_buf_add_char(&b, ',');
        hale_buf_add_c(&b, row); /* as the correlator wrote it */
    }
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, NULL, &b);
    hale_buf_add_char(&b, '}');
    reply(req, &b);
    collector_topology_leave(c);
}
