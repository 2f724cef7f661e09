/* SPDX-License-Identifier: Apache-2.0 */
/* promql_check - the tables of functions and operators, and what fits together. */
#include <string.h>

#include "model/promql_private.h"

struct function {
    const char *name;
    enum hale_promql_type result;
    const char *arguments;
};
static const struct function functions[] = {
#define FUNCTION(id, name, result, arguments) {name, HALE_PROMQL_##result, arguments},
    HALE_PROMQL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};
struct aggregate {
    const char *name;
    bool parameter;
};
static const struct aggregate aggregates[] = {
#define AGGREGATE(id, name, parameter) {name, parameter},
    HALE_PROMQL_AGGREGATES(AGGREGATE)
#undef AGGREGATE
};

const char *hale_promql_op_text(enum hale_promql_op op)
{
    static const char *const texts[] = {
#define TEXT(id, text, precedence) text,
        HALE_PROMQL_OPERATORS(TEXT)
#undef TEXT
    };
    return texts[op];
}

const char *hale_promql_type_text(enum hale_promql_type t)
{
    static const char *const texts[] = {"scalar", "instant vector", "range vector",
                                        "string"};
    return texts[t];
}

int promql_find_function(struct hale_str name)
{
    for (int i = 0; i < HALE_PROMQL_FN_N; i++)
        if (hale_str_eq_c(name, functions[i].name))
            return i;
    return -1;
}

int promql_find_aggregate(struct hale_str name)
{
    for (int i = 0; i < HALE_PROMQL_AGG_N; i++)
        if (hale_str_ieq_c(name, aggregates[i].name))
            return i;
    return -1;
}

static bool expect_type(struct promql_parser *p, const struct hale_promql_node *n,
                        enum hale_promql_type want, const char *where)
{
    if (n->type == want)
        return true;
    return promql_fail(&p->lex, n->at, "expected type %s in %s, got %s",
                       hale_promql_type_text(want), where,
                       hale_promql_type_text(n->type));
}

static bool check_call(struct promql_parser *p, struct hale_promql_node *n)
{
    const struct function *f = &functions[n->function];
    const char *optional = strchr(f->arguments, '?');
    size_t max = strlen(f->arguments) - (optional != NULL ? 1 : 0);
    size_t min = optional != NULL ? (size_t)(optional - f->arguments) : max;
    const char *letter = f->arguments;
    char where[64] = "call to function \"";

    if (n->n_args < min || n->n_args > max)
        return promql_fail(&p->lex, n->at,
                           "expected %s%zu argument(s) in call to \"%s\", got %u",
                           optional == NULL  ? ""
                           : n->n_args < min ? "at least "
                                             : "at most ",
                           n->n_args < min ? min : max, f->name, n->n_args);
    strncat(where, f->name, sizeof(where) - strlen(where) - 2);
    strncat(where, "\"", 2);
    for (unsigned i = 0; i < n->n_args; i++, letter++) {
        if (*letter == '?')
            letter++;
        enum hale_promql_type want = *letter == 's'   ? HALE_PROMQL_SCALAR
                                     : *letter == 'v' ? HALE_PROMQL_VECTOR
                                                      : HALE_PROMQL_MATRIX;
        if (!expect_type(p, n->args[i], want, where))
            return false;
    }
    n->type = f->result;
    return true;
}

static bool check_aggregate(struct promql_parser *p, struct hale_promql_node *n)
{
    const struct aggregate *a = &aggregates[n->aggregate];
    unsigned want = a->parameter ? 2 : 1;

    if (n->n_args == 0)
        return promql_fail(&p->lex, n->at,
                           "no arguments for aggregate expression provided");
    if (n->n_args != want)
        return promql_fail(&p->lex, n->at,
                           "wrong number of arguments for aggregate expression provided, "
                           "expected %u, got %u",
                           want, n->n_args);
    if (!expect_type(p, n->args[0], HALE_PROMQL_VECTOR, "aggregation expression"))
        return false;
    if (a->parameter &&
        !expect_type(p, n->args[1], HALE_PROMQL_SCALAR, "aggregation parameter"))
        return false;
    n->type = HALE_PROMQL_VECTOR;
    return true;
}

static bool check_matching(struct promql_parser *p, const struct hale_promql_node *n)
{
    bool vectors =
        n->args[0]->type == HALE_PROMQL_VECTOR && n->args[1]->type == HALE_PROMQL_VECTOR;

    if (!vectors && (n->on || n->labels.n > 0 || n->card != HALE_PROMQL_ONE_TO_ONE))
        return promql_fail(&p->lex, n->at,
                           "vector matching only allowed between instant vectors");
    if (n->card != HALE_PROMQL_ONE_TO_ONE && hale_promql_is_set_op(n->op))
        return promql_fail(&p->lex, n->at, "no grouping allowed for \"%s\" operation",
                           hale_promql_op_text(n->op));
    for (unsigned i = 0; n->on && i < n->labels.n; i++)
        for (unsigned k = 0; k < n->include.n; k++)
            if (hale_str_eq(n->labels.v[i], n->include.v[k]))
                return promql_fail(
                    &p->lex, n->at,
                    "label \"%.*s\" must not occur in ON and GROUP clause at once",
                    (int)(n->labels.v[i].len < 60 ? n->labels.v[i].len : 60),
                    n->labels.v[i].p);
    return true;
}

static bool check_binary(struct promql_parser *p, struct hale_promql_node *n)
{
    bool scalars = true;

    for (unsigned i = 0; i < 2; i++) {
        if (n->args[i]->type != HALE_PROMQL_SCALAR &&
            n->args[i]->type != HALE_PROMQL_VECTOR)
            return promql_fail(
                &p->lex, n->args[i]->at,
                "binary expression must contain only scalar and instant vector types");
        scalars = scalars && n->args[i]->type == HALE_PROMQL_SCALAR;
        if (hale_promql_is_set_op(n->op) && n->args[i]->type == HALE_PROMQL_SCALAR)
            return promql_fail(
                &p->lex, n->at,
                "set operator \"%s\" not allowed in binary scalar expression",
                hale_promql_op_text(n->op));
    }
    if (scalars && hale_promql_is_comparison(n->op) && !n->returns_bool)
        return promql_fail(&p->lex, n->at,
                           "comparisons between scalars must use BOOL modifier");
    n->type = scalars ? HALE_PROMQL_SCALAR : HALE_PROMQL_VECTOR;
    return check_matching(p, n);
}

static bool check_negate(struct promql_parser *p, struct hale_promql_node *n)
{
    n->type = n->args[0]->type;
    if (n->type == HALE_PROMQL_SCALAR || n->type == HALE_PROMQL_VECTOR)
        return true;
    return promql_fail(&p->lex, n->at,
                       "unary expression only allowed on expressions of type scalar or "
                       "instant vector, got \"%s\"",
                       hale_promql_type_text(n->type));
}

bool promql_check(struct promql_parser *p, struct hale_promql_node *n)
{
    n->depth = 1;
    for (unsigned i = 0; i < n->n_args; i++)
        if (n->args[i]->depth >= n->depth)
            n->depth = n->args[i]->depth + 1;
    if (n->depth > HALE_PROMQL_MAX_DEPTH)
        return promql_fail(&p->lex, n->at, "nested deeper than %d",
                           HALE_PROMQL_MAX_DEPTH);
    switch (n->kind) {
    case HALE_PROMQL_NUMBER: n->type = HALE_PROMQL_SCALAR; return true;
    case HALE_PROMQL_TEXT: n->type = HALE_PROMQL_STRING; return true;
    case HALE_PROMQL_SELECTOR:
        n->type = n->range_ms > 0 ? HALE_PROMQL_MATRIX : HALE_PROMQL_VECTOR;
        return true;
    case HALE_PROMQL_SUBQUERY:
        n->type = HALE_PROMQL_MATRIX;
        return expect_type(p, n->args[0], HALE_PROMQL_VECTOR, "subquery");
    case HALE_PROMQL_NEGATE: return check_negate(p, n);
    case HALE_PROMQL_BINARY: return check_binary(p, n);
    case HALE_PROMQL_AGGREGATE: return check_aggregate(p, n);
    case HALE_PROMQL_CALL: return check_call(p, n);
    }
    return false;
}
