/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf - declarative reading of a YAML map into a struct (declared in yaml.h).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "model/yaml.h"

#define CONF_MAX_FIELDS  128
#define CONF_SHOWN_BYTES 60 /* of a key or value in an error text */
#define CONF_LIST_BYTES  200

/* One value on its way into the struct. node is NULL for a fallback. */
struct reading {
    const struct hale_conf_field *field;
    const struct hale_yaml_node *node;
    struct hale_str text;
    void *slot;
    struct hale_err *err;
};

static int shown(struct hale_str s)
{
    size_t n = s.len;
    if (n > CONF_SHOWN_BYTES) {
        n = CONF_SHOWN_BYTES;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
    }
    return (int)n;
}

static const char *type_name(enum hale_conf_type type)
{
    static const char *const names[] = {
        [HALE_CONF_STRING] = "text",       [HALE_CONF_BOOL] = "yes/no",
        [HALE_CONF_INT] = "integer",       [HALE_CONF_DOUBLE] = "number",
        [HALE_CONF_DURATION] = "duration", [HALE_CONF_BYTES] = "size",
        [HALE_CONF_ENUM] = "choice",       [HALE_CONF_NODE] = "section",
    };
    HALE_ASSERT((size_t)type < sizeof(names) / sizeof(names[0]));
    return names[type];
}

/* "a, b, c" into dst; "..." at the end when it does not fit. */
static const char *join(const char *const *words, char *dst, size_t size)
{
    size_t len = 0;
    dst[0] = '\0';
    for (size_t i = 0; words[i] != NULL; i++) {
        int n = snprintf(dst + len, size - len, "%s%s", i > 0 ? ", " : "", words[i]);
        if (n < 0 || (size_t)n >= size - len) {
            (void)snprintf(dst + (len + 6 <= size ? len : size - 6), 6, ", ...");
            break;
        }
        len += (size_t)n;
    }
    return dst;
}

/* "10s" for whole units, so that ranges read like the file. */
static const char *duration_text(double ms, char *dst, size_t size)
{
    static const struct {
        double ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    int64_t whole = (int64_t)ms;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (whole != 0 && whole % (int64_t)units[i].ms == 0) {
            (void)snprintf(dst, size, "%lld%s", (long long)(whole / (int64_t)units[i].ms),
                           units[i].unit);
            return dst;
        }
    (void)snprintf(dst, size, "%lldms", (long long)whole);
    return dst;
}

static const char *size_text(double bytes, char *dst, size_t size)
{
    int64_t n = (int64_t)bytes;
    if (n != 0 && n % (1 << 30) == 0)
        (void)snprintf(dst, size, "%lldg", (long long)(n >> 30));
    else if (n != 0 && n % (1 << 20) == 0)
        (void)snprintf(dst, size, "%lldm", (long long)(n >> 20));
    else if (n != 0 && n % (1 << 10) == 0)
        (void)snprintf(dst, size, "%lldk", (long long)(n >> 10));
    else
        (void)snprintf(dst, size, "%lld", (long long)n);
    return dst;
}

static const char *bound_text(const struct hale_conf_field *f, double v, char *dst,
                              size_t size)
{
    if (f->type == HALE_CONF_DURATION)
        return duration_text(v, dst, size);
    if (f->type == HALE_CONF_BYTES)
        return size_text(v, dst, size);
    (void)snprintf(dst, size, "%.15g", v);
    return dst;
}

static enum hale_rc check_range(const struct reading *r, double v)
{
    const struct hale_conf_field *f = r->field;
    char low[40], high[40];
    if ((f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max))
        return HALE_OK;
    return hale_yaml_error(r->node, r->err, "%s must be between %s and %s, got '%.*s'",
                           f->key, bound_text(f, f->min, low, sizeof(low)),
                           bound_text(f, f->max, high, sizeof(high)), shown(r->text),
                           r->text.p);
}

static enum hale_rc bad_value(const struct reading *r, const char *wanted)
{
    return hale_yaml_error(r->node, r->err, "%s must be %s, got '%.*s'", r->field->key,
                           wanted, shown(r->text), r->text.p);
}

static enum hale_rc read_string(const struct reading *r)
{
    if (r->text.len > 0 && memchr(r->text.p, 0, r->text.len) != NULL)
        return hale_yaml_error(r->node, r->err, "%s must not contain a NUL character",
                               r->field->key);
    char *copy = malloc(r->text.len + 1);
    if (copy == NULL)
        return hale_err_at(r->err, HALE_E_NOMEM, hale_yaml_source(r->node),
                           hale_yaml_line(r->node), 0, "out of memory");
    if (r->text.len > 0)
        memcpy(copy, r->text.p, r->text.len);
    copy[r->text.len] = '\0';
    *(char **)r->slot = copy;
    return HALE_OK;
}

static enum hale_rc read_bool(const struct reading *r)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        bool is_yes = hale_str_ieq_c(r->text, yes[i]);
        if (is_yes || hale_str_ieq_c(r->text, no[i])) {
            *(bool *)r->slot = is_yes;
            return HALE_OK;
        }
    }
    return bad_value(r, "true or false");
}

static enum hale_rc read_int(const struct reading *r)
{
    int64_t v;
    enum hale_rc rc = hale_str_i64(r->text, &v);
    if (rc == HALE_E_LIMIT)
        return bad_value(r, "a whole number that fits 64 bits");
    if (rc != HALE_OK)
        return bad_value(r, "a whole number");
    if ((rc = check_range(r, (double)v)) == HALE_OK)
        *(int64_t *)r->slot = v;
    return rc;
}

static enum hale_rc read_double(const struct reading *r)
{
    double v;
    enum hale_rc rc = hale_str_double(r->text, &v);
    if (rc != HALE_OK)
        return bad_value(r, "a number");
    if ((rc = check_range(r, v)) == HALE_OK)
        *(double *)r->slot = v;
    return rc;
}

static enum hale_rc read_duration(const struct reading *r)
{
    int64_t v, bare;
    enum hale_rc rc = hale_str_duration_ms(r->text, &v);
    if (rc != HALE_OK && hale_str_i64(r->text, &bare) == HALE_OK)
        return hale_yaml_error(
            r->node, r->err,
            "%s needs a unit: write '%.*ss' for seconds (units: ms, s, m, h, d)",
            r->field->key, shown(r->text), r->text.p);
    if (rc != HALE_OK)
        return bad_value(r, "a duration such as 500ms, 10s, 5m, 1h30m or 7d");
    if ((rc = check_range(r, (double)v)) == HALE_OK)
        *(int64_t *)r->slot = v;
    return rc;
}

static enum hale_rc read_bytes(const struct reading *r)
{
    uint64_t v;
    enum hale_rc rc = hale_str_bytes(r->text, &v);
    if (rc != HALE_OK || v > INT64_MAX)
        return bad_value(r, "a size in bytes such as 512, 64k, 10m or 2g");
    if ((rc = check_range(r, (double)v)) == HALE_OK)
        *(int64_t *)r->slot = (int64_t)v;
    return rc;
}

static enum hale_rc read_enum(const struct reading *r)
{
    const char *const *choices = r->field->choices;
    char list[CONF_LIST_BYTES];
    HALE_ASSERT(choices != NULL);
    for (int i = 0; choices[i] != NULL; i++)
        if (hale_str_eq_c(r->text, choices[i])) {
            *(int *)r->slot = i;
            return HALE_OK;
        }
    const char *near = hale_str_suggest(r->text, choices);
    if (near != NULL)
        return hale_yaml_error(r->node, r->err,
                               "%s cannot be '%.*s' - did you mean '%s'?", r->field->key,
                               shown(r->text), r->text.p, near);
    return hale_yaml_error(r->node, r->err, "%s cannot be '%.*s'; it is one of: %s",
                           r->field->key, shown(r->text), r->text.p,
                           join(choices, list, sizeof(list)));
}

static enum hale_rc read_scalar(const struct reading *r)
{
    switch (r->field->type) {
    case HALE_CONF_STRING: return read_string(r);
    case HALE_CONF_BOOL: return read_bool(r);
    case HALE_CONF_INT: return read_int(r);
    case HALE_CONF_DOUBLE: return read_double(r);
    case HALE_CONF_DURATION: return read_duration(r);
    case HALE_CONF_BYTES: return read_bytes(r);
    case HALE_CONF_ENUM: return read_enum(r);
    case HALE_CONF_NODE: break;
    }
    HALE_ASSERT(r->field->type != HALE_CONF_NODE); /* the caller keeps sections */
    return HALE_E_INVAL;
}

static const char *kind_name(enum hale_yaml_kind kind)
{
    switch (kind) {
    case HALE_YAML_NULL: return "nothing";
    case HALE_YAML_SCALAR: return "a single value";
    case HALE_YAML_LIST: return "a list";
    case HALE_YAML_MAP: return "a map of settings";
    }
    return "something else";
}

static enum hale_rc read_field(const struct hale_yaml_node *map,
                               const struct hale_conf_field *f, void *target,
                               struct hale_err *err)
{
    const struct hale_yaml_node *node = hale_yaml_get(map, f->key);
    void *slot = (char *)target + f->offset;

    if (f->type == HALE_CONF_NODE) {
        if (f->required && hale_yaml_kind(node) == HALE_YAML_NULL)
            return hale_yaml_error(node != NULL ? node : map, err,
                                   "the section '%s' is missing (%s)", f->key, f->help);
        *(const struct hale_yaml_node **)slot = node;
        return HALE_OK;
    }
    if (hale_yaml_kind(node) == HALE_YAML_NULL) {
        if (f->required)
            return hale_yaml_error(node != NULL ? node : map, err, "%s '%s' (%s)",
                                   node != NULL ? "no value for" : "missing key", f->key,
                                   f->help);
        if (f->fallback == NULL)
            return HALE_OK;
        struct hale_err wrong;
        struct reading r = {f, NULL, hale_str_from(f->fallback), slot, &wrong};
        enum hale_rc rc = read_scalar(&r);
        HALE_ASSERT(rc == HALE_OK || rc == HALE_E_NOMEM); /* a fallback is our own text */
        return rc == HALE_OK ? rc : hale_err_set(err, rc, "out of memory");
    }
    if (hale_yaml_kind(node) != HALE_YAML_SCALAR)
        return hale_yaml_error(node, err, "%s must be a single value (%s), not %s",
                               f->key, type_name(f->type),
                               kind_name(hale_yaml_kind(node)));
    struct reading r = {f, node, hale_yaml_text(node), slot, err};
    return read_scalar(&r);
}

static enum hale_rc unknown_key(const struct hale_yaml_node *map, size_t i,
                                const struct hale_conf_field *fields, size_t n,
                                struct hale_err *err)
{
    const char *known[CONF_MAX_FIELDS + 1];
    char list[CONF_LIST_BYTES];
    struct hale_str key;
    int line = 0;
    (void)hale_yaml_pair(map, i, &key, &line);
    for (size_t k = 0; k < n; k++)
        known[k] = fields[k].key;
    known[n] = NULL;

    const char *near = hale_str_suggest(key, known);
    enum hale_rc rc;
    if (near != NULL)
        rc = hale_yaml_error(map, err, "unknown key '%.*s' - did you mean '%s'?",
                             shown(key), key.p, near);
    else if (n == 0)
        rc = hale_yaml_error(map, err, "unknown key '%.*s'; no keys are expected here",
                             shown(key), key.p);
    else
        rc = hale_yaml_error(map, err, "unknown key '%.*s'; known here: %s", shown(key),
                             key.p, join(known, list, sizeof(list)));
    if (err != NULL)
        err->line = line;
    return rc;
}

static bool is_known(struct hale_str key, const struct hale_conf_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hale_str_eq_c(key, fields[i].key))
            return true;
    return false;
}

enum hale_rc hale_conf_read(const struct hale_yaml_node *map,
                            const struct hale_conf_field *fields, size_t n, void *target,
                            struct hale_err *err)
{
    HALE_ASSERT(n <= CONF_MAX_FIELDS);
    enum hale_yaml_kind kind = hale_yaml_kind(map);
    if (kind != HALE_YAML_MAP && kind != HALE_YAML_NULL)
        return hale_yaml_error(map, err,
                               "expected a map of settings ('key: value' lines), not %s",
                               kind_name(kind));
    if (kind == HALE_YAML_MAP) {
        struct hale_str key = {NULL, 0};
        for (size_t i = 0; i < hale_yaml_count(map); i++) {
            (void)hale_yaml_pair(map, i, &key, NULL);
            if (!is_known(key, fields, n))
                return unknown_key(map, i, fields, n, err);
        }
    }
    for (size_t i = 0; i < n; i++) {
        enum hale_rc rc = read_field(map, &fields[i], target, err);
        if (rc != HALE_OK) {
            hale_conf_fini(fields, n, target);
            return rc;
        }
    }
    return HALE_OK;
}

void hale_conf_fini(const struct hale_conf_field *fields, size_t n, void *target)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].type == HALE_CONF_STRING) {
            char **slot = (char **)(void *)((char *)target + fields[i].offset);
            free(*slot);
            *slot = NULL;
        }
}

void hale_conf_describe(const struct hale_conf_field *fields, size_t n,
                        struct hale_buf *out)
{
    int key_width = 0, fallback_width = 0;
    char list[CONF_LIST_BYTES];
    for (size_t i = 0; i < n; i++) {
        int key = (int)strlen(fields[i].key);
        int fallback = fields[i].fallback != NULL ? (int)strlen(fields[i].fallback) : 1;
        if (fields[i].required)
            fallback = (int)sizeof("required") - 1;
        key_width = key > key_width ? key : key_width;
        fallback_width = fallback > fallback_width ? fallback : fallback_width;
    }
    for (size_t i = 0; i < n; i++) {
        const struct hale_conf_field *f = &fields[i];
        const char *fallback = f->required           ? "required"
                               : f->fallback != NULL ? f->fallback
                                                     : "-";
        hale_buf_printf(out, "  %-*s  %-8s  %-*s  %s", key_width, f->key,
                        type_name(f->type), fallback_width, fallback, f->help);
        if (f->type == HALE_CONF_ENUM && f->choices != NULL)
            hale_buf_printf(out, " (%s)", join(f->choices, list, sizeof(list)));
        hale_buf_add_char(out, '\n');
    }
}
