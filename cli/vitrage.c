/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vitrage.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "model/rule.h"
#include "model/yaml.h"

#define NODE           const struct hale_yaml_node *
#define NAME_MAX_BYTES 48 /* of a template in the names of its rules */

struct template
{
    NODE root;
    NODE entities;
    NODE parameters;
    char name[NAME_MAX_BYTES + 1];
    struct hale_buf *out, *left_out;
};

static bool word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void leave_out(struct template *t, NODE at, const char *what, struct hale_str word)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%s%.*s", what,
                   (int)(word.len < 200 ? word.len : 200), word.len > 0 ? word.p : "");
    hale_buf_printf(t->left_out, "%s:%d: %s\n", hale_yaml_source(at), hale_yaml_line(at),
                    cli_table_clean(text));
}

/* A value, or what its get_param(name) has as default. */
static struct hale_str value_of(const struct template *t, NODE node)
{
    struct hale_str s = hale_yaml_text(node);
    const char *head = "get_param(";
    size_t n = strlen(head);
    if (s.len <= n || strncmp(s.p, head, n) != 0 || s.p[s.len - 1] != ')')
        return s;
    struct hale_str wanted = hale_str_trim((struct hale_str){s.p + n, s.len - n - 1});
    for (size_t i = 0; i < hale_yaml_count(t->parameters); i++) {
        struct hale_str key;
        NODE parameter = hale_yaml_pair(t->parameters, i, &key, NULL);
        if (hale_str_eq(key, wanted))
            return hale_yaml_text(hale_yaml_get(parameter, "default"));
    }
    return (struct hale_str){NULL, 0};
}

static struct hale_str member(const struct template *t, NODE map, const char *key)
{
    return value_of(t, hale_yaml_get(map, key));
}

/* The entity of that name: entities are a map, or a list of maps with one key. */
static NODE entity(const struct template *t, struct hale_str name)
{
    for (size_t i = 0; i < hale_yaml_count(t->entities); i++) {
        struct hale_str key;
        NODE at = t->entities;
        size_t place = i;
        if (hale_yaml_kind(at) == HALE_YAML_LIST) {
            at = hale_yaml_item(at, i);
            place = 0;
            if (hale_yaml_kind(at) != HALE_YAML_MAP || hale_yaml_count(at) == 0)
                continue;
        }
        NODE value = hale_yaml_pair(at, place, &key, NULL);
        if (hale_str_eq(key, name))
            return value;
    }
    return NULL;
}

/* --- the condition ------------------------------------------------------------------- */

struct token {
    struct hale_str s;
    char kind; /* w word, l label, ( ) or 0 at the end, ? anything else */
};

static struct token next_token(struct hale_str *rest)
{
    *rest = hale_str_trim(*rest);
    struct token k = {{rest->p, 0}, 0};
    if (rest->len == 0)
        return k;
    if (rest->p[0] == '[') {
        const char *end = memchr(rest->p, ']', rest->len);
        size_t n = end != NULL ? (size_t)(end - rest->p) : rest->len;
        k.s = hale_str_trim((struct hale_str){rest->p + 1, n - 1});
        k.kind = end != NULL ? 'l' : '?';
        n += end != NULL;
        *rest = (struct hale_str){rest->p + n, rest->len - n};
        return k;
    }
    while (k.s.len < rest->len && word_byte(rest->p[k.s.len]))
        k.s.len++;
    k.kind = 'w';
    if (k.s.len == 0) {
        k.s.len = 1;
        k.kind = rest->p[0] == '(' || rest->p[0] == ')' ? rest->p[0] : '?';
    }
    *rest = (struct hale_str){rest->p + k.s.len, rest->len - k.s.len};
    return k;
}

static bool is_operator(struct hale_str word)
{
    return hale_str_ieq_c(word, "and") || hale_str_ieq_c(word, "or") ||
           hale_str_ieq_c(word, "not");
}

/* An alarm stands before [on]. */
static bool is_alarm(struct hale_str condition, struct hale_str name)
{
    struct hale_str rest = condition;
    struct token before = {{NULL, 0}, 0}, k;
    while ((k = next_token(&rest)).kind != 0) {
        if (k.kind == 'l' && hale_str_ieq_c(k.s, "on") && before.kind == 'w' &&
            hale_str_eq(before.s, name))
            return true;
        before = k;
    }
    return false;
}

/* "a [label] b" as a term of ours; NULL without counterpart. turned: b comes first. */
static const char *relation(struct hale_str label, bool *turned)
{
    *turned = false;
    if (hale_str_ieq_c(label, "on"))
        return "on";
    if (hale_str_ieq_c(label, "contains"))
        return "hosts";
    if (hale_str_ieq_c(label, "comprised"))
        return "depends_on";
    *turned = true;
    return hale_str_ieq_c(label, "attached") ? "depends_on" : NULL;
}

static char lower(char c)
{
    return (char)tolower((unsigned char)c);
}

static bool condition_text(struct template *t, NODE at, struct hale_str text,
                           struct hale_buf *out)
{
    struct hale_str rest = text;
    struct token k;
    while ((k = next_token(&rest)).kind != 0) {
        if (k.kind == '(' || k.kind == ')' || (k.kind == 'w' && is_operator(k.s))) {
            for (size_t i = 0; i < k.s.len; i++)
                hale_buf_add_char(out, lower(k.s.p[i]));
            hale_buf_add_char(out, ' ');
            continue;
        }
        if (k.kind != 'w' || entity(t, k.s) == NULL) {
            leave_out(t, at, "the condition names what is not an entity: ", k.s);
            return false;
        }
        struct hale_str after = rest;
        struct token label = next_token(&after), other = next_token(&after);
        bool turned;
        if (label.kind != 'l') {
            hale_buf_printf(out, "%.*s ", (int)k.s.len, k.s.p);
            continue;
        }
        const char *word = relation(label.s, &turned);
        if (word == NULL) {
            leave_out(t, at, "no counterpart for the relation ", label.s);
            return false;
        }
        if (other.kind != 'w' || entity(t, other.s) == NULL) {
            leave_out(t, at, "the condition names what is not an entity: ", other.s);
            return false;
        }
        rest = after;
        const struct hale_str *a = turned ? &other.s : &k.s,
                              *b = turned ? &k.s : &other.s;
        hale_buf_printf(out, "%.*s %s %.*s ", (int)a->len, a->p, word, (int)b->len, b->p);
    }
    return true;
}

/* --- entities and alarms ------------------------------------------------------------- */

static void quoted(struct hale_buf *out, struct hale_str s)
{
    hale_buf_add_char(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\'')
            hale_buf_add_char(out, '\'');
        hale_buf_add_char(out, s.p[i] == '\n' ? ' ' : s.p[i]);
    }
    hale_buf_add_char(out, '\'');
}

static const char *severity(struct hale_str s)
{
    static const char *const words[][2] = {
        {"critical", "CRITICAL"},
        {"severe", "HIGH"},
        {"major", "HIGH"},
        {"error", "HIGH"},
        {"warning", "MEDIUM"},
        {"minor", "LOW"},
        {"ok", "LOW"},
        {"n/a", "LOW"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (hale_str_ieq_c(s, words[i][0]))
            return words[i][1];
    }
    return NULL;
}

static void type_text(struct hale_str type, struct hale_buf *out)
{
    static const char *const known[][2] = {
        {"nova.host", "host"},          {"nova.instance", "vm"},
        {"nova.zone", "site"},          {"openstack.cluster", "site"},
        {"neutron.network", "network"}, {"neutron.port", "port"},
        {"cinder.volume", "volume"},    {"heat.stack", "stack"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (hale_str_ieq_c(type, known[i][0])) {
            hale_buf_add_c(out, known[i][1]);
            return;
        }
    }
    for (size_t i = 0; i < type.len; i++)
        hale_buf_add_char(
            out, word_byte(type.p[i]) ? (char)tolower((unsigned char)type.p[i]) : '_');
}

/* Keys of an entity that have no counterpart make its scenarios untranslatable. */
static bool keys_known(struct template *t, NODE map, bool alarm)
{
    static const char *const ours[] = {"category",   "type",    "name",
                                       "name.regex", "rawtext", "rawtext.regex",
                                       "severity",   "id"};
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str key;
        NODE value = hale_yaml_pair(map, i, &key, NULL);
        bool known = false;
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            known |= hale_str_eq_c(key, ours[k]);
        if (!alarm && memchr(key.p, '.', key.len) != NULL)
            known = false;
        if (!known) {
            leave_out(t, value, "no counterpart for the key ", key);
            return false;
        }
    }
    return true;
}

static bool alarm_text(struct template *t, NODE map, struct hale_buf *out)
{
    struct hale_str name = member(t, map, "name"), level = member(t, map, "severity");
    struct hale_str regex = member(t, map, "name.regex");
    const char *sep = "";
    if (name.len == 0)
        name = member(t, map, "rawtext");
    if (regex.len == 0)
        regex = member(t, map, "rawtext.regex");
    hale_buf_add_char(out, '{');
    if (regex.len > 0 || name.len > 0) {
        hale_buf_add_c(out, regex.len > 0 ? "pattern: " : "name: ");
        quoted(out, regex.len > 0 ? regex : name);
        sep = ", ";
    }
    if (level.len > 0) {
        const char *ours = severity(level);
        if (ours == NULL) {
            leave_out(t, map, "no counterpart for the severity ", level);
            return false;
        }
        hale_buf_printf(out, "%sseverity: %s", sep, ours);
    }
    hale_buf_add_c(out, "}\n");
    return true;
}

static void entity_text(struct template *t, NODE map, struct hale_buf *out)
{
    struct hale_str type = member(t, map, "type"), name = member(t, map, "name"),
                    id = member(t, map, "id");
    const char *sep = "";
    hale_buf_add_char(out, '{');
    if (type.len > 0) {
        hale_buf_add_c(out, "type: ");
        type_text(type, out);
        sep = ", ";
    }
    if (name.len > 0) {
        hale_buf_printf(out, "%sname: ", sep);
        quoted(out, name);
        sep = ", ";
    }
    if (id.len > 0) {
        hale_buf_printf(out, "%sid: ", sep);
        quoted(out, id);
    }
    hale_buf_add_c(out, "}\n");
}

/* Every word of the condition that is an alarm, or is none, once. */
static bool variables(struct template *t, struct hale_str condition, bool alarms,
                      struct hale_buf *out)
{
    struct hale_str rest = condition;
    struct token k;
    while ((k = next_token(&rest)).kind != 0) {
        struct hale_str before = {condition.p, (size_t)(k.s.p - condition.p)};
        bool seen = false;
        struct token earlier;
        if (k.kind != 'w' || is_operator(k.s) || is_alarm(condition, k.s) != alarms)
            continue;
        while ((earlier = next_token(&before)).kind != 0)
            seen |= earlier.kind == 'w' && hale_str_eq(earlier.s, k.s);
        NODE map = seen ? NULL : entity(t, k.s);
        if (map == NULL)
            continue;
        if (!keys_known(t, map, alarms))
            return false;
        hale_buf_printf(out, "    %.*s: ", (int)k.s.len, k.s.p);
        if (!alarms)
            entity_text(t, map, out);
        else if (!alarm_text(t, map, out))
            return false;
    }
    return true;
}

/* --- actions ------------------------------------------------------------------------- */

static bool raise_text(struct template *t, NODE map, struct hale_buf *out)
{
    struct hale_str target = member(t, map, "target"),
                    name = member(t, map, "alarm_name"),
                    level = member(t, map, "severity"),
                    cause = member(t, map, "causing_alarm");
    const char *ours = severity(level);
    if (ours == NULL) {
        leave_out(t, map, "raise_alarm: no counterpart for the severity ", level);
        return false;
    }
    hale_buf_add_c(out, "  - raise: {name: ");
    quoted(out, name);
    hale_buf_printf(out, ", on: %.*s, severity: %s", (int)target.len, target.p, ours);
    if (cause.len > 0)
        hale_buf_printf(out, ", cause: %.*s", (int)cause.len, cause.p);
    hale_buf_add_c(out, "}\n");
    return true;
}

static bool state_text(struct template *t, NODE map, struct hale_buf *out)
{
    struct hale_str state = member(t, map, "state"), target = member(t, map, "target");
    bool down = hale_str_ieq_c(state, "error");
    if (!down && !hale_str_ieq_c(state, "suboptimal")) {
        leave_out(t, map, "set_state: no counterpart for the state ", state);
        return false;
    }
    hale_buf_printf(out, "  - state: {on: %.*s, state: %s}\n", (int)target.len, target.p,
                    down ? "down" : "degraded");
    return true;
}

static bool action_text(struct template *t, NODE action, struct hale_buf *out)
{
    struct hale_str kind = {NULL, 0};
    NODE map = hale_yaml_kind(action) == HALE_YAML_MAP && hale_yaml_count(action) == 1
                   ? hale_yaml_pair(action, 0, &kind, NULL)
                   : NULL;
    if (map == NULL) {
        leave_out(t, action, "an action is a map of one key", kind);
        return false;
    }
    if (hale_str_eq_c(kind, "raise_alarm"))
        return raise_text(t, map, out);
    if (hale_str_eq_c(kind, "set_state"))
        return state_text(t, map, out);
    struct hale_str target = member(t, map, "target"), source = member(t, map, "source");
    if (hale_str_eq_c(kind, "mark_down")) {
        hale_buf_printf(out, "  - state: {on: %.*s, state: down}\n", (int)target.len,
                        target.p);
        return true;
    }
    if (hale_str_eq_c(kind, "add_causal_relationship")) {
        hale_buf_printf(out, "  - cause: {is: %.*s, of: %.*s}\n", (int)source.len,
                        source.p, (int)target.len, target.p);
        return true;
    }
    leave_out(t, action,
              "calls are made by a policy of the actuator, triggered by the alarm; no "
              "counterpart in a rule for ",
              kind);
    return false;
}

/* --- scenarios ----------------------------------------------------------------------- */

static void rule_text(struct template *t, NODE scenario, size_t i, struct hale_buf *rule,
                      bool *whole)
{
    struct hale_str condition = value_of(t, hale_yaml_get(scenario, "condition"));
    NODE actions = hale_yaml_get(scenario, "actions");
    size_t n = 0;
    hale_buf_printf(rule, "- name: %s-%zu\n  entities:\n", t->name, i + 1);
    *whole = variables(t, condition, false, rule);
    hale_buf_add_c(rule, "  alarms:\n");
    size_t before = rule->len;
    *whole = *whole && variables(t, condition, true, rule);
    if (*whole && rule->len == before) {
        leave_out(t, scenario,
                  "a rule begins with an alarm; no counterpart for a "
                  "condition on entities alone: ",
                  condition);
        *whole = false;
    }
    hale_buf_add_c(rule, "  when: ");
    *whole = *whole && condition_text(t, scenario, condition, rule);
    hale_buf_add_c(rule, "\n  do:\n");
    for (size_t k = 0; *whole && k < hale_yaml_count(actions); k++)
        n += action_text(t, hale_yaml_item(actions, k), rule);
    *whole = *whole && n > 0;
}

/* A rule is written only if it reads back: what Vitrage allows and we do not is told here. */
static void scenario_rule(struct template *t, NODE scenario, size_t i)
{
    struct hale_buf rule, file;
    bool whole;
    hale_buf_init(&rule, 1u << 20);
    hale_buf_init(&file, 1u << 20);
    rule_text(t, scenario, i, &rule, &whole);
    hale_buf_add_c(&file, "rules:\n");
    hale_buf_add(&file, rule.p, rule.len);
    if (whole && !rule.failed && !file.failed) {
        struct hale_rules *rules = NULL;
        struct hale_err why = {0};
        if (hale_rules_load(hale_buf_str(&file), "", &rules, &why) == HALE_OK)
            hale_buf_add(t->out, rule.p, rule.len);
        else
            leave_out(t, scenario, "the scenario: ", hale_str_from(why.text));
        hale_rules_free(rules);
    }
    hale_buf_fini(&rule);
    hale_buf_fini(&file);
}

static void name_of(struct template *t, struct hale_str name)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < NAME_MAX_BYTES; i++) {
        char c = lower(name.p[i]);
        if (!word_byte(c) && (n == 0 || t->name[n - 1] == '-'))
            continue;
        t->name[n++] = word_byte(c) ? c : '-';
    }
    while (n > 0 && t->name[n - 1] == '-')
        n--;
    t->name[n] = '\0';
}

enum hale_rc cli_vitrage_rules(struct hale_str text, const char *source,
                               struct hale_buf *out, struct hale_buf *left_out,
                               struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct template t = {.out = out, .left_out = left_out};
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    t.root = hale_yaml_root(yaml);
    t.entities = hale_yaml_get(t.root, "entities");
    t.parameters = hale_yaml_get(t.root, "parameters");
    NODE metadata = hale_yaml_get(t.root, "metadata");
    NODE scenarios = hale_yaml_get(t.root, "scenarios");
    if (!hale_str_eq_c(hale_yaml_text(hale_yaml_get(metadata, "version")), "3"))
        rc = hale_yaml_error(
            t.root, err, "not a Vitrage template of version 3 (metadata: version: 3)");
    else if (hale_yaml_kind(scenarios) != HALE_YAML_LIST)
        rc = hale_yaml_error(t.root, err, "the template has no list of scenarios");
    if (rc == HALE_OK) {
        name_of(&t, member(&t, metadata, "name"));
        if (t.name[0] == '\0')
            name_of(&t, HALE_STR("template"));
        for (size_t i = 0; i < hale_yaml_count(scenarios); i++)
            scenario_rule(&t, hale_yaml_item(scenarios, i), i);
        if (out->failed || left_out->failed)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    hale_yaml_free(yaml);
    return rc;
}
