/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/credential.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/cloud.h"
#include "actuator/read.h"
#include "base/buf.h"
#include "base/fs.h"

#define N(fields)      (sizeof(fields) / sizeof((fields)[0]))
#define NODE           const struct hale_yaml_node *
#define FILE_MAX_BYTES (1u << 20)

static const char *const TYPES[] = {"oauth2", "basic", "tls", NULL};
static const char *const PLACES[] = {"header", "body", NULL};

struct raw {
    char *token_url, *scope, *client_id, *client_secret_file, *username, *password_file,
        *ca_file, *cert_file, *key_file;
    int type, place;
};
#define R(member) offsetof(struct raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"type", HALE_CONF_ENUM, R(type), true, NULL, 0, 0, TYPES, "how we show who we are"},
    {"token_url", HALE_CONF_STRING, R(token_url), false, NULL, 0, 0, NULL,
     "oauth2: token endpoint"},
    {"client_id", HALE_CONF_STRING, R(client_id), false, NULL, 0, 0, NULL, "oauth2"},
    {"client_secret_file", HALE_CONF_STRING, R(client_secret_file), false, NULL, 0, 0,
     NULL, "oauth2: file with the secret"},
    {"client_auth", HALE_CONF_ENUM, R(place), false, "header", 0, 0, PLACES,
     "oauth2: where id and secret go"},
    {"scope", HALE_CONF_STRING, R(scope), false, NULL, 0, 0, NULL, "oauth2"},
    {"username", HALE_CONF_STRING, R(username), false, NULL, 0, 0, NULL, "basic"},
    {"password_file", HALE_CONF_STRING, R(password_file), false, NULL, 0, 0, NULL,
     "basic: file with the password"},
    {"ca_file", HALE_CONF_STRING, R(ca_file), false, NULL, 0, 0, NULL,
     "CA certificates; none: the system's"},
    {"cert_file", HALE_CONF_STRING, R(cert_file), false, NULL, 0, 0, NULL,
     "our certificate and its chain"},
    {"key_file", HALE_CONF_STRING, R(key_file), false, NULL, 0, 0, NULL,
     "its key; none: in cert_file"},
};
/* Keys of one type only. */
static const struct {
    const char *key;
    enum actuator_credential_type type;
} BELONGS[] = {{"token_url", ACTUATOR_OAUTH2},   {"client_id", ACTUATOR_OAUTH2},
               {"scope", ACTUATOR_OAUTH2},       {"client_secret_file", ACTUATOR_OAUTH2},
               {"client_auth", ACTUATOR_OAUTH2}, {"username", ACTUATOR_BASIC},
               {"password_file", ACTUATOR_BASIC}};

static void credential_fini(struct actuator_credential *c)
{
    free(c->name);
    free(c->token_url);
    free(c->scope);
    free(c->user);
    free(c->secret_file);
    free(c->ca_file);
    free(c->cert_file);
    free(c->key_file);
}

void actuator_credentials_fini(struct actuator_credentials *c)
{
    for (unsigned i = 0; i < c->n; i++)
        credential_fini(&c->v[i]);
    memset(c, 0, sizeof(*c));
}

static enum hale_rc need(NODE map, const char *key, const char *text,
                         struct hale_err *err)
{
    return text != NULL && *text != '\0'
               ? HALE_OK
               : hale_yaml_error(map, err, "missing key '%s'", key);
}

static enum hale_rc check_oauth2(NODE map, const struct raw *raw, struct hale_err *err)
{
    struct hale_str host;
    unsigned port;
    enum hale_rc rc = need(map, "token_url", raw->token_url, err);
    if (rc == HALE_OK)
        rc = need(map, "client_id", raw->client_id, err);
    if (rc == HALE_OK && raw->client_secret_file == NULL && raw->cert_file == NULL)
        rc =
            hale_yaml_error(map, err,
                            "client_secret_file is needed, or cert_file for a token that "
                            "is bound to our certificate");
    if (rc == HALE_OK && actuator_allow_split(raw->token_url, &host, &port) != HALE_OK)
        rc = hale_yaml_error(
            hale_yaml_get(map, "token_url"), err,
            "token_url must be an http:// or https:// address with a host "
            "and without user information");
    return rc;
}

static enum hale_rc check(NODE map, const struct raw *raw, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; i < N(BELONGS); i++) {
        NODE node = hale_yaml_get(map, BELONGS[i].key);
        if (node != NULL && (int)BELONGS[i].type != raw->type)
            return hale_yaml_error(node, err, "key '%s' belongs to type %s",
                                   BELONGS[i].key, TYPES[BELONGS[i].type]);
    }
    if (raw->type == ACTUATOR_OAUTH2)
        rc = check_oauth2(map, raw, err);
    else if (raw->type == ACTUATOR_TLS)
        rc = need(map, "cert_file", raw->cert_file, err);
    else if ((rc = need(map, "username", raw->username, err)) == HALE_OK)
        rc = need(map, "password_file", raw->password_file, err);
    if (rc == HALE_OK && raw->key_file != NULL)
        rc = need(map, "cert_file", raw->cert_file, err);
    const struct {
        const char *key, *path;
    } files[] = {{"client_secret_file", raw->client_secret_file},
                 {"password_file", raw->password_file},
                 {"ca_file", raw->ca_file},
                 {"cert_file", raw->cert_file},
                 {"key_file", raw->key_file}};
    for (size_t i = 0; i < N(files) && rc == HALE_OK; i++)
        rc = actuator_read_file(map, files[i].key, files[i].path, FILE_MAX_BYTES, err);
    return rc;
}

static enum hale_rc read_one(NODE map, struct hale_str name,
                             struct actuator_credential *c, struct hale_err *err)
{
    struct raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = check(map, &raw, err);
    c->type = (enum actuator_credential_type)raw.type;
    c->in_body = raw.place == 1;
    c->name = strndup(name.p, name.len);
    c->token_url = actuator_read_move(&raw.token_url);
    c->scope = actuator_read_move(&raw.scope);
    c->user =
        actuator_read_move(raw.type == ACTUATOR_OAUTH2 ? &raw.client_id : &raw.username);
    c->secret_file = actuator_read_move(
        raw.type == ACTUATOR_OAUTH2 ? &raw.client_secret_file : &raw.password_file);
    c->ca_file = actuator_read_move(&raw.ca_file);
    c->cert_file = actuator_read_move(&raw.cert_file);
    c->key_file = actuator_read_move(&raw.key_file);
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    if (rc == HALE_OK && c->name == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return rc;
}

static enum hale_rc add(NODE map, struct hale_str name, void *arg, struct hale_err *err)
{
    struct actuator_credentials *out = arg;
    return read_one(map, name, &out->v[out->n++], err);
}

enum hale_rc actuator_credentials_read(NODE map, struct actuator_credentials *out,
                                       struct hale_err *err)
{
    static const struct actuator_named kind = {.key = "credentials",
                                               .item = "credentials",
                                               .example = "type: ...",
                                               .max = ACTUATOR_CREDENTIALS_MAX};
    return actuator_read_named(map, &kind, add, out, err);
}

const struct actuator_credential *
actuator_credentials_find(const struct actuator_credentials *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    return NULL;
}

const char *actuator_credentials_suggest(const struct actuator_credentials *c,
                                         const char *name, char *dst, size_t size)
{
    const char *names[ACTUATOR_CREDENTIALS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < c->n; i++)
        names[i] = c->v[i].name;
    return actuator_read_near(names, name, dst, size);
}
