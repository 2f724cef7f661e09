/* SPDX-License-Identifier: Apache-2.0 */
#include "store/entities.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "model/topology.h"
#include "store/keys.h"

#define TENANTS_MAX 100000
#define SOURCES_MAX 100000
#define LOG_COUNT   200
#define LOG_TEXT    "200"
#define SCAN_TEXT   "1000"
#define FIELDS_MAX  500 /* of one HMGET */

struct hale_entities {
    struct hale_map *graphs;  /* tenant -> struct hale_graph */
    struct hale_map *sources; /* tenant \0 source -> JSON text */
    bool loaded;
    struct hale_stream_id last;  /* entry of the log that the copy has */
    struct hale_entities *fresh; /* everything anew, being read in pieces; NULL: not */
    char cursor[32];             /* of fresh: how far its rows are read */
};

static void free_graph(void *g)
{
    hale_graph_free(g);
}

struct hale_entities *hale_entities_new(void)
{
    struct hale_entities *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    x->graphs = hale_map_new(TENANTS_MAX, free_graph);
    x->sources = hale_map_new(SOURCES_MAX, free);
    if (x->graphs == NULL || x->sources == NULL) {
        hale_entities_free(x);
        return NULL;
    }
    return x;
}

void hale_entities_free(struct hale_entities *x)
{
    if (x == NULL)
        return;
    hale_entities_free(x->fresh);
    hale_map_free(x->graphs);
    hale_map_free(x->sources);
    free(x);
}

struct hale_graph *hale_entities_graph(const struct hale_entities *x,
                                       struct hale_str tenant)
{
    return hale_map_get(x->graphs, tenant);
}

bool hale_entities_source(const struct hale_entities *x, struct hale_str tenant,
                          size_t *it, struct hale_str *source, const char **row)
{
    struct hale_str key;
    while ((*row = hale_map_next(x->sources, it, &key)) != NULL) {
        *source = key;
        if (hale_str_eq(hale_str_split(source, '\0'), tenant))
            return true;
    }
    return false;
}

/* --- one row ------------------------------------------------------------------------- */

struct place {
    struct hale_str tenant, type, id;
};

static bool take_apart(struct hale_str field, struct place *p)
{
    p->id = field;
    p->tenant = hale_str_split(&p->id, '\0');
    p->type = p->id.p != NULL ? hale_str_split(&p->id, '\0') : (struct hale_str){NULL, 0};
    return p->id.p != NULL && p->id.len > 0;
}

static enum hale_rc put_source(struct hale_entities *x, const struct place *p,
                               struct hale_str value)
{
    /* tenant \0 \0 source is one NUL more than the key. */
    char key[512];
    if (p->tenant.len + 1 + p->id.len > sizeof(key))
        return HALE_OK;
    memcpy(key, p->tenant.p, p->tenant.len);
    key[p->tenant.len] = '\0';
    memcpy(key + p->tenant.len + 1, p->id.p, p->id.len);
    const struct hale_str k = {key, p->tenant.len + 1 + p->id.len};
    if (value.p == NULL) {
        hale_map_del(x->sources, k);
        return HALE_OK;
    }
    char *text = strndup(value.p, value.len);
    enum hale_rc rc = text != NULL ? hale_map_put(x->sources, k, text) : HALE_E_NOMEM;
    if (rc != HALE_OK)
        free(text);
    return rc == HALE_E_LIMIT ? HALE_OK : rc;
}

static struct hale_graph *graph_make(struct hale_entities *x, struct hale_str tenant,
                                     enum hale_rc *rc)
{
    struct hale_graph *g = hale_map_get(x->graphs, tenant);
    if (g != NULL)
        return g;
    g = hale_graph_new(HALE_TOPOLOGY_ENTITIES_MAX);
    *rc = g != NULL ? hale_map_put(x->graphs, tenant, g) : HALE_E_NOMEM;
    if (*rc != HALE_OK) {
        hale_graph_free(g);
        return NULL;
    }
    return g;
}

static enum hale_rc put_entity(struct hale_entities *x, const struct place *p,
                               struct hale_str value)
{
    struct hale_entity e;
    json_t *row = json_loadb(value.p, value.len, 0, NULL);
    enum hale_rc rc = row != NULL ? hale_entity_from_json(row, &e, NULL) : HALE_E_INVAL;
    json_decref(row);
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_OK : rc; /* the correlator told of it */
    struct hale_graph *g = graph_make(x, p->tenant, &rc);
    if (g != NULL)
        rc = hale_graph_put(g, &e);
    hale_entity_fini(&e);
    return rc == HALE_E_LIMIT ? HALE_OK : rc;
}

static void delete_entity(struct hale_entities *x, const struct place *p)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    struct hale_graph *g = hale_map_get(x->graphs, p->tenant);
    int n = snprintf(ref, sizeof(ref), "%.*s/%.*s", (int)p->type.len, p->type.p,
                     (int)p->id.len, p->id.p);
    if (g != NULL && n > 0 && (size_t)n < sizeof(ref))
        (void)hale_graph_delete(g, hale_str_from(ref)); /* it may never have been there */
}

/* value.p NULL: the row is gone. */
static enum hale_rc take_row(struct hale_entities *x, struct hale_str field,
                             struct hale_str value)
{
    struct place p;
    if (!take_apart(field, &p))
        return HALE_OK;
    if (p.type.len == 0)
        return put_source(x, &p, value);
    if (value.p != NULL)
        return put_entity(x, &p, value);
    delete_entity(x, &p);
    return HALE_OK;
}

/* --- everything ---------------------------------------------------------------------- */

static int last_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    (void)stream;
    (void)field;
    (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

/* One page of the rows; x->cursor is "0" again after the last. */
static enum hale_rc scan_page(struct hale_entities *x, struct hale_redis *r)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HSCAN"), HALE_STR(HALE_KEYS_ENTITIES),
                       hale_str_from(x->cursor), HALE_STR("COUNT"), HALE_STR(SCAN_TEXT));
    if (rc != HALE_OK)
        return rc;
    struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
    const struct hale_reply *rows = hale_reply_at(reply, 1);
    if (next.len == 0 || next.len >= sizeof(x->cursor))
        rc = HALE_E_IO;
    else
        (void)snprintf(x->cursor, sizeof(x->cursor), "%.*s", (int)next.len, next.p);
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(rows); i += 2)
        rc = take_row(x, hale_reply_str(hale_reply_at(rows, i)),
                      hale_reply_str(hale_reply_at(rows, i + 1)));
    hale_reply_free(reply);
    return rc;
}

/* The log's end first: rows that change while they are read are told of after it. */
static enum hale_rc begin(struct hale_entities *x, struct hale_redis *r)
{
    struct hale_reply *reply = NULL;
    x->loaded = false;
    x->last = (struct hale_stream_id){0, 0};
    (void)snprintf(x->cursor, sizeof(x->cursor), "0");
    hale_map_clear(x->graphs);
    hale_map_clear(x->sources);
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("XREVRANGE"), HALE_STR(HALE_KEYS_ENTITYLOG),
                       HALE_STR("+"), HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc != HALE_OK)
        return rc;
    (void)hale_reply_range(reply, last_entry, &x->last);
    hale_reply_free(reply);
    return HALE_OK;
}

static enum hale_rc load(struct hale_entities *x, struct hale_redis *r)
{
    enum hale_rc rc = begin(x, r);
    do {
        if (rc == HALE_OK)
            rc = scan_page(x, r);
    } while (rc == HALE_OK && strcmp(x->cursor, "0") != 0);
    x->loaded = rc == HALE_OK;
    return rc;
}

/* --- what changed -------------------------------------------------------------------- */

static enum hale_rc read_rows(struct hale_entities *x, struct hale_redis *r, unsigned n,
                              struct hale_str *command)
{
    struct hale_reply *reply = NULL;
    command[0] = HALE_STR("HMGET");
    command[1] = HALE_STR(HALE_KEYS_ENTITIES);
    enum hale_rc rc = hale_redis_cmd(r, n + 2, command, &reply);
    for (unsigned i = 0; rc == HALE_OK && i < n; i++) {
        const struct hale_reply *row = hale_reply_at(reply, i);
        const struct hale_str none = {NULL, 0};
        rc = take_row(x, command[i + 2],
                      hale_reply_is_nil(row) ? none : hale_reply_str(row));
    }
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc take_lines(struct hale_entities *x, struct hale_redis *r,
                               struct hale_str lines)
{
    struct hale_str command[FIELDS_MAX + 2];
    enum hale_rc rc = HALE_OK;
    while (rc == HALE_OK && lines.p != NULL) {
        unsigned n = 0;
        while (lines.p != NULL && n < FIELDS_MAX)
            command[2 + n++] = hale_str_split(&lines, '\n');
        rc = read_rows(x, r, n, command);
    }
    return rc;
}

struct news {
    struct hale_entities *x;
    struct hale_redis *r;
    enum hale_rc rc;
    unsigned n;      /* entries, the one that the copy has included */
    bool everything; /* load anew */
};

static int take_news(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    struct news *w = arg;
    const struct hale_stream_id zero = {0, 0};
    (void)stream;
    (void)field;
    bool known = hale_stream_id_cmp(id, w->x->last) == 0;
    if (w->n++ == 0 && !known && hale_stream_id_cmp(w->x->last, zero) != 0)
        w->everything = true; /* trimmed, or another Redis */
    if (known)
        return 0;
    w->everything = w->everything || hale_str_eq_c(value, "*");
    if (w->everything)
        return 1;
    w->rc = take_lines(w->x, w->r, value);
    if (w->rc != HALE_OK)
        return 1;
    w->x->last = id;
    return 0;
}

/* One page of the log, from the entry that the copy has. *lost: everything is to be read anew. */
static enum hale_rc page(struct hale_entities *x, struct hale_redis *r, bool *more,
                         bool *lost)
{
    struct hale_reply *reply = NULL;
    struct news w = {.x = x, .r = r};
    char from[HALE_STREAM_ID_TEXT];
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("XRANGE"), HALE_STR(HALE_KEYS_ENTITYLOG),
                       hale_str_from(hale_stream_id_text(x->last, from)), HALE_STR("+"),
                       HALE_STR("COUNT"), HALE_STR(LOG_TEXT));
    if (rc != HALE_OK)
        return rc;
    bool had = x->last.ms != 0;
    (void)hale_reply_range(reply, take_news, &w);
    hale_reply_free(reply);
    if (w.rc != HALE_OK)
        return w.rc;
    /* An empty log where there was one, or a first page so full that entries may be missing. */
    *lost = w.everything || (had && w.n == 0) || (!had && w.n == LOG_COUNT);
    *more = !*lost && w.n == LOG_COUNT;
    return HALE_OK;
}

enum hale_rc hale_entities_refresh(struct hale_entities *x, struct hale_redis *r)
{
    bool more = true, lost = false;
    enum hale_rc rc = HALE_OK;
    hale_entities_free(x->fresh);
    x->fresh = NULL;
    if (!x->loaded)
        return load(x, r);
    while (rc == HALE_OK && more && !lost)
        rc = page(x, r, &more, &lost);
    if (rc == HALE_OK && lost)
        return load(x, r);
    /* A row may have been taken in part: nothing is known of the rest. */
    x->loaded = rc == HALE_OK;
    return rc;
}

/* --- in pieces ----------------------------------------------------------------------- */

/* A second copy begins. */
static enum hale_rc anew(struct hale_entities *x, struct hale_redis *r)
{
    hale_entities_free(x->fresh);
    x->fresh = hale_entities_new();
    enum hale_rc rc = x->fresh != NULL ? begin(x->fresh, r) : HALE_E_NOMEM;
    if (rc != HALE_OK) {
        hale_entities_free(x->fresh);
        x->fresh = NULL;
    }
    return rc;
}

/* The second copy becomes the first. */
static void change_over(struct hale_entities *x)
{
    struct hale_entities *old = x->fresh;
    struct hale_map *graphs = x->graphs, *sources = x->sources;
    x->graphs = old->graphs;
    x->sources = old->sources;
    x->last = old->last;
    x->loaded = true;
    x->fresh = NULL;
    old->graphs = graphs;
    old->sources = sources;
    hale_entities_free(old);
}

enum hale_rc hale_entities_refresh_piece(struct hale_entities *x, struct hale_redis *r,
                                         bool *more_out)
{
    bool lost = false;
    enum hale_rc rc;
    *more_out = true;
    if (x->fresh == NULL && !x->loaded)
        return anew(x, r);
    if (x->fresh == NULL) {
        rc = page(x, r, more_out, &lost);
        x->loaded = rc == HALE_OK;
        if (rc != HALE_OK || !lost)
            return rc;
        *more_out = true;
        return anew(x, r);
    }
    rc = scan_page(x->fresh, r);
    if (rc != HALE_OK) {
        hale_entities_free(x->fresh);
        x->fresh = NULL;
        x->loaded = false;
        return rc;
    }
    if (strcmp(x->fresh->cursor, "0") == 0)
        change_over(x);
    return HALE_OK;
}

bool hale_entities_loading(const struct hale_entities *x)
{
    return x->fresh != NULL || !x->loaded;
}
