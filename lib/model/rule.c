/* SPDX-License-Identifier: Apache-2.0 */
/* rule - reads rules from YAML (declared in rule.h). */
#include "model/rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "model/yaml.h"

#define N(fields)      (sizeof(fields) / sizeof((fields)[0]))
#define NODE           const struct hale_yaml_node *
#define ALL_SEVERITIES 15u

static const char *const SEVERITIES[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const STATES[] = {"down", "degraded", NULL}; /* enum hale_rule_state */

struct rule_raw {
    char *name, *tenant, *when;
    int64_t within;
    NODE entities;
    NODE alarms;
    NODE actions;
};
static const struct hale_conf_field RULE_FIELDS[] = {
    {"name", HALE_CONF_STRING, offsetof(struct rule_raw, name), true, NULL, 0, 0, NULL,
     "unique name"},
    {"tenant", HALE_CONF_STRING, offsetof(struct rule_raw, tenant), false, NULL, 0, 0,
     NULL, "only this tenant's graph"},
    {"entities", HALE_CONF_NODE, offsetof(struct rule_raw, entities), true, NULL, 0, 0,
     NULL, "name: {type, id, name, attributes}"},
    {"alarms", HALE_CONF_NODE, offsetof(struct rule_raw, alarms), true, NULL, 0, 0, NULL,
     "name: {name, severity}"},
    {"when", HALE_CONF_STRING, offsetof(struct rule_raw, when), true, NULL, 0, 0, NULL,
     "the condition"},
    {"within", HALE_CONF_DURATION, offsetof(struct rule_raw, within), false, "0s", 0,
     HALE_RULE_WITHIN_MAX, NULL, "largest distance of the alarms' onsets; 0s: any"},
    {"do", HALE_CONF_NODE, offsetof(struct rule_raw, actions), true, NULL, 0, 0, NULL,
     "what follows while it holds"},
};

struct entity_raw {
    char *type, *id, *name;
    NODE attributes;
};
static const struct hale_conf_field ENTITY_FIELDS[] = {
    {"type", HALE_CONF_STRING, offsetof(struct entity_raw, type), false, NULL, 0, 0, NULL,
     "its type"},
    {"id", HALE_CONF_STRING, offsetof(struct entity_raw, id), false, NULL, 0, 0, NULL,
     "its id"},
    {"name", HALE_CONF_STRING, offsetof(struct entity_raw, name), false, NULL, 0, 0, NULL,
     "its name"},
    {"attributes", HALE_CONF_NODE, offsetof(struct entity_raw, attributes), false, NULL,
     0, 0, NULL, "all equal"},
};

struct alarm_raw {
    char *name, *pattern;
    NODE severity;
};
static const struct hale_conf_field ALARM_FIELDS[] = {
    {"name", HALE_CONF_STRING, offsetof(struct alarm_raw, name), false, NULL, 0, 0, NULL,
     "definition, or type of event; none: any"},
    {"pattern", HALE_CONF_STRING, offsetof(struct alarm_raw, pattern), false, NULL, 0, 0,
     NULL, "regular expression of the whole name, instead of it"},
    {"severity", HALE_CONF_NODE, offsetof(struct alarm_raw, severity), false, NULL, 0, 0,
     NULL, "one or a list"},
};

struct action_raw {
    NODE raise;
    NODE state;
    NODE cause;
};
static const struct hale_conf_field ACTION_FIELDS[] = {
    {"raise", HALE_CONF_NODE, offsetof(struct action_raw, raise), false, NULL, 0, 0, NULL,
     "a deduced alarm"},
    {"state", HALE_CONF_NODE, offsetof(struct action_raw, state), false, NULL, 0, 0, NULL,
     "a deduced state"},
    {"cause", HALE_CONF_NODE, offsetof(struct action_raw, cause), false, NULL, 0, 0, NULL,
     "one alarm explains another"},
};
struct raise_raw {
    char *name, *on, *text, *cause;
    int severity;
};
static const struct hale_conf_field RAISE_FIELDS[] = {
    {"name", HALE_CONF_STRING, offsetof(struct raise_raw, name), true, NULL, 0, 0, NULL,
     "type of the alarm"},
    {"on", HALE_CONF_STRING, offsetof(struct raise_raw, on), true, NULL, 0, 0, NULL,
     "entity"},
    {"severity", HALE_CONF_ENUM, offsetof(struct raise_raw, severity), true, NULL, 0, 0,
     SEVERITIES, "of the alarm"},
    {"text", HALE_CONF_STRING, offsetof(struct raise_raw, text), false, NULL, 0, 0, NULL,
     "for its reason"},
    {"cause", HALE_CONF_STRING, offsetof(struct raise_raw, cause), false, NULL, 0, 0,
     NULL, "alarm that explains it"},
};
struct state_raw {
    char *on;
    int state;
};
static const struct hale_conf_field STATE_FIELDS[] = {
    {"on", HALE_CONF_STRING, offsetof(struct state_raw, on), true, NULL, 0, 0, NULL,
     "entity"},
    {"state", HALE_CONF_ENUM, offsetof(struct state_raw, state), true, NULL, 0, 0, STATES,
     "down: what stands on it is unreachable; degraded: told only"},
};
struct cause_raw {
    char *is, *of;
};
static const struct hale_conf_field CAUSE_FIELDS[] = {
    {"is", HALE_CONF_STRING, offsetof(struct cause_raw, is), true, NULL, 0, 0, NULL,
     "alarm that explains"},
    {"of", HALE_CONF_STRING, offsetof(struct cause_raw, of), true, NULL, 0, 0, NULL,
     "alarm that is explained"},
};

static char *moved(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* A word of `when`: letters, digits, _ - . ; a keyword would be read as one. */
static enum hale_rc check_word(NODE at, struct hale_str s, struct hale_err *err)
{
    static const char *const taken[] = {"and",   "or",         "not",      "on",
                                        "hosts", "depends_on", "connects", NULL};
    bool good = s.len > 0 && s.len <= HALE_RULE_NAME_MAX;
    for (size_t i = 0; good && i < s.len; i++) {
        char c = s.p[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    }
    for (unsigned i = 0; good && taken[i] != NULL; i++)
        good = !hale_str_ieq_c(s, taken[i]);
    if (!good)
        return hale_yaml_error(
            at, err,
            "'%.*s' cannot be a name here: use 1 to %d letters, digits, "
            "_ - . and no word of the condition",
            (int)(s.len < 80 ? s.len : 80), s.p, HALE_RULE_NAME_MAX);
    return HALE_OK;
}

/* --- entities and alarms ------------------------------------------------------------- */

static enum hale_rc read_attributes(NODE map, json_t **out, struct hale_err *err)
{
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "attributes are a map, as in {zone: az1}");
    *out = json_object();
    for (size_t i = 0; *out != NULL && i < hale_yaml_count(map); i++) {
        struct hale_str key;
        NODE value = hale_yaml_pair(map, i, &key, NULL);
        struct hale_str text = hale_yaml_text(value);
        if (hale_yaml_kind(value) != HALE_YAML_SCALAR)
            return hale_yaml_error(value, err, "the value of an attribute is text");
        if (json_object_setn_new(*out, key.p, key.len, json_stringn(text.p, text.len)) !=
            0)
            return nomem(err);
    }
    return *out != NULL ? HALE_OK : nomem(err);
}

static enum hale_rc read_entity(NODE map, struct hale_str var, struct hale_rule_entity *e,
                                struct hale_err *err)
{
    struct entity_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, ENTITY_FIELDS, N(ENTITY_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = check_word(map, var, err);
    if (rc == HALE_OK)
        rc = read_attributes(raw.attributes, &e->attributes, err);
    if (rc == HALE_OK && (e->var = strndup(var.p, var.len)) == NULL)
        rc = nomem(err);
    e->type = moved(&raw.type);
    e->id = moved(&raw.id);
    e->name = moved(&raw.name);
    hale_conf_fini(ENTITY_FIELDS, N(ENTITY_FIELDS), &raw);
    return rc;
}

static enum hale_rc add_severity(NODE item, unsigned *mask, struct hale_err *err)
{
    enum hale_severity s;
    if (hale_yaml_kind(item) != HALE_YAML_SCALAR ||
        hale_severity_parse(hale_yaml_text(item), &s) != HALE_OK)
        return hale_yaml_error(item, err, "severity is LOW, MEDIUM, HIGH or CRITICAL");
    *mask |= 1u << s;
    return HALE_OK;
}

static enum hale_rc read_severities(NODE node, unsigned *mask, struct hale_err *err)
{
    *mask = 0;
    if (hale_yaml_kind(node) == HALE_YAML_NULL) {
        *mask = ALL_SEVERITIES;
        return HALE_OK;
    }
    if (hale_yaml_kind(node) != HALE_YAML_LIST)
        return add_severity(node, mask, err);
    for (size_t i = 0; i < hale_yaml_count(node); i++) {
        enum hale_rc rc = add_severity(hale_yaml_item(node, i), mask, err);
        if (rc != HALE_OK)
            return rc;
    }
    return *mask != 0 ? HALE_OK
                      : hale_yaml_error(node, err, "severity: the list is empty");
}

static enum hale_rc read_pattern(NODE map, const struct alarm_raw *raw,
                                 struct hale_rule_alarm *a, struct hale_err *err)
{
    struct hale_err why = {0};
    NODE at = hale_yaml_get(map, "pattern");
    if (raw->name != NULL)
        return hale_yaml_error(at, err, "give name or pattern, not both");
    enum hale_rc rc = hale_regex_new(hale_str_from(raw->pattern), &a->regex, &why);
    return rc == HALE_E_INVAL ? hale_yaml_error(at, err, "pattern: %s", why.text) : rc;
}

static enum hale_rc read_alarm(NODE map, struct hale_str var, struct hale_rule_alarm *a,
                               struct hale_err *err)
{
    struct alarm_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, ALARM_FIELDS, N(ALARM_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = check_word(map, var, err);
    if (rc == HALE_OK)
        rc = read_severities(raw.severity, &a->severities, err);
    if (rc == HALE_OK && raw.pattern != NULL)
        rc = read_pattern(map, &raw, a, err);
    if (rc == HALE_OK && (a->var = strndup(var.p, var.len)) == NULL)
        rc = nomem(err);
    a->name = moved(&raw.name);
    hale_conf_fini(ALARM_FIELDS, N(ALARM_FIELDS), &raw);
    return rc;
}

static bool is_taken(const struct hale_rule *r, struct hale_str var)
{
    for (unsigned i = 0; i < r->n_entities; i++) {
        if (r->entity[i].var != NULL && hale_str_eq_c(var, r->entity[i].var))
            return true;
    }
    for (unsigned i = 0; i < r->n_alarms; i++) {
        if (r->alarm[i].var != NULL && hale_str_eq_c(var, r->alarm[i].var))
            return true;
    }
    return false;
}

static enum hale_rc read_variables(struct rule_raw *raw, struct hale_rule *r,
                                   struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned pass = 0; pass < 2; pass++) {
        NODE map = pass == 0 ? raw->entities : raw->alarms;
        size_t max = pass == 0 ? HALE_RULE_ENTITIES_MAX : HALE_RULE_ALARMS_MAX;
        if (hale_yaml_kind(map) != HALE_YAML_MAP || hale_yaml_count(map) == 0 ||
            hale_yaml_count(map) > max)
            return hale_yaml_error(map, err, "%s are a map of 1 to %zu names",
                                   pass == 0 ? "entities" : "alarms", max);
        for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(map); i++) {
            struct hale_str var;
            NODE value = hale_yaml_pair(map, i, &var, NULL);
            if (is_taken(r, var))
                return hale_yaml_error(value, err, "'%.*s' is an entity already",
                                       (int)(var.len < 80 ? var.len : 80), var.p);
            rc = pass == 0 ? read_entity(value, var, &r->entity[r->n_entities++], err)
                           : read_alarm(value, var, &r->alarm[r->n_alarms++], err);
        }
    }
    return rc;
}

/* --- actions ------------------------------------------------------------------------- */

static bool holds_positively(const struct hale_rule *r, unsigned alarm)
{
    for (unsigned i = 0; i < r->when.n; i++) {
        const struct hale_rule_branch *b = &r->when.branch[i];
        bool found = false;
        for (unsigned t = 0; t < b->n; t++)
            found |= b->term[t].kind == HALE_RULE_ON && !b->term[t].negated &&
                     b->term[t].a == alarm;
        if (!found)
            return false;
    }
    return true;
}

static enum hale_rc entity_ref(const struct hale_rule *r, NODE at, const char *var,
                               uint8_t *out, struct hale_err *err)
{
    for (unsigned i = 0; i < r->n_entities; i++) {
        if (strcmp(r->entity[i].var, var) != 0)
            continue;
        *out = (uint8_t)i;
        for (unsigned k = 0; k < r->when.n; k++) {
            if ((r->when.branch[k].entities >> i & 1) == 0)
                return hale_yaml_error(
                    at, err,
                    "entity '%s' must stand in each alternative of the "
                    "condition",
                    var);
        }
        return HALE_OK;
    }
    return hale_yaml_error(at, err, "no entity of this rule is called '%.80s'", var);
}

static enum hale_rc alarm_ref(const struct hale_rule *r, NODE at, const char *var,
                              uint8_t *out, struct hale_err *err)
{
    for (unsigned i = 0; i < r->n_alarms; i++) {
        if (strcmp(r->alarm[i].var, var) != 0)
            continue;
        *out = (uint8_t)i;
        if (!holds_positively(r, i))
            return hale_yaml_error(at, err,
                                   "alarm '%s' must stand in each alternative of the "
                                   "condition, not negated",
                                   var);
        return HALE_OK;
    }
    return hale_yaml_error(at, err, "no alarm of this rule is called '%.80s'", var);
}

static enum hale_rc read_raise(const struct hale_rule *r, NODE map,
                               struct hale_rule_action *a, struct hale_err *err)
{
    struct raise_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, RAISE_FIELDS, N(RAISE_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = entity_ref(r, map, raw.on, &a->on, err);
    if (rc == HALE_OK && (raw.name[0] == '\0' || strlen(raw.name) > 255))
        rc = hale_yaml_error(map, err, "the name of an alarm has 1 to 255 bytes");
    a->kind = HALE_RULE_RAISE;
    a->cause = HALE_RULE_NO_ALARM;
    if (rc == HALE_OK && raw.cause != NULL)
        rc = alarm_ref(r, map, raw.cause, &a->cause, err);
    a->severity = (enum hale_severity)raw.severity;
    a->name = moved(&raw.name);
    a->text = moved(&raw.text);
    hale_conf_fini(RAISE_FIELDS, N(RAISE_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_state(const struct hale_rule *r, NODE map,
                               struct hale_rule_action *a, struct hale_err *err)
{
    struct state_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, STATE_FIELDS, N(STATE_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = entity_ref(r, map, raw.on, &a->on, err);
    a->kind = HALE_RULE_STATE;
    a->state = (uint8_t)raw.state;
    hale_conf_fini(STATE_FIELDS, N(STATE_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_cause(const struct hale_rule *r, NODE map,
                               struct hale_rule_action *a, struct hale_err *err)
{
    struct cause_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, CAUSE_FIELDS, N(CAUSE_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = alarm_ref(r, map, raw.is, &a->cause, err);
    if (rc == HALE_OK)
        rc = alarm_ref(r, map, raw.of, &a->symptom, err);
    if (rc == HALE_OK && a->cause == a->symptom)
        rc = hale_yaml_error(map, err, "an alarm is not its own cause");
    a->kind = HALE_RULE_CAUSE;
    hale_conf_fini(CAUSE_FIELDS, N(CAUSE_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_action(const struct hale_rule *r, NODE map,
                                struct hale_rule_action *a, struct hale_err *err)
{
    struct action_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, ACTION_FIELDS, N(ACTION_FIELDS), &raw, err);
    if (rc == HALE_OK && hale_yaml_count(map) != 1)
        rc = hale_yaml_error(map, err, "give one of raise, state and cause");
    if (rc != HALE_OK)
        return rc;
    if (hale_yaml_kind(raw.raise) != HALE_YAML_NULL)
        return read_raise(r, raw.raise, a, err);
    if (hale_yaml_kind(raw.state) != HALE_YAML_NULL)
        return read_state(r, raw.state, a, err);
    return read_cause(r, raw.cause, a, err);
}

static enum hale_rc read_actions(NODE list, struct hale_rule *r, struct hale_err *err)
{
    size_t n = hale_yaml_count(list);
    if (hale_yaml_kind(list) != HALE_YAML_LIST || n == 0 || n > HALE_RULE_ACTIONS_MAX)
        return hale_yaml_error(list, err, "do is a list of 1 to %d actions",
                               HALE_RULE_ACTIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        enum hale_rc rc =
            read_action(r, hale_yaml_item(list, i), &r->action[r->n_actions++], err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

/* --- rules --------------------------------------------------------------------------- */

static enum hale_rc read_when(NODE map, struct hale_rule *r, struct hale_err *err)
{
    struct hale_err where = {0};
    enum hale_rc rc =
        hale_rule_when_parse(r, hale_str_from(r->when_text), &r->when, &where);
    if (rc == HALE_OK || rc == HALE_E_NOMEM)
        return rc;
    return hale_yaml_error(hale_yaml_get(map, "when"), err, "when: column %d: %s",
                           where.col, where.text);
}

static enum hale_rc read_rule(NODE map, struct hale_rule *r, struct hale_err *err)
{
    struct rule_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, RULE_FIELDS, N(RULE_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = check_word(map, hale_str_from(raw.name), err);
    if (rc == HALE_OK)
        rc = read_variables(&raw, r, err);
    r->name = moved(&raw.name);
    r->tenant = moved(&raw.tenant);
    r->when_text = moved(&raw.when);
    r->within_ms = raw.within;
    if (rc == HALE_OK)
        rc = read_when(map, r, err);
    if (rc == HALE_OK)
        rc = read_actions(raw.actions, r, err);
    hale_conf_fini(RULE_FIELDS, N(RULE_FIELDS), &raw);
    return rc;
}

static void rule_fini(struct hale_rule *r)
{
    for (unsigned i = 0; i < r->n_entities; i++) {
        free(r->entity[i].var);
        free(r->entity[i].type);
        free(r->entity[i].id);
        free(r->entity[i].name);
        json_decref(r->entity[i].attributes);
    }
    for (unsigned i = 0; i < r->n_alarms; i++) {
        free(r->alarm[i].var);
        free(r->alarm[i].name);
        hale_regex_free(r->alarm[i].regex);
    }
    for (unsigned i = 0; i < r->n_actions; i++) {
        free(r->action[i].name);
        free(r->action[i].text);
    }
    free(r->name);
    free(r->tenant);
    free(r->when_text);
}

void hale_rules_free(struct hale_rules *r)
{
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->n; i++)
        rule_fini(&r->v[i]);
    free(r->v);
    free(r);
}

static enum hale_rc read_rules(NODE list, struct hale_rules *rules, struct hale_err *err)
{
    size_t n = hale_yaml_count(list);
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST || n > HALE_RULES_MAX)
        return hale_yaml_error(list, err, "rules are a list of at most %d",
                               HALE_RULES_MAX);
    if (n > 0 && (rules->v = calloc(n, sizeof(*rules->v))) == NULL)
        return nomem(err);
    for (size_t i = 0; i < n; i++) {
        NODE item = hale_yaml_item(list, i);
        struct hale_rule *r = &rules->v[rules->n++];
        enum hale_rc rc = read_rule(item, r, err);
        if (rc != HALE_OK)
            return rc;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(rules->v[k].name, r->name) == 0)
                return hale_yaml_error(item, err, "there is a rule '%s' already",
                                       r->name);
        }
    }
    return HALE_OK;
}

struct file_raw {
    NODE rules;
};
static const struct hale_conf_field FILE_FIELDS[] = {
    {"rules", HALE_CONF_NODE, offsetof(struct file_raw, rules), false, NULL, 0, 0, NULL,
     "the rules"},
};

static enum hale_rc read_document(struct hale_yaml *yaml, struct hale_rules **out,
                                  struct hale_err *err)
{
    struct file_raw raw = {0};
    struct hale_rules *rules = calloc(1, sizeof(*rules));
    if (rules == NULL)
        return nomem(err);
    enum hale_rc rc =
        hale_conf_read(hale_yaml_root(yaml), FILE_FIELDS, N(FILE_FIELDS), &raw, err);
    if (rc == HALE_OK)
        rc = read_rules(raw.rules, rules, err);
    if (rc != HALE_OK) {
        hale_rules_free(rules);
        return rc;
    }
    *out = rules;
    return HALE_OK;
}

enum hale_rc hale_rules_load(struct hale_str text, const char *source,
                             struct hale_rules **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc == HALE_OK)
        rc = read_document(yaml, out, err);
    hale_yaml_free(yaml);
    return rc;
}

enum hale_rc hale_rules_load_file(const char *path, struct hale_rules **out,
                                  struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    if (rc == HALE_OK)
        rc = read_document(yaml, out, err);
    hale_yaml_free(yaml);
    return rc;
}
