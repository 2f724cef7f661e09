/* SPDX-License-Identifier: Apache-2.0 */
#include "model/expr_lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define SHOWN_BYTES 40

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Code point of the well-formed sequence of n bytes at u. */
static unsigned code_point(const unsigned char *u, size_t n)
{
    if (n == 1)
        return u[0];
    unsigned cp = u[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | (u[i] & 0x3fu);
    return cp;
}

/* Blanks beyond ASCII as Python's str.isspace sees them. */
static bool is_wide_blank(unsigned cp)
{
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool lex_check_text(struct parser *p)
{
    for (size_t i = 0; i < p->text.len;) {
        size_t n = hale_utf8_step(p->text.p + i, p->text.len - i);
        unsigned char c = (unsigned char)p->text.p[i];
        if (n == 0)
            return lex_fail(p, i, HALE_E_INVAL, "the text is not UTF-8");
        if ((c < 0x20 && !is_blank(c)) || c == 0x7f)
            return lex_fail(p, i, HALE_E_INVAL, "a control character (U+%04X)", c);
        i += n;
    }
    return true;
}

int lex_peek_at(const struct parser *p, size_t offset)
{
    return offset < p->text.len ? (unsigned char)p->text.p[offset] : LEX_END;
}

int lex_peek(const struct parser *p)
{
    return lex_peek_at(p, p->pos);
}

void lex_skip(struct parser *p)
{
    while (is_blank(lex_peek(p)))
        p->pos++;
}

bool lex_take(struct parser *p, char c)
{
    if (lex_peek(p) != (unsigned char)c)
        return false;
    p->pos++;
    return true;
}

static bool word_at(const struct parser *p, size_t offset, const char *word)
{
    size_t n = strlen(word);
    return offset <= p->text.len && n <= p->text.len - offset &&
           hale_str_ieq_c((struct hale_str){p->text.p + offset, n}, word);
}

bool lex_take_word(struct parser *p, const char *word)
{
    if (!word_at(p, p->pos, word))
        return false;
    p->pos += strlen(word);
    return true;
}

bool lex_comes(const struct parser *p, size_t offset, const char *word)
{
    while (is_blank(lex_peek_at(p, offset)))
        offset++;
    return word_at(p, offset, word);
}

bool lex_is_not(const struct parser *p, size_t offset)
{
    int after_not = lex_peek_at(p, offset + 3);
    if (word_at(p, offset, "not") && (is_blank(after_not) || after_not == '('))
        return true;
    int after_mark = lex_peek_at(p, offset + 1);
    return lex_peek_at(p, offset) == '!' && (is_blank(after_mark) || after_mark == '(');
}

bool lex_operator_comes(const struct parser *p)
{
    return word_at(p, p->pos, "lt") || word_at(p, p->pos, "gt");
}

static size_t name_char_at(struct hale_str text, size_t i)
{
    if (i >= text.len)
        return 0;
    unsigned char c = (unsigned char)text.p[i];
    if (c < 0x80)
        return isalnum(c) || (c != '\0' && strchr(".-_#!$%&'*+/:;?@[\\]^`|~", c) != NULL);
    size_t n = hale_utf8_step(text.p + i, text.len - i);
    return n > 0 && !is_wide_blank(code_point((const unsigned char *)text.p + i, n)) ? n
                                                                                     : 0;
}

size_t lex_name_char(const struct parser *p)
{
    return name_char_at(p->text, p->pos);
}

struct hale_str lex_name(struct parser *p)
{
    size_t start = p->pos, n;
    while ((n = lex_name_char(p)) > 0)
        p->pos += n;
    return (struct hale_str){p->text.p + start, p->pos - start};
}

struct hale_str lex_digits(struct parser *p)
{
    size_t start = p->pos;
    while (lex_peek(p) >= '0' && lex_peek(p) <= '9')
        p->pos++;
    return (struct hale_str){p->text.p + start, p->pos - start};
}

size_t lex_chars(struct hale_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

int lex_column(const struct parser *p, size_t offset)
{
    return (int)lex_chars((struct hale_str){p->text.p, offset}) + 1;
}

int lex_shown(struct hale_str s)
{
    size_t n = s.len;
    if (n > SHOWN_BYTES) {
        n = SHOWN_BYTES;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
    }
    return (int)n;
}

const char *lex_here(struct parser *p, size_t offset)
{
    if (offset >= p->text.len)
        return "the end";
    size_t end = offset, n;
    while ((n = name_char_at(p->text, end)) > 0)
        end += n;
    const unsigned char *u = (const unsigned char *)p->text.p + offset;
    if (end == offset && u[0] >= 0x80) {
        unsigned cp =
            code_point(u, hale_utf8_step(p->text.p + offset, p->text.len - offset));
        (void)snprintf(p->here, sizeof(p->here), "the special blank U+%04X", cp);
        return p->here;
    }
    if (end == offset && u[0] == '"')
        return "a double quote (names and values are written without)";
    if (end == offset)
        end++;
    struct hale_str s = {p->text.p + offset, end - offset};
    int shown = lex_shown(s);
    (void)snprintf(p->here, sizeof(p->here), "'%.*s%s'", shown, s.p,
                   (size_t)shown < s.len ? "..." : "");
    return p->here;
}

bool lex_fail(struct parser *p, size_t offset, enum hale_rc rc, const char *fmt, ...)
{
    struct hale_err full;
    va_list ap;
    p->rc = rc;
    va_start(ap, fmt);
    (void)vsnprintf(full.text, sizeof(full.text), fmt, ap);
    va_end(ap);
    (void)hale_err_at(p->err, rc, NULL, 0, lex_column(p, offset), "%s", full.text);
    return false;
}

void lex_extension(struct parser *p, size_t offset, const char *fmt, ...)
{
    va_list ap;
    if (p->expr->extension_col > 0)
        return;
    p->expr->extension_col = lex_column(p, offset);
    va_start(ap, fmt);
    (void)vsnprintf(p->expr->extension, sizeof(p->expr->extension), fmt, ap);
    va_end(ap);
}
