/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/aodh.h"
#include "actuator/stats.h"

#define H1                                                                               \
    "{\"v\":1,\"tenant\":\"infra\",\"ref\":\"host/h1\",\"seq\":5,\"entities\":["         \
    "[\"host/h1\",\"\",\"\",\"\"],[\"vm/a\",\"A\",\"p1\",\"h1\"],"                       \
    "[\"vm/b\",\"B\",\"p2\",\"h1\"],[\"vnf/f\",\"\",\"\",\"\"]]}"
#define H2                                                                               \
    "{\"v\":1,\"tenant\":\"infra\",\"ref\":\"host/h2\",\"seq\":6,\"entities\":["         \
    "[\"vm/a\",\"A\",\"p1\",\"h2\"]]}"

struct world {
    struct hale_http_client *http;
    struct actuator_conf conf;
    struct hale_entities *topology;
    struct actuator_outages *outages;
    struct actuator_aodh *x;
    json_t *rows; /* alarm id -> row, as it was stored last */
    unsigned writes;
    struct actuator_deadletters *dead;
    json_t *letters, *taken; /* by id; ids of those that went */
};

static void take_row(void *arg, const char *id, struct hale_str json)
{
    struct world *w = arg;
    w->writes++;
    if (json.p == NULL)
        (void)json_object_del(w->rows, id);
    else
        assert_int_equal(
            json_object_set_new(w->rows, id, json_loadb(json.p, json.len, 0, NULL)), 0);
}

/* The scripts of deadletters.c by their number of arguments: burying has the letter, settling says whether
 * it was taken. */
static void run_script(void *arg, const char *script, unsigned n_keys,
                       const struct hale_str *keys, unsigned n_args,
                       const struct hale_str *args)
{
    struct world *w = arg;
    char id[HALE_UUID_TEXT];
    (void)script, (void)n_keys, (void)keys;
    (void)snprintf(id, sizeof(id), "%.*s", (int)args[0].len, args[0].p);
    if (n_args == 6) {
        assert_true(hale_str_eq_c(args[2], "0")); /* no record of the log belongs to it */
        json_object_set_new(w->letters, id, json_loadb(args[1].p, args[1].len, 0, NULL));
    } else {
        json_object_set_new(w->taken, id, json_boolean(hale_str_eq_c(args[1], "1")));
    }
}

static enum hale_rc read_field(void *arg, const char *key, const char *field,
                               struct hale_buf *out)
{
    const struct world *w = arg;
    const json_t *letter = json_object_get(w->letters, field);
    char *text = letter != NULL ? json_dumps(letter, 0) : NULL;
    (void)key;
    if (text == NULL)
        return HALE_E_NOTFOUND;
    hale_buf_add_c(out, text);
    free(text);
    return HALE_OK;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct actuator_outages_io outages = {w, take_row};
    const struct actuator_aodh_io aodh = {w, take_row};
    assert_non_null(w);
    w->http = hale_http_client_new(300);
    w->rows = json_object();
    w->conf.methods.listed_only = 1; /* nothing is called but what is in allow */
    w->conf.methods.timeout_ms = 1000;
    w->conf.notify_max_age_ms = INT64_MAX; /* the times below are long ago */
    w->topology = hale_entities_new();
    assert_non_null(w->topology);
    w->outages = actuator_outages_new(&outages, w->topology);
    w->letters = json_object();
    w->taken = json_object();
    w->dead = actuator_deadletters_new(
        &(struct actuator_deadletters_io){w, run_script, read_field});
    w->x = actuator_aodh_new(&aodh, &w->conf, w->http, w->outages, w->dead);
    assert_non_null(w->x);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    actuator_aodh_free(w->x);
    actuator_outages_free(w->outages);
    actuator_deadletters_free(w->dead);
    json_decref(w->letters);
    json_decref(w->taken);
    hale_entities_free(w->topology);
    hale_http_client_free(w->http);
    actuator_allow_fini(&w->conf.methods.allow);
    json_decref(w->rows);
    free(w);
    return 0;
}

/* vm NULL: for any. */
static void alarm_of(struct world *w, const char *id, const char *tenant, const char *vm,
                     bool repeat, const char *url)
{
    json_t *query = json_pack("[{s:s, s:s, s:s}]", "field", "traits.state", "op", "eq",
                              "value", "error");
    struct hale_aodh *a = NULL;
    struct hale_err err = {0};
    if (vm != NULL)
        json_array_append_new(query,
                              json_pack("{s:s, s:s, s:s}", "field", "traits.instance_id",
                                        "op", "eq", "value", vm));
    json_t *body = json_pack("{s:s, s:s, s:b, s:{s:o}, s:[s], s:[s]}", "name", id, "type",
                             "event", "repeat_actions", repeat, "event_rule", "query",
                             query, "alarm_actions", url, "ok_actions", url);
    assert_int_equal(hale_aodh_from_api(body, &a, &err), HALE_OK);
    json_decref(body);
    a->id = strdup(id);
    a->tenant = strdup(tenant);
    a->user = strdup("u");
    assert_int_equal(actuator_aodh_alarm(w->x, a), HALE_OK);
}

static const char *state_of(struct world *w, const char *id)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(w->rows, id), "state"));
    return text != NULL ? text : "none";
}

static struct actuator_outage *outage(struct world *w, const char *id, const char *row)
{
    const struct actuator_outage *o = actuator_outages_find(w->outages, id);
    if (o == NULL) {
        assert_int_equal(
            actuator_outages_load(w->outages, hale_str_from(id), hale_str_from(row)),
            HALE_OK);
        o = actuator_outages_find(w->outages, id);
    }
    assert_non_null(o);
    return (struct actuator_outage *)(uintptr_t)o;
}

static void begin(struct world *w, const char *id, const char *row)
{
    struct actuator_outage *o = outage(w, id, row);
    actuator_aodh_outage(w->x, o, true, o->seq, 1000000);
}

/* As the log's record of its end has it. */
static void end(struct world *w, const char *id, int64_t seq)
{
    struct hale_log_record rec = {.seq = seq,
                                  .kind = HALE_ALARM_TRANSITION,
                                  .announce = true,
                                  .alarm = {.id = strdup(id), .state = HALE_STATE_OK}};
    struct actuator_outage *o = NULL;
    assert_int_equal(actuator_outages_record(w->outages, &rec, HALE_IMPACT_DEFAULT, &o),
                     ACTUATOR_OUTAGE_ENDS);
    actuator_aodh_outage(w->x, o, false, seq, 2000000);
    actuator_outages_over(w->outages, o);
    free(rec.alarm.id);
}

static void a_vm_in_two_outages_is_back_after_both(void **state)
{
    struct world *w = *state;
    alarm_of(w, "one", "infra", "a", false, "http://h/");
    alarm_of(w, "any", "infra", NULL, false, "http://h/");
    alarm_of(w, "other", "infra", "c", false, "http://h/");
    begin(w, "h1", H1);
    begin(w, "h2", H2);
    assert_string_equal(state_of(w, "one"), "alarm");
    assert_string_equal(state_of(w, "any"), "alarm");
    assert_string_equal(state_of(w, "other"), "none");
    assert_int_equal(actuator_outages_of(w->outages, "infra", "a"), 2);
    end(w, "h1", 7);
    assert_string_equal(state_of(w, "one"), "alarm");
    assert_string_equal(state_of(w, "any"), "alarm");
    end(w, "h2", 8);
    assert_string_equal(state_of(w, "one"), "ok");
    assert_string_equal(state_of(w, "any"), "ok");
    assert_int_equal(actuator_outages_count(w->outages), 0);
}

static void a_record_that_is_read_again_changes_nothing(void **state)
{
    struct world *w = *state;
    alarm_of(w, "one", "infra", "a", true, "http://h/"); /* told of each event */
    alarm_of(w, "any", "infra", NULL, true, "http://h/");
    begin(w, "h1", H1);
    unsigned writes = w->writes;
    begin(w, "h1", H1);
    assert_int_equal(w->writes, writes);
    begin(w, "h2", H2);
    assert_true(w->writes > writes);
}

static void rows_come_back(void **state)
{
    struct world *w = *state;
    const char *row = "{\"v\":1,\"state\":\"alarm\",\"since_ms\":9,\"source\":\"h1\","
                      "\"seq\":5,\"sub\":2,\"queue\":[]}";
    outage(w, "h1", H1);
    alarm_of(w, "one", "infra", "a", false, "http://h/");
    assert_int_equal(actuator_aodh_load(w->x, HALE_STR("one"), hale_str_from(row), 1),
                     HALE_OK);
    /* Whose alarm is gone is removed; what cannot be read is told of. */
    (void)json_object_set_new(w->rows, "gone", json_object());
    assert_int_equal(actuator_aodh_load(w->x, HALE_STR("gone"), hale_str_from(row), 1),
                     HALE_OK);
    assert_null(json_object_get(w->rows, "gone"));
    assert_int_equal(actuator_aodh_load(w->x, HALE_STR("one"), HALE_STR("{}"), 1),
                     HALE_E_INVAL);
    end(w, "h1", 7);
    assert_string_equal(state_of(w, "one"), "ok");
}

static void projects_hear_from_infrastructure(void **state)
{
    struct world *w = *state;
    char name[] = "infra", *names[] = {name};
    alarm_of(w, "mine", "p1", "a", false, "http://h/");
    alarm_of(w, "theirs", "p2", "a", false, "http://h/");
    begin(w, "h1", H1);
    assert_string_equal(state_of(w, "mine"), "none");
    w->conf.infrastructure = (struct hale_strings){1, names};
    actuator_aodh_catch_up(w->x, NULL, 1000000);
    assert_string_equal(state_of(w, "mine"), "alarm");
    assert_string_equal(state_of(w, "theirs"), "none");
    w->conf.infrastructure = (struct hale_strings){0, NULL};
}

static void the_queue_of_an_alarm_has_an_end(void **state)
{
    struct world *w = *state;
    struct actuator_outage *o;
    assert_int_equal(actuator_allow_add(&w->conf.methods.allow, HALE_STR("127.0.0.1:1")),
                     HALE_OK);
    alarm_of(w, "one", "infra", "a", false, "http://127.0.0.1:1/x");
    for (int64_t seq = 7; seq < 41; seq += 2) {
        o = outage(w, "h2", H2);
        actuator_aodh_outage(w->x, o, true, seq, 1000000);
        end(w, "h2", seq + 1);
    }
    const json_t *queue = json_object_get(json_object_get(w->rows, "one"), "queue");
    assert_int_equal(json_array_size(queue), ACTUATOR_AODH_QUEUE);
    const json_t *last = json_array_get(queue, ACTUATOR_AODH_QUEUE - 1);
    assert_string_equal(json_string_value(json_object_get(last, "to")), "ok");
    assert_int_equal(json_object_size(w->letters), 34 - ACTUATOR_AODH_QUEUE);
    const char *id;
    json_t *letter;
    json_object_foreach (w->letters, id, letter) {
        assert_string_equal(json_string_value(json_object_get(letter, "reason")), "lost");
        assert_string_equal(json_string_value(json_object_get(letter, "recipient")),
                            "aodh/infra");
    }
    actuator_aodh_drop(w->x, HALE_STR("one"));
    assert_null(json_object_get(w->rows, "one"));
    actuator_aodh_drop(w->x, HALE_STR("one")); /* gone already */
    actuator_aodh_tick(w->x, 1);
    assert_true(actuator_aodh_next_us(w->x) == INT64_MAX);
}

static json_t *only_letter(const struct world *w)
{
    assert_int_equal(json_object_size(w->letters), 1);
    return json_object_iter_value(json_object_iter(w->letters));
}

static void what_may_not_be_called_is_a_letter(void **state)
{
    struct world *w = *state;
    alarm_of(w, "one", "infra", "a", false, "http://h/x");
    begin(w, "h1", H1);
    json_t *letter = only_letter(w);
    const char *id, *url, *body, *reason, *tenant, *alarm, *said;
    json_int_t seq;
    assert_int_equal(json_unpack(letter, "{s:s, s:s, s:s, s:s, s:s, s:I, s:{s:s, s:s}}",
                                 "id", &id, "reason", &reason, "tenant", &tenant,
                                 "alarm_id", &alarm, "state", &said, "seq", &seq,
                                 "notice", "url", &url, "body", &body),
                     0);
    assert_string_equal(reason, "denied");
    assert_string_equal(tenant, "infra");
    assert_string_equal(alarm, "one");
    assert_string_equal(said, "ALARM");
    assert_string_equal(url, "http://h/x");
    assert_non_null(strstr(body, "\"current\":\"alarm\""));
    assert_int_equal(seq, 5);

    /* Somebody wants it sent again: it is not allowed still, and stays. */
    char wish[128];
    (void)snprintf(wish, sizeof(wish),
                   "{\"v\":1,\"recipient\":\"aodh/infra\",\"seq\":5,\"at_ms\":1}");
    actuator_deadletters_load(w->dead, hale_str_from(id), hale_str_from(wish));
    assert_int_equal(actuator_aodh_next_us(w->x), 0);
    actuator_aodh_tick(w->x, 1);
    assert_true(json_is_false(json_object_get(w->taken, id)));
    assert_int_equal(json_object_size(w->letters), 1);
    assert_true(actuator_aodh_next_us(w->x) == INT64_MAX);
    /* One that is gone meanwhile, and one that is no notice, are no trouble. */
    json_object_clear(w->taken);
    actuator_deadletters_load(w->dead, HALE_STR("gone"), hale_str_from(wish));
    json_object_set_new(w->letters, "odd", json_pack("{s:{}}", "notice"));
    actuator_deadletters_load(w->dead, HALE_STR("odd"), hale_str_from(wish));
    actuator_aodh_tick(w->x, 1);
    assert_int_equal(json_object_size(w->taken), 2);
    assert_true(actuator_aodh_next_us(w->x) == INT64_MAX);
}

static void what_is_too_old_is_one_letter_an_address(void **state)
{
    struct world *w = *state;
    const char *row =
        "{\"v\":1,\"state\":\"alarm\",\"since_ms\":9,\"source\":\"h1\",\"seq\":5,"
        "\"sub\":2,\"queue\":[{\"to\":\"alarm\",\"action\":0,\"seq\":5,\"time_ms\":9,"
        "\"body\":\"{}\"}]}";
    w->conf.notify_max_age_ms = 1000;
    alarm_of(w, "one", "infra", "a", false, "http://h/x");
    assert_int_equal(actuator_aodh_load(w->x, HALE_STR("one"), hale_str_from(row), 1),
                     HALE_OK);
    json_t *letter = only_letter(w);
    assert_string_equal(json_string_value(json_object_get(letter, "reason")), "expired");
    char *first = strdup(json_string_value(json_object_get(letter, "id")));
    /* A crash before the row was written: the same letter again. */
    assert_int_equal(actuator_aodh_load(w->x, HALE_STR("one"), hale_str_from(row), 1),
                     HALE_OK);
    assert_string_equal(json_string_value(json_object_get(only_letter(w), "id")), first);
    free(first);
}

static void other_events_and_switched_off_alarms(void **state)
{
    struct world *w = *state;
    const struct hale_aodh_event e = {
        "m", "maintenance.host", 1,
        json_pack("{s:s, s:s}", "instance_id", "a", "state", "error")};
    alarm_of(w, "one", "infra", "a", false, "http://h/");
    alarm_of(w, "any", "infra", NULL, false, "http://h/");
    actuator_aodh_event(w->x, "p1", &e, (struct actuator_aodh_place){1, 1}, 1);
    assert_int_equal(w->writes, 0);
    actuator_aodh_event(w->x, "infra", &e, (struct actuator_aodh_place){1, 1}, 1);
    assert_string_equal(state_of(w, "one"), "alarm");
    assert_string_equal(state_of(w, "any"), "alarm");
    begin(w, "h1", H1);
    end(w, "h1", 7); /* what another event raised stays */
    assert_string_equal(state_of(w, "one"), "alarm");
    json_decref(e.traits);
}

static void outages_are_told_in_short(void **state)
{
    struct world *w = *state;
    json_t *j = actuator_outage_json(outage(w, "h1", H1));
    char *text = json_dumps(j, JSON_COMPACT);
    assert_string_equal(text,
                        "{\"count\":4,\"entities\":[{\"type\":\"host\",\"id\":\"h1\"},"
                        "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"A\"},"
                        "{\"type\":\"vm\",\"id\":\"b\",\"name\":\"B\"},"
                        "{\"type\":\"vnf\",\"id\":\"f\"}]}");
    free(text);
    json_decref(j);
    assert_int_equal(actuator_outages_load(w->outages, HALE_STR("x"), HALE_STR("{}")),
                     HALE_E_INVAL);
    assert_null(actuator_outages_find(w->outages, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vm_in_two_outages_is_back_after_both, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_record_that_is_read_again_changes_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(projects_hear_from_infrastructure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_queue_of_an_alarm_has_an_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_may_not_be_called_is_a_letter, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_old_is_one_letter_an_address, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_events_and_switched_off_alarms, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(outages_are_told_in_short, set_up, tear_down),
    };
    actuator_stats_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
