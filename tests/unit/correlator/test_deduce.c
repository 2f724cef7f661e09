/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules make of alarms and a topology, against a reference that tries every choice of entities
 * after every change. Random graphs, alarms and orders; each change is told as the correlator tells it.
 */
#include "correlator/deduce.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

#define ENTITIES 10
#define ALARMS   12
#define EFFECTS  4096

static const char *const TYPES[] = {"host", "vm", "switch"};
static const char *const NAMES[] = {"nic.down", "ping", "muted", "load1", "load2"};

static const char RULES[] =
    "rules:\n"
    "- name: nic\n"
    "  entities: {host: {type: host}, vm: {type: vm}}\n"
    "  alarms: {nic: {name: nic.down}}\n"
    "  when: nic on host and host hosts vm\n"
    "  do:\n  - raise: {name: vm.net, on: vm, severity: HIGH, cause: nic}\n"
    "- name: pinged\n"
    "  entities: {host: {type: host}, vm: {type: vm}}\n"
    "  alarms: {nic: {name: nic.down}, ping: {name: ping}, mute: {name: muted}}\n"
    "  when: nic on host and host hosts vm and not mute on vm and ping on vm\n"
    "  do:\n  - cause: {is: nic, of: ping}\n"
    "  - raise: {name: vm.net, on: vm, severity: CRITICAL}\n"
    "- name: uplink\n"
    "  entities: {sw: {type: switch}, vm: {type: vm}}\n"
    "  alarms: {nic: {name: nic.down}, any: {pattern: 'load.', severity: [HIGH, LOW]}}\n"
    "  when: vm depends_on sw and (nic on sw or any on sw)\n"
    "  do:\n  - state: {on: vm, state: down}\n  - state: {on: sw, state: degraded}\n"
    "- name: both\n"
    "  entities: {a: {}}\n"
    "  alarms: {x: {name: load1}, y: {name: load2}}\n"
    "  when: x on a and y on a\n"
    "  within: 3s\n"
    "  do:\n  - raise: {name: both, on: a, severity: LOW}\n  - cause: {is: x, of: y}\n"
    "- name: three\n"
    "  entities: {sw: {type: switch}, host: {type: host, attributes: {zone: az1}}, vm: "
    "{type: vm}}\n"
    "  alarms: {x: {}, p: {name: ping}}\n"
    "  when: sw connects host and host hosts vm and x on sw and not p on host\n"
    "  do:\n  - raise: {name: three, on: vm, severity: MEDIUM}\n"
    "- name: others\n"
    "  tenant: t2\n"
    "  entities: {a: {}}\n"
    "  alarms: {x: {}}\n"
    "  when: x on a\n"
    "  do:\n  - raise: {name: never, on: a, severity: LOW}\n";

struct alarm {
    bool on;
    char id[16];
    const char *name;
    enum hale_severity severity;
    int64_t onset_ms;
    unsigned entity;
};
struct world {
    struct hale_rules *rules;
    struct hale_graph *g;
    struct cor_deduce *d;
    struct hale_vertex *v[ENTITIES]; /* NULL: not there */
    char ref[ENTITIES][24];
    bool hosts[ENTITIES][ENTITIES], depends[ENTITIES][ENTITIES];
    bool connects[ENTITIES][ENTITIES], az1[ENTITIES];
    struct alarm alarm[ALARMS];
    /* what the io was told: "raise vm.net vm/3 HIGH" ... */
    unsigned n;
    char *effect[EFFECTS];
    unsigned seed;
};

static unsigned rnd(struct world *w, unsigned n)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return (w->seed >> 16) % n;
}

/* --- effects as a sorted set of texts ------------------------------------------------ */

static int find(struct world *w, const char *text, bool prefix)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (prefix ? strncmp(w->effect[i], text, strlen(text)) == 0
                   : strcmp(w->effect[i], text) == 0)
            return (int)i;
    }
    return -1;
}

static void add(struct world *w, const char *text)
{
    assert_true(w->n < EFFECTS);
    w->effect[w->n] = strdup(text);
    assert_non_null(w->effect[w->n]);
    w->n++;
}

static void drop(struct world *w, int i)
{
    assert_true(i >= 0);
    free(w->effect[i]);
    w->effect[i] = w->effect[--w->n];
}

static void on_raise(void *arg, const struct cor_deduce_raise *r)
{
    struct world *w = arg;
    char text[128];
    (void)snprintf(text, sizeof(text), "raise %s %s ", r->name, hale_vertex_ref(r->on));
    int old = find(w, text, true);
    if (old >= 0)
        drop(w, old);
    (void)snprintf(text, sizeof(text), "raise %s %s %s", r->name, hale_vertex_ref(r->on),
                   hale_severity_text(r->severity));
    add(w, text);
    assert_string_equal(r->tenant, "t1");
}

static void on_clear(void *arg, const char *tenant, const char *name,
                     struct hale_vertex *on)
{
    char text[128];
    (void)tenant;
    (void)snprintf(text, sizeof(text), "raise %s %s ", name, hale_vertex_ref(on));
    drop(arg, find(arg, text, true));
}

static void on_state(void *arg, const char *tenant, struct hale_vertex *v,
                     enum hale_rule_state state, const struct hale_rule *rule,
                     const char *cause_id)
{
    char text[128];
    bool on = rule != NULL;
    assert_int_equal(cause_id != NULL, on);
    (void)tenant;
    (void)snprintf(text, sizeof(text), "state %s %d", hale_vertex_ref(v), (int)state);
    assert_int_equal(find(arg, text, false) >= 0, !on);
    if (on)
        add(arg, text);
    else
        drop(arg, find(arg, text, false));
}

static void on_cause(void *arg, const char *cause, const char *symptom, bool on)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "cause %s %s", cause, symptom);
    assert_int_equal(find(arg, text, false) >= 0, !on);
    if (on)
        add(arg, text);
    else
        drop(arg, find(arg, text, false));
}

static void alarms_of(void *arg, struct hale_vertex *v, cor_deduce_alarm_fn fn,
                      void *fn_arg)
{
    struct world *w = arg;
    for (unsigned i = 0; i < ALARMS; i++) {
        const struct alarm *a = &w->alarm[i];
        if (!a->on || w->v[a->entity] != v)
            continue;
        struct cor_deduce_alarm view = {a->id, a->name, a->severity, a->onset_ms};
        fn(&view, fn_arg);
    }
}

/* --- the reference ------------------------------------------------------------------- */

static bool matches(const struct hale_rule_alarm *w, const struct alarm *a)
{
    bool yes = true;
    if ((w->severities >> a->severity & 1) == 0)
        return false;
    if (w->regex != NULL)
        return strncmp(a->name, "load", 4) == 0;
    return w->name == NULL ? yes : strcmp(w->name, a->name) == 0;
}

static bool edge(const struct world *w, const struct hale_rule_term *t, unsigned a,
                 unsigned b)
{
    if (t->kind == HALE_RULE_HOSTS)
        return w->hosts[a][b];
    return t->kind == HALE_RULE_CONNECTS ? w->connects[a][b] : w->depends[a][b];
}

/* Is there a choice of alarms for the terms from i on with onsets within [lo, hi]? */
static bool alarms_fit(const struct world *w, const struct hale_rule *r,
                       const struct hale_rule_branch *b, const unsigned *choice,
                       unsigned i, int64_t lo, int64_t hi)
{
    if (r->within_ms != 0 && hi > lo && hi - lo > r->within_ms)
        return false;
    if (i == b->n)
        return true;
    const struct hale_rule_term *t = &b->term[i];
    if (t->kind != HALE_RULE_ON)
        return alarms_fit(w, r, b, choice, i + 1, lo, hi);
    bool any = false;
    for (unsigned k = 0; k < ALARMS; k++) {
        const struct alarm *a = &w->alarm[k];
        if (!a->on || w->v[a->entity] == NULL || a->entity != choice[t->b] ||
            !matches(&r->alarm[t->a], a))
            continue;
        if (t->negated)
            return false;
        any |= alarms_fit(w, r, b, choice, i + 1, a->onset_ms < lo ? a->onset_ms : lo,
                          a->onset_ms > hi ? a->onset_ms : hi);
    }
    return t->negated ? alarms_fit(w, r, b, choice, i + 1, lo, hi) : any;
}

static void expect_raise(struct world *e, const char *name, const char *ref,
                         enum hale_severity severity)
{
    char text[128];
    for (int s = HALE_SEV_CRITICAL; s >= (int)severity; s--) {
        (void)snprintf(text, sizeof(text), "raise %s %s %s", name, ref,
                       hale_severity_text((enum hale_severity)s));
        if (find(e, text, false) >= 0)
            return;
    }
    (void)snprintf(text, sizeof(text), "raise %s %s ", name, ref);
    int old = find(e, text, true);
    if (old >= 0)
        drop(e, old);
    (void)snprintf(text, sizeof(text), "raise %s %s %s", name, ref,
                   hale_severity_text(severity));
    add(e, text);
}

static void expect_once(struct world *e, const char *text)
{
    if (find(e, text, false) < 0)
        add(e, text);
}

static void expect_causes(const struct world *w, struct world *e,
                          const struct hale_rule *r, const struct hale_rule_branch *b,
                          const struct hale_rule_action *a, const unsigned *choice)
{
    for (unsigned i = 0; i < b->n; i++) {
        for (unsigned k = 0; k < b->n; k++) {
            const struct hale_rule_term *x = &b->term[i], *y = &b->term[k];
            if (x->kind != HALE_RULE_ON || y->kind != HALE_RULE_ON || x->negated ||
                y->negated || x->a != a->cause || y->a != a->symptom)
                continue;
            for (unsigned m = 0; m < ALARMS * ALARMS; m++) {
                const struct alarm *is = &w->alarm[m / ALARMS],
                                   *of = &w->alarm[m % ALARMS];
                if (is == of || !is->on || !of->on || is->entity != choice[x->b] ||
                    of->entity != choice[y->b] || !matches(&r->alarm[x->a], is) ||
                    !matches(&r->alarm[y->a], of) ||
                    (r->within_ms != 0 &&
                     llabs((long long)(is->onset_ms - of->onset_ms)) > r->within_ms))
                    continue;
                char text[128];
                (void)snprintf(text, sizeof(text), "cause %s %s", is->id, of->id);
                expect_once(e, text);
            }
        }
    }
}

static void expect_actions(const struct world *w, struct world *e,
                           const struct hale_rule *r, const struct hale_rule_branch *b,
                           const unsigned *choice)
{
    char text[128];
    for (unsigned i = 0; i < r->n_actions; i++) {
        const struct hale_rule_action *a = &r->action[i];
        if (a->kind == HALE_RULE_CAUSE) {
            expect_causes(w, e, r, b, a, choice);
        } else if (a->kind == HALE_RULE_RAISE) {
            expect_raise(e, a->name, w->ref[choice[a->on]], a->severity);
        } else {
            (void)snprintf(text, sizeof(text), "state %s %d", w->ref[choice[a->on]],
                           a->state);
            expect_once(e, text);
        }
    }
}

static void try_all(const struct world *w, struct world *e, const struct hale_rule *r,
                    const struct hale_rule_branch *b, unsigned *choice, unsigned i)
{
    if (i < r->n_entities) {
        choice[i] = ENTITIES;
        if ((b->entities >> i & 1) == 0) {
            try_all(w, e, r, b, choice, i + 1);
            return;
        }
        for (unsigned k = 0; k < ENTITIES; k++) {
            bool fits =
                w->v[k] != NULL &&
                (r->entity[i].type == NULL ||
                 strncmp(w->ref[k], r->entity[i].type, strlen(r->entity[i].type)) == 0) &&
                (r->entity[i].attributes == NULL || w->az1[k]);
            for (unsigned j = 0; j < i; j++)
                fits &= choice[j] != k;
            choice[i] = k;
            if (fits)
                try_all(w, e, r, b, choice, i + 1);
        }
        return;
    }
    for (unsigned k = 0; k < b->n; k++) {
        const struct hale_rule_term *t = &b->term[k];
        if (t->kind != HALE_RULE_ON && t->kind != HALE_RULE_IS &&
            !edge(w, t, choice[t->a], choice[t->b]))
            return;
    }
    if (alarms_fit(w, r, b, choice, 0, INT64_MAX, INT64_MIN))
        expect_actions(w, e, r, b, choice);
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

static void compare(struct world *w, unsigned round)
{
    struct world *e = calloc(1, sizeof(*e));
    assert_non_null(e);
    for (unsigned i = 0; i < w->rules->n; i++) {
        const struct hale_rule *r = &w->rules->v[i];
        unsigned choice[HALE_RULE_ENTITIES_MAX];
        for (unsigned k = 0; r->tenant == NULL && k < r->when.n; k++)
            try_all(w, e, r, &r->when.branch[k], choice, 0);
    }
    qsort(w->effect, w->n, sizeof(w->effect[0]), by_text);
    qsort(e->effect, e->n, sizeof(e->effect[0]), by_text);
    for (unsigned i = 0; i < w->n || i < e->n; i++) {
        const char *got = i < w->n ? w->effect[i] : "nothing";
        const char *wanted = i < e->n ? e->effect[i] : "nothing";
        if (strcmp(got, wanted) != 0)
            fail_msg("round %u: got '%s', wanted '%s'", round, got, wanted);
    }
    for (unsigned i = 0; i < e->n; i++)
        free(e->effect[i]);
    free(e);
}

/* --- changes ------------------------------------------------------------------------- */

static enum hale_rc touched(struct world *w, struct hale_vertex *v)
{
    const struct cor_deduce_at at = {"t1", w->g, v};
    return cor_deduce_touched(w->d, &at);
}

static char *refs[ENTITIES][3][ENTITIES];

static struct hale_strings refs_of(struct world *w, unsigned k, unsigned kind,
                                   bool edges[ENTITIES][ENTITIES], bool turned)
{
    struct hale_strings list = {0, refs[k][kind]};
    for (unsigned i = 0; i < ENTITIES; i++) {
        if (turned ? edges[i][k] : edges[k][i])
            refs[k][kind][list.n++] = w->ref[i];
    }
    return list;
}

static void put(struct world *w, unsigned k)
{
    char group[] = "g", type[16], id[8], source[] = "test";
    (void)snprintf(type, sizeof(type), "%s", TYPES[k % 3]);
    (void)snprintf(id, sizeof(id), "%u", k);
    for (unsigned i = 0; i < ENTITIES; i++) { /* its own lists */
        w->hosts[i][k] = i != k && rnd(w, 4) == 0;
        w->depends[k][i] = i != k && rnd(w, 4) == 0;
        w->connects[k][i] = i != k && rnd(w, 4) == 0;
    }
    w->az1[k] = rnd(w, 3) > 0;
    struct hale_dependency depends = {group, true, refs_of(w, k, 1, w->depends, false)};
    struct hale_entity e = {.type = type,
                            .id = id,
                            .source = source,
                            .attributes =
                                json_pack("{s:s}", "zone", w->az1[k] ? "az1" : "b"),
                            .has_hosted_by = true,
                            .hosted_by = refs_of(w, k, 0, w->hosts, true),
                            .has_depends_on = true,
                            .n_depends_on = depends.on.n > 0,
                            .depends_on = &depends,
                            .has_connects = true,
                            .connects = refs_of(w, k, 2, w->connects, false)};
    assert_int_equal(hale_graph_put(w->g, &e), HALE_OK);
    json_decref(e.attributes);
    w->v[k] = hale_graph_find(w->g, hale_str_from(w->ref[k]));
    assert_non_null(w->v[k]);
    assert_int_equal(touched(w, w->v[k]), HALE_OK);
}

static void delete (struct world *w, unsigned k)
{
    if (w->v[k] == NULL)
        return;
    assert_int_equal(cor_deduce_gone(w->d, w->v[k]), HALE_OK);
    assert_true(hale_graph_delete(w->g, hale_str_from(w->ref[k])));
    w->v[k] = NULL;
    for (unsigned i = 0; i < ENTITIES; i++)
        w->hosts[i][k] = w->depends[k][i] = w->connects[k][i] = false;
}

static void flip(struct world *w, unsigned i)
{
    struct alarm *a = &w->alarm[i];
    unsigned was = a->entity;
    a->on = !a->on;
    if (a->on) {
        a->name = NAMES[rnd(w, 5)];
        a->severity = (enum hale_severity)rnd(w, 4);
        a->onset_ms = rnd(w, 8) * 1000;
        a->entity = rnd(w, ENTITIES);
        was = a->entity;
    }
    if (w->v[was] != NULL)
        assert_int_equal(touched(w, w->v[was]), HALE_OK);
}

static void deduce_new(struct world *w)
{
    const struct cor_deduce_io io = {.arg = w,
                                     .alarms = alarms_of,
                                     .raise = on_raise,
                                     .clear = on_clear,
                                     .state = on_state,
                                     .cause = on_cause};
    w->d = cor_deduce_new(w->rules, &io);
    assert_non_null(w->d);
}

/* The holdings are gone and told again, as after a restart: the same follows. */
static void restart(struct world *w)
{
    cor_deduce_free(w->d);
    for (unsigned i = 0; i < w->n; i++)
        free(w->effect[i]);
    w->n = 0;
    deduce_new(w);
    for (unsigned k = 0; k < ENTITIES; k++) {
        if (w->v[k] != NULL)
            assert_int_equal(touched(w, w->v[k]), HALE_OK);
    }
}

static void as_the_reference(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct world *w = calloc(1, sizeof(*w));
        struct hale_err err = {0};
        assert_non_null(w);
        w->seed = seed;
        if (hale_rules_load(hale_str_from(RULES), "rules", &w->rules, &err) != HALE_OK)
            fail_msg("%d: %s", err.line, err.text);
        w->g = hale_graph_new(100);
        assert_non_null(w->g);
        for (unsigned k = 0; k < ENTITIES; k++)
            (void)snprintf(w->ref[k], sizeof(w->ref[k]), "%s/%u", TYPES[k % 3], k);
        for (unsigned i = 0; i < ALARMS; i++)
            (void)snprintf(w->alarm[i].id, sizeof(w->alarm[i].id), "a%02u", i);
        deduce_new(w);
        for (unsigned round = 0; round < 300; round++) {
            unsigned what = rnd(w, 20);
            if (what < 6)
                put(w, rnd(w, ENTITIES));
            else if (what == 6)
                delete (w, rnd(w, ENTITIES));
            else if (what == 7)
                restart(w);
            else
                flip(w, rnd(w, ALARMS));
            compare(w, round);
        }
        for (unsigned k = 0; k < ENTITIES; k++)
            delete (w, k);
        assert_int_equal(w->n, 0);
        assert_int_equal(cor_deduce_stats(w->d)->holdings, 0);
        assert_int_equal(cor_deduce_stats(w->d)->begun, cor_deduce_stats(w->d)->ended);
        cor_deduce_free(w->d);
        hale_graph_free(w->g);
        hale_rules_free(w->rules);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
