/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what a file may say, and the condition in disjunctive normal form. */
#include "model/rule.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

#define HEAD                                                                             \
    "rules:\n"                                                                           \
    "- name: r1\n"                                                                       \
    "  entities:\n"                                                                      \
    "    host: {type: host, attributes: {zone: az1}}\n"                                  \
    "    vm: {type: vm}\n"                                                               \
    "    sw: {type: switch, id: s1, name: S}\n"                                          \
    "  alarms:\n"                                                                        \
    "    nic: {name: nic.down, severity: [HIGH, CRITICAL]}\n"                            \
    "    ping: {name: ping failed}\n"                                                    \
    "    mute: {name: muted, severity: LOW}\n"
#define DO "  do:\n  - raise: {name: vm.net, on: vm, severity: HIGH, text: because}\n"

static struct hale_rules *load(const char *text)
{
    struct hale_rules *r = NULL;
    struct hale_err err = {0};
    char said[600];
    if (hale_rules_load(hale_str_from(text), "f", &r, &err) != HALE_OK)
        fail_msg("%s", hale_err_str(&err, said, sizeof(said)));
    return r;
}

static void refuses(const char *text, const char *why)
{
    struct hale_rules *r = NULL;
    struct hale_err err = {0};
    char said[600];
    enum hale_rc rc = hale_rules_load(hale_str_from(text), "f", &r, &err);
    hale_rules_free(r);
    if (rc != HALE_E_INVAL)
        fail_msg("accepted: %s", text);
    if (strstr(hale_err_str(&err, said, sizeof(said)), why) == NULL)
        fail_msg("said '%s', not '%s'", said, why);
}

static void a_rule_is_read(void **state)
{
    (void)state;
    struct hale_rules *rules = load(
        HEAD "  tenant: t1\n  within: 5m\n"
             "  when: nic on host and host hosts vm and not mute on vm and ping on vm\n"
             "  do:\n"
             "  - raise: {name: vm.net, on: vm, severity: HIGH, cause: nic}\n"
             "  - state: {on: vm, state: degraded}\n"
             "  - cause: {is: nic, of: ping}\n");
    assert_int_equal(rules->n, 1);
    const struct hale_rule *r = &rules->v[0];
    assert_string_equal(r->tenant, "t1");
    assert_int_equal(r->within_ms, 300000);
    assert_int_equal(r->n_entities, 3);
    assert_string_equal(r->entity[2].id, "s1");
    assert_string_equal(
        json_string_value(json_object_get(r->entity[0].attributes, "zone")), "az1");
    assert_int_equal(r->alarm[0].severities, 1 << HALE_SEV_HIGH | 1 << HALE_SEV_CRITICAL);
    assert_int_equal(r->alarm[1].severities, 15);
    assert_int_equal(r->when.n, 1);
    assert_int_equal(r->when.branch[0].n, 4);
    assert_int_equal(r->when.branch[0].entities, 3);
    assert_true(r->when.branch[0].term[2].negated);
    assert_int_equal(r->n_actions, 3);
    assert_int_equal(r->action[0].kind, HALE_RULE_RAISE);
    assert_int_equal(r->action[0].on, 1);
    assert_int_equal(r->action[0].cause, 0);
    assert_int_equal(r->action[1].state, HALE_RULE_DEGRADED);
    assert_int_equal(r->action[2].cause, 0);
    assert_int_equal(r->action[2].symptom, 1);
    hale_rules_free(rules);
}

/* The branches as text: "nic/host&host>vm | ...". */
static void show(const struct hale_rule *r, char *dst, size_t size)
{
    static const char signs[] = {'/', '>', '^', '=', ':'};
    size_t len = 0;
    dst[0] = '\0';
    for (unsigned i = 0; i < r->when.n; i++) {
        const struct hale_rule_branch *b = &r->when.branch[i];
        for (unsigned t = 0; t < b->n; t++) {
            const struct hale_rule_term *x = &b->term[t];
            int n = snprintf(dst + len, size - len, "%s%s%s%c%s",
                             t > 0 ? "&" : (i > 0 ? " | " : ""), x->negated ? "!" : "",
                             x->kind == HALE_RULE_ON ? r->alarm[x->a].var
                                                     : r->entity[x->a].var,
                             signs[x->kind], r->entity[x->b].var);
            assert_true(n > 0 && (size_t)n < size - len);
            len += (size_t)n;
        }
    }
}

static void conditions_become_branches(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"nic on host and host hosts vm", "nic/host&host>vm"},
        {"host hosts vm AND (nic on host OR ping on vm)",
         "host>vm&nic/host | host>vm&ping/vm"},
        {"host hosts vm and nic on host and not (mute on vm or mute on host)",
         "host>vm&nic/host&!mute/vm&!mute/host"},
        {"host hosts vm and nic on host and not (mute on vm and mute on host)",
         "host>vm&nic/host&!mute/vm | host>vm&nic/host&!mute/host"},
        {"(((nic on host))) and host hosts vm and nic on host", "nic/host&host>vm"},
        {"not not nic on host and host hosts vm", "nic/host&host>vm"},
        {"nic on sw and vm depends_on sw", "nic/sw&vm^sw"},
        {"nic on sw and sw connects vm", "nic/sw&sw=vm"},
        {"vm and nic on vm", "vm:vm&nic/vm"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048], got[1024];
        (void)snprintf(text, sizeof(text), HEAD "  when: %s\n" DO, cases[i][0]);
        struct hale_rules *rules = load(text);
        show(&rules->v[0], got, sizeof(got));
        assert_string_equal(got, cases[i][1]);
        hale_rules_free(rules);
    }
}

static void bad_conditions_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"nic", "column 4: expected on, hosts"},
        {"nic on", "no entity of this rule is called"},
        {"nic on host host", "expected and, or, or the end, not 'host'"},
        {"vm", "needs an alarm that is not negated"},
        {"nic on vm and not vm", "not is possible for alarms only"},
        {"nic on vm and nic", "expected on, hosts"},
        {"nic at host", "column 5: expected on, hosts, depends_on or connects, not 'at'"},
        {"nik on host", "no alarm of this rule is called 'nik'"},
        {"nic on hots", "no entity of this rule is called 'hots'"},
        {"not nic on host", "not negated"},
        {"nic on host and not host hosts vm", "not is possible for alarms only"},
        {"nic on host and ping on vm", "not joined"},
        {"(nic on host", "a ) is missing"},
        {"nic on host)", "the end, not ')'"},
        {"((((((((((((((((((nic on host))))))))))))))))))", "too many parentheses"},
        {"nic on host", "entity 'vm' must stand in each alternative"},
        {"host hosts vm and (nic on host or ping on vm) and (nic on host or mute on vm) "
         "and "
         "(ping on host or mute on host) and (nic on vm or mute on vm) and (nic on sw or "
         "nic on host)",
         "more than 16 alternatives"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2048];
        (void)snprintf(text, sizeof(text), HEAD "  when: '%s'\n" DO, cases[i][0]);
        refuses(text, cases[i][1]);
    }
}

static void bad_files_are_refused(void **state)
{
    (void)state;
#define WHEN "  when: nic on host and host hosts vm and ping on vm\n"
    refuses("rulez: []\n", "rulez");
    refuses("rules: {}\n", "f:1");
    refuses(HEAD WHEN, "the section 'do' is missing");
    refuses(HEAD WHEN "  do: []\n", "1 to 8 actions");
    refuses(HEAD WHEN "  do:\n  - {}\n", "one of raise, state and cause");
    refuses(HEAD WHEN "  do:\n  - raise: {name: x, on: nobody, severity: LOW}\n",
            "no entity of this rule is called 'nobody'");
    refuses(HEAD WHEN "  do:\n  - state: {on: vm, state: sick}\n", "sick");
    refuses(
        "rules:\n- name: r\n  entities: {h: {}}\n  alarms: {x: {name: a, pattern: b}}\n"
        "  when: x on h\n  do:\n  - state: {on: h, state: down}\n",
        "not both");
    refuses("rules:\n- name: r\n  entities: {h: {}}\n  alarms: {x: {pattern: '('}}\n"
            "  when: x on h\n  do:\n  - state: {on: h, state: down}\n",
            "pattern: ");
    refuses(HEAD WHEN "  do:\n  - raise: {name: x, on: vm, severity: LOW, cause: mute}\n",
            "alarm 'mute' must stand in each alternative");
    refuses(HEAD WHEN "  do:\n  - cause: {is: nic, of: nic}\n", "not its own cause");
    refuses(HEAD WHEN "  do:\n  - cause: {is: nic, of: mute}\n", "not negated");
    refuses(HEAD WHEN DO "- name: r1\n  entities: {h: {}}\n  alarms: {a: {name: x}}\n"
                         "  when: a on h\n  do:\n  - state: {on: h, state: down}\n",
            "there is a rule 'r1' already");
    refuses("rules:\n- name: r\n  entities: {and: {}}\n  alarms: {a: {name: x}}\n"
            "  when: a on and\n  do:\n  - state: {on: and, state: down}\n",
            "'and' cannot be a name here");
    refuses("rules:\n- name: r\n  entities: {x: {}}\n  alarms: {x: {name: x}}\n"
            "  when: x on x\n  do:\n  - state: {on: x, state: down}\n",
            "'x' is an entity already");
    refuses("rules:\n- name: r\n  entities: {}\n  alarms: {x: {name: x}}\n"
            "  when: x on x\n  do:\n  - state: {on: x, state: down}\n",
            "a map of 1 to 8");
    refuses("rules:\n- name: r\n  entities: {h: {}}\n  alarms: {x: {name: x, severity: "
            "BAD}}\n  when: x on h\n  do:\n  - state: {on: h, state: down}\n",
            "LOW, MEDIUM, HIGH or CRITICAL");
}

static void an_empty_file_has_no_rules(void **state)
{
    (void)state;
    struct hale_rules *r = load("");
    assert_int_equal(r->n, 0);
    hale_rules_free(r);
    r = load("rules: []\n");
    assert_int_equal(r->n, 0);
    hale_rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_read),
        cmocka_unit_test(conditions_become_branches),
        cmocka_unit_test(bad_conditions_are_refused),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(an_empty_file_has_no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
