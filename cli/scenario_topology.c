/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_topology - entities at the start and updates later, as the records of model/topology.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario.h"
#include "model/topology.h"

typedef const struct hale_yaml_node *NODE;

static enum hale_rc no_memory(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* Is it one that the correlator would take? */
static enum hale_rc check_update(NODE where, const json_t *update, struct hale_err *err)
{
    struct hale_topology_update u;
    struct hale_err why = {0};
    char *text = json_dumps(update, JSON_COMPACT);
    if (text == NULL)
        return no_memory(err);
    enum hale_rc rc = hale_topology_update_decode(hale_str_from(text), &u, &why);
    free(text);
    if (rc != HALE_OK)
        return hale_yaml_error(where, err, "topology: %s", why.text);
    hale_topology_update_fini(&u);
    return HALE_OK;
}

static enum hale_rc frame(struct cli_scenario *s, NODE where, int64_t at_ms,
                          json_t *update, struct hale_err *err)
{
    const char *key;
    json_t *list, *entity;
    size_t i;
    json_object_foreach (update, key, list)
        json_array_foreach (list, i, entity)
            if (json_is_object(entity) && json_object_get(entity, "source") == NULL)
                (void)json_object_set_new(entity, "source", json_string("scenario"));
    if (json_object_set_new(update, "v", json_integer(1)) != 0 ||
        json_object_set_new(update, "tenant", json_string(s->tenant)) != 0 ||
        json_object_set_new(update, "source", json_string("scenario")) != 0 ||
        json_object_set_new(update, "at_ms", json_integer(s->start_ms + at_ms)) != 0)
        return no_memory(err);
    return check_update(where, update, err);
}

enum hale_rc cli_scenario_update(struct cli_scenario *s, NODE map, int64_t at_ms,
                                 json_t **out, struct hale_err *err)
{
    static const char *const lists[] = {"put", "patch", "delete", NULL};
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "topology wants put, patch or delete");
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str key;
        NODE list = hale_yaml_pair(map, i, &key, NULL);
        unsigned k = 0;
        while (lists[k] != NULL && !hale_str_eq_c(key, lists[k]))
            k++;
        if (lists[k] == NULL)
            return hale_yaml_error(list, err,
                                   "topology wants put, patch or delete, got "
                                   "'%.*s'",
                                   (int)key.len, key.p);
    }
    enum hale_rc rc = cli_scenario_json(map, out, err);
    return rc == HALE_OK ? frame(s, map, at_ms, *out, err) : rc;
}

/* An entity with `repeat` becomes so many. */
static enum hale_rc repeat_all(NODE entities, json_t **list, struct hale_err *err)
{
    json_t *all = json_array(), *entity;
    size_t i;
    enum hale_rc rc = all != NULL ? HALE_OK : no_memory(err);
    json_array_foreach (*list, i, entity) {
        int64_t times = 1;
        const char *text = json_string_value(json_object_get(entity, "repeat"));
        if (rc == HALE_OK && text != NULL &&
            (hale_str_i64(hale_str_from(text), &times) != HALE_OK || times < 1 ||
             times > CLI_SCENARIO_REPEAT_MAX))
            rc = hale_yaml_error(hale_yaml_item(entities, i), err,
                                 "repeat: a number from 1 to %d is wanted",
                                 CLI_SCENARIO_REPEAT_MAX);
        (void)json_object_del(entity, "repeat");
        for (int64_t n = 1; rc == HALE_OK && n <= times; n++) {
            json_t *one = json_deep_copy(entity);
            rc = one != NULL ? cli_scenario_number(one, n, err) : no_memory(err);
            if (one != NULL && json_array_append_new(all, one) != 0)
                rc = no_memory(err);
        }
    }
    json_decref(*list);
    *list = all;
    return rc;
}

enum hale_rc cli_scenario_topology(struct cli_scenario *s, NODE entities,
                                   struct hale_err *err)
{
    json_t *list = NULL;
    if (entities == NULL || hale_yaml_kind(entities) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = cli_scenario_maps(entities, "topology", err);
    if (rc == HALE_OK)
        rc = cli_scenario_json(entities, &list, err);
    if (rc != HALE_OK) {
        json_decref(list);
        return rc;
    }
    rc = repeat_all(entities, &list, err);
    if (rc != HALE_OK) {
        json_decref(list);
        return rc;
    }
    s->topology = json_pack("{s:o}", "put", list);
    return s->topology != NULL ? frame(s, entities, 0, s->topology, err) : no_memory(err);
}
