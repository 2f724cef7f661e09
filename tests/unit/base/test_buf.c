/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support/fail_alloc.h"

static void test_append(void **state)
{
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 1000);
    hale_buf_add_c(&b, "abc");
    hale_buf_add_char(&b, '-');
    hale_buf_add_str(&b, HALE_STR("de"));
    hale_buf_add(&b, NULL, 0);
    hale_buf_printf(&b, "%d/%s", 7, "x");
    assert_string_equal(b.p, "abc-de7/x");
    hale_buf_consume(&b, 4);
    assert_string_equal(b.p, "de7/x");
    assert_int_equal(b.len, 5);
    hale_buf_consume(&b, 5);
    assert_string_equal(b.p, "");
    hale_buf_reset(&b);
    for (int i = 0; i < 100; i++)
        hale_buf_printf(&b, "%s", "0123456789");
    assert_false(b.failed);
    assert_int_equal(strlen(b.p), 1000);
    char *taken = hale_buf_take(&b);
    assert_int_equal(strlen(taken), 1000);
    free(taken);
    assert_int_equal(b.len, 0);
    taken = hale_buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    hale_buf_fini(&b);
    hale_buf_fini(&b);
}

static void test_ceiling(void **state)
{
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 8);
    hale_buf_add_c(&b, "12345678");
    assert_false(b.failed);
    assert_int_equal(b.cap, 9);
    hale_buf_add(&b, "", 0);
    assert_false(b.failed);
    hale_buf_add_char(&b, '9');
    assert_true(b.failed);
    assert_string_equal(b.p, "12345678");
    hale_buf_add_c(&b, "");
    assert_null(hale_buf_reserve(&b, 0));
    assert_null(hale_buf_take(&b));
    hale_buf_reset(&b);
    hale_buf_printf(&b, "%s", "123456789");
    assert_true(b.failed);
    assert_string_equal(b.p, "");
    hale_buf_reset(&b);
    assert_null(hale_buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    hale_buf_reset(&b);
    memcpy(hale_buf_reserve(&b, 8), "abcdefgh", 8);
    assert_int_equal(b.len, 0);
    hale_buf_fini(&b);
}

static void test_no_memory(void **state)
{
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 1000);
    fail_alloc_in = 1;
    hale_buf_add_c(&b, "x");
    assert_true(b.failed);
    assert_null(b.p);
    hale_buf_reset(&b);
    hale_buf_add_c(&b, "x");
    fail_alloc_in = 1;
    hale_buf_printf(&b, "%0200d", 1);
    assert_true(b.failed);
    assert_string_equal(b.p, "x");
    fail_alloc_in = 0;
    hale_buf_fini(&b);
    fail_alloc_in = 1;
    assert_null(hale_buf_take(&b));
    assert_true(b.failed);
    hale_buf_fini(&b);
}

static void test_json(void **state)
{
    static const struct {
        struct hale_str in;
        const char *out;
    } rows[] = {
        {{NULL, 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{"\n\r\t\b\f", 5}, "\"\\n\\r\\t\\b\\f\""},
        {{"\0\x1f\x7f", 3}, "\"\\u0000\\u001f\x7f\""},
        {{"\xe2\x82\xac", 3}, "\"\xe2\x82\xac\""},
        {{"x\xff\xfey", 4}, "\"x\xef\xbf\xbd\xef\xbf\xbdy\""},
        {{"\xe2\x82", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_buf b;
        hale_buf_init(&b, 100);
        hale_buf_add_json(&b, rows[i].in);
        assert_string_equal(b.p, rows[i].out);
        hale_buf_fini(&b);
    }
}

static void test_double_texts(void **state)
{
    static const struct {
        double in;
        const char *out;
    } rows[] = {
        {2, "2.0"},
        {0, "0.0"},
        {-0.0, "-0.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {-0.05, "-0.05"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e9, "1000000000.0"},
        {123456.789, "123456.789"},
        {1e15, "1e+15"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {1e-7, "1e-07"},
        {1.0 / 3, "0.3333333333333333"},
        {INFINITY, "null"},
        {NAN, "null"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_buf b;
        hale_buf_init(&b, 100);
        hale_buf_add_double(&b, rows[i].in);
        assert_string_equal(b.p, rows[i].out);
        hale_buf_fini(&b);
    }
}

/* Whatever the bits, the text reads back as the same number. */
static void test_double_property(void **state)
{
    uint64_t x = 88172645463325252u;
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 100);
    for (int i = 0; i < 200000; i++) {
        double d;
        double back;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (i % 2 == 0)
            memcpy(&d, &x, sizeof(d));
        else
            d = (double)(int64_t)(x >> 24) / 1000.0;
        if (!isfinite(d))
            continue;
        hale_buf_reset(&b);
        hale_buf_add_double(&b, d);
        assert_int_equal(hale_str_double(hale_buf_str(&b), &back), HALE_OK);
        assert_memory_equal(&d, &back, sizeof(d));
    }
    hale_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),       cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_json),
        cmocka_unit_test(test_double_texts), cmocka_unit_test(test_double_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
