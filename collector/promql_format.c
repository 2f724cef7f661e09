/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_format.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 48 /* bytes of a number's text */

/* Digits of |d| without zeros at the end, and the decimal exponent of the first one. */
struct decimal {
    char digits[24];
    int n, exponent;
};

static void set_digits(struct decimal *out, uint64_t m, int p)
{
    out->n = p;
    for (int i = p - 1; i >= 0; i--, m /= 10)
        out->digits[i] = (char)('0' + m % 10);
    while (out->n > 1 && out->digits[out->n - 1] == '0')
        out->n--;
}

#if LDBL_MANT_DIG >= 64
/*
 * Between 1e-5 and 1e15: p digits are m = d * 10^k, rounded; they do when m / 10^k lies nearer to
 * d than to the middle between d and its neighbour. Powers up to 10^27 and m are exact in 64 bits, so the quotient is
 * exact to half a unit of those. What lies too near to that middle is left to the slow way.
 */
static bool quick_decimal(double d, struct decimal *out)
{
    static const long double power[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                        1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                        1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                        1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L};
    long double gap = (long double)d - nextafter(d, 0);

    if (!(d >= 1e-5 && d < 1e15))
        return false;
    out->exponent = (int)floor(log10(d));
    if (out->exponent >= 0 ? d < (double)power[out->exponent] : false)
        out->exponent--;
    for (int p = 15; p <= 17; p++) {
        int k = p - 1 - out->exponent;
        uint64_t m = (uint64_t)llrintl((long double)d * power[k]);
        long double off = fabsl((long double)m / power[k] - (long double)d) / gap;
        if (m < (uint64_t)power[p - 1] || m >= (uint64_t)power[p] ||
            (off > 0.499L && off < 0.501L))
            return false; /* at a power of ten, or in doubt */
        if (off < 0.5L) {
            set_digits(out, m, p);
            return true;
        }
    }
    return false;
}
#else
static bool quick_decimal(double d, struct decimal *out)
{
    (void)d;
    (void)out;
    return false;
}
#endif

static void slow_decimal(double d, struct decimal *out)
{
    char text[40];

    /* 15 digits always survive, except near zero where doubles have fewer. */
    for (int precision = d < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
        double back = 0;
        (void)snprintf(text, sizeof(text), "%.*e", precision, d);
        for (char *p = text; *p != '\0'; p++) /* if somebody set a locale */
            *p = *p == ',' ? '.' : *p;
        if (hale_str_double(hale_str_from(text), &back) == HALE_OK && back == d)
            break;
    }
    char *e = strchr(text, 'e');
    out->exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    out->n = 0;
    for (const char *p = text; p != e && *p != '\0'; p++)
        if (*p >= '0' && *p <= '9')
            out->digits[out->n++] = *p;
    while (out->n > 1 && out->digits[out->n - 1] == '0')
        out->n--;
}

static char *add_exponent(char *to, const struct decimal *d)
{
    *to++ = d->digits[0];
    if (d->n > 1) {
        *to++ = '.';
        memcpy(to, d->digits + 1, (size_t)d->n - 1);
        to += d->n - 1;
    }
    return to + snprintf(to, 8, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
}

static char *add_plain(char *to, const struct decimal *d)
{
    if (d->exponent < 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = -1; i > d->exponent; i--)
            *to++ = '0';
        memcpy(to, d->digits, (size_t)d->n);
        return to + d->n;
    }
    for (int i = 0; i < d->n; i++) {
        if (i == d->exponent + 1)
            *to++ = '.';
        *to++ = d->digits[i];
    }
    for (int i = d->n; i <= d->exponent; i++)
        *to++ = '0';
    return to;
}

static char *add_integer(char *to, int64_t v)
{
    char digits[24];
    size_t n = 0;
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (v < 0)
        *to++ = '-';
    do {
        digits[n++] = (char)('0' + m % 10);
        m /= 10;
    } while (m > 0);
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

static char *add_word(char *to, const char *word)
{
    while (*word != '\0')
        *to++ = *word++;
    return to;
}

/* At most NUMBER_MAX bytes; gives their end. */
static char *add_number(char *to, double d)
{
    struct decimal decimal = {0};
    double size = fabs(d);

    if (isnan(d))
        return add_word(to, "NaN");
    if (isinf(d))
        return add_word(to, d > 0 ? "+Inf" : "-Inf");
    if (size < 1e15 && d == (double)(int64_t)d && (d != 0 || !signbit(d)))
        return add_integer(to, (int64_t)d);
    if (signbit(d))
        *to++ = '-';
    if (!quick_decimal(size, &decimal))
        slow_decimal(size, &decimal);
    if (size != 0 && (size < 1e-6 || size >= 1e21))
        return add_exponent(to, &decimal);
    return add_plain(to, &decimal);
}

void collector_promql_add_number(struct hale_buf *b, double d)
{
    char text[NUMBER_MAX];

    hale_buf_add(b, text, (size_t)(add_number(text, d) - text));
}

void collector_promql_add_labels(struct hale_buf *b,
                                 const struct collector_promql_labels *l)
{
    hale_buf_add_char(b, '{');
    for (unsigned i = 0; i < l->n; i++) {
        if (i > 0)
            hale_buf_add_char(b, ',');
        hale_buf_add_json(b, l->v[i].name);
        hale_buf_add_char(b, ':');
        hale_buf_add_json(b, l->v[i].value);
    }
    hale_buf_add_char(b, '}');
}

/* Seconds with milliseconds where there are any: 1435781430.781 */
static char *add_time(char *to, int64_t time_ms)
{
    int64_t ms = time_ms % 1000;

    if (ms < 0)
        ms = -ms;
    if (time_ms < 0 && time_ms > -1000)
        *to++ = '-';
    to = add_integer(to, time_ms / 1000);
    if (ms != 0) {
        *to++ = '.';
        *to++ = (char)('0' + ms / 100);
        *to++ = (char)('0' + ms / 10 % 10);
        *to++ = (char)('0' + ms % 10);
    }
    return to;
}

/* [1435781430.781,"1"] */
static void add_point(struct hale_buf *b, int64_t time_ms, double v)
{
    char text[NUMBER_MAX + 40];
    char *to = text;

    *to++ = '[';
    to = add_time(to, time_ms);
    *to++ = ',';
    *to++ = '"';
    to = add_number(to, v);
    *to++ = '"';
    *to++ = ']';
    hale_buf_add(b, text, (size_t)(to - text));
}

static void add_row(struct hale_buf *b, const struct collector_promql_options *o,
                    const struct collector_promql_row *row)
{
    bool any = false;

    hale_buf_add_c(b, "{\"metric\":");
    collector_promql_add_labels(b, row->labels);
    if (o->instant) {
        hale_buf_add_c(b, ",\"value\":");
        add_point(b, o->start_ms, row->v[0]);
        hale_buf_add_char(b, '}');
        return;
    }
    hale_buf_add_c(b, ",\"values\":[");
    for (size_t i = 0; i < o->n_steps; i++) {
        if (collector_promql_is_none(row->v[i]))
            continue;
        if (any)
            hale_buf_add_char(b, ',');
        any = true;
        add_point(b, o->start_ms + (int64_t)i * o->step_ms, row->v[i]);
    }
    hale_buf_add_c(b, "]}");
}

static void add_points(struct hale_buf *b, const struct collector_promql_labels *l,
                       const struct collector_promql_points *p)
{
    hale_buf_add_c(b, "{\"metric\":");
    collector_promql_add_labels(b, l);
    hale_buf_add_c(b, ",\"values\":[");
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0)
            hale_buf_add_char(b, ',');
        add_point(b, p->v[i].time_ms, p->v[i].value);
    }
    hale_buf_add_c(b, "]}");
}

static void add_scalar_range(struct hale_buf *b, const struct collector_promql_options *o,
                             const double *scalar)
{
    hale_buf_add_c(b, "[{\"metric\":{},\"values\":[");
    for (size_t i = 0; i < o->n_steps; i++) {
        if (i > 0)
            hale_buf_add_char(b, ',');
        add_point(b, o->start_ms + (int64_t)i * o->step_ms, scalar[i]);
    }
    hale_buf_add_c(b, "]}]");
}

static void add_text(struct hale_buf *b, int64_t time_ms, struct hale_str text)
{
    char when[40];

    hale_buf_add_char(b, '[');
    hale_buf_add(b, when, (size_t)(add_time(when, time_ms) - when));
    hale_buf_add_char(b, ',');
    hale_buf_add_json(b, text);
    hale_buf_add_char(b, ']');
}

static const char *type_of(const struct collector_promql_result *r, bool instant)
{
    if (!instant)
        return "matrix";
    switch (r->value.type) {
    case HALE_PROMQL_SCALAR: return "scalar";
    case HALE_PROMQL_VECTOR: return "vector";
    case HALE_PROMQL_MATRIX: return "matrix";
    case HALE_PROMQL_STRING: break;
    }
    return "string";
}

void collector_promql_add_result(struct hale_buf *b,
                                 const struct collector_promql_result *r,
                                 const struct collector_promql_options *o)
{
    const struct collector_promql_value *v = &r->value;

    hale_buf_printf(b, "{\"resultType\":\"%s\",\"result\":", type_of(r, o->instant));
    if (v->type == HALE_PROMQL_STRING) {
        add_text(b, o->start_ms, v->text);
    } else if (v->type == HALE_PROMQL_SCALAR && o->instant) {
        add_point(b, o->start_ms, v->scalar[0]);
    } else if (v->type == HALE_PROMQL_SCALAR) {
        add_scalar_range(b, o, v->scalar);
    } else {
        hale_buf_add_char(b, '[');
        for (size_t i = 0; i < v->n; i++) {
            if (i > 0)
                hale_buf_add_char(b, ',');
            if (v->type == HALE_PROMQL_MATRIX)
                add_points(b, v->rows[i].labels, &r->points[i]);
            else
                add_row(b, o, &v->rows[i]);
        }
        hale_buf_add_char(b, ']');
    }
    hale_buf_add_char(b, '}');
}
