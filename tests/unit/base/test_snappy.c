/* SPDX-License-Identifier: Apache-2.0 */
#include "base/snappy.h"

#include <string.h>

#include "support/cmocka.h"

static struct hale_str of(const char *bytes, size_t n)
{
    return (struct hale_str){bytes, n};
}

static void round_trips(void **state)
{
    static const size_t SIZES[] = {0, 1, 59, 60, 61, 4096, 65535, 65536, 300000};
    (void)state;
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        struct hale_buf plain, block, back;
        uint32_t noise = 7;
        hale_buf_init(&plain, 1u << 20);
        hale_buf_init(&block, 1u << 20);
        hale_buf_init(&back, 1u << 20);
        for (size_t k = 0; k < SIZES[i]; k++) {
            noise = noise * 1664525u + 1013904223u;
            hale_buf_add_char(&plain, k % 3 == 0 ? 'x' : (char)(noise >> 24));
        }
        hale_buf_add_c(&back, "before");
        assert_int_equal(hale_snappy_encode(hale_buf_str(&plain), &block), HALE_OK);
        assert_int_equal(hale_snappy_decode(hale_buf_str(&block), SIZES[i], &back),
                         HALE_OK);
        assert_int_equal(back.len, 6 + SIZES[i]);
        assert_memory_equal(back.p, "before", 6);
        if (SIZES[i] > 0)
            assert_memory_equal(back.p + 6, plain.p, SIZES[i]);
        assert_int_equal(back.p[back.len], 0);
        /* One byte less than it needs. */
        hale_buf_reset(&back);
        if (SIZES[i] > 0)
            assert_int_equal(
                hale_snappy_decode(hale_buf_str(&block), SIZES[i] - 1, &back),
                HALE_E_LIMIT);
        assert_int_equal(back.len, 0);
        hale_buf_fini(&plain);
        hale_buf_fini(&block);
        hale_buf_fini(&back);
    }
}

/* 60 kB of one letter: 64 bytes in each 3, the densest there is. */
static void dense_blocks_pass(void **state)
{
    struct hale_buf plain, block, back;
    (void)state;
    hale_buf_init(&plain, 1u << 20);
    hale_buf_init(&block, 1u << 20);
    hale_buf_init(&back, 1u << 20);
    for (size_t k = 0; k < 60000; k++)
        hale_buf_add_char(&plain, 'x');
    assert_int_equal(hale_snappy_encode(hale_buf_str(&plain), &block), HALE_OK);
    assert_true(block.len < 4000);
    assert_int_equal(hale_snappy_decode(hale_buf_str(&block), 60000, &back), HALE_OK);
    assert_int_equal(back.len, 60000);
    hale_buf_fini(&plain);
    hale_buf_fini(&block);
    hale_buf_fini(&back);
}

static void damage_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum hale_rc rc;
    } CASES[] = {
        {"", 0, HALE_E_INVAL},
        {"\x80", 1, HALE_E_INVAL},                     /* length cut off */
        {"\xff\xff\xff\xff\x0f", 5, HALE_E_INVAL},     /* 4 GiB in nothing */
        {"\xff\xff\xff\xff\xff\xff", 6, HALE_E_INVAL}, /* length too long */
        {"\x05\x10xyz", 5, HALE_E_INVAL},              /* literal cut off */
        {"\x04\x08xyz", 5, HALE_E_INVAL},              /* shorter than said */
        {"\x03\x08xyzw", 6, HALE_E_INVAL},             /* longer than said */
        {"\x08\x00x\x0d\x05", 5, HALE_E_INVAL},        /* copy from before the start */
        {"\x03\x08xyz", 5, HALE_OK},
        {"\xc8\x01\x00x\xfe\x01\x00\xfe\x01\x00\xfe\x01\x00", 13, HALE_E_INVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out;
        hale_buf_init(&out, 1u << 16);
        enum hale_rc rc =
            hale_snappy_decode(of(CASES[i].bytes, CASES[i].n), 1u << 20, &out);
        if (rc != CASES[i].rc)
            fail_msg("case %zu: %d", i, (int)rc);
        hale_buf_fini(&out);
    }
}

static void the_buffer_has_a_ceiling(void **state)
{
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 2);
    assert_int_equal(hale_snappy_decode(of("\x03\x08xyz", 5), 100, &out), HALE_E_NOMEM);
    hale_buf_fini(&out);
    hale_buf_init(&out, 8);
    assert_int_equal(hale_snappy_encode(of("xyz", 3), &out), HALE_E_NOMEM);
    hale_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(dense_blocks_pass),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(the_buffer_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
