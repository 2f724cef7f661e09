/* SPDX-License-Identifier: Apache-2.0 */
#include "model/definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/alarm_json.h"
#include "model/definition_private.h"
#include "model/json_util.h"
#include "model/limits.h"

#define DEF_MAX_ACTIONS 256 /* ids in one list */

/* Index of text in choices in any case, or -1. */
static int find_choice(struct hale_str text, const char *const *choices)
{
    for (int i = 0; choices[i] != NULL; i++)
        if (hale_str_ieq_c(text, choices[i]))
            return i;
    return -1;
}

/* ---- lists of strings ---- */

static void strings_fini(struct hale_strings *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct hale_strings){0};
}

static enum hale_rc strings_init(struct hale_strings *s, size_t n)
{
    *s = (struct hale_strings){0};
    s->v = calloc(n > 0 ? n : 1, sizeof(*s->v));
    return s->v != NULL ? HALE_OK : HALE_E_NOMEM;
}

static enum hale_rc strings_add(struct hale_strings *s, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return HALE_E_NOMEM;
    s->v[s->n++] = copy;
    return HALE_OK;
}

static bool strings_have(const struct hale_strings *s, const char *text)
{
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->v[i], text) == 0)
            return true;
    return false;
}

static enum hale_rc strings_copy(const struct hale_strings *from, struct hale_strings *to)
{
    enum hale_rc rc = strings_init(to, from->n);
    for (unsigned i = 0; rc == HALE_OK && i < from->n; i++)
        rc = strings_add(to, from->v[i]);
    return rc;
}

/* ---- stored form ---- */

void hale_definition_free(struct hale_definition *d)
{
    if (d == NULL)
        return;
    free(d->id);
    free(d->tenant);
    free(d->name);
    free(d->description);
    free(d->expression);
    hale_expr_free(d->expr);
    strings_fini(&d->match_by);
    strings_fini(&d->ok_actions);
    strings_fini(&d->alarm_actions);
    strings_fini(&d->undetermined_actions);
    free(d);
}

static void in_strings(struct hale_json_in *in, const char *key, struct hale_strings *out)
{
    json_t *array = NULL, *item;
    size_t i;
    hale_json_in_array(in, key, HALE_JSON_REQUIRED, &array);
    if (in->rc == HALE_OK)
        in->rc = strings_init(out, json_array_size(array));
    json_array_foreach (array, i, item) {
        if (in->rc == HALE_OK)
            in->rc = json_is_string(item) ? strings_add(out, json_string_value(item))
                                          : HALE_E_INVAL;
    }
    if (in->rc != HALE_OK && in->key == NULL)
        in->key = key;
    json_decref(array);
}

static void decode_fields(struct hale_json_in *in, struct hale_definition *d)
{
    const enum hale_json_need must = HALE_JSON_REQUIRED;
    hale_json_in_id(in, "id", &d->id);
    hale_json_in_id(in, "tenant", &d->tenant);
    hale_json_in_id(in, "name", &d->name);
    hale_json_in_str(in, "description", must, &d->description);
    hale_json_in_str(in, "expression", must, &d->expression);
    in_strings(in, "match_by", &d->match_by);
    d->severity =
        (enum hale_severity)hale_json_in_choice(in, "severity", hale_severity_choices);
    hale_json_in_bool(in, "actions_enabled", must, &d->actions_enabled);
    in_strings(in, "ok_actions", &d->ok_actions);
    in_strings(in, "alarm_actions", &d->alarm_actions);
    in_strings(in, "undetermined_actions", &d->undetermined_actions);
    d->semantics =
        (enum hale_semantics)hale_json_in_choice(in, "semantics", hale_semantics_choices);
    if (json_object_get(in->object, "on_missing") != NULL)
        d->on_missing = (enum hale_missing)hale_json_in_choice(in, "on_missing",
                                                               hale_missing_choices);
    bool flap = true;
    hale_json_in_bool(in, "flap_detection", HALE_JSON_OPTIONAL, &flap);
    d->flap_off = !flap;
    hale_json_in_i64(in, "missing_after", HALE_JSON_OPTIONAL, 0, HALE_MISSING_AFTER_MAX_S,
                     &d->missing_after_s);
    hale_json_in_i64(in, "for", HALE_JSON_OPTIONAL, 0, HALE_DEF_DELAY_MAX_S, &d->for_s);
    hale_json_in_i64(in, "clear_for", HALE_JSON_OPTIONAL, 0, HALE_DEF_DELAY_MAX_S,
                     &d->clear_for_s);
    json_t *impact = json_object_get(in->object, "impact");
    if (in->rc == HALE_OK && impact != NULL) {
        in->rc = hale_impact_parse(hale_str_from(json_string_value(impact)), &d->impact);
        in->key = "impact";
    }
    hale_json_in_i64(in, "version", must, 1, INT64_MAX, &d->version);
    hale_json_in_i64(in, "created_ms", must, INT64_MIN, INT64_MAX, &d->created_ms);
    hale_json_in_i64(in, "updated_ms", must, INT64_MIN, INT64_MAX, &d->updated_ms);
}

enum hale_rc hale_definition_decode(struct hale_str json, struct hale_definition **out,
                                    struct hale_err *err)
{
    json_t *root;
    *out = NULL;
    enum hale_rc rc = hale_json_parse_record(json, &root, err);
    if (rc != HALE_OK)
        return rc;
    struct hale_definition *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        json_decref(root);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    struct hale_json_in in = hale_json_in_init(root);
    decode_fields(&in, d);
    rc = in.rc;
    if (rc != HALE_OK)
        (void)hale_err_set(err, rc, "definition %s: bad or missing key '%s'",
                           d->id != NULL ? d->id : "without id", in.key);
    else
        rc = hale_expr_parse(hale_str_from(d->expression), &d->expr, err);
    if (rc == HALE_OK && d->semantics == HALE_SEMANTICS_MONASCA &&
        d->expr->extension_col > 0)
        rc = hale_err_set(err, HALE_E_INVAL, "definition %s: semantics monasca: %s",
                          d->id, d->expr->extension);
    json_decref(root);
    if (rc != HALE_OK) {
        hale_definition_free(d);
        return rc;
    }
    *out = d;
    return HALE_OK;
}

static void out_strings(struct hale_json_out *o, const char *key,
                        const struct hale_strings *s)
{
    hale_json_out_key(o, key);
    hale_buf_add_char(o->buf, '[');
    for (unsigned i = 0; i < s->n; i++) {
        if (i > 0)
            hale_buf_add_char(o->buf, ',');
        hale_buf_add_json(o->buf, hale_str_from(s->v[i]));
    }
    hale_buf_add_char(o->buf, ']');
}

enum hale_rc hale_definition_encode(const struct hale_definition *d, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "id", d->id);
    hale_json_out_id(&o, "tenant", d->tenant);
    hale_json_out_id(&o, "name", d->name);
    hale_json_out_str(&o, "description", d->description != NULL ? d->description : "");
    hale_json_out_id(&o, "expression", d->expression);
    out_strings(&o, "match_by", &d->match_by);
    hale_json_out_str(&o, "severity", hale_severity_text(d->severity));
    hale_json_out_bool(&o, "actions_enabled", d->actions_enabled);
    out_strings(&o, "ok_actions", &d->ok_actions);
    out_strings(&o, "alarm_actions", &d->alarm_actions);
    out_strings(&o, "undetermined_actions", &d->undetermined_actions);
    hale_json_out_str(&o, "semantics", hale_semantics_choices[d->semantics]);
    if (d->flap_off)
        hale_json_out_bool(&o, "flap_detection", false);
    if (d->on_missing != HALE_MISSING_DEFAULT)
        hale_json_out_str(&o, "on_missing", hale_missing_text(d->on_missing));
    if (d->missing_after_s != 0)
        hale_json_out_i64(&o, "missing_after", d->missing_after_s);
    if (d->for_s != 0)
        hale_json_out_i64(&o, "for", d->for_s);
    if (d->clear_for_s != 0)
        hale_json_out_i64(&o, "clear_for", d->clear_for_s);
    if (d->impact != HALE_IMPACT_DEFAULT)
        hale_json_out_str(&o, "impact", hale_impact_text(d->impact));
    hale_json_out_i64(&o, "version", d->version);
    hale_json_out_i64(&o, "created_ms", d->created_ms);
    hale_json_out_i64(&o, "updated_ms", d->updated_ms);
    return hale_json_out_close(&o);
}

/* ---- API form ---- */

/* What one request turns into; every reader below fills its part of d and returns a code. */
struct request {
    const json_t *body;
    const struct hale_definition *base; /* values of keys that are not given, or NULL */
    struct hale_definition *d;
    struct hale_err *err;
};

static enum hale_rc no_memory(const struct request *r)
{
    (void)hale_err_set(r->err, HALE_E_NOMEM, "out of memory");
    return HALE_E_NOMEM;
}

static enum hale_rc copy_text(const struct request *r, const char *text, char **out)
{
    *out = strdup(text);
    return *out != NULL ? HALE_OK : no_memory(r);
}

static bool too_long(const char *text, size_t max_chars)
{
    size_t n;
    return hale_str_utf8_count(hale_str_from(text), &n) != HALE_OK || n > max_chars;
}

static enum hale_rc api_name(const struct request *r)
{
    json_t *v = json_object_get(r->body, "name");
    if (v == NULL && r->base != NULL)
        return copy_text(r, r->base->name, &r->d->name);
    if (v == NULL)
        return hale_err_set(r->err, HALE_E_INVAL, "name is required");
    if (json_string_length(v) == 0)
        return hale_err_set(r->err, HALE_E_INVAL,
                            "name must be a string that is not empty");
    if (too_long(json_string_value(v), HALE_DEF_NAME_MAX_CHARS))
        return hale_err_set(r->err, HALE_E_INVAL,
                            "name must not be longer than %d characters",
                            HALE_DEF_NAME_MAX_CHARS);
    return copy_text(r, json_string_value(v), &r->d->name);
}

static enum hale_rc api_description(const struct request *r)
{
    json_t *v = json_object_get(r->body, "description");
    if (v == NULL)
        return copy_text(r, r->base != NULL ? r->base->description : "",
                         &r->d->description);
    if (!json_is_string(v))
        return hale_err_set(r->err, HALE_E_INVAL, "description must be a string");
    if (too_long(json_string_value(v), HALE_DEF_DESC_MAX_CHARS))
        return hale_err_set(r->err, HALE_E_INVAL,
                            "description must not be longer than %d characters",
                            HALE_DEF_DESC_MAX_CHARS);
    return copy_text(r, json_string_value(v), &r->d->description);
}

/* Monasca's sentence around the reason; a long expression is cut so that the reason stays. */
static enum hale_rc bad_expression(const struct request *r, const char *text,
                                   const struct hale_err *why)
{
    size_t shown = strlen(text), max = 120;
    bool cut = shown > max;
    if (cut) {
        shown = max;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    return hale_err_at(r->err, why->rc == HALE_E_NOMEM ? HALE_E_NOMEM : HALE_E_INVAL,
                       NULL, 0, why->col,
                       "parser failed on expression '%.*s%s' at column %d: %s",
                       (int)shown, text, cut ? "..." : "", why->col, why->text);
}

static enum hale_rc api_expression(const struct request *r)
{
    json_t *v = json_object_get(r->body, "expression");
    struct hale_err why = {0};
    if (v == NULL && r->base == NULL)
        return hale_err_set(r->err, HALE_E_INVAL, "expression is required");
    if (v != NULL && !json_is_string(v))
        return hale_err_set(r->err, HALE_E_INVAL, "expression must be a string");
    const char *text = v != NULL ? json_string_value(v) : r->base->expression;
    if (hale_expr_parse(hale_str_from(text), &r->d->expr, &why) != HALE_OK)
        return bad_expression(r, text, &why);
    return copy_text(r, text, &r->d->expression);
}

static enum hale_rc api_severity(const struct request *r)
{
    json_t *v = json_object_get(r->body, "severity");
    r->d->severity = r->base != NULL ? r->base->severity : HALE_SEV_LOW;
    if (v == NULL)
        return HALE_OK;
    if (hale_severity_parse(hale_str_from(json_string_value(v)), &r->d->severity) !=
        HALE_OK)
        return hale_err_set(r->err, HALE_E_INVAL,
                            "severity must be one of LOW, MEDIUM, HIGH, CRITICAL");
    return HALE_OK;
}

static enum hale_rc api_semantics(const struct request *r)
{
    json_t *v = json_object_get(r->body, "semantics");
    r->d->semantics = r->base != NULL ? r->base->semantics : HALE_SEMANTICS_HALE;
    if (v == NULL)
        return HALE_OK;
    int i = find_choice(hale_str_from(json_string_value(v)), hale_semantics_choices);
    if (i < 0)
        return hale_err_set(r->err, HALE_E_INVAL, "semantics must be hale or monasca");
    r->d->semantics = (enum hale_semantics)i;
    return HALE_OK;
}

/* A bool; "true" and "false" as text too, which clients send on PATCH. */
static enum hale_rc api_bool(const struct request *r, const char *key, bool *out)
{
    json_t *v = json_object_get(r->body, key);
    struct hale_str text = hale_str_from(json_string_value(v));
    if (v == NULL)
        return HALE_OK;
    bool yes = json_is_true(v) || (r->base != NULL && hale_str_ieq_c(text, "true"));
    bool no = json_is_false(v) || (r->base != NULL && hale_str_ieq_c(text, "false"));
    if (!yes && !no)
        return hale_err_set(r->err, HALE_E_INVAL, "%s must be true or false", key);
    *out = yes;
    return HALE_OK;
}

static enum hale_rc api_switches(const struct request *r)
{
    bool flap = r->base == NULL || !r->base->flap_off;
    r->d->actions_enabled = r->base != NULL ? r->base->actions_enabled : true;
    enum hale_rc rc = api_bool(r, "actions_enabled", &r->d->actions_enabled);
    if (rc == HALE_OK)
        rc = api_bool(r, "flap_detection", &flap);
    r->d->flap_off = !flap;
    return rc;
}

struct list_rule {
    const char *key;
    const char *item; /* what an item is, for messages */
    size_t max_items;
    size_t max_chars; /* of an item */
};

/* null takes the key back. */
static enum hale_rc api_missing(const struct request *r)
{
    json_t *v = json_object_get(r->body, "on_missing");
    struct hale_definition *d = r->d;
    d->on_missing = r->base != NULL ? r->base->on_missing : HALE_MISSING_DEFAULT;
    d->missing_after_s = r->base != NULL ? r->base->missing_after_s : 0;
    if (v != NULL) {
        int i = json_is_null(v) ? 0
                                : find_choice(hale_str_from(json_string_value(v)),
                                              hale_missing_choices);
        if (i < 0 || (i == 0 && !json_is_null(v)))
            return hale_err_set(r->err, HALE_E_INVAL,
                                "on_missing must be keep, undetermined, ok or alarm");
        d->on_missing = (enum hale_missing)i;
    }
    enum hale_rc rc = hale_definition_seconds(
        r->body, "missing_after", HALE_MISSING_AFTER_MAX_S, &d->missing_after_s, r->err);
    if (rc != HALE_OK)
        return rc;
    if (d->semantics == HALE_SEMANTICS_MONASCA &&
        (d->on_missing != HALE_MISSING_DEFAULT || d->missing_after_s != 0))
        return hale_err_set(r->err, HALE_E_INVAL,
                            "on_missing and missing_after are not possible with "
                            "semantics monasca");
    return HALE_OK;
}

static enum hale_rc api_delays(const struct request *r)
{
    struct hale_definition *d = r->d;
    d->for_s = r->base != NULL ? r->base->for_s : 0;
    d->clear_for_s = r->base != NULL ? r->base->clear_for_s : 0;
    enum hale_rc rc =
        hale_definition_seconds(r->body, "for", HALE_DEF_DELAY_MAX_S, &d->for_s, r->err);
    if (rc == HALE_OK)
        rc = hale_definition_seconds(r->body, "clear_for", HALE_DEF_DELAY_MAX_S,
                                     &d->clear_for_s, r->err);
    if (rc == HALE_OK && d->semantics == HALE_SEMANTICS_MONASCA &&
        (d->for_s != 0 || d->clear_for_s != 0))
        rc = hale_err_set(r->err, HALE_E_INVAL,
                          "for and clear_for are not possible with semantics monasca");
    return rc;
}

static enum hale_rc api_impact(const struct request *r)
{
    const json_t *v = json_object_get(r->body, "impact");
    struct hale_str text = hale_str_from(json_string_value(v));
    r->d->impact = r->base != NULL && v == NULL ? r->base->impact : HALE_IMPACT_DEFAULT;
    if (v != NULL && !json_is_null(v) &&
        hale_impact_parse(text, &r->d->impact) != HALE_OK)
        return hale_err_set(r->err, HALE_E_INVAL,
                            "impact must be down, degraded or none");
    return HALE_OK;
}

/* What is ours in the expression is refused where Monasca's rules were asked for. */
static enum hale_rc api_extensions(const struct request *r)
{
    const struct hale_expr *x = r->d->expr;
    for (unsigned i = 0; i < x->n_subs; i++)
        if (x->subs[i].n_levels > 0 && x->subs[i].levels[0].severity <= r->d->severity)
            return hale_err_set(
                r->err, HALE_E_INVAL,
                "the levels of the expression must be more severe than the "
                "definition itself, which is %s",
                hale_severity_text(r->d->severity));
    if (r->d->semantics != HALE_SEMANTICS_MONASCA || x->extension_col == 0)
        return HALE_OK;
    struct hale_err why = {.rc = HALE_E_INVAL, .col = x->extension_col};
    (void)snprintf(why.text, sizeof(why.text), "%s", x->extension);
    return bad_expression(r, r->d->expression, &why);
}

static enum hale_rc api_list(const struct request *r, const struct list_rule *rule,
                             const struct hale_strings *base, struct hale_strings *out)
{
    json_t *v = json_object_get(r->body, rule->key), *item;
    size_t i;
    if (v == NULL && base != NULL)
        return strings_copy(base, out) == HALE_OK ? HALE_OK : no_memory(r);
    if (v != NULL && !json_is_array(v))
        return hale_err_set(r->err, HALE_E_INVAL, "%s must be an array of strings",
                            rule->key);
    if (json_array_size(v) > rule->max_items)
        return hale_err_set(r->err, HALE_E_INVAL, "%s must not have more than %zu items",
                            rule->key, rule->max_items);
    if (strings_init(out, json_array_size(v)) != HALE_OK)
        return no_memory(r);
    json_array_foreach (v, i, item) {
        const char *text = json_string_value(item);
        if (text == NULL || text[0] == '\0')
            return hale_err_set(r->err, HALE_E_INVAL,
                                "%s: every %s must be a string that is not empty",
                                rule->key, rule->item);
        if (too_long(text, rule->max_chars))
            return hale_err_set(r->err, HALE_E_INVAL,
                                "%s: the %s in place %zu is longer than %zu characters",
                                rule->key, rule->item, i + 1, rule->max_chars);
        if (strings_have(out, text))
            return hale_err_set(r->err, HALE_E_INVAL,
                                "%s: the %s '%.100s' is given twice", rule->key,
                                rule->item, text);
        if (strings_add(out, text) != HALE_OK)
            return no_memory(r);
    }
    return HALE_OK;
}

static enum hale_rc api_lists(const struct request *r)
{
    const struct hale_definition *base = r->base;
    struct hale_definition *d = r->d;
    const struct {
        struct list_rule rule;
        const struct hale_strings *base;
        struct hale_strings *out;
    } lists[] = {
        {{"match_by", "dimension name", HALE_DIMS_MAX, HALE_DIM_KEY_MAX_CHARS},
         base != NULL ? &base->match_by : NULL,
         &d->match_by},
        {{"ok_actions", "action id", DEF_MAX_ACTIONS, HALE_ACTION_ID_MAX_CHARS},
         base != NULL ? &base->ok_actions : NULL,
         &d->ok_actions},
        {{"alarm_actions", "action id", DEF_MAX_ACTIONS, HALE_ACTION_ID_MAX_CHARS},
         base != NULL ? &base->alarm_actions : NULL,
         &d->alarm_actions},
        {{"undetermined_actions", "action id", DEF_MAX_ACTIONS, HALE_ACTION_ID_MAX_CHARS},
         base != NULL ? &base->undetermined_actions : NULL,
         &d->undetermined_actions},
    };
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; rc == HALE_OK && i < sizeof(lists) / sizeof(lists[0]); i++)
        rc = api_list(r, &lists[i].rule, lists[i].base, lists[i].out);
    return rc;
}

static enum hale_rc copy_identity(const struct request *r,
                                  const struct hale_definition *from)
{
    struct hale_definition *d = r->d;
    if (from == NULL)
        return HALE_OK;
    d->version = from->version;
    d->created_ms = from->created_ms;
    d->updated_ms = from->updated_ms;
    if (from->id != NULL && (d->id = strdup(from->id)) == NULL)
        return no_memory(r);
    if (from->tenant != NULL && (d->tenant = strdup(from->tenant)) == NULL)
        return no_memory(r);
    return HALE_OK;
}

enum hale_rc hale_definition_from_api(const json_t *body,
                                      const struct hale_definition *base, bool partial,
                                      struct hale_definition **out, struct hale_err *err)
{
    static enum hale_rc (*const readers[])(const struct request *) = {
        api_name,      api_expression, api_description, api_severity,
        api_semantics, api_extensions, api_missing,     api_delays,
        api_impact,    api_switches,   api_lists,
    };
    *out = NULL;
    HALE_ASSERT(!partial || base != NULL);
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be a JSON object");
    struct hale_definition *d = calloc(1, sizeof(*d));
    struct request r = {.body = body, .base = partial ? base : NULL, .d = d, .err = err};
    enum hale_rc rc = HALE_OK;
    if (d == NULL)
        rc = no_memory(&r);
    if (rc == HALE_OK)
        rc = copy_identity(&r, base);
    for (size_t i = 0; rc == HALE_OK && i < sizeof(readers) / sizeof(readers[0]); i++)
        rc = readers[i](&r);
    if (rc != HALE_OK) {
        hale_definition_free(d);
        return rc;
    }
    *out = d;
    return HALE_OK;
}

/* ---- changes ---- */

static bool same_set(const struct hale_strings *a, const struct hale_strings *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) /* items of a list are unique */
        if (!strings_have(b, a->v[i]))
            return false;
    return true;
}

static bool same_metric(const struct hale_subexpr *a, const struct hale_subexpr *b)
{
    unsigned n = hale_subexpr_terms(a);
    if (n != hale_subexpr_terms(b))
        return false;
    for (unsigned i = 0; i < n; i++) {
        const struct hale_term x = hale_subexpr_term(a, i), y = hale_subexpr_term(b, i);
        if (!hale_term_equal(&x, &y))
            return false;
    }
    return true;
}

enum hale_rc hale_definition_check_update(const struct hale_definition *before,
                                          const struct hale_definition *after,
                                          struct hale_err *err)
{
    if (!same_set(&before->match_by, &after->match_by))
        return hale_err_set(err, HALE_E_CONFLICT, "match_by must not change");
    if (before->expr->n_subs != after->expr->n_subs)
        return hale_err_set(err, HALE_E_CONFLICT,
                            "number of subexpressions must not change");
    for (unsigned i = 0; i < before->expr->n_subs; i++)
        if (!same_metric(&before->expr->subs[i], &after->expr->subs[i]))
            return hale_err_set(err, HALE_E_CONFLICT,
                                "metrics in subexpression must not change");
    return HALE_OK;
}
