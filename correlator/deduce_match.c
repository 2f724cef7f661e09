/* SPDX-License-Identifier: Apache-2.0 */
/* deduce_match - for which entities does a branch hold? */
#include <stdlib.h>
#include <string.h>

#include "correlator/deduce_private.h"

/* --- entities ------------------------------------------------------------------------ */

bool deduce_fits(const struct hale_rule_entity *e, const struct hale_vertex *v)
{
    const struct hale_entity *is = hale_vertex_entity(v);
    const char *key;
    json_t *value;
    if (is == NULL || (e->type != NULL && strcmp(e->type, is->type) != 0) ||
        (e->id != NULL && strcmp(e->id, is->id) != 0) ||
        (e->name != NULL && (is->name == NULL || strcmp(e->name, is->name) != 0)))
        return false;
    json_object_foreach (e->attributes, key, value) {
        if (!json_equal(value, json_object_get(is->attributes, key)))
            return false;
    }
    return true;
}

static bool names(const struct hale_strings *list, const char *ref)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (strcmp(list->v[i], ref) == 0)
            return true;
    }
    return false;
}

/* Is the edge of the term there between a and b? */
static bool joined(const struct hale_rule_term *t, const struct hale_vertex *a,
                   const struct hale_vertex *b)
{
    const struct hale_entity *x = hale_vertex_entity(a), *y = hale_vertex_entity(b);
    if (x == NULL || y == NULL)
        return false;
    if (t->kind == HALE_RULE_HOSTS)
        return names(&y->hosted_by, hale_vertex_ref(a));
    if (t->kind == HALE_RULE_CONNECTS)
        return names(&x->connects, hale_vertex_ref(b));
    for (unsigned i = 0; i < x->n_depends_on; i++) {
        if (names(&x->depends_on[i].on, hale_vertex_ref(b)))
            return true;
    }
    return false;
}

/* --- alarms -------------------------------------------------------------------------- */

struct found {
    const struct hale_rule_alarm *wanted;
    struct cor_deduce_alarm *out;
    unsigned n;
};

static bool is_wanted(const struct hale_rule_alarm *w, const struct cor_deduce_alarm *a)
{
    bool matches = false;
    if ((w->severities >> a->severity & 1) == 0)
        return false;
    if (w->regex != NULL)
        return hale_regex_match(w->regex, hale_str_from(a->name), &matches) == HALE_OK &&
               matches;
    return w->name == NULL || strcmp(w->name, a->name) == 0;
}

static void add_found(const struct cor_deduce_alarm *a, void *arg)
{
    struct found *f = arg;
    if (f->n < COR_DEDUCE_ALARMS_MAX && is_wanted(f->wanted, a))
        f->out[f->n++] = *a;
}

unsigned deduce_alarms(struct choice *c, unsigned a, const struct hale_vertex *on,
                       struct cor_deduce_alarm *out)
{
    struct found f = {.wanted = &c->rule->alarm[a], .out = out};
    c->d->io.alarms(c->d->io.arg, (struct hale_vertex *)(uintptr_t)on, add_found, &f);
    return f.n;
}

static bool alarm_term_holds(struct choice *c, const struct hale_rule_term *t)
{
    struct cor_deduce_alarm found[COR_DEDUCE_ALARMS_MAX];
    return (deduce_alarms(c, t->a, c->v[t->b], found) > 0) != t->negated;
}

/* Is there one alarm for each positive term so that their onsets lie close enough? For each alarm as
 * the first of all: has every other term one at or after it, within the window? */
static bool close_enough(struct choice *c)
{
    const struct hale_rule_branch *b = choice_branch(c);
    struct cor_deduce_alarm first[COR_DEDUCE_ALARMS_MAX], other[COR_DEDUCE_ALARMS_MAX];
    if (c->rule->within_ms == 0)
        return true;
    for (unsigned i = 0; i < b->n; i++) {
        const struct hale_rule_term *t = &b->term[i];
        if (t->kind != HALE_RULE_ON || t->negated)
            continue;
        unsigned n = deduce_alarms(c, t->a, c->v[t->b], first);
        for (unsigned k = 0; k < n; k++) {
            bool all = true;
            for (unsigned j = 0; all && j < b->n; j++) {
                const struct hale_rule_term *u = &b->term[j];
                if (j == i || u->kind != HALE_RULE_ON || u->negated)
                    continue;
                unsigned m = deduce_alarms(c, u->a, c->v[u->b], other);
                bool some = false;
                for (unsigned l = 0; !some && l < m; l++)
                    some = other[l].onset_ms >= first[k].onset_ms &&
                           other[l].onset_ms - first[k].onset_ms <= c->rule->within_ms;
                all = some;
            }
            if (all)
                return true;
        }
    }
    return false;
}

/* --- whole choices ------------------------------------------------------------------- */

/* The terms that can be judged once var has its entity and `known` had theirs before. */
static bool terms_hold(struct choice *c, unsigned known, unsigned var)
{
    const struct hale_rule_branch *b = choice_branch(c);
    unsigned now = known | 1u << var;
    for (unsigned i = 0; i < b->n; i++) {
        const struct hale_rule_term *t = &b->term[i];
        bool alarm = t->kind == HALE_RULE_ON || t->kind == HALE_RULE_IS;
        unsigned needs = alarm ? 1u << t->b : 1u << t->a | 1u << t->b;
        if ((needs & ~now) != 0 || (needs & 1u << var) == 0 || t->kind == HALE_RULE_IS)
            continue;
        if (alarm ? !alarm_term_holds(c, t) : !joined(t, c->v[t->a], c->v[t->b]))
            return false;
    }
    return true;
}

bool deduce_holds(struct choice *c)
{
    unsigned wanted = choice_branch(c)->entities, known = 0;
    for (unsigned i = 0; i < c->rule->n_entities; i++) {
        if ((wanted >> i & 1) == 0)
            continue;
        if (!deduce_fits(&c->rule->entity[i], c->v[i]) || !terms_hold(c, known, i))
            return false;
        known |= 1u << i;
    }
    return close_enough(c);
}

struct near { /* the neighbours of an entity over one term */
    const struct hale_rule_term *term;
    struct hale_vertex *of;
    bool of_is_a;
    bool failed; /* no memory */
    size_t n, cap;
    struct hale_vertex **v;
};

static void add_near(struct near *n, struct hale_vertex *v)
{
    if (v == NULL || n->failed ||
        !(n->of_is_a ? joined(n->term, n->of, v) : joined(n->term, v, n->of)))
        return;
    if (n->n == n->cap) {
        size_t cap = n->cap == 0 ? 16 : 2 * n->cap;
        struct hale_vertex **grown = realloc(n->v, cap * sizeof(*n->v));
        if (grown == NULL) {
            n->failed = true;
            return;
        }
        n->v = grown;
        n->cap = cap;
    }
    n->v[n->n++] = v;
}

static bool near_visit(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                       void *arg)
{
    (void)via;
    if (depth > 1)
        return false; /* breadth first: all neighbours were there */
    add_near(arg, v);
    return true;
}

/* What is on the other side of the term: b stands on a over hosts, a on b over the others. */
static void find_near(struct choice *c, struct near *n)
{
    bool of_is_below = n->of_is_a == (n->term->kind == HALE_RULE_HOSTS);
    if (of_is_below)
        hale_graph_dependents(c->g, n->of, near_visit, n);
    else
        hale_graph_supports(c->g, n->of, near_visit, n);
    if (n->failed)
        c->d->nomem = true;
}

/* A term that joins an entity that is chosen to one that is not. */
static const struct hale_rule_term *next_edge(const struct choice *c, unsigned known)
{
    const struct hale_rule_branch *b = choice_branch(c);
    for (unsigned i = 0; i < b->n; i++) {
        const struct hale_rule_term *t = &b->term[i];
        if (t->kind != HALE_RULE_ON && t->kind != HALE_RULE_IS &&
            (known >> t->a & 1) != (known >> t->b & 1))
            return t;
    }
    return NULL;
}

static void choose(struct choice *c, unsigned known, unsigned var, struct hale_vertex *v,
                   void (*fn)(struct choice *c, void *arg), void *arg);

static void choose_next(struct choice *c, unsigned known,
                        void (*fn)(struct choice *c, void *arg), void *arg)
{
    const struct hale_rule_term *t = next_edge(c, known);
    if (t == NULL) {
        if (known == choice_branch(c)->entities && close_enough(c))
            fn(c, arg);
        return;
    }
    bool of_is_a = (known >> t->a & 1) != 0;
    struct near n = {.term = t, .of = c->v[of_is_a ? t->a : t->b], .of_is_a = of_is_a};
    find_near(c, &n);
    for (size_t i = 0; i < n.n && !c->d->nomem; i++)
        choose(c, known, of_is_a ? t->b : t->a, n.v[i], fn, arg);
    free(n.v);
}

static void choose(struct choice *c, unsigned known, unsigned var, struct hale_vertex *v,
                   void (*fn)(struct choice *c, void *arg), void *arg)
{
    for (unsigned i = 0; i < c->rule->n_entities; i++) {
        if ((known >> i & 1) != 0 && c->v[i] == v)
            return; /* two names, two entities */
    }
    if (!deduce_fits(&c->rule->entity[var], v))
        return;
    c->v[var] = v;
    if (terms_hold(c, known, var))
        choose_next(c, known | 1u << var, fn, arg);
    c->v[var] = NULL;
}

void deduce_each(struct choice *c, unsigned var, struct hale_vertex *v,
                 void (*fn)(struct choice *c, void *arg), void *arg)
{
    memset(c->v, 0, sizeof(c->v));
    choose(c, 0, var, v, fn, arg);
}
