/* SPDX-License-Identifier: Apache-2.0 */
#include "model/influx_line.h"

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "model/metric_json_scan.h"

#define EXACT_DIGITS 15 /* a mantissa of so many digits is exact in a double */
#define TIME_MAX_MS  INT64_C(9223372036854)
#define SHOW_BYTES   100 /* of a line in a message */

static const double POWERS[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

enum hale_rc hale_influx_unit_parse(const char *text, enum hale_influx_unit *out)
{
    static const struct {
        const char *text;
        enum hale_influx_unit unit;
    } UNITS[] = {
        {"ns", HALE_INFLUX_NS}, {"n", HALE_INFLUX_NS},        {"us", HALE_INFLUX_US},
        {"u", HALE_INFLUX_US},  {"\xc2\xb5", HALE_INFLUX_US}, {"ms", HALE_INFLUX_MS},
        {"s", HALE_INFLUX_S},   {"m", HALE_INFLUX_MIN},       {"h", HALE_INFLUX_H},
    };
    *out = HALE_INFLUX_NS;
    if (text == NULL)
        return HALE_OK;
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (strcmp(UNITS[i].text, text) == 0) {
            *out = UNITS[i].unit;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

void hale_influx_init(struct hale_influx_parser *p, struct hale_str body,
                      enum hale_influx_unit unit)
{
    /* no arithmetic on NULL: an empty body may come as {NULL,0} */
    p->pos = body.p != NULL ? body.p : "";
    p->end = p->pos + body.len;
    p->unit = unit;
    p->key = (struct hale_str){NULL, 0};
    p->n_fields = 0;
    p->reason = NULL;
    p->err.text[0] = '\0';
}

/* The state of one line: where it started, and its fault. */
struct line {
    const char *start;
    const char *sure; /* behind the last string: line feeds from here on end lines */
    const char *reason, *text; /* NULL: none */
};

static const char *fault(struct line *l, const char *reason, const char *text)
{
    l->reason = reason;
    l->text = text;
    return NULL;
}

/* --- the key ----------------------------------------------------------------------------- */

/* The first blank or line feed at or behind p, or end. */
static inline const char *find_blank(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i blank = _mm_set1_epi8(' ');
    const __m128i feed = _mm_set1_epi8('\n');
    for (; end - p >= 16; p += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        const __m128i hit =
            _mm_or_si128(_mm_cmpeq_epi8(v, blank), _mm_cmpeq_epi8(v, feed));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && *p != ' ' && *p != '\n')
        p++;
    return p;
}

/* Returns the blank behind the key. */
static inline const char *read_key(struct hale_influx_parser *p, struct line *l,
                                   const char *at)
{
    const char *start = at;

    if (*at == ',')
        return fault(l, "syntax", "missing measurement");
    for (;;) {
        at = find_blank(at, p->end);
        if (at == p->end || *at == '\n')
            return fault(l, "syntax", "missing fields");
        if (at == start || at[-1] != '\\')
            break;
        at++;
    }
    p->key = (struct hale_str){start, (size_t)(at - start)};
    return at;
}

/* --- fields ------------------------------------------------------------------------------ */

static inline bool ends_value(const char *p, const char *end)
{
    return p == end || *p == ',' || *p == ' ' || *p == '\n' || *p == '\r';
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [-]digits[.digits] of few digits. NULL: something else, which says nothing about validity. */
static inline const char *short_decimal(const char *p, const char *end, double *out)
{
    bool negative = p < end && *p == '-';
    uint64_t mantissa = 0;
    size_t fraction = 0;

    p += negative;
    const char *digits = p;
    while (p < end && is_digit(*p))
        mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    size_t n = (size_t)(p - digits);
    if (n == 0 || n > EXACT_DIGITS)
        return NULL;
    if (p < end && *p == '.') {
        const char *point = p++;
        while (p < end && is_digit(*p))
            mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
        fraction = (size_t)(p - point) - 1;
        n += fraction;
    }
    if (n > EXACT_DIGITS || !ends_value(p, end))
        return NULL;
    double v = (double)mantissa / POWERS[fraction];
    *out = negative ? -v : v;
    return p;
}

static bool read_word(struct hale_str s, double *out)
{
    static const char *const WORDS[] = {"t", "T", "true",  "True",  "TRUE",
                                        "f", "F", "false", "False", "FALSE"};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (hale_str_eq_c(s, WORDS[i])) {
            *out = i < 5 ? 1 : 0;
            return true;
        }
    }
    return false;
}

/* Anything but a string that is not a short decimal. */
static const char *long_value(struct line *l, const char *p, const char *end, double *out)
{
    const char *start = p;
    while (!ends_value(p, end))
        p++;
    struct hale_str s = {start, (size_t)(p - start)};
    enum hale_rc rc;

    if (s.len == 0)
        return fault(l, "syntax", "missing field value");
    char last = s.p[s.len - 1];
    if (last == 'i' || last == 'u') {
        int64_t i = 0;
        uint64_t u = 0;
        s.len--;
        rc = last == 'i' ? hale_str_i64(s, &i) : hale_str_u64(s, &u);
        *out = last == 'i' ? (double)i : (double)u;
    } else if (read_word(s, out)) {
        rc = HALE_OK;
    } else {
        rc = hale_str_double(s, out);
    }
    if (rc == HALE_E_LIMIT)
        return fault(l, "value", "the number is out of range");
    return rc == HALE_OK ? p : fault(l, "value", "invalid number");
}

/* p: behind the opening quote. Returns what follows the closing one. */
static const char *skip_string(struct line *l, const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\' && p + 1 < end)
            p++;
    }
    return fault(l, "syntax", "unbalanced quotes; nothing behind them is read");
}

/* Returns the '=' behind a field's name. */
static inline const char *read_name(struct line *l, const char *p, const char *end)
{
    const char *start = p;

    for (; p < end; p++) {
        char c = *p;
        if (c == '\n')
            break;
        if (c != '=' && c != ',' && c != ' ')
            continue;
        if (p > start && p[-1] == '\\')
            continue;
        if (c != '=')
            break;
        return p > start ? p : fault(l, "syntax", "missing field name");
    }
    return fault(l, "syntax", "a field must be name=value");
}

/* Returns what follows the last field: a blank or the line's end. */
static inline const char *read_fields(struct hale_influx_parser *p, struct line *l,
                                      const char *at)
{
    p->n_fields = 0;
    for (;; at++) {
        if (p->n_fields == HALE_INFLUX_FIELDS_MAX)
            return fault(l, "syntax", "more than 1024 fields");
        struct hale_influx_field *f = &p->fields[p->n_fields];
        const char *name = at;
        at = read_name(l, at, p->end);
        if (at == NULL)
            return NULL;
        f->name = (struct hale_str){name, (size_t)(at - name)};
        f->is_string = false;
        at++;
        const char *behind = short_decimal(at, p->end, &f->value);
        if (behind == NULL && at < p->end && *at == '"') {
            f->is_string = true;
            f->value = 0;
            behind = skip_string(l, at + 1, p->end);
            l->sure = behind != NULL ? behind : p->end;
        } else if (behind == NULL) {
            behind = long_value(l, at, p->end, &f->value);
        }
        if (behind == NULL)
            return NULL;
        at = behind;
        if (!ends_value(at, p->end))
            return fault(l, "syntax", "a comma or a blank must follow a value");
        p->n_fields++;
        if (at == p->end || *at != ',')
            return at;
    }
}

/* --- the timestamp ----------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool to_ms(enum hale_influx_unit unit, int64_t t, int64_t *ms)
{
    int64_t factor = 1;

    switch (unit) {
    case HALE_INFLUX_NS: *ms = floor_div(t, 1000000); return true;
    case HALE_INFLUX_US: t = floor_div(t, 1000); break;
    case HALE_INFLUX_MS: break;
    case HALE_INFLUX_S: factor = 1000; break;
    case HALE_INFLUX_MIN: factor = 60000; break;
    case HALE_INFLUX_H: factor = 3600000; break;
    }
    return !__builtin_mul_overflow(t, factor, ms) && *ms <= TIME_MAX_MS &&
           *ms >= -TIME_MAX_MS;
}

static inline const char *read_time(struct hale_influx_parser *p, struct line *l,
                                    const char *at)
{
    const char *start = at;
    int64_t t;

    while (!ends_value(at, p->end))
        at++;
    enum hale_rc rc = hale_str_i64((struct hale_str){start, (size_t)(at - start)}, &t);
    if (rc == HALE_E_INVAL)
        return fault(l, "time", "invalid timestamp");
    if (rc != HALE_OK || !to_ms(p->unit, t, &p->time_ms))
        return fault(l, "time", "the timestamp is out of range");
    p->has_time = true;
    return at;
}

/* --- lines ------------------------------------------------------------------------------- */

static inline const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

/* Reads the line at at. Returns its line feed or the end of the body. */
static inline const char *read_line(struct hale_influx_parser *p, struct line *l,
                                    const char *at)
{
    at = read_key(p, l, at);
    if (at == NULL)
        return NULL;
    at = read_fields(p, l, skip_blanks(at, p->end));
    if (at == NULL)
        return NULL;
    at = skip_blanks(at, p->end);
    p->has_time = false;
    if (at < p->end && *at != '\n' && *at != '\r') {
        at = read_time(p, l, at);
        if (at == NULL)
            return NULL;
        at = skip_blanks(at, p->end);
    }
    if (at < p->end && *at == '\r')
        at++;
    if (at < p->end && *at != '\n')
        return fault(l, "syntax", "more text follows the timestamp");
    return at;
}

/* Moves to the next line that says something. False: the end. */
static inline bool find_line(struct hale_influx_parser *p)
{
    while (p->pos < p->end) {
        char c = *p->pos;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            p->pos++;
        } else if (c == '#') {
            const char *feed = memchr(p->pos, '\n', (size_t)(p->end - p->pos));
            p->pos = feed != NULL ? feed + 1 : p->end;
        } else {
            return true;
        }
    }
    return false;
}

/* The line feed at or behind at, or the end of the body. */
static const char *line_end(const struct hale_influx_parser *p, const char *at)
{
    const char *feed = at < p->end ? memchr(at, '\n', (size_t)(p->end - at)) : NULL;

    return feed != NULL ? feed : p->end;
}

static enum hale_influx_result refuse(struct hale_influx_parser *p, const struct line *l)
{
    struct hale_str text = {l->start, (size_t)(line_end(p, l->start) - l->start)};
    char show[SHOW_BYTES];

    if (text.len > 0 && text.p[text.len - 1] == '\r')
        text.len--;
    (void)hale_err_set(&p->err, HALE_E_INVAL, "unable to parse '%s': %s",
                       hale_scan_show(text, show, sizeof(show)), l->text);
    p->reason = l->reason;
    p->pos = line_end(p, l->sure);
    return HALE_INFLUX_FAULT;
}

enum hale_influx_result hale_influx_next(struct hale_influx_parser *p)
{
    if (!find_line(p))
        return HALE_INFLUX_END;
    struct line l = {.start = p->pos, .sure = p->pos};
    const char *at = read_line(p, &l, p->pos);
    if (at == NULL)
        return refuse(p, &l);
    p->pos = at;
    return HALE_INFLUX_LINE;
}
