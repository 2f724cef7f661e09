/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/expect.h"

static const char DOC[] =
    "{\"a\":{\"b\":[10,{\"c\":\"x y\"}],\"n\":null,\"t\":true,\"f\":1.5},"
    "\"/\":\"slash\",\"~\":\"tilde\",\"\":\"empty\",\"s\":\"A*B\",\"u\":\"\\u00fc1\"}";

static void test_pointers(void **state)
{
    static const struct {
        const char *pointer, *value; /* NULL: nothing there */
    } cases[] = {{"/a/b/0", "10"},     {"/a/b/1/c", "\"x y\""}, {"/~1", "\"slash\""},
                 {"/~0", "\"tilde\""}, {"/", "\"empty\""},      {"/a/b/2", NULL},
                 {"/a/b/-", NULL},     {"/a/b/c", NULL},        {"/a/n", "null"},
                 {"/a/b/0/x", NULL},   {"/none", NULL},         {"/a/b/00x", NULL}};
    json_t *doc = json_loads(DOC, 0, NULL);
    (void)state;
    assert_non_null(doc);
    assert_ptr_equal(actuator_pointer_get(doc, ""), doc);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const json_t *at = actuator_pointer_get(doc, cases[i].pointer);
        char *text = at != NULL ? json_dumps(at, JSON_ENCODE_ANY) : NULL;
        if ((text == NULL) != (cases[i].value == NULL) ||
            (text != NULL && strcmp(text, cases[i].value) != 0))
            fail_msg("%s: %s", cases[i].pointer, text != NULL ? text : "nothing");
        free(text);
    }
    json_decref(doc);
}

static void test_pointers_that_are_none(void **state)
{
    static const char *const bad[] = {"a/b", "status", "/a~", "/a~2", "~0"};
    struct hale_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(actuator_pointer_check(hale_str_from(bad[i]), &err),
                         HALE_E_INVAL);
    assert_non_null(strstr(err.text, "write '/~0'"));
    assert_int_equal(actuator_pointer_check(HALE_STR("/a~1b/0"), &err), HALE_OK);
    assert_int_equal(actuator_pointer_check(HALE_STR(""), &err), HALE_OK);
    char *big = malloc(ACTUATOR_POINTER_MAX + 1);
    assert_non_null(big);
    memset(big, '/', ACTUATOR_POINTER_MAX);
    big[ACTUATOR_POINTER_MAX] = '\0';
    assert_int_equal(actuator_pointer_check(hale_str_from(big), &err), HALE_E_INVAL);
    free(big);
}

static void test_values(void **state)
{
    static const struct {
        const char *expect;
        bool holds;
    } cases[] = {{"{\"/a/b/0\":[10]}", true},
                 {"{\"/a/b/0\":[10.0]}", true},
                 {"{\"/a/b/0\":[11,\"10\"]}", true}, /* the text of a number */
                 {"{\"/a/b/0\":[\"1?\"]}", true},
                 {"{\"/a/b/0\":[true]}", false},
                 {"{\"/a/f\":[1.5]}", true},
                 {"{\"/a/t\":[true]}", true},
                 {"{\"/a/t\":[\"true\"]}", true},
                 {"{\"/a/t\":[false]}", false},
                 {"{\"/a/t\":[1]}", false},
                 {"{\"/a/n\":[null]}", true},
                 {"{\"/none\":[null]}", true},
                 {"{\"/a/t\":[null]}", false},
                 {"{\"/a/n\":[\"*\"]}", false},
                 {"{\"/a\":[\"*\"]}", true},
                 {"{\"/a\":[\"**\"]}", false}, /* an object is no text */
                 {"{\"/none\":[\"*\"]}", false},
                 {"{\"/a/b/1/c\":[\"x*\"]}", true},
                 {"{\"/a/b/1/c\":[\"*y\"]}", true},
                 {"{\"/a/b/1/c\":[\"*x*y*\"]}", true},
                 {"{\"/a/b/1/c\":[\"x?\"]}", false},
                 {"{\"/a/b/1/c\":[\"\"]}", false},
                 {"{\"/s\":[\"A\\\\*B\"]}", true},
                 {"{\"/s\":[\"A\\\\*C\"]}", false},
                 {"{\"/a/b/1/c\":[\"x\\\\*\"]}", false},
                 {"{\"/u\":[\"?1\"]}", true}, /* one character of two bytes */
                 {"{\"/a/b/0\":[10],\"/a/t\":[false]}", false}};
    json_t *doc = json_loads(DOC, 0, NULL);
    char why[300];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *expect = json_loads(cases[i].expect, 0, NULL);
        assert_non_null(expect);
        if (actuator_expect_all(expect, doc, why, sizeof(why)) != cases[i].holds)
            fail_msg("%s: %s", cases[i].expect, why);
        json_decref(expect);
    }
    json_t *fail = json_pack("{s:[s,s],s:[s]}", "/none", "a", "b", "/s", "A*");
    assert_true(actuator_expect_any(fail, doc, why, sizeof(why)));
    assert_string_equal(why, "/s is \"A*B\"");
    json_object_del(fail, "/s");
    assert_false(actuator_expect_any(fail, doc, why, sizeof(why)));
    json_decref(fail);
    json_decref(doc);
}

/* Many stars and a long text must not take for ever. */
static void test_a_pattern_costs_little(void **state)
{
    enum { N = 100000 };
    char *text = malloc(N + 1), why[300];
    (void)state;
    assert_non_null(text);
    memset(text, 'a', N);
    text[N] = '\0';
    json_t *doc = json_pack("{s:s}", "x", text);
    json_t *expect = json_pack("{s:[s]}", "/x", "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b");
    assert_false(actuator_expect_all(expect, doc, why, sizeof(why)));
    json_decref(doc);
    json_decref(expect);
    free(text);
}

static void test_variables_mean_themselves(void **state)
{
    json_t *expect = json_pack("{s:[s,i]}", "/s", "${x}*", 3), *plan = NULL;
    json_t *vars = json_pack("{s:s}", "x", "A*");
    json_t *good = json_pack("{s:s}", "s", "A*B"), *bad = json_pack("{s:s}", "s", "AxB");
    char missing[256], why[300];
    (void)state;
    assert_int_equal(actuator_expect_plan(expect, vars, &plan, missing), HALE_OK);
    assert_true(actuator_expect_all(plan, good, why, sizeof(why)));
    assert_false(actuator_expect_all(plan, bad, why, sizeof(why)));
    assert_string_equal(why, "/s is \"AxB\", not \"A\\\\**\" or the like");
    json_decref(plan);
    json_object_clear(vars);
    assert_int_equal(actuator_expect_plan(expect, vars, &plan, missing), HALE_E_NOTFOUND);
    assert_string_equal(missing, "x");
    json_decref(expect);
    json_decref(vars);
    json_decref(good);
    json_decref(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_pointers_that_are_none),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_a_pattern_costs_little),
        cmocka_unit_test(test_variables_mean_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
