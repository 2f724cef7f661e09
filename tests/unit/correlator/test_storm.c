/* SPDX-License-Identifier: Apache-2.0 */
/* Storms: single cases, and random raises, clears and restarts against what must always hold. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

static void boot(struct world *w, int64_t rate, int64_t burst, int64_t reserve)
{
    world_init(w);
    w->limits.storm_rate = rate;
    w->limits.storm_burst = burst;
    w->limits.storm_reserve = reserve;
    world_restart(w);
}

/* The stream is read up to the time, step by step as the daemon does. */
static void pass(struct world *w, int64_t to_ms)
{
    while (correlator_engine_next_due(w->e) < to_ms) {
        w->ms = correlator_engine_next_due(w->e) - 1;
        assert_int_equal(world_idle(w), HALE_OK);
        world_flush(w);
    }
    if (to_ms > w->ms)
        w->ms = to_ms - 1;
}

static void event(struct world *w, const char *host, const char *severity, bool clear)
{
    json_t *o =
        json_pack("{s:s,s:I,s:s,s:{s:s}}", "status", clear ? "clear" : "raise", "time_ms",
                  (json_int_t)w->ms, "severity", severity, "dimensions", "host", host);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void raise_n(struct world *w, unsigned first, unsigned n, const char *severity)
{
    for (unsigned i = first; i < first + n; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%u", i);
        event(w, host, severity, false);
    }
}

static bool announced(const json_t *r)
{
    const json_t *v = json_object_get(r, "announce");
    const char *kind = json_string_value(json_object_get(r, "kind"));
    return v != NULL ? json_is_true(v) : strcmp(kind, "transition") == 0;
}

static const char *text(const json_t *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r, key));
    return s != NULL ? s : "";
}

static bool about_storm(const json_t *r)
{
    return strcmp(text(json_object_get(r, "alarm"), "definition_name"), "hale.storm") ==
           0;
}

/* Announced raises that are not the storm's own. */
static unsigned raises(const struct world *w)
{
    unsigned n = 0;
    for (size_t i = 0; i < json_array_size(w->log); i++) {
        const json_t *r = json_array_get(w->log, i);
        n += announced(r) && !about_storm(r) &&
             strcmp(text(json_object_get(r, "alarm"), "state"), "OK") != 0;
    }
    return n;
}

/* The last record about the storm; NULL: none. */
static const json_t *storm(const struct world *w)
{
    for (size_t i = json_array_size(w->log); i-- > 0;) {
        const json_t *r = json_array_get(w->log, i);
        if (about_storm(r))
            return r;
    }
    return NULL;
}

static const char *storm_state(const struct world *w)
{
    return storm(w) != NULL ? text(json_object_get(storm(w), "alarm"), "state") : "none";
}

static int64_t count(const struct world *w, const char *key)
{
    const json_t *event_of =
        json_object_get(json_object_get(storm(w), "evidence"), "event");
    return json_integer_value(json_object_get(json_object_get(event_of, "details"), key));
}

static int64_t count_of(const struct world *w, const char *key, const char *name)
{
    const json_t *event_of =
        json_object_get(json_object_get(storm(w), "evidence"), "event");
    return json_integer_value(json_object_get(
        json_object_get(json_object_get(event_of, "details"), key), name));
}

static const char *host_of(const json_t *r)
{
    return text(json_object_get(json_object_get(r, "alarm"), "group"), "host");
}

static void test_no_storm(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 600, 20, 0);
    raise_n(&w, 0, 20, "LOW");
    pass(&w, w.ms + 120000);
    assert_int_equal(raises(&w), 20);
    assert_null(storm(&w));
    assert_int_equal(json_object_size(w.tables[1]), 20); /* full again: its row is gone */
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    world_fini(&w);
}

static void test_waits_in_order(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 60, 5, 0);
    raise_n(&w, 0, 5, "LOW");
    assert_int_equal(raises(&w), 5);
    int64_t start = w.ms;
    raise_n(&w, 10, 3, "LOW");
    raise_n(&w, 20, 3, "CRITICAL");
    raise_n(&w, 30, 3, "HIGH");
    assert_int_equal(raises(&w), 5);
    pass(&w, w.ms + 10);
    assert_string_equal(storm_state(&w), "ALARM");
    assert_true(announced(storm(&w)));
    size_t from = json_array_size(w.log);
    pass(&w, start + 11000);
    /* One a second: the most severe first, then the oldest. */
    static const char *const order[] = {"h20", "h21", "h22", "h30", "h31",
                                        "h32", "h10", "h11", "h12"};
    size_t k = 0;
    for (size_t i = from; i < json_array_size(w.log); i++) {
        const json_t *r = json_array_get(w.log, i);
        if (about_storm(r))
            continue;
        assert_true(announced(r));
        assert_string_equal(text(r, "op"), "storm");
        assert_string_equal(host_of(r), order[k++]);
    }
    assert_int_equal(k, 9);
    assert_int_equal(w.e->stats.storm_waiting, 0);
    /* A minute of calm: over, with all counts. */
    assert_string_equal(storm_state(&w), "ALARM");
    pass(&w, start + 120000);
    assert_string_equal(storm_state(&w), "OK");
    assert_true(announced(storm(&w)));
    assert_int_equal(count(&w, "held"), 9);
    assert_int_equal(count(&w, "announced"), 9);
    assert_int_equal(count(&w, "cleared"), 0);
    assert_int_equal(count_of(&w, "by_severity", "HIGH"), 3);
    assert_int_equal(count_of(&w, "by_definition", "link.down"), 9);
    world_fini(&w);
}

static void test_reserve_for_critical(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 60, 10, 20);
    raise_n(&w, 0, 100, "HIGH");
    assert_int_equal(raises(&w), 8);
    raise_n(&w, 100, 2, "CRITICAL");
    assert_int_equal(raises(&w), 10); /* at once */
    raise_n(&w, 102, 1, "CRITICAL");
    assert_int_equal(raises(&w), 10);
    size_t from = json_array_size(w.log);
    pass(&w, w.ms + 3000);
    bool found = false;
    for (size_t i = from; i < json_array_size(w.log) && !found; i++) {
        const json_t *r = json_array_get(w.log, i);
        if (about_storm(r))
            continue;
        assert_string_equal(host_of(r), "h102"); /* before all the others */
        found = true;
    }
    assert_true(found);
    world_fini(&w);
}

static void test_clears_while_waiting(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 1, 1, 0);
    raise_n(&w, 0, 4, "LOW");
    assert_int_equal(raises(&w), 1);
    size_t from = json_array_size(w.log);
    event(&w, "h2", "LOW", true);
    for (size_t i = from; i < json_array_size(w.log); i++)
        assert_true(!announced(json_array_get(w.log, i)) ||
                    about_storm(json_array_get(w.log, i)));
    /* What was told is cleared for those who were told. */
    event(&w, "h0", "LOW", true);
    assert_true(announced(json_array_get(w.log, json_array_size(w.log) - 1)));
    json_t *gone = json_pack("{s:s,s:i}", "op", "alarm-delete", "alarm", 3);
    assert_int_equal(world_control(&w, gone), HALE_OK);
    world_flush(&w);
    json_decref(gone);
    pass(&w, w.ms + 600000);
    assert_string_equal(storm_state(&w), "OK");
    assert_int_equal(count(&w, "held"), 3);
    assert_int_equal(count(&w, "cleared"), 2);
    assert_int_equal(count(&w, "announced"), 1);
    world_fini(&w);
}

/* T12: the ceiling of alarms. The oldest stay, the rest is counted. */
static void test_ceiling(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 600, 1000, 0);
    w.limits.max_alarms = 5;
    world_restart(&w);
    raise_n(&w, 0, 25, "HIGH");
    assert_int_equal(raises(&w), 5);
    pass(&w, w.ms + 10);
    assert_string_equal(storm_state(&w), "ALARM"); /* beyond the ceiling */
    pass(&w, w.ms + 120000);
    assert_string_equal(storm_state(&w), "OK");
    assert_int_equal(count(&w, "refused"), 20);
    assert_int_equal(count(&w, "held"), 0);
    assert_int_equal(w.e->stats.refused_alarms, 20);
    world_fini(&w);
}

/* The end of a suppression of many is a storm, too. */
static void test_surfacing(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 60, 2, 0);
    raise_n(&w, 0, 2, "LOW");
    pass(&w, w.ms + 600000);
    size_t it = 0;
    struct cor_alarm *a;
    raise_n(&w, 10, 1, "LOW");
    while ((a = hale_map_next(w.e->alarms, &it, NULL)) != NULL) {
        cor_begin(w.e, world_next(&w), 0, 0);
        cor_mute_set(w.e, a, COR_MUTE_SILENCE, "s", 0, NULL);
        cor_gate_settle(w.e, a, "silence", NULL);
    }
    world_flush(&w);
    for (unsigned i = 20; i < 25; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%u", i);
        event(&w, host, "LOW", false);
        it = 0;
        while ((a = hale_map_next(w.e->alarms, &it, NULL)) != NULL) {
            if (strstr(a->fault->dims, host) == NULL)
                continue;
            cor_begin(w.e, world_next(&w), 0, 0);
            cor_mute_set(w.e, a, COR_MUTE_SILENCE, "s", 0, NULL);
            cor_gate_settle(w.e, a, "silence", NULL);
        }
    }
    world_flush(&w);
    /* Those that waited and were silenced meanwhile go silently; they surface with the silence. */
    unsigned before = raises(&w);
    pass(&w, w.ms + 300000);
    assert_int_equal(raises(&w), before);
    assert_int_equal(w.e->stats.storm_waiting, 0);
    it = 0;
    while ((a = hale_map_next(w.e->alarms, &it, NULL)) != NULL) {
        cor_begin(w.e, world_next(&w), 0, 0);
        if (cor_mute_end(w.e, a, COR_MUTE_SILENCE, NULL))
            cor_gate_settle(w.e, a, "silence", NULL);
    }
    world_flush(&w);
    assert_true(w.e->stats.storm_waiting >= 1);
    unsigned at_once = raises(&w) - before;
    assert_true(at_once <= 2);
    pass(&w, w.ms + 300000);
    /* All that are ALARM were told. */
    it = 0;
    while ((a = hale_map_next(w.e->alarms, &it, NULL)) != NULL) {
        if (a->state == HALE_STATE_ALARM)
            assert_int_equal(a->life.announced, HALE_STATE_ALARM);
    }
    world_fini(&w);
}

static void test_tenants_apart(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 60, 3, 0);
    raise_n(&w, 0, 10, "LOW");
    assert_int_equal(raises(&w), 3);
    json_t *o = json_pack("{s:s,s:I}", "tenant", "other", "time_ms", (json_int_t)w.ms);
    assert_int_equal(world_event(&w, o), HALE_OK);
    json_decref(o);
    assert_int_equal(raises(&w), 4);
    world_fini(&w);
}

static void test_switched_off(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 1, 1, 0);
    raise_n(&w, 0, 10, "LOW");
    assert_int_equal(raises(&w), 1);
    pass(&w, w.ms + 1000);
    w.limits.storm_rate = 0;
    world_restart(&w);
    pass(&w, w.ms + 120000);
    assert_int_equal(raises(&w), 10);
    assert_string_equal(storm_state(&w), "OK");
    world_fini(&w);
}

static void test_more_severe_while_waiting(void **state)
{
    (void)state;
    struct world w;
    boot(&w, 60, 1, 0);
    raise_n(&w, 0, 4, "LOW");
    event(&w, "h3", "HIGH", false); /* refreshed: more severe now */
    world_restart(&w);
    size_t from = json_array_size(w.log);
    pass(&w, w.ms + 1500);
    for (size_t i = from; i < json_array_size(w.log); i++) {
        const json_t *r = json_array_get(w.log, i);
        if (about_storm(r))
            continue;
        assert_string_equal(host_of(r), "h3");
        break;
    }
    world_fini(&w);
}

/* --- random --------------------------------------------------------------------------------- */

static unsigned roll(uint64_t *rnd)
{
    *rnd = *rnd * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*rnd >> 33);
}

static void step(struct world *w, uint64_t *rnd)
{
    static const char *const severities[] = {"LOW", "HIGH", "CRITICAL"};
    char host[16];
    unsigned r = roll(rnd);
    (void)snprintf(host, sizeof(host), "h%u", r % 40);
    if (r % 11 == 0)
        pass(w, w->ms + 1 + (int64_t)(roll(rnd) % 20000));
    event(w, host, severities[(r >> 7) % 3], (r >> 10) % 3 == 0);
}

/* Record by record, but for the times of writing: what a restart may change. */
static void strip(json_t *log)
{
    size_t i;
    json_t *r;
    json_array_foreach (log, i, r) {
        (void)json_object_del(r, "logged_us");
        (void)json_object_del(r, "decided_us");
    }
}

/* Two worlds, one restarted at random: the same log. And in both: no more is announced than the bucket
 * gives, and in the end everybody was told. */
static void test_random(void **state)
{
    (void)state;
    uint64_t held = 0;
    for (unsigned seed = 1; seed <= 25; seed++) {
        struct world a, b;
        uint64_t rnd = seed * 0x9E3779B97F4A7C15u, same = rnd;
        boot(&a, 120, 6, 34);
        boot(&b, 120, 6, 34);
        int64_t start = a.ms;
        for (unsigned i = 0; i < 250; i++) {
            step(&a, &rnd);
            step(&b, &same);
            if (i % (1 + seed % 7) == 0)
                world_restart(&b);
            int64_t most = 6 + 1 + (a.ms - start) * 120 / 60000;
            assert_true(raises(&a) <= most);
        }
        held += a.e->stats.storm_held;
        pass(&a, a.ms + 600000);
        pass(&b, b.ms + 600000);
        strip(a.log);
        strip(b.log);
        if (!json_equal(a.log, b.log)) {
            for (size_t i = 0; i < json_array_size(a.log); i++) {
                if (json_equal(json_array_get(a.log, i), json_array_get(b.log, i)))
                    continue;
                fail_msg("seed %u record %zu: %s\nbut %s", seed, i,
                         json_dumps(json_array_get(a.log, i), 0),
                         json_dumps(json_array_get(b.log, i), 0));
            }
            fail_msg("seed %u: %zu and %zu records", seed, json_array_size(a.log),
                     json_array_size(b.log));
        }
        size_t it = 0;
        struct cor_alarm *x;
        while ((x = hale_map_next(a.e->alarms, &it, NULL)) != NULL) {
            assert_int_equal(x->life.announced, x->state);
            assert_int_equal(x->life.n_mutes, 0);
        }
        assert_int_equal(a.e->stats.storm_waiting, 0);
        assert_int_equal(b.e->stats.storm_waiting, 0);
        world_fini(&a);
        world_fini(&b);
    }
    assert_true(held > 200); /* else nothing was tested */
}

/* Killed at every checkpoint of the time at which many may go. */
static void test_killed_while_they_go(void **state)
{
    (void)state;
    for (unsigned cut = 1; cut <= 12; cut++) {
        struct world w;
        boot(&w, 60, 1, 0);
        raise_n(&w, 0, 10, "LOW");
        pass(&w, w.ms + 2);
        w.limits.storm_rate = 0; /* all may go at once */
        world_restart(&w);
        w.cut_at = cut;
        assert_int_equal(world_idle(&w), HALE_OK);
        world_flush(&w);
        if (w.cut_at == 0)
            world_restart_at_cut(&w);
        w.cut_at = 0;
        pass(&w, w.ms + 120000);
        assert_int_equal(raises(&w), 10);
        assert_string_equal(storm_state(&w), "OK");
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_storm),
        cmocka_unit_test(test_waits_in_order),
        cmocka_unit_test(test_reserve_for_critical),
        cmocka_unit_test(test_clears_while_waiting),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_surfacing),
        cmocka_unit_test(test_tenants_apart),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_more_severe_while_waiting),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_killed_while_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
