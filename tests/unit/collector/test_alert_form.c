/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts in Prometheus' form: what becomes of labels, severities and times, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/alert_form.h"

#define NOW_MS 1795270663182 /* 2026-11-21T14:17:43.182Z */
#define NOW_US (NOW_MS * 1000)
#define LATER  "\"endsAt\":\"2026-11-21T14:18:43.182Z\""

static struct collector_alerts read_good(const char *body)
{
    struct collector_alerts a;
    struct hale_err err;

    if (collector_alert_form_read(hale_str_from(body), "ten", NOW_US, &a, &err) !=
        HALE_OK)
        fail_msg("%s: %s", body, err.text);
    return a;
}

static struct hale_event first_of(const struct collector_alerts *a)
{
    struct hale_event e = {0};

    assert_true(a->events.n > 0);
    assert_int_equal(hale_event_decode(hale_buf_str(&a->events.v[0]), &e), HALE_OK);
    return e;
}

static void test_an_alert_of_prometheus(void **state)
{
    (void)state;
    struct collector_alerts a = read_good(
        "[{\"labels\":{\"alertname\":\"HostDown\",\"instance\":\"h1:9100\",\"severity\":"
        "\"critical\",\"empty\":\"\"},\"annotations\":{\"summary\":\"h1 {is} "
        "down\"},\"startsAt\":\"2026-11-21T14:10:00.123456789Z\"," LATER
        ",\"generatorURL\":\"http://p/\"}]");
    struct hale_event e = first_of(&a);

    assert_int_equal(a.refused, 0);
    assert_string_equal(e.tenant, "ten");
    assert_string_equal(e.type, "HostDown");
    assert_int_equal(e.time_ms, NOW_MS);
    assert_int_equal(e.accepted_us, NOW_US);
    assert_int_equal(e.expires_ms, NOW_MS + 60000);
    assert_false(e.clear);
    json_t *dims = json_pack("{s:s,s:s}", "instance", "h1:9100", "severity", "critical");
    json_t *details = json_pack(
        "{s:{s:s},s:s,s:s}", "annotations", "summary", "h1 {is} down", "startsAt",
        "2026-11-21T14:10:00.123456789Z", "generatorURL", "http://p/");
    assert_true(json_equal(e.dimensions, dims));
    assert_true(json_equal(e.details, details));
    json_decref(dims);
    json_decref(details);
    hale_event_fini(&e);
    collector_alerts_fini(&a);
}

static void test_severities(void **state)
{
    static const struct {
        const char *word;
        enum hale_severity severity;
    } CASES[] = {
        {"critical", HALE_SEV_CRITICAL},
        {"CRITICAL", HALE_SEV_CRITICAL},
        {"page", HALE_SEV_CRITICAL},
        {"fatal", HALE_SEV_CRITICAL},
        {"emergency", HALE_SEV_CRITICAL},
        {"major", HALE_SEV_HIGH},
        {"error", HALE_SEV_HIGH},
        {"high", HALE_SEV_HIGH},
        {"warning", HALE_SEV_MEDIUM},
        {"minor", HALE_SEV_MEDIUM},
        {"medium", HALE_SEV_MEDIUM},
        {"info", HALE_SEV_LOW},
        {"information", HALE_SEV_LOW},
        {"informational", HALE_SEV_LOW},
        {"low", HALE_SEV_LOW},
        {"none", HALE_SEV_LOW},
        {"p3", HALE_SEV_CRITICAL},
        {"", HALE_SEV_CRITICAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body),
                       "[{\"labels\":{\"alertname\":\"a\",\"severity\":\"%s\"}}]",
                       CASES[i].word);
        struct collector_alerts a = read_good(body);
        struct hale_event e = first_of(&a);
        if (e.severity != CASES[i].severity)
            fail_msg("%s became %d", CASES[i].word, (int)e.severity);
        hale_event_fini(&e);
        collector_alerts_fini(&a);
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *times;
        bool clear;
        int64_t expires_ms;
    } CASES[] = {
        {"", false, NOW_MS + COLLECTOR_ALERT_RESOLVE_MS},
        {",\"endsAt\":null", false, NOW_MS + COLLECTOR_ALERT_RESOLVE_MS},
        {",\"startsAt\":\"0001-01-01T00:00:00.000Z\",\"endsAt\":\"0001-01-01T00:00:00."
         "000Z\"",
         false, NOW_MS + COLLECTOR_ALERT_RESOLVE_MS},
        {"," LATER, false, NOW_MS + 60000},
        {",\"endsAt\":\"2026-11-21T15:18:43.182+01:00\"", false, NOW_MS + 60000},
        {",\"endsAt\":\"2026-11-21T14:17:43.182Z\"", true, 0},
        {",\"endsAt\":\"2026-11-21T14:17:43.183Z\"", false, NOW_MS + 1},
        {",\"startsAt\":\"2026-11-21T13:00:00Z\",\"endsAt\":\"2026-11-21T14:00:00Z\"",
         true, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char body[300];
        (void)snprintf(body, sizeof(body), "[{\"labels\":{\"alertname\":\"a\"}%s}]",
                       CASES[i].times);
        struct collector_alerts a = read_good(body);
        if (a.refused > 0)
            fail_msg("case %zu: %s", i, a.why);
        struct hale_event e = first_of(&a);
        assert_int_equal(e.clear, CASES[i].clear);
        assert_int_equal(e.expires_ms, CASES[i].expires_ms);
        assert_int_equal(json_object_size(e.dimensions), 0);
        hale_event_fini(&e);
        collector_alerts_fini(&a);
    }
}

/* Alone: the good one beside it counts. */
static void test_refused_alone(void **state)
{
    static const struct {
        const char *alert, *why;
    } CASES[] = {
        {"5", "alert 1: an alert must be an object"},
        {"{}", "alert 1: labels must be an object that has alertname"},
        {"{\"labels\":{\"job\":\"x\"}}",
         "alert 1: labels must be an object that has alertname"},
        {"{\"labels\":{\"alertname\":\"\"}}",
         "alert 1: labels must be an object that has alertname"},
        {"{\"labels\":{\"alertname\":\"a{b}\"}}", "metric name"},
        {"{\"labels\":{\"alertname\":\"a\",\"_b\":\"c\"}}", "must not start with '_'"},
        {"{\"labels\":{\"alertname\":\"a\",\"b\":5}}", "label b must be a string"},
        {"{\"labels\":{\"alertname\":\"a\"},\"annotations\":[]}",
         "annotations must be an object"},
        {"{\"labels\":{\"alertname\":\"a\"},\"annotations\":{\"k\":1}}",
         "annotation k must be a string"},
        {"{\"labels\":{\"alertname\":\"a\"},\"endsAt\":5}",
         "endsAt must be RFC 3339 text"},
        {"{\"labels\":{\"alertname\":\"a\"},\"startsAt\":\"soon\"}",
         "startsAt must be RFC 3339 text"},
        {"{\"labels\":{\"alertname\":\"a\"},\"startsAt\":\"2026-11-21T14:00:01Z\","
         "\"endsAt\":"
         "\"2026-11-21T14:00:00Z\"}",
         "startsAt is after endsAt"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char body[600];
        (void)snprintf(body, sizeof(body), "[%s,{\"labels\":{\"alertname\":\"good\"}}]",
                       CASES[i].alert);
        struct collector_alerts a = read_good(body);
        if (a.refused != 1 || strstr(a.why, CASES[i].why) == NULL)
            fail_msg("case %zu: %zu refused, \"%s\"", i, a.refused, a.why);
        struct hale_event e = first_of(&a);
        assert_int_equal(a.events.n, 1);
        assert_string_equal(e.type, "good");
        hale_event_fini(&e);
        collector_alerts_fini(&a);
    }
}

static void test_label_limits(void **state)
{
    (void)state;
    for (unsigned n = 64; n <= 65; n++) {
        json_t *labels = json_pack("{s:s}", "alertname", "a");
        for (unsigned i = 0; i < n; i++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "k%u", i);
            json_object_set_new(labels, key, json_string("v"));
        }
        json_t *body = json_pack("[{s:o}]", "labels", labels);
        char *text = json_dumps(body, 0);
        struct collector_alerts a = read_good(text);
        assert_int_equal(a.events.n, n == 64);
        assert_int_equal(a.refused, n == 65);
        collector_alerts_fini(&a);
        free(text);
        json_decref(body);
    }
}

static void test_bodies(void **state)
{
    static const struct {
        const char *body;
        int col;
    } CASES[] = {{"", 1}, {"[", 1}, {"5", 1}, {"{}", 0}, {"{\"labels\":{}}", 0}};
    struct collector_alerts a;
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(collector_alert_form_read(hale_str_from(CASES[i].body), "t",
                                                   NOW_US, &a, &err),
                         HALE_E_INVAL);
        assert_int_equal(err.col, CASES[i].col);
        assert_true(err.text[0] != '\0');
        assert_int_equal(a.events.n, 0);
    }
    a = read_good("[]");
    assert_int_equal(a.events.n, 0);
    collector_alerts_fini(&a);

    json_t *many = json_array();
    for (unsigned i = 0; i <= COLLECTOR_EVENTS_MAX; i++)
        json_array_append_new(many, json_pack("{s:{s:s}}", "labels", "alertname", "a"));
    char *text = json_dumps(many, 0);
    assert_int_equal(
        collector_alert_form_read(hale_str_from(text), "t", NOW_US, &a, &err),
        HALE_E_INVAL);
    assert_non_null(strstr(err.text, "more than 1000 events"));
    free(text);
    json_array_remove(many, 0);
    text = json_dumps(many, 0);
    a = read_good(text);
    assert_int_equal(a.events.n, COLLECTOR_EVENTS_MAX);
    collector_alerts_fini(&a);
    free(text);
    json_decref(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_alert_of_prometheus),
        cmocka_unit_test(test_severities),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_refused_alone),
        cmocka_unit_test(test_label_limits),
        cmocka_unit_test(test_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
