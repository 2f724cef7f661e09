/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/method.h"

#define ROW                                                                              \
    "{\"v\":1,\"id\":\"i\",\"tenant\":\"t\",\"name\":\"n\",\"type\":\"WEBHOOK\","        \
    "\"address\":\"http://h/\",\"period\":60,\"created_ms\":1,\"updated_ms\":2}"

static void stored_form_comes_back_as_it_was(void **state)
{
    struct hale_method *m = NULL;
    struct hale_err err = {0};
    struct hale_buf out;
    (void)state;
    assert_int_equal(hale_method_decode(HALE_STR(ROW), &m, &err), HALE_OK);
    assert_int_equal(m->type, HALE_METHOD_WEBHOOK);
    assert_int_equal(m->period_s, 60);
    hale_buf_init(&out, 4096);
    assert_int_equal(hale_method_encode(m, &out), HALE_OK);
    assert_string_equal(out.p, ROW);
    hale_buf_fini(&out);
    hale_method_free(m);
    hale_method_free(NULL);
}

static void broken_records_are_refused(void **state)
{
    static const char *const broken[] = {
        "",
        "{}",
        "[]",
        "{\"v\":2}",
        "{\"v\":1,\"id\":\"\",\"tenant\":\"t\",\"name\":\"n\",\"type\":\"EMAIL\","
        "\"address\":\"a@b\",\"period\":0,\"created_ms\":1,\"updated_ms\":2}",
        "{\"v\":1,\"id\":\"i\",\"tenant\":\"t\",\"name\":\"n\",\"type\":\"FAX\","
        "\"address\":\"a@b\",\"period\":0,\"created_ms\":1,\"updated_ms\":2}",
        "{\"v\":1,\"id\":\"i\",\"tenant\":\"t\",\"name\":\"n\",\"type\":\"EMAIL\","
        "\"address\":\"a@b\",\"period\":-1,\"created_ms\":1,\"updated_ms\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct hale_method *m = NULL;
        struct hale_err err = {0};
        assert_int_equal(hale_method_decode(hale_str_from(broken[i]), &m, &err),
                         HALE_E_INVAL);
        assert_null(m);
        assert_string_not_equal(err.text, "");
    }
}

struct body {
    const char *json;
    const char *error; /* part of the text, or NULL when it is good */
};

static void check(const struct body *b, const struct hale_method *base, bool whole)
{
    struct hale_method *m = NULL;
    struct hale_err err = {0};
    json_t *body = json_loads(b->json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(body);
    enum hale_rc rc = hale_method_from_api(body, base, whole, &m, &err);
    if (b->error == NULL) {
        if (rc != HALE_OK)
            fail_msg("%s: %s", b->json, err.text);
        assert_string_equal(m->id, base->id);
        assert_int_equal(m->created_ms, base->created_ms);
    } else {
        assert_int_equal(rc, HALE_E_INVAL);
        if (strstr(err.text, b->error) == NULL)
            fail_msg("%s: %s", b->json, err.text);
    }
    hale_method_free(m);
    json_decref(body);
}

static void changes_keep_what_is_not_given(void **state)
{
    static const struct body patches[] = {
        {"{}", NULL},
        {"{\"name\":\"other\"}", NULL},
        {"{\"period\":\"0\"}", NULL},
        {"{\"type\":\"EMAIL\"}", "correct format"},
        {"{\"type\":\"PAGERDUTY\"}", "period must be 0"},
        {"{\"type\":\"EMAIL\",\"address\":\"a@b\",\"period\":0}", NULL},
        {"{\"address\":\"http:///x\"}", "correct format"},
        {"{\"address\":\"http://:80/x\"}", "correct format"},
        {"{\"address\":\"http://h\\\\@evil/x\"}", "correct format"},
        {"{\"name\":\"a\\u0000b\"}", "name"},
        {"{\"name\":null}", "name"},
        {"{\"period\":5}", "not in the valid periods"},
        {"{\"id\":\"x\"}", "unknown key"},
        {"null", "object"},
    };
    static const struct body puts[] = {
        {"{\"name\":\"n\",\"type\":\"pagerduty\",\"address\":\"k\",\"period\":0}", NULL},
        {"{\"name\":\"n\",\"type\":\"pagerduty\",\"address\":\"k\"}",
         "Period is required"},
        {"{\"type\":\"pagerduty\",\"address\":\"k\",\"period\":0}", "name is required"},
        {"{\"name\":\"n\",\"address\":\"k\",\"period\":0}", "type is required"},
        {"{\"name\":\"n\",\"type\":\"pagerduty\",\"period\":0}", "address is required"},
    };
    struct hale_method *base = NULL;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(hale_method_decode(HALE_STR(ROW), &base, &err), HALE_OK);
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++)
        check(&patches[i], base, false);
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++)
        check(&puts[i], base, true);
    hale_method_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_form_comes_back_as_it_was),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(changes_keep_what_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
