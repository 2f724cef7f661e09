/* SPDX-License-Identifier: Apache-2.0 */
/* promql_call - functions of one instant. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "collector/promql_private.h"

static double sgn(double v)
{
    if (v < 0)
        return -1;
    return v > 0 ? 1 : v;
}

static double deg(double v)
{
    return v * 180 / M_PI;
}

static double rad(double v)
{
    return v * M_PI / 180;
}

static double (*simple_of(enum hale_promql_function f))(double)
{
    static double (*const functions[HALE_PROMQL_FN_N])(double) = {
        [HALE_PROMQL_FN_ABS] = fabs,    [HALE_PROMQL_FN_ACOS] = acos,
        [HALE_PROMQL_FN_ACOSH] = acosh, [HALE_PROMQL_FN_ASIN] = asin,
        [HALE_PROMQL_FN_ASINH] = asinh, [HALE_PROMQL_FN_ATAN] = atan,
        [HALE_PROMQL_FN_ATANH] = atanh, [HALE_PROMQL_FN_CEIL] = ceil,
        [HALE_PROMQL_FN_COS] = cos,     [HALE_PROMQL_FN_COSH] = cosh,
        [HALE_PROMQL_FN_DEG] = deg,     [HALE_PROMQL_FN_EXP] = exp,
        [HALE_PROMQL_FN_FLOOR] = floor, [HALE_PROMQL_FN_LN] = log,
        [HALE_PROMQL_FN_LOG10] = log10, [HALE_PROMQL_FN_LOG2] = log2,
        [HALE_PROMQL_FN_RAD] = rad,     [HALE_PROMQL_FN_SGN] = sgn,
        [HALE_PROMQL_FN_SIN] = sin,     [HALE_PROMQL_FN_SINH] = sinh,
        [HALE_PROMQL_FN_SQRT] = sqrt,   [HALE_PROMQL_FN_TAN] = tan,
        [HALE_PROMQL_FN_TANH] = tanh,
    };
    return functions[f];
}

static double lower(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

static double higher(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

/* v with the function's scalar arguments a and b at the same step. */
static double with_scalars(enum hale_promql_function f, double v, double a, double b)
{
    if (f == HALE_PROMQL_FN_CLAMP)
        return b < a ? collector_promql_none() : higher(a, lower(b, v));
    if (f == HALE_PROMQL_FN_CLAMP_MIN)
        return higher(a, v);
    if (f == HALE_PROMQL_FN_CLAMP_MAX)
        return lower(a, v);
    double inverse = 1.0 / a; /* round: multiply, since 0.1 has no exact reciprocal */
    return floor(v * inverse + 0.5) / inverse;
}

static bool each_value(struct promql_eval *e, const struct promql_grid *g,
                       const struct hale_promql_node *n,
                       const struct collector_promql_value *args,
                       struct collector_promql_value *out)
{
    double (*simple)(double) = simple_of(n->function);
    const double *a = n->n_args > 1 ? args[1].scalar : NULL;
    const double *b = n->n_args > 2 ? args[2].scalar : NULL;

    *out = args[0];
    for (size_t r = 0; r < out->n; r++) {
        double *v = out->rows[r].v;
        for (size_t i = 0; i < g->n; i++) {
            if (collector_promql_is_none(v[i]))
                continue;
            v[i] = simple != NULL ? simple(v[i])
                                  : with_scalars(n->function, v[i], a != NULL ? a[i] : 1,
                                                 b != NULL ? b[i] : 0);
        }
    }
    return promql_tick(e, out->n * g->n) && promql_drop_names(e, out) &&
           promql_settle(e, g, out, false);
}

/* --- between scalars and vectors -------------------------------------------------------------- */

static bool new_scalar(struct promql_eval *e, const struct promql_grid *g,
                       struct collector_promql_value *out)
{
    *out = (struct collector_promql_value){.type = HALE_PROMQL_SCALAR};
    out->scalar = promql_doubles(e, g->n);
    return out->scalar != NULL;
}

static bool to_scalar(struct promql_eval *e, const struct promql_grid *g,
                      const struct collector_promql_value *in,
                      struct collector_promql_value *out)
{
    if (!new_scalar(e, g, out))
        return false;
    for (size_t i = 0; i < g->n; i++) {
        size_t n = 0;
        for (size_t r = 0; r < in->n && n < 2; r++) {
            if (collector_promql_is_none(in->rows[r].v[i]))
                continue;
            out->scalar[i] = in->rows[r].v[i];
            n++;
        }
        if (n != 1)
            out->scalar[i] = NAN;
    }
    return promql_tick(e, in->n * g->n);
}

static bool to_vector(struct promql_eval *e, const struct promql_grid *g,
                      const double *scalar, struct collector_promql_value *out)
{
    if (!promql_vector(e, out, 1))
        return false;
    double *v = promql_row(e, g, out, collector_promql_labels_new(e->arena, NULL, 0));
    if (v == NULL)
        return false;
    HALE_ASSERT(scalar != NULL); /* the types were checked */
    memcpy(v, scalar, g->n * sizeof(*v));
    return true;
}

static bool constant_call(struct promql_eval *e, const struct promql_grid *g, bool pi,
                          struct collector_promql_value *out)
{
    if (!new_scalar(e, g, out))
        return false;
    for (size_t i = 0; i < g->n; i++)
        out->scalar[i] = pi ? M_PI : (double)promql_time(g, i) / 1000;
    return true;
}

static bool timestamps(struct promql_eval *e, const struct promql_grid *g,
                       const struct hale_promql_node *arg,
                       struct collector_promql_value *out)
{
    if (arg->kind == HALE_PROMQL_SELECTOR) {
        if (!promql_instant(e, g, arg, true, out))
            return false;
    } else {
        if (!promql_evaluate(e, g, arg, out))
            return false;
        for (size_t r = 0; r < out->n; r++)
            for (size_t i = 0; i < g->n; i++)
                if (!collector_promql_is_none(out->rows[r].v[i]))
                    out->rows[r].v[i] = (double)promql_time(g, i) / 1000;
    }
    return promql_drop_names(e, out) && promql_settle(e, g, out, false);
}

/* --- absent, sort ------------------------------------------------------------------------------ */

const struct collector_promql_labels *
promql_absent_labels(struct promql_eval *e, const struct hale_promql_node *n)
{
    struct collector_promql_label v[128];
    unsigned count = 0;

    if (n->kind != HALE_PROMQL_SELECTOR)
        return collector_promql_labels_new(e->arena, NULL, 0);
    for (unsigned i = 0; i < n->n_matchers; i++) {
        const struct hale_promql_matcher *m = &n->matchers[i];
        bool alone = m->how == HALE_PROMQL_EQUAL && !hale_str_eq_c(m->name, "__name__");
        for (unsigned k = 0; alone && k < n->n_matchers; k++)
            alone = k == i || !hale_str_eq(m->name, n->matchers[k].name);
        if (alone && count < sizeof(v) / sizeof(v[0]))
            v[count++] = (struct collector_promql_label){m->name, m->value};
    }
    return collector_promql_labels_new(e->arena, v, count);
}

static bool absent(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *arg,
                   const struct collector_promql_value *in,
                   struct collector_promql_value *out)
{
    if (!promql_vector(e, out, 1))
        return false;
    double *v = promql_row(e, g, out, promql_absent_labels(e, arg));
    if (v == NULL)
        return false;
    for (size_t i = 0; i < g->n; i++) {
        bool any = false;
        for (size_t r = 0; !any && r < in->n; r++)
            any = !collector_promql_is_none(in->rows[r].v[i]);
        if (!any)
            v[i] = 1;
    }
    return promql_tick(e, in->n * g->n) && promql_settle(e, g, out, false);
}

/* Of the first step; NaN last in both directions. */
static int ascending(const void *a, const void *b)
{
    double x = ((const struct collector_promql_row *)a)->v[0];
    double y = ((const struct collector_promql_row *)b)->v[0];

    if (isnan(x) || isnan(y))
        return (isnan(x) != 0) - (isnan(y) != 0);
    return (x > y) - (x < y);
}

static int descending(const void *a, const void *b)
{
    double x = ((const struct collector_promql_row *)a)->v[0];
    double y = ((const struct collector_promql_row *)b)->v[0];

    if (isnan(x) || isnan(y))
        return (isnan(x) != 0) - (isnan(y) != 0);
    return (x < y) - (x > y);
}

static bool sorted(const struct promql_grid *g, enum hale_promql_function f,
                   const struct collector_promql_value *in,
                   struct collector_promql_value *out)
{
    *out = *in;
    if (g->n == 1 && out->n > 1)
        qsort(out->rows, out->n, sizeof(out->rows[0]),
              f == HALE_PROMQL_FN_SORT ? ascending : descending);
    return true;
}

/* --- all --------------------------------------------------------------------------------------- */

bool promql_call(struct promql_eval *e, const struct promql_grid *g,
                 const struct hale_promql_node *n, struct collector_promql_value *out)
{
    struct collector_promql_value args[3] = {{0}};

    for (unsigned i = 0; i < n->n_args; i++)
        if (n->args[i]->type == HALE_PROMQL_MATRIX)
            return promql_window(e, g, n, out);
    if (n->function == HALE_PROMQL_FN_TIMESTAMP)
        return timestamps(e, g, n->args[0], out);
    for (unsigned i = 0; i < n->n_args; i++)
        if (!promql_evaluate(e, g, n->args[i], &args[i]))
            return false;
    if (n->function == HALE_PROMQL_FN_TIME || n->function == HALE_PROMQL_FN_PI)
        return constant_call(e, g, n->function == HALE_PROMQL_FN_PI, out);
    if (n->function == HALE_PROMQL_FN_SCALAR)
        return to_scalar(e, g, &args[0], out);
    if (n->function == HALE_PROMQL_FN_VECTOR)
        return to_vector(e, g, args[0].scalar, out);
    if (n->function == HALE_PROMQL_FN_ABSENT)
        return absent(e, g, n->args[0], &args[0], out);
    if (n->function == HALE_PROMQL_FN_SORT || n->function == HALE_PROMQL_FN_SORT_DESC)
        return sorted(g, n->function, &args[0], out);
    if (n->function == HALE_PROMQL_FN_HISTOGRAM_QUANTILE)
        return promql_histogram_quantile(e, g, args[0].scalar, &args[1], out);
    return each_value(e, g, n, args, out);
}
