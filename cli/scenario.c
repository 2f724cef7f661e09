/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "cli/definitions.h"
#include "cli/import.h"
#include "correlator/conf.h"
#include "thresholds/engine.h"

#define START_DEFAULT "2024-01-01T00:00:00Z"
#define PATH_BYTES    4096
#define RULES_BYTES   (16u << 20)

typedef const struct hale_yaml_node *NODE;

struct raw {
    char *scenario, *about, *tenant, *start;
    int64_t length_ms, interval_ms, late_wait_ms;
    NODE correlator, topology, alarm_definitions, definitions, policies, policies_file,
        scaling, rules, answers;
    NODE looks, series, events, ops, expect;
};
#define FIELD(key, type, member, fallback, min, max, help)                               \
    {                                                                                    \
        key, type, offsetof(struct raw, member), false, fallback, min, max, NULL, help   \
    }
#define NODE_FIELD(key, member, help) FIELD(key, HALE_CONF_NODE, member, NULL, 0, 0, help)

static const struct hale_conf_field fields[] = {
    FIELD("scenario", HALE_CONF_STRING, scenario, NULL, 0, 0, "what it shows"),
    FIELD("about", HALE_CONF_STRING, about, NULL, 0, 0, "why"),
    FIELD("tenant", HALE_CONF_STRING, tenant, "lab", 0, 0, "owner of all that is in it"),
    FIELD("start", HALE_CONF_STRING, start, START_DEFAULT, 0, 0, "the clock's 0s"),
    FIELD("length", HALE_CONF_DURATION, length_ms, "0s", 0,
          (double)CLI_SCENARIO_LENGTH_MAX_MS, "0s: as far as anything is said"),
    FIELD("interval", HALE_CONF_DURATION, interval_ms, "1m", 1, 86400000,
          "between two values of a series"),
    FIELD("late_wait", HALE_CONF_DURATION, late_wait_ms, "30s", 0,
          (double)THRESHOLDS_LATE_WAIT_MAX_MS, "as of hale-thresholds"),
    NODE_FIELD("correlator", correlator, "keys of correlator.yaml"),
    NODE_FIELD("topology", topology, "entities"),
    NODE_FIELD("alarm_definitions", alarm_definitions, "definitions"),
    NODE_FIELD("definitions", definitions, "files of definitions"),
    NODE_FIELD("rules", rules, "files of Prometheus' rules"),
    NODE_FIELD("policies", policies, "policies"),
    NODE_FIELD("policies_file", policies_file, "a file of policies"),
    NODE_FIELD("scaling", scaling, "scaling policies"),
    NODE_FIELD("looks", looks, "what the looks at scaling policies find"),
    NODE_FIELD("answers", answers, "what those answer whom the actuator calls"),
    NODE_FIELD("series", series, "samples"),
    NODE_FIELD("events", events, "fault events"),
    NODE_FIELD("do", ops, "commands and restarts"),
    NODE_FIELD("expect", expect, "what must come out"),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* --- pieces ------------------------------------------------------------------------ */

static enum hale_rc no_memory(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

enum hale_rc cli_scenario_maps(NODE list, const char *what, struct hale_err *err)
{
    if (list == NULL || hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "%s: a list is wanted here ('- ...')", what);
    for (size_t i = 0; i < hale_yaml_count(list); i++) {
        NODE item = hale_yaml_item(list, i);
        if (hale_yaml_kind(item) != HALE_YAML_MAP)
            return hale_yaml_error(item, err, "%s: a map is wanted here ('key: value')",
                                   what);
    }
    return HALE_OK;
}

static bool set_text(json_t *object, struct hale_str key, struct hale_str value)
{
    char *name = strndup(key.p != NULL ? key.p : "", key.len);
    bool ok =
        name != NULL &&
        json_object_set_new(object, name,
                            json_stringn(value.p != NULL ? value.p : "", value.len)) == 0;
    free(name);
    return ok;
}

enum hale_rc cli_scenario_map(NODE map, json_t **out, struct hale_err *err)
{
    *out = json_object();
    if (*out == NULL)
        return no_memory(err);
    if (map == NULL || hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "a map is wanted here, like {hostname: h1}");
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str key, text;
        NODE value = hale_yaml_pair(map, i, &key, NULL);
        text = hale_yaml_text(value);
        if (hale_yaml_kind(value) != HALE_YAML_SCALAR)
            return hale_yaml_error(value, err, "a text is wanted here");
        if (!set_text(*out, key, text))
            return hale_yaml_error(value, err, "the text is not UTF-8");
    }
    return HALE_OK;
}

enum hale_rc cli_scenario_texts(NODE node, json_t **out, struct hale_err *err)
{
    *out = json_array();
    if (*out == NULL)
        return no_memory(err);
    if (node == NULL || hale_yaml_kind(node) == HALE_YAML_NULL)
        return HALE_OK;
    bool one = hale_yaml_kind(node) == HALE_YAML_SCALAR;
    if (!one && hale_yaml_kind(node) != HALE_YAML_LIST)
        return hale_yaml_error(node, err, "a text or a list of texts is wanted here");
    size_t n = one ? 1 : hale_yaml_count(node);
    for (size_t i = 0; i < n; i++) {
        NODE item = one ? node : hale_yaml_item(node, i);
        struct hale_str text = hale_yaml_text(item);
        if (hale_yaml_kind(item) != HALE_YAML_SCALAR ||
            json_array_append_new(
                *out, json_stringn(text.p != NULL ? text.p : "", text.len)) != 0)
            return hale_yaml_error(item, err, "a text is wanted here");
    }
    return HALE_OK;
}

static enum hale_rc number_text(json_t *text, int64_t n, struct hale_err *err)
{
    const char *p = json_string_value(text), *mark;
    struct hale_buf b;
    if (strstr(p, "${n}") == NULL)
        return HALE_OK;
    hale_buf_init(&b, 65536);
    while ((mark = strstr(p, "${n}")) != NULL) {
        hale_buf_add(&b, p, (size_t)(mark - p));
        hale_buf_printf(&b, "%lld", (long long)n);
        p = mark + strlen("${n}");
    }
    hale_buf_add_c(&b, p);
    enum hale_rc rc =
        !b.failed && json_string_set(text, b.p) == 0 ? HALE_OK : no_memory(err);
    hale_buf_fini(&b);
    return rc;
}

enum hale_rc cli_scenario_number(json_t *value, int64_t n, struct hale_err *err)
{
    const char *key;
    json_t *item;
    size_t i;
    enum hale_rc rc = HALE_OK;
    if (json_is_string(value))
        return number_text(value, n, err);
    if (json_is_array(value)) {
        json_array_foreach (value, i, item)
            rc = rc == HALE_OK ? cli_scenario_number(item, n, err) : rc;
    } else {
        json_object_foreach (value, key, item)
            rc = rc == HALE_OK ? cli_scenario_number(item, n, err) : rc;
    }
    return rc;
}

static enum hale_rc list_json(NODE list, json_t **out, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    *out = json_array();
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(list); i++) {
        json_t *item = NULL;
        rc = cli_scenario_json(hale_yaml_item(list, i), &item, err);
        if (rc != HALE_OK)
            json_decref(item);
        else if (json_array_append_new(*out, item) != 0)
            rc = no_memory(err);
    }
    return rc;
}

static enum hale_rc map_json(NODE map, json_t **out, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    *out = json_object();
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(map); i++) {
        struct hale_str key;
        json_t *item = NULL;
        rc = cli_scenario_json(hale_yaml_pair(map, i, &key, NULL), &item, err);
        char *name = strndup(key.p != NULL ? key.p : "", key.len);
        if (rc != HALE_OK || name == NULL)
            json_decref(item);
        else if (json_object_set_new(*out, name, item) != 0)
            rc = no_memory(err);
        if (name == NULL)
            rc = no_memory(err);
        free(name);
    }
    return rc;
}

enum hale_rc cli_scenario_json(NODE node, json_t **out, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(node);
    switch (hale_yaml_kind(node)) {
    case HALE_YAML_NULL: *out = json_null(); return HALE_OK;
    case HALE_YAML_LIST: return list_json(node, out, err);
    case HALE_YAML_MAP: return map_json(node, out, err);
    case HALE_YAML_SCALAR: break;
    }
    *out = json_stringn(text.p != NULL ? text.p : "", text.len);
    return *out != NULL ? HALE_OK : hale_yaml_error(node, err, "the text is not UTF-8");
}

void cli_alarm_ref_fini(struct cli_alarm_ref *ref)
{
    free(ref->name);
    json_decref(ref->group);
    *ref = (struct cli_alarm_ref){0};
}

enum hale_rc cli_scenario_ref(NODE where, const char *text, NODE group,
                              struct cli_alarm_ref *out, struct hale_err *err)
{
    struct hale_str rest = hale_str_from(text), name, pairs = {NULL, 0};
    enum hale_rc rc = cli_scenario_map(group, &out->group, err);
    if (rc != HALE_OK)
        return rc;
    name = rest;
    if (rest.len > 0 && rest.p[rest.len - 1] == '}') {
        name = hale_str_split(&rest, '{');
        pairs = (struct hale_str){rest.p, rest.len > 0 ? rest.len - 1 : 0};
    }
    while (rc == HALE_OK && pairs.p != NULL && pairs.len > 0) {
        struct hale_str value = hale_str_split(&pairs, ',');
        struct hale_str key = hale_str_trim(hale_str_split(&value, '='));
        value = hale_str_trim(value);
        if (key.len == 0 || value.p == NULL || !set_text(out->group, key, value))
            rc = hale_yaml_error(where, err,
                                 "'%.100s' does not name an alarm; "
                                 "write name or name{key=value,...}",
                                 text);
    }
    name = hale_str_trim(name);
    if (rc == HALE_OK && name.len == 0)
        rc = hale_yaml_error(where, err, "an alarm's name is wanted here");
    if (rc == HALE_OK) {
        out->name = strndup(name.p, name.len);
        rc = out->name != NULL ? HALE_OK : no_memory(err);
    }
    return rc;
}

/* --- what it is about -------------------------------------------------------------- */

/* A path in the file is relative to the file. HALE_E_LIMIT: too long. */
static enum hale_rc beside(const struct cli_scenario *s, NODE node, char *dst,
                           struct hale_err *err)
{
    struct hale_str name = hale_yaml_text(node);
    const char *slash = strrchr(s->path, '/');
    int dir = slash != NULL && (name.len == 0 || name.p[0] != '/')
                  ? (int)(slash - s->path + 1)
                  : 0;
    int n = snprintf(dst, PATH_BYTES, "%.*s%.*s", dir, s->path, (int)name.len,
                     name.p != NULL ? name.p : "");
    if (hale_yaml_kind(node) != HALE_YAML_SCALAR || name.len == 0)
        return hale_yaml_error(node, err, "the name of a file is wanted here");
    return n > 0 && n < PATH_BYTES ? HALE_OK
                                   : hale_yaml_error(node, err, "the path is too long");
}

static enum hale_rc add_definitions(struct cli_scenario *s, json_t *more,
                                    struct hale_err *err)
{
    int rc = json_array_extend(s->definitions, more);
    json_decref(more);
    return rc == 0 ? HALE_OK : no_memory(err);
}

static enum hale_rc read_definitions(struct cli_scenario *s, const struct raw *raw,
                                     struct hale_err *err)
{
    char path[PATH_BYTES];
    json_t *more = NULL;
    NODE list = raw->definitions;
    bool one = list != NULL && hale_yaml_kind(list) == HALE_YAML_SCALAR;
    size_t n = one ? 1 : list != NULL ? hale_yaml_count(list) : 0;
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < n && rc == HALE_OK; i++) {
        rc = beside(s, one ? list : hale_yaml_item(list, i), path, err);
        if (rc == HALE_OK)
            rc = cli_definitions_load(path, &more, err);
        if (rc == HALE_OK)
            rc = add_definitions(s, more, err);
    }
    if (rc == HALE_OK)
        rc = cli_scenario_maps(raw->alarm_definitions, "alarm_definitions", err);
    if (rc == HALE_OK && raw->alarm_definitions != NULL)
        rc = cli_definitions_list(raw->alarm_definitions, &more, err);
    if (rc == HALE_OK && raw->alarm_definitions != NULL)
        rc = add_definitions(s, more, err);
    return rc;
}

struct raw_rules {
    NODE file;
    char *match_by;
};
static const struct hale_conf_field rules_fields[] = {
    {"file", HALE_CONF_NODE, offsetof(struct raw_rules, file), true, NULL, 0, 0, NULL,
     "rule file"},
    {"match_by", HALE_CONF_STRING, offsetof(struct raw_rules, match_by), false, NULL, 0,
     0, NULL, "labels that tell the series of rules without 'by' apart: a,b"},
};

/* Half a rule file would be another one: what cannot be imported is an error. */
static enum hale_rc import_rules(struct cli_scenario *s, NODE where, const char *path,
                                 const char *match_by, struct hale_err *err)
{
    struct cli_import import;
    struct hale_buf text;
    cli_import_init(&import);
    hale_buf_init(&text, RULES_BYTES);
    enum hale_rc rc = hale_fs_read(path, &text, err);
    if (rc == HALE_OK)
        rc = cli_import_prometheus(hale_buf_str(&text), path, match_by, &import, err);
    if (rc == HALE_OK && import.left_out > 0) {
        struct hale_str notes = hale_buf_str(&import.notes), line = {NULL, 0};
        while (notes.len > 0 &&
               !(line.p != NULL && memmem(line.p, line.len, "left out", 8) != NULL))
            line = hale_str_split(&notes, '\n');
        rc = hale_yaml_error(where, err, "%u rules cannot be imported: %.*s",
                             import.left_out, (int)(line.len < 300 ? line.len : 300),
                             line.p != NULL ? line.p : "");
    }
    if (rc == HALE_OK)
        rc = add_definitions(s, json_incref(import.definitions), err);
    hale_buf_fini(&text);
    cli_import_fini(&import);
    return rc;
}

static enum hale_rc read_rules(struct cli_scenario *s, NODE list, struct hale_err *err)
{
    char path[PATH_BYTES];
    bool many = list != NULL && hale_yaml_kind(list) == HALE_YAML_LIST;
    size_t n = many ? hale_yaml_count(list) : list != NULL ? 1 : 0;
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < n && rc == HALE_OK; i++) {
        NODE item = many ? hale_yaml_item(list, i) : list;
        struct raw_rules raw = {.file = item};
        if (hale_yaml_kind(item) == HALE_YAML_MAP)
            rc = hale_conf_read(item, rules_fields, 2, &raw, err);
        if (rc == HALE_OK)
            rc = beside(s, raw.file, path, err);
        if (rc == HALE_OK)
            rc = import_rules(s, item, path, raw.match_by, err);
        free(raw.match_by);
    }
    return rc;
}

static enum hale_rc read_policies(struct cli_scenario *s, const struct raw *raw,
                                  struct hale_err *err)
{
    char path[PATH_BYTES];
    bool here = raw->policies != NULL || raw->scaling != NULL;
    if (here && raw->policies_file != NULL)
        return hale_yaml_error(raw->policies_file, err,
                               "either policies and scaling or policies_file, not both");
    if (here)
        return actuator_policies_read(raw->policies, raw->scaling, &s->policies, err);
    if (raw->policies_file == NULL)
        return HALE_OK;
    enum hale_rc rc = beside(s, raw->policies_file, path, err);
    return rc == HALE_OK ? actuator_policies_load_file(path, &s->policies, err) : rc;
}

struct answer {
    char *url, *method, *body, *location;
    int64_t status, exit, takes_ms;
    bool lost;
};
#define ANSWER(key, type, member, fallback, min, max, help)                              \
    {                                                                                    \
        key, type, offsetof(struct answer, member), false, fallback, min, max, NULL,     \
            help                                                                         \
    }
static const struct hale_conf_field answer_fields[] = {
    ANSWER("url", HALE_CONF_STRING, url, "", 0, 0, "part of the URL called"),
    ANSWER("method", HALE_CONF_STRING, method, NULL, 0, 0, "GET, POST ..."),
    ANSWER("status", HALE_CONF_INT, status, "200", 100, 599, "HTTP status"),
    ANSWER("exit", HALE_CONF_INT, exit, "0", 0, 255, "exit code of an executable"),
    ANSWER("body", HALE_CONF_STRING, body, NULL, 0, 0, "text"),
    ANSWER("location", HALE_CONF_STRING, location, NULL, 0, 0, "header Location"),
    ANSWER("takes", HALE_CONF_DURATION, takes_ms, "0s", 0, 86400000, "until it comes"),
    ANSWER("lost", HALE_CONF_BOOL, lost, "no", 0, 0, "it never comes"),
};
#define N_ANSWER (sizeof(answer_fields) / sizeof(answer_fields[0]))

static enum hale_rc read_answers(struct cli_scenario *s, NODE list, struct hale_err *err)
{
    enum hale_rc rc = cli_scenario_maps(list, "answers", err);
    for (size_t i = 0; rc == HALE_OK && list != NULL && i < hale_yaml_count(list); i++) {
        struct answer a = {0};
        rc = hale_conf_read(hale_yaml_item(list, i), answer_fields, N_ANSWER, &a, err);
        if (rc == HALE_OK &&
            json_array_append_new(
                s->answers,
                json_pack("{s:s,s:s*,s:s*,s:s*,s:I,s:I,s:I,s:b}", "url", a.url, "method",
                          a.method, "body", a.body, "location", a.location, "status",
                          (json_int_t)a.status, "exit", (json_int_t)a.exit, "takes_ms",
                          (json_int_t)a.takes_ms, "lost", (int)a.lost)) != 0)
            rc = no_memory(err);
        hale_conf_fini(answer_fields, N_ANSWER, &a);
    }
    return rc;
}

/* --- the whole --------------------------------------------------------------------- */

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return strndup(name,
                   dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name));
}

static void take_head(struct cli_scenario *s, struct raw *raw)
{
    s->name = raw->scenario != NULL ? raw->scenario : name_of(s->path);
    s->tenant = raw->tenant;
    raw->scenario = raw->tenant = NULL;
    s->length_ms = raw->length_ms;
    s->late_wait_ms = raw->late_wait_ms;
}

static enum hale_rc read_all(struct cli_scenario *s, NODE root, struct hale_err *err)
{
    struct raw raw = {0};
    enum hale_rc rc = hale_conf_read(root, fields, N_FIELDS, &raw, err);
    if (rc == HALE_OK)
        take_head(s, &raw);
    if (rc == HALE_OK &&
        (s->name == NULL || s->definitions == NULL || s->answers == NULL))
        rc = no_memory(err);
    if (rc == HALE_OK &&
        hale_clock_parse_iso(hale_str_from(raw.start), &s->start_ms) != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(root, "start"), err,
                             "start: a time like " START_DEFAULT " is wanted here");
    if (rc == HALE_OK)
        rc = correlator_conf_read(raw.correlator, &s->correlator, err);
    if (rc == HALE_OK)
        rc = cli_scenario_topology(s, raw.topology, err);
    if (rc == HALE_OK)
        rc = read_definitions(s, &raw, err);
    if (rc == HALE_OK)
        rc = read_rules(s, raw.rules, err);
    if (rc == HALE_OK)
        rc = read_policies(s, &raw, err);
    if (rc == HALE_OK)
        rc = cli_scenario_looks(s, raw.looks, raw.interval_ms, err);
    if (rc == HALE_OK)
        rc = read_answers(s, raw.answers, err);
    if (rc == HALE_OK)
        rc =
            cli_scenario_inputs(s, raw.series, raw.events, raw.ops, raw.interval_ms, err);
    if (rc == HALE_OK)
        rc = cli_scenario_wants(s, raw.expect, err);
    hale_conf_fini(fields, N_FIELDS, &raw);
    return rc;
}

static enum hale_rc read_yaml(struct hale_yaml *yaml, const char *path,
                              struct cli_scenario **out, struct hale_err *err)
{
    struct cli_scenario *s = calloc(1, sizeof(*s));
    enum hale_rc rc = HALE_E_NOMEM;
    if (s != NULL) {
        s->path = strdup(path);
        s->definitions = json_array();
        s->answers = json_array();
        rc = s->path != NULL ? read_all(s, hale_yaml_root(yaml), err) : no_memory(err);
    }
    hale_yaml_free(yaml);
    if (rc != HALE_OK) {
        cli_scenario_free(s);
        return rc;
    }
    *out = s;
    return HALE_OK;
}

enum hale_rc cli_scenario_load(const char *path, struct cli_scenario **out,
                               struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    return rc == HALE_OK ? read_yaml(yaml, path, out, err) : rc;
}

enum hale_rc cli_scenario_read(struct hale_str text, const char *path,
                               struct cli_scenario **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load(text, path, &yaml, err);
    return rc == HALE_OK ? read_yaml(yaml, path, out, err) : rc;
}

void cli_scenario_free(struct cli_scenario *s)
{
    if (s == NULL)
        return;
    cli_scenario_inputs_fini(s);
    cli_scenario_wants_fini(s);
    cli_scenario_looks_fini(s);
    correlator_conf_free(s->correlator);
    json_decref(s->topology);
    actuator_policies_free(s->policies);
    json_decref(s->definitions);
    json_decref(s->answers);
    free(s->path);
    free(s->name);
    free(s->tenant);
    free(s);
}
