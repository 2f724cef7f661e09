/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_exec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/exec.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"
#include "actuator/template.h"

#define N(fields)     (sizeof(fields) / sizeof((fields)[0]))
#define NODE          const struct hale_yaml_node *
#define ARG_MAX_BYTES 4096
#define ALLOWED_MAX   256

struct exec_raw {
    char *command, *input;
    NODE args;
    NODE check;
    int64_t timeout, retries;
    bool idempotent;
};
#define E(member) offsetof(struct exec_raw, member)
static const struct hale_conf_field EXEC_FIELDS[] = {
    {"command", HALE_CONF_STRING, E(command), true, NULL, 0, 0, NULL,
     "path of the executable"},
    {"args", HALE_CONF_NODE, E(args), false, NULL, 0, 0, NULL, "list of its arguments"},
    {"input", HALE_CONF_STRING, E(input), false, NULL, 0, 0, NULL,
     "JSON text that it reads"},
    {"timeout", HALE_CONF_DURATION, E(timeout), false, "30s", 100, 86400000, NULL,
     "one try"},
    {"retries", HALE_CONF_INT, E(retries), false, "0", 0, 20, NULL, "repeats"},
    {"check", HALE_CONF_NODE, E(check), false, NULL, 0, 0, NULL,
     "path and arguments of what says whether it is done (exit code 0) or not (1)"},
    {"idempotent", HALE_CONF_BOOL, E(idempotent), false, "no", 0, 0, NULL,
     "may be run again when nobody knows how it ended"},
};

bool actuator_policy_exec_path(const char *path)
{
    return path[0] == '/' && strlen(path) < ACTUATOR_EXEC_PATH_MAX &&
           strstr(path, "${") == NULL && strstr(path, "//") == NULL &&
           strstr(path, "/./") == NULL && strstr(path, "/../") == NULL &&
           path[strlen(path) - 1] != '/';
}

bool actuator_policy_exec_allowed(const char *path, const struct hale_strings *allowed)
{
    for (unsigned i = 0; i < allowed->n; i++)
        if (strcmp(allowed->v[i], path) == 0)
            return true;
    return false;
}

const char *actuator_policy_exec_missing(const struct actuator_step *s,
                                         const struct hale_strings *allowed)
{
    const json_t *const lists[] = {s->argv, s->check};
    for (size_t i = 0; i < 2; i++) {
        const char *path = json_string_value(json_array_get(lists[i], 0));
        if (path != NULL && !actuator_policy_exec_allowed(path, allowed))
            return path;
    }
    return NULL;
}

static enum hale_rc check_path(NODE node, const char *key, const char *path,
                               struct hale_err *err)
{
    if (actuator_policy_exec_path(path))
        return HALE_OK;
    return hale_yaml_error(node, err,
                           "exec: %s must be the whole path of an executable, without "
                           "variables: /usr/local/bin/...",
                           key);
}

static enum hale_rc add_words(NODE list, const char *key, json_t *out,
                              struct hale_err *err)
{
    struct hale_err wrong;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(
            list, err,
            "exec: %s must be a list, each argument by itself: nothing is split", key);
    for (size_t i = 0; i < hale_yaml_count(list); i++) {
        NODE item = hale_yaml_item(list, i);
        struct hale_str text = hale_yaml_text(item);
        if (hale_yaml_kind(item) != HALE_YAML_SCALAR || text.len > ARG_MAX_BYTES ||
            (text.len > 0 && memchr(text.p, '\0', text.len) != NULL))
            return hale_yaml_error(item, err,
                                   "exec: %s: an argument is a text of at most %d bytes",
                                   key, ARG_MAX_BYTES);
        if (actuator_template_check(text, &wrong) != HALE_OK)
            return hale_yaml_error(item, err, "exec: %s: %s", key, wrong.text);
        if (json_array_size(out) >= ACTUATOR_EXEC_ARGS_MAX)
            return hale_yaml_error(list, err, "exec: %s: at most %d arguments", key,
                                   ACTUATOR_EXEC_ARGS_MAX - 1);
        if (json_array_append_new(
                out, json_stringn(text.len > 0 ? text.p : "", text.len)) != 0)
            return hale_yaml_error(item, err, "exec: %s is not UTF-8", key);
    }
    return HALE_OK;
}

static enum hale_rc read_check(NODE map, NODE list, struct actuator_step *s,
                               struct hale_err *err)
{
    if (list == NULL)
        return HALE_OK;
    s->check = json_array();
    enum hale_rc rc = s->check != NULL ? add_words(list, "check", s->check, err)
                                       : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc != HALE_OK)
        return rc;
    const char *path = json_string_value(json_array_get(s->check, 0));
    return check_path(hale_yaml_get(map, "check"), "the first of check",
                      path != NULL ? path : "", err);
}

enum hale_rc actuator_policy_read_exec(NODE map, struct actuator_step *s,
                                       struct hale_err *err)
{
    struct exec_raw raw = {0};
    s->type = ACTUATOR_EXEC;
    s->line = hale_yaml_line(map);
    enum hale_rc rc = hale_conf_read(map, EXEC_FIELDS, N(EXEC_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    s->timeout_ms = raw.timeout;
    s->retries = raw.retries;
    s->idempotent = raw.idempotent;
    rc = check_path(hale_yaml_get(map, "command"), "command", raw.command, err);
    s->argv = json_array();
    if (rc == HALE_OK && json_array_append_new(s->argv, json_string(raw.command)) != 0)
        rc = hale_yaml_error(map, err, "exec: command is not UTF-8");
    if (rc == HALE_OK)
        rc = add_words(raw.args, "args", s->argv, err);
    if (rc == HALE_OK)
        rc = read_check(map, raw.check, s, err);
    if (rc == HALE_OK)
        rc = actuator_policy_read_json(map, "input", raw.input, &s->body, err);
    hale_conf_fini(EXEC_FIELDS, N(EXEC_FIELDS), &raw);
    return rc;
}

enum hale_rc actuator_policy_plan_exec(const struct actuator_step *s, const json_t *vars,
                                       json_t **out, char *missing)
{
    json_t *argv = NULL, *check = NULL, *body = NULL;
    enum hale_rc rc = actuator_template_json(s->argv, vars, &argv, missing);
    if (rc == HALE_OK && s->check != NULL)
        rc = actuator_template_json(s->check, vars, &check, missing);
    if (rc == HALE_OK && s->body != NULL)
        rc = actuator_template_json(s->body, vars, &body, missing);
    if (rc == HALE_OK) {
        *out = json_pack("{s:s,s:O,s:O*,s:O*,s:I,s:I,s:b}", "type", "exec", "argv", argv,
                         "check", check, "body", body, "timeout_ms",
                         (json_int_t)s->timeout_ms, "retries", (json_int_t)s->retries,
                         "idempotent", (int)s->idempotent);
        rc = *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    json_decref(argv);
    json_decref(check);
    json_decref(body);
    return rc;
}

static enum hale_rc add_allowed(NODE item, void *arg, struct hale_err *err)
{
    struct hale_strings *out = arg;
    struct hale_str text = hale_yaml_text(item);
    char *path = strndup(text.len > 0 ? text.p : "", text.len);
    if (path == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = check_path(item, "allow_exec", path, err);
    if (rc == HALE_OK && out->n >= ALLOWED_MAX)
        rc =
            hale_yaml_error(item, err, "allow_exec: at most %d executables", ALLOWED_MAX);
    if (rc != HALE_OK) {
        free(path);
        return rc;
    }
    char **grown = realloc(out->v, (out->n + 1) * sizeof(*out->v));
    if (grown == NULL) {
        free(path);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    out->v = grown;
    out->v[out->n++] = path;
    return HALE_OK;
}

enum hale_rc actuator_policy_read_allow_exec(NODE node, struct hale_strings *out,
                                             struct hale_err *err)
{
    if (hale_yaml_kind(node) == HALE_YAML_NULL ||
        (hale_yaml_kind(node) == HALE_YAML_LIST && hale_yaml_count(node) == 0))
        return HALE_OK;
    return actuator_read_each(node, "allow_exec", err, add_allowed, out);
}
