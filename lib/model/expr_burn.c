/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_burn - burn_rate(bad, total, objective, long, short) > rate: how many times faster than the
 * objective allows the error budget is used up, over a long and a short window. It is short for
 *
 *     rate(bad, long) / rate(total, long) / budget > rate
 *       and the same of the short window
 *
 * with windows that end at least five times in the short one.
 */
#include <string.h>

#include "model/expr_lex.h"

#define DECIMALS_MAX 9 /* of the objective */

struct burn {
    struct hale_subexpr bad, total; /* name and dimensions only */
    double budget;
    unsigned long_s, short_s, every_s;
};

bool burn_comes(const struct parser *p)
{
    static const char word[] = "burn_rate";
    return lex_comes(p, p->pos, word) && lex_comes(p, p->pos + strlen(word), "(");
}

static bool take_comma(struct parser *p, const char *what)
{
    lex_skip(p);
    if (!lex_take(p, ','))
        return lex_fail(p, p->pos, HALE_E_INVAL, "',' and %s are expected, found %s",
                        what, lex_here(p, p->pos));
    lex_skip(p);
    return true;
}

static bool parse_counter(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    return parse_name(p, &s->name) && parse_dims(p, s);
}

/* 99.9: what may fail is 0.1 of 100. In whole numbers, so that the quotient is the nearest. */
static bool parse_objective(struct parser *p, double *budget)
{
    size_t start = p->pos;
    double number;
    if (!parse_number(p, &number))
        return false;
    if (!(number > 0) || number >= 100)
        return lex_fail(p, start, HALE_E_INVAL,
                        "the objective is in percent, more than 0 and less than 100");
    double value = 0, scale = 100;
    unsigned decimals = 0;
    bool point = false;
    for (size_t i = start; i < p->pos; i++) {
        char c = p->text.p[i];
        point = point || c == '.';
        if (c == '.')
            continue;
        value = value * 10 + (c - '0');
        scale *= point ? 10 : 1;
        decimals += point ? 1 : 0;
    }
    if (decimals > DECIMALS_MAX)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "the objective has more than %d decimal places", DECIMALS_MAX);
    *budget = (scale - value) / scale;
    return true;
}

static unsigned divisor(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool parse_windows(struct parser *p, struct burn *b)
{
    size_t start = p->pos;
    if (!parse_duration(p, HALE_EXPR_MAX_WINDOW_S, &b->long_s) ||
        !take_comma(p, "the short window"))
        return false;
    size_t second = p->pos;
    if (!parse_duration(p, HALE_EXPR_MAX_WINDOW_S, &b->short_s))
        return false;
    if (b->short_s >= b->long_s)
        return lex_fail(p, second, HALE_E_INVAL,
                        "the second window must be shorter than the first");
    unsigned both = divisor(b->long_s, b->short_s), parts = 1;
    while (both % parts != 0 ||
           (both / parts > 1 &&
            (both / parts > b->short_s / 5 || both / parts > HALE_EXPR_MAX_PERIOD_S)))
        parts++;
    b->every_s = both / parts;
    if (b->long_s / b->every_s > HALE_EXPR_MAX_TIMES)
        return lex_fail(
            p, start, HALE_E_LIMIT,
            "the long window has more than %d steps of %u s; take a longer "
            "short window, or windows of which one is a multiple of the other",
            HALE_EXPR_MAX_TIMES, b->every_s);
    return true;
}

/* "(" bad "," total "," objective "," long "," short ")" */
static bool parse_parts(struct parser *p, struct burn *b)
{
    size_t open = p->pos++;
    if (!parse_counter(p, &b->bad) || !take_comma(p, "the metric that counts all") ||
        !parse_counter(p, &b->total) ||
        !take_comma(p, "the objective in percent, as in 99.9") ||
        !parse_objective(p, &b->budget) || !take_comma(p, "the long window") ||
        !parse_windows(p, b))
        return false;
    lex_skip(p);
    if (!lex_take(p, ')'))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the ')' for the '(' in column %d is expected, found %s",
                        lex_column(p, open), lex_here(p, p->pos));
    return true;
}

static bool make(struct parser *p, const struct burn *b, unsigned period_s,
                 struct hale_subexpr *s)
{
    *s = (struct hale_subexpr){.func = HALE_FUNC_RATE,
                               .times = 1,
                               .negated = s->negated,
                               .period_s = period_s,
                               .every_s = b->every_s == period_s ? 0 : b->every_s,
                               .name = b->bad.name,
                               .n_dims = b->bad.n_dims,
                               .dims = b->bad.dims};
    if (!arith_of_one(p, s))
        return false;
    struct hale_arith *a = p->arith;
    a->terms[a->n_terms++] =
        (struct hale_term){HALE_FUNC_RATE, b->total.name, b->total.n_dims, b->total.dims};
    a->steps[a->n_steps++] = (struct hale_arith_step){.kind = HALE_ARITH_TERM, .term = 1};
    a->steps[a->n_steps++] = (struct hale_arith_step){.kind = HALE_ARITH_DIVIDE};
    a->steps[a->n_steps++] =
        (struct hale_arith_step){.kind = HALE_ARITH_NUMBER, .number = b->budget};
    a->steps[a->n_steps++] = (struct hale_arith_step){.kind = HALE_ARITH_DIVIDE};
    return true;
}

bool parse_burn(struct parser *p, struct hale_subexpr *longer,
                struct hale_subexpr *shorter)
{
    struct burn b = {.budget = 0};
    lex_extension(p, p->pos, "there is no function 'burn_rate'");
    p->pos += strlen("burn_rate");
    lex_skip(p);
    if (!parse_parts(p, &b) || !make(p, &b, b.long_s, longer))
        return false;
    *shorter = *longer;
    if (!make(p, &b, b.short_s, shorter))
        return false;
    lex_skip(p);
    size_t at = p->pos;
    if (!parse_operator(p, &longer->op))
        return fail_operator(p, (struct hale_str){NULL, 0}, at);
    if (longer->op != HALE_OP_GT && longer->op != HALE_OP_GTE)
        return lex_fail(p, at, HALE_E_INVAL, "a burn rate is compared with '>' or '>='");
    if (!parse_tail(p, longer))
        return false;
    struct hale_subexpr tail = *longer;
    tail.period_s = shorter->period_s;
    tail.every_s = shorter->every_s;
    tail.arith = shorter->arith;
    *shorter = tail;
    return true;
}
