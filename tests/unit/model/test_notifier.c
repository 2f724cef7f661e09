/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/notifier.h"

#define S "5d1b1c9c-6f3e-4a4e-9a39-2f9b5b0f2d11"
#define GOOD                                                                             \
    "http://127.0.0.1:9890//server_notification/vnf_instances/v1/servers/" S "/notify"

static void refused_or_not(void **state)
{
    static const struct {
        const char *server, *body, *words; /* NULL: taken */
    } cases[] = {
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":[\"1111\",\"1234\"]}", NULL},
        {S, "{\"fault_action\":\"" GOOD "\",\"recovery_action\":\"http://x/\"}", NULL},
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":null}", NULL},
        {"other", "{\"fault_action\":\"" GOOD "\"}", "servers/other/notify"},
        {S, "{\"fault_action\":\"http://h/servers/" S "/notify\"}", "vnf_instances"},
        {S, "{\"fault_action\":\"http://h/vnf_instances/servers/" S "/notify\"}",
         "vnf_instances"},
        {S, "{\"fault_action\":\"" GOOD "?a=b\"}", "Tacker's address"},
        {S, "{\"fault_action\":\"http://u@h/vnf_instances/v/servers/" S "/notify\"}",
         "Tacker's address"},
        {S, "{\"fault_action\":\"file:///vnf_instances/v/servers/" S "/notify\"}",
         "Tacker's address"},
        {S, "{\"fault_action\":5}", "Tacker's address"},
        {S, "{}", "fault_action"},
        {S, "[]", "an object"},
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":\"1111\"}", "fault_id"},
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":[\"111\"]}", "4 characters"},
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":[\"11 1\"]}", "4 characters"},
        {S, "{\"fault_action\":\"" GOOD "\",\"fault_id\":[\"1\\u00fc1\"]}",
         "4 characters"},
        {"", "{}", "server's id"},
        {"..", "{}", "server's id"},
        {"a/b", "{}", "server's id"},
        {"a b", "{}", "server's id"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_aodh *a = NULL;
        struct hale_err err = {0};
        json_t *body = json_loads(cases[i].body, 0, NULL);
        assert_non_null(body);
        enum hale_rc rc =
            hale_notifier_from_api(body, hale_str_from(cases[i].server), &a, &err);
        if ((rc == HALE_OK) != (cases[i].words == NULL) ||
            (rc != HALE_OK && strstr(err.text, cases[i].words) == NULL))
            fail_msg("%s: %s", cases[i].body, err.text);
        hale_aodh_free(a);
        json_decref(body);
    }
}

static void too_many_faults(void **state)
{
    json_t *body = json_pack("{s:s,s:[]}", "fault_action", GOOD, "fault_id");
    struct hale_aodh *a = NULL;
    struct hale_err err = {0};
    (void)state;
    for (int i = 0; i < HALE_NOTIFIER_FAULTS_MAX; i++)
        json_array_append_new(json_object_get(body, "fault_id"), json_string("1234"));
    assert_int_equal(hale_notifier_from_api(body, HALE_STR(S), &a, &err), HALE_OK);
    hale_aodh_free(a);
    json_array_append_new(json_object_get(body, "fault_id"), json_string("1234"));
    assert_int_equal(hale_notifier_from_api(body, HALE_STR(S), &a, &err), HALE_E_INVAL);
    json_decref(body);
}

static char *told(const char *entity, const char *host, const char *faults)
{
    struct hale_aodh *made = NULL, *a = NULL;
    struct hale_err err = {0};
    struct hale_buf text;
    json_t *body = json_pack("{s:s,s:o}", "fault_action", GOOD, "fault_id",
                             json_loads(faults, JSON_DECODE_ANY, NULL));
    assert_int_equal(hale_notifier_from_api(body, HALE_STR(S), &made, &err), HALE_OK);
    json_decref(body);
    made->id = strdup("0f0e0d0c-0000-4000-8000-000000000001");
    made->tenant = strdup("t");
    made->user = strdup("u");
    hale_buf_init(&text, 65536);
    assert_int_equal(hale_aodh_encode(made, &text), HALE_OK);
    assert_int_equal(hale_aodh_decode(hale_buf_str(&text), &a), HALE_OK);
    hale_buf_fini(&text);
    hale_aodh_free(made);
    const struct hale_aodh_event e = {
        "m", "compute.instance.update", 1,
        json_pack("{s:s,s:s,s:s,s:s,s:s}", "instance_id", S, "state", "error", "host",
                  host, "hale_entity", entity, "hale_alarm_id", "al-1")};
    assert_true(hale_aodh_matches(a, e.type, e.traits));
    json_object_set_new(e.traits, "instance_id", json_string("another"));
    assert_false(hale_aodh_matches(a, e.type, e.traits));
    json_t *out = hale_aodh_body(a, HALE_STATE_OK, HALE_STATE_ALARM, &e);
    char *dump = json_dumps(out, JSON_COMPACT);
    json_decref(out);
    json_decref(e.traits);
    hale_aodh_free(a);
    return dump;
}

static void what_tacker_is_told(void **state)
{
    (void)state;
    char *body = told("host/cmp-7", "cmp-7", "[\"1111\",\"1234\"]");
    assert_string_equal(
        body, "{\"notification\":{\"alarm_id\":\"0f0e0d0c-0000-4000-8000-000000000001\","
              "\"fault_id\":\"1111\",\"fault_type\":\"10\",\"host_id\":\"cmp-7\","
              "\"fault_option\":{\"message\":\"host/cmp-7 is out of order\","
              "\"hale_alarm_id\":\"al-1\"}}}");
    free(body);
    body = told("vm/" S, "", "null");
    assert_non_null(
        strstr(body, "\"fault_id\":\"0000\",\"fault_type\":\"20\",\"fault_option"));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_or_not),
        cmocka_unit_test(too_many_faults),
        cmocka_unit_test(what_tacker_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
