/* SPDX-License-Identifier: Apache-2.0 */
/* promql_parse - precedence climbing; one function per rule of docs/formats/promql.md. */
#include <math.h>
#include <string.h>

#include "model/promql_private.h"

#define MEMORY_MAX    ((size_t)32 << 20)
#define NEGATE_BINDS  6 /* as tightly as *: only ^ comes before it */
#define ARGUMENTS_MAX 3

static struct hale_promql_node *expression(struct promql_parser *p, int binds);

struct hale_promql_node *promql_node(struct promql_parser *p, enum hale_promql_kind kind,
                                     size_t at, unsigned n_args)
{
    struct hale_promql_node *n = hale_arena_alloc(&p->out->memory, sizeof(*n));
    struct hale_promql_node **args =
        hale_arena_array(&p->out->memory, n_args, sizeof(*args));

    if (n == NULL || args == NULL) {
        (void)promql_fail(&p->lex, at, "the query takes too much memory");
        return NULL;
    }
    n->kind = kind;
    n->at = (unsigned)at;
    n->n_args = n_args;
    n->args = args;
    return n;
}

bool promql_expect(struct promql_parser *p, char punctuation, const char *where)
{
    const char text[] = {'\'', punctuation, '\'', '\0'};

    if (!promql_is(&p->lex, punctuation))
        return promql_unexpected(&p->lex, where, text);
    return promql_lex_next(&p->lex);
}

bool promql_number(struct promql_parser *p, double *out)
{
    struct hale_str s = p->lex.value;
    char last = s.len > 0 ? s.p[s.len - 1] : '\0';
    char text[64];

    if (s.len > 2 && (s.p[1] | 0x20) == 'x') {
        *out = 0;
        for (size_t i = 2; i < s.len; i++)
            *out =
                *out * 16 + (s.p[i] <= '9' ? s.p[i] - '0' : (s.p[i] | 0x20) - 'a' + 10);
        return isfinite(*out) || promql_fail(&p->lex, p->lex.at, "number out of range");
    }
    if (s.len + 2 < sizeof(text) && (s.p[0] == '.' || last == '.')) { /* .5 and 5. */
        size_t n = 0;
        if (s.p[0] == '.')
            text[n++] = '0';
        memcpy(text + n, s.p, s.len);
        n += s.len;
        if (last == '.')
            text[n++] = '0';
        s = (struct hale_str){text, n};
        return hale_str_double(s, out) == HALE_OK ||
               promql_fail(&p->lex, p->lex.at, "bad number");
    }
    return hale_str_double(s, out) == HALE_OK ||
           promql_fail(&p->lex, p->lex.at, "bad number");
}

/* --- lists of labels --------------------------------------------------------------------- */

/* "(" name, "quoted name", ... ")" */
static bool label_list(struct promql_parser *p, struct hale_promql_names *out,
                       const char *where)
{
    struct hale_str v[64];
    unsigned n = 0;

    if (!promql_expect(p, '(', where))
        return false;
    while (!promql_is(&p->lex, ')')) {
        if (p->lex.token != PROMQL_WORD && p->lex.token != PROMQL_STRING)
            return promql_unexpected(&p->lex, where, "label");
        if (n == sizeof(v) / sizeof(v[0]))
            return promql_fail(&p->lex, p->lex.at, "more than 64 labels in %s", where);
        v[n++] = p->lex.value;
        if (!promql_lex_next(&p->lex))
            return false;
        if (promql_is(&p->lex, ',') && !promql_lex_next(&p->lex))
            return false;
        if (p->lex.token == PROMQL_END)
            return promql_unexpected(&p->lex, where, "\",\" or \")\"");
    }
    out->n = n;
    out->v = hale_arena_array(&p->out->memory, n, sizeof(*v));
    if (out->v == NULL)
        return promql_fail(&p->lex, p->lex.at, "the query takes too much memory");
    if (n > 0)
        memcpy(out->v, v, n * sizeof(*v));
    return promql_lex_next(&p->lex);
}

/* --- aggregations and calls -------------------------------------------------------------- */

static bool grouping(struct promql_parser *p, struct hale_promql_node *n, bool *found)
{
    *found = promql_is_word(&p->lex, "by") || promql_is_word(&p->lex, "without");
    if (!*found)
        return true;
    n->without = promql_is_word(&p->lex, "without");
    return promql_lex_next(&p->lex) && label_list(p, &n->labels, "grouping opts");
}

/* Arguments after "(" up to and with ")"; *n is the room and then the number. */
static bool arguments(struct promql_parser *p, struct hale_promql_node **args,
                      unsigned *n, struct hale_str name)
{
    unsigned room = *n;

    if (!promql_expect(p, '(', "call"))
        return false;
    for (*n = 0; !promql_is(&p->lex, ')');) {
        size_t at = p->lex.at;
        if (*n == room)
            return promql_fail(&p->lex, at, "too many arguments in call to \"%.*s\"",
                               (int)name.len, name.p);
        args[*n] = expression(p, 1);
        if (args[*n] == NULL)
            return false;
        ++*n;
        if (promql_is(&p->lex, ')'))
            break;
        if (!promql_expect(p, ',', "arguments of a call"))
            return false;
        if (promql_is(&p->lex, ')'))
            return promql_fail(&p->lex, p->lex.at,
                               "trailing commas not allowed in function call args");
    }
    return promql_lex_next(&p->lex);
}

static struct hale_promql_node *aggregation(struct promql_parser *p, int which,
                                            struct hale_str name, size_t at)
{
    struct hale_promql_node *args[2] = {NULL, NULL};
    struct hale_promql_node *n = promql_node(p, HALE_PROMQL_AGGREGATE, at, 2);
    bool before = false;
    bool after = false;

    if (n == NULL || !grouping(p, n, &before))
        return NULL;
    n->aggregate = (enum hale_promql_aggregate)which;
    n->n_args = 2;
    if (!arguments(p, args, &n->n_args, name))
        return NULL;
    if (!before && !grouping(p, n, &after))
        return NULL;
    n->args[0] = n->n_args == 2 ? args[1] : args[0];
    n->args[1] = n->n_args == 2 ? args[0] : NULL;
    return promql_check(p, n) ? n : NULL;
}

static struct hale_promql_node *call(struct promql_parser *p, struct hale_str name,
                                     size_t at)
{
    static const char *const outside[] = {"count_values",
                                          "label_replace",
                                          "label_join",
                                          "holt_winters",
                                          "day_of_month",
                                          "day_of_week",
                                          "day_of_year",
                                          "days_in_month",
                                          "hour",
                                          "minute",
                                          "month",
                                          "year",
                                          "histogram_count",
                                          "histogram_sum",
                                          "histogram_fraction",
                                          "mad_over_time",
                                          "double_exponential_smoothing",
                                          "sort_by_label",
                                          "sort_by_label_desc",
                                          "limitk",
                                          "limit_ratio",
                                          "info"};
    int which = promql_find_function(name);

    for (size_t i = 0; which < 0 && i < sizeof(outside) / sizeof(outside[0]); i++) {
        if (hale_str_eq_c(name, outside[i])) {
            (void)promql_fail(&p->lex, at, "'%s' is not supported", outside[i]);
            return NULL;
        }
    }
    if (which < 0) {
        (void)promql_fail(&p->lex, at, "unknown function with name \"%.*s\"",
                          (int)(name.len < 100 ? name.len : 100), name.p);
        return NULL;
    }
    struct hale_promql_node *n = promql_node(p, HALE_PROMQL_CALL, at, ARGUMENTS_MAX);
    if (n == NULL)
        return NULL;
    n->function = (enum hale_promql_function)which;
    if (!arguments(p, n->args, &n->n_args, name))
        return NULL;
    return promql_check(p, n) ? n : NULL;
}

/* --- primary expressions ------------------------------------------------------------------ */

static struct hale_promql_node *number_node(struct promql_parser *p, size_t at,
                                            double value)
{
    struct hale_promql_node *n = promql_node(p, HALE_PROMQL_NUMBER, at, 0);

    if (n == NULL)
        return NULL;
    n->number = value;
    return promql_check(p, n) ? n : NULL;
}

static struct hale_promql_node *word(struct promql_parser *p)
{
    struct hale_str name = p->lex.value;
    size_t at = p->lex.at;

    if (!promql_lex_next(&p->lex))
        return NULL;
    bool opens = promql_is(&p->lex, '(');
    bool groups = promql_is_word(&p->lex, "by") || promql_is_word(&p->lex, "without");
    int aggregate = promql_find_aggregate(name);
    if (aggregate >= 0 && (opens || groups))
        return aggregation(p, aggregate, name, at);
    if (opens)
        return call(p, name, at);
    if (hale_str_ieq_c(name, "inf"))
        return number_node(p, at, INFINITY);
    if (hale_str_ieq_c(name, "nan"))
        return number_node(p, at, NAN);
    return promql_selector(p, name, at);
}

static struct hale_promql_node *parenthesis(struct promql_parser *p)
{
    struct hale_promql_node *n = NULL;

    if (promql_lex_next(&p->lex))
        n = expression(p, 1);
    return n != NULL && promql_expect(p, ')', "paren expression") ? n : NULL;
}

static struct hale_promql_node *primary(struct promql_parser *p)
{
    struct hale_promql_node *n = NULL;
    size_t at = p->lex.at;
    double value;

    if (p->lex.token == PROMQL_WORD && p->lex.op == HALE_PROMQL_OP_N) {
        n = word(p);
    } else if (p->lex.token == PROMQL_NUMBER) {
        if (promql_number(p, &value) && promql_lex_next(&p->lex))
            n = number_node(p, at, value);
    } else if (p->lex.token == PROMQL_STRING) {
        n = promql_node(p, HALE_PROMQL_TEXT, at, 0);
        if (n != NULL) {
            n->text = p->lex.value;
            if (!promql_check(p, n) || !promql_lex_next(&p->lex))
                return NULL;
        }
    } else if (promql_is(&p->lex, '(')) {
        n = parenthesis(p);
    } else if (promql_is(&p->lex, '{')) {
        n = promql_selector(p, (struct hale_str){NULL, 0}, at);
    } else if (p->lex.token == PROMQL_END && p->lex.text.len == p->lex.at && at == 0) {
        (void)promql_fail(&p->lex, at, "no expression found in input");
    } else {
        (void)promql_unexpected(&p->lex, "expression", NULL);
    }
    return n != NULL ? promql_postfix(p, n) : NULL;
}

static struct hale_promql_node *negation(struct promql_parser *p)
{
    size_t at = p->lex.at;
    bool minus = p->lex.op == HALE_PROMQL_OP_SUB;

    if (!promql_lex_next(&p->lex))
        return NULL;
    struct hale_promql_node *operand = expression(p, NEGATE_BINDS);
    if (operand == NULL)
        return NULL;
    if (operand->kind == HALE_PROMQL_NUMBER) { /* a literal of its own */
        operand->number = minus ? -operand->number : operand->number;
        return operand;
    }
    struct hale_promql_node *n = promql_node(p, HALE_PROMQL_NEGATE, at, 1);
    if (n == NULL)
        return NULL;
    n->args[0] = operand;
    if (!promql_check(p, n))
        return NULL;
    return minus ? n : operand;
}

/* --- operators ---------------------------------------------------------------------------- */

static int binds_of(enum hale_promql_op op)
{
    static const int binds[] = {
#define BINDS(id, text, precedence) precedence,
        HALE_PROMQL_OPERATORS(BINDS)
#undef BINDS
    };
    return binds[op];
}

/* bool, on, ignoring, group_left, group_right after the operator. */
static bool modifiers(struct promql_parser *p, struct hale_promql_node *n)
{
    if (promql_is_word(&p->lex, "bool")) {
        if (!hale_promql_is_comparison(n->op))
            return promql_fail(&p->lex, p->lex.at,
                               "bool modifier can only be used on comparison operators");
        n->returns_bool = true;
        if (!promql_lex_next(&p->lex))
            return false;
    }
    n->on = promql_is_word(&p->lex, "on");
    if (!n->on && !promql_is_word(&p->lex, "ignoring"))
        return true;
    if (!promql_lex_next(&p->lex) || !label_list(p, &n->labels, "grouping opts"))
        return false;
    if (promql_is_word(&p->lex, "group_left"))
        n->card = HALE_PROMQL_GROUP_LEFT;
    else if (promql_is_word(&p->lex, "group_right"))
        n->card = HALE_PROMQL_GROUP_RIGHT;
    else
        return true;
    if (!promql_lex_next(&p->lex))
        return false;
    return !promql_is(&p->lex, '(') || label_list(p, &n->include, "grouping opts");
}

static bool at_operator(const struct promql_parser *p)
{
    return p->lex.token == PROMQL_OPERATOR ||
           (p->lex.token == PROMQL_WORD && p->lex.op != HALE_PROMQL_OP_N);
}

static struct hale_promql_node *binary(struct promql_parser *p,
                                       struct hale_promql_node *left)
{
    enum hale_promql_op op = p->lex.op;
    struct hale_promql_node *n = promql_node(p, HALE_PROMQL_BINARY, left->at, 2);

    if (n == NULL)
        return NULL;
    n->op = op;
    if (!promql_lex_next(&p->lex) || !modifiers(p, n))
        return NULL;
    n->args[0] = left;
    n->args[1] =
        expression(p, op == HALE_PROMQL_OP_POW ? binds_of(op) : binds_of(op) + 1);
    return n->args[1] != NULL && promql_check(p, n) ? n : NULL;
}

/* Operators that bind at least so tightly. */
static struct hale_promql_node *expression(struct promql_parser *p, int binds)
{
    if (p->lex.depth >= HALE_PROMQL_MAX_DEPTH) {
        (void)promql_fail(&p->lex, p->lex.at, "nested deeper than %d",
                          HALE_PROMQL_MAX_DEPTH);
        return NULL;
    }
    p->lex.depth++;
    bool sign = p->lex.token == PROMQL_OPERATOR &&
                (p->lex.op == HALE_PROMQL_OP_ADD || p->lex.op == HALE_PROMQL_OP_SUB);
    struct hale_promql_node *n = sign ? negation(p) : primary(p);
    while (n != NULL && at_operator(p) && binds_of(p->lex.op) >= binds)
        n = binary(p, n);
    p->lex.depth--;
    return n;
}

/* --- interface ---------------------------------------------------------------------------- */

static enum hale_rc parse(struct hale_str text, struct hale_promql *out,
                          struct hale_err *err)
{
    struct hale_err spare = {0};
    struct promql_parser p = {.lex = {.text = text, .memory = &out->memory}, .out = out};

    *out = (struct hale_promql){0};
    hale_arena_init(&out->memory, MEMORY_MAX);
    if (err == NULL)
        err = &spare;
    *err = (struct hale_err){0};
    p.lex.err = err;
    if (text.len > HALE_PROMQL_MAX_BYTES)
        return hale_err_at(err, HALE_E_INVAL, NULL, 1, 1,
                           "the query is longer than %d bytes", HALE_PROMQL_MAX_BYTES);
    if (!promql_lex_next(&p.lex))
        return HALE_E_INVAL;
    out->root = expression(&p, 1);
    if (out->root != NULL && p.lex.token != PROMQL_END)
        (void)promql_unexpected(&p.lex, "expression", NULL);
    if (err->rc != HALE_OK)
        out->root = NULL;
    return err->rc;
}

enum hale_rc hale_promql_parse(struct hale_str text, struct hale_promql *out,
                               struct hale_err *err)
{
    return parse(text, out, err);
}

enum hale_rc hale_promql_parse_selector(struct hale_str text, struct hale_promql *out,
                                        struct hale_err *err)
{
    enum hale_rc rc = parse(text, out, err);

    if (rc != HALE_OK)
        return rc;
    const struct hale_promql_node *n = out->root;
    if (n->kind != HALE_PROMQL_SELECTOR || n->range_ms > 0 || n->has_offset ||
        n->at_kind != HALE_PROMQL_AT_EVALUATION)
        return hale_err_at(err, HALE_E_INVAL, NULL, 1, 1,
                           "a series selector is expected, without range and modifiers");
    return HALE_OK;
}

void hale_promql_fini(struct hale_promql *q)
{
    for (struct hale_promql_regexes *r = q->regexes; r != NULL; r = r->next)
        hale_regex_free(r->regex);
    hale_arena_fini(&q->memory);
    q->regexes = NULL;
    q->root = NULL;
}
