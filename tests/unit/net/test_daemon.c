/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a daemon: this program runs itself as a small daemon (argument "as-daemon"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/fs.h"
#include "net/daemon.h"
#include "net/http_client.h"

/* --- the daemon: its configuration is one line, "listen=..." ---------------------------------- */

static enum hale_rc conf_load(const char *path, void **conf_out, struct hale_err *err)
{
    struct hale_buf b;
    hale_buf_init(&b, 1000);
    enum hale_rc rc = hale_fs_read(path, &b, err);
    if (rc == HALE_OK && strncmp(b.p, "value=", 6) != 0)
        rc = hale_err_at(err, HALE_E_INVAL, path, 1, 1, "value= is missing");
    if (rc == HALE_OK)
        *conf_out = hale_buf_take(&b);
    hale_buf_fini(&b);
    return rc;
}

static void conf_describe(struct hale_buf *out)
{
    hale_buf_add_c(out, "  value  anything");
}

static struct hale_counter started =
    HALE_COUNTER_INIT("hale_test_started_total", NULL, "Starts of the test daemon.");

static int run(struct hale_daemon *d, void *conf)
{
    struct hale_err err;
    hale_counter_register(&started);
    hale_counter_add(&started, 1);
    if (hale_daemon_serve(d, "127.0.0.1:0", &err) != HALE_OK)
        return 1;
    (void)printf("run %s", (const char *)conf);
    (void)fflush(stdout);
    while (!hale_daemon_stopping(d)) {
        struct pollfd p = {.fd = hale_daemon_fd(d), .events = POLLIN};
        (void)poll(&p, 1, -1);
        void *fresh = hale_daemon_signals(d);
        if (fresh != NULL) {
            free(conf);
            conf = fresh;
            (void)printf("reload %s", (const char *)conf);
            (void)fflush(stdout);
            if (strstr(conf, "sick") != NULL)
                hale_daemon_health_set(d, "redis", false, "connect: \"refused\"");
            else if (strstr(conf, "well") != NULL)
                hale_daemon_health_set(d, "redis", true, "");
            else if (strstr(conf, "stop") != NULL)
                hale_daemon_stop(d);
        }
    }
    if (strstr(conf, "hang") != NULL) {
        (void)printf("hanging\n");
        (void)fflush(stdout);
        for (;;)
            (void)pause();
    }
    free(conf);
    const char *code = getenv("HALE_TEST_EXIT");
    return code != NULL && strchr(code, '1') != NULL ? 1 : 0;
}

static int as_daemon(int argc, char **argv)
{
    static const struct hale_daemon_spec spec = {
        .name = "hale-test",
        .summary = "a daemon for tests",
        .default_config = "/nonexistent/default.yaml",
        .conf_load = conf_load,
        .conf_free = free,
        .conf_describe = conf_describe,
        .run = run,
    };
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return hale_daemon_main(&spec, argc, argv);
}

/* --- running it ------------------------------------------------------------------------------- */

static char dir[64], config[96];

struct child {
    pid_t pid;
    int out; /* its stdout and stderr */
    char text[16384];
    size_t len;
};

static void child_start(struct child *c, const char *const *args)
{
    const char *argv[10] = {"test_net_daemon", "as-daemon"};
    int fds[2];
    int n = 2;
    memset(c, 0, sizeof(*c));
    while (*args != NULL)
        argv[n++] = *args++;
    assert_int_equal(pipe(fds), 0);
    c->pid = fork();
    if (c->pid == 0) {
        (void)dup2(fds[1], 1);
        (void)dup2(fds[1], 2);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(fds[1]);
    c->out = fds[0];
}

/* Reads until text appears behind what was there before (NULL: to the end). */
static void child_expect(struct child *c, const char *text)
{
    size_t from = c->len;
    int64_t deadline = hale_clock_mono_ms() + 10000;
    while (text == NULL || strstr(c->text + from, text) == NULL) {
        struct pollfd p = {.fd = c->out, .events = POLLIN};
        if (hale_clock_mono_ms() > deadline || poll(&p, 1, 1000) < 0)
            fail_msg("\"%s\" did not come; got: %s", text, c->text);
        if (p.revents == 0)
            continue;
        ssize_t n = read(c->out, c->text + c->len, sizeof(c->text) - c->len - 1);
        if (n <= 0 && text == NULL)
            return;
        if (n <= 0)
            fail_msg("ended without \"%s\"; got: %s", text, c->text);
        c->len += (size_t)n;
        c->text[c->len] = '\0';
    }
}

/* Exit code, or 1000 + signal. */
static int child_end(struct child *c)
{
    int status = 0;
    child_expect(c, NULL);
    (void)close(c->out);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void write_config(const char *text)
{
    struct hale_err err;
    assert_int_equal(hale_fs_write(config, text, strlen(text), 0600, &err), HALE_OK);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-daemon-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(config, sizeof(config), "%s/test.conf", dir);
    write_config("value=1\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(config);
    return rmdir(dir);
}

static void test_arguments(void **state)
{
    static const struct {
        const char *args[5];
        int code;
        const char *want[4];
    } rows[] = {
        {{"--help"},
         0,
         {"usage: hale-test", "SIGHUP", "--check-config", "  value  anything"}},
        {{"--help"}, 0, {"a daemon for tests", "/nonexistent/default.yaml", NULL, NULL}},
        {{"--version"}, 0, {"hale-test " HALE_VERSION " (", ")\n", NULL, NULL}},
        {{"--nonsense"}, 2, {"unknown argument \"--nonsense\"", "--help", NULL, NULL}},
        {{"--config"}, 2, {"a file must follow", NULL, NULL, NULL}},
        {{"--log-level", "loud"}, 2, {"\"loud\"", NULL, NULL, NULL}},
        {{"--check-config"}, 2, {"/nonexistent/default.yaml", NULL, NULL, NULL}},
        {{"--check-config", "--config", config}, 0, {" is valid", NULL, NULL, NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct child c;
        child_start(&c, rows[i].args);
        int code = child_end(&c);
        if (code != rows[i].code)
            fail_msg("row %zu: exit code %d: %s", i, code, c.text);
        for (int k = 0; k < 4 && rows[i].want[k] != NULL; k++)
            if (strstr(c.text, rows[i].want[k]) == NULL)
                fail_msg("row %zu: no \"%s\" in: %s", i, rows[i].want[k], c.text);
    }
    write_config("nonsense\n");
    struct child c;
    child_start(&c, (const char *const[]){"--check-config", "--config", config, NULL});
    assert_int_equal(child_end(&c), 2);
    assert_non_null(strstr(c.text, "test.conf:1:1: value= is missing"));
}

static void test_signals(void **state)
{
    struct child c;
    (void)state;
    child_start(&c, (const char *const[]){"--config", config, NULL});
    child_expect(&c, "run value=1");
    write_config("value=2\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    child_expect(&c, "reload value=2");
    write_config("broken\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    child_expect(&c, "event=reload_refused");
    write_config("value=3\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    child_expect(&c, "reload value=3");
    assert_int_equal(kill(c.pid, SIGPIPE), 0); /* ignored */
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(child_end(&c), 0);
    assert_non_null(strstr(c.text, "event=stopped code=0"));
}

static void test_exit_code_and_int(void **state)
{
    struct child c;
    (void)state;
    assert_int_equal(setenv("HALE_TEST_EXIT", "1", 1), 0);
    child_start(&c, (const char *const[]){"--config", config, NULL});
    child_expect(&c, "run value=1");
    assert_int_equal(kill(c.pid, SIGINT), 0);
    assert_int_equal(child_end(&c), 1);
    assert_int_equal(unsetenv("HALE_TEST_EXIT"), 0);
}

static void test_stop_from_inside(void **state)
{
    struct child c;
    (void)state;
    child_start(&c, (const char *const[]){"--config", config, NULL});
    child_expect(&c, "run value=1");
    write_config("value=stop\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    assert_int_equal(child_end(&c), 0);
}

/* A daemon that hangs while stopping is ended by the second signal. */
static void test_second_signal(void **state)
{
    struct child c;
    (void)state;
    write_config("value=hang\n");
    child_start(&c, (const char *const[]){"--config", config, NULL});
    child_expect(&c, "run value=hang");
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    child_expect(&c, "hanging");
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(child_end(&c), 1000 + SIGTERM);
}

static void check_ops(unsigned port, const char *method, const char *path,
                      unsigned status, const char *want)
{
    char url[96];
    struct hale_buf b;
    struct hale_http_result r;
    struct hale_http_call call = {.method = method, .url = url};
    hale_buf_init(&b, 1 << 20);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    assert_int_equal(hale_http_call_sync(&call, &r, &b, NULL), HALE_OK);
    if (r.status != status || b.p == NULL || strstr(b.p, want) == NULL)
        fail_msg("%s %s: %u %s", method, path, r.status, b.p);
    hale_buf_fini(&b);
}

static void test_ops(void **state)
{
    struct child c;
    unsigned port = 0;
    (void)state;
    child_start(&c, (const char *const[]){"--config", config, NULL});
    child_expect(&c, "run value=1");
    const char *at = strstr(c.text, "event=ops_listening");
    assert_non_null(at);
    port = (unsigned)strtoul(strstr(at, "port=") + 5, NULL, 10);
    check_ops(port, "GET", "/metrics", 200, "hale_test_started_total 1");
    check_ops(port, "GET", "/metrics", 200, "daemon=\"hale-test\"");
    check_ops(port, "GET", "/healthz", 503,
              "\"status\":\"failing\""); /* nothing set yet */
    check_ops(port, "POST", "/healthz", 405, "Method Not Allowed");
    check_ops(port, "GET", "/else", 404, "Not Found");
    write_config("value=well\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    child_expect(&c, "reload value=well");
    int64_t deadline = hale_clock_mono_ms() + 5000;
    struct hale_http_result r = {.status = 0};
    char url[96];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/healthz", port);
    struct hale_http_call call = {.method = "GET", .url = url};
    while (r.status != 200 && hale_clock_mono_ms() < deadline)
        assert_int_equal(hale_http_call_sync(&call, &r, NULL, NULL), HALE_OK);
    check_ops(port, "GET", "/healthz", 200,
              "{\"status\":\"ok\",\"daemon\":\"hale-test\",\"version\":\"" HALE_VERSION
              "\",\"components\":{\"redis\":{\"ok\":true,\"detail\":\"\"}}}");
    write_config("value=sick\n");
    assert_int_equal(kill(c.pid, SIGHUP), 0);
    child_expect(&c, "reload value=sick");
    while (r.status != 503 && hale_clock_mono_ms() < deadline)
        assert_int_equal(hale_http_call_sync(&call, &r, NULL, NULL), HALE_OK);
    check_ops(port, "GET", "/healthz", 503,
              "{\"ok\":false,\"detail\":\"connect: \\\"refused\\\"\"}");
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(child_end(&c), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "as-daemon") == 0)
        return as_daemon(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        T(test_arguments),        T(test_signals),       T(test_exit_code_and_int),
        T(test_stop_from_inside), T(test_second_signal), T(test_ops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
