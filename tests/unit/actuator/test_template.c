/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/template.h"

static json_t *vars(void)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:n}", "a", "x", "alarm.reason",
                     "say \"hi\"\r\n\\${a}", "host", "h 1/../?q=#&%\xc3\xa4", "empty", "",
                     "null");
}

struct row {
    const char *text, *plain, *url, *missing; /* plain NULL: an error */
};
static const struct row ROWS[] = {
    {"", "", "", ""},
    {"no variables $ 5$", "no variables $ 5$", "no variables $ 5$", ""},
    {"${a}", "x", "x", ""},
    {"<${a}|${a}>", "<x|x>", "<x|x>", ""},
    {"$${a}", "${a}", "${a}", ""},
    {"$$${a}", "$${a}", "$${a}", ""},
    {"${empty}", "", "", ""},
    {"http://h/${host}", "http://h/h 1/../?q=#&%\xc3\xa4",
     "http://h/h%201%2F..%2F%3Fq%3D%23%26%25%C3%A4", ""},
    {"${nope}", NULL, NULL, "nope"},
    {"${null}", NULL, NULL, "null"},
    {"${a", NULL, NULL, ""},
    {"${}", NULL, NULL, ""},
    {"${a b}", NULL, NULL, ""},
    {"${${a}}", NULL, NULL, ""},
};

static void test_expand(void **state)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf out;
    json_t *v = vars();
    (void)state;
    hale_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct row *r = &ROWS[i];
        for (int url = 0; url < 2; url++) {
            const char *want = url ? r->url : r->plain;
            hale_buf_reset(&out);
            enum hale_rc rc = actuator_template_expand(
                hale_str_from(r->text), v, url ? ACTUATOR_URL : ACTUATOR_PLAIN, &out,
                missing);
            if (want == NULL) {
                assert_int_not_equal(rc, HALE_OK);
                assert_string_equal(missing, r->missing);
                continue;
            }
            assert_int_equal(rc, HALE_OK);
            assert_string_equal(out.len > 0 ? out.p : "", want);
        }
    }
    hale_buf_fini(&out);
    json_decref(v);
}

/* Whoever resolves a path takes them for a way up, also when they are percent-encoded. */
static void test_no_way_up_in_a_url(void **state)
{
    static const char *const bad[] = {".", ".."}, *const good[] = {"...", ".a", "a..",
                                                                   ""};
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    for (size_t i = 0; i < 2; i++) {
        json_t *v = json_pack("{s:s}", "a", bad[i]);
        assert_int_equal(actuator_template_expand(HALE_STR("http://h/x/${a}/y"), v,
                                                  ACTUATOR_URL, &out, missing),
                         HALE_E_NOTFOUND);
        assert_string_equal(missing, "a");
        assert_int_equal(
            actuator_template_expand(HALE_STR("${a}"), v, ACTUATOR_PLAIN, &out, missing),
            HALE_OK);
        json_decref(v);
    }
    for (size_t i = 0; i < 4; i++) {
        json_t *v = json_pack("{s:s}", "a", good[i]);
        assert_int_equal(actuator_template_expand(HALE_STR("http://h/x/${a}/y"), v,
                                                  ACTUATOR_URL, &out, missing),
                         HALE_OK);
        json_decref(v);
    }
    hale_buf_fini(&out);
}

static void test_header_has_no_control_bytes(void **state)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf out;
    json_t *v = vars();
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(actuator_template_expand(HALE_STR("${alarm.reason}"), v,
                                              ACTUATOR_HEADER, &out, missing),
                     HALE_OK);
    assert_string_equal(out.p, "say \"hi\"??\\${a}"); /* and it is not expanded again */
    hale_buf_fini(&out);
    json_decref(v);
}

static void test_json_values_stay_in_their_string(void **state)
{
    char missing[ACTUATOR_NAME_MAX];
    json_t *v = vars(), *out = NULL;
    json_t *tree = json_loads("{\"t\": \"<${alarm.reason}>\", \"n\": [1, null, \"${a}\"],"
                              " \"${a}\": true}",
                              0, NULL);
    (void)state;
    assert_int_equal(actuator_template_json(tree, v, &out, missing), HALE_OK);
    assert_string_equal(json_string_value(json_object_get(out, "t")),
                        "<say \"hi\"\r\n\\${a}>");
    assert_string_equal(json_string_value(json_array_get(json_object_get(out, "n"), 2)),
                        "x");
    assert_true(json_is_true(json_object_get(out, "${a}"))); /* keys are left alone */
    assert_int_equal(json_object_size(out), 3);
    json_decref(out);
    json_decref(tree);

    tree = json_loads("[\"${nope}\"]", 0, NULL);
    assert_int_equal(actuator_template_json(tree, v, &out, missing), HALE_E_NOTFOUND);
    assert_null(out);
    assert_string_equal(missing, "nope");
    json_decref(tree);
    json_decref(v);
}

static void test_ceiling(void **state)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf out;
    json_t *v = vars();
    (void)state;
    hale_buf_init(&out, 4);
    assert_int_equal(
        actuator_template_expand(HALE_STR("12345"), v, ACTUATOR_PLAIN, &out, missing),
        HALE_E_LIMIT);
    hale_buf_fini(&out);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_no_way_up_in_a_url),
        cmocka_unit_test(test_header_has_no_control_bytes),
        cmocka_unit_test(test_json_values_stay_in_their_string),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
