/* SPDX-License-Identifier: Apache-2.0 */
/* The tcp, icmp and http checks against real sockets of the loopback interface. */
#include "world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_server.h"

/* A socket bound to a free port of 127.0.0.1; listens with that backlog unless it is negative. */
static int open_port(int backlog, unsigned *port_out)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port_out = ntohs(addr.sin_port);
    return fd;
}

/* Fills the backlog of a listener of backlog 0, so that the next connection hangs. */
static void fill_backlog(unsigned port, int *fds, size_t n)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        (void)connect(fds[i], (struct sockaddr *)&addr, sizeof(addr));
    }
}

static void run_tcp(struct world *w, const char *host, unsigned port, const char *timeout)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "type: tcp\nhost: '%s'\nport: %u\ntimeout: %s\n",
                   host, port, timeout);
    world_make(w, text);
    world_run(w);
}

static void test_tcp(void **state)
{
    struct world *w = *state;
    unsigned port;
    char url[64];
    int fd = open_port(16, &port);
    (void)snprintf(url, sizeof(url), "127.0.0.1:%u", port);
    run_tcp(w, "127.0.0.1", port, "2s");
    assert_true(world_value(w, "network.tcp.status", "url", url) == 0);
    assert_string_equal(world_error(w, "network.tcp.status"), "");
    double took = world_value(w, "network.tcp.response_time", "url", url);
    assert_true(took > 0 && took < 2);
    (void)close(fd);
    world_run(w); /* the same check, a moment later */
    assert_true(world_value(w, "network.tcp.status", "url", url) == 1);
    assert_string_equal(world_error(w, "network.tcp.status"), "Connection refused");
    assert_null(world_sample(w, "network.tcp.response_time", NULL, NULL));
}

static void test_tcp_times_out(void **state)
{
    struct world *w = *state;
    unsigned port;
    int fds[4];
    int fd = open_port(0, &port);
    fill_backlog(port, fds, 4);
    int64_t began_ms = hale_clock_mono_ms();
    run_tcp(w, "127.0.0.1", port, "100ms");
    int64_t took_ms = hale_clock_mono_ms() - began_ms;
    assert_true(world_value(w, "network.tcp.status", NULL, NULL) == 1);
    assert_string_equal(world_error(w, "network.tcp.status"), "timed out");
    assert_true(took_ms >= 100 && took_ms < 2000);
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
    (void)close(fd);
}

/* Freed in the middle of a run: nothing is left in the loop. */
static void test_tcp_freed_while_waiting(void **state)
{
    struct world *w = *state;
    unsigned port;
    int fds[4];
    int fd = open_port(0, &port);
    char text[128];
    fill_backlog(port, fds, 4);
    (void)snprintf(text, sizeof(text), "type: tcp\nhost: 127.0.0.1\nport: %u\n", port);
    world_make(w, text);
    agent_check_start(w->check, 1);
    assert_true(w->check->running);
    agent_check_free(w->check);
    w->check = NULL;
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
    (void)close(fd);
    agent_loop_turn(w->ctx.loop, 0);
    assert_int_equal(w->sink.n, 0);
}

/* The first run only starts the look-up of a name; later ones say what came of it. */
static void test_tcp_of_a_name(void **state)
{
    struct world *w = *state;
    unsigned port;
    int fd = open_port(16, &port);
    int64_t deadline = hale_clock_mono_ms() + 20000;
    run_tcp(w, "no-such-host.invalid", port, "1s");
    assert_int_equal(json_array_size(w->samples), 0);
    do {
        assert_true(hale_clock_mono_ms() < deadline);
        agent_loop_turn(w->ctx.loop, 20);
        world_run(w);
        assert_true(world_value(w, "network.tcp.status", NULL, NULL) == 1);
    } while (strstr(world_error(w, "network.tcp.status"),
                    "cannot look up no-such-host.invalid: ") == NULL);
    (void)close(fd);
}

static void run_icmp(struct world *w, const char *host, const char *timeout)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "type: icmp\nhost: '%s'\ntimeout: %s\n", host,
                   timeout);
    world_make(w, text);
    world_run(w);
}

/* Not where no ICMP socket may be opened, or the kernel has no such protocol. */
static bool can_ping(int family)
{
    int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int fd = socket(family, SOCK_DGRAM, protocol);
    if (fd < 0)
        fd = socket(family, SOCK_RAW, protocol);
    if (fd >= 0)
        (void)close(fd);
    if (family == AF_INET6 && access("/proc/net/if_inet6", R_OK) != 0)
        return false;
    return fd >= 0;
}

static void expect_echo(struct world *w, const char *host)
{
    for (int i = 0; i < 3; i++) {
        run_icmp(w, host, "2s");
        assert_string_equal(world_error(w, "host_alive_status"), "");
        assert_true(world_value(w, "host_alive_status", "hostname", host) == 0);
        assert_non_null(world_sample(w, "host_alive_status", "observer_host", "me"));
        assert_non_null(world_sample(w, "host_alive_status", "test_type", "ping"));
        double took = world_value(w, "icmp.response_time", "hostname", host);
        assert_true(took > 0 && took < 2);
    }
}

static void test_icmp_v4(void **state)
{
    if (!can_ping(AF_INET))
        skip();
    expect_echo(*state, "127.0.0.1");
}

static void test_icmp_v6(void **state)
{
    if (!can_ping(AF_INET6))
        skip();
    expect_echo(*state, "::1");
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* Into a network of its own whose loopback does not answer echoes. False: not allowed here. */
static bool enter_silent_network(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    if (unshare(CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    if (fd >= 0)
        (void)close(fd);
    return up && write_text("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1\n");
}

static void test_icmp_without_answer(void **state)
{
    struct world *w = *state;
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool silent = can_ping(AF_INET) && home >= 0 && enter_silent_network();
    if (silent) {
        int64_t began_ms = hale_clock_mono_ms();
        run_icmp(w, "127.0.0.1", "50ms");
        int64_t took_ms = hale_clock_mono_ms() - began_ms;
        assert_true(world_value(w, "host_alive_status", NULL, NULL) == 1);
        assert_string_equal(world_error(w, "host_alive_status"), "no echo in time");
        assert_null(world_sample(w, "icmp.response_time", NULL, NULL));
        assert_true(took_ms >= 50 && took_ms < 2000);
    }
    if (home >= 0) {
        (void)setns(home, CLONE_NEWNET);
        (void)close(home);
    }
    if (!silent)
        skip();
}

/* What the kernel refuses at once is told at once: a broadcast address needs permission. */
static void test_icmp_refused_by_the_kernel(void **state)
{
    struct world *w = *state;
    if (!can_ping(AF_INET))
        skip();
    run_icmp(w, "127.255.255.255", "5s");
    assert_true(world_value(w, "host_alive_status", NULL, NULL) == 1);
    assert_string_equal(world_error(w, "host_alive_status"), "Permission denied");
}

static atomic_uint answer_status;

static void answer(struct hale_http_req *req, void *arg)
{
    (void)arg;
    unsigned status = atomic_load(&answer_status);
    if (strcmp(hale_http_path(req), "/here") != 0)
        status = 404;
    hale_http_reply(req, status, "text/plain", HALE_STR("state: healthy\n"));
}

static struct hale_http_server *serve(unsigned *port_out)
{
    struct hale_http_server *server = NULL;
    struct hale_err err = {0};
    const struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                               .max_body_bytes = 4096,
                                               .max_connections = 8,
                                               .handle = answer};
    atomic_store(&answer_status, 200);
    assert_int_equal(hale_http_server_start(&o, &server, &err), HALE_OK);
    *port_out = hale_http_server_port(server);
    return server;
}

static void run_http(struct world *w, unsigned port, const char *path, const char *more)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "type: http\nurl: http://127.0.0.1:%u%s\n%s", port,
                   path, more);
    world_make(w, text);
    world_run(w);
}

static void test_http(void **state)
{
    struct world *w = *state;
    unsigned port;
    struct hale_http_server *server = serve(&port);
    static const struct {
        const char *path, *more;
        unsigned status;
        double down;
        const char *error;
    } cases[] = {
        {"/here", "", 200, 0, ""},
        {"/here", "", 302, 0, ""},
        {"/here", "", 503, 1, "HTTP 503"},
        {"/gone", "", 200, 1, "HTTP 404"},
        {"/here", "match: 'heal(thy|ed)'\n", 200, 0, ""},
        {"/here", "match: ^sick\n", 200, 1, "the answer does not match '^sick'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char url[64];
        atomic_store(&answer_status, cases[i].status);
        run_http(w, port, cases[i].path, cases[i].more);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, cases[i].path);
        assert_true(world_value(w, "http_status", "url", url) == cases[i].down);
        assert_string_equal(world_error(w, "http_status"), cases[i].error);
        assert_true(world_value(w, "http_response_time", NULL, NULL) > 0);
    }
    hale_http_server_stop(server);
    world_run(w); /* the same check: nobody listens any more */
    assert_true(world_value(w, "http_status", NULL, NULL) == 1);
    assert_true(strlen(world_error(w, "http_status")) > 0);
    assert_null(world_sample(w, "http_response_time", NULL, NULL));
}

/* A listener that never answers. */
static void test_http_times_out(void **state)
{
    struct world *w = *state;
    unsigned port;
    int fd = open_port(4, &port);
    int64_t began_ms = hale_clock_mono_ms();
    run_http(w, port, "/", "timeout: 100ms\n");
    int64_t took_ms = hale_clock_mono_ms() - began_ms;
    assert_true(world_value(w, "http_status", NULL, NULL) == 1);
    assert_true(strlen(world_error(w, "http_status")) > 0);
    assert_true(took_ms >= 100 && took_ms < 3000);
    (void)close(fd);
}

static void test_http_freed_while_waiting(void **state)
{
    struct world *w = *state;
    unsigned port;
    int fd = open_port(4, &port);
    char text[128];
    (void)snprintf(text, sizeof(text), "type: http\nurl: http://127.0.0.1:%u/\n", port);
    world_make(w, text);
    agent_check_start(w->check, 1);
    assert_true(w->check->running);
    agent_loop_turn(w->ctx.loop, 10);
    agent_check_free(w->check);
    w->check = NULL;
    assert_int_equal(hale_http_client_active(agent_loop_http(w->ctx.loop)), 0);
    (void)close(fd);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_tcp),
        IN_WORLD(test_tcp_times_out),
        IN_WORLD(test_tcp_freed_while_waiting),
        IN_WORLD(test_tcp_of_a_name),
        IN_WORLD(test_icmp_v4),
        IN_WORLD(test_icmp_v6),
        IN_WORLD(test_icmp_without_answer),
        IN_WORLD(test_icmp_refused_by_the_kernel),
        IN_WORLD(test_http),
        IN_WORLD(test_http_times_out),
        IN_WORLD(test_http_freed_while_waiting),
    };
    return cmocka_run_group_tests_name("agent.probe", tests, NULL, NULL);
}
