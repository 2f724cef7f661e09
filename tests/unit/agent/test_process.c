/* SPDX-License-Identifier: Apache-2.0 */
/* The process check against real children of the test. */
#include "world.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static char name[16]; /* of this test's children, unique on the machine */

static int setup(void **state)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-process-XXXXXX");
    (void)snprintf(name, sizeof(name), "hp-%d", (int)getpid());
    return mkdtemp(dir) == NULL ? -1 : world_setup(state);
}

static int teardown(void **state)
{
    char path[128];
    static const char *const files[] = {"a.pid", "b.pid", "c", "d.pid"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    return rmdir(dir) != 0 ? -1 : world_teardown(state);
}

/* A child of that name; it waits, or with busy works, until it is killed. Back when it bears the name. */
static pid_t spawn(const char *child_name, bool busy)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, child_name);
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            if (!busy)
                (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Until the child has ended but nobody has asked for its end. */
static void make_zombie(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void write_file(const char *file, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void write_pid(const char *file, pid_t pid)
{
    char text[32];
    (void)snprintf(text, sizeof(text), " %d\n", (int)pid);
    write_file(file, text);
}

/* A process check with that key, and more lines of YAML. */
static void make(struct world *w, const char *key, const char *value, const char *more)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "type: process\n%s: '%s'\n%s", key, value, more);
    world_make(w, text);
}

static double count(struct world *w)
{
    world_run(w);
    return world_value(w, "process.pid_count", NULL, NULL);
}

static void test_by_name(void **state)
{
    struct world *w = *state;
    make(w, "name", name, "");
    assert_true(count(w) == 0);
    assert_int_equal(json_array_size(w->samples), 1); /* nothing to say of no process */
    pid_t a = spawn(name, false), b = spawn(name, false);
    assert_true(count(w) == 2);
    assert_non_null(world_sample(w, "process.pid_count", "process_name", name));
    assert_true(world_value(w, "process.thread_count", NULL, NULL) == 2);
    assert_true(world_value(w, "process.mem.rss_mbytes", NULL, NULL) > 0.01);
    assert_true(world_value(w, "process.open_file_descriptors", NULL, NULL) >= 6);
    make_zombie(b);
    assert_true(count(w) == 1);
    end(b);
    end(a);
    assert_true(count(w) == 0);
}

/* The kernel keeps 15 bytes of a name; a longer configured one means those. */
static void test_long_name(void **state)
{
    struct world *w = *state;
    char longer[64];
    (void)snprintf(longer, sizeof(longer), "hale-long-%05d-and-more",
                   (int)(getpid() % 100000));
    pid_t pid = spawn(longer, false);
    make(w, "name", longer, "");
    assert_true(count(w) == 1);
    end(pid);
}

/* A name may hold what the kernel's format uses. */
static void test_name_with_brackets(void **state)
{
    struct world *w = *state;
    pid_t pid = spawn("a) R (b", false);
    make(w, "name", "a) R (b", "detailed: false\n");
    assert_true(count(w) == 1);
    assert_int_equal(json_array_size(w->samples), 1);
    end(pid);
}

static void test_cpu_share(void **state)
{
    struct world *w = *state;
    pid_t pid = spawn(name, true);
    int64_t deadline = hale_clock_mono_ms() + 20000;
    make(w, "name", name, "");
    assert_true(count(w) == 1);
    assert_null(world_sample(w, "process.cpu_perc", NULL, NULL)); /* needs two readings */
    double share = 0;
    while (share < 1) {
        assert_true(hale_clock_mono_ms() < deadline);
        clock_t until = clock() + CLOCKS_PER_SEC / 10;
        while (clock() < until)
            ;
        (void)count(w);
        share = world_value(w, "process.cpu_perc", NULL, NULL);
    }
    assert_true(share < 150); /* ticks are coarse */
    end(pid);
}

static void test_pid_file(void **state)
{
    struct world *w = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/a.pid", dir);
    make(w, "pid_file", path, "");
    assert_true(count(w) == 0); /* no such file */
    assert_non_null(world_sample(w, "process.pid_count", "process_name", path));
    pid_t pid = spawn(name, false);
    write_pid("a.pid", pid);
    assert_true(count(w) == 1);
    static const char *const bad[] = {"", "x", "-1", "0", "1 2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file("a.pid", bad[i]);
        assert_true(count(w) == 0);
    }
    write_pid("a.pid", pid);
    make_zombie(pid);
    assert_true(count(w) == 0);
    end(pid);
    assert_true(count(w) == 0);
}

/* The pid of a dead process was given to another: only the name tells. */
static void test_reused_pid(void **state)
{
    struct world *w = *state;
    char path[128], line[64];
    pid_t pid = spawn("somebody-else", false);
    write_pid("a.pid", pid);
    (void)snprintf(path, sizeof(path), "%s/a.pid", dir);
    (void)snprintf(line, sizeof(line), "name: %s\n", name);
    make(w, "pid_file", path, line);
    assert_true(count(w) == 0);
    make(w, "pid_file", path, "name: somebody-else\n");
    assert_true(count(w) == 1);
    end(pid);
}

static void test_pid_files_come_and_go(void **state)
{
    struct world *w = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/*", dir);
    make(w, "pid_files", path, "pid_file_dimension: vnfc_id\n");
    world_run(w);
    assert_int_equal(json_array_size(w->samples), 0);
    pid_t a = spawn(name, false), b = spawn(name, false);
    write_pid("a.pid", a);
    write_pid("b.pid", b);
    write_pid("c", 0);
    world_run(w);
    assert_true(world_value(w, "process.pid_count", "vnfc_id", "a") == 1);
    assert_true(world_value(w, "process.pid_count", "vnfc_id", "b") == 1);
    assert_true(world_value(w, "process.pid_count", "vnfc_id", "c") == 0);
    end(a);
    (void)snprintf(path, sizeof(path), "%s/b.pid", dir);
    assert_int_equal(unlink(path), 0);
    world_run(w);
    assert_true(world_value(w, "process.pid_count", "vnfc_id", "a") == 0);
    assert_null(world_sample(w, "process.pid_count", "vnfc_id", "b"));
    write_pid("d.pid", b);
    world_run(w);
    assert_true(world_value(w, "process.pid_count", "vnfc_id", "d") == 1);
    end(b);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_by_name),
        IN_WORLD(test_long_name),
        IN_WORLD(test_name_with_brackets),
        IN_WORLD(test_cpu_share),
        IN_WORLD(test_pid_file),
        IN_WORLD(test_reused_pid),
        IN_WORLD(test_pid_files_come_and_go),
    };
    return cmocka_run_group_tests_name("agent.process", tests, NULL, NULL);
}
