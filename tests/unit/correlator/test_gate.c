/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told: single cases, and random mutes, transitions and restarts against a slow reference. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

/* The mutes are of a kind that no source of the gate ends by itself. */
static struct cor_alarm *the_alarm(struct world *w)
{
    size_t it = 0;
    return hale_map_next(w->e->alarms, &it, NULL);
}

static void raise_it(struct world *w, bool clear)
{
    json_t *o = json_pack("{s:s,s:I}", "status", clear ? "clear" : "raise", "time_ms",
                          (json_int_t)w->ms);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void undetermined(struct world *w)
{
    json_t *o = json_pack("{s:s,s:i,s:s}", "op", "alarm-patch", "alarm", 1, "state",
                          "UNDETERMINED");
    assert_int_equal(world_control(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void mute(struct world *w, enum cor_mute_kind kind, const char *id, bool begin)
{
    struct cor_alarm *a = the_alarm(w);
    cor_begin(w->e, world_next(w), 0, 0);
    bool changed = begin ? cor_mute_set(w->e, a, kind, id, 0, "why")
                         : cor_mute_end(w->e, a, kind, id);
    (void)changed;
    cor_gate_settle(w->e, a, cor_mute_text(kind), "ann");
    world_flush(w);
}

static const json_t *record(const struct world *w, size_t back)
{
    return json_array_get(w->log, json_array_size(w->log) - 1 - back);
}

static bool announced(const json_t *r)
{
    const json_t *v = json_object_get(r, "announce");
    const char *kind = json_string_value(json_object_get(r, "kind"));
    return v != NULL ? json_is_true(v) : strcmp(kind, "transition") == 0;
}

static const char *text(const json_t *r, const char *key)
{
    return json_string_value(json_object_get(r, key));
}

static const char *alarm_text(const json_t *r, const char *key)
{
    return text(json_object_get(r, "alarm"), key);
}

static void test_onset_while_muted(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    raise_it(&w, false);
    assert_true(announced(record(&w, 0)));
    assert_false(announced(record(&w, 1)));
    raise_it(&w, true);
    assert_true(announced(record(&w, 0)));
    mute(&w, COR_MUTE_SHELVE, "s1", true);
    assert_string_equal(text(record(&w, 0), "kind"), "updated");
    assert_string_equal(text(record(&w, 0), "op"), "shelve");
    assert_string_equal(text(record(&w, 0), "by"), "ann");
    assert_false(announced(record(&w, 0)));
    raise_it(&w, false);
    assert_string_equal(text(record(&w, 0), "kind"), "transition");
    assert_false(announced(record(&w, 0)));
    const json_t *life = json_object_get(json_object_get(record(&w, 0), "alarm"), "life");
    assert_int_equal(json_array_size(json_object_get(life, "suppressed_by")), 1);
    world_restart(&w);
    size_t n = json_array_size(w.log);
    mute(&w, COR_MUTE_SHELVE, "s1", false);
    assert_int_equal(json_array_size(w.log), n + 1);
    assert_true(announced(record(&w, 0)));
    assert_string_equal(alarm_text(record(&w, 0), "state"), "ALARM");
    assert_string_equal(alarm_text(record(&w, 0), "reason"),
                        "Fault event link.down: host=h1 (surfaced by end of shelve s1)");
    /* The row and what comes after have it too, until the next transition. */
    world_restart(&w);
    mute(&w, COR_MUTE_SHELVE, "", true);
    assert_string_equal(alarm_text(record(&w, 0), "reason"),
                        "Fault event link.down: host=h1 (surfaced by end of shelve s1)");
    raise_it(&w, true);
    assert_true(announced(record(&w, 0)));
    assert_string_equal(alarm_text(record(&w, 0), "reason"),
                        "Fault event link.down cleared: host=h1");
    world_fini(&w);
}

/* Two mutes, the problem comes and goes inside: nothing is said, whichever ends last. */
static void test_cleared_inside(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    raise_it(&w, false);
    raise_it(&w, true);
    mute(&w, COR_MUTE_SHELVE, "m1", true);
    mute(&w, COR_MUTE_SHELVE, "m2", true);
    raise_it(&w, false);
    mute(&w, COR_MUTE_SHELVE, "m1", false);
    raise_it(&w, true);
    mute(&w, COR_MUTE_SHELVE, "m2", false);
    for (size_t i = 0; i < 5; i++)
        assert_false(announced(record(&w, i)));
    /* Ending what is not there says nothing at all. */
    size_t n = json_array_size(w.log);
    mute(&w, COR_MUTE_SHELVE, "m2", false);
    assert_int_equal(json_array_size(w.log), n);
    world_fini(&w);
}

static void test_deleted(void **state)
{
    struct world w;
    (void)state;
    for (int muted = 0; muted < 2; muted++) {
        world_init(&w);
        raise_it(&w, false);
        raise_it(&w, true);
        if (muted)
            mute(&w, COR_MUTE_SHELVE, "s", true);
        raise_it(&w, false);
        json_t *o = json_pack("{s:s,s:i}", "op", "alarm-delete", "alarm", 1);
        assert_int_equal(world_control(&w, o), HALE_OK);
        json_decref(o);
        assert_string_equal(text(record(&w, 0), "kind"), "deleted");
        assert_int_equal(announced(record(&w, 0)), !muted);
        world_fini(&w);
    }
}

static void test_ceiling(void **state)
{
    struct world w;
    char id[8];
    (void)state;
    world_init(&w);
    raise_it(&w, false);
    for (unsigned i = 0; i <= COR_MUTES_MAX; i++) {
        (void)snprintf(id, sizeof(id), "s%u", i);
        mute(&w, COR_MUTE_SHELVE, id, true);
    }
    assert_int_equal(the_alarm(&w)->life.n_mutes, COR_MUTES_MAX);
    assert_int_equal(correlator_engine_stats(w.e)->mutes_refused, 1);
    mute(&w, COR_MUTE_SHELVE, NULL, false);
    assert_int_equal(the_alarm(&w)->life.n_mutes, 0);
    world_fini(&w);
}

/* A row from before there were mutes: whoever knew of the alarm is told of its end. */
static void test_old_row(void **state)
{
    struct world w;
    const char *id;
    json_t *row;
    void *next;
    (void)state;
    world_init(&w);
    raise_it(&w, false);
    json_object_foreach_safe (w.tables[0], next, id, row) {
        json_t *o = json_loads(json_string_value(row), 0, NULL);
        assert_int_equal(json_object_del(o, "life"), 0);
        char *dump = json_dumps(o, 0);
        json_object_set_new(w.tables[0], id, json_string(dump));
        free(dump);
        json_decref(o);
    }
    world_restart(&w);
    mute(&w, COR_MUTE_SHELVE, "s", true);
    raise_it(&w, true);
    assert_true(announced(record(&w, 0)));
    world_fini(&w);
}

/* --- the property -------------------------------------------------------------------- */

static uint64_t rng = 7;

static unsigned dice(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

struct reference {
    const char *told, *now;
    bool muted[2][3];
};

static bool any_mute(const struct reference *r)
{
    for (unsigned i = 0; i < 6; i++) {
        if (r->muted[i / 3][i % 3])
            return true;
    }
    return false;
}

/* Follows the rules as they are written in gate.h, one record at a time. */
static bool expected(struct reference *r, const char *to)
{
    bool muted = any_mute(r);
    bool moves = strcmp(r->now, to) != 0;
    bool tell = moves ? !muted || (strcmp(to, "OK") == 0 && strcmp(r->told, "OK") != 0)
                      : !muted && strcmp(r->told, to) != 0;
    r->now = to;
    if (tell)
        r->told = to;
    return tell;
}

static void step(struct world *w, struct reference *r)
{
    static const char *const ids[2][3] = {{"a", "b", "c"}, {"d", "e", "f"}};
    unsigned what = dice(8), k = dice(2), i = dice(3);
    size_t n = json_array_size(w->log);
    const char *to = r->now;
    switch (what) {
    case 0: world_restart(w); break;
    case 1: to = "ALARM", raise_it(w, false); break;
    case 2: to = "OK", raise_it(w, true); break;
    case 3: to = "UNDETERMINED", undetermined(w); break;
    default:
        r->muted[k][i] = what < 6;
        mute(w, COR_MUTE_SHELVE, ids[k][i], what < 6);
        break;
    }
    assert_true(json_array_size(w->log) <= n + 1);
    if (json_array_size(w->log) == n) {
        assert_string_equal(alarm_text(record(w, 0), "state"), to);
        return;
    }
    const json_t *rec = record(w, 0);
    assert_string_equal(alarm_text(rec, "state"), to);
    assert_int_equal(announced(rec), expected(r, to));
}

static void test_property(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        struct world w;
        struct reference r = {.told = "ALARM", .now = "ALARM"};
        world_init(&w);
        raise_it(&w, false);
        for (unsigned i = 0; i < 120; i++)
            step(&w, &r);
        /* What was announced, in a row: never the same twice, so whoever got a raise gets a clear. */
        const char *last = "OK";
        size_t i;
        json_t *rec;
        json_array_foreach (w.log, i, rec) {
            if (!announced(rec))
                continue;
            assert_string_not_equal(alarm_text(rec, "state"), last);
            last = alarm_text(rec, "state");
        }
        assert_string_equal(last, r.told);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onset_while_muted), cmocka_unit_test(test_cleared_inside),
        cmocka_unit_test(test_deleted),           cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_old_row),           cmocka_unit_test(test_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
