/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_UTF8_H
#define HALE_BASE_UTF8_H
/*
 * utf8 - one step of a strict UTF-8 reader (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF), and what is built on it. Shared by str (validation) and buf (JSON text).
 * Threads:   stateless.
 */
#include <stddef.h>
#include <string.h>

/* Length in bytes (1..4) of the well-formed sequence at p, which has n > 0 bytes; 0 if
 * there is none. */
static inline size_t hale_utf8_step(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len;

    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || u[0] > 0xf4)
        return 0;
    if (u[0] < 0xe0) {
        len = 2;
    } else if (u[0] < 0xf0) {
        len = 3;
        if (u[0] == 0xe0)
            low = 0xa0; /* shorter forms exist */
        else if (u[0] == 0xed)
            high = 0x9f; /* surrogates */
    } else {
        len = 4;
        if (u[0] == 0xf0)
            low = 0x90;
        else if (u[0] == 0xf4)
            high = 0x8f; /* above U+10FFFF */
    }
    if (n < len || u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

/* Puts '?' in place of each byte that is not part of a well-formed sequence: texts of others are cut
 * to fit without regard to characters. Returns text. */
static inline char *hale_utf8_clean(char *text)
{
    size_t n = strlen(text), i = 0;
    while (i < n) {
        size_t step = hale_utf8_step(text + i, n - i);
        if (step == 0)
            text[i] = '?';
        i += step > 0 ? step : 1;
    }
    return text;
}
#endif
