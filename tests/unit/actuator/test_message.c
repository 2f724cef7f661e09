/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "actuator/message.h"

static struct hale_alarm alarm_of(json_t *metrics)
{
    static char id[] = "a1", tenant[] = "t", definition[] = "d1", name[] = "na\"me",
                text[] = "", reason[] = "because";
    return (struct hale_alarm){.id = id,
                               .tenant = tenant,
                               .definition_id = definition,
                               .definition_name = name,
                               .description = text,
                               .severity = HALE_SEV_HIGH,
                               .metrics = metrics,
                               .state = HALE_STATE_ALARM,
                               .reason = reason};
}

static void webhooks_have_monascas_keys(void **state)
{
    json_t *metrics =
        json_loads("[{\"name\":\"m\",\"dimensions\":{\"hostname\":\"h1\"}}]", 0, NULL);
    struct hale_alarm alarm = alarm_of(metrics);
    const struct actuator_message m = {.alarm = &alarm,
                                       .old_state = HALE_STATE_OK,
                                       .time_ms = 1426880689999,
                                       .id = "id"};
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(actuator_message_webhook(&m, &out), HALE_OK);
    assert_string_equal(
        out.p, "{\"alarm_id\":\"a1\",\"alarm_definition_id\":\"d1\",\"alarm_name\":"
               "\"na\\\"me\",\"alarm_description\":\"\",\"alarm_timestamp\":1426880689,"
               "\"state\":\"ALARM\",\"old_state\":\"OK\",\"message\":\"because\","
               "\"tenant_id\":\"t\",\"metrics\":[{\"id\":null,\"name\":\"m\","
               "\"dimensions\":{\"hostname\":\"h1\"}}]}");
    hale_buf_fini(&out);
    hale_buf_init(&out, 64);
    assert_int_equal(actuator_message_webhook(&m, &out), HALE_E_LIMIT);
    hale_buf_fini(&out);
    json_decref(metrics);
}

static void pagerduty_is_always_triggered(void **state)
{
    json_t *metrics = json_array();
    struct hale_alarm alarm = alarm_of(metrics);
    const struct actuator_message m = {.alarm = &alarm, .id = "id"};
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(actuator_message_pagerduty(&m, "ke\"y", &out), HALE_OK);
    assert_string_equal(
        out.p, "{\"service_key\":\"ke\\\"y\",\"event_type\":\"trigger\",\"description\":"
               "\"because\",\"client\":\"Monasca\",\"client_url\":\"\",\"details\":{"
               "\"alarm_id\":\"a1\",\"alarm_name\":\"na\\\"me\",\"current\":\"ALARM\","
               "\"message\":\"because\"}}");
    hale_buf_fini(&out);
    json_decref(metrics);
}

/* Nothing that a tenant writes may begin a line of the head; no line is longer than 78. */
static void letters_are_ascii_lines(void **state)
{
    static char name[] =
        "x\r\nBcc: evil@example.org\r\n\r\n\xc3\x9c"
        "berlast \xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c"
        "\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c";
    json_t *metrics = json_loads("[{\"name\":\"m\",\"dimensions\":{\"hostname\":\"h1\"}},"
                                 "{\"name\":\"m\",\"dimensions\":{\"hostname\":\"h2\"}}]",
                                 0, NULL);
    struct hale_alarm alarm = alarm_of(metrics);
    const struct actuator_message m = {.alarm = &alarm,
                                       .old_state = HALE_STATE_OK,
                                       .time_ms = 1426880689999,
                                       .id = "id",
                                       .from = "a@b",
                                       .now_ms = 1426880690000};
    struct hale_buf out;
    (void)state;
    alarm.definition_name = name;
    hale_buf_init(&out, 65536);
    assert_int_equal(actuator_message_email(&m, (const char *const[]){"c@d", NULL}, &out),
                     HALE_OK);
    assert_non_null(strstr(out.p, "Date: Fri, 20 Mar 2015 19:44:50 +0000\r\n"));
    assert_non_null(strstr(out.p, "To: <c@d>\r\n"));
    assert_null(strstr(out.p, "Bcc"));
    struct hale_str rest = hale_buf_str(&out);
    while (rest.p != NULL && rest.len > 0) {
        struct hale_str line = hale_str_split(&rest, '\n');
        assert_true(line.len <= 79); /* with its \r */
        assert_int_equal(line.p[line.len - 1], '\r');
        for (size_t i = 0; i < line.len; i++)
            assert_true((unsigned char)line.p[i] < 0x7f);
    }
    hale_buf_fini(&out);
    json_decref(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhooks_have_monascas_keys),
        cmocka_unit_test(pagerduty_is_always_triggered),
        cmocka_unit_test(letters_are_ascii_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
