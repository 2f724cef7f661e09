/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/sink.h"
#include "model/metric_json.h"

/* What the collector's parser and validator make of the sink's first line. */
static enum hale_rc accepted(struct agent_sink *s, struct hale_buf *canonical,
                             struct hale_err *err)
{
    struct hale_metric_parser p;
    struct hale_metric_view v;
    hale_metric_parser_init(&p, hale_buf_str(&s->lines));
    if (hale_metric_parser_next(&p, &v) != HALE_METRIC_OK)
        return HALE_E_CONFLICT;
    return hale_metric_series(&v, HALE_STR("t"), HALE_STR("r"), canonical, err);
}

static void test_values_are_made_fit(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"http://h/?a=1&b={2};\"x\\", "http://h/?a%3D1%26b%3D%7B2%7D%3B%22x%5C"},
        {"", "-"},
        {"tab\there", "tab%09here"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent_dims d = {0};
        assert_int_equal(agent_dims_set(&d, "k", cases[i].in), HALE_OK);
        assert_string_equal(d.values[0], cases[i].out);
        agent_dims_fini(&d);
    }
}

static void test_long_value_is_cut_at_a_character(void **state)
{
    struct agent_dims d = {0};
    char text[1025];
    size_t chars = 0;
    (void)state;
    for (size_t i = 0; i < 512; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 2);
    text[1024] = '\0';
    assert_int_equal(agent_dims_set(&d, "k", text), HALE_OK);
    assert_int_equal(hale_str_utf8_count(hale_str_from(d.values[0]), &chars), HALE_OK);
    assert_int_equal(chars, 255);
    agent_dims_fini(&d);
}

static void test_set_replaces_and_fills_up(void **state)
{
    struct agent_dims d = {0}, copy = {0};
    char key[16];
    (void)state;
    assert_int_equal(agent_dims_set(&d, "k", "a"), HALE_OK);
    assert_int_equal(agent_dims_set(&d, "k", "b"), HALE_OK);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.values[0], "b");
    for (int i = 1; i < AGENT_DIMS_MAX; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(agent_dims_set(&d, key, "v"), HALE_OK);
    }
    assert_int_equal(agent_dims_set(&d, "more", "v"), HALE_E_LIMIT);
    assert_int_equal(agent_dims_copy(&copy, &d), HALE_OK);
    assert_int_equal(copy.n, d.n);
    agent_dims_fini(&d);
    agent_dims_fini(&copy);
}

static void test_line_is_a_valid_metric(void **state)
{
    struct agent_sink s;
    struct agent_dims d = {0};
    struct hale_buf canonical;
    struct hale_err err = {0};
    const struct agent_dim extra = {"device", "a=b"};
    (void)state;
    agent_sink_init(&s);
    hale_buf_init(&canonical, 65536);
    assert_int_equal(agent_dims_set(&d, "hostname", "h1"), HALE_OK);
    agent_sink_add(&s, &d,
                   &(struct agent_sample){.name = "cpu.idle_perc",
                                          .time_ms = 1526568125000,
                                          .value = 97.5,
                                          .error = "bad \"thing\"\n",
                                          .extra = &extra,
                                          .n_extra = 1});
    assert_int_equal(s.n, 1);
    assert_string_equal(
        s.lines.p, "{\"name\":\"cpu.idle_perc\",\"dimensions\":{\"hostname\":\"h1\","
                   "\"device\":\"a%3Db\"},\"timestamp\":1526568125000,\"value\":97.5,"
                   "\"value_meta\":{\"error\":\"bad \\\"thing\\\"\\n\"}}\n");
    assert_int_equal(accepted(&s, &canonical, &err), HALE_OK);
    hale_buf_fini(&canonical);
    agent_dims_fini(&d);
    agent_sink_fini(&s);
}

/* A key that stood twice would be refused, or read as the one or the other. */
static void test_own_dimension_replaces(void **state)
{
    struct agent_sink s;
    struct agent_dims d = {0};
    const struct agent_dim extra[] = {{"device", "sda"}, {"mount", "/"}};
    (void)state;
    agent_sink_init(&s);
    assert_int_equal(agent_dims_set(&d, "device", "configured"), HALE_OK);
    agent_sink_add(
        &s, &d,
        &(struct agent_sample){
            .name = "x", .time_ms = 1, .value = 2, .extra = extra, .n_extra = 2});
    assert_string_equal(s.lines.p, "{\"name\":\"x\",\"dimensions\":{\"device\":\"sda\","
                                   "\"mount\":\"/\"},\"timestamp\":1,\"value\":2.0}\n");
    agent_dims_fini(&d);
    agent_sink_fini(&s);
}

static void test_not_finite_is_dropped(void **state)
{
    struct agent_sink s;
    struct agent_dims d = {0};
    (void)state;
    agent_sink_init(&s);
    agent_sink_add(&s, &d,
                   &(struct agent_sample){.name = "x", .time_ms = 1, .value = NAN});
    agent_sink_add(&s, &d,
                   &(struct agent_sample){.name = "x", .time_ms = 1, .value = INFINITY});
    assert_int_equal(s.n, 0);
    agent_sink_fini(&s);
}

static void test_full_sink_keeps_whole_lines(void **state)
{
    struct agent_sink s;
    struct agent_dims d = {0};
    char error[1025];
    size_t n;
    (void)state;
    memset(error, 'e', sizeof(error) - 1);
    error[sizeof(error) - 1] = '\0';
    agent_sink_init(&s);
    for (int i = 0; i < 10000; i++)
        agent_sink_add(&s, &d,
                       &(struct agent_sample){
                           .name = "x", .time_ms = 1, .value = 1, .error = error});
    assert_true(s.n > 1000 && s.n < 10000);
    assert_true(s.lines.len <= AGENT_SINK_MAX_BYTES);
    assert_int_equal(s.lines.p[s.lines.len - 1], '\n');
    n = 0;
    for (size_t i = 0; i < s.lines.len; i++)
        n += s.lines.p[i] == '\n';
    assert_int_equal(n, s.n);
    agent_sink_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_made_fit),
        cmocka_unit_test(test_long_value_is_cut_at_a_character),
        cmocka_unit_test(test_set_replaces_and_fills_up),
        cmocka_unit_test(test_line_is_a_valid_metric),
        cmocka_unit_test(test_own_dimension_replaces),
        cmocka_unit_test(test_not_finite_is_dropped),
        cmocka_unit_test(test_full_sink_keeps_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
