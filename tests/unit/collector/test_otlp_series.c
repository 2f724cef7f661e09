/* SPDX-License-Identifier: Apache-2.0 */
/* From data points to samples, and from their spelling to a canonical series. */
#include "collector/otlp_series.h"

#include <math.h>
#include <string.h>

#include "model/protobuf.h"
#include "model/series.h"
#include "support/cmocka.h"

static const struct collector_otlp_point GOOD = {
    .kind = COLLECTOR_OTLP_NUMBER, .name = {"m", 1}, .time_ns = 1, .value = {true, 1}};

static void faults_of_points(void **state)
{
    static char long_name[1021], long_resource[COLLECTOR_OTLP_RESOURCE_MAX + 1];
    struct collector_otlp_point p = GOOD;
    (void)state;
    memset(long_name, 'x', sizeof(long_name));
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    p.name = HALE_STR("");
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_NAME);
    p.name = HALE_STR("a\0b");
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_NAME);
    p.name = (struct hale_str){long_name, sizeof(long_name)};
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_NAME);
    p.name.len--;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    p = GOOD;
    p.resource = (struct hale_str){long_resource, sizeof(long_resource)};
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_RESOURCE);
    p.resource.len--;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    p = GOOD;
    p.time_ns = 0;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_TIME);
    p.time_ns = UINT64_MAX; /* the year 2554: still within Monasca's range */
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    p.value.given = false;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_VALUE);
    p.kind = COLLECTOR_OTLP_HISTOGRAM;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    p.bounds.len = 8;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_VALUE);
    p.counts.len = 8;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_BAD_VALUE);
    p.counts.len = 16;
    assert_int_equal(collector_otlp_check(&p), COLLECTOR_OTLP_GOOD);
    for (int f = COLLECTOR_OTLP_GOOD; f <= COLLECTOR_OTLP_FULL; f++)
        assert_true(strlen(collector_otlp_fault_text((enum collector_otlp_fault)f)) > 3);
}

/* --- samples -------------------------------------------------------------------------------------- */

struct want {
    const char *part;
    size_t len;
    double value;
};

struct check {
    const struct want *want;
    size_t n, i;
};

static bool compare(const struct collector_otlp_sample *s, void *arg)
{
    struct check *c = arg;
    assert_true(c->i < c->n);
    const struct want *w = &c->want[c->i++];
    assert_int_equal(s->part.len, w->len);
    assert_memory_equal(s->part.p, w->part, w->len);
    assert_true(s->value == w->value);
    return true;
}

#define PART(text) text, sizeof(text) - 1

static void expands(const struct collector_otlp_point *p, const struct want *want,
                    size_t n)
{
    struct collector_arena a;
    struct check c = {want, n, 0};
    collector_arena_init(&a, 1u << 20);
    assert_int_equal(collector_otlp_check(p), COLLECTOR_OTLP_GOOD);
    assert_int_equal(collector_otlp_expand(p, &a, compare, &c), COLLECTOR_OTLP_GOOD);
    assert_int_equal(c.i, n);
    collector_arena_fini(&a);
}

static void points_become_samples(void **state)
{
    static const double bounds[] = {-0.25, 5, 1e300};
    static const uint64_t counts[] = {1, 2, 0, 4};
    struct hale_buf q;
    (void)state;
    expands(&GOOD, (struct want[]){{PART("m"), 1}}, 1);
    struct collector_otlp_point p = {.kind = COLLECTOR_OTLP_HISTOGRAM,
                                     .name = {"m", 1},
                                     .time_ns = 1,
                                     .count = 7,
                                     .sum = {true, -2.5},
                                     .max = {true, 9}};
    expands(&p,
            (struct want[]){{PART("m\0.count\0"), 7},
                            {PART("m\0.sum\0"), -2.5},
                            {PART("m\0.max\0"), 9}},
            3);
    p.min = (struct collector_otlp_number){true, 0};
    p.bounds = (struct hale_str){(const char *)bounds, sizeof(bounds)};
    p.counts = (struct hale_str){(const char *)counts, sizeof(counts)};
    expands(&p,
            (struct want[]){{PART("m\0.count\0"), 7},
                            {PART("m\0.sum\0"), -2.5},
                            {PART("m\0.min\0"), 0},
                            {PART("m\0.max\0"), 9},
                            {PART("m\0.bucket\0le\0-0.25"), 1},
                            {PART("m\0.bucket\0le\0005"), 3},
                            {PART("m\0.bucket\0le\0001e+300"), 3},
                            {PART("m\0.bucket\0le\0+Inf"), 7}},
            8);
    hale_buf_init(&q, 4096);
    size_t at = hale_pb_begin(&q, 6);
    hale_pb_put_double(&q, 1, 0.99);
    hale_pb_put_double(&q, 2, 3);
    hale_pb_end(&q, at);
    hale_pb_put_bytes(&q, 6, HALE_STR("")); /* both zero */
    p = (struct collector_otlp_point){.kind = COLLECTOR_OTLP_SUMMARY,
                                      .name = {"m", 1},
                                      .time_ns = 1,
                                      .quantiles = hale_buf_str(&q)};
    expands(&p,
            (struct want[]){{PART("m\0.count\0"), 0},
                            {PART("m\0\0quantile\0000.99"), 3},
                            {PART("m\0\0quantile\0000"), 0}},
            3);
    hale_buf_fini(&q);
}

static void a_full_arena_is_told(void **state)
{
    struct collector_arena a;
    struct check c = {NULL, 0, 0};
    struct collector_otlp_point p = GOOD;
    (void)state;
    p.kind = COLLECTOR_OTLP_HISTOGRAM;
    collector_arena_init(&a, 10);
    assert_int_equal(collector_otlp_expand(&p, &a, compare, &c), COLLECTOR_OTLP_FULL);
    collector_arena_fini(&a);
}

/* --- series --------------------------------------------------------------------------------------- */

/* Attributes as text, so that a table can hold them: "s:key=value", i, d, b likewise; "a:key" is an
 * array, "n:key" has no value; blanks separate. */
static void put_attributes(struct hale_buf *b, const char *text, uint32_t number)
{
    struct hale_str rest = hale_str_from(text);
    while (rest.len > 0) {
        struct hale_str value = hale_str_split(&rest, ' ');
        char type = value.p[0];
        value.p += 2;
        value.len -= 2;
        struct hale_str key = hale_str_split(&value, '=');
        double d = 0;
        int64_t i = 0;
        size_t at = hale_pb_begin(b, number);
        hale_pb_put_bytes(b, 1, key);
        size_t any = hale_pb_begin(b, 2);
        if (type == 's')
            hale_pb_put_bytes(b, 1, value);
        if (type == 'b')
            hale_pb_put_varint(b, 2, hale_str_eq_c(value, "1"));
        if (type == 'i') {
            assert_int_equal(hale_str_i64(value, &i), HALE_OK);
            hale_pb_put_varint(b, 3, (uint64_t)i);
        }
        if (type == 'd') {
            assert_int_equal(hale_str_double(value, &d), HALE_OK);
            hale_pb_put_double(b, 4, d);
        }
        if (type == 'a')
            hale_pb_put_bytes(b, 5, HALE_STR(""));
        hale_pb_end(b, any);
        hale_pb_end(b, at);
    }
}

static enum hale_rc canon(const char *resource, struct hale_str part,
                          const char *attributes, struct hale_buf *out,
                          struct hale_err *err)
{
    struct hale_buf a, c;
    hale_buf_init(&a, 1u << 16);
    hale_buf_init(&c, 1u << 16);
    put_attributes(&a, resource, 1);
    hale_pb_put_varint(&a, 2, 5); /* dropped_attributes_count */
    put_attributes(&c, attributes, 9);
    const struct hale_str spelling[3] = {hale_buf_str(&a), part, hale_buf_str(&c)};
    enum hale_rc rc =
        collector_otlp_canon(spelling, HALE_STR("ten"), HALE_STR("one"), out, err);
    hale_buf_fini(&a);
    hale_buf_fini(&c);
    return rc;
}

static void spelling_becomes_series(void **state)
{
    static const struct {
        const char *resource, *part;
        size_t len;
        const char *attributes, *want; /* "name key=value ..." */
    } CASES[] = {
        {"", PART("m"), "", "m"},
        {"s:host.name=h s:service.name=x", PART("m"), "s:z=1",
         "m hostname=h service.name=x z=1"},
        {"i:i=-5 b:t=1 b:f=0 d:d=0.5 d:e=3", PART("m"), "",
         "m d=0.5 e=3 f=false i=-5 t=true"},
        {"n:none s:empty=", PART("m"), "s:a=b", "m a=b"},
        {"s:r=1", PART("m\0.sum\0"), "s:a=b", "m.sum a=b r=1"},
        {"", PART("m\0.bucket\0le\0+Inf"), "", "m.bucket le=+Inf"},
        {"", PART("m\0\0quantile\0000.5"), "", "m quantile=0.5"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out, text;
        struct hale_err err = {0};
        struct hale_series s;
        hale_buf_init(&out, 1u << 16);
        hale_buf_init(&text, 1u << 16);
        if (canon(CASES[i].resource, (struct hale_str){CASES[i].part, CASES[i].len},
                  CASES[i].attributes, &out, &err) != HALE_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(hale_series_decode(hale_buf_str(&out), &s), HALE_OK);
        assert_true(hale_str_eq_c(s.tenant, "ten") && hale_str_eq_c(s.region, "one"));
        hale_buf_add_str(&text, s.name);
        for (unsigned k = 0; k < s.n_dims; k++) {
            hale_buf_add_char(&text, ' ');
            hale_buf_add_str(&text, s.dims[k].key);
            hale_buf_add_char(&text, '=');
            hale_buf_add_str(&text, s.dims[k].value);
        }
        assert_string_equal(text.p, CASES[i].want);
        hale_buf_fini(&out);
        hale_buf_fini(&text);
    }
}

static void what_does_not_fit(void **state)
{
    static const struct {
        const char *resource, *part;
        size_t len;
        const char *attributes, *fault;
    } CASES[] = {
        {"a:list", PART("m"), "", "attribute list is neither text nor a number"},
        {"", PART("m"), "a:list", "neither text"},
        {"s:a=1", PART("m"), "s:a=2", "dimension key a is given twice: for metric m"},
        {"s:host.name=1", PART("m"), "s:hostname=2", "hostname is given twice"},
        {"", PART("m\0.bucket\0le\0005"), "s:le=1", "le is given twice"},
        {"", PART("a(b)"), "", "invalid characters in metric name"},
        {"", PART("m"), "s:_a=1", "must not start with '_'"},
        {"", PART("m"), "s:a=x;y", "invalid characters in dimension value"},
        {"", PART("m"), "s:=x", "invalid length for dimension key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out;
        struct hale_err err = {0};
        hale_buf_init(&out, 1u << 16);
        assert_int_equal(canon(CASES[i].resource,
                               (struct hale_str){CASES[i].part, CASES[i].len},
                               CASES[i].attributes, &out, &err),
                         HALE_E_INVAL);
        if (strstr(err.text, CASES[i].fault) == NULL)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(out.len, 0);
        hale_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_points),     cmocka_unit_test(points_become_samples),
        cmocka_unit_test(a_full_arena_is_told), cmocka_unit_test(spelling_becomes_series),
        cmocka_unit_test(what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
