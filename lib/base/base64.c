/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum hale_rc hale_base64_decode(struct hale_str text, char *dst, size_t size,
                                size_t *len_out)
{
    size_t n = 0;
    unsigned bits = 0, have = 0;
    while (text.len > 0 && text.p[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int d = digit(text.p[i]);
        if (d < 0)
            return HALE_E_INVAL;
        bits = bits << 6 | (unsigned)d;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n + 1 >= size)
            return HALE_E_LIMIT;
        dst[n++] = (char)(bits >> have & 0xff);
    }
    if (size == 0)
        return HALE_E_LIMIT;
    dst[n] = '\0';
    *len_out = n;
    return HALE_OK;
}
