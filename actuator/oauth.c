/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/oauth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_client.h"

#define FORM_MAX_BYTES 16384
#define LIFE_UNKNOWN_S 300
#define LIFE_MAX_S     (30 * 86400)
#define MARGIN_US      60000000

/* One block from the start: growing would leave copies of the secret behind. */
static enum hale_rc begin(struct hale_buf *out)
{
    hale_buf_init(out, FORM_MAX_BYTES);
    return hale_buf_reserve(out, FORM_MAX_BYTES - 1) != NULL ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc actuator_oauth_form(const struct actuator_credential *c,
                                 struct hale_str secret, struct hale_buf *out)
{
    enum hale_rc rc = begin(out);
    if (rc != HALE_OK)
        return rc;
    hale_buf_add_c(out, "grant_type=client_credentials");
    if (c->scope != NULL) {
        hale_buf_add_c(out, "&scope=");
        hale_http_quote(out, hale_str_from(c->scope));
    }
    if (c->in_body || secret.len == 0) { /* a certificate does not tell the id */
        hale_buf_add_c(out, "&client_id=");
        hale_http_quote(out, hale_str_from(c->user));
    }
    if (c->in_body && secret.len > 0) {
        hale_buf_add_c(out, "&client_secret=");
        hale_http_quote(out, secret);
    }
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

enum hale_rc actuator_oauth_user(const struct actuator_credential *c,
                                 struct hale_str secret, struct hale_buf *out)
{
    enum hale_rc rc = begin(out);
    if (rc != HALE_OK || c->in_body || secret.len == 0)
        return rc;
    hale_http_quote(out, hale_str_from(c->user));
    hale_buf_add_c(out, ":");
    hale_http_quote(out, secret);
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

/* What may stand in a header as a token (RFC 6750: b64token, liberally). */
static bool token_ok(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == ',')
            return false;
    return n > 0 && n <= ACTUATOR_OAUTH_TOKEN_MAX;
}

enum hale_rc actuator_oauth_token(struct hale_str body, int64_t now_us,
                                  struct actuator_bearer *out, struct hale_err *err)
{
    json_t *o = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(o, "access_token"));
    const char *type = json_string_value(json_object_get(o, "token_type"));
    const json_t *life = json_object_get(o, "expires_in");
    double life_s = json_is_number(life) ? json_number_value(life) : LIFE_UNKNOWN_S;
    enum hale_rc rc = HALE_OK;
    memset(out, 0, sizeof(*out));
    if (text == NULL)
        rc = hale_err_set(err, HALE_E_INVAL, "its answer has no access_token");
    else if (type != NULL && strcasecmp(type, "bearer") != 0)
        rc = hale_err_set(err, HALE_E_INVAL, "its token is of type '%.20s', not Bearer",
                          type);
    else if (!token_ok(text))
        rc = hale_err_set(err, HALE_E_INVAL, "its token cannot stand in a header");
    else if (!(life_s > 0))
        rc = hale_err_set(err, HALE_E_INVAL, "its token has expired already");
    if (rc == HALE_OK && text != NULL) {
        int64_t life_us = (int64_t)(life_s < LIFE_MAX_S ? life_s : LIFE_MAX_S) * 1000000;
        int64_t margin_us = life_us / 10 < MARGIN_US ? life_us / 10 : MARGIN_US;
        out->renew_us = now_us + life_us - margin_us;
        out->text = strdup(text);
        rc = out->text != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "no memory");
    }
    if (text != NULL) /* jansson does not wipe what it frees */
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    json_decref(o);
    return rc;
}

void actuator_bearer_fini(struct actuator_bearer *b)
{
    if (b->text != NULL)
        explicit_bzero(b->text, strlen(b->text));
    free(b->text);
    memset(b, 0, sizeof(*b));
}
