/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/rules.h"

#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"

#define EXPLAINED_MAX (1u << 24)

struct explained { /* by rules: the causes of one alarm */
    unsigned n;
    char id[COR_CAUSES_MAX][HALE_UUID_TEXT];
};

/* --- what is touched ----------------------------------------------------------------- */

void cor_rules_touch(struct correlator_engine *e, const char *tenant,
                     struct hale_vertex *v)
{
    struct cor_rules *r = &e->rules;
    if (r->d == NULL || r->recheck || v == e->causes.deleting)
        return;
    for (size_t i = r->first; i < r->n_touched && i < r->first + 8; i++) {
        if (r->touched[i].v == v)
            return; /* several changes of one entity in a row */
    }
    if (r->n_touched == r->cap_touched) {
        size_t cap = r->cap_touched == 0 ? 16 : 2 * r->cap_touched;
        struct cor_rule_touch *grown =
            cor_got(e, realloc(r->touched, cap * sizeof(*grown)));
        if (grown == NULL)
            return;
        r->touched = grown;
        r->cap_touched = cap;
    }
    char *copy = cor_strdup(e, tenant);
    if (copy != NULL)
        r->touched[r->n_touched++] = (struct cor_rule_touch){v, copy};
}

void cor_rules_touch_alarm(struct correlator_engine *e, const struct cor_alarm *a)
{
    if (a->about.place != NULL)
        cor_rules_touch(e, cor_alarm_tenant(a), a->about.place->vertex);
}

void cor_rules_gone(struct correlator_engine *e, struct hale_vertex *v)
{
    struct cor_rules *r = &e->rules;
    if (r->d == NULL)
        return;
    for (size_t i = r->first; i < r->n_touched; i++) {
        if (r->touched[i].v == v)
            r->touched[i].v = NULL;
    }
    if (!r->recheck && cor_deduce_gone(r->d, v) != HALE_OK)
        e->nomem = true;
}

bool cor_rules_waiting(const struct correlator_engine *e)
{
    return e->rules.d != NULL && (e->rules.recheck || e->rules.n_touched > 0);
}

static void drop_touched(struct cor_rules *r)
{
    for (size_t i = r->first; i < r->n_touched; i++)
        free(r->touched[i].tenant);
    r->n_touched = r->first = 0;
}

/* --- the deduced alarms -------------------------------------------------------------- */

static int by_id(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return strcmp(a->id, b->id);
}

static void alarms_of(void *arg, struct hale_vertex *v, cor_deduce_alarm_fn fn,
                      void *fn_arg)
{
    struct correlator_engine *e = arg;
    const struct cor_place *p = cor_place_of(v);
    size_t n = 0;
    struct cor_alarm **list =
        p != NULL ? cor_got(e, calloc(p->n, sizeof(struct cor_alarm *))) : NULL;
    for (size_t i = 0; list != NULL && i < p->n; i++) {
        if (p->alarms[i]->state == HALE_STATE_ALARM)
            list[n++] = p->alarms[i];
    }
    if (n > 1)
        qsort(list, n, sizeof(struct cor_alarm *), by_id);
    for (size_t i = 0; i < n; i++) {
        const struct cor_alarm *a = list[i];
        const struct cor_deduce_alarm view = {
            a->id, cor_alarm_name(a), cor_severity_of(a),
            a->about.onset_ms != 0 ? a->about.onset_ms : a->state_updated_ms};
        fn(&view, fn_arg);
    }
    free(list);
}

/* By what an alarm about v is known: the first set of its pairs. Its own name if it has none. */
static json_t *dimensions_of(const struct hale_vertex *v)
{
    const struct hale_match_pair *pairs;
    unsigned n = hale_vertex_match(v, 0, &pairs);
    json_t *o = json_object();
    bool ok = o != NULL;
    for (unsigned i = 0; ok && i < n; i++)
        ok = json_object_set_new(o, pairs[i].key, json_string(pairs[i].value)) == 0;
    if (ok && n == 0)
        ok = json_object_set_new(o, "entity", json_string(hale_vertex_ref(v))) == 0;
    if (!ok) {
        json_decref(o);
        o = NULL;
    }
    return o;
}

struct deduced_event {
    const char *tenant, *type, *text, *impact;
    struct hale_vertex *on;
    enum hale_severity severity;
    const struct hale_rule *rule; /* NULL: clear */
    const char *cause_id;
};

static void explain(struct correlator_engine *e, const char *symptom, const char *cause,
                    bool on);

static void tell(struct correlator_engine *e, const struct deduced_event *d)
{
    struct hale_event ev = {.severity = d->severity, .clear = d->rule == NULL};
    ev.tenant = cor_strdup(e, d->tenant);
    ev.type = cor_strdup(e, d->type);
    ev.dimensions = cor_got(e, dimensions_of(d->on));
    ev.details = cor_got(e, json_pack("{s:s*, s:s*, s:s*}", "rule",
                                      d->rule != NULL ? d->rule->name : NULL, "text",
                                      d->text, "impact", d->impact));
    e->rules.cause_now = d->cause_id;
    struct cor_alarm *a = e->nomem ? NULL : cor_fault_deduce(e, &ev, e->rules.quiet);
    e->rules.recheck |= e->rules.quiet && a == NULL;
    e->rules.cause_now = NULL;
    if (a != NULL && d->cause_id != NULL)
        explain(e, a->id, d->cause_id, true);
    else if (a != NULL && ev.clear)
        hale_map_del(e->rules.explained, hale_str_from(a->id));
    hale_event_fini(&ev);
}

static void on_raise(void *arg, const struct cor_deduce_raise *r)
{
    const struct deduced_event d = {.tenant = r->tenant,
                                    .type = r->name,
                                    .text = r->text,
                                    .on = r->on,
                                    .severity = r->severity,
                                    .rule = r->rule,
                                    .cause_id = r->cause_id};
    tell(arg, &d);
}

static void on_clear(void *arg, const char *tenant, const char *name,
                     struct hale_vertex *on)
{
    const struct deduced_event d = {.tenant = tenant, .type = name, .on = on};
    tell(arg, &d);
}

static void on_state(void *arg, const char *tenant, struct hale_vertex *v,
                     enum hale_rule_state state, const struct hale_rule *rule,
                     const char *cause_id)
{
    bool down = state == HALE_RULE_DOWN;
    const struct deduced_event d = {.tenant = tenant,
                                    .type = down ? COR_RULES_DOWN : COR_RULES_DEGRADED,
                                    .impact = down ? "down" : "degraded",
                                    .on = v,
                                    .severity = down ? HALE_SEV_CRITICAL : HALE_SEV_LOW,
                                    .rule = rule,
                                    .cause_id = cause_id};
    tell(arg, &d);
}

/* --- deduced causes ------------------------------------------------------------------ */

static void explain(struct correlator_engine *e, const char *symptom, const char *cause,
                    bool on)
{
    struct hale_str key = hale_str_from(symptom);
    struct explained *x = hale_map_get(e->rules.explained, key);
    unsigned at = 0;
    while (x != NULL && at < x->n && strcmp(x->id[at], cause) != 0)
        at++;
    bool there = x != NULL && at < x->n;
    if (x == NULL && on) {
        x = cor_got(e, calloc(1, sizeof(*x)));
        if (x != NULL && hale_map_put(e->rules.explained, key, x) != HALE_OK) {
            free(x);
            x = cor_got(e, NULL);
        }
        if (x == NULL)
            return;
    }
    if (on && !there && x->n < COR_CAUSES_MAX)
        (void)snprintf(x->id[x->n++], HALE_UUID_TEXT, "%s", cause);
    else if (!on && there)
        memmove(x->id[at], x->id[at + 1], (--x->n - at) * sizeof(x->id[0]));
    if (x != NULL && x->n == 0)
        hale_map_del(e->rules.explained, key);
    struct cor_alarm *a = hale_map_get(e->alarms, key);
    if (a != NULL && cor_cause_live(a))
        cor_cause_queue(e, a);
}

struct onset {
    struct correlator_engine *e;
    const char *symptom;
};

static void on_asked(const char *cause, void *arg)
{
    const struct onset *o = arg;
    explain(o->e, o->symptom, cause, true);
}

void cor_rules_onset(struct correlator_engine *e, const struct cor_alarm *a)
{
    struct cor_rules *r = &e->rules;
    if (r->d == NULL || a->about.place == NULL)
        return;
    struct onset o = {e, a->id};
    const struct cor_deduce_at at = {cor_alarm_tenant(a),
                                     cor_topology_graph(e->topology, cor_alarm_tenant(a)),
                                     a->about.place->vertex};
    hale_map_del(r->explained, hale_str_from(a->id));
    if (at.g != NULL && cor_deduce_ask(r->d, &at, a->id, on_asked, &o) != HALE_OK)
        e->nomem = true;
    if (r->cause_now != NULL && a->fault != NULL)
        explain(e, a->id, r->cause_now, true);
}

static void on_cause(void *arg, const char *cause, const char *symptom, bool on)
{
    explain(arg, symptom, cause, on);
}

void cor_rules_causes(const struct correlator_engine *e, const struct cor_alarm *a,
                      struct cor_alarm **list, unsigned *n, unsigned max)
{
    const struct explained *x =
        e->rules.explained != NULL
            ? hale_map_get(e->rules.explained, hale_str_from(a->id))
            : NULL;
    for (unsigned i = 0; x != NULL && i < x->n && *n < max; i++) {
        struct cor_alarm *c = hale_map_get(e->alarms, hale_str_from(x->id[i]));
        bool there =
            c == NULL || c == a || c->about.place == NULL || c->state != HALE_STATE_ALARM;
        for (unsigned k = 0; !there && k < *n; k++)
            there = list[k] == c;
        if (!there)
            list[(*n)++] = c;
    }
}

static struct cor_deduce *make(struct correlator_engine *e)
{
    static const struct hale_rules none;
    const struct cor_deduce_io io = {.arg = e,
                                     .alarms = alarms_of,
                                     .raise = on_raise,
                                     .clear = on_clear,
                                     .state = on_state,
                                     .cause = on_cause};
    return cor_deduce_new(e->limits.rules != NULL ? e->limits.rules : &none, &io);
}

/* --- settling ------------------------------------------------------------------------ */

/* By value: looking may make the list longer. */
static void look(struct correlator_engine *e, struct cor_rule_touch t)
{
    const struct cor_deduce_at at = {
        t.tenant, t.v != NULL ? cor_topology_graph(e->topology, t.tenant) : NULL, t.v};
    if (at.g != NULL && cor_deduce_touched(e->rules.d, &at) != HALE_OK)
        e->nomem = true;
    free(t.tenant);
}

/* Alarms in ALARM that have a place, or are deduced and not asked for; by id. */
static struct cor_alarm **list_alarms(struct correlator_engine *e, bool unasked,
                                      size_t *n)
{
    size_t it = 0;
    struct cor_alarm *a;
    struct cor_alarm **list =
        cor_got(e, calloc(hale_map_count(e->alarms) + 1, sizeof(struct cor_alarm *)));
    *n = 0;
    while (list != NULL && (a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        bool wanted = unasked ? a->fault != NULL && a->fault->deduced && !a->fault->asked
                              : a->about.place != NULL;
        if (wanted && a->state == HALE_STATE_ALARM)
            list[(*n)++] = a;
    }
    if (*n > 1)
        qsort(list, *n, sizeof(struct cor_alarm *), by_id);
    return list;
}

/* Every entity with active alarms, from the beginning. */
static void look_at_all(struct correlator_engine *e)
{
    struct cor_rules *r = &e->rules;
    size_t n;
    struct cor_alarm **list = list_alarms(e, false, &n);
    for (size_t i = 0; i < n; i++)
        cor_rules_touch_alarm(e, list[i]);
    free(list);
    while (r->first < r->n_touched && !e->nomem)
        look(e, r->touched[r->first++]);
    drop_touched(r);
}

void cor_rules_loaded(struct correlator_engine *e)
{
    struct cor_rules *r = &e->rules;
    size_t n;
    r->quiet = true;
    r->recheck = false;
    look_at_all(e);
    r->quiet = false;
    free(list_alarms(e, true, &n));
    r->recheck |= n > 0;
    if (!r->any && !r->recheck) {
        cor_deduce_free(r->d);
        r->d = NULL;
    }
}

/* Rules that are others than before, or an input that had been written in part: now it is told. */
static void complete(struct correlator_engine *e)
{
    struct cor_rules *r = &e->rules;
    size_t n;
    r->recheck = false;
    drop_touched(r);
    cor_deduce_free(r->d);
    if ((r->d = cor_got(e, make(e))) == NULL)
        return;
    look_at_all(e);
    struct cor_alarm **list = list_alarms(e, true, &n);
    for (size_t i = 0; i < n && !e->nomem; i++)
        cor_fault_undeduce(e, list[i]);
    free(list);
}

void cor_rules_settle(struct correlator_engine *e, unsigned *steps)
{
    struct cor_rules *r = &e->rules;
    if (r->d == NULL)
        return;
    if (r->recheck)
        complete(e);
    while (r->first < r->n_touched && !e->nomem && *steps < COR_RULES_STEPS) {
        look(e, r->touched[r->first++]);
        ++*steps;
        cor_checkpoint(e);
    }
    e->stats.rules_cut += r->first < r->n_touched;
    drop_touched(r);
}

/* --- making -------------------------------------------------------------------------- */

bool cor_rules_attach(struct correlator_engine *e, const struct hale_rules *rules)
{
    e->rules.any = rules != NULL && rules->n > 0;
    e->rules.explained = hale_map_new(EXPLAINED_MAX, free);
    e->rules.d = make(e);
    return e->rules.explained != NULL && e->rules.d != NULL;
}

void cor_rules_free(struct correlator_engine *e)
{
    drop_touched(&e->rules);
    free(e->rules.touched);
    hale_map_free(e->rules.explained);
    cor_deduce_free(e->rules.d);
}
