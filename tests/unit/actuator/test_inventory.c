/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory's thread with a VNFM and a real redis-server: what it writes, what makes it write
 * nothing, and its end at any moment. */
#include "support/cmocka.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/inventory.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "net/http_server.h"
#include "store/keys.h"
#include "store/redis.h"
#include "store/redis_fixture.h"

#define PAGE_1 "[{\"id\":\"vnf-one\",\"vnfInstanceName\":\"one\"}]"
#define PAGE_2 "[{\"id\":\"vnf-two\",\"vnfInstanceName\":\"two\"}]"
#define NEXT   "</vnflcm/v1/vnf_instances?page=2>; rel=\"next\""

enum mode { GOOD, BROKEN_PAGE, NO_JSON, ELSEWHERE, SILENT };

static struct redis_fixture redis_server;
static struct world {
    struct hale_redis *redis;
    struct hale_http_server *vnfm;
    struct actuator_conf conf;
    char url[64];
    atomic_int mode, asked;
    _Atomic(struct hale_http_req *) kept; /* SILENT: not answered yet */
} w;

static void handle(struct hale_http_req *req, void *arg)
{
    bool second = hale_http_query(req, "page") != NULL;
    int mode = atomic_load(&w.mode);
    (void)arg;
    atomic_fetch_add(&w.asked, 1);
    if (mode == SILENT) {
        atomic_store(&w.kept, req);
    } else if (second) {
        hale_http_reply(req, mode == BROKEN_PAGE ? 500 : 200, "application/json",
                        mode == NO_JSON ? HALE_STR("[{") : HALE_STR(PAGE_2));
    } else {
        hale_http_add_header(
            req, "Link",
            mode == ELSEWHERE ? "<http://elsewhere.example/x>; rel=\"next\"" : NEXT);
        hale_http_reply(req, 200, "application/json", HALE_STR(PAGE_1));
    }
}

static int set_up(void **state)
{
    const struct hale_http_server_options o = {.listen = "127.0.0.1:0",
                                               .max_body_bytes = 1000,
                                               .max_connections = 10,
                                               .handle = handle};
    struct hale_err err = {0};
    (void)state;
    assert_true(redis_fixture_start(&redis_server));
    memset(&w.conf, 0, sizeof(w.conf));
    w.redis = hale_redis_new(redis_server.url, 5000);
    assert_int_equal(hale_http_server_start(&o, &w.vnfm, &err), HALE_OK);
    (void)snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%u/vnflcm/v1",
                   hale_http_server_port(w.vnfm));
    w.conf.redis = redis_server.url;
    w.conf.inventory.tenant = (char *)(uintptr_t) "infra";
    w.conf.inventory.every_ms = 3600000;
    w.conf.inventory.n_vnfms = 1;
    w.conf.inventory.vnfm[0].name = (char *)(uintptr_t) "lab";
    w.conf.inventory.vnfm[0].url = w.url;
    w.conf.inventory.vnfm[0].credentials = (char *)(uintptr_t) "";
    atomic_store(&w.asked, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hale_http_server_stop(w.vnfm);
    hale_redis_free(w.redis);
    redis_fixture_remove(&redis_server);
    return 0;
}

/* All that is in the stream of the topology, one after the other; to be freed. */
static char *written(unsigned *n)
{
    struct hale_reply *reply = NULL;
    struct hale_buf all;
    hale_buf_init(&all, 1u << 20);
    assert_int_equal(HALE_REDIS_CMD(w.redis, &reply, HALE_STR("XRANGE"),
                                    HALE_STR(HALE_KEYS_TOPOLOGY), HALE_STR("-"),
                                    HALE_STR("+")),
                     HALE_OK);
    *n = (unsigned)hale_reply_n(reply);
    for (unsigned i = 0; i < *n; i++)
        hale_buf_add_str(&all, hale_reply_str(hale_reply_at(
                                   hale_reply_at(hale_reply_at(reply, i), 1), 1)));
    hale_reply_free(reply);
    return hale_buf_take(&all);
}

static void await(const char *what, int64_t (*now)(void), int64_t at_least)
{
    int64_t deadline = hale_clock_mono_ms() + 20000;
    while (now() < at_least) {
        if (hale_clock_mono_ms() > deadline)
            fail_msg("%s: %lld", what, (long long)now());
        (void)poll(NULL, 0, 2);
    }
}

static int64_t syncs(void)
{
    return hale_counter_get(actuator_stat(ACTUATOR_STAT_INVENTORY_SYNCS));
}

static int64_t failures(void)
{
    return hale_counter_get(actuator_stat(ACTUATOR_STAT_INVENTORY_FAILURES));
}

static int64_t asked(void)
{
    return atomic_load(&w.asked);
}

static void test_nothing_to_ask(void **state)
{
    (void)state;
    w.conf.inventory.n_vnfms = 0;
    assert_null(actuator_inventory_start(&w.conf));
    w.conf.inventory.n_vnfms = 1;
    w.conf.inventory.tenant = NULL;
    assert_null(actuator_inventory_start(&w.conf));
    actuator_inventory_stop(NULL);
}

static void test_pages_become_one_sync(void **state)
{
    unsigned n;
    (void)state;
    atomic_store(&w.mode, GOOD);
    int64_t before = syncs();
    struct actuator_inventory *x = actuator_inventory_start(&w.conf);
    assert_non_null(x);
    await("syncs", syncs, before + 1);
    char *all = written(&n);
    assert_int_equal(n, 1);
    assert_non_null(strstr(all, "\"sol003:lab\""));
    assert_non_null(strstr(all, "\"infra\""));
    assert_non_null(strstr(all, "vnf-one"));
    assert_non_null(strstr(all, "vnf-two"));
    free(all);
    assert_int_equal(asked(), 2);
    actuator_inventory_stop(x); /* waits for the next round: ended at once */
    assert_int_equal(asked(), 2);
}

/* What is not whole would delete what it does not name. */
static void test_half_an_answer_writes_nothing(void **state)
{
    static const enum mode modes[] = {BROKEN_PAGE, NO_JSON, ELSEWHERE};
    unsigned n;
    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        atomic_store(&w.mode, modes[i]);
        int64_t before = failures();
        struct actuator_inventory *x = actuator_inventory_start(&w.conf);
        assert_non_null(x);
        await("failures", failures, before + 1);
        actuator_inventory_stop(x);
        free(written(&n));
        assert_int_equal(n, 0);
    }
}

/* The next round comes by itself, with the same connection to Redis or another one. */
static void test_rounds(void **state)
{
    unsigned n;
    (void)state;
    atomic_store(&w.mode, BROKEN_PAGE);
    w.conf.inventory.every_ms = 1;
    int64_t failed = failures(), before = syncs();
    struct actuator_inventory *x = actuator_inventory_start(&w.conf);
    assert_non_null(x);
    await("failures", failures, failed + 2);
    atomic_store(&w.mode, GOOD);
    await("syncs", syncs, before + 3);
    actuator_inventory_stop(x);
    free(written(&n));
    assert_true(n >= 3);
}

/* Its end does not wait for an answer. */
static void test_stop_while_a_call_is_under_way(void **state)
{
    unsigned n;
    (void)state;
    atomic_store(&w.mode, SILENT);
    int64_t failed = failures(), done = syncs();
    struct actuator_inventory *x = actuator_inventory_start(&w.conf);
    assert_non_null(x);
    await("the request", asked, 1);
    actuator_inventory_stop(x);
    struct hale_http_req *req;
    while ((req = atomic_exchange(&w.kept, NULL)) == NULL)
        (void)poll(NULL, 0, 1);
    hale_http_reply(req, 200, "application/json", HALE_STR(PAGE_1));
    free(written(&n));
    assert_int_equal(n, 0);
    assert_int_equal(failures(), failed);
    assert_int_equal(syncs(), done);
}

int main(void)
{
    if (!redis_fixture_present()) {
        print_message("SKIPPED: /usr/bin/redis-server is not installed\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_to_ask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_become_one_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_an_answer_writes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_while_a_call_is_under_way, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
