/* SPDX-License-Identifier: Apache-2.0 */
/* deduce_do - what follows while a rule holds, and its undoing. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/deduce_private.h"

static enum hale_severity worst(const struct deduced *x)
{
    for (int s = HALE_SEV_CRITICAL; s > HALE_SEV_LOW; s--) {
        if (x->n[s] > 0)
            return (enum hale_severity)s;
    }
    return HALE_SEV_LOW;
}

static unsigned total(const struct deduced *x)
{
    return x->n[0] + x->n[1] + x->n[2] + x->n[3];
}

/* Key of what action a says about its entity, in d->key. False: no memory. */
static bool key_of(struct cor_deduce *d, const struct held *h,
                   const struct hale_rule_action *a)
{
    hale_buf_reset(&d->key);
    hale_buf_printf(&d->key, "%c%s", a->kind == HALE_RULE_STATE ? 's' + a->state : 'r',
                    h->tenant);
    hale_buf_add_char(&d->key, '\0');
    hale_buf_add_c(&d->key, hale_vertex_ref(h->v[a->on]));
    hale_buf_add_char(&d->key, '\0');
    if (a->kind == HALE_RULE_RAISE)
        hale_buf_add_c(&d->key, a->name);
    d->nomem |= d->key.failed;
    return !d->key.failed;
}

static struct deduced *deduced_of(struct cor_deduce *d)
{
    struct deduced *x = hale_map_get(d->deduced, hale_buf_str(&d->key));
    if (x != NULL)
        return x;
    x = calloc(1, sizeof(*x));
    if (x == NULL || hale_map_put(d->deduced, hale_buf_str(&d->key), x) != HALE_OK) {
        free(x);
        d->nomem = true;
        return NULL;
    }
    return x;
}

/* An alarm that the branch rests on: that of variable `wanted`, or of its first positive term. The id
 * is the io's. NULL: none, or no choice is given. */
static const char *cause_of(struct choice *c, const struct held *h, unsigned wanted)
{
    struct cor_deduce_alarm found[COR_DEDUCE_ALARMS_MAX];
    const struct hale_rule_branch *b = &h->rule->when.branch[h->branch];
    for (unsigned i = 0; c != NULL && i < b->n; i++) {
        const struct hale_rule_term *t = &b->term[i];
        if (t->kind == HALE_RULE_ON && !t->negated &&
            (wanted == HALE_RULE_NO_ALARM || t->a == wanted) &&
            deduce_alarms(c, t->a, h->v[t->b], found) > 0)
            return found[0].id;
    }
    return NULL;
}

static void tell_raise(struct cor_deduce *d, const struct held *h,
                       const struct hale_rule_action *a, enum hale_severity severity,
                       struct choice *c)
{
    const struct cor_deduce_raise r = {
        .tenant = h->tenant,
        .name = a->name,
        .on = h->v[a->on],
        .severity = severity,
        .rule = h->rule,
        .text = a->text,
        .cause_id = a->cause != HALE_RULE_NO_ALARM ? cause_of(c, h, a->cause) : NULL};
    d->io.raise(d->io.arg, &r);
}

static void add_action(struct cor_deduce *d, const struct held *h,
                       const struct hale_rule_action *a, struct choice *c)
{
    struct deduced *x = key_of(d, h, a) ? deduced_of(d) : NULL;
    if (x == NULL)
        return;
    if (a->kind == HALE_RULE_STATE) {
        if (x->n[0]++ == 0)
            d->io.state(d->io.arg, h->tenant, h->v[a->on], (enum hale_rule_state)a->state,
                        h->rule, cause_of(c, h, HALE_RULE_NO_ALARM));
        return;
    }
    bool first = total(x) == 0;
    enum hale_severity before = worst(x);
    x->n[a->severity]++;
    if (first || worst(x) != before)
        tell_raise(d, h, a, worst(x), c);
}

static void take_action(struct cor_deduce *d, const struct held *h,
                        const struct hale_rule_action *a)
{
    struct deduced *x =
        key_of(d, h, a) ? hale_map_get(d->deduced, hale_buf_str(&d->key)) : NULL;
    if (x == NULL)
        return; /* no memory when it was to be made */
    enum hale_severity before = worst(x);
    unsigned *n = &x->n[a->kind == HALE_RULE_STATE ? 0 : a->severity];
    HALE_ASSERT(*n > 0);
    --*n;
    if (total(x) == 0)
        hale_map_del(d->deduced, hale_buf_str(&d->key));
    else if (a->kind == HALE_RULE_STATE || worst(x) == before)
        return;
    else {
        tell_raise(d, h, a, worst(x), NULL);
        return;
    }
    if (a->kind == HALE_RULE_STATE)
        d->io.state(d->io.arg, h->tenant, h->v[a->on], (enum hale_rule_state)a->state,
                    NULL, NULL);
    else
        d->io.clear(d->io.arg, h->tenant, a->name, h->v[a->on]);
}

/* --- causes -------------------------------------------------------------------------- */

/* On the first and the last holding of a pair the io is told. */
static void count_pair(struct cor_deduce *d, const struct held_pair *p, bool on)
{
    struct hale_buf *key = &d->key;
    hale_buf_reset(key);
    hale_buf_add_c(key, p->cause);
    hale_buf_add_char(key, '\0');
    hale_buf_add_c(key, p->symptom);
    unsigned *n = key->failed ? NULL : hale_map_get(d->pairs, hale_buf_str(key));
    if (n == NULL && on && !key->failed) {
        n = calloc(1, sizeof(*n));
        if (n != NULL && hale_map_put(d->pairs, hale_buf_str(key), n) != HALE_OK) {
            free(n);
            n = NULL;
        }
    }
    if (n == NULL) {
        d->nomem = true;
        return;
    }
    if (on ? (*n)++ == 0 : --*n == 0) {
        if (!on)
            hale_map_del(d->pairs, hale_buf_str(key));
        d->io.cause(d->io.arg, p->cause, p->symptom, on);
    }
}

static int by_ids(const void *x, const void *y)
{
    const struct held_pair *a = x, *b = y;
    int order = strcmp(a->cause, b->cause);
    return order != 0 ? order : strcmp(a->symptom, b->symptom);
}

struct pairs {
    unsigned n, cap;
    struct held_pair *v;
};

static void pairs_free(struct held_pair *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(v[i].cause);
    free(v);
}

static void pairs_add(struct cor_deduce *d, struct pairs *list, const char *cause,
                      const char *symptom)
{
    size_t n = strlen(cause) + 1, m = strlen(symptom) + 1;
    if (list->n == list->cap) {
        unsigned cap = list->cap == 0 ? 4 : 2 * list->cap;
        struct held_pair *grown = realloc(list->v, cap * sizeof(*grown));
        if (grown == NULL) {
            d->nomem = true;
            return;
        }
        list->v = grown;
        list->cap = cap;
    }
    char *both = malloc(n + m);
    if (both == NULL) {
        d->nomem = true;
        return;
    }
    memcpy(both, cause, n);
    memcpy(both + n, symptom, m);
    list->v[list->n++] = (struct held_pair){both, both + n};
}

/* The pairs of one action: each alarm that may be the cause with each that may be the symptom, both
 * within the rule's window. */
static void pairs_of(struct choice *c, const struct hale_rule_action *a,
                     struct pairs *list)
{
    struct cor_deduce_alarm is[COR_DEDUCE_ALARMS_MAX], of[COR_DEDUCE_ALARMS_MAX];
    const struct hale_rule_branch *b = choice_branch(c);
    unsigned n = 0, m = 0;
    for (unsigned i = 0; i < b->n; i++) {
        const struct hale_rule_term *t = &b->term[i];
        if (t->kind != HALE_RULE_ON || t->negated)
            continue;
        if (t->a == a->cause)
            n = deduce_alarms(c, t->a, c->v[t->b], is);
        if (t->a == a->symptom)
            m = deduce_alarms(c, t->a, c->v[t->b], of);
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < m; k++) {
            int64_t apart = is[i].onset_ms > of[k].onset_ms
                                ? is[i].onset_ms - of[k].onset_ms
                                : of[k].onset_ms - is[i].onset_ms;
            if (strcmp(is[i].id, of[k].id) != 0 &&
                (c->rule->within_ms == 0 || apart <= c->rule->within_ms))
                pairs_add(c->d, list, is[i].id, of[k].id);
        }
    }
}

void deduce_causes(struct choice *c, const char *symptom, cor_deduce_cause_fn fn,
                   void *arg)
{
    struct pairs list = {0};
    for (unsigned i = 0; i < c->rule->n_actions; i++) {
        if (c->rule->action[i].kind == HALE_RULE_CAUSE)
            pairs_of(c, &c->rule->action[i], &list);
    }
    for (unsigned i = 0; i < list.n; i++) {
        if (strcmp(list.v[i].symptom, symptom) == 0)
            fn(list.v[i].cause, arg);
    }
    pairs_free(list.v, list.n);
}

void deduce_refresh(struct cor_deduce *d, struct held *h, struct choice *c)
{
    struct pairs now = {0};
    unsigned unique = 0;
    for (unsigned i = 0; i < h->rule->n_actions; i++) {
        if (h->rule->action[i].kind == HALE_RULE_CAUSE)
            pairs_of(c, &h->rule->action[i], &now);
    }
    if (now.n > 1)
        qsort(now.v, now.n, sizeof(*now.v), by_ids);
    for (unsigned i = 0; i < now.n; i++) {
        if (unique > 0 && by_ids(&now.v[unique - 1], &now.v[i]) == 0)
            free(now.v[i].cause);
        else
            now.v[unique++] = now.v[i];
    }
    now.n = unique;
    /* What is new first, so that a symptom that changes its cause is never without. */
    for (unsigned i = 0; i < now.n; i++) {
        if (h->n_pairs == 0 ||
            bsearch(&now.v[i], h->pairs, h->n_pairs, sizeof(*h->pairs), by_ids) == NULL)
            count_pair(d, &now.v[i], true);
    }
    for (unsigned i = 0; i < h->n_pairs; i++) {
        if (now.n == 0 ||
            bsearch(&h->pairs[i], now.v, now.n, sizeof(*now.v), by_ids) == NULL)
            count_pair(d, &h->pairs[i], false);
    }
    pairs_free(h->pairs, h->n_pairs);
    h->pairs = now.v;
    h->n_pairs = now.n;
}

/* --- begin and end ------------------------------------------------------------------- */

void deduce_begin(struct cor_deduce *d, struct held *h, struct choice *c)
{
    for (unsigned i = 0; i < h->rule->n_actions && !d->nomem; i++) {
        if (h->rule->action[i].kind != HALE_RULE_CAUSE)
            add_action(d, h, &h->rule->action[i], c);
    }
    deduce_refresh(d, h, c);
}

void deduce_end(struct cor_deduce *d, struct held *h)
{
    for (unsigned i = h->rule->n_actions; i > 0 && !d->nomem; i--) {
        if (h->rule->action[i - 1].kind != HALE_RULE_CAUSE)
            take_action(d, h, &h->rule->action[i - 1]);
    }
    for (unsigned i = 0; i < h->n_pairs && !d->nomem; i++)
        count_pair(d, &h->pairs[i], false);
    pairs_free(h->pairs, h->n_pairs);
    h->pairs = NULL;
    h->n_pairs = 0;
}
