/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "collector/token_file.h"

#define H   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0"
#define NEW "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROW(indent, name, digit)                                                         \
    indent "- name: " name "\n" indent "  sha256: \"" H digit "\"\n" indent              \
           "  tenant: t\n" indent "  roles: [agent]\n"
#define ADDED(indent)                                                                    \
    indent "- name: \"new\"\n" indent "  sha256: \"" NEW "\"\n" indent                   \
           "  tenant: \"t2\"\n" indent "  roles: [operator, delegate]\n"
#define ANEW "# Hashed tokens of the collector; changed by `hale token`.\ntokens:"
#define QROW(name, digit)                                                                \
    "  - name: \"" name "\"\n    sha256: \"" H digit                                     \
    "\"\n    tenant: \"t\"\n    roles: [agent]\n"

static const struct collector_token_entry ENTRY = {
    .who = {"t2", "new", COLLECTOR_OPERATOR | COLLECTOR_DELEGATE},
    .expires_ms = INT64_MAX};

static const struct {
    const char *before, *add, *without_a;
} CASES[] = {
    /* comments and the manner of writing stay */
    {"# head\ntokens:\n" ROW("  ", "a", "1") "  # about b\n" ROW("  ", "b",
                                                                 "2") "# tail\n",
     "# head\ntokens:\n" ROW("  ", "a", "1") "  # about b\n" ROW(
         "  ", "b", "2") "# tail\n" ADDED("  "),
     "# head\ntokens:\n  # about b\n" ROW("  ", "b", "2") "# tail\n"},
    {"tokens:\n" ROW("", "b", "2") "\n# mine\n" ROW("", "a", "1"),
     "tokens:\n" ROW("", "b", "2") "\n# mine\n" ROW("", "a", "1") ADDED(""),
     "tokens:\n" ROW("", "b", "2") "\n# mine\n"},
    {"tokens:\n- {name: a, tenant: t, roles: [agent], sha256: \"" H "1\"}\n"
     "- {name: b, tenant: t, roles: [agent], sha256: \"" H "2\"}\n",
     "tokens:\n- {name: a, tenant: t, roles: [agent], sha256: \"" H "1\"}\n"
     "- {name: b, tenant: t, roles: [agent], sha256: \"" H "2\"}\n" ADDED(""),
     "tokens:\n- {name: b, tenant: t, roles: [agent], sha256: \"" H "2\"}\n"},
    /* written anew, since it cannot be done line by line */
    {"tokens: [{name: a, tenant: t, roles: [agent], sha256: \"" H "1\"}] # x\n",
     ANEW "\n" QROW("a", "1") ADDED("  "), ANEW " []\n"},
    {"tokens:\n" ROW("  ", "a", "1"), "tokens:\n" ROW("  ", "a", "1") ADDED("  "),
     ANEW " []\n"},
};

static void changes_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out;
        struct hale_err err = {0};
        hale_buf_init(&out, 65536);
        if (collector_token_text_add(hale_str_from(CASES[i].before), &ENTRY, NEW, &out,
                                     &err) != HALE_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_string_equal(out.p, CASES[i].add);
        hale_buf_reset(&out);
        if (collector_token_text_remove(hale_str_from(CASES[i].before), "a", &out,
                                        &err) != HALE_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_string_equal(out.p, CASES[i].without_a);
        hale_buf_reset(&out);
        assert_int_equal(
            collector_token_text_remove(hale_str_from(CASES[i].before), "zz", &out, &err),
            HALE_E_NOTFOUND);
        hale_buf_fini(&out);
    }
}

static void refuses(void **state)
{
    struct hale_buf out;
    struct hale_err err = {0};
    struct collector_token_entry e = ENTRY;
    (void)state;
    hale_buf_init(&out, 65536);
    memcpy(e.who.name, "a", 2);
    assert_int_equal(collector_token_text_add(HALE_STR("tokens:\n" ROW("  ", "a", "1")),
                                              &e, NEW, &out, &err),
                     HALE_E_EXISTS);
    hale_buf_reset(&out);
    assert_int_equal(
        collector_token_text_add(HALE_STR("tokens: 1\n"), &ENTRY, NEW, &out, &err),
        HALE_E_INVAL);
    hale_buf_reset(&out);
    e.who.roles = 0; /* the reader's rules hold */
    assert_int_not_equal(
        collector_token_text_add(HALE_STR("tokens: []\n"), &e, NEW, &out, &err), HALE_OK);
    hale_buf_fini(&out);
}

static char dir[32];
static char path[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-token-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/t.yaml", dir);
    return 0;
}

static int drop_dir(void **state)
{
    char name[80];
    (void)state;
    (void)unlink(path);
    (void)snprintf(name, sizeof(name), "%s.lock", path);
    (void)unlink(name);
    return rmdir(dir); /* fails when something was left behind */
}

static void keeps_mode_and_tells_tokens(void **state)
{
    char text[COLLECTOR_TOKEN_TEXT_MAX];
    struct hale_err err = {0};
    struct stat st;
    struct collector_token_table *table = NULL;
    struct collector_tokens *tokens = collector_tokens_new();
    struct collector_identity who;
    (void)state;
    assert_int_equal(collector_token_file_add(path, &ENTRY, text, &err), HALE_OK);
    assert_int_equal(strlen(text), 64);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    struct collector_token_entry e = ENTRY;
    memcpy(e.who.name, "b", 2);
    char other[COLLECTOR_TOKEN_TEXT_MAX];
    assert_int_equal(collector_token_file_add(path, &e, other, &err), HALE_OK);
    assert_string_not_equal(text, other);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(collector_token_table_load(path, &table, &err), HALE_OK);
    collector_tokens_swap(tokens, table);
    assert_int_equal(collector_tokens_check(tokens, hale_str_from(text), 0, &who),
                     HALE_OK);
    assert_string_equal(who.name, "new");
    assert_int_equal(collector_token_file_remove(path, "new", &err), HALE_OK);
    assert_int_equal(collector_token_table_load(path, &table, &err), HALE_OK);
    collector_tokens_swap(tokens, table);
    assert_int_equal(collector_tokens_check(tokens, hale_str_from(text), 0, &who),
                     HALE_E_DENIED);
    assert_int_equal(collector_tokens_check(tokens, hale_str_from(other), 0, &who),
                     HALE_OK);
    collector_tokens_free(tokens);
}

static void *changer(void *arg)
{
    int *n = arg;
    for (int i = 0; i < 20; i++) {
        struct collector_token_entry e = ENTRY;
        struct hale_err err = {0};
        char text[COLLECTOR_TOKEN_TEXT_MAX];
        (void)snprintf(e.who.name, sizeof(e.who.name), "n%d-%d", *n, i);
        if (collector_token_file_add(path, &e, text, &err) != HALE_OK)
            return arg;
        if (i % 2 == 0 && collector_token_file_remove(path, e.who.name, &err) != HALE_OK)
            return arg;
    }
    return NULL;
}

static void several_at_once(void **state)
{
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    struct collector_token_table *table = NULL;
    struct hale_err err = {0};
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, changer, &numbers[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(collector_token_table_load(path, &table, &err), HALE_OK);
    assert_int_equal(collector_token_table_count(table), 40);
    collector_token_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_texts),
        cmocka_unit_test(refuses),
        cmocka_unit_test_setup_teardown(keeps_mode_and_tells_tokens, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(several_at_once, make_dir, drop_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
