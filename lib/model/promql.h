/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_PROMQL_H
#define HALE_MODEL_PROMQL_H
/*
 * promql - Hale's part of the Prometheus query language as a checked tree. Grammar and every
 * deviation: docs/formats/promql.md. Types are checked here, so that an evaluation only fails for
 * what the data are.
 * Ownership: struct hale_promql holds tree, strings and regular expressions; _fini frees all.
 * Limits:    HALE_PROMQL_MAX_BYTES of text, HALE_PROMQL_MAX_DEPTH of nesting.
 * Errors:    HALE_E_INVAL with line and column (code points); text names the construct.
 * Threads:   values; a tree is used by one thread at a time (regular expressions).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/rc.h"
#include "base/regex.h"
#include "base/str.h"

#define HALE_PROMQL_MAX_BYTES 131072
#define HALE_PROMQL_MAX_DEPTH 100

enum hale_promql_type {
    HALE_PROMQL_SCALAR,
    HALE_PROMQL_VECTOR, /* one value per series */
    HALE_PROMQL_MATRIX, /* a window of values per series */
    HALE_PROMQL_STRING
};

enum hale_promql_kind {
    HALE_PROMQL_NUMBER,
    HALE_PROMQL_TEXT,
    HALE_PROMQL_SELECTOR,
    HALE_PROMQL_SUBQUERY,
    HALE_PROMQL_NEGATE,
    HALE_PROMQL_BINARY,
    HALE_PROMQL_AGGREGATE,
    HALE_PROMQL_CALL
};

/* X(id, text, precedence) in the order of the enum. */
#define HALE_PROMQL_OPERATORS(X)                                                         \
    X(OR, "or", 1)                                                                       \
    X(AND, "and", 2)                                                                     \
    X(UNLESS, "unless", 2)                                                               \
    X(EQ, "==", 3)                                                                       \
    X(NE, "!=", 3)                                                                       \
    X(LE, "<=", 3)                                                                       \
    X(LT, "<", 3)                                                                        \
    X(GE, ">=", 3)                                                                       \
    X(GT, ">", 3)                                                                        \
    X(ADD, "+", 4)                                                                       \
    X(SUB, "-", 4)                                                                       \
    X(MUL, "*", 5)                                                                       \
    X(DIV, "/", 5)                                                                       \
    X(MOD, "%", 5)                                                                       \
    X(ATAN2, "atan2", 5)                                                                 \
    X(POW, "^", 6)
enum hale_promql_op {
#define HALE_PROMQL_ENUM(id, text, precedence) HALE_PROMQL_OP_##id,
    HALE_PROMQL_OPERATORS(HALE_PROMQL_ENUM)
#undef HALE_PROMQL_ENUM
        HALE_PROMQL_OP_N
};
static inline bool hale_promql_is_set_op(enum hale_promql_op op)
{
    return op <= HALE_PROMQL_OP_UNLESS;
}
static inline bool hale_promql_is_comparison(enum hale_promql_op op)
{
    return op >= HALE_PROMQL_OP_EQ && op <= HALE_PROMQL_OP_GT;
}

/* Whether results lose their metric's name, as Prometheus 2.42 has it: atan2 keeps it. */
static inline bool hale_promql_drops_name(enum hale_promql_op op)
{
    return op >= HALE_PROMQL_OP_ADD && op != HALE_PROMQL_OP_ATAN2;
}

/* X(id, word, takes a parameter) */
#define HALE_PROMQL_AGGREGATES(X)                                                        \
    X(SUM, "sum", false)                                                                 \
    X(AVG, "avg", false)                                                                 \
    X(MIN, "min", false)                                                                 \
    X(MAX, "max", false)                                                                 \
    X(COUNT, "count", false)                                                             \
    X(GROUP, "group", false)                                                             \
    X(STDDEV, "stddev", false)                                                           \
    X(STDVAR, "stdvar", false)                                                           \
    X(TOPK, "topk", true)                                                                \
    X(BOTTOMK, "bottomk", true)                                                          \
    X(QUANTILE, "quantile", true)
enum hale_promql_aggregate {
#define HALE_PROMQL_ENUM(id, word, parameter) HALE_PROMQL_AGG_##id,
    HALE_PROMQL_AGGREGATES(HALE_PROMQL_ENUM)
#undef HALE_PROMQL_ENUM
        HALE_PROMQL_AGG_N
};

/* X(id, name, result, arguments): s scalar, v vector, m matrix; after '?' they are optional. */
#define HALE_PROMQL_FUNCTIONS(X)                                                         \
    X(ABS, "abs", VECTOR, "v")                                                           \
    X(ABSENT, "absent", VECTOR, "v")                                                     \
    X(ABSENT_OVER_TIME, "absent_over_time", VECTOR, "m")                                 \
    X(ACOS, "acos", VECTOR, "v")                                                         \
    X(ACOSH, "acosh", VECTOR, "v")                                                       \
    X(ASIN, "asin", VECTOR, "v")                                                         \
    X(ASINH, "asinh", VECTOR, "v")                                                       \
    X(ATAN, "atan", VECTOR, "v")                                                         \
    X(ATANH, "atanh", VECTOR, "v")                                                       \
    X(AVG_OVER_TIME, "avg_over_time", VECTOR, "m")                                       \
    X(CEIL, "ceil", VECTOR, "v")                                                         \
    X(CHANGES, "changes", VECTOR, "m")                                                   \
    X(CLAMP, "clamp", VECTOR, "vss")                                                     \
    X(CLAMP_MAX, "clamp_max", VECTOR, "vs")                                              \
    X(CLAMP_MIN, "clamp_min", VECTOR, "vs")                                              \
    X(COS, "cos", VECTOR, "v")                                                           \
    X(COSH, "cosh", VECTOR, "v")                                                         \
    X(COUNT_OVER_TIME, "count_over_time", VECTOR, "m")                                   \
    X(DEG, "deg", VECTOR, "v")                                                           \
    X(DELTA, "delta", VECTOR, "m")                                                       \
    X(DERIV, "deriv", VECTOR, "m")                                                       \
    X(EXP, "exp", VECTOR, "v")                                                           \
    X(FLOOR, "floor", VECTOR, "v")                                                       \
    X(HISTOGRAM_QUANTILE, "histogram_quantile", VECTOR, "sv")                            \
    X(IDELTA, "idelta", VECTOR, "m")                                                     \
    X(INCREASE, "increase", VECTOR, "m")                                                 \
    X(IRATE, "irate", VECTOR, "m")                                                       \
    X(LAST_OVER_TIME, "last_over_time", VECTOR, "m")                                     \
    X(LN, "ln", VECTOR, "v")                                                             \
    X(LOG10, "log10", VECTOR, "v")                                                       \
    X(LOG2, "log2", VECTOR, "v")                                                         \
    X(MAX_OVER_TIME, "max_over_time", VECTOR, "m")                                       \
    X(MIN_OVER_TIME, "min_over_time", VECTOR, "m")                                       \
    X(PI, "pi", SCALAR, "")                                                              \
    X(PREDICT_LINEAR, "predict_linear", VECTOR, "ms")                                    \
    X(PRESENT_OVER_TIME, "present_over_time", VECTOR, "m")                               \
    X(QUANTILE_OVER_TIME, "quantile_over_time", VECTOR, "sm")                            \
    X(RAD, "rad", VECTOR, "v")                                                           \
    X(RATE, "rate", VECTOR, "m")                                                         \
    X(RESETS, "resets", VECTOR, "m")                                                     \
    X(ROUND, "round", VECTOR, "v?s")                                                     \
    X(SCALAR, "scalar", SCALAR, "v")                                                     \
    X(SGN, "sgn", VECTOR, "v")                                                           \
    X(SIN, "sin", VECTOR, "v")                                                           \
    X(SINH, "sinh", VECTOR, "v")                                                         \
    X(SORT, "sort", VECTOR, "v")                                                         \
    X(SORT_DESC, "sort_desc", VECTOR, "v")                                               \
    X(SQRT, "sqrt", VECTOR, "v")                                                         \
    X(STDDEV_OVER_TIME, "stddev_over_time", VECTOR, "m")                                 \
    X(STDVAR_OVER_TIME, "stdvar_over_time", VECTOR, "m")                                 \
    X(SUM_OVER_TIME, "sum_over_time", VECTOR, "m")                                       \
    X(TAN, "tan", VECTOR, "v")                                                           \
    X(TANH, "tanh", VECTOR, "v")                                                         \
    X(TIME, "time", SCALAR, "")                                                          \
    X(TIMESTAMP, "timestamp", VECTOR, "v")                                               \
    X(VECTOR, "vector", VECTOR, "s")
enum hale_promql_function {
#define HALE_PROMQL_ENUM(id, name, result, arguments) HALE_PROMQL_FN_##id,
    HALE_PROMQL_FUNCTIONS(HALE_PROMQL_ENUM)
#undef HALE_PROMQL_ENUM
        HALE_PROMQL_FN_N
};

enum hale_promql_match { /* =, !=, =~, !~ */
                         HALE_PROMQL_EQUAL,
                         HALE_PROMQL_NOT_EQUAL,
                         HALE_PROMQL_REGEX,
                         HALE_PROMQL_NOT_REGEX
};
struct hale_promql_matcher {
    struct hale_str name, value;
    enum hale_promql_match how;
    struct hale_regex *regex; /* of _REGEX and _NOT_REGEX */
};
/* Whether a label's value ("" for an absent label) satisfies m. HALE_E_LIMIT: its regular
 * expression takes too much work. */
HALE_MUST_CHECK enum hale_rc hale_promql_matches(const struct hale_promql_matcher *m,
                                                 struct hale_str value, bool *yes);

enum hale_promql_at { /* the @ modifier */
                      HALE_PROMQL_AT_EVALUATION,
                      HALE_PROMQL_AT_TIME,
                      HALE_PROMQL_AT_START,
                      HALE_PROMQL_AT_END
};
enum hale_promql_card {
    HALE_PROMQL_ONE_TO_ONE,
    HALE_PROMQL_GROUP_LEFT, /* many on the left */
    HALE_PROMQL_GROUP_RIGHT
};

struct hale_promql_names {
    unsigned n;
    struct hale_str *v;
};

struct hale_promql_node {
    enum hale_promql_kind kind;
    enum hale_promql_type type;
    unsigned at;    /* byte in the text */
    unsigned depth; /* nodes below on the longest way */

    double number;
    struct hale_str text; /* of a string */

    unsigned n_matchers; /* selector */
    struct hale_promql_matcher *matchers;
    int64_t range_ms; /* of a matrix, else 0 */
    int64_t step_ms;  /* of a subquery; 0: the default */
    int64_t offset_ms;
    enum hale_promql_at at_kind;
    int64_t at_ms;
    bool has_offset;

    enum hale_promql_op op; /* binary */
    bool returns_bool;
    bool on; /* matching labels are `labels`, else all but these */
    enum hale_promql_card card;
    struct hale_promql_names labels, include;

    enum hale_promql_aggregate aggregate; /* by `labels`, or without them */
    bool without;

    enum hale_promql_function function;

    unsigned n_args; /* operands, arguments; an aggregate's parameter is the second */
    struct hale_promql_node **args;
};

struct hale_promql_regexes; /* to free */
struct hale_promql {
    struct hale_arena memory;
    struct hale_promql_node *root;
    struct hale_promql_regexes *regexes;
};

/* Fini in any case. */
HALE_MUST_CHECK enum hale_rc
hale_promql_parse(struct hale_str text, struct hale_promql *out, struct hale_err *err);
/* The same, for match[]: only a selector of series. */
HALE_MUST_CHECK enum hale_rc hale_promql_parse_selector(struct hale_str text,
                                                        struct hale_promql *out,
                                                        struct hale_err *err);
void hale_promql_fini(struct hale_promql *q);

const char *hale_promql_op_text(enum hale_promql_op op);
const char *hale_promql_type_text(enum hale_promql_type t);
/* "1h30m", "15s", "500ms": units y w d h m s ms in this order, each at most once. */
HALE_MUST_CHECK enum hale_rc hale_promql_duration(struct hale_str s, int64_t *out_ms);
#endif
