/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_tail - what stands behind the operator of a comparison: threshold { severity "at" threshold }
 * [ "times" n ] [ "for" duration ] [ "clear" [ threshold ] [ "for" duration ] ].
 */
#include <ctype.h>
#include <string.h>

#include "model/expr_lex.h"

static bool fail_threshold(struct parser *p)
{
    int c = lex_peek(p);
    if (c == LEX_END)
        return lex_fail(p, p->pos, HALE_E_INVAL, "the threshold is missing");
    if (c == '.')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "a digit is needed before the decimal point");
    if (c == '+')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "a plus sign is not allowed; write the number alone");
    if (c == '<' || c == '>' || c == '=')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "unknown operator; use '<', '<=', '>' or '>=' and a number");
    return lex_fail(p, p->pos, HALE_E_INVAL,
                    "the threshold on the right must be a number, found %s",
                    lex_here(p, p->pos));
}

/* What stands directly behind the digits of a threshold and tells a wrong spelling of it. */
static bool check_number_end(struct parser *p, struct hale_str number)
{
    int c = lex_peek(p), next = lex_peek_at(p, p->pos + 1);
    if (c == '.')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        memchr(number.p, '.', number.len) != NULL
                            ? "a second decimal point"
                            : "a digit is needed after the decimal point");
    if ((c == 'e' || c == 'E') && (isdigit(next) || next == '+' || next == '-'))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "exponents are not allowed; write the number out");
    if (c == 'x' || c == 'X')
        return lex_fail(p, p->pos, HALE_E_INVAL, "only decimal numbers are allowed");
    if (c == ',' && isdigit(next))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "write the number without thousands separators");
    if (c == '%')
        return lex_fail(p, p->pos, HALE_E_INVAL, "write the number without '%%'");
    return true;
}

bool parse_number(struct parser *p, double *out)
{
    size_t start = p->pos;
    if (lex_digits(p).len == 0)
        return lex_fail(p, start, HALE_E_INVAL, "a number is expected, found %s",
                        lex_here(p, start));
    if (lex_peek(p) == '.' && isdigit(lex_peek_at(p, p->pos + 1))) {
        p->pos++;
        (void)lex_digits(p);
    }
    struct hale_str number = {p->text.p + start, p->pos - start};
    if (!check_number_end(p, number))
        return false;
    if (hale_str_double(number, out) != HALE_OK)
        return lex_fail(p, start, HALE_E_LIMIT, "the number is too large");
    return true;
}

static bool parse_threshold(struct parser *p, double *out)
{
    lex_skip(p);
    bool negative = lex_take(p, '-');
    lex_skip(p);
    if (!isdigit(lex_peek(p)))
        return fail_threshold(p);
    if (!parse_number(p, out))
        return false;
    *out = negative ? -*out : *out;
    return true;
}

static bool parse_times(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    if (!lex_take_word(p, "times"))
        return true;
    lex_skip(p);
    size_t start = p->pos;
    struct hale_str digits = lex_digits(p);
    uint64_t n;
    if (digits.len == 0 || lex_peek(p) == '.')
        return lex_fail(p, start, HALE_E_INVAL,
                        "'times' must be followed by a whole number of at least 1");
    if (hale_str_u64(digits, &n) != HALE_OK || n > HALE_EXPR_MAX_TIMES)
        return lex_fail(p, start, HALE_E_LIMIT, "'times' must not be more than %d",
                        HALE_EXPR_MAX_TIMES);
    if (n == 0)
        return lex_fail(p, start, HALE_E_INVAL, "'times' must be at least 1");
    s->times = (unsigned)n;
    lex_skip(p);
    if (lex_comes(p, p->pos, "times"))
        return lex_fail(p, p->pos, HALE_E_INVAL, "'times' is given twice");
    return true;
}

/* ---- extensions ---- */

/* Is the next word this one, and not only a word that begins with it? */
static bool take_whole_word(struct parser *p, const char *word)
{
    size_t start = p->pos;
    lex_skip(p);
    if (lex_take_word(p, word) && lex_name_char(p) == 0)
        return true;
    p->pos = start;
    return false;
}

/* 0: not a unit */
static unsigned unit_seconds(int c)
{
    switch (c) {
    case 's':
    case 'S': return 1;
    case 'm':
    case 'M': return 60;
    case 'h':
    case 'H': return 3600;
    case 'd':
    case 'D': return 86400;
    default: return 0;
    }
}

/* digits [ "s" | "m" | "h" | "d" ], 1 s to max_s */
bool parse_duration(struct parser *p, unsigned max_s, unsigned *out)
{
    lex_skip(p);
    size_t start = p->pos;
    struct hale_str digits = lex_digits(p);
    uint64_t n;
    if (digits.len == 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "a duration is expected, as in 30s or 5m, found %s",
                        lex_here(p, start));
    bool fits = hale_str_u64(digits, &n) == HALE_OK && n <= max_s;
    unsigned unit = unit_seconds(lex_peek(p));
    p->pos += unit > 0 ? 1 : 0;
    if (fits && unit > 0)
        n *= unit;
    if (lex_name_char(p) > 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "a duration is whole seconds, or a number with s, m, h or d");
    if (!fits || n > max_s || n == 0)
        return lex_fail(p, start, HALE_E_LIMIT, "a duration is 1 s to %u s", max_s);
    *out = (unsigned)n;
    return true;
}

static bool op_is_less(const struct hale_subexpr *s)
{
    return s->op == HALE_OP_LT || s->op == HALE_OP_LTE;
}

static bool beyond(const struct hale_subexpr *s, double a, double b)
{
    return op_is_less(s) ? a < b : a > b;
}

/* { severity "at" threshold }, each beyond the one before and more severe. */
static bool parse_levels(struct parser *p, struct hale_subexpr *s)
{
    for (;;) {
        lex_skip(p);
        size_t start = p->pos;
        int severity = -1;
        for (int i = 0; hale_level_words[i] != NULL && severity < 0; i++) {
            if (take_whole_word(p, hale_level_words[i]))
                severity = i;
        }
        if (severity < 0)
            return true;
        lex_extension(p, start, "there are no levels; make one definition per severity");
        lex_skip(p);
        if (!take_whole_word(p, "at"))
            return lex_fail(p, p->pos, HALE_E_INVAL, "a level is written as '%s at 90'",
                            hale_level_words[severity]);
        if (severity == HALE_SEV_LOW)
            return lex_fail(p, start, HALE_E_INVAL,
                            "no level is below LOW; begin with the threshold of LOW");
        size_t before = s->n_levels;
        lex_skip(p);
        size_t number = p->pos;
        struct hale_level level = {.severity = (enum hale_severity)severity};
        if (!parse_threshold(p, &level.threshold))
            return false;
        if (before > 0 && level.severity <= s->levels[before - 1].severity)
            return lex_fail(p, start, HALE_E_INVAL,
                            "levels are written from the least to the most severe");
        if (!beyond(s, level.threshold,
                    before > 0 ? s->levels[before - 1].threshold : s->threshold))
            return lex_fail(p, number, HALE_E_INVAL,
                            "the level '%s' must lie %s the threshold before it",
                            hale_level_words[severity],
                            op_is_less(s) ? "below" : "above");
        s->levels[s->n_levels++] = level; /* at most three severities are above LOW */
    }
}

/* "clear" [ threshold ] [ "for" duration ] behind the word */
static bool parse_clear(struct parser *p, struct hale_subexpr *s, size_t start)
{
    lex_skip(p);
    size_t number = p->pos;
    if (lex_peek(p) == '-' || isdigit(lex_peek(p))) {
        if (!parse_threshold(p, &s->clear))
            return false;
        if (beyond(s, s->clear, s->threshold))
            return lex_fail(p, number, HALE_E_INVAL,
                            "the clear threshold must not lie %s the threshold",
                            op_is_less(s) ? "below" : "above");
        s->has_clear = true;
    }
    if (take_whole_word(p, "for"))
        return parse_duration(p, HALE_EXPR_MAX_PERIOD_S, &s->clear_for_s);
    if (!s->has_clear)
        return lex_fail(p, start, HALE_E_INVAL,
                        "'clear' needs a threshold, as in clear 85, or a duration, as in "
                        "clear for 60s");
    return true;
}

bool parse_tail(struct parser *p, struct hale_subexpr *s)
{
    size_t start = p->pos;
    if (!parse_threshold(p, &s->threshold) || !parse_levels(p, s) || !parse_times(p, s))
        return false;
    if (s->every_s > 0 && s->period_s / s->every_s + s->times - 1 > HALE_EXPR_MAX_TIMES)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "period and times together are more than %d times 'every'",
                        HALE_EXPR_MAX_TIMES);
    lex_skip(p);
    start = p->pos;
    if (take_whole_word(p, "for")) {
        lex_extension(p, start, "there is no 'for'; use times");
        if (!parse_duration(p, HALE_EXPR_MAX_PERIOD_S, &s->for_s))
            return false;
        lex_skip(p);
        start = p->pos;
    }
    if (!take_whole_word(p, "clear"))
        return true;
    lex_extension(p, start, "there is no clear threshold");
    return parse_clear(p, s, start);
}
