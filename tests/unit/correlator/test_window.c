/* SPDX-License-Identifier: Apache-2.0 */
/* Silences and maintenance windows in the engine: cases, and random histories against a slow reference. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

static void event(struct world *w, const char *host, bool clear, const char *tenant)
{
    json_t *o =
        json_pack("{s:s,s:I,s:{s:s},s:s}", "status", clear ? "clear" : "raise", "time_ms",
                  (json_int_t)w->ms, "dimensions", "host", host, "tenant", tenant);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void silence(struct world *w, bool maintenance, const char *id, const char *json)
{
    json_t *o = json != NULL ? json_loads(json, 0, NULL) : NULL;
    assert_true(json == NULL || o != NULL);
    world_silence(w, maintenance, id, o);
    json_decref(o);
    world_flush(w);
}

static void advance(struct world *w, int64_t ms)
{
    w->ms += ms - 1;
    assert_int_equal(world_idle(w), HALE_OK);
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
    const char *s = json_string_value(json_object_get(r, key));
    return s != NULL ? s : "";
}

static size_t logged(const struct world *w)
{
    return json_array_size(w->log);
}

static void test_a7_silence(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    event(&w, "h1", false, "t");
    event(&w, "h2", false, "t");
    event(&w, "h1", false, "other");
    size_t n = logged(&w);
    silence(&w, false, "s1",
            "{\"matchers\":[\"host=h1\"],\"ends_ms\":2000000,\"reason\":\"work\"}");
    assert_int_equal(logged(&w), n + 1); /* h1 of t alone, and nothing is said */
    assert_false(announced(record(&w, 0)));
    assert_string_equal(text(record(&w, 0), "by"), "ann");
    assert_string_equal(text(record(&w, 0), "op"), "silence");
    /* Who got the raise gets the clear. */
    event(&w, "h1", true, "t");
    assert_true(announced(record(&w, 0)));
    event(&w, "h1", false, "t");
    assert_false(announced(record(&w, 0)));
    world_restart(&w);
    advance(&w, 2000000 - w.ms - 1);
    assert_false(announced(record(&w, 0)));
    advance(&w, 1);
    assert_true(announced(record(&w, 0)));
    assert_string_equal(text(record(&w, 0), "op"), "silence");
    event(&w, "h1", false, "t");
    world_fini(&w);
}

static void test_a6_maintenance(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    /* Two windows overlap; the alarm is told of when the second ends, and only once. */
    silence(&w, true, "m1", "{\"matchers\":[\"host=h1\"],\"duration_s\":10}");
    silence(&w, true, "m2", "{\"matchers\":[\"host=~h.*\"],\"duration_s\":20}");
    event(&w, "h1", false, "t");
    event(&w, "h2", false, "t");
    event(&w, "h2", true, "t");
    for (size_t i = 0; i < logged(&w); i++)
        assert_false(announced(record(&w, i)));
    advance(&w, 11000);
    assert_string_equal(text(record(&w, 0), "op"), "maintenance");
    assert_false(announced(record(&w, 0)));
    world_restart(&w);
    size_t n = logged(&w);
    advance(&w, 11000);
    unsigned told = 0;
    for (size_t i = n; i < logged(&w); i++)
        told += announced(json_array_get(w.log, i));
    assert_int_equal(told, 1);
    advance(&w, 100000);
    world_restart(&w);
    advance(&w, 100000);
    assert_int_equal(logged(&w), n + 2); /* h1 surfaced, h2 unmuted without a word */
    world_fini(&w);
}

/* Changed, deleted, and gone while nobody was there. */
static void test_changes(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    silence(&w, false, "s", "{\"matchers\":[\"host=h1\"],\"ends_ms\":9000000}");
    event(&w, "h1", false, "t");
    event(&w, "h2", false, "t");
    silence(&w, false, "s", "{\"matchers\":[\"host=h2\"],\"ends_ms\":9000000}");
    const json_t *last = record(&w, 0), *before = record(&w, 1);
    assert_int_equal(announced(last) + announced(before), 1); /* h1 surfaces */
    silence(&w, false, "s", NULL);
    assert_false(announced(record(&w, 0))); /* h2 was told already */
    silence(&w, false, "s",
            "{\"matchers\":[\"alarmname=link.down\",\"severity!=LOW\"],"
            "\"ends_ms\":9000000}");
    event(&w, "h3", false, "t");
    assert_false(announced(record(&w, 0)));
    json_object_del(w.windows[0], "s");
    size_t n = logged(&w);
    world_restart(&w);
    assert_int_equal(logged(&w), n + 3);
    unsigned told = 0;
    for (size_t i = n; i < logged(&w); i++)
        told += announced(json_array_get(w.log, i));
    assert_int_equal(told, 1); /* h3, which nobody knew of */
    assert_int_equal(hale_map_count(w.e->windows.index), 0);
    world_fini(&w);
}

static void topology(struct world *w, const char *put)
{
    struct hale_topology_update u;
    struct hale_err err = {0};
    char json[1024];
    (void)snprintf(json, sizeof(json),
                   "{\"v\":1,\"tenant\":\"t\",\"source\":\"x\",\"at_ms\":1,\"put\":%s}",
                   put);
    if (hale_topology_update_decode(hale_str_from(json), &u, &err) != HALE_OK)
        fail_msg("%s", err.text);
    assert_int_equal(correlator_engine_topology(w->e, &u, world_next(w)), HALE_OK);
    hale_topology_update_fini(&u);
}

static void report(struct world *w, const char *kind, const char *state)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:{s:s},s:I,s:[{s:s,s:{s:s}}]}", "definition_id",
                          "d", "kind", kind, "state", state, "group", "host", "h1",
                          "at_ms", (json_int_t)w->ms + 1, "metrics", "name", "m",
                          "dimensions", "host", "h1");
    assert_int_equal(world_sub(w, o), HALE_OK);
    json_decref(o);
    world_flush(w);
}

/* A command is taken without a look at what is due by then, and so is a report of a sub-alarm: between the two a
 * restart must find the window as the command has left it, whenever something was due last. */
static void test_restart_after_command(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 2; before++) { /* is the alarm there before? */
        struct world w;
        world_init(&w);
        json_t *d = json_pack("{s:s,s:s,s:[s]}", "id", "d", "expression", "last(m) > 1",
                              "match_by", "host");
        assert_int_equal(world_define(&w, d), HALE_OK);
        json_decref(d);
        report(&w, "create", "UNDETERMINED");
        report(&w, "state", before != 0 ? "ALARM" : "OK");
        const struct correlator_input *in = world_next(&w);
        assert_true(correlator_engine_stream_ms(w.e) < in->entry_ms);
        json_t *s = json_pack("{s:i,s:s,s:s,s:[s],s:I,s:I,s:s,s:s,s:I,s:I}", "v", 1, "id",
                              "s", "tenant", "t", "matchers", "host=h1", "starts_ms",
                              (json_int_t)in->entry_ms, "ends_ms",
                              (json_int_t)in->entry_ms + 100000, "author", "ann",
                              "reason", "", "created_ms", (json_int_t)in->entry_ms,
                              "updated_ms", (json_int_t)in->entry_ms);
        json_object_set_new(w.windows[0], "s", s);
        if (before == 0) /* else it is killed before the command is read */
            world_give_silence(&w, false, s, in);
        world_flush(&w);
        world_restart(&w);
        if (before == 0)
            report(&w, "state", "ALARM");
        assert_string_equal(
            text(json_array_get(
                     json_object_get(
                         json_object_get(json_object_get(record(&w, 0), "alarm"), "life"),
                         "suppressed_by"),
                     0),
                 "kind"),
            "silence");
        assert_false(announced(record(&w, 0)));
        size_t n = logged(&w);
        if (before != 0)
            world_give_silence(&w, false, json_object_get(w.windows[0], "s"),
                               world_next(&w));
        world_restart(&w);
        assert_int_equal(logged(&w), n);
        world_fini(&w);
    }
}

static void test_entity(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    topology(&w, "[{\"type\":\"host\",\"id\":\"c1\",\"match\":[{\"host\":\"c1\"}]},"
                 "{\"type\":\"vm\",\"id\":\"v1\",\"match\":[{\"host\":\"v1\"}],"
                 "\"hosted_by\":[\"host/c1\"]},"
                 "{\"type\":\"vm\",\"id\":\"v2\",\"match\":[{\"host\":\"v2\"}]}]");
    silence(&w, true, "m", "{\"entity\":\"host/c1\",\"duration_s\":100}");
    event(&w, "c1", false, "t");
    assert_false(announced(record(&w, 0)));
    event(&w, "v1", false, "t");
    assert_false(announced(record(&w, 0)));
    event(&w, "v2", false, "t");
    assert_true(announced(record(&w, 0)));
    event(&w, "x", false, "t");
    assert_true(announced(record(&w, 0)));
    world_fini(&w);
}

static void test_labels(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    json_t *d = json_pack("{s:s,s:s,s:[s]}", "id", "d1", "expression",
                          "max(x{site=a,rack=1}) > 1 or max(y{site=a,rack=2}) > 1",
                          "match_by", "host");
    assert_int_equal(world_define(&w, d), HALE_OK);
    json_decref(d);
    for (int i = 0; i < 2; i++) {
        d = json_pack("{s:s,s:s,s:i,s:{s:s},s:[]}", "kind", "create", "definition_id",
                      "d1", "sub", i, "group", "host", "h", "metrics");
        assert_int_equal(world_sub(&w, d), HALE_OK);
        json_decref(d);
    }
    size_t it = 0;
    struct cor_alarm *a = hale_map_next(w.e->alarms, &it, NULL);
    assert_non_null(a);
    static const struct {
        const char *matcher;
        bool fits;
    } cases[] = {
        {"host=h", true},           {"site=a", true},
        {"rack=1", false}, /* not the same */
        {"alarmname=d1", true},     {"severity=HIGH", true},
        {"definition_id=d1", true}, {"definition_id=d2", false},
        {"host=~h|x", true},        {"host!~h|x", false},
        {"host!=x", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];
        (void)snprintf(json, sizeof(json),
                       "{\"matchers\":[\"%s\",\"host=~.+\"],\"ends_ms\":9000000}",
                       cases[i].matcher);
        silence(&w, false, "s", json);
        struct cor_labels *l = cor_labels_new(w.e, a);
        struct cor_window *window = hale_map_get(w.e->windows.by_id, HALE_STR("ss"));
        if (cor_window_fits(w.e, window, l) != cases[i].fits)
            fail_msg("%s", cases[i].matcher);
        cor_labels_free(l);
    }
    world_fini(&w);
}

/* --- the property -------------------------------------------------------------------- */

static uint64_t rng = 3;

static unsigned dice(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

#define HOSTS   4
#define WINDOWS 5

struct reference {
    bool alarm[HOSTS], told[HOSTS];
    struct {
        int host; /* -1: none; HOSTS: all */
        int64_t from, to;
    } v[WINDOWS];
};

static bool muted(const struct reference *r, int host, int64_t at)
{
    for (unsigned i = 0; i < WINDOWS; i++) {
        if ((r->v[i].host == host || r->v[i].host == HOSTS) && r->v[i].from <= at &&
            at < r->v[i].to)
            return true;
    }
    return false;
}

/* Whoever is not muted at this time is told what is. */
static void surface(struct reference *r, int64_t at)
{
    for (int h = 0; h < HOSTS; h++) {
        if (!muted(r, h, at))
            r->told[h] = r->alarm[h];
    }
}

static void flip(struct world *w, struct reference *r, int h)
{
    char host[4];
    (void)snprintf(host, sizeof(host), "h%d", h);
    for (int64_t t = w->ms; t <= w->ms + 1; t++)
        surface(r, t);
    event(w, host, r->alarm[h], "t");
    r->alarm[h] = !r->alarm[h];
    if (!r->alarm[h] || !muted(r, h, w->ms))
        r->told[h] = r->alarm[h];
}

static void change(struct world *w, struct reference *r, unsigned i)
{
    char id[4], json[200];
    int64_t from = w->ms + 1 + dice(3), to = from + 1 + dice(40);
    int h = (int)dice(HOSTS + 2) - 1;
    (void)snprintf(id, sizeof(id), "s%u", i);
    (void)snprintf(json, sizeof(json),
                   "{\"matchers\":[\"host=h%d\"],\"starts_ms\":%" PRId64
                   ",\"ends_ms\":%" PRId64 "}",
                   h, from, to);
    if (h == HOSTS)
        (void)snprintf(json, sizeof(json),
                       "{\"matchers\":[\"host=~h.\"],\"starts_ms\":%" PRId64
                       ",\"ends_ms\":%" PRId64 "}",
                       from, to);
    silence(w, false, id, h < 0 ? NULL : json);
    r->v[i].host = h;
    r->v[i].from = from;
    r->v[i].to = to;
}

/* What those outside believe, by the announced records alone. */
static void check(const struct world *w, const struct reference *r)
{
    bool told[HOSTS] = {false};
    size_t i;
    json_t *rec;
    json_array_foreach (w->log, i, rec) {
        const json_t *alarm = json_object_get(rec, "alarm");
        const char *host = text(json_object_get(alarm, "group"), "host");
        bool now = strcmp(text(alarm, "state"), "ALARM") == 0;
        if (!announced(rec))
            continue;
        assert_int_not_equal(told[host[1] - '0'], now); /* never the same twice */
        told[host[1] - '0'] = now;
    }
    for (int h = 0; h < HOSTS; h++)
        assert_int_equal(told[h], r->told[h]);
}

static void test_property(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct world w;
        struct reference r = {0};
        for (unsigned i = 0; i < WINDOWS; i++)
            r.v[i].host = -1;
        world_init(&w);
        for (unsigned step = 0; step < 150; step++) {
            unsigned what = dice(8);
            if (what < 3) {
                flip(&w, &r, (int)dice(HOSTS));
            } else if (what < 5) {
                for (int64_t t = w.ms; t <= w.ms + 1; t++)
                    surface(&r, t);
                change(&w, &r, dice(WINDOWS));
            } else if (what == 5) {
                world_restart(&w);
            } else {
                int64_t to = w.ms + 1 + dice(20);
                for (int64_t t = w.ms; t <= to; t++)
                    surface(&r, t);
                advance(&w, to - w.ms);
            }
            surface(&r, w.ms);
            assert_int_equal(world_idle(&w), HALE_OK);
            world_flush(&w);
            surface(&r, w.ms);
            check(&w, &r);
        }
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a7_silence), cmocka_unit_test(test_a6_maintenance),
        cmocka_unit_test(test_changes),    cmocka_unit_test(test_restart_after_command),
        cmocka_unit_test(test_entity),     cmocka_unit_test(test_labels),
        cmocka_unit_test(test_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
