/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/run.h"
#include "base/fs.h"

static json_t *stored(void)
{
    struct hale_buf text;
    struct hale_err err;
    hale_buf_init(&text, 65536);
    assert_int_equal(hale_fs_read(HALE_TEST_DIR "/vectors/policy/run.json", &text, &err),
                     HALE_OK);
    json_t *o = json_loadb(text.p, text.len, 0, NULL);
    hale_buf_fini(&text);
    assert_non_null(o);
    return o;
}

static enum hale_rc decode(json_t *o, struct actuator_run **out)
{
    char *text = json_dumps(o, JSON_COMPACT);
    enum hale_rc rc = actuator_run_decode(hale_str_from(text), out);
    free(text);
    return rc;
}

static void test_round_trip(void **state)
{
    struct actuator_run *r = NULL;
    struct hale_buf text;
    json_t *o = stored(), *again;
    (void)state;
    assert_int_equal(decode(o, &r), HALE_OK);
    assert_int_equal(r->mode, ACTUATOR_APPROVE);
    assert_int_equal(r->phase, ACTUATOR_HOLD);
    assert_int_equal(r->expires_us, 5);
    assert_string_equal(r->version, "1");
    assert_string_equal(r->refused, "cooldown");
    assert_true(actuator_run_held(r));
    hale_buf_init(&text, 65536);
    assert_int_equal(actuator_run_encode(r, &text), HALE_OK);
    again = json_loadb(text.p, text.len, 0, NULL);
    assert_true(json_is_true(json_object_get(again, "held")));
    assert_true(
        json_equal(json_object_get(again, "verify"), json_object_get(o, "verify")));
    assert_int_equal(json_integer_value(json_object_get(again, "expires_us")), 5);
    r->phase = ACTUATOR_PROVE; /* nobody is asked for an acknowledgement then */
    assert_false(actuator_run_held(r));
    hale_buf_fini(&text);
    json_decref(again);
    json_decref(o);
    actuator_run_free(r);
}

/* A record of before this version has none of the newer keys. */
static void test_older_record(void **state)
{
    static const char *const newer[] = {"verify", "version", "guard", "expires_us",
                                        "held"};
    struct actuator_run *r = NULL;
    json_t *o = stored();
    (void)state;
    for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
        assert_int_equal(json_object_del(o, newer[i]), 0);
    assert_int_equal(decode(o, &r), HALE_OK);
    assert_null(r->verify);
    assert_int_equal(r->expires_us, 0);
    actuator_run_free(r);
    json_decref(o);
}

/* A record of when the clock was an hour ahead. */
static void test_set_back(void **state)
{
    const int64_t hour = 3600000000, now = 1700000000000000, fast = now + hour;
    struct actuator_run *r = NULL;
    struct hale_buf text;
    json_t *o = stored();
    (void)state;
    assert_int_equal(decode(o, &r), HALE_OK);
    json_decref(o);
    r->written_us = fast - 1000000;
    r->step_us = now - 7000000; /* before it was set ahead */
    r->call_us = fast - 2000000;
    r->wake_us = fast + 5000000;
    r->again_us = 0;
    r->expires_us = fast + 900000000;
    hale_buf_init(&text, 65536);
    assert_int_equal(actuator_run_encode(r, &text), HALE_OK);
    actuator_run_free(r);
    assert_int_equal(actuator_run_decode(hale_buf_str(&text), &r), HALE_OK);
    hale_buf_fini(&text);
    actuator_run_set_back(r, hour, now);
    assert_int_equal(r->step_us, now - 7000000);
    assert_int_equal(r->call_us, now - 2000000);
    assert_int_equal(r->wake_us, now + 5000000);
    assert_int_equal(r->again_us, 0);
    assert_int_equal(r->expires_us, now + 900000000);
    actuator_run_set_back(r, hour, now); /* its record is not of then any more */
    assert_int_equal(r->wake_us, now + 5000000);
    actuator_run_free(r);
}

static void test_not_a_run(void **state)
{
    static const struct {
        const char *key, *value; /* value as JSON */
    } bad[] = {{"mode", "\"perhaps\""}, {"state", "\"asleep\""}, {"phase", "3"},
               {"verify", "[]"},        {"guard", "7"},          {"version", "null"},
               {"step", "1"},           {"plan", "{}"},          {"vars", "null"},
               {"born_us", "1.5"}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct actuator_run *r = NULL;
        json_t *o = stored();
        json_object_set_new(o, bad[i].key,
                            json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
        if (decode(o, &r) != HALE_E_INVAL || r != NULL)
            fail_msg("%s = %s was taken", bad[i].key, bad[i].value);
        json_decref(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_older_record),
        cmocka_unit_test(test_set_back),
        cmocka_unit_test(test_not_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
