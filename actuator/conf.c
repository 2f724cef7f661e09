/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/read.h"
#include "actuator/template.h"
#include "base/fs.h"
#include "model/yaml.h"
#include "store/redis.h"

#define N(fields)        (sizeof(fields) / sizeof((fields)[0]))
#define NODE             const struct hale_yaml_node *
#define SECRET_MAX_BYTES 4096
#define DAY_MS           86400000.0

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};
static const char *const SEVERITIES[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const STATES[] = {"OK", "UNDETERMINED", "ALARM", NULL};

struct conf_raw {
    char *redis, *listen, *policies;
    int log_level;
    int64_t max_age;
    NODE subscribers;
    NODE allow;
    NODE methods;
    NODE smtp;
    NODE clouds;
    NODE credentials;
    NODE collector;
    NODE infrastructure;
    NODE inventory;
};
#define C(member) offsetof(struct conf_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"redis", HALE_CONF_STRING, C(redis), true, NULL, 0, 0, NULL,
     "unix:/path/redis.sock or host:port"},
    {"listen", HALE_CONF_STRING, C(listen), false, "127.0.0.1:8073", 0, 0, NULL,
     "address of /metrics and /healthz"},
    {"log_level", HALE_CONF_ENUM, C(log_level), false, "info", 0, 0, LEVELS,
     "least level to log"},
    {"policies", HALE_CONF_STRING, C(policies), false, NULL, 0, 0, NULL,
     "file with the policies; none: only notifications"},
    {"subscribers", HALE_CONF_NODE, C(subscribers), false, NULL, 0, 0, NULL,
     "list: name, url, states, severity, headers, secret_file, timeout"},
    {"allow", HALE_CONF_NODE, C(allow), false, NULL, 0, 0, NULL,
     "hosts that may be called besides loopback and those written in URLs"},
    {"notify_max_age", HALE_CONF_DURATION, C(max_age), false, "4h", 1000, 30 * DAY_MS,
     NULL, "a notification older than this is given up"},
    {"notification_methods", HALE_CONF_NODE, C(methods), false, NULL, 0, 0, NULL,
     "tenants' webhooks: reach (remote or listed), allow, pagerduty_url, timeout"},
    {"smtp", HALE_CONF_NODE, C(smtp), false, NULL, 0, 0, NULL,
     "letters: url, from, user, password_file, starttls, ca_file, timeout"},
    {"clouds", HALE_CONF_NODE, C(clouds), false, NULL, 0, 0, NULL,
     "OpenStack clouds by name: auth_url, user, password_file, project, ..."},
    {"credentials", HALE_CONF_NODE, C(credentials), false, NULL, 0, 0, NULL,
     "who we are to managers and webhooks, by name: type, token_url, client_id, ..."},
    {"infrastructure", HALE_CONF_NODE, C(infrastructure), false, NULL, 0, 0, NULL,
     "tenants whose topology and alarms speak for the projects of its VMs, too"},
    {"inventory", HALE_CONF_NODE, C(inventory), false, NULL, 0, 0, NULL,
     "what the clouds and VNFMs have: tenant, every, fetch, clouds, vnfms"},
    {"collector", HALE_CONF_NODE, C(collector), false, NULL, 0, 0, NULL,
     "where policies ask about metrics: url, token_file, ca_file, timeout"},
};

struct subscriber_raw {
    char *name, *url, *secret_file;
    int64_t timeout;
    int profile;
    NODE states;
    NODE severity;
    NODE headers;
};
#define S(member) offsetof(struct subscriber_raw, member)
static const struct hale_conf_field SUBSCRIBER_FIELDS[] = {
    {"name", HALE_CONF_STRING, S(name), true, NULL, 0, 0, NULL,
     "unique; its cursor is kept by it"},
    {"url", HALE_CONF_STRING, S(url), true, NULL, 0, 0, NULL, "where to POST"},
    {"profile", HALE_CONF_ENUM, S(profile), false, "hale", 0, 0, actuator_profile_words,
     "form of the body"},
    {"states", HALE_CONF_NODE, S(states), false, NULL, 0, 0, NULL, "new states to tell"},
    {"severity", HALE_CONF_NODE, S(severity), false, NULL, 0, 0, NULL,
     "severities to tell"},
    {"headers", HALE_CONF_NODE, S(headers), false, NULL, 0, 0, NULL, "name: value"},
    {"secret_file", HALE_CONF_STRING, S(secret_file), false, NULL, 0, 0, NULL,
     "key of X-Hale-Signature; profile pagerduty: the routing key"},
    {"timeout", HALE_CONF_DURATION, S(timeout), false, "5s", 100, 60000, NULL, "one try"},
};

static void subscriber_fini(struct actuator_subscriber *s)
{
    free(s->name);
    free(s->url);
    json_decref(s->headers);
    if (s->secret != NULL)
        explicit_bzero(s->secret, s->secret_len);
    free(s->secret);
}

void actuator_conf_free(void *arg)
{
    struct actuator_conf *conf = arg;
    if (conf == NULL)
        return;
    free(conf->redis);
    free(conf->listen);
    actuator_policies_free(conf->policies);
    for (unsigned i = 0; i < conf->n_subscribers; i++)
        subscriber_fini(&conf->subscriber[i]);
    actuator_allow_fini(&conf->allow);
    actuator_methods_conf_fini(&conf->methods);
    actuator_clouds_fini(&conf->clouds);
    actuator_credentials_fini(&conf->credentials);
    actuator_strings_fini(&conf->infrastructure);
    actuator_inventory_conf_fini(&conf->inventory);
    actuator_collector_fini(&conf->collector);
    free(conf);
}

void actuator_conf_describe(struct hale_buf *out)
{
    hale_conf_describe(FIELDS, N(FIELDS), out);
}

static char *move(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

static enum hale_rc read_secret(NODE map, const char *path, struct actuator_subscriber *s,
                                struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong;
    if (path == NULL)
        return HALE_OK;
    hale_buf_init(&buf, SECRET_MAX_BYTES);
    enum hale_rc rc = hale_fs_read(path, &buf, &wrong);
    while (rc == HALE_OK && buf.len > 0 &&
           (buf.p[buf.len - 1] == '\n' || buf.p[buf.len - 1] == '\r'))
        buf.p[--buf.len] = '\0';
    if (rc != HALE_OK) {
        rc = hale_yaml_error(hale_yaml_get(map, "secret_file"), err, "secret_file: %s",
                             wrong.text);
    } else if (buf.len == 0) {
        rc = hale_yaml_error(hale_yaml_get(map, "secret_file"), err,
                             "secret_file is empty");
    } else {
        s->secret_len = buf.len;
        s->secret = hale_buf_take(&buf);
        rc = s->secret != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    hale_buf_fini(&buf);
    return rc;
}

static enum hale_rc check_subscriber(NODE map, const struct actuator_conf *conf,
                                     const struct actuator_subscriber *s,
                                     struct hale_err *err)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    struct hale_str host;
    unsigned port;
    if (s->name[0] == '\0' || strlen(s->name) > 64 ||
        s->name[strspn(s->name, fine)] != '\0')
        return hale_yaml_error(hale_yaml_get(map, "name"), err,
                               "name must be 1 to 64 characters of A-Z a-z 0-9 _ . -");
    for (unsigned i = 0; i < conf->n_subscribers; i++)
        if (&conf->subscriber[i] != s && strcmp(conf->subscriber[i].name, s->name) == 0)
            return hale_yaml_error(hale_yaml_get(map, "name"), err,
                                   "the name '%s' is used twice", s->name);
    if (actuator_allow_split(s->url, &host, &port) != HALE_OK)
        return hale_yaml_error(
            hale_yaml_get(map, "url"), err,
            "url must be an http:// or https:// address with a host and "
            "without user information");
    return HALE_OK;
}

static enum hale_rc read_subscriber(NODE map, struct actuator_conf *conf,
                                    struct hale_err *err)
{
    struct subscriber_raw raw = {0};
    enum hale_rc rc =
        hale_conf_read(map, SUBSCRIBER_FIELDS, N(SUBSCRIBER_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_subscriber *s = &conf->subscriber[conf->n_subscribers++];
    s->name = move(&raw.name);
    s->url = move(&raw.url);
    s->timeout_ms = raw.timeout;
    s->profile = (enum actuator_profile)raw.profile;
    rc = check_subscriber(map, conf, s, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.states, "states", STATES, 7, &s->states, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.severity, "severity", SEVERITIES, 15, &s->severities,
                                err);
    if (rc == HALE_OK)
        rc = actuator_read_map(raw.headers, "headers", true, &s->headers, err);
    if (rc == HALE_OK)
        rc = actuator_read_check_headers(raw.headers, s->headers, err);
    if (rc == HALE_OK)
        rc = read_secret(map, raw.secret_file, s, err);
    if (rc == HALE_OK && s->profile == ACTUATOR_PROFILE_PAGERDUTY && s->secret == NULL)
        rc = hale_yaml_error(map, err,
                             "profile pagerduty needs the routing key in secret_file");
    hale_conf_fini(SUBSCRIBER_FIELDS, N(SUBSCRIBER_FIELDS), &raw);
    return rc;
}

static enum hale_rc read_subscribers(NODE list, struct actuator_conf *conf,
                                     struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "subscribers must be a list ('- name: ...')");
    if (hale_yaml_count(list) > ACTUATOR_SUBSCRIBERS_MAX)
        return hale_yaml_error(list, err, "at most %d subscribers",
                               ACTUATOR_SUBSCRIBERS_MAX);
    for (size_t i = 0; i < hale_yaml_count(list) && rc == HALE_OK; i++)
        rc = read_subscriber(hale_yaml_item(list, i), conf, err);
    return rc;
}

static enum hale_rc add_allowed(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(item);
    enum hale_rc rc = actuator_allow_add(arg, text);
    if (rc == HALE_E_INVAL)
        return hale_yaml_error(
            item, err,
            "allow: '%.*s' is not host, host:port or *.domain (no scheme, no path)",
            (int)(text.len > 60 ? 60 : text.len), text.p);
    if (rc != HALE_OK)
        return hale_yaml_error(item, err, "allow: at most %d patterns",
                               ACTUATOR_ALLOW_MAX);
    return HALE_OK;
}

static enum hale_rc allow_policy(struct actuator_conf *conf,
                                 const struct actuator_policy *p)
{
    enum hale_rc rc = HALE_OK;
    if (p->verify.url != NULL)
        rc = actuator_allow_add_url(&conf->allow, p->verify.url);
    for (unsigned i = 0; i < p->n_steps; i++) {
        const struct actuator_step *s = &p->step[i];
        const char *const urls[] = {s->url, s->verify.url, s->until.url};
        for (size_t k = 0; k < sizeof(urls) / sizeof(urls[0]) && rc == HALE_OK; k++)
            if (urls[k] != NULL)
                rc = actuator_allow_add_url(&conf->allow, urls[k]);
    }
    return rc;
}

static enum hale_rc allow_written(struct actuator_conf *conf, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; i < actuator_policies_count(conf->policies) && rc == HALE_OK;
         i++)
        rc = allow_policy(conf, actuator_policies_at(conf->policies, i));
    for (unsigned i = 0; i < conf->clouds.n && rc == HALE_OK; i++)
        rc = actuator_allow_add_url(&conf->allow, conf->clouds.v[i].auth_url);
    for (unsigned i = 0; i < conf->credentials.n && rc == HALE_OK; i++)
        if (conf->credentials.v[i].token_url != NULL)
            rc = actuator_allow_add_url(&conf->allow, conf->credentials.v[i].token_url);
    if (rc == HALE_OK && conf->collector.url != NULL)
        rc = actuator_allow_add_url(&conf->allow, conf->collector.url);
    for (unsigned i = 0; i < conf->n_subscribers && rc == HALE_OK; i++)
        rc = actuator_allow_add_url(&conf->allow, conf->subscriber[i].url);
    for (unsigned i = 0; i < conf->inventory.n_vnfms && rc == HALE_OK; i++)
        rc = actuator_allow_add_url(&conf->allow, conf->inventory.vnfm[i].url);
    return rc == HALE_OK
               ? rc
               : hale_err_set(err, rc, "too many different hosts are configured");
}

/* Whether anything of the policy asks about metrics. */
static bool asks_metrics(const struct actuator_policy *p)
{
    for (unsigned i = 0; i < p->n_steps; i++)
        if (p->step[i].verify.query != NULL || p->step[i].until.query != NULL)
            return true;
    return p->verify.query != NULL;
}

static enum hale_rc check_queries(const struct actuator_conf *conf, const char *source,
                                  struct hale_err *err)
{
    for (unsigned i = 0; i < actuator_policies_count(conf->policies); i++) {
        const struct actuator_policy *p = actuator_policies_at(conf->policies, i);
        if (conf->collector.url == NULL && asks_metrics(p))
            return hale_err_at(err, HALE_E_INVAL, source != NULL ? source : "policies",
                               p->step[0].line, 0,
                               "policy '%s' has a query: add 'collector: {url: ...}' to "
                               "the configuration",
                               p->name);
    }
    return HALE_OK;
}

/* A policy may only name clouds and credentials there are. */
static enum hale_rc check_names(const struct actuator_conf *conf, const char *source,
                                struct hale_err *err)
{
    char near[128];
    for (unsigned i = 0; i < actuator_policies_count(conf->policies); i++)
        for (unsigned k = 0; k < actuator_policies_at(conf->policies, i)->n_steps; k++) {
            const struct actuator_step *s =
                &actuator_policies_at(conf->policies, i)->step[k];
            if (s->cloud != NULL && actuator_clouds_find(&conf->clouds, s->cloud) == NULL)
                return hale_err_at(
                    err, HALE_E_INVAL, source != NULL ? source : "policies", s->line, 0,
                    "'clouds' in the configuration has no '%.64s'%s", s->cloud,
                    actuator_clouds_suggest(&conf->clouds, s->cloud, near, sizeof(near)));
            if (s->credentials != NULL &&
                actuator_credentials_find(&conf->credentials, s->credentials) == NULL)
                return hale_err_at(
                    err, HALE_E_INVAL, source != NULL ? source : "policies", s->line, 0,
                    "'credentials' in the configuration has no '%.64s'%s", s->credentials,
                    actuator_credentials_suggest(&conf->credentials, s->credentials, near,
                                                 sizeof(near)));
        }
    return HALE_OK;
}

static enum hale_rc fill(NODE root, struct actuator_conf *conf, struct hale_err *err)
{
    struct conf_raw raw = {0};
    struct hale_err wrong;
    enum hale_rc rc = hale_conf_read(root, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    conf->redis = move(&raw.redis);
    conf->listen = move(&raw.listen);
    conf->log_level = raw.log_level;
    conf->notify_max_age_ms = raw.max_age;
    if (hale_redis_check_url(conf->redis, &wrong) != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(root, "redis"), err, "redis: %s", wrong.text);
    if (rc == HALE_OK)
        rc = read_subscribers(raw.subscribers, conf, err);
    if (rc == HALE_OK)
        rc = actuator_methods_conf_read(raw.methods, raw.smtp, &conf->methods, err);
    if (rc == HALE_OK && hale_yaml_kind(raw.allow) != HALE_YAML_NULL)
        rc = actuator_read_each(raw.allow, "allow", err, add_allowed, &conf->allow);
    if (rc == HALE_OK)
        rc = actuator_infrastructure_read(raw.infrastructure, &conf->infrastructure, err);
    if (rc == HALE_OK)
        rc = actuator_clouds_read(raw.clouds, &conf->clouds, err);
    if (rc == HALE_OK)
        rc = actuator_credentials_read(raw.credentials, &conf->credentials, err);
    if (rc == HALE_OK)
        rc = actuator_inventory_conf_read(raw.inventory, &conf->clouds,
                                          &conf->credentials, &conf->inventory, err);
    if (rc == HALE_OK)
        rc = actuator_collector_read(raw.collector, &conf->collector, err);
    if (rc == HALE_OK)
        rc = raw.policies != NULL
                 ? actuator_policies_load_file(raw.policies, &conf->policies, err)
                 : actuator_policies_load(HALE_STR("policies: []\n"), "", &conf->policies,
                                          err);
    if (rc == HALE_OK)
        rc = check_names(conf, raw.policies, err);
    if (rc == HALE_OK && conf->policies->n_scaling > 0 && conf->collector.url == NULL)
        rc = hale_yaml_error(root, err,
                             "scaling policies ask about metrics: add 'collector: {url: "
                             "http://127.0.0.1:8070, token_file: ...}'");
    if (rc == HALE_OK)
        rc = check_queries(conf, raw.policies, err);
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc == HALE_OK ? allow_written(conf, err) : rc;
}

enum hale_rc actuator_conf_load(const char *path, void **conf_out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_conf *conf = calloc(1, sizeof(*conf));
    rc = conf != NULL ? fill(hale_yaml_root(yaml), conf, err)
                      : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_yaml_free(yaml);
    if (rc != HALE_OK) {
        actuator_conf_free(conf);
        return rc;
    }
    *conf_out = conf;
    return HALE_OK;
}
