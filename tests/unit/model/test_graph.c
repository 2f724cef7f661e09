/* SPDX-License-Identifier: Apache-2.0 */
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/fail_alloc.h"

#define V(ref) hale_graph_find(g, hale_str_from(ref))

static enum hale_rc try_put(struct hale_graph *g, bool patch, const char *json)
{
    struct hale_entity e;
    struct hale_err err = {0};
    json_t *o = json_loads(json, 0, NULL);
    assert_non_null(o);
    enum hale_rc rc = hale_entity_from_json(o, &e, &err);
    if (rc != HALE_OK)
        fail_msg("%s: %s", json, err.text);
    rc = patch ? hale_graph_patch(g, &e) : hale_graph_put(g, &e);
    hale_entity_fini(&e);
    json_decref(o);
    return rc;
}

static void put(struct hale_graph *g, const char *json)
{
    assert_int_equal(try_put(g, false, json), HALE_OK);
}

static void patch(struct hale_graph *g, const char *json)
{
    assert_int_equal(try_put(g, true, json), HALE_OK);
}

static bool out(struct hale_graph *g, const char *ref)
{
    return hale_vertex_out(V(ref), HALE_GRAPH_DOWN);
}

static void claim(struct hale_graph *g, const char *ref)
{
    hale_graph_claim(g, V(ref), HALE_GRAPH_DOWN);
}

static void unclaim(struct hale_graph *g, const char *ref)
{
    hale_graph_unclaim(g, V(ref), HALE_GRAPH_DOWN);
}

/* Refs with a blank between. */
static const char *causes(struct hale_graph *g, const char *ref)
{
    static char text[512];
    struct hale_vertex *list[8];
    size_t n = hale_graph_causes(g, V(ref), HALE_GRAPH_DOWN, list, 8);
    text[0] = '\0';
    for (size_t i = 0, len = 0; i < n; i++, len = strlen(text))
        (void)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
                       hale_vertex_ref(list[i]));
    return text;
}

static bool add_ref(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                    void *arg)
{
    char *text = arg;
    (void)snprintf(text + strlen(text), 512 - strlen(text), "%s<%s:%u ",
                   hale_vertex_ref(v), via != NULL ? hale_vertex_ref(via) : "", depth);
    return true;
}

static void add_changed(struct hale_vertex *v, enum hale_graph_plane plane, void *arg)
{
    char *text = arg;
    (void)snprintf(text + strlen(text), 512 - strlen(text), "%s%s%s ",
                   hale_vertex_out(v, plane) ? "-" : "+", hale_vertex_ref(v),
                   plane == HALE_GRAPH_MAINTENANCE ? "(m)" : "");
}

/* site - switch sw1, sw2 - host h1 (sw1), h2 (any of both) - vm a, b on h1, c on h2 */
static struct hale_graph *world(char *changes)
{
    struct hale_graph *g = hale_graph_new(100);
    assert_non_null(g);
    put(g, "{\"type\":\"switch\",\"id\":\"sw1\"}");
    put(g, "{\"type\":\"switch\",\"id\":\"sw2\"}");
    put(g, "{\"type\":\"host\",\"id\":\"h1\",\"depends_on\":[{\"group\":\"net\","
           "\"mode\":\"all\",\"on\":[\"switch/sw1\"]}]}");
    put(g, "{\"type\":\"host\",\"id\":\"h2\",\"depends_on\":[{\"group\":\"net\","
           "\"mode\":\"any\",\"on\":[\"switch/sw1\",\"switch/sw2\"]}]}");
    put(g, "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h1\"]}");
    put(g, "{\"type\":\"vm\",\"id\":\"b\",\"hosted_by\":[\"host/h1\"]}");
    put(g, "{\"type\":\"vm\",\"id\":\"c\",\"hosted_by\":[\"host/h2\"]}");
    hale_graph_on_change(g, changes != NULL ? add_changed : NULL, changes);
    return g;
}

static void test_down(void **state)
{
    char changes[512] = "";
    struct hale_graph *g = world(changes);
    (void)state;
    claim(g, "host/h1");
    assert_string_equal(changes, "-vm/a -vm/b ");
    assert_string_equal(causes(g, "vm/a"), "host/h1");
    assert_string_equal(causes(g, "host/h1"), "");
    changes[0] = '\0';
    claim(g, "switch/sw1"); /* the host is out too now; h2 has another uplink */
    assert_string_equal(changes, "-host/h1 ");
    assert_string_equal(causes(g, "vm/a"), "host/h1 switch/sw1");
    assert_string_equal(causes(g, "vm/c"), "");
    changes[0] = '\0';
    unclaim(g, "host/h1"); /* still behind the switch */
    assert_string_equal(changes, "");
    assert_string_equal(causes(g, "vm/a"), "switch/sw1");
    claim(g, "switch/sw2");
    assert_string_equal(changes, "-host/h2 -vm/c ");
    assert_string_equal(causes(g, "vm/c"), "switch/sw1 switch/sw2");
    changes[0] = '\0';
    unclaim(g, "switch/sw1");
    assert_string_equal(changes, "+host/h1 +host/h2 +vm/a +vm/b +vm/c ");
    assert_true(hale_vertex_failed(V("switch/sw2"), HALE_GRAPH_DOWN));
    hale_graph_free(g);
}

/* Two claims are two: one of them ending changes nothing. */
static void test_counted(void **state)
{
    struct hale_graph *g = world(NULL);
    (void)state;
    claim(g, "host/h1");
    claim(g, "host/h1");
    unclaim(g, "host/h1");
    assert_true(out(g, "vm/a"));
    unclaim(g, "host/h1");
    assert_false(out(g, "vm/a"));
    hale_graph_free(g);
}

static void test_state(void **state)
{
    char changes[512] = "";
    struct hale_graph *g = world(changes);
    (void)state;
    patch(g, "{\"type\":\"host\",\"id\":\"h1\",\"state\":\"down\"}");
    assert_string_equal(changes, "-vm/a -vm/b ");
    assert_int_equal(hale_vertex_entity(V("host/h1"))->n_depends_on, 1);
    changes[0] = '\0';
    patch(g, "{\"type\":\"host\",\"id\":\"h1\",\"state\":\"maintenance\"}");
    assert_string_equal(changes, "+vm/a -vm/a(m) +vm/b -vm/b(m) ");
    changes[0] = '\0';
    put(g, "{\"type\":\"host\",\"id\":\"h1\",\"state\":\"unknown\"}");
    assert_string_equal(changes, "+vm/a(m) +vm/b(m) ");
    hale_graph_free(g);
}

static void test_edges_change(void **state)
{
    char changes[512] = "";
    struct hale_graph *g = world(changes);
    (void)state;
    claim(g, "host/h1");
    changes[0] = '\0';
    put(g, "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h2\"]}"); /* moved */
    assert_string_equal(changes, "+vm/a ");
    assert_true(hale_graph_delete(g, HALE_STR("host/h1"))); /* named only: counts as up */
    assert_false(hale_graph_delete(g, HALE_STR("host/h1")));
    assert_string_equal(changes, "+vm/a +vm/b ");
    assert_null(hale_vertex_entity(V("host/h1")));
    changes[0] = '\0';
    put(g, "{\"type\":\"host\",\"id\":\"h1\"}"); /* the claim still stands */
    assert_string_equal(changes, "-vm/b ");
    unclaim(g, "host/h1");
    assert_int_equal(hale_graph_count(g), 7);
    hale_graph_free(g);
}

/* What is only named goes when nothing names it. */
static void test_named(void **state)
{
    struct hale_graph *g = hale_graph_new(2);
    (void)state;
    put(g, "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/x\"]}");
    assert_non_null(V("host/x"));
    assert_int_equal(hale_graph_count(g), 1);
    hale_vertex_set_owner(V("host/x"), g);
    assert_true(hale_graph_delete(g, HALE_STR("vm/a")));
    assert_ptr_equal(hale_vertex_owner(V("host/x")), g);
    hale_vertex_set_owner(V("host/x"), NULL);
    assert_null(V("host/x"));
    put(g, "{\"type\":\"vm\",\"id\":\"a\"}");
    put(g, "{\"type\":\"vm\",\"id\":\"b\"}");
    assert_int_equal(try_put(g, false, "{\"type\":\"vm\",\"id\":\"c\"}"), HALE_E_LIMIT);
    assert_null(V("vm/c"));
    put(g, "{\"type\":\"vm\",\"id\":\"b\",\"name\":\"again\"}");
    size_t it = 0, n = 0;
    while (hale_graph_next(g, &it) != NULL)
        n++;
    assert_int_equal(n, 2);
    hale_graph_free(g);
}

static void test_cycle(void **state)
{
    struct hale_graph *g = hale_graph_new(10);
    (void)state;
    put(g, "{\"type\":\"x\",\"id\":\"1\",\"hosted_by\":[\"x/2\"]}");
    put(g, "{\"type\":\"x\",\"id\":\"2\",\"hosted_by\":[\"x/3\"]}");
    put(g, "{\"type\":\"x\",\"id\":\"3\",\"hosted_by\":[\"x/1\"]}");
    assert_false(out(g, "x/1"));
    claim(g, "x/2");
    assert_true(out(g, "x/1") && out(g, "x/2") && out(g, "x/3"));
    assert_string_equal(causes(g, "x/1"), "x/2");
    assert_string_equal(causes(g, "x/2"), "");
    unclaim(g, "x/2"); /* not held down by each other */
    assert_false(out(g, "x/1") || out(g, "x/2") || out(g, "x/3"));
    char text[512] = "";
    hale_graph_dependents(g, V("x/1"), add_ref, text);
    hale_graph_supports(g, V("x/1"), add_ref, text);
    assert_string_equal(text, "x/3<x/1:1 x/2<x/3:2 x/2<x/1:1 x/3<x/2:2 ");
    hale_graph_free(g);
}

static void test_walks(void **state)
{
    char text[512] = "";
    struct hale_graph *g = world(NULL);
    (void)state;
    hale_graph_dependents(g, V("switch/sw1"), add_ref, text);
    assert_string_equal(text, "host/h1<switch/sw1:1 host/h2<switch/sw1:1 "
                              "vm/a<host/h1:2 vm/b<host/h1:2 vm/c<host/h2:2 ");
    text[0] = '\0';
    claim(g, "switch/sw1");
    struct hale_vertex *const from[] = {V("switch/sw1"), V("vm/a"), V("vm/a")};
    hale_graph_victims(g, from, 3, HALE_GRAPH_DOWN, add_ref, text);
    assert_string_equal(text,
                        "switch/sw1<:0 vm/a<:0 host/h1<switch/sw1:1 vm/b<host/h1:2 ");
    text[0] = '\0';
    hale_graph_supports(g, V("vm/c"), add_ref, text);
    assert_string_equal(text,
                        "host/h2<vm/c:1 switch/sw1<host/h2:2 switch/sw2<host/h2:2 ");
    hale_graph_free(g);
}

/* --- match --------------------------------------------------------------------------- */

static const char *about(struct hale_graph *g, const char *dimensions)
{
    json_t *o = json_loads(dimensions, 0, NULL);
    struct hale_vertex *v = hale_graph_match(g, o);
    json_decref(o);
    return v != NULL ? hale_vertex_ref(v) : "";
}

static void test_match(void **state)
{
    struct hale_graph *g = world(NULL);
    (void)state;
    put(g, "{\"type\":\"vm\",\"id\":\"d\",\"name\":\"web\",\"hosted_by\":[\"host/h1\"]}");
    put(g,
        "{\"type\":\"card\",\"id\":\"9\",\"match\":[{\"hostname\":\"h1\",\"slot\":\"9\"},"
        "{\"serial\":\"s9\"}],\"hosted_by\":[\"host/h1\"]}");
    static const struct {
        const char *dimensions, *ref;
    } cases[] = {
        {"{\"hostname\":\"h1\"}", "host/h1"},
        {"{\"hostname\":\"h1\",\"resource_id\":\"a\"}", "vm/a"}, /* stands on the host */
        {"{\"hostname\":\"web\"}", "vm/d"},
        {"{\"vm_id\":\"b\",\"device\":\"sda\"}", "vm/b"},
        {"{\"slot\":\"9\",\"hostname\":\"h1\"}", "card/9"},
        {"{\"slot\":\"9\",\"hostname\":\"h2\"}", "host/h2"}, /* every pair of a set */
        {"{\"slot\":\"9\"}", ""},
        {"{\"serial\":\"s9\"}", "card/9"},
        {"{\"hostname\":\"h1\",\"instance_id\":\"c\"}",
         "host/h1"}, /* neither on the other */
        {"{\"hostname\":\"h3\"}", ""},
        {"{\"hostname\":\"\"}", ""},
        {"{\"\":\"h1\"}", ""},
        {"{}", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(about(g, cases[i].dimensions), cases[i].ref);
    const struct hale_match_pair *pairs;
    assert_int_equal(hale_vertex_match(V("card/9"), 0, &pairs), 2);
    assert_int_equal(hale_vertex_match(V("card/9"), 1, &pairs), 1);
    assert_string_equal(pairs->value, "s9");
    assert_int_equal(hale_vertex_match(V("card/9"), 2, &pairs), 0);
    assert_true(hale_graph_delete(g, HALE_STR("card/9")));
    assert_string_equal(about(g, "{\"serial\":\"s9\"}"), "");
    hale_graph_free(g);
}

/* T9: what is empty or absent on both sides is no agreement. The codec refuses such sets already. */
static void test_match_empty(void **state)
{
    struct hale_graph *g = hale_graph_new(10);
    struct hale_entity e = {.type = strdup("card"), .id = strdup("1")};
    (void)state;
    e.match = json_loads("[{},{\"rack\":\"\"},{\"\":\"x\"}]", 0, NULL);
    assert_int_equal(hale_graph_put(g, &e), HALE_OK);
    assert_string_equal(about(g, "{}"), "");
    assert_string_equal(about(g, "{\"rack\":\"\"}"), "");
    assert_string_equal(about(g, "{\"\":\"x\"}"), "");
    const struct hale_match_pair *pairs;
    assert_int_equal(hale_vertex_match(V("card/1"), 0, &pairs), 0);
    hale_entity_fini(&e);
    hale_graph_free(g);
}

/* --- against a slow reference -------------------------------------------------------- */

#define N 24

struct model { /* the same content, and who is out found by iterating from nothing */
    bool there[N], maintenance[N], down_state[N];
    unsigned claims[N], n_all[N], n_any[N];
    unsigned all[N][3], any[N][3];
    bool has_match[N];
};

static uint64_t rng = 1;
static unsigned rnd(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

static bool model_failed(const struct model *m, unsigned i, int plane)
{
    if (!m->there[i])
        return false;
    if (plane == HALE_GRAPH_MAINTENANCE)
        return m->maintenance[i];
    return m->claims[i] > 0 || m->down_state[i];
}

static bool model_needs(const struct model *m, unsigned i, const bool *down)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < m->n_all[i]; k++) {
        if (down[m->all[i][k]])
            return true;
    }
    for (unsigned k = 0; k < m->n_any[i]; k++)
        bad += down[m->any[i][k]];
    return m->n_any[i] > 0 && bad == m->n_any[i];
}

static void model_out(const struct model *m, int plane, bool *out_now)
{
    bool down[N];
    for (unsigned i = 0; i < N; i++) {
        down[i] = model_failed(m, i, plane);
        out_now[i] = false;
    }
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < N; i++) {
            if (m->there[i] && !out_now[i] && model_needs(m, i, down)) {
                out_now[i] = down[i] = again = true;
            }
        }
    }
}

static char *ref_of(unsigned i)
{
    static char text[4][32];
    static unsigned at;
    at = (at + 1) % 4;
    (void)snprintf(text[at], sizeof(text[at]), "x/%02u", i);
    return text[at];
}

static unsigned random_refs(struct hale_strings *s, unsigned *list)
{
    unsigned n = rnd(4), used = 0;
    s->v = calloc(3, sizeof(char *));
    for (unsigned k = 0; k < n && used < 3; k++) {
        unsigned to = rnd(N);
        bool twice = false;
        for (unsigned j = 0; j < used; j++)
            twice |= list[j] == to;
        if (twice)
            continue;
        list[used] = to;
        s->v[used++] = strdup(ref_of(to));
    }
    s->n = used;
    return used;
}

static void random_put(struct hale_graph *g, struct model *m, unsigned i)
{
    struct hale_entity e = {.type = strdup("x"), .has_state = true};
    char id[8];
    (void)snprintf(id, sizeof(id), "%02u", i);
    e.id = strdup(id);
    unsigned s = rnd(8);
    e.state = s == 0   ? HALE_ENTITY_DOWN
              : s == 1 ? HALE_ENTITY_MAINTENANCE
                       : HALE_ENTITY_UP;
    e.has_hosted_by = e.has_depends_on = true;
    m->n_all[i] = random_refs(&e.hosted_by, m->all[i]);
    e.depends_on = calloc(1, sizeof(*e.depends_on));
    e.n_depends_on = 1;
    e.depends_on->group = strdup("g");
    e.depends_on->any = true;
    m->n_any[i] = random_refs(&e.depends_on->on, m->any[i]);
    m->there[i] = true;
    m->down_state[i] = s == 0;
    m->maintenance[i] = s == 1;
    assert_int_equal(hale_graph_put(g, &e), HALE_OK);
    hale_entity_fini(&e);
}

/* Those that are failed and, walking up through groups that are bad, met from i. */
static unsigned model_causes(const struct model *m, unsigned i, bool *cause)
{
    bool o[N], down[N], seen[N] = {false};
    unsigned list[N + 1], n = 0, found = 0;
    model_out(m, HALE_GRAPH_DOWN, o);
    for (unsigned k = 0; k < N; k++) {
        down[k] = o[k] || model_failed(m, k, HALE_GRAPH_DOWN);
        cause[k] = false;
    }
    list[n++] = i;
    for (unsigned k = 0; k < n; k++) {
        unsigned at = list[k], bad = 0;
        if (!m->there[at])
            continue;
        for (unsigned j = 0; j < m->n_any[at]; j++)
            bad += down[m->any[at][j]];
        bool any = m->n_any[at] > 0 && bad == m->n_any[at];
        for (unsigned j = 0; j < m->n_all[at] + (any ? m->n_any[at] : 0); j++) {
            unsigned to = j < m->n_all[at] ? m->all[at][j] : m->any[at][j - m->n_all[at]];
            if (down[to] && !seen[to] && to != i) {
                seen[to] = true;
                list[n++] = to;
            }
        }
    }
    for (unsigned k = 1; k < n; k++) {
        cause[list[k]] = model_failed(m, list[k], HALE_GRAPH_DOWN);
        found += cause[list[k]];
    }
    return found;
}

static unsigned index_of(const struct hale_vertex *v)
{
    uint64_t i = N;
    assert_int_equal(hale_str_u64(hale_str_from(hale_vertex_ref(v) + 2), &i), HALE_OK);
    assert_true(i < N);
    return (unsigned)i;
}

struct told {
    bool out[HALE_GRAPH_PLANES][N];
};

static void keep_told(struct hale_vertex *v, enum hale_graph_plane plane, void *arg)
{
    struct told *t = arg;
    unsigned i = index_of(v);
    assert_int_not_equal(t->out[plane][i], hale_vertex_out(v, plane));
    t->out[plane][i] = hale_vertex_out(v, plane);
}

/* Each on the way stands on the next one, which is down; none comes twice; the cause is the end. */
static void check_path(struct hale_graph *g, const struct model *m, unsigned from,
                       const struct hale_vertex *cause)
{
    struct hale_vertex *way[N];
    bool met[N] = {false};
    size_t n = hale_graph_path(g, V(ref_of(from)), cause, HALE_GRAPH_DOWN, way, N);
    assert_true(n > 0 && way[n - 1] == cause);
    if (n > 1)
        assert_int_equal(
            hale_graph_path(g, V(ref_of(from)), cause, HALE_GRAPH_DOWN, way, n - 1), 0);
    for (size_t k = 0, at = from; k < n; at = index_of(way[k]), k++) {
        unsigned to = index_of(way[k]);
        bool edge = false;
        for (unsigned j = 0; j < m->n_all[at]; j++)
            edge = edge || m->all[at][j] == to;
        for (unsigned j = 0; j < m->n_any[at]; j++)
            edge = edge || m->any[at][j] == to;
        assert_true(edge && !met[to] && to != from);
        assert_true(hale_vertex_out(way[k], HALE_GRAPH_DOWN) ||
                    hale_vertex_failed(way[k], HALE_GRAPH_DOWN));
        met[to] = true;
    }
}

static void compare(struct hale_graph *g, const struct model *m, const struct told *told)
{
    struct hale_vertex *list[N];
    unsigned present = 0;
    for (unsigned i = 0; i < N; i++)
        present += m->there[i];
    assert_int_equal(hale_graph_count(g), present);
    for (int plane = 0; plane < HALE_GRAPH_PLANES; plane++) {
        bool expected[N];
        model_out(m, plane, expected);
        for (unsigned i = 0; i < N; i++) {
            const struct hale_vertex *v = V(ref_of(i));
            enum hale_graph_plane p = (enum hale_graph_plane)plane;
            if (v == NULL) {
                assert_false(expected[i] || m->claims[i] > 0);
                continue;
            }
            assert_int_equal(hale_vertex_out(v, p), expected[i]);
            assert_int_equal(told->out[plane][i], expected[i]);
            assert_int_equal(hale_vertex_failed(v, p), model_failed(m, i, plane));
        }
    }
    for (unsigned i = 0; i < N; i++) {
        bool cause[N];
        unsigned n = model_causes(m, i, cause);
        if (V(ref_of(i)) == NULL)
            continue;
        assert_int_equal(hale_graph_causes(g, V(ref_of(i)), HALE_GRAPH_DOWN, list, N), n);
        for (unsigned k = 0; k < n; k++) {
            assert_true(cause[index_of(list[k])]);
            check_path(g, m, i, list[k]);
        }
    }
}

static void step(struct hale_graph *g, struct model *m)
{
    unsigned i = rnd(N);
    struct hale_vertex *v = V(ref_of(i));
    switch (rnd(6)) {
    case 0:
    case 1: random_put(g, m, i); break;
    case 2:
        assert_int_equal(hale_graph_delete(g, hale_str_from(ref_of(i))), m->there[i]);
        m->there[i] = m->down_state[i] = m->maintenance[i] = false;
        m->n_all[i] = m->n_any[i] = 0;
        break;
    case 3:
    case 4:
        if (v != NULL && m->claims[i] < 2) {
            m->claims[i]++;
            hale_graph_claim(g, v, HALE_GRAPH_DOWN);
        }
        break;
    default:
        if (m->claims[i] > 0) {
            m->claims[i]--;
            hale_graph_unclaim(g, v, HALE_GRAPH_DOWN);
        }
        break;
    }
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct hale_graph *g = hale_graph_new(N);
        struct model m = {0};
        struct told told = {0};
        rng = seed * 7919u;
        hale_graph_on_change(g, keep_told, &told);
        for (unsigned i = 0; i < 200; i++) {
            step(g, &m);
            compare(g, &m, &told);
        }
        hale_graph_free(g);
    }
}

/* Without memory a put changes nothing, whichever allocation it is that fails. */
static void test_no_memory(void **state)
{
    struct hale_graph *g = world(NULL);
    (void)state;
    claim(g, "switch/sw2");
    const char *json =
        "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"match\":[{\"k\":\"v\","
        "\"l\":\"w\"}],\"hosted_by\":[\"host/h9\",\"switch/sw2\"],"
        "\"connects\":[\"host/h8\"]}";
    json_t *o = json_loads(json, 0, NULL);
    struct hale_entity e;
    assert_int_equal(hale_entity_from_json(o, &e, NULL), HALE_OK);
    for (unsigned long n = 1;; n++) {
        fail_alloc_in = n;
        enum hale_rc rc = hale_graph_put(g, &e);
        bool unused = fail_alloc_in > 0;
        fail_alloc_in = 0;
        if (rc == HALE_OK) {
            assert_true(unused);
            break;
        }
        assert_int_equal(rc, HALE_E_NOMEM);
        assert_null(V("host/h9"));
        assert_null(V("host/h8"));
        assert_false(out(g, "vm/a"));
        assert_string_equal(about(g, "{\"vm\":\"a\"}"), "vm/a");
        assert_string_equal(about(g, "{\"k\":\"v\",\"l\":\"w\"}"), "");
    }
    assert_true(out(g, "vm/a"));
    assert_string_equal(about(g, "{\"k\":\"v\",\"l\":\"w\"}"), "vm/a");
    hale_entity_fini(&e);
    json_decref(o);
    hale_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down),        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_state),       cmocka_unit_test(test_edges_change),
        cmocka_unit_test(test_named),       cmocka_unit_test(test_cycle),
        cmocka_unit_test(test_walks),       cmocka_unit_test(test_match),
        cmocka_unit_test(test_match_empty), cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
