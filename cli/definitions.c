/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/definition.h"

enum key_kind { KEY_TEXT, KEY_BOOL, KEY_LIST, KEY_SECONDS };
static const struct {
    const char *name;
    enum key_kind kind;
} keys[] = {
    {"name", KEY_TEXT},           {"expression", KEY_TEXT},
    {"description", KEY_TEXT},    {"severity", KEY_TEXT},
    {"semantics", KEY_TEXT},      {"actions_enabled", KEY_BOOL},
    {"match_by", KEY_LIST},       {"ok_actions", KEY_LIST},
    {"alarm_actions", KEY_LIST},  {"undetermined_actions", KEY_LIST},
    {"on_missing", KEY_TEXT},     {"missing_after", KEY_SECONDS},
    {"flap_detection", KEY_BOOL}, {"impact", KEY_TEXT},
    {"for", KEY_SECONDS},         {"clear_for", KEY_SECONDS},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static json_t *text_json(struct hale_str s)
{
    return json_stringn(s.p != NULL ? s.p : "", s.len);
}

static enum hale_rc read_bool(const struct hale_yaml_node *n, json_t **out,
                              struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(n);
    if (hale_str_ieq_c(text, "true") || hale_str_ieq_c(text, "yes"))
        *out = json_true();
    else if (hale_str_ieq_c(text, "false") || hale_str_ieq_c(text, "no"))
        *out = json_false();
    else
        return hale_yaml_error(n, err, "'%.*s' is neither true nor false", (int)text.len,
                               text.p);
    return HALE_OK;
}

/* A number of seconds, or a duration like 3m. */
static enum hale_rc read_seconds(const struct hale_yaml_node *n, json_t **out,
                                 struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(n);
    int64_t s, ms;
    if (hale_str_i64(text, &s) != HALE_OK) {
        if (hale_str_duration_ms(text, &ms) != HALE_OK || ms % 1000 != 0)
            return hale_yaml_error(n, err, "whole seconds are wanted here, as 90 or 3m");
        s = ms / 1000;
    }
    *out = json_integer(s);
    return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc read_value(const struct hale_yaml_node *n, enum key_kind kind,
                               json_t **out, struct hale_err *err)
{
    enum hale_yaml_kind is = hale_yaml_kind(n);
    if (kind == KEY_BOOL)
        return read_bool(n, out, err);
    if (kind == KEY_SECONDS)
        return read_seconds(n, out, err);
    if (kind == KEY_TEXT) {
        if (is != HALE_YAML_SCALAR)
            return hale_yaml_error(n, err, "a text is wanted here");
        *out = text_json(hale_yaml_text(n));
        return *out != NULL ? HALE_OK : hale_yaml_error(n, err, "the text is not UTF-8");
    }
    if (is != HALE_YAML_LIST)
        return hale_yaml_error(n, err, "a list is wanted here, like [hostname]");
    *out = json_array();
    for (size_t i = 0; i < hale_yaml_count(n); i++) {
        const struct hale_yaml_node *item = hale_yaml_item(n, i);
        if (hale_yaml_kind(item) != HALE_YAML_SCALAR)
            return hale_yaml_error(item, err, "a text is wanted here");
        if (json_array_append_new(*out, text_json(hale_yaml_text(item))) != 0)
            return hale_yaml_error(item, err, "the text is not UTF-8");
    }
    return HALE_OK;
}

static enum hale_rc read_key(const struct hale_yaml_node *n, struct hale_str key,
                             json_t *body, struct hale_err *err)
{
    const char *names[N_KEYS + 1] = {NULL};
    for (size_t i = 0; i < N_KEYS; i++) {
        json_t *value = NULL;
        names[i] = keys[i].name;
        if (!hale_str_eq_c(key, keys[i].name))
            continue;
        enum hale_rc rc = read_value(n, keys[i].kind, &value, err);
        if (rc == HALE_OK)
            return json_object_set_new(body, keys[i].name, value) == 0
                       ? HALE_OK
                       : hale_err_set(err, HALE_E_NOMEM, "out of memory");
        json_decref(value);
        return rc;
    }
    const char *near = hale_str_suggest(key, names);
    return hale_yaml_error(n, err, "unknown key '%.*s'%s%s%s", (int)key.len, key.p,
                           near != NULL ? " - did you mean '" : "",
                           near != NULL ? near : "", near != NULL ? "'?" : "");
}

/* The value that the collector's words are about, so that the error names its line: they begin with its
 * key or speak of the expression. The definition itself when it is none of its values. */
static const struct hale_yaml_node *culprit(const struct hale_yaml_node *n,
                                            const char *text)
{
    const struct hale_yaml_node *value = NULL;
    for (size_t i = 0; i < N_KEYS && value == NULL; i++) {
        size_t len = strlen(keys[i].name);
        if (strncmp(text, keys[i].name, len) == 0 && text[len] == ' ')
            value = hale_yaml_get(n, keys[i].name);
    }
    if (value == NULL && strstr(text, " expression ") != NULL)
        value = hale_yaml_get(n, "expression");
    return value != NULL ? value : n;
}

static enum hale_rc read_definition(const struct hale_yaml_node *n, json_t *seen,
                                    json_t *all, struct hale_err *err)
{
    if (hale_yaml_kind(n) != HALE_YAML_MAP)
        return hale_yaml_error(n, err,
                               "an alarm definition (a map with name and expression) "
                               "is wanted here");
    json_t *body = json_object();
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < hale_yaml_count(n) && rc == HALE_OK; i++) {
        struct hale_str key;
        const struct hale_yaml_node *value = hale_yaml_pair(n, i, &key, NULL);
        rc = read_key(value, key, body, err);
    }
    if (rc == HALE_OK) {
        struct hale_definition *checked = NULL;
        struct hale_err why = {0};
        rc = hale_definition_from_api(body, NULL, false, &checked, &why);
        hale_definition_free(checked);
        if (rc != HALE_OK)
            rc = hale_yaml_error(culprit(n, why.text), err, "%s", why.text);
    }
    if (rc == HALE_OK) {
        const char *name = json_string_value(json_object_get(body, "name"));
        if (json_object_get(seen, name) != NULL)
            rc = hale_yaml_error(n, err, "the name '%s' stands twice in this file", name);
        else if (json_object_set_new(seen, name, json_true()) != 0 ||
                 json_array_append(all, body) != 0)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    json_decref(body);
    return rc;
}

enum hale_rc cli_definitions_list(const struct hale_yaml_node *list, json_t **out,
                                  struct hale_err *err)
{
    json_t *all = json_array(), *seen = json_object();
    enum hale_rc rc = HALE_OK;
    *out = NULL;
    for (size_t i = 0; i < hale_yaml_count(list) && rc == HALE_OK; i++)
        rc = read_definition(hale_yaml_item(list, i), seen, all, err);
    json_decref(seen);
    if (rc == HALE_OK)
        *out = all;
    else
        json_decref(all);
    return rc;
}

enum hale_rc cli_definitions_read(const struct hale_yaml_node *root, json_t **out,
                                  struct hale_err *err)
{
    const struct hale_yaml_node *list = hale_yaml_get(root, "alarm_definitions");
    *out = NULL;
    if (list == NULL || hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(root, err,
                               "a list 'alarm_definitions:' is wanted at the top");
    for (size_t i = 0; i < hale_yaml_count(root); i++) {
        struct hale_str key;
        const struct hale_yaml_node *value = hale_yaml_pair(root, i, &key, NULL);
        if (value != list)
            return hale_yaml_error(value, err,
                                   "only 'alarm_definitions:' may stand at the top");
    }
    return cli_definitions_list(list, out, err);
}

enum hale_rc cli_definitions_load(const char *path, json_t **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    if (rc == HALE_OK)
        rc = cli_definitions_read(hale_yaml_root(yaml), out, err);
    hale_yaml_free(yaml);
    return rc;
}
