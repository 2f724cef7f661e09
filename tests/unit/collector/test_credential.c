/* SPDX-License-Identifier: Apache-2.0 */
/* The token in an Authorization header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/credential.h"

static void schemes(void **state)
{
    static const struct {
        const char *header, *token; /* NULL: none */
    } CASES[] = {
        {"Token abc", "abc"},
        {"token abc", "abc"},
        {"Bearer a.b-c_d=", "a.b-c_d="},
        {"BEARER   x", "x"},
        {"Basic dTpw", "p"},              /* u:p */
        {"Basic OnNlY3JldA==", "secret"}, /* :secret */
        {"Basic OnNlY3JldA", "secret"},
        {"basic dTphOmI=", "a:b"}, /* u:a:b */
        {"Basic dTo=", NULL},      /* u: */
        {"Basic dXNlcg==", NULL},  /* user */
        {"Basic d*pw", NULL},
        {"Basic ", NULL},
        {"Basic", NULL},
        {"Token", NULL},
        {"Token ", NULL},
        {"Bearer  ", NULL},
        {"Tokenabc", NULL},
        {"Digest abc", NULL},
        {"abc", NULL},
        {"", NULL},
    };
    char space[COLLECTOR_CREDENTIAL_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *token = collector_credential_parse(CASES[i].header, space);
        if (CASES[i].token == NULL)
            assert_null(token);
        else
            assert_string_equal(token, CASES[i].token);
    }
}

static void too_long(void **state)
{
    char header[2 * COLLECTOR_CREDENTIAL_MAX] = "Basic ";
    char space[COLLECTOR_CREDENTIAL_MAX];
    size_t fits = (COLLECTOR_CREDENTIAL_MAX - 1) / 3 * 4; /* digits for 4095 bytes */

    (void)state;
    memset(header + 6, 'O', fits + 4);
    header[6] = 'O'; /* 8: first byte is ':' */
    header[7] = 'j';
    header[6 + fits] = '\0';
    assert_non_null(collector_credential_parse(header, space));
    assert_int_equal(strlen(space), COLLECTOR_CREDENTIAL_MAX - 1);
    header[6 + fits] = 'O';
    header[6 + fits + 4] = '\0';
    assert_null(collector_credential_parse(header, space));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
