/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"

static void test_clean(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"plain ~ text", "plain ~ text"},
        {"\x1b[2J\r\n\t", "?[2J???"},
        {"\x7f", "?"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}, /* letters stay */
        {"\xc2\x9b"
         "31m",
         "?31m"},                                   /* CSI in one character */
        {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"}, /* the first after C1 stays */
        {"a\xc2", "a\xc2"},                         /* cut off: nothing is read beyond */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = strdup(cases[i].from);
        assert_non_null(text);
        assert_ptr_equal(cli_table_clean(text), text);
        assert_string_equal(text, cases[i].to);
        free(text);
    }
}

static int saved = -1;
static FILE *captured;

/* Standard output goes to a file from here on. */
static void capture(void)
{
    assert_int_equal(fflush(stdout), 0);
    captured = tmpfile();
    saved = dup(STDOUT_FILENO);
    assert_non_null(captured);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fileno(captured), STDOUT_FILENO), STDOUT_FILENO);
}

/* What went there; standard output is as before. */
static void captured_is(const char *expected)
{
    char text[1024] = "";
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    rewind(captured);
    size_t n = fread(text, 1, sizeof(text) - 1, captured);
    (void)fclose(captured);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void test_columns_are_aligned(void **state)
{
    static const char *const titles[] = {"A", "LONG TITLE", "LAST"};
    (void)state;
    struct cli_table *t = cli_table_new(3, titles);
    cli_table_row(t, (const char *const[]){"x", "1", "end"});
    cli_table_row(t, (const char *const[]){"\xc3\xbc\xc3\xbc", NULL, ""});
    cli_table_row(t, (const char *const[]){"four", "\x1b[31m", "a\nb"});
    assert_int_equal(cli_table_count(t), 3);
    capture();
    cli_table_print(t);
    captured_is("A     LONG TITLE  LAST\n"
                "x     1           end\n"
                "\xc3\xbc\xc3\xbc    -           -\n"
                "four  ?[31m       a?b\n");
}

static void test_many_rows(void **state)
{
    static const char *const titles[] = {"N"};
    (void)state;
    struct cli_table *t = cli_table_new(1, titles);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", i);
        cli_table_row(t, (const char *const[]){text});
    }
    assert_int_equal(cli_table_count(t), 1000);
    cli_table_free(t);
}

static void test_text(void **state)
{
    (void)state;
    capture();
    cli_table_text("one\x07two\xc2\x90");
    captured_is("one?two?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_columns_are_aligned),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests_name("cli.table", tests, NULL, NULL);
}
