/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/size.h"

static enum hale_rc read_size(const char *text, struct actuator_size *out,
                              struct hale_err *err)
{
    char full[1024];
    struct hale_yaml *yaml = NULL;
    json_t *vars =
        json_pack("{s:s,s:s,s:s}", "policy", "web", "target", "vnf/web", "tenant", "t1");
    (void)snprintf(full, sizeof(full), "size:\n  %s\n", text);
    assert_int_equal(hale_yaml_load(hale_str_from(full), "policies.yaml", &yaml, err),
                     HALE_OK);
    enum hale_rc rc =
        actuator_size_read(hale_yaml_get(hale_yaml_root(yaml), "size"), vars, out, err);
    hale_yaml_free(yaml);
    json_decref(vars);
    return rc;
}

static struct actuator_size size_of(const char *text)
{
    struct actuator_size s;
    struct hale_err err;
    if (read_size(text, &s, &err) != HALE_OK)
        fail_msg("%s: %s", text, err.text);
    return s;
}

#define HEAT "heat: {cloud: c, stack: web, "
#define VNF  "vnf: {url: \"https://h/x/\", vnf_instance_id: v1, "

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *says;
        int line;
    } rows[] = {
        {"{}", "exactly one of: query, heat", 2},
        {"{query: a, nova: {cloud: c, name: x}}", "exactly one of: query, heat", 2},
        {"{heet: {}}", "did you mean 'heat'", 2},
        {"query: 'avg('", "column 5", 2},
        {"query: 'up{a=${b}}'", "inside quotes", 2},
        {HEAT "}", "exactly one of: parameter, resource", 2},
        {HEAT "parameter: a, resource: b}", "exactly one of: parameter, resource", 2},
        {HEAT "paramater: a}", "did you mean 'parameter'", 2},
        {"heat: {stack: web, parameter: n}", "cloud", 2},
        {"heat:\n    cloud: c\n    stack: ..\n    parameter: n", "stack is not a name",
         4},
        {HEAT "parameter: \"\"}", "must not be empty", 2},
        {HEAT "parameter: \"${site}\"}",
         "no variable 'site'; there are policy, target and tenant", 2},
        {HEAT "parameter: \"${\"}", "parameter", 2},
        {"kubernetes: {cluster: c, kind: daemonset, name: x}", "kind", 2},
        {"kubernetes: {cluster: c, name: \"a\\nb\"}", "name is not a name", 2},
        {"kubernetes: {cluster: c, name: x, namespace: .}", "namespace is not a name", 2},
        {"senlin: {cluster: x}", "cloud", 2},
        {VNF "}", "exactly one of: aspect_id, vdu_id", 2},
        {VNF "vdu_id: u, base: 1}", "base belongs to aspect_id", 2},
        {VNF "aspect_id: a, base: -1}", "base", 2},
        {VNF "aspect_id: a, cloud: c}", "url (the root of the VNFM's API) or cloud", 2},
        {"vnf: {vnf_instance_id: v, aspect_id: a}", "url (the root", 2},
        {"vnf: {cloud: c, credentials: k, vnf_instance_id: v, aspect_id: a}",
         "belong to url", 2},
        {"vnf: {url: \"ftp://h\", vnf_instance_id: v, aspect_id: a}", "http://", 2},
        {"vnf: {url: \"http://h?x\", vnf_instance_id: v, aspect_id: a}", "query", 2},
        {"vnf: {url: \"http://${target}/\", vnf_instance_id: v, aspect_id: a}",
         "variables", 2},
        {"nova: {cloud: c}", "name or metadata", 2},
        {"nova: {cloud: c, metadata: {}}", "1 to 16", 2},
        {"nova: {cloud: c, metadata: {a: [1]}}", "plain", 2},
        {"nova: {cloud: c, metadata: {a: \"${x}\"}}", "no variable 'x'", 2},
        {"nova: [1]", "", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_size s;
        struct hale_err err;
        assert_int_not_equal(read_size(rows[i].text, &s, &err), HALE_OK);
        if (strstr(err.text, rows[i].says) == NULL || err.line != rows[i].line)
            fail_msg("%zu: line %d: %s", i, err.line, err.text);
        actuator_size_fini(&s);
    }
}

/* What is asked first, and after an answer with `id` i1 (and the stack's place). */
static void test_requests(void **state)
{
    static const struct {
        const char *text, *cloud, *service, *first, *second;
    } rows[] = {
        {HEAT "parameter: n}", "c", "orchestration", "/stacks/web", "/stacks/n1/i1"},
        {"heat: {cloud: c, stack: \"${policy}/..\", resource: g}", "c", "orchestration",
         "/stacks/web%2F..", "/stacks/n1/i1/resources?nested_depth=1"},
        {"kubernetes: {cluster: k, name: web, namespace: core}", "k", "",
         "/apis/apps/v1/namespaces/core/deployments/web", NULL},
        {"kubernetes: {cluster: k, name: \"${target}\", kind: statefulset}", "k", "",
         "/apis/apps/v1/namespaces/default/statefulsets/vnf%2Fweb", NULL},
        {"senlin: {cloud: c, cluster: web}", "c", "clustering", "/v1/clusters/web",
         "/v1/nodes?cluster_id=i1&status=ACTIVE&limit=1000"},
        {VNF "aspect_id: a}", "", "nfv-orchestration",
         "https://h/x/vnflcm/v2/vnf_instances/v1", NULL},
        {"vnf: {cloud: c, api: v1, vnf_instance_id: v1, vdu_id: u}", "c",
         "nfv-orchestration", "/vnflcm/v1/vnf_instances/v1", NULL},
        {"nova: {cloud: c, name: web-}", "c", "compute", "/servers/detail?limit=500",
         "/servers/detail?limit=500&marker=i1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_size s = size_of(rows[i].text);
        struct actuator_size_look k;
        struct actuator_request q;
        actuator_size_begin(&k);
        for (int second = 0; second < (rows[i].second != NULL ? 2 : 1); second++) {
            assert_int_equal(actuator_size_request(&s, &k, &q), HALE_OK);
            assert_string_equal(q.url.p, second ? rows[i].second : rows[i].first);
            assert_string_equal(q.cloud, rows[i].cloud);
            assert_string_equal(q.service, rows[i].service);
            assert_string_equal(q.method, "GET");
            assert_int_equal(q.of_cluster, s.kind == ACTUATOR_SIZE_WORKLOAD);
            actuator_request_fini(&q);
            k.requests = 1;
            (void)snprintf(k.name, sizeof(k.name), "n1");
            (void)snprintf(k.id, sizeof(k.id), "i1");
        }
        actuator_size_fini(&s);
    }
}

static void answer(const struct actuator_size *s, struct actuator_size_look *k,
                   unsigned status, const char *body, const char *location)
{
    const struct actuator_answer a = {.rc = status != 0 ? HALE_OK : HALE_E_IO,
                                      .status = status,
                                      .body = hale_str_from(body),
                                      .location = hale_str_from(location),
                                      .error = "connection refused"};
    actuator_size_answer(s, k, &a);
}

#define PARAMETER HEAT "parameter: n}"
#define GROUP     HEAT "resource: g}"
#define WORKLOAD  "kubernetes: {cluster: k, name: web}"
#define CLUSTER   "senlin: {cloud: c, cluster: web}"
#define ASPECT    VNF "aspect_id: a, base: 2}"
#define VDU       VNF "vdu_id: u}"
#define SERVERS   "nova: {cloud: c, name: web-, metadata: {role: x}}"
#define G         "{\"resource_name\":\"g\",\"links\":[{\"rel\":\"nested\"}]}"
#define M(status) "{\"parent_resource\":\"g\",\"resource_status\":\"" status "\"}"
#define INST      "{\"instantiationState\":\"INSTANTIATED\",\"instantiatedVnfInfo\":"
#define SRV(name, role, status)                                                          \
    "{\"id\":\"s1\",\"name\":\"" name "\",\"metadata\":{\"role\":\"" role                \
    "\"},\"status\":\"" status "\"}"

/* Answers after the first of Heat and Senlin. size -1: unknown; ready -1: not told. */
static void test_answers(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
        const char *body;
        int64_t size, ready;
        const char *says;
    } rows[] = {
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":\"3\"}}}", 3, -1, ""},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":4}}}", 4, -1, ""},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":\"3x\"}}}", -1, -1, "number"},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":3.5}}}", -1, -1, "number"},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":\"-1\"}}}", -1, -1, "0 to"},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{\"n\":\"100001\"}}}", -1, -1,
         "0 to"},
        {PARAMETER, 200, "{\"stack\":{\"parameters\":{}}}", -1, -1, "no parameter 'n'"},
        {PARAMETER, 200, "[]", -1, -1, "no parameter"},
        {PARAMETER, 200, "<html>", -1, -1, "no parameter"},
        {PARAMETER, 200,
         "{\"stack\":{\"stack_status\":\"DELETE_IN_PROGRESS\",\"parameters\":{\"n\":1}}}",
         -1, -1, "being deleted"},
        {PARAMETER, 404, "", -1, -1, "there is no 'web'"},
        {PARAMETER, 302, "", -1, -1, "answered 302"},
        {PARAMETER, 403, "{\"error\":{\"message\":\"no\"}}", -1, -1, "answered 403: no"},
        {PARAMETER, 503, "", -1, -1, "answered 503"},
        {PARAMETER, 0, "", -1, -1, "no answer: connection refused"},
        {GROUP, 200,
         "{\"resources\":[" G
         "," M("CREATE_COMPLETE") "," M("CHECK_FAILED") "," M("UPDATE_IN_PROGRESS") "," M(
             "DELETE_COMPLETE") "," M("DELETE_FAILED") ","
                                                       "{\"parent_resource\":\"h\","
                                                       "\"resource_status\":\"CREATE_"
                                                       "COMPLETE\"}]}",
         3, 1, ""},
        {GROUP, 200, "{\"resources\":[" G "]}", 0, 0, ""},
        {GROUP, 200, "{\"resources\":[]}", -1, -1, "no resource 'g' with members"},
        {GROUP, 200, "{\"resources\":[{\"resource_name\":\"g\"}]}", -1, -1,
         "with members"},
        {GROUP, 200,
         "{\"resources\":[{\"resource_name\":\"g\",\"links\":[{\"rel\":\"nested\"}],"
         "\"resource_status\":\"DELETE_COMPLETE\"}]}",
         -1, -1, "with members"},
        {GROUP, 200, "{\"resources\":7}", -1, -1, "cannot be read"},
        {GROUP, 200, "{\"resources\":[7,null,{\"links\":7,\"resource_name\":\"g\"}]}", -1,
         -1, "with members"},
        {WORKLOAD, 200, "{\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":2}}", 3,
         2, ""},
        {WORKLOAD, 200, "{\"spec\":{},\"status\":{}}", 1, 0, ""},
        {WORKLOAD, 200, "{\"spec\":{\"replicas\":\"3\"},\"status\":{}}", -1, -1, "read"},
        {WORKLOAD, 200, "{\"spec\":{\"replicas\":-3},\"status\":{}}", -1, -1, "0 to"},
        {WORKLOAD, 200, "{\"spec\":{\"replicas\":9223372036854775807},\"status\":{}}", -1,
         -1, "0 to"},
        {WORKLOAD, 200, "{\"kind\":\"Status\",\"status\":\"Failure\"}", -1, -1, "read"},
        {WORKLOAD, 200,
         "{\"metadata\":{\"deletionTimestamp\":\"x\"},\"spec\":{},\"status\":{}}", -1, -1,
         "being deleted"},
        {WORKLOAD, 404, "{\"message\":\"x\"}", -1, -1, "there is no 'web'"},
        {CLUSTER, 200, "{\"nodes\":[{\"status\":\"ACTIVE\"},{\"status\":\"ERROR\"}]}", 4,
         1, ""},
        {CLUSTER, 200, "{\"nodes\":[]}", 4, 0, ""},
        {CLUSTER, 200, "{}", -1, -1, "cannot be read"},
        {CLUSTER, 500, "{}", -1, -1, "answered 500"},
        {ASPECT, 200,
         INST "{\"scaleStatus\":[{\"aspectId\":\"b\",\"scaleLevel\":7},"
              "{\"aspectId\":\"a\",\"scaleLevel\":1}]}}",
         3, -1, ""},
        {ASPECT, 200, INST "{\"scaleStatus\":[]}}", -1, -1,
         "no scale level of aspect 'a'"},
        {ASPECT, 200, INST "{\"scaleStatus\":[{\"aspectId\":\"a\",\"scaleLevel\":-1}]}}",
         -1, -1, "no scale level"},
        {ASPECT, 200,
         INST
         "{\"scaleStatus\":[{\"aspectId\":\"a\",\"scaleLevel\":9223372036854775807}]}}",
         -1, -1, "no scale level"},
        {ASPECT, 200, INST "{}}", -1, -1, "scaleStatus is not told"},
        {ASPECT, 200, "{\"instantiationState\":\"NOT_INSTANTIATED\"}", -1, -1,
         "not instantiated"},
        {VDU, 200,
         INST "{\"vnfcResourceInfo\":[{\"vduId\":\"u\"},{\"vduId\":\"w\"},"
              "{\"vduId\":\"u\"},5]}}",
         2, -1, ""},
        {VDU, 200, INST "{\"vnfcResourceInfo\":[]}}", 0, -1, ""},
        {VDU, 200, INST "{\"vnfcResourceInfo\":{}}}", -1, -1, "is not told"},
        {SERVERS, 200,
         "{\"servers\":[" SRV("web-1", "x", "ACTIVE") "," SRV("web-2", "x", "BUILD") "," SRV(
             "web-3", "x",
             "ERROR") "," SRV("web-4", "x",
                              "SHUTOFF") "," SRV("web-5", "y",
                                                 "ACTIVE") "," SRV("db-1", "x",
                                                                   "ACTIVE") ",[]," SRV("web-",
                                                                                        "x",
                                                                                        "ACTIVE") "]}",
         3, 2, ""},
        {SERVERS, 200, "{\"servers\":[]}", 0, 0, ""},
        {SERVERS, 200, "{\"servers\":{}}", -1, -1, "cannot be read"},
        {SERVERS, 200, "{\"servers\":[],\"servers_links\":[{\"rel\":\"next\"}]}", -1, -1,
         "no end"},
        {SERVERS, 200,
         "{\"servers\":[{\"id\":\"a/../b\"}],\"servers_links\":[{\"rel\":\"next\"}]}", -1,
         -1, "no end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_size s = size_of(rows[i].text);
        struct actuator_size_look k;
        actuator_size_begin(&k);
        if (s.kind == ACTUATOR_SIZE_PARAMETER || s.kind == ACTUATOR_SIZE_GROUP)
            answer(&s, &k, 302, "", "http://evil:1/v1/t/stacks/web/0f0e");
        if (s.kind == ACTUATOR_SIZE_CLUSTER)
            answer(&s, &k, 200, "{\"cluster\":{\"id\":\"c1\",\"desired_capacity\":4}}",
                   "");
        assert_false(k.over);
        answer(&s, &k, rows[i].status, rows[i].body, "");
        if (!k.over || k.size != rows[i].size || k.known != (rows[i].size >= 0) ||
            k.ready_known != (rows[i].ready >= 0) ||
            (k.ready_known && k.ready != rows[i].ready) ||
            strstr(k.error, rows[i].says) == NULL)
            fail_msg("%zu: size %d, ready %d: %s", i, (int)k.size, (int)k.ready, k.error);
        actuator_size_fini(&s);
    }
}

static void test_first_answers(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
        const char *body, *location, *says;
    } rows[] = {
        {GROUP, 302, "", "", "where the stack is"},
        {GROUP, 302, "", "http://h/stacks/a b/c", "where the stack is"},
        {GROUP, 302, "", "http://h/stacks/x/..", "where the stack is"},
        {GROUP, 302, "", "/", "where the stack is"},
        {GROUP, 404, "", "", "there is no 'web'"},
        {CLUSTER, 200, "{\"cluster\":{\"id\":\"c1\"}}", "", "cannot be read"},
        {CLUSTER, 200, "{\"cluster\":{\"id\":\"../x\",\"desired_capacity\":1}}", "",
         "read"},
        {CLUSTER, 200,
         "{\"cluster\":{\"id\":\"c\",\"desired_capacity\":1,\"status\":\"DELETING\"}}",
         "", "being deleted"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_size s = size_of(rows[i].text);
        struct actuator_size_look k;
        actuator_size_begin(&k);
        answer(&s, &k, rows[i].status, rows[i].body, rows[i].location);
        if (!k.over || k.known || strstr(k.error, rows[i].says) == NULL)
            fail_msg("%zu: %s", i, k.error);
        actuator_size_fini(&s);
    }
}

/* Pages are added up; a list that never ends is no list. */
static void test_pages(void **state)
{
    struct actuator_size s = size_of("nova: {cloud: c, name: w}");
    struct actuator_size_look k;
    char body[200];
    (void)state;
    actuator_size_begin(&k);
    for (int page = 0; page < 3; page++) {
        assert_false(k.over);
        (void)snprintf(
            body, sizeof(body),
            "{\"servers\":[{\"id\":\"s%d\",\"name\":\"w\",\"status\":\"ACTIVE\"}]"
            "%s}",
            page, page < 2 ? ",\"servers_links\":[{\"rel\":\"next\"}]" : "");
        answer(&s, &k, 200, body, "");
    }
    assert_true(k.over && k.known && k.ready_known);
    assert_int_equal(k.size, 3);
    actuator_size_begin(&k);
    int pages = 0;
    for (; !k.over; pages++) {
        (void)snprintf(
            body, sizeof(body),
            "{\"servers\":[{\"id\":\"s%d\",\"name\":\"w\",\"status\":\"ACTIVE\"}]"
            ",\"servers_links\":[{\"rel\":\"next\"}]}",
            pages);
        answer(&s, &k, 200, body, "");
    }
    assert_int_equal(pages, ACTUATOR_SIZE_PAGES_MAX);
    assert_false(k.known);
    actuator_size_begin(&k);
    answer(&s, &k, 200, body, "");
    answer(&s, &k, 200, body, ""); /* the same page again */
    assert_true(k.over && !k.known);
    actuator_size_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_first_answers),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
