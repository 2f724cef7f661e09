/* SPDX-License-Identifier: Apache-2.0 */
/* The sender against a collector's stand-in: a real HTTP server that answers as it is told. */
#include "support/cmocka.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/sender.h"
#include "base/clock.h"
#include "net/http_server.h"

#define SAMPLES_MAX 4096

struct fixture {
    pthread_mutex_t lock;
    pthread_cond_t open;
    bool shut;       /* requests wait for their answer */
    unsigned status; /* answer of the next requests */
    int64_t poison;  /* a body that holds this timestamp is refused with 422; 0 = none */
    size_t n;
    int64_t times[SAMPLES_MAX]; /* accepted timestamps in order of arrival */
    unsigned requests;
    struct hale_http_server *server;
    struct agent_loop *loop;
    struct agent_spool *spool;
    struct agent_sender *sender;
    struct agent_sink sink;
    struct agent_dims dims;
    char dir[64];
};

static size_t read_times(struct hale_str body, int64_t *out)
{
    size_t n = 0;
    const char *p = body.p;
    while ((p = strstr(p, "\"timestamp\":")) != NULL && n < SAMPLES_MAX)
        out[n++] = strtoll(p += 12, NULL, 10);
    return n;
}

static void handle(struct hale_http_req *req, void *arg)
{
    struct fixture *f = arg;
    static int64_t times[SAMPLES_MAX];
    (void)pthread_mutex_lock(&f->lock);
    while (f->shut)
        (void)pthread_cond_wait(&f->open, &f->lock);
    unsigned status = f->status;
    size_t n = read_times(hale_http_body(req), times);
    f->requests++;
    for (size_t i = 0; i < n; i++)
        if (f->poison != 0 && times[i] == f->poison)
            status = 422;
    if (status == 204) {
        memcpy(f->times + f->n, times, n * sizeof(times[0]));
        f->n += n;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (status == 503)
        hale_http_add_header(req, "Retry-After", "0");
    hale_http_reply(req, status, status == 204 ? NULL : "application/json",
                    status == 204 ? (struct hale_str){NULL, 0} : HALE_STR("{}"));
}

static size_t arrived(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    size_t n = f->n;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static void answer(struct fixture *f, unsigned status)
{
    (void)pthread_mutex_lock(&f->lock);
    f->status = status;
    (void)pthread_mutex_unlock(&f->lock);
}

static void set_shut(struct fixture *f, bool shut)
{
    (void)pthread_mutex_lock(&f->lock);
    f->shut = shut;
    (void)pthread_cond_broadcast(&f->open);
    (void)pthread_mutex_unlock(&f->lock);
}

static void make_sender(struct fixture *f)
{
    char url[64];
    struct hale_err err = {0};
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u",
                   hale_http_server_port(f->server));
    const struct agent_sender_options o = {
        .collector = url, .token = "t", .timeout_ms = 5000, .max_batch = 100};
    assert_int_equal(agent_spool_open(f->dir, 8u << 20, &f->spool, &err), HALE_OK);
    f->sender = agent_sender_new(f->loop, f->spool, &o);
    assert_non_null(f->sender);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct hale_err err = {0};
    assert_non_null(f);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->open, NULL);
    f->status = 204;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-sender-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    const struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                               .max_body_bytes = 8u << 20,
                                               .max_connections = 16,
                                               .handle = handle,
                                               .arg = f};
    assert_int_equal(hale_http_server_start(&o, &f->server, &err), HALE_OK);
    f->loop = agent_loop_new(8);
    agent_sink_init(&f->sink);
    make_sender(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    set_shut(f, false);
    agent_sender_free(f->sender);
    agent_spool_close(f->spool);
    agent_loop_free(f->loop);
    hale_http_server_stop(f->server);
    agent_sink_fini(&f->sink);
    agent_dims_fini(&f->dims);
    for (int i = 1; i < 10; i++) {
        (void)snprintf(command, sizeof(command), "%s/%020d.spool", f->dir, i);
        (void)unlink(command);
    }
    int rc = rmdir(f->dir);
    (void)pthread_cond_destroy(&f->open);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    return rc;
}

static void add(struct fixture *f, int64_t from, int64_t n)
{
    for (int64_t t = from; t < from + n; t++)
        agent_sink_add(&f->sink, &f->dims,
                       &(struct agent_sample){.name = "x", .time_ms = t, .value = 1});
}

static void take(struct fixture *f, int64_t from, int64_t n)
{
    add(f, from, n);
    agent_sender_flush(f->sender, &f->sink);
}

/* Turns the loop until n samples have arrived; fails after 20 s. */
static void turn_until(struct fixture *f, size_t n)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    while (arrived(f) < n || !agent_sender_ok(f->sender) ||
           !agent_spool_empty(f->spool)) {
        assert_true(hale_clock_mono_ms() < deadline);
        agent_loop_turn(f->loop, 10);
        agent_sender_flush(f->sender, &f->sink);
    }
}

static void turn_until_trouble(struct fixture *f)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    while (agent_sender_ok(f->sender)) {
        assert_true(hale_clock_mono_ms() < deadline);
        agent_loop_turn(f->loop, 10);
    }
}

static void expect_in_order(struct fixture *f, int64_t n, int64_t without)
{
    size_t i = 0;
    for (int64_t t = 1; t <= n; t++)
        if (t != without)
            assert_int_equal(f->times[i++], t);
    assert_int_equal(f->n, i);
}

static void test_sends_at_once_in_batches(void **state)
{
    struct fixture *f = *state;
    take(f, 1, 250);
    turn_until(f, 250);
    expect_in_order(f, 250, 0);
    assert_int_equal(f->requests, 3); /* 100 + 100 + 50 */
    assert_true(agent_spool_empty(f->spool));
}

static void test_away_then_back_in_order(void **state)
{
    struct fixture *f = *state;
    answer(f, 503);
    take(f, 1, 10);
    turn_until_trouble(f);
    take(f, 11, 10);
    take(f, 21, 10);
    assert_false(agent_spool_empty(f->spool));
    answer(f, 204);
    turn_until(f, 30);
    expect_in_order(f, 30, 0);
    take(f, 31, 5);
    turn_until(f, 35);
    expect_in_order(f, 35, 0);
    assert_true(agent_spool_empty(f->spool));
}

static void test_one_bad_sample_does_not_block(void **state)
{
    struct fixture *f = *state;
    f->poison = 57;
    take(f, 1, 120);
    turn_until(f, 119);
    expect_in_order(f, 120, 57);
    assert_true(agent_sender_ok(f->sender));
}

static void test_bad_sample_in_the_spool_does_not_block(void **state)
{
    struct fixture *f = *state;
    answer(f, 500);
    take(f, 1, 20);
    turn_until_trouble(f);
    take(f, 21, 20);
    f->poison = 5;
    answer(f, 204);
    turn_until(f, 39);
    expect_in_order(f, 40, 5);
}

static void test_restart_keeps_what_was_not_sent(void **state)
{
    struct fixture *f = *state;
    answer(f, 401);
    take(f, 1, 10);
    turn_until_trouble(f);
    take(f, 11, 10);
    agent_sender_free(f->sender);
    agent_spool_close(f->spool);
    answer(f, 204);
    make_sender(f);
    take(f, 21, 10);
    turn_until(f, 30);
    expect_in_order(f, 30, 0);
}

/* While one request hangs, more samples come than the sink likes to hold: they go to the spool behind
 * the batch under way, whatever becomes of that. */
static void hang(struct fixture *f, unsigned then)
{
    char pad[256];
    memset(pad, 'p', sizeof(pad) - 1);
    pad[sizeof(pad) - 1] = '\0';
    assert_int_equal(agent_dims_set(&f->dims, "pad", pad), HALE_OK);
    set_shut(f, true);
    take(f, 1, 10);
    take(f, 11, 10); /* few: the sink keeps them */
    assert_true(agent_spool_empty(f->spool));
    take(f, 21, 3980);
    assert_false(agent_spool_empty(f->spool));
    assert_int_equal(f->sink.n, 0);
    answer(f, then);
    set_shut(f, false);
    if (then != 204) {
        turn_until_trouble(f);
        answer(f, 204);
    }
    turn_until(f, 4000);
    expect_in_order(f, 4000, 0);
}

static void test_hanging_request_succeeds(void **state)
{
    hang(*state, 204);
}

static void test_hanging_request_fails(void **state)
{
    hang(*state, 503);
}

/* The last samples before the end are not with the sender yet. */
static void test_stop_spools_the_sink_too(void **state)
{
    struct fixture *f = *state;
    set_shut(f, true);
    take(f, 1, 10);
    add(f, 11, 10);
    agent_sender_stop(f->sender, &f->sink);
    assert_int_equal(f->sink.n, 0);
    agent_sender_free(f->sender);
    agent_spool_close(f->spool);
    set_shut(f, false);
    make_sender(f);
    turn_until(f, 20);
    /* The request that hung may have arrived as well: then its samples came twice. */
    assert_true(f->n == 20 || f->n == 30);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(f->times[f->n - 20 + i], i + 1);
}

/* A full disk: samples wait in memory, nothing is lost. */
static void test_disk_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    answer(f, 503);
    take(f, 1, 10);
    turn_until_trouble(f);
    take(f, 11, 10);
    size_t kept = f->sink.n;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(kept, 10);
    assert_int_equal(agent_spool_bytes(f->spool), 0);
    answer(f, 204);
    turn_until(f, 20);
    expect_in_order(f, 20, 0);
    /* The same with a batch on disk already. */
    answer(f, 503);
    take(f, 21, 10);
    turn_until_trouble(f);
    assert_false(agent_spool_empty(f->spool));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    take(f, 31, 10);
    kept = f->sink.n;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(kept, 10);
    answer(f, 204);
    turn_until(f, 40);
    expect_in_order(f, 40, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sends_at_once_in_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away_then_back_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_bad_sample_does_not_block, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bad_sample_in_the_spool_does_not_block,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_hanging_request_succeeds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hanging_request_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_spools_the_sink_too, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_keeps_what_was_not_sent, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
