/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis connection against a real redis-server, and against servers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "redis_fixture.h"
#include "store/redis.h"

static struct redis_fixture fixture;

static int setup(void **state)
{
    struct hale_redis *r;
    if (fixture.pid == 0 && redis_fixture_present() && !redis_fixture_start(&fixture))
        return -1;
    if (fixture.pid == 0) {
        *state = NULL;
        return 0;
    }
    r = hale_redis_new(fixture.url, 5000);
    assert_non_null(r);
    assert_int_equal(HALE_REDIS_CMD(r, NULL, HALE_STR("FLUSHALL")), HALE_OK);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    hale_redis_free(*state);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    redis_fixture_remove(&fixture);
    return 0;
}

static struct hale_redis *connection(void **state)
{
    if (*state == NULL) {
        print_message("SKIPPED: /usr/bin/redis-server is not installed\n");
        skip();
    }
    return *state;
}

static void assert_str(struct hale_str s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_url(void **state)
{
    static const struct {
        const char *url;
        bool ok;
    } rows[] = {
        {"unix:/run/redis.sock", true},
        {"localhost", true},
        {"localhost:6379", true},
        {"10.0.0.1:1", true},
        {"[::1]:6379", true},
        {"[::1]", true},
        {"", false},
        {":6379", false},
        {"unix:", false},
        {"unix:relative", false},
        {"unix:/" /* too long for a unix address */
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         false},
        {"host:0", false},
        {"host:65536", false},
        {"host:port", false},
        {"host:", false},
        {"redis://host:6379", false},
        {"[::1", false},
        {"[::1]x", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {.rc = HALE_OK};
        enum hale_rc rc = hale_redis_check_url(rows[i].url, &err);
        if ((rc == HALE_OK) != rows[i].ok)
            fail_msg("\"%s\" gave %s", rows[i].url, hale_rc_text(rc));
        if (rc != HALE_OK)
            assert_non_null(strstr(err.text, rows[i].url));
    }
}

/* --- commands and replies --------------------------------------------------------------------- */

static void test_commands(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    static const char binary[] = {'a', '\0', '\r', '\n', 'z'};
    struct hale_str value = {binary, sizeof(binary)};

    assert_int_equal(HALE_REDIS_CMD(r, NULL, HALE_STR("SET"), HALE_STR("k"), value),
                     HALE_OK);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("GET"), HALE_STR("k")), HALE_OK);
    assert_true(hale_str_eq(hale_reply_str(p), value));
    assert_false(hale_reply_is_nil(p));
    hale_reply_free(p);

    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("GET"), HALE_STR("none")), HALE_OK);
    assert_true(hale_reply_is_nil(p));
    assert_int_equal(hale_reply_str(p).len, 0);
    hale_reply_free(p);

    assert_int_equal(
        HALE_REDIS_CMD(r, &p, HALE_STR("INCRBY"), HALE_STR("n"), HALE_STR("41")),
        HALE_OK);
    assert_int_equal(hale_reply_int(p), 41);
    hale_reply_free(p);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("GET"), HALE_STR("n")), HALE_OK);
    assert_int_equal(hale_reply_int(p), 41); /* a number in a string */
    assert_int_equal(hale_reply_n(p), 0);
    assert_null(hale_reply_at(p, 0));
    hale_reply_free(p);

    assert_int_equal(
        HALE_REDIS_CMD(r, &p, HALE_STR("HGET"), HALE_STR("k"), HALE_STR("f")),
        HALE_E_INVAL);
    assert_null(p);
    assert_non_null(strstr(hale_redis_error(r), "WRONGTYPE"));
    assert_non_null(strstr(hale_redis_error(r), fixture.socket));
    assert_true(hale_redis_connected(r));

    /* as a plain reply the error is a reply */
    assert_int_equal(HALE_REDIS(r, HALE_STR("HGET"), HALE_STR("k"), HALE_STR("f")),
                     HALE_OK);
    assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
    assert_true(hale_reply_is_error(p));
    hale_reply_free(p);

    assert_int_equal(hale_redis_reply(r, &p), HALE_E_INVAL); /* nothing pending */
    assert_int_equal(HALE_REDIS(r, HALE_STR("PING")), HALE_OK);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("PING")),
                     HALE_E_INVAL); /* one is pending */
    assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
    assert_str(hale_reply_str(p), "PONG");
    hale_reply_free(p);
}

#define PIPELINED 20000

static void test_pipeline(void **state)
{
    struct hale_redis *r = connection(state);
    char key[32];
    for (unsigned i = 0; i < PIPELINED; i++) {
        (void)snprintf(key, sizeof(key), "k%u", i);
        assert_int_equal(
            HALE_REDIS(r, HALE_STR("SET"), hale_str_from(key), hale_str_from(key)),
            HALE_OK);
        assert_int_equal(HALE_REDIS(r, HALE_STR("GET"), hale_str_from(key)), HALE_OK);
    }
    assert_int_equal(hale_redis_pending(r), 2 * PIPELINED);
    for (unsigned i = 0; i < PIPELINED; i++) {
        struct hale_reply *p = NULL;
        assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
        assert_str(hale_reply_str(p), "OK");
        hale_reply_free(p);
        assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
        (void)snprintf(key, sizeof(key), "k%u", i);
        assert_str(hale_reply_str(p), key);
        hale_reply_free(p);
    }
    assert_int_equal(hale_redis_pending(r), 0);
}

static void test_big_values(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    size_t big = 40u * 1024 * 1024;
    char *bytes = malloc(big);
    assert_non_null(bytes);
    for (size_t i = 0; i < big; i++)
        bytes[i] = (char)(i * 31 + (i >> 12));
    assert_int_equal(HALE_REDIS_CMD(r, NULL, HALE_STR("SET"), HALE_STR("big"),
                                    (struct hale_str){bytes, big}),
                     HALE_OK);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("GET"), HALE_STR("big")), HALE_OK);
    assert_int_equal(hale_reply_str(p).len, big);
    assert_memory_equal(hale_reply_str(p).p, bytes, big);
    hale_reply_free(p);

    /* a server that does not read: two of them do not fit into the write buffer */
    enum hale_rc rc = HALE_OK;
    unsigned queued = 0;
    assert_int_equal(kill(fixture.pid, SIGSTOP), 0);
    while (rc == HALE_OK && queued < 8) {
        rc = HALE_REDIS(r, HALE_STR("ECHO"), (struct hale_str){bytes, big});
        queued += rc == HALE_OK;
    }
    assert_int_equal(rc, HALE_E_LIMIT);
    assert_int_equal(kill(fixture.pid, SIGCONT), 0);
    assert_int_equal(queued, 1);
    assert_true(hale_redis_connected(r)); /* what was queued is still good */
    for (unsigned i = 0; i < queued; i++) {
        assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
        assert_int_equal(hale_reply_str(p).len, big);
        hale_reply_free(p);
    }
    free(bytes);
}

static void test_try_reply(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    struct pollfd fd;
    assert_int_equal(
        HALE_REDIS(r, HALE_STR("BLPOP"), HALE_STR("nothing"), HALE_STR("0.05")), HALE_OK);
    hale_redis_pollfd(r, &fd);
    assert_int_equal(fd.events, POLLIN | POLLOUT);
    assert_int_equal(hale_redis_try_reply(r, &p), HALE_E_NOTFOUND);
    hale_redis_pollfd(r, &fd);
    assert_int_equal(fd.events, POLLIN);
    assert_int_equal(poll(&fd, 1, 5000), 1);
    assert_int_equal(hale_redis_try_reply(r, &p), HALE_OK);
    assert_true(hale_reply_is_nil(p));
    hale_reply_free(p);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void test_transaction(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("a"), HALE_STR("1")),
                     HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("INCR"), HALE_STR("a")), HALE_OK);
    assert_int_equal(hale_redis_exec(r, &p), HALE_OK);
    assert_int_equal(hale_reply_n(p), 2);
    assert_str(hale_reply_str(hale_reply_at(p, 0)), "OK");
    assert_int_equal(hale_reply_int(hale_reply_at(p, 1)), 2);
    hale_reply_free(p);

    /* an empty one */
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(hale_redis_exec(r, NULL), HALE_OK);

    /* refused while queueing: nothing is done */
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("a"), HALE_STR("9")),
                     HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("NOSUCH"), HALE_STR("a")), HALE_OK);
    assert_int_equal(hale_redis_exec(r, &p), HALE_E_INVAL);
    assert_non_null(strstr(hale_redis_error(r), "unknown command"));
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("GET"), HALE_STR("a")), HALE_OK);
    assert_int_equal(hale_reply_int(p), 2);
    hale_reply_free(p);

    /* a watched key changes through another connection */
    struct hale_redis *other = hale_redis_new(fixture.url, 5000);
    assert_int_equal(HALE_REDIS_CMD(r, NULL, HALE_STR("WATCH"), HALE_STR("a")), HALE_OK);
    assert_int_equal(
        HALE_REDIS_CMD(other, NULL, HALE_STR("SET"), HALE_STR("a"), HALE_STR("5")),
        HALE_OK);
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("a"), HALE_STR("6")),
                     HALE_OK);
    assert_int_equal(hale_redis_exec(r, &p), HALE_E_CONFLICT);
    hale_redis_free(other);

    /* not while replies are pending, and exec needs begin */
    assert_int_equal(hale_redis_exec(r, &p), HALE_E_INVAL);
    assert_int_equal(HALE_REDIS(r, HALE_STR("PING")), HALE_OK);
    assert_int_equal(hale_redis_begin(r), HALE_E_INVAL);
    assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
    hale_reply_free(p);
}

static void test_transaction_given_up(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("a"), HALE_STR("1")),
                     HALE_OK);
    assert_int_equal(hale_redis_flush(r), HALE_OK);
    hale_redis_discard(r);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("EXISTS"), HALE_STR("a")), HALE_OK);
    assert_int_equal(hale_reply_int(p), 0);
    hale_reply_free(p);
    hale_redis_discard(r); /* without one: nothing */
    assert_true(hale_redis_connected(r));
}

/* The server dies inside the transaction: no later command may slip out of it. */
static void test_transaction_broken(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    assert_int_equal(hale_redis_begin(r), HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("a"), HALE_STR("1")),
                     HALE_OK);
    assert_int_equal(hale_redis_flush(r), HALE_OK);
    redis_fixture_kill(&fixture);
    assert_true(redis_fixture_start(&fixture));
    enum hale_rc rc = HALE_REDIS(r, HALE_STR("SET"), HALE_STR("b"), HALE_STR("1"));
    if (rc == HALE_OK)
        rc = hale_redis_flush(r);
    if (rc != HALE_OK)
        assert_int_equal(HALE_REDIS(r, HALE_STR("SET"), HALE_STR("c"), HALE_STR("1")),
                         HALE_E_IO);
    assert_int_equal(hale_redis_exec(r, &p), HALE_E_IO);
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("EXISTS"), HALE_STR("a"),
                                    HALE_STR("b"), HALE_STR("c")),
                     HALE_OK);
    assert_int_equal(hale_reply_int(p), 0);
    hale_reply_free(p);
}

/* --- failures --------------------------------------------------------------------------------- */

static void test_server_killed(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    uint64_t generation = hale_redis_generation(r);
    assert_int_equal(HALE_REDIS(r, HALE_STR("BLPOP"), HALE_STR("x"), HALE_STR("0")),
                     HALE_OK);
    assert_int_equal(HALE_REDIS(r, HALE_STR("PING")), HALE_OK);
    assert_int_equal(hale_redis_flush(r), HALE_OK);
    redis_fixture_kill(&fixture);
    assert_int_equal(hale_redis_reply(r, &p), HALE_E_IO);
    assert_null(p);
    assert_false(hale_redis_connected(r));
    assert_int_equal(hale_redis_pending(r), 0);
    assert_int_equal(hale_redis_reply(r, &p),
                     HALE_E_IO); /* the second one went with it */
    assert_non_null(strstr(hale_redis_error(r), fixture.socket));

    /* tries are spaced: the first fails at once, the next are told to wait */
    assert_int_equal(HALE_REDIS(r, HALE_STR("PING")), HALE_E_IO);
    assert_int_equal(HALE_REDIS(r, HALE_STR("PING")), HALE_E_AGAIN);
    assert_non_null(strstr(hale_redis_error(r), "connect"));

    assert_true(redis_fixture_start(&fixture));
    int64_t deadline = hale_clock_mono_ms() + 5000;
    enum hale_rc rc;
    do {
        rc = HALE_REDIS_CMD(r, &p, HALE_STR("PING"));
        (void)poll(NULL, 0, 5);
    } while (rc != HALE_OK && hale_clock_mono_ms() < deadline);
    assert_int_equal(rc, HALE_OK);
    hale_reply_free(p);
    assert_int_equal(hale_redis_generation(r), generation + 1);
}

/* Killed and restarted while idle: the next command must simply work. */
static void test_idle_reconnect(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    redis_fixture_kill(&fixture);
    assert_true(redis_fixture_start(&fixture));
    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("PING")), HALE_OK);
    assert_str(hale_reply_str(p), "PONG");
    hale_reply_free(p);
}

static void test_deadline(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    int64_t before = hale_clock_mono_ms();
    assert_int_equal(HALE_REDIS(r, HALE_STR("BLPOP"), HALE_STR("x"), HALE_STR("0")),
                     HALE_OK);
    assert_int_equal(hale_redis_reply_wait(r, 60, &p), HALE_E_IO);
    assert_in_range(hale_clock_mono_ms() - before, 60, 2000);
    assert_non_null(strstr(hale_redis_error(r), "no answer within 60 ms"));
    assert_false(hale_redis_connected(r));
    assert_int_equal(HALE_REDIS_CMD(r, NULL, HALE_STR("PING")), HALE_OK);
}

/* A TCP server that answers every connection with the same bytes. */
static pid_t canned_server(const char *bytes, unsigned *port_out)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&sa, &len), 0);
    *port_out = ntohs(sa.sin_port);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int c = accept(fd, NULL, NULL);
            char in[512];
            if (c < 0 || read(c, in, sizeof(in)) < 0 ||
                write(c, bytes, strlen(bytes)) < 0)
                _exit(1);
            (void)shutdown(c, SHUT_WR);
            while (read(c, in, sizeof(in)) > 0) {
            }
            (void)close(c);
        }
    }
    (void)close(fd);
    assert_true(pid > 0);
    return pid;
}

static void test_bad_servers(void **state)
{
    static const struct {
        const char *bytes;
        enum hale_rc rc;
        const char *text;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", HALE_E_IO, "unreadable answer"},
        {"-LOADING Redis is loading the dataset in memory\r\n", HALE_E_AGAIN, "LOADING"},
        {"-BUSY running a script\r\n", HALE_E_AGAIN, "BUSY"},
        {"-MASTERDOWN Link with MASTER is down\r\n", HALE_E_AGAIN, "MASTERDOWN"},
        {"-BUSYGROUP exists\r\n", HALE_E_INVAL, "BUSYGROUP"},
        {"-NOAUTH Authentication required.\r\n", HALE_E_INVAL, "NOAUTH"},
        {"$10\r\nabc", HALE_E_IO, "closed the connection"},
        {"*2147483647\r\n", HALE_E_IO, ""},
        {"*3\r\n:1\r\n*-1\r\n$-2\r\n", HALE_E_IO, "unreadable answer"},
        {"", HALE_E_IO, "closed the connection"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned port = 0;
        char url[64];
        pid_t pid = canned_server(rows[i].bytes, &port);
        (void)snprintf(url, sizeof(url), "127.0.0.1:%u", port);
        struct hale_redis *r = hale_redis_new(url, 3000);
        struct hale_reply *p = NULL;
        enum hale_rc rc = HALE_REDIS_CMD(r, &p, HALE_STR("PING"));
        if (rc != rows[i].rc || strstr(hale_redis_error(r), rows[i].text) == NULL)
            fail_msg("row %zu gave %s, %s", i, hale_rc_text(rc), hale_redis_error(r));
        assert_null(p);
        assert_non_null(strstr(hale_redis_error(r), url));
        hale_redis_free(r);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}

static void test_backoff_grows(void **state)
{
    (void)state;
    struct hale_redis *r = hale_redis_new("unix:/nonexistent/redis.sock", 100);
    int64_t start = hale_clock_mono_ms();
    unsigned tries = 0;
    while (hale_clock_mono_ms() - start < 800) {
        enum hale_rc rc = HALE_REDIS(r, HALE_STR("PING"));
        assert_true(rc == HALE_E_IO || rc == HALE_E_AGAIN);
        tries += rc == HALE_E_IO;
        (void)poll(NULL, 0, 1);
    }
    assert_in_range(tries, 4, 5); /* at 0, 50, 150, 350, 750 ms */
    hale_redis_free(r);
}

/* --- streams ---------------------------------------------------------------------------------- */

struct seen {
    unsigned n;
    unsigned stop_after;
    unsigned per_stream[3];
    size_t bytes;
    struct hale_stream_id last;
};

static int note(unsigned stream, struct hale_stream_id id, struct hale_str field,
                struct hale_str value, void *arg)
{
    struct seen *s = arg;
    assert_true(hale_str_eq_c(field, "b"));
    assert_in_range(stream, 0, 2);
    s->per_stream[stream]++;
    s->bytes += value.len;
    s->last = id;
    s->n++;
    return s->n == s->stop_after ? 7 : 0;
}

static void test_stream_ids(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        struct hale_stream_id id;
    } rows[] = {
        {"0-0", true, {0, 0}},
        {"15-3", true, {15, 3}},
        {"15", true, {15, 0}},
        {"18446744073709551615-18446744073709551615", true, {UINT64_MAX, UINT64_MAX}},
        {"", false, {0, 0}},
        {"-", false, {0, 0}},
        {"5-", false, {0, 0}},
        {"-5", false, {0, 0}},
        {"5-5-5", false, {0, 0}},
        {"18446744073709551616-0", false, {0, 0}},
        {"+", false, {0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_stream_id id = {1, 2};
        char text[HALE_STREAM_ID_TEXT];
        enum hale_rc rc = hale_stream_id_parse(hale_str_from(rows[i].text), &id);
        if ((rc == HALE_OK) != rows[i].ok)
            fail_msg("\"%s\" gave %s", rows[i].text, hale_rc_text(rc));
        if (rc != HALE_OK)
            continue;
        assert_int_equal(hale_stream_id_cmp(id, rows[i].id), 0);
        assert_int_equal(
            hale_stream_id_parse(hale_str_from(hale_stream_id_text(id, text)), &id),
            HALE_OK);
        assert_int_equal(hale_stream_id_cmp(id, rows[i].id), 0);
    }
    assert_int_equal(
        hale_stream_id_cmp((struct hale_stream_id){1, 9}, (struct hale_stream_id){2, 0}),
        -1);
    assert_int_equal(
        hale_stream_id_cmp((struct hale_stream_id){2, 1}, (struct hale_stream_id){2, 0}),
        1);
}

static void test_xread(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_reply *p = NULL;
    static const char *const keys[] = {"s0", "s1", "s2"};
    struct hale_stream_id after[3] = {{0, 0}, {0, 0}, {0, 0}};
    static char batch[24 * 1024];
    memset(batch, 'x', sizeof(batch));
    for (unsigned i = 0; i < 1000; i++) { /* s1 stays empty */
        assert_int_equal(HALE_REDIS(r, HALE_STR("XADD"),
                                    hale_str_from(i % 2 ? "s2" : "s0"), HALE_STR("*"),
                                    HALE_STR("b"),
                                    (struct hale_str){batch, sizeof(batch)}),
                         HALE_OK);
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
        assert_false(hale_reply_is_error(p));
        hale_reply_free(p);
    }
    struct seen seen = {.n = 0};
    assert_int_equal(hale_redis_xread(r, 3, keys, after, 1000, -1), HALE_OK);
    assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
    assert_int_equal(hale_reply_entries(p, 3, keys, note, &seen), 0);
    assert_int_equal(seen.n, 1000);
    assert_int_equal(seen.per_stream[0], 500);
    assert_int_equal(seen.per_stream[1], 0);
    assert_int_equal(seen.per_stream[2], 500);
    assert_int_equal(seen.bytes, 1000 * sizeof(batch));
    struct seen some = {.stop_after = 3};
    assert_int_equal(hale_reply_entries(p, 3, keys, note, &some), 7);
    assert_int_equal(some.n, 3);
    hale_reply_free(p);

    /* nothing new: nil, no callback */
    for (unsigned i = 0; i < 3; i++)
        after[i] = seen.last;
    assert_int_equal(hale_redis_xread(r, 3, keys, after, 10, 20), HALE_OK);
    assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
    assert_true(hale_reply_is_nil(p));
    assert_int_equal(hale_reply_entries(p, 3, keys, note, &some), 0);
    hale_reply_free(p);

    assert_int_equal(HALE_REDIS_CMD(r, &p, HALE_STR("XREVRANGE"), HALE_STR("s2"),
                                    HALE_STR("+"), HALE_STR("-"), HALE_STR("COUNT"),
                                    HALE_STR("2")),
                     HALE_OK);
    struct seen range = {.n = 0};
    assert_int_equal(hale_reply_range(p, note, &range), 0);
    assert_int_equal(range.n, 2);
    hale_reply_free(p);
}

struct order {
    unsigned n;
    char text[256];
};

static int note_order(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct order *o = arg;
    size_t at = strlen(o->text);
    (void)field, (void)value;
    o->n++;
    (void)snprintf(o->text + at, sizeof(o->text) - at, "%u:%llu ", stream,
                   (unsigned long long)id.ms);
    return 0;
}

static void test_merge_gives_the_order_of_ids(void **state)
{
    struct hale_redis *r = connection(state);
    static const char *const keys[] = {"m0", "m1", "m2"};
    static const struct {
        const char *key, *id;
    } entries[] = {{"m0", "5-0"}, {"m0", "9-0"}, {"m1", "2-0"}, {"m1", "5-0"},
                   {"m1", "7-0"}, {"m2", "1-0"}, {"m2", "8-0"}, {"m2", "11-0"}};
    static const struct {
        unsigned count, loose;
        bool all;
        const char *order;
    } cases[] = {
        {10, 3, true, "2:1 1:2 0:5 1:5 1:7 2:8 0:9 2:11 "},
        {3, 3, false,
         "2:1 1:2 0:5 1:5 1:7 "}, /* m1 and m2 may have more: 7 comes first */
        {3, 1, false, "2:1 1:2 0:5 1:5 1:7 2:8 0:9 2:11 "}, /* m2's last is the last */
        {1, 3, false, "2:1 "},
    };
    struct hale_stream_id after[3] = {{0, 0}, {0, 0}, {0, 0}};
    struct hale_reply *p = NULL;
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        assert_int_equal(
            HALE_REDIS_CMD(r, NULL, HALE_STR("XADD"), hale_str_from(entries[i].key),
                           hale_str_from(entries[i].id), HALE_STR("j"), HALE_STR("v")),
            HALE_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct order o = {.n = 0};
        struct hale_merge m = {.n = 3,
                               .keys = keys,
                               .count = cases[i].count,
                               .loose = cases[i].loose,
                               .all = !cases[i].all};
        assert_int_equal(hale_redis_xread(r, 3, keys, after, cases[i].count, -1),
                         HALE_OK);
        assert_int_equal(hale_redis_reply(r, &p), HALE_OK);
        assert_int_equal(hale_reply_merge(p, &m, note_order, &o), 0);
        assert_string_equal(o.text, cases[i].order);
        assert_int_equal(m.all, cases[i].all);
        hale_reply_free(p);
    }
}

/* XREAD BLOCK waits on the server; a poll loop is woken by another descriptor meanwhile, and the
 * entry still arrives afterwards. */
static void test_xread_block_interrupted(void **state)
{
    struct hale_redis *r = connection(state);
    struct hale_redis *writer = hale_redis_new(fixture.url, 5000);
    struct hale_reply *p = NULL;
    static const char *const keys[] = {"s0"};
    struct hale_stream_id after = {0, 0};
    int wake[2];
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(hale_redis_xread(r, 1, keys, &after, 10, 0), HALE_OK);
    assert_int_equal(hale_redis_try_reply(r, &p), HALE_E_NOTFOUND);
    assert_int_equal(write(wake[1], "x", 1), 1);
    struct pollfd fds[2] = {{.fd = wake[0], .events = POLLIN}};
    hale_redis_pollfd(r, &fds[1]);
    assert_int_equal(poll(fds, 2, 5000), 1);
    assert_true(fds[0].revents & POLLIN);
    assert_int_equal(hale_redis_try_reply(r, &p), HALE_E_NOTFOUND);

    assert_int_equal(HALE_REDIS_CMD(writer, NULL, HALE_STR("XADD"), HALE_STR("s0"),
                                    HALE_STR("5-1"), HALE_STR("b"), HALE_STR("v")),
                     HALE_OK);
    hale_redis_pollfd(r, &fds[1]);
    assert_int_equal(poll(&fds[1], 1, 5000), 1);
    assert_int_equal(hale_redis_try_reply(r, &p), HALE_OK);
    struct seen seen = {.n = 0};
    assert_int_equal(hale_reply_entries(p, 1, keys, note, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(hale_stream_id_cmp(seen.last, (struct hale_stream_id){5, 1}), 0);
    hale_reply_free(p);
    hale_redis_free(writer);
    (void)close(wake[0]);
    (void)close(wake[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_stream_ids),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_backoff_grows),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipeline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_big_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_try_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_reconnect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_xread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_gives_the_order_of_ids, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_xread_block_interrupted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, group_teardown);
}
