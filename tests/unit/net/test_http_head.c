/* SPDX-License-Identifier: Apache-2.0 */
/* Head callbacks that put off their decision: the body waits, nothing is lost or said twice. */
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

#define MAX_BODY 100000

static struct {
    struct hale_http_server *server;
    struct hale_queue *waiting;
    pthread_t judge;
    atomic_int heads, handled;
    atomic_bool hold; /* the judge leaves them waiting */
    struct hale_http_req *_Atomic held;
    char url[64];
} fx;

static bool head(struct hale_http_req *req, void *arg)
{
    const char *path = hale_http_path(req);

    (void)arg;
    atomic_fetch_add(&fx.heads, 1);
    if (strncmp(path, "/wait", 5) != 0)
        return true;
    if (hale_http_user(req) == NULL) {
        bool at_once = strcmp(path, "/wait/inline") == 0;
        hale_http_set_user(req, strdup(at_once ? "judged" : "asked"), free);
        hale_http_head_later(req);
        if (at_once)
            hale_http_head_again(req);
        else if (hale_queue_push(fx.waiting, req) != HALE_OK)
            hale_http_reply(req, 503, NULL, HALE_STR(""));
        return false;
    }
    assert_string_equal(hale_http_user(req), "judged");
    if (strcmp(path, "/wait/deny") == 0) {
        hale_http_reply(req, 401, "text/plain", HALE_STR("denied"));
        return false;
    }
    hale_http_set_max_body(req, MAX_BODY / 2);
    return true;
}

static void handle(struct hale_http_req *req, void *arg)
{
    struct hale_buf b;

    (void)arg;
    atomic_fetch_add(&fx.handled, 1);
    hale_buf_init(&b, MAX_BODY);
    hale_buf_printf(&b, "%s %zu", hale_http_path(req), hale_http_body(req).len);
    hale_http_reply_buf(req, 200, "text/plain", &b);
    hale_buf_fini(&b);
}

static void *judge(void *arg)
{
    struct hale_http_req *req;

    (void)arg;
    while ((req = hale_queue_pop(fx.waiting, -1)) != NULL) {
        const char *path = hale_http_path(req);
        if (strcmp(path, "/wait/hold") == 0) {
            atomic_store(&fx.held, req);
        } else if (strcmp(path, "/wait/answer") == 0) {
            hale_http_reply(req, 202, "text/plain", HALE_STR("from afar"));
        } else {
            hale_http_set_user(req, strdup("judged"), free);
            hale_http_head_again(req);
        }
    }
    return NULL;
}

static int setup(void **state)
{
    struct hale_err err;
    struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                         .max_body_bytes = MAX_BODY,
                                         .max_connections = 100,
                                         .head = head,
                                         .handle = handle};
    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.waiting = hale_queue_new(1024, NULL);
    if (fx.waiting == NULL || pthread_create(&fx.judge, NULL, judge, NULL) != 0 ||
        hale_http_server_start(&o, &fx.server, &err) != HALE_OK)
        return -1;
    (void)snprintf(fx.url, sizeof(fx.url), "http://127.0.0.1:%u",
                   hale_http_server_port(fx.server));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hale_http_server_stop(fx.server);
    hale_queue_close(fx.waiting);
    (void)pthread_join(fx.judge, NULL);
    hale_queue_free(fx.waiting);
    return 0;
}

static void check_call(const char *path, size_t body, unsigned status, const char *want)
{
    char url[256];
    struct hale_buf got, sent;
    struct hale_http_result r;

    hale_buf_init(&got, 1 << 20);
    hale_buf_init(&sent, 1 << 20);
    for (size_t i = 0; i < body; i++)
        hale_buf_add_char(&sent, 'x');
    struct hale_http_call call = {
        .method = "POST", .url = url, .body = hale_buf_str(&sent)};
    (void)snprintf(url, sizeof(url), "%s%s", fx.url, path);
    enum hale_rc rc = hale_http_call_sync(&call, &r, &got, NULL);
    if (rc != HALE_OK || r.status != status)
        fail_msg("%s: %s, %u, %s", path, hale_rc_text(rc), r.status, r.error);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.p, want, got.len);
    hale_buf_fini(&got);
    hale_buf_fini(&sent);
}

static void test_waits(void **state)
{
    static const size_t SIZES[] = {0, 1, 20000, 50000};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char want[64];
        (void)snprintf(want, sizeof(want), "/wait %zu", SIZES[i]);
        check_call("/wait", SIZES[i], 200, want);
        check_call("/wait/deny", SIZES[i], 401, "denied");
        check_call("/wait/answer", SIZES[i], 202, "from afar");
        (void)snprintf(want, sizeof(want), "/wait/inline %zu", SIZES[i]);
        check_call("/wait/inline", SIZES[i], 200, want);
    }
    assert_int_equal(atomic_load(&fx.heads), 4 * 7);
    assert_int_equal(atomic_load(&fx.handled), 8);
}

/* The ceiling that the second call of head sets is the one that counts. */
static void test_ceiling(void **state)
{
    char got[4096];
    (void)state;
    int fd = raw_connect(hale_http_server_port(fx.server));
    assert_true(raw_text(fd, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 50001\r\n"
                             "Expect: 100-continue\r\n\r\n"));
    assert_true(raw_read(fd, got, sizeof(got), NULL) > 0);
    assert_non_null(strstr(got, " 413 "));
    assert_null(strstr(got, "100 Continue"));
    (void)close(fd);
}

static void inline_user(void)
{
    struct hale_http_result r;
    char url[128];
    struct hale_http_call call = {.method = "GET", .url = url};
    (void)snprintf(url, sizeof(url), "%s/other", fx.url);
    assert_int_equal(hale_http_call_sync(&call, &r, NULL, NULL), HALE_OK);
    assert_int_equal(r.status, 200);
}

/* One connection: a waiting request, then two more, sent in one go. */
static void test_pipelined(void **state)
{
    char got[4096];
    (void)state;
    int fd = raw_connect(hale_http_server_port(fx.server));
    assert_true(raw_text(fd,
                         "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                         "POST /wait/deny HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 2\r\n\r\nab"
                         "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(raw_read(fd, got, sizeof(got), NULL) > 0);
    const char *a = strstr(got, "/wait 3"), *b = strstr(got, "denied"),
               *c = strstr(got, "/last 0");
    assert_true(a != NULL && b > a && c > b);
    (void)close(fd);
    inline_user();
}

struct tally {
    unsigned ok, failed;
};

static void count(const struct hale_http_result *r, void *arg)
{
    struct tally *t = arg;

    if (r->rc == HALE_OK && (r->status == 200 || r->status == 401 || r->status == 202))
        t->ok++;
    else
        t->failed++;
}

static void test_concurrent(void **state)
{
    enum { ROUNDS = 40, PARALLEL = 50 };
    static const char *const PATHS[] = {"/wait", "/wait/deny", "/wait/answer", "/open"};
    struct hale_http_client *c = hale_http_client_new(PARALLEL);
    struct tally t = {0, 0};
    char url[128];
    struct hale_http_call call = {
        .method = "POST", .url = url, .body = HALE_STR("hello!")};

    (void)state;
    assert_non_null(c);
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < PARALLEL; k++) {
            (void)snprintf(url, sizeof(url), "%s%s", fx.url, PATHS[k % 4]);
            assert_int_equal(hale_http_client_start(c, &call, count, &t, NULL), HALE_OK);
        }
        while (hale_http_client_active(c) > 0)
            assert_int_equal(hale_http_client_poll(c, NULL, 0, 1000), HALE_OK);
    }
    assert_int_equal(t.ok, ROUNDS * PARALLEL);
    assert_int_equal(t.failed, 0);
    hale_http_client_free(c);
}

/* Stopping while head waits: the client is told, and a late decision is harmless. */
static void test_stop(void **state)
{
    char got[1024];

    (void)state;
    int fd = raw_connect(hale_http_server_port(fx.server));
    assert_true(raw_text(fd, "GET /wait/hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    int64_t deadline = hale_clock_mono_ms() + 5000;
    while (atomic_load(&fx.held) == NULL && hale_clock_mono_ms() < deadline)
        (void)poll(NULL, 0, 1);
    assert_non_null(atomic_load(&fx.held));
    hale_http_server_stop(fx.server);
    fx.server = NULL;
    assert_true(raw_read(fd, got, sizeof(got), NULL) > 0);
    assert_non_null(strstr(got, "503 "));
    (void)close(fd);
    hale_http_set_user(fx.held, strdup("judged"), free);
    hale_http_head_again(fx.held);
}

/* A client that leaves while head waits. */
static void test_client_leaves(void **state)
{
    (void)state;
    int fd = raw_connect(hale_http_server_port(fx.server));
    assert_true(raw_text(fd, "POST /wait/hold HTTP/1.1\r\nHost: x\r\n"
                             "Content-Length: 10\r\n\r\nabc"));
    int64_t deadline = hale_clock_mono_ms() + 5000;
    while (atomic_load(&fx.held) == NULL && hale_clock_mono_ms() < deadline)
        (void)poll(NULL, 0, 1);
    assert_non_null(atomic_load(&fx.held));
    (void)close(fd);
    hale_http_set_user(fx.held, strdup("judged"), free);
    hale_http_head_again(fx.held);
    inline_user();
    assert_int_equal(atomic_load(&fx.handled), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_waits),      T(test_ceiling), T(test_pipelined),
        T(test_concurrent), T(test_stop),    T(test_client_leaves),
    };
    hale_log_init("test", HALE_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
