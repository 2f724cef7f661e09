/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies: whole ones, damaged ones, and bombs, which stop at the ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/inflate.h"

#define GZIP    HALE_INFLATE_GZIP
#define DEFLATE HALE_INFLATE_DEFLATE

/* "hello hello hello\n" */
static const char HELLO[] = "hello hello hello\n";
static const unsigned char HELLO_GZIP[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
                                           0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57,
                                           0xc8, 0x40, 0x90, 0x5c, 0x00, 0x3b, 0x7c, 0x8a,
                                           0xdf, 0x12, 0x00, 0x00, 0x00};
static const unsigned char HELLO_ZLIB[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9,
                                           0xc9, 0x57, 0xc8, 0x40, 0x90, 0x5c,
                                           0x00, 0x40, 0xb5, 0x06, 0x87};

static enum hale_rc inflate(enum hale_inflate_kind kind, const void *p, size_t n,
                            size_t max, struct hale_buf *out)
{
    /* A copy without anything behind it, so that a sanitizer sees each byte too far. */
    char *exact = malloc(n > 0 ? n : 1);
    assert_non_null(exact);
    if (n > 0)
        memcpy(exact, p, n);
    enum hale_rc rc = hale_inflate(kind, (struct hale_str){exact, n}, max, out);
    free(exact);
    return rc;
}

static void gives(enum hale_inflate_kind kind, const void *p, size_t n, size_t max,
                  enum hale_rc want, const char *text)
{
    struct hale_buf out;

    hale_buf_init(&out, 1u << 20);
    assert_int_equal(inflate(kind, p, n, max, &out), want);
    if (want == HALE_OK) {
        assert_int_equal(out.len, strlen(text));
        assert_string_equal(out.p, text);
    }
    hale_buf_fini(&out);
}

static void whole_bodies(void **state)
{
    unsigned char twice[2 * sizeof(HELLO_GZIP)];

    (void)state;
    memcpy(twice, HELLO_GZIP, sizeof(HELLO_GZIP));
    memcpy(twice + sizeof(HELLO_GZIP), HELLO_GZIP, sizeof(HELLO_GZIP));
    gives(GZIP, HELLO_GZIP, sizeof(HELLO_GZIP), 100, HALE_OK, HELLO);
    gives(GZIP, HELLO_GZIP, sizeof(HELLO_GZIP), 18, HALE_OK, HELLO);
    gives(GZIP, twice, sizeof(twice), 36, HALE_OK,
          "hello hello hello\nhello hello hello\n");
    gives(DEFLATE, HELLO_ZLIB, sizeof(HELLO_ZLIB), 18, HALE_OK, HELLO);
    /* without zlib's head and checksum: what some clients call deflate */
    gives(DEFLATE, HELLO_ZLIB + 2, sizeof(HELLO_ZLIB) - 6, 18, HALE_OK, HELLO);
}

static void ceilings(void **state)
{
    unsigned char lying[sizeof(HELLO_GZIP)];
    unsigned char twice[2 * sizeof(HELLO_GZIP)];

    (void)state;
    gives(GZIP, HELLO_GZIP, sizeof(HELLO_GZIP), 17, HALE_E_LIMIT, NULL);
    gives(GZIP, HELLO_GZIP, sizeof(HELLO_GZIP), 0, HALE_E_LIMIT, NULL);
    gives(DEFLATE, HELLO_ZLIB, sizeof(HELLO_ZLIB), 17, HALE_E_LIMIT, NULL);
    memcpy(twice, HELLO_GZIP, sizeof(HELLO_GZIP));
    memcpy(twice + sizeof(HELLO_GZIP), HELLO_GZIP, sizeof(HELLO_GZIP));
    gives(GZIP, twice, sizeof(twice), 35, HALE_E_LIMIT, NULL);
    /* The trailer's size is a hint for the memory only; its lies are found out. */
    memcpy(lying, HELLO_GZIP, sizeof(lying));
    lying[sizeof(lying) - 1] = 0x7f;
    gives(GZIP, lying, sizeof(lying), 1000, HALE_E_INVAL, NULL);
    lying[sizeof(lying) - 1] = 0;
    lying[sizeof(lying) - 4] = 1;
    gives(GZIP, lying, sizeof(lying), 17, HALE_E_LIMIT, NULL);
    gives(GZIP, lying, sizeof(lying), 100, HALE_E_INVAL, NULL);
}

/* Zeros: a block of fixed codes with one literal, then copies of 258 bytes at distance 1. */
static size_t bomb(unsigned char *dst, unsigned copies)
{
    unsigned long bits = 0;
    unsigned n = 0;
    size_t len = 0;

#define PUT(value, count)                                                                \
    do {                                                                                 \
        bits |= (unsigned long)(value) << n;                                             \
        for (n += (count); n >= 8; n -= 8, bits >>= 8)                                   \
            dst[len++] = (unsigned char)bits;                                            \
    } while (0)
    PUT(3, 3);    /* last block, fixed codes */
    PUT(0x0c, 8); /* literal 0: 00110000, sent from its high bit */
    for (unsigned i = 0; i < copies; i++) {
        PUT(0xa3, 8); /* length 258: 11000101 */
        PUT(0, 5);    /* distance 1 */
    }
    PUT(0, 7); /* end of block */
    PUT(0, 7);
#undef PUT
    return len;
}

static void bombs(void **state)
{
    static unsigned char coded[1u << 20];
    struct hale_buf out;
    size_t len = bomb(coded, 400000); /* 100 MB plain */

    (void)state;
    assert_true(len < sizeof(coded));
    hale_buf_init(&out, 1u << 20);
    assert_int_equal(inflate(DEFLATE, coded, len, 1u << 20, &out), HALE_E_LIMIT);
    assert_true(out.len == 1u << 20 && out.cap <= (1u << 20) + 1);
    hale_buf_fini(&out);
    len = bomb(coded, 10);
    hale_buf_init(&out, 1u << 20);
    assert_int_equal(inflate(DEFLATE, coded, len, 2581, &out), HALE_OK);
    assert_int_equal(out.len, 2581);
    hale_buf_fini(&out);
}

static void damage(void **state)
{
    unsigned char bad[sizeof(HELLO_GZIP) + 1];

    (void)state;
    for (size_t n = 0; n < sizeof(HELLO_GZIP); n++)
        gives(GZIP, HELLO_GZIP, n, 100, HALE_E_INVAL, NULL);
    for (size_t n = 0; n < sizeof(HELLO_ZLIB); n++)
        gives(DEFLATE, HELLO_ZLIB, n, 100, HALE_E_INVAL, NULL);
    memcpy(bad, HELLO_GZIP, sizeof(HELLO_GZIP));
    bad[sizeof(HELLO_GZIP)] = 'x';
    gives(GZIP, bad, sizeof(bad), 100, HALE_E_INVAL, NULL);
    bad[sizeof(HELLO_GZIP) - 8] ^= 1; /* checksum */
    gives(GZIP, bad, sizeof(HELLO_GZIP), 100, HALE_E_INVAL, NULL);
    gives(GZIP, HELLO, strlen(HELLO), 100, HALE_E_INVAL, NULL);
    gives(GZIP, NULL, 0, 100, HALE_E_INVAL, NULL);
    gives(DEFLATE, NULL, 0, 100, HALE_E_INVAL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_bodies),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(bombs),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
