/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/keystone.h"

#define CATALOG                                                                          \
    "[{\"type\":\"compute\",\"endpoints\":["                                             \
    "{\"interface\":\"internal\",\"region_id\":\"one\",\"url\":\"http://i:1/v2.1\"},"    \
    "{\"interface\":\"public\",\"region_id\":\"two\",\"url\":\"http://q:1/v2.1\"},"      \
    "{\"interface\":\"public\",\"region_id\":\"one\",\"url\":\"http://p:1/v2.1//\"}]},"  \
    "{\"type\":\"image\",\"endpoints\":[{\"interface\":\"public\",\"region_id\":"        \
    "\"one\","                                                                           \
    "\"url\":\"gopher://x/\"}]},{\"type\":5},{}]"
#define TOKEN(catalog)                                                                   \
    "{\"token\":{\"expires_at\":\"2026-11-18T12:00:00.000000Z\",\"catalog\":" catalog "}}"

static const struct actuator_cloud CLOUD = {.name = (char *)(uintptr_t) "c",
                                            .auth_url = (char *)(uintptr_t) "http://k/v3",
                                            .region = (char *)(uintptr_t) "one",
                                            .username = (char *)(uintptr_t) "u\"1",
                                            .user_domain = (char *)(uintptr_t) "Default",
                                            .project = (char *)(uintptr_t) "p",
                                            .project_domain = (char *)(uintptr_t) "D"};

static void test_bodies(void **state)
{
    struct hale_buf body;
    (void)state;
    assert_int_equal(actuator_keystone_body(&CLOUD, HALE_STR("s\\\"ecret"), &body),
                     HALE_OK);
    assert_string_equal(
        body.p,
        "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{"
        "\"name\":\"u\\\"1\",\"domain\":{\"name\":\"Default\"},\"password\":"
        "\"s\\\\\\\"ecret\"}}},\"scope\":{\"project\":{\"name\":\"p\",\"domain\":{"
        "\"name\":\"D\"}}}}}");
    actuator_keystone_wipe(&body);
    struct actuator_cloud c = CLOUD;
    c.credential_id = (char *)(uintptr_t) "id1";
    assert_int_equal(actuator_keystone_body(&c, HALE_STR("x"), &body), HALE_OK);
    assert_string_equal(
        body.p, "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],"
                "\"application_credential\":{\"id\":\"id1\",\"secret\":\"x\"}}}}");
    actuator_keystone_wipe(&body);
}

static void test_token(void **state)
{
    struct actuator_token t;
    struct hale_err err;
    (void)state;
    assert_int_equal(actuator_keystone_token(&CLOUD, HALE_STR(TOKEN(CATALOG)),
                                             HALE_STR("gAA-_"), &t, &err),
                     HALE_OK);
    assert_string_equal(t.id, "gAA-_");
    assert_int_equal(t.expires_us, 1795003200000000LL);
    assert_string_equal(actuator_keystone_endpoint(&t, "compute"), "http://p:1/v2.1");
    assert_null(actuator_keystone_endpoint(&t, "image")); /* not http */
    assert_null(actuator_keystone_endpoint(&t, "network"));
    actuator_token_fini(&t);
    struct actuator_cloud any = CLOUD;
    any.region = NULL;
    assert_int_equal(
        actuator_keystone_token(&any, HALE_STR(TOKEN(CATALOG)), HALE_STR("t"), &t, &err),
        HALE_OK);
    assert_string_equal(actuator_keystone_endpoint(&t, "compute"), "http://q:1/v2.1");
    actuator_token_fini(&t);
}

static void test_not_tokens(void **state)
{
    static const struct {
        const char *body, *subject;
    } bad[] = {
        {"", "t"},
        {"[]", "t"},
        {"{", "t"},
        {"{\"token\":5}", "t"},
        {"{\"token\":{}}", "t"},
        {"{\"token\":{\"expires_at\":\"soon\"}}", "t"},
        {TOKEN("[]"), ""},
        {TOKEN("[]"), "a b"},
        {TOKEN("[]"), "a\r\nX: y"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct actuator_token t;
        struct hale_err err = {.text = ""};
        assert_int_equal(actuator_keystone_token(&CLOUD, hale_str_from(bad[i].body),
                                                 hale_str_from(bad[i].subject), &t, &err),
                         HALE_E_INVAL);
        assert_true(err.text[0] != '\0');
        assert_null(t.id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_not_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
