/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/batch.h"

static const struct hale_str none = {NULL, 0};

static void add(struct hale_batch *b, uint64_t id, int64_t time_ms, double value,
                const char *meta)
{
    assert_int_equal(hale_batch_add(b, id, time_ms, value, hale_str_from(meta)), HALE_OK);
}

/* id 7, 8, 9; metas at 0 and 2 */
static struct hale_buf example(void)
{
    struct hale_batch *b = hale_batch_new();
    struct hale_buf out;
    assert_non_null(b);
    hale_buf_init(&out, 100000);
    add(b, 7, 1000, 1.5, "{\"rc\":\"1\"}");
    add(b, 8, -1, -0.0, NULL);
    add(b, UINT64_MAX, INT64_MIN, 1e308, "{}");
    assert_int_equal(hale_batch_n(b), 3);
    assert_int_equal(hale_batch_encode(b, 123456, &out), HALE_OK);
    hale_batch_free(b);
    return out;
}

static void encoded_as_documented(void **state)
{
    (void)state;
    struct hale_buf out = example();
    static const unsigned char head[16] = {1, 1, 0, 0, 3, 0, 0, 0, 0x40, 0xe2, 1};
    static const unsigned char first_id[8] = {7};
    static const unsigned char first_value[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x3f};
    static const char metas[] = "\2\0\0\0"
                                "\0\0\0\0\x0a\0\0\0{\"rc\":\"1\"}"
                                "\2\0\0\0\2\0\0\0{}";
    assert_int_equal(out.len, 16 + 3 * 24 + sizeof(metas) - 1);
    assert_memory_equal(out.p, head, 16);
    assert_memory_equal(out.p + 16, first_id, 8);
    assert_memory_equal(out.p + 16 + 48, first_value, 8);
    assert_memory_equal(out.p + 16 + 72, metas, sizeof(metas) - 1);
    hale_buf_fini(&out);
}

static void read_back(void **state)
{
    (void)state;
    struct hale_buf out = example();
    char *odd = malloc(out.len + 1); /* at an odd address */
    assert_non_null(odd);
    memcpy(odd + 1, out.p, out.len);
    struct hale_batch_view v;
    assert_int_equal(hale_batch_open((struct hale_str){odd + 1, out.len}, &v), HALE_OK);
    assert_int_equal(v.n, 3);
    assert_int_equal(v.n_metas, 2);
    assert_int_equal(v.accepted_us, 123456);
    assert_true(hale_batch_id(&v, 0) == 7 && hale_batch_id(&v, 2) == UINT64_MAX);
    assert_true(hale_batch_time(&v, 1) == -1 && hale_batch_time(&v, 2) == INT64_MIN);
    assert_true(hale_batch_value(&v, 0) == 1.5 && hale_batch_value(&v, 2) == 1e308);
    assert_true(signbit(hale_batch_value(&v, 1)));
    const char *cursor = NULL;
    unsigned index = 9;
    struct hale_str meta;
    assert_true(hale_batch_next_meta(&v, &cursor, &index, &meta));
    assert_int_equal(index, 0);
    assert_true(hale_str_eq_c(meta, "{\"rc\":\"1\"}"));
    assert_true(hale_batch_next_meta(&v, &cursor, &index, &meta));
    assert_int_equal(index, 2);
    assert_true(hale_str_eq_c(meta, "{}"));
    assert_false(hale_batch_next_meta(&v, &cursor, &index, &meta));
    assert_false(hale_batch_next_meta(&v, &cursor, &index, &meta));
    free(odd);
    hale_buf_fini(&out);
}

static void no_part_of_an_entry_opens(void **state)
{
    (void)state;
    struct hale_buf out = example();
    struct hale_batch_view v;
    for (size_t n = 0; n < out.len; n++) {
        char *part = malloc(n + 1); /* exact, for the address sanitizer */
        assert_non_null(part);
        memcpy(part, out.p, n);
        assert_int_equal(hale_batch_open((struct hale_str){part, n}, &v), HALE_E_INVAL);
        free(part);
    }
    hale_buf_add_char(&out, '\0');
    assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_E_INVAL);
    hale_buf_fini(&out);
}

static void damage_is_found(void **state)
{
    (void)state;
    const size_t metas = 16 + 72;
    const struct {
        const char *what;
        size_t at;
        unsigned char byte;
    } cases[] = {
        {"version 0", 0, 0},
        {"version 2", 0, 2},
        {"unknown flag", 1, 3},
        {"flag of metas missing", 1, 0},
        {"zero byte", 2, 1},
        {"zero byte", 3, 1},
        {"n too small", 4, 2},
        {"n zero", 4, 0},
        {"n too large", 4, 4},
        {"n over the limit", 6, 2},
        {"n huge", 7, 0xff},
        {"value infinite", 16 + 48 + 7, 0x7f}, /* 0x7ff8...: not a number */
        {"n_metas zero", metas, 0},
        {"n_metas less", metas, 1},
        {"n_metas more", metas, 3},
        {"n_metas over n", metas, 4},
        {"index twice", metas + 4, 2},
        {"index over n", metas + 4 + 18, 3},
        {"index not ascending", metas + 4 + 18, 0},
        {"length short", metas + 8, 9},
        {"length beyond", metas + 8, 0xff},
        {"length huge", metas + 11, 0xff},
        {"not an object", metas + 12, '['},
        {"not JSON", metas + 16, 'x'},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_buf out = example();
        struct hale_batch_view v;
        assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_OK);
        assert_true((unsigned char)out.p[cases[i].at] != cases[i].byte);
        out.p[cases[i].at] = (char)cases[i].byte;
        if (hale_batch_open(hale_buf_str(&out), &v) != HALE_E_INVAL)
            fail_msg("accepted: %s", cases[i].what);
        hale_buf_fini(&out);
    }
}

static void every_value_is_checked(void **state)
{
    (void)state;
    struct hale_batch *b = hale_batch_new();
    struct hale_buf out;
    struct hale_batch_view v;
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    hale_buf_init(&out, 100000);
    for (int i = 0; i < 5; i++)
        add(b, 1, 1, i % 2 != 0 ? 1.7976931348623157e308 : 5e-324, NULL);
    assert_int_equal(hale_batch_encode(b, 1, &out), HALE_OK);
    assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_OK);
    assert_null(v.metas);
    const char *cursor = NULL;
    unsigned index;
    struct hale_str meta;
    assert_false(hale_batch_next_meta(&v, &cursor, &index, &meta));
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 4; k++) {
            char kept[8];
            char *at = out.p + 16 + 2 * 5 * 8 + 8 * i;
            memcpy(kept, at, 8);
            memcpy(at, &bad[k], 8);
            assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_E_INVAL);
            memcpy(at, kept, 8);
        }
    }
    hale_buf_fini(&out);
    hale_batch_free(b);
}

static void add_refuses_what_open_would(void **state)
{
    (void)state;
    struct hale_batch *b = hale_batch_new();
    static const char *const bad[] = {"[]",       "{",   "{}x", "null",
                                      "{\"a\":}", " {}", "\xff"};
    assert_int_equal(hale_batch_add(b, 1, 1, NAN, none), HALE_E_INVAL);
    assert_int_equal(hale_batch_add(b, 1, 1, INFINITY, none), HALE_E_INVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(hale_batch_add(b, 1, 1, 1, hale_str_from(bad[i])), HALE_E_INVAL);
    assert_int_equal(hale_batch_n(b), 0);
    hale_batch_free(b);
    hale_batch_free(NULL);
}

static void full_and_used_again(void **state)
{
    (void)state;
    struct hale_batch *b = hale_batch_new();
    struct hale_batch_view v;
    struct hale_buf out;
    hale_buf_init(&out, 8u << 20);
    for (unsigned i = 0; i < HALE_BATCH_MAX_SAMPLES; i++)
        add(b, i, i, i, i % 1000 == 0 ? "{\"a\":1}" : NULL);
    assert_int_equal(hale_batch_add(b, 1, 1, 1, none), HALE_E_LIMIT);
    assert_int_equal(hale_batch_n(b), HALE_BATCH_MAX_SAMPLES);
    assert_int_equal(hale_batch_encode(b, 5, &out), HALE_OK);
    assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_OK);
    assert_int_equal(v.n, HALE_BATCH_MAX_SAMPLES);
    assert_int_equal(v.n_metas, 66);
    for (unsigned i = 0; i < v.n; i++) {
        assert_true(hale_batch_id(&v, i) == i && hale_batch_time(&v, i) == i);
        assert_true(hale_batch_value(&v, i) == i);
    }
    hale_batch_reset(b);
    assert_int_equal(hale_batch_n(b), 0);
    hale_buf_reset(&out);
    add(b, 3, 4, 5, NULL);
    assert_int_equal(hale_batch_encode(b, 5, &out), HALE_OK);
    assert_int_equal(out.len, 40);
    hale_buf_fini(&out);
    hale_buf_init(&out, 39);
    assert_int_equal(hale_batch_encode(b, 5, &out), HALE_E_LIMIT);
    hale_buf_fini(&out);
    hale_batch_free(b);
}

static void metas_have_a_ceiling(void **state)
{
    (void)state;
    const size_t len = 8u << 20;
    struct hale_batch *b = hale_batch_new();
    char *big = malloc(len);
    assert_non_null(big);
    memset(big, ' ', len);
    big[0] = '{';
    big[len - 1] = '}';
    unsigned n = 0;
    while (hale_batch_add(b, 1, 1, 1, (struct hale_str){big, len}) == HALE_OK)
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(hale_batch_add(b, 1, 1, 1, (struct hale_str){big, len}),
                     HALE_E_LIMIT);
    add(b, 1, 1, 1, "{}"); /* the batch is still good */
    struct hale_buf out;
    struct hale_batch_view v;
    hale_buf_init(&out, 64u << 20);
    assert_int_equal(hale_batch_encode(b, 1, &out), HALE_OK);
    assert_int_equal(hale_batch_open(hale_buf_str(&out), &v), HALE_OK);
    assert_int_equal(v.n, 4);
    assert_int_equal(v.n_metas, 4);
    hale_buf_fini(&out);
    hale_batch_free(b);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_as_documented),
        cmocka_unit_test(read_back),
        cmocka_unit_test(no_part_of_an_entry_opens),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(every_value_is_checked),
        cmocka_unit_test(add_refuses_what_open_would),
        cmocka_unit_test(full_and_used_again),
        cmocka_unit_test(metas_have_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
