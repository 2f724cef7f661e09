/* SPDX-License-Identifier: Apache-2.0 */
/* cause_link - links between alarms, kept in both directions, and what of them stands in records. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

static const unsigned links_max[COR_LINK_KINDS] = {COR_CAUSES_MAX, COR_HOLDS_MAX};

/* --- links --------------------------------------------------------------------------- */

static void back_drop(struct cor_link *l, enum cor_link_kind kind)
{
    struct cor_backs *b = &l->to->about.backs[kind];
    const struct cor_back last = b->v[--b->n];
    if (l->back != b->n) {
        b->v[l->back] = last;
        last.from->about.links[kind][last.which].back = l->back;
    }
    l->to = NULL;
}

static bool back_add(struct correlator_engine *e, struct cor_alarm *a, unsigned which,
                     enum cor_link_kind kind, struct cor_alarm *to)
{
    struct cor_backs *b = &to->about.backs[kind];
    struct cor_link *l = &a->about.links[kind][which];
    if (b->n == b->cap) {
        size_t cap = b->cap == 0 ? 4 : b->cap * 2;
        struct cor_back *grown = cor_got(e, realloc(b->v, cap * sizeof(*grown)));
        if (grown == NULL)
            return false;
        b->v = grown;
        b->cap = cap;
    }
    l->back = b->n;
    l->to = to;
    b->v[b->n++] = (struct cor_back){a, which};
    return true;
}

void cor_link_add(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_link_kind kind, const char *id, struct cor_alarm *to)
{
    struct cor_about *b = &a->about;
    if (strlen(id) >= HALE_UUID_TEXT || b->n_links[kind] == links_max[kind])
        return;
    if (b->links[kind] == NULL) {
        b->links[kind] = cor_got(e, calloc(links_max[kind], sizeof(struct cor_link)));
        if (b->links[kind] == NULL)
            return;
    }
    struct cor_link *l = &b->links[kind][b->n_links[kind]];
    *l = (struct cor_link){.to = NULL};
    memcpy(l->id, id, strlen(id) + 1);
    if (to != NULL && kind == COR_LINK_CAUSE)
        cor_root_touch(e, to);
    if (to == NULL || back_add(e, a, b->n_links[kind], kind, to))
        b->n_links[kind]++;
}

static void cut(struct correlator_engine *e, struct cor_link *l, enum cor_link_kind kind)
{
    if (l->to == NULL)
        return;
    if (kind == COR_LINK_CAUSE)
        cor_root_touch(e, l->to);
    back_drop(l, kind);
}

void cor_link_clear(struct correlator_engine *e, struct cor_alarm *a,
                    enum cor_link_kind kind)
{
    struct cor_about *b = &a->about;
    for (unsigned i = 0; i < b->n_links[kind]; i++)
        cut(e, &b->links[kind][i], kind);
    b->n_links[kind] = 0;
}

void cor_link_cut(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_link_kind kind, const char *id)
{
    struct cor_about *b = &a->about;
    unsigned kept = 0;
    for (unsigned i = 0; i < b->n_links[kind]; i++) {
        struct cor_link *l = &b->links[kind][i];
        if (strcmp(l->id, id) == 0) {
            cut(e, l, kind);
            continue;
        }
        if (kept != i) {
            b->links[kind][kept] = *l;
            if (l->to != NULL)
                l->to->about.backs[kind].v[l->back].which = kept;
        }
        kept++;
    }
    b->n_links[kind] = kept;
}

void cor_link_orphan(struct correlator_engine *e, struct cor_alarm *a,
                     enum cor_link_kind kind)
{
    struct cor_backs *b = &a->about.backs[kind];
    if (b->n > 0 && kind == COR_LINK_CAUSE)
        cor_root_touch(e, a);
    for (size_t i = 0; i < b->n; i++)
        b->v[i].from->about.links[kind][b->v[i].which].to = NULL;
    b->n = 0;
}

/* --- roots --------------------------------------------------------------------------- */

void cor_root_touch(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_causes *c = &e->causes;
    if (a->gone || c->quiet)
        return;
    cor_alarm_dirty(e, a); /* in one transaction with the other end of the link */
    if (a->about.touched != 0)
        return;
    if (c->n_roots == c->cap_roots) {
        size_t cap = c->cap_roots == 0 ? 16 : c->cap_roots * 2;
        struct cor_alarm **grown =
            cor_got(e, realloc(c->roots, cap * sizeof(struct cor_alarm *)));
        if (grown == NULL)
            return;
        c->roots = grown;
        c->cap_roots = cap;
    }
    c->roots[c->n_roots++] = a;
    a->about.touched = c->n_roots;
}

/* The last one first: they are taken from the end. */
static int by_id_down(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return strcmp(b->id, a->id);
}

static unsigned magnitude(size_t n)
{
    unsigned bits = 0;
    for (; n > 0; n /= 2)
        bits++;
    return bits;
}

/* The row always has all symptoms. A record is written when their number got another power of two: a
 * thousand that come one by one would write the list a thousand times. */
bool cor_root_untold(const struct cor_alarm *a)
{
    return magnitude(a->about.backs[COR_LINK_CAUSE].n) != magnitude(a->about.told);
}

void cor_root_settle(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    if (c->n_roots > 1)
        qsort(c->roots, c->n_roots, sizeof(struct cor_alarm *), by_id_down);
    for (size_t i = 0; i < c->n_roots; i++)
        c->roots[i]->about.touched = i + 1;
    while (c->n_roots > 0 && !e->nomem) {
        struct cor_alarm *a = c->roots[--c->n_roots];
        a->about.touched = 0;
        if (!cor_root_untold(a))
            continue;
        a->life.changed = true;
        cor_gate_settle(e, a, "cause", NULL);
        cor_checkpoint(e);
    }
}

/* --- records: out -------------------------------------------------------------------- */

static void set(struct correlator_engine *e, json_t *o, const char *key, json_t *v)
{
    if (v == NULL || json_object_set_new(o, key, v) != 0)
        e->nomem = true;
}

static json_t *ref_json(const char *ref)
{
    struct hale_str type, id;
    if (!hale_topology_ref(hale_str_from(ref), &type, &id))
        return json_object();
    return json_pack("{s:s%, s:s%}", "type", type.p, type.len, "id", id.p, id.len);
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The first ones by id. */
static json_t *correlated_json(struct correlator_engine *e, const struct cor_backs *b)
{
    const char **ids = cor_got(e, calloc(b->n, sizeof(char *)));
    json_t *list = cor_got(e, json_array());
    for (size_t i = 0; ids != NULL && i < b->n; i++)
        ids[i] = b->v[i].from->id;
    if (ids != NULL)
        qsort((void *)ids, b->n, sizeof(char *), by_text);
    for (size_t i = 0; ids != NULL && i < b->n && i < COR_CORRELATED_MAX; i++) {
        if (json_array_append_new(list, json_string(ids[i])) != 0)
            e->nomem = true;
    }
    free((void *)ids);
    return list;
}

/* The alarm's entity, those between, the root. */
static json_t *path_json(struct correlator_engine *e, const struct cor_about *b)
{
    struct hale_str rest = hale_str_from(b->path);
    json_t *list = cor_got(e, json_array());
    if (json_array_append_new(list, json_string(b->entity)) != 0)
        e->nomem = true;
    while (rest.len > 0) {
        struct hale_str ref = hale_str_split(&rest, '\n');
        if (json_array_append_new(list, json_stringn(ref.p, ref.len)) != 0)
            e->nomem = true;
    }
    if (json_array_append_new(list, json_string(b->root_entity)) != 0)
        e->nomem = true;
    return list;
}

void cor_cause_json(struct correlator_engine *e, const struct cor_alarm *a, json_t *life)
{
    const struct cor_about *b = &a->about;
    size_t symptoms = b->backs[COR_LINK_CAUSE].n;
    enum hale_impact impact = b->entity != NULL ? cor_impact_of(a) : HALE_IMPACT_NONE;
    if (b->entity != NULL)
        set(e, life, "entity", ref_json(b->entity));
    if (impact != HALE_IMPACT_NONE)
        set(e, life, "impact", json_string(hale_impact_text(impact)));
    if (b->onset_ms != 0)
        set(e, life, "onset_ms", json_integer(b->onset_ms));
    if (b->n_links[COR_LINK_CAUSE] > 0) {
        json_t *list = cor_got(e, json_array());
        for (unsigned i = 0; i < b->n_links[COR_LINK_CAUSE]; i++) {
            if (json_array_append_new(list,
                                      json_string(b->links[COR_LINK_CAUSE][i].id)) != 0)
                e->nomem = true;
        }
        set(e, life, "causes", list);
        set(e, life, "caused_ms", json_integer(b->caused_ms));
        if (b->root_entity != NULL)
            set(e, life, "root_entity", ref_json(b->root_entity));
        if (b->path != NULL && b->entity != NULL && b->root_entity != NULL)
            set(e, life, "path", path_json(e, b));
    }
    if (b->ended_ms != 0)
        set(e, life, "cause_ended_ms", json_integer(b->ended_ms));
    if (b->told != symptoms)
        set(e, life, "symptoms_told", json_integer((json_int_t)b->told));
    if (symptoms == 0)
        return;
    if (b->n_links[COR_LINK_CAUSE] == 0)
        set(e, life, "root_cause", json_true());
    set(e, life, "symptoms", json_integer((json_int_t)symptoms));
    set(e, life, "correlated", correlated_json(e, &b->backs[COR_LINK_CAUSE]));
}

/* --- records: in --------------------------------------------------------------------- */

static char *ref_of(struct correlator_engine *e, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *id = json_string_value(json_object_get(o, "id"));
    struct hale_buf text;
    if (type == NULL || id == NULL)
        return NULL;
    hale_buf_init(&text, COR_RECORD_MAX);
    hale_buf_printf(&text, "%s/%s", type, id);
    char *ref = cor_got(e, text.failed ? NULL : hale_buf_take(&text));
    hale_buf_fini(&text);
    return ref;
}

/* What lies between the first and the last. */
static char *path_of(struct correlator_engine *e, const json_t *list)
{
    size_t n = json_array_size(list);
    struct hale_buf text;
    if (n < 2 || n > COR_PATH_MAX + 2)
        return NULL;
    hale_buf_init(&text, COR_RECORD_MAX);
    for (size_t i = 1; i + 1 < n; i++) {
        const char *ref = json_string_value(json_array_get(list, i));
        hale_buf_printf(&text, "%s\n", ref != NULL ? ref : "");
    }
    char *path = cor_got(e, text.failed ? NULL : hale_buf_take(&text));
    hale_buf_fini(&text);
    return path;
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

void cor_cause_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *life)
{
    struct cor_about *b = &a->about;
    size_t i;
    const json_t *id;
    b->entity = ref_of(e, json_object_get(life, "entity"));
    b->root_entity = ref_of(e, json_object_get(life, "root_entity"));
    b->path = path_of(e, json_object_get(life, "path"));
    b->onset_ms = int_of(life, "onset_ms");
    b->caused_ms = int_of(life, "caused_ms");
    b->ended_ms = int_of(life, "cause_ended_ms");
    const char *told =
        json_object_get(life, "symptoms_told") != NULL ? "symptoms_told" : "symptoms";
    b->told = (size_t)int_of(life, told);
    json_array_foreach (json_object_get(life, "causes"), i, id) {
        if (json_is_string(id))
            cor_link_add(e, a, COR_LINK_CAUSE, json_string_value(id), NULL);
    }
}

static void find_links(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    for (unsigned i = 0; i < b->n_links[COR_LINK_CAUSE]; i++) {
        struct cor_link *l = &b->links[COR_LINK_CAUSE][i];
        struct cor_alarm *to = hale_map_get(e->alarms, hale_str_from(l->id));
        if (to != NULL && b->caused_ms >= to->about.onset_ms)
            (void)back_add(e, a, i, COR_LINK_CAUSE, to);
    }
    for (unsigned i = 0; i < a->life.n_mutes; i++) {
        const struct cor_mute *m = &a->life.mutes[i];
        if (m->kind == COR_MUTE_HOLD)
            cor_link_add(e, a, COR_LINK_HOLD, m->id,
                         hale_map_get(e->alarms, hale_str_from(m->id)));
    }
    cor_cause_arm(e, a);
}

void cor_cause_loaded(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    size_t it = 0;
    struct cor_alarm *a;
    c->active = cor_topology_stats(e->topology)->entities > 0;
    c->quiet = true;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        const struct hale_graph *g = cor_topology_graph(e->topology, cor_alarm_tenant(a));
        struct hale_vertex *v = a->about.entity != NULL && g != NULL
                                    ? hale_graph_find(g, hale_str_from(a->about.entity))
                                    : NULL;
        if (c->active)
            cor_pairs_add(e, a);
        if (v != NULL && hale_vertex_entity(v) != NULL)
            cor_place_enter(e, a, v);
        else
            a->about.gone = a->about.entity != NULL;
    }
    it = 0;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL)
        find_links(e, a);
    c->quiet = false;
    c->recheck = true;
}
