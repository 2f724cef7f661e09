/* SPDX-License-Identifier: Apache-2.0 */
/* import_osm - VNF descriptors of OSM: SOL 006 with OSM's additions, and the model before it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/import.h"

#define TEXT_MAX 2048
#define URL      "https://osm.example.org:9999/osm"
#define TOKEN    "/etc/hale/osm.token"

typedef const struct hale_yaml_node *NODE;

struct vnfd {
    struct cli_import *import;
    const char *source;
    NODE map;
    char id[128];
    bool url_noted;
};

static size_t items(NODE list)
{
    return list != NULL && hale_yaml_kind(list) == HALE_YAML_LIST ? hale_yaml_count(list)
                                                                  : 0;
}

static NODE child(NODE map, const char *key)
{
    return map != NULL && hale_yaml_kind(map) == HALE_YAML_MAP ? hale_yaml_get(map, key)
                                                               : NULL;
}

static NODE item(NODE map, const char *key, size_t i)
{
    return hale_yaml_item(child(map, key), i);
}

static void copy(struct hale_str s, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%.*s", (int)(s.len < size ? s.len : size - 1),
                   s.p != NULL ? s.p : "");
}

static void place_of(const struct vnfd *v, NODE at, const char *what,
                     struct hale_str name, char dst[600])
{
    (void)snprintf(dst, 600, "%.300s:%d: %s %.*s", v->source, hale_yaml_line(at), what,
                   (int)(name.len < 200 ? name.len : 200), name.p != NULL ? name.p : "");
}

/* --- metrics ----------------------------------------------------------------------- */

/* The metric of a parameter of a VDU, by the keys of either model. */
static struct hale_str vdu_metric(NODE vdu, struct hale_str ref)
{
    static const char *const lists[] = {"monitoring-parameter", "monitoring-param"};
    static const char *const names[] = {"performance-metric", "nfvi-metric"};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < items(child(vdu, lists[l])); i++) {
            NODE p = item(vdu, lists[l], i);
            if (hale_str_eq(cli_import_text(p, "id"), ref) ||
                hale_str_eq(cli_import_text(p, "name"), ref))
                return cli_import_text(p, names[l]);
        }
    return (struct hale_str){NULL, 0};
}

/* The metric of a parameter of the VNF; empty: there is none. */
static struct hale_str vnf_metric(const struct vnfd *v, struct hale_str ref)
{
    struct hale_str found = {NULL, 0}, inner = ref;
    for (size_t i = 0; i < items(child(v->map, "monitoring-param")); i++) {
        NODE p = item(v->map, "monitoring-param", i);
        if (!hale_str_eq(cli_import_text(p, "id"), ref))
            continue;
        NODE of_vdu = child(p, "vdu-monitoring-param");
        found = cli_import_text(child(p, "vnf-metric"), "vnf-metric-name-ref");
        if (of_vdu != NULL)
            inner = cli_import_text(of_vdu, "vdu-monitoring-param-ref");
    }
    for (size_t i = 0; found.len == 0 && i < items(child(v->map, "vdu")); i++)
        found = vdu_metric(item(v->map, "vdu", i), inner);
    return found;
}

struct condition {
    const char *function;
    struct hale_str metric, operation, value;
    int64_t for_s;
};

/* "avg(m) > 80 for 60s" appended; false with a note: it has no counterpart. */
static bool add_condition(struct vnfd *v, const char *place, const struct condition *c,
                          struct hale_buf *out)
{
    static const char *const words[][2] = {
        {"GT", ">"}, {"GE", ">="}, {"LT", "<"}, {"LE", "<="}};
    const char *op = NULL;
    double number;
    for (size_t i = 0; i < 4; i++)
        if (hale_str_ieq_c(c->operation, words[i][0]))
            op = words[i][1];
    if (op == NULL || c->metric.len == 0 ||
        hale_str_double(c->value, &number) != HALE_OK) {
        cli_import_leave_out(v->import, place, "%s",
                             op == NULL ? "its comparison is none of GT, GE, LT, LE"
                             : c->metric.len == 0
                                 ? "the metric of its monitoring parameter is not named"
                                 : "its threshold is not a number");
        return false;
    }
    hale_buf_printf(out, "%s(%.*s) %s %.*s", c->function, (int)c->metric.len, c->metric.p,
                    op, (int)c->value.len, c->value.p);
    if (c->for_s > 0)
        hale_buf_printf(out, " for %llds", (long long)c->for_s);
    return true;
}

static int64_t seconds_of(NODE map, const char *key, int64_t fallback)
{
    int64_t n = 0;
    return hale_str_i64(cli_import_text(map, key), &n) == HALE_OK && n >= 0 && n < 604800
               ? n
               : fallback;
}

static json_t *apart(bool vdu)
{
    return vdu ? json_pack("[s,s,s]", "ns_id", "vnf_member_index", "vdu_name")
               : json_pack("[s,s]", "ns_id", "vnf_member_index");
}

static json_t *nslcm(struct vnfd *v, const char *operation, const char *key, json_t *data)
{
    if (!v->url_noted)
        cli_import_note(v->import, v->source,
                        "policies call %s with the token in %s: say where OSM is; its "
                        "tokens come from POST .../admin/v1/tokens",
                        URL, TOKEN);
    v->url_noted = true;
    return json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:o,s:s}}", "nslcm", "url", URL, "dialect",
                     "osm", "token_file", TOKEN, "operation", operation, "ns_instance_id",
                     "${ns_id}", key, data, "timeout", "15m");
}

/* --- scaling ----------------------------------------------------------------------- */

/* All criteria of one direction as one expression; false: none, or left out. */
static bool criteria_of(struct vnfd *v, NODE policy, bool out, const char *place,
                        struct hale_buf *text)
{
    struct hale_str joint = cli_import_text(policy, out ? "scale-out-operation-type"
                                                        : "scale-in-operation-type");
    const char *with = joint.len > 0 ? (hale_str_ieq_c(joint, "AND") ? " and " : " or ")
                                     : (out ? " or " : " and ");
    int64_t for_s = seconds_of(policy, "threshold-time", 0);
    for (size_t i = 0; i < items(child(policy, "scaling-criteria")); i++) {
        NODE c = item(policy, "scaling-criteria", i);
        struct hale_str value =
            cli_import_text(c, out ? "scale-out-threshold" : "scale-in-threshold");
        if (value.len == 0)
            continue;
        if (text->len > 0)
            hale_buf_add_c(text, with);
        const struct condition condition = {
            .function = "avg",
            .metric = vnf_metric(v, cli_import_text(c, "vnf-monitoring-param-ref")),
            .operation = cli_import_text(c, out ? "scale-out-relational-operation"
                                                : "scale-in-relational-operation"),
            .value = value,
            .for_s = for_s};
        if (!add_condition(v, place, &condition, text))
            return false;
    }
    return text->len > 0;
}

static enum hale_rc take_direction(struct vnfd *v, NODE policy, const char *aspect,
                                   bool out, const char *place)
{
    char name[400], label[200];
    struct hale_buf text;
    enum hale_rc rc = HALE_OK;
    hale_buf_init(&text, TEXT_MAX);
    copy(cli_import_text(policy, "name"), label, sizeof(label));
    (void)snprintf(name, sizeof(name), "%s-%.100s-%.100s-%s", v->id, aspect, label,
                   out ? "out" : "in");
    if (criteria_of(v, policy, out, place, &text)) {
        const struct cli_import_action a = {
            .place = place,
            .name = name,
            .expression = text.p,
            .severity = out ? "HIGH" : "LOW",
            .match_by = apart(false),
            .target = "ns/${ns_id}/${vnf_member_index}",
            .cooldown_s = seconds_of(policy, "cooldown-time", 180),
            .step = nslcm(
                v, "scale", "scale_vnf",
                json_pack("{s:s,s:s,s:s}", "vnf_instance_id", "${vnf_member_index}",
                          "type", out ? "SCALE_OUT" : "SCALE_IN", "aspect_id", aspect))};
        rc = cli_import_take_action(v->import, &a);
    }
    hale_buf_fini(&text);
    return rc;
}

static enum hale_rc take_scaling(struct vnfd *v, NODE aspect)
{
    char place[600], name[128];
    struct hale_str id = cli_import_text(aspect, "id");
    enum hale_rc rc = HALE_OK;
    if (id.len == 0)
        id = cli_import_text(aspect, "name");
    copy(id, name, sizeof(name));
    if (items(child(aspect, "scaling-policy")) == 0) {
        place_of(v, aspect, "scaling aspect", id, place);
        cli_import_note(v->import, place,
                        "it says what can be scaled, not when: no policy comes of it");
    }
    for (size_t i = 0; rc == HALE_OK && i < items(child(aspect, "scaling-policy")); i++) {
        NODE policy = item(aspect, "scaling-policy", i);
        place_of(v, policy, "scaling policy", cli_import_text(policy, "name"), place);
        if (!hale_str_ieq_c(cli_import_text(policy, "scaling-type"), "automatic")) {
            cli_import_leave_out(v->import, place, "scaling-type is not automatic");
            continue;
        }
        if (hale_str_ieq_c(cli_import_text(policy, "enabled"), "false")) {
            cli_import_leave_out(v->import, place, "it is not enabled");
            continue;
        }
        cli_import_note(v->import, place,
                        "threshold-time and cooldown-time are taken as seconds; newer "
                        "releases of OSM mean minutes");
        rc = take_direction(v, policy, name, true, place);
        if (rc == HALE_OK)
            rc = take_direction(v, policy, name, false, place);
    }
    return rc;
}

/* --- healing ----------------------------------------------------------------------- */

static enum hale_rc take_healing(struct vnfd *v, NODE policy)
{
    char place[600], vdu[128], name[300], expression[300];
    struct hale_str id = cli_import_text(policy, "vdu-id");
    struct hale_str action = cli_import_text(policy, "action-on-recovery");
    place_of(v, policy, "healing policy", id, place);
    copy(id, vdu, sizeof(vdu));
    if (!hale_str_ieq_c(cli_import_text(policy, "recovery-type"), "automatic")) {
        cli_import_leave_out(v->import, place, "recovery-type is not automatic");
        return HALE_OK;
    }
    if (id.len == 0 || (action.len > 0 && !hale_str_eq_c(action, "REDEPLOY_ONLY"))) {
        cli_import_leave_out(v->import, place, "%s",
                             id.len == 0 ? "it names no VDU"
                                         : "only REDEPLOY_ONLY is a heal of the NFVO");
        return HALE_OK;
    }
    (void)snprintf(name, sizeof(name), "%s-%s-down", v->id, vdu);
    (void)snprintf(expression, sizeof(expression),
                   "last(vm_status_extended{vdu_name=%s}) < 1 for 3m", vdu);
    cli_import_note(v->import, place,
                    "the first machine of the VDU is healed (count_index 0): the "
                    "descriptor does not say which; the metric is vm_status_extended");
    const struct cli_import_action a = {
        .place = place,
        .name = name,
        .expression = expression,
        .severity = "CRITICAL",
        .match_by = apart(true),
        .target = "ns/${ns_id}/${vnf_member_index}/${vdu_name}",
        .cooldown_s = seconds_of(policy, "cooldown-time", 180),
        .step =
            nslcm(v, "heal", "heal_vnf",
                  json_pack("{s:s,s:s,s:s,s:b}", "vnf_instance_id", "${vnf_member_index}",
                            "cause", "${alarm.name}", "vdu_id", vdu, "run_day1",
                            hale_str_ieq_c(cli_import_text(policy, "day1"), "true")))};
    return cli_import_take_action(v->import, &a);
}

/* --- alarms of VDUs ---------------------------------------------------------------- */

/* A policy for each state that somebody wants to hear of. */
static enum hale_rc take_urls(struct vnfd *v, NODE alarm, const char *place,
                              const char *name)
{
    static const char body[] =
        "{\"notify_details\": {\"alarm_uuid\": \"${alarm.id}\", \"status\": \"%s\", "
        "\"severity\": \"${alarm.severity}\", \"metric_name\": \"%s\", \"start_date\": "
        "\"${alarm.time}\", \"tags\": {\"ns_id\": \"${ns_id}\", \"vnf_member_index\": "
        "\"${vnf_member_index}\", \"vdu_name\": \"${vdu_name}\"}}}";
    static const char *const states[][2] = {
        {"alarm", "ALARM"}, {"ok", "OK"}, {"insufficient-data", "UNDETERMINED"}};
    enum hale_rc rc = HALE_OK;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0;
             rc == HALE_OK && i < items(child(child(alarm, "actions"), states[s][0]));
             i++) {
            char url[1024], text[900], own[300];
            NODE at = item(child(alarm, "actions"), states[s][0], i);
            copy(cli_import_text(at, "url"), url, sizeof(url));
            (void)snprintf(text, sizeof(text), body, states[s][0], name);
            (void)snprintf(own, sizeof(own), "%.250s-%s", name, states[s][0]);
            json_t *p =
                json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:s,s:[{s:{s:s,s:s}}]}", "name", own,
                          "mode", "observe", "alarm", "definition", name, "state",
                          states[s][1], "target", "alarm/${alarm.id}", "cooldown", "0s",
                          "steps", "webhook", "url", url, "body", text);
            rc = p != NULL ? cli_import_add_policy(v->import, place, p) : HALE_E_NOMEM;
            json_decref(p);
        }
    return rc;
}

static enum hale_rc take_alarm(struct vnfd *v, NODE vdu, NODE alarm)
{
    static const char *const functions[][2] = {{"AVERAGE", "avg"},
                                               {"MINIMUM", "min"},
                                               {"MAXIMUM", "max"},
                                               {"COUNT", "count"},
                                               {"SUM", "sum"}};
    static const char *const severities[][2] = {
        {"LOW", "LOW"}, {"MODERATE", "MEDIUM"}, {"CRITICAL", "CRITICAL"}};
    char place[600], name[300], id[128];
    const char *function = "avg", *severity = "HIGH";
    struct hale_buf text;
    size_t before = json_array_size(v->import->definitions);
    enum hale_rc rc = HALE_OK;
    copy(cli_import_text(alarm, "alarm-id"), id, sizeof(id));
    place_of(v, alarm, "alarm", hale_str_from(id), place);
    for (size_t i = 0; i < 5; i++)
        if (hale_str_ieq_c(cli_import_text(alarm, "statistic"), functions[i][0]))
            function = functions[i][1];
    for (size_t i = 0; i < 3; i++)
        if (hale_str_ieq_c(cli_import_text(alarm, "severity"), severities[i][0]))
            severity = severities[i][1];
    (void)snprintf(name, sizeof(name), "%s-%s", v->id, id);
    hale_buf_init(&text, TEXT_MAX);
    const struct condition condition = {
        .function = function,
        .metric = vdu_metric(vdu, cli_import_text(alarm, "vnf-monitoring-param-ref")),
        .operation = cli_import_text(alarm, "operation"),
        .value = cli_import_text(alarm, "value")};
    if (add_condition(v, place, &condition, &text)) {
        const struct cli_import_action a = {.place = place,
                                            .name = name,
                                            .expression = text.p,
                                            .severity = severity,
                                            .match_by = apart(true)};
        rc = cli_import_take_action(v->import, &a);
        if (rc == HALE_OK && json_array_size(v->import->definitions) > before)
            rc = take_urls(
                v, alarm, place,
                cli_text(json_array_get(v->import->definitions, before), "name"));
    }
    hale_buf_fini(&text);
    return rc;
}

/* --- the descriptor ---------------------------------------------------------------- */

static enum hale_rc take_vnfd(struct vnfd *v)
{
    enum hale_rc rc = HALE_OK;
    copy(cli_import_text(v->map, "id"), v->id, sizeof(v->id));
    for (size_t i = 0; i < items(child(v->map, "vdu")); i++)
        for (size_t k = 0;
             rc == HALE_OK && k < items(child(item(v->map, "vdu", i), "alarm")); k++)
            rc = take_alarm(v, item(v->map, "vdu", i),
                            item(item(v->map, "vdu", i), "alarm", k));
    for (size_t i = 0;
         rc == HALE_OK && i < items(child(v->map, "scaling-group-descriptor")); i++)
        rc = take_scaling(v, item(v->map, "scaling-group-descriptor", i));
    for (size_t d = 0; d < items(child(v->map, "df")); d++) {
        NODE df = item(v->map, "df", d);
        for (size_t i = 0; rc == HALE_OK && i < items(child(df, "scaling-aspect")); i++)
            rc = take_scaling(v, item(df, "scaling-aspect", i));
        for (size_t i = 0; i < items(child(df, "healing-aspect")); i++) {
            NODE aspect = item(df, "healing-aspect", i);
            for (size_t k = 0;
                 rc == HALE_OK && k < items(child(aspect, "healing-policy")); k++)
                rc = take_healing(v, item(aspect, "healing-policy", k));
        }
    }
    return rc;
}

/* The list of descriptors of the older model, or NULL. */
static NODE catalogue(NODE root)
{
    NODE c = child(root, "vnfd:vnfd-catalog");
    if (c == NULL)
        c = child(root, "vnfd-catalog");
    NODE list = child(c, "vnfd");
    return list != NULL ? list : child(c, "vnfd:vnfd");
}

enum hale_rc cli_import_osm(struct hale_str text, const char *source,
                            struct cli_import *out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct vnfd v = {.import = out, .source = source};
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    NODE root = hale_yaml_root(yaml), list = catalogue(root);
    v.map = child(root, "vnfd");
    if (v.map != NULL && hale_yaml_kind(v.map) == HALE_YAML_MAP) {
        rc = take_vnfd(&v);
    } else if (items(list) > 0) {
        for (size_t i = 0; rc == HALE_OK && i < items(list); i++) {
            v.map = hale_yaml_item(list, i);
            rc = take_vnfd(&v);
        }
    } else {
        rc = hale_yaml_error(root, err,
                             "'vnfd:' or 'vnfd:vnfd-catalog:' is wanted at the top");
    }
    hale_yaml_free(yaml);
    return rc == HALE_E_NOMEM ? hale_err_set(err, rc, "out of memory") : rc;
}
