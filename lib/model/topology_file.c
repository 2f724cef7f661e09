/* SPDX-License-Identifier: Apache-2.0 */
#include "model/topology_file.h"

#include <stdlib.h>
#include <string.h>

#include "model/json_util.h"
#include "model/topology.h"

static const char *const root_keys[] = {"source", "entities", NULL};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc unknown_key(const struct hale_yaml_node *n, struct hale_str key,
                                const char *const *keys, struct hale_err *err)
{
    const char *near = hale_str_suggest(key, keys);
    return hale_yaml_error(n, err, "unknown key '%.*s'%s%s%s", (int)key.len, key.p,
                           near != NULL ? " - did you mean '" : "",
                           near != NULL ? near : "", near != NULL ? "'?" : "");
}

/* ---- from YAML to the API's JSON ---- */

static enum hale_rc text(const struct hale_yaml_node *n, json_t **out,
                         struct hale_err *err)
{
    struct hale_str s = hale_yaml_text(n);
    if (hale_yaml_kind(n) != HALE_YAML_SCALAR)
        return hale_yaml_error(n, err, "a text is wanted here");
    *out = json_stringn(s.p != NULL ? s.p : "", s.len);
    return *out != NULL ? HALE_OK : hale_yaml_error(n, err, "the text is not UTF-8");
}

/* A list of texts, or one that stands alone. */
static enum hale_rc texts(const struct hale_yaml_node *n, json_t **out,
                          struct hale_err *err)
{
    json_t *one = NULL;
    enum hale_rc rc = HALE_OK;
    *out = json_array();
    if (hale_yaml_kind(n) == HALE_YAML_SCALAR) {
        rc = text(n, &one, err);
        return rc == HALE_OK && json_array_append_new(*out, one) != 0 ? nomem(err) : rc;
    }
    if (hale_yaml_kind(n) != HALE_YAML_LIST)
        return hale_yaml_error(n, err,
                               "a list of references is wanted here, like "
                               "[host/compute-1]");
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(n); i++) {
        rc = text(hale_yaml_item(n, i), &one, err);
        if (rc == HALE_OK && json_array_append_new(*out, one) != 0)
            rc = nomem(err);
    }
    return rc;
}

static enum hale_rc text_map(const struct hale_yaml_node *n, json_t **out,
                             struct hale_err *err)
{
    struct hale_str key;
    json_t *one = NULL;
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(n) != HALE_YAML_MAP)
        return hale_yaml_error(n, err, "a map is wanted here, like {hostname: h1}");
    *out = json_object();
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(n); i++) {
        rc = text(hale_yaml_pair(n, i, &key, NULL), &one, err);
        if (rc == HALE_OK && json_object_setn_new(*out, key.p, key.len, one) != 0)
            rc = nomem(err);
    }
    return rc;
}

/* One map, or a list of them. */
static enum hale_rc match(const struct hale_yaml_node *n, json_t **out,
                          struct hale_err *err)
{
    json_t *one = NULL;
    enum hale_rc rc = HALE_OK;
    bool list = hale_yaml_kind(n) == HALE_YAML_LIST;
    size_t count = list ? hale_yaml_count(n) : 1;
    *out = json_array();
    for (size_t i = 0; rc == HALE_OK && i < count; i++) {
        rc = text_map(list ? hale_yaml_item(n, i) : n, &one, err);
        if (rc == HALE_OK && json_array_append_new(*out, one) != 0)
            rc = nomem(err);
        else if (rc != HALE_OK)
            json_decref(one);
        one = NULL;
    }
    return rc;
}

/* name: {any: [...]} or {all: [...]} */
static enum hale_rc group(const struct hale_yaml_node *n, struct hale_str name,
                          json_t **out, struct hale_err *err)
{
    static const char *const modes[] = {"any", "all", NULL};
    struct hale_str mode = {NULL, 0};
    json_t *on = NULL;
    if (hale_yaml_kind(n) != HALE_YAML_MAP || hale_yaml_count(n) != 1)
        return hale_yaml_error(
            n, err,
            "a group is {any: [...]} (needs one of them) or {all: [...]} (needs "
            "every one)");
    const struct hale_yaml_node *refs = hale_yaml_pair(n, 0, &mode, NULL);
    if (!hale_str_eq_c(mode, "any") && !hale_str_eq_c(mode, "all"))
        return unknown_key(n, mode, modes, err);
    enum hale_rc rc = texts(refs, &on, err);
    if (rc != HALE_OK) {
        json_decref(on);
        return rc;
    }
    *out = json_pack("{s:s%,s:s%,s:o}", "group", name.p, name.len, "mode", mode.p,
                     mode.len, "on", on);
    return *out != NULL ? HALE_OK : nomem(err);
}

static enum hale_rc depends_on(const struct hale_yaml_node *n, json_t **out,
                               struct hale_err *err)
{
    struct hale_str name;
    json_t *one = NULL;
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(n) != HALE_YAML_MAP)
        return hale_yaml_error(n, err,
                               "groups are wanted here, like {uplinks: {any: [switch/s1, "
                               "switch/s2]}}");
    *out = json_array();
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(n); i++) {
        const struct hale_yaml_node *g = hale_yaml_pair(n, i, &name, NULL);
        rc = group(g, name, &one, err);
        if (rc == HALE_OK && json_array_append_new(*out, one) != 0)
            rc = nomem(err);
    }
    return rc;
}

typedef enum hale_rc value_fn(const struct hale_yaml_node *n, json_t **out,
                              struct hale_err *err);
static const struct {
    const char *key;
    value_fn *read;
} keys[] = {{"type", text},       {"id", text},        {"name", text},
            {"state", text},      {"match", match},    {"attributes", text_map},
            {"hosted_by", texts}, {"connects", texts}, {"depends_on", depends_on}};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static enum hale_rc read_key(const struct hale_yaml_node *n, struct hale_str key,
                             json_t *entity, struct hale_err *err)
{
    const char *names[N_KEYS + 1] = {NULL};
    for (size_t i = 0; i < N_KEYS; i++) {
        json_t *value = NULL;
        names[i] = keys[i].key;
        if (!hale_str_eq_c(key, keys[i].key))
            continue;
        enum hale_rc rc = keys[i].read(n, &value, err);
        if (rc == HALE_OK)
            return json_object_set_new(entity, keys[i].key, value) == 0 ? rc : nomem(err);
        json_decref(value);
        return rc;
    }
    return unknown_key(n, key, names, err);
}

/* The node that the place of an error ("depends_on[1].on[0]: ...") is about, as far as it goes. */
static const struct hale_yaml_node *culprit(const struct hale_yaml_node *n,
                                            const char *place)
{
    char key[32];
    size_t len = strcspn(place, "[.:");
    if (len >= sizeof(key))
        return n;
    memcpy(key, place, len);
    key[len] = '\0';
    const struct hale_yaml_node *value = hale_yaml_get(n, key);
    if (value == NULL)
        return n;
    size_t i = place[len] == '[' ? (size_t)strtoul(place + len + 1, NULL, 10) : 0;
    struct hale_str name;
    if (place[len] != '[' || i >= hale_yaml_count(value))
        return value;
    return hale_yaml_kind(value) == HALE_YAML_MAP ? hale_yaml_pair(value, i, &name, NULL)
                                                  : hale_yaml_item(value, i);
}

static enum hale_rc read_entity(const struct hale_yaml_node *n, json_t *list,
                                struct hale_err *err)
{
    struct hale_str key;
    struct hale_entity e;
    struct hale_err why = {0};
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(n) != HALE_YAML_MAP)
        return hale_yaml_error(n, err, "an entity is a map with type and id");
    json_t *entity = json_object();
    if (entity == NULL || json_array_append_new(list, entity) != 0)
        return nomem(err);
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(n); i++) {
        const struct hale_yaml_node *value = hale_yaml_pair(n, i, &key, NULL);
        rc = read_key(value, key, entity, err);
    }
    if (rc != HALE_OK)
        return rc;
    rc = hale_entity_from_json(entity, &e, &why);
    hale_entity_fini(&e);
    if (rc == HALE_E_INVAL)
        return hale_yaml_error(culprit(n, why.text), err, "%s", why.text);
    return rc == HALE_OK ? rc : nomem(err);
}

static enum hale_rc read_root(const struct hale_yaml_node *root, json_t *body,
                              json_t *list, struct hale_err *err)
{
    struct hale_str key;
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(root); i++) {
        const struct hale_yaml_node *n = hale_yaml_pair(root, i, &key, NULL);
        if (hale_str_eq_c(key, "source")) {
            struct hale_str s = hale_yaml_text(n);
            if (!hale_topology_source_ok(s))
                return hale_yaml_error(
                    n, err, "a source is a word of 1 to %d of letters, digits and ._:@-",
                    HALE_TOPOLOGY_SOURCE_MAX);
            if (json_object_set_new(body, "source", json_stringn(s.p, s.len)) != 0)
                return nomem(err);
        } else if (!hale_str_eq_c(key, "entities")) {
            return unknown_key(n, key, root_keys, err);
        } else if (hale_yaml_kind(n) != HALE_YAML_LIST &&
                   hale_yaml_kind(n) != HALE_YAML_NULL) {
            return hale_yaml_error(n, err, "a list of entities is wanted here");
        } else {
            for (size_t k = 0; rc == HALE_OK && k < hale_yaml_count(n); k++)
                rc = read_entity(hale_yaml_item(n, k), list, err);
        }
    }
    return rc;
}

enum hale_rc hale_topology_file_read(const struct hale_yaml_node *root, json_t **out,
                                     struct hale_err *err)
{
    *out = NULL;
    if (hale_yaml_kind(root) != HALE_YAML_MAP || hale_yaml_get(root, "entities") == NULL)
        return hale_yaml_error(root, err, "a map with the key 'entities' is wanted");
    json_t *list = json_array();
    json_t *body = json_pack("{s:s,s:o}", "source", "file", "put", list);
    if (body == NULL)
        return nomem(err);
    enum hale_rc rc = read_root(root, body, list, err);
    if (rc == HALE_OK)
        *out = body;
    else
        json_decref(body);
    return rc;
}

/* ---- and back ---- */

static void add_text(struct hale_buf *out, const char *key, const json_t *v)
{
    if (v == NULL)
        return;
    hale_buf_printf(out, "%s: ", key);
    hale_buf_add_json(out,
                      (struct hale_str){json_string_value(v), json_string_length(v)});
    hale_buf_add_char(out, '\n');
}

static void add_flow(struct hale_buf *out, const char *key, json_t *v)
{
    if (v == NULL)
        return;
    hale_buf_printf(out, "    %s: ", key);
    if (!hale_json_write(v, out))
        out->failed = true;
    hale_buf_add_char(out, '\n');
}

static void add_groups(struct hale_buf *out, json_t *groups)
{
    size_t i;
    json_t *g;
    if (json_array_size(groups) == 0) {
        hale_buf_add_c(out, groups != NULL ? "    depends_on: {}\n" : "");
        return;
    }
    hale_buf_add_c(out, "    depends_on:\n");
    json_array_foreach (groups, i, g) {
        hale_buf_add_c(out, "      ");
        hale_buf_add_json(out,
                          hale_str_from(json_string_value(json_object_get(g, "group"))));
        hale_buf_printf(out, ": {%s: ", json_string_value(json_object_get(g, "mode")));
        if (!hale_json_write(json_object_get(g, "on"), out))
            out->failed = true;
        hale_buf_add_c(out, "}\n");
    }
}

void hale_topology_file_write(const json_t *entities, const char *source,
                              struct hale_buf *out)
{
    size_t i;
    json_t *e;
    hale_buf_add_c(out, "source: ");
    hale_buf_add_json(out, hale_str_from(source));
    hale_buf_add_c(out, "\nentities:\n");
    json_array_foreach (entities, i, e) {
        add_text(out, "  - type", json_object_get(e, "type"));
        add_text(out, "    id", json_object_get(e, "id"));
        add_text(out, "    name", json_object_get(e, "name"));
        add_text(out, "    state", json_object_get(e, "state"));
        add_flow(out, "match", json_object_get(e, "match"));
        add_flow(out, "attributes", json_object_get(e, "attributes"));
        add_flow(out, "hosted_by", json_object_get(e, "hosted_by"));
        add_groups(out, json_object_get(e, "depends_on"));
        add_flow(out, "connects", json_object_get(e, "connects"));
    }
}
