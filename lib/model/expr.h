/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_EXPR_H
#define HALE_MODEL_EXPR_H
/*
 * expr - Monasca's alarm expression language: text to tree and back.
 * Grammar:   docs/formats/expression.md (Monasca's, API parser as the authority on acceptance,
 *            and extensions of it).
 * Ownership: hale_expr_parse gives a tree that the caller frees; all strings in it are its own.
 * Threads:   immutable after parse; may be read from any thread.
 * Limits:    HALE_EXPR_*; depth-limited recursion.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/series.h"

enum hale_func {
    HALE_FUNC_MAX,
    HALE_FUNC_MIN,
    HALE_FUNC_AVG,
    HALE_FUNC_SUM,
    HALE_FUNC_COUNT,
    HALE_FUNC_LAST,
    HALE_FUNC_ABSENT, /* no operator: `op` is >=, `threshold` the period */
    HALE_FUNC_RATE,   /* of a counter: its increase per second, resets handled */
    HALE_FUNC_PERCENTILE,
    HALE_FUNC_STDDEV,
    HALE_FUNC_BASELINE,  /* robust deviations from the same hour of past days */
    HALE_FUNC_FORECAST,  /* the straight line through the period, `horizon_s` ahead */
    HALE_FUNC_ARITHMETIC /* `arith` says of what */
};
enum hale_op { HALE_OP_LT, HALE_OP_LTE, HALE_OP_GT, HALE_OP_GTE };
enum hale_state {
    HALE_STATE_OK,
    HALE_STATE_UNDETERMINED,
    HALE_STATE_ALARM
}; /* by rank */
/* HALE: our default; MONASCA: its quirks too (definition key `semantics: monasca`). */
enum hale_semantics { HALE_SEMANTICS_HALE, HALE_SEMANTICS_MONASCA };

enum hale_severity { HALE_SEV_LOW, HALE_SEV_MEDIUM, HALE_SEV_HIGH, HALE_SEV_CRITICAL };

#define HALE_EXPR_MAX_LEVELS 3
struct hale_level { /* beyond this the alarm is as severe as that */
    enum hale_severity severity;
    double threshold;
};

/* Arithmetic between metrics: steps in postfix order over a stack. */
#define HALE_ARITH_MAX_TERMS 8
#define HALE_ARITH_MAX_STEPS 32
struct hale_term { /* max, min, avg, sum, count, last or rate of a metric */
    enum hale_func func;
    struct hale_str name;
    unsigned n_dims;
    struct hale_dim *dims; /* sorted by key, unique */
};
enum hale_arith_kind {
    HALE_ARITH_NUMBER,
    HALE_ARITH_TERM,
    HALE_ARITH_ADD,
    HALE_ARITH_SUBTRACT,
    HALE_ARITH_MULTIPLY,
    HALE_ARITH_DIVIDE
};
struct hale_arith_step {
    enum hale_arith_kind kind;
    unsigned term;
    double number;
};
struct hale_arith {
    struct hale_arith *next; /* of the expression, which owns it */
    unsigned n_terms, n_steps;
    struct hale_term terms[HALE_ARITH_MAX_TERMS];
    struct hale_arith_step steps[HALE_ARITH_MAX_STEPS];
};

struct hale_subexpr {
    enum hale_func func;
    enum hale_op op;
    bool deterministic;
    bool bare;         /* written without a function */
    bool negated;      /* under an odd number of NOTs */
    unsigned period_s; /* 1..; default 60 */
    unsigned times;    /* >= 1 */
    double threshold;
    double percent;     /* percentile: > 0, < 100 */
    bool absolute;      /* baseline: deviations to both sides */
    unsigned days;      /* baseline: looked back */
    unsigned horizon_s; /* forecast */
    /* Extensions: levels beyond the threshold, rising; an ALARM ends only beyond `clear`; delays
     * of ALARM and of its end in seconds. */
    bool has_clear;
    unsigned n_levels;
    struct hale_level levels[HALE_EXPR_MAX_LEVELS];
    double clear;
    unsigned for_s, clear_for_s;
    unsigned every_s; /* windows of period_s end this often; 0: they follow one another */
    const struct hale_arith *arith; /* of HALE_FUNC_ARITHMETIC, else NULL */
    struct hale_str name; /* ARITHMETIC: as are the dimensions, of the first term */
    unsigned n_dims;
    struct hale_dim *dims; /* sorted by key, unique */
};

enum hale_node_kind { HALE_NODE_SUB, HALE_NODE_AND, HALE_NODE_OR, HALE_NODE_NOT };
struct hale_node {
    enum hale_node_kind kind;
    unsigned sub;                   /* index into subs, for HALE_NODE_SUB */
    struct hale_node *left, *right; /* HALE_NODE_NOT: left only */
};

struct hale_expr {
    struct hale_node *root;
    unsigned n_subs;
    struct hale_subexpr *subs; /* in order of appearance */
    bool deterministic;        /* every sub-expression is */
    bool levels;               /* some sub-expression has */
    struct hale_arith *ariths; /* of all subs */
    /* What Monasca's language does not have, first in the text; col 0: nothing. */
    int extension_col;
    char extension[80]; /* reason for `semantics: monasca` to refuse it */
};

/* On failure err->col is the column (from 1) and err->text the reason for a person. */
HALE_MUST_CHECK enum hale_rc hale_expr_parse(struct hale_str text, struct hale_expr **out,
                                             struct hale_err *err);
void hale_expr_free(struct hale_expr *e); /* NULL allowed */

/* State of the whole from the states of the subs (array of n_subs).
 * MONASCA: any UNDETERMINED dominates. HALE: three-valued (Kleene) logic. */
enum hale_state hale_expr_eval(const struct hale_expr *e,
                               const enum hale_state *sub_states,
                               enum hale_semantics semantics);
/* How severe an ALARM of the whole is: `and` takes the lowest of its parts, `or` the highest of
 * those in ALARM; -1 (of a part: no level, or of the whole: none decides) means the definition's
 * severity `base`. sub_severities: enum hale_severity or -1. */
enum hale_severity hale_expr_severity(const struct hale_expr *e,
                                      const enum hale_state *sub_states,
                                      const int *sub_severities, enum hale_severity base);
/* Monasca's text of one sub-expression: "avg(x{a=2, b=1}, 120) > 10.0 times 3". */
void hale_subexpr_format(const struct hale_subexpr *s, struct hale_buf *out);
/* Its left side only: "avg(a, 30) / avg(b, 30)". */
void hale_subexpr_format_left(const struct hale_subexpr *s, struct hale_buf *out);
/* The metrics it is about: n terms, one unless it is arithmetic. */
unsigned hale_subexpr_terms(const struct hale_subexpr *s);
struct hale_term hale_subexpr_term(const struct hale_subexpr *s, unsigned i);
/* Decided by each sample: last, or arithmetic of nothing but last. */
bool hale_subexpr_is_last(const struct hale_subexpr *s);
bool hale_term_equal(const struct hale_term *a, const struct hale_term *b);
/* Same steps; what the terms are is not compared. */
bool hale_arith_equal(const struct hale_arith *a, const struct hale_arith *b);
/* NAN if a step divides by zero or has no finite result. */
double hale_arith_value(const struct hale_arith *a, const double *terms);
bool hale_term_matches(const struct hale_term *t, const struct hale_series *series);
/* Name equal and every dimension of the sub-expression equal in the series. */
bool hale_subexpr_matches(const struct hale_subexpr *s, const struct hale_series *series);
bool hale_op_holds(enum hale_op op, double value, double threshold);

const char *hale_func_text(enum hale_func f);   /* "MAX" ... */
const char *hale_op_text(enum hale_op op);      /* "GT" ... */
const char *hale_op_symbol(enum hale_op op);    /* ">" ... */
const char *hale_state_text(enum hale_state s); /* "OK", "UNDETERMINED", "ALARM" */
HALE_MUST_CHECK enum hale_rc hale_state_parse(struct hale_str text,
                                              enum hale_state *out); /* any case */
#endif
