/* SPDX-License-Identifier: Apache-2.0 */
#include "model/method.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "model/json_util.h"
#include "model/limits.h"

static const char *const types[] = {
    [HALE_METHOD_EMAIL] = "EMAIL",
    [HALE_METHOD_PAGERDUTY] = "PAGERDUTY",
    [HALE_METHOD_WEBHOOK] = "WEBHOOK",
    NULL,
};
static const char *const keys[] = {"name", "type", "address", "period", NULL};

#define PERIOD_S 60 /* the one period there is besides 0 */

const char *hale_method_type_text(enum hale_method_type t)
{
    HALE_ASSERT((unsigned)t < HALE_METHOD_TYPES);
    return types[t];
}

void hale_method_free(struct hale_method *m)
{
    if (m == NULL)
        return;
    free(m->id);
    free(m->tenant);
    free(m->name);
    free(m->address);
    free(m);
}

/* ---- stored form ---- */

enum hale_rc hale_method_decode(struct hale_str json, struct hale_method **out,
                                struct hale_err *err)
{
    json_t *root;
    *out = NULL;
    enum hale_rc rc = hale_json_parse_record(json, &root, err);
    if (rc != HALE_OK)
        return rc;
    struct hale_method *m = calloc(1, sizeof(*m));
    struct hale_json_in in = hale_json_in_init(root);
    if (m == NULL) {
        json_decref(root);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    hale_json_in_id(&in, "id", &m->id);
    hale_json_in_id(&in, "tenant", &m->tenant);
    hale_json_in_id(&in, "name", &m->name);
    m->type = (enum hale_method_type)hale_json_in_choice(&in, "type", types);
    hale_json_in_id(&in, "address", &m->address);
    hale_json_in_i64(&in, "period", HALE_JSON_REQUIRED, 0, INT32_MAX, &m->period_s);
    hale_json_in_i64(&in, "created_ms", HALE_JSON_REQUIRED, INT64_MIN, INT64_MAX,
                     &m->created_ms);
    hale_json_in_i64(&in, "updated_ms", HALE_JSON_REQUIRED, INT64_MIN, INT64_MAX,
                     &m->updated_ms);
    json_decref(root);
    if (in.rc != HALE_OK) {
        (void)hale_err_set(err, in.rc, "notification method %s: bad or missing key '%s'",
                           m->id != NULL ? m->id : "without id", in.key);
        hale_method_free(m);
        return in.rc;
    }
    *out = m;
    return HALE_OK;
}

enum hale_rc hale_method_encode(const struct hale_method *m, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "id", m->id);
    hale_json_out_id(&o, "tenant", m->tenant);
    hale_json_out_id(&o, "name", m->name);
    hale_json_out_str(&o, "type", types[m->type]);
    hale_json_out_id(&o, "address", m->address);
    hale_json_out_i64(&o, "period", m->period_s);
    hale_json_out_i64(&o, "created_ms", m->created_ms);
    hale_json_out_i64(&o, "updated_ms", m->updated_ms);
    return hale_json_out_close(&o);
}

/* ---- API form ---- */

/* The text of key, or fallback; NULL after err was set. */
static const char *take_text(const json_t *body, const char *key, const char *fallback,
                             size_t max_chars, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    size_t n;
    if (v == NULL && fallback != NULL)
        return fallback;
    if (v == NULL)
        (void)hale_err_set(err, HALE_E_INVAL, "%s is required", key);
    else if (json_string_length(v) == 0)
        (void)hale_err_set(err, HALE_E_INVAL, "%s must be a string that is not empty",
                           key);
    else if (hale_str_utf8_count(
                 (struct hale_str){json_string_value(v), json_string_length(v)}, &n) !=
                 HALE_OK ||
             n > max_chars || strlen(json_string_value(v)) != json_string_length(v))
        (void)hale_err_set(err, HALE_E_INVAL, "%s must not be longer than %zu characters",
                           key, max_chars);
    else
        return json_string_value(v);
    return NULL;
}

static enum hale_rc parse_type(const char *text, enum hale_method_type *out,
                               struct hale_err *err)
{
    for (int i = 0; types[i] != NULL; i++)
        if (strcasecmp(text, types[i]) == 0) {
            *out = (enum hale_method_type)i;
            return HALE_OK;
        }
    return hale_err_set(err, HALE_E_INVAL, "Not a valid notification method type %s",
                        text);
}

/* An integer, or one written as text. */
static enum hale_rc take_period(const json_t *body, int64_t fallback, int64_t *out,
                                struct hale_err *err)
{
    const json_t *v = json_object_get(body, "period");
    *out = fallback;
    if (v == NULL)
        return HALE_OK;
    bool ok = json_is_integer(v) || json_is_string(v);
    if (json_is_integer(v))
        *out = json_integer_value(v);
    else if (ok)
        ok = hale_str_i64(hale_str_trim(hale_str_from(json_string_value(v))), out) ==
             HALE_OK;
    if (!ok)
        return hale_err_set(err, HALE_E_INVAL, "period must be an integer");
    if (*out != 0 && *out != PERIOD_S)
        return hale_err_set(err, HALE_E_INVAL, "%lld is not in the valid periods 0, %d",
                            (long long)*out, PERIOD_S);
    return HALE_OK;
}

/* .+@.+ and nothing that could end a line of a letter's head. */
static bool email_ok(const char *s)
{
    const char *at = strchr(s + 1, '@');
    for (const char *p = s; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '<' || *p == '>')
            return false;
    return at != NULL && at[1] != '\0';
}

/* http(s)://host..., without user information and characters on which parsers differ. */
static bool url_ok(const char *s)
{
    size_t scheme = strncasecmp(s, "http://", 7) == 0    ? 7
                    : strncasecmp(s, "https://", 8) == 0 ? 8
                                                         : 0;
    if (scheme == 0)
        return false;
    for (const char *p = s; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    size_t authority = strcspn(s + scheme, "/?#");
    if (authority == 0 || s[scheme] == ':')
        return false;
    for (size_t i = 0; i < authority; i++)
        if (strchr("@\\%<>\"'`{}|^", s[scheme + i]) != NULL)
            return false;
    return true;
}

static enum hale_rc check_address(const struct hale_method *m, struct hale_err *err)
{
    if (m->type == HALE_METHOD_EMAIL && !email_ok(m->address))
        return hale_err_set(err, HALE_E_INVAL, "Address %.100s is not of correct format",
                            m->address);
    if (m->type == HALE_METHOD_WEBHOOK && !url_ok(m->address))
        return hale_err_set(
            err, HALE_E_INVAL,
            "Address %.100s is not of correct format: it must be an http:// or https:// "
            "address with a host and without user information",
            m->address);
    if (m->type != HALE_METHOD_WEBHOOK && m->period_s != 0)
        return hale_err_set(err, HALE_E_INVAL,
                            "period must be 0 for %s: only a WEBHOOK is repeated",
                            types[m->type]);
    return HALE_OK;
}

static enum hale_rc check_keys(const json_t *body, bool whole, struct hale_err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be a JSON object");
    json_object_foreach ((json_t *)(uintptr_t)body, key, value) {
        unsigned i = 0;
        while (keys[i] != NULL && strcmp(key, keys[i]) != 0)
            i++;
        if (keys[i] == NULL)
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.60s'", key);
    }
    if (whole && json_object_get(body, "period") == NULL)
        return hale_err_set(err, HALE_E_INVAL, "Period is required");
    return HALE_OK;
}

static enum hale_rc fill(struct hale_method *m, const json_t *body,
                         const struct hale_method *base, bool whole, struct hale_err *err)
{
    const struct hale_method *old = whole ? NULL : base; /* for keys that are not given */
    const char *name = take_text(body, "name", old != NULL ? old->name : NULL,
                                 HALE_METHOD_NAME_MAX_CHARS, err);
    if (name == NULL)
        return HALE_E_INVAL;
    const char *type = take_text(body, "type", old != NULL ? types[old->type] : NULL,
                                 HALE_METHOD_TYPE_MAX_CHARS, err);
    if (type == NULL)
        return HALE_E_INVAL;
    const char *address = take_text(body, "address", old != NULL ? old->address : NULL,
                                    HALE_METHOD_ADDRESS_MAX_CHARS, err);
    if (address == NULL)
        return HALE_E_INVAL;
    enum hale_rc rc = parse_type(type, &m->type, err);
    if (rc == HALE_OK)
        rc = take_period(body, old != NULL ? old->period_s : 0, &m->period_s, err);
    m->name = strdup(name);
    m->address = strdup(address);
    if (base != NULL) {
        m->id = strdup(base->id);
        m->tenant = strdup(base->tenant);
        m->created_ms = base->created_ms;
        m->updated_ms = base->updated_ms;
    }
    if (m->name == NULL || m->address == NULL ||
        (base != NULL && (m->id == NULL || m->tenant == NULL)))
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return rc == HALE_OK ? check_address(m, err) : rc;
}

enum hale_rc hale_method_from_api(const json_t *body, const struct hale_method *base,
                                  bool whole, struct hale_method **out,
                                  struct hale_err *err)
{
    *out = NULL;
    enum hale_rc rc = check_keys(body, whole, err);
    if (rc != HALE_OK)
        return rc;
    struct hale_method *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    rc = fill(m, body, base, whole, err);
    if (rc != HALE_OK) {
        hale_method_free(m);
        return rc;
    }
    *out = m;
    return HALE_OK;
}
