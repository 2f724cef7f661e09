/* SPDX-License-Identifier: Apache-2.0 */
#include "thresholds/conf.h"

#include <stdlib.h>

#include "model/yaml.h"
#include "store/keys.h"
#include "store/redis.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct hale_conf_field fields[] = {
    {.key = "redis",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct thresholds_conf, redis),
     .required = true,
     .help = "unix:/path/redis.sock, host:port or host"},
    {.key = "shards",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct thresholds_conf, shards),
     .fallback = "1",
     .min = 1,
     .max = HALE_SHARDS_MAX,
     .help = "number of shards of the samples; the same as the collector's"},
    {.key = "listen",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct thresholds_conf, listen),
     .fallback = "127.0.0.1:8071",
     .help = "own metrics and health (GET /metrics, /healthz)"},
    {.key = "log_level",
     .type = HALE_CONF_ENUM,
     .offset = offsetof(struct thresholds_conf, log_level),
     .fallback = "info",
     .choices = levels,
     .help = "debug, info, warn or error"},
    {.key = "late_wait",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct thresholds_conf, late_wait_ms),
     .fallback = "30s",
     .min = 0,
     .max = THRESHOLDS_LATE_WAIT_MAX_MS,
     .help = "wait for late samples after a window's end"},
    {.key = "checkpoint_interval",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct thresholds_conf, checkpoint_interval_ms),
     .fallback = "10s",
     .min = 100,
     .max = 600000,
     .help = "time between snapshots; a restart replays at most this much"},
    {.key = "max_series",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct thresholds_conf, max_series),
     .fallback = "1000000",
     .min = 1,
     .max = 100000000,
     .help = "ceiling of series with sub-alarms in one shard"},
    {.key = "max_subalarms",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct thresholds_conf, max_subalarms),
     .fallback = "1000000",
     .min = 1,
     .max = 100000000,
     .help = "ceiling of sub-alarms in one shard"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

void thresholds_conf_free(void *conf)
{
    if (conf == NULL)
        return;
    hale_conf_fini(fields, N_FIELDS, conf);
    free(conf);
}

enum hale_rc thresholds_conf_load(const char *path, void **conf_out, struct hale_err *err)
{
    struct hale_yaml *y = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &y, err);
    if (rc != HALE_OK)
        return rc;
    struct thresholds_conf *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        hale_yaml_free(y);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    rc = hale_conf_read(hale_yaml_root(y), fields, N_FIELDS, c, err);
    if (rc == HALE_OK) {
        rc = hale_redis_check_url(c->redis, err);
        if (rc != HALE_OK)
            thresholds_conf_free(c);
    } else {
        free(c);
    }
    hale_yaml_free(y);
    if (rc == HALE_OK)
        *conf_out = c;
    return rc;
}

void thresholds_conf_describe(struct hale_buf *out)
{
    hale_conf_describe(fields, N_FIELDS, out);
}

struct thresholds_limits thresholds_conf_limits(const struct thresholds_conf *c)
{
    struct thresholds_limits l = thresholds_limits_default();
    l.max_series = (size_t)c->max_series;
    l.max_subalarms = (size_t)c->max_subalarms;
    l.max_slots = l.max_subalarms * 16;
    l.late_wait_ms = c->late_wait_ms;
    return l;
}
