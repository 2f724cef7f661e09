/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rc.h"
#include "model/upkeep.h"

enum form { START, REPLY, INSTANCE, GROUP };

static enum hale_rc read_form(enum form form, const json_t *body, json_t **out,
                              struct hale_err *err)
{
    switch (form) {
    case START: return hale_upkeep_start(body, out, err);
    case REPLY: return hale_upkeep_reply(body, out, err);
    case INSTANCE: return hale_upkeep_constraint(body, false, "i1", out, err);
    case GROUP: return hale_upkeep_constraint(body, true, "g1", out, err);
    }
    return HALE_E_INVAL;
}

static json_t *json(const char *text)
{
    json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);
    if (o == NULL)
        fail_msg("not JSON: %s", text);
    return o;
}

static void test_what_is_taken(void **state)
{
    static const struct {
        enum form form;
        const char *body, *stored;
    } rows[] = {
        {START,
         "{\"state\":\"MAINTENANCE\",\"maintenance_at\":\"2026-11-22 06:00:00\","
         "\"hosts\":[\"c1\",\"c2.example.org\"],\"metadata\":{\"a\":1},"
         "\"workflow\":\"vnf\",\"actions\":[],\"download\":[]}",
         "{\"v\":1,\"hosts\":[\"c1\",\"c2.example.org\"],\"at_ms\":1795327200000,"
         "\"workflow\":\"vnf\",\"metadata\":{\"a\":1}}"},
        {START,
         "{\"state\":\"MAINTENANCE\",\"maintenance_at\":\"2026-11-22T07:00:00+01:00\","
         "\"hosts\":[],\"metadata\":{}}",
         "{\"v\":1,\"hosts\":[],\"at_ms\":1795327200000,\"workflow\":\"default\","
         "\"metadata\":{}}"},
        {REPLY,
         "{\"session_id\":\"s\",\"state\":\"ACK_PLANNED_MAINTENANCE\","
         "\"instance_actions\":{\"i1\":\"LIVE_MIGRATION\",\"i2\":\"OWN_ACTION\"}}",
         "{\"v\":1,\"ack\":true,\"state\":\"PLANNED_MAINTENANCE\","
         "\"actions\":{\"i1\":\"LIVE_MIGRATE\",\"i2\":\"OWN_ACTION\"}}"},
        {REPLY, "{\"state\":\"ACK_MAINTENANCE\",\"instance_action\":\"MIGRATE\"}",
         "{\"v\":1,\"ack\":true,\"state\":\"MAINTENANCE\",\"actions\":{\"*\":"
         "\"MIGRATE\"}}"},
        {REPLY, "{\"state\":\"NACK_SCALE_IN\",\"instance_ids\":[\"i1\"]}",
         "{\"v\":1,\"ack\":false,\"state\":\"SCALE_IN\",\"actions\":{}}"},
        {INSTANCE,
         "{\"instance_id\":\"i1\",\"project_id\":\"p\",\"group_id\":\"g1\","
         "\"instance_name\":\"n\",\"max_interruption_time\":120,"
         "\"migration_type\":\"LIVE_MIGRATION\",\"resource_mitigation\":true,"
         "\"lead_time\":40}",
         "{\"v\":1,\"instance_id\":\"i1\",\"project_id\":\"p\",\"group_id\":\"g1\","
         "\"instance_name\":\"n\",\"max_interruption_time\":120,"
         "\"migration_type\":\"LIVE_MIGRATION\",\"resource_mitigation\":true,"
         "\"lead_time\":40}"},
        {GROUP, "{\"group_id\":\"g1\",\"project_id\":\"p\",\"max_impacted_members\":0}",
         "{\"v\":1,\"group_id\":\"g1\",\"project_id\":\"p\",\"max_impacted_members\":0}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {0};
        json_t *body = json(rows[i].body), *want = json(rows[i].stored), *got = NULL;
        if (read_form(rows[i].form, body, &got, &err) != HALE_OK)
            fail_msg("%s: %s", rows[i].body, err.text);
        if (!json_equal(got, want)) {
            char *text = json_dumps(got, JSON_COMPACT);
            fail_msg("%s became %s", rows[i].body, text);
        }
        json_decref(got);
        json_decref(want);
        json_decref(body);
    }
}

#define BEGIN "{\"state\":\"MAINTENANCE\",\"maintenance_at\":\"2026-11-22 06:00:00\","

static void test_what_is_refused(void **state)
{
    static const struct {
        enum form form;
        const char *body, *says;
    } rows[] = {
        {START, "[]", "must be an object"},
        {START, BEGIN "\"hosts\":[],\"metadata\":{},\"host\":[]}", "unknown key 'host'"},
        {START, BEGIN "\"hosts\":\"c1\",\"metadata\":{}}", "hosts must be a list"},
        {START, BEGIN "\"hosts\":[\"c1\",\"c1\"],\"metadata\":{}}", "'c1' twice"},
        {START, BEGIN "\"hosts\":[\"c 1\"],\"metadata\":{}}", "hosts[0] must be"},
        {START, BEGIN "\"hosts\":[7],\"metadata\":{}}", "hosts[0] must be"},
        {START, BEGIN "\"hosts\":[],\"metadata\":[]}", "metadata must be an object"},
        {START, BEGIN "\"hosts\":[],\"metadata\":{},\"workflow\":\"mine\"}",
         "workflow must be"},
        {START, BEGIN "\"hosts\":[],\"metadata\":{},\"actions\":[{\"plugin\":\"x\"}]}",
         "plug-ins"},
        {START, "{\"state\":\"DONE\",\"hosts\":[],\"metadata\":{}}", "state must be"},
        {START, "{\"state\":\"MAINTENANCE\",\"maintenance_at\":\"soon\",\"hosts\":[]}",
         "maintenance_at must be a time"},
        {REPLY, "{\"state\":\"MAINTENANCE\"}", "state must be ACK_ or NACK_"},
        {REPLY, "{}", "state must be ACK_ or NACK_"},
        {REPLY, "{\"state\":\"ACK_X\",\"instance_action\":\"REBOOT\"}",
         "action must be MIGRATE"},
        {REPLY, "{\"state\":\"ACK_X\",\"instance_actions\":[]}",
         "instance_actions must be an object"},
        {INSTANCE, "{\"project_id\":\"p\",\"instance_id\":\"other\"}",
         "instance_id must be the one of the path"},
        {INSTANCE, "{\"instance_id\":\"i1\"}", "project_id is missing"},
        {INSTANCE, "{\"project_id\":\"p\",\"lead_time\":-1}", "lead_time must be"},
        {INSTANCE, "{\"project_id\":\"p\",\"lead_time\":86401}", "lead_time must be"},
        {INSTANCE, "{\"project_id\":\"p\",\"max_impacted_members\":1}", "unknown key"},
        {GROUP, "{\"project_id\":\"p\",\"group_id\":\"g1\",\"recovery_time\":true}",
         "recovery_time must be a whole number"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {0};
        json_t *body = json(rows[i].body), *got = NULL;
        if (read_form(rows[i].form, body, &got, &err) != HALE_E_INVAL || got != NULL)
            fail_msg("%s was taken", rows[i].body);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].body, err.text,
                     rows[i].says);
        json_decref(body);
    }
}

static json_t *hosts_of(size_t n, size_t name_len)
{
    json_t *hosts = json_array();
    for (size_t i = 0; i < n; i++) {
        char name[HALE_UPKEEP_HOST_MAX + 2];
        memset(name, 'h', name_len);
        name[name_len] = '\0';
        for (size_t k = 0, v = i; k < 4; k++, v /= 10)
            name[k] = (char)('0' + v % 10);
        assert_int_equal(json_array_append_new(hosts, json_string(name)), 0);
    }
    return hosts;
}

static void test_limits(void **state)
{
    static const struct {
        size_t hosts, host_len, metadata;
        enum hale_rc rc;
    } rows[] = {{HALE_UPKEEP_HOSTS_MAX, HALE_UPKEEP_HOST_MAX, 0, HALE_OK},
                {HALE_UPKEEP_HOSTS_MAX + 1, 4, 0, HALE_E_INVAL},
                {1, HALE_UPKEEP_HOST_MAX + 1, 0, HALE_E_INVAL},
                {0, 4, HALE_UPKEEP_TRAIT_MAX - 9, HALE_OK}, /* {"a": "..."} */
                {0, 4, HALE_UPKEEP_TRAIT_MAX - 8, HALE_E_INVAL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {0};
        char text[HALE_UPKEEP_TRAIT_MAX + 1] = "";
        json_t *metadata = json_object(), *got = NULL;
        memset(text, 'x', rows[i].metadata);
        if (rows[i].metadata > 0)
            assert_int_equal(json_object_set_new(metadata, "a", json_string(text)), 0);
        json_t *body =
            json_pack("{s:s,s:s,s:o,s:o}", "state", "MAINTENANCE", "maintenance_at",
                      "2026-11-22 06:00:00", "hosts",
                      hosts_of(rows[i].hosts, rows[i].host_len), "metadata", metadata);
        assert_non_null(body);
        enum hale_rc rc = hale_upkeep_start(body, &got, &err);
        if (rc != rows[i].rc)
            fail_msg("row %zu: %s %s", i, hale_rc_text(rc), err.text);
        json_decref(got);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
