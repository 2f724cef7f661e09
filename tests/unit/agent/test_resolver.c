/* SPDX-License-Identifier: Apache-2.0 */
/* No test here asks a name server of the network: numeric addresses, /etc/hosts, and a name below
 * .invalid, which RFC 6761 lets resolvers refuse by themselves. */
#include "support/cmocka.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/resolver.h"
#include "base/clock.h"

struct world {
    struct agent_loop *loop;
    struct agent_resolver *resolver;
};
static struct world w;

static int setup(void **state)
{
    (void)state;
    w.loop = agent_loop_new(1);
    w.resolver = w.loop != NULL ? agent_resolver_new(w.loop) : NULL;
    return w.resolver == NULL;
}

static int teardown(void **state)
{
    (void)state;
    agent_resolver_free(w.resolver);
    agent_loop_free(w.loop);
    return 0;
}

/* Asks until there is an answer, at most 20 s; now_ms is what the resolver is told. */
static enum hale_rc ask(struct agent_name *n, int64_t now_ms,
                        struct sockaddr_storage *addr, const char **why)
{
    socklen_t len = 0;
    int64_t deadline = hale_clock_mono_ms() + 20000;
    enum hale_rc rc;
    while ((rc = agent_resolver_get(n, now_ms, addr, &len, why)) == HALE_E_AGAIN) {
        assert_true(hale_clock_mono_ms() < deadline);
        assert_string_equal(*why, "the name is being looked up");
        agent_loop_turn(w.loop, 20);
    }
    assert_true(rc != HALE_OK || len == sizeof(struct sockaddr_in) ||
                len == sizeof(struct sockaddr_in6));
    return rc;
}

static void test_numeric_at_once(void **state)
{
    static const struct {
        const char *host;
        sa_family_t family;
    } cases[] = {{"127.0.0.1", AF_INET}, {"::1", AF_INET6}, {"192.0.2.7", AF_INET}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent_name *n = agent_resolver_name(w.resolver, cases[i].host, 853);
        struct sockaddr_storage addr = {0};
        socklen_t len = 0;
        const char *why = NULL;
        assert_non_null(n);
        assert_int_equal(agent_resolver_get(n, 1, &addr, &len, &why), HALE_OK);
        assert_int_equal(addr.ss_family, cases[i].family);
        struct sockaddr_in in;
        memcpy(&in, &addr, sizeof(in)); /* both families have the port there */
        assert_int_equal(ntohs(in.sin_port), 853);
    }
}

static void test_localhost(void **state)
{
    struct sockaddr_storage addr = {0};
    const char *why = NULL;
    (void)state;
    struct agent_name *n = agent_resolver_name(w.resolver, "localhost", 80);
    assert_non_null(n);
    assert_int_equal(ask(n, 1, &addr, &why), HALE_OK);
    assert_true(addr.ss_family == AF_INET || addr.ss_family == AF_INET6);
    /* While it is looked up anew, the old answer serves. */
    socklen_t len = 0;
    assert_int_equal(agent_resolver_get(n, 2 + AGENT_RESOLVER_TTL_MS, &addr, &len, &why),
                     HALE_OK);
}

static void test_failing_name(void **state)
{
    struct sockaddr_storage addr;
    const char *why = NULL;
    (void)state;
    struct agent_name *n = agent_resolver_name(w.resolver, "no-such-host.invalid", 80);
    assert_non_null(n);
    assert_int_equal(ask(n, 1, &addr, &why), HALE_E_NOTFOUND);
    assert_memory_equal(why, "cannot look up no-such-host.invalid: ", 37);
    assert_true(strlen(why) > 37);
    /* Later it is asked again, and stays failed meanwhile. */
    assert_int_equal(ask(n, 1 + AGENT_RESOLVER_TTL_MS / 12, &addr, &why),
                     HALE_E_NOTFOUND);
}

/* A numeric address never waits for a name that hangs, and equal names are one. */
static void test_names_are_shared(void **state)
{
    (void)state;
    struct agent_name *a = agent_resolver_name(w.resolver, "localhost", 80);
    assert_ptr_equal(agent_resolver_name(w.resolver, "localhost", 80), a);
    assert_ptr_not_equal(agent_resolver_name(w.resolver, "localhost", 81), a);
    assert_ptr_not_equal(agent_resolver_name(w.resolver, "localhost2", 80), a);
}

static void test_ceiling(void **state)
{
    char host[32];
    unsigned n = 0;
    (void)state;
    for (; n < 5000; n++) {
        (void)snprintf(host, sizeof(host), "host-%u", n);
        if (agent_resolver_name(w.resolver, host, 80) == NULL)
            break;
    }
    assert_int_equal(n, 4096);
}

/* Freed with a look-up under way. */
static void test_free_while_asking(void **state)
{
    struct sockaddr_storage addr;
    socklen_t len;
    const char *why;
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct agent_name *n = agent_resolver_name(w.resolver, "localhost", i + 1);
        assert_non_null(n);
        assert_int_equal(agent_resolver_get(n, 1, &addr, &len, &why), HALE_E_AGAIN);
    }
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(test_numeric_at_once),  WITH(test_localhost), WITH(test_failing_name),
        WITH(test_names_are_shared), WITH(test_ceiling),   WITH(test_free_while_asking),
    };
    return cmocka_run_group_tests_name("agent.resolver", tests, NULL, NULL);
}
