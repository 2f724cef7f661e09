/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_PROMQL_PRIVATE_H
#define HALE_MODEL_PROMQL_PRIVATE_H
/*
 * promql_private - what the parser's files share: rules (promql_parse), selectors
 * (promql_selector), types (promql_check). All fill the lexer's err and return false or NULL.
 */
#include "model/promql_lex.h"

struct promql_parser {
    struct promql_lexer lex;
    struct hale_promql *out;
};

struct hale_promql_regexes {
    struct hale_promql_regexes *next;
    struct hale_regex *regex;
};

/* A node at byte `at`, its arguments not set. */
struct hale_promql_node *promql_node(struct promql_parser *p, enum hale_promql_kind kind,
                                     size_t at, unsigned n_args);
bool promql_expect(struct promql_parser *p, char punctuation, const char *where);
/* Next token is '{' or the name has been read. name.p NULL: none. */
struct hale_promql_node *promql_selector(struct promql_parser *p, struct hale_str name,
                                         size_t at);
/* [range], [range:step], offset, @ after a primary expression. */
struct hale_promql_node *promql_postfix(struct promql_parser *p,
                                        struct hale_promql_node *n);
/* Sets n's type and depth from its arguments, or says what does not fit. */
bool promql_check(struct promql_parser *p, struct hale_promql_node *n);
/* -1: unknown. */
int promql_find_function(struct hale_str name);
int promql_find_aggregate(struct hale_str name);
/* A number token's value. */
bool promql_number(struct promql_parser *p, double *out);
#endif
