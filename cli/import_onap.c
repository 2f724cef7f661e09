/* SPDX-License-Identifier: Apache-2.0 */
/* import_onap - operational and guard policies of ONAP become policies of the actuator. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actuator/policy.h"
#include "cli/cli.h"
#include "cli/import.h"
#include "model/yaml.h"

#define OPERATIONS_MAX ACTUATOR_STEPS_MAX
#define GUARDS_MAX     256
#define STEP_NAME_MAX  31
#define CLOUD          "openstack"
#define VNFM           "https://vnfm.example.org"
#define OPERATIONAL    "onap.policies.controlloop.operational."
#define GUARD          "onap.policies.controlloop.guard.common."

typedef const struct hale_yaml_node *NODE;

struct guard {
    NODE props;
    struct hale_str type; /* behind GUARD */
    char place[300];
    bool used;
};
struct onap {
    struct cli_import *import;
    const char *source;
    unsigned n_guards;
    struct guard guard[GUARDS_MAX];
};
struct operation {
    NODE map; /* the whole, and its `operation` */
    NODE what;
    char id[256], name[STEP_NAME_MAX + 1];
    int seen; /* 0 no, 1 on the way, 2 done */
};
struct loop { /* an operational policy */
    struct onap *onap;
    const char *place;
    NODE props;
    unsigned n, n_order;
    struct operation op[OPERATIONS_MAX];
    unsigned order[OPERATIONS_MAX]; /* from the last to the first */
    char why[400];
};

static const char *text_of(NODE map, const char *key, char *dst, size_t size)
{
    NODE n = hale_yaml_get(map, key);
    struct hale_str text =
        hale_yaml_kind(n) == HALE_YAML_SCALAR ? hale_yaml_text(n) : (struct hale_str){0};
    (void)snprintf(dst, size, "%.*s", (int)text.len, text.p != NULL ? text.p : "");
    return dst;
}

static int64_t number_of(NODE map, const char *key, int64_t fallback)
{
    int64_t n;
    char text[40];
    return hale_str_i64(hale_str_from(text_of(map, key, text, sizeof(text))), &n) ==
                   HALE_OK
               ? n
               : fallback;
}

static void note(struct loop *l, const char *fmt, ...) HALE_PRINTF(2, 3);
static void note(struct loop *l, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    cli_import_note(l->onap->import, l->place, "%s", text);
}

static bool fail(struct loop *l, const char *fmt, ...) HALE_PRINTF(2, 3);
static bool fail(struct loop *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(l->why, sizeof(l->why), fmt, args);
    va_end(args);
    return false;
}

/* A-Z a-z 0-9 _ . - only. */
static void clean(const char *from, char *dst, size_t size)
{
    size_t n = 0;
    for (; *from != '\0' && n + 1 < size; from++) {
        bool fine = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                    (*from >= '0' && *from <= '9') || strchr("_.-", *from) != NULL;
        dst[n++] = fine ? *from : '-';
    }
    dst[n] = '\0';
}

/* --- operations and the ways between them ------------------------------------------ */

static struct operation *find(struct loop *l, const char *id)
{
    for (unsigned i = 0; i < l->n; i++)
        if (strcmp(l->op[i].id, id) == 0)
            return &l->op[i];
    return NULL;
}

static bool read_operations(struct loop *l)
{
    NODE list = hale_yaml_get(l->props, "operations");
    if (hale_yaml_kind(list) != HALE_YAML_LIST || hale_yaml_count(list) == 0)
        return fail(l, "it has no operations");
    if (hale_yaml_count(list) > OPERATIONS_MAX)
        return fail(l, "it has more than %d operations", OPERATIONS_MAX);
    for (size_t i = 0; i < hale_yaml_count(list); i++) {
        struct operation *o = &l->op[l->n];
        o->map = hale_yaml_item(list, i);
        o->what = hale_yaml_get(o->map, "operation");
        (void)text_of(o->map, "id", o->id, sizeof(o->id));
        if (o->id[0] == '\0' || find(l, o->id) != NULL)
            return fail(l, "operation %zu has no id of its own", i);
        clean(o->id, o->name, sizeof(o->name) - 3);
        for (unsigned k = 0; k < l->n; k++)
            if (strcmp(l->op[k].name, o->name) == 0)
                (void)snprintf(o->name + strlen(o->name), 4, "-%u", l->n % 100);
        l->n++;
    }
    return true;
}

static const char *const outcomes[] = {"success",         "failure",
                                       "failure_timeout", "failure_retries",
                                       "failure_guard",   "failure_exception"};

/* Depth first: what follows an operation stands before it in `order`. */
static bool visit(struct loop *l, struct operation *o)
{
    char next[256];
    if (o->seen == 1)
        return fail(l, "operation %s comes again after itself: a run must end", o->id);
    if (o->seen == 2)
        return true;
    o->seen = 1;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        (void)text_of(o->map, outcomes[i], next, sizeof(next));
        if (next[0] == '\0' || strncmp(next, "final_", 6) == 0 ||
            strcmp(outcomes[i], "failure_exception") == 0)
            continue;
        struct operation *to = find(l, next);
        if (to == NULL)
            return fail(l, "operation %s goes on with %s, which is not there", o->id,
                        next);
        if (!visit(l, to))
            return false;
    }
    o->seen = 2;
    l->order[l->n_order++] = (unsigned)(o - l->op);
    return true;
}

/* Where it goes: a step's name, "done" or "fail". */
static const char *way(struct loop *l, const struct operation *o, const char *outcome,
                       char *next, size_t size)
{
    (void)text_of(o->map, outcome, next, size);
    const struct operation *to = find(l, next);
    if (to != NULL)
        return to->name;
    return strcmp(next, "final_success") == 0 ||
                   (next[0] == '\0' && strcmp(outcome, "success") == 0)
               ? "done"
               : "fail";
}

static bool put(json_t *o, const char *key, const char *text)
{
    return json_object_set_new(o, key, json_string(text)) == 0;
}

static void take_ways(struct loop *l, const struct operation *o, json_t *step)
{
    char a[256], b[256];
    bool retried = number_of(o->map, "retries", 0) > 0;
    const char *last = retried ? "failure_retries" : "failure";
    if (strcmp(way(l, o, "failure", a, sizeof(a)),
               way(l, o, "failure_retries", b, sizeof(b))) != 0)
        note(l, "operation %s: %s is taken for every failure, %s is not", o->id, last,
             retried ? "failure" : "failure_retries");
    if (strcmp(way(l, o, "failure_exception", a, sizeof(a)),
               way(l, o, last, b, sizeof(b))) != 0)
        note(l, "operation %s: failure_exception is a failure like others", o->id);
    (void)put(step, "on_ok", way(l, o, "success", a, sizeof(a)));
    (void)put(step, "on_fail", way(l, o, last, a, sizeof(a)));
    (void)put(step, "on_timeout", way(l, o, "failure_timeout", a, sizeof(a)));
    if (o !=
        &l->op[l->order[l->n_order - 1]]) /* the first: it is refused before it begins */
        (void)put(step, "on_guard", way(l, o, "failure_guard", a, sizeof(a)));
}

/* --- actors ------------------------------------------------------------------------ */

static const struct {
    const char *actor, *operation, *target; /* target "": any */
    const char *type, *action; /* action of vnflcm: operation, or a direction */
} actors[] = {
    {"APPC", "Restart", "VM", "nova", "reboot"},
    {"APPC", "Reboot", "VM", "nova", "reboot"},
    {"APPC", "Start", "VM", "nova", "start"},
    {"APPC", "Stop", "VM", "nova", "stop"},
    {"APPC", "Rebuild", "VM", "nova", "rebuild"},
    {"APPC", "Migrate", "VM", "nova", "migrate"},
    {"APPC", "Evacuate", "VM", "nova", "evacuate"},
    {"APPC", "Restart", "VNF", "vnflcm", "heal"},
    {"APPC", "Restart", "VFMODULE", "vnflcm", "heal"},
    {"VFC", "Restart", "", "vnflcm", "heal"},
    {"SO", "VF Module Create", "", "vnflcm", "SCALE_OUT"},
    {"SO", "VF Module Delete", "", "vnflcm", "SCALE_IN"},
};

static const char *target_type(const struct operation *o, char *dst, size_t size)
{
    return text_of(hale_yaml_get(o->what, "target"), "targetType", dst, size);
}

static int actor_of(const struct operation *o)
{
    char actor[64], operation[64], target[32];
    (void)text_of(o->what, "actor", actor, sizeof(actor));
    (void)text_of(o->what, "operation", operation, sizeof(operation));
    (void)target_type(o, target, sizeof(target));
    if (strcmp(actor, "APPCLCM") == 0 || strcmp(actor, "APPC-LCM") == 0)
        (void)snprintf(actor, sizeof(actor), "APPC");
    for (size_t i = 0; i < sizeof(actors) / sizeof(actors[0]); i++)
        if (strcmp(actors[i].actor, actor) == 0 &&
            hale_str_ieq_c(hale_str_from(operation), actors[i].operation) &&
            (actors[i].target[0] == '\0' || strcmp(actors[i].target, target) == 0))
            return (int)i;
    return -1;
}

static json_t *call_of(struct loop *l, const struct operation *o, int k)
{
    char aspect[128];
    bool scales = strncmp(actors[k].action, "SCALE_", 6) == 0;
    if (strcmp(actors[k].type, "nova") == 0)
        return json_pack("{s:s,s:s,s:s}", "cloud", CLOUD, "action", actors[k].action,
                         "server", "${resource_id}");
    json_t *call =
        json_pack("{s:s,s:s,s:s}", "url", VNFM, "operation",
                  scales ? "scale" : actors[k].action, "vnf_instance_id", "${vnf_id}");
    if (!scales)
        return call;
    NODE ids = hale_yaml_get(hale_yaml_get(o->what, "target"), "entityIds");
    (void)text_of(ids, "modelName", aspect, sizeof(aspect));
    if (aspect[0] == '\0')
        (void)snprintf(aspect, sizeof(aspect), "default");
    note(l, "operation %s: the scaling aspect is called %s here; say which it is", o->id,
         aspect);
    (void)put(call, "type", actors[k].action);
    (void)put(call, "aspect_id", aspect);
    return call;
}

static bool take_step(struct loop *l, const struct operation *o, json_t *steps)
{
    char actor[64], operation[64], target[32], text[40];
    int k = actor_of(o);
    if (k < 0)
        return fail(l, "operation %s: nothing here does what %s's '%s' does to a %s",
                    o->id, text_of(o->what, "actor", actor, sizeof(actor)),
                    text_of(o->what, "operation", operation, sizeof(operation)),
                    target_type(o, target, sizeof(target)));
    json_t *step = json_object(), *call = call_of(l, o, k);
    int64_t timeout = number_of(o->map, "timeout", 0),
            tries = number_of(o->map, "retries", 0);
    if (timeout > 0 && timeout <= 86400) {
        (void)snprintf(text, sizeof(text), "%llds", (long long)timeout);
        (void)put(call, "timeout", text);
    }
    tries = tries < 0 ? 0 : tries > 20 ? 20 : tries;
    (void)json_object_set_new(call, "retries", json_integer(tries));
    if (hale_yaml_count(hale_yaml_get(o->what, "payload")) > 0)
        note(l, "operation %s: its payload is not taken over", o->id);
    (void)put(step, "name", o->name);
    (void)json_object_set_new(step, actors[k].type, call);
    take_ways(l, o, step);
    return json_array_append_new(steps, step) == 0;
}

/* --- guards ------------------------------------------------------------------------ */

static bool guards(const struct guard *g, const struct loop *l, const struct operation *o)
{
    static const char *const keys[] = {"actor", "operation"};
    char a[256], b[256];
    for (size_t i = 0; i < 2; i++)
        if (strcmp(text_of(g->props, keys[i], a, sizeof(a)),
                   text_of(o->what, keys[i], b, sizeof(b))) != 0 &&
            a[0] != '\0')
            return false;
    (void)text_of(g->props, "id", a, sizeof(a));
    return a[0] == '\0' || strcmp(a, ".*") == 0 ||
           strcmp(a, text_of(l->props, "id", b, sizeof(b))) == 0;
}

static bool take_frequency(const struct guard *g, json_t *list)
{
    static const struct {
        const char *unit;
        int64_t s;
    } units[] = {{"second", 1},  {"minute", 60},   {"hour", 3600},
                 {"day", 86400}, {"week", 604800}, {"month", 2592000}};
    char unit[16], per[40];
    int64_t limit = number_of(g->props, "limit", 0),
            window = number_of(g->props, "timeWindow", 0);
    (void)text_of(g->props, "timeUnits", unit, sizeof(unit));
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (hale_str_ieq_c(hale_str_from(unit), units[i].unit) && window > 0 &&
            window <= 2592000 / units[i].s && limit > 0 &&
            limit <= ACTUATOR_FREQUENCY_MAX) {
            int64_t seconds = window * units[i].s;
            (void)snprintf(per, sizeof(per), "%llds", (long long)seconds);
            return json_array_append_new(
                       list,
                       json_pack("{s:I,s:s}", "max", (json_int_t)limit, "per", per)) == 0;
        }
    return false;
}

static void add_target(json_t *targets, const char *name, bool part)
{
    char text[300];
    (void)snprintf(text, sizeof(text), part ? "*/*%.250s*" : "*/%.250s", name);
    (void)json_array_append_new(targets, json_string(text));
}

/* false: something of it has no counterpart, and was noted. */
static bool take_filter(struct loop *l, const struct guard *g, NODE f, json_t *targets)
{
    char field[80], value[256], function[64], black[8];
    (void)text_of(f, "field", field, sizeof(field));
    (void)text_of(f, "filter", value, sizeof(value));
    (void)text_of(f, "function", function, sizeof(function));
    bool of_target = strstr(field, "vnf-id") != NULL || strstr(field, "vserver") != NULL;
    if (strcmp(text_of(f, "blacklist", black, sizeof(black)), "true") != 0) {
        note(l, "%s: what a filter allows has no counterpart, only what it forbids",
             g->place);
    } else if (!of_target || value[0] == '\0') {
        note(l, "%s: a filter on %s has no counterpart", g->place, field);
    } else if (strcmp(function, "string-equal") == 0) {
        add_target(targets, value, false);
        return true;
    } else if (strcmp(function, "string-contains") == 0) {
        add_target(targets, value, true);
        return true;
    } else {
        note(l, "%s: a filter by %s has no counterpart", g->place, function);
    }
    return false;
}

static bool take_targets(struct loop *l, const struct guard *g, json_t *targets)
{
    bool whole = true;
    NODE list = hale_yaml_get(g->props, "blacklist");
    for (size_t i = 0;
         hale_yaml_kind(list) == HALE_YAML_LIST && i < hale_yaml_count(list); i++) {
        char name[256];
        struct hale_str text = hale_yaml_text(hale_yaml_item(list, i));
        (void)snprintf(name, sizeof(name), "%.*s", (int)text.len,
                       text.p != NULL ? text.p : "");
        add_target(targets, name, false);
    }
    list = hale_yaml_get(g->props, "filters");
    for (size_t i = 0;
         hale_yaml_kind(list) == HALE_YAML_LIST && i < hale_yaml_count(list); i++)
        whole = take_filter(l, g, hale_yaml_item(list, i), targets) && whole;
    return whole;
}

static void take_guard(struct loop *l, struct guard *g, json_t *frequency,
                       json_t *targets)
{
    bool whole = true;
    if (hale_str_eq_c(g->type, "FrequencyLimiter")) {
        whole = take_frequency(g, frequency);
        if (!whole)
            note(l, "%s: its limit or time window cannot be taken over", g->place);
    } else if (hale_str_eq_c(g->type, "Blacklist") || hale_str_eq_c(g->type, "Filter")) {
        whole = take_targets(l, g, targets);
    } else if (hale_str_eq_c(g->type, "MinMax")) {
        whole = false;
        note(l,
             "%s: a policy on an alarm does not know a size: write a scaling policy with "
             "min %lld and max %lld",
             g->place, (long long)number_of(g->props, "min", 0),
             (long long)number_of(g->props, "max", 0));
    }
    if (hale_yaml_count(hale_yaml_get(g->props, "timeRange")) > 0)
        note(l, "%s: it holds at all times, not only in its timeRange", g->place);
    l->onap->import->left_out += whole ? 0 : 1;
    g->used = true;
}

static void take_guards(struct loop *l, json_t *policy)
{
    json_t *frequency = json_array(), *targets = json_array();
    for (unsigned i = 0; i < l->onap->n_guards; i++) {
        struct guard *g = &l->onap->guard[i];
        unsigned of = 0;
        for (unsigned k = 0; k < l->n_order; k++)
            of += guards(g, l, &l->op[l->order[k]]) ? 1u : 0u;
        if (of == 0)
            continue;
        if (of < l->n_order)
            note(l, "%s: it guards the whole policy here, not one operation", g->place);
        take_guard(l, g, frequency, targets);
    }
    if (json_array_size(frequency) > 0)
        (void)json_object_set(policy, "frequency", frequency);
    if (json_array_size(targets) > 0)
        (void)json_object_set_new(policy, "guards",
                                  json_pack("{s:{s:O}}", "blackout", "targets", targets));
    json_decref(frequency);
    json_decref(targets);
}

/* --- a policy ---------------------------------------------------------------------- */

static void take_head(struct loop *l, const char *name, NODE body, json_t *policy)
{
    char text[256], within[40];
    char target[32];
    int64_t timeout = number_of(l->props, "timeout", 0);
    (void)put(policy, "name", name[0] != '\0' ? name : "policy");
    (void)text_of(body, "version", text, sizeof(text));
    if (text[0] != '\0')
        (void)put(policy, "version", text);
    (void)put(policy, "mode", "observe");
    (void)json_object_set_new(
        policy, "alarm",
        json_pack("{s:s}", "definition", text_of(l->props, "id", text, sizeof(text))));
    bool vm =
        strcmp(target_type(&l->op[l->order[l->n_order - 1]], target, sizeof(target)),
               "VM") == 0;
    (void)put(policy, "target", vm ? "vm/${resource_id}" : "vnf/${vnf_id}");
    (void)snprintf(within, sizeof(within), "%llds",
                   (long long)(timeout < 1       ? 300
                               : timeout > 86400 ? 86400
                                                 : timeout));
    (void)json_object_set_new(
        policy, "verify", json_pack("{s:s,s:s}", "alarm", "cleared", "within", within));
    if (strcmp(text_of(l->props, "abatement", text, sizeof(text)), "true") != 0)
        note(l, "it expects no abatement; here the alarm must clear within %s", within);
    else
        note(
            l,
            "the timeout of the whole is how long the alarm may take to clear (%s); each "
            "step has its own",
            within);
}

static bool translate(struct loop *l, const char *name, NODE body, json_t *policy)
{
    char trigger[256];
    if (!read_operations(l))
        return false;
    struct operation *first =
        find(l, text_of(l->props, "trigger", trigger, sizeof(trigger)));
    if (first == NULL)
        return fail(l, "its trigger %s is none of its operations", trigger);
    if (!visit(l, first))
        return false;
    for (unsigned i = 0; i < l->n; i++)
        if (l->op[i].seen == 0)
            note(l, "operation %s is never reached", l->op[i].id);
    take_head(l, name, body, policy);
    take_guards(l, policy);
    json_t *steps = json_array();
    bool ok = steps != NULL;
    for (unsigned i = l->n_order; i > 0 && ok; i--)
        ok = take_step(l, &l->op[l->order[i - 1]], steps);
    ok = json_object_set_new(policy, "steps", steps) == 0 && ok;
    return ok;
}

static enum hale_rc add_loop(struct onap *onap, const char *name, NODE body, NODE props,
                             const char *place)
{
    struct loop *l = calloc(1, sizeof(*l));
    json_t *policy = json_object();
    if (l == NULL || policy == NULL) {
        free(l);
        json_decref(policy);
        return HALE_E_NOMEM;
    }
    l->onap = onap;
    l->place = place;
    l->props = props;
    enum hale_rc rc = HALE_OK;
    if (translate(l, name, body, policy)) {
        rc = cli_import_add_policy(onap->import, place, policy);
    } else {
        cli_import_leave_out(onap->import, place, "%s", l->why);
    }
    json_decref(policy);
    free(l);
    return rc;
}

/* --- the file ---------------------------------------------------------------------- */

static bool starts(struct hale_str s, const char *with)
{
    return s.len >= strlen(with) && strncasecmp(s.p, with, strlen(with)) == 0;
}

/* guards: the first round; they may stand behind what they guard. */
static enum hale_rc add_policy(struct onap *onap, NODE item, bool of_guards)
{
    struct hale_str key = {NULL, 0};
    char name[256], place[400];
    NODE body = hale_yaml_kind(item) == HALE_YAML_MAP && hale_yaml_count(item) > 0
                    ? hale_yaml_pair(item, 0, &key, NULL)
                    : NULL;
    NODE props = hale_yaml_get(body, "properties"), kind = hale_yaml_get(body, "type");
    struct hale_str type =
        kind != NULL ? hale_yaml_text(kind) : (struct hale_str){NULL, 0};
    (void)snprintf(name, sizeof(name), "%.*s", (int)key.len, key.p != NULL ? key.p : "");
    (void)snprintf(place, sizeof(place), "%.100s: policy %.200s", onap->source, name);
    if (type.p != NULL && starts(type, GUARD)) {
        if (!of_guards || onap->n_guards == GUARDS_MAX)
            return HALE_OK;
        struct guard *g = &onap->guard[onap->n_guards++];
        g->props = props;
        g->type = (struct hale_str){type.p + strlen(GUARD), type.len - strlen(GUARD)};
        (void)snprintf(g->place, sizeof(g->place), "guard %.200s", name);
        return HALE_OK;
    }
    if (of_guards)
        return HALE_OK;
    if (type.p == NULL || !starts(type, OPERATIONAL))
        cli_import_leave_out(onap->import, place,
                             "it is neither an operational policy nor a guard");
    else
        return add_loop(onap, name, body, props, place);
    return HALE_OK;
}

enum hale_rc cli_import_onap(struct hale_str text, const char *source,
                             struct cli_import *out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    NODE root = hale_yaml_root(yaml), list;
    struct onap *onap = calloc(1, sizeof(*onap));
    if (hale_yaml_get(root, "topology_template") != NULL)
        root = hale_yaml_get(root, "topology_template");
    list = hale_yaml_get(root, "policies");
    if (onap == NULL) {
        hale_yaml_free(yaml);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    onap->import = out;
    onap->source = source;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        rc =
            hale_yaml_error(hale_yaml_root(yaml), err,
                            "a TOSCA file with 'topology_template: {policies: [...]}' is "
                            "expected");
    for (unsigned round = 0; round < 2 && rc == HALE_OK; round++)
        for (size_t i = 0; i < hale_yaml_count(list) && rc == HALE_OK; i++)
            rc = add_policy(onap, hale_yaml_item(list, i), round == 0);
    for (unsigned i = 0; rc == HALE_OK && i < onap->n_guards; i++) {
        char place[400];
        (void)snprintf(place, sizeof(place), "%.100s: %s", source, onap->guard[i].place);
        if (!onap->guard[i].used)
            cli_import_leave_out(onap->import, place, "it guards none of these policies");
    }
    if (rc == HALE_OK && json_array_size(out->policies) > 0)
        cli_import_note(
            out, source,
            "alarms are chosen by a definition called as the control loop; put "
            "your cloud for '%s' and your VNFM for %s",
            CLOUD, VNFM);
    free(onap);
    hale_yaml_free(yaml);
    return rc;
}
