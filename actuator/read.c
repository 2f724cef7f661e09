/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/read.h"

#include <stdio.h>
#include <string.h>

#include "actuator/template.h"
#include "base/buf.h"
#include "base/fs.h"

#define NODE const struct hale_yaml_node *

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* One scalar or a list of scalars: calls each with every text. */
enum hale_rc actuator_read_each(NODE node, const char *key, struct hale_err *err,
                                enum hale_rc (*each)(NODE item, void *arg,
                                                     struct hale_err *err),
                                void *arg)
{
    if (hale_yaml_kind(node) == HALE_YAML_SCALAR)
        return each(node, arg, err);
    if (hale_yaml_kind(node) != HALE_YAML_LIST || hale_yaml_count(node) == 0)
        return hale_yaml_error(node, err, "%s must be one value or a list of values",
                               key);
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < hale_yaml_count(node) && rc == HALE_OK; i++) {
        NODE item = hale_yaml_item(node, i);
        if (hale_yaml_kind(item) != HALE_YAML_SCALAR)
            return hale_yaml_error(item, err, "%s must be a list of plain values", key);
        rc = each(item, arg, err);
    }
    return rc;
}

struct bits {
    const char *what;
    const char *const *words;
    unsigned mask;
};

static enum hale_rc add_bit(NODE item, void *arg, struct hale_err *err)
{
    struct bits *bits = arg;
    struct hale_str text = hale_yaml_text(item);
    for (unsigned i = 0; bits->words[i] != NULL; i++)
        if (hale_str_eq_c(text, bits->words[i])) {
            bits->mask |= 1u << i;
            return HALE_OK;
        }
    const char *near = hale_str_suggest(text, bits->words);
    if (near != NULL)
        return hale_yaml_error(item, err, "%s cannot be '%.*s' - did you mean '%s'?",
                               bits->what, (int)(text.len > 60 ? 60 : text.len), text.p,
                               near);
    return hale_yaml_error(item, err, "%s cannot be '%.*s'; it is one of: %s, %s, %s%s%s",
                           bits->what, (int)(text.len > 60 ? 60 : text.len), text.p,
                           bits->words[0], bits->words[1], bits->words[2],
                           bits->words[3] != NULL ? ", " : "",
                           bits->words[3] != NULL ? bits->words[3] : "");
}

enum hale_rc actuator_read_mask(NODE node, const char *what, const char *const *words,
                                unsigned fallback, unsigned *out, struct hale_err *err)
{
    struct bits bits = {what, words, 0};
    if (hale_yaml_kind(node) == HALE_YAML_NULL) {
        *out = fallback;
        return HALE_OK;
    }
    enum hale_rc rc = actuator_read_each(node, what, err, add_bit, &bits);
    *out = bits.mask;
    return rc;
}

json_t *actuator_read_scalar(NODE node)
{
    struct hale_str text = hale_yaml_text(node);
    int64_t integer;
    double real;
    if (!hale_yaml_quoted(node)) {
        if (hale_str_eq_c(text, "true") || hale_str_eq_c(text, "false"))
            return json_boolean(hale_str_eq_c(text, "true"));
        if (hale_str_i64(text, &integer) == HALE_OK)
            return json_integer(integer);
        if (hale_str_double(text, &real) == HALE_OK)
            return json_real(real);
    }
    return json_stringn(text.p != NULL ? text.p : "", text.len);
}

/* A map of scalars into a JSON object. as_text: every value is text. */
enum hale_rc actuator_read_map(NODE map, const char *what, bool as_text, json_t **out,
                               struct hale_err *err)
{
    char key_text[256];
    *out = json_object();
    if (*out == NULL)
        return nomem(err);
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "%s must be a map of 'key: value'", what);
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str key = {NULL, 0}, text;
        NODE value = hale_yaml_pair(map, i, &key, NULL);
        if (hale_yaml_kind(value) != HALE_YAML_SCALAR)
            return hale_yaml_error(value, err, "%s: every value must be a plain one",
                                   what);
        if (key.len == 0 || key.len >= sizeof(key_text))
            return hale_yaml_error(value, err, "%s: a key has 1 to 255 bytes", what);
        memcpy(key_text, key.p, key.len);
        key_text[key.len] = '\0';
        text = hale_yaml_text(value);
        json_t *json = as_text ? json_stringn(text.p != NULL ? text.p : "", text.len)
                               : actuator_read_scalar(value);
        if (json == NULL || json_object_set_new(*out, key_text, json) != 0)
            return hale_yaml_error(value, err, "%s: not valid UTF-8", what);
    }
    return HALE_OK;
}

enum hale_rc actuator_read_check_headers(NODE map, const json_t *headers,
                                         struct hale_err *err)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *name;
    json_t *value;
    struct hale_err wrong;
    json_object_foreach ((json_t *)(uintptr_t)headers, name, value) {
        NODE node = hale_yaml_get(map, name);
        if (name[strspn(name, token)] != '\0')
            return hale_yaml_error(node, err, "'%.60s' is not a header name", name);
        for (const char *c = json_string_value(value); *c != '\0'; c++)
            if ((unsigned char)*c < ' ')
                return hale_yaml_error(node, err, "header %.60s has a control character",
                                       name);
    }
    if (actuator_template_check_json(headers, &wrong) != HALE_OK)
        return hale_yaml_error(map, err, "headers: %s", wrong.text);
    return HALE_OK;
}

char *actuator_read_move(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

enum hale_rc actuator_read_file(NODE map, const char *key, const char *path,
                                size_t max_bytes, struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong = {.text = ""};
    if (path == NULL)
        return HALE_OK;
    hale_buf_init(&buf, max_bytes);
    enum hale_rc rc = hale_fs_read(path, &buf, &wrong);
    bool empty = rc == HALE_OK && hale_str_trim(hale_buf_str(&buf)).len == 0;
    if (buf.p != NULL)
        explicit_bzero(buf.p, buf.cap);
    hale_buf_fini(&buf);
    if (rc != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, key), err, "%s: %s", key, wrong.text);
    return empty ? hale_yaml_error(hale_yaml_get(map, key), err, "%s: the file is empty",
                                   key)
                 : HALE_OK;
}

enum hale_rc actuator_read_named(NODE map, const struct actuator_named *kind,
                                 enum hale_rc (*add)(NODE map, struct hale_str name,
                                                     void *arg, struct hale_err *err),
                                 void *arg, struct hale_err *err)
{
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "%s must be a map ('name: {%s}')", kind->key,
                               kind->example);
    if (hale_yaml_count(map) > kind->max)
        return hale_yaml_error(map, err, "at most %zu %s", kind->max, kind->key);
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < hale_yaml_count(map) && rc == HALE_OK; i++) {
        struct hale_str name;
        NODE value = hale_yaml_pair(map, i, &name, NULL);
        if (name.len == 0 || name.len > 64)
            return hale_yaml_error(value, err, "the name of %s has 1 to 64 bytes",
                                   kind->item);
        rc = add(value, name, arg, err);
    }
    return rc;
}

const char *actuator_read_near(const char *const *names, const char *name, char *dst,
                               size_t size)
{
    const char *near = hale_str_suggest(hale_str_from(name), names);
    dst[0] = '\0';
    if (near != NULL)
        (void)snprintf(dst, size, ", did you mean '%s'?", near);
    return dst;
}
