/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_arith - arithmetic on the left side of a comparison: text to postfix steps, value and text.
 *
 * Names of metrics may contain + - * and /, so what an operator is depends on what stands before
 * it: behind a ')' Monasca knows none of them, and neither behind a word of digits and a blank.
 * Only there arithmetic begins; within it every '(' and every number belongs to it.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/expr_lex.h"

static const char signs[] = "+-*/";

static bool is_sign(int c)
{
    return c > 0 && strchr(signs, c) != NULL;
}

/* ---- does it begin here? ---- */

static size_t behind_blanks(const struct parser *p, size_t at)
{
    int c;
    while ((c = lex_peek_at(p, at)) == ' ' || c == '\t' || c == '\n' || c == '\r')
        at++;
    return at;
}

/* Behind the ')' of the '(' at `at`, or 0. No name, key or value contains one.
 * *compares: a comparison stands between them. */
static size_t behind_parentheses(const struct parser *p, size_t at, bool *compares)
{
    unsigned depth = 0;
    for (int c; (c = lex_peek_at(p, at)) != LEX_END; at++) {
        *compares = *compares || c == '<' || c == '>';
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0)
            return at + 1;
    }
    return 0;
}

bool arith_comes(const struct parser *p)
{
    struct parser ahead = *p;
    bool compares = false;
    lex_skip(&ahead);
    int first = lex_peek(&ahead);
    if (first != '(') {
        struct hale_str word = lex_name(&ahead);
        lex_skip(&ahead);
        bool number = word.len > 0;
        for (size_t i = 0; i < word.len; i++)
            number = number && (isdigit((unsigned char)word.p[i]) || word.p[i] == '.');
        if (word.len > 0 && number && is_sign(lex_peek(&ahead)))
            return true;
        if (word.len == 0 || lex_peek(&ahead) != '(')
            return false;
    }
    size_t end = behind_parentheses(&ahead, ahead.pos, &compares);
    if (end == 0 || compares)
        return false;
    ahead.pos = behind_blanks(&ahead, end);
    int c = lex_peek(&ahead);
    return is_sign(c) ||
           (first == '(' && (c == '<' || c == '>' || lex_operator_comes(&ahead)));
}

/* ---- parser ---- */

static bool add_step(struct parser *p, size_t at, struct hale_arith_step step)
{
    struct hale_arith *a = p->arith;
    if (a->n_steps == HALE_ARITH_MAX_STEPS)
        return lex_fail(p, at, HALE_E_LIMIT,
                        "more than %d numbers, metrics and signs in one comparison",
                        HALE_ARITH_MAX_STEPS);
    a->steps[a->n_steps++] = step;
    return true;
}

static bool counts(enum hale_func f)
{
    return f < HALE_FUNC_ABSENT || f == HALE_FUNC_RATE;
}

/* One period for all, given once or always the same. */
static bool same_period(struct parser *p, size_t at, struct hale_subexpr *s,
                        const struct hale_subexpr *one)
{
    s->deterministic = s->deterministic || one->deterministic;
    if (one->period_s == 0)
        return true;
    if (s->period_s != 0 && (s->period_s != one->period_s || s->every_s != one->every_s))
        return lex_fail(p, at, HALE_E_INVAL,
                        "the metrics of one comparison have one period, %u before and "
                        "%u here",
                        s->period_s, one->period_s);
    s->period_s = one->period_s;
    s->every_s = one->every_s;
    return true;
}

/* function "(" metric ... ")" */
static bool parse_metric(struct parser *p, struct hale_subexpr *s)
{
    struct hale_subexpr one = {.period_s = 0};
    struct hale_str word;
    size_t at = p->pos;
    word = lex_name(p);
    lex_skip(p);
    if (word.len == 0 || lex_peek(p) == LEX_END)
        return lex_fail(p, at, HALE_E_INVAL,
                        "a function or a number is expected, found %s", lex_here(p, at));
    if (lex_peek(p) != '(')
        return lex_fail(p, at, HALE_E_INVAL,
                        "a metric needs a function here, as in avg(%.*s)",
                        lex_shown(word), word.p);
    if (!find_function(word, &one.func) || !counts(one.func))
        return lex_fail(p, at, HALE_E_INVAL,
                        "max, min, avg, sum, count, last or rate is expected in "
                        "arithmetic, found '%.*s'",
                        lex_shown(word), word.p);
    if (!parse_call(p, &one) || !same_period(p, at, s, &one))
        return false;
    struct hale_arith *a = p->arith;
    if (a->n_terms == HALE_ARITH_MAX_TERMS)
        return lex_fail(p, at, HALE_E_LIMIT, "more than %d metrics in one comparison",
                        HALE_ARITH_MAX_TERMS);
    if (a->n_terms > 0 &&
        (one.func == HALE_FUNC_LAST) != (a->terms[0].func == HALE_FUNC_LAST))
        return lex_fail(p, at, HALE_E_INVAL,
                        "'last' has no window: it stands only beside other 'last'");
    struct hale_arith_step step = {.kind = HALE_ARITH_TERM, .term = a->n_terms};
    a->terms[a->n_terms++] = (struct hale_term){one.func, one.name, one.n_dims, one.dims};
    return add_step(p, at, step);
}

static bool parse_sum(struct parser *p, struct hale_subexpr *s);

/* number | "(" sum ")" | function */
static bool parse_factor(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    size_t at = p->pos;
    bool negative = lex_peek(p) == '-' && isdigit(lex_peek_at(p, at + 1));
    if (negative || isdigit(lex_peek(p))) {
        struct hale_arith_step step = {.kind = HALE_ARITH_NUMBER};
        p->pos += negative ? 1 : 0;
        if (!parse_number(p, &step.number))
            return false;
        step.number = negative ? -step.number : step.number;
        return add_step(p, at, step);
    }
    if (!lex_take(p, '('))
        return parse_metric(p, s);
    if (++p->depth > HALE_EXPR_MAX_DEPTH)
        return lex_fail(p, at, HALE_E_LIMIT, "more than %d parentheses inside each other",
                        HALE_EXPR_MAX_DEPTH);
    if (!parse_sum(p, s))
        return false;
    lex_skip(p);
    if (!lex_take(p, ')'))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "one of + - * / or ')' is expected, found %s",
                        lex_here(p, p->pos));
    p->depth--;
    return true;
}

static bool parse_product(struct parser *p, struct hale_subexpr *s)
{
    bool fine = parse_factor(p, s);
    while (fine) {
        lex_skip(p);
        size_t at = p->pos;
        enum hale_arith_kind kind = HALE_ARITH_DIVIDE;
        if (lex_take(p, '*'))
            kind = HALE_ARITH_MULTIPLY;
        else if (!lex_take(p, '/'))
            break;
        fine =
            parse_factor(p, s) && add_step(p, at, (struct hale_arith_step){.kind = kind});
    }
    return fine;
}

static bool parse_sum(struct parser *p, struct hale_subexpr *s)
{
    bool fine = parse_product(p, s);
    while (fine) {
        lex_skip(p);
        size_t at = p->pos;
        enum hale_arith_kind kind = HALE_ARITH_SUBTRACT;
        if (lex_take(p, '+'))
            kind = HALE_ARITH_ADD;
        else if (!lex_take(p, '-'))
            break;
        fine = parse_product(p, s) &&
               add_step(p, at, (struct hale_arith_step){.kind = kind});
    }
    return fine;
}

static bool begin(struct parser *p)
{
    struct hale_arith *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return lex_fail(p, p->pos, HALE_E_NOMEM, "out of memory");
    a->next = p->expr->ariths;
    p->expr->ariths = a;
    p->arith = a;
    return true;
}

static void home(struct hale_subexpr *s, const struct hale_arith *a)
{
    s->arith = a;
    s->func = HALE_FUNC_ARITHMETIC;
    s->name = a->terms[0].name;
    s->n_dims = a->terms[0].n_dims;
    s->dims = a->terms[0].dims;
}

bool parse_arith(struct parser *p, struct hale_subexpr *s)
{
    size_t start = p->pos;
    s->period_s = 0;
    lex_extension(p, start, "there is no arithmetic between metrics");
    if (!begin(p) || !parse_sum(p, s))
        return false;
    const struct hale_arith *a = p->arith;
    if (a->n_terms == 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "a metric is missing in this calculation, as in avg(x)");
    s->period_s = s->period_s == 0 ? 60 : s->period_s;
    home(s, a);
    if (a->n_steps == 1 && s->every_s == 0) { /* only parentheses around it */
        s->arith = NULL;
        s->func = a->terms[0].func;
    }
    return true;
}

bool arith_of_one(struct parser *p, struct hale_subexpr *s)
{
    if (!begin(p))
        return false;
    p->arith->terms[0] = (struct hale_term){s->func, s->name, s->n_dims, s->dims};
    p->arith->n_terms = 1;
    home(s, p->arith);
    return add_step(p, p->pos, (struct hale_arith_step){.kind = HALE_ARITH_TERM});
}

/* ---- value ---- */

static double apply(enum hale_arith_kind kind, double a, double b)
{
    switch (kind) {
    case HALE_ARITH_ADD: return a + b;
    case HALE_ARITH_SUBTRACT: return a - b;
    case HALE_ARITH_MULTIPLY: return a * b;
    case HALE_ARITH_DIVIDE: return b < 0 || b > 0 ? a / b : NAN;
    case HALE_ARITH_NUMBER:
    case HALE_ARITH_TERM: break;
    }
    return NAN;
}

double hale_arith_value(const struct hale_arith *a, const double *terms)
{
    double stack[HALE_ARITH_MAX_STEPS];
    unsigned n = 0;
    for (unsigned i = 0; i < a->n_steps; i++) {
        const struct hale_arith_step *s = &a->steps[i];
        if (s->kind == HALE_ARITH_NUMBER || s->kind == HALE_ARITH_TERM) {
            stack[n++] = s->kind == HALE_ARITH_NUMBER ? s->number : terms[s->term];
        } else {
            HALE_ASSERT(n >= 2);
            n--;
            stack[n - 1] = apply(s->kind, stack[n - 1], stack[n]);
        }
        if (!isfinite(stack[n - 1]))
            return NAN;
    }
    HALE_ASSERT(n == 1);
    return stack[0];
}

/* ---- comparing ---- */

unsigned hale_subexpr_terms(const struct hale_subexpr *s)
{
    return s->arith != NULL ? s->arith->n_terms : 1;
}

struct hale_term hale_subexpr_term(const struct hale_subexpr *s, unsigned i)
{
    if (s->arith != NULL)
        return s->arith->terms[i];
    return (struct hale_term){s->func, s->name, s->n_dims, s->dims};
}

bool hale_subexpr_is_last(const struct hale_subexpr *s)
{
    return hale_subexpr_term(s, 0).func == HALE_FUNC_LAST; /* all of them, or none */
}

bool hale_term_equal(const struct hale_term *a, const struct hale_term *b)
{
    if (!hale_str_eq(a->name, b->name) || a->n_dims != b->n_dims)
        return false;
    for (unsigned i = 0; i < a->n_dims; i++) {
        if (!hale_str_eq(a->dims[i].key, b->dims[i].key) ||
            !hale_str_eq(a->dims[i].value, b->dims[i].value))
            return false;
    }
    return true;
}

bool hale_arith_equal(const struct hale_arith *a, const struct hale_arith *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->n_steps != b->n_steps || a->n_terms != b->n_terms)
        return false;
    for (unsigned i = 0; i < a->n_steps; i++) {
        const struct hale_arith_step *x = &a->steps[i], *y = &b->steps[i];
        if (x->kind != y->kind || x->term != y->term || x->number > y->number ||
            x->number < y->number)
            return false;
    }
    for (unsigned i = 0; i < a->n_terms; i++) {
        if (a->terms[i].func != b->terms[i].func)
            return false;
    }
    return true;
}

/* ---- text ---- */

static void add_term(const struct hale_subexpr *s, unsigned i, struct hale_buf *out)
{
    const struct hale_term t = hale_subexpr_term(s, i);
    add_func_name(t.func, out);
    hale_buf_add_char(out, '(');
    hale_buf_add_str(out, t.name);
    for (unsigned k = 0; k < t.n_dims; k++) {
        hale_buf_add_c(out, k == 0 ? "{" : ", ");
        hale_buf_add_str(out, t.dims[k].key);
        hale_buf_add_char(out, '=');
        hale_buf_add_str(out, t.dims[k].value);
    }
    if (t.n_dims > 0)
        hale_buf_add_char(out, '}');
    if (s->deterministic)
        hale_buf_add_c(out, ", deterministic");
    add_args(s, out);
    if (s->every_s != 0)
        hale_buf_printf(out, " every %u", s->every_s);
    hale_buf_add_char(out, ')');
}

/* Plain, whatever its size: the language has no exponents. */
static void add_number(double d, struct hale_buf *out)
{
    char digits[24] = "";
    if (signbit(d))
        hale_buf_add_char(out, '-');
    if (d < 0)
        d = -d;
    if (!(d > 0)) {
        hale_buf_add_char(out, '0');
        return;
    }
    int exponent = shortest_digits(d, digits);
    int n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    int whole = exponent + 1; /* digits before the point */
    if (whole <= 0)
        hale_buf_add_c(out, "0.");
    for (int i = whole; i < 0; i++)
        hale_buf_add_char(out, '0');
    for (int i = 0; i < n || i < whole; i++) {
        if (i == whole && i > 0)
            hale_buf_add_char(out, '.');
        hale_buf_add_char(out, i < n ? digits[i] : '0');
    }
}

static int rank(enum hale_arith_kind kind)
{
    return kind <= HALE_ARITH_TERM ? 2 : kind >= HALE_ARITH_MULTIPLY ? 1 : 0;
}

/* First step of the part that ends with step `end`. */
static unsigned part_begin(const struct hale_arith *a, unsigned end)
{
    unsigned need = 1;
    for (unsigned i = end;; i--) {
        need = a->steps[i].kind <= HALE_ARITH_TERM ? need - 1 : need + 1;
        if (need == 0)
            return i;
    }
}

/* The part that ends with step `end`; parentheses if it binds weaker than `least`. */
static void add_part(const struct hale_subexpr *s, unsigned end, int least,
                     struct hale_buf *out)
{
    const struct hale_arith_step *step = &s->arith->steps[end];
    if (step->kind == HALE_ARITH_NUMBER) {
        add_number(step->number, out);
    } else if (step->kind == HALE_ARITH_TERM) {
        add_term(s, step->term, out);
    } else {
        int own = rank(step->kind);
        hale_buf_add_c(out, own < least ? "(" : "");
        add_part(s, part_begin(s->arith, end - 1) - 1, own, out);
        hale_buf_printf(out, " %c ", "+-*/"[step->kind - HALE_ARITH_ADD]);
        add_part(s, end - 1, own + 1, out);
        hale_buf_add_c(out, own < least ? ")" : "");
    }
}

void hale_subexpr_format_left(const struct hale_subexpr *s, struct hale_buf *out)
{
    if (s->arith != NULL)
        add_part(s, s->arith->n_steps - 1, 0, out);
    else
        add_term(s, 0, out);
}
