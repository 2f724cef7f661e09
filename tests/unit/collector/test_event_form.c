/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of fault events: Hale's form, Doctor's form, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/event_form.h"
#include "model/alarm.h"

#define NOW_US 1795270663182000

static void accepts(void **state)
{
    static const struct {
        const char *body;
        size_t n;
        const char *type;
        int64_t time_ms;
        enum hale_severity severity;
        bool clear;
        const char *key, *value;
    } CASES[] = {
        {"{\"type\":\"a.b\",\"dimensions\":{\"k\":\"v\"}}", 1, "a.b", NOW_US / 1000,
         HALE_SEV_CRITICAL, false, "k", "v"},
        {"{\"type\":\"t\",\"time\":\"2026-11-21T10:11:12.123Z\",\"severity\":\"minor\","
         "\"status\":\"UP\",\"dimensions\":{\"k\":\"v\"}}",
         1, "t", 1795255872123, HALE_SEV_MEDIUM, true, "k", "v"},
        {"[{\"type\":\"t\",\"time\":5,\"severity\":\"Warning\",\"dimensions\":{\"k\":"
         "\"v\"},"
         "\"details\":null}]",
         1, "t", 5, HALE_SEV_LOW, false, "k", "v"},
        {"{\"event\":{\"type\":\"t\",\"time\":5.75,\"details\":{\"hostname\":\"h\","
         "\"status\":\"down\",\"severity\":\"major\"}}}",
         1, "t", 5, HALE_SEV_HIGH, false, "hostname", "h"},
        {"{\"events\":[{\"type\":\"t\",\"time\":1,\"status\":\"resolved\",\"details\":"
         "{\"hostname\":\"h\",\"status\":\"down\"}},{\"type\":\"u\",\"dimensions\":{"
         "\"a\":\"b\"}}]}",
         2, "t", 1, HALE_SEV_CRITICAL, true, "hostname", "h"},
        /* as Doctor's sample monitor sends it: no zone, no severity */
        {"[{\"time\":\"2018-03-20T10:11:12.123456\",\"type\":\"compute.host.down\","
         "\"details\":{\"hostname\":\"compute-1\",\"status\":\"down\",\"monitor\":"
         "\"monitor_sample\",\"monitor_event_id\":\"monitor_sample_event1\"}}]",
         1, "compute.host.down", 1521540672123, HALE_SEV_CRITICAL, false, "hostname",
         "compute-1"},
        /* as its specification has it, and the way back */
        {"{\"event\":{\"time\":\"2018-03-20T10:11:12Z\",\"type\":\"compute.host.down\","
         "\"details\":{\"hostname\":\"c\",\"source\":\"s\",\"cause\":\"link\","
         "\"severity\":"
         "\"info\",\"status\":\"up\",\"monitor_id\":\"m\",\"monitor_event_id\":\"1\","
         "\"relatedTo\":[\"x\"]}}}",
         1, "compute.host.down", 1521540672000, HALE_SEV_LOW, true, "hostname", "c"},
        /* X.733's clear; a status that is given counts more */
        {"{\"type\":\"t\",\"time\":1,\"severity\":\"CLEARED\",\"dimensions\":{\"k\":"
         "\"v\"}}",
         1, "t", 1, HALE_SEV_LOW, true, "k", "v"},
        {"{\"type\":\"t\",\"time\":1,\"severity\":\"cleared\",\"status\":\"down\","
         "\"dimensions\":{\"k\":\"v\"}}",
         1, "t", 1, HALE_SEV_LOW, false, "k", "v"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_event_list l;
        struct hale_err err;
        struct hale_event e = {0};
        if (collector_event_form_read(hale_str_from(CASES[i].body), "ten", NOW_US, &l,
                                      &err) != HALE_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(l.n, CASES[i].n);
        assert_int_equal(hale_event_decode(hale_buf_str(&l.v[0]), &e), HALE_OK);
        assert_string_equal(e.type, CASES[i].type);
        assert_string_equal(e.tenant, "ten");
        assert_int_equal(e.time_ms, CASES[i].time_ms);
        assert_int_equal(e.severity, CASES[i].severity);
        assert_int_equal(e.clear, CASES[i].clear);
        assert_int_equal(e.accepted_us, NOW_US);
        assert_int_equal(json_object_size(e.dimensions), 1);
        assert_string_equal(
            json_string_value(json_object_get(e.dimensions, CASES[i].key)),
            CASES[i].value);
        hale_event_fini(&e);
        collector_event_list_fini(&l);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *body;
        bool json; /* false: 400 */
    } CASES[] = {
        {"", false},
        {"{", false},
        {"nonsense", false},
        {"null", true},
        {"[]", true},
        {"[1]", true},
        {"{\"events\":[]}", true},
        {"{\"events\":5}", true},
        {"{\"type\":\"t\"}", true},
        {"{\"type\":\"\",\"dimensions\":{\"a\":\"b\"}}", true},
        {"{\"type\":\"t\",\"dimensions\":[]}", true},
        {"{\"type\":\"t\",\"dimensions\":{\"_a\":\"b\"}}", true},
        {"{\"type\":\"t\",\"dimensions\":{\"a\":\"\"}}", true},
        {"{\"type\":\"t\",\"details\":{\"hostname\":5}}", true},
        {"{\"type\":\"t\",\"dimensions\":{\"a\":\"b\"},\"time\":true}", true},
        {"{\"type\":\"t\",\"dimensions\":{\"a\":\"b\"},\"time\":1e300}", true},
        {"[{\"type\":\"t\",\"dimensions\":{\"a\":\"b\"}},{}]", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_event_list l;
        struct hale_err err;
        enum hale_rc rc = collector_event_form_read(hale_str_from(CASES[i].body), "t",
                                                    NOW_US, &l, &err);
        if (rc != HALE_E_INVAL || (err.col == 0) != CASES[i].json || err.text[0] == '\0')
            fail_msg("case %zu: rc %d col %d \"%s\"", i, rc, err.col, err.text);
        assert_int_equal(l.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
