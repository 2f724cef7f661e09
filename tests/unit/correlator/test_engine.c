/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_engine - scenarios of tests/vectors/correlator (see the README there), each played plainly,
 * with a restart after every step, and with a flush at every checkpoint: always the same log.
 */
#include "support/cmocka.h"

#include <dirent.h>
#include <stdio.h>

#include "world.h"

#define VECTORS HALE_TEST_DIR "/vectors/correlator"

static bool verbose_mismatch(const char *file, size_t step, const char *what,
                             const json_t *want, const json_t *got)
{
    char *a = json_dumps(want, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *b = got != NULL ? json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    fprintf(stderr, "%s, step %zu, %s:\n  want %s\n  got  %s\n", file, step, what, a,
            b != NULL ? b : "nothing");
    free(a);
    free(b);
    return false;
}

/* Every key that want has is in got with that value; arrays have the same length. */
static bool contains(const json_t *got, const json_t *want)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_object(want)) {
        if (!json_is_object(got))
            return false;
        json_object_foreach ((json_t *)(uintptr_t)want, key, value) {
            if (!contains(json_object_get(got, key), value))
                return false;
        }
        return true;
    }
    if (json_is_array(want)) {
        if (json_array_size(got) != json_array_size(want))
            return false;
        json_array_foreach (want, i, value) {
            if (!contains(json_array_get(got, i), value))
                return false;
        }
        return true;
    }
    return got != NULL && json_equal((json_t *)(uintptr_t)got, (json_t *)(uintptr_t)want);
}

/* A log record, with the alarm's keys at the top too, for short expectations. */
static json_t *flat(const json_t *record)
{
    json_t *o = json_copy(json_object_get(record, "alarm"));
    json_object_update(o, (json_t *)(uintptr_t)record);
    return o;
}

static uint64_t stat_named(const struct correlator_stats *s, const char *name)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"no_definition", s->no_definition},
               {"unknown_sub", s->unknown_sub},
               {"invalid", s->invalid},
               {"refused_alarms", s->refused_alarms},
               {"refused_subs", s->refused_subs},
               {"refused_metrics", s->refused_metrics},
               {"events_repeated", s->events_repeated},
               {"events_rationed", s->events_rationed},
               {"events_old", s->events_old},
               {"events_clear_idle", s->events_clear_idle},
               {"events_expired", s->events_expired},
               {"evicted", s->evicted},
               {"unknown_alarm", s->unknown_alarm},
               {"subs", s->subs},
               {"ok", s->by_state[HALE_STATE_OK]},
               {"undetermined", s->by_state[HALE_STATE_UNDETERMINED]},
               {"alarm", s->by_state[HALE_STATE_ALARM]}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].name, name) == 0)
            return all[i].value;
    }
    fail_msg("no statistic named %s", name);
    return 0;
}

static enum hale_rc play_input(struct world *w, const json_t *step)
{
    const json_t *v;
    if ((v = json_object_get(step, "define")) != NULL)
        return world_define(w, v);
    if ((v = json_object_get(step, "undefine")) != NULL)
        return world_undefine(w, json_string_value(v));
    if ((v = json_object_get(step, "sub")) != NULL)
        return world_sub(w, v);
    if ((v = json_object_get(step, "event")) != NULL)
        return world_event(w, v);
    if ((v = json_object_get(step, "control")) != NULL)
        return world_control(w, v);
    if (json_object_get(step, "idle") != NULL)
        return world_idle(w);
    if (json_object_get(step, "restart") != NULL)
        world_restart(w);
    return HALE_OK;
}

enum mode { PLAIN, RESTARTS, CHECKPOINTS };

static bool play_step(struct world *w, const char *file, size_t n, const json_t *step,
                      enum mode mode)
{
    size_t before = json_array_size(w->log), i;
    const json_t *want = json_object_get(step, "log"), *stats;
    const char *name;
    json_t *value;
    bool good = true;
    w->ms += json_integer_value(json_object_get(step, "after_ms"));
    enum hale_rc rc = play_input(w, step);
    if ((rc == HALE_E_INVAL) != json_is_true(json_object_get(step, "invalid")))
        good = verbose_mismatch(file, n, "result", json_null(), json_null());
    world_flush(w);
    if (json_array_size(w->log) - before != json_array_size(want)) {
        json_t *got = json_array();
        for (i = before; i < json_array_size(w->log); i++)
            json_array_append(got, json_array_get(w->log, i));
        good = verbose_mismatch(file, n, "number of records",
                                want != NULL ? want : json_null(), got);
        json_decref(got);
    }
    json_array_foreach (want, i, value) {
        json_t *got = flat(json_array_get(w->log, before + i));
        if (!contains(got, value))
            good = verbose_mismatch(file, n, "record", value, got);
        json_decref(got);
    }
    stats = json_object_get(step, "stats");
    json_object_foreach ((json_t *)(uintptr_t)stats, name, value) {
        bool gauge = strcmp(name, "subs") == 0 || strcmp(name, "ok") == 0 ||
                     strcmp(name, "alarm") == 0 || strcmp(name, "undetermined") == 0;
        if (mode == RESTARTS && !gauge)
            continue; /* counts begin anew */
        json_t *got =
            json_integer((json_int_t)stat_named(correlator_engine_stats(w->e), name));
        if (!json_equal(got, value))
            good = verbose_mismatch(file, n, name, value, got);
        json_decref(got);
    }
    if (mode == RESTARTS)
        world_restart(w);
    if (mode == RESTARTS && json_array_size(w->log) - before != json_array_size(want))
        good = verbose_mismatch(file, n, "records after a restart", json_null(),
                                json_null());
    return good;
}

static bool play(const char *file, const json_t *root, enum mode mode)
{
    struct world w;
    size_t i;
    json_t *step;
    bool good = true;
    const json_t *limits = json_object_get(root, "limits");
    world_init(&w);
    if (limits != NULL) {
        w.limits.max_alarms =
            (size_t)json_integer_value(json_object_get(limits, "alarms"));
        w.limits.max_subs = (size_t)json_integer_value(json_object_get(limits, "subs"));
        world_restart(&w);
    }
    w.checkpoint_flushes = mode == CHECKPOINTS;
    json_array_foreach (json_object_get(root, "steps"), i, step) {
        good = play_step(&w, file, i + 1, step, mode) && good;
    }
    world_fini(&w);
    return good;
}

static void test_vectors(void **state)
{
    (void)state;
    DIR *dir = opendir(VECTORS);
    assert_non_null(dir);
    struct dirent *entry;
    unsigned n = 0;
    bool good = true;
    while ((entry = readdir(dir)) != NULL) {
        char path[600];
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".json") != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", VECTORS, entry->d_name);
        json_error_t error;
        json_t *root = json_load_file(path, 0, &error);
        if (root == NULL)
            fail_msg("%s:%d: %s", path, error.line, error.text);
        for (int mode = PLAIN; mode <= CHECKPOINTS; mode++)
            good = play(entry->d_name, root, (enum mode)mode) && good;
        json_decref(root);
        n++;
    }
    closedir(dir);
    assert_true(n >= 10);
    assert_true(good);
}

/* --- what the vectors cannot say ----------------------------------------------------- */

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *v = json_loads(text, 0, &error);
    if (v == NULL)
        fail_msg("%s in %s", error.text, text);
    return v;
}

#define WITH(w, fn, text)                                                                \
    do {                                                                                 \
        json_t *j_ = parse(text);                                                        \
        assert_int_equal(fn((w), j_), HALE_OK);                                          \
        json_decref(j_);                                                                 \
    } while (0)

static void test_series_are_bounded_and_their_log_too(void **state)
{
    (void)state;
    struct world w;
    char text[300];
    world_init(&w);
    w.limits.max_metrics = 100;
    world_restart(&w);
    WITH(&w, world_define, "{\"id\":\"d\",\"expression\":\"max(x) > 1\"}");
    for (int i = 0; i < 120; i++) {
        (void)snprintf(
            text, sizeof(text),
            "{\"definition_id\":\"d\",\"kind\":\"%s\",\"metrics\":[{\"name\":\"x\","
            "\"dimensions\":{\"h\":\"%d\"}}]}",
            i == 0 ? "create" : "metric", i);
        WITH(&w, world_sub, text);
        WITH(&w, world_sub, text); /* again: known */
        world_flush(&w);
    }
    assert_int_equal(correlator_engine_stats(w.e)->refused_metrics, 40);
    /* created with 1; 2..16 singly; 32 and 64 */
    assert_int_equal(json_array_size(w.log), 1 + 15 + 2);
    json_t *alarm = NULL;
    const char *id;
    json_t *row;
    json_object_foreach (w.tables[CORRELATOR_ALARMS], id, row) {
        alarm = parse(json_string_value(row));
    }
    assert_int_equal(json_array_size(json_object_get(alarm, "metrics")), 100);
    json_decref(alarm);
    world_restart(&w);
    WITH(&w, world_sub,
         "{\"definition_id\":\"d\",\"kind\":\"state\",\"state\":\"ALARM\",\"values\":[2]"
         "}");
    json_t *last = json_array_get(w.log, json_array_size(w.log) - 1);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(last, "alarm"), "metrics")), 100);
    world_fini(&w);
}

static void test_an_unreadable_definition_keeps_its_alarms(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    WITH(&w, world_define, "{\"id\":\"d\",\"expression\":\"max(x) > 1\"}");
    WITH(&w, world_sub, "{\"definition_id\":\"d\",\"kind\":\"create\"}");
    world_flush(&w);
    const struct correlator_sink sink = {&w, world_log, world_put, world_del, NULL};
    struct correlator_engine *e = correlator_engine_new(&w.limits, &sink);
    assert_int_equal(correlator_engine_unreadable(e, HALE_STR("d")), HALE_OK);
    struct world view = w;
    view.e = e;
    world_load_table(&view, CORRELATOR_SUBS);
    world_load_table(&view, CORRELATOR_ALARMS);
    const struct correlator_input in = {"0-0", 0, 1};
    assert_int_equal(correlator_engine_loaded(e, 1, &in), HALE_OK);
    assert_int_equal(correlator_engine_version(e, "d"), -2);
    assert_int_equal(json_array_size(w.log), 1);
    assert_int_equal(json_object_size(w.tables[CORRELATOR_ALARMS]), 1);
    assert_int_equal(json_object_size(w.tables[CORRELATOR_SUBS]), 1);
    correlator_engine_free(e);
    /* Gone for good: the alarm's end is logged at the next start. */
    json_object_clear(w.definitions);
    world_restart(&w);
    assert_int_equal(json_array_size(w.log), 2);
    json_t *last = json_array_get(w.log, 1);
    assert_string_equal(json_string_value(json_object_get(last, "kind")), "deleted");
    assert_int_equal(json_object_size(w.tables[CORRELATOR_ALARMS]), 0);
    assert_int_equal(json_object_size(w.tables[CORRELATOR_SUBS]), 0);
    world_fini(&w);
}

static void test_bad_rows_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum correlator_table table;
        const char *field, *value;
    } cases[] = {
        {CORRELATOR_ALARMS, "x", "{}"},
        {CORRELATOR_ALARMS, "x", "not json"},
        {CORRELATOR_SUBS, "", "{}"},
        {CORRELATOR_SUBS, "q:d:0:{}", "{}"},
        {CORRELATOR_SUBS, "s:d:x:{}", "{}"},
        {CORRELATOR_SUBS, "s:d:1:{}", "{\"v\":1,\"state\":\"OK\"}"},
        {CORRELATOR_SUBS, "s:d:0:[]", "{\"v\":1,\"state\":\"OK\"}"},
        {CORRELATOR_SUBS, "s:d:0:{\"k\":\"v\"}", "{\"v\":1,\"state\":\"OK\"}"},
        {CORRELATOR_SUBS, "s:d:0:{}", "{\"v\":1,\"state\":\"BAD\"}"},
        {CORRELATOR_SUBS, "s:d:0:{}", "[]"},
        {CORRELATOR_SUBS, "m:d:0:{}", "{}"},
        {CORRELATOR_SUBS, "m:d:0:100001:{}", "{}"},
        {CORRELATOR_SUBS, "m:d:0:0:{}", "7"},
        {CORRELATOR_SUBS, "e:x", "7"},
    };
    struct world w;
    world_init(&w);
    WITH(&w, world_define, "{\"id\":\"d\",\"expression\":\"max(x) > 1\"}");
    const struct correlator_sink sink = {&w, world_log, world_put, world_del, NULL};
    struct correlator_engine *e = correlator_engine_new(&w.limits, &sink);
    assert_int_equal(correlator_engine_define(
                         e, world_decode(json_object_get(w.definitions, "d")), NULL),
                     HALE_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum hale_rc rc =
            correlator_engine_load(e, cases[i].table, hale_str_from(cases[i].field),
                                   hale_str_from(cases[i].value));
        if (rc != HALE_E_INVAL)
            fail_msg("row %s = %s gave %d", cases[i].field, cases[i].value, (int)rc);
    }
    /* A series row that nothing goes with, and a gap before another. */
    assert_int_equal(
        correlator_engine_load(e, CORRELATOR_SUBS, HALE_STR("m:d:0:3:{}"),
                               HALE_STR("{\"name\":\"x\",\"dimensions\":{}}")),
        HALE_OK);
    const struct correlator_input in = {"0-0", 0, 1};
    assert_int_equal(correlator_engine_loaded(e, 0, &in), HALE_OK);
    assert_int_equal(correlator_engine_stats(e)->subs, 0);
    correlator_engine_free(e);
    world_fini(&w);
}

static void test_too_many_match_by_keys(void **state)
{
    (void)state;
    struct world w;
    json_t *d = parse("{\"id\":\"d\",\"expression\":\"max(x) > 1\",\"match_by\":[]}");
    world_init(&w);
    for (int i = 0; i < 65; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        json_array_append_new(json_object_get(d, "match_by"), json_string(key));
    }
    assert_int_equal(world_define(&w, d), HALE_E_LIMIT);
    assert_int_equal(correlator_engine_version(w.e, "d"), -1);
    json_decref(d);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_series_are_bounded_and_their_log_too),
        cmocka_unit_test(test_an_unreadable_definition_keeps_its_alarms),
        cmocka_unit_test(test_bad_rows_are_refused),
        cmocka_unit_test(test_too_many_match_by_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
