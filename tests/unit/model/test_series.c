/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <string.h>

#include "model/series.h"

static struct hale_str str(const char *s)
{
    return hale_str_from(s);
}

/* n times the text */
static struct hale_str times(const char *text, size_t n, char *dst)
{
    struct hale_str s = {dst, 0};
    for (size_t i = 0; i < n; i++) {
        for (const char *p = text; *p != '\0'; p++)
            dst[s.len++] = *p;
    }
    return s;
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *fault; /* NULL: accepted */
    } cases[] = {
        {"cpu.idle_perc", NULL},
        {"a", NULL},
        {"it's|a:path/x", NULL},
        {"_leading", NULL},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
        {"tab\tnewline\n", NULL},
        {"", "invalid length"},
        {"a b", "invalid characters"},
        {"a<b", "invalid characters"},
        {"a>b", "invalid characters"},
        {"a=b", "invalid characters"},
        {"a{b", "invalid characters"},
        {"a}b", "invalid characters"},
        {"a(b", "invalid characters"},
        {"a)b", "invalid characters"},
        {"a,b", "invalid characters"},
        {"a\"b", "invalid characters"},
        {"a\\b", "invalid characters"},
        {"a;b", "invalid characters"},
        {"a&b", "invalid characters"},
        {"a\xff", "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        enum hale_rc rc = hale_series_check_name(str(cases[i].name), &err);
        if (cases[i].fault == NULL) {
            assert_int_equal(rc, HALE_OK);
        } else {
            assert_int_equal(rc, HALE_E_INVAL);
            assert_non_null(strstr(err.text, cases[i].fault));
            assert_non_null(strstr(err.text, "metric name"));
        }
    }
}

static void lengths_count_code_points(void **state)
{
    (void)state;
    char space[4 * 256];
    struct hale_err err;
    static const char *const units[] = {"a", "\xc3\xa9", "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        struct hale_str fits = times(units[i], 255, space);
        assert_int_equal(hale_series_check_name(fits, &err), HALE_OK);
        assert_int_equal(hale_series_check_dim(fits, fits, &err), HALE_OK);
        struct hale_str over = times(units[i], 256, space);
        assert_int_equal(hale_series_check_name(over, &err), HALE_E_INVAL);
        assert_int_equal(hale_series_check_dim(over, str("v"), &err), HALE_E_INVAL);
        assert_int_equal(hale_series_check_dim(str("k"), over, &err), HALE_E_INVAL);
    }
    assert_int_equal(hale_series_check_name((struct hale_str){"a\0b", 3}, &err),
                     HALE_E_INVAL);
    assert_int_equal(hale_series_check_name((struct hale_str){NULL, 0}, &err),
                     HALE_E_INVAL);
    assert_int_equal(hale_series_check_name(str("a b"), NULL), HALE_E_INVAL);
}

static void dimensions(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        const char *fault;
    } cases[] = {
        {"hostname", "h1", NULL},
        {"a b", "x y (z): |'/", NULL},
        {"k_", "_v", NULL},
        {"k", "\xc3\xa9", NULL},
        {"", "v", "invalid length for dimension key"},
        {"k", "", "invalid length for dimension value"},
        {"_k", "v", "must not start with '_'"},
        {"k<", "v", "invalid characters in dimension key"},
        {"k>", "v", "invalid characters in dimension key"},
        {"k=", "v", "invalid characters in dimension key"},
        {"k{", "v", "invalid characters in dimension key"},
        {"k}", "v", "invalid characters in dimension key"},
        {"k,", "v", "invalid characters in dimension key"},
        {"k\"", "v", "invalid characters in dimension key"},
        {"k\\", "v", "invalid characters in dimension key"},
        {"k;", "v", "invalid characters in dimension key"},
        {"k&", "v", "invalid characters in dimension key"},
        {"k", "v<", "invalid characters in dimension value"},
        {"k", "v>", "invalid characters in dimension value"},
        {"k", "v=", "invalid characters in dimension value"},
        {"k", "v{", "invalid characters in dimension value"},
        {"k", "v}", "invalid characters in dimension value"},
        {"k", "v,", "invalid characters in dimension value"},
        {"k", "v\"", "invalid characters in dimension value"},
        {"k", "v\\", "invalid characters in dimension value"},
        {"k", "v;", "invalid characters in dimension value"},
        {"k", "v&", "invalid characters in dimension value"},
        {"k\xc3", "v", "dimension key is not UTF-8"},
        {"k", "\xed\xa0\x80", "dimension value is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        enum hale_rc rc =
            hale_series_check_dim(str(cases[i].key), str(cases[i].value), &err);
        if (cases[i].fault == NULL) {
            assert_int_equal(rc, HALE_OK);
        } else {
            assert_int_equal(rc, HALE_E_INVAL);
            assert_non_null(strstr(err.text, cases[i].fault));
        }
    }
}

static struct hale_series example(void)
{
    struct hale_series s = {.tenant = HALE_STR("t1"),
                            .region = HALE_STR("R"),
                            .name = HALE_STR("cpu"),
                            .n_dims = 3};
    s.dims[0] = (struct hale_dim){HALE_STR("host"), HALE_STR("h1")};
    s.dims[1] = (struct hale_dim){HALE_STR("a"), HALE_STR("2")};
    s.dims[2] = (struct hale_dim){HALE_STR("hos"), HALE_STR("x")};
    return s;
}

static void sort_orders_by_bytes(void **state)
{
    (void)state;
    struct hale_series s = example();
    struct hale_err err = {0};
    assert_int_equal(hale_series_sort(&s, &err), HALE_OK);
    assert_true(hale_str_eq_c(s.dims[0].key, "a"));
    assert_true(hale_str_eq_c(s.dims[1].key, "hos"));
    assert_true(hale_str_eq_c(s.dims[2].key, "host"));
    assert_true(hale_str_eq_c(s.dims[2].value, "h1"));
    assert_true(hale_str_eq_c(hale_series_dim(&s, str("hos")), "x"));
    assert_null(hale_series_dim(&s, str("ho")).p);
    s.dims[1].key = str("host");
    assert_int_equal(hale_series_sort(&s, &err), HALE_E_INVAL);
    assert_non_null(strstr(err.text, "host is given twice"));
}

static void encode_gives_the_documented_bytes(void **state)
{
    (void)state;
    static const char expected[] = "\x01"
                                   "\x02\0t1"
                                   "\x01\0R"
                                   "\x03\0"
                                   "cpu"
                                   "\x03\0"
                                   "\x01\0"
                                   "a"
                                   "\x01\0"
                                   "2"
                                   "\x03\0hos\x01\0x"
                                   "\x04\0host\x02\0h1";
    struct hale_series s = example(), back;
    struct hale_buf b;
    hale_buf_init(&b, 1000);
    hale_buf_add_c(&b, "x"); /* appends */
    assert_int_equal(hale_series_sort(&s, NULL), HALE_OK);
    assert_int_equal(hale_series_encode(&s, &b), HALE_OK);
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.p + 1, expected, sizeof(expected) - 1);
    struct hale_str bytes = {b.p + 1, b.len - 1};
    assert_int_equal(hale_series_decode(bytes, &back), HALE_OK);
    assert_int_equal(back.n_dims, 3);
    assert_true(hale_str_eq_c(back.tenant, "t1"));
    assert_true(hale_str_eq_c(back.region, "R"));
    assert_true(hale_str_eq_c(back.name, "cpu"));
    assert_true(hale_str_eq_c(hale_series_dim(&back, str("host")), "h1"));
    /* no part of it, and no longer text, is a canonical form */
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(hale_series_decode((struct hale_str){bytes.p, n}, &back),
                         HALE_E_INVAL);
    hale_buf_add_char(&b, '\0');
    assert_int_equal(hale_series_decode((struct hale_str){b.p + 1, b.len - 1}, &back),
                     HALE_E_INVAL);
    b.p[1] = 2;
    assert_int_equal(hale_series_decode((struct hale_str){b.p + 1, b.len - 2}, &back),
                     HALE_E_INVAL);
    hale_buf_fini(&b);
}

static void decode_wants_sorted_unique_keys(void **state)
{
    (void)state;
    static const char twice[] = "\x01\0\0\0\0\0\0\x02\0\x01\0a\x01\0x\x01\0a\x01\0y";
    static const char down[] = "\x01\0\0\0\0\0\0\x02\0\x01\0b\x01\0x\x01\0a\x01\0y";
    static const char good[] = "\x01\0\0\0\0\0\0\x02\0\x01\0a\x01\0x\x01\0b\x01\0y";
    struct hale_series s;
    assert_int_equal(hale_series_decode(HALE_STR(twice), &s), HALE_E_INVAL);
    assert_int_equal(hale_series_decode(HALE_STR(down), &s), HALE_E_INVAL);
    assert_int_equal(hale_series_decode(HALE_STR(good), &s), HALE_OK);
    assert_int_equal(hale_series_decode((struct hale_str){NULL, 0}, &s), HALE_E_INVAL);
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    static char space[HALE_SERIES_MAX_BYTES];
    static struct hale_series s;
    struct hale_buf b;
    hale_buf_init(&b, 200000);
    s.name = times("n", HALE_SERIES_MAX_BYTES - 9, space);
    assert_int_equal(hale_series_encode(&s, &b), HALE_OK);
    assert_int_equal(b.len, HALE_SERIES_MAX_BYTES);
    assert_int_equal(hale_series_decode(hale_buf_str(&b), &s), HALE_OK);
    s.name.len++;
    assert_int_equal(hale_series_encode(&s, &b), HALE_E_LIMIT);
    assert_int_equal(b.len, HALE_SERIES_MAX_BYTES);
    hale_buf_fini(&b);
    hale_buf_init(&b, 4); /* a buffer without room */
    s.name = str("abc");
    assert_int_equal(hale_series_encode(&s, &b), HALE_E_LIMIT);
    hale_buf_fini(&b);
}

static void shards_keep_a_name_together(void **state)
{
    (void)state;
    unsigned seen[8] = {0};
    for (int i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "metric.%d", i);
        unsigned shard = hale_series_shard(str("t"), str(name), 8);
        assert_in_range(shard, 0, 7);
        assert_int_equal(shard, hale_series_shard(str("t"), str(name), 8));
        assert_int_equal(hale_series_shard(str("t"), str(name), 1), 0);
        seen[shard]++;
    }
    for (unsigned i = 0; i < 8; i++)
        assert_in_range(seen[i], 60, 200);
    unsigned moved = 0; /* the tenant counts, and its border with the name */
    for (int i = 0; i < 100; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "m%d", i);
        moved += hale_series_shard(str("t"), str(name), 1024) !=
                 hale_series_shard(str("tm"), str(name + 1), 1024);
    }
    assert_in_range(moved, 90, 100);
}

static void ids(void **state)
{
    (void)state;
    char text[HALE_SERIES_ID_TEXT];
    uint64_t id;
    hale_series_id_text(UINT64_C(0x00c0ffee12345678), text);
    assert_string_equal(text, "s00c0ffee12345678");
    assert_int_equal(hale_series_id_parse(str(text), &id), HALE_OK);
    assert_true(id == UINT64_C(0x00c0ffee12345678));
    hale_series_id_text(UINT64_MAX, text);
    assert_int_equal(hale_series_id_parse(str(text), &id), HALE_OK);
    assert_true(id == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "s",
                                      "s00c0ffee1234567",
                                      "s00c0ffee123456789",
                                      "t00c0ffee12345678",
                                      "S00c0ffee12345678",
                                      "s00C0ffee12345678",
                                      "s00c0ffeg12345678",
                                      "s00c0ffee1234567 ",
                                      "100c0ffee12345678"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(hale_series_id_parse(str(bad[i]), &id), HALE_E_INVAL);
    assert_true(hale_series_id(str("a")) != hale_series_id(str("b")));
    assert_true(hale_series_id(str("a")) == hale_series_id(str("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(lengths_count_code_points),
        cmocka_unit_test(dimensions),
        cmocka_unit_test(sort_orders_by_bytes),
        cmocka_unit_test(encode_gives_the_documented_bytes),
        cmocka_unit_test(decode_wants_sorted_unique_keys),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(shards_keep_a_name_together),
        cmocka_unit_test(ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
