/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/cluster.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "base/buf.h"
#include "base/fs.h"

#define N(fields)      (sizeof(fields) / sizeof((fields)[0]))
#define NODE           const struct hale_yaml_node *
#define FILE_MAX_BYTES 65536

struct cluster_raw {
    char *url, *token_file, *ca_file, *cert_file, *key_file, *space;
};
#define C(member) offsetof(struct cluster_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"url", HALE_CONF_STRING, C(url), true, NULL, 0, 0, NULL, "the API server's address"},
    {"token_file", HALE_CONF_STRING, C(token_file), false, NULL, 0, 0, NULL,
     "bearer token, read for each call"},
    {"ca_file", HALE_CONF_STRING, C(ca_file), false, NULL, 0, 0, NULL,
     "CA certificates; none: the system's"},
    {"cert_file", HALE_CONF_STRING, C(cert_file), false, NULL, 0, 0, NULL,
     "our certificate"},
    {"key_file", HALE_CONF_STRING, C(key_file), false, NULL, 0, 0, NULL,
     "its key; none: in cert_file"},
    {"namespace", HALE_CONF_STRING, C(space), false, "default", 0, 0, NULL,
     "of steps that name none"},
};

void actuator_clusters_fini(struct actuator_clusters *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        free(c->v[i].name);
        free(c->v[i].url);
        free(c->v[i].token_file);
        free(c->v[i].cert_file);
        free(c->v[i].key_file);
        free(c->v[i].ca_file);
        free(c->v[i].space);
    }
    memset(c, 0, sizeof(*c));
}

static char *move(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

/* The file must be there now: a cluster that cannot be entered is found at the start. */
static enum hale_rc check_file(NODE map, const char *key, const char *path,
                               struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong = {.text = ""};
    if (path == NULL)
        return HALE_OK;
    hale_buf_init(&buf, FILE_MAX_BYTES);
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

static enum hale_rc check(NODE map, const struct cluster_raw *raw, struct hale_err *err)
{
    struct hale_str host;
    unsigned port;
    if (actuator_allow_split(raw->url, &host, &port) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "url must be an http:// or https:// address with a host "
                               "and without user information");
    if (raw->token_file == NULL && raw->cert_file == NULL)
        return hale_yaml_error(map, err, "token_file or cert_file is needed");
    if (raw->key_file != NULL && raw->cert_file == NULL)
        return hale_yaml_error(map, err, "missing key 'cert_file'");
    enum hale_rc rc = check_file(map, "token_file", raw->token_file, err);
    if (rc == HALE_OK)
        rc = check_file(map, "cert_file", raw->cert_file, err);
    if (rc == HALE_OK)
        rc = check_file(map, "key_file", raw->key_file, err);
    return rc == HALE_OK ? check_file(map, "ca_file", raw->ca_file, err) : rc;
}

static enum hale_rc read_cluster(NODE map, struct hale_str name,
                                 struct actuator_cluster *c, struct hale_err *err)
{
    struct cluster_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = check(map, &raw, err);
    size_t n = strlen(raw.url);
    while (n > 0 && raw.url[n - 1] == '/')
        raw.url[--n] = '\0';
    c->name = strndup(name.p, name.len);
    c->url = move(&raw.url);
    c->token_file = move(&raw.token_file);
    c->cert_file = move(&raw.cert_file);
    c->key_file = move(&raw.key_file);
    c->ca_file = move(&raw.ca_file);
    c->space = move(&raw.space);
    if (rc == HALE_OK && c->name == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

enum hale_rc actuator_clusters_read(NODE map, struct actuator_clusters *out,
                                    struct hale_err *err)
{
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "clusters must be a map ('name: {url: ...}')");
    if (hale_yaml_count(map) > ACTUATOR_CLUSTERS_MAX)
        return hale_yaml_error(map, err, "at most %d clusters", ACTUATOR_CLUSTERS_MAX);
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str name;
        NODE value = hale_yaml_pair(map, i, &name, NULL);
        if (name.len == 0 || name.len > 64)
            return hale_yaml_error(value, err, "a cluster's name has 1 to 64 bytes");
        enum hale_rc rc = read_cluster(value, name, &out->v[out->n++], err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

const struct actuator_cluster *actuator_clusters_find(const struct actuator_clusters *c,
                                                      const char *name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    return NULL;
}

const char *actuator_clusters_suggest(const struct actuator_clusters *c, const char *name,
                                      char *dst, size_t size)
{
    const char *names[ACTUATOR_CLUSTERS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < c->n; i++)
        names[i] = c->v[i].name;
    const char *near = hale_str_suggest(hale_str_from(name), names);
    dst[0] = '\0';
    if (near != NULL)
        (void)snprintf(dst, size, ", did you mean '%s'?", near);
    return dst;
}
