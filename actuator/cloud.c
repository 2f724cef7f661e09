/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/cloud.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/read.h"
#include "base/buf.h"
#include "base/fs.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

static const char *const INTERFACES[] = {"public", "internal", "admin", NULL};

struct cloud_raw {
    char *auth_url, *region, *username, *user_domain, *password_file, *project,
        *project_domain, *credential_id, *credential_file, *ca_file;
    int interface;
};
#define C(member) offsetof(struct cloud_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"auth_url", HALE_CONF_STRING, C(auth_url), true, NULL, 0, 0, NULL,
     "Keystone's address, with /v3"},
    {"region", HALE_CONF_STRING, C(region), false, NULL, 0, 0, NULL,
     "of the endpoints; none: any"},
    {"interface", HALE_CONF_ENUM, C(interface), false, "public", 0, 0, INTERFACES,
     "of the endpoints"},
    {"username", HALE_CONF_STRING, C(username), false, NULL, 0, 0, NULL, "user"},
    {"user_domain", HALE_CONF_STRING, C(user_domain), false, "Default", 0, 0, NULL,
     "domain name of the user"},
    {"password_file", HALE_CONF_STRING, C(password_file), false, NULL, 0, 0, NULL,
     "file with the password"},
    {"project", HALE_CONF_STRING, C(project), false, NULL, 0, 0, NULL,
     "project to act in"},
    {"project_domain", HALE_CONF_STRING, C(project_domain), false, "Default", 0, 0, NULL,
     "domain name of the project"},
    {"application_credential_id", HALE_CONF_STRING, C(credential_id), false, NULL, 0, 0,
     NULL, "instead of user, password and project"},
    {"application_credential_secret_file", HALE_CONF_STRING, C(credential_file), false,
     NULL, 0, 0, NULL, "file with its secret"},
    {"ca_file", HALE_CONF_STRING, C(ca_file), false, NULL, 0, 0, NULL,
     "CA certificates; none: the system's"},
};

static void cloud_fini(struct actuator_cloud *c)
{
    free(c->name);
    free(c->auth_url);
    free(c->region);
    free(c->username);
    free(c->user_domain);
    free(c->project);
    free(c->project_domain);
    free(c->credential_id);
    free(c->secret_file);
    free(c->ca_file);
}

void actuator_clouds_fini(struct actuator_clouds *c)
{
    for (unsigned i = 0; i < c->n; i++)
        cloud_fini(&c->v[i]);
    memset(c, 0, sizeof(*c));
}

static enum hale_rc secret(NODE map, const char *key, const char *path,
                           struct hale_err *err)
{
    return path == NULL ? hale_yaml_error(map, err, "missing key '%s'", key)
                        : actuator_read_file(map, key, path, ACTUATOR_SECRET_MAX, err);
}

static enum hale_rc check_who(NODE map, const struct cloud_raw *raw, struct hale_err *err)
{
    if (raw->credential_id != NULL) {
        if (raw->username != NULL || raw->password_file != NULL || raw->project != NULL)
            return hale_yaml_error(
                map, err,
                "an application credential knows its user and project: "
                "leave username, password_file and project out");
        return secret(map, "application_credential_secret_file", raw->credential_file,
                      err);
    }
    if (raw->credential_file != NULL)
        return hale_yaml_error(map, err, "missing key 'application_credential_id'");
    if (raw->username == NULL || raw->project == NULL)
        return hale_yaml_error(map, err,
                               "username, password_file and project are needed, or "
                               "application_credential_id and its secret's file");
    return secret(map, "password_file", raw->password_file, err);
}

static enum hale_rc read_cloud(NODE map, struct hale_str name, struct actuator_cloud *c,
                               struct hale_err *err)
{
    struct cloud_raw raw = {0};
    struct hale_str host;
    unsigned port;
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc == HALE_OK && actuator_allow_split(raw.auth_url, &host, &port) != HALE_OK)
        rc =
            hale_yaml_error(hale_yaml_get(map, "auth_url"), err,
                            "auth_url must be an http:// or https:// address with a host "
                            "and without user information");
    if (rc == HALE_OK)
        rc = check_who(map, &raw, err);
    if (rc == HALE_OK) {
        size_t n = strlen(raw.auth_url);
        while (n > 0 && raw.auth_url[n - 1] == '/')
            raw.auth_url[--n] = '\0';
        c->name = strndup(name.p, name.len);
        c->auth_url = actuator_read_move(&raw.auth_url);
        c->region = actuator_read_move(&raw.region);
        c->interface = raw.interface;
        c->username = actuator_read_move(&raw.username);
        c->user_domain = actuator_read_move(&raw.user_domain);
        c->project = actuator_read_move(&raw.project);
        c->project_domain = actuator_read_move(&raw.project_domain);
        c->credential_id = actuator_read_move(&raw.credential_id);
        c->secret_file = actuator_read_move(
            c->credential_id != NULL ? &raw.credential_file : &raw.password_file);
        c->ca_file = actuator_read_move(&raw.ca_file);
        if (c->name == NULL)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

static enum hale_rc add(NODE map, struct hale_str name, void *arg, struct hale_err *err)
{
    struct actuator_clouds *out = arg;
    return read_cloud(map, name, &out->v[out->n++], err);
}

enum hale_rc actuator_clouds_read(NODE map, struct actuator_clouds *out,
                                  struct hale_err *err)
{
    static const struct actuator_named kind = {.key = "clouds",
                                               .item = "a cloud",
                                               .example = "auth_url: ...",
                                               .max = ACTUATOR_CLOUDS_MAX};
    return actuator_read_named(map, &kind, add, out, err);
}

const struct actuator_cloud *actuator_clouds_find(const struct actuator_clouds *c,
                                                  const char *name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    return NULL;
}

const char *actuator_clouds_suggest(const struct actuator_clouds *c, const char *name,
                                    char *dst, size_t size)
{
    const char *names[ACTUATOR_CLOUDS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < c->n; i++)
        names[i] = c->v[i].name;
    return actuator_read_near(names, name, dst, size);
}
