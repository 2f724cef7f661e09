/* SPDX-License-Identifier: Apache-2.0 */
/* sketch: exact while few, within the stated error when many, bounded, and the same after a restart. */
#include <float.h>

#include "reference.h"
#include "support/cmocka.h"
#include "support/fail_alloc.h"
#include "thresholds/sketch.h"

#define SAMPLES 20000

static uint64_t random_state = 0x2545f4914f6cdd1du;

static double random_unit(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

/* The value of rank ceil(percent / 100 * n) of sorted values. */
static double ranked(const double *sorted, unsigned n, double percent)
{
    double rank = ceil(percent * n / 100 - 1e-9);
    return sorted[rank < 1 ? 0 : (unsigned)rank - 1];
}

/* kind 0: within 8 powers of two, 1: of both signs, 2: over 60 powers of two, 3: a few values */
static double draw(unsigned kind)
{
    double u = random_unit();
    switch (kind) {
    case 0: return 1 + u * 250;
    case 1: return (u - 0.5) * 10 + (u > 0.5 ? 1 : -1);
    case 2: return exp2(60 * u - 30);
    default: return floor(u * 5) * 7.3;
    }
}

static void check_case(unsigned kind, unsigned n, double error)
{
    static const double percents[] = {0.001, 1, 25, 50, 90, 95, 99, 99.9, 99.999};
    static double v[SAMPLES];
    struct sketch k;
    assert_int_equal(thresholds_sketch_init(&k), HALE_OK);
    for (unsigned i = 0; i < n; i++) {
        v[i] = draw(kind);
        thresholds_sketch_add(&k, v[i]);
    }
    assert_true(k.n <= SKETCH_MAX && k.cap <= SKETCH_MAX);
    qsort(v, n, sizeof(v[0]), reference_order);
    for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        double want = ranked(v, n, percents[i]);
        double got = thresholds_sketch_percentile(&k, percents[i], n);
        if (n < 300)
            assert_true(reference_percentile(v, n, percents[i]) == want);
        if (!(fabs(got - want) <= error * fabs(want)))
            fail_msg("kind %u, %u samples, %g %%: %.17g, not %.17g", kind, n, percents[i],
                     got, want);
    }
    struct hale_buf b;
    hale_buf_init(&b, 65536);
    thresholds_sketch_put(&k, &b);
    assert_false(b.failed);
    struct cursor c = {(const unsigned char *)b.p, (const unsigned char *)b.p + b.len,
                       false, 0};
    struct sketch again;
    assert_int_equal(thresholds_sketch_init(&again), HALE_OK);
    assert_true(thresholds_sketch_get(&again, &c, n));
    assert_true(c.p == c.end);
    for (int p = 1; p < 200; p += 14)
        assert_true(thresholds_sketch_percentile(&again, p / 2.0, n) ==
                    thresholds_sketch_percentile(&k, p / 2.0, n));
    for (size_t cut = 0; cut < b.len; cut++) {
        struct cursor half = {(const unsigned char *)b.p,
                              (const unsigned char *)b.p + cut, false, 0};
        assert_false(thresholds_sketch_get(&again, &half, n));
    }
    thresholds_sketch_fini(&again);
    thresholds_sketch_fini(&k);
    hale_buf_fini(&b);
}

static void test_exact_while_few(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned n = 1; n < 40; n++)
            check_case(kind, n, 0);
        check_case(kind, 250, 0);
        check_case(kind, SKETCH_MAX, 0);
    }
}

static void test_stated_error_when_many(void **state)
{
    (void)state;
    check_case(0, SKETCH_MAX + 1, 1.0 / 128);
    check_case(0, SAMPLES, 1.0 / 128);
    check_case(1, SAMPLES, 1.0 / 64);
    check_case(2, SAMPLES, 1.0 / 16); /* 60 powers of two are three times 8 doubled */
    check_case(3, SAMPLES, 1.0 / 128);
}

static void test_ends_are_exact(void **state)
{
    (void)state;
    struct sketch k;
    assert_int_equal(thresholds_sketch_init(&k), HALE_OK);
    for (unsigned i = 0; i < 5000; i++)
        thresholds_sketch_add(&k, 100);
    assert_true(thresholds_sketch_percentile(&k, 99, 5000) == 100);
    thresholds_sketch_clear(&k);
    for (unsigned i = 0; i < 2000; i++) { /* every exponent, both signs */
        double x = ldexp(1, (int)(i % 1000) * 2 - 1000);
        thresholds_sketch_add(&k, i % 2 == 0 ? x : -x);
    }
    thresholds_sketch_add(&k, DBL_MAX);
    thresholds_sketch_add(&k, -DBL_MAX);
    assert_true(k.n <= SKETCH_MAX);
    for (int p = 1; p < 100; p++)
        assert_true(isfinite(thresholds_sketch_percentile(&k, p, 2002)));
    assert_true(thresholds_sketch_percentile(&k, 10, 2002) < 0);
    assert_true(thresholds_sketch_percentile(&k, 90, 2002) > 0);
    thresholds_sketch_fini(&k);
}

/* Memory that cannot be had makes it coarser, and loses no sample. */
static void test_without_memory(void **state)
{
    (void)state;
    struct sketch k;
    fail_alloc_in = 1;
    assert_int_equal(thresholds_sketch_init(&k), HALE_E_NOMEM);
    assert_int_equal(thresholds_sketch_init(&k), HALE_OK);
    unsigned before = k.cap;
    for (unsigned i = 0; i < before; i++)
        thresholds_sketch_add(&k, 1 + i * 0.25);
    for (unsigned i = before; i < 1000; i++) {
        fail_alloc_in = 1;
        thresholds_sketch_add(&k, 1 + i * 0.25);
    }
    fail_alloc_in = 0;
    assert_int_equal(k.cap, before);
    double got = thresholds_sketch_percentile(&k, 50, 1000);
    assert_true(got > 125.75 * 0.5 && got < 125.75 * 2);
    uint64_t all = 0;
    for (unsigned i = 0; i < k.n; i++)
        all += k.v[i] & UINT32_MAX;
    assert_int_equal(all, 1000);
    thresholds_sketch_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_while_few),
        cmocka_unit_test(test_stated_error_when_many),
        cmocka_unit_test(test_ends_are_exact),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
