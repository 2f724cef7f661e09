/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/counters.h"
#include "agent/spool.h"
#include "base/buf.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-spool-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static void each_file(void (*fn)(const char *path, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.')
            fn(path, arg);
    }
    (void)closedir(d);
}

static void remove_file(const char *path, void *arg)
{
    (void)arg;
    (void)unlink(path);
}

static void count_file(const char *path, void *arg)
{
    (void)path;
    ++*(int *)arg;
}

static int teardown(void **state)
{
    (void)state;
    each_file(remove_file, NULL);
    return rmdir(dir);
}

static struct agent_spool *open_spool(size_t cap)
{
    struct agent_spool *s = NULL;
    struct hale_err err = {0};
    assert_int_equal(agent_spool_open(dir, cap, &s, &err), HALE_OK);
    return s;
}

static void push(struct agent_spool *s, const char *text)
{
    assert_int_equal(agent_spool_push(s, hale_str_from(text)), HALE_OK);
}

/* The oldest record must be text; takes it. */
static void expect(struct agent_spool *s, const char *text)
{
    struct hale_buf b;
    hale_buf_init(&b, 8u << 20);
    assert_int_equal(agent_spool_peek(s, &b), HALE_OK);
    assert_string_equal(b.p, text);
    agent_spool_take(s);
    hale_buf_fini(&b);
}

static void expect_empty(struct agent_spool *s)
{
    struct hale_buf b;
    int n = 0;
    hale_buf_init(&b, 1024);
    assert_int_equal(agent_spool_peek(s, &b), HALE_E_NOTFOUND);
    assert_true(agent_spool_empty(s));
    assert_int_equal(agent_spool_bytes(s), 0);
    each_file(count_file, &n);
    assert_int_equal(n, 0);
    hale_buf_fini(&b);
}

static void test_first_in_first_out(void **state)
{
    struct agent_spool *s = open_spool(8u << 20);
    (void)state;
    expect_empty(s);
    push(s, "a");
    push(s, "b");
    expect(s, "a");
    push(s, "c");
    expect(s, "b");
    expect(s, "c");
    expect_empty(s);
    push(s, "d"); /* the file that was written and read to its end is begun anew */
    expect(s, "d");
    agent_spool_close(s);
}

static void test_survives_reopening_in_order(void **state)
{
    struct agent_spool *s = open_spool(64u << 20);
    char text[300000];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 20; i++) { /* several files */
        (void)memcpy(text, (char[]){(char)('A' + i)}, 1);
        push(s, text);
    }
    agent_spool_close(s);
    s = open_spool(64u << 20);
    for (int i = 0; i < 20; i++) {
        (void)memcpy(text, (char[]){(char)('A' + i)}, 1);
        expect(s, text);
    }
    expect_empty(s);
    agent_spool_close(s);
}

static void tear(const char *path, void *arg)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - *(off_t *)arg), 0);
}

static void test_torn_tail_loses_only_itself(void **state)
{
    (void)state;
    for (off_t cut = 1; cut <= 13; cut++) { /* into the bytes, the checksum, the length */
        struct agent_spool *s = open_spool(8u << 20);
        push(s, "whole");
        push(s, "torn!");
        agent_spool_close(s);
        each_file(tear, &cut);
        s = open_spool(8u << 20);
        push(s, "after");
        expect(s, "whole");
        expect(s, "after");
        expect_empty(s);
        agent_spool_close(s);
    }
}

static void damage(const char *path, void *arg)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "?", 1, *(off_t *)arg), 1);
    (void)close(fd);
}

static void test_any_damaged_byte_is_noticed(void **state)
{
    (void)state;
    for (off_t at = 0; at < 13; at++) {
        struct agent_spool *s = open_spool(8u << 20);
        push(s, "bytes");
        agent_spool_close(s);
        each_file(damage, &at);
        s = open_spool(8u << 20);
        expect_empty(s);
        agent_spool_close(s);
    }
}

static void test_cap_drops_the_oldest(void **state)
{
    struct agent_spool *s = open_spool(4u << 20);
    int64_t dropped = hale_counter_get(&agent_counter_dropped_spool);
    static char text[600000];
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 8u << 20);
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 20; i++) {
        text[0] = (char)('A' + i);
        push(s, text);
        assert_true(agent_spool_bytes(s) <= 4u << 20);
    }
    assert_true(hale_counter_get(&agent_counter_dropped_spool) > dropped);
    assert_int_equal(agent_spool_peek(s, &b), HALE_OK);
    int first = (unsigned char)b.p[0];
    assert_true(first > 'A'); /* and the counter says how many went */
    assert_int_equal(hale_counter_get(&agent_counter_dropped_spool) - dropped,
                     first - 'A');
    for (int c = first; c < 'A' + 20; c++) { /* what is left is whole and in order */
        text[0] = (char)c;
        expect(s, text);
    }
    expect_empty(s);
    hale_buf_fini(&b);
    agent_spool_close(s);
}

static void test_one_agent_per_spool(void **state)
{
    struct agent_spool *s = open_spool(4u << 20), *second = NULL;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(agent_spool_open(dir, 4u << 20, &second, &err), HALE_E_CONFLICT);
    assert_null(second);
    assert_non_null(strstr(err.text, "another hale-agent uses the spool directory"));
    push(s, "still mine");
    agent_spool_close(s);
    s = open_spool(4u << 20); /* closing gave it free */
    expect(s, "still mine");
    agent_spool_close(s);
}

static void test_dropped_while_peeked(void **state)
{
    struct agent_spool *s = open_spool(4u << 20);
    static char text[900000];
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 8u << 20);
    memset(text, 'x', sizeof(text) - 1);
    push(s, text);
    assert_int_equal(agent_spool_peek(s, &b), HALE_OK);
    for (int i = 0; i < 6; i++)
        push(s, text);
    agent_spool_take(s); /* its file is gone: nothing else may go with it */
    size_t left = agent_spool_bytes(s);
    hale_buf_reset(&b);
    assert_int_equal(agent_spool_peek(s, &b), HALE_OK);
    assert_int_equal(agent_spool_bytes(s), left);
    hale_buf_fini(&b);
    agent_spool_close(s);
}

/* kill -9 at any instant: what push had returned for is there afterwards, in order. */
static void test_kill_keeps_what_was_pushed(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int pipe_fd[2], pushed = -1, n;
        assert_int_equal(pipe(pipe_fd), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct agent_spool *s = NULL;
            struct hale_err err = {0};
            char text[32];
            if (agent_spool_open(dir, 64u << 20, &s, &err) != HALE_OK)
                _exit(1);
            for (int i = 0;; i++) {
                (void)snprintf(text, sizeof(text), "%d", i);
                if (agent_spool_push(s, hale_str_from(text)) != HALE_OK ||
                    write(pipe_fd[1], &i, sizeof(i)) != sizeof(i))
                    _exit(1);
            }
        }
        (void)close(pipe_fd[1]);
        for (int i = 0; i < 50 + 37 * round; i++)
            assert_int_equal(read(pipe_fd[0], &pushed, sizeof(pushed)), sizeof(pushed));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(pipe_fd[0], &n, sizeof(n)) == sizeof(n))
            pushed = n;
        (void)close(pipe_fd[0]);
        struct agent_spool *s = open_spool(64u << 20);
        for (int i = 0; i <= pushed; i++) {
            char text[32];
            (void)snprintf(text, sizeof(text), "%d", i);
            expect(s, text);
        }
        struct hale_buf b;
        hale_buf_init(&b, 64);
        while (agent_spool_peek(s, &b) == HALE_OK) /* at most the one under way */
            agent_spool_take(s);
        hale_buf_fini(&b);
        agent_spool_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_in_first_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_survives_reopening_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail_loses_only_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_any_damaged_byte_is_noticed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cap_drops_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_while_peeked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_agent_per_spool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_keeps_what_was_pushed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
