/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <string.h>

#include "base/utf8.h"

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct hale_str hale_str_from(const char *cstr)
{
    return (struct hale_str){cstr, cstr != NULL ? strlen(cstr) : 0};
}

bool hale_str_eq(struct hale_str a, struct hale_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool hale_str_eq_c(struct hale_str a, const char *cstr)
{
    return hale_str_eq(a, hale_str_from(cstr));
}

bool hale_str_ieq_c(struct hale_str a, const char *cstr)
{
    struct hale_str b = hale_str_from(cstr);
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.p[i]) != fold(b.p[i]))
            return false;
    }
    return true;
}

int hale_str_cmp(struct hale_str a, struct hale_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct hale_str hale_str_trim(struct hale_str s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct hale_str hale_str_split(struct hale_str *rest, char sep)
{
    struct hale_str part = *rest;
    const char *at = part.len > 0 ? memchr(part.p, sep, part.len) : NULL;
    if (at == NULL) {
        *rest = (struct hale_str){NULL, 0};
        return part;
    }
    part.len = (size_t)(at - part.p);
    rest->p = at + 1;
    rest->len -= part.len + 1;
    return part;
}

enum hale_rc hale_str_utf8_count(struct hale_str s, size_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; count++) {
        size_t step = hale_utf8_step(s.p + i, s.len - i);
        if (step == 0)
            return HALE_E_INVAL;
        i += step;
    }
    *out = count;
    return HALE_OK;
}

#define SUGGEST_MAX_LEN      64
#define SUGGEST_MAX_DISTANCE 2

/* Levenshtein distance by one row; both lengths <= SUGGEST_MAX_LEN. */
static size_t distance(struct hale_str a, struct hale_str b)
{
    size_t row[SUGGEST_MAX_LEN + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t best = diagonal + (fold(a.p[i]) != fold(b.p[j]) ? 1 : 0);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[b.len];
}

const char *hale_str_suggest(struct hale_str word, const char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_MAX_DISTANCE + 1;

    if (word.len > SUGGEST_MAX_LEN)
        return NULL;
    for (; *candidates != NULL; candidates++) {
        struct hale_str candidate = hale_str_from(*candidates);
        if (candidate.len > SUGGEST_MAX_LEN)
            continue;
        size_t d = distance(word, candidate);
        if (d < best_distance && d < word.len) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}

void hale_str_hex(const void *src, size_t n, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = src;
    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = digits[bytes[i] >> 4];
        dst[2 * i + 1] = digits[bytes[i] & 15];
    }
    dst[2 * n] = '\0';
}

static int unhex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = fold(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum hale_rc hale_str_unhex(struct hale_str s, void *dst, size_t n)
{
    unsigned char *bytes = dst;
    if (s.len != 2 * n)
        return HALE_E_INVAL;
    for (size_t i = 0; i < n; i++) {
        int high = unhex_digit(s.p[2 * i]);
        int low = unhex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return HALE_E_INVAL;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return HALE_OK;
}
