/* SPDX-License-Identifier: Apache-2.0 */
/* Posts that are lined up by their hosts, with two servers that answer when the test says so. */
#include "support/cmocka.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/herald.h"
#include "base/clock.h"
#include "net/http_server.h"

#define KEYS_MAX 40
#define SAYS_MAX 3

struct speaker { /* a key, and what it has to say */
    char name[16];
    unsigned n, at; /* messages; the first that is not told */
    char url[SAYS_MAX][96], body[SAYS_MAX][16];
    unsigned taken, denied, refused, failed;
};
static struct world {
    struct hale_http_server *server[2];
    struct hale_http_client *http;
    struct actuator_methods_conf conf;
    struct actuator_herald *h;
    struct speaker speaker[KEYS_MAX];
    unsigned n;
    pthread_mutex_t lock; /* of what follows: the servers' threads write it */
    bool hold;
    unsigned bad; /* status of paths /bad, 0: 200 */
    struct hale_http_req *held[KEYS_MAX];
    unsigned n_held, n_asked;
    char bodies[4096]; /* all that came, each with a blank behind */
} w;

static void handle(struct hale_http_req *req, void *arg)
{
    struct hale_str body = hale_http_body(req);
    (void)arg;
    pthread_mutex_lock(&w.lock);
    w.n_asked++;
    size_t at = strlen(w.bodies);
    (void)snprintf(w.bodies + at, sizeof(w.bodies) - at, "%.*s ", (int)body.len, body.p);
    bool bad = strcmp(hale_http_path(req), "/bad") == 0 && w.bad != 0;
    unsigned status = bad ? w.bad : 200;
    bool keep = w.hold && w.n_held < KEYS_MAX;
    if (keep)
        w.held[w.n_held++] = req;
    pthread_mutex_unlock(&w.lock);
    if (!keep)
        hale_http_reply(req, status, "text/plain", HALE_STR(""));
}

/* Lets the servers answer n of those that wait, the first first. */
static void let_go(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pthread_mutex_lock(&w.lock);
        struct hale_http_req *req = w.n_held > 0 ? w.held[0] : NULL;
        if (req != NULL)
            memmove(&w.held[0], &w.held[1], --w.n_held * sizeof(w.held[0]));
        pthread_mutex_unlock(&w.lock);
        assert_non_null(req);
        hale_http_reply(req, 200, "text/plain", HALE_STR(""));
    }
}

static unsigned n_held(void)
{
    pthread_mutex_lock(&w.lock);
    unsigned n = w.n_held;
    pthread_mutex_unlock(&w.lock);
    return n;
}

static unsigned n_asked(void)
{
    pthread_mutex_lock(&w.lock);
    unsigned n = w.n_asked;
    pthread_mutex_unlock(&w.lock);
    return n;
}

static bool came(const char *body)
{
    pthread_mutex_lock(&w.lock);
    bool there = strstr(w.bodies, body) != NULL;
    pthread_mutex_unlock(&w.lock);
    return there;
}

static void set_bad(unsigned status)
{
    pthread_mutex_lock(&w.lock);
    w.bad = status;
    pthread_mutex_unlock(&w.lock);
}

static struct speaker *find(const char *key)
{
    for (unsigned i = 0; i < w.n; i++)
        if (strcmp(w.speaker[i].name, key) == 0)
            return &w.speaker[i];
    fail_msg("no key %s", key);
    return NULL;
}

static bool next(void *arg, const char *key, struct hale_buf *url, struct hale_buf *body)
{
    const struct speaker *s = find(key);
    (void)arg;
    if (s->at == s->n)
        return false;
    hale_buf_add_c(url, s->url[s->at]);
    hale_buf_add_c(body, s->body[s->at]);
    return true;
}

static void done(void *arg, const char *key, enum actuator_herald_end end,
                 const char *detail)
{
    struct speaker *s = find(key);
    (void)arg;
    assert_non_null(detail);
    s->taken += end == ACTUATOR_HERALD_TAKEN;
    s->denied += end == ACTUATOR_HERALD_DENIED;
    s->refused += end == ACTUATOR_HERALD_REFUSED;
    s->failed += end == ACTUATOR_HERALD_FAILED;
    s->at += end != ACTUATOR_HERALD_FAILED;
}

static int set_up(void **state)
{
    const struct actuator_herald_io io = {.next = next, .done = done};
    const struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                               .max_body_bytes = 1000,
                                               .max_connections = 100,
                                               .handle = handle};
    struct hale_err err = {0};
    (void)state;
    memset(&w, 0, sizeof(w));
    assert_int_equal(pthread_mutex_init(&w.lock, NULL), 0);
    w.http = hale_http_client_new(ACTUATOR_HERALD_CALLS);
    w.conf.listed_only = 1;
    w.conf.timeout_ms = 60000;
    for (unsigned i = 0; i < 2; i++) {
        char pattern[32];
        assert_int_equal(hale_http_server_start(&o, &w.server[i], &err), HALE_OK);
        (void)snprintf(pattern, sizeof(pattern), "127.0.0.1:%u",
                       hale_http_server_port(w.server[i]));
        assert_int_equal(actuator_allow_add(&w.conf.allow, hale_str_from(pattern)),
                         HALE_OK);
    }
    w.h = actuator_herald_new(&io, w.http, &w.conf);
    assert_non_null(w.h);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    actuator_herald_free(w.h);
    hale_http_client_free(w.http);
    for (unsigned i = 0; i < 2; i++)
        hale_http_server_stop(w.server[i]);
    actuator_allow_fini(&w.conf.allow);
    pthread_mutex_destroy(&w.lock);
    return 0;
}

/* One more message of the key for a path of a server. */
static struct speaker *say(const char *key, unsigned server, const char *path,
                           const char *body)
{
    unsigned i = 0;
    while (i < w.n && strcmp(w.speaker[i].name, key) != 0)
        i++;
    struct speaker *s = &w.speaker[i];
    w.n += i == w.n;
    (void)snprintf(s->name, sizeof(s->name), "%s", key);
    (void)snprintf(s->url[s->n], sizeof(s->url[0]), "http://127.0.0.1:%u%s",
                   hale_http_server_port(w.server[server]), path);
    (void)snprintf(s->body[s->n++], sizeof(s->body[0]), "%s", body);
    return s;
}

static void add(const struct speaker *s)
{
    assert_int_equal(
        actuator_herald_add(w.h, s->name, s->url[s->at], hale_clock_wall_us()), HALE_OK);
}

static void poll_once(void)
{
    assert_int_equal(hale_http_client_poll(w.http, NULL, 0, 20), HALE_OK);
}

/* Until so many calls are under way, and no tick that would begin others. */
static void await_active(unsigned n)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    while (hale_http_client_active(w.http) != n) {
        assert_true(hale_clock_mono_ms() < deadline);
        poll_once();
    }
}

static void await_held(unsigned n)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    while (n_held() != n) {
        assert_true(hale_clock_mono_ms() < deadline);
        poll_once();
    }
}

/* Until so many answers were taken, of all keys. */
static void await_taken(unsigned n)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    for (unsigned taken = 0; taken < n;) {
        assert_true(hale_clock_mono_ms() < deadline);
        poll_once();
        taken = 0;
        for (unsigned i = 0; i < w.n; i++)
            taken += w.speaker[i].taken;
    }
}

/* Time goes on until nothing is left to say. */
static void run_out(void)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    int64_t next_us;
    while ((next_us = actuator_herald_next_us(w.h)) != INT64_MAX ||
           hale_http_client_active(w.http) > 0) {
        assert_true(hale_clock_mono_ms() < deadline);
        if (hale_http_client_active(w.http) == 0)
            actuator_herald_tick(w.h, next_us);
        poll_once();
    }
}

/* Four calls to a place at once, and one more for each that was taken, up to 16. */
static void test_lined_up(void **state)
{
    char name[16];
    unsigned taken = 0, most = 0;
    (void)state;
    w.hold = true;
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "k%u", i);
        add(say(name, 0, "/", name));
    }
    assert_int_equal(hale_http_client_active(w.http), 4);
    await_held(4);
    assert_true(came("k0 ") && came("k1 ") && came("k2 ") && came("k3 "));
    while (taken < KEYS_MAX) {
        unsigned room = 4 + taken < ACTUATOR_HERALD_PLACE_CALLS
                            ? 4 + taken
                            : ACTUATOR_HERALD_PLACE_CALLS;
        unsigned left = KEYS_MAX - taken, want = room < left ? room : left;
        await_held(want);
        assert_int_equal(hale_http_client_active(w.http), want);
        most = want > most ? want : most;
        let_go(1);
        await_taken(++taken);
    }
    assert_int_equal(hale_http_client_active(w.http), 0);
    assert_int_equal(most, ACTUATOR_HERALD_PLACE_CALLS);
    for (unsigned i = 0; i < KEYS_MAX; i++)
        assert_int_equal(w.speaker[i].taken, 1);
    assert_true(actuator_herald_next_us(w.h) == INT64_MAX);
}

/* A key's messages go one after the other, in their order, also to another host. */
static void test_one_call_for_a_key(void **state)
{
    (void)state;
    w.hold = true;
    (void)say("k", 0, "/", "one");
    (void)say("k", 0, "/", "two");
    struct speaker *s = say("k", 1, "/", "three");
    add(s);
    add(s); /* is waiting already */
    for (unsigned i = 0; i < 3; i++) {
        await_held(1);
        assert_int_equal(hale_http_client_active(w.http), 1);
        let_go(1);
        await_taken(i + 1);
        actuator_herald_tick(w.h, hale_clock_wall_us());
    }
    assert_int_equal(s->taken, 3);
    assert_true(came("one two three "));
    assert_true(actuator_herald_next_us(w.h) == INT64_MAX);
}

/* What a server does not take of one key, it may take of others. */
static void test_one_key_is_tried_again(void **state)
{
    int64_t start_us = hale_clock_wall_us();
    (void)state;
    set_bad(500);
    struct speaker *x = say("x", 0, "/bad", "x"), *y = say("y", 0, "/", "y");
    add(x);
    add(y);
    await_active(0);
    assert_int_equal(x->failed, 1);
    assert_int_equal(y->taken, 1);
    int64_t again_us = actuator_herald_next_us(w.h);
    assert_true(again_us > start_us + 50000 && again_us < INT64_MAX); /* half of 0.1 s */
    actuator_herald_tick(w.h, start_us);
    assert_int_equal(hale_http_client_active(w.http), 0);
    set_bad(0);
    run_out();
    assert_int_equal(x->taken, 1);
    assert_int_equal(x->failed, 1);
}

/* A server that does not work is asked by one, and nobody waits for it at other servers. */
static void test_a_place_that_fails(void **state)
{
    char name[16];
    (void)state;
    set_bad(503);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "k%u", i);
        add(say(name, 0, "/bad", name));
    }
    await_active(0);
    assert_int_equal(n_asked(), 4); /* those under way when the first failed */
    struct speaker *other = say("other", 1, "/", "other");
    add(other);
    await_active(0);
    assert_int_equal(other->taken, 1);
    for (unsigned i = 0; i < 2; i++) { /* one call for a try */
        actuator_herald_tick(w.h, actuator_herald_next_us(w.h));
        assert_int_equal(hale_http_client_active(w.http), 1);
        await_active(0);
    }
    assert_int_equal(n_asked(), 4 + 1 + 2);
    set_bad(0);
    run_out();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(w.speaker[i].taken, 1);
}

static void test_refused_and_denied(void **state)
{
    (void)state;
    set_bad(400);
    struct speaker *x = say("x", 0, "/bad", "x");
    (void)say("x", 0, "/", "next");
    add(x);
    run_out();
    assert_int_equal(x->refused, 1); /* it will never be taken: what follows goes on */
    assert_int_equal(x->taken, 1);
    struct speaker *y = say("y", 0, "/", "y");
    (void)snprintf(y->url[0], sizeof(y->url[0]), "http://127.0.0.1:9/");
    unsigned before = n_asked();
    add(y);
    assert_int_equal(y->denied, 1); /* not in allow: without a call */
    assert_int_equal(hale_http_client_active(w.http), 0);
    assert_true(actuator_herald_next_us(w.h) == INT64_MAX);
    assert_int_equal(n_asked(), before);
}

static void test_drop(void **state)
{
    (void)state;
    w.hold = true;
    struct speaker *x = say("x", 0, "/", "x"), *y = say("y", 0, "/", "y");
    add(x);
    add(y);
    await_held(2);
    actuator_herald_drop(w.h, "x");
    actuator_herald_drop(w.h, "nobody");
    assert_int_equal(hale_http_client_active(w.http), 1);
    let_go(2);
    await_active(0);
    assert_int_equal(x->taken + x->failed + x->denied + x->refused, 0);
    assert_int_equal(y->taken, 1);
    add(x); /* it has it still, and may say it */
    await_held(1);
    let_go(1);
    await_active(0);
    assert_int_equal(x->taken, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lined_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_call_for_a_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_key_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_place_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_and_denied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
