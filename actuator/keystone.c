/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/keystone.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/http_client.h"

#define BODY_MAX_BYTES 32768

static const char *const INTERFACES[] = {"public", "internal", "admin"};

void actuator_keystone_wipe(struct hale_buf *b)
{
    if (b->p != NULL)
        explicit_bzero(b->p, b->cap);
    hale_buf_fini(b);
}

static void pair(struct hale_buf *out, const char *before, const char *value,
                 const char *after)
{
    hale_buf_add_c(out, before);
    hale_buf_add_json(out, hale_str_from(value));
    hale_buf_add_c(out, after);
}

enum hale_rc actuator_keystone_body(const struct actuator_cloud *c,
                                    struct hale_str secret, struct hale_buf *out)
{
    hale_buf_init(out, BODY_MAX_BYTES);
    /* one block from the start: growing would leave copies of the secret behind */
    if (hale_buf_reserve(out, BODY_MAX_BYTES - 1) == NULL)
        return HALE_E_NOMEM;
    if (c->credential_id != NULL) {
        pair(out,
             "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],"
             "\"application_credential\":{\"id\":",
             c->credential_id, ",\"secret\":");
        hale_buf_add_json(out, secret);
        hale_buf_add_c(out, "}}}}");
    } else {
        pair(
            out,
            "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{"
            "\"name\":",
            c->username, ",");
        pair(out, "\"domain\":{\"name\":", c->user_domain, "},\"password\":");
        hale_buf_add_json(out, secret);
        pair(out, "}}},\"scope\":{\"project\":{\"name\":", c->project, ",");
        pair(out, "\"domain\":{\"name\":", c->project_domain, "}}}}}");
    }
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static bool is_ours(const struct actuator_cloud *c, const json_t *endpoint)
{
    const char *region = text_of(endpoint, "region_id");
    if (*region == '\0')
        region = text_of(endpoint, "region");
    return strcmp(text_of(endpoint, "interface"), INTERFACES[c->interface]) == 0 &&
           (c->region == NULL || strcmp(region, c->region) == 0) &&
           hale_http_url_ok(text_of(endpoint, "url"));
}

static enum hale_rc add_service(const struct actuator_cloud *c, const json_t *service,
                                struct actuator_token *t)
{
    const json_t *endpoint;
    size_t i;
    const char *type = text_of(service, "type");
    if (*type == '\0' || t->n == ACTUATOR_SERVICE_MAX ||
        actuator_keystone_endpoint(t, type) != NULL)
        return HALE_OK;
    json_array_foreach (json_object_get(service, "endpoints"), i, endpoint) {
        if (!is_ours(c, endpoint))
            continue;
        struct actuator_endpoint *e = &t->endpoint[t->n++];
        e->type = strdup(type);
        e->url = strdup(text_of(endpoint, "url"));
        if (e->type == NULL || e->url == NULL)
            return HALE_E_NOMEM;
        for (size_t n = strlen(e->url); n > 0 && e->url[n - 1] == '/';)
            e->url[--n] = '\0';
        break;
    }
    return HALE_OK;
}

/* A token is a header's value: nothing but visible ASCII. */
static bool is_token(struct hale_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.len > 0 && s.len <= ACTUATOR_TOKEN_MAX;
}

enum hale_rc actuator_keystone_token(const struct actuator_cloud *c, struct hale_str body,
                                     struct hale_str subject, struct actuator_token *out,
                                     struct hale_err *err)
{
    int64_t expires_ms = 0;
    size_t i;
    const json_t *service;
    json_t *o = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;
    const json_t *token = json_object_get(o, "token");
    enum hale_rc rc = HALE_OK;
    memset(out, 0, sizeof(*out));
    if (!json_is_object(token))
        rc = hale_err_set(err, HALE_E_INVAL, "Keystone's answer is not a token");
    else if (!is_token(subject))
        rc = hale_err_set(err, HALE_E_INVAL, "Keystone's answer has no X-Subject-Token");
    else if (hale_clock_parse_iso(hale_str_from(text_of(token, "expires_at")),
                                  &expires_ms) != HALE_OK)
        rc = hale_err_set(err, HALE_E_INVAL, "Keystone's token has no expires_at");
    if (rc == HALE_OK) {
        out->expires_us = expires_ms * 1000;
        out->id = strndup(subject.p, subject.len);
        if (out->id == NULL)
            rc = HALE_E_NOMEM;
        json_array_foreach (json_object_get(token, "catalog"), i, service)
            if (rc == HALE_OK)
                rc = add_service(c, service, out);
        if (rc != HALE_OK)
            (void)hale_err_set(err, rc, "out of memory");
    }
    json_decref(o);
    if (rc != HALE_OK)
        actuator_token_fini(out);
    return rc;
}

const char *actuator_keystone_endpoint(const struct actuator_token *t, const char *type)
{
    for (unsigned i = 0; i < t->n; i++)
        if (strcmp(t->endpoint[i].type, type) == 0)
            return t->endpoint[i].url;
    return NULL;
}

void actuator_token_fini(struct actuator_token *t)
{
    if (t->id != NULL)
        explicit_bzero(t->id, strlen(t->id));
    free(t->id);
    for (unsigned i = 0; i < t->n; i++) {
        free(t->endpoint[i].type);
        free(t->endpoint[i].url);
    }
    memset(t, 0, sizeof(*t));
}
