/* SPDX-License-Identifier: Apache-2.0 */
/* why: from facts to answers, one case per kind of answer. */
#include <string.h>

#include "support/cmocka.h"

#include "base/str.h"
#include "collector/why.h"

#define NOW "\"time_ms\":1700000100000"
#define ALARM(...)                                                                       \
    "{" NOW ",\"group\":{\"h\":\"1\"},\"definition\":{\"alarm_actions\":[\"m\"]},"       \
    "\"transition\":null,\"subs\":[],\"alarm\":{\"id\":\"a\",\"state\":\"ALARM\","       \
    "\"severity\":\"HIGH\",\"reason\":\"too high\",\"state_updated_ms\":1700000000000,"  \
    "\"actions_enabled\":true" __VA_ARGS__ "}}"
#define SUB(operand, groups)                                                             \
    "{" NOW ",\"group\":{\"h\":\"1\"},\"definition\":null,\"alarm\":null,"               \
    "\"transition\":null,\"evaluation\":\"live\",\"subs\":[{\"sub\":1,\"expression\":"   \
    "\"avg(cpu) > 5\",\"window_s\":60,\"operands\":[" operand "],\"groups\":[" groups    \
    "]}]}"
#define FITS "{\"metric\":\"cpu\",\"dimensions\":{},\"series\":2,\"metric_series\":2}"
#define GROUP(h, newest, stored, live)                                                   \
    "{\"group\":{\"h\":\"" h "\"},\"series\":2,\"newest_ms\":" newest                    \
    ",\"stored\":" stored ",\"live\":" live "}"
#define ROW(state, more)                                                                 \
    "{\"state\":\"" state "\",\"reported\":true,\"at_ms\":1700000090000" more "}"
#define FRESH "1700000095000"
#define OLD   "1690000000000"

static const struct {
    const char *facts, *code, *text; /* text: a part of it */
} cases[] = {
    {ALARM(), "alarm", "ALARM (HIGH) since 2023-11-14T22:13:20.000Z: too high"},
    {ALARM(",\"life\":{\"announced\":\"ALARM\"}"), "announced", "was announced"},
    {ALARM(
         ",\"life\":{\"suppressed_by\":[{\"kind\":\"silence\",\"id\":\"s1\",\"since_ms\":"
         "1700000000000,\"until_ms\":1700003600000,\"text\":\"upgrade\"}]}"),
     "suppressed",
     "silenced by s1 (upgrade) since 2023-11-14T22:13:20.000Z, until "
     "2023-11-14T23:13:20.000Z"},
    {ALARM(
         ",\"life\":{\"suppressed_by\":[{\"kind\":\"cause\",\"id\":\"c\",\"since_ms\":1,"
         "\"text\":\"vm/y -> host/x\"}]}},\"causes\":[{\"id\":\"c\",\"definition_name\":"
         "\"host-down\",\"group\":{\"host\":\"x\"},\"state\":\"ALARM\"}],\"x\":{"),
     "suppressed",
     "a symptom of alarm c = host-down {host=x} in state ALARM (vm/y -> host/x)"},
    {ALARM(",\"life\":{\"suppressed_by\":[{\"kind\":\"flap\",\"id\":\"f\",\"since_ms\":1}"
           "]}"),
     "suppressed", "flapping"},
    {ALARM(",\"life\":{\"suppressed_by\":[{\"kind\":\"maintenance\",\"id\":\"w\"}]}"),
     "suppressed", "in maintenance window w"},
    {ALARM(",\"life\":{\"suppressed_by\":[{\"kind\":\"hold\",\"id\":\"h\"}]}"),
     "suppressed", "held back"},
    {ALARM(",\"life\":{\"suppressed_by\":[{\"kind\":\"shelve\",\"id\":\"h\"}]}"),
     "suppressed", "shelved"},
    {ALARM(",\"life\":{\"suppressed_by\":[{\"kind\":\"storm\",\"id\":\"h\"}]}"),
     "suppressed", "storm"},
    {ALARM(",\"life\":{\"announced\":\"ALARM\",\"suppressed_by\":[{\"kind\":\"silence\"}]"
           "}"),
     "announced", "before it was suppressed"},
    {ALARM(",\"life\":{\"phase\":\"clearing\"}"), "clearing", "delay"},
    {ALARM(",\"life\":{\"ack\":{\"by\":\"eve\",\"at_ms\":1}}"), "acknowledged", "by eve"},
    {ALARM(",\"life\":{\"root_cause\":true,\"symptoms\":7}"), "root_cause", "7 other"},
    {ALARM(",\"life\":{\"root_entity\":{\"type\":\"host\",\"id\":\"x\"}}"), "caused_by",
     "host/x"},
    {SUB("{\"metric\":\"cpu\",\"dimensions\":{\"z\":\"9\"},\"series\":0,\"metric_"
         "series\":4}",
         ""),
     "no_series",
     "no series of metric cpu with dimensions {z=9} fits the group {h=1} (4 series of "
     "the metric"},
    {SUB(FITS, GROUP("1", FRESH, "null", "null")), "unmatched", "has no sub-alarm yet"},
    {SUB(FITS, GROUP("1", OLD, "null", "null")), "unmatched", "no data since 2023-07-22"},
    {SUB(FITS, GROUP("1", FRESH, "{\"state\":\"OK\",\"reported\":false}",
                     "{\"due_ms\":1700000160000}")),
     "undecided", "the next decision by time is at 2023-11-14T22:16:00.000Z"},
    {SUB(FITS, GROUP("1", OLD, "{\"state\":\"OK\",\"reported\":false}", "null")),
     "no_data", "has no data since 2023-07-22"},
    {SUB(FITS, GROUP("1", FRESH, ROW("OK", ""),
                     "{\"waits\":\"ALARM\",\"waits_since_ms\":1700000000000,"
                     "\"waits_until_ms\":1700003600000}")),
     "pending", "must last until 2023-11-14T23:13:20.000Z"},
    {SUB(FITS, GROUP("1", FRESH,
                     ROW("ALARM", ",\"values\":[7.5,null],\"window\":[1700000000000,"
                                  "1700000060000]"),
                     "null")),
     "holds",
     "[7.5, -] of the window 2023-11-14T22:13:20.000Z to 2023-11-14T22:14:20.000Z"},
    {SUB(FITS, GROUP("1", FRESH, ROW("OK", ",\"values\":[1]"), "null")), "does_not_hold",
     "[1]"},
    {SUB(FITS, GROUP("2", FRESH, ROW("OK", ""), "null")), "does_not_hold",
     "for {h=2} does"},
    {SUB(FITS, GROUP("1", OLD, ROW("OK", ""), "null")), "no_data",
     "sub-expression 2, avg(cpu) > 5, does not hold, reported at "
     "2023-11-14T22:14:50.000Z; it has no "
     "data since 2023-07-22"},
    {SUB(FITS, GROUP("1", OLD, ROW("UNDETERMINED", ""), "null")), "no_data",
     "UNDETERMINED"},
    {SUB(FITS, GROUP("1", OLD, ROW("ALARM", ",\"missing\":true"), "null")), "missing",
     "is ALARM by on_missing"},
    {SUB(FITS ",{\"metric\":\"mem\",\"dimensions\":{},\"series\":1,\"newest_ms\":" OLD
              "}",
         ""),
     "no_data", "lacks mem: it has no data since 2023-07-22"},
    {SUB(FITS, ""), "no_alarm", "no alarm for the group {h=1}"},
    {"{" NOW ",\"group\":null,\"alarm\":null,\"subs\":[],\"groups\":[],\"alarms\":3,\"in_"
     "alarm\":2,"
     "\"undetermined\":0,\"ok\":1}",
     "groups", "3 alarms: 2 ALARM, 0 UNDETERMINED, 1 OK"},
    {"{" NOW ",\"group\":{},\"alarm\":null,\"subs\":[],\"evaluation\":\"unanswered\"}",
     "unanswered", "did not answer"},
    {"{" NOW ",\"group\":{},\"subs\":[],\"definition\":{\"alarm_actions\":[]},\"alarm\":{"
     "\"state\":"
     "\"ALARM\",\"actions_enabled\":true}}",
     "no_actions", "no notification method"},
    {"{" NOW
     ",\"group\":{},\"subs\":[],\"alarm\":{\"state\":\"OK\",\"actions_enabled\":false}}",
     "actions_off", "actions_enabled is false"},
    {"{" NOW ",\"group\":{},\"subs\":[],\"alarm\":{\"state\":\"OK\"},\"transition\":{"
     "\"evidence\":"
     "{\"event\":{\"type\":\"link.down\",\"status\":\"clear\",\"time_ms\":1}}}}",
     "state", "(event link.down, clear at 1970-01-01T00:00:00.001Z)"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_error_t e;
        json_t *facts = json_loads(cases[i].facts, 0, &e);
        const json_t *v;
        size_t k;
        bool found = false;
        if (facts == NULL)
            fail_msg("case %zu: %s at %d", i, e.text, e.position);
        assert_int_equal(collector_why_conclude(facts), HALE_OK);
        json_array_foreach (json_object_get(facts, "answers"), k, v) {
            const char *code = json_string_value(json_object_get(v, "code"));
            const char *text = json_string_value(json_object_get(v, "text"));
            found = found || (strcmp(code, cases[i].code) == 0 &&
                              strstr(text, cases[i].text) != NULL);
        }
        if (!found)
            fail_msg("case %zu: no %s \"%s\" in %s", i, cases[i].code, cases[i].text,
                     json_dumps(json_object_get(facts, "answers"), JSON_INDENT(1)));
        json_decref(facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
