/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_load - reads policies from YAML (declared in policy.h).
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/policy.h"
#include "actuator/policy_guards.h"
#include "actuator/policy_load.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"
#include "actuator/scaling.h"
#include "actuator/upkeep_policy.h"
#include "model/yaml.h"

#define DAY_MS    86400000.0
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

static const char *const MODES[] = {"observe", "suggest", "approve", "auto", NULL};
static const char *const REPEATS[] = {"once", "while_alarm", NULL};
static const char *const SOURCES[] = {"any", "metric", "event", NULL};
static const char *const SEVERITIES[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const STATES[] = {"OK", "UNDETERMINED", "ALARM", NULL};

struct policy_raw {
    char *name, *target, *version, *site;
    int mode, repeat;
    int64_t stabilise;
    NODE alarm;
    NODE cooldown;
    NODE frequency;
    NODE guards;
    NODE steps;
    NODE verify;
    NODE approval;
};
static const struct hale_conf_field POLICY_FIELDS[] = {
    {"name", HALE_CONF_STRING, offsetof(struct policy_raw, name), true, NULL, 0, 0, NULL,
     "unique name"},
    {"mode", HALE_CONF_ENUM, offsetof(struct policy_raw, mode), false, "observe", 0, 0,
     MODES, "observe writes down what would be called"},
    {"alarm", HALE_CONF_NODE, offsetof(struct policy_raw, alarm), true, NULL, 0, 0, NULL,
     "which alarms"},
    {"target", HALE_CONF_STRING, offsetof(struct policy_raw, target), true, NULL, 0, 0,
     NULL, "what is acted on; one run at a time"},
    {"site", HALE_CONF_STRING, offsetof(struct policy_raw, site), false, NULL, 0, 0, NULL,
     "where the target is; for guards and switches of a site"},
    {"stabilise", HALE_CONF_DURATION, offsetof(struct policy_raw, stabilise), false, NULL,
     0, DAY_MS, NULL, "the alarm must have stood so long"},
    {"cooldown", HALE_CONF_NODE, offsetof(struct policy_raw, cooldown), false, NULL, 0, 0,
     NULL, "rest of the target after a run"},
    {"frequency", HALE_CONF_NODE, offsetof(struct policy_raw, frequency), false, NULL, 0,
     0, NULL, "{max, per, scope}, or a list"},
    {"guards", HALE_CONF_NODE, offsetof(struct policy_raw, guards), false, NULL, 0, 0,
     NULL, "what else may keep it from acting"},
    {"repeat", HALE_CONF_ENUM, offsetof(struct policy_raw, repeat), false, "once", 0, 0,
     REPEATS, "again when refused or in vain"},
    {"steps", HALE_CONF_NODE, offsetof(struct policy_raw, steps), true, NULL, 0, 0, NULL,
     "what to call, in order"},
    {"version", HALE_CONF_STRING, offsetof(struct policy_raw, version), false, "", 0, 0,
     NULL, "shown in the journal"},
    {"approval", HALE_CONF_NODE, offsetof(struct policy_raw, approval), false, NULL, 0, 0,
     NULL, "{expires}: of proposals"},
    {"verify", HALE_CONF_NODE, offsetof(struct policy_raw, verify), false, NULL, 0, 0,
     NULL, "how success shows"},
};

struct alarm_raw {
    NODE definition;
    NODE severity;
    NODE dimensions;
    NODE state;
    int source;
    bool root_cause;
};
static const struct hale_conf_field ALARM_FIELDS[] = {
    {"definition", HALE_CONF_NODE, offsetof(struct alarm_raw, definition), false, NULL, 0,
     0, NULL, "definition name(s)"},
    {"severity", HALE_CONF_NODE, offsetof(struct alarm_raw, severity), false, NULL, 0, 0,
     NULL, "one or a list"},
    {"dimensions", HALE_CONF_NODE, offsetof(struct alarm_raw, dimensions), false, NULL, 0,
     0, NULL, "equal, or \"*\" for present"},
    {"state", HALE_CONF_NODE, offsetof(struct alarm_raw, state), false, NULL, 0, 0, NULL,
     "one or a list"},
    {"source", HALE_CONF_ENUM, offsetof(struct alarm_raw, source), false, "any", 0, 0,
     SOURCES, "metric or event alarms"},
    {"root_cause", HALE_CONF_BOOL, offsetof(struct alarm_raw, root_cause), false, "true",
     0, 0, NULL, "not those that others explain"},
};

struct approval_raw {
    int64_t expires;
};
static const struct hale_conf_field APPROVAL_FIELDS[] = {
    {"expires", HALE_CONF_DURATION, offsetof(struct approval_raw, expires), false, "15m",
     1000, 7 * DAY_MS, NULL, "how long a proposal stands"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc add_name(NODE item, void *arg, struct hale_err *err)
{
    struct hale_strings *list = arg;
    struct hale_str text = hale_yaml_text(item);
    if (text.len == 0 || text.len > 1024)
        return hale_yaml_error(item, err, "a definition name has 1 to 1024 bytes");
    char **grown = realloc(list->v, (list->n + 1) * sizeof(*grown));
    if (grown == NULL)
        return nomem(err);
    list->v = grown;
    list->v[list->n] = strndup(text.p, text.len);
    if (list->v[list->n] == NULL)
        return nomem(err);
    list->n++;
    return HALE_OK;
}

static enum hale_rc read_alarm(NODE map, struct actuator_policy *p, struct hale_err *err)
{
    struct alarm_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, ALARM_FIELDS, N(ALARM_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    p->source = raw.source;
    p->root_cause = raw.root_cause;
    if (hale_yaml_kind(raw.definition) != HALE_YAML_NULL)
        rc = actuator_read_each(raw.definition, "definition", err, add_name,
                                &p->definition);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.severity, "severity", SEVERITIES, 0xf, &p->severities,
                                err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.state, "state", STATES, 1u << HALE_STATE_ALARM,
                                &p->states, err);
    if (rc == HALE_OK)
        rc = actuator_read_map(raw.dimensions, "dimensions", true, &p->dimensions, err);
    return rc;
}

static enum hale_rc check_name(NODE map, const struct actuator_policies *set,
                               const struct actuator_policy *p, struct hale_err *err)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    NODE node = hale_yaml_get(map, "name");
    size_t len = strlen(p->name);
    if (len == 0 || len > ACTUATOR_POLICY_NAME_MAX ||
        p->name[strspn(p->name, fine)] != '\0')
        return hale_yaml_error(node, err,
                               "name must be 1 to %d characters of A-Z a-z 0-9 _ . -",
                               ACTUATOR_POLICY_NAME_MAX);
    for (unsigned i = 0; i < set->n; i++)
        if (&set->v[i] != p && strcmp(set->v[i].name, p->name) == 0)
            return hale_yaml_error(node, err, "the name '%s' is used twice", p->name);
    for (unsigned i = 0; i < set->n_scaling; i++) /* both directions have one name */
        if (set->scaling[i].by[0].name != NULL && p != &set->scaling[i].by[0] &&
            p != &set->scaling[i].by[1] &&
            strcmp(set->scaling[i].by[0].name, p->name) == 0)
            return hale_yaml_error(node, err, "the name '%s' is used twice", p->name);
    return HALE_OK;
}

static enum hale_rc read_guards(const struct policy_raw *raw, struct actuator_policy *p,
                                struct hale_err *err)
{
    const struct actuator_guards_yaml yaml = {raw->cooldown, raw->frequency, raw->guards};
    struct approval_raw approval = {0};
    enum hale_rc rc = actuator_policy_read_guards(&yaml, &p->guards, err);
    if (rc == HALE_OK)
        rc = hale_conf_read(raw->approval, APPROVAL_FIELDS, N(APPROVAL_FIELDS), &approval,
                            err);
    if (rc == HALE_OK)
        rc = actuator_proof_read(raw->verify, &p->verify, err);
    p->approval_ms = approval.expires;
    return rc;
}

static enum hale_rc fill(NODE map, struct policy_raw *raw, struct actuator_policies *set,
                         struct actuator_policy *p, struct hale_err *err)
{
    p->name = actuator_read_move(&raw->name);
    p->target = actuator_read_move(&raw->target);
    p->site = actuator_read_move(&raw->site);
    p->stabilise_ms = raw->stabilise;
    p->version = actuator_read_move(&raw->version);
    p->mode = raw->mode;
    p->repeat = raw->repeat;
    enum hale_rc rc = check_name(map, set, p, err);
    if (rc == HALE_OK && strlen(p->version) >= ACTUATOR_VERSION_MAX)
        rc = hale_yaml_error(hale_yaml_get(map, "version"), err,
                             "version has at most %d bytes", ACTUATOR_VERSION_MAX - 1);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, "target", p->target, false, err);
    if (rc == HALE_OK)
        rc = actuator_policy_check_text(map, "site", p->site, false, err);
    if (rc == HALE_OK)
        rc = read_alarm(raw->alarm, p, err);
    if (rc == HALE_OK)
        rc = read_guards(raw, p, err);
    if (!p->guards.parent_given) /* who acts on symptoms means it */
        p->guards.ignore_parent = !p->root_cause;
    if (rc == HALE_OK && raw->steps != NULL) /* scaling may go one way only */
        rc = actuator_policy_read_steps(raw->steps, p, err);
    return rc;
}

static enum hale_rc read_policy(NODE map, struct actuator_policies *set,
                                struct hale_err *err)
{
    struct policy_raw raw = {0};
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return hale_yaml_error(map, err, "this policy is empty");
    enum hale_rc rc = hale_conf_read(map, POLICY_FIELDS, N(POLICY_FIELDS), &raw, err);
    return rc == HALE_OK ? fill(map, &raw, set, &set->v[set->n++], err) : rc;
}

unsigned actuator_policy_fields(struct hale_conf_field out[ACTUATOR_POLICY_FIELDS_MAX],
                                size_t *size)
{
    static const char *const own[] = {"alarm", "steps", "repeat", "stabilise", NULL};
    unsigned n = 0;
    for (size_t i = 0; i < N(POLICY_FIELDS); i++) {
        bool skip = false;
        for (size_t k = 0; own[k] != NULL; k++)
            skip = skip || strcmp(own[k], POLICY_FIELDS[i].key) == 0;
        if (!skip && n < ACTUATOR_POLICY_FIELDS_MAX)
            out[n++] = POLICY_FIELDS[i];
    }
    *size = sizeof(struct policy_raw);
    return n;
}

enum hale_rc actuator_policy_fill(NODE map, void *raw, NODE steps,
                                  struct actuator_policies *set,
                                  struct actuator_policy *p, struct hale_err *err)
{
    struct policy_raw *common = raw;
    common->steps = steps;
    return fill(map, common, set, p, err);
}

static enum hale_rc read_list(NODE list, struct actuator_policies *set,
                              struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return rc;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "policies must be a list ('- name: ...')");
    size_t n = hale_yaml_count(list);
    if (n > ACTUATOR_POLICIES_MAX)
        return hale_yaml_error(list, err, "at most %d policies", ACTUATOR_POLICIES_MAX);
    set->v = calloc(n > 0 ? n : 1, sizeof(*set->v));
    if (set->v == NULL)
        return nomem(err);
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_policy(hale_yaml_item(list, i), set, err);
    return rc;
}

static enum hale_rc read_all(NODE root, struct actuator_policies *set,
                             struct hale_err *err)
{
    struct lists {
        NODE policies;
        NODE scaling;
        NODE upkeep;
    } lists = {NULL, NULL, NULL};
    static const struct hale_conf_field top[] = {
        {"policies", HALE_CONF_NODE, offsetof(struct lists, policies), false, NULL, 0, 0,
         NULL, "list of policies on alarms"},
        {"scaling", HALE_CONF_NODE, offsetof(struct lists, scaling), false, NULL, 0, 0,
         NULL, "list of scaling policies"},
        {"maintenance", HALE_CONF_NODE, offsetof(struct lists, upkeep), false, NULL, 0, 0,
         NULL, "maintenance sessions: cloud, url, reply, hook, ..."}};
    enum hale_rc rc = hale_conf_read(root, top, N(top), &lists, err);
    if (rc == HALE_OK)
        rc = read_list(lists.policies, set, err);
    if (rc == HALE_OK)
        rc = actuator_scaling_read(lists.scaling, set, err);
    return rc == HALE_OK ? actuator_upkeep_read(lists.upkeep, set, err) : rc;
}

enum hale_rc actuator_policies_read(NODE list, NODE scaling,
                                    struct actuator_policies **out, struct hale_err *err)
{
    struct actuator_policies *set = calloc(1, sizeof(*set));
    enum hale_rc rc = set != NULL ? read_list(list, set, err) : nomem(err);
    if (rc == HALE_OK)
        rc = actuator_scaling_read(scaling, set, err);
    *out = rc == HALE_OK ? set : NULL;
    if (rc != HALE_OK)
        actuator_policies_free(set);
    return rc;
}

static enum hale_rc finish_load(struct hale_yaml *yaml, struct actuator_policies **out,
                                struct hale_err *err)
{
    struct actuator_policies *set = calloc(1, sizeof(*set));
    enum hale_rc rc = set != NULL ? read_all(hale_yaml_root(yaml), set, err) : nomem(err);
    hale_yaml_free(yaml);
    *out = rc == HALE_OK ? set : NULL;
    if (rc != HALE_OK)
        actuator_policies_free(set);
    return rc;
}

enum hale_rc actuator_policies_load_file(const char *path, struct actuator_policies **out,
                                         struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    return rc == HALE_OK ? finish_load(yaml, out, err) : rc;
}

enum hale_rc actuator_policies_load(struct hale_str text, const char *source,
                                    struct actuator_policies **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    return rc == HALE_OK ? finish_load(yaml, out, err) : rc;
}
