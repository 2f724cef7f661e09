/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

/* Runs fn in a child; its wait status, and what it wrote to stderr. */
static int in_child(void (*fn)(void), char *text, size_t size)
{
    int fds[2];
    int status = 0;
    size_t len = 0;
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    assert_true(pid > 0);
    (void)close(fds[1]);
    while (len < size - 1 && (n = read(fds[0], text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void break_promise(void)
{
    volatile int two = 2;
    HALE_ASSERT(two == 3);
}

static void keep_promise(void)
{
    volatile int two = 2;
    HALE_ASSERT(two == 2);
}

static void ask_too_much(void)
{
    volatile unsigned long much = 1ul << 40;
    (void)hale_xcalloc(much, much);
}

static void test_abort(void **state)
{
    char text[8192];
    (void)state;
    int status = in_child(break_promise, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test_assert.c"));
    assert_non_null(strstr(text, "assertion failed: two == 3"));
    status = in_child(keep_promise, text, sizeof(text));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_boot_memory(void **state)
{
    char text[8192];
    (void)state;
    char *zeros = hale_xcalloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(zeros[i], 0);
    free(zeros);
    char *copy = hale_xstrdup("abc");
    assert_string_equal(copy, "abc");
    free(copy);
    int status = in_child(ask_too_much, text, sizeof(text));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(text, "out of memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_boot_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
