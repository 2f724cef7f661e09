/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actuator/answer.h"

#define DATE    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define DATE_MS 784111777000LL

static struct actuator_answer heard(const char *headers, int64_t now_ms, int64_t took_us)
{
    const struct hale_http_result r = {.rc = HALE_OK,
                                       .sent = true,
                                       .status = 202,
                                       .body = hale_str_from("{}"),
                                       .headers = hale_str_from(headers),
                                       .took_us = took_us,
                                       .error = ""};
    return actuator_answer_of(&r, now_ms);
}

static void test_what_is_taken_over(void **state)
{
    (void)state;
    struct actuator_answer a = heard("HTTP/1.1 202 Accepted\r\nlocation: /ops/1\r\n"
                                     "Retry-After: 7\r\nLink: <x>\r\n",
                                     DATE_MS, 1000);
    assert_int_equal(a.rc, HALE_OK);
    assert_true(a.sent);
    assert_int_equal(a.status, 202);
    assert_int_equal(a.took_us, 1000);
    assert_true(hale_str_eq_c(a.body, "{}"));
    assert_true(hale_str_eq_c(a.location, "/ops/1"));
    assert_true(hale_str_eq_c(a.retry_after, "7"));
    assert_true(hale_str_eq_c(a.link, "<x>"));
    assert_int_equal(a.behind_ms, 0);
}

static void test_clocks(void **state)
{
    static const struct {
        const char *headers;
        int64_t now_ms, took_us, behind_ms;
    } rows[] = {
        {DATE, DATE_MS + 60000, 1000, 60000},
        {DATE, DATE_MS + 1400, 1000, 0},    /* whole seconds */
        {DATE, DATE_MS + 6000, 5000000, 0}, /* it was long under way */
        {DATE, DATE_MS - 60000, 1000, 0},   /* ahead: began after the call all the same */
        {"Date: yesterday\r\n", DATE_MS + 60000, 1000, 0},
        {"Date:\r\n", DATE_MS + 60000, 1000, 0},
        {"Date: Sun, 06 Nov 1994 08:49:37 GMT, and so much more than anybody would "
         "send\r\n",
         DATE_MS + 60000, 1000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_answer a =
            heard(rows[i].headers, rows[i].now_ms, rows[i].took_us);
        if (a.behind_ms != rows[i].behind_ms)
            fail_msg("row %zu: %lld", i, (long long)a.behind_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken_over),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
