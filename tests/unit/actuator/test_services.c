/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers of heat, masakari, mistral, neutron, senlin and kubernetes by themselves: a step's questions and calls
 * in order, and what each answer leads to. The real services are in tests/integration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/vim.h"

#define NOW_US 1795000000000000LL /* 2026-11-18T11:06:40Z */
#define STEPS  8
enum { GO = ACTUATOR_GOES_ON, OK = ACTUATOR_STEP_DONE, NO = ACTUATOR_STEP_FAILED };
enum {
    WAIT = ACTUATOR_WAIT,
    CALL = ACTUATOR_CALL,
    ASK = ACTUATOR_ASK,
    CONFLICT = ACTUATOR_CONFLICT,
    POLL = ACTUATOR_POLL
};

struct talk { /* the request that is expected, its answer, and what follows */
    const char *method, *url, *body; /* NULL: not looked at */
    enum hale_rc rc;
    unsigned status;
    const char *answer, *location;
    int end, next;
};
#define SAY(method, url, body, status, answer)                                           \
    method, url, body, HALE_OK, status, answer, NULL
/* A deployment that is looked at: its version, generation, wanted replicas, the generation that was seen, replicas
 * that are there; and one whose scale was set. */
#define SEEN(version, generation, wanted, seen, there)                                   \
    SAY("GET", "/apis/apps/v1/namespaces/d/deployments/w", NULL, 200,                    \
        "{\"metadata\":{\"resourceVersion\":\"" version "\",\"generation\":" generation  \
        "},\"spec\":{\"replicas\":" wanted "},\"status\":{\"observedGeneration\":" seen  \
        ",\"replicas\":" there ",\"readyReplicas\":" there "}}")
#define SCALED(version, wanted)                                                          \
    SAY("PATCH", "/apis/apps/v1/namespaces/d/deployments/w/scale",                       \
        "{\"metadata\":{\"resourceVersion\":\"" version                                  \
        "\"},\"spec\":{\"replicas\":" wanted "}}",                                       \
        200, "{}")
struct scene {
    const char *name, *type, *action, *args;
    struct talk find[4]; /* ends with method NULL */
    struct talk lane[STEPS];
};

static const struct scene SCENES[] = {
    {"scale by a parameter",
     "heat",
     "scale",
     "{\"stack\":\"s\",\"parameter\":\"n\",\"by\":\"+2\",\"max\":\"4\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "http://evil/v1/p/stacks/name/id1", GO,
       ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":null,\"stack_status\":\"CREATE_COMPLETE\","
           "\"parameters\":{\"n\":\"3\"}}}"),
       OK, 0}},
     {{SAY("PATCH", "/stacks/name/id1", "{\"parameters\":{\"n\":\"4\"}}", 409, "{}"), GO,
       CONFLICT},
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":\"t1\",\"stack_status\":\"UPDATE_IN_PROGRESS\"}"
           "}"),
       GO, CONFLICT},
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":\"t1\",\"stack_status\":\"UPDATE_COMPLETE\"}}"),
       GO, WAIT},
      {SAY("PATCH", "/stacks/name/id1", "{\"parameters\":{\"n\":\"4\"}}", 202, ""), GO,
       POLL},
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":\"t1\",\"stack_status\":\"UPDATE_COMPLETE\"}}"),
       GO, POLL}, /* still the old one */
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":\"t2\",\"stack_status\":\"UPDATE_COMPLETE\"}}"),
       OK, 0}}},
    {"an update that was cut off and had begun",
     "heat",
     "update",
     "{\"stack\":\"s\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "/v1/p/stacks/name/id1", GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       OK, 0}},
     {{"PATCH", "/stacks/name/id1", "{}", HALE_E_AGAIN, 0, "", NULL, GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200,
           "{\"stack\":{\"updated_time\":\"t2\",\"stack_status\":\"UPDATE_FAILED\","
           "\"stack_status_reason\":\"why\"}}"),
       NO, 0}}},
    {"an update that was cut off and had not",
     "heat",
     "update",
     "{\"stack\":\"s\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "/v1/p/stacks/name/id1", GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       OK, 0}},
     {{"PATCH", "/stacks/name/id1", "{}", HALE_E_AGAIN, 0, "", NULL, GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       GO, WAIT},
      {SAY("PATCH", "/stacks/name/id1", "{}", 202, ""), GO, POLL}}},
    {"mark a server unhealthy",
     "heat",
     "mark-unhealthy",
     "{\"stack\":\"s\",\"server\":\"vm\",\"reason\":\"r\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "/v1/p/stacks/name/id1", GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       GO, ASK},
      {SAY("GET", "/stacks/name/id1/resources?nested_depth=5", NULL, 200,
           "{\"resources\":[{\"resource_name\":\"a\",\"physical_resource_id\":\"other\"},"
           "{\"resource_name\":\"b\",\"physical_resource_id\":\"vm\",\"links\":[{\"rel\":"
           "\"self\","
           "\"href\":\"http://evil/v1/p/stacks/in/id2/resources/b\"}]}]}"),
       OK, 0}},
     {{SAY("PATCH", "/stacks/in/id2/resources/b",
           "{\"mark_unhealthy\":true,\"resource_status_reason\":\"r\"}", 200, ""),
       GO, WAIT},
      {SAY("PATCH", "/stacks/name/id1", "{}", 202, ""), GO, POLL}}},
    {"a signal that had arrived",
     "heat",
     "signal",
     "{\"stack\":\"s\",\"resource\":\"out\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "/v1/p/stacks/name/id1", GO, ASK},
      {SAY("GET", "/stacks/name/id1", NULL, 200, "{\"stack\":{\"stack_status\":\"X\"}}"),
       OK, 0}},
     {{"POST", "/stacks/name/id1/resources/out/signal", "{}", HALE_E_IO, 0, "", NULL, GO,
       ASK},
      {SAY("GET", "/stacks/name/id1/resources/out/events?sort_dir=desc&limit=20", NULL,
           200,
           "{\"events\":[{\"resource_status\":\"SIGNAL_COMPLETE\","
           "\"event_time\":\"2026-11-18T11:06:40Z\"}]}"),
       OK, 0}}},
    {"a location that is none",
     "heat",
     "update",
     "{\"stack\":\"s\"}",
     {{"GET", "/stacks/s", NULL, HALE_OK, 302, "", "/v1/stacks/../..", GO, ASK}},
     {{NULL, NULL, NULL, HALE_OK, 0, NULL, NULL, 0, 0}}},
    {"masakari follows",
     "masakari",
     "host-failed",
     "{\"host\":\"h\"}",
     {{SAY("GET", "/notifications?limit=1", NULL, 200, "{\"notifications\":[]}"), OK, 0}},
     {{SAY("POST", "/notifications",
           "{\"notification\":{\"type\":\"COMPUTE_HOST\",\"hostname\":\"h\",\"generated_"
           "time\":"
           "\"2026-11-18T11:06:40\",\"payload\":{\"event\":\"STOPPED\",\"cluster_"
           "status\":"
           "\"OFFLINE\",\"host_status\":\"NORMAL\"}}}",
           202, "{\"notification\":{\"notification_uuid\":\"n1\"}}"),
       GO, POLL},
      {SAY("GET", "/notifications/n1", NULL, 200,
           "{\"notification\":{\"status\":\"running\"}}"),
       GO, POLL},
      {SAY("GET", "/notifications/n1", NULL, 200,
           "{\"notification\":{\"status\":\"finished\"}}"),
       OK, 0}}},
    {"masakari finds ours again",
     "masakari",
     "server-failed",
     "{\"host\":\"h\",\"server\":\"vm\"}",
     {{SAY("GET", "/notifications?limit=1", NULL, 200, "{}"), OK, 0}},
     {{"POST", "/notifications", NULL, HALE_E_AGAIN, 0, "", NULL, GO, ASK},
      {SAY("GET", "/notifications?type=VM&sort_key=generated_time&sort_dir=desc", NULL,
           200,
           "{\"notifications\":[{\"notification_uuid\":\"n0\",\"type\":\"VM\","
           "\"generated_time\":"
           "\"2026-11-18T11:06:39.000000\",\"payload\":{\"event\":\"LIFECYCLE\","
           "\"instance_uuid\":\"vm\",\"vir_domain_event\":\"STOPPED_FAILED\"}},"
           "{\"notification_uuid\":\"n1\",\"type\":\"VM\",\"generated_time\":"
           "\"2026-11-18T11:06:40.000000\",\"payload\":{\"event\":\"LIFECYCLE\","
           "\"instance_uuid\":\"vm\",\"vir_domain_event\":\"STOPPED_FAILED\"}}]}"),
       GO, POLL},
      {SAY("GET", "/notifications/n1", NULL, 200,
           "{\"notification\":{\"status\":\"ignored\"}}"),
       NO, 0}}},
    {"masakari was told by somebody else",
     "masakari",
     "host-failed",
     "{\"host\":\"h\"}",
     {{SAY("GET", "/notifications?limit=1", NULL, 200, "{}"), OK, 0}},
     {{SAY("POST", "/notifications", NULL, 409, "{}"), GO, CONFLICT},
      {SAY("GET",
           "/notifications?type=COMPUTE_HOST&sort_key=generated_time&sort_dir=desc", NULL,
           200,
           "{\"notifications\":[{\"notification_uuid\":\"n5\",\"type\":\"COMPUTE_HOST\","
           "\"status\":\"running\",\"payload\":{\"event\":\"STOPPED\",\"host_status\":"
           "\"NORMAL\","
           "\"cluster_status\":\"OFFLINE\"}}]}"),
       GO, POLL},
      {SAY("GET", "/notifications/n5", NULL, 200,
           "{\"notification\":{\"status\":\"failed\"}}"),
       NO, 0}}},
    {"masakari's host is on maintenance",
     "masakari",
     "host-failed",
     "{\"host\":\"h\"}",
     {{SAY("GET", "/notifications?limit=1", NULL, 200, "{}"), OK, 0}},
     {{SAY("POST", "/notifications", NULL, 409, "{}"), GO, CONFLICT},
      {SAY("GET", NULL, NULL, 200, "{\"notifications\":[]}"), NO, 0}}},
    {"mistral",
     "mistral",
     "execute",
     "{\"workflow\":\"w 1\",\"input\":{\"a\":1}}",
     {{SAY("GET", "/workflows/w%201", NULL, 200, "{\"id\":\"wid\"}"), OK, 0}},
     {{"POST", "/executions", NULL, HALE_E_AGAIN, 0, "", NULL, GO,
       WAIT}, /* the id makes it harmless */
      {SAY("POST", "/executions", NULL, 409, "{\"faultstring\":\"there\"}"), GO, POLL},
      {SAY("GET", NULL, NULL, 200, "{\"state\":\"RUNNING\"}"), GO, POLL},
      {SAY("GET", NULL, NULL, 200, "{\"state\":\"ERROR\",\"state_info\":\"why\"}"), NO,
       0}}},
    {"mistral knows no workflow",
     "mistral",
     "execute",
     "{\"workflow\":\"w\"}",
     {{SAY("GET", "/workflows/w", NULL, 404, "{}"), NO, 0}},
     {{NULL, NULL, NULL, HALE_OK, 0, NULL, NULL, 0, 0}}},
    {"ports of a host",
     "neutron",
     "data-plane-status",
     "{\"host\":\"h\",\"status\":\"DOWN\"}",
     {{SAY("GET", NULL, NULL, 200,
           "{\"ports\":[{\"id\":\"p1\",\"binding:host_id\":\"h\"},"
           "{\"id\":\"p2\",\"binding:host_id\":\"other\"}]}"),
       OK, 0}},
     {{SAY("PUT", "/v2.0/ports/p1", "{\"port\":{\"data_plane_status\":\"DOWN\"}}", 503,
           "{}"),
       GO, WAIT},
      {SAY("PUT", "/v2.0/ports/p1", NULL, 409, "{}"), GO, WAIT},
      {SAY("PUT", "/v2.0/ports/p1", NULL, 200, "{}"), OK, 0}}},
    {"a port's status is taken off",
     "neutron",
     "data-plane-status",
     "{\"port\":\"p1\",\"status\":\"none\"}",
     {{SAY("GET", NULL, NULL, 200, "{\"ports\":[{\"id\":\"p1\"}]}"), OK, 0}},
     {{SAY("PUT", "/v2.0/ports/p1", "{\"port\":{\"data_plane_status\":null}}", 404, "{}"),
       OK, 0}}},
    {"ports without their hosts",
     "neutron",
     "data-plane-status",
     "{\"host\":\"h\",\"status\":\"DOWN\"}",
     {{SAY("GET", NULL, NULL, 200, "{\"ports\":[{\"id\":\"p1\"}]}"), NO, 0}},
     {{NULL, NULL, NULL, HALE_OK, 0, NULL, NULL, 0, 0}}},
    {"kubernetes scales from what it saw, anew after a conflict",
     "kubernetes",
     "scale",
     "{\"namespace\":\"d\",\"kind\":\"deployment\",\"name\":\"w\",\"by\":\"2\"}",
     {{SEEN("1", "1", "2", "1", "2"), OK, 0}},
     {{SAY("PATCH", "/apis/apps/v1/namespaces/d/deployments/w/scale",
           "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":4}}", 409,
           "{}"),
       GO, CONFLICT},
      {SEEN("5", "2", "3", "2", "3"), GO, WAIT},
      {SAY("PATCH", "/apis/apps/v1/namespaces/d/deployments/w/scale",
           "{\"metadata\":{\"resourceVersion\":\"5\"},\"spec\":{\"replicas\":5}}", 503,
           "{}"),
       GO, WAIT},
      {SCALED("5", "5"), GO, POLL},
      {SEEN("6", "3", "5", "2", "3"), GO, POLL},
      {SEEN("7", "3", "5", "3", "5"), OK, 0}}},
    {"kubernetes does not know who has scaled",
     "kubernetes",
     "scale",
     "{\"namespace\":\"d\",\"kind\":\"deployment\",\"name\":\"w\",\"by\":\"2\"}",
     {{SEEN("1", "1", "2", "1", "2"), OK, 0}},
     {{"PATCH", "/apis/apps/v1/namespaces/d/deployments/w/scale",
       "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":4}}", HALE_E_IO,
       0, "", NULL, GO, ASK},
      {SEEN("5", "2", "9", "2", "9"), NO, 0}}},
    {"kubernetes has not got the call",
     "kubernetes",
     "scale",
     "{\"namespace\":\"d\",\"kind\":\"deployment\",\"name\":\"w\",\"by\":\"2\"}",
     {{SEEN("1", "1", "2", "1", "2"), OK, 0}},
     {{"PATCH", "/apis/apps/v1/namespaces/d/deployments/w/scale",
       "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":4}}", HALE_E_IO,
       0, "", NULL, GO, ASK},
      {SEEN("3", "1", "2", "1", "2"), GO, WAIT},
      {SCALED("3", "4"), GO, POLL},
      {SEEN("6", "3", "1", "3", "1"), NO, 0}}},
    {"a pod in a namespace that leads elsewhere, and one with a budget",
     "kubernetes",
     "evict",
     "{\"namespace\":\"..\",\"pod\":\"p\",\"grace\":\"x\"}",
     {{SAY("GET", "/api/v1/namespaces/_/pods/p", NULL, 200,
           "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u\"}}"),
       OK, 0}},
     {{SAY("POST", "/api/v1/namespaces/d/pods/p/eviction",
           "{\"apiVersion\":\"policy/"
           "v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"p\","
           "\"namespace\":\"d\"},\"deleteOptions\":{\"preconditions\":{\"uid\":\"u\"}}}",
           429, "{}"),
       GO, WAIT},
      {SAY("POST", "/api/v1/namespaces/d/pods/p/eviction", NULL, 201, "{}"), GO, POLL},
      {SAY("GET", "/api/v1/namespaces/d/pods/p", NULL, 200,
           "{\"metadata\":{\"uid\":\"u\"}}"),
       GO, POLL},
      {SAY("GET", "/api/v1/namespaces/d/pods/p", NULL, 200,
           "{\"metadata\":{\"uid\":\"u2\"}}"),
       OK, 0}}},
    {"a pod that is gone before it is told to go",
     "kubernetes",
     "delete-pod",
     "{\"namespace\":\"d\",\"pod\":\"p\",\"grace\":\"0\"}",
     {{SAY("GET", NULL, NULL, 200,
           "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u\"}}"),
       OK, 0}},
     {{SAY("DELETE", "/api/v1/namespaces/d/pods/p",
           "{\"preconditions\":{\"uid\":\"u\"},\"kind\":\"DeleteOptions\",\"apiVersion\":"
           "\"v1\","
           "\"gracePeriodSeconds\":0}",
           409, "{}"),
       OK, 0}}},
    {"senlin finds its action again",
     "senlin",
     "scale-in",
     "{\"cluster\":\"c\",\"count\":\"2\"}",
     {{SAY("GET", "/v1/clusters/c", NULL, 200, "{\"cluster\":{\"id\":\"cid\"}}"), OK, 0}},
     {{SAY("POST", "/v1/clusters/cid/actions", "{\"scale_in\":{\"count\":2}}", 500, "{}"),
       GO, ASK},
      {SAY("GET",
           "/v1/actions?target=cid&action=CLUSTER_SCALE_IN&sort=created_at:desc&limit=20",
           NULL, 200,
           "{\"actions\":[{\"id\":\"a1\",\"target\":\"cid\",\"action\":\"CLUSTER_SCALE_"
           "IN\","
           "\"created_at\":\"2026-11-18T11:06:41Z\"}]}"),
       GO, POLL},
      {SAY("GET", "/v1/actions/a1", NULL, 200, "{\"action\":{\"status\":\"SUCCEEDED\"}}"),
       OK, 0}}},
    {"senlin's number is none",
     "senlin",
     "scale-in",
     "{\"cluster\":\"c\",\"count\":\"two\"}",
     {{SAY("GET", "/v1/clusters/c", NULL, 200, "{\"cluster\":{\"id\":\"cid\"}}"), NO, 0}},
     {{NULL, NULL, NULL, HALE_OK, 0, NULL, NULL, 0, 0}}},
};

static void say(struct actuator_run *r, struct actuator_lane *lane, const struct talk *t,
                const char *name)
{
    struct actuator_request q;
    struct actuator_decision d;
    assert_int_equal(actuator_step_lane_request(r, lane, NOW_US, &q), HALE_OK);
    if (strcmp(q.method, t->method) != 0 ||
        (t->url != NULL && strcmp(q.url.p != NULL ? q.url.p : "", t->url) != 0) ||
        (t->body != NULL && strcmp(q.body.p != NULL ? q.body.p : "", t->body) != 0))
        fail_msg("%s: %s %s %s", name, q.method, q.url.p,
                 q.body.p != NULL ? q.body.p : "");
    actuator_request_fini(&q);
    const struct actuator_answer a = {.rc = t->rc,
                                      .sent = true,
                                      .status = t->status,
                                      .body = hale_str_from(t->answer),
                                      .location = hale_str_from(t->location),
                                      .error = t->rc == HALE_OK ? "" : "broken off"};
    actuator_vim_answer(r, lane, &a, NOW_US, &d);
    if ((int)d.end != t->end || (d.end == ACTUATOR_GOES_ON && (int)d.phase != t->next))
        fail_msg("%s: after %s %s: end %d phase %d: %s", name, t->method,
                 t->url != NULL ? t->url : "?", d.end, d.phase, d.text);
    if (lane == NULL)
        return;
    lane->failures += d.counts ? 1 : 0;
    lane->phase = (int)(d.phase == ACTUATOR_WAIT ? ACTUATOR_CALL : d.phase);
}

static void test_scenes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SCENES) / sizeof(SCENES[0]); i++) {
        const struct scene *s = &SCENES[i];
        struct actuator_run *r = calloc(1, sizeof(*r));
        assert_non_null(r);
        (void)snprintf(r->id, sizeof(r->id), "0f0e0d0c-0000-4000-8000-000000000001");
        r->policy = strdup("p");
        r->plan =
            json_pack("[{s:s,s:s,s:s,s:o,s:i,s:i,s:i,s:i}]", "type", s->type, "cloud",
                      "c", "action", s->action, "args", json_loads(s->args, 0, NULL),
                      "timeout_ms", 60000, "poll_ms", 100, "retries", 3, "parallel", 4);
        r->step_us = NOW_US;
        for (size_t k = 0; k < 4 && s->find[k].method != NULL; k++)
            say(r, NULL, &s->find[k], s->name);
        for (size_t k = 0; k < STEPS && s->lane[k].method != NULL; k++) {
            assert_int_equal(r->lanes.n, 1);
            if (k == 0) {
                r->lanes.v[0].phase = ACTUATOR_CALL;
                r->lanes.v[0].call_us = NOW_US;
            }
            say(r, &r->lanes.v[0], &s->lane[k], s->name);
        }
        actuator_run_free(r);
    }
}

/* The same run and step make the same execution; another step another one. */
static void test_execution_ids(void **state)
{
    char id[3][HALE_UUID_TEXT];
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct actuator_run *r = calloc(1, sizeof(*r));
        struct actuator_decision d;
        const struct actuator_answer a = {.rc = HALE_OK,
                                          .status = 200,
                                          .body = HALE_STR("{\"id\":\"w\"}"),
                                          .error = ""};
        assert_non_null(r);
        (void)snprintf(r->id, sizeof(r->id), "0f0e0d0c-0000-4000-8000-000000000001");
        json_t *step =
            json_pack("{s:s,s:s,s:s,s:{s:s},s:i}", "type", "mistral", "cloud", "c",
                      "action", "execute", "args", "workflow", "w", "timeout_ms", 9000);
        r->plan = json_pack("[O,o]", step, step);
        r->step = i == 2;
        r->step_us = NOW_US;
        actuator_vim_answer(r, NULL, &a, NOW_US, &d);
        assert_int_equal(d.end, ACTUATOR_STEP_DONE);
        memcpy(id[i], r->lanes.v[0].id, sizeof(id[i]));
        actuator_run_free(r);
    }
    assert_string_equal(id[0], id[1]);
    assert_string_not_equal(id[0], id[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scenes),
                                       cmocka_unit_test(test_execution_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
