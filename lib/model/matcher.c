/* SPDX-License-Identifier: Apache-2.0 */
#include "model/matcher.h"

#include <stdlib.h>
#include <string.h>

static const char *const ops[] = {
    [HALE_MATCH_EQ] = "=",
    [HALE_MATCH_NE] = "!=",
    [HALE_MATCH_RE] = "=~",
    [HALE_MATCH_NOT_RE] = "!~",
};

static bool holds(const struct hale_matcher *m, struct hale_str value)
{
    bool matches = false;
    struct hale_str text = value.p != NULL ? value : HALE_STR("");
    switch (m->op) {
    case HALE_MATCH_EQ: return hale_str_eq_c(text, m->value);
    case HALE_MATCH_NE: return !hale_str_eq_c(text, m->value);
    case HALE_MATCH_RE:
        return hale_regex_match(m->regex, text, &matches) == HALE_OK && matches;
    case HALE_MATCH_NOT_RE:
        return hale_regex_match(m->regex, text, &matches) == HALE_OK && !matches;
    }
    return false;
}

bool hale_matchers_fit(const struct hale_matchers *m,
                       struct hale_str (*label)(void *arg, const char *name), void *arg)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (!holds(&m->v[i], label(arg, m->v[i].name)))
            return false;
    }
    return true;
}

void hale_matchers_fini(struct hale_matchers *m)
{
    for (unsigned i = 0; i < m->n; i++) {
        free(m->v[i].name);
        free(m->v[i].value);
        hale_regex_free(m->v[i].regex);
    }
    *m = (struct hale_matchers){0};
}

/* --- reading ------------------------------------------------------------------------- */

static bool text_ok(struct hale_str s, size_t min, size_t max)
{
    size_t chars;
    return s.len >= min && s.len <= max && memchr(s.p, '\0', s.len) == NULL &&
           hale_str_utf8_count(s, &chars) == HALE_OK;
}

static enum hale_rc set(struct hale_matcher *m, struct hale_str name,
                        struct hale_str value, struct hale_err *err)
{
    if (!text_ok(name, 1, HALE_MATCHER_NAME_MAX))
        return hale_err_set(err, HALE_E_INVAL, "name must have 1 to %d bytes of UTF-8",
                            HALE_MATCHER_NAME_MAX);
    if (!text_ok(value, 0, HALE_MATCHER_VALUE_MAX))
        return hale_err_set(err, HALE_E_INVAL,
                            "value must have at most %d bytes of UTF-8",
                            HALE_MATCHER_VALUE_MAX);
    m->name = strndup(name.p, name.len);
    m->value = strndup(value.len > 0 ? value.p : "", value.len);
    if (m->name == NULL || m->value == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (m->op == HALE_MATCH_RE || m->op == HALE_MATCH_NOT_RE)
        return hale_regex_new(value, &m->regex, err);
    return HALE_OK;
}

/* "name=value": the operator is at the first '=' or '!'. */
static enum hale_rc read_text(struct hale_str s, struct hale_matcher *m,
                              struct hale_err *err)
{
    size_t at = 0;
    while (at < s.len && s.p[at] != '=' && s.p[at] != '!')
        at++;
    char a = at < s.len ? s.p[at] : '\0', b = at + 1 < s.len ? s.p[at + 1] : '\0';
    if (a == '\0' || (a == '!' && b != '=' && b != '~'))
        return hale_err_set(err, HALE_E_INVAL,
                            "write name=value, name!=value, name=~regex or name!~regex");
    m->op = a == '!' ? (b == '~' ? HALE_MATCH_NOT_RE : HALE_MATCH_NE)
                     : (b == '~' ? HALE_MATCH_RE : HALE_MATCH_EQ);
    size_t from = at + (m->op == HALE_MATCH_EQ ? 1 : 2);
    return set(m, (struct hale_str){s.p, at}, (struct hale_str){s.p + from, s.len - from},
               err);
}

static enum hale_rc read_op(const json_t *o, struct hale_matcher *m, struct hale_err *err)
{
    const json_t *op = json_object_get(o, "op");
    const json_t *is_regex = json_object_get(o, "isRegex");
    const json_t *is_equal = json_object_get(o, "isEqual");
    if (op == NULL && is_regex == NULL) {
        m->op = HALE_MATCH_EQ;
        return HALE_OK;
    }
    if (op == NULL && json_is_boolean(is_regex) &&
        (is_equal == NULL || json_is_boolean(is_equal))) {
        bool equal = is_equal == NULL || json_is_true(is_equal);
        m->op = json_is_true(is_regex) ? (equal ? HALE_MATCH_RE : HALE_MATCH_NOT_RE)
                                       : (equal ? HALE_MATCH_EQ : HALE_MATCH_NE);
        return HALE_OK;
    }
    for (unsigned i = 0; json_is_string(op) && i < 4; i++) {
        if (strcmp(json_string_value(op), ops[i]) == 0) {
            m->op = (enum hale_matcher_op)i;
            return HALE_OK;
        }
    }
    return hale_err_set(err, HALE_E_INVAL, "op must be =, !=, =~ or !~");
}

static enum hale_rc read_one(const json_t *v, struct hale_matcher *m,
                             struct hale_err *err)
{
    static const char known[] = " name value op isRegex isEqual ";
    const json_t *name = json_object_get(v, "name"), *value = json_object_get(v, "value");
    const char *key;
    json_t *item;
    if (json_is_string(v))
        return read_text((struct hale_str){json_string_value(v), json_string_length(v)},
                         m, err);
    json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
        const char *at = strstr(known, key);
        size_t n = strlen(key);
        if (n == 0 || at == NULL || at == known || at[-1] != ' ' || at[n] != ' ')
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.64s'", key);
    }
    if (!json_is_string(name) || !json_is_string(value))
        return hale_err_set(err, HALE_E_INVAL, "name and value must be strings");
    enum hale_rc rc = read_op(v, m, err);
    return rc != HALE_OK
               ? rc
               : set(m,
                     (struct hale_str){json_string_value(name), json_string_length(name)},
                     (struct hale_str){json_string_value(value),
                                       json_string_length(value)},
                     err);
}

static struct hale_str no_label(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return (struct hale_str){NULL, 0};
}

enum hale_rc hale_matchers_read(const json_t *list, struct hale_matchers *out,
                                struct hale_err *err)
{
    struct hale_err why = {0};
    enum hale_rc rc = HALE_OK;
    size_t n = json_array_size(list);
    *out = (struct hale_matchers){0};
    if (!json_is_array(list) || n == 0 || n > HALE_MATCHERS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "matchers must be a list of 1 to %d",
                            HALE_MATCHERS_MAX);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        rc = read_one(json_array_get(list, i), &out->v[out->n++], &why);
        if (rc != HALE_OK)
            (void)hale_err_set(err, rc, "matchers[%zu]: %s", i, why.text);
    }
    if (rc == HALE_OK && hale_matchers_fit(out, no_label, NULL))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "these matchers fit an alarm without any label, so nearly "
                          "everything: one must ask for a value");
    if (rc != HALE_OK)
        hale_matchers_fini(out);
    return rc;
}

/* --- writing ------------------------------------------------------------------------- */

void hale_matchers_add_json(const struct hale_matchers *m, struct hale_buf *out)
{
    hale_buf_add_char(out, '[');
    for (unsigned i = 0; i < m->n; i++) {
        hale_buf_add_c(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        hale_buf_add_json(out, hale_str_from(m->v[i].name));
        hale_buf_printf(out, ",\"op\":\"%s\",\"value\":", ops[m->v[i].op]);
        hale_buf_add_json(out, hale_str_from(m->v[i].value));
        hale_buf_add_char(out, '}');
    }
    hale_buf_add_char(out, ']');
}

void hale_matchers_add_am_json(const struct hale_matchers *m, struct hale_buf *out)
{
    hale_buf_add_char(out, '[');
    for (unsigned i = 0; i < m->n; i++) {
        enum hale_matcher_op op = m->v[i].op;
        hale_buf_add_c(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        hale_buf_add_json(out, hale_str_from(m->v[i].name));
        hale_buf_printf(out, ",\"isRegex\":%s,\"isEqual\":%s,\"value\":",
                        op >= HALE_MATCH_RE ? "true" : "false",
                        op == HALE_MATCH_EQ || op == HALE_MATCH_RE ? "true" : "false");
        hale_buf_add_json(out, hale_str_from(m->v[i].value));
        hale_buf_add_char(out, '}');
    }
    hale_buf_add_char(out, ']');
}
