/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number - the text-to-number half of str.h: integers, decimals, durations and sizes.
 * Each checks its whole grammar before it looks at ranges, so that nonsense is always
 * HALE_E_INVAL.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Number of digits at the start of s. */
static size_t digits_at(struct hale_str s)
{
    size_t n = 0;
    while (n < s.len && is_digit(s.p[n]))
        n++;
    return n;
}

/* The value of n digits; false when it does not fit. */
static bool digits_value(const char *p, size_t n, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(p[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

enum hale_rc hale_str_u64(struct hale_str s, uint64_t *out)
{
    if (s.len == 0 || digits_at(s) != s.len)
        return HALE_E_INVAL;
    return digits_value(s.p, s.len, out) ? HALE_OK : HALE_E_LIMIT;
}

enum hale_rc hale_str_i64(struct hale_str s, int64_t *out)
{
    bool negative = s.len > 0 && s.p[0] == '-';
    if (negative) {
        s.p++;
        s.len--;
    }
    uint64_t size;
    enum hale_rc rc = hale_str_u64(s, &size);
    if (rc != HALE_OK)
        return rc;
    if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return HALE_E_LIMIT;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return HALE_OK;
}

/* What the scan of a decimal found. */
struct decimal {
    uint64_t mantissa; /* the digits without leading zeros, valid if n_digits <= 19 */
    size_t n_digits;   /* significant digits in mantissa */
    int64_t exponent;  /* value = mantissa * 10^exponent; clamped to +-100000 */
    bool negative;
};

#define EXPONENT_CLAMP 100000

static void take_digits(struct hale_str *s, size_t n, struct decimal *d)
{
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(s->p[i] - '0');
        if (d->n_digits == 0 && digit == 0)
            continue;
        if (d->n_digits < 19)
            d->mantissa = d->mantissa * 10 + digit;
        d->n_digits++;
    }
    s->p += n;
    s->len -= n;
}

/* [eE][+-]digits at the end of the number. */
static bool take_exponent(struct hale_str *s, struct decimal *d)
{
    int64_t value = 0;
    s->p++;
    s->len--;
    bool negative = s->len > 0 && s->p[0] == '-';
    if (s->len > 0 && (s->p[0] == '-' || s->p[0] == '+')) {
        s->p++;
        s->len--;
    }
    if (s->len == 0 || digits_at(*s) != s->len)
        return false;
    for (size_t i = 0; i < s->len; i++) {
        value = value * 10 + (s->p[i] - '0');
        if (value > EXPONENT_CLAMP)
            value = EXPONENT_CLAMP;
    }
    d->exponent += negative ? -value : value;
    s->len = 0;
    return true;
}

/* Checks the grammar [+-]digits[.digits][e[+-]digits], at least one digit beside the
 * point. */
static bool scan_decimal(struct hale_str s, struct decimal *d)
{
    *d = (struct decimal){.negative = s.len > 0 && s.p[0] == '-'};
    if (s.len > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
        s.p++;
        s.len--;
    }
    size_t before = digits_at(s);
    size_t after = 0;
    take_digits(&s, before, d);
    if (s.len > 0 && s.p[0] == '.') {
        s.p++;
        s.len--;
        after = digits_at(s);
        take_digits(&s, after, d);
        d->exponent = -(int64_t)after;
    }
    if (before + after == 0)
        return false;
    if (s.len > 0 && (s.p[0] == 'e' || s.p[0] == 'E'))
        return take_exponent(&s, d);
    return s.len == 0;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    HALE_ASSERT(c_locale != (locale_t)0); /* "C" is built in */
}

#define DOUBLE_TEXT_MAX 512

/* The rare numbers that need more than one correctly rounded operation. */
static enum hale_rc slow_double(struct hale_str s, double *out)
{
    char text[DOUBLE_TEXT_MAX];
    if (s.len >= sizeof(text))
        return HALE_E_LIMIT;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    (void)pthread_once(&c_locale_once, make_c_locale);
    char *end = NULL;
    double value = strtod_l(text, &end, c_locale);
    HALE_ASSERT(end == text + s.len);
    if (!isfinite(value))
        return HALE_E_LIMIT;
    *out = value;
    return HALE_OK;
}

/*
 * Most numbers of telemetry have at most 15 digits and a small exponent. Then mantissa
 * and power of ten are both exact doubles, and one IEEE multiplication or division rounds
 * correctly (Clinger's fast path): no copy, no strtod.
 */
enum hale_rc hale_str_double(struct hale_str s, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    if (!scan_decimal(s, &d))
        return HALE_E_INVAL;
    if (d.n_digits == 0) {
        *out = d.negative ? -0.0 : 0.0;
        return HALE_OK;
    }
    if (d.n_digits > 19 || d.mantissa > (UINT64_C(1) << 53) || d.exponent < -22 ||
        d.exponent > 22)
        return slow_double(s, out);
    double value = (double)d.mantissa;
    if (d.exponent < 0)
        value /= power[-d.exponent];
    else
        value *= power[d.exponent];
    *out = d.negative ? -value : value;
    return HALE_OK;
}

struct unit {
    struct hale_str name;
    uint64_t scale;
};

enum hale_rc hale_str_duration_ms(struct hale_str s, int64_t *out_ms)
{
    /* Largest first; a text may use each once and in this order. "ms" before "m": longest
     * match. */
    static const struct unit units[] = {
        {{"d", 1}, 86400000}, {{"h", 1}, 3600000}, {{"m", 1}, 60000},
        {{"s", 1}, 1000},     {{"ms", 2}, 1},
    };
    const size_t n_units = sizeof(units) / sizeof(units[0]);
    uint64_t total = 0;
    bool fits = true;
    size_t next = 0;

    if (s.len == 0)
        return HALE_E_INVAL;
    while (s.len > 0) {
        size_t n = digits_at(s);
        size_t letters = n;
        while (letters < s.len && !is_digit(s.p[letters]))
            letters++;
        struct hale_str name = {s.p + n, letters - n};
        while (next < n_units && !hale_str_eq(units[next].name, name))
            next++;
        if (n == 0 || next == n_units)
            return HALE_E_INVAL;
        uint64_t value = 0;
        fits = fits && digits_value(s.p, n, &value) &&
               !__builtin_mul_overflow(value, units[next].scale, &value) &&
               !__builtin_add_overflow(total, value, &total);
        next++;
        s.p += letters;
        s.len -= letters;
    }
    if (!fits || total > INT64_MAX)
        return HALE_E_LIMIT;
    *out_ms = (int64_t)total;
    return HALE_OK;
}

enum hale_rc hale_str_bytes(struct hale_str s, uint64_t *out_bytes)
{
    static const char *const suffixes[] = {"", "k", "m", "g"};
    size_t n = digits_at(s);
    struct hale_str suffix = {s.p + n, s.len - n};
    uint64_t value;

    if (n == 0)
        return HALE_E_INVAL;
    if (suffix.len > 0 && (suffix.p[suffix.len - 1] | 0x20) == 'b')
        suffix.len--;
    for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (!hale_str_ieq_c(suffix, suffixes[i]))
            continue;
        if (!digits_value(s.p, n, &value) || value > UINT64_MAX >> (10 * i))
            return HALE_E_LIMIT;
        *out_bytes = value << (10 * i);
        return HALE_OK;
    }
    return HALE_E_INVAL;
}
