/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/policy_guards.h"
#include "base/clock.h"

static enum hale_rc load(const char *guards, struct actuator_guard_rules *out,
                         struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_yaml_load(hale_str_from(guards), "g", &yaml, err);
    assert_int_equal(rc, HALE_OK);
    const struct hale_yaml_node *root = hale_yaml_root(yaml);
    const struct actuator_guards_yaml y = {hale_yaml_get(root, "cooldown"),
                                           hale_yaml_get(root, "frequency"),
                                           hale_yaml_get(root, "guards")};
    rc = actuator_policy_read_guards(&y, out, err);
    hale_yaml_free(yaml);
    return rc;
}

static int64_t at(const char *iso)
{
    int64_t ms = 0;
    assert_int_equal(hale_clock_parse_iso(hale_str_from(iso), &ms), HALE_OK);
    return ms;
}

static const struct {
    const char *guards, *now, *until; /* until NULL: allowed */
} HOURS[] = {
    {"guards: {hours: {days: mon-fri, from: \"08:00\", to: \"18:00\"}}",
     "2026-11-20T08:00:00Z", NULL}, /* a Friday */
    {"guards: {hours: {days: mon-fri, from: \"08:00\", to: \"18:00\"}}",
     "2026-11-20T07:59:59Z", "2026-11-20T08:00:00Z"},
    {"guards: {hours: {days: mon-fri, from: \"08:00\", to: \"18:00\"}}",
     "2026-11-20T18:00:00Z", "2026-11-23T08:00:00Z"},
    /* by the clock on the wall of the zone, in winter and in summer */
    {"guards: {hours: {from: \"08:00\", to: \"18:00\", zone: Europe/Berlin}}",
     "2026-11-20T07:00:00Z", NULL},
    {"guards: {hours: {from: \"08:00\", to: \"18:00\", zone: Europe/Berlin}}",
     "2026-07-20T06:00:00Z", NULL},
    {"guards: {hours: {from: \"08:00\", to: \"18:00\", zone: Europe/Berlin}}",
     "2026-07-20T05:59:00Z", "2026-07-20T06:00:00Z"},
    /* the night into a day that has 25 hours; it begins on Saturday only */
    {"guards: {hours: {days: sat, from: \"22:00\", to: \"06:00\", zone: Europe/Berlin}}",
     "2026-10-25T04:59:59Z", NULL},
    {"guards: {hours: {days: sat, from: \"22:00\", to: \"06:00\", zone: Europe/Berlin}}",
     "2026-10-25T05:00:00Z", "2026-10-31T21:00:00Z"},
    /* several; over the end of the week */
    {"guards: {hours: [{days: sun-mon}, {days: wed, to: \"12:00\"}]}",
     "2026-11-23T23:59:59Z", NULL},
    {"guards: {hours: [{days: sun-mon}, {days: wed, to: \"12:00\"}]}",
     "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"},
    {"guards: {hours: [{days: sun-mon}, {days: wed, to: \"12:00\"}]}",
     "2026-11-25T12:00:00Z", "2026-11-29T00:00:00Z"},
    {"guards: {}", "2026-11-25T12:00:00Z", NULL},
};

static void test_hours(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(HOURS) / sizeof(HOURS[0]); i++) {
        struct actuator_guard_rules g;
        struct hale_err err;
        int64_t until = 0;
        assert_int_equal(load(HOURS[i].guards, &g, &err), HALE_OK);
        bool allowed = actuator_when_hours(&g.when, at(HOURS[i].now), &until);
        if (allowed != (HOURS[i].until == NULL) ||
            (!allowed && until != at(HOURS[i].until)))
            fail_msg("%s at %s: %d, %lld", HOURS[i].guards, HOURS[i].now, allowed,
                     (long long)until);
        actuator_guard_rules_fini(&g);
    }
}

/* What is refused until T is allowed at T and refused a second before it, wherever one starts. */
static void test_hours_are_consistent(void **state)
{
    struct actuator_guard_rules g;
    struct hale_err err;
    int64_t start = at("2026-10-20T00:00:00Z"), until = 0;
    (void)state;
    assert_int_equal(load("guards: {hours: [{days: [tue, sat-sun], from: \"01:30\", to: "
                          "\"03:15\", zone: Europe/Berlin}, {days: thu, from: \"20:00\", "
                          "to: \"04:00\", zone: America/New_York}]}",
                          &g, &err),
                     HALE_OK);
    for (int64_t t = start; t < start + 14LL * 86400000; t += 613000) {
        if (actuator_when_hours(&g.when, t, &until))
            continue;
        assert_true(until > t);
        int64_t unused;
        assert_true(actuator_when_hours(&g.when, until, &unused));
        assert_false(actuator_when_hours(&g.when, until - 1000, &unused));
    }
    actuator_guard_rules_fini(&g);
}

static void test_blackout(void **state)
{
    struct actuator_guard_rules g;
    struct hale_err err;
    int64_t until = 0, now = at("2026-12-24T12:00:00Z");
    json_t *db = json_pack("{s:s}", "tier", "db"), *web = json_pack("{s:s}", "tier", "w");
    (void)state;
    assert_int_equal(
        load("guards:\n"
             "  blackout:\n"
             "  - {targets: [\"vnf/db-*\", \"vnf/x?\"]}\n"
             "  - {targets: \"vm/*\", labels: {tier: \"d*\"},\n"
             "     from: 2026-12-24T00:00:00Z, until: 2026-12-27T00:00:00Z}\n"
             "  - {targets: \"vm/7\", until: 2026-12-28T00:00:00Z}\n",
             &g, &err),
        HALE_OK);
    assert_true(actuator_when_blackout(&g.when, "vnf/web", db, now, &until));
    assert_false(actuator_when_blackout(&g.when, "vnf/db-1/vnfc-2", web, now, &until));
    assert_true(until == INT64_MAX);
    assert_false(actuator_when_blackout(&g.when, "vnf/x1", NULL, now, &until));
    assert_true(actuator_when_blackout(&g.when, "vnf/x", NULL, now, &until));
    assert_true(actuator_when_blackout(&g.when, "vm/1", web, now, &until));
    assert_false(actuator_when_blackout(&g.when, "vm/1", db, now, &until));
    assert_int_equal(until, at("2026-12-27T00:00:00Z"));
    assert_false(actuator_when_blackout(&g.when, "vm/7", db, now, &until));
    assert_int_equal(until, at("2026-12-28T00:00:00Z"));
    assert_true(actuator_when_blackout(&g.when, "vm/1", db, until, &until));
    json_decref(db);
    json_decref(web);
    actuator_guard_rules_fini(&g);
}

static void test_all_keys(void **state)
{
    struct actuator_guard_rules g;
    struct hale_err err;
    (void)state;
    assert_int_equal(load("cooldown: {up: 60s, down: 5m, after_fail: 2m}\n"
                          "frequency:\n"
                          "- {max: 5, per: 10m}\n"
                          "- {max: 20, per: 1h, scope: site}\n"
                          "guards:\n"
                          "  fleet: {scope: {type: vm, labels: {vnf: \"${vnf_id}\"}}, "
                          "min_healthy: 60%,\n"
                          "          max_concurrent: 3, storm_cooldown: 2m, severity: "
                          "[HIGH, CRITICAL]}\n"
                          "  maintenance: ignore\n"
                          "  parent_alarmed: ignore\n"
                          "  in_topology: required\n"
                          "  data_fresh: 60s\n"
                          "  flap_budget: {max: 6, per: 1h}\n"
                          "  exhausted: {failures: 3}\n",
                          &g, &err),
                     HALE_OK);
    assert_int_equal(g.cooldown_ms, 30000);
    assert_int_equal(g.up_ms, 60000);
    assert_int_equal(g.down_ms, 300000);
    assert_int_equal(g.after_fail_ms, 120000);
    assert_int_equal(g.n_frequencies, 2);
    assert_int_equal(g.frequency[0].scope, ACTUATOR_SCOPE_TARGET);
    assert_int_equal(g.frequency[1].scope, ACTUATOR_SCOPE_SITE);
    assert_int_equal(g.frequency[1].max, 20);
    assert_string_equal(g.fleet.type, "vm");
    assert_int_equal(g.fleet.min_healthy, 60);
    assert_true(g.fleet.percent);
    assert_int_equal(g.fleet.max_concurrent, 3);
    assert_int_equal(g.fleet.storm_cooldown_ms, 120000);
    assert_int_equal(g.fleet.severities, 1u << HALE_SEV_HIGH | 1u << HALE_SEV_CRITICAL);
    assert_true(g.ignore_maintenance && g.ignore_parent && g.in_topology);
    assert_int_equal(g.data_fresh_ms, 60000);
    assert_int_equal(g.flap_max, 6);
    assert_int_equal(g.flap_per_ms, 3600000);
    assert_int_equal(g.exhausted, 3);
    actuator_guard_rules_fini(&g);
}

static const struct {
    const char *guards, *words;
} WRONG[] = {
    {"cooldown: soon", "cooldown needs a unit"},
    {"cooldown: {sideways: 1s}", "unknown key 'sideways'"},
    {"cooldown: {after_fail: 2h}", "after_fail"},
    {"frequency: {max: 5}", "per"},
    {"frequency: {max: 5, per: 1m, scope: world}", "world"},
    {"frequency: []", "frequency must be a map or a list"},
    {"guards: {hours: {days: someday}}", "days: mon"},
    {"guards: {hours: {from: \"8:00\"}}", "times like"},
    {"guards: {hours: {from: \"24:00\"}}", "times like"},
    {"guards: {hours: {to: \"18:60\"}}", "times like"},
    {"guards: {hours: {zone: Europe/Bonn}}", "hours:"},
    {"guards: {blackout: {until: 2026-01-01}}", "targets, labels or both"},
    {"guards: {blackout: {targets: x, from: now}}", "moments like"},
    {"guards: {blackout: {targets: x, from: 2026-01-02, until: 2026-01-01}}",
     "until must be after from"},
    {"guards: {fleet: {scope: vm}}", "min_healthy, max_concurrent or both"},
    {"guards: {fleet: {min_healthy: 3}}", "scope"},
    {"guards: {fleet: {scope: Big VM, min_healthy: 3}}", "type of entities"},
    {"guards: {fleet: {scope: vm, min_healthy: 0}}", "min_healthy must be"},
    {"guards: {fleet: {scope: vm, min_healthy: 101%}}", "min_healthy must be"},
    {"guards: {fleet: {scope: {type: vm, labels: {a: \"${\"}}, min_healthy: 1}}",
     "labels:"},
    {"guards: {maintenance: maybe}", "maybe"},
    {"guards: {flap_budget: {max: 6, per: 1h, scope: site}}", "scope"},
    {"guards: {exhausted: {}}", "failures"},
    {"guards: {exhausted: {failures: 0}}", "failures"},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct actuator_guard_rules g;
        struct hale_err err = {.text = ""};
        enum hale_rc rc = load(WRONG[i].guards, &g, &err);
        char text[1024];
        if (rc == HALE_OK ||
            strstr(hale_err_str(&err, text, sizeof(text)), WRONG[i].words) == NULL)
            fail_msg("%s: %d %s", WRONG[i].guards, rc, text);
        actuator_guard_rules_fini(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hours),    cmocka_unit_test(test_hours_are_consistent),
        cmocka_unit_test(test_blackout), cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
