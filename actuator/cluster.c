/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/cluster.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/kubeconfig.h"
#include "actuator/read.h"
#include "base/buf.h"
#include "base/fs.h"

#define N(fields)            (sizeof(fields) / sizeof((fields)[0]))
#define NODE                 const struct hale_yaml_node *
#define FILE_MAX_BYTES       65536
#define KUBECONFIG_MAX_BYTES (4u << 20)

struct cluster_raw {
    char *url, *token_file, *ca_file, *cert_file, *key_file, *space;
    char *kubeconfig, *context;
};
#define C(member) offsetof(struct cluster_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"url", HALE_CONF_STRING, C(url), false, NULL, 0, 0, NULL,
     "the API server's address"},
    {"kubeconfig", HALE_CONF_STRING, C(kubeconfig), false, NULL, 0, 0, NULL,
     "instead: a file as kubectl has it"},
    {"context", HALE_CONF_STRING, C(context), false, NULL, 0, 0, NULL,
     "in it; none: its current one"},
    {"token_file", HALE_CONF_STRING, C(token_file), false, NULL, 0, 0, NULL,
     "bearer token, read for each call"},
    {"ca_file", HALE_CONF_STRING, C(ca_file), false, NULL, 0, 0, NULL,
     "CA certificates; none: the system's"},
    {"cert_file", HALE_CONF_STRING, C(cert_file), false, NULL, 0, 0, NULL,
     "our certificate"},
    {"key_file", HALE_CONF_STRING, C(key_file), false, NULL, 0, 0, NULL,
     "its key; none: in cert_file"},
    {"namespace", HALE_CONF_STRING, C(space), false, NULL, 0, 0, NULL,
     "of steps that name none; none: the context's, or default"},
};

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

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
        free(c->v[i].ca_pem);
        free(c->v[i].cert_pem);
        wipe(c->v[i].key_pem);
        wipe(c->v[i].token);
    }
    memset(c, 0, sizeof(*c));
}

static enum hale_rc check(NODE map, const struct cluster_raw *raw, struct hale_err *err)
{
    struct hale_str host;
    unsigned port;
    if (raw->url == NULL)
        return hale_yaml_error(map, err,
                               "missing key 'url' (the API server's address) or "
                               "'kubeconfig'");
    if (raw->context != NULL)
        return hale_yaml_error(hale_yaml_get(map, "context"), err,
                               "context belongs to kubeconfig");
    if (actuator_allow_split(raw->url, &host, &port) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "url must be an http:// or https:// address with a host "
                               "and without user information");
    if (raw->token_file == NULL && raw->cert_file == NULL)
        return hale_yaml_error(map, err, "token_file or cert_file is needed");
    if (raw->key_file != NULL && raw->cert_file == NULL)
        return hale_yaml_error(map, err, "missing key 'cert_file'");
    enum hale_rc rc =
        actuator_read_file(map, "token_file", raw->token_file, FILE_MAX_BYTES, err);
    if (rc == HALE_OK)
        rc = actuator_read_file(map, "cert_file", raw->cert_file, FILE_MAX_BYTES, err);
    if (rc == HALE_OK)
        rc = actuator_read_file(map, "key_file", raw->key_file, FILE_MAX_BYTES, err);
    return rc == HALE_OK
               ? actuator_read_file(map, "ca_file", raw->ca_file, FILE_MAX_BYTES, err)
               : rc;
}

static enum hale_rc read_kubeconfig(NODE map, const struct cluster_raw *raw,
                                    struct actuator_cluster *c, struct hale_err *err)
{
    static const char *const others[] = {"url",       "token_file", "ca_file",
                                         "cert_file", "key_file",   NULL};
    for (unsigned i = 0; others[i] != NULL; i++)
        if (hale_yaml_get(map, others[i]) != NULL)
            return hale_yaml_error(hale_yaml_get(map, others[i]), err,
                                   "%s: the kubeconfig says that; one of both",
                                   others[i]);
    NODE at = hale_yaml_get(map, raw->context != NULL ? "context" : "kubeconfig");
    enum hale_rc rc =
        actuator_read_file(map, "kubeconfig", raw->kubeconfig, KUBECONFIG_MAX_BYTES, err);
    return rc == HALE_OK
               ? actuator_kubeconfig_read(raw->kubeconfig, raw->context, at, c, err)
               : rc;
}

static void take_written(struct cluster_raw *raw, struct actuator_cluster *c)
{
    c->url = actuator_read_move(&raw->url);
    c->token_file = actuator_read_move(&raw->token_file);
    c->cert_file = actuator_read_move(&raw->cert_file);
    c->key_file = actuator_read_move(&raw->key_file);
    c->ca_file = actuator_read_move(&raw->ca_file);
}

static enum hale_rc read_cluster(NODE map, struct hale_str name,
                                 struct actuator_cluster *c, struct hale_err *err)
{
    struct cluster_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    c->name = strndup(name.p, name.len);
    c->space = actuator_read_move(&raw.space);
    rc = raw.kubeconfig != NULL ? read_kubeconfig(map, &raw, c, err)
                                : check(map, &raw, err);
    if (raw.kubeconfig == NULL)
        take_written(&raw, c);
    size_t n = c->url != NULL ? strlen(c->url) : 0;
    while (n > 0 && c->url[n - 1] == '/')
        c->url[--n] = '\0';
    if (c->space == NULL)
        c->space = strdup("default");
    if (rc == HALE_OK && (c->name == NULL || c->space == NULL))
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

static enum hale_rc add(NODE map, struct hale_str name, void *arg, struct hale_err *err)
{
    struct actuator_clusters *out = arg;
    return read_cluster(map, name, &out->v[out->n++], err);
}

enum hale_rc actuator_clusters_read(NODE map, struct actuator_clusters *out,
                                    struct hale_err *err)
{
    static const struct actuator_named kind = {.key = "clusters",
                                               .item = "a cluster",
                                               .example = "url: ...",
                                               .max = ACTUATOR_CLUSTERS_MAX};
    return actuator_read_named(map, &kind, add, out, err);
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
    return actuator_read_near(names, name, dst, size);
}
