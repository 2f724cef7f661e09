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

#define ROOM (1u << 20)

/* A framed block of n samples into b (ROOM bytes); returns its length. */
static size_t block_of(char *b, const struct collector_sample *s, size_t n,
                       int64_t base_ms)
{
    char *body = malloc(ROOM);
    struct collector_hot_coder c;
    size_t len = 0;

    collector_hot_coder_init(&c, base_ms);
    for (size_t i = 0; i < n; i++) {
        len += s[i].meta.len > 0
                   ? collector_hot_sample_put_meta(body + len, &c, &s[i])
                   : collector_hot_sample_put(body + len, &c, s[i].time_ms, s[i].value);
        assert_true(len < ROOM / 2);
    }
    char frame[COLLECTOR_FRAME_MAX];
    char *begin = collector_hot_frame(frame + sizeof(frame), (uint32_t)len);
    size_t head = (size_t)(frame + sizeof(frame) - begin);
    memcpy(b, begin, head);
    memcpy(b + head, body, len);
    free(body);
    return head + len;
}

static void expect(struct collector_hot_reader *r, const struct collector_sample *want,
                   size_t n)
{
    struct collector_sample got;

    for (size_t i = 0; i < n; i++) {
        assert_true(collector_hot_reader_next(r, &got));
        assert_true(got.time_ms == want[i].time_ms);
        assert_memory_equal(&got.value, &want[i].value, sizeof(double));
        assert_int_equal(got.meta.len, want[i].meta.len);
        if (got.meta.len > 0)
            assert_memory_equal(got.meta.p, want[i].meta.p, got.meta.len);
    }
}

static void round_trip(void **state)
{
    static const int64_t TIMES[] = {0,
                                    0,
                                    1,
                                    599999,
                                    600000,
                                    -1,
                                    -600001,
                                    INT64_MIN,
                                    INT64_MAX,
                                    1795270663182,
                                    INT64_C(4102444800000),
                                    INT64_C(4102444810000),
                                    INT64_C(4102444820000)};
    static const size_t METAS[] = {0, 1, 127, 128, 300, 16383, 16384, 70000};
    static const double VALUES[] = {0.0,    -0.0,    1,      1,        1.5,    -1e308,
                                    5e-324, 3.14159, 256.25, 1e15 + 1, 123456, 0.1};
    enum { N = sizeof(TIMES) / sizeof(TIMES[0]), V = sizeof(VALUES) / sizeof(VALUES[0]) };
    struct collector_sample s[N * V];
    char *text = malloc(70000);
    char *b = malloc(ROOM);
    struct collector_hot_reader r;

    (void)state;
    memset(text, 'x', 70000);
    for (size_t m = 0; m < sizeof(METAS) / sizeof(METAS[0]); m++) {
        for (size_t i = 0; i < N * V; i++)
            s[i] = (struct collector_sample){TIMES[i % N], VALUES[i / N], {NULL, 0}};
        s[1].meta = (struct hale_str){METAS[m] > 0 ? text : NULL, METAS[m]};
        size_t len = block_of(b, s, N * V, 12345);
        len += block_of(b + len, s, 2, 12345);
        collector_hot_reader_init(&r, (struct hale_str){b, len}, 12345, 0);
        expect(&r, s, N * V);
        expect(&r, s, 2);
        assert_false(collector_hot_reader_next(&r, &s[0]));
        assert_false(r.bad);
    }
    free(text);
    free(b);
}

static void sizes_are_as_documented(void **state)
{
    struct collector_sample s[60];
    char *b = malloc(ROOM);
    uint32_t noise = 1;

    (void)state;
    for (int i = 0; i < 60; i++) /* a constant each 10 s */
        s[i] = (struct collector_sample){i * 10000, 42, {NULL, 0}};
    assert_int_equal(block_of(b, s, 60, 0), 2 + 4 + 4 + 57);
    for (int i = 0; i < 60; i++) { /* any value with jitter in time */
        noise = noise * 1664525u + 1013904223u;
        s[i].time_ms += noise >> 27;
        s[i].value = 100 + (noise >> 8) * (1.0 / 18641);
    }
    assert_in_range(block_of(b, s, 60, 0), 60, 10 * 60);
    free(b);
}

static void layout_is_as_documented(void **state)
{
    static const unsigned char WANT[] = {
        2,    17,                                /* version, bytes */
        0x4f, 0x9c, 0x9c, 0x01, 0xf8, 0x3f,      /* 9998 ms, 1.5 */
        0xc0, 0xa0, 0x9c, 0x01, 2,    '{',  '}', /* 10000 ms later, the same, {} */
        0x00,                                    /* 10000 ms later, the same */
        0x46, 0x01, 0x80                         /* 9999 ms later, 1.5 XOR 0x80 << 40 */
    };
    const struct collector_sample s[] = {{1795270209998, 1.5, {NULL, 0}},
                                         {1795270219998, 1.5, HALE_STR("{}")},
                                         {1795270229998, 1.5, {NULL, 0}},
                                         {1795270239997, 1.53125, {NULL, 0}}};
    char *b = malloc(ROOM);

    (void)state;
    assert_int_equal(collector_chunk_of(s[0].time_ms), 2992117);
    size_t n = block_of(b, s, 4, 2992117 * INT64_C(600000));
    assert_int_equal(n, sizeof(WANT));
    assert_memory_equal(b, WANT, sizeof(WANT));
    free(b);
}

/* Every prefix and every flipped byte: no read beyond the end (sanitizer), no endless loop. */
static void damage_is_noticed(void **state)
{
    const struct collector_sample s[] = {{12345, 2.5, HALE_STR("{\"k\":\"v\"}")},
                                         {13345, 2.7, {NULL, 0}}};
    struct collector_sample out;
    struct collector_hot_reader r;
    char *b = malloc(ROOM);
    size_t len = block_of(b, s, 2, 0);

    (void)state;
    for (size_t n = 0; n <= len; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, b, n);
        collector_hot_reader_init(&r, (struct hale_str){copy, n}, 0, COLLECTOR_CHUNK_MS);
        unsigned got = 0;
        while (collector_hot_reader_next(&r, &out))
            got++;
        assert_int_equal(got, n == len ? 2 : 0);
        assert_true(r.bad == (n > 0 && n < len));
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char *copy = malloc(len);
            memcpy(copy, b, len);
            copy[at] = (char)(copy[at] ^ (1 << bit));
            collector_hot_reader_init(&r, (struct hale_str){copy, len}, 0,
                                      COLLECTOR_CHUNK_MS);
            unsigned n = 0;
            while (n < 100 && collector_hot_reader_next(&r, &out))
                n++;
            assert_true(n < 100);
            free(copy);
        }
    }
    free(b);
}

/* A damaged sample costs its block, not the chunk; a foreign format costs the chunk. */
static void other_blocks_survive(void **state)
{
    const struct collector_sample s[] = {{1, 2.5, {NULL, 0}}, {600000, 1, {NULL, 0}}};
    struct collector_hot_reader r;
    struct collector_sample out;
    char *b = malloc(ROOM);

    (void)state;
    size_t len = block_of(b, s, 2, 0); /* the second is outside of the chunk */
    len += block_of(b + len, s, 1, 0);
    collector_hot_reader_init(&r, (struct hale_str){b, len}, 0, COLLECTOR_CHUNK_MS);
    expect(&r, s, 1);
    expect(&r, s, 1);
    assert_false(collector_hot_reader_next(&r, &out));
    assert_true(r.bad);
    b[0] = 1;
    collector_hot_reader_init(&r, (struct hale_str){b, len}, 0, COLLECTOR_CHUNK_MS);
    assert_false(collector_hot_reader_next(&r, &out));
    assert_true(r.bad);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(sizes_are_as_documented),
        cmocka_unit_test(layout_is_as_documented),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(other_blocks_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
