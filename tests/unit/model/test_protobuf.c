/* SPDX-License-Identifier: Apache-2.0 */
#include "model/protobuf.h"

#include <string.h>

#include "support/cmocka.h"

#define BYTES(lit) ((struct hale_str){(lit), sizeof(lit) - 1})

/* The example of the encoding's documentation, and each wire type. */
static void reads_fields(void **state)
{
    static const char MESSAGE[] =
        "\x08\x96\x01"                                 /* 1: 150 */
        "\x12\x07testing"                              /* 2: "testing" */
        "\x19\x00\x00\x00\x00\x00\x00\xf8\x3f"         /* 3: 1.5 */
        "\x25\x01\x02\x03\x04"                         /* 4: fixed32 */
        "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* 5: -1 */
        "\xf8\xff\xff\xff\x0f\x00"                     /* the highest number */
        "\x32\x00";                                    /* 6: empty */
    struct hale_pb r = hale_pb_open(BYTES(MESSAGE));
    struct hale_pb_field f;
    (void)state;
    assert_true(hale_pb_next(&r, &f));
    assert_true(hale_pb_is(&f, 1, HALE_PB_VARINT));
    assert_false(hale_pb_is(&f, 1, HALE_PB_BYTES));
    assert_int_equal(f.bits, 150);
    assert_ptr_equal(f.whole.p, MESSAGE);
    assert_int_equal(f.whole.len, 3);
    assert_true(hale_pb_next(&r, &f));
    assert_true(hale_pb_is(&f, 2, HALE_PB_BYTES));
    assert_true(hale_str_eq_c(f.bytes, "testing"));
    assert_int_equal(f.whole.len, 9);
    assert_true(hale_pb_next(&r, &f));
    assert_true(hale_pb_is(&f, 3, HALE_PB_FIXED64));
    assert_true(hale_pb_double(&f) == 1.5);
    assert_true(hale_pb_next(&r, &f));
    assert_true(hale_pb_is(&f, 4, HALE_PB_FIXED32));
    assert_int_equal(f.bits, 0x04030201);
    assert_true(hale_pb_next(&r, &f));
    assert_int_equal((int64_t)f.bits, -1);
    assert_true(hale_pb_next(&r, &f));
    assert_int_equal(f.number, (1u << 29) - 1);
    assert_true(hale_pb_next(&r, &f));
    assert_int_equal(f.bytes.len, 0);
    assert_false(hale_pb_next(&r, &f));
    assert_false(r.damaged);
}

static void damage_is_told(void **state)
{
    const struct hale_str CASES[] = {
        BYTES("\x80"),                                             /* tag cut off */
        BYTES("\x00\x00"),                                         /* number 0 */
        BYTES("\x08"),                                             /* no content */
        BYTES("\x08\x80"),                                         /* varint cut off */
        BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* too long */
        BYTES("\x09\x00\x00\x00\x00\x00\x00\x00"),                 /* fixed64 cut off */
        BYTES("\x0d\x00\x00\x00"),                                 /* fixed32 cut off */
        BYTES("\x0a\x02x"),                                    /* length past the end */
        BYTES("\x0a\xff\xff\xff\xff\x0f"),                     /* 4 GiB */
        BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* -1 */
        BYTES("\x0b\x0c"),                                     /* a group */
        BYTES("\x0e\x00"),                                     /* no such type */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_pb r = hale_pb_open(CASES[i]);
        struct hale_pb_field f;
        if (hale_pb_next(&r, &f) || !r.damaged || hale_pb_next(&r, &f))
            fail_msg("case %zu", i);
    }
}

static void writes_what_it_reads(void **state)
{
    struct hale_buf b;
    struct hale_pb_field f;
    (void)state;
    hale_buf_init(&b, 4096);
    hale_pb_put_varint(&b, 1, 150);
    hale_pb_put_bytes(&b, 2, HALE_STR("testing"));
    hale_pb_put_double(&b, 3, 1.5);
    assert_int_equal(b.len, 21);
    assert_memory_equal(b.p, "\x08\x96\x01\x12\x07testing\x19\0\0\0\0\0\0\xf8\x3f", 21);
    hale_buf_reset(&b);
    size_t outer = hale_pb_begin(&b, 7);
    size_t inner = hale_pb_begin(&b, 8);
    for (unsigned i = 0; i < 50; i++)
        hale_pb_put_fixed64(&b, 9, i);
    hale_pb_end(&b, inner);
    hale_pb_end(&b, outer);
    struct hale_pb r = hale_pb_open(hale_buf_str(&b));
    assert_true(hale_pb_next(&r, &f) && f.number == 7 && r.p == r.end);
    r = hale_pb_open(f.bytes);
    assert_true(hale_pb_next(&r, &f) && f.number == 8 && r.p == r.end);
    assert_int_equal(f.bytes.len, 50 * 9);
    hale_buf_fini(&b);
    hale_buf_init(&b, 3);
    hale_pb_end(&b, hale_pb_begin(&b, 7)); /* finds no room, and does nothing */
    assert_true(b.failed);
    hale_buf_fini(&b);
}

static void packed_fields(void **state)
{
    static const char PACKED[] = "\x01\0\0\0\0\0\0\x80\x00\0\0\0\0\0\xf8\x3f";
    (void)state;
    assert_true(hale_pb_packed64(BYTES(PACKED), 0) == UINT64_C(0x8000000000000001));
    assert_true(hale_pb_packed_double(BYTES(PACKED), 1) == 1.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(packed_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
