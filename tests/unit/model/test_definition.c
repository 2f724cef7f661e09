/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/definition.h"
#include "support/fail_alloc.h"

#define STORED                                                                           \
    "{\"v\":1,\"id\":\"i\",\"tenant\":\"t\",\"name\":\"cpu\",\"description\":\"d\","     \
    "\"expression\":\"avg(cpu{hostname=h1}) > 90 and max(x) > "                          \
    "1\",\"match_by\":[\"hostname\"],"                                                   \
    "\"severity\":\"HIGH\",\"actions_enabled\":false,\"ok_actions\":[\"o\"],"            \
    "\"alarm_actions\":[\"a\",\"b\"],\"undetermined_actions\":[],\"semantics\":"         \
    "\"monasca\","                                                                       \
    "\"version\":3,\"created_ms\":1,\"updated_ms\":2}"

static struct hale_definition *stored(void)
{
    struct hale_definition *d;
    assert_int_equal(hale_definition_decode(HALE_STR(STORED), &d, NULL), HALE_OK);
    return d;
}

static enum hale_rc from_api(const char *body, const struct hale_definition *base,
                             bool partial, struct hale_definition **out,
                             struct hale_err *err)
{
    json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
    enum hale_rc rc = hale_definition_from_api(json, base, partial, out, err);
    json_decref(json);
    return rc;
}

static void the_stored_form_comes_back(void **state)
{
    struct hale_definition *d = stored();
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(hale_definition_encode(d, &out), HALE_OK);
    assert_string_equal(out.p, STORED);
    assert_int_equal(d->expr->n_subs, 2);
    assert_int_equal(d->semantics, HALE_SEMANTICS_MONASCA);
    assert_int_equal(d->severity, HALE_SEV_HIGH);
    hale_buf_fini(&out);
    hale_definition_free(d);
    hale_definition_free(NULL);
}

static void every_stored_key_is_required(void **state)
{
    json_t *whole = json_loads(STORED, 0, NULL), *value;
    const char *key;
    (void)state;
    json_object_foreach (whole, key, value) {
        json_t *less = json_copy(whole);
        for (int spoil = 0; spoil <= 1; spoil++) {
            struct hale_definition *d;
            struct hale_err err = {0};
            (void)json_object_del(less, key);
            if (spoil)
                assert_int_equal(json_object_set_new(less, key, json_null()), 0);
            char *text = json_dumps(less, 0);
            assert_int_equal(hale_definition_decode(hale_str_from(text), &d, &err),
                             HALE_E_INVAL);
            assert_null(d);
            if (strstr(err.text, key) == NULL)
                fail_msg("%s: %s", key, err.text);
            free(text);
        }
        json_decref(less);
    }
    json_decref(whole);
}

static void post_fills_defaults(void **state)
{
    struct hale_definition *d;
    (void)state;
    assert_int_equal(from_api("{\"name\":\"n\",\"expression\":\"x > 1\",\"other\":{}}",
                              NULL, false, &d, NULL),
                     HALE_OK);
    assert_null(d->id);
    assert_null(d->tenant);
    assert_int_equal(d->version, 0);
    assert_string_equal(d->description, "");
    assert_int_equal(d->severity, HALE_SEV_LOW);
    assert_int_equal(d->semantics, HALE_SEMANTICS_HALE);
    assert_true(d->actions_enabled);
    assert_int_equal(d->match_by.n, 0);
    assert_int_equal(d->alarm_actions.n, 0);
    hale_definition_free(d);
    assert_int_equal(
        from_api("{\"name\":\"n\",\"expression\":\"x > 1\",\"severity\":\"critical\","
                 "\"actions_enabled\":false,\"match_by\":[\"b\",\"a\"],"
                 "\"undetermined_actions\":[\"u\"],\"semantics\":\"Monasca\"}",
                 NULL, false, &d, NULL),
        HALE_OK);
    assert_int_equal(d->severity, HALE_SEV_CRITICAL);
    assert_int_equal(d->semantics, HALE_SEMANTICS_MONASCA);
    assert_false(d->actions_enabled);
    assert_string_equal(d->match_by.v[0], "b");
    assert_string_equal(d->undetermined_actions.v[0], "u");
    hale_definition_free(d);
}

#define L50   "12345678901234567890123456789012345678901234567890"
#define L250  L50 L50 L50 L50 L50
#define BASIC "\"name\":\"n\",\"expression\":\"x > 1\""

static void post_refuses_what_monasca_refuses(void **state)
{
    static const struct {
        const char *body, *error; /* beginning of the text; NULL: accepted */
    } cases[] = {
        {"[]", "the body must be a JSON object"},
        {"{\"expression\":\"x > 1\"}", "name is required"},
        {"{\"name\":\"n\"}", "expression is required"},
        {"{\"name\":1,\"expression\":\"x > 1\"}", "name must be a string"},
        {"{\"name\":\"\",\"expression\":\"x > 1\"}",
         "name must be a string that is not empty"},
        {"{\"name\":\"" L250 "12345\",\"expression\":\"x > 1\"}", NULL},
        {"{\"name\":\"" L250 "1234\xc3\xa4\",\"expression\":\"x > 1\"}", NULL},
        {"{\"name\":\"" L250 "123456\",\"expression\":\"x > 1\"}",
         "name must not be longer than 255"},
        {"{\"name\":\"n\",\"expression\":5}", "expression must be a string"},
        {"{\"name\":\"n\",\"expression\":\"avg(x) > 5 high at 6\",\"severity\":\"HIGH\"}",
         "the levels of the expression must be more severe than the definition itself, "
         "which is HIGH"},
        {"{\"name\":\"n\",\"expression\":\"avg(x) > 5 clear "
         "4\",\"semantics\":\"monasca\"}",
         "parser failed on expression 'avg(x) > 5 clear 4' at column 12: there is no "
         "clear "
         "threshold"},
        {"{\"name\":\"n\",\"expression\":\"avg(x, 30) > 5\",\"semantics\":\"monasca\"}",
         "parser failed on expression 'avg(x, 30) > 5' at column 8: the period must be a "
         "multiple "
         "of 60 seconds, got 30"},
        {"{" BASIC ",\"on_missing\":\"sometimes\"}",
         "on_missing must be keep, undetermined, ok or alarm"},
        {"{" BASIC ",\"on_missing\":\"\"}", "on_missing must be keep"},
        {"{" BASIC ",\"missing_after\":0}",
         "missing_after must be whole seconds from 1 to 2592000"},
        {"{" BASIC ",\"missing_after\":\"5\"}", "missing_after must be whole seconds"},
        {"{" BASIC ",\"for\":0}", "for must be whole seconds from 1 to 604800"},
        {"{" BASIC ",\"clear_for\":\"5m\"}", "clear_for must be whole seconds"},
        {"{" BASIC ",\"for\":5,\"semantics\":\"monasca\"}",
         "for and clear_for are not possible with semantics monasca"},
        {"{" BASIC ",\"missing_after\":1.5}", "missing_after must be whole seconds"},
        {"{" BASIC ",\"impact\":\"loud\"}", "impact must be down, degraded or none"},
        {"{" BASIC ",\"impact\":\"\"}", "impact must be down, degraded or none"},
        {"{" BASIC ",\"impact\":1}", "impact must be down, degraded or none"},
        {"{" BASIC ",\"on_missing\":\"ok\",\"semantics\":\"monasca\"}",
         "on_missing and missing_after are not possible with semantics monasca"},
        {"{" BASIC ",\"description\":null}", "description must be a string"},
        {"{" BASIC ",\"description\":\"" L250 "123456\"}",
         "description must not be longer"},
        {"{" BASIC ",\"severity\":\"URGENT\"}",
         "severity must be one of LOW, MEDIUM, HIGH"},
        {"{" BASIC ",\"severity\":3}", "severity must be one of"},
        {"{" BASIC ",\"semantics\":\"other\"}", "semantics must be hale or monasca"},
        {"{" BASIC ",\"actions_enabled\":\"true\"}",
         "actions_enabled must be true or false"},
        {"{" BASIC ",\"match_by\":\"hostname\"}", "match_by must be an array"},
        {"{" BASIC ",\"match_by\":[1]}",
         "match_by: every dimension name must be a string"},
        {"{" BASIC ",\"match_by\":[\"a\",\"a\"]}",
         "match_by: the dimension name 'a' is given twice"},
        {"{" BASIC ",\"ok_actions\":[\"" L50 "\"]}", NULL},
        {"{" BASIC ",\"ok_actions\":[\"" L50 "1\"]}",
         "ok_actions: the action id in place 1 is longer"},
        {"{" BASIC ",\"alarm_actions\":[\"x\",\"y\",\"x\"]}",
         "alarm_actions: the action id 'x' is given twice"},
        {"{" BASIC ",\"undetermined_actions\":{}}",
         "undetermined_actions must be an array"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_definition *d;
        struct hale_err err = {0};
        enum hale_rc rc = from_api(cases[i].body, NULL, false, &d, &err);
        if (rc != (cases[i].error != NULL ? HALE_E_INVAL : HALE_OK))
            fail_msg("%s: %d %s", cases[i].body, rc, err.text);
        if (cases[i].error != NULL &&
            strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s\ngave: %s", cases[i].body, err.text);
        hale_definition_free(d);
    }
}

static void a_long_expression_leaves_room_for_the_reason(void **state)
{
    struct hale_buf body;
    struct hale_definition *d;
    struct hale_err err = {0};
    (void)state;
    hale_buf_init(&body, 1u << 16);
    hale_buf_add_c(&body, "{\"name\":\"n\",\"expression\":\"");
    for (int i = 0; i < 300; i++)
        hale_buf_add_c(&body, "\xe5\x85\xac");
    hale_buf_add_c(&body, " > 1\"}");
    assert_int_equal(from_api(body.p, NULL, false, &d, &err), HALE_E_INVAL);
    assert_int_equal(err.col, 1);
    assert_non_null(
        strstr(err.text, "...' at column 1: the metric name is longer than 255"));
    hale_buf_fini(&body);
}

static void patch_changes_only_what_is_given(void **state)
{
    struct hale_definition *base = stored(), *d;
    struct hale_buf a, b;
    struct hale_err err;
    (void)state;
    hale_buf_init(&a, 4096);
    hale_buf_init(&b, 4096);
    assert_int_equal(from_api("{}", base, true, &d, NULL), HALE_OK);
    assert_int_equal(hale_definition_encode(d, &a), HALE_OK);
    assert_string_equal(a.p, STORED);
    hale_definition_free(d);

    assert_int_equal(
        from_api("{\"actions_enabled\":\"true\",\"alarm_actions\":[],"
                 "\"expression\":\"max(cpu{hostname=h1}) > 9 or max(x) > 2\"}",
                 base, true, &d, NULL),
        HALE_OK);
    assert_true(d->actions_enabled);
    assert_int_equal(d->alarm_actions.n, 0);
    assert_int_equal(d->ok_actions.n, 1);
    assert_string_equal(d->name, "cpu");
    assert_int_equal(d->expr->root->kind, HALE_NODE_OR);
    assert_int_equal(d->version, 3);
    assert_string_equal(d->id, "i");
    hale_definition_free(d);
    assert_int_equal(hale_definition_encode(base, &b), HALE_OK);
    assert_string_equal(b.p, STORED); /* the base is not touched */

    assert_int_equal(from_api("{\"name\":null}", base, true, &d, &err), HALE_E_INVAL);
    assert_int_equal(from_api("{\"actions_enabled\":\"maybe\"}", base, true, &d, &err),
                     HALE_E_INVAL);

    /* PUT: base gives identity, not values */
    assert_int_equal(from_api("{" BASIC "}", base, false, &d, NULL), HALE_OK);
    assert_string_equal(d->id, "i");
    assert_string_equal(d->description, "");
    assert_int_equal(d->match_by.n, 0);
    hale_definition_free(d);
    hale_definition_free(base);
    hale_buf_fini(&a);
    hale_buf_fini(&b);
}

static void updates_keep_match_by_and_metrics(void **state)
{
    static const struct {
        const char *body, *error; /* NULL: allowed */
    } cases[] = {
        {"{\"name\":\"other\",\"severity\":\"LOW\"}", NULL},
        {"{\"match_by\":[\"hostname\"]}", NULL},
        {"{\"match_by\":[]}", "match_by must not change"},
        {"{\"match_by\":[\"device\"]}", "match_by must not change"},
        {"{\"expression\":\"min(cpu{hostname=h1}, 120) < 5 times 2 or last(x) >= 7\"}",
         NULL},
        {"{\"expression\":\"avg(cpu{hostname=h1}) > 90\"}",
         "number of subexpressions must not change"},
        {"{\"expression\":\"avg(cpu{hostname=h2}) > 90 and max(x) > 1\"}",
         "metrics in subexpression must not change"},
        {"{\"expression\":\"avg(cpu) > 90 and max(x) > 1\"}",
         "metrics in subexpression must not change"},
        {"{\"expression\":\"avg(cpu{hostname=h1}) > 90 and max(y) > 1\"}",
         "metrics in subexpression must not change"},
        {"{\"expression\":\"max(x) > 1 and avg(cpu{hostname=h1}) > 90\"}",
         "metrics in subexpression must not change"},
    };
    struct hale_definition *base = stored();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_definition *d;
        struct hale_err err = {0};
        assert_int_equal(from_api(cases[i].body, base, true, &d, &err), HALE_OK);
        enum hale_rc rc = hale_definition_check_update(base, d, &err);
        if (rc != (cases[i].error != NULL ? HALE_E_CONFLICT : HALE_OK))
            fail_msg("%s: %d", cases[i].body, rc);
        if (cases[i].error != NULL)
            assert_string_equal(err.text, cases[i].error);
        hale_definition_free(d);
    }
    hale_definition_free(base);
}

static void updates_keep_every_metric_of_a_calculation(void **state)
{
    static const struct {
        const char *left;
        bool same;
    } cases[] = {
        {"max(x, 30) * 8 - sum(y{a=b})", true},
        {"(avg(x) + avg(y{a=b})) / 2", true},
        {"avg(x)", false},
        {"avg(y{a=b}) / avg(x)", false},
        {"avg(x) / avg(y)", false},
        {"avg(x) / avg(y{a=c})", false},
        {"avg(x) / avg(y{a=b}) / avg(x)", false},
    };
    struct hale_definition *base, *d;
    (void)state;
    assert_int_equal(
        from_api("{\"name\":\"n\",\"expression\":\"avg(x) / avg(y{a=b}) > 1\"}", NULL,
                 false, &base, NULL),
        HALE_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"expression\":\"%s > 2\"}", cases[i].left);
        assert_int_equal(from_api(body, base, true, &d, NULL), HALE_OK);
        assert_int_equal(hale_definition_check_update(base, d, NULL),
                         cases[i].same ? HALE_OK : HALE_E_CONFLICT);
        hale_definition_free(d);
    }
    hale_definition_free(base);
    assert_int_equal(from_api("{\"name\":\"n\",\"semantics\":\"monasca\",\"expression\":"
                              "\"avg(x) / avg(y) > 1\"}",
                              NULL, false, &d, NULL),
                     HALE_E_INVAL);
}

static void severities_are_read_in_any_case(void **state)
{
    enum hale_severity s;
    (void)state;
    assert_int_equal(hale_severity_parse(HALE_STR("Medium"), &s), HALE_OK);
    assert_int_equal(s, HALE_SEV_MEDIUM);
    assert_string_equal(hale_severity_text(s), "MEDIUM");
    assert_int_equal(hale_severity_parse(HALE_STR(""), &s), HALE_E_INVAL);
}

static void every_failed_allocation_is_survived(void **state)
{
    struct hale_definition *base = stored();
    json_t *body =
        json_loads("{\"match_by\":[\"hostname\"],\"ok_actions\":[\"a\"]}", 0, NULL);
    bool hit = true;
    (void)state;
    for (unsigned long n = 1; hit; n++) {
        struct hale_definition *d;
        fail_alloc_in = n;
        enum hale_rc rc = hale_definition_from_api(body, base, true, &d, NULL);
        hit = fail_alloc_in == 0;
        fail_alloc_in = 0;
        assert_int_equal(rc, hit ? HALE_E_NOMEM : HALE_OK);
        hale_definition_free(d);
    }
    json_decref(body);
    hale_definition_free(base);
    hit = true;
    for (unsigned long n = 1; hit; n++) {
        struct hale_definition *d;
        fail_alloc_in = n;
        enum hale_rc rc = hale_definition_decode(HALE_STR(STORED), &d, NULL);
        hit = fail_alloc_in == 0;
        fail_alloc_in = 0;
        assert_int_equal(rc, hit ? HALE_E_NOMEM : HALE_OK);
        hale_definition_free(d);
    }
}

static struct hale_definition *from_text(const char *body,
                                         const struct hale_definition *base)
{
    struct hale_definition *d = NULL;
    struct hale_err err = {0};
    json_t *v = json_loads(body, 0, NULL);
    assert_non_null(v);
    if (hale_definition_from_api(v, base, base != NULL, &d, &err) != HALE_OK)
        fail_msg("%s: %s", body, err.text);
    json_decref(v);
    return d;
}

static void the_missing_data_policy_is_kept_and_taken_back(void **state)
{
    (void)state;
    struct hale_buf text;
    hale_buf_init(&text, 65536);
    struct hale_definition *plain = from_text("{" BASIC "}", NULL);
    struct hale_definition *d =
        from_text("{" BASIC ",\"on_missing\":\"Alarm\",\"missing_after\":180,"
                  "\"impact\":\"Down\",\"for\":60,\"clear_for\":30}",
                  plain);
    assert_int_equal(d->on_missing, HALE_MISSING_ALARM);
    assert_int_equal(d->missing_after_s, 180);
    free(d->id);
    free(d->tenant);
    d->id = strdup("1");
    d->tenant = strdup("t");
    d->version = 1;
    assert_int_equal(hale_definition_encode(d, &text), HALE_OK);
    struct hale_definition *again = NULL;
    assert_int_equal(hale_definition_decode(hale_buf_str(&text), &again, NULL), HALE_OK);
    assert_int_equal(again->on_missing, HALE_MISSING_ALARM);
    assert_int_equal(again->missing_after_s, 180);
    assert_int_equal(again->impact, HALE_IMPACT_DOWN);
    assert_int_equal(again->for_s, 60);
    assert_int_equal(again->clear_for_s, 30);
    struct hale_definition *other = from_text("{\"severity\":\"HIGH\"}", again);
    assert_int_equal(other->on_missing, HALE_MISSING_ALARM);
    assert_int_equal(other->missing_after_s, 180);
    assert_int_equal(other->impact, HALE_IMPACT_DOWN);
    struct hale_definition *without = from_text(
        "{\"on_missing\":null,\"missing_after\":null,\"impact\":null,\"for\":null}",
        again);
    assert_int_equal(without->on_missing, HALE_MISSING_DEFAULT);
    assert_int_equal(without->missing_after_s, 0);
    assert_int_equal(without->for_s, 0);
    assert_int_equal(without->clear_for_s, 30);
    without->version = 1;
    hale_buf_reset(&text);
    assert_int_equal(hale_definition_encode(without, &text), HALE_OK);
    assert_null(strstr(text.p, "missing"));
    assert_null(strstr(text.p, "flap"));
    assert_null(strstr(text.p, "impact"));
    hale_definition_free(plain);
    hale_definition_free(d);
    hale_definition_free(again);
    hale_definition_free(other);
    hale_definition_free(without);
    hale_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_missing_data_policy_is_kept_and_taken_back),
        cmocka_unit_test(the_stored_form_comes_back),
        cmocka_unit_test(every_stored_key_is_required),
        cmocka_unit_test(post_fills_defaults),
        cmocka_unit_test(post_refuses_what_monasca_refuses),
        cmocka_unit_test(a_long_expression_leaves_room_for_the_reason),
        cmocka_unit_test(patch_changes_only_what_is_given),
        cmocka_unit_test(updates_keep_match_by_and_metrics),
        cmocka_unit_test(updates_keep_every_metric_of_a_calculation),
        cmocka_unit_test(severities_are_read_in_any_case),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
