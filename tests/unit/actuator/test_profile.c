/* SPDX-License-Identifier: Apache-2.0 */
/* Each profile's body, key by key, as its receivers document it. */
#include "actuator/profile.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

#define RECORD(kind, old, state, from, life)                                             \
    "{\"v\":1,\"seq\":7,\"kind\":\"" kind                                                \
    "\",\"time_ms\":1700000000500,\"old_state\":\"" old                                  \
    "\",\"alarm\":{\"v\":1,\"id\":\"a1\",\"tenant\":\"t\",\"source\":\"" from            \
    "\",\"definition_id\":\"d1\",\"definition_name\":\"dns <slow>\",\"description\":"    \
    "\"d\",\"severity\":\"HIGH\",\"actions_enabled\":true,\"group\":{\"hostname\":"      \
    "\"h1\"},\"metrics\":[{\"name\":\"dns\",\"dimensions\":{\"hostname\":\"h1\"}}],"     \
    "\"state\":\"" state                                                                 \
    "\",\"reason\":\"x & y\",\"sub_alarms\":[{\"sub_alarm_state\":\"ALARM\","            \
    "\"current_values\":[1.5,87.25]}]" life                                              \
    ",\"created_ms\":1600000000000,\"updated_ms\":1700000000500,\"state_updated_ms\":"   \
    "1700000000500,\"seq\":7},\"accepted_us\":1,\"decided_us\":2,\"logged_us\":3}"

static json_t *body(enum actuator_profile p, const char *record, const char *key)
{
    struct hale_log_record rec;
    struct hale_buf out;
    assert_int_equal(hale_log_record_decode(hale_str_from(record), &rec), HALE_OK);
    const struct actuator_profile_note n = {
        .rec = &rec, .id = "n-1", .subscriber = "noc", .key = key};
    hale_buf_init(&out, 1u << 16);
    assert_int_equal(actuator_profile_body(p, &n, &out), HALE_OK);
    json_t *got = json_loadb(out.p, out.len, 0, NULL);
    assert_non_null(got);
    hale_buf_reset(&out);
    struct hale_buf small;
    hale_buf_init(&small, 20);
    assert_int_equal(actuator_profile_body(p, &n, &small), HALE_E_LIMIT);
    hale_buf_fini(&small);
    hale_buf_fini(&out);
    hale_log_record_fini(&rec);
    return got;
}

/* Takes got. */
static void is(json_t *got, const char *wanted)
{
    json_t *w = json_loads(wanted, 0, NULL);
    assert_non_null(w);
    if (!json_equal(got, w)) {
        char *text = json_dumps(got, JSON_INDENT(1) | JSON_SORT_KEYS);
        char *right = json_dumps(w, JSON_INDENT(1) | JSON_SORT_KEYS);
        fail_msg("got %s\nwanted %s", text, right);
    }
    json_decref(w);
    json_decref(got);
}

static const char raised[] = RECORD("transition", "OK", "ALARM", "metric", "");
static const char cleared[] = RECORD("transition", "ALARM", "OK", "event", "");
static const char deleted[] = RECORD("deleted", "ALARM", "ALARM", "metric", "");

static void own(void **state)
{
    (void)state;
    json_t *b = body(
        ACTUATOR_PROFILE_HALE,
        RECORD("transition", "OK", "ALARM", "metric", ",\"life\":{\"root_cause\":true}"),
        NULL);
    assert_int_equal(json_integer_value(json_object_get(b, "seq")), 7);
    assert_true(json_is_true(json_object_get(json_object_get(b, "life"), "root_cause")));
    assert_string_equal(json_string_value(json_object_get(b, "state")), "ALARM");
    json_decref(b);
}

static void monasca(void **state)
{
    (void)state;
    is(body(ACTUATOR_PROFILE_MONASCA, raised, NULL),
       "{\"alarm_id\":\"a1\",\"alarm_definition_id\":\"d1\",\"alarm_name\":\"dns "
       "<slow>\","
       "\"alarm_description\":\"d\",\"alarm_timestamp\":1700000000,\"state\":\"ALARM\","
       "\"old_state\":\"OK\",\"message\":\"x & "
       "y\",\"tenant_id\":\"t\",\"metrics\":[{\"id\":"
       "null,\"name\":\"dns\",\"dimensions\":{\"hostname\":\"h1\"}}]}");
}

#define LABELS                                                                           \
    "{\"alertname\":\"dns <slow>\",\"severity\":\"HIGH\",\"tenant\":\"t\",\"hostname\":" \
    "\"h1\"}"
#define NOTES "{\"summary\":\"x & y\",\"description\":\"d\",\"alarm_id\":\"a1\"}"

static void alertmanager_one(const char *record, const char *status, const char *starts,
                             const char *ends)
{
    json_t *b = body(ACTUATOR_PROFILE_ALERTMANAGER, record, NULL);
    json_t *alert = json_array_get(json_object_get(b, "alerts"), 0);
    char wanted[2048];
    assert_int_equal(strlen(json_string_value(json_object_get(alert, "fingerprint"))),
                     16);
    assert_int_equal(json_object_del(alert, "fingerprint"), 0);
    (void)snprintf(
        wanted, sizeof(wanted),
        "{\"version\":\"4\",\"groupKey\":\"{}:{alertname=\\\"dns <slow>\\\"}\","
        "\"truncatedAlerts\":0,\"status\":\"%s\",\"receiver\":\"noc\","
        "\"groupLabels\":{\"alertname\":\"dns <slow>\"},\"commonLabels\":" LABELS
        ",\"commonAnnotations\":" NOTES ",\"externalURL\":\"\",\"alerts\":[{"
        "\"status\":\"%s\",\"labels\":" LABELS ",\"annotations\":" NOTES
        ",\"startsAt\":\"%s\",\"endsAt\":\"%s\",\"generatorURL\":\"\"}]}",
        status, status, starts, ends);
    is(b, wanted);
}

static void alertmanager(void **state)
{
    (void)state;
    alertmanager_one(raised, "firing", "2023-11-14T22:13:20.500Z",
                     "0001-01-01T00:00:00Z");
    alertmanager_one(cleared, "resolved", "2020-09-13T12:26:40.000Z",
                     "2023-11-14T22:13:20.500Z");
    alertmanager_one(deleted, "resolved", "2020-09-13T12:26:40.000Z",
                     "2023-11-14T22:13:20.500Z");
}

static void tacker_one(const char *record, const char *status, const char *starts,
                       const char *ends)
{
    char wanted[1024];
    (void)snprintf(
        wanted, sizeof(wanted),
        "{\"alerts\":[{\"status\":\"%s\",\"labels\":{\"receiver_type\":\"tacker\","
        "\"function_type\":\"vnffm\",\"vnf_instance_id\":\"\",\"perceived_severity\":"
        "\"MAJOR\",\"event_type\":\"QOS_ALARM\",\"pod\":\".*\"},\"annotations\":{"
        "\"fault_type\":\"dns <slow>\",\"probable_cause\":\"x & y\",\"fault_details\":"
        "\"d\"},\"startsAt\":\"%s\",\"endsAt\":\"%s\",\"fingerprint\":\"a1\"}]}",
        status, starts, ends);
    is(body(ACTUATOR_PROFILE_TACKER, record, NULL), wanted);
}

static void tacker(void **state)
{
    (void)state;
    tacker_one(raised, "firing", "2023-11-14T22:13:20.500Z", "0001-01-01T00:00:00Z");
    tacker_one(cleared, "resolved", "2020-09-13T12:26:40.000Z",
               "2023-11-14T22:13:20.500Z");
}

static void cloudevents(void **state)
{
    (void)state;
    json_t *b = body(ACTUATOR_PROFILE_CLOUDEVENTS, raised, NULL);
    json_t *data = json_incref(json_object_get(b, "data"));
    assert_int_equal(json_object_del(b, "data"), 0);
    is(b, "{\"specversion\":\"1.0\",\"id\":\"n-1\",\"source\":\"/hale/alarms\",\"type\":"
          "\"org.hale.alarm.raised\",\"time\":\"2023-11-14T22:13:20.500Z\",\"subject\":"
          "\"a1\","
          "\"datacontenttype\":\"application/json\"}");
    json_t *mine = body(ACTUATOR_PROFILE_HALE, raised, NULL);
    assert_true(json_equal(data, mine));
    json_decref(mine);
    json_decref(data);
    b = body(ACTUATOR_PROFILE_CLOUDEVENTS, cleared, NULL);
    assert_string_equal(json_string_value(json_object_get(b, "type")),
                        "org.hale.alarm.cleared");
    json_decref(b);
    b = body(ACTUATOR_PROFILE_CLOUDEVENTS, deleted, NULL);
    assert_string_equal(json_string_value(json_object_get(b, "type")),
                        "org.hale.alarm.deleted");
    json_decref(b);
}

static void aodh(void **state)
{
    (void)state;
    is(body(ACTUATOR_PROFILE_AODH, raised, NULL),
       "{\"alarm_name\":\"dns <slow>\",\"alarm_id\":\"a1\",\"severity\":\"critical\","
       "\"previous\":\"ok\",\"current\":\"alarm\",\"reason\":\"x & y\",\"reason_data\":{"
       "\"type\":\"threshold\",\"disposition\":\"outside\",\"count\":2,\"most_recent\":"
       "87.25}}");
    is(body(ACTUATOR_PROFILE_AODH, cleared, NULL),
       "{\"alarm_name\":\"dns <slow>\",\"alarm_id\":\"a1\",\"severity\":\"critical\","
       "\"previous\":\"alarm\",\"current\":\"ok\",\"reason\":\"x & y\",\"reason_data\":{"
       "\"type\":\"event\",\"event\":{\"message_id\":\"n-1\",\"event_type\":\"dns "
       "<slow>\","
       "\"generated\":\"2023-11-14T22:13:20.500Z\",\"traits\":[[\"hostname\",1,\"h1\"]],"
       "\"raw\":{}}}}");
}

static void ves(void **state)
{
    (void)state;
    is(body(ACTUATOR_PROFILE_VES, raised, NULL),
       "{\"event\":{\"commonEventHeader\":{\"domain\":\"fault\",\"eventId\":\"n-1\","
       "\"eventName\":\"Fault_Hale_dns <slow>\",\"lastEpochMicrosec\":1700000000500000,"
       "\"startEpochMicrosec\":1700000000500000,\"priority\":\"High\","
       "\"reportingEntityName\":\"hale\",\"sequence\":0,\"sourceName\":\"h1\","
       "\"version\":"
       "\"4.1\",\"vesEventListenerVersion\":\"7.2.1\",\"eventType\":\"metric\"},"
       "\"faultFields\":{\"alarmCondition\":\"dns <slow>\",\"eventSeverity\":\"MAJOR\","
       "\"eventSourceType\":\"other\",\"faultFieldsVersion\":\"4.0\",\"specificProblem\":"
       "\"x "
       "& "
       "y\",\"vfStatus\":\"Active\",\"alarmAdditionalInformation\":{\"hostname\":\"h1\","
       "\"alarmId\":\"a1\"}}}}");
    json_t *b = body(ACTUATOR_PROFILE_VES, cleared, NULL);
    json_t *fault = json_object_get(json_object_get(b, "event"), "faultFields");
    assert_string_equal(json_string_value(json_object_get(fault, "eventSeverity")),
                        "NORMAL");
    json_decref(b);
}

static void pagerduty(void **state)
{
    (void)state;
    is(body(ACTUATOR_PROFILE_PAGERDUTY,
            RECORD("updated", "ALARM", "ALARM", "metric",
                   ",\"life\":{\"entity\":{\"type\":\"vm\",\"id\":\"v9\"}}"),
            "KEY"),
       "{\"routing_key\":\"KEY\",\"event_action\":\"trigger\",\"dedup_key\":\"a1\","
       "\"payload\":{\"summary\":\"dns <slow> on v9\",\"source\":\"v9\",\"severity\":"
       "\"error\",\"timestamp\":\"2023-11-14T22:13:20.500Z\",\"class\":\"dns <slow>\","
       "\"custom_details\":{\"reason\":\"x & y\",\"alarm_id\":\"a1\",\"tenant\":\"t\","
       "\"group\":{\"hostname\":\"h1\"}}}}");
    json_t *b = body(ACTUATOR_PROFILE_PAGERDUTY, cleared, "KEY");
    assert_string_equal(json_string_value(json_object_get(b, "event_action")), "resolve");
    json_decref(b);
}

static void slack(void **state)
{
    (void)state;
    is(body(ACTUATOR_PROFILE_SLACK, raised, NULL),
       "{\"text\":\"ALARM HIGH dns &lt;slow&gt; on h1\",\"attachments\":[{\"color\":"
       "\"danger\",\"text\":\"x &amp; y\",\"ts\":1700000000}]}");
}

static void who_is_told_what(void **state)
{
    (void)state;
    for (int p = 0; p < ACTUATOR_PROFILES; p++) {
        assert_non_null(actuator_profile_words[p]);
        assert_true(actuator_profile_tells((enum actuator_profile)p, HALE_STATE_ALARM));
        assert_true(actuator_profile_tells((enum actuator_profile)p, HALE_STATE_OK));
    }
    assert_null(actuator_profile_words[ACTUATOR_PROFILES]);
    assert_true(actuator_profile_tells(ACTUATOR_PROFILE_AODH, HALE_STATE_UNDETERMINED));
    assert_false(
        actuator_profile_tells(ACTUATOR_PROFILE_ALERTMANAGER, HALE_STATE_UNDETERMINED));
    assert_false(actuator_profile_shared(ACTUATOR_PROFILE_PAGERDUTY));
    assert_string_equal(actuator_profile_content_type(ACTUATOR_PROFILE_CLOUDEVENTS),
                        "application/cloudevents+json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own),          cmocka_unit_test(monasca),
        cmocka_unit_test(alertmanager), cmocka_unit_test(tacker),
        cmocka_unit_test(cloudevents),  cmocka_unit_test(aodh),
        cmocka_unit_test(ves),          cmocka_unit_test(pagerduty),
        cmocka_unit_test(slack),        cmocka_unit_test(who_is_told_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
