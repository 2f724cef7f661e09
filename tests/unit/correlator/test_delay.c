/* SPDX-License-Identifier: Apache-2.0 */
/* `for` and `clear_for` of whole expressions: cases, and random reports with restarts against a reference. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

static void define(struct world *w, int for_s, int clear_for_s)
{
    json_t *d = json_pack("{s:s,s:s,s:i,s:i,s:i}", "id", "d", "expression",
                          "max(x) > 1 and max(y) > 1", "for", for_s, "clear_for",
                          clear_for_s, "version", (int)w->ms);
    assert_int_equal(world_define(w, d), HALE_OK);
    world_flush(w);
    json_decref(d);
}

static void report(struct world *w, int sub, const char *kind, const char *state)
{
    json_t *o = json_pack("{s:s,s:s,s:i,s:s}", "kind", kind, "definition_id", "d", "sub",
                          sub, "state", state);
    const struct correlator_input now = {"0-0", w->ms + 1, (w->ms + 1) * 1000};
    assert_int_equal(correlator_engine_due(w->e, w->ms + 1, &now), HALE_OK);
    assert_int_equal(world_sub(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void both(struct world *w, const char *state)
{
    report(w, 0, "state", state);
    report(w, 1, "state", state);
}

static void begin(struct world *w, int for_s, int clear_for_s)
{
    world_init(w);
    define(w, for_s, clear_for_s);
    report(w, 0, "create", "UNDETERMINED");
    report(w, 1, "create", "UNDETERMINED");
    both(w, "OK");
}

static void advance(struct world *w, int64_t ms)
{
    w->ms += ms - 1;
    assert_int_equal(world_idle(w), HALE_OK);
    world_flush(w);
}

static const json_t *last(const struct world *w, const char *key)
{
    const json_t *alarm =
        json_object_get(json_array_get(w->log, json_array_size(w->log) - 1), "alarm");
    const json_t *v = json_object_get(alarm, key);
    return v != NULL ? v : json_object_get(json_object_get(alarm, "life"), key);
}

static const char *text(const struct world *w, const char *key)
{
    const char *s = json_string_value(last(w, key));
    return s != NULL ? s : "";
}

static void test_for(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 10, 5);
    assert_string_equal(text(&w, "state"), "OK");
    both(&w, "ALARM");
    assert_string_equal(text(&w, "state"), "OK");
    assert_string_equal(text(&w, "phase"), "pending");
    assert_int_equal(json_integer_value(last(&w, "phase_until_ms")), w.ms + 10000);
    advance(&w, 9000);
    world_restart(&w); /* neither forgotten nor begun anew */
    both(&w, "ALARM");
    advance(&w, 997);
    assert_string_equal(text(&w, "state"), "OK");
    advance(&w, 1);
    assert_string_equal(text(&w, "state"), "ALARM");
    assert_string_equal(text(&w, "phase"), "");
    /* A gap shorter than clear_for is none. */
    report(&w, 0, "state", "OK");
    assert_string_equal(text(&w, "phase"), "clearing");
    advance(&w, 4000);
    report(&w, 0, "state", "ALARM");
    assert_string_equal(text(&w, "phase"), "");
    advance(&w, 9000);
    assert_string_equal(text(&w, "state"), "ALARM");
    report(&w, 0, "state", "OK");
    world_restart(&w);
    advance(&w, 5000);
    assert_string_equal(text(&w, "state"), "OK");
    world_fini(&w);
}

static void test_does_not_wait(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 10, 10);
    both(&w, "UNDETERMINED");
    assert_string_equal(text(&w, "state"), "UNDETERMINED");
    both(&w, "ALARM");
    assert_string_equal(text(&w, "phase"), "pending");
    define(&w, 0, 0); /* nothing to wait for any more */
    assert_string_equal(text(&w, "state"), "ALARM");
    assert_string_equal(text(&w, "phase"), "");
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    define(&w, 10, 10);
    both(&w, "OK");
    assert_string_equal(text(&w, "phase"), "clearing");
    assert_int_equal(world_undefine(&w, "d"), HALE_OK);
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    world_fini(&w);
}

static uint64_t rng = 5;

static unsigned dice(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

static void test_property(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        struct world w;
        int64_t for_ms = 1000 + (int64_t)dice(4) * 1000,
                clear_ms = 1000 + (int64_t)dice(4) * 1000;
        begin(&w, (int)(for_ms / 1000), (int)(clear_ms / 1000));
        bool sub[2] = {false, false}, alarm = false;
        int64_t since = w.ms; /* the condition is as it is since then */
        for (unsigned i = 0; i < 200; i++) {
            unsigned k = dice(2);
            bool was = sub[0] && sub[1];
            int64_t to = w.ms + 1 + dice(2500);
            if (was != alarm && to >= since + (was ? for_ms : clear_ms))
                alarm = was;
            advance(&w, to - w.ms);
            if (dice(4) == 0)
                world_restart(&w);
            to = w.ms + 1;
            if (was != alarm && to >= since + (was ? for_ms : clear_ms))
                alarm = was;
            sub[k] = dice(3) > 0;
            report(&w, (int)k, "state", sub[k] ? "ALARM" : "OK");
            if ((sub[0] && sub[1]) != was)
                since = w.ms;
            assert_string_equal(text(&w, "state"), alarm ? "ALARM" : "OK");
        }
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_for),
                                       cmocka_unit_test(test_does_not_wait),
                                       cmocka_unit_test(test_property)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
