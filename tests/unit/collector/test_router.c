/* SPDX-License-Identifier: Apache-2.0 */
/* Which path and method lead where, and who may go there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/router.h"
#include "collector/token.h"

static void matches(void **state)
{
    static const struct {
        const char *method, *path;
        const char *pattern; /* NULL: no route */
        const char *param;
        const char *allow; /* when there is no route: NULL = unknown path */
    } CASES[] = {
        {"GET", "/v2.0/metrics", "/v2.0/metrics", "", NULL},
        {"GET", "/v2.0/metrics/", "/v2.0/metrics", "", NULL},
        {"HEAD", "/v2.0/metrics", "/v2.0/metrics", "", NULL},
        {"GET", "/v2.0/alarms/state-history", "/v2.0/alarms/state-history", "", NULL},
        {"GET", "/v2.0/alarms/state-history/", "/v2.0/alarms/state-history", "", NULL},
        {"GET", "/v2.0/alarms/count", "/v2.0/alarms/count", "", NULL},
        {"GET", "/v2.0/alarms/abc", "/v2.0/alarms/{id}", "abc", NULL},
        {"GET", "/v2.0/alarms/abc/state-history", "/v2.0/alarms/{id}/state-history",
         "abc", NULL},
        {"DELETE", "/v2.0/alarms/count", NULL, "", "GET"},
        {"POST", "/v2.0/alarms", NULL, "", "GET"},
        {"PATCH", "/v2.0/alarm-definitions", NULL, "", "GET, POST"},
        {"GET", "/v2.0/alarms/", "/v2.0/alarms", "", NULL},
        {"GET", "/v2.0/alarms//", NULL, "", NULL},
        {"GET", "/v2.0/alarms/a/b", NULL, "", NULL},
        {"GET", "/v2.0/alarms/{id}", "/v2.0/alarms/{id}", "{id}", NULL},
        {"GET", "/", "/", "", NULL},
        {"GET", "", NULL, "", NULL},
        {"DELETE", "/v2/nfv/servers/s-1/alarms/a-1", "/v2/{id}/servers/{id}/alarms/{id}",
         "a-1", NULL},
        {"PUT", "/v2/nfv/servers/s-1/alarms", NULL, "", "GET, POST"},
        {"GET", "/v2.0", "/v2.0", "", NULL},
        {"GET", "/v2.0/", "/v2.0", "", NULL},
        {"GET", "/V2.0/metrics", NULL, "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_match m;
        collector_router_match(collector_routes, collector_routes_n, CASES[i].method,
                               CASES[i].path, &m);
        if ((m.route != NULL) != (CASES[i].pattern != NULL) ||
            (m.route != NULL && (strcmp(m.route->path, CASES[i].pattern) != 0 ||
                                 strcmp(m.param, CASES[i].param) != 0)))
            fail_msg("%s %s", CASES[i].method, CASES[i].path);
        if (m.route == NULL && (m.path_known != (CASES[i].allow != NULL) ||
                                (m.path_known && strcmp(m.allow, CASES[i].allow) != 0)))
            fail_msg("%s %s allows \"%s\"", CASES[i].method, CASES[i].path, m.allow);
    }
    char longer[400];
    struct collector_match m;
    strcpy(longer, "/v2.0/alarms/");
    memset(longer + 13, 'a', 300);
    longer[313] = '\0';
    collector_router_match(collector_routes, collector_routes_n, "GET", longer, &m);
    assert_null(m.route);
}

/* Nothing of the API is open, and an agent can only deliver. */
static void roles(void **state)
{
    (void)state;
    for (size_t i = 0; i < collector_routes_n; i++) {
        const struct collector_route *r = &collector_routes[i];
        bool open = r->roles == 0;
        bool api = collector_router_is_api(r->path) && strcmp(r->path, "/v2.0") != 0;
        assert_true(open != api);
        bool get = strcmp(r->method, "GET") == 0;
        if (api) {
            assert_true((r->roles & COLLECTOR_OPERATOR) != 0);
            bool secret = strstr(r->path, "/secret") != NULL; /* for writers only */
            bool reads = !secret && (get || r->place == COLLECTOR_ON_QUERY);
            assert_true(((r->roles & COLLECTOR_READER) != 0) == reads);
            bool feed = strstr(r->path, "event") != NULL ||
                        (strcmp(r->path, "/api/v2/alerts") == 0 && !get) ||
                        strcmp(r->path, "/query") == 0 || /* senders ask, too */
                        (strstr(r->path, "/servers/") != NULL && !get) || /* Tacker */
                        (r->place == COLLECTOR_ON_INTAKE && !get);
            assert_true(((r->roles & COLLECTOR_AGENT) != 0) == feed);
        }
        assert_non_null(r->handler);
    }
    assert_true(collector_router_is_api("/v1/x") && collector_router_is_api("/events"));
    assert_true(collector_router_is_api("/write") &&
                collector_router_is_api("/api/v2/write"));
    assert_true(collector_router_is_api("/eventListener/v7"));
    assert_true(collector_router_is_api("/v2/nfv/servers/x/alarms") &&
                !collector_router_is_api("/v2/") && !collector_router_is_api("/v2"));
    assert_false(collector_router_is_api("/v1x") || collector_router_is_api("/"));
}

static void versions(void **state)
{
    static const char *const yes[] = {"/v3", "/v2.1", "/v3.0/", "/v10", NULL};
    static const char *const no[] = {"/",     "/v",  "/v/", "/v.1", "/v3x",
                                     "/v3/x", "/w3", "/V3", NULL};
    (void)state;
    for (size_t i = 0; yes[i] != NULL; i++)
        assert_true(collector_router_is_version(yes[i]));
    for (size_t i = 0; no[i] != NULL; i++)
        assert_false(collector_router_is_version(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(roles),
        cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
