/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_PROMQL_LEX_H
#define HALE_MODEL_PROMQL_LEX_H
/*
 * promql_lex - words of a PromQL text, one ahead, and errors with their place.
 * Ownership: words are views into the text; decoded strings live in the arena given.
 * Threads:   one at a time.
 */
#include "base/arena.h"
#include "model/promql.h"

enum promql_token {
    PROMQL_END,
    PROMQL_WORD,     /* names and keywords */
    PROMQL_NUMBER,   /* 1, 1.5e3, 0x1f; not Inf and NaN, which are words */
    PROMQL_DURATION, /* 5m */
    PROMQL_STRING,   /* value decoded */
    PROMQL_OPERATOR, /* op */
    PROMQL_MATCH,    /* =, =~, !~: match; != is PROMQL_OPERATOR with OP_NE */
    PROMQL_PUNCTUATION
};

struct promql_lexer {
    struct hale_str text;
    size_t pos; /* after the token */
    struct hale_arena *memory;
    struct hale_err *err;
    unsigned depth;   /* of what the parser nests */
    bool in_brackets; /* ':' stands alone */
    enum promql_token token;
    size_t at;             /* first byte of the token */
    struct hale_str value; /* its text, or the decoded string */
    int64_t duration_ms;
    char punctuation;
    enum hale_promql_op op;
    enum hale_promql_match match;
};

/* All return false after filling err, which they do for the first error only. */
bool promql_lex_next(struct promql_lexer *l);
bool promql_fail(struct promql_lexer *l, size_t at, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* unexpected <token> in <where>, expected <what> */
bool promql_unexpected(struct promql_lexer *l, const char *where, const char *expected);
static inline bool promql_is(const struct promql_lexer *l, char punctuation)
{
    return l->token == PROMQL_PUNCTUATION && l->punctuation == punctuation;
}
/* A word, ASCII case folded. */
static inline bool promql_is_word(const struct promql_lexer *l, const char *word)
{
    return l->token == PROMQL_WORD && hale_str_ieq_c(l->value, word);
}
#endif
