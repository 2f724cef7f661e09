/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/template.h"

#include <stdio.h>
#include <string.h>

#include "net/http_client.h"

#define TEXT_MAX_BYTES (256u << 10) /* of one expanded string of a JSON tree */

enum piece { PIECE_END, PIECE_TEXT, PIECE_VAR, PIECE_BAD };

static bool name_byte_ok(char c)
{
    unsigned char u = (unsigned char)c;
    return u > ' ' && u != 0x7f && c != '{' && c != '$' && c != '}';
}

/* Takes the next piece off *rest. */
static enum piece next_piece(struct hale_str *rest, struct hale_str *out)
{
    if (rest->len == 0)
        return PIECE_END;
    if (rest->len >= 3 && memcmp(rest->p, "$${", 3) == 0) {
        *out = HALE_STR("${");
        *rest = (struct hale_str){rest->p + 3, rest->len - 3};
        return PIECE_TEXT;
    }
    if (rest->len >= 2 && memcmp(rest->p, "${", 2) == 0) {
        size_t i = 2;
        while (i < rest->len && name_byte_ok(rest->p[i]))
            i++;
        *out = (struct hale_str){rest->p + 2, i - 2};
        if (i == rest->len || rest->p[i] != '}' || i == 2 || i - 2 >= ACTUATOR_NAME_MAX)
            return PIECE_BAD;
        *rest = (struct hale_str){rest->p + i + 1, rest->len - i - 1};
        return PIECE_VAR;
    }
    size_t n = 1;
    while (n < rest->len && rest->p[n] != '$')
        n++;
    *out = (struct hale_str){rest->p, n};
    *rest = (struct hale_str){rest->p + n, rest->len - n};
    return PIECE_TEXT;
}

enum hale_rc actuator_template_check(struct hale_str text, struct hale_err *err)
{
    struct hale_str rest = text, piece;
    enum piece kind;
    while ((kind = next_piece(&rest, &piece)) != PIECE_END) {
        if (kind != PIECE_BAD)
            continue;
        size_t n = rest.len > 40 ? 40 : rest.len;
        return hale_err_set(
            err, HALE_E_INVAL,
            "bad variable at '%.*s': write ${name}, or $${ for a literal ${", (int)n,
            rest.p);
    }
    return HALE_OK;
}

/* Escapes that PromQL has in strings of either quote; in a raw one they are plain text. */
static void add_quoted(struct hale_buf *out, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char u = (unsigned char)value[i];
        if (u < ' ' || u == 0x7f || strchr("\\\"'`", u) != NULL)
            hale_buf_printf(out, "\\x%02x", u);
        else
            hale_buf_add_char(out, value[i]);
    }
}

static void add_value(struct hale_buf *out, const char *value, size_t len,
                      enum actuator_escape escape)
{
    if (escape == ACTUATOR_URL) {
        hale_http_quote(out, (struct hale_str){value, len});
        return;
    }
    if (escape == ACTUATOR_PLAIN) {
        hale_buf_add(out, value, len);
        return;
    }
    if (escape == ACTUATOR_QUERY) {
        add_quoted(out, value, len);
        return;
    }
    if (escape == ACTUATOR_PATTERN) {
        for (size_t i = 0; i < len; i++) {
            if (strchr("*?\\", value[i]) != NULL && value[i] != '\0')
                hale_buf_add_char(out, '\\');
            hale_buf_add_char(out, value[i]);
        }
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char u = (unsigned char)value[i];
        hale_buf_add_char(out, u < ' ' || u == 0x7f ? '?' : value[i]);
    }
}

/* Path segments that whoever resolves the path takes out, with what is before them. */
static bool is_way_up(const char *value)
{
    return strcmp(value, ".") == 0 || strcmp(value, "..") == 0;
}

enum hale_rc actuator_template_expand(struct hale_str text, const json_t *vars,
                                      enum actuator_escape escape, struct hale_buf *out,
                                      char *missing)
{
    return actuator_template_expand_but(text, vars, escape, NULL, out, missing);
}

/* What stays for later: a literal "${", or a variable of that kind. */
static bool stays(enum piece kind, struct hale_str piece, const char *later)
{
    size_t n = later != NULL ? strlen(later) : 0;
    if (later == NULL)
        return false;
    return kind == PIECE_TEXT ? hale_str_eq_c(piece, "${")
                              : piece.len >= n && memcmp(piece.p, later, n) == 0;
}

enum hale_rc actuator_template_expand_but(struct hale_str text, const json_t *vars,
                                          enum actuator_escape escape, const char *later,
                                          struct hale_buf *out, char *missing)
{
    struct hale_str rest = text, piece = {NULL, 0};
    enum piece kind;
    char name[ACTUATOR_NAME_MAX];

    missing[0] = '\0';
    while ((kind = next_piece(&rest, &piece)) != PIECE_END) {
        if (kind == PIECE_BAD)
            return HALE_E_INVAL;
        if (stays(kind, piece, later)) {
            if (kind == PIECE_TEXT)
                hale_buf_add_c(out, "$${");
            else
                hale_buf_printf(out, "${%.*s}", (int)piece.len, piece.p);
            continue;
        }
        if (kind == PIECE_TEXT) {
            hale_buf_add_str(out, piece);
            continue;
        }
        memcpy(name, piece.p, piece.len);
        name[piece.len] = '\0';
        const json_t *value = json_object_get(vars, name);
        if (!json_is_string(value) ||
            (escape == ACTUATOR_URL && is_way_up(json_string_value(value)))) {
            memcpy(missing, name, piece.len + 1);
            return HALE_E_NOTFOUND;
        }
        add_value(out, json_string_value(value), json_string_length(value), escape);
    }
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

static enum hale_rc expand_string(const json_t *text, const json_t *vars, json_t **out,
                                  char *missing)
{
    struct hale_buf buf;
    struct hale_str in = {json_string_value(text), json_string_length(text)};
    hale_buf_init(&buf, TEXT_MAX_BYTES);
    enum hale_rc rc = actuator_template_expand(in, vars, ACTUATOR_PLAIN, &buf, missing);
    if (rc == HALE_OK) {
        *out = json_stringn_nocheck(buf.len > 0 ? buf.p : "", buf.len);
        rc = *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    hale_buf_fini(&buf);
    return rc;
}

static enum hale_rc expand_children(const json_t *tree, const json_t *vars, json_t *copy,
                                    char *missing)
{
    enum hale_rc rc = HALE_OK;
    json_t *child;
    if (json_is_array(tree)) {
        for (size_t i = 0; i < json_array_size(tree) && rc == HALE_OK; i++) {
            rc = actuator_template_json(json_array_get(tree, i), vars, &child, missing);
            if (rc == HALE_OK && json_array_append_new(copy, child) != 0)
                rc = HALE_E_NOMEM;
        }
        return rc;
    }
    for (void *it = json_object_iter((json_t *)(uintptr_t)tree); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)tree, it)) {
        rc = actuator_template_json(json_object_iter_value(it), vars, &child, missing);
        if (rc == HALE_OK &&
            json_object_set_new_nocheck(copy, json_object_iter_key(it), child) != 0)
            rc = HALE_E_NOMEM;
        if (rc != HALE_OK)
            break;
    }
    return rc;
}

enum hale_rc actuator_template_json(const json_t *tree, const json_t *vars, json_t **out,
                                    char *missing)
{
    *out = NULL;
    if (json_is_string(tree))
        return expand_string(tree, vars, out, missing);
    if (!json_is_array(tree) && !json_is_object(tree)) {
        *out = json_deep_copy(tree);
        return *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    json_t *copy = json_is_array(tree) ? json_array() : json_object();
    if (copy == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = expand_children(tree, vars, copy, missing);
    if (rc == HALE_OK)
        *out = copy;
    else
        json_decref(copy);
    return rc;
}

enum hale_rc actuator_template_check_json(const json_t *tree, struct hale_err *err)
{
    if (json_is_string(tree))
        return actuator_template_check(
            (struct hale_str){json_string_value(tree), json_string_length(tree)}, err);
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < json_array_size(tree) && rc == HALE_OK; i++)
        rc = actuator_template_check_json(json_array_get(tree, i), err);
    if (!json_is_object(tree))
        return rc;
    json_t *object = (json_t *)(uintptr_t)tree; /* jansson iterates without const */
    for (void *it = json_object_iter(object); it != NULL && rc == HALE_OK;
         it = json_object_iter_next(object, it))
        rc = actuator_template_check_json(json_object_iter_value(it), err);
    return rc;
}
