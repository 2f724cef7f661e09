/* SPDX-License-Identifier: Apache-2.0 */
/* Client credentials: what is sent, and what a token endpoint may answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/oauth.h"

#define NOW_US 1795000000000000LL

static void sent(bool in_body, const char *secret, const char *form, const char *user)
{
    struct actuator_credential c = {.user = (char *)(uintptr_t) "hale:1",
                                    .scope = (char *)(uintptr_t) "a b",
                                    .in_body = in_body};
    struct hale_buf out;
    assert_int_equal(actuator_oauth_form(&c, hale_str_from(secret), &out), HALE_OK);
    assert_string_equal(out.p, form);
    hale_buf_fini(&out);
    assert_int_equal(actuator_oauth_user(&c, hale_str_from(secret), &out), HALE_OK);
    assert_string_equal(out.len > 0 ? out.p : "", user);
    hale_buf_fini(&out);
}

static void test_what_is_sent(void **state)
{
    (void)state;
    sent(false, "s&%", "grant_type=client_credentials&scope=a%20b", "hale%3A1:s%26%25");
    sent(
        true, "s&%",
        "grant_type=client_credentials&scope=a%20b&client_id=hale%3A1&client_secret=s%26%"
        "25",
        "");
    sent(false, "", "grant_type=client_credentials&scope=a%20b&client_id=hale%3A1", "");
}

static void test_tokens(void **state)
{
    static const struct {
        const char *body, *token;
        int64_t renew_s;
    } rows[] = {
        {"{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
         "abc", 3540},
        {"{\"access_token\":\"abc\",\"token_type\":\"bearer\",\"expires_in\":100}", "abc",
         90},
        {"{\"access_token\":\"a.b-c_d~e+f/g=\"}", "a.b-c_d~e+f/g=", 270},
        {"{\"access_token\":\"abc\",\"expires_in\":1e300}", "abc", 30 * 86400 - 60},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_bearer b;
        struct hale_err err;
        assert_int_equal(
            actuator_oauth_token(hale_str_from(rows[i].body), NOW_US, &b, &err), HALE_OK);
        assert_string_equal(b.text, rows[i].token);
        assert_int_equal((b.renew_us - NOW_US) / 1000000, rows[i].renew_s);
        actuator_bearer_fini(&b);
    }
}

static void test_no_tokens(void **state)
{
    static const char *const bodies[] = {
        "",
        "<html>",
        "[]",
        "{\"access_token\":7}",
        "{\"access_token\":\"\"}",
        "{\"access_token\":\"a b\"}",
        "{\"access_token\":\"a\\r\\nX: y\"}",
        "{\"access_token\":\"abc\",\"token_type\":\"mac\"}",
        "{\"access_token\":\"abc\",\"expires_in\":0}",
        "{\"access_token\":\"abc\",\"expires_in\":-5}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct actuator_bearer b;
        struct hale_err err = {.text = ""};
        assert_int_equal(actuator_oauth_token(hale_str_from(bodies[i]), NOW_US, &b, &err),
                         HALE_E_INVAL);
        assert_true(err.text[0] != '\0');
        assert_null(b.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
