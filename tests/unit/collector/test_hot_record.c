/* SPDX-License-Identifier: Apache-2.0 */
/* Packed raw samples: what goes in comes out; damaged bytes are noticed, never read past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/hot_record.h"

static void round_trip(void **state)
{
    static const int64_t TIMES[] = {0,
                                    1,
                                    599999,
                                    600000,
                                    -1,
                                    -600000,
                                    -600001,
                                    1795270663182,
                                    INT64_C(4102444800000)};
    static const size_t METAS[] = {0, 1, 127, 128, 300, 16383, 16384, 70000};
    char *text = malloc(70000);

    (void)state;
    memset(text, 'x', 70000);
    for (size_t t = 0; t < sizeof(TIMES) / sizeof(TIMES[0]); t++) {
        for (size_t m = 0; m < sizeof(METAS) / sizeof(METAS[0]); m++) {
            struct collector_sample in = {TIMES[t], (double)t * -1.25, {text, METAS[m]}};
            struct collector_sample out;
            struct hale_buf b;
            bool bad = false;
            hale_buf_init(&b, 1u << 20);
            collector_hot_record_add(&b, &in);
            collector_hot_record_add(&b, &in);
            struct hale_str rest = hale_buf_str(&b);
            for (int i = 0; i < 2; i++) {
                assert_true(collector_hot_record_next(&rest, collector_chunk_of(TIMES[t]),
                                                      &out, &bad));
                assert_true(out.time_ms == in.time_ms && out.value == in.value);
                assert_int_equal(out.meta.len, in.meta.len);
                assert_true(out.meta.len == 0 ||
                            memcmp(out.meta.p, text, out.meta.len) == 0);
            }
            assert_false(collector_hot_record_next(&rest, 0, &out, &bad));
            assert_false(bad);
            hale_buf_fini(&b);
        }
    }
    free(text);
}

static void layout_is_as_documented(void **state)
{
    static const unsigned char WANT[] = {0x0e, 0x27, 0,  0, /* 9998 ms */
                                         0,    0,    0,  0, 0, 0, 0xf8, 0x3f, /* 1.5 */
                                         2,    '{',  '}'};
    struct collector_sample s = {1795270209998, 1.5, HALE_STR("{}")};
    struct hale_buf b;

    (void)state;
    hale_buf_init(&b, 100);
    collector_hot_record_add(&b, &s);
    assert_int_equal(collector_chunk_of(s.time_ms), 2992117);
    assert_int_equal(b.len, sizeof(WANT));
    assert_memory_equal(b.p, WANT, sizeof(WANT));
    hale_buf_fini(&b);
}

/* Every prefix and every flipped byte: no read beyond the end (sanitizer), no endless loop. */
static void damage_is_noticed(void **state)
{
    struct collector_sample s = {12345, 2.5, HALE_STR("{\"k\":\"v\"}")};
    struct collector_sample out;
    struct hale_buf b;

    (void)state;
    hale_buf_init(&b, 1000);
    collector_hot_record_add(&b, &s);
    for (size_t n = 0; n <= b.len; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, b.p, n);
        struct hale_str rest = {copy, n};
        bool bad = false;
        bool ok = collector_hot_record_next(&rest, 0, &out, &bad);
        assert_true(ok == (n == b.len));
        assert_true(bad == (n > 0 && n < b.len));
        free(copy);
    }
    for (size_t at = 0; at < b.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char copy[64];
            memcpy(copy, b.p, b.len);
            copy[at] = (char)(copy[at] ^ (1 << bit));
            struct hale_str rest = {copy, b.len};
            bool bad = false;
            unsigned n = 0;
            while (n < 100 && collector_hot_record_next(&rest, 0, &out, &bad))
                n++;
            assert_true(n < 100);
        }
    }
    hale_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(layout_is_as_documented),
        cmocka_unit_test(damage_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
