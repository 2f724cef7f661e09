/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/cloud.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
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

static char *move(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

/* The file must be readable now: a cloud that cannot be entered is found at the start. */
static enum hale_rc check_secret(NODE map, const char *key, const char *path,
                                 struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong = {.text = ""};
    if (path == NULL)
        return hale_yaml_error(map, err, "missing key '%s'", key);
    hale_buf_init(&buf, ACTUATOR_SECRET_MAX);
    enum hale_rc rc = hale_fs_read(path, &buf, &wrong);
    bool empty = rc == HALE_OK && hale_str_trim(hale_buf_str(&buf)).len == 0;
    if (buf.p != NULL)
        explicit_bzero(buf.p, buf.cap);
    hale_buf_fini(&buf);
    if (rc != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, key), err, "%s: %s", key, wrong.text);
    return empty ? hale_yaml_error(hale_yaml_get(map, key), err, "%s: the file is empty",
                                   key)
                 : HALE_OK;
}

static enum hale_rc check_who(NODE map, const struct cloud_raw *raw, struct hale_err *err)
{
    if (raw->credential_id != NULL) {
        if (raw->username != NULL || raw->password_file != NULL || raw->project != NULL)
            return hale_yaml_error(
                map, err,
                "an application credential knows its user and project: "
                "leave username, password_file and project out");
        return check_secret(map, "application_credential_secret_file",
                            raw->credential_file, err);
    }
    if (raw->credential_file != NULL)
        return hale_yaml_error(map, err, "missing key 'application_credential_id'");
    if (raw->username == NULL || raw->project == NULL)
        return hale_yaml_error(map, err,
                               "username, password_file and project are needed, or "
                               "application_credential_id and its secret's file");
    return check_secret(map, "password_file", raw->password_file, err);
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
        c->auth_url = move(&raw.auth_url);
        c->region = move(&raw.region);
        c->interface = raw.interface;
        c->username = move(&raw.username);
        c->user_domain = move(&raw.user_domain);
        c->project = move(&raw.project);
        c->project_domain = move(&raw.project_domain);
        c->credential_id = move(&raw.credential_id);
        c->secret_file =
            move(c->credential_id != NULL ? &raw.credential_file : &raw.password_file);
        c->ca_file = move(&raw.ca_file);
        if (c->name == NULL)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

enum hale_rc actuator_clouds_read(NODE map, struct actuator_clouds *out,
                                  struct hale_err *err)
{
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err,
                               "clouds must be a map ('name: {auth_url: ...}')");
    if (hale_yaml_count(map) > ACTUATOR_CLOUDS_MAX)
        return hale_yaml_error(map, err, "at most %d clouds", ACTUATOR_CLOUDS_MAX);
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str name;
        NODE value = hale_yaml_pair(map, i, &name, NULL);
        if (name.len == 0 || name.len > 64)
            return hale_yaml_error(value, err, "a cloud's name has 1 to 64 bytes");
        enum hale_rc rc = read_cloud(value, name, &out->v[out->n++], err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
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
    const char *near = hale_str_suggest(hale_str_from(name), names);
    dst[0] = '\0';
    if (near != NULL)
        (void)snprintf(dst, size, ", did you mean '%s'?", near);
    return dst;
}
