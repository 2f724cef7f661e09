/* SPDX-License-Identifier: Apache-2.0 */
/* Executables as children (actuator/process.h): what they get, how they end, what is left of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actuator/process.h"
#include "base/clock.h"

#define WAIT_MS 30000

static struct actuator_processes *set;
static struct heard {
    unsigned n;
    enum hale_rc rc;
    bool started;
    int exit_code, signal;
    size_t len;
    char output[ACTUATOR_PROCESS_OUTPUT + 1], error[200];
} heard;

static void hear(const struct actuator_process_result *r, void *arg)
{
    heard.n++;
    heard.rc = r->rc;
    heard.started = r->started;
    heard.exit_code = r->exit_code;
    heard.signal = r->signal;
    heard.len = r->output.len;
    assert_true(r->output.len <= ACTUATOR_PROCESS_OUTPUT);
    memcpy(heard.output, r->output.p, r->output.len);
    heard.output[r->output.len] = '\0';
    (void)snprintf(heard.error, sizeof(heard.error), "%s", r->error);
    if (arg != NULL)
        (*(unsigned *)arg)++;
}

static const char *const ENV[] = {"PATH=/usr/bin:/bin", "HALE_STEP=0", NULL};

static uint64_t start(const char *const *argv, const char *input, int64_t timeout_ms,
                      void *arg)
{
    uint64_t id = 0;
    const struct actuator_process_call call = {
        .argv = argv,
        .env = ENV,
        .input = input != NULL ? hale_str_from(input) : (struct hale_str){NULL, 0},
        .timeout_ms = timeout_ms};
    assert_int_equal(
        actuator_processes_start(set, &call, hale_clock_mono_ms(), hear, arg, &id),
        HALE_OK);
    return id;
}

static uint64_t sh(const char *script, const char *input, int64_t timeout_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    return start(argv, input, timeout_ms, NULL);
}

/* One turn of the loop that the daemon has. */
static void turn(void)
{
    struct pollfd fd;
    int64_t left = actuator_processes_next_ms(set) - hale_clock_mono_ms();
    actuator_processes_pollfd(set, &fd);
    (void)poll(&fd, 1, left < 0 ? 0 : left > 1000 ? 1000 : (int)left);
    actuator_processes_tick(set, hale_clock_mono_ms());
}

static void await(unsigned n)
{
    int64_t end = hale_clock_mono_ms() + WAIT_MS;
    while (heard.n < n && hale_clock_mono_ms() < end)
        turn();
    assert_int_equal(heard.n, n);
}

static void run(const char *script, const char *input, int64_t timeout_ms)
{
    heard.n = 0;
    (void)sh(script, input, timeout_ms);
    await(1);
}

static unsigned open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static int set_up(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof(heard));
    set = actuator_processes_new();
    return set != NULL ? 0 : -1;
}

/* No child is left, dead or alive. */
static int tear_down(void **state)
{
    (void)state;
    actuator_processes_free(set);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static void test_arguments_arrive_as_they_are(void **state)
{
    (void)state;
    const char *const argv[] = {
        "/usr/bin/printf", "<%s>", "a b", "'\"", ";$(id)`id`|&", "", "*", "\n", NULL};
    (void)start(argv, NULL, 10000, NULL);
    await(1);
    assert_int_equal(heard.rc, HALE_OK);
    assert_int_equal(heard.exit_code, 0);
    assert_string_equal(heard.output, "<a b><'\"><;$(id)`id`|&><><*><\n>");
}

static void test_surroundings(void **state)
{
    (void)state;
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    int extra = dup(0); /* not closed by an exec */
    run("env | grep -v ^_= | grep -v ^PWD | sort; pwd; cat; echo; echo err >&2; ls "
        "/proc/self/fd | wc -l;"
        " grep -c 'NoNewPrivs:.1' /proc/self/status; ulimit -c; "
        "grep SigIgn /proc/self/status; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo "
        "own",
        "{\"a\":1}", 10000);
    assert_string_equal(heard.output,
                        "HALE_STEP=0\nPATH=/usr/bin:/bin\n/\n{\"a\":1}\nerr\n4\n1\n0\n"
                        "SigIgn:\t0000000000000000\nown\n");
    run("cat; readlink /proc/$$/fd/0", NULL, 10000);
    assert_string_equal(heard.output, "/dev/null\n");
    (void)close(extra);
}

static void test_ends(void **state)
{
    (void)state;
    run("exit 7", NULL, 10000);
    assert_int_equal(heard.exit_code, 7);
    assert_int_equal(heard.signal, 0);
    run("kill -11 $$", NULL, 10000);
    assert_int_equal(heard.rc, HALE_OK);
    assert_int_equal(heard.signal, SIGSEGV);
    const char *const missing[] = {"/nowhere/at-all", NULL};
    (void)start(missing, NULL, 10000, NULL);
    await(2);
    assert_int_equal(heard.rc, HALE_E_IO);
    assert_false(heard.started);
    assert_non_null(strstr(heard.error, "ENOENT"));
    const char *const text[] = {"/etc/passwd", NULL};
    (void)start(text, NULL, 10000, NULL);
    await(3);
    assert_non_null(strstr(heard.error, "EACCES"));
}

static void test_output_has_a_bound(void **state)
{
    (void)state;
    run("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last", NULL, 20000);
    assert_int_equal(heard.exit_code, 0);
    assert_int_equal(heard.len, ACTUATOR_PROCESS_OUTPUT);
    assert_string_equal(heard.output + heard.len - 7, "x\nlast\n");
    assert_int_equal(heard.output[0], 'x');
}

/* Its grandchild writes its number, and waits for ever. */
static pid_t number_in(const char *output)
{
    return (pid_t)strtol(output, NULL, 10);
}

static void await_death(pid_t pid)
{
    int64_t end = hale_clock_mono_ms() + WAIT_MS;
    char path[40], text[300];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    while (hale_clock_mono_ms() < end) {
        FILE *f = fopen(path, "r");
        if (f == NULL)
            return;
        size_t n = fread(text, 1, sizeof(text) - 1, f);
        (void)fclose(f);
        text[n] = '\0';
        if (n == 0 || strstr(text, ") Z") != NULL)
            return; /* nobody has asked for it yet */
        turn();
    }
    fail_msg("process %d lives on", (int)pid);
}

/* On a busy machine a shell may need longer. */
static void run_until_it_speaks(const char *script)
{
    heard.len = 0;
    for (int64_t ms = 300; heard.len == 0 && ms < 20000; ms *= 4)
        run(script, NULL, ms);
}

static void test_timeout_kills_the_group(void **state)
{
    (void)state;
    run_until_it_speaks("sleep 1000 & echo $!; wait");
    assert_int_equal(heard.rc, HALE_E_AGAIN);
    assert_true(heard.started);
    assert_non_null(strstr(heard.error, "not over within "));
    assert_true(number_in(heard.output) > 0);
    await_death(number_in(heard.output));
    /* who does not listen is killed */
    run_until_it_speaks("trap '' TERM; sleep 1000 & echo $!; wait; wait; sleep 1000");
    assert_int_equal(heard.rc, HALE_E_AGAIN);
    assert_int_equal(heard.signal, SIGKILL);
    await_death(number_in(heard.output));
}

static void test_what_is_left_behind_is_killed(void **state)
{
    (void)state;
    run("sleep 1000 & echo $!", NULL, 20000);
    assert_int_equal(heard.rc, HALE_OK);
    await_death(number_in(heard.output));
}

static void test_cancel(void **state)
{
    (void)state;
    uint64_t id = sh("sleep 1000 & wait", NULL, 20000);
    assert_int_equal(actuator_processes_running(set), 1);
    actuator_processes_cancel(set, id);
    actuator_processes_cancel(set, 4711);
    int64_t end = hale_clock_mono_ms() + WAIT_MS;
    while (actuator_processes_running(set) > 0 && hale_clock_mono_ms() < end)
        turn();
    assert_int_equal(actuator_processes_running(set), 0);
    assert_int_equal(heard.n, 0);
}

static void test_others_wait_in_order(void **state)
{
    (void)state;
    unsigned late = 0, queued = 0;
    uint64_t id[ACTUATOR_PROCESSES_MAX];
    const char *const argv[] = {"/bin/sh", "-c", "exit 5", NULL};
    for (int i = 0; i < ACTUATOR_PROCESSES_MAX; i++)
        id[i] = sh("sleep 1000", NULL, 60000);
    (void)start(argv, NULL, 50, &late);
    (void)start(argv, NULL, 60000, &queued);
    assert_int_equal(actuator_processes_running(set), ACTUATOR_PROCESSES_MAX);
    await(1);
    assert_int_equal(late, 1);
    assert_int_equal(heard.rc, HALE_E_AGAIN);
    assert_false(heard.started);
    assert_non_null(strstr(heard.error, "not its turn"));
    actuator_processes_cancel(set, id[3]);
    await(2);
    assert_int_equal(queued, 1);
    assert_int_equal(heard.exit_code, 5);
}

static void test_no_descriptor_is_lost(void **state)
{
    (void)state;
    run("exit 0", NULL, 10000);
    unsigned before = open_fds();
    for (int i = 0; i < 40; i++) {
        const char *const missing[] = {"/nowhere", NULL};
        heard.n = 0;
        (void)sh("cat", "x", 10000);
        (void)start(missing, "x", 10000, NULL);
        actuator_processes_cancel(set, sh("sleep 1000", "x", 10000));
        await(2);
    }
    int64_t end = hale_clock_mono_ms() + WAIT_MS;
    while (actuator_processes_running(set) > 0 && hale_clock_mono_ms() < end)
        turn();
    assert_int_equal(open_fds(), before);
}

static void test_there_is_a_limit(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/sleep", "1000", NULL};
    const struct actuator_process_call call = {
        .argv = argv, .env = ENV, .timeout_ms = 60000};
    uint64_t id = 0;
    for (int i = 0; i < ACTUATOR_PROCESSES_MAX + ACTUATOR_PROCESSES_WAITING; i++)
        (void)start(argv, NULL, 60000, NULL);
    assert_int_equal(actuator_processes_start(set, &call, 0, hear, NULL, &id),
                     HALE_E_LIMIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_arguments_arrive_as_they_are),
        TEST(test_surroundings),
        TEST(test_ends),
        TEST(test_output_has_a_bound),
        TEST(test_timeout_kills_the_group),
        TEST(test_what_is_left_behind_is_killed),
        TEST(test_cancel),
        TEST(test_others_wait_in_order),
        TEST(test_no_descriptor_is_lost),
        TEST(test_there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
