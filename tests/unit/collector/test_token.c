/* SPDX-License-Identifier: Apache-2.0 */
/* The file of hashed tokens: what is taken, what is refused and with which word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "collector/token.h"

/* printf %s secret | sha256sum */
#define SECRET_SHA "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER_SHA                                                                        \
    "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa" /* other */

static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/hale-tokens-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static enum hale_rc load(const char *text, struct collector_token_table **out,
                         struct hale_err *err)
{
    memset(err, 0, sizeof(*err));
    assert_int_equal(hale_fs_write(path, text, strlen(text), 0600, err), HALE_OK);
    return collector_token_table_load(path, out, err);
}

#define ROW(name, sha, more)                                                             \
    "  - name: " name "\n    sha256: \"" sha "\"\n    tenant: t1\n" more

static void accepts_and_checks(void **state)
{
    struct collector_token_table *table = NULL;
    struct hale_err err;
    struct collector_identity who;
    struct collector_tokens *t = collector_tokens_new();

    (void)state;
    assert_int_equal(collector_tokens_check(t, HALE_STR("secret"), 0, &who),
                     HALE_E_DENIED);
    assert_int_equal(
        load("tokens:\n" ROW("anna", SECRET_SHA, "    roles: [operator, delegate]\n")
                 ROW("bob", OTHER_SHA,
                     "    roles: [agent]\n    expires: 2027-01-01T00:00:00Z\n"),
             &table, &err),
        HALE_OK);
    assert_int_equal(collector_token_table_count(table), 2);
    collector_tokens_swap(t, table);
    assert_int_equal(collector_tokens_check(t, HALE_STR("secret"), 0, &who), HALE_OK);
    assert_string_equal(who.tenant, "t1");
    assert_string_equal(who.name, "anna");
    assert_int_equal(who.roles, COLLECTOR_OPERATOR | COLLECTOR_DELEGATE);
    assert_int_equal(collector_tokens_check(t, HALE_STR("other"), 1798761599999, &who),
                     HALE_OK);
    assert_int_equal(collector_tokens_check(t, HALE_STR("other"), 1798761600000, &who),
                     HALE_E_DENIED);
    static const char *const WRONG[] = {NULL, "", "Secret", "secret ", SECRET_SHA};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(collector_tokens_check(t, hale_str_from(WRONG[i]), 0, &who),
                         HALE_E_DENIED);
    collector_tokens_free(t);
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        const char *word; /* in the message */
    } CASES[] = {
        {"", "tokens"},
        {"tokens: 5\n", "tokens"},
        {"tokens: []\nmore: 1\n", "exactly one key"},
        {"tokens:\n  - name: a\n", "sha256"},
        {"tokens:\n" ROW("a", "xyz", "    roles: [agent]\n"), "64 hexadecimal"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: []\n"), "roles"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: operator\n"), "roles"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: [boss]\n"), "unknown role"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: [agent]\n    expires: soon\n"),
         "expires"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: [agent]\n")
             ROW("a", OTHER_SHA, "    roles: [agent]\n"),
         "name"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    roles: [agent]\n")
             ROW("b", SECRET_SHA, "    roles: [agent]\n"),
         "sha256"},
        {"tokens:\n  - name: a\n    sha256: \"" SECRET_SHA
         "\"\n    tenant: \"a b\"\n    roles: [agent]\n",
         "tenant"},
        {"tokens:\n" ROW("a", SECRET_SHA, "    role: [agent]\n"), "role"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_token_table *table = NULL;
        struct hale_err err;
        enum hale_rc rc = load(CASES[i].text, &table, &err);
        if (rc == HALE_OK || strstr(err.text, CASES[i].word) == NULL)
            fail_msg("case %zu: rc %d, text \"%s\"", i, rc, err.text);
        assert_null(table);
    }
    struct collector_token_table *table = NULL;
    struct hale_err err;
    assert_int_equal(collector_token_table_load("/nonexistent/tokens", &table, &err),
                     HALE_E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_and_checks, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
