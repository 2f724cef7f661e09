/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

#define FIRST_CAP 64

void hale_buf_init(struct hale_buf *b, size_t max_bytes)
{
    HALE_ASSERT(max_bytes > 0 && max_bytes < SIZE_MAX);
    *b = (struct hale_buf){.max = max_bytes};
}

void hale_buf_fini(struct hale_buf *b)
{
    free(b->p);
    *b = (struct hale_buf){.max = b->max};
}

void hale_buf_reset(struct hale_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->p != NULL)
        b->p[0] = '\0';
}

/* Makes room for n bytes and the NUL behind len. */
static bool grow(struct hale_buf *b, size_t n)
{
    if (b->failed)
        return false;
    if (n > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *p = realloc(b->p, cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    b->p[b->len] = '\0';
    return true;
}

void hale_buf_add(struct hale_buf *b, const void *bytes, size_t n)
{
    if (!grow(b, n) || n == 0)
        return;
    memcpy(b->p + b->len, bytes, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void hale_buf_add_str(struct hale_buf *b, struct hale_str s)
{
    hale_buf_add(b, s.p, s.len);
}

void hale_buf_add_c(struct hale_buf *b, const char *cstr)
{
    hale_buf_add(b, cstr, strlen(cstr));
}

void hale_buf_add_char(struct hale_buf *b, char c)
{
    hale_buf_add(b, &c, 1);
}

void hale_buf_printf(struct hale_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;

    if (!grow(b, 0))
        return;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < b->cap - b->len) {
        b->len += (size_t)n;
    } else if (grow(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->len, b->cap - b->len, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    b->p[b->len] = '\0';
}

static void add_json_escape(struct hale_buf *b, unsigned char c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
        if ((unsigned char)short_forms[i] == c) {
            char text[2] = {'\\', short_forms[i + 1]};
            hale_buf_add(b, text, sizeof(text));
            return;
        }
    }
    hale_buf_printf(b, "\\u%04x", c);
}

void hale_buf_add_json(struct hale_buf *b, struct hale_str s)
{
    size_t start = 0; /* of the run of bytes that go out as they are */
    size_t i = 0;

    hale_buf_add_char(b, '"');
    while (i < s.len) {
        unsigned char c = (unsigned char)s.p[i];
        size_t step = hale_utf8_step(s.p + i, s.len - i);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            i += step;
            continue;
        }
        hale_buf_add(b, s.p + start, i - start);
        if (step == 0)
            hale_buf_add_c(b, "\xef\xbf\xbd");
        else
            add_json_escape(b, c);
        start = ++i;
    }
    if (i > start)
        hale_buf_add(b, s.p + start, i - start);
    hale_buf_add_char(b, '"');
}

/*
 * Numbers with few decimals, nearly all of telemetry: if m / 10^k, one correctly rounded
 * division of exact operands, gives d, then the decimal text of m / 10^k reads back as d.
 * The smallest such k is the shortest text.
 */
static bool add_short_double(struct hale_buf *b, double d)
{
    static const int64_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

    if (!(fabs(d) < 1e9))
        return false;
    for (unsigned k = 0; k < sizeof(power) / sizeof(power[0]); k++) {
        int64_t m = llrint(d * (double)power[k]);
        if ((double)m / (double)power[k] != d)
            continue;
        char text[32];
        char *p = text + sizeof(text);
        int64_t left = k > 0 ? (m < 0 ? -m : m) : (m < 0 ? -m : m) * 10;
        unsigned decimals = k > 0 ? k : 1;
        for (unsigned i = 0; i <= decimals || left > 0; i++) {
            if (i == decimals)
                *--p = '.';
            *--p = (char)('0' + left % 10);
            left /= 10;
        }
        if (signbit(d))
            *--p = '-';
        hale_buf_add(b, p, (size_t)(text + sizeof(text) - p));
        return true;
    }
    return false;
}

void hale_buf_add_double(struct hale_buf *b, double d)
{
    char text[40];

    if (!isfinite(d)) {
        hale_buf_add_c(b, "null");
        return;
    }
    if (add_short_double(b, d))
        return;
    /* 15 digits always survive, except near zero where doubles have fewer. */
    for (int digits = fabs(d) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text) - 2, "%.*g", digits, d);
        char *comma = strchr(text, ','); /* if somebody set a locale */
        if (comma != NULL)
            *comma = '.';
        double back;
        if (hale_str_double(hale_str_from(text), &back) == HALE_OK && back == d)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        strncat(text, ".0", sizeof(text) - strlen(text) - 1);
    hale_buf_add_c(b, text);
}

char *hale_buf_reserve(struct hale_buf *b, size_t n)
{
    return grow(b, n) ? b->p + b->len : NULL;
}

void hale_buf_consume(struct hale_buf *b, size_t n)
{
    HALE_ASSERT(n <= b->len);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->len - n + 1);
    b->len -= n;
}

struct hale_str hale_buf_str(const struct hale_buf *b)
{
    return (struct hale_str){b->p, b->len};
}

char *hale_buf_take(struct hale_buf *b)
{
    if (!grow(b, 0))
        return NULL;
    char *p = b->p;
    *b = (struct hale_buf){.max = b->max};
    return p;
}
