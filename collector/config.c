/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "collector/tiers.h"
#include "model/limits.h"
#include "model/method_key.h"
#include "model/yaml.h"
#include "store/keys.h"
#include "store/redis.h"

/* What the table fills; the sections are read further. */
struct raw {
    struct collector_config c;
    const struct hale_yaml_node *keystone, *tls, *limits, *archive_tiers;
};
#define AT(field) offsetof(struct raw, c.field)
#define DAY_MS    86400000.0

static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};

/* clang-format off */
static const struct hale_conf_field FIELDS[] = {
    {"listen", HALE_CONF_STRING, AT(listen), false, "127.0.0.1:8070", 0, 0, NULL,
     "address and port of the HTTP interface"},
    {"redis", HALE_CONF_STRING, AT(redis), false, "unix:/run/hale/redis.sock", 0, 0, NULL,
     "Redis: unix:/path or host:port; must run with appendfsync always"},
    {"shards", HALE_CONF_INT, AT(shards), false, "1", 1, HALE_SHARDS_MAX, NULL,
     "number of sample streams; the same in collector and thresholds"},
    {"region", HALE_CONF_STRING, AT(region), false, "RegionOne", 0, 0, NULL,
     "region of every series, part of its identity"},
    {"tokens_file", HALE_CONF_STRING, AT(tokens_file), false, "/etc/hale/tokens.yaml", 0, 0,
     NULL, "file of hashed tokens; read again at SIGHUP"},
    {"state_dir", HALE_CONF_STRING, AT(state_dir), false, "/var/lib/hale/collector", 0, 0,
     NULL, "directory of the RRD archive"},
    {"dashboards_dir", HALE_CONF_STRING, AT(dashboards_dir), false,
     "/usr/share/hale/dashboards", 0, 0, NULL,
     "directory of the web application; read at start and at SIGHUP"},
    {"notification_secret_file", HALE_CONF_STRING, AT(notification_secret_file), false, NULL, 0,
     0, NULL, "the actuator's notification_methods: secret_file; tenants may ask for their keys"},
    {"max_body", HALE_CONF_BYTES, AT(max_body), false, "8m", 4096, 268435456, NULL,
     "ceiling of one POST /v2.0/metrics"},
    {"max_connections", HALE_CONF_INT, AT(max_connections), false, "1000", 1, 10000, NULL,
     "HTTP connections at once"},
    {"max_series", HALE_CONF_INT, AT(max_series), false, "1000000", 1, 50000000, NULL,
     "time series known at most; a request with one more is answered 503"},
    {"series_expire", HALE_CONF_DURATION, AT(series_expire_ms), false, "400d", 0,
     3650 * DAY_MS, NULL, "series without a sample for so long are forgotten; 0s = never"},
    {"shelve_max", HALE_CONF_DURATION, AT(shelve_max_ms), false, "7d", 60000,
     3650 * DAY_MS, NULL, "how long an alarm can be shelved at most"},
    {"max_spellings", HALE_CONF_INT, AT(max_spellings), false, "1000000", 1000, 50000000,
     NULL, "entries of the cache from a series' JSON text to its id"},
    {"ingest_queue", HALE_CONF_INT, AT(ingest_queue), false, "4096", 1, 1000000, NULL,
     "requests waiting for Redis; beyond it 503"},
    {"ingest_queue_bytes", HALE_CONF_BYTES, AT(ingest_queue_bytes), false, "64m", 65536,
     4294967296.0, NULL, "bytes waiting for Redis; beyond it 503"},
    {"hot_retention", HALE_CONF_DURATION, AT(hot_retention_ms), false, "2h", 600000,
     30 * DAY_MS, NULL, "how long raw samples stay in Redis"},
    {"hot_flush", HALE_CONF_DURATION, AT(hot_flush_ms), false, "60s", 100, 300000, NULL,
     "time in which all raw samples move from memory to Redis chunks once"},
    {"hot_memory", HALE_CONF_BYTES, AT(hot_memory), false, "256m", 1048576, 68719476736.0,
     NULL, "raw samples in memory; reaching it flushes at once"},
    {"archive", HALE_CONF_BOOL, AT(archive), false, "true", 0, 0, NULL,
     "keep round-robin files of what is no longer raw"},
    {"archive_delay", HALE_CONF_DURATION, AT(archive_delay_ms), false, "30m", 1000,
     7 * DAY_MS, NULL, "how late a sample may come and still be archived"},
    {"archive_backlog", HALE_CONF_DURATION, AT(archive_backlog_ms), false, "1d", 60000,
     14 * DAY_MS, NULL,
     "how long raw samples wait beyond hot_retention for a disk that fails"},
    {"archive_tiers", HALE_CONF_NODE, offsetof(struct raw, archive_tiers), false, NULL, 0, 0, NULL,
     "list of match (glob on the metric name) and tiers (list of step:span, or none)"},
    {"redis_memory_max", HALE_CONF_BYTES, AT(redis_memory_max), false, "2g", 1048576, 1e15,
     NULL, "Redis memory above which ingest answers 503"},
    {"redis_timeout", HALE_CONF_DURATION, AT(redis_timeout_ms), false, "5s", 100, 60000,
     NULL, "deadline of one Redis reply"},
    {"query_threads", HALE_CONF_INT, AT(query_threads), false, "2", 1, 64, NULL,
     "threads that answer queries"},
    {"query_queue", HALE_CONF_INT, AT(query_queue), false, "256", 1, 100000, NULL,
     "queries waiting for a thread; beyond it 503"},
    {"promql_timeout", HALE_CONF_DURATION, AT(promql_timeout_ms), false, "30s", 100, 600000,
     NULL, "time one PromQL query may take; beyond it 503"},
    {"promql_max_samples", HALE_CONF_INT, AT(promql_max_samples), false, "10000000", 1000,
     1000000000, NULL, "numbers one PromQL query may hold (8 bytes each); beyond it 422"},
    {"promql_lookback", HALE_CONF_DURATION, AT(promql_lookback_ms), false, "5m", 1000,
     DAY_MS, NULL, "how old the latest sample of a series may be for PromQL to show it"},
    {"history_max", HALE_CONF_INT, AT(history_max), false, "100000", 100, 10000000, NULL,
     "alarm transitions indexed for the state history"},
    {"trust_forwarded", HALE_CONF_BOOL, AT(trust_forwarded), false, "false", 0, 0, NULL,
     "build links from X-Forwarded-Proto and X-Forwarded-Host"},
    {"keystone", HALE_CONF_NODE, offsetof(struct raw, keystone), false, NULL, 0, 0, NULL,
     "tokens of OpenStack's identity service, besides tokens_file; keys below it"},
    {"tls", HALE_CONF_NODE, offsetof(struct raw, tls), false, NULL, 0, 0, NULL,
     "https instead of http; keys below it"},
    {"limits", HALE_CONF_NODE, offsetof(struct raw, limits), false, NULL, 0, 0, NULL,
     "what a tenant may send; keys below it; taken over at SIGHUP"},
    {"log_level", HALE_CONF_ENUM, AT(log_level), false, "info", 0, 0, LEVELS,
     "debug, info, warn or error"},
};
static const char *const CLIENTS[] = {"none", "optional", "required", NULL};
static const char *const VERSIONS[] = {"1.2", "1.3", NULL};
static const struct hale_conf_field TLS[] = {
    {"cert_file", HALE_CONF_STRING, AT(cert_file), true, NULL, 0, 0, NULL,
     "certificate and its chain, PEM; read again at SIGHUP"},
    {"key_file", HALE_CONF_STRING, AT(key_file), true, NULL, 0, 0, NULL,
     "its key without password, PEM; read again at SIGHUP"},
    {"client_certificates", HALE_CONF_ENUM, AT(client_certificates), false, "none", 0, 0,
     CLIENTS, "none, optional (checked when shown) or required"},
    {"client_ca_file", HALE_CONF_STRING, AT(client_ca_file), false, NULL, 0, 0, NULL,
     "certificates that clients' are checked against; read again at SIGHUP"},
    {"min_version", HALE_CONF_ENUM, AT(tls_min), false, "1.2", 0, 0, VERSIONS,
     "oldest TLS: 1.2 or 1.3"},
};
/* clang-format on */
#define N_FIELDS (sizeof(FIELDS) / sizeof(FIELDS[0]))
#define N_TLS    (sizeof(TLS) / sizeof(TLS[0]))

static enum hale_rc read_tls(const struct hale_yaml_node *node, struct raw *raw,
                             struct hale_err *err)
{
    struct collector_config *c = &raw->c;

    if (node == NULL)
        return HALE_OK;
    if (hale_yaml_kind(node) != HALE_YAML_MAP)
        return hale_yaml_error(node, err,
                               "tls must have keys below it: cert_file, key_file");
    enum hale_rc rc = hale_conf_read(node, TLS, N_TLS, raw, err);
    c->tls = rc == HALE_OK;
    if (rc == HALE_OK && (c->client_certificates != 0) != (c->client_ca_file != NULL))
        return hale_yaml_error(node, err,
                               "client_ca_file and client_certificates: optional or "
                               "required belong together");
    return rc;
}

static enum hale_rc check(const char *path, const struct collector_config *c,
                          struct hale_err *err)
{
    if (c->region[0] == '\0' || strlen(c->region) > 255)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "region must have 1 to 255 bytes");
    if (c->tokens_file[0] == '\0' && !c->keystone.enabled)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "tokens_file is empty and there is no section keystone: "
                           "nobody could use the collector");
    struct hale_method_secret secret = {0};
    enum hale_rc rc =
        c->notification_secret_file != NULL
            ? hale_method_secret_load(c->notification_secret_file, &secret, err)
            : HALE_OK;
    hale_method_secret_fini(&secret);
    if (rc != HALE_OK)
        return rc;
    if (c->archive_delay_ms > c->hot_retention_ms / 2)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "archive_delay must be at most half of hot_retention: raw "
                           "samples are archived before they expire");
    return hale_redis_check_url(c->redis, err);
}

enum hale_rc collector_config_load(const char *path, void **conf_out,
                                   struct hale_err *err)
{
    struct hale_yaml *doc = NULL;
    struct collector_config *c;
    struct raw raw = {0};

    *conf_out = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &doc, err);
    if (rc != HALE_OK)
        return rc;
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        hale_yaml_free(doc);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    rc = hale_conf_read(hale_yaml_root(doc), FIELDS, N_FIELDS, &raw, err);
    if (rc == HALE_OK)
        rc = read_tls(raw.tls, &raw, err);
    *c = raw.c;
    if (rc == HALE_OK)
        rc = collector_keystone_config_read(raw.keystone, &c->keystone, err);
    if (rc == HALE_OK)
        rc = collector_limits_config_read(raw.limits, &c->limits, err);
    if (rc == HALE_OK)
        rc = check(path, c, err);
    if (rc == HALE_OK)
        rc = collector_tiers_read(raw.archive_tiers, c->hot_retention_ms, &c->tiers, err);
    hale_yaml_free(doc);
    if (rc != HALE_OK) {
        collector_config_free(c);
        return rc;
    }
    *conf_out = c;
    return HALE_OK;
}

void collector_config_free(void *conf)
{
    struct collector_config *c = conf;
    struct raw raw;

    if (c == NULL)
        return;
    raw.c = *c;
    hale_conf_fini(FIELDS, N_FIELDS, &raw);
    hale_conf_fini(TLS, N_TLS, &raw);
    collector_keystone_config_fini(&c->keystone);
    collector_limits_config_fini(&c->limits);
    collector_tiers_free(c->tiers);
    free(c);
}

void collector_config_describe(struct hale_buf *out)
{
    hale_conf_describe(FIELDS, N_FIELDS, out);
    hale_buf_add_c(out, "tls:\n");
    hale_conf_describe(TLS, N_TLS, out);
    hale_buf_add_c(out, "keystone:\n");
    collector_keystone_config_describe(out);
    hale_buf_add_c(out, "limits:\n");
    collector_limits_config_describe(out);
}
