/* SPDX-License-Identifier: Apache-2.0 */
#include "model/promql_lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char peek(const struct promql_lexer *l, size_t ahead)
{
    return l->pos + ahead < l->text.len ? l->text.p[l->pos + ahead] : '\0';
}

bool promql_fail(struct promql_lexer *l, size_t at, const char *fmt, ...)
{
    char text[300];
    int line = 1;
    int col = 1;
    va_list ap;

    if (l->err == NULL || l->err->rc != HALE_OK)
        return false;
    for (size_t i = 0; i < at && i < l->text.len;) {
        size_t step = hale_utf8_step(l->text.p + i, l->text.len - i);
        bool newline = l->text.p[i] == '\n';
        i += step > 0 ? step : 1;
        line += newline ? 1 : 0;
        col = newline ? 1 : col + 1;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)hale_err_at(l->err, HALE_E_INVAL, NULL, line, col, "%s", text);
    return false;
}

bool promql_unexpected(struct promql_lexer *l, const char *where, const char *expected)
{
    const char *sep = expected != NULL ? ", expected " : "";
    int n = (int)(l->pos - l->at < 60 ? l->pos - l->at : 60);

    if (expected == NULL)
        expected = "";
    if (l->token == PROMQL_END)
        return promql_fail(l, l->at, "unexpected end of input in %s%s%s", where, sep,
                           expected);
    return promql_fail(l, l->at, "unexpected '%.*s' in %s%s%s", n, l->text.p + l->at,
                       where, sep, expected);
}

static void skip_blanks(struct promql_lexer *l)
{
    for (;;) {
        char c = peek(l, 0);
        if (l->pos < l->text.len && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            l->pos++;
        } else if (c == '#') {
            while (l->pos < l->text.len && l->text.p[l->pos] != '\n')
                l->pos++;
        } else {
            return;
        }
    }
}

static void add_utf8(char **out, uint32_t c)
{
    char *p = *out;

    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xc0 | (c >> 6));
        *p++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *p++ = (char)(0xe0 | (c >> 12));
        *p++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *p++ = (char)(0x80 | (c & 0x3f));
    } else {
        *p++ = (char)(0xf0 | (c >> 18));
        *p++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *p++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *p++ = (char)(0x80 | (c & 0x3f));
    }
    *out = p;
}

/* n digits of the base at pos. */
static bool escape_number(struct promql_lexer *l, unsigned n, unsigned base,
                          uint32_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++, l->pos++) {
        char c = peek(l, 0);
        if (!is_hex(c) || (base == 8 && (c < '0' || c > '7')))
            return promql_fail(l, l->pos, "unknown escape sequence in a string");
        unsigned digit =
            is_digit(c) ? (unsigned)(c - '0') : ((unsigned)c | 0x20) - 'a' + 10;
        *out = *out * base + digit;
    }
    return true;
}

/* After the backslash. */
static bool escape(struct promql_lexer *l, char quote, char **out)
{
    static const char pairs[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
    char c = peek(l, 0);
    uint32_t code;

    for (size_t i = 0; i + 1 < sizeof(pairs) - 1; i += 2) {
        if (pairs[i] == c && l->pos < l->text.len) {
            *(*out)++ = pairs[i + 1];
            l->pos++;
            return true;
        }
    }
    if (c == quote) {
        *(*out)++ = c;
        l->pos++;
        return true;
    }
    if (c == 'x' || (c >= '0' && c <= '7')) {
        l->pos += c == 'x' ? 1 : 0;
        if (!escape_number(l, c == 'x' ? 2 : 3, c == 'x' ? 16 : 8, &code) || code > 255)
            return promql_fail(l, l->pos, "unknown escape sequence in a string");
        *(*out)++ = (char)code;
        return true;
    }
    if (c != 'u' && c != 'U')
        return promql_fail(l, l->pos, "unknown escape sequence in a string");
    l->pos++;
    if (!escape_number(l, c == 'u' ? 4 : 8, 16, &code))
        return false;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return promql_fail(l, l->pos, "escape sequence is no Unicode character");
    add_utf8(out, code);
    return true;
}

/* Bytes up to the closing quote, or the rest of the text. */
static size_t quoted_length(const struct promql_lexer *l, char quote)
{
    size_t i = l->pos;

    while (i < l->text.len && l->text.p[i] != quote)
        i += quote != '`' && l->text.p[i] == '\\' ? 2 : 1;
    return (i < l->text.len ? i : l->text.len) - l->pos;
}

static bool lex_string(struct promql_lexer *l)
{
    char quote = l->text.p[l->pos++];
    /* No escape becomes longer than its text. */
    char *out = hale_arena_alloc(l->memory, quoted_length(l, quote) + 1);

    if (out == NULL)
        return promql_fail(l, l->at, "the strings are too long together");
    l->token = PROMQL_STRING;
    l->value.p = out;
    while (l->pos < l->text.len && l->text.p[l->pos] != quote) {
        char c = l->text.p[l->pos++];
        if (quote != '`' && c == '\n')
            break;
        if (quote != '`' && c == '\\') {
            if (!escape(l, quote, &out))
                return false;
        } else {
            *out++ = c;
        }
    }
    if (l->pos >= l->text.len || l->text.p[l->pos] != quote)
        return promql_fail(l, l->at, "unterminated quoted string");
    l->pos++;
    l->value.len = (size_t)(out - l->value.p);
    return true;
}

static void digits(struct promql_lexer *l)
{
    while (is_digit(peek(l, 0)))
        l->pos++;
}

static bool bad_number(struct promql_lexer *l)
{
    while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)) || peek(l, 0) == '.')
        l->pos++;
    int n = (int)(l->pos - l->at < 60 ? l->pos - l->at : 60);
    return promql_fail(l, l->at, "bad number or duration syntax: '%.*s'", n,
                       l->text.p + l->at);
}

static bool lex_number(struct promql_lexer *l)
{
    l->token = PROMQL_NUMBER;
    if (peek(l, 0) == '0' && (peek(l, 1) | 0x20) == 'x' && is_hex(peek(l, 2))) {
        for (l->pos += 2; is_hex(peek(l, 0));)
            l->pos++;
    } else {
        digits(l);
        bool whole = peek(l, 0) != '.';
        if (!whole)
            l->pos++;
        digits(l);
        size_t signs = peek(l, 1) == '+' || peek(l, 1) == '-' ? 2 : 1;
        if ((peek(l, 0) | 0x20) == 'e' && is_digit(peek(l, signs))) {
            l->pos += signs;
            digits(l);
        } else if (whole && is_alpha(peek(l, 0))) {
            l->token = PROMQL_DURATION;
            while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)))
                l->pos++;
        }
    }
    l->value = (struct hale_str){l->text.p + l->at, l->pos - l->at};
    if (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)) || peek(l, 0) == '.')
        return bad_number(l);
    if (l->token == PROMQL_DURATION &&
        hale_promql_duration(l->value, &l->duration_ms) != HALE_OK)
        return bad_number(l);
    return true;
}

/* A dot counts as part of a name when a name goes on after it: Monasca's names have them. */
static bool lex_word(struct promql_lexer *l)
{
    l->token = PROMQL_WORD;
    for (;; l->pos++) {
        char c = peek(l, 0);
        char next = peek(l, 1);
        if (is_alpha(c) || is_digit(c) || (c == ':' && !l->in_brackets))
            continue;
        if (c == '.' && (is_alpha(next) || is_digit(next)) && !l->in_brackets)
            continue;
        break;
    }
    l->value = (struct hale_str){l->text.p + l->at, l->pos - l->at};
    if (hale_str_ieq_c(l->value, "or"))
        l->op = HALE_PROMQL_OP_OR;
    else if (hale_str_ieq_c(l->value, "and"))
        l->op = HALE_PROMQL_OP_AND;
    else if (hale_str_ieq_c(l->value, "unless"))
        l->op = HALE_PROMQL_OP_UNLESS;
    else if (hale_str_ieq_c(l->value, "atan2"))
        l->op = HALE_PROMQL_OP_ATAN2;
    else
        l->op = HALE_PROMQL_OP_N;
    return true;
}

static bool lex_operator(struct promql_lexer *l)
{
    static const enum hale_promql_op longest_first[] = {
        HALE_PROMQL_OP_EQ,  HALE_PROMQL_OP_NE,  HALE_PROMQL_OP_LE,  HALE_PROMQL_OP_GE,
        HALE_PROMQL_OP_LT,  HALE_PROMQL_OP_GT,  HALE_PROMQL_OP_ADD, HALE_PROMQL_OP_SUB,
        HALE_PROMQL_OP_MUL, HALE_PROMQL_OP_DIV, HALE_PROMQL_OP_MOD, HALE_PROMQL_OP_POW};
    char c = peek(l, 0);
    char next = peek(l, 1);

    if ((c == '=' || c == '!') && next == '~') {
        l->token = PROMQL_MATCH;
        l->match = c == '=' ? HALE_PROMQL_REGEX : HALE_PROMQL_NOT_REGEX;
        l->pos += 2;
        return true;
    }
    for (size_t i = 0; i < sizeof(longest_first) / sizeof(longest_first[0]); i++) {
        const char *text = hale_promql_op_text(longest_first[i]);
        if (text[0] == c && (text[1] == '\0' || text[1] == next)) {
            l->token = PROMQL_OPERATOR;
            l->op = longest_first[i];
            l->pos += strlen(text);
            return true;
        }
    }
    if (c == '=') {
        l->token = PROMQL_MATCH;
        l->match = HALE_PROMQL_EQUAL;
        l->pos++;
        return true;
    }
    if (c == '\0' || strchr("(){}[],@:", c) == NULL) {
        size_t step = hale_utf8_step(l->text.p + l->pos, l->text.len - l->pos);
        if (step == 0)
            return promql_fail(l, l->at, "the query is not valid UTF-8");
        return promql_fail(l, l->at, "unexpected character: '%.*s'", (int)step,
                           l->text.p + l->pos);
    }
    l->token = PROMQL_PUNCTUATION;
    l->punctuation = c;
    l->pos++;
    if (c == '[' || c == ']')
        l->in_brackets = c == '[';
    return true;
}

bool promql_lex_next(struct promql_lexer *l)
{
    skip_blanks(l);
    l->at = l->pos;
    if (l->pos >= l->text.len) {
        l->token = PROMQL_END;
        l->value = (struct hale_str){NULL, 0};
        return true;
    }
    char c = peek(l, 0);
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return lex_number(l);
    if (is_alpha(c) || (c == ':' && !l->in_brackets))
        return lex_word(l);
    return lex_operator(l);
}
