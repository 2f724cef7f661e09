/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cause_place - which entity an alarm is about, and what it says of it. It is looked for when the alarm is
 * born and when an entity comes or changes that could be it, and stands in the row; so it is not decided
 * anew by who happened to load.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

#define BUCKETS_MAX (1u << 24)

/* Room for one more in an array of *cap things. */
static bool room(struct correlator_engine *e, void **array, size_t *cap, size_t n,
                 size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap == 0 ? 4 : *cap * 2;
    void *grown = cor_got(e, realloc(*array, more * size));
    if (grown == NULL)
        return false;
    *array = grown;
    *cap = more;
    return true;
}

/* --- what an alarm says -------------------------------------------------------------- */

static enum hale_impact event_impact(const struct cor_fault *f)
{
    enum hale_impact impact = HALE_IMPACT_DEFAULT;
    if (f->evidence == NULL || strstr(f->evidence, "\"impact\"") == NULL)
        return impact;
    json_t *o = json_loads(f->evidence, 0, NULL);
    const char *text =
        json_string_value(json_object_get(json_object_get(o, "details"), "impact"));
    if (text != NULL && hale_impact_parse(hale_str_from(text), &impact) != HALE_OK)
        impact = HALE_IMPACT_DEFAULT;
    json_decref(o);
    return impact;
}

enum hale_impact cor_impact_of(const struct cor_alarm *a)
{
    enum hale_impact impact =
        a->fault != NULL ? event_impact(a->fault) : a->node->def->d->impact;
    if (impact != HALE_IMPACT_DEFAULT)
        return impact;
    return cor_severity_of(a) == HALE_SEV_CRITICAL ? HALE_IMPACT_DOWN : HALE_IMPACT_NONE;
}

bool cor_is_check(const struct cor_alarm *a)
{
    if (a->node == NULL)
        return false;
    const struct hale_definition *d = a->node->def->d;
    bool critical = d->severity == HALE_SEV_CRITICAL;
    for (unsigned i = 0; i < d->expr->n_subs; i++) {
        const struct hale_subexpr *x = &d->expr->subs[i];
        for (unsigned k = 0; k < x->n_levels; k++)
            critical |= x->levels[k].severity == HALE_SEV_CRITICAL;
    }
    return d->impact == HALE_IMPACT_DOWN ||
           (d->impact == HALE_IMPACT_DEFAULT && critical);
}

/* --- places -------------------------------------------------------------------------- */

struct cor_place *cor_place_of(const struct hale_vertex *v)
{
    return hale_vertex_owner(v);
}

static void place_free(struct cor_place *p)
{
    free(p->alarms);
    free(p->claims);
    free(p);
}

static void claim_add(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_place *p = a->about.place;
    size_t cap = p->cap_claims;
    void *list = p->claims;
    bool ok = room(e, &list, &cap, p->n_claims, sizeof(struct cor_alarm *));
    p->claims = list;
    p->cap_claims = (unsigned)cap;
    if (ok)
        p->claims[p->n_claims++] = a;
}

static void claim_drop(struct cor_alarm *a)
{
    struct cor_place *p = a->about.place;
    for (unsigned i = 0; i < p->n_claims; i++) {
        if (p->claims[i] == a)
            p->claims[i] = p->claims[--p->n_claims];
    }
}

/* v and what it changed are looked at by the next settle. */
static void seed(struct correlator_engine *e, struct hale_vertex *v)
{
    struct cor_causes *c = &e->causes;
    void *list = c->seeds;
    if (c->quiet || v == c->deleting)
        return;
    bool ok = room(e, &list, &c->cap_seeds, c->n_seeds, sizeof(struct hale_vertex *));
    c->seeds = list;
    if (ok)
        c->seeds[c->n_seeds++] = v;
}

void cor_place_claim(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    if (b->place == NULL)
        return;
    struct hale_vertex *v = b->place->vertex;
    struct hale_graph *g = hale_vertex_graph(v);
    bool claims = a->state == HALE_STATE_ALARM && cor_impact_of(a) == HALE_IMPACT_DOWN;
    if (claims == b->claims)
        return;
    b->claims = claims;
    if (claims) {
        claim_add(e, a);
        hale_graph_claim(g, v, HALE_GRAPH_DOWN);
    } else {
        claim_drop(a);
        hale_graph_unclaim(g, v, HALE_GRAPH_DOWN);
    }
    seed(e, v);
}

void cor_place_enter(struct correlator_engine *e, struct cor_alarm *a,
                     struct hale_vertex *v)
{
    struct cor_place *p = cor_place_of(v);
    if (p == NULL) {
        if ((p = cor_got(e, calloc(1, sizeof(*p)))) == NULL)
            return;
        p->vertex = v;
        hale_vertex_set_owner(v, p);
    }
    void *list = p->alarms;
    bool ok = room(e, &list, &p->cap, p->n, sizeof(struct cor_alarm *));
    p->alarms = list;
    if (!ok)
        return;
    a->about.place = p;
    a->about.at = p->n;
    p->alarms[p->n++] = a;
    if (a->about.entity == NULL || strcmp(a->about.entity, hale_vertex_ref(v)) != 0) {
        free(a->about.entity);
        a->about.entity = cor_strdup(e, hale_vertex_ref(v));
    }
    cor_place_claim(e, a);
    if (a->state == HALE_STATE_ALARM)
        cor_rules_touch_alarm(e, a);
}

void cor_place_leave(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    struct cor_place *p = b->place;
    if (p == NULL)
        return;
    if (a->state == HALE_STATE_ALARM)
        cor_rules_touch_alarm(e, a);
    if (b->claims) {
        b->claims = false;
        claim_drop(a);
        hale_graph_unclaim(hale_vertex_graph(p->vertex), p->vertex, HALE_GRAPH_DOWN);
        seed(e, p->vertex);
    }
    p->alarms[b->at] = p->alarms[--p->n];
    p->alarms[b->at]->about.at = b->at;
    b->place = NULL;
    if (p->n == 0) {
        hale_vertex_set_owner(p->vertex, NULL);
        place_free(p);
    }
}

/* --- the pairs of its dimensions ----------------------------------------------------- */

static bool put_dim(json_t *o, const struct hale_dim *d)
{
    char *key = strndup(d->key.p, d->key.len);
    json_t *value = json_stringn(d->value.p, d->value.len);
    if (key == NULL || value == NULL) {
        free(key);
        json_decref(value);
        return false;
    }
    json_t *have = json_object_get(o, key);
    /* Two comparisons that want different values of it: it says nothing of the whole. */
    if (have != NULL && !json_equal(have, value)) {
        json_decref(value);
        value = json_string("");
    }
    bool ok = value != NULL && json_object_set_new(o, key, value) == 0;
    free(key);
    return ok;
}

/* Its group, and what the expression asks of all its series. */
static json_t *dimensions(struct correlator_engine *e, const struct cor_alarm *a)
{
    if (a->fault != NULL)
        return cor_got(e, json_loads(a->fault->dims, 0, NULL));
    json_t *o = cor_got(e, json_loads(a->node->json, 0, NULL)), *asked = json_object();
    const struct hale_expr *x = a->node->def->d->expr;
    bool ok = o != NULL && asked != NULL;
    for (unsigned i = 0; ok && i < x->n_subs; i++) {
        for (unsigned k = 0; ok && k < x->subs[i].n_dims; k++)
            ok = put_dim(asked, &x->subs[i].dims[k]);
    }
    if (!ok || json_object_update_missing(o, asked) != 0)
        e->nomem = true;
    json_decref(asked);
    return o;
}

static struct hale_str pair_key(struct correlator_engine *e, const char *tenant,
                                const char *key, const char *value)
{
    hale_buf_reset(&e->scratch);
    hale_buf_add_c(&e->scratch, tenant);
    hale_buf_add_char(&e->scratch, '\0');
    hale_buf_add_c(&e->scratch, key);
    hale_buf_add_char(&e->scratch, '\0');
    hale_buf_add_c(&e->scratch, value);
    if (e->scratch.failed)
        e->nomem = true;
    return hale_buf_str(&e->scratch);
}

static struct cor_bucket *bucket_make(struct correlator_engine *e, struct hale_str key)
{
    struct cor_bucket *b = hale_map_get(e->causes.buckets, key);
    if (b != NULL)
        return b;
    b = cor_got(e, calloc(1, sizeof(*b)));
    if (b == NULL)
        return NULL;
    b->key = cor_got(e, malloc(key.len + 1));
    if (b->key == NULL || hale_map_put(e->causes.buckets, key, b) != HALE_OK) {
        e->nomem = true;
        free(b->key);
        free(b);
        return NULL;
    }
    memcpy(b->key, key.p, key.len);
    b->key_len = key.len;
    return b;
}

void cor_pairs_add(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    json_t *o = dimensions(e, a), *value;
    const char *key;
    size_t max = json_object_size(o);
    if (max > 0 && b->pairs == NULL)
        b->pairs = cor_got(e, calloc(max, sizeof(*b->pairs)));
    json_object_foreach (o, key, value) {
        const char *text = json_string_value(value);
        if (b->pairs == NULL || text == NULL || text[0] == '\0' || key[0] == '\0')
            continue;
        struct cor_bucket *k =
            bucket_make(e, pair_key(e, cor_alarm_tenant(a), key, text));
        if (k == NULL)
            break;
        void *list = k->alarms;
        bool ok = room(e, &list, &k->cap, k->n, sizeof(*k->alarms));
        k->alarms = list;
        if (!ok)
            break;
        b->pairs[b->n_pairs] = (struct cor_pair){k, k->n};
        k->alarms[k->n++] = (struct cor_pair_back){a, b->n_pairs++};
    }
    json_decref(o);
}

static void bucket_free(struct cor_bucket *k)
{
    free(k->key);
    free(k->alarms);
    free(k);
}

void cor_pairs_drop(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    for (unsigned i = 0; i < b->n_pairs; i++) {
        struct cor_bucket *k = b->pairs[i].bucket;
        const struct cor_pair_back last = k->alarms[--k->n];
        if (b->pairs[i].at != k->n) {
            k->alarms[b->pairs[i].at] = last;
            last.a->about.pairs[last.which].at = b->pairs[i].at;
        }
        if (k->n == 0) {
            (void)hale_map_take(e->causes.buckets, (struct hale_str){k->key, k->key_len});
            bucket_free(k);
        }
    }
    free(b->pairs);
    b->pairs = NULL;
    b->n_pairs = 0;
}

/* --- finding ------------------------------------------------------------------------- */

void cor_place_find(struct correlator_engine *e, struct cor_alarm *a)
{
    struct hale_graph *g = cor_topology_graph(e->topology, cor_alarm_tenant(a));
    json_t *o = g != NULL ? dimensions(e, a) : NULL;
    struct hale_vertex *v = o != NULL ? hale_graph_match(g, o) : NULL;
    json_decref(o);
    struct hale_vertex *old = a->about.place != NULL ? a->about.place->vertex : NULL;
    if (e->nomem || (v == old && !(v == NULL && a->about.entity != NULL)))
        return;
    cor_place_leave(e, a);
    free(a->about.path); /* began at the old one */
    a->about.path = NULL;
    if (v != NULL) {
        cor_place_enter(e, a, v);
    } else {
        free(a->about.entity);
        a->about.entity = NULL;
    }
    /* The row says it at once, the log with the next record: that of a live one may follow now. */
    cor_alarm_dirty(e, a);
    if (cor_cause_live(a))
        cor_cause_queue(e, a);
}

/* The alarms that one of the sets of v may be about: those with its rarest pair. */
static void find_by_set(struct correlator_engine *e, const char *tenant,
                        const struct hale_match_pair *pairs, unsigned n)
{
    struct cor_bucket *best = NULL;
    for (unsigned i = 0; i < n; i++) {
        struct cor_bucket *k = hale_map_get(
            e->causes.buckets, pair_key(e, tenant, pairs[i].key, pairs[i].value));
        if (k == NULL)
            return;
        if (best == NULL || k->n < best->n)
            best = k;
    }
    for (size_t i = 0; best != NULL && i < best->n && !e->nomem; i++)
        cor_place_find(e, best->alarms[i].a);
}

/* --- the topology tells -------------------------------------------------------------- */

static int by_id(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return strcmp(a->id, b->id);
}

/* Copy of a place's alarms, by id; NULL: none, or no memory. */
static struct cor_alarm **alarms_of(struct correlator_engine *e,
                                    const struct hale_vertex *v, size_t *n)
{
    const struct cor_place *p = cor_place_of(v);
    *n = p != NULL ? p->n : 0;
    struct cor_alarm **list =
        *n > 0 ? cor_got(e, calloc(*n, sizeof(struct cor_alarm *))) : NULL;
    if (list == NULL) {
        *n = 0;
        return NULL;
    }
    memcpy(list, p->alarms, *n * sizeof(struct cor_alarm *));
    qsort(list, *n, sizeof(struct cor_alarm *), by_id);
    return list;
}

/* The first entity of all: from now on there is something to look at. */
static void wake(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_alarm *a;
    e->causes.active = true;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        cor_pairs_add(e, a);
        cor_place_find(e, a);
    }
}

/* The last entity is gone: as it is after loading then. */
static void fall_asleep(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_alarm *a;
    e->causes.active = false;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL)
        cor_pairs_drop(e, a);
}

static void on_put(void *arg, const char *tenant, struct hale_vertex *v)
{
    struct correlator_engine *e = arg;
    const struct hale_match_pair *pairs;
    if (!e->causes.active)
        wake(e);
    size_t n_alarms;
    struct cor_alarm **list = alarms_of(e, v, &n_alarms);
    for (size_t i = 0; i < n_alarms; i++)
        cor_place_find(e, list[i]);
    free(list);
    for (unsigned i = 0, n; (n = hale_vertex_match(v, i, &pairs)) > 0; i++)
        find_by_set(e, tenant, pairs, n);
    seed(e, v);
    cor_rules_touch(e, tenant, v);
}

bool cor_place_queue(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                     void *arg)
{
    const struct cor_place *p = cor_place_of(v);
    (void)via;
    (void)depth;
    for (size_t i = 0; p != NULL && i < p->n; i++) {
        if (cor_cause_live(p->alarms[i]))
            cor_cause_queue(arg, p->alarms[i]);
    }
    return true;
}

static void on_deleting(void *arg, const char *tenant, struct hale_vertex *v)
{
    struct correlator_engine *e = arg;
    size_t n;
    (void)tenant;
    for (int p = 0; p < HALE_GRAPH_PLANES; p++)
        hale_graph_victims(hale_vertex_graph(v), &v, 1, (enum hale_graph_plane)p,
                           cor_place_queue, e);
    e->causes.deleting = v;
    cor_rules_gone(e, v);
    struct cor_alarm **list = alarms_of(e, v, &n);
    for (size_t i = 0; i < n; i++) {
        cor_place_leave(e, list[i]);
        list[i]->about.gone = true;
        cor_cause_queue(e, list[i]);
    }
    free(list);
}

static void on_reached(void *arg, const char *tenant, struct hale_vertex *v,
                       enum hale_graph_plane plane)
{
    (void)tenant;
    (void)plane;
    seed(arg, v);
}

static void on_settle(void *arg, const char *tenant)
{
    struct correlator_engine *e = arg;
    (void)tenant;
    e->causes.deleting = NULL;
    cor_cause_settle(e);
    if (e->causes.active && cor_topology_stats(e->topology)->entities == 0)
        fall_asleep(e);
}

bool cor_cause_attach(struct correlator_engine *e)
{
    const struct cor_topology_watch watch = {.arg = e,
                                             .put = on_put,
                                             .deleting = on_deleting,
                                             .reached = on_reached,
                                             .settle = on_settle};
    e->causes.buckets = hale_map_new(BUCKETS_MAX, NULL);
    cor_topology_watch(e->topology, &watch);
    return e->causes.buckets != NULL;
}

void cor_about_fini(struct cor_about *b)
{
    for (unsigned k = 0; k < COR_LINK_KINDS; k++) {
        free(b->links[k]);
        free(b->backs[k].v);
    }
    free(b->entity);
    free(b->root_entity);
    free(b->path);
    free(b->pairs);
}

/* Before the alarms and the topology are freed. */
void cor_cause_free(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    size_t it = 0, alarm_it = 0;
    struct cor_bucket *k;
    struct cor_alarm *a;
    while (c->buckets != NULL && (k = hale_map_next(c->buckets, &it, NULL)) != NULL)
        bucket_free(k);
    hale_map_free(c->buckets);
    while (e->alarms != NULL && (a = hale_map_next(e->alarms, &alarm_it, NULL)) != NULL) {
        struct cor_place *p = a->about.place;
        if (p != NULL && --p->n == 0)
            place_free(p);
    }
    free(c->pending);
    free(c->roots);
    free(c->seeds);
}

/* --- its entity was deleted ---------------------------------------------------------- */

void cor_place_gone(struct correlator_engine *e, struct cor_alarm *a)
{
    struct hale_buf reason;
    a->about.gone = false;
    hale_buf_init(&reason, COR_RECORD_MAX);
    hale_buf_printf(&reason, "Object gone: %s was deleted from the topology",
                    a->about.entity != NULL ? a->about.entity : "its entity");
    char *text = reason.failed ? NULL : hale_buf_take(&reason);
    hale_buf_fini(&reason);
    if (cor_got(e, text) == NULL)
        return;
    if (a->fault != NULL && a->state != HALE_STATE_OK)
        cor_fault_end(e, a, text, "gone", cor_stream_ms(e));
    else if (cor_cause_live(a) && a->state == HALE_STATE_UNDETERMINED)
        cor_transition(e, a, HALE_STATE_OK, text);
    else
        free(text);
    cor_place_find(e, a);
}
