/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/read.h"
#include "actuator/template.h"

#define NODE           const struct hale_yaml_node *
#define TEXT_MAX_BYTES 4096 /* of one value, filled in */
#define SHOWN_MAX      72   /* bytes of a value in a sentence */

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- pointers ---------------------------------------------------------------------- */

enum hale_rc actuator_pointer_check(struct hale_str pointer, struct hale_err *err)
{
    if (pointer.len >= ACTUATOR_POINTER_MAX)
        return hale_err_set(err, HALE_E_INVAL, "a JSON pointer has at most %d bytes",
                            ACTUATOR_POINTER_MAX - 1);
    if (pointer.len > 0 && pointer.p[0] != '/')
        return hale_err_set(err, HALE_E_INVAL,
                            "'%.*s' is not a JSON pointer: write '/%.*s'",
                            (int)(pointer.len < 60 ? pointer.len : 60), pointer.p,
                            (int)(pointer.len < 60 ? pointer.len : 60), pointer.p);
    for (size_t i = 0; i < pointer.len; i++)
        if (pointer.p[i] == '~' && (i + 1 == pointer.len ||
                                    (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
            return hale_err_set(err, HALE_E_INVAL,
                                "in a JSON pointer '~' is written '~0', and a '/' in a "
                                "name '~1'");
    return HALE_OK;
}

/* Takes the next name off *at (behind its '/'), without escapes. */
static void next_name(const char **at, char dst[ACTUATOR_POINTER_MAX])
{
    size_t n = 0;
    const char *p = *at + 1;
    for (; *p != '\0' && *p != '/' && n + 1 < ACTUATOR_POINTER_MAX; p++) {
        char c = *p;
        if (c == '~' && (p[1] == '0' || p[1] == '1'))
            c = *++p == '0' ? '~' : '/';
        dst[n++] = c;
    }
    dst[n] = '\0';
    *at = p;
}

const json_t *actuator_pointer_get(const json_t *doc, const char *pointer)
{
    char name[ACTUATOR_POINTER_MAX];
    const char *at = pointer;
    while (doc != NULL && *at == '/') {
        uint64_t i;
        next_name(&at, name);
        if (!json_is_array(doc))
            doc = json_object_get(doc, name);
        else if (hale_str_u64(hale_str_from(name), &i) == HALE_OK)
            doc = json_array_get(doc, (size_t)i);
        else
            doc = NULL;
    }
    return *at == '\0' ? doc : NULL;
}

/* --- reading ----------------------------------------------------------------------- */

static enum hale_rc add_value(NODE item, const char *key, json_t *list,
                              struct hale_err *err)
{
    struct hale_err wrong;
    json_t *value = NULL;
    if (json_array_size(list) == ACTUATOR_EXPECT_MAX)
        return hale_yaml_error(item, err, "%s: at most %d values for one pointer", key,
                               ACTUATOR_EXPECT_MAX);
    if (hale_yaml_kind(item) == HALE_YAML_NULL)
        value = json_null();
    else if (hale_yaml_kind(item) == HALE_YAML_SCALAR)
        value = actuator_read_scalar(item);
    else
        return hale_yaml_error(item, err,
                               "%s: a value is text, a number, true, false or null; "
                               "point at what is inside ('/a/b')",
                               key);
    if (value == NULL || json_array_append_new(list, value) != 0)
        return nomem(err);
    if (actuator_template_check_json(value, &wrong) != HALE_OK)
        return hale_yaml_error(item, err, "%s: %s", key, wrong.text);
    return HALE_OK;
}

static enum hale_rc add_pointer(NODE node, struct hale_str pointer, const char *key,
                                json_t *out, struct hale_err *err)
{
    struct hale_err wrong;
    char text[ACTUATOR_POINTER_MAX];
    enum hale_rc rc = HALE_OK;
    if (actuator_pointer_check(pointer, &wrong) != HALE_OK)
        return hale_yaml_error(node, err, "%s: %s", key, wrong.text);
    (void)snprintf(text, sizeof(text), "%.*s", (int)pointer.len,
                   pointer.len > 0 ? pointer.p : "");
    json_t *list = json_array();
    if (list == NULL || json_object_set_new(out, text, list) != 0)
        return nomem(err);
    if (hale_yaml_kind(node) != HALE_YAML_LIST)
        return add_value(node, key, list, err);
    if (hale_yaml_count(node) == 0)
        return hale_yaml_error(node, err, "%s: %s names no value", key, text);
    for (size_t i = 0; i < hale_yaml_count(node) && rc == HALE_OK; i++)
        rc = add_value(hale_yaml_item(node, i), key, list, err);
    return rc;
}

enum hale_rc actuator_expect_read(NODE map, const char *key, json_t **out,
                                  struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    *out = NULL;
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP || hale_yaml_count(map) == 0)
        return hale_yaml_error(map, err,
                               "%s must be a map of JSON pointers to values, like "
                               "{/status: ACTIVE}",
                               key);
    if (hale_yaml_count(map) > ACTUATOR_EXPECT_MAX)
        return hale_yaml_error(map, err, "%s: at most %d pointers", key,
                               ACTUATOR_EXPECT_MAX);
    json_t *expect = json_object();
    if (expect == NULL)
        return nomem(err);
    for (size_t i = 0; i < hale_yaml_count(map) && rc == HALE_OK; i++) {
        struct hale_str pointer = {NULL, 0};
        NODE node = hale_yaml_pair(map, i, &pointer, NULL);
        rc = add_pointer(node, pointer, key, expect, err);
    }
    if (rc == HALE_OK)
        *out = expect;
    else
        json_decref(expect);
    return rc;
}

static enum hale_rc fill(const json_t *value, const json_t *vars, json_t **out,
                         char *missing)
{
    struct hale_buf text;
    *out = NULL;
    if (!json_is_string(value)) {
        *out = json_incref((json_t *)(uintptr_t)value);
        return HALE_OK;
    }
    hale_buf_init(&text, TEXT_MAX_BYTES);
    enum hale_rc rc = actuator_template_expand(hale_str_from(json_string_value(value)),
                                               vars, ACTUATOR_PATTERN, &text, missing);
    if (rc == HALE_OK) {
        *out = json_stringn(text.len > 0 ? text.p : "", text.len);
        rc = *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    hale_buf_fini(&text);
    return rc;
}

enum hale_rc actuator_expect_plan(const json_t *expect, const json_t *vars, json_t **out,
                                  char *missing)
{
    const char *pointer;
    json_t *values, *copy = json_object();
    enum hale_rc rc = copy != NULL ? HALE_OK : HALE_E_NOMEM;
    *out = NULL;
    json_object_foreach ((json_t *)(uintptr_t)expect, pointer, values) {
        json_t *list = json_array(), *filled;
        if (rc == HALE_OK && (list == NULL || json_object_set(copy, pointer, list) != 0))
            rc = HALE_E_NOMEM;
        for (size_t i = 0; i < json_array_size(values) && rc == HALE_OK; i++) {
            rc = fill(json_array_get(values, i), vars, &filled, missing);
            if (rc == HALE_OK && json_array_append_new(list, filled) != 0)
                rc = HALE_E_NOMEM;
        }
        json_decref(list);
    }
    if (rc == HALE_OK)
        *out = copy;
    else
        json_decref(copy);
    return rc;
}

/* --- comparing --------------------------------------------------------------------- */

/* One character of a pattern, escapes taken off; *any: it is '*', *one: it is '?'. */
static char pattern_char(const char **at, bool *any, bool *one)
{
    char c = **at;
    *any = c == '*';
    *one = c == '?';
    if (c == '\\' && (*at)[1] != '\0')
        c = *++*at;
    ++*at;
    return c;
}

/* Goes back to the last '*' only: the work is at most the product of the lengths. */
static bool fits(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text != '\0') {
        const char *next = pattern;
        bool any = false, one = false;
        char c = *pattern != '\0' ? pattern_char(&next, &any, &one) : '\0';
        if (any) {
            star = pattern = next;
            retry = text;
        } else if (*pattern != '\0' && (one || c == *text)) {
            text++;
            while (one && ((unsigned char)*text & 0xc0) == 0x80)
                text++; /* the rest of the character */
            pattern = next;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* The text of a plain value into dst, or the string's own; NULL: it has none. */
static const char *text_of(const json_t *value, char dst[32])
{
    switch (json_typeof(value)) {
    case JSON_STRING: return json_string_value(value);
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_INTEGER:
        (void)snprintf(dst, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return dst;
    case JSON_REAL: (void)snprintf(dst, 32, "%.17g", json_real_value(value)); return dst;
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL: break;
    }
    return NULL;
}

static bool equals(const json_t *want, const json_t *have)
{
    char text[32];
    if (json_is_null(want))
        return have == NULL || json_is_null(have);
    if (have == NULL || json_is_null(have))
        return false;
    if (json_is_integer(want) && json_is_integer(have))
        return json_integer_value(want) == json_integer_value(have);
    if (json_is_number(want)) {
        double a = json_number_value(want), b = json_number_value(have);
        return json_is_number(have) && a <= b && a >= b;
    }
    if (!json_is_string(want))
        return json_typeof(want) == json_typeof(have); /* true, false */
    if (strcmp(json_string_value(want), "*") == 0)
        return true;
    const char *plain = text_of(have, text);
    return plain != NULL && fits(json_string_value(want), plain);
}

/* A value as a sentence shows it: ASCII, cut. */
static const char *show(const json_t *value, char dst[SHOWN_MAX])
{
    if (value == NULL)
        (void)snprintf(dst, SHOWN_MAX, "nothing");
    else if (json_is_object(value) || json_is_array(value))
        (void)snprintf(dst, SHOWN_MAX, json_is_object(value) ? "an object" : "a list");
    else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        (void)snprintf(dst, SHOWN_MAX, "%s", text != NULL ? text : "?");
        free(text);
    }
    return dst;
}

static bool one_of(const json_t *values, const json_t *have)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (equals(json_array_get(values, i), have))
            return true;
    return false;
}

bool actuator_expect_all(const json_t *expect, const json_t *doc, char *why, size_t size)
{
    const char *pointer;
    json_t *values;
    char have[SHOWN_MAX], want[SHOWN_MAX];
    json_object_foreach ((json_t *)(uintptr_t)expect, pointer, values) {
        const json_t *at = actuator_pointer_get(doc, pointer);
        if (one_of(values, at))
            continue;
        (void)snprintf(why, size, "%.80s is %s, not %s%s", pointer, show(at, have),
                       show(json_array_get(values, 0), want),
                       json_array_size(values) > 1 ? " or the like" : "");
        return false;
    }
    return true;
}

bool actuator_expect_any(const json_t *expect, const json_t *doc, char *why, size_t size)
{
    const char *pointer;
    json_t *values;
    char have[SHOWN_MAX];
    json_object_foreach ((json_t *)(uintptr_t)expect, pointer, values) {
        const json_t *at = actuator_pointer_get(doc, pointer);
        if (!one_of(values, at))
            continue;
        (void)snprintf(why, size, "%.80s is %s", pointer, show(at, have));
        return true;
    }
    return false;
}
