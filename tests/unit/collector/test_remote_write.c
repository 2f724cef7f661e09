/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of remote write: the walk over them and what becomes of labels. */
#include "collector/remote_write.h"

#include <string.h>

#include "model/protobuf.h"
#include "model/series.h"
#include "support/cmocka.h"

#define BYTES(lit) ((struct hale_str){(lit), sizeof(lit) - 1})

static void put_label(struct hale_buf *b, const char *name, const char *value)
{
    size_t at = hale_pb_begin(b, 1);
    hale_pb_put_bytes(b, 1, hale_str_from(name));
    hale_pb_put_bytes(b, 2, hale_str_from(value));
    hale_pb_end(b, at);
}

static void put_sample(struct hale_buf *b, double value, int64_t time_ms)
{
    size_t at = hale_pb_begin(b, 2);
    hale_pb_put_double(b, 1, value);
    hale_pb_put_varint(b, 2, (uint64_t)time_ms);
    hale_pb_end(b, at);
}

static double value_of(const struct collector_rw_sample *s)
{
    double d;
    memcpy(&d, &s->bits, sizeof(d));
    return d;
}

static void walks_series(void **state)
{
    struct hale_buf b;
    struct collector_rw r;
    struct collector_rw_view v;
    struct collector_rw_sample s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    hale_pb_put_bytes(&b, 9, HALE_STR("not known"));
    size_t at = hale_pb_begin(&b, 1);
    put_label(&b, "__name__", "up");
    put_label(&b, "job", "x");
    size_t labels_end = b.len;
    put_sample(&b, 1.5, 1795254982691);
    put_sample(&b, -2, -5);
    hale_pb_put_bytes(&b, 3, HALE_STR("exemplar"));
    hale_pb_put_bytes(&b, 4, HALE_STR("histogram"));
    hale_pb_put_varint(&b, 77, 5);
    put_sample(&b, 0, 0);
    hale_pb_end(&b, at);
    hale_pb_put_bytes(&b, 1, HALE_STR(""));
    collector_rw_open(&r, hale_buf_str(&b));
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_SERIES);
    assert_ptr_equal(v.series.labels[0].p, b.p + at);
    assert_int_equal(v.series.labels[0].len, labels_end - at);
    assert_null(v.series.labels[1].p);
    assert_false(v.series.scattered);
    assert_int_equal(v.series.n_histograms, 1);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(value_of(&s) == 1.5 && s.time_ms == 1795254982691);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(value_of(&s) == -2 && s.time_ms == -5);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(value_of(&s) == 0 && s.time_ms == 0);
    assert_int_equal(collector_rw_sample(&v.series, &s), 0);
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_SERIES);
    assert_null(v.series.labels[0].p);
    assert_int_equal(collector_rw_sample(&v.series, &s), 0);
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_END);
    hale_buf_fini(&b);
}

/* proto3 leaves out what is zero, and lets fields come in any order. */
static void samples_without_fields(void **state)
{
    static const char BODY[] = "\x0a\x13\x12\x00"                          /* {} */
                               "\x12\x02\x10\x07"                          /* {time 7} */
                               "\x12\x0b\x10\x07\x09\0\0\0\0\0\0\xf8\x3f"; /* both */
    struct collector_rw r;
    struct collector_rw_view v;
    struct collector_rw_sample s;
    (void)state;
    collector_rw_open(&r, BYTES(BODY));
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_SERIES);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(s.time_ms == 0 && s.bits == 0);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(s.time_ms == 7 && s.bits == 0);
    assert_int_equal(collector_rw_sample(&v.series, &s), 1);
    assert_true(s.time_ms == 7 && value_of(&s) == 1.5);
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_END);
}

/* Lengths of one and of two bytes are read by different code. */
static void long_labels(void **state)
{
    static const size_t LENGTHS[] = {5, 200, 5, 121, 122, 123, 124, 125, 255, 5};
    char value[256];
    struct hale_buf b, label, series;
    struct collector_rw r;
    struct collector_rw_view v;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    hale_buf_init(&label, 4096);
    hale_buf_init(&series, 1u << 16);
    memset(value, 'x', sizeof(value));
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        hale_buf_reset(&label);
        hale_pb_put_bytes(&label, 1, HALE_STR("l"));
        hale_pb_put_bytes(&label, 2, (struct hale_str){value, LENGTHS[i]});
        hale_pb_put_bytes(&series, 1, hale_buf_str(&label));
        size_t labels = series.len;
        put_sample(&series, 1, 1);
        hale_buf_reset(&b);
        hale_pb_put_bytes(&b, 1, hale_buf_str(&series));
        series.len = labels;
        collector_rw_open(&r, hale_buf_str(&b));
        assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_SERIES);
        assert_int_equal(v.series.labels[0].len, labels);
        assert_memory_equal(v.series.labels[0].p, series.p, labels);
        assert_null(v.series.labels[1].p);
    }
    hale_buf_fini(&b);
    hale_buf_fini(&label);
    hale_buf_fini(&series);
}

static void labels_in_runs(void **state)
{
    struct hale_buf b;
    struct collector_rw r;
    struct collector_rw_view v;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    for (unsigned runs = 1; runs <= COLLECTOR_RW_RUNS + 1; runs++) {
        hale_buf_reset(&b);
        size_t at = hale_pb_begin(&b, 1);
        for (unsigned i = 0; i < runs; i++) {
            put_label(&b, "a", "b");
            put_sample(&b, 1, 1);
        }
        hale_pb_end(&b, at);
        collector_rw_open(&r, hale_buf_str(&b));
        assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_SERIES);
        assert_int_equal(v.series.scattered, runs > COLLECTOR_RW_RUNS);
        for (unsigned i = 0; i < COLLECTOR_RW_RUNS; i++)
            assert_int_equal(v.series.labels[i].p != NULL, i < runs);
    }
    hale_buf_fini(&b);
}

static void damage_is_told(void **state)
{
    const struct hale_str CASES[] = {
        BYTES("x"),
        BYTES("\x0a"),
        BYTES("\x0a\x05"),
        BYTES("\x0a\xff\xff\xff\xff\x0f"),
        BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        BYTES("\x0a\x02\x0a\x01"),         /* a label longer than its series */
        BYTES("\x0a\x04\x12\x02\x09\x00"), /* a value cut off */
        BYTES("\x0a\x04\x12\x02\x10\x80"), /* a time cut off */
        BYTES("\x0a\x04\x12\x03\x10\x05"), /* a sample longer than its series */
        BYTES("\x0a\x02\x0b\x0c"),         /* a group */
        BYTES("\x02\x00"),                 /* number 0 */
        BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        BYTES("\x1a\x02\x0a\x05"), /* metadata */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_rw r;
        struct collector_rw_view v;
        struct collector_rw_sample s;
        collector_rw_open(&r, CASES[i]);
        enum collector_rw_item item = collector_rw_next(&r, &v);
        int rc = item == COLLECTOR_RW_SERIES ? collector_rw_sample(&v.series, &s) : 0;
        if (item != COLLECTOR_RW_DAMAGED && rc != -1)
            fail_msg("case %zu is taken", i);
    }
}

static void metadata(void **state)
{
    struct hale_buf b;
    struct collector_rw r;
    struct collector_rw_view v;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    size_t at = hale_pb_begin(&b, 3);
    hale_pb_put_varint(&b, 1, 3);
    hale_pb_put_bytes(&b, 2, HALE_STR("rpc_seconds"));
    hale_pb_put_bytes(&b, 4, HALE_STR("How long"));
    hale_pb_put_bytes(&b, 5, HALE_STR("s"));
    hale_pb_end(&b, at);
    collector_rw_open(&r, hale_buf_str(&b));
    assert_int_equal(collector_rw_next(&r, &v), COLLECTOR_RW_METADATA);
    assert_string_equal(collector_rw_type(v.metadata.type), "histogram");
    assert_true(hale_str_eq_c(v.metadata.family, "rpc_seconds"));
    assert_true(hale_str_eq_c(v.metadata.help, "How long"));
    assert_true(hale_str_eq_c(v.metadata.unit, "s"));
    assert_string_equal(collector_rw_type(99), "unknown");
    hale_buf_fini(&b);
}

/* --- labels ------------------------------------------------------------------------------------ */

struct pair {
    const char *name, *value;
};

static void canon_gives(const struct pair *pairs, const char *name, unsigned n_dims,
                        const char *fault)
{
    struct hale_buf labels, out;
    struct hale_str runs[2];
    struct hale_series s;
    struct hale_err err = {0};
    hale_buf_init(&labels, 1u << 16);
    hale_buf_init(&out, 1u << 16);
    size_t half = 0;
    for (size_t i = 0; pairs[i].name != NULL; i++) {
        put_label(&labels, pairs[i].name, pairs[i].value);
        if (i == 0)
            half = labels.len;
    }
    runs[0] = (struct hale_str){labels.p, half};
    runs[1] = (struct hale_str){labels.p + half, labels.len - half};
    enum hale_rc rc =
        collector_rw_canon(runs, 2, HALE_STR("ten"), HALE_STR("one"), &out, &err);
    if (fault != NULL) {
        assert_int_equal(rc, HALE_E_INVAL);
        assert_int_equal(out.len, 0);
        if (strstr(err.text, fault) == NULL)
            fail_msg("'%s' is not in '%s'", fault, err.text);
    } else {
        if (rc != HALE_OK)
            fail_msg("%s", err.text);
        assert_int_equal(hale_series_decode(hale_buf_str(&out), &s), HALE_OK);
        assert_true(hale_str_eq_c(s.tenant, "ten") && hale_str_eq_c(s.region, "one"));
        assert_true(hale_str_eq_c(s.name, name));
        assert_int_equal(s.n_dims, n_dims);
        for (size_t i = 0; pairs[i].name != NULL; i++) {
            struct hale_str value = hale_series_dim(&s, hale_str_from(pairs[i].name));
            if (strcmp(pairs[i].name, "__name__") != 0 && pairs[i].value[0] != '\0')
                assert_true(hale_str_eq_c(value, pairs[i].value));
        }
    }
    hale_buf_fini(&labels);
    hale_buf_fini(&out);
}

static void labels_become_dimensions(void **state)
{
    (void)state;
    canon_gives(
        (struct pair[]){
            {"__name__", "node_load1"}, {"job", "n"}, {"a", "b c"}, {NULL, NULL}},
        "node_load1", 2, NULL);
    canon_gives(
        (struct pair[]){
            {"z", "1"}, {"__name__", "job:rule:rate5m"}, {"empty", ""}, {NULL, NULL}},
        "job:rule:rate5m", 1, NULL);
    canon_gives((struct pair[]){{"__name__", "x"}, {NULL, NULL}}, "x", 0, NULL);
}

static void labels_that_do_not_fit(void **state)
{
    char long_value[300];
    (void)state;
    memset(long_value, 'x', 256);
    long_value[256] = '\0';
    static const struct {
        struct pair pairs[4];
        const char *fault;
    } CASES[] = {
        {{{"job", "x"}, {NULL, NULL}}, "without a metric name"},
        {{{"__name__", ""}, {"job", "x"}, {NULL, NULL}}, "without a metric name"},
        {{{"__name__", "a b"}, {NULL, NULL}}, "invalid characters in metric name"},
        {{{"__name__", "x"}, {"_tmp", "y"}, {NULL, NULL}},
         "start with '_': for metric x"},
        {{{"__name__", "x"}, {"__meta", "y"}, {NULL, NULL}}, "must not start with '_'"},
        {{{"__name__", "x"}, {"le", "a=b"}, {NULL, NULL}},
         "in dimension value a=b: for metric x"},
        {{{"__name__", "x"}, {"url", "/?a&b"}, {NULL, NULL}}, "invalid characters"},
        {{{"__name__", "x"}, {"a", "1"}, {"a", "2"}, {NULL, NULL}}, "given twice"},
        {{{"__name__", "x"}, {"a", "\xff"}, {NULL, NULL}}, "not UTF-8"},
        {{{"__name__", "x"}, {"", "v"}, {NULL, NULL}},
         "invalid length for dimension key"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        canon_gives(CASES[i].pairs, NULL, 0, CASES[i].fault);
    canon_gives((struct pair[]){{"__name__", "x"}, {"a", long_value}, {NULL, NULL}}, NULL,
                0, "invalid length");
}

static void too_many_labels(void **state)
{
    struct pair pairs[HALE_DIMS_MAX + 3] = {{"__name__", "x"}};
    static char names[HALE_DIMS_MAX + 1][8];
    (void)state;
    for (unsigned i = 0; i <= HALE_DIMS_MAX; i++) {
        names[i][0] = 'l';
        names[i][1] = (char)('a' + i / 26);
        names[i][2] = (char)('a' + i % 26);
        pairs[1 + i] = (struct pair){names[i], "v"};
    }
    canon_gives(pairs, NULL, 0, "more than 64 dimensions");
    pairs[1 + HALE_DIMS_MAX] = (struct pair){NULL, NULL};
    canon_gives(pairs, "x", HALE_DIMS_MAX, NULL);
}

static void damaged_label(void **state)
{
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_str run = BYTES("\x0a\x02\x0a\x05");
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(
        collector_rw_canon(&run, 1, HALE_STR("t"), HALE_STR("r"), &out, &err),
        HALE_E_INVAL);
    assert_non_null(strstr(err.text, "damaged label"));
    hale_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_series),
        cmocka_unit_test(samples_without_fields),
        cmocka_unit_test(long_labels),
        cmocka_unit_test(labels_in_runs),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(metadata),
        cmocka_unit_test(labels_become_dimensions),
        cmocka_unit_test(labels_that_do_not_fit),
        cmocka_unit_test(too_many_labels),
        cmocka_unit_test(damaged_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
