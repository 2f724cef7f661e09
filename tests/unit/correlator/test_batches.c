/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_batches - the same history cut into batches in several ways, with restarts, and killed in the
 * middle of inputs that are repeated then: always the same log and the same rows, to the letter.
 */
#include "support/cmocka.h"

#include <stdio.h>

#include "support/rounds.h"
#include "world.h"

enum way { ONE_BATCH, EACH_INPUT, EACH_CHECKPOINT, RESTARTS, KILLS, WAYS };
static const char *const way_names[WAYS] = {"one batch", "a batch per input",
                                            "a batch per checkpoint", "restarts",
                                            "kills within inputs"};

static uint64_t rnd_of(uint64_t *state, uint64_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % n;
}

static uint64_t seed_of(uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (unsigned i = 0; i < 8; i++)
        (void)rnd_of(&state, 2);
    return state;
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *v = json_loads(text, 0, &error);
    if (v == NULL)
        fail_msg("%s in %s", error.text, text);
    return v;
}

/* --- playing ------------------------------------------------------------------------- */

static void give(struct world *w, const json_t *step)
{
    const json_t *v;
    enum hale_rc rc = HALE_E_INVAL;
    if ((v = json_object_get(step, "define")) != NULL)
        rc = world_define(w, v);
    else if ((v = json_object_get(step, "undefine")) != NULL)
        rc = world_undefine(w, json_string_value(v));
    else if ((v = json_object_get(step, "sub")) != NULL)
        rc = world_sub(w, v);
    else if ((v = json_object_get(step, "event")) != NULL)
        rc = world_event(w, v);
    else if ((v = json_object_get(step, "control")) != NULL)
        rc = world_control(w, v);
    else if (json_object_get(step, "idle") != NULL)
        rc = world_idle(w);
    assert_int_equal(rc, HALE_OK);
}

static void play(struct world *w, const json_t *steps, enum way way, uint64_t seed)
{
    uint64_t rng = seed_of(seed + 1000);
    size_t i;
    json_t *step;
    world_init(w);
    w->checkpoint_flushes = way == EACH_CHECKPOINT;
    json_array_foreach (steps, i, step) {
        /* Not in a deletion: the rest is buried while loading, without order or evidence. */
        if (way == KILLS && json_object_get(step, "undefine") == NULL)
            w->cut_at = (unsigned)rnd_of(&rng, 4);
        give(w, step);
        w->cut_at = 0;
        if (w->cut[0] != NULL) {
            world_restart_at_cut(w);
            give(w, step);
        }
        if (way == EACH_INPUT || (way > EACH_INPUT && rnd_of(&rng, 3) == 0))
            world_flush(w);
        if (way == RESTARTS && rnd_of(&rng, 10) == 0) {
            world_flush(w);
            world_restart(w);
        }
    }
    world_flush(w);
}

static bool differ(const char *what, const json_t *want, const json_t *got)
{
    if (json_equal(want, got))
        return false;
    char *a = want != NULL ? json_dumps(want, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    char *b = got != NULL ? json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    fprintf(stderr, "%s:\n  want %s\n  got  %s\n", what, a != NULL ? a : "nothing",
            b != NULL ? b : "nothing");
    free(a);
    free(b);
    return true;
}

/* The first difference only: others follow from it. */
static bool same_world(const struct world *want, const struct world *got)
{
    const char *field;
    json_t *value;
    size_t i;
    json_array_foreach (want->log, i, value) {
        if (differ("log", value, json_array_get(got->log, i)))
            return false;
    }
    if (json_array_size(got->log) != json_array_size(want->log))
        return !differ("log", NULL, json_array_get(got->log, i));
    for (unsigned t = 0; t < 2; t++) {
        json_object_foreach (want->tables[t], field, value) {
            if (differ(field, value, json_object_get(got->tables[t], field)))
                return false;
        }
        json_object_foreach (got->tables[t], field, value) {
            if (json_object_get(want->tables[t], field) == NULL)
                return !differ(field, NULL, value);
        }
    }
    return true;
}

static void same_in_every_way(const json_t *steps, uint64_t seed)
{
    struct world one, other;
    play(&one, steps, ONE_BATCH, seed);
    for (enum way way = EACH_INPUT; way < WAYS; way++) {
        play(&other, steps, way, seed);
        bool same = same_world(&one, &other);
        world_fini(&other);
        if (!same)
            fail_msg("%s differ from one batch, seed %" PRIu64, way_names[way], seed);
    }
    world_fini(&one);
}

/* --- the cases that were wrong once -------------------------------------------------- */

#define X(n) "\"metrics\":[{\"name\":\"x\",\"dimensions\":{\"n\":\"" n "\"}}]"
#define SUB(kind, sub, group, more)                                                      \
    "{\"sub\":{\"definition_id\":\"d\",\"kind\":\"" kind "\",\"sub\":" sub               \
    ",\"group\":" group "," more "}}"
#define DEFINE(match_by)                                                                 \
    "{\"define\":{\"id\":\"d\",\"expression\":\"max(x) > 1 and avg(x) > 0\","            \
    "\"match_by\":[" match_by "]}}"

static void test_known_cases(void **state)
{
    (void)state;
    static const char *const cases[] = {
        /* A series that sub 1 shows joins sub 0: no news, but it moves to the front. */
        "[" DEFINE("") "," SUB("create", "0", "{}", X("1")) "," SUB(
            "create", "1", "{}", X("2")) "," SUB("metric", "1", "{}",
                                                 X("3")) "," SUB("metric", "0", "{}",
                                                                 X("3")) "]",
        /* A sub-alarm without series takes the place of one that has some. */
        "[" DEFINE("\"h\"") "," SUB("create", "0", "{}", X("1")) "," SUB(
            "create", "1", "{\"h\":\"1\"}",
            X("2")) "," SUB("create", "0", "{\"h\":\"1\"}", "\"metrics\":[]") "]",
        /* A report that changes the state of no alarm. */
        "[" DEFINE("") "," SUB("create", "0", "{}", X("1")) "," SUB(
            "create", "1", "{}",
            X("2")) "," SUB("state", "0", "{}",
                            "\"state\":\"ALARM\",\"values\":[2]") "," SUB("state", "1",
                                                                          "{}",
                                                                          "\"state\":"
                                                                          "\"OK\"") "]",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *steps = parse(cases[i]);
        same_in_every_way(steps, i);
        json_decref(steps);
    }
}

/* A series joins a sub-alarm that three alarms share; killed after the first, second and third. */
static void test_killed_while_a_series_joins(void **state)
{
    (void)state;
    json_t *steps = parse("[" DEFINE("\"h\"") "," SUB("create", "0", "{}", X("1")) "]");
    json_t *join = parse(SUB("metric", "0", "{}", X("2")));
    struct world plain, cut;
    for (unsigned h = 1; h <= 3; h++) {
        json_t *step = parse(SUB("create", "1", "{\"h\":\"?\"}", X("3")));
        json_t *group = json_object_get(json_object_get(step, "sub"), "group");
        json_object_set_new(group, "h", json_sprintf("%u", h));
        json_array_append_new(steps, step);
    }
    play(&plain, steps, EACH_INPUT, 1);
    size_t before = json_array_size(plain.log);
    give(&plain, join);
    world_flush(&plain);
    assert_int_equal(json_array_size(plain.log), before + 3);
    for (unsigned at = 1; at <= 3; at++) {
        play(&cut, steps, EACH_INPUT, 1);
        cut.cut_at = at;
        give(&cut, join);
        assert_non_null(cut.cut[0]);
        world_restart_at_cut(&cut);
        assert_int_equal(json_array_size(cut.log), before + at);
        give(&cut, join);
        world_flush(&cut);
        assert_true(same_world(&plain, &cut));
        world_fini(&cut);
    }
    world_fini(&plain);
    json_decref(steps);
    json_decref(join);
}

/* Two alarms end in one input, and neither was written before: at the checkpoint between them the
 * second one's row must still say when it ends. */
static void test_killed_between_two_that_expire(void **state)
{
    static const char *const raises[] = {
        "{\"dimensions\":{\"host\":\"h1\"},\"expires_ms\":1000010}",
        "{\"dimensions\":{\"host\":\"h2\"},\"expires_ms\":1000011}"};
    struct world w;

    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < 2; i++) {
        json_t *event = parse(raises[i]);
        assert_int_equal(world_event(&w, event), HALE_OK);
        json_decref(event);
    }
    w.ms = 1000100;
    w.cut_at = 1;
    assert_int_equal(world_idle(&w), HALE_OK);
    assert_non_null(w.cut[0]);
    world_restart_at_cut(&w);
    assert_int_equal(json_array_size(w.log), 5);
    assert_int_equal(correlator_engine_next_due(w.e), 1000011);
    assert_int_equal(world_idle(&w), HALE_OK);
    assert_int_equal(json_array_size(w.log), 6);
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    assert_int_equal(correlator_engine_stats(w.e)->by_state[HALE_STATE_OK], 2);
    world_fini(&w);
}

/* --- random histories ---------------------------------------------------------------- */

/* Any of the two keys, two values each; sub 0 often without. */
static json_t *random_group(uint64_t *rng, unsigned sub)
{
    static const char *const keys[] = {"a", "b"};
    json_t *o = json_object();
    for (unsigned k = 0; k < 2; k++) {
        if (rnd_of(rng, sub == 0 ? 2 : 6) != 0)
            json_object_set_new(o, keys[k], json_string(rnd_of(rng, 2) ? "1" : "2"));
    }
    return o;
}

static json_t *random_sub(uint64_t *rng)
{
    static const char *const states[] = {"OK", "UNDETERMINED", "ALARM"};
    /* Only a sub-alarm that brings the alarm a series is sure to be told of after a kill. */
    static const char *const first[] = {"x0", "x1", "x2"};
    unsigned sub = (unsigned)rnd_of(rng, 3), kind = (unsigned)rnd_of(rng, 10);
    json_t *group = random_group(rng, sub), *metrics = json_array();
    if (kind > 0 && kind < 5) {
        json_t *dims = json_copy(group);
        json_object_set_new(dims, "n", json_sprintf("%u", (unsigned)rnd_of(rng, 24)));
        json_array_append_new(metrics,
                              json_pack("{s:s,s:o}", "name", kind < 3 ? first[sub] : "x",
                                        "dimensions", dims));
    }
    return json_pack("{s:{s:s,s:s,s:i,s:o,s:s,s:[i],s:o}}", "sub", "definition_id", "d",
                     "kind",
                     kind < 3   ? "create"
                     : kind < 5 ? "metric"
                                : "state",
                     "sub", (int)sub, "group", group, "state",
                     kind < 5 ? "UNDETERMINED" : states[rnd_of(rng, 3)], "values",
                     (int)rnd_of(rng, 9), "metrics", metrics);
}

static json_t *definition(uint64_t *rng)
{
    return json_pack("{s:{s:s,s:s,s:[s,s],s:s}}", "define", "id", "d", "expression",
                     "max(x) > 1 and avg(x) > 0 or last(y) < 1", "match_by", "b", "a",
                     "description", rnd_of(rng, 2) ? "one" : "other");
}

static json_t *random_control(uint64_t *rng, size_t nth)
{
    switch (rnd_of(rng, 3)) {
    case 0:
        return json_pack("{s:{s:s,s:I}}", "control", "op", "alarm-delete", "alarm",
                         (json_int_t)nth);
    case 1:
        return json_pack("{s:{s:s,s:I,s:s}}", "control", "op", "alarm-patch", "alarm",
                         (json_int_t)nth, "state", rnd_of(rng, 2) ? "OK" : "ALARM");
    default:
        return json_pack("{s:{s:s,s:I,s:s}}", "control", "op", "alarm-patch", "alarm",
                         (json_int_t)nth, "link",
                         rnd_of(rng, 2) ? "http://a" : "http://b");
    }
}

/* Two thirds of them end by themselves, at some time of the history. */
static json_t *random_event(uint64_t *rng)
{
    static const char *const hosts[] = {"h1", "h2", "h3"};
    int ends = rnd_of(rng, 3) > 0 ? 1000000 + (int)rnd_of(rng, 400) : 0;
    return json_pack("{s:{s:s,s:{s:i},s:s,s:i,s:{s:s}}}", "event", "status",
                     rnd_of(rng, 3) > 0 ? "raise" : "clear", "details", "n",
                     (int)rnd_of(rng, 3), "severity", rnd_of(rng, 2) ? "LOW" : "HIGH",
                     "expires_ms", ends, "dimensions", "host", hosts[rnd_of(rng, 3)]);
}

static json_t *random_step(uint64_t *rng, size_t logged)
{
    uint64_t pick = rnd_of(rng, 200);
    if (pick == 0)
        return parse("{\"undefine\":\"d\"}");
    if (pick < 4)
        return definition(rng);
    if (pick < 30)
        return random_event(rng);
    if (pick < 34)
        return parse("{\"idle\":true}");
    if (pick < 40 && logged > 0)
        return random_control(rng, 1 + rnd_of(rng, logged));
    return random_sub(rng);
}

static void test_random_histories(void **state)
{
    (void)state;
    size_t logged = 0;
    const uint64_t n = rounds(25);
    for (uint64_t seed = 1; seed <= n; seed++) {
        uint64_t rng = seed_of(seed);
        json_t *steps = json_array();
        struct world w;
        world_init(&w); /* to know how long the log is */
        json_array_append_new(steps, definition(&rng));
        give(&w, json_array_get(steps, 0));
        for (unsigned i = 0; i < 300; i++) {
            json_t *step = random_step(&rng, json_array_size(w.log));
            json_array_append_new(steps, step);
            give(&w, step);
            world_flush(&w);
        }
        logged += json_array_size(w.log);
        world_fini(&w);
        same_in_every_way(steps, seed);
        json_decref(steps);
    }
    assert_true(logged > 60 * n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_cases),
        cmocka_unit_test(test_killed_while_a_series_joins),
        cmocka_unit_test(test_killed_between_two_that_expire),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
