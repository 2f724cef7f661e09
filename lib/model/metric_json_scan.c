/* SPDX-License-Identifier: Apache-2.0 */
#include "model/metric_json_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* A double is decided by its first 767 significant digits and whether anything but zero
 * follows, so that a number of any length fits in a buffer. */
#define MAX_DIGITS 800

static const char *const text_depth = "values are nested too deep";

const char *hale_scan_fault(struct hale_scan *s, const char *at, const char *text)
{
    if (s->fault == NULL) {
        s->fault = text;
        s->fault_at = at;
    }
    return NULL;
}

const char *hale_scan_ws(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

#define ONES  0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* High bit set in the lowest byte of w that is '"', '\\', below 0x20 or above 0x7f. Bytes above
 * that one may be set wrongly. */
static inline uint64_t odd_bytes(uint64_t w)
{
    uint64_t quote = w ^ (ONES * '"');
    uint64_t slash = w ^ (ONES * '\\');
    uint64_t hit = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) |
                   ((w - ONES * 0x20) & ~w) | w;
    return hit & HIGHS;
}

/* First byte that is not plain, or end. */
static inline const char *odd_byte(const char *p, const char *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t hit = odd_bytes(w);
        if (hit == 0)
            continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return p + (__builtin_ctzll(hit) >> 3);
#else
        break;
#endif
    }
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && (*p & 0x80) == 0)
        p++;
    return p;
}

const char *hale_scan_plain(const char *p, const char *end)
{
    p = odd_byte(p, end);
    return p < end && *p == '"' ? p : NULL;
}

/* p: behind \u. The unit, or -1. */
static int hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i];
        if (c >= '0' && c <= '9')
            c -= '0';
        else if (c >= 'a' && c <= 'f')
            c -= 'a' - 10;
        else if (c >= 'A' && c <= 'F')
            c -= 'A' - 10;
        else
            return -1;
        unit = unit * 16 + c;
    }
    return unit;
}

/* p: at the backslash. */
static const char *scan_escape(struct hale_scan *s, const char *p)
{
    const char *at = p++;
    if (p == s->end)
        return hale_scan_fault(s, at, "the input ends inside a string");
    if (*p != 'u') {
        if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL)
            return hale_scan_fault(s, at, "unknown escape in a string");
        return p + 1;
    }
    int unit = hex4(p + 1, s->end);
    if (unit < 0)
        return hale_scan_fault(s, at, "\\u needs four hexadecimal digits");
    p += 5;
    if (unit < 0xd800 || unit > 0xdfff)
        return p;
    int low = -1;
    if (s->end - p >= 6 && p[0] == '\\' && p[1] == 'u')
        low = hex4(p + 2, s->end);
    if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
        return hale_scan_fault(s, at, "half of a surrogate pair in a string");
    return p + 6;
}

/* p: at a byte above 0x7f. */
static const char *scan_utf8(struct hale_scan *s, const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t left = (size_t)(s->end - p);
    size_t n = 0;
    if (u[0] >= 0xc2 && u[0] <= 0xdf)
        n = 2;
    else if (u[0] >= 0xe0 && u[0] <= 0xef)
        n = 3;
    else if (u[0] >= 0xf0 && u[0] <= 0xf4)
        n = 4;
    if (n == 0 || left < n)
        return hale_scan_fault(s, p, "the text is not UTF-8");
    unsigned char low = 0x80, high = 0xbf; /* of the second byte, RFC 3629 section 4 */
    if (u[0] == 0xe0)
        low = 0xa0;
    else if (u[0] == 0xed)
        high = 0x9f;
    else if (u[0] == 0xf0)
        low = 0x90;
    else if (u[0] == 0xf4)
        high = 0x8f;
    bool good = u[1] >= low && u[1] <= high;
    for (size_t i = 2; i < n; i++)
        good = good && (u[i] & 0xc0) == 0x80;
    if (!good)
        return hale_scan_fault(s, p, "the text is not UTF-8");
    return p + n;
}

const char *hale_scan_string(struct hale_scan *s, const char *p)
{
    while (p != NULL) {
        p = odd_byte(p, s->end);
        if (p == s->end)
            return hale_scan_fault(s, p, "the input ends inside a string");
        if (*p == '"')
            return p;
        if (*p == '\\')
            p = scan_escape(s, p);
        else if ((*p & 0x80) != 0)
            p = scan_utf8(s, p);
        else
            return hale_scan_fault(s, p, "a control byte in a string must be escaped");
    }
    return NULL;
}

struct decimal { /* the parts of a number's text */
    bool negative;
    const char *whole, *whole_end;
    const char *fraction, *fraction_end; /* equal when there is none */
    int64_t exponent;                    /* saturated at about 1e17 */
};

/* Reads the digits at p into [*from, *to). */
static const char *scan_digits(struct hale_scan *s, const char *p, const char **from,
                               const char **to)
{
    if (!is_digit(p, s->end))
        return hale_scan_fault(s, p, "a digit is missing");
    *from = p;
    while (is_digit(p, s->end))
        p++;
    *to = p;
    return p;
}

static const char *scan_decimal(struct hale_scan *s, const char *p, struct decimal *d)
{
    memset(d, 0, sizeof(*d));
    d->negative = p < s->end && *p == '-';
    p = scan_digits(s, p + d->negative, &d->whole, &d->whole_end);
    if (p == NULL)
        return NULL;
    d->fraction = d->fraction_end = p;
    if (*d->whole == '0' && d->whole_end - d->whole > 1)
        return hale_scan_fault(s, d->whole, "a number must not start with 0");
    if (p < s->end && *p == '.') {
        p = scan_digits(s, p + 1, &d->fraction, &d->fraction_end);
        if (p == NULL)
            return NULL;
    }
    if (p == s->end || (*p != 'e' && *p != 'E'))
        return p;
    p++;
    bool negative = p < s->end && *p == '-';
    if (p < s->end && (*p == '-' || *p == '+'))
        p++;
    const char *from, *to;
    p = scan_digits(s, p, &from, &to);
    if (p == NULL)
        return NULL;
    for (; from < to; from++) {
        if (d->exponent < INT64_C(10000000000000000))
            d->exponent = d->exponent * 10 + (*from - '0');
    }
    if (negative)
        d->exponent = -d->exponent;
    return p;
}

struct digits { /* significant digits, gathered from both parts */
    char text[MAX_DIGITS + 32];
    size_t n;
    int64_t dropped; /* digits behind MAX_DIGITS */
    bool sticky;     /* one of them is not zero */
};

static void gather(struct digits *g, const char *p, const char *end)
{
    if (g->n == 0) {
        while (p < end && *p == '0')
            p++;
    }
    for (; p < end; p++) {
        if (g->n < MAX_DIGITS) {
            g->text[g->n++] = *p;
        } else {
            g->dropped++;
            g->sticky = g->sticky || *p != '0';
        }
    }
}

/* Rewritten as digits and exponent without a decimal point, the text means the same to strtod
 * in every locale. */
static double decimal_value(const struct decimal *d)
{
    struct digits g;
    g.n = 0;
    g.dropped = 0;
    g.sticky = false;
    gather(&g, d->whole, d->whole_end);
    gather(&g, d->fraction, d->fraction_end);
    if (g.n == 0)
        return d->negative ? -0.0 : 0.0;
    int64_t exponent = d->exponent - (d->fraction_end - d->fraction) + g.dropped;
    if (g.sticky) {
        g.text[g.n++] = '1';
        exponent--;
    }
    if (exponent > 99999)
        exponent = 99999;
    if (exponent < -99999)
        exponent = -99999;
    (void)snprintf(g.text + g.n, sizeof(g.text) - g.n, "e%d", (int)exponent);
    int before = errno;
    double value = strtod(g.text, NULL);
    errno = before;
    return d->negative ? -value : value;
}

const char *hale_scan_number(struct hale_scan *s, const char *p, double *out)
{
    struct decimal d;
    p = scan_decimal(s, p, &d);
    if (p != NULL && out != NULL)
        *out = decimal_value(&d);
    return p;
}

/* p: at a value that is neither a string nor a container. */
static const char *scan_scalar(struct hale_scan *s, const char *p)
{
    static const struct hale_str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((size_t)(s->end - p) >= words[i].len &&
            memcmp(p, words[i].p, words[i].len) == 0)
            return p + words[i].len;
    }
    if (*p == '-' || is_digit(p, s->end))
        return hale_scan_number(s, p, NULL);
    return hale_scan_fault(s, p, "a value is missing");
}

const char *hale_scan_key(struct hale_scan *s, const char *p, struct hale_str *raw_out)
{
    if (p == s->end || *p != '"')
        return hale_scan_fault(s, p, "a key in double quotes is missing");
    const char *close = hale_scan_string(s, p + 1);
    if (close == NULL)
        return NULL;
    *raw_out = (struct hale_str){p + 1, (size_t)(close - p - 1)};
    p = hale_scan_ws(close + 1, s->end);
    if (p == s->end || *p != ':')
        return hale_scan_fault(s, p, "a colon is missing behind a key");
    return hale_scan_ws(p + 1, s->end);
}

struct nesting {      /* open containers of one value */
    uint64_t objects; /* bit i: container i is an object */
    unsigned depth;
};

/* p: at the opening bracket. *opened tells whether a first item follows. */
static const char *open_container(struct hale_scan *s, const char *p, struct nesting *n,
                                  bool *opened)
{
    struct hale_str key;
    bool object = *p == '{';
    *opened = false;
    if (n->depth == HALE_SCAN_MAX_DEPTH)
        return hale_scan_fault(s, p, text_depth);
    p = hale_scan_ws(p + 1, s->end);
    if (p < s->end && *p == (object ? '}' : ']'))
        return p + 1;
    *opened = true;
    uint64_t bit = UINT64_C(1) << n->depth++;
    n->objects = object ? n->objects | bit : n->objects & ~bit;
    return object ? hale_scan_key(s, p, &key) : p;
}

/* Behind a value: closes what ends here. Returns at the next value, or behind the whole one when
 * n->depth is 0. */
static const char *close_containers(struct hale_scan *s, const char *p, struct nesting *n)
{
    while (n->depth > 0) {
        bool object = (n->objects >> (n->depth - 1) & 1) != 0;
        p = hale_scan_ws(p, s->end);
        if (p == s->end)
            return hale_scan_fault(s, p, "the input ends inside a value");
        if (*p == ',') {
            struct hale_str key;
            p = hale_scan_ws(p + 1, s->end);
            return object ? hale_scan_key(s, p, &key) : p;
        }
        if (*p != (object ? '}' : ']'))
            return hale_scan_fault(s, p, "a comma or a closing bracket is missing");
        n->depth--;
        p++;
    }
    return p;
}

const char *hale_scan_value(struct hale_scan *s, const char *p)
{
    struct nesting n = {0, 0};
    do {
        bool opened = false;
        if (p == s->end)
            return hale_scan_fault(s, p, "a value is missing");
        if (*p == '{' || *p == '[') {
            p = open_container(s, p, &n, &opened);
        } else if (*p == '"') {
            p = hale_scan_string(s, p + 1);
            p = p == NULL ? NULL : p + 1;
        } else {
            p = scan_scalar(s, p);
        }
        if (p != NULL && !opened)
            p = close_containers(s, p, &n);
    } while (p != NULL && n.depth > 0);
    return p;
}

bool hale_scan_is_object(struct hale_str text)
{
    if (text.len < 2 || text.p[0] != '{')
        return false;
    struct hale_scan s = {.end = text.p + text.len};
    return hale_scan_value(&s, text.p) == s.end;
}

enum hale_scan_field hale_scan_escaped_field(struct hale_str raw)
{
    char key[64];
    if (raw.len > sizeof(key)) /* the longest spelling has 10 times \uXXXX */
        return HALE_SCAN_OTHER;
    struct hale_str k = {key, hale_scan_unescape(raw, key)};
    if (hale_str_eq_c(k, "name"))
        return HALE_SCAN_NAME;
    if (hale_str_eq_c(k, "dimensions"))
        return HALE_SCAN_DIMS;
    if (hale_str_eq_c(k, "timestamp"))
        return HALE_SCAN_TIME;
    if (hale_str_eq_c(k, "value"))
        return HALE_SCAN_VALUE;
    if (hale_str_eq_c(k, "value_meta"))
        return HALE_SCAN_META;
    return HALE_SCAN_OTHER;
}

static size_t put_utf8(uint32_t c, char *dst)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        dst[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    dst[0] = (char)(lead[n] | c);
    return n;
}

size_t hale_scan_unescape(struct hale_str raw, char *dst)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *p = raw.p, *end = raw.p + raw.len;
    size_t n = 0;
    while (p < end) {
        if (*p != '\\') {
            dst[n++] = *p++;
            continue;
        }
        HALE_ASSERT(end - p >= 2); /* the string is valid */
        if (p[1] != 'u') {
            const char *at = memchr(from, p[1], sizeof(from) - 1);
            HALE_ASSERT(at != NULL);
            dst[n++] = to[at - from];
            p += 2;
            continue;
        }
        int unit = hex4(p + 2, end);
        HALE_ASSERT(unit >= 0);
        p += 6;
        uint32_t c = (uint32_t)unit;
        if (c >= 0xd800 && c <= 0xdbff) {
            HALE_ASSERT(end - p >= 6);
            uint32_t low = (uint32_t)hex4(p + 2, end);
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
        n += put_utf8(c, dst + n);
    }
    return n;
}

const char *hale_scan_show(struct hale_str text, char *dst, size_t size)
{
    size_t n = text.len;
    if (n > size - 1) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        dst[i] = c < 0x20 || c == 0x7f ? '?' : text.p[i];
    }
    dst[n] = '\0';
    return dst;
}
