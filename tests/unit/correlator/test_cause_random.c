/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random topologies, alarms and orders: after every input the rows say what a slow reference of the rules
 * says, which knows no index and no past; and a correlator that is restarted or killed anywhere leaves
 * the same log and the same rows.
 */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "support/rounds.h"
#include "world.h"

#define N 10

static uint64_t rng;
static unsigned rnd(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

/* --- steps --------------------------------------------------------------------------- */

static char *text_of(unsigned i)
{
    static char text[4][8];
    static unsigned at;
    at = (at + 1) % 4;
    (void)snprintf(text[at], sizeof(text[at]), "%02u", i);
    return text[at];
}

static json_t *random_refs(unsigned self)
{
    bool used[N] = {false};
    json_t *list = json_array();
    char ref[16];
    for (unsigned n = rnd(3); n > 0; n--) {
        unsigned to = rnd(N);
        if (to == self || used[to])
            continue;
        used[to] = true;
        (void)snprintf(ref, sizeof(ref), "x/%s", text_of(to));
        json_array_append_new(list, json_string(ref));
    }
    return list;
}

static json_t *random_entity(void)
{
    static const char *const states[] = {"up", "down", "maintenance", "up", "up", "up"};
    unsigned i = rnd(N);
    json_t *o = json_pack("{s:s,s:s,s:s,s:o}", "type", "x", "id", text_of(i), "state",
                          states[rnd(6)], "hosted_by", random_refs(i));
    json_t *any = random_refs(i);
    if (json_array_size(any) > 0)
        json_object_set_new(
            o, "depends_on",
            json_pack("[{s:s,s:s,s:O}]", "group", "g", "mode", "any", "on", any));
    json_decref(any);
    return o;
}

static json_t *random_step(void)
{
    char ref[16];
    unsigned what = rnd(20), i = rnd(N);
    if (what < 3)
        return json_pack("{s:{s:[o]}}", "topology", "put", random_entity());
    if (what == 3) {
        (void)snprintf(ref, sizeof(ref), "x/%s", text_of(i));
        return json_pack("{s:{s:[s]}}", "topology", "delete", ref);
    }
    if (what < 12)
        return json_pack(
            "{s:{s:s,s:s,s:s,s:{s:s}}}", "event", "type", what % 2 == 0 ? "down" : "slow",
            "severity", what % 2 == 0 ? "CRITICAL" : "LOW", "status",
            rnd(2) == 0 ? "raise" : "clear", "dimensions", "x_id", text_of(i));
    if (what < 17)
        return json_pack("{s:{s:s,s:s,s:s,s:{s:s},s:[{s:s,s:{s:s}}]}}", "sub",
                         "definition_id", rnd(2) == 0 ? "alive" : "load", "kind",
                         rnd(3) == 0 ? "create" : "state", "state",
                         rnd(3) == 0   ? "OK"
                         : rnd(6) == 0 ? "UNDETERMINED"
                                       : "ALARM",
                         "group", "x_id", text_of(i), "metrics", "name", "m",
                         "dimensions", "x_id", text_of(i));
    return json_pack("{s:i}", "wait", (int)rnd(100000));
}

static void define(struct world *w, const char *id, const char *severity)
{
    json_t *o = json_pack("{s:s,s:s,s:[s],s:s}", "id", id, "expression", "avg(m, 30) > 0",
                          "match_by", "x_id", "severity", severity);
    assert_int_equal(world_define(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void give(struct world *w, const json_t *step)
{
    json_t *o = json_object_get(step, "topology");
    if (o != NULL)
        assert_int_equal(world_topology(w, o), HALE_OK);
    else if ((o = json_object_get(step, "event")) != NULL) {
        json_object_set_new(o, "time_ms", json_integer(w->ms));
        assert_int_equal(world_event(w, o), HALE_OK);
    } else if ((o = json_object_get(step, "sub")) != NULL) {
        json_object_set_new(o, "at_ms", json_integer(w->ms + 1));
        json_object_set_new(o, "window",
                            json_pack("{s:I,s:I}", "start_ms",
                                      (json_int_t)(w->ms - 30000), "end_ms",
                                      (json_int_t)w->ms));
        assert_int_equal(world_sub(w, o), HALE_OK);
    } else {
        assert_int_equal(world_idle(w), HALE_OK);
    }
}

/* --- the reference ------------------------------------------------------------------- */

struct ref_alarm {
    const char *id;
    int entity; /* -1: none */
    bool live, claims;
    int64_t onset_ms;
    const json_t *row;
};
struct ref {
    bool there[N], maintenance[N], down_state[N];
    unsigned n_all[N], n_any[N], all[N][2], any[N][2];
    unsigned n;
    struct ref_alarm alarms[4 * N];
    json_t *rows; /* owned */
};

static unsigned index_of(const char *ref)
{
    uint64_t i = N;
    assert_int_equal(hale_str_u64(hale_str_from(ref), &i), HALE_OK);
    assert_true(i < N);
    return (unsigned)i;
}

static unsigned refs_of(const json_t *list, unsigned *out)
{
    size_t i;
    const json_t *v;
    json_array_foreach (list, i, v)
        out[i] = index_of(json_string_value(v) + 2);
    return (unsigned)json_array_size(list);
}

static void read_entities(const struct world *w, struct ref *r)
{
    const char *field;
    json_t *v;
    json_object_foreach (w->tables[CORRELATOR_ENTITIES], field, v) {
        json_t *e = json_loads(json_string_value(v), 0, NULL);
        if (json_object_get(e, "type") != NULL) {
            unsigned i = index_of(json_string_value(json_object_get(e, "id")));
            const char *s = json_string_value(json_object_get(e, "state"));
            r->there[i] = true;
            r->maintenance[i] = s != NULL && strcmp(s, "maintenance") == 0;
            r->down_state[i] = s != NULL && strcmp(s, "down") == 0;
            r->n_all[i] = refs_of(json_object_get(e, "hosted_by"), r->all[i]);
            r->n_any[i] =
                refs_of(json_object_get(
                            json_array_get(json_object_get(e, "depends_on"), 0), "on"),
                        r->any[i]);
        }
        json_decref(e);
    }
}

static const char *text(const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));
    return v != NULL ? v : "";
}

static void read_alarms(const struct world *w, struct ref *r)
{
    const char *id;
    json_t *v;
    json_object_foreach (w->tables[CORRELATOR_ALARMS], id, v) {
        json_t *row = json_loads(json_string_value(v), 0, NULL);
        const json_t *life = json_object_get(row, "life");
        assert_true(r->n < 4 * N);
        struct ref_alarm *a = &r->alarms[r->n++];
        json_object_set_new(r->rows, id, row);
        unsigned i = index_of(text(json_object_get(row, "group"), "x_id"));
        bool alarm = strcmp(text(row, "state"), "ALARM") == 0;
        a->id = text(row, "id");
        a->row = row;
        a->entity = r->there[i] ? (int)i : -1;
        a->live = alarm || (strcmp(text(row, "state"), "UNDETERMINED") == 0 &&
                            json_integer_value(json_object_get(life, "onset_ms")) != 0);
        a->claims =
            alarm && a->entity >= 0 && strcmp(text(row, "severity"), "CRITICAL") == 0;
        a->onset_ms = json_integer_value(json_object_get(life, "onset_ms"));
        if (a->onset_ms == 0)
            a->onset_ms = json_integer_value(json_object_get(row, "state_updated_ms"));
        /* the entity that it says it is about */
        assert_string_equal(text(json_object_get(life, "entity"), "id"),
                            a->entity >= 0 ? text_of(i) : "");
    }
}

/* Who is failed in the plane. */
static void failed_in(const struct ref *r, bool maintenance, bool *failed)
{
    for (unsigned i = 0; i < N; i++)
        failed[i] = r->there[i] && (maintenance ? r->maintenance[i] : r->down_state[i]);
    for (unsigned k = 0; k < r->n && !maintenance; k++) {
        if (r->alarms[k].claims)
            failed[r->alarms[k].entity] = true;
    }
}

static bool any_bad(const struct ref *r, unsigned i, const bool *down)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < r->n_any[i]; k++)
        bad += down[r->any[i][k]];
    return r->n_any[i] > 0 && bad == r->n_any[i];
}

static bool is_out(const struct ref *r, unsigned i, const bool *down)
{
    bool bad = any_bad(r, i, down);
    for (unsigned k = 0; k < r->n_all[i]; k++)
        bad |= down[r->all[i][k]];
    return bad;
}

/* The failed ones by which i is out. */
static void causes_of(const struct ref *r, bool maintenance, unsigned i, bool *cause)
{
    bool failed[N], down[N], met[N] = {false};
    failed_in(r, maintenance, failed);
    memcpy(down, failed, sizeof(down));
    for (bool again = true; again;) {
        again = false;
        for (unsigned k = 0; k < N; k++) {
            if (r->there[k] && !down[k] && is_out(r, k, down))
                down[k] = again = true;
        }
    }
    unsigned list[N + 1], n = 1;
    list[0] = i;
    met[i] = true;
    memset(cause, 0, N * sizeof(bool));
    for (unsigned k = 0; k < n; k++) {
        unsigned at = list[k];
        unsigned m = r->n_all[at] + (any_bad(r, at, down) ? r->n_any[at] : 0);
        for (unsigned j = 0; r->there[at] && j < m; j++) {
            unsigned to = j < r->n_all[at] ? r->all[at][j] : r->any[at][j - r->n_all[at]];
            if (!down[to] || met[to])
                continue;
            met[to] = true;
            list[n++] = to;
            cause[to] = failed[to];
        }
    }
}

static bool ref_earlier(const struct ref_alarm *a, const struct ref_alarm *b)
{
    return a->onset_ms != b->onset_ms ? a->onset_ms < b->onset_ms
                                      : strcmp(a->id, b->id) < 0;
}

/* Is c one of those that explain a, root or not? */
static bool ref_explains(const struct world *w, const struct ref *r,
                         const struct ref_alarm *c, const struct ref_alarm *a)
{
    bool up[N], back[N];
    if (c == a || !c->claims || a->entity < 0 ||
        c->onset_ms - a->onset_ms > w->limits.cause_window_ms)
        return false;
    if (c->entity == a->entity)
        return !a->claims;
    causes_of(r, false, (unsigned)a->entity, up);
    if (!up[c->entity])
        return false;
    causes_of(r, false, (unsigned)c->entity, back);
    return !a->claims || !back[a->entity] || ref_earlier(c, a);
}

static bool ref_root_of(const struct world *w, const struct ref *r,
                        const struct ref_alarm *c, const struct ref_alarm *a)
{
    if (!ref_explains(w, r, c, a))
        return false;
    for (unsigned k = 0; k < r->n; k++) {
        const struct ref_alarm *other = &r->alarms[k];
        if (other != c && other->entity != c->entity && ref_explains(w, r, other, a) &&
            ref_explains(w, r, other, c))
            return false;
    }
    return true;
}

static bool has_mute(const json_t *row, const char *kind, const char *id, bool lasting)
{
    size_t i;
    const json_t *m;
    json_array_foreach (json_object_get(json_object_get(row, "life"), "suppressed_by"), i,
                        m) {
        if (strcmp(text(m, "kind"), kind) == 0 && strcmp(text(m, "id"), id) == 0)
            return !lasting || json_object_get(m, "until_ms") == NULL;
    }
    return false;
}

static void check_maintenance(const struct ref *r, const struct ref_alarm *a)
{
    bool cause[N] = {false};
    char id[32];
    if (a->entity >= 0 && a->live) {
        causes_of(r, true, (unsigned)a->entity, cause);
        cause[a->entity] = r->maintenance[a->entity];
    }
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(id, sizeof(id), "entity:x/%s", text_of(i));
        assert_int_equal(has_mute(a->row, "maintenance", id, true), cause[i]);
    }
}

static void check_symptoms(const struct ref *r, const struct ref_alarm *c)
{
    size_t n = 0, i;
    const json_t *life = json_object_get(c->row, "life"), *v;
    for (unsigned k = 0; k < r->n; k++) {
        const json_t *l = json_object_get(r->alarms[k].row, "life");
        if (json_integer_value(json_object_get(l, "caused_ms")) <
            json_integer_value(json_object_get(life, "onset_ms")))
            continue;
        json_array_foreach (json_object_get(l, "causes"), i, v)
            n += strcmp(json_string_value(v), c->id) == 0;
    }
    assert_int_equal(json_integer_value(json_object_get(life, "symptoms")), n);
    assert_int_equal(json_array_size(json_object_get(life, "correlated")), n);
    assert_int_equal(json_is_true(json_object_get(life, "root_cause")),
                     n > 0 && json_array_size(json_object_get(life, "causes")) == 0);
}

static void check(const struct world *w)
{
    struct ref *r = calloc(1, sizeof(*r));
    r->rows = json_object();
    read_entities(w, r);
    read_alarms(w, r);
    for (unsigned k = 0; k < r->n; k++) {
        const struct ref_alarm *a = &r->alarms[k];
        unsigned n = 0;
        for (unsigned j = 0; j < r->n; j++) {
            bool root = a->live && ref_root_of(w, r, &r->alarms[j], a);
            assert_int_equal(has_mute(a->row, "cause", r->alarms[j].id, true), root);
            n += root;
        }
        if (n > 0)
            assert_int_equal(json_array_size(json_object_get(
                                 json_object_get(a->row, "life"), "causes")),
                             n);
        check_maintenance(r, a);
        check_symptoms(r, a);
    }
    json_decref(r->rows);
    free(r);
}

/* Who is told of an ALARM hears of it once, of an alarm that nothing mutes, and of its end. */
static void check_ledger(const struct world *w)
{
    json_t *last = json_object();
    size_t i;
    const json_t *r;
    json_array_foreach (w->log, i, r) {
        const json_t *a = json_object_get(r, "alarm"),
                     *v = json_object_get(r, "announce");
        bool told =
            v != NULL ? json_is_true(v) : strcmp(text(r, "kind"), "transition") == 0;
        if (!told)
            continue;
        assert_string_not_equal(text(last, text(a, "id")), text(a, "state"));
        if (strcmp(text(a, "state"), "ALARM") == 0)
            assert_int_equal(json_array_size(json_object_get(json_object_get(a, "life"),
                                                             "suppressed_by")),
                             0);
        json_object_set(last, text(a, "id"), json_object_get(a, "state"));
    }
    json_decref(last);
}

/* --- ways ---------------------------------------------------------------------------- */

enum way { PLAIN, RESTARTS, KILLS };

static void play(struct world *w, const json_t *steps, enum way way, uint64_t seed)
{
    size_t i;
    const json_t *step;
    world_init(w);
    w->limits.cause_window_ms = 150000;
    world_restart(w);
    define(w, "alive", "CRITICAL");
    define(w, "load", "MEDIUM");
    rng = seed;
    json_array_foreach (steps, i, step) {
        w->ms += json_integer_value(json_object_get(step, "wait"));
        if (way == KILLS)
            w->cut_at = rnd(4);
        give(w, step);
        w->cut_at = 0;
        if (w->cut[0] != NULL) {
            world_restart_at_cut(w);
            give(w, step);
        }
        world_flush(w);
        if (way == PLAIN)
            check(w);
        else if (rnd(3) == 0)
            world_restart(w);
    }
    /* an input that has nothing to do: what a killed one left is done by now */
    assert_int_equal(world_idle(w), HALE_OK);
    world_flush(w);
}

static void same(const struct world *a, const struct world *b, unsigned long seed)
{
    for (size_t i = 0; i < json_array_size(a->log); i++) {
        if (json_equal(json_array_get(a->log, i), json_array_get(b->log, i)))
            continue;
        char *x = json_dumps(json_array_get(a->log, i), JSON_SORT_KEYS);
        char *y = json_dumps(json_array_get(b->log, i), JSON_SORT_KEYS | JSON_ENCODE_ANY);
        fail_msg("seed %lu, record %zu:\n%s\n%s", seed, i, x, y);
    }
    assert_int_equal(json_array_size(a->log), json_array_size(b->log));
    const char *field;
    json_t *row;
    for (unsigned t = 0; t < 3; t++) {
        json_object_foreach (a->tables[t], field, row) {
            const char *other = json_string_value(json_object_get(b->tables[t], field));
            if (other == NULL || strcmp(other, json_string_value(row)) != 0)
                fail_msg("seed %lu, row %s:\n%.1500s\n%.1500s", seed, field,
                         json_string_value(row), other != NULL ? other : "none");
        }
        assert_int_equal(json_object_size(a->tables[t]), json_object_size(b->tables[t]));
    }
}

static void test_random(void **state)
{
    (void)state;
    const uint64_t n = rounds(15);
    for (unsigned long seed = 1; seed <= n; seed++) {
        struct world plain, other;
        rng = seed * 104729u;
        json_t *steps = json_array();
        for (unsigned i = 0; i < 150; i++)
            json_array_append_new(steps, random_step());
        play(&plain, steps, PLAIN, seed);
        check_ledger(&plain);
        for (enum way way = RESTARTS; way <= KILLS; way++) {
            play(&other, steps, way, seed);
            same(&plain, &other, seed);
            world_fini(&other);
        }
        world_fini(&plain);
        json_decref(steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
