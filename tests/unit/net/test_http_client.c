/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a server of ours and against servers that answer nonsense. */
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
#include "net/http_client.h"
#include "net/http_server.h"
#include "raw_socket.h"

/* --- a server that answers each request with the same bytes ----------------------------------- */

struct canned {
    int listener;
    unsigned port;
    const char *answer;  /* NULL: accepts and says nothing */
    unsigned answers;    /* per connection */
    bool one_more;       /* reads another request before it closes without an answer */
    atomic_int requests; /* seen in all */
    atomic_int connections;
    pthread_t thread;
};

static bool read_request(int fd)
{
    static char in[1 << 16];
    size_t at = 0;
    while (at + 1 < sizeof(in)) {
        ssize_t n = recv(fd, in + at, sizeof(in) - at - 1, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
        in[at] = '\0';
        const char *end = strstr(in, "\r\n\r\n");
        const char *length = strcasestr(in, "content-length: ");
        if (end != NULL && (length == NULL || at >= (size_t)(end + 4 - in) +
                                                        strtoul(length + 16, NULL, 10)))
            return true;
    }
    return false;
}

static void *canned_run(void *arg)
{
    struct canned *c = arg;
    for (;;) {
        int fd = accept(c->listener, NULL, NULL);
        if (fd < 0)
            return NULL; /* shut down by the test */
        atomic_fetch_add(&c->connections, 1);
        unsigned n = 0;
        while ((c->answer == NULL || c->one_more || n < c->answers) && read_request(fd)) {
            atomic_fetch_add(&c->requests, 1);
            if (c->answer != NULL && (n++ == c->answers || !raw_text(fd, c->answer)))
                break;
        }
        (void)close(fd);
    }
}

static void canned_start(struct canned *c, const char *answer, unsigned answers,
                         bool one_more)
{
    memset(c, 0, sizeof(*c));
    c->answer = answer;
    c->answers = answers;
    c->one_more = one_more;
    c->listener = raw_listen(&c->port);
    assert_true(c->listener >= 0);
    assert_int_equal(pthread_create(&c->thread, NULL, canned_run, c), 0);
}

static void canned_stop(struct canned *c)
{
    (void)shutdown(c->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    (void)close(c->listener);
}

/* --- results, kept beyond the callback -------------------------------------------------------- */

struct got {
    unsigned calls;
    enum hale_rc rc;
    bool sent;
    unsigned status;
    char body[256];
    char header[64];
    char error[256];
    struct hale_http_client *client; /* chained start */
    const struct hale_http_call *next;
};

static void keep(const struct hale_http_result *r, void *arg)
{
    struct got *g = arg;
    struct hale_str h = hale_http_result_header(r, "x-one");
    g->calls++;
    g->rc = r->rc;
    g->sent = r->sent;
    g->status = r->status;
    assert_true(r->took_us >= 0);
    (void)snprintf(g->body, sizeof(g->body), "%.*s",
                   (int)(r->body.len < 255 ? r->body.len : 255),
                   r->body.len > 0 ? r->body.p : "");
    (void)snprintf(g->header, sizeof(g->header), "%.*s", (int)h.len,
                   h.len > 0 ? h.p : "");
    (void)snprintf(g->error, sizeof(g->error), "%s", r->error);
    if (g->next != NULL) {
        const struct hale_http_call *next = g->next;
        g->next = NULL;
        assert_int_equal(hale_http_client_start(g->client, next, keep, g, NULL), HALE_OK);
    }
}

static void finish(struct hale_http_client *c)
{
    int64_t deadline = hale_clock_mono_ms() + 10000;
    while (hale_http_client_active(c) > 0) {
        assert_true(hale_clock_mono_ms() < deadline);
        assert_int_equal(hale_http_client_poll(c, NULL, 0, 1000), HALE_OK);
    }
}

static struct got call_once(const struct hale_http_call *call)
{
    struct got g = {.calls = 0};
    struct hale_http_client *c = hale_http_client_new(4);
    assert_non_null(c);
    assert_int_equal(hale_http_client_start(c, call, keep, &g, NULL), HALE_OK);
    finish(c);
    assert_int_equal(g.calls, 1);
    hale_http_client_free(c);
    return g;
}

/* --- answers ---------------------------------------------------------------------------------- */

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void test_answers(void **state)
{
    static char large[3000], wide[80000];
    static const struct {
        const char *answer;
        enum hale_rc rc;
        unsigned status;
        const char *body, *header, *error;
    } rows[] = {
        {OK_ANSWER, HALE_OK, 200, "ok", "", ""},
        {"HTTP/1.1 200 OK\r\nX-One:  a b \r\nx-one: second\r\nContent-Length: 0\r\n\r\n",
         HALE_OK, 200, "", "a b", ""},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
         "0\r\n\r\n",
         HALE_OK, 302, "", "", ""}, /* not followed */
        {"HTTP/1.1 100 Continue\r\nX-One: no\r\n\r\n" OK_ANSWER, HALE_OK, 200, "ok", "",
         ""},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", HALE_OK, 500, "oops", "",
         ""},
        {"HTTP/1.1 204 None\r\n\r\n", HALE_OK, 204, "", "", ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         HALE_OK, 200, "abc", "", ""},
        {"garbage\r\n\r\n", HALE_E_IO, 0, "", "", "HTTP/0.9"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", HALE_E_IO, 200, "short",
         "", "closed"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", HALE_E_IO, 200,
         "", "", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", HALE_E_IO, 200, "", "", ""},
        {large, HALE_E_LIMIT, 200, NULL, "", "larger than allowed"},
        {wide, HALE_E_LIMIT, 200, "", "", "larger than allowed"},
    };
    (void)state;
    (void)snprintf(large, sizeof(large),
                   "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n%02000d", 0);
    int n = snprintf(wide, sizeof(wide), "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 70; i++)
        n += snprintf(wide + n, sizeof(wide) - (size_t)n, "X-%d: %01000d\r\n", i, 0);
    (void)snprintf(wide + n, sizeof(wide) - (size_t)n, "\r\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct canned s;
        char url[64];
        struct hale_http_call call = {
            .method = "GET", .url = url, .max_response_bytes = 1000};
        canned_start(&s, rows[i].answer, 1, false);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.port);
        struct got g = call_once(&call);
        canned_stop(&s);
        if (g.rc != rows[i].rc || g.status != rows[i].status ||
            strstr(g.error, rows[i].error) == NULL)
            fail_msg("row %zu: %s, %u, \"%s\"", i, hale_rc_text(g.rc), g.status, g.error);
        if (rows[i].body != NULL)
            assert_string_equal(g.body, rows[i].body);
        assert_string_equal(g.header, rows[i].header);
        assert_true(g.sent);
    }
}

/* --- failures --------------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    unsigned port = 0;
    char url[64];
    (void)state;
    int fd = raw_listen(&port);
    (void)close(fd); /* now nobody listens there */
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    struct hale_http_call call = {.method = "POST", .url = url, .body = HALE_STR("x")};
    struct got g = call_once(&call);
    assert_int_equal(g.rc, HALE_E_IO);
    assert_false(g.sent);
    assert_int_equal(g.status, 0);
    assert_true(strstr(g.error, "refused") != NULL || strstr(g.error, "connect") != NULL);
}

static void test_timeout(void **state)
{
    struct canned s;
    char url[64];
    (void)state;
    canned_start(&s, NULL, 0, false);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.port);
    struct hale_http_call call = {.method = "GET", .url = url, .timeout_ms = 80};
    int64_t start = hale_clock_mono_ms();
    struct got g = call_once(&call);
    assert_int_equal(g.rc, HALE_E_AGAIN);
    assert_true(g.sent);
    assert_in_range(hale_clock_mono_ms() - start, 75, 2000);
    canned_stop(&s);
}

/* A listener with a full backlog: the connection is never made. */
static void test_connect_timeout(void **state)
{
    unsigned port = 0;
    char url[64];
    int hogs[4];
    (void)state;
    int fd = raw_listen(&port);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons((unsigned short)port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        hogs[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(hogs[i], (const struct sockaddr *)(const void *)&sa, sizeof(sa));
    }
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    struct hale_http_call call = {.method = "GET", .url = url, .connect_timeout_ms = 100};
    struct got g = call_once(&call);
    assert_int_equal(g.rc, HALE_E_AGAIN);
    assert_false(g.sent);
    for (int i = 0; i < 4; i++)
        (void)close(hogs[i]);
    (void)close(fd);
}

static void test_bad_calls(void **state)
{
    static const char *const bad_urls[] = {"",
                                           "/path",
                                           "ftp://127.0.0.1/",
                                           "http://",
                                           "file:///etc/passwd",
                                           "127.0.0.1:80",
                                           "http://a b/",
                                           "http://127.0.0.1:99999/"};
    static const char *const good_urls[] = {"http://a", "https://a.b:1/c?d#e",
                                            "http://[::1]:80/"};
    static const char *const split[] = {"X-A: 1\r\nX-B: 2", NULL};
    static const char *const no_colon[] = {"X-A", NULL};
    struct hale_http_client *c = hale_http_client_new(1);
    struct got g = {.calls = 0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++) {
        struct hale_http_call call = {.method = "GET", .url = bad_urls[i]};
        assert_false(hale_http_url_ok(bad_urls[i]));
        struct got one = call_once(&call);
        assert_int_equal(one.rc, HALE_E_INVAL);
        assert_false(one.sent);
        assert_true(one.error[0] != '\0');
    }
    for (size_t i = 0; i < sizeof(good_urls) / sizeof(good_urls[0]); i++)
        assert_true(hale_http_url_ok(good_urls[i]));
    struct hale_http_call call = {
        .method = "GET", .url = "http://127.0.0.1/", .headers = split};
    assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_E_INVAL);
    call.headers = no_colon;
    assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_E_INVAL);
    call.headers = NULL;
    call.method = "GET / HTTP/1.1\r\nX: y\r\n\r\nGET";
    assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_E_INVAL);
    assert_int_equal(hale_http_client_active(c), 0);
    hale_http_client_free(c);
}

/* A kept-alive connection breaks under a request: what may not run twice is not sent twice. */
static void test_never_repeated(void **state)
{
    static const struct {
        const char *method, *body;
    } rows[] = {{"POST", "x"}, {"POST", ""}, {"PATCH", "x"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct canned s;
        char url[64];
        canned_start(&s, OK_ANSWER, 1, true);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.port);
        struct hale_http_call get = {.method = "GET", .url = url};
        struct hale_http_call call = {
            .method = rows[i].method, .url = url, .body = hale_str_from(rows[i].body)};
        struct hale_http_client *c = hale_http_client_new(1);
        struct got g = {.calls = 0};
        assert_int_equal(hale_http_client_start(c, &get, keep, &g, NULL), HALE_OK);
        finish(c);
        assert_int_equal(g.rc, HALE_OK);
        /* an empty POST takes a fresh connection, which the canned server serves only after the
         * kept one: so its requests are counted when both are over */
        call.timeout_ms = rows[i].body[0] == '\0' ? 200 : 5000;
        assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
        finish(c);
        assert_true(g.sent);
        if (rows[i].body[0] != '\0')
            assert_int_equal(g.rc, HALE_E_IO);
        hale_http_client_free(c);
        canned_stop(&s);
        assert_in_range(atomic_load(&s.requests), 1, 2);
    }
}

/* The same with what may run twice: sent again at once, over a new connection. */
static void test_repeatable(void **state)
{
    struct canned s;
    char url[64];
    (void)state;
    canned_start(&s, OK_ANSWER, 1, true);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.port);
    const struct hale_http_call call = {
        .method = "POST", .url = url, .body = HALE_STR("x"), .repeatable = true};
    struct hale_http_client *c = hale_http_client_new(1);
    for (int i = 1; i <= 2; i++) {
        struct got g = {.calls = 0};
        assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
        finish(c);
        assert_int_equal(g.calls, 1);
        assert_int_equal(g.rc, HALE_OK);
        assert_int_equal(g.status, 200);
    }
    assert_int_equal(atomic_load(&s.connections), 2);
    assert_int_equal(atomic_load(&s.requests), 3);
    hale_http_client_free(c);
    canned_stop(&s);
}

/* --- many, chained, cancelled, limits --------------------------------------------------------- */

static void serve(struct hale_http_req *req, void *arg)
{
    (void)arg;
    if (strcmp(hale_http_path(req), "/move") == 0)
        hale_http_add_header(req, "Location", "/there");
    const char *one = hale_http_header(req, "X-One");
    if (one != NULL)
        hale_http_add_header(req, "X-One", one);
    hale_http_reply(req, 200, "text/plain", hale_http_body(req));
}

static struct hale_http_server *serve_start(char *url, size_t size)
{
    struct hale_http_server *s = NULL;
    struct hale_err err;
    struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                         .max_body_bytes = 1 << 20,
                                         .max_connections = 1000,
                                         .handle = serve};
    assert_int_equal(hale_http_server_start(&o, &s, &err), HALE_OK);
    (void)snprintf(url, size, "http://127.0.0.1:%u/move", hale_http_server_port(s));
    return s;
}

static void test_many_parallel(void **state)
{
    enum { N = 300 };
    static struct got g[N];
    char url[64];
    char body[32];
    (void)state;
    struct hale_http_server *s = serve_start(url, sizeof(url));
    struct hale_http_client *c = hale_http_client_new(N);
    for (unsigned round = 0; round < 3; round++) {
        memset(g, 0, sizeof(g));
        for (unsigned i = 0; i < N; i++) {
            (void)snprintf(body, sizeof(body), "body %u", i);
            struct hale_http_call call = {.method = i % 2 ? "POST" : "PUT",
                                          .url = url,
                                          .body = hale_str_from(body)};
            assert_int_equal(hale_http_client_start(c, &call, keep, &g[i], NULL),
                             HALE_OK);
        }
        struct hale_http_call more = {.method = "GET", .url = url};
        assert_int_equal(hale_http_client_start(c, &more, keep, &g[0], NULL),
                         HALE_E_LIMIT);
        assert_int_equal(hale_http_client_active(c), N);
        finish(c);
        for (unsigned i = 0; i < N; i++) {
            (void)snprintf(body, sizeof(body), "body %u", i);
            assert_int_equal(g[i].calls, 1);
            assert_int_equal(g[i].rc, HALE_OK);
            assert_string_equal(g[i].body, body);
        }
    }
    hale_http_client_free(c);
    hale_http_server_stop(s);
}

static void test_chain_and_cancel(void **state)
{
    char url[64];
    uint64_t a = 0, b = 0;
    (void)state;
    struct hale_http_server *s = serve_start(url, sizeof(url));
    struct hale_http_client *c = hale_http_client_new(2);
    struct hale_http_call call = {.method = "GET", .url = url};
    struct got first = {.client = c, .next = &call};
    struct got dropped = {.calls = 0};
    assert_int_equal(hale_http_client_start(c, &call, keep, &first, &a), HALE_OK);
    assert_int_equal(hale_http_client_start(c, &call, keep, &dropped, &b), HALE_OK);
    assert_true(a > 0 && b > a);
    hale_http_client_cancel(c, b);
    hale_http_client_cancel(c, b);
    hale_http_client_cancel(c, 999);
    assert_int_equal(hale_http_client_active(c), 1);
    finish(c);
    assert_int_equal(first.calls, 2); /* the callback started another one */
    assert_int_equal(dropped.calls, 0);
    assert_int_equal(hale_http_client_start(c, &call, keep, &dropped, NULL), HALE_OK);
    hale_http_client_free(c); /* under way: no callback */
    assert_int_equal(dropped.calls, 0);
    hale_http_server_stop(s);
}

/* The request leaves in start: the server has it although nobody polls the client. */
static void test_sent_without_poll(void **state)
{
    struct canned s;
    char url[64];
    (void)state;
    canned_start(&s, OK_ANSWER, 2, false);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.port);
    struct hale_http_call call = {.method = "POST", .url = url, .body = HALE_STR("now")};
    struct hale_http_client *c = hale_http_client_new(1);
    struct got g = {.calls = 0};
    for (int i = 1; i <= 2; i++) { /* a new connection, then a reused one */
        assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
        int64_t deadline = hale_clock_mono_ms() + 5000;
        while (atomic_load(&s.requests) < i && hale_clock_mono_ms() < deadline)
            (void)poll(NULL, 0, 1);
        assert_int_equal(atomic_load(&s.requests), i);
        finish(c);
        assert_int_equal(g.rc, HALE_OK);
    }
    assert_int_equal(atomic_load(&s.connections), 1);
    hale_http_client_free(c);
    canned_stop(&s);
}

/* Prepared handles: nothing of a call is left for the next one of the same shape, and calls of
 * another shape do not get them. */
static void test_often(void **state)
{
    static const char *const named[] = {"X-One: 1", NULL};
    struct got g;
    char url[64], other[96];
    (void)state;
    struct hale_http_server *s = serve_start(url, sizeof(url));
    (void)snprintf(other, sizeof(other), "%s?other", url);
    const struct {
        struct hale_http_call call;
        enum hale_rc rc;
        const char *body, *header;
    } rows[] = {
        {{.method = "POST", .url = url, .headers = named, .body = HALE_STR("first")},
         HALE_OK,
         "first",
         "1"},
        {{.method = "POST", .url = other, .body = HALE_STR("other")},
         HALE_OK,
         "other",
         ""},
        {{.method = "POST", .url = url, .body = HALE_STR("2")}, HALE_OK, "2", ""},
        {{.method = "POST", .url = url, .body = HALE_STR("no"), .only_remote = true},
         HALE_E_DENIED,
         "",
         ""},
        {{.method = "POST", .url = url}, HALE_OK, "", ""},
        {{.method = "PUT", .url = url, .body = HALE_STR("put")}, HALE_OK, "put", ""},
        {{.method = "POST",
          .url = url,
          .body = HALE_STR("much"),
          .max_response_bytes = 3},
         HALE_E_LIMIT,
         NULL,
         ""},
        {{.method = "GET", .url = url, .headers = named}, HALE_OK, "", "1"},
    };
    struct hale_http_client *c = hale_http_client_new(4);
    for (size_t i = 0; i < 40 * sizeof(rows) / sizeof(rows[0]); i++) {
        size_t k = i % (sizeof(rows) / sizeof(rows[0]));
        struct hale_http_call call = rows[k].call;
        call.often = true;
        call.repeatable = i % 3 == 0;
        memset(&g, 0, sizeof(g));
        assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
        finish(c);
        assert_int_equal(g.rc, rows[k].rc);
        if (rows[k].body != NULL)
            assert_string_equal(g.body, rows[k].body);
        assert_string_equal(g.header, rows[k].header);
    }
    for (int i = 0; i < 600; i++) { /* more shapes than handles are kept */
        (void)snprintf(other, sizeof(other), "%s?%d", url, i);
        const struct hale_http_call call = {
            .method = "POST", .url = other, .body = hale_str_from(other), .often = true};
        memset(&g, 0, sizeof(g));
        assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
        finish(c);
        assert_string_equal(g.body, other);
    }
    hale_http_server_stop(s);
    const struct hale_http_call call = {
        .method = "POST", .url = other, .body = HALE_STR("x"), .often = true};
    memset(&g, 0, sizeof(g));
    assert_int_equal(hale_http_client_start(c, &call, keep, &g, NULL), HALE_OK);
    finish(c);
    assert_int_equal(g.rc, HALE_E_IO);
    assert_false(g.sent); /* that of the call before is forgotten */
    hale_http_client_free(c);
}

static void test_extra_descriptors(void **state)
{
    int wake[2];
    (void)state;
    struct hale_http_client *c = hale_http_client_new(1);
    assert_int_equal(pipe(wake), 0);
    struct pollfd extra[2] = {{.fd = wake[0], .events = POLLIN}, {.fd = -1}};
    int64_t start = hale_clock_mono_ms();
    assert_int_equal(hale_http_client_poll(c, extra, 2, 30), HALE_OK);
    assert_in_range(hale_clock_mono_ms() - start, 29, 2000);
    assert_int_equal(extra[0].revents, 0);
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_int_equal(hale_http_client_poll(c, extra, 2, 5000), HALE_OK);
    assert_int_equal(extra[0].revents, POLLIN);
    assert_int_equal(read(wake[0], (char[1]){0}, 1), 1);
    (void)close(wake[1]); /* a hang-up is told, too */
    assert_int_equal(hale_http_client_poll(c, extra, 2, 5000), HALE_OK);
    assert_true(extra[0].revents & POLLHUP);
    (void)close(wake[0]);
    hale_http_client_free(c);
}

static void test_sync_and_helpers(void **state)
{
    char url[64];
    char location[512];
    static const char *const headers[] = {"X-Empty:", "Content-Type: text/x", NULL};
    struct hale_http_result r;
    struct hale_buf b, small, q;
    (void)state;
    struct hale_http_server *s = serve_start(url, sizeof(url));
    struct hale_http_call call = {
        .method = "POST", .url = url, .headers = headers, .body = HALE_STR("sync body")};
    hale_buf_init(&b, 1000);
    hale_buf_init(&small, 4);
    assert_int_equal(hale_http_call_sync(&call, &r, &b, location), HALE_OK);
    assert_string_equal(b.p, "sync body");
    assert_string_equal(location, "/there");
    assert_int_equal(r.status, 200);
    assert_int_equal(hale_http_call_sync(&call, &r, &small, NULL), HALE_E_LIMIT);
    assert_true(r.error[0] != '\0');
    hale_http_server_stop(s);
    assert_int_equal(hale_http_call_sync(&call, &r, NULL, location), HALE_E_IO);
    assert_true(r.error[0] != '\0');
    assert_string_equal(location, "");
    hale_buf_init(&q, 100);
    hale_http_quote(&q, HALE_STR("aZ09-._~ /?&=+%\303\251"));
    assert_string_equal(q.p, "aZ09-._~%20%2F%3F%26%3D%2B%25%C3%A9");
    hale_buf_fini(&b);
    hale_buf_fini(&small);
    hale_buf_fini(&q);
}

static void local_addresses_in_all_clothes(void **state)
{
    static const char *const local[] = {"127.0.0.1",
                                        "127.9.9.9",
                                        "0.0.0.0",
                                        "0.1.2.3",
                                        "169.254.169.254",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "100.100.100.200",
                                        "168.63.129.16",
                                        "192.0.0.192",
                                        "::1",
                                        "::",
                                        "fe80::1",
                                        "fec0::1",
                                        "ff02::1",
                                        "fd00:ec2::254",
                                        "::ffff:127.0.0.1",
                                        "::127.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "64:ff9b::169.254.169.254",
                                        "2002:7f00:1::",
                                        "2002:a9fe:a9fe::1",
                                        "2001::1",
                                        "::ffff:0:127.0.0.1",
                                        "localhost",
                                        "2130706433",
                                        "0x7f.1",
                                        ""};
    static const char *const remote[] = {
        "10.0.0.1",        "192.168.1.1",     "172.16.0.1",   "8.8.8.8",
        "100.100.100.201", "126.255.255.255", "128.0.0.1",    "2001:db8::1",
        "fd00::1",         "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1"};
    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        if (!hale_http_is_local(local[i]))
            fail_msg("%s is not local", local[i]);
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        if (hale_http_is_local(remote[i]))
            fail_msg("%s is local", remote[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_addresses_in_all_clothes),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_never_repeated),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_many_parallel),
        cmocka_unit_test(test_often),
        cmocka_unit_test(test_chain_and_cancel),
        cmocka_unit_test(test_sent_without_poll),
        cmocka_unit_test(test_extra_descriptors),
        cmocka_unit_test(test_sync_and_helpers),
    };
    hale_log_init("test", HALE_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
