/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_EXPR_LEX_H
#define HALE_MODEL_EXPR_LEX_H
/*
 * expr_lex - characters and words of an expression, and errors with their column.
 * Private to expr*.c. Offsets are in bytes, columns in characters from 1.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/expr.h"

#define lex_skip           hale_expr_lex_skip
#define lex_peek           hale_expr_lex_peek
#define lex_peek_at        hale_expr_lex_peek_at
#define lex_take           hale_expr_lex_take
#define lex_take_word      hale_expr_lex_take_word
#define lex_comes          hale_expr_lex_comes
#define lex_is_not         hale_expr_lex_is_not
#define lex_operator_comes hale_expr_lex_operator_comes
#define lex_name_char      hale_expr_lex_name_char
#define lex_name           hale_expr_lex_name
#define lex_digits         hale_expr_lex_digits
#define lex_chars          hale_expr_lex_chars
#define lex_column         hale_expr_lex_column
#define lex_shown          hale_expr_lex_shown
#define lex_here           hale_expr_lex_here
#define lex_fail           hale_expr_lex_fail
#define lex_check_text     hale_expr_lex_check_text
#define lex_extension      hale_expr_lex_extension
#define parse_tail         hale_expr_parse_tail
#define parse_number       hale_expr_parse_number
#define parse_duration     hale_expr_parse_duration
#define parse_call         hale_expr_parse_call
#define parse_operator     hale_expr_parse_operator
#define fail_operator      hale_expr_fail_operator
#define find_function      hale_expr_find_function
#define arith_comes        hale_expr_arith_comes
#define arith_of_one       hale_expr_arith_of_one
#define parse_arith        hale_expr_parse_arith
#define burn_comes         hale_expr_burn_comes
#define parse_burn         hale_expr_parse_burn
#define add_func_name      hale_expr_add_func_name
#define shortest_digits    hale_expr_shortest_digits
#define parse_front_args   hale_expr_parse_front_args
#define parse_back_args    hale_expr_parse_back_args
#define check_function     hale_expr_check_function
#define add_args           hale_expr_add_args
#define parse_name         hale_expr_parse_name
#define parse_dims         hale_expr_parse_dims

#define LEX_END        (-1)
#define LEX_HERE_BYTES 64

struct parser {
    struct hale_str text;
    size_t pos;
    unsigned depth;           /* open parentheses */
    struct hale_arith *arith; /* being parsed */
    bool negated;             /* inside an odd number of NOTs */
    struct hale_expr *expr;
    struct hale_subexpr *subs;
    struct hale_node *nodes;
    struct hale_dim *dims;
    unsigned n_subs, n_nodes, dims_used;
    unsigned subs_cap, nodes_cap, dims_cap;
    enum hale_rc rc; /* of the first failure */
    struct hale_err *err;
    char here[LEX_HERE_BYTES]; /* result of lex_here */
};

/* Once, first: is the text UTF-8 without control characters? */
bool lex_check_text(struct parser *p);
/* Over blanks, tabs and new lines. */
void lex_skip(struct parser *p);
/* Byte at pos (at offset), or LEX_END. */
int lex_peek(const struct parser *p);
int lex_peek_at(const struct parser *p, size_t offset);
/* Steps over c if it is next. */
bool lex_take(struct parser *p, char c);
/* Steps over word (lower case; the text in any case) if the text goes on with it. As in Monasca
 * nothing needs to separate it from what follows ("gt5", "5times 3"). */
bool lex_take_word(struct parser *p, const char *word);
/* Does word stand at offset, after blanks? */
bool lex_comes(const struct parser *p, size_t offset, const char *word);
/* Does "not" or "!" stand alone at offset? */
bool lex_is_not(const struct parser *p, size_t offset);
bool lex_operator_comes(const struct parser *p);
/* Bytes of the name character at pos, 0 if there is none. */
size_t lex_name_char(const struct parser *p);
/* Longest run of name characters, of digits; may be empty. */
struct hale_str lex_name(struct parser *p);
struct hale_str lex_digits(struct parser *p);
size_t lex_chars(struct hale_str s);
int lex_column(const struct parser *p, size_t offset);
/* For "%.*s": bytes of s to show, cut between characters. */
int lex_shown(struct hale_str s);
/* What stands at offset, for a message: "'abc'" or "the end". */
const char *lex_here(struct parser *p, size_t offset);
/* Records the failure at offset; returns false. */
bool lex_fail(struct parser *p, size_t offset, enum hale_rc rc, const char *fmt, ...)
    HALE_PRINTF(4, 5);

/* Notes what Monasca's language does not have, the first in the text, with the reason for
 * `semantics: monasca` to refuse it. */
void lex_extension(struct parser *p, size_t offset, const char *fmt, ...)
    HALE_PRINTF(3, 4);
extern const char *const hale_level_words[]; /* by enum hale_severity, then NULL */

/* expr_tail.c: what stands behind the operator; digits [ "." digits ]; digits [ unit ]. */
bool parse_tail(struct parser *p, struct hale_subexpr *s);
bool parse_number(struct parser *p, double *out);
bool parse_duration(struct parser *p, unsigned max_s, unsigned *out);
/* expr_parse.c: parentheses of a function with pos at the "("; a comparison operator, and why
 * there is none. */
bool parse_call(struct parser *p, struct hale_subexpr *s);
bool parse_operator(struct parser *p, enum hale_op *out);
bool fail_operator(struct parser *p, struct hale_str bare, size_t start);
bool find_function(struct hale_str word, enum hale_func *out);
/* expr_arith.c: does a left side with arithmetic begin here? The left side into s. One function
 * call is made arithmetic, for `every`. */
bool arith_comes(const struct parser *p);
bool parse_arith(struct parser *p, struct hale_subexpr *s);
bool arith_of_one(struct parser *p, struct hale_subexpr *s);
/* expr_burn.c: burn_rate and its comparison, as the comparisons of the long and the short window. */
bool burn_comes(const struct parser *p);
bool parse_burn(struct parser *p, struct hale_subexpr *longer,
                struct hale_subexpr *shorter);
/* expr.c: a function's name in lower case; the digits of d > 0, see there. */
void add_func_name(enum hale_func f, struct hale_buf *out);
int shortest_digits(double d, char digits[24]);
/* expr_args.c: arguments that only some functions have, before the period and behind it. *more: a
 * ',' was taken, an argument follows. */
bool parse_front_args(struct parser *p, struct hale_subexpr *s, bool *more);
bool parse_back_args(struct parser *p, struct hale_subexpr *s);
/* What a function cannot do although each of its parts is fine; start: of the comparison. */
bool check_function(struct parser *p, const struct hale_subexpr *s, size_t start);
/* expr_args.c: the arguments behind the metric, as much as is needed to read the same again. */
void add_args(const struct hale_subexpr *s, struct hale_buf *out);
/* expr_metric.c: a metric name; the dimensions in braces, if any, into s. */
bool parse_name(struct parser *p, struct hale_str *out);
bool parse_dims(struct parser *p, struct hale_subexpr *s);
#endif
