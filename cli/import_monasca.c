/* SPDX-License-Identifier: Apache-2.0 */
/* import_monasca - the JSON of Monasca's alarm definitions. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/import.h"

static const char *const taken[] = {
    "name", "expression", "description", "severity", "match_by", "actions_enabled", NULL};
/* Ids and texts that the server makes itself. */
static const char *const made[] = {
    "id",         "links",      "deterministic",   "created_at",
    "updated_at", "deleted_at", "expression_data", NULL};
static const char *const actions[] = {"alarm_actions", "ok_actions",
                                      "undetermined_actions", NULL};

static bool is_one_of(const char *key, const char *const *words)
{
    while (*words != NULL && strcmp(*words, key) != 0)
        words++;
    return *words != NULL;
}

/* Null is absent; a single match_by may stand without a list. */
static json_t *clean(const char *key, json_t *value)
{
    if (strcmp(key, "match_by") == 0 && json_is_string(value))
        return json_string_length(value) > 0 ? json_pack("[O]", value) : json_array();
    return json_incref(value);
}

static enum hale_rc take_one(struct cli_import *i, const char *source, size_t index,
                             json_t *from)
{
    char place[600];
    const char *key;
    json_t *value, *body = json_object();
    (void)snprintf(place, sizeof(place), "%s: definition %zu '%.200s'", source, index + 1,
                   cli_text(from, "name"));
    if (!json_is_object(from)) {
        cli_import_note(i, place, "left out: it is not an object");
        i->left_out++;
        json_decref(body);
        return HALE_OK;
    }
    json_object_foreach (from, key, value) {
        if (json_is_null(value) || is_one_of(key, made))
            continue;
        if (is_one_of(key, taken))
            (void)json_object_set_new(body, key, clean(key, value));
        else if (is_one_of(key, actions) && json_array_size(value) > 0)
            cli_import_note(i, place,
                            "%s: %zu notification method%s of the other system; make "
                            "them here (notification-create) and name them by their new "
                            "ids",
                            key, json_array_size(value),
                            json_array_size(value) == 1 ? "" : "s");
        else if (!is_one_of(key, actions))
            cli_import_note(i, place, "'%.60s' has no counterpart", key);
    }
    enum hale_rc rc = body != NULL ? cli_import_add(i, place, body) : HALE_E_NOMEM;
    json_decref(body);
    return rc;
}

enum hale_rc cli_import_monasca(struct hale_str text, const char *source,
                                struct cli_import *out, struct hale_err *err)
{
    json_error_t wrong;
    json_t *root = json_loadb(text.p != NULL ? text.p : "", text.len,
                              JSON_REJECT_DUPLICATES, &wrong);
    if (root == NULL)
        return hale_err_at(err, HALE_E_INVAL, source, wrong.line, wrong.column,
                           "not JSON: %.200s", wrong.text);
    json_t *list = json_is_object(root) ? json_object_get(root, "elements") : root, *from;
    size_t k;
    enum hale_rc rc = HALE_OK;
    if (json_is_object(root) && list == NULL &&
        json_object_get(root, "expression") != NULL)
        rc = take_one(out, source, 0, root);
    else if (!json_is_array(list))
        rc = hale_err_at(err, HALE_E_INVAL, source, 0, 0,
                         "a list of alarm definitions, or an object with 'elements', is "
                         "wanted: monasca --json alarm-definition-list");
    else
        json_array_foreach (list, k, from)
            if (rc == HALE_OK)
                rc = take_one(out, source, k, from);
    json_decref(root);
    return rc == HALE_E_NOMEM ? hale_err_set(err, rc, "out of memory") : rc;
}
