/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql_window - functions of the points in [t - range, t]. The window's ends only move forward;
 * sums and extremes slide with it, so that long windows cost no more than short ones.
 */
#include <math.h>
#include <stdlib.h>

#include "collector/promql_private.h"

struct window {
    const struct collector_promql_point *p;
    size_t lo, hi; /* [lo, hi) of p */
    int64_t start_ms, end_ms;
    int64_t now_ms;   /* the step's own time */
    double parameter; /* of predict_linear and quantile_over_time */
    double *scratch;  /* room for all points */
    const uint32_t
        *falls; /* falls[i]: points up to i that are lower than the one before */
    /* Sliding sums, minima or maxima: suffixes of [lo, middle) and one value for [middle, hi). */
    long double *suffix;
    long double head;
    size_t middle, reached;
    const double *weights; /* weights[i]: of points up to i; NULL: each is one sample */
};

typedef double (*window_function)(struct window *w);

/* --- rate and its kin --------------------------------------------------------------------------- */

/* What counter resets in the window have hidden. */
static double reset_sum(const struct window *w)
{
    double sum = 0;

    if (w->falls[w->hi - 1] == w->falls[w->lo])
        return 0;
    for (size_t i = w->lo + 1; i < w->hi; i++)
        if (w->p[i].value < w->p[i - 1].value)
            sum += w->p[i - 1].value;
    return sum;
}

static double extrapolated(struct window *w, bool is_counter, bool is_rate)
{
    const struct collector_promql_point *first = &w->p[w->lo];
    const struct collector_promql_point *last = &w->p[w->hi - 1];

    if (w->hi - w->lo < 2)
        return collector_promql_none();
    double result = last->value - first->value;
    if (is_counter)
        result += reset_sum(w);
    double to_start = (double)(first->time_ms - w->start_ms) / 1000;
    double to_end = (double)(w->end_ms - last->time_ms) / 1000;
    double sampled = (double)(last->time_ms - first->time_ms) / 1000;
    double average = sampled / (double)(w->hi - w->lo - 1);

    if (is_counter && result > 0 && first->value >= 0) {
        double to_zero = sampled * (first->value / result);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    double threshold = average * 1.1;
    double interval = sampled;
    interval += to_start < threshold ? to_start : average / 2;
    interval += to_end < threshold ? to_end : average / 2;
    double factor = interval / sampled;
    if (is_rate)
        factor /= (double)(w->end_ms - w->start_ms) / 1000;
    return result * factor;
}

static double rate(struct window *w)
{
    return extrapolated(w, true, true);
}

static double increase(struct window *w)
{
    return extrapolated(w, true, false);
}

static double delta(struct window *w)
{
    return extrapolated(w, false, false);
}

static double last_two(const struct window *w, bool is_rate)
{
    if (w->hi - w->lo < 2)
        return collector_promql_none();
    const struct collector_promql_point *last = &w->p[w->hi - 1];
    const struct collector_promql_point *before = last - 1;
    int64_t ms = last->time_ms - before->time_ms;
    if (ms == 0)
        return collector_promql_none();
    if (!is_rate)
        return last->value - before->value;
    double d = last->value < before->value ? last->value : last->value - before->value;
    return d / ((double)ms / 1000);
}

static double irate(struct window *w)
{
    return last_two(w, true);
}

static double idelta(struct window *w)
{
    return last_two(w, false);
}

/* --- regression ----------------------------------------------------------------------------------- */

static void regress(const struct window *w, int64_t zero_ms, double *slope,
                    double *intercept)
{
    long double n = 0;
    long double x_sum = 0;
    long double y_sum = 0;
    long double xy_sum = 0;
    long double x2_sum = 0;
    double first = w->p[w->lo].value;
    bool constant = true;

    for (size_t i = w->lo; i < w->hi; i++) {
        double y = w->p[i].value;
        long double x = (double)(w->p[i].time_ms - zero_ms) / 1e3;
        constant = constant && y == first;
        n += 1;
        x_sum += x;
        y_sum += y;
        xy_sum += x * y;
        x2_sum += x * x;
    }
    if (constant) {
        *slope = isinf(first) ? NAN : 0;
        *intercept = isinf(first) ? NAN : first;
        return;
    }
    long double s = (xy_sum - x_sum * y_sum / n) / (x2_sum - x_sum * x_sum / n);
    *slope = (double)s;
    *intercept = (double)(y_sum / n - s * x_sum / n);
}

static double deriv(struct window *w)
{
    double slope;
    double intercept;

    if (w->hi - w->lo < 2)
        return collector_promql_none();
    regress(w, w->p[w->lo].time_ms, &slope, &intercept);
    return slope;
}

static double predict_linear(struct window *w)
{
    double slope;
    double intercept;

    if (w->hi - w->lo < 2)
        return collector_promql_none();
    regress(w, w->now_ms, &slope, &intercept);
    return slope * w->parameter + intercept;
}

/* --- sliding aggregates ------------------------------------------------------------------------------ */

static long double add(long double a, long double b)
{
    return a + b;
}

static long double lower(long double a, long double b)
{
    return isnan(a) || b < a ? b : a;
}

static long double higher(long double a, long double b)
{
    return isnan(a) || b > a ? b : a;
}

static long double alone(const struct collector_promql_point *p)
{
    return p->value;
}

static long double weighed(const struct collector_promql_point *p)
{
    return (long double)p->value * p->weight;
}

/* op over [lo, hi), each point entering once and leaving once. */
static long double slide(struct window *w, long double (*op)(long double, long double),
                         long double (*of)(const struct collector_promql_point *))
{
    if (w->lo >= w->middle) { /* nothing is left of the suffixes: all becomes suffixes */
        w->middle = w->reached = w->hi;
        w->suffix[w->hi - 1] = of(&w->p[w->hi - 1]);
        for (size_t i = w->hi - 1; i > w->lo; i--)
            w->suffix[i - 1] = op(of(&w->p[i - 1]), w->suffix[i]);
        return w->suffix[w->lo];
    }
    for (; w->reached < w->hi; w->reached++)
        w->head = w->reached == w->middle ? of(&w->p[w->reached])
                                          : op(w->head, of(&w->p[w->reached]));
    return w->hi > w->middle ? op(w->suffix[w->lo], w->head) : w->suffix[w->lo];
}

/* In the window: rows of the archive count as the samples they were made of. */
static double samples(const struct window *w)
{
    if (w->weights == NULL)
        return (double)(w->hi - w->lo);
    return w->weights[w->hi - 1] - (w->lo > 0 ? w->weights[w->lo - 1] : 0);
}

static double sum_over_time(struct window *w)
{
    return (double)slide(w, add, weighed);
}

static double avg_over_time(struct window *w)
{
    return (double)(slide(w, add, weighed) / samples(w));
}

static double min_over_time(struct window *w)
{
    return (double)slide(w, lower, alone);
}

static double max_over_time(struct window *w)
{
    return (double)slide(w, higher, alone);
}

/* --- the rest ------------------------------------------------------------------------------------------ */

static double count_over_time(struct window *w)
{
    return samples(w);
}

static double present_over_time(struct window *w)
{
    (void)w;
    return 1;
}

static double last_over_time(struct window *w)
{
    return w->p[w->hi - 1].value;
}

static double stdvar_over_time(struct window *w)
{
    long double mean = 0;
    long double aux = 0;

    for (size_t i = w->lo; i < w->hi; i++) {
        long double d = w->p[i].value - mean;
        mean += d / (long double)(i - w->lo + 1);
        aux += d * (w->p[i].value - mean);
    }
    return (double)(aux / (long double)(w->hi - w->lo));
}

static double stddev_over_time(struct window *w)
{
    return sqrt(stdvar_over_time(w));
}

static double quantile_over_time(struct window *w)
{
    size_t n = w->hi - w->lo;

    for (size_t i = 0; i < n; i++)
        w->scratch[i] = w->p[w->lo + i].value;
    return promql_quantile(w->parameter, w->scratch, n);
}

static double changes(struct window *w)
{
    double n = 0;

    for (size_t i = w->lo + 1; i < w->hi; i++) {
        double a = w->p[i - 1].value;
        double b = w->p[i].value;
        if (a != b && !(isnan(a) && isnan(b)))
            n++;
    }
    return n;
}

static double resets(struct window *w)
{
    return (double)(w->falls[w->hi - 1] - w->falls[w->lo]);
}

static window_function function_of(enum hale_promql_function f)
{
    static const window_function functions[HALE_PROMQL_FN_N] = {
        [HALE_PROMQL_FN_RATE] = rate,
        [HALE_PROMQL_FN_INCREASE] = increase,
        [HALE_PROMQL_FN_DELTA] = delta,
        [HALE_PROMQL_FN_IRATE] = irate,
        [HALE_PROMQL_FN_IDELTA] = idelta,
        [HALE_PROMQL_FN_DERIV] = deriv,
        [HALE_PROMQL_FN_PREDICT_LINEAR] = predict_linear,
        [HALE_PROMQL_FN_SUM_OVER_TIME] = sum_over_time,
        [HALE_PROMQL_FN_AVG_OVER_TIME] = avg_over_time,
        [HALE_PROMQL_FN_MIN_OVER_TIME] = min_over_time,
        [HALE_PROMQL_FN_MAX_OVER_TIME] = max_over_time,
        [HALE_PROMQL_FN_COUNT_OVER_TIME] = count_over_time,
        [HALE_PROMQL_FN_PRESENT_OVER_TIME] = present_over_time,
        [HALE_PROMQL_FN_ABSENT_OVER_TIME] = present_over_time,
        [HALE_PROMQL_FN_LAST_OVER_TIME] = last_over_time,
        [HALE_PROMQL_FN_STDDEV_OVER_TIME] = stddev_over_time,
        [HALE_PROMQL_FN_STDVAR_OVER_TIME] = stdvar_over_time,
        [HALE_PROMQL_FN_QUANTILE_OVER_TIME] = quantile_over_time,
        [HALE_PROMQL_FN_CHANGES] = changes,
        [HALE_PROMQL_FN_RESETS] = resets,
    };
    return functions[f];
}

/* --- moving -------------------------------------------------------------------------------------------- */

struct rooms {               /* by point of the series under way */
    const double *parameter; /* by step, or NULL */
    size_t cap;
    uint32_t *falls;
    long double *suffix;
    double *scratch;
    double *weights;
};

static void free_rooms(struct rooms *r)
{
    free(r->falls);
    free(r->suffix);
    free(r->scratch);
    free(r->weights);
    *r = (struct rooms){.parameter = r->parameter};
}

static bool make_room(struct promql_eval *e, struct rooms *r, size_t n)
{
    if (n <= r->cap)
        return true;
    free_rooms(r);
    r->cap = e->points.cap > n ? e->points.cap : n;
    r->falls = calloc(r->cap, sizeof(*r->falls));
    r->suffix = calloc(r->cap, sizeof(*r->suffix));
    r->scratch = calloc(r->cap, sizeof(*r->scratch));
    r->weights = calloc(r->cap, sizeof(*r->weights));
    if (r->falls != NULL && r->suffix != NULL && r->scratch != NULL && r->weights != NULL)
        return true;
    r->cap = 0;
    return promql_no_memory(e);
}

static void sum_weights(const struct collector_promql_points *p, double *weights)
{
    double sum = 0;

    for (size_t i = 0; i < p->n; i++) {
        sum += p->v[i].weight;
        weights[i] = sum;
    }
}

static void count_falls(const struct collector_promql_points *p, uint32_t *falls)
{
    for (size_t i = 0; i < p->n; i++)
        falls[i] =
            i == 0 ? 0 : falls[i - 1] + (p->v[i].value < p->v[i - 1].value ? 1 : 0);
}

/* Functions whose cost per step is the window's length. */
static bool walks(enum hale_promql_function f)
{
    return f == HALE_PROMQL_FN_QUANTILE_OVER_TIME || f == HALE_PROMQL_FN_CHANGES ||
           f == HALE_PROMQL_FN_STDDEV_OVER_TIME || f == HALE_PROMQL_FN_STDVAR_OVER_TIME ||
           f == HALE_PROMQL_FN_DERIV || f == HALE_PROMQL_FN_PREDICT_LINEAR ||
           f == HALE_PROMQL_FN_RATE || f == HALE_PROMQL_FN_INCREASE;
}

static bool move(struct promql_eval *e, const struct promql_grid *g,
                 const struct hale_promql_node *call, const struct promql_matrix *m,
                 struct rooms *r, double *v)
{
    const struct collector_promql_points *p = &e->points;
    window_function f = function_of(call->function);

    if (!make_room(e, r, p->n))
        return false;
    struct window w = {
        .p = p->v, .scratch = r->scratch, .falls = r->falls, .suffix = r->suffix};
    count_falls(p, r->falls);
    if (p->coarse_ms > 0) {
        sum_weights(p, r->weights);
        w.weights = r->weights;
    }
    for (size_t i = 0; i < g->n; i++) {
        w.now_ms = promql_time(g, i);
        w.end_ms = promql_reference(e, g, m->node, i);
        w.start_ms = w.end_ms - m->node->range_ms;
        while (w.hi < p->n && p->v[w.hi].time_ms <= w.end_ms)
            w.hi++;
        while (w.lo < w.hi && p->v[w.lo].time_ms < w.start_ms)
            w.lo++;
        if (w.lo == w.hi)
            continue;
        w.parameter = r->parameter != NULL ? r->parameter[i] : 0;
        v[i] = f(&w);
        if (walks(call->function) && !promql_tick(e, w.hi - w.lo))
            return false;
    }
    return promql_tick(e, g->n);
}

static enum collector_promql_what what_of(enum hale_promql_function f)
{
    if (f == HALE_PROMQL_FN_MIN_OVER_TIME)
        return COLLECTOR_PROMQL_MINIMUM;
    return f == HALE_PROMQL_FN_MAX_OVER_TIME ? COLLECTOR_PROMQL_MAXIMUM
                                             : COLLECTOR_PROMQL_AVERAGE;
}

static bool all_series(struct promql_eval *e, const struct promql_grid *g,
                       const struct hale_promql_node *n, const struct promql_matrix *m,
                       const double *parameter, struct collector_promql_value *out)
{
    bool keeps_name = n->function == HALE_PROMQL_FN_LAST_OVER_TIME;
    struct rooms r = {.parameter = parameter};
    bool fine = true;

    for (size_t s = 0; fine && s < m->n; s++) {
        fine = promql_matrix_read(e, g, m, s);
        if (!fine || e->points.n == 0)
            continue;
        const struct collector_promql_labels *l = promql_matrix_labels(m, s);
        double *v = promql_row(
            e, g, out, keeps_name ? l : collector_promql_labels_nameless(e->arena, l));
        fine = v != NULL && move(e, g, n, m, &r, v);
    }
    free_rooms(&r);
    return fine;
}

/* 1 where no series has a point. */
static bool absent(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *matrix,
                   const struct collector_promql_value *present,
                   struct collector_promql_value *out)
{
    if (!promql_vector(e, out, 1))
        return false;
    double *v = promql_row(e, g, out, promql_absent_labels(e, matrix));
    if (v == NULL)
        return false;
    for (size_t i = 0; i < g->n; i++) {
        bool any = false;
        for (size_t r = 0; !any && r < present->n; r++)
            any = !collector_promql_is_none(present->rows[r].v[i]);
        if (!any)
            v[i] = 1;
    }
    return promql_settle(e, g, out, true);
}

bool promql_window(struct promql_eval *e, const struct promql_grid *g,
                   const struct hale_promql_node *n, struct collector_promql_value *out)
{
    const struct hale_promql_node *range = n->args[0];
    struct collector_promql_value parameter = {0};
    struct collector_promql_value all;
    struct promql_matrix m;

    if (range->type != HALE_PROMQL_MATRIX)
        range = n->args[1];
    if (n->n_args == 2 &&
        !promql_evaluate(e, g, range == n->args[0] ? n->args[1] : n->args[0], &parameter))
        return false;
    if (!promql_matrix(e, g, range, what_of(n->function), &m) ||
        !promql_vector(e, &all, m.n) || !all_series(e, g, n, &m, parameter.scalar, &all))
        return false;
    if (n->function == HALE_PROMQL_FN_ABSENT_OVER_TIME)
        return absent(e, g, range, &all, out);
    *out = all;
    return promql_settle(e, g, out, true);
}
