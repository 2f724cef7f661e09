/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over OTLP requests: every kind of point, legal oddities of senders, damage. */
#include "collector/otlp.h"

#include <math.h>
#include <string.h>

#include "model/protobuf.h"
#include "support/cmocka.h"

#define POINTS_MAX 16

struct seen {
    struct collector_otlp_point points[POINTS_MAX];
    size_t n, stop_after;
};

static bool see(const struct collector_otlp_point *p, void *arg)
{
    struct seen *s = arg;
    assert_true(s->n < POINTS_MAX);
    s->points[s->n++] = *p;
    return s->n != s->stop_after;
}

/* A request that is open down to the data points of one metric. */
struct open {
    size_t resource_metrics, scope, metric, data;
};

static struct open begin(struct hale_buf *b, const char *resource, const char *name,
                         uint32_t data)
{
    struct open o;
    o.resource_metrics = hale_pb_begin(b, 1);
    if (resource != NULL)
        hale_pb_put_bytes(b, 1, hale_str_from(resource));
    o.scope = hale_pb_begin(b, 2);
    hale_pb_put_bytes(b, 1, HALE_STR("")); /* a scope */
    o.metric = hale_pb_begin(b, 2);
    if (name != NULL)
        hale_pb_put_bytes(b, 1, hale_str_from(name));
    hale_pb_put_bytes(b, 2, HALE_STR("a description"));
    o.data = hale_pb_begin(b, data);
    return o;
}

static void finish(struct hale_buf *b, const struct open *o)
{
    hale_pb_end(b, o->data);
    hale_pb_end(b, o->metric);
    hale_pb_end(b, o->scope);
    hale_pb_end(b, o->resource_metrics);
    assert_false(b->failed);
}

static enum collector_otlp_end walk(const struct hale_buf *b, struct collector_arena *a,
                                    struct seen *s)
{
    memset(s->points, 0, sizeof(s->points));
    s->n = 0;
    return collector_otlp_walk(hale_buf_str(b), a, see, s);
}

static bool is(struct collector_otlp_number n, double v)
{
    return n.given && n.v == v;
}

static void numbers(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    static struct seen s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    collector_arena_init(&a, 1u << 20);
    for (uint32_t kind = 5; kind <= 7; kind += 2) { /* gauge, sum */
        hale_buf_reset(&b);
        struct open o = begin(&b, "RESOURCE", "cpu", kind);
        size_t p = hale_pb_begin(&b, 1);
        hale_pb_put_fixed64(&b, 3, 5000000);
        hale_pb_put_double(&b, 4, 1.5);
        size_t attributes = b.len;
        hale_pb_put_bytes(&b, 7, HALE_STR("A"));
        hale_pb_put_bytes(&b, 7, HALE_STR("B"));
        hale_pb_end(&b, p);
        p = hale_pb_begin(&b, 1);
        hale_pb_put_fixed64(&b, 6, (uint64_t)-7);
        hale_pb_put_varint(&b, 8, 3);
        hale_pb_end(&b, p);
        hale_pb_put_bytes(&b, 1, HALE_STR(""));
        finish(&b, &o);
        assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DONE);
        assert_int_equal(s.n, 3);
        assert_int_equal(s.points[0].kind, COLLECTOR_OTLP_NUMBER);
        assert_true(hale_str_eq_c(s.points[0].resource, "RESOURCE"));
        assert_true(hale_str_eq_c(s.points[0].name, "cpu"));
        assert_true(hale_str_eq_c(s.points[0].attributes, "\x3a\x01"
                                                          "A\x3a\x01"
                                                          "B"));
        assert_ptr_equal(s.points[0].attributes.p, b.p + attributes);
        assert_int_equal(s.points[0].time_ns, 5000000);
        assert_true(is(s.points[0].value, 1.5) && !s.points[0].stale);
        assert_true(is(s.points[1].value, -7) && s.points[1].stale);
        assert_int_equal(s.points[1].attributes.len, 0);
        assert_false(s.points[2].value.given);
        assert_int_equal(s.points[2].time_ns, 0);
    }
    s.stop_after = 2;
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_STOPPED);
    assert_int_equal(s.n, 2);
    s.stop_after = 0;
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

static void put_packed(struct hale_buf *b, uint32_t number, const uint64_t *v, size_t n)
{
    size_t at = hale_pb_begin(b, number);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 8; k++)
            hale_buf_add_char(b, (char)(v[i] >> (8 * k)));
    }
    hale_pb_end(b, at);
}

static void histograms(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    static struct seen s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    collector_arena_init(&a, 1u << 20);
    struct open o = begin(&b, "R", "lat", 9);
    for (unsigned packed = 0; packed <= 1; packed++) {
        size_t p = hale_pb_begin(&b, 1);
        hale_pb_put_fixed64(&b, 3, 9);
        hale_pb_put_fixed64(&b, 4, 11);
        hale_pb_put_double(&b, 5, 2.5);
        hale_pb_put_double(&b, 11, -1);
        hale_pb_put_double(&b, 12, 7);
        if (packed) {
            put_packed(&b, 6, (uint64_t[]){4, 7}, 2);
        } else { /* one by one, with something else in between */
            hale_pb_put_fixed64(&b, 6, 4);
            hale_pb_put_double(&b, 7, 0.5);
            hale_pb_put_fixed64(&b, 6, 7);
        }
        hale_pb_put_bytes(&b, 9, HALE_STR("A"));
        hale_pb_put_varint(&b, 10, packed);
        hale_pb_end(&b, p);
    }
    finish(&b, &o);
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DONE);
    assert_int_equal(s.n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct collector_otlp_point *p = &s.points[i];
        assert_int_equal(p->kind, COLLECTOR_OTLP_HISTOGRAM);
        assert_true(p->count == 11 && is(p->sum, 2.5) && is(p->min, -1) && is(p->max, 7));
        assert_int_equal(p->counts.len, 16);
        assert_int_equal(hale_pb_packed64(p->counts, 0), 4);
        assert_int_equal(hale_pb_packed64(p->counts, 1), 7);
        assert_int_equal(p->attributes.len, 3);
        assert_int_equal(p->stale, i == 1);
    }
    assert_true(hale_pb_packed_double(s.points[0].bounds, 0) == 0.5);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

static void exponential_and_summary(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    static struct seen s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    collector_arena_init(&a, 1u << 20);
    struct open o = begin(&b, NULL, "exp", 10);
    for (unsigned i = 0; i < 2; i++) {
        size_t p = hale_pb_begin(&b, 1);
        hale_pb_put_bytes(&b, 1, HALE_STR("A"));
        hale_pb_put_fixed64(&b, 4, 3);
        hale_pb_put_double(&b, 12, 1);
        hale_pb_put_double(&b, 13, 2);
        hale_pb_put_bytes(&b, 8, i == 0 ? HALE_STR("") : HALE_STR("\x12\x01\x01"));
        hale_pb_put_varint(&b, 10, i);
        hale_pb_end(&b, p);
    }
    finish(&b, &o);
    o = begin(&b, NULL, "summ", 11);
    size_t p = hale_pb_begin(&b, 1);
    hale_pb_put_fixed64(&b, 4, 8);
    hale_pb_put_double(&b, 5, 4.5);
    for (unsigned i = 1; i <= 2; i++) {
        size_t q = hale_pb_begin(&b, 6);
        hale_pb_put_double(&b, 1, i / 4.0);
        hale_pb_put_double(&b, 2, i);
        hale_pb_end(&b, q);
    }
    hale_pb_put_bytes(&b, 7, HALE_STR("A"));
    hale_pb_end(&b, p);
    finish(&b, &o);
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DONE);
    assert_int_equal(s.n, 3);
    assert_false(s.points[0].has_buckets || s.points[0].stale);
    assert_true(s.points[1].has_buckets && s.points[1].stale);
    assert_true(s.points[1].count == 3 && is(s.points[1].min, 1) &&
                is(s.points[1].max, 2));
    assert_false(s.points[1].sum.given);
    assert_int_equal(s.points[1].attributes.len, 3);
    assert_int_equal(s.points[1].resource.len, 0);
    assert_true(s.points[2].count == 8 && is(s.points[2].sum, 4.5));
    struct hale_str rest = s.points[2].quantiles;
    struct collector_otlp_quantile q;
    assert_true(collector_otlp_quantile(&rest, &q) && q.quantile == 0.25 && q.value == 1);
    assert_true(collector_otlp_quantile(&rest, &q) && q.quantile == 0.5 && q.value == 2);
    assert_false(collector_otlp_quantile(&rest, &q));
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

/* Legal protobuf that no known sender writes: the resource behind the metrics and in two parts, the
 * name behind the data, attributes that do not lie side by side. */
static void parts_in_any_order(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    static struct seen s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    collector_arena_init(&a, 1u << 20);
    struct open o = begin(&b, NULL, NULL, 5);
    size_t p = hale_pb_begin(&b, 1);
    hale_pb_put_bytes(&b, 7, HALE_STR("A"));
    hale_pb_put_fixed64(&b, 3, 1);
    hale_pb_put_bytes(&b, 7, HALE_STR("B"));
    hale_pb_end(&b, p);
    hale_pb_end(&b, o.data);
    hale_pb_put_bytes(&b, 1, HALE_STR("late"));
    hale_pb_end(&b, o.metric);
    hale_pb_end(&b, o.scope);
    hale_pb_put_bytes(&b, 1, HALE_STR("RES"));
    hale_pb_put_bytes(&b, 3, HALE_STR("schema"));
    hale_pb_put_bytes(&b, 1, HALE_STR("OURCE"));
    hale_pb_end(&b, o.resource_metrics);
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DONE);
    assert_int_equal(s.n, 1);
    assert_true(hale_str_eq_c(s.points[0].resource, "RESOURCE"));
    assert_true(hale_str_eq_c(s.points[0].name, "late"));
    assert_true(hale_str_eq_c(s.points[0].attributes, "\x3a\x01"
                                                      "A\x3a\x01"
                                                      "B"));
    collector_arena_fini(&a);
    collector_arena_init(&a, 0);
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_NO_ROOM);
    assert_int_equal(s.n, 0);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

/* A request cut off behind every byte, and parts whose own length is wrong. */
static void damage_is_told(void **state)
{
    struct hale_buf b;
    struct collector_arena a;
    static struct seen s;
    (void)state;
    hale_buf_init(&b, 1u << 16);
    collector_arena_init(&a, 1u << 20);
    struct open o = begin(&b, "R", "lat", 9);
    size_t p = hale_pb_begin(&b, 1);
    hale_pb_put_fixed64(&b, 3, 9);
    size_t counts = b.len;
    put_packed(&b, 6, (uint64_t[]){4, 7}, 2);
    hale_pb_end(&b, p);
    finish(&b, &o);
    for (size_t n = 1; n < b.len; n++) {
        const struct hale_buf cut = {.p = b.p, .len = n};
        assert_int_equal(walk(&cut, &a, &s), COLLECTOR_OTLP_DAMAGED);
    }
    b.p[counts + 1] = (char)0x8f; /* 15 bytes of counts: not whole numbers */
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DAMAGED);
    assert_int_equal(s.n, 0);
    hale_buf_reset(&b);
    o = begin(&b, "R", "summ", 11);
    hale_pb_put_bytes(&b, 1, HALE_STR("\x32\x02\x09\x00")); /* half a quantile */
    finish(&b, &o);
    assert_int_equal(walk(&b, &a, &s), COLLECTOR_OTLP_DAMAGED);
    assert_int_equal(s.n, 0);
    collector_arena_fini(&a);
    hale_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(histograms),
        cmocka_unit_test(exponential_and_summary),
        cmocka_unit_test(parts_in_any_order),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
