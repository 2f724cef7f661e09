/* SPDX-License-Identifier: Apache-2.0 */
/* import_prometheus - the file around the expressions: groups, rules, labels, annotations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/import.h"
#include "model/definition.h"
#include "model/limits.h"
#include "model/yaml.h"

typedef const struct hale_yaml_node *NODE;

struct group {
    struct cli_import *import;
    const char *source, *match_by;
    int64_t every_s;
};

static struct hale_str text_at(NODE map, const char *key)
{
    NODE n = hale_yaml_get(map, key);
    return n != NULL ? hale_yaml_text(n) : (struct hale_str){NULL, 0};
}

/* Whole seconds, rounded up; 0: not given. False: not a duration. */
static bool seconds_at(NODE map, const char *key, int64_t *out_s)
{
    struct hale_str text = text_at(map, key);
    int64_t ms = 0;
    *out_s = 0;
    if (text.len == 0 || hale_str_eq_c(text, "0"))
        return true;
    if (hale_promql_duration(text, &ms) != HALE_OK)
        return false;
    *out_s = (ms + 999) / 1000;
    return true;
}

static void leave_out(struct group *g, const char *place, const char *why)
{
    cli_import_note(g->import, place, "left out: %s", why);
    g->import->left_out++;
}

/* --- labels and annotations -------------------------------------------------------- */

/* Prometheus has no list of severities; these are the usual words. */
static const struct {
    const char *word, *severity;
} severities[] = {
    {"critical", "CRITICAL"}, {"page", "CRITICAL"}, {"emergency", "CRITICAL"},
    {"high", "HIGH"},         {"major", "HIGH"},    {"error", "HIGH"},
    {"warning", "MEDIUM"},    {"warn", "MEDIUM"},   {"medium", "MEDIUM"},
    {"minor", "MEDIUM"},      {"info", "LOW"},      {"low", "LOW"},
    {"none", "LOW"},          {"notice", "LOW"},    {"ticket", "MEDIUM"},
};

static void take_labels(struct group *g, NODE labels, const char *place, json_t *body)
{
    for (size_t i = 0; labels != NULL && i < hale_yaml_count(labels); i++) {
        struct hale_str key, value;
        value = hale_yaml_text(hale_yaml_pair(labels, i, &key, NULL));
        const char *severity = NULL;
        for (size_t k = 0; k < sizeof(severities) / sizeof(severities[0]); k++)
            if (hale_str_eq_c(key, "severity") &&
                hale_str_ieq_c(value, severities[k].word))
                severity = severities[k].severity;
        if (severity != NULL)
            (void)json_object_set_new(body, "severity", json_string(severity));
        else
            cli_import_note(g->import, place, "label %.*s: %.*s is not taken over",
                            (int)key.len, key.p, (int)value.len,
                            value.p != NULL ? value.p : "");
    }
}

static void take_description(struct group *g, NODE annotations, const char *place,
                             json_t *body)
{
    struct hale_str text = text_at(annotations, "summary");
    if (text.len == 0)
        text = text_at(annotations, "description");
    text = hale_str_trim(text);
    if (text.len == 0)
        return;
    size_t n = 0, chars = 0;
    while (n < text.len && chars < HALE_DEF_DESC_MAX_CHARS) {
        n++;
        while (n < text.len && ((unsigned char)text.p[n] & 0xc0) == 0x80)
            n++;
        chars++;
    }
    if (n < text.len)
        cli_import_note(g->import, place, "the description is cut after %d characters",
                        HALE_DEF_DESC_MAX_CHARS);
    if (memmem(text.p, n, "{{", 2) != NULL)
        cli_import_note(g->import, place,
                        "the template in the description stays as it is; an alarm's "
                        "reason has the values");
    (void)json_object_set_new(body, "description", json_stringn(text.p, n));
}

static bool label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

/* "... {{ $labels.instance }} ..." */
static void find_labels(struct hale_str text, json_t *labels)
{
    static const char mark[] = "$labels.";
    const char *p = text.p, *end = text.p != NULL ? text.p + text.len : NULL;
    while (p != NULL && p < end &&
           (p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1)) != NULL) {
        const char *from = p += sizeof(mark) - 1;
        bool known = false;
        const json_t *l;
        size_t i;
        while (p < end && label_char(*p))
            p++;
        json_t *label = json_stringn(from, (size_t)(p - from));
        json_array_foreach (labels, i, l)
            known = known || json_equal((json_t *)(uintptr_t)l, label);
        if (!known && p > from)
            (void)json_array_append(labels, label);
        json_decref(label);
    }
}

/* --- match_by ---------------------------------------------------------------------- */

static json_t *split_labels(const char *list)
{
    struct hale_str rest = hale_str_from(list);
    json_t *labels = json_array();
    while (rest.p != NULL && rest.len > 0) {
        struct hale_str one = hale_str_trim(hale_str_split(&rest, ','));
        if (one.len > 0)
            (void)json_array_append_new(labels, json_stringn(one.p, one.len));
    }
    return labels;
}

/* New array, or NULL after a note. */
static json_t *match_by_of(struct group *g, const struct cli_promql_rule *rule,
                           NODE annotations, const char *place)
{
    if (!rule->per_series)
        return json_incref(rule->labels);
    if (g->match_by != NULL)
        return split_labels(g->match_by);
    json_t *labels = json_array();
    for (size_t i = 0; annotations != NULL && i < hale_yaml_count(annotations); i++)
        find_labels(hale_yaml_text(hale_yaml_pair(annotations, i, NULL, NULL)), labels);
    if (json_array_size(labels) > 0) {
        char *text = json_dumps(labels, JSON_COMPACT);
        cli_import_note(g->import, place,
                        "match_by %s: the labels that its annotations "
                        "name; others do not tell alarms apart",
                        text != NULL ? text : "");
        free(text);
        return labels;
    }
    json_decref(labels);
    leave_out(g, place,
              "it has an alert for each series; say with --match-by which labels tell "
              "them apart");
    return NULL;
}

/* --- rules ------------------------------------------------------------------------- */

static void name_rule(NODE rule, NODE labels, json_t *body)
{
    struct hale_str name = text_at(rule, "alert"), severity = text_at(labels, "severity");
    /* The same alert at two severities is usual there; names are unique here. */
    bool plain = severity.len == 0 || memmem(severity.p, severity.len, "{{", 2) != NULL;
    (void)json_object_set_new(body, "name",
                              plain ? json_stringn(name.p, name.len)
                                    : json_sprintf("%.*s (%.*s)", (int)name.len, name.p,
                                                   (int)severity.len, severity.p));
}

static enum hale_rc finish(struct group *g, NODE rule, struct cli_promql_rule *r,
                           const char *place)
{
    NODE labels = hale_yaml_get(rule, "labels");
    NODE annotations = hale_yaml_get(rule, "annotations");
    json_t *match_by = match_by_of(g, r, annotations, place);
    if (match_by == NULL)
        return HALE_OK;
    json_t *body = json_object();
    name_rule(rule, labels, body);
    (void)json_object_set_new(body, "expression", json_string(r->text.p));
    (void)json_object_set_new(body, "match_by", match_by);
    take_labels(g, labels, place, body);
    take_description(g, annotations, place, body);
    if (r->missing_after_s > 0) { /* no data: no alert */
        (void)json_object_set_new(body, "on_missing", json_string("ok"));
        (void)json_object_set_new(body, "missing_after",
                                  json_integer(r->missing_after_s));
    }
    if (r->note != NULL)
        cli_import_note(g->import, place, "%s", r->note);
    enum hale_rc rc =
        body != NULL ? cli_import_add(g->import, place, body) : HALE_E_NOMEM;
    json_decref(body);
    return rc;
}

static enum hale_rc take_rule(struct group *g, NODE rule)
{
    char place[600], text[400];
    struct hale_promql q;
    struct hale_err err = {0};
    struct cli_promql_rule r = {.every_s = g->every_s};
    struct hale_str name = text_at(rule, "alert"), record = text_at(rule, "record");
    struct hale_str shown = name.len > 0 ? name : record;
    (void)snprintf(place, sizeof(place), "%.300s:%d: rule %.*s", g->source,
                   hale_yaml_line(rule), (int)(shown.len < 200 ? shown.len : 200),
                   shown.p != NULL ? shown.p : "");
    if (name.len == 0) {
        leave_out(g, place,
                  record.len > 0 ? "a recording rule; queries and expressions say it anew"
                                 : "it has neither alert nor record");
        return HALE_OK;
    }
    if (!seconds_at(rule, "for", &r.for_s) ||
        !seconds_at(rule, "keep_firing_for", &r.keep_s)) {
        leave_out(g, place, "for or keep_firing_for is not a duration");
        return HALE_OK;
    }
    enum hale_rc rc = hale_promql_parse(text_at(rule, "expr"), &q, &err);
    if (rc != HALE_OK) {
        (void)snprintf(text, sizeof(text), "expr, line %d, character %d: %s", err.line,
                       err.col, err.text);
        leave_out(g, place, text);
        rc = HALE_OK;
    } else {
        if (cli_import_promql(q.root, &r) == HALE_OK)
            rc = finish(g, rule, &r, place);
        else
            leave_out(g, place, r.why);
        hale_buf_fini(&r.text);
        json_decref(r.labels);
    }
    hale_promql_fini(&q);
    return rc;
}

static enum hale_rc take_group(struct group *g, NODE map, struct hale_err *err)
{
    NODE rules = hale_yaml_get(map, "rules");
    enum hale_rc rc = HALE_OK;
    if (!seconds_at(map, "interval", &g->every_s))
        return hale_yaml_error(hale_yaml_get(map, "interval"), err,
                               "interval: a duration like 30s is wanted");
    g->every_s = g->every_s > 0 ? g->every_s : 60;
    if (rules != NULL && hale_yaml_kind(rules) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP || rules == NULL ||
        hale_yaml_kind(rules) != HALE_YAML_LIST)
        return hale_yaml_error(map, err, "a group with a list 'rules:' is wanted here");
    for (size_t i = 0; i < hale_yaml_count(rules) && rc == HALE_OK; i++) {
        NODE rule = hale_yaml_item(rules, i);
        rc = hale_yaml_kind(rule) == HALE_YAML_MAP
                 ? take_rule(g, rule)
                 : hale_yaml_error(rule, err, "a rule (a map) is wanted here");
    }
    return rc;
}

enum hale_rc cli_import_prometheus(struct hale_str text, const char *source,
                                   const char *match_by, struct cli_import *out,
                                   struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct group g = {.import = out, .source = source, .match_by = match_by};
    enum hale_rc rc = hale_yaml_load(text, source, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    NODE root = hale_yaml_root(yaml);
    NODE spec =
        hale_yaml_kind(root) == HALE_YAML_MAP ? hale_yaml_get(root, "spec") : NULL;
    NODE groups = hale_yaml_kind(root) == HALE_YAML_MAP
                      ? hale_yaml_get(spec != NULL ? spec : root, "groups")
                      : NULL;
    if (groups == NULL || hale_yaml_kind(groups) != HALE_YAML_LIST)
        rc = hale_yaml_error(root, err, "a list 'groups:' is wanted at the top");
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(groups); i++)
        rc = take_group(&g, hale_yaml_item(groups, i), err);
    hale_yaml_free(yaml);
    return rc == HALE_E_NOMEM ? hale_err_set(err, rc, "out of memory") : rc;
}
