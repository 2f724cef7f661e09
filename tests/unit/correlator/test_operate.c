/* SPDX-License-Identifier: Apache-2.0 */
/* What people do to alarms, in the engine alone: effects, ends by time, repeats, restarts. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

static struct cor_alarm *the_alarm(struct world *w)
{
    size_t it = 0;
    return hale_map_next(w->e->alarms, &it, NULL);
}

static void event(struct world *w, const char *status, const char *severity)
{
    json_t *o = json_pack("{s:s,s:s,s:I}", "status", status, "severity", severity,
                          "time_ms", (json_int_t)w->ms);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

/* Whatever happens, the row says all: the same after a restart. */
static void operate(struct world *w, const char *action, const char *text, int64_t until)
{
    json_t *o = json_pack("{s:s,s:i,s:s,s:s,s:I,s:s*,s:I}", "op", "alarm-op", "alarm", 1,
                          "action", action, "by", "ann", "at_ms", (json_int_t)w->ms,
                          "text", text, "until_ms", (json_int_t)until);
    assert_int_equal(world_control(w, o), HALE_OK);
    json_decref(o);
    world_flush(w);
    world_restart(w);
}

static size_t logged(const struct world *w)
{
    return json_array_size(w->log);
}

static const char *last_op(const struct world *w)
{
    const char *op =
        json_string_value(json_object_get(json_array_get(w->log, logged(w) - 1), "op"));
    return op != NULL ? op : "";
}

static void test_ack_ends(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    event(&w, "raise", "MEDIUM");
    size_t n = logged(&w);
    operate(&w, "ack", "seen", w.ms + 5);
    assert_int_equal(logged(&w), n + 1);
    assert_string_equal(the_alarm(&w)->life.ack.text, "seen");
    assert_int_equal(correlator_engine_next_due(w.e), w.ms + 4);
    while (the_alarm(&w)->life.ack.by != NULL) {
        assert_int_equal(logged(&w), n + 1);
        assert_int_equal(world_idle(&w), HALE_OK);
    }
    assert_int_equal(logged(&w), n + 2);
    assert_string_equal(last_op(&w), "unack");
    /* Less severe is fine, more severe is not what was acknowledged. */
    operate(&w, "ack", NULL, 0);
    event(&w, "raise", "LOW");
    assert_non_null(the_alarm(&w)->life.ack.by);
    event(&w, "raise", "MEDIUM");
    assert_non_null(the_alarm(&w)->life.ack.by);
    event(&w, "raise", "HIGH");
    assert_null(the_alarm(&w)->life.ack.by);
    operate(&w, "ack", NULL, w.ms + 1000);
    event(&w, "clear", "HIGH");
    assert_null(the_alarm(&w)->life.ack.by);
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    n = logged(&w);
    operate(&w, "ack", NULL, 0); /* OK: nothing to acknowledge */
    assert_int_equal(logged(&w), n);
    world_fini(&w);
}

static void test_comments_are_bounded(void **state)
{
    struct world w;
    char text[16];
    (void)state;
    world_init(&w);
    event(&w, "raise", "LOW");
    size_t n = logged(&w);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "c%d", i);
        operate(&w, "comment", text, 0);
    }
    assert_int_equal(logged(&w), n + 50);
    const struct cor_life *l = &the_alarm(&w)->life;
    assert_int_equal(l->n_comments, COR_COMMENTS_MAX);
    assert_string_equal(l->comments[0].text, "c30");
    assert_string_equal(l->comments[COR_COMMENTS_MAX - 1].text, "c49");
    world_fini(&w);
}

static void test_shelve(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    event(&w, "raise", "LOW");
    operate(&w, "shelve", "later", w.ms + 10);
    operate(&w, "shelve", "no end", 0);             /* is not taken */
    operate(&w, "shelve", "in the past", w.ms - 5); /* nor that */
    assert_string_equal(the_alarm(&w)->life.shelved.text, "later");
    assert_int_equal(the_alarm(&w)->life.n_mutes, 1);
    size_t n = logged(&w);
    while (logged(&w) == n)
        assert_int_equal(world_idle(&w), HALE_OK);
    assert_string_equal(last_op(&w), "unshelve");
    assert_int_equal(the_alarm(&w)->life.n_mutes, 0);
    assert_null(json_object_get(json_array_get(w.log, n), "announce"));
    world_fini(&w);
}

/* The record was applied and written, its position was not: it comes again. */
static void test_repeat(void **state)
{
    static const char *const actions[] = {"ack", "comment", "shelve", "assign"};
    struct world w;
    (void)state;
    world_init(&w);
    event(&w, "raise", "LOW");
    for (size_t i = 0; i < 4; i++) {
        json_t *o =
            json_pack("{s:s,s:i,s:s,s:s,s:i,s:s,s:s,s:I}", "op", "alarm-op", "alarm", 1,
                      "action", actions[i], "by", "ann", "at_ms", 5, "text", "t", "owner",
                      "bob", "until_ms", (json_int_t)w.ms + 1000000);
        assert_int_equal(world_control(&w, o), HALE_OK);
        world_flush(&w);
        size_t n = logged(&w);
        world_restart(&w);
        assert_int_equal(world_control(&w, o), HALE_OK);
        assert_int_equal(logged(&w), n);
        json_decref(o);
    }
    world_fini(&w);
}

/* Gone alarms leave nothing behind that would be due. */
static void test_deleted(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    event(&w, "raise", "LOW");
    operate(&w, "ack", NULL, w.ms + 100);
    operate(&w, "shelve", NULL, w.ms + 100);
    json_t *o = json_pack("{s:s,s:i}", "op", "alarm-delete", "alarm", 1);
    assert_int_equal(world_control(&w, o), HALE_OK);
    json_decref(o);
    assert_int_equal(correlator_engine_next_due(w.e), INT64_MAX);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack_ends), cmocka_unit_test(test_comments_are_bounded),
        cmocka_unit_test(test_shelve),   cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
