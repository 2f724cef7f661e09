/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keystone_config.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

#define ROLE_MAX_BYTES 255

/* What the table fills; the lists are read further. */
struct raw {
    struct collector_keystone_config c;
    const struct hale_yaml_node *operators, *agents, *readers, *delegates;
};
#define AT(field)   offsetof(struct raw, c.field)
#define LIST(field) offsetof(struct raw, field)
#define DAY_MS      86400000.0

/* clang-format off */
static const struct hale_conf_field FIELDS[] = {
    {"url", HALE_CONF_STRING, AT(url), true, NULL, 0, 0, NULL,
     "Keystone's identity API, such as http://host:5000/v3"},
    {"www_authenticate_uri", HALE_CONF_STRING, AT(auth_uri), false, NULL, 0, 0, NULL,
     "address of Keystone that refused clients are told (default: url)"},
    {"ca_file", HALE_CONF_STRING, AT(ca_file), false, NULL, 0, 0, NULL,
     "certificates that Keystone's is checked against (default: the system's)"},
    {"insecure", HALE_CONF_BOOL, AT(insecure), false, "false", 0, 0, NULL,
     "do not check Keystone's certificate"},
    {"user", HALE_CONF_STRING, AT(user), false, NULL, 0, 0, NULL,
     "user with the role service; none of the credentials: a caller's token validates itself"},
    {"password_file", HALE_CONF_STRING, AT(password_file), false, NULL, 0, 0, NULL,
     "file with the user's password; read at each authentication"},
    {"user_domain", HALE_CONF_STRING, AT(user_domain), false, "Default", 0, 0, NULL,
     "name of the user's domain"},
    {"project", HALE_CONF_STRING, AT(project), false, "service", 0, 0, NULL,
     "name of the project the user has its role in"},
    {"project_domain", HALE_CONF_STRING, AT(project_domain), false, "Default", 0, 0, NULL,
     "name of the project's domain"},
    {"application_credential_id", HALE_CONF_STRING, AT(application_credential_id), false, NULL, 0,
     0, NULL, "instead of user: id of an application credential"},
    {"secret_file", HALE_CONF_STRING, AT(secret_file), false, NULL, 0, 0, NULL,
     "file with the application credential's secret"},
    {"service_type", HALE_CONF_STRING, AT(service_type), false, "monitoring", 0, 0, NULL,
     "the service in access rules of application credentials"},
    {"cache_time", HALE_CONF_DURATION, AT(cache_time_ms), false, "5m", 0, DAY_MS, NULL,
     "how long a valid token is believed; a revoked one is out after it; 0s: ask each time"},
    {"negative_cache_time", HALE_CONF_DURATION, AT(negative_cache_time_ms), false, "5s", 0,
     600000, NULL, "how long an invalid token is not asked about again"},
    {"cache_max", HALE_CONF_INT, AT(cache_max), false, "10000", 1, 1000000, NULL,
     "tokens remembered, valid and invalid each; the least used goes first"},
    {"timeout", HALE_CONF_DURATION, AT(timeout_ms), false, "15s", 100, 60000, NULL,
     "deadline of one answer of Keystone"},
    {"max_calls", HALE_CONF_INT, AT(max_calls), false, "16", 1, 256, NULL,
     "calls to Keystone at once"},
    {"max_waiting", HALE_CONF_INT, AT(max_waiting), false, "512", 1, 10000, NULL,
     "requests that wait for Keystone; beyond it 503"},
    {"operator_roles", HALE_CONF_NODE, LIST(operators), false, NULL, 0, 0, NULL,
     "Keystone's roles that may do everything of their project; default [monasca-user]"},
    {"agent_roles", HALE_CONF_NODE, LIST(agents), false, NULL, 0, 0, NULL,
     "that may only post; default [monasca-agent]"},
    {"read_only_roles", HALE_CONF_NODE, LIST(readers), false, NULL, 0, 0, NULL,
     "that may only read; default [monasca-read-only-user]"},
    {"delegate_roles", HALE_CONF_NODE, LIST(delegates), false, NULL, 0, 0, NULL,
     "that may use ?tenant_id= besides; default [admin]"},
};
/* clang-format on */
#define N_FIELDS (sizeof(FIELDS) / sizeof(FIELDS[0]))

static enum hale_rc add_role(struct collector_role_names *out, struct hale_str name,
                             const struct hale_yaml_node *at, struct hale_err *err)
{
    if (name.len == 0 || name.len > ROLE_MAX_BYTES)
        return hale_yaml_error(at, err, "a role's name has 1 to %d bytes",
                               ROLE_MAX_BYTES);
    if (out->n == COLLECTOR_ROLE_NAMES_MAX)
        return hale_yaml_error(at, err, "more than %d roles", COLLECTOR_ROLE_NAMES_MAX);
    out->v[out->n] = strndup(name.p, name.len);
    if (out->v[out->n] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    out->n++;
    return HALE_OK;
}

static enum hale_rc read_roles(const struct hale_yaml_node *list, const char *fallback,
                               struct collector_role_names *out, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;

    if (list == NULL)
        return add_role(out, hale_str_from(fallback), NULL, err);
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "this must be a list of roles such as [%s]",
                               fallback);
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(list); i++)
        rc = add_role(out, hale_yaml_text(hale_yaml_item(list, i)),
                      hale_yaml_item(list, i), err);
    return rc;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum hale_rc check_url(const struct hale_yaml_node *node,
                              struct collector_keystone_config *c, struct hale_err *err)
{
    size_t n = strlen(c->url);

    while (n > 0 && c->url[n - 1] == '/')
        c->url[--n] = '\0';
    if (!hale_http_url_ok(c->url) || !ends_in(c->url, "/v3"))
        return hale_yaml_error(hale_yaml_get(node, "url"), err,
                               "url must be Keystone's version 3, such as "
                               "http://host:5000/v3 or https://host/identity/v3");
    if (c->auth_uri == NULL && (c->auth_uri = strdup(c->url)) == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (!hale_http_url_ok(c->auth_uri) || strpbrk(c->auth_uri, "\"\\ \t\r\n") != NULL)
        return hale_yaml_error(hale_yaml_get(node, "www_authenticate_uri"), err,
                               "www_authenticate_uri must be an http or https address");
    if (c->insecure && c->ca_file != NULL)
        return hale_yaml_error(hale_yaml_get(node, "insecure"), err,
                               "insecure and ca_file exclude each other");
    return HALE_OK;
}

static enum hale_rc check_credentials(const struct hale_yaml_node *node,
                                      struct collector_keystone_config *c,
                                      struct hale_err *err)
{
    bool user = c->user != NULL || c->password_file != NULL;
    bool app = c->application_credential_id != NULL || c->secret_file != NULL;

    if (user && app)
        return hale_yaml_error(node, err,
                               "give user and password_file, or "
                               "application_credential_id and secret_file, not both");
    if (user && (c->user == NULL || c->password_file == NULL))
        return hale_yaml_error(node, err, "user and password_file belong together");
    if (app && (c->application_credential_id == NULL || c->secret_file == NULL))
        return hale_yaml_error(
            node, err, "application_credential_id and secret_file belong together");
    c->auth = user  ? COLLECTOR_KEYSTONE_PASSWORD
              : app ? COLLECTOR_KEYSTONE_APP_CREDENTIAL
                    : COLLECTOR_KEYSTONE_SELF;
    return HALE_OK;
}

enum hale_rc collector_keystone_config_read(const struct hale_yaml_node *node,
                                            struct collector_keystone_config *out,
                                            struct hale_err *err)
{
    struct raw raw = {0};

    memset(out, 0, sizeof(*out));
    if (node == NULL)
        return HALE_OK;
    if (hale_yaml_kind(node) != HALE_YAML_MAP)
        return hale_yaml_error(node, err,
                               "keystone must have keys below it, at least url");
    enum hale_rc rc = hale_conf_read(node, FIELDS, N_FIELDS, &raw, err);
    *out = raw.c;
    if (rc != HALE_OK) {
        memset(out, 0, sizeof(*out)); /* hale_conf_read has freed what it read */
        return rc;
    }
    out->enabled = true;
    rc = check_url(node, out, err);
    if (rc == HALE_OK)
        rc = check_credentials(node, out, err);
    if (rc == HALE_OK)
        rc = read_roles(raw.operators, "monasca-user", &out->operators, err);
    if (rc == HALE_OK)
        rc = read_roles(raw.agents, "monasca-agent", &out->agents, err);
    if (rc == HALE_OK)
        rc = read_roles(raw.readers, "monasca-read-only-user", &out->readers, err);
    if (rc == HALE_OK)
        rc = read_roles(raw.delegates, "admin", &out->delegates, err);
    return rc;
}

static void roles_fini(struct collector_role_names *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i]);
    r->n = 0;
}

void collector_keystone_config_fini(struct collector_keystone_config *c)
{
    struct raw raw = {.c = *c};

    hale_conf_fini(FIELDS, N_FIELDS, &raw);
    roles_fini(&c->operators);
    roles_fini(&c->agents);
    roles_fini(&c->readers);
    roles_fini(&c->delegates);
    memset(c, 0, sizeof(*c));
}

void collector_keystone_config_describe(struct hale_buf *out)
{
    hale_conf_describe(FIELDS, N_FIELDS, out);
}
