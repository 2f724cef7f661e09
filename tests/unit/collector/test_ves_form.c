/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the VES listener: a fault, its clear, heartbeats, batches, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/ves_form.h"

#define NOW_US 1795270663182000

static const char FAULT[] =
    "{\"commonEventHeader\":{\"domain\":\"fault\",\"eventId\":\"f1\",\"eventName\":"
    "\"Fault_x\",\"lastEpochMicrosec\":1795270663001999,\"priority\":\"High\","
    "\"sequence\":7,"
    "\"reportingEntityName\":\"ems\",\"sourceName\":\"vfw-1\",\"startEpochMicrosec\":1,"
    "\"version\":\"4.1\"},\"faultFields\":{\"alarmCondition\":\"linkDown\","
    "\"eventSeverity\":"
    "\"MAJOR\",\"eventSourceType\":\"port\",\"specificProblem\":\"no "
    "light\",\"vfStatus\":"
    "\"Active\",\"alarmInterfaceA\":\"eth0\",\"alarmAdditionalInformation\":{\"a\":\"b\"}"
    "}}";

/* FAULT with one key of an object set (value NULL: removed), as {"event":...}. */
static char *fault_with(const char *object, const char *key, const char *value)
{
    json_t *event = json_loads(FAULT, 0, NULL);
    json_t *o = object[0] == '\0' ? event : json_object_get(event, object);
    if (value != NULL)
        json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(o, key);
    json_t *body = json_pack("{s:o}", "event", event);
    char *text = json_dumps(body, 0);
    json_decref(body);
    return text;
}

static enum hale_rc take(const char *body, bool batch, struct collector_ves *v,
                         struct hale_err *err)
{
    return collector_ves_form_read(hale_str_from(body), batch, "ten", NOW_US, v, err);
}

static void test_a_fault(void **state)
{
    struct collector_ves v;
    struct hale_err err;
    struct hale_event e = {0};
    char *body = fault_with("faultFields", "faultFieldsVersion", "\"4.0\"");

    (void)state;
    assert_int_equal(take(body, false, &v, &err), HALE_OK);
    assert_int_equal(v.events.n, 1);
    assert_int_equal(hale_event_decode(hale_buf_str(&v.events.v[0]), &e), HALE_OK);
    assert_string_equal(e.tenant, "ten");
    assert_string_equal(e.type, "linkDown");
    assert_int_equal(e.time_ms, 1795270663001);
    assert_int_equal(e.severity, HALE_SEV_HIGH);
    assert_int_equal(e.expires_ms, 0);
    assert_false(e.clear);
    json_t *dims = json_pack("{s:s,s:s,s:s}", "sourceName", "vfw-1", "eventSourceType",
                             "port", "alarmInterfaceA", "eth0");
    json_t *details =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:{s:s}}", "eventId", "f1", "eventName",
                  "Fault_x", "priority", "High", "reportingEntityName", "ems",
                  "startEpochMicrosec", 1, "specificProblem", "no light", "vfStatus",
                  "Active", "alarmAdditionalInformation", "a", "b");
    assert_true(json_equal(e.dimensions, dims));
    assert_true(json_equal(e.details, details));
    json_decref(dims);
    json_decref(details);
    hale_event_fini(&e);
    collector_ves_fini(&v);
    free(body);
}

static void test_severities(void **state)
{
    static const struct {
        const char *word;
        enum hale_severity severity;
        bool clear;
    } CASES[] = {
        {"\"CRITICAL\"", HALE_SEV_CRITICAL, false}, {"\"MAJOR\"", HALE_SEV_HIGH, false},
        {"\"MINOR\"", HALE_SEV_MEDIUM, false},      {"\"WARNING\"", HALE_SEV_LOW, false},
        {"\"NORMAL\"", HALE_SEV_LOW, true},         {"\"normal\"", HALE_SEV_LOW, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_ves v;
        struct hale_err err;
        struct hale_event e = {0};
        char *body = fault_with("faultFields", "eventSeverity", CASES[i].word);
        assert_int_equal(take(body, false, &v, &err), HALE_OK);
        assert_int_equal(hale_event_decode(hale_buf_str(&v.events.v[0]), &e), HALE_OK);
        assert_int_equal(e.severity, CASES[i].severity);
        assert_int_equal(e.clear, CASES[i].clear);
        hale_event_fini(&e);
        collector_ves_fini(&v);
        free(body);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *object, *key, *value, *why;
    } CASES[] = {
        {"", "commonEventHeader", NULL, "commonEventHeader"},
        {"", "faultFields", "5", "needs faultFields"},
        {"commonEventHeader", "domain", NULL, "commonEventHeader.domain is required"},
        {"commonEventHeader", "domain", "\"syslog\"", "domain syslog is not taken"},
        {"commonEventHeader", "domain", "\"measurement\"", "only fault and heartbeat"},
        {"commonEventHeader", "sourceName", "\"\"",
         "commonEventHeader.sourceName is required"},
        {"commonEventHeader", "lastEpochMicrosec", NULL, "lastEpochMicrosec is required"},
        {"commonEventHeader", "lastEpochMicrosec", "\"1\"",
         "lastEpochMicrosec is required"},
        {"commonEventHeader", "lastEpochMicrosec", "-1", "lastEpochMicrosec is required"},
        {"commonEventHeader", "lastEpochMicrosec", "1e300",
         "lastEpochMicrosec is required"},
        {"faultFields", "alarmCondition", NULL, "faultFields.alarmCondition is required"},
        {"faultFields", "alarmCondition", "\"a(b)\"", "metric name"},
        {"faultFields", "eventSourceType", "5",
         "faultFields.eventSourceType is required"},
        {"faultFields", "eventSeverity", "\"INDETERMINATE\"", "eventSeverity must be"},
        {"faultFields", "eventSeverity", NULL, "eventSeverity must be"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_ves v;
        struct hale_err err;
        char *body = fault_with(CASES[i].object, CASES[i].key, CASES[i].value);
        enum hale_rc rc = take(body, false, &v, &err);
        if (rc != HALE_E_INVAL || strstr(err.text, CASES[i].why) == NULL)
            fail_msg("case %zu: rc %d \"%s\"", i, (int)rc, err.text);
        assert_int_equal(v.events.n, 0);
        free(body);
    }
}

static void test_batches(void **state)
{
    static const char HEARTBEAT[] = "{\"commonEventHeader\":{\"domain\":\"heartbeat\"}}";
    struct collector_ves v;
    struct hale_err err;
    char body[4000];

    (void)state;
    (void)snprintf(body, sizeof(body), "{\"eventList\":[%s,%s,%s]}", FAULT, HEARTBEAT,
                   FAULT);
    assert_int_equal(take(body, true, &v, &err), HALE_OK);
    assert_int_equal(v.events.n, 2);
    assert_int_equal(v.heartbeats, 1);
    collector_ves_fini(&v);
    assert_int_equal(take(body, false, &v, &err), HALE_E_INVAL);

    (void)snprintf(body, sizeof(body), "{\"eventList\":[%s,{}]}", FAULT);
    assert_int_equal(take(body, true, &v, &err), HALE_E_INVAL);
    assert_non_null(strstr(err.text, "event 2: "));
    assert_int_equal(v.events.n, 0);

    static const char *const BAD[] = {
        "", "[]", "{\"eventList\":[]}", "{\"eventList\":{}}", "{", "5", "{\"event\":{}}"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_int_equal(take(BAD[i], true, &v, &err), HALE_E_INVAL);
        assert_true(err.text[0] != '\0');
    }
    assert_int_equal(take("{\"event\":[]}", false, &v, &err), HALE_E_INVAL);
}

static void test_error_bodies(void **state)
{
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct hale_buf b;
        hale_buf_init(&b, 1000);
        collector_ves_error_body(&b, busy, "a \"b\"");
        json_t *o = json_loadb(b.p, b.len, 0, NULL);
        const json_t *x =
            json_object_get(json_object_get(o, "requestError"), "serviceException");
        assert_string_equal(json_string_value(json_object_get(x, "messageId")),
                            busy ? "SVC1000" : "SVC0002");
        assert_string_equal(
            json_string_value(json_array_get(json_object_get(x, "variables"), 0)),
            "a \"b\"");
        json_decref(o);
        hale_buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fault),      cmocka_unit_test(test_severities),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_batches),
        cmocka_unit_test(test_error_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
