/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_args - arguments and limits of single functions: the percentage of percentile, "absolute" and the
 * days of baseline, the horizon of forecast.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/expr_lex.h"

#define PERCENT_MIN     0.001
#define BASELINE_MAX_S  3600
#define BASELINE_VIEW_S 43200
#define FORECAST_MIN_S  10

/* digits [ "." digits ], between 0 and 100 */
static bool parse_percent(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    size_t start = p->pos;
    struct hale_str number = lex_digits(p);
    if (number.len > 0 && lex_peek(p) == '.' && isdigit(lex_peek_at(p, p->pos + 1))) {
        p->pos++;
        number.len += 1 + lex_digits(p).len;
    }
    if (number.len == 0)
        return lex_fail(
            p, start, HALE_E_INVAL,
            "a percentage is expected, as in percentile(x, 95, 300), found %s",
            lex_here(p, start));
    if (hale_str_double(number, &s->percent) != HALE_OK || s->percent < PERCENT_MIN ||
        s->percent >= 100)
        return lex_fail(
            p, start, HALE_E_LIMIT,
            "the percentage lies between 0 and 100, as in percentile(x, 99.9, "
            "300); max and min are the ends");
    return true;
}

bool parse_front_args(struct parser *p, struct hale_subexpr *s, bool *more)
{
    if (s->func == HALE_FUNC_BASELINE)
        s->days = HALE_EXPR_DEFAULT_DAYS;
    if (s->func == HALE_FUNC_PERCENTILE) {
        if (!*more)
            return lex_fail(
                p, p->pos, HALE_E_INVAL,
                "percentile needs a percentage, as in percentile(x, 95, 300)");
        if (!parse_percent(p, s))
            return false;
    } else if (s->func == HALE_FUNC_BASELINE && *more) {
        lex_skip(p);
        if (!lex_take_word(p, "absolute"))
            return true;
        s->absolute = true;
    } else {
        return true;
    }
    lex_skip(p);
    *more = lex_take(p, ',');
    return true;
}

static bool parse_horizon(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    size_t start = p->pos;
    if (!lex_take(p, ','))
        return lex_fail(
            p, start, HALE_E_INVAL,
            "forecast needs a period and how far to look ahead, as in forecast(x, "
            "3600, 4h)");
    lex_skip(p);
    if (!isdigit(lex_peek(p)))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "how far to look ahead is expected, as in 4h, found %s",
                        lex_here(p, p->pos));
    return parse_duration(p, HALE_EXPR_MAX_HORIZON_S, &s->horizon_s);
}

/* [ "," digits "d" ] */
static bool parse_days(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    if (!lex_take(p, ','))
        return true;
    lex_skip(p);
    size_t start = p->pos;
    uint64_t n;
    struct hale_str digits = lex_digits(p);
    if (digits.len == 0 || !lex_take_word(p, "d") || lex_name_char(p) > 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "a number of days is expected, as in 14d");
    if (hale_str_u64(digits, &n) != HALE_OK || n < HALE_EXPR_MIN_DAYS ||
        n > HALE_EXPR_MAX_DAYS)
        return lex_fail(p, start, HALE_E_LIMIT, "baseline looks back %dd to %dd",
                        HALE_EXPR_MIN_DAYS, HALE_EXPR_MAX_DAYS);
    s->days = (unsigned)n;
    return true;
}

bool parse_back_args(struct parser *p, struct hale_subexpr *s)
{
    if (s->func == HALE_FUNC_FORECAST)
        return parse_horizon(p, s);
    return s->func != HALE_FUNC_BASELINE || parse_days(p, s);
}

bool check_function(struct parser *p, const struct hale_subexpr *s, size_t start)
{
    if (s->func == HALE_FUNC_PERCENTILE && s->times > HALE_EXPR_MAX_SKETCHES)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "'times' of percentile must not be more than %d",
                        HALE_EXPR_MAX_SKETCHES);
    if (s->func == HALE_FUNC_BASELINE &&
        (s->period_s > BASELINE_MAX_S ||
         (uint64_t)s->period_s * s->times > BASELINE_VIEW_S))
        return lex_fail(
            p, start, HALE_E_LIMIT,
            "the period of baseline is at most an hour, with 'times' at most 12 "
            "hours");
    if (s->func == HALE_FUNC_FORECAST && s->period_s < FORECAST_MIN_S)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "the period of forecast is at least %d seconds", FORECAST_MIN_S);
    return true;
}

void add_args(const struct hale_subexpr *s, struct hale_buf *out)
{
    bool days = s->func == HALE_FUNC_BASELINE && s->days != HALE_EXPR_DEFAULT_DAYS;
    if (s->func == HALE_FUNC_PERCENTILE) {
        char text[32]; /* fewest decimals that read back as the same; never an exponent */
        for (int decimals = 0; decimals < 20; decimals++) {
            (void)snprintf(text, sizeof(text), "%.*f", decimals, s->percent);
            if (strtod(text, NULL) == s->percent)
                break;
        }
        hale_buf_printf(out, ", %s", text);
    }
    if (s->absolute)
        hale_buf_add_c(out, ", absolute");
    if (s->period_s != 60 || s->every_s != 0 || days || s->func == HALE_FUNC_FORECAST)
        hale_buf_printf(out, ", %u", s->period_s);
    if (s->func == HALE_FUNC_FORECAST)
        hale_buf_printf(out, ", %us", s->horizon_s);
    if (days)
        hale_buf_printf(out, ", %ud", s->days);
}
