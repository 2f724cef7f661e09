/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/conf.h"

#include <stdlib.h>

#include "model/rule.h"
#include "model/topology.h"
#include "model/yaml.h"
#include "store/keys.h"
#include "store/redis.h"

#define CAUSE_MAX_MS (24 * 3600 * 1000)

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct hale_conf_field fields[] = {
    {.key = "redis",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct correlator_conf, redis),
     .fallback = "unix:/run/hale/redis.sock",
     .help = "Redis: unix:/path or host:port"},
    {.key = "shards",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, shards),
     .fallback = "1",
     .min = 1,
     .max = HALE_SHARDS_MAX,
     .help = "number of sample streams; the same in collector and thresholds"},
    {.key = "listen",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct correlator_conf, listen),
     .fallback = "127.0.0.1:8072",
     .help = "own metrics and health (GET /metrics, /healthz)"},
    {.key = "log_level",
     .type = HALE_CONF_ENUM,
     .offset = offsetof(struct correlator_conf, log_level),
     .fallback = "info",
     .choices = levels,
     .help = "debug, info, warn or error"},
    {.key = "max_alarms",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, max_alarms),
     .fallback = "200000",
     .min = 1,
     .max = 10000000,
     .help = "alarms at most; further ones are refused and counted"},
    {.key = "max_sub_alarms",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, max_sub_alarms),
     .fallback = "1000000",
     .min = 1,
     .max = 50000000,
     .help = "sub-alarms at most; further ones are refused and counted"},
    {.key = "max_entities",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, max_entities),
     .fallback = "1000000",
     .min = 1,
     .max = HALE_TOPOLOGY_ENTITIES_MAX,
     .help = "entities of the topology, of all tenants; further ones are refused and "
             "counted"},
    {.key = "max_entities_per_tenant",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, max_entities_per_tenant),
     .fallback = "1000000",
     .min = 1,
     .max = HALE_TOPOLOGY_ENTITIES_MAX,
     .help = "the same of one tenant"},
    {.key = "flap_window",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct correlator_conf, flap_window_ms),
     .fallback = "10m",
     .min = 0,
     .max = 86400000,
     .help = "changes of state within it count for flapping; 0s: no flap detection"},
    {.key = "flap_start",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, flap_start),
     .fallback = "30",
     .min = 1,
     .max = 95,
     .help = "percent of 20 weighted changes above which an alarm flaps"},
    {.key = "flap_stop",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, flap_stop),
     .fallback = "25",
     .min = 1,
     .max = 95,
     .help = "percent below which it is calm again; not above flap_start"},
    {.key = "rules",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct correlator_conf, rules_file),
     .help = "file of rules: deduced alarms, states and causes; none: no rules"},
    {.key = "cause_window",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct correlator_conf, cause_window_ms),
     .fallback = "10m",
     .min = 0,
     .max = CAUSE_MAX_MS,
     .help = "an alarm explains others that began at most so much before it"},
    {.key = "hold_max",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct correlator_conf, hold_max_ms),
     .fallback = "2m",
     .min = 0,
     .max = CAUSE_MAX_MS,
     .help = "wait at most so long for checks above a failed entity; 0: never"},
    {.key = "clear_hold",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct correlator_conf, clear_hold_ms),
     .fallback = "1m",
     .min = 0,
     .max = CAUSE_MAX_MS,
     .help = "event alarms stay symptoms so long after their cause ended"},
    {.key = "clear_hold_max",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct correlator_conf, clear_hold_max_ms),
     .fallback = "10m",
     .min = 0,
     .max = CAUSE_MAX_MS,
     .help = "the same of metric alarms at most (2 periods)"},
    {.key = "storm_rate",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, storm_rate),
     .fallback = "600",
     .min = 0,
     .max = 1000000,
     .help = "raises of a tenant announced in a minute; further ones wait; 0: all"},
    {.key = "storm_burst",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, storm_burst),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "raises announced at once"},
    {.key = "storm_reserve",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct correlator_conf, storm_reserve),
     .fallback = "20",
     .min = 0,
     .max = 90,
     .help = "percent of both kept for CRITICAL alarms that nothing explains"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum hale_rc check(const struct hale_yaml_node *map,
                          const struct correlator_conf *c, struct hale_err *err)
{
    struct hale_err why = {0};
    if (hale_redis_check_url(c->redis, &why) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "redis"), err, "redis: %s", why.text);
    if (c->flap_stop > c->flap_start)
        return hale_yaml_error(hale_yaml_get(map, "flap_stop"), err,
                               "flap_stop: must not be above flap_start (%lld)",
                               (long long)c->flap_start);
    return HALE_OK;
}

enum hale_rc correlator_conf_read(const struct hale_yaml_node *map,
                                  struct correlator_conf **out, struct hale_err *err)
{
    struct correlator_conf *c = calloc(1, sizeof(*c));
    *out = NULL;
    if (c == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = hale_conf_read(map, fields, N_FIELDS, c, err);
    if (rc == HALE_OK)
        rc = check(map, c, err);
    if (rc == HALE_OK && c->rules_file != NULL)
        rc = hale_rules_load_file(c->rules_file, &c->rules, err);
    if (rc == HALE_OK)
        *out = c;
    else
        correlator_conf_free(c);
    return rc;
}

enum hale_rc correlator_conf_load(const char *path, void **conf_out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct correlator_conf *c = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, err);
    if (rc == HALE_OK)
        rc = correlator_conf_read(hale_yaml_root(yaml), &c, err);
    hale_yaml_free(yaml);
    *conf_out = c;
    return rc;
}

struct correlator_limits correlator_conf_limits(const struct correlator_conf *c)
{
    return (struct correlator_limits){.max_alarms = (size_t)c->max_alarms,
                                      .max_subs = (size_t)c->max_sub_alarms,
                                      .max_metrics = CORRELATOR_MAX_METRICS,
                                      .max_entities = (size_t)c->max_entities,
                                      .max_entities_per_tenant =
                                          (size_t)c->max_entities_per_tenant,
                                      .rules = c->rules,
                                      .cause_window_ms = c->cause_window_ms,
                                      .hold_max_ms = c->hold_max_ms,
                                      .clear_hold_ms = c->clear_hold_ms,
                                      .clear_hold_max_ms = c->clear_hold_max_ms,
                                      .flap_window_ms = c->flap_window_ms,
                                      .flap_start = (double)c->flap_start,
                                      .flap_stop = (double)c->flap_stop,
                                      .storm_rate = c->storm_rate,
                                      .storm_burst = c->storm_burst,
                                      .storm_reserve = c->storm_reserve};
}

void correlator_conf_free(void *conf)
{
    struct correlator_conf *c = conf;
    if (c == NULL)
        return;
    hale_conf_fini(fields, N_FIELDS, c);
    hale_rules_free(c->rules);
    free(c);
}

void correlator_conf_describe(struct hale_buf *out)
{
    hale_conf_describe(fields, N_FIELDS, out);
}
