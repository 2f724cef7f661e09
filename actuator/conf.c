/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/conf_sizes.h"
#include "actuator/policy_exec.h"
#include "actuator/read.h"
#include "actuator/template.h"
#include "base/fs.h"
#include "model/chain.h"
#include "model/limits.h"
#include "model/yaml.h"
#include "store/redis.h"

#define N(fields)          (sizeof(fields) / sizeof((fields)[0]))
#define NODE               const struct hale_yaml_node *
#define DAY_MS             86400000.0
#define POLICIES_MAX_BYTES ((size_t)64 << 20)

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};

struct conf_raw {
    char *redis, *listen, *policies;
    int log_level;
    char *audit_file;
    int64_t max_age, audit_every;
    NODE subscribers;
    NODE allow;
    NODE allow_exec;
    NODE methods;
    NODE smtp;
    NODE clouds;
    NODE clusters;
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
     "list: name, url or to, profile, states, severity, group_by, ..."},
    {"allow", HALE_CONF_NODE, C(allow), false, NULL, 0, 0, NULL,
     "hosts that may be called besides loopback and those written in URLs"},
    {"allow_exec", HALE_CONF_NODE, C(allow_exec), false, NULL, 0, 0, NULL,
     "paths of the executables that policies may run; none: none"},
    {"notify_max_age", HALE_CONF_DURATION, C(max_age), false, "4h", 1000, 30 * DAY_MS,
     NULL, "a notification older than this is given up"},
    {"audit_head_file", HALE_CONF_STRING, C(audit_file), false, NULL, 0, 0, NULL,
     "file for the newest hashes of the journal's chain"},
    {"audit_every", HALE_CONF_DURATION, C(audit_every), false, "10m", 1000, DAY_MS, NULL,
     "how often they are noted, there and in the log"},
    {"notification_methods", HALE_CONF_NODE, C(methods), false, NULL, 0, 0, NULL,
     "tenants' webhooks: reach (remote or listed), allow, pagerduty_url, timeout"},
    {"smtp", HALE_CONF_NODE, C(smtp), false, NULL, 0, 0, NULL,
     "letters: url, from, user, password_file, starttls, ca_file, timeout"},
    {"clouds", HALE_CONF_NODE, C(clouds), false, NULL, 0, 0, NULL,
     "OpenStack clouds by name: auth_url, user, password_file, project, ..."},
    {"clusters", HALE_CONF_NODE, C(clusters), false, NULL, 0, 0, NULL,
     "Kubernetes clusters by name: url, token_file, ca_file, namespace, ..."},
    {"credentials", HALE_CONF_NODE, C(credentials), false, NULL, 0, 0, NULL,
     "who we are to managers and webhooks, by name: type, token_url, client_id, ..."},
    {"infrastructure", HALE_CONF_NODE, C(infrastructure), false, NULL, 0, 0, NULL,
     "tenants whose topology and alarms speak for the projects of its VMs, too"},
    {"inventory", HALE_CONF_NODE, C(inventory), false, NULL, 0, 0, NULL,
     "what the clouds and VNFMs have: tenant, every, fetch, clouds, vnfms"},
    {"collector", HALE_CONF_NODE, C(collector), false, NULL, 0, 0, NULL,
     "where policies ask about metrics: url, token_file, ca_file, timeout"},
};

void actuator_conf_free(void *arg)
{
    struct actuator_conf *conf = arg;
    if (conf == NULL)
        return;
    free(conf->redis);
    free(conf->listen);
    free(conf->audit_file);
    actuator_policies_free(conf->policies);
    actuator_subscribers_fini(&conf->subscribers);
    actuator_allow_fini(&conf->allow);
    actuator_strings_fini(&conf->allow_exec);
    actuator_methods_conf_fini(&conf->methods);
    actuator_clouds_fini(&conf->clouds);
    actuator_clusters_fini(&conf->clusters);
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
        const json_t *until = json_object_get(s->answer, "until");
        const char *const urls[] = {s->url, s->verify.url, s->until.url,
                                    json_string_value(json_object_get(until, "url"))};
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
    for (unsigned i = 0; i < conf->clusters.n && rc == HALE_OK; i++)
        rc = actuator_allow_add_url(&conf->allow, conf->clusters.v[i].url);
    for (unsigned i = 0; i < conf->credentials.n && rc == HALE_OK; i++)
        if (conf->credentials.v[i].token_url != NULL)
            rc = actuator_allow_add_url(&conf->allow, conf->credentials.v[i].token_url);
    if (rc == HALE_OK && conf->collector.url != NULL)
        rc = actuator_allow_add_url(&conf->allow, conf->collector.url);
    for (unsigned i = 0; i < conf->subscribers.n && rc == HALE_OK; i++)
        if (conf->subscribers.v[i].url != NULL && conf->subscribers.v[i].snmp == NULL)
            rc = actuator_allow_add_url(&conf->allow, conf->subscribers.v[i].url);
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

static bool is_kubernetes(const struct actuator_step *s)
{
    return s->kind != NULL && strcmp(s->kind, "kubernetes") == 0;
}

/* A step without a namespace has its cluster's. */
static enum hale_rc to_cluster(const struct actuator_conf *conf, const char *source,
                               const struct actuator_step *s, struct hale_err *err)
{
    char near[128];
    const struct actuator_cluster *c = actuator_clusters_find(&conf->clusters, s->cloud);
    if (c == NULL)
        return hale_err_at(
            err, HALE_E_INVAL, source != NULL ? source : "policies", s->line, 0,
            "'clusters' in the configuration has no '%.64s'%s", s->cloud,
            actuator_clusters_suggest(&conf->clusters, s->cloud, near, sizeof(near)));
    if (json_object_get(s->body, "namespace") == NULL &&
        json_object_set_new(s->body, "namespace", json_string(c->space)) != 0)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return HALE_OK;
}

/* A policy may only run what the configuration lists. */
static enum hale_rc check_exec(const struct actuator_conf *conf, const char *source,
                               struct hale_err *err)
{
    for (unsigned i = 0; i < actuator_policies_count(conf->policies); i++)
        for (unsigned k = 0; k < actuator_policies_at(conf->policies, i)->n_steps; k++) {
            const struct actuator_step *s =
                &actuator_policies_at(conf->policies, i)->step[k];
            const char *path = actuator_policy_exec_missing(s, &conf->allow_exec);
            if (path != NULL)
                return hale_err_at(
                    err, HALE_E_INVAL, source != NULL ? source : "policies", s->line, 0,
                    "'allow_exec' in the configuration has no '%.200s': add it there if "
                    "policies may run it",
                    path);
        }
    return HALE_OK;
}

/* A policy may only name clouds, clusters and credentials there are. */
static enum hale_rc check_names(const struct actuator_conf *conf, const char *source,
                                struct hale_err *err)
{
    char near[128];
    for (unsigned i = 0; i < actuator_policies_count(conf->policies); i++)
        for (unsigned k = 0; k < actuator_policies_at(conf->policies, i)->n_steps; k++) {
            const struct actuator_step *s =
                &actuator_policies_at(conf->policies, i)->step[k];
            if (is_kubernetes(s)) {
                enum hale_rc rc = to_cluster(conf, source, s, err);
                if (rc != HALE_OK)
                    return rc;
            } else if (s->cloud != NULL &&
                       actuator_clouds_find(&conf->clouds, s->cloud) == NULL)
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

/* What the journal says of a file of policies; none: the hash of nothing. */
static enum hale_rc hash_policies(const char *path, char hex[65], struct hale_err *err)
{
    unsigned char hash[HALE_CHAIN_HASH];
    struct hale_buf text;
    hale_buf_init(&text, POLICIES_MAX_BYTES);
    enum hale_rc rc = path != NULL ? hale_fs_read(path, &text, err) : HALE_OK;
    if (rc == HALE_OK)
        rc = hale_chain_sha256(hale_buf_str(&text), hash);
    if (rc == HALE_OK)
        (void)hale_chain_hex(hash, hex);
    hale_buf_fini(&text);
    return rc;
}

static enum hale_rc fill(NODE root, struct actuator_conf *conf, struct hale_err *err)
{
    struct conf_raw raw = {0};
    struct hale_err wrong;
    enum hale_rc rc = hale_conf_read(root, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    conf->redis = actuator_read_move(&raw.redis);
    conf->listen = actuator_read_move(&raw.listen);
    conf->log_level = raw.log_level;
    conf->notify_max_age_ms = raw.max_age;
    conf->audit_file = actuator_read_move(&raw.audit_file);
    conf->audit_every_ms = raw.audit_every;
    if (hale_redis_check_url(conf->redis, &wrong) != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(root, "redis"), err, "redis: %s", wrong.text);
    if (rc == HALE_OK)
        rc = actuator_methods_conf_read(raw.methods, raw.smtp, &conf->methods, err);
    if (rc == HALE_OK)
        rc = actuator_subscribers_read(raw.subscribers, conf->methods.smtp_from,
                                       &conf->subscribers, err);
    if (rc == HALE_OK && hale_yaml_kind(raw.allow) != HALE_YAML_NULL)
        rc = actuator_read_each(raw.allow, "allow", err, add_allowed, &conf->allow);
    if (rc == HALE_OK)
        rc = actuator_policy_read_allow_exec(raw.allow_exec, &conf->allow_exec, err);
    if (rc == HALE_OK)
        rc = actuator_infrastructure_read(raw.infrastructure, &conf->infrastructure, err);
    if (rc == HALE_OK)
        rc = actuator_clouds_read(raw.clouds, &conf->clouds, err);
    if (rc == HALE_OK)
        rc = actuator_clusters_read(raw.clusters, &conf->clusters, err);
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
        rc = hash_policies(raw.policies, conf->policies_sha256, err);
    if (rc == HALE_OK)
        rc = check_names(conf, raw.policies, err);
    if (rc == HALE_OK)
        rc = check_exec(conf, raw.policies, err);
    if (rc == HALE_OK)
        rc = actuator_conf_sizes(conf, raw.policies, err);
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
