/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json_util.h"

#include <stdlib.h>
#include <string.h>

/* Above jansson's own limit for parsing, so that all that was read can be written. */
#define JSON_MAX_DEPTH 2100

enum hale_rc hale_json_parse_record(struct hale_str text, json_t **out,
                                    struct hale_err *err)
{
    json_error_t error;
    *out = NULL;
    json_t *root = json_loadb(text.p != NULL ? text.p : "", text.len, 0, &error);
    if (root == NULL) {
        enum hale_rc rc = json_error_code(&error) == json_error_out_of_memory
                              ? HALE_E_NOMEM
                              : HALE_E_INVAL;
        return hale_err_at(err, rc, NULL, error.line > 0 ? error.line : 0,
                           error.column > 0 ? error.column : 0, "not JSON: %s",
                           error.text);
    }
    json_t *version = json_object_get(root, "v");
    if (!json_is_integer(version) || json_integer_value(version) != 1) {
        json_decref(root);
        return hale_err_set(err, HALE_E_INVAL, "not a record of version 1 (\"v\":1)");
    }
    *out = root;
    return HALE_OK;
}

/* ---- any value ---- */

static bool write_value(json_t *value, struct hale_buf *out, unsigned depth);

static bool write_object(json_t *object, struct hale_buf *out, unsigned depth)
{
    const char *key;
    json_t *item;
    bool ok = true, first = true;
    hale_buf_add_char(out, '{');
    json_object_foreach (object, key, item) {
        if (!first)
            hale_buf_add_char(out, ',');
        first = false;
        hale_buf_add_json(out, hale_str_from(key));
        hale_buf_add_char(out, ':');
        ok = ok && write_value(item, out, depth + 1);
    }
    hale_buf_add_char(out, '}');
    return ok;
}

static bool write_array(json_t *array, struct hale_buf *out, unsigned depth)
{
    size_t i;
    json_t *item;
    bool ok = true;
    hale_buf_add_char(out, '[');
    json_array_foreach (array, i, item) {
        if (i > 0)
            hale_buf_add_char(out, ',');
        ok = ok && write_value(item, out, depth + 1);
    }
    hale_buf_add_char(out, ']');
    return ok;
}

static bool write_value(json_t *value, struct hale_buf *out, unsigned depth)
{
    if (depth > JSON_MAX_DEPTH || out->failed)
        return depth <= JSON_MAX_DEPTH;
    switch (json_typeof(value)) {
    case JSON_OBJECT: return write_object(value, out, depth);
    case JSON_ARRAY: return write_array(value, out, depth);
    case JSON_STRING:
        hale_buf_add_json(
            out, (struct hale_str){json_string_value(value), json_string_length(value)});
        return true;
    case JSON_INTEGER:
        hale_buf_printf(out, "%lld", (long long)json_integer_value(value));
        return true;
    case JSON_REAL: hale_buf_add_double(out, json_real_value(value)); return true;
    case JSON_TRUE: hale_buf_add_c(out, "true"); return true;
    case JSON_FALSE: hale_buf_add_c(out, "false"); return true;
    case JSON_NULL: break;
    }
    hale_buf_add_c(out, "null");
    return true;
}

bool hale_json_write(json_t *value, struct hale_buf *out)
{
    return write_value(value, out, 0);
}

/* ---- reading ---- */

struct hale_json_in hale_json_in_init(json_t *object)
{
    return (struct hale_json_in){.object = object, .rc = HALE_OK, .key = NULL};
}

static void in_fail(struct hale_json_in *in, enum hale_rc rc, const char *key)
{
    if (in->rc == HALE_OK) {
        in->rc = rc;
        in->key = key;
    }
}

/* Borrowed value, or NULL when absent, which fails a required key. */
static json_t *in_get(struct hale_json_in *in, const char *key, enum hale_json_need need)
{
    json_t *v = json_object_get(in->object, key);
    if (v == NULL && need == HALE_JSON_REQUIRED)
        in_fail(in, HALE_E_INVAL, key);
    return v;
}

static void in_copy(struct hale_json_in *in, const char *key, const char *text,
                    char **out)
{
    *out = strdup(text);
    if (*out == NULL)
        in_fail(in, HALE_E_NOMEM, key);
}

void hale_json_in_str(struct hale_json_in *in, const char *key, enum hale_json_need need,
                      char **out)
{
    json_t *v = in_get(in, key, need);
    if (v != NULL && !json_is_string(v))
        in_fail(in, HALE_E_INVAL, key);
    if (in->rc == HALE_OK)
        in_copy(in, key, v != NULL ? json_string_value(v) : "", out);
}

void hale_json_in_id(struct hale_json_in *in, const char *key, char **out)
{
    if (json_string_length(json_object_get(in->object, key)) == 0)
        in_fail(in, HALE_E_INVAL, key);
    hale_json_in_str(in, key, HALE_JSON_REQUIRED, out);
}

void hale_json_in_str_or_null(struct hale_json_in *in, const char *key, char **out)
{
    json_t *v = json_object_get(in->object, key);
    if (v != NULL && !json_is_null(v))
        hale_json_in_str(in, key, HALE_JSON_REQUIRED, out);
}

void hale_json_in_i64(struct hale_json_in *in, const char *key, enum hale_json_need need,
                      int64_t min, int64_t max, int64_t *out)
{
    json_t *v = in_get(in, key, need);
    if (v == NULL)
        return;
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < min || n > max)
        in_fail(in, HALE_E_INVAL, key);
    else
        *out = n;
}

void hale_json_in_bool(struct hale_json_in *in, const char *key, enum hale_json_need need,
                       bool *out)
{
    json_t *v = in_get(in, key, need);
    if (v == NULL)
        return;
    if (!json_is_boolean(v))
        in_fail(in, HALE_E_INVAL, key);
    else
        *out = json_is_true(v);
}

int hale_json_in_choice(struct hale_json_in *in, const char *key,
                        const char *const *choices)
{
    json_t *v = in_get(in, key, HALE_JSON_REQUIRED);
    for (int i = 0; json_is_string(v) && choices[i] != NULL; i++)
        if (strcmp(json_string_value(v), choices[i]) == 0)
            return i;
    in_fail(in, HALE_E_INVAL, key);
    return 0;
}

static void in_container(struct hale_json_in *in, const char *key,
                         enum hale_json_need need, json_type type, json_t **out)
{
    json_t *v = in_get(in, key, need);
    if (v != NULL && json_typeof(v) != type)
        in_fail(in, HALE_E_INVAL, key);
    if (in->rc != HALE_OK)
        return;
    if (v != NULL)
        *out = json_incref(v);
    else if ((*out = type == JSON_OBJECT ? json_object() : json_array()) == NULL)
        in_fail(in, HALE_E_NOMEM, key);
}

void hale_json_in_object(struct hale_json_in *in, const char *key,
                         enum hale_json_need need, json_t **out)
{
    in_container(in, key, need, JSON_OBJECT, out);
}

void hale_json_in_array(struct hale_json_in *in, const char *key,
                        enum hale_json_need need, json_t **out)
{
    in_container(in, key, need, JSON_ARRAY, out);
}

static bool is_string_map(json_t *object)
{
    const char *key;
    json_t *item;
    if (!json_is_object(object))
        return false;
    json_object_foreach (object, key, item) {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

void hale_json_in_string_map(struct hale_json_in *in, const char *key,
                             enum hale_json_need need, json_t **out)
{
    in_container(in, key, need, JSON_OBJECT, out);
    if (in->rc == HALE_OK && !is_string_map(*out))
        in_fail(in, HALE_E_INVAL, key);
}

void hale_json_in_metrics(struct hale_json_in *in, const char *key,
                          enum hale_json_need need, json_t **out)
{
    size_t i;
    json_t *item;
    in_container(in, key, need, JSON_ARRAY, out);
    if (in->rc != HALE_OK)
        return;
    json_array_foreach (*out, i, item) {
        if (!json_is_string(json_object_get(item, "name")) ||
            !is_string_map(json_object_get(item, "dimensions")))
            in_fail(in, HALE_E_INVAL, key);
    }
}

void hale_json_in_numbers(struct hale_json_in *in, const char *key,
                          enum hale_json_need need, json_t **out)
{
    size_t i;
    json_t *item;
    in_container(in, key, need, JSON_ARRAY, out);
    if (in->rc != HALE_OK)
        return;
    json_array_foreach (*out, i, item) {
        if (!json_is_number(item))
            in_fail(in, HALE_E_INVAL, key);
    }
}

/* ---- writing ---- */

struct hale_json_out hale_json_out_open(struct hale_buf *buf)
{
    hale_buf_add_char(buf, '{');
    return (struct hale_json_out){.buf = buf, .first = true, .bad = false};
}

enum hale_rc hale_json_out_close(struct hale_json_out *out)
{
    hale_buf_add_char(out->buf, '}');
    if (out->bad)
        return HALE_E_INVAL;
    return out->buf->failed ? HALE_E_LIMIT : HALE_OK;
}

void hale_json_out_key(struct hale_json_out *out, const char *key)
{
    if (!out->first)
        hale_buf_add_char(out->buf, ',');
    out->first = false;
    hale_buf_add_char(out->buf, '"');
    hale_buf_add_c(out->buf, key); /* our own keys need no escapes */
    hale_buf_add_c(out->buf, "\":");
}

void hale_json_out_str(struct hale_json_out *out, const char *key, const char *value)
{
    hale_json_out_key(out, key);
    out->bad = out->bad || value == NULL;
    hale_buf_add_json(out->buf, hale_str_from(value));
}

void hale_json_out_id(struct hale_json_out *out, const char *key, const char *value)
{
    hale_json_out_str(out, key, value);
    out->bad = out->bad || value[0] == '\0'; /* bad already when value is NULL */
}

void hale_json_out_str_or_null(struct hale_json_out *out, const char *key,
                               const char *value)
{
    if (value != NULL) {
        hale_json_out_str(out, key, value);
        return;
    }
    hale_json_out_key(out, key);
    hale_buf_add_c(out->buf, "null");
}

void hale_json_out_i64(struct hale_json_out *out, const char *key, int64_t value)
{
    hale_json_out_key(out, key);
    hale_buf_printf(out->buf, "%lld", (long long)value);
}

void hale_json_out_bool(struct hale_json_out *out, const char *key, bool value)
{
    hale_json_out_key(out, key);
    hale_buf_add_c(out->buf, value ? "true" : "false");
}

void hale_json_out_json(struct hale_json_out *out, const char *key, json_t *value,
                        const char *fallback)
{
    hale_json_out_key(out, key);
    if (value == NULL)
        hale_buf_add_c(out->buf, fallback);
    else if (!hale_json_write(value, out->buf))
        out->bad = true;
}
