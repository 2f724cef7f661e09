/* SPDX-License-Identifier: Apache-2.0 */
/* Rules carried out by the correlator: alarms, states and causes that follow, in every order, across
 * restarts, over changed rules and changed topologies. What holds when is test_deduce.c's. */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "model/rule.h"
#include "world.h"

static const char RULES[] = "rules:\n"
                            "- name: nic\n"
                            "  entities: {host: {type: host}, vm: {type: vm}}\n"
                            "  alarms: {nic: {name: nic.down}}\n"
                            "  when: nic on host and host hosts vm\n"
                            "  do:\n  - raise: {name: vm.net, on: vm, severity: HIGH, "
                            "text: no network, cause: nic}\n"
                            "- name: next\n" /* what one rule raises, another sees */
                            "  entities: {vm: {type: vm}, vnf: {type: vnf}}\n"
                            "  alarms: {net: {name: vm.net}}\n"
                            "  when: net on vm and vnf depends_on vm\n"
                            "  do:\n  - raise: {name: vnf.poor, on: vnf, severity: LOW}\n"
                            "- name: pings\n"
                            "  entities: {sw: {type: switch}, vm: {type: vm}}\n"
                            "  alarms: {port: {name: port.down}, ping: {name: vm.ping}}\n"
                            "  when: port on sw and vm depends_on sw and ping on vm\n"
                            "  within: 5m\n"
                            "  do:\n  - cause: {is: port, of: ping}\n"
                            "- name: fire\n"
                            "  entities: {host: {type: host}}\n"
                            "  alarms: {fire: {name: fire}}\n"
                            "  when: fire on host\n"
                            "  do:\n  - state: {on: host, state: down}\n"
                            "- name: hot\n"
                            "  entities: {host: {type: host}}\n"
                            "  alarms: {hot: {name: hot}}\n"
                            "  when: hot on host\n"
                            "  do:\n  - state: {on: host, state: degraded}\n";

/* Each alarm of the one raises the other, which clears it, and so on. */
static const char CIRCLE[] = "rules:\n"
                             "- name: a\n"
                             "  entities: {h: {type: host}}\n"
                             "  alarms: {go: {name: go}, x: {name: x}}\n"
                             "  when: go on h and not x on h\n"
                             "  do:\n  - raise: {name: x, on: h, severity: LOW}\n";

#define TOPOLOGY                                                                         \
    "{\"put\":[{\"type\":\"host\",\"id\":\"h1\"},{\"type\":\"switch\",\"id\":\"s1\","    \
    "\"match\":[{\"switch\":\"s1\"}]},"                                                  \
    "{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h1\"],\"match\":[{\"vm_id\":"   \
    "\"a\"}],\"depends_on\":[{\"group\":\"n\",\"mode\":\"any\",\"on\":[\"switch/s1\","   \
    "\"switch/s2\"]}]},"                                                                 \
    "{\"type\":\"vm\",\"id\":\"b\",\"hosted_by\":[\"host/h1\"],\"match\":[{\"vm_id\":"   \
    "\"b\"}]},"                                                                          \
    "{\"type\":\"vnf\",\"id\":\"f\",\"match\":[{\"vnf_id\":\"f\"}],\"depends_on\":[{"    \
    "\"group\":\"g\",\"mode\":\"all\",\"on\":[\"vm/a\"]}]}]}"

static struct hale_rules *rules_of(const char *text)
{
    struct hale_rules *r = NULL;
    struct hale_err err = {0};
    if (hale_rules_load(hale_str_from(text), "rules", &r, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    return r;
}

/* A restart with other rules, or the same. */
static void use(struct world *w, struct hale_rules **have, const char *text)
{
    struct hale_rules *r = rules_of(text);
    world_flush(w);
    correlator_engine_free(w->e);
    w->limits.rules = r;
    world_boot(w);
    hale_rules_free(*have);
    *have = r;
}

static void topology(struct world *w, const char *json)
{
    json_t *o = json_loads(json, 0, NULL);
    assert_non_null(o);
    assert_int_equal(world_topology(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static void event(struct world *w, const char *type, const char *key, const char *id,
                  const char *severity, const char *status)
{
    json_t *o = json_pack("{s:s,s:s,s:{s:s},s:s,s:I}", "type", type, "status", status,
                          "dimensions", key, id, "severity", severity, "time_ms",
                          (json_int_t)w->ms);
    assert_int_equal(world_event(w, o), HALE_OK);
    world_flush(w);
    json_decref(o);
}

static json_t *find(const struct world *w, const char *name, const char *value)
{
    const char *id, *key;
    json_t *text, *v;
    json_object_foreach (w->tables[CORRELATOR_ALARMS], id, text) {
        json_t *a = json_loads(json_string_value(text), 0, NULL);
        bool fits =
            strcmp(json_string_value(json_object_get(a, "definition_name")), name) == 0;
        json_object_foreach (json_object_get(a, "group"), key, v)
            fits &= strcmp(json_string_value(v), value) == 0;
        if (fits)
            return a;
        json_decref(a);
    }
    return NULL;
}

/* "ALARM", "OK", or "none"; with a * when it is suppressed, and the number of its causes. */
static void is(const struct world *w, const char *name, const char *value,
               const char *wanted)
{
    char got[64] = "none";
    json_t *a = find(w, name, value);
    if (a != NULL) {
        json_t *life = json_object_get(a, "life");
        size_t n = json_array_size(json_object_get(life, "causes"));
        (void)snprintf(
            got, sizeof(got), "%s%s", json_string_value(json_object_get(a, "state")),
            json_array_size(json_object_get(life, "suppressed_by")) > 0 ? "*" : "");
        if (n > 0 && strcmp(got, "OK") != 0)
            (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%zu", n);
    }
    json_decref(a);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s of %s: got %s, wanted %s", name, value, got, wanted);
}

static size_t announced(const struct world *w, const char *name)
{
    size_t i, n = 0;
    const json_t *r;
    json_array_foreach (w->log, i, r) {
        const json_t *v = json_object_get(r, "announce");
        bool told = v != NULL ? json_is_true(v)
                              : strcmp(json_string_value(json_object_get(r, "kind")),
                                       "transition") == 0;
        n += told && strcmp(json_string_value(json_object_get(json_object_get(r, "alarm"),
                                                              "definition_name")),
                            name) == 0;
    }
    return n;
}

static void deduced_alarms(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, RULES);
    topology(&w, TOPOLOGY);
    event(&w, "nic.down", "hostname", "h1", "MEDIUM", "raise");
    is(&w, "vm.net", "a", "ALARM*1"); /* its cause explains it: nobody is told */
    is(&w, "vm.net", "b", "ALARM*1");
    is(&w, "vnf.poor", "f", "ALARM");
    assert_int_equal(announced(&w, "vm.net"), 0);
    assert_int_equal(announced(&w, "nic.down"), 1);
    json_t *a = find(&w, "vm.net", "a");
    assert_non_null(
        strstr(json_string_value(json_object_get(a, "reason")), "no network"));
    assert_string_equal(json_string_value(json_object_get(a, "severity")), "HIGH");
    json_decref(a);
    event(&w, "nic.down", "hostname", "h1", "MEDIUM", "clear");
    is(&w, "vm.net", "a", "OK");
    is(&w, "vm.net", "b", "OK");
    is(&w, "vnf.poor", "f", "OK");
    assert_int_equal(announced(&w, "vm.net"), 0);
    assert_int_equal(announced(&w, "vnf.poor"), 2);
    world_fini(&w);
    hale_rules_free(rules);
}

/* Between any two inputs the correlator may be killed: the same records follow. */
static void restarts_change_nothing(void **state)
{
    (void)state;
    json_t *log[2] = {NULL, NULL};
    for (unsigned round = 0; round < 2; round++) {
        struct world w;
        struct hale_rules *rules = NULL;
        world_init(&w);
        use(&w, &rules, RULES);
        for (unsigned step = 0; step < 10; step++) {
            switch (step) {
            case 0: topology(&w, TOPOLOGY); break;
            case 1: event(&w, "nic.down", "hostname", "h1", "MEDIUM", "raise"); break;
            case 2: event(&w, "port.down", "switch", "s1", "HIGH", "raise"); break;
            case 3: event(&w, "vm.ping", "vm_id", "a", "HIGH", "raise"); break;
            case 4: event(&w, "hot", "hostname", "h1", "LOW", "raise"); break;
            case 5:
                topology(&w, "{\"put\":[{\"type\":\"vm\",\"id\":\"c\",\"hosted_by\":["
                             "\"host/h1\"],\"match\":[{\"vm_id\":\"c\"}]}]}");
                break;
            case 6: topology(&w, "{\"delete\":[\"vm/b\"]}"); break;
            case 7: event(&w, "nic.down", "hostname", "h1", "MEDIUM", "clear"); break;
            case 8: event(&w, "fire", "hostname", "h1", "HIGH", "raise"); break;
            default: event(&w, "fire", "hostname", "h1", "HIGH", "clear"); break;
            }
            if (round == 1)
                world_restart(&w);
        }
        is(&w, "vm.net", "c", "OK");
        is(&w, "vm.net", "b", "OK");
        is(&w, "vm.ping", "a", "ALARM*1");
        is(&w, "hale.state.degraded", "h1", "ALARM*1");
        is(&w, "hale.state.down", "h1", "OK");
        log[round] = json_incref(w.log);
        world_fini(&w);
        hale_rules_free(rules);
    }
    for (size_t i = 0; i < json_array_size(log[0]) || i < json_array_size(log[1]); i++) {
        if (!json_equal(json_array_get(log[0], i), json_array_get(log[1], i)))
            fail_msg(
                "record %zu: %s\nnot %s", i,
                json_dumps(json_array_get(log[1], i), JSON_SORT_KEYS | JSON_ENCODE_ANY),
                json_dumps(json_array_get(log[0], i), JSON_SORT_KEYS | JSON_ENCODE_ANY));
    }
    json_decref(log[0]);
    json_decref(log[1]);
}

static void deduced_causes(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        struct world w;
        struct hale_rules *rules = NULL;
        world_init(&w);
        use(&w, &rules, RULES);
        topology(&w, TOPOLOGY);
        if (first == 0)
            event(&w, "port.down", "switch", "s1", "HIGH", "raise");
        event(&w, "vm.ping", "vm_id", "a", "HIGH", "raise");
        if (first == 1)
            event(&w, "port.down", "switch", "s1", "HIGH", "raise");
        is(&w, "vm.ping", "a", "ALARM*1");
        assert_int_equal(announced(&w, "vm.ping"), first);
        event(&w, "port.down", "switch", "s1", "HIGH", "clear");
        is(&w, "vm.ping", "a", "ALARM*1"); /* until it is looked at again */
        event(&w, "vm.ping", "vm_id", "a", "HIGH", "raise");
        is(&w, "vm.ping", "a", "ALARM1");
        assert_int_equal(announced(&w, "vm.ping"), 1);
        world_fini(&w);
        hale_rules_free(rules);
    }
}

/* Ten minutes apart: none explains the other. */
static void causes_lie_in_a_window(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, RULES);
    topology(&w, TOPOLOGY);
    event(&w, "port.down", "switch", "s1", "HIGH", "raise");
    w.ms += 600000;
    event(&w, "vm.ping", "vm_id", "a", "HIGH", "raise");
    is(&w, "vm.ping", "a", "ALARM");
    world_fini(&w);
    hale_rules_free(rules);
}

static void deduced_states(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, RULES);
    topology(&w, TOPOLOGY);
    event(&w, "vm.ping", "vm_id", "b", "HIGH", "raise");
    event(&w, "fire", "hostname", "h1", "HIGH", "raise");
    /* The host is down by that, its VM's alarm a symptom; of all only the fire is told, and before it the
     * ping, as nothing was known then. */
    is(&w, "hale.state.down", "h1", "ALARM*1");
    is(&w, "vm.ping", "b", "ALARM*1");
    assert_int_equal(announced(&w, "hale.state.down"), 0);
    event(&w, "fire", "hostname", "h1", "HIGH", "clear");
    is(&w, "hale.state.down", "h1", "OK");
    event(&w, "hot", "hostname", "h1", "LOW", "raise");
    is(&w, "hale.state.degraded", "h1", "ALARM*1");
    event(&w, "hot", "hostname", "h1", "LOW", "clear");
    is(&w, "hale.state.degraded", "h1", "OK");
    world_fini(&w);
    hale_rules_free(rules);
}

static void the_topology_changes(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, RULES);
    event(&w, "nic.down", "hostname", "h1", "MEDIUM", "raise");
    topology(&w, TOPOLOGY); /* the alarm was there first */
    is(&w, "vm.net", "a", "ALARM*1");
    topology(&w,
             "{\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[\"host/h2\"]}]}");
    is(&w, "vm.net", "a", "OK"); /* it has moved away */
    is(&w, "vnf.poor", "f", "OK");
    is(&w, "vm.net", "b", "ALARM*1");
    topology(&w, "{\"delete\":[\"host/h1\"]}");
    is(&w, "vm.net", "b", "OK");
    is(&w, "nic.down", "h1", "OK");
    world_fini(&w);
    hale_rules_free(rules);
}

static void the_rules_change(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, RULES);
    topology(&w, TOPOLOGY);
    event(&w, "nic.down", "hostname", "h1", "MEDIUM", "raise");
    is(&w, "vnf.poor", "f", "ALARM");
    use(&w, &rules, "rules: []\n");
    event(&w, "other", "x", "y", "LOW", "raise"); /* the next input completes it */
    is(&w, "vm.net", "a", "OK");
    is(&w, "vnf.poor", "f", "OK");
    use(&w, &rules, RULES);
    event(&w, "other", "x", "y", "LOW", "clear");
    is(&w, "vm.net", "a", "ALARM*1");
    is(&w, "vnf.poor", "f", "ALARM");
    world_fini(&w);
    hale_rules_free(rules);
}

static void rules_in_a_circle_are_cut(void **state)
{
    (void)state;
    struct world w;
    struct hale_rules *rules = NULL;
    world_init(&w);
    use(&w, &rules, CIRCLE);
    topology(&w, TOPOLOGY);
    event(&w, "go", "hostname", "h1", "LOW", "raise");
    assert_int_equal(correlator_engine_stats(w.e)->rules_cut, 1);
    assert_true(json_array_size(w.log) < 3 * COR_RULES_STEPS);
    event(&w, "go", "hostname", "h1", "LOW", "clear");
    is(&w, "x", "h1", "OK");
    world_fini(&w);
    hale_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deduced_alarms),
        cmocka_unit_test(deduced_causes),
        cmocka_unit_test(causes_lie_in_a_window),
        cmocka_unit_test(deduced_states),
        cmocka_unit_test(the_topology_changes),
        cmocka_unit_test(the_rules_change),
        cmocka_unit_test(restarts_change_nothing),
        cmocka_unit_test(rules_in_a_circle_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
