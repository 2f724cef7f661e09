/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_promql - an expression of a Prometheus rule in Hale's language, or why not.
 *
 *   condition := condition and|or|unless condition | value compared with value | absent(...)
 *   value     := number | selector: last | <f>_over_time, rate, increase of a range
 *              | sum, max, min by (labels) of those of which a window of the group is the same
 *              | value + - * / value
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import.h"

#define LOOKBACK_S 300 /* a series without a sample for so long is gone for Prometheus */
#define TEXT_BYTES 65536

typedef const struct hale_promql_node *NODE;

enum grouping {               /* of what a value or a condition has one */
                GROUP_NONE,   /* not known yet: a number */
                GROUP_SERIES, /* per series */
                GROUP_LABELS
};
struct map {
    struct cli_promql_rule *rule;
    enum grouping grouping;
    json_t *labels;
    unsigned conditions;
    bool alternatives; /* or, unless, != */
    bool failed;
};

static bool no(struct map *m, const char *fmt, ...) HALE_PRINTF(2, 3);

static bool no(struct map *m, const char *fmt, ...)
{
    va_list args;
    if (m->failed)
        return false;
    m->failed = true;
    va_start(args, fmt);
    (void)vsnprintf(m->rule->why, sizeof(m->rule->why), fmt, args);
    va_end(args);
    return false;
}

static struct hale_buf *out(struct map *m)
{
    return &m->rule->text;
}

/* --- groups ------------------------------------------------------------------------ */

static json_t *names_json(const struct hale_promql_names *names)
{
    json_t *a = json_array();
    for (unsigned i = 0; a != NULL && i < names->n; i++)
        (void)json_array_append_new(a, json_stringn(names->v[i].p, names->v[i].len));
    return a;
}

static bool has_label(const json_t *labels, const json_t *label)
{
    const json_t *l;
    size_t i;
    json_array_foreach (labels, i, l)
        if (json_equal((json_t *)(uintptr_t)l, (json_t *)(uintptr_t)label))
            return true;
    return false;
}

static bool same_labels(const json_t *a, const json_t *b)
{
    const json_t *l;
    size_t i;
    if (json_array_size(a) != json_array_size(b))
        return false;
    json_array_foreach (a, i, l)
        if (!has_label(b, l))
            return false;
    return true;
}

/* All parts of a rule must speak of the same groups. Takes labels. */
static bool join(struct map *m, enum grouping grouping, json_t *labels)
{
    bool fits = m->grouping == GROUP_NONE ||
                (m->grouping == grouping &&
                 (grouping == GROUP_SERIES || same_labels(m->labels, labels)));
    if (fits && m->grouping == GROUP_NONE) {
        m->grouping = grouping;
        m->labels = labels;
        return true;
    }
    json_decref(labels);
    return fits || no(m, "its parts are grouped by different labels");
}

/* Whether the two sides of an operator meet group by group. */
static bool check_matching(struct map *m, NODE n)
{
    if (n->card != HALE_PROMQL_ONE_TO_ONE)
        return no(m, "group_left and group_right have no counterpart");
    if (!n->on && n->labels.n > 0)
        return no(m, "ignoring (...): which labels remain is not known; write on (...)");
    if (!n->on)
        return true;
    json_t *labels = names_json(&n->labels);
    if (m->grouping == GROUP_SERIES && !hale_promql_is_set_op(n->op)) {
        m->grouping = GROUP_LABELS; /* one to one: each group has one series a side */
        m->labels = labels;
        return true;
    }
    bool same = m->grouping == GROUP_LABELS && same_labels(m->labels, labels);
    json_decref(labels);
    return same || no(m, "on (...) names other labels than the groups of its sides");
}

/* --- numbers ----------------------------------------------------------------------- */

static bool fold(NODE n, double *v)
{
    double a, b;
    if (n->kind == HALE_PROMQL_NUMBER) {
        *v = n->number;
        return isfinite(*v);
    }
    if (n->kind == HALE_PROMQL_NEGATE && fold(n->args[0], &a)) {
        *v = -a;
        return true;
    }
    if (n->kind != HALE_PROMQL_BINARY || n->n_args != 2 || !fold(n->args[0], &a) ||
        !fold(n->args[1], &b))
        return false;
    if (n->op == HALE_PROMQL_OP_ADD)
        *v = a + b;
    else if (n->op == HALE_PROMQL_OP_SUB)
        *v = a - b;
    else if (n->op == HALE_PROMQL_OP_MUL)
        *v = a * b;
    else if (n->op == HALE_PROMQL_OP_DIV)
        *v = a / b;
    else if (n->op == HALE_PROMQL_OP_POW)
        *v = pow(a, b);
    else
        return false;
    return isfinite(*v);
}

/* Without an exponent, which the language does not have. */
static bool add_number(struct map *m, double v)
{
    char text[400];
    for (int digits = 0; digits <= 30; digits++) {
        (void)snprintf(text, sizeof(text), "%.*f", digits, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) {
            hale_buf_add_c(out(m), text);
            return true;
        }
    }
    return no(m, "the number %g is too small", v);
}

/* --- values ------------------------------------------------------------------------ */

static bool add_selector(struct map *m, NODE s)
{
    struct hale_str name = {NULL, 0};
    unsigned n = 0;
    if (s->kind == HALE_PROMQL_SUBQUERY)
        return no(m, "subqueries have no counterpart");
    if (s->kind != HALE_PROMQL_SELECTOR)
        return no(m, "a range of a metric is wanted in this function");
    if (s->has_offset || s->at_kind != HALE_PROMQL_AT_EVALUATION)
        return no(m, "offset and @ have no counterpart");
    for (unsigned i = 0; i < s->n_matchers; i++)
        if (hale_str_eq_c(s->matchers[i].name, "__name__"))
            name = s->matchers[i].value;
    if (name.len == 0)
        return no(m, "a metric needs a name");
    hale_buf_add_str(out(m), name);
    for (unsigned i = 0; i < s->n_matchers; i++) {
        const struct hale_promql_matcher *x = &s->matchers[i];
        if (x->how != HALE_PROMQL_EQUAL)
            return no(m, "%.*s%s...: only '=' has a counterpart in a selector",
                      (int)x->name.len, x->name.p,
                      x->how == HALE_PROMQL_REGEX       ? "=~"
                      : x->how == HALE_PROMQL_NOT_REGEX ? "!~"
                                                        : "!=");
        if (hale_str_eq_c(x->name, "__name__"))
            continue;
        if (x->value.len == 0)
            return no(m, "%.*s=\"\": a label's absence has no counterpart",
                      (int)x->name.len, x->name.p);
        hale_buf_printf(out(m), "%s%.*s=%.*s", n++ == 0 ? "{" : ", ", (int)x->name.len,
                        x->name.p, (int)x->value.len, x->value.p);
    }
    if (n > 0)
        hale_buf_add_char(out(m), '}');
    return true;
}

static void needs(struct map *m, int64_t missing_after_s)
{
    if (missing_after_s > m->rule->missing_after_s)
        m->rule->missing_after_s = missing_after_s;
}

static bool add_last(struct map *m, NODE selector, int64_t gone_s)
{
    hale_buf_add_c(out(m), "last(");
    needs(m, gone_s);
    if (!add_selector(m, selector))
        return false;
    hale_buf_add_char(out(m), ')');
    return true;
}

/* How often a window of range_s ends: the interval of the rule, or less if it must divide. */
static int64_t step_of(const struct map *m, int64_t range_s)
{
    int64_t step = m->rule->every_s < range_s ? m->rule->every_s : range_s;
    while (step > 1 && range_s % step != 0)
        step--;
    return step;
}

static bool add_window(struct map *m, const char *func, NODE range)
{
    int64_t s = range->range_ms / 1000;
    if (range->range_ms % 1000 != 0 || s == 0)
        return no(m, "a range of whole seconds is wanted");
    hale_buf_printf(out(m), "%s(", func);
    if (!add_selector(m, range))
        return false;
    int64_t step = step_of(m, s);
    hale_buf_printf(out(m), ", %lld", (long long)s);
    if (step < s)
        hale_buf_printf(out(m), " every %lld", (long long)step);
    hale_buf_add_char(out(m), ')');
    needs(m, s);
    return true;
}

static const struct {
    enum hale_promql_function function;
    const char *word;
    int aggregate; /* of the series' windows this is the window of the group; -1: none */
} windows[] = {
    {HALE_PROMQL_FN_AVG_OVER_TIME, "avg", -1},
    {HALE_PROMQL_FN_MIN_OVER_TIME, "min", HALE_PROMQL_AGG_MIN},
    {HALE_PROMQL_FN_MAX_OVER_TIME, "max", HALE_PROMQL_AGG_MAX},
    {HALE_PROMQL_FN_SUM_OVER_TIME, "sum", HALE_PROMQL_AGG_SUM},
    {HALE_PROMQL_FN_COUNT_OVER_TIME, "count", HALE_PROMQL_AGG_SUM},
    {HALE_PROMQL_FN_RATE, "rate", HALE_PROMQL_AGG_SUM},
    {HALE_PROMQL_FN_INCREASE, "rate", HALE_PROMQL_AGG_SUM},
};

/* quantile_over_time(0.95, m[5m]), predict_linear(m[1h], 3600) */
static bool add_of_range(struct map *m, NODE n)
{
    bool quantile = n->function == HALE_PROMQL_FN_QUANTILE_OVER_TIME;
    NODE range = n->args[quantile ? 1 : 0], number = n->args[quantile ? 0 : 1];
    int64_t s = range->range_ms / 1000;
    double v;
    if (range->range_ms % 1000 != 0 || s == 0 || !fold(number, &v))
        return no(m, "a range of whole seconds and a number are wanted");
    if (!quantile && (v < 1 || v > 2592000 || v > floor(v)))
        return no(m,
                  "predict_linear: whole seconds from 1 to 30 days have a counterpart");
    hale_buf_add_c(out(m), quantile ? "percentile(" : "forecast(");
    if (!add_selector(m, range))
        return false;
    hale_buf_add_c(out(m), ", ");
    if (quantile && !add_number(m, v * 100))
        return false;
    if (quantile)
        hale_buf_add_c(out(m), ", ");
    hale_buf_printf(out(m), "%lld", (long long)s);
    if (!quantile)
        hale_buf_printf(out(m), ", %lld", (long long)v);
    hale_buf_add_char(out(m), ')');
    needs(m, s);
    m->rule->note = quantile ? "percentile: nearest rank, decided once a range"
                             : "forecast: the median of slopes, not least squares";
    return true;
}

static bool add_call(struct map *m, NODE n, int aggregate)
{
    size_t i = 0;
    if (aggregate < 0 && (n->function == HALE_PROMQL_FN_QUANTILE_OVER_TIME ||
                          n->function == HALE_PROMQL_FN_PREDICT_LINEAR))
        return add_of_range(m, n);
    if (n->function == HALE_PROMQL_FN_LAST_OVER_TIME && aggregate < 0)
        return add_last(m, n->args[0], n->args[0]->range_ms / 1000);
    while (i < sizeof(windows) / sizeof(windows[0]) && windows[i].function != n->function)
        i++;
    if (i == sizeof(windows) / sizeof(windows[0]))
        return no(m, "this function has no counterpart; avg, min, max, sum, count, last, "
                     "quantile _over_time, rate, increase, predict_linear, absent have");
    if (aggregate >= 0 && windows[i].aggregate != aggregate)
        return no(m, "over several series this is not what %s() of a group is",
                  windows[i].word);
    bool whole = n->function == HALE_PROMQL_FN_INCREASE;
    if (whole)
        hale_buf_add_char(out(m), '(');
    if (!add_window(m, windows[i].word, n->args[0]))
        return false;
    if (whole)
        hale_buf_printf(out(m), " * %lld)", (long long)(n->args[0]->range_ms / 1000));
    return true;
}

static bool add_aggregate(struct map *m, NODE n)
{
    NODE inner = n->args[0];
    if (n->without)
        return no(m, "without (...): which labels remain is not known; write by (...)");
    if (inner->kind != HALE_PROMQL_CALL)
        return no(m, "it looks at the present values of several series at once; Hale's "
                     "functions look at the samples of a window (max by (...) "
                     "(max_over_time(...)) has a counterpart)");
    if (!join(m, GROUP_LABELS, names_json(&n->labels)))
        return false;
    return add_call(m, inner, (int)n->aggregate);
}

static bool add_value(struct map *m, NODE n);

static bool add_arithmetic(struct map *m, NODE n)
{
    static const char *const signs[] = {
        [HALE_PROMQL_OP_ADD] = " + ",
        [HALE_PROMQL_OP_SUB] = " - ",
        [HALE_PROMQL_OP_MUL] = " * ",
        [HALE_PROMQL_OP_DIV] = " / ",
    };
    if (n->op < HALE_PROMQL_OP_ADD || n->op > HALE_PROMQL_OP_DIV)
        return no(m, "'%s' has no counterpart here", hale_promql_op_text(n->op));
    hale_buf_add_char(out(m), '(');
    if (!add_value(m, n->args[0]))
        return false;
    hale_buf_add_c(out(m), signs[n->op]);
    if (!add_value(m, n->args[1]) || !check_matching(m, n))
        return false;
    hale_buf_add_char(out(m), ')');
    return true;
}

static bool add_value(struct map *m, NODE n)
{
    double v;
    if (out(m)->failed)
        return no(m, "it is too long");
    if (fold(n, &v))
        return add_number(m, v);
    switch (n->kind) {
    case HALE_PROMQL_SELECTOR:
        return join(m, GROUP_SERIES, NULL) && add_last(m, n, LOOKBACK_S);
    case HALE_PROMQL_CALL: return join(m, GROUP_SERIES, NULL) && add_call(m, n, -1);
    case HALE_PROMQL_AGGREGATE: return add_aggregate(m, n);
    case HALE_PROMQL_BINARY: return add_arithmetic(m, n);
    case HALE_PROMQL_NEGATE:
        hale_buf_add_c(out(m), "(-1 * ");
        if (!add_value(m, n->args[0]))
            return false;
        hale_buf_add_char(out(m), ')');
        return true;
    case HALE_PROMQL_NUMBER:
    case HALE_PROMQL_TEXT:
    case HALE_PROMQL_SUBQUERY: break;
    }
    return no(m, "this has no counterpart");
}

/* --- conditions -------------------------------------------------------------------- */

static void add_delays(struct map *m)
{
    if (m->rule->for_s > 0)
        hale_buf_printf(out(m), " for %llds", (long long)m->rule->for_s);
    if (m->rule->keep_s > 0)
        hale_buf_printf(out(m), " clear for %llds", (long long)m->rule->keep_s);
}

/* value - value, or value alone, compared with a number. */
static bool add_side(struct map *m, NODE value, NODE minus, const char *sign, double than)
{
    m->conditions++;
    if (minus != NULL)
        hale_buf_add_char(out(m), '(');
    if (!add_value(m, value))
        return false;
    if (minus != NULL) {
        hale_buf_add_c(out(m), " - ");
        if (!add_value(m, minus))
            return false;
        hale_buf_add_char(out(m), ')');
    }
    hale_buf_printf(out(m), " %s ", sign);
    if (!add_number(m, than))
        return false;
    add_delays(m);
    return true;
}

static bool add_comparison(struct map *m, NODE n)
{
    static const char *const signs[] = {
        [HALE_PROMQL_OP_LE] = "<=",
        [HALE_PROMQL_OP_LT] = "<",
        [HALE_PROMQL_OP_GE] = ">=",
        [HALE_PROMQL_OP_GT] = ">",
    };
    static const enum hale_promql_op turned[] = {
        [HALE_PROMQL_OP_EQ] = HALE_PROMQL_OP_EQ, [HALE_PROMQL_OP_NE] = HALE_PROMQL_OP_NE,
        [HALE_PROMQL_OP_LE] = HALE_PROMQL_OP_GE, [HALE_PROMQL_OP_LT] = HALE_PROMQL_OP_GT,
        [HALE_PROMQL_OP_GE] = HALE_PROMQL_OP_LE, [HALE_PROMQL_OP_GT] = HALE_PROMQL_OP_LT,
    };
    enum hale_promql_op op = n->op;
    NODE value = n->args[0], minus = NULL;
    double than = 0, other;
    if (n->returns_bool)
        return no(m, "bool: a rule with it fires always");
    if (fold(n->args[0], &than)) {
        if (fold(n->args[1], &other))
            return no(m, "it compares two numbers");
        value = n->args[1];
        op = turned[op];
    } else if (!fold(n->args[1], &than)) {
        minus = n->args[1];
        than = 0;
    }
    bool equal = op == HALE_PROMQL_OP_EQ, unequal = op == HALE_PROMQL_OP_NE;
    bool fine;
    if (equal || unequal) { /* two comparisons */
        m->alternatives = m->alternatives || unequal;
        hale_buf_add_char(out(m), '(');
        fine = add_side(m, value, minus, equal ? ">=" : ">", than);
        hale_buf_add_c(out(m), equal ? " and " : " or ");
        fine = fine && add_side(m, value, minus, equal ? "<=" : "<", than);
        hale_buf_add_char(out(m), ')');
    } else {
        fine = add_side(m, value, minus, signs[op], than);
    }
    return fine && (minus == NULL || check_matching(m, n));
}

static bool add_absent(struct map *m, NODE n)
{
    bool over = n->function == HALE_PROMQL_FN_ABSENT_OVER_TIME;
    NODE selector = n->args[0];
    int64_t s = over ? (selector->range_ms + 999) / 1000 : LOOKBACK_S;
    if (selector->kind != HALE_PROMQL_SELECTOR)
        return no(m, "absent() of anything but a metric has no counterpart");
    m->conditions++;
    m->rule->note = "fires only after the metric has been there once";
    hale_buf_add_c(out(m), "absent(");
    if (!join(m, GROUP_LABELS, json_array()) || !add_selector(m, selector))
        return false;
    /* Absent for so long, and then for so long again: that is one time. */
    s += m->rule->for_s;
    hale_buf_printf(out(m), ", %lld)", (long long)s);
    return m->rule->keep_s == 0 || no(m, "absent() with keep_firing_for");
}

static bool add_condition(struct map *m, NODE n)
{
    if (n->kind == HALE_PROMQL_CALL && (n->function == HALE_PROMQL_FN_ABSENT ||
                                        n->function == HALE_PROMQL_FN_ABSENT_OVER_TIME))
        return add_absent(m, n);
    if (n->kind != HALE_PROMQL_BINARY)
        return no(m, "it compares nothing: it would fire whenever there are data");
    if (hale_promql_is_comparison(n->op))
        return add_comparison(m, n);
    if (!hale_promql_is_set_op(n->op))
        return no(m, "it compares nothing: it would fire whenever there are data");
    hale_buf_add_char(out(m), '(');
    if (!add_condition(m, n->args[0]))
        return false;
    if (n->op != HALE_PROMQL_OP_AND) {
        m->alternatives = true;
        m->rule->note =
            "needs data of all its metrics; Prometheus' does without one side";
    }
    hale_buf_add_c(out(m), n->op == HALE_PROMQL_OP_AND  ? " and "
                           : n->op == HALE_PROMQL_OP_OR ? " or "
                                                        : " and not (");
    if (!add_condition(m, n->args[1]) || !check_matching(m, n))
        return false;
    hale_buf_add_c(out(m), n->op == HALE_PROMQL_OP_UNLESS ? "))" : ")");
    return true;
}

/* Delays belong to a comparison here, to the whole there. */
static bool check_delays(struct map *m)
{
    if (m->rule->for_s > 0 && m->alternatives)
        return no(m,
                  "for: with or, unless and != the parts may take turns, which a delay "
                  "of each part does not see");
    if (m->rule->keep_s > 0 && m->conditions > 1)
        return no(m,
                  "keep_firing_for of several comparisons together has no counterpart");
    return true;
}

enum hale_rc cli_import_promql(const struct hale_promql_node *root,
                               struct cli_promql_rule *rule)
{
    struct map m = {.rule = rule};
    hale_buf_init(&rule->text, TEXT_BYTES);
    rule->labels = NULL;
    rule->missing_after_s = 0;
    rule->note = NULL;
    rule->why[0] = '\0';
    bool fine = add_condition(&m, root) && check_delays(&m);
    if (fine && rule->text.failed)
        fine = no(&m, "it is too long");
    rule->per_series = m.grouping != GROUP_LABELS;
    rule->labels = m.labels;
    return fine ? HALE_OK : HALE_E_INVAL;
}
