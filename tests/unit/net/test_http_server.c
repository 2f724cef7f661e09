/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server under good clients (http_client) and bad ones (raw sockets). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "raw_socket.h"

#define MAX_BODY 10000

struct fixture {
    struct hale_http_server *server;
    struct hale_queue *later; /* requests for the answering thread */
    pthread_t answerer;
    struct hale_http_stream *_Atomic stream; /* the last one begun */
    size_t stream_max;
    struct hale_http_req *_Atomic held; /* GET /hold: never answered by itself */
    atomic_int users_freed;
    char url[64];
};

static struct fixture fx;

/* --- the server under test -------------------------------------------------------------------- */

static void user_free(void *user)
{
    free(user);
    atomic_fetch_add(&fx.users_freed, 1);
}

static bool head(struct hale_http_req *req, void *arg)
{
    const char *token = hale_http_header(req, "x-token");
    (void)arg;
    if (token != NULL && strcmp(token, "bad") == 0) {
        hale_http_add_header(req, "WWW-Authenticate", "Token");
        hale_http_reply(req, 401, "text/plain", HALE_STR("who are you"));
        return false;
    }
    if (token != NULL && strcmp(token, "silent") == 0)
        return false;
    if (strcmp(hale_http_path(req), "/small") == 0)
        hale_http_set_max_body(req, 10);
    if (strcmp(hale_http_path(req), "/none") == 0)
        hale_http_set_max_body(req, 0);
    hale_http_set_user(req, strdup("set by head"), user_free);
    return true;
}

static void each_query(const char *name, const char *value, void *arg)
{
    hale_buf_printf(arg, "[%s=%s]", name, value);
}

static void echo(struct hale_http_req *req)
{
    struct hale_buf b;
    const char *a = hale_http_query(req, "a");
    hale_buf_init(&b, 1 << 20);
    hale_buf_printf(&b, "%s %s ? %s from %s by %s a=%s ", hale_http_method(req),
                    hale_http_path(req), hale_http_raw_query(req), hale_http_peer(req),
                    (const char *)hale_http_user(req), a != NULL ? a : "(null)");
    hale_http_query_each(req, each_query, &b);
    hale_buf_add_char(&b, '\n');
    hale_buf_add_str(&b, hale_http_body(req));
    hale_http_add_header(req, "X-Echo", "yes");
    hale_http_add_header(req, "X-Bad", "line\nbreak"); /* must be dropped, not sent */
    hale_http_reply_buf(req, 200, "text/plain", &b);
    hale_buf_fini(&b);
}

static void handle(struct hale_http_req *req, void *arg)
{
    const char *path = hale_http_path(req);
    (void)arg;
    assert_true(hale_http_started_us(req) > 0);
    if (strcmp(path, "/later") == 0) {
        if (hale_queue_push(fx.later, req) != HALE_OK)
            hale_http_reply(req, 503, NULL, HALE_STR(""));
    } else if (strcmp(path, "/stream") == 0) {
        atomic_store(&fx.stream,
                     hale_http_stream_begin(req, "text/event-stream", fx.stream_max));
    } else if (strcmp(path, "/hold") == 0) {
        atomic_store(&fx.held, req);
    } else if (strcmp(path, "/empty") == 0) {
        hale_http_reply(req, 204, NULL, HALE_STR("ignored"));
    } else {
        echo(req);
    }
}

static void *answer_later(void *arg)
{
    struct hale_http_req *req;
    (void)arg;
    while ((req = hale_queue_pop(fx.later, -1)) != NULL)
        echo(req);
    return NULL;
}

static int setup_with(unsigned connections, unsigned idle_s)
{
    struct hale_err err;
    struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                         .max_body_bytes = MAX_BODY,
                                         .max_connections = connections,
                                         .idle_timeout_s = idle_s,
                                         .head = head,
                                         .handle = handle};
    memset(&fx, 0, sizeof(fx));
    fx.stream_max = 64 * 1024;
    fx.later = hale_queue_new(1024, NULL);
    if (fx.later == NULL || pthread_create(&fx.answerer, NULL, answer_later, NULL) != 0 ||
        hale_http_server_start(&o, &fx.server, &err) != HALE_OK)
        return -1;
    (void)snprintf(fx.url, sizeof(fx.url), "http://127.0.0.1:%u",
                   hale_http_server_port(fx.server));
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(100, 0);
}

static int setup_few(void **state)
{
    (void)state;
    return setup_with(2, 0);
}

static int setup_impatient(void **state)
{
    (void)state;
    return setup_with(10, 1);
}

static int teardown(void **state)
{
    (void)state;
    hale_http_server_stop(fx.server); /* NULL when the test stopped it */
    hale_queue_close(fx.later);
    (void)pthread_join(fx.answerer, NULL);
    hale_queue_free(fx.later);
    return 0;
}

static int dial(void)
{
    int fd = raw_connect(hale_http_server_port(fx.server));
    assert_true(fd >= 0);
    return fd;
}

/* --- good clients ----------------------------------------------------------------------------- */

static void check_call(const char *method, const char *path, const char *body,
                       unsigned status, const char *want)
{
    char url[256];
    struct hale_buf got;
    struct hale_http_result r;
    struct hale_http_call call = {
        .method = method, .url = url, .body = hale_str_from(body)};
    hale_buf_init(&got, 1 << 20);
    (void)snprintf(url, sizeof(url), "%s%s", fx.url, path);
    enum hale_rc rc = hale_http_call_sync(&call, &r, &got, NULL);
    if (rc != HALE_OK || r.status != status)
        fail_msg("%s %s: %s, %u, %s", method, path, hale_rc_text(rc), r.status, r.error);
    if (want == NULL)
        assert_int_equal(got.len, 0);
    else if (got.p == NULL || strstr(got.p, want) == NULL)
        fail_msg("%s %s gave \"%s\", not \"%s\"", method, path, got.p, want);
    hale_buf_fini(&got);
}

static void test_requests(void **state)
{
    static const struct {
        const char *method, *path, *body;
        unsigned status;
        const char *want;
    } rows[] = {
        {"GET", "/a", "", 200, "GET /a ?  from 127.0.0.1 by set by head a=(null) \n"},
        {"HEAD", "/a", "", 200, NULL},
        {"POST", "/a", "body", 200, "\nbody"},
        {"PUT", "/a", "body", 200, "PUT /a"},
        {"PATCH", "/a", "body", 200, "PATCH /a"},
        {"DELETE", "/a", "", 200, "DELETE /a"},
        {"DELETE", "/a", "with body", 200, "\nwith body"},
        {"POST", "/a", "", 200, "POST /a"},
        {"GET", "/empty", "", 204, NULL},
        {"GET", "/%C3%A9%20x%2Fy+z", "", 200, "GET /\303\251 x/y+z "},
        {"GET", "/q?a=1&a=2&b=x%20y+z&c", "", 200, "? a=1&a=2&b=x%20y+z&c from"},
        {"GET", "/q?a=1&a=2&b=x%20y+z&c", "", 200, "a=1 [a=1][a=2][b=x y z][c=]"},
        {"GET", "/q?a&a=&a=3", "", 200, "a=3 "},
        {"GET", "/q?A=1", "", 200, "a=(null)"},
        {"GET", "/q?a=%26%3D", "", 200, "a=&= "},
        {"GET", "/q?a=%zz", "", 200, "a=%zz"},
        {"GET", "/q%00?a=1", "", 400, "NUL"},
        {"GET", "/later", "", 200, "GET /later"},
        {"POST", "/later", "asynchronous", 200, "\nasynchronous"},
        {"POST", "/small", "0123456789", 200, "\n0123456789"},
        {"POST", "/small", "0123456789a", 413, "at most 10 bytes"},
        {"POST", "/none", "a", 413, "at most 0 bytes"},
        {"POST", "/none", "", 200, "POST /none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_call(rows[i].method, rows[i].path, rows[i].body, rows[i].status,
                   rows[i].want);
}

static void test_start_errors(void **state)
{
    static const char *const bad[] = {"",       "127.0.0.1", "127.0.0.1:",      ":80",
                                      "::1:80", "1.2:x",     "127.0.0.1:65536", "[::1]",
                                      "[]:1"};
    struct hale_http_server_options o = {
        .max_body_bytes = 1, .max_connections = 1, .handle = handle};
    struct hale_http_server *s = NULL;
    struct hale_err err;
    char address[32];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        o.listen = bad[i];
        if (hale_http_server_start(&o, &s, &err) != HALE_E_INVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(s);
    }
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                   hale_http_server_port(fx.server));
    o.listen = address;
    assert_int_equal(hale_http_server_start(&o, &s, &err), HALE_E_EXISTS);
    assert_non_null(strstr(err.text, address));
    o.max_connections = 0;
    assert_int_equal(hale_http_server_start(&o, &s, &err), HALE_E_INVAL);
}

/* --- bodies and refusals on the wire ---------------------------------------------------------- */

static void test_wire(void **state)
{
    static const struct {
        const char *send;
        const char *want[3]; /* in order */
    } rows[] = {
        /* keep-alive and pipelining */
        {"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /later?2 HTTP/1.1\r\nHost: x\r\n\r\n"
         "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"GET /1", "GET /later ? 2", "GET /3"}},
        /* chunked */
        {"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: "
         "close\r\n\r\n"
         "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n",
         {"200", "\nabcdefg", NULL}},
        /* chunked beyond the ceiling: 413 and the connection lives on */
        {"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "b\r\n0123456789a\r\n0\r\n\r\nGET /n HTTP/1.1\r\nHost: x\r\nConnection: "
         "close\r\n\r\n",
         {"413", "{\"title\":\"Request Entity Too Large\",\"description\":", "GET /n"}},
        /* refused by head, with a body: the same */
        {"POST /x HTTP/1.1\r\nHost: x\r\nX-Token: bad\r\nContent-Length: 4\r\n\r\nabcd"
         "GET /n HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"401", "who are you", "GET /n"}},
        {"GET /x HTTP/1.1\r\nHost: x\r\nX-Token: bad\r\n\r\n"
         "GET /n HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"WWW-Authenticate: Token", "who are you", "GET /n"}},
        /* head forgets to answer */
        {"GET /x HTTP/1.1\r\nHost: x\r\nX-Token: silent\r\nConnection: close\r\n\r\n",
         {"500", "No answer", NULL}},
        /* 100-continue: asked for, given; refused before the body when too large */
        {"POST /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
         "Connection: close\r\n\r\nok",
         {"100 Continue", "200 OK", "\nok"}},
        {"POST /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
         "20000\r\n\r\n",
         {"413", "at most 10000 bytes", NULL}},
        /* enormous: refused at once although nothing of it has come */
        {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n",
         {"413", "at most 10000 bytes", NULL}},
        {"PATCH /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
         "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
         {"413", "at most 10000 bytes", NULL}},
        /* two lengths: smuggling */
        {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
         "chunked\r\n\r\n"
         "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
         {"400", "ambiguous", NULL}},
        {"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nabc",
         {"400", NULL, NULL}},
        {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
         {"400", NULL, NULL}},
        {"HEAD /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"200 OK", "Content-Length: ", NULL}},
    };
    static char got[65536];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial();
        assert_true(raw_text(fd, rows[i].send));
        if (raw_read(fd, got, sizeof(got), NULL) < 0 && got[0] == '\0')
            fail_msg("row %zu: no answer", i);
        const char *at = got;
        for (int k = 0; k < 3 && rows[i].want[k] != NULL; k++) {
            const char *found = strstr(at, rows[i].want[k]);
            if (found == NULL) {
                fail_msg("row %zu: \"%s\" is missing in:\n%s", i, rows[i].want[k], got);
                return;
            }
            at = found;
        }
        assert_null(strstr(got, "GET /smuggled"));
        assert_null(strstr(got, "X-Bad"));
        (void)close(fd);
    }
}

static void test_oversized_sent_whole(void **state)
{
    size_t n = 3u * 1024 * 1024;
    char *body = calloc(1, n);
    char url[128];
    struct hale_http_result r;
    struct hale_http_call call = {.method = "POST", .url = url, .body = {body, n}};
    (void)state;
    assert_non_null(body);
    (void)snprintf(url, sizeof(url), "%s/x", fx.url);
    assert_int_equal(hale_http_call_sync(&call, &r, NULL, NULL), HALE_OK);
    assert_int_equal(r.status, 413);
    free(body);
}

/* A chunked body without end is not read for ever. */
static void test_endless_chunks(void **state)
{
    static char chunk[65536 + 16];
    static const char end[2] = {'\r', '\n'};
    int n = snprintf(chunk, sizeof(chunk), "10000\r\n");
    int fd = dial();
    bool cut = false;
    (void)state;
    memset(chunk + n, 'x', 65536);
    memcpy(chunk + n + 65536, end, sizeof(end));
    assert_true(raw_text(
        fd, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 1024 && !cut; i++)
        cut = !raw_send(fd, chunk, (size_t)n + 65536 + 2);
    assert_true(cut);
    (void)close(fd);
    check_call("GET", "/a", "", 200, "GET /a");
}

static void test_bad_bytes(void **state)
{
    static const char *const rows[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
        "GET / HTTP/1.1\r\nHost",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial();
        assert_true(raw_text(fd, rows[i]));
        (void)close(fd);
        check_call("GET", "/a", "", 200, "GET /a"); /* still alive */
    }
    /* a header block larger than the connection's memory: 431 or 413 or a cut, no crash */
    int fd = dial();
    static char line[1024];
    static const char start[3] = {'X', ':', ' '}, end[2] = {'\r', '\n'};
    bool open = raw_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
    memset(line, 'h', sizeof(line));
    memcpy(line, start, sizeof(start));
    memcpy(line + sizeof(line) - sizeof(end), end, sizeof(end));
    for (int i = 0; i < 2000 && open; i++)
        open = raw_send(fd, line, sizeof(line));
    (void)close(fd);
    check_call("GET", "/a", "", 200, "GET /a");
}

static void test_slow_client(void **state)
{
    char got[8192];
    int fd = dial();
    (void)state;
    assert_true(raw_text(fd, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Le"));
    check_call("GET", "/a", "", 200, "GET /a"); /* nobody else waits */
    assert_true(raw_text(fd, "ngth: 6\r\n\r\nabc"));
    check_call("GET", "/a", "", 200, "GET /a");
    assert_true(raw_text(fd, "def"));
    assert_true(raw_read(fd, got, sizeof(got), "\nabcdef") > 0);
    (void)close(fd);
}

static void test_idle_timeout(void **state)
{
    char got[1024];
    int fd = dial();
    int64_t start = hale_clock_mono_ms();
    (void)state;
    assert_true(raw_text(fd, "GET / HTTP/1.1\r\nHo"));
    (void)raw_read(fd, got, sizeof(got), NULL); /* 408 or a plain close */
    assert_in_range(hale_clock_mono_ms() - start, 500, 8000);
    (void)close(fd);
}

static void test_connection_limit(void **state)
{
    char got[8192];
    int fds[3];
    (void)state;
    for (int i = 0; i < 2; i++) {
        fds[i] = dial();
        assert_true(raw_text(fds[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(raw_read(fds[i], got, sizeof(got), "GET /a") > 0);
    }
    fds[2] = dial();
    assert_true(raw_text(fds[2], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_read(fds[2], got, sizeof(got), NULL) > 0);
    assert_non_null(strstr(got, "503 "));
    assert_non_null(strstr(got, "Retry-After: 1"));
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    /* room again once the others are gone (their end may be noticed a moment later) */
    int64_t deadline = hale_clock_mono_ms() + 5000;
    bool ok = false;
    while (!ok && hale_clock_mono_ms() < deadline) {
        int fd = dial();
        assert_true(
            raw_text(fd, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        ok = raw_read(fd, got, sizeof(got), NULL) > 0 && strstr(got, "GET /a") != NULL;
        (void)close(fd);
    }
    assert_true(ok);
}

/* --- answers from another thread -------------------------------------------------------------- */

struct tally {
    unsigned ok, failed;
};

static void count(const struct hale_http_result *r, void *arg)
{
    struct tally *t = arg;
    if (r->rc == HALE_OK && r->status == 200 && r->body.len > 0 &&
        r->body.p[r->body.len - 1] == '!')
        t->ok++;
    else
        t->failed++;
}

static void test_concurrent_replies(void **state)
{
    enum { ROUNDS = 40, PARALLEL = 50 };
    struct hale_http_client *c = hale_http_client_new(PARALLEL);
    struct tally t = {0, 0};
    char url[128];
    struct hale_http_call call = {
        .method = "POST", .url = url, .body = HALE_STR("hello!")};
    (void)state;
    assert_non_null(c);
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < PARALLEL; k++) {
            (void)snprintf(url, sizeof(url), "%s/%s", fx.url,
                           k % 3 == 0 ? "inline" : "later");
            assert_int_equal(hale_http_client_start(c, &call, count, &t, NULL), HALE_OK);
        }
        while (hale_http_client_active(c) > 0)
            assert_int_equal(hale_http_client_poll(c, NULL, 0, 1000), HALE_OK);
    }
    assert_int_equal(t.ok, ROUNDS * PARALLEL);
    assert_int_equal(t.failed, 0);
    hale_http_client_free(c);
    hale_http_server_stop(fx.server);
    fx.server = NULL;
    assert_int_equal(atomic_load(&fx.users_freed), ROUNDS * PARALLEL);
}

/* The client leaves while its request is kept: the late answer is harmless. */
static void test_client_leaves_kept(void **state)
{
    (void)state;
    int fd = dial();
    assert_true(raw_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    int64_t deadline = hale_clock_mono_ms() + 5000;
    while (atomic_load(&fx.held) == NULL && hale_clock_mono_ms() < deadline)
        (void)poll(NULL, 0, 1);
    assert_non_null(atomic_load(&fx.held));
    (void)close(fd);
    assert_string_equal(hale_http_path(fx.held), "/hold");
    hale_http_reply(fx.held, 200, "text/plain", HALE_STR("late"));
    check_call("GET", "/a", "", 200, "GET /a");
}

/* Stopping with a kept request: the client is told, stop returns, a late answer is harmless. */
static void test_stop_with_kept(void **state)
{
    char got[1024];
    (void)state;
    int fd = dial();
    assert_true(raw_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    int64_t deadline = hale_clock_mono_ms() + 5000;
    while (atomic_load(&fx.held) == NULL && hale_clock_mono_ms() < deadline)
        (void)poll(NULL, 0, 1);
    int64_t start = hale_clock_mono_ms();
    hale_http_server_stop(fx.server);
    fx.server = NULL;
    assert_in_range(hale_clock_mono_ms() - start, 0, 4000);
    assert_true(raw_read(fd, got, sizeof(got), NULL) > 0);
    assert_non_null(strstr(got, "503 "));
    (void)close(fd);
    assert_string_equal(hale_http_header(fx.held, "Host"), "x"); /* still valid */
    hale_http_reply(fx.held, 200, "text/plain", HALE_STR("late"));
}

#define T(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_requests, setup),
        T(test_start_errors, setup),
        T(test_wire, setup),
        T(test_oversized_sent_whole, setup),
        T(test_endless_chunks, setup),
        T(test_bad_bytes, setup),
        T(test_slow_client, setup),
        T(test_idle_timeout, setup_impatient),
        T(test_connection_limit, setup_few),
        T(test_concurrent_replies, setup),
        T(test_client_leaves_kept, setup),
        T(test_stop_with_kept, setup),
    };
    hale_log_init("test", HALE_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
