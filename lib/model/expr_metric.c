/* SPDX-License-Identifier: Apache-2.0 */
/* expr_metric - the rule metric: name [ "{" [ key "=" value { "," key "=" value } ] "}" ] */
#include <string.h>

#include "base/assert.h"
#include "model/expr_lex.h"

bool parse_name(struct parser *p, struct hale_str *out)
{
    size_t start = p->pos;
    *out = lex_name(p);
    if (out->len == 0)
        return lex_fail(p, start, HALE_E_INVAL, "a metric name is expected, found %s",
                        lex_here(p, start));
    if (lex_chars(*out) > HALE_NAME_MAX_CHARS)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "the metric name is longer than %d characters",
                        HALE_NAME_MAX_CHARS);
    return true;
}

/* Key or value: name characters with blanks inside, trimmed. May come out empty. */
static bool parse_dim_text(struct parser *p, const char *what, struct hale_str *out)
{
    lex_skip(p);
    size_t start = p->pos;
    size_t end = start, n;
    while ((n = lex_name_char(p)) > 0 || lex_peek(p) == ' ') {
        p->pos += n > 0 ? n : 1;
        if (n > 0)
            end = p->pos;
    }
    *out = (struct hale_str){p->text.p + start, end - start};
    lex_skip(p);
    if (lex_name_char(p) > 0)
        return lex_fail(p, end, HALE_E_INVAL, "a tab or new line inside a dimension %s",
                        what);
    if (lex_chars(*out) > HALE_DIM_KEY_MAX_CHARS)
        return lex_fail(p, start, HALE_E_LIMIT,
                        "the dimension %s is longer than %d characters", what,
                        HALE_DIM_KEY_MAX_CHARS);
    return true;
}

static bool fail_key(struct parser *p, struct hale_str key, size_t start)
{
    int c = lex_peek(p);
    if (key.len == 0 && c == '=')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the dimension key before '=' is missing");
    if (key.len == 0 && (c == ',' || c == '}'))
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "a dimension is missing here; is there a comma too many?");
    if (key.len == 0)
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "a dimension or the closing '}' is expected, found %s",
                        lex_here(p, p->pos));
    if (c != ',' && c != '}' && c != LEX_END && c != ')')
        return lex_fail(p, p->pos, HALE_E_INVAL, "%s cannot be part of a dimension",
                        lex_here(p, p->pos));
    const char *hint =
        memchr(key.p, ':', key.len) != NULL ? "; put '=' between them, not ':'" : "";
    return lex_fail(p, start, HALE_E_INVAL, "the dimension '%.*s' has no value%s",
                    lex_shown(key), key.p, hint);
}

static bool fail_after_value(struct parser *p)
{
    int c = lex_peek(p);
    if (c == '=')
        return lex_fail(
            p, p->pos, HALE_E_INVAL,
            "'=' cannot be part of a value; is a ',' missing before the next dimension?");
    if (c == LEX_END)
        return lex_fail(p, p->pos, HALE_E_INVAL, "the closing '}' is missing");
    return lex_fail(p, p->pos, HALE_E_INVAL,
                    "%s cannot be part of a dimension value; ',' or '}' is expected",
                    lex_here(p, p->pos));
}

/* Inserts sorted by key; false when the key is there already. */
static bool insert_dim(struct hale_subexpr *s, struct hale_str key, struct hale_str value)
{
    unsigned i = s->n_dims;
    for (; i > 0; i--) {
        int order = hale_str_cmp(s->dims[i - 1].key, key);
        if (order == 0)
            return false;
        if (order < 0)
            break;
    }
    memmove(&s->dims[i + 1], &s->dims[i], (s->n_dims - i) * sizeof(s->dims[0]));
    s->dims[i] = (struct hale_dim){key, value};
    s->n_dims++;
    return true;
}

static bool parse_dim(struct parser *p, struct hale_subexpr *s)
{
    struct hale_str key, value;
    lex_skip(p);
    size_t key_start = p->pos;
    if (!parse_dim_text(p, "key", &key))
        return false;
    if (key.len == 0 || lex_peek(p) != '=')
        return fail_key(p, key, key_start);
    p->pos++;
    if (!parse_dim_text(p, "value", &value))
        return false;
    if (value.len == 0 && lex_peek(p) != '"')
        return lex_fail(p, p->pos, HALE_E_INVAL,
                        "the value of dimension '%.*s' is missing", lex_shown(key),
                        key.p);
    if (lex_peek(p) != ',' && lex_peek(p) != '}')
        return fail_after_value(p);
    if (s->n_dims == HALE_DIMS_MAX)
        return lex_fail(p, key_start, HALE_E_LIMIT, "more than %d dimensions",
                        HALE_DIMS_MAX);
    HALE_ASSERT(p->dims_used + s->n_dims < p->dims_cap);
    if (!insert_dim(s, key, value))
        return lex_fail(p, key_start, HALE_E_INVAL, "the dimension '%.*s' is given twice",
                        lex_shown(key), key.p);
    return true;
}

bool parse_dims(struct parser *p, struct hale_subexpr *s)
{
    lex_skip(p);
    if (!lex_take(p, '{'))
        return true;
    s->dims = p->dims + p->dims_used;
    lex_skip(p);
    if (lex_take(p, '}'))
        return true;
    do {
        if (!parse_dim(p, s))
            return false;
    } while (lex_take(p, ','));
    HALE_ASSERT(lex_take(p, '}')); /* parse_dim stops at nothing else */
    p->dims_used += s->n_dims;
    return true;
}
