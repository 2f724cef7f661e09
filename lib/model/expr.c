/* SPDX-License-Identifier: Apache-2.0 */
/* expr - evaluation, matching and text of parsed expressions; the parser is in expr_parse.c. */
#include "model/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/expr_lex.h"

/* Each parenthesis may have a NOT before it. */
/* By enum hale_severity. */
const char *const hale_level_words[] = {"low", "medium", "high", "critical", NULL};

#define EVAL_MAX_DEPTH (2 * HALE_EXPR_MAX_DEPTH + 2 * HALE_EXPR_MAX_SUBS)

/* ---- names ---- */

const char *hale_func_text(enum hale_func f)
{
    static const char *const texts[] = {
        "MAX",  "MIN",        "AVG",    "SUM",      "COUNT",    "LAST",      "ABSENT",
        "RATE", "PERCENTILE", "STDDEV", "BASELINE", "FORECAST", "ARITHMETIC"};
    HALE_ASSERT((size_t)f < sizeof(texts) / sizeof(texts[0]));
    return texts[f];
}

const char *hale_op_text(enum hale_op op)
{
    static const char *const texts[] = {"LT", "LTE", "GT", "GTE"};
    HALE_ASSERT((size_t)op < sizeof(texts) / sizeof(texts[0]));
    return texts[op];
}

const char *hale_op_symbol(enum hale_op op)
{
    static const char *const texts[] = {"<", "<=", ">", ">="};
    HALE_ASSERT((size_t)op < sizeof(texts) / sizeof(texts[0]));
    return texts[op];
}

const char *hale_state_text(enum hale_state s)
{
    static const char *const texts[] = {"OK", "UNDETERMINED", "ALARM"};
    HALE_ASSERT((size_t)s < sizeof(texts) / sizeof(texts[0]));
    return texts[s];
}

enum hale_rc hale_state_parse(struct hale_str text, enum hale_state *out)
{
    static const enum hale_state all[] = {HALE_STATE_OK, HALE_STATE_UNDETERMINED,
                                          HALE_STATE_ALARM};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (hale_str_ieq_c(text, hale_state_text(all[i]))) {
            *out = all[i];
            return HALE_OK;
        }
    return HALE_E_INVAL;
}

/* ---- evaluation ---- */

/*
 * With OK < UNDETERMINED < ALARM, Kleene's "and" is the minimum, "or" the maximum and "not" the
 * turning round of the order. Without
 * any UNDETERMINED both semantics are the same two-valued logic.
 */
static enum hale_state eval_node(const struct hale_node *n, const enum hale_state *states,
                                 unsigned depth)
{
    HALE_ASSERT(depth < EVAL_MAX_DEPTH);
    if (n->kind == HALE_NODE_SUB)
        return states[n->sub];
    enum hale_state a = eval_node(n->left, states, depth + 1);
    if (n->kind == HALE_NODE_NOT)
        return (enum hale_state)(HALE_STATE_ALARM - a);
    enum hale_state b = eval_node(n->right, states, depth + 1);
    if (n->kind == HALE_NODE_AND)
        return a < b ? a : b;
    return a > b ? a : b;
}

enum hale_state hale_expr_eval(const struct hale_expr *e,
                               const enum hale_state *sub_states,
                               enum hale_semantics semantics)
{
    if (semantics == HALE_SEMANTICS_MONASCA)
        for (unsigned i = 0; i < e->n_subs; i++)
            if (sub_states[i] == HALE_STATE_UNDETERMINED)
                return HALE_STATE_UNDETERMINED;
    return eval_node(e->root, sub_states, 0);
}

/* -1: the definition's. n is in ALARM. */
static int severity_of(const struct hale_node *n, const enum hale_state *states,
                       const int *severities, int base)
{
    if (n->kind == HALE_NODE_SUB)
        return severities[n->sub];
    if (n->kind == HALE_NODE_NOT)
        return -1;
    bool left = eval_node(n->left, states, 0) == HALE_STATE_ALARM;
    bool right = eval_node(n->right, states, 0) == HALE_STATE_ALARM;
    int a = left ? severity_of(n->left, states, severities, base) : -1;
    int b = right ? severity_of(n->right, states, severities, base) : -1;
    if (n->kind == HALE_NODE_AND && a >= 0 && b >= 0)
        return a < b ? a : b;
    if (n->kind == HALE_NODE_OR && left && right && a != b) {
        a = a < 0 ? base : a;
        b = b < 0 ? base : b;
    }
    return a > b ? a : b;
}

enum hale_severity hale_expr_severity(const struct hale_expr *e,
                                      const enum hale_state *sub_states,
                                      const int *sub_severities, enum hale_severity base)
{
    if (!e->levels || eval_node(e->root, sub_states, 0) != HALE_STATE_ALARM)
        return base;
    int severity = severity_of(e->root, sub_states, sub_severities, (int)base);
    return severity < 0 ? base : (enum hale_severity)severity;
}

bool hale_op_holds(enum hale_op op, double value, double threshold)
{
    switch (op) {
    case HALE_OP_LT: return value < threshold;
    case HALE_OP_LTE: return value <= threshold;
    case HALE_OP_GT: return value > threshold;
    case HALE_OP_GTE: return value >= threshold;
    }
    HALE_ASSERT(op <= HALE_OP_GTE);
    return false;
}

bool hale_term_matches(const struct hale_term *t, const struct hale_series *series)
{
    if (!hale_str_eq(t->name, series->name))
        return false;
    unsigned k = 0; /* both lists are sorted by key */
    for (unsigned i = 0; i < t->n_dims; i++) {
        int order = -1;
        while (k < series->n_dims &&
               (order = hale_str_cmp(series->dims[k].key, t->dims[i].key)) < 0)
            k++;
        if (order != 0 || !hale_str_eq(series->dims[k].value, t->dims[i].value))
            return false;
        k++;
    }
    return true;
}

bool hale_subexpr_matches(const struct hale_subexpr *s, const struct hale_series *series)
{
    const struct hale_term t = {s->func, s->name, s->n_dims, s->dims};
    return hale_term_matches(&t, series);
}

/* ---- text ---- */

/* Shortest digits that read back as d (> 0, finite) into digits; returns the decimal exponent
 * of the first one. */
int shortest_digits(double d, char digits[24])
{
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision, d);
        if (strtod(text, NULL) == d) /* same locale both ways */
            break;
    }
    const char *e = strchr(text, 'e');
    size_t n = 0;
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return (int)strtol(e + 1, NULL, 10);
}

/* As Java's Double.toString: plain from 10^-3 up to 10^7, else "d.dddE<n>"; always a fraction. */
static void add_java_double(struct hale_buf *out, double d)
{
    char digits[24] = "";
    if (signbit(d))
        hale_buf_add_char(out, '-');
    d = fabs(d);
    if (d == 0) {
        hale_buf_add_c(out, "0.0");
        return;
    }
    int exponent = shortest_digits(d, digits);
    int n = (int)strlen(digits);
    if (d < 1e-3 || d >= 1e7) {
        hale_buf_printf(out, "%c.%sE%d", digits[0], n > 1 ? digits + 1 : "0", exponent);
    } else if (exponent < 0) {
        hale_buf_printf(out, "0.%.*s%s", -exponent - 1, "000", digits);
    } else {
        for (int i = 0; i <= exponent; i++)
            hale_buf_add_char(out, i < n ? digits[i] : '0');
        hale_buf_printf(out, ".%s", n > exponent + 1 ? digits + exponent + 1 : "0");
    }
}

void add_func_name(enum hale_func f, struct hale_buf *out)
{
    for (const char *p = hale_func_text(f); *p != '\0'; p++)
        hale_buf_add_char(out, (char)(*p - 'A' + 'a'));
}

void hale_subexpr_format(const struct hale_subexpr *s, struct hale_buf *out)
{
    hale_subexpr_format_left(s, out);
    if (s->func == HALE_FUNC_ABSENT)
        return;
    hale_buf_printf(out, " %s ", hale_op_symbol(s->op));
    add_java_double(out, s->threshold);
    for (unsigned i = 0; i < s->n_levels; i++) {
        hale_buf_printf(out, " %s at ", hale_level_words[s->levels[i].severity]);
        add_java_double(out, s->levels[i].threshold);
    }
    if (s->times != 1)
        hale_buf_printf(out, " times %u", s->times);
    if (s->for_s > 0)
        hale_buf_printf(out, " for %us", s->for_s);
    if (s->has_clear || s->clear_for_s > 0)
        hale_buf_add_c(out, " clear");
    if (s->has_clear) {
        hale_buf_add_char(out, ' ');
        add_java_double(out, s->clear);
    }
    if (s->clear_for_s > 0)
        hale_buf_printf(out, " for %us", s->clear_for_s);
}

/* The tree is one allocation (expr_parse.c), and one for each comparison with arithmetic. */
void hale_expr_free(struct hale_expr *e)
{
    for (struct hale_arith *a = e != NULL ? e->ariths : NULL, *next; a != NULL;
         a = next) {
        next = a->next;
        free(a);
    }
    free(e);
}
