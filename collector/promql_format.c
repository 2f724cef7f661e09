/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_format.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* digits "12345" and decimal exponent of the first digit, shortest that reads back. */
static int shortest(double d, char *digits, int *n)
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
    int exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    *n = 0;
    for (const char *p = text; p != e && *p != '\0'; p++)
        if (*p >= '0' && *p <= '9')
            digits[(*n)++] = *p;
    while (*n > 1 && digits[*n - 1] == '0')
        --*n;
    return exponent;
}

static void add_exponent(struct hale_buf *b, const char *digits, int n, int exponent)
{
    hale_buf_add(b, digits, 1);
    if (n > 1) {
        hale_buf_add_char(b, '.');
        hale_buf_add(b, digits + 1, (size_t)n - 1);
    }
    hale_buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void add_plain(struct hale_buf *b, const char *digits, int n, int exponent)
{
    if (exponent < 0) {
        hale_buf_add_c(b, "0.");
        for (int i = -1; i > exponent; i--)
            hale_buf_add_char(b, '0');
        hale_buf_add(b, digits, (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (i == exponent + 1)
            hale_buf_add_char(b, '.');
        hale_buf_add_char(b, digits[i]);
    }
    for (int i = n; i <= exponent; i++)
        hale_buf_add_char(b, '0');
}

void collector_promql_add_number(struct hale_buf *b, double d)
{
    char digits[24];
    double size = fabs(d);
    int n;

    if (isnan(d)) {
        hale_buf_add_c(b, "NaN");
    } else if (isinf(d)) {
        hale_buf_add_c(b, d > 0 ? "+Inf" : "-Inf");
    } else if (size < 1e15 && d == (double)(int64_t)d && (d != 0 || !signbit(d))) {
        hale_buf_printf(b, "%lld", (long long)d);
    } else {
        if (signbit(d))
            hale_buf_add_char(b, '-');
        int exponent = shortest(size, digits, &n);
        if (size != 0 && (size < 1e-6 || size >= 1e21))
            add_exponent(b, digits, n, exponent);
        else
            add_plain(b, digits, n, exponent);
    }
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

/* [1435781430.781,"1"] */
static void add_point(struct hale_buf *b, int64_t time_ms, double v)
{
    int64_t ms = time_ms % 1000;

    if (ms < 0)
        ms = -ms;
    hale_buf_add_c(b, time_ms < 0 && time_ms > -1000 ? "[-" : "[");
    hale_buf_printf(b, "%lld", (long long)(time_ms / 1000));
    if (ms != 0)
        hale_buf_printf(b, ".%03d", (int)ms);
    hale_buf_add_c(b, ",\"");
    collector_promql_add_number(b, v);
    hale_buf_add_c(b, "\"]");
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
    hale_buf_printf(b, "[%lld", (long long)(time_ms / 1000));
    if (time_ms % 1000 != 0)
        hale_buf_printf(b, ".%03d", (int)llabs(time_ms % 1000));
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
