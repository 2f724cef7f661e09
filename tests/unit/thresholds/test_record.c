/* SPDX-License-Identifier: Apache-2.0 */
/* record: an event as JSON and back; positions: text and order. */
#include "thresholds/record.h"
#include "thresholds/shard_inner.h"
#include "world.h"

static void test_record(void **state)
{
    (void)state;
    struct hale_definition *d = make_definition("d", "avg(x) > 1", "[]", false, 7);
    const struct hale_dim group[] = {{HALE_STR("host"), HALE_STR("a\"b")}};
    const double values[] = {1.5, 20};
    struct hale_series series = {.name = HALE_STR("x"),
                                 .n_dims = 1,
                                 .dims = {{HALE_STR("host"), HALE_STR("a\"b")}}};
    struct thresholds_event ev = {.kind = HALE_SUB_STATE,
                                  .definition = d,
                                  .n_group = 1,
                                  .group = group,
                                  .state = HALE_STATE_ALARM,
                                  .severity = HALE_SEV_HIGH,
                                  .since_ms = 2,
                                  .at_ms = 5,
                                  .n_values = 2,
                                  .values = values,
                                  .window_start_ms = 3,
                                  .window_end_ms = 4,
                                  .series = &series,
                                  .accepted_us = 11};
    struct hale_buf b;
    struct hale_sub_record r;
    hale_buf_init(&b, 65536);
    assert_int_equal(thresholds_record_encode(&ev, 12, &b), HALE_OK);
    assert_int_equal(hale_sub_record_decode(hale_buf_str(&b), &r), HALE_OK);
    assert_int_equal(r.kind, HALE_SUB_STATE);
    assert_string_equal(r.definition_id, "d");
    assert_int_equal(r.definition_version, 7);
    assert_string_equal(json_string_value(json_object_get(r.group, "host")), "a\"b");
    assert_int_equal(r.state, HALE_STATE_ALARM);
    assert_int_equal(json_array_size(r.values), 2);
    assert_int_equal(json_array_size(r.metrics), 1);
    assert_int_equal(r.window_start_ms, 3);
    assert_int_equal(r.window_end_ms, 4);
    assert_int_equal(r.accepted_us, 11);
    assert_int_equal(r.decided_us, 12);
    assert_int_equal(r.severity, HALE_SEV_HIGH);
    assert_int_equal(r.since_ms, 2);
    hale_sub_record_fini(&r);
    ev.severity = -1; /* no extension in use: no key of it */
    ev.since_ms = 0;
    hale_buf_reset(&b);
    assert_int_equal(thresholds_record_encode(&ev, 12, &b), HALE_OK);
    assert_null(strstr(b.p, "severity"));
    assert_null(strstr(b.p, "since_ms"));
    assert_int_equal(hale_sub_record_decode(hale_buf_str(&b), &r), HALE_OK);
    assert_int_equal(r.severity, -1);
    hale_sub_record_fini(&r);
    hale_buf_fini(&b);
    hale_definition_free(d);
}

static void test_position_text(void **state)
{
    (void)state;
    char text[THRESHOLDS_POSITION_TEXT];
    struct thresholds_position p = {{1704067200000u, 3}, 1704067230000, 17}, q;
    assert_string_equal(thresholds_position_text(&p, text),
                        "1704067200000-3 1704067230000 17");
    assert_int_equal(thresholds_position_parse(hale_str_from(text), &q), HALE_OK);
    assert_int_equal(thresholds_position_cmp(&p, &q), 0);
    static const char *const bad[] = {"",        "1-1",   "1-1 2",
                                      "1-1 2 x", "x 2 3", "1-1 2 3 4"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(thresholds_position_parse(hale_str_from(bad[i]), &q),
                             HALE_OK);
}

static void test_position_order(void **state)
{
    (void)state;
    const struct thresholds_position rising[] = {
        {{0, 0}, 0, 0}, {{1, 0}, 0, 0}, {{1, 0}, 0, 1}, {{1, 0}, 5, 1},
        {{1, 0}, 5, 2}, {{1, 1}, 5, 0}, {{2, 0}, 5, 0},
    };
    const size_t n = sizeof(rising) / sizeof(rising[0]);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++)
            assert_int_equal(thresholds_position_cmp(&rising[i], &rising[k]),
                             (i > k) - (i < k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_position_text),
        cmocka_unit_test(test_position_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
