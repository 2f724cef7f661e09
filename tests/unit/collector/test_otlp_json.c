/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON encoding of OTLP: what it becomes in protobuf, and what is refused. */
#include "collector/otlp_json.h"

#include <math.h>
#include <string.h>

#include "collector/otlp.h"
#include "model/protobuf.h"
#include "support/cmocka.h"

#define METRIC(m)    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[" m "]}]}]}"
#define GAUGE(point) METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[" point "]}}")

static bool keep(const struct collector_otlp_point *p, void *arg)
{
    *(struct collector_otlp_point *)arg = *p;
    return true;
}

/* Reads text with one data point; the caller frees out and a. */
static struct collector_otlp_point one(const char *text, struct hale_buf *out,
                                       struct collector_arena *a)
{
    struct collector_otlp_point p = {.name = {"none", 4}};
    struct hale_err err = {0};
    hale_buf_init(out, 1u << 16);
    collector_arena_init(a, 1u << 20);
    if (collector_otlp_json_read(hale_str_from(text), out, &err) != HALE_OK)
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(collector_otlp_walk(hale_buf_str(out), a, keep, &p),
                     COLLECTOR_OTLP_DONE);
    return p;
}

static void numbers_in_every_form(void **state)
{
    static const struct {
        const char *text;
        double value;
        uint64_t time_ns;
        bool stale;
    } CASES[] = {
        {GAUGE("{\"asDouble\":1.5,\"timeUnixNano\":\"1544712660000000001\"}"), 1.5,
         1544712660000000001, false},
        {GAUGE("{\"asDouble\":3,\"timeUnixNano\":1544712660000000001}"), 3,
         1544712660000000001, false},
        {GAUGE("{\"asDouble\":\"2.5e3\",\"timeUnixNano\":\"18446744073709551615\"}"),
         2500, UINT64_MAX, false},
        {GAUGE("{\"asInt\":\"-7\",\"flags\":1}"), -7, 0, true},
        {GAUGE("{\"asInt\":-7,\"flags\":0,\"exemplars\":null,\"x\":{\"y\":[]}}"), -7, 0,
         false},
        {GAUGE("{\"asDouble\":\"-Infinity\"}"), -INFINITY, 0, false},
        {METRIC("{\"gauge\":{\"dataPoints\":[{\"asInt\":1}]},\"name\":\"g\"}"), 1, 0,
         false},
        {METRIC(
             "{\"name\":\"g\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":"
             "\"AGGREGATION_TEMPORALITY_DELTA\",\"dataPoints\":[{\"asInt\":1}]}}"),
         1, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf b;
        struct collector_arena a;
        struct collector_otlp_point p = one(CASES[i].text, &b, &a);
        if (!hale_str_eq_c(p.name, "g") || !p.value.given ||
            p.value.v != CASES[i].value || p.time_ns != CASES[i].time_ns ||
            p.stale != CASES[i].stale)
            fail_msg("case %zu", i);
        collector_arena_fini(&a);
        hale_buf_fini(&b);
    }
}

static void other_kinds(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    struct collector_otlp_point p = one(
        METRIC(
            "{\"name\":\"h\",\"histogram\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":1,"
            "\"min\":0,\"max\":2,\"bucketCounts\":[\"1\",2],\"explicitBounds\":[0.5]}]}"
            "}"),
        &b, &a);
    (void)state;
    assert_true(p.count == 3 && p.sum.v == 1 && p.min.given && p.max.v == 2);
    assert_int_equal(p.counts.len, 16);
    assert_int_equal(hale_pb_packed64(p.counts, 1), 2);
    assert_true(hale_pb_packed_double(p.bounds, 0) == 0.5);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
    for (unsigned full = 0; full <= 1; full++) {
        p = one(full
                    ? METRIC("{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":[{"
                             "\"count\":1,\"positive\":{\"bucketCounts\":[1]}}]}}")
                    : METRIC("{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":[{"
                             "\"count\":1,\"positive\":{\"bucketCounts\":[]}}]}}"),
                &b, &a);
        assert_int_equal(p.kind, COLLECTOR_OTLP_EXPONENTIAL);
        assert_int_equal(p.has_buckets, full);
        collector_arena_fini(&a);
        hale_buf_fini(&b);
    }
    p = one(METRIC("{\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"quantileValues\":[{"
                   "\"quantile\":0.5,\"value\":4}]}]}}"),
            &b, &a);
    struct collector_otlp_quantile q;
    assert_true(collector_otlp_quantile(&p.quantiles, &q) && q.value == 4);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

/* The bytes are those of the protobuf encoding, but for the length of lengths. */
static void attributes(void **state)
{
    static const char TEXT[] = GAUGE(
        "{\"asInt\":1,\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":"
        "\"\\u00e4\"}},"
        "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}},"
        "{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"n\",\"value\":null},"
        "{\"key\":\"i\",\"value\":{\"intValue\":\"-1\"}}]}");
    struct hale_buf b, want;
    struct collector_arena a;
    struct collector_otlp_point p = one(TEXT, &b, &a);
    (void)state;
    hale_buf_init(&want, 4096);
    for (unsigned i = 0; i < 5; i++) {
        size_t at = hale_pb_begin(&want, 7);
        hale_pb_put_bytes(&want, 1, (struct hale_str){&"klbni"[i], 1});
        if (i != 3) {
            size_t any = hale_pb_begin(&want, 2);
            if (i == 0)
                hale_pb_put_bytes(&want, 1, HALE_STR("\xc3\xa4"));
            if (i == 1)
                hale_pb_put_bytes(&want, 5, HALE_STR(""));
            if (i == 2)
                hale_pb_put_varint(&want, 2, 1);
            if (i == 4)
                hale_pb_put_varint(&want, 3, UINT64_MAX);
            hale_pb_end(&want, any);
        }
        hale_pb_end(&want, at);
    }
    assert_int_equal(p.attributes.len, want.len);
    assert_memory_equal(p.attributes.p, want.p, want.len);
    hale_buf_fini(&want);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

static void refusals_name_the_key(void **state)
{
    static const char *const CASES[][2] = {
        {"", "not JSON"},
        {"{", "not JSON: line 1"},
        {"[]", "not a JSON object"},
        {"{\"resourceMetrics\":{}}", "'resourceMetrics'"},
        {"{\"resourceMetrics\":[1]}", "'resourceMetrics'"},
        {METRIC("{\"name\":5}"), "'name'"},
        {METRIC("{\"gauge\":[]}"), "'gauge'"},
        {GAUGE("{\"asDouble\":\"x\"}"), "'asDouble'"},
        {GAUGE("{\"asDouble\":true}"), "'asDouble'"},
        {GAUGE("{\"asInt\":1.5}"), "'asInt'"},
        {GAUGE("{\"asInt\":\"18446744073709551616\"}"), "'asInt'"},
        {GAUGE("{\"timeUnixNano\":\"\"}"), "'timeUnixNano'"},
        {GAUGE("{\"attributes\":[{\"value\":{\"boolValue\":1}}]}"), "'boolValue'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf b;
        struct hale_err err = {0};
        hale_buf_init(&b, 1u << 16);
        assert_int_equal(collector_otlp_json_read(hale_str_from(CASES[i][0]), &b, &err),
                         HALE_E_INVAL);
        if (strstr(err.text, CASES[i][1]) == NULL)
            fail_msg("case %zu: %s", i, err.text);
        hale_buf_fini(&b);
    }
}

static void depth_and_length_have_ceilings(void **state)
{
    enum { DEPTH = 200000 };
    struct hale_buf text, out;
    struct hale_err err = {0};
    (void)state;
    hale_buf_init(&text, 1u << 20);
    hale_buf_init(&out, 64);
    for (unsigned i = 0; i < DEPTH; i++)
        hale_buf_add_char(&text, '[');
    assert_int_equal(collector_otlp_json_read(hale_buf_str(&text), &out, &err),
                     HALE_E_INVAL);
    hale_buf_reset(&text);
    hale_buf_add_c(&text,
                   GAUGE("{\"asInt\":1},{\"asInt\":2},{\"asInt\":3},{\"asInt\":4}"));
    assert_int_equal(collector_otlp_json_read(hale_buf_str(&text), &out, &err),
                     HALE_E_LIMIT);
    hale_buf_fini(&text);
    hale_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_every_form),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(attributes),
        cmocka_unit_test(refusals_name_the_key),
        cmocka_unit_test(depth_and_length_have_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
