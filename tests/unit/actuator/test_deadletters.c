/* SPDX-License-Identifier: Apache-2.0 */
/* Which letters are sent again, in which order; what the scripts do is test_actuator_deadletters.py's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/deadletters.h"
#include "base/map.h"
#include "support/cmocka.h"

struct world {
    struct hale_map *letters; /* field -> text */
    unsigned writes;
    char last[64]; /* first argument of the last script */
    bool broken;
};

static void io_write(void *arg, const char *script, unsigned n_keys,
                     const struct hale_str *keys, unsigned n_args,
                     const struct hale_str *args)
{
    struct world *w = arg;
    assert_non_null(script);
    assert_true(n_keys > 0 && n_args > 0 && keys[0].len > 0);
    w->writes++;
    (void)snprintf(w->last, sizeof(w->last), "%.*s", (int)args[0].len, args[0].p);
}

static enum hale_rc io_read(void *arg, const char *key, const char *field,
                            struct hale_buf *out)
{
    struct world *w = arg;
    const char *text = hale_map_get(w->letters, hale_str_from(field));
    assert_non_null(key);
    if (w->broken)
        return HALE_E_IO;
    if (text == NULL)
        return HALE_E_NOTFOUND;
    hale_buf_add_c(out, text);
    return HALE_OK;
}

static struct actuator_deadletters *start(struct world *w)
{
    *w = (struct world){.letters = hale_map_new(100, free)};
    struct actuator_deadletters *d =
        actuator_deadletters_new(&(struct actuator_deadletters_io){w, io_write, io_read});
    assert_non_null(d);
    return d;
}

static void finish(struct actuator_deadletters *d, struct world *w)
{
    actuator_deadletters_free(d);
    hale_map_free(w->letters);
}

static void keep(struct world *w, const char *field, const char *text)
{
    assert_int_equal(hale_map_put(w->letters, hale_str_from(field), strdup(text)),
                     HALE_OK);
}

static void wish(struct actuator_deadletters *d, const char *id, const char *recipient,
                 int seq)
{
    char json[200];
    (void)snprintf(json, sizeof(json),
                   "{\"v\":1,\"recipient\":\"%s\",\"seq\":%d,\"by\":\"x\",\"at_ms\":7}",
                   recipient, seq);
    actuator_deadletters_load(d, hale_str_from(id), hale_str_from(json));
}

static void in_the_order_of_the_log(void **state)
{
    struct world w;
    struct actuator_deadletters *d = start(&w);
    struct actuator_replay r;
    (void)state;
    keep(&w, "c:r", "{3}");
    keep(&w, "a:r", "{1}");
    wish(d, "c", "s", 3);
    wish(d, "a", "s", 1);
    wish(d, "a", "s", 1); /* known already */
    wish(d, "b", "s", 2); /* whose letter has gone meanwhile */
    assert_false(actuator_deadletters_waiting(d, "other"));
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_OK);
    assert_string_equal(r.id, "a");
    assert_string_equal(r.text.p, "{1}");
    assert_int_equal(r.at_ms, 7);
    assert_false(r.group);
    hale_buf_fini(&r.text);
    actuator_deadletters_settle(d, "s", "a", true);
    actuator_deadletters_follow(d, "s", "d", 1,
                                9); /* its end goes before what comes later */
    keep(&w, "d", "{\"group\":{\"raised\":1}}");
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_OK);
    assert_string_equal(r.id, "d");
    assert_true(r.group);
    hale_buf_fini(&r.text);
    actuator_deadletters_settle(d, "s", "d", false);
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_OK);
    assert_string_equal(r.id, "c");
    hale_buf_fini(&r.text);
    actuator_deadletters_settle(d, "s", "c", true);
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_E_NOTFOUND);
    assert_false(actuator_deadletters_waiting(d, "s"));
    finish(d, &w);
}

static void a_store_that_does_not_answer_loses_nothing(void **state)
{
    struct world w;
    struct actuator_deadletters *d = start(&w);
    struct actuator_replay r;
    (void)state;
    keep(&w, "a:r", "{1}");
    wish(d, "a", "s", 1);
    w.broken = true;
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_E_IO);
    assert_true(actuator_deadletters_waiting(d, "s"));
    w.broken = false;
    assert_int_equal(actuator_deadletters_first(d, "s", &r), HALE_OK);
    hale_buf_fini(&r.text);
    finish(d, &w);
}

static bool nobody(void *arg, const char *recipient)
{
    (void)arg;
    return strcmp(recipient, "there") == 0;
}

static void wishes_of_nobody_are_taken_back(void **state)
{
    struct world w;
    struct actuator_deadletters *d = start(&w);
    (void)state;
    wish(d, "a", "there", 1);
    wish(d, "b", "gone", 1);
    actuator_deadletters_load(d, HALE_STR("c"), HALE_STR("{broken"));
    assert_int_equal(w.writes, 1);
    assert_string_equal(w.last, "c");
    actuator_deadletters_sweep(d, NULL, nobody);
    assert_int_equal(w.writes, 2);
    assert_string_equal(w.last, "b");
    assert_true(actuator_deadletters_waiting(d, "there"));
    assert_false(actuator_deadletters_waiting(d, "gone"));
    finish(d, &w);
}

static void a_letter_is_written_whole(void **state)
{
    struct world w;
    struct actuator_deadletters *d = start(&w);
    const struct actuator_letter letter = {.id = "the-id",
                                           .recipient = "subscriber/noc",
                                           .name = "noc",
                                           .tenant = "t",
                                           .alarm_id = "a",
                                           .alarm_name = "x\"\n",
                                           .state = HALE_STATE_ALARM,
                                           .severity = HALE_SEV_HIGH,
                                           .seq = 1,
                                           .reason = ACTUATOR_DEAD_REFUSED,
                                           .detail = "answered 422"};
    (void)state;
    actuator_deadletters_bury(d, &letter, 5);
    assert_int_equal(w.writes, 1);
    assert_string_equal(w.last, "the-id");
    finish(d, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_the_order_of_the_log),
        cmocka_unit_test(a_store_that_does_not_answer_loses_nothing),
        cmocka_unit_test(wishes_of_nobody_are_taken_back),
        cmocka_unit_test(a_letter_is_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
