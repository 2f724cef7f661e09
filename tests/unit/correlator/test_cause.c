/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and symptoms: the traps T1-T5, T9 and T10, each in every order. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

static size_t told_from; /* records before it are not looked at */

static void start(struct world *w)
{
    world_init(w);
    told_from = 0;
}

/* --- what happens -------------------------------------------------------------------- */

static void topology(struct world *w, const char *json)
{
    json_t *o = json_loads(json, 0, NULL);
    assert_non_null(o);
    assert_int_equal(world_topology(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

/* An event of (type, {key: id}); severity NULL: CRITICAL. */
static void event(struct world *w, const char *type, const char *key, const char *id,
                  const char *severity, const char *status)
{
    json_t *o =
        json_pack("{s:s,s:s,s:{s:s},s:s,s:I}", "type", type, "status", status,
                  "dimensions", key, id, "severity",
                  severity != NULL ? severity : "CRITICAL", "time_ms", (json_int_t)w->ms);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void host(struct world *w, const char *id, const char *status)
{
    event(w, "host.down", "hostname", id, NULL, status);
}

static void vm(struct world *w, const char *id, const char *status)
{
    event(w, "vm.ping", "vm_id", id, "HIGH", status);
}

static void definition(struct world *w, const char *id, const char *expression,
                       const char *match_by, const char *severity)
{
    json_t *o = json_pack("{s:s,s:s,s:[s],s:s}", "id", id, "expression", expression,
                          "match_by", match_by, "severity", severity);
    assert_int_equal(world_define(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

/* A report of the check's sub-alarm for the group; its window ends end_ms. */
static void report(struct world *w, const char *def, const char *key, const char *value,
                   const char *kind, const char *state, int64_t end_ms)
{
    json_t *o = json_pack(
        "{s:s,s:s,s:s,s:{s:s},s:I,s:{s:I,s:I},s:[{s:s,s:{s:s}}]}", "definition_id", def,
        "kind", kind, "state", state, "group", key, value, "at_ms", (json_int_t)w->ms + 1,
        "window", "start_ms", (json_int_t)(end_ms - 60000), "end_ms", (json_int_t)end_ms,
        "metrics", "name", "m", "dimensions", key, value);
    assert_int_equal(world_sub(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

/* host.alive of the host h, CRITICAL, period 60 s; it is OK and its windows end at now + n * 60 s. */
static void check_of(struct world *w, const char *h)
{
    definition(w, "alive", "avg(m) > 0", "hostname", "CRITICAL");
    report(w, "alive", "hostname", h, "create", "UNDETERMINED", w->ms);
    report(w, "alive", "hostname", h, "state", "OK", w->ms);
    told_from = json_array_size(w->log);
}

static void later(struct world *w, int64_t ms)
{
    w->ms += ms;
    assert_int_equal(world_idle(w), HALE_OK);
    world_flush(w);
}

#define HOST1                                                                            \
    "{\"put\":[{\"type\":\"host\",\"id\":\"h1\"},"                                       \
    "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h1\"]},"                        \
    "{\"type\":\"vm\",\"id\":\"b\",\"hosted_by\":[\"host/h1\"]}]}"
#define UPLINKS                                                                          \
    "{\"put\":[{\"type\":\"switch\",\"id\":\"s1\"},{\"type\":\"switch\",\"id\":\"s2\"}," \
    "{\"type\":\"vm\",\"id\":\"a\",\"depends_on\":[{\"group\":\"net\",\"mode\":\"any\"," \
    "\"on\":[\"switch/s1\",\"switch/s2\"]}]}]}"

/* --- what is seen -------------------------------------------------------------------- */

static const char *name_of(const json_t *alarm)
{
    static char text[128];
    const char *key;
    json_t *v;
    (void)snprintf(text, sizeof(text), "%s",
                   json_string_value(json_object_get(alarm, "definition_name")));
    json_object_foreach (json_object_get(alarm, "group"), key, v)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ":%s",
                       json_string_value(v));
    return text;
}

static bool announced(const json_t *r)
{
    const json_t *v = json_object_get(r, "announce");
    const char *kind = json_string_value(json_object_get(r, "kind"));
    return v != NULL ? json_is_true(v) : strcmp(kind, "transition") == 0;
}

/* What those outside were told: "host.down:h1=ALARM ". */
static const char *told(const struct world *w)
{
    static char text[2048];
    size_t i;
    const json_t *r;
    text[0] = '\0';
    json_array_foreach (w->log, i, r) {
        const json_t *a = json_object_get(r, "alarm");
        if (i >= told_from && announced(r))
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s ",
                           name_of(a), json_string_value(json_object_get(a, "state")));
    }
    return text;
}

/* The row of the alarm. */
static json_t *row(const struct world *w, const char *name)
{
    const char *id;
    json_t *v;
    json_object_foreach (w->tables[CORRELATOR_ALARMS], id, v) {
        json_t *a = json_loads(json_string_value(v), 0, NULL);
        if (strcmp(name_of(a), name) == 0)
            return a;
        json_decref(a);
    }
    fail_msg("no alarm %s", name);
    return NULL;
}

static const char *life_text(const struct world *w, const char *name, const char *key)
{
    static char text[2048];
    json_t *a = row(w, name);
    const json_t *v = json_object_get(json_object_get(a, "life"), key);
    char *dump = v != NULL ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("");
    (void)snprintf(text, sizeof(text), "%s", dump);
    free(dump);
    json_decref(a);
    return text;
}

static const char *id_of(const struct world *w, const char *name)
{
    static char text[HALE_UUID_TEXT];
    json_t *a = row(w, name);
    (void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(a, "id")));
    json_decref(a);
    return text;
}

/* Is it muted by that alarm? */
static bool muted_by(const struct world *w, const char *name, const char *kind,
                     const char *cause)
{
    json_t *a = row(w, name);
    size_t i;
    const json_t *m;
    bool found = false;
    json_array_foreach (json_object_get(json_object_get(a, "life"), "suppressed_by"), i,
                        m)
        found |= strcmp(json_string_value(json_object_get(m, "kind")), kind) == 0 &&
                 (cause == NULL || strcmp(json_string_value(json_object_get(m, "id")),
                                          id_of(w, cause)) == 0);
    json_decref(a);
    return found;
}

static const char *last_reason(const struct world *w)
{
    const json_t *r = json_array_get(w->log, json_array_size(w->log) - 1);
    return json_string_value(json_object_get(json_object_get(r, "alarm"), "reason"));
}

/* --- parent first, child first ------------------------------------------------------- */

static void test_parent_first(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    vm(&w, "b", "raise");
    assert_string_equal(told(&w), "host.down:h1=ALARM ");
    /* T10: the transition itself has the verdict. */
    const json_t *r = json_array_get(w.log, 3);
    assert_string_equal(json_string_value(json_object_get(r, "kind")), "transition");
    assert_int_equal(json_array_size(json_object_get(
                         json_object_get(json_object_get(r, "alarm"), "life"), "causes")),
                     1);
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "2");
    assert_string_equal(life_text(&w, "host.down:h1", "root_cause"), "true");
    assert_string_equal(life_text(&w, "vm.ping:b", "root_entity"),
                        "{\"type\":\"host\",\"id\":\"h1\"}");
    assert_string_equal(life_text(&w, "vm.ping:b", "root_cause"), "");
    assert_string_equal(life_text(&w, "vm.ping:b", "entity"),
                        "{\"type\":\"vm\",\"id\":\"b\"}");
    world_fini(&w);
}

/* Without a check on the host nothing is held: told at once, marked later, and whoever was told of the
 * raise is told of the end. */
static void test_child_first_events(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    vm(&w, "a", "raise");
    assert_string_equal(told(&w), "vm.ping:a=ALARM ");
    host(&w, "h1", "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    vm(&w, "a", "clear");
    host(&w, "h1", "clear");
    assert_string_equal(told(&w), "vm.ping:a=ALARM host.down:h1=ALARM vm.ping:a=OK "
                                  "host.down:h1=OK ");
    /* the link outlives both */
    json_t *a = row(&w, "vm.ping:a");
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(json_object_get(a, "life"), "causes"), 0)),
                        id_of(&w, "host.down:h1"));
    json_decref(a);
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "1");
    vm(&w, "a", "raise"); /* a new onset: nothing explains it */
    assert_string_equal(life_text(&w, "vm.ping:a", "causes"), "");
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "");
    world_fini(&w);
}

/* T1: a child waits while the check above was not looked at. */
static void test_hold_then_cause(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    check_of(&w, "h1");
    later(&w, 10000);
    vm(&w, "a", "raise");
    assert_string_equal(told(&w), "");
    assert_true(muted_by(&w, "vm.ping:a", "hold", "alive:h1"));
    later(&w, 40000);
    report(&w, "alive", "hostname", "h1", "state", "ALARM", w.ms);
    assert_string_equal(told(&w), "alive:h1=ALARM ");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "alive:h1"));
    assert_false(muted_by(&w, "vm.ping:a", "hold", NULL));
    later(&w, 500000);
    assert_string_equal(told(&w), "alive:h1=ALARM ");
    world_fini(&w);
}

static void test_hold_until_looked_at(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    check_of(&w, "h1");
    later(&w, 10000);
    vm(&w, "a", "raise"); /* closes 50 s later, 30 s for late samples, 1 s on the way */
    later(&w, 80000);
    assert_string_equal(told(&w), "");
    later(&w, 2000);
    assert_string_equal(told(&w), "vm.ping:a=ALARM ");
    assert_non_null(strstr(last_reason(&w), "surfaced by end of hold"));
    /* A report that says that the host is fine ends it at once. */
    vm(&w, "b", "raise");
    assert_true(muted_by(&w, "vm.ping:b", "hold", "alive:h1"));
    report(&w, "alive", "hostname", "h1", "state", "OK", w.ms);
    assert_string_equal(told(&w), "vm.ping:a=ALARM vm.ping:b=ALARM ");
    /* It came and went while it waited: nobody hears of it. */
    vm(&w, "b", "clear");
    vm(&w, "b", "raise");
    vm(&w, "b", "clear");
    later(&w, 200000);
    assert_string_equal(told(&w), "vm.ping:a=ALARM vm.ping:b=ALARM vm.ping:b=OK ");
    world_fini(&w);
}

/* No hold without a check above: on the host itself, on one that stands elsewhere. */
static void test_no_hold(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    topology(&w, "{\"put\":[{\"type\":\"host\",\"id\":\"h2\"},"
                 "{\"type\":\"vm\",\"id\":\"c\",\"hosted_by\":[\"host/h2\"]}]}");
    check_of(&w, "h1");
    vm(&w, "c", "raise");
    event(&w, "fan", "hostname", "h1", "LOW", "raise");
    assert_string_equal(told(&w), "vm.ping:c=ALARM fan:h1=ALARM ");
    w.e->limits.hold_max_ms = 0;
    vm(&w, "a", "raise");
    assert_string_equal(told(&w), "vm.ping:c=ALARM fan:h1=ALARM vm.ping:a=ALARM ");
    world_fini(&w);
}

/* The check above is deleted while somebody waits for it. */
static void test_hold_check_deleted(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    check_of(&w, "h1");
    vm(&w, "a", "raise");
    assert_int_equal(world_undefine(&w, "alive"), HALE_OK);
    world_flush(&w);
    assert_string_equal(told(&w), "vm.ping:a=ALARM ");
    world_fini(&w);
}

/* --- the parent clears first --------------------------------------------------------- */

static void test_parent_clears_first(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    vm(&w, "b", "raise");
    host(&w, "h1", "clear");
    later(&w, 20000);
    vm(&w, "a", "clear"); /* in time: never heard of */
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK ");
    assert_true(muted_by(&w, "vm.ping:b", "cause", "host.down:h1"));
    later(&w, 39000);
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK ");
    later(&w, 2000);
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK vm.ping:b=ALARM ");
    assert_non_null(
        strstr(last_reason(&w), "still failing after recovery of host.down (host/h1)"));
    later(&w, 100000);
    vm(&w, "b", "clear");
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK vm.ping:b=ALARM "
                                  "vm.ping:b=OK ");
    world_fini(&w);
}

/* A monitor that looks again and says so ends the wait. */
static void test_looked_at_after_clear(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    vm(&w, "a", "raise"); /* before the clear: says nothing */
    host(&w, "h1", "clear");
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK ");
    vm(&w, "a", "raise");
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK vm.ping:a=ALARM ");
    world_fini(&w);
}

/* Of a metric alarm: two periods, the wait for late samples, and a second. */
static void test_metric_clear_hold(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    definition(&w, "ping", "avg(m) > 0", "vm_id", "HIGH");
    report(&w, "ping", "vm_id", "a", "create", "UNDETERMINED", w.ms);
    host(&w, "h1", "raise");
    report(&w, "ping", "vm_id", "a", "state", "ALARM", w.ms);
    host(&w, "h1", "clear");
    later(&w, 150000);
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK ");
    later(&w, 2000);
    assert_string_equal(told(&w), "host.down:h1=ALARM host.down:h1=OK ping:a=ALARM ");
    world_fini(&w);
}

/* The cause is back before the symptom was looked at. */
static void test_cause_flaps(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    host(&w, "h1", "clear");
    host(&w, "h1", "raise");
    later(&w, 500000);
    assert_string_equal(told(&w),
                        "host.down:h1=ALARM host.down:h1=OK host.down:h1=ALARM ");
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "1");
    assert_string_equal(life_text(&w, "vm.ping:a", "cause_ended_ms"), "");
    world_fini(&w);
}

/* --- several parents ----------------------------------------------------------------- */

/* T3, A3: one of two uplinks is not enough, both are, and one back ends it after a look. */
static void test_any_of(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, UPLINKS);
    event(&w, "switch.down", "switch_id", "s1", NULL, "raise");
    vm(&w, "a", "raise");
    assert_string_equal(told(&w), "switch.down:s1=ALARM vm.ping:a=ALARM ");
    assert_string_equal(life_text(&w, "vm.ping:a", "causes"), "");
    vm(&w, "a", "clear");
    event(&w, "switch.down", "switch_id", "s2", NULL, "raise");
    vm(&w, "a", "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "switch.down:s1"));
    assert_true(muted_by(&w, "vm.ping:a", "cause", "switch.down:s2"));
    event(&w, "switch.down", "switch_id", "s1", NULL, "clear");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "switch.down:s2"));
    size_t n = json_array_size(w.log);
    vm(&w, "a", "raise"); /* looked at: still bad */
    assert_int_equal(json_array_size(w.log), n + 1);
    assert_false(muted_by(&w, "vm.ping:a", "cause", NULL));
    assert_non_null(strstr(last_reason(&w), "still failing after"));
    world_fini(&w);
}

/* What is named is the cause that ended, whichever of the two, not the one that is still there. */
static void test_any_of_names_the_end(void **state)
{
    static const char *const switches[] = {"s1", "s2"};
    (void)state;
    for (unsigned looked = 0; looked < 2; looked++) {
        for (unsigned i = 0; i < 2; i++) {
            struct world w;
            char want[80];
            start(&w);
            topology(&w, UPLINKS);
            event(&w, "switch.down", "switch_id", "s1", NULL, "raise");
            event(&w, "switch.down", "switch_id", "s2", NULL, "raise");
            vm(&w, "a", "raise");
            event(&w, "switch.down", "switch_id", switches[i], NULL, "clear");
            if (looked != 0)
                vm(&w, "a", "raise");
            else
                later(&w, 61000);
            (void)snprintf(want, sizeof(want),
                           "still failing after recovery of switch.down (switch/%s)",
                           switches[i]);
            assert_non_null(strstr(last_reason(&w), want));
            world_fini(&w);
        }
    }
}

/* All-of: either explains it; while one of them is left it stays muted. */
static void test_all_of(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    topology(&w, "{\"put\":[{\"type\":\"disk\",\"id\":\"d\"},"
                 "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h1\"],"
                 "\"depends_on\":[{\"group\":\"store\",\"mode\":\"all\","
                 "\"on\":[\"disk/d\"]}]}]}");
    host(&w, "h1", "raise");
    event(&w, "disk.down", "disk_id", "d", NULL, "raise");
    vm(&w, "a", "raise");
    host(&w, "h1", "clear");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "disk.down:d"));
    assert_false(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    later(&w, 900000);
    vm(&w, "a", "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "disk.down:d"));
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "");
    assert_string_equal(life_text(&w, "disk.down:d", "symptoms"), "1");
    world_fini(&w);
}

/* A chain: the root is named, and found whichever comes first. */
static void test_chain(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, "{\"put\":[{\"type\":\"switch\",\"id\":\"s1\"},"
                 "{\"type\":\"host\",\"id\":\"h1\",\"depends_on\":[{\"group\":\"n\","
                 "\"mode\":\"all\",\"on\":[\"switch/s1\"]}]},"
                 "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h1\"]}]}");
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    event(&w, "switch.down", "switch_id", "s1", NULL, "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "switch.down:s1"));
    assert_false(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    assert_true(muted_by(&w, "host.down:h1", "cause", "switch.down:s1"));
    assert_string_equal(life_text(&w, "switch.down:s1", "symptoms"), "2");
    assert_string_equal(life_text(&w, "host.down:h1", "symptoms"), "");
    event(&w, "switch.down", "switch_id", "s1", NULL, "clear");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    assert_true(
        muted_by(&w, "host.down:h1", "cause", "switch.down:s1")); /* for a while */
    world_fini(&w);
}

/* In a cycle of dependencies the first one is the cause, and somebody is told. */
static void test_cycle(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, "{\"put\":[{\"type\":\"host\",\"id\":\"h1\",\"connects\":[\"host/h2\"]},"
                 "{\"type\":\"host\",\"id\":\"h2\",\"connects\":[\"host/h1\"]}]}");
    host(&w, "h1", "raise");
    host(&w, "h2", "raise");
    assert_string_equal(told(&w), "host.down:h1=ALARM ");
    assert_true(muted_by(&w, "host.down:h2", "cause", "host.down:h1"));
    assert_string_equal(life_text(&w, "host.down:h1", "causes"), "");
    world_fini(&w);
}

/* A lesser alarm on the failed entity itself is a symptom; another one that claims is not. */
static void test_same_entity(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    event(&w, "cpu", "hostname", "h1", "MEDIUM", "raise");
    host(&w, "h1", "raise");
    event(&w, "fan", "hostname", "h1", "LOW", "raise");
    event(&w, "agent.lost", "hostname", "h1", NULL, "raise");
    assert_string_equal(told(&w), "cpu:h1=ALARM host.down:h1=ALARM agent.lost:h1=ALARM ");
    assert_true(muted_by(&w, "fan:h1", "cause", "host.down:h1"));
    assert_true(muted_by(&w, "cpu:h1", "cause", "agent.lost:h1"));
    world_fini(&w);
}

/* A fault that is much older has a cause of its own. */
static void test_window(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    vm(&w, "a", "raise");
    later(&w, 500000);
    vm(&w, "b", "raise");
    later(&w, 200000);
    host(&w, "h1", "raise");
    assert_false(muted_by(&w, "vm.ping:a", "cause", NULL));
    assert_true(muted_by(&w, "vm.ping:b", "cause", "host.down:h1"));
    world_fini(&w);
}

/* --- impact -------------------------------------------------------------------------- */

static void test_impact(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise");
    event(&w, "host.down", "hostname", "h1", "HIGH",
          "raise"); /* not that bad after all */
    assert_false(hale_vertex_failed(
        hale_graph_find(cor_topology_graph(w.e->topology, "t"), HALE_STR("host/h1")),
        HALE_GRAPH_DOWN));
    assert_non_null(strstr(life_text(&w, "vm.ping:a", "suppressed_by"), "until_ms"));
    json_t *o = json_pack("{s:s,s:{s:s},s:s,s:{s:s},s:I}", "type", "slow", "dimensions",
                          "hostname", "h1", "severity", "LOW", "details", "impact",
                          "down", "time_ms", (json_int_t)w.ms);
    assert_int_equal(world_event(&w, o), HALE_OK);
    world_flush(&w);
    json_decref(o);
    assert_true(muted_by(&w, "vm.ping:a", "cause", "slow:h1"));
    world_fini(&w);
}

/* The definition says it, and may say something else later. */
static void test_impact_of_definition(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    definition(&w, "alive", "avg(m) > 0", "hostname", "LOW");
    report(&w, "alive", "hostname", "h1", "create", "UNDETERMINED", w.ms);
    report(&w, "alive", "hostname", "h1", "state", "ALARM", w.ms);
    vm(&w, "a", "raise");
    assert_false(muted_by(&w, "vm.ping:a", "cause", NULL));
    json_t *o = json_pack("{s:s,s:s,s:[s],s:s,s:s,s:i}", "id", "alive", "expression",
                          "avg(m) > 0", "match_by", "hostname", "severity", "LOW",
                          "impact", "down", "version", 2);
    assert_int_equal(world_define(&w, o), HALE_OK);
    world_flush(&w);
    json_decref(o);
    assert_true(muted_by(&w, "vm.ping:a", "cause", "alive:h1"));
    assert_int_equal(world_undefine(&w, "alive"), HALE_OK);
    world_flush(&w);
    later(&w, 61000);
    assert_false(muted_by(&w, "vm.ping:a", "cause", NULL));
    world_fini(&w);
}

/* --- the topology changes ------------------------------------------------------------ */

static void test_topology_changes(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    host(&w, "h1", "raise");
    vm(&w, "a", "raise"); /* before anything is known of them */
    topology(&w, HOST1);
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h1"));
    topology(&w,
             "{\"put\":[{\"type\":\"host\",\"id\":\"h2\"}],"
             "\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h2\"]}]}");
    assert_non_null(strstr(life_text(&w, "vm.ping:a", "suppressed_by"),
                           "end of the dependency on host.down (host/h1)"));
    vm(&w, "a", "clear");
    host(&w, "h2", "raise");
    vm(&w, "a", "raise");
    assert_true(muted_by(&w, "vm.ping:a", "cause", "host.down:h2"));
    /* The VM is known by another name now. */
    topology(&w,
             "{\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"match\":[{\"x\":\"y\"}]}]}");
    assert_string_equal(life_text(&w, "vm.ping:a", "entity"), "");
    world_fini(&w);
}

/* An event alarm ends with its entity; one by metrics if it has no data. */
static void test_object_gone(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    definition(&w, "ping", "avg(m) > 0", "vm_id", "HIGH");
    report(&w, "ping", "vm_id", "a", "create", "UNDETERMINED", w.ms);
    report(&w, "ping", "vm_id", "a", "state", "ALARM", w.ms);
    vm(&w, "a", "raise");
    vm(&w, "b", "raise");
    topology(&w, "{\"delete\":[\"vm/a\"]}");
    assert_string_equal(told(&w),
                        "ping:a=ALARM vm.ping:a=ALARM vm.ping:b=ALARM vm.ping:a=OK ");
    assert_string_equal(last_reason(&w),
                        "Object gone: vm/a was deleted from the topology");
    host(&w, "h1", "raise");
    topology(&w, "{\"delete\":[\"host/h1\"]}"); /* its symptoms are free */
    assert_non_null(strstr(life_text(&w, "vm.ping:b", "suppressed_by"), "until_ms"));
    world_fini(&w);
}

static void test_gone_without_data(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    definition(&w, "ping", "avg(m) > 0", "vm_id", "HIGH");
    report(&w, "ping", "vm_id", "a", "create", "UNDETERMINED", w.ms);
    report(&w, "ping", "vm_id", "a", "state", "OK", w.ms);
    report(&w, "ping", "vm_id", "a", "state", "UNDETERMINED", w.ms);
    topology(&w, "{\"delete\":[\"vm/a\"]}");
    assert_string_equal(told(&w), "ping:a=OK ping:a=UNDETERMINED ping:a=OK ");
    world_fini(&w);
}

static void test_maintenance(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    topology(&w,
             "{\"patch\":[{\"type\":\"host\",\"id\":\"h1\",\"state\":\"maintenance\"}]}");
    vm(&w, "a", "raise");
    event(&w, "fan", "hostname", "h1", "LOW", "raise");
    vm(&w, "b", "raise");
    vm(&w, "b", "clear");
    assert_string_equal(told(&w), "");
    assert_non_null(
        strstr(life_text(&w, "vm.ping:a", "suppressed_by"), "entity:host/h1"));
    topology(&w, "{\"patch\":[{\"type\":\"host\",\"id\":\"h1\",\"state\":\"up\"}]}");
    /* T7: what is still there is told once, what came and went is not */
    assert_int_equal(strlen(told(&w)), strlen("vm.ping:a=ALARM fan:h1=ALARM "));
    assert_non_null(
        strstr(last_reason(&w), "surfaced by end of maintenance entity:host/h1"));
    world_fini(&w);
}

/* T9: nothing in common is nothing in common. */
static void test_no_match(void **state)
{
    struct world w;
    (void)state;
    start(&w);
    topology(&w, HOST1);
    event(&w, "down", "rack", "r1", NULL, "raise");
    event(&w, "down", "hostname", "", NULL, "raise");
    event(&w, "ping", "vm_id", "", "LOW", "raise");
    assert_string_equal(told(&w), "down:r1=ALARM down:=ALARM ping:=ALARM ");
    assert_string_equal(life_text(&w, "down:r1", "entity"), "");
    assert_string_equal(life_text(&w, "down:", "entity"), "");
    world_fini(&w);
}

/* --- many ---------------------------------------------------------------------------- */

static void test_many(void **state)
{
    struct world w;
    char id[32];
    (void)state;
    start(&w);
    w.limits.max_alarms = 3000;
    world_restart(&w);
    json_t *put = json_array();
    json_array_append_new(put, json_pack("{s:s,s:s}", "type", "host", "id", "h1"));
    for (int i = 0; i < 900; i++) {
        (void)snprintf(id, sizeof(id), "v%04d", i);
        json_array_append_new(put, json_pack("{s:s,s:s,s:[s]}", "type", "vm", "id", id,
                                             "hosted_by", "host/h1"));
    }
    json_t *o = json_pack("{s:o}", "put", put);
    assert_int_equal(world_topology(&w, o), HALE_OK);
    json_decref(o);
    for (int i = 0; i < 900; i++) {
        (void)snprintf(id, sizeof(id), "v%04d", i);
        vm(&w, id, "raise");
    }
    size_t before = json_array_size(w.log);
    host(&w, "h1", "raise");
    /* created, transition, 900 marked, and one more of the root */
    assert_int_equal(json_array_size(w.log), before + 903);
    const json_t *last = json_object_get(
        json_object_get(json_array_get(w.log, before + 902), "alarm"), "life");
    assert_int_equal(json_integer_value(json_object_get(last, "symptoms")), 900);
    assert_int_equal(json_array_size(json_object_get(last, "correlated")), 900);
    before = json_array_size(w.log);
    for (int i = 0; i < 900; i++) {
        (void)snprintf(id, sizeof(id), "v%04d", i);
        vm(&w, id, "clear");
    }
    host(&w, "h1", "clear");
    assert_int_equal(json_array_size(w.log), before + 901);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parent_first),
        cmocka_unit_test(test_child_first_events),
        cmocka_unit_test(test_hold_then_cause),
        cmocka_unit_test(test_hold_until_looked_at),
        cmocka_unit_test(test_no_hold),
        cmocka_unit_test(test_hold_check_deleted),
        cmocka_unit_test(test_parent_clears_first),
        cmocka_unit_test(test_looked_at_after_clear),
        cmocka_unit_test(test_metric_clear_hold),
        cmocka_unit_test(test_cause_flaps),
        cmocka_unit_test(test_any_of),
        cmocka_unit_test(test_any_of_names_the_end),
        cmocka_unit_test(test_all_of),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_cycle),
        cmocka_unit_test(test_same_entity),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_impact),
        cmocka_unit_test(test_impact_of_definition),
        cmocka_unit_test(test_topology_changes),
        cmocka_unit_test(test_object_gone),
        cmocka_unit_test(test_gone_without_data),
        cmocka_unit_test(test_maintenance),
        cmocka_unit_test(test_no_match),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
