/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_parse - recursive descent over UTF-8 text, one function per rule of
 * docs/formats/expression.md.
 * The whole tree is one allocation: the number of comparison operators bounds the number of
 * sub-expressions, the number of '=' that of dimensions, and all names are views into a copy of
 * the text at the end of it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "model/expr.h"
#include "model/expr_lex.h"

static struct hale_node *parse_or(struct parser *p); /* NULL: failed, p->err is filled */

static const char *const functions[] = {
    [HALE_FUNC_MAX] = "max",
    [HALE_FUNC_MIN] = "min",
    [HALE_FUNC_AVG] = "avg",
    [HALE_FUNC_SUM] = "sum",
    [HALE_FUNC_COUNT] = "count",
    [HALE_FUNC_LAST] = "last",
    [HALE_FUNC_ABSENT] = "absent",
    [HALE_FUNC_RATE] = "rate",
    [HALE_FUNC_PERCENTILE] = "percentile",
    [HALE_FUNC_STDDEV] = "stddev",
    [HALE_FUNC_BASELINE] = "baseline",
    [HALE_FUNC_FORECAST] = "forecast",
};

bool find_function(struct hale_str word, enum hale_func *out)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (hale_str_ieq_c(word, functions[i])) {
            *out = (enum hale_func)i;
            return true;
        }
    return false;
}

/* ---- function ---- */

/* "every" digits behind a period */
static bool parse_every(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    lex_extension(p, p->pos, "there is no 'every'; windows follow one another");
    if (s->func == HALE_FUNC_LAST || s->func == HALE_FUNC_ABSENT ||
        s->func > HALE_FUNC_RATE)
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "'every' is possible with max, min, avg, sum, count and rate");
    p->pos += strlen("every");
    lex_skip(p);
    size_t start = p->pos;
    uint64_t n;
    struct hale_str digits = lex_digits(p);
    if (digits.len == 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "seconds are expected after 'every', found %s",
                        lex_here(p, start));
    if (hale_str_u64(digits, &n) != HALE_OK || n == 0 || n > HALE_EXPR_MAX_PERIOD_S ||
        s->period_s % n != 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "the period must be a multiple of the seconds after 'every', "
                        "which are at most %d",
                        HALE_EXPR_MAX_PERIOD_S);
    s->every_s = (unsigned)n;
    return true;
}

static bool parse_period(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    size_t start = p->pos;
    struct hale_str digits = lex_digits(p);
    uint64_t n;
    if (digits.len == 0 && lex_peek(p) == '-')
        return lex_fail(p, start, HALE_E_INVAL, "the period cannot be negative");
    if (digits.len == 0)
        return lex_fail(p, start, HALE_E_INVAL, "%s is expected, found %s",
                        s->deterministic || s->func == HALE_FUNC_ABSENT
                            ? "a period in seconds"
                            : "'deterministic' or a period in seconds",
                        lex_here(p, start));
    if (lex_peek(p) == '.')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the period must be a whole number of seconds");
    bool stepped = lex_comes(p, p->pos, "every");
    unsigned max_s = stepped ? HALE_EXPR_MAX_WINDOW_S : HALE_EXPR_MAX_PERIOD_S;
    if (hale_str_u64(digits, &n) != HALE_OK || n > max_s)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "the period must not be longer than %u seconds", max_s);
    if (n == 0)
        return lex_fail(p, start, HALE_E_INVAL, "the period must not be 0");
    if (n % 60 != 0)
        lex_extension(p, start, "the period must be a multiple of 60 seconds, got %u",
                      (unsigned)n);
    s->period_s = (unsigned)n;
    return !stepped || parse_every(p, s);
}

static bool fail_in_function(struct parser *p, size_t open)
{
    int c = lex_peek(p);
    if (c == LEX_END)
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the ')' for the '(' in column %d is missing",
                        lex_column(p, open));
    if (c == '<' || c == '>')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the ')' is missing before the operator, which stands outside");
    if (c == '=')
        return lex_fail(
            p, p->pos, HALE_E_INVAL,
            "'=' cannot stand here; 'deterministic' is written without a value");
    if (c == '}')
        return lex_fail(p, p->pos, HALE_E_INVAL, "'}' without a '{'");
    if (c == ',' && lex_comes(p, p->pos + 1, "deterministic"))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "'deterministic' must stand before the period");
    if (c == ',')
        return lex_fail(p, p->pos, HALE_E_INVAL, "too many arguments");
    return lex_fail(p, p->pos, HALE_E_INVAL, "',' or ')' is expected, found %s",
                    lex_here(p, p->pos));
}

/* "(" metric [ "," "deterministic" ] [ "," more ] [ "," period ] [ "," more ] ")", pos at the "(" */
bool parse_call(struct parser *p, struct hale_subexpr *s)
{
    size_t open = p->pos++;
    lex_skip(p);
    if (lex_peek(p) == ')')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "a metric is missing between the parentheses");
    if (!parse_name(p, &s->name) || !parse_dims(p, s))
        return false;
    lex_skip(p);
    bool more = lex_take(p, ',');
    if (more) {
        lex_skip(p);
        if (s->func != HALE_FUNC_ABSENT && lex_take_word(p, "deterministic")) {
            s->deterministic = true;
            lex_skip(p);
            more = lex_take(p, ',');
        }
    }
    if (!parse_front_args(p, s, &more) || (more && !parse_period(p, s)) ||
        !parse_back_args(p, s))
        return false;
    lex_skip(p);
    return lex_take(p, ')') || fail_in_function(p, open);
}

/* ---- comparison ---- */

bool fail_operator(struct parser *p, struct hale_str bare, size_t start)
{
    enum hale_func f;
    int c = lex_peek(p);
    if (c == '=')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "there is no '=' operator; use '<', '<=', '>' or '>='");
    if (lex_is_not(p, p->pos) || hale_str_ieq_c(bare, "not") || hale_str_eq_c(bare, "!"))
        return lex_fail(p, bare.len > 0 ? start : p->pos, HALE_E_INVAL,
                        "negation is written with parentheses, as in not (avg(x) > 5)");
    if (hale_str_ieq_c(bare, "and") || hale_str_ieq_c(bare, "or") ||
        hale_str_eq_c(bare, "&&") || hale_str_eq_c(bare, "||"))
        return lex_fail(p, start, HALE_E_INVAL, "the operand before '%.*s' is missing",
                        lex_shown(bare), bare.p);
    if (bare.len > 0 && c == ',')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "',' is possible only inside a function, as in avg(x, 120)");
    if (find_function(bare, &f) && c != LEX_END)
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "'(' or an operator is expected after '%.*s'", lex_shown(bare),
                        bare.p);
    if (c == ')' && p->depth == 0)
        return lex_fail(p, p->pos, HALE_E_INVAL, "')' without a '('");
    if (c == LEX_END)
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the comparison is missing, as in '> 5' or 'gt 5'");
    return lex_fail(p, p->pos, HALE_E_INVAL,
                    "an operator (<, <=, >, >=, lt, lte, gt, gte) is expected, found %s",
                    lex_here(p, p->pos));
}

bool parse_operator(struct parser *p, enum hale_op *out)
{
    static const struct {
        const char *text;
        enum hale_op op;
    } operators[] = {
        {"<=", HALE_OP_LTE}, {"lte", HALE_OP_LTE}, {"<", HALE_OP_LT}, {"lt", HALE_OP_LT},
        {">=", HALE_OP_GTE}, {"gte", HALE_OP_GTE}, {">", HALE_OP_GT}, {"gt", HALE_OP_GT},
    };
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (lex_take_word(p, operators[i].text)) {
            *out = operators[i].op;
            return true;
        }
    return false;
}

/* ( function call | metric ) relop tail */
static bool parse_sub(struct parser *p, struct hale_subexpr *s)
{
    struct hale_str word;
    size_t start = p->pos;
    if (lex_name_char(p) == 0)
        return lex_fail(p, start, HALE_E_INVAL,
                        "a metric or a function is expected, found %s",
                        lex_here(p, start));
    if (!parse_name(p, &word))
        return false;
    lex_skip(p);
    s->bare = lex_peek(p) != '(';
    if (!s->bare && lex_is_not(p, start))
        return fail_operator(p, word, start);
    if (!s->bare && !find_function(word, &s->func))
        return lex_fail(p, start, HALE_E_INVAL,
                        "unknown function '%.*s'; known: max, min, avg, sum, count, "
                        "last, rate, absent, percentile, stddev, baseline, forecast",
                        lex_shown(word), word.p);
    if (s->bare)
        s->name = word;
    if (s->bare ? !parse_dims(p, s) : !parse_call(p, s))
        return false;
    if (!s->bare && s->func == HALE_FUNC_ABSENT) {
        lex_extension(p, start, "there is no function 'absent'");
        s->op = HALE_OP_GTE;
        s->threshold = s->period_s;
        return true;
    }
    if (!s->bare && s->func > HALE_FUNC_ABSENT)
        lex_extension(p, start, "there is no function '%s'", functions[s->func]);
    if (s->every_s > 0 && !arith_of_one(p, s))
        return false;
    lex_skip(p);
    if (!parse_operator(p, &s->op))
        return fail_operator(p, s->bare ? word : (struct hale_str){NULL, 0}, start);
    if (s->bare)
        s->func =
            s->op == HALE_OP_GT || s->op == HALE_OP_GTE ? HALE_FUNC_MAX : HALE_FUNC_MIN;
    return parse_tail(p, s) && check_function(p, s, start);
}

/* ---- and, or, parentheses ---- */

static struct hale_node *new_node(struct parser *p, struct hale_node node)
{
    HALE_ASSERT(p->n_nodes < p->nodes_cap);
    p->nodes[p->n_nodes] = node;
    return &p->nodes[p->n_nodes++];
}

/* Something stands where only and, or, ')' (if open) or the end may follow. */
static struct hale_node *fail_rest(struct parser *p)
{
    size_t at = p->pos;
    int c = lex_peek(p);
    if (c == ')') {
        lex_fail(p, at, HALE_E_INVAL, "')' without a '('");
    } else if (c == ',') {
        lex_fail(p, at, HALE_E_INVAL,
                 "comparisons are joined by 'and' or 'or', not by ','");
    } else if (c == '#') {
        lex_fail(p, at, HALE_E_INVAL, "comments are not allowed");
    } else if (lex_comes(p, at, "times")) {
        lex_fail(p, at, HALE_E_INVAL, "'times' belongs directly behind a threshold");
    } else if (lex_name_char(p) > 0) {
        struct hale_str word = lex_name(p);
        lex_skip(p);
        if (lex_name_char(p) > 0 && !lex_operator_comes(p))
            lex_fail(p, at, HALE_E_INVAL, "unknown operator '%.*s'; use 'and' or 'or'",
                     lex_shown(word), word.p);
        else
            lex_fail(p, at, HALE_E_INVAL, "'and' or 'or' is missing before '%.*s'",
                     lex_shown(word), word.p);
    } else {
        lex_fail(p, at, HALE_E_INVAL, "'and', 'or' or the end is expected, found %s",
                 lex_here(p, at));
    }
    return NULL;
}

static struct hale_node *parse_parentheses(struct parser *p)
{
    size_t open = p->pos++;
    if (++p->depth > HALE_EXPR_MAX_DEPTH) {
        lex_fail(p, open, HALE_E_LIMIT, "more than %d parentheses inside each other",
                 HALE_EXPR_MAX_DEPTH);
        return NULL;
    }
    struct hale_node *inner = parse_or(p);
    if (inner == NULL)
        return NULL;
    lex_skip(p);
    if (lex_peek(p) == LEX_END) {
        lex_fail(p, p->pos, HALE_E_INVAL, "the ')' for the '(' in column %d is missing",
                 lex_column(p, open));
        return NULL;
    }
    if (!lex_take(p, ')'))
        return fail_rest(p);
    p->depth--;
    return inner;
}

/* "not" and a parenthesis: a metric of that name is followed by something else. */
static bool not_comes(const struct parser *p)
{
    return lex_comes(p, p->pos, "not") && lex_comes(p, p->pos + strlen("not"), "(");
}

static struct hale_node *parse_not(struct parser *p)
{
    lex_extension(p, p->pos, "there is no negation; turn the comparison round instead");
    p->pos += strlen("not");
    lex_skip(p);
    p->negated = !p->negated;
    struct hale_node *inner = parse_parentheses(p);
    p->negated = !p->negated;
    if (inner == NULL)
        return NULL;
    return new_node(p, (struct hale_node){.kind = HALE_NODE_NOT, .left = inner});
}

static struct hale_node *add_sub(struct parser *p, const struct hale_subexpr *sub,
                                 size_t start)
{
    if (p->n_subs == HALE_EXPR_MAX_SUBS) {
        lex_fail(p, start, HALE_E_LIMIT, "more than %d comparisons", HALE_EXPR_MAX_SUBS);
        return NULL;
    }
    HALE_ASSERT(p->n_subs < p->subs_cap);
    p->subs[p->n_subs] = *sub;
    return new_node(p, (struct hale_node){.kind = HALE_NODE_SUB, .sub = p->n_subs++});
}

static struct hale_node *parse_burn_rate(struct parser *p)
{
    struct hale_subexpr longer = {.times = 1, .negated = p->negated}, shorter;
    size_t start = p->pos;
    if (!parse_burn(p, &longer, &shorter))
        return NULL;
    struct hale_node *left = add_sub(p, &longer, start);
    struct hale_node *right = left != NULL ? add_sub(p, &shorter, start) : NULL;
    return right != NULL ? new_node(p, (struct hale_node){HALE_NODE_AND, 0, left, right})
                         : NULL;
}

/* Arithmetic and comparison */
static bool parse_arith_sub(struct parser *p, struct hale_subexpr *s)
{
    const struct hale_str none = {NULL, 0};
    if (!parse_arith(p, s))
        return false;
    lex_skip(p);
    return parse_operator(p, &s->op) ? parse_tail(p, s) : fail_operator(p, none, p->pos);
}

static struct hale_node *parse_term(struct parser *p)
{
    lex_skip(p);
    bool arith = arith_comes(p);
    if (!arith && lex_peek(p) == '(')
        return parse_parentheses(p);
    if (not_comes(p))
        return parse_not(p);
    if (burn_comes(p))
        return parse_burn_rate(p);
    struct hale_subexpr sub = {.period_s = 60, .times = 1, .negated = p->negated};
    size_t start = p->pos;
    if (arith ? !parse_arith_sub(p, &sub) : !parse_sub(p, &sub))
        return NULL;
    return add_sub(p, &sub, start);
}

static struct hale_node *parse_and(struct parser *p)
{
    struct hale_node *left = parse_term(p);
    while (left != NULL) {
        lex_skip(p);
        if (!lex_take_word(p, "and") && !lex_take_word(p, "&&"))
            break;
        struct hale_node *right = parse_term(p);
        if (right == NULL)
            return NULL;
        left = new_node(p, (struct hale_node){HALE_NODE_AND, 0, left, right});
    }
    return left;
}

static struct hale_node *parse_or(struct parser *p)
{
    struct hale_node *left = parse_and(p);
    while (left != NULL) {
        lex_skip(p);
        if (!lex_take_word(p, "or") && !lex_take_word(p, "||"))
            break;
        struct hale_node *right = parse_and(p);
        if (right == NULL)
            return NULL;
        left = new_node(p, (struct hale_node){HALE_NODE_OR, 0, left, right});
    }
    return left;
}

/* ---- entry ---- */

static bool word_at(struct hale_str text, size_t i, const char *word)
{
    size_t n = strlen(word);
    return text.len - i >= n && hale_str_ieq_c((struct hale_str){text.p + i, n}, word);
}

/* Upper bounds: every sub-expression has an operator or is an "absent" (a "burn_rate" has one for two),
 * every dimension a '=', every NOT its parenthesis. */
static void count_bounds(struct hale_str text, unsigned *n_subs, unsigned *n_dims,
                         unsigned *n_nots)
{
    *n_subs = *n_dims = *n_nots = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        bool word = i + 1 < text.len && (text.p[i + 1] == 't' || text.p[i + 1] == 'T') &&
                    strchr("lLgG", c) != NULL;
        *n_subs += c == '<' || c == '>' || word || word_at(text, i, "absent") ||
                   word_at(text, i, "burn_rate");
        *n_dims += c == '=';
        *n_nots += c == '(';
    }
    if (*n_subs > HALE_EXPR_MAX_SUBS)
        *n_subs = HALE_EXPR_MAX_SUBS;
}

/* One block: expression, subs, nodes, dims, text (in falling order of alignment). */
static struct hale_expr *allocate(struct parser *p)
{
    unsigned n_subs, n_dims, n_nots;
    count_bounds(p->text, &n_subs, &n_dims, &n_nots);
    unsigned n_nodes = 2 * n_subs + n_nots;
    size_t size = sizeof(struct hale_expr) + n_subs * sizeof(struct hale_subexpr) +
                  n_nodes * sizeof(struct hale_node) + n_dims * sizeof(struct hale_dim) +
                  p->text.len + 1;
    struct hale_expr *e = calloc(1, size);
    if (e == NULL)
        return NULL;
    p->expr = e;
    p->subs = (struct hale_subexpr *)(void *)(e + 1);
    p->nodes = (struct hale_node *)(void *)(p->subs + n_subs);
    p->dims = (struct hale_dim *)(void *)(p->nodes + n_nodes);
    char *text = (char *)(p->dims + n_dims);
    if (p->text.len > 0)
        memcpy(text, p->text.p, p->text.len);
    p->text.p = text;
    p->subs_cap = n_subs;
    p->nodes_cap = n_nodes;
    p->dims_cap = n_dims;
    return e;
}

enum hale_rc hale_expr_parse(struct hale_str text, struct hale_expr **out,
                             struct hale_err *err)
{
    struct parser p = {.text = text, .err = err, .rc = HALE_OK};
    *out = NULL;
    if (text.len > HALE_EXPR_MAX_BYTES)
        return hale_err_at(err, HALE_E_LIMIT, NULL, 0, 1,
                           "the expression is longer than %d bytes", HALE_EXPR_MAX_BYTES);
    if (!lex_check_text(&p))
        return p.rc;
    struct hale_expr *e = allocate(&p);
    if (e == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    e->root = parse_or(&p);
    if (e->root != NULL) {
        lex_skip(&p);
        if (lex_peek(&p) != LEX_END)
            e->root = fail_rest(&p);
    }
    if (e->root == NULL) {
        HALE_ASSERT(p.rc != HALE_OK);
        hale_expr_free(e);
        return p.rc;
    }
    e->subs = p.subs;
    e->n_subs = p.n_subs;
    e->deterministic = true;
    for (unsigned i = 0; i < e->n_subs; i++) {
        e->deterministic = e->deterministic && e->subs[i].deterministic;
        e->levels = e->levels || e->subs[i].n_levels > 0;
    }
    *out = e;
    return HALE_OK;
}
