/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "base/buf.h"
#include "model/alarm.h"
#include "support/fail_alloc.h"

#define ALARM                                                                            \
    "{\"v\":1,\"id\":\"a1\",\"tenant\":\"t\",\"source\":\"metric\",\"definition_id\":"   \
    "\"d1\","                                                                            \
    "\"definition_name\":\"cpu\",\"description\":\"\",\"severity\":\"HIGH\","            \
    "\"actions_enabled\":true,\"group\":{\"hostname\":\"h1\"},"                          \
    "\"metrics\":[{\"name\":\"cpu\",\"dimensions\":{\"hostname\":\"h1\"}}],"             \
    "\"state\":\"ALARM\",\"reason\":\"r \\\"q\\\" \\u0001 \xc3\xa4\",\"sub_alarms\":"    \
    "[{\"sub_alarm_state\":\"ALARM\",\"current_values\":[12.5,3,0.1]}],"                 \
    "\"lifecycle_state\":null,\"link\":\"http://x/"                                      \
    "\",\"created_ms\":1,\"updated_ms\":-2,"                                             \
    "\"state_updated_ms\":3,\"seq\":4}"

struct codec {
    const char *name;
    const char *json;     /* in the exact form the encoder writes */
    const char *required; /* keys without which it is refused, separated by blanks */
    enum hale_rc (*round_trip)(struct hale_str json, struct hale_buf *out);
};

#define ROUND_TRIP(name, type, prefix)                                                   \
    static enum hale_rc name(struct hale_str json, struct hale_buf *out)                 \
    {                                                                                    \
        struct type value;                                                               \
        enum hale_rc rc = prefix##_decode(json, &value);                                 \
        if (rc == HALE_OK)                                                               \
            rc = prefix##_encode(&value, out);                                           \
        prefix##_fini(&value); /* harmless after a failure */                            \
        prefix##_fini(&value);                                                           \
        return rc;                                                                       \
    }
ROUND_TRIP(trip_alarm, hale_alarm, hale_alarm)
ROUND_TRIP(trip_sub, hale_sub_record, hale_sub_record)
ROUND_TRIP(trip_event, hale_event, hale_event)
ROUND_TRIP(trip_log, hale_log_record, hale_log_record)
ROUND_TRIP(trip_control, hale_control, hale_control)

static const struct codec codecs[] = {
    {"alarm", ALARM,
     "v id tenant source definition_id definition_name severity actions_enabled group "
     "metrics "
     "state created_ms updated_ms state_updated_ms seq",
     trip_alarm},
    {"sub-alarm",
     "{\"v\":1,\"kind\":\"state\",\"definition_id\":\"d\",\"definition_version\":2,"
     "\"sub\":1,"
     "\"group\":{},\"state\":\"UNDETERMINED\",\"at_ms\":1425359095202,\"values\":[1.5,2],"
     "\"window\":{\"start_ms\":1,\"end_ms\":2},\"metrics\":[],\"accepted_us\":5,"
     "\"decided_us\":6}",
     "v kind definition_id definition_version sub group state at_ms", trip_sub},
    {"event",
     "{\"v\":1,\"tenant\":\"t\",\"type\":\"host.down\",\"time_ms\":7,\"severity\":"
     "\"CRITICAL\","
     "\"status\":\"clear\",\"dimensions\":{\"hostname\":\"h\"},"
     "\"details\":{\"a\":[1,{\"b\":null}],\"c\":false},\"accepted_us\":9}",
     "v tenant type time_ms severity status dimensions", trip_event},
    {"log record",
     "{\"v\":1,\"seq\":3,\"kind\":\"transition\",\"time_ms\":8,\"old_state\":\"OK\","
     "\"alarm\":" ALARM
     ",\"evidence\":{\"definition_version\":1},\"accepted_us\":1,\"decided_us\":2,"
     "\"logged_us\":3}",
     "v seq kind time_ms old_state alarm", trip_log},
    {"log record: suppressed",
     "{\"v\":1,\"seq\":3,\"kind\":\"transition\",\"time_ms\":8,\"old_state\":\"OK\","
     "\"announce\":false,\"op\":\"silence\",\"by\":\"ann\",\"alarm\":" ALARM
     ",\"evidence\":{},\"accepted_us\":1,\"decided_us\":2,\"logged_us\":3}",
     "v seq kind time_ms old_state alarm", trip_log},
    {"log record: announced late",
     "{\"v\":1,\"seq\":3,\"kind\":\"updated\",\"time_ms\":8,\"old_state\":\"OK\","
     "\"announce\":true,\"alarm\":" ALARM
     ",\"evidence\":{},\"accepted_us\":1,\"decided_us\":2,\"logged_us\":3}",
     "v seq kind time_ms old_state alarm", trip_log},
    {"alarm with life",
     "{\"v\":1,\"id\":\"a1\",\"tenant\":\"t\",\"source\":\"event\",\"definition_id\":"
     "\"d1\","
     "\"definition_name\":\"cpu\",\"description\":\"\",\"severity\":\"HIGH\","
     "\"actions_enabled\":true,\"group\":{},\"metrics\":[],\"state\":\"ALARM\","
     "\"reason\":\"\",\"sub_alarms\":[],\"lifecycle_state\":null,\"link\":null,"
     "\"life\":{\"owner\":\"ann\"},\"created_ms\":1,\"updated_ms\":2,"
     "\"state_updated_ms\":3,\"seq\":4}",
     "v id tenant source definition_id definition_name severity actions_enabled group "
     "metrics "
     "state created_ms updated_ms state_updated_ms seq",
     trip_alarm},
    {"control: definition", "{\"v\":1,\"op\":\"definition\",\"id\":\"d\"}", "v op id",
     trip_control},
    {"control: alarm-delete",
     "{\"v\":1,\"op\":\"alarm-delete\",\"id\":\"a\",\"definition_id\":\"d\",\"group\":{"
     "\"k\":"
     "\"v\"}}",
     "v op id definition_id group", trip_control},
    {"control: alarm-patch",
     "{\"v\":1,\"op\":\"alarm-patch\",\"id\":\"a\",\"state\":\"OK\",\"link\":\"\"}",
     "v op id", trip_control},
    {"control: alarm-op",
     "{\"v\":1,\"op\":\"alarm-op\",\"id\":\"a\",\"action\":\"shelve\",\"by\":\"ann\","
     "\"at_ms\":5,\"text\":\"x\",\"owner\":\"bob\",\"until_ms\":7}",
     "v op id action by at_ms", trip_control},
    {"control: silence", "{\"v\":1,\"op\":\"silence\",\"id\":\"s\"}", "v op id",
     trip_control},
    {"control: maintenance", "{\"v\":1,\"op\":\"maintenance\",\"id\":\"m\"}", "v op id",
     trip_control},
};
#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

static void records_come_back_as_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CODECS; i++) {
        struct hale_buf out;
        hale_buf_init(&out, 1u << 16);
        if (codecs[i].round_trip(hale_str_from(codecs[i].json), &out) != HALE_OK)
            fail_msg("%s refused", codecs[i].name);
        assert_string_equal(out.p, codecs[i].json);
        hale_buf_fini(&out);
    }
}

static enum hale_rc trip_json(const struct codec *c, const json_t *root)
{
    struct hale_buf out;
    char *text = json_dumps(root, 0);
    assert_non_null(text);
    hale_buf_init(&out, 1u << 16);
    enum hale_rc rc = c->round_trip(hale_str_from(text), &out);
    hale_buf_fini(&out);
    free(text);
    return rc;
}

/* Removes and then spoils each key in turn: required ones matter, others do not. */
static void required_keys_are_required_and_typed(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CODECS; i++) {
        const struct codec *c = &codecs[i];
        json_t *whole = json_loads(c->json, 0, NULL), *value;
        const char *key;
        unsigned n_refused = 0, n_required = 1;
        assert_non_null(whole);
        for (const char *p = c->required; *p != '\0'; p++)
            n_required += *p == ' ';
        json_object_foreach (whole, key, value) {
            json_t *less = json_copy(whole);
            char padded[64], list[512];
            (void)snprintf(padded, sizeof(padded), " %s ", key);
            (void)snprintf(list, sizeof(list), " %s ", c->required);
            bool required = strstr(list, padded) != NULL;
            assert_int_equal(json_object_del(less, key), 0);
            if (trip_json(c, less) != (required ? HALE_E_INVAL : HALE_OK))
                fail_msg("%s without %s", c->name, key);
            n_refused += required;
            /* true is a wrong type for every key but the booleans, 1.5 for those */
            json_t *wrong = json_is_boolean(value) ? json_real(1.5) : json_true();
            assert_int_equal(json_object_set_new(less, key, wrong), 0);
            if (trip_json(c, less) != HALE_E_INVAL)
                fail_msg("%s with a wrong %s", c->name, key);
            json_decref(less);
        }
        assert_int_equal(n_refused, n_required);
        json_decref(whole);
    }
}

static void unknown_keys_are_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CODECS; i++) {
        json_t *more = json_loads(codecs[i].json, 0, NULL);
        assert_int_equal(json_object_set_new(more, "new_key", json_integer(1)), 0);
        assert_int_equal(trip_json(&codecs[i], more), HALE_OK);
        json_decref(more);
    }
}

static void bad_records_are_refused(void **state)
{
    static const struct {
        enum hale_rc (*round_trip)(struct hale_str json, struct hale_buf *out);
        const char *json;
    } cases[] = {
        {trip_event, ""},
        {trip_event, "[]"},
        {trip_event, "{\"v\":2}"},
        {trip_event, "{\"v\":1"},
        {trip_control, "{\"v\":1,\"op\":\"restart\",\"id\":\"d\"}"},
        {trip_control, "{\"v\":1,\"op\":\"definition\",\"id\":\"\"}"},
        {trip_control, "{\"v\":1,\"op\":\"alarm-patch\",\"id\":\"a\",\"state\":\"ok\"}"},
        {trip_control, "{\"v\":1,\"op\":\"alarm-delete\",\"id\":\"a\",\"definition_id\":"
                       "\"d\",\"group\":"
                       "{\"k\":1}}"},
        {trip_sub,
         "{\"v\":1,\"kind\":\"state\",\"definition_id\":\"d\",\"definition_version\":1,"
         "\"sub\":64,\"group\":{},\"state\":\"OK\",\"at_ms\":1}"},
        {trip_sub,
         "{\"v\":1,\"kind\":\"state\",\"definition_id\":\"d\",\"definition_version\":0,"
         "\"sub\":0,\"group\":{},\"state\":\"OK\",\"at_ms\":1}"},
        {trip_sub,
         "{\"v\":1,\"kind\":\"state\",\"definition_id\":\"d\",\"definition_version\":1,"
         "\"sub\":0,\"group\":{},\"state\":\"OK\",\"at_ms\":1,\"values\":[\"1\"]}"},
        {trip_sub,
         "{\"v\":1,\"kind\":\"state\",\"definition_id\":\"d\",\"definition_version\":1,"
         "\"sub\":0,\"group\":{},\"state\":\"OK\",\"at_ms\":1,\"metrics\":[{}]}"},
    };
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (cases[i].round_trip(hale_str_from(cases[i].json), &out) != HALE_E_INVAL)
            fail_msg("accepted: %s", cases[i].json);
    hale_buf_fini(&out);
}

static void fields_arrive(void **state)
{
    struct hale_log_record r;
    (void)state;
    assert_int_equal(hale_log_record_decode(hale_str_from(codecs[3].json), &r), HALE_OK);
    assert_int_equal(r.kind, HALE_ALARM_TRANSITION);
    assert_int_equal(r.old_state, HALE_STATE_OK);
    assert_int_equal(r.alarm.state, HALE_STATE_ALARM);
    assert_int_equal(r.alarm.severity, HALE_SEV_HIGH);
    assert_string_equal(r.alarm.reason, "r \"q\" \x01 \xc3\xa4");
    assert_null(r.alarm.lifecycle_state);
    assert_string_equal(r.alarm.link, "http://x/");
    assert_int_equal(r.alarm.updated_ms, -2);
    assert_int_equal(r.logged_us, 3);
    hale_log_record_fini(&r);

    struct hale_event e;
    assert_int_equal(
        hale_event_decode(hale_str_from("{\"v\":1,\"tenant\":\"t\",\"type\":\"x\","
                                        "\"time_ms\":1,\"severity\":\"LOW\","
                                        "\"status\":\"raise\",\"dimensions\":{}}"),
                          &e),
        HALE_OK);
    assert_false(e.clear);
    assert_int_equal(json_object_size(e.details), 0);
    hale_event_fini(&e);
}

static void writers_refuse_what_readers_would(void **state)
{
    struct hale_buf out;
    char tenant[] = "t", empty[] = "";
    struct hale_event e = {.tenant = tenant, .type = empty};
    struct hale_control c = {.op = HALE_CONTROL_DEFINITION};
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(hale_event_encode(&e, &out), HALE_E_INVAL);
    assert_int_equal(hale_control_encode(&c, &out), HALE_E_INVAL);
    hale_buf_fini(&out);

    struct hale_buf small;
    hale_buf_init(&small, 40);
    e.type = tenant;
    assert_int_equal(hale_event_encode(&e, &small), HALE_E_LIMIT);
    hale_buf_fini(&small);
}

/* Those of jansson too, which survives the loss of some: only our own must be reported. */
static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * N_CODECS; i++) {
        const struct codec *c = &codecs[i / 2];
        bool with_json = i % 2 == 1, hit = true;
        json_set_alloc_funcs(with_json ? __wrap_malloc : __real_malloc, free);
        for (unsigned long n = 1; hit; n++) {
            struct hale_buf out;
            hale_buf_init(&out, 1u << 16);
            fail_alloc_in = n;
            enum hale_rc rc = c->round_trip(hale_str_from(c->json), &out);
            hit = fail_alloc_in == 0;
            fail_alloc_in = 0;
            if (hit ? rc == HALE_OK && !with_json : rc != HALE_OK)
                fail_msg("%s: allocation %lu gave %d", c->name, n, rc);
            hale_buf_fini(&out);
        }
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(required_keys_are_required_and_typed),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(fields_arrive),
        cmocka_unit_test(writers_refuse_what_readers_would),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
