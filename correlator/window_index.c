/* SPDX-License-Identifier: Apache-2.0 */
/* window_index - labels of alarms, and which of the windows that are on fit them. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"
#include "correlator/window.h"

#define LABELS_MAX 256

struct cor_condition {
    size_t n, cap;
    struct cor_window **v;
};
struct cor_labels {
    const char *tenant;
    json_t *dims; /* those that identify the alarm */
    unsigned n;
    struct {
        struct hale_str name, value;
        bool unsure; /* sub-expressions disagree */
    } v[LABELS_MAX];
};

/* --- labels -------------------------------------------------------------------------- */

static unsigned find(const struct cor_labels *l, struct hale_str name)
{
    unsigned i = 0;
    while (i < l->n && !hale_str_eq(l->v[i].name, name))
        i++;
    return i;
}

static void add(struct cor_labels *l, struct hale_str name, struct hale_str value)
{
    if (l->n == LABELS_MAX || find(l, name) < l->n)
        return;
    l->v[l->n].name = name;
    l->v[l->n].unsure = false;
    l->v[l->n++].value = value;
}

static void add_c(struct cor_labels *l, const char *name, const char *value)
{
    add(l, hale_str_from(name), hale_str_from(value));
}

/* What all sub-expressions that name it agree on. */
static void add_selectors(struct cor_labels *l, const struct hale_expr *x)
{
    unsigned own = l->n;
    for (unsigned i = 0; i < x->n_subs; i++) {
        for (unsigned k = 0; k < x->subs[i].n_dims; k++) {
            unsigned at = find(l, x->subs[i].dims[k].key);
            if (at < l->n && at >= own)
                l->v[at].unsure |= !hale_str_eq(l->v[at].value, x->subs[i].dims[k].value);
            add(l, x->subs[i].dims[k].key, x->subs[i].dims[k].value);
        }
    }
}

struct cor_labels *cor_labels_new(struct correlator_engine *e, const struct cor_alarm *a)
{
    struct cor_labels *l = cor_got(e, malloc(sizeof(*l)));
    const char *key;
    json_t *value;
    if (l == NULL)
        return NULL;
    l->n = 0;
    const struct hale_definition *d = a->node != NULL ? a->node->def->d : NULL;
    l->tenant = d != NULL ? d->tenant : a->fault->tenant;
    l->dims = cor_got(e, json_loads(d != NULL ? a->node->json : a->fault->dims, 0, NULL));
    add_c(l, "alarmname", d != NULL ? d->name : a->fault->type);
    add_c(l, "severity", hale_severity_text(cor_severity_of(a)));
    if (d != NULL)
        add_c(l, "definition_id", d->id);
    json_object_foreach (l->dims, key, value)
        add_c(l, key, json_string_value(value));
    if (d != NULL)
        add_selectors(l, d->expr);
    return l;
}

void cor_labels_free(struct cor_labels *l)
{
    if (l == NULL)
        return;
    json_decref(l->dims);
    free(l);
}

const char *cor_labels_tenant(const struct cor_labels *l)
{
    return l->tenant;
}

static struct hale_str label(void *arg, const char *name)
{
    const struct cor_labels *l = arg;
    unsigned at = find(l, hale_str_from(name));
    return at < l->n && !l->v[at].unsure ? l->v[at].value : (struct hale_str){NULL, 0};
}

/* --- fitting ------------------------------------------------------------------------- */

struct stands {
    const char *on;
    bool found;
};

static bool look(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                 void *arg)
{
    struct stands *s = arg;
    (void)via;
    (void)depth;
    s->found = strcmp(hale_vertex_ref(v), s->on) == 0;
    return !s->found;
}

/* Is the alarm about that entity, or about what stands on it? */
static bool stands_on(struct correlator_engine *e, const struct cor_labels *l,
                      const char *entity)
{
    struct stands s = {entity, false};
    struct hale_graph *g =
        e->topology != NULL ? cor_topology_graph(e->topology, l->tenant) : NULL;
    struct hale_vertex *v = g != NULL ? hale_graph_match(g, l->dims) : NULL;
    if (v == NULL)
        return false;
    if (strcmp(hale_vertex_ref(v), entity) == 0)
        return true;
    hale_graph_supports(g, v, look, &s);
    return s.found;
}

bool cor_window_fits(struct correlator_engine *e, const struct cor_window *w,
                     struct cor_labels *l)
{
    return strcmp(w->s->tenant, l->tenant) == 0 &&
           hale_matchers_fit(&w->s->matchers, label, l) &&
           (w->s->entity == NULL || stands_on(e, l, w->s->entity));
}

/* --- the index ----------------------------------------------------------------------- */

/* tenant NUL name NUL value; without a condition tenant alone. */
static void key_of(struct hale_buf *b, const char *tenant, struct hale_str name,
                   struct hale_str value)
{
    hale_buf_reset(b);
    hale_buf_add_c(b, tenant);
    if (name.p == NULL)
        return;
    hale_buf_add_char(b, '\0');
    hale_buf_add_str(b, name);
    hale_buf_add_char(b, '\0');
    hale_buf_add_str(b, value);
}

static const struct hale_matcher *equality(const struct hale_silence *s)
{
    for (unsigned i = 0; i < s->matchers.n; i++) {
        const struct hale_matcher *m = &s->matchers.v[i];
        if (m->op == HALE_MATCH_EQ && m->value[0] != '\0')
            return m;
    }
    return NULL;
}

static struct cor_condition *bucket_of(struct correlator_engine *e, struct hale_str key)
{
    struct cor_condition *b = hale_map_get(e->windows.index, key);
    if (b != NULL)
        return b;
    b = cor_got(e, calloc(1, sizeof(*b)));
    if (b != NULL && hale_map_put(e->windows.index, key, b) != HALE_OK) {
        free(b);
        e->nomem = true;
        b = NULL;
    }
    return b;
}

static void key_of_window(struct correlator_engine *e, const struct cor_window *w)
{
    const struct hale_matcher *m = equality(w->s);
    const struct hale_str none = {NULL, 0};
    key_of(&e->scratch, w->s->tenant, m != NULL ? hale_str_from(m->name) : none,
           m != NULL ? hale_str_from(m->value) : none);
}

bool cor_window_enter(struct correlator_engine *e, struct cor_window *w)
{
    HALE_ASSERT(w->bucket == NULL);
    key_of_window(e, w);
    struct cor_condition *b =
        e->scratch.failed ? cor_got(e, NULL) : bucket_of(e, hale_buf_str(&e->scratch));
    if (b == NULL)
        return false;
    if (b->n == b->cap) {
        size_t cap = b->cap == 0 ? 4 : 2 * b->cap;
        struct cor_window **grown =
            cor_got(e, realloc(b->v, cap * sizeof(struct cor_window *)));
        if (grown == NULL)
            return false;
        b->v = grown;
        b->cap = cap;
    }
    b->v[b->n++] = w;
    w->bucket = b;
    return true;
}

void cor_window_leave(struct correlator_engine *e, struct cor_window *w)
{
    struct cor_condition *b = w->bucket;
    if (b == NULL)
        return;
    size_t i = 0;
    while (b->v[i] != w)
        i++;
    b->v[i] = b->v[--b->n];
    w->bucket = NULL;
    if (b->n > 0)
        return;
    key_of_window(e, w);
    hale_map_del(e->windows.index, hale_buf_str(&e->scratch));
}

static void
ask(struct correlator_engine *e, struct cor_labels *l, struct hale_str name,
    struct hale_str value,
    void (*each)(struct correlator_engine *e, struct cor_window *w, void *arg), void *arg)
{
    key_of(&e->scratch, l->tenant, name, value);
    struct cor_condition *b =
        e->scratch.failed ? NULL
                          : hale_map_get(e->windows.index, hale_buf_str(&e->scratch));
    for (size_t i = 0; b != NULL && i < b->n; i++) {
        if (cor_window_fits(e, b->v[i], l))
            each(e, b->v[i], arg);
    }
}

void cor_windows_each(struct correlator_engine *e, struct cor_labels *l,
                      void (*each)(struct correlator_engine *e, struct cor_window *w,
                                   void *arg),
                      void *arg)
{
    const struct hale_str none = {NULL, 0};
    if (hale_map_count(e->windows.by_id) == 0)
        return;
    ask(e, l, none, none, each, arg);
    for (unsigned i = 0; i < l->n; i++) {
        if (!l->v[i].unsure)
            ask(e, l, l->v[i].name, l->v[i].value, each, arg);
    }
}

static void bucket_free(void *bucket)
{
    struct cor_condition *b = bucket;
    free(b->v);
    free(b);
}

bool cor_windows_init(struct cor_windows *w)
{
    w->by_id = hale_map_new(2 * HALE_SILENCES_MAX, NULL);
    w->index = hale_map_new(1u << 20, bucket_free);
    return w->by_id != NULL && w->index != NULL;
}

static void window_free(struct cor_window *w)
{
    hale_silence_free(w->s);
    free(w);
}

void cor_windows_fini(struct cor_windows *w)
{
    size_t it = 0;
    struct cor_window *v;
    while (w->by_id != NULL && (v = hale_map_next(w->by_id, &it, NULL)) != NULL)
        window_free(v);
    hale_map_free(w->by_id);
    hale_map_free(w->index);
}
