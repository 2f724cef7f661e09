/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/scaling.h"

#define HEAD                                                                             \
    "scaling:\n"                                                                         \
    "- name: web\n"                                                                      \
    "  mode: auto\n"                                                                     \
    "  target: vnf/web\n"                                                                \
    "  size: {query: 'count(up{vnf=\"web\"})'}\n"
#define BOUNDS "  min: 2\n  max: 10\n"
#define OUT    "  scale_out:\n  - webhook: {url: \"http://h/out\"}\n"
#define IN     "  scale_in:\n  - webhook: {url: \"http://h/in\"}\n"
#define TRACK  "  track: {query: avg(cpu), value: 60}\n"

static enum hale_rc load(const char *text, struct actuator_policies **out,
                         struct hale_err *err)
{
    return actuator_policies_load(hale_str_from(text), "policies.yaml", out, err);
}

static void test_defaults(void **state)
{
    struct actuator_policies *p = NULL;
    struct hale_err err;
    (void)state;
    if (load(HEAD BOUNDS TRACK OUT IN, &p, &err) != HALE_OK)
        fail_msg("%s", err.text);
    assert_int_equal(p->n_scaling, 1);
    const struct actuator_scaling *s = actuator_scaling_find(p, "web");
    assert_non_null(s);
    assert_null(actuator_scaling_find(p, "other"));
    assert_string_equal(s->tenant, "default");
    assert_int_equal(s->every_ms, 15000);
    assert_string_equal(s->query, "avg(cpu)");
    assert_string_equal(s->size.query, "count(up{vnf=\"web\"})");
    assert_true(s->rules.tracking && !s->rules.total);
    assert_true(s->rules.value == 60 && s->rules.tolerance == 0.1);
    assert_int_equal(s->rules.min, 2);
    assert_int_equal(s->rules.max, 10);
    assert_int_equal(s->rules.warm_up_ms, 120000);
    assert_int_equal(s->rules.window_ms[ACTUATOR_UP], 0);
    assert_int_equal(s->rules.window_ms[ACTUATOR_DOWN], 300000);
    for (unsigned d = 0; d < 2; d++) {
        assert_string_equal(s->by[d].name, "web");
        assert_string_equal(s->by[d].target, "vnf/web");
        assert_int_equal(s->by[d].mode, ACTUATOR_AUTO);
        assert_int_equal(s->by[d].n_steps, 1);
    }
    assert_string_equal(s->by[ACTUATOR_UP].step[0].url, "http://h/out");
    assert_string_equal(s->by[ACTUATOR_DOWN].step[0].url, "http://h/in");
    assert_int_equal(actuator_policies_count(p), 2);
    assert_ptr_equal(actuator_policies_find(p, "web"), &s->by[0]);
    actuator_policies_free(p);
}

static void test_all_keys(void **state)
{
    struct actuator_policies *p = NULL;
    struct hale_err err;
    (void)state;
    if (load("policies:\n"
             "- {name: heal, alarm: {}, target: t, steps: [webhook: {url: "
             "\"http://h/\"}]}\n" HEAD BOUNDS "  tenant: acme\n"
             "  every: 5s\n"
             "  cooldown: 1m\n"
             "  warm_up: 30s\n"
             "  stabilise: {up: 10s, down: 1m}\n"
             "  rate: {up: [{max: 4, per: 15s}, {max: 100%, per: 1m}], down: {max: 1, "
             "per: 5m}}\n"
             "  steps:\n"
             "    query: 'avg(cpu{policy=\"${policy}\"})'\n"
             "    rules: [{above: 80, add: 1}, {above: 95.5, add: 50%}, {below: 20, "
             "remove: 1},"
             " {below: 1, set: 2}]\n" OUT,
             &p, &err) != HALE_OK)
        fail_msg("%s", err.text);
    const struct actuator_scaling *s = &p->scaling[0];
    const struct actuator_scaler_rules *r = &s->rules;
    assert_string_equal(s->tenant, "acme");
    assert_int_equal(s->every_ms, 5000);
    assert_false(r->tracking);
    assert_int_equal(r->n_steps, 4);
    assert_true(r->step[1].bound == 95.5 && r->step[1].by.percent &&
                r->step[1].by.n == 50);
    assert_int_equal(r->step[3].act, ACTUATOR_SET);
    assert_true(r->step[2].below);
    assert_int_equal(r->n_rates[ACTUATOR_UP], 2);
    assert_int_equal(r->n_rates[ACTUATOR_DOWN], 1);
    assert_int_equal(r->rate[ACTUATOR_UP][1].per_ms, 60000);
    assert_int_equal(r->window_ms[ACTUATOR_UP], 10000);
    assert_int_equal(s->by[ACTUATOR_DOWN].n_steps, 0);
    assert_int_equal(actuator_policies_count(p), 3);
    assert_string_equal(actuator_policies_at(p, 0)->name, "heal");
    json_t *vars = actuator_scaling_vars(s);
    assert_string_equal(json_string_value(json_object_get(vars, "policy")), "web");
    json_decref(vars);
    actuator_policies_free(p);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *says;
        int line;
    } rows[] = {
        {HEAD BOUNDS OUT, "exactly one of: track, steps", 2},
        {HEAD BOUNDS TRACK "  steps: {query: a, rules: [{above: 1, add: 1}]}\n" OUT,
         "exactly one of: track, steps", 2},
        {HEAD BOUNDS TRACK, "scale_out or scale_in", 2},
        {HEAD TRACK OUT, "min", 2},
        {HEAD "  min: 11\n  max: 10\n" TRACK OUT, "min is greater than max", 6},
        {HEAD BOUNDS "  track: {query: avg(, value: 1}\n" OUT, "query", 8},
        {HEAD BOUNDS "  track: {query: \"avg(${m})\", value: 1}\n" OUT, "inside quotes",
         8},
        {HEAD BOUNDS "  track: {query: a, value: 0}\n" OUT, "value", 8},
        {HEAD BOUNDS "  track: {query: a, value: 1, tolerance: 100%}\n" OUT, "tolerance",
         8},
        {HEAD BOUNDS "  track: {query: a, value: 1, of: sum}\n" OUT, "of", 8},
        {HEAD BOUNDS TRACK "  every: 10ms\n" OUT, "every", 9},
        {HEAD BOUNDS TRACK "  stabilize: {up: 1s}\n" OUT, "stabilise", 9},
        {HEAD BOUNDS TRACK "  alarm: {}\n" OUT, "alarm", 9},
        {HEAD BOUNDS TRACK "  rate: {up: {max: 0, per: 1s}}\n" OUT, "max", 9},
        {HEAD BOUNDS TRACK "  rate: {up: {max: x%, per: 1s}}\n" OUT, "max", 9},
        {HEAD BOUNDS "  steps: {query: a, rules: []}\n" OUT, "rules", 8},
        {HEAD BOUNDS "  steps: {query: a, rules: [{above: 1}]}\n" OUT, "add, remove, set",
         8},
        {HEAD BOUNDS "  steps: {query: a, rules: [{add: 1}]}\n" OUT, "above, below", 8},
        {HEAD BOUNDS "  steps: {query: a, rules: [{above: x, add: 1}]}\n" OUT, "number",
         8},
        {HEAD BOUNDS "  steps: {query: a, rules: [{above: 1, set: 5%}]}\n" OUT, "set", 8},
        {HEAD BOUNDS
         "  steps: {query: a, rules: [{above: 1, add: 1}, {above: 1, add: 2}]}\n" OUT,
         "same bound", 8},
        {HEAD BOUNDS "  steps: {query: a, rules: [{above: 10, add: 1}, {below: 11, "
                     "remove: 1}]}\n" OUT,
         "fight", 8},
        {HEAD BOUNDS TRACK "  scale_out: []\n", "at least one step", 9},
        {HEAD BOUNDS TRACK "  scale_in:\n  - webhok: {url: \"http://h\"}\n", "webhook",
         10},
        {HEAD BOUNDS TRACK OUT
         "- name: web\n  target: x\n  size: {query: a}\n" BOUNDS TRACK OUT,
         "used twice", 11},
        {"policies:\n- {name: web, alarm: {}, target: t, steps: [webhook: {url: "
         "\"http://h/\"}]}\n" HEAD BOUNDS TRACK OUT,
         "used twice", 4},
        {"scaling: {}\n", "list", 1},
        {"scaling:\n-\n", "empty", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_policies *p = NULL;
        struct hale_err err;
        assert_int_not_equal(load(rows[i].text, &p, &err), HALE_OK);
        assert_null(p);
        if (strstr(err.text, rows[i].says) == NULL || err.line != rows[i].line)
            fail_msg("%zu: line %d: %s", i, err.line, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
