/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_vim.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "actuator/read.h"
#include "actuator/template.h"

#define DAY_MS   86400000.0
#define NODE     const struct hale_yaml_node *
#define ARGS_MAX 12

struct vim_raw {
    char *cloud;
    int action;
    int64_t timeout, poll, retries, parallel;
    char *text[ARGS_MAX];
    int word[ARGS_MAX];
    NODE input;
};
#define V(member) offsetof(struct vim_raw, member)
static const struct hale_conf_field COMMON[] = {
    {"cloud", HALE_CONF_STRING, V(cloud), true, NULL, 0, 0, NULL, "name in 'clouds'"},
    {"action", HALE_CONF_ENUM, V(action), true, NULL, 0, 0, NULL, "what to do"},
    {"timeout", HALE_CONF_DURATION, V(timeout), false, "5m", 100, DAY_MS, NULL,
     "whole step"},
    {"poll", HALE_CONF_DURATION, V(poll), false, "1s", 10, 60000, NULL, "state asked"},
    {"retries", HALE_CONF_INT, V(retries), false, "3", 0, 20, NULL, "repeats of a call"},
    {"parallel", HALE_CONF_INT, V(parallel), false, "8", 1, 64, NULL, "things at once"},
};
#define N_COMMON   (sizeof(COMMON) / sizeof(COMMON[0]))
#define FIELDS_MAX (N_COMMON + ARGS_MAX + 1)

struct table {
    struct hale_conf_field field[FIELDS_MAX];
    const char *action[ACTUATOR_VIM_ACTIONS_MAX + 1];
    size_t n;
};

static void make_table(const struct actuator_vim_driver *driver, struct table *t)
{
    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < ACTUATOR_VIM_ACTIONS_MAX && driver->actions[i].name != NULL;
         i++)
        t->action[i] = driver->actions[i].name;
    for (; t->n < N_COMMON; t->n++)
        t->field[t->n] = COMMON[t->n];
    if (driver->of_cluster) {
        t->field[0].key = "cluster";
        t->field[0].help = "name in 'clusters'";
    }
    t->field[1].choices = t->action;
    for (size_t i = 0; i < ARGS_MAX && driver->keys[i].name != NULL; i++) {
        const struct actuator_vim_key *key = &driver->keys[i];
        bool text = key->words == NULL;
        t->field[t->n++] = (struct hale_conf_field){
            .key = key->name,
            .type = text ? HALE_CONF_STRING : HALE_CONF_ENUM,
            .offset = text ? V(text) + i * sizeof(char *) : V(word) + i * sizeof(int),
            .fallback = text ? NULL : key->words[0],
            .choices = key->words,
            .help = "see docs/formats/policies.md"};
    }
    if (driver->has_input)
        t->field[t->n++] = (struct hale_conf_field){.key = "input",
                                                    .type = HALE_CONF_NODE,
                                                    .offset = V(input),
                                                    .help = "map of plain values"};
}

/* key is one of the words of "a|b" */
static bool is_one_of(const char *words, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = words; at != NULL;) {
        const char *bar = strchr(at, '|');
        size_t len = bar != NULL ? (size_t)(bar - at) : strlen(at);
        if (len == n && memcmp(at, key, n) == 0)
            return true;
        at = bar != NULL ? bar + 1 : NULL;
    }
    return false;
}

static bool takes(const struct actuator_vim_action *action, const char *key)
{
    for (size_t i = 0; i < 6 && action->need[i] != NULL; i++)
        if (is_one_of(action->need[i], key))
            return true;
    for (size_t i = 0; i < 8 && action->may[i] != NULL; i++)
        if (strcmp(action->may[i], key) == 0)
            return true;
    return false;
}

static enum hale_rc check_keys(NODE map, const struct actuator_vim_driver *driver,
                               const struct actuator_vim_action *action,
                               struct hale_err *err)
{
    for (size_t i = 0; i < ARGS_MAX && driver->keys[i].name != NULL; i++) {
        NODE node = hale_yaml_get(map, driver->keys[i].name);
        if (node != NULL && !takes(action, driver->keys[i].name))
            return hale_yaml_error(node, err, "%s: key '%s' does not belong to action %s",
                                   driver->type, driver->keys[i].name, action->name);
    }
    for (size_t i = 0; i < 6 && action->need[i] != NULL; i++) {
        unsigned given = 0;
        for (size_t k = 0; k < ARGS_MAX && driver->keys[k].name != NULL; k++)
            given += is_one_of(action->need[i], driver->keys[k].name) &&
                             hale_yaml_get(map, driver->keys[k].name) != NULL
                         ? 1u
                         : 0u;
        if (given != 1)
            return hale_yaml_error(
                map, err, "%s: action %s needs %s'%s'", driver->type, action->name,
                strchr(action->need[i], '|') != NULL ? "exactly one of " : "key ",
                action->need[i]);
    }
    return HALE_OK;
}

static enum hale_rc add_args(NODE map, const struct actuator_vim_driver *driver,
                             const struct actuator_vim_action *action,
                             const struct vim_raw *raw, json_t *args,
                             struct hale_err *err)
{
    struct hale_err wrong;
    for (size_t i = 0; i < ARGS_MAX && driver->keys[i].name != NULL; i++) {
        const struct actuator_vim_key *key = &driver->keys[i];
        const char *text = key->words != NULL ? key->words[raw->word[i]] : raw->text[i];
        if (!takes(action, key->name) || text == NULL)
            continue;
        if (*text == '\0')
            return hale_yaml_error(hale_yaml_get(map, key->name), err,
                                   "%s must not be empty", key->name);
        if (actuator_template_check(hale_str_from(text), &wrong) != HALE_OK)
            return hale_yaml_error(hale_yaml_get(map, key->name), err, "%s: %s",
                                   key->name, wrong.text);
        if (json_object_set_new(args, key->name, json_string(text)) != 0)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    return HALE_OK;
}

static enum hale_rc add_input(NODE node, json_t *args, struct hale_err *err)
{
    struct hale_err wrong;
    json_t *input = NULL;
    if (hale_yaml_kind(node) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_read_map(node, "input", false, &input, err);
    if (rc == HALE_OK && actuator_template_check_json(input, &wrong) != HALE_OK)
        rc = hale_yaml_error(node, err, "input: %s", wrong.text);
    if (rc == HALE_OK && json_object_set(args, "input", input) != 0)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    json_decref(input);
    return rc;
}

enum hale_rc actuator_policy_read_vim(NODE map, const struct actuator_vim_driver *driver,
                                      struct actuator_step *s, struct hale_err *err)
{
    struct table t;
    struct vim_raw raw = {0};
    make_table(driver, &t);
    s->type = ACTUATOR_VIM;
    s->kind = driver->type;
    s->line = hale_yaml_line(map);
    enum hale_rc rc = hale_conf_read(map, t.field, t.n, &raw, err);
    if (rc != HALE_OK)
        return rc;
    const struct actuator_vim_action *action = &driver->actions[raw.action];
    s->action = action->name;
    s->timeout_ms = raw.timeout;
    s->poll_ms = raw.poll;
    s->retries = raw.retries;
    s->parallel = raw.parallel;
    s->cloud = raw.cloud;
    raw.cloud = NULL;
    s->body = json_object();
    if (s->body == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK)
        rc = check_keys(map, driver, action, err);
    if (rc == HALE_OK)
        rc = add_args(map, driver, action, &raw, s->body, err);
    if (rc == HALE_OK)
        rc = add_input(raw.input, s->body, err);
    const char *wrong = rc == HALE_OK && driver->check != NULL
                            ? driver->check(action->name, s->body)
                            : NULL;
    if (wrong != NULL)
        rc = hale_yaml_error(map, err, "%s: %s", driver->type, wrong);
    hale_conf_fini(t.field, t.n, &raw);
    return rc;
}
