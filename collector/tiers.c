/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/tiers.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "collector/hot_record.h"
#include "model/limits.h"

#define RULES_MAX  100
#define SPAN_MAX_S (100LL * 366 * 86400)

struct rule {
    char *match;
    bool archived;
    struct hale_rrd_layout layout;
};
struct collector_tiers {
    size_t n;
    struct rule *rules; /* the last matches everything */
};

static const struct hale_rrd_layout DEFAULT_LAYOUT = {
    .slots = COLLECTOR_GROUP_SLOTS,
    .n_tiers = 4,
    .tiers = {{10, 8640}, {60, 10080}, {300, 8928}, {3600, 9600}},
};

static enum hale_rc read_tier(const struct hale_yaml_node *node,
                              struct hale_rrd_tier *out, struct hale_err *err)
{
    struct hale_str rest = hale_yaml_text(node);
    struct hale_str step = hale_str_split(&rest, ':');
    int64_t step_ms;
    int64_t span_ms;

    if (hale_str_duration_ms(hale_str_trim(step), &step_ms) != HALE_OK ||
        hale_str_duration_ms(hale_str_trim(rest), &span_ms) != HALE_OK)
        return hale_yaml_error(node, err,
                               "'%.*s' is not a tier; write step:span, like 10s:1d",
                               (int)hale_yaml_text(node).len, hale_yaml_text(node).p);
    if (step_ms < 1000 || step_ms % 1000 != 0 || span_ms % step_ms != 0 ||
        span_ms / 1000 > SPAN_MAX_S || span_ms / step_ms < 2)
        return hale_yaml_error(
            node, err,
            "a tier's step is whole seconds, its span a multiple of at "
            "least two steps, at most 100 years");
    out->step_s = step_ms / 1000;
    out->rows = span_ms / step_ms;
    return HALE_OK;
}

static enum hale_rc read_layout(const struct hale_yaml_node *node, int64_t hot_ms,
                                struct rule *r, struct hale_err *err)
{
    struct hale_err why = {0};

    if (hale_str_eq_c(hale_yaml_text(node), "none"))
        return HALE_OK;
    size_t n = hale_yaml_count(node);
    if (hale_yaml_kind(node) != HALE_YAML_LIST || n == 0 || n > HALE_RRD_TIERS_MAX)
        return hale_yaml_error(node, err,
                               "tiers is none or a list of 1 to %d step:span, like "
                               "[10s:1d, 1h:400d]",
                               HALE_RRD_TIERS_MAX);
    r->archived = true;
    r->layout.slots = COLLECTOR_GROUP_SLOTS;
    r->layout.n_tiers = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        enum hale_rc rc = read_tier(hale_yaml_item(node, i), &r->layout.tiers[i], err);
        if (rc != HALE_OK)
            return rc;
    }
    HALE_ASSERT(r->layout.tiers[0].step_s > 0);
    if (COLLECTOR_CHUNK_MS / 1000 % r->layout.tiers[0].step_s != 0)
        return hale_yaml_error(
            node, err, "the first step must divide ten minutes: 10s, 1m, 5m, 10m");
    if (r->layout.tiers[0].step_s * r->layout.tiers[0].rows * 1000 < hot_ms)
        return hale_yaml_error(node, err,
                               "the first tier must span at least hot_retention");
    if (hale_rrd_layout_check(&r->layout, &why) != HALE_OK)
        return hale_yaml_error(node, err, "%s", why.text);
    return HALE_OK;
}

static enum hale_rc read_rule(const struct hale_yaml_node *node, int64_t hot_ms,
                              struct rule *r, struct hale_err *err)
{
    struct {
        char *match;
        const struct hale_yaml_node *tiers;
    } raw = {0};
    const struct hale_conf_field fields[] = {
        {"match", HALE_CONF_STRING, (size_t)((char *)&raw.match - (char *)&raw), true,
         NULL, 0, 0, NULL, "glob on the metric name"},
        {"tiers", HALE_CONF_NODE, (size_t)((char *)&raw.tiers - (char *)&raw), true, NULL,
         0, 0, NULL, "list of step:span, or none"},
    };

    if (hale_yaml_kind(node) != HALE_YAML_MAP)
        return hale_yaml_error(node, err,
                               "archive_tiers is a list of {match: GLOB, tiers: [...]}");
    enum hale_rc rc = hale_conf_read(node, fields, 2, &raw, err);
    if (rc == HALE_OK)
        rc = read_layout(raw.tiers, hot_ms, r, err);
    if (rc != HALE_OK) {
        free(raw.match);
        return rc;
    }
    r->match = raw.match;
    return HALE_OK;
}

enum hale_rc collector_tiers_read(const struct hale_yaml_node *node, int64_t hot_ms,
                                  struct collector_tiers **out, struct hale_err *err)
{
    bool given = node != NULL && hale_yaml_kind(node) != HALE_YAML_NULL;
    size_t n = given ? hale_yaml_count(node) : 0;
    enum hale_rc rc = HALE_OK;

    *out = NULL;
    if (given && (hale_yaml_kind(node) != HALE_YAML_LIST || n > RULES_MAX))
        return hale_yaml_error(
            node, err,
            "archive_tiers is a list of at most %d {match: GLOB, tiers: "
            "[...]}",
            RULES_MAX);
    struct collector_tiers *t = calloc(1, sizeof(*t));
    if (t != NULL)
        t->rules = calloc(n + 1, sizeof(t->rules[0]));
    if (t == NULL || t->rules == NULL) {
        free(t);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    for (; rc == HALE_OK && t->n < n; t->n++)
        rc = read_rule(hale_yaml_item(node, t->n), hot_ms, &t->rules[t->n], err);
    if (rc != HALE_OK) {
        collector_tiers_free(t);
        return rc;
    }
    t->rules[t->n].archived = true;
    t->rules[t->n++].layout = DEFAULT_LAYOUT;
    *out = t;
    return HALE_OK;
}

void collector_tiers_free(struct collector_tiers *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(t->rules[i].match);
    free(t->rules);
    free(t);
}

const struct hale_rrd_layout *collector_tiers_of(const struct collector_tiers *t,
                                                 struct hale_str name)
{
    char text[4 * HALE_NAME_MAX_CHARS + 1];
    size_t i = 0;

    if (t->n > 1) {
        HALE_ASSERT(name.len < sizeof(text));
        memcpy(text, name.p, name.len);
        text[name.len] = '\0';
        while (i < t->n - 1 && fnmatch(t->rules[i].match, text, FNM_NOESCAPE) != 0)
            i++;
    }
    return t->rules[i].archived ? &t->rules[i].layout : NULL;
}

const char *collector_layout_text(const struct hale_rrd_layout *l,
                                  char dst[COLLECTOR_LAYOUT_TEXT])
{
    int n = snprintf(dst, COLLECTOR_LAYOUT_TEXT, "%u", l->slots);

    for (unsigned i = 0; i < l->n_tiers; i++)
        n += snprintf(dst + n, COLLECTOR_LAYOUT_TEXT - (size_t)n, " %" PRId64 "x%" PRId64,
                      l->tiers[i].step_s, l->tiers[i].rows);
    HALE_ASSERT(n < COLLECTOR_LAYOUT_TEXT);
    return dst;
}

enum hale_rc collector_layout_parse(struct hale_str s, struct hale_rrd_layout *out)
{
    struct hale_err err = {0};
    uint64_t slots;

    memset(out, 0, sizeof(*out));
    if (hale_str_u64(hale_str_split(&s, ' '), &slots) != HALE_OK ||
        slots > HALE_RRD_SLOTS_MAX)
        return HALE_E_INVAL;
    out->slots = (unsigned)slots;
    while (s.p != NULL) {
        struct hale_str rows = hale_str_split(&s, ' ');
        struct hale_str step = hale_str_split(&rows, 'x');
        if (out->n_tiers == HALE_RRD_TIERS_MAX)
            return HALE_E_INVAL;
        struct hale_rrd_tier *t = &out->tiers[out->n_tiers++];
        if (hale_str_i64(step, &t->step_s) != HALE_OK ||
            hale_str_i64(rows, &t->rows) != HALE_OK)
            return HALE_E_INVAL;
    }
    return hale_rrd_layout_check(out, &err);
}
