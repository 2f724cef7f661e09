/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "base/base64.h"

static void texts(void **state)
{
    static const struct {
        const char *text, *bytes; /* NULL: none */
    } cases[] = {{"", ""},
                 {"Zg==", "f"},
                 {"Zg", "f"},
                 {"Zm8=", "fo"},
                 {"Zm9v", "foo"},
                 {"Zm9vYg", "foob"},
                 {"+/+/", "\xfb\xff\xbf"},
                 {"Zm9v\n", NULL},
                 {"Zm-v", NULL},
                 {"Zm 9v", NULL},
                 {"====", ""}};
    char out[16];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum hale_rc rc =
            hale_base64_decode(hale_str_from(cases[i].text), out, sizeof(out), &len);
        if ((rc == HALE_OK) != (cases[i].bytes != NULL) ||
            (rc == HALE_OK &&
             (strcmp(out, cases[i].bytes) != 0 || len != strlen(cases[i].bytes))))
            fail_msg("%s", cases[i].text);
    }
}

static void what_does_not_fit(void **state)
{
    char out[4];
    size_t len;
    (void)state;
    assert_int_equal(hale_base64_decode(HALE_STR("Zm9v"), out, 4, &len), HALE_OK);
    assert_int_equal(hale_base64_decode(HALE_STR("Zm9vYg"), out, 4, &len), HALE_E_LIMIT);
    assert_int_equal(hale_base64_decode(HALE_STR(""), out, 0, &len), HALE_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts),
                                       cmocka_unit_test(what_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
