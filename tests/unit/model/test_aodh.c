/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/aodh.h"

#define DOCTOR                                                                           \
    "{\"name\":\"doctor_alarm0\",\"description\":\"VM failure\",\"enabled\":true,"       \
    "\"alarm_actions\":[\"http://c:12346/failure\"],\"repeat_actions\":false,"           \
    "\"severity\":\"moderate\",\"type\":\"event\",\"event_rule\":{"                      \
    "\"event_type\":\"compute.instance.update\",\"query\":["                             \
    "{\"field\":\"traits.instance_id\",\"type\":\"\",\"op\":\"eq\",\"value\":\"vm1\"},"  \
    "{\"field\":\"traits.state\",\"type\":\"\",\"op\":\"eq\",\"value\":\"error\"}]}}"

#define DIRE                                                                             \
    "{\"v\":1,\"id\":\"i\",\"tenant\":\"t\",\"name\":\"n\",\"enabled\":true,"            \
    "\"severity\":\"dire\"}"

static struct hale_aodh *read_api(const char *text, struct hale_err *err)
{
    struct hale_aodh *a = NULL;
    json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(body);
    enum hale_rc rc = hale_aodh_from_api(body, &a, err);
    assert_true((rc == HALE_OK) == (a != NULL));
    json_decref(body);
    return a;
}

static struct hale_aodh *doctors(void)
{
    struct hale_err err = {0};
    struct hale_aodh *a = read_api(DOCTOR, &err);
    assert_non_null(a);
    a->id = strdup("i");
    a->tenant = strdup("t");
    a->user = strdup("u");
    a->created_ms = 1;
    a->updated_ms = 2;
    return a;
}

static void stored_form_comes_back_as_it_was(void **state)
{
    struct hale_aodh *a = doctors(), *b = NULL;
    struct hale_buf first, again;
    (void)state;
    a->set = HALE_STATE_OK;
    a->set_ms = 7;
    hale_buf_init(&first, 65536);
    hale_buf_init(&again, 65536);
    assert_int_equal(hale_aodh_encode(a, &first), HALE_OK);
    assert_int_equal(hale_aodh_decode(hale_buf_str(&first), &b), HALE_OK);
    assert_int_equal(hale_aodh_encode(b, &again), HALE_OK);
    assert_string_equal(first.p, again.p);
    assert_int_equal(b->set_ms, 7);
    assert_int_equal(b->severity, HALE_AODH_MODERATE);
    assert_string_equal(hale_aodh_instance(b), "vm1");
    hale_buf_fini(&first);
    hale_buf_fini(&again);
    hale_aodh_free(a);
    hale_aodh_free(b);
    hale_aodh_free(NULL);
}

static void broken_records_are_refused(void **state)
{
    static const char dire[] = DIRE;
    static const char *const broken[] = {"", "{}", "[]", "{\"v\":1,\"id\":\"i\"}", dire};
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct hale_aodh *a = NULL;
        assert_int_not_equal(hale_aodh_decode(hale_str_from(broken[i]), &a), HALE_OK);
        assert_null(a);
    }
}

static const struct {
    const char *body, *error;
} BODIES[] = {
    {"{\"type\":\"event\",\"name\":\"n\"}", NULL},
    {"{\"type\":\"event\",\"name\":\"n\",\"state\":\"alarm\",\"alarm_id\":\"x\"}", NULL},
    {"{\"type\":\"event\",\"name\":\"n\",\"event_rule\":{\"query\":[{\"field\":\"traits."
     "n\","
     "\"value\":5,\"type\":\"integer\"}]}}",
     NULL},
    {"[]", "must be an object"},
    {"{\"type\":\"event\"}", "name is required"},
    {"{\"type\":\"threshold\",\"name\":\"n\"}", "type must be event"},
    {"{\"type\":\"event\",\"name\":\"n\",\"enabled\":1}", "enabled must be"},
    {"{\"type\":\"event\",\"name\":\"n\",\"time_constraints\":[{}]}", "time_constraints"},
    {"{\"type\":\"event\",\"name\":\"n\",\"event_rule\":[]}", "event_rule must be"},
    {"{\"type\":\"event\",\"name\":\"n\",\"ok_actions\":\"http://h/\"}",
     "must be a list"},
    {"{\"type\":\"event\",\"name\":\"n\",\"ok_actions\":[\"http:///x\"]}", "Unsupported"},
    {"{\"type\":\"event\",\"name\":\"n\",\"ok_actions\":[\"http://h/\\n\"]}",
     "Unsupported"},
    {"{\"type\":\"event\",\"name\":\"n\",\"ok_actions\":[\"trust+http://h/\"]}",
     "Unsupported"},
    {"{\"type\":\"event\",\"name\":\"n\",\"event_rule\":{\"query\":[{\"op\":\"eq\"}]}}",
     "field is required"},
    {"{\"type\":\"event\",\"name\":\"n\",\"event_rule\":{\"query\":[{\"field\":\"f\"}]}}",
     "value is required"},
};

static void bodies_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        struct hale_err err = {0};
        struct hale_aodh *a = read_api(BODIES[i].body, &err);
        if (BODIES[i].error == NULL)
            assert_non_null(a);
        else
            assert_non_null(strstr(err.text, BODIES[i].error));
        hale_aodh_free(a);
    }
}

static const struct {
    const char *field, *op, *type, *value;
    bool hits;
} CONDITIONS[] = {
    {"traits.state", "eq", "", "error", true},
    {"state", "eq", "string", "error", true},
    {"traits.state", "ne", "", "error", false},
    {"traits.none", "eq", "", "error", false},
    {"traits.none", "ne", "", "error", true},
    {"traits.n", "gt", "integer", "9", true},
    {"traits.n", "gt", "", "9", false}, /* as text */
    {"traits.n", "le", "float", "10.0", true},
    {"traits.n", "lt", "integer", "x", false},
    {"traits.n", "ne", "integer", "x", true},
    {"traits.on", "eq", "boolean", "true", true},
    {"traits.at", "ge", "datetime", "2026-11-21T10:00:00", true},
    {"traits.at", "lt", "datetime", "2026-11-21T10:00:00", false},
};

static void conditions_hit_as_in_aodh(void **state)
{
    json_t *traits = json_pack("{s:s, s:s, s:s, s:s}", "state", "error", "n", "10", "on",
                               "True", "at", "2026-11-21T11:00:00");
    (void)state;
    for (size_t i = 0; i < sizeof(CONDITIONS) / sizeof(CONDITIONS[0]); i++) {
        struct hale_aodh *a = doctors();
        json_decref(a->query);
        a->query = json_pack("[{s:s, s:s, s:s, s:s}]", "field", CONDITIONS[i].field, "op",
                             CONDITIONS[i].op, "type", CONDITIONS[i].type, "value",
                             CONDITIONS[i].value);
        if (hale_aodh_matches(a, "compute.instance.update", traits) != CONDITIONS[i].hits)
            fail_msg("condition %zu", i);
        assert_null(hale_aodh_instance(a));
        hale_aodh_free(a);
    }
    struct hale_aodh *a = doctors();
    assert_false(hale_aodh_matches(a, "compute.instance.update", traits)); /* no vm */
    json_array_clear(a->query);
    assert_false(hale_aodh_matches(a, "compute.host.update", traits));
    free(a->event_type);
    a->event_type = strdup("compute.*");
    assert_true(hale_aodh_matches(a, "compute.host.update", traits));
    hale_aodh_free(a);
    json_decref(traits);
}

static void texts_are_cropped_to_whole_characters(void **state)
{
    char text[600] = "";
    struct hale_aodh *a = doctors();
    (void)state;
    for (size_t i = 0, at = 0; i < 256; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
                               i % 2 == 0 ? "a" : "\xc3\xa4");
    const struct hale_aodh_event e = {"m", "compute.instance.update", 1000,
                                      json_pack("{s:s}", "display_name", text)};
    json_t *body = hale_aodh_body(a, HALE_STATE_UNDETERMINED, HALE_STATE_ALARM, &e);
    json_t *event = json_object_get(json_object_get(body, "reason_data"), "event");
    json_t *trait = json_array_get(json_object_get(event, "traits"), 0);
    const char *told = json_string_value(json_array_get(trait, 2));
    assert_int_equal(strlen(told), 128 + 2 * 127);
    assert_string_equal(json_string_value(json_object_get(event, "generated")),
                        "1970-01-01T00:00:01.000");
    assert_string_equal(json_string_value(json_object_get(body, "previous")),
                        "insufficient data");
    json_decref(body);
    json_decref(e.traits);
    hale_aodh_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_form_comes_back_as_it_was),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(conditions_hit_as_in_aodh),
        cmocka_unit_test(texts_are_cropped_to_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
