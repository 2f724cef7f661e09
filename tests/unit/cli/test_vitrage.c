/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of Vitrage as rules: what maps, what is named instead, and that the result is valid. */
#include "cli/vitrage.h"

#include <string.h>

#include "model/rule.h"
#include "support/cmocka.h"

#define HEAD                                                                             \
    "metadata: {version: 3, name: 'Host NIC, down', type: standard}\n"                   \
    "parameters:\n"                                                                      \
    "  pain: {description: what hurts, default: vm hurts}\n"                             \
    "entities:\n"                                                                        \
    "  host: {type: nova.host}\n"                                                        \
    "  vm: {category: RESOURCE, type: nova.instance}\n"                                  \
    "  vol: {type: cinder.volume, name: v1}\n"                                           \
    "  nic: {category: ALARM, type: zabbix, rawtext: \"NIC's down\", severity: "         \
    "severe}\n"                                                                          \
    "  any: {category: ALARM, name.regex: 'vm\\..*'}\n"                                  \
    "  odd: {category: ALARM, operational_severity: X}\n"                                \
    "scenarios:\n"

static struct hale_buf out, left;

static struct hale_rules *translate(const char *text)
{
    struct hale_err err = {0};
    struct hale_rules *rules = NULL;
    struct hale_buf file;
    hale_buf_reset(&out);
    hale_buf_reset(&left);
    if (cli_vitrage_rules(hale_str_from(text), "t", &out, &left, &err) != HALE_OK)
        fail_msg("%s", err.text);
    hale_buf_init(&file, 1u << 20);
    hale_buf_add_c(&file, "rules:\n");
    hale_buf_add(&file, out.p, out.len);
    if (hale_rules_load(hale_buf_str(&file), "out", &rules, &err) != HALE_OK)
        fail_msg("%s in\n%.*s", err.text, (int)file.len, file.p);
    hale_buf_fini(&file);
    return rules;
}

static void says(const char *what)
{
    hale_buf_add_char(&left, '\0');
    if (strstr(left.p, what) == NULL)
        fail_msg("left out: %s", left.p);
}

static void what_maps_is_mapped(void **state)
{
    (void)state;
    struct hale_rules *rules = translate(
        HEAD " - condition: nic [on] host AND host [contains] vm AND NOT any [ on ] vm\n"
             "   actions:\n"
             "   - raise_alarm: {target: vm, alarm_name: get_param(pain), severity: "
             "WARNING, causing_alarm: nic}\n"
             "   - set_state: {state: SUBOPTIMAL, target: vm}\n"
             "   - mark_down: {target: host}\n"
             " - condition: nic [on] host AND host [contains] vm AND any [on] vm AND vol "
             "[attached] vm\n"
             "   actions:\n"
             "   - add_causal_relationship: {source: nic, target: any}\n");
    assert_int_equal(left.len, 0);
    assert_int_equal(rules->n, 2);
    const struct hale_rule *r = &rules->v[0];
    assert_string_equal(r->name, "host-nic-down-1");
    assert_string_equal(r->when_text, "nic on host and host hosts vm and not any on vm");
    assert_string_equal(r->entity[0].type, "host");
    assert_string_equal(r->entity[1].type, "vm");
    assert_string_equal(r->alarm[0].name, "NIC's down");
    assert_int_equal(r->alarm[0].severities, 1 << HALE_SEV_HIGH);
    assert_non_null(r->alarm[1].regex);
    assert_int_equal(r->n_actions, 3);
    assert_string_equal(r->action[0].name, "vm hurts");
    assert_int_equal(r->action[0].severity, HALE_SEV_MEDIUM);
    assert_int_equal(r->action[0].cause, 0);
    assert_int_equal(r->action[1].state, HALE_RULE_DEGRADED);
    assert_int_equal(r->action[2].state, HALE_RULE_DOWN);
    r = &rules->v[1];
    assert_string_equal(
        r->when_text,
        "nic on host and host hosts vm and any on vm and vm depends_on vol");
    assert_string_equal(r->entity[2].name, "v1");
    assert_int_equal(r->action[0].kind, HALE_RULE_CAUSE);
    hale_rules_free(rules);
}

static void what_does_not_map_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" - {condition: 'nic [on] host', actions: [{execute_mistral: {workflow: w}}]}\n",
         "calls are made by a policy of the actuator"},
        {" - {condition: 'nic [on] host', actions: [{set_state: {state: OK, target: "
         "host}}]}\n",
         "set_state: no counterpart for the state OK"},
        {" - {condition: 'host', actions: [{mark_down: {target: host}}]}\n",
         "no counterpart for a condition on entities alone: host"},
        {" - {condition: 'nic [on] host and not host [contains] vm', actions: "
         "[{mark_down: "
         "{target: host}}]}\n",
         "not is possible for alarms only"},
        {" - {condition: 'host [near] vm and nic [on] host', actions: [{mark_down: "
         "{target: "
         "host}}]}\n",
         "no counterpart for the relation near"},
        {" - {condition: 'odd [on] host', actions: [{mark_down: {target: host}}]}\n",
         "no counterpart for the key operational_severity"},
        {" - {condition: 'nic [on] moon', actions: [{mark_down: {target: host}}]}\n",
         "the condition names what is not an entity: moon"},
        {" - {condition: 'not nic [on] host', actions: [{mark_down: {target: host}}]}\n",
         "needs an alarm that is not negated"},
        {" - {condition: 'moon or nic [on] host', actions: [{mark_down: {target: "
         "host}}]}\n",
         "the condition names what is not an entity: moon"},
        {" - {condition: 'nic [on] host', actions: [{raise_alarm: {target: host, "
         "alarm_name: "
         "x, severity: purple}}]}\n",
         "no counterpart for the severity purple"},
        {" - {condition: 'nic [on host', actions: [{mark_down: {target: host}}]}\n",
         "t:12"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096];
        (void)snprintf(text, sizeof(text), HEAD "%s", cases[i][0]);
        struct hale_rules *rules = translate(text);
        assert_int_equal(rules->n, 0);
        says(cases[i][1]);
        hale_rules_free(rules);
    }
}

static void an_action_without_counterpart_leaves_the_others(void **state)
{
    (void)state;
    struct hale_rules *rules = translate(HEAD " - condition: nic [on] host\n"
                                              "   actions:\n"
                                              "   - execute_mistral: {workflow: w}\n"
                                              "   - mark_down: {target: host}\n");
    assert_int_equal(rules->n, 1);
    assert_int_equal(rules->v[0].n_actions, 1);
    says("t:14: calls are made by a policy");
    hale_rules_free(rules);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "a: b\n",
                                        "metadata: {version: 2}\nscenarios: []\n",
                                        "metadata: {version: 3}\n",
                                        "- x\n",
                                        "{{"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        assert_int_equal(
            cli_vitrage_rules(hale_str_from(cases[i]), "t", &out, &left, &err),
            HALE_E_INVAL);
        assert_true(err.text[0] != '\0');
    }
}

static int setup(void **state)
{
    (void)state;
    hale_buf_init(&out, 1u << 20);
    hale_buf_init(&left, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hale_buf_fini(&out);
    hale_buf_fini(&left);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_maps_is_mapped),
        cmocka_unit_test(what_does_not_map_is_named),
        cmocka_unit_test(an_action_without_counterpart_leaves_the_others),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
