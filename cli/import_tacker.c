/* SPDX-License-Identifier: Apache-2.0 */
/* import_tacker - TOSCA templates as Tacker has them: legacy monitoring, alarming and scaling policies, and
 * the indicators of SOL 001. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/import.h"

#define TEXT_MAX  2048
#define URL       "http://tacker.example.org:9890"
#define TOKEN     "/etc/hale/tacker.token"
#define MONITOR_S 10 /* Tacker's check_intvl */

typedef const struct hale_yaml_node *NODE;

struct template
{
    struct cli_import *import;
    const char *source;
    NODE policies; /* list of {name: {...}}, or NULL */
    char name[128];
    bool url_noted;
};

static bool is_map(NODE n)
{
    return n != NULL && hale_yaml_kind(n) == HALE_YAML_MAP;
}

static NODE child(NODE map, const char *key)
{
    return is_map(map) ? hale_yaml_get(map, key) : NULL;
}

static size_t items(NODE n)
{
    return n != NULL && (hale_yaml_kind(n) == HALE_YAML_LIST ||
                         hale_yaml_kind(n) == HALE_YAML_MAP)
               ? hale_yaml_count(n)
               : 0;
}

static NODE item(NODE list, size_t i)
{
    return list != NULL && hale_yaml_kind(list) == HALE_YAML_LIST
               ? hale_yaml_item(list, i)
               : NULL;
}

/* The i-th policy and its name; NULL: not a map of one name. */
static NODE policy_at(const struct template *t, size_t i, struct hale_str *name)
{
    NODE map = item(t->policies, i);
    *name = (struct hale_str){NULL, 0};
    return is_map(map) && hale_yaml_count(map) > 0 ? hale_yaml_pair(map, 0, name, NULL)
                                                   : NULL;
}

/* Properties of the policy of that name and type; NULL: there is none. */
static NODE properties_of(const struct template *t, struct hale_str wanted,
                          const char *type)
{
    struct hale_str name;
    for (size_t i = 0; i < items(t->policies); i++) {
        NODE p = policy_at(t, i, &name);
        if (p != NULL && hale_str_eq(name, wanted) &&
            hale_str_eq_c(cli_import_text(p, "type"), type))
            return child(p, "properties") != NULL ? child(p, "properties") : p;
    }
    return NULL;
}

static void place_of(const struct template *t, NODE at, const char *what,
                     struct hale_str name, char dst[600])
{
    (void)snprintf(dst, 600, "%.300s:%d: %s %.*s", t->source, hale_yaml_line(at), what,
                   (int)(name.len < 200 ? name.len : 200), name.p != NULL ? name.p : "");
}

static int64_t number_of(NODE map, const char *key, int64_t fallback)
{
    int64_t n = 0;
    return hale_str_i64(cli_import_text(map, key), &n) == HALE_OK && n >= 0 && n < 604800
               ? n
               : fallback;
}

static json_t *vnflcm(struct template *t, const char *operation, json_t *more)
{
    json_t *step = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:[s,s]}", "url", URL,
                             "token_file", TOKEN, "auth", "x-auth-token", "operation",
                             operation, "vnf_instance_id", "${vnf_id}", "timeout", "15m",
                             "look_first", 1, "on_failed_temp", "retry", "fail");
    if (!t->url_noted)
        cli_import_note(t->import, t->source,
                        "policies call %s with the token in %s: say where Tacker is (or "
                        "use 'cloud' of the configuration)",
                        URL, TOKEN);
    t->url_noted = true;
    int rc = step != NULL && more != NULL ? json_object_update(step, more) : -1;
    json_decref(more);
    if (rc == 0)
        return json_pack("{s:o}", "vnflcm", step);
    json_decref(step);
    return NULL;
}

/* --- monitoring of VDUs ------------------------------------------------------------ */

/* What Tacker does when the probe fails; only healing has a counterpart. */
static bool heals(struct template *t, NODE policy, const char *place)
{
    struct hale_str action = cli_import_text(child(policy, "actions"), "failure");
    if (action.len == 0)
        action =
            cli_import_text(child(child(policy, "parameters"), "actions"), "failure");
    if (hale_str_eq_c(action, "respawn") || hale_str_eq_c(action, "vdu_autoheal"))
        return true;
    cli_import_leave_out(t->import, place, "%s",
                         hale_str_eq_c(action, "log")
                             ? "action log: the history of alarms has it"
                         : hale_str_eq_c(action, "log_and_kill")
                             ? "action log_and_kill destroys what it should heal"
                             : "it has no action respawn or vdu_autoheal");
    return false;
}

static enum hale_rc take_monitoring(struct template *t, NODE policy, struct hale_str vdu)
{
    char place[600], name[300], expression[300];
    struct hale_str probe = cli_import_text(policy, "name");
    NODE parameters = child(policy, "parameters");
    bool http = hale_str_eq_c(probe, "http_ping") || hale_str_eq_c(probe, "http-ping");
    place_of(t, policy, "monitoring policy of", vdu, place);
    if (!http && !hale_str_eq_c(probe, "ping")) {
        cli_import_leave_out(t->import, place,
                             "monitor '%.*s': only ping and http_ping have a counterpart",
                             (int)(probe.len < 60 ? probe.len : 60),
                             probe.p != NULL ? probe.p : "");
        return HALE_OK;
    }
    if (!heals(t, policy, place))
        return HALE_OK;
    int64_t tries = number_of(parameters, http ? "retry" : "count", http ? 5 : 1);
    int64_t for_s = (tries > 0 ? tries : 1) * MONITOR_S;
    (void)snprintf(name, sizeof(name), "%s-%.*s-unreachable", t->name,
                   (int)(vdu.len < 100 ? vdu.len : 100), vdu.p);
    (void)snprintf(expression, sizeof(expression), "last(%s{vdu_id=%.*s}) > 0 for %llds",
                   http ? "http_status" : "host_alive_status",
                   (int)(vdu.len < 100 ? vdu.len : 100), vdu.p, (long long)for_s);
    cli_import_note(t->import, place,
                    "checks of hale-agent take Tacker's place: they report %s with "
                    "dimensions vnf_id, vdu_id, vnfc_id",
                    http ? "http_status" : "host_alive_status");
    const struct cli_import_action a = {
        .place = place,
        .name = name,
        .expression = expression,
        .severity = "CRITICAL",
        .match_by = json_pack("[s,s]", "vnf_id", "vnfc_id"),
        .target = "vnf/${vnf_id}/${vnfc_id}",
        .cooldown_s = number_of(parameters, "monitoring_delay", 60),
        .step = vnflcm(t, "heal",
                       json_pack("{s:s,s:s}", "vnfc_instance_id", "${vnfc_id}", "cause",
                                 "${alarm.name}"))};
    return cli_import_take_action(t->import, &a);
}

/* --- alarming policies ------------------------------------------------------------- */

static const char *comparison(struct hale_str word)
{
    static const char *const words[][2] = {
        {"gt", ">"},        {"ge", ">="},           {"lt", "<"},
        {"le", "<="},       {"greater_than", ">"},  {"greater_or_equal", ">="},
        {"less_than", "<"}, {"less_or_equal", "<="}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (hale_str_ieq_c(word, words[i][0]))
            return words[i][1];
    return NULL;
}

static const char *function_of(struct hale_str method)
{
    static const char *const words[][2] = {
        {"mean", "avg"}, {"avg", "avg"}, {"average", "avg"}, {"min", "min"},
        {"max", "max"},  {"sum", "sum"}, {"count", "count"}, {"last", "last"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (hale_str_ieq_c(method, words[i][0]))
            return words[i][1];
    return method.len == 0 ? "avg" : NULL;
}

/* "avg(m, 60) > 50 times 3"; false with a note. */
static bool condition_of(struct template *t, NODE trigger, const char *place,
                         struct hale_buf *out)
{
    NODE c = child(trigger, "condition");
    struct hale_str metric = cli_import_text(trigger, "metric");
    struct hale_str threshold = cli_import_text(c, "threshold");
    const char *op = comparison(cli_import_text(c, "comparison_operator"));
    const char *function = function_of(cli_import_text(c, "aggregation_method"));
    int64_t period = number_of(c, "granularity", 60),
            times = number_of(c, "evaluations", 1);
    double number;
    const char *why = NULL;
    if (metric.len == 0)
        metric = cli_import_text(trigger, "meter_name");
    if (metric.len == 0)
        why = "it names no metric";
    else if (op == NULL)
        why = "its comparison is none of gt, ge, lt, le";
    else if (function == NULL)
        why = "its aggregation_method is none of mean, min, max, sum, count, last";
    else if (hale_str_double(threshold, &number) != HALE_OK)
        why = "its threshold is not a number";
    if (why != NULL) {
        cli_import_leave_out(t->import, place, "%s", why);
        return false;
    }
    hale_buf_printf(out, "%s(%.*s", function, (int)metric.len, metric.p);
    if (strcmp(function, "last") != 0)
        hale_buf_printf(out, ", %lld", (long long)(period > 0 ? period : 60));
    hale_buf_printf(out, ") %s %.*s", op, (int)threshold.len, threshold.p);
    if (times > 1)
        hale_buf_printf(out, " times %lld", (long long)times);
    return true;
}

/* A step for one action of a trigger, and its cooldown; NULL with a note. */
static json_t *action_of(struct template *t, struct hale_str action, bool grows,
                         const char *place, int64_t *cooldown_s)
{
    char aspect[128];
    NODE scaling = properties_of(t, action, "tosca.policies.tacker.Scaling");
    *cooldown_s = 60;
    if (hale_str_eq_c(action, "respawn") || hale_str_eq_c(action, "vdu_autoheal"))
        return vnflcm(t, "heal", json_pack("{s:s}", "cause", "${alarm.name}"));
    if (scaling == NULL) {
        cli_import_leave_out(
            t->import, place,
            "action '%.*s': neither respawn nor a scaling policy of the template",
            (int)(action.len < 60 ? action.len : 60), action.p != NULL ? action.p : "");
        return NULL;
    }
    (void)snprintf(aspect, sizeof(aspect), "%.*s",
                   (int)(action.len < sizeof(aspect) ? action.len : sizeof(aspect) - 1),
                   action.p);
    *cooldown_s = number_of(scaling, "cooldown", 60);
    cli_import_note(t->import, place,
                    "%s by the scaling policy's increment; its min_instances and "
                    "max_instances are the VNFM's to keep",
                    grows ? "scales out" : "scales in");
    return vnflcm(t, "scale",
                  json_pack("{s:s,s:s,s:I}", "aspect_id", aspect, "type",
                            grows ? "SCALE_OUT" : "SCALE_IN", "number_of_steps",
                            (json_int_t)number_of(scaling, "increment", 1)));
}

static enum hale_rc take_trigger(struct template *t, NODE trigger, struct hale_str name)
{
    char place[600], own[300];
    struct hale_buf text;
    NODE actions = child(trigger, "action");
    struct hale_str op =
        cli_import_text(child(trigger, "condition"), "comparison_operator");
    bool grows = op.len > 0 && (op.p[0] == 'g' || op.p[0] == 'G');
    enum hale_rc rc = HALE_OK;
    hale_buf_init(&text, TEXT_MAX);
    place_of(t, trigger, "trigger", name, place);
    (void)snprintf(own, sizeof(own), "%s-%.*s", t->name,
                   (int)(name.len < 100 ? name.len : 100), name.p != NULL ? name.p : "");
    if (condition_of(t, trigger, place, &text)) {
        bool list = actions != NULL && hale_yaml_kind(actions) == HALE_YAML_LIST;
        if (list && hale_yaml_count(actions) > 1)
            cli_import_note(t->import, place,
                            "only the first of its actions is taken over");
        struct hale_str action = list && hale_yaml_count(actions) > 0
                                     ? hale_yaml_text(hale_yaml_item(actions, 0))
                                     : cli_import_text(trigger, "action");
        int64_t cooldown_s = 0;
        json_t *step = action_of(t, action, grows, place, &cooldown_s);
        const struct cli_import_action a = {.place = place,
                                            .name = own,
                                            .expression = text.p,
                                            .match_by = json_pack("[s]", "vnf_id"),
                                            .target = "vnf/${vnf_id}",
                                            .cooldown_s = cooldown_s,
                                            .step = step};
        if (step != NULL)
            rc = cli_import_take_action(t->import, &a);
        else
            json_decref(a.match_by);
    }
    hale_buf_fini(&text);
    return rc;
}

/* --- indicators of SOL 001 --------------------------------------------------------- */

/* condition: [{indicator: [{greater_or_equal: 60}]}]; false with a note. */
static bool indicator_of(struct template *t, NODE trigger, const char *place,
                         struct hale_buf *out)
{
    NODE list = child(trigger, "condition");
    NODE first = item(list, 0);
    struct hale_str metric = {NULL, 0}, word = {NULL, 0};
    NODE constraints = is_map(first) && hale_yaml_count(first) == 1
                           ? hale_yaml_pair(first, 0, &metric, NULL)
                           : NULL;
    NODE constraint = item(constraints, 0);
    NODE value = is_map(constraint) ? hale_yaml_pair(constraint, 0, &word, NULL) : NULL;
    const char *op = value != NULL ? comparison(word) : NULL;
    double number;
    if (items(list) != 1 || items(constraints) != 1 || op == NULL ||
        hale_yaml_kind(value) != HALE_YAML_SCALAR ||
        hale_str_double(hale_yaml_text(value), &number) != HALE_OK) {
        cli_import_leave_out(
            t->import, place,
            "its condition is not one comparison of one indicator with a "
            "number");
        return false;
    }
    hale_buf_printf(out, "last(%.*s) %s %.*s", (int)metric.len, metric.p, op,
                    (int)hale_yaml_text(value).len, hale_yaml_text(value).p);
    return true;
}

static json_t *call_of(struct template *t, NODE trigger, const char *place)
{
    NODE call = child(item(child(trigger, "action"), 0), "call_operation");
    NODE inputs = child(call, "inputs");
    struct hale_str operation = cli_import_text(call, "operation");
    char aspect[128];
    if (is_map(call) && operation.len == 0)
        call = NULL;
    struct hale_str dot = operation;
    while (dot.len > 0 && memchr(dot.p, '.', dot.len) != NULL)
        (void)hale_str_split(&dot, '.');
    if (hale_str_ieq_c(dot, "heal"))
        return vnflcm(t, "heal", json_pack("{s:s}", "cause", "${alarm.name}"));
    struct hale_str id = cli_import_text(inputs, "aspect_id");
    (void)snprintf(aspect, sizeof(aspect), "%.*s",
                   (int)(id.len < sizeof(aspect) ? id.len : sizeof(aspect) - 1),
                   id.p != NULL ? id.p : "");
    if (call != NULL && hale_str_ieq_c(dot, "scale") && id.len > 0)
        return vnflcm(
            t, "scale",
            json_pack(
                "{s:s,s:s,s:I}", "aspect_id", aspect, "type",
                hale_str_ieq_c(cli_import_text(inputs, "type"), "scale_in") ? "SCALE_IN"
                                                                            : "SCALE_OUT",
                "number_of_steps", (json_int_t)number_of(inputs, "number_of_steps", 1)));
    cli_import_leave_out(t->import, place,
                         "its action is neither Vnflcm.heal nor Vnflcm.scale with an "
                         "aspect_id");
    return NULL;
}

static enum hale_rc take_indicator(struct template *t, NODE trigger, struct hale_str name)
{
    char place[600], own[300];
    struct hale_buf text;
    enum hale_rc rc = HALE_OK;
    hale_buf_init(&text, TEXT_MAX);
    place_of(t, trigger, "indicator trigger", name, place);
    (void)snprintf(own, sizeof(own), "%s-%.*s", t->name,
                   (int)(name.len < 100 ? name.len : 100), name.p != NULL ? name.p : "");
    json_t *step =
        indicator_of(t, trigger, place, &text) ? call_of(t, trigger, place) : NULL;
    if (step != NULL) {
        const struct cli_import_action a = {.place = place,
                                            .name = own,
                                            .expression = text.p,
                                            .match_by = json_pack("[s]", "vnf_id"),
                                            .target = "vnf/${vnf_id}",
                                            .cooldown_s = 60,
                                            .step = step};
        rc = cli_import_take_action(t->import, &a);
    }
    hale_buf_fini(&text);
    return rc;
}

/* --- the template ------------------------------------------------------------------ */

static enum hale_rc take_policy(struct template *t, NODE policy, struct hale_str name)
{
    char place[600];
    struct hale_str type = cli_import_text(policy, "type"), own;
    NODE triggers = child(policy, "triggers");
    bool alarming = hale_str_eq_c(type, "tosca.policies.tacker.Alarming");
    enum hale_rc rc = HALE_OK;
    place_of(t, policy, "policy", name, place);
    if (hale_str_eq_c(type, "tosca.policies.tacker.Scaling"))
        return HALE_OK; /* taken with the trigger that names it */
    if (!alarming && (triggers == NULL || !is_map(triggers))) {
        cli_import_note(
            t->import, place,
            "of type %.*s: it says what can be done, not when; no policy comes "
            "of it",
            (int)(type.len < 100 ? type.len : 100), type.p != NULL ? type.p : "");
        return HALE_OK;
    }
    for (size_t i = 0; rc == HALE_OK && is_map(triggers) && i < items(triggers); i++) {
        NODE trigger = hale_yaml_pair(triggers, i, &own, NULL);
        rc = alarming ? take_trigger(t, trigger, own) : take_indicator(t, trigger, own);
    }
    return rc;
}

static enum hale_rc take_nodes(struct template *t, NODE nodes)
{
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; rc == HALE_OK && is_map(nodes) && i < items(nodes); i++) {
        struct hale_str name;
        NODE properties = child(hale_yaml_pair(nodes, i, &name, NULL), "properties");
        NODE monitoring = child(properties, "monitoring_policy");
        char place[600];
        if (is_map(monitoring))
            rc = take_monitoring(t, monitoring, name);
        if (child(properties, "app_monitoring_policy") != NULL) {
            place_of(t, properties, "application monitoring of", name, place);
            cli_import_leave_out(
                t->import, place,
                "Zabbix watches it: its checks have no counterpart here");
        }
    }
    return rc;
}

enum hale_rc cli_import_tacker(struct hale_str text, const char *source,
                               struct cli_import *out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct template t = {.import = out, .source = source};
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    NODE root = hale_yaml_root(yaml), topology = child(root, "topology_template");
    const char *slash = strrchr(source, '/');
    const char *base = slash != NULL ? slash + 1 : source;
    (void)snprintf(t.name, sizeof(t.name), "%.*s", (int)strcspn(base, "."), base);
    t.policies = child(topology, "policies");
    if (!is_map(topology))
        rc = hale_yaml_error(root, err, "'topology_template:' is wanted at the top");
    else
        rc = take_nodes(&t, child(topology, "node_templates"));
    for (size_t i = 0; rc == HALE_OK && i < items(t.policies); i++) {
        struct hale_str name;
        NODE policy = policy_at(&t, i, &name);
        if (policy != NULL)
            rc = take_policy(&t, policy, name);
    }
    hale_yaml_free(yaml);
    return rc == HALE_E_NOMEM ? hale_err_set(err, rc, "out of memory") : rc;
}
