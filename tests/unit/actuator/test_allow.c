/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/allow.h"

static const struct {
    const char *url;
    bool allowed;
} ROWS[] = {
    {"http://127.0.0.1:1/x", true},
    {"http://127.8.9.10/", true},
    {"http://localhost:9/", true},
    {"http://[::1]:80/", true},
    {"http://vnfm:9890/vnflcm", true},
    {"http://VNFM:9890/vnflcm", true},
    {"http://vnfm:9891/", false},
    {"https://any:1/", true},
    {"https://any/", true},
    {"http://a.example.org/", true},
    {"http://a.b.example.org:8/", true},
    {"http://example.org/", false},
    {"http://xexample.org/", false},
    {"http://written/x", true},
    {"http://written:81/x", false},
    {"http://10.0.0.1/", false},
    {"http://127.0.0.1.evil.net/", false},
    {"http://127.0.0.1@evil.net/", false},
    {"http://evil.net#127.0.0.1", false},
    {"http://evil.net\\@127.0.0.1/", false},
    {"http://evil.net?127.0.0.1", false},
    {"http://vnfm:9890@evil.net/", false},
    {"http://vnfm%2eevil/", false},
    {"http:///x", false},
    {"http://:80/", false},
    {"http://vnfm:99999/", false},
    {"http://[::1/", false},
    {"file:///etc/passwd", false},
    {"gopher://127.0.0.1/", false},
    {"", false},
};

static void test_urls(void **state)
{
    struct actuator_allow a = {0};
    (void)state;
    assert_int_equal(actuator_allow_add(&a, HALE_STR("vnfm:9890")), HALE_OK);
    assert_int_equal(actuator_allow_add(&a, HALE_STR("any")), HALE_OK);
    assert_int_equal(actuator_allow_add(&a, HALE_STR("*.example.org")), HALE_OK);
    assert_int_equal(actuator_allow_add_url(&a, "http://written/hook?x"), HALE_OK);
    assert_int_equal(actuator_allow_add_url(&a, "http://${vnf}:1/"),
                     HALE_OK); /* adds nothing */
    assert_int_equal(a.n, 4);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        if (actuator_allow_url(&a, ROWS[i].url) != ROWS[i].allowed)
            fail_msg("%s", ROWS[i].url);
    actuator_allow_fini(&a);
}

/* For addresses of tenants loopback must be written. */
static void test_listed(void **state)
{
    struct actuator_allow a = {0};
    (void)state;
    assert_false(actuator_allow_listed(&a, "http://127.0.0.1:80/"));
    assert_false(actuator_allow_listed(&a, "http://localhost/"));
    assert_int_equal(actuator_allow_add(&a, HALE_STR("127.0.0.1:80")), HALE_OK);
    assert_true(actuator_allow_listed(&a, "http://127.0.0.1/x"));
    assert_false(actuator_allow_listed(&a, "http://127.0.0.1:81/x"));
    assert_false(actuator_allow_listed(&a, "http://user@127.0.0.1/x"));
    actuator_allow_fini(&a);
}

static void test_patterns(void **state)
{
    static const char *const bad[] = {"",   "http://x", "a/b", "a b",  "*",   "*x", "a*b",
                                      "x:", "x:0",      "x:y", "[::1", "u@x", NULL};
    struct actuator_allow a = {0};
    (void)state;
    for (size_t i = 0; bad[i] != NULL; i++)
        if (actuator_allow_add(&a, hale_str_from(bad[i])) == HALE_OK)
            fail_msg("%s", bad[i]);
    assert_int_equal(a.n, 0);
}

static void how_it_is_named(void **state)
{
    struct actuator_allow a = {0};
    (void)state;
    assert_int_equal(actuator_allow_add(&a, HALE_STR("*.example.org")), HALE_OK);
    assert_int_equal(actuator_allow_add(&a, HALE_STR("one.example.org:8080")), HALE_OK);
    assert_int_equal(actuator_allow_match(&a, "http://one.example.org:8080/"),
                     ACTUATOR_ALLOW_EXACT);
    assert_int_equal(actuator_allow_match(&a, "http://one.example.org/"),
                     ACTUATOR_ALLOW_WILD);
    assert_int_equal(actuator_allow_match(&a, "http://example.org/"), ACTUATOR_ALLOW_NO);
    assert_int_equal(actuator_allow_match(&a, "http://127.0.0.1/"), ACTUATOR_ALLOW_NO);
    actuator_allow_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_is_named), cmocka_unit_test(test_urls),
        cmocka_unit_test(test_listed), cmocka_unit_test(test_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
