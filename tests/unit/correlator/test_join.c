/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_join - the engine against a slow reference on random histories: three sub-expressions,
 * match_by of three keys with two values each, groups with any of the keys. The reference has no
 * nodes and no order: after each record it looks at all 27 groups and asks the definition of an
 * alarm. The engine restarts, and flushes, at random points.
 */
#include "support/cmocka.h"

#include <stdio.h>

#include "world.h"

#define KEYS   3
#define GROUPS 27 /* each key: absent, "1" or "2" */
#define SUBS   3
#define STEPS  400
#define RUNS   120

static const char *const key_names[KEYS] = {"a", "b", "c"};

struct ref_sub {
    bool exists, reported;
    enum hale_state state;
};
struct ref_alarm {
    bool exists;
    enum hale_state state;
};
struct ref {
    struct ref_sub sub[SUBS][GROUPS];
    struct ref_alarm alarm[GROUPS];
    unsigned variant; /* of the expression */
};

static const char *const expressions[] = {
    "max(x) > 1 and max(y) > 1 or max(z) > 1",
    "max(x) > 1 and (max(y) > 1 or last(z) > 1)",
};

/* --- groups as numbers in base 3 ----------------------------------------------------- */

static unsigned digit(unsigned g, unsigned k)
{
    while (k-- > 0)
        g /= 3;
    return g % 3;
}

static unsigned size(unsigned g)
{
    unsigned n = 0;
    for (unsigned k = 0; k < KEYS; k++)
        n += digit(g, k) != 0;
    return n;
}

static bool part_of(unsigned inner, unsigned outer)
{
    for (unsigned k = 0; k < KEYS; k++) {
        if (digit(inner, k) != 0 && digit(inner, k) != digit(outer, k))
            return false;
    }
    return true;
}

static bool share_key(unsigned g, unsigned h)
{
    for (unsigned k = 0; k < KEYS; k++) {
        if (digit(g, k) != 0 && digit(h, k) != 0)
            return true;
    }
    return false;
}

static json_t *group_json(unsigned g)
{
    json_t *o = json_object();
    for (unsigned k = KEYS; k-- > 0;) { /* not in the canonical order */
        if (digit(g, k) != 0)
            json_object_set_new(o, key_names[k],
                                json_string(digit(g, k) == 1 ? "1" : "2"));
    }
    return o;
}

static int text_cmp(unsigned g, unsigned h)
{
    static char *texts[GROUPS]; /* made once: the reference asks often */
    for (unsigned i = 0; texts[GROUPS - 1] == NULL && i < GROUPS; i++) {
        json_t *o = group_json(i);
        texts[i] = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT);
        json_decref(o);
    }
    return strcmp(texts[g], texts[h]);
}

/* --- the reference ------------------------------------------------------------------- */

/* The sub-alarm of sub-expression s that group g uses; GROUPS when there is none. */
static unsigned use(const struct ref *r, unsigned s, unsigned g)
{
    unsigned best = GROUPS;
    for (unsigned h = 0; h < GROUPS; h++) {
        if (!r->sub[s][h].exists || !part_of(h, g))
            continue;
        if (best == GROUPS || size(h) > size(best) ||
            (size(h) == size(best) && text_cmp(h, best) < 0))
            best = h;
    }
    return best;
}

/* All sub-expressions have a sub-alarm, together they name exactly g, and those that name
 * anything hang together by shared keys. */
static bool can_exist(const struct ref *r, unsigned g)
{
    unsigned used[SUBS];
    bool reached[SUBS] = {false};
    for (unsigned s = 0; s < SUBS; s++) {
        used[s] = use(r, s, g);
        if (used[s] == GROUPS)
            return false;
    }
    for (unsigned k = 0; k < KEYS; k++) {
        bool named = false;
        for (unsigned s = 0; s < SUBS; s++)
            named = named || digit(used[s], k) != 0;
        if (named != (digit(g, k) != 0))
            return false;
    }
    unsigned start = 0;
    while (start < SUBS && used[start] == 0)
        start++;
    if (start == SUBS)
        return true;
    reached[start] = true;
    for (unsigned round = 0; round < SUBS; round++) {
        for (unsigned s = 0; s < SUBS; s++) {
            for (unsigned t = 0; t < SUBS; t++)
                reached[s] = reached[s] || (reached[t] && share_key(used[s], used[t]));
        }
    }
    for (unsigned s = 0; s < SUBS; s++) {
        if (used[s] != 0 && !reached[s])
            return false;
    }
    return true;
}

static enum hale_state kleene(const struct ref *r, const enum hale_state *s)
{
#define AND(p, q) ((p) < (q) ? (p) : (q))
#define OR(p, q)  ((p) > (q) ? (p) : (q))
    return r->variant == 0 ? OR(AND(s[0], s[1]), s[2]) : AND(s[0], OR(s[1], s[2]));
}

static bool evaluable(const struct ref *r, unsigned g, enum hale_state *to)
{
    enum hale_state states[SUBS];
    for (unsigned s = 0; s < SUBS; s++) {
        unsigned h = use(r, s, g);
        if (h == GROUPS)
            return false;
        bool last = r->variant == 1 && s == 2;
        if (!r->sub[s][h].reported && !last)
            return false;
        states[s] = r->sub[s][h].state;
    }
    *to = kleene(r, states);
    return true;
}

static void expect(json_t *want, const char *kind, unsigned g, enum hale_state from,
                   enum hale_state to)
{
    json_array_append_new(want,
                          json_pack("{s:s,s:o,s:s,s:s}", "kind", kind, "group",
                                    group_json(g), "old_state", hale_state_text(from),
                                    "state", hale_state_text(to)));
}

/* A record about sub-alarm (s, h): groups in the order of their texts. */
static void touch(struct ref *r, unsigned s, unsigned h, json_t *want)
{
    unsigned order[GROUPS];
    for (unsigned g = 0; g < GROUPS; g++) {
        unsigned i = g;
        for (; i > 0 && text_cmp(g, order[i - 1]) < 0; i--)
            order[i] = order[i - 1];
        order[i] = g;
    }
    for (unsigned i = 0; i < GROUPS; i++) {
        unsigned g = order[i];
        enum hale_state to;
        struct ref_alarm *a = &r->alarm[g];
        if (use(r, s, g) != h)
            continue;
        if (!a->exists && can_exist(r, g)) {
            *a = (struct ref_alarm){true, HALE_STATE_UNDETERMINED};
            expect(want, "created", g, a->state, a->state);
        }
        if (a->exists && evaluable(r, g, &to) && to != a->state) {
            expect(want, "transition", g, a->state, to);
            a->state = to;
        }
    }
}

static void ref_delete(struct ref *r, unsigned g, json_t *want)
{
    expect(want, "deleted", g, r->alarm[g].state, r->alarm[g].state);
    r->alarm[g].exists = false;
    for (unsigned s = 0; s < SUBS; s++) {
        bool used = false;
        for (unsigned other = 0; other < GROUPS; other++)
            used = used || (r->alarm[other].exists && use(r, s, other) == g);
        if (!used)
            r->sub[s][g].exists = false;
    }
}

/* --- one random history -------------------------------------------------------------- */

static uint64_t rng_state;

static unsigned rnd(unsigned n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (unsigned)((rng_state >> 11) % n);
}

static void step_record(struct world *w, struct ref *r, json_t *want, unsigned density)
{
    static const char *const kinds[] = {"create", "metric", "state"};
    unsigned s = rnd(SUBS), g = rnd(density), kind = rnd(10);
    kind = kind < 3 ? 0 : kind < 4 ? 1 : 2;
    enum hale_state state = kind == 0 ? HALE_STATE_UNDETERMINED : (enum hale_state)rnd(3);
    json_t *rec = json_pack("{s:s,s:s,s:i,s:o,s:s,s:[{s:s,s:{s:i}}]}", "definition_id",
                            "d", "kind", kinds[kind], "sub", (int)s, "group",
                            group_json(g), "state", hale_state_text(state), "metrics",
                            "name", "m", "dimensions", "n", (int)rnd(1));
    json_object_del(rec, "metrics");
    assert_int_equal(world_sub(w, rec), HALE_OK);
    json_decref(rec);

    struct ref_sub *sub = &r->sub[s][g];
    if (!sub->exists && kind != 0)
        return;
    if (kind != 1) {
        sub->exists = true;
        sub->state = state;
        sub->reported = kind == 2;
    }
    touch(r, s, g, want);
}

static char *alarm_id_of(const struct world *w, unsigned g)
{
    const char *id;
    json_t *row, *group = group_json(g);
    char *found = NULL;
    json_object_foreach (w->tables[CORRELATOR_ALARMS], id, row) {
        json_t *a = json_loads(json_string_value(row), 0, NULL);
        if (json_equal(json_object_get(a, "group"), group))
            found = strdup(id);
        json_decref(a);
        if (found != NULL)
            break;
    }
    json_decref(group);
    return found;
}

static void step_delete(struct world *w, struct ref *r, json_t *want)
{
    unsigned g = rnd(GROUPS);
    if (!r->alarm[g].exists)
        return;
    char *id = alarm_id_of(w, g);
    assert_non_null(id);
    json_t *c = json_pack("{s:s,s:s,s:o}", "op", "alarm-delete", "id", id, "group",
                          group_json(g));
    assert_int_equal(world_control(w, c), HALE_OK);
    json_decref(c);
    free(id);
    ref_delete(r, g, want);
}

static void compare(const struct world *w, size_t before, const json_t *want,
                    uint64_t seed, unsigned step)
{
    size_t n = json_array_size(w->log) - before;
    bool same = n == json_array_size(want);
    for (size_t i = 0; same && i < n; i++) {
        json_t *row = json_array_get(w->log, before + i), *x = json_array_get(want, i);
        json_t *a = json_object_get(row, "alarm");
        same = json_equal(json_object_get(row, "kind"), json_object_get(x, "kind")) &&
               json_equal(json_object_get(row, "old_state"),
                          json_object_get(x, "old_state")) &&
               json_equal(json_object_get(a, "state"), json_object_get(x, "state")) &&
               json_equal(json_object_get(a, "group"), json_object_get(x, "group"));
    }
    if (same)
        return;
    char *text = json_dumps(want, JSON_SORT_KEYS);
    for (size_t i = 0; i < n; i++) {
        char *got = json_dumps(json_array_get(w->log, before + i), JSON_SORT_KEYS);
        fprintf(stderr, "got  %s\n", got);
        free(got);
    }
    fprintf(stderr, "want %s\n", text);
    free(text);
    fail_msg("seed %" PRIu64 ", step %u", seed, step);
}

static void history(uint64_t seed)
{
    struct world w;
    struct ref r;
    memset(&r, 0, sizeof(r));
    rng_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (unsigned i = 0; i < 8; i++)
        (void)rnd(2);
    r.variant = rnd(2);
    unsigned density = rnd(3) == 0 ? GROUPS : 9 + rnd(18);
    world_init(&w);
    json_t *d = json_pack("{s:s,s:s,s:[s,s,s]}", "id", "d", "expression",
                          expressions[r.variant], "match_by", "c", "a", "b");
    assert_int_equal(world_define(&w, d), HALE_OK);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t before = json_array_size(w.log);
        json_t *want = json_array();
        w.checkpoint_flushes = rnd(4) == 0;
        if (rnd(25) == 0)
            step_delete(&w, &r, want);
        else
            step_record(&w, &r, want, density);
        world_flush(&w);
        if (rnd(20) == 0)
            world_restart(&w);
        compare(&w, before, want, seed, i);
        json_decref(want);
    }
    json_decref(d);
    world_fini(&w);
}

static void test_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        history(seed);
}

static unsigned pick_group(unsigned keys)
{
    unsigned g = 0;
    for (unsigned k = KEYS; k-- > 0;)
        g = 3 * g + ((keys >> k & 1) != 0 ? 1 + rnd(2) : 0);
    return g;
}

/* The same records in another order: the same alarms in the end, in the same states. The key
 * sets of one sub-expression are nested (see correlator/join.c). */
static void test_order_of_arrival(void **state)
{
    (void)state;
    size_t alarms = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        json_t *first = NULL;
        unsigned groups[12], subs[12], states[12];
        rng_state = seed * 7919;
        unsigned wide[SUBS],
            narrow[SUBS]; /* keys of a sub-expression's series, as bits */
        for (unsigned s = 0; s < SUBS; s++) {
            wide[s] = rnd(8);
            narrow[s] = wide[s] & rnd(8);
        }
        for (unsigned i = 0; i < 12; i++) {
            subs[i] = rnd(SUBS);
            groups[i] = pick_group(rnd(2) ? wide[subs[i]] : narrow[subs[i]]);
            states[i] = rnd(3);
            for (unsigned k = 0; k < i; k++) { /* one state per sub-alarm */
                if (groups[k] == groups[i] && subs[k] == subs[i])
                    states[i] = states[k];
            }
        }
        for (unsigned turn = 0; turn < 10; turn++) {
            struct world w;
            world_init(&w);
            json_t *d = json_pack("{s:s,s:s,s:[s,s,s]}", "id", "d", "expression",
                                  expressions[0], "match_by", "a", "b", "c");
            assert_int_equal(world_define(&w, d), HALE_OK);
            json_decref(d);
            unsigned order[12];
            for (unsigned i = 0; i < 12; i++) {
                unsigned j = rnd(i + 1);
                order[i] = order[j];
                order[j] = i;
            }
            /* Births at the records, so all come once more to touch every group. */
            for (unsigned pass = 0; pass < 2; pass++) {
                for (unsigned i = 0; i < 12; i++) {
                    unsigned x = order[i];
                    json_t *rec =
                        json_pack("{s:s,s:s,s:i,s:o,s:s}", "definition_id", "d", "kind",
                                  pass == 0 ? "create" : "state", "sub", (int)subs[x],
                                  "group", group_json(groups[x]), "state",
                                  hale_state_text((enum hale_state)states[x]));
                    assert_int_equal(world_sub(&w, rec), HALE_OK);
                    json_decref(rec);
                }
            }
            world_flush(&w);
            json_t *end = json_object(), *row;
            const char *id;
            json_object_foreach (w.tables[CORRELATOR_ALARMS], id, row) {
                json_t *a = json_loads(json_string_value(row), 0, NULL);
                char *key = json_dumps(json_object_get(a, "group"),
                                       JSON_SORT_KEYS | JSON_COMPACT);
                json_object_set(end, key, json_object_get(a, "state"));
                free(key);
                json_decref(a);
            }
            if (first == NULL)
                first = json_incref(end);
            alarms += json_object_size(end);
            assert_true(json_equal(first, end));
            json_decref(end);
            world_fini(&w);
        }
        json_decref(first);
    }
    assert_true(alarms > 200);
}

/* --- random fault events against a reference of three variables ---------------------- */

static void test_random_events(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world w;
        struct {
            bool exists, raised;
            int64_t changed;
            unsigned severity, details;
        } ref[4];
        memset(ref, 0, sizeof(ref));
        rng_state = seed * 104729;
        world_init(&w);
        for (unsigned i = 0; i < 300; i++) {
            static const char *const severities[] = {"LOW", "CRITICAL"};
            static const char *const names[] = {"0", "1", "2", "3"};
            unsigned h = rnd(4), severity = rnd(2), details = rnd(2);
            bool clear = rnd(3) == 0;
            int64_t t = (int64_t)i - (rnd(4) == 0 ? 20 : 0);
            size_t before = json_array_size(w.log), want = 0;
            if (!ref[h].exists && !clear)
                want = 2;
            else if (ref[h].exists && t >= ref[h].changed &&
                     (clear != !ref[h].raised ||
                      (!clear &&
                       (severity != ref[h].severity || details != ref[h].details))))
                want = 1;
            if (ref[h].exists && t >= ref[h].changed && clear && !ref[h].raised)
                want = 0;
            if (want > 0) {
                ref[h].exists = true;
                ref[h].raised = !clear;
                ref[h].changed = t;
                ref[h].details = details;
                if (!clear)
                    ref[h].severity = severity;
            }
            json_t *ev = json_pack("{s:I,s:s,s:s,s:{s:s},s:{s:i}}", "time_ms",
                                   (json_int_t)t, "severity", severities[severity],
                                   "status", clear ? "clear" : "raise", "dimensions", "h",
                                   names[h], "details", "d", (int)details);
            w.ms += 10000; /* the ration is another test's business */
            assert_int_equal(world_event(&w, ev), HALE_OK);
            json_decref(ev);
            world_flush(&w);
            if (rnd(10) == 0)
                world_restart(&w);
            if (json_array_size(w.log) - before != want)
                fail_msg("seed %" PRIu64 " step %u: %zu records, not %zu", seed, i,
                         json_array_size(w.log) - before, want);
            if (want > 0) {
                json_t *last = json_array_get(w.log, json_array_size(w.log) - 1);
                assert_string_equal(json_string_value(json_object_get(
                                        json_object_get(last, "alarm"), "state")),
                                    ref[h].raised ? "ALARM" : "OK");
            }
        }
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories),
        cmocka_unit_test(test_order_of_arrival),
        cmocka_unit_test(test_random_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
