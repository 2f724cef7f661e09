/* SPDX-License-Identifier: Apache-2.0 */
/* promql_binary - operators with a scalar on one side at least; vectors go to promql_match. */
#include <math.h>

#include "collector/promql_private.h"

double promql_operate(enum hale_promql_op op, double a, double b, bool *keep)
{
    *keep = true;
    switch (op) {
    case HALE_PROMQL_OP_ADD: return a + b;
    case HALE_PROMQL_OP_SUB: return a - b;
    case HALE_PROMQL_OP_MUL: return a * b;
    case HALE_PROMQL_OP_DIV: return a / b;
    case HALE_PROMQL_OP_MOD: return fmod(a, b);
    case HALE_PROMQL_OP_ATAN2: return atan2(a, b);
    case HALE_PROMQL_OP_POW: return pow(a, b);
    case HALE_PROMQL_OP_EQ: *keep = a == b; break;
    case HALE_PROMQL_OP_NE: *keep = a != b; break;
    case HALE_PROMQL_OP_LE: *keep = a <= b; break;
    case HALE_PROMQL_OP_LT: *keep = a < b; break;
    case HALE_PROMQL_OP_GE: *keep = a >= b; break;
    case HALE_PROMQL_OP_GT: *keep = a > b; break;
    case HALE_PROMQL_OP_OR:
    case HALE_PROMQL_OP_AND:
    case HALE_PROMQL_OP_UNLESS:
    case HALE_PROMQL_OP_N: break;
    }
    return a;
}

static bool scalars(struct promql_eval *e, const struct promql_grid *g,
                    const struct hale_promql_node *n, const double *a, const double *b,
                    struct collector_promql_value *out)
{
    *out = (struct collector_promql_value){.type = HALE_PROMQL_SCALAR};
    out->scalar = promql_doubles(e, g->n);
    if (out->scalar == NULL)
        return false;
    for (size_t i = 0; i < g->n; i++) {
        bool keep;
        double v = promql_operate(n->op, a[i], b[i], &keep);
        out->scalar[i] = hale_promql_is_comparison(n->op) ? (keep ? 1 : 0) : v;
    }
    return true;
}

/* scalar_first: the scalar is the left operand; comparisons still give the vector's value. */
static bool with_scalar(struct promql_eval *e, const struct promql_grid *g,
                        const struct hale_promql_node *n, const double *scalar,
                        bool scalar_first, struct collector_promql_value *out)
{
    bool compares = hale_promql_is_comparison(n->op);

    for (size_t r = 0; r < out->n; r++) {
        double *v = out->rows[r].v;
        for (size_t i = 0; i < g->n; i++) {
            bool keep;
            if (collector_promql_is_none(v[i]))
                continue;
            double d = scalar_first ? promql_operate(n->op, scalar[i], v[i], &keep)
                                    : promql_operate(n->op, v[i], scalar[i], &keep);
            if (!compares)
                v[i] = d;
            else if (n->returns_bool)
                v[i] = keep ? 1 : 0;
            else if (!keep)
                v[i] = collector_promql_none();
        }
    }
    if (!promql_tick(e, out->n * g->n))
        return false;
    if ((hale_promql_drops_name(n->op) || n->returns_bool) && !promql_drop_names(e, out))
        return false;
    return promql_settle(e, g, out, false);
}

bool promql_binary(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out)
{
    struct collector_promql_value a;
    struct collector_promql_value b;

    if (!promql_evaluate(e, g, n->args[0], &a) || !promql_evaluate(e, g, n->args[1], &b))
        return false;
    if (a.type == HALE_PROMQL_SCALAR && b.type == HALE_PROMQL_SCALAR)
        return scalars(e, g, n, a.scalar, b.scalar, out);
    if (a.type == HALE_PROMQL_VECTOR && b.type == HALE_PROMQL_VECTOR)
        return promql_match(e, g, n, &a, &b, out);
    *out = a.type == HALE_PROMQL_VECTOR ? a : b;
    return with_scalar(e, g, n, a.type == HALE_PROMQL_SCALAR ? a.scalar : b.scalar,
                       a.type == HALE_PROMQL_SCALAR, out);
}
