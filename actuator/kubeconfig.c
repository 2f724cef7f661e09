/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/kubeconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/read.h"
#include "base/base64.h"

#define NODE           const struct hale_yaml_node *
#define DATA_MAX_BYTES 65536
#define NAMES_MAX      64

/* What is being read. */
struct config {
    const char *path;
    NODE root;
    NODE at; /* in the actuator's configuration */
    struct hale_err *err;
};

static enum hale_rc nomem(const struct config *c)
{
    return hale_err_set(c->err, HALE_E_NOMEM, "out of memory");
}

/* --- pieces ------------------------------------------------------------------------ */

/* The text of map[key], new; absent or empty: NULL. */
static enum hale_rc take_text(const struct config *c, NODE map, const char *key,
                              char **out)
{
    NODE node = hale_yaml_get(map, key);
    struct hale_str text = hale_yaml_text(node);
    if (node == NULL || hale_yaml_kind(node) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(node) != HALE_YAML_SCALAR)
        return hale_yaml_error(node, c->err, "%s must be text", key);
    if (text.len == 0)
        return HALE_OK;
    free(*out);
    *out = strndup(text.p, text.len);
    return *out != NULL ? HALE_OK : nomem(c);
}

/* The same for a file, which must be readable now; relative names are below the kubeconfig's directory. */
static enum hale_rc take_file(const struct config *c, NODE map, const char *key,
                              char **out)
{
    char *name = NULL;
    enum hale_rc rc = take_text(c, map, key, &name);
    if (rc != HALE_OK || name == NULL)
        return rc;
    const char *slash = strrchr(c->path, '/');
    int dir = name[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - c->path);
    if (asprintf(out, "%.*s%s", dir, c->path, name) < 0)
        *out = NULL;
    free(name);
    return *out != NULL ? actuator_read_file(map, key, *out, DATA_MAX_BYTES, c->err)
                        : nomem(c);
}

/* PEM in base64. */
static enum hale_rc take_data(const struct config *c, NODE map, const char *key,
                              char **out)
{
    NODE node = hale_yaml_get(map, key);
    struct hale_str text = hale_str_trim(hale_yaml_text(node));
    size_t len = 0;
    if (text.len == 0)
        return HALE_OK;
    *out = calloc(1, DATA_MAX_BYTES);
    if (*out == NULL)
        return nomem(c);
    if (hale_base64_decode(text, *out, DATA_MAX_BYTES, &len) != HALE_OK)
        return hale_yaml_error(node, c->err, "%s is not base64 of at most %d bytes", key,
                               DATA_MAX_BYTES - 1);
    if (strlen(*out) != len || strstr(*out, "-----BEGIN ") == NULL)
        return hale_yaml_error(node, c->err, "%s is not PEM in base64", key);
    return HALE_OK;
}

/* Data before a file, as kubectl has it. */
static enum hale_rc take_pem(const struct config *c, NODE map, const char *key,
                             char **file, char **pem)
{
    char data[64];
    (void)snprintf(data, sizeof(data), "%s-data", key);
    enum hale_rc rc = take_data(c, map, data, pem);
    return rc == HALE_OK && *pem == NULL ? take_file(c, map, key, file) : rc;
}

static bool given(NODE map, const char *key)
{
    NODE node = hale_yaml_get(map, key);
    return hale_yaml_kind(node) != HALE_YAML_NULL &&
           (hale_yaml_kind(node) != HALE_YAML_SCALAR || hale_yaml_text(node).len > 0);
}

/* The first of keys that is given is refused; the list ends with NULL. */
struct refused {
    const char *key, *why;
};
static enum hale_rc refuse(const struct config *c, NODE map, const struct refused *list)
{
    for (; list->key != NULL; list++)
        if (given(map, list->key))
            return hale_yaml_error(hale_yaml_get(map, list->key), c->err, "%s: %s",
                                   list->key, list->why);
    return HALE_OK;
}

/* --- by name ----------------------------------------------------------------------- */

/* root[list][i][item] whose name it is, or NULL; near: ", did you mean ...". */
static NODE find(const struct config *c, const char *list, const char *item,
                 const char *name, char *near, size_t size)
{
    NODE all = hale_yaml_get(c->root, list);
    char *names[NAMES_MAX + 1] = {NULL};
    unsigned n = 0;
    NODE found = NULL;
    for (size_t i = 0; hale_yaml_kind(all) == HALE_YAML_LIST && i < hale_yaml_count(all);
         i++) {
        NODE one = hale_yaml_item(all, i);
        struct hale_str text = hale_yaml_text(hale_yaml_get(one, "name"));
        if (hale_str_eq_c(text, name) && found == NULL)
            found = hale_yaml_get(one, item);
        if (n < NAMES_MAX && text.len > 0 &&
            (names[n] = strndup(text.p, text.len)) != NULL)
            n++;
    }
    (void)actuator_read_near((const char *const *)names, name, near, size);
    for (unsigned i = 0; i < n; i++)
        free(names[i]);
    return found;
}

static enum hale_rc find_context(const struct config *c, const char *wanted, NODE *out)
{
    char near[128], *name = NULL;
    NODE current = hale_yaml_get(c->root, "current-context");
    enum hale_rc rc = HALE_OK;
    if (wanted == NULL) {
        rc = take_text(c, c->root, "current-context", &name);
        if (rc != HALE_OK)
            return rc;
        if (name == NULL)
            return hale_yaml_error(c->at, c->err,
                                   "kubeconfig %s has no current-context: say which with "
                                   "key 'context'",
                                   c->path);
        wanted = name;
    }
    *out = find(c, "contexts", "context", wanted, near, sizeof(near));
    if (hale_yaml_kind(*out) != HALE_YAML_MAP)
        rc = hale_yaml_error(name != NULL ? current : c->at, c->err,
                             "kubeconfig %s has no context '%.64s'%s", c->path, wanted,
                             near);
    free(name);
    return rc;
}

/* What context[key] names in the list. */
static enum hale_rc find_part(const struct config *c, NODE context, const char *key,
                              const char *list, NODE *out)
{
    char near[128], *name = NULL;
    enum hale_rc rc = take_text(c, context, key, &name);
    if (rc != HALE_OK)
        return rc;
    if (name == NULL)
        return hale_yaml_error(context, c->err, "the context names no %s", key);
    *out = find(c, list, key, name, near, sizeof(near));
    if (hale_yaml_kind(*out) != HALE_YAML_MAP)
        rc = hale_yaml_error(hale_yaml_get(context, key), c->err,
                             "there is no '%.64s' in '%s'%s", name, list, near);
    free(name);
    return rc;
}

/* --- cluster and user -------------------------------------------------------------- */

static enum hale_rc read_cluster(const struct config *c, NODE map,
                                 struct actuator_cluster *out)
{
    static const struct refused no[] = {
        {"proxy-url", "Hale calls the API server directly"},
        {"tls-server-name",
         "Hale verifies the name in 'server': use one that the certificate has"},
        {NULL, NULL}};
    struct hale_str host;
    unsigned port;
    NODE insecure = hale_yaml_get(map, "insecure-skip-tls-verify");
    if (hale_str_eq_c(hale_yaml_text(insecure), "true"))
        return hale_yaml_error(insecure, c->err,
                               "insecure-skip-tls-verify: Hale verifies the API server: "
                               "give certificate-authority");
    enum hale_rc rc = refuse(c, map, no);
    if (rc == HALE_OK)
        rc = take_text(c, map, "server", &out->url);
    if (rc == HALE_OK &&
        (out->url == NULL || actuator_allow_split(out->url, &host, &port) != HALE_OK))
        rc =
            hale_yaml_error(out->url != NULL ? hale_yaml_get(map, "server") : map, c->err,
                            "server must be an http:// or https:// address with a host "
                            "and without user information");
    return rc == HALE_OK
               ? take_pem(c, map, "certificate-authority", &out->ca_file, &out->ca_pem)
               : rc;
}

static enum hale_rc read_user(const struct config *c, NODE map,
                              struct actuator_cluster *out)
{
    static const struct refused no[] = {
        {"exec", "Hale runs no executable to get credentials: use the token of a service "
                 "account (token_file) or a client certificate"},
        {"auth-provider", "Hale has no such plugins: use the token of a service account "
                          "(token_file) or a client certificate"},
        {"username", "Kubernetes takes no passwords since 1.19: use a token or a client "
                     "certificate"},
        {"as", "Hale does not impersonate: use credentials of its own"},
        {NULL, NULL}};
    enum hale_rc rc = refuse(c, map, no);
    if (rc == HALE_OK)
        rc = take_file(c, map, "tokenFile", &out->token_file);
    if (rc == HALE_OK && out->token_file == NULL)
        rc = take_text(c, map, "token", &out->token);
    if (rc == HALE_OK)
        rc = take_pem(c, map, "client-certificate", &out->cert_file, &out->cert_pem);
    if (rc == HALE_OK)
        rc = take_pem(c, map, "client-key", &out->key_file, &out->key_pem);
    if (rc != HALE_OK)
        return rc;
    bool cert = out->cert_file != NULL || out->cert_pem != NULL;
    bool key = out->key_file != NULL || out->key_pem != NULL;
    if (cert != key)
        return hale_yaml_error(map, c->err, "client-%s is missing",
                               cert ? "key (or client-key-data)"
                                    : "certificate (or client-certificate-data)");
    if (!cert && out->token == NULL && out->token_file == NULL)
        return hale_yaml_error(map, c->err,
                               "the user has neither token, tokenFile nor "
                               "client-certificate");
    for (const char *p = out->token; p != NULL && *p != '\0'; p++)
        if (*p <= ' ' || *p == 0x7f)
            return hale_yaml_error(hale_yaml_get(map, "token"), c->err,
                                   "token has a blank or a control character");
    return HALE_OK;
}

static enum hale_rc read_all(const struct config *c, const char *context,
                             struct actuator_cluster *out)
{
    NODE of = NULL;
    NODE cluster = NULL;
    NODE user = NULL;
    if (hale_yaml_kind(c->root) != HALE_YAML_MAP ||
        hale_yaml_get(c->root, "contexts") == NULL)
        return hale_yaml_error(c->at, c->err,
                               "kubeconfig %s is none: it has no 'contexts'", c->path);
    enum hale_rc rc = find_context(c, context, &of);
    if (rc == HALE_OK)
        rc = find_part(c, of, "cluster", "clusters", &cluster);
    if (rc == HALE_OK)
        rc = find_part(c, of, "user", "users", &user);
    if (rc == HALE_OK)
        rc = read_cluster(c, cluster, out);
    if (rc == HALE_OK)
        rc = read_user(c, user, out);
    if (rc == HALE_OK && out->space == NULL)
        rc = take_text(c, of, "namespace", &out->space);
    return rc;
}

enum hale_rc actuator_kubeconfig_read(const char *path, const char *context, NODE at,
                                      struct actuator_cluster *out, struct hale_err *err)
{
    struct hale_yaml *file = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &file, err);
    if (rc != HALE_OK)
        return rc;
    const struct config c = {path, hale_yaml_root(file), at, err};
    rc = read_all(&c, context, out);
    hale_yaml_free(file);
    return rc;
}
